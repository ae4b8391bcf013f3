//! One attempt at a chunk's items: run, judge, record.

use std::hash::{BuildHasher, Hasher};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::time::Instant;

use super::carry::Carry;
use super::checkpoint::{self, Checkpoints};
use super::collect::Collector;
use super::environment::Base;
use super::kept::{Failed, Kept};
use super::listing::ListingError;
use super::narrow::Narrowing;
use super::program::{Limit, Running};
use super::records::{Lost, Output, Records};
use super::segment::{self, Leg};
use super::session::{CallFailed, Called, Session};
use super::shortage;
use super::trying::Trying;
use crate::exit::Exit;
use crate::inputs::code_that_arrived;
use crate::plan::{Command, Identity, Job};
use crate::record::Cause;
use crate::space::{Interval, Rows, Space};
use crate::store::StoreError;

/// So many items that fail before any has a result, and the others are not run: the program is broken.
const HOPELESS: u32 = 3;

/// Where an attempt runs.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The folder that the program starts in.
    pub start_in: &'a Path,
    /// The set-up, where there is one.
    pub setup: Option<&'a Path>,
    /// A folder for what attempts keep on the way, each in one of its own.
    pub scratch: &'a Path,
    /// The folder that the partial is put into.
    pub partials: &'a Path,
    /// Where HTCondor carries what is finished of a chunk in slices.
    pub carried: Option<Carried<'a>>,
    /// Where the program's own state is kept, where it keeps one.
    pub checkpoints: Option<Checkpoints<'a>>,
    /// What the program's environment starts from.
    pub base: Base,
    /// The machine's name.
    pub host: &'a str,
}

/// What HTCondor carries to the access point on the way.
#[derive(Clone, Copy, Debug)]
pub struct Carried<'a> {
    /// The partial as it grows.
    pub path: &'a Path,
    /// What a carry costs, in seconds, where that has been measured.
    pub cost: Option<f64>,
}

/// What is to be run.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// The plan's job.
    pub job: &'a Job,
    /// The chunk's number.
    pub chunk: u64,
    /// The items: the chunk's, or some of them.
    pub items: Interval,
    /// The identity of the files that are there, and of the environment.
    pub code: Identity,
    /// The items' rows, where they are kept beside the plan.
    pub rows: &'a Rows,
    /// How often it has been tried before.
    pub retry: u32,
    /// Of a chain, the segments that are computed.
    pub leg: Option<&'a Leg>,
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// There is a result.
    Done {
        /// How long the program ran, in seconds.
        seconds: f64,
    },
    /// Items have none, and the partial says why; it holds the results of the others.
    Failed {
        /// Why, of the first of them.
        cause: Cause,
        /// The last lines on standard error then, or what was printed in vain.
        last_words: Vec<u8>,
        /// The items without a result, in order and apart.
        failed: Vec<Interval>,
        /// Whether the attempt has worked for as long as it may, so that some of them were not tried to their end.
        over_budget: bool,
    },
    /// It was told to stop. Items that were done one by one are recorded, if any.
    Stopped,
    /// It asks that what is finished be carried to the access point, and to be started again.
    Carry,
}

/// An attempt could not even be recorded.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file of the attempt's own could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Outcome {
    /// The exit code of the job.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Done { .. } => Exit::Success,
            Self::Stopped => Exit::Interrupted,
            Self::Carry => Exit::Carry,
            Self::Failed { cause, .. } => match cause {
                Cause::ExitCode(_) => Exit::ProgramFailed,
                Cause::Signal(_) => Exit::ProgramKilled,
                Cause::NoResult | Cause::BadResult { .. } => Exit::NoResult,
                Cause::Missing(_) => Exit::FileMissing,
                Cause::NotStarted(_) => Exit::NotStarted,
                Cause::Setup(_) => Exit::SetupFailed,
                Cause::TimedOut(_) => Exit::TimedOut,
                // It did what it could in its time: the same again would end as this did.
                Cause::OverBudget(_) => Exit::Success,
                Cause::OutOfMemory(_) => Exit::OutOfMemory,
                Cause::OutOfDisk(_) => Exit::OutOfDisk,
                Cause::Machine(_) => Exit::JobMachine,
            },
        }
    }
}

