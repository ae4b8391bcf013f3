//! Integers of any size.

use std::cmp::Ordering;
use std::fmt;
use std::ops::AddAssign;

use num_bigint::{BigInt, Sign};

use super::double::Parts;

/// 2^127, the first double that is too large for an `i128`.
const I128_END: f64 = 170_141_183_460_469_231_731_687_303_715_884_105_728.0;

/// Decimal digits that always fit an `i128`.
const I128_DIGITS: usize = 38;

/// An exact integer of any size.
///
/// One that fits an `i128` is held in one, without allocation. Time to read and print grows with the square of
/// the number of digits past some thousands of them: a million digits take about a second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Integer(Size);

/// Invariant: `Big` is never used for what fits an `i128`, so that equal integers are equal values.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Size {
    Small(i128),
    Big(Box<BigInt>),
}

impl Integer {
    /// 0.
    pub const ZERO: Self = Self(Size::Small(0));

    /// The integer written as `digits`, all of which must be ASCII digits; at least one.
    pub(super) fn from_digits(negative: bool, digits: &[u8]) -> Option<Self> {
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        if digits.len() <= I128_DIGITS {
            let size = digits.iter().fold(0, |value, digit| value * 10 + i128::from(digit - b'0'));
            return Some(Self::from(if negative { -size } else { size }));
        }
        let size = BigInt::parse_bytes(digits, 10)?;
        Some(Self::from(if negative { -size } else { size }))
    }

    /// Whether this is 0.
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }

    /// The value, where it fits an `i128`.
    pub fn to_i128(&self) -> Option<i128> {
        match self.0 {
            Size::Small(value) => Some(value),
            Size::Big(_) => None,
        }
    }

    /// The value as a [`BigInt`].
    pub fn to_big(&self) -> BigInt {
        match &self.0 {
            Size::Small(value) => BigInt::from(*value),
            Size::Big(value) => (**value).clone(),
        }
    }

    /// The value as a [`BigInt`], without copying a large one.
    pub fn into_big(self) -> BigInt {
        match self.0 {
            Size::Small(value) => BigInt::from(value),
            Size::Big(value) => *value,
        }
    }

    /// The nearest double, ties to even; infinite past the largest.
    pub fn to_double(&self) -> f64 {
        match &self.0 {
            Size::Small(value) => *value as f64,
            Size::Big(value) => super::double::nearest(value.sign() == Sign::Minus, value.magnitude(), 0),
        }
    }

    /// How this integer compares with a double, exactly (neither is rounded); `None` for a NaN.
    pub fn compare_with_double(&self, double: f64) -> Option<Ordering> {
        let fits_i128 = (-I128_END..I128_END).contains(&double);
        match &self.0 {
            Size::Small(value) if fits_i128 => match value.cmp(&(double.trunc() as i128)) {
                Ordering::Equal => 0f64.partial_cmp(&double.fract()),
                unequal => Some(unequal),
            },
            // Whatever the integer, the double is further from zero (or NaN, which this gives `None` for).
            Size::Small(_) => 0f64.partial_cmp(&double),
            Size::Big(_) if !double.is_finite() => 0f64.partial_cmp(&double),
            Size::Big(value) if fits_i128 => Some(value.sign().cmp(&Sign::NoSign)),
            Size::Big(value) => Some((**value).cmp(&whole_double(double))),
        }
    }
}

/// A finite double of at least 2^53, which has no fraction, as an integer.
fn whole_double(double: f64) -> BigInt {
    let parts = Parts::of(double);
    debug_assert!(parts.exponent() >= 0);
    let size = BigInt::from(parts.mantissa) << parts.exponent();
    if parts.negative { -size } else { size }
}

impl From<i128> for Integer {
    #[inline]
    fn from(value: i128) -> Self {
        Self(Size::Small(value))
    }
}

impl From<BigInt> for Integer {
    fn from(value: BigInt) -> Self {
        match i128::try_from(&value) {
            Ok(small) => Self(Size::Small(small)),
            Err(_) => Self(Size::Big(Box::new(value))),
        }
    }
}

impl AddAssign<&Self> for Integer {
    #[inline]
    fn add_assign(&mut self, other: &Self) {
        if let (Size::Small(left), Size::Small(right)) = (&mut self.0, &other.0)
            && let Some(sum) = left.checked_add(*right)
        {
            *left = sum;
        } else {
            add_slowly(self, other);
        }
    }
}

/// Addition where an operand or the sum does not fit an `i128`.
#[cold]
fn add_slowly(left: &mut Integer, right: &Integer) {
    let mut sum = std::mem::replace(left, Integer::ZERO).into_big();
    match &right.0 {
        Size::Small(value) => sum += *value,
        Size::Big(value) => sum += &**value,
    }
    *left = Integer::from(sum);
}

impl Ord for Integer {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Size::Small(left), Size::Small(right)) => left.cmp(right),
            (Size::Small(_), Size::Big(right)) => Sign::NoSign.cmp(&right.sign()),
            (Size::Big(left), Size::Small(_)) => left.sign().cmp(&Sign::NoSign),
            (Size::Big(left), Size::Big(right)) => left.cmp(right),
        }
    }
}

impl PartialOrd for Integer {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Integer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Size::Small(value) => value.fmt(formatter),
            Size::Big(value) => value.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Integer {
        match text.strip_prefix('-') {
            Some(digits) => Integer::from_digits(true, digits.as_bytes()),
            None => Integer::from_digits(false, text.as_bytes()),
        }
        .expect("these are digits")
    }

