//! When a DAG will have run, told from what it did so far.
//!
//! The rest of the DAG is played through many times. In each play
//! - every chunk that waits takes as long as one of those that finished, chosen by chance, of a sample of these (a bootstrap
//!   sample, so that few finished chunks make a wide spread), and as much more as evictions have cost so far;
//! - a chunk at work takes as long as one of those that took longer than it did until now;
//! - as many run side by side as do now, or as did in the recent past, or something between the two;
//! - whoever is free takes the next chunk.
//!
//! The middle of the plays is the forecast, and four of five lie within its spread. The chance is always the same one, so
//! that the same log gives the same forecast. What nobody can know is not in it: that many more or fewer machines come.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// So many times the rest is played through at most, and at least.
const PLAYS: (u64, u64) = (200, 20);
/// So many chunks are played in all, about.
const CHUNKS: u64 = 400_000;
/// Of a longer rest these many are played, the last ones; the others only add up.
const LAST: u64 = 20_000;
/// So many finished chunks are a sample.
const SAMPLE: usize = 200;

/// What there is to do, and how quickly it went so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Work {
    /// How long each finished chunk had a machine, in seconds.
    pub finished: Vec<f64>,
    /// For how long each chunk at work has had its machine, in seconds.
    pub running: Vec<f64>,
    /// How many chunks wait.
    pub waiting: u64,
    /// How many ran side by side in the recent past.
    pub side_by_side: Option<f64>,
    /// How much time attempts with results and those that were taken away took, by that of those with results: 1 where
    /// nothing was lost.
    pub cost: f64,
}

/// When it will be done, in seconds from now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// In one of ten cases it is done sooner.
    pub low: f64,
    /// As often later as sooner.
    pub middle: f64,
    /// In one of ten cases it takes longer.
    pub high: f64,
}

/// The forecast; `None` where no chunk has finished yet, or nothing is at work or ever was.
#[must_use]
pub fn forecast(work: &Work) -> Option<Forecast> {
    let known = work.finished.iter().filter(|seconds| seconds.is_finite() && **seconds >= 0.0);
    let finished: Vec<f64> = known.map(|seconds| seconds.max(1.0)).collect();
    let now = work.running.len() as f64;
    let before = work.side_by_side.unwrap_or(now);
    if finished.is_empty() || (work.running.is_empty() && (work.waiting == 0 || before < 0.5)) {
        return None;
    }
    let cost = if work.cost.is_finite() { work.cost.clamp(1.0, 20.0) } else { 1.0 };
    let mut chance = fastrand::Rng::with_seed(0);
    let plays = (CHUNKS / work.waiting.max(1)).clamp(PLAYS.1, PLAYS.0);
    let mut ends: Vec<f64> = (0..plays)
        .map(|_| {
            let mut sample: Vec<f64> =
                (0..finished.len().min(SAMPLE)).map(|_| finished[chance.usize(..finished.len())]).collect();
            sample.sort_unstable_by(f64::total_cmp);
            let side_by_side = now.min(before) + chance.f64() * (now - before).abs();
            play(work, &sample, cost, side_by_side.max(1.0), &mut chance)
        })
        .collect();
    ends.sort_unstable_by(f64::total_cmp);
    let at = |part: f64| ends[((ends.len() - 1) as f64 * part).round() as usize];
    Some(Forecast { low: at(0.1), middle: at(0.5), high: at(0.9) })
}

