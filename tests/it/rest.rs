//! Items that are tried on the pool first, and the rest that is cut by what they took; without HTCondor and DAGMan.

use std::collections::BTreeSet;
use std::fs;

use crate::kit::Dir;
use crate::log::{Log, dagman};
use crate::tail::{job, run_all};

/// An item takes so many hundredths of a second as the third word says, and a run a little more.
const SUM: &str = "n=$(($2 * ($1 - $0 + 1))); sleep $(printf '%d.%02d' $((n / 100)) $((n % 100))); \
                   s=0; for i in $(seq $0 $1); do s=$((s + i)); done; echo $s";

/// 240 items of a hundredth of a second, tried for so long at each place.
fn planned(budget: &str, words: &str) -> Dir {
    planned_of("1", budget, words)
}

/// 240 items that take so many hundredths of a second each.
fn planned_of(each: &str, budget: &str, words: &str) -> Dir {
    let dir = Dir::new();
    let plan = dir.split("plan --total 1..=240 --probe-on-pool --target 1s --probe-budget").arg(budget);
    plan.args(words.split_whitespace()).args(["--", "sh", "-c", SUM, "{first}", "{last}", each]).ok();
    dir
}

/// Runs the jobs of a DAG that are not done.
fn run_left(dir: &Dir, dag: &str) -> usize {
    let text = dir.read(dag);
    let done: BTreeSet<&str> =
        text.lines().filter(|line| line.ends_with(" DONE")).filter_map(|line| line.split(' ').nth(1)).collect();
    let is_left = |line: &&str| !line.split(' ').nth(1).is_some_and(|name| done.contains(name));
    let lines: Vec<_> = text.lines().filter(|line| line.starts_with("VARS ")).filter(is_left).collect();
    dir.write("left.dag", lines.join("\n"));
    run_all(dir, "left.dag").len()
}

/// A chunk's number, and its items.
fn numbers(dir: &Dir, chunk: usize) -> [String; 3] {
    let dag = dir.read("plan.dag");
    let line = dag.lines().filter(|line| line.starts_with("VARS chunk-")).nth(chunk).expect("there").to_owned();
    ["chunk", "start", "stop"].map(|name| {
        let rest = line.split(&format!("{name}=\"")).nth(1).expect("there");
        rest.split('"').next().expect("there").to_owned()
    })
}

/// The items of the records of a partial, each from the first up to, not including, the second, and what follows of their headers.
fn recorded_in(text: &str) -> Vec<(u64, u64, String)> {
    let headers = text.split("{\"format\":").skip(1);
    let number = |header: &str, name: &str| -> u64 {
        let rest = header.split(&format!("\"{name}\":")).nth(1).expect("there");
        rest.split(',').next().expect("there").parse().expect("a number")
    };
    headers.map(|header| (number(header, "first"), number(header, "last") + 1, header.to_owned())).collect()
}

/// The items of all results.
fn recorded(dir: &Dir) -> Vec<(u64, u64)> {
    let texts = dir.partials().into_iter().map(|partial| fs::read_to_string(&partial).expect("text"));
    let records = texts.flat_map(|text| recorded_in(&text)).filter(|(_, _, header)| !header.contains("failure"));
    let mut found: Vec<_> = records.map(|(start, stop, _)| (start, stop)).collect();
    found.sort_unstable();
    found
}

