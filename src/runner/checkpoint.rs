//! What a program keeps of its own state, from one of its runs to the next (`--checkpoint`).
//!
//! Each run, over a slice or an item, has a folder of its own. Its name says which items, and is another one for another plan or
//! another version of the program: what these left is never gone on from. There are two ways ([`Keeping`]): a program that
//! is told by SIGTERM keeps what it likes in the folder, as the checkpoint library does; one that is told by a file leaves a
//! whole snapshot each time that it ends with [`SAVED`], and the runner checksums it, and looks at it before the next run.
//!
//! Where runs fail again and again after they went on from a checkpoint ([`POISONED`] times, with nothing saved in between), it is left
//! behind: it stays where it is, and the next run starts from the beginning in another folder. How often is known from the
//! number of the attempt, which HTCondor counts, as a job that fails brings nothing of its sandbox to the next attempt.
//!
//! What a program prints, and the files that come back, belong to its state: without what was printed until then, a state would
//! give half an answer, and with what was printed afterwards some of it twice. So each time that a program ends because it has saved, a
//! snapshot is made of what it has left until then. A run that goes on from there has it again. A run that was killed saved its
//! state at some moment by itself: where it has printed anything since the last snapshot, or files come back, nobody knows what
//! belongs to that moment, and the next run goes on from the snapshot.
//!
//! Invariant: a snapshot counts only if all of it is there and is what was written.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::ads;
use super::chunk::{Attempt, Place};
use crate::checkpoint::{FOLDER, IDENTITY, INTERRUPTION, OUTPUT, PRINTED as PRINTED_BEFORE, interval, progress};
use crate::plan::{INTERRUPTION as USUAL, Identity, Keeping, Word};
use crate::space::Interval;
use crate::store::{self, Draft, StoreError};

/// After so many failures a checkpoint is left behind.
pub(super) const POISONED: u32 = 2;

/// So often in a row a program may end because it has saved, without having been told to, and have saved the same.
const STALLED: u32 = 3;

/// In the folder of a run, what a program that is told by SIGTERM keeps; in a snapshot, what it had then.
const STATE: &str = "state";

/// In a snapshot, what the program had printed; in the folder of a run that lasts, what it prints.
const PRINTED: &str = "printed";

/// In a snapshot, what the program had written to `{result}`.
const RESULT: &str = "result";

/// In a snapshot, the files that come back.
const FILES: &str = "files";

/// The folder with the last snapshot; empty where there is none.
const OLD: &str = "SPLIT_CHECKPOINT_OLD";

/// The empty folder that a snapshot is written into.
const NEW: &str = "SPLIT_CHECKPOINT_NEW";

/// The file that appears when a snapshot is due.
const STOP: &str = "SPLIT_CHECKPOINT_STOP";

/// What a snapshot costs where nothing has been carried: the program's end and start, in seconds.
const COST: f64 = 0.5;

/// Where the checkpoints of an attempt are.
#[derive(Clone, Copy, Debug)]
pub struct Checkpoints<'a> {
    /// The folder that has those of all runs.
    pub folder: &'a Path,
    /// Whether it outlives the job. Else it has to be carried.
    pub lasts: bool,
}

/// What is known of a run's checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ledger {
    /// So many checkpoints were left behind.
    left_behind: u32,
    /// How often runs failed since something was saved, as far as this folder knows.
    failures: u32,
    /// The number of the attempt when something was saved.
    attempt: u32,
    /// What was saved last by a program that had not been told to, and how often in a row.
    #[serde(default)]
    unasked: (String, u32),
    /// How often in a row it did not save in time when it was told to.
    #[serde(default)]
    unheard: u32,
    /// Whether SIGTERM ends it without its having said that all is saved, where that matters.
    #[serde(default)]
    is_deaf: bool,
}

/// The folder of one run.
#[derive(Debug)]
pub(super) struct Keeper<'a> {
    keeping: Keeping,
    checkpoints: Checkpoints<'a>,
    /// What carrying it costs, in seconds.
    cost: f64,
    interruption: Option<Duration>,
    /// What is computed: the plan, the code, the items.
    key: String,
    name: String,
    ledger: Ledger,
    attempt: u32,
    /// The snapshot to go on from.
    old: Option<u64>,
    /// The name of the folder that a snapshot is written into. A program that outlived an earlier runner has another one.
    new: String,
    started: Instant,
    /// Whether files come back beside the result.
    has_files: bool,
    /// Whether the files of the snapshot are where the program had them.
    is_laid_out: bool,
}

/// What a run of the program has left beside its state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left<'a> {
    pub(super) printed: &'a Path,
    /// So much of that file counts.
    pub(super) bytes: u64,
    pub(super) result: &'a Path,
    /// The files that come back, by their names.
    pub(super) files: &'a [(Vec<u8>, PathBuf)],
}

