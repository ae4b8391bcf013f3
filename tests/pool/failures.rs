//! Programs that fail, and how the user goes on.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::pool::Pool;

pub(crate) fn a_bad_item_is_narrowed_down_and_mended(pool: &Pool) {
    let folder = pool.folder("one-fails");
    // With another exit code the runner narrows it down by itself.
    folder.write(
        "sum.py",
        "import sys\nfirst, last = int(sys.argv[1]), int(sys.argv[2])\n\
         if first <= 37 <= last:\n    print('item 37 has no data', file=sys.stderr)\n    sys.exit(127)\n\
         print(sum(range(first, last + 1)))\n",
    );
    folder.split("plan --total 1..=100 --chunks 10 --retries 1 -- python3 sum.py {first} {last}").ok();
    assert_eq!(folder.submit(), Some(1));
    assert!(folder.exists("plan.dag.rescue001") && !folder.exists("logs/stopped.txt"));
    let before = folder.jobs();
    assert_eq!(before.iter().filter(|job| job.chunk().is_some()).count(), 10);
    // Eight pieces, of which one is the item alone: it is not tried in another round. All of them yield what they fail on.
    assert_eq!(before.iter().filter(|job| job.node.starts_with("tail-1-chunk-000003-")).count(), 8);
    assert_eq!(before.len(), 18, "{before:?}");
    assert!(before.iter().all(|job| job.returned == Some(0)), "{before:?}");

    let partials = folder.partials();
    assert_eq!(partials.len(), 20, "two attempts at the chunk, two at the item, of different names, and 16 results");
    let tried: Vec<_> = partials.iter().filter(|partial| partial.header["kind"] == "failure").collect();
    for failure in &tried {
        assert_eq!((failure.chunk, &failure.header["cause"]), (3, &json!({"exit-code": 127})));
        assert_eq!(String::from_utf8_lossy(&failure.payload), "item 37 has no data\n");
    }
    for (first, last) in [(30, 39), (36, 36)] {
        let of_items = |header: &&Value| header["first"] == first && header["last"] == last;
        let tried: Vec<_> = tried.iter().map(|partial| &partial.header).filter(of_items).collect();
        let retries: BTreeSet<_> =
            tried.iter().map(|header| header["attempt"].as_str().expect("text")[..2].to_owned()).collect();
        assert_eq!(retries, BTreeSet::from(["0-".to_owned(), "1-".to_owned()]));
        assert_ne!(tried[0]["host"], tried[1]["host"], "tried again elsewhere");
    }
    let missing = folder.read("logs/missing.txt");
    for words in ["1 of 100 items have no result", "chunk 3, item 37: ", "exit code 127", "| item 37 has no data"] {
        assert!(missing.contains(words), "{words:?} is not in: {missing}");
    }
    folder.split("reduce outputs/").fails(20, &["chunk 3, item 37", "exit code 127", "item 37 has no data"]);
    let partial = folder.split("reduce --partial outputs/");
    partial.says(&["99 of 100 items"]);
    assert_eq!(partial.ok(), format!("{}\n", 5050 - 37));
    let status = folder.split("status").ok();
    for words in ["10 chunks: 9 done, 1 failed\n", "failed 4 times, ", "the DAG has ended, with exit code 1"] {
        assert!(status.contains(words), "{words:?} is not in: {status}");
    }

    // As an editor saves: a new file of the old name.
    folder.run(["sed", "-i", "s/sys.exit(127)/pass/", "sum.py"]).ok();
    assert_eq!(folder.submit(), Some(0));
    let jobs = folder.jobs();
    let again: Vec<_> = jobs[before.len()..].iter().map(|job| job.node.as_str()).collect();
    assert_eq!(again, ["tail-1-chunk-000003-000-g1", "reduce-g1"]);
    assert_eq!(folder.read("logs/missing.txt"), "all 100 items are there\n");
    let reduced = folder.split("reduce outputs/");
    reduced.says(&["16 records, 99 items, by the code that was planned", "1 record, 1 item, by other code"]);
    assert_eq!(reduced.ok(), "5050\n");
}

