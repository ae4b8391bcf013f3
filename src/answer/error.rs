//! Why an answer cannot be written.

use std::io;
use std::path::{Path, PathBuf};

use crate::store::StoreError;

/// Why an answer cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// A file could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// SQLite would not.
    #[error("cannot write {}", path.display())]
    Sqlite {
        /// The database.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// A table of a name that is needed is there, and another program's.
    #[error("{} holds a table `{table}` that split did not write", path.display())]
    ForeignTable {
        /// The database.
        path: PathBuf,
        /// The table.
        table: &'static str,
    },
    /// More columns than the format holds.
    #[error("the results have {columns} columns, and {format} holds {most}")]
    TooManyColumns {
        /// How many there are.
        columns: usize,
        /// The format, or what else has the bound.
        format: &'static str,
        /// How many it holds.
        most: usize,
    },
    /// Results that NumPy's format cannot hold, which has one array of numbers.
    #[error("an array for NumPy holds numbers, and {what}")]
    NotNumbers {
        /// What there is instead.
        what: String,
        /// The item that shows it.
        item: Option<u128>,
    },
}

impl AnswerError {
    /// For `map_err`, where a file of `path` is written.
    pub fn write(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Store(StoreError { doing: "write", path, source })
    }
}
