//! Planning where something is already.

use std::fs;

use crate::kit::{Dir, SUM};

const PLAN: &str = "plan --total 1..=10 --chunks 5 -- python3 sum.py {first} {last}";

/// As HTCondor 23.9 writes it.
const SUBMITTED: &str = "000 (063.000.000) 2026-11-22 15:40:46 Job submitted from host: <127.0.0.1:9618>\n...\n\
                         001 (063.000.000) 2026-11-22 15:40:47 Job executing on host: <127.0.0.1:9618>\n...\n";
const ENDED: &str = "005 (063.000.000) 2026-11-22 15:40:59 Job terminated.\n\t(1) Normal termination\n...\n";

fn planned() -> Dir {
    let dir = Dir::new();
    dir.write("sum.py", SUM);
    dir.split(PLAN).ok();
    dir
}

/// A plan whose chunks are computed, by a program that counts how often it runs.
fn computed() -> Dir {
    let dir = planned();
    dir.split("run .").answers("55\n");
    dir
}

#[test]
fn the_same_plan_again_changes_nothing() {
    let dir = planned();
    dir.split(PLAN).refuses(0).says("the same plan is in . already: nothing was changed");
    let unchanged = fs::read(dir.path("sum.py")).expect("there");
    dir.write("sum.py", unchanged);
    dir.split(PLAN).refuses(0).says("nothing was changed");
    dir.split(&PLAN.replace("1..=10", "1..11").replace("--chunks 5", "--chunk-size 2")).refuses(0);
}

#[test]
fn the_same_plan_again_leaves_results_and_edits_alone() {
    let dir = computed();
    let edited = dir.read("chunk.sub").replace("request_cpus = 1", "request_cpus = 2");
    dir.write("chunk.sub", edited);
    dir.split(PLAN).refuses(0);
}

#[test]
fn what_is_missing_of_the_same_plan_is_put_back() {
    let dir = computed();
    let (dag, sub) = (dir.read("plan.dag"), dir.read("chunk.sub"));
    for name in ["plan.dag", "chunk.sub", "plan.files/split-runner", "plan.files/job/job.json", "outputs/plan.json"] {
        fs::remove_file(dir.path(name)).expect("removed");
    }
    dir.split(PLAN).ok();
    assert_eq!(dir.read("chunk.sub"), sub);
    assert_eq!(dir.read("plan.dag").replace(" DONE", ""), dag);
    assert!(dir.path("plan.files/split-runner").exists() && dir.path("plan.files/job/job.json").exists());
    dir.split("reduce outputs").answers("55\n");
}

#[test]
fn the_jobs_files_are_put_back_too() {
    let dir = planned();
    fs::remove_dir_all(dir.path("plan.files/job/work")).expect("removed");
    dir.split(PLAN).ok();
    assert_eq!(dir.read("plan.files/job/work/sum.py"), SUM);
}

#[test]
fn another_plan_is_refused_and_what_differs_is_named() {
    let dir = planned();
    dir.write("other.txt", "");
    let with = |options: &str| PLAN.replace("plan", &format!("plan {options}"));
    let transcripts: Vec<_> = [
        PLAN.replace("1..=10", "1..=20"),
        PLAN.replace("--chunks 5", "--chunks 4"),
        with("--reduce max --memory 2GB --disk 3GB --cpus 2 --retries 7 --shared-filesystem"),
        with("--halt 3 --held-for 2h --memory-max 8GB"),
        with("--env A=1 --container docker://python:3 --submit a=b --input other.txt"),
        PLAN.replace("{last}", "{stop}"),
        "plan --total 1..=10 --chunks 5".to_owned(),
        "run --total 1..=10 --chunks 4 -- python3 sum.py {first} {last}".to_owned(),
        with("--keep").replace("{last}", "{stop}"),
    ]
    .iter()
    .map(|words| dir.split(words).refuses(3).transcript())
    .collect();
    insta::assert_snapshot!(transcripts.join("\n"));
}

