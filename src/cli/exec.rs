//! `split exec` and `split post`: the runner, for where its own small program is not at hand.

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs as the runner, if that is what the first word asks for.
pub(super) fn as_runner(words: &[OsString]) -> Option<ExitCode> {
    let asked = words.len() > 1 && (words[0] == "exec" || words[0] == "post");
    asked.then(|| crate::runner::main(words.iter().cloned()))
}
