//! One run of the user's program.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use super::checkpoint::{self, Nudge};
use super::guard::Guard;
use crate::plan::Word;
use crate::record::Cause;

/// How much of what a program writes on standard error is kept: the last 64 KiB.
pub(super) const LAST_WORDS: usize = 1 << 16;

/// How long a program that took too long may take to end itself.
const GRACE: Duration = Duration::from_secs(5);

/// How often a program that is to save is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// How long a program's children may hold its standard error open after it has ended.
const STRAGGLERS: Duration = Duration::from_millis(500);

/// How long a file that was just written may be busy, because another thread is starting a program.
pub const BUSY: Duration = Duration::from_secs(1);

/// The programs that are running, so that they can be ended from another thread.
#[derive(Debug, Default)]
pub struct Running {
    state: Mutex<State>,
    /// What ends them where this process is killed, if HTCondor does not.
    guard: Option<Guard>,
}

#[derive(Debug, Default)]
struct State {
    /// Those of the programs, each with the way to tell it to save its state, if it keeps one.
    groups: HashMap<Pid, Option<Arc<Telling>>>,
    stopped: bool,
    killed: bool,
}

/// How a program is told to save its state, and whether it was.
#[derive(Debug)]
struct Telling {
    /// The file that tells it; else SIGTERM does.
    flag: Option<PathBuf>,
    is_told: AtomicBool,
}

impl Telling {
    /// Tells it. SIGTERM reaches the program's own process alone, as it would be with HTCondor: its children are at work for the
    /// step that it finishes before it saves.
    fn tell(&self, leader: Pid) {
        // Before it may end for that.
        self.is_told.store(true, Ordering::SeqCst);
        match &self.flag {
            Some(flag) => drop(std::fs::write(flag, b"")),
            // One that has just ended is no failure.
            None => drop(rustix::process::kill_process(leader, Signal::TERM)),
        }
    }
}

/// What a program's environment is made of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Surroundings<'a> {
    /// This process's own, and these on top of it.
    OnTop(&'a [(OsString, OsString)]),
    /// These alone.
    Whole(&'a [(OsString, OsString)]),
}

/// A program to be run.
#[derive(Debug)]
pub(super) struct Process<'a> {
    pub(super) words: &'a [Word],
    /// Where it starts.
    pub(super) folder: &'a Path,
    pub(super) surroundings: Surroundings<'a>,
    /// The variables of this run, on top of all others.
    pub(super) of_run: &'a [(&'a OsString, &'a Word)],
    /// Its standard input; without one it is empty.
    pub(super) stdin: Option<File>,
    pub(super) stdout: File,
    /// Its standard error; without one its end is kept as its last words.
    pub(super) stderr: Option<File>,
    /// When it is ended, if it has not done so itself.
    pub(super) until: Option<Instant>,
    /// When and how it is told to save its state, if it keeps one.
    pub(super) nudge: Option<Nudge>,
}

/// When a run is ended, and what is then recorded.
#[derive(Clone, Debug)]
pub(super) struct Limit {
    pub(super) at: Instant,
    pub(super) cause: Cause,
}

impl<'a> Process<'a> {
    /// With nothing on its standard input.
    pub(super) fn new(words: &'a [Word], folder: &'a Path, surroundings: Surroundings<'a>, stdout: File) -> Self {
        Self { words, folder, surroundings, of_run: &[], stdin: None, stdout, stderr: None, until: None, nudge: None }
    }
}

/// How a program ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) last_words: Vec<u8>,
    pub(super) seconds: f64,
    /// How many bytes had been printed when it ended.
    pub(super) printed: u64,
    /// Whether it was ended because it took too long.
    pub(super) was_ended: bool,
    /// Whether it was told to save its state.
    pub(super) was_nudged: bool,
    /// Whether it was ended because it had not saved its state in time.
    pub(super) was_unheard: bool,
}

/// Why there is no end to tell of.
#[derive(Debug)]
pub(super) enum Failed {
    /// The program cannot be started: there is none, or it cannot be executed.
    NotStarted(io::Error),
    /// The machine cannot start or wait for any program.
    Machine(io::Error),
    /// Everything was told to stop before it started.
    Stopped,
}

impl Running {
    /// Nothing is running.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Nothing is running, and what is started ends with this process, also where that is killed.
    ///
    /// # Errors
    /// Where the process that sees to it cannot be started.
    pub fn guarded() -> io::Result<Self> {
        Ok(Self { guard: Some(Guard::start()?), ..Self::default() })
    }

