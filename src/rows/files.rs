//! Files as items: `--files`.
//!
//! A pattern is what a shell's is: `*`, `?` (one byte), `[a-z]`, `{a,b}` within a name, and `**` for any folders, of which none
//! that is a link is entered. What starts with a dot is found only by a pattern that says so. Names are bytes; what is found is
//! sorted by them, and each file is there once, however many patterns or spellings find it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use rayon::prelude::*;

use crate::inputs::hash_file;
use crate::space::RowBlock;

/// Why patterns give no files.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A pattern that cannot be read.
    #[error("{pattern}: {why}")]
    Pattern {
        /// As typed.
        pattern: String,
        /// What is wrong.
        why: String,
    },
    /// Nothing is found.
    #[error("{pattern}: no file is called so here")]
    None {
        /// As typed.
        pattern: String,
    },
    /// A folder or a file that cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The files that patterns find, relative ones from `base`: as the patterns spell them, sorted.
///
/// # Errors
/// Where a pattern finds none.
pub fn find_files(base: &Path, patterns: &[OsString]) -> Result<Vec<PathBuf>, FilesError> {
    let mut found: Vec<PathBuf> = Vec::new();
    for pattern in patterns {
        let shown = || crate::space::Word::from(pattern.clone()).quoted();
        let before = found.len();
        // A name that is there may hold what would mean something in a pattern.
        if is_file(&base.join(pattern)) {
            found.push(pattern.into());
        } else {
            search(base, pattern, &mut found).map_err(|error| match error {
                Search::Pattern(why) => FilesError::Pattern { pattern: shown(), why },
                Search::Unreadable(path, source) => FilesError::Unreadable { path, source },
            })?;
        }
        if found.len() == before {
            return Err(FilesError::None { pattern: shown() });
        }
    }
    found.sort_by(|one, other| one.as_os_str().as_bytes().cmp(other.as_os_str().as_bytes()));
    // Of several spellings of a path the first stays.
    let mut seen = std::collections::HashSet::new();
    found.retain(|path| seen.insert(path.components().filter(|part| *part != Component::CurDir).collect::<PathBuf>()));
    Ok(found)
}

/// Files as rows: the name, the size in bytes, and the content's identity. `done` is told of each that was read.
///
/// # Errors
/// Where one cannot be read: the first of them.
pub fn read_files(base: &Path, files: &[PathBuf], done: &(dyn Fn() + Sync)) -> Result<RowBlock, FilesError> {
    let read = |path: &PathBuf| {
        let found = hash_file(&base.join(path));
        done();
        found.map_err(|source| FilesError::Unreadable { path: path.clone(), source })
    };
    let contents: Vec<_> = files.par_iter().map(read).collect();
    let mut block = RowBlock::new(1 + super::FILE_COLUMNS.len(), 0, files.len() as u64);
    for (path, content) in files.iter().zip(contents) {
        let (content, bytes) = content?;
        let (bytes, content) = (bytes.to_string(), content.to_string());
        block.push([path.as_os_str().as_bytes(), bytes.as_bytes(), content.as_bytes()]);
    }
    Ok(block)
}

/// Why a search stops.
enum Search {
    Pattern(String),
    Unreadable(PathBuf, io::Error),
}

/// A name of a path, in a pattern.
enum Part {
    /// Just this one.
    Name(OsString),
    /// Those that match.
    Glob { matcher: GlobMatcher, hidden: bool },
    /// Any folders, one in the other, or none.
    Folders,
}

fn search(base: &Path, pattern: &OsStr, found: &mut Vec<PathBuf>) -> Result<(), Search> {
    let bytes = pattern.as_bytes();
    let (start, mut rest) = match bytes.strip_prefix(b"/") {
        Some(rest) => (PathBuf::from("/"), rest),
        None => (PathBuf::new(), bytes),
    };
    while let Some(after) = rest.strip_prefix(b"/") {
        rest = after;
    }
    let parts: Vec<Part> =
        rest.split(|&byte| byte == b'/').filter(|name| !name.is_empty()).map(part).collect::<Result<_, _>>()?;
    if parts.is_empty() || bytes.ends_with(b"/") {
        return Err(Search::Pattern("it names folders, not files".to_owned()));
    }
    descend(base, &start, &parts, found)
}

