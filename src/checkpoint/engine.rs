//! When to save, and what happens then: what all loops have in common.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::attention::{Attention, Termination};
use super::error::CheckpointError;
use super::format::{FORMAT, Header};
use super::interval::interval;
use super::output::{Outputs, Unsynced, Written};
use super::printed;
use super::settings::{Old, OnTermination, Prepared, When};
use super::slots::{Found, SaveError, Slots};
use super::something;
use crate::store::{StoreError, in_place};

/// The exit code of a program that was told to stop, has saved, and wants to be started again. HTCondor's manual
/// ("Self-Checkpointing Applications") uses this number in its examples.
pub const EXIT_SAVED: i32 = 85;

/// What a save costs before one has been measured, in seconds.
const FIRST_COST: f64 = 0.01;

/// What keeps a checkpoint: the two files, the flag, and how far it is.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) attention: Attention,
    /// Ticks until a save is due by their number.
    pub(super) countdown: u64,
    header: Header,
    writer: Writer,
    phase: Phase,
    policy: Policy,
    outputs: Outputs,
    /// Bytes of a state that a background save writes, kept so that their memory is used again.
    spare: Vec<u8>,
    _lock: Lock,
}

#[derive(Debug)]
enum Phase {
    /// What was found, and has not been asked for.
    Found(Option<Box<Found>>),
    Going,
    Done,
}

#[derive(Debug)]
enum Writer {
    Here(Slots),
    /// A background save, and whether it has failed.
    Away(JoinHandle<Option<Saved>>, Arc<AtomicBool>),
    /// Only while the other two change places.
    Between,
}

/// What a background save brings back.
struct Saved {
    slots: Slots,
    bytes: Vec<u8>,
    result: Result<(), SaveError>,
}

#[derive(Debug)]
struct Policy {
    when: When,
    at_most_every: Duration,
    interruption: Duration,
    background: bool,
    on_termination: OnTermination,
    /// What a save has cost, in seconds.
    cost: Option<f64>,
    last: Instant,
    /// When a save is due by time.
    due: Option<Instant>,
}

impl Engine {
    /// Opens the checkpoint, and refuses what is not this loop's.
    pub(super) fn open(prepared: Prepared, kind: String) -> Result<Self, CheckpointError> {
        let Prepared { key, environment, version, outputs, .. } = prepared;
        // The program may change its working folder later on.
        let folder = std::path::absolute(&environment.folder).map_err(StoreError::on("find", &environment.folder))?;
        in_place::make_folder(&folder)?;
        let paths = key.files(&folder);
        let lock = Lock::take(&paths[0])?;
        outputs.place(&folder, &key)?;
        let (slots, contents) =
            Slots::open(in_place::Disk, paths, key.text(), &|header| outputs.missing(&header.outputs, header.done))?;
        if let Some(notice) = contents.notice {
            // Nobody may be there to read it.
            let _ = writeln!(std::io::stderr().lock(), "{notice}");
        }
        let mut header = Header {
            format: FORMAT,
            key: key.text().to_owned(),
            identity: environment.identity.clone(),
            kind,
            version,
            generation: 0,
            position: None,
            layout: None,
            printed: None,
            outputs: Vec::new(),
            done: false,
        };
        if let Some(found) = &contents.found {
            let refused = |what, found_text: &str, expected: &str| {
                let (found_text, expected) = (found_text.to_owned(), expected.to_owned());
                Err(CheckpointError::Other { path: found.path.clone(), what, found: found_text, expected })
            };
            let there = &found.header;
            if there.key != header.key {
                return refused("key", &there.key, &header.key);
            }
            if there.identity != header.identity {
                return refused("identity", &there.identity, &header.identity);
            }
            if there.kind != header.kind {
                return refused("loop", &there.kind, &header.kind);
            }
            header.generation = there.generation;
        }
        let policy = Policy {
            when: prepared.when,
            at_most_every: prepared.at_most_every,
            interruption: environment.interruption,
            background: prepared.background,
            on_termination: prepared.on_termination,
            cost: None,
            last: Instant::now(),
            due: None,
        };
        Ok(Self {
            attention: Attention::new(),
            countdown: policy.steps(),
            header,
            writer: Writer::Here(slots),
            phase: Phase::Found(contents.found.map(Box::new)),
            policy,
            outputs,
            spare: Vec::new(),
            _lock: lock,
        })
    }

