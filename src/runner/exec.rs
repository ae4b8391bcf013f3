//! The runner inside a job.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::ads::{attribute, grace, host, retry};
use super::carry::State;
use super::checkpoint::{self, Checkpoints};
use super::chunk::{Attempt, Carried, Outcome, Place, RunError, give_up, run};
use super::container::{self, Entered, Outside};
use super::environment::Base;
use super::program::Running;
use super::segment::Leg;
use super::shortage;
use crate::chain;
use crate::exit::Exit;
use crate::inputs::{code_that_arrived, place_urls, settle};
use crate::plan::{CARRIED, CARRIED_CHECKPOINTS, CHECKPOINTS, Job, PLAN_FILES};
use crate::record::Cause;
use crate::rows;
use crate::space::{Interval, Rows};
use crate::store::{Growing, StoreError};

type Stopped = (Exit, String);

/// Runs the chunk that `numbers` (CHUNK START STOP, and in a chain SEGMENT) name. The partial is left in the current folder:
/// the sandbox's top, whose new files HTCondor brings back, or `outputs/` on a shared file system.
///
/// A job that will not be tried again ends with exit code 0 whatever failed, where the plan has a tail: one node of a DAG
/// that fails would keep the tail from running. What is missing the tail tells from the records.
pub(super) fn exec(document: &Path, numbers: &[&str]) -> Result<Exit, Stopped> {
    let damaged = |why: String| (Exit::JobMachine, format!("{}: {why}", document.display()));
    let bytes = std::fs::read(document).map_err(|error| damaged(error.to_string()))?;
    let job = Job::from_json(&bytes).map_err(|error| damaged(error.to_string()))?;
    match compute(&job, document, numbers) {
        Err((exit, why)) if exit != Exit::Usage && is_last_attempt(&job) => {
            // Nobody may be there to read it.
            let _ = writeln!(std::io::stderr(), "yielded: {why}");
            Ok(Exit::Success)
        }
        done => done,
    }
}

/// Whether the plan has a tail, and the job will not be tried again if it fails. HTCondor's own number of retries counts
/// where it is lower: chunk.sub may have been edited.
fn is_last_attempt(job: &Job) -> bool {
    let of_job = attribute("_CONDOR_JOB_AD", "JobMaxRetries").and_then(|number| number.parse().ok());
    job.retries.is_some_and(|retries| retry() >= of_job.map_or(retries, |most: u32| most.min(retries)))
}