/// How a run ended that had something to save.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    /// Whether the program says that all is saved.
    pub(super) whole: bool,
    /// Whether it was told to save.
    pub(super) was_told: bool,
    /// Whether it did not do so in time.
    pub(super) was_unheard: bool,
}

/// What came of a save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Saved {
    /// There is something to go on from.
    There,
    /// There is not.
    Nothing,
    /// It is the same again, as so often in a row.
    Stalled,
    /// There is a state, and nobody knows which part of what was printed and written belongs to it.
    Unmatched,
}

/// When a program is told to save, and how.
#[derive(Clone, Debug)]
pub(super) struct Nudge {
    /// When it is due; never where it is not carried, and saves by itself.
    pub(super) at: Option<Instant>,
    /// The folder that has to hold something by then: a program that never saves would be told in vain.
    pub(super) unless_empty: Option<PathBuf>,
    /// The file that has to hold something by then: as long as nothing is printed each save counts by itself.
    pub(super) once_printed: Option<PathBuf>,
    /// How long it may take: then SIGTERM ends it and its children.
    pub(super) within: Duration,
    /// The file that tells it; else SIGTERM does.
    pub(super) flag: Option<PathBuf>,
}

/// A snapshot's files.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format: u32,
    key: String,
    files: Vec<Listed>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    path: Word,
    bytes: u64,
    /// zlib's CRC-32.
    checksum: u32,
}

impl<'a> Keeper<'a> {
    /// That of a run over `items`, if the program keeps a state. `started` is when the job did.
    ///
    /// # Errors
    /// Where its folder cannot be made or read.
    pub(super) fn open(
        attempt: &Attempt<'_>,
        place: &Place<'a>,
        items: Interval,
        started: Instant,
    ) -> Result<Option<Self>, StoreError> {
        let pacing = &attempt.job.pacing;
        let Some((keeping, checkpoints)) = pacing.checkpoint.zip(place.checkpoints) else { return Ok(None) };
        store::make_folder(checkpoints.folder)?;
        let name = name(attempt, items);
        let ledger = fs::read(ledger(checkpoints.folder, &name)).ok();
        let ledger = ledger.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let mut ledger = ledger.unwrap_or_else(|| Ledger::new(0, attempt.retry));
        // Somebody started all over, and counts anew.
        ledger.attempt = ledger.attempt.min(attempt.retry);
        let carried = place.carried.filter(|_| !checkpoints.lasts);
        let mut keeper = Self {
            keeping,
            checkpoints,
            cost: match carried {
                Some(carried) => carried.cost.unwrap_or(super::carry::COST),
                None => COST,
            },
            interruption: pacing.interruption(),
            key: format!("plan {} code {} items {}..{}", attempt.job.plan, attempt.code, items.start(), items.stop()),
            name,
            ledger,
            attempt: attempt.retry,
            old: None,
            new: format!("new-{}", super::chunk::attempt_name(attempt.retry)),
            started,
            has_files: attempt.job.yields.has_files(),
            is_laid_out: false,
        };
        if keeper.failures() >= POISONED && keeper.has_any() {
            keeper.leave_behind()?;
        }
        keeper.write_ledger()?;
        store::make_folder(&keeper.folder())?;
        Ok(Some(keeper))
    }

    /// Starts from the beginning in another folder.
    fn leave_behind(&mut self) -> Result<(), StoreError> {
        let is_deaf = self.ledger.is_deaf;
        self.ledger = Ledger { is_deaf, ..Ledger::new(self.ledger.left_behind + 1, self.attempt) };
        self.old = None;
        self.write_ledger()?;
        store::make_folder(&self.folder())
    }

    /// Whether there is anything to go on from.
    fn has_any(&self) -> bool {
        !snapshots(&self.folder()).is_empty() || holds_files(&self.state())
    }

    /// How often runs failed since something was saved.
    fn failures(&self) -> u32 {
        self.ledger.failures.max(self.attempt - self.ledger.attempt)
    }

