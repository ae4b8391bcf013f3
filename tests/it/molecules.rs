//! `--template gromacs` and `--template lammps`, with programs in their places that do no more than count steps.

use std::path::Path;

use rustix::process::Signal;

use crate::kit::{Dir, Ended, Split, until};

/// A .tpr is what `gmx dump` prints of one here, and a checkpoint the number of its step.
const GMX: &str = r#"#!/bin/sh
[ "$1" = -quiet ] && shift
case $1$2 in
dump-s) cat "$3" ;;
dump-cp) grep -q '^[0-9]*$' "$3" && echo "step = $(cat "$3")" ;;
mdrun*)
    at=0
    while [ $# -gt 0 ]; do
        case $1 in
        -cpi) at=$(cat "$2") ;;
        -cpo) out=$2 ;;
        -deffnm) name=$2 ;;
        -nsteps) steps=$2 ;;
        esac
        shift
    done
    echo "from $at" >"$name.$(printf part%04d "$SPLIT_SEGMENT").xtc"
    if [ -n "$SLOW" ]; then
        trap 'echo half >"$out"; exit 1' TERM
        : >waiting
        for second in 1 2 3 4 5 6 7 8 9 10; do sleep 1 & wait $!; done
    fi
    [ "$STOPPED" != "$SPLIT_SEGMENT" ] || exit 0
    echo $((at + steps)) | tee "$name.$(printf part%04d "$SPLIT_SEGMENT").gro" >"$out"
    ;;
esac
"#;

const TPR: &str = "inputrec:\n   dt = 0.002\n   nsteps = 1000\n   init-step = 0\n   nstxout = 0\n   nstenergy = 100\n   \
                   nstlist = 20\n   verlet-buffer-tolerance = 0.005\ntopology:\n";

/// A restart file is the number of its step.
const LMP: &str = r#"#!/bin/sh
at=0
while [ $# -gt 0 ]; do
    case $1$2 in
    -varsteps) until=$3 ;;
    -varrestart) at=$(cat "$3") ;;
    -varreplica) replica=$3 ;;
    esac
    [ "$1" != -log ] || echo "$at to $until" >"$2"
    shift
done
echo "from $at" >"melt.$replica.dump"
[ "$STOPPED" != "$SPLIT_SEGMENT" ] || exit 0
echo "$until" | tee next.restart >reached.txt
"#;

const MELT: &str = include_str!("../../examples/lammps/in.melt");

/// `split`, where the two programs are those above.
fn split<'a>(dir: &'a Dir, words: &str) -> Split<'a> {
    dir.program("bin/gmx", GMX);
    dir.program("bin/lmp", LMP);
    let path = format!("{}:{}", dir.path("bin").display(), std::env::var("PATH").unwrap_or_default());
    dir.split(words).env("PATH", path)
}

fn collected(dir: &Dir) -> Vec<String> {
    dir.names("collected").into_iter().filter(|name| !name.starts_with('.')).collect()
}

/// Does what `words` say, and gives what was said.
fn refused(words: &str, files: &[(&str, &str)], says: &str) {
    let dir = Dir::new();
    for (name, text) in files {
        dir.write(name, text);
    }
    split(&dir, words).refuses(2).says(says);
    assert!(!dir.path("segment.sh").exists() && !dir.path("plan.dag").exists());
}

fn gromacs(dir: &Dir) -> Split<'_> {
    split(dir, "run --template gromacs --tpr water-*.tpr --segments 4 --retries 0")
}

fn lammps(dir: &Dir) -> Split<'_> {
    split(dir, "run --template lammps --in in.melt --segments 4 --replicas 2 --retries 0")
}

fn said(ended: &Ended<'_>) -> String {
    ended.transcript()
}

