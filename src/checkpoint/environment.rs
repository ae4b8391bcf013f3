//! Every variable of the environment that the library reads.
//!
//! Whoever starts the program sets them; a program that is started by hand needs none.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Once;
use std::time::Duration;

use super::error::CheckpointError;

/// The folder that holds the checkpoints; it is made where it is not there. Without it: `checkpoints` in the working folder.
pub const FOLDER: &str = "SPLIT_CHECKPOINT_DIR";

/// The time between two interruptions that is to be expected, in seconds, such as `14400`. Without it: four hours.
pub const INTERRUPTION: &str = "SPLIT_INTERRUPTION_SECONDS";

/// What is computed, as whoever started the program knows it: any text of one line, such as the identity of a plan and the
/// items of a chunk. A checkpoint with another one is refused.
pub const IDENTITY: &str = "SPLIT_CHECKPOINT_KEY";

/// The file that the program's standard output goes to, if whoever started the program keeps what is printed from one of its runs
/// to the next.
pub const OUTPUT: &str = "SPLIT_CHECKPOINT_OUTPUT";

/// The file with what earlier runs had printed when the state was saved that this run goes on from, if there was anything. [`OUTPUT`]
/// begins with a copy of it.
pub const PRINTED: &str = "SPLIT_CHECKPOINT_PRINTED";

/// What a machine of a campus pool gives a job, on the average.
pub(super) const USUAL_INTERRUPTION: Duration = Duration::from_secs(4 * 3600);

/// A value becomes part of a header.
const LONGEST: usize = 4096;

/// What the environment says.
pub(super) struct Environment {
    pub(super) folder: PathBuf,
    pub(super) interruption: Duration,
    pub(super) identity: String,
}

impl Environment {
    pub(super) fn read() -> Result<Self, CheckpointError> {
        Self::from(|name| std::env::var_os(name))
    }

    /// Says, once, that nothing is carried, where the folder is the environment's: in a job of HTCondor's that was not told of it.
    pub(super) fn say_in_vain() {
        static SAID: Once = Once::new();
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        if is_set("_CONDOR_SCRATCH_DIR") && !is_set(FOLDER) {
            SAID.call_once(|| {
                // Nobody may be there to read it.
                let _ = writeln!(
                    io::stderr(),
                    "split::checkpoint: {FOLDER} is not set, so nothing that is saved here outlives the job; split plan \
                     --checkpoint carries it"
                );
            });
        }
    }

    fn from(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, CheckpointError> {
        let set = |name: &'static str| variable(name).filter(|value| !value.is_empty());
        let text = |name: &'static str| match set(name).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(text)) if !text.contains(char::is_control) && text.len() <= LONGEST => Ok(Some(text)),
            Some(Ok(value)) => {
                Err(CheckpointError::Environment { name, value, wanted: "one line of at most 4096 bytes" })
            }
            Some(Err(value)) => Err(CheckpointError::Environment {
                name,
                value: value.to_string_lossy().into_owned(),
                wanted: "one line of at most 4096 bytes",
            }),
        };
        let interruption = match text(INTERRUPTION)? {
            None => USUAL_INTERRUPTION,
            Some(value) => {
                let seconds = value.parse().ok().filter(|seconds| *seconds > 0.0);
                seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).ok_or(
                    CheckpointError::Environment { name: INTERRUPTION, value, wanted: "a number of seconds over 0" },
                )?
            }
        };
        Ok(Self {
            folder: set(FOLDER).map_or_else(|| PathBuf::from("checkpoints"), PathBuf::from),
            interruption,
            identity: text(IDENTITY)?.unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_has_a_default() {
        let none = Environment::from(|_| None).expect("nothing to refuse");
        assert_eq!(none.folder, PathBuf::from("checkpoints"));
        assert_eq!((none.interruption, none.identity.as_str()), (USUAL_INTERRUPTION, ""));
        let all = Environment::from(|name| Some(if name == INTERRUPTION { "0.5".into() } else { "x".into() }));
        let all = all.expect("sensible");
        assert_eq!((all.folder, all.interruption), (PathBuf::from("x"), Duration::from_millis(500)));
        assert_eq!(all.identity, "x");
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for value in ["0", "-1", "soon", "nan", "inf", "1e300"] {
            let read = Environment::from(|name| (name == INTERRUPTION).then(|| value.into()));
            let error = read.err().expect("refused").to_string();
            assert!(error.contains(INTERRUPTION) && error.contains(value), "{error}");
        }
        for value in ["a\nb".to_owned(), "x".repeat(5000)] {
            let read = Environment::from(|name| (name == IDENTITY).then(|| value.clone().into()));
            assert!(read.is_err_and(|error| error.to_string().contains(IDENTITY)));
        }
    }
}
