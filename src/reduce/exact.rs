//! Exact sums of doubles and integers.
//!
//! The idea is Kulisch's: every finite double is a whole number of 2^-1074, so a fixed-point register of some two
//! thousand bits holds any sum of doubles without error, and one rounding at the end gives the double nearest to
//! the true sum. The layout, chunks of 32 bits in words of 64 so that carries can wait for a thousand additions,
//! is the small superaccumulator of Neal.
//!
//! - U. Kulisch, *Computer Arithmetic and Validity*, 2nd ed., de Gruyter 2013.
//! - J. R. Shewchuk, *Adaptive Precision Floating-Point Arithmetic and Fast Robust Geometric Predicates*, Discrete
//!   & Computational Geometry 18, 1997: the expansions behind Python's `math.fsum`, which gives the same sums.
//! - R. M. Neal, *Fast exact summation using small and large superaccumulators*, arXiv:1505.05571, 2015.

use num_bigint::{BigInt, BigUint, Sign};
use serde::{Deserialize, Serialize};

use super::double::{self, Parts};
use super::{Integer, Number, saved};

/// Bits of the sum in a chunk.
const CHUNK_BITS: u32 = 32;

/// The bits of a chunk.
const CHUNK_MASK: u64 = (1 << CHUNK_BITS) - 1;

/// Doubles reach up to bit 2097 of the register; 2^64 of them up to bit 2161, inside the 68th chunk.
const CHUNKS: usize = 68;

/// How many additions a register takes before its carries must be passed on. Each adds less than 2^52 + 2^32 to a
/// chunk, so that after these a chunk is far from the end of an `i64`.
const MOST_ADDITIONS: u32 = 1 << 10;

/// How many doubles are kept as they are before a register is made: as many as take its room.
const FEW: usize = 64;

/// An exact sum of doubles and integers, in any order, rounded once when it is asked for.
///
/// Sums of doubles are those of Python's `math.fsum`, without its overflows on the way: only a total past the
/// largest double becomes infinity. NaN anywhere, or infinities of both signs, make the sum NaN; infinities of
/// one sign make it that infinity. A sum that is exactly zero is +0.0, also that of negative zeros.
///
/// Small (about a hundred bytes) as long as it holds integers and a few doubles; 550 bytes more from then on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExactSum {
    integers: Integer,
    doubles: Doubles,
    /// The sum of the infinities and NaNs, by IEEE addition; 0.0 where there was none.
    #[serde(with = "saved::double")]
    special: f64,
}

/// The finite doubles in a sum.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(into = "Saved", try_from = "Saved")]
enum Doubles {
    /// At most [`FEW`] of them, as they came.
    Few(Vec<f64>),
    Many(Box<Register>),
}

/// How the finite doubles are written down.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Saved {
    Few(Vec<Number>),
    /// In units of 2^[`double::LOWEST`].
    Units(#[serde(with = "saved::big")] BigInt),
}

impl From<Doubles> for Saved {
    fn from(doubles: Doubles) -> Self {
        match doubles {
            Doubles::Few(values) => Self::Few(values.into_iter().map(Number::Decimal).collect()),
            Doubles::Many(register) => Self::Units(register.units()),
        }
    }
}

impl TryFrom<Saved> for Doubles {
    type Error = &'static str;

    fn try_from(saved: Saved) -> Result<Self, &'static str> {
        match saved {
            Saved::Few(numbers) if numbers.len() <= FEW => {
                let finite = |number| match number {
                    Number::Decimal(value) if value.is_finite() => Ok(value),
                    _ => Err("not a finite double"),
                };
                numbers.into_iter().map(finite).collect::<Result<_, _>>().map(Self::Few)
            }
            Saved::Few(_) => Err("more doubles than are kept one by one"),
            Saved::Units(units) => {
                Register::of_units(&units).map(|register| Self::Many(Box::new(register))).ok_or("too large a sum")
            }
        }
    }
}

impl ExactSum {
    /// The sum of nothing, 0.
    pub const fn new() -> Self {
        Self { integers: Integer::ZERO, doubles: Doubles::Few(Vec::new()), special: 0.0 }
    }

