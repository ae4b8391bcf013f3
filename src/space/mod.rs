//! The space: the finite, ordered list of items to compute. Item numbers run from 0; what an item *is* (the number of a
//! range, a row of values) is computed from its number. What cannot be computed (a table's rows) is kept beside the
//! plan, and handed in as [`Rows`].
//!
//! Invariant: a space that exists holds at least one item, and every item number below [`Space::count`] has a value.

mod condition;
mod identity;
mod interval;
mod parameters;
mod range;
mod rows;
mod seed;
mod word;

pub use condition::{Condition, ConditionError};
pub use identity::Identity;
pub use interval::{Interval, Items};
pub use parameters::{Axis, Column, Listed, Parameters, ParametersError, Values};
pub use range::{Range, RangeError};
pub use rows::{RowBlock, Rows};
pub use seed::{seed, seed31};
pub use word::Word;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// What is computed, item by item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Space {
    /// Numbers with a constant step: `--total`.
    Range(Range),
    /// Rows of named values: `--grid`, `--zip`, `--table`, `--lines`, `--files`.
    Parameters(Parameters),
}

/// The name of a range's values, alone and in a product.
pub const ITEM: &str = "item";

impl Space {
    /// How many items the space holds; at least 1.
    #[must_use]
    pub fn count(&self) -> u128 {
        match self {
            Self::Range(range) => range.count(),
            Self::Parameters(parameters) => parameters.count(),
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
            Self::Parameters(parameters) => text.parse().ok().filter(|item| *item < parameters.count()),
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
            Self::Parameters(_) if items.count() == 1 => items.start().to_string(),
            Self::Parameters(_) => format!("{}..={}", items.start(), items.last()),
        }
    }

    /// The names of an item's values, in order: [`ITEM`] alone for a range.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        match self {
            Self::Range(_) => vec![ITEM],
            Self::Parameters(parameters) => parameters.names().collect(),
        }
    }

    /// The item's values, in the order of the names; `None` where the rows that it needs are not at hand.
    ///
    /// # Panics
    /// Where the space has no such item.
    #[must_use]
    pub fn row<'a>(&'a self, item: u128, rows: &'a Rows) -> Option<Vec<Cow<'a, [u8]>>> {
        match self {
            Self::Range(range) => Some(vec![range.value(item).to_string().into_bytes().into()]),
            Self::Parameters(parameters) => parameters.row(item, rows),
        }
    }

    /// Whether the item counts: where the space has a condition, it is true for the item.
    ///
    /// # Errors
    /// Where the condition says nothing of the item.
    #[expect(clippy::unnecessary_wraps, reason = "a condition need not have a value")]
    pub fn keeps(&self, _item: u128, _rows: &Rows) -> Result<bool, ConditionError> {
        Ok(true)
    }

    /// The parts of it that are kept beside the plan, in the order of [`Rows::blocks`].
    #[must_use]
    pub fn listed(&self) -> Vec<&Listed> {
        match self {
            Self::Range(_) => Vec::new(),
            Self::Parameters(parameters) => parameters.listed().collect(),
        }
    }
}

impl std::fmt::Display for Space {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Range(range) => range.fmt(out),
            Self::Parameters(parameters) => {
                let names: Vec<_> = parameters.names().collect();
                write!(out, "{} items of {}", parameters.count(), names.join(", "))
            }
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
