//! One job on this machine, in surroundings as HTCondor makes them: a fresh folder with what is transferred and
//! nothing else, the environment of a job and nothing else, the same runner.
//!
//! Nothing of it lands in the plan's folder, and nothing of it stays: neither files nor processes.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions};

use super::measure::{self, Ended, Meter, SAMPLE, Usage};
use super::tree::OwnFolder;
use crate::chain::{self, Check};
use crate::exit::Exit;
use crate::folder::Layout;
use crate::inputs::fetch;
use crate::plan::{Chain, ContainerMode, Identity, PLAN_FILES, Plan};
use crate::record::{Cause, Found, Gathered, Kind, Part, gather};
use crate::rows;
use crate::runner::{BUSY, Guard};
use crate::space::{Interval, Rows};
use crate::store::{StoreError, make_folder};

/// How libraries are told the number of cores that a job asked for.
const CORES: [&str; 12] = [
    "CUBACORES",
    "GOMAXPROCS",
    "JULIA_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OMP_THREAD_LIMIT",
    "OPENBLAS_NUM_THREADS",
    "PYTHON_CPU_COUNT",
    "ROOT_MAX_THREADS",
    "TF_LOOP_PARALLEL_ITERATIONS",
    "TF_NUM_THREADS",
];

/// How a job is kept from using GPUs that it did not ask for.
const NO_GPUS: [(&str, &str); 4] = [
    ("CUDA_VISIBLE_DEVICES", "10000"),
    ("GPU_DEVICE_ORDINAL", "10000"),
    ("NVIDIA_VISIBLE_DEVICES", "none"),
    ("_CONDOR_AssignedGPUs", "10000"),
];

/// What runs containers as HTCondor does, the first that is on PATH.
const CONTAINER_PROGRAMS: [&str; 2] = ["apptainer", "singularity"];

/// A container program takes the variables that it is to set under names that start like this.
const CONTAINER_PREFIXES: [&str; 2] = ["APPTAINERENV_", "SINGULARITYENV_"];

/// How long what a job left running may take to end once it was killed.
const ENDING: Duration = Duration::from_secs(5);

/// The surroundings of a plan's jobs.
#[derive(Debug)]
pub struct Sandboxes<'a> {
    plan: &'a Plan,
    /// The values of all items that are kept beside the plan.
    rows: &'a Rows,
    root: PathBuf,
    /// The folder that was planned in.
    base: PathBuf,
    outputs: PathBuf,
    /// What was fetched by URL, by number: once, for all jobs.
    fetched: tempfile::TempDir,
    container: Option<Container>,
    host: String,
    /// Of a chain, the last segment that is computed.
    until: Option<u32>,
}

/// What runs the job in its image.
#[derive(Debug)]
struct Container {
    program: PathBuf,
    image: OsString,
}

/// The jobs that are running, so that they can be ended from another thread.
#[derive(Debug, Default)]
pub struct Jobs {
    state: Mutex<State>,
    /// What ends them where this process is killed.
    guard: Option<Guard>,
}

#[derive(Debug, Default)]
struct State {
    runners: HashSet<Pid>,
    stopped: bool,
    killed: bool,
}

/// What came of a job.
#[derive(Debug)]
pub enum Computed {
    /// It left a record.
    Finished(Box<Finished>),
    /// It was told to stop.
    Stopped,
}

/// A job that left records.
#[derive(Debug)]
pub struct Finished {
    /// What the job used.
    pub usage: Usage,
    /// How many processes it left running, which have ended with it.
    pub left_running: usize,
    /// Its records, as a folder of partials is read. Together they are of all its items.
    gathered: Gathered,
    /// Where the job's files are, its home among them.
    sandbox: PathBuf,
    /// Goes when this goes.
    _folder: OwnFolder,
}

