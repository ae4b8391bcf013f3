//! The table of all results: a row for each item, its values and then its result, in item order.
//!
//! Columns are known only when every result was looked at, so that records are read twice: first for the columns, then for
//! the rows. Both happen side by side, block by block; memory holds a few blocks, and of a large record a part.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};

use rayon::prelude::*;

use super::{AnswerError, Cell, CellKind, Column, Format, Table, Written, write_table};
use crate::plan::Plan;
use crate::record::{Found, Gathered};
use crate::reduce::{Field, ItemResult, MergeError, each_result};
use crate::space::{Axis, Rows, Space};

/// Records that one task reads.
const BLOCK: usize = 1 << 10;
/// Payloads that one task reads come to no more bytes, unless one alone does.
const BLOCK_BYTES: u64 = 1 << 20;
/// Rows and bytes of a part of a large record.
const PART_ROWS: usize = 1 << 12;
/// The name of a result that has none itself.
const RESULT: &str = "result";
/// Results with more fields than this are not what one table is for.
const MOST_COLUMNS: usize = 10_000;

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// A result is not what a table takes, or a partial cannot be read.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// It cannot be written.
    #[error(transparent)]
    Answer(#[from] AnswerError),
}

/// What became of a table.
#[derive(Debug)]
pub struct TableWritten {
    /// The file.
    pub written: Written,
    /// How many rows it has.
    pub rows: u128,
    /// How many columns.
    pub columns: usize,
    /// The columns with cells that are empty, and how many.
    pub missing: Vec<(String, u128)>,
}

/// Writes the table of the results that count: see [`write_table`] for `path` and `format`. `rows` are those of the space, and
/// `provenance` is what is known beside the table. `tick` is called now and then with the number of records written since.
///
/// # Errors
/// Where a text that stands for several items has no result for each, or the table cannot be written; of several such results
/// the first in item order.
pub fn write_results(
    plan: &Plan,
    gathered: &Gathered,
    rows: &Rows,
    path: &Path,
    format: Option<Format>,
    provenance: &[(String, String)],
    tick: &(dyn Fn(u64) + Sync),
) -> Result<TableWritten, TableError> {
    let reader = Reader { plan, gathered, rows, format };
    let found = reader.columns()?;
    let (columns, count) = (found.all(&plan.space), found.rows);
    let table = Table {
        columns: &columns,
        parameters: found.parameters.len(),
        rows: count,
        lengths: &lengths(&plan.space, count),
        provenance,
    };
    let places: HashMap<&str, usize> =
        found.results.iter().enumerate().map(|(place, column)| (&*column.name, table.parameters + place)).collect();
    let written = write_table(path, format, &table, |sink| {
        std::thread::scope(|scope| {
            let (sender, receiver) = sync_channel(1);
            let producer = scope.spawn(|| reader.send(sender, &places, columns.len()));
            for (blocks, records) in receiver {
                for block in blocks {
                    let mut cells = Vec::with_capacity(columns.len());
                    for (item, row) in block.rows() {
                        cells.clear();
                        cells.extend(row);
                        sink.row(item, &cells)?;
                    }
                }
                tick(records);
            }
            producer.join().expect("it does not panic")
        })
    })?;
    let missing = columns.iter().filter(|column| column.missing > 0);
    let missing = missing.map(|column| (column.name.clone(), column.missing)).collect();
    Ok(TableWritten { written, rows: count, columns: columns.len(), missing })
}

/// The lengths of an array with a place for each item: of a product those of its axes. Where items are left out, a place for
/// each row.
fn lengths(space: &Space, rows: u128) -> Vec<u128> {
    match space {
        Space::Parameters(parameters) if parameters.condition().is_some() => vec![rows],
        Space::Parameters(parameters) => parameters.axes().iter().map(Axis::count).collect(),
        Space::Range(range) => vec![range.count()],
    }
}

/// The columns that results have, in the order in which they come first, under their own names.
#[derive(Default)]
struct Columns {
    parameters: Vec<Column>,
    results: Vec<Column>,
    /// In how many rows each of the results is.
    present: Vec<u128>,
    places: HashMap<String, usize>,
    rows: u128,
}

impl Columns {
    /// The result of that name.
    fn of(&mut self, name: &str) -> usize {
        match self.places.get(name) {
            Some(&place) => place,
            None => {
                let place = self.results.len();
                self.places.insert(name.to_owned(), place);
                self.results.push(Column::new(name));
                self.present.push(0);
                place
            }
        }
    }

    /// Takes in the columns of the items that follow.
    fn join(&mut self, later: Self) {
        for (own, later) in self.parameters.iter_mut().zip(&later.parameters) {
            own.join(later);
        }
        for (column, present) in later.results.into_iter().zip(later.present) {
            let place = self.of(&column.name);
            self.results[place].join(&column);
            self.present[place] += present;
        }
        self.rows += later.rows;
    }

