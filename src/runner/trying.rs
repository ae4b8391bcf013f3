//! How many items a job tries next, where items are tried within a time.
//!
//! The time is exceeded by one item at most: a slice has as many items as are expected to fit in what is left of it, a program that runs
//! once for each item is not started for another one when the time is over, and one run over several items is ended then. What was tried
//! before the job was started again counts.

use std::time::{Duration, Instant};

use crate::cut::Timed;
use crate::plan::Probe;
use crate::space::Interval;

/// A slice is expected to take so much of what is left of the time, at most: items differ.
const SHARE: f64 = 0.8;

/// Items that are tried, one slice after another.
#[derive(Debug)]
pub(super) struct Trying {
    budget: Duration,
    /// When the time is over.
    end: Instant,
    /// The slice that was done last.
    last: Option<Timed>,
}

impl Trying {
    /// From `started` on; `before` was tried before that.
    pub(super) fn new(probe: Probe, started: Instant, before: &[Timed]) -> Self {
        let spent: f64 = before.iter().map(|run| run.seconds.max(0.0)).sum();
        let budget = probe.budget();
        let left = budget.saturating_sub(Duration::try_from_secs_f64(spent).unwrap_or(budget));
        Self { budget, end: started + left, last: before.last().copied() }
    }

    /// What of the next slice is tried, at the time `now`; `None` where there is no time for as many items as tell anything new.
    pub(super) fn next(&self, slice: Interval, now: Instant) -> Option<Interval> {
        let Some(last) = self.last else { return Some(slice) };
        let left = self.end.saturating_duration_since(now).as_secs_f64();
        let fit = (SHARE * left / each(last)) as u128;
        if fit < slice.count() && fit < last.items.count() {
            return None;
        }
        Interval::new(slice.start(), slice.stop().min(slice.start().saturating_add(fit)))
    }

    /// A slice took so long.
    pub(super) fn took(&mut self, items: Interval, seconds: f64) {
        self.last = Some(Timed { items, seconds });
    }

    /// Whether the time is over, so that no further item is begun. The first one is tried in any case.
    pub(super) fn is_over(&self) -> bool {
        self.last.is_some() && Instant::now() >= self.end
    }

    /// When a run over several items is ended: one item's time after the time is over.
    pub(super) fn limit(&self) -> Instant {
        let more = self.last.map_or(0.0, each);
        self.end + Duration::try_from_secs_f64(more).unwrap_or_default()
    }

    /// For how many seconds items may be tried.
    pub(super) fn seconds(&self) -> u64 {
        self.budget.as_secs()
    }
}

/// What an item took, in seconds, with its part of starting.
fn each(run: Timed) -> f64 {
    run.seconds.max(1e-6) / run.items.count() as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::Pacing;

    fn items(start: u128, stop: u128) -> Interval {
        Interval::new(start, stop).expect("items")
    }

    #[test]
    fn a_slice_is_as_large_as_there_is_time_for() {
        let started = Instant::now();
        let at = |seconds: f64| started + Duration::from_secs_f64(seconds);
        let mut trying = Trying::new(Probe::new(60_000, 600_000), started, &[]);
        assert_eq!(trying.next(items(0, 1), at(0.0)), Some(items(0, 1)));
        assert!(!trying.is_over(), "the first item is tried in any case");
        trying.took(items(0, 1), 1.0);
        assert_eq!(trying.next(items(1, 5), at(1.0)), Some(items(1, 5)));
        trying.took(items(1, 5), 4.0);
        trying.took(items(5, 21), 16.0);
        // 39 s are left, and an item takes one.
        assert_eq!(trying.next(items(21, 85), at(21.0)), Some(items(21, 52)));
        assert_eq!(trying.next(items(21, 25), at(21.0)), Some(items(21, 25)), "the last of the chunk");
        assert_eq!(trying.next(items(21, 85), at(41.0)), None, "fewer than before tell nothing new");
        assert_eq!(trying.next(items(21, 22), at(60.0)), None);
        assert_eq!(trying.limit(), at(61.0));
        // Items became dearer at once.
        trying.took(items(21, 22), 30.0);
        assert_eq!(trying.next(items(22, 85), at(50.0)), None);
    }

    #[test]
    fn what_was_tried_before_the_job_was_started_again_counts() {
        let started = Instant::now();
        let before = [Timed { items: items(0, 1), seconds: 10.0 }, Timed { items: items(1, 5), seconds: 20.0 }];
        let trying = Trying::new(Probe::new(60_000, 600_000), started, &before);
        assert_eq!(trying.end, started + Duration::from_secs(30));
        assert_eq!(trying.next(items(5, 21), started), Some(items(5, 9)));
        let spent = Trying::new(Probe::new(20_000, 600_000), started, &before);
        assert_eq!((spent.next(items(5, 21), started), spent.is_over()), (None, true));
    }

    proptest! {
        #[test]
        fn the_time_is_exceeded_by_one_item_at_most(
            count in 1u128..5000, budget in 1_000u64..100_000, start in 0.0f64..2.0, each in 1e-4f64..20.0, seed: u64,
        ) {
            // Items differ a hundredfold, and a run takes a while to start.
            let cost = |item: u128| each * 10f64.powf(2.0 * (crate::space::seed(seed, item) as f64 / u64::MAX as f64) - 1.0);
            let probe = Probe::new(budget, 600_000);
            let pacing = Pacing { probe: Some(probe), ..Pacing::default() };
            let started = Instant::now();
            let mut trying = Trying::new(probe, started, &[]);
            let (mut now, mut longest) = (started, 0.0f64);
            for slice in pacing.slices(items(0, count)) {
                let Some(slice) = trying.next(slice, now) else { break };
                let all = start + (slice.start()..slice.stop()).map(cost).sum::<f64>();
                longest = (slice.start()..slice.stop()).map(cost).fold(longest, f64::max);
                let end = now + Duration::from_secs_f64(all);
                if slice.count() > 1 && end > trying.limit() {
                    now = trying.limit();
                    break;
                }
                trying.took(slice, all);
                now = end;
            }
            let took = (now - started).as_secs_f64();
            prop_assert!(took <= budget as f64 / 1000.0 + start + longest + 1e-6, "{took}");
        }
    }
}
