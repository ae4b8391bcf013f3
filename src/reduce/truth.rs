//! Whether any result is true, or all are.

use super::{BadResult, NoAnswer, Number, Outcome, Reducer, Value};

/// Whether one of the results is true (false for nothing), or each is (true for nothing).
///
/// `true` and `false` are read in any case; a number is true where it is not 0.
///
/// Laws: logical or, and logical and, so that neither cut, order nor tree shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truth {
    /// Of nothing.
    identity: bool,
}

impl Truth {
    /// Whether one is true.
    #[must_use]
    pub fn any() -> Self {
        Self { identity: false }
    }

    /// Whether each is true.
    #[must_use]
    pub fn all() -> Self {
        Self { identity: true }
    }
}

impl Reducer for Truth {
    type State = bool;

    fn is_per_item(&self) -> bool {
        false
    }

    fn identity(&self) -> bool {
        self.identity
    }

    fn take_one(&self, state: &mut bool, outcome: &Outcome<'_>) -> Result<(), BadResult> {
        let value = match &outcome.value {
            Value::Boolean(value) => *value,
            Value::Number(Number::Integer(value)) => !value.is_zero(),
            Value::Number(Number::Decimal(value)) => *value != 0.0,
            _ => return Err(BadResult::not_due(outcome.line, outcome.text, "true, false or a number")),
        };
        self.merge(state, value);
        Ok(())
    }

    fn merge(&self, left: &mut bool, right: bool) {
        *left = if self.identity { *left && right } else { *left || right };
    }

    fn finish(&self, state: bool) -> Result<Value, NoAnswer> {
        Ok(Value::Boolean(state))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{reduced, refused};
    use super::*;

    #[test]
    fn booleans_and_numbers_are_true_or_false() {
        let check = |texts: &[&str], any: &str, all: &str| {
            assert_eq!(reduced(&Truth::any(), texts).as_deref(), Some(any), "{texts:?}");
            assert_eq!(reduced(&Truth::all(), texts).as_deref(), Some(all), "{texts:?}");
        };
        check(&[], "false", "true");
        check(&["True", "FALSE\ntrue"], "true", "false");
        check(&["0", "-0.0", "false"], "false", "false");
        check(&["1", "1e-300", "nan\ntrue"], "true", "true");
        for text in ["yes", "\"true\"", "[true]", "t"] {
            assert_eq!(refused(&Truth::all(), text), format!("line 1 is not true, false or a number: \"{text}\""));
        }
    }
}