    /// Sends `signal` to every program and its children, and starts no more. A program that keeps its own state is told to save
    /// it.
    pub fn stop(&self, signal: Signal) {
        let mut state = self.lock();
        let again = std::mem::replace(&mut state.stopped, true);
        state.killed |= signal == Signal::KILL;
        for (&group, telling) in &state.groups {
            match telling {
                // It is given time, unless it is told once more.
                Some(telling) if !again => telling.tell(group),
                // One that has just ended is no failure.
                _ => drop(rustix::process::kill_process_group(group, signal)),
            }
        }
    }

    /// Whether [`Running::stop`] was called.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.lock().stopped
    }

    /// Whether what ran was killed, as it had not ended in the time that it was given.
    pub(super) fn was_killed(&self) -> bool {
        self.lock().killed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts `command` unless everything was told to stop; both under one lock, so that none slips through.
    fn start(&self, command: &mut Command, telling: Option<&Arc<Telling>>) -> Result<(Child, Pid), Failed> {
        command.envs(self.guard.as_ref().map(Guard::mark));
        let started = Instant::now();
        loop {
            let mut state = self.lock();
            if state.stopped {
                return Err(Failed::Stopped);
            }
            match command.spawn() {
                Ok(child) => {
                    let pid = Pid::from_child(&child);
                    state.groups.insert(pid, telling.cloned());
                    if let Some(guard) = &self.guard {
                        guard.started(pid);
                    }
                    return Ok((child, pid));
                }
                // A process that another thread is just starting holds what was written a moment ago open.
                Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && started.elapsed() < BUSY => {}
                Err(error) => {
                    let machine = [Errno::AGAIN, Errno::NOMEM, Errno::MFILE, Errno::NFILE, Errno::IO, Errno::STALE];
                    let code = error.raw_os_error();
                    let is_machines = machine.iter().any(|errno| code == Some(errno.raw_os_error()));
                    return Err(if is_machines { Failed::Machine(error) } else { Failed::NotStarted(error) });
                }
            }
            drop(state);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A program has ended, and what it left running; it is not reaped yet.
    fn ended(&self, pid: Pid) {
        self.lock().groups.remove(&pid);
        if let Some(guard) = &self.guard {
            guard.ended(pid);
        }
    }
}

/// Runs a program to its end.
pub(super) fn run(process: Process<'_>, running: &Running) -> Result<Ended, Failed> {
    let printed = process.stdout.try_clone().map_err(Failed::Machine)?;
    let mut command = Command::new(process.words[0].as_os_str());
    let variables = match process.surroundings {
        Surroundings::OnTop(variables) => variables,
        Surroundings::Whole(variables) => {
            command.env_clear();
            variables
        }
    };
    command
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .envs(process.of_run.iter().map(|(name, value)| (name, value.as_os_str())))
        .args(process.words[1..].iter().map(Word::as_os_str))
        .current_dir(process.folder)
        .stdin(process.stdin.map_or_else(Stdio::null, Stdio::from))
        .stdout(process.stdout)
        .stderr(process.stderr.map_or_else(Stdio::piped, Stdio::from))
        // A group of its own: its children are reached with it, and a Ctrl-C at the keyboard comes to us first.
        .process_group(0);
    let started = Instant::now();
    let telling = process.nudge.as_ref().map(|nudge| {
        let flag = nudge.flag.clone();
        Arc::new(Telling { flag, is_told: AtomicBool::new(false) })
    });
    let (mut child, pid) = running.start(&mut command, telling.as_ref())?;
    let nudger = process.nudge.zip(telling).map(|(nudge, telling)| Nudger::start(nudge, telling, pid));
    let last_words = child.stderr.take().map(LastWords::listen);
    let watchdog = process.until.map(|until| Watchdog::start(until, pid));
    // Waits without reaping, so that the number belongs to no other process while it is in the list.
    let waited = loop {
        match rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Err(Errno::INTR) => {}
            other => break other,
        }
    };
    // A shell between it and us ends at once, and the program was not told yet.
    if let Some(nudger) = &nudger
        && nudger.telling.is_told.load(Ordering::SeqCst)
    {
        wait_for_others(pid, nudger.within);
    }
    // What it left running ends with it, as in a job, and what that prints from here on is no result of the program's.
    let Nudged { was_nudged, was_unheard } = nudger.map(Nudger::stop).unwrap_or_default();
    let was_ended = watchdog.is_some_and(Watchdog::stop);
    let printed = printed.metadata().map(|found| found.len());
    let _ = rustix::process::kill_process_group(pid, Signal::KILL);
    running.ended(pid);
    let status = waited.map_err(io::Error::from).and_then(|_| child.wait()).map_err(Failed::Machine)?;
    let seconds = started.elapsed().as_secs_f64();
    let printed = printed.map_err(Failed::Machine)?;
    Ok(Ended {
        was_ended,
        was_nudged,
        was_unheard,
        printed,
        status,
        last_words: last_words.map(LastWords::get).unwrap_or_default(),
        seconds,
    })
}

/// Ends a program and its children that run for too long: asks them first (SIGTERM), and kills them after [`GRACE`].
struct Watchdog {
    done: mpsc::Sender<()>,
    thread: std::thread::JoinHandle<bool>,
}

impl Watchdog {
    fn start(until: Instant, group: Pid) -> Self {
        let (done, ended) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let is_over = |time: Duration| ended.recv_timeout(time) == Err(mpsc::RecvTimeoutError::Timeout);
            if !is_over(until.saturating_duration_since(Instant::now())) {
                return false;
            }
            // One that has just ended is no failure.
            let _ = rustix::process::kill_process_group(group, Signal::TERM);
            if is_over(GRACE) {
                let _ = rustix::process::kill_process_group(group, Signal::KILL);
            }
            true
        });
        Self { done, thread }
    }

    /// Whether the program was ended by it. The program has ended, and its number is still its own.
    fn stop(self) -> bool {
        drop(self.done);
        self.thread.join().unwrap_or(false)
    }
}

