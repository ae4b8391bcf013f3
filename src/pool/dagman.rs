//! What DAGMan's own event log tells of it.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::event::{Exit, JobId};
use super::event_log::EventLog;
use super::history::State;

/// The DAGMan that was last submitted for a DAG.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dagman {
    /// Its job.
    pub job: JobId,
    /// When it was submitted, in seconds of the access point's local clock, as in the event log of its jobs.
    pub submitted: i64,
    /// How it ended; `None` while it is in the queue.
    pub end: Option<DagmanEnd>,
}

/// How a DAGMan ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DagmanEnd {
    /// By itself; `None` where the log does not say how.
    Exited(Option<Exit>),
    /// It was removed.
    Removed,
}

impl Dagman {
    /// The DAGMan of the DAG in the file `dag`; `None` where none was submitted.
    ///
    /// # Errors
    /// Where its log is there and cannot be read.
    pub fn read(dag: &Path) -> io::Result<Option<Self>> {
        let mut name: OsString = dag.as_os_str().to_owned();
        name.push(".dagman.log");
        let mut log = EventLog::new(&PathBuf::from(name));
        log.read()?;
        Ok(log.history().jobs().last().map(|job| Self {
            job: job.id,
            submitted: job.submitted,
            end: match job.state {
                State::Ended(exit) => Some(DagmanEnd::Exited(exit)),
                State::Removed(_) => Some(DagmanEnd::Removed),
                State::Idle | State::Running(_) | State::Held { .. } => None,
            },
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_last_dagman_counts() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let dag = folder.path().join("plan.dag");
        let log = folder.path().join("plan.dag.dagman.log");
        assert_eq!(Dagman::read(&dag).expect("no log"), None);
        let submit = |cluster: u32, second: u32| {
            format!(
                "000 ({cluster:03}.000.000) 1970-01-01 00:00:{second:02} Job submitted from host: <127.0.0.1:9618>\n...\n"
            )
        };
        fs::write(&log, submit(63, 5)).expect("written");
        let found = || Dagman::read(&dag).expect("readable").expect("submitted");
        let job = |cluster| JobId { cluster, process: 0 };
        assert_eq!(found(), Dagman { job: job(63), submitted: 5, end: None });
        let ended =
            "005 (063.000.000) 1970-01-01 00:00:20 Job terminated.\n\t(1) Normal termination (return value 1)\n...\n";
        fs::write(&log, submit(63, 5) + ended).expect("written");
        let end = DagmanEnd::Exited(Some(Exit::Code(1)));
        assert_eq!(found(), Dagman { job: job(63), submitted: 5, end: Some(end) });
        let removed = "009 (085.000.000) 1970-01-01 00:00:40 Job was aborted.\n\tvia condor_rm (by user alice)\n...\n";
        fs::write(&log, submit(63, 5) + ended + &submit(85, 30) + removed).expect("written");
        assert_eq!(found(), Dagman { job: job(85), submitted: 30, end: Some(DagmanEnd::Removed) });
    }
}
