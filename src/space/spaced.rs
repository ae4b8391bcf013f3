//! Values at equal distances between two ends: `lin:0:1:11`, and at equal ratios: `log:1e-3:1e3:7`.
//!
//! Each is the double that is nearest to the exact value, which is computed with whole numbers alone: 0.3 comes out as 0.3, and
//! a decade as a decade, on every machine.

use num_bigint::{BigInt, Sign};

use super::decimals::{DecimalsError, number};

/// No more values are written down.
pub const MOST_SPACED: u32 = 1_000_000;

/// How values are spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spacing {
    /// At equal distances.
    Linear,
    /// At equal ratios.
    Logarithmic,
}

/// Why a text names no spaced values. The messages are fragments; the text itself is named by the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpacedError {
    /// Not of the form `FIRST:LAST:COUNT`.
    #[error("it is not of the form {0}:FIRST:LAST:COUNT")]
    Form(&'static str),
    /// An end that cannot be read.
    #[error(transparent)]
    End(#[from] DecimalsError),
    /// A count that is none, or too large.
    #[error("`{0}` is not a number of values, 2 to {MOST_SPACED}")]
    Count(String),
    /// 0 or below has no logarithm.
    #[error("both ends have to be above 0")]
    NotPositive,
}

/// Bits behind the point: far more than a double's 53, so that what is lost on the way never shows.
const BITS: u64 = 256;

impl Spacing {
    fn name(self) -> &'static str {
        match self {
            Self::Linear => "lin",
            Self::Logarithmic => "log",
        }
    }

    /// The values that `FIRST:LAST:COUNT` names, both ends included, each in the fewest digits that give its double.
    ///
    /// # Errors
    /// Where the text does not name values.
    pub fn values(self, text: &str) -> Result<Vec<String>, SpacedError> {
        let parts: Vec<_> = text.split(':').collect();
        let [first, last, count] = parts[..] else { return Err(SpacedError::Form(self.name())) };
        let counted = || SpacedError::Count(count.to_owned());
        let digits = count.bytes().all(|byte| byte.is_ascii_digit());
        let many: u32 = count.parse().ok().filter(|_| digits).ok_or_else(counted)?;
        if !(2..=MOST_SPACED).contains(&many) {
            return Err(counted());
        }
        let ends = [Rational::read(first)?, Rational::read(last)?];
        let steps = many - 1;
        match self {
            Self::Linear => Ok((0..many).map(|place| shown(linear(&ends, place, steps).nearest())).collect()),
            Self::Logarithmic if ends.iter().any(|end| end.above.sign() != Sign::Plus) => Err(SpacedError::NotPositive),
            Self::Logarithmic => {
                let constants = Constants::new();
                let [from, to] = ends.each_ref().map(|end| constants.logarithm(end));
                let between = |place: u32| constants.exponential(&((&from * (steps - place) + &to * place) / steps));
                let value = |place: u32| match place {
                    0 => ends[0].nearest(),
                    _ if place == steps => ends[1].nearest(),
                    _ => between(place).nearest(),
                };
                Ok((0..many).map(|place| shown(value(place))).collect())
            }
        }
    }
}

/// `above / below`, of which `below` is above 0.
struct Rational {
    above: BigInt,
    below: BigInt,
}

impl Rational {
    fn read(text: &str) -> Result<Self, DecimalsError> {
        let (digits, scale) = number(text)?.parts();
        Ok(Self { above: digits.into(), below: BigInt::from(10).pow(scale) })
    }

    /// The nearest double; of two, the even one. All that is read here lies far within their range.
    fn nearest(&self) -> f64 {
        // A quotient of at least 65 bits, of which the last stands for all that is cut off.
        let shift = 66 + self.below.bits() as i64 - self.above.bits() as i64;
        let (above, below) = match u64::try_from(shift) {
            Ok(shift) => (self.above.magnitude() << shift, self.below.magnitude().clone()),
            Err(_) => (self.above.magnitude().clone(), self.below.magnitude() << shift.unsigned_abs()),
        };
        let quotient = &above / &below;
        let rest = above != &quotient * &below;
        let quotient = u128::try_from(quotient).expect("66 or 67 bits") | u128::from(rest);
        // Rounds to the nearest; what follows is exact.
        let nearest = quotient as f64 * 2f64.powi(-(shift as i32));
        if self.above.sign() == Sign::Minus { -nearest } else { nearest }
    }
}

