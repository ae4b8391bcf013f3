//! Which items have the least or the greatest numbers.

use std::cmp::Ordering;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{BadResult, NoAnswer, Number, Outcome, Reducer, Value};

/// The least or the greatest number, and its item; no answer for nothing.
///
/// Of equal numbers ([`Number::compare`]) that of the first item; NaN anywhere gives the first NaN, as `numpy.argmin` does.
///
/// Laws: the first in item order of those that none is better than, so that neither cut, order nor tree shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Best {
    better: Ordering,
}

/// The K greatest numbers and their items; of equal ones the first items. NaN counts as less than all numbers.
///
/// Laws: the first K in a total order of numbers and items, so that neither cut, order nor tree shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Top(NonZeroU32);

/// A number and its item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Placed {
    value: Number,
    item: u128,
}

impl Placed {
    fn of(outcome: &Outcome<'_>) -> Result<Self, BadResult> {
        match &outcome.value {
            Value::Number(value) => Ok(Self { value: value.clone(), item: outcome.item()? }),
            _ => Err(BadResult::not_a_number(outcome.line, outcome.text)),
        }
    }

    fn answer(self) -> Value {
        Value::Object(vec![
            ("value".to_owned(), Value::Number(self.value)),
            ("item".to_owned(), Value::Item(self.item)),
        ])
    }
}

impl Best {
    /// The least.
    #[must_use]
    pub fn least() -> Self {
        Self { better: Ordering::Less }
    }

    /// The greatest.
    #[must_use]
    pub fn greatest() -> Self {
        Self { better: Ordering::Greater }
    }
}

impl Reducer for Best {
    type State = Option<Placed>;

    fn is_per_item(&self) -> bool {
        true
    }

    fn identity(&self) -> Option<Placed> {
        None
    }

    fn take_one(&self, state: &mut Option<Placed>, outcome: &Outcome<'_>) -> Result<(), BadResult> {
        let placed = Placed::of(outcome)?;
        self.merge(state, Some(placed));
        Ok(())
    }

    fn merge(&self, left: &mut Option<Placed>, right: Option<Placed>) {
        let Some(placed) = right else { return };
        let replaces = match left {
            None => true,
            Some(held) if held.value.is_nan() => false,
            Some(held) => placed.value.is_nan() || placed.value.compare(&held.value) == Some(self.better),
        };
        if replaces {
            *left = Some(placed);
        }
    }

    /// An object: `value` and `item`.
    fn finish(&self, state: Option<Placed>) -> Result<Value, NoAnswer> {
        state.map(Placed::answer).ok_or(NoAnswer::Nothing)
    }
}

impl Top {
    /// So many.
    #[must_use]
    pub fn new(count: NonZeroU32) -> Self {
        Self(count)
    }

    /// Adds a number that comes after all so far.
    fn add(self, state: &mut Vec<Placed>, placed: Placed) {
        // Those that are not less stay before it.
        let place = state.partition_point(|held| match held.value.compare(&placed.value) {
            Some(ordering) => ordering != Ordering::Less,
            None => placed.value.is_nan(),
        });
        let most = usize::try_from(self.0.get()).unwrap_or(usize::MAX);
        if place < most {
            state.insert(place, placed);
            state.truncate(most);
        }
    }
}

impl Reducer for Top {
    /// Descending.
    type State = Vec<Placed>;

    fn is_per_item(&self) -> bool {
        true
    }

    fn identity(&self) -> Vec<Placed> {
        Vec::new()
    }

    fn take_one(&self, state: &mut Vec<Placed>, outcome: &Outcome<'_>) -> Result<(), BadResult> {
        self.add(state, Placed::of(outcome)?);
        Ok(())
    }

    fn merge(&self, left: &mut Vec<Placed>, right: Vec<Placed>) {
        right.into_iter().for_each(|placed| self.add(left, placed));
    }

    /// Rows: `value` and `item`, the greatest first.
    fn finish(&self, state: Vec<Placed>) -> Result<Value, NoAnswer> {
        Ok(Value::Rows(state.into_iter().map(Placed::answer).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{reduced, reduced_of, refused, refused_of};
    use super::*;

    fn check(texts: &[&str], least: &str, greatest: &str) {
        assert_eq!(reduced(&Best::least(), texts).as_deref(), Some(least), "{texts:?}");
        assert_eq!(reduced(&Best::greatest(), texts).as_deref(), Some(greatest), "{texts:?}");
    }

    #[test]
    fn the_first_of_equal_numbers_is_named() {
        check(&["3", "1", "1.0", "3.0"], r#"{"value":1,"item":1}"#, r#"{"value":3,"item":0}"#);
        check(&["2\n5", "-1\n5"], r#"{"value":-1,"item":1}"#, r#"{"value":5,"item":0}"#);
        check(&["1", "nan", "0", "nan"], r#"{"value":"nan","item":1}"#, r#"{"value":"nan","item":1}"#);
        assert_eq!(reduced(&Best::least(), &[]), None);
        assert_eq!(reduced_of(&Best::least(), 3, "3\n\n1\n2\n"), r#"{"value":1,"item":1}"#);
    }

    #[test]
    fn the_greatest_are_in_order() {
        let top = |count| Top::new(NonZeroU32::new(count).expect("above 0"));
        let texts = ["1", "5\n2", "nan", "5.0", "-3"];
        assert_eq!(
            reduced(&top(3), &texts).as_deref(),
            Some(r#"[{"value":5,"item":1},{"value":5.0,"item":3},{"value":2,"item":1}]"#)
        );
        assert!(
            reduced(&top(9), &texts)
                .expect("an answer")
                .ends_with(r#"{"value":-3,"item":4},{"value":"nan","item":2}]"#)
        );
    }

    #[test]
    fn anything_but_a_number_of_one_item_is_refused() {
        assert_eq!(refused(&Best::least(), "x"), "line 1 is not a number: \"x\"");
        assert_eq!(refused_of(&Best::least(), 5, "3"), "it holds 1 result for 5 items, where each item's own is due");
    }
}
