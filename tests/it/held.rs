//! Jobs on hold and removed jobs: what a plan asks of HTCondor, and what is said of them.

use std::fs;

use crate::kit::Dir;
use crate::log::{Log, computed, dagman, transcript};

#[test]
fn limits_that_make_no_sense_are_refused_before_anything_is_written() {
    let dir = Dir::new();
    let transcripts: Vec<_> = [
        "--halt -1",
        "--halt 2.5",
        "--halt many",
        "--halt 18446744073709551616",
        "--held-for 0s",
        "--held-for 10",
        "--held-for=-5s",
        "--held-for soon",
        "--held-for 99999999999999999999s",
        "--held-for 18446744073709551615s",
        "--memory-max 0GB",
        "--memory-max=-1GB",
        "--memory-max 2048",
        "--memory-max 4294967296TB",
        "--memory-max 512MB",
        "--memory 4GB --memory-max 4095MB",
        "--memory 4294967295TB --memory-max 4294967294TB",
    ]
    .iter()
    .map(|words| dir.split("plan --total 1..=100 --chunks 5").args(words.split(' ')).refuses(2).transcript())
    .collect();
    insta::assert_snapshot!(transcripts.join("\n"));
}

#[test]
fn a_plan_asks_for_its_limits_and_keeps_them() {
    let dir = Dir::new();
    let plan = |more: &str| dir.split("plan --total 1..=100 --chunks 50 --retries 1").args(more.split_whitespace());
    plan("").ok();
    for name in ["memory_max", "halt", "held_for"] {
        assert!(!dir.read("plan.json").contains(name), "what was not asked for is not written: {name}");
    }
    let limits = "--halt 30 --held-for 90m --memory 1500MB --memory-max 16GB";
    plan(limits).refuses(3).says("--halt").says("--held-for").says("--memory-max");
    plan(limits).arg("--force").ok();
    plan(limits).refuses(0);
    let document: serde_json::Value = serde_json::from_str(&dir.read("plan.json")).expect("JSON");
    let resources = &document["resources"];
    assert_eq!((&resources["halt"], &resources["held_for"]), (&30.into(), &5400.into()));
    assert_eq!(resources["memory_max"], "16GB");
    let scripts = dir.read("plan.dag").matches("split-runner post $RETURN $JOB").count();
    assert!(scripts >= 30, "as many chunks tell at once that they failed: {scripts}");
    let lines = dir.read("chunk.sub");
    let lines: Vec<_> = lines.lines().filter(|line| !line.starts_with('#')).collect();
    let start = lines.iter().position(|line| line.starts_with("+SplitMemory")).expect("there");
    let end = lines.iter().position(|line| line.starts_with("periodic_remove")).expect("there");
    insta::assert_snapshot!("memory and holds", lines[start..=end].join("\n"));
    let job: serde_json::Value = serde_json::from_str(&dir.read("plan.files/job/job.json")).expect("JSON");
    assert_eq!(job["halt"], 30);
    // As much as can be said, and as little.
    plan("--force --halt 0 --held-for 1ms --memory-max 4294967295TB").ok();
    let text = dir.read("chunk.sub");
    assert!(text.contains("request_memory = int(min({ 4503599626321920, "), "{text}");
    assert!(text.contains("$(held) > 1\n"), "a second at least: {text}");
    plan("--force --held-for 18446744073709551s --memory 1GB --memory-max 1024MB").ok();
    assert!(dir.read("chunk.sub").contains("$(held) > 18446744073709551\n"));
}

/// Six chunks whose jobs were held or removed, one that runs, and three with results.
fn held_and_removed() -> Log {
    let by_policy =
        "The job attribute PeriodicRemove expression 'JobStatus == 5 && HoldReasonCode =!= 1' evaluated to TRUE";
    let mut log = Log::new();
    for chunk in 3..10 {
        log = log.submitted(10 + chunk, &format!("chunk-{chunk:06}-g1")).starts(10 + chunk, "ep1").after(3);
    }
    log =
        log.held(13, "Transfer input files failure at execution point slot1_4@ep1 using protocol https", 13).after(60);
    log = log.event(9, 13, "Job was aborted.", by_policy);
    log = log.held(14, "Error from slot1_1@ep1: memory usage exceeded request_memory\u{1b}[31m", 34).after(60);
    log = log.event(9, 14, "Job was aborted.", by_policy);
    log = log.removed(15).held(16, "via condor_hold (by user alice)", 1).after(5);
    // On hold, released, and removed while it waited.
    log = log
        .held(17, "Failed to create process", 6)
        .event(13, 17, "Job was released.", "via condor_release")
        .removed(17);
    log.event(9, 18, "Job was aborted.", "").after(9)
}

#[test]
fn what_held_or_removed_a_job_is_said_of_what_is_missing() {
    let dir = computed("4", &[0, 1, 2, 4]);
    held_and_removed().write(&dir, "logs/events.log");
    dagman().after(200).exits(1, 1).write(&dir, "plan.dag.dagman.log");
    insta::assert_snapshot!("what is missing", transcript(&dir.split("reduce .").refuses(20)));
    dir.split("tail end").exits(20);
    let missing = dir.read("logs/missing.txt");
    for words in [
        "chunk 3, item 3: held: Transfer input files failure at execution point slot1_4@ep1 using protocol https (code 13, subcode 0)",
        "(code 34, subcode 0); it was not released, and removed\n",
        "an attempt has said: the program ended with exit code 3",
        "chunk 5, item 5: removed: via condor_rm (by user alice)",
        "chunk 6, item 6: held: via condor_hold (by user alice) (code 1, subcode 0)\n",
        "chunk 9, item 9: no record\n",
    ] {
        assert!(missing.contains(words), "no {words:?} in: {missing}");
    }
    assert!(!missing.contains('\u{1b}'), "{missing}");
    // What is done is not said to be missing, whatever its job had met.
    dir.write("tool", "#!/bin/sh\necho $1\n");
    dir.split("run . --mixed").answers("45\n");
    dir.split("reduce . --mixed").ok().is_silent_on("held").is_silent_on("removed");
}

