//! `split resume` cuts what is missing, and nothing that is done runs again.

use std::collections::BTreeSet;
use std::fs;

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
    dir.split("resume").ok();
    assert_eq!(to_run(&dir), (25..50).collect());
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
