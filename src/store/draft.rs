//! A file that is written under a temporary name, and gets its own once all of it is there.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::{StoreError, parent, sync_folder};

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
    fn errors_name_the_path() {
        let error = write(Path::new("/proc/none/file"), b"").expect_err("no such folder");
        assert_eq!(error.to_string(), "cannot write /proc/none/file");
    }
}
