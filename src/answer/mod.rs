//! Where answers go: tables in the formats that people read them with, files that programs wrote, archives of partials.
//!
//! A table is a list of named columns and of rows of cells; [`TableSink`] is what each format does with them, one file a
//! format. Rows are streamed: no format needs more memory than a few of them. Invariant of this room: what a reader finds
//! under a name is what was there before, or the whole of what was written, never a part.

mod archive;
mod cell;
mod csv;
mod error;
mod files;
mod format;
mod json;
mod npy;
mod output;
mod shape;
mod sink;
mod sqlite;
mod table;
mod value;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

pub use archive::{ArchiveError, Packed, is_archive, is_packed, noted, pack, packed_from, remove_packed, unpack};
pub use cell::{Cell, CellKind, Column, Kinds};
pub use error::AnswerError;
pub use files::{FilesError, FilesWritten, write_files};
pub use format::{Format, FormatError};
pub use output::{Output, Written};
pub use shape::Shape;
pub use sink::{Table, TableSink, write_table};
pub use table::{TableError, TableWritten, check_results, write_results};
pub use value::write_value;
