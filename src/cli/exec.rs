//! `split exec` and its like: the runner, for where its own small program is not at hand.

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs as the runner, if that is what the first word asks for.
pub(super) fn as_runner(words: &[OsString]) -> Option<ExitCode> {
    let asked = words.len() > 1 && crate::runner::WORDS.iter().any(|word| words[0] == *word);
    asked.then(|| crate::runner::main(words.iter().cloned()))
}
