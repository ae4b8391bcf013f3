//! A good neighbour: `split` is also the name of a program of coreutils, and scripts that mean that one get it.

use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use clap::CommandFactory;

use super::arguments::Arguments;
use super::failure::Failure;
use crate::exit::Exit;

/// The long options of coreutils' `split`.
const THEIRS: [&str; 13] = [
    "suffix-length",
    "additional-suffix",
    "bytes",
    "line-bytes",
    "numeric-suffixes",
    "hex-suffixes",
    "elide-empty-files",
    "filter",
    "lines",
    "number",
    "separator",
    "unbuffered",
    "verbose",
];

/// Whether the words are meant for coreutils' `split`: the first is an option that is not ours or names a file,
/// or there is none and something is piped in. A command of ours that makes sense as such is ours even where a
/// file has its name (`run`).
pub(super) fn is_meant(words: &[OsString], makes_sense: bool) -> bool {
    match words.first() {
        None => is_piped(),
        Some(first) if ["--help", "-h", "--version", "-V", "help"].iter().any(|ours| first == ours) => false,
        Some(first) if first.as_encoded_bytes().starts_with(b"-") => !makes_sense && !is_option_of_ours(first),
        Some(first) => !makes_sense && Path::new(first).is_file() && !is_mistake_in_ours(words),
    }
}

/// Whether words that start with a command of ours, and make no sense as such, hold an option that coreutils'
/// `split` does not know either: then they are a mistake, and not the name of a file.
fn is_mistake_in_ours(words: &[OsString]) -> bool {
    let known = Arguments::command().get_subcommands().any(|command| words[0] == command.get_name());
    let options = words[1..].iter().filter_map(|word| word.to_str()?.strip_prefix("--"));
    let name = |option: &str| option.split('=').next().unwrap_or_default().to_owned();
    // Long options may be cut short.
    let theirs = |option: &str| THEIRS.iter().any(|theirs| theirs.starts_with(&name(option)));
    known && !options.clone().all(theirs)
}

/// The command of ours that a mistyped word may mean.
pub(super) fn meant(word: &OsStr) -> Option<String> {
    let word = word.to_str()?;
    let commands = Arguments::command();
    let near =
        commands.get_subcommands().map(|command| (strsim::damerau_levenshtein(word, command.get_name()), command));
    let (distance, command) = near.min_by_key(|(distance, _)| *distance)?;
    (distance <= 2).then(|| command.get_name().to_owned())
}

/// Whether a word is an option that one of our commands takes, typed without the command; one that coreutils' `split` takes
/// as well is theirs.
pub(super) fn is_option_of_ours(word: &OsStr) -> bool {
    let Some(name) = word.to_str().and_then(|word| word.strip_prefix("--")) else { return false };
    let name = name.split('=').next().unwrap_or_default();
    let commands = Arguments::command();
    let mut options = commands.get_subcommands().flat_map(clap::Command::get_arguments);
    !THEIRS.contains(&name) && options.any(|option| option.get_long() == Some(name))
}

/// What to say to a call such as `split --total 1..=100`.
pub(super) fn command_is_missing(option: &OsStr) -> Failure {
    let option = option.to_string_lossy();
    let name = option.split('=').next().unwrap_or_default();
    Failure::new(Exit::Usage, format!("`{name}` is an option of a command of split, and no command is named"))
        .help(format!("write split plan {name} ..., or split run {name} ... to compute on this machine"))
}

/// Whether standard input is a pipe or a file that somebody means to be read.
fn is_piped() -> bool {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return false;
    }
    use rustix::fs::{FileType, fstat};
    fstat(&stdin).is_ok_and(|stat| {
        matches!(FileType::from_raw_mode(stat.st_mode), FileType::Fifo | FileType::RegularFile | FileType::Socket)
    })
}

/// Becomes the next `split` on PATH; comes back only where that fails.
pub(super) fn hand_over(words: &[OsString]) -> Failure {
    let identity = |path: &Path| path.metadata().ok().map(|found| (found.dev(), found.ino()));
    let ours = std::env::current_exe().ok().as_deref().and_then(identity);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let programs =
        std::env::split_paths(&path).map(|folder| folder.join("split")).filter(|program| is_program(program));
    let programs: Vec<_> = programs.collect();
    // Behind our own place alone: of two copies of ours, each would hand over to the other without end.
    let place = programs.iter().rposition(|program| ours.is_some() && identity(program) == ours);
    let next = programs.into_iter().nth(place.map_or(0, |place| place + 1));
    let first = words.first().map_or(OsStr::new("standard input"), OsString::as_os_str);
    let Some(next) = next else {
        return Failure::new(Exit::Usage, format!("`{}` is no command of split", first.display()))
            .detail("it looks like a call of coreutils' split, and there is none on PATH")
            .help("split --help lists the commands");
    };
    let error = Command::new(&next).args(words).exec();
    Failure::new(Exit::Machine, format!("cannot start {}: {error}", next.display()))
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.mode() & 0o111 != 0)
}
