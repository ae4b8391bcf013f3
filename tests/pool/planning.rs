//! Plans as HTCondor takes them, and DAGs that end before their time.

use crate::pool::Pool;

pub(crate) fn a_live_dag_is_not_planned_over(pool: &Pool) {
    let folder = pool.folder("live");
    folder.program("tool", "#!/bin/sh\nsleep 5\nexit 1\n");
    folder.split("plan --total 2 --chunks 2 --retries 0 -- ./tool {first}").ok();
    let dagman = folder.start();
    let before = folder.names(".");
    folder.split("plan --total 1..=10 --chunks 5").fails(3, &["another plan"]);
    folder.split("plan --total 1..=10 --chunks 5 --force").fails(4, &["DAGMan", "condor_rm"]);
    folder.wait_for("a chunk at work", || folder.jobs().iter().any(|job| job.machine.is_some()));
    folder.split("plan --total 1..=10 --chunks 5 --force").fails(4, &["DAGMan", "condor_rm"]);
    assert!(before.iter().all(|name| folder.exists(name)) && !folder.exists("aside-001"));

    assert_eq!(folder.end_of(dagman), Some(1));
    assert!(folder.exists("plan.dag.rescue001"));
    folder.split("plan --total 1..=10 --chunks 5 --force").ok();
    assert!(folder.names(".").iter().all(|name| !name.starts_with("plan.dag.")));
    assert!(folder.exists("aside-001/plan.dag.rescue001") && folder.exists("aside-001/plan.json"));
    assert_eq!(folder.submit(), Some(0));
    assert_eq!(folder.split("reduce outputs/").ok(), "55\n");
}

pub(crate) fn a_removed_dag_goes_on(pool: &Pool) {
    let folder = pool.folder("removed");
    folder.program("tool", "#!/bin/sh\nsleep 2\necho $1\n");
    folder.split("plan --total 1..=60 --chunks 60 -- ./tool {first}").ok();
    let dagman = folder.start();
    folder.wait_for("a result", || folder.names("outputs").iter().any(|name| name.ends_with(".part")));
    folder.run(["condor_rm", &dagman.to_string()]).ok();
    assert_eq!(folder.end_of(dagman), None);
    folder.wait_for_empty_queue();
    // Each partial is whole, and nothing else was left.
    let done = folder.partials();
    assert!((1..60).contains(&done.len()), "{}", done.len());
    assert_eq!(folder.names("outputs").len(), done.len() + 1, "{:?}", folder.names("outputs"));
    folder.split("reduce outputs/").fails(20, &[]);
    let sum: u64 = done.iter().map(|partial| partial.chunk + 1).sum();
    assert_eq!(folder.split("reduce --partial outputs/").ok(), format!("{sum}\n"));

    assert_eq!(folder.submit(), Some(0));
    assert_eq!(folder.split("reduce outputs/").ok(), "1830\n");
}

/// What was tried on the access point counts, and no job computes it.
pub(crate) fn a_plan_is_cut_by_what_items_take(pool: &Pool) {
    let folder = pool.folder("tried");
    folder.program(
        "tool",
        "#!/bin/sh\nfor item in $(seq $1 $2); do sleep 0.1; done\nseq $1 $2 | awk '{s += $1} END {print s}'\n",
    );
    folder.split("plan --total 1..=300 --target 5s --probe-budget 4s -- ./tool {first} {last}").ok();
    let dag = folder.read("plan.dag");
    let nodes: Vec<&str> = dag.lines().filter(|line| line.starts_with("JOB chunk-")).collect();
    let done = nodes.iter().filter(|line| line.ends_with(" DONE")).count();
    assert!(done > 0 && nodes.len() - done >= 5, "{dag}");
    assert_eq!(folder.submit(), Some(0));
    assert_eq!(folder.jobs().iter().filter(|job| job.chunk().is_some()).count(), nodes.len() - done);
    assert_eq!(folder.split("reduce outputs/").ok(), "45150\n");
    // As long as is said, where items differ.
    let folder = pool.folder("said");
    folder.split("plan --total 1..=100 --target 10s --cost item/100").ok();
    let nodes = folder.read("plan.dag").lines().filter(|line| line.starts_with("JOB chunk-")).count();
    assert_eq!(nodes, 6);
    assert_eq!(folder.submit(), Some(0));
    assert_eq!(folder.split("reduce outputs/").ok(), "5050\n");
}

