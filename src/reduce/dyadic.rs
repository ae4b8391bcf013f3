//! Exact arithmetic on whole numbers times powers of two, which doubles and integers are, and correctly rounded quotients
//! and roots of them.

use std::ops::{AddAssign, Mul, Sub};

use num_bigint::{BigInt, BigUint, Sign};
use serde::{Deserialize, Serialize};

use super::double::{self, Parts};
use super::{Number, saved};

/// Fourth powers of doubles have exponents of less than this size.
const LARGEST_EXPONENT: i64 = 10_000;

/// So many bits of a quotient are computed before it is rounded; one more says whether there are others.
const QUOTIENT_BITS: u64 = 160;

/// `digits * 2^exponent`, exactly.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Saved", try_from = "Saved")]
pub(super) struct Dyadic {
    digits: BigInt,
    exponent: i64,
}

#[derive(Serialize, Deserialize)]
struct Saved(#[serde(with = "saved::big")] BigInt, i64);

impl From<Dyadic> for Saved {
    fn from(dyadic: Dyadic) -> Self {
        Self(dyadic.digits, dyadic.exponent)
    }
}

impl TryFrom<Saved> for Dyadic {
    type Error = &'static str;

    fn try_from(Saved(digits, exponent): Saved) -> Result<Self, &'static str> {
        match exponent.abs() {
            ..=LARGEST_EXPONENT => Ok(Self { digits, exponent }),
            _ => Err("too large an exponent"),
        }
    }
}

impl Dyadic {
    /// `digits * 2^exponent`.
    pub(super) fn new(digits: BigInt, exponent: i64) -> Self {
        Self { digits, exponent }
    }

    /// A finite number; `None` for infinities and NaN.
    pub(super) fn of(number: &Number) -> Option<Self> {
        match number {
            Number::Integer(value) => Some(Self::new(value.to_big(), 0)),
            Number::Decimal(value) if value.is_finite() => {
                let parts = Parts::of(*value);
                // Without its zeros at the end the numbers that people compute with are short.
                let zeros = parts.mantissa.trailing_zeros() % u64::BITS;
                let size = BigInt::from(parts.mantissa >> zeros);
                let exponent = if parts.mantissa == 0 { 0 } else { parts.exponent() + i64::from(zeros) };
                Some(Self::new(if parts.negative { -size } else { size }, exponent))
            }
            Number::Decimal(_) => None,
        }
    }

    pub(super) fn is_zero(&self) -> bool {
        self.digits.sign() == Sign::NoSign
    }

    pub(super) fn is_negative(&self) -> bool {
        self.digits.sign() == Sign::Minus
    }

    /// The double nearest to `self / divisor`, which must not be zero; ties to even.
    pub(super) fn over(&self, divisor: &Self) -> f64 {
        let (quotient, exponent) = quotient(self, divisor, 0);
        double::nearest(self.is_negative() != divisor.is_negative(), &quotient, exponent)
    }

    /// The double nearest to the square root of `self / divisor`, of which neither is negative nor the latter zero.
    pub(super) fn root_over(&self, divisor: &Self) -> f64 {
        let odd = u64::from((self.exponent - divisor.exponent).rem_euclid(2) == 1);
        let (quotient, exponent) = quotient(self, divisor, odd);
        // The quotient's last bit, which says whether there are others, is below those that the root is made of.
        let root = quotient.sqrt();
        let inexact = &root * &root != quotient;
        double::nearest(false, &(root << 1u32 | BigUint::from(u32::from(inexact))), exponent / 2 - 1)
    }
}

