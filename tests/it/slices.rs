//! Chunks in slices: what a job has finished it keeps, whatever ends it.

use std::fs;
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::job::{bare, sandbox};
use crate::kit::{Dir, Ended};
use crate::log::Log;

/// Notes the items, stops at what `$1` does once, and prints the sum.
const PROGRAM: &str = "echo $2 >> \"$CALLS\"
if [ $2 = 41 ] && [ ! -e \"$CALLS.once\" ]; then touch \"$CALLS.once\"; eval \"$1\"; fi
total=0; for item in $(seq $2 $3); do total=$((total + item)); done; echo $total\n";

/// A chunk of 100 items in 10 slices, whose program does `first` when it comes to item 41 for the first time.
fn planned(first: &str, more: &[&str]) -> Dir {
    let dir = Dir::new();
    dir.write("sum.sh", PROGRAM);
    let calls = format!("CALLS={}", dir.path("calls").display());
    dir.split("plan --total 1..=100 --chunks 1 --slices 10 --env")
        .arg(&calls)
        .args(more)
        .args(["--", "sh", "sum.sh", first, "{first}", "{last}"])
        .ok();
    dir
}

/// A run of the job in the sandbox `name`.
fn job<'a>(dir: &'a Dir, name: &str) -> Ended<'a> {
    bare(dir, &dir.path(name).join("condor_exec.exe")).args(["exec", "job.json", "0", "0", "100"]).within(name).run()
}

/// The first items of the program's runs.
fn calls(dir: &Dir) -> String {
    dir.read("calls").replace('\n', " ")
}

/// Brings back the one partial of the sandbox `name`.
#[track_caller]
fn bring_back(dir: &Dir, name: &str) -> String {
    let partials: Vec<_> = dir.names(name).into_iter().filter(|name| name.ends_with(".part")).collect();
    let [partial] = &partials[..] else { panic!("{partials:?}") };
    fs::copy(dir.path(name).join(partial), dir.path("outputs").join(partial)).expect("brought back");
    dir.read(format!("outputs/{partial}"))
}

fn records(partial: &str) -> usize {
    partial.matches("{\"format\":").count()
}

const ALL_BUT_41: &str = "1 11 21 31 41 41 51 61 71 81 91 ";

#[test]
fn an_eviction_keeps_what_is_finished() {
    let dir = planned("kill -TERM $PPID; sleep 60", &[]);
    sandbox(&dir, "one");
    let evicted = job(&dir, "one");
    assert_eq!(evicted.code, Some(130), "{}", evicted.transcript());
    // What HTCondor brings to the access point, and sends to where the job starts again.
    assert!(dir.names("one").iter().all(|name| !name.ends_with(".part")), "{:?}", dir.names("one"));
    sandbox(&dir, "two");
    fs::copy(dir.path("one/carried"), dir.path("two/carried")).expect("carried");
    let done = job(&dir, "two");
    assert_eq!(done.code, Some(0), "{}", done.transcript());
    assert_eq!(calls(&dir), ALL_BUT_41);
    assert_eq!(records(&bring_back(&dir, "two")), 10);
    assert!(!dir.path("two/carried").exists());
    dir.split("reduce .").answers("5050\n").says("by 10 records");
}

/// HTCondor would kill it and the runner with all that is finished.
#[test]
fn a_program_that_does_not_hear_an_eviction_is_ended_in_time() {
    let dir = planned("trap '' TERM; kill -TERM $PPID; sleep 60", &[]);
    sandbox(&dir, "one");
    dir.write("machine", "Machine = \"ep1\"\nMachineMaxVacateTime = 1 * 3\n");
    let machine = format!("_CONDOR_MACHINE_AD={}", dir.path("machine").display());
    let runner = dir.command("/usr/bin/env").args(["-i", &machine]).arg(dir.path("one/condor_exec.exe"));
    let started = Instant::now();
    let evicted = runner.args(["exec", "job.json", "0", "0", "100"]).within("one").run();
    let took = started.elapsed().as_secs_f64();
    assert_eq!(evicted.code, Some(130), "{}", evicted.transcript());
    assert!((2.7..50.0).contains(&took), "it had {took} s");
    assert_eq!(records(&dir.read("one/carried")), 4);
}

