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
