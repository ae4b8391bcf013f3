//! Every file that is written: under a temporary name in the same folder, synced, then renamed, so that a
//! reader finds the old file or the new one and never a part of either.
//!
//! Two kinds of files are written in place: one of records, which prove themselves, grows (`growing`), and of two that belong
//! together the older is overwritten ([`in_place`]).
//!
//! What a crash leaves behind is a temporary file, whose name starts with a dot and which nothing reads.

mod growing;
pub mod in_place;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;

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

/// A file that is being written and does not exist yet under its name. Invariant: once a write has failed, nothing more is
/// written and it gets no name.
#[derive(Debug)]
pub struct Draft {
    file: BufWriter<tempfile::NamedTempFile>,
    path: PathBuf,
    failed: bool,
}

impl Draft {
    /// Starts the file that will be `path`. Its mode is `mode` less the umask.
    ///
    /// # Errors
    /// Where the folder cannot be written to.
    pub fn new(path: &Path, mode: u32) -> Result<Self, StoreError> {
        use std::os::unix::fs::PermissionsExt;
        let file = tempfile::Builder::new()
            .prefix(".writing-")
            .permissions(fs::Permissions::from_mode(mode))
            .tempfile_in(parent(path))
            .map_err(StoreError::on("write", path))?;
        Ok(Self { file: BufWriter::with_capacity(1 << 18, file), path: path.to_owned(), failed: false })
    }

    /// What was written until now, to be read from its start.
    ///
    /// # Errors
    /// Where the disk is full.
    pub fn written(&mut self) -> Result<File, StoreError> {
        self.flush().map_err(StoreError::on("write", &self.path))?;
        self.file.get_ref().reopen().map_err(StoreError::on("read", &self.path))
    }

    /// Gives the file its name once its bytes are on the disk; replaces what was there.
    ///
    /// # Errors
    /// Where the disk is full or the folder cannot be written to; nothing has its name then but what had it before.
    pub fn commit(self) -> Result<(), StoreError> {
        let (file, path) = self.flushed()?;
        file.as_file().sync_all().map_err(StoreError::on("sync", &path))?;
        file.persist(&path).map_err(|error| StoreError::on("write", &path)(error.error))?;
        sync_folder(parent(&path))
    }

    /// Gives the file its name without waiting for the disk: for files whose content proves itself (partials), or
    /// that can be made again, where a power loss costs that work again but never a wrong answer.
    ///
    /// # Errors
    /// As [`Draft::commit`].
    pub fn commit_unsynced(self) -> Result<(), StoreError> {
        let (file, path) = self.flushed()?;
        file.persist(&path).map_err(|error| StoreError::on("write", &path)(error.error))?;
        Ok(())
    }

    fn flushed(mut self) -> Result<(tempfile::NamedTempFile, PathBuf), StoreError> {
        self.flush().map_err(StoreError::on("write", &self.path))?;
        let path = self.path;
        let file = self.file.into_inner().map_err(|error| StoreError::on("write", &path)(error.into_error()))?;
        Ok((file, path))
    }

    fn unless_failed<T>(
        &mut self,
        act: impl FnOnce(&mut BufWriter<tempfile::NamedTempFile>) -> io::Result<T>,
    ) -> io::Result<T> {
        if self.failed {
            return Err(io::Error::other("it could not be written before"));
        }
        let done = act(&mut self.file);
        self.failed = done.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted);
        done
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.unless_failed(|file| file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.unless_failed(io::Write::flush)
    }
}

impl io::Seek for Draft {
    fn seek(&mut self, position: io::SeekFrom) -> io::Result<u64> {
        self.unless_failed(|file| file.seek(position))
    }
}

/// Writes a whole file.
///
/// # Errors
/// As [`Draft::commit`].
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let mut draft = Draft::new(path, 0o666)?;
    draft.write_all(bytes).map_err(StoreError::on("write", path))?;
    draft.commit()
}

/// Writes a whole file under its name at once, without waiting for the disk: one of very many that nobody reads before
/// the last of them is written.
///
/// # Errors
/// Where it cannot be written.
pub fn write_anew(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    fs::write(path, bytes).map_err(StoreError::on("write", path))
}

/// Copies a program, executable by whom the umask allows. Does nothing where the copy is there already.
///
/// # Errors
/// Where it cannot be read or the copy not be written.
pub fn copy_program(from: &Path, to: &Path) -> Result<(), StoreError> {
    let bytes = fs::read(from).map_err(StoreError::on("read", from))?;
    if fs::read(to).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    let mut draft = Draft::new(to, 0o777)?;
    draft.write_all(&bytes).map_err(StoreError::on("write", to))?;
    draft.commit()
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
fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    let opened = rustix::fs::openat(CWD, folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    // Some network file systems refuse to sync a folder: they keep names by themselves.
    match opened.map(File::from).map_err(io::Error::from).and_then(|folder| folder.sync_all()) {
        Err(error) if error.kind() != io::ErrorKind::InvalidInput => Err(StoreError::on("sync", folder)(error)),
        _ => Ok(()),
    }
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_has_no_name_until_it_is_whole() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("file");
        write(&path, b"old").expect("written");
        let mut draft = Draft::new(&path, 0o666).expect("started");
        draft.write_all(b"new and longer").expect("written");
        assert_eq!(fs::read(&path).expect("there"), b"old");
        drop(draft);
        assert_eq!(fs::read(&path).expect("there"), b"old");
        assert_eq!(fs::read_dir(&folder).expect("listed").count(), 1, "an abandoned draft leaves nothing");
    }

    #[test]
    fn a_draft_that_could_not_be_written_gets_no_name() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("file");
        let mut draft = Draft::new(&path, 0o666).expect("started");
        draft.write_all(b"some").expect("written");
        let full = draft.unless_failed(|_| Err::<(), _>(io::ErrorKind::StorageFull.into()));
        assert_eq!(full.expect_err("full").kind(), io::ErrorKind::StorageFull);
        assert!(draft.write_all(b"more").is_err());
        assert!(draft.commit().is_err());
        assert!(!path.exists());
    }

    #[test]
    fn nothing_is_moved_over() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        write(&a, b"a").expect("written");
        write(&b, b"b").expect("written");
        let error = move_to(&a, &b).expect_err("taken");
        assert!(error.to_string().contains("cannot rename"));
        assert_eq!(fs::read(&b).expect("there"), b"b");
    }

    #[test]
    fn errors_name_the_path() {
        let error = write(Path::new("/proc/none/file"), b"").expect_err("no such folder");
        assert_eq!(error.to_string(), "cannot write /proc/none/file");
    }
}
