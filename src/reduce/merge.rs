//! A plan's merge, carried out over the results that count.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rayon::prelude::*;

use super::{BadResult, Count, Max, Min, Number, Product, Reducer, Sum};
use crate::plan::{DEFAULT_PATH, Due, MergeCommand, Operand, Plan, Reduction, Word};
use crate::record::{Found, Gathered};
use crate::space::Interval;

/// Results that one task merges before it hands its state on.
const BLOCK: usize = 1 << 10;

/// A line of a result may be this long: integers may have any size, but memory has not.
const LONGEST_LINE: usize = 1 << 26;

/// What came out.
#[derive(Debug)]
pub enum Answer {
    /// A number.
    Number(Number),
    /// The content of a file.
    File(File),
}

/// Why there is no answer. Which items it is about is told apart from the message: the space knows their names.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// A result is not what the reducer takes.
    #[error("the result in {} is not what the reducer takes", partial.display())]
    BadResult {
        /// Whose result.
        items: Interval,
        /// The partial it is in.
        partial: PathBuf,
        /// What is wrong with it.
        #[source]
        source: BadResult,
    },
    /// There are results, but no number in them.
    #[error("the results hold no number")]
    NoNumber,
    /// A partial could not be read again, or the answer not be written.
    #[error("{doing}")]
    File {
        /// What was being done, with the path.
        doing: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The user's merge command failed.
    #[error("the merge command failed: {how}")]
    Command {
        /// The items whose results it was given.
        items: Interval,
        /// Its exit code or signal, or why it could not be started.
        how: String,
        /// The end of what it wrote on standard error.
        last_words: String,
    },
}

/// Merges the results that count, in item order. Files on the way are made in `folder`; the user's merge command
/// runs in `base`, with the plan's environment. `tick` is called now and then with the number of results merged since.
///
/// # Errors
/// Where a result is not what the reducer takes, a file cannot be read or written, or the user's command fails;
/// of several such, the one that comes first in item order.
pub fn merge(
    plan: &Plan,
    gathered: &Gathered,
    folder: &Path,
    base: &Path,
    tick: &(dyn Fn(u64) + Sync),
) -> Result<Answer, MergeError> {
    let due = plan.reduce.due();
    match &plan.reduce {
        Reduction::Sum => numbers(&Sum, due, gathered, tick),
        Reduction::Product => numbers(&Product, due, gathered, tick),
        Reduction::Min => numbers(&Min, due, gathered, tick),
        Reduction::Max => numbers(&Max, due, gathered, tick),
        Reduction::Count => numbers(&Count, due, gathered, tick),
        Reduction::Concat => concatenate(gathered, folder, tick).map(Answer::File),
        Reduction::With(command) => with_command(command, plan, gathered, folder, base, tick).map(Answer::File),
    }
}

fn numbers<R: Reducer>(
    reducer: &R,
    due: Due,
    gathered: &Gathered,
    tick: &(dyn Fn(u64) + Sync),
) -> Result<Answer, MergeError> {
    let chosen: Vec<&Found> = gathered.chosen().collect();
    let states: Vec<Result<R::State, MergeError>> = chosen
        .par_chunks(BLOCK)
        .map(|block| {
            let mut state = reducer.identity();
            for found in block {
                absorb(reducer, due, &mut state, gathered, found)?;
            }
            tick(block.len() as u64);
            Ok(state)
        })
        .collect();
    // An error before merging, so that it is the first in item order.
    let states: Vec<R::State> = states.into_iter().collect::<Result<_, _>>()?;
    let merged = states.into_par_iter().reduce(
        || reducer.identity(),
        |mut left, right| {
            reducer.merge(&mut left, right);
            left
        },
    );
    reducer.finish(merged).map(Answer::Number).ok_or(MergeError::NoNumber)
}

