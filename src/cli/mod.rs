//! The command line: arguments in, a report out. The only room that prints: data on standard output, talk on
//! standard error.

mod access_point;
mod answer;
mod archive;
mod arguments;
mod chain;
mod coreutils;
mod cost;
mod cure;
mod exec;
mod failure;
mod gromacs;
mod items;
mod jobs;
mod lammps;
mod learn;
mod merge_group;
mod merging;
mod name;
mod outlook;
mod output;
mod plan;
mod probe;
mod progress;
mod python;
mod reduce;
mod request;
mod rest;
mod resume;
mod run;
mod show;
mod signals;
mod simulate;
mod site;
mod standing;
mod status;
mod tail;
mod target;
mod travel;
mod try_one;
mod values;
mod verify;
mod versions;
mod what;
mod why;
mod yields;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use arguments::{Arguments, Task};
use failure::Failure;

use crate::exit::Exit;

/// The command `split`.
#[must_use]
pub fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let Some(exit) = exec::as_runner(&words) {
        return exit;
    }
    let parsed = Arguments::try_parse_from(std::iter::once("split".into()).chain(words.iter().cloned()));
    if name::is_shared() && coreutils::is_meant(&words, parsed.is_ok()) {
        return coreutils::hand_over(&words).report();
    }
    let done = match parsed {
        Ok(Arguments { task }) => match task {
            Task::Plan(options) => plan::plan(&options),
            Task::Probe(options) => probe::command(&options),
            Task::Run(options) => run::run(&options),
            Task::Reduce(options) => reduce::reduce(&options),
            Task::Status(options) => status::status(&options),
            Task::Why(options) => why::why(&options),
            Task::Show(options) => show::show(&options),
            Task::Resume(options) => resume::resume(&options),
            Task::Try(options) => try_one::try_one(&options),
            Task::Verify(options) => verify::verify(&options),
            Task::Simulate(options) => simulate::simulate(&options),
            Task::Site(options) => site::site(&options),
            Task::Python => python::python(),
            Task::Tail(options) => tail::tail(&options),
            Task::Rest(options) => rest::rest(&options),
            Task::MergeGroup(options) => merge_group::merge_group(&options),
        },
        Err(_) if words.first().is_some_and(|first| coreutils::is_option_of_ours(first)) => {
            Err(coreutils::command_is_missing(&words[0]))
        }
        Err(error) if error.kind() == ErrorKind::InvalidSubcommand => {
            let word = words.first().map(|word| word.to_string_lossy()).unwrap_or_default();
            let failure = Failure::new(Exit::Usage, format!("`{word}` is no command of split"));
            Err(match words.first().and_then(|word| coreutils::meant(word)) {
                Some(meant) => failure.help(format!("did you mean `split {meant}`?")),
                None => failure.help("split --help lists the commands"),
            })
        }
        Err(error) => {
            let exit = explain(&error);
            if is_program_without_mark(&words, &error) {
                output::say("help: the program and its arguments go after `--`: -- python3 sum.py {first} {last}");
            }
            return exit;
        }
    };
    match done {
        Ok(exit) => exit.into(),
        Err(failure) => failure.report(),
    }
}

/// Whether a program was named without the `--` before it.
fn is_program_without_mark(words: &[OsString], error: &clap::Error) -> bool {
    let takes_program = words.first().is_some_and(|word| word == "plan" || word == "run" || word == "probe");
    let odd = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(odd)) => !odd.starts_with('-'),
        _ => false,
    };
    takes_program && odd && error.kind() == ErrorKind::UnknownArgument && !words.iter().any(|word| word == "--")
}

/// Prints help and version on standard output, and what is wrong with the arguments on standard error.
fn explain(error: &clap::Error) -> ExitCode {
    let printed = if name::is_shared() {
        error.print()
    } else {
        let text = error.render().to_string();
        let text = name::as_called(&text);
        let out: &mut dyn Write = if error.use_stderr() { &mut io::stderr() } else { &mut io::stdout() };
        out.write_all(text.as_bytes())
    };
    if error.use_stderr() || printed.is_err() { Exit::Usage.into() } else { Exit::Success.into() }
}

/// How a command ends.
type Done = Result<Exit, Failure>;