/// The job could not be run as a job.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A file or folder.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What a job is sent is not there.
    #[error("{} is not there, of which each job is sent a copy", .0.display())]
    NotStaged(PathBuf),
    /// The jobs run in a container, which cannot be had here.
    #[error("its jobs run in a container, and there is no apptainer here")]
    NoContainer,
    /// HTCondor fetches the image.
    #[error("its jobs run in the container image {0}, which HTCondor fetches for them")]
    Image(String),
    /// The runner cannot be started.
    #[error("cannot start {}", program.display())]
    NotStarted {
        /// What cannot be started.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It ended without a record.
    #[error("the runner left no record: {status}")]
    NoRecord {
        /// How it ended.
        status: ExitStatus,
        /// What it wrote on standard error.
        said: Vec<u8>,
    },
}

impl Jobs {
    /// Nothing is running. From here on what jobs leave running becomes this process's to end, wherever their
    /// parents went, prctl(2).
    #[must_use]
    pub fn new() -> Self {
        // Without it such a process would live on, and nothing else would be wrong.
        let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
        Self { guard: Guard::start().ok(), ..Self::default() }
    }

    /// Asks every job to end, and starts no more.
    pub fn stop(&self) {
        let mut state = self.lock();
        state.stopped = true;
        for &runner in &state.runners {
            // One that has just ended is no failure.
            let _ = rustix::process::kill_process(runner, Signal::TERM);
        }
    }

    /// Ends every job, whether it will or not.
    pub fn kill(&self) {
        let mut state = self.lock();
        (state.stopped, state.killed) = (true, true);
        for &runner in &state.runners {
            kill_tree(runner);
        }
    }