    fn check(&self) -> Result<(), AnswerError> {
        let columns = self.parameters.len() + self.results.len();
        if columns > MOST_COLUMNS {
            return Err(AnswerError::TooManyColumns { columns, format: "a table", most: MOST_COLUMNS });
        }
        Ok(())
    }

    /// All columns, under the names that they are shown by: those of the space stay as they are, and a result of such a
    /// name gets the ending `_result`.
    fn all(&self, space: &Space) -> Vec<Column> {
        let names = space.names();
        let mut taken: HashSet<String> = names.iter().map(|&name| name.to_owned()).collect();
        let free: Vec<bool> = self.results.iter().map(|column| taken.insert(column.name.clone())).collect();
        let mut columns = self.parameters.clone();
        for ((column, &present), free) in self.results.iter().zip(&self.present).zip(free) {
            let mut column = column.clone();
            let absent = self.rows - present;
            column.missing += absent;
            if absent > 0 {
                column.kinds.add(CellKind::Missing);
            }
            if !free {
                while !taken.insert(column.name.clone()) {
                    column.name.push_str("_result");
                }
            }
            columns.push(column);
        }
        columns
    }
}

/// Reads the records.
struct Reader<'a> {
    plan: &'a Plan,
    gathered: &'a Gathered,
    rows: &'a Rows,
    format: Option<Format>,
}

/// Why reading stops.
enum Stop {
    Error(TableError),
    /// Nobody takes the rows any more.
    Closed,
}

impl From<MergeError> for Stop {
    fn from(error: MergeError) -> Self {
        Self::Error(error.into())
    }
}

impl Reader<'_> {
    fn chosen(&self) -> Vec<&Found> {
        self.gathered.chosen().collect()
    }

    /// The values of an item.
    fn row(&self, item: u128) -> Result<Vec<std::borrow::Cow<'_, [u8]>>, MergeError> {
        self.plan.space.row(item, self.rows).ok_or_else(|| MergeError::File {
            doing: "cannot name the items".to_owned(),
            source: std::io::Error::new(std::io::ErrorKind::NotFound, "their rows are not at hand"),
        })
    }

    fn no_columns(&self) -> Columns {
        let parameters = self.plan.space.names().into_iter().map(Column::new).collect();
        Columns { parameters, ..Columns::default() }
    }

    /// What columns there are, and what they hold.
    fn columns(&self) -> Result<Columns, TableError> {
        let chosen = self.chosen();
        let blocks: Vec<Result<Columns, TableError>> = chosen
            .par_chunks(BLOCK)
            .map(|block| {
                let mut columns = self.no_columns();
                for found in block {
                    each_result::<TableError>(self.gathered, found, &mut |item, text| {
                        self.look(&mut columns, item, text)
                    })?;
                }
                Ok(columns)
            })
            .collect();
        let mut all = self.no_columns();
        for columns in blocks {
            all.join(columns?);
            all.check()?;
        }
        Ok(all)
    }

    fn look(&self, columns: &mut Columns, item: u128, text: &[u8]) -> Result<(), TableError> {
        if self.format == Some(Format::Sqlite) {
            for (column, value) in columns.parameters.iter_mut().zip(&self.row(item)?) {
                column.add(Cell::of_parameter(value).kind);
            }
        }
        let mut add = |name: &str, field: &Field<'_>| {
            let place = columns.of(name);
            let (column, cell) = (&mut columns.results[place], cell(field));
            column.add(cell.kind);
            if self.format == Some(Format::Npy) {
                column.shape.add(item, cell);
            }
            columns.present[place] += 1;
        };
        match ItemResult::parse(text) {
            ItemResult::One(field) => add(RESULT, &field),
            ItemResult::Fields(fields) => {
                fields.iter().for_each(|(name, field)| add(name, field));
                columns.check()?;
            }
        }
        columns.rows += 1;
        Ok(())
    }

    /// Sends all rows, in item order, with the number of records that they are of.
    fn send(
        &self,
        sender: SyncSender<(Vec<Block>, u64)>,
        places: &HashMap<&str, usize>,
        columns: usize,
    ) -> Result<(), TableError> {
        let chosen = self.chosen();
        let units = units(&chosen);
        let abreast = 2 * rayon::current_num_threads();
        let mut units = &units[..];
        while let Some((unit, rest)) = units.split_first() {
            let done = if is_large(unit) {
                units = rest;
                self.send_large(unit[0], &sender, places, columns)
            } else {
                let some = units.iter().take(abreast).take_while(|unit| !is_large(unit)).count();
                let (some, rest) = units.split_at(some);
                units = rest;
                self.send_small(some, &sender, places, columns)
            };
            match done {
                Ok(()) => {}
                Err(Stop::Error(error)) => return Err(error),
                // Why is known to who takes them.
                Err(Stop::Closed) => break,
            }
        }
        Ok(())
    }

    fn send_small(
        &self,
        units: &[&[&Found]],
        sender: &SyncSender<(Vec<Block>, u64)>,
        places: &HashMap<&str, usize>,
        columns: usize,
    ) -> Result<(), Stop> {
        let blocks: Vec<Result<Block, Stop>> = units
            .par_iter()
            .map(|unit| {
                let mut block = Block::new(columns);
                for found in *unit {
                    each_result(self.gathered, found, &mut |item, text| self.put(&mut block, places, item, text))?;
                }
                Ok(block)
            })
            .collect();
        let records = units.iter().map(|unit| unit.len() as u64).sum();
        let blocks = blocks.into_iter().collect::<Result<_, _>>()?;
        sender.send((blocks, records)).map_err(|_| Stop::Closed)
    }

    fn send_large(
        &self,
        found: &Found,
        sender: &SyncSender<(Vec<Block>, u64)>,
        places: &HashMap<&str, usize>,
        columns: usize,
    ) -> Result<(), Stop> {
        let mut block = Block::new(columns);
        each_result(self.gathered, found, &mut |item, text| {
            self.put(&mut block, places, item, text)?;
            if block.items.len() < PART_ROWS && (block.bytes.len() as u64) < BLOCK_BYTES {
                return Ok(());
            }
            let full = std::mem::replace(&mut block, Block::new(columns));
            sender.send((vec![full], 0)).map_err(|_| Stop::Closed)
        })?;
        sender.send((vec![block], 1)).map_err(|_| Stop::Closed)
    }

    /// Adds an item's row.
    fn put(&self, block: &mut Block, places: &HashMap<&str, usize>, item: u128, text: &[u8]) -> Result<(), Stop> {
        block.start(item);
        for value in self.row(item)? {
            block.push(Cell::of_parameter(&value));
        }
        match ItemResult::parse(text) {
            ItemResult::One(field) => block.put(places.get(RESULT), cell(&field)),
            ItemResult::Fields(fields) => {
                for (name, field) in &fields {
                    block.put(places.get(&**name), cell(field));
                }
            }
        }
        block.end();
        Ok(())
    }
}

