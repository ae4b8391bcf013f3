//! A range of whole numbers with a constant step: what `--total` names.

use serde::{Deserialize, Serialize};

use super::Interval;

/// The numbers `first`, `first + step`, ... `last`. The last is always reached exactly, so that two ways of
/// writing the same numbers (`0..10` and `0..=9`) are the same range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Bounds", into = "Bounds")]
pub struct Range {
    first: i128,
    step: u128,
    count: u128,
}

/// Why a text names no range. The messages are fragments; the text itself is named by the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// One of the numbers cannot be read.
    #[error("`{0}` is not a whole number")]
    NotANumber(String),
    /// One of the numbers is past i128.
    #[error("`{0}` does not fit: numbers go from {min} to {max}", min = i128::MIN, max = i128::MAX)]
    TooLarge(String),
    /// Nothing to compute.
    #[error("the range is empty")]
    Empty,
    /// The end comes before the start.
    #[error("the range runs backwards: {start} is above {end}")]
    Reversed {
        /// The first bound as given.
        start: i128,
        /// The second bound as given.
        end: i128,
    },
    /// The step is 0 or negative.
    #[error("the step `{0}` is not a whole number above 0")]
    Step(String),
    /// All of i128 has one item too many for an item number.
    #[error("the range has more items than can be numbered")]
    TooMany,
}

/// The document's spelling.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bounds {
    first: i128,
    last: i128,
    step: u128,
}

impl Range {
    /// The numbers from `first` to `last`, both included, every `step`-th.
    ///
    /// # Errors
    /// Where `last` lies before `first`, `step` is 0, or the items cannot be numbered.
    pub fn new(first: i128, last: i128, step: u128) -> Result<Self, RangeError> {
        if step == 0 || i128::try_from(step).is_err() {
            return Err(RangeError::Step(step.to_string()));
        }
        if last < first {
            return Err(RangeError::Reversed { start: first, end: last });
        }
        let count = (last.abs_diff(first) / step).checked_add(1).ok_or(RangeError::TooMany)?;
        // A lone number has no step: `5..=5:3` and `5..=5` are the same range.
        let step = if count == 1 { 1 } else { step };
        Ok(Self { first, step, count })
    }

    /// How many numbers; at least 1.
    #[must_use]
    pub fn count(&self) -> u128 {
        self.count
    }

    /// The distance between neighbours; at least 1.
    #[must_use]
    pub fn step(&self) -> u128 {
        self.step
    }

    /// The number with the item number `item`.
    ///
    /// # Panics
    /// Where the range has no such item.
    #[must_use]
    pub fn value(&self, item: u128) -> i128 {
        assert!(item < self.count, "item {item} of {}", self.count);
        // The distance from `first` is at most that of `last`, which was measured in u128: adding it wraps to
        // the right number even where it is past i128::MAX.
        self.first.wrapping_add_unsigned(item * self.step)
    }

    /// The number of the item whose value is `value`.
    #[must_use]
    pub fn item(&self, value: i128) -> Option<u128> {
        let distance = (value >= self.first).then(|| value.abs_diff(self.first))?;
        let item = distance / self.step;
        (distance % self.step == 0 && item < self.count).then_some(item)
    }

    /// Where a loop in Python's half-open way over `items` stops: one step past the last of them. A text,
    /// since it may lie past i128.
    ///
    /// # Panics
    /// Where the range does not hold `items`.
    #[must_use]
    pub fn stop_text(&self, items: Interval) -> String {
        let last = self.value(items.last());
        match last.checked_add_unsigned(self.step) {
            Some(stop) => stop.to_string(),
            // Only a last number that is not negative can be within a step of i128::MAX, and the step fits i128.
            None => (last.unsigned_abs() + self.step).to_string(),
        }
    }

    /// `items` as the user would write them.
    ///
    /// # Panics
    /// Where the range does not hold `items`.
    #[must_use]
    pub fn describe(&self, items: Interval) -> String {
        let (first, last) = (self.value(items.start()), self.value(items.last()));
        if items.count() == 1 {
            first.to_string()
        } else if self.step == 1 {
            format!("{first}..={last}")
        } else {
            format!("{first}..={last}:{}", self.step)
        }
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let last = self.value(self.count - 1);
        write!(out, "{}..={last}", self.first)?;
        if self.step == 1 { Ok(()) } else { write!(out, ":{}", self.step) }
    }
}

/// Reads `1..=100`, `0..1000`, `N` (for `0..N`), each with an optional `:STEP`; numbers as `-5`, `1_000_000`, `1e6`.
impl std::str::FromStr for Range {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let (bounds, step) = match text.split_once(':') {
            Some((bounds, step)) => (bounds, parse_step(step)?),
            None => (text, 1),
        };
        let (start, end, included) = if let Some((start, end)) = bounds.split_once("..=") {
            (number(start)?, number(end)?, true)
        } else if let Some((start, end)) = bounds.split_once("..") {
            (number(start)?, number(end)?, false)
        } else {
            (0, number(bounds)?, false)
        };
        if end < start {
            return Err(RangeError::Reversed { start, end });
        }
        if included {
            return Self::new(start, end, step);
        }
        if start == end {
            return Err(RangeError::Empty);
        }
        Self::new(start, end - 1, step)
    }
}

impl TryFrom<Bounds> for Range {
    type Error = RangeError;

    fn try_from(bounds: Bounds) -> Result<Self, RangeError> {
        Self::new(bounds.first, bounds.last, bounds.step)
    }
}

impl From<Range> for Bounds {
    fn from(range: Range) -> Self {
        Self { first: range.first, last: range.value(range.count - 1), step: range.step }
    }
}

