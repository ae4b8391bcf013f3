//! The set of all results.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{BadResult, NoAnswer, Number, Outcome, Reducer, Value};
use crate::plan::Word;

/// Each line once, whichever results it is in, and each element of a JSON array; empty for nothing. The numbers come first,
/// by value, then all other texts, by their bytes; numbers that are equal and written differently (1 and 1.0) are different texts,
/// in the order of their bytes. NaN comes after all numbers.
///
/// Memory grows with the set.
///
/// Laws: the union of sets, so that neither cut, order nor tree shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Union;

/// An element of the set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Word", into = "Word")]
pub struct Element {
    text: Word,
    number: Option<Number>,
}

impl From<Word> for Element {
    fn from(text: Word) -> Self {
        Self { number: Number::parse(text.as_bytes()), text }
    }
}

impl From<Element> for Word {
    fn from(element: Element) -> Self {
        element.text
    }
}

impl Ord for Element {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_number = match (&self.number, &other.number) {
            (Some(left), Some(right)) => left.compare(right).unwrap_or_else(|| left.is_nan().cmp(&right.is_nan())),
            (left, right) => right.is_some().cmp(&left.is_some()),
        };
        by_number.then_with(|| self.text.as_bytes().cmp(other.text.as_bytes()))
    }
}

impl PartialOrd for Element {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Element {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Element {}

impl Reducer for Union {
    type State = BTreeSet<Element>;

    fn is_per_item(&self) -> bool {
        false
    }

    fn identity(&self) -> BTreeSet<Element> {
        BTreeSet::new()
    }

    fn take_one(&self, state: &mut BTreeSet<Element>, outcome: &Outcome<'_>) -> Result<(), BadResult> {
        match &outcome.value {
            Value::Array(values) => state.extend(values.iter().map(|value| Word::from(value.to_text()).into())),
            _ => drop(state.insert(Word::from(outcome.text.to_vec()).into())),
        }
        Ok(())
    }

    fn merge(&self, left: &mut BTreeSet<Element>, right: BTreeSet<Element>) {
        // The smaller one is moved.
        let smaller = if left.len() < right.len() { std::mem::replace(left, right) } else { right };
        left.extend(smaller);
    }

    /// Rows.
    fn finish(&self, state: BTreeSet<Element>) -> Result<Value, NoAnswer> {
        Ok(Value::Rows(state.into_iter().map(|element| Value::of_text(element.text.as_bytes())).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::reduced;
    use super::*;

    #[test]
    fn each_line_is_there_once() {
        let texts = ["b\na", "10\n9\n-1.5", "a\n10\n", "", "[\"a\", \"c d\", 9, 007]", "nan\ninf\n007\n7"];
        assert_eq!(reduced(&Union, &texts).as_deref(), Some(r#"[-1.5,"007",7,9,10,"inf","nan","a","b","c d"]"#));
        assert_eq!(reduced(&Union, &[]).as_deref(), Some("[]"));
        assert_eq!(reduced(&Union, &["{\"a\":\n1}\n"]).as_deref(), Some("[\"{\\\"a\\\":\\n1}\"]"));
    }
}
