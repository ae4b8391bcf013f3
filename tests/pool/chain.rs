//! Trajectories in segments, while segments are killed and states are damaged.

use std::fs;
use std::path::PathBuf;

use crate::folder::Folder;
use crate::pool::Pool;

const SEGMENTS: u32 = 4;
const STEPS: u32 = 100;

/// Walks a generator of random numbers, and prints where it is at the end of each segment. The last replica is done early.
const WALK: &str = "import json, os, sys, time
replica, segment, segments = map(int, sys.argv[1:])
state = {'x': replica, 'steps': 0}
if segment > 1:
    with open('state.json') as file:
        state = json.load(file)
time.sleep(2)
for _ in range(100):
    state['x'] = (state['x'] * 6364136223846793005 + 1442695040888963407) % 2**64
    state['steps'] += 1
with open('state.json', 'w') as file:
    json.dump(state, file)
print(state['steps'], state['x'])
if replica == 2 and segment == 2:
    open(os.environ['SPLIT_FINISHED'], 'w').close()
";

/// Damages the first state that comes back, and leaves the rest to the script that is there.
const DAMAGE: &str = "#!/bin/sh
if [ ! -e damaged ]; then
    touch damaged
    for name in outputs/chunk-000001.*.part; do truncate -s -3 $name; done
fi
exec plan.files/split-runner after $1 $2
";

/// What a run in one go prints.
fn in_one_go(replica: u64, segments: u32) -> String {
    let mut x = replica;
    let mut text = String::new();
    for step in 1..=segments * STEPS {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if step % STEPS == 0 {
            text.push_str(&format!("{step} {x}\n"));
        }
    }
    text
}

/// The partial of a segment that counts.
pub(crate) fn segment(folder: &Folder<'_>, chunk: u64, number: u32) -> Option<PathBuf> {
    let is_it = |partial: &crate::folder::Partial| {
        partial.chunk == chunk && partial.header["kind"] == "segment" && partial.header["segment"]["number"] == number
    };
    folder.partials().into_iter().find(is_it).map(|partial| folder.path("outputs").join(partial.name))
}

pub(crate) fn is_running(folder: &Folder<'_>, node: &str) -> bool {
    folder.jobs().iter().any(|job| job.node == node && job.machine.is_some() && job.returned.is_none())
}

pub(crate) fn flip(path: &std::path::Path) {
    let mut bytes = fs::read(path).expect("readable");
    let place = bytes.len() - 12;
    bytes[place] ^= 1;
    fs::write(path, bytes).expect("written");
}

pub(crate) fn a_chain_is_as_a_run_in_one_go(pool: &Pool) {
    let folder = pool.folder("chain");
    folder.write("walk.py", WALK);
    let plan = "plan --template chain --segments 4 --replicas 3 --state state.json --reduce concat -- \
                python3 walk.py {replica} {segment} {segments}";
    folder.split(plan).ok();
    // As if the first state of replica 1 had been cut short on its way back.
    folder.program("damage.sh", DAMAGE);
    let dag = folder.read("plan.dag");
    let line = "SCRIPT POST chunk-000001-s0001-g1 ";
    let edited = dag.replace(&format!("{line}plan.files/split-runner after"), &format!("{line}damage.sh"));
    assert_ne!(edited, dag);
    folder.write("plan.dag", edited);
    let dagman = folder.start();

    // A segment is killed on its way.
    folder.wait_for("a second segment", || is_running(&folder, "chunk-000000-s0002-g1"));
    let kill = "until pkill -KILL -f '^python3 [w]alk.py 0 2 4'; do sleep 0.1; done";
    pool.root(kill);
    // A state that counts is damaged while the next segment goes on from it, and that one is killed, too.
    folder.wait_for("a third segment", || is_running(&folder, "chunk-000000-s0003-g1"));
    let second = segment(&folder, 0, 2).expect("its record");
    flip(&second);
    pool.root("until pkill -KILL -f '^python3 [w]alk.py 0 3 4'; do sleep 0.1; done");

    assert_eq!(folder.end_of(dagman), Some(0));
    let expected = [in_one_go(0, SEGMENTS), in_one_go(1, SEGMENTS), in_one_go(2, 2)].concat();
    assert_eq!(folder.split("reduce outputs/").ok(), expected);
    let damaged = folder.read("logs/damaged.txt");
    assert_eq!(damaged.lines().count(), 2, "{damaged}");
    assert!(!second.exists() && folder.split("show 0").ok().contains("segment 4"));
    // The replica that was done early had no more jobs.
    let jobs = folder.jobs();
    let of_early = jobs.iter().filter(|job| job.node.starts_with("chunk-000002-"));
    assert_eq!(of_early.count(), 2, "{jobs:?}");
    let status = folder.split("status").ok();
    assert!(status.contains("12 of 12 segments have left a state"), "{status}");

    // One that is damaged after all is computed again by the next submission, and what follows it.
    for partial in folder.partials().iter().filter(|partial| partial.name.contains("-joined")) {
        fs::remove_file(folder.path("outputs").join(&partial.name)).expect("removed");
    }
    flip(&segment(&folder, 1, 3).expect("its record"));
    folder.split("resume").ok();
    let before = folder.jobs().len();
    assert_eq!(folder.submit(), Some(0));
    assert_eq!(folder.split("reduce outputs/").ok(), expected);
    let again: Vec<_> = folder.jobs()[before..].iter().map(|job| job.node.clone()).collect();
    assert_eq!(again, ["chunk-000001-s0003-g2", "chunk-000001-s0004-g2", "reduce-g2"]);
}
