//! How many records of one partial may count: what a partial claims is not trusted, and memory has to be bounded.

use std::collections::BTreeMap;

use super::{Header, Kind};
use crate::space::Interval;

/// So many records may be of items that earlier ones of the same partial cover,
const REPEATS: u64 = 1_000;
/// and so many more for each that is not: partials of all attempts stand one behind the other in an archive.
const REPEATS_OF_EACH: u64 = 16;

/// What has been kept of a partial.
#[derive(Debug, Default)]
pub(super) struct Bound {
    results: Kept,
    failures: Kept,
}

#[derive(Debug, Default)]
struct Kept {
    covered: Covered,
    new: u64,
    repeats: u64,
}

/// Items, as intervals of which neighbours are joined.
#[derive(Debug, Default)]
struct Covered {
    /// What grows: most records follow one another.
    last: Option<Interval>,
    /// The others, by their start: apart from one another.
    others: BTreeMap<u128, u128>,
}

impl Bound {
    /// Takes account of one more record; whether it may be kept. Those that hold items of their own cannot be more than the
    /// items.
    pub(super) fn admits(&mut self, header: &Header) -> bool {
        let kept = if matches!(header.kind, Kind::Failure(_)) { &mut self.failures } else { &mut self.results };
        match kept.covered.add(header.items) {
            true => kept.new += 1,
            false => kept.repeats += 1,
        }
        kept.repeats <= REPEATS + REPEATS_OF_EACH * kept.new
    }
}

impl Covered {
    /// Adds items; whether any of them was not there.
    fn add(&mut self, items: Interval) -> bool {
        let Some(last) = self.last else {
            self.last = Some(items);
            return true;
        };
        if last.intersect(items) == Some(items) || self.holds(items) {
            return false;
        }
        self.last = Some(match Interval::new(last.start(), items.stop()) {
            Some(joined) if last.stop() == items.start() => joined,
            _ => {
                self.put(last);
                items
            }
        });
        true
    }

    fn holds(&self, items: Interval) -> bool {
        let before = self.others.range(..=items.start()).next_back();
        before.is_some_and(|(_, stop)| items.stop() <= *stop)
    }

    /// Joins an interval with those that it touches.
    fn put(&mut self, items: Interval) {
        let (mut start, mut stop) = (items.start(), items.stop());
        while let Some((&own_start, &own_stop)) =
            self.others.range(..=stop).next_back().filter(|(_, own)| **own >= start)
        {
            self.others.remove(&own_start);
            start = start.min(own_start);
            stop = stop.max(own_stop);
        }
        self.others.insert(start, stop);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn repeats_are_bounded() {
        let header = |first: u128| Header {
            plan: crate::plan::Identity::of_bytes(b"plan"),
            code: crate::plan::Identity::of_bytes(b"code"),
            items: Interval::new(first, first + 1).expect("an item"),
            kind: Kind::Whole,
            seconds: 0.0,
            host: "here".into(),
            attempt: "0".into(),
        };
        let mut bound = Bound::default();
        let admitted = (0..1_000_000).take_while(|number| bound.admits(&header(number % 20))).count();
        assert_eq!(admitted as u64, 20 + REPEATS + 20 * REPEATS_OF_EACH);
    }

    proptest! {
        #[test]
        fn items_are_new_once(intervals in prop::collection::vec((0u128..40, 1u128..6), 0..60)) {
            let mut covered = Covered::default();
            let mut seen = std::collections::BTreeSet::new();
            let (mut new, mut again) = (0, 0);
            for (start, length) in intervals {
                let items = Interval::new(start, start + length).expect("items");
                let is_new = (start..start + length).filter(|item| seen.insert(*item)).count() > 0;
                // Items that are there in pieces may be taken for new once more, which joins the pieces.
                match (covered.add(items), is_new) {
                    (true, true) => new += 1,
                    (true, false) => again += 1,
                    (false, is_new) => prop_assert!(!is_new),
                }
                prop_assert!(again <= new);
            }
        }
    }
}
