//! The segments of a chain, one run of the program each: the state that the one before has left is laid out, the program runs,
//! and what it yields goes into a partial of its own together with the state that it leaves.
//!
//! Usually a job computes one segment. Where the state before it is lost or damaged it starts from an earlier one, and
//! computes those between, too.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::chunk::{Attempt, Outcome, Place, RunError, Slice, attempt_name, read_failed};
use super::collect::{Collected, Collector};
use super::due::judge;
use super::program::Running;
use super::records::Records;
use super::session::{CallFailed, Called, SegmentOf, Session, clear};
use super::shortage;
use crate::chain::{Link, StateError, clear_state, lay_state};
use crate::plan::{Chain, Command, Word};
use crate::record::{self, Cause, Header, Kind, Segment};
use crate::space::Interval;
use crate::store::{Draft, StoreError};

/// What a job of a chain computes.
#[derive(Clone, Debug)]
pub struct Leg {
    /// The record to go on from; none at the start.
    pub from: Option<Link>,
    /// The last segment.
    pub until: u32,
}

/// Why there is no further segment.
enum Ended {
    Stopped,
    Failed(CallFailed),
}

/// Computes the segments of a leg, and leaves a partial for each.
///
/// # Errors
/// Where not even the record of a failure could be written.
pub(super) fn compute(
    attempt: &Attempt<'_>,
    place: &Place<'_>,
    (command, chain, leg): (&Command, &Chain, &Leg),
    own: &Path,
    running: &Running,
) -> Result<Outcome, RunError> {
    let session = match Session::start(attempt, place, command, own, running) {
        Called::Done(session) => session,
        // Of a chain nothing is kept but its segments' states.
        Called::Stopped | Called::Saved => return Ok(Outcome::Stopped),
        Called::Failed(failed) => return give_up(attempt, place, own, 1, chain, failed),
    };
    let yields = &attempt.job.yields;
    let collector = yields.has_files().then(|| Collector::new(place.start_in, yields, true));
    let mut collector = match collector.transpose() {
        Ok(collector) => collector,
        Err(error) => return give_up(attempt, place, own, 1, chain, read_failed(place, &error)),
    };
    let mut from = leg.from.clone();
    let mut seconds = 0.0;
    loop {
        let number = from.as_ref().map_or(1, |from| from.segment.number + 1);
        if number > leg.until || from.as_ref().is_some_and(|from| from.segment.finished) {
            return Ok(Outcome::Done { seconds });
        }
        let step = Step { attempt, place, session: &session, chain, running, own, number };
        match step.run(from.as_ref(), collector.as_mut())? {
            Ok((link, took)) => {
                seconds += took;
                from = Some(link);
            }
            Err(Ended::Stopped) => return Ok(Outcome::Stopped),
            Err(Ended::Failed(failed)) => return give_up(attempt, place, own, number, chain, failed),
        }
    }
}

/// Records why a segment has no result.
fn give_up(
    attempt: &Attempt<'_>,
    place: &Place<'_>,
    own: &Path,
    number: u32,
    chain: &Chain,
    failed: CallFailed,
) -> Result<Outcome, RunError> {
    let CallFailed { cause, seconds, last_words, .. } = failed;
    let mut records = Records::new(own.join("failure"));
    let mut words = format!("split: in segment {number} of {}\n", chain.segments()).into_bytes();
    words.extend_from_slice(&last_words);
    records.failure(attempt.items, cause.clone(), seconds, words);
    write(attempt, place, &attempt_name(attempt.retry), &mut records)?;
    Ok(Outcome::Failed { cause, last_words, failed: vec![attempt.items], over_budget: false })
}

/// One segment.
struct Step<'a> {
    attempt: &'a Attempt<'a>,
    place: &'a Place<'a>,
    session: &'a Session<'a>,
    chain: &'a Chain,
    running: &'a Running,
    own: &'a Path,
    number: u32,
}