/// Takes in a payload of any size in bounded memory, cut at the ends of lines.
fn absorb<R: Reducer>(
    reducer: &R,
    due: Due,
    state: &mut R::State,
    gathered: &Gathered,
    found: &Found,
) -> Result<(), MergeError> {
    enum Stop {
        Io(io::Error),
        Bad(BadResult),
    }
    impl From<io::Error> for Stop {
        fn from(error: io::Error) -> Self {
            Self::Io(error)
        }
    }
    let path = gathered.path(found);
    let mut pending = Vec::new();
    let mut lines = 0;
    let mut blank = true;
    let absorbed = found
        .record
        .payload
        .pieces(&path, &mut |piece| {
            blank = blank && piece.iter().all(u8::is_ascii_whitespace);
            let Some(end) = piece.iter().rposition(|&byte| byte == b'\n') else {
                pending.extend_from_slice(piece);
                if pending.len() > LONGEST_LINE {
                    return Err(Stop::Bad(BadResult::not_a_number(lines + 1, &pending)));
                }
                return Ok(());
            };
            pending.extend_from_slice(&piece[..=end]);
            reducer.absorb(state, &pending).map_err(|error| Stop::Bad(error.after_lines(lines)))?;
            lines += pending.iter().filter(|&&byte| byte == b'\n').count();
            pending.clear();
            pending.extend_from_slice(&piece[end + 1..]);
            Ok(())
        })
        .and_then(|()| reducer.absorb(state, &pending).map_err(|error| Stop::Bad(error.after_lines(lines))));
    // The plan may have had another reducer when the job ran, which took this.
    let absorbed = match absorbed {
        Ok(()) if blank && due == Due::Numbers => Err(Stop::Bad(BadResult::Nothing)),
        other => other,
    };
    absorbed.map_err(|stop| match stop {
        Stop::Io(source) => MergeError::File { doing: format!("cannot read {}", path.display()), source },
        Stop::Bad(source) => MergeError::BadResult { items: found.record.header.items, partial: path.clone(), source },
    })
}

/// A file without a name in `folder`: gone when it is closed, however this process ends.
fn unnamed(folder: &Path) -> Result<File, MergeError> {
    tempfile::tempfile_in(folder)
        .map_err(|source| MergeError::File { doing: format!("cannot write in {}", folder.display()), source })
}

fn concatenate(gathered: &Gathered, folder: &Path, tick: &(dyn Fn(u64) + Sync)) -> Result<File, MergeError> {
    let mut out = BufWriter::with_capacity(1 << 18, unnamed(folder)?);
    for found in gathered.chosen() {
        copy(gathered, found, &mut out)?;
        tick(1);
    }
    out.into_inner().map_err(|error| MergeError::File {
        doing: format!("cannot write in {}", folder.display()),
        source: error.into_error(),
    })
}

fn copy(gathered: &Gathered, found: &Found, out: &mut impl Write) -> Result<(), MergeError> {
    let path = gathered.path(found);
    let copied = found.record.payload.pieces::<io::Error>(&path, &mut |piece| out.write_all(piece));
    copied.map_err(|source| MergeError::File { doing: format!("cannot copy from {}", path.display()), source })
}

/// A payload file and the items it stands for.
struct Part {
    path: PathBuf,
    items: Interval,
}

