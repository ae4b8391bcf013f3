//! The partials of a plan in one zip archive, and back: file systems of campuses suffer from many small files.
//!
//! An archive is whole before it has its name, and has been read back and compared byte for byte before anything is deleted. What
//! is deleted is what it holds, and nothing else; a note stays in its place.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use zip::write::PreparedZipFile;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::files::entry_options;
use crate::plan::Shards;
use crate::record::{self, Listing, is_partial, merged_group};
use crate::rows::is_kept;
use crate::store::{self, Draft, StoreError};

/// The plan's document, in an archive as in the folder of the partials.
const PLAN: &str = "plan.json";
/// Files up to this size are compressed side by side.
const SMALL: u64 = 1 << 20;
/// So many of them at a time.
const BATCH: usize = 256;
/// Unpacked partials are put one behind the other into files of about this size.
const PIECE: u64 = 1 << 26;

/// Why partials cannot be packed or unpacked.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// No zip archive, or a damaged one.
    #[error("cannot read {}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An archive of something else.
    #[error("{} holds no {PLAN}: it is no archive of partials", .0.display())]
    NoPlan(PathBuf),
    /// The archive does not hold what is in the folder.
    #[error("{} does not hold {} as it is", archive.display(), path.display())]
    Differs {
        /// The archive.
        archive: PathBuf,
        /// The file that it was made of.
        path: PathBuf,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What was packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed {
    /// How many partials.
    pub partials: u64,
    /// The size of all files together.
    pub bytes: u64,
    /// The size of the archive.
    pub archive_bytes: u64,
}

/// Whether this is a zip archive, by how it starts.
#[must_use]
pub fn is_archive(path: &Path) -> bool {
    let mut start = [0; 4];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    // An entry, or the end of an archive without one.
    read.is_ok() && (start == *b"PK\x03\x04" || start == *b"PK\x05\x06")
}

/// Packs the partials in the folder `outputs`, and what explains them, into the archive `file`, and compares. Deletes nothing.
///
/// # Errors
/// Where a file cannot be read or written, or the archive does not hold what it was made of; there is none then.
pub fn pack(outputs: &Path, file: &Path) -> Result<Packed, ArchiveError> {
    let names = listed(outputs)?;
    let write = || StoreError::on("write", file);
    let mut archive = ZipWriter::new(Draft::new(file, 0o666)?);
    archive.set_raw_comment(way(file, outputs)?).map_err(io::Error::from).map_err(write())?;
    let mut bytes = 0;
    let mut rest = &names[..];
    while !rest.is_empty() {
        let batch = &rest[..rest.len().min(BATCH)];
        rest = &rest[batch.len()..];
        let prepared: Vec<io::Result<Option<PreparedZipFile>>> =
            batch.par_iter().map(|name| prepare(outputs, name)).collect();
        for (name, prepared) in batch.iter().zip(prepared) {
            let path = outputs.join(name);
            match prepared.map_err(StoreError::on("read", &path))? {
                Some(prepared) => {
                    bytes += prepared.uncompressed_size();
                    archive.add_prepared_file(prepared).map_err(io::Error::from).map_err(write())?;
                }
                None => {
                    let mut content = File::open(&path).map_err(StoreError::on("read", &path))?;
                    let length = content.metadata().map_err(StoreError::on("read", &path))?.len();
                    let options = entry_options(CompressionMethod::Deflated, length).name(name.as_os_str().as_bytes());
                    archive.start_file_with_options(options).map_err(io::Error::from).map_err(write())?;
                    bytes += io::copy(&mut content, &mut archive).map_err(write())?;
                }
            }
        }
    }
    let mut draft = archive.finish().map_err(io::Error::from).map_err(write())?;
    let mut written = draft.written()?;
    let archive_bytes = written.metadata().map_err(StoreError::on("read", file))?.len();
    compare(&mut written, file, outputs, &names)?;
    draft.commit()?;
    let partials = names.iter().filter(|name| is_partial(base(name.as_os_str().as_bytes()))).count() as u64;
    Ok(Packed { partials, bytes, archive_bytes })
}

/// Whether the archive `file` holds all that is in the folder `outputs` as it is, the plan and some partials: then it was made of
/// it, by one that ended before it could say so.
///
/// # Errors
/// Where a file of the folder cannot be read.
pub fn is_packed(outputs: &Path, file: &Path) -> Result<bool, ArchiveError> {
    let names = listed(outputs)?;
    let has = |what: &dyn Fn(&[u8]) -> bool| names.iter().any(|name| what(base(name.as_os_str().as_bytes())));
    if !is_archive(file) || !has(&|name| name == PLAN.as_bytes()) || !has(&|name| is_partial(name)) {
        return Ok(false);
    }
    match compare(&mut File::open(file).map_err(StoreError::on("read", file))?, file, outputs, &names) {
        Ok(()) => Ok(true),
        Err(ArchiveError::Differs { .. } | ArchiveError::Damaged { .. } | ArchiveError::NoPlan(_)) => Ok(false),
        Err(error @ ArchiveError::Store(_)) => Err(error),
    }
}

/// Deletes from the folder `outputs` what the archive `file` holds, but for the plan, and what was merged on the way of it, and
/// leaves the note `note` that says so.
/// What was deleted before counts as done.
///
/// # Errors
/// Where a file that is there is not in the archive as it is, of which nothing is deleted then; or a file cannot be written or deleted.
pub fn remove_packed(outputs: &Path, file: &Path, note: &Path) -> Result<(), ArchiveError> {
    let names = listed(outputs)?;
    compare(&mut File::open(file).map_err(StoreError::on("read", file))?, file, outputs, &names)?;
    let below = |path: &Path| path.canonicalize().map_err(StoreError::on("read", path));
    let way = pathdiff::diff_paths(below(file)?, below(outputs)?).unwrap_or_else(|| file.to_owned());
    let mut text = way.into_os_string().into_encoded_bytes();
    text.extend_from_slice(
        b"\n\nThe partials that were here are in this archive: its path is from this folder. `split reduce` takes the\n\
          archive as it takes this folder. To compute more here, unpack it into this folder and delete this file.\n",
    );
    store::write(note, &text)?;
    let packed = names.iter().filter(|name| name.as_os_str() != PLAN).map(|name| outputs.join(name));
    for path in packed.chain(merged_on_the_way(outputs)?) {
        fs::remove_file(&path).map_err(StoreError::on("delete", &path))?;
    }
    let mut folders: Vec<_> =
        names.iter().filter_map(|name| name.parent()).filter(|name| *name != Path::new("")).collect();
    folders.dedup();
    for folder in folders {
        // One that holds something else stays.
        let _ = fs::remove_dir(outputs.join(folder));
    }
    Ok(())
}

/// The archive that a note tells of.
#[must_use]
pub fn noted(note: &Path) -> Option<PathBuf> {
    let text = fs::read(note).ok()?;
    let line = &text[..memchr::memchr(b'\n', &text)?];
    Some(note.parent()?.join(std::ffi::OsStr::from_bytes(line)))
}

/// The folder that the partials in an archive were in: its comment is the way there from where the archive is. Whether it is
/// there, and still the same, is another question.
#[must_use]
pub fn packed_from(file: &Path) -> Option<PathBuf> {
    let archive = open(File::open(file).ok()?, file).ok()?;
    let comment = archive.comment();
    (!comment.is_empty()).then(|| beside(file).join(std::ffi::OsStr::from_bytes(comment)))
}

/// Unpacks an archive of partials into a temporary folder beside it, which is as one that holds partials and their plan. Partials
/// are put one behind the other: there are few files, however many the archive has.
///
/// # Errors
/// Where it is no such archive, or the folder cannot be written to.
pub fn unpack(file: &Path) -> Result<tempfile::TempDir, ArchiveError> {
    let beside = beside(file);
    let mut archive = open(File::open(file).map_err(StoreError::on("read", file))?, file)?;
    if archive.index_for_name(PLAN).is_none() {
        return Err(ArchiveError::NoPlan(file.to_owned()));
    }
    let folder = tempfile::Builder::new().prefix(".reading-").tempdir_in(beside);
    let folder = folder.map_err(StoreError::on("write in", beside))?;
    let mut pieces = Pieces { folder: folder.path(), number: 0, open: None };
    for place in 0..archive.len() {
        let damaged = |source: io::Error| ArchiveError::Damaged { path: file.to_owned(), source };
        let mut entry = archive.by_index(place).map_err(io::Error::from).map_err(damaged)?;
        let name = base(entry.name_raw()).to_vec();
        if is_partial(&name) {
            let is_whole = pieces.add(&mut entry).map_err(damaged)?;
            drop(entry);
            if !is_whole {
                // It was so when it was packed, and is told of under its name.
                let mut again = archive.by_index(place).map_err(io::Error::from).map_err(damaged)?;
                copy(&mut again, &folder.path().join(std::ffi::OsStr::from_bytes(&name))).map_err(damaged)?;
            }
        } else if name == PLAN.as_bytes() || is_kept(&name) {
            copy(&mut entry, &folder.path().join(std::ffi::OsStr::from_bytes(&name))).map_err(damaged)?;
        }
    }
    Ok(folder)
}

/// The way from an archive to a folder, for its comment; none where it is too long for one.
fn way(file: &Path, outputs: &Path) -> Result<Box<[u8]>, StoreError> {
    let real = |path: &Path| path.canonicalize().map_err(StoreError::on("read", path));
    let way = pathdiff::diff_paths(real(outputs)?, real(beside(file))?).unwrap_or_default();
    let way = way.into_os_string().into_encoded_bytes();
    Ok(if way.len() > usize::from(u16::MAX) { Box::default() } else { way.into_boxed_slice() })
}

/// The folder that a file is in.
fn beside(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The partials, the rows and the plan in a folder, by their paths from there, in order. Records of what was merged on the way
/// are none of them: they are made of the partials.
fn listed(outputs: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut names = Vec::new();
    let holds_partials = |entry: &walkdir::DirEntry| {
        entry.depth() != 1 || !entry.file_type().is_dir() || Shards::group_of(entry.file_name().as_bytes()).is_some()
    };
    for entry in walkdir::WalkDir::new(outputs).min_depth(1).max_depth(2).into_iter().filter_entry(holds_partials) {
        let entry = entry.map_err(|error| StoreError::on("read", outputs)(error.into()))?;
        let name = entry.file_name().as_bytes();
        let is_ours = is_partial(name) && merged_group(name).is_none()
            || entry.depth() == 1 && (is_kept(name) || name == PLAN.as_bytes());
        if is_ours && entry.file_type().is_file() {
            names.push(entry.path().strip_prefix(outputs).unwrap_or(entry.path()).to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// The records of what was merged on the way.
fn merged_on_the_way(outputs: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let names = Listing::read(outputs).map_err(StoreError::on("read", outputs))?.partials;
    let merged = names.into_iter().filter(|name| merged_group(name.as_encoded_bytes()).is_some());
    Ok(merged.map(|name| outputs.join(name)).collect())
}

/// A small file, compressed; nothing for a large one, or one whose name is no text.
fn prepare(outputs: &Path, name: &Path) -> io::Result<Option<PreparedZipFile>> {
    let mut content = Vec::new();
    let Some(text) = name.to_str() else { return Ok(None) };
    File::open(outputs.join(name))?.take(SMALL + 1).read_to_end(&mut content)?;
    if content.len() as u64 > SMALL {
        return Ok(None);
    }
    let options = entry_options(CompressionMethod::Deflated, content.len() as u64);
    Ok(Some(PreparedZipFile::from_data(text, options, &content)?))
}

fn open<R: Read + Seek>(input: R, file: &Path) -> Result<ZipArchive<R>, ArchiveError> {
    ZipArchive::new(input).map_err(|error| ArchiveError::Damaged { path: file.to_owned(), source: error.into() })
}

/// Checks that the archive `file`, which is read from `input`, holds each of these files as it is in the folder `outputs`.
fn compare(input: &mut File, file: &Path, outputs: &Path, names: &[PathBuf]) -> Result<(), ArchiveError> {
    let mut archive = open(BufReader::new(input), file)?;
    for name in names {
        let path = outputs.join(name);
        let differs = || ArchiveError::Differs { archive: file.to_owned(), path: path.clone() };
        let place = archive.index_for_name_raw(name.as_os_str().as_bytes()).ok_or_else(differs)?;
        let damaged = |source: io::Error| ArchiveError::Damaged { path: file.to_owned(), source };
        let packed = archive.by_index(place).map_err(io::Error::from).map_err(damaged)?;
        let there = File::open(&path).map_err(StoreError::on("read", &path))?;
        if !is_same(packed, there).map_err(damaged)? {
            return Err(differs());
        }
    }
    Ok(())
}

/// Whether both give the same bytes.
fn is_same(mut left: impl Read, mut right: impl Read) -> io::Result<bool> {
    let (mut some, mut other) = (Vec::new(), Vec::new());
    loop {
        some.clear();
        other.clear();
        (&mut left).take(SMALL).read_to_end(&mut some)?;
        (&mut right).take(SMALL).read_to_end(&mut other)?;
        if some != other {
            return Ok(false);
        }
        if some.is_empty() {
            return Ok(true);
        }
    }
}

fn copy(from: &mut impl Read, to: &Path) -> io::Result<()> {
    io::copy(from, &mut File::create(to)?).map(drop)
}

/// The last part of a path.
fn base(path: &[u8]) -> &[u8] {
    &path[memchr::memrchr(b'/', path).map_or(0, |slash| slash + 1)..]
}

/// Files that hold many partials each: a partial is records one behind the other, and so are several.
struct Pieces<'a> {
    folder: &'a Path,
    number: u32,
    open: Option<File>,
}

impl Pieces<'_> {
    /// Adds a partial; gives whether it is whole. One that is not is left out: what follows it could not be read.
    fn add(&mut self, partial: &mut impl Read) -> io::Result<bool> {
        let mut file = match self.open.take() {
            Some(file) => file,
            None => {
                self.number += 1;
                File::create(self.folder.join(format!("partials-{:06}.part", self.number)))?
            }
        };
        let start = file.stream_position()?;
        let mut tee = Tee { from: partial, to: &mut file };
        let is_whole = record::read(&mut tee, &mut Vec::new())?.damage.is_none();
        if !is_whole {
            file.set_len(start)?;
            file.seek(io::SeekFrom::Start(start))?;
        }
        if file.stream_position()? < PIECE {
            self.open = Some(file);
        }
        Ok(is_whole)
    }
}

/// Reads, and writes down what it reads. Gives less than it is asked for at the end alone.
struct Tee<'a, R> {
    from: &'a mut R,
    to: &'a mut File,
}

impl<R: Read> Read for Tee<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.from.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(got) => filled += got,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.to.write_all(&buffer[..filled])?;
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cut::Cut;
    use crate::plan::testing::plan;
    use crate::record::{Header, Kind, gather};
    use crate::space::Interval;

    /// The bytes of a partial with a record of one item.
    fn partial(item: u128, payload: &[u8]) -> Vec<u8> {
        let plan = plan("0..5", Cut::into_chunks(5, 5).expect("a cut"));
        let mut crc = crc32fast::Hasher::new();
        crc.update(payload);
        let header = Header {
            plan: plan.identity,
            code: plan.code,
            items: Interval::new(item, item + 1).expect("not empty"),
            kind: Kind::Whole,
            seconds: 0.0,
            host: "here".into(),
            attempt: "0-00000000".into(),
        };
        let mut bytes = Vec::new();
        record::write(&mut bytes, &header, &mut &payload[..], payload.len() as u64, &crc).expect("in memory");
        bytes
    }

    /// A folder of partials: small, large, in a folder of its own, cut short; and what is none.
    fn outputs(folder: &Path) -> PathBuf {
        let outputs = folder.join("outputs");
        fs::create_dir_all(outputs.join("000001")).expect("made");
        let write = |name: &str, bytes: &[u8]| fs::write(outputs.join(name), bytes).expect("written");
        write("plan.json", b"{}\n");
        write("rows-0.csv", b"a\n1\n");
        write("chunk-000000.0-00000000.part", &partial(0, b"zero\n"));
        write("chunk-000001.0-00000000.part", &partial(1, &b"one\n".repeat(1 << 19)));
        write("chunk-000002.0-00000000.part", &partial(2, b"two\n")[..50]);
        write("000001/chunk-000003.0-00000000.part", &partial(3, b"three\n"));
        write("chunk-000004.0-00000000.part", &partial(4, b"four\n"));
        write("merged-000001.0-00000000.part", &partial(3, b"three\n"));
        write("notes.txt", b"mine");
        fs::create_dir(outputs.join("others")).expect("made");
        write("others/chunk-000003.0-00000000.part", b"mine");
        outputs
    }

    fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<_> = walkdir::WalkDir::new(folder)
            .into_iter()
            .map(|entry| entry.expect("listed"))
            .filter(|entry| entry.file_type().is_file())
            .map(|entry| {
                let name = entry.path().strip_prefix(folder).expect("below").to_string_lossy().into_owned();
                (name, fs::read(entry.path()).expect("read"))
            })
            .collect();
        files.sort();
        files
    }

    #[test]
    fn what_is_packed_is_deleted_and_comes_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let outputs = outputs(folder.path());
        let (file, note) = (folder.path().join("x.zip"), outputs.join("archived.txt"));
        let before = files(&outputs);
        let packed = pack(&outputs, &file).expect("packed");
        let others = |name: &str| name == "notes.txt" || name.starts_with("others/") || name.starts_with("merged-");
        let ours: u64 = before.iter().filter(|(name, _)| !others(name)).map(|(_, bytes)| bytes.len() as u64).sum();
        assert_eq!((packed.partials, packed.bytes), (5, ours));
        assert!(packed.archive_bytes < packed.bytes / 4, "{packed:?}");
        assert!(files(&outputs) == before, "packing deletes nothing");
        let from = packed_from(&file).and_then(|from| from.canonicalize().ok());
        assert_eq!(from, outputs.canonicalize().ok());
        remove_packed(&outputs, &file, &note).expect("deleted");
        let names: Vec<_> = files(&outputs).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["archived.txt", "notes.txt", "others/chunk-000003.0-00000000.part", "plan.json"]);
        assert!(!outputs.join("000001").exists());
        assert_eq!(noted(&note).map(|noted| noted.canonicalize().ok()), Some(file.canonicalize().ok()));
        // Once more changes nothing: a process that was killed in between is followed by another.
        remove_packed(&outputs, &file, &note).expect("done already");

        let unpacked = unpack(&file).expect("unpacked");
        let plan = plan("0..5", Cut::into_chunks(5, 5).expect("a cut"));
        let gathered = gather(unpacked.path(), &plan, &|_| {}).expect("read");
        assert_eq!(gathered.tiling.gaps, [Interval::new(2, 3).expect("one item")]);
        let damaged: Vec<_> = gathered.damaged.iter().map(|(path, _)| path.file_name().expect("a name")).collect();
        assert_eq!(damaged, ["chunk-000002.0-00000000.part"]);
        let mut texts = Vec::new();
        for found in gathered.chosen() {
            let path = gathered.path(found);
            found.record.payload.reader(&path).expect("there").read_to_end(&mut texts).expect("read");
        }
        assert!(texts == [&b"zero\n"[..], &b"one\n".repeat(1 << 19), b"three\n", b"four\n"].concat());
        assert_eq!(files(unpacked.path()).len(), 4, "few files, however many partials");
        let place = unpacked.path().to_owned();
        drop(unpacked);
        assert!(!place.exists());

        // unzip does the same.
        let mut archive = ZipArchive::new(File::open(&file).expect("there")).expect("an archive");
        archive.extract(folder.path().join("again")).expect("unpacked");
        let packed: Vec<_> = before.into_iter().filter(|(name, _)| !others(name)).collect();
        assert!(files(&folder.path().join("again")) == packed);
    }

    #[test]
    fn what_is_not_in_the_archive_is_not_deleted() {
        let folder = tempfile::tempdir().expect("a folder");
        let outputs = outputs(folder.path());
        let (file, note) = (folder.path().join("x.zip"), outputs.join("archived.txt"));
        pack(&outputs, &file).expect("packed");
        let late = outputs.join("chunk-000002.1-00000001.part");
        fs::write(&late, partial(2, b"two\n")).expect("written");
        let before = files(&outputs);
        let error = remove_packed(&outputs, &file, &note).expect_err("not packed");
        assert!(matches!(&error, ArchiveError::Differs { path, .. } if *path == late), "{error}");
        fs::write(&late, b"").and_then(|()| fs::remove_file(&late)).expect("deleted");
        let changed = outputs.join("chunk-000004.0-00000000.part");
        fs::write(&changed, partial(4, b"five\n")).expect("written");
        let error = remove_packed(&outputs, &file, &note).expect_err("changed");
        assert!(matches!(&error, ArchiveError::Differs { path, .. } if *path == changed), "{error}");
        assert_eq!(files(&outputs).len(), before.len() - 1);
        // An archive that was damaged since is found to be.
        fs::write(&changed, partial(4, b"four\n")).expect("written");
        let mut bytes = fs::read(&file).expect("read");
        let middle = bytes.len() / 2;
        for byte in &mut bytes[middle - 200..middle] {
            *byte ^= 0x55;
        }
        fs::write(&file, bytes).expect("written");
        remove_packed(&outputs, &file, &note).expect_err("damaged");
        assert_eq!(files(&outputs).len(), before.len() - 1);
    }

    #[test]
    fn what_is_no_archive_of_partials_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("x.zip");
        fs::write(&file, "no archive").expect("written");
        assert!(matches!(unpack(&file), Err(ArchiveError::Damaged { .. })));
        let mut other = ZipWriter::new(File::create(&file).expect("made"));
        other.start_file("../plan.txt", entry_options(CompressionMethod::Stored, 0)).expect("started");
        other.finish().expect("written");
        assert!(matches!(unpack(&file), Err(ArchiveError::NoPlan(_))));
        assert_eq!(folder.path().read_dir().expect("listed").count(), 1);
    }
}
