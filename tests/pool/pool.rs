//! A pool's life, and commands on it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Mutex, Once, OnceLock};

use crate::folder::{Folder, own};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pool/pool");

/// The script's exit code where this machine cannot have a pool.
const CANNOT: i32 = 77;

/// Brings a pool up, says so, and takes it down when its standard input ends: that happens however the test's
/// process ends, be it by SIGKILL.
const GUARD: &str = r#"
    trap '' PIPE
    exec 2>&1
    script=$1 temporary=$2 && shift 2
    "$script" up --state "$temporary/state" --home "$temporary/home" "$@"
    echo "exit code $?"
    cat
    "$script" down --state "$temporary/state"
    rm -rf --one-file-system "$temporary"
"#;

/// What the machines of a pool share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    /// Nothing: alice's home is on the access point alone.
    Transfer,
    /// Alice's home.
    SharedHome,
    /// Nothing, and there are two execute points.
    TwoMachines,
    /// There is one machine: the access point runs the jobs.
    OneMachine,
    /// Nothing, and GROMACS and LAMMPS are there.
    Molecules,
}

/// A pool that starts when it is first asked for.
pub(crate) struct Site {
    release: String,
    setting: Setting,
    pool: OnceLock<Result<Pool, NoPool>>,
}

/// A running pool.
pub(crate) struct Pool {
    release: String,
    temporary: PathBuf,
    /// The network namespace that all of its processes are in.
    network: PathBuf,
    guard: Mutex<Option<(Child, BufReader<ChildStdout>)>>,
}

/// Why there is no pool.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum NoPool {
    #[error("this machine cannot have an HTCondor pool")]
    CannotBeHad,
    #[error("the pool did not start: {0}")]
    Failed(String),
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Site {
    pub(crate) fn new(release: &str, setting: Setting) -> Self {
        Self { release: release.to_owned(), setting, pool: OnceLock::new() }
    }

    pub(crate) fn pool(&self) -> Result<&Pool, NoPool> {
        self.pool.get_or_init(|| Pool::start(&self.release, self.setting)).as_ref().map_err(NoPool::clone)
    }

    /// Ends the pool, if it was ever started.
    pub(crate) fn stop(&self) {
        if let Some(Ok(pool)) = self.pool.get() {
            pool.stop();
        }
    }
}