/// Tells a program to save its state when that is due, and ends one that was told and does not.
struct Nudger {
    telling: Arc<Telling>,
    within: Duration,
    done: mpsc::Sender<()>,
    thread: std::thread::JoinHandle<Nudged>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, Default)]
struct Nudged {
    was_nudged: bool,
    was_unheard: bool,
}

impl Nudger {
    fn start(nudge: Nudge, telling: Arc<Telling>, group: Pid) -> Self {
        let (done, ended) = mpsc::channel();
        let within = nudge.within;
        let same = Arc::clone(&telling);
        let thread = std::thread::spawn(move || {
            let is_over = |time: Duration| ended.recv_timeout(time) == Err(mpsc::RecvTimeoutError::Timeout);
            let is_due = || nudge.at.is_some_and(|at| Instant::now() >= at);
            let is_ready = || {
                nudge.unless_empty.as_ref().is_none_or(|folder| !checkpoint::is_empty(folder))
                    && nudge.once_printed.as_ref().is_none_or(|path| path.metadata().is_ok_and(|file| file.len() > 0))
            };
            let mut since: Option<Instant> = None;
            let mut nudged = Nudged::default();
            while is_over(LOOK) {
                if !telling.is_told.load(Ordering::SeqCst) {
                    if !(is_due() && is_ready()) {
                        continue;
                    }
                    nudged.was_nudged = true;
                    telling.tell(group);
                }
                let since = since.get_or_insert_with(Instant::now).elapsed();
                if since > within {
                    nudged.was_unheard = true;
                    let signal = if since > within + GRACE { Signal::KILL } else { Signal::TERM };
                    let _ = rustix::process::kill_process_group(group, signal);
                }
            }
            nudged
        });
        Self { telling: same, within, done, thread }
    }

    /// Whether the program was told, and heard it. It has ended, and its number is still its own.
    fn stop(self) -> Nudged {
        drop(self.done);
        self.thread.join().unwrap_or_default()
    }
}

/// Tells the processes of a group whose leader has ended, too, and waits until none of them is left; not for ever.
fn wait_for_others(leader: Pid, within: Duration) {
    let started = Instant::now();
    if has_others(leader) {
        let _ = rustix::process::kill_process_group(leader, Signal::TERM);
    }
    while started.elapsed() < within && has_others(leader) {
        std::thread::sleep(LOOK / 4);
    }
}

