//! The runs of the program in one attempt: what they share (the set-up's environment, files that are used again), and one
//! run over some items, judged.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::io::Errno;
use signal_hook::consts::{SIGKILL, SIGTERM};

use super::checkpoint::{Ending, Keeper, Left, Saved, UNMATCHED};
use super::chunk::{Attempt, Place};
use super::collect::Collector;
use super::due::judge;
use super::environment::{Base, environment, of_run};
use super::listing::{Listing, ListingError};
use super::program::{self, Failed, LAST_WORDS, Limit, Process, Running, Surroundings};
use super::records::Output;
use super::setup::{self, SetupFailed};
use super::shortage::{self, Kills};
use crate::checkpoint::PYTHON;
use crate::plan::{Bindings, Command, Due, Run, SAVED, SEGMENT_NAMES, Slot, Word, variables};
use crate::record::Cause;
use crate::space::{Interval, Space};
use crate::store::{self, StoreError};

/// How much is kept of what the run of one item writes on standard error: there may be many.
const LAST_WORDS_OF_ITEM: usize = 1 << 13;

/// The folder with the checkpoint library for Python.
const LIBRARY: &str = "python";

/// A shell's exit codes where it could not start the program.
const SHELL_STARTED_NOTHING: [i32; 2] = [126, 127];

/// What all runs of the program in an attempt share.
#[derive(Debug)]
pub(super) struct Session<'a> {
    attempt: &'a Attempt<'a>,
    command: &'a Command,
    folder: &'a Path,
    /// Whether the program runs once for each item.
    per_item: bool,
    /// The environment but for what differs from run to run.
    variables: Variables,
    /// The variables that differ from run to run.
    names: Vec<(Slot, OsString)>,
    own: OwnFiles,
    place: &'a Place<'a>,
    started: Instant,
    /// Those in the program's group of processes for want of memory.
    kills: RefCell<Kills>,
    /// The segment of a chain that is being computed.
    segment: RefCell<Option<SegmentOf>>,
}

/// What a program is told of the segment that it computes.
#[derive(Clone, Debug)]
pub(super) struct SegmentOf {
    /// Its number, from 1.
    pub(super) number: u32,
    /// How many there are at the most.
    pub(super) segments: u32,
    /// The file by which it says that its trajectory has ended.
    pub(super) finished: Word,
}

#[derive(Debug)]
enum Variables {
    OnTop(Vec<(OsString, OsString)>),
    Whole(Vec<(OsString, OsString)>),
}

/// Files of the attempt's own.
#[derive(Debug)]
struct OwnFiles {
    printed: PathBuf,
    said: PathBuf,
    result: Word,
    items: Word,
    stdin: PathBuf,
}

/// What came of the start, or of one run.
#[derive(Debug)]
pub(super) enum Called<T> {
    Done(T),
    Failed(CallFailed),
    Stopped,
    /// The program has saved its state and is not done: nobody told it to stop, but what it saved is to be carried.
    Saved,
}

/// There is no result.
#[derive(Clone, Debug)]
pub(super) struct CallFailed {
    pub(super) cause: Cause,
    pub(super) seconds: f64,
    pub(super) last_words: Vec<u8>,
    /// Whether the next item would fare the same: the machine would not.
    pub(super) is_final: bool,
}

impl CallFailed {
    /// A failure of these items alone, before the program ran.
    pub(super) fn of_items(cause: Cause) -> Self {
        Self { cause, seconds: 0.0, last_words: Vec::new(), is_final: false }
    }

    /// What is recorded of items that are not tried any more after this.
    pub(super) fn rest(&self) -> Self {
        let why = match self.is_final {
            true => "not run: the machine would not\n",
            false if matches!(self.cause, Cause::OverBudget(_)) => "",
            false => "not run: the items before them all failed\n",
        };
        Self { last_words: why.into(), ..Self::of_items(self.cause.clone()) }
    }

