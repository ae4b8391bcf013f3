//! `split try`.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use super::Done;
use super::arguments::TryOptions;
use super::cure::{Trial, cures};
use super::failure::{Failure, printed};
use super::output::{Files, binary, in_pieces, last_lines, say, seconds};
use super::signals::Listener;
use super::what::What;
use super::{progress, reduce};
use crate::answer::{TableError, check_results};
use crate::exit::Exit;
use crate::folder::Layout;
use crate::local::{Computed, Finished, Jobs, SandboxError, Sandboxes};
use crate::plan::{Plan, Reduction, Size, Word};
use crate::record::{Cause, Kind, Part};
use crate::reduce::{Answer, BadResult, MergeError, Value, merge};
use crate::rows::as_given;
use crate::space::{Interval, Rows};

/// So many of the last lines that a program wrote are shown.
const LINES: usize = 15;
/// So much of the end of what a program wrote is looked at.
const BYTES: usize = 1 << 16;
/// From this share of what was asked for on, more should be asked for.
const CLOSE: f64 = 0.8;

pub(super) fn try_one(options: &TryOptions) -> Done {
    let (layout, plan) = reduce::find(&options.dir)?;
    let what = What::find(options.what.as_deref(), &plan)?;
    let rows = reduce::rows(&layout, &plan)?;
    let sandboxes = Sandboxes::new(&layout, &plan, &rows).map_err(|error| explain(&error))?.of_first_segments();
    let jobs = Arc::new(Jobs::new());
    let listener = listen(&jobs)?;
    let spinner = progress::spinner("computing");
    let computed = sandboxes.compute(what.chunk, what.items, &jobs);
    spinner.finish_and_clear();
    listener.end();
    let finished = match computed.map_err(|error| explain(&error))? {
        Computed::Finished(finished) => finished,
        Computed::Stopped => return Err(Failure::new(Exit::Interrupted, "stopped; nothing is kept of it")),
    };
    // Notes that cannot be read are as good as none.
    let notes = std::fs::read_to_string(layout.notes()).unwrap_or_default();
    let given = as_given(&plan.space, rows.clone(), plan.resources.shared_filesystem);
    for line in account(&plan, &given, what, &finished).iter().map(String::as_str).chain(notes.lines()) {
        say(line);
    }
    if let Some(chain) = &plan.chain {
        say(&format!("this was the first of {} segments", chain.segments()));
    }
    let again = again(&options.dir, options.what.as_deref());
    if let Some((items, cause)) = finished.failure() {
        return Err(failed(&layout, &plan, what, items, &finished, cause, &again));
    }
    let is_left_out = finished.gathered().chosen().all(|found| found.record.header.kind == Kind::Each)
        && contents(&finished).map(|contents| contents.left_out).is_ok_and(|left_out| left_out == what.items.count());
    if is_left_out {
        say("left out by --where: there is nothing to compute");
        return Ok(Exit::Success);
    }
    say(&merged(&plan, &rows, &finished, &again)?);
    let mut out = io::stdout().lock();
    let mut ends_a_line = true;
    let shown = finished.parts(&mut |part, content| match part {
        Part::Text(_) => in_pieces(content, &mut |piece| {
            ends_a_line = piece.last().map_or(ends_a_line, |byte| *byte == b'\n');
            out.write_all(piece)
        }),
        Part::LeftOut(_) | Part::File(_) => Ok(()),
    });
    let shown = shown.and_then(|()| if ends_a_line { Ok(()) } else { writeln!(out) }).and_then(|()| out.flush());
    printed(shown)
}

/// Ends the jobs at a signal.
pub(super) fn listen(jobs: &Arc<Jobs>) -> Result<Listener, Failure> {
    let jobs = Arc::clone(jobs);
    Listener::start(move |number| {
        if number == 0 {
            say("stopping; once more ends the program at once");
            jobs.stop();
        } else {
            jobs.kill();
        }
    })
}

/// Why there are no surroundings as a job has them.
pub(super) fn explain(error: &SandboxError) -> Failure {
    let failure = Failure::from_error(Exit::Machine, error);
    match error {
        SandboxError::NotStaged(_) => Failure::from_error(Exit::NoPlan, error)
            .help("name the folder that `split plan` wrote; planning again completes it"),
        SandboxError::NoContainer => failure.help("try it on a machine that has apptainer or singularity on PATH"),
        SandboxError::Image(_) => failure.help("an image file beside the plan, or one from docker://, can be run here"),
        SandboxError::NotStarted { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
            failure.help("programs may be forbidden in the folder for temporary files: TMPDIR=DIR names another")
        }
        SandboxError::NoRecord { said, .. } => last_lines(said, LINES).into_iter().fold(failure, Failure::detail),
        SandboxError::NotStarted { .. } | SandboxError::Store(_) => failure,
    }
}

