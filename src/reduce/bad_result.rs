//! What is wrong with a payload.

use super::Shape;
use super::number::MOST_DIGITS;

/// How many characters of a bad line are shown.
const SHOWN: usize = 60;

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

/// The beginning of `text`, safe to print on a terminal.
fn shown(text: &[u8]) -> String {
    // A character takes at most four bytes, so a line of many megabytes need not be decoded to its end.
    let start = String::from_utf8_lossy(&text[..text.len().min(4 * SHOWN + 4)]);
    let mut characters = start.chars();
    let mut shown = String::new();
    for character in characters.by_ref().take(SHOWN) {
        match character {
            '\'' | '"' | '\\' => shown.push(character),
            other => shown.extend(other.escape_debug()),
        }
    }
    if characters.next().is_some() {
        shown.push_str("...");
    }
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
    fn a_short_line_is_shown_whole() {
        check(b"  abc\t\r", "abc");
        check("größe = 3".as_bytes(), "größe = 3");
        check(br#"a "quoted" C:\path"#, r#"a "quoted" C:\path"#);
    }

    #[test]
    fn what_does_not_print_is_escaped() {
        check(b"1\x1b[31m\x002\t3", "1\\u{1b}[31m\\02\\t3");
        check("1\u{202e}2".as_bytes(), "1\\u{202e}2");
        check(b"1\xff2", "1\u{fffd}2");
    }

    #[test]
    fn a_long_line_is_cut_at_a_character() {
        check("é".repeat(60).as_bytes(), &"é".repeat(60));
        check("é".repeat(61).as_bytes(), &format!("{}...", "é".repeat(60)));
        check("\u{1f600}".repeat(99).as_bytes(), &format!("{}...", "\u{1f600}".repeat(60)));
        check(&b"x".repeat(1_000_000), &format!("{}...", "x".repeat(60)));
    }
}
