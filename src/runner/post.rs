//! DAGMan's POST script: passes a node's exit code on, and stops the DAG where the program starts nowhere.
//!
//! DAGMan retries a failed node by itself, and its `ABORT-DAG-ON` cannot count. So the POST script counts: a
//! program that could not be started on several machines, with nothing yet done anywhere, is a mistake in the
//! command, and every further retry would be spent in vain. The chunks that start first have such a script, and
//! it counts the attempts of all.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::time::SystemTime;

use crate::exit::Exit;
use crate::plan::{Identity, Job, PLAN_FILES};
use crate::record::{self, Cause, Kind};
use crate::store;

/// On so many different machines the program must have failed to start.
const HOSTS: usize = 3;
/// On a pool of two machines, so many attempts must have failed.
const ATTEMPTS_ON_TWO: usize = 20;
/// On a pool that is this machine alone, so many attempts must have failed.
const ATTEMPTS_HERE: usize = 10;

/// Where the reason is left, relative to the plan's folder.
pub const STOPPED: &str = "logs/stopped.txt";

/// What the partials say of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may yet run.
    GoOn,
    /// It starts nowhere; the reason of one attempt, and the machines.
    Stop {
        /// Why it could not be started.
        why: String,
        /// Where it was tried.
        hosts: Vec<String>,
        /// How often.
        attempts: usize,
    },
}

/// `status` is what DAGMan gives for `$RETURN`. The current folder is the plan's.
pub(super) fn post(status: &str) -> Result<Exit, (Exit, String)> {
    let status: i64 = status.parse().map_err(|_| (Exit::Usage, "post takes $RETURN".to_owned()))?;
    if status == i64::from(Exit::NotStarted as u8) {
        let here = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let last_stop = Path::new(STOPPED).metadata().and_then(|found| found.modified()).ok();
        let job = std::fs::read(Path::new(PLAN_FILES).join("job/job.json"))
            .ok()
            .and_then(|bytes| Job::from_json(&bytes).ok());
        if let Some(job) = job
            && let Verdict::Stop { why, hosts, attempts } = judge(job.plan, Path::new("outputs"), last_stop, &here)
        {
            let message = format!(
                "the program could not be started: {why}\n\
                 {attempts} attempts failed so, on {}, and no chunk is done: the DAG was stopped.\n\
                 If the machines lack something, mend that, then type: condor_submit_dag plan.dag\n\
                 Another command is another plan: give it to split plan, with --force\n",
                hosts.join(", "),
            );
            store::write(Path::new(STOPPED), message.as_bytes()).map_err(|error| (Exit::StopDag, error.to_string()))?;
            return Ok(Exit::StopDag);
        }
    }
    // A script's exit code is the node's: pass on what DAGMan saw. A signal (negative) has no code of its own.
    match u8::try_from(status) {
        Ok(0) => Ok(Exit::Success),
        Ok(code) => std::process::exit(code.into()),
        Err(_) => Ok(Exit::Machine),
    }
}