#[test]
fn a_changed_program_is_named() {
    let dir = computed();
    dir.write("sum.py", format!("{SUM}# mended\n"));
    let refused = dir.split(PLAN).refuses(3);
    refused.says("the file sum.py: was as it was, now changed").says("--keep");
}

#[test]
fn keep_counts_what_an_older_program_computed() {
    let dir = computed();
    fs::remove_file(dir.partial(2)).expect("removed");
    dir.write("sum.py", format!("{SUM}# mended\n"));
    let kept = dir.split(&PLAN.replace("plan", "plan --keep")).ok();
    kept.says("kept: 4 of 5 chunks done by what was computed before (8 items)").says("aside-001");
    let dag = dir.read("plan.dag");
    assert_eq!(dag.matches(" DONE").count(), 4, "{dag}");
    assert!(dag.contains("JOB chunk-000002-g2 chunk.sub\n"), "{dag}");
    assert!(dag.contains("JOB reduce-g2 reduce.sub\n"), "{dag}");
    assert_eq!(
        dir.names("aside-001"),
        ["chunk.sub", "dagman.config", "plan.dag", "plan.files", "plan.json", "reduce.sub", "result.json"]
    );
    let answer = dir.split("run --mixed .").answers("55\n");
    answer.says("8 of 10 items have results already");
    answer.says("1 record, 2 items, by the code that was planned");
    answer.says("4 records, 8 items, by other code (older, or mended since)");
}

#[test]
fn keep_counts_what_another_cut_computed() {
    let dir = computed();
    fs::remove_file(dir.partial(0)).expect("removed");
    dir.split(&PLAN.replace("plan", "plan --keep").replace("--chunks 5", "--chunks 3"))
        .ok()
        .says("kept: 2 of 3 chunks");
    dir.split("run .").answers("55\n");
    dir.split(&PLAN.replace("plan", "plan --keep").replace("--chunks 5", "--chunks 10")).ok().says("10 of 10 chunks");
    assert_eq!(dir.read("plan.dag").matches(" DONE").count(), 10);
    assert!(dir.read("plan.dag").contains("chunk-000009-g3"));
    dir.split("reduce .").answers("55\n");
}

#[test]
fn keep_with_another_reducer() {
    let dir = computed();
    dir.split(&PLAN.replace("plan", "plan --keep --reduce max")).ok().says("5 of 5 chunks");
    dir.split("reduce outputs").answers("19\n");
}

#[test]
fn keep_is_refused_where_the_cut_is_part_of_the_command() {
    let dir = Dir::new();
    dir.split("run --total 1..=10 --chunks 5 -- echo {chunk}").answers("10\n");
    dir.split("plan --keep --total 1..=10 --chunks 4 -- echo {chunk}").refuses(3).says("nothing that was computed");
}

#[test]
fn keep_and_force_make_no_difference_where_nothing_is() {
    for option in ["--keep", "--force"] {
        let dir = Dir::new();
        dir.split("plan --total 1..=10 --chunks 5").arg(option).ok();
        assert!(!dir.path("aside-001").exists());
        dir.split("plan --total 1..=10 --chunks 5").arg(option).refuses(0).says("nothing was changed");
    }
}

#[test]
fn force_moves_everything_aside_and_deletes_nothing() {
    let dir = computed();
    for name in ["plan.dag.dagman.out", "plan.dag.rescue001", "plan.dag.metrics", "plan.dag.nodes.log"] {
        dir.write(name, name);
    }
    let before = dir.state();
    let forced = dir.split(&PLAN.replace("plan", "plan --force").replace("1..=10", "1..=4").replace("5", "2")).ok();
    forced.says("aside-001");
    let after = dir.state();
    for (path, (mode, content, _)) in before.into_iter().filter(|(path, _)| !path.is_dir()) {
        let below = path.strip_prefix(dir.path("")).expect("below").to_owned();
        let place = if below.ends_with("sum.py") { path } else { dir.path("aside-001").join(below) };
        let (now, bytes, _) = after.get(&place).unwrap_or_else(|| panic!("{} is gone", place.display()));
        assert!(*now == mode && *bytes == content, "{} has changed", place.display());
    }
    assert_eq!(dir.partials().len(), 0);
    assert!(!dir.path("plan.dag.rescue001").exists());
    dir.split("reduce aside-001/outputs").answers("55\n");
    dir.split("run .").answers("10\n");
    dir.split("plan --force --total 1..=3 --chunks 1").ok().says("aside-002");
}

