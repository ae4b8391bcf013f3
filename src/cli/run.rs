//! `split run`.

use std::path::Path;
use std::sync::Arc;

use rustix::process::Signal;

use super::Done;
use super::answer::{Wanted, answer};
use super::arguments::RunOptions;
use super::cure::{CHANGED, OTHER_ITEMS};
use super::failure::Failure;
use super::output::{count, last_lines, say};
use super::plan::{describe, programs, requested, shown, write};
use super::signals::Listener;
use super::{access_point, progress, reduce, versions};
use crate::exit::Exit;
use crate::folder::{Laid, Layout, locate};
use crate::local::{self, ChunkFailure, LocalError, Options, Report};
use crate::plan::{Plan, Word};
use crate::pool::{LockState, lock_state};
use crate::record::Cause;
use crate::record::Gathered;
use crate::runner::Running;

/// So many failed chunks are shown; the rest is counted.
const SHOWN: usize = 5;

pub(super) fn run(options: &RunOptions) -> Done {
    let (layout, plan, threads) = match &options.planned {
        Some(folder) => existing(folder, options)?,
        None if options.what.items.ordered.is_empty()
            && options.what.template.is_none()
            && Path::new("plan.json").is_file() =>
        {
            existing(Path::new("."), options)?
        }
        None => planned(options)?,
    };
    let mut gathered = reduce::read(&layout, &plan)?;
    if let Some(redo) = options.redo {
        versions::need_whole(&layout)?;
        let now = versions::now(&layout, &plan)?;
        if let Some((aside, chunks)) = versions::set_aside(&layout, &plan, &gathered, &now, redo)? {
            let chunks = count(chunks, "chunk");
            say(&format!("set aside: {chunks} to be computed again, in {}", aside.display()));
            gathered = reduce::read(&layout, &plan)?;
        }
    }
    if !options.mixed {
        versions::refuse_coming_mixture(&layout, &plan, &gathered)?;
    }
    let wanted = Wanted {
        partial: options.partial,
        tolerance: options.what.tolerance,
        mixed: options.mixed,
        to: options.what.to.as_deref(),
    };
    let gathered = if gathered.tiling.gaps.is_empty() {
        say("nothing is left to compute");
        gathered
    } else {
        let report = compute(&layout, &plan, &gathered, options, threads)?;
        if report.stopped {
            return Err(interrupted(&layout, &report));
        }
        let gathered = reduce::read(&layout, &plan)?;
        if !report.failures.is_empty() && !wanted.allows(&plan, &gathered) {
            return Err(chunks_failed(&layout, &plan, &report));
        }
        gathered
    };
    answer(&layout, &plan, &gathered, &wanted)
}

/// The plan in a folder; it has its options already.
fn existing(folder: &Path, options: &RunOptions) -> Result<(Layout, Plan, Option<u16>), Failure> {
    if options.what.is_untouched() {
        let (layout, plan) = reduce::find(folder)?;
        let threads = gentle(&plan, options)?;
        return Ok((layout, plan, threads));
    }
    let folder = Word::from(folder.as_os_str().to_owned()).quoted();
    Err(Failure::new(Exit::Usage, format!("the plan in {folder} has its options already, and others were given"))
        .help(format!("split run {folder} --jobs N --partial --mixed --redo --to FILE takes no others"))
        .help("to change the plan, give all of its options again, --total and the command among them, with --keep"))
}

/// Plans as `split plan` does, with a shorter account.
fn planned(options: &RunOptions) -> Result<(Layout, Plan, Option<u16>), Failure> {
    if options.what.probe_on_pool {
        return Err(Failure::new(Exit::Usage, "split run computes all items here: --probe-on-pool is for split plan"));
    }
    let (mut request, probed) = requested(&options.what, false)?;
    // Before the plan is written, which starts threads.
    let threads = gentle(&request.plan, options)?;
    let programs = programs()?;
    let laid = write(&mut request, &programs, &probed.as_ref().map_or(Vec::new(), |probed| probed.partials.clone()))?;
    if !matches!(laid, Laid::Unchanged | Laid::Completed) {
        for line in describe(&request) {
            say(&line);
        }
    }
    if let Laid::Kept { aside, .. } | Laid::MovedAside { aside } = &laid {
        say(&format!("the older plan is in {}", aside.display()));
    }
    let (layout, plan) = locate(&request.folder).map_err(|error| Failure::from_error(Exit::NoPlan, &error))?;
    Ok((layout, plan, threads))
}

/// On an access point: how many threads to use.
fn gentle(plan: &Plan, options: &RunOptions) -> Result<Option<u16>, Failure> {
    let threads = access_point::be_gentle(&plan.site.access_point, options.jobs, "--jobs");
    access_point::limit_merging(threads)?;
    Ok(threads)
}