    /// Whether it may be due to one item alone, so that the others would do without it.
    pub(super) fn is_of_some_items(&self) -> bool {
        !self.is_final
            && match self.cause {
                Cause::ExitCode(code) => !SHELL_STARTED_NOTHING.contains(&code) && code != SAVED,
                Cause::Signal(_) | Cause::Missing(_) | Cause::TimedOut(_) | Cause::OutOfMemory(_) => true,
                Cause::NoResult | Cause::BadResult { .. } => true,
                Cause::NotStarted(_) | Cause::Setup(_) | Cause::OverBudget(_) => false,
                Cause::OutOfDisk(_) | Cause::Machine(_) => false,
            }
    }

    fn machine(what: &str, error: &dyn std::fmt::Display) -> Self {
        Self { is_final: true, ..Self::of_items(Cause::Machine(format!("{what}: {error}"))) }
    }

    fn on(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| {
            let cause = shortage::cause_of(&error, &path.display().to_string());
            Self { is_final: true, ..Self::of_items(cause) }
        }
    }
}

impl From<ListingError> for CallFailed {
    fn from(error: ListingError) -> Self {
        Self::of_items(Cause::Machine(error.to_string()))
    }
}

impl<'a> Session<'a> {
    /// Runs the set-up, where there is one. `own` is a folder of the attempt's own.
    pub(super) fn start(
        attempt: &'a Attempt<'a>,
        place: &'a Place<'a>,
        command: &'a Command,
        own: &Path,
        running: &Running,
    ) -> Called<Self> {
        let job = attempt.job;
        let temporary = place.scratch.join("tmp");
        if place.base == Base::Job
            && let Err(error) = fs::create_dir_all(&temporary)
        {
            return Called::Failed(CallFailed::on(&temporary)(error));
        }
        let library = place.scratch.join(LIBRARY);
        let written = store::make_folder(&library)
            .and_then(|()| store::write_anew(&library.join("split_checkpoint.py"), PYTHON.as_bytes()));
        if let Err(StoreError { source, path, .. }) = written {
            return Called::Failed(CallFailed::on(&path)(source));
        }
        let variables = environment(place.base, job, place.start_in, &temporary);
        let variables = match place.setup {
            None => Variables::OnTop(variables),
            Some(setup) => {
                let setting = setup::Setting { folder: place.start_in, own, base: place.base };
                let given = job.environment.keys().map(String::as_str);
                match setup::run(setup, setting, variables, given, running) {
                    Ok(variables) => Variables::Whole(variables),
                    Err(SetupFailed::Stopped) => return Called::Stopped,
                    Err(SetupFailed::Machine(error)) => return Called::Failed(CallFailed::on(setup)(error)),
                    Err(SetupFailed::Failed { why, last_words }) => {
                        return Called::Failed(CallFailed {
                            last_words,
                            is_final: true,
                            ..CallFailed::of_items(Cause::Setup(why))
                        });
                    }
                }
            }
        };
        let has_items_file = command.names_items_file();
        let names = self::variables(&job.space).into_iter();
        let names = names.filter(|(slot, _)| has_items_file || *slot != Slot::Known(crate::plan::Placeholder::Items));
        let of_segment = SEGMENT_NAMES.into_iter().filter(|_| job.chain.is_some());
        let of_segment = of_segment.map(Slot::of).map(|slot| (slot.clone(), slot.variable()));
        let word = |name: &str| Word::from(own.join(name).into_os_string());
        Called::Done(Self {
            attempt,
            command,
            folder: place.start_in,
            per_item: job.chain.is_some() || command.runs_per_item(&job.space, job.yields.stdin_items),
            variables,
            names: names.chain(of_segment).map(|(slot, name)| (slot, name.into())).collect(),
            own: OwnFiles {
                printed: own.join("printed"),
                said: own.join("said"),
                result: word("result"),
                items: word("items.csv"),
                stdin: own.join("items.json"),
            },
            place,
            started: Instant::now(),
            kills: RefCell::new(Kills::read()),
            segment: RefCell::new(None),
        })
    }

    /// Whether the program runs once for each item.
    pub(super) fn runs_per_item(&self) -> bool {
        self.per_item
    }