#[test]
fn what_was_tried_cuts_the_rest_and_counts() {
    let dir = planned("100ms", "");
    insta::assert_snapshot!("plan.dag", dir.read("plan.dag"));
    assert!(dir.read("chunk.sub").contains("transfer_checkpoint_files"));
    dir.split("simulate").refuses(2).says("cut on the pool");
    assert_eq!(run_all(&dir, "plan.dag").len(), 16);
    let tried = recorded(&dir);
    // A slice of one item, then of four and so on, at each place; not all of them.
    assert!(tried.len() >= 16 && tried.iter().filter(|(start, stop)| stop - start == 1).count() >= 16, "{tried:?}");
    let items: u64 = tried.iter().map(|(start, stop)| stop - start).sum();
    assert!((16..240).contains(&items), "{tried:?}");

    dagman().write(&dir, "plan.dag.dagman.log");
    Log::new().submitted(10, "chunk-000001-g1").starts(10, "ep1").after(1).exits(10, 0).write(&dir, "logs/events.log");
    dir.split("status").ok().says("a few items are tried at 16 places first").says("before the rest has been cut");
    fs::remove_file(dir.path("plan.dag.dagman.log")).expect("there");

    dir.split("rest rest.dag").ok().says("cut into chunks of about 1.0 s").says("rest.dag: ");
    let plan = dir.read("plan.json");
    assert!(plan.contains("\"generation\": 2") && !plan.contains("probe") && plan.contains("\"expected\""), "{plan}");
    assert!(!dir.read("chunk.sub").contains("transfer_checkpoint_files"));
    let rest = dir.read("rest.dag");
    assert!(rest.contains("-g2 chunk.sub DONE\n") && rest.contains("JOB reduce-g2 reduce.sub"), "{rest}");
    assert!(rest.contains("SUBDAG EXTERNAL tail-g2 tail-1.dag") && dir.read("plan.dag").contains("rest-g1"));
    let jobs = run_left(&dir, "rest.dag");
    assert!((1..=20).contains(&jobs), "{jobs} jobs for about two seconds of work");
    dir.split("reduce .").answers("28920\n");
    // Nothing was computed twice.
    let recorded = recorded(&dir);
    assert!(recorded.windows(2).all(|pair| pair[0].1 == pair[1].0), "{recorded:?}");
    assert_eq!((recorded.first().map(|first| first.0), recorded.last().map(|last| last.1)), (Some(0), Some(240)));
    dir.split("tail 1").exits(79);
    dir.split("status").ok().says("240 of 240 items covered");
}

#[test]
fn each_submission_goes_by_the_records() {
    let dir = planned("50ms", "");
    run_all(&dir, "plan.dag");
    dir.split("rest rest.dag").ok();
    dir.write("rest.dag.rescue001", "DONE chunk-000001-g2\n");
    run_left(&dir, "rest.dag");
    fs::remove_file(dir.partial(0)).expect("there");
    dir.split("rest rest.dag").ok();
    assert!(dir.path("aside-001/rest.dag.rescue001").exists() && !dir.path("rest.dag.rescue001").exists());
    assert!(dir.read("plan.json").contains("\"generation\": 3"));
    assert_ne!(run_left(&dir, "rest.dag"), 0);
    // Where nothing is left to compute there is still the merge to come.
    dir.split("rest rest.dag").ok().says("rest.dag: 0 chunks left of ");
    assert!(dir.read("rest.dag").contains("JOB reduce-g4 reduce.sub\n"));
    dir.split("reduce .").answers("28920\n");
    // The user's own way is the same.
    fs::remove_file(dir.partial(0)).expect("there");
    dir.split("resume").ok().says("next: condor_submit_dag plan.dag");
    assert!(dir.path("aside-003/rest.dag").exists() && !dir.path("rest.dag").exists());
    run_left(&dir, "plan.dag");
    dir.split("reduce .").answers("28920\n");
}

#[test]
fn slices_and_budgets_follow_from_what_was_tried() {
    // So long that how long a run takes to start, on a machine with much else to do, hardly counts.
    let dir = planned_of("10", "500ms", "--slice 250ms");
    run_all(&dir, "plan.dag");
    dir.split("rest rest.dag").ok();
    let plan: serde_json::Value = serde_json::from_str(&dir.read("plan.json")).expect("JSON");
    let slices = plan["pacing"]["slices"].as_u64();
    assert!((Some(2)..=Some(8)).contains(&slices) && plan["pacing"]["budget"].as_u64() >= Some(2000), "{plan}");
    assert!(dir.read("chunk.sub").contains("transfer_checkpoint_files"));
}

