//! What the program has printed, where whoever started it keeps that from run to run.
//!
//! A save notes how much had been printed by then, and a loop that goes on from there has exactly that before it: what this run has
//! printed on its way to the loop, and what an earlier one printed after its save, is cut off. One loop may go on where it was done,
//! and the next one later: what is cut off comes back from the file with what was printed before.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};

use super::environment::{OUTPUT, PRINTED};
use super::error::CheckpointError;
use crate::store::StoreError;

/// Up to here standard output is what it was in earlier runs; all of it, as long as nothing was cut off.
static KEPT: Mutex<Option<u64>> = Mutex::new(None);

/// How much has been printed; none where nobody keeps it.
pub(super) fn length() -> Option<u64> {
    kept().map(|(_, found)| found.len())
}

/// Goes back to where `length` bytes had been printed.
///
/// # Errors
/// Where standard output, or what was printed before, cannot be read or written.
pub(super) fn go_back(length: u64) -> Result<(), CheckpointError> {
    let Some((mut output, _)) = kept() else { return Ok(()) };
    let before = std::env::var_os(PRINTED).unwrap_or_default();
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let mut back = || -> io::Result<()> {
        let from = kept.unwrap_or(u64::MAX).min(length);
        output.set_len(from)?;
        output.seek(SeekFrom::Start(from))?;
        if from < length {
            let mut before = File::open(&before)?;
            before.seek(SeekFrom::Start(from))?;
            if io::copy(&mut before.take(length - from), &mut output)? < length - from {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        *kept = Some(length);
        Ok(())
    };
    back().map_err(|error| StoreError::on("read", before.as_ref())(error).into())
}

/// Standard output, if it is the file that is kept.
fn kept() -> Option<(File, Metadata)> {
    let named = std::fs::metadata(std::env::var_os(OUTPUT)?).ok()?;
    let mut stdout = io::stdout();
    // What cannot be written is an error for whoever prints.
    let _ = stdout.flush();
    let output = File::from(stdout.as_fd().try_clone_to_owned().ok()?);
    let found = output.metadata().ok()?;
    ((found.dev(), found.ino()) == (named.dev(), named.ino())).then_some((output, found))
}
