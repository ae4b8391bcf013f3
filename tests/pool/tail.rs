//! What is missing once the chunks have run, in the same submission.

use std::fs;

use crate::pool::Pool;

pub(crate) fn what_was_damaged_on_arrival_is_computed_again(pool: &Pool) {
    let folder = pool.folder("damaged-on-arrival");
    folder.program("tool", "#!/bin/sh\n[ $1 -gt 70 ] && sleep 20\nexec seq $1 $2\n");
    folder.split("plan --total 1..=80 --chunks 8 -- ./tool {first} {last}").ok();
    let dagman = folder.start();
    let is_back = || folder.jobs().iter().any(|job| job.chunk() == Some(2) && job.returned == Some(0));
    folder.wait_for("the end of a chunk", is_back);
    let name = folder.names("outputs").into_iter().find(|name| name.starts_with("chunk-000002."));
    let path = folder.path("outputs").join(name.expect("its partial"));
    let whole = fs::read(&path).expect("readable");
    fs::write(&path, &whole[..whole.len() - 5]).expect("written");
    assert!(!folder.exists("tail-1.dag"), "a chunk is still at work");
    assert_eq!(folder.end_of(dagman), Some(0));
    let jobs = folder.jobs();
    let others: Vec<_> = jobs.iter().filter(|job| job.chunk().is_none()).map(|job| job.node.as_str()).collect();
    assert_eq!(others, ["tail-1-chunk-000002-000-g1", "reduce-g1"]);
    assert_eq!(folder.answer(), 3240);
    let reduced = folder.split("reduce outputs/");
    reduced.says(&["its items are covered without it"]);
    assert_eq!(reduced.ok(), "3240\n");
}

/// The DAG is removed while the tail is at work, and goes on: the tail is cut anew.
pub(crate) fn a_tail_that_was_removed_is_cut_anew(pool: &Pool) {
    let folder = pool.folder("tail-removed");
    // Fails on the chunk, in a way that the runner does not narrow down, and takes its time over a piece of it.
    folder.program(
        "tool",
        "#!/bin/sh\n[ $1 = 11 ] && [ $2 = 20 ] && exit 127\n[ $1 -gt 10 ] && sleep 5\nexec seq $1 $2\n",
    );
    folder.split("plan --total 1..=20 --chunks 2 --retries 0 -- ./tool {first} {last}").ok();
    let dagman = folder.start();
    let is_at_work = || folder.jobs().iter().any(|job| job.node.starts_with("tail-") && job.machine.is_some());
    folder.wait_for("a piece at work", is_at_work);
    let status = folder.split("status").ok();
    assert!(status.contains("what is missing was cut again, round 1 of 2: "), "{status}");
    folder.run(["condor_rm", &dagman.to_string()]).ok();
    assert_eq!(folder.end_of(dagman), None);
    folder.wait_for_empty_queue();
    assert_eq!(folder.submit(), Some(0));
    assert!(folder.exists("aside-001/tail-1.dag"));
    let again = folder.jobs().iter().filter(|job| job.chunk() == Some(0)).count();
    assert_eq!((again, folder.split("reduce outputs/").ok().as_str()), (1, "210\n"));
}

pub(crate) fn what_a_job_yields_is_finished(pool: &Pool) {
    let folder = pool.folder("yielded");
    folder.program("tool", "#!/bin/sh\n[ $1 -le 8 ] && sleep 1\necho $1\n");
    folder.split("plan --total 1..=24 --chunks 3 --budget 5s -- ./tool {item}").ok();
    assert_eq!(folder.submit(), Some(0));
    let jobs = folder.jobs();
    assert!(jobs.iter().all(|job| job.returned == Some(0)), "{jobs:?}");
    let pieces: Vec<_> = jobs.iter().filter(|job| job.node.starts_with("tail-")).collect();
    assert!(!pieces.is_empty() && pieces.iter().all(|job| job.node.contains("-chunk-000000-")), "{pieces:?}");
    assert_eq!(folder.answer(), 300);
    assert_eq!(folder.split("reduce outputs/").ok(), "300\n");
}

/// Where all machines see the partials themselves.
pub(crate) fn the_tail_runs_on_a_shared_file_system(pool: &Pool) {
    let folder = pool.folder("shared-tail");
    // Fails on the second chunk, in a way that the runner does not narrow down, and not on pieces of it.
    folder.program(
        "tool",
        "#!/bin/sh\n[ $1 = 11 ] && [ $2 = 20 ] && exit 127\n[ $1 -gt 30 ] && sleep 15\nexec seq $1 $2\n",
    );
    folder.split("plan --shared-filesystem --total 1..=40 --chunks 4 --retries 0 -- ./tool {first} {last}").ok();
    let dagman = folder.start();
    let is_back = || folder.jobs().iter().any(|job| job.chunk() == Some(0) && job.returned == Some(0));
    folder.wait_for("the end of a chunk", is_back);
    let name = folder.names("outputs").into_iter().find(|name| name.starts_with("chunk-000000."));
    let path = folder.path("outputs").join(name.expect("its partial"));
    let whole = fs::read(&path).expect("readable");
    fs::write(&path, &whole[..whole.len() - 5]).expect("written");
    assert!(!folder.exists("tail-1.dag"), "a chunk is still at work");
    assert_eq!(folder.end_of(dagman), Some(0));
    let jobs = folder.jobs();
    let pieces = |chunk: &str| jobs.iter().filter(|job| job.node.starts_with(&format!("tail-1-{chunk}-"))).count();
    assert!((pieces("chunk-000000"), pieces("chunk-000001")) >= (1, 2), "{jobs:?}");
    assert!(jobs.iter().all(|job| job.returned == Some(0) && job.transferred == 0), "{jobs:?}");
    assert_eq!(folder.answer(), 820);
    let reduced = folder.split("reduce outputs/");
    reduced.says(&["its items are covered without it"]);
    assert_eq!(reduced.ok(), "820\n");
}