fn parse_step(text: &str) -> Result<u128, RangeError> {
    match number(text) {
        Ok(step) if step > 0 => Ok(step.unsigned_abs()),
        Ok(_) | Err(RangeError::NotANumber(_)) => Err(RangeError::Step(text.to_owned())),
        Err(other) => Err(other),
    }
}

/// A whole number as people write it: `-5`, `1_000_000`, `1e6`, `2.5e3`.
pub(super) fn number(text: &str) -> Result<i128, RangeError> {
    let not_a_number = || RangeError::NotANumber(text.to_owned());
    let trimmed = text.trim();
    let (negative, unsigned) = match trimmed.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.strip_prefix('+').unwrap_or(exponent)),
        None => (unsigned, "0"),
    };
    if exponent.is_empty() || !exponent.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(not_a_number());
    }
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let has_exponent = unsigned.len() != mantissa.len();
    if !grouped_digits(whole) || (mantissa.contains('.') && (!has_exponent || !grouped_digits(fraction))) {
        return Err(not_a_number());
    }
    let fraction = fraction.trim_end_matches('0');
    let digits: String = whole.chars().chain(fraction.chars()).filter(|&digit| digit != '_').collect();
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Ok(0);
    }
    let exponent: usize = exponent.parse().map_err(|_| RangeError::TooLarge(text.to_owned()))?;
    let fraction = fraction.chars().filter(|&digit| digit != '_').count();
    let zeros = exponent.checked_sub(fraction).ok_or_else(not_a_number)?;
    // i128::MAX has 39 digits; checked before the zeros are written out.
    if zeros.saturating_add(digits.len()) > 39 {
        return Err(RangeError::TooLarge(text.to_owned()));
    }
    let sign = if negative { "-" } else { "" };
    format!("{sign}{digits}{}", "0".repeat(zeros)).parse().map_err(|_| RangeError::TooLarge(text.to_owned()))
}

/// Digits, with single underscores between them.
fn grouped_digits(text: &str) -> bool {
    text.split('_').all(|group| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Range, RangeError> {
        text.parse()
    }

    #[test]
    fn every_spelling_of_a_range() {
        let check = |text: &str, shown: &str, count: u128| {
            let range = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((range.to_string().as_str(), range.count()), (shown, count), "{text}");
        };
        check("1..=100", "1..=100", 100);
        check("0..1000", "0..=999", 1000);
        check("100", "0..=99", 100);
        check("1e6", "0..=999999", 1_000_000);
        check("0..=1e6", "0..=1000000", 1_000_001);
        check("1_000_000", "0..=999999", 1_000_000);
        check("2.5e3", "0..=2499", 2500);
        check("-5..=5", "-5..=5", 11);
        check("-1e1..-5", "-10..=-6", 5);
        check("0..=1000:5", "0..=1000:5", 201);
        check("0..=1003:5", "0..=1000:5", 201);
        check("7..=7:5", "7..=7", 1);
        check(" 1 ..= 3 ", "1..=3", 3);
        check(&format!("{}..={}", i128::MAX - 1, i128::MAX), &format!("{}..={}", i128::MAX - 1, i128::MAX), 2);
    }

    #[test]
    fn what_is_no_range() {
        let check = |text: &str, message: &str| {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.contains(message), "{text}: {error}");
        };
        check("", "`` is not a whole number");
        check("1.5", "`1.5` is not a whole number");
        check("1.55e1", "`1.55e1` is not a whole number");
        check("1e", "not a whole number");
        check("1__0", "not a whole number");
        check("_1", "not a whole number");
        check("0x10", "not a whole number");
        check("1...5", "not a whole number");
        check("5..5", "empty");
        check("0", "empty");
        check("10..=1", "backwards: 10 is above 1");
        check("-3", "backwards");
        check("1..=10:0", "step `0`");
        check("1..=10:-1", "step `-1`");
        check("1..=10:x", "step `x`");
        check("1..=1e39", "`1e39` does not fit");
        check("1e99999999999999999999", "does not fit");
        check("0..=170141183460469231731687303715884105728", "does not fit");
        check(&format!("{}..={}", i128::MIN, i128::MAX), "more items than can be numbered");
    }

    #[test]
    fn the_half_open_stop_is_one_step_past_the_last() {
        let stop = |text: &str| {
            let range = parse(text).expect("a range");
            range.stop_text(Interval::new(0, range.count()).expect("not empty"))
        };
        assert_eq!(stop("1..=100"), "101");
        assert_eq!(stop("0..=1000:5"), "1005");
        assert_eq!(stop(&format!("0..={}", i128::MAX)), "170141183460469231731687303715884105728");
    }

    proptest! {
        #[test]
        fn numbers_survive_writing_and_reading(first: i128, distance in 0u128..1 << 100, step in 1u128..1 << 90) {
            prop_assume!(first.checked_add_unsigned(distance).is_some());
            let range = Range::new(first, first + distance as i128, step).expect("a range");
            prop_assert_eq!(range.to_string().parse::<Range>().expect("shown as it is read"), range);
            let json = serde_json::to_string(&range).expect("plain numbers");
            prop_assert_eq!(serde_json::from_str::<Range>(&json).expect("its own spelling"), range);
            prop_assert_eq!(range.value(0), first);
            let last = range.value(range.count() - 1);
            prop_assert!(last <= first + distance as i128);
            prop_assert_eq!(range.item(last), Some(range.count() - 1));
            prop_assert_eq!(range.item(first), Some(0));
            prop_assert_eq!(last.checked_add(1).and_then(|past| range.item(past)), None);
            prop_assert_eq!(first.checked_sub(1).and_then(|before| range.item(before)), None);
            prop_assert!(first + distance as i128 - last < step as i128);
        }
    }
}
