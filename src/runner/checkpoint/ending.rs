//! How a run that keeps a state is told to save, how it ends, and what it leaves.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What a run of the program has left beside its state.
#[derive(Clone, Copy, Debug)]
pub(in crate::runner) struct Left<'a> {
    pub(in crate::runner) printed: &'a Path,
    /// So much of that file counts.
    pub(in crate::runner) bytes: u64,
    pub(in crate::runner) result: &'a Path,
    /// The files that come back, by their names.
    pub(in crate::runner) files: &'a [(Vec<u8>, PathBuf)],
}

/// How a run ended that had something to save.
#[derive(Clone, Copy, Debug)]
pub(in crate::runner) struct Ending {
    /// Whether the program says that all is saved.
    pub(in crate::runner) whole: bool,
    /// Whether it was told to save.
    pub(in crate::runner) was_told: bool,
    /// Whether it did not do so in time.
    pub(in crate::runner) was_unheard: bool,
}

/// What came of a save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::runner) enum Saved {
    /// There is something to go on from.
    There,
    /// There is not.
    Nothing,
    /// It is the same again, as so often in a row.
    Stalled,
    /// There is a state, and nobody knows which part of what was printed and written belongs to it.
    Unmatched,
}

/// When a program is told to save, and how.
#[derive(Clone, Debug)]
pub(in crate::runner) struct Nudge {
    /// When it is due; never where it is not carried, and saves by itself.
    pub(in crate::runner) at: Option<Instant>,
    /// The folder that has to hold something by then: a program that never saves would be told in vain.
    pub(in crate::runner) unless_empty: Option<PathBuf>,
    /// The file that has to hold something by then: as long as nothing is printed each save counts by itself.
    pub(in crate::runner) once_printed: Option<PathBuf>,
    /// How long it may take: then SIGTERM ends it and its children.
    pub(in crate::runner) within: Duration,
    /// The file that tells it; else SIGTERM does.
    pub(in crate::runner) flag: Option<PathBuf>,
}
