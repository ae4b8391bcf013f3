//! Trying a few items before a plan is cut, so that its chunks take as long as they should.
//!
//! Single items and then small groups of them, at places spread over the space, run one after another as jobs would, within a budget. A
//! run of k items takes `start + k * item`: groups of several sizes at one place tell both apart, and what an item takes is linear between
//! the places. What was computed counts: its records come into the plan's folder, and the chunks are cut around it. `split probe` does
//! the same without a plan, and keeps the records for one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Done;
use super::arguments::{ProbeOptions, WhatOptions};
use super::cost::Expected;
use super::failure::Failure;
use super::outlook::outlook;
use super::output::{binary, count, fine_seconds, last_lines, say, seconds, tell};
use super::plan::{programs, write};
use super::request::{Knowledge, Known, Request, usage};
use super::{access_point, jobs, progress, reduce, try_one};
use crate::cut::{Costs, Cut};
use crate::exit::Exit;
use crate::folder::Layout;
use crate::local::{Computed, Finished, Jobs, Sandboxes};
use crate::plan::{Plan, Seen, Word};
use crate::pool::is_access_point;
use crate::record::gather;
use crate::space::Interval;
use crate::store;

/// At so many places items are tried.
pub(super) const PLACES: u128 = 8;
/// A group is made larger until it takes so long, in seconds: then what it takes to start says little.
const ENOUGH: f64 = 2.0;
/// A group has at most so many times the items of the one before it.
const GROWTH: u128 = 10;
/// So much of what is left of the budget one round over all places may take.
const SHARE: f64 = 0.8;
/// Where items differ by no more than this factor they count as equal.
const ALIKE: f64 = 1.25;
/// Costs between the places are known up to so many items.
const STRETCHES: u128 = 4096;
/// Even an item that takes no time to speak of takes this, in seconds.
const LEAST: f64 = 1e-7;
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

/// A run over some items.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Run {
    place: usize,
    items: Interval,
    seconds: f64,
}

/// What the runs say.
#[derive(Clone, Debug, PartialEq)]
struct Fit {
    /// Seconds that a run takes beside its items.
    start: f64,
    /// Where items were tried, and how many seconds one takes there; in the order of the items.
    places: Vec<(u128, f64)>,
}

/// What came of the items that were tried.
#[derive(Debug)]
struct Tried {
    runs: Vec<Run>,
    seen: Seen,
    /// Why the first that failed did.
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
        let known = Known { cut, expected: Some(expected), seen: None };
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
    let known = Known { cut: found.cut, expected: Some(found.expected), seen: Some(tried.seen) };
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
    let known = Known { cut: found.cut, expected: Some(found.expected.clone()), seen: Some(tried.seen) };
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
            .help("or say how to cut: --chunks N or --chunk-size N"));
        }
        let kept = self.folder.path().join("kept");
        fs::create_dir_all(&kept)
            .map_err(|error| Failure::new(Exit::Machine, format!("cannot write {}: {error}", kept.display())))?;
        say(&format!(
            "trying a few items here, for {} at most, to find how to cut (--cost 3s says how long an item takes, --chunks N how to cut)",
            seconds(options.probe_budget.as_secs_f64())
        ));
        access_point::step_back(&self.request.plan.site.access_point);
        access_point::read_gently(&self.request.plan.site.access_point)?;
        write(&mut self.request, &programs()?, &[])?;
        let layout = Layout::new(&self.folder.path().join("plan"));
        let (runs, failed, seen) = runs(&self.request.plan, &self.request, &layout, &kept, options.probe_budget)?;
        if runs.is_empty() {
            return Err(failed.unwrap_or_else(|| {
                Failure::new(
                    Exit::Usage,
                    format!("no item was done within {}", seconds(options.probe_budget.as_secs_f64())),
                )
                .help("say how long an item takes: --cost 10m")
                .help("or try for longer: --probe-budget 10m")
                .help("or say how to cut: --chunks N or --chunk-size N")
            }));
        }
        let mut partials: Vec<PathBuf> =
            fs::read_dir(&kept).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        partials.sort();
        Ok(Tried { runs, seen, failed, partials })
    }
}

