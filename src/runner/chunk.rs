//! One attempt at a chunk's items: run, judge, record.

use std::hash::{BuildHasher, Hasher};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use super::collect::Collector;
use super::environment::Base;
use super::listing::ListingError;
use super::program::Running;
use super::records::{Lost, Output, Records};
use super::session::{CallFailed, Called, Session};
use crate::exit::Exit;
use crate::inputs::code_that_arrived;
use crate::plan::{Command, Identity, Job};
use crate::record::{self, Cause, Header, Kind};
use crate::space::{Interval, Rows, Space};
use crate::store::{Draft, StoreError};

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
    /// What the program's environment starts from.
    pub base: Base,
    /// The machine's name.
    pub host: &'a str,
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
    },
    /// It was told to stop. Items that were done one by one are recorded, if any.
    Stopped,
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
            Self::Failed { cause, .. } => match cause {
                Cause::ExitCode(_) => Exit::ProgramFailed,
                Cause::Signal(_) => Exit::ProgramKilled,
                Cause::NoResult => Exit::NoResult,
                Cause::Missing(_) => Exit::FileMissing,
                Cause::NotStarted(_) => Exit::NotStarted,
                Cause::Setup(_) => Exit::SetupFailed,
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
    // Of this attempt alone: what an earlier program left running may still write to its own.
    let own = tempfile::Builder::new().prefix("attempt-").tempdir_in(place.scratch);
    let own = own.map_err(StoreError::on("make a folder in", place.scratch))?;
    let mut records = Records::new(own.path().join("records"));
    let stopped = match &attempt.job.command {
        None => list(attempt, own.path(), &mut records),
        Some(command) => compute(attempt, place, command, own.path(), &mut records, running),
    };
    // On a shared file system the user may change a file while the program reads it: then nobody knows what ran.
    if records.has_results()
        && attempt.job.command.is_some()
        && attempt.job.shared_filesystem
        && code_that_arrived(attempt.job, place.start_in).0 != attempt.code
    {
        let changed = Cause::Machine("the program or its files changed while it ran".to_owned());
        records.take_back(attempt.items, changed);
    }
    if stopped && records.is_empty() {
        return Ok(Outcome::Stopped);
    }
    save(attempt, place, &mut records)?;
    if stopped {
        return Ok(Outcome::Stopped);
    }
    let seconds = records.seconds();
    Ok(match records.into_failure() {
        None => Outcome::Done { seconds },
        Some((cause, last_words, failed)) => Outcome::Failed { cause, last_words, failed },
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
    let mut records = Records::new(place.scratch.join("records"));
    records.failure(attempt.items, cause.clone(), 0.0, last_words.clone());
    save(attempt, place, &mut records)?;
    Ok(Outcome::Failed { cause, last_words, failed: vec![attempt.items] })
}

/// Runs the program, over all items or one by one; true where it was told to stop.
fn compute(
    attempt: &Attempt<'_>,
    place: &Place<'_>,
    command: &Command,
    own: &Path,
    records: &mut Records,
    running: &Running,
) -> bool {
    let fail = |records: &mut Records, failed| {
        fail(records, attempt.items, failed);
        false
    };
    let session = match Session::start(attempt, place, command, own, running) {
        Called::Done(session) => session,
        Called::Failed(failed) => return fail(records, failed),
        Called::Stopped => return true,
    };
    let yields = &attempt.job.yields;
    let collector = yields.has_files().then(|| Collector::new(place.start_in, yields, !attempt.job.shared_filesystem));
    let mut collector = match collector.transpose() {
        Ok(collector) => collector,
        Err(error) => return fail(records, unreadable(place, &error)),
    };
    if session.runs_per_item() {
        return each(attempt, place, &session, collector.as_mut(), records, running);
    }
    if attempt.may_leave_out() {
        match attempt.listing().any(attempt.items) {
            Ok(true) => {}
            Ok(false) => {
                for item in attempt.items.start()..attempt.items.stop() {
                    if let Err(lost) = records.left_out(item) {
                        give_up_on_rest(attempt, records, lost);
                        break;
                    }
                }
                return false;
            }
            Err(error) => return fail(records, error.into()),
        }
    }
    match once(place, &session, attempt.items, collector.as_mut(), running) {
        Called::Stopped => true,
        Called::Failed(failed) => fail(records, failed),
        Called::Done((output, Some(files))) => {
            if let Err(lost) = records.bundle(attempt.items, output, &files) {
                give_up_on_rest(attempt, records, lost);
            }
            false
        }
        Called::Done((mut output, None)) => {
            match checksum(&mut output) {
                Ok(crc) => records.whole(attempt.items, output, crc),
                Err(error) => {
                    let cause = Cause::Machine(error.to_string());
                    return fail(records, CallFailed { seconds: output.seconds, ..CallFailed::of_items(cause) });
                }
            }
            false
        }
    }
}

/// Runs the program once for each item; true where it was told to stop.
fn each(
    attempt: &Attempt<'_>,
    place: &Place<'_>,
    session: &Session<'_>,
    mut collector: Option<&mut Collector<'_>>,
    records: &mut Records,
    running: &Running,
) -> bool {
    let stop = attempt.items.stop();
    let (mut worked, mut failures) = (false, 0);
    for item in attempt.items.start()..stop {
        if running.stopped() {
            return true;
        }
        let one = Interval::new(item, item + 1).expect("one item");
        let called = match session.keeps(item) {
            Ok(false) => {
                if let Err(lost) = records.left_out(item) {
                    give_up_on_rest(attempt, records, lost);
                    return false;
                }
                continue;
            }
            Ok(true) => once(place, session, one, collector.as_deref_mut(), running),
            Err(failed) => Called::Failed(failed),
        };
        match called {
            Called::Stopped => return true,
            Called::Done((output, files)) => {
                worked = true;
                if let Err(lost) = records.entry(item, output, &files.unwrap_or_default()) {
                    give_up_on_rest(attempt, records, lost);
                    return false;
                }
            }
            Called::Failed(failed) => {
                failures += 1;
                let (cause, is_final) = (failed.cause.clone(), failed.is_final);
                fail(records, one, failed);
                let is_hopeless = is_final || (!worked && failures == HOPELESS);
                if let Some(rest) = Interval::new(item + 1, stop).filter(|_| is_hopeless) {
                    let why = match is_final {
                        true => "not run: the machine would not",
                        false => "not run: the items before them all failed",
                    };
                    records.failure(rest, cause, 0.0, format!("{why}\n").into_bytes());
                    return false;
                }
            }
        }
    }
    false
}

/// What a run leaves: its result, and its files where any are to come back.
type Left = (Output, Option<Vec<super::collect::Collected>>);

/// One run of the program over `items`, and the files that it wrote.
fn once(
    place: &Place<'_>,
    session: &Session<'_>,
    items: Interval,
    collector: Option<&mut Collector<'_>>,
    running: &Running,
) -> Called<Left> {
    let bindings = match session.bindings(items) {
        Ok(bindings) => bindings,
        Err(failed) => return Called::Failed(failed),
    };
    let Some(collector) = collector else {
        return match session.call(items, &bindings, running) {
            Called::Done(output) => Called::Done((output, None)),
            Called::Failed(failed) => Called::Failed(failed),
            Called::Stopped => Called::Stopped,
        };
    };
    let expected = match session.expected(items, &bindings) {
        Ok(expected) => expected,
        Err(failed) => return Called::Failed(failed),
    };
    if let Err(error) = collector.before(&expected) {
        return Called::Failed(unreadable(place, &error));
    }
    let failed = match session.call(items, &bindings, running) {
        Called::Stopped => return Called::Stopped,
        Called::Failed(failed) => failed,
        Called::Done(output) => match collector.after(&expected) {
            Ok(files) => return Called::Done((output, Some(files))),
            Err(cause) => CallFailed { seconds: output.seconds, ..CallFailed::of_items(cause) },
        },
    };
    Called::Failed(match collector.discard(&expected) {
        Ok(()) => failed,
        Err(error) => unreadable(place, &error),
    })
}

fn unreadable(place: &Place<'_>, error: &io::Error) -> CallFailed {
    let cause = Cause::Machine(format!("{}: {error}", place.start_in.display()));
    CallFailed { is_final: true, ..CallFailed::of_items(cause) }
}

fn fail(records: &mut Records, items: Interval, failed: CallFailed) {
    records.failure(items, failed.cause, failed.seconds, failed.last_words);
}

/// Entries cannot be kept any more.
fn give_up_on_rest(attempt: &Attempt<'_>, records: &mut Records, lost: Lost) {
    let rest = Interval::new(lost.first, attempt.items.stop()).expect("one item is lost at least");
    records.failure(rest, Cause::Machine(lost.error.to_string()), 0.0, Vec::new());
}

/// Without a command the items themselves are the results: those of a range one a line, rows one by one.
fn list(attempt: &Attempt<'_>, own: &Path, records: &mut Records) -> bool {
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
                    let cause = Cause::Machine(format!("{}: {error}", path.display()));
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
                    give_up_on_rest(attempt, records, lost);
                    break;
                }
            }
        }
    }
    false
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

fn save(attempt: &Attempt<'_>, place: &Place<'_>, records: &mut Records) -> Result<(), StoreError> {
    let name = attempt_name(attempt.retry);
    let header = |items: Interval, kind: Kind, seconds: f64| Header {
        plan: attempt.job.plan,
        code: attempt.code,
        items,
        kind,
        seconds,
        host: place.host.into(),
        attempt: name.as_str().into(),
    };
    let path = place.partials.join(record::partial_name(attempt.chunk, &name));
    let mut draft = Draft::new(&path, 0o666)?;
    records.write(&mut draft, header).map_err(StoreError::on("write", &path))?;
    if attempt.job.shared_filesystem {
        // A network file system tells only now that the disk was full.
        draft.commit()
    } else {
        draft.commit_unsynced()
    }
}