fn compute(job: &Job, document: &Path, numbers: &[&str]) -> Result<Exit, Stopped> {
    let (chunk, start, stop, segment) = match (numbers, &job.chain) {
        (&[chunk, start, stop], None) => (chunk, start, stop, None),
        (&[chunk, start, stop, segment], Some(_)) => (chunk, start, stop, segment.parse::<u32>().ok()),
        _ => return Err((Exit::Usage, "exec takes JOB.json CHUNK START STOP, and SEGMENT in a chain".to_owned())),
    };
    let number = |text: &str| text.parse::<u128>().ok();
    let chunk = number(chunk).and_then(|chunk| u64::try_from(chunk).ok());
    let items = number(start).zip(number(stop)).and_then(|(start, stop)| Interval::new(start, stop));
    let items = items.filter(|items| items.stop() <= job.space.count());
    let (Some(chunk), Some(items)) = (chunk, items) else {
        return Err((Exit::Usage, format!("no such items: {}", numbers.join(" "))));
    };

    let here = std::env::current_dir().map_err(|error| (Exit::JobMachine, format!("no current folder: {error}")))?;
    // On a shared file system the document lies in the plan's folder, and the job's files where they always are.
    // That is the folder of PLAN_FILES/job/job.json.
    let plan = job.shared_filesystem.then(|| here.join(document.ancestors().nth(3).unwrap_or(Path::new(""))));
    let tree = plan.as_ref().map_or_else(|| here.join("work"), |plan| plan.join(job.start_in.as_os_str()));
    // Joined with nothing, a path would get a slash at its end, and so would HOME.
    let at_top = job.shared_filesystem || job.start_in.as_bytes().is_empty();
    let start_in = if at_top { tree.clone() } else { tree.join(job.start_in.as_os_str()) };
    let own = scratch(&here).map_err(|error| (Exit::JobMachine, error.to_string()))?;
    if !job.shared_filesystem {
        std::fs::create_dir_all(&start_in)
            .map_err(|error| (Exit::JobMachine, format!("{}: {error}", start_in.display())))?;
    }
    let running = Arc::new(Running::new());
    let inside = container::is_inside().map_err(|error| (Exit::JobMachine, error.to_string()))?;
    let grace = (inside || job.container.is_none()).then(grace);
    forward_signals(&running, grace).map_err(|error| (Exit::JobMachine, error.to_string()))?;
    let host = host();
    let setup = job.setup.as_ref().map(|setup| tree.join(setup.path().as_os_str()));
    let before = State::read(&here);
    let carried_to = here.join(CARRIED);
    let carries = !job.shared_filesystem && job.pacing.keeps();
    let carried = carries.then(|| Carried { path: &carried_to, cost: before.as_ref().and_then(State::cost) });
    // On a shared file system the job's folder is among the plan's, but for a trial's, of which nothing is to stay.
    let lasting = plan.as_ref().and_then(|plan| plan.canonicalize().ok()).filter(|plan| here.starts_with(plan));
    let lasts = lasting.is_some();
    let checkpoints = lasting.unwrap_or_else(|| here.clone()).join(CHECKPOINTS);
    let packed = here.join(CARRIED_CHECKPOINTS);
    let place = Place {
        start_in: &start_in,
        setup: setup.as_deref(),
        scratch: own.path(),
        partials: &here,
        carried,
        checkpoints: job.pacing.checkpoint.map(|_| Checkpoints { folder: &checkpoints, lasts }),
        base: Base::Job,
        host: &host,
    };
    let placed = place_urls(&job.urls, &here, &tree);
    let (code, missing) = match &before {
        // What has been settled is not what arrived any more.
        Some(before) => (before.code, None),
        None => code_that_arrived(job, &tree),
    };
    let leg = segment.map(|until| {
        let folder = here.join(chain::folder_name(chunk, until));
        chain::receive(&folder, job, items).map(|from| Leg { from, until })
    });
    let (leg, not_received) = match leg {
        Some(Err(error)) => (None, Some(error.to_string())),
        Some(Ok(leg)) => (Some(leg), None),
        None => (None, None),
    };
    let leg = leg.as_ref();
    let mut attempt = Attempt { job, chunk, items, code, rows: Rows::NONE, retry: retry(), leg };
    let failed = match placed {
        Err(error) => Some(in_one_line(&error)),
        Ok(()) => missing.or(not_received),
    };
    let outcome = match (failed, &job.container) {
        (Some(why), _) => give_up(&attempt, &place, Cause::Machine(why), Vec::new()),
        (None, Some(image)) if !inside => {
            let outside = Outside { here: &here, tree: &tree, plan: plan.as_deref(), own: own.path() };
            let numbers = numbers.iter().map(OsStr::new);
            let words: Vec<_> = ["exec".as_ref(), document.as_os_str()].into_iter().chain(numbers).collect();
            match container::enter(job, image, outside, &words, &running) {
                Entered::Ran { code, said } => return passed_on(code, &said),
                Entered::Stopped => Ok(Outcome::Stopped),
                Entered::Machine(why) => give_up(&attempt, &place, Cause::Machine(why), Vec::new()),
                Entered::NotStarted { why, said } => give_up(&attempt, &place, Cause::NotStarted(why), said),
            }
        }
        (None, _) => {
            let rows = values(job, chunk, items, &here, plan.as_deref(), (&tree, &start_in));
            // On a shared file system nothing has moved.
            let settled = rows.and_then(|rows| match job.shared_filesystem {
                true => Ok(rows),
                false => settle(&job.links, &job.environments, &tree, &start_in)
                    .map(|()| rows)
                    .map_err(|error| in_one_line(&error)),
            });
            match settled {
                Ok(rows) => {
                    attempt.rows = &rows;
                    run_carried(&attempt, &place, &running, &packed)
                }
                Err(why) => give_up(&attempt, &place, Cause::Machine(why), Vec::new()),
            }
        }
    };
    let outcome = outcome.map_err(|error| {
        let RunError::Store(StoreError { source, .. }) = &error;
        let exit = if shortage::is_full(source) { Exit::OutOfDisk } else { Exit::JobMachine };
        (exit, in_one_line(&error))
    })?;
    if outcome == Outcome::Carry {
        State::leave(&here, code).map_err(|error| (Exit::JobMachine, in_one_line(&error)))?;
    }
    if let Outcome::Failed { cause, failed, over_budget, .. } = &outcome {
        let without: u128 = failed.iter().map(|items| items.count()).sum();
        let some = match without == items.count() {
            true => String::new(),
            false => format!(" ({without} of {} items have no result)", items.count()),
        };
        // The same again would look for the bad items for as long, and end as this did: the tail has smaller pieces.
        let yields = *over_budget && job.retries.is_some();
        return Err((if yields { Exit::Success } else { outcome.exit() }, format!("{cause}{some}")));
    }
    Ok(outcome.exit())
}

