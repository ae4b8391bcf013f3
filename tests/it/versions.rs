//! Results of several versions of the program: refused, accepted, or computed again.

use std::fs;

use crate::kit::{Dir, SUM};

const WORDS: &str = "--total 1..=10 --chunks 5 -- python3 sum.py {first} {last}";

/// Three chunks by one version of the program, two by another, and none has failed.
fn mixed() -> Dir {
    let dir = Dir::new();
    dir.write("sum.py", SUM);
    dir.split("run").args(WORDS.split(' ')).answers("55\n");
    for chunk in [1, 3] {
        fs::remove_file(dir.partial(chunk)).expect("removed");
    }
    fs::remove_file(dir.path("result.json")).expect("removed");
    dir.write("sum.py", SUM.replace("print(", "print(1000 + "));
    dir.split("run --mixed .").answers("2055\n").says("by other code");
    fs::remove_file(dir.path("result.json")).expect("removed");
    dir
}

#[test]
fn a_mixture_is_refused_with_a_choice() {
    let dir = mixed();
    let refused = dir.split("reduce outputs/").refuses(26).transcript();
    let redacted: Vec<_> = refused.lines().map(redact_version).collect();
    insta::assert_snapshot!(redacted.join("\n"));
    assert!(!dir.path("result.json").exists());
    dir.split("reduce --mixed outputs/").answers("2055\n").says("3 records, 6 items, by the code that was planned");
    // Nothing is missing, so running is no way round it.
    dir.split("run .").exits(26);
}

fn redact_version(line: &str) -> String {
    let is_version = |word: &str| word.len() >= 8 && word[..8].bytes().all(|byte| byte.is_ascii_hexdigit());
    let word = |word: &str| if is_version(word) { format!("[VERSION]{}", &word[8..]) } else { word.to_owned() };
    line.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_older_ones_are_computed_again() {
    let dir = mixed();
    let answer = dir.split("run --redo .").answers("5055\n");
    answer.says("set aside: 3 chunks by older versions of the program, in ./aside-001");
    assert_eq!((dir.names("aside-001/outputs").len(), dir.partials().len()), (3, 5));
    dir.split("reduce .").answers("5055\n").is_silent_on("by the code that was planned");
}

#[test]
fn the_older_ones_are_computed_again_on_the_pool() {
    let dir = mixed();
    let resumed = dir.split("resume --redo").ok();
    resumed
        .says("set aside: 3 chunks")
        .says("wrote plan.dag: 3 chunks left of 5")
        .says("next: condor_submit_dag plan.dag");
    let dag = dir.read("plan.dag");
    let nodes: Vec<_> = dag.lines().filter(|line| line.starts_with("JOB chunk-")).collect();
    let done: Vec<_> = nodes.iter().map(|line| line.ends_with(" DONE")).collect();
    assert_eq!(done, [false, true, false, true, false], "{dag}");
    assert!(nodes[0].starts_with("JOB chunk-000000-g2 "), "{dag}");
    // The plan now is of the program as it is now.
    dir.split("run .").answers("5055\n").is_silent_on("note:");
    dir.split("resume").ok().says("nothing is left to compute").says("next: split reduce .");
}

#[test]
fn what_would_be_mixed_is_not_even_computed() {
    let dir = Dir::new();
    dir.write("sum.py", SUM);
    dir.split("run").args(WORDS.split(' ')).answers("55\n");
    fs::remove_file(dir.partial(2)).expect("removed");
    dir.write("sum.py", format!("{SUM}# other\n"));
    let refused = dir.split("run .").refuses(26);
    refused.says("4 chunks computed by one version of the program, and it has changed since").says("sum.py");
    dir.split("run --redo .").answers("55\n").says("set aside: 4 chunks");
}

#[test]
fn a_program_that_was_mended_where_it_failed_is_no_mixture() {
    let dir = Dir::new();
    dir.write("sum.py", format!("import sys\nif sys.argv[1] == '5': sys.exit(3)\n{SUM}"));
    dir.split("run --retries 0").args(WORDS.split(' ')).exits(30);
    dir.write("sum.py", SUM);
    let answer = dir.split("run .").answers("55\n");
    answer.says("4 records, 8 items, by the code that was planned").says("1 record, 2 items, by other code");
    dir.split("reduce outputs").answers("55\n");
}

#[test]
fn resume_goes_on_after_anything() {
    let dir = Dir::new();
    dir.write("sum.py", SUM);
    dir.split("plan").args(WORDS.split(' ')).ok();
    dir.split("resume").ok().says("nothing has been computed or submitted yet");
    dir.split("run .").answers("55\n");
    fs::remove_file(dir.partial(4)).expect("removed");
    dir.split("resume .").ok().says("wrote plan.dag: 1 chunk left of 5");
    fs::remove_dir_all(dir.path("outputs")).expect("removed");
    dir.split("reduce .").refuses(20).says("10 of 10 items have no result");
    dir.split("resume").ok().says("wrote plan.dag: 5 chunks left of 5");
    dir.split("run .").answers("55\n");
    dir.split("resume nowhere").refuses(5);
}

#[test]
fn resume_needs_the_files_and_the_templates() {
    let dir = Dir::new();
    dir.write("sum.py", SUM);
    dir.write("own/chunk.sub", format!("# mine\n{}", include_str!("../../dag-templates/chunk.sub")));
    dir.split("plan --templates own").args(WORDS.split(' ')).ok();
    dir.split("run .").answers("55\n");
    fs::remove_file(dir.partial(4)).expect("removed");
    dir.split("resume").refuses(2).says("--templates DIR");
    dir.split("resume --templates own").ok().says("1 chunk left of 5");
    assert!(dir.read("chunk.sub").starts_with("# mine\n"));
    fs::remove_file(dir.path("sum.py")).expect("removed");
    dir.split("resume --templates own").refuses(1).says("sum.py");
    // Partials that stand alone.
    fs::rename(dir.path("outputs"), dir.path("elsewhere")).expect("moved");
    dir.split("resume elsewhere --templates own").refuses(5).says("it holds partials alone");
    dir.split("run --redo elsewhere").refuses(5);
}