    /// The state that was saved last, if any, with its place.
    pub(super) fn resume<S: DeserializeOwned>(
        &mut self,
        migrate: Option<&super::settings::Migrate<S>>,
    ) -> Result<Option<(S, Option<u64>)>, CheckpointError> {
        let Phase::Found(found) = &mut self.phase else { return Ok(None) };
        let Some(found) = found.take() else {
            self.outputs.begin(&[], false, self.is_jobs())?;
            self.phase = Phase::Going;
            return Ok(None);
        };
        let state = match self.go_on(&found, migrate) {
            Ok(state) => state,
            Err(error) => {
                // Once that is mended, it is still there to go on from.
                self.phase = Phase::Found(Some(found));
                return Err(error);
            }
        };
        match found.header.done {
            true => self.end(),
            false => self.phase = Phase::Going,
        }
        Ok(Some((state, found.header.position)))
    }

    fn go_on<S: DeserializeOwned>(
        &self,
        found: &Found,
        migrate: Option<&super::settings::Migrate<S>>,
    ) -> Result<S, CheckpointError> {
        let old = Old { path: &found.path, payload: &found.payload };
        if found.header.version == self.header.version {
            self.outputs.are_those_of(&found.path, &found.header.outputs, found.header.done)?;
        }
        let state = match (found.header.version == self.header.version, migrate) {
            (true, _) => old.read()?,
            (false, Some(migrate)) if found.header.version < self.header.version => migrate(found.header.version, old)?,
            (false, _) => {
                let (found, path) = (found.header.version, found.path.clone());
                return Err(CheckpointError::Version { path, found, expected: self.header.version });
            }
        };
        self.outputs.begin(&found.header.outputs, found.header.done, self.is_jobs())?;
        if let Some(length) = found.header.printed {
            printed::go_back(length)?;
        }
        Ok(state)
    }

    /// The answer, where the loop was done; an answer has no older layouts.
    pub(super) fn answer<T: DeserializeOwned>(&mut self) -> Result<Option<T>, CheckpointError> {
        match &self.phase {
            Phase::Found(Some(found)) if found.header.done => {
                let (there, expected) = (found.header.version, self.header.version);
                if there != expected {
                    return Err(CheckpointError::Answer { path: found.path.clone(), found: there, expected });
                }
                self.resume(None).map(|found| found.map(|(answer, _)| answer))
            }
            _ => Ok(None),
        }
    }

    /// Whether it runs for `split`, in a folder where other items may have left files.
    fn is_jobs(&self) -> bool {
        !self.header.identity.is_empty()
    }

    pub(super) fn is_done(&self) -> bool {
        match &self.phase {
            Phase::Found(found) => found.as_ref().is_some_and(|found| found.header.done),
            Phase::Going => false,
            Phase::Done => true,
        }
    }

    /// What a tick does when the flag is raised or the countdown has ended.
    #[cold]
    #[inline(never)]
    pub(super) fn attend<P: Serialize + ?Sized>(
        &mut self,
        position: Option<u64>,
        state: &P,
    ) -> Result<(), CheckpointError> {
        self.attention.lower();
        if let Err(error) = self.going() {
            self.attention.raise();
            return Err(error);
        }
        if Termination::is_told() {
            // What was wrong with a save before matters less now than whether this one goes well.
            let _ = self.slots();
            let saved = self.save(position, state, false);
            if saved.is_err() {
                // The next tick tries again, should the program go on.
                self.attention.raise();
            }
            saved?;
            return self.leave();
        }
        let attended = self.save_what_is_due(position, state);
        // Also after a failure, so that a program that goes on tries again in a while.
        self.arm();
        attended
    }

    fn save_what_is_due<P: Serialize + ?Sized>(
        &mut self,
        position: Option<u64>,
        state: &P,
    ) -> Result<(), CheckpointError> {
        if let Writer::Away(_, failed) = &self.writer
            && failed.load(Ordering::SeqCst)
        {
            self.slots()?;
        }
        let by_steps = self.countdown == 0;
        if by_steps {
            self.countdown = self.policy.steps();
        }
        let now = Instant::now();
        let by_time = self.policy.due.is_some_and(|due| now >= due);
        let due = (by_steps || by_time) && now.duration_since(self.policy.last) >= self.policy.at_most_every;
        match due {
            true if !self.policy.background => self.save(position, state, false),
            // By time, a save that is still under way is not waited for.
            true if by_steps || self.is_here() => self.save_in_background(position, state),
            _ => Ok(()),
        }
    }

