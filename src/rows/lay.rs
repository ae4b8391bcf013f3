//! Laying down what each chunk's job is sent, and how much that is.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use rayon::prelude::*;

use super::chunk::{CHUNKS_A_FOLDER, chunk_place, rows_at, write_rows};
use super::place::{files_of, needed};
use crate::plan::Plan;
use crate::space::{Interval, RowBlock, Rows, Space};
use crate::store::{self, StoreError};

/// About how long the line is that stands before a chunk's rows, with their names.
const LINE: u64 = 256;

/// What the chunks' jobs are sent beside what each is sent, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// The largest chunk.
    pub most: u64,
    /// All chunks.
    pub all: u64,
    /// How many files the chunks are sent, the one with their rows not counted.
    pub files: u64,
}

/// Makes the folder `folder` hold the rows of each chunk of `plan`: in a file, or in a folder where files belong to them. A chunk's files are linked into it from the folder
/// that was planned in: `base`, to which `way` leads from `folder`.
///
/// # Errors
/// Where a file cannot be written or linked.
pub fn lay_chunks(folder: &Path, plan: &Plan, rows: &Rows, base: &Path, way: &Path) -> Result<(), StoreError> {
    store::remove_folder(folder)?;
    let chunks = plan.cut.chunks();
    for group in (0..chunks).step_by(usize::try_from(CHUNKS_A_FOLDER).unwrap_or(usize::MAX)) {
        if let Some(group) = folder.join(chunk_place(group)).parent() {
            store::make_folder(group)?;
        }
    }
    // From a chunk's folder up to that of all of them.
    let way = Path::new("../..").join(way);
    // Threads that make files in one folder wait for each other, and for longer than one takes.
    let side_by_side = if have_files(plan) { 1 } else { CHUNKS_A_FOLDER };
    (0..chunks.div_ceil(side_by_side)).into_par_iter().try_for_each_init(Vec::new, |text, part| {
        let first = part * side_by_side;
        (first..first.saturating_add(side_by_side).min(chunks)).try_for_each(|chunk| {
            let (place, items) = (folder.join(chunk_place(chunk)), plan.chunk(chunk));
            write_chunk(&place, plan, items, rows, text)?;
            if plan.resources.shared_filesystem {
                return Ok(());
            }
            files_of(&plan.space, items, rows)
                .try_for_each(|file| link(&base.join(file.path), &way.join(file.path), &place.join(file.name)))
        })
    })
}

/// Writes the rows of `items`, a chunk's, to `place`: a file, or in a folder where files belong to them. `text` is overwritten.
///
/// # Errors
/// Where it cannot be written.
pub fn write_chunk(
    place: &Path,
    plan: &Plan,
    items: Interval,
    rows: &Rows,
    text: &mut Vec<u8>,
) -> Result<(), StoreError> {
    let in_a_folder = have_files(plan);
    if in_a_folder {
        store::make_folder(place)?;
    }
    write_rows(text, plan.identity, &plan.space, items, rows);
    store::write_anew(&rows_at(place, in_a_folder), text)
}

/// Whether files belong to the rows of a plan.
fn have_files(plan: &Plan) -> bool {
    plan.space.listed().iter().any(|listed| listed.files)
}

/// Whether the rows of each chunk are there.
#[must_use]
pub fn is_laid(folder: &Path, plan: &Plan) -> bool {
    let in_a_folder = have_files(plan);
    (0..plan.cut.chunks()).into_par_iter().all(|chunk| {
        let rows = rows_at(&folder.join(chunk_place(chunk)), in_a_folder);
        rows.metadata().is_ok_and(|found| found.len() > 0)
    })
}