/// The sizes' quotient with at least [`QUOTIENT_BITS`] bits, and its exponent, which is even where that of `self` and
/// `divisor` differ by `odd` more than an even number. A remainder shows as a last bit that is set.
fn quotient(dividend: &Dyadic, divisor: &Dyadic, odd: u64) -> (BigUint, i64) {
    let (above, below) = (dividend.digits.magnitude(), divisor.digits.magnitude());
    // Two bits more are of use to a root, and keep the parity.
    let shift = (QUOTIENT_BITS + below.bits()).saturating_sub(above.bits()).next_multiple_of(2) + odd;
    let shifted = above << shift;
    let quotient = &shifted / below;
    let inexact = &quotient * below != shifted;
    let exponent = dividend.exponent - divisor.exponent - shift.cast_signed();
    (quotient << 2u32 | BigUint::from(u32::from(inexact)), exponent - 2)
}

impl AddAssign<&Dyadic> for Dyadic {
    fn add_assign(&mut self, other: &Self) {
        if other.is_zero() {
            return;
        }
        if self.is_zero() {
            self.clone_from(other);
            return;
        }
        match other.exponent - self.exponent {
            0 => self.digits += &other.digits,
            above @ 1.. => self.digits += &other.digits << above,
            below => {
                self.digits <<= below.unsigned_abs();
                self.digits += &other.digits;
                self.exponent = other.exponent;
            }
        }
    }
}

impl Sub for Dyadic {
    type Output = Self;

    fn sub(mut self, other: Self) -> Self {
        self += &Self::new(-other.digits, other.exponent);
        self
    }
}

impl Mul for &Dyadic {
    type Output = Dyadic;

    fn mul(self, other: &Dyadic) -> Dyadic {
        Dyadic::new(&self.digits * &other.digits, self.exponent + other.exponent)
    }
}

impl From<u128> for Dyadic {
    fn from(value: u128) -> Self {
        Self::new(BigInt::from(value), 0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(value: f64) -> Dyadic {
        Dyadic::of(&Number::Decimal(value)).expect("finite")
    }

    #[test]
    fn quotients_and_roots_at_the_ends() {
        let one = Dyadic::from(1);
        assert_eq!(of(f64::MAX).over(&of(0.5)), f64::INFINITY);
        assert_eq!(of(-5e-324).over(&Dyadic::from(2)).to_bits(), (-0.0f64).to_bits());
        assert_eq!(of(5e-324).over(&Dyadic::new(BigInt::from(19), -4)), 5e-324);
        assert_eq!((&of(f64::MAX) * &of(f64::MAX)).root_over(&one), f64::MAX);
        assert_eq!((&of(5e-324) * &of(5e-324)).root_over(&one), 5e-324);
        assert_eq!(of(0.0).root_over(&one).to_bits(), 0);
        assert_eq!(Dyadic::of(&Number::Decimal(f64::NAN)), None);
    }

    proptest! {
        #[test]
        fn doubles_divide_as_the_processor_divides_them(left: f64, right: f64) {
            prop_assume!(left.is_finite() && right.is_finite() && right != 0.0);
            let zero = left == 0.0;
            let expected = left / right;
            let found = of(left).over(&of(right));
            prop_assert!(found.to_bits() == expected.to_bits() || zero && found == 0.0, "{found:e}, not {expected:e}");
        }

        #[test]
        fn roots_are_those_of_the_processor(value: f64) {
            let value = value.abs();
            prop_assume!(value.is_finite());
            prop_assert_eq!(of(value).root_over(&Dyadic::from(1)).to_bits(), value.sqrt().to_bits());
        }

        #[test]
        fn sums_and_products_are_exact(values in proptest::collection::vec((any::<i64>(), -200i64..200), 1..8)) {
            let mut sum = Dyadic::default();
            let mut product = Dyadic::from(1);
            let mut whole = BigInt::ZERO;
            for (digits, exponent) in &values {
                let value = Dyadic::new(BigInt::from(*digits), *exponent);
                sum += &value;
                product = &product * &value;
                whole += BigInt::from(*digits) << (exponent + 200);
            }
            prop_assert_eq!(&sum.digits << (sum.exponent + 200), whole);
            let digits: BigInt = values.iter().map(|(digits, _)| BigInt::from(*digits)).product();
            prop_assert_eq!(product, Dyadic::new(digits, values.iter().map(|(_, exponent)| exponent).sum()));
        }
    }
}
