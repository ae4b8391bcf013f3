//! Answers that are values, in the formats of tables.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use super::npy::write_array;
use super::{AnswerError, Cell, CellKind, Column, Format, Output, Table, Written, write_table};
use crate::reduce::Value;

/// Writes an answer into the file `path`. As JSON it is the value itself, rows one a line as JSON lines. As a table, rows are rows, and
/// anything else is one; entries are columns, nested ones as `name.inner`, and what has no name is called `name`. For NumPy, a
/// number is an array without axes, and an array one of as many; of rows, whose first `keys` entries say which they are,
/// the only other entry is taken.
///
/// # Errors
/// Where the format cannot hold it, or the file cannot be written.
///
/// # Panics
/// Where the format is not one of tables.
pub fn write_value(
    path: &Path,
    format: Format,
    value: &Value,
    name: &str,
    keys: usize,
    provenance: &[(String, String)],
) -> Result<Written, AnswerError> {
    let json = |text: &mut dyn Iterator<Item = &Value>| {
        let mut output = Output::named(path)?;
        for value in text {
            writeln!(output, "{}", value.to_json()).map_err(AnswerError::write(path))?;
        }
        output.commit()
    };
    let rows = match value {
        Value::Rows(rows) => &rows[..],
        one => std::slice::from_ref(one),
    };
    match (format, value) {
        (Format::Json, value) => return json(&mut std::iter::once(value)),
        (Format::JsonLines, _) => return json(&mut rows.iter()),
        (Format::Npy, Value::Rows(_)) => {}
        (Format::Npy, value) => return write_array(Output::named(path)?, value),
        _ => {}
    }
    let rows: Vec<Vec<(Cow<'_, str>, &Value)>> = rows
        .iter()
        .map(|row| match row {
            Value::Object(_) => row.flattened().into_iter().map(|(name, value)| (name.into(), value)).collect(),
            value => vec![(name.into(), value)],
        })
        .collect();
    let mut columns: Vec<Column> = Vec::new();
    let mut places: HashMap<Cow<'_, str>, usize> = HashMap::new();
    for (number, row) in (0..).zip(&rows) {
        for (name, value) in row {
            let place = *places.entry(name.clone()).or_insert_with(|| {
                columns.push(Column::new(&**name));
                columns.len() - 1
            });
            let text = value.to_text();
            let cell = Cell { kind: kind(value, &text), text: &text };
            columns[place].add(cell.kind);
            columns[place].shape.add(number, cell);
        }
    }
    let lengths = [rows.len() as u128];
    let parameters = keys.min(columns.len());
    let table = Table { columns: &columns, parameters, rows: rows.len() as u128, lengths: &lengths, provenance };
    write_table(path, Some(format), &table, |sink| {
        for (number, row) in (0..).zip(&rows) {
            let mut texts = vec![(CellKind::Missing, Vec::new()); columns.len()];
            for (name, value) in row {
                let text = value.to_text();
                texts[places[name]] = (kind(value, &text), text);
            }
            let cells: Vec<_> = texts.iter().map(|(kind, text)| Cell { kind: *kind, text }).collect();
            sink.row(number, &cells)?;
        }
        Ok(())
    })
}

/// What a value is in a cell, where it is spelled `text`.
fn kind(value: &Value, text: &[u8]) -> CellKind {
    match value {
        Value::Null => CellKind::Missing,
        Value::Boolean(_) => CellKind::Boolean,
        Value::Number(_) | Value::Item(_) => Cell::of_result(text).kind,
        Value::Text(_) => CellKind::Text,
        Value::Array(_) | Value::Object(_) | Value::Rows(_) => CellKind::Nested,
    }
}
