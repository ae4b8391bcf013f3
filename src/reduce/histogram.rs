//! How many numbers fall into each bin.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BadResult, Integer, NoAnswer, Number, Outcome, Reducer, Value};
use crate::plan::Bins;

/// Counts numbers by bins.
///
/// Without edges each integer is a bin of its own; the answer has those that there are, ascending. With edges a bin holds its
/// lower edge and not its upper one, but for the last, which holds both (as `numpy.histogram` has it); what lies outside is
/// counted as from -inf, or to inf, and NaN as from NaN to NaN if there is any.
///
/// A result is a number, or counts: an object `{"key": count}`, or lines `key count`. Counts may stand for several items, and
/// without edges their keys may be any text, such as words.
///
/// Laws: counts are integers of any size, which are added, so that neither cut, order nor tree shows.
#[derive(Debug, Clone)]
pub struct Histogram {
    /// `None` for integers.
    edges: Option<Vec<f64>>,
}

/// What is counted: numbers come before texts, which are in the order of their bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bin {
    /// An integer, or the number of a bin between edges.
    Number(Integer),
    /// A text that was counted by the program.
    Text(String),
}

/// Counts by bin: of edges, bin 0 lies below the first, the last but one above the last edge, the last is for NaN.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<(Bin, Integer)>", from = "Vec<(Bin, Integer)>")]
pub struct Counts(BTreeMap<Bin, Integer>);

impl From<Counts> for Vec<(Bin, Integer)> {
    fn from(counts: Counts) -> Self {
        counts.0.into_iter().collect()
    }
}

impl From<Vec<(Bin, Integer)>> for Counts {
    fn from(pairs: Vec<(Bin, Integer)>) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl Counts {
    fn add(&mut self, bin: Bin, count: &Integer) {
        *self.0.entry(bin).or_insert(Integer::ZERO) += count;
    }
}

impl Histogram {
    /// A histogram with these bins.
    #[must_use]
    pub fn new(bins: &Bins) -> Self {
        match bins {
            Bins::Integers => Self { edges: None },
            Bins::Edges(edges) => Self { edges: Some(edges.values()) },
        }
    }

    /// The bin of a number; `None` where it belongs to none.
    fn bin(&self, number: &Number) -> Option<Bin> {
        let (edges, number) = match (&self.edges, number) {
            (None, Number::Integer(value)) => return Some(Bin::Number(value.clone())),
            (None, Number::Decimal(_)) => return None,
            (Some(edges), number) => (edges, number),
        };
        let last = edges.len();
        let place = if number.is_nan() {
            last + 1
        } else {
            let compared = |edge: &f64| number.compare(&Number::Decimal(*edge));
            let is_last_edge = edges.last().and_then(compared) == Some(Ordering::Equal);
            let place = edges.partition_point(|edge| compared(edge) != Some(Ordering::Less));
            if is_last_edge { last - 1 } else { place }
        };
        Some(Bin::Number(Integer::from(place as i128)))
    }

    /// What is due.
    fn due(&self) -> &'static str {
        match self.edges {
            None => "an integer, or counts by key",
            Some(_) => "a number, or counts of numbers",
        }
    }

    /// Adds a count, both written as texts or numbers.
    fn add(&self, state: &mut Counts, key: &[u8], count: &Number) -> Option<()> {
        let Number::Integer(count) = count else { return None };
        let bin = match Number::parse(key) {
            Some(number) => self.bin(&number)?,
            None if self.edges.is_none() => Bin::Text(std::str::from_utf8(key).ok()?.to_owned()),
            None => return None,
        };
        (*count >= Integer::ZERO).then(|| state.add(bin, count))
    }

    fn take_value(&self, state: &mut Counts, outcome: &Outcome<'_>) -> Option<Result<(), BadResult>> {
        match &outcome.value {
            Value::Number(number) => {
                let bin = self.bin(number)?;
                if let Err(bad) = outcome.item() {
                    return Some(Err(bad));
                }
                state.add(bin, &Integer::from(1));
            }
            Value::Object(entries) => {
                for (key, count) in entries {
                    let Value::Number(count) = count else { return None };
                    self.add(state, key.as_bytes(), count)?;
                }
            }
            Value::Text(text) => {
                let mut words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
                let (key, count) = (words.next()?, Number::parse(words.next()?)?);
                if words.next().is_some() {
                    return None;
                }
                self.add(state, key, &count)?;
            }
            _ => return None,
        }
        Some(Ok(()))
    }
}

impl Reducer for Histogram {
    type State = Counts;

    fn is_per_item(&self) -> bool {
        true
    }

    fn identity(&self) -> Counts {
        Counts::default()
    }

    fn take_one(&self, state: &mut Counts, outcome: &Outcome<'_>) -> Result<(), BadResult> {
        let bad = || BadResult::not_due(outcome.line, outcome.text, self.due());
        self.take_value(state, outcome).unwrap_or_else(|| Err(bad()))
    }

    fn merge(&self, left: &mut Counts, right: Counts) {
        for (bin, count) in right.0 {
            left.add(bin, &count);
        }
    }

