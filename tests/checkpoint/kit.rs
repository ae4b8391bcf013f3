//! A folder of its own for each test, and the programs that are killed in it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use split::checkpoint::{FOLDER, IDENTITY, INTERRUPTION, Settings};

/// A temporary folder, in which programs run; their checkpoints are in its `checkpoints`.
pub(crate) struct Dir(tempfile::TempDir);

impl Dir {
    pub(crate) fn new() -> Self {
        Self(tempfile::Builder::new().prefix("split-checkpoint-").tempdir().expect("a temporary folder"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Settings that keep their checkpoints in the folder.
    pub(crate) fn settings<S>(&self, key: &str) -> Settings<S> {
        Settings::new(key).folder(self.path("checkpoints"))
    }

    /// This program as a worker.
    pub(crate) fn worker(&self, words: &[&str]) -> Command {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.arg("worker").args(words);
        self.set_up(command)
    }

    /// A Python program of the repository, with the library where it finds it.
    pub(crate) fn python(&self, program: &str, words: &[&str]) -> Command {
        self.python_by("python3", program, words)
    }

    pub(crate) fn python_by(&self, python: &str, program: &str, words: &[&str]) -> Command {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(python);
        command.arg("-B").arg(here.join(program)).args(words);
        command.env("PYTHONPATH", here.join("src/checkpoint"));
        self.set_up(command)
    }

    fn set_up(&self, mut command: Command) -> Command {
        command.current_dir(self.0.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for name in [FOLDER, IDENTITY, INTERRUPTION, "DIE_AT", "DIE_WRITING"] {
            command.env_remove(name);
        }
        command
    }

    /// The bytes of all checkpoints, by their names.
    pub(crate) fn files(&self) -> Vec<(String, Vec<u8>)> {
        let Ok(entries) = fs::read_dir(self.path("checkpoints")) else { return Vec::new() };
        let mut files: Vec<_> = entries
            .map(|entry| {
                let entry = entry.expect("listed");
                (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).expect("read"))
            })
            .collect();
        files.sort();
        files
    }
}

/// What a program printed, once it has ended well.
#[track_caller]
pub(crate) fn answer(mut command: Command) -> String {
    let output = command.output().expect("started");
    assert!(output.status.success(), "{command:?}: {}", said(&output));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Runs a program that is killed.
#[track_caller]
pub(crate) fn killed(mut command: Command) {
    use std::os::unix::process::ExitStatusExt;
    let output = command.output().expect("started");
    assert_eq!(output.status.signal(), Some(9), "{command:?}: {}", said(&output));
}

/// Everything about how it ended.
pub(crate) fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\n{}{}", output.status, text(&output.stdout), text(&output.stderr))
}

/// Says something on standard error.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// SplitMix64: fixed numbers.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}
