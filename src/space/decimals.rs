//! Decimals with a constant step: `0..=1:0.1`.

use serde::{Deserialize, Serialize};

/// The decimals `first`, `first + step`, ..., each exact: whole numbers of the unit 10^-`scale`, so that 0.3 is 0.3. Each is
/// written with `scale` digits behind the point: `0..=1:0.5` is 0.0, 0.5, 1.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Bounds", into = "Bounds")]
pub struct Decimals {
    first: i128,
    step: i128,
    count: u128,
    scale: u32,
}

/// Why a text names no decimals. The messages are fragments; the text itself is named by the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalsError {
    /// Not of the form `FIRST..END:STEP`.
    #[error("it is not of the form FIRST..END:STEP or FIRST..=LAST:STEP")]
    Form,
    /// One of the numbers cannot be read.
    #[error("`{0}` is not a number")]
    NotANumber(String),
    /// One of the numbers has too many digits.
    #[error("`{0}` has too many digits")]
    TooLarge(String),
    /// Nothing to compute.
    #[error("the range is empty")]
    Empty,
    /// The end comes before the start.
    #[error("the range runs backwards: {start} is above {end}")]
    Reversed {
        /// The first bound as given.
        start: String,
        /// The second bound as given.
        end: String,
    },
    /// The step is 0 or negative.
    #[error("the step `{0}` is not a number above 0")]
    Step(String),
}

/// The document's spelling: the first and the last decimal and the step, in units of 10^-`scale`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bounds {
    first: i128,
    last: i128,
    step: i128,
    scale: u32,
}

/// 10^38 is the largest power of ten within i128.
const MOST_DIGITS: u32 = 38;

/// `digits` times 10^-`scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    digits: i128,
    scale: u32,
}

impl Decimals {
    /// How many; at least 1.
    #[must_use]
    pub fn count(&self) -> u128 {
        self.count
    }

    /// How many digits are written behind the point.
    #[must_use]
    pub fn scale(&self) -> u32 {
        self.scale
    }

    /// The first, the last and the step in units of 10^-[`scale`](Self::scale).
    #[must_use]
    pub fn bounds(&self) -> (i128, i128, i128) {
        (self.first, self.units(self.count - 1), self.step)
    }

    /// The decimal with the number `place`, as it is written.
    ///
    /// # Panics
    /// Where there are no so many.
    #[must_use]
    pub fn value(&self, place: u128) -> String {
        assert!(place < self.count, "decimal {place} of {}", self.count);
        Decimal { digits: self.units(place), scale: self.scale }.to_string()
    }

    /// The number of the decimal that `text` writes, in whatever way.
    #[must_use]
    pub fn place(&self, text: &str) -> Option<u128> {
        let distance = number(text).ok()?.scaled_exactly(self.scale)?.checked_sub(self.first)?;
        let place = u128::try_from(distance / self.step).ok()?;
        (distance % self.step == 0 && distance >= 0 && place < self.count).then_some(place)
    }

    /// All of them lie between two that fit, and so does what is computed on the way.
    fn units(&self, place: u128) -> i128 {
        self.first.wrapping_add((place as i128).wrapping_mul(self.step))
    }

    fn new(first: Decimal, end: Decimal, step: Decimal, included: bool) -> Option<Result<Self, DecimalsError>> {
        let common = first.scale.max(end.scale).max(step.scale);
        let scale = first.scale.max(step.scale);
        let distance = end.scaled(common)?.checked_sub(first.scaled(common)?)?;
        if distance < 0 {
            let (start, end) = (first.to_string(), end.to_string());
            return Some(Err(DecimalsError::Reversed { start, end }));
        }
        let Some(distance) = distance.checked_sub(i128::from(!included)).filter(|distance| *distance >= 0) else {
            return Some(Err(DecimalsError::Empty));
        };
        let count = (distance / step.scaled(common)?) as u128 + 1;
        // A lone decimal has no step, and counts as it would with any other.
        let step = if count == 1 { 1 } else { step.scaled(scale)? };
        Some(Ok(Self { first: first.scaled(scale)?, step, count, scale }))
    }
}

/// Reads `0..1:0.1` and `0..=1:0.1`; without a step it is 1. Numbers are written as `-0.5`, `1_000.25`, `2.5e-3`.
impl std::str::FromStr for Decimals {
    type Err = DecimalsError;

