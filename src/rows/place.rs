//! The files of a space, where a program finds them.
//!
//! In a job, and in the folders that `split run` makes like a job's, a file has the relative place that the user's pattern
//! gave it. One that was named by its absolute path has a place below `files/`, in a folder with the number of its row, so
//! that equal names do not meet. On a shared file system all are where they are.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::chunk::around;
use crate::inputs::hash_file;
use crate::space::{Identity, Interval, MOST_SEARCHED, Parameters, RowBlock, Rows, Space, Word};

/// The folder of files that were named by absolute paths.
const FILES: &str = "files";

/// A file that a chunk needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkFile<'a> {
    /// Its name in the chunk's folder, whatever its own is: `file-0-17` for row 17 of the first listed axis.
    pub name: String,
    /// Its path, as the user's pattern gave it.
    pub path: &'a Path,
    /// Where it is in a job, relative to the folder that the program starts in.
    pub place: PathBuf,
    /// Its content when it was planned; `None` where the rows do not say.
    pub content: Option<Identity>,
}

/// Where a chunk's files come from.
#[derive(Clone, Copy, Debug)]
pub enum Origin<'a> {
    /// The chunk's folder, as it arrived: they are moved.
    Arrived(&'a Path),
    /// The chunk's folder in the plan's, and where they were planned, for those that are not in it: they are copied.
    Laid(&'a Path, &'a Path),
    /// Where they were planned, and there they stay.
    Shared(&'a Path),
}

/// Why a file is not at its place.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// It is not there, or cannot be moved or copied.
    #[error("{path} did not arrive: {source}")]
    Missing {
        /// As the user's pattern gave it.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is another one by now.
    #[error("{path} is not what it was when it was planned")]
    Changed {
        /// As the user's pattern gave it.
        path: String,
    },
    /// Something else is there.
    #[error("{path} cannot be put at its place, {}: {why}", place.display())]
    Taken {
        /// As the user's pattern gave it.
        path: String,
        /// Where it should be.
        place: PathBuf,
        /// Why not.
        why: &'static str,
    },
}

/// The files that `items` need, without those of items alone that `--where` leaves out. `rows` holds theirs, and may hold
/// more.
///
/// # Panics
/// Where `rows` does not hold them.
pub fn files_of<'a>(space: &'a Space, items: Interval, rows: &'a Rows) -> impl Iterator<Item = ChunkFile<'a>> {
    let parameters = match space {
        Space::Parameters(parameters) => Some(parameters),
        Space::Range(_) => None,
    };
    parameters.into_iter().flat_map(move |parameters| {
        let axes = parameters.listed().zip(&rows.blocks).enumerate().filter(|(_, (listed, _))| listed.files);
        axes.flat_map(move |(number, (_, block))| {
            needed(space, parameters, number, items, rows).map(move |row| {
                let path = Path::new(OsStr::from_bytes(block.field(row, 0).expect("a row that is here")));
                let content = block.field(row, 2).and_then(|content| std::str::from_utf8(content).ok()?.parse().ok());
                ChunkFile { name: format!("file-{number}-{row}"), path, place: place_of(path, row), content }
            })
        })
    })
}

/// The rows of the listed axis number `number` that `items` need, in their order.
///
/// In a space that is too large to be searched when it is planned these are those of all items: those that count are told from the
/// others in the job. Some of the items that are asked for need no other rows than all of them do.
pub(super) fn needed<'a>(
    space: &Space,
    parameters: &Parameters,
    number: usize,
    items: Interval,
    rows: &'a Rows,
) -> impl Iterator<Item = u64> + use<'a> {
    let (first, count) = parameters.rows_needed(number, items);
    let of = rows.blocks[number].place().1;
    let is_searched = parameters.condition().is_some() && parameters.count() <= MOST_SEARCHED;
    let counting = is_searched.then(|| {
        let mut counting = BTreeSet::new();
        for item in items.start()..items.stop() {
            let row = parameters.row_needed(number, item);
            // An item without a value is its job's to tell of.
            if !counting.contains(&row) && space.keeps(item, rows).unwrap_or(true) {
                counting.insert(row);
            }
        }
        counting
    });
    let all = (0..count).map(move |place| around(first, place, of));
    all.filter(move |row| counting.as_ref().is_none_or(|counting| counting.contains(row)))
}

/// Where the file of row number `row` is in a job, relative to the folder that the program starts in.
fn place_of(path: &Path, row: u64) -> PathBuf {
    if path.is_relative() {
        return path.to_owned();
    }
    let mut place = Path::new(FILES).join(row.to_string());
    place.extend(path.file_name());
    place
}