    /// Adds a double.
    #[inline]
    pub fn add(&mut self, value: f64) {
        if value.is_finite() {
            self.add_finite(value);
        } else {
            self.special += value;
        }
    }

    /// Adds an integer.
    #[inline]
    pub fn add_integer(&mut self, value: &Integer) {
        self.integers += value;
    }

    /// Adds all that `other` holds.
    pub fn merge(&mut self, other: Self) {
        self.special += other.special;
        self.integers += &other.integers;
        match other.doubles {
            Doubles::Few(values) => values.into_iter().for_each(|value| self.add_finite(value)),
            Doubles::Many(mut register) => match &mut self.doubles {
                Doubles::Many(own) => own.merge(&register),
                Doubles::Few(values) => {
                    values.iter().for_each(|value| register.add(*value));
                    self.doubles = Doubles::Many(register);
                }
            },
        }
    }

    /// The double nearest to the sum; of two that are equally near, the even one.
    pub fn round(&self) -> f64 {
        // Once an infinity or a NaN is in, this is one; no sum of them is zero, and NaN equals nothing.
        if self.special != 0.0 {
            return self.special;
        }
        let units = self.units();
        double::nearest(units.sign() == Sign::Minus, units.magnitude(), double::LOWEST)
    }

    /// The integers that were added, without the doubles.
    pub fn into_integers(self) -> Integer {
        self.integers
    }

    /// The sum of the finite doubles and the integers, in units of 2^[`double::LOWEST`].
    pub(super) fn units(&self) -> BigInt {
        self.doubles.units() + (self.integers.to_big() << double::LOWEST.unsigned_abs())
    }

    /// The sum of the infinities and NaNs; 0.0 where there was none.
    pub(super) fn special(&self) -> f64 {
        self.special
    }

    #[inline]
    fn add_finite(&mut self, value: f64) {
        match &mut self.doubles {
            Doubles::Many(register) => register.add(value),
            Doubles::Few(values) if values.len() < FEW => values.push(value),
            Doubles::Few(values) => {
                let mut register = Box::new(Register::of(values));
                register.add(value);
                self.doubles = Doubles::Many(register);
            }
        }
    }
}

impl Default for ExactSum {
    fn default() -> Self {
        Self::new()
    }
}

impl Doubles {
    /// The sum in units of the smallest subnormal.
    fn units(&self) -> BigInt {
        match self {
            Self::Few(values) if values.is_empty() => BigInt::ZERO,
            Self::Few(values) => Register::of(values).units(),
            Self::Many(register) => (**register).clone().units(),
        }
    }
}

/// A fixed-point number of [`CHUNKS`] chunks, the lowest first, whose last bit is worth 2^-1074: the sum of
/// `chunks[i] * 2^(32 * i)`.
///
/// Each chunk is a signed word wider than its 32 bits, so an addition touches two of them and passes nothing on.
/// Invariant: no chunk is larger in size than `2^32 + additions * (2^52 + 2^32)`.
#[derive(Debug, Clone)]
struct Register {
    chunks: [i64; CHUNKS],
    additions: u32,
}

impl Register {
    /// The sum of finite `values`.
    fn of(values: &[f64]) -> Self {
        let mut register = Self { chunks: [0; CHUNKS], additions: 0 };
        values.iter().for_each(|value| register.add(*value));
        register
    }

    /// The number that is `units` in units of the last bit; `None` where that does not fit.
    fn of_units(units: &BigInt) -> Option<Self> {
        let digits = units.magnitude().to_u32_digits();
        // One chunk less, so that there is room for as much again.
        if digits.len() >= CHUNKS {
            return None;
        }
        let sign = if units.sign() == Sign::Minus { -1 } else { 1 };
        let mut register = Self { chunks: [0; CHUNKS], additions: 0 };
        for (chunk, digit) in register.chunks.iter_mut().zip(digits) {
            *chunk = sign * i64::from(digit);
        }
        Some(register)
    }