    /// What the placeholders stand for in a run over `items`.
    pub(super) fn bindings(&self, items: Interval) -> Result<Bindings, CallFailed> {
        let Attempt { job, chunk, rows, .. } = *self.attempt;
        let run = Run {
            space: &job.space,
            rows,
            cut: &job.cut,
            seed: job.yields.seed,
            chunk,
            items,
            result: &self.own.result,
            items_file: &self.own.items,
        };
        let mut bindings = Bindings::new(run).ok_or(ListingError::NoRows)?;
        if let Some(segment) = &*self.segment.borrow() {
            let number = |number: u32| Word::from(number.to_string().as_str());
            let values = [number(segment.number), number(segment.segments), segment.finished.clone()];
            for (name, value) in SEGMENT_NAMES.into_iter().zip(values) {
                bindings.add(name, value);
            }
        }
        Ok(bindings)
    }

    /// The runs from here on are of this segment.
    pub(super) fn enter(&self, segment: SegmentOf) {
        *self.segment.borrow_mut() = Some(segment);
    }

    /// What a result must hold.
    fn due(&self) -> Due {
        // Of a chain, only the result of the last segment has to be one.
        if self.segment.borrow().is_some() { Due::Anything } else { self.attempt.job.due }
    }

    /// The files that the items of a run have to leave.
    pub(super) fn expected(&self, items: Interval, run: &Bindings) -> Result<Vec<Word>, CallFailed> {
        let expect = &self.attempt.job.yields.expect;
        let mut names = Vec::new();
        if expect.is_empty() {
            return Ok(names);
        }
        for item in items.start()..items.stop() {
            if items.count() > 1 && !self.keeps(item)? {
                continue;
            }
            let bindings = self.bindings(Interval::new(item, item + 1).expect("one item"))?;
            for template in expect {
                let name = template.fill(run, &bindings).map_err(|error| {
                    let shown = template.word().quoted();
                    CallFailed::of_items(Cause::Missing(format!(
                        "{shown}, whose name for this item cannot be: {error}"
                    )))
                })?;
                if !names.contains(&name) || items.count() > 1 {
                    names.push(name);
                }
            }
        }
        Ok(names)
    }

    /// Whether an item counts.
    pub(super) fn keeps(&self, item: u128) -> Result<bool, CallFailed> {
        let Attempt { job, rows, .. } = *self.attempt;
        job.space.keeps(item, rows).map_err(|error| ListingError::from(error).into())
    }

