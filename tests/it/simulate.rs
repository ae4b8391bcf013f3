//! `split simulate`.

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
