//! Trying a few items before a plan is cut, so that its chunks take as long as they should.
//!
//! Groups of items, at places spread over the space ([`cut::Trial`]), run one after another as jobs would, within a budget. What they took
//! tells what all items take ([`Measured`]). What was computed counts: its records come into the plan's folder, and the chunks are cut
//! around it. `split probe` does the same without a plan, and keeps the records for one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Done;
use super::arguments::{ProbeOptions, WhatOptions};
use super::cost::{Expected, milliseconds};
use super::failure::Failure;
use super::learn::{error_of_mean, in_chunks_of};
use super::outlook::outlook;
use super::output::{binary, count, fine_seconds, last_lines, say, seconds, tell};
use super::plan::{programs, write};
use super::request::{Knowledge, Known, Request, usage};
use super::{access_point, jobs, progress, reduce, try_one};
use crate::cut::{self, Costs, Cut, Measured, Timed};
use crate::exit::Exit;
use crate::folder::Layout;
use crate::local::{Computed, Finished, Jobs, SandboxError, Sandboxes};
use crate::plan::{Plan, Seen, Word};
use crate::pool::is_access_point;
use crate::record::{Header, gather};
use crate::space::Interval;
use crate::store;

/// Even an item that takes no time to speak of takes this, in seconds.
const LEAST: f64 = 1e-7;
/// Where items differ by no more than this factor one number tells of them.
const ALIKE: f64 = 1.01;
/// What is still at work when the budget is used up is told to end, and has so long for it.
const GRACE: Duration = Duration::from_secs(5);
/// The folder in a plan's own that has what `split probe` keeps.
pub(super) const PROBED: &str = "plan.probe";

/// What trying items has shown.
#[derive(Debug)]
pub(super) struct Probed {
    pub(super) known: Known,
    /// The partials with what was computed.
    pub(super) partials: Vec<PathBuf>,
    /// Where these are.
    _folder: tempfile::TempDir,
}

/// What came of the items that were tried.
#[derive(Debug)]
struct Tried {
    runs: Vec<Timed>,
    /// What was still at work when the budget was used up, and for how long it had been.
    unfinished: Option<Timed>,
    seen: Seen,
    /// The share of the groups that failed, and why the first one did.
    failures: f64,
    failed: Option<Failure>,
    partials: Vec<PathBuf>,
}

/// What follows from them.
#[derive(Debug)]
struct Found {
    cut: Cut,
    expected: Expected,
    /// Whether what was computed is a part of the cut's.
    counts: bool,
    /// The runs and the fit, for people.
    lines: Vec<String>,
}

/// Tries items where nothing says how to cut; `None` where something does.
pub(super) fn probe(options: &WhatOptions) -> Result<Option<Probed>, Failure> {
    if options.chunks.is_some() || options.chunk_size.is_some() || options.cost.is_some() {
        return Ok(None);
    }
    let trial = Trial::new(options)?;
    if trial.request.plan.command.is_none() {
        // Items that are their own results take no time.
        let costs = even(trial.request.plan.space.count(), LEAST)?;
        let cut =
            costs.cut(costs.chunks(trial.target)).map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
        let expected = Expected::new(&costs, &cut, 0.0);
        let known = Known { cut, expected: Some(expected), target: None, seen: None };
        return Ok(Some(Probed { known, partials: Vec::new(), _folder: trial.folder }));
    }
    let mut trial = trial;
    let mut tried = match kept(&options.dir, &trial.request.plan) {
        Some(kept) => {
            let items = count(kept.runs.iter().map(|run| run.items.count()).sum::<u128>(), "item");
            say(&format!("split probe has tried {items}: none is tried now"));
            kept
        }
        None => trial.run(options)?,
    };
    let found = Found::new(&trial.request.plan, &tried, None, trial.target)?;
    for line in &found.lines {
        say(line);
    }
    if !found.counts {
        tried.partials.clear();
    }
    let target = Some(milliseconds(Duration::from_secs_f64(trial.target)));
    let known = Known { cut: found.cut, expected: Some(found.expected), target, seen: Some(tried.seen) };
    Ok(Some(Probed { known, partials: tried.partials, _folder: trial.folder }))
}

/// A plan whose first stage tries items on the pool.
pub(super) fn on_pool(options: &WhatOptions, renew: bool) -> Result<Request, Failure> {
    let request = Request::new(options, renew, &Knowledge::Probing)?;
    let refuse = |why: &str| {
        let failure = usage(format!("--probe-on-pool: {why}"));
        failure.help("say how to cut: --chunks N or --chunk-size N; or how long an item takes: --cost 3.2s")
    };
    match &request.plan.command {
        None => Err(refuse("without a command the items themselves are the results: there is nothing to try")),
        Some(command) if command.depends_on_the_cut() => {
            Err(refuse("the command names its chunk, so that what is tried would be of no use to other chunks"))
        }
        Some(_) => Ok(request),
    }
}

