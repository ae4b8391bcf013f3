//! The file that HTCondor carries: all checkpoints of a job in one, as it brings back new files alone.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use super::listing::{Manifest, are_listed, copy, list};
use crate::store::{self, Draft, StoreError};

/// Packs the folder with checkpoints into one file, as HTCondor brings back new files alone.
///
/// # Errors
/// Where it cannot be read, or the file not be written.
#[doc(hidden)]
pub fn pack(folder: &Path, file: &Path) -> Result<(), StoreError> {
    let files = match folder.is_dir() {
        true => list(folder).map_err(StoreError::on("read", folder))?,
        false => Vec::new(),
    };
    let header = serde_json::to_vec(&Manifest { format: 1, key: String::new(), files }).expect("plain values");
    let manifest: Manifest = serde_json::from_slice(&header).expect("just written");
    let mut draft = Draft::new(file, 0o666)?;
    let mut write = || -> io::Result<()> {
        draft.write_all(first_line(crc32fast::hash(&header), header.len()).as_bytes())?;
        draft.write_all(&header)?;
        for file in &manifest.files {
            let read = File::open(folder.join(file.path.as_os_str()))?;
            io::copy(&mut read.take(file.bytes), &mut draft)?;
        }
        Ok(())
    };
    write().map_err(StoreError::on("write", file))?;
    draft.commit_unsynced()
}

/// Unpacks what [`pack`] wrote. A file that is damaged does not count, and that is said.
///
/// # Errors
/// Where the folder cannot be written.
pub(in crate::runner) fn unpack(file: &Path, folder: &Path) -> Result<(), StoreError> {
    let Ok(mut packed) = File::open(file) else { return Ok(()) };
    let unpacked = folder.with_extension("unpacking");
    store::remove_folder(&unpacked)?;
    store::make_folder(&unpacked)?;
    match unpack_from(&mut packed, &unpacked) {
        Ok(()) => fs::rename(&unpacked, folder).map_err(StoreError::on("rename", &unpacked)),
        Err(wrong) if wrong.kind() == io::ErrorKind::InvalidData || wrong.kind() == io::ErrorKind::UnexpectedEof => {
            let _ = writeln!(io::stderr(), "{}: {wrong}; starting from the beginning", file.display());
            store::remove_folder(&unpacked)
        }
        Err(error) => Err(StoreError::on("unpack", file)(error)),
    }
}

/// Unpacks what [`pack`] wrote into an empty folder.
///
/// # Errors
/// `InvalidData` and `UnexpectedEof` where it is damaged, of which some may have been unpacked; what the system says.
#[doc(hidden)]
pub fn unpack_from(packed: &mut impl Read, folder: &Path) -> io::Result<()> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut line = [0; 31];
    packed.read_exact(&mut line)?;
    let text = std::str::from_utf8(&line).ok();
    let words = text.and_then(|text| text.strip_prefix("SPLITKEPT1 ")?.strip_suffix('\n')?.split_once(' '));
    let numbers = words
        .and_then(|(checksum, length)| Some((u32::from_str_radix(checksum, 16).ok()?, length.parse::<usize>().ok()?)));
    // Spelled in no other way: a flipped bit makes a small letter a capital.
    let numbers = numbers.filter(|(checksum, length)| text == Some(&first_line(*checksum, *length)));
    let (checksum, length) = numbers.ok_or_else(|| wrong("damaged (first line)"))?;
    let mut header = Vec::new();
    packed.by_ref().take(length as u64).read_to_end(&mut header)?;
    if header.len() != length || crc32fast::hash(&header) != checksum {
        return Err(wrong("damaged (header)"));
    }
    let manifest: Manifest = serde_json::from_slice(&header).map_err(|_| wrong("damaged (header)"))?;
    if manifest.format != 1 {
        return Err(wrong("of another format"));
    }
    if !are_listed(&manifest.files) {
        return Err(wrong("damaged (paths)"));
    }
    for listed in &manifest.files {
        let path = folder.join(listed.path.as_os_str());
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        let mut out = File::create_new(&path)?;
        if copy(&mut packed.by_ref().take(listed.bytes), &mut out)? != (listed.bytes, listed.checksum) {
            return Err(wrong("damaged (checksum)"));
        }
    }
    if packed.read(&mut [0])? != 0 {
        return Err(wrong("damaged (longer than what it holds)"));
    }
    Ok(())
}

