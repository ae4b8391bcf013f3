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

mod carried;
mod ending;
mod ledger;
mod listing;
mod names;
mod snapshot;

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::ads;
use super::chunk::{Attempt, Place};
use crate::checkpoint::{FOLDER, IDENTITY, INTERRUPTION, OUTPUT, PRINTED as PRINTED_BEFORE, interval};
use crate::plan::{INTERRUPTION as USUAL, Keeping, Word};
use crate::space::Interval;
use crate::store::{self, StoreError};

pub(super) use carried::unpack;
#[doc(hidden)]
pub use carried::{pack, unpack_from};
pub(super) use ending::{Ending, Left, Nudge, Saved};
use ledger::Ledger;
use listing::{copy_files, has_progress, holds_files};
pub(super) use names::forget;
use names::name;
use snapshot::snapshots;

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
        let mut ledger = Ledger::read(checkpoints.folder, &name).unwrap_or_else(|| Ledger::new(0, attempt.retry));
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
        self.ledger.write(self.checkpoints.folder, &self.name)
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
pub(super) const UNMATCHED: &str = "the program was ended after it had printed something or written files, and only exit \
    code 85 says that its state is as far as these; starting from the beginning";

/// How long a file is; 0 where there is none.
fn length(path: &Path) -> u64 {
    path.metadata().map_or(0, |found| found.len())
}

pub(super) fn is_empty(folder: &Path) -> bool {
    folder.read_dir().is_ok_and(|mut entries| entries.next().is_none())
}
