//! A folder of its own for each test, and the command under test.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// The command under test.
pub(crate) const SPLIT: &str = env!("CARGO_BIN_EXE_split");

/// Adds up the items from FIRST to LAST.
pub(crate) const SUM: &str = "import sys\nprint(sum(range(int(sys.argv[1]), int(sys.argv[2]) + 1)))\n";

/// A temporary folder to work in: commands run in its `work/`, with its `tmp/` for temporary files.
pub(crate) struct Dir {
    root: tempfile::TempDir,
}

impl Dir {
    pub(crate) fn new() -> Self {
        let root = tempfile::Builder::new().prefix("split-it-").tempdir().expect("a temporary folder");
        fs::create_dir(root.path().join("work")).expect("made");
        fs::create_dir(root.path().join("tmp")).expect("made");
        Self { root }
    }

    /// A folder with a plan over `1..=10` in 5 chunks and their partials; the answer is 55.
    pub(crate) fn computed() -> Self {
        let dir = Self::new();
        dir.split("run --total 1..=10 --chunks 5").answers("55\n");
        dir
    }

    /// A folder with a plan of five one-item chunks whose results are `texts`, and no answer yet.
    pub(crate) fn with_results(reduce: &str, texts: [&str; 5]) -> Self {
        let dir = Self::new();
        for (place, text) in texts.iter().enumerate() {
            dir.write(format!("results/{place}"), text);
        }
        dir.split("plan --total 5 --chunks 5 --input results")
            .args(["--reduce", reduce, "--", "sh", "-c", "cat results/$0", "{first}"])
            .ok();
        dir
    }

    /// The same, where these results were recorded, whatever they are: when they were computed, another reducer took them.
    pub(crate) fn recorded(reduce: &str, texts: [&str; 5]) -> Self {
        let dir = Self::with_results("concat", texts);
        dir.split("run .").ok();
        dir.split("plan --keep --total 5 --chunks 5 --input results")
            .args(["--reduce", reduce, "--", "sh", "-c", "cat results/$0", "{first}"])
            .ok();
        dir
    }

