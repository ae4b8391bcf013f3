//! DAGMan's POST script: passes a node's exit code on, and stops the DAG where the program is broken.
//!
//! HTCondor retries a failed job by itself, within the queue (`max_retries`), and DAGMan's `ABORT-DAG-ON` cannot count.
//! So the POST script counts. The chunks that start first have such a script, and a few of the others: where a DAG was
//! stopped, those that had yielded by then are done for DAGMan. It runs once its job has left the queue, with the exit code of
//! the job's last attempt, and looks at what came back from the attempts of all chunks.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::canary::{Failures, Tally};
use crate::exit::Exit;
use crate::plan::{Job, PLAN_FILES};
use crate::record::{self, Cause, Header, Kind, Listing, Record, RecordRead, last_lines};
use crate::store::{self, StoreError};

/// Where the reason is left, relative to the plan's folder.
pub const STOPPED: &str = "logs/stopped.txt";

/// DAGMan makes it when it starts and removes it when it ends.
const LOCK: &str = "plan.dag.lock";
/// So many of the last lines that a program wrote are shown.
const LINES: usize = 10;

/// From when on attempts count.
///
/// What failed before this DAGMan started may have been mended since: a failure that was on its way when an earlier
/// DAG was stopped comes back after the stop, but not after the next start. A result shows that the program works
/// also when it is older, unless the DAG has been stopped after it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Since {
    /// When this DAGMan started.
    pub started: Option<SystemTime>,
    /// When the DAG was stopped last.
    pub stopped: Option<SystemTime>,
}

/// A program that fails the same way wherever it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Broken {
    /// How often and where.
    pub failures: Failures,
    /// One of the failures.
    pub example: Header,
    /// Why that one failed.
    pub cause: Cause,
    /// The end of what the program wrote then.
    pub last_words: Vec<u8>,
}

/// `status` is what DAGMan gives for `$RETURN`, and `node` for `$JOB`: without it the node merges, and need not be looked at
/// where it succeeded. The current folder is the plan's.
pub(super) fn post(status: &str, node: Option<&str>) -> Result<Exit, (Exit, String)> {
    let status: i64 = status.parse().map_err(|_| (Exit::Usage, "post takes $RETURN and $JOB".to_owned()))?;
    let job = || {
        let job = fs::read(Path::new(PLAN_FILES).join("job/job.json"));
        job.ok().and_then(|bytes| Job::from_json(&bytes).ok())
    };
    let suspect = match node.and_then(chunk_of_node) {
        // What a job yields it has failed on, too.
        Some(chunk) if status == 0 => job().filter(|job| job.retries.is_some() && !has_results(job, chunk)),
        _ if status == 0 => None,
        _ => job(),
    };
    if let Some(job) = suspect
        && stop_if_broken(&job).map_err(|error| (Exit::StopDag, error.to_string()))?
    {
        return Ok(Exit::StopDag);
    }
    // Without a tail nothing makes up for a job that ended without a word of its own.
    let node = node.filter(|_| !is_without_word(status) || job().is_some_and(|job| job.retries.is_some()));
    pass_on(status, node.unwrap_or_default())
}

/// What DAGMan gives for `$RETURN` where a job was removed, and where it could not be submitted.
const REMOVED: i64 = -1002;
const NOT_SUBMITTED: i64 = -1001;

/// The exit code of a runner that was interrupted.
const INTERRUPTED: i64 = 130;

/// No signal has a greater number.
const LAST_SIGNAL: i64 = 64;

/// Whether the job ended, or never began, otherwise than by what its runner had to say: removed, killed as by the kernel for
/// want of memory, not submitted. What of its items is missing shows in the records.
fn is_without_word(status: i64) -> bool {
    matches!(status, REMOVED | NOT_SUBMITTED | INTERRUPTED) || (-LAST_SIGNAL..0).contains(&status)
}

/// The POST script of nodes that nothing is counted for, where there is a tail: passes the exit code on, but for a chunk, or a
/// piece of one, whose job was removed, killed or not submitted. That is done as far as DAGMan is concerned, since the tail goes
/// by the records. It reads nothing.
pub(super) fn left(status: &str, node: &str) -> Result<Exit, (Exit, String)> {
    let status: i64 = status.parse().map_err(|_| (Exit::Usage, "left takes $RETURN and $JOB".to_owned()))?;
    pass_on(status, node)
}

