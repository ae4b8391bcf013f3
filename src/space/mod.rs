//! The space: the finite, ordered list of items to compute. Item numbers run from 0; what an item *is* (the number of a
//! range, a row of values) is computed from its number. What cannot be computed (a table's rows) is kept beside the
//! plan, and handed in as [`Rows`].
//!
//! Invariant: a space that exists holds at least one item, and every item number below [`Space::count`] has a value.

mod condition;
mod decimals;
mod expression;
#[cfg(feature = "cli")]
mod formula;
mod identity;
mod interval;
mod list;
mod number;
mod parameters;
mod range;
mod rows;
mod seed;
#[cfg(feature = "cli")]
mod spaced;
mod word;

pub use condition::{Condition, ConditionError};
pub use decimals::{Decimals, DecimalsError, is_number};
#[cfg(feature = "cli")]
pub use formula::Formula;
pub use identity::Identity;
pub use interval::{Interval, Items};
pub use list::{Field, ListError, split};
pub use parameters::{Axis, Column, Listed, NoItem, Parameters, ParametersError, Values};
pub use range::{Range, RangeError};
pub use rows::{RowBlock, Rows};
pub use seed::{seed, seed31};
#[cfg(feature = "cli")]
pub use spaced::{MOST_SPACED, SpacedError, Spacing};
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

/// A space of so many items is searched for those that a condition keeps; of a larger one the jobs leave out what it does not
/// keep.
pub const MOST_SEARCHED: u128 = 1_000_000;

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

    /// The number of the item that a person means by `text`: its value in a range; else its number, or its values,
    /// `alpha=0.1,beta=2`, as many as tell it from all others.
    ///
    /// # Errors
    /// Where no item is meant, or several are.
    pub fn find(&self, text: &str, rows: &Rows) -> Result<u128, NoItem> {
        match self {
            Self::Range(range) => {
                let item = range::number(text).ok().and_then(|number| range.item(number));
                item.ok_or_else(|| NoItem::None(text.to_owned()))
            }
            Self::Parameters(parameters) => parameters.find(text, rows),
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

    /// One item in the user's own terms: its value in a range, else its number and its values: `5 (alpha=0.1, beta=2)`; without
    /// these where the rows that it needs are not at hand.
    ///
    /// # Panics
    /// Where the space has no such item.
    #[must_use]
    pub fn describe_item(&self, item: u128, rows: &Rows) -> String {
        match self {
            Self::Range(range) => range.value(item).to_string(),
            Self::Parameters(parameters) => match parameters.row(item, rows) {
                Some(row) => format!("{item} ({})", describe_row(&self.names(), &row)),
                None => item.to_string(),
            },
        }
    }

    /// Whether the item counts: all do where there is no condition.
    ///
    /// # Errors
    /// Where the condition has no value for the item, or the rows that it needs are not at hand.
    ///
    /// # Panics
    /// Where the space has no such item.
    pub fn keeps(&self, item: u128, rows: &Rows) -> Result<bool, ConditionError> {
        let Self::Parameters(parameters) = self else { return Ok(true) };
        let Some(condition) = parameters.condition() else { return Ok(true) };
        let row = parameters.row_as_planned(item, rows).ok_or_else(|| ConditionError::NoValue {
            row: format!("item {item}"),
            why: "its values are not at hand".to_owned(),
        })?;
        condition.holds(&self.names(), &row)
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
            Self::Parameters(parameters) => parameters.fmt(out),
        }
    }
}

/// An item's values with their names, long ones cut: `alpha=0.1, name='a b'`.
#[must_use]
pub fn describe_row<V: AsRef<[u8]>>(names: &[&str], row: &[V]) -> String {
    // So many bytes of a value are shown.
    const SHOWN: usize = 60;
    let shown = |value: &[u8]| match value.get(..SHOWN) {
        Some(start) if value.len() > SHOWN => Word::from(start.to_vec()).quoted() + "...",
        _ => Word::from(value.to_vec()).quoted(),
    };
    let pairs: Vec<_> =
        names.iter().zip(row).map(|(name, value)| format!("{name}={}", shown(value.as_ref()))).collect();
    pairs.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_found_by_its_value() {
        let find = |total: &str, text: &str| Space::Range(total.parse().expect("a range")).find(text, Rows::NONE).ok();
        assert_eq!(find("1..=100", "37"), Some(36));
        assert_eq!(find("-5..=5", "-5"), Some(0));
        assert_eq!(find("0..=1e6:5", "1_000"), Some(200));
        assert_eq!(find("0..=1e6:5", "1e6"), Some(200_000));
        for (total, text) in [("1..=100", "0"), ("1..=100", "101"), ("0..=1000:5", "7"), ("1..=100", "x")] {
            assert_eq!(find(total, text), None, "{text} in {total}");
        }
    }

    #[test]
    fn an_item_is_described_by_its_values() {
        let column = |name: &str, values: &[&str]| Column {
            name: name.to_owned(),
            values: Values::List(values.iter().map(|&value| Word::from(value)).collect()),
        };
        let long = "x".repeat(100);
        let axes = vec![
            Axis::Columns(vec![column("alpha", &["0.1", "0.2"])]),
            Axis::Columns(vec![column("name", &["a b", &long])]),
        ];
        let space = Space::Parameters(Parameters::new(axes.clone(), None).expect("a space"));
        assert_eq!(space.describe_item(2, Rows::NONE), "2 (alpha=0.2, name='a b')");
        assert_eq!(space.describe_item(1, Rows::NONE), format!("1 (alpha=0.1, name={}...)", "x".repeat(60)));
        assert_eq!(Space::Range("5..9".parse().expect("a range")).describe_item(1, Rows::NONE), "6");
        let condition = "alpha > 0.15".to_owned().try_into().expect("a condition");
        let space = Space::Parameters(Parameters::new(axes, Some(condition)).expect("a space"));
        assert_eq!([0, 1, 2, 3].map(|item| space.keeps(item, Rows::NONE)), [Ok(false), Ok(false), Ok(true), Ok(true)]);
    }
}
