//! A test's folder on the access point: its files, and the commands that are typed in it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::condor::{Event, Job, events, jobs};
use crate::pool::{Pool, Ran};

/// For so many seconds HTCondor looks for a machine that is lost out of sight, where tests kill what runs there. A startd that is
/// killed while it is looked for never answers, since the next one has another address.
pub(crate) const LEASE: u32 = 40;

/// How long a DAG may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(240);

/// Alice, in the image.
const ALICE: u32 = 1000;

/// Adds up the items from FIRST to LAST.
pub(crate) const SUM: &str = "import sys\nprint(sum(range(int(sys.argv[1]), int(sys.argv[2]) + 1)))\n";

pub(crate) struct Folder<'a> {
    pool: &'a Pool,
    name: String,
    path: PathBuf,
}

/// A partial with one record.
#[derive(Debug)]
pub(crate) struct Partial {
    pub(crate) name: String,
    pub(crate) chunk: u64,
    pub(crate) header: Value,
    pub(crate) payload: Vec<u8>,
}

impl<'a> Folder<'a> {
    pub(crate) fn new(pool: &'a Pool, name: &str, path: PathBuf) -> Self {
        Self { pool, name: name.to_owned(), path }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    /// Writes a file of alice's.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        let missing: Vec<_> = path.ancestors().skip(1).take_while(|folder| !folder.exists()).collect();
        for folder in missing.iter().rev() {
            fs::create_dir(folder).expect("made");
            own(folder);
        }
        fs::write(&path, content).expect("written");
        own(&path);
    }

    /// Writes an executable file of alice's.
    pub(crate) fn program(&self, name: &str, content: &str) {
        self.write(name, content);
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).expect("made executable");
    }

    /// The names in a folder, sorted.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).expect("a folder").flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().expect("text")).collect();
        names.sort();
        names
    }

    /// Runs a command as alice.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Ran {
        self.pool.alice(&self.name, words)
    }

    /// Runs `split` with what stands between the spaces of `words`.
    pub(crate) fn split(&self, words: &str) -> Ran {
        self.run(["split"].into_iter().chain(words.split_whitespace()))
    }

    /// Submits the DAG and gives the number of DAGMan's job.
    pub(crate) fn start(&self) -> u32 {
        let said = self.run(["condor_submit_dag", "plan.dag"]).ok();
        let number = said.lines().find_map(|line| line.split_once("submitted to cluster ")?.1.strip_suffix('.'));
        number.unwrap_or_else(|| panic!("{said}")).parse().expect("a number")
    }

    /// Waits until DAGMan's job has left the queue, and gives its return value where it has one.
    pub(crate) fn end_of(&self, dagman: u32) -> Option<i32> {
        let ended = || events(&self.path("plan.dag.dagman.log")).into_iter().rfind(|event| event.ends(dagman));
        self.wait_for("the end of DAGMan", || ended().is_some());
        ended().as_ref().and_then(Event::returned)
    }

    /// Submits the DAG and waits for its end.
    pub(crate) fn submit(&self) -> Option<i32> {
        self.end_of(self.start())
    }

    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str, mut done: impl FnMut() -> bool) {
        let start = Instant::now();
        while !done() {
            assert!(start.elapsed() < PATIENCE, "{what} did not come");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// What became of the DAG's jobs, in the order of their submission, over all that was ever submitted.
    pub(crate) fn jobs(&self) -> Vec<Job> {
        jobs(&events(&self.path("logs/events.log")))
    }

    /// Waits until none of the folder's jobs is in the queue, in whatever state.
    pub(crate) fn wait_for_empty_queue(&self) {
        let constraint = format!(r#"regexp("^/home/alice/{}(/|$)", Iwd)"#, self.name);
        let query = ["condor_q", "-constraint", constraint.as_str(), "-af:j", "JobStatus"];
        self.wait_for("an empty queue", || self.run(query).ok().trim().is_empty());
    }

    /// The chunks' partials, also those in folders of `outputs/`, by name.
    pub(crate) fn partials(&self) -> Vec<Partial> {
        let below = self.names("outputs").into_iter().filter(|name| self.path("outputs").join(name).is_dir());
        let folders = std::iter::once("outputs".to_owned()).chain(below.map(|name| format!("outputs/{name}")));
        let partials = folders.flat_map(|folder| {
            let names =
                self.names(&folder).into_iter().filter(|name| name.starts_with("chunk-") && name.ends_with(".part"));
            names.map(move |name| self.partial(&folder, name))
        });
        let mut partials: Vec<_> = partials.collect();
        partials.sort_by(|a, b| a.name.cmp(&b.name));
        partials
    }

    fn partial(&self, folder: &str, name: String) -> Partial {
        let bytes = fs::read(self.path(folder).join(&name)).expect("readable");
        let end = bytes.iter().position(|&byte| byte == b'\n').unwrap_or_else(|| panic!("{name} has no header"));
        let header: Value = serde_json::from_slice(&bytes[..end]).unwrap_or_else(|error| panic!("{name}: {error}"));
        let payload = bytes[end + 1..].strip_suffix(b"\n").unwrap_or_else(|| panic!("{name} has no end")).to_vec();
        assert_eq!(header["bytes"], payload.len(), "{name}");
        let number = name.strip_prefix("chunk-").and_then(|rest| rest.split('.').next()).expect("a chunk's name");
        Partial { chunk: number.parse().expect("a number"), name, header, payload }
    }

    /// The answer that result.json gives.
    pub(crate) fn answer(&self) -> Value {
        let document: Value = serde_json::from_str(&self.read("result.json")).expect("JSON");
        document["answer"].clone()
    }
}

/// A test that fails shows what DAGMan and the reduce node said last.
impl Drop for Folder<'_> {
    #[expect(clippy::print_stderr, reason = "the folder is gone when the harness reports the failure")]
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for name in ["plan.dag.dagman.out", "logs/events.log", "logs/reduce.err", "logs/stopped.txt"] {
            let text = fs::read_to_string(self.path(name)).unwrap_or_default();
            let lines: Vec<_> = text.lines().collect();
            let tail = &lines[lines.len().saturating_sub(30)..];
            eprintln!("==> {}/{name} <==\n{}", self.name, tail.join("\n"));
        }
    }
}

/// Gives a file to alice.
pub(crate) fn own(path: &Path) {
    chown(path, Some(ALICE), Some(ALICE)).expect("only root can have a pool");
}