    fn write_ledger(&self) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(&self.ledger).expect("plain values");
        store::write(&ledger(self.checkpoints.folder, &self.name), &bytes)
    }

    fn folder(&self) -> PathBuf {
        let name = match self.ledger.left_behind {
            0 => self.name.clone(),
            behind => format!("{}.{}", self.name, behind + 1),
        };
        self.checkpoints.folder.join(name)
    }

    /// What a program that is told by SIGTERM keeps.
    fn state(&self) -> PathBuf {
        self.folder().join(STATE)
    }

    fn new_snapshot(&self) -> PathBuf {
        self.folder().join(&self.new)
    }

    /// The snapshot to go on from.
    fn old_snapshot(&self) -> Option<PathBuf> {
        self.old.map(|number| self.folder().join(number.to_string()))
    }

    /// Where the program prints to, if that is to outlive this process.
    pub(super) fn printed(&self) -> Option<PathBuf> {
        self.checkpoints.lasts.then(|| self.folder().join(PRINTED))
    }

    fn flag(&self) -> PathBuf {
        self.folder().join("stop")
    }

    /// Makes ready for a run of the program: what an interrupted one began is removed, and the snapshot to go on from found.
    ///
    /// # Errors
    /// Where files cannot be written.
    pub(super) fn before(&mut self) -> Result<(), StoreError> {
        let (folder, flag) = (self.folder(), self.flag());
        if flag.symlink_metadata().is_ok() {
            fs::remove_file(&flag).map_err(StoreError::on("remove", &flag))?;
        }
        for entry in folder.read_dir().into_iter().flatten().flatten() {
            if entry.file_name().as_encoded_bytes().starts_with(b"new-") {
                store::remove_folder(&entry.path())?;
            }
        }
        let snapshots = snapshots(&folder);
        self.old = snapshots.iter().rev().copied().find(|number| {
            let wrong = self.look(*number).err();
            if let Some(wrong) = &wrong {
                self.say(&format!("snapshot {number} {wrong}; it does not count"));
            }
            wrong.is_none()
        });
        match self.keeping {
            Keeping::Files => store::make_folder(&self.new_snapshot().join(STATE)),
            Keeping::Signal => {
                store::make_folder(&self.state())?;
                self.after_a_kill()
            }
        }
    }

    /// Takes account of a run that was killed, or failed, and may have saved by itself: what it has printed since the last snapshot, and
    /// the files that it wrote, do not belong to that.
    fn after_a_kill(&self) -> Result<(), StoreError> {
        let Some(printed) = self.printed().filter(|printed| printed.exists()) else { return Ok(()) };
        let is_unmatched = self.has_files || length(&printed) > self.printed_before();
        if is_unmatched && holds_files(&self.state()) {
            store::remove_folder(&self.state())?;
            store::make_folder(&self.state())?;
            let from = match self.old_snapshot() {
                Some(old) => {
                    copy_files(&old.join(STATE), &self.state())?;
                    "going on from the last snapshot"
                }
                None => "starting from the beginning",
            };
            let what =
                if self.has_files { "files that come back may not be" } else { "something was printed that is not" };
            self.say(&format!("the run before was killed, and {what} as they were when it saved; {from}"));
        }
        fs::remove_file(&printed).map_err(StoreError::on("remove", &printed))
    }

    fn say(&self, what: &str) {
        // Nobody may be there to read it.
        let _ = writeln!(io::stderr(), "checkpoint {}: {what}", self.name);
    }

    /// How much had been printed when the snapshot was made.
    fn printed_before(&self) -> u64 {
        self.old_snapshot().map_or(0, |old| length(&old.join(PRINTED)))
    }

    /// Puts what the program had left by the snapshot where it had it: what it printed into the new file that is its standard
    /// output, and the files into the folder that it starts in.
    ///
    /// # Errors
    /// Where files cannot be written.
    pub(super) fn lay_out(&mut self, printed: &mut File, result: &Path, folder: &Path) -> Result<(), StoreError> {
        let is_laid_out = std::mem::replace(&mut self.is_laid_out, true);
        let Some(old) = self.old_snapshot() else { return Ok(()) };
        let open = |path: &Path| match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some),
        };
        let before = old.join(PRINTED);
        let again = open(&before).and_then(|file| file.map_or(Ok(0), |mut file| io::copy(&mut file, printed)));
        again.map_err(StoreError::on("read", &before))?;
        let before = old.join(RESULT);
        if before.exists() {
            fs::copy(&before, result).map_err(StoreError::on("write", result))?;
        }
        // After a save they are as they were.
        if is_laid_out { Ok(()) } else { copy_files(&old.join(FILES), folder) }
    }

    /// Whether the snapshot is whole.
    fn look(&self, number: u64) -> Result<(), String> {
        let folder = self.folder().join(number.to_string());
        let manifest = fs::read(manifest(&folder)).map_err(|error| error.to_string())?;
        let manifest: Manifest = serde_json::from_slice(&manifest).map_err(|error| error.to_string())?;
        if manifest.format != 1 || manifest.key != self.key {
            return Err("is another computation's".to_owned());
        }
        let found = list(&folder).map_err(|error| error.to_string())?;
        if found == manifest.files { Ok(()) } else { Err("is not what was written".to_owned()) }
    }

    /// What the program finds in its environment; `printed` is the file that it prints to.
    pub(super) fn variables(&self, printed: &Path) -> Vec<(OsString, Word)> {
        let word = |path: PathBuf| Word::from(path.into_os_string());
        let interruption = self.interruption.unwrap_or(USUAL).as_secs_f64();
        let mut variables = vec![
            (IDENTITY.into(), Word::from(self.key.as_str())),
            (INTERRUPTION.into(), Word::from(interruption.to_string().as_str())),
        ];
        match self.keeping {
            Keeping::Signal => {
                let before = self.old_snapshot().map(|old| old.join(PRINTED)).filter(|before| before.exists());
                variables.push((FOLDER.into(), word(self.state())));
                variables.push((OUTPUT.into(), word(printed.to_owned())));
                variables.push((PRINTED_BEFORE.into(), before.map_or_else(|| Word::from(""), word)));
            }
            Keeping::Files => {
                let old = self.old_snapshot().map(|old| word(old.join(STATE)));
                variables.push((OLD.into(), old.unwrap_or_else(|| Word::from(""))));
                variables.push((NEW.into(), word(self.new_snapshot().join(STATE))));
                variables.push((STOP.into(), word(self.flag())));
            }
        }
        variables
    }

    /// When the program is told to save: where what it has is carried, as often as a carry is worth it.
    pub(super) fn nudge(&self) -> Nudge {
        let every = self.interruption.map(|time| interval(self.cost, time.as_secs_f64()).max(0.05));
        let every = every.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let from = if self.checkpoints.lasts { Instant::now() } else { self.started };
        let at = every.and_then(|every| from.checked_add(every)).filter(|_| !self.ledger.is_deaf);
        // A step may take longer than that, and with it the next save: twice as long each time.
        let within = ads::grace().saturating_mul(1 << self.ledger.unheard.min(10));
        let nudge = Nudge { at, unless_empty: None, once_printed: None, within, flag: None };
        match self.keeping {
            Keeping::Signal => Nudge {
                unless_empty: Some(self.state()),
                // In a folder that lasts each of its saves does, unless something else has to be as it was then.
                once_printed: self.printed().filter(|_| !self.has_files),
                ..nudge
            },
            Keeping::Files => Nudge { flag: Some(self.flag()), ..nudge },
        }
    }

    /// Whether SIGTERM tells the program to save, so that it may end by it.
    pub(super) fn is_told_by_signal(&self) -> bool {
        self.keeping == Keeping::Signal
    }

    /// Whether what is saved has to be carried now.
    pub(super) fn is_carried(&self) -> bool {
        !self.checkpoints.lasts
    }

    /// Takes account of a run that ended and had something to save.
    ///
    /// # Errors
    /// Where files cannot be written; what was saved before is as it was.
    pub(super) fn saved(&mut self, ending: Ending, left: Left<'_>) -> Result<Saved, StoreError> {
        if ending.was_unheard {
            self.ledger.unheard += 1;
            self.write_ledger()?;
        }
        // What it was given to go on with has been used up.
        self.started = Instant::now();
        let is_unmatched = match self.keeping {
            // The library's state says how much had been printed by then; of files nobody does but exit code 85.
            Keeping::Signal => {
                let has_files = left.result.exists() || self.has_files;
                let is_known = !ending.was_unheard && has_progress(&self.state());
                !ending.whole && (has_files || (left.bytes > self.printed_before() && !is_known))
            }
            Keeping::Files => ending.was_unheard && self.has_files,
        };
        if is_unmatched {
            // Telling it again would end as this did.
            self.ledger.is_deaf |= !ending.was_unheard;
            self.write_ledger()?;
            return Ok(Saved::Unmatched);
        }
        let there = match self.keeping {
            Keeping::Signal => self.commit(left)?,
            // Where it did not hear, what it had before is there still.
            Keeping::Files if ending.was_unheard => None,
            Keeping::Files => {
                if ending.whole {
                    self.commit(left)?
                } else {
                    None
                }
            }
        };
        let Some(what) = there else { return Ok(if ending.was_unheard { Saved::There } else { Saved::Nothing }) };
        if ending.was_told {
            self.ledger.unasked = Default::default();
        } else if self.ledger.unasked.0 == what {
            self.ledger.unasked.1 += 1;
        } else {
            self.ledger.unasked = (what, 0);
        }
        if self.ledger.unasked.1 >= STALLED {
            self.ledger.unasked = Default::default();
            return Ok(Saved::Stalled);
        }
        if !ending.was_unheard {
            self.ledger.unheard = 0;
            self.ledger.failures = 0;
            self.ledger.attempt = self.attempt;
        }
        self.write_ledger()?;
        Ok(Saved::There)
    }

    /// Makes a snapshot of what the program has left, if it has saved anything. Gives what its state amounts to: the same again where
    /// nothing has changed.
    fn commit(&self, left: Left<'_>) -> Result<Option<String>, StoreError> {
        let (folder, new) = (self.folder(), self.new_snapshot());
        let state = if self.keeping == Keeping::Files { new.join(STATE) } else { self.state() };
        let saved = list(&state).map_err(StoreError::on("read", &state))?;
        if saved.iter().all(|file| file.bytes == 0) {
            return Ok(None);
        }
        let what = format!("{} {}", left.bytes, amount(&state, &saved));
        store::make_folder(&new)?;
        // What is carried is a snapshot by itself, and has the state once.
        if self.keeping == Keeping::Signal && self.checkpoints.lasts {
            copy_files(&state, &new.join(STATE))?;
        }
        let copy = |from: &Path, to: PathBuf, bytes: u64| {
            let copied = File::open(from).and_then(|from| io::copy(&mut from.take(bytes), &mut File::create(&to)?));
            copied.map_err(StoreError::on("copy", from))
        };
        if left.bytes > 0 {
            copy(left.printed, new.join(PRINTED), left.bytes)?;
        }
        if left.result.is_file() {
            copy(left.result, new.join(RESULT), u64::MAX)?;
        }
        for (name, path) in left.files {
            let to = new.join(FILES).join(Word::from(name.clone()).as_os_str());
            store::make_folder(to.parent().unwrap_or(&new))?;
            copy(path, to, u64::MAX)?;
        }
        let files = list(&new).map_err(StoreError::on("read", &new))?;
        if self.checkpoints.lasts {
            for file in &files {
                let path = new.join(file.path.as_os_str());
                File::open(&path).and_then(|file| file.sync_all()).map_err(StoreError::on("sync", &path))?;
            }
        }
        let before = snapshots(&folder);
        let number = before.last().map_or(1, |last| last + 1);
        let to = folder.join(number.to_string());
        // One that has no manifest, as the runner was killed here.
        store::remove_folder(&to)?;
        store::move_to(&new, &to)?;
        let bytes = serde_json::to_vec(&Manifest { format: 1, key: self.key.clone(), files }).expect("plain values");
        store::write(&manifest(&to), &bytes)?;
        // The one before stays, in case that this one is damaged, if it has a state of its own.
        let stay = usize::from(self.keeping == Keeping::Files || self.checkpoints.lasts);
        for old in before.iter().rev().skip(stay) {
            let old = folder.join(old.to_string());
            let _ = fs::remove_file(manifest(&old));
            store::remove_folder(&old)?;
        }
        // What was printed is in the snapshot: that no run was killed is known from there being no such file.
        if let Some(printed) = self.printed() {
            fs::remove_file(&printed).map_err(StoreError::on("remove", &printed))?;
        }
        Ok(Some(what))
    }

    /// Where a run that everything is stopped with has left what does not belong together: the next one is not to go on from it.
    ///
    /// # Errors
    /// Where files cannot be written.
    pub(super) fn give_up(&mut self) -> Result<(), StoreError> {
        // In a folder that lasts the next run goes back to the snapshot.
        if self.checkpoints.lasts {
            return Ok(());
        }
        self.say(UNMATCHED);
        let (folder, state) = (self.folder(), self.state());
        self.leave_behind()?;
        // It is carried in vain.
        store::remove_folder(&state)?;
        store::remove_folder(&folder)?;
        store::make_folder(&self.folder())
    }

    /// Takes account of a run that failed; gives what is to be said of it.
    ///
    /// # Errors
    /// Where files cannot be written.
    pub(super) fn failed(&mut self) -> Result<String, StoreError> {
        self.ledger.failures = self.failures() + 1;
        self.write_ledger()?;
        Ok(match self.has_any() && self.ledger.failures >= POISONED {
            true => format!(
                "split: it failed {} times since its last checkpoint; the next attempt leaves that behind and starts from the \
                 beginning\n",
                self.ledger.failures
            ),
            false => String::new(),
        })
    }
}

