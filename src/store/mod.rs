//! Every file that is written: under a temporary name in the same folder, synced, then renamed, so that a
//! reader finds the old file or the new one and never a part of either.
//!
//! Two kinds of files are written in place: one of records, which prove themselves, grows (`growing`), and of two that belong
//! together the older is overwritten ([`in_place`]).
//!
//! What a crash leaves behind is a temporary file, whose name starts with a dot and which nothing reads.

#[cfg(feature = "runner")]
mod draft;
#[cfg(feature = "runner")]
mod growing;
pub mod in_place;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;

#[cfg(feature = "runner")]
pub use draft::{Draft, copy_program, write};
#[cfg(feature = "runner")]
pub use growing::Growing;

/// A file or folder could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {}", path.display())]
pub struct StoreError {
    /// The verb: "write", "read", "rename".
    pub doing: &'static str,
    /// What it was about.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

impl StoreError {
    /// For `map_err`: names the path and what was being done.
    pub fn on(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { doing, path, source }
    }
}

/// Writes a whole file under its name at once, without waiting for the disk: one of very many that nobody reads before
/// the last of them is written.
///
/// # Errors
/// Where it cannot be written.
pub fn write_anew(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    fs::write(path, bytes).map_err(StoreError::on("write", path))
}

/// Makes a folder and those above it; does nothing where it is there.
///
/// # Errors
/// Where it cannot be made.
pub fn make_folder(path: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(path).map_err(StoreError::on("make the folder", path))
}

/// Removes a folder with all that is in it; does nothing where there is none.
///
/// # Errors
/// Where it cannot be removed.
pub fn remove_folder(path: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::on("empty", path)(error)),
        _ => Ok(()),
    }
}

/// Renames a file or folder; never over something that exists.
///
/// # Errors
/// Where the new name is taken or the folder cannot be written to.
pub fn move_to(from: &Path, to: &Path) -> Result<(), StoreError> {
    if to.symlink_metadata().is_ok() {
        return Err(StoreError::on("rename", from)(io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!("{} exists", to.display()),
        )));
    }
    fs::rename(from, to).map_err(StoreError::on("rename", from))
}

/// Puts the folder `from` in the place of `to`, which may be there already; both are in one folder. Where the file system
/// can do so, they change places at once; else nothing has the name for a moment. What was at `to` is deleted.
///
/// # Errors
/// Where they cannot be renamed, or what was there not be deleted.
pub fn replace_folder(from: &Path, to: &Path) -> Result<(), StoreError> {
    use rustix::fs::{RenameFlags, renameat_with};
    if to.symlink_metadata().is_ok() {
        let old = match renameat_with(CWD, from, CWD, to, RenameFlags::EXCHANGE) {
            Ok(()) => from.to_owned(),
            Err(_) => {
                let mut name = std::ffi::OsString::from(".replaced");
                name.push(from.file_name().unwrap_or_default());
                let old = from.with_file_name(name);
                fs::rename(to, &old).map_err(StoreError::on("rename", to))?;
                fs::rename(from, to).map_err(StoreError::on("rename", from))?;
                old
            }
        };
        fs::remove_dir_all(&old).map_err(StoreError::on("delete", &old))?;
    } else {
        fs::rename(from, to).map_err(StoreError::on("rename", from))?;
    }
    sync_folder(parent(to))
}

/// Makes a link to `target` at `path`, and the folders above it; does nothing where the same link is there.
///
/// # Errors
/// Where something else is there, or the folder cannot be written to.
pub fn make_link(target: &Path, path: &Path) -> Result<(), StoreError> {
    if fs::read_link(path).is_ok_and(|there| there == target) {
        return Ok(());
    }
    make_folder(parent(path))?;
    std::os::unix::fs::symlink(target, path).map_err(StoreError::on("link", path))
}

/// Takes the lock of a folder until the file that is given back is closed; waits for another process that holds it.
/// Where the file system knows no locks, or none of folders, there is none to take. On NFS it holds among the processes of
/// one machine: Linux hands no locks of folders to the server.
///
/// # Errors
/// Where the folder cannot be opened.
pub fn lock_folder(folder: &Path) -> Result<File, StoreError> {
    let opened = File::open(folder).map_err(StoreError::on("open", folder))?;
    match rustix::fs::flock(&opened, rustix::fs::FlockOperation::LockExclusive) {
        Ok(()) | Err(Errno::NOLCK | Errno::NOTSUP | Errno::INVAL | Errno::NOSYS | Errno::BADF) => Ok(opened),
        Err(error) => Err(StoreError::on("lock", folder)(error.into())),
    }
}

/// Makes names in `folder` last through a power loss.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    let opened = rustix::fs::openat(CWD, folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    // Some network file systems refuse to sync a folder: they keep names by themselves.
    match opened.map(File::from).map_err(io::Error::from).and_then(|folder| folder.sync_all()) {
        Err(error) if error.kind() != io::ErrorKind::InvalidInput => Err(StoreError::on("sync", folder)(error)),
        _ => Ok(()),
    }
}

pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_moved_over() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&a, b"a").expect("written");
        fs::write(&b, b"b").expect("written");
        let error = move_to(&a, &b).expect_err("taken");
        assert!(error.to_string().contains("cannot rename"));
        assert_eq!(fs::read(&b).expect("there"), b"b");
    }
}
