//! `split try` beside real jobs: what a program finds in the one it finds in the other.

use std::collections::{BTreeMap, BTreeSet};

use crate::folder::Folder;
use crate::pool::Pool;

/// Tells of the environment, of the folders that it names, and of the folder where it runs.
const TELL: &str = "\
import os
for name, value in os.environ.items():
    print(name + '=' + value.replace('\\n', ' '))
scratch = os.environ['_CONDOR_SCRATCH_DIR'] + '/'
def kind(path):
    return ('scratch/' + path[len(scratch):] if path.startswith(scratch) else path) + ('' if os.path.isdir(path) else ' (none)')
print('home=' + kind(os.environ['HOME']))
print('here=' + kind(os.getcwd()))
print('sees=' + ' '.join(sorted(name for name in os.listdir('.') if not name.startswith('plan.dag'))))
print('group=' + str(os.getpgrp() == os.getpid()))
print('input=' + str(os.path.samefile('/dev/stdin', '/dev/null')))
";

/// What the program told.
fn told(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[track_caller]
fn compare(folder: &Folder<'_>, options: &str) {
    folder.write("tell.py", TELL);
    let plan = format!("plan --total 1 --chunks 1 --cpus 2 --retries 0 --reduce concat {options} -- python3 tell.py");
    folder.split(&plan).ok();
    // As a person at the access point has it, with much that no job has.
    let words = ["env", "PYTHONPATH=/nowhere", "LD_LIBRARY_PATH=/nowhere", "LANG=C.UTF-8", "split", "try"];
    let tried = folder.run(words);
    tried.says(&["item 0, in chunk 0 of 1, computed here as a job would", "peak memory"]);
    let tried = told(&tried.ok());
    assert_eq!(folder.submit(), Some(0));
    let job = told(&folder.split("reduce outputs/").ok());

    // By these HTCondor, and a trial, know their processes again; each job has others.
    let is_own = |name: &&str| !name.starts_with("_CONDOR_ANCESTOR_") && !name.starts_with("_SPLIT_ANCESTOR_");
    let names = |told: &BTreeMap<String, String>| -> BTreeSet<String> {
        told.keys().map(String::as_str).filter(is_own).map(str::to_owned).collect()
    };
    assert_eq!(names(&tried), names(&job));
    // What names a place of the one job's own, and what differs from slot to slot.
    let scratch =
        |told: &BTreeMap<String, String>, value: &str| value.replace(&told["_CONDOR_SCRATCH_DIR"], "[SCRATCH]");
    let differ = ["SPLIT_RESULT", "_CONDOR_SLOT", "TMPDIR", "TMP", "TEMP", "PYTHONPATH"];
    for name in names(&job).iter().filter(|name| !differ.contains(&name.as_str())) {
        assert_eq!(scratch(&tried, &tried[name]), scratch(&job, &job[name]), "{name}");
    }
    assert_eq!(job["OMP_NUM_THREADS"], "2");
    assert!(folder.partials().len() == 1, "a trial leaves no partial");
}

pub(crate) fn a_trial_sees_what_a_job_sees(pool: &Pool) {
    let folder = pool.folder("trial");
    folder.write("data/a.csv", "1\n");
    compare(&folder, "--input data");
    // Other trials may be at work beside this one.
    pool.root(
        r#"for _ in $(seq 300); do test -z "$(find /tmp /var/tmp -name 'split-job-*')" && exit 0; sleep 0.2; done; exit 1"#,
    );
}

pub(crate) fn a_trial_on_a_shared_file_system_sees_what_a_job_sees(pool: &Pool) {
    let folder = pool.folder("shared-trial");
    compare(&folder, "--shared-filesystem");
}

/// What works at the keyboard by way of the user's own environment does not work in a job: a trial says so, and its
/// cure holds on the pool.
pub(crate) fn a_trial_misses_the_module_that_only_the_user_has(pool: &Pool) {
    let folder = pool.folder("module");
    folder.write("lib/helper.py", "def value(i):\n    return i\n");
    folder.write(
        "sum.py",
        "import sys, helper\nfirst, last = map(int, sys.argv[1:])\n\
         print(sum(helper.value(i) for i in range(first, last + 1)))\n",
    );
    let user = |words: &str| folder.run(["env", "PYTHONPATH=lib"].into_iter().chain(words.split_whitespace()));
    assert_eq!(user("python3 sum.py 1 10").ok(), "55\n");
    let plan = "split plan --total 1..=10 --chunks 5";
    let planned = user(&format!("{plan} -- python3 sum.py {{first}} {{last}}")).ok();
    assert!(planned.contains("first: split try"), "{planned}");
    user("split try").fails(30, &["No module named 'helper'", "PYTHONPATH", "--input lib --env PYTHONPATH=lib"]);
    let cured = format!("{plan} --force --input lib --env PYTHONPATH=lib -- python3 sum.py {{first}} {{last}}");
    user(&cured).ok();
    assert_eq!(user("split try 3").ok(), "3\n");
    assert_eq!(folder.submit(), Some(0));
    assert_eq!(folder.split("reduce outputs/").ok(), "55\n");
    let verified = folder.split("verify").ok();
    assert!(verified.contains("5 of 5 records computed again: all the same"), "{verified}");
}
