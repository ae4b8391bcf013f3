//! Programs end with the process that started them, however that ends.
//!
//! In a job HTCondor's starter sees to that. Here a small process of its own does, which waits at a pipe that it is told the
//! programs' process groups by. Where the pipe is closed without a farewell, whoever held it was killed, and it kills what is
//! left: the groups, and whatever else has the mark in its environment, such as a child that has left its group. Invariant:
//! a group is named to it only while its leader is not reaped, so that its number is no other's.
//!
//! (`PR_SET_PDEATHSIG` would end the program and none of its children, and costs one more start for each run.)

use std::collections::HashSet;
use std::ffi::OsStr;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, BufRead, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal};

/// The word that the runner's command line takes for it.
pub(super) const WORD: &str = "guard";

/// This program, also where its file has been replaced: proc(5).
const THIS: &str = "/proc/self/exe";

/// The farewell.
const DONE: &str = "done";

/// A process that was just being started has its mark after this time.
const STARTING: Duration = Duration::from_millis(50);

/// So often in a row nothing may be found that has the mark.
const CLEAN: u32 = 3;

/// What is still there after so many looks cannot be killed.
const LOOKS: u32 = 100;

/// The process that waits, as long as this is kept.
#[derive(Debug)]
pub struct Guard {
    /// The name of the variable that marks what it guards.
    mark: String,
    pipe: Mutex<Option<ChildStdin>>,
    child: Child,
}

impl Guard {
    /// Starts it.
    ///
    /// # Errors
    /// Where no process can be started.
    pub fn start() -> io::Result<Self> {
        // The standard library's random keys: unlike those of any other run.
        let chance = std::collections::hash_map::RandomState::new().build_hasher().finish();
        let mark = format!("_SPLIT_ANCESTOR_{chance:016x}");
        let mut child = Command::new(THIS)
            .args([WORD, &mark])
            .current_dir("/")
            .stdin(Stdio::piped())
            // Whoever reads our output is not to wait for it.
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // What ends us together with our group leaves it alone.
            .process_group(0)
            .spawn()?;
        let pipe = Mutex::new(child.stdin.take());
        Ok(Self { mark, pipe, child })
    }

    /// The variable that what it guards has in its environment.
    #[must_use]
    pub fn mark(&self) -> (&OsStr, &OsStr) {
        (self.mark.as_ref(), "1".as_ref())
    }

    /// The process.
    #[must_use]
    pub fn process(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// A group has been started.
    pub fn started(&self, group: Pid) {
        self.tell(format!("+{}\n", group.as_raw_nonzero()));
    }

    /// A group has ended; its leader is not reaped yet.
    pub fn ended(&self, group: Pid) {
        self.tell(format!("-{}\n", group.as_raw_nonzero()));
    }

    fn tell(&self, line: String) {
        if let Some(pipe) = &mut *self.pipe.lock().unwrap_or_else(PoisonError::into_inner) {
            // One that somebody has killed guards nothing any more; that is no reason to stop.
            let _ = pipe.write_all(line.as_bytes());
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.tell(format!("{DONE}\n"));
        *self.pipe.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let _ = self.child.wait();
    }
}

/// Waits until whoever started this process ends, and then ends what that has left. `mark` is the variable's name.
pub(super) fn wait(told: impl BufRead, mark: &str) {
    let Some(groups) = left(told) else { return };
    for group in groups {
        // One that has just ended is no failure.
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
    }
    let mut clean = 0;
    for _ in 0..LOOKS {
        let found = marked(Path::new("/proc"), mark);
        clean = if found.is_empty() { clean + 1 } else { 0 };
        if clean == CLEAN {
            break;
        }
        for process in found {
            // Of a group that it leads all are its children, whatever they did to their environment.
            if rustix::process::getpgid(Some(process)) == Ok(process) {
                let _ = rustix::process::kill_process_group(process, Signal::KILL);
            }
            let _ = rustix::process::kill_process(process, Signal::KILL);
        }
        std::thread::sleep(STARTING);
    }
}

/// The groups that are left when the pipe ends; `None` after a farewell.
fn left(told: impl BufRead) -> Option<HashSet<Pid>> {
    let mut groups = HashSet::new();
    let process = |number: &str| Pid::from_raw(number.parse().ok().filter(|&number| number > 1)?);
    for line in told.lines().map_while(Result::ok) {
        match line.split_at_checked(1) {
            _ if line == DONE => return None,
            Some(("+", number)) => groups.extend(process(number)),
            Some(("-", number)) => {
                process(number).map(|group| groups.remove(&group));
            }
            _ => {}
        }
    }
    Some(groups)
}

/// The processes that have the mark in their environment; `proc` is where the kernel lists them.
fn marked(proc: &Path, mark: &str) -> Vec<Pid> {
    let start = format!("{mark}=");
    let processes = proc.read_dir().into_iter().flatten().flatten().filter_map(|entry| {
        let process = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
        let environment = std::fs::read(entry.path().join("environ")).ok()?;
        let is_marked = environment.split(|&byte| byte == 0).any(|variable| variable.starts_with(start.as_bytes()));
        is_marked.then_some(process)
    });
    processes.collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_was_not_said_to_have_ended_is_left() {
        let left = |told: &str| {
            let groups = left(told.as_bytes())?;
            let mut groups: Vec<_> = groups.into_iter().map(|group| group.as_raw_nonzero().get()).collect();
            groups.sort_unstable();
            Some(groups)
        };
        assert_eq!(left("+7\n+8\n-7\n+9"), Some(vec![8, 9]));
        assert_eq!(left("+7\ndone\n"), None);
        // Never the group of init, or one's own.
        assert_eq!(left("+0\n+1\n+-5\n+x\n\n-\n\u{e9}\n"), Some(vec![]));
    }

    #[test]
    fn processes_are_known_by_their_mark() {
        let proc = tempfile::tempdir().expect("a temporary folder");
        let add = |name: &str, environment: &str| {
            fs::create_dir(proc.path().join(name)).expect("made");
            fs::write(proc.path().join(name).join("environ"), environment).expect("written");
        };
        add("12", "A=1\0_SPLIT_ANCESTOR_a=1\0");
        add("13", "A=_SPLIT_ANCESTOR_a=1\0_SPLIT_ANCESTOR_ab=1\0");
        add("self", "_SPLIT_ANCESTOR_a=1\0");
        fs::create_dir(proc.path().join("14")).expect("made");
        assert_eq!(marked(proc.path(), "_SPLIT_ANCESTOR_a"), [Pid::from_raw(12).expect("a number")]);
    }
}
