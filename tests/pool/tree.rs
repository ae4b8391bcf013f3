//! Results merged on the way to the answer.

use crate::folder::{Folder, SUM};
use crate::pool::Pool;

/// The results of 60 chunks are merged eight at a time, though a chunk fails at first and a merge cannot be had.
pub(crate) fn groups_are_merged_on_the_way(pool: &Pool) {
    let folder = pool.folder("tree");
    let rows: Vec<_> = (1..=60).map(|n| format!("{n},{}\n", ["a", "b", "c"][n % 3])).collect();
    folder.write("table.csv", format!("n,kind\n{}", rows.concat()));
    folder.write(
        "one.sh",
        "if [ $1 = 37 ] && ! grep -q '^NumJobCompletions = [1-9]' \"$_CONDOR_JOB_AD\"; then exit 3; fi; echo $1\n",
    );
    let words = "plan --table table.csv --chunks 60 --fan-in 8 --reduce argmax -- sh one.sh {n} {kind}";
    folder.split(words).ok();
    // The fourth merge's job is to be sent a file that is not there: HTCondor puts it on hold.
    let submit = folder.read("merge.sub");
    let sent = "transfer_input_files = plan.json, $INT(group,%06d)";
    assert!(submit.contains(sent), "{submit}");
    folder.write("merge.sub", submit.replace(sent, &format!("{sent}, sent-$(group)")));
    (0..8).filter(|group| *group != 3).for_each(|group| folder.write(&format!("outputs/sent-{group}"), ""));

    assert_eq!(folder.submit(), Some(0));
    let retried: Vec<_> = folder.partials().into_iter().filter(|partial| partial.header["kind"] == "failure").collect();
    assert_eq!(retried.len(), 1, "{retried:?}");
    assert_eq!(folder.names("outputs/000000").len(), 8);
    let status = folder.split("status").ok();
    assert!(status.contains("60 chunks: 60 done") && status.contains("the DAG has ended well"), "{status}");
    let jobs = folder.jobs();
    let merges: Vec<_> = jobs.iter().filter(|job| job.node.starts_with("merge-")).collect();
    assert_eq!(merges.len(), 8);
    for merge in merges.iter().filter(|merge| merge.node != "merge-000003-g1") {
        assert_eq!(merge.returned, Some(0), "{merge:?}");
        assert!(merge.machine.as_deref().is_some_and(|machine| machine.starts_with("ep")), "{merge:?}");
    }
    assert_eq!(merged(&folder), [0, 1, 2, 4, 5, 6, 7]);
    assert!(folder.read("logs/reduce.err").contains("7 of 8 groups were merged on the way\n"), "by the last merge");
    the_answer_is_that_without_the_tree(&folder);
}

pub(crate) fn groups_are_merged_where_the_partials_are(pool: &Pool) {
    let folder = pool.folder("tree-shared");
    folder.write("code/sum.py", SUM);
    let rows: Vec<_> = (1..=100).map(|n| format!("{n}\n")).collect();
    folder.write("table.csv", format!("n\n{}", rows.concat()));
    let words =
        "plan --table table.csv --reduce sum --chunks 20 --fan-in 8 --shared-filesystem -- python3 code/sum.py {n} {n}";
    folder.split(words).ok();
    assert_eq!(folder.submit(), Some(0));
    let jobs = folder.jobs();
    assert_eq!(jobs.len(), 20 + 3 + 1);
    assert!(jobs.iter().all(|job| job.returned == Some(0) && job.transferred == 0), "{jobs:?}");
    assert_eq!(merged(&folder), [0, 1, 2]);
    assert_eq!(folder.answer(), 5050);
    assert!(folder.read("logs/reduce.err").contains("3 of 3 groups were merged on the way\n"));
    the_answer_is_that_without_the_tree(&folder);
}

/// The groups that a record of merged results is there of.
fn merged(folder: &Folder<'_>) -> Vec<u64> {
    let names = folder.names("outputs").into_iter();
    names.filter_map(|name| name.strip_prefix("merged-")?.split('.').next()?.parse().ok()).collect()
}

/// What the last merge left is what merging the partials alone leaves.
fn the_answer_is_that_without_the_tree(folder: &Folder<'_>) {
    let (document, out) = (folder.read("result.json"), folder.read("logs/reduce.out"));
    folder.run(["sh", "-c", "mkdir merged && mv outputs/merged-* merged/ && rm result.json"]).ok();
    let flat = folder.split("reduce outputs/");
    assert!(!flat.err.contains("on the way"), "{}", flat.err);
    assert_eq!(flat.ok(), out);
    assert_eq!(folder.read("result.json"), document);
}
