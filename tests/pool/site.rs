//! What a site asks of every plan, as HTCondor takes it.

use crate::folder::{Folder, SUM};
use crate::pool::Pool;

pub(crate) fn throttles_are_taken_and_the_access_point_is_spared(pool: &Pool) {
    let folder = pool.folder("throttles");
    folder.write(
        "site.toml",
        "[throttles]\nmax-idle = 40\nmax-jobs = 50\nmax-submits = 30\nmax-scripts = 2\n[access-point]\nthreads = 1\n",
    );
    folder.split("plan --total 1..=100 --chunks 60 --site site.toml").ok();
    assert_eq!(folder.submit(), Some(0));
    let said = folder.read("plan.dag.dagman.out");
    for setting in
        ["MAX_JOBS_IDLE setting: 40", "MAX_JOBS_SUBMITTED setting: 50", "MAX_SUBMITS_PER_INTERVAL setting: 30"]
    {
        assert!(said.contains(&format!("DAGMAN_{setting}\n")), "{setting}");
    }
    for setting in ["MAX_PRE_SCRIPTS setting: 2", "MAX_POST_SCRIPTS setting: 2"] {
        assert!(said.contains(&format!("DAGMAN_{setting}\n")), "{setting}");
    }
    assert_eq!(folder.answer(), 5050);
    assert!(folder.read("logs/reduce.err").contains("this is an access point: 1 thread at low priority (nice 10)"));

    // Items are tried here only where that is allowed; the pool may try them all the same.
    folder.write("no-trials.toml", "[access-point]\nprobe = false\n");
    for command in ["plan", "probe", "run"] {
        let refused =
            folder.split(&format!("{command} --total 1..=100 --dir untried --site no-trials.toml -- echo {{first}}"));
        refused.fails(2, &["this access point's profile forbids to try some here", "--probe-on-pool", "--cost 3.2s"]);
    }
    folder.split("plan --total 1..=100 --dir there --site no-trials.toml --probe-on-pool -- echo {first}").ok();

    // Without a profile the pool's own settings hold, but for more scripts than are gentle. What stands in the
    // environment of condor_submit_dag counts as the pool's.
    let settings = [
        ("MAX_JOBS_IDLE", "37", "37"),
        ("MAX_SUBMITS_PER_INTERVAL", "41", "41"),
        ("MAX_PRE_SCRIPTS", "0", "5"),
        ("MAX_POST_SCRIPTS", "3", "3"),
    ];
    let of_pool: Vec<_> =
        settings.iter().map(|(name, of_pool, _)| format!("_CONDOR_DAGMAN_{name}={of_pool}")).collect();
    let expected: Vec<_> = settings.iter().map(|(name, _, held)| (*name, *held)).collect();
    the_settings_hold(&folder, "of-pool", &of_pool, &expected);
    let expected = [
        ("MAX_JOBS_IDLE", "1000"),
        ("MAX_SUBMITS_PER_INTERVAL", "100"),
        ("MAX_PRE_SCRIPTS", "5"),
        ("MAX_POST_SCRIPTS", "5"),
    ];
    the_settings_hold(&folder, "plain", &[], &expected);

    folder.split("run --total 1..=10 --chunks 5 --dir here").says(&["this is an access point: 2 threads", "--jobs N"]);
    let nice = folder.split("run --total 1 --chunks 1 --dir nice --reduce concat -- nice");
    assert_eq!(nice.ok(), "10\n");
    let asked = folder.split("run --total 1..=10 --chunks 5 --dir asked --jobs 3");
    asked.says(&["this is an access point: 3 threads at low priority (nice 10)\n"]);
    // The program prints how nice it is: 10, as in the run.
    let again = folder.split("verify nice");
    again.says(&["this is an access point: 2 threads at low priority (nice 10); --jobs N for another number\n"]);
    assert_eq!(again.ok(), "1 of 1 record computed again: all the same\n");
}