/// The end of a result, or of a program's last words.
pub(super) fn end_of(finished: &Finished) -> Vec<u8> {
    let mut end = Vec::new();
    // What cannot be read again is not shown.
    let _ = finished.parts(&mut |part, content| match part {
        Part::Text(_) => in_pieces(content, &mut |piece| {
            end.extend_from_slice(piece);
            end.drain(..end.len().saturating_sub(BYTES));
            Ok(())
        }),
        Part::LeftOut(_) | Part::File(_) => Ok(()),
    });
    end
}

/// What is in the records beside results.
#[derive(Default)]
struct Contents {
    left_out: u128,
    files: Files,
}

fn contents(finished: &Finished) -> io::Result<Contents> {
    let mut contents = Contents::default();
    finished.parts(&mut |part, _| {
        match part {
            Part::Text(_) => {}
            Part::LeftOut(items) => contents.left_out += items.count(),
            Part::File(file) => contents.files.add(file),
        }
        Ok(())
    })?;
    Ok(contents)
}

/// The command that does it again.
fn again(dir: &Path, what: Option<&str>) -> String {
    let mut words = vec!["split try".to_owned()];
    words.extend(what.map(|what| Word::from(what).quoted()));
    if dir != Path::new(".") {
        words.push(format!("--dir {}", Word::from(dir.as_os_str().to_owned()).quoted()));
    }
    words.join(" ")
}

/// What was computed and what it took.
fn account(plan: &Plan, rows: &Rows, what: What, finished: &Finished) -> Vec<String> {
    let took = finished.seconds();
    let (usage, resources) = (finished.usage, &plan.resources);
    let chunks = plan.cut.chunks();
    let items = reduce::items(plan, what.items);
    let which = match what.is_chunk {
        true => format!("chunk {} of {chunks}, {items}", what.chunk),
        false => format!("{items}, in chunk {} of {chunks}", what.chunk),
    };
    let mut lines = vec![format!("{which}, computed here as a job would")];
    if let Some(words) = plan.words(what.chunk, what.items, rows) {
        let words: Vec<_> = words.iter().map(Word::quoted).collect();
        let per_item = plan.command.iter().any(|command| command.runs_per_item(&plan.space, plan.yields.stdin_items));
        let times = if per_item && what.items.count() > 1 { ", and so for each item" } else { "" };
        lines.push(format!("  command      {}{times}", words.join(" ")));
    }
    let cause = finished.failure().map(|(_, cause)| cause);
    if matches!(cause, Some(Cause::NotStarted(_) | Cause::Machine(_) | Cause::Setup(_))) {
        // The program took nothing of anything.
        return lines;
    }
    lines.push(format!("  time         {}, CPU {}", seconds(took), seconds(usage.cpu_seconds)));
    lines.push(format!("  peak memory  {} of {} asked", binary(usage.memory), resources.memory));
    lines.push(format!("  disk         {} of {} asked", binary(usage.disk), resources.disk));
    lines.extend(contents(finished).map(|contents| contents.files.describe()).unwrap_or_default());
    let chunk = plan.chunk(what.chunk);
    if !what.is_chunk && chunk.count() > 1 && cause.is_none() {
        let estimate = seconds(took * chunk.count() as f64);
        let items = reduce::items(plan, chunk);
        lines.push(format!("  its chunk    {items}: about {estimate} from start to end at this pace (an estimate)"));
    }
    lines.extend(more_is_needed("memory", "--memory", usage.memory, resources.memory));
    lines.extend(more_is_needed("disk", "--disk", usage.disk, resources.disk));
    if finished.left_running > 0 {
        let number = finished.left_running;
        let processes = if number == 1 { "1 process".to_owned() } else { format!("{number} processes") };
        lines.push(format!(
            "note: it left {processes} running when it ended; HTCondor ends them with the job, as was done here"
        ));
    }
    let set_by_htcondor = |line: &&String| {
        let line = line.trim_start().to_ascii_lowercase();
        ["environment", "getenv"].iter().any(|command| line.starts_with(command))
    };
    for line in resources.submit.iter().filter(set_by_htcondor) {
        lines.push(format!(
            "note: what {} sets is set by HTCondor, and was not here",
            Word::from(line.as_str()).quoted()
        ));
    }
    lines
}