    /// Adds a finite double.
    #[inline]
    fn add(&mut self, value: f64) {
        if self.additions >= MOST_ADDITIONS {
            self.carry();
        }
        self.additions += 1;
        let parts = Parts::of(value);
        let index = (parts.shift / CHUNK_BITS) as usize;
        let offset = parts.shift % CHUNK_BITS;
        // Bits that the first shift pushes out at the top are those that the second keeps.
        let low = ((parts.mantissa << offset) & CHUNK_MASK).cast_signed();
        let high = (parts.mantissa >> (CHUNK_BITS - offset)).cast_signed();
        // Negated without a branch, since signs are often as good as random.
        let sign = -i64::from(parts.negative);
        self.chunks[index] += (low ^ sign) - sign;
        self.chunks[index + 1] += (high ^ sign) - sign;
    }

    fn merge(&mut self, other: &Self) {
        if self.additions + other.additions >= MOST_ADDITIONS {
            self.carry();
            let mut other = other.clone();
            other.carry();
            self.add_chunks(&other);
        } else {
            self.add_chunks(other);
        }
    }

    /// Adds chunk by chunk; the chunks of both must be small enough.
    fn add_chunks(&mut self, other: &Self) {
        for (own, other) in self.chunks.iter_mut().zip(other.chunks) {
            *own += other;
        }
        // One more for the 2^32 that a chunk of `other` may hold without any addition.
        self.additions += other.additions + 1;
    }

    /// Passes the carries on: all chunks but the last are then from 0 to 2^32 - 1, and the last has the sign.
    fn carry(&mut self) {
        let mut carry = 0;
        let [others @ .., last] = &mut self.chunks;
        for chunk in others {
            let sum = *chunk + carry;
            carry = sum >> CHUNK_BITS;
            *chunk = sum & CHUNK_MASK.cast_signed();
        }
        *last += carry;
        self.additions = 0;
    }

    /// The sum in units of the last bit.
    fn units(mut self) -> BigInt {
        self.carry();
        let negative = self.chunks[CHUNKS - 1] < 0;
        if negative {
            for chunk in &mut self.chunks {
                *chunk = -*chunk;
            }
            self.carry();
        }
        let mut digits = Vec::with_capacity(CHUNKS + 1);
        for chunk in self.chunks {
            digits.push((chunk.cast_unsigned() & CHUNK_MASK) as u32);
        }
        digits.push((self.chunks[CHUNKS - 1] >> CHUNK_BITS) as u32);
        let sign = if negative { Sign::Minus } else { Sign::Plus };
        BigInt::from_biguint(sign, BigUint::new(digits))
    }
}

#[cfg(test)]
mod tests {
    use num_bigint::BigInt;
    use proptest::prelude::*;

    use super::*;

    /// Lists of doubles and their sums by CPython's `math.fsum`; made by `testdata/make_tables.py`.
    const FSUM: &str = include_str!("testdata/fsum.txt");

    fn sum(values: &[f64]) -> f64 {
        let mut sum = ExactSum::new();
        values.iter().for_each(|value| sum.add(*value));
        sum.round()
    }

    /// A sum that has a register from the start.
    fn sum_in_register(values: &[f64]) -> f64 {
        let mut sum = ExactSum::new();
        sum.doubles = Doubles::Many(Box::new(Register::of(&[])));
        values.iter().for_each(|value| sum.add(*value));
        sum.round()
    }

    fn check(values: &[f64], expected: f64) {
        for found in [sum(values), sum_in_register(values)] {
            assert!(
                found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan(),
                "{values:?}: {found:e}, not {expected:e}"
            );
        }
    }

    #[test]
    fn sums_are_those_of_fsum() {
        for line in FSUM.lines() {
            let mut fields = line.split(' ');
            let expected = u64::from_str_radix(fields.next().expect("there is a field"), 16).expect("these are bits");
            let values: Vec<f64> = fields.map(|field| field.parse().expect("this is a double")).collect();
            check(&values, f64::from_bits(expected));
        }
        assert!(FSUM.lines().count() > 200);
    }

    #[test]
    fn zero_sums_are_positive() {
        check(&[], 0.0);
        check(&[-0.0], 0.0);
        check(&[-0.0, -0.0], 0.0);
        check(&[1e308, -5e-324, -1e308, 5e-324], 0.0);
    }

