//! `split simulate`.

use std::fs;

use serde_json::Value;

use crate::kit::Dir;

fn planned() -> Dir {
    let dir = Dir::new();
    dir.split("plan --total 36000 --chunks 60 -- true {first}").ok();
    dir
}

#[test]
fn a_plan_is_foreseen_beside_other_ways_to_cut_it() {
    let dir = planned();
    let ended = dir.split("simulate --chunk-time 10m").ok();
    insta::assert_snapshot!(ended.transcript());
    let again = dir.split("simulate --chunk-time 10m").ok();
    assert_eq!(ended.out, again.out, "the same numbers give the same forecast");
    assert_ne!(ended.out, dir.split("simulate --chunk-time 10m --seed 1").ok().out);
}

#[test]
fn the_document_has_the_numbers() {
    let dir = planned();
    let ended = dir.split("simulate --chunk-time 10m --slots 60 --eviction-every 0s --speed-spread 0 --json").ok();
    let document: Value = serde_json::from_slice(&ended.out).expect("JSON");
    // 60 chunks on 60 slots, each a minute after its match.
    assert_eq!(document["slots"][0]["median"], 660.0);
    assert_eq!(document["slots"][0]["badput"], 0.0);
    assert_eq!(document["one_job"]["median"], 36_060.0);
    assert_eq!((&document["format"], &document["work"]), (&Value::from(1), &Value::from(36_000.0)));
}

#[test]
fn times_are_those_that_were_measured() {
    let dir = Dir::new();
    dir.split("run --total 8 --chunks 4 --reduce concat -- sleep 0.1").ok();
    let ended = dir.split("simulate --json --overhead 0s --eviction-every 0s --speed-spread 0").ok();
    let document: Value = serde_json::from_slice(&ended.out).expect("JSON");
    assert_eq!(document["measured"], true);
    let work = document["work"].as_f64().expect("a number");
    assert!((0.4..4.0).contains(&work), "{work}");
}

/// What is foreseen with no chance in it.
fn steady(dir: &Dir, words: &str) -> Value {
    let words = format!("simulate --json --overhead 0s --eviction-every 0s --speed-spread 0 {words}");
    serde_json::from_slice(&dir.split(&words).ok().out).expect("JSON")
}

#[test]
fn what_is_done_is_not_run_again() {
    let dir = Dir::new();
    dir.split("run --total 8 --chunks 4 --reduce concat -- sleep 0.1").ok();
    dir.split("simulate").ok().says(", as if from the start: all of it is done");
    for chunk in [1, 3] {
        fs::remove_file(dir.partial(chunk)).expect("removed");
    }
    dir.split("simulate")
        .ok()
        .says("2 chunks of about")
        .says("work that is left: of 4 chunks 2 are done, 4 of 8 items");
    let left = steady(&dir, "--chunk-time 10m --slots 1");
    assert_eq!((&left["chunks"], &left["chunks_done"]), (&Value::from(4), &Value::from(2)));
    assert_eq!((&left["work"], &left["slots"][0]["median"]), (&Value::from(1200.0), &Value::from(1200.0)));
    dir.split("simulate --chunk-time 10m").ok().says("recommended for what is left").says("split resume --target ");
    // Of a chunk that lacks an item, that one is left.
    let dir = Dir::new();
    let words = ["--", "sh", "-c", "test $0 -ne 6 && echo 1", "{item}"];
    dir.split("run --total 1..=8 --chunks 2 --retries 0").args(words).exits(30);
    let left = steady(&dir, "--chunk-time 10m --slots 1");
    assert_eq!((&left["chunks_done"], &left["work"]), (&Value::from(1), &Value::from(150.0)));
    dir.split("simulate").ok().says("1 chunk of about").says("of 2 chunks 1 is done, 7 of 8 items");
}

#[test]
fn dear_items_are_not_foreseen_by_cheap_ones() {
    let dir = Dir::new();
    // Each item takes as many milliseconds as it is large.
    let sleeps = "s=0\nfor i in $(seq $1 $2); do s=$((s+i)); done\n\
                  sleep $(printf '%d.%03d' $((s/1000)) $((s%1000)))\necho $s\n";
    dir.write("slow.sh", sleeps);
    dir.split("run --total 1..=100 --chunks 20 -- sh slow.sh {first} {last}").answers("5050\n");
    for chunk in [11, 13, 15, 17, 19] {
        fs::remove_file(dir.partial(chunk)).expect("removed");
    }
    // 1.95 s, where by the mean item it would be 1.03 s.
    let left = steady(&dir, "");
    let work = left["work"].as_f64().expect("a number");
    assert!((1.7..4.0).contains(&work), "{left}");
}

