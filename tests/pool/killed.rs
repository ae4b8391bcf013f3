//! Processes that are killed with SIGKILL: nothing of theirs goes on unseen, and nothing is computed twice for it.

use std::fs;

use crate::condor::events;
use crate::folder::Folder;
use crate::pool::Pool;

/// In its first attempt it does not end when it is told to, and neither do a child of its own and one in a session of its own.
const STUBBORN: &str = "#!/bin/sh\n\
    [ -e HERE/ran-$1 ] && exec echo $1\n\
    : >HERE/ran-$1\n\
    trap '' TERM HUP INT\n\
    setsid sleep 8640$1 &\n\
    sleep 8641$1 &\n\
    : >HERE/at-work-$1\n\
    while :; do sleep 8642$1 & wait $!; done\n";

/// The runner of the first chunk is killed, and the starter of the second. HTCondor finds what they leave by its ancestors and by
/// the marks in its environment. (Without control groups, as here, it does not find what has neither any more.)
pub(crate) fn a_killed_runner_leaves_no_orphan(pool: &Pool) {
    let folder = pool.folder("orphans");
    // All machines see it.
    let here = "/srv/orphans";
    pool.root(&format!("mkdir -m 1777 {here}"));
    folder.program("stubborn", &STUBBORN.replace("HERE", here));
    folder.split("plan --total 1..=2 --chunks 2 -- ./stubborn {first}").ok();
    let dagman = folder.start();
    folder.wait_for("both at work", || pool.as_root(&format!("cat {here}/at-work-1 {here}/at-work-2")).code == 0);
    // The brackets keep the pattern from finding the script that it is in.
    let program = |item: u32| format!("$(pgrep -f '[.]/stubborn {item}$' | head -n 1)");
    let parent = |process: String| format!("$(ps -o ppid= -p {process})");
    pool.root(&format!("pgrep -f '^sleep 864[012][12]$' | wc -l | grep -qx 6; kill -9 {}", parent(program(1))));
    pool.root(&format!("kill -9 {}", parent(parent(program(2)))));
    let is_clean = || pool.as_root("pgrep -f '^sleep 864[012][12]$'").code == 1;
    folder.wait_for("the end of what they started", is_clean);
    assert_eq!(folder.end_of(dagman), Some(0));
    assert!(is_clean());
    // Both count as attempts that failed or were lost, so that no node did.
    assert!(folder.jobs().iter().all(|job| !job.node.starts_with("tail-")), "{:?}", folder.jobs());
    assert_eq!(folder.split("reduce outputs/").ok(), "3\n");
}

/// Kills the DAGMan of this folder alone.
fn kill_dagman(pool: &Pool, folder: &Folder<'_>) {
    let here = folder.run(["pwd"]).ok();
    pool.root(&format!(
        "for process in $(pgrep -x condor_dagman); do
             if [ \"$(readlink /proc/$process/cwd)\" = {} ]; then kill -9 $process && found=1; fi
         done
         [ \"$found\" ]",
        here.trim()
    ));
}

/// HTCondor starts it again. Whatever is typed meanwhile is refused, or computes what counts once.
pub(crate) fn a_killed_dagman_comes_back(pool: &Pool) {
    let folder = pool.folder("dagman-killed");
    folder.program("tool", "#!/bin/sh\nsleep 5\nexec seq $1 $2\n");
    folder.split("plan --total 1..=40 --chunks 4 -- ./tool {first} {last}").ok();
    let dagman = folder.start();
    let at_work = || folder.jobs().iter().filter(|job| job.machine.is_some()).count();
    folder.wait_for("all chunks at work", || at_work() == 4);
    let dag = folder.read("plan.dag");
    kill_dagman(pool, &folder);
    let submitted = folder.run(["condor_submit_dag", "plan.dag"]);
    assert!(submitted.code != 0 && format!("{submitted:?}").contains("already exist"), "{submitted:?}");
    folder.split("resume .").fails(4, &["a DAGMan is at work"]);
    folder.split("plan --total 1..=10 --chunks 5 --force").fails(4, &["DAGMan"]);
    // Two at a time: it ends after the jobs.
    let ran = folder.split("run . --jobs 2");
    ran.says(&["a DAGMan is at work here, too", "counted once"]);
    assert_eq!(ran.ok(), "820\n");
    assert_eq!(folder.end_of(dagman), Some(0));
    let log = events(&folder.path("plan.dag.dagman.log"));
    assert!(log.iter().any(|event| event.is_of(dagman) && event.says("(signal 9)")), "{log:?}");
    let nodes: Vec<_> = folder.jobs().into_iter().map(|job| job.node).collect();
    assert_eq!(nodes.len(), 5, "each chunk and the merge once: {nodes:?}");
    assert_eq!((folder.answer(), folder.read("plan.dag")), (820.into(), dag));
    let resumed = folder.split("resume .").ok();
    assert!(resumed.contains("nothing is left to compute"), "{resumed}");

    // What is missing once it has ended is computed by one more submission.
    let name = folder.names("outputs").into_iter().filter(|name| name.starts_with("chunk-000001."));
    name.for_each(|name| fs::remove_file(folder.path("outputs").join(name)).expect("removed"));
    folder.split("resume .").ok();
    assert_eq!(folder.submit(), Some(0));
    assert_eq!(folder.split("reduce outputs/").ok(), "820\n");
}