/// DAGMan takes these settings for a plan without a profile, in the folder `name`, where the pool's are these variables.
fn the_settings_hold(folder: &Folder<'_>, name: &str, of_pool: &[String], expected: &[(&str, &str)]) {
    folder.split(&format!("plan --total 1..=100 --chunks 60 --dir {name}")).ok();
    let submit = format!("cd {name} && {} condor_submit_dag plan.dag", of_pool.join(" "));
    let submit = folder.run(["sh", "-c", &submit]).ok();
    assert!(submit.contains("submitted to cluster"), "{submit}");
    let said = || std::fs::read_to_string(folder.path(&format!("{name}/plan.dag.dagman.out"))).unwrap_or_default();
    folder.wait_for("the answer", || folder.exists(&format!("{name}/result.json")));
    for (setting, held) in expected {
        assert!(said().contains(&format!("DAGMAN_{setting} setting: {held}\n")), "{name}: {setting}");
    }
}

pub(crate) fn results_are_merged_in_a_job(pool: &Pool) {
    for (name, reduce, words) in [("merged-sum", "sum", "-- sh -c"), ("merged-concat", "concat", "-- sh -c")] {
        let folder = pool.folder(name);
        let plan = format!("plan --total 1..=20 --chunks 10 --reduce-on job --reduce {reduce} {words}");
        let script = "i=$0; while [ $i -le $1 ]; do seq 1 2000; i=$((i + 1)); done";
        let words = plan.split(' ').chain([script, "{first}", "{last}"]);
        folder.run(["split"].into_iter().chain(words)).ok();
        assert_eq!(folder.submit(), Some(0));
        let jobs = folder.jobs();
        let merge = jobs.iter().find(|job| job.chunk().is_none()).expect("a merge");
        assert!(merge.machine.as_deref().is_some_and(|machine| machine.starts_with("ep")), "{merge:?}");
        the_answer_is_that_of_the_access_point(&folder, reduce == "concat");
    }
    // A table comes back to where `--to` says.
    let folder = pool.folder("merged-to");
    let plan = "plan --grid n=1..=20 --chunks 10 --reduce-on job --to answer.csv -- expr {n} * 2";
    folder.run(["split"].into_iter().chain(plan.split(' '))).ok();
    assert_eq!(folder.submit(), Some(0));
    let jobs = folder.jobs();
    let merge = jobs.iter().find(|job| job.chunk().is_none()).expect("a merge");
    assert!(merge.machine.as_deref().is_some_and(|machine| machine.starts_with("ep")), "{merge:?}");
    let rows: String = (1..=20).map(|n| format!("{n},{}\n", 2 * n)).collect();
    let answer = folder.read("answer.csv");
    assert!(answer.ends_with(&rows) && answer.lines().count() == 21, "{answer}");
}

pub(crate) fn results_are_merged_in_a_job_that_is_sent_nothing(pool: &Pool) {
    let folder = pool.folder("merged-shared");
    folder.split("plan --total 1..=20 --chunks 10 --reduce-on job --shared-filesystem").ok();
    assert_eq!(folder.submit(), Some(0));
    let jobs = folder.jobs();
    let merge = jobs.iter().find(|job| job.chunk().is_none()).expect("a merge");
    assert_eq!((merge.machine.as_deref(), merge.transferred), (Some("ep1"), 0));
    the_answer_is_that_of_the_access_point(&folder, false);
}

/// What the merge node left is what merging here leaves.
fn the_answer_is_that_of_the_access_point(folder: &Folder<'_>, has_data: bool) {
    let read = |name: &str| std::fs::read(folder.path(name)).ok();
    let (result, data) = (read("result.json").expect("there"), read("result.data"));
    assert_eq!(data.is_some(), has_data);
    assert!(!folder.exists("split") && !folder.exists("condor_exec.exe"), "{:?}", folder.names("."));
    let answer = folder.split("reduce outputs/").ok();
    assert_eq!((read("result.json"), read("result.data")), (Some(result), data));
    assert_eq!(folder.read("logs/reduce.out"), answer);
}