/// `split probe`.
pub(super) fn command(options: &ProbeOptions) -> Done {
    if options.what.template.is_some() {
        return Err(usage("--template: a trajectory is cut into segments, which are not tried first")
            .help("split plan, and then split try computes the first segment here"));
    }
    let options = &options.what;
    if options.probe_on_pool {
        return Err(usage("split probe tries items here: --probe-on-pool is for split plan"));
    }
    for (is_given, name) in [(options.keep, "--keep"), (options.force, "--force")] {
        if is_given {
            return Err(usage(format!("split probe writes no plan: {name} is for split plan")));
        }
    }
    if options.cost.is_some() {
        return Err(usage("--cost says how long an item takes: there is nothing to try")
            .help("split plan, with the same options, cuts by it"));
    }
    let mut trial = Trial::new(options)?;
    if trial.request.plan.command.is_none() {
        return Err(usage("without a command the items themselves are the results: there is nothing to try")
            .help("name the program after `--`, such as: -- python3 sum.py {first} {last}"));
    }
    let is_said = options.chunks.is_some() || options.chunk_size.is_some();
    // What is wrong with the options shows before anything is tried.
    let said = is_said.then(|| Request::new(options, false, &Knowledge::Nothing)).transpose()?;
    let tried = trial.run(options)?;
    let found = Found::new(&trial.request.plan, &tried, said.map(|said| said.plan.cut), trial.target)?;
    let known = Known { cut: found.cut, expected: Some(found.expected.clone()), target: None, seen: Some(tried.seen) };
    let request = Request::new(options, false, &Knowledge::Known(known))?;
    let plan = &request.plan;
    let mut lines = found.lines;
    let (least, most) = plan.cut.sizes(plan.space.count());
    let each = if least == most { count(most, "item") } else { format!("{least} to {}", count(most, "item")) };
    lines.push(format!("{} of {each} each", count(plan.cut.chunks(), "chunk")));
    lines.extend(outlook(plan, &found.expected, is_said));
    lines.push(format!("each job asks for {} of memory and {} of disk", plan.resources.memory, plan.resources.disk));
    lines.extend(request.jobs.notes.iter().filter(|note| note.starts_with("note: ")).cloned());
    let words = "split plan, with the same options,";
    if is_said {
        lines.push(format!("nothing is kept: {words} cuts as it is told"));
    } else if plan.knows_code() {
        keep_for_plan(&options.dir, &trial.request.plan, &tried)?;
        let place = Word::from(options.dir.join(PROBED).into_os_string()).quoted();
        let counts = if found.counts { "counts them and tries none" } else { "tries none" };
        let items = count(tried.runs.iter().map(|run| run.items.count()).sum::<u128>(), "item");
        lines.push(format!("kept: {items} in {place}; {words} {counts}"));
    } else {
        lines.push(format!("nothing is kept: what is fetched by URL may change; {words} tries items anew"));
    }
    tell(&lines)
}

/// A plan over a few places, in a temporary folder.
#[derive(Debug)]
struct Trial {
    request: Request,
    folder: tempfile::TempDir,
    /// So long a chunk is to take, in seconds.
    target: f64,
    /// Whether the site lets items be tried on an access point.
    is_allowed: bool,
}

