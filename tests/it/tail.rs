//! The tail: what is missing once the chunks have run is cut again and run, without HTCondor and DAGMan.

use std::fs;

use crate::kit::{Dir, Split};
use crate::log::{Log, computed, dagman};

/// Fails where its items hold 37, until there is a file `mended`; with an exit code at which the runner does not look for the
/// bad item itself.
const PROGRAM: &str =
    "if seq $0 $1 | grep -qx 37 && [ ! -e \"$MENDED\" ]; then echo item 37 has no data >&2; exit 127; fi; seq $0 $1";

/// 100 items in 10 chunks.
fn planned(words: &str) -> Dir {
    let dir = Dir::new();
    let mended = format!("MENDED={}", dir.path("mended").display());
    let plan = dir.split("plan --total 1..=100 --chunks 10 --env").arg(mended).args(words.split_whitespace());
    plan.args(["--", "sh", "-c", PROGRAM, "{first}", "{last}"]).ok();
    dir
}

/// A job that has failed so often before; its partial is left in the folder where it belongs.
pub(crate) fn job<'a>(dir: &'a Dir, failed_before: u32, numbers: [&str; 3]) -> Split<'a> {
    let ad = dir.write("job.ad", format!("JobMaxRetries = 2\nNumJobCompletions = {failed_before}\n"));
    let job = dir.command("/usr/bin/env").arg("-i").arg(format!("_CONDOR_JOB_AD={}", ad.display()));
    let job = job.arg(dir.path("plan.files/split-runner")).args(["exec", "../plan.files/job/job.json"]);
    job.args(numbers).within("outputs")
}

/// Runs the jobs that a DAG names, with all their attempts; which chunk's, and which items.
pub(crate) fn run_all(dir: &Dir, dag: &str) -> Vec<[String; 3]> {
    let number = |line: &str, name: &str| {
        let rest = line.split_once(&format!("{name}=\""))?.1;
        Some(rest.split_once('"')?.0.to_owned())
    };
    let dag = dir.read(dag);
    let lines = dag.lines().filter(|line| line.starts_with("VARS "));
    let jobs = lines.map(|line| ["chunk", "start", "stop"].map(|name| number(line, name).expect("a number")));
    let jobs: Vec<_> = jobs.collect();
    for numbers in &jobs {
        let failed = |before: &u32| job(dir, *before, numbers.each_ref().map(String::as_str)).run().code != Some(0);
        assert!((0..3).take_while(failed).count() < 3, "the last attempt yields");
    }
    jobs
}

#[test]
fn a_bad_item_is_narrowed_down_and_computed_once_it_is_mended() {
    let dir = planned("");
    assert_eq!(run_all(&dir, "plan.dag").len(), 10);
    assert_eq!(dir.partials_of(3).len(), 3, "two retries");
    dir.split("tail 1").ok().says("10 items of 100 in 8 pieces: tail-1.dag");
    insta::assert_snapshot!("tail-1.dag", dir.read("tail-1.dag"));
    assert_eq!(run_all(&dir, "tail-1.dag").len(), 8);
    // It was tried alone, and as often as a job is tried.
    dir.split("tail 2").exits(79);
    assert!(!dir.path("tail-2.dag").exists());
    insta::assert_snapshot!("what is missing", dir.split("tail end").exits(20).transcript());
    assert!(dir.read("logs/missing.txt").contains("chunk 3, item 37: the program ended with exit code 127"));

    // The next submission goes by the records, and by nothing that the one before has left.
    dir.write("tail-1.dag.rescue001", "DONE tail-1-chunk-000003-000-g1\n");
    dir.write("mended", "");
    dir.split("tail 1").ok().says("1 item of 100 in 1 piece: tail-1.dag");
    assert!(dir.path("aside-001/tail-1.dag.rescue001").exists() && !dir.path("tail-1.dag.rescue001").exists());
    assert_eq!(run_all(&dir, "tail-1.dag"), [["3", "36", "37"].map(str::to_owned)]);
    dir.split("tail 2").exits(79);
    dir.split("tail end").ok();
    assert_eq!(dir.read("logs/missing.txt"), "all 100 items are there\n");
    dir.split("reduce .").answers("5050\n");
}

#[test]
fn what_the_runner_has_narrowed_down_is_tried_alone_once_more() {
    let dir = Dir::new();
    let plan = dir.split("plan --total 1..=100 --chunks 2 --reduce concat -- sh -c");
    plan.args(["if seq $0 $1 | grep -qx 37; then exit 3; fi; seq $0 $1", "{first}", "{last}"]).ok();
    run_all(&dir, "plan.dag");
    dir.split("tail 1").ok().says("1 item of 100 in 1 piece: tail-1.dag");
    assert_eq!(run_all(&dir, "tail-1.dag"), [["0", "36", "37"].map(str::to_owned)]);
    dir.split("tail 2").exits(79);
    dir.split("tail end").exits(20).says("1 of 100 items have no result");
}