    /// Saves now, and waits for the disk.
    pub(super) fn save<P: Serialize + ?Sized>(
        &mut self,
        position: Option<u64>,
        state: &P,
        done: bool,
    ) -> Result<(), CheckpointError> {
        let start = Instant::now();
        self.slots()?;
        let (written, unsynced) = self.outputs.put()?;
        let header = self.next(position, written, done);
        unsynced.sync()?;
        self.slots()?.save(&header, &mut |out| encode(out, state))?;
        self.saved(header, start);
        if done {
            self.end();
            self.outputs.end()?;
        }
        Ok(())
    }

    /// Nothing is left to do.
    fn end(&mut self) {
        self.phase = Phase::Done;
        self.attention.retire();
        // Whoever ticks on is told so at once.
        self.attention.raise();
    }

    /// Saves the last state, or the answer; there is nothing to go on with then.
    pub(super) fn finish<P: Serialize + ?Sized>(
        &mut self,
        position: Option<u64>,
        state: &P,
    ) -> Result<(), CheckpointError> {
        match &self.phase {
            Phase::Done => return Ok(()),
            Phase::Found(_) => return Err(CheckpointError::NotResumed),
            Phase::Going => self.save(position, state, true)?,
        }
        match Termination::is_told() {
            true => self.leave(),
            false => Ok(()),
        }
    }

    /// Refuses to save over what was not asked for, and to go on after the end.
    pub(super) fn going(&self) -> Result<(), CheckpointError> {
        match &self.phase {
            Phase::Found(_) => Err(CheckpointError::NotResumed),
            Phase::Done => Err(CheckpointError::Done(self.header.key.clone())),
            Phase::Going => Ok(()),
        }
    }

    fn save_in_background<P: Serialize + ?Sized>(
        &mut self,
        position: Option<u64>,
        state: &P,
    ) -> Result<(), CheckpointError> {
        // Before the clock starts: this may wait for the disk.
        self.slots()?;
        let start = Instant::now();
        let (written, unsynced) = self.outputs.put()?;
        let header = self.next(position, written, false);
        let mut bytes = std::mem::take(&mut self.spare);
        bytes.clear();
        encode(&mut bytes, state).map_err(CheckpointError::Encode)?;
        let failed = Arc::new(AtomicBool::new(false));
        let (sent, has_failed, raise) = (header.clone(), Arc::clone(&failed), self.attention.raiser());
        let (give, take) = mpsc::channel::<(Slots, Unsynced, Vec<u8>)>();
        let thread = std::thread::Builder::new().spawn(move || {
            let (mut slots, unsynced, bytes) = take.recv().ok()?;
            let mut fill = |out: &mut dyn Write| out.write_all(&bytes).map_err(|error| error.to_string());
            let result = unsynced.sync().map_err(SaveError::Store).and_then(|()| slots.save(&sent, &mut fill));
            if result.is_err() {
                has_failed.store(true, Ordering::SeqCst);
                raise.store(true, Ordering::SeqCst);
            }
            Some(Saved { slots, bytes, result })
        });
        // The loop gives its files away once there is somebody to take them.
        let Ok(thread) = thread else { return self.save(position, state, false) };
        if let Writer::Here(slots) = std::mem::replace(&mut self.writer, Writer::Away(thread, failed)) {
            let _ = give.send((slots, unsynced, bytes));
        }
        self.saved(header, start);
        Ok(())
    }

    fn next(&self, position: Option<u64>, outputs: Vec<Written>, done: bool) -> Header {
        // A generation a nanosecond would last for five centuries.
        let generation = self.header.generation.saturating_add(1);
        Header { generation, position, printed: printed::length(), outputs, done, ..self.header.clone() }
    }