/// How much the jobs of `plan` are sent of its rows and files; nothing where they see them.
#[must_use]
pub fn sent(plan: &Plan, rows: &Rows) -> Sent {
    let Space::Parameters(parameters) = &plan.space else { return Sent::default() };
    if rows.blocks.is_empty() || plan.resources.shared_filesystem {
        return Sent::default();
    }
    let sizes: Vec<Sizes<'_>> =
        parameters.listed().zip(&rows.blocks).map(|(listed, block)| Sizes::new(block, listed.files)).collect();
    let of_chunk = |chunk: u64| {
        let items = plan.chunk(chunk);
        let mut sent = Sent { all: LINE, ..Sent::default() };
        for (number, sizes) in sizes.iter().enumerate() {
            let (first, count) = parameters.rows_needed(number, items);
            sent.all = sent.all.saturating_add(sizes.sum(first, count));
            if let Some(files) = &sizes.files {
                // Without a condition that is all of them, and quickly told.
                let (count, bytes) = match parameters.condition() {
                    None => (count, files.sum(first, count)),
                    Some(_) => needed(&plan.space, parameters, number, items, rows)
                        .fold((0, 0), |(count, bytes), row| (count + 1, files.sum(row, 1).saturating_add(bytes))),
                };
                sent.files = sent.files.saturating_add(count);
                sent.all = sent.all.saturating_add(bytes);
            }
        }
        Sent { most: sent.all, ..sent }
    };
    let add = |a: Sent, b: Sent| Sent {
        most: a.most.max(b.most),
        all: a.all.saturating_add(b.all),
        files: a.files.saturating_add(b.files),
    };
    (0..plan.cut.chunks()).map(of_chunk).fold(Sent::default(), add)
}

/// How large the rows of an axis are, and the files that they name.
struct Sizes<'a> {
    block: &'a RowBlock,
    files: Option<FileSizes>,
}

impl<'a> Sizes<'a> {
    fn new(block: &'a RowBlock, are_files: bool) -> Self {
        Self { block, files: are_files.then(|| FileSizes::new(block)) }
    }

    /// Of `count` rows from row `first` on, around the end.
    fn sum(&self, first: u64, count: u64) -> u64 {
        around_the_end(first, count, self.block.len(), |row| self.up_to(row))
    }

    /// Of the rows before number `row`: their fields, and a byte between two of them.
    fn up_to(&self, row: u64) -> u64 {
        let fields = usize::try_from(row).map_or(0, |row| row.saturating_mul(self.block.columns()));
        let (_, ends) = self.block.texts();
        let texts = fields.checked_sub(1).and_then(|last| ends.get(last)).copied().unwrap_or(0);
        (texts as u64).saturating_add(fields as u64)
    }
}

/// The sum of the files' sizes up to each row.
struct FileSizes(Vec<u64>);

impl FileSizes {
    fn new(block: &RowBlock) -> Self {
        let size = |row| {
            let bytes = block.field(row, 1).and_then(|bytes| std::str::from_utf8(bytes).ok());
            bytes.and_then(|bytes| bytes.parse().ok()).unwrap_or(0u64)
        };
        let up_to = |sum: &mut u64, row| {
            *sum = sum.saturating_add(size(row));
            Some(*sum)
        };
        Self(std::iter::once(0).chain((0..block.len()).scan(0, up_to)).collect())
    }

    /// Of `count` rows from row `first` on, around the end.
    fn sum(&self, first: u64, count: u64) -> u64 {
        let up_to = |row| usize::try_from(row).ok().and_then(|row| self.0.get(row)).copied().unwrap_or(0);
        around_the_end(first, count, self.0.len() as u64 - 1, up_to)
    }
}

/// The sum over `count` rows from row `first` on, around the end of the `of` rows, of what `up_to` is the sum before a row of.
fn around_the_end(first: u64, count: u64, of: u64, up_to: impl Fn(u64) -> u64) -> u64 {
    let stop = first.saturating_add(count);
    let (straight, around) = if stop <= of { (stop, 0) } else { (of, stop - of) };
    let sum = |from: u64, to: u64| up_to(to).saturating_sub(up_to(from));
    sum(first, straight).saturating_add(sum(0, around))
}