/// Judges the partials in `outputs` of the plan `plan` that are newer than the last stop: what failed before that
/// may have been mended. `here` is this machine's name. Reads until the first record that is not a failure to start:
/// where there is none, only failures are there to be read.
#[must_use]
pub fn judge(plan: Identity, outputs: &Path, last_stop: Option<SystemTime>, here: &str) -> Verdict {
    let mut hosts = BTreeSet::new();
    let mut reason = None;
    let mut attempts = 0;
    for entry in outputs.read_dir().into_iter().flatten().flatten() {
        if !record::is_partial(entry.file_name().as_encoded_bytes()) {
            continue;
        }
        let old = || Some(entry.metadata().ok()?.modified().ok()? <= last_stop?);
        if old() == Some(true) {
            continue;
        }
        let Ok(read) = File::open(entry.path()).and_then(|mut file| record::read(&mut file, &mut Vec::new())) else {
            continue;
        };
        for record in read.records.into_iter().filter(|record| record.header.plan == plan) {
            let Kind::Failure(Cause::NotStarted(why)) = record.header.kind else { return Verdict::GoOn };
            attempts += 1;
            hosts.insert(record.header.host.into_string());
            // The least of the reasons, so that the same records say the same.
            reason = Some(reason.map_or(why.clone(), |before: String| before.min(why)));
        }
    }
    let short = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    let only_here = hosts.iter().all(|host| short(host) == short(here));
    match reason {
        Some(why)
            if hosts.len() >= HOSTS
                || (hosts.len() == 2 && attempts >= ATTEMPTS_ON_TWO)
                || (only_here && attempts >= ATTEMPTS_HERE) =>
        {
            Verdict::Stop { why, hosts: hosts.into_iter().collect(), attempts }
        }
        _ => Verdict::GoOn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Header;
    use crate::space::Interval;

    struct Outputs(tempfile::TempDir);

    impl Outputs {
        fn with(attempts: &[(&str, Kind)]) -> Self {
            let folder = Self(tempfile::tempdir().expect("a temporary folder"));
            for (number, (host, kind)) in attempts.iter().enumerate() {
                let header = Header {
                    plan: Identity::of_bytes(b"plan"),
                    code: Identity::of_bytes(b"code"),
                    items: Interval::new(0, 1).expect("not empty"),
                    kind: kind.clone(),
                    seconds: 0.0,
                    host: (*host).into(),
                    attempt: number.to_string().into(),
                };
                let mut bytes = Vec::new();
                record::write(&mut bytes, &header, &mut &b""[..], 0, &crc32fast::Hasher::new()).expect("in memory");
                let path = folder.0.path().join(record::partial_name(0, &header.attempt));
                std::fs::write(path, bytes).expect("written");
            }
            folder
        }

        fn judge_since(&self, last_stop: Option<SystemTime>) -> Verdict {
            judge(Identity::of_bytes(b"plan"), self.0.path(), last_stop, "ap.example.org")
        }

        fn judge(&self) -> Verdict {
            self.judge_since(None)
        }
    }

    fn not_started() -> Kind {
        Kind::Failure(Cause::NotStarted("no such program".to_owned()))
    }

    #[test]
    fn several_machines_stop_the_dag_and_one_does_not() {
        let one = vec![("ep1", not_started()); 50];
        assert_eq!(Outputs::with(&one).judge(), Verdict::GoOn, "one machine may be broken");
        let two = [("ep1", not_started()), ("ep2", not_started())];
        assert_eq!(Outputs::with(&two).judge(), Verdict::GoOn);
        let many = [&two[..1], &vec![("ep2", not_started()); 19]].concat();
        assert_eq!(Outputs::with(&many[..19]).judge(), Verdict::GoOn);
        assert!(matches!(Outputs::with(&many).judge(), Verdict::Stop { .. }));
        let three = [two.as_slice(), &[("ep3", not_started())]].concat();
        let hosts = ["ep1", "ep2", "ep3"].map(str::to_owned).to_vec();
        let stop = Verdict::Stop { why: "no such program".to_owned(), hosts, attempts: 3 };
        assert_eq!(Outputs::with(&three).judge(), stop);
    }

    #[test]
    fn what_failed_before_the_last_stop_may_have_been_mended() {
        let outputs = Outputs::with(&[("ep1", not_started()), ("ep2", not_started()), ("ep3", not_started())]);
        let now = SystemTime::now();
        let hour = std::time::Duration::from_secs(3600);
        assert_eq!(outputs.judge_since(Some(now + hour)), Verdict::GoOn);
        assert!(matches!(outputs.judge_since(Some(now - hour)), Verdict::Stop { .. }));
    }

    #[test]
    fn anything_that_ran_keeps_the_dag_going() {
        let mut attempts = vec![("ep1", not_started()), ("ep2", not_started()), ("ep3", not_started())];
        attempts.push(("ep4", Kind::Whole));
        assert_eq!(Outputs::with(&attempts).judge(), Verdict::GoOn);
        attempts.pop();
        attempts.push(("ep4", Kind::Failure(Cause::ExitCode(1))));
        assert_eq!(Outputs::with(&attempts).judge(), Verdict::GoOn, "here the program did start");
    }

    #[test]
    fn a_pool_of_one_machine_stops_after_ten() {
        assert_eq!(Outputs::with(&vec![("ap", not_started()); 9]).judge(), Verdict::GoOn);
        assert!(matches!(Outputs::with(&vec![("ap", not_started()); 10]).judge(), Verdict::Stop { .. }));
    }
}