    fn saved(&mut self, header: Header, start: Instant) {
        let cost = start.elapsed().as_secs_f64();
        self.header = header;
        self.policy.cost = Some(self.policy.cost.map_or(cost, |before| 0.5 * (before + cost)));
        self.policy.last = Instant::now();
        self.policy.due = None;
        self.countdown = self.policy.steps();
    }

    /// Has the flag raised when the next save is due by time.
    fn arm(&mut self) {
        let Some(every) = self.policy.interval() else { return };
        let now = Instant::now();
        let due = self.policy.last.checked_add(every);
        self.policy.due = due;
        let Some(due) = due else { return };
        // A background save that takes longer than the interval is looked at again a little later.
        let soon = Duration::from_millis(1).max(every / 16);
        self.attention.raise_after(due.checked_duration_since(now).unwrap_or(soon).max(Duration::from_nanos(1)));
    }

    /// Whether no background save is under way.
    fn is_here(&self) -> bool {
        match &self.writer {
            Writer::Away(thread, _) => thread.is_finished(),
            _ => true,
        }
    }

    /// The two files, once a background save is done; what was wrong with it.
    fn slots(&mut self) -> Result<&mut Slots, CheckpointError> {
        let mut result = Ok(());
        if let Writer::Away(..) = self.writer
            && let Writer::Away(thread, _) = std::mem::replace(&mut self.writer, Writer::Between)
        {
            match thread.join() {
                Ok(Some(saved)) => {
                    self.writer = Writer::Here(saved.slots);
                    self.spare = saved.bytes;
                    result = saved.result;
                }
                Ok(None) => {}
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        result?;
        match &mut self.writer {
            Writer::Here(slots) => Ok(slots),
            _ => Err(CheckpointError::Setting("a background save was lost")),
        }
    }

    fn leave(&mut self) -> Result<(), CheckpointError> {
        match self.policy.on_termination {
            OnTermination::Exit => std::process::exit(EXIT_SAVED),
            OnTermination::Return => Err(CheckpointError::Interrupted),
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // What is being saved is saved to its end before the lock is given back.
        if let Writer::Away(thread, _) = std::mem::replace(&mut self.writer, Writer::Between) {
            let failed = thread.join().ok().flatten().and_then(|saved| saved.result.err());
            if let Some(failed) = failed {
                // Nobody may be there to read it.
                let key = &self.header.key;
                let _ = writeln!(
                    std::io::stderr().lock(),
                    "checkpoint {key}: the last save failed: {}",
                    CheckpointError::from(failed)
                );
            }
        }
    }
}

impl Policy {
    fn steps(&self) -> u64 {
        match self.when {
            When::EverySteps(steps) => steps.get(),
            _ => u64::MAX,
        }
    }

    fn interval(&self) -> Option<Duration> {
        let every = match self.when {
            When::EverySteps(_) => return None,
            When::Every(every) => every,
            When::Optimal => {
                let seconds = interval(self.cost.unwrap_or(FIRST_COST), self.interruption.as_secs_f64());
                Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
            }
        };
        Some(every.max(self.at_most_every))
    }
}

fn encode<P: Serialize + ?Sized>(out: &mut dyn Write, state: &P) -> Result<(), String> {
    let mut out = out;
    something::check(state).map_err(|error| error.to_string())?;
    rmp_serde::encode::write_named(&mut out, state).map_err(|error| error.to_string())
}

/// That nobody else uses the two files.
#[derive(Debug)]
struct Lock {
    path: PathBuf,
    file: Option<File>,
}

/// Those that this process holds: a process does not keep itself out.
static HELD: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

impl Lock {
    fn take(path: &std::path::Path) -> Result<Self, CheckpointError> {
        let folder = path.parent().unwrap_or(std::path::Path::new("."));
        let whole = folder.canonicalize().map_err(StoreError::on("read", folder))?;
        let whole = whole.join(path.file_name().unwrap_or_default());
        let busy = |by| CheckpointError::Busy { path: path.to_owned(), by };
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        if held.contains(&whole) {
            return Err(busy("another part of this program"));
        }
        let file = in_place::lock_file(path)?.ok_or_else(|| busy("another process"))?;
        held.insert(whole.clone());
        Ok(Self { path: whole, file: Some(file) })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        // Closed before it may be taken again: closing any of a process's files of that name ends the lock.
        self.file = None;
        held.remove(&self.path);
    }
}
