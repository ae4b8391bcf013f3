//! `split status`.

use std::fs;
use std::io::{BufRead, BufReader, Write};

use serde_json::Value;

use crate::kit::{Dir, until};
use crate::log::{Log, computed, dagman, half_way, transcript};

/// The document that `--json` prints.
fn json(dir: &Dir) -> Value {
    serde_json::from_slice(&dir.split("status --json").ok().out).expect("JSON")
}

#[test]
fn a_plan_from_its_submission_to_its_answer() {
    let dir = computed("never", &[]);
    insta::assert_snapshot!("a plan that was not submitted", transcript(&dir.split("status").refuses(0)));

    let dir = computed("1", &[0, 1, 2, 4]);
    dagman().write(&dir, "plan.dag.dagman.log");
    insta::assert_snapshot!("submitted, and no job yet", transcript(&dir.split("status").ok()));
    half_way().write(&dir, "logs/events.log");
    insta::assert_snapshot!("half way", transcript(&dir.split("status").ok()));
    insta::assert_snapshot!("half way, as JSON", transcript(&dir.split("status --json").ok()));
    // What HTCondor itself says of it is not asked.
    dir.write("plan.dag.status", "garbage");
    dir.split("status").ok().says("3 done, 3 running (1 out of sight), 2 idle");

    let log = half_way().exits(15, 0).exits(16, 0).exits(17, 0).starts(18, "ep1").starts(19, "ep1").after(60);
    log.exits(18, 0).exits(19, 0).removed(13).write(&dir, "logs/events.log");
    dagman().after(400).exits(1, 1).write(&dir, "plan.dag.dagman.log");
    insta::assert_snapshot!("ended", transcript(&dir.split("status").ok()));

    dir.program("tool", "#!/bin/sh\necho $1\n");
    dir.split("run . --mixed").ok();
    insta::assert_snapshot!("computed here", transcript(&dir.split("status outputs").ok()));
    let found = json(&dir);
    assert_eq!((&found["chunks"]["done"], &found["items"]["covered"]), (&10.into(), &10.into()));
    assert_eq!(found["without_results"]["damaged"]["attempts"], 0, "whoever computed it");
}

#[test]
fn results_count_and_not_exit_codes() {
    let dir = computed("never", &[0]);
    let log = Log::new().submitted(10, "chunk-000000-g1").submitted(11, "chunk-000001-g1");
    let log = log.starts(10, "ep1").starts(11, "ep2").after(30).exits(10, 0).exits(11, 0);
    log.write(&dir, "logs/events.log");
    let found = json(&dir);
    assert_eq!((&found["chunks"]["done"], &found["chunks"]["failed"]), (&1.into(), &1.into()));
    assert_eq!(found["with_results"], serde_json::json!({"attempts": 1, "seconds": 30}));
    assert_eq!(found["without_results"]["damaged"], serde_json::json!({"attempts": 1, "seconds": 30}));
}

#[test]
fn a_rescue_starts_where_the_one_before_ended() {
    let dir = computed("never", &[0]);
    let first = || {
        let log = Log::new().submitted(10, "chunk-000000-g1").submitted(11, "chunk-000001-g1").starts(10, "ep1");
        log.starts(11, "ep2").after(30).exits(10, 0).exits(11, 70)
    };
    first().write(&dir, "logs/events.log");
    dagman().after(40).exits(1, 1).write(&dir, "plan.dag.dagman.log");
    let places = |dir: &Dir| {
        let found = json(dir);
        let chunks = &found["chunks"];
        ["done", "running", "idle", "held", "failed", "waiting"].map(|place| chunks[place].as_u64().expect("a number"))
    };
    assert_eq!(places(&dir), [1, 0, 0, 0, 1, 8]);
    // DAGMan is there again, and has submitted nothing yet.
    dagman().after(40).exits(1, 1).after(10).submitted(20, "").write(&dir, "plan.dag.dagman.log");
    assert_eq!(places(&dir), [1, 0, 0, 0, 0, 9]);
    first().after(25).submitted(21, "chunk-000001-g1").starts(21, "ep1").write(&dir, "logs/events.log");
    assert_eq!(places(&dir), [1, 1, 0, 0, 0, 8]);
    // As after `split resume`: other names, and what was computed counts.
    let resumed = || first().after(25).submitted(31, "chunk-000001-g2").starts(31, "ep1");
    dir.write("plan.dag.dagman.log", "");
    dir.split("resume").ok();
    resumed().write(&dir, "logs/events.log");
    assert_eq!(places(&dir), [1, 1, 0, 0, 0, 8]);
    resumed().after(5).submitted(32, "chunk-000002-g2").removed(31).write(&dir, "logs/events.log");
    assert_eq!(places(&dir), [1, 0, 1, 0, 1, 7]);
    assert_eq!(json(&dir)["without_results"]["failed"]["seconds"], 30, "also what an older plan cost");
}

