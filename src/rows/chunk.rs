//! The rows that a chunk's job gets: one file, whose first line says whose they are.
//!
//! ```text
//! {"format":1,"plan":"...","items":{"first":20,"last":39},"blocks":[{"first":20,"rows":20,"bytes":312}],"content":"..."}
//! n,rho
//! 20,0.5
//! ```
//!
//! After that line comes the CSV of each listed axis, one after another, with the rows that the items need. The line names
//! the identity of all that follows it, so that a transfer that was cut short does not go unnoticed.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};

#[cfg(feature = "cli")]
use super::text::write_csv;
use super::text::{TextError, read_csv};
use crate::plan::{FORMAT, PlanIdentity};
use crate::space::{Identity, Interval, Items, Rows, Space};

/// What is sent to so many chunks lies in one folder.
pub const CHUNKS_A_FOLDER: u64 = 1000;

/// The file with the rows, in the folder of a chunk that is sent files, too.
const ROWS: &str = "rows";

/// The first line.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: u32,
    plan: PlanIdentity,
    items: Items,
    blocks: Vec<Block>,
    content: Identity,
}

/// What is there of a listed axis.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Block {
    /// The number of the first row in the axis.
    first: u64,
    rows: u64,
    /// How long its text is.
    bytes: usize,
}