pub(crate) fn a_program_that_starts_nowhere_stops_the_dag(pool: &Pool) {
    let folder = pool.folder("nowhere");
    folder.split("plan --total 1..=200 --chunks 200 -- /opt/nowhere/tool {first} {last}").ok();
    assert_eq!(folder.submit(), Some(1));
    folder.wait_for_empty_queue();
    let before = folder.jobs();
    // A job that is tried again is the same job: each attempt left a partial.
    let failed = folder.partials();
    assert!(failed.len() < 200, "{} of 600 attempts were spent", failed.len());
    assert!(failed.iter().all(|partial| !partial.header["cause"]["not-started"].is_null()), "{failed:?}");
    assert!(before.iter().filter_map(|job| job.returned).all(|code| code == 0), "the last attempts yield");
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
    survive_a_black_hole(pool, "without", "", "not-started");
}

pub(crate) fn a_black_hole_among_good_machines_is_survived(pool: &Pool) {
    let tool = "printf '#!/bin/sh\necho no licence >&2; exit 1\n' >tool; chmod +x tool";
    survive_a_black_hole(pool, "black-hole", tool, "exit-code");
}

/// On ep1 every job fails at once, so that it is free again at once; `script` puts there what is in the tool's place.
fn survive_a_black_hole(pool: &Pool, name: &str, script: &str, cause: &str) {
    let folder = pool.folder(name);
    let on_ep1 = "nsenter --mount --target $(cat /run/ep1.pid)";
    pool.root(&format!(
        "mkdir /opt/{name}; cd /opt/{name}; printf '#!/bin/sh\nsleep 3; exec seq $*\n' >tool; chmod +x tool
         {on_ep1} mount -t tmpfs none /opt/{name}
         {on_ep1} sh -euc 'cd /opt/{name}; {}'",
        script.replace('\'', r"'\''")
    ));
    folder.split(&format!("plan --total 1..=60 --chunks 60 --retries 1 -- /opt/{name}/tool {{first}} {{last}}")).ok();
    assert_eq!(folder.submit(), Some(0), "in one submission");
    pool.root(&format!("{on_ep1} umount /opt/{name}"));
    assert!(!folder.exists("logs/stopped.txt"));
    assert_eq!(folder.split("reduce outputs/").ok(), "1830\n");
    let failed: Vec<_> = folder.partials().into_iter().filter(|partial| partial.header["kind"] == "failure").collect();
    let hosts: BTreeSet<_> = failed.iter().filter_map(|partial| partial.header["host"].as_str()).collect();
    assert_eq!(hosts, BTreeSet::from(["ep1"]));
    assert!(failed.iter().all(|partial| !partial.header["cause"][cause].is_null()), "{failed:?}");
    let chunks: BTreeSet<_> = failed.iter().map(|partial| partial.chunk).collect();
    assert_eq!(chunks.len(), failed.len(), "no chunk came to the black hole twice");
    assert!(failed.len() > 6, "{} jobs were swallowed: more than a fair share", failed.len());
}

pub(crate) fn a_program_that_fails_everywhere_stops_the_dag(pool: &Pool) {
    let folder = pool.folder("everywhere");
    folder.program("tool", "#!/bin/sh\necho \"no module named physics ($1)\" >&2\nexit 3\n");
    folder.split("plan --total 1..=200 --chunks 200 -- ./tool {first} {last}").ok();
    assert_eq!(folder.submit(), Some(1));
    folder.wait_for_empty_queue();
    let failed = folder.partials();
    assert!((10..200).contains(&failed.len()), "{} of 600 attempts were spent", failed.len());
    assert!(failed.iter().all(|partial| partial.header["cause"] == json!({"exit-code": 3})));
    let why = folder.read("logs/stopped.txt");
    for words in ["exit code 3", "on ep1, ep2, ep3", "| no module named physics (", "condor_submit_dag plan.dag"] {
        assert!(why.contains(words), "{words:?} is not in: {why}");
    }
    folder.split("reduce outputs/").fails(20, &["logs/stopped.txt"]);
    let show = why.lines().find(|line| line.contains("plan.files/split show")).expect("a command to type");
    let words: Vec<_> = show.split_whitespace().take(3).collect();
    assert!(folder.run(words).ok().contains("no module named physics"));

    // Mended wrongly it is stopped again, and by what failed since alone.
    folder.program("tool", "#!/bin/sh\necho no module named chemistry >&2\nexit 4\n");
    assert_eq!(folder.submit(), Some(1));
    folder.wait_for_empty_queue();
    let why = folder.read("logs/stopped.txt");
    assert!(why.contains("exit code 4") && why.contains("| no module named chemistry"), "{why}");

    folder.program("tool", "#!/bin/sh\nexec seq $*\n");
    assert_eq!(folder.submit(), Some(0));
    assert_eq!(folder.split("reduce outputs/").ok(), "20100\n");
}