/// How many folders up the files of these rows go, at most: so deep a job's program has to start.
#[must_use]
pub fn up(space: &Space, rows: &Rows) -> usize {
    let files = space.listed().into_iter().zip(&rows.blocks).filter(|(listed, _)| listed.files);
    let rows = files.flat_map(|(_, block)| (0..block.len()).filter_map(|row| block.field(row, 0)));
    rows.map(|path| depth(Path::new(OsStr::from_bytes(path))).0).max().unwrap_or(0)
}

/// How many folders up a path goes, and how many names are below that, by its names alone.
fn depth(path: &Path) -> (usize, usize) {
    path.components().fold((0, 0), |(up, down), component| match component {
        Component::ParentDir if down == 0 => (up + 1, 0),
        Component::ParentDir => (up, down - 1),
        Component::Normal(_) => (up, down + 1),
        _ => (up, down),
    })
}

/// The rows with the values that a program is given: of files their places in a job, unless jobs see the user's own.
#[must_use]
pub fn as_given(space: &Space, rows: Rows, shared_filesystem: bool) -> Rows {
    let listed = space.listed();
    let blocks = rows.blocks.into_iter().enumerate().map(|(number, block)| {
        let is_placed = !shared_filesystem && listed.get(number).is_some_and(|listed| listed.files);
        let is_elsewhere = |row| block.field(row, 0).is_some_and(|path| path.starts_with(b"/"));
        let (first, of) = block.place();
        match is_placed && (0..block.len()).any(|number| is_elsewhere(around(first, number, of))) {
            true => placed(&block).given_for(block),
            false => block,
        }
    });
    Rows { blocks: blocks.collect() }
}

/// A block of files with their places.
fn placed(block: &RowBlock) -> RowBlock {
    let (first, of) = block.place();
    let mut placed = RowBlock::new(block.columns(), first, of);
    for number in 0..block.len() {
        let row = around(first, number, of);
        let field = |column| block.field(row, column).expect("a row that is here");
        let place = place_of(Path::new(OsStr::from_bytes(field(0))), row);
        let others = (1..block.columns()).map(field);
        placed.push(std::iter::once(place.as_os_str().as_bytes()).chain(others));
    }
    placed
}

/// Puts the files that `items` need at their places, or makes sure that they are there: each is what it was when it was
/// planned. `start_in` is the folder that the program starts in, below `tree`.
///
/// # Errors
/// Where one is not.
///
/// # Panics
/// Where `rows` does not hold the items' rows.
pub fn place_files(
    space: &Space,
    items: Interval,
    rows: &Rows,
    from: Origin<'_>,
    (tree, start_in): (&Path, &Path),
) -> Result<(), PlaceError> {
    let most_up = start_in.strip_prefix(tree).map_or(0, |below| below.components().count());
    files_of(space, items, rows).try_for_each(|file| file.put(from, start_in, most_up))
}