/// A name that no other attempt has: how often it was tried before, and 32 bits by chance.
#[must_use]
pub fn attempt_name(retry: u32) -> String {
    // The standard library's random keys: taken from the operating system once per thread.
    let chance = std::collections::hash_map::RandomState::new().build_hasher().finish();
    format!("{retry}-{:08x}", chance as u32)
}

/// Runs the program over the items and writes the partial.
///
/// # Errors
/// Where not even a record of the failure could be written (a full disk).
pub fn run(attempt: &Attempt<'_>, place: &Place<'_>, running: &Running) -> Result<Outcome, RunError> {
    let started = Instant::now();
    // Of this attempt alone: what an earlier program left running may still write to its own.
    let own = tempfile::Builder::new().prefix("attempt-").tempdir_in(place.scratch);
    let own = own.map_err(StoreError::on("make a folder in", place.scratch))?;
    let job = attempt.job;
    if let (Some(command), Some(chain), Some(leg)) = (&job.command, &job.chain, attempt.leg) {
        return segment::compute(attempt, place, (command, chain, leg), own.path(), running);
    }
    let mut kept = Kept::open(attempt, place)?;
    let end = match &attempt.job.command {
        None => {
            let mut records = Records::new(own.path().join("records"));
            list(attempt, own.path(), &mut records);
            kept.add(records)?;
            End::All
        }
        Some(command) => compute(attempt, place, command, own.path(), &mut kept, running, started)?,
    };
    match end {
        End::Carry => return Ok(Outcome::Carry),
        // In a sandbox nobody sees what is not carried, and the next run of the job goes on from what is.
        End::Stopped if place.carried.is_some() && kept.grows() => return Ok(Outcome::Stopped),
        End::All | End::Stopped => {}
    }
    let (seconds, failed) = kept.finish()?;
    if end == End::Stopped {
        return Ok(Outcome::Stopped);
    }
    Ok(match failed {
        None => Outcome::Done { seconds },
        Some(Failed { cause, last_words, items, over_budget }) => {
            Outcome::Failed { cause, last_words, failed: items, over_budget }
        }
    })
}

/// Records a failure without having run the program; `last_words` is what was said.
///
/// # Errors
/// As [`run`].
pub(super) fn give_up(
    attempt: &Attempt<'_>,
    place: &Place<'_>,
    cause: Cause,
    last_words: Vec<u8>,
) -> Result<Outcome, RunError> {
    let mut kept = Kept::open(attempt, place)?;
    let left = kept.left();
    let mut records = Records::new(place.scratch.join("records"));
    for &items in &left {
        records.failure(items, cause.clone(), 0.0, last_words.clone());
    }
    kept.add(records)?;
    kept.finish()?;
    Ok(Outcome::Failed { cause, last_words, failed: left, over_budget: false })
}

/// How a run over the items ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// All items have been tried, or given up on.
    All,
    /// It was told to stop.
    Stopped,
    /// What is finished is to be carried to the access point before the rest is computed.
    Carry,
}