pub(crate) fn gpus_requirements_and_lines_of_the_site_are_asked_for(pool: &Pool) {
    let folder = pool.folder("site-lines");
    folder.write(
        "site.toml",
        "submit = ['+ProjectName = \"physics\"']\nrequirements = ['Arch == \"X86_64\"', 'HasFoo || HasBar']\n\
         gpus = ['request_gpus = {gpus}', '+WantGPULab = true', 'requirements = GPUs_Memory >= {gpus}']\nreduce = 'job'\n",
    );
    let words = "split plan --total 1..=4 --chunks 2 --site site.toml --gpus 2 --container docker://python:3.13 \
                 --container-mode apptainer --submit";
    let words = words.split_whitespace().chain(["requirements = Memory > 5", "--", "true", "{first}"]);
    folder.run(words).ok();
    folder.run("condor_submit chunk=1 start=2 stop=4 -dry-run chunk.ad chunk.sub".split(' ')).ok();
    folder.run("condor_submit -dry-run reduce.ad reduce.sub".split(' ')).ok();
    let get = |ad: &str, name: &str| -> String {
        let text = folder.read(ad);
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.unwrap_or_else(|| panic!("{ad} has no {name}")).to_owned()
    };
    let required = get("chunk.ad", "Requirements");
    for condition in ["(Arch == \"X86_64\")", "(HasFoo || HasBar)", "(Memory > 5)", "(GPUs_Memory >= 2)"] {
        assert!(required.contains(condition), "{required}");
    }
    let required = get("reduce.ad", "Requirements");
    assert!(!required.contains("Memory > 5") && !required.contains("GPUs"), "{required}");
    for (ad, condition) in [("chunk.ad", "MachineAttrMachine1"), ("reduce.ad", "MachineAttrMachine1")] {
        assert!(get(ad, "Requirements").contains(condition), "{ad}");
    }
    for (ad, name, value) in [
        ("chunk.ad", "RequestGPUs", "2"),
        ("chunk.ad", "WantGPULab", "true"),
        ("chunk.ad", "JobUniverse", "5"),
        ("chunk.ad", "ProjectName", "\"physics\""),
        ("reduce.ad", "ProjectName", "\"physics\""),
        ("reduce.ad", "JobUniverse", "5"),
        ("reduce.ad", "JobMaxRetries", "2"),
        ("reduce.ad", "RequestDisk", "3 * DiskUsage + 1048576"),
    ] {
        assert_eq!(get(ad, name), value, "{ad}: {name}");
    }
}

#[expect(clippy::print_stderr, reason = "a test that checks less than it could says so")]
pub(crate) fn a_container_is_started_by_the_runner(pool: &Pool) {
    let folder = pool.folder("apptainer");
    folder.write("sum.py", SUM);
    if folder.run(["sh", "-c", "command -v apptainer || command -v singularity"]).code != 0 {
        eprintln!("no apptainer on the pool: how a container starts is not tested, but how its lack is said");
        folder.write("image.sif", "an image");
        let words = "plan --total 1..=4 --chunks 2 --retries 0 --container image.sif --container-mode apptainer \
                     -- python3 sum.py {first} {last}";
        folder.split(words).ok();
        assert_ne!(folder.submit(), Some(0));
        let said = folder.split("reduce outputs/");
        said.fails(20, &["neither apptainer nor singularity is on this machine's PATH"]);
        return;
    }
    // An image that holds one static program is made here.
    let make = "mkdir -p root/bin root/etc root/tmp root/proc root/sys root/dev && cp /bin/busybox root/bin/sh && \
                echo inside > root/etc/where && apptainer build image.sif root";
    folder.run(["sh", "-c", make]).ok();
    let script = "read where < /etc/where; echo $where $ANIMAL $PATH; [ -w \"$TMPDIR\" ] && echo $SPLIT_FIRST";
    let words = "split plan --total 1..=4 --chunks 2 --reduce concat --env ANIMAL=cat --container image.sif \
                 --container-mode apptainer -- sh -c";
    folder.run(words.split_whitespace().chain([script])).ok();
    assert_eq!(folder.submit(), Some(0));
    let answer = folder.split("reduce outputs/").ok();
    assert!(
        answer.starts_with("inside cat /") && answer.contains("\n1\ninside cat ") && answer.ends_with("\n3\n"),
        "{answer}"
    );
    let hosts: Vec<_> = folder.partials().iter().map(|partial| partial.header["host"].clone()).collect();
    assert!(hosts.iter().all(|host| host.as_str().is_some_and(|host| host.starts_with("ep"))), "{hosts:?}");
}
