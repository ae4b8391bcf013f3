//! Results item by item, as tables have them.

use std::borrow::Cow;
use std::io::{self, Read};

use super::entry::{Pieces, last_cut, named};
use super::merge::{LONGEST_LINE, PIECE, Text, each_text, unreadable};
use super::{BadResult, MergeError, Value, json};
use crate::record::{Found, Gathered, Kind, Payload};
use crate::space::Interval;

/// A value in a result, as it is spelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field<'a> {
    /// JSON's null.
    Null,
    /// What stands there as it is: a number, true or false, a text without quotes; also nothing.
    Plain(&'a [u8]),
    /// A text that JSON had in quotes.
    Text(Vec<u8>),
    /// An array or object, as JSON on one line.
    Nested(String),
}

/// The result of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemResult<'a> {
    /// A value.
    One(Field<'a>),
    /// Named values, in order; each name once.
    Fields(Vec<(Cow<'a, str>, Field<'a>)>),
}

impl<'a> ItemResult<'a> {
    /// Reads the text of one item: a JSON object, or lines of which each has the form `name=value`, are named values; JSON's
    /// arrays and strings are what they are; anything else is a text as it stands, without the white space around it.
    #[must_use]
    pub fn parse(text: &'a [u8]) -> Self {
        let text = text.trim_ascii();
        match text.first() {
            Some(b'{') => {
                if let Some(entries) = json::entries(text) {
                    return Self::fields(
                        entries.into_iter().map(|(name, value, text)| (name.into(), field(value, text))),
                    );
                }
            }
            Some(b'[' | b'"') => {
                return Self::One(json::parse(text).map_or(Field::Plain(text), |value| field(value, text)));
            }
            _ => {}
        }
        match named(text) {
            Some(entries) => Self::fields(entries.into_iter().map(|(name, text)| {
                let value = if matches!(text.first(), Some(b'[' | b'{' | b'"')) { json::parse(text) } else { None };
                (name.into(), value.map_or(Field::Plain(text), |value| field(value, text)))
            })),
            None => Self::One(Field::Plain(text)),
        }
    }

    /// Of values with one name the last counts, in the place of the first.
    fn fields(entries: impl Iterator<Item = (Cow<'a, str>, Field<'a>)>) -> Self {
        let mut kept: Vec<(Cow<'a, str>, Field<'a>)> = Vec::new();
        let mut places = std::collections::HashMap::new();
        for (name, value) in entries {
            let place = *places.entry(name.clone()).or_insert(kept.len());
            match kept.get_mut(place) {
                Some((_, earlier)) => *earlier = value,
                None => kept.push((name, value)),
            }
        }
        Self::Fields(kept)
    }
}

fn field(value: Value, text: &[u8]) -> Field<'_> {
    match value {
        Value::Null => Field::Null,
        Value::Text(text) => Field::Text(text),
        Value::Array(_) | Value::Object(_) => Field::Nested(value.to_json()),
        _ => Field::Plain(text),
    }
}

/// Hands over the text of each item of a record, in item order, in bounded memory. A text that stands for several items has
/// to have a result for each of them: a line that is not blank, or an array or object over as many lines as it takes.
///
/// # Errors
/// [`MergeError::BadResult`] where a text has not as many results as items, [`MergeError::File`] where the partial cannot be
/// read, and what `take` gives.
#[expect(clippy::type_complexity, reason = "what is handed over is an item and its text")]
pub fn each_result<E: From<MergeError>>(
    gathered: &Gathered,
    found: &Found,
    take: &mut dyn FnMut(u128, &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    // What most records are goes without a detour.
    let items = found.record.header.items;
    if let (1, Kind::Whole, Payload::Inline(text)) = (items.count(), &found.record.header.kind, &found.record.payload) {
        return take(items.start(), text);
    }
    let done = each_text(gathered, found, &mut |Text { items, bytes, content: text }| {
        let stop = |bad| Stop::Bad(items, bad);
        let mut pending = Vec::with_capacity(usize::try_from(bytes).unwrap_or(PIECE).min(PIECE));
        if items.count() == 1 {
            text.take(LONGEST_LINE as u64).read_to_end(&mut pending)?;
            if pending.len() == LONGEST_LINE {
                return Err(stop(too_long(1, &pending)));
            }
            return take(items.start(), &pending).map_err(Stop::Other);
        }
        let (mut results, mut lines) = (0, 0);
        loop {
            let got = text.take(PIECE as u64).read_to_end(&mut pending)?;
            let cut = if got == 0 { pending.len() } else { last_cut(&pending) };
            for piece in Pieces::of(&pending[..cut]) {
                if results < items.count() {
                    take(items.start() + results, piece.text).map_err(Stop::Other)?;
                }
                results += 1;
            }
            if got == 0 {
                break;
            }
            lines += memchr::memchr_iter(b'\n', &pending[..cut]).count();
            pending.drain(..cut);
            if pending.len() > LONGEST_LINE {
                return Err(stop(too_long(lines + 1, &pending)));
            }
        }
        let items = items.count();
        if results == items { Ok(()) } else { Err(stop(BadResult::NotPerItem { results, items })) }
    });
    done.map_err(|stop| match stop {
        Stop::Io(source) => unreadable(gathered, found, source).into(),
        Stop::Bad(items, source) => MergeError::BadResult { items, partial: gathered.path(found), source }.into(),
        Stop::Other(error) => error,
    })
}

fn too_long(line: usize, text: &[u8]) -> BadResult {
    BadResult::not_due(line, text, "short enough for a table (64 MB)")
}

/// Why reading stops.
enum Stop<E> {
    Io(io::Error),
    Bad(Interval, BadResult),
    Other(E),
}

impl<E> From<io::Error> for Stop<E> {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match ItemResult::parse(text.as_bytes()) {
            ItemResult::One(field) => show(&field),
            ItemResult::Fields(fields) => {
                let fields: Vec<_> = fields.iter().map(|(name, field)| format!("{name}: {}", show(field))).collect();
                format!("{{{}}}", fields.join(", "))
            }
        }
    }

    fn show(field: &Field<'_>) -> String {
        match field {
            Field::Null => "null".to_owned(),
            Field::Plain(text) => String::from_utf8_lossy(text).into_owned(),
            Field::Text(text) => format!("text {}", String::from_utf8_lossy(text)),
            Field::Nested(json) => format!("nested {json}"),
        }
    }

    #[test]
    fn a_result_is_a_value_or_named_values() {
        for (text, expected) in [
            (" 1.50\n", "1.50"),
            ("", ""),
            ("two words", "two words"),
            ("a\nb\n", "a\nb"),
            ("\"5\"", "text 5"),
            ("[1,\n 2.50]", "nested [1,2.5]"),
            ("[1] 5", "[1] 5"),
            (
                r#"{"a": 1.50, "b": "5", "c": null, "d": [1, 2], "e": {"x": true}, "f": NaN, "a": 1e3}"#,
                "{a: 1e3, b: text 5, c: null, d: nested [1,2], e: nested {\"x\":true}, f: NaN}",
            ),
            ("{a: 1}", "{a: 1}"),
            ("n = 3\n\nmean=0.50\nname=a = b\nlist=[1, 2]\nquoted=\"x\"\nnone=", {
                "{n: 3, mean: 0.50, name: a = b, list: nested [1,2], quoted: text x, none: }"
            }),
            ("n=3\nrest", "n=3\nrest"),
            ("{}", "{}"),
        ] {
            assert_eq!(shown(text), expected, "{text:?}");
        }
    }
}
