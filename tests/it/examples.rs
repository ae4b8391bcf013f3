//! The examples: what their README files tell a reader to type gives what they say.

use std::fs;
use std::path::{Path, PathBuf};

use crate::kit::{Dir, SPLIT};

/// Those that take programs which not every machine has, are followed on the pool; the programs of `checkpoint` are run by
/// tests/checkpoint.
const ELSEWHERE: [&str; 3] = ["checkpoint", "gromacs", "lammps"];

/// The folders below examples/ that tell how they are planned, sorted.
fn examples() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let entries = root.read_dir().expect("listed").map(|entry| entry.expect("listed").path());
    let mut examples: Vec<_> = entries
        .filter(|folder| folder.join("README.md").is_file() && !ELSEWHERE.iter().any(|name| folder.ends_with(name)))
        .collect();
    examples.sort();
    examples
}

/// The blocks of code in a README: the lines that are indented by four blanks.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in text.lines() {
        match line.strip_prefix("    ") {
            Some(code) => blocks.last_mut().expect("there is one").extend([code, "\n"]),
            None if blocks.last().is_some_and(|block| !block.is_empty()) => blocks.push(String::new()),
            None => {}
        }
    }
    blocks.retain(|block| !block.is_empty());
    blocks
}

/// Copies a folder's files.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in from.read_dir().expect("listed") {
        let entry = entry.expect("listed");
        let to = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), &to).expect("copied");
        }
    }
}

#[test]
fn each_example_prints_what_its_readme_says() {
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", Path::new(SPLIT).parent().expect("a folder").display());
    for example in examples() {
        let dir = Dir::new();
        copy(&example, &dir.path(""));
        let readme = dir.read("README.md");
        let blocks = blocks(&readme);
        let [here, on_a_pool, .., answer] = blocks.as_slice() else {
            panic!("{}: no commands and an answer", example.display());
        };
        let options = |block: &str, command: &str| {
            let line = block.lines().next().unwrap_or_default().to_owned();
            line.strip_prefix(command).map(str::to_owned)
        };
        let (ran, planned) = (options(here, "split run "), options(on_a_pool, "split plan "));
        assert!(ran.is_some() && ran == planned, "{}: the two are not alike:\n{here}{on_a_pool}", example.display());
        let ended = dir.command("sh").args(["-ec", here]).env("PATH", &path).ok();
        let printed = String::from_utf8_lossy(&ended.out).into_owned();
        assert_eq!(printed.trim_end(), answer.trim_end(), "{}", example.display());
    }
}

#[test]
fn pi_is_the_same_to_the_last_digit_whatever_the_cut() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/pi");
    let answers = ["1", "7", "60"].map(|chunks| {
        let dir = Dir::new();
        copy(&example, &dir.path(""));
        let run = dir.split("run --total 0..200 --reduce mean --chunks").arg(chunks);
        run.args(["--", "python3", "pi.py", "{items}"]).ok().out
    });
    assert!(answers[0].starts_with(b"3.1"), "{answers:?}");
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[test]
fn a_mean_of_random_numbers_is_the_same_for_ten_chunks_or_a_thousand() {
    // As in the example, with a program that starts more quickly: a number from 0 to 1 of each row's seed.
    let dir = Dir::new();
    let answers = ["10", "1000"].map(|chunks| {
        let run = dir.split("run --force --total 0..1000 --reduce mean --chunks").arg(chunks);
        run.args(["--", "sed", "-n", "2,$s/.*,/0./p", "{items}"]).ok().text()
    });
    assert!(answers[0].starts_with("0."), "{answers:?}");
    assert_eq!(answers[0], answers[1]);
}
