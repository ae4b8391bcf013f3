//! What a program finds in its environment.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::plan::{Bindings, DEFAULT_PATH, Job, Slot, Word};

/// What the environment starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// A job's: what HTCondor sets, with a PATH, a HOME and a folder for temporary files.
    Job,
    /// That of the person at the keyboard.
    Here {
        /// The cores that a chunk is meant to use: for libraries that would take all.
        cpus: u32,
    },
}

/// How libraries are told the number of cores; HTCondor sets them in every job.
const THREADS: [&str; 6] = [
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "JULIA_NUM_THREADS",
    "RAYON_NUM_THREADS",
];

/// The variables to set on top of this process's own, in the order in which they are set. `home` and
/// `temporary` are folders of the job alone.
#[must_use]
pub fn environment(base: Base, job: &Job, home: &Path, temporary: &Path) -> Vec<(OsString, OsString)> {
    let mut variables: Vec<(OsString, OsString)> = Vec::new();
    let mut set = |name: &str, value: &OsStr| variables.push((name.into(), value.into()));
    match base {
        Base::Job => {
            if std::env::var_os("TMPDIR").is_none_or(|folder| !Path::new(&folder).is_dir()) {
                set("TMPDIR", temporary.as_os_str());
            }
            if std::env::var_os("PATH").is_none_or(|path| path.is_empty()) {
                set("PATH", DEFAULT_PATH.as_ref());
            }
            // HTCondor 25 names the home of the access point, which need not be there on the execute point.
            if std::env::var_os("HOME").is_none_or(|home| !Path::new(&home).is_dir()) {
                // Where the job sees the user's files, the home is among them.
                let own = job.home.as_ref().map(|home| Path::new(home.as_os_str())).filter(|home| home.is_dir());
                set("HOME", own.unwrap_or(home).as_os_str());
            }
        }
        Base::Here { cpus } => {
            for name in THREADS.into_iter().filter(|name| std::env::var_os(name).is_none()) {
                set(name, cpus.to_string().as_ref());
            }
        }
    }
    for (name, value) in &job.environment {
        set(name, value.as_os_str());
    }
    variables
}

/// A variable that would be longer is left out, rather than keeping the program from starting: Linux passes no more than
/// 128 KiB in one, execve(2).
const LONGEST_VARIABLE: usize = 100 << 10;

/// So many bytes the variables of one run may have together: Linux passes arguments and variables of 2 MiB in all.
const ALL_VARIABLES: usize = 512 << 10;

/// The variables that tell one run of the program what to compute: those of `names` that the run has a value for. Of very
/// many bytes the longest values are left out.
#[must_use]
pub fn of_run<'a>(names: &'a [(Slot, OsString)], bindings: &'a Bindings) -> Vec<(&'a OsString, &'a Word)> {
    let values = names.iter().filter_map(|(slot, name)| Some((name, bindings.get(slot)?)));
    let length = |value: &Word| value.as_bytes().len();
    let mut values: Vec<_> = values.filter(|(_, value)| length(value) <= LONGEST_VARIABLE).collect();
    if values.iter().map(|(_, value)| length(value)).sum::<usize>() > ALL_VARIABLES {
        values.sort_by_key(|(_, value)| length(value));
        let mut sum = 0usize;
        values.retain(|(_, value)| {
            sum = sum.saturating_add(length(value));
            sum <= ALL_VARIABLES
        });
    }
    values
}