#[test]
fn what_the_jobs_used_that_tried_items_is_asked_for() {
    let started = |number: u32| Log::new().submitted(number, &format!("chunk-00000{number}-g1")).starts(number, "ep1");
    let log = |memory: u64, disk: u64| {
        let first = started(1).after(5).used(1, 12, 3500);
        let log = first.submitted(2, "chunk-000002-g1").starts(2, "ep2").used(2, memory, disk);
        // What merges is no measure.
        log.submitted(3, "reduce-g1").starts(3, "ap").used(3, 90_000, 90 << 20)
    };
    let rest_by = |words: &str, log: Log| {
        let dir = planned("50ms", words);
        for chunk in [0, 5, 9] {
            job(&dir, 0, numbers(&dir, chunk).each_ref().map(String::as_str)).ok();
        }
        log.write(&dir, "logs/events.log");
        let said = dir.split("rest rest.dag").ok().transcript();
        let sub = dir.read("chunk.sub");
        let asked = |name: &str| {
            let value = sub.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
            value.expect("it is asked for").to_owned()
        };
        ([asked("request_memory"), asked("request_disk")], said)
    };
    let rest = |words: &str, memory: u64, disk: u64| rest_by(words, log(memory, disk));
    let (asked, said) = rest("", 600, 700 << 10);
    assert_eq!(asked, ["1280MB", "2GB"]);
    let used =
        "each job asks for 1280MB of memory and 2GB of disk: those that tried items used 600 MB and 700 MB at most";
    assert!(said.contains(used) && !said.contains("note:"), "{said}");
    // No less than is usual, and no more than is allowed.
    assert_eq!(rest("", 20, 3600).0, ["1GB", "1GB"]);
    assert!(rest("--memory-max 2GB", 5000, 3600).0[0].contains("2048"));
    // What is said stays, and is told to be hardly enough.
    let (asked, said) = rest("--memory 1GB --disk 1GB", 900, 1000 << 10);
    assert_eq!(asked, ["1GB", "1GB"]);
    assert!(
        said.contains("note: a job was seen to use 900 MB of memory, and each asks for 1GB: --memory 2GB"),
        "{said}"
    );
    assert!(said.contains("note: a job was seen to use 1000 MB of disk, and each asks for 1GB: --disk 2GB"), "{said}");
    let (asked, said) = rest("--memory 4GB", 900, 1000 << 10);
    assert_eq!(asked, ["4GB", "2GB"]);
    assert!(!said.contains("note:"), "{said}");
    // Where nothing is known nothing is made up.
    let (asked, said) = rest_by("", started(1).after(5).exits(1, 0));
    assert_eq!(asked, ["1GB", "1GB"]);
    assert!(said.contains("logs/events.log does not say what those used that tried items"), "{said}");
}

#[test]
fn the_same_words_find_the_plan_that_was_cut_on_the_pool() {
    let dir = planned("50ms", "");
    for chunk in [0, 8] {
        job(&dir, 0, numbers(&dir, chunk).each_ref().map(String::as_str)).ok();
    }
    dir.split("rest rest.dag").ok();
    let cut = dir.read("plan.json");
    let again = dir.split("plan --total 1..=240 --probe-on-pool --target 1s --probe-budget 50ms");
    again.args(["--", "sh", "-c", SUM, "{first}", "{last}", "1"]).ok().says("the same plan is in . already");
    assert_eq!(dir.read("plan.json"), cut);
}

