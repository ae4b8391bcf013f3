//! Records, the partials that hold them, and the proof that they cover the space.
//!
//! A partial is a file of records, one after another. A record is a line of JSON (its header), the payload's
//! bytes, and a newline, so that `head -1` explains a file to a person:
//!
//! ```text
//! {"format":1,"plan":"…","code":"…","first":0,"last":1,"kind":"whole","bytes":2,"seconds":0.012,"host":"ep1","attempt":"0-1f2e3d4c","checksum":"89abcdef"}
//! 3
//!
//! ```
//!
//! `first` and `last` are item numbers from 0, both included; `bytes` counts the payload without the newline
//! after it; `checksum` is the CRC-32 (that of zlib) of the header's bytes before `,"checksum"` and of the
//! payload. A header says which items its payload is the result of, and that is all that coverage relies on:
//! not the file's name, not its place, not how often a job ran.

mod beginning;
mod bound;
#[cfg(feature = "cli")]
mod contents;
mod coverage;
mod entries;
#[cfg(feature = "cli")]
mod gather;
mod header;
mod last_lines;
mod listing;
#[cfg(feature = "cli")]
mod merged;
mod partial;
#[cfg(feature = "cli")]
mod versions;

pub use beginning::beginning;
#[cfg(feature = "cli")]
pub use contents::Part;
pub use coverage::{Claim, Tiling, tile};
pub use entries::{EntryReader, FileHead, Head, LONGEST_NAME, write_file_head, write_head};
#[cfg(feature = "cli")]
pub use gather::{Found, Gathered, Partials, gather, gather_merged, gather_of};
pub use header::{Cause, Header, Kind, Segment};
pub use last_lines::last_lines;
pub use listing::Listing;
#[cfg(feature = "cli")]
pub use merged::{MergedGroup, MergedHead, Totals, made_of, merged_group, merged_name};
pub use partial::{
    Damage, Payload, PayloadReader, Record, RecordRead, is_partial, partial_name, partial_start, peek, read, read_of,
    write,
};
#[cfg(feature = "cli")]
pub use versions::{Mixture, mixture};