    fn from_str(text: &str) -> Result<Self, DecimalsError> {
        let (bounds, step) = text.split_once(':').unwrap_or((text, "1"));
        let (start, end, included) = match bounds.split_once("..=") {
            Some((start, end)) => (start, end, true),
            None => bounds.split_once("..").map(|(start, end)| (start, end, false)).ok_or(DecimalsError::Form)?,
        };
        let (first, end) = (number(start)?, number(end)?);
        let step = match number(step) {
            Ok(step) if step.digits > 0 => step,
            _ => return Err(DecimalsError::Step(step.to_owned())),
        };
        Self::new(first, end, step, included).unwrap_or_else(|| Err(DecimalsError::TooLarge(bounds.to_owned())))
    }
}

impl std::fmt::Display for Decimals {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let step = Decimal { digits: self.step, scale: self.scale };
        write!(out, "{}..={}:{step}", self.value(0), self.value(self.count - 1))
    }
}

impl TryFrom<Bounds> for Decimals {
    type Error = DecimalsError;

    fn try_from(Bounds { first, last, step, scale }: Bounds) -> Result<Self, DecimalsError> {
        let decimal = |digits| Decimal { digits, scale };
        if step <= 0 {
            return Err(DecimalsError::Step(decimal(step).to_string()));
        }
        if scale > MOST_DIGITS {
            return Err(DecimalsError::TooLarge(format!("1e-{scale}")));
        }
        Self::new(decimal(first), decimal(last), decimal(step), true)
            .unwrap_or_else(|| Err(DecimalsError::TooLarge(decimal(last).to_string())))
    }
}

impl From<Decimals> for Bounds {
    fn from(decimals: Decimals) -> Self {
        let (first, last, step) = decimals.bounds();
        Self { first, last, step, scale: decimals.scale }
    }
}

impl Decimal {
    /// Whole digits, and how many of them stand behind the point.
    #[cfg(feature = "cli")]
    pub(super) fn parts(self) -> (i128, u32) {
        (self.digits, self.scale)
    }

    /// The same in units of 10^-`scale`, which are no coarser than its own; `None` where that is too large.
    fn scaled(self, scale: u32) -> Option<i128> {
        self.digits.checked_mul(10i128.checked_pow(scale.checked_sub(self.scale)?)?)
    }

    /// The same in units that may be coarser, where it is whole in them.
    fn scaled_exactly(self, scale: u32) -> Option<i128> {
        if scale >= self.scale {
            return self.scaled(scale);
        }
        let unit = 10i128.checked_pow(self.scale - scale)?;
        (self.digits % unit == 0).then_some(self.digits / unit)
    }
}

impl std::fmt::Display for Decimal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.digits < 0 { "-" } else { "" };
        let digits = format!("{:0width$}", self.digits.unsigned_abs(), width = self.scale as usize + 1);
        let (whole, fraction) = digits.split_at(digits.len() - self.scale as usize);
        let point = if fraction.is_empty() { "" } else { "." };
        write!(out, "{sign}{whole}{point}{fraction}")
    }
}

/// Whether `text` writes a number: `-0.5`, `1_000.25`, `2.5e-3`; also one with too many digits.
pub fn is_number(text: &str) -> bool {
    !matches!(number(text), Err(DecimalsError::NotANumber(_)))
}