impl Trial {
    fn new(options: &WhatOptions) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("split-probe-").tempdir();
        let folder =
            folder.map_err(|error| Failure::new(Exit::Machine, format!("cannot make a temporary folder: {error}")))?;
        let site = jobs::site(options.site.as_deref())?;
        let target = options.target.unwrap_or_else(|| jobs::target(&site.profile)).as_secs_f64();
        let is_allowed = site.profile.probe.as_ref().is_none_or(|probe| probe.value);
        let trial = WhatOptions {
            dir: folder.path().join("plan"),
            keep: false,
            force: false,
            to: None,
            slice: None,
            ..options.clone()
        };
        let request = Request::new(&trial, false, &Knowledge::Probing)?;
        Ok(Self { request, folder, target, is_allowed })
    }

    /// Runs items within the budget.
    fn run(&mut self, options: &WhatOptions) -> Result<Tried, Failure> {
        if is_access_point() && !self.is_allowed {
            return Err(Failure::new(
                Exit::Usage,
                "nothing says how long an item takes, and this access point's profile forbids to try some here",
            )
            .help("say it: --cost 3.2s")
            .help("or try items on the pool: split plan --probe-on-pool, with the same options")
            .help("or say how to cut: --chunks N or --chunk-size N"));
        }
        let kept = self.folder.path().join("kept");
        fs::create_dir_all(&kept)
            .map_err(|error| Failure::new(Exit::Machine, format!("cannot write {}: {error}", kept.display())))?;
        say(&format!(
            "trying a few items here, for {} at most, to find how to cut (--cost 3s says how long an item takes, --chunks N how to cut)",
            seconds(options.probe_budget.as_secs_f64())
        ));
        access_point::read_gently(&self.request.plan.site.access_point)?;
        write(&mut self.request, &programs()?, &[])?;
        let layout = Layout::new(&self.folder.path().join("plan"));
        let mut tried = try_items(&self.request.plan, &self.request, &layout, &kept, options.probe_budget)?;
        if tried.runs.is_empty() {
            return Err(tried.failed.unwrap_or_else(|| {
                Failure::new(
                    Exit::Usage,
                    format!("no item was done within {}", seconds(options.probe_budget.as_secs_f64())),
                )
                .help("say how long an item takes: --cost 10m")
                .help("or try for longer: --probe-budget 10m")
                .help("or say how to cut: --chunks N or --chunk-size N")
            }));
        }
        tried.partials = fs::read_dir(&kept).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        tried.partials.sort();
        Ok(tried)
    }
}

impl Found {
    /// With the cut that is `said`, or one whose chunks take as long as the `target`, in seconds.
    fn new(plan: &Plan, tried: &Tried, said: Option<Cut>, target: f64) -> Result<Self, Failure> {
        let items = plan.space.count();
        let per_item = plan.command.iter().any(|command| command.runs_per_item(&plan.space, plan.yields.stdin_items));
        let measured = Measured::at_least(items, &tried.runs, tried.unfinished.as_slice(), per_item)
            .ok_or_else(|| Failure::new(Exit::Machine, "what the items took that were tried is no time"))?;
        let counts = !plan.command.iter().any(crate::plan::Command::depends_on_the_cut);
        let done = if counts { together(&tried.runs) } else { Vec::new() };
        let mut lines = describe(plan, tried, &measured, per_item);
        let cut = match said {
            Some(cut) => cut,
            None => in_chunks_of(target, &measured, &done)
                .map_err(|failure| lines.iter().fold(failure, |failure, line| failure.detail(line.trim_start())))?,
        };
        if let Some(failed) = &tried.failed {
            let share = 100.0 * tried.failures;
            lines.push(format!("note: {share:.0} % of the groups that were tried failed: {}", failed.message()));
        }
        lines.push(format!("  peak memory {}, disk {}", binary(tried.seen.memory), binary(tried.seen.disk)));
        let expected = Expected { failures: tried.failures, ..Expected::new(&measured.costs, &cut, measured.start) };
        Ok(Self { cut, expected, counts, lines })
    }
}

/// The items of runs, in order; where one follows another without a gap, together.
fn together(runs: &[Timed]) -> Vec<Interval> {
    let mut found: Vec<Interval> = Vec::new();
    for run in runs {
        match found.last_mut() {
            Some(last) if last.stop() == run.items.start() => {
                *last = Interval::new(last.start(), run.items.stop()).unwrap_or(*last);
            }
            _ => found.push(run.items),
        }
    }
    found
}

/// What `split probe` has kept in the folder `dir` for this trial's plan: of the same items, command and code.
fn kept(dir: &Path, plan: &Plan) -> Option<Tried> {
    let layout = Layout::new(&dir.join(PROBED));
    let there = Plan::from_json(&fs::read(layout.plan()).ok()?).ok()?;
    let is_same = there.identity == plan.identity && there.code == plan.code && plan.knows_code();
    if !is_same || there.cut != plan.cut {
        return None;
    }
    let gathered = gather(layout.outputs(), &there, &|_| ()).ok()?;
    // A partial is a run; of one that has failures each result.
    let failed: BTreeSet<PathBuf> = gathered.failures.iter().map(|failure| gathered.path(failure)).collect();
    let mut runs = Vec::new();
    let mut found: BTreeMap<PathBuf, Timed> = BTreeMap::new();
    for result in &gathered.results {
        let (path, one) = (gathered.path(result), timed(&result.record.header));
        if failed.contains(&path) {
            runs.push(one);
        }
        let run = found.entry(path).or_insert(Timed { seconds: 0.0, ..one });
        let (start, stop) = (run.items.start().min(one.items.start()), run.items.stop().max(one.items.stop()));
        *run = Timed { items: Interval::new(start, stop)?, seconds: run.seconds + one.seconds };
    }
    let partials = found.keys().cloned().collect();
    runs.extend(found.into_iter().filter(|(path, _)| !failed.contains(path)).map(|(_, run)| run));
    runs.sort_unstable_by_key(|run| run.items);
    let seen = there.seen?;
    (!runs.is_empty()).then_some(Tried { runs, unfinished: None, seen, failures: 0.0, failed: None, partials })
}

