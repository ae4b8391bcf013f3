//! A plan's run on this machine: the same runner and the same partials as in a job, so that what one has
//! finished the other does not repeat.
//!
//! A sandbox goes further: it makes one job's surroundings as HTCondor would, for a trial, and leaves nothing behind.
//!
//! Invariant: only items without a valid record are computed, and an interrupted run loses no finished chunk.

mod measure;
mod run;
mod sample;
mod sandbox;
mod tree;

pub use measure::{Ended, Meter, SAMPLE, Usage};
pub use run::{ChunkFailure, LocalError, Options, Report, run};
pub use sample::choose;
pub use sandbox::{Computed, Finished, Jobs, SandboxError, Sandboxes};