/// What is said of a state that is of no use.
pub(super) const UNMATCHED: &str = "the program was ended by SIGTERM after it had printed something or written files, and only exit \
    code 85 says that its state is as far as these; starting from the beginning";

impl Ledger {
    fn new(left_behind: u32, attempt: u32) -> Self {
        Self { left_behind, failures: 0, attempt, unasked: Default::default(), unheard: 0, is_deaf: false }
    }
}

/// Removes the checkpoints of runs whose items all have results. `has_results` says so of items.
pub(super) fn forget(
    attempt: &Attempt<'_>,
    place: &Place<'_>,
    has_results: impl Fn(Interval) -> bool,
) -> Result<(), StoreError> {
    let Some(checkpoints) = attempt.job.pacing.checkpoint.and(place.checkpoints) else { return Ok(()) };
    let end = format!("-{}", tag(attempt));
    for entry in checkpoints.folder.read_dir().into_iter().flatten().flatten() {
        let file = entry.file_name();
        let Some(name) = file.to_str().and_then(|name| name.split('.').next()) else { continue };
        let items = name.strip_prefix("items-").and_then(|name| name.strip_suffix(&end)?.split_once('-'));
        let items = items.and_then(|(start, stop)| Interval::new(start.parse().ok()?, stop.parse().ok()?));
        if !items.is_some_and(&has_results) {
            continue;
        }
        match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            true => store::remove_folder(&entry.path())?,
            false => fs::remove_file(entry.path()).map_err(StoreError::on("remove", &entry.path()))?,
        }
    }
    // Once nothing is in it.
    let _ = fs::remove_dir(checkpoints.folder);
    Ok(())
}

