//! How the user's program keeps its own state.

use serde::{Deserialize, Serialize};

/// How the program keeps its own state, where it does (`--checkpoint`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keeping {
    /// It keeps its state in a folder that it is given, as the checkpoint library does. SIGTERM tells it to save and to end
    /// with exit code 85.
    Signal,
    /// It writes a whole snapshot into a folder that it is given when a file appears, and ends with exit code 85.
    Files,
}

impl std::fmt::Display for Keeping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Signal => "signal",
            Self::Files => "files",
        })
    }
}

/// The exit code of a program that has saved its state and is not done. The checkpoint library uses it.
pub const SAVED: i32 = 85;

/// The checkpoints of a job in its sandbox, in one file: what HTCondor carries.
pub const CARRIED_CHECKPOINTS: &str = "carried.checkpoints";

/// The folder with the checkpoints: in a job's sandbox, or in the folder of a plan that its jobs see.
pub const CHECKPOINTS: &str = "checkpoints";
