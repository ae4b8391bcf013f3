//! One attempt at a chunk's items: run, judge, record.

use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};

use super::environment::{Base, environment, of_run};
use super::program::{self, Failed, Running, Surroundings};
use super::setup::{self, SetupFailed};
use crate::exit::Exit;
use crate::inputs::code_that_arrived;
use crate::plan::{Bindings, Command, Due, Identity, Job, Run, Word};
use crate::record::{self, Cause, Header, Kind};
use crate::space::{Interval, Rows, Space};
use crate::store::{Draft, StoreError};

/// Where an attempt runs.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The folder that the program starts in.
    pub start_in: &'a Path,
    /// The set-up, where there is one.
    pub setup: Option<&'a Path>,
    /// A folder for what attempts keep on the way, each in one of its own.
    pub scratch: &'a Path,
    /// The folder that the partial is put into.
    pub partials: &'a Path,
    /// What the program's environment starts from.
    pub base: Base,
    /// The machine's name.
    pub host: &'a str,
}

/// What is to be run.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// The plan's job.
    pub job: &'a Job,
    /// The chunk's number.
    pub chunk: u64,
    /// The items: the chunk's, or some of them.
    pub items: Interval,
    /// The identity of the files that are there, and of the environment.
    pub code: Identity,
    /// The items' rows, where they are kept beside the plan.
    pub rows: &'a Rows,
    /// How often it has been tried before.
    pub retry: u32,
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// There is a result.
    Done {
        /// How long the program ran, in seconds.
        seconds: f64,
    },
    /// There is none, and the partial says why.
    Failed {
        /// Why.
        cause: Cause,
        /// The last lines on standard error, or what was printed in vain.
        last_words: Vec<u8>,
    },
    /// It was told to stop; nothing was recorded.
    Stopped,
}

/// An attempt could not even be recorded.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file of the attempt's own could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Outcome {
    /// The exit code of the job.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Done { .. } => Exit::Success,
            Self::Stopped => Exit::Interrupted,
            Self::Failed { cause, .. } => match cause {
                Cause::ExitCode(_) => Exit::ProgramFailed,
                Cause::Signal(_) => Exit::ProgramKilled,
                Cause::NoResult => Exit::NoResult,
                Cause::NotStarted(_) => Exit::NotStarted,
                Cause::Setup(_) => Exit::SetupFailed,
                Cause::Machine(_) => Exit::JobMachine,
            },
        }
    }
}

/// A name that no other attempt has: how often it was tried before, and 32 bits by chance.
#[must_use]
pub fn attempt_name(retry: u32) -> String {
    // The standard library's random keys: taken from the operating system once per thread.
    let chance = std::collections::hash_map::RandomState::new().build_hasher().finish();
    format!("{retry}-{:08x}", chance as u32)
}

/// Runs the program over the items and writes the partial.
///
/// # Errors
/// Where not even a record of the failure could be written (a full disk).
pub fn run(attempt: &Attempt<'_>, place: &Place<'_>, running: &Running) -> Result<Outcome, RunError> {
    // Of this attempt alone: what an earlier program left running may still write to its own.
    let own = tempfile::Builder::new().prefix("attempt-").tempdir_in(place.scratch);
    let own = own.map_err(StoreError::on("make a folder in", place.scratch))?;
    let printed = own.path().join("printed");
    let written = own.path().join("result");
    let mut length = 0;
    let (kind, seconds, last_words) = match compute(attempt, place, &printed, &written, running) {
        Computed::Done { seconds, printed } => {
            length = printed;
            (Kind::Whole, seconds, Vec::new())
        }
        Computed::Failed { cause, seconds, last_words } => (Kind::Failure(cause), seconds, last_words),
        Computed::Stopped => return Ok(Outcome::Stopped),
    };
    let mut header = header(attempt, place, kind, seconds);
    // On a shared file system the user may change a file while the program reads it: then nobody knows what ran.
    if header.kind == Kind::Whole
        && attempt.job.shared_filesystem
        && code_that_arrived(attempt.job, place.start_in).0 != attempt.code
    {
        header.kind = Kind::Failure(Cause::Machine("the program or its files changed while it ran".to_owned()));
    }
    // What is written to {result} is the result; else what is printed, unless the program was told of {result}.
    let told = attempt.job.command.as_ref().is_some_and(Command::mentions_result);
    let (result, length) =
        if told || written.symlink_metadata().is_ok() { (&written, u64::MAX) } else { (&printed, length) };
    if header.kind == Kind::Whole {
        match whole(attempt.job.due, result, length) {
            Ok(Payload { bytes, crc, file, empty: false }) => {
                save(attempt, place, &header, &mut file.take(bytes), bytes, &crc)?;
                return Ok(Outcome::Done { seconds });
            }
            Ok(Payload { empty: true, .. }) => header.kind = Kind::Failure(Cause::NoResult),
            Err(error) if error.kind() == io::ErrorKind::NotFound => header.kind = Kind::Failure(Cause::NoResult),
            Err(error) => header.kind = Kind::Failure(Cause::Machine(error.to_string())),
        }
    }
    // Many programs say on standard output what went wrong.
    let last_words = if last_words.is_empty() { end_of(&printed) } else { last_words };
    let mut crc = crc32fast::Hasher::new();
    crc.update(&last_words);
    save(attempt, place, &header, &mut &last_words[..], last_words.len() as u64, &crc)?;
    match header.kind {
        Kind::Failure(cause) => Ok(Outcome::Failed { cause, last_words }),
        _ => Ok(Outcome::Done { seconds }),
    }
}

