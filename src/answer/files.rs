//! The files that programs wrote, in one folder or one zip archive.
//!
//! A file keeps its name, relative to the folder that its program started in, where no other has the same; otherwise each of
//! those gets its item into the name: `frame.png` becomes `frame-item017.png`. Names come from jobs and are not trusted:
//! what would lie outside is refused. In a folder names are the bytes that they are, and in an archive too.
//!
//! A folder is written under a temporary name and then put in its place. It holds a list of what was written, by which a folder
//! is known that may be replaced: with nothing in it that somebody else put there.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufReader, Cursor, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::Format;
use crate::plan::{FORMAT, Identity, Plan};
use crate::record::{EntryReader, FileHead, Found, Gathered, Kind, PayloadReader};
use crate::space::{Interval, Space};
use crate::store::{self, Draft, StoreError};

/// The list of what was written, in a folder of files.
const LIST: &str = ".split-files";
/// Of a file so many bytes are compressed to see whether that pays.
const SAMPLE: u64 = 1 << 18;

/// Why files cannot be put into one place.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A name that would lie elsewhere, or nowhere.
    #[error("the name of a collected file cannot be used: {name}: {why}")]
    Name {
        /// The items whose program left it.
        items: Interval,
        /// The name, in quotes.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A file of one item has the name of a folder of another.
    #[error("a collected file and a folder have the same name: {name}")]
    FileAndFolder {
        /// The items whose program left the file.
        items: Interval,
        /// The name, in quotes.
        name: String,
    },
    /// The folder that is to be replaced holds something else.
    #[error("{} is there already, and {what}", folder.display())]
    Foreign {
        /// The folder.
        folder: PathBuf,
        /// What is in it.
        what: String,
    },
    /// A partial cannot be read.
    #[error("cannot read {}", partial.display())]
    Read {
        /// The partial.
        partial: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilesWritten {
    /// How many there are.
    pub files: u64,
    /// How many got their item into the name.
    pub renamed: u64,
    /// The size of all of them.
    pub bytes: u64,
    /// Their names and contents.
    pub identity: Identity,
}

/// Puts the files of the results that count into the folder or the archive `path`. `tick` is called now and then with the number of
/// records written since.
///
/// # Errors
/// Where a name cannot be used, a folder is there that holds something else, or a file cannot be read or written; what is at
/// `path` stays then.
pub fn write_files(
    plan: &Plan,
    gathered: &Gathered,
    path: &Path,
    format: Format,
    tick: &(dyn Fn(u64) + Sync),
) -> Result<FilesWritten, FilesError> {
    let mut found: Vec<(Vec<u8>, Interval)> = Vec::new();
    for record in gathered.chosen() {
        each_file(gathered, record, &mut |items, head, content| {
            check(items, &head.name)?;
            found.push((head.name, items));
            // The names alone: the contents may be many times as long.
            let left = content.leave();
            left.map_err(|source| FilesError::Read { partial: gathered.path(record), source })
        })?;
    }
    let (names, renamed) = unique(&plan.space, &found);
    refuse_folders(&names, &found)?;
    drop(found);
    let mut hasher = blake3::Hasher::new();
    let mut names_left = names.iter();
    let mut bytes = 0;
    let mut write_all = |take: &mut Take<'_>| {
        for record in gathered.chosen() {
            each_file(gathered, record, &mut |_, head, content| {
                let name = names_left.next().ok_or_else(|| unlike(gathered, record))?;
                hasher.update(&(name.len() as u64).to_le_bytes());
                hasher.update(name);
                hasher.update(&head.bytes.to_le_bytes());
                bytes += head.bytes;
                take(name, head.bytes, &mut Hashing { content, hasher: &mut hasher })
            })?;
            tick(1);
        }
        Ok(())
    };
    match format {
        Format::Zip => write_zip(path, &mut write_all)?,
        _ => write_folder(path, plan, &names, &mut write_all)?,
    }
    Ok(FilesWritten { files: names.len() as u64, renamed, bytes, identity: Identity::of(&hasher) })
}

/// Takes a file: its name, its length in bytes, and its content.
type Take<'a> = dyn FnMut(&[u8], u64, &mut dyn Read) -> Result<(), FilesError> + 'a;

/// What writes files: it is handed each one's name, length and content.
type WriteAll<'a> = dyn FnMut(&mut Take<'_>) -> Result<(), FilesError> + 'a;

