//! Environments and installations: folders whose files work only together.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::interpreter::{is_interpreter, is_of_the_system};
use super::relocate::conda_paths;
use super::walk::Spot;

/// What kind of folder it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvironmentKind {
    /// A virtual environment of Python's: it holds `pyvenv.cfg`.
    Virtual,
    /// An environment of conda's: it holds `conda-meta/`.
    Conda,
    /// An installation of an interpreter: `bin/` and what belongs to it.
    Installation,
}

/// The Python that a virtual environment was made by, and needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeBy {
    /// Such as `3.11.7`.
    pub version: String,
    /// The folder that it is in.
    pub home: PathBuf,
}

/// The kind of environment that a folder is, by what it holds.
pub(super) fn kind_of(folder: &Path) -> Option<EnvironmentKind> {
    // A link is what an earlier plan laid down of one.
    if folder.join("pyvenv.cfg").symlink_metadata().is_ok_and(|found| found.is_file()) {
        Some(EnvironmentKind::Virtual)
    } else if folder.join("conda-meta").is_dir() {
        Some(EnvironmentKind::Conda)
    } else {
        None
    }
}

/// The environment or installation that a file belongs to: its folder, as one would name it from `base`. `file` is
/// relative to `base`.
pub(super) fn containing(base: &Path, file: &Path) -> Option<(PathBuf, EnvironmentKind)> {
    let Spot { up, names } = Spot::of(file);
    let above: PathBuf = std::iter::repeat_n("..", up).collect();
    // Folders above the one planned in are not taken whole because of what they hold.
    let least = usize::from(up > 0);
    let folders: Vec<&Path> = names.ancestors().skip(1).filter(|folder| folder.components().count() >= least).collect();
    let named = |folder: &Path| {
        let path = above.join(folder);
        if path.as_os_str().is_empty() { PathBuf::from(".") } else { path }
    };
    for folder in &folders {
        if let Some(kind) = kind_of(&base.join(named(folder))) {
            return Some((named(folder), kind));
        }
    }
    let real = base.join(file).canonicalize().ok()?;
    let known = |path: &Path| path.file_name().is_some_and(is_interpreter);
    let prefix = names.parent().filter(|bin| bin.ends_with("bin")).and_then(Path::parent)?;
    let is_own = !prefix.as_os_str().is_empty() && !is_of_the_system(&base.join(named(prefix)).canonicalize().ok()?);
    ((known(&real) || known(&names)) && is_own).then(|| (named(prefix), EnvironmentKind::Installation))
}

/// The absolute paths under which an environment is known to its own files: where it is, by way of links or not, and
/// where it was made. `given` is its path from `base`.
pub(super) fn old_paths(base: &Path, given: &Path) -> Vec<PathBuf> {
    let named: PathBuf = lexical(&base.join(given));
    let mut paths = vec![named.clone()];
    let more = named.canonicalize().ok().into_iter().chain(made_at(&named));
    for path in more {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

/// `path` without `.` and `..`, as a program would spell it.
pub(super) fn lexical(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(tidy.pop()),
            Component::CurDir => {}
            part => tidy.push(part),
        }
    }
    tidy
}

/// What `pyvenv.cfg` says of the Python that made an environment.
pub(super) fn made_by(folder: &Path) -> Option<MadeBy> {
    let text = fs::read_to_string(folder.join("pyvenv.cfg")).ok()?;
    let settings: BTreeMap<_, _> =
        text.lines().filter_map(|line| line.split_once('=')).map(|(key, value)| (key.trim(), value.trim())).collect();
    let version = settings.get("version").or_else(|| settings.get("version_info"))?;
    Some(MadeBy { version: (*version).to_owned(), home: settings.get("home")?.into() })
}

/// Whether an environment of conda's holds programs with its path in their binary code.
pub(super) fn has_path_in_binaries(folder: &Path) -> bool {
    let documents = folder.join("conda-meta").read_dir().into_iter().flatten().flatten();
    let mut documents = documents.map(|entry| entry.path()).filter(|path| path.extension() == Some("json".as_ref()));
    documents.any(|path| fs::read(path).is_ok_and(|bytes| !conda_paths(&bytes, "binary").is_empty()))
}

/// The folders and files that editable installs of an environment name: absolute paths in its `*.pth`.
pub(super) fn editable_paths(folder: &Path) -> Vec<PathBuf> {
    let libraries = folder.join("lib").read_dir().into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = Vec::new();
    for library in libraries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        let packages = library.path().join("site-packages").read_dir().into_iter().flatten().flatten();
        for entry in packages.filter(|entry| entry.path().extension() == Some("pth".as_ref())) {
            let text = fs::read(entry.path()).unwrap_or_default();
            let lines = text.split(|&byte| byte == b'\n').map(|line| Path::new(OsStr::from_bytes(line.trim_ascii())));
            paths.extend(lines.filter(|line| line.is_absolute()).map(Path::to_owned));
        }
    }
    paths.sort();
    paths.dedup();
    paths
}