#[test]
fn a_killed_runner_loses_the_slice_at_hand_alone() {
    let dir = planned("kill -KILL $PPID; sleep 1", &[]);
    sandbox(&dir, "one");
    assert_eq!(job(&dir, "one").code, None, "it was killed");
    let whole = fs::read(dir.path("one/carried")).expect("there");
    assert_eq!(records(&String::from_utf8_lossy(&whole)), 4);
    // Cut short anywhere, what is whole of it counts, and nothing else.
    for (number, length) in (0..=whole.len()).step_by(whole.len() / 12).enumerate() {
        let name = format!("cut-{number}");
        sandbox(&dir, &name);
        dir.write("calls", "");
        fs::write(dir.path(&name).join("carried"), &whole[..length]).expect("written");
        assert_eq!(job(&dir, &name).code, Some(0), "cut after {length} bytes");
        // A record has three lines: its header, a number, and one that ends it.
        let kept = whole[..length].iter().filter(|byte| **byte == b'\n').count() / 3;
        assert_eq!(calls(&dir).split_whitespace().count(), 10 - kept, "cut after {length} bytes");
        let partial = bring_back(&dir, &name);
        assert_eq!(records(&partial), 10);
    }
    dir.split("reduce .").answers("5050\n");
}

#[test]
fn what_other_code_has_carried_does_not_count() {
    let dir = planned("kill -TERM $PPID; sleep 60", &[]);
    sandbox(&dir, "one");
    assert_eq!(job(&dir, "one").code, Some(130));
    sandbox(&dir, "two");
    fs::copy(dir.path("one/carried"), dir.path("two/carried")).expect("carried");
    fs::write(dir.path("two/work/sum.sh"), PROGRAM.to_owned() + "# mended\n").expect("written");
    assert_eq!(job(&dir, "two").code, Some(0));
    assert_eq!(calls(&dir), "1 11 21 31 41 1 11 21 31 41 51 61 71 81 91 ");
}

/// Prints the sum, but not of items that `$1` lists.
const PICKY: &str = "echo $2-$3 >> \"$CALLS\"
total=0; for item in $(seq $2 $3); do
  case \" $1 \" in *\" $item \"*) echo what a pity about $item >&2; exit 3;; esac
  total=$((total + item))
done; echo $total\n";

/// A chunk of 100 items, in slices if `more` says so, whose program cannot do those that `bad` lists.
fn picky(bad: &str, more: &[&str]) -> Dir {
    let dir = Dir::new();
    dir.write("sum.sh", PICKY);
    dir.split("plan --total 1..=100 --chunks 1 --env")
        .arg(format!("CALLS={}", dir.path("calls").display()))
        .args(more)
        .args(["--", "sh", "sum.sh", bad, "{first}", "{last}"])
        .ok();
    dir
}

#[test]
fn a_bad_item_costs_its_neighbours_nothing() {
    let dir = picky("41", &[]);
    sandbox(&dir, "one");
    let failed = job(&dir, "one");
    assert_eq!(failed.code, Some(70), "{}", failed.transcript());
    assert!(failed.err.contains("1 of 100 items have no result"), "{}", failed.err);
    assert_eq!(calls(&dir), "1-100 1-50 51-100 1-25 26-50 26-37 38-50 38-43 44-50 38-40 41-43 41-41 42-43 ");
    let partial = bring_back(&dir, "one");
    assert!(partial.contains("what a pity about 41"), "{partial}");
    // Six results, and one failure, in the order of the items.
    let firsts: Vec<u64> = partial
        .split("\"first\":")
        .skip(1)
        .map(|rest| rest.split(',').next().and_then(|first| first.parse().ok()).expect("a number"))
        .collect();
    assert_eq!(firsts, [0, 25, 37, 40, 41, 43, 50]);
    dir.split("reduce .").refuses(20).says("41");
    dir.split("reduce . --partial").answers("5009\n");
    dir.write("sum.sh", PICKY.replace("exit 3", ":"));
    dir.split("run .").answers("5050\n").says("99 of 100 items have results already");
}

#[test]
fn bad_items_in_several_slices_are_all_found() {
    let dir = picky("3 41 100", &["--slices", "10"]);
    sandbox(&dir, "one");
    let failed = job(&dir, "one");
    assert_eq!(failed.code, Some(70), "{}", failed.transcript());
    assert!(failed.err.contains("3 of 100 items have no result"), "{}", failed.err);
    bring_back(&dir, "one");
    dir.split("reduce . --partial").answers("4906\n");
}