/// How long the items of a record took.
fn timed(header: &Header) -> Timed {
    Timed { items: header.items, seconds: header.seconds }
}

/// Keeps what was tried in the folder `dir`, where [`kept`] finds it; what was kept before goes.
fn keep_for_plan(dir: &Path, plan: &Plan, tried: &Tried) -> Result<(), Failure> {
    let root = dir.join(PROBED);
    let layout = Layout::new(&root);
    if root.symlink_metadata().is_ok() {
        let is_ours = fs::read(layout.plan()).is_ok_and(|bytes| Plan::from_json(&bytes).is_ok());
        if !is_ours {
            let shown = Word::from(root.into_os_string()).quoted();
            return Err(Failure::new(Exit::Differs, format!("{shown} is there already, and not from split probe"))
                .help("rename it, or plan elsewhere: --dir DIR"));
        }
        store::remove_folder(&root)?;
    }
    store::make_folder(layout.outputs())?;
    for path in &tried.partials {
        let bytes = fs::read(path)
            .map_err(|error| Failure::new(Exit::Machine, format!("cannot read {}: {error}", path.display())))?;
        store::write(&layout.outputs().join(path.file_name().unwrap_or_default()), &bytes)?;
    }
    // Last: what is found is whole.
    let plan = Plan { seen: Some(tried.seen), ..plan.clone() };
    Ok(store::write(&layout.plan(), &plan.to_json())?)
}

fn even(items: u128, each: f64) -> Result<Costs, Failure> {
    Costs::even(items, each).map_err(|error| Failure::new(Exit::Usage, error.to_string()))
}