impl Found {
    /// With the cut that is `said`, or one whose chunks take as long as the `target`, in seconds.
    fn new(plan: &Plan, tried: &Tried, said: Option<Cut>, target: f64) -> Result<Self, Failure> {
        let items = plan.space.count();
        let runs = &tried.runs;
        let per_item = plan.command.iter().any(|command| command.runs_per_item(&plan.space, plan.yields.stdin_items));
        let fit = Fit::new(runs, per_item);
        let costs = fit.costs(items).map_err(|error| Failure::new(Exit::Machine, error.to_string()))?;
        let counts = !plan.command.iter().any(crate::plan::Command::depends_on_the_cut);
        let cut = match said {
            Some(cut) => cut,
            None => {
                let chunks = costs.chunks((target - fit.start).max(target / 2.0));
                let mut cut = costs.cut(chunks).map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
                if counts {
                    // The runs at a place follow one another: they make one chunk, which is done.
                    let mut borders = std::collections::BTreeSet::new();
                    for run in runs {
                        for border in [run.items.start(), run.items.stop()] {
                            if !borders.remove(&border) {
                                borders.insert(border);
                            }
                        }
                    }
                    cut = cut.with_borders(items, &Vec::from_iter(borders));
                }
                cut
            }
        };
        let mut lines = describe(plan, runs, &fit, per_item, &costs);
        if let Some(failed) = &tried.failed {
            lines.push(format!("note: of the items that were tried some failed: {}", failed.message()));
        }
        lines.push(format!("  peak memory {}, disk {}", binary(tried.seen.memory), binary(tried.seen.disk)));
        let expected = Expected::new(&costs, &cut, fit.start);
        Ok(Self { cut, expected, counts, lines })
    }
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
    // A partial is a run.
    let mut found: BTreeMap<PathBuf, (Interval, f64)> = BTreeMap::new();
    for result in &gathered.results {
        let header = &result.record.header;
        let run = found.entry(gathered.path(result)).or_insert((header.items, 0.0));
        let (start, stop) = (run.0.start().min(header.items.start()), run.0.stop().max(header.items.stop()));
        *run = (Interval::new(start, stop)?, run.1 + header.seconds);
    }
    let partials = found.keys().cloned().collect();
    for failure in &gathered.failures {
        found.remove(&gathered.path(failure));
    }
    let place = |items: Interval| usize::try_from(plan.chunks_of(items).0).unwrap_or(0);
    let mut runs: Vec<Run> =
        found.into_values().map(|(items, seconds)| Run { place: place(items), items, seconds }).collect();
    runs.sort_unstable_by_key(|run| run.items);
    let seen = there.seen?;
    (!runs.is_empty()).then_some(Tried { runs, seen, failed: None, partials })
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

/// Runs items within the budget. Also gives why the first that failed did.
fn runs(
    plan: &Plan,
    request: &Request,
    layout: &Layout,
    kept: &Path,
    budget: Duration,
) -> Result<(Vec<Run>, Option<Failure>, Seen), Failure> {
    let sandboxes = Sandboxes::new(layout, plan, &request.rows).map_err(|error| try_one::explain(&error))?;
    let jobs = Arc::new(Jobs::new());
    let listener = try_one::listen(&jobs)?;
    let spinner = progress::spinner("trying items");
    let end = Instant::now() + budget;
    let (over, done) = (Arc::clone(&jobs), Arc::new(std::sync::atomic::AtomicBool::new(false)));
    let is_done = Arc::clone(&done);
    // Ends what is still at work when the budget is used up.
    let clock = std::thread::spawn(move || {
        while !is_done.load(std::sync::atomic::Ordering::Relaxed) {
            if Instant::now() >= end {
                over.stop();
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let mut found = Attempts { runs: Vec::new(), failed: None, seen: Seen::default() };
    let tried = try_places(plan, &sandboxes, &jobs, kept, end, &mut found);
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    let _ = clock.join();
    spinner.finish_and_clear();
    let interrupted = jobs.stopped() && Instant::now() < end;
    listener.end();
    tried?;
    if interrupted {
        return Err(Failure::new(Exit::Interrupted, "stopped; nothing was planned"));
    }
    Ok((found.runs, found.failed, found.seen))
}

#[derive(Debug)]
struct Attempts {
    runs: Vec<Run>,
    failed: Option<Failure>,
    seen: Seen,
}

fn try_places(
    plan: &Plan,
    sandboxes: &Sandboxes<'_>,
    jobs: &Jobs,
    kept: &Path,
    end: Instant,
    found: &mut Attempts,
) -> Result<(), Failure> {
    let places = usize::try_from(plan.cut.chunks()).unwrap_or(1);
    let order = spread(places);
    // How far each place has been computed, how many items come next, and whether there is more to learn.
    let chunk = |place: usize| plan.chunk(place as u64);
    let mut next: Vec<(u128, u128, bool)> = (0..places).map(|place| (chunk(place).start(), 1, true)).collect();
    // First one item at each place; then, at one place after another, groups.
    while next.iter().any(|(_, _, more)| *more) {
        for &place in &order {
            let (start, size, more) = next[place];
            let Some(items) =
                Interval::new(start, start.saturating_add(size).min(chunk(place).stop())).filter(|_| more)
            else {
                next[place].2 = false;
                continue;
            };
            let left = end.saturating_duration_since(Instant::now()).as_secs_f64();
            if left <= 0.0 {
                return Ok(());
            }
            let computed = sandboxes.compute(place as u64, items, jobs).map_err(|error| try_one::explain(&error))?;
            let Computed::Finished(finished) = computed else { return Ok(()) };
            found.seen.memory = found.seen.memory.max(finished.usage.memory);
            found.seen.disk = found.seen.disk.max(finished.usage.disk);
            keep(&finished, kept)?;
            if let Some((items, cause)) = finished.failure() {
                let failure = || {
                    let failure =
                        Failure::new(Exit::ChunksFailed, format!("{} failed: {cause}", reduce::items(plan, items)));
                    let failure =
                        last_lines(&try_one::end_of(&finished), 15).into_iter().fold(failure, Failure::detail);
                    failure.help("mend it; or say how to cut, and nothing is tried: --chunks N")
                };
                found.failed.get_or_insert_with(failure);
                next[place].2 = false;
                // A program that fails everywhere is known for it by now.
                if found.runs.is_empty() && next.iter().filter(|(_, _, more)| !more).count() >= places.min(3) {
                    return Ok(());
                }
                continue;
            }
            let taken = finished.seconds();
            found.runs.push(Run { place, items, seconds: taken });
            // What comes next takes what this took, and at most as many times longer as it is larger.
            let grown =
                (items.count() * GROWTH).min((ENOUGH * 2.0 / taken.max(1e-3) * items.count() as f64).ceil() as u128);
            // As much at each place.
            let each = taken.max(1e-6) / items.count() as f64;
            let grown = grown.min((left * SHARE / places as f64 / each) as u128);
            let more = taken < ENOUGH && grown >= 2 * items.count() && items.stop() < chunk(place).stop();
            next[place] = (items.stop(), grown.max(1), more);
        }
    }
    Ok(())
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

/// The places in an order in which each next one lies far from those before: the first, the last, the middle, and so on.
fn spread(places: usize) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::with_capacity(places);
    let mut parts = 1;
    while order.len() < places {
        for part in 0..=parts {
            let place = (places - 1) * part / parts;
            if !order.contains(&place) {
                order.push(place);
            }
        }
        parts *= 2;
    }
    order
}

impl Fit {
    /// Of at least one run; `per_item` says whether the program runs once for each item, so that an item's time is all there is.
    fn new(runs: &[Run], per_item: bool) -> Self {
        let last_place = runs.iter().map(|run| run.place).max().unwrap_or(0);
        let of = |place: usize| runs.iter().filter(move |run| run.place == place);
        let length = |run: &Run| run.items.count() as f64;
        // The smallest and the largest run at each place tell what an item takes, and so what starting takes.
        let slope = |place: usize| {
            let least = of(place).min_by(|a, b| length(a).total_cmp(&length(b)))?;
            let most = of(place).max_by(|a, b| length(a).total_cmp(&length(b)))?;
            let more = length(most) - length(least);
            let each = if more > 0.0 { (most.seconds - least.seconds).max(0.0) / more } else { return None };
            Some((each, (least.seconds - each * length(least)).max(0.0)))
        };
        let mut starts: Vec<f64> = (0..=last_place).filter_map(slope).map(|(_, start)| start).collect();
        starts.sort_unstable_by(f64::total_cmp);
        let start = if per_item || starts.is_empty() { 0.0 } else { starts[starts.len() / 2] };
        let places = (0..=last_place).filter_map(|place| {
            let middle = of(place).max_by_key(|run| run.items.count())?;
            let all = of(place).map(|run| run.seconds).sum::<f64>();
            let items = of(place).map(length).sum::<f64>();
            let each = match slope(place) {
                Some((each, _)) if !per_item => each,
                // All of the one run there is, less what starting took elsewhere.
                None if !per_item => ((all - start * of(place).count() as f64) / items).max(0.0),
                _ => all / items,
            };
            Some((middle.items.start() + middle.items.count() / 2, each.max(LEAST)))
        });
        Self { start, places: places.collect() }
    }

    /// What an item takes: linear between the places, and as at the outermost ones beyond them.
    fn each(&self, item: u128) -> f64 {
        let next = self.places.partition_point(|(place, _)| *place <= item);
        match (next.checked_sub(1).map(|last| self.places[last]), self.places.get(next)) {
            (Some((from, before)), Some((to, after))) => {
                before + (after - before) * ((item - from) as f64 / (to - from) as f64)
            }
            (Some((_, each)), None) => each,
            (None, Some((_, each))) => *each,
            (None, None) => LEAST,
        }
    }

    /// The least and the most that an item takes.
    fn range(&self) -> (f64, f64) {
        let each = || self.places.iter().map(|(_, each)| *each);
        (each().fold(f64::INFINITY, f64::min), each().fold(0.0, f64::max))
    }

    fn is_even(&self) -> bool {
        let (least, most) = self.range();
        most <= ALIKE * least
    }

    fn costs(&self, items: u128) -> Result<Costs, crate::cut::NoCost> {
        if self.is_even() {
            let mean = self.places.iter().map(|(_, each)| each).sum::<f64>() / self.places.len().max(1) as f64;
            return Costs::even(items, mean.max(LEAST));
        }
        let stretches = STRETCHES.min(items);
        let start = |stretch: u128| items / stretches * stretch + (items % stretches).min(stretch);
        Costs::of_stretches((0..stretches).map(|stretch| {
            let (from, to) = (start(stretch), start(stretch + 1));
            (to - from, self.each(from + (to - from) / 2))
        }))
    }
}

/// The runs and what follows from them, for people.
fn describe(plan: &Plan, runs: &[Run], fit: &Fit, per_item: bool, costs: &Costs) -> Vec<String> {
    let line = |place: usize| {
        // The largest run at a place tells most.
        let run = runs.iter().filter(|run| run.place == place).max_by_key(|run| run.items.count())?;
        let each = run.seconds / run.items.count() as f64;
        let took = fine_seconds(run.seconds);
        Some(format!("  {:<32} {took:>10} {:>12} an item", reduce::items(plan, run.items), fine_seconds(each)))
    };
    let last_place = runs.iter().map(|run| run.place).max().unwrap_or(0);
    let mut lines: Vec<String> = (0..=last_place).filter_map(line).collect();
    let (least, most) = fit.range();
    let each = match fit.is_even() {
        true => format!("about {} an item", fine_seconds(f64::midpoint(least, most))),
        false => format!("{} to {} an item", fine_seconds(least), fine_seconds(most)),
    };
    let start = if per_item { String::new() } else { format!(", and {} to start", fine_seconds(fit.start)) };
    let tried: u128 = runs.iter().map(|run| run.items.count()).sum();
    let known = match fit.places.len() {
        1 => "from one place alone: a guess".to_owned(),
        places => format!("from {} at {places} places", count(tried, "item")),
    };
    lines.push(format!("  {each}{start}: {} of work ({known})", seconds(costs.total())));
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(place: usize, start: u128, count: u128, seconds: f64) -> Run {
        Run { place, items: Interval::new(start, start + count).expect("items"), seconds }
    }

    #[test]
    fn places_are_spread() {
        assert_eq!(spread(1), [0]);
        assert_eq!(spread(2), [0, 1]);
        assert_eq!(spread(8), [0, 7, 3, 1, 5, 2, 4, 6]);
    }

    #[test]
    fn starting_and_items_are_told_apart() {
        let took = |count: u128| 0.5 + 0.01 * count as f64;
        let runs =
            [run(0, 0, 1, took(1)), run(0, 1, 10, took(10)), run(1, 500, 1, took(1)), run(1, 501, 100, took(100))];
        let fit = Fit::new(&runs, false);
        assert!((fit.start - 0.5).abs() < 1e-9 && fit.is_even(), "{fit:?}");
        let costs = fit.costs(1000).expect("costs");
        assert!((costs.total() - 10.0).abs() < 1e-6);
        // Of a program that runs for each item, starting is a part of each.
        let each = Fit::new(&[run(0, 0, 1, 0.5), run(0, 1, 10, 5.0)], true);
        assert_eq!((each.start, each.places.clone()), (0.0, vec![(6, 0.5)]));
    }

    #[test]
    fn what_grows_along_the_space_is_seen() {
        let took =
            |start: u128, count: u128| (start..start + count).map(|item| item as f64 / 1000.0).sum::<f64>() + 0.2;
        let mut runs = Vec::new();
        for place in 0..8 {
            let start = 125 * place as u128;
            runs.extend([run(place, start, 1, took(start, 1)), run(place, start + 1, 10, took(start + 1, 10))]);
        }
        let fit = Fit::new(&runs, false);
        let costs = fit.costs(1000).expect("costs");
        assert!((costs.total() / 499.5 - 1.0).abs() < 0.1, "{}", costs.total());
        let cut = costs.cut(10).expect("a cut");
        let real = |items: Interval| (items.start()..items.stop()).map(|item| item as f64 / 1000.0).sum::<f64>();
        let longest = cut.iter_from(1000, 0).map(|(_, items)| real(items)).fold(0.0, f64::max);
        assert!(longest < 1.25 * 49.95, "{longest}");
    }

    #[test]
    fn one_run_is_enough_for_a_guess() {
        let fit = Fit::new(&[run(3, 700, 1, 2.0)], false);
        assert_eq!((fit.start, fit.places.clone(), fit.is_even()), (0.0, vec![(700, 2.0)], true));
        assert!((fit.costs(100).expect("costs").total() - 200.0).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn any_runs_make_a_cut(
            runs in prop::collection::vec((0usize..8, 1u128..50, 0.0f64..100.0), 1..20), items in 400u128..100_000, per_item: bool,
        ) {
            let mut next = [0u128; 8];
            let runs: Vec<Run> = runs.into_iter().map(|(place, count, seconds)| {
                let start = place as u128 * 50 + next[place] % 50;
                next[place] += 1;
                run(place, start, count.min(50 - next[place].min(49)), seconds)
            }).collect();
            let fit = Fit::new(&runs, per_item);
            prop_assert!(fit.start.is_finite() && fit.start >= 0.0);
            let costs = fit.costs(items).expect("costs");
            prop_assert_eq!(costs.items(), items);
            let cut = costs.cut(costs.chunks(600.0)).expect("a cut");
            prop_assert!(cut.fits(items));
        }
    }
}
