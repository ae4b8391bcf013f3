//! Which quantiles are asked for.

use std::str::FromStr;

/// Digits after the point that fit the arithmetic.
const MOST_PLACES: usize = 18;

/// A share of the numbers, from 0 to 1: a decimal, kept as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quantile {
    text: String,
}

/// Why a text is no quantile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a decimal from 0 to 1")]
pub struct QuantileError(String);

impl Quantile {
    /// What is asked for where nothing else is said.
    #[must_use]
    pub fn usual() -> Vec<Self> {
        let texts = ["0", "0.01", "0.05", "0.25", "0.5", "0.75", "0.95", "0.99", "1"];
        texts.into_iter().map(|text| Self { text: text.to_owned() }).collect()
    }

    /// The share, exactly: a numerator and a denominator, which is a power of ten.
    #[must_use]
    pub fn share(&self) -> (u64, u64) {
        share(&self.text).unwrap_or((0, 1))
    }
}

impl FromStr for Quantile {
    type Err = QuantileError;

    fn from_str(text: &str) -> Result<Self, QuantileError> {
        let valid = share(text).is_some_and(|(numerator, denominator)| numerator <= denominator);
        valid.then(|| Self { text: text.to_owned() }).ok_or_else(|| QuantileError(text.to_owned()))
    }
}

impl std::fmt::Display for Quantile {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.text)
    }
}

fn share(text: &str) -> Option<(u64, u64)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let plain = digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    if !plain || fraction.len() > MOST_PLACES || whole.len() > 1 {
        return None;
    }
    let denominator = 10u64.pow(u32::try_from(fraction.len()).ok()?);
    let number = |digits: &str| if digits.is_empty() { Some(0) } else { digits.parse::<u64>().ok() };
    let numerator = number(whole)?.checked_mul(denominator)?.checked_add(number(fraction)?)?;
    Some((numerator, denominator))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_exact() {
        let share = |text: &str| text.parse::<Quantile>().expect("a quantile").share();
        assert_eq!(share("0.5"), (5, 10));
        assert_eq!(share(".999"), (999, 1000));
        assert_eq!(share("1"), (1, 1));
        assert_eq!(share("1.000000000000000000"), (1_000_000_000_000_000_000, 1_000_000_000_000_000_000));
        for text in ["", ".", "1.1", "2", "-0.5", "+0.5", "1e-3", "0,5", "00.5", "0.1234567890123456789", "nan"] {
            assert!(text.parse::<Quantile>().is_err(), "{text}");
        }
    }
}