    #[test]
    fn infinities_and_nans_decide() {
        const INF: f64 = f64::INFINITY;
        check(&[1.0, INF, -1e308], INF);
        check(&[INF, INF], INF);
        check(&[-INF, 5.0], -INF);
        check(&[INF, 1.0, -INF], f64::NAN);
        check(&[INF, -INF, INF], f64::NAN);
        check(&[f64::NAN], f64::NAN);
        check(&[INF, f64::NAN], f64::NAN);
    }

    #[test]
    fn only_the_total_can_overflow() {
        let half_unit = 2f64.powi(970);
        check(&[f64::MAX, f64::MAX, -f64::MAX], f64::MAX);
        check(&[f64::MAX, f64::MAX, -f64::MAX, -f64::MAX, 5e-324], 5e-324);
        check(&[f64::MAX, half_unit], f64::INFINITY);
        check(&[f64::MAX, half_unit, -5e-324], f64::MAX);
        check(&[f64::MAX, half_unit.next_down()], f64::MAX);
        check(&[-f64::MAX, -half_unit], f64::NEG_INFINITY);
        check(&[f64::MIN; 5000], f64::NEG_INFINITY);
    }

    #[test]
    fn carries_wait_for_many_additions() {
        // The value that fills both of its chunks the most.
        let full = f64::from_bits(0x20 << 52 | 0xf_ffff_ffff_ffff);
        for count in [1023, 1024, 1025, 5000] {
            for value in [f64::MAX, -full, full, 5e-324] {
                let mut values = vec![value; count];
                values.extend(vec![-value; count - 1]);
                check(&values, value);
            }
        }
    }

    #[test]
    fn merging_many_registers_is_exact() {
        for (parts, length) in [(5000, 1), (300, 70), (20, 1023), (20, 1024)] {
            let mut total = ExactSum::new();
            for _ in 0..parts {
                let mut part = ExactSum::new();
                (0..length).for_each(|_| part.add(f64::MAX));
                (0..length).for_each(|_| part.add(0.1));
                total.merge(part);
            }
            for _ in 0..parts * length {
                total.add(-f64::MAX);
                total.add(-0.1);
            }
            assert_eq!(total.round().to_bits(), 0);
            total.add(-5e-324);
            assert_eq!(total.round(), -5e-324);
        }
    }

    #[test]
    fn integers_of_any_size_are_added_exactly() {
        let huge = Integer::from(BigInt::from(10).pow(400));
        let minus_huge = Integer::from(-BigInt::from(10).pow(400));
        let mut sum = ExactSum::new();
        sum.add_integer(&huge);
        sum.add(0.1);
        assert_eq!(sum.round(), f64::INFINITY);
        sum.add_integer(&minus_huge);
        assert_eq!(sum.round(), 0.1);
        sum.add_integer(&minus_huge);
        assert_eq!(sum.round(), f64::NEG_INFINITY);
        let mut sum = ExactSum::new();
        sum.add_integer(&Integer::from((1 << 53) + 1));
        assert_eq!(sum.round(), 9_007_199_254_740_992.0);
        sum.add(5e-324);
        assert_eq!(sum.round(), 9_007_199_254_740_994.0);
        sum.add(-5e-324);
        sum.add(-5e-324);
        assert_eq!(sum.round(), 9_007_199_254_740_992.0);
    }

