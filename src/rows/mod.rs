//! The rows of a space's listed axes: what is kept of them beside the plan, and what each chunk's job gets.
//!
//! They are read when the plan is made (`table`, `lines`, `files`). All rows are then in the folder of the partials (`kept`). A chunk's job is sent a file with the rows that its items
//! need, or a folder with that and with the files that these name (`lay`, `chunk`); it puts the files at their places and fills in those (`place`).
//!
//! Invariants: rows are known by their identity, of which the space's is made, so that none that is damaged or of another
//! plan is ever used; no job sees rows or files of other chunks; a row's bytes are nobody's but the program's, and stand in
//! no submit file, file name or command line of ours.

mod chunk;
#[cfg(feature = "cli")]
mod files;
mod identity;
#[cfg(feature = "cli")]
mod kept;
#[cfg(feature = "cli")]
mod lay;
#[cfg(feature = "cli")]
mod lines;
mod place;
#[cfg(feature = "cli")]
mod table;
mod text;

pub use chunk::{CHUNKS_A_FOLDER, ChunkRowsError, chunk_name, chunk_place, read_rows};
pub use identity::{FILE_COLUMNS, RowsHasher, identity};
pub use place::{Origin, PlaceError, as_given, files_of, place_files, up};
pub use text::{TextError, columns};

#[cfg(feature = "cli")]
pub use files::{FilesError, find_files, read_files};
#[cfg(feature = "cli")]
pub use kept::{RowsError, file_name, is_kept, keep, of_plan, read_kept};
#[cfg(feature = "cli")]
pub use lay::{Sent, is_laid, lay_chunks, sent, write_chunk};
#[cfg(feature = "cli")]
pub use lines::{LinesError, line_of_value, read_lines};
#[cfg(feature = "cli")]
pub use table::{Longest, Separator, Table, TableError};
