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
    answer.says("set aside: 3 chunks to be computed again, in ./aside-001");
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
    answer.says("5 records, 9 items, by the code that was planned").says("1 record, 1 item, by other code");
    dir.split("reduce outputs").answers("55\n");
}

#[test]
fn resume_goes_on_after_anything() {
    let dir = Dir::new();
    dir.write("sum.py", SUM);
    dir.split("plan").args(WORDS.split(' ')).ok();
    dir.split("resume").ok().says("plan.dag is as it was: it has all that is left to compute");
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

#[test]
fn what_is_done_by_an_older_program_is_not_called_the_answer() {
    let dir = Dir::new();
    dir.write("sum.py", SUM);
    dir.split("run").args(WORDS.split(' ')).answers("55\n");
    dir.write("sum.py", SUM.replace("print(", "print(1000 + "));
    let refused = dir.split("run .").refuses(26);
    refused.says("5 chunks computed by one version of the program, and it has changed since").says("--redo");
    dir.split("resume").refuses(26);
    // What was computed is still what was planned: that is said.
    dir.split("reduce .").answers("55\n").says("note: sum.py changed since this was computed: split run --redo .");
    dir.split("run --mixed .").answers("55\n");
    // The way that a new plan names.
    let differs = dir.split("run").args(WORDS.split(' ')).exits(3);
    differs.says("help: split run --redo . computes it all again, with the files as they are now");
    dir.split("run --redo .").answers("5055\n").is_silent_on("note:");
    dir.split("reduce .").answers("5055\n").is_silent_on("note:");
}

#[test]
fn results_of_other_variables_are_not_those_of_the_plan() {
    let dir = Dir::new();
    let words = |verb: &str, scale: &str| {
        let words = [verb, " --total 1..=4 --chunks 4 --env SCALE=", scale].concat();
        dir.split(&words).args(["--", "sh", "-c", "echo $(($1 * SCALE))", "sh", "{first}"])
    };
    words("run", "1").answers("10\n");
    let kept = words("plan --keep", "2").ok();
    kept.says("note: another version of the program computed some of it").says("split resume --redo .");
    dir.split("reduce .").exits(26).says("4 chunks computed by one version of the program");
    dir.split("run --redo .").answers("20\n");
}

#[test]
fn a_kill_from_outside_licenses_no_mixture() {
    let dir = Dir::new();
    let program = |factor: u32, last: &str| {
        format!("import os, sys\nn = int(sys.argv[1])\nif n == 4: {last}\nprint({factor} * n)\n")
    };
    dir.write("go.py", program(1, "os.kill(os.getpid(), 9)"));
    dir.split("run --retries 0 --total 1..=4 --chunks 4 -- python3 go.py {first}").exits(30);
    dir.write("go.py", program(2, "pass"));
    dir.split("run .").refuses(26);
    dir.split("run --redo .").answers("20\n");
}

#[test]
fn everything_is_computed_again_where_that_is_asked() {
    let dir = Dir::new();
    let far = dir.write("far.csv", "3\n");
    let url = format!("file://{}", far.display());
    let run = dir.split("run --total 1..=2 --chunks 2 --input").args([&url, "--", "sh", "-c", "cat far.csv"]);
    run.answers("6\n");
    dir.write("far.csv", "5\n");
    let again = dir.split("run --redo .").answers("6\n");
    again.says("nothing was computed by an older version of the program; --redo=all computes all of it again");
    dir.split("run --redo=all .").answers("10\n").says("set aside: 2 chunks").says("aside-001");
    assert!(dir.path("aside-001/result.json").exists(), "the answer goes with what it rests on");
    dir.split("resume --redo=all").ok().says("set aside: 2 chunks").says("it has all that is left to compute");
}

#[test]
fn a_resumed_plan_would_not_be_mixed_either() {
    let dir = Dir::new();
    dir.write("sum.py", SUM);
    dir.split("run").args(WORDS.split(' ')).answers("55\n");
    fs::remove_file(dir.partial(2)).expect("removed");
    dir.write("sum.py", format!("{SUM}# other\n"));
    dir.split("resume").refuses(26).says("split resume --redo");
    dir.split("resume --mixed").ok().says("1 chunk left of 5");
}

#[test]
fn on_a_shared_file_system_each_chunk_is_of_the_program_that_it_ran() {
    let dir = Dir::new();
    // The third chunk changes the program for those after it.
    let other = "echo 1000";
    dir.write("go.sh", format!("if [ $1 = 2 ]; then echo '{other}' >go.new; fi; echo $1\n"));
    dir.write("after.sh", "sh go.sh $1; if [ -e go.new ]; then sleep 0.1; mv go.new go.sh; fi\n");
    let run = dir.split("run --shared-filesystem --jobs 1 --retries 0 --total 5 --chunks 5 --input go.sh");
    let ended = run.args(["--", "sh", "after.sh", "{first}"]).exits(30);
    ended.says("chunk 2, item 2: the machine would not: the program or its files changed while it ran");
    dir.split("run .").exits(26).says("2 chunks computed by one version of the program, 2 by another");
}
