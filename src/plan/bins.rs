//! The bins of a histogram.

use std::str::FromStr;

/// No histogram has more bins.
const MOST_BINS: i128 = 1_000_000;

/// What the numbers are counted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bins {
    /// A bin for each integer that there is.
    Integers,
    /// Bins between declared edges.
    Edges(Edges),
}

/// Ascending edges: `0,10,20,50`, or `0..1:0.1` from the first to the last (included) in equal steps.
///
/// Invariant: it is written as one of these, and has at least two edges, all finite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edges {
    text: String,
}

/// Why a text does not name edges.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EdgesError {
    /// One of them is not a finite number.
    #[error("`{0}` is not a finite number")]
    NotANumber(String),
    /// They do not ascend.
    #[error("each edge has to be greater than the one before it")]
    Order,
    /// Too few for a bin.
    #[error("a bin has two edges, such as 0,10")]
    One,
    /// No step between the ends.
    #[error("the step is missing, such as 0..1:0.1")]
    NoStep,
    /// The last edge is not met.
    #[error("from the first edge to the last one is no whole number of steps")]
    Step,
    /// Too many.
    #[error("more than 1,000,000 bins")]
    TooMany,
}

impl Edges {
    /// The edges, each the double that is nearest to its decimal: step after step, 0.1 comes to 0.3.
    #[must_use]
    pub fn values(&self) -> Vec<f64> {
        values(&self.text).unwrap_or_default()
    }
}

impl FromStr for Edges {
    type Err = EdgesError;

    fn from_str(text: &str) -> Result<Self, EdgesError> {
        let values = values(text)?;
        if values.len() < 2 {
            return Err(EdgesError::One);
        }
        if values.is_sorted_by(|left, right| left < right) {
            return Ok(Self { text: text.to_owned() });
        }
        Err(EdgesError::Order)
    }
}

impl std::fmt::Display for Edges {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.text)
    }
}

fn values(text: &str) -> Result<Vec<f64>, EdgesError> {
    let Some((from, rest)) = text.split_once("..") else {
        return text.split(',').map(finite).collect();
    };
    let (to, step) = rest.split_once(':').ok_or(EdgesError::NoStep)?;
    let [from, to, step] = aligned([from, to, step])?;
    let (digits, width) = (from.digits, to.digits.checked_sub(from.digits).ok_or(EdgesError::TooMany)?);
    if width <= 0 || step.digits <= 0 {
        return Err(EdgesError::Order);
    }
    if width % step.digits != 0 {
        return Err(EdgesError::Step);
    }
    let bins = width / step.digits;
    if bins > MOST_BINS {
        return Err(EdgesError::TooMany);
    }
    (0..=bins).map(|place| finite(&format!("{}e{}", digits + place * step.digits, from.exponent))).collect()
}

fn finite(text: &str) -> Result<f64, EdgesError> {
    let value = text.parse().ok().filter(|value: &f64| value.is_finite());
    value.ok_or_else(|| EdgesError::NotANumber(text.to_owned()))
}

/// `digits * 10^exponent`.
#[derive(Clone, Copy)]
struct Decimal {
    digits: i128,
    exponent: i32,
}

/// Three decimals, with one exponent.
fn aligned(texts: [&str; 3]) -> Result<[Decimal; 3], EdgesError> {
    let read = |text: &str| decimal(text).ok_or_else(|| EdgesError::NotANumber(text.to_owned()));
    let decimals = [read(texts[0])?, read(texts[1])?, read(texts[2])?];
    let exponent = decimals.iter().map(|decimal| decimal.exponent).min().unwrap_or(0);
    let mut all = decimals;
    for decimal in &mut all {
        let factor = 10i128.checked_pow(decimal.exponent.abs_diff(exponent));
        let digits = factor.and_then(|factor| decimal.digits.checked_mul(factor));
        *decimal = Decimal { digits: digits.ok_or(EdgesError::TooMany)?, exponent };
    }
    Ok(all)
}

fn decimal(text: &str) -> Option<Decimal> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction_digits = fraction.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = whole.trim_start_matches(['-', '+']);
    if !fraction_digits || unsigned.is_empty() && fraction.is_empty() {
        return None;
    }
    let digits = format!("{whole}{fraction}").parse().ok()?;
    let exponent = exponent.parse::<i32>().ok()?.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    Some(Decimal { digits, exponent })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[f64]) {
        assert_eq!(text.parse::<Edges>().expect("these are edges").values(), expected, "{text}");
    }

    #[test]
    fn edges_are_the_decimals_that_a_person_expects() {
        check("0,10,20,50", &[0.0, 10.0, 20.0, 50.0]);
        check("-1.5,1e3", &[-1.5, 1000.0]);
        check("0..1:0.1", &[0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]);
        check("-1..1:.5", &[-1.0, -0.5, 0.0, 0.5, 1.0]);
        check("1e3..3e3:1e3", &[1000.0, 2000.0, 3000.0]);
        check("-0.2..0.1:1e-1", &[-0.2, -0.1, 0.0, 0.1]);
    }

    #[test]
    fn steps_have_to_meet_the_last_edge() {
        for (text, error) in [
            ("0..1:0.3", EdgesError::Step),
            ("0..1", EdgesError::NoStep),
            ("0..1:0", EdgesError::Order),
            ("1..0:-0.1", EdgesError::Order),
            ("0..1e6:0.1", EdgesError::TooMany),
            ("0..1e60:0.1", EdgesError::TooMany),
            ("0..x:1", EdgesError::NotANumber("x".to_owned())),
            ("0..-:1", EdgesError::NotANumber("-".to_owned())),
            ("5", EdgesError::One),
            ("1,2,2", EdgesError::Order),
        ] {
            assert_eq!(text.parse::<Edges>(), Err(error), "{text}");
        }
    }
}