/// Reads, and hashes what it reads.
struct Hashing<'a> {
    content: &'a mut dyn Read,
    hasher: &'a mut blake3::Hasher,
}

impl Read for Hashing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.content.read(buffer)?;
        self.hasher.update(&buffer[..got]);
        Ok(got)
    }
}

/// A file's content, to be read from a record.
type Content<'a> = EntryReader<BufReader<PayloadReader<'a>>>;

/// Hands over the files of a record, each with the items that it belongs to.
fn each_file(
    gathered: &Gathered,
    found: &Found,
    take: &mut dyn FnMut(Interval, FileHead, &mut Content<'_>) -> Result<(), FilesError>,
) -> Result<(), FilesError> {
    let is_each = match found.record.header.kind {
        Kind::Each => true,
        Kind::Bundle => false,
        _ => return Ok(()),
    };
    let partial = gathered.path(found);
    let failed = |source| FilesError::Read { partial: partial.clone(), source };
    let mut reader = EntryReader::new(BufReader::new(found.record.payload.reader(&partial).map_err(failed)?));
    let all = found.record.header.items;
    let mut place = all.start();
    while reader.entry().map_err(failed)?.is_some() {
        let own = if is_each { Interval::new(place, place + 1) } else { Some(all) };
        place += 1;
        let own = own.and_then(|own| own.intersect(all)).ok_or_else(|| unlike(gathered, found))?;
        while let Some(head) = reader.file().map_err(failed)? {
            take(own, head, &mut reader)?;
        }
    }
    Ok(())
}

fn unlike(gathered: &Gathered, found: &Found) -> FilesError {
    let source = io::Error::new(io::ErrorKind::InvalidData, "its entries are not those of its items");
    FilesError::Read { partial: gathered.path(found), source }
}

/// Refuses names that lead elsewhere.
fn check(items: Interval, name: &[u8]) -> Result<(), FilesError> {
    let why = if name.is_empty() {
        "it is empty"
    } else if name.starts_with(b"/") {
        "it is absolute"
    } else if name.contains(&0) {
        "it holds a NUL byte"
    } else if name == LIST.as_bytes() {
        "split keeps its list under it"
    } else {
        match name.split(|&byte| byte == b'/').find(|part| matches!(part, [] | [b'.'] | [b'.', b'.'])) {
            None => return Ok(()),
            Some([b'.', b'.']) => "it leads out of its folder",
            Some(_) => "a part of it is empty or a dot",
        }
    };
    Err(FilesError::Name { items, name: shown(name), why })
}

fn shown(name: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(name))
}

/// The names under which files are put into one place, and how many are not their own.
fn unique(space: &Space, found: &[(Vec<u8>, Interval)]) -> (Vec<Vec<u8>>, u64) {
    let mut times: HashMap<&[u8], u32> = HashMap::new();
    for (name, _) in found {
        let times = times.entry(name).or_insert(0);
        *times = times.saturating_add(1);
    }
    let is_only = |name: &[u8]| times.get(name) == Some(&1);
    let mut taken: HashSet<Vec<u8>> =
        found.iter().map(|(name, _)| name).filter(|name| is_only(name)).cloned().collect();
    let mut renamed = 0;
    let names = found
        .iter()
        .map(|(name, items)| {
            if is_only(name) {
                return name.clone();
            }
            renamed += 1;
            let mut own = with_items(space, name, *items);
            while !taken.insert(own.clone()) {
                own.push(b'_');
            }
            own
        })
        .collect();
    (names, renamed)
}

/// The name with the items before its ending: `frame-item017.png`, `frame-items017-020.png`.
fn with_items(space: &Space, name: &[u8], items: Interval) -> Vec<u8> {
    let number = |item: u128| match space {
        Space::Range(range) => range.value(item).to_string(),
        Space::Parameters(_) => item.to_string(),
    };
    let whole = space.whole();
    let width = number(whole.start()).len().max(number(whole.last()).len());
    let label = match items.count() {
        1 => format!("-item{:0>width$}", number(items.start())),
        _ => format!("-items{:0>width$}-{:0>width$}", number(items.start()), number(items.last())),
    };
    let file = name.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    let dot = name[file..].iter().rposition(|&byte| byte == b'.').filter(|&dot| dot > 0);
    let end = dot.map_or(name.len(), |dot| file + dot);
    [&name[..end], label.as_bytes(), &name[end..]].concat()
}