#[test]
fn gromacs_goes_on_from_segment_to_segment() {
    let dir = Dir::new();
    dir.write("water-0.tpr", TPR);
    dir.write("water-1.tpr", TPR.replace("1000", "300"));
    let ended = gromacs(&dir).ok();
    ended.says("1000 steps, 300 in a segment: 0.6 ps").says("verlet-buffer-tolerance = 0.005");
    ended.says("2 trajectories of 4 segments");
    // The second is done after its third segment, and has no fourth.
    let parts = |replica: u32, segments: u32| {
        (1..=segments).flat_map(move |part| ["gro", "xtc"].map(|end| format!("water-{replica}.part{part:04}.{end}")))
    };
    assert_eq!(collected(&dir), parts(0, 4).chain(parts(1, 3)).collect::<Vec<_>>());
    assert_eq!(dir.read("collected/water-0.part0004.xtc"), "from 900\n");
    assert_eq!(dir.read("collected/water-0.part0004.gro"), "1000\n");
    assert_eq!(dir.read("collected/water-1.part0003.gro"), "300\n");
}

#[test]
fn each_run_of_gromacs_is_looked_at() {
    let dir = Dir::new();
    for (name, steps) in [("water-0.tpr", "1000"), ("water-1.tpr", "1000"), ("water-2.tpr", "300")] {
        dir.write(name, TPR.replace("1000", steps));
    }
    let planned = split(&dir, "plan --template gromacs --tpr water-*.tpr --segments 4").ok();
    planned.says("water-0.tpr, and 1 more like it:").says("water-2.tpr:\n  300 steps");
    dir.write("water-3.tpr", TPR.replace("1000", "-1"));
    split(&dir, "plan --force --template gromacs --tpr water-*.tpr --segments 4")
        .refuses(2)
        .says("water-3.tpr: it has no number");
}

#[test]
fn a_run_of_gromacs_that_was_stopped_does_not_count() {
    let dir = Dir::new();
    dir.write("water-0.tpr", TPR);
    let ended = gromacs(&dir).args(["--env", "STOPPED=2"]).exits(30);
    ended.says("segment 2: mdrun ended before its last step");
    dir.split("status").ok().says("1 of 4 segments have left a state");
}

#[test]
fn the_script_of_gromacs_starts_from_no_other_state() {
    let dir = Dir::new();
    dir.write("water.tpr", TPR);
    split(&dir, "plan --template gromacs --tpr water.tpr --segments 4").ok();
    let path = format!("{}:{}", dir.path("bin").display(), std::env::var("PATH").unwrap_or_default());
    let segment = |number: &str, says: &str| {
        let script = dir.command("sh").args(["segment.sh", "water.tpr"]).env("PATH", &path);
        let script = script.env("SPLIT_SEGMENT", number).env("SPLIT_SEGMENTS", "4");
        let ended = script.env("SPLIT_FINISHED", dir.path("finished")).run();
        if says.is_empty() {
            assert_eq!(ended.code, Some(0), "{}", ended.transcript());
        } else {
            assert_eq!(ended.code, Some(1), "{}", ended.transcript());
            ended.says(says);
        }
    };
    segment("2", "segment 2: state.cpt is missing");
    segment("1", "");
    segment("3", "segment 3: state.cpt is of step 300, where 600 is due");
    segment("2", "");
    dir.write("state.cpt", "no number");
    segment("3", "segment 3: state.cpt is no checkpoint");
    dir.write("state.cpt", "");
    segment("3", "segment 3: state.cpt is missing");
    dir.write("state.cpt", "900\n");
    assert!(!dir.path("finished").exists());
    segment("4", "");
    assert!(dir.path("finished").exists());
    segment("5", "segment 5: there is nothing left to compute after step 1200");
}

#[test]
fn a_signal_reaches_gromacs_and_leaves_no_state() {
    let dir = Dir::new();
    dir.write("water.tpr", TPR);
    split(&dir, "plan --template gromacs --tpr water.tpr --segments 4").ok();
    let path = format!("{}:{}", dir.path("bin").display(), std::env::var("PATH").unwrap_or_default());
    let script = dir.command("sh").args(["segment.sh", "water.tpr"]).env("PATH", &path).env("SLOW", "yes");
    let script = script.env("SPLIT_SEGMENT", "1").env("SPLIT_SEGMENTS", "4").env("SPLIT_FINISHED", "finished");
    let started = script.start();
    until("mdrun", || dir.path("waiting").exists());
    started.signal(Signal::TERM);
    let ended = started.wait();
    assert_eq!(ended.code, Some(1), "{}", ended.transcript());
    assert_eq!(dir.read("next.cpt"), "half\n", "mdrun was not told");
    assert!(!dir.path("state.cpt").exists());
}