/// When the last chunk of one play ends.
fn play(work: &Work, sample: &[f64], cost: f64, side_by_side: f64, chance: &mut fastrand::Rng) -> f64 {
    // Each chunk at work ends after so long from now.
    let mut rest: Vec<f64> = work
        .running
        .iter()
        .map(|&so_far| {
            let longer = &sample[sample.partition_point(|&seconds| seconds <= so_far)..];
            match longer {
                // Longer than any: nobody knows; the longer it took, the longer it may take still.
                [] => so_far * 0.5 * chance.f64(),
                longer => longer[chance.usize(..longer.len())] - so_far,
            }
        })
        .collect();
    rest.sort_unstable_by(f64::total_cmp);
    let last = rest.last().copied().unwrap_or(0.0);
    let places = (side_by_side.round() as usize).max(1);
    let played = work.waiting.min(LAST);
    // Whoever is to be more than the places there are takes no other chunk.
    let mut free: BinaryHeap<Reverse<Ordered>> = rest.iter().take(places).map(|&end| Reverse(Ordered(end))).collect();
    let more = places.saturating_sub(free.len()).min(usize::try_from(played).unwrap_or(usize::MAX));
    free.extend(std::iter::repeat_n(Reverse(Ordered(0.0)), more));
    let mean = sample.iter().sum::<f64>() / sample.len() as f64;
    let bulk = (work.waiting - played) as f64 * mean * cost / places as f64;
    let mut end = last;
    for _ in 0..played {
        let Some(mut next) = free.peek_mut() else { break };
        next.0.0 += sample[chance.usize(..sample.len())] * cost;
        end = end.max(next.0.0);
    }
    end + bulk
}

/// A number of seconds that can be put in order.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Ordered(f64);

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn work(finished: &[f64], running: &[f64], waiting: u64, side_by_side: f64) -> Work {
        let (finished, running) = (finished.to_vec(), running.to_vec());
        Work { finished, running, waiting, side_by_side: Some(side_by_side), cost: 1.0 }
    }

    #[test]
    fn chunks_that_are_alike_leave_no_doubt() {
        let sure = |found: Option<Forecast>, expected: f64| {
            assert_eq!(found, Some(Forecast { low: expected, middle: expected, high: expected }));
        };
        // Ten at work for 40 of their 100 s, then twenty more: 60 s, and two times 100 s.
        sure(forecast(&work(&[100.0; 5], &[40.0; 10], 20, 10.0)), 260.0);
        sure(forecast(&work(&[100.0; 5], &[40.0; 10], 0, 3.0)), 60.0);
        let dear = Work { cost: 1.5, ..work(&[100.0; 5], &[40.0; 10], 20, 10.0) };
        sure(forecast(&dear), 360.0);
        // Nothing runs just now; in the recent past two did.
        let Forecast { low, high, .. } = forecast(&work(&[100.0; 5], &[], 4, 2.0)).expect("a forecast");
        assert!(low >= 200.0 && high <= 400.0, "{low} {high}");
    }

    #[test]
    fn few_finished_chunks_make_a_wide_spread() {
        let spread = |times: usize| {
            let finished: Vec<f64> = [60.0, 100.0, 200.0].into_iter().cycle().take(times).collect();
            let found = forecast(&work(&finished, &[10.0; 8], 100, 8.0)).expect("a forecast");
            assert!(found.low <= found.middle && found.middle <= found.high);
            (found.high - found.low) / found.middle
        };
        assert!(spread(3) > 2.0 * spread(150), "{} {}", spread(3), spread(150));
    }

    #[test]
    fn nothing_is_foretold_from_nothing() {
        assert_eq!(forecast(&Work::default()), None);
        assert_eq!(forecast(&work(&[], &[1.0], 5, 1.0)), None);
        assert_eq!(forecast(&work(&[100.0], &[], 5, 0.0)), None);
        assert_eq!(forecast(&work(&[100.0], &[], 0, 5.0)), None);
    }

    #[test]
    fn a_long_rest_is_no_other_than_a_short_one() {
        let found = forecast(&work(&[50.0, 150.0].repeat(100), &[10.0; 100], 1_000_000, 100.0)).expect("a forecast");
        assert!((found.middle / 1e6 - 1.0).abs() < 0.1, "{found:?}");
    }

    proptest! {
        #[test]
        fn any_work_has_an_end(
            finished in prop::collection::vec(-1e3f64..1e6, 0..20),
            running in prop::collection::vec(0f64..1e6, 0..20),
            waiting in 0u64..300,
            side_by_side in prop::option::of(0f64..50.0),
            cost in 0f64..100.0,
        ) {
            let work = Work { finished, running, waiting, side_by_side, cost };
            if let Some(found) = forecast(&work) {
                prop_assert!(found.low.is_finite() && found.high.is_finite());
                prop_assert!(0.0 <= found.low && found.low <= found.middle && found.middle <= found.high);
                prop_assert_eq!(forecast(&work), Some(found));
            }
        }
    }
}
