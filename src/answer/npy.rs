//! Arrays for NumPy: format version 1.0 of its `numpy.lib.format`, numbers in C order, the lowest byte first.

use std::io::Write;

use super::shape::{integer, measure};
use super::{AnswerError, Cell, CellKind, Output, Shape, Table, TableSink, Written};
use crate::reduce::{Number, Value};

/// What an array starts with.
const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";
/// The header's length is a multiple of this.
const ALIGNMENT: usize = 64;

/// The results of a table as one array: `int64` where each item has one and all of them are such integers, else `float64`.
///
/// The array has the lengths of [`Table::lengths`], and after these those of a result that is an array itself. Where there
/// are more places than rows, items without a result are NaN.
pub(super) struct NpySink {
    output: Output,
    /// The column of the results.
    column: usize,
    integers: bool,
    /// Whether each row belongs at the place of its item, and not behind the one before it.
    by_item: bool,
    /// How many numbers a result is.
    each: u64,
    /// How many results and gaps were written.
    written: u128,
    /// How many there are to be.
    places: u128,
}

impl NpySink {
    pub(super) fn new(mut output: Output, table: &Table<'_>) -> Result<Self, AnswerError> {
        let (column, lengths, integers) = Self::check(table)?;
        let places = table.places();
        let integers = integers && places == table.rows && table.columns[column].missing == 0;
        let all: Vec<u128> =
            table.lengths.iter().copied().chain(lengths.iter().map(|&length| length as u128)).collect();
        let header = header(integers, &all);
        output.write_all(&header).map_err(AnswerError::write(output.path()))?;
        let each = lengths.iter().map(|&length| length as u64).product();
        Ok(Self { output, column, integers, by_item: places != table.rows, each, written: 0, places })
    }

    /// The only column of results, its cells' shape, and whether all are integers.
    fn check<'a>(table: &Table<'a>) -> Result<(usize, &'a [usize], bool), AnswerError> {
        let results = &table.columns[table.parameters..];
        let bad = |what: String, item| Err(AnswerError::NotNumbers { what, item });
        let [result] = results else {
            let names: Vec<_> = results.iter().map(|column| format!("`{}`", column.name)).collect();
            let what = if names.is_empty() {
                "there is no result".to_owned()
            } else {
                format!("the results have {} fields: {}", names.len(), names.join(", "))
            };
            return bad(what, None);
        };
        match &result.shape {
            Shape::None => bad("no result holds anything".to_owned(), None),
            Shape::Uneven { item, is_numbers, .. } => {
                let what = match is_numbers {
                    false => "this result is none, nor an array of numbers",
                    true => "this result is not of the same shape as the first",
                };
                bad(what.to_owned(), Some(*item))
            }
            Shape::Of { lengths, integers, .. } => Ok((table.parameters, lengths, *integers)),
        }
    }

    /// Writes NaN for the items without a result up to the place `until`.
    fn pass_over(&mut self, until: u128) -> Result<(), AnswerError> {
        while self.written < until {
            for _ in 0..self.each {
                self.put(&f64::NAN.to_le_bytes())?;
            }
            self.written += 1;
        }
        Ok(())
    }

    fn put(&mut self, bytes: &[u8; 8]) -> Result<(), AnswerError> {
        self.output.write_all(bytes).map_err(AnswerError::write(self.output.path()))
    }

    fn number(&mut self, number: &Number) -> Result<(), AnswerError> {
        self.put(&bytes(number, self.integers))
    }

    fn value(&mut self, value: &Value) -> Result<(), AnswerError> {
        match value {
            Value::Number(number) => self.number(number),
            Value::Array(values) => values.iter().try_for_each(|value| self.value(value)),
            _ => unreachable!("its shape was looked at before"),
        }
    }

    pub(super) fn finish(mut self) -> Result<Written, AnswerError> {
        self.pass_over(self.places)?;
        self.output.commit()
    }
}

impl TableSink for NpySink {
    fn row(&mut self, item: u128, cells: &[Cell<'_>]) -> Result<(), AnswerError> {
        let place = if self.by_item { item } else { self.written };
        self.pass_over(place)?;
        let cell = cells[self.column];
        match cell.kind {
            CellKind::Missing => return self.pass_over(place + 1),
            CellKind::Nested => self.value(&Value::parse(cell.text))?,
            _ if self.integers => self.put(&cell.integer().unwrap_or_default().to_le_bytes())?,
            _ => self.put(&cell.real().unwrap_or(f64::NAN).to_le_bytes())?,
        }
        self.written += 1;
        Ok(())
    }
}

/// An answer that is a number or an array of numbers.
pub(super) fn write_array(mut output: Output, value: &Value) -> Result<Written, AnswerError> {
    let mut lengths = Vec::new();
    let Some(integers) = measure(value, &mut lengths) else {
        return Err(AnswerError::NotNumbers { what: "this answer is something else".to_owned(), item: None });
    };
    let lengths: Vec<u128> = lengths.into_iter().map(|length| length as u128).collect();
    let failed = AnswerError::write(output.path());
    let mut write = || {
        output.write_all(&header(integers, &lengths))?;
        each(value, &mut |number| output.write_all(&bytes(number, integers)))
    };
    write().map_err(failed)?;
    output.commit()
}

/// Hands over the numbers of an array, in order.
fn each(value: &Value, take: &mut dyn FnMut(&Number) -> std::io::Result<()>) -> std::io::Result<()> {
    match value {
        Value::Number(number) => take(number),
        Value::Array(values) => values.iter().try_for_each(|value| each(value, take)),
        _ => Ok(()),
    }
}

fn bytes(number: &Number, integers: bool) -> [u8; 8] {
    match (integers, number) {
        (true, number) => integer(number).unwrap_or_default().to_le_bytes(),
        (false, Number::Decimal(value)) => value.to_le_bytes(),
        // Rust reads digits of any number, and rounds once.
        (false, number) => number.to_string().parse().unwrap_or(f64::NAN).to_le_bytes(),
    }
}

fn header(integers: bool, lengths: &[u128]) -> Vec<u8> {
    let kind = if integers { "<i8" } else { "<f8" };
    let lengths: String = match lengths {
        [length] => format!("{length},"),
        lengths => lengths.iter().map(u128::to_string).collect::<Vec<_>>().join(", "),
    };
    let mut text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({lengths}), }}");
    // The magic, two bytes of length, the text and a line's end.
    let length = (MAGIC.len() + 2 + text.len() + 1).next_multiple_of(ALIGNMENT);
    let padding = length - MAGIC.len() - 2 - text.len() - 1;
    text.push_str(&" ".repeat(padding));
    text.push('\n');
    let stated = u16::try_from(text.len()).expect("few axes");
    [MAGIC, &stated.to_le_bytes(), text.as_bytes()].concat()
}