    /// Rows: `key` and `count`, or `from`, `to` and `count`.
    fn finish(&self, mut state: Counts) -> Result<Value, NoAnswer> {
        let row = |entries: &[(&str, Value)]| {
            Value::Object(entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
        };
        let number = |integer: Integer| Value::Number(Number::Integer(integer));
        let Some(edges) = &self.edges else {
            let key = |bin: Bin| match bin {
                Bin::Number(key) => number(key),
                Bin::Text(text) => Value::Text(text.into_bytes()),
            };
            let rows = state.0.into_iter().map(|(bin, count)| row(&[("key", key(bin)), ("count", number(count))]));
            return Ok(Value::Rows(rows.collect()));
        };
        let bounds: Vec<f64> = [f64::NEG_INFINITY].iter().chain(edges).chain(&[f64::INFINITY]).copied().collect();
        let mut count =
            |place: usize| number(state.0.remove(&Bin::Number(Integer::from(place as i128))).unwrap_or(Integer::ZERO));
        let mut rows: Vec<Value> = Vec::with_capacity(bounds.len());
        for (place, pair) in bounds.windows(2).enumerate() {
            rows.push(row(&[("from", edge(pair[0])), ("to", edge(pair[1])), ("count", count(place))]));
        }
        let unordered = count(edges.len() + 1);
        if unordered != number(Integer::ZERO) {
            rows.push(row(&[("from", edge(f64::NAN)), ("to", edge(f64::NAN)), ("count", unordered)]));
        }
        Ok(Value::Rows(rows))
    }
}

/// An edge as people write it: whole ones without a point.
fn edge(value: f64) -> Value {
    let whole = value.fract() == 0.0 && value.abs() < 1e15;
    Value::Number(if whole { Number::from(value as i128) } else { Number::Decimal(value) })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{reduced, reduced_of, refused, refused_of};
    use super::*;

    fn integers() -> Histogram {
        Histogram::new(&Bins::Integers)
    }

    fn edges(text: &str) -> Histogram {
        Histogram::new(&Bins::Edges(text.parse().expect("these are edges")))
    }

    #[test]
    fn integers_are_counted_each() {
        let expected = r#"[{"key":-7,"count":1},{"key":2,"count":3},{"key":10,"count":12345678901234567890123}]"#;
        let texts = ["2\n-7", "{\"2\": 2}", "10 12345678901234567890123\n+3\t0\n"];
        let expected = expected.replace(r#"{"key":10"#, r#"{"key":3,"count":0},{"key":10"#);
        assert_eq!(reduced(&integers(), &texts), Some(expected));
        assert_eq!(reduced(&integers(), &["{}"]).as_deref(), Some("[]"));
        assert_eq!(reduced_of(&integers(), 9, "5 9\n"), r#"[{"key":5,"count":9}]"#);
        assert_eq!(reduced_of(&integers(), 2, "5\n5\n"), r#"[{"key":5,"count":2}]"#);
    }

    #[test]
    fn texts_are_counted_by_programs() {
        let expected = r#"[{"key":9,"count":1},{"key":"a","count":3},{"key":"b","count":2}]"#;
        assert_eq!(reduced(&integers(), &["b 2\na 1\n", "{\"a\": 2, \"9\": 1}"]).as_deref(), Some(expected));
        assert_eq!(refused(&edges("0,1"), "x 1"), "line 1 is not a number, or counts of numbers: \"x 1\"");
    }

    #[test]
    fn bins_hold_their_lower_edge_and_the_last_one_both() {
        let counts = |texts: &[&str]| {
            let text = reduced(&edges("0,0.1,20"), texts).expect("an answer");
            let rows: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            let rows = rows.as_array().expect("rows").clone();
            rows.iter()
                .map(|row| format!("{}..{}:{}", row["from"], row["to"], row["count"]))
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(
            counts(&["0", "-0.0", "0.1\n20", "20.0", "20.000000001", "-1e-300", "inf", "15"]),
            "\"-inf\"..0:1 0..0.1:2 0.1..20:4 20..\"inf\":2"
        );
        assert_eq!(counts(&["{}"]), "\"-inf\"..0:0 0..0.1:0 0.1..20:0 20..\"inf\":0");
        assert_eq!(
            counts(&["{\"5\":3,\"0.05\":1}\nnan"]),
            "\"-inf\"..0:0 0..0.1:1 0.1..20:3 20..\"inf\":0 \"nan\"..\"nan\":1"
        );
    }

    #[test]
    fn anything_else_is_refused() {
        let due = "line 1 is not an integer, or counts by key";
        for text in ["1.0", "x", "1 2 3", "1 -2", "1.5 2", "x y", "{\"1\":-1}", "{\"1\":1.5}", "[1]", "true"] {
            assert_eq!(refused(&integers(), text), format!("{due}: \"{text}\""));
        }
        assert_eq!(refused(&edges("0,1"), "x"), "line 1 is not a number, or counts of numbers: \"x\"");
        assert_eq!(refused_of(&integers(), 3, "1\n2"), "it holds 2 results for 3 items, where each item's own is due");
    }
}
