//! `split resume` cuts what is missing, and nothing that is done runs again.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::kit::Dir;

/// The items, by their numbers, of the nodes of plan.dag that are not done.
fn to_run(dir: &Dir) -> BTreeSet<u64> {
    let dag = dir.read("plan.dag");
    let done: BTreeSet<&str> =
        dag.lines().filter(|line| line.ends_with(" DONE")).filter_map(|line| line.split(' ').nth(1)).collect();
    let number = |line: &str, name: &str| -> u64 {
        let rest = line.split(&format!("{name}=\"")).nth(1).expect("there");
        rest.split('"').next().expect("there").parse().expect("a number")
    };
    let nodes = dag.lines().filter(|line| line.starts_with("VARS chunk-"));
    let nodes = nodes.filter(|line| !done.contains(line.split(' ').nth(1).expect("a name")));
    nodes.flat_map(|line| number(line, "start")..number(line, "stop")).collect()
}

#[test]
fn only_the_gaps_are_cut() {
    let dir = Dir::new();
    let script = "for i in $(seq $1 $2); do test -e ok || case $i in 37|38|90) exit 3;; esac; done; seq $1 $2 | awk '{s+=$1} END {print s}'";
    dir.write("ok.txt", "");
    let words = ["--", "sh", "-c", &script.replace('{', "{{").replace('}', "}}"), "sh", "{first}", "{last}"];
    dir.split("run --total 1..=100 --chunks 4 --slices 5 --retries 0 --input ok.txt").args(words).exits(30);
    dir.split("resume").ok().says("items)");
    assert_eq!(to_run(&dir), BTreeSet::from([36, 37, 89]), "{}", dir.read("plan.dag"));
    // A lost partial, too: what came back otherwise stays.
    for partial in dir.partials_of(0) {
        fs::remove_file(partial).expect("removed");
    }
    dir.split("resume").ok();
    let lost: BTreeSet<u64> = (0..25).chain([36, 37, 89]).collect();
    assert_eq!(to_run(&dir), lost);
    dir.split("reduce .").refuses(20);
}

#[test]
fn chunks_stay_whole_where_their_numbers_count() {
    let dir = Dir::new();
    let words = "run --total 1..=100 --chunks 4 --slices 5 --retries 0 -- sh -c";
    dir.split(words).args(["test $0 -ne 36 && echo 1", "{first}", "{chunk}"]).exits(30);
    let said =
        "chunks that lack anything are computed whole, 24 items again: the numbers of chunks are a part of the command";
    dir.split("resume").ok().says(said);
    assert_eq!(to_run(&dir), (25..50).collect());
}

/// Puts a record for every second of the items from `first` on into a partial that has one record of all of `count` items.
fn keep_every_second(partial: &Path, first: u64, count: u64) {
    let whole = fs::read_to_string(partial).expect("read");
    let items = format!("\"first\":{first},\"last\":{},\"kind\":\"whole\",\"bytes\":", first + count - 1);
    let (before, rest) = whole.split_once(&items).expect("a record of all");
    let (_, after) = rest.split_once(',').expect("a number");
    let (after, _) = after.split_once(",\"checksum\"").expect("it has one");
    let mut records = String::new();
    for item in (first..first + count).step_by(2) {
        let payload = format!("{item}\n");
        let bytes = payload.len();
        let header = format!("{before}\"first\":{item},\"last\":{item},\"kind\":\"whole\",\"bytes\":{bytes},{after}");
        let checksum = crc32fast::hash(format!("{header}{payload}").as_bytes());
        records += &format!("{header},\"checksum\":\"{checksum:08x}\"}}\n{payload}\n");
    }
    fs::write(partial, records).expect("written");
}

#[test]
fn where_there_are_very_many_gaps_chunks_are_computed_whole() {
    let dir = Dir::new();
    dir.split("run --total 20003 --chunks 3 --reduce concat -- seq {first} {last}").ok();
    keep_every_second(&dir.partial(0), 0, 6668);
    keep_every_second(&dir.partial(1), 6668, 6668);
    let resumed = dir.split("resume").ok();
    resumed.says("(6668 of 20003 items)").is_silent_on("computed whole");
    assert_eq!(to_run(&dir).len(), 6668);
    // Those of the last chunk make too many; the others are cut by now.
    keep_every_second(&dir.partial(2), 13336, 6667);
    let why = "chunks that lack anything are computed whole, 3334 items again: there are more than 10000 gaps";
    dir.split("resume").ok().says(why);
    assert_eq!(to_run(&dir).len(), 6668 + 6667);
    dir.split("reduce . --partial").ok().says("10002 of 20003 items covered once");
}

#[test]
fn two_reduces_at_once_give_one_answer() {
    let dir = Dir::new();
    dir.split("run --total 1..=2000 --chunks 500").answers("2001000\n");
    for _ in 0..5 {
        fs::remove_file(dir.path("result.json")).expect("there");
        let both = [dir.split("reduce .").start(), dir.split("reduce .").start()];
        for reduce in both {
            let ended = reduce.wait();
            assert_eq!((ended.code, &ended.out[..]), (Some(0), &b"2001000\n"[..]), "{}", ended.transcript());
        }
        assert!(dir.read("result.json").ends_with("}\n"));
    }
    assert!(dir.is_tidy());
}
