//! Tables as JSON: an object for each row, one a line, or all in an array.
//!
//! Numbers are numbers, as they were spelled where JSON spells them so; a missing cell is null. What JSON cannot say is a
//! string: infinities, NaN, and texts that are not UTF-8, with U+FFFD in the place of what is not.

use std::io::Write;

use super::cell::is_json_number;
use super::{AnswerError, Cell, CellKind, Column, Output, TableSink, Written};
use crate::reduce::Number;

/// Writes an object for each row.
pub(super) struct JsonSink {
    output: Output,
    /// The names with their quotes, and what stands around them.
    keys: Vec<String>,
    /// Whether all rows are in an array, and not each a document.
    is_array: bool,
    is_empty: bool,
    line: Vec<u8>,
}

impl JsonSink {
    pub(super) fn new(output: Output, columns: &[Column], is_array: bool) -> Self {
        let key = |(place, column): (usize, &Column)| {
            let name = serde_json::to_string(&column.name).expect("a text is JSON");
            format!("{}{name}:", if place == 0 { '{' } else { ',' })
        };
        let keys = columns.iter().enumerate().map(key).collect();
        Self { output, keys, is_array, is_empty: true, line: Vec::new() }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), AnswerError> {
        self.output.write_all(bytes).map_err(AnswerError::write(self.output.path()))
    }

    pub(super) fn finish(mut self) -> Result<Written, AnswerError> {
        if self.is_array {
            self.write(if self.is_empty { b"[]\n" } else { b"\n]\n" })?;
        }
        self.output.commit()
    }
}

impl TableSink for JsonSink {
    fn row(&mut self, _: u128, cells: &[Cell<'_>]) -> Result<(), AnswerError> {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        if self.is_array {
            line.extend_from_slice(if self.is_empty { b"[\n" } else { b",\n" });
        }
        for (key, cell) in self.keys.iter().zip(cells) {
            line.extend_from_slice(key.as_bytes());
            write_cell(&mut line, *cell);
        }
        line.extend_from_slice(if self.is_array { b"}" } else { b"}\n" });
        self.is_empty = false;
        let done = self.write(&line);
        self.line = line;
        done
    }
}

/// A cell as JSON.
fn write_cell(out: &mut Vec<u8>, cell: Cell<'_>) {
    match cell.kind {
        CellKind::Missing => out.extend_from_slice(b"null"),
        CellKind::Boolean => {
            out.extend_from_slice(if cell.truth() == Some(true) { b"true" } else { b"false" });
        }
        CellKind::Nested => out.extend_from_slice(cell.text),
        CellKind::Small | CellKind::Long | CellKind::Big | CellKind::Decimal if is_json_number(cell.text) => {
            out.extend_from_slice(cell.text);
        }
        CellKind::Small | CellKind::Long | CellKind::Big | CellKind::Decimal => match cell.number() {
            Some(number @ Number::Decimal(value)) if !value.is_finite() => {
                write_text(out, number.to_string().as_bytes())
            }
            Some(number) => out.extend_from_slice(number.to_string().as_bytes()),
            None => write_text(out, cell.text),
        },
        CellKind::Text => write_text(out, cell.text),
    }
}

fn write_text(out: &mut Vec<u8>, text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    serde_json::to_writer(out, &*text).expect("a text is JSON");
}