#[test]
fn what_too_few_records_tell_is_as_the_plan_expects() {
    let dir = Dir::new();
    dir.split("run --total 100 --chunks 10 --reduce concat --cost 60s -- true {first}").ok();
    for chunk in 2..10 {
        fs::remove_file(dir.partial(chunk)).expect("removed");
    }
    let left = steady(&dir, "");
    assert_eq!((&left["work"], &left["measured"]), (&Value::from(4800.0), &Value::from(false)), "{left}");
    dir.split("simulate").ok().says("8 chunks of about 10 min (as the plan expects)");
    // So it is where they are spread over the space, as items that were tried are.
    let dir = Dir::new();
    dir.split("run --total 100 --chunks 100 --reduce concat --cost 60s -- true {first}").ok();
    for chunk in (0..100).filter(|chunk| chunk % 30 != 0) {
        fs::remove_file(dir.partial(chunk)).expect("removed");
    }
    assert_eq!(steady(&dir, "")["work"], 5760.0);
    // Of a plan that expects nothing they are all there is.
    let dir = Dir::new();
    dir.split("run --total 100 --chunks 10 --reduce concat -- true {first}").ok();
    for chunk in 2..10 {
        fs::remove_file(dir.partial(chunk)).expect("removed");
    }
    dir.split("simulate").ok().says("(a guess by 2 measured results)");
}

#[test]
fn a_slice_is_an_item_at_least() {
    let dir = Dir::new();
    let planned = dir.split("plan --total 1 --cost 10h --slices 120 -- true {first}").ok();
    planned.is_silent_on("each chunk in").says("an item of 10.0 h is often taken away");
    let ended = dir.split("simulate").ok();
    // The work of one item has no other cut.
    ended.is_silent_on("by the length of a chunk").is_silent_on("recommended");
    let document: Value = serde_json::from_slice(&dir.split("simulate --json").ok().out).expect("JSON");
    let badput = document["slots"][0]["badput"].as_f64().expect("a number");
    assert!((0.6..0.9).contains(&badput), "{document}");
}

#[test]
fn what_is_saved_on_the_way_ends() {
    let dir = Dir::new();
    dir.split("plan --total 4800 --chunks 480 --cost 1h -- true {first}").ok();
    let document: Value = serde_json::from_slice(&dir.split("simulate --slots 20 --json").ok().out).expect("JSON");
    let median = &document["with_checkpoints"]["median"];
    assert!(median.as_f64().is_some_and(|median| median > 200.0 * 86_400.0), "{document}");
    assert!(document["one_job"]["median"].is_null(), "{document}");
}

#[test]
fn a_pool_is_learned_from_a_log() {
    let dir = planned();
    // Four jobs on two slots: 5 s between a job and the next, and an eviction, after which the slot is away for 25 s more.
    let event = |code: u32, job: u32, second: u32, what: &str, below: &str| {
        format!(
            "{code:03} ({job:03}.000.000) 2026-11-22 10:{:02}:{:02} {what}\n\t{below}\n...\n",
            second / 60,
            second % 60
        )
    };
    let submitted = |job| event(0, job, 0, "Job submitted from host: <1.2.3.4>", "DAG Node: none");
    let starts = |job, second, slot: &str| {
        event(1, job, second, "Job executing on host: <1.2.3.4:9618>", &format!("SlotName: {slot}"))
    };
    let ends = |job, second| event(5, job, second, "Job terminated.", "(1) Normal termination (return value 0)");
    let log = [
        (1..=4).map(submitted).collect(),
        starts(1, 10, "slot1_1@a") + &starts(2, 10, "slot1_1@b"),
        ends(1, 110) + &starts(3, 115, "slot1_1@a"),
        event(4, 2, 150, "Job was evicted.", "(0) CPU times"),
        starts(2, 180, "slot1_1@b") + &ends(3, 215) + &starts(4, 220, "slot1_1@a"),
        ends(2, 280) + &ends(4, 320),
    ];
    dir.write("jobs.log", log.concat());
    let ended = dir.split("simulate --chunk-time 10m --slots 2 --learn-from jobs.log").ok();
    insta::assert_snapshot!(ended.transcript());
    // What is said counts more than what was learned.
    let said = "simulate --chunk-time 10m --slots 60 --learn-from jobs.log --overhead 1m --eviction-every 0s --speed-spread 0 --json";
    let document: Value = serde_json::from_slice(&dir.split(said).ok().out).expect("JSON");
    assert_eq!(document["slots"][0]["median"], 660.0);
    dir.write("empty.log", "");
    let refused = ["empty.log", "none.log"]
        .map(|log| dir.split("simulate --chunk-time 10m --learn-from").arg(log).refuses(2).transcript());
    insta::assert_snapshot!("learned_from_nothing", refused.join("\n\n"));
}

#[test]
fn pictures_are_written_on_request() {
    let dir = planned();
    dir.split("simulate --chunk-time 10m --svg forecast.svg").ok();
    for name in ["forecast.svg", "forecast-slots.svg"] {
        assert!(dir.read(name).starts_with("<svg "), "{name}");
    }
}

#[test]
fn what_cannot_be_foreseen_is_refused() {
    let dir = planned();
    let mut transcripts = Vec::new();
    for words in [
        "simulate",
        "simulate --chunk-time 10m --slots 0",
        "simulate --chunk-time 10",
        "simulate --chunk-time 10m --failures 1",
        "simulate --chunk-time 10m --speed-spread -1",
        "simulate --chunk-time 10m --svg forecast.png",
        "simulate nowhere --chunk-time 10m",
    ] {
        let code = if words.contains("nowhere") { 5 } else { 2 };
        transcripts.push(dir.split(words).refuses(code).transcript());
    }
    insta::assert_snapshot!(transcripts.join("\n\n"));
}
