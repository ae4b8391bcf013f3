//! `split why`.

use std::fs;

use crate::kit::Dir;
use crate::log::{Log, computed, dagman, half_way, transcript};

#[test]
fn nothing_is_wrong() {
    let dir = computed("never", &[]);
    insta::assert_snapshot!("nothing is wrong", transcript(&dir.split("why").refuses(0)));
    dir.split("why 3").ok().says("chunk 3, item 3: nothing is wrong, it is not submitted\n");
    dir.split("why 10").refuses(2).says("0 to 9");
    dir.split("why chunk-000003-g2").refuses(2).says("end in -g1");
    Dir::new().split("why").refuses(5);
}

#[test]
fn failures_are_grouped_by_cause() {
    let dir = computed("1|4|5|6|8", &[0, 1, 2, 4, 5, 6, 8]);
    insta::assert_snapshot!("failed here", transcript(&dir.split("why").ok()));
    // Another exit code and another last line are other causes.
    let script = "#!/bin/sh\ncase $1 in 4) exit 5;; 5) echo no room >&2; exit 3;; [168]) echo no data for $1 >&2; exit 3;; esac\necho $1\n";
    dir.program("tool", script);
    dir.split("run . --partial --mixed").run();
    insta::assert_snapshot!("several causes", transcript(&dir.split("why").ok()));
    dir.split("why --dir .").ok();
    dir.split("why chunk-5").ok().says("| no room").says("here: split try chunk-5").is_silent_on("no data");
}

#[test]
fn a_chunk_tells_what_the_program_said_and_each_cause() {
    let dir = Dir::new();
    let run = |words: &[&str]| {
        dir.split("run --force --chunks 1 --retries 0").args(words).run();
    };
    run(&["--total", "1..=10", "--", "sh", "-c", "echo boom $0 >&2; exit 3", "{item}"]);
    let said = dir.split("why").ok();
    said.says("chunk 0, items 1..=10: the program ended with exit code 3\n  tried once, on ").says("| boom 1\n");
    said.is_silent_on("not run");
    dir.split("reduce .").refuses(20).says("exit code 3 (on ").says("| boom 1\n").is_silent_on("not run");
    let script = "case $0 in 3|7) echo no data for $0 >&2; exit 3;; 41) exit 4;; 5) echo no room >&2; exit 3;; *) echo $0;; esac";
    run(&["--total", "1..=50", "--", "sh", "-c", script, "{item}"]);
    for said in [dir.split("why").ok(), dir.split("why 0").ok()] {
        said.says("chunk 0, items 1..=50: the program ended with exit code 3\n  it failed on items 3, 7\n");
        said.says("| no data for 3\n  here: split try 3\n").is_silent_on("no data for 7");
        said.says("exit code 3\n  it failed on item 5\n").says("| no room\n");
        said.says("exit code 4\n  it failed on item 41\n").says("here: split try 41\n");
    }
    // What came back last counts, once for each item.
    dir.split("run .").run();
    dir.split("why").ok().says("  tried twice, on ").says("it failed on items 3, 7\n");
}

/// Gives the failure in a partial another cause.
fn recast(partial: &std::path::Path, cause: &str) {
    let whole = fs::read_to_string(partial).expect("read");
    let (header, payload) = whole.split_once('\n').expect("a header");
    let payload = payload.strip_suffix('\n').expect("an end");
    let (header, _) = header.split_once(",\"checksum\"").expect("it has one");
    let header = header.replace("{\"exit-code\":3}", cause);
    let mut crc = crc32fast::Hasher::new();
    crc.update(header.as_bytes());
    crc.update(payload.as_bytes());
    fs::write(partial, format!("{header},\"checksum\":\"{:08x}\"}}\n{payload}\n", crc.finalize())).expect("written");
}