fn linear([first, last]: &[Rational; 2], place: u32, steps: u32) -> Rational {
    let from = &first.above * &last.below * (steps - place);
    let to = &last.above * &first.below * place;
    Rational { above: from + to, below: &first.below * &last.below * steps }
}

/// What logarithms are made of, in units of 2^-[`BITS`].
struct Constants {
    one: BigInt,
    two: BigInt,
}

impl Constants {
    fn new() -> Self {
        let one = BigInt::from(1) << BITS;
        // ln 2 = 2 artanh(1/3).
        let two = twice_artanh(&(&one / 3));
        Self { one, two }
    }

    /// The natural logarithm of what is above 0.
    fn logarithm(&self, of: &Rational) -> BigInt {
        self.of_whole(&of.above) - self.of_whole(&of.below)
    }

    fn of_whole(&self, whole: &BigInt) -> BigInt {
        // whole = mantissa * 2^power with a mantissa from 1 to 2.
        let power = whole.bits() - 1;
        let mantissa = (whole << BITS) >> power;
        let ratio = ((&mantissa - &self.one) << BITS) / (&mantissa + &self.one);
        twice_artanh(&ratio) + &self.two * power
    }

    /// e to what is in units of 2^-[`BITS`].
    fn exponential(&self, of: &BigInt) -> Rational {
        let mut power = of / &self.two;
        if of.sign() == Sign::Minus {
            power -= 1;
        }
        // From 0 to ln 2; a 256th of it needs few terms.
        let left = (of - &power * &self.two) >> 8u32;
        let (mut sum, mut term, mut number) = (self.one.clone(), self.one.clone(), 0);
        while term.sign() != Sign::NoSign {
            number += 1;
            term = ((term * &left) >> BITS) / number;
            sum += &term;
        }
        for _ in 0..8 {
            sum = (&sum * &sum) >> BITS;
        }
        let power = i64::try_from(power).expect("numbers have at most 39 digits");
        match u64::try_from(power) {
            Ok(power) => Rational { above: sum << power, below: self.one.clone() },
            Err(_) => Rational { above: sum, below: &self.one << power.unsigned_abs() },
        }
    }
}

/// ln((1 + ratio) / (1 - ratio)), in units of 2^-[`BITS`].
fn twice_artanh(ratio: &BigInt) -> BigInt {
    let square = (ratio * ratio) >> BITS;
    let (mut sum, mut power, mut number) = (BigInt::ZERO, ratio.clone(), 1);
    while power.sign() != Sign::NoSign {
        sum += &power / number;
        power = (&power * &square) >> BITS;
        number += 2;
    }
    sum * 2
}

