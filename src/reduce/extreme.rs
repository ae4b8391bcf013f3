//! The smallest and the largest number.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::{Fold, Number, Value};

/// The smallest number; no answer for nothing.
///
/// Integers and decimals are compared exactly ([`Number::compare`]). Of equal numbers the first in item order is
/// the answer, so that 1 and 1.0, or 0.0 and -0.0, print as whichever came first. NaN anywhere gives NaN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Min;

/// The largest number; otherwise as [`Min`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Max;

/// What [`Min`] or [`Max`] has found: the first of the most extreme numbers, or NaN once there was one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Extreme(Option<Number>);

impl Extreme {
    /// Takes a number that comes after all so far; it replaces the one that is held where it compares as `better`.
    #[inline]
    fn take(&mut self, number: Number, better: Ordering) {
        let replaces = match &self.0 {
            None => true,
            Some(held) => match number.compare(held) {
                Some(ordering) => ordering == better,
                None => number.is_nan(),
            },
        };
        if replaces {
            self.0 = Some(number);
        }
    }

    fn merge(&mut self, right: Self, better: Ordering) {
        if let Some(number) = right.0 {
            self.take(number, better);
        }
    }
}

impl Fold for Min {
    type State = Extreme;

    const PER_ITEM: bool = false;

    fn identity(&self) -> Extreme {
        Extreme::default()
    }

    #[inline]
    fn add(&self, state: &mut Extreme, number: Number) {
        state.take(number, Ordering::Less);
    }

    fn merge(&self, left: &mut Extreme, right: Extreme) {
        left.merge(right, Ordering::Less);
    }

    fn finish(&self, state: Extreme) -> Option<Value> {
        state.0.map(Value::Number)
    }
}

impl Fold for Max {
    type State = Extreme;

    const PER_ITEM: bool = false;

    fn identity(&self) -> Extreme {
        Extreme::default()
    }

    #[inline]
    fn add(&self, state: &mut Extreme, number: Number) {
        state.take(number, Ordering::Greater);
    }

    fn merge(&self, left: &mut Extreme, right: Extreme) {
        left.merge(right, Ordering::Greater);
    }

    fn finish(&self, state: Extreme) -> Option<Value> {
        state.0.map(Value::Number)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Elementwise;
    use super::super::testing::{reduced, refused};
    use super::*;

    fn check(payload: &str, min: &str, max: &str) {
        assert_eq!(reduced(&Elementwise(Min), &[payload]).as_deref(), Some(min), "min of {payload:?}");
        assert_eq!(reduced(&Elementwise(Max), &[payload]).as_deref(), Some(max), "max of {payload:?}");
    }

    #[test]
    fn nothing_has_no_answer() {
        for payload in ["", "\n", " \r\n\n"] {
            assert_eq!(reduced(&Elementwise(Min), &[payload]), None);
            assert_eq!(reduced(&Elementwise(Max), &[payload]), None);
        }
    }

    #[test]
    fn integers_and_decimals_compare_exactly() {
        check("2\n10\n-3.5\n", "-3.5", "10");
        check("9007199254740992.0\n9007199254740993", "9007199254740992.0", "9007199254740993");
        check("9007199254740993\n9007199254740992.0", "9007199254740992.0", "9007199254740993");
        let huge = format!("1{}", "0".repeat(400));
        check(&format!("1.7976931348623157e308\n{huge}"), "1.7976931348623157e+308", &huge);
        check(&format!("{huge}\ninf\n-inf"), "-inf", "inf");
    }

    #[test]
    fn the_first_of_equal_numbers_is_kept() {
        check("1\n1.0", "1", "1");
        check("1.0\n1", "1.0", "1.0");
        check("-0.0\n0.0\n0", "-0.0", "-0.0");
        check("0\n-0.0", "0", "0");
    }

    #[test]
    fn nan_anywhere_is_nan() {
        check("nan\n1", "nan", "nan");
        check("1\nNaN", "nan", "nan");
        check("-inf\nnan\ninf", "nan", "nan");
        check("nan\nnan", "nan", "nan");
    }

    #[test]
    fn a_bad_line_is_an_error() {
        for refused in [refused(&Elementwise(Min), "1\nx"), refused(&Elementwise(Max), "1\nx")] {
            assert_eq!(refused, "line 2 is not a number: \"x\"");
        }
    }
}