    /// The path of `name` in the folder; of the folder itself where `name` is empty.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        let work = self.root.path().join("work");
        if name.as_ref().as_os_str().is_empty() { work } else { work.join(name) }
    }

    /// The folder's place, with links resolved, as it is shown to people.
    pub(crate) fn shown(&self) -> String {
        self.path("").canonicalize().expect("there").to_string_lossy().into_owned()
    }

    pub(crate) fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("below the root")).expect("made");
        fs::write(&path, content).expect("written");
        path
    }

    /// Writes an executable file.
    pub(crate) fn program(&self, name: impl AsRef<Path>, content: &str) -> PathBuf {
        let path = self.write(name, content);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("made executable");
        path
    }

    pub(crate) fn read(&self, name: impl AsRef<Path>) -> String {
        let path = self.path(name);
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The names in a folder, sorted.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let entries = self.path(folder).read_dir().expect("listed");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("listed").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// The partials, also those in folders of `outputs/`, in the order of their names.
    pub(crate) fn partials(&self) -> Vec<PathBuf> {
        let outputs = self.path("outputs");
        let below = self.names("outputs").into_iter().map(|name| outputs.join(name)).filter(|path| path.is_dir());
        let mut partials: Vec<_> = below.chain([outputs.clone()]).flat_map(files).collect();
        partials.retain(|path| path.extension().is_some_and(|ending| ending == "part"));
        partials.sort_by_key(|path| path.file_name().map(OsStr::to_owned));
        partials
    }

    /// The partials of a chunk.
    pub(crate) fn partials_of(&self, chunk: u64) -> Vec<PathBuf> {
        let prefix = format!("chunk-{chunk:06}.");
        let is_its =
            |path: &PathBuf| path.file_name().is_some_and(|name| name.as_bytes().starts_with(prefix.as_bytes()));
        self.partials().into_iter().filter(is_its).collect()
    }

    /// The only partial of a chunk.
    pub(crate) fn partial(&self, chunk: u64) -> PathBuf {
        let mut partials = self.partials_of(chunk);
        assert_eq!(partials.len(), 1, "{partials:?}");
        partials.remove(0)
    }

    /// Everything below the folder: what it is, what it holds, when it was written.
    pub(crate) fn state(&self) -> BTreeMap<PathBuf, (u32, Vec<u8>, i64)> {
        let mut state = BTreeMap::new();
        let mut folders = vec![self.path("")];
        while let Some(folder) = folders.pop() {
            for entry in folder.read_dir().expect("listed") {
                let path = entry.expect("listed").path();
                let found = path.symlink_metadata().expect("there");
                let content = match found.file_type() {
                    kind if kind.is_dir() => {
                        folders.push(path.clone());
                        Vec::new()
                    }
                    kind if kind.is_symlink() => fs::read_link(&path).expect("a link").as_os_str().as_bytes().to_vec(),
                    kind if kind.is_file() => fs::read(&path).expect("read"),
                    _ => Vec::new(),
                };
                state.insert(path, (found.mode(), content, found.mtime_nsec() + 1_000_000_000 * found.mtime()));
            }
        }
        state
    }

    /// Whether no temporary file or folder is left.
    pub(crate) fn is_tidy(&self) -> bool {
        self.root.path().join("tmp").read_dir().expect("listed").next().is_none()
    }

    /// `split` with these words, which stand between blanks; more are added with [`Split::arg`].
    pub(crate) fn split(&self, words: &str) -> Split<'_> {
        self.command(SPLIT).args(words.split_whitespace())
    }

    /// `split`, which the end of its terminal ends also where whoever runs the tests ignores that (nohup).
    pub(crate) fn split_on_a_terminal(&self, words: &str) -> Split<'_> {
        self.command("env").args(["--default-signal=HUP", SPLIT]).args(words.split_whitespace())
    }

    /// Another program, as `split` is run.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Split<'_> {
        let mut command = Command::new(program);
        command.current_dir(self.path("")).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env("TMPDIR", self.root.path().join("tmp"));
        // The settings of whoever runs the tests are not meant.
        command.env("XDG_CONFIG_HOME", self.root.path().join("config"));
        for name in ["COLUMNS", "CLICOLOR_FORCE", "RUST_BACKTRACE"] {
            command.env_remove(name);
        }
        Split { command, dir: self }
    }

    /// `text` without what differs from run to run: this folder, attempts, sizes of programs, the machine's name.
    pub(crate) fn redact(&self, text: &str) -> String {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let config = self.root.path().join("config").to_string_lossy().into_owned();
        let text = text
            .replace(&self.shown(), "[DIR]")
            .replace(&config, "[CONFIG]")
            .replace(&format!("(on {host})"), "(on [HOST])");
        // Whoever runs the tests may do so on an access point.
        let lines = text.split('\n').filter(|line| !line.starts_with("this is an access point: "));
        let lines: Vec<_> = lines.map(|line| redact_sizes(&redact_attempts(line))).collect();
        lines.join("\n")
    }

    /// Writes the profile that is the user's own.
    pub(crate) fn own_profile(&self, text: &str) {
        let folder = self.root.path().join("config/split");
        fs::create_dir_all(&folder).expect("made");
        fs::write(folder.join("site.toml"), text).expect("written");
    }
}

/// `0-1f2e3d4c` becomes `[ATTEMPT]`.
fn redact_attempts(line: &str) -> String {
    let is_attempt = |word: &str| {
        let (retry, chance) = word.split_once('-').unwrap_or_default();
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        chance.len() == 8 && digits(chance) && retry.len() == 1 && digits(retry)
    };
    let words: Vec<_> = line.split('.').map(|word| if is_attempt(word) { "[ATTEMPT]" } else { word }).collect();
    words.join(".")
}

/// `each job is sent the runner (2.9 MB): 174.0 MB in all` loses its numbers, which differ with every build.
fn redact_sizes(line: &str) -> String {
    let Some((before, after)) = line.split_once("the runner (") else { return line.to_owned() };
    let (_, after) = after.split_once(')').unwrap_or_default();
    let after = after.rsplit_once(": ").map_or(after, |(files, _)| files);
    format!("{before}the runner ([SIZE]){after}: [SIZE] in all")
}

/// A command that is about to run.
pub(crate) struct Split<'a> {
    command: Command,
    dir: &'a Dir,
}

impl<'a> Split<'a> {
    pub(crate) fn arg(mut self, word: impl AsRef<OsStr>) -> Self {
        self.command.arg(word);
        self
    }

    pub(crate) fn args<W: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.command.args(words);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs in a folder below the test's.
    pub(crate) fn within(mut self, folder: &str) -> Self {
        self.command.current_dir(self.dir.path(folder));
        self
    }