/// Tries items at the first of sixteen places, where the sixth and all that follow take a second each; gives what was recorded: the items
/// of results, and those of failures.
fn tried_where_costs_jump(budget: &str, words: [&str; 2]) -> (Dir, [Vec<(u64, u64)>; 2]) {
    let dir = Dir::new();
    let program = "for i in $(seq $0 $1); do [ $i -lt 6 ] || sleep 1; done; echo 1";
    let plan = dir.split("plan --total 1..=4000 --probe-on-pool --target 30s --probe-budget").arg(budget);
    plan.args(["--", "sh", "-c", program]).args(words).ok();
    job(&dir, 0, numbers(&dir, 0).each_ref().map(String::as_str)).ok();
    let text = fs::read_to_string(dir.partial(0)).expect("text");
    let (failed, done) =
        recorded_in(&text).into_iter().partition::<Vec<_>, _>(|(_, _, header)| header.contains("failure"));
    let items = |found: Vec<(u64, u64, String)>| found.into_iter().map(|(start, stop, _)| (start, stop)).collect();
    (dir, [items(done), items(failed)])
}

#[test]
fn one_run_over_items_that_became_dearer_is_ended_with_the_time() {
    let (dir, [done, failed]) = tried_where_costs_jump("3s", ["{first}", "{last}"]);
    assert_eq!(done, [(0, 1), (1, 5)]);
    assert_eq!(failed, [(5, 21)], "16 items would have taken 16 s");
    // That they take that long at least is known.
    dir.split("rest rest.dag").ok();
    let plan: serde_json::Value = serde_json::from_str(&dir.read("plan.json")).expect("JSON");
    assert!(plan["expected"].as_u64() > Some(200_000), "{plan}");
    dir.split("why").ok().says("items 6..=").says("yielded: the job had worked for as long as it may, 3 s");
}

#[test]
fn a_program_that_runs_for_each_item_is_started_for_no_more_when_the_time_is_over() {
    let (_, [done, failed]) = tried_where_costs_jump("3s", ["{item}", "{item}"]);
    let stop = done.iter().map(|(_, stop)| *stop).max().expect("some were done");
    assert!((5..=9).contains(&stop) && failed.is_empty(), "{done:?} {failed:?}");
}

#[test]
fn a_single_item_is_tried_to_its_end() {
    let dir = Dir::new();
    let plan = dir.split("plan --total 1..=400 --probe-on-pool --target 30s --probe-budget 500ms");
    plan.args(["--", "sh", "-c", "sleep 1.5; echo 1", "{first}", "{last}"]).ok();
    job(&dir, 0, numbers(&dir, 0).each_ref().map(String::as_str)).ok();
    assert_eq!(recorded(&dir), [(0, 1)]);
}

#[test]
fn what_fails_everywhere_is_tried_once_more_and_not_cut() {
    let dir = Dir::new();
    let program = "[ -e \"$MENDED\" ] || exit 3; seq $0 $1";
    let mended = format!("MENDED={}", dir.path("mended").display());
    let plan = dir.split("plan --total 1..=80 --probe-on-pool --reduce concat --env").arg(mended);
    plan.args(["--", "sh", "-c", program, "{first}", "{last}"]).ok();
    for chunk in 0..3 {
        job(&dir, 2, numbers(&dir, chunk).each_ref().map(String::as_str)).ok();
    }
    // Too few to say that it is broken.
    dir.split("rest rest.dag").ok().says("nothing has a result yet: items are tried once more");
    let again = dir.read("rest.dag");
    assert!(
        again.contains("JOB chunk-000007-g2 chunk.sub\n")
            && again.contains("rest-g2 plan.files/split rest rest-again.dag")
    );
    dir.split("rest rest-again.dag").exits(20).says("none of the items that were tried on the pool has a result");
    assert_eq!(run_all(&dir, "rest.dag").len(), 16);
    dir.split("rest rest-again.dag").exits(76).says("logs/stopped.txt says why");
    assert!(!dir.path("rest-again.dag").exists());
    // With nothing to go by, the user's own way tries items from the beginning.
    dir.split("resume").ok();
    assert!(dir.read("plan.dag").contains("rest-g3 rest.dag") && dir.path("aside-001/rest.dag").exists());
    // Mended, the next submission goes on by itself.
    dir.split("rest rest.dag").ok().says("once more");
    dir.write("mended", "");
    assert_eq!(run_all(&dir, "rest.dag").len(), 16);
    dir.split("rest rest-again.dag").ok().says("rest-again.dag: 0 chunks left of ");
    dir.split("reduce .").ok().says("80\n");
}

