//! Tables: `--table`.
//!
//! A table with a header is CSV (RFC 4180): fields may stand in quotes, and then hold separators and line breaks. Its fields are
//! separated by tabs, if a tab stands in the header outside of quotes, else by commas, else by semicolons. Nothing is
//! trimmed from a value, but blanks around the names are.
//!
//! A table without a header, whose columns are named, is read in the same way where that gives each row as many fields as
//! there are columns; blanks around the fields of a file without any quote do not count. Else it is read as `condor_submit`
//! reads the file of `queue a, b from FILE`: fields are separated by a comma or by blanks or by both, and the last one takes
//! the rest of its line (condor_submit(1), "queue"). As there, nothing is a comment.
//!
//! Lines with nothing on them count nowhere.

use csv::{ByteRecord, ReaderBuilder};
use rayon::prelude::*;

use super::lines::{LinesError, line_of, values};
use crate::space::RowBlock;

/// A text is read in parts of at least so many bytes.
const LARGE: usize = if cfg!(test) { 1 << 6 } else { 1 << 20 };

/// A table that was read.
#[derive(Debug)]
pub struct Table {
    /// The names of its columns.
    pub names: Vec<String>,
    /// Its rows.
    pub block: RowBlock,
    /// What its fields were told from each other by.
    pub separator: Separator,
    /// For each column its longest value.
    pub longest: Vec<Longest>,
}

/// What stands between fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Separator {
    /// A tab.
    Tab,
    /// A comma.
    Comma,
    /// A semicolon.
    Semicolon,
    /// A comma, blanks, or both; the last field takes the rest of the line.
    Blanks,
}

/// The longest value of a column, and where it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Longest {
    /// Its length in bytes.
    pub bytes: usize,
    /// The line that its row starts on, from 1.
    pub line: u64,
}

/// Why bytes are no table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// Not the text that a file has to be.
    #[error(transparent)]
    Text(#[from] LinesError),
    /// There is a header and no row.
    #[error("there is no row behind the header")]
    HeaderOnly,
    /// The header cannot be read.
    #[error("line {line}: the header is not UTF-8 text")]
    Encoding {
        /// The line, from 1.
        line: u64,
    },
    /// A column without a name.
    #[error("line {line}: column {column} has no name")]
    NoName {
        /// The line, from 1.
        line: u64,
        /// The column, from 1.
        column: usize,
    },
    /// Two columns of one name.
    #[error("line {line}: two columns are called `{name}`")]
    Twice {
        /// The line, from 1.
        line: u64,
        /// The name.
        name: String,
    },
    /// Too few or too many fields.
    #[error("line {line}: {found} field{s}, and there {are} {due} column{ends}",
        s = if *found == 1 { "" } else { "s" },
        are = if *due == 1 { "is" } else { "are" },
        ends = if *due == 1 { "" } else { "s" })]
    Ragged {
        /// The line that the row starts on, from 1.
        line: u64,
        /// How many fields it has.
        found: usize,
        /// How many columns there are.
        due: usize,
    },
    /// A quote that does not close.
    #[error("line {line}: a field starts with \" and no other \" ends it")]
    Open {
        /// The line that the row starts on, from 1.
        line: u64,
    },
}

impl Separator {
    const BYTES: [(u8, Self); 3] = [(b'\t', Self::Tab), (b',', Self::Comma), (b';', Self::Semicolon)];

    fn byte(self) -> u8 {
        Self::BYTES.into_iter().find(|(_, separator)| *separator == self).map_or(b',', |(byte, _)| byte)
    }
}

impl std::fmt::Display for Separator {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Tab => "tabs",
            Self::Comma => "commas",
            Self::Semicolon => "semicolons",
            Self::Blanks => "blanks or commas",
        })
    }
}