/// Runs the program, slice after slice.
fn compute(
    attempt: &Attempt<'_>,
    place: &Place<'_>,
    command: &Command,
    own: &Path,
    kept: &mut Kept<'_>,
    running: &Running,
    started: Instant,
) -> Result<End, RunError> {
    let mut left = kept.left();
    let give_up = |kept: &mut Kept<'_>, left: &[Interval], failed: CallFailed| {
        let mut records = Records::new(own.join("records"));
        for &items in left {
            fail(&mut records, items, failed.clone());
        }
        kept.add(records)
    };
    let session = match Session::start(attempt, place, command, own, running) {
        Called::Done(session) => session,
        Called::Failed(failed) => return Ok(give_up(kept, &left, failed).map(|()| End::All)?),
        Called::Stopped => return Ok(End::Stopped),
        Called::Saved => return Ok(End::Carry),
    };
    let yields = &attempt.job.yields;
    let collector = yields.has_files().then(|| Collector::new(place.start_in, yields, !attempt.job.shared_filesystem));
    let mut collector = match collector.transpose() {
        Ok(collector) => collector,
        Err(error) => return Ok(give_up(kept, &left, read_failed(place, &error)).map(|()| End::All)?),
    };
    let budget = attempt.job.pacing.budget();
    let deadline = budget.and_then(|budget| started.checked_add(budget));
    let mut hope = Hope { worked: kept.has_results(), failures: 0 };
    let mut carry = place.carried.map(|carried| Carry::new(&attempt.job.pacing, carried.cost));
    let mut trying = attempt.job.pacing.probe.map(|probe| Trying::new(probe, started, kept.before()));
    let mut reserve = shortage::Reserve::hold(own);
    let mut number = 0;
    while let Some(&whole) = left.first() {
        let began = Instant::now();
        let Some(slice) = trying.as_ref().map_or(Some(whole), |trying| trying.next(whole, began)) else {
            // What is left is for the chunks that are cut then.
            return Ok(End::All);
        };
        let mut records = Records::new(own.join(format!("records-{number}")));
        let mut run =
            Slice { attempt, place, session: &session, items: slice, running, deadline, trying: trying.as_ref() };
        let end = run.compute(collector.as_mut(), &mut records, &mut hope);
        // On a shared file system the user may change a file while the program reads it: then nobody knows what ran.
        if records.has_results()
            && attempt.job.shared_filesystem
            && code_that_arrived(attempt.job, place.start_in).0 != attempt.code
        {
            let changed = Cause::Machine("the program or its files changed while it ran".to_owned());
            records.take_back(slice, changed);
        }
        let has_failed = records.has_failures();
        if has_failed {
            reserve = None;
        }
        if let Some(trying) = &mut trying {
            trying.took(slice, began.elapsed().as_secs_f64());
        }
        kept.add(records)?;
        checkpoint::forget(attempt, place, |items| kept.has_results_of(items))?;
        match Interval::new(slice.stop(), whole.stop()) {
            Some(rest) => left[0] = rest,
            None => drop(left.remove(0)),
        }
        number += 1;
        match end {
            SliceEnd::Done => {}
            SliceEnd::TimeIsOver => return Ok(End::All),
            SliceEnd::Saved => return Ok(End::Carry),
            SliceEnd::Stopped => return Ok(End::Stopped),
            SliceEnd::GaveUp(failed) => {
                drop(reserve);
                kept.give_up(&failed.cause);
                give_up(kept, &left, failed)?;
                return Ok(End::All);
            }
        }
        if has_failed && attempt.job.pacing.probe.is_some() {
            return Ok(End::All);
        }
        if !left.is_empty() && carry.as_mut().is_some_and(|carry| carry.is_due(number, left.len())) {
            return Ok(End::Carry);
        }
    }
    Ok(End::All)
}

/// What is known of whether the program works.
#[derive(Debug)]
struct Hope {
    /// Whether any item has a result.
    worked: bool,
    /// How many runs of it have failed.
    failures: u32,
}

impl Hope {
    /// Takes account of a failed run; whether the next one would fare the same.
    fn is_lost(&mut self, failed: &CallFailed) -> bool {
        self.failures += 1;
        failed.is_final || (!self.worked && self.failures >= HOPELESS)
    }
}

/// One slice's run.
pub(super) struct Slice<'a> {
    attempt: &'a Attempt<'a>,
    place: &'a Place<'a>,
    session: &'a Session<'a>,
    items: Interval,
    running: &'a Running,
    /// When the job has worked for as long as it may.
    deadline: Option<Instant>,
    /// Where items are only tried, within a time.
    trying: Option<&'a Trying>,
}

/// How one run over several items ended.
enum WholeEnd {
    /// They are recorded; `has_run` unless none of them counts.
    Done { has_run: bool },
    /// It was told to stop.
    Stopped,
    /// The program has saved its state, which is to be carried.
    Saved,
    /// There is no result.
    Failed(CallFailed),
    /// There was one, and it could not be kept.
    Lost(Lost),
}

/// How a slice ended.
enum SliceEnd {
    /// Its items have been tried.
    Done,
    /// It was told to stop.
    Stopped,
    /// The program has saved its state, which is to be carried.
    Saved,
    /// Items are only tried, and the time for that is over: what was not done is recorded as that, or not at all.
    TimeIsOver,
    /// No further item is tried, in this slice and those behind it; what is recorded of the latter.
    GaveUp(CallFailed),
}

impl<'a> Slice<'a> {
    /// That of the attempt's items, for as long as it takes.
    pub(super) fn of(
        attempt: &'a Attempt<'a>,
        place: &'a Place<'a>,
        session: &'a Session<'a>,
        running: &'a Running,
    ) -> Self {
        Self { attempt, place, session, items: attempt.items, running, deadline: None, trying: None }
    }