impl Step<'_> {
    fn run(
        &self,
        from: Option<&Link>,
        collector: Option<&mut Collector<'_>>,
    ) -> Result<Result<(Link, f64), Ended>, RunError> {
        let Self { attempt, place, chain, number, .. } = *self;
        let laid = match from {
            None => clear_state(chain, place.start_in),
            Some(from) => lay_state(from, chain, place.start_in),
        };
        if let Err(error) = laid {
            let cause = match &error {
                StateError::Io { path, source } => shortage::cause_of(source, &path.display().to_string()),
                StateError::Damaged { .. } => Cause::Machine(error.to_string()),
            };
            return Ok(Err(Ended::Failed(CallFailed::of_items(cause))));
        }
        let finished = self.own.join("finished");
        if let Err(error) = clear(&finished) {
            return Ok(Err(Ended::Failed(read_failed(place, &error))));
        }
        let named = Word::from(finished.clone().into_os_string());
        self.session.enter(SegmentOf { number, segments: chain.segments(), finished: named });
        let slice = Slice::of(attempt, place, self.session, self.running);
        let (mut output, files) = match slice.once(attempt.items, collector) {
            Called::Done(left) => left,
            Called::Stopped | Called::Saved => return Ok(Err(Ended::Stopped)),
            Called::Failed(failed) => return Ok(Err(Ended::Failed(failed))),
        };
        let seconds = output.seconds;
        let failed = |cause| Ok(Err(Ended::Failed(CallFailed { seconds, ..CallFailed::of_items(cause) })));
        let is_finished = finished.exists();
        let is_last = is_finished || number == chain.segments();
        if is_last {
            match judge(attempt.job.due, &mut output.file, output.bytes) {
                Ok(None) => {}
                Ok(Some(cause)) => return failed(cause),
                Err(error) => return failed(shortage::cause_of(&error, "")),
            }
        }
        let state = match state(chain, place.start_in) {
            Ok(state) => state,
            Err(cause) => return failed(cause),
        };
        let segment =
            Segment { number, after: from.map(|from| from.header.attempt.to_string()), finished: is_finished };
        let mut records = Records::new(self.own.join(format!("segment-{number}")));
        let kept = records.segment(attempt.items.start(), segment, output, &files.unwrap_or_default(), &state);
        if let Err(lost) = kept {
            return failed(shortage::cause_of(&lost.error, ""));
        }
        let name = attempt_name(attempt.retry);
        let path = write(attempt, place, &name, &mut records)?;
        let link = Link::read(path, attempt.job.plan, attempt.items);
        Ok(link.map(|link| (link, seconds)).ok_or_else(|| {
            Ended::Failed(CallFailed::of_items(Cause::Machine("what was just written cannot be read".to_owned())))
        }))
    }
}

/// Writes a partial, and gives its path.
fn write(
    attempt: &Attempt<'_>,
    place: &Place<'_>,
    name: &str,
    records: &mut Records,
) -> Result<std::path::PathBuf, StoreError> {
    let Attempt { job, chunk, code, .. } = *attempt;
    let path = place.partials.join(record::partial_name(chunk, name));
    let header = |items: Interval, kind: Kind, seconds: f64| Header {
        plan: job.plan,
        code,
        items,
        kind,
        seconds,
        host: place.host.into(),
        attempt: name.into(),
    };
    let mut draft = Draft::new(&path, 0o666)?;
    records.write(&mut draft, header).map_err(StoreError::on("write", &path))?;
    draft.commit()?;
    Ok(path)
}

/// The state files that the program has left.
fn state(chain: &Chain, folder: &Path) -> Result<Vec<Collected>, Cause> {
    let mut state = Vec::new();
    for name in chain.state() {
        let path = folder.join(name.as_os_str());
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_file() => {
                let name = name.as_os_str().as_bytes().to_owned();
                state.push(Collected { name, path, bytes: found.len(), remove: false });
            }
            Ok(_) => return Err(Cause::Missing(format!("{}, of its state, is no regular file", name.quoted()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Cause::Missing(format!("{}, of its state", name.quoted())));
            }
            Err(error) => return Err(shortage::cause_of(&error, &path.display().to_string())),
        }
    }
    Ok(state)
}
