//! The library for Python, by itself.

use std::process::Command;

use crate::kit::{Dir, said};

/// Runs `test_python.py` with each Python that is here; the oldest that is meant is 3.6.
pub(crate) fn the_library_for_python() {
    let pythons = ["python3", "python3.6", "python3.7", "python3.8", "python3.13"];
    let runs =
        |python: &&&str| Command::new(python).args(["-c", ""]).output().is_ok_and(|output| output.status.success());
    let mut versions = Vec::new();
    for python in pythons.iter().filter(runs) {
        let dir = Dir::new();
        let output = dir.python_by(python, "tests/checkpoint/test_python.py", &[]).output().expect("started");
        assert!(output.status.success(), "{python}: {}", said(&output));
        versions.push(python);
    }
    assert!(!versions.is_empty(), "there is no Python here");
}
