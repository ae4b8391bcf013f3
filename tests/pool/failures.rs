//! Programs that fail, and how the user goes on.

use std::collections::BTreeSet;

use serde_json::json;

use crate::pool::Pool;

pub(crate) fn one_chunk_fails_and_is_mended(pool: &Pool) {
    let folder = pool.folder("one-fails");
    folder.write(
        "sum.py",
        "import sys\nfirst, last = int(sys.argv[1]), int(sys.argv[2])\n\
         if first <= 37 <= last:\n    print('item 37 has no data', file=sys.stderr)\n    sys.exit(3)\n\
         print(sum(range(first, last + 1)))\n",
    );
    folder.split("plan --total 1..=100 --chunks 10 --retries 1 -- python3 sum.py {first} {last}").ok();
    assert_eq!(folder.submit(), Some(1));
    assert!(folder.exists("plan.dag.rescue001"));
    let before = folder.jobs();
    let (failed, done): (Vec<_>, Vec<_>) = before.iter().partition(|job| job.chunk() == Some(3));
    assert_eq!(failed.iter().map(|job| job.returned).collect::<Vec<_>>(), [Some(70); 2]);
    assert!(done.len() == 9 && done.iter().all(|job| job.returned == Some(0)), "{done:?}");

    let partials = folder.partials();
    assert_eq!(partials.len(), 11, "two attempts, of different names, and nine results");
    for failure in partials.iter().filter(|partial| partial.chunk == 3) {
        assert_eq!((&failure.header["kind"], &failure.header["cause"]), (&json!("failure"), &json!({"exit-code": 3})));
        assert_eq!(String::from_utf8_lossy(&failure.payload), "item 37 has no data\n");
    }
    folder.split("reduce outputs/").fails(20, &["chunk 3", "31..=40", "exit code 3", "item 37 has no data"]);
    let partial = folder.split("reduce --partial outputs/");
    partial.says(&["90 of 100 items", "31..=40"]);
    assert_eq!(partial.ok(), format!("{}\n", 5050 - (31..=40).sum::<u32>()));

    // As an editor saves: a new file of the old name.
    folder.run(["sed", "-i", "s/sys.exit(3)/pass/", "sum.py"]).ok();
    assert_eq!(folder.submit(), Some(0));
    let jobs = folder.jobs();
    let again: Vec<_> = jobs[before.len()..].iter().map(|job| job.node.as_str()).collect();
    assert_eq!(again, ["chunk-000003-g1", "reduce-g1"]);
    let reduced = folder.split("reduce outputs/");
    reduced.says(&["9 records, 90 items, by the code that was planned", "1 record, 10 items, by other code"]);
    assert_eq!(reduced.ok(), "5050\n");
}

pub(crate) fn a_program_that_starts_nowhere_stops_the_dag(pool: &Pool) {
    let folder = pool.folder("nowhere");
    folder.split("plan --total 1..=200 --chunks 200 -- /opt/nowhere/tool {first} {last}").ok();
    assert_eq!(folder.submit(), Some(1));
    folder.wait_for_empty_queue();
    let before = folder.jobs();
    let failed = before.iter().filter(|job| job.returned.is_some()).count();
    assert!(failed < 200, "{failed} of 600 attempts were spent");
    assert!(before.iter().filter_map(|job| job.returned).all(|code| code == 73));
    let why = folder.read("logs/stopped.txt");
    for word in ["/opt/nowhere/tool", "ep1, ep2, ep3", "condor_submit_dag plan.dag"] {
        assert!(why.contains(word), "{why}");
    }
    assert!(folder.exists("plan.dag.rescue001") && !folder.exists("result.json"));

    pool.root("mkdir /opt/nowhere; ln -s /usr/bin/seq /opt/nowhere/tool");
    assert_eq!(folder.submit(), Some(0));
    assert_eq!(folder.split("reduce outputs/").ok(), "20100\n");
}

pub(crate) fn a_machine_without_the_program_is_survived(pool: &Pool) {
    let folder = pool.folder("black-hole");
    pool.root(
        "mkdir /opt/black-hole; printf '#!/bin/sh\nsleep 1; exec seq $*\n' >/opt/black-hole/tool
         chmod +x /opt/black-hole/tool
         nsenter --mount --target $(cat /run/ep1.pid) mount -t tmpfs none /opt/black-hole",
    );
    folder.split("plan --total 1..=36 --chunks 36 -- /opt/black-hole/tool {first} {last}").ok();
    // A machine that fails at once is free again at once, and HTCondor likes to send a retry where the last attempt
    // was: some chunks may run out of retries there, but it is no reason to stop the DAG.
    let first = folder.submit();
    assert!(!folder.exists("logs/stopped.txt"));
    assert!(folder.jobs().iter().any(|job| job.returned == Some(0)));
    pool.root("nsenter --mount --target $(cat /run/ep1.pid) umount /opt/black-hole");
    assert!(first == Some(0) || folder.submit() == Some(0));
    assert_eq!(folder.split("reduce outputs/").ok(), "666\n");
    let failed = folder.partials().into_iter().filter(|partial| partial.header["kind"] == "failure");
    let hosts: BTreeSet<_> = failed.map(|partial| partial.header["host"].to_string()).collect();
    assert_eq!(hosts, BTreeSet::from([r#""ep1""#.to_owned()]));
}

pub(crate) fn a_killed_and_a_silent_program_are_told_apart(pool: &Pool) {
    let folder = pool.folder("killed");
    folder.program("tool", "#!/bin/sh\necho last words >&2\ncase $1 in 0) kill -9 $$ ;; 1) ;; *) echo $1 ;; esac\n");
    folder.split("plan --total 3 --chunks 3 --retries 0 -- ./tool {first}").ok();
    assert_eq!(folder.submit(), Some(1));
    let returned: Vec<_> = folder.jobs().iter().map(|job| (job.chunk(), job.returned)).collect();
    assert_eq!(returned, [(Some(0), Some(71)), (Some(1), Some(72)), (Some(2), Some(0))]);
    let partials = folder.partials();
    let causes: Vec<_> = partials.iter().map(|partial| &partial.header["cause"]).collect();
    assert_eq!(causes, [&json!({"signal": 9}), &json!("no-result"), &json!(null)]);
    assert_eq!(partials[0].payload, b"last words\n");
    folder.split("reduce outputs/").fails(20, &["chunk 0, item 0: signal 9", "chunk 1, item 1: ", "printed nothing"]);
}

pub(crate) fn text_where_a_number_is_due_fails_the_reduce_node(pool: &Pool) {
    let folder = pool.folder("text");
    folder.program("tool", "#!/bin/sh\nif [ $1 = 2 ]; then echo not yet; else echo $1; fi\n");
    folder.split("plan --total 4 --chunks 4 --retries 0 -- ./tool {first}").ok();
    assert_eq!(folder.submit(), Some(1));
    let jobs = folder.jobs();
    let returned: Vec<_> = jobs.iter().map(|job| (job.chunk(), job.returned)).collect();
    assert_eq!(returned[4], (None, Some(24)), "{returned:?}");
    assert!(returned[..4].iter().all(|(_, code)| *code == Some(0)));
    assert!(folder.read("logs/reduce.err").contains("not yet"));
    folder.split("reduce outputs/").fails(24, &["chunk 2", "item 2", "not yet"]);
}
