//! How many results there are.

use super::{BadResult, Entry, NoAnswer, Number, Outcome, Reducer, Value};

/// Counts the results: lines that are not blank, whatever is on them. Never an error; 0 for nothing.
///
/// Laws: integers are added, so that neither cut, order nor tree shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count;

impl Reducer for Count {
    /// Lines so far. 2^64 lines are more than any disk holds, so this does not overflow.
    type State = u64;

    fn is_per_item(&self) -> bool {
        false
    }

    fn identity(&self) -> u64 {
        0
    }

    fn take(&self, state: &mut u64, entry: &Entry<'_>) -> Result<(), BadResult> {
        *state += entry.lines().count() as u64;
        Ok(())
    }

    fn take_one(&self, state: &mut u64, _: &Outcome<'_>) -> Result<(), BadResult> {
        *state += 1;
        Ok(())
    }

    fn merge(&self, left: &mut u64, right: u64) {
        *left = left.saturating_add(right);
    }

    fn finish(&self, state: u64) -> Result<Value, NoAnswer> {
        Ok(Value::Number(Number::from(i128::from(state))))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::reduced;
    use super::*;

    #[test]
    fn any_line_that_is_not_blank_counts() {
        let texts = ["a,b\n\n  \r\n1\r\n", "", "\n", "last", "\u{0}\n\u{feff}"];
        assert_eq!(reduced(&Count, &texts).as_deref(), Some("5"));
        assert_eq!(reduced(&Count, &["[1,\n2]\n"]).as_deref(), Some("2"));
        assert_eq!(reduced(&Count, &[]).as_deref(), Some("0"));
    }
}