/// Packs the folder with checkpoints into one file, as HTCondor brings back new files alone.
///
/// # Errors
/// Where it cannot be read, or the file not be written.
#[doc(hidden)]
pub fn pack(folder: &Path, file: &Path) -> Result<(), StoreError> {
    let files = match folder.is_dir() {
        true => list(folder).map_err(StoreError::on("read", folder))?,
        false => Vec::new(),
    };
    let header = serde_json::to_vec(&Manifest { format: 1, key: String::new(), files }).expect("plain values");
    let manifest: Manifest = serde_json::from_slice(&header).expect("just written");
    let mut draft = Draft::new(file, 0o666)?;
    let mut write = || -> io::Result<()> {
        draft.write_all(first_line(crc32fast::hash(&header), header.len()).as_bytes())?;
        draft.write_all(&header)?;
        for file in &manifest.files {
            let read = File::open(folder.join(file.path.as_os_str()))?;
            io::copy(&mut read.take(file.bytes), &mut draft)?;
        }
        Ok(())
    };
    write().map_err(StoreError::on("write", file))?;
    draft.commit_unsynced()
}

/// Unpacks what [`pack`] wrote. A file that is damaged does not count, and that is said.
///
/// # Errors
/// Where the folder cannot be written.
pub(super) fn unpack(file: &Path, folder: &Path) -> Result<(), StoreError> {
    let Ok(mut packed) = File::open(file) else { return Ok(()) };
    let unpacked = folder.with_extension("unpacking");
    store::remove_folder(&unpacked)?;
    store::make_folder(&unpacked)?;
    match unpack_from(&mut packed, &unpacked) {
        Ok(()) => fs::rename(&unpacked, folder).map_err(StoreError::on("rename", &unpacked)),
        Err(wrong) if wrong.kind() == io::ErrorKind::InvalidData || wrong.kind() == io::ErrorKind::UnexpectedEof => {
            let _ = writeln!(io::stderr(), "{}: {wrong}; starting from the beginning", file.display());
            store::remove_folder(&unpacked)
        }
        Err(error) => Err(StoreError::on("unpack", file)(error)),
    }
}

