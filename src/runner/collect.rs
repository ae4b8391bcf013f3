//! The files that a program writes and that come back beside its result: `--collect`, `--expect`.
//!
//! What was there before a run and is the same after it was not written by the run. In a folder of the job's own what has
//! come back is removed, so that the next item may write a file of the same name; among the user's files nothing is.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::shortage;
use crate::plan::{FilePattern, PatternPart, Word, Yields};
use crate::record::{Cause, LONGEST_NAME};

/// Kernels count the time of a file's change in ticks of up to so long. Two changes within one look like one.
const TICK: Duration = Duration::from_millis(20);

/// A file that comes back.
#[derive(Debug)]
pub(super) struct Collected {
    /// Its name, relative to the folder that the program starts in.
    pub(super) name: Vec<u8>,
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    /// Whether it is removed once it has been read.
    pub(super) remove: bool,
}

/// Watches a folder for what runs of a program write.
#[derive(Debug)]
pub(super) struct Collector<'a> {
    folder: &'a Path,
    patterns: &'a [FilePattern],
    /// Whether the folder is the job's own.
    own: bool,
    /// The files that no run to come has written, as they are.
    known: BTreeMap<Vec<u8>, State>,
}

/// What changes when a file is written, or another one takes its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl State {
    fn of(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            bytes: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }

    fn changed(&self) -> Option<SystemTime> {
        let (seconds, nanoseconds) = self.changed;
        let since = Duration::new(u64::try_from(seconds).ok()?, u32::try_from(nanoseconds).ok()?);
        SystemTime::UNIX_EPOCH.checked_add(since)
    }
}

impl<'a> Collector<'a> {
    /// Notes what is in `folder` before the first run; `own` says whether the folder is the job's own.
    pub(super) fn new(folder: &'a Path, yields: &'a Yields, own: bool) -> io::Result<Self> {
        let mut collector = Self { folder, patterns: &yields.collect, own, known: BTreeMap::new() };
        collector.known = collector.find()?;
        Ok(collector)
    }

    /// Before a run that has to leave the files `expected`.
    pub(super) fn before(&mut self, expected: &[Word]) -> io::Result<()> {
        for name in expected {
            let name = name.as_bytes();
            if !self.known.contains_key(name)
                && let Some(state) = self.state(name)?
            {
                self.known.insert(name.to_owned(), state);
            }
        }
        let newest = self.known.values().filter_map(State::changed).max();
        if let Some(left) = newest.and_then(|newest| TICK.checked_sub(newest.elapsed().ok()?)) {
            std::thread::sleep(left);
        }
        Ok(())
    }

    /// After a run that succeeded: the files that it wrote, in the order of their names.
    pub(super) fn after(&mut self, expected: &[Word]) -> Result<Vec<Collected>, Cause> {
        let machine = |error: io::Error| shortage::cause_of(&error, &self.folder.display().to_string());
        let mut found = self.find().map_err(machine)?;
        for name in expected {
            let shown = || name.quoted();
            match self.state(name.as_bytes()).map_err(machine)? {
                Some(state) if self.known.get(name.as_bytes()) == Some(&state) => {
                    return Err(Cause::Missing(format!("{} was there before, and is as it was", shown())));
                }
                Some(state) => found.insert(name.as_bytes().to_owned(), state),
                None if self.path(name.as_bytes()).symlink_metadata().is_ok() => {
                    return Err(Cause::Missing(format!("{} is no regular file", shown())));
                }
                None => return Err(Cause::Missing(shown())),
            };
        }
        let mut written = Vec::new();
        for (name, state) in found {
            let before = self.known.get(&name);
            if before == Some(&state) {
                continue;
            }
            if name.len() as u64 > LONGEST_NAME {
                return Err(Cause::Machine(format!("the name {} is too long", Word::from(name).quoted())));
            }
            let remove = self.own && before.is_none();
            written.push(Collected { path: self.path(&name), bytes: state.bytes, remove, name: name.clone() });
            if !remove {
                self.known.insert(name, state);
            }
        }
        Ok(written)
    }

    /// The files that the run at hand has written so far, by their names.
    pub(super) fn so_far(&self, expected: &[Word]) -> io::Result<Vec<(Vec<u8>, PathBuf)>> {
        let mut found = self.find()?;
        for name in expected {
            if let Some(state) = self.state(name.as_bytes())? {
                found.insert(name.as_bytes().to_owned(), state);
            }
        }
        found.retain(|name, state| self.known.get(name) != Some(state));
        Ok(found.into_keys().map(|name| (name.clone(), self.path(&name))).collect())
    }

    /// After a run that failed: what it wrote is nobody's.
    pub(super) fn discard(&mut self, expected: &[Word]) -> io::Result<()> {
        let mut found = self.find()?;
        for name in expected {
            if let Some(state) = self.state(name.as_bytes())? {
                found.insert(name.as_bytes().to_owned(), state);
            }
        }
        for (name, state) in found {
            if self.own && !self.known.contains_key(&name) {
                fs::remove_file(self.path(&name))?;
            } else {
                self.known.insert(name, state);
            }
        }
        Ok(())
    }

    fn path(&self, name: &[u8]) -> PathBuf {
        self.folder.join(OsStr::from_bytes(name))
    }