    /// Whether [`Jobs::stop`] was called.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.lock().stopped
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a job unless everything was told to stop; both under one lock, so that none slips through.
    fn start(&self, command: &mut Command) -> io::Result<Option<(Child, Pid)>> {
        let started = Instant::now();
        loop {
            let mut state = self.lock();
            if state.stopped {
                return Ok(None);
            }
            command.envs(self.guard.as_ref().map(Guard::mark));
            match command.spawn() {
                Ok(child) => {
                    let pid = Pid::from_child(&child);
                    state.runners.insert(pid);
                    if let Some(guard) = &self.guard {
                        guard.started(pid);
                    }
                    return Ok(Some((child, pid)));
                }
                // A process that another thread is just starting holds the copy open for a moment.
                Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && started.elapsed() < BUSY => {}
                Err(error) => return Err(error),
            }
            drop(state);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A job has ended, and what it left running: waits for it, as long as it is known to be no orphan.
    fn ended(&self, runner: Pid, child: &mut Child) -> io::Result<ExitStatus> {
        if let Some(guard) = &self.guard {
            guard.ended(runner);
        }
        let mut state = self.lock();
        let status = child.wait();
        state.runners.remove(&runner);
        status
    }

    /// The processes that came to this one when what had started them ended, and that belong to the job in `sandbox`.
    fn orphans(&self, sandbox: &Path) -> Vec<Pid> {
        // The runners before and after: one that is started or ends meanwhile is among them wherever it is a process.
        let before = self.lock().runners.clone();
        let own = measure::children(rustix::process::getpid());
        let mut runners = self.lock().runners.clone();
        runners.extend(before);
        let mark = [b"_CONDOR_SCRATCH_DIR=", sandbox.as_os_str().as_encoded_bytes()].concat();
        // Of a job that runs alone they all are, also those that cleared their environment.
        let is_its = |process: &Pid| {
            runners.len() <= 1 || {
                let environment = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
                environment.split(|&byte| byte == 0).any(|variable| variable == mark)
            }
        };
        let guard = self.guard.as_ref().map(Guard::process);
        let others = own.into_iter().filter(|process| !runners.contains(process) && Some(*process) != guard);
        others.filter(is_its).collect()
    }

    /// Ends what a job has left running; gives how many processes that were.
    fn sweep(&self, sandbox: &Path) -> usize {
        let started = Instant::now();
        let mut ended = HashSet::new();
        loop {
            let left = self.orphans(sandbox);
            if left.is_empty() || started.elapsed() > ENDING {
                return ended.len();
            }
            for process in left {
                if is_alive(process) {
                    ended.insert(process);
                }
                kill_tree(process);
                // Those below it become orphans in turn; whoever has ended is waited for, so that none stays a zombie.
                let _ = rustix::process::waitpid(Some(process), WaitOptions::NOHANG);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl<'a> Sandboxes<'a> {
    /// Those of the jobs of `plan`, which `layout` holds, with its rows.
    ///
    /// # Errors
    /// Where what jobs are sent is not there or cannot be fetched, or they run in a container and there is nothing here
    /// to run one.
    pub fn new(layout: &Layout, plan: &'a Plan, rows: &'a Rows) -> Result<Self, SandboxError> {
        let absolute = |path: &Path| path.canonicalize().map_err(StoreError::on("find", path));
        let root = absolute(layout.root())?;
        for name in ["job/job.json", "split-runner"] {
            let path = root.join(PLAN_FILES).join(name);
            if !path.is_file() {
                return Err(SandboxError::NotStaged(layout.root().join(PLAN_FILES).join(name)));
            }
        }
        let outputs = absolute(layout.outputs())?;
        let fetched = tempfile::Builder::new().prefix("split-urls-").tempdir();
        let fetched = fetched.map_err(StoreError::on("make a folder in", &std::env::temp_dir()))?;
        for (number, url) in plan.files.urls.iter().enumerate() {
            fetch(&url.url, &fetched.path().join(number.to_string()))?;
        }
        // In the other mode the runner starts the container, here as in a job.
        let resources = &plan.resources;
        let image = resources.container.as_deref().filter(|_| resources.container_mode == ContainerMode::Universe);
        let container = image.map(|image| container(image, &outputs)).transpose()?;
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let base = root.join(plan.base.as_os_str());
        let until = plan.chain.as_ref().map(Chain::segments);
        Ok(Self { plan, rows, root, base, outputs, fetched, container, host, until })
    }

    /// Of chains, computes the first segment alone.
    #[must_use]
    pub fn of_first_segments(mut self) -> Self {
        self.until = self.until.map(|_| 1);
        self
    }

    /// Computes `items` as the job of chunk number `chunk` would, to its end.
    ///
    /// # Errors
    /// Where the job could not be run at all; a program that fails leaves a record, and is no error.
    pub fn compute(&self, chunk: u64, items: Interval, jobs: &Jobs) -> Result<Computed, SandboxError> {
        let folder = tempfile::Builder::new().prefix("split-job-").tempdir();
        let folder = folder.map_err(StoreError::on("make a folder in", &std::env::temp_dir()))?;
        let folder = OwnFolder::new(folder);
        let path = folder.path();
        let path = path.canonicalize().map_err(StoreError::on("find", path))?;
        let sandbox = path.join("job");
        self.fill(&sandbox, jobs)?;
        self.add_rows(&sandbox, chunk, items, jobs)?;
        if let Some(until) = self.until {
            chain::hand_nothing(&sandbox.join(chain::folder_name(chunk, until)))?;
        }
        let said = path.join("said");
        let (left_running, status, usage) = loop {
            let mut command = self.command(&sandbox, chunk, items);
            command.stderr(File::create(&said).map_err(StoreError::on("write", &said))?);

            let before = Ended::now();
            let started = jobs
                .start(&mut command)
                .map_err(|source| SandboxError::NotStarted { program: PathBuf::from(command.get_program()), source })?;
            let Some((mut child, pid)) = started else { return Ok(Computed::Stopped) };
            let mut meter = Meter::start(pid, &sandbox, before);
            let watched = watch(pid, &mut meter, jobs, &sandbox);
            let left_running = jobs.sweep(&sandbox);
            let ended = jobs.ended(pid, &mut child);
            let status = watched.map_err(io::Error::from).and(ended);
            let status = status.map_err(StoreError::on("wait for", Path::new(command.get_program())))?;
            // HTCondor starts a job again in the same sandbox that has asked for a carry.
            if status.code() != Some(Exit::Carry as i32) || jobs.stopped() {
                break (left_running, status, meter.finish());
            }
        };

        if self.plan.chain.is_some() {
            let job = self.plan.job();
            let line = chain::line(&sandbox, &job, chunk, items, Check::All);
            let line = line.map_err(StoreError::on("read", &sandbox))?;
            // Also of a chain that has not come to its end: what there is of it.
            if line.reached() > 0 {
                chain::join(&sandbox, chunk, &line)?;
            }
        }
        let gathered = gather(&sandbox, self.plan, &|_| {}).map_err(StoreError::on("read", &sandbox))?;
        let records = gathered.results.iter().chain(&gathered.failures);
        if records.map(|found| found.record.header.items.count()).sum::<u128>() == items.count() {
            return Ok(Computed::Finished(Box::new(Finished {
                usage,
                left_running,
                gathered,
                sandbox,
                _folder: folder,
            })));
        }
        if jobs.stopped() {
            return Ok(Computed::Stopped);
        }
        let said = fs::read(&said).map_err(StoreError::on("read", &said))?;
        Err(SandboxError::NoRecord { status, said })
    }

    /// Makes the folder `sandbox` hold what HTCondor would put there.
    fn fill(&self, sandbox: &Path, jobs: &Jobs) -> Result<(), SandboxError> {
        make_folder(&sandbox.join("tmp"))?;
        let resources = &self.plan.resources;
        let (cpus, memory, disk) = (resources.cpus, resources.memory.bytes() >> 20, resources.disk.bytes() >> 10);
        let job = format!("JobUniverse = 5\nRequestCpus = {cpus}\nRequestMemory = {memory}\nRequestDisk = {disk}\n");
        let machine = format!("Cpus = {cpus}\nDisk = {disk}\nMachine = \"{}\"\nMemory = {memory}\n", self.host);
        for (name, text) in [(".job.ad", job), (".machine.ad", machine)] {
            let path = sandbox.join(name);
            fs::write(&path, text).map_err(StoreError::on("write", &path))?;
        }
        if self.plan.resources.shared_filesystem {
            return Ok(());
        }
        for (number, url) in self.plan.files.urls.iter().enumerate() {
            copy(&self.fetched.path().join(number.to_string()), &sandbox.join(url.arrives.as_os_str()))?;
        }
        let runner = self.root.join(PLAN_FILES).join("split-runner");
        copy(&runner, &sandbox.join("split-runner"))?;
        let sent = self.root.join(PLAN_FILES).join("job");
        // Links are followed: what they lead to is sent.
        for entry in walkdir::WalkDir::new(&sent).min_depth(1).follow_links(true) {
            // Copying may take long, and a job that was told to stop needs none of it.
            if jobs.stopped() {
                break;
            }
            let entry = match entry {
                Ok(entry) => entry,
                // HTCondor leaves out a file that is gone, and says nothing; the runner misses it.
                Err(error) if is_gone(&error) => continue,
                Err(error) => {
                    let path = error.path().unwrap_or(&sent).to_owned();
                    return Err(StoreError::on("read", &path)(error.into()).into());
                }
            };
            let Ok(place) = entry.path().strip_prefix(&sent) else { continue };
            let to = sandbox.join(place);
            if entry.file_type().is_dir() {
                make_folder(&to)?;
            } else {
                copy(entry.path(), &to)?;
            }
        }
        Ok(())
    }

    /// The rows and files of a chunk's own, which HTCondor puts beside the rest: those of all of its items, or of `items`
    /// where these are an earlier cut's.
    fn add_rows(&self, sandbox: &Path, chunk: u64, items: Interval, jobs: &Jobs) -> Result<(), SandboxError> {
        if self.rows.blocks.is_empty() {
            return Ok(());
        }
        let whole = (chunk < self.plan.cut.chunks()).then(|| self.plan.chunk(chunk));
        let items = whole.filter(|whole| whole.intersect(items) == Some(items)).unwrap_or(items);
        let folder = sandbox.join(rows::chunk_name(chunk));
        rows::write_chunk(&folder, self.plan, items, self.rows, &mut Vec::new())?;
        if self.plan.resources.shared_filesystem {
            return Ok(());
        }
        let laid = Layout::new(&self.root).chunks().join(rows::chunk_place(chunk));
        for file in rows::files_of(&self.plan.space, items, self.rows) {
            let from = file.source(&laid, &self.base);
            // One that is gone is left out, and the runner misses it.
            if !jobs.stopped() && from.exists() {
                copy(&from, &folder.join(file.name))?;
            }
        }
        Ok(())
    }

    /// The runner, as HTCondor would start it.
    fn command(&self, sandbox: &Path, chunk: u64, items: Interval) -> Command {
        let shared = self.plan.resources.shared_filesystem;
        // Where the job sees the plan's folder, it starts in outputs/, and what it leaves there stays: so here it starts
        // in the sandbox all the same, and is told where the plan's folder is.
        let (runner, document) = match shared {
            true => {
                let files = self.root.join(PLAN_FILES);
                (files.join("split-runner"), files.join("job/job.json"))
            }
            false => (sandbox.join("split-runner"), PathBuf::from("job.json")),
        };
        let variables = self.environment(sandbox);
        let mut command = match &self.container {
            None => {
                let mut command = Command::new(&runner);
                command.env_clear().envs(variables);
                command
            }
            Some(Container { program, image }) => {
                let mut command = Command::new(program);
                command.args(["exec", "--cleanenv", "--contain", "--no-home", "--bind"]).arg(sandbox);
                if shared {
                    command.arg("--bind").arg(&self.root);
                }
                command.arg("--pwd").arg(sandbox).arg(image).arg(&runner);
                for (name, value) in variables {
                    for prefix in CONTAINER_PREFIXES {
                        command.env(format!("{prefix}{name}"), &value);
                    }
                }
                command
            }
        };
        let numbers = [u128::from(chunk), items.start(), items.stop()].map(|number| number.to_string());
        command
            .arg("exec")
            .arg(document)
            .args(numbers)
            .args(self.until.map(|until| until.to_string()))
            .current_dir(sandbox)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            // A Ctrl-C at the keyboard comes to us first.
            .process_group(0);
        command
    }

    /// What HTCondor sets in a job, and nothing else: no PATH, no HOME. (But for `_CONDOR_ANCESTOR_...`, by which it
    /// knows its processes again.)
    fn environment(&self, sandbox: &Path) -> Vec<(&'static str, OsString)> {
        let within = |name: &str| sandbox.join(name).into_os_string();
        let cores = self.plan.resources.cpus.to_string();
        let mut variables: Vec<(&str, OsString)> = vec![
            ("APPTAINER_CACHEDIR", sandbox.into()),
            ("BATCH_SYSTEM", "HTCondor".into()),
            ("SINGULARITY_CACHEDIR", sandbox.into()),
            ("TEMP", within("tmp")),
            ("TMP", within("tmp")),
            ("TMPDIR", within("tmp")),
            ("_CHIRP_DELAYED_UPDATE_PREFIX", "Chirp*".into()),
            ("_CONDOR_BIN", "/usr/bin".into()),
            ("_CONDOR_CHIRP_CONFIG", within(".chirp.config")),
            ("_CONDOR_JOB_AD", within(".job.ad")),
            ("_CONDOR_JOB_PIDS", "".into()),
            ("_CONDOR_MACHINE_AD", within(".machine.ad")),
            ("_CONDOR_SCRATCH_DIR", sandbox.into()),
            ("_CONDOR_SLOT", "slot1_1".into()),
        ];
        let shared = self.plan.resources.shared_filesystem;
        variables.push(("_CONDOR_JOB_IWD", if shared { self.outputs.clone() } else { sandbox.into() }.into()));
        variables.extend(CORES.map(|name| (name, OsString::from(&cores))));
        if self.plan.resources.gpus == 0 {
            variables.extend(NO_GPUS.map(|(name, value)| (name, value.into())));
        }
        variables
    }
}

impl Finished {
    /// The records, in the order of their items.
    #[must_use]
    pub fn records(&self) -> Vec<&Found> {
        let mut records: Vec<_> = self.gathered.results.iter().chain(&self.gathered.failures).collect();
        records.sort_by_key(|found| found.record.header.items);
        records
    }

    /// The code that ran.
    #[must_use]
    pub fn code(&self) -> Identity {
        self.records()[0].record.header.code
    }

    /// How long the program ran, in seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.records().iter().map(|found| found.record.header.seconds).sum()
    }

    /// The records as a folder's only ones: as `split reduce` would have them.
    #[must_use]
    pub fn gathered(&self) -> &Gathered {
        &self.gathered
    }

    /// The first items without a result, and why; `None` where all have one.
    #[must_use]
    pub fn failure(&self) -> Option<(Interval, &Cause)> {
        self.records().into_iter().find_map(|found| match &found.record.header.kind {
            Kind::Failure(cause) => Some((found.record.header.items, cause)),
            Kind::Whole | Kind::Each | Kind::Bundle | Kind::Merged | Kind::Segment(_) => None,
        })
    }

    /// Hands over the parts of the results, or, where items have none, the last words of the program for the first of
    /// them.
    ///
    /// # Errors
    /// Where they cannot be read any more, or `take` fails.
    pub fn parts(&self, take: &mut dyn FnMut(Part, &mut dyn Read) -> io::Result<()>) -> io::Result<()> {
        let failed = self.failure().map(|(items, _)| items);
        for found in self.records() {
            if failed.is_none_or(|items| items == found.record.header.items) {
                found.record.parts(&self.gathered.path(found), take)?;
            }
        }
        Ok(())
    }

    /// The job's folder.
    #[must_use]
    pub fn sandbox(&self) -> &Path {
        &self.sandbox
    }
}

/// What runs an image as HTCondor's container universe would. A file is relative to where jobs are submitted from.
fn container(image: &str, outputs: &Path) -> Result<Container, SandboxError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = CONTAINER_PROGRAMS
        .iter()
        .flat_map(|name| std::env::split_paths(&path).map(move |folder| folder.join(name)))
        .find(|program| program.is_file());
    let program = found.ok_or(SandboxError::NoContainer)?;
    let image = match image.split_once("://") {
        Some(("docker" | "oras" | "library" | "shub", _)) => OsString::from(image),
        Some(_) => return Err(SandboxError::Image(image.to_owned())),
        None => outputs.join(image).into_os_string(),
    };
    Ok(Container { program, image })
}

/// Waits for the end of a job, and measures it meanwhile. Waits without reaping, so that the number belongs to no other
/// process while it is in the list.
fn watch(runner: Pid, meter: &mut Meter, jobs: &Jobs, sandbox: &Path) -> Result<(), Errno> {
    // Most trials are short: the first looks come quicker.
    let mut pause = Duration::from_millis(1);
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    loop {
        match rustix::process::waitid(WaitId::Pid(runner), options) {
            Ok(Some(_)) => return Ok(()),
            Ok(None) | Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
        meter.sample(&jobs.orphans(sandbox));
        if jobs.lock().killed {
            kill_tree(runner);
        }
        std::thread::sleep(pause);
        pause = SAMPLE.min(2 * pause);
    }
}

fn kill_tree(root: Pid) {
    for process in measure::tree(root) {
        // One that has just ended is no failure.
        let _ = rustix::process::kill_process(process, Signal::KILL);
    }
}

/// Whether a process is there and has not ended.
fn is_alive(process: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
}

fn is_gone(error: &walkdir::Error) -> bool {
    error.io_error().is_some_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// A copy with the same mode.
fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::copy(from, to).map(drop).map_err(StoreError::on("copy", from))
}