impl Table {
    /// Reads a file's bytes: with a header, or, where `columns` are named, without.
    ///
    /// # Errors
    /// Where they are no table, or one without rows.
    pub fn read(bytes: &[u8], columns: Option<&[String]>) -> Result<Self, TableError> {
        let text = super::lines::text(bytes)?;
        match columns {
            Some(columns) => without_header(text, columns),
            None => with_header(text),
        }
    }
}

fn with_header(text: &[u8]) -> Result<Table, TableError> {
    let separator = of_header(text);
    let mut records = Records::new(text, separator);
    let Some(header) = records.next() else { return Err(LinesError::Empty.into()) };
    let header = header.clone();
    let line = row_line(text, records.start());
    let mut names: Vec<String> = Vec::with_capacity(header.len());
    for (column, name) in header.iter().enumerate() {
        let name = std::str::from_utf8(name).map_err(|_| TableError::Encoding { line })?.trim().to_owned();
        if name.is_empty() {
            return Err(TableError::NoName { line, column: column + 1 });
        }
        if names.contains(&name) {
            return Err(TableError::Twice { line, name });
        }
        names.push(name);
    }
    let (block, longest) = records.rows(names.len(), false)?;
    if block.is_empty() {
        return Err(TableError::HeaderOnly);
    }
    Ok(Table { names, block, separator, longest })
}

fn without_header(text: &[u8], columns: &[String]) -> Result<Table, TableError> {
    let names = columns.to_vec();
    let due = names.len();
    let fits = |separator: &Separator| Records::new(text, *separator).next().is_some_and(|row| row.len() == due);
    let has_quote = memchr::memchr(b'"', text).is_some();
    let Some(separator) = Separator::BYTES.into_iter().map(|(_, separator)| separator).find(fits) else {
        let (block, longest) = blank_rows(text, due)?;
        return Ok(Table { names, block, separator: Separator::Blanks, longest });
    };
    match Records::new(text, separator).rows(due, !has_quote) {
        Ok((block, longest)) => Ok(Table { names, block, separator, longest }),
        Err(error) => {
            let read = if has_quote { None } else { blank_rows(text, due).ok() };
            let read = read.filter(|(block, _)| agree(Records::new(text, separator), block));
            let (block, longest) = read.ok_or(error)?;
            Ok(Table { names, block, separator: Separator::Blanks, longest })
        }
    }
}

/// What separates the names of a header.
fn of_header(text: &[u8]) -> Separator {
    let start = text.iter().position(|byte| !b"\r\n".contains(byte)).unwrap_or(0);
    let mut quoted = false;
    let mut seen = [false; 3];
    for &byte in &text[start..] {
        match byte {
            b'"' => quoted = !quoted,
            b'\r' | b'\n' if !quoted => break,
            _ if !quoted => {
                for (seen, (separator, _)) in seen.iter_mut().zip(Separator::BYTES) {
                    *seen |= byte == separator;
                }
            }
            _ => {}
        }
    }
    let found = seen.iter().zip(Separator::BYTES).find(|(seen, _)| **seen);
    found.map_or(Separator::Comma, |(_, (_, separator))| separator)
}

/// The records of a CSV text, one after another.
struct Records<'a> {
    text: &'a [u8],
    /// How many bytes stand before it in the whole text.
    before: usize,
    separator: u8,
    reader: csv::Reader<&'a [u8]>,
    record: ByteRecord,
}

impl<'a> Records<'a> {
    fn new(text: &'a [u8], separator: Separator) -> Self {
        Self::of(text, separator.byte())
    }

    fn of(text: &'a [u8], separator: u8) -> Self {
        let mut builder = ReaderBuilder::new();
        builder.has_headers(false).flexible(true).delimiter(separator).buffer_capacity(1 << 16);
        Self { text, before: 0, separator, reader: builder.from_reader(text), record: ByteRecord::new() }
    }

    fn next(&mut self) -> Option<&ByteRecord> {
        // Bytes in memory can be read, and rows of any length are taken.
        self.reader.read_byte_record(&mut self.record).unwrap_or(false).then_some(&self.record)
    }

