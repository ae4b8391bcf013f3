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
    Merge(Box<MergeError>),
    /// It cannot be written.
    #[error(transparent)]
    Answer(#[from] AnswerError),
}

impl From<MergeError> for TableError {
    fn from(error: MergeError) -> Self {
        Self::Merge(Box::new(error))
    }
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

/// Checks that a table can be made of the results that count.
///
/// # Errors
/// Where a text that stands for several items has no result for each.
pub fn check_results(plan: &Plan, gathered: &Gathered, rows: &Rows) -> Result<(), TableError> {
    Reader { plan, gathered, rows, format: None }.columns().map(drop)
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::cut::Cut;
    use crate::plan::Word;
    use crate::plan::testing::plan;
    use crate::record::{self, Head, Header, Kind, gather, write_file_head, write_head};
    use crate::space::{Column as Values, Interval, Parameters, Values as List};

    /// Writes a partial with one record.
    fn partial(plan: &Plan, folder: &Path, (start, stop): (u128, u128), kind: Kind, payload: &[u8]) {
        let mut crc = crc32fast::Hasher::new();
        crc.update(payload);
        let header = Header {
            plan: plan.identity,
            code: plan.code,
            items: Interval::new(start, stop).expect("not empty"),
            kind,
            seconds: 0.0,
            host: "here".into(),
            attempt: "0-00000000".into(),
        };
        let mut bytes = Vec::new();
        record::write(&mut bytes, &header, &mut &payload[..], payload.len() as u64, &crc).expect("in memory");
        fs::write(folder.join(format!("chunk-{start:06}.0-00000000.part")), bytes).expect("written");
    }

    fn entries(texts: &[Option<&str>]) -> Vec<u8> {
        let mut payload = Vec::new();
        for text in texts {
            let head = text.map_or(Head::LeftOut, |text| Head::Result { bytes: text.len() as u64, files: 0 });
            write_head(&mut payload, head).expect("in memory");
            payload.extend_from_slice(text.unwrap_or_default().as_bytes());
        }
        payload
    }

    fn table(plan: &Plan, folder: &Path, format: Format) -> Result<(String, TableWritten), TableError> {
        let gathered = gather(folder, plan, &|_| {}).expect("read");
        let path = folder.join("table");
        let written = write_results(plan, &gathered, Rows::NONE, &path, Some(format), &[], &|_| {})?;
        Ok((String::from_utf8_lossy(&fs::read(path).expect("there")).into_owned(), written))
    }

    #[test]
    fn every_kind_of_record_has_its_rows() {
        let plan = plan("1..=9", Cut::into_chunks(9, 3).expect("a cut"));
        let folder = tempfile::tempdir().expect("a folder");
        let texts = [Some("0.5"), None, Some("x=1\ny=a b")];
        partial(&plan, folder.path(), (0, 3), Kind::Each, &entries(&texts));
        let mut bundle = Vec::new();
        write_head(&mut bundle, Head::Result { bytes: 20, files: 1 }).expect("in memory");
        bundle.extend_from_slice(b"4\n\n{\"y\": 1,\n\"z\":2}\n7");
        write_file_head(&mut bundle, b"frame.png", 3).expect("in memory");
        bundle.extend_from_slice(b"999");
        partial(&plan, folder.path(), (3, 6), Kind::Bundle, &bundle);
        partial(&plan, folder.path(), (8, 9), Kind::Whole, b"two\nlines\n");
        let (text, written) = table(&plan, folder.path(), Format::Csv).expect("a table");
        let expected = "item,result,x,y,z\n1,0.5,,,\n3,,1,a b,\n4,4,,,\n5,,,1,2\n6,7,,,\n9,\"two\nlines\",,,\n";
        assert_eq!(text, expected);
        assert_eq!((written.rows, written.columns), (6, 5));
        let missing = [("result", 2), ("x", 5), ("y", 4), ("z", 5)].map(|(name, missing)| (name.to_owned(), missing));
        assert_eq!(written.missing, missing);
    }

    #[test]
    fn names_of_the_space_stay_and_results_step_aside() {
        let column = |name: &str, values: &[&str]| {
            let values = List::List(values.iter().map(|&value| Word::from(value)).collect());
            Axis::Columns(vec![Values { name: name.to_owned(), values }])
        };
        let space = |axes| Space::Parameters(Parameters::new(axes, None).expect("a space"));
        let axes = vec![column("result", &["a", "b"]), column("x", &["0.1", "0.2", "0.3"])];
        let plan = Plan { space: space(axes), ..plan("0..6", Cut::into_chunks(6, 2).expect("a cut")) };
        let folder = tempfile::tempdir().expect("a folder");
        let texts = [Some("1"), Some(r#"{"x": 2, "x_result": 3}"#), Some(""), Some("4"), Some("5"), Some("6")];
        partial(&plan, folder.path(), (0, 6), Kind::Each, &entries(&texts));
        let (text, _) = table(&plan, folder.path(), Format::Csv).expect("a table");
        assert_eq!(
            text,
            "result,x,result_result,x_result_result,x_result\na,0.1,1,,\na,0.2,,2,3\na,0.3,,,\nb,0.1,4,,\nb,0.2,5,,\nb,0.3,6,,\n"
        );
        // A place for each item of a product, which are found by the numbers of their values.
        let texts = [Some("1"), Some("2"), Some("3"), Some("4"), Some("5"), Some("6")];
        partial(&plan, folder.path(), (0, 6), Kind::Each, &entries(&texts));
        let (text, _) = table(&plan, folder.path(), Format::Npy).expect("an array");
        assert!(text.contains("'descr': '<i8', 'fortran_order': False, 'shape': (2, 3), }"), "{text}");
    }

    #[test]
    fn a_text_for_several_items_needs_a_result_for_each() {
        let plan = plan("0..4", Cut::into_chunks(4, 1).expect("a cut"));
        let folder = tempfile::tempdir().expect("a folder");
        for (text, results) in [("1\n2\n3\n", 3), ("1\n2\n3\n4\n5\n", 5), ("", 0)] {
            partial(&plan, folder.path(), (0, 4), Kind::Whole, text.as_bytes());
            match table(&plan, folder.path(), Format::Csv) {
                Err(TableError::Merge(error)) => {
                    let MergeError::BadResult { source, .. } = *error else { panic!("{error:?}") };
                    let holds = format!("{results} result{} for 4 items", if results == 1 { "" } else { "s" });
                    assert!(source.to_string().contains(&holds), "{source}");
                }
                other => panic!("{other:?}"),
            }
            assert_eq!(folder.path().read_dir().expect("listed").count(), 1, "nothing was written");
        }
    }

    #[test]
    fn large_records_are_streamed_and_give_the_same_rows() {
        let items = 300_000;
        let plan = plan("0..300000", Cut::into_chunks(items, 1).expect("a cut"));
        let line = |item: u128| format!("{{\"square\": {}, \"name\": \"n{item}\"}}", item * item);
        let expected: String = (0..items).map(|item| format!("{item},{},n{item}\n", item * item)).collect();
        let expected = format!("item,square,name\n{expected}");
        let folder = tempfile::tempdir().expect("a folder");
        let all: String = (0..items).map(|item| line(item) + "\n").collect();
        partial(&plan, folder.path(), (0, items), Kind::Whole, all.as_bytes());
        let whole = table(&plan, folder.path(), Format::Csv).expect("a table").0;
        assert!(whole == expected);
        // A large record between many small ones.
        let folder = tempfile::tempdir().expect("a folder");
        for item in (0..2000).chain(298_000..items) {
            partial(&plan, folder.path(), (item, item + 1), Kind::Whole, line(item).as_bytes());
        }
        let texts: Vec<String> = (2000..298_000).map(line).collect();
        let texts: Vec<Option<&str>> = texts.iter().map(|text| Some(&**text)).collect();
        partial(&plan, folder.path(), (2000, 298_000), Kind::Each, &entries(&texts));
        assert!(table(&plan, folder.path(), Format::Csv).expect("a table").0 == expected);
    }

    #[test]
    fn more_columns_than_anyone_reads_are_refused() {
        let plan = plan("0..2", Cut::into_chunks(2, 1).expect("a cut"));
        let folder = tempfile::tempdir().expect("a folder");
        let object = |start: usize| {
            let fields: Vec<_> = (start..start + 6000).map(|number| format!("\"f{number}\":1")).collect();
            format!("{{{}}}", fields.join(","))
        };
        partial(&plan, folder.path(), (0, 2), Kind::Each, &entries(&[Some(&object(0)), Some(&object(6000))]));
        let error = table(&plan, folder.path(), Format::Csv).expect_err("too many").to_string();
        assert_eq!(error, "the results have 12001 columns, and a table holds 10000");
        partial(&plan, folder.path(), (0, 2), Kind::Each, &entries(&[Some(&object(0)), Some(&object(0))]));
        let error = table(&plan, folder.path(), Format::Sqlite).expect_err("too many").to_string();
        assert_eq!(error, "the results have 6001 columns, and a SQLite table holds 2000");
        assert_eq!(folder.path().read_dir().expect("listed").count(), 1, "nothing was written");
    }
}
