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
