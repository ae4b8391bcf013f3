//! `split tail`: the scripts of plan.dag before and after the tail. Not for people.
//!
//! The one before a round reads what came back and cuts what is missing into pieces; the one after the last says what still
//! is. Both go by the records as they are then, and by nothing that an earlier submission left.

use std::collections::BTreeSet;
use std::path::Path;

use super::arguments::{TailOptions, TailStep};
use super::failure::Failure;
use super::output::{count, say};
use super::{Done, access_point, plan, reduce};
use crate::cut::{Gap, Round};
use crate::dag::tail_dag;
use crate::exit::Exit;
use crate::folder::{Layout, write_tail};
use crate::inputs::Now;
use crate::plan::Plan;
use crate::record::{Cause, Gathered, Kind};
use crate::runner::{STOPPED, stop_if_broken};
use crate::space::Interval;
use crate::store;

/// So many pieces a round may have, or as many as the plan has chunks.
const PIECES: u64 = 1000;

/// The current folder is the plan's.
pub(super) fn tail(options: &TailOptions) -> Done {
    let (layout, plan) = reduce::find(Path::new("."))?;
    access_point::read_gently(&plan.site.access_point)?;
    let gathered = reduce::read_merged(&layout, &plan)?;
    match options.step {
        TailStep::Round(round) => cut(&layout, &plan, &gathered, round),
        TailStep::End => end(&layout, &plan, &gathered),
    }
}

/// Cuts what is missing.
fn cut(layout: &Layout, plan: &Plan, gathered: &Gathered, round: u32) -> Done {
    if round > plan.tail_rounds {
        let rounds = count(plan.tail_rounds, "round");
        return Err(Failure::new(Exit::Usage, format!("there is no round {round}: the plan's tail has {rounds}")));
    }
    if gathered.tiling.gaps.is_empty() {
        return all_is_there(layout, plan).map(|_| Exit::NothingLeft);
    }
    // A few chunks may all have failed without a canary among them.
    if round == 1 && stop_if_broken(&plan.job())? {
        say(&format!("{STOPPED} says why the DAG is stopped"));
        return Ok(Exit::StopDag);
    }
    let of_round = Round {
        is_last: round == plan.tail_rounds,
        most: plan.cut.chunks().max(PIECES),
        seconds: seconds_an_item(gathered),
        budget: plan.pacing.budget(),
    };
    let failures = Failures::new(layout, plan, gathered);
    let mut gaps = gaps(plan, gathered, &failures);
    // The round before has tried as often as ought to be what it failed on.
    gaps.retain(|gap| round == 1 || !failures.is_narrowed_down(gap.items));
    if gaps.is_empty() {
        return Ok(Exit::NothingLeft);
    }
    let missing: u128 = gaps.iter().map(|gap| gap.items.count()).sum();
    let pieces = of_round.cut(gaps);
    write_tail(layout, plan, round, &pieces).map_err(|error| plan::explain(&error))?;
    let (missing, pieces) = (count(missing, "item"), count(pieces.len() as u64, "piece"));
    say(&format!("{missing} of {} in {pieces}: {}", plan.space.count(), tail_dag(round)));
    Ok(Exit::Success)
}

/// Says what is still missing.
fn end(layout: &Layout, plan: &Plan, gathered: &Gathered) -> Done {
    if gathered.tiling.gaps.is_empty() {
        return all_is_there(layout, plan);
    }
    let total = plan.space.count();
    let will_do = plan.tolerance.is_some_and(|tolerance| tolerance.allows(total - gathered.covered(), total));
    let failure = reduce::missing(layout, plan, gathered)
        .help("split why says more; mend the program, or what the machines lack, and once the DAG has ended")
        .help("condor_submit_dag plan.dag computes what is missing, and merges the results")
        .help("split reduce --partial outputs/ answers without them, and says so");
    store::write(&layout.missing(), failure.text().as_bytes())?;
    if will_do { Ok(Exit::Success) } else { Err(failure) }
}

/// What was missing once is so no more.
fn all_is_there(layout: &Layout, plan: &Plan) -> Done {
    let path = layout.missing();
    if path.exists() {
        store::write(&path, format!("all {} are there\n", count(plan.space.count(), "item")).as_bytes())?;
    }
    Ok(Exit::Success)
}