    pub(crate) fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.command.stdin(stdin);
        self
    }

    /// Starts it.
    pub(crate) fn start(mut self) -> Started<'a> {
        let shown: Vec<_> = std::iter::once(OsStr::new("split")).chain(self.command.get_args()).map(quoted).collect();
        let child = self.command.spawn().expect("started");
        Started { child, shown: shown.join(" "), dir: self.dir }
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> Ended<'a> {
        self.start().wait()
    }

    /// Runs it to its end, which is success.
    pub(crate) fn ok(self) -> Ended<'a> {
        self.exits(0)
    }

    /// Runs it to its end, with this exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Ended<'a> {
        let ended = self.run();
        assert_eq!(ended.code, Some(code), "{}", ended.transcript());
        ended
    }

    /// Runs it to its end, with this on standard output.
    #[track_caller]
    pub(crate) fn answers(self, answer: &str) -> Ended<'a> {
        let ended = self.run();
        assert!(ended.code == Some(0) && ended.out == answer.as_bytes(), "not {answer:?}: {}", ended.transcript());
        ended
    }

    /// Runs it to its end, with this exit code and nothing written or changed in the folder.
    #[track_caller]
    pub(crate) fn refuses(self, code: i32) -> Ended<'a> {
        let dir = self.dir;
        let before = dir.state();
        let ended = self.run();
        assert_eq!(ended.code, Some(code), "{}", ended.transcript());
        assert!(dir.state() == before, "it changed the folder: {}", ended.transcript());
        ended
    }
}

/// As one types it into a shell.
fn quoted(word: &OsStr) -> String {
    let text = word.to_string_lossy();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_=./,:+{}".contains(letter);
    if !text.is_empty() && text.chars().all(plain) { text.into_owned() } else { format!("'{text}'") }
}

/// A command that is running; it is killed where a test gives up on it.
pub(crate) struct Started<'a> {
    child: Child,
    shown: String,
    dir: &'a Dir,
}

impl<'a> Started<'a> {
    pub(crate) fn signal(&self, signal: Signal) {
        // It may have ended by itself meanwhile.
        let _ = rustix::process::kill_process(Pid::from_child(&self.child), signal);
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Ended<'a> {
        let (mut stdout, mut stderr) = (self.child.stdout.take(), self.child.stderr.take());
        let read = |from: &mut dyn std::io::Read| {
            let mut bytes = Vec::new();
            from.read_to_end(&mut bytes).expect("read");
            bytes
        };
        let (out, err) = std::thread::scope(|scope| {
            let err = scope.spawn(|| stderr.as_mut().map(|from| read(from)).unwrap_or_default());
            (stdout.as_mut().map(|from| read(from)).unwrap_or_default(), err.join().expect("read"))
        });
        let status = self.child.wait().expect("waited for");
        Ended {
            out,
            err: String::from_utf8_lossy(&err).into_owned(),
            code: status.code(),
            shown: std::mem::take(&mut self.shown),
            dir: self.dir,
        }
    }

    /// Takes its standard output away from [`Started::wait`].
    pub(crate) fn stdout(&mut self) -> std::process::ChildStdout {
        self.child.stdout.take().expect("a pipe")
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("asked").is_some()
    }
}

impl Drop for Started<'_> {
    fn drop(&mut self) {
        // Most have ended by now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a command ended.
pub(crate) struct Ended<'a> {
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
    pub(crate) code: Option<i32>,
    shown: String,
    dir: &'a Dir,
}

impl Ended<'_> {
    /// Standard output as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    /// Checks that it says `what`, on either stream.
    #[track_caller]
    pub(crate) fn says(&self, what: &str) -> &Self {
        assert!(self.text().contains(what) || self.err.contains(what), "no {what:?} in: {}", self.transcript());
        self
    }

    /// Checks that it does not say `what`.
    #[track_caller]
    pub(crate) fn is_silent_on(&self, what: &str) -> &Self {
        assert!(!self.text().contains(what) && !self.err.contains(what), "{what:?} in: {}", self.transcript());
        self
    }

    /// As a person sees it at a terminal, less what differs from run to run.
    pub(crate) fn transcript(&self) -> String {
        let code = self.code.map_or("by a signal".to_owned(), |code| code.to_string());
        let text = format!("$ {}\n{}{}[exit {code}]\n", self.shown, self.text(), self.err);
        self.dir.redact(&text)
    }
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// `PATH` with folders put in front.
pub(crate) fn path_after(first: &[&Path]) -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = first.iter().map(|folder| folder.to_path_buf()).chain(std::env::split_paths(&path));
    std::env::join_paths(folders).expect("no colon in them")
}

/// The paths of what is in a folder.
fn files(folder: PathBuf) -> impl Iterator<Item = PathBuf> {
    folder.read_dir().expect("listed").map(|entry| entry.expect("listed").path())
}