/// The first line of what [`pack`] writes: the checksum and the length of the manifest behind it.
fn first_line(checksum: u32, length: usize) -> String {
    format!("SPLITKEPT1 {checksum:08x} {length:010}\n")
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::ffi::{OsStr, OsString};
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    use std::path::PathBuf;

    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    use super::super::listing::Listed;
    use super::*;
    use crate::plan::Word;

    /// Files by their paths.
    type Files = BTreeMap<PathBuf, Vec<u8>>;

    /// A name of any bytes that a file system takes.
    fn file_name() -> impl Strategy<Value = OsString> {
        let byte = any::<u8>().prop_filter("no separator", |byte| !b"/\0".contains(byte));
        let name = vec(byte, 1..12).prop_filter("a name", |name| name != b"." && name != b"..");
        name.prop_map(OsString::from_vec)
    }

    /// Any files, some of them in folders. A name stands for a file or for a folder.
    fn files() -> impl Strategy<Value = Files> {
        let path = vec(file_name(), 1..4).prop_map(|names| names.into_iter().collect::<PathBuf>());
        btree_map(path, vec(any::<u8>(), 0..200), 0..8).prop_map(|files| {
            let folders: BTreeSet<_> =
                files.keys().flat_map(|path| path.ancestors().skip(1)).map(Path::to_owned).collect();
            files.into_iter().filter(|(path, _)| !folders.contains(path)).collect()
        })
    }

    fn lay(folder: &Path, files: &Files) {
        fs::create_dir(folder).expect("made");
        for (name, bytes) in files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, bytes).expect("written");
        }
    }

    fn found(folder: &Path) -> Files {
        let listed = list(folder).expect("listed").into_iter().map(|file| PathBuf::from(file.path.as_os_str()));
        listed.map(|path| (path.clone(), fs::read(folder.join(path)).expect("read"))).collect()
    }

    /// Whether bytes are refused as damaged, and not for any other reason.
    fn is_refused(dir: &Path, bytes: &[u8]) -> bool {
        let (carried, folder) = (dir.join("carried"), dir.join("refused"));
        fs::write(&carried, bytes).expect("written");
        fs::create_dir(&folder).expect("made");
        let unpacked = unpack_from(&mut File::open(&carried).expect("opened"), &folder);
        fs::remove_dir_all(&folder).expect("removed");
        let kind = unpacked.err().map(|error| error.kind());
        assert!(matches!(kind, None | Some(io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)), "{kind:?}");
        kind.is_some()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_packed_is_unpacked(files in files()) {
            let dir = tempfile::tempdir().expect("a temporary folder");
            let path = |name: &str| dir.path().join(name);
            lay(&path("before"), &files);
            pack(&path("before"), &path("carried")).expect("packed");
            pack(&path("before"), &path("again")).expect("packed");
            prop_assert_eq!(fs::read(path("carried")).ok(), fs::read(path("again")).ok());
            unpack(&path("carried"), &path("after")).expect("unpacked");
            prop_assert_eq!(found(&path("after")), files);
        }
    }

    #[test]
    fn a_carried_file_that_is_damaged_does_not_count() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| dir.path().join(name);
        let mut files: Files = [("sum.json", &b"{}"[..]), ("sum/sum.a.checkpoint", &[7; 300]), ("sum/empty", b"")]
            .map(|(name, bytes)| (PathBuf::from(name), bytes.to_vec()))
            .into();
        files.insert(PathBuf::from(OsStr::from_bytes(b"sum/\xff\n")), vec![1; 100]);
        lay(&path("before"), &files);
        pack(&path("before"), &path("packed")).expect("packed");
        let packed = fs::read(path("packed")).expect("read");
        assert!(!is_refused(dir.path(), &packed));
        for length in 0..packed.len() {
            assert!(is_refused(dir.path(), &packed[..length]), "cut to {length} of {} bytes", packed.len());
        }
        // Each bit, and pairs of them, 10,000 in all.
        let bits = packed.len() * 8;
        for flip in 0..bits.max(10_000) {
            let mut damaged = packed.clone();
            damaged[flip % bits / 8] ^= 1 << (flip % 8);
            if let Some(second) = flip.checked_sub(bits) {
                let second = (flip * 7919 + second) % bits;
                damaged[second / 8] ^= 1 << (second % 8);
            }
            assert!(damaged == packed || is_refused(dir.path(), &damaged), "flip {flip}");
        }
        assert!(is_refused(dir.path(), &[&packed[..], b"\n"].concat()), "something behind it");
        // Nothing is left of it where the program would look.
        fs::write(path("carried"), &packed[..packed.len() - 1]).expect("written");
        unpack(&path("carried"), &path("after")).expect("damage is no error");
        assert!(!path("after").exists() && !path("after.unpacking").exists());
    }

    #[test]
    fn paths_that_no_folder_has_are_damage() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let leading_out = ["../out", "/tmp/out", "a/../../out", "./out", "", "a//out", "out/"].map(|name| vec![name]);
        let impossible = [vec!["a", "a"], vec!["a", "a.b", "a/b"], vec!["b", "a"]];
        for names in leading_out.into_iter().chain(impossible) {
            let listed = |name: &&str| Listed { path: Word::from(*name), bytes: 0, checksum: 0 };
            let files = names.iter().map(listed).collect();
            let header = serde_json::to_vec(&Manifest { format: 1, key: String::new(), files }).expect("plain values");
            let bytes = [first_line(crc32fast::hash(&header), header.len()).as_bytes(), &header].concat();
            assert!(is_refused(dir.path(), &bytes), "{names:?}");
        }
        assert!(!dir.path().join("out").exists());
    }
}
