//! What is said when a command fails: what, why, and the command to type next.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use super::name::as_called;
use crate::exit::Exit;
use crate::store::StoreError;

/// A command's failure.
#[derive(Debug)]
pub(super) struct Failure {
    exit: Exit,
    message: String,
    causes: Vec<String>,
    details: Vec<String>,
    help: Vec<String>,
}

impl Failure {
    /// `message` is a fragment in lower case.
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), causes: Vec::new(), details: Vec::new(), help: Vec::new() }
    }

    /// An error with all that caused it.
    pub(super) fn from_error(exit: Exit, error: &dyn Error) -> Self {
        let mut failure = Self::new(exit, error.to_string());
        let mut source = error.source();
        while let Some(cause) = source {
            failure.causes.push(cause.to_string());
            source = cause.source();
        }
        failure
    }

    /// What failed as a whole; what was said of it until now becomes its cause.
    pub(super) fn within(mut self, message: impl Into<String>) -> Self {
        self.causes.insert(0, std::mem::replace(&mut self.message, message.into()));
        self
    }

    /// One more line between the message and the help.
    pub(super) fn detail(mut self, line: impl Into<String>) -> Self {
        self.details.push(line.into());
        self
    }

    /// What to do, with the command to type.
    pub(super) fn help(mut self, line: impl Into<String>) -> Self {
        self.help.push(line.into());
        self
    }

    /// What went wrong, as an exit code.
    pub(super) fn exit(&self) -> Exit {
        self.exit
    }

    /// What went wrong, in its first line.
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// What is said of it.
    pub(super) fn text(&self) -> String {
        // The commands in it are the caller's to type; the details may be what a program wrote.
        let mut text = format!("error: {}\n", as_called(&self.message));
        for cause in &self.causes {
            text.push_str(&format!("caused by: {cause}\n"));
        }
        for detail in &self.details {
            text.push_str(&format!("  {detail}\n"));
        }
        for help in &self.help {
            text.push_str(&format!("help: {}\n", as_called(help)));
        }
        text
    }

    /// Prints it.
    pub(super) fn report(self) -> ExitCode {
        // Nobody may be there to read it.
        let _ = io::stderr().lock().write_all(self.text().as_bytes());
        self.exit.into()
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::from_error(Exit::Machine, &error)
    }
}

/// Standard output that nobody reads any more is no failure.
pub(super) fn printed(result: io::Result<()>) -> Result<Exit, Failure> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Machine, format!("cannot write to standard output: {error}")))
        }
        _ => Ok(Exit::Success),
    }
}
