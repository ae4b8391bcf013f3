//! Scripts that mean coreutils' `split` get it.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use crate::kit::{Dir, SPLIT, Split, path_after};

/// A folder with ours first on PATH, and a file of 100 lines.
fn shadowed() -> (Dir, PathBuf) {
    let dir = Dir::new();
    fs::create_dir(dir.path("first")).expect("made");
    symlink(SPLIT, dir.path("first/split")).expect("linked");
    let lines: String = (1..=100).map(|line| format!("{line}\n")).collect();
    dir.write("file", lines);
    let bin = dir.path("first");
    (dir, bin)
}

fn call<'a>(dir: &'a Dir, words: &str) -> Split<'a> {
    let bin = dir.path("first");
    dir.command(bin.join("split")).args(words.split_whitespace()).env("PATH", path_after(&[&bin]))
}

/// The files that coreutils' split made, put together again in order.
fn pieces(dir: &Dir, prefix: &str) -> (usize, String) {
    let names: Vec<_> = dir.names("").into_iter().filter(|name| name.starts_with(prefix)).collect();
    (names.len(), names.iter().map(|name| dir.read(name)).collect())
}

#[test]
fn calls_of_coreutils_split() {
    for (words, prefix, number) in [
        ("-l 10 file", "x", 10),
        ("-n l/3 file x.", "x.", 3),
        ("-b 50 file part-", "part-", 6),
        ("file", "x", 1),
        ("file piece", "piece", 1),
        ("--lines=25 file", "x", 4),
        ("--bytes 1K file", "x", 1),
        ("-a 3 -d -l 50 -- file", "x", 2),
        ("-30 file", "x", 4),
    ] {
        let (dir, _) = shadowed();
        call(&dir, words).ok();
        assert_eq!(pieces(&dir, prefix), (number, dir.read("file")), "{words}");
    }
}

#[test]
fn its_exit_code_and_its_words_come_through() {
    let (dir, _) = shadowed();
    call(&dir, "-l 10 no-such-file").exits(1).says("no-such-file");
    call(&dir, "-l none file").exits(1).says("none");
}

#[test]
fn what_is_piped_in() {
    for (words, number) in [("", 1), ("-b 100 -", 3), ("-l 20", 5), ("- x", 1)] {
        let (dir, _) = shadowed();
        let shell = format!("cat file | split {words}");
        dir.command("sh").args(["-c", &shell]).env("PATH", path_after(&[&dir.path("first")])).ok();
        assert_eq!(pieces(&dir, "x"), (number, dir.read("file")), "{words}");
        let (dir, _) = shadowed();
        call(&dir, words).stdin(File::open(dir.path("file")).expect("opened")).ok();
        assert_eq!(pieces(&dir, "x"), (number, dir.read("file")), "{words}");
    }
}

#[test]
fn our_commands_work_with_something_piped_in() {
    let (dir, _) = shadowed();
    let shell = "cat file | split run --dir plan --total 1..=10 --chunks 2 -- sh -c 'cat; echo $SPLIT_FIRST'";
    dir.command("sh").args(["-c", shell]).env("PATH", path_after(&[&dir.path("first")])).answers("7\n");
    assert_eq!(pieces(&dir, "x").0, 0);
}

#[test]
fn nothing_at_all_is_ours() {
    let (dir, _) = shadowed();
    call(&dir, "").refuses(2).says("Usage: split");
}

#[test]
fn a_file_with_the_name_of_a_command() {
    let (dir, _) = shadowed();
    for name in ["run", "plan", "reduce"] {
        dir.write(name, "1\n2\n3\n");
    }
    call(&dir, "run --dir p --total 1..=10 --chunks 2").answers("55\n");
    call(&dir, "reduce p/outputs").answers("55\n");
    assert_eq!(pieces(&dir, "x").0, 0);
    call(&dir, "-l 1 run").ok();
    assert_eq!(pieces(&dir, "x").0, 3);
}

