//! Trajectories of GROMACS and LAMMPS in segments, while segments are killed and states are damaged: bit for bit what a run in one
//! go writes.

use std::fs;

use crate::chain::{flip, is_running, segment};
use crate::folder::Folder;
use crate::pool::Pool;

/// A trial with two replicas in four segments.
struct Trial {
    name: &'static str,
    files: &'static [(&'static str, &'static str)],
    /// Makes the inputs and, in `one/`, what a run in one go writes.
    in_one_go: &'static str,
    plan: &'static str,
    /// The process of a segment of replica 0 that is not the first.
    process: &'static str,
    /// Joins what came back, and compares it with the run in one go.
    compare: &'static str,
}

const WATER: Trial = Trial {
    name: "water",
    files: &[
        ("water.mdp", include_str!("../../examples/gromacs/water.mdp")),
        ("topol.top", include_str!("../../examples/gromacs/topol.top")),
        ("water.sh", include_str!("../../examples/gromacs/water.sh")),
    ],
    in_one_go: "sed -i 's/^nsteps .*/nsteps = 6000/' water.mdp
        sh water.sh 2
        for i in 0 1; do
            mkdir -p one/$i
            (cd one/$i && gmx -quiet mdrun -s ../../water-$i.tpr -reprod -ntmpi 1 -ntomp 1 -pin off -notunepme 2>mdrun.log)
        done",
    plan: "plan --template gromacs --tpr water-*.tpr --segments 4 -- -nb cpu",
    process: "^gmx .*mdrun -s .*water-0.*-cpi [s]tate.cpt",
    compare: "for i in 0 1; do
            gmx -quiet trjcat -f collected/water-$i.part*.xtc -o $i.xtc >join.log 2>&1
            gmx -quiet eneconv -f collected/water-$i.part*.edr -o $i.edr >join.log 2>&1
            cmp $i.xtc one/$i/traj_comp.xtc
            cmp $i.edr one/$i/ener.edr
            cmp collected/water-$i.part0004.gro one/$i/confout.gro
        done
        if cmp -s 0.xtc 1.xtc; then echo the replicas are alike; fi",
};

const MELT: Trial = Trial {
    name: "melt",
    files: &[
        ("in.melt", include_str!("../../examples/lammps/in.melt")),
        ("join.awk", include_str!("../../examples/lammps/join.awk")),
    ],
    in_one_go: "sed -i 's/index 2000/index 4000/' in.melt
        mkdir one
        for i in 0 1; do (cd one && lmp -in ../in.melt -var replica $i >log.$i); done",
    plan: "plan --template lammps --in in.melt --segments 4 --replicas 2",
    process: "^lmp -in segment.in -var restart .*-var replica [0]",
    compare: "for i in 0 1; do awk -f join.awk collected/melt.$i-segment*.dump | cmp - one/melt.$i.dump; done
        if cmp -s one/melt.0.dump one/melt.1.dump; then echo the replicas are alike; fi",
};

/// Flips a bit of the first state of replica 1 as it comes back, and leaves the rest to the script that is there.
const DAMAGE: &str = "#!/bin/sh
if [ ! -e damaged ]; then
    touch damaged
    python3 -c 'import sys
for name in sys.argv[1:]:
    with open(name, \"r+b\") as file:
        file.seek(-1000, 2)
        byte = file.read(1)[0]
        file.seek(-1000, 2)
        file.write(bytes([byte ^ 16]))
' outputs/chunk-000001.*.part
fi
exec plan.files/split-runner after $1 $2
";

/// Runs a shell's commands as alice.
fn sh(folder: &Folder<'_>, script: &str) -> String {
    folder.run(["sh", "-euc", script]).ok()
}

fn check(pool: &Pool, trial: &Trial) {
    let folder = pool.folder(trial.name);
    for (name, text) in trial.files {
        folder.write(name, text);
    }
    sh(&folder, trial.in_one_go);
    let planned = folder.split(trial.plan);
    assert!(!planned.err.contains("to the bit"), "{}", planned.err);
    planned.ok();
    folder.program("damage.sh", DAMAGE);
    let dag = folder.read("plan.dag");
    let line = "SCRIPT POST chunk-000001-s0001-g1 ";
    let edited = dag.replace(&format!("{line}plan.files/split-runner after"), &format!("{line}damage.sh"));
    assert_ne!(edited, dag);
    folder.write("plan.dag", edited);
    let dagman = folder.start();

    // One is killed on its way, and meanwhile the state that it went on from is damaged.
    folder.wait_for("a third segment", || is_running(&folder, "chunk-000000-s0003-g1"));
    let second = segment(&folder, 0, 2).expect("its record");
    let process = trial.process;
    pool.root(&format!("until pgrep -f '{process}' >/dev/null; do sleep 0.05; done; sleep 0.3"));
    flip(&second);
    pool.root(&format!("pkill -KILL -f '{process}'"));

    assert_eq!(folder.end_of(dagman), Some(0));
    let damaged = folder.read("logs/damaged.txt");
    assert_eq!(damaged.lines().count(), 2, "{damaged}");
    let killed = |job: &&crate::condor::Job| job.node == "chunk-000000-s0003-g1" && job.returned != Some(0);
    assert_eq!(folder.jobs().iter().filter(killed).count(), 1, "{:?}", folder.jobs());
    folder.split("reduce outputs/").ok();
    assert_eq!(sh(&folder, trial.compare), "");

    // What is damaged after all is computed again by the next submission, with what follows it.
    for partial in folder.partials().iter().filter(|partial| partial.name.contains("-joined")) {
        fs::remove_file(folder.path("outputs").join(&partial.name)).expect("removed");
    }
    flip(&segment(&folder, 1, 3).expect("its record"));
    folder.split("resume").ok();
    assert_eq!(folder.submit(), Some(0));
    folder.split("reduce outputs/").ok();
    assert_eq!(sh(&folder, trial.compare), "");
}

pub(crate) fn water_in_segments_is_water_in_one_go(pool: &Pool) {
    check(pool, &WATER);
}

pub(crate) fn a_melt_in_segments_is_a_melt_in_one_go(pool: &Pool) {
    check(pool, &MELT);
}

/// With the buffer that GROMACS chooses, and so says the plan.
pub(crate) fn what_exactness_needs_is_said(pool: &Pool) {
    let folder = pool.folder("buffer");
    for (name, text) in WATER.files {
        folder.write(name, text);
    }
    sh(&folder, "sed -i '/^verlet-buffer/d; /^rlist/d; /^nstlist/d' water.mdp && sh water.sh 1");
    let planned = folder.split("plan --template gromacs --tpr water-0.tpr --segments 2");
    planned.says(&["2000 steps, 1000 in a segment: 2 ps", "verlet-buffer-tolerance = 0.005", "not to the bit"]);
    planned.ok();

    folder.write("in.melt", include_str!("../../examples/lammps/in.melt").replace("all nve", "all nvt temp 3 3 0.5"));
    let planned = folder.split("plan --force --template lammps --in in.melt --segments 2");
    planned.says(&["nvt goes on from a restart file with other last digits"]);
}
