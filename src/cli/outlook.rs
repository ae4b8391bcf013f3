//! What is to be expected of a plan whose items' time is known: the short form of `split simulate`, and advice on the cut.

use super::cost::Expected;
use super::output::{count, seconds};
use crate::model::{Interruptions, PoolModel, Tries, Work, rough_forecast};
use crate::plan::Plan;

/// Numbers of slots that are told of.
const SLOTS: [usize; 3] = [20, 100, 1000];
/// What a job costs beside its work, in seconds: matching, transfer, start. What `split simulate` assumes, too.
pub(super) const OVERHEAD: f64 = 60.0;
/// How much machines differ, as `split simulate` assumes.
const SPEED_SPREAD: f64 = 0.2;
/// Of more chunks than this there is no forecast: it would take longer than the plan.
const MOST_SIMULATED: u64 = 20_000;
/// More nodes than this are much for an access point.
const MANY_NODES: u64 = 100_000;
/// Chunks of this share of the time between evictions lose an eighth of their time, and more.
const LONG: f64 = 0.25;

/// What is to be expected, in lines for people. `asked` says whether the user has said how many chunks there are.
pub(super) fn outlook(plan: &Plan, expected: &Expected, asked: bool) -> Vec<String> {
    let chunks = plan.cut.chunks();
    let mean = expected.total / chunks as f64;
    let mut line = format!("about {} a chunk", seconds(mean));
    if expected.longest > 1.2 * mean {
        line += &format!(" (the longest {})", seconds(expected.longest));
    }
    line += &format!(", {} in all", seconds(expected.total));
    let mut lines = vec![line];
    if chunks <= MOST_SIMULATED {
        lines.extend(on_slots(plan, expected));
    }
    lines.extend(advice(plan, expected, mean, asked));
    lines
}

/// How often what fails is tried.
pub(super) fn tries(plan: &Plan) -> Tries {
    Tries { retries: plan.resources.retries, tail_rounds: plan.tail_rounds }
}

fn on_slots(plan: &Plan, expected: &Expected) -> Option<String> {
    let between = plan.pacing.interruption().map(|between| between.as_secs_f64());
    let interruptions = between.map_or(Interruptions::Never, |between| Interruptions::Rate { between });
    // A slice is an item at least.
    let mean = expected.total / plan.cut.chunks() as f64;
    let kept = (plan.pacing.slices > 1).then(|| (mean / plan.pacing.slices as f64).max(expected.longest_item));
    let work =
        Work { chunks: expected.chunks.iter().map(|chunk| chunk.max(1e-3)).collect(), kept, tries: Some(tries(plan)) };
    let (mut times, mut lost) = (Vec::new(), 0.0f64);
    for slots in SLOTS {
        let pool = PoolModel::new(slots, OVERHEAD)
            .and_then(|pool| pool.speed_spread(SPEED_SPREAD))
            .and_then(|pool| pool.interruptions(interruptions.clone(), 0.0))
            .ok()?;
        let forecast = rough_forecast(&work, &pool, plan.yields.seed);
        let median = forecast.completion.at(0.5);
        times.push(match median.is_finite() {
            true => format!("{} on {slots} slots", seconds(median)),
            false => format!("never on {slots} slots"),
        });
        lost = lost.max(forecast.badput);
    }
    let evictions = match between {
        Some(between) => {
            format!("with an eviction every {} {:.1} % of the time is lost", seconds(between), 100.0 * lost)
        }
        None => "without evictions".to_owned(),
    };
    Some(format!("done in about {}; {evictions} (split simulate tells more)", times.join(", ")))
}

/// What a better cut would be.
fn advice(plan: &Plan, expected: &Expected, mean: f64, asked: bool) -> Vec<String> {
    let chunks = plan.cut.chunks();
    let mut notes = Vec::new();
    let fewer = ((expected.total / 600.0).ceil().max(1.0) as u64).min(chunks);
    // A cut that nobody asked for is as it should be.
    if mean < OVERHEAD && fewer < chunks && asked {
        notes.push(format!(
            "note: a job costs about {} beside its work, and a chunk takes {}: --target 10m makes {}",
            seconds(OVERHEAD),
            seconds(mean),
            count(fewer, "chunk")
        ));
    }
    if chunks > MANY_NODES {
        notes.push(format!(
            "note: {} are much for an access point: --target {}m makes them fewer",
            count(chunks, "node"),
            (expected.total / MANY_NODES as f64 / 60.0).ceil()
        ));
    }
    let between = plan.pacing.interruption().map_or(f64::INFINITY, |between| between.as_secs_f64());
    if expected.longest_item > LONG * between && plan.pacing.checkpoint.is_none() {
        notes.push(format!(
            "note: an item of {} is often taken away before its end, with an eviction every {}: a program that keeps its own state \
             goes on from it (--checkpoint)",
            seconds(expected.longest_item),
            seconds(between)
        ));
    } else if expected.longest > LONG * between && !plan.pacing.keeps() {
        notes.push(format!(
            "note: a chunk of {} is often taken away before its end, with an eviction every {}: shorter chunks lose less \
             (--target 10m), and so do slices (--slice 5m)",
            seconds(expected.longest),
            seconds(between)
        ));
    }
    notes
}