fn with_command(
    command: &MergeCommand,
    plan: &Plan,
    gathered: &Gathered,
    folder: &Path,
    base: &Path,
    tick: &(dyn Fn(u64) + Sync),
) -> Result<File, MergeError> {
    let within = |path: &Path| {
        let doing = format!("cannot write {}", path.display());
        move |source| MergeError::File { doing, source }
    };
    // The command runs elsewhere, so it is given absolute paths.
    let folder = folder.canonicalize().map_err(within(folder))?;
    let own = tempfile::Builder::new().prefix(".merging-").tempdir_in(&folder).map_err(within(&folder))?;
    let chosen: Vec<&Found> = gathered.chosen().collect();
    let parts: Vec<Result<Part, MergeError>> = chosen
        .par_iter()
        .enumerate()
        .map(|(place, found)| {
            let path = own.path().join(format!("part-{place:06}"));
            let mut out = BufWriter::new(File::create(&path).map_err(within(&path))?);
            copy(gathered, found, &mut out)?;
            out.flush().map_err(within(&path))?;
            Ok(Part { path, items: found.record.header.items })
        })
        .collect();
    let mut parts: Vec<Part> = parts.into_iter().collect::<Result<_, _>>()?;

    if command.takes_parts() {
        let list = own.path().join("parts");
        let mut text = Vec::new();
        for part in &parts {
            text.extend_from_slice(part.path.as_os_str().as_encoded_bytes());
            text.push(b'\n');
        }
        fs::write(&list, text).map_err(within(&list))?;
        let whole = parts.first().zip(parts.last());
        let items = whole.and_then(|(first, last)| Interval::new(first.items.start(), last.items.stop()));
        let Some(items) = items else { return unnamed(&folder) };
        let out = own.path().join("merged");
        call(command, plan, &|_| list.as_os_str().as_encoded_bytes(), items, base, &out)?;
        return File::open(&out).map_err(within(&out));
    }
    // Neighbours are merged in rounds: the tree's shape depends on the number of results alone.
    let mut round = 0;
    while parts.len() > 1 {
        round += 1;
        let merged: Vec<Result<Part, MergeError>> = parts
            .par_chunks(2)
            .enumerate()
            .map(|(place, pair)| {
                let [left, right] = pair else {
                    return Ok(Part { path: pair[0].path.clone(), items: pair[0].items });
                };
                let path = own.path().join(format!("round-{round}-{place:06}"));
                let items = Interval::new(left.items.start(), right.items.stop()).expect("in item order");
                let operand = |operand| match operand {
                    Operand::Left | Operand::Parts => left.path.as_os_str().as_encoded_bytes(),
                    Operand::Right => right.path.as_os_str().as_encoded_bytes(),
                };
                call(command, plan, &operand, items, base, &path)?;
                for used in pair {
                    fs::remove_file(&used.path).map_err(within(&used.path))?;
                }
                tick(1);
                Ok(Part { path, items })
            })
            .collect();
        parts = merged.into_iter().collect::<Result<_, _>>()?;
    }
    match parts.first() {
        Some(part) => File::open(&part.path).map_err(within(&part.path)),
        None => unnamed(&folder),
    }
}

/// Runs the merge command once, its standard output going into `out`.
fn call<'a>(
    command: &MergeCommand,
    plan: &Plan,
    operand: &dyn Fn(Operand) -> &'a [u8],
    items: Interval,
    base: &Path,
    out: &Path,
) -> Result<(), MergeError> {
    let failed = |how: String, last_words: String| MergeError::Command { items, how, last_words };
    let words = command.fill(operand);
    let file = File::create(out)
        .map_err(|source| MergeError::File { doing: format!("cannot write {}", out.display()), source })?;
    let mut process = Command::new(words[0].as_os_str());
    if std::env::var_os("PATH").is_none_or(|path| path.is_empty()) {
        // As in a DAG's reduce node.
        process.env("PATH", DEFAULT_PATH);
    }
    let started = process
        .envs(plan.environment.iter().map(|(name, value)| (name, value.as_os_str())))
        .args(words[1..].iter().map(Word::as_os_str))
        .current_dir(base)
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(Stdio::piped())
        .spawn();
    let mut child = started.map_err(|error| failed(format!("{}: {error}", words[0].quoted()), String::new()))?;
    let mut last_words = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        let mut stderr = stderr;
        let mut buffer = [0; 1 << 12];
        while let Ok(got @ 1..) = stderr.read(&mut buffer) {
            last_words.extend_from_slice(&buffer[..got]);
            last_words.drain(..last_words.len().saturating_sub(1 << 12));
        }
    }
    let status = child.wait().map_err(|error| failed(error.to_string(), String::new()))?;
    if status.success() {
        return Ok(());
    }
    Err(failed(status.to_string(), String::from_utf8_lossy(&last_words).into_owned()))
}
