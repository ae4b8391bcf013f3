//! The identity of the code that runs.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;

use crate::plan::{Identity, Word};

/// Builds the identity of the code: the names and contents of the files that travel with a job, and what is
/// set in the program's environment. What the execute point itself provides (the interpreter) is not in it.
#[derive(Debug, Default)]
pub struct CodeHasher(blake3::Hasher);

impl CodeHasher {
    /// The identity of these files, in the order of their places, with these variables, where the file at the place
    /// `setup` is the set-up.
    #[must_use]
    pub fn of<'a>(
        files: impl Iterator<Item = (&'a Word, Identity)>,
        environment: &BTreeMap<String, Word>,
        setup: Option<&Word>,
    ) -> Identity {
        let mut hasher = Self::default();
        files.for_each(|(place, content)| hasher.file(place, content));
        environment.iter().for_each(|(name, value)| hasher.variable(name, value));
        if let Some(setup) = setup {
            hasher.part(b"setup", setup.as_bytes());
        }
        Identity::of(&hasher.0)
    }

    fn file(&mut self, place: &Word, content: Identity) {
        self.part(b"file", place.as_bytes());
        self.0.update(content.as_bytes());
    }

    fn variable(&mut self, name: &str, value: &Word) {
        self.part(b"variable", name.as_bytes());
        self.part(b"value", value.as_bytes());
    }

    /// A length before the bytes, so that no two lists of parts look alike.
    fn part(&mut self, kind: &[u8], bytes: &[u8]) {
        self.0.update(kind).update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    }
}

/// The identity of a file's content, and its size in bytes.
///
/// # Errors
/// Where the file cannot be read.
pub fn hash_file(path: &Path) -> io::Result<(Identity, u64)> {
    let mut hasher = blake3::Hasher::new();
    let bytes = io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok((Identity::of(&hasher), bytes))
}