#[test]
fn a_single_usable_place_is_enough() {
    let dir = planned("50ms", "");
    job(&dir, 0, numbers(&dir, 3).each_ref().map(String::as_str)).ok();
    dir.split("rest rest.dag").ok();
    assert!(run_left(&dir, "rest.dag") > 0);
    dir.split("reduce .").answers("28920\n");
}

#[test]
fn rows_are_sent_to_the_chunks_that_are_cut_then() {
    let dir = Dir::new();
    let rows: String = (0..64).map(|row| format!("name {row},{row}\n")).collect();
    dir.write("table.csv", format!("name,number\n{rows}"));
    let words = ["--", "sh", "-c", "sleep 0.01; echo $0", "{number}"];
    dir.split("plan --table table.csv --probe-on-pool --probe-budget 20ms --target 200ms --reduce sum")
        .args(words)
        .ok();
    let chunks = |dir: &Dir| dir.names("plan.files/chunks/000").len();
    assert_eq!(chunks(&dir), 16);
    let run = |dag: &str| {
        let text = dir.read(dag);
        for line in text.lines().filter(|line| line.starts_with("VARS ")) {
            let number = |name: &str| line.split(&format!("{name}=\"")).nth(1).and_then(|rest| rest.split('"').next());
            let numbers = ["chunk", "start", "stop"].map(|name| number(name).expect("a number"));
            let name = line.split(' ').nth(1).expect("a name");
            if text.contains(&format!("JOB {name} chunk.sub DONE")) {
                continue;
            }
            let rows = format!("chunk-{:06}", numbers[0].parse::<u64>().expect("a number"));
            let from = dir.path(format!("plan.files/chunks/000/{rows}"));
            let copied = dir.command("cp").arg("-rL").arg(from).arg(dir.path(format!("outputs/{rows}"))).run();
            assert_eq!(copied.code, Some(0), "{line}");
            job(&dir, 0, numbers).ok();
            fs::remove_file(dir.path(format!("outputs/{rows}"))).expect("there");
        }
    };
    run("plan.dag");
    dir.split("rest rest.dag").ok();
    assert!(chunks(&dir) > 16 && dir.path("aside-001/plan.files/chunks").is_dir());
    run("rest.dag");
    dir.split("reduce .").answers("2016\n");
}

#[test]
fn what_cannot_be_tried_on_the_pool() {
    let dir = Dir::new();
    let refused = |words: &str, why: &str| {
        dir.split(words).refuses(2).says(why);
        assert!(!dir.path("plan.json").exists() && !dir.path("plan.dag").exists());
    };
    refused("plan --total 10 --probe-on-pool", "there is nothing to try");
    refused("plan --total 10 --probe-on-pool -- echo {chunk}", "the command names its chunk");
    refused("plan --total 10 --probe-on-pool --chunks 5 -- echo {first}", "cannot be used with");
    refused("plan --total 10 --probe-on-pool --cost 1s -- echo {first}", "cannot be used with");
    refused("run --total 10 --probe-on-pool -- echo {first}", "split run computes all items here");
    refused("probe --total 10 --probe-on-pool -- echo {first}", "is for split plan");
    // A site that allows no trial on its access point has nothing against one on its pool.
    dir.own_profile("[access-point]\nprobe = false\n");
    dir.split("plan --total 3 --probe-on-pool -- echo {first}").ok().says("at 3 places");
    dir.split("plan --total 3 --probe-on-pool -- echo {first}").ok().says("the same plan is in . already");
    dir.split("plan --total 3 --probe-on-pool --target 5m -- echo {first}").refuses(3).says("--probe-on-pool");
    // This machine computes all of it.
    dir.split("run").answers("3\n");
}