    /// The state of a regular file of this name; none where there is none.
    fn state(&self, name: &[u8]) -> io::Result<Option<State>> {
        match self.path(name).symlink_metadata() {
            Ok(found) => Ok(found.is_file().then(|| State::of(&found))),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The regular files that match a pattern. Links are not followed.
    fn find(&self) -> io::Result<BTreeMap<Vec<u8>, State>> {
        let mut found = BTreeMap::new();
        let mut folders: Vec<(Vec<u8>, Vec<&[PatternPart]>)> = Vec::new();
        if !self.patterns.is_empty() {
            folders.push((Vec::new(), self.patterns.iter().map(FilePattern::parts).collect()));
        }
        while let Some((folder, patterns)) = folders.pop() {
            let entries = match self.path(&folder).read_dir() {
                // What is removed meanwhile is not there.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries?,
            };
            for entry in entries {
                let entry = entry?;
                let kind = entry.file_type()?;
                if !kind.is_file() && !kind.is_dir() {
                    continue;
                }
                let own = entry.file_name();
                let text = own.to_string_lossy();
                let mut below = Vec::new();
                let mut matches = false;
                for parts in &patterns {
                    matches |= PatternPart::step(parts, &text, &mut below);
                }
                let wanted = if kind.is_dir() { !below.is_empty() } else { matches };
                if !wanted {
                    continue;
                }
                let mut name = folder.clone();
                if !name.is_empty() {
                    name.push(b'/');
                }
                name.extend_from_slice(&own.into_vec());
                if kind.is_dir() {
                    folders.push((name, below));
                } else if let Some(state) = self.state(&name)? {
                    found.insert(name, state);
                }
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yields(patterns: &[&str]) -> Yields {
        let pattern = |text: &&str| FilePattern::try_from(Word::from(*text)).expect("a pattern");
        Yields { collect: patterns.iter().map(pattern).collect(), ..Yields::default() }
    }

    fn names(collected: &[Collected]) -> Vec<String> {
        collected.iter().map(|file| String::from_utf8_lossy(&file.name).into_owned()).collect()
    }

    fn write(folder: &Path, name: &str, text: &str) {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("below the folder")).expect("made");
        fs::write(path, text).expect("written");
    }

    #[test]
    fn what_is_new_or_changed_comes_back() {
        for own in [true, false] {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path();
            write(path, "in/a.txt", "input");
            write(path, "in/b.txt", "input");
            let yields = yields(&["**/*.txt"]);
            let mut collector = Collector::new(path, &yields, own).expect("read");
            collector.before(&[]).expect("read");
            write(path, "in/b.txt", "INPUT");
            write(path, "out/c.txt", "1");
            write(path, "c.txt", "12");
            write(path, "c.dat", "no");
            std::os::unix::fs::symlink("c.txt", path.join("link.txt")).expect("made");
            let written = collector.after(&[]).expect("all is well");
            assert_eq!(names(&written), ["c.txt", "in/b.txt", "out/c.txt"]);
            assert_eq!(written.iter().map(|file| file.bytes).collect::<Vec<_>>(), [2, 5, 1]);
            assert_eq!(written.iter().map(|file| file.remove).collect::<Vec<_>>(), [own, false, own]);
            for file in written.iter().filter(|file| file.remove) {
                fs::remove_file(&file.path).expect("removed");
            }
            collector.before(&[]).expect("read");
            assert!(collector.after(&[]).expect("all is well").is_empty());
            write(path, "c.txt", "34");
            assert_eq!(names(&collector.after(&[]).expect("all is well")), ["c.txt"]);
        }
    }

    #[test]
    fn what_a_failed_run_left_is_not_the_next_ones() {
        for own in [true, false] {
            let folder = tempfile::tempdir().expect("a folder");
            let yields = yields(&["*.txt"]);
            let mut collector = Collector::new(folder.path(), &yields, own).expect("read");
            write(folder.path(), "a.txt", "half");
            collector.discard(&[]).expect("read");
            collector.before(&[]).expect("read");
            write(folder.path(), "b.txt", "whole");
            assert_eq!(names(&collector.after(&[]).expect("all is well")), ["b.txt"]);
            assert_eq!(folder.path().join("a.txt").exists(), !own);
        }
    }

    #[test]
    fn what_is_expected_has_to_be_new() {
        let folder = tempfile::tempdir().expect("a folder");
        let yields = Yields::default();
        let expected = [Word::from("out/x.png")];
        let mut collector = Collector::new(folder.path(), &yields, true).expect("read");
        let missing = |collector: &mut Collector<'_>| match collector.after(&expected) {
            Err(Cause::Missing(why)) => why,
            other => panic!("{other:?}"),
        };
        collector.before(&expected).expect("read");
        assert_eq!(missing(&mut collector), "out/x.png");
        fs::create_dir_all(folder.path().join("out/x.png")).expect("made");
        assert_eq!(missing(&mut collector), "out/x.png is no regular file");
        fs::remove_dir(folder.path().join("out/x.png")).expect("removed");
        write(folder.path(), "out/x.png", "1");
        assert_eq!(names(&collector.after(&expected).expect("there")), ["out/x.png"]);
        collector.before(&expected).expect("read");
        assert_eq!(missing(&mut collector), "out/x.png was there before, and is as it was");
        write(folder.path(), "out/x.png", "1");
        assert_eq!(names(&collector.after(&expected).expect("there")), ["out/x.png"], "written again");
    }
}
