//! What a node of a DAG does elsewhere than in the plan's folder, or around a job: jobs that are carried and that narrow a failure
//! down, a program's own checkpoints, groups that are merged, the segments of a chain.

use std::fs;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::scenes::{Folder, a_sandbox, job, job_again, job_to_the_end};
use crate::tracer::Traced;

/// A slice takes so long that a carry pays, as often as evictions are said to come.
const CARRIES: &str = "plan --total 1..=20 --chunks 2 --slices 4 --eviction-every 100ms -- sh -c";

/// Fails wherever item 3 is not alone.
const HALVES: &str = "plan --total 1..=20 --chunks 2 --slices 4 -- sh -c";

/// Saves how far it is, asks to be carried, and prints the sum in the end.
const CHECKPOINTS: &str = "plan --total 1..=20 --chunks 2 --checkpoint=signal -- sh -c";

const GROUPS: &str = "run --total 1..=20 --chunks 4 --fan-in 2 -- seq {first} {last}";

const CHAIN: &str = "plan --template chain --segments 2 --state s --reduce concat -- sh -c";

/// Plans a program in a shell, and computes all but the first chunk.
fn planned(folder: &Folder, words: &str, script: &str) {
    let mut plan = folder.split(words);
    plan.args([script, "{first}", "{last}"]);
    folder.ok(plan);
    folder.ok({
        let mut other = folder.command("/usr/bin/env", "outputs");
        other.args(["-i", "../plan.files/split-runner", "exec", "../plan.files/job/job.json"]);
        other.args(["1", "10", "20"]);
        other
    });
}

pub(crate) fn a_job_that_carries(folder: &Folder) {
    planned(folder, CARRIES, "sleep 0.1; seq $0 $1");
    a_sandbox(folder);
    fs::create_dir(folder.at("sandbox/.split-state")).expect("made");
}

/// The carry before this one cost next to nothing.
pub(crate) fn job_that_carries(folder: &Folder) -> Command {
    let plan = fs::read_to_string(folder.at("plan.json")).expect("read");
    let code = plan.split("\"code\": \"").nth(1).and_then(|rest| rest.split('"').next()).expect("a code");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64();
    let state = format!("{{\"code\":\"{code}\",\"asked\":{}}}", now - 0.02);
    fs::write(folder.at("sandbox/.split-state/state.json"), state).expect("written");
    job(folder)
}

/// What was carried counts, wherever the job goes on; HTCondor starts one that asks to be carried again in the same sandbox.
pub(crate) fn job_that_carries_again(folder: &Folder, ended: &Traced) -> Vec<u8> {
    if ended.code == Some(85) {
        assert!(folder.at("sandbox/carried").exists(), "what HTCondor is to carry is not there");
    }
    job_again(folder, ended)
}

pub(crate) fn a_job_that_halves(folder: &Folder) {
    planned(folder, HALVES, "[ $0 -le 3 ] && [ $1 -ge 3 ] && [ $0 != $1 ] && exit 1; seq $0 $1");
    a_sandbox(folder);
}

pub(crate) fn a_job_with_checkpoints(folder: &Folder) {
    let script = "cd \"$SPLIT_CHECKPOINT_DIR\"; n=$(cat n 2>/dev/null || echo 0); n=$((n + 1)); \
                  if [ $0 = 1 ] && [ $n -lt 4 ]; then echo $n >n.new; mv n.new n; exit 85; fi; seq $0 $1";
    planned(folder, CHECKPOINTS, script);
    a_sandbox(folder);
    let first = job(folder).output().expect("started");
    assert_eq!(first.status.code(), Some(85), "{first:?}");
    // As the access point has it.
    folder.ok({
        let mut keep = folder.command("sh", ".");
        keep.args(["-ec", "mkdir spool; cp sandbox/carried* spool/"]);
        keep
    });
}

/// It goes on in its sandbox; where that is lost, from what was brought to the access point before; both to the same end.
pub(crate) fn job_with_checkpoints_again(folder: &Folder, _: &Traced) -> Vec<u8> {
    let brought = folder.bring_back();
    folder.reduce_is_right_or_refuses(b"210\n");
    for path in brought {
        fs::remove_file(path).expect("removed");
    }
    job_to_the_end(folder);
    let brought = folder.bring_back();
    let answer = folder.ok(folder.split("reduce ."));
    for path in brought {
        fs::remove_file(path).expect("removed");
    }
    fs::remove_dir_all(folder.at("sandbox")).expect("removed");
    a_sandbox(folder);
    folder.ok({
        let mut sent = folder.command("sh", ".");
        sent.args(["-ec", "cp spool/* sandbox/"]);
        sent
    });
    job_to_the_end(folder);
    folder.bring_back();
    assert_eq!(folder.ok(folder.split("reduce .")), answer);
    answer
}