impl ChunkFile<'_> {
    /// Where it can be copied from: the chunk's folder `laid`, which keeps it as it was when it was planned where the file
    /// itself has been replaced, or else that file, relative to `base`.
    #[must_use]
    pub fn source(&self, laid: &Path, base: &Path) -> PathBuf {
        let laid = laid.join(&self.name);
        if laid.exists() { laid } else { base.join(self.path) }
    }

    fn put(&self, from: Origin<'_>, start_in: &Path, most_up: usize) -> Result<(), PlaceError> {
        let shown = || Word::from(self.path.as_os_str().to_owned()).quoted();
        let missing = |source| PlaceError::Missing { path: shown(), source };
        let check = |path: &Path| match hash_file(path) {
            Ok((content, _)) if self.content.is_none_or(|planned| planned == content) => Ok(()),
            Ok(_) => Err(PlaceError::Changed { path: shown() }),
            Err(source) => Err(missing(source)),
        };
        let to = start_in.join(&self.place);
        let taken = |why| PlaceError::Taken { path: shown(), place: self.place.clone(), why };
        let here = match from {
            Origin::Shared(base) => return check(&base.join(self.path)),
            Origin::Laid(folder, base) => self.source(folder, base),
            Origin::Arrived(folder) => folder.join(&self.name),
        };
        if depth(&self.place).0 > most_up {
            return Err(taken("it is outside of the job's folder"));
        }
        match to.symlink_metadata() {
            // An input, or another value of the same path.
            Ok(there) if there.is_file() => return check(&to),
            Ok(_) => return Err(taken("something else is there")),
            Err(_) => {}
        }
        if let Some(above) = to.parent() {
            fs::create_dir_all(above).map_err(missing)?;
        }
        match from {
            Origin::Arrived(_) => fs::rename(&here, &to).map_err(missing)?,
            Origin::Laid(..) | Origin::Shared(_) => drop(fs::copy(&here, &to).map_err(missing)?),
        }
        check(&to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::{Axis, Listed, Parameters};

    /// A space of files and its rows.
    fn files(files: &[(&[u8], &[u8])]) -> (Space, Rows) {
        let of = files.len() as u64;
        let mut block = RowBlock::new(3, 0, of);
        for (path, content) in files {
            let identity = Identity::of_bytes(content).to_string();
            block.push([*path, content.len().to_string().as_bytes(), identity.as_bytes()]);
        }
        let listed = Listed { names: vec!["file".to_owned()], rows: of, content: Identity::of_bytes(b""), files: true };
        let parameters = Parameters::new(vec![Axis::Listed(listed)], None).expect("a space");
        (Space::Parameters(parameters), Rows { blocks: vec![block] })
    }

    fn write(path: &Path, content: &[u8]) {
        fs::create_dir_all(path.parent().expect("below something")).expect("made");
        fs::write(path, content).expect("written");
    }

    #[test]
    fn files_get_their_relative_places_whatever_their_names() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let absolute = folder.path().join("far/same");
        let absolute = absolute.as_os_str().as_bytes();
        let named: [(&[u8], &[u8]); 6] = [
            (b"a b/same", b"1"),
            (b"c/same", b"2"),
            (b"new\nline,\"q\"", b"3"),
            (b"\xff\xfe", b"4"),
            (b"../up", b"5"),
            (absolute, b"6"),
        ];
        let (space, rows) = files(&named);
        assert_eq!(up(&space, &rows), 1);
        let arrived = folder.path().join("chunk");
        let tree = folder.path().join("job");
        let start_in = tree.join("deep");
        fs::create_dir_all(&start_in).expect("made");
        for (number, (_, content)) in named.iter().enumerate() {
            write(&arrived.join(format!("file-0-{number}")), content);
        }
        let place = || place_files(&space, space.whole(), &rows, Origin::Arrived(&arrived), (&tree, &start_in));
        place().expect("placed");
        // And once more, as a runner does that starts itself again.
        place().expect("all are there");
        let given = as_given(&space, rows.clone(), false);
        for (item, (path, content)) in named.iter().enumerate() {
            let value = space.row(item as u128, &given).expect("at hand").remove(0);
            let is_absolute = path.starts_with(b"/");
            assert_eq!(&*value, if is_absolute { b"files/5/same" } else { *path });
            assert_eq!(fs::read(start_in.join(OsStr::from_bytes(&value))).expect("there"), *content);
        }
        assert_eq!(as_given(&space, rows.clone(), true), rows);
    }

    #[test]
    fn copies_leave_the_users_files_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (base, tree, laid) = (folder.path().join("base"), folder.path().join("job"), folder.path().join("laid"));
        write(&base.join("a/x"), b"text");
        let (space, rows) = files(&[(b"a/x", b"text")]);
        let place = |from| place_files(&space, space.whole(), &rows, from, (&tree, &tree));
        place(Origin::Shared(&base)).expect("as it was planned");
        assert!(!tree.exists(), "nothing is copied where jobs see it");
        place(Origin::Laid(&laid, &base)).expect("copied");
        write(&tree.join("a/x"), b"changed by a program");
        assert_eq!(fs::read(base.join("a/x")).expect("there"), b"text");
        // What was laid out when it was planned is kept where the file is another one by now.
        write(&laid.join("file-0-0"), b"text");
        write(&base.join("a/x"), b"other");
        fs::remove_dir_all(&tree).expect("removed");
        place(Origin::Laid(&laid, &base)).expect("copied");
        assert_eq!(fs::read(tree.join("a/x")).expect("there"), b"text");
    }

    #[test]
    fn what_is_gone_changed_or_outside_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (base, tree, laid) = (folder.path().join("base"), folder.path().join("job"), folder.path().join("laid"));
        let place = |path: &str, from: Origin<'_>| {
            let (space, rows) = files(&[(path.as_bytes(), b"text")]);
            place_files(&space, space.whole(), &rows, from, (&tree, &tree)).map_err(|error| error.to_string())
        };
        write(&base.join("changed"), b"tex");
        write(&base.join("folder"), b"text");
        fs::create_dir_all(tree.join("folder")).expect("made");
        for from in [Origin::Laid(&laid, &base), Origin::Shared(&base)] {
            let gone = place("gone", from).expect_err("not there");
            assert!(gone.starts_with("gone did not arrive: "), "{gone}");
            assert_eq!(place("changed", from).expect_err("other"), "changed is not what it was when it was planned");
        }
        let taken = place("folder", Origin::Laid(&laid, &base)).expect_err("a folder");
        assert_eq!(taken, "folder cannot be put at its place, folder: something else is there");
        write(&folder.path().join("out"), b"text");
        let outside = place("../out", Origin::Laid(&laid, &base)).expect_err("outside");
        assert_eq!(outside, "../out cannot be put at its place, ../out: it is outside of the job's folder");
        assert!(place("file", Origin::Arrived(&base)).is_err());
    }
}
