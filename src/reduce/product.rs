//! The product of all numbers.

use num_bigint::{BigInt, BigUint, Sign};
use serde::{Deserialize, Serialize};

use super::double::{self, Parts};
use super::factors::Factors;
use super::{Fold, Integer, Number, Value, saved};

/// Multiplies all numbers; 1 for nothing.
///
/// Integers give an integer, exact at any size. One decimal makes the product a decimal: the exact product of all
/// the integers and decimals (each of which is a whole number times a power of two), rounded once, so that nothing
/// overflows or underflows on the way. NaN anywhere, or a zero and an infinity, make it NaN; otherwise a zero makes
/// it zero and an infinity infinite. The sign of a decimal zero or infinity is negative for an odd number of
/// negative factors, counting -0.0 as one; the integer 0 is +0.
///
/// Exact means that every bit is kept to the end: a product of n decimals takes up to 7 n bytes, and
/// one of integers as many bytes as it has itself. A million decimals take 7 megabytes and some six
/// seconds, ten million some minutes; a product that long had better be a sum of logarithms. Printing
/// takes time that grows with the square of the digits ([`Integer`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Product;

/// What [`Product`] has multiplied: `+-factors * 2^exponent * special`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Products {
    /// The odd parts of the factors that are neither zero, infinite nor NaN.
    factors: Factors,
    /// What was divided out of them.
    exponent: i64,
    /// Whether an odd number of them is negative.
    negative: bool,
    /// The zeros, infinities and NaNs, multiplied by IEEE rules; 1.0 where there was none.
    #[serde(with = "saved::double")]
    special: f64,
    /// Whether a decimal was among the numbers.
    decimal: bool,
}

impl Products {
    fn multiply_integer(&mut self, value: Integer) {
        if value.is_zero() {
            self.multiply_special(0.0);
        } else if let Some(value) = value.to_i128() {
            self.multiply_finite(value < 0, value.unsigned_abs(), 0);
        } else {
            let (sign, magnitude) = value.into_big().into_parts();
            let zeros = magnitude.trailing_zeros().unwrap_or(0);
            self.negative ^= sign == Sign::Minus;
            if self.is_open() {
                self.exponent += zeros.cast_signed();
                self.factors.multiply(magnitude >> zeros);
            }
        }
    }

    fn multiply_double(&mut self, value: f64) {
        self.decimal = true;
        if value == 0.0 || !value.is_finite() {
            self.multiply_special(value);
        } else {
            let parts = Parts::of(value);
            self.multiply_finite(parts.negative, u128::from(parts.mantissa), parts.exponent());
        }
    }

    /// Multiplies `magnitude * 2^exponent` in; `magnitude` must not be 0.
    #[inline]
    fn multiply_finite(&mut self, negative: bool, magnitude: u128, exponent: i64) {
        self.negative ^= negative;
        if self.is_open() {
            let zeros = magnitude.trailing_zeros();
            self.exponent += exponent + i64::from(zeros);
            self.factors.multiply_word(magnitude >> zeros);
        }
    }

    /// Multiplies a zero, an infinity or a NaN in.
    fn multiply_special(&mut self, value: f64) {
        self.special *= value;
        // Only the signs of finite factors matter from here on.
        self.factors = Factors::new();
        self.exponent = 0;
    }

    /// Whether the sizes of finite factors still matter.
    fn is_open(&self) -> bool {
        self.special == 1.0
    }
}

impl Default for Products {
    fn default() -> Self {
        Self { factors: Factors::new(), exponent: 0, negative: false, special: 1.0, decimal: false }
    }
}

impl Fold for Product {
    type State = Products;

    const PER_ITEM: bool = false;

    fn identity(&self) -> Products {
        Products::default()
    }

    fn add(&self, state: &mut Products, number: Number) {
        match number {
            Number::Integer(value) => state.multiply_integer(value),
            Number::Decimal(value) => state.multiply_double(value),
        }
    }

    fn merge(&self, left: &mut Products, right: Products) {
        left.decimal |= right.decimal;
        left.negative ^= right.negative;
        if !right.is_open() {
            left.multiply_special(right.special);
        } else if left.is_open() {
            left.exponent += right.exponent;
            left.factors.merge(right.factors);
        }
    }