#[test]
fn a_log_that_is_cut_short_or_garbage_gives_a_state() {
    let dir = computed("never", &[0]);
    half_way().write(&dir, "logs/events.log");
    let whole = fs::read(dir.path("logs/events.log")).expect("read");
    for length in (0..whole.len()).step_by(701) {
        dir.write("logs/events.log", &whole[..length]);
        let found = json(&dir);
        let places = ["done", "running", "idle", "held", "failed", "waiting"].iter();
        let all: u64 = places.map(|place| found["chunks"][place].as_u64().expect("a number")).sum();
        assert_eq!(all, 10, "{found}");
    }
    dir.write("logs/events.log", [&[0xff, 0, b'\n'][..], &whole, b"\n005 ("].concat());
    dir.split("status").ok().says("1 done");
}

#[test]
fn machines_that_fail_are_named() {
    let dir = computed("never", &[]);
    let mut log = Log::new();
    for chunk in 0..10 {
        log = log.submitted(10 + chunk, &format!("chunk-{chunk:06}-g1"));
    }
    for (cluster, host) in (10..16).zip(["ep1", "ep2"].into_iter().cycle()) {
        log = log.starts(cluster, host).after(3);
        log = if host == "ep2" { log.requeued(cluster, 74) } else { log.exits(cluster, 0) };
    }
    log.write(&dir, "logs/events.log");
    dir.split("status").ok().says("on ep2 3 of 3 attempts failed").is_silent_on("on ep1");
}

#[test]
fn following_ends_with_the_dag() {
    let dir = computed("never", &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    dagman().write(&dir, "plan.dag.dagman.log");
    let log = || Log::new().submitted(10, "chunk-000000-g1").starts(10, "ep1").after(30).exits(10, 0);
    log().write(&dir, "logs/events.log");
    let last = dir.partial(9);
    let kept = fs::read(&last).expect("read");
    fs::remove_file(&last).expect("removed");
    let mut watch = dir.split("status --watch").start();
    let mut lines = BufReader::new(watch.stdout());
    let mut line = String::new();
    lines.read_line(&mut line).expect("a line");
    assert!(line.starts_with("9 of 10 chunks done, 1 not submitted"), "{line}");
    fs::write(&last, kept).expect("written");
    let mut ended = fs::File::options().append(true).open(dir.path("plan.dag.dagman.log")).expect("there");
    ended
        .write_all(
            b"005 (001.000.000) 2026-11-22 12:10:00 Job terminated.\n\t(1) Normal termination (return value 0)\n...\n",
        )
        .expect("written");
    until("the end", || watch.has_ended());
    let rest: Vec<String> = lines.lines().map(|line| line.expect("a line")).collect();
    assert!(rest.iter().any(|line| line == "10 chunks: 10 done"), "{rest:?}");
    assert_eq!(rest.last().map(String::as_str), Some("next: split reduce ."));
    // There is nothing to follow.
    dir.split("status --watch").ok().says("10 chunks: 10 done");
}

#[test]
fn what_cannot_be_asked() {
    let dir = Dir::new();
    dir.split("status").refuses(5).says("there is no plan");
    dir.split("status --watch --json").refuses(2);
    dir.split("plan --total 3 --chunks 3 --dir there").ok();
    dir.split("status there").ok().says("next: cd there && condor_submit_dag plan.dag");
}