#[test]
fn keep_moves_what_a_dagman_left_aside() {
    let dir = computed();
    dir.write("plan.dag.rescue001", "DONE chunk-000000-g1\n");
    dir.write("plan.dag.dagman.log", format!("{SUBMITTED}{ENDED}"));
    dir.split(&PLAN.replace("plan", "plan --keep --memory 2GB")).ok();
    assert_eq!(dir.read("aside-001/plan.dag.rescue001"), "DONE chunk-000000-g1\n");
    assert!(!dir.path("plan.dag.rescue001").exists() && !dir.path("plan.dag.dagman.log").exists());
}

#[test]
fn nothing_is_touched_while_a_dagman_is_at_work() {
    let dir = computed();
    dir.write("plan.dag.dagman.log", SUBMITTED);
    dir.write("sum.py", format!("{SUM}# mended\n"));
    let transcripts = ["--keep", "--force"]
        .map(|option| dir.split(&PLAN.replace("plan", &format!("plan {option}"))).refuses(4).transcript());
    insta::assert_snapshot!(transcripts.join("\n"));
    dir.write("sum.py", SUM);
    dir.split(PLAN).refuses(0);
    dir.write("plan.dag.dagman.log", format!("{SUBMITTED}{ENDED}"));
    dir.split(&PLAN.replace("plan", "plan --force --memory 2GB")).ok();
}

#[test]
fn what_a_dead_dagman_left_is_no_lock() {
    let dir = computed();
    dir.write("plan.dag.lock", "PPID = 1\nPID = 4194999\n");
    dir.write(
        "plan.dag.dagman.log",
        format!("{SUBMITTED}009 (063.000.000) 2026-11-22 15:40:59 Job was aborted.\n...\n"),
    );
    dir.split(&PLAN.replace("plan", "plan --force --memory 2GB")).ok();
    assert_eq!(dir.read("aside-001/plan.dag.lock"), "PPID = 1\nPID = 4194999\n");
}

#[test]
fn names_that_no_plan_explains_are_left_alone() {
    for name in [
        "plan.dag",
        "plan.dag.rescue001",
        "chunk.sub",
        "reduce.sub",
        "result.json",
        "outputs/plan.json",
        "outputs/chunk-000000.0-1f2e3d4c.part",
    ] {
        let dir = Dir::new();
        dir.write(name, "mine");
        let refused = dir.split("plan --total 1..=10 --chunks 5").refuses(3);
        refused.says(name.split('/').next().expect("a name")).says("no plan.json says what it is");
        dir.split("plan --force --total 1..=10 --chunks 5").ok();
        assert_eq!(dir.read(format!("aside-001/{name}")), "mine");
    }
}

#[test]
fn files_of_the_users_in_folders_of_these_names_stay() {
    let dir = Dir::new();
    let names = ["outputs/results.csv", "logs/yesterday.log", "bin/tool", "job/notes", "plan.md", "aside"];
    names.iter().for_each(|name| drop(dir.write(name, "mine")));
    let run = |words: &str| dir.split(&format!("run {words} --total 1..=10 --chunks 5"));
    run("").answers("55\n");
    run("--keep --memory 2GB").answers("55\n");
    run("--force --memory 3GB").answers("55\n");
    names.iter().for_each(|name| assert_eq!(dir.read(name), "mine"));
}

