//! Jobs on hold: nothing waits for them for ever.

use crate::condor::events;
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

/// A program that takes half as much memory again as its job asked for, on item `$1` until that is `$2` MB, and notes in the
/// folder `$3`, which all machines see, how much it was. (A slot may have more: one that another job has left.)
const GREEDY: &str = r#"#!/bin/sh
asked=$(awk '/^RequestMemory = / { print $3 }' "$_CONDOR_JOB_AD")
echo $asked >> "$3/$1"
if [ $1 = 3 ] && [ $asked -lt $2 ]; then head -c $((asked * 1500000)) /dev/zero | tail | sleep 60; fi
"#;

/// A folder that all jobs may write to.
fn notes(pool: &Pool, name: &str) -> String {
    let folder = format!("/opt/{name}");
    pool.root(&format!("mkdir -m 1777 {folder}"));
    folder
}

/// One chunk needs more memory than the others: its job asks for twice as much after each hold, however often HTCondor counts
/// that, and no node fails.
pub(crate) fn memory_grows_where_it_was_too_little(pool: &Pool) {
    let folder = pool.folder("memory");
    let notes = notes(pool, "memory");
    folder.program("tool", &format!("{GREEDY}echo $1\n"));
    let words = "plan --total 1..=4 --chunks 4 --memory 128MB --memory-max 1GB -- ./tool {first} 512";
    folder.split(&format!("{words} {notes}")).ok();
    assert_eq!(folder.submit(), Some(0));
    assert_eq!(folder.answer(), 10);
    assert!(folder.jobs().iter().all(|job| !job.node.starts_with("tail-")), "{:?}", folder.jobs());
    let events = events(&folder.path("logs/events.log"));
    for job in folder.jobs().iter().filter(|job| job.chunk().is_some()) {
        let item = job.chunk().map_or(0, |chunk| chunk + 1);
        let holds = events.iter().filter(|event| event.is_of(job.number) && event.holds()).count();
        let asked = pool.as_root(&format!("cat {notes}/{item}")).ok();
        let expected = if item == 3 { (2, "128\n256\n512\n") } else { (0, "128\n") };
        assert_eq!((holds, &*asked), expected, "{job:?}: {}", folder.read("logs/events.log"));
    }
}

/// A job that was on hold for its memory, which HTCondor counts as two or three holds, is still released when a transfer fails;
/// and that makes it ask for no more.
pub(crate) fn holds_for_memory_use_up_no_releases(pool: &Pool) {
    let folder = pool.folder("transient");
    let notes = notes(pool, "transient");
    folder.program("tool", &format!("{GREEDY}cat note.txt\n"));
    pool.root(&format!("echo 17 > {notes}/note.txt"));
    let words = "plan --total 3..=3 --chunks 1 --retries 1 --held-for 60s --memory 128MB --memory-max 512MB --input";
    folder.split(&format!("{words} file://{notes}/note.txt -- ./tool {{first}} 256 {notes}")).ok();
    let dagman = folder.start();
    folder.wait_for("a start", || pool.as_root(&format!("cat {notes}/3")).code == 0);
    // The next time it cannot be fetched.
    pool.root(&format!("mv {notes}/note.txt {notes}/away.txt"));
    let holds = || events(&folder.path("logs/events.log")).iter().filter(|event| event.holds()).count();
    folder.wait_for("a second hold", || holds() == 2);
    pool.root(&format!("mv {notes}/away.txt {notes}/note.txt"));
    assert_eq!(folder.end_of(dagman), Some(0));
    assert_eq!(folder.answer(), 17);
    assert!(folder.jobs().iter().all(|job| !job.node.starts_with("tail-")), "{:?}", folder.jobs());
    let asked = pool.as_root(&format!("cat {notes}/3")).ok();
    assert_eq!((holds(), &*asked), (2, "128\n256\n"), "{}", folder.read("logs/events.log"));
}
