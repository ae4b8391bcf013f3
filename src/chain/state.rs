//! The program's state files, between a record and the folder that the program starts in.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::Link;
use super::line::read;
use crate::plan::Chain;
use crate::record::EntryReader;

/// A state cannot be laid out.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It is not what was written.
    #[error("the state of segment {segment} is damaged: {why}")]
    Damaged {
        /// The segment that left it.
        segment: u32,
        /// What is wrong.
        why: String,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl StateError {
    fn on(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

/// Removes the state files from the folder that the program starts in, so that the first segment finds none.
///
/// # Errors
/// Where one cannot be removed.
pub fn clear_state(chain: &Chain, folder: &Path) -> Result<(), StateError> {
    for name in chain.state() {
        let path = folder.join(name.as_os_str());
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(StateError::on(&path)(error)),
            _ => {}
        }
    }
    Ok(())
}

/// Lays the state that a segment has left out in `folder`, in place of what is there. The record is read to its last byte
/// before anything is written.
///
/// # Errors
/// Where it is damaged or holds not all of the chain's files, or cannot be written.
pub fn lay_state(link: &Link, chain: &Chain, folder: &Path) -> Result<(), StateError> {
    let segment = link.segment.number;
    let damaged = |why: String| StateError::Damaged { segment, why };
    let record = read(link).map_err(StateError::on(&link.path))?.map_err(damaged)?;
    let from = StateError::on;
    let payload = record.payload.reader(&link.path).map_err(from(&link.path))?;
    let mut entries = EntryReader::new(BufReader::new(payload));
    clear_state(chain, folder)?;
    // What the segment has yielded, and after it the state.
    for _ in 0..2 {
        if entries.entry().map_err(from(&link.path))?.is_none() {
            return Err(damaged("it holds no state".to_owned()));
        }
    }
    let mut left = chain.state().to_vec();
    while let Some(file) = entries.file().map_err(from(&link.path))? {
        let Some(place) = left.iter().position(|name| name.as_bytes() == file.name) else {
            let name = String::from_utf8_lossy(&file.name).into_owned();
            return Err(damaged(format!("it holds a file {name:?}, which is none of the state's")));
        };
        let path = folder.join(std::ffi::OsStr::from_bytes(left.swap_remove(place).as_bytes()));
        if let Some(above) = path.parent() {
            fs::create_dir_all(above).map_err(from(above))?;
        }
        let mut out = File::options().write(true).create_new(true).open(&path).map_err(from(&path))?;
        io::copy(&mut entries, &mut out).map_err(from(&path))?;
    }
    match left.first() {
        None => Ok(()),
        Some(name) => Err(damaged(format!("it does not hold {}", name.quoted()))),
    }
}
