//! Which files of a folder are partials. They lie in the folder itself, or in subfolders of it for groups of chunks
//! ([`Shards`]); a folder may have both, where it was planned more than once.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use super::is_partial;
use crate::plan::Shards;

/// What a folder holds, by name, in no order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The partials.
    pub partials: Vec<OsString>,
    /// The folders for groups of chunks.
    pub shards: Vec<OsString>,
}

impl Listing {
    /// Looks at the names in `folder`; where there is no such folder there are none.
    ///
    /// # Errors
    /// Where the folder cannot be read.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut listing = Self::default();
        let entries = match folder.read_dir() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(listing),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            // A link is not followed: what comes back from a job is a regular file.
            if is_partial(name.as_encoded_bytes()) {
                if entry.file_type()?.is_file() {
                    listing.partials.push(name);
                }
            } else if Shards::group_of(name.as_encoded_bytes()).is_some() && entry.file_type()?.is_dir() {
                listing.shards.push(name);
            }
        }
        Ok(listing)
    }
}
