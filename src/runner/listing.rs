//! The items of a run as a program reads them: a CSV file (`{items}`), or JSON lines (`--stdin-items`). Items that the
//! space's condition leaves out are not among them.

use std::io::{self, Write};

use serde_json::value::RawValue;

use crate::space::{ConditionError, Interval, Rows, Space, seed};

/// The column and key of an item's seed.
const SEED: &str = "seed";

/// Where the items' values come from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listing<'a> {
    pub(super) space: &'a Space,
    pub(super) rows: &'a Rows,
    /// The plan's seed.
    pub(super) seed: u64,
}

/// Why items cannot be listed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ListingError {
    #[error("the rows of these items did not arrive")]
    NoRows,
    #[error("--where: {0}")]
    Condition(#[from] ConditionError),
    #[error("a value of `{name}` is not UTF-8, and JSON cannot hold it")]
    NotText { name: String },
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl<'a> Listing<'a> {
    /// Those of `items` that count.
    fn kept(self, items: Interval) -> impl Iterator<Item = Result<u128, ListingError>> + 'a {
        (items.start()..items.stop()).filter_map(move |item| match self.space.keeps(item, self.rows) {
            Ok(kept) => kept.then_some(Ok(item)),
            Err(error) => Some(Err(error.into())),
        })
    }

    /// Whether any of `items` counts.
    pub(super) fn any(self, items: Interval) -> Result<bool, ListingError> {
        self.kept(items).next().transpose().map(|item| item.is_some())
    }

    /// A header with the space's names and `seed`, and a line for each item.
    pub(super) fn write_csv(self, items: Interval, out: impl Write) -> Result<(), ListingError> {
        let io = |error: csv::Error| ListingError::Io(error.into());
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(self.space.names().into_iter().chain([SEED])).map_err(io)?;
        for item in self.kept(items) {
            let item = item?;
            let row = self.space.row(item, self.rows).ok_or(ListingError::NoRows)?;
            for value in &row {
                writer.write_field(value).map_err(io)?;
            }
            writer.write_field(seed(self.seed, item).to_string()).map_err(io)?;
            writer.write_record(None::<&[u8]>).map_err(io)?;
        }
        Ok(writer.flush()?)
    }

    /// An object a line: the item's values by name, and its `seed`.
    pub(super) fn write_json(self, items: Interval, out: &mut impl Write) -> Result<(), ListingError> {
        let mut line = Vec::new();
        for item in self.kept(items) {
            let item = item?;
            line.clear();
            self.write_object(item, Some(seed(self.seed, item)), &mut line)?;
            out.write_all(&line)?;
        }
        Ok(out.flush()?)
    }

    /// What an item yields where there is no program: its value, or an object with its values where it has several.
    pub(super) fn write_row(self, item: u128, out: &mut Vec<u8>) -> Result<(), ListingError> {
        let row = self.space.row(item, self.rows).ok_or(ListingError::NoRows)?;
        match row.as_slice() {
            [value] => {
                out.extend_from_slice(value);
                out.push(b'\n');
                Ok(())
            }
            _ => self.write_object(item, None, out),
        }
    }

    fn write_object(self, item: u128, seed: Option<u64>, out: &mut Vec<u8>) -> Result<(), ListingError> {
        let row = self.space.row(item, self.rows).ok_or(ListingError::NoRows)?;
        let mut before = b'{';
        for (name, value) in self.space.names().into_iter().zip(&row) {
            out.push(before);
            before = b',';
            serde_json::to_writer(&mut *out, name).map_err(io::Error::from)?;
            out.push(b':');
            if is_number(value) {
                out.extend_from_slice(value);
            } else {
                let text = std::str::from_utf8(value).map_err(|_| ListingError::NotText { name: name.to_owned() })?;
                serde_json::to_writer(&mut *out, text).map_err(io::Error::from)?;
            }
        }
        if let Some(seed) = seed {
            write!(out, ",\"{SEED}\":{seed}")?;
        }
        out.extend_from_slice(b"}\n");
        Ok(())
    }
}