    /// Where the record starts that was read last, or the empty lines before it.
    fn start(&self) -> usize {
        self.before + self.record.position().map_or(0, csv::Position::byte) as usize
    }

    /// The rows from here on, each with `due` fields.
    fn rows(mut self, due: usize, trim: bool) -> Result<(RowBlock, Vec<Longest>), TableError> {
        let behind = usize::try_from(self.reader.position().byte()).unwrap_or(usize::MAX).min(self.text.len());
        let rest = &self.text[behind..];
        // A mark at the start of a part would be taken for a byte order mark.
        let has_mark = || memchr::memmem::find(rest, b"\xef\xbb\xbf").is_some();
        if rest.len() >= LARGE && memchr::memchr(b'"', rest).is_none() && !has_mark() {
            return side_by_side(self.text, behind, self.separator, due, trim);
        }
        let mut rows = Collected::new(rest, due);
        let stopped = self.collect(&mut rows, trim);
        // A quote that does not close takes in all that follows it: only the last record can have one.
        match stopped {
            Some((last, _)) if self.is_open(last) => Err(TableError::Open { line: row_line(self.text, last) }),
            Some((last, found)) if found != due => {
                Err(TableError::Ragged { line: row_line(self.text, last), found, due })
            }
            _ => Ok(rows.finish(self.text)),
        }
    }

    /// Adds rows until one has another number of fields than there are columns. Says where the last one starts that was read, and how
    /// many fields it has.
    fn collect(&mut self, rows: &mut Collected, trim: bool) -> Option<(usize, usize)> {
        let mut last = None;
        while self.next().is_some() {
            let (start, found) = (self.start(), self.record.len());
            last = Some((start, found));
            if found != rows.columns {
                break;
            }
            if trim {
                rows.add(start, self.record.iter().map(<[u8]>::trim_ascii));
            } else {
                rows.add(start, self.record.iter());
            }
        }
        last
    }

    /// Whether the text ends within quotes, read from the start of a record that was the last to be read.
    fn is_open(&self, start: usize) -> bool {
        if self.reader.position().byte() < self.text.len() as u64 {
            return false;
        }
        let mut state = Within::Start;
        for &byte in &self.text[start..] {
            state = match (state, byte) {
                (Within::Start, b'"') => Within::Quotes,
                (Within::Quotes, b'"') => Within::Closed,
                (Within::Closed, b'"') | (Within::Quotes, _) => Within::Quotes,
                (_, b'\r' | b'\n') => Within::Start,
                (_, byte) if byte == self.separator => Within::Start,
                _ => Within::Field,
            };
        }
        state == Within::Quotes
    }
}

/// The rows behind byte number `behind` of `text`, where no quote is: each line's end ends a row there, so that parts of the
/// text are read side by side.
fn side_by_side(
    text: &[u8],
    behind: usize,
    separator: u8,
    due: usize,
    trim: bool,
) -> Result<(RowBlock, Vec<Longest>), TableError> {
    let length = (text.len() - behind).div_ceil(rayon::current_num_threads()).max(LARGE);
    let mut parts = Vec::new();
    let mut start = behind;
    while start < text.len() {
        let about = (start + length).min(text.len());
        let stop = memchr::memchr(b'\n', &text[about..]).map_or(text.len(), |end| about + end + 1);
        parts.push((start, stop));
        start = stop;
    }
    let read = |(number, &(start, stop)): (usize, &(usize, usize))| {
        // The others are added to the first.
        let room = if number == 0 { &text[start..] } else { &text[start..stop] };
        let mut rows = Collected::new(room, due);
        let mut records = Records { before: start, ..Records::of(&text[start..stop], separator) };
        let last = records.collect(&mut rows, trim);
        match last {
            Some((last, found)) if found != due => Err(TableError::Ragged { line: row_line(text, last), found, due }),
            _ => Ok(rows),
        }
    };
    let read: Vec<_> = parts.par_iter().enumerate().map(read).collect();
    // Of several errors the first one in the text counts.
    let mut parts = read.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter();
    let mut all = parts.next().unwrap_or_else(|| Collected::new(b"", due));
    parts.for_each(|part| all.append(&part));
    Ok(all.finish(text))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Start,
    Field,
    Quotes,
    Closed,
}