#[test]
fn documents_that_cannot_be_used() {
    let mut transcripts = Vec::new();
    let whole = planned().read("plan.json");
    let plan = || whole.as_str();
    for (what, text) in [
        ("empty", String::new()),
        ("garbage", "garbage".to_owned()),
        ("cut short", plan()[..300].to_owned()),
        ("another format", plan().replace("\"format\": 1", "\"format\": 2")),
        ("an unknown field", plan().replace("\"format\": 1", "\"format\": 1, \"colour\": \"red\"")),
        ("changed by hand", plan().replace("\"last\": 10", "\"last\": 11")),
        ("more chunks than items", plan().replace("\"chunks\": 5", "\"chunks\": 50")),
        ("no chunks", plan().replace("\"chunks\": 5", "\"chunks\": 0")),
    ] {
        let dir = planned();
        dir.write("plan.json", text);
        for words in ["plan --keep --total 1..=9 --chunks 5", "reduce ."] {
            dir.split(words).refuses(5);
        }
        for words in [PLAN, "run ."] {
            transcripts.push(format!("{what}: {}", dir.split(words).refuses(5).transcript()));
        }
        dir.split(&PLAN.replace("plan", "plan --force")).ok();
        dir.split("run .").answers("55\n");
    }
    insta::assert_snapshot!(transcripts.join("\n"));
}

#[test]
fn folders_without_a_plan() {
    let dir = Dir::new();
    dir.write("file", "");
    fs::create_dir(dir.path("empty")).expect("made");
    let transcripts = ["run empty", "run nowhere", "reduce empty", "reduce nowhere", "reduce file"]
        .map(|words| dir.split(words).refuses(5).transcript());
    insta::assert_snapshot!(transcripts.join("\n"));
}

/// What an older cut computed for part of a chunk must not keep that chunk's neighbours from being computed.
#[test]
fn kept_records_and_what_is_left_to_run_fit_together() {
    let dir = Dir::new();
    let program = "[ $SPLIT_FIRST = 0 ] && seq 0 $SPLIT_LAST";
    dir.split("run --total 0..8 --chunks 2 --retries 0 -- sh -c").arg(program).exits(30);
    dir.split("plan --keep --total 0..8 --chunks 3 --retries 0 -- sh -c").arg(program).ok();
    assert_eq!(dir.read("plan.dag").matches(" DONE").count(), 0, "the record of 0..=3 ends within chunk 1");
    dir.split("plan --keep --total 0..8 --chunks 4 --retries 0 -- sh -c").arg(program).ok();
    assert_eq!(dir.read("plan.dag").matches(" DONE").count(), 2);
}

/// `split run` does not touch plan.dag; planning the same with --keep tells DAGMan what is done.
#[test]
fn keep_marks_what_was_computed_here() {
    let dir = Dir::computed();
    std::fs::remove_file(dir.partial(2)).expect("removed");
    dir.split("run --keep --total 1..=10 --chunks 5 --partial").ok();
    assert!(!dir.path("aside-001").exists());
    std::fs::remove_file(dir.partial(2)).expect("removed");
    dir.split("plan --keep --total 1..=10 --chunks 5").ok().says("4 of 5 chunks done");
    assert_eq!(dir.read("plan.dag").matches(" DONE").count(), 4);
    dir.split("plan --force --total 1..=10 --chunks 5").ok().says("aside-002");
    assert!(dir.partials().is_empty());
}

/// As a power failure may leave it: plan.dag is large, and is not waited for.
#[test]
fn a_dag_that_was_cut_short_is_written_again() {
    let dir = Dir::new();
    dir.split("plan --total 1..=10 --chunks 5").ok();
    let whole = dir.read("plan.dag");
    for length in [0, whole.len() / 2, whole.len() - 1] {
        dir.write("plan.dag", &whole[..length]);
        dir.split("plan --total 1..=10 --chunks 5").ok().says("files of it that were missing are back");
        assert_eq!(dir.read("plan.dag"), whole);
    }
}

#[test]
fn what_was_edited_by_hand_stays_where_other_files_are_missing() {
    let dir = Dir::new();
    dir.split("plan --total 1..=10 --chunks 5").ok();
    dir.write("chunk.sub", dir.read("chunk.sub") + "# mine\n");
    fs::remove_dir_all(dir.path("logs")).expect("removed");
    fs::remove_file(dir.path("reduce.sub")).expect("removed");
    dir.split("plan --total 1..=10 --chunks 5").ok().says("files of it that were missing are back");
    assert!(dir.read("chunk.sub").ends_with("# mine\n") && dir.path("reduce.sub").exists());
}