/// Records a failure without having run the program; `last_words` is what was said.
///
/// # Errors
/// As [`run`].
pub(super) fn give_up(
    attempt: &Attempt<'_>,
    place: &Place<'_>,
    cause: Cause,
    last_words: Vec<u8>,
) -> Result<Outcome, RunError> {
    let header = header(attempt, place, Kind::Failure(cause.clone()), 0.0);
    let mut crc = crc32fast::Hasher::new();
    crc.update(&last_words);
    save(attempt, place, &header, &mut &last_words[..], last_words.len() as u64, &crc)?;
    Ok(Outcome::Failed { cause, last_words })
}

fn header(attempt: &Attempt<'_>, place: &Place<'_>, kind: Kind, seconds: f64) -> Header {
    Header {
        plan: attempt.job.plan,
        code: attempt.code,
        items: attempt.items,
        kind,
        seconds,
        host: place.host.into(),
        attempt: attempt_name(attempt.retry).into(),
    }
}

enum Computed {
    Done { seconds: f64, printed: u64 },
    Failed { cause: Cause, seconds: f64, last_words: Vec<u8> },
    Stopped,
}

/// Leaves the result in a file: results may be larger than memory.
fn compute(attempt: &Attempt<'_>, place: &Place<'_>, printed: &Path, written: &Path, running: &Running) -> Computed {
    let failed = |cause| Computed::Failed { cause, seconds: 0.0, last_words: Vec::new() };
    let machine = |error: io::Error| failed(Cause::Machine(format!("{}: {error}", printed.display())));
    let file = match File::create(printed) {
        Ok(file) => file,
        Err(error) => return machine(error),
    };
    let Some(command) = &attempt.job.command else {
        let started = std::time::Instant::now();
        return match list_items(&attempt.job.space, attempt.rows, attempt.items, file) {
            Ok(()) => Computed::Done { seconds: started.elapsed().as_secs_f64(), printed: u64::MAX },
            Err(error) => machine(error),
        };
    };
    let result = Word::from(written.as_os_str().to_owned());
    let bindings = Bindings::new(Run {
        space: &attempt.job.space,
        rows: attempt.rows,
        cut: &attempt.job.cut,
        seed: attempt.job.yields.seed,
        chunk: attempt.chunk,
        items: attempt.items,
        result: &result,
        items_file: &result,
    });
    let Some(bindings) = bindings else {
        return failed(Cause::Machine("the rows of these items did not arrive".to_owned()));
    };
    let words = command.fill(&bindings);
    let temporary = place.scratch.join("tmp");
    if place.base == Base::Job
        && let Err(error) = fs::create_dir_all(&temporary)
    {
        return failed(Cause::Machine(format!("{}: {error}", temporary.display())));
    }
    let variables = environment(place.base, attempt.job, place.start_in, &temporary);
    let surroundings = match place.setup {
        None => Surroundings::OnTop([variables, of_run(&bindings)].concat()),
        Some(setup) => {
            let own = printed.parent().unwrap_or(place.scratch);
            let setting = setup::Setting { folder: place.start_in, own, base: place.base };
            let given = attempt.job.environment.keys().map(String::as_str);
            match setup::run(setup, setting, variables, given, running) {
                Ok(variables) => Surroundings::Whole([variables, of_run(&bindings)].concat()),
                Err(SetupFailed::Stopped) => return Computed::Stopped,
                Err(SetupFailed::Machine(error)) => {
                    return failed(Cause::Machine(format!("{}: {error}", setup.display())));
                }
                Err(SetupFailed::Failed { why, last_words }) => {
                    return Computed::Failed { cause: Cause::Setup(why), seconds: 0.0, last_words };
                }
            }
        }
    };
    match program::run(&words, place.start_in, surroundings, file, running) {
        Ok(_) if running.stopped() => Computed::Stopped,
        Ok(ended) => match (ended.status.code(), ended.status.signal()) {
            (Some(0), _) => Computed::Done { seconds: ended.seconds, printed: ended.printed },
            (code, signal) => {
                let cause = signal.map_or_else(|| Cause::ExitCode(code.unwrap_or(-1)), Cause::Signal);
                Computed::Failed { cause, seconds: ended.seconds, last_words: ended.last_words }
            }
        },
        Err(Failed::Stopped) => Computed::Stopped,
        Err(Failed::NotStarted(error)) => {
            let why = interpreter(&place.start_in.join(words[0].as_os_str())).unwrap_or_else(|| error.to_string());
            failed(Cause::NotStarted(format!("{}: {why}", words[0].quoted())))
        }
        Err(Failed::Machine(error)) => failed(Cause::Machine(format!("{}: {error}", words[0].quoted()))),
    }
}