/// What is missing, by chunk.
fn gaps(plan: &Plan, gathered: &Gathered, failures: &Failures) -> Vec<Gap> {
    let gaps = gathered.tiling.gaps.iter().flat_map(|&gap| {
        let (first, last) = plan.chunks_of(gap);
        (first..=last).filter_map(move |chunk| Some((chunk, plan.chunk(chunk).intersect(gap)?)))
    });
    // Of what was held and removed, or lost, nothing came back: a smaller piece may fit where the whole did not.
    let damaged: BTreeSet<u64> = gathered.damaged.iter().filter_map(|(path, _)| chunk_of_partial(path)).collect();
    let said: Vec<Interval> = gathered.failures.iter().map(|found| found.record.header.items).collect();
    let is_lost = |chunk: u64, items: Interval| {
        !damaged.contains(&chunk) && !said.iter().any(|said| said.intersect(items).is_some())
    };
    gaps.map(|(chunk, items)| Gap { chunk, items, failed: failures.hold_some_of(items) || is_lost(chunk, items) })
        .collect()
}

/// The chunk that a partial's name speaks of: `chunk-000017.0-1f2e3d4c.part`.
fn chunk_of_partial(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_prefix("chunk-")?.split('.').next()?.parse().ok()
}

/// What the program failed on, as it is now. Not what was yielded, or what a machine was at fault for.
struct Failures {
    /// The items: intervals in order and apart.
    items: Vec<Interval>,
    /// The items that it failed on alone, in order.
    alone: Vec<u128>,
}

impl Failures {
    fn new(layout: &Layout, plan: &Plan, gathered: &Gathered) -> Self {
        let base = layout.root().join(plan.base.as_os_str());
        let planned = layout.plan().metadata().and_then(|found| found.modified()).ok();
        let now = Now::read(plan, &base, planned).ok().filter(|_| plan.knows_code()).map(|now| now.code);
        let is_of_program = |kind: &Kind| match kind {
            Kind::Failure(cause) => !matches!(cause, Cause::OverBudget(_) | Cause::Machine(_)),
            Kind::Whole | Kind::Each | Kind::Bundle | Kind::Merged | Kind::Segment(_) => false,
        };
        let headers = gathered.failures.iter().map(|found| &found.record.header);
        let headers = headers.filter(|header| is_of_program(&header.kind) && now.is_none_or(|now| now == header.code));
        // Items that were given up on without a run took no time, and another machine has more disk.
        let is_full = |kind: &Kind| matches!(kind, Kind::Failure(Cause::OutOfDisk(_)));
        let has_run = headers.clone().filter(|header| header.seconds > 0.0 && !is_full(&header.kind));
        let mut alone: Vec<u128> =
            has_run.map(|header| header.items).filter(|items| items.count() == 1).map(Interval::start).collect();
        alone.sort_unstable();
        let mut failed: Vec<Interval> = headers.map(|header| header.items).collect();
        failed.sort_unstable();
        let mut apart: Vec<Interval> = Vec::new();
        for items in failed {
            match apart.last_mut() {
                Some(last) if items.start() <= last.stop() => {
                    *last = Interval::new(last.start(), last.stop().max(items.stop())).unwrap_or(*last);
                }
                _ => apart.push(items),
            }
        }
        Self { items: apart, alone }
    }

    /// Whether it failed on some of the items.
    fn hold_some_of(&self, items: Interval) -> bool {
        let next = self.items.partition_point(|failed| failed.stop() <= items.start());
        self.items.get(next).is_some_and(|failed| failed.start() < items.stop())
    }

    /// Whether it is one item, and the program failed on that alone.
    fn is_narrowed_down(&self, items: Interval) -> bool {
        items.count() == 1 && self.alone.binary_search(&items.start()).is_ok()
    }
}

/// How long an item takes in the mean, by the records that count.
fn seconds_an_item(gathered: &Gathered) -> Option<f64> {
    let mut items = 0;
    let mut seconds = 0.0;
    for found in gathered.chosen() {
        let header = &found.record.header;
        items += header.items.count();
        seconds += header.seconds.max(0.0);
    }
    let mean = seconds / items as f64;
    (items > 0 && mean.is_finite()).then_some(mean)
}
