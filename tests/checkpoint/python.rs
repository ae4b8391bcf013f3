//! The library for Python, by itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::kit::{Dir, answer, said, say};

/// A Python with numpy: the one that is here, or one that is made for it.
pub(crate) fn the_library_for_python_and_numpy() {
    let has_numpy = |python: &Path| {
        Command::new(python).args(["-c", "import numpy"]).output().is_ok_and(|output| output.status.success())
    };
    let own = Path::new(env!("CARGO_TARGET_TMPDIR")).join("numpy");
    let mut python = PathBuf::from("python3");
    if !has_numpy(&python) {
        python = own.join("bin/python3");
    }
    if !has_numpy(&python) {
        let made = Command::new("python3").args(["-m", "venv"]).arg(&own).output();
        let made = made.and_then(|_| Command::new(&python).args(["-m", "pip", "install", "--quiet", "numpy"]).output());
        if !has_numpy(&python) {
            let why = made.map_or_else(|error| error.to_string(), |output| said(&output));
            assert!(std::env::var_os("CI").is_none(), "no numpy: {why}");
            say("skipped: no numpy is here, and none can be had");
            return;
        }
    }
    let dir = Dir::new();
    let python = python.to_string_lossy();
    let output = dir.python_by(&python, "tests/checkpoint/test_python.py", &["Values", "Loops", "Mistakes"]).output();
    let output = output.expect("started");
    let text = said(&output);
    assert!(output.status.success() && !text.contains("numpy is not here") && !text.contains("skipped"), "{text}");
}

/// The same numbers for the same key and item.
pub(crate) fn seeds_are_those_of_rust() {
    let dir = Dir::new();
    let program = "import sys; from split_checkpoint import seed; print(*[seed(key, item) for key in sys.argv[1:] for item in range(50)])";
    let keys = ["sum/1", "", "ising/beta=0.44/\u{e4}"];
    std::fs::write(dir.path("seeds.py"), program).expect("written");
    let ours: Vec<_> =
        keys.iter().flat_map(|key| (0..50).map(|item| split::checkpoint::seed(key, item).to_string())).collect();
    let theirs = answer(dir.python(&dir.path("seeds.py").display().to_string(), &keys));
    assert_eq!(theirs, ours.join(" "));
}

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
