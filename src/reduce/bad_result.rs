//! What is wrong with a payload.

use super::Shape;
use super::number::MOST_DIGITS;
use crate::record::beginning;

/// A result that a reducer cannot take in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadResult {
    /// A line that is neither blank nor a number.
    #[error("line {line} is not a number: \"{text}\"")]
    NotANumber {
        /// The line in the payload, from 1; blank lines are counted too.
        line: usize,
        /// What stands there: without the spaces around it, cut to 60 characters, `...` marking the cut;
        /// bytes that are not UTF-8 as U+FFFD, characters that do not print as Rust escapes.
        text: String,
    },
    /// A result that is something else than what is due.
    #[error("line {line} is not {due}: \"{text}\"")]
    NotDue {
        /// The line in the payload, from 1.
        line: usize,
        /// What stands there, shown as above.
        text: String,
        /// What is due, with its article.
        due: &'static str,
    },
    /// Nothing but white space where at least one number, or what else the reducer takes, is due.
    #[error("it is blank, where a result is due")]
    Nothing,
    /// A result for several items, where each item's own is due.
    #[error("it holds {} for {items} items, where each item's own is due", results_of(*.results))]
    NotPerItem {
        /// How many results there are.
        results: u128,
        /// How many items they stand for.
        items: u128,
    },
    /// Items of several groups, and no result for each.
    #[error("it stands for {items} items of several groups, and holds no result for each")]
    SeveralGroups {
        /// How many items.
        items: u128,
    },
    /// A result that does not fit the others.
    #[error("line {line} holds {found}, and the first result is {first}")]
    Shape {
        /// The line in the payload, from 1.
        line: usize,
        /// What it is.
        found: Shape,
        /// What the first result in item order is.
        first: Shape,
    },
    /// An object that has not all the fields.
    #[error("line {line} has no field `{field}`")]
    NoField {
        /// The line in the payload, from 1.
        line: usize,
        /// The field's name.
        field: String,
    },
    /// A field whose value its reducer cannot take.
    #[error("field `{field}`: {bad}")]
    Field {
        /// The field's name.
        field: String,
        /// What is wrong with the value.
        bad: Box<Self>,
    },
}

impl BadResult {
    /// The error for the line numbered `line` (from 1), which reads `text`.
    #[cold]
    pub(super) fn not_a_number(line: usize, text: &[u8]) -> Self {
        Self::NotANumber { line, text: shown(text.trim_ascii()) }
    }

    /// The error for a result that is not `due`, which stands on the line numbered `line` and reads `text`.
    #[cold]
    pub(super) fn not_due(line: usize, text: &[u8], due: &'static str) -> Self {
        Self::NotDue { line, text: shown(text.trim_ascii()), due }
    }

    /// The innermost: what is wrong with a field's value.
    #[must_use]
    pub fn innermost(&self) -> &Self {
        match self {
            Self::Field { bad, .. } => bad.innermost(),
            own => own,
        }
    }
}

fn results_of(results: u128) -> String {
    match results {
        1 => "1 result".to_owned(),
        _ => format!("{results} results"),
    }
}

/// The beginning of `text`, and how long it is where it is too long for a number.
fn shown(text: &[u8]) -> String {
    let mut shown = beginning(text);
    if text.len() > MOST_DIGITS {
        shown.push_str(&format!(" ({} bytes; a number has at most {MOST_DIGITS})", text.len()));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &[u8], expected: &str) {
        assert_eq!(BadResult::not_a_number(7, text).to_string(), format!("line 7 is not a number: \"{expected}\""));
    }

    #[test]
    fn what_is_too_long_for_a_number_is_said_to_be() {
        check(b"  abc\t\r", "abc");
        check(&b"x".repeat(1_000_000), &format!("{}...", "x".repeat(60)));
        let bytes = MOST_DIGITS + 1;
        check(
            &b"x".repeat(bytes),
            &format!("{}... ({bytes} bytes; a number has at most {MOST_DIGITS})", "x".repeat(60)),
        );
    }
}
