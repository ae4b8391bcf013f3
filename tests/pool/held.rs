//! Jobs on hold: nothing waits for them for ever.

use crate::pool::Pool;

/// The pool's own reason holds a job; nobody releases it, and its items are computed in the same submission.
pub(crate) fn a_held_job_is_left_to_the_tail(pool: &Pool) {
    let folder = pool.folder("held");
    // Takes too much memory on the chunk, and not on pieces of it.
    folder.program(
        "tool",
        "#!/bin/sh\n[ $1 = 11 ] && [ $2 = 20 ] && head -c 200000000 /dev/zero | tail | sleep 60\nexec seq $1 $2\n",
    );
    folder.split("plan --total 1..=40 --chunks 4 --memory 64MB --held-for 5s -- ./tool {first} {last}").ok();
    assert_eq!(folder.submit(), Some(0));
    assert_eq!(folder.answer(), 820);
    let pieces = folder.jobs().iter().filter(|job| job.node.starts_with("tail-1-chunk-000001-")).count();
    assert!(pieces > 1, "{:?}", folder.jobs());
}

/// One chunk needs more memory than the others: its job gets it, and no node fails.
pub(crate) fn memory_grows_where_it_was_too_little(pool: &Pool) {
    let folder = pool.folder("memory");
    folder.program("tool", "#!/bin/sh\n[ $1 = 3 ] && head -c 200000000 /dev/zero | tail | sleep 25\necho $1\n");
    folder.split("plan --total 1..=4 --chunks 4 --memory 64MB --memory-max 512MB -- ./tool {first}").ok();
    assert_eq!(folder.submit(), Some(0));
    assert_eq!(folder.answer(), 10);
    assert!(folder.jobs().iter().all(|job| !job.node.starts_with("tail-")), "{:?}", folder.jobs());
    // HTCondor may count a hold twice, once in the shadow and once in the schedd.
    let asked = folder.run(["condor_history", "-af", "NumHolds", "RequestMemory"]).ok();
    let of_held = asked.lines().filter_map(|line| line.split_once(' ')).find(|(holds, _)| *holds != "undefined");
    let memory: u32 = of_held.and_then(|(_, memory)| memory.trim().parse().ok()).expect("a job that was held");
    assert!((200..=512).contains(&memory), "{asked}");
}