    /// Runs the program once, over `items`. What an earlier run left in the attempt's own files goes first.
    ///
    /// A run that goes on until its limit is ended. `files` are those that come back, and the names that are due.
    pub(super) fn call(
        &self,
        items: Interval,
        bindings: &Bindings,
        limit: Option<Limit>,
        running: &Running,
        files: Option<(&Collector<'_>, &[Word])>,
    ) -> Called<Output> {
        match self.run(items, bindings, limit, running, files) {
            Ok(Ran::Done(output)) => Called::Done(output),
            Ok(Ran::Stopped) => Called::Stopped,
            Ok(Ran::Saved { .. }) => Called::Saved,
            Err(failed) => Called::Failed(failed),
        }
    }

    /// As often as it takes: a state that is saved is carried, or gone on from at once where it lasts.
    fn run(
        &self,
        items: Interval,
        bindings: &Bindings,
        limit: Option<Limit>,
        running: &Running,
        files: Option<(&Collector<'_>, &[Word])>,
    ) -> Result<Ran, CallFailed> {
        let within = |error: StoreError| CallFailed::machine("the program's checkpoint", &error);
        let keeper = Keeper::open(self.attempt, self.place, items, self.started).map_err(within)?;
        let Some(mut keeper) = keeper else {
            return self.run_once(items, bindings, limit, running, None);
        };
        loop {
            keeper.before().map_err(within)?;
            let mut failed = match self.run_once(items, bindings, limit.clone(), running, Some(&mut keeper)) {
                Ok(Ran::Saved { ending, printed, last_words }) => {
                    let files = files.map_or(Ok(Vec::new()), |(collector, expected)| collector.so_far(expected));
                    let files = files.map_err(CallFailed::on(self.folder))?;
                    let path = keeper.printed().unwrap_or_else(|| self.own.printed.clone());
                    let result = Path::new(self.own.result.as_os_str());
                    let left = Left { printed: &path, bytes: printed, result, files: &files };
                    let saved = keeper.saved(ending, left).map_err(within)?;
                    if running.stopped() {
                        if saved == Saved::Unmatched {
                            keeper.give_up().map_err(within)?;
                        }
                        return Ok(Ran::Stopped);
                    }
                    let what = match saved {
                        Saved::There if keeper.is_carried() && !ending.was_unheard => {
                            return Ok(Ran::Saved { ending, printed, last_words });
                        }
                        Saved::There => continue,
                        Saved::Nothing => format!("exit code {SAVED} says that its state is saved, and nothing was"),
                        Saved::Stalled => format!(
                            "exit code {SAVED} says that its state is saved, and it is the same again, although nobody told it to save"
                        ),
                        Saved::Unmatched if ending.was_unheard => {
                            "it was told to save and did not do so in time".to_owned()
                        }
                        Saved::Unmatched => UNMATCHED.to_owned(),
                    };
                    let cause = match ending.whole {
                        true => Cause::ExitCode(SAVED),
                        false => Cause::Signal(SIGTERM),
                    };
                    let last_words = [last_words, format!("split: {what}\n").into_bytes()].concat();
                    CallFailed { last_words, ..CallFailed::of_items(cause) }
                }
                Ok(ended) => return Ok(ended),
                Err(failed) => failed,
            };
            let more = keeper.failed().map_err(within)?;
            failed.last_words.extend(more.into_bytes());
            return Err(failed);
        }
    }

    /// Where a run of the program finds Python's modules: the checkpoint library among them, behind the user's own.
    fn python_path(&self) -> Word {
        let (variables, own) = match &self.variables {
            Variables::OnTop(variables) => (variables, std::env::var_os("PYTHONPATH")),
            Variables::Whole(variables) => (variables, None),
        };
        let set = variables.iter().rev().find(|(name, _)| name == "PYTHONPATH").map(|(_, value)| value.clone());
        let mut path = set.or(own).filter(|path| !path.is_empty()).unwrap_or_default();
        if !path.is_empty() {
            path.push(":");
        }
        path.push(self.place.scratch.join(LIBRARY));
        Word::from(path)
    }

    fn run_once(
        &self,
        items: Interval,
        bindings: &Bindings,
        limit: Option<Limit>,
        running: &Running,
        mut keeper: Option<&mut Keeper<'_>>,
    ) -> Result<Ran, CallFailed> {
        let result = Path::new(self.own.result.as_os_str());
        clear(result).map_err(CallFailed::on(result))?;
        let of_keeper = keeper.as_ref().and_then(|keeper| keeper.printed());
        let path = of_keeper.as_deref().unwrap_or(&self.own.printed);
        let mut printed = fresh(path)?;
        if let Some(keeper) = &mut keeper {
            let laid_out = keeper.lay_out(&mut printed, result, self.folder);
            laid_out.map_err(|error| CallFailed::machine("the program's checkpoint", &error))?;
        }
        let keeper = keeper.as_deref();
        let stdin = self.list(items)?;
        let words = self.command.fill(bindings);
        // What others were killed for before is not this run's.
        self.kills.borrow_mut().more();
        let mut of_run = of_run(&self.names, bindings);
        let mut kept = vec![("PYTHONPATH".into(), self.python_path())];
        kept.extend(keeper.map(|keeper| keeper.variables(path)).unwrap_or_default());
        of_run.extend(kept.iter().map(|(name, value)| (name, value)));
        let surroundings = match &self.variables {
            Variables::OnTop(variables) => Surroundings::OnTop(variables),
            Variables::Whole(variables) => Surroundings::Whole(variables),
        };
        // A thread that listens costs more than a file, and many short runs say little.
        let said = if self.per_item { Some(fresh(&self.own.said)?) } else { None };
        let process = Process::new(&words, self.folder, surroundings, printed);
        let until = limit.as_ref().map(|limit| limit.at);
        let nudge = keeper.map(Keeper::nudge);
        let process = Process { of_run: &of_run, stdin, stderr: said, until, nudge, ..process };
        let ended = program::run(process, running).map(|ended| {
            // It was told, and the time that its job has left to end was over.
            let was_unheard = ended.was_unheard || (keeper.is_some() && running.was_killed());
            program::Ended { was_unheard, ..ended }
        });
        let ended = match ended {
            Ok(ended) if keeper.is_some_and(|keeper| has_saved(keeper, &ended, running)) => {
                let whole = ended.status.code() == Some(SAVED);
                let was_told = ended.was_nudged || running.stopped();
                let ending = Ending { whole, was_told, was_unheard: ended.was_unheard && !whole };
                let said = if self.per_item { end_of(&self.own.said, LAST_WORDS_OF_ITEM) } else { ended.last_words };
                return Ok(Ran::Saved { ending, printed: ended.printed, last_words: said });
            }
            Ok(_) | Err(Failed::Stopped) if running.stopped() => return Ok(Ran::Stopped),
            Ok(ended) => ended,
            Err(Failed::Stopped) => return Ok(Ran::Stopped),
            Err(Failed::NotStarted(error)) => {
                return Err(CallFailed::of_items(Cause::NotStarted(self.not_started(&words, &of_run, &error))));
            }
            Err(Failed::Machine(error)) => return Err(CallFailed::machine(&words[0].quoted(), &error)),
        };
        let seconds = ended.seconds;
        let killed = ended.status.signal() == Some(SIGKILL) || ended.status.code() == Some(128 + SIGKILL);
        let failed = |cause| {
            let kept = if self.per_item { LAST_WORDS_OF_ITEM } else { LAST_WORDS };
            let mut last_words = ended.last_words.clone();
            if self.per_item {
                last_words = end_of(&self.own.said, kept);
            }
            if last_words.is_empty() {
                // Many programs say on standard output what went wrong.
                last_words = end_of(path, kept);
            }
            CallFailed { cause, seconds, last_words, is_final: false }
        };
        if let Some(Limit { cause, .. }) = limit.filter(|_| ended.was_ended) {
            return Err(failed(cause));
        }
        match (ended.status.code(), ended.status.signal()) {
            (Some(0), _) => {}
            (_, Some(signal)) => return Err(failed(self.shortage(killed).unwrap_or(Cause::Signal(signal)))),
            (code, None) => {
                let cause = Cause::ExitCode(code.unwrap_or(-1));
                return Err(failed(self.shortage(killed).unwrap_or(cause)));
            }
        }
        // What is written to {result} is the result; else what is printed, unless the program was told of {result}.
        let (path, length) = match self.command.mentions_result() || result.symlink_metadata().is_ok() {
            true => (result, u64::MAX),
            false => (path, ended.printed),
        };
        match output(self.due(), path, length, seconds) {
            Ok(Ok(output)) => Ok(Ran::Done(output)),
            Ok(Err(cause)) => Err(failed(self.shortage(false).unwrap_or(cause))),
            Err(error) => Err(failed(shortage::cause_of(&error, ""))),
        }
    }

    /// Whether a run that has just failed lacked memory or disk. In a group of processes that is not the job's own another may
    /// have been killed meanwhile: then only a program that was killed itself has lacked memory.
    fn shortage(&self, killed: bool) -> Option<Cause> {
        let more = self.kills.borrow_mut().more().filter(|_| killed || self.place.base == Base::Job);
        more.or_else(|| shortage::full_disk(&[self.folder, self.place.scratch]))
    }

    /// Writes the files that tell the program its items; gives the one that is its standard input.
    fn list(&self, items: Interval) -> Result<Option<File>, CallFailed> {
        let Attempt { job, rows, .. } = *self.attempt;
        let listing = Listing { space: &job.space, rows, seed: job.yields.seed };
        let within = |path: &Path, error| match error {
            ListingError::Io(error) => CallFailed::on(path)(error),
            error => error.into(),
        };
        if self.command.names_items_file() {
            let path = Path::new(self.own.items.as_os_str());
            listing.write_csv(items, BufWriter::new(fresh(path)?)).map_err(|error| within(path, error))?;
        }
        if !job.yields.stdin_items {
            return Ok(None);
        }
        let path = &self.own.stdin;
        let mut file = fresh(path)?;
        listing.write_json(items, &mut BufWriter::new(&file)).map_err(|error| within(path, error))?;
        file.rewind().map_err(CallFailed::on(path))?;
        Ok(Some(file))
    }

    /// Why the program cannot be started, for people.
    fn not_started(&self, words: &[Word], of_run: &[(&OsString, &Word)], error: &io::Error) -> String {
        let program = words[0].quoted();
        if error.raw_os_error() == Some(Errno::TOOBIG.raw_os_error()) {
            let lengths = || words.iter().map(|word| word.as_bytes().len() + 1);
            let variables: usize = of_run.iter().map(|(name, value)| name.len() + value.as_bytes().len() + 2).sum();
            return format!(
                "{program}: the arguments and variables are larger than this machine passes: arguments of {} bytes, \
                 the longest of {}; the items' variables are {variables} bytes",
                lengths().sum::<usize>(),
                lengths().max().unwrap_or(0),
            );
        }
        let why = interpreter(&self.folder.join(words[0].as_os_str())).unwrap_or_else(|| error.to_string());
        format!("{program}: {why}")
    }
}

/// How one run of the program ended that has not failed.
enum Ran {
    Done(Output),
    Stopped,
    /// It has saved its state and is not done.
    Saved {
        ending: Ending,
        /// So many bytes had been printed.
        printed: u64,
        last_words: Vec<u8>,
    },
}

/// Whether the program ended because it was to save, or says that it has. One that SIGTERM ends has saved what it did until
/// then, as a shell between it and us may have.
fn has_saved(keeper: &Keeper<'_>, ended: &program::Ended, running: &Running) -> bool {
    if ended.was_ended {
        return false;
    }
    if ended.was_unheard {
        return ended.status.code() != Some(0);
    }
    let was_told = ended.was_nudged || running.stopped();
    let by_signal = ended.status.signal() == Some(SIGTERM) || ended.status.code() == Some(128 + SIGTERM);
    ended.status.code() == Some(SAVED) || (was_told && by_signal && keeper.is_told_by_signal())
}

impl Attempt<'_> {
    /// Where its items' values come from.
    pub(super) fn listing(&self) -> Listing<'_> {
        Listing { space: &self.job.space, rows: self.rows, seed: self.job.yields.seed }
    }

