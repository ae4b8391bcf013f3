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

    // By these HTCondor knows its processes again; each job has others.
    let is_own = |name: &&str| !name.starts_with("_CONDOR_ANCESTOR_");
    let names = |told: &BTreeMap<String, String>| -> BTreeSet<String> {
        told.keys().map(String::as_str).filter(is_own).map(str::to_owned).collect()
    };
    assert_eq!(names(&tried), names(&job));
    // What names a place of the one job's own, and what differs from slot to slot.
    let scratch =
        |told: &BTreeMap<String, String>, value: &str| value.replace(&told["_CONDOR_SCRATCH_DIR"], "[SCRATCH]");
    let differ = ["SPLIT_RESULT", "_CONDOR_SLOT", "TMPDIR", "TMP", "TEMP"];
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
    pool.root(r#"test -z "$(find /tmp /var/tmp -name 'split-job-*')""#);
}

pub(crate) fn a_trial_on_a_shared_file_system_sees_what_a_job_sees(pool: &Pool) {
    let folder = pool.folder("shared-trial");
    compare(&folder, "--shared-filesystem");
}
