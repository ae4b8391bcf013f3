//! Whether a DAGMan is at work on a DAG.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// What DAGMan's own files say of a DAG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockState {
    /// No DAGMan works on it.
    Free,
    /// A DAGMan does, or is about to.
    Live {
        /// How that is known.
        why: String,
        /// The file that says so.
        file: PathBuf,
    },
}

/// Whether a DAGMan works on the DAG in the file `dag`.
///
/// The lock file names a process, which may be one of another machine (a shared home), or gone while the access
/// point is about to start it again. DAGMan's own event log tells more: from its submission until it has ended or
/// was removed there is a DAGMan to reckon with.
#[must_use]
pub fn lock_state(dag: &Path) -> LockState {
    let beside = |ending: &str| {
        let mut name: OsString = dag.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let log = beside(".dagman.log");
    let text = fs::read(&log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    if let Some(job) = text.ok().as_deref().and_then(unfinished) {
        return LockState::Live { why: format!("its job {job} has not ended"), file: log };
    }
    let lock = beside(".lock");
    if let Some(pid) = fs::read_to_string(&lock).ok().as_deref().and_then(process)
        && is_dagman(pid)
    {
        return LockState::Live { why: format!("its process {pid} is running"), file: lock };
    }
    if is_locked(&lock) {
        return LockState::Live { why: "a process holds its lock".to_owned(), file: lock };
    }
    LockState::Free
}

/// The job that an event log tells of last, unless it has ended (event 005) or was removed (009).
fn unfinished(log: &str) -> Option<&str> {
    let mut events = log.lines().filter_map(|line| {
        let (code, rest) = line.split_at_checked(3)?;
        let job = rest.strip_prefix(" (")?.split(')').next()?;
        code.bytes().all(|digit| digit.is_ascii_digit()).then_some((code, job))
    });
    let (code, job) = events.next_back()?;
    (code != "005" && code != "009").then_some(job)
}

/// Whether a process holds a write lock on the file, as DAGMan does from HTCondor 25 on.
fn is_locked(lock: &Path) -> bool {
    use rustix::fs::{FlockOperation, fcntl_lock};
    let Ok(file) = fs::File::options().read(true).write(true).open(lock) else { return false };
    matches!(
        fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS)
    )
}

/// The process that a lock file of HTCondor 23 names: a line `PID = 1151`.
fn process(lock: &str) -> Option<u32> {
    lock.lines().find_map(|line| line.strip_prefix("PID = ")?.trim().parse().ok())
}

/// Whether the process is a DAGMan: numbers are used again, but its arguments give it away.
fn is_dagman(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline"))
        .is_ok_and(|arguments| arguments.split(|&byte| byte == 0).any(|argument| argument == b"-Lockfile"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As HTCondor 23.9 writes it.
    const SUBMITTED: &str = "000 (063.000.000) 2026-11-22 15:40:46 Job submitted from host: <127.0.0.1:9618>\n...\n\
                             001 (063.000.000) 2026-11-22 15:40:47 Job executing on host: <127.0.0.1:9618>\n...\n";

    #[test]
    fn a_dagman_is_live_from_its_submission_to_its_end() {
        assert_eq!(unfinished(""), None);
        assert_eq!(unfinished(SUBMITTED), Some("063.000.000"));
        let ended = format!("{SUBMITTED}005 (063.000.000) 2026-11-22 15:40:59 Job terminated.\n\t(1) Normal\n...\n");
        assert_eq!(unfinished(&ended), None);
        let removed = format!("{SUBMITTED}009 (063.000.000) 2026-11-22 15:40:59 Job was aborted.\n...\n");
        assert_eq!(unfinished(&removed), None);
        let again = format!("{ended}{}", SUBMITTED.replace("063", "085"));
        assert_eq!(unfinished(&again), Some("085.000.000"));
    }

    #[test]
    fn a_lock_names_its_process() {
        assert_eq!(process("PPID = 252\nPID = 1151\nPRECISION = 100\n"), Some(1151));
        assert_eq!(process("garbage"), None);
        assert!(!is_dagman(std::process::id()));
    }

    #[test]
    fn what_a_dead_dagman_left_is_no_lock() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let dag = folder.path().join("plan.dag");
        assert_eq!(lock_state(&dag), LockState::Free);
        fs::write(folder.path().join("plan.dag.lock"), "PID = 4194999\n").expect("written");
        assert_eq!(lock_state(&dag), LockState::Free);
        fs::write(folder.path().join("plan.dag.dagman.log"), SUBMITTED).expect("written");
        assert!(matches!(lock_state(&dag), LockState::Live { .. }));
    }
}
