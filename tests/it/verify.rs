//! `split verify`.

use std::fs;

use rustix::process::Signal;

use crate::kit::{Dir, Ended, until};

/// A computed folder over `1..=30` in 15 chunks. Each run notes its chunk in `log`, and what `addend` holds is added to its
/// first item: the code is the same whatever that is.
fn computed() -> Dir {
    let dir = Dir::new();
    dir.write("addend", "0");
    let script = format!("cd '{}'; echo $SPLIT_CHUNK >> log; echo $(($SPLIT_FIRST + $(cat addend)))", dir.shown());
    dir.split("run --total 1..=30 --chunks 15 --jobs 1 -- sh -c").arg(script).ok();
    fs::remove_file(dir.path("log")).expect("written");
    dir
}

/// Which chunks were computed since.
fn log(dir: &Dir) -> Vec<u64> {
    let text = fs::read_to_string(dir.path("log")).unwrap_or_default();
    let _ = fs::remove_file(dir.path("log"));
    let mut chunks: Vec<_> = text.lines().map(|line| line.parse().expect("a chunk")).collect();
    chunks.sort_unstable();
    chunks
}

/// What it says, less what differs from run to run.
fn account(ended: &Ended<'_>) -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let text = ended.transcript().replace(&format!("on {host},"), "on [HOST],");
    let lines = text.lines().map(|line| match line.split_once("code is not the same: ") {
        Some((before, _)) => format!("{before}code is not the same: [CODE] then, [CODE] now"),
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn all_the_same() {
    let dir = computed();
    let partials = dir.partials();
    dir.split("verify").answers("15 of 15 records computed again: all the same\n").is_silent_on("--seed");
    assert_eq!(log(&dir), Vec::from_iter(0..15), "fewer than the sample: all of them");
    dir.split("verify outputs --sample 15 --jobs 4").answers("15 of 15 records computed again: all the same\n");
    assert_eq!(log(&dir), Vec::from_iter(0..15));
    assert!(dir.is_tidy() && dir.partials() == partials);
}

#[test]
fn a_seed_makes_the_same_choice_again() {
    let dir = computed();
    let chosen = |seed: &str| {
        let ended = dir.split("verify --sample 4 --seed").arg(seed).ok();
        ended.says(&format!("--seed {seed} chooses the same ones"));
        let chunks = log(&dir);
        ended.says(&format!("{} of 15 records computed again: all the same", chunks.len()));
        assert!((2..=4).contains(&chunks.len()), "4 items are in {chunks:?}");
        chunks
    };
    assert_eq!(chosen("7"), chosen("7"));
    let all: Vec<_> = ["1", "2", "3", "4"].map(chosen).into();
    assert!(all.iter().any(|chunks| *chunks != all[0]), "{all:?}");
    let ended = dir.split("verify --sample 4").ok();
    let seed = ended.err.split_once("--seed ").and_then(|(_, rest)| rest.split(' ').next()).expect("a seed");
    let first = log(&dir);
    assert_eq!(chosen(seed), first);
    dir.split("verify --sample 0").refuses(2);
}

#[test]
fn a_record_that_is_valid_and_wrong() {
    let dir = computed();
    // The same program with another addend, for chunk 3 alone: its code is the same.
    let before = dir.partial(3);
    fs::remove_file(&before).expect("removed");
    dir.write("addend", "1");
    dir.split("run .").answers("226\n");
    dir.write("addend", "0");
    let ended = dir.split("verify --jobs 2").exits(27);
    insta::assert_snapshot!(account(&ended));
    assert!(ended.out.is_empty() && dir.is_tidy());
}

#[test]
fn the_code_is_not_the_same_any_more() {
    let dir = Dir::new();
    dir.write("go.py", "import sys\nprint(int(sys.argv[1]) / 7)\n");
    dir.split("run --total 1..=3 --chunks 3 -- python3 go.py {first}").ok();
    dir.write("go.py", "import sys\nprint(int(sys.argv[1]) / 7 * (1 + 1e-13))\n");
    insta::assert_snapshot!(account(&dir.split("verify").exits(27)));
    // Of the same result by other code is told, too.
    dir.write("go.py", "import sys\nprint(int(sys.argv[1]) / 7.0)\n");
    dir.split("verify").ok().says("3 of 3 records computed again: all the same\nnote: 3 records by code that is not");
}

#[test]
fn a_program_that_says_another_thing_each_time() {
    let dir = Dir::new();
    dir.split("run --total 8 --chunks 8 --reduce concat -- od -An -N8 -tx1 /dev/urandom").ok();
    let ended = dir.split("verify").exits(27);
    ended.says("8 of 8 records computed again, 8 with another result").says("... and 3 more");
    ended.says("random numbers without a seed").is_silent_on("relative difference");
}

#[test]
fn a_program_that_fails_now() {
    let dir = Dir::new();
    dir.write("go.sh", "echo $1\n");
    dir.split("run --total 4 --chunks 2 -- sh go.sh {first}").ok();
    dir.write("go.sh", "[ $1 = 2 ] && { echo it is two >&2; exit 4; }\necho $1\n");
    insta::assert_snapshot!(account(&dir.split("verify").exits(30)));
}

#[test]
fn records_of_another_cut_are_computed_as_they_were() {
    let dir = Dir::new();
    let plan = |verb: &str| dir.split(verb).args(["--", "sh", "-c", "seq $SPLIT_FIRST $SPLIT_LAST; echo $SPLIT_CHUNK"]);
    plan("run --total 12 --chunks 4 --reduce concat").ok();
    fs::remove_file(dir.partial(1)).expect("removed");
    plan("plan --keep --total 12 --chunks 2 --reduce concat").ok();
    dir.split("verify").answers("3 of 3 records computed again: all the same\n");
}

#[test]
fn nothing_to_compute_again() {
    let dir = Dir::new();
    dir.split("verify").refuses(5);
    dir.split("plan --total 4 --chunks 2 -- echo {first}").ok();
    dir.split("verify").refuses(20).says("no item has a result yet");
    dir.split("run --force --total 4 --chunks 2").ok();
    dir.split("verify").answers("2 of 2 records computed again: all the same\n");
}

#[test]
fn ctrl_c_tells_what_was_done() {
    let dir = Dir::new();
    dir.write("go", "");
    let shown = dir.shown();
    let script = format!(
        "cd '{shown}'; [ $SPLIT_CHUNK = 0 ] || until [ -e go ]; do touch waits; sleep 0.02; done; echo $SPLIT_FIRST"
    );
    dir.split("run --total 4 --chunks 4 -- sh -c").arg(script).ok();
    fs::remove_file(dir.path("go")).expect("removed");
    let started = dir.split("verify --jobs 1").start();
    until("the second waits", || dir.path("waits").exists());
    started.signal(Signal::INT);
    let ended = started.wait();
    assert_eq!(ended.code, Some(130), "{}", ended.transcript());
    ended.says("stopped: 1 of 4 records computed again, all the same");
    assert!(dir.is_tidy());
}