#[test]
fn what_ran_out_is_to_be_raised() {
    let memory = "{\"out-of-memory\":1073741824}";
    let dir = computed("1|4|5|6|8", &[0, 1, 2, 4, 5, 6, 8]);
    for (chunk, cause) in [(1, memory), (4, "{\"out-of-memory\":null}"), (5, memory)] {
        recast(&dir.partial(chunk), cause);
    }
    recast(&dir.partial(6), "{\"out-of-disk\":\"/a/b: No space left on device\"}");
    recast(&dir.partial(8), "{\"out-of-disk\":\"/c: No space left on device\"}");
    insta::assert_snapshot!("what ran out", transcript(&dir.split("why").ok()));
    dir.split("why 6").ok().says("raise request_disk in chunk.sub");
}

#[test]
fn a_dag_half_way() {
    let dir = computed("1", &[0, 1, 2, 4]);
    dagman().write(&dir, "plan.dag.dagman.log");
    half_way().write(&dir, "logs/events.log");
    insta::assert_snapshot!("half way", transcript(&dir.split("why").ok()));
    let chunks = ["0", "1", "chunk-2", "chunk-000003-g1", "5", "9"];
    let each: Vec<_> = chunks.iter().map(|chunk| transcript(&dir.split("why").arg(chunk).ok())).collect();
    insta::assert_snapshot!("half way, a chunk at a time", each.join("\n"));
}

#[test]
fn what_never_came_back() {
    let dir = computed("never", &[0, 1, 2]);
    let [damaged, foreign] = [1, 2].map(|chunk| dir.partial(chunk));
    fs::write(&damaged, fs::read(&damaged).expect("read").split_last().expect("bytes").1).expect("written");
    let other = Dir::new();
    other.split("run --total 10 --chunks 10 -- echo {first}").ok();
    fs::copy(other.partial(2), &foreign).expect("copied");
    let mut log = Log::new();
    for chunk in 0..8 {
        log = log.submitted(10 + chunk, &format!("chunk-{chunk:06}-g1")).starts(10 + chunk, "ep1").after(3);
    }
    let signal = "(0) Abnormal termination (signal 9)\n(0) No core file";
    log = log.exits(10, 0).exits(11, 0).exits(12, 0).exits(13, 0).exits(14, 70).event(5, 15, "Job terminated.", signal);
    log.removed(16).event(24, 17, "Job reconnection failed", "").removed(17).write(&dir, "logs/events.log");
    dagman().after(99).exits(1, 1).write(&dir, "plan.dag.dagman.log");
    dir.write("logs/stopped.txt", "The DAG was stopped\n");
    insta::assert_snapshot!("what never came back", transcript(&dir.split("why").ok()));
}

#[test]
fn many_jobs_are_held() {
    let dir = computed("never", &[]);
    let mut log = Log::new();
    for chunk in 0..10 {
        log = log.submitted(10 + chunk, &format!("chunk-{chunk:06}-g1")).starts(10 + chunk, "ep1").after(3);
        log = log.held(10 + chunk, &format!("Error from slot1_{chunk}@ep1: no disk"), 13);
    }
    log.write(&dir, "logs/events.log");
    dagman().write(&dir, "plan.dag.dagman.log");
    insta::assert_snapshot!("many jobs are held", transcript(&dir.split("why").ok()));
}

#[test]
fn a_merge_that_fails() {
    let dir = computed("never", &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let log =
        Log::new().submitted(20, "reduce-g1").event(1, 20, "Job executing on host: <127.0.0.1:9618?alias=ap>", "");
    log.after(2).exits(20, 24).write(&dir, "logs/events.log");
    dagman().after(99).exits(1, 1).write(&dir, "plan.dag.dagman.log");
    dir.write("logs/reduce.err", "error: chunk 2, item 2: not a number\n");
    insta::assert_snapshot!("a merge that fails", transcript(&dir.split("why").ok()));
    insta::assert_snapshot!("the status of a merge that fails", transcript(&dir.split("status").ok()));
}