/// A script's exit code is the node's. A signal (negative) has no code of its own.
fn pass_on(status: i64, node: &str) -> Result<Exit, (Exit, String)> {
    match u8::try_from(status) {
        Ok(0) => Ok(Exit::Success),
        _ if is_without_word(status) && is_of_chunk(node) => Ok(Exit::Success),
        Ok(code) => std::process::exit(code.into()),
        Err(_) => Ok(Exit::Machine),
    }
}

/// Whether it is the name of a chunk's node, or of a piece's in the tail: `tail-1-chunk-000017-000-g1`.
fn is_of_chunk(node: &str) -> bool {
    let piece = || node.strip_prefix("tail-")?.split_once('-').map(|(_, rest)| rest);
    chunk_of_node(node).or_else(|| chunk_of_node(piece()?)).is_some()
}

/// The number in a chunk's node's name, `chunk-000017-g1`.
fn chunk_of_node(node: &str) -> Option<u64> {
    node.strip_prefix("chunk-")?.split('-').next()?.parse().ok()
}

/// Whether a partial of the chunk that can be read holds a result: then the program works. The current folder is the plan's.
fn has_results(job: &Job, chunk: u64) -> bool {
    let start = record::partial_start(chunk);
    let is_its = |name: &OsString| name.as_encoded_bytes().starts_with(start.as_bytes());
    let holds_results = |path: PathBuf| {
        let read = File::open(path).and_then(|mut file| read_of(job, &mut file));
        let records = read.map(|read| read.records).unwrap_or_default();
        records.iter().any(|record| record.header.kind.is_result())
    };
    let outputs = Path::new("outputs");
    let Listing { partials, mut shards } = Listing::read(outputs).unwrap_or_default();
    // About in the order in which chunks start.
    shards.sort_unstable();
    let below = shards.into_iter().flat_map(|shard| {
        let shard = outputs.join(shard);
        let partials = Listing::read(&shard).unwrap_or_default().partials;
        partials.into_iter().filter(is_its).map(move |name| shard.join(name))
    });
    partials.iter().filter(|name| is_its(name)).map(|name| outputs.join(name)).chain(below).any(holds_results)
}

/// Where the plan's program is broken, by what came back since DAGMan started, says so in [`STOPPED`]; whether it is. The
/// current folder is the plan's.
///
/// # Errors
/// Where it is, and that cannot be written.
pub fn stop_if_broken(job: &Job) -> Result<bool, StoreError> {
    let here = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let time = |path: &str| Path::new(path).metadata().and_then(|found| found.modified()).ok();
    let since = Since { started: time(LOCK), stopped: time(STOPPED) };
    let Some(broken) = judge(job, Path::new("outputs"), since, &here) else { return Ok(false) };
    store::write(Path::new(STOPPED), explain(job, &broken).as_bytes())?;
    Ok(true)
}

/// Judges the plan's partials in `outputs`; `machine` is this machine's name. Reads until the program is known not to be
/// broken: where it is, only failures are there to be read.
#[must_use]
pub fn judge(job: &Job, outputs: &Path, since: Since, machine: &str) -> Option<Broken> {
    let mut tally = Tally::new(job.halt);
    let mut example: Option<Example> = None;
    // What cannot be read shows nothing.
    let top = Listing::read(outputs).unwrap_or_default();
    let here = top.partials.iter().map(|name| outputs.join(name));
    let below = top.shards.iter().map(|name| outputs.join(name)).flat_map(|shard| {
        let names = Listing::read(&shard).unwrap_or_default().partials;
        names.into_iter().map(move |name| shard.join(name))
    });
    for partial in here.chain(below) {
        let Ok(modified) = partial.metadata().and_then(|found| found.modified()) else { continue };
        if since.stopped.is_some_and(|stopped| modified <= stopped) {
            continue;
        }
        let Ok(read) = File::open(&partial).and_then(|mut file| read_of(job, &mut file)) else { continue };
        // An attempt counts once, however many of its items failed.
        let mut failed = false;
        for record in read.records {
            match &record.header.kind {
                Kind::Whole | Kind::Each | Kind::Bundle | Kind::Merged | Kind::Segment(_) => tally.add_result(),
                Kind::Failure(_) if since.started.is_some_and(|started| modified <= started) => {}
                Kind::Failure(Cause::Machine(_) | Cause::OutOfDisk(_)) => {}
                Kind::Failure(_) if failed => {}
                Kind::Failure(cause) => {
                    failed = true;
                    let count = job.space.count();
                    let items = record.header.items;
                    let chunk = job.cut.chunk(count, job.cut.chunk_of(count, items.start().min(count - 1)));
                    tally.add_failure(cause, chunk, &record.header.host, 1);
                    let found = Example { cause: cause.clone(), record, partial: partial.clone() };
                    // The first in item order, so that the same records say the same.
                    if example.as_ref().is_none_or(|example| found.rank() < example.rank()) {
                        example = Some(found);
                    }
                }
            }
        }
        if tally.is_settled() {
            return None;
        }
    }
    let (_, failures) = tally.broken(job.cut.chunks(), machine)?;
    let Example { cause, record, partial } = example?;
    let mut last_words = Vec::new();
    // What cannot be read again is not shown.
    let _ = record.payload.pieces::<io::Error>(&partial, &mut |piece| {
        last_words.extend_from_slice(piece);
        Ok(())
    });
    Some(Broken { failures: failures.clone(), example: record.header, cause, last_words })
}