impl Pool {
    fn start(release: &str, setting: Setting) -> Result<Self, NoPool> {
        let options: &[_] = match setting {
            Setting::Transfer => &["--execute-points", "3", "--slots", "18", "--private-home"],
            Setting::SharedHome => &["--execute-points", "1", "--slots", "4"],
            Setting::TwoMachines => &["--execute-points", "2", "--slots", "12", "--private-home"],
            Setting::OneMachine => &["--execute-points", "0", "--slots", "6"],
            Setting::Molecules => &["--execute-points", "3", "--slots", "9", "--private-home", "--molecules"],
        };
        let temporary = tempfile::Builder::new().prefix("split-pool-").tempdir().expect("a temporary folder").keep();
        let bin = temporary.join("home/bin");
        fs::create_dir_all(&bin).expect("made");
        for program in [env!("CARGO_BIN_EXE_split"), env!("CARGO_BIN_EXE_split-runner")] {
            fs::copy(program, bin.join(Path::new(program).file_name().expect("a name"))).expect("copied");
        }
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "sh", SCRIPT])
            .arg(&temporary)
            .args(["--release", release])
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C at a terminal goes to the terminal's group: this process is to end by it, and not its guard.
            .process_group(0)
            .spawn()
            .expect("there is a shell");
        let mut said = BufReader::new(guard.stdout.take().expect("piped"));
        let mut lines = String::new();
        let code: i32 = loop {
            let mut line = String::new();
            said.read_line(&mut line).expect("readable");
            match line.trim_end().strip_prefix("exit code ") {
                Some(code) => break code.parse().expect("a number"),
                None => assert_ne!(line, "", "the guard ended: {lines}"),
            }
            lines.push_str(&line);
        };
        if code != 0 {
            drop(guard.stdin.take());
            guard.wait().expect("a child");
            return Err(no_pool(code, lines.trim_end()));
        }
        let holder = fs::read_to_string(temporary.join("state/holder")).expect("a process");
        let network = namespace(&Path::new("/proc").join(holder.trim())).expect("the holder runs");
        Ok(Self { release: release.to_owned(), temporary, network, guard: Some((guard, said)).into() })
    }

    /// Takes the pool down and proves that nothing is left of it.
    pub(crate) fn stop(&self) {
        let Some((mut guard, mut said)) = self.guard.lock().expect("no panic").take() else { return };
        drop(guard.stdin.take());
        let mut complaints = String::new();
        said.read_to_string(&mut complaints).expect("readable");
        assert!(guard.wait().expect("a child").success() && complaints.is_empty(), "{complaints}");
        assert_eq!(self.processes(), BTreeSet::new(), "processes of the pool are left");
        let mounts = fs::read_to_string("/proc/self/mountinfo").expect("readable");
        let name = self.temporary.file_name().expect("a name").to_str().expect("text");
        assert!(!mounts.contains(name), "mounts of the pool are left: {mounts}");
        assert!(!self.temporary.exists(), "{} is left", self.temporary.display());
    }

    /// A folder of a test's own in alice's home.
    pub(crate) fn folder(&self, name: &str) -> Folder<'_> {
        let path = self.home().join(name);
        fs::create_dir(&path).expect("a name of its own");
        own(&path);
        Folder::new(self, name, path)
    }

    /// Runs a command as root, and expects success.
    pub(crate) fn root(&self, script: &str) {
        self.as_root(script).ok();
    }

    /// Runs a command as root.
    pub(crate) fn as_root(&self, script: &str) -> Ran {
        let mut command = self.script("root");
        run(command.args(["--", "sh", "-euc", script]))
    }

    /// Another pool of the same release.
    pub(crate) fn another(&self, setting: Setting) -> Result<Self, NoPool> {
        Self::start(&self.release, setting)
    }

    /// Runs a command as alice in a folder of her home.
    pub(crate) fn alice<S: AsRef<OsStr>>(&self, folder: &str, words: impl IntoIterator<Item = S>) -> Ran {
        let mut command = self.script("run");
        command.args(["--in", folder, "--", "env", "PATH=/home/alice/bin:/usr/local/bin:/usr/bin:/bin"]);
        run(command.args(words))
    }

    fn script(&self, verb: &str) -> Command {
        let mut command = Command::new(SCRIPT);
        command.arg(verb).arg("--state").arg(self.temporary.join("state")).stdin(Stdio::null());
        command
    }

    fn home(&self) -> PathBuf {
        self.temporary.join("home")
    }

    /// The processes in the pool's namespaces, wherever their parents went.
    fn processes(&self) -> BTreeSet<PathBuf> {
        let all = fs::read_dir("/proc").expect("mounted").flatten().map(|entry| entry.path());
        all.filter(|process| namespace(process).as_ref() == Some(&self.network)).collect()
    }
}

impl Ran {
    /// What it printed, given that it succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self.out
    }

    /// Expects an exit code, and each of `words` on standard error.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        self.says(words);
    }

    /// Expects each of `words` on standard error.
    #[track_caller]
    pub(crate) fn says(&self, words: &[&str]) {
        for word in words {
            assert!(self.err.contains(word), "no {word:?} in: {}", self.err);
        }
    }
}

pub(crate) fn run(command: &mut Command) -> Ran {
    let output = command.output().expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
}

/// The network namespace that a process is in.
fn namespace(process: &Path) -> Option<PathBuf> {
    fs::read_link(process.join("ns/net")).ok()
}

#[expect(clippy::print_stderr, reason = "one line for all tests, where the harness has one for each")]
fn no_pool(code: i32, why: &str) -> NoPool {
    static SAY: Once = Once::new();
    if code != CANNOT {
        return NoPool::Failed(why.to_owned());
    }
    SAY.call_once(|| eprintln!("the tests on a pool are not run: {}", why.replace('\n', "; ")));
    NoPool::CannotBeHad
}

/// Also a pool with jobs at work.
pub(crate) fn a_pool_leaves_nothing_behind(other: &Pool) {
    let pool = Pool::start(&other.release, Setting::SharedHome).expect("there is one already");
    let folder = pool.folder("sleep");
    folder.split("plan --total 4 --chunks 4 -- sleep 600").ok();
    folder.start();
    folder.wait_for("a job that runs", || folder.jobs().iter().any(|job| job.machine.is_some()));
    assert!(pool.processes().len() > 10, "{:?}", pool.processes());
    drop(folder);
    pool.stop();
}