#[test]
fn lammps_goes_on_from_segment_to_segment() {
    let dir = Dir::new();
    dir.write("in.melt", MELT);
    let ended = lammps(&dir).ok();
    assert!(!said(&ended).contains("to the bit"), "{}", said(&ended));
    assert_eq!(dir.read("collected/melt.1-segment0001.dump"), "from 0\n");
    assert_eq!(dir.read("collected/melt.1-segment0004.dump"), "from 1500\n");
    assert_eq!(dir.read("collected/log.0.2.lammps"), "500 to 1000\n");
    assert_eq!(collected(&dir).len(), 16);

    let dir = Dir::new();
    dir.write("in.melt", MELT.replace("atom_modify", "#").replace("every 20", "every 300"));
    let ended = lammps(&dir).ok();
    ended.says("not to the bit the same; that takes: atom_modify sort 0 0.0").says("2000 steps, 600 in a segment");
    assert_eq!(dir.read("collected/log.0.2.lammps"), "600 to 1200\n");
}

#[test]
fn a_run_of_lammps_that_was_stopped_does_not_count() {
    let dir = Dir::new();
    dir.write("in.melt", MELT);
    lammps(&dir).args(["--env", "STOPPED=3"]).exits(30).says("segment 3: LAMMPS ended before the end of in.melt");
    dir.split("status").ok().says("4 of 8 segments have left a state");
}

#[test]
fn a_script_of_ones_own_is_used() {
    let dir = Dir::new();
    dir.write("water.tpr", TPR);
    dir.write("segment.sh", "# mine\necho my own; echo 1 > state.cpt; : > \"$SPLIT_FINISHED\"\n");
    let run = split(&dir, "run --template gromacs --tpr water.tpr --segments 4 --reduce concat");
    run.answers("my own\n").says("the segment.sh that is here is used");
}

#[test]
fn without_gromacs_here_nothing_says_what_is_in_a_tpr() {
    let dir = Dir::new();
    dir.write("water.tpr", TPR);
    let plan = dir.split("plan --template gromacs --tpr water.tpr --segments 4").env("GMX", "no-such-gmx");
    plan.ok().says("note: no-such-gmx is not here");
    assert!(Path::new(&dir.path("plan.dag")).exists());
}

#[test]
fn what_molecules_are_refused() {
    let tpr = [("water.tpr", TPR)];
    refused("plan --template gromacs --segments 4", &tpr, "--tpr FILE.tpr");
    refused("plan --template gromacs --tpr water.tpr", &tpr, "into how many segments?");
    refused("plan --template gromacs --tpr no.tpr --segments 4", &tpr, "no.tpr");
    refused("plan --template gromacs --tpr water.tpr --segments 4 --replicas 2", &tpr, "gen-seed");
    refused("plan --template chain --tpr water.tpr --segments 4", &tpr, "--tpr is for --template gromacs");
    let endless = TPR.replace("1000", "-1");
    refused("plan --template gromacs --tpr water.tpr --segments 4", &[("water.tpr", &endless)], "no number of steps");
    let words = "plan --template lammps --in in.melt --segments 4 --replicas 2";
    let lacks = |from: &str, to: &str, says: &str| refused(words, &[("in.melt", &MELT.replace(from, to))], says);
    lacks("index 2000", "equal 2000", "variable steps index");
    lacks("${restart}", "it", "is_defined(variable,restart)");
    lacks(" upto", "", "run ${steps} upto");
    lacks("v_replica", "1", "variable seed equal 4711+v_replica");
    refused("plan --template lammps --segments 4", &[], "--in FILE");
    refused("plan --template lammps --in in.melt --segments 4", &[], "--in in.melt: ");
    refused("plan --template gromacs --in in.melt --segments 4", &[], "--in is for --template lammps");
}
