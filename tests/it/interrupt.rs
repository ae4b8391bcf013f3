//! Runs that are stopped on the way.

use std::fs;

use rustix::process::Signal;

use crate::kit::{Dir, Split, Started, until};

/// Chunks 0 and 1 are quick. The others note a child of theirs, and wait until the file `go` is there (or the test
/// is gone).
const SCRIPT: &str = "\
echo $SPLIT_CHUNK >> log
if [ $SPLIT_CHUNK -ge 2 ]; then
    (until [ -e go ] || [ ! -e log ]; do sleep 0.02; done) & echo $! >> children
    wait
fi
echo $SPLIT_FIRST
";

fn run<'a>(dir: &'a Dir, script: &str) -> Split<'a> {
    let shown = dir.shown();
    let run = dir.split_on_a_terminal("run --total 1..=6 --chunks 6 --jobs 2 -- sh -c");
    run.arg(format!("cd '{shown}'\n{script}"))
}

/// Starts it and waits until two chunks are done and two are waiting.
fn underway<'a>(dir: &'a Dir, script: &str) -> Started<'a> {
    let started = run(dir, script).start();
    until("two chunks are waiting", || children(dir).len() == 2);
    started
}

fn children(dir: &Dir) -> Vec<i32> {
    let text = fs::read_to_string(dir.path("children")).unwrap_or_default();
    text.split_terminator('\n').map(|line| line.parse().expect("a process")).collect()
}

/// Whether a process is there and no zombie.
pub(crate) fn is_running(process: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
}

fn children_are_gone(dir: &Dir) {
    until("the children are gone", || !children(dir).into_iter().any(is_running));
}

#[test]
fn ctrl_c_ends_the_programs_and_keeps_what_is_done() {
    for signal in [Signal::INT, Signal::TERM] {
        let dir = Dir::new();
        let started = underway(&dir, SCRIPT);
        started.signal(signal);
        let ended = started.wait();
        assert_eq!(ended.code, Some(130), "{}", ended.transcript());
        ended.says("error: stopped; 2 chunks done by now are kept").says("split run . goes on where it stopped");
        assert!(ended.out.is_empty());
        children_are_gone(&dir);
        assert!(dir.is_tidy());
        assert_eq!(dir.partials().len(), 2, "a stop is no failure of the program");
        dir.write("go", "");
        dir.split("run .").answers("21\n").says("2 of 6 items have results already");
        assert_eq!(dir.log(), [0, 1, 2, 2, 3, 3, 4, 5]);
    }
}

#[test]
fn a_terminal_that_is_closed_ends_the_programs_too() {
    let dir = Dir::new();
    let started = underway(&dir, SCRIPT);
    started.signal(Signal::HUP);
    started.wait();
    children_are_gone(&dir);
}

#[test]
fn ctrl_c_twice_ends_programs_that_will_not() {
    let dir = Dir::new();
    let mut started = underway(&dir, &format!("trap '' INT TERM\n{SCRIPT}"));
    until("it ends", || {
        started.signal(Signal::INT);
        started.has_ended()
    });
    assert_eq!(started.wait().code, Some(130));
    children_are_gone(&dir);
}

#[test]
fn kill_9_loses_no_chunk_that_is_done() {
    let dir = Dir::new();
    let started = underway(&dir, SCRIPT);
    started.signal(Signal::KILL);
    assert_eq!(started.wait().code, None);
    children_are_gone(&dir);
    dir.write("go", "");
    run(&dir, SCRIPT).answers("21\n").says("2 of 6 items have results already");
    assert_eq!(dir.log(), [0, 1, 2, 2, 3, 3, 4, 5]);
    assert!(dir.names("outputs").iter().all(|name| name.ends_with(".part") || name == "plan.json"), "half a partial");
}

/// Notes children that nothing but SIGKILL ends: one in the program's group, one in a session of its own, and one that has
/// nothing of its environment.
const STUBBORN: &str = "\
trap '' TERM HUP INT
hold='trap \"\" TERM HUP INT; echo $$ >> children; until [ -e go ] || [ ! -e plan.json ]; do sleep 0.02; done'
sh -c \"$hold\" & setsid sh -c \"$hold\" & env -i PATH=\"$PATH\" sh -c \"$hold\" & wait
";

#[test]
fn kill_9_leaves_nothing_running() {
    for command in ["run .", "try 1"] {
        let dir = Dir::new();
        let shown = dir.shown();
        let plan = dir.split("plan --total 1..=6 --chunks 6 -- sh -c");
        plan.arg(format!("cd '{shown}'\n{STUBBORN}")).ok();
        let command = if command == "run ." { "run . --jobs 2" } else { command };
        let started = dir.split(command).start();
        let expected = if command == "try 1" { 3 } else { 6 };
        until("all are there", || children(&dir).len() == expected);
        assert!(children(&dir).into_iter().all(is_running));
        started.signal(Signal::KILL);
        assert_eq!(started.wait().code, None);
        children_are_gone(&dir);
    }
}

#[test]
fn kill_9_at_any_moment() {
    let dir = Dir::new();
    let run = || dir.split("run --total 1..=200 --chunks 200 --reduce concat -- echo {first}");
    for done in [0, 1, 5, 20, 60, 110, 150] {
        let mut started = run().start();
        until("some chunks are done", || {
            started.has_ended() || dir.path("outputs").exists() && dir.partials().len() > done
        });
        started.signal(Signal::KILL);
        started.wait();
    }
    let expected: String = (1..=200).map(|item| format!("{item}\n")).collect();
    run().answers(&expected);
    run().answers(&expected).says("nothing is left to compute");
}
