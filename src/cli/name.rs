//! The name that the command is called by: `split`, or `htc-split` where it must not stand in coreutils' way.
//!
//! What is said to people names commands to type next. These are written as `split ...` everywhere, and become what
//! the caller can type in one place, here.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::OnceLock;

use clap::CommandFactory;

use super::arguments::Arguments;

const SHORT: &str = "split";
const LONG: &str = "htc-split";

/// The name that the command was called by.
pub(super) fn called() -> &'static str {
    static NAME: OnceLock<&str> = OnceLock::new();
    NAME.get_or_init(|| {
        let program = std::env::args_os().next().unwrap_or_default();
        if Path::new(&program).file_name() == Some(OsStr::new(LONG)) { LONG } else { SHORT }
    })
}

/// Whether a call of coreutils' `split` may be meant: not under a name that is ours alone.
pub(super) fn is_shared() -> bool {
    called() == SHORT
}

/// `text`, with the commands in it as the caller has to type them.
pub(super) fn as_called(text: &str) -> Cow<'_, str> {
    if is_shared() { Cow::Borrowed(text) } else { Cow::Owned(renamed(text)) }
}

/// `split plan`, `split run`, ... with the long name; paths such as `plan.files/split reduce` stay.
fn renamed(text: &str) -> String {
    let commands = Arguments::command();
    let is_command = |word: &str| {
        let word = word.trim_end_matches(|letter: char| !letter.is_ascii_lowercase());
        word == "COMMAND" || commands.get_subcommands().any(|command| command.get_name() == word)
    };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("split ") {
        let (before, after) = (&rest[..at], &rest[at + SHORT.len()..]);
        let stands_alone = !before.ends_with(|letter: char| letter.is_alphanumeric() || "/-_.".contains(letter));
        let next = after.trim_start().split([' ', '\n']).next().unwrap_or_default();
        let is_call = stands_alone && (is_command(next) || next.starts_with(['-', '<', '[']));
        out.push_str(before);
        out.push_str(if is_call { LONG } else { SHORT });
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_renamed_and_nothing_else() {
        let check = |text: &str, renamed_text: &str| assert_eq!(renamed(text), renamed_text);
        check("help: split run --redo . computes", "help: htc-split run --redo . computes");
        check("`split plan`, split reduce\nsplit show 3", "`htc-split plan`, htc-split reduce\nhtc-split show 3");
        check("plan.files/split reduce outputs", "plan.files/split reduce outputs");
        check("split --help lists", "htc-split --help lists");
        check("Usage: split <COMMAND>", "Usage: htc-split <COMMAND>");
        check("a split into chunks; of split itself", "a split into chunks; of split itself");
    }
}