fn part(name: &[u8]) -> Result<Part, Search> {
    if name == b"**" {
        return Ok(Part::Folders);
    }
    if !name.iter().any(|byte| b"*?[]{}\\".contains(byte)) {
        return Ok(Part::Name(OsString::from_vec(name.to_vec())));
    }
    let text = std::str::from_utf8(name).map_err(|_| {
        Search::Pattern("a name with * or ? in it has to be UTF-8; a ? or * finds what is not".to_owned())
    })?;
    let glob = GlobBuilder::new(text).literal_separator(true).backslash_escape(true).build();
    let glob = glob.map_err(|error| Search::Pattern(error.kind().to_string()))?;
    Ok(Part::Glob { matcher: glob.compile_matcher(), hidden: name.starts_with(b".") })
}

/// Finds what `parts` name below `path`.
fn descend(base: &Path, path: &Path, parts: &[Part], found: &mut Vec<PathBuf>) -> Result<(), Search> {
    let Some((first, rest)) = parts.split_first() else {
        if is_file(&base.join(path)) {
            found.push(path.to_owned());
        }
        return Ok(());
    };
    match first {
        Part::Name(name) => descend(base, &spelled(path, name), rest, found),
        Part::Glob { matcher, hidden } => {
            for entry in entries(base, path)? {
                let name = entry.file_name();
                let shown = *hidden || !name.as_bytes().starts_with(b".");
                if shown && matcher.is_match(Path::new(&name)) {
                    descend(base, &spelled(path, &name), rest, found)?;
                }
            }
            Ok(())
        }
        Part::Folders => {
            // As the last part, `**` stands for the files in these folders.
            let each = [Part::Glob { matcher: any(), hidden: false }];
            descend(base, path, if rest.is_empty() { &each } else { rest }, found)?;
            for entry in entries(base, path)? {
                let name = entry.file_name();
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) && !name.as_bytes().starts_with(b".") {
                    descend(base, &spelled(path, &name), parts, found)?;
                }
            }
            Ok(())
        }
    }
}

fn any() -> GlobMatcher {
    GlobBuilder::new("*").build().expect("a pattern").compile_matcher()
}

/// What is in a folder; nothing, where `path` is none.
fn entries(base: &Path, path: &Path) -> Result<Vec<fs::DirEntry>, Search> {
    let folder = base.join(path);
    let unreadable = |error| Search::Unreadable(path.to_owned(), error);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(unreadable(error)),
    };
    let mut entries: Vec<_> = entries.collect::<Result<_, _>>().map_err(unreadable)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    Ok(entries)
}

/// `folder/name`, where the pattern says so with its `.` and `..`.
fn spelled(folder: &Path, name: &OsStr) -> PathBuf {
    let mut bytes = folder.as_os_str().as_bytes().to_vec();
    if !bytes.is_empty() && bytes != b"/" {
        bytes.push(b'/');
    }
    bytes.extend_from_slice(name.as_bytes());
    PathBuf::from(OsString::from_vec(bytes))
}

fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn folder(files: &[&[u8]]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for name in files {
            let path = folder.path().join(OsStr::from_bytes(name));
            fs::create_dir_all(path.parent().expect("below")).expect("made");
            fs::write(path, name).expect("written");
        }
        folder
    }

    fn found(base: &Path, patterns: &[&[u8]]) -> Result<Vec<String>, String> {
        let patterns: Vec<_> = patterns.iter().map(|pattern| OsString::from_vec(pattern.to_vec())).collect();
        let files = find_files(base, &patterns).map_err(|error| error.to_string())?;
        Ok(files.iter().map(|file| file.as_os_str().as_bytes().escape_ascii().to_string()).collect())
    }

    #[test]
    fn patterns_find_what_a_shell_would() {
        let names: [&[u8]; 14] = [
            b"a.dat",
            b"b.dat",
            b"B.dat",
            b"c.txt",
            b".hidden.dat",
            b"d/a.dat",
            b"d/e/a.dat",
            b"d/.f/a.dat",
            b"two words.dat",
            b"it's \"x\"\n.dat",
            b"\xff.dat",
            "ä.dat".as_bytes(),
            b"odd[1].dat",
            b"-x.dat",
        ];
        let folder = folder(&names);
        let base = folder.path();
        fs::create_dir(base.join("g.dat")).expect("made");
        symlink("a.dat", base.join("link.dat")).expect("linked");
        symlink("missing", base.join("dangling.dat")).expect("linked");
        symlink("d", base.join("loop")).expect("linked");
        symlink("../d", base.join("d/again")).expect("linked");
        let check = |patterns: &[&[u8]], expected: &[&str]| {
            assert_eq!(
                found(base, patterns),
                Ok(expected.iter().map(|&name| name.to_owned()).collect()),
                "{patterns:?}"
            );
        };
        let all = [
            "-x.dat",
            "B.dat",
            "a.dat",
            "b.dat",
            "it\\'s \\\"x\\\"\\n.dat",
            "link.dat",
            "odd[1].dat",
            "two words.dat",
            "\\xc3\\xa4.dat",
            "\\xff.dat",
        ];
        check(&[b"*.dat"], &all);
        check(&[b"./*.dat"], &all.map(|name| format!("./{name}")).each_ref().map(String::as_str));
        check(&[b"?.dat"], &["B.dat", "a.dat", "b.dat", "\\xff.dat"]);
        check(&[b"[a-b].dat", b"a.*", b"./a.dat", b"c.txt"], &["./a.dat", "b.dat", "c.txt"]);
        check(&[b"{a,c}.*"], &["a.dat", "c.txt"]);
        check(&[b".*.dat"], &[".hidden.dat"]);
        check(&[b"d/*.dat"], &["d/a.dat"]);
        check(&[b"*/a.dat"], &["d/a.dat", "loop/a.dat"]);
        check(&[b"**/a.dat"], &["a.dat", "d/a.dat", "d/e/a.dat"]);
        check(&[b"d/**"], &["d/a.dat", "d/e/a.dat"]);
        check(&[b"d/**/*.dat"], &["d/a.dat", "d/e/a.dat"]);
        check(&[b"odd[1].dat"], &["odd[1].dat"]);
        check(&[b"odd\\[*"], &["odd[1].dat"]);
        check(&[b"d/../c.txt"], &["d/../c.txt"]);
        check(&[b"\xff.dat"], &["\\xff.dat"]);
        let absolute = base.join("c.*").into_os_string().into_vec();
        check(&[&absolute], &[base.join("c.txt").to_str().expect("plain")]);
    }

    #[test]
    fn patterns_that_find_nothing() {
        let folder = folder(&[b"a.dat", b"d/x"]);
        let check = |pattern: &[u8], message: &str| {
            let error = found(folder.path(), &[b"a.dat", pattern]).expect_err("nothing");
            assert!(error.contains(message), "{error}");
        };
        check(b"*.txt", "'*.txt': no file is called so here");
        check(b"d", "d: no file is called so here");
        check(b"a.dat/*", "no file is called so here");
        check(b"missing/*", "no file is called so here");
        check(b"d/", "it names folders, not files");
        check(b"", "it names folders, not files");
        check(b"[a", "unclosed character class");
        check(b"\xff*", "has to be UTF-8");
    }

    #[test]
    fn rows_hold_the_content() {
        let folder = folder(&[b"a", b"b"]);
        let files = [PathBuf::from("a"), PathBuf::from("b")];
        let block = read_files(folder.path(), &files, &|| {}).expect("read");
        assert_eq!(block.len(), 2);
        assert_eq!([0, 1].map(|column| block.field(1, column)), [Some(&b"b"[..]), Some(b"1")]);
        let content = crate::space::Identity::of_bytes(b"b").to_string();
        assert_eq!(block.field(1, 2), Some(content.as_bytes()));
        let missing = read_files(folder.path(), &[PathBuf::from("c")], &|| {});
        assert_eq!(missing.expect_err("missing").to_string(), "cannot read c");
    }
}
