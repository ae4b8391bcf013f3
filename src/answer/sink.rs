//! What every format does with a table.

use std::path::Path;

use super::csv::CsvSink;
use super::json::JsonSink;
use super::npy::NpySink;
use super::{AnswerError, Cell, Column, Format, Output, Written, sqlite};

/// A table's rows go into one of these, in item order.
pub trait TableSink {
    /// Takes the row of an item: a cell for each column.
    ///
    /// # Errors
    /// Where it cannot be written.
    fn row(&mut self, item: u128, cells: &[Cell<'_>]) -> Result<(), AnswerError>;
}

/// What is known of a table before its rows are written.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    /// Its columns.
    pub columns: &'a [Column],
    /// How many of them, the first ones, are values of the space; the others are results.
    pub parameters: usize,
    /// How many rows.
    pub rows: u128,
    /// The lengths of an array that has a place for each item, or for each row: for NumPy.
    pub lengths: &'a [u128],
    /// Where it comes from: names and values, which are JSON. For SQLite.
    pub provenance: &'a [(String, String)],
}

impl Table<'_> {
    /// How many places the array has.
    pub(super) fn places(&self) -> u128 {
        self.lengths.iter().product()
    }
}

/// Writes the table that `fill` hands to the sink into the file `path`, or, as comma-separated values, into a file without a
/// name in the folder `path` where there is no format. `path` keeps what it has until all is written.
///
/// # Errors
/// Where the format cannot hold the table, the file cannot be written, or `fill` fails.
///
/// # Panics
/// Where the format is not one of tables.
pub fn write_table<E: From<AnswerError>>(
    path: &Path,
    format: Option<Format>,
    table: &Table<'_>,
    fill: impl FnOnce(&mut dyn TableSink) -> Result<(), E>,
) -> Result<Written, E> {
    match format {
        None => {
            let mut sink = CsvSink::new(Output::unnamed(path)?, table.columns, b',')?;
            fill(&mut sink)?;
            Ok(sink.finish()?)
        }
        Some(format @ (Format::Csv | Format::Tsv)) => {
            let delimiter = if format == Format::Csv { b',' } else { b'\t' };
            let mut sink = CsvSink::new(Output::named(path)?, table.columns, delimiter)?;
            fill(&mut sink)?;
            Ok(sink.finish()?)
        }
        Some(format @ (Format::Json | Format::JsonLines)) => {
            let mut sink = JsonSink::new(Output::named(path)?, table.columns, format == Format::Json);
            fill(&mut sink)?;
            Ok(sink.finish()?)
        }
        Some(Format::Npy) => {
            let mut sink = NpySink::new(Output::named(path)?, table)?;
            fill(&mut sink)?;
            Ok(sink.finish()?)
        }
        Some(Format::Sqlite) => sqlite::write(path, table, fill),
        Some(Format::Zip | Format::Folder) => unreachable!("tables are not files"),
    }
}
