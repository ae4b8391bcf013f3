//! The sum of all numbers.

use serde::{Deserialize, Serialize};

use super::{ExactSum, Fold, Number, Value};

/// Adds all numbers up; 0 for nothing.
///
/// Integers add up to an integer, exact at any size. One decimal makes the sum a decimal: the exact sum of all the
/// integers and decimals, rounded once ([`ExactSum`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sum;

/// What [`Sum`] has added up.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Sums {
    exact: ExactSum,
    /// Whether a decimal was among the numbers.
    decimal: bool,
}

impl Fold for Sum {
    type State = Sums;

    const PER_ITEM: bool = false;

    fn identity(&self) -> Sums {
        Sums::default()
    }

    #[inline]
    fn add(&self, state: &mut Sums, number: Number) {
        match number {
            Number::Integer(value) => state.exact.add_integer(&value),
            Number::Decimal(value) => {
                state.decimal = true;
                state.exact.add(value);
            }
        }
    }

    fn merge(&self, left: &mut Sums, right: Sums) {
        left.decimal |= right.decimal;
        left.exact.merge(right.exact);
    }

    fn finish(&self, state: Sums) -> Option<Value> {
        Some(Value::Number(if state.decimal {
            Number::Decimal(state.exact.round())
        } else {
            Number::Integer(state.exact.into_integers())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Elementwise;
    use super::super::testing::{reduced, refused};
    use super::*;

    fn check(payload: &str, expected: &str) {
        assert_eq!(reduced(&Elementwise(Sum), &[payload]).as_deref(), Some(expected), "{payload:?}");
    }

    #[test]
    fn integers_stay_integers() {
        check("", "0");
        check("1\n2\r\n\n 3 \n", "6");
        check("170141183460469231731687303715884105727\n1\n", "170141183460469231731687303715884105728");
        check("170141183460469231731687303715884105727\n1\n-1\n", "170141183460469231731687303715884105727");
        check(&format!("1{0}\n-1{0}\n5", "0".repeat(500)), "5");
    }

    #[test]
    fn one_decimal_makes_a_decimal() {
        check("5050.0", "5050.0");
        check("1\n2\n0.5", "3.5");
        check("0.1\n0.2\n0.3", "0.6");
        check("-0.0", "0.0");
        check(&"0.1\n".repeat(10), "1.0");
        check("9007199254740993\n0.0", "9007199254740992.0");
        check("9007199254740993\n1e-300", "9007199254740994.0");
        check(&format!("1{0}\n-1{0}\n0.25", "0".repeat(500)), "0.25");
        check(&format!("-1{}\n0.25", "0".repeat(500)), "-inf");
        check("inf\n1", "inf");
        check("inf\n-inf", "nan");
        check("1e308\n1e308\n-1e308", "1e+308");
    }

    #[test]
    fn a_bad_line_is_an_error() {
        assert_eq!(refused(&Elementwise(Sum), "1\n\nresult: 2\n"), "line 3 is not a number: \"result: 2\"");
    }
}
