//! Programs that run other programs, by their names and by scripts' first lines.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Interpreters, without the numbers of their versions. Each needs a library of its own kind beside it.
const KNOWN: [&str; 30] = [
    "python",
    "pypy",
    "R",
    "Rscript",
    "julia",
    "octave",
    "octave-cli",
    "matlab",
    "perl",
    "ruby",
    "node",
    "nodejs",
    "java",
    "lua",
    "luajit",
    "tclsh",
    "wish",
    "php",
    "guile",
    "racket",
    "scilab",
    "sage",
    "maple",
    "sh",
    "bash",
    "dash",
    "zsh",
    "ksh",
    "csh",
    "tcsh",
];

/// Folders that belong to a machine: what is there on one is found on another, or not at all.
const SYSTEM: [&str; 8] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc"];

/// Whether a program of this name is a known interpreter: `python3.11` is, `python-report` is not.
pub(super) fn is_interpreter(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    KNOWN.contains(&name.trim_end_matches(|letter: char| letter.is_ascii_digit() || ".-".contains(letter)))
}

/// Whether a path lies in a folder that belongs to the machine.
pub(super) fn is_of_the_system(path: &Path) -> bool {
    path.parent().is_none() || SYSTEM.iter().any(|folder| path.starts_with(folder))
}

/// The interpreter that a script's first line names; `None` where the file is no script.
pub(super) fn named_by(script: &Path) -> Option<PathBuf> {
    let mut start = Vec::new();
    File::open(script).ok()?.take(4096).read_to_end(&mut start).ok()?;
    let line = start.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?.trim_ascii();
    let program = line.split(u8::is_ascii_whitespace).next()?;
    Some(PathBuf::from(OsStr::from_bytes(program)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpreters_are_known_by_name_and_in_any_version() {
        for name in ["python", "python3", "python3.11", "R", "Rscript", "bash", "octave-cli-9.4.0", "lua5.4", "pypy3"] {
            assert!(is_interpreter(OsStr::new(name)), "{name}");
        }
        for name in ["python-report", "sum", "shell", "Rplot", "node_modules", "", "3"] {
            assert!(!is_interpreter(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn scripts_name_their_interpreters() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("script");
        let named = |text: &str| {
            std::fs::write(&path, text).expect("written");
            named_by(&path)
        };
        assert_eq!(named("#! /usr/bin/env python3\n"), Some("/usr/bin/env".into()));
        assert_eq!(named("#!/home/x/.venv/bin/python"), Some("/home/x/.venv/bin/python".into()));
        assert_eq!(named("print(1)\n"), None);
        assert!(is_of_the_system(Path::new("/usr/bin/env")) && !is_of_the_system(Path::new("/usrx")));
    }
}