/// A note where what was used is more than what was asked for, or close to it.
fn more_is_needed(what: &str, option: &str, used: u64, asked: Size) -> Option<String> {
    let share = used as f64 / asked.bytes() as f64;
    let cure = format!("plan again with {option} {}", ample(used));
    if share > 1.0 {
        Some(format!("note: it takes more {what} than was asked for, and HTCondor may put such a job on hold: {cure}"))
    } else if share >= CLOSE {
        Some(format!(
            "note: that is {:.0} % of the {what} that was asked for, and other items may take more: {cure}",
            100.0 * share
        ))
    } else {
        None
    }
}

/// A round size with half as much again.
fn ample(used: u64) -> String {
    let mebibytes = used.saturating_add(used / 2).div_ceil(1 << 20);
    match mebibytes {
        ..1024 => format!("{}MB", mebibytes.next_multiple_of(128)),
        _ => format!("{}GB", mebibytes.div_ceil(1024)),
    }
}

/// How the result goes into the answer.
pub(super) fn merged(plan: &Plan, rows: &Rows, finished: &Finished, again: &str) -> Result<String, Failure> {
    let reduce = &plan.reduce;
    if matches!(reduce, Reduction::With(_) | Reduction::Concat | Reduction::Count) {
        return Ok(match reduce {
            Reduction::Concat => "its result, which concat puts between the others':".to_owned(),
            Reduction::Count => "its result, which count counts as 1:".to_owned(),
            _ => format!("its result, as it is given to {reduce}:"),
        });
    }
    if *reduce == Reduction::Files {
        return Ok("what it printed, beside its files:".to_owned());
    }
    if *reduce == Reduction::Table {
        return match check_results(plan, finished.gathered(), rows) {
            Ok(()) => Ok("its result, as it comes into the table:".to_owned()),
            Err(TableError::Merge(error)) => match *error {
                MergeError::BadResult { source, .. } => Err(bad_result(plan, finished, &source, again)),
                error => Err(Failure::from_error(Exit::BadResult, &error)),
            },
            Err(error) => Err(Failure::from_error(Exit::BadResult, &error)),
        };
    }
    match merge(plan, finished.gathered(), rows, finished.sandbox(), finished.sandbox(), &|_| {}) {
        Ok(Answer::Value(value @ (Value::Number(_) | Value::Boolean(_)))) => {
            Ok(format!("its result, which {reduce} takes as {}:", String::from_utf8_lossy(&value.to_text())))
        }
        Ok(Answer::Value(_)) => Ok(format!("its result, which {reduce} takes:")),
        Ok(Answer::File(_)) => Ok("its result:".to_owned()),
        Err(MergeError::BadResult { source, .. }) => Err(bad_result(plan, finished, &source, again)),
        Err(error) => Err(Failure::from_error(Exit::BadResult, &error)),
    }
}

fn bad_result(plan: &Plan, finished: &Finished, bad: &BadResult, again: &str) -> Failure {
    let failure = Failure::from_error(Exit::BadResult, bad);
    let failure = last_lines(&end_of(finished), LINES).into_iter().fold(failure, Failure::detail);
    failure
        .within(format!("the result is not what {} takes", plan.reduce))
        .help(reduce::cure(plan, bad))
        .help(format!("mend the program, then: {again}"))
}

fn failed(
    layout: &Layout,
    plan: &Plan,
    what: What,
    items: Interval,
    finished: &Finished,
    cause: &Cause,
    again: &str,
) -> Failure {
    let name = match what.is_chunk {
        true if items == what.items => format!("chunk {}", what.chunk),
        true => format!("{} of chunk {}", reduce::items(plan, items), what.chunk),
        false => reduce::items(plan, what.items),
    };
    let end = end_of(finished);
    let failure = Failure::new(Exit::ChunksFailed, format!("{name} failed: {cause}"));
    let failure = last_lines(&end, LINES).into_iter().fold(failure, Failure::detail);
    let trial = Trial { layout, plan, sandbox: finished.sandbox(), cause, last_words: &end };
    cures(&trial).into_iter().fold(failure, Failure::help).help(format!("mend it, then: {again}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_or_close_is_noted_with_its_cure() {
        let note = |megabytes: u64| more_is_needed("memory", "--memory", megabytes << 20, Size::gibibytes(1));
        assert_eq!(note(800), None);
        assert!(note(900).expect("close").ends_with(
            "88 % of the memory that was asked for, and other items may take more: plan again with --memory 2GB"
        ));
        assert!(note(1100).expect("over").contains("more memory than was asked for"));
        assert_eq!(
            [1, 100, 400, 700, 4000].map(|megabytes| ample(megabytes << 20)),
            ["128MB", "256MB", "640MB", "2GB", "6GB"]
        );
    }

    #[test]
    fn the_command_is_given_as_one_types_it() {
        assert_eq!(again(Path::new("."), None), "split try");
        assert_eq!(again(Path::new("a b"), Some("-5")), "split try -5 --dir 'a b'");
    }
}