#[test]
fn a_broken_program_is_not_narrowed_down() {
    let all: Vec<String> = (1..=100).map(|item| item.to_string()).collect();
    let dir = picky(&all.join(" "), &["--slices", "10"]);
    sandbox(&dir, "one");
    assert_eq!(job(&dir, "one").code, Some(70));
    assert_eq!(calls(&dir), "1-10 1-5 6-10 1-2 3-5 6-7 8-10 ");
    let partial = bring_back(&dir, "one");
    assert!(partial.contains("not run: the items before them all failed"), "{partial}");
}

#[test]
fn a_program_that_is_not_there_is_asked_for_once() {
    let dir = picky("41", &[]);
    dir.write("sum.sh", "echo $2-$3 >> \"$CALLS\"; not-there-at-all $2\n");
    sandbox(&dir, "one");
    assert_eq!(job(&dir, "one").code, Some(70));
    assert_eq!(calls(&dir), "1-100 ");
}

#[test]
fn what_fails_once_is_done_in_halves() {
    let dir = planned("echo what a pity >&2; exit 3", &[]);
    sandbox(&dir, "one");
    let done = job(&dir, "one");
    assert_eq!(done.code, Some(0), "{}", done.transcript());
    assert_eq!(calls(&dir), "1 11 21 31 41 41 46 51 61 71 81 91 ");
    assert_eq!(records(&bring_back(&dir, "one")), 11);
    dir.split("reduce .").answers("5050\n");
}

#[test]
fn a_job_asks_to_be_carried_where_that_is_worth_it() {
    let dir = planned("true", &["--eviction-every", "100ms"]);
    sandbox(&dir, "one");
    // A carry before this run of the job cost next to nothing.
    let plan = dir.read("plan.json");
    let code = plan.split("\"code\": \"").nth(1).and_then(|rest| rest.split('"').next()).expect("a code");
    let state = |asked: f64| format!("{{\"code\":\"{code}\",\"asked\":{asked}}}");
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64();
    fs::create_dir(dir.path("one/.split-state")).expect("made");
    let slow = fs::read_to_string(dir.path("one/work/sum.sh")).expect("read").replace("total=0", "sleep 0.1; total=0");
    fs::write(dir.path("one/work/sum.sh"), slow).expect("written");
    let mut carries = 0;
    loop {
        fs::write(dir.path("one/.split-state/state.json"), state(now() - 0.02)).expect("written");
        let ended = job(&dir, "one");
        if ended.code == Some(0) {
            break;
        }
        assert_eq!(ended.code, Some(85), "{}", ended.transcript());
        assert!(ended.err.is_empty() && dir.path("one/carried").exists(), "{}", ended.transcript());
        carries += 1;
    }
    assert!((1..10).contains(&carries), "{carries} carries");
    assert_eq!(calls(&dir), "1 11 21 31 41 51 61 71 81 91 ");
    assert_eq!(records(&bring_back(&dir, "one")), 10);
}

#[test]
fn on_a_shared_file_system_the_partial_grows_in_place() {
    let dir = planned("kill -KILL $PPID; sleep 1", &["--shared-filesystem"]);
    let job = || {
        let numbers = ["exec", "../plan.files/job/job.json", "0", "0", "100"];
        bare(&dir, &dir.path("plan.files/split-runner")).args(numbers).within("outputs").run()
    };
    assert_eq!(job().code, None, "it was killed");
    let shown = dir.split("show 0").ok().text();
    assert!(shown.contains("items 31..=40") && !shown.contains("items 41"), "{shown}");
    let again = job();
    assert_eq!(again.code, Some(0), "{}", again.transcript());
    assert_eq!(calls(&dir), ALL_BUT_41);
    dir.split("reduce .").answers("5050\n").says("by 10 records");
}

#[test]
fn a_program_that_hangs_is_ended() {
    let dir = Dir::new();
    let started = std::time::Instant::now();
    dir.split("run --total 1..=4 --chunks 1 --retries 0 --item-timeout 300ms --reduce concat")
        .args(["--", "sh", "-c", "[ {item} = 3 ] && sleep 60; echo {item}"])
        .exits(30)
        .says("ran for longer than 1 s");
    assert!(started.elapsed().as_secs() < 50, "it was not waited for");
    dir.split("reduce . --partial").answers("1\n2\n4\n");
}