/// Whether another process than its leader is alive in the group.
fn has_others(leader: Pid) -> bool {
    let leader = leader.as_raw_nonzero().get();
    Path::new("/proc").read_dir().into_iter().flatten().flatten().any(|entry| {
        let number = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok());
        if number.is_none_or(|number| number == leader) {
            return false;
        }
        let stat = std::fs::read(entry.path().join("stat")).unwrap_or_default();
        let stat = String::from_utf8_lossy(&stat);
        // Behind the name, in parentheses: the state, the parent, the group.
        let mut fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace();
        let is_alive = fields.next().is_some_and(|state| !["Z", "X"].contains(&state));
        is_alive && fields.nth(1).and_then(|group| group.parse().ok()) == Some(leader)
    })
}

/// The end of what a program writes on standard error.
struct LastWords {
    kept: Arc<Mutex<Vec<u8>>>,
    ended: mpsc::Receiver<()>,
}

impl LastWords {
    fn listen(mut stderr: ChildStderr) -> Self {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let (end, ended) = mpsc::channel();
        let keeping = Arc::clone(&kept);
        std::thread::spawn(move || {
            let mut buffer = [0; 1 << 13];
            while let Ok(got @ 1..) = stderr.read(&mut buffer) {
                let mut kept = keeping.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend_from_slice(&buffer[..got]);
                // Cut back only now and then: moving the bytes at every read would cost more than reading.
                if kept.len() > 2 * LAST_WORDS {
                    cut_back(&mut kept);
                }
            }
            let _ = end.send(());
        });
        Self { kept, ended }
    }

    fn get(self) -> Vec<u8> {
        // A child that the program left behind may keep the pipe open: what it says later is not waited for.
        let _ = self.ended.recv_timeout(STRAGGLERS);
        let mut kept = std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner));
        cut_back(&mut kept);
        kept
    }
}

fn cut_back(kept: &mut Vec<u8>) {
    kept.drain(..kept.len().saturating_sub(LAST_WORDS));
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// How a shell ends that is told to save, and how long that takes.
    fn told(script: &str, within: Duration) -> (Ended, Duration) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let words = ["sh", "-c", script].map(Word::from);
        let printed = File::create(folder.path().join("printed")).expect("created");
        let process = Process::new(&words, folder.path(), Surroundings::OnTop(&[]), printed);
        let nudge = Nudge { at: Some(Instant::now()), unless_empty: None, once_printed: None, within, flag: None };
        let started = Instant::now();
        let ended = run(Process { nudge: Some(nudge), ..process }, &Running::new()).expect("started");
        (ended, started.elapsed())
    }

    #[test]
    fn a_program_that_is_told_to_save_goes_on_with_its_children() {
        let long = Duration::from_secs(600);
        // The child is not told, and comes to its end.
        let (ended, _) = told("trap 'exit 85' TERM; sleep 1 && exit 3", long);
        assert_eq!((ended.status.code(), ended.was_nudged, ended.was_unheard), (Some(85), true, false));
        let (ended, _) = told("trap : TERM; sleep 1 || exit 4; exit 85", long);
        assert_eq!(ended.status.code(), Some(85));
        // A shell that ends at once has a child that is told then, and is waited for.
        let (_, took) = told("(trap 'sleep 1; echo saved; exit 85' TERM; while :; do sleep 0.1; done) & wait", long);
        assert!(took > Duration::from_secs(1), "{took:?}");
    }

    #[test]
    fn a_program_that_does_not_save_in_time_is_ended() {
        for script in ["trap '' TERM; while :; do sleep 0.1; done", "trap : TERM; sleep 8640"] {
            let (ended, took) = told(script, Duration::from_millis(300));
            assert!(ended.was_nudged && ended.was_unheard, "{ended:?}");
            assert!(took < Duration::from_secs(60), "{took:?}");
        }
    }

    #[test]
    fn a_program_that_is_still_being_written_is_waited_for() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("tool");
        let mut file = File::create(&path).expect("created");
        io::Write::write_all(&mut file, b"#!/bin/sh\nexit 3\n").expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("executable");
        assert_eq!(
            Command::new(&path).spawn().map_err(|error| error.kind()).map(|_| ()),
            Err(io::ErrorKind::ExecutableFileBusy)
        );
        let writer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            drop(file);
        });
        let (mut child, pid) = Running::new().start(&mut Command::new(&path), None).expect("started");
        assert_eq!((child.wait().expect("ended").code(), Pid::from_child(&child)), (Some(3), pid));
        writer.join().expect("ended");
    }
}