/// Fails on the first `times` tries of each chunk, as noted in a folder that all machines see.
fn flaky(pool: &Pool, name: &str, times: u32) -> String {
    pool.root(&format!(
        "mkdir -m 1777 /opt/{name} && mkdir -m 1777 /opt/{name}/tries && cd /opt/{name} && cat >tool <<'END'
#!/bin/sh
echo >>/opt/{name}/tries/$1
[ $(wc -l </opt/{name}/tries/$1) -gt {times} ] && exec seq $*
exit 5
END
         chmod 755 tool"
    ));
    format!("/opt/{name}/tool {{first}} {{last}}")
}

pub(crate) fn two_machines_are_enough_to_retry_and_to_stop(pool: &Pool) {
    let folder = pool.folder("two");
    let tool = flaky(pool, "two", 2);
    folder.split(&format!("plan --total 1..=4 --chunks 4 -- {tool}")).ok();
    // Not for two minutes.
    folder.run(["sed", "-i", "s/> 120/> 5/", "chunk.sub"]).ok();
    assert_eq!(folder.submit(), Some(0));
    assert_eq!(folder.split("reduce outputs/").ok(), "10\n");
    let mut hosts: [Vec<_>; 4] = Default::default();
    for partial in folder.partials() {
        hosts[usize::try_from(partial.chunk).expect("small")].push(partial.header["host"].to_string());
    }
    for hosts in hosts {
        assert!(hosts.len() == 3 && hosts[0] != hosts[1] && hosts[1] != hosts[2], "{hosts:?}");
    }

    let folder = pool.folder("two-broken");
    folder.split("plan --total 1..=100 --chunks 100 --retries 1 -- sh -c false").ok();
    assert_eq!(folder.submit(), Some(1));
    let why = folder.read("logs/stopped.txt");
    assert!(why.contains("exit code 1") && why.contains("on ep1, ep2\n"), "{why}");
    folder.wait_for_empty_queue();
    assert!(folder.partials().len() < 150, "{} of 200 attempts", folder.partials().len());
}

pub(crate) fn one_machine_tries_again_at_once_and_stops_alone(pool: &Pool) {
    let folder = pool.folder("one");
    let tool = flaky(pool, "one", 2);
    folder.split(&format!("plan --total 1..=4 --chunks 4 -- {tool}")).ok();
    let start = Instant::now();
    assert_eq!(folder.submit(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(90), "{:?}", start.elapsed());
    assert_eq!(folder.split("reduce outputs/").ok(), "10\n");
    assert_eq!(folder.partials().len(), 12);

    let folder = pool.folder("one-broken");
    folder.split("plan --total 1..=100 --chunks 100 -- sh -c false").ok();
    assert_eq!(folder.submit(), Some(1));
    let why = folder.read("logs/stopped.txt");
    assert!(why.contains("exit code 1") && why.contains("on ap\n"), "{why}");
    folder.wait_for_empty_queue();
    assert!(folder.partials().len() < 200, "{} of 300 attempts", folder.partials().len());
}

pub(crate) fn a_killed_and_a_silent_program_are_told_apart(pool: &Pool) {
    let folder = pool.folder("killed");
    folder.program("tool", "#!/bin/sh\necho last words >&2\ncase $1 in 0) kill -9 $$ ;; 1) ;; *) echo $1 ;; esac\n");
    folder.split("plan --total 3 --chunks 3 --retries 0 --tail-rounds 0 -- ./tool {first}").ok();
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
    // It is found in the job, and what its last attempt fails on a job yields.
    let chunks: Vec<_> = folder.jobs().iter().filter_map(|job| Some((job.chunk()?, job.returned))).collect();
    assert!(chunks.len() >= 4 && chunks.iter().all(|(_, code)| *code == Some(0)), "{chunks:?}");
    assert!(folder.read("logs/missing.txt").contains("not yet"));
    folder.split("reduce outputs/").fails(20, &["chunk 2", "item 2", "not yet"]);
    let why = folder.split("why").ok();
    assert!(why.contains("the program's result is not what the reducer takes, in line 1"), "{why}");
    assert_eq!(folder.split("reduce --partial outputs/").ok(), "4\n");
    folder.program("tool", "#!/bin/sh\necho $1\n");
    assert_eq!(folder.submit(), Some(0));
    assert_eq!(folder.answer(), 6);
}