/// Unpacks what [`pack`] wrote into an empty folder.
///
/// # Errors
/// `InvalidData` and `UnexpectedEof` where it is damaged, of which some may have been unpacked; what the system says.
#[doc(hidden)]
pub fn unpack_from(packed: &mut impl Read, folder: &Path) -> io::Result<()> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut line = [0; 31];
    packed.read_exact(&mut line)?;
    let text = std::str::from_utf8(&line).ok();
    let words = text.and_then(|text| text.strip_prefix("SPLITKEPT1 ")?.strip_suffix('\n')?.split_once(' '));
    let numbers = words
        .and_then(|(checksum, length)| Some((u32::from_str_radix(checksum, 16).ok()?, length.parse::<usize>().ok()?)));
    // Spelled in no other way: a flipped bit makes a small letter a capital.
    let numbers = numbers.filter(|(checksum, length)| text == Some(&first_line(*checksum, *length)));
    let (checksum, length) = numbers.ok_or_else(|| wrong("damaged (first line)"))?;
    let mut header = Vec::new();
    packed.by_ref().take(length as u64).read_to_end(&mut header)?;
    if header.len() != length || crc32fast::hash(&header) != checksum {
        return Err(wrong("damaged (header)"));
    }
    let manifest: Manifest = serde_json::from_slice(&header).map_err(|_| wrong("damaged (header)"))?;
    if manifest.format != 1 {
        return Err(wrong("of another format"));
    }
    if !are_listed(&manifest.files) {
        return Err(wrong("damaged (paths)"));
    }
    for listed in &manifest.files {
        let path = folder.join(listed.path.as_os_str());
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        let mut out = File::create_new(&path)?;
        if copy(&mut packed.by_ref().take(listed.bytes), &mut out)? != (listed.bytes, listed.checksum) {
            return Err(wrong("damaged (checksum)"));
        }
    }
    if packed.read(&mut [0])? != 0 {
        return Err(wrong("damaged (longer than what it holds)"));
    }
    Ok(())
}

/// The first line of what [`pack`] writes: the checksum and the length of the manifest behind it.
fn first_line(checksum: u32, length: usize) -> String {
    format!("SPLITKEPT1 {checksum:08x} {length:010}\n")
}

/// The files of a folder and of those below it, in order.
fn list(folder: &Path) -> io::Result<Vec<Listed>> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(below) = folders.pop() {
        for entry in folder.join(&below).read_dir()? {
            let entry = entry?;
            let name = below.join(entry.file_name());
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(name);
            } else if kind.is_file() {
                let (bytes, checksum) = copy(&mut File::open(entry.path())?, &mut io::sink())?;
                files.push(Listed { path: Word::from(name.into_os_string()), bytes, checksum });
            }
        }
    }
    files.sort_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
    Ok(files)
}

