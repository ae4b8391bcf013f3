//! Consecutive item numbers.

use serde::{Deserialize, Serialize};

/// Consecutive item numbers `start..stop`; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval {
    start: u128,
    stop: u128,
}

impl Interval {
    /// The items `start`, `start + 1`, ... up to but not including `stop`; `None` where that is none.
    #[must_use]
    pub fn new(start: u128, stop: u128) -> Option<Self> {
        (start < stop).then_some(Self { start, stop })
    }

    /// The first item's number.
    #[must_use]
    pub fn start(self) -> u128 {
        self.start
    }

    /// One more than the last item's number.
    #[must_use]
    pub fn stop(self) -> u128 {
        self.stop
    }

    /// The last item's number.
    #[must_use]
    pub fn last(self) -> u128 {
        self.stop - 1
    }

    /// How many items; at least 1.
    #[must_use]
    pub fn count(self) -> u128 {
        self.stop - self.start
    }

    /// The items that are in both.
    #[must_use]
    pub fn intersect(self, other: Self) -> Option<Self> {
        Self::new(self.start.max(other.start), self.stop.min(other.stop))
    }
}

/// An interval as documents and records spell it: the first and the last item's number, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Items {
    /// The first item's number, from 0.
    pub first: u128,
    /// The last item's number.
    pub last: u128,
}

impl From<Interval> for Items {
    fn from(interval: Interval) -> Self {
        Self { first: interval.start, last: interval.last() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_or_reversed_interval_does_not_exist() {
        assert_eq!(Interval::new(3, 3), None);
        assert_eq!(Interval::new(4, 3), None);
        assert_eq!(Interval::new(3, 4).map(Interval::count), Some(1));
    }

    #[test]
    fn intersections_are_the_shared_items() {
        let interval = |start, stop| Interval::new(start, stop).expect("not empty");
        assert_eq!(interval(0, 5).intersect(interval(3, 9)), Interval::new(3, 5));
        assert_eq!(interval(0, 5).intersect(interval(5, 9)), None);
    }
}
