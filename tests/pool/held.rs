//! Jobs on hold: nothing waits for them for ever.

use crate::condor::{Event, events};
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

/// One chunk needs more memory than the others: its job gets twice as much for each hold, however often HTCondor counts that,
/// and no node fails.
pub(crate) fn memory_grows_where_it_was_too_little(pool: &Pool) {
    let folder = pool.folder("memory");
    // Item 3 takes half as much again as its job has, until that has 512 MB. A slot's memory is a multiple of 128 MB.
    folder.program(
        "tool",
        "#!/bin/sh\nhas=$(awk '/^Memory = / { print $3 }' \"$_CONDOR_MACHINE_AD\")\n\
         [ $1 = 3 ] && [ $has -lt 512 ] && head -c $((has * 1500000)) /dev/zero | tail | sleep 60\necho $1\n",
    );
    folder.split("plan --total 1..=4 --chunks 4 --memory 128MB --memory-max 1GB -- ./tool {first}").ok();
    assert_eq!(folder.submit(), Some(0));
    assert_eq!(folder.answer(), 10);
    assert!(folder.jobs().iter().all(|job| !job.node.starts_with("tail-")), "{:?}", folder.jobs());
    let events = events(&folder.path("logs/events.log"));
    for job in folder.jobs().iter().filter(|job| job.chunk().is_some()) {
        let of_job = || events.iter().filter(|event| event.is_of(job.number));
        let holds = of_job().filter(|event| event.holds()).count();
        let had: Vec<u32> = of_job().filter_map(Event::memory).collect();
        let expected = if job.chunk() == Some(2) { (2, vec![128, 256, 512]) } else { (0, vec![128]) };
        assert_eq!((holds, had), expected, "{job:?}");
    }
}

/// A job that was on hold for its memory, which HTCondor counts as two or three holds, is still released when a transfer fails.
pub(crate) fn holds_for_memory_use_up_no_releases(pool: &Pool) {
    let folder = pool.folder("transient");
    folder.program(
        "tool",
        "#!/bin/sh\nhas=$(awk '/^Memory = / { print $3 }' \"$_CONDOR_MACHINE_AD\")\n\
         [ $has -lt 256 ] && head -c $((has * 1500000)) /dev/zero | tail | sleep 60\ncat note.txt\n",
    );
    pool.root("mkdir -p /opt/notes; echo 17 > /opt/notes/note.txt");
    let words = "plan --total 1 --chunks 1 --retries 1 --held-for 60s --memory 128MB --memory-max 512MB --input file:///opt/notes/note.txt";
    folder.split(&format!("{words} -- ./tool {{first}}")).ok();
    let dagman = folder.start();
    let of_kind =
        |is: fn(&Event) -> bool| events(&folder.path("logs/events.log")).iter().filter(|event| is(event)).count();
    folder.wait_for("a start", || of_kind(|event| event.memory().is_some()) == 1);
    // The next time it cannot be fetched.
    pool.root("mv /opt/notes/note.txt /opt/notes/away.txt");
    folder.wait_for("a second hold", || of_kind(Event::holds) == 2);
    pool.root("mv /opt/notes/away.txt /opt/notes/note.txt");
    assert_eq!(folder.end_of(dagman), Some(0));
    assert_eq!(folder.answer(), 17);
    let jobs = folder.jobs();
    assert!(jobs.iter().all(|job| !job.node.starts_with("tail-")), "{jobs:?}");
    let events = events(&folder.path("logs/events.log"));
    assert_eq!(events.iter().filter_map(Event::memory).collect::<Vec<_>>(), [128, 256]);
}