/// Why there are no rows for a job.
#[derive(Debug, thiserror::Error)]
pub enum ChunkRowsError {
    /// They are not there.
    #[error("the rows of these items did not arrive: {}", path.display())]
    Missing {
        /// Where they should be.
        path: PathBuf,
        /// Why they cannot be read.
        #[source]
        source: io::Error,
    },
    /// They are not as they were written.
    #[error("the rows of these items arrived damaged: {0}")]
    Damaged(&'static str),
    /// Their text is not as it was written.
    #[error("the rows of these items arrived damaged")]
    Text(#[from] TextError),
    /// They are of another plan, or of other items.
    #[error("the rows that arrived are of other items: {0}")]
    Others(String),
}

/// The name of what a chunk is sent of its own: `chunk-000017`. That is the file with its rows, or a folder with it where files belong
/// to them. It is the same in a job.
#[must_use]
pub fn chunk_name(chunk: u64) -> String {
    format!("chunk-{chunk:06}")
}

/// Where that is, below the folder of all of them: `000/chunk-000017`.
#[must_use]
pub fn chunk_place(chunk: u64) -> PathBuf {
    Path::new(&format!("{:03}", chunk / CHUNKS_A_FOLDER)).join(chunk_name(chunk))
}

/// The file with the rows of a chunk whose own is at `place`, in a folder or not.
pub(super) fn rows_at(place: &Path, in_a_folder: bool) -> PathBuf {
    if in_a_folder { place.join(ROWS) } else { place.to_owned() }
}

/// The file with the rows of `items`, in `text`, which is overwritten. `rows` holds them, and may hold more.
///
/// # Panics
/// Where `rows` does not hold them.
#[cfg(feature = "cli")]
pub(super) fn write_rows(text: &mut Vec<u8>, plan: PlanIdentity, space: &Space, items: Interval, rows: &Rows) {
    text.clear();
    let Space::Parameters(parameters) = space else { return };
    let mut blocks = Vec::new();
    for (number, (listed, block)) in parameters.listed().zip(&rows.blocks).enumerate() {
        let (first, count) = parameters.rows_needed(number, items);
        let before = text.len();
        write_csv(&mut *text, listed, block, first, count).expect("in memory");
        blocks.push(Block { first, rows: count, bytes: text.len() - before });
    }
    let content = Identity::of_bytes(text);
    let header = Header { format: FORMAT, plan, items: items.into(), blocks, content };
    let mut line = serde_json::to_vec(&header).expect("plain values");
    line.push(b'\n');
    text.splice(0..0, line);
}

/// The number of the row that stands `place` rows after row `first`, around the end of the `of` rows.
pub(super) fn around(first: u64, place: u64, of: u64) -> u64 {
    let left = of - first;
    if place < left { first + place } else { place - left }
}

/// Reads what `write_rows` wrote of a chunk whose own is at `place`, which has to hold the rows of `items`.
///
/// # Errors
/// Where it does not.
pub fn read_rows(place: &Path, plan: PlanIdentity, space: &Space, items: Interval) -> Result<Rows, ChunkRowsError> {
    let Space::Parameters(parameters) = space else { return Ok(Rows::default()) };
    let path = rows_at(place, place.is_dir());
    let bytes = fs::read(&path).map_err(|source| ChunkRowsError::Missing { path, source })?;
    let end = memchr::memchr(b'\n', &bytes).ok_or(ChunkRowsError::Damaged("their first line has no end"))?;
    let (line, mut text) = (&bytes[..end], &bytes[end + 1..]);
    let header: Header =
        serde_json::from_slice(line).map_err(|_| ChunkRowsError::Damaged("their first line cannot be read"))?;
    if header.format != FORMAT {
        return Err(ChunkRowsError::Others(format!("format {}", header.format)));
    }
    if header.plan != plan {
        return Err(ChunkRowsError::Others(format!("they are of plan {}", header.plan.short())));
    }
    if header.content != Identity::of_bytes(text) {
        return Err(ChunkRowsError::Damaged("they are not those that were sent"));
    }
    let Items { first, last } = header.items;
    let theirs = last.checked_add(1).and_then(|stop| Interval::new(first, stop));
    let theirs = theirs.filter(|theirs| theirs.intersect(items) == Some(items) && theirs.stop() <= space.count());
    let Some(theirs) = theirs else {
        return Err(ChunkRowsError::Others(format!("they are of the items with the numbers {first} to {last}")));
    };
    let mut rows = Rows::default();
    let listed = parameters.listed();
    if header.blocks.len() != parameters.listed().count() {
        return Err(ChunkRowsError::Damaged("their first line names other columns"));
    }
    for (number, (listed, block)) in listed.zip(&header.blocks).enumerate() {
        if parameters.rows_needed(number, theirs) != (block.first, block.rows) || block.bytes > text.len() {
            return Err(ChunkRowsError::Damaged("their first line names other rows"));
        }
        let (own, rest) = text.split_at(block.bytes);
        rows.blocks.push(read_csv(own, listed, block.first, block.rows)?);
        text = rest;
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::space::{Axis, Column, Listed, Parameters, RowBlock, Values, Word};

    fn listed(name: &str, rows: u64) -> Axis {
        let names = vec![name.to_owned()];
        Axis::Listed(Listed { names, rows, content: Identity::of_bytes(b""), files: false })
    }

    fn block(rows: u64) -> RowBlock {
        let mut block = RowBlock::new(1, 0, rows);
        (0..rows).for_each(|row| block.push([row.to_string().as_bytes()]));
        block
    }

    fn space(first: u64, middle: u64, last: u64) -> (Space, Rows) {
        let values = Values::List((0..middle).map(|value| Word::from(value.to_string().as_str())).collect());
        let column = Axis::Columns(vec![Column { name: "middle".to_owned(), values }]);
        let axes = vec![listed("first", first), column, listed("last", last)];
        let space = Space::Parameters(Parameters::new(axes, None).expect("a space"));
        (space, Rows { blocks: vec![block(first), block(last)] })
    }

    fn write(folder: &Path, space: &Space, items: Interval, rows: &Rows) -> Vec<u8> {
        let mut text = Vec::new();
        write_rows(&mut text, Identity::of_bytes(b"plan"), space, items, rows);
        fs::write(folder.join(ROWS), &text).expect("written");
        text
    }

    proptest! {
        #[test]
        fn a_chunk_has_what_its_items_need(
            (first, middle, last) in (1u64..6, 1u64..4, 1u64..6),
            (start, count) in (0u128..120, 1u128..40),
        ) {
            let (space, rows) = space(first, middle, last);
            let start = start % space.count();
            let items = Interval::new(start, (start + count).min(space.count())).expect("not empty");
            let folder = tempfile::tempdir().expect("a temporary folder");
            write(folder.path(), &space, items, &rows);
            let plan = Identity::of_bytes(b"plan");
            let read = read_rows(folder.path(), plan, &space, items).expect("as written");
            let alone = read_rows(&folder.path().join(ROWS), plan, &space, items).expect("the same");
            prop_assert_eq!(&read, &alone);
            for item in items.start()..items.stop() {
                prop_assert_eq!(space.row(item, &read), space.row(item, &rows));
            }
            let needed = |block: &RowBlock, of: u64| block.len() <= of.min(u64::try_from(items.count()).expect("small"));
            prop_assert!(needed(&read.blocks[0], first) && needed(&read.blocks[1], last));
        }
    }

    #[test]
    fn what_is_cut_short_changed_or_of_others_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (space, rows) = space(4, 2, 3);
        let items = Interval::new(5, 9).expect("not empty");
        let plan = Identity::of_bytes(b"plan");
        let read = |items| read_rows(folder.path(), plan, &space, items);
        assert!(matches!(read(items), Err(ChunkRowsError::Missing { .. })));
        let text = write(folder.path(), &space, items, &rows);
        assert!(text.starts_with(b"{\"format\":1,\"plan\":\""));
        assert!(read(items).is_ok() && read(Interval::new(6, 7).expect("not empty")).is_ok());
        let others = [Interval::new(4, 9), Interval::new(5, 10)];
        for items in others.into_iter().flatten() {
            assert!(matches!(read(items), Err(ChunkRowsError::Others(_))));
        }
        let other = read_rows(folder.path(), Identity::of_bytes(b"other"), &space, items);
        assert!(matches!(other, Err(ChunkRowsError::Others(_))));
        for length in 0..text.len() {
            fs::write(folder.path().join(ROWS), &text[..length]).expect("written");
            assert!(read(items).is_err(), "{length} bytes");
        }
        for place in 0..text.len() {
            let mut text = text.clone();
            text[place] ^= 1;
            fs::write(folder.path().join(ROWS), &text).expect("written");
            // The first line may name other items that need the same rows.
            let read = read(items).ok();
            let same =
                |read: Rows| (items.start()..items.stop()).all(|it| space.row(it, &read) == space.row(it, &rows));
            assert!(read.is_none_or(same), "byte {place}");
        }
    }

    #[test]
    fn chunks_are_grouped() {
        assert_eq!(chunk_place(17), Path::new("000/chunk-000017"));
        assert_eq!(chunk_place(1_234_567), Path::new("1234/chunk-1234567"));
    }
}
