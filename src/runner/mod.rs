//! A chunk's run: the user's program over the chunk's items, and the record of what came of it.
//!
//! The same code runs inside a job (`split-runner exec`), and on this machine (`split run`). Invariant: a partial
//! appears under its name only when it is whole, and every attempt has a name of its own.

mod ads;
mod canary;
mod carry;
mod checkpoint;
mod chunk;
mod collect;
mod container;
mod due;
mod environment;
mod exec;
mod guard;
mod kept;
mod listing;
mod narrow;
mod post;
mod program;
mod records;
mod segment;
mod segment_scripts;
mod session;
mod setup;
mod shortage;
mod trying;

use std::ffi::OsString;
use std::io::Write;

pub use ads::{host, retry};
pub use canary::{Failures, Tally, Way};
pub use checkpoint::Checkpoints;
#[doc(hidden)]
pub use checkpoint::{pack, unpack_from};
pub use chunk::{Attempt, Carried, Outcome, Place, RunError, attempt_name, run};
pub use environment::{Base, environment, of_run};
pub use guard::Guard;
pub use post::{Broken, STOPPED, Since, judge, stop_if_broken};
pub use program::{BUSY, Running};
pub use segment::Leg;

use crate::exit::Exit;

/// The words that [`main`] takes first.
pub const WORDS: [&str; 7] = ["exec", "post", "left", "before", "after", "environment", guard::WORD];

/// The runner's command line: `exec JOB.json CHUNK START STOP` inside a job (and SEGMENT in a chain), `post RETURN NODE` or `left RETURN NODE` as
/// DAGMan's POST script, `before NODE` and `after RETURN NODE` around the segments of a chain, `environment FILE` at the end of a set-up, `guard
/// MARK` beside a run on this machine. Not for people; the submit files hold it.
pub fn main(arguments: impl Iterator<Item = OsString>) -> std::process::ExitCode {
    let arguments: Vec<_> = arguments.collect();
    let words: Vec<_> = arguments.iter().map(|word| word.to_str().unwrap_or_default()).collect();
    let done = match words.as_slice() {
        ["exec", job, numbers @ ..] => exec::exec(job.as_ref(), numbers),
        ["post", status] => post::post(status, None),
        ["left", status, node] => post::left(status, node),
        ["before", node] => segment_scripts::before(node),
        ["after", status, node] => segment_scripts::after(status, node),
        ["post", status, node] => post::post(status, Some(node)),
        ["environment", path] => setup::write_environment(path.as_ref())
            .map(|()| Exit::Success)
            .map_err(|error| (Exit::JobMachine, format!("{path}: {error}"))),
        [guard::WORD, mark] => {
            guard::wait(std::io::stdin().lock(), mark);
            Ok(Exit::Success)
        }
        _ => Err((Exit::Usage, "split-runner is started by the files that `split plan` writes".to_owned())),
    };
    done.unwrap_or_else(|(exit, message)| {
        // Nobody may be there to read it.
        let _ = writeln!(std::io::stderr(), "error: {message}");
        exit
    })
    .into()
}