    /// Whether some items of its space do not count.
    pub(super) fn may_leave_out(&self) -> bool {
        matches!(&self.job.space, Space::Parameters(parameters) if parameters.condition().is_some())
    }
}

/// A new file in place of what is there: what an earlier run left running may still write to that.
fn fresh(path: &Path) -> Result<File, CallFailed> {
    let make = || {
        clear(path)?;
        File::options().read(true).write(true).create_new(true).open(path)
    };
    make().map_err(CallFailed::on(path))
}

/// Removes whatever is there.
pub(super) fn clear(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => fs::remove_dir_all(path),
        other => other,
    }
}

/// The first `length` bytes of a file that the program left, or why there is no result in it.
fn output(due: Due, path: &Path, length: u64, seconds: f64) -> io::Result<Result<Output, Cause>> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Err(Cause::NoResult)),
        opened => opened?,
    };
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "what the program left as its result is no file"));
    }
    let bytes = found.len().min(length);
    Ok(match judge(due, &mut file, bytes)? {
        Some(cause) => Err(cause),
        None => Ok(Output { file, bytes, seconds }),
    })
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

/// The last `most` bytes of a file.
fn end_of(path: &Path, most: usize) -> Vec<u8> {
    let read = || {
        let mut file = File::open(path)?;
        let bytes = file.metadata()?.len();
        file.seek(io::SeekFrom::Start(bytes.saturating_sub(most as u64)))?;
        let mut end = Vec::new();
        file.take(most as u64).read_to_end(&mut end)?;
        io::Result::Ok(end)
    };
    // What cannot be read is not shown.
    read().unwrap_or_default()
}