/// Links `from`, which keeps what it holds now where it is replaced later. Where there can be no such link (another file
/// system, a file of others, too many of them) it is a symbolic one, by the path `way`. One that is gone is left out, which
/// its job says: others are not kept from being computed by it.
fn link(from: &Path, way: &Path, to: &Path) -> Result<(), StoreError> {
    // The file itself, and not a symbolic link that leads to it.
    match from.canonicalize().map(|real| fs::hard_link(real, to)) {
        Ok(Ok(())) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(Err(_)) | Err(_) => {
            store::make_link(&way.components().filter(|part| *part != Component::CurDir).collect::<PathBuf>(), to)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cut::Cut;
    use crate::space::{Axis, Column, Identity, Listed, Parameters, Values, Word};

    /// A plan over files and two values for each, and its rows.
    fn plan(files: &[(&str, &str)], chunks: u128) -> (Plan, Rows) {
        let mut block = RowBlock::new(3, 0, files.len() as u64);
        for (name, content) in files {
            let identity = Identity::of_bytes(content.as_bytes()).to_string();
            block.push([name.as_bytes(), content.len().to_string().as_bytes(), identity.as_bytes()]);
        }
        let names = vec!["file".to_owned()];
        let content = crate::rows::identity(&names, &block);
        let listed = Listed { names, rows: files.len() as u64, content, files: true };
        let values = Values::List(vec![Word::from("1"), Word::from("2")]);
        let axes = vec![Axis::Columns(vec![Column { name: "n".to_owned(), values }]), Axis::Listed(listed)];
        let space = Space::Parameters(Parameters::new(axes, None).expect("a space"));
        let cut = Cut::into_chunks(space.count(), chunks).expect("a cut");
        let plan = Plan { space, ..crate::plan::testing::plan("0..10", cut) };
        (plan, Rows { blocks: vec![block] })
    }

    #[test]
    fn each_chunk_has_its_files_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let base = folder.path().join("base");
        let files = [("a b/x", "one"), ("c\nd/x", "two"), ("e,f", "three")];
        for (name, content) in files {
            let path = base.join(name);
            fs::create_dir_all(path.parent().expect("below")).expect("made");
            fs::write(path, content).expect("written");
        }
        let (plan, rows) = plan(&files, 3);
        let chunks = folder.path().join("chunks");
        assert!(!is_laid(&chunks, &plan));
        // Twice: what an earlier one left goes.
        for _ in 0..2 {
            lay_chunks(&chunks, &plan, &rows, &base, Path::new("../base")).expect("laid");
            fs::write(chunks.join("000/chunk-000000/left"), "").expect("written");
        }
        lay_chunks(&chunks, &plan, &rows, &base, Path::new("../base")).expect("laid");
        assert!(is_laid(&chunks, &plan));
        let names = |chunk: u64| {
            let mut names: Vec<_> = fs::read_dir(chunks.join(chunk_place(chunk)))
                .expect("listed")
                .map(|entry| entry.expect("listed").file_name().into_string().expect("text"))
                .collect();
            names.sort();
            names
        };
        // The items are 1 a, 1 c, 1 e, 2 a, 2 c, 2 e.
        assert_eq!(names(0), ["file-0-0", "file-0-1", "rows"]);
        assert_eq!(names(1), ["file-0-0", "file-0-2", "rows"]);
        assert_eq!(names(2), ["file-0-1", "file-0-2", "rows"]);
        assert_eq!(fs::read_to_string(chunks.join("000/chunk-000002/file-0-1")).expect("there"), "two");
        let row = 2 + 16 + 32 + LINE;
        let sent = sent(&plan, &rows);
        assert_eq!(sent.files, 6);
        assert!(sent.all > 2 * (3 + 3 + 5) && sent.all < 2 * (3 + 3 + 5) + 6 * row, "{sent:?}");
        assert!(sent.most < sent.all / 2 && sent.most > sent.all / 4, "{sent:?}");
        fs::remove_file(chunks.join("000/chunk-000001/rows")).expect("removed");
        assert!(!is_laid(&chunks, &plan));
    }

    #[test]
    fn a_symbolic_link_leads_there_too() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir_all(folder.path().join("plan/deep")).expect("made");
        fs::write(folder.path().join("file"), "text").expect("written");
        let to = folder.path().join("plan/deep/link");
        // A folder can have no hard link, as a file of another file system.
        link(folder.path(), Path::new("../.."), &to).expect("linked");
        assert_eq!(fs::read_to_string(to.join("file")).expect("there"), "text");
        let none = folder.path().join("plan/deep/none");
        link(&folder.path().join("none"), Path::new("../none"), &none).expect("left out");
        assert!(none.symlink_metadata().is_err());
    }
}
