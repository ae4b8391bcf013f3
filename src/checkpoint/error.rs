//! What can stand in the way of a checkpoint.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::store::StoreError;

/// A checkpoint could not be read, written or used.
///
/// A program's `main` may give it back: it is shown as text then, too, with the command that helps.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// A key that no file can be named after.
    #[error("the key `{}` {wrong}; a key is a name and what it depends on, such as sum/1 or ising/beta=0.44/seed=7", key.escape_debug())]
    Key {
        /// The key.
        key: String,
        /// What is wrong with it.
        wrong: &'static str,
    },
    /// A variable of the environment that makes no sense.
    #[error("{name} is `{}`, and not {wanted}", value.escape_debug())]
    Environment {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// A setting that makes no sense, or a range with more items than can be counted.
    #[error("{0}")]
    Setting(&'static str),
    /// A file or folder could not be read or written. What was saved before is still there.
    #[error("{source}: {}", source.source)]
    Store {
        /// Which one and why.
        #[from]
        source: StoreError,
    },
    /// Another process, or another part of this one, uses the checkpoint.
    #[error("{} is in use by {by}: two that save into the same files would spoil both", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
        /// Who has it.
        by: &'static str,
    },
    /// Neither file holds a checkpoint.
    #[error("the checkpoint `{key}` is lost: {} {}, {} {}; rm {} {} starts anew",
        first.0.display(), first.1, second.0.display(), second.1, quoted(&first.0), quoted(&second.0))]
    Lost {
        /// Of which key.
        key: String,
        /// The first file, and what is wrong with it.
        first: (PathBuf, String),
        /// The second.
        second: (PathBuf, String),
    },
    /// The file was written for something else.
    #[error("{} was written for the {what} `{found}`, and this is `{expected}`; rm {} starts anew, and {} of another name keeps both",
        path.display(), quoted_pair(path), if *what == "identity" { "a folder" } else { "a key" })]
    Other {
        /// The file.
        path: PathBuf,
        /// What differs: the key, the loop, the identity.
        what: &'static str,
        /// What the file says.
        found: String,
        /// What was asked for.
        expected: String,
    },
    /// The file was written by a later version of this library.
    #[error("{} has format {format}, which a later version of the library wrote; this one reads format 1", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u64,
    },
    /// The state has another version than the program's, and there is nothing that makes one of the other.
    #[error("{} holds version {found} of the state, and the program's is {expected}; migrate() reads older ones, rm {} starts anew",
        path.display(), quoted_pair(path))]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The program's.
        expected: u32,
    },
    /// The answer has another version than the program's.
    #[error("{} holds version {found} of the answer, and the program's is {expected}; version({found}) gives it, as answers are not migrated, rm {} starts anew",
        path.display(), quoted_pair(path))]
    Answer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The program's.
        expected: u32,
    },
    /// The state is not laid out as the program's type.
    #[error("{} does not hold what the program's state is made of: {wrong}; version() and migrate() read older layouts, rm {} starts anew",
        path.display(), quoted_pair(path))]
    Layout {
        /// The file.
        path: PathBuf,
        /// What serde says.
        wrong: String,
    },
    /// A file that the loop writes to is not its own, or a checkpoint was saved with other ones.
    #[error("{} {wrong}", path.display())]
    Output {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        wrong: String,
    },
    /// The state cannot be written as MessagePack.
    #[error("the state cannot be saved: {0}")]
    Encode(String),
    /// What was kept was not asked for before it would have been overwritten.
    #[error("resume() comes before the first tick(), save() or finish(): what an earlier run saved would be lost")]
    NotResumed,
    /// A computation that had ended goes on.
    #[error("the checkpoint `{0}` is done: resume() gave its last state, and there is nothing to go on with")]
    Done(String),
    /// The state was saved and the program was told to stop.
    #[error("told to stop; the state is saved")]
    Interrupted,
}

impl fmt::Debug for CheckpointError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// A path as one types it into a shell.
pub(super) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./".contains(letter);
    match !text.starts_with('-') && text.chars().all(plain) {
        true => text,
        false if text.starts_with('-') => format!("'./{}'", text.replace('\'', r"'\''")),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// Both files of the checkpoint that `path` is one of.
fn quoted_pair(path: &Path) -> String {
    let [first, second] = super::slots::pair(path);
    format!("{} {}", quoted(&first), quoted(&second))
}