#[test]
fn a_mistake_in_our_command_is_ours_whatever_lies_in_the_folder() {
    let (dir, _) = shadowed();
    dir.write("plan", "1\n2\n3\n");
    call(&dir, "plan --totl 1..=10 --chunks 2").refuses(2).says("--total");
}

#[test]
fn mistyped_commands_get_a_suggestion() {
    let (dir, _) = shadowed();
    for (typed, meant) in [("paln", "plan"), ("reduc", "reduce"), ("rnu", "run"), ("plna --total 1..=10", "plan")] {
        let refused = call(&dir, typed).refuses(2);
        refused.says(&format!("`split {meant}`"));
    }
    call(&dir, "frobnicate").refuses(2).says("split --help");
}

#[test]
fn an_option_of_ours_without_its_command_is_no_call_of_coreutils() {
    let (dir, _) = shadowed();
    for words in ["--total 1..=100 --chunks 60", "--chunks 60 --total 1..=100 -- true {first}"] {
        call(&dir, words).refuses(2).says("split plan");
    }
}

#[test]
fn help_and_version_are_ours() {
    let (dir, _) = shadowed();
    for words in ["--help", "-h", "help", "--version", "-V", "help plan", "plan --help"] {
        let done = call(&dir, words).refuses(0);
        assert!(done.err.is_empty() && !done.out.is_empty());
    }
    call(&dir, "--help").ok().says("condor_submit_dag plan.dag");
    for code in ["  0  done", "  2  ", " 20  ", " 25  ", " 30  ", "130  "] {
        call(&dir, "--help").ok().says(code);
    }
}

#[test]
fn no_other_split_on_the_path() {
    let (dir, _) = shadowed();
    let empty = dir.path("empty");
    fs::create_dir(&empty).expect("made");
    dir.write("empty/split", "not a program");
    let alone =
        |words: &str| call(&dir, words).env("PATH", std::env::join_paths([&dir.path("first"), &empty]).expect("paths"));
    let refused = alone("-l 10 file").refuses(2);
    insta::assert_snapshot!(refused.transcript());
    alone("file").refuses(2).says("`file` is no command of split");
    alone("").stdin(File::open(dir.path("file")).expect("opened")).refuses(2).says("standard input");
    call(&dir, "-l 10 file").env("PATH", "").refuses(2).says("none on PATH");
    alone("run --dir plan --total 1..=10 --chunks 2").answers("55\n");
}

#[test]
fn several_of_ours_on_the_path_come_to_the_other_one_all_the_same() {
    let (dir, first) = shadowed();
    let second = dir.path("second");
    fs::create_dir(&second).expect("made");
    fs::copy(SPLIT, second.join("split")).expect("copied");
    for copy in [&first, &second] {
        let path = path_after(&[&first, &second]);
        // Where each hands over to the other, that goes on for ever.
        let call = dir.command("timeout").arg("5").arg(copy.join("split")).args(["-l", "10", "file"]).env("PATH", path);
        call.ok();
    }
    assert_eq!(pieces(&dir, "x"), (10, dir.read("file")));
}

#[test]
fn under_a_name_of_its_own_it_is_never_coreutils() {
    let dir = Dir::new();
    dir.write("file", "1\n2\n");
    let ours = |words: &str| dir.command(env!("CARGO_BIN_EXE_htc-split")).args(words.split_whitespace());
    ours("-l 1 file").refuses(2).says("unexpected argument '-l'").says("Usage: htc-split <COMMAND>");
    ours("rnu").refuses(2).says("did you mean `htc-split run`?");
    ours("--help").ok().says("  htc-split plan --total 1..=100").is_silent_on("  split ");
    ours("plan --total 1..=10 --chunks 2").ok().says("next: condor_submit_dag plan.dag");
    // What DAGMan runs has its usual name.
    assert!(dir.read("reduce.sub").contains("executable = plan.files/split\n"));
    ours("reduce outputs").exits(20).says("help: htc-split run ");
    ours("run .").answers("55\n");
}