/// Rows as they are collected.
struct Collected {
    columns: usize,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// For each column the length of its longest value, and where its row starts.
    longest: Vec<(usize, usize)>,
}

impl Collected {
    /// No rows yet of those that `text` holds. Memory that grows is cleared and copied again and again, which takes longer
    /// than reading does: so there is room at once for as many fields as there can be, but for lines within quotes.
    fn new(text: &[u8], columns: usize) -> Self {
        let lines = memchr::memchr_iter(b'\n', text).count() + 1;
        Self {
            columns,
            bytes: Vec::with_capacity(text.len()),
            ends: Vec::with_capacity(lines.saturating_mul(columns).min(text.len() + 1)),
            longest: vec![(0, 0); columns],
        }
    }

    /// Adds a row that starts at `start` in the text.
    fn add<'a>(&mut self, start: usize, fields: impl Iterator<Item = &'a [u8]>) {
        for (field, longest) in fields.zip(&mut self.longest) {
            if field.len() > longest.0 {
                *longest = (field.len(), start);
            }
            self.bytes.extend_from_slice(field);
            self.ends.push(self.bytes.len());
        }
    }

    /// Adds the rows that follow these.
    fn append(&mut self, others: &Self) {
        let before = self.bytes.len();
        self.bytes.extend_from_slice(&others.bytes);
        self.ends.extend(others.ends.iter().map(|end| before + end));
        for (longest, other) in self.longest.iter_mut().zip(&others.longest) {
            if other.0 > longest.0 {
                *longest = *other;
            }
        }
    }

    fn finish(self, text: &[u8]) -> (RowBlock, Vec<Longest>) {
        let longest = self.longest.into_iter().map(|(bytes, start)| Longest { bytes, line: row_line(text, start) });
        let longest = longest.collect();
        (RowBlock::whole(self.columns, self.bytes, self.ends), longest)
    }
}

/// The line of a row that starts at `start`, or behind the empty lines from there on.
fn row_line(text: &[u8], start: usize) -> u64 {
    let empty = text[start..].iter().take_while(|byte| b"\r\n".contains(byte)).count();
    line_of(text, start + empty)
}

/// The rows of a text whose fields stand between blanks.
fn blank_rows(text: &[u8], due: usize) -> Result<(RowBlock, Vec<Longest>), TableError> {
    let mut rows = Collected::new(text, due);
    let mut fields: Vec<&[u8]> = Vec::with_capacity(due);
    for (start, line) in values(text) {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        fields.clear();
        let mut rest = line;
        while fields.len() + 1 < due {
            let Some(end) = memchr::memchr3(b',', b' ', b'\t', rest) else { break };
            fields.push(&rest[..end]);
            let after = rest[end..].trim_ascii_start();
            rest = after.strip_prefix(b",").unwrap_or(after).trim_ascii_start();
        }
        fields.push(rest);
        if fields.len() != due {
            return Err(TableError::Ragged { line: line_of(text, start), found: fields.len(), due });
        }
        rows.add(start, fields.iter().copied());
    }
    if rows.ends.is_empty() {
        return Err(LinesError::Empty.into());
    }
    Ok(rows.finish(text))
}