/// Runs items within the budget.
fn try_items(plan: &Plan, request: &Request, layout: &Layout, kept: &Path, budget: Duration) -> Result<Tried, Failure> {
    let sandboxes = Sandboxes::new(layout, plan, &request.rows).map_err(|error| try_one::explain(&error))?;
    let jobs = Arc::new(Jobs::new());
    let listener = try_one::listen(&jobs)?;
    let spinner = progress::spinner("trying items");
    let end = Instant::now() + budget;
    let (over, done) = (Arc::clone(&jobs), Arc::new(AtomicBool::new(false)));
    let is_done = Arc::clone(&done);
    // Ends what is still at work when the budget is used up, whether it will or not.
    let clock = std::thread::spawn(move || {
        let mut is_told = false;
        while !is_done.load(Ordering::Relaxed) {
            let now = Instant::now();
            if now >= end && !is_told {
                over.stop();
                is_told = true;
            }
            if now >= end + GRACE {
                return over.kill();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let group = |number: u64, items: Interval| sandboxes.compute(number, items, &jobs);
    // The priority is this thread's, and that of what it starts: all else that there is to do goes on as usual.
    let tried = std::thread::scope(|scope| {
        let trial = scope.spawn(|| {
            access_point::step_back(&plan.site.access_point);
            try_groups(request, &group, kept, end)
        });
        trial.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    done.store(true, Ordering::Relaxed);
    let _ = clock.join();
    spinner.finish_and_clear();
    let interrupted = jobs.stopped() && Instant::now() < end;
    listener.end();
    let tried = tried?;
    if interrupted {
        return Err(Failure::new(Exit::Interrupted, "stopped; nothing was planned"));
    }
    Ok(tried)
}

fn try_groups(
    request: &Request,
    compute: &dyn Fn(u64, Interval) -> Result<Computed, SandboxError>,
    kept: &Path,
    end: Instant,
) -> Result<Tried, Failure> {
    let plan = &request.plan;
    let mut trial = cut::Trial::new(plan.space.count());
    let mut tried = Tried {
        runs: Vec::new(),
        unfinished: None,
        seen: Seen::default(),
        failures: 0.0,
        failed: None,
        partials: Vec::new(),
    };
    let mut is_checked = false;
    let mut some = Vec::new();
    let left = || end.saturating_duration_since(Instant::now()).as_secs_f64();
    while let Some((place, items)) = trial.next(left()) {
        let began = Instant::now();
        let Computed::Finished(finished) = compute(place, items).map_err(|error| try_one::explain(&error))? else {
            tried.unfinished = Some(Timed { items, seconds: began.elapsed().as_secs_f64() });
            break;
        };
        tried.seen.memory = tried.seen.memory.max(finished.usage.memory);
        tried.seen.disk = tried.seen.disk.max(finished.usage.disk);
        let result = finished.records().iter().map(|found| found.record.result_of_a_run()).max().unwrap_or(0);
        tried.seen.result = tried.seen.result.max(result);
        keep(&finished, kept)?;
        if let Some((items, cause)) = finished.failure() {
            trial.failed();
            // What has results counts all the same.
            let results = finished.records().into_iter().map(|found| &found.record.header);
            some.extend(results.filter(|header| header.kind.is_result()).map(timed));
            let failure = || {
                let failure =
                    Failure::new(Exit::ChunksFailed, format!("{} failed: {cause}", reduce::items(plan, items)));
                let failure = last_lines(&try_one::end_of(&finished), 15).into_iter().fold(failure, Failure::detail);
                failure.help("mend it; or say how to cut, and nothing is tried: --chunks N")
            };
            tried.failed.get_or_insert_with(failure);
            continue;
        }
        if !is_checked {
            // What cannot be merged is of no use, and is known for it now.
            let again = "the same again";
            try_one::merged(plan, &request.rows, &finished, again).map_err(|failure| {
                failure.within(format!("{}: tried here, to find how to cut", reduce::items(plan, items)))
            })?;
            is_checked = true;
        }
        trial.took(finished.seconds());
    }
    tried.runs = trial.runs();
    tried.runs.extend(some);
    tried.runs.sort_unstable_by_key(|run| run.items);
    tried.failures = trial.failures();
    Ok(tried)
}

/// Brings the partials of a run away before its folder goes.
fn keep(finished: &Finished, kept: &Path) -> Result<(), Failure> {
    for found in finished.records() {
        let path = finished.gathered().path(found);
        let to = kept.join(path.file_name().unwrap_or_default());
        fs::copy(&path, &to)
            .map_err(|error| Failure::new(Exit::Machine, format!("cannot write {}: {error}", to.display())))?;
    }
    Ok(())
}

/// What was tried and what follows from it, for people.
fn describe(plan: &Plan, tried: &Tried, measured: &Measured, per_item: bool) -> Vec<String> {
    let line = |items: Interval, took: &str, each: &str| {
        format!("  {:<32} {took:>10} {each}", reduce::items(plan, items)).trim_end().to_owned()
    };
    // Of the groups at a place the last and largest one tells most.
    let is_last = |number: usize| {
        let next = tried.runs.get(number + 1);
        next.is_none_or(|next| next.items.start() != tried.runs[number].items.stop())
    };
    let shown = tried.runs.iter().enumerate().filter(|(number, _)| is_last(*number)).map(|(_, run)| {
        let each = fine_seconds(run.seconds / run.items.count() as f64);
        line(run.items, &fine_seconds(run.seconds), &format!("{each:>12} an item"))
    });
    let mut lines: Vec<String> = shown.collect();
    lines.extend(tried.unfinished.map(|unfinished| {
        let took = format!("over {}", seconds(unfinished.seconds));
        line(unfinished.items, &took, "") + ", and not done when the time was over"
    }));
    let (least, most) = (measured.costs.shortest_item(), measured.costs.longest_item());
    let each = match most <= least * ALIKE {
        true => format!("about {} an item", fine_seconds(f64::midpoint(least, most))),
        false => format!("{} to {} an item", fine_seconds(least), fine_seconds(most)),
    };
    let start = if per_item { String::new() } else { format!(", and {} to start", fine_seconds(measured.start)) };
    let places = together(&tried.runs).len();
    let items = count(tried.runs.iter().map(|run| run.items.count()).sum::<u128>(), "item");
    let known = match (places, error_of_mean(measured)) {
        (1, _) => "from one place alone: a guess".to_owned(),
        (places, None) => format!("from {items} at {places} places"),
        (places, Some(error)) => format!("from {items} at {places} places; {error}"),
    };
    lines.push(format!("  {each}{start}: {} of work ({known})", seconds(measured.costs.total())));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_that_follow_one_another_are_one() {
        let items = |start, stop| Interval::new(start, stop).expect("items");
        let run = |start, stop| Timed { items: items(start, stop), seconds: 1.0 };
        let runs = [run(0, 1), run(1, 11), run(20, 30), run(31, 32)];
        assert_eq!(together(&runs), [items(0, 11), items(20, 30), items(31, 32)]);
        assert_eq!(together(&[]), []);
    }
}
