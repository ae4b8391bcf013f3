//! What an item yields besides what its program is told by the command's words.

use serde::{Deserialize, Serialize};

use super::{FilePattern, FileTemplate};

/// What the program gets and leaves, beside its arguments: as much a part of what is computed as the command.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Yields {
    /// The plan's seed, from which each item's is made.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub seed: u64,
    /// Whether the items come on standard input, one JSON object a line.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub stdin_items: bool,
    /// Patterns of the files that the program writes and that come back.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub collect: Vec<FilePattern>,
    /// Names of files, with placeholders, that each item has to leave; they come back, too.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub expect: Vec<FileTemplate>,
}

impl Yields {
    /// Whether there is nothing to say.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Whether files come back beside the results.
    #[must_use]
    pub fn has_files(&self) -> bool {
        !self.collect.is_empty() || !self.expect.is_empty()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(seed: &u64) -> bool {
    *seed == 0
}