/// The fewest digits that give the double; with an exponent where it would have many zeros.
fn shown(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-5..1e16).contains(&size) { format!("{value:e}") } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_person_expects() {
        let check = |spacing: Spacing, text: &str, expected: &str| {
            assert_eq!(spacing.values(text).expect(text).join(" "), expected, "{text}");
        };
        check(Spacing::Linear, "0:1:11", "0 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 1");
        check(Spacing::Linear, "-1:1:5", "-1 -0.5 0 0.5 1");
        check(Spacing::Linear, "1:0:3", "1 0.5 0");
        check(Spacing::Linear, "0:1:4", "0 0.3333333333333333 0.6666666666666666 1");
        check(Spacing::Linear, "0:1e-6:3", "0 5e-7 1e-6");
        check(Spacing::Linear, "5:5:2", "5 5");
        check(Spacing::Logarithmic, "1e-3:1e3:7", "0.001 0.01 0.1 1 10 100 1000");
        check(Spacing::Logarithmic, "1000:1e-3:7", "1000 100 10 1 0.1 0.01 0.001");
        check(Spacing::Logarithmic, "1:1024:11", "1 2 4 8 16 32 64 128 256 512 1024");
        check(Spacing::Logarithmic, "1:10:3", "1 3.1622776601683795 10");
        check(Spacing::Logarithmic, "0.3:2.7:3", "0.3 0.9 2.7");
        check(Spacing::Logarithmic, "1e-8:1e20:5", "1e-8 0.1 1000000 10000000000000 1e20");
    }

    #[test]
    fn what_names_no_values() {
        let check = |spacing: Spacing, text: &str, message: &str| {
            let error = spacing.values(text).expect_err(text).to_string();
            assert!(error.contains(message), "{text}: {error}");
        };
        check(Spacing::Linear, "0:1", "it is not of the form lin:FIRST:LAST:COUNT");
        check(Spacing::Logarithmic, "0:1:2:3", "it is not of the form log:FIRST:LAST:COUNT");
        check(Spacing::Linear, "a:1:2", "`a` is not a number");
        check(Spacing::Linear, "0:1:1", "`1` is not a number of values");
        check(Spacing::Linear, "0:1:+5", "`+5` is not a number of values");
        check(Spacing::Linear, "0:1:1000001", "2 to 1000000");
        check(Spacing::Logarithmic, "0:1:5", "above 0");
        check(Spacing::Logarithmic, "1:-1:5", "above 0");
    }

    /// A positive double as a fraction: 53 bits and a power of two.
    fn exact(value: f64) -> Rational {
        let bits = value.to_bits();
        let (power, digits) = ((bits >> 52) as i64 - 1075, (bits & ((1 << 52) - 1)) | (1 << 52));
        let one = BigInt::from(1);
        match u64::try_from(power) {
            Ok(power) => Rational { above: BigInt::from(digits) << power, below: one },
            Err(_) => Rational { above: digits.into(), below: one << power.unsigned_abs() },
        }
    }

    proptest! {
        /// A value is right where the exact one lies between the middles to its neighbours.
        #[test]
        fn each_value_is_the_nearest_double(
            first in 1u32..1_000_000, last in 1u32..1_000_000, scale in 0u32..8, count in 2u32..12,
        ) {
            let text = format!("{first}e-{scale}:{last}:{count}");
            let steps = count - 1;
            let ends = [Rational::read(&format!("{first}e-{scale}")).expect("read"), Rational::read(&last.to_string()).expect("read")];
            let below_or_equal = |one: &Rational, other: &Rational| &one.above * &other.below <= &other.above * &one.below;
            let middle = |one: f64, other: f64| {
                let (one, other) = (exact(one), exact(other));
                let above = one.above * &other.below + other.above * &one.below;
                Rational { above, below: one.below * other.below * 2 }
            };
            let values = |spacing: Spacing| -> Vec<f64> {
                spacing.values(&text).expect("values").iter().map(|value| value.parse().expect("a number")).collect()
            };
            for (place, value) in values(Spacing::Linear).into_iter().enumerate() {
                let wanted = linear(&ends, place as u32, steps);
                prop_assert!(below_or_equal(&middle(value.next_down(), value), &wanted), "{text} {place}");
                prop_assert!(below_or_equal(&wanted, &middle(value, value.next_up())), "{text} {place}");
            }
            for (place, value) in values(Spacing::Logarithmic).into_iter().enumerate() {
                // value^steps = first^(steps - place) * last^place
                let place = place as u32;
                let power = |one: &Rational, times: u32| (one.above.pow(times), one.below.pow(times));
                let (from, to) = (power(&ends[0], steps - place), power(&ends[1], place));
                let wanted = Rational { above: from.0 * to.0, below: from.1 * to.1 };
                let raised = |one: Rational| Rational { above: one.above.pow(steps), below: one.below.pow(steps) };
                prop_assert!(below_or_equal(&raised(middle(value.next_down(), value)), &wanted), "{text} {place}");
                prop_assert!(below_or_equal(&wanted, &raised(middle(value, value.next_up()))), "{text} {place}");
            }
        }
    }
}
