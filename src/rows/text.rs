//! Rows as CSV: RFC 4180, with any bytes in a field.

use std::io::Read;
#[cfg(feature = "cli")]
use std::io::Write;

use super::FILE_COLUMNS;
use crate::space::{Listed, RowBlock};

/// Why a text does not hold the rows that it should.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// It cannot be read, or its rows have not as many fields as there are columns.
    #[error(transparent)]
    Csv(#[from] csv::Error),
    /// Some are missing, or there are more.
    #[error("{found} rows, where {expected} should be")]
    Count {
        /// How many there should be.
        expected: u64,
        /// How many there are.
        found: u64,
    },
}

/// The columns of an axis' block: its names and, of files, [`FILE_COLUMNS`].
pub fn columns(listed: &Listed) -> impl Iterator<Item = &str> {
    let of_files: &[&str] = if listed.files { &FILE_COLUMNS } else { &[] };
    listed.names.iter().map(String::as_str).chain(of_files.iter().copied())
}

/// Writes a header and `count` rows of `block` from row number `first` of the axis on, around its end.
///
/// # Errors
/// Where `out` cannot be written.
///
/// # Panics
/// Where the block has no such row.
#[cfg(feature = "cli")]
pub(super) fn write_csv(
    mut out: impl Write,
    listed: &Listed,
    block: &RowBlock,
    first: u64,
    count: u64,
) -> std::io::Result<()> {
    let mut writer = csv::Writer::from_writer(&mut out);
    writer.write_record(columns(listed))?;
    writer.flush()?;
    drop(writer);
    // Most rows have nothing that needs quotes: for these the writer's care would cost several times what they do. It costs less to
    // look at them all at once, too.
    let all_plain = block.columns() > 1 && block.text_of(first, count).is_some_and(is_plain);
    let mut line = Vec::new();
    for row in (0..count).map(|place| super::chunk::around(first, place, listed.rows)) {
        let fields = || (0..block.columns()).map(|column| block.field(row, column).expect("a row that is here"));
        line.clear();
        let plain = || fields().all(is_plain) && (block.columns() > 1 || fields().any(|field| !field.is_empty()));
        if all_plain || plain() {
            for field in fields() {
                line.extend_from_slice(field);
                line.push(b',');
            }
            line.pop();
            line.push(b'\n');
        } else {
            let mut writer = csv::Writer::from_writer(&mut line);
            writer.write_byte_record(&fields().collect())?;
            writer.flush()?;
        }
        out.write_all(&line)?;
    }
    out.flush()
}

/// Whether a field, or each of several, stands in CSV as it is.
#[cfg(feature = "cli")]
fn is_plain(field: &[u8]) -> bool {
    memchr::memchr3(b'"', b',', b'\n', field).is_none() && memchr::memchr(b'\r', field).is_none()
}

/// Reads what was written: `count` rows, of which the first is number `first` of the axis.
///
/// # Errors
/// Where it does not hold these rows. What is changed inside a field shows only in their identity.
pub(super) fn read_csv(input: impl Read, listed: &Listed, first: u64, count: u64) -> Result<RowBlock, TextError> {
    let columns = columns(listed).count();
    // A text without any row has a header all the same, so that each row that is short of a field is found.
    let mut reader = csv::ReaderBuilder::new().has_headers(false).buffer_capacity(1 << 16).from_reader(input);
    let mut block = RowBlock::new(columns, first, listed.rows);
    let mut record = csv::ByteRecord::new();
    let mut found = reader.read_byte_record(&mut record)?;
    while found {
        found = reader.read_byte_record(&mut record)?;
        if found && record.len() == columns && block.len() < count {
            block.push(&record);
        } else if found {
            let found = block.len() + 1;
            return Err(TextError::Count { expected: count, found });
        }
    }
    if block.len() == count { Ok(block) } else { Err(TextError::Count { expected: count, found: block.len() }) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::space::Identity;

    /// Texts of which CSV readers and writers make something else, and any others.
    fn field() -> impl Strategy<Value = Vec<u8>> {
        let odd =
            ["", " ", "\"", "\"\"", ",", "\r", "\n", "\r\n", "a\n", "\u{feff}", "\u{feff}\"", "#", "'", "\t", ";"];
        prop_oneof![
            prop::sample::select(odd.map(|text| text.as_bytes().to_vec()).to_vec()),
            prop::collection::vec(any::<u8>(), 0..12),
            prop::collection::vec(prop::sample::select(b"\"\",\r\n a\xff".to_vec()), 0..8),
        ]
    }

    fn table() -> impl Strategy<Value = (Vec<String>, Vec<Vec<Vec<u8>>>)> {
        (1usize..4).prop_flat_map(|columns| {
            let name = prop_oneof![Just("\u{feff}\"x".to_owned()), Just("a,\"b\"".to_owned()), "[a-z ]{1,4}"];
            let rows = prop::collection::vec(prop::collection::vec(field(), columns), 1..12);
            (prop::collection::vec(name, columns), rows)
        })
    }

    fn listed(names: Vec<String>, rows: u64) -> Listed {
        Listed { names, rows, content: Identity::of_bytes(b""), files: false }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read((names, rows) in table(), first in 0u64..12) {
            let of = rows.len() as u64;
            let mut block = RowBlock::new(names.len(), 0, of);
            rows.iter().for_each(|row| block.push(row.iter().map(Vec::as_slice)));
            let listed = listed(names, of);
            let (first, count) = (first % of, of.div_ceil(2));
            let numbers = || (first..first + count).map(|row| row % of);
            let mut text = Vec::new();
            write_csv(&mut text, &listed, &block, first, count).expect("in memory");
            let read = read_csv(&text[..], &listed, first, count).expect("as written");
            for row in numbers() {
                for (column, field) in rows[row as usize].iter().enumerate() {
                    prop_assert_eq!(read.field(row, column), Some(&field[..]));
                }
            }
            prop_assert!(read_csv(&text[..], &listed, first, count + 1).is_err());
            prop_assert!(count == 0 || read_csv(&text[..], &listed, first, count - 1).is_err());
        }
    }

    #[test]
    fn of_files_there_are_more_columns() {
        let listed = Listed { files: true, ..listed(vec!["file".to_owned()], 1) };
        let mut block = RowBlock::new(3, 0, 1);
        block.push([&b"a, b"[..], b"3", b"00"]);
        let mut text = Vec::new();
        write_csv(&mut text, &listed, &block, 0, 1).expect("in memory");
        assert_eq!(text, b"file,bytes,content\n\"a, b\",3,00\n");
        assert_eq!(read_csv(&text[..], &listed, 0, 1).expect("as written"), block);
        assert!(read_csv(&b"file,bytes,content\nx,3\n"[..], &listed, 0, 1).is_err());
        assert!(read_csv(&b""[..], &listed, 0, 1).is_err());
    }
}