    /// Runs the program, over all items or one by one.
    fn compute(
        &mut self,
        mut collector: Option<&mut Collector<'_>>,
        records: &mut Records,
        hope: &mut Hope,
    ) -> SliceEnd {
        if self.is_over_budget() {
            return self.yield_all(records, self.items);
        }
        if self.session.runs_per_item() {
            return self.each(collector, records, hope);
        }
        match self.whole(self.items, collector.as_deref_mut(), records) {
            WholeEnd::Done { has_run } => {
                hope.worked |= has_run;
                SliceEnd::Done
            }
            WholeEnd::Stopped => SliceEnd::Stopped,
            WholeEnd::Saved => SliceEnd::Saved,
            WholeEnd::Lost(lost) => self.give_up_on_rest(records, lost, self.items),
            // A program that keeps its own state goes on from there at its next try.
            WholeEnd::Failed(failed) if failed.is_of_some_items() && self.attempt.job.pacing.checkpoint.is_none() => {
                self.narrow(failed, collector, records, hope)
            }
            // How long it had been at work tells of its items, too.
            WholeEnd::Failed(failed) if self.trying.is_some() && matches!(failed.cause, Cause::OverBudget(_)) => {
                fail(records, self.items, failed);
                SliceEnd::TimeIsOver
            }
            WholeEnd::Failed(failed) => self.end_failed(failed, self.items, records, hope),
        }
    }

    /// One run of the program over all of `items`.
    fn whole(&self, items: Interval, collector: Option<&mut Collector<'_>>, records: &mut Records) -> WholeEnd {
        if self.attempt.may_leave_out() {
            match self.attempt.listing().any(items) {
                Ok(true) => {}
                Ok(false) => {
                    for item in items.start()..items.stop() {
                        if let Err(lost) = records.left_out(item) {
                            return WholeEnd::Lost(lost);
                        }
                    }
                    return WholeEnd::Done { has_run: false };
                }
                Err(error) => return WholeEnd::Failed(error.into()),
            }
        }
        match self.once(items, collector) {
            Called::Stopped => WholeEnd::Stopped,
            Called::Saved => WholeEnd::Saved,
            Called::Failed(failed) => WholeEnd::Failed(failed),
            Called::Done((output, Some(files))) => match records.bundle(items, output, &files) {
                Ok(()) => WholeEnd::Done { has_run: true },
                Err(lost) => WholeEnd::Lost(lost),
            },
            Called::Done((mut output, None)) => match checksum(&mut output) {
                Ok(crc) => {
                    records.whole(items, output, crc);
                    WholeEnd::Done { has_run: true }
                }
                Err(error) => {
                    let cause = shortage::cause_of(&error, "");
                    WholeEnd::Failed(CallFailed { seconds: output.seconds, ..CallFailed::of_items(cause) })
                }
            },
        }
    }

    /// Finds the items that a run failed on by running halves, so that the others have results.
    fn narrow(
        &self,
        failed: CallFailed,
        mut collector: Option<&mut Collector<'_>>,
        records: &mut Records,
        hope: &mut Hope,
    ) -> SliceEnd {
        let first = failed.clone();
        let mut narrowing = Narrowing::new(self.items, failed);
        let mut end = SliceEnd::Done;
        while let Some(items) = narrowing.next() {
            if self.is_over_budget() {
                end = SliceEnd::GaveUp(self.over_budget());
                break;
            }
            if self.trying.is_some_and(Trying::is_over) {
                end = SliceEnd::TimeIsOver;
                break;
            }
            match self.whole(items, collector.as_deref_mut(), records) {
                WholeEnd::Done { has_run } => {
                    hope.worked |= has_run;
                    narrowing.worked();
                }
                // What has failed may do better where it goes on.
                WholeEnd::Stopped => return SliceEnd::Stopped,
                WholeEnd::Saved => return SliceEnd::Saved,
                WholeEnd::Lost(lost) => {
                    // It may have taken what was left out just before with it.
                    end = self.give_up_on_rest(records, lost, items);
                    narrowing.worked();
                    break;
                }
                WholeEnd::Failed(failed) => {
                    let is_of_items = failed.is_of_some_items();
                    if failed.is_final {
                        end = SliceEnd::GaveUp(failed.rest());
                    }
                    let is_final = failed.is_final;
                    narrowing.failed(failed, !is_of_items);
                    if is_final {
                        break;
                    }
                }
            }
        }
        let is_hopeless = narrowing.is_hopeless();
        for (items, failed) in narrowing.finish() {
            fail(records, items, failed);
        }
        if matches!(end, SliceEnd::Done) {
            if is_hopeless && !hope.worked {
                hope.failures = HOPELESS;
            }
            if hope.is_lost(&first) {
                end = SliceEnd::GaveUp(first.rest());
            }
        }
        end
    }

