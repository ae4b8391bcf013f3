//! The files of a folder, by their names, lengths and checksums.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::checkpoint::progress;
use crate::plan::{Identity, Word};
use crate::store::{self, StoreError};

/// Files that belong together: a snapshot's, or what is carried.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) format: u32,
    pub(super) key: String,
    pub(super) files: Vec<Listed>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listed {
    pub(super) path: Word,
    pub(super) bytes: u64,
    /// zlib's CRC-32.
    pub(super) checksum: u32,
}

/// The files of a folder and of those below it, in order.
pub(super) fn list(folder: &Path) -> io::Result<Vec<Listed>> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(below) = folders.pop() {
        for entry in folder.join(&below).read_dir()? {
            let entry = entry?;
            let name = below.join(entry.file_name());
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(name);
            } else if kind.is_file() {
                let (bytes, checksum) = copy(&mut File::open(entry.path())?, &mut io::sink())?;
                files.push(Listed { path: Word::from(name.into_os_string()), bytes, checksum });
            }
        }
    }
    files.sort_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
    Ok(files)
}

/// Whether the files may be such as [`list`] gives: in order, below the folder, and none of them where another has its folder.
pub(super) fn are_listed(files: &[Listed]) -> bool {
    let names: BTreeSet<&[u8]> = files.iter().map(|file| file.path.as_bytes()).collect();
    let are_in_order = files.windows(2).all(|pair| pair[0].path.as_bytes() < pair[1].path.as_bytes());
    let is_below = |name: &[u8]| {
        let folders = name.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(end, _)| &name[..end]);
        name.split(|byte| *byte == b'/').all(|part| !matches!(part, b"" | b"." | b".."))
            && folders.into_iter().all(|folder| !names.contains(folder))
    };
    are_in_order && names.iter().all(|name| is_below(name))
}

/// How many bytes there were, and their checksum.
pub(super) fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<(u64, u32)> {
    let mut buffer = vec![0; 1 << 16];
    let (mut bytes, mut checksum) = (0, crc32fast::Hasher::new());
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok((bytes, checksum.finalize())),
            Ok(got) => {
                to.write_all(&buffer[..got])?;
                checksum.update(&buffer[..got]);
                bytes += got as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Whether there is a file that holds anything in a folder or in those below it.
pub(super) fn holds_files(folder: &Path) -> bool {
    list(folder).is_ok_and(|files| files.iter().any(|file| file.bytes > 0))
}

/// Copies the files of a folder, which need not be there, and of those below it into another. What is there of the same name is
/// replaced by a new file.
pub(super) fn copy_files(from: &Path, to: &Path) -> Result<(), StoreError> {
    if !from.is_dir() {
        return Ok(());
    }
    for file in list(from).map_err(StoreError::on("read", from))? {
        let (from, to) = (from.join(file.path.as_os_str()), to.join(file.path.as_os_str()));
        store::make_folder(to.parent().unwrap_or(&to))?;
        let copied = match fs::remove_file(&to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => fs::copy(&from, &to),
        };
        copied.map_err(StoreError::on("write", &to))?;
    }
    Ok(())
}

/// What is saved, in a few words: the same where it is the same. A checkpoint of the library's counts its saves, which is no progress.
pub(super) fn amount(state: &Path, files: &[Listed]) -> String {
    let mut text = String::new();
    for file in files {
        let (name, path) = (file.path.quoted(), state.join(file.path.as_os_str()));
        if name.ends_with(".b.checkpoint") {
            continue;
        }
        match progress(&path) {
            Some(far) if name.ends_with(".a.checkpoint") => text.push_str(&format!("{name} {far}\n")),
            _ => text.push_str(&format!("{name} {} {:08x}\n", file.bytes, file.checksum)),
        }
    }
    Identity::of_bytes(text.as_bytes()).to_string()
}

/// Whether a state is the library's.
pub(super) fn has_progress(state: &Path) -> bool {
    let files = state.read_dir().into_iter().flatten().flatten();
    files
        .map(|file| file.path())
        .any(|path| path.extension().is_some_and(|end| end == "checkpoint") && progress(&path).is_some())
}