    #[test]
    fn sums_leave_i128_and_come_back() {
        let mut sum = Integer::from(i128::MAX);
        sum += &Integer::from(1);
        assert_eq!(sum.to_string(), "170141183460469231731687303715884105728");
        assert_eq!(sum.to_i128(), None);
        sum += &Integer::from(-1);
        assert_eq!(sum.to_i128(), Some(i128::MAX));
        let mut sum = Integer::from(i128::MIN);
        sum += &Integer::from(-1);
        assert_eq!(sum.to_string(), "-170141183460469231731687303715884105729");
        sum += &Integer::from(1);
        assert_eq!(sum, Integer::from(i128::MIN));
    }

    #[test]
    fn digits_are_read_at_every_length() {
        for length in 1..100 {
            let text = "9".repeat(length);
            assert_eq!(parse(&text).to_string(), text);
            assert_eq!(parse(&format!("-{text}")).to_string(), format!("-{text}"));
            assert_eq!(parse(&"0".repeat(length)), Integer::ZERO);
        }
        assert_eq!(parse(&format!("{}7", "0".repeat(60))), Integer::from(7));
        assert_eq!(parse("-170141183460469231731687303715884105728"), Integer::from(i128::MIN));
        assert_eq!(Integer::from_digits(false, b""), None);
        assert_eq!(Integer::from_digits(false, b"1_000"), None);
    }

    #[test]
    fn doubles_compare_exactly() {
        let check = |integer: &str, double: f64, expected| {
            assert_eq!(parse(integer).compare_with_double(double), expected, "{integer} against {double}");
        };
        check("9007199254740993", 9_007_199_254_740_992.0, Some(Ordering::Greater));
        check("9007199254740992", 9_007_199_254_740_992.0, Some(Ordering::Equal));
        check("9007199254740991", 9_007_199_254_740_992.0, Some(Ordering::Less));
        check("3", 3.5, Some(Ordering::Less));
        check("-3", -3.5, Some(Ordering::Greater));
        check("4", 3.5, Some(Ordering::Greater));
        check("0", -0.0, Some(Ordering::Equal));
        check("0", 5e-324, Some(Ordering::Less));
        check("0", -5e-324, Some(Ordering::Greater));
        check("170141183460469231731687303715884105727", I128_END, Some(Ordering::Less));
        check("170141183460469231731687303715884105728", I128_END, Some(Ordering::Equal));
        check("-170141183460469231731687303715884105728", -I128_END, Some(Ordering::Equal));
        check("-170141183460469231731687303715884105729", -I128_END, Some(Ordering::Less));
        check("-170141183460469231731687303715884105728", -I128_END.next_down(), Some(Ordering::Less));
        check("100000000000000000000000000000000000000000", 1.5, Some(Ordering::Greater));
        check("-100000000000000000000000000000000000000000", 1.5, Some(Ordering::Less));
        check("-100000000000000000000000000000000000000000", -1e40, Some(Ordering::Less));
        check("100000000000000000000000000000000000000000", 1e41, Some(Ordering::Less));
        check("1000000000000000000000000000000000000000000", f64::MAX, Some(Ordering::Less));
        let huge = format!("1{}", "0".repeat(400));
        check(&huge, f64::MAX, Some(Ordering::Greater));
        check(&format!("-{huge}"), f64::MIN, Some(Ordering::Less));
        check(&huge, f64::INFINITY, Some(Ordering::Less));
        check(&format!("-{huge}"), f64::NEG_INFINITY, Some(Ordering::Greater));
        check("1", f64::INFINITY, Some(Ordering::Less));
        check("1", f64::NEG_INFINITY, Some(Ordering::Greater));
        check("1", f64::NAN, None);
        check(&huge, f64::NAN, None);
    }

    /// Integers of every size around the border of `i128`.
    fn integers() -> impl Strategy<Value = BigInt> {
        (any::<i128>(), any::<i64>(), 0u32..140).prop_map(|(high, low, shift)| {
            let high = BigInt::from(high) << 64 | BigInt::from(low);
            high >> shift
        })
    }

    proptest! {
        #[test]
        fn adding_and_ordering_are_those_of_bigint(left in integers(), right in integers()) {
            let mut sum = Integer::from(left.clone());
            sum += &Integer::from(right.clone());
            prop_assert_eq!(&sum, &Integer::from(&left + &right));
            prop_assert_eq!(sum.to_big(), &left + &right);
            prop_assert_eq!(Integer::from(left.clone()).cmp(&Integer::from(right.clone())), left.cmp(&right));
            prop_assert_eq!(parse(&left.to_string()), Integer::from(left.clone()));
        }

        #[test]
        fn doubles_compare_as_scaled_integers(integer in integers(), bits: u64, exponent in 900u64..1200) {
            let bits = bits & !(0x7ff << 52) | exponent << 52;
            let double = f64::from_bits(bits);
            let parts = Parts::of(double);
            let size = BigInt::from(parts.mantissa) << parts.shift;
            let scaled = if parts.negative { -size } else { size };
            prop_assert_eq!(Integer::from(integer.clone()).compare_with_double(double), Some((integer << 1074u32).cmp(&scaled)));
        }
    }
}