#[test]
fn a_job_over_its_budget_yields_the_rest() {
    let dir = Dir::new();
    dir.split("plan --total 1..=100 --chunks 1 --budget 1s --reduce concat")
        .args(["--", "sh", "-c", "[ {item} -gt 3 ] && sleep 60; echo {item}"])
        .ok();
    sandbox(&dir, "one");
    let done = job(&dir, "one");
    // It has done what it could: the same again would end in the same way.
    assert_eq!(done.code, Some(0), "{}", done.transcript());
    let partial = bring_back(&dir, "one");
    assert!(partial.contains("\"cause\":{\"over-budget\":1}"), "{partial}");
    dir.split("reduce .").refuses(20).says("97 of 100");
    dir.split("reduce . --partial").answers("1\n2\n3\n");
}

#[test]
fn a_job_that_is_over_its_budget_while_it_looks_for_a_bad_item_is_not_tried_again() {
    // Fails on item 10, and hangs over the second quarter of the items where it is slow.
    let script = "[ $1 = slow ] && [ $2 = 26 ] && sleep 60; seq $2 $3 | grep -qx 10 && exit 3; seq $2 $3";
    let planned = |speed: &str, more: &str| {
        let dir = Dir::new();
        let plan =
            dir.split("plan --total 1..=100 --chunks 1 --budget 3s --reduce concat").args(more.split_whitespace());
        plan.args(["--", "sh", "-c", script, "sh", speed, "{first}", "{last}"]).ok();
        sandbox(&dir, "one");
        dir
    };
    let dir = planned("slow", "");
    let done = job(&dir, "one");
    assert_eq!(done.code, Some(0), "{}", done.transcript());
    let partial = bring_back(&dir, "one");
    for words in ["{\"exit-code\":3}", "{\"over-budget\":3}", "\"kind\":\"whole\""] {
        assert!(partial.contains(words), "{partial}");
    }
    dir.split("tail 1").ok().says("of 100 in");
    // Where it was found in time, another machine may do better.
    job(&planned("quick", ""), "one").says("1 of 100 items have no result");
    assert_eq!(job(&planned("quick", ""), "one").code, Some(70));
    assert_eq!(job(&planned("slow", "--tail-rounds 0"), "one").code, Some(70), "nobody would finish it");
}

#[test]
fn slices_do_not_show_in_the_answer() {
    let whole = Dir::new();
    let sliced = Dir::new();
    let command = ["--", "sh", "-c", "seq {first} {last}"];
    for (dir, slices) in [(&whole, "1"), (&sliced, "7")] {
        dir.split("run --total 1..=50 --chunks 3 --reduce concat --slices").arg(slices).args(command).ok();
    }
    assert_eq!(whole.split("reduce .").ok().text(), sliced.split("reduce .").ok().text());
    assert!(Path::new(&sliced.path("plan.json")).exists());
    // As many as there are items.
    sliced
        .split("run --force --total 1..=3 --chunks 2 --slices 1000")
        .args(command)
        .answers("6\n")
        .says("each chunk in 2 slices");
}

#[test]
fn status_tells_what_an_interrupted_slice_cost() {
    let dir = planned("kill -TERM $PPID; sleep 60", &[]);
    sandbox(&dir, "one");
    assert_eq!(job(&dir, "one").code, Some(130));
    let log = || Log::new().submitted(10, "chunk-000000-g1").starts(10, "ep1").after(30);
    let log = || log().event(40, 10, "Finished transferring output files", "").evicted(10).after(5);
    let lost = || {
        let status = dir.split("status --json").ok().out;
        let json: serde_json::Value = serde_json::from_slice(&status).expect("JSON");
        (json["without_results"]["evicted"].clone(), json["with_results"].clone())
    };
    let spent = |attempts: u64, seconds: u64| serde_json::json!({"attempts": attempts, "seconds": seconds});
    log().write(&dir, "logs/events.log");
    assert_eq!(lost(), (spent(1, 0), spent(0, 30)), "nothing is known of it yet but what the log says");
    sandbox(&dir, "two");
    fs::copy(dir.path("one/carried"), dir.path("two/carried")).expect("carried");
    assert_eq!(job(&dir, "two").code, Some(0));
    bring_back(&dir, "two");
    log().starts(10, "ep2").after(40).exits(10, 0).write(&dir, "logs/events.log");
    // Four slices were finished in no time; the fifth had the rest of the thirty seconds.
    assert_eq!(lost(), (spent(1, 30), spent(1, 40)));
    dir.split("status").ok().says("evicted once, 30 s");
}
