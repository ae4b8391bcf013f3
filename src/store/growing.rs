//! A file that grows by whole pieces. It is for what proves itself, such as records: a reader may meet it while its last
//! piece is being written.

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::StoreError;

/// A file that grows. Invariant: but for a crash, it holds whole pieces.
#[derive(Debug)]
pub struct Growing {
    file: File,
    path: PathBuf,
    length: u64,
}

impl Growing {
    /// Goes on behind the first `length` bytes of the file at `path`, which is made where it is not there; what follows
    /// them is cut off.
    ///
    /// # Errors
    /// Where it cannot be opened or cut off.
    pub fn open(path: &Path, length: u64) -> Result<Self, StoreError> {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path);
        let file = file.map_err(StoreError::on("open", path))?;
        let growing = Self { file, path: path.to_owned(), length };
        growing.cut_back()?;
        Ok(growing)
    }

    /// Makes an empty file where there is none.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn touch(path: &Path) -> Result<(), StoreError> {
        let file = File::options().append(true).create(true).open(path);
        file.map(|_| ()).map_err(StoreError::on("open", path))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds what `write` writes, whole or not at all; with `sync` it is on the disk after that.
    ///
    /// # Errors
    /// Where it cannot be written: a full disk. The file is then as it was.
    pub fn add(
        &mut self,
        sync: bool,
        write: impl FnOnce(&mut BufWriter<&File>) -> std::io::Result<()>,
    ) -> Result<(), StoreError> {
        let add = || -> std::io::Result<u64> {
            let mut file = &self.file;
            file.seek(SeekFrom::Start(self.length))?;
            let mut out = BufWriter::with_capacity(1 << 16, file);
            write(&mut out)?;
            out.flush()?;
            drop(out);
            if sync {
                self.file.sync_data()?;
            }
            (&self.file).stream_position()
        };
        match add() {
            Ok(length) => {
                self.length = length;
                Ok(())
            }
            Err(error) => {
                self.cut_back()?;
                Err(StoreError::on("write", &self.path)(error))
            }
        }
    }

    fn cut_back(&self) -> Result<(), StoreError> {
        self.file.set_len(self.length).map_err(StoreError::on("cut back", &self.path))
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_piece_is_there_whole_or_not_at_all() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("file");
        let content = || std::fs::read_to_string(&path).expect("there");
        let mut growing = Growing::open(&path, 0).expect("made");
        growing.add(true, |out| out.write_all(b"one\n")).expect("written");
        let failed = growing.add(false, |out| {
            out.write_all(&[b'x'; 1 << 17])?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        });
        assert!(failed.expect_err("no room").to_string().contains("cannot write"));
        assert_eq!(content(), "one\n");
        growing.add(false, |out| out.write_all(b"two\n")).expect("written");
        assert_eq!(content(), "one\ntwo\n");
        let mut again = Growing::open(&path, 4).expect("opened");
        again.add(false, |out| out.write_all(b"2\n")).expect("written");
        assert_eq!(content(), "one\n2\n");
    }
}
