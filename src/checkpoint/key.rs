//! What a checkpoint is named by, and what it is a checkpoint of.

use std::path::{Path, PathBuf};

use super::error::CheckpointError;

/// Names of files end somewhere (NAME_MAX is 255), and so does a header.
const LONGEST_NAME: usize = 100;
const LONGEST_KEY: usize = 4096;

/// A name, and after the first slash everything else that the state depends on: `sum/1`, `ising/beta=0.44/seed=7`.
///
/// The name gives the files their names. So a key with another rest finds the files of the first, and is refused, where
/// files named after the whole key would be passed over, and the work in them be lost without a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    text: String,
    name: usize,
}

impl Key {
    pub(super) fn new(text: &str) -> Result<Self, CheckpointError> {
        let refused = |wrong| Err(CheckpointError::Key { key: text.to_owned(), wrong });
        let name = text.find('/').unwrap_or(text.len());
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.=+".contains(letter);
        match &text[..name] {
            "" => refused("has no name"),
            short if short.starts_with(['.', '-']) => refused("starts with a dot or a dash"),
            long if long.len() > LONGEST_NAME => refused("has a name of more than 100 letters"),
            odd if !odd.chars().all(plain) => {
                refused("has a name of more than letters, digits and -_.=+ (after a slash anything goes)")
            }
            _ if text.len() > LONGEST_KEY => refused("is longer than 4096 bytes"),
            _ if text.contains(char::is_control) => refused("is more than one line of text"),
            _ => Ok(Self { text: text.to_owned(), name }),
        }
    }

    /// All of it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The file in the folder of an output whose name is `name`: what no name of a key has stands between the two.
    pub(super) fn output(&self, folder: &Path, name: &str) -> PathBuf {
        folder.join(format!("{}@{name}.output", &self.text[..self.name]))
    }

    /// The two files.
    pub(super) fn files(&self, folder: &Path) -> [PathBuf; 2] {
        ["a", "b"].map(|slot| folder.join(format!("{}.{slot}.checkpoint", &self.text[..self.name])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_alone_names_the_files() {
        for text in ["sum/1", "sum/2/../..", "sum"] {
            let files = Key::new(text).expect("a key").files(Path::new("x"));
            assert_eq!(files.map(|file| file.display().to_string()), ["x/sum.a.checkpoint", "x/sum.b.checkpoint"]);
        }
    }

    #[test]
    fn names_that_are_none_are_refused() {
        let long = "x".repeat(101);
        let endless = format!("x/{}", "x".repeat(5000));
        for text in ["", "/1", "../etc", ".x", "-rf", "a b", "a\n/1", "a/\u{1b}", "ä", &long, &endless] {
            assert!(matches!(Key::new(text), Err(CheckpointError::Key { .. })), "{text:?}");
        }
    }
}