/// Refuses a file that has the name of a folder that others are in.
fn refuse_folders(names: &[Vec<u8>], found: &[(Vec<u8>, Interval)]) -> Result<(), FilesError> {
    let folders = |name: &[u8]| -> Vec<usize> { memchr::memchr_iter(b'/', name).collect() };
    let in_folders: HashSet<&[u8]> =
        names.iter().flat_map(|name| folders(name).into_iter().map(|end| &name[..end])).collect();
    let clash = names.iter().zip(found).find(|(name, _)| in_folders.contains(&name[..]));
    clash.map_or(Ok(()), |(name, (_, items))| Err(FilesError::FileAndFolder { items: *items, name: shown(name) }))
}

fn write_folder(path: &Path, plan: &Plan, names: &[Vec<u8>], write_all: &mut WriteAll<'_>) -> Result<(), FilesError> {
    // Of a link, the folder that it leads to.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    refuse_foreign(&path)?;
    let beside = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    let folder = tempfile::Builder::new().prefix(".writing-").permissions(mode).tempdir_in(beside);
    let folder = folder.map_err(StoreError::on("write in", beside))?;
    write_all(&mut |name, bytes, content| {
        let place = folder.path().join(OsStr::from_bytes(name));
        if name.contains(&b'/')
            && let Some(parent) = place.parent()
        {
            store::make_folder(parent)?;
        }
        let mut write = || {
            let mut file = File::create_new(&place)?;
            if io::copy(content, &mut file)? == bytes { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
        };
        write().map_err(StoreError::on("write", &path.join(OsStr::from_bytes(name))))?;
        Ok(())
    })?;
    let mut list = Draft::new(&folder.path().join(LIST), 0o666)?;
    let mut write = || {
        writeln!(list, "{{\"format\":{FORMAT},\"plan\":\"{}\",\"files\":{}}}", plan.identity, names.len())?;
        names.iter().try_for_each(|name| {
            list.write_all(name)?;
            list.write_all(b"\0")
        })
    };
    write().map_err(StoreError::on("write", &path.join(LIST)))?;
    // The files can be made again from the partials.
    list.commit_unsynced()?;
    store::replace_folder(folder.path(), &path)?;
    // It has its name now, and is no temporary folder any more.
    let _ = folder.keep();
    Ok(())
}

/// Refuses to replace a folder that holds something that was not written here.
fn refuse_foreign(folder: &Path) -> Result<(), FilesError> {
    let foreign = |what: String| Err(FilesError::Foreign { folder: folder.to_owned(), what });
    match folder.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(StoreError::on("read", folder)(error).into()),
        Ok(found) if !found.is_dir() => return foreign("no folder".to_owned()),
        Ok(_) => {}
    }
    let list = match fs::read(folder.join(LIST)) {
        Ok(list) => list,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(StoreError::on("read", &folder.join(LIST))(error).into()),
    };
    let start = memchr::memchr(b'\n', &list).map_or(list.len(), |end| end + 1);
    let ours: HashSet<&[u8]> = list[start..].split(|&byte| byte == 0).chain([LIST.as_bytes()]).collect();
    for entry in walkdir::WalkDir::new(folder) {
        let entry = entry.map_err(|error| StoreError::on("read", folder)(error.into()))?;
        let below = entry.path().strip_prefix(folder).unwrap_or(entry.path()).as_os_str().as_bytes();
        if !entry.file_type().is_dir() && !ours.contains(below) {
            return foreign(format!("holds what split did not write: {}", shown(below)));
        }
    }
    Ok(())
}

fn write_zip(path: &Path, write_all: &mut WriteAll<'_>) -> Result<(), FilesError> {
    let mut archive = ZipWriter::new(Draft::new(path, 0o666)?);
    write_all(&mut |name, bytes, content| {
        let mut write = || {
            let mut start = Vec::new();
            content.take(SAMPLE).read_to_end(&mut start)?;
            // What is compressed already is not compressed again.
            let method = if shrinks(&start)? { CompressionMethod::Deflated } else { CompressionMethod::Stored };
            archive.start_file_with_options(entry_options(method, bytes).name(name))?;
            archive.write_all(&start)?;
            let written = start.len() as u64 + io::copy(content, &mut archive)?;
            if written == bytes { Ok(()) } else { Err(io::Error::from(io::ErrorKind::UnexpectedEof)) }
        };
        write().map_err(StoreError::on("write", path))?;
        Ok(())
    })?;
    archive.finish().map_err(io::Error::from).map_err(StoreError::on("write", path))?.commit()?;
    Ok(())
}