/// Records that are read by one task each: some small ones, or a large one.
fn units<'a, 'f>(chosen: &'a [&'f Found]) -> Vec<&'a [&'f Found]> {
    let mut units = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (at, found) in chosen.iter().enumerate() {
        let own = found.record.payload.bytes();
        if at > start && (at - start == BLOCK || bytes + own > BLOCK_BYTES) {
            units.push(&chosen[start..at]);
            (start, bytes) = (at, 0);
        }
        bytes += own;
    }
    if start < chosen.len() {
        units.push(&chosen[start..]);
    }
    units
}

fn is_large(unit: &[&Found]) -> bool {
    matches!(unit, [found] if found.record.payload.bytes() > BLOCK_BYTES)
}

fn cell<'a>(field: &'a Field<'_>) -> Cell<'a> {
    match field {
        Field::Null => Cell::MISSING,
        Field::Plain(text) => Cell::of_result(text),
        Field::Text(text) => Cell { kind: CellKind::Text, text },
        Field::Nested(json) => Cell { kind: CellKind::Nested, text: json.as_bytes() },
    }
}

/// Rows, kept compactly: one text for all cells.
struct Block {
    columns: usize,
    items: Vec<u128>,
    bytes: Vec<u8>,
    /// Each cell's kind, and where its text is.
    cells: Vec<(CellKind, usize, usize)>,
}

impl Block {
    fn new(columns: usize) -> Self {
        Self { columns, items: Vec::new(), bytes: Vec::new(), cells: Vec::new() }
    }

    fn start(&mut self, item: u128) {
        self.items.push(item);
    }

    /// Adds the next cell of the row.
    fn push(&mut self, cell: Cell<'_>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(cell.text);
        self.cells.push((cell.kind, start, self.bytes.len()));
    }

    /// Puts a cell into a column of the row, all of whose cells before the results are there.
    fn put(&mut self, column: Option<&usize>, cell: Cell<'_>) {
        let Some(column) = column else { return };
        let at = (self.items.len() - 1) * self.columns + column;
        if self.cells.len() <= at {
            self.cells.resize(at, (CellKind::Missing, 0, 0));
            self.push(cell);
        } else {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(cell.text);
            self.cells[at] = (cell.kind, start, self.bytes.len());
        }
    }

    /// Ends the row: cells that were not put are missing.
    fn end(&mut self) {
        self.cells.resize(self.items.len() * self.columns, (CellKind::Missing, 0, 0));
    }

    fn rows(&self) -> impl Iterator<Item = (u128, impl Iterator<Item = Cell<'_>>)> {
        let cell = |&(kind, start, end): &(CellKind, usize, usize)| Cell { kind, text: &self.bytes[start..end] };
        self.items.iter().zip(self.cells.chunks(self.columns)).map(move |(item, row)| (*item, row.iter().map(cell)))
    }
}