/// Whether the files may be such as [`list`] gives: in order, below the folder, and none of them where another has its folder.
fn are_listed(files: &[Listed]) -> bool {
    let names: BTreeSet<&[u8]> = files.iter().map(|file| file.path.as_bytes()).collect();
    let are_in_order = files.windows(2).all(|pair| pair[0].path.as_bytes() < pair[1].path.as_bytes());
    let is_below = |name: &[u8]| {
        let folders = name.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(end, _)| &name[..end]);
        name.split(|byte| *byte == b'/').all(|part| !matches!(part, b"" | b"." | b".."))
            && folders.into_iter().all(|folder| !names.contains(folder))
    };
    are_in_order && names.iter().all(|name| is_below(name))
}

/// How many bytes there were, and their checksum.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<(u64, u32)> {
    let mut buffer = vec![0; 1 << 16];
    let (mut bytes, mut checksum) = (0, crc32fast::Hasher::new());
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok((bytes, checksum.finalize())),
            Ok(got) => {
                to.write_all(&buffer[..got])?;
                checksum.update(&buffer[..got]);
                bytes += got as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The numbers of the snapshots in a folder, in order.
fn snapshots(folder: &Path) -> Vec<u64> {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    let mut numbers: Vec<u64> = entries.filter_map(number).collect();
    numbers.sort_unstable();
    numbers
}

/// How long a file is; 0 where there is none.
fn length(path: &Path) -> u64 {
    path.metadata().map_or(0, |found| found.len())
}

/// Whether there is a file that holds anything in a folder or in those below it.
fn holds_files(folder: &Path) -> bool {
    list(folder).is_ok_and(|files| files.iter().any(|file| file.bytes > 0))
}

/// Copies the files of a folder, which need not be there, and of those below it into another. What is there of the same name is
/// replaced by a new file.
fn copy_files(from: &Path, to: &Path) -> Result<(), StoreError> {
    if !from.is_dir() {
        return Ok(());
    }
    for file in list(from).map_err(StoreError::on("read", from))? {
        let (from, to) = (from.join(file.path.as_os_str()), to.join(file.path.as_os_str()));
        store::make_folder(to.parent().unwrap_or(&to))?;
        let copied = match fs::remove_file(&to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => fs::copy(&from, &to),
        };
        copied.map_err(StoreError::on("write", &to))?;
    }
    Ok(())
}

/// What is saved, in a few words: the same where it is the same. A checkpoint of the library's counts its saves, which is no progress.
fn amount(state: &Path, files: &[Listed]) -> String {
    let mut text = String::new();
    for file in files {
        let (name, path) = (file.path.quoted(), state.join(file.path.as_os_str()));
        if name.ends_with(".b.checkpoint") {
            continue;
        }
        match progress(&path) {
            Some(far) if name.ends_with(".a.checkpoint") => text.push_str(&format!("{name} {far}\n")),
            _ => text.push_str(&format!("{name} {} {:08x}\n", file.bytes, file.checksum)),
        }
    }
    Identity::of_bytes(text.as_bytes()).to_string()
}

/// Whether a state is the library's.
fn has_progress(state: &Path) -> bool {
    let files = state.read_dir().into_iter().flatten().flatten();
    files
        .map(|file| file.path())
        .any(|path| path.extension().is_some_and(|end| end == "checkpoint") && progress(&path).is_some())
}

fn manifest(snapshot: &Path) -> PathBuf {
    snapshot.with_extension("json")
}

fn ledger(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.json"))
}

/// The name of a run's folder.
fn name(attempt: &Attempt<'_>, items: Interval) -> String {
    format!("items-{}-{}-{}", items.start(), items.stop(), tag(attempt))
}

/// Another one for another plan or another version of the program.
fn tag(attempt: &Attempt<'_>) -> String {
    let both = Identity::of_bytes(format!("{} {}", attempt.job.plan, attempt.code).as_bytes()).to_string();
    both.chars().take(12).collect()
}

pub(super) fn is_empty(folder: &Path) -> bool {
    folder.read_dir().is_ok_and(|mut entries| entries.next().is_none())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ffi::OsStr;
    use std::os::unix::ffi::{OsStrExt, OsStringExt};

    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    use super::*;

    /// Files by their paths.
    type Files = BTreeMap<PathBuf, Vec<u8>>;

    /// A name of any bytes that a file system takes.
    fn file_name() -> impl Strategy<Value = OsString> {
        let byte = any::<u8>().prop_filter("no separator", |byte| !b"/\0".contains(byte));
        let name = vec(byte, 1..12).prop_filter("a name", |name| name != b"." && name != b"..");
        name.prop_map(OsString::from_vec)
    }

    /// Any files, some of them in folders. A name stands for a file or for a folder.
    fn files() -> impl Strategy<Value = Files> {
        let path = vec(file_name(), 1..4).prop_map(|names| names.into_iter().collect::<PathBuf>());
        btree_map(path, vec(any::<u8>(), 0..200), 0..8).prop_map(|files| {
            let folders: BTreeSet<_> =
                files.keys().flat_map(|path| path.ancestors().skip(1)).map(Path::to_owned).collect();
            files.into_iter().filter(|(path, _)| !folders.contains(path)).collect()
        })
    }

    fn lay(folder: &Path, files: &Files) {
        fs::create_dir(folder).expect("made");
        for (name, bytes) in files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, bytes).expect("written");
        }
    }

    fn found(folder: &Path) -> Files {
        let listed = list(folder).expect("listed").into_iter().map(|file| PathBuf::from(file.path.as_os_str()));
        listed.map(|path| (path.clone(), fs::read(folder.join(path)).expect("read"))).collect()
    }

    /// Whether bytes are refused as damaged, and not for any other reason.
    fn is_refused(dir: &Path, bytes: &[u8]) -> bool {
        let (carried, folder) = (dir.join("carried"), dir.join("refused"));
        fs::write(&carried, bytes).expect("written");
        fs::create_dir(&folder).expect("made");
        let unpacked = unpack_from(&mut File::open(&carried).expect("opened"), &folder);
        fs::remove_dir_all(&folder).expect("removed");
        let kind = unpacked.err().map(|error| error.kind());
        assert!(matches!(kind, None | Some(io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)), "{kind:?}");
        kind.is_some()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_packed_is_unpacked(files in files()) {
            let dir = tempfile::tempdir().expect("a temporary folder");
            let path = |name: &str| dir.path().join(name);
            lay(&path("before"), &files);
            pack(&path("before"), &path("carried")).expect("packed");
            pack(&path("before"), &path("again")).expect("packed");
            prop_assert_eq!(fs::read(path("carried")).ok(), fs::read(path("again")).ok());
            unpack(&path("carried"), &path("after")).expect("unpacked");
            prop_assert_eq!(found(&path("after")), files);
        }
    }

    #[test]
    fn a_carried_file_that_is_damaged_does_not_count() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| dir.path().join(name);
        let mut files: Files = [("sum.json", &b"{}"[..]), ("sum/sum.a.checkpoint", &[7; 300]), ("sum/empty", b"")]
            .map(|(name, bytes)| (PathBuf::from(name), bytes.to_vec()))
            .into();
        files.insert(PathBuf::from(OsStr::from_bytes(b"sum/\xff\n")), vec![1; 100]);
        lay(&path("before"), &files);
        pack(&path("before"), &path("packed")).expect("packed");
        let packed = fs::read(path("packed")).expect("read");
        assert!(!is_refused(dir.path(), &packed));
        for length in 0..packed.len() {
            assert!(is_refused(dir.path(), &packed[..length]), "cut to {length} of {} bytes", packed.len());
        }
        // Each bit, and pairs of them, 10,000 in all.
        let bits = packed.len() * 8;
        for flip in 0..bits.max(10_000) {
            let mut damaged = packed.clone();
            damaged[flip % bits / 8] ^= 1 << (flip % 8);
            if let Some(second) = flip.checked_sub(bits) {
                let second = (flip * 7919 + second) % bits;
                damaged[second / 8] ^= 1 << (second % 8);
            }
            assert!(damaged == packed || is_refused(dir.path(), &damaged), "flip {flip}");
        }
        assert!(is_refused(dir.path(), &[&packed[..], b"\n"].concat()), "something behind it");
        // Nothing is left of it where the program would look.
        fs::write(path("carried"), &packed[..packed.len() - 1]).expect("written");
        unpack(&path("carried"), &path("after")).expect("damage is no error");
        assert!(!path("after").exists() && !path("after.unpacking").exists());
    }

    #[test]
    fn paths_that_no_folder_has_are_damage() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let leading_out = ["../out", "/tmp/out", "a/../../out", "./out", "", "a//out", "out/"].map(|name| vec![name]);
        let impossible = [vec!["a", "a"], vec!["a", "a.b", "a/b"], vec!["b", "a"]];
        for names in leading_out.into_iter().chain(impossible) {
            let listed = |name: &&str| Listed { path: Word::from(*name), bytes: 0, checksum: 0 };
            let files = names.iter().map(listed).collect();
            let header = serde_json::to_vec(&Manifest { format: 1, key: String::new(), files }).expect("plain values");
            let bytes = [first_line(crc32fast::hash(&header), header.len()).as_bytes(), &header].concat();
            assert!(is_refused(dir.path(), &bytes), "{names:?}");
        }
        assert!(!dir.path().join("out").exists());
    }
}
