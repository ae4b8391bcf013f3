//! What is to be expected of a plan whose items' time is known: the short form of `split simulate`, and advice on the cut.

use super::cost::Expected;
use super::output::{count, seconds};
use crate::checkpoint::interval;
use crate::model::{Forecast, Interruptions, PoolModel, Tries, Work, rough_forecast};
use crate::plan::Plan;

/// Numbers of slots that are told of.
const SLOTS: [usize; 3] = [20, 100, 1000];
/// What a job costs beside its work, in seconds: matching, transfer, start. What `split simulate` assumes, too.
pub(super) const OVERHEAD: f64 = 60.0;
/// How much machines differ, as `split simulate` assumes.
const SPEED_SPREAD: f64 = 0.2;
/// Of a pool on which nearly everything fails nothing can be foreseen.
pub(super) const MOST_FAILURES: f64 = 0.9;
/// Where so large a share of the attempts fails, nothing is done because of that.
const MANY_FAILURES: f64 = 0.5;
/// A save of a program's own state is taken to cost so much, in seconds, as `split simulate` does.
const SAVE: f64 = 10.0;
/// Eight of ten times it takes so long: where that is more than this share of the middle, it is told.
const WIDE: f64 = 0.25;
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
    lines.extend(on_slots(plan, expected, mean));
    lines.extend(advice(plan, expected, mean, asked));
    lines
}

/// How often what fails is tried.
pub(super) fn tries(plan: &Plan) -> Tries {
    Tries { retries: plan.resources.retries, tail_rounds: plan.tail_rounds }
}

/// An interrupted job keeps what it has done up to the last multiple of so many seconds, where its chunk has slices, or its program keeps
/// its own state: of chunks that take `mean` seconds, and of items that take no longer than `longest_item`.
pub(super) fn kept(plan: &Plan, mean: f64, longest_item: f64) -> Option<f64> {
    if plan.pacing.checkpoint.is_some() {
        return plan.pacing.interruption().map(|between| interval(SAVE, between.as_secs_f64()));
    }
    // A slice is an item at least.
    (plan.pacing.slices > 1).then(|| (mean / plan.pacing.slices as f64).max(longest_item))
}

fn on_slots(plan: &Plan, expected: &Expected, mean: f64) -> Option<String> {
    let between = plan.pacing.interruption().map(|between| between.as_secs_f64());
    let interruptions = between.map_or(Interruptions::Never, |between| Interruptions::Rate { between });
    let failures = expected.failures.clamp(0.0, MOST_FAILURES);
    let chunks = expected.chunks.iter().map(|chunk| chunk.max(1e-3)).collect();
    let work = Work { chunks, kept: kept(plan, mean, expected.longest_item), tries: Some(tries(plan)) };
    let (mut times, mut never, mut lost) = (Vec::new(), Vec::new(), 0.0f64);
    for slots in SLOTS {
        let pool = PoolModel::new(slots, OVERHEAD)
            .and_then(|pool| pool.speed_spread(SPEED_SPREAD))
            .and_then(|pool| pool.interruptions(interruptions.clone(), 0.0))
            .and_then(|pool| pool.failures(failures))
            .ok()?;
        let forecast = rough_forecast(&work, plan.cut.chunks(), &pool, plan.yields.seed);
        let middle = forecast.completion.at(0.5);
        if middle.is_finite() {
            times.push(format!("{} on {slots} slots{}", seconds(middle), spread(&forecast)));
        } else {
            never.push(slots.to_string());
        }
        lost = lost.max(forecast.badput);
    }
    let evictions = between.map(|between| format!("an eviction every {}", seconds(between)));
    if times.is_empty() {
        let why = match evictions {
            Some(evictions) if failures < MANY_FAILURES => {
                format!("with {evictions} hardly a chunk of {} comes to its end", seconds(mean))
            }
            _ => format!(
                "{:.0} % of the attempts fail; split try shows how: mend the program first",
                100.0 * expected.failures
            ),
        };
        return Some(format!("not to be done on any number of slots: {why}"));
    }
    let failures = (failures > 0.0).then(|| format!("{:.1} % of the attempts failing", 100.0 * failures));
    let disturbed = match (evictions, failures) {
        (None, None) => "without evictions".to_owned(),
        (Some(evictions), None) => format!("with {evictions} {:.1} % of the time is lost", 100.0 * lost),
        (None, Some(failures)) => format!("with {failures} {:.1} % of the time is lost", 100.0 * lost),
        (Some(evictions), Some(failures)) => {
            format!("with {evictions} and {failures} {:.1} % of the time is lost", 100.0 * lost)
        }
    };
    let never = if never.is_empty() { String::new() } else { format!(", and not on {} slots", never.join(" or ")) };
    Some(format!("done in about {}{never}; {disturbed} (split simulate tells more)", times.join(", ")))
}

/// How much chance makes of the time, where that is much.
fn spread(forecast: &Forecast) -> String {
    let [early, middle, late] = [0.1, 0.5, 0.9].map(|share| forecast.completion.at(share));
    if late - early <= WIDE * middle {
        return String::new();
    }
    match late.is_finite() {
        true => format!(" ({} to {})", seconds(early), seconds(late)),
        false => format!(" ({} at the earliest, and not always)", seconds(early)),
    }
}

/// A time that may never come.
pub(super) fn time(value: f64) -> String {
    if value.is_finite() { seconds(value) } else { "never".to_owned() }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cut::{Costs, Cut};

    #[test]
    fn failures_that_were_seen_are_expected_again() {
        let cut = Cut::Even { chunks: 60 };
        let costs = Costs::even(36_000, 1.0).expect("costs");
        let told = |failures: f64, eviction_every: Option<u64>| {
            let mut plan = crate::plan::testing::plan("36000", cut.clone());
            plan.pacing.eviction_every = eviction_every;
            let expected = Expected { failures, ..Expected::new(&costs, &cut, 0.0) };
            on_slots(&plan, &expected, 600.0).expect("it is known")
        };
        let lost = |line: &str| -> f64 {
            let before = line.split(" % of the time is lost").next().expect("there");
            before.rsplit(' ').next().and_then(|share| share.parse().ok()).expect("a share")
        };
        let (none, some, only) = (told(0.0, None), told(0.1, None), told(0.1, Some(0)));
        assert!(!none.contains("failing") && lost(&none) < 4.0, "{none}");
        assert!(some.contains(" every 4.0 h and 10.0 % of the attempts failing "), "{some}");
        assert!((8.0..16.0).contains(&lost(&some)), "{some}");
        assert!(only.contains("; with 10.0 % of the attempts failing ") && lost(&only) < lost(&some), "{only}");
        assert!(told(0.0, Some(0)).contains("; without evictions ("));
        // A share beyond what a pool is simulated with.
        let broken = told(1.0, None);
        assert!(broken.starts_with("not to be done on any number of slots: 100 % of the attempts fail"), "{broken}");
    }
}
