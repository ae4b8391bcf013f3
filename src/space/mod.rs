//! The space: the finite, ordered list of items to compute. Item numbers run from 0; what an item *is*
//! (the number of a range, later a row of values) is computed from its number and never listed.
//!
//! Invariant: a space that exists holds at least one item, and every item number below [`Space::count`] has a value.

mod interval;
mod range;

pub use interval::{Interval, Items};
pub use range::{Range, RangeError};

use serde::{Deserialize, Serialize};

/// What is computed, item by item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Space {
    /// Numbers with a constant step: `--total`.
    Range(Range),
}

impl Space {
    /// How many items the space holds; at least 1.
    #[must_use]
    pub fn count(&self) -> u128 {
        match self {
            Self::Range(range) => range.count(),
        }
    }

    /// All items, as an interval of item numbers.
    #[must_use]
    pub fn whole(&self) -> Interval {
        Interval::new(0, self.count()).expect("a space holds at least one item")
    }

    /// The number of the item that a person means by `text`: its value.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<u128> {
        match self {
            Self::Range(range) => range.item(range::number(text).ok()?),
        }
    }

    /// `items` in the user's own terms: `17..=20` for a range.
    ///
    /// # Panics
    /// Where `items` reaches past the space.
    #[must_use]
    pub fn describe(&self, items: Interval) -> String {
        match self {
            Self::Range(range) => range.describe(items),
        }
    }
}

impl std::fmt::Display for Space {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Range(range) => range.fmt(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_found_by_its_value() {
        let find = |total: &str, text: &str| Space::Range(total.parse().expect("a range")).find(text);
        assert_eq!(find("1..=100", "37"), Some(36));
        assert_eq!(find("-5..=5", "-5"), Some(0));
        assert_eq!(find("0..=1e6:5", "1_000"), Some(200));
        assert_eq!(find("0..=1e6:5", "1e6"), Some(200_000));
        for (total, text) in [("1..=100", "0"), ("1..=100", "101"), ("0..=1000:5", "7"), ("1..=100", "x")] {
            assert_eq!(find(total, text), None, "{text} in {total}");
        }
    }
}