    fn finish(&self, state: Products) -> Option<Value> {
        Some(Value::Number(if state.decimal {
            let size = if state.is_open() {
                double::nearest(false, &state.factors.product(), state.exponent)
            } else {
                state.special
            };
            Number::Decimal(if state.negative { -size } else { size })
        } else if state.is_open() {
            let sign = if state.negative { Sign::Minus } else { Sign::Plus };
            // Integers have no negative exponents.
            let magnitude: BigUint = state.factors.product() << state.exponent.unsigned_abs();
            Number::from(BigInt::from_biguint(sign, magnitude))
        } else {
            // Of integers, only a zero is special.
            Number::from(0)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Elementwise;
    use super::super::testing::{reduced, refused};
    use super::*;

    /// Lists of doubles and their products by CPython's `fractions.Fraction`, rounded once; made by
    /// `testdata/make_tables.py`.
    const PRODUCTS: &str = include_str!("testdata/products.txt");

    fn product(payload: &str) -> Number {
        let answer = reduced(&Elementwise(Product), &[payload]).expect("there is an answer");
        Number::parse(answer.as_bytes()).expect("this is a number")
    }

    fn check(payload: &str, expected: &str) {
        assert_eq!(product(payload).to_string(), expected, "{payload:?}");
    }

    #[test]
    fn products_are_those_of_fractions() {
        for line in PRODUCTS.lines() {
            let mut fields = line.split(' ');
            let expected = u64::from_str_radix(fields.next().expect("there is a field"), 16).expect("these are bits");
            let values: Vec<&str> = fields.collect();
            let Number::Decimal(found) = product(&values.join("\n")) else {
                panic!("{line}: not a decimal");
            };
            assert_eq!(found.to_bits(), expected, "{line}: {found:e}");
        }
        assert!(PRODUCTS.lines().count() > 100);
    }

    #[test]
    fn integers_stay_integers() {
        check("", "1");
        check("2\n-3\n\n4\n", "-24");
        check("-2\n-3", "6");
        check("0\n-5", "0");
        check("-170141183460469231731687303715884105728\n-1", "170141183460469231731687303715884105728");
        check(
            "-340282366920938463463374607431768211456\n340282366920938463463374607431768211456",
            "-115792089237316195423570985008687907853269984665640564039457584007913129639936",
        );
        let thirty: String = (1..=30).map(|factor| format!("{factor}\n")).collect();
        check(&thirty, "265252859812191058636308480000000");
    }

    #[test]
    fn one_decimal_makes_a_decimal() {
        check("2\n3\n1.0", "6.0");
        check("0.1\n3", "0.30000000000000004");
        check("0.1\n10", "1.0");
        check("9007199254740993\n1.0", "9007199254740992.0");
        check("1e200\n1e200\n1e-200\n1e-200", "0.9999999999999999");
        check("1e300\n1e300", "inf");
        check("-1e300\n1e300", "-inf");
        check("1e-300\n1e-300", "0.0");
        check("-1e-300\n1e-300", "-0.0");
        check(&format!("1{}\n1e-320", "0".repeat(400)), "9.99988867182683e+79");
    }

    #[test]
    fn zeros_and_infinities_follow_ieee() {
        check("0.0\n-5", "-0.0");
        check("-5\n0.0", "-0.0");
        check("0\n-5\n1.0", "-0.0");
        check("0\n-5\n-1.0", "0.0");
        check("-0.0\n-1e300\n-1e300", "-0.0");
        check("-0.0\n-0.0", "0.0");
        check("-0.0\n0", "-0.0");
        check(&format!("0.0\n-1{}", "0".repeat(60)), "-0.0");
        check("inf\n-2", "-inf");
        check("-inf\n-inf", "inf");
        check("inf\n0", "nan");
        check("0\ninf", "nan");
        check("0\n1\ninf", "nan");
        check("-inf\n1e-320\n1e-320", "-inf");
        check("nan\n0", "nan");
        check("0\nnan", "nan");
        check("inf\nnan", "nan");
        // The product of the finite factors is finite, though no double holds it.
        check("1e300\n1e300\n0", "0.0");
    }

    #[test]
    fn many_factors_are_quick() {
        let mut state = Product.identity();
        for _ in 0..3 {
            let mut part = Product.identity();
            (1..=20_000).for_each(|factor| Product.add(&mut part, Number::from(factor)));
            Product.merge(&mut state, part);
        }
        assert_eq!(state.factors.clone().product().bits().cast_signed() + state.exponent, 770_727);
    }

    #[test]
    fn a_bad_line_is_an_error() {
        assert_eq!(refused(&Elementwise(Product), "2\nx"), "line 2 is not a number: \"x\"");
    }
}