fn compute(
    layout: &Layout,
    plan: &Plan,
    gathered: &Gathered,
    options: &RunOptions,
    threads: Option<u16>,
) -> Result<Report, Failure> {
    let rows = reduce::rows(layout, plan)?;
    let cores = threads.map(usize::from);
    let cores = cores.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    let cpus = usize::try_from(plan.resources.cpus).unwrap_or(usize::MAX);
    let workers = options.jobs.map_or((cores / cpus).max(1), usize::from);
    if let Some(image) = &plan.resources.container {
        say(&format!("note: here the program runs without its container, {image}, which jobs are given"));
    }
    let done = gathered.covered();
    if done > 0 {
        say(&format!("{} of {} have results already", done, count(plan.space.count(), "item")));
    }
    if let LockState::Live { why, .. } = lock_state(&layout.dag()) {
        say(&format!("note: a DAGMan is at work here, too: {why}; what both compute counts once"));
    }
    // Items may be past 64 bits: the bar counts chunks.
    let first = gathered.tiling.gaps.iter().map(|&gap| plan.chunks_of(gap));
    let left: u64 = first.map(|(first, last)| last - first + 1).sum();
    let bar = progress::bar(plan.cut.chunks().max(left), "computing");
    bar.set_position(plan.cut.chunks().saturating_sub(left));
    bar.reset_eta();

    let running = Running::guarded()
        .map_err(|error| Failure::new(Exit::Machine, format!("cannot start a process of our own: {error}")))?;
    let running = Arc::new(running);
    let stop = Arc::clone(&running);
    let listener = Listener::start(move |number| {
        if number == 0 {
            say("stopping; once more ends the programs at once");
        }
        // The second time no program is asked any more.
        stop.stop(if number == 0 { Signal::TERM } else { Signal::KILL });
    })?;
    let report = local::run(layout, plan, &rows, gathered, Options { workers }, &running, &|_| bar.inc(1));
    listener.end();
    bar.finish_and_clear();
    for aside in report.iter().flat_map(|report| &report.set_aside) {
        say(&format!("segment {} was computed again: {}: {}", aside.segment, aside.path.display(), aside.why));
    }
    report.map_err(|error| match &error {
        LocalError::Store(source) => Failure::from_error(Exit::Machine, source),
        LocalError::Run(source) => Failure::from_error(Exit::Machine, source),
    })
}

/// How to go on in a folder.
fn again(layout: &Layout) -> String {
    let root = Word::from(layout.root().as_os_str().to_owned()).quoted();
    format!("split run {root}")
}

fn interrupted(layout: &Layout, report: &Report) -> Failure {
    Failure::new(Exit::Interrupted, format!("stopped; {} done by now are kept", count(report.computed, "chunk")))
        .help(format!("{} goes on where it stopped", again(layout)))
}

fn chunks_failed(layout: &Layout, plan: &Plan, report: &Report) -> Failure {
    let number = report.failures.len();
    let what = count(number as u128, "chunk");
    let failed = |what| Failure::new(Exit::ChunksFailed, what);
    let (mut failure, shown_of_them) = match &report.given_up {
        None => (failed(format!("{what} failed")), SHOWN),
        // One stands for all.
        Some(failures) => {
            let alike = if number == 1 { "" } else { " the same way" };
            let others = plan.cut.chunks().saturating_sub(number as u64);
            let failure = failed(format!("{what} failed{alike}, and the other {others} were not tried"));
            (if number == 1 { failure } else { failure.detail(failures.count()) }, 1)
        }
    };
    for ChunkFailure { chunk, items, others, cause, last_words, tries } in report.failures.iter().take(shown_of_them) {
        let what = if items.count() == 1 { "item" } else { "items" };
        let mut range = plan.space.describe(*items);
        if *others > 0 {
            range.push_str(&format!(" and {}", count(*others, "other")));
        }
        let tried = if *tries > 1 { format!(", the last of {tries} times") } else { String::new() };
        failure = failure.detail(format!("chunk {chunk}, {what} {range}: {cause}{tried}"));
        for line in last_lines(last_words, 5) {
            failure = failure.detail(format!("  {line}"));
        }
    }
    if number > shown_of_them && report.given_up.is_none() {
        failure = failure.detail(format!("... and {} more", number - SHOWN));
    }
    let in_set_up = report.failures.iter().all(|failure| matches!(failure.cause, Cause::Setup(_)));
    let broken = if in_set_up { "set-up" } else { "program" };
    let nowhere = report.failures.iter().any(|failure| matches!(failure.cause, Cause::NotStarted(_)));
    let changed = |cause: &Cause| matches!(cause, Cause::Machine(why) if why.contains(CHANGED));
    let failure = match report.failures.iter().any(|failure| changed(&failure.cause)) {
        true => failure.help(OTHER_ITEMS),
        false => failure,
    };
    let bad = report.failures.iter().find_map(|failure| match &failure.cause {
        Cause::BadResult { text, .. } => Some(text),
        _ => None,
    });
    let failure = match bad {
        Some(text) => failure.help(reduce::cure_of_line(&plan.reduce, text)),
        None => failure,
    };
    let failure = match nowhere {
        true => failure.help("another command is another plan: give it with --force"),
        false => failure,
    };
    failure
        .detail(format!(
            "{} done; their results are in {}",
            count(report.computed, "chunk"),
            shown(layout.root(), "outputs")
        ))
        .help(format!("mend the {broken}, then {} computes what is missing", again(layout)))
        .help("--partial answers without them, and says so")
}
