//! The identity of the code that runs.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;

use crate::plan::{Identity, JobLink, JobUrl, Word};

/// A part of the code, with its place below the job's tree.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// A file.
    File(&'a Word, Identity),
    /// A link that is made where the files arrive.
    Link(&'a JobLink),
    /// A file that was fetched by URL, once it is there.
    Arrived(&'a JobUrl, Identity),
    /// The same before it is there. It stands for no content, so that no code that ran has this identity.
    Url(&'a JobUrl),
    /// Which of the files is the set-up.
    Setup(&'a Word),
}

/// Builds the identity of the code: the names and contents of the files that travel with a job, and what is
/// set in the program's environment. What the execute point itself provides (the interpreter) is not in it.
#[derive(Debug, Default)]
pub struct CodeHasher(blake3::Hasher);

impl CodeHasher {
    /// The identity of these parts, each kind in the order of its places, with these variables.
    #[must_use]
    pub fn of<'a>(parts: impl IntoIterator<Item = Part<'a>>, environment: &BTreeMap<String, Word>) -> Identity {
        let mut hasher = Self::default();
        for part in parts {
            match part {
                Part::File(place, content) => hasher.file(b"file", place, content),
                Part::Arrived(url, content) => hasher.file(b"arrived", &url.place, content),
                Part::Link(JobLink { place, target }) => {
                    hasher.part(b"link", place.as_bytes());
                    hasher.part(b"target", target.as_bytes());
                }
                Part::Setup(place) => hasher.part(b"setup", place.as_bytes()),
                Part::Url(JobUrl { url, place, .. }) => {
                    hasher.part(b"url", place.as_bytes());
                    hasher.part(b"text", url.as_bytes());
                }
            }
        }
        environment.iter().for_each(|(name, value)| hasher.variable(name, value));
        Identity::of(&hasher.0)
    }

    fn file(&mut self, kind: &[u8], place: &Word, content: Identity) {
        self.part(kind, place.as_bytes());
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

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> JobUrl {
        JobUrl { url: text.to_owned(), arrives: Word::from("a"), place: Word::from("a") }
    }

    #[test]
    fn a_committed_identity_never_changes() {
        let environment = BTreeMap::from([("SCALE".to_owned(), Word::from("1.5"))]);
        let place = Word::from("sum.py");
        let code = CodeHasher::of([Part::File(&place, Identity::of_bytes(b"sum"))], &environment);
        assert_eq!(code.to_string(), "6c0df9e6dc6054e1a0300f550224c39f");
    }

    #[test]
    fn kinds_of_parts_are_told_apart() {
        let (place, content) = (Word::from("a"), Identity::of_bytes(b"content"));
        let url = url("file:///a");
        let of = |part| CodeHasher::of([part], &BTreeMap::new());
        let link = |target: &str| JobLink { place: Word::from("a"), target: Word::from(target) };
        let all = [
            of(Part::File(&place, content)),
            of(Part::Arrived(&url, content)),
            of(Part::Url(&url)),
            of(Part::Link(&link("b"))),
            of(Part::Link(&link("c"))),
            CodeHasher::of([], &BTreeMap::new()),
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn what_arrived_counts_and_not_where_it_came_from() {
        let (one, two) = (url("file:///a"), url("https://host/a"));
        let of = |url, text: &[u8]| CodeHasher::of([Part::Arrived(url, Identity::of_bytes(text))], &BTreeMap::new());
        assert_eq!(of(&one, b"text"), of(&two, b"text"));
        assert_ne!(of(&one, b"text"), of(&one, b"other"));
    }
}