/// Whether a value is a number in JSON, letter for letter: not `007`, `+1`, `.5` or `nan`.
fn is_number(value: &[u8]) -> bool {
    let starts = value.first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-');
    starts && serde_json::from_slice::<&RawValue>(value).is_ok_and(|raw| raw.get().len() == value.len())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::space::{Axis, Column, Parameters, Values, Word};

    fn space(columns: Vec<(&str, Vec<Vec<u8>>)>) -> Space {
        let column = |(name, values): (&str, Vec<Vec<u8>>)| {
            let values = Values::List(values.into_iter().map(Word::from).collect());
            Column { name: name.to_owned(), values }
        };
        let axes = vec![Axis::Columns(columns.into_iter().map(column).collect())];
        Space::Parameters(Parameters::new(axes, None).expect("a space"))
    }

    fn listing(space: &Space) -> Listing<'_> {
        Listing { space, rows: Rows::NONE, seed: 7 }
    }

    fn json(space: &Space) -> Result<String, ListingError> {
        let mut out = Vec::new();
        listing(space).write_json(space.whole(), &mut out)?;
        Ok(String::from_utf8(out).expect("JSON is text"))
    }

    #[test]
    fn numbers_are_numbers_as_they_stand() {
        let values = ["1", "0.10", "1e5", "007", "a \"b\"", "", "-0", " 1", "nan", "1 "];
        let space = space(vec![("x", values.iter().map(|value| value.as_bytes().to_vec()).collect())]);
        let text = json(&space).expect("text");
        let values: Vec<_> = text
            .lines()
            .map(|line| line.strip_prefix("{\"x\":").and_then(|rest| rest.rsplit_once(",\"seed\":")).expect("x").0)
            .collect();
        let expected = ["1", "0.10", "1e5", "\"007\"", "\"a \\\"b\\\"\"", "\"\"", "-0", "\" 1\"", "\"nan\"", "\"1 \""];
        assert_eq!(values, expected);
        assert!(text.starts_with(&format!("{{\"x\":1,\"seed\":{}}}\n", seed(7, 0))));
    }

    #[test]
    fn what_json_cannot_hold_is_named() {
        let space = space(vec![("x", vec![b"a".to_vec()]), ("y", vec![b"\xff".to_vec()])]);
        let error = json(&space).expect_err("not UTF-8");
        assert_eq!(error.to_string(), "a value of `y` is not UTF-8, and JSON cannot hold it");
    }

    #[test]
    fn a_range_has_one_name() {
        let range = Space::Range("-1..=1".parse().expect("a range"));
        let mut out = Vec::new();
        listing(&range).write_csv(range.whole(), &mut out).expect("written");
        let lines: Vec<_> = (0..3).map(|item| format!("{},{}\n", item as i32 - 1, seed(7, item))).collect();
        assert_eq!(String::from_utf8(out).expect("text"), format!("item,seed\n{}", lines.concat()));
    }

    proptest! {
        #[test]
        fn any_value_is_read_from_the_file_as_it_is(
            rows in prop::collection::vec((any::<Vec<u8>>(), any::<Vec<u8>>()), 1..6),
        ) {
            let (first, second) = rows.iter().cloned().unzip();
            let space = space(vec![("a,\"b\"", first), ("c", second)]);
            let mut out = Vec::new();
            listing(&space).write_csv(space.whole(), &mut out).expect("written");
            let mut reader = csv::Reader::from_reader(&out[..]);
            prop_assert_eq!(reader.byte_headers().expect("a header"), &csv::ByteRecord::from(vec!["a,\"b\"", "c", "seed"]));
            let read: Vec<_> = reader.byte_records().map(|record| record.expect("a row")).collect();
            prop_assert_eq!(read.len(), rows.len());
            for (item, (record, row)) in (0..).zip(read.iter().zip(&rows)) {
                prop_assert_eq!((&record[0], &record[1]), (&row.0[..], &row.1[..]));
                let seed = seed(7, item).to_string();
                prop_assert_eq!(&record[2], seed.as_bytes());
            }
        }

        #[test]
        fn any_text_is_read_from_json_as_it_is(text in ".*", name in "[a-x \"\\\\é]{1,8}", number: i64) {
            prop_assume!(!is_number(text.as_bytes()));
            let number = number.to_string();
            let space = space(vec![(&name, vec![text.clone().into_bytes()]), ("y", vec![number.clone().into_bytes()])]);
            let line = json(&space).expect("text");
            let object: BTreeMap<String, &RawValue> = serde_json::from_str(&line).expect("an object");
            prop_assert_eq!(serde_json::from_str::<String>(object[&name].get()).expect("a text"), text);
            prop_assert_eq!(object["y"].get(), number);
        }
    }
}