/// Reads a number exactly, with as many digits behind the point as are written.
pub(super) fn number(text: &str) -> Result<Decimal, DecimalsError> {
    let not_a_number = || DecimalsError::NotANumber(text.to_owned());
    let too_large = || DecimalsError::TooLarge(text.to_owned());
    let trimmed = text.trim();
    let (mantissa, exponent) = match trimmed.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (trimmed, None),
    };
    let unsigned = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let grouped = |text: &str| text.split('_').all(|group| !group.is_empty() && is_digits(group));
    if !(whole.is_empty() || grouped(whole))
        || !(fraction.is_empty() || grouped(fraction))
        || (whole.is_empty() && fraction.is_empty())
    {
        return Err(not_a_number());
    }
    let exponent: i64 = match exponent {
        None => 0,
        Some(exponent) => {
            let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
            if digits.is_empty() || !is_digits(digits) {
                return Err(not_a_number());
            }
            exponent.parse().map_err(|_| too_large())?
        }
    };
    let digits: String = whole.chars().chain(fraction.chars()).filter(|&digit| digit != '_').collect();
    let sign = if mantissa.starts_with('-') { "-" } else { "" };
    let digits: i128 = format!("{sign}{digits}").parse().map_err(|_| too_large())?;
    let behind = fraction.bytes().filter(|byte| *byte != b'_').count() as i64;
    let scale = behind.checked_sub(exponent).ok_or_else(too_large)?;
    let power = |power: i64| u32::try_from(power).ok().filter(|power| *power <= MOST_DIGITS);
    if scale >= 0 {
        return Ok(Decimal { digits, scale: power(scale).ok_or_else(too_large)? });
    }
    let unit = power(-scale).map(|power| 10i128.pow(power));
    let digits = unit.and_then(|unit| digits.checked_mul(unit)).ok_or_else(too_large)?;
    Ok(Decimal { digits, scale: 0 })
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(text: &str) -> Vec<String> {
        let decimals: Decimals = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        (0..decimals.count()).map(|place| decimals.value(place)).collect()
    }

    #[test]
    fn exactly_what_a_person_expects() {
        let check = |text: &str, expected: &str| assert_eq!(values(text).join(" "), expected, "{text}");
        check("0..1:0.1", "0.0 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9");
        check("0..=1:0.1", "0.0 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 1.0");
        check("0..=1:0.5", "0.0 0.5 1.0");
        check("0..=1:0.25", "0.00 0.25 0.50 0.75 1.00");
        check("0..=1:0.3", "0.0 0.3 0.6 0.9");
        check("0..0.9:0.3", "0.0 0.3 0.6");
        check("0..0.90001:0.3", "0.0 0.3 0.6 0.9");
        check("-0.5..=0.5:0.5", "-0.5 0.0 0.5");
        check("-0.05..0.1:0.05", "-0.05 0.00 0.05");
        check("1e-3..=5e-3:2e-3", "0.001 0.003 0.005");
        check("0.5..=2.5", "0.5 1.5 2.5");
        check("0..2.5", "0 1 2");
        check("1_000.5..=1_001:.5", "1000.5 1001.0");
        check("0..=1e1:2.5", "0.0 2.5 5.0 7.5 10.0");
        check("5..=5.5:7", "5");
    }

    #[test]
    fn what_names_no_decimals() {
        let check = |text: &str, message: &str| {
            let error = text.parse::<Decimals>().expect_err(text).to_string();
            assert!(error.contains(message), "{text}: {error}");
        };
        check("0.5", "not of the form");
        check("x..1:0.1", "`x` is not a number");
        check("0..:0.1", "`` is not a number");
        check("0..1e:0.1", "`1e` is not a number");
        check("0..1.:_1", "the step `_1`");
        check("0..1:0", "the step `0` is not a number above 0");
        check("0..1:-0.1", "the step `-0.1`");
        check("0..1:", "the step ``");
        check("0.5..0.5:0.1", "empty");
        check("1..0.5:0.1", "backwards: 1 is above 0.5");
        check("0..1e30:1e-30", "too many digits");
        check("0..1:1e-99999999999999999999", "the step");
        check("1e400..2e400:1", "`1e400` has too many digits");
    }

    proptest! {
        /// Adding the step again and again in whole units is what Python's `decimal` does.
        #[test]
        fn the_values_are_those_of_repeated_addition(
            first in -10_000i128..10_000, scale in 0u32..6, step in 1i128..5_000, step_scale in 0u32..6,
            end in -10_000i128..20_000, end_scale in 0u32..6, included: bool,
        ) {
            let show = |digits, scale| Decimal { digits, scale }.to_string();
            let dots = if included { "..=" } else { ".." };
            let text = format!("{}{dots}{}:{}", show(first, scale), show(end, end_scale), show(step, step_scale));
            let unit = |digits: i128, scale: u32| digits * 10i128.pow(6 - scale);
            let (from, to, by) = (unit(first, scale), unit(end, end_scale), unit(step, step_scale));
            let digits = scale.max(step_scale);
            let mut expected = Vec::new();
            let mut at = from;
            while at < to || (included && at == to) {
                if expected.len() > 3000 {
                    break;
                }
                expected.push(show(at / 10i128.pow(6 - digits), digits));
                at += by;
            }
            prop_assume!(expected.len() <= 3000);
            match text.parse::<Decimals>() {
                Ok(decimals) => {
                    let values: Vec<_> = (0..decimals.count()).map(|place| decimals.value(place)).collect();
                    prop_assert_eq!(&values, &expected);
                    for (place, value) in values.iter().enumerate() {
                        prop_assert_eq!(decimals.place(value), Some(place as u128));
                        prop_assert_eq!(decimals.place(&format!("{value}e0")), Some(place as u128));
                    }
                    prop_assert_eq!(decimals.place(&show(from + by * values.len() as i128, 6)), None);
                    prop_assert_eq!(decimals.place(&show(from - by, 6)), None);
                    let json = serde_json::to_string(&decimals).expect("plain numbers");
                    prop_assert_eq!(serde_json::from_str::<Decimals>(&json).expect("its own spelling"), decimals);
                    prop_assert_eq!(decimals.to_string().parse::<Decimals>().expect("shown as it is read"), decimals);
                }
                Err(_) => prop_assert!(expected.is_empty(), "{} holds {:?}", text, expected),
            }
        }
    }
}