    #[test]
    fn a_saved_sum_that_no_sum_can_be_is_refused() {
        let units = |digits: usize| {
            format!(r#"{{"integers":"0","doubles":{{"units":"{}"}},"special":"0.0"}}"#, "f".repeat(digits))
        };
        assert!(serde_json::from_str::<ExactSum>(&units(8 * 67)).is_ok());
        assert!(serde_json::from_str::<ExactSum>(&units(8 * 67 + 1)).is_err());
        for doubles in [r#"{"few":["inf"]}"#, r#"{"few":["1"]}"#] {
            assert!(
                serde_json::from_str::<ExactSum>(&format!(r#"{{"integers":"0","doubles":{doubles},"special":"0.0"}}"#))
                    .is_err()
            );
        }
    }

    #[test]
    fn a_sum_of_few_is_small() {
        assert!(size_of::<ExactSum>() <= 80);
        let mut sum = ExactSum::new();
        (0..FEW).for_each(|_| sum.add(1.0));
        assert!(matches!(sum.doubles, Doubles::Few(_)));
        sum.add(1.0);
        assert!(matches!(sum.doubles, Doubles::Many(_)));
        assert_eq!(sum.round(), 65.0);
    }

    /// The sum as a whole number of the smallest subnormal, by integer arithmetic alone.
    fn oracle_units(values: &[f64], integers: &[i128]) -> BigInt {
        let doubles: BigInt = values.iter().map(|value| units(*value)).sum();
        let integers: BigInt = integers.iter().map(|value| BigInt::from(*value)).sum();
        doubles + integers * BigInt::from(2).pow(1074)
    }

    /// What a double is worth in units of the smallest subnormal, from the definition of the format.
    fn units(value: f64) -> BigInt {
        let bits = value.abs().to_bits();
        let (exponent, fraction) = (bits / (1 << 52), bits % (1 << 52));
        let size = match exponent {
            0 => BigInt::from(fraction),
            _ => BigInt::from(fraction + (1 << 52)) * BigInt::from(2).pow(exponent as u32 - 1),
        };
        if value < 0.0 { -size } else { size }
    }

    /// The double nearest to `sum`, found by bisection over all doubles and not by shifting bits.
    fn oracle_nearest(sum: &BigInt) -> f64 {
        let size = BigInt::from(sum.magnitude().clone());
        let (mut low, mut high) = (0u64, f64::INFINITY.to_bits());
        while high - low > 1 {
            let middle = low.midpoint(high);
            if units(f64::from_bits(middle)) <= size {
                low = middle;
            } else {
                high = middle;
            }
        }
        // Infinity stands for 2^1024 here, as if the exponents went on; that is what its bits come to.
        let below = &size - units(f64::from_bits(low));
        let above = units(f64::from_bits(high)) - &size;
        let nearest = match below.cmp(&above) {
            std::cmp::Ordering::Less => low,
            std::cmp::Ordering::Greater => high,
            std::cmp::Ordering::Equal => low + low % 2,
        };
        let nearest = f64::from_bits(nearest);
        if sum.sign() == Sign::Minus { -nearest } else { nearest }
    }

    /// Finite doubles: any bits, and those whose sums cancel, tie and fall below the normal numbers.
    fn finite() -> impl Strategy<Value = f64> {
        prop_oneof![
            any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |value| value.is_finite()),
            (any::<bool>(), 0u64..1 << 53)
                .prop_map(|(negative, bits)| f64::from_bits(bits | u64::from(negative) << 63)),
            (-1074i32..1024).prop_map(|exponent| 2f64.powi(exponent)),
            (-8i32..8, -60i32..60).prop_map(|(units, exponent)| f64::from(units) * 2f64.powi(exponent)),
        ]
    }

    proptest! {
        #[test]
        fn sums_are_those_of_integer_arithmetic(
            mut values in proptest::collection::vec(finite(), 0..90),
            cancelled in 0usize..90,
            integers in proptest::collection::vec(any::<i128>(), 0..3),
            cut in 0usize..100,
        ) {
            let opposite: Vec<f64> = values.iter().take(cancelled).map(|value| -value).collect();
            values.extend(opposite);
            let expected = oracle_nearest(&oracle_units(&values, &integers));
            let (left, right) = values.split_at(cut.min(values.len()));
            let mut sum = ExactSum::new();
            left.iter().for_each(|value| sum.add(*value));
            let mut rest = ExactSum::new();
            right.iter().for_each(|value| rest.add(*value));
            integers.iter().for_each(|value| rest.add_integer(&Integer::from(*value)));
            let again = |sum: &ExactSum| -> ExactSum {
                serde_json::from_str(&serde_json::to_string(sum).expect("plain values")).expect("as written")
            };
            let mut read = again(&sum);
            read.merge(again(&rest));
            sum.merge(rest);
            for sum in [again(&sum), sum, read] {
                prop_assert_eq!(sum.round().to_bits(), (expected + 0.0).to_bits());
            }
        }
    }
}