/// Where an environment says that it is: its `activate`, or the first line of its `pip`.
fn made_at(folder: &Path) -> Option<PathBuf> {
    let activate = fs::read_to_string(folder.join("bin/activate")).unwrap_or_default();
    let told = activate.lines().filter_map(|line| line.split_once("VIRTUAL_ENV=")).find_map(|(_, value)| {
        let value = value.trim().trim_matches(['"', '\'']);
        value.starts_with('/').then(|| PathBuf::from(value))
    });
    let script = || super::interpreter::named_by(&folder.join("bin/pip"));
    let of_script = || script().and_then(|python| Some(python.parent()?.parent()?.to_owned()));
    told.or_else(of_script).filter(|path| path.is_absolute() && !is_of_the_system(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("below")).expect("made");
            fs::write(path, text).expect("written");
        }
        folder
    }

    #[test]
    fn members_are_told_by_what_lies_above_them() {
        let folder = folder(&[
            (".venv/pyvenv.cfg", ""),
            (".venv/bin/tool", ""),
            ("sim/conda-meta/history", ""),
            ("sim/bin/Rscript", ""),
            ("opt/lua/bin/lua5.4", ""),
            ("opt/own/bin/program", ""),
            ("bin/perl", ""),
            ("run/here.txt", ""),
        ]);
        let base = folder.path();
        let check = |base: &Path, file: &str, expected: Option<(&str, EnvironmentKind)>| {
            let found = containing(base, Path::new(file));
            assert_eq!(found, expected.map(|(root, kind)| (PathBuf::from(root), kind)), "{file}");
        };
        use EnvironmentKind::{Conda, Installation, Virtual};
        check(base, ".venv/bin/tool", Some((".venv", Virtual)));
        check(base, "./run/../.venv/bin/tool", Some((".venv", Virtual)));
        check(base, "sim/bin/Rscript", Some(("sim", Conda)));
        check(base, "opt/lua/bin/lua5.4", Some(("opt/lua", Installation)));
        check(base, "opt/own/bin/program", None);
        check(base, "bin/perl", None);
        check(&base.join("run"), "../.venv/bin/tool", Some(("../.venv", Virtual)));
        check(&base.join("run"), "../bin/perl", None);
        check(&base.join(".venv"), "bin/tool", Some((".", Virtual)));
        check(&base.join(".venv/bin"), "tool", None);
    }

    #[test]
    fn an_environment_says_where_it_was_made() {
        for (name, text) in [
            ("bin/activate", "x=1\n    VIRTUAL_ENV=$(cygpath \"/old/env\")\n    export VIRTUAL_ENV=\"/old/env\"\n"),
            ("bin/activate", "VIRTUAL_ENV='/old/env'\nexport VIRTUAL_ENV\n"),
            ("bin/pip", "#!/old/env/bin/python3.11\n"),
        ] {
            let folder = folder(&[(name, text)]);
            assert_eq!(made_at(folder.path()), Some("/old/env".into()), "{text}");
        }
        for (name, text) in [
            ("bin/activate", "VIRTUAL_ENV=\"$(dirname \"$0\")\"\n"),
            ("bin/pip", "#!/bin/sh\n"),
            ("bin/pip", "#!/usr/bin/python3\n"),
        ] {
            assert_eq!(made_at(folder(&[(name, text)]).path()), None, "{text}");
        }
    }

    #[test]
    fn the_python_that_made_it() {
        let made = |text: &str| made_by(folder(&[("pyvenv.cfg", text)]).path());
        let by = |version: &str, home: &str| Some(MadeBy { version: version.to_owned(), home: home.into() });
        assert_eq!(made("home = /usr/bin\nversion = 3.11.7\n"), by("3.11.7", "/usr/bin"));
        assert_eq!(made("home=/x/bin\nimplementation=CPython\nuv=0.5\nversion_info=3.12.8\n"), by("3.12.8", "/x/bin"));
        assert_eq!(made("home = /usr/bin\n"), None);
    }

    #[test]
    fn editable_installs_are_found() {
        let text = "/home/x/study/src\nimport os\nrelative\n";
        let folder = folder(&[("lib/python3.11/site-packages/a.pth", text)]);
        assert_eq!(editable_paths(folder.path()), [PathBuf::from("/home/x/study/src")]);
    }
}
