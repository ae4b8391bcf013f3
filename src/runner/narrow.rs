//! Which of the items that a run of the program failed on is the bad one: what failed is halved, the largest first, and the
//! halves are run.
//!
//! Pure: it says what to run next, is told what came of it, and in the end names what still has no result. Invariants: what
//! worked and what is named at the end are apart and together all the items; it ends after so many runs that one bad item is
//! found ([`Narrowing::most`]), and earlier where halves and quarters all fail: then it is the program, and not an item.

use crate::space::Interval;

/// Both halves and the quarters.
const HOPELESS: u32 = 6;

/// The state of a search; `F` tells of a failure.
#[derive(Debug)]
pub(super) struct Narrowing<F> {
    failed: Vec<Failure<F>>,
    /// A half that is to be run, and how its whole failed.
    next: Option<(Interval, F)>,
    /// The half that is running, and how its whole failed.
    at_work: Option<(Interval, F)>,
    runs: u32,
    most: u32,
    has_worked: bool,
}

#[derive(Debug)]
struct Failure<F> {
    items: Interval,
    why: F,
    /// Whether its halves would fare no better.
    is_final: bool,
}

impl<F: Clone> Narrowing<F> {
    /// A run over `items` has failed.
    pub(super) fn new(items: Interval, why: F) -> Self {
        let most = Self::most(items);
        let failed = vec![Failure { items, why, is_final: false }];
        Self { failed, next: None, at_work: None, runs: 0, most, has_worked: false }
    }

    /// So many runs: two for each time that `items` can be halved, which finds one bad item, and two more.
    fn most(items: Interval) -> u32 {
        let halvings = u128::BITS - (items.count() - 1).leading_zeros();
        2 * halvings + 2
    }

    /// What to run next; `None` where no run would tell more. What came of it is told by [`Narrowing::worked`] or
    /// [`Narrowing::failed`]; where neither is called, it has failed as its whole did.
    pub(super) fn next(&mut self) -> Option<Interval> {
        self.put_back();
        if self.runs >= self.most || self.is_hopeless() {
            return None;
        }
        if self.next.is_none() {
            let candidates = self.failed.iter().enumerate().filter(|(_, failure)| !failure.is_final);
            let candidates = candidates.filter(|(_, failure)| failure.items.count() > 1);
            let (place, _) = candidates.max_by_key(|(_, Failure { items, .. })| {
                // The first of those that are as large.
                (items.count(), std::cmp::Reverse(items.start()))
            })?;
            let Failure { items, why, .. } = self.failed.swap_remove(place);
            let middle = items.start() + items.count() / 2;
            self.next = Interval::new(middle, items.stop()).map(|half| (half, why.clone()));
            self.at_work = Interval::new(items.start(), middle).map(|half| (half, why));
        } else {
            self.at_work = self.next.take();
        }
        self.runs += 1;
        self.at_work.as_ref().map(|(half, _)| *half)
    }

    /// The half at hand has a result.
    pub(super) fn worked(&mut self) {
        self.has_worked = true;
        self.at_work = None;
    }

    /// The half at hand has failed, and its halves would too, if this is `final`.
    pub(super) fn failed(&mut self, why: F, is_final: bool) {
        if let Some((items, _)) = self.at_work.take() {
            self.failed.push(Failure { items, why, is_final });
        }
    }

    /// Whether halves and quarters have all failed.
    pub(super) fn is_hopeless(&self) -> bool {
        !self.has_worked && self.runs >= HOPELESS && self.at_work.is_none()
    }

    /// What has no result, in order, and why.
    pub(super) fn finish(mut self) -> Vec<(Interval, F)> {
        self.put_back();
        let left = self.next.take();
        let failed = self.failed.into_iter().map(|Failure { items, why, .. }| (items, why));
        let mut failed: Vec<_> = failed.chain(left).collect();
        failed.sort_by_key(|(items, _)| items.start());
        failed
    }