#[test]
fn the_last_round_tries_items_one_by_one() {
    let dir = planned("");
    let big = dir.split("plan --force --total 1..=1000 --chunks 1 --env").arg("MENDED=no").args(["--", "sh", "-c"]);
    big.args([PROGRAM, "{first}", "{last}"]).ok();
    assert_eq!(run_all(&dir, "plan.dag").len(), 1);
    dir.split("tail 1").ok().says("1000 items of 1000 in 8 pieces");
    run_all(&dir, "tail-1.dag");
    dir.split("tail 2").ok().says("125 items of 1000 in 125 pieces: tail-2.dag");
    let dag = dir.read("tail-2.dag");
    assert!(dag.contains("JOB tail-2-chunk-000000-124-g2 chunk.sub") && !dag.contains("SUBDAG"), "{dag}");
    job(&dir, 2, ["0", "36", "37"]).ok();
    job(&dir, 2, ["0", "37", "38"]).ok();
    dir.split("tail end").exits(20).says("124 of 1000 items have no result");
}

#[test]
fn nothing_is_cut_where_nothing_is_missing() {
    let dir = planned("");
    dir.write("mended", "");
    run_all(&dir, "plan.dag");
    dir.split("tail 1").refuses(79);
    dir.split("tail end").refuses(0);
}

#[test]
fn what_was_damaged_on_arrival_is_cut_again() {
    let dir = planned("");
    dir.write("mended", "");
    run_all(&dir, "plan.dag");
    let partial = dir.partial(7);
    let whole = fs::read(&partial).expect("read");
    fs::write(&partial, &whole[..whole.len() - 9]).expect("written");
    // It took a moment: it is not worth more than one job.
    dir.split("tail 1").ok().says("10 items of 100 in 1 piece");
    assert_eq!(run_all(&dir, "tail-1.dag"), [["7", "70", "80"].map(str::to_owned)]);
    dir.split("tail end").ok();
    dir.split("reduce .").answers("5050\n");
}

#[test]
fn what_was_yielded_over_the_budget_is_cut_by_how_long_items_take() {
    let dir = Dir::new();
    dir.split("plan --total 1..=100 --chunks 1 --budget 5s --reduce concat")
        .args(["--", "sh", "-c", "[ {item} -gt 3 ] && sleep 60; echo {item}"])
        .ok();
    job(&dir, 0, ["0", "0", "100"]).ok();
    dir.split("tail 1").ok().says("97 items of 100 in 1 piece");
}

#[test]
fn only_the_last_attempt_yields() {
    let dir = planned("");
    let chunk = ["3", "30", "40"];
    job(&dir, 0, chunk).exits(70);
    job(&dir, 1, chunk).exits(70);
    job(&dir, 2, chunk).exits(0).says("yielded: the program ended with exit code 127");
    // chunk.sub was edited.
    let ad = dir.write("edited.ad", "JobMaxRetries = 0\nNumJobCompletions = 0\n");
    let edited = dir.command("/usr/bin/env").arg("-i").arg(format!("_CONDOR_JOB_AD={}", ad.display()));
    let edited = edited.arg(dir.path("plan.files/split-runner")).args(["exec", "../plan.files/job/job.json"]);
    edited.args(chunk).within("outputs").ok();
    job(&dir, 2, ["3", "40", "30"]).exits(2);

    let dir = planned("--tail-rounds 0");
    job(&dir, 2, chunk).exits(70);
    assert!(!dir.read("plan.dag").contains("tail") && !dir.read("plan.json").contains("tail"));
    dir.split("tail 1").refuses(2).says("there is no round 1: the plan's tail has 0 rounds");
    dir.split("tail nonsense").refuses(2);
}

#[test]
fn rounds_follow_one_another() {
    let dir = planned("--tail-rounds 3");
    run_all(&dir, "plan.dag");
    for round in 1..=3 {
        dir.split("tail").arg(round.to_string()).run();
    }
    let next = |dag: &str, next: &str| {
        let text = dir.read(dag);
        text.contains(&format!("SUBDAG EXTERNAL {next}\n"))
            && text.contains("into single items") == (dag == "tail-2.dag")
    };
    assert!(next("plan.dag", "tail-g1 tail-1.dag"));
    assert!(next("tail-1.dag", "tail-2-g1 tail-2.dag") && next("tail-2.dag", "tail-3-g1 tail-3.dag"));
    assert!(!dir.read("tail-3.dag").contains("SUBDAG"));
    dir.split("tail 4").refuses(2);
    for nonsense in ["-1", "10", "x"] {
        dir.split("plan --total 10 --tail-rounds").arg(nonsense).refuses(2);
    }
}