/// Whether `block` has the same fields for each record that has as many as there are columns.
fn agree(mut records: Records<'_>, block: &RowBlock) -> bool {
    let mut row = 0;
    while let Some(record) = records.next() {
        if record.iter().all(|field| field.trim_ascii().is_empty()) && record.len() == 1 {
            continue;
        }
        let same = |column: usize, field: &[u8]| block.field(row, column) == Some(field.trim_ascii());
        if record.len() == block.columns() && !record.iter().enumerate().all(|(column, field)| same(column, field)) {
            return false;
        }
        row += 1;
    }
    row == block.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: impl AsRef<[u8]>, columns: &[&str]) -> Result<Table, TableError> {
        let columns: Vec<_> = columns.iter().map(|&name| name.to_owned()).collect();
        Table::read(text.as_ref(), (!columns.is_empty()).then_some(&columns))
    }

    /// A table as text: its rows between bars, their fields between brackets.
    fn shown(table: &Table) -> String {
        let field = |row, column| String::from_utf8_lossy(table.block.field(row, column).expect("there")).into_owned();
        let row = |row| (0..table.names.len()).map(|column| format!("[{}]", field(row, column))).collect::<String>();
        (0..table.block.len()).map(row).collect::<Vec<_>>().join("|")
    }

    fn check(text: impl AsRef<[u8]>, columns: &[&str], separator: Separator, names: &str, rows: &str) {
        let text = text.as_ref();
        let table = read(text, columns).unwrap_or_else(|error| panic!("{}: {error}", text.escape_ascii()));
        let found = (table.separator, table.names.join(" "), shown(&table));
        assert_eq!(found, (separator, names.to_owned(), rows.to_owned()), "{}", text.escape_ascii());
    }

    fn fails(text: impl AsRef<[u8]>, columns: &[&str], message: &str) {
        let text = text.as_ref();
        let error = read(text, columns).err().unwrap_or_else(|| panic!("{} is read", text.escape_ascii()));
        assert_eq!(error.to_string(), message, "{}", text.escape_ascii());
    }

    /// Such as those of files that were put together.
    #[test]
    fn byte_order_marks_within_are_values_however_much_there_is() {
        for rows in [3, 300] {
            let row = |row: usize| format!("{}{row},0\n", if row.is_multiple_of(2) { "" } else { "\u{feff}" });
            let table = read(format!("a,b\n{}", (0..rows).map(row).collect::<String>()), &[]).expect("a table");
            for odd in (1..rows).step_by(2) {
                assert_eq!(
                    table.block.field(odd as u64, 0),
                    Some(format!("\u{feff}{odd}").as_bytes()),
                    "{odd} of {rows}"
                );
            }
        }
    }

    /// A quote anywhere behind the header has it read in one go.
    #[test]
    fn parts_side_by_side_are_as_a_whole() {
        for (end, ragged) in [("\n", None), ("\r\n", None), ("\n", Some(3)), ("\n", Some(190)), ("\r\n", Some(120))] {
            let row = |row: usize| match ragged {
                Some(bad) if row == bad || row == 195 => format!("{row},{end}"),
                _ => {
                    let blank = if row.is_multiple_of(7) { end } else { "" };
                    format!("{row},{},{}{end}{blank}", row * row, "x".repeat(row % 150))
                }
            };
            let rows: String = (1..200).map(row).collect();
            let [whole, parts] = ["\"0\"", "0"].map(|first| read(format!("a,b,c\n{first},0,0\n{rows}"), &[]));
            match (whole, parts) {
                (Ok(whole), Ok(parts)) => {
                    assert!(ragged.is_none() && parts.block.len() == 200);
                    assert_eq!((parts.block, parts.longest), (whole.block, whole.longest));
                }
                (whole, parts) => assert_eq!((parts.err(), ragged.is_some()), (whole.err(), true)),
            }
        }
    }

    #[test]
    fn tables_with_a_header() {
        use Separator::{Comma, Semicolon, Tab};
        check("a,b\n1,2\n3,4\n", &[], Comma, "a b", "[1][2]|[3][4]");
        check("a,b\r\n1,2\r\n3,4", &[], Comma, "a b", "[1][2]|[3][4]");
        check("\u{feff}a,b\n1,2\n", &[], Comma, "a b", "[1][2]");
        check("\n\r\na,b\n\n1,2\n\n\n3,4\n\n", &[], Comma, "a b", "[1][2]|[3][4]");
        check("a\tb,c\n1\t2, 3\n", &[], Tab, "a b,c", "[1][2, 3]");
        check("\"a\tx\",b\n1,2\n", &[], Comma, "a\tx b", "[1][2]");
        check("a;b\n1,5;2\n", &[], Semicolon, "a b", "[1,5][2]");
        check("a\n1\n\"\"\n x \n", &[], Comma, "a", "[1][]|[ x ]".replace("[1][]", "[1]|[]").as_str());
        check("a, b \n1, 2\n", &[], Comma, "a b", "[1][ 2]");
        check(
            "a,b\n\"x,\"\"y\"\"\",\"two\nlines\"\n5\" pipe,\n",
            &[],
            Comma,
            "a b",
            "[x,\"y\"][two\nlines]|[5\" pipe][]",
        );
        check("größe\nä\n".as_bytes(), &[], Comma, "größe", "[ä]");
        check(b"a\n\xff\n", &[], Comma, "a", "[\u{fffd}]");
        check("\"two\nlines\",b\n1,2\n", &[], Comma, "two\nlines b", "[1][2]");
    }

    #[test]
    fn tables_without_a_header() {
        use Separator::{Blanks, Comma, Semicolon, Tab};
        check("1,2\n3,4\n", &["a", "b"], Comma, "a b", "[1][2]|[3][4]");
        check("1 2\n3\t4\n", &["a", "b"], Blanks, "a b", "[1][2]|[3][4]");
        check("1\t2 x\n3\t4\n", &["a", "b"], Tab, "a b", "[1][2 x]|[3][4]");
        check("1;2\n", &["a", "b"], Semicolon, "a b", "[1][2]");
        check("  1   2\n\n  \n3,4\n5 , 6\r\n", &["a", "b"], Blanks, "a b", "[1][2]|[3][4]|[5][6]");
        check(
            "file1, -a -b 26\nfile2, -c -d 92",
            &["input", "arguments"],
            Comma,
            "input arguments",
            "[file1][-a -b 26]|[file2][-c -d 92]",
        );
        check(
            "file1, -a 5\nfile2, -a 5,6\n \nfile3 -b",
            &["i", "a"],
            Blanks,
            "i a",
            "[file1][-a 5]|[file2][-a 5,6]|[file3][-b]",
        );
        check("x -a 5, 6  7 \n", &["i", "a"], Comma, "i a", "[x -a 5][6  7]");
        check("x -a 5, 6,  7 \n", &["i", "a"], Blanks, "i a", "[x][-a 5, 6,  7]");
        check("8,\n9,1\n", &["a", "b"], Comma, "a b", "[8][]|[9][1]");
        check("a b\nc, d\n", &["line"], Tab, "line", "[a b]|[c, d]");
        check("\"New York\",5\n \"x\",6\n", &["a", "b"], Comma, "a b", "[New York][5]|[ \"x\"][6]");
        check("# 1\n2 3\n", &["a", "b"], Blanks, "a b", "[#][1]|[2][3]");
        check("\u{feff}1 2", &["a", "b"], Blanks, "a b", "[1][2]");
    }

    #[test]
    fn what_is_no_table() {
        fails("", &[], "the file is empty");
        fails("\n\r\n", &[], "the file is empty");
        fails("\u{feff}", &[], "the file is empty");
        fails("", &["a"], "the file is empty");
        fails(" \n", &["a", "b"], "the file is empty");
        fails("a,b\n", &[], "there is no row behind the header");
        fails("\na,b\n1,2\n\n3\n", &[], "line 5: 1 field, and there are 2 columns");
        fails("a,b\n\"x\ny\",2\n3,4,5\n", &[], "line 4: 3 fields, and there are 2 columns");
        fails("a\n1,2\n", &[], "line 2: 2 fields, and there is 1 column");
        fails("\na,b,a\n1,2,3\n", &[], "line 2: two columns are called `a`");
        fails("a,b, a\n1,2,3\n", &[], "line 1: two columns are called `a`");
        fails("a,,b\n1,2,3\n", &[], "line 1: column 2 has no name");
        fails(b"a,\xff\n1,2\n", &[], "line 1: the header is not UTF-8 text");
        fails("a,b\n1,2\n\n3,\"x\n4,5\n", &[], "line 4: a field starts with \" and no other \" ends it");
        fails("a,b\n\"3,x\n4,5\n", &[], "line 2: a field starts with \" and no other \" ends it");
        fails("a,b\n1,2\n3,\0\n", &[], "line 3: a NUL byte, which no argument can hold");
        fails(b"\xff\xfea\0,\0b\0", &[], "the file is UTF-16 text");
        fails("1,2\n3\n", &["a", "b"], "line 2: 1 field, and there are 2 columns");
        fails("New York,5\nx,6,7\n", &["a", "b"], "line 2: 3 fields, and there are 2 columns");
        fails("\"x\",5\nx,6,7\n", &["a", "b"], "line 2: 3 fields, and there are 2 columns");
        fails("1 2\n\n3\n", &["a", "b"], "line 3: 1 field, and there are 2 columns");
    }

    #[test]
    fn the_longest_values_are_known_with_their_lines() {
        let table = read("a,b\n1,22\n\n\"3\n3\",4\n5,666\n", &[]).expect("a table");
        assert_eq!(table.longest, [Longest { bytes: 3, line: 4 }, Longest { bytes: 3, line: 6 }]);
        let table = read("1 2\n\n\n33 444", &["a", "b"]).expect("a table");
        assert_eq!(table.longest, [Longest { bytes: 2, line: 4 }, Longest { bytes: 3, line: 4 }]);
    }

    proptest! {
        #[test]
        fn what_csv_writes_is_read_back(
            rows in (1usize..4).prop_flat_map(|columns| {
                let field = prop_oneof![
                    prop::collection::vec(1u8.., 0..8),
                    prop::collection::vec(prop::sample::select(b"\"\",;\t\r\n a\xff".to_vec()), 0..6),
                ];
                prop::collection::vec(prop::collection::vec(field, columns), 1..8)
            }),
            separator in prop::sample::select(b",\t;".to_vec()),
            crlf: bool,
        ) {
            let names: Vec<_> = (0..rows[0].len()).map(|column| format!("n{column}")).collect();
            // The header has to show the separator.
            prop_assume!(names.len() > 1 || separator == b',');
            let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
            let mut writer = csv::WriterBuilder::new().delimiter(separator).terminator(terminator).from_writer(Vec::new());
            writer.write_record(&names).expect("written");
            rows.iter().for_each(|row| writer.write_record(row).expect("written"));
            let text = writer.into_inner().expect("written");
            let table = Table::read(&text, None).expect("a table");
            prop_assert_eq!(table.separator.byte(), separator);
            prop_assert_eq!(&table.names, &names);
            prop_assert_eq!(table.block.len(), rows.len() as u64);
            for (number, row) in rows.iter().enumerate() {
                for (column, field) in row.iter().enumerate() {
                    prop_assert_eq!(table.block.field(number as u64, column), Some(&field[..]));
                }
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(prop::sample::select(b"\"\"',; \t\r\na1\xff\0".to_vec()), 0..30), named: bool) {
            let columns = ["a".to_owned(), "b".to_owned()];
            if let Ok(table) = Table::read(&bytes, named.then_some(&columns)) {
                prop_assert!(!table.block.is_empty());
                prop_assert_eq!(table.block.columns(), table.names.len());
            }
        }
    }
}