/// How an entry of `bytes` bytes is written: the same bytes give the same entry, whenever and by whomever it is made.
pub(super) fn entry_options(method: CompressionMethod, bytes: u64) -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(method)
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o644)
        // What does not shrink grows by a little.
        .large_file(bytes > u64::from(u32::MAX) - (1 << 24))
}

/// Whether compressing makes it a twentieth smaller.
fn shrinks(sample: &[u8]) -> io::Result<bool> {
    let mut trial = ZipWriter::new(Cursor::new(Vec::new()));
    trial.start_file("", entry_options(CompressionMethod::Deflated, 0))?;
    trial.write_all(sample)?;
    let smaller = trial.finish()?.into_inner().len();
    Ok(smaller < sample.len() - sample.len() / 20)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cut::Cut;
    use crate::plan::testing::plan;
    use crate::record::{self, Head, Header, gather, write_file_head, write_head};

    type Left<'a> = (&'a [u8], &'a [u8]);

    /// A plan over `total`, and a folder with one partial of kind each: what each item's program left.
    fn collected(total: &str, items: &[&[Left<'_>]]) -> (Plan, tempfile::TempDir) {
        let plan = plan(total, Cut::into_chunks(items.len() as u128, 1).expect("a cut"));
        let folder = tempfile::tempdir().expect("a folder");
        let mut payload = Vec::new();
        for files in items {
            write_head(&mut payload, Head::Result { bytes: 2, files: files.len() as u64 }).expect("in memory");
            payload.extend_from_slice(b"1\n");
            for (name, content) in *files {
                write_file_head(&mut payload, name, content.len() as u64).expect("in memory");
                payload.extend_from_slice(content);
            }
        }
        let mut crc = crc32fast::Hasher::new();
        crc.update(&payload);
        let header = Header {
            plan: plan.identity,
            code: plan.code,
            items: plan.space.whole(),
            kind: Kind::Each,
            seconds: 0.0,
            host: "here".into(),
            attempt: "0-00000000".into(),
        };
        let outputs = folder.path().join("outputs");
        fs::create_dir(&outputs).expect("made");
        let mut partial = File::create(outputs.join("chunk-000000.0-00000000.part")).expect("made");
        record::write(&mut partial, &header, &mut &payload[..], payload.len() as u64, &crc).expect("written");
        (plan, folder)
    }

    fn put(plan: &Plan, folder: &Path, name: &str, format: Format) -> Result<FilesWritten, FilesError> {
        let gathered = gather(&folder.join("outputs"), plan, &|_| {}).expect("read");
        assert!(gathered.tiling.gaps.is_empty());
        write_files(plan, &gathered, &folder.join(name), format, &|_| {})
    }

    /// The files below a folder but for the list, with their contents.
    fn below(folder: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut files: Vec<_> = walkdir::WalkDir::new(folder)
            .into_iter()
            .map(|entry| entry.expect("listed"))
            .filter(|entry| entry.file_type().is_file() && entry.file_name() != LIST)
            .map(|entry| {
                let name = entry.path().strip_prefix(folder).expect("below").as_os_str().as_bytes().to_vec();
                (name, fs::read(entry.path()).expect("read"))
            })
            .collect();
        files.sort();
        files
    }

    fn zipped(path: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut archive = zip::ZipArchive::new(File::open(path).expect("there")).expect("an archive");
        let mut files: Vec<_> = (0..archive.len())
            .map(|place| {
                let mut entry = archive.by_index(place).expect("an entry");
                let mut content = Vec::new();
                entry.read_to_end(&mut content).expect("read");
                (entry.name_raw().to_vec(), content)
            })
            .collect();
        files.sort();
        files
    }

    fn owned(files: &[Left<'_>]) -> Vec<(Vec<u8>, Vec<u8>)> {
        files.iter().map(|(name, content)| (name.to_vec(), content.to_vec())).collect()
    }

    #[test]
    fn names_that_are_left_twice_carry_their_item() {
        let (plan, folder) = collected(
            "8..=10",
            &[
                &[(b"frame.png", b"eight"), (b"own-8.txt", b"a")],
                &[(b"frame.png", b"nine"), (b"logs/run.1/.x", b"b"), (b"\xff \n'", b"c")],
                &[(b"frame.png", b"ten"), (b"logs/run.1/.x", b"d"), (b"frame-item09.png", b"own")],
            ],
        );
        let expected = owned(&[
            (b"frame-item08.png", b"eight"),
            (b"frame-item09.png", b"own"),
            (b"frame-item09.png_", b"nine"),
            (b"frame-item10.png", b"ten"),
            (b"logs/run.1/.x-item09", b"b"),
            (b"logs/run.1/.x-item10", b"d"),
            (b"own-8.txt", b"a"),
            (b"\xff \n'", b"c"),
        ]);
        let written = put(&plan, folder.path(), "all", Format::Folder).expect("written");
        assert_eq!((written.files, written.renamed, written.bytes), (8, 5, 19));
        assert_eq!(below(&folder.path().join("all")), expected);
        let other = put(&plan, folder.path(), "all.zip", Format::Zip).expect("written");
        assert_eq!(other, written);
        assert_eq!(zipped(&folder.path().join("all.zip")), expected);
        // The same bytes, whenever it is made.
        put(&plan, folder.path(), "again.zip", Format::Zip).expect("written");
        let read = |name: &str| fs::read(folder.path().join(name)).expect("there");
        assert!(read("all.zip") == read("again.zip"));
    }

    #[test]
    fn what_shrinks_is_compressed_and_what_does_not_is_stored() {
        let zeros = vec![0; 3 << 18];
        let mut noise = vec![0; 1 << 19];
        blake3::Hasher::new().finalize_xof().fill(&mut noise);
        let (plan, folder) = collected("0..1", &[&[(b"zeros", &zeros), (b"noise", &noise), (b"empty", b"")]]);
        put(&plan, folder.path(), "x.zip", Format::Zip).expect("written");
        let path = folder.path().join("x.zip");
        assert_eq!(zipped(&path), owned(&[(b"empty", b""), (b"noise", &noise), (b"zeros", &zeros)]));
        let mut archive = zip::ZipArchive::new(File::open(&path).expect("there")).expect("an archive");
        let method = |archive: &mut zip::ZipArchive<File>, name| archive.by_name(name).expect("there").compression();
        assert_eq!(method(&mut archive, "zeros"), CompressionMethod::Deflated);
        assert_eq!(method(&mut archive, "noise"), CompressionMethod::Stored);
    }

    #[test]
    fn names_that_lead_elsewhere_write_nothing() {
        let long = b"../escaped";
        for name in [&long[..], b"/etc/x", b"a/../../x", b"", b"a//b", b"./a", b"a/", b"a\0b", LIST.as_bytes()] {
            let (plan, folder) = collected("0..2", &[&[(b"fine", b"x")], &[(name, b"x")]]);
            for (target, format) in [("all", Format::Folder), ("all.zip", Format::Zip)] {
                let error = put(&plan, folder.path(), target, format).expect_err("refused");
                assert!(matches!(&error, FilesError::Name { items, .. } if items.start() == 1), "{error}");
            }
            assert_eq!(folder.path().read_dir().expect("listed").count(), 1, "{name:?}");
        }
        let (plan, folder) = collected("0..2", &[&[(b"a", b"x")], &[(b"a/b", b"x")]]);
        let error = put(&plan, folder.path(), "all", Format::Folder).expect_err("refused");
        assert_eq!(error.to_string(), "a collected file and a folder have the same name: \"a\"");
    }

    #[test]
    fn a_folder_is_replaced_where_nothing_in_it_is_anybody_elses() {
        let (plan, folder) = collected("0..2", &[&[(b"a/x", b"1")], &[(b"b", b"2")]]);
        let all = folder.path().join("all");
        fs::create_dir(&all).expect("made");
        put(&plan, folder.path(), "all", Format::Folder).expect("an empty folder is nobody's");
        let (other, other_folder) = collected("0..1", &[&[(b"c", b"3")]]);
        fs::rename(&all, other_folder.path().join("all")).expect("moved");
        let all = other_folder.path().join("all");
        put(&other, other_folder.path(), "all", Format::Folder).expect("replaced");
        assert_eq!(below(&all), owned(&[(b"c", b"3")]));
        fs::create_dir(all.join("deeper")).expect("made");
        fs::write(all.join("deeper/notes"), "mine").expect("written");
        let error = put(&other, other_folder.path(), "all", Format::Folder).expect_err("somebody's");
        assert!(
            error.to_string().ends_with("all is there already, and holds what split did not write: \"deeper/notes\"")
        );
        assert_eq!(fs::read(all.join("deeper/notes")).expect("there"), b"mine");
        assert_eq!(other_folder.path().read_dir().expect("listed").count(), 2, "nothing is left over");
    }
}
