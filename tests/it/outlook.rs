//! What `split plan` says is to be expected, where it is known how long items take.

use crate::kit::Dir;

/// What planning with these words says of times and cuts.
fn told(dir: &Dir, number: usize, words: &str) -> String {
    let ended = dir.split(&format!("plan --dir plan-{number} {words} -- true {{first}}")).ok();
    let starts = ["about ", "done in ", "not to be done ", "note: ", "  each chunk in "];
    let text = ended.text();
    let lines = text.lines().filter(|line| starts.iter().any(|start| line.starts_with(start)));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_plan_says_what_to_expect_of_it() {
    let dir = Dir::new();
    let all = [
        // What it costs to start jobs, where the user has said how many there are, and not where nobody has.
        "--total 3600 --chunks 360 --cost 1s",
        "--total 3600 --cost 1s",
        // Time that chance makes much of, and nothing of.
        "--total 36000 --chunks 60 --cost 1s",
        "--total 36000 --chunks 60 --cost 1s --eviction-every 0s",
        // An item that is often taken away, unless its program keeps its state, or nothing is taken away.
        "--total 3 --cost 2h",
        "--total 3 --cost 2h --checkpoint",
        "--total 3 --cost 2h --eviction-every 0s",
        // A chunk that is, unless it has slices; and shorter ones.
        "--total 7200 --chunks 1 --cost 1s --slices 1",
        "--total 7200 --chunks 1 --cost 1s",
        "--total 7200 --cost 1s",
        // A chunk of one item has no slices.
        "--total 5 --chunks 5 --cost 10m --slices 4",
        // Uneven chunks.
        "--total 13 --chunks 5 --cost 10m",
        // What never ends.
        "--total 2 --cost 100h",
    ];
    let told = all.iter().enumerate().map(|(number, words)| format!("{words}\n{}", told(&dir, number, words)));
    insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"));
}

#[test]
fn very_many_nodes_are_foreseen_and_advised_against() {
    let dir = Dir::new();
    let many = told(&dir, 1, "--total 150000 --chunk-size 1 --cost 2m --shared-filesystem");
    insta::assert_snapshot!(many);
    let fewer = told(&dir, 2, "--total 150000 --cost 2m --shared-filesystem");
    assert!(!fewer.contains("access point") && fewer.contains("done in about"), "{fewer}");
}

#[test]
fn a_chunk_of_one_item_has_neither_slices_nor_a_budget() {
    let dir = Dir::new();
    let pacing = |words: &str| {
        dir.split(&format!("plan --force {words} -- true {{first}}")).ok();
        let plan: serde_json::Value = serde_json::from_str(&dir.read("plan.json")).expect("JSON");
        plan["pacing"].clone()
    };
    for words in ["--total 1 --cost 10h", "--total 7 --cost 1h", "--total 1 --cost 10h --slice 5m"] {
        let pacing = pacing(words);
        assert!(pacing["slices"].is_null() && pacing["budget"].is_null(), "{words}: {pacing}");
    }
    // Two items make two slices.
    let two = pacing("--total 2 --chunks 1 --cost 10h");
    assert_eq!(two["slices"], 2, "{two}");
}