/// Items are tried by a first stage of the DAG, which then cuts the rest by what they took: nothing is computed twice. A program that
/// is broken is found out by that stage, and once it is mended the same submission goes on.
pub(crate) fn the_rest_is_cut_by_what_was_tried_on_the_pool(pool: &Pool) {
    let folder = pool.folder("tried-there");
    let program = "for item in $(seq $1 $2); do sleep 0.1; done\nseq $1 $2 | awk '{s += $1} END {print s}'\n";
    folder.program("tool", &format!("#!/bin/sh\nexit 3\n{program}"));
    folder.split("plan --total 1..=400 --target 6s --probe-on-pool --probe-budget 2s -- ./tool {first} {last}").ok();
    assert_ne!(folder.submit(), Some(0));
    assert!(folder.exists("logs/stopped.txt") && !folder.exists("rest.dag"));
    let tried = folder.jobs().len();
    folder.program("tool", &format!("#!/bin/sh\n{program}"));
    assert_eq!(folder.submit(), Some(0));
    assert_eq!(folder.split("reduce outputs/").ok(), "80200\n");
    let nodes = folder.read("rest.dag");
    let nodes: Vec<&str> = nodes.lines().filter(|line| line.starts_with("JOB chunk-")).collect();
    let left = nodes.iter().filter(|line| !line.ends_with(" DONE")).count();
    assert!(left < nodes.len() && left >= 4, "{nodes:?}");
    let jobs = folder.jobs();
    let again = jobs.iter().skip(tried).filter(|job| job.chunk().is_some());
    let (tries, rest): (Vec<_>, Vec<_>) = again.partition(|job| job.node.ends_with("-g1"));
    // Places that had failed for the last time before the DAG was stopped are left to the rest.
    assert!((1..=16).contains(&tries.len()), "{tries:?}");
    assert_eq!(rest.len(), left);
    let mut items: Vec<(u64, u64)> = Vec::new();
    for name in folder.names("outputs").into_iter().filter(|name| name.ends_with(".part")) {
        let text = folder.read(&format!("outputs/{name}"));
        for header in text.lines().filter(|line| line.contains("\"kind\":\"whole\"")) {
            let header: serde_json::Value = serde_json::from_str(header).expect("a header");
            let number = |name: &str| header[name].as_u64().expect("a number");
            items.push((number("first"), number("last")));
        }
    }
    items.sort_unstable();
    assert!(items.windows(2).all(|pair| pair[0].1 < pair[1].0), "{items:?}");
    folder.split("status").ok();
}

/// What the jobs used that tried items is what those are given that are cut then, where nobody says how much.
pub(crate) fn memory_and_disk_are_proposed_by_what_was_used(pool: &Pool) {
    let folder = pool.folder("used-there");
    // The first of the items holds 600 MB for long enough to be seen.
    let hold = "python3 -c 'import time; held = b\"x\" * (600 << 20); time.sleep(15)'";
    folder.program(
        "tool",
        &format!("#!/bin/sh\n[ $1 -ne 1 ] || {hold}\nsleep 0.2\nseq $1 $2 | awk '{{s += $1}} END {{print s}}'\n"),
    );
    let words = "plan --total 1..=64 --target 30s --probe-on-pool --probe-budget 1s";
    folder.split(&format!("{words} -- ./tool {{first}} {{last}}")).ok();
    assert!(folder.read("chunk.sub").contains("request_memory = 1GB"));
    assert_eq!(folder.submit(), Some(0));
    assert_eq!(folder.split("reduce outputs/").ok(), "2080\n");
    let plan: serde_json::Value = serde_json::from_str(&folder.read("plan.json")).expect("JSON");
    let seen = |name: &str| plan["seen"][name].as_u64().expect("a number");
    assert!((600 << 20..900 << 20).contains(&seen("memory")) && seen("disk") > 1 << 20, "{plan}");
    let asked = plan["resources"]["memory"].as_str().expect("a size");
    assert!(["1280MB", "1536MB", "1792MB"].contains(&asked), "{plan}");
    assert!(folder.read("chunk.sub").contains(&format!("request_memory = {asked}\n")));
}