#[test]
fn a_broken_program_is_not_cut_again() {
    let dir = Dir::new();
    dir.split("plan --total 1..=40 --chunks 20 -- sh -c").args(["exit 3", "{first}"]).ok();
    let post = |node: &str| dir.command(dir.path("plan.files/split-runner")).args(["post", "0", node]).run().code;
    for chunk in 0..10_u32 {
        assert_eq!(post("chunk-000000-g1"), Some(0), "{chunk}");
        let numbers = [chunk, 2 * chunk, 2 * chunk + 2].map(|number| number.to_string());
        job(&dir, 2, numbers.each_ref().map(String::as_str)).ok();
    }
    assert_eq!(post("chunk-000000-g1"), Some(76), "a job that yields has failed");
    fs::remove_file(dir.path("logs/stopped.txt")).expect("there");
    dir.split("tail 1").exits(76).says("logs/stopped.txt says why");
    assert!(!dir.path("tail-1.dag").exists() && dir.path("logs/stopped.txt").exists());
    // What failed before the stop may have been mended.
    assert_eq!(post("chunk-000000-g1"), Some(0));
    dir.split("tail 1").ok();
}

#[test]
fn a_chunk_with_results_is_no_sign_of_a_broken_program() {
    let dir = planned("");
    job(&dir, 0, ["0", "0", "10"]).ok();
    let post = |words: &[&str]| dir.command(dir.path("plan.files/split-runner")).arg("post").args(words).run().code;
    assert_eq!(post(&["0", "chunk-000000-g1"]), Some(0));
    assert_eq!(
        (post(&["0"]), post(&["0", "merge-000000-g1"]), post(&["70", "chunk-000000-g1"])),
        (Some(0), Some(0), Some(70))
    );
}

#[test]
fn templates_of_ones_own_are_kept_for_the_tail() {
    let dir = Dir::new();
    dir.write("mine/tail.dag", "# mine, {{ pieces }} of them\n{{ nodes }}");
    dir.split("plan --total 1..=4 --chunks 2 --templates mine").ok();
    dir.split("tail 1").ok();
    assert!(dir.read("tail-1.dag").starts_with("# mine, 4 of them\nJOB tail-1-chunk-000000-000-g1 chunk.sub\n"));
    dir.write("mine/tail.dag", "nothing");
    let refused = dir.split("plan --total 1..=4 --chunks 2 --templates mine --force").refuses(2);
    refused.says("template tail.dag, line 1: the variable `nodes` is used 0 times");
}

#[test]
fn a_round_that_is_at_work_is_left_alone() {
    let dir = planned("");
    dir.split("tail 1").ok();
    Log::new().submitted(7, "").write(&dir, "tail-1.dag.dagman.log");
    dir.split("tail 1").refuses(4).says("its job 007.000.000 has not ended");
    job(&dir, 0, ["0", "0", "10"]).ok();
    dir.split("resume").exits(4).says("its job 007.000.000 has not ended");
}

#[test]
fn what_the_tail_left_is_moved_aside_with_its_plan() {
    let dir = planned("");
    dir.split("tail 1").ok();
    dir.write("tail-1.dag.dagman.out", "");
    dir.write("tail-1.txt", "the user's own");
    dir.split("plan --force --total 1..=10 --chunks 5").ok();
    assert!(dir.path("aside-001/tail-1.dag").exists() && dir.path("aside-001/tail-1.dag.dagman.out").exists());
    assert!(dir.path("tail-1.txt").exists() && !dir.path("tail-1.dag").exists());
}

#[test]
fn jobs_of_the_tail_are_attempts_at_their_chunks() {
    let dir = computed("1", &[0, 2, 3, 4, 5, 6, 7, 8, 9]);
    dagman().write(&dir, "plan.dag.dagman.log");
    let log = || {
        let log = Log::new().submitted(10, "chunk-000001-g1").starts(10, "ep1").after(30).exits(10, 0);
        let log = log.submitted(11, "tail-1-chunk-000001-000-g1").submitted(12, "tail-1-chunk-000001-001-g1");
        log.starts(11, "ep2").after(5)
    };
    log().write(&dir, "logs/events.log");
    dir.split("status")
        .ok()
        .says("9 done, 1 running")
        .says("what is missing was cut again, round 1 of 2: 1 running, 1 idle");
    let json: serde_json::Value = serde_json::from_slice(&dir.split("status --json").ok().out).expect("JSON");
    assert_eq!(json["tail"], serde_json::json!({"round": 1, "rounds": 2, "running": 1, "idle": 1, "held": 0}));
    log().exits(11, 0).starts(12, "ep3").after(5).exits(12, 0).write(&dir, "logs/events.log");
    dagman().after(90).exits(1, 1).write(&dir, "plan.dag.dagman.log");
    let why = dir.split("why tail-1-chunk-000001-001-g1").ok();
    why.says("chunk 1").says("job 11.0 (round 1, piece 0): 5 s on ep2, exit code 0");
    why.says("job 12.0 (round 1, piece 1): 5 s on ep3, exit code 0").says("condor_submit_dag plan.dag computes");
    dir.split("show tail-1-chunk-000001-001-g1").ok().says("chunk 1 of 10");
    dir.split("show tail-1-chunk-000001-001-g7").refuses(2).says("another plan of this folder");
}