    fn put_back(&mut self) {
        if let Some((items, why)) = self.at_work.take() {
            self.failed.push(Failure { items, why, is_final: true });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// What has no result where runs over `bad` items fail, in how many runs, and whether that was hopeless.
    fn search(items: Interval, bad: &BTreeSet<u128>) -> (Vec<Interval>, u32, bool) {
        let mut narrowing = Narrowing::new(items, items);
        let mut worked = Vec::new();
        let mut runs = 0;
        while let Some(half) = narrowing.next() {
            runs += 1;
            if bad.range(half.start()..half.stop()).next().is_some() {
                narrowing.failed(half, false);
            } else {
                narrowing.worked();
                worked.push(half);
            }
        }
        let hopeless = narrowing.is_hopeless();
        let failed = narrowing.finish();
        // A failure is told of by itself or by what it was a half of.
        assert!(failed.iter().all(|(items, of)| items.intersect(*of) == Some(*items)));
        let failed: Vec<_> = failed.into_iter().map(|(items, _)| items).collect();
        let mut all = [worked, failed.clone()].concat();
        all.sort_unstable();
        assert_eq!((all[0].start(), all[all.len() - 1].stop()), (items.start(), items.stop()));
        assert!(all.windows(2).all(|pair| pair[0].stop() == pair[1].start()), "{all:?}");
        (failed, runs, hopeless)
    }

    fn interval(start: u128, stop: u128) -> Interval {
        Interval::new(start, stop).expect("items")
    }

    #[test]
    fn a_broken_program_is_run_for_halves_and_quarters_alone() {
        let all = (0..1000).collect();
        let quarters = [interval(0, 250), interval(250, 500), interval(500, 750), interval(750, 1000)];
        assert_eq!(search(interval(0, 1000), &all), (quarters.to_vec(), 6, true));
        assert_eq!(search(interval(4, 6), &all), (vec![interval(4, 5), interval(5, 6)], 2, false));
        assert_eq!(search(interval(4, 5), &all), (vec![interval(4, 5)], 0, false));
    }

    #[test]
    fn a_failure_that_does_not_come_back_costs_nothing() {
        assert_eq!(search(interval(0, 1000), &BTreeSet::new()), (vec![], 2, false));
    }

    #[test]
    fn what_is_final_or_untold_is_not_halved() {
        let mut narrowing = Narrowing::new(interval(0, 8), "all");
        assert_eq!(narrowing.next(), Some(interval(0, 4)));
        narrowing.failed("the machine", true);
        assert_eq!(narrowing.next(), Some(interval(4, 8)));
        assert_eq!(narrowing.next(), None);
        assert_eq!(narrowing.finish(), [(interval(0, 4), "the machine"), (interval(4, 8), "all")]);
        let mut narrowing = Narrowing::new(interval(0, 8), "all");
        assert_eq!(narrowing.next(), Some(interval(0, 4)));
        narrowing.worked();
        assert_eq!(narrowing.finish(), [(interval(4, 8), "all")]);
    }

    proptest! {
        #[test]
        fn one_bad_item_is_found(start in 0u128..1000, count in 1u128..1 << 40, bad: u128) {
            let items = interval(start, start + count);
            let bad = start + bad % count;
            let (failed, runs, hopeless) = search(items, &BTreeSet::from([bad]));
            prop_assert_eq!(failed, [interval(bad, bad + 1)]);
            prop_assert!(runs <= 2 * (count as f64).log2().ceil() as u32, "{} runs", runs);
            prop_assert!(!hopeless);
        }

        #[test]
        fn no_good_half_is_lost_and_the_runs_are_bounded(
            count in 1u128..200, bad in prop::collection::btree_set(0u128..200, 0..20),
        ) {
            let bad: BTreeSet<u128> = bad.into_iter().filter(|&item| item < count).collect();
            let (failed, runs, hopeless) = search(interval(0, count), &bad);
            prop_assert!(runs <= 2 * (count as f64).log2().ceil() as u32 + 2);
            prop_assert!(!hopeless || failed == [interval(0, count / 4), interval(count / 4, count / 2),
                interval(count / 2, count / 2 + (count - count / 2) / 2),
                interval(count / 2 + (count - count / 2) / 2, count)]);
            for item in bad {
                prop_assert!(failed.iter().any(|items| items.start() <= item && item < items.stop()));
            }
        }
    }
}
