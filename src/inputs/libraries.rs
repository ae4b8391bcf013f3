//! The libraries that a binary program needs: which of them lie beside it, and which execute points may not have.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::elf::{self, Elf};
use super::interpreter::is_of_the_system;
use super::walk::Spot;

/// Where every loader looks, besides what ld.so.conf names.
const ALWAYS: [&str; 4] = ["/lib", "/usr/lib", "/lib64", "/usr/lib64"];

/// A library that a job would not find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingLibrary {
    /// The program or library that needs it.
    pub needed_by: PathBuf,
    /// Its name.
    pub name: OsString,
    /// The folder that it is found in here, if anywhere.
    pub here: Option<PathBuf>,
}

/// What a program's libraries are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Libraries {
    /// Those that the program looks for relative to itself and that are there, as they are named from the folder
    /// planned in.
    pub(super) beside: Vec<PathBuf>,
    pub(super) missing: Vec<MissingLibrary>,
}

/// Where a loader looks, and on what account.
pub(super) struct Search<'a> {
    /// The folder planned in.
    pub(super) base: &'a Path,
    /// LD_LIBRARY_PATH as the job has it.
    pub(super) job: Option<&'a OsStr>,
    /// LD_LIBRARY_PATH as it is here.
    pub(super) here: Option<OsString>,
    /// The machine's own folders.
    pub(super) system: Vec<PathBuf>,
}

impl<'a> Search<'a> {
    /// As things are on this machine.
    pub(super) fn new(base: &'a Path, job: Option<&'a OsStr>) -> Self {
        let mut system: Vec<_> = ALWAYS.iter().map(PathBuf::from).collect();
        system.extend(configured(Path::new("/etc/ld.so.conf"), 0));
        Self { base, job, here: std::env::var_os("LD_LIBRARY_PATH"), system }
    }

    /// The libraries of the program `given`, and of those that lie beside it. `is_sent` tells whether a file travels
    /// already.
    pub(super) fn of(&self, given: &Path, is_sent: &dyn Fn(&Path) -> bool) -> Libraries {
        let mut libraries = Libraries::default();
        let mut seen = BTreeSet::new();
        self.visit(given, &[], is_sent, &mut seen, &mut libraries);
        libraries
    }

    fn visit(
        &self,
        given: &Path,
        inherited: &[PathBuf],
        is_sent: &dyn Fn(&Path) -> bool,
        seen: &mut BTreeSet<OsString>,
        found: &mut Libraries,
    ) {
        let Some(Elf { needed, rpath, runpath, .. }) = elf::read(&self.base.join(given)) else { return };
        let origin = given.parent().unwrap_or(Path::new(""));
        let folders = |paths: &[OsString]| paths.iter().map(|path| expand(path, origin)).collect::<Vec<_>>();
        let (rpath, runpath) = (folders(&rpath), folders(&runpath));
        // An RPATH holds for all libraries further down, where there is no RUNPATH.
        let rpath: Vec<_> = if runpath.is_empty() { [&rpath, inherited].concat() } else { Vec::new() };
        for name in needed {
            if name.as_bytes().contains(&b'/') || !seen.insert(name.clone()) {
                continue;
            }
            let there = |folder: &&PathBuf| self.base.join(folder).join(&name).is_file();
            let own = rpath.iter().chain(&runpath).find(there);
            if let Some(folder) = own.filter(|folder| folder.is_relative()) {
                let Spot { up, names } = Spot::of(&folder.join(&name));
                let library: PathBuf = std::iter::repeat_n(PathBuf::from(".."), up).chain([names]).collect();
                found.beside.push(library.clone());
                self.visit(&library, &rpath, is_sent, seen, found);
                continue;
            }
            let in_job = self.job.is_some_and(|path| {
                std::env::split_paths(path).any(|folder| folder.is_relative() && is_sent(&folder.join(&name)))
            });
            let of_system = |folder: &&PathBuf| is_of_the_system(folder) || self.system.contains(folder);
            let here: Vec<_> = self.here.iter().flat_map(std::env::split_paths).collect();
            let elsewhere = own.or_else(|| here.iter().find(there)).filter(|folder| !of_system(folder)).cloned();
            if in_job || (elsewhere.is_none() && (own.is_some() || self.system.iter().any(|folder| there(&folder)))) {
                continue;
            }
            found.missing.push(MissingLibrary { needed_by: given.to_owned(), name, here: elsewhere });
        }
    }
}

/// A folder of an RPATH, as it is named from the folder planned in where it is relative to the file itself.
fn expand(path: &OsStr, origin: &Path) -> PathBuf {
    let text = path.as_bytes();
    let below = [&b"$ORIGIN"[..], b"${ORIGIN}"].iter().find_map(|mark| text.strip_prefix(*mark));
    match below {
        Some(below) => origin.join(OsStr::from_bytes(below.strip_prefix(b"/").unwrap_or(below))),
        None => PathBuf::from(path),
    }
}

/// The folders that a file like ld.so.conf names, ldconfig(8).
fn configured(file: &Path, depth: usize) -> Vec<PathBuf> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let mut folders = Vec::new();
    for line in text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
        if let Some(pattern) = line.strip_prefix("include").map(str::trim) {
            // Every distribution includes all of one folder.
            let folder = Path::new(pattern).parent().filter(|_| pattern.ends_with("/*.conf") && depth < 2);
            let mut files: Vec<_> = folder.into_iter().flat_map(Path::read_dir).flatten().flatten().collect();
            files.sort_by_key(std::fs::DirEntry::file_name);
            folders.extend(files.iter().flat_map(|entry| configured(&entry.path(), depth + 1)));
        } else if line.starts_with('/') {
            folders.push(PathBuf::from(line));
        }
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_named_from_the_folder_planned_in() {
        let check = |path: &str, folder: &str| assert_eq!(expand(path.as_ref(), Path::new("build")), Path::new(folder));
        check("$ORIGIN", "build");
        check("$ORIGIN/../lib", "build/../lib");
        check("${ORIGIN}/lib", "build/lib");
        check("/home/x/lib", "/home/x/lib");
    }

    #[test]
    fn the_machines_own_libraries_are_no_matter() {
        let search = Search { here: None, ..Search::new(Path::new("/"), None) };
        assert_eq!(search.of(Path::new("bin/sh"), &|_| false), Libraries::default());
        let bare = Search { system: Vec::new(), ..search };
        let missing = bare.of(Path::new("bin/sh"), &|_| false).missing;
        assert!(missing.iter().any(|missing| missing.name == "libc.so.6" && missing.here.is_none()), "{missing:?}");
    }

    #[test]
    fn configured_folders_are_read_with_what_they_include() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir(path("d")).expect("made");
        std::fs::write(path("d/b.conf"), "/two # comment\n").expect("written");
        std::fs::write(path("d/a.conf"), "# /none\n/one\n").expect("written");
        std::fs::write(path("conf"), format!("include {}\n/three\n", path("d/*.conf").display())).expect("written");
        assert_eq!(configured(&path("conf"), 0), ["/one", "/two", "/three"].map(PathBuf::from));
    }
}
