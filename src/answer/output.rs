//! A file that an answer is written into.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::AnswerError;
use crate::plan::Identity;
use crate::store::Draft;

/// The size of the pieces in which bytes are handed on.
const BUFFER: usize = 1 << 18;

/// A file that is being written: one that gets its name when it is whole, or one without a name.
#[derive(Debug)]
pub struct Output {
    target: Target,
    path: PathBuf,
}

#[derive(Debug)]
enum Target {
    Named { draft: Draft, hasher: Box<blake3::Hasher>, bytes: u64 },
    Unnamed(BufWriter<File>),
}

/// What was written.
#[derive(Debug)]
pub enum Written {
    /// A file that has its name.
    Named {
        /// Its size.
        bytes: u64,
        /// Its content; of a database, that of its rows.
        identity: Identity,
    },
    /// A file without a name, to be read from its start.
    Unnamed(File),
}

impl Output {
    /// A file that will be `path`.
    ///
    /// # Errors
    /// Where its folder cannot be written to.
    pub fn named(path: &Path) -> Result<Self, AnswerError> {
        let draft = Draft::new(path, 0o666)?;
        Ok(Self { target: Target::Named { draft, hasher: Box::default(), bytes: 0 }, path: path.to_owned() })
    }

    /// A file without a name in `folder`: gone when it is closed, however this process ends.
    ///
    /// # Errors
    /// Where the folder cannot be written to.
    pub fn unnamed(folder: &Path) -> Result<Self, AnswerError> {
        let file = tempfile::tempfile_in(folder).map_err(AnswerError::write(folder))?;
        Ok(Self { target: Target::Unnamed(BufWriter::with_capacity(BUFFER, file)), path: folder.to_owned() })
    }

    /// The file, or the folder of one without a name.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// Where it cannot be written; what had the name before has it still.
    pub fn commit(self) -> Result<Written, AnswerError> {
        let path = self.path;
        match self.target {
            Target::Named { draft, hasher, bytes } => {
                draft.commit()?;
                Ok(Written::Named { bytes, identity: Identity::of(&hasher) })
            }
            Target::Unnamed(file) => {
                let file = file.into_inner().map_err(|error| AnswerError::write(&path)(error.into_error()))?;
                (&file).seek(SeekFrom::Start(0)).map_err(AnswerError::write(&path))?;
                Ok(Written::Unnamed(file))
            }
        }
    }
}

impl Write for Output {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match &mut self.target {
            Target::Named { draft, hasher, bytes } => {
                let written = draft.write(buffer)?;
                hasher.update(&buffer[..written]);
                *bytes += written as u64;
                Ok(written)
            }
            Target::Unnamed(file) => file.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.target {
            Target::Named { draft, .. } => draft.flush(),
            Target::Unnamed(file) => file.flush(),
        }
    }
}