/// Runs it, where the program's own state is carried between its checkpoints and the file `packed`.
fn run_carried(
    attempt: &Attempt<'_>,
    place: &Place<'_>,
    running: &Running,
    packed: &Path,
) -> Result<Outcome, RunError> {
    let Some(checkpoints) = place.checkpoints.filter(|checkpoints| !checkpoints.lasts) else {
        return run(attempt, place, running);
    };
    if !checkpoints.folder.exists() {
        checkpoint::unpack(packed, checkpoints.folder)?;
    }
    let outcome = run(attempt, place, running);
    match outcome {
        Ok(Outcome::Carry | Outcome::Stopped) => {
            // A file that is named for the carry and is not there puts the job on hold.
            if let Some(carried) = place.carried {
                Growing::touch(carried.path)?;
            }
            checkpoint::pack(checkpoints.folder, packed)?;
        }
        // It is not for whoever submitted the job.
        _ => match std::fs::remove_file(packed) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::on("remove", packed)(error).into());
            }
            _ => {}
        },
    }
    outcome
}

/// The rows of the chunk's items, as the program is given them, once their files are at their places. They arrive at the
/// sandbox' top; on a shared file system they are in the plan's folder.
fn values(
    job: &Job,
    chunk: u64,
    items: Interval,
    here: &Path,
    plan: Option<&Path>,
    (tree, start_in): (&Path, &Path),
) -> Result<Rows, String> {
    if job.space.listed().is_empty() {
        return Ok(Rows::default());
    }
    let arrived = here.join(rows::chunk_name(chunk));
    let folder = match plan {
        Some(plan) if !arrived.exists() => plan.join(PLAN_FILES).join("chunks").join(rows::chunk_place(chunk)),
        _ => arrived,
    };
    let found = rows::read_rows(&folder, job.plan, &job.space, items).map_err(|error| in_one_line(&error))?;
    let from = if job.shared_filesystem { rows::Origin::Shared(start_in) } else { rows::Origin::Arrived(&folder) };
    rows::place_files(&job.space, items, &found, from, (tree, start_in)).map_err(|error| error.to_string())?;
    Ok(rows::as_given(&job.space, found, job.shared_filesystem))
}

/// What the runner inside the container said and how it ended: all has been recorded by it.
fn passed_on(code: i32, said: &[u8]) -> Result<Exit, Stopped> {
    let exit = Exit::ALL.iter().map(|(exit, _)| *exit).find(|exit| i32::from(*exit as u8) == code);
    let said = String::from_utf8_lossy(said);
    let last = said.lines().last().unwrap_or_default();
    match exit {
        Some(exit @ (Exit::Success | Exit::Carry)) => Ok(exit),
        other => Err((other.unwrap_or(Exit::JobMachine), last.trim_start_matches("error: ").to_owned())),
    }
}

/// A folder for what the runner and the program keep on the way: below HTCondor's scratch folder, where the
/// job's own disk is. New folders are not brought back.
fn scratch(here: &Path) -> std::io::Result<tempfile::TempDir> {
    let above = std::env::var_os("_CONDOR_SCRATCH_DIR").map_or_else(|| here.to_owned(), PathBuf::from);
    tempfile::Builder::new().prefix(".split-").tempdir_in(above)
}

/// An error with what caused it.
pub(super) fn in_one_line(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

/// An eviction's SIGTERM reaches the program and its children. Those that have not ended within `grace` are killed: what is
/// finished can be brought back then, and HTCondor would kill all. Without it that is left to the runner in the container.
fn forward_signals(running: &Arc<Running>, grace: Option<Duration>) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let running = Arc::clone(running);
    std::thread::spawn(move || {
        let mut to_be_killed = grace;
        for _ in &mut signals {
            running.stop(Signal::TERM);
            if let Some(grace) = to_be_killed.take() {
                let running = Arc::clone(&running);
                std::thread::spawn(move || {
                    std::thread::sleep(grace);
                    running.stop(Signal::KILL);
                });
            }
        }
    });
    Ok(())
}
