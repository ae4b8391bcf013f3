//! What is known of a run's checkpoint, from one attempt to the next.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::store::{self, StoreError};

/// What is known of a run's checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ledger {
    /// So many checkpoints were left behind.
    pub(super) left_behind: u32,
    /// How often runs failed since something was saved, as far as this folder knows.
    pub(super) failures: u32,
    /// The number of the attempt when something was saved.
    pub(super) attempt: u32,
    /// What was saved last by a program that had not been told to, and how often in a row.
    #[serde(default)]
    pub(super) unasked: (String, u32),
    /// How often in a row it did not save in time when it was told to.
    #[serde(default)]
    pub(super) unheard: u32,
    /// Whether SIGTERM ends it without its having said that all is saved, where that matters.
    #[serde(default)]
    pub(super) is_deaf: bool,
}

impl Ledger {
    pub(super) fn new(left_behind: u32, attempt: u32) -> Self {
        Self { left_behind, failures: 0, attempt, unasked: Default::default(), unheard: 0, is_deaf: false }
    }

    /// That of the run `name`, if there is one that can be read.
    pub(super) fn read(folder: &Path, name: &str) -> Option<Self> {
        serde_json::from_slice(&fs::read(path(folder, name)).ok()?).ok()
    }

    pub(super) fn write(&self, folder: &Path, name: &str) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(self).expect("plain values");
        store::write(&path(folder, name), &bytes)
    }
}

fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.json"))
}