/// What a partial holds of the plan.
fn read_of(job: &Job, file: &mut File) -> io::Result<RecordRead> {
    record::read_of(file, &mut Vec::new(), job.plan, job.space.count()).map(|(read, _)| read)
}

/// A failure, and the partial that it is in.
struct Example {
    cause: Cause,
    record: Record,
    partial: PathBuf,
}

impl Example {
    fn rank(&self) -> (u128, &str) {
        (self.record.header.items.start(), &self.record.header.attempt)
    }
}

/// What the user reads of a program that is broken.
fn explain(job: &Job, broken: &Broken) -> String {
    let Broken { failures, example, cause, last_words } = broken;
    let chunk = job.cut.chunk_of(job.space.count(), example.items.start());
    let what = if example.items.count() == 1 { "item" } else { "items" };
    let items = job.space.describe(example.items);
    let mut text = format!(
        "The DAG was stopped: the program fails the same way wherever it runs, and has no result yet.\n\n\
         {cause}\n{}\n\nchunk {chunk}, {what} {items}, on {}",
        failures.count(),
        example.host
    );
    match last_lines(last_words, LINES).as_slice() {
        [] => text.push_str(": it wrote nothing\n"),
        lines => {
            text.push_str(", the last lines that it wrote:\n");
            for line in lines {
                text.push_str(&format!("  {line}\n"));
            }
        }
    }
    text.push_str(&format!(
        "\nWhat to type next:\n\
         \x20 {:<28} shows its command and each attempt\n\
         \x20 {:<28} once the program, or what the machines lack, is mended\n\
         Another command is another plan: give it to split plan, with --force.\n",
        format!("{PLAN_FILES}/split show {chunk}"),
        "condor_submit_dag plan.dag",
    ));
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cut::Cut;
    use crate::plan::Identity;
    use crate::plan::testing::plan;
    use crate::space::Interval;

    /// Attempts at the chunks of a plan with 20, on `ep1`, `ep2`, ...
    struct Outputs {
        folder: tempfile::TempDir,
        job: Job,
    }

    impl Outputs {
        fn new() -> Self {
            let job = plan("1..=40", Cut::into_chunks(40, 20).expect("a cut")).job();
            Self { folder: tempfile::tempdir().expect("a temporary folder"), job }
        }

        fn add(&self, chunk: u64, host: &str, kind: Kind, words: &[u8]) -> PathBuf {
            self.add_of(self.job.plan, chunk, host, kind, words)
        }

        fn add_of(&self, plan: Identity, chunk: u64, host: &str, kind: Kind, words: &[u8]) -> PathBuf {
            let header = Header {
                plan,
                code: Identity::of_bytes(b"code"),
                items: self.job.cut.chunk(40, chunk),
                kind,
                seconds: 0.0,
                host: host.into(),
                attempt: format!("0-{host}").into(),
            };
            let mut crc = crc32fast::Hasher::new();
            crc.update(words);
            let mut bytes = Vec::new();
            record::write(&mut bytes, &header, &mut &words[..], words.len() as u64, &crc).expect("in memory");
            let path = self.folder.path().join(record::partial_name(chunk, &header.attempt));
            fs::write(&path, bytes).expect("written");
            path
        }

        /// Ten chunks fail the same way on three machines.
        fn add_broken(&self) -> Vec<PathBuf> {
            let add =
                |chunk| self.add(chunk, &format!("ep{}", chunk % 3 + 1), failure(1), b"no module named physics\n");
            (0..10).map(add).collect()
        }

        fn judge_since(&self, since: Since) -> Option<Broken> {
            judge(&self.job, self.folder.path(), since, "ap")
        }

        fn judge(&self) -> Option<Broken> {
            self.judge_since(Since::default())
        }
    }

    fn failure(code: i32) -> Kind {
        Kind::Failure(Cause::ExitCode(code))
    }

    fn set_time(path: &Path, time: SystemTime) {
        File::options().write(true).open(path).expect("there").set_modified(time).expect("set");
    }

    #[test]
    fn a_broken_program_is_explained() {
        let outputs = Outputs::new();
        outputs.add(11, "ep4", Kind::Failure(Cause::Machine("no space left".to_owned())), b"");
        outputs.add_broken();
        let broken = outputs.judge().expect("broken");
        assert_eq!((broken.failures.attempts, broken.cause.clone()), (10, Cause::ExitCode(1)));
        insta::assert_snapshot!(explain(&outputs.job, &broken));
    }

    #[test]
    fn what_it_said_is_bounded_and_safe_for_a_terminal() {
        let outputs = Outputs::new();
        outputs.add_broken();
        let lines: String = (0..2000).map(|line| format!("line {line} \x1b[31m\n")).collect();
        outputs.add(0, "ep1", failure(1), lines.as_bytes());
        let text = explain(&outputs.job, &outputs.judge().expect("broken"));
        assert!(text.contains("| line 1999 \u{fffd}[31m") && text.contains("| line 1990 "), "{text}");
        assert!(!text.contains("line 1989") && !text.contains('\x1b'), "{text}");
        outputs.add(0, "ep1", failure(1), b"");
        let text = explain(&outputs.job, &outputs.judge().expect("broken"));
        assert!(text.contains("on ep1: it wrote nothing\n"), "{text}");
    }

    #[test]
    fn an_attempt_counts_once_however_many_of_its_items_failed() {
        let outputs = Outputs::new();
        for partial in &outputs.add_broken()[1..] {
            fs::remove_file(partial).expect("removed");
        }
        let first = outputs.folder.path().join(record::partial_name(0, "0-ep1"));
        let twice = fs::read(&first).expect("there").repeat(12);
        fs::write(&first, twice).expect("written");
        assert_eq!(outputs.judge(), None);
    }

    #[test]
    fn any_result_keeps_the_dag_going() {
        let outputs = Outputs::new();
        outputs.add_broken();
        outputs.add(15, "ep2", Kind::Whole, b"5\n");
        assert_eq!(outputs.judge(), None);
    }

    #[test]
    fn what_failed_before_the_start_may_have_been_mended() {
        let outputs = Outputs::new();
        let broken = outputs.add_broken();
        let (now, hour) = (SystemTime::now(), Duration::from_secs(3600));
        let since = |started, stopped| outputs.judge_since(Since { started, stopped });
        assert!(since(Some(now - hour), None).is_some());
        assert_eq!(since(Some(now + hour), None), None);
        // One was on its way while the DAG was being stopped: it came after the stop and before the next start.
        let (stopped, started) = (now - 2 * hour, now - hour);
        for path in &broken[1..] {
            set_time(path, now);
        }
        set_time(&broken[0], stopped + hour / 2);
        assert_eq!(since(Some(started), Some(stopped)), None, "nine in this submission");
        set_time(&broken[0], now);
        assert!(since(Some(started), Some(stopped)).is_some());
    }

    #[test]
    fn an_older_result_counts_unless_the_dag_was_stopped_after_it() {
        let outputs = Outputs::new();
        outputs.add_broken();
        let (now, hour) = (SystemTime::now(), Duration::from_secs(3600));
        let result = outputs.add(15, "ep2", Kind::Whole, b"5\n");
        set_time(&result, now - 2 * hour);
        let since = |stopped| outputs.judge_since(Since { started: Some(now - hour), stopped });
        assert_eq!(since(None), None);
        assert_eq!(since(Some(now - 3 * hour)), None);
        assert!(since(Some(now - hour)).is_some());
    }

    #[test]
    fn other_plans_and_other_files_are_not_counted() {
        let outputs = Outputs::new();
        outputs.add_broken();
        outputs.add_of(Identity::of_bytes(b"other"), 15, "ep1", Kind::Whole, b"5\n");
        fs::write(outputs.folder.path().join("chunk-000016.0-x.part"), "damaged").expect("written");
        fs::write(outputs.folder.path().join("plan.json"), "{}").expect("written");
        assert!(outputs.judge().is_some());
        assert_eq!(Interval::new(30, 32), Some(outputs.job.cut.chunk(40, 15)));
    }
}