/// What is wrong with the interpreter of a script that is there and cannot be started: the kernel's own answer
/// is that there is no such file, and people look for the script.
fn interpreter(script: &Path) -> Option<String> {
    let mut start = Vec::new();
    File::open(script).ok()?.take(256).read_to_end(&mut start).ok()?;
    let line = start.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
    let text = String::from_utf8_lossy(line);
    let interpreter = text.trim_ascii_start().split([' ', '\t']).next()?;
    if let Some(name) = interpreter.strip_suffix('\r') {
        return Some(format!("its first line asks for {name} and ends as on Windows (CR LF): dos2unix mends it"));
    }
    (!Path::new(interpreter).exists()).then(|| format!("its first line asks for {interpreter}, which is not there"))
}

/// Without a command the items themselves are the results, one a line.
fn list_items(space: &Space, rows: &Rows, items: Interval, file: File) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, file);
    for item in items.start()..items.stop() {
        match space {
            Space::Range(range) => writeln!(out, "{}", range.value(item))?,
            Space::Parameters(_) => {
                let row = space.row(item, rows).ok_or(io::ErrorKind::NotFound)?;
                out.write_all(&row.join(&b'\t'))?;
                out.write_all(b"\n")?;
            }
        }
    }
    out.flush()
}

struct Payload {
    file: File,
    bytes: u64,
    crc: crc32fast::Hasher,
    /// Whether a number is due and there is nothing but white space.
    empty: bool,
}

/// The first `length` bytes of a file, looked through.
fn whole(due: Due, result: &Path, length: u64) -> io::Result<Payload> {
    let mut file = File::open(result)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "what the program left as its result is no file"));
    }
    let mut crc = crc32fast::Hasher::new();
    let mut bytes = 0;
    let mut blank = true;
    let mut buffer = vec![0; 1 << 16];
    let mut rest = (&mut file).take(length);
    loop {
        let got = rest.read(&mut buffer)?;
        if got == 0 {
            break;
        }
        crc.update(&buffer[..got]);
        blank = blank && buffer[..got].iter().all(u8::is_ascii_whitespace);
        bytes += got as u64;
    }
    file.rewind()?;
    Ok(Payload { file, bytes, crc, empty: blank && due == Due::Numbers })
}

fn save(
    attempt: &Attempt<'_>,
    place: &Place<'_>,
    header: &Header,
    payload: &mut impl Read,
    bytes: u64,
    crc: &crc32fast::Hasher,
) -> Result<PathBuf, StoreError> {
    let path = place.partials.join(record::partial_name(attempt.chunk, &header.attempt));
    let mut draft = Draft::new(&path, 0o666)?;
    record::write(&mut draft, header, payload, bytes, crc).map_err(StoreError::on("write", &path))?;
    if attempt.job.shared_filesystem {
        // A network file system tells only now that the disk was full.
        draft.commit()?;
    } else {
        draft.commit_unsynced()?;
    }
    Ok(path)
}

/// The last of a file, as much as is kept of standard error.
fn end_of(path: &Path) -> Vec<u8> {
    let read = || {
        let mut file = File::open(path)?;
        let bytes = file.metadata()?.len();
        file.seek(io::SeekFrom::Start(bytes.saturating_sub(program::LAST_WORDS as u64)))?;
        let mut end = Vec::new();
        file.take(program::LAST_WORDS as u64).read_to_end(&mut end)?;
        io::Result::Ok(end)
    };
    // What cannot be read is not shown.
    read().unwrap_or_default()
}