    /// Records a failure that no half would do without.
    fn end_failed(&self, failed: CallFailed, items: Interval, records: &mut Records, hope: &mut Hope) -> SliceEnd {
        let is_lost = hope.is_lost(&failed);
        let rest = failed.rest();
        fail(records, items, failed);
        if is_lost { SliceEnd::GaveUp(rest) } else { SliceEnd::Done }
    }

    fn is_over_budget(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// What is yielded where the job has worked for long enough.
    fn over_budget(&self) -> CallFailed {
        let budget = self.attempt.job.pacing.budget().unwrap_or_default();
        CallFailed::of_items(Cause::OverBudget(budget.as_secs()))
    }

    fn yield_all(&self, records: &mut Records, items: Interval) -> SliceEnd {
        fail(records, items, self.over_budget());
        SliceEnd::GaveUp(self.over_budget())
    }

    /// Entries cannot be kept any more.
    fn give_up_on_rest(&self, records: &mut Records, lost: Lost, items: Interval) -> SliceEnd {
        let rest = Interval::new(lost.first, items.stop()).expect("one item is lost at least");
        let cause = shortage::cause_of(&lost.error, "");
        records.failure(rest, cause.clone(), 0.0, Vec::new());
        SliceEnd::GaveUp(CallFailed::of_items(cause))
    }

    /// Runs the program once for each item.
    fn each(&self, mut collector: Option<&mut Collector<'_>>, records: &mut Records, hope: &mut Hope) -> SliceEnd {
        let stop = self.items.stop();
        for item in self.items.start()..stop {
            if self.running.stopped() {
                return SliceEnd::Stopped;
            }
            let one = Interval::new(item, item + 1).expect("one item");
            if self.is_over_budget() {
                return self.yield_all(records, Interval::new(item, stop).expect("this one is left"));
            }
            if self.trying.is_some_and(Trying::is_over) {
                return SliceEnd::TimeIsOver;
            }
            let called = match self.session.keeps(item) {
                Ok(false) => {
                    if let Err(lost) = records.left_out(item) {
                        return self.give_up_on_rest(records, lost, self.items);
                    }
                    continue;
                }
                Ok(true) => self.once(one, collector.as_deref_mut()),
                Err(failed) => Called::Failed(failed),
            };
            match called {
                Called::Stopped => return SliceEnd::Stopped,
                Called::Saved => return SliceEnd::Saved,
                Called::Done((output, files)) => {
                    hope.worked = true;
                    if let Err(lost) = records.entry(item, output, &files.unwrap_or_default()) {
                        return self.give_up_on_rest(records, lost, self.items);
                    }
                }
                Called::Failed(failed) => {
                    let is_lost = hope.is_lost(&failed);
                    let rest = failed.rest();
                    fail(records, one, failed);
                    if is_lost {
                        if let Some(items) = Interval::new(item + 1, stop) {
                            fail(records, items, rest.clone());
                        }
                        return SliceEnd::GaveUp(rest);
                    }
                }
            }
        }
        SliceEnd::Done
    }

    /// One run of the program over `items`, and the files that it wrote.
    pub(super) fn once(&self, items: Interval, collector: Option<&mut Collector<'_>>) -> Called<Left> {
        let Self { place, session, running, .. } = *self;
        let limit = self.limit(items);
        let bindings = match session.bindings(items) {
            Ok(bindings) => bindings,
            Err(failed) => return Called::Failed(failed),
        };
        let Some(collector) = collector else {
            return match session.call(items, &bindings, limit, running, None) {
                Called::Done(output) => Called::Done((output, None)),
                Called::Failed(failed) => Called::Failed(failed),
                Called::Stopped => Called::Stopped,
                Called::Saved => Called::Saved,
            };
        };
        let expected = match session.expected(items, &bindings) {
            Ok(expected) => expected,
            Err(failed) => return Called::Failed(failed),
        };
        if let Err(error) = collector.before(&expected) {
            return Called::Failed(read_failed(place, &error));
        }
        let failed = match session.call(items, &bindings, limit, running, Some((&*collector, &expected))) {
            Called::Stopped => return Called::Stopped,
            Called::Saved => return Called::Saved,
            Called::Failed(failed) => failed,
            Called::Done(output) => match collector.after(&expected) {
                Ok(files) => return Called::Done((output, Some(files))),
                Err(cause) => CallFailed { seconds: output.seconds, ..CallFailed::of_items(cause) },
            },
        };
        Called::Failed(match collector.discard(&expected) {
            Ok(()) => failed,
            Err(error) => read_failed(place, &error),
        })
    }

    /// When a run over `items` that starts now is ended, and what for.
    fn limit(&self, items: Interval) -> Option<Limit> {
        let timeout = self.attempt.job.pacing.timeout(items.count()).and_then(|timeout| {
            let at = Instant::now().checked_add(timeout)?;
            Some(Limit { at, cause: Cause::TimedOut(timeout.as_secs_f64().ceil() as u64) })
        });
        let budget = self.deadline.map(|at| Limit { at, cause: self.over_budget().cause });
        // A single item is tried to its end.
        let trying = self.trying.filter(|_| items.count() > 1);
        let trying = trying.map(|trying| Limit { at: trying.limit(), cause: Cause::OverBudget(trying.seconds()) });
        [timeout, budget, trying].into_iter().flatten().min_by_key(|limit| limit.at)
    }
}

/// What a run leaves: its result, and its files where any are to come back.
pub(super) type Left = (Output, Option<Vec<super::collect::Collected>>);

pub(super) fn read_failed(place: &Place<'_>, error: &io::Error) -> CallFailed {
    let cause = shortage::cause_of(error, &place.start_in.display().to_string());
    CallFailed { is_final: true, ..CallFailed::of_items(cause) }
}

fn fail(records: &mut Records, items: Interval, failed: CallFailed) {
    records.failure(items, failed.cause, failed.seconds, failed.last_words);
}

/// Without a command the items themselves are the results: those of a range one a line, rows one by one.
fn list(attempt: &Attempt<'_>, own: &Path, records: &mut Records) {
    let items = attempt.items;
    match &attempt.job.space {
        Space::Range(range) => {
            let started = std::time::Instant::now();
            let path = own.join("printed");
            let written =
                std::fs::File::options().read(true).write(true).create_new(true).open(&path).and_then(|file| {
                    let mut out = io::BufWriter::with_capacity(1 << 16, file);
                    for item in items.start()..items.stop() {
                        writeln!(out, "{}", range.value(item))?;
                    }
                    let mut file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
                    let bytes = file.stream_position()?;
                    file.rewind()?;
                    let mut output = Output { file, bytes, seconds: started.elapsed().as_secs_f64() };
                    let crc = checksum(&mut output)?;
                    Ok((output, crc))
                });
            match written {
                Ok((output, crc)) => records.whole(items, output, crc),
                Err(error) => {
                    let cause = shortage::cause_of(&error, &path.display().to_string());
                    records.failure(items, cause, 0.0, Vec::new());
                }
            }
        }
        Space::Parameters(_) => {
            let listing = attempt.listing();
            let mut text = Vec::new();
            for item in items.start()..items.stop() {
                text.clear();
                let kept = match attempt.job.space.keeps(item, attempt.rows).map_err(ListingError::from) {
                    Ok(false) => records.left_out(item),
                    kept => match kept.and_then(|_| listing.write_row(item, &mut text)) {
                        Ok(()) => records.text(item, &text),
                        Err(error) => {
                            let one = Interval::new(item, item + 1).expect("one item");
                            records.failure(one, Cause::Machine(error.to_string()), 0.0, Vec::new());
                            Ok(())
                        }
                    },
                };
                if let Err(lost) = kept {
                    let rest = Interval::new(lost.first, items.stop()).expect("one item is lost at least");
                    records.failure(rest, shortage::cause_of(&lost.error, ""), 0.0, Vec::new());
                    break;
                }
            }
        }
    }
}

/// The CRC-32 of a result, which is then read from its start again.
fn checksum(output: &mut Output) -> io::Result<crc32fast::Hasher> {
    let mut crc = crc32fast::Hasher::new();
    let mut buffer = vec![0; 1 << 16];
    let mut left = (&mut output.file).take(output.bytes);
    loop {
        match left.read(&mut buffer)? {
            0 => break,
            got => crc.update(&buffer[..got]),
        }
    }
    output.file.rewind()?;
    Ok(crc)
}
