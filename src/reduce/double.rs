//! What an IEEE 754 double is made of, and the one place where exact values are rounded to one.

use num_bigint::BigUint;

/// Every finite double is a whole number of `2^LOWEST`, the smallest subnormal.
pub(super) const LOWEST: i64 = -1074;

/// Bits in a double's fraction, without the leading one.
const FRACTION_BITS: u32 = 52;

/// The exponent of the leading bit of the largest doubles.
const HIGHEST: i64 = 1023;

/// A finite double taken apart: `mantissa * 2^(shift + LOWEST)`, exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts {
    /// Whether the sign bit is set (also of -0.0).
    pub(super) negative: bool,
    /// Below 2^53; 0 for zeros.
    pub(super) mantissa: u64,
    /// From 0 to 2045.
    pub(super) shift: u32,
}

impl Parts {
    /// Takes a finite `value` apart.
    #[inline]
    pub(super) fn of(value: f64) -> Self {
        debug_assert!(value.is_finite());
        let bits = value.to_bits();
        let biased = (bits >> FRACTION_BITS) as u32 & 0x7ff;
        let fraction = bits & ((1 << FRACTION_BITS) - 1);
        // Subnormals have the exponent of the smallest normal numbers, but no leading one.
        let normal = u32::from(biased != 0);
        Self {
            negative: bits >> 63 == 1,
            mantissa: fraction | u64::from(normal) << FRACTION_BITS,
            shift: biased - normal,
        }
    }

    /// The exponent of the mantissa's last bit.
    pub(super) fn exponent(self) -> i64 {
        i64::from(self.shift) + LOWEST
    }
}

/// `magnitude * 2^exponent`, rounded once to the nearest double, ties to the even one, as IEEE 754 (4.3.1) has
/// it: subnormals are rounded at their own last bit, and what is at least half a unit above the largest double
/// becomes infinity.
pub(super) fn nearest(negative: bool, magnitude: &BigUint, exponent: i64) -> f64 {
    let size = magnitude.bits();
    let leading = size.cast_signed() - 1 + exponent;
    let positive = if size == 0 {
        0.0
    } else if leading > HIGHEST {
        f64::INFINITY
    } else {
        let last = (leading - i64::from(FRACTION_BITS)).max(LOWEST);
        let kept = match u64::try_from(last - exponent) {
            Ok(dropped) => shift_right_to_nearest(magnitude, dropped),
            Err(_) => low_word(&(magnitude << exponent.abs_diff(last))),
        };
        // The leading one, where there is one, adds 1 to the exponent field; and so does a carry out of the
        // rounding, whose fraction is then zero. Past the largest exponent that is the bit pattern of infinity.
        let field = LOWEST.abs_diff(last);
        f64::from_bits((field << FRACTION_BITS) + kept)
    };
    if negative { -positive } else { positive }
}

/// `magnitude / 2^dropped` to the nearest integer, ties to even; the result must fit 64 bits.
fn shift_right_to_nearest(magnitude: &BigUint, dropped: u64) -> u64 {
    if dropped > magnitude.bits() {
        return 0;
    }
    let kept = low_word(&(magnitude >> dropped));
    let Some(half) = dropped.checked_sub(1) else {
        return kept;
    };
    let at_least_half = magnitude.bit(half);
    let more_than_half = magnitude.trailing_zeros().is_some_and(|zeros| zeros < half);
    kept + u64::from(at_least_half && (more_than_half || kept & 1 == 1))
}

/// The lowest 64 bits.
fn low_word(magnitude: &BigUint) -> u64 {
    magnitude.iter_u64_digits().next().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(magnitude: u128, exponent: i64, expected: f64) {
        for (negative, expected) in [(false, expected), (true, -expected)] {
            assert_eq!(
                nearest(negative, &BigUint::from(magnitude), exponent).to_bits(),
                expected.to_bits(),
                "{magnitude} * 2^{exponent}"
            );
        }
    }

    #[test]
    fn ties_go_to_even() {
        check((1 << 53) + 1, 0, 9_007_199_254_740_992.0);
        check((1 << 53) + 3, 0, 9_007_199_254_740_996.0);
        check((1 << 54) + 2 + 1, 0, 18_014_398_509_481_988.0);
        check((1 << 120) + (1 << 67), 0, 2f64.powi(120));
        check((1 << 120) + (1 << 67) + 1, 0, 2f64.powi(120) + 2f64.powi(68));
        check((1 << 54) - 1, 0, 2f64.powi(54));
    }

    #[test]
    fn subnormals_are_rounded_at_their_last_bit() {
        check(1, -1074, 5e-324);
        check(1, -1075, 0.0);
        check(3, -1075, 1e-323);
        check((1 << 60) + 1, -1135, 5e-324);
        check(1 << 60, -1135, 0.0);
        check(1 << 60, -1136, 0.0);
        check(1 << 60, i64::MIN / 2, 0.0);
        check((1 << 53) - 1, -1075, f64::MIN_POSITIVE);
        check((1 << 52) - 1, -1074, f64::MIN_POSITIVE.next_down());
    }

    #[test]
    fn past_the_largest_is_infinity_from_half_a_unit_on() {
        check((1 << 53) - 1, 971, f64::MAX);
        check((1 << 54) - 1, 970, f64::INFINITY);
        check((1 << 55) - 3, 969, f64::MAX);
        check(1, 1024, f64::INFINITY);
        check(1, i64::MAX / 2, f64::INFINITY);
    }

    proptest! {
        #[test]
        fn taken_apart_and_put_together(bits: u64, spare in 0u32..70) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            let parts = Parts::of(value);
            prop_assert!(parts.shift <= 2045 && parts.mantissa < 1 << 53);
            let whole = nearest(parts.negative, &(BigUint::from(parts.mantissa) << spare), parts.exponent() - i64::from(spare));
            prop_assert_eq!(whole.to_bits(), bits);
        }

        #[test]
        fn integers_round_as_the_processor_rounds_them(value: u128, shift in 0u32..128) {
            let value = value >> shift;
            prop_assert_eq!(nearest(false, &BigUint::from(value), 0).to_bits(), (value as f64).to_bits());
        }
    }
}
