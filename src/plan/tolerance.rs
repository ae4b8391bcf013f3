//! How much of the items may be without a result.

use serde::{Deserialize, Serialize};

/// The share of the items that may be missing from an answer, in billionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tolerance(u32);

/// All of them.
const WHOLE: f64 = 1e9;

impl Tolerance {
    /// Nothing may be missing.
    pub const NONE: Self = Self(0);

    /// Whether an answer about all but `missing` of `total` items will do. One about no item never does.
    #[must_use]
    pub fn allows(self, missing: u128, total: u128) -> bool {
        // Numbers too large for exact shares are told apart by their first digits.
        let allowed = match total.checked_mul(self.0.into()) {
            Some(product) => product / WHOLE as u128,
            None => total / WHOLE as u128 * u128::from(self.0),
        };
        missing < total && missing <= allowed
    }
}

impl std::fmt::Display for Tolerance {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}%", f64::from(self.0) / 1e7)
    }
}

/// Not a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a share from 0% to 100%, such as 1% or 0.01")]
pub struct NoShare;

impl std::str::FromStr for Tolerance {
    type Err = NoShare;

    fn from_str(text: &str) -> Result<Self, NoShare> {
        let (number, whole) = match text.strip_suffix('%') {
            Some(number) => (number, 100.0),
            None => (text, 1.0),
        };
        let share = number.trim().parse::<f64>().map_err(|_| NoShare)? / whole;
        if !(0.0..=1.0).contains(&share) {
            return Err(NoShare);
        }
        // What is smaller than can be told is less, and never more, than was allowed.
        Ok(Self((share * WHOLE + 1e-6) as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_and_shown() {
        let shown = |text: &str| text.parse().map(|share: Tolerance| share.to_string());
        for (text, expected) in
            [("1%", "1%"), ("0.01", "1%"), ("0.5 %", "0.5%"), ("0", "0%"), ("1", "100%"), ("0.0000001%", "0.0000001%")]
        {
            assert_eq!(shown(text), Ok(expected.to_owned()), "{text}");
        }
        for text in ["", "%", "-1%", "101%", "1.5", "nan", "a lot"] {
            assert_eq!(shown(text), Err(NoShare), "{text}");
        }
    }

    #[test]
    fn what_is_allowed() {
        let share: Tolerance = "1%".parse().expect("a share");
        assert!(share.allows(0, 5) && share.allows(1, 100) && !share.allows(2, 100) && !share.allows(1, 99));
        assert!(share.allows(u128::MAX / 101, u128::MAX) && !share.allows(u128::MAX / 99, u128::MAX));
        assert!(!"100%".parse::<Tolerance>().expect("a share").allows(7, 7), "there is no answer about nothing");
    }
}
