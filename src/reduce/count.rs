//! How many results there are.

use super::{BadResult, Number, Reducer, payload};

/// Counts the results: lines that are not blank, whatever is on them. Never an error; 0 for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count;

impl Reducer for Count {
    /// Lines so far. 2^64 lines are more than any disk holds, so this does not overflow.
    type State = u64;

    fn identity(&self) -> u64 {
        0
    }

    fn absorb(&self, state: &mut u64, payload: &[u8]) -> Result<(), BadResult> {
        *state += payload::lines(payload).count() as u64;
        Ok(())
    }

    fn merge(&self, left: &mut u64, right: u64) {
        *left += right;
    }

    fn finish(&self, state: u64) -> Option<Number> {
        Some(Number::from(i128::from(state)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_line_that_is_not_blank_counts() {
        let mut state = Count.identity();
        assert_eq!(Count.finish(state), Some(Number::from(0)));
        for payload in ["a,b\n\n  \r\n1\r\n", "", "\n", "last", "\u{0}\n\u{feff}"] {
            assert_eq!(Count.absorb(&mut state, payload.as_bytes()), Ok(()));
        }
        assert_eq!(Count.finish(state), Some(Number::from(5)));
    }
}