pub(crate) fn a_folder_may_have_almost_any_name(pool: &Pool) {
    let folder = pool.folder("an \"odd\", it's; ${x} $x #1 100% *? ~ \\ {{ ü }} (&)");
    folder.split("plan --total 1..=10 --chunks 2").ok();
    assert_eq!(folder.submit(), Some(0));
    assert_eq!(folder.split("reduce outputs/").ok(), "55\n");
}

/// HTCondor fills in macros in the path of the log that DAGMan listens to, so that DAGMan would wait for ever; and
/// condor_submit_dag takes no line break.
pub(crate) fn a_folder_that_htcondor_cannot_name_is_refused(pool: &Pool) {
    for name in ["a$(macro)", "a$$(macro)", "a\nline"] {
        let folder = pool.folder(name);
        folder.split("plan --total 1..=10 --chunks 2").fails(2, &[]);
        assert!(folder.names(".").is_empty());
    }
}

pub(crate) fn dagman_reads_a_large_plan(pool: &Pool) {
    let folder = pool.folder("large");
    folder.split("plan --total 1e5 --chunks 20_000").ok();
    // A dry run submits nothing and yet keeps the throttle.
    let command = "_CONDOR_DAGMAN_MAX_SUBMITS_PER_INTERVAL=1000000 condor_dagman -p 0 -f -l . -Dag plan.dag \
         -Lockfile plan.dag.lock -CsdVersion \"$(condor_version | head -n 1)\" -DryRun";
    folder.run(["sh", "-c", command]).ok();
    let metrics: serde_json::Value = serde_json::from_str(&folder.read("plan.dag.metrics")).expect("JSON");
    // HTCondor 23 calls nodes jobs.
    let count = |of: &str| metrics.get(format!("nodes{of}")).or_else(|| metrics.get(format!("jobs{of}")));
    assert_eq!((count(""), count("_succeeded")), (Some(&20_001.into()), Some(&20_001.into())));
}

pub(crate) fn resources_and_containers_are_asked_for(pool: &Pool) {
    let folder = pool.folder("resources");
    let mut command: Vec<_> =
        "split plan --total 1..=4 --chunks 2 --container docker://python:3.13 --cpus 2 --memory 2GB \
         --disk 3GB --submit"
            .split_whitespace()
            .collect();
    command.push("+ProjectName = \"x\"");
    folder.run(command.into_iter().chain("-- python3 -c print({first})".split(' '))).ok();
    folder.run("condor_submit chunk=1 start=2 stop=4 -dry-run job.ad chunk.sub".split(' ')).ok();
    let ad = folder.read("job.ad");
    let get = |name: &str| ad.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    for (name, value) in [
        ("ContainerImage", "\"docker://python:3.13\""),
        ("WantContainer", "true"),
        ("ProjectName", "\"x\""),
        ("RequestCpus", "2"),
        ("RequestMemory", "2048"),
        ("RequestDisk", "3145728"),
        ("Iwd", "\"/home/alice/resources/outputs\""),
        ("UserLog", "\"/home/alice/resources/outputs/../logs/events.log\""),
    ] {
        assert_eq!(get(name), Some(value), "{name}");
    }
}