#[test]
fn why_tells_of_removals() {
    let dir = computed("4", &[0, 1, 2, 4]);
    held_and_removed().write(&dir, "logs/events.log");
    dagman().after(200).exits(1, 1).write(&dir, "plan.dag.dagman.log");
    insta::assert_snapshot!("why", transcript(&dir.split("why").ok()));
    let chunks = ["3", "4", "5", "6", "7", "8"];
    let each: Vec<_> = chunks.iter().map(|chunk| transcript(&dir.split("why").arg(chunk).ok())).collect();
    insta::assert_snapshot!("why, a chunk at a time", each.join("\n"));
    // A damaged log says less, and nothing that is wrong.
    dir.write("logs/events.log", "000 (013.000.000) 2026-11-22 12:00");
    dir.split("reduce .").refuses(20).says("chunk 3, item 3: no record");
    fs::remove_file(dir.path("logs/events.log")).expect("removed");
    fs::create_dir(dir.path("logs/events.log")).expect("made");
    dir.split("reduce .").refuses(20).says("chunk 3, item 3: no record");
}

#[test]
fn the_piece_that_was_removed_tells_what_is_missing_of_its_chunk() {
    let dir = computed("never", &[0, 1, 2, 4, 5, 6, 7, 8, 9]);
    let mut log = Log::new().submitted(13, "chunk-000003-g1").starts(13, "ep1").after(3).exits(13, 0);
    for (cluster, piece) in [(21, 0), (22, 1), (23, 2)] {
        log = log.submitted(cluster, &format!("tail-1-chunk-000003-{piece:03}-g1")).starts(cluster, "ep1").after(3);
    }
    let log = log.exits(21, 0).held(22, "no disk", 34).after(9).removed(22).exits(23, 0);
    log.write(&dir, "logs/events.log");
    dir.split("reduce .")
        .refuses(20)
        .says("item 3: held: no disk (code 34, subcode 0); it was not released, and removed");
    dir.split("why 3").ok().says("it was not released, and removed");
}

/// The script after every node of a plan: `split-runner left $RETURN $JOB`.
#[test]
fn a_node_is_done_where_its_job_was_removed_or_killed() {
    let dir = Dir::new();
    dir.split("plan --total 1..=100 --chunks 5 -- false {first}").ok();
    assert!(dir.read("plan.dag").contains("SCRIPT POST ALL_NODES plan.files/split-runner left $RETURN $JOB"));
    let left = |words: &[&str]| dir.command(dir.path("plan.files/split-runner")).arg("left").args(words).run().code;
    let nodes = ["chunk-000003-g1", "tail-1-chunk-000003-000-g2", "tail-1-g1", "merge-000000-g1", "reduce-g1"];
    for node in nodes {
        let is_of_chunk = node.contains("chunk");
        for (status, code) in [
            ("0", 0),
            ("1", 1),
            ("20", 20),
            ("70", 70),
            ("255", 255),
            // By a signal; not submitted; removed; interrupted.
            ("-9", if is_of_chunk { 0 } else { 1 }),
            ("-15", if is_of_chunk { 0 } else { 1 }),
            ("-64", if is_of_chunk { 0 } else { 1 }),
            ("-1001", if is_of_chunk { 0 } else { 1 }),
            ("-1002", if is_of_chunk { 0 } else { 1 }),
            ("130", if is_of_chunk { 0 } else { 130 }),
            // A script before the node failed; what is not known.
            ("-1004", 1),
            ("-65", 1),
            ("256", 1),
        ] {
            assert_eq!(left(&[status, node]), Some(code), "{node} {status}");
        }
    }
    assert_eq!(left(&["-1002", "chunk-000003-g1", "more"]), Some(2));
    assert_eq!(left(&["-1002", "tail-1-chunks"]), Some(1));
    for words in [&["nonsense", "chunk-000003-g1"][..], &["", "chunk-000003-g1"], &["0"], &[]] {
        assert_eq!(left(words), Some(2), "{words:?}");
    }
    // The script of the chunks that start first knows whether there is a tail.
    let post = |words: &[&str]| dir.command(dir.path("plan.files/split-runner")).arg("post").args(words).run().code;
    assert_eq!(post(&["-1002", "chunk-000003-g1"]), Some(0));
    assert_eq!(
        post(&["-9", "chunk-000003-g1"]),
        Some(0),
        "also where the kernel kills each attempt for want of memory"
    );
    assert_eq!(post(&["130", "chunk-000003-g1"]), Some(0));
    assert_eq!(post(&["-9"]), Some(1));
    dir.split("plan --force --tail-rounds 0 --total 1..=100 --chunks 5 -- false {first}").ok();
    assert!(!dir.read("plan.dag").contains(" left "), "nobody would compute what is missing");
    for (status, code) in [("-1002", 1), ("-9", 1), ("-1001", 1), ("130", 130)] {
        assert_eq!(post(&[status, "chunk-000003-g1"]), Some(code));
    }
}