pub(crate) fn a_group(folder: &Folder) {
    folder.ok(folder.split(GROUPS));
    fs::remove_file(folder.at("result.json")).expect("removed");
    folder.ok({
        let mut copy = folder.command("sh", ".");
        let words =
            "mkdir sandbox; cp -R outputs/plan.json outputs/000000 sandbox; cp plan.files/split sandbox/condor_exec.exe";
        copy.args(["-ec", words]);
        copy
    });
}

pub(crate) fn merge_group(folder: &Folder) -> Command {
    let mut command = folder.command("/usr/bin/env", "sandbox");
    command.args(["-i", "./condor_exec.exe", "merge-group", "0"]);
    command
}

/// What comes back of it is whole, or does not count; the partials themselves are still there.
pub(crate) fn merge_group_again(folder: &Folder, _: &Traced) -> Vec<u8> {
    let bring_back = || {
        for name in folder.names("sandbox").into_iter().filter(|name| name.starts_with("merged-")) {
            fs::copy(folder.at("sandbox").join(&name), folder.at("outputs").join(&name)).expect("copied");
        }
    };
    bring_back();
    folder.reduce_is_right_or_refuses(b"210\n");
    folder.ok(merge_group(folder));
    bring_back();
    folder.ok(folder.split("reduce ."))
}

fn script(folder: &Folder, words: &str) -> Command {
    let mut command = folder.command("plan.files/split-runner", ".");
    command.args(words.split(' '));
    command
}

fn segment(folder: &Folder) -> Command {
    let mut command = folder.command("/usr/bin/env", "sandbox");
    command.args(["-i", "./condor_exec.exe", "exec", "job.json", "0", "0", "1", "1"]);
    command
}

pub(crate) fn a_chain(folder: &Folder) {
    let mut plan = folder.split(CHAIN);
    plan.args(["[ $0 = 1 ] || cat s >/dev/null || exit 1; echo $0 >>s; cat s", "{segment}"]);
    folder.ok(plan);
    folder.ok(script(folder, "before chunk-000000-s0001-g1"));
    a_sandbox(folder);
    folder.ok(segment_of(folder));
    folder.bring_back();
}

fn segment_of(folder: &Folder) -> Command {
    let name = "chunk-000000-s0001";
    let from = folder.at("plan.files/chain").join(name);
    if from.exists() {
        let copied = Command::new("cp").arg("-RL").arg(from).arg(folder.at("sandbox")).status().expect("started");
        assert!(copied.success());
    }
    segment(folder)
}

/// The script behind the first segment.
pub(crate) fn after_a_segment(folder: &Folder) -> Command {
    script(folder, "after 0 chunk-000000-s0001-g1")
}

/// The node starts over where its script failed; what its job left still counts.
pub(crate) fn after_a_segment_again(folder: &Folder, _: &Traced) -> Vec<u8> {
    folder.reduce_is_right_or_refuses(b"1\n1\n2\n");
    folder.ok(after_a_segment(folder));
    folder.ok(folder.split("run ."))
}

pub(crate) fn a_segment_is_done(folder: &Folder) {
    a_chain(folder);
    folder.ok(after_a_segment(folder));
}

/// The script before the second segment, which lays out the state of the first.
pub(crate) fn before_a_segment(folder: &Folder) -> Command {
    script(folder, "before chunk-000000-s0002-g1")
}

pub(crate) fn before_a_segment_again(folder: &Folder, _: &Traced) -> Vec<u8> {
    folder.reduce_is_right_or_refuses(b"1\n1\n2\n");
    folder.ok(before_a_segment(folder));
    let state = fs::read(folder.at("plan.files/chain/chunk-000000-s0002/s"));
    let laid = format!("{:?}", folder.files("plan.files/chain/chunk-000000-s0002").keys());
    let mut said = folder.ok(folder.split("run ."));
    said.extend(format!("{laid} {state:?}").into_bytes());
    said
}
