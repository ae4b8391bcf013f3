//! When a job carries what it has finished to the access point: it ends with `checkpoint_exit_code`, HTCondor transfers
//! `transfer_checkpoint_files` and starts the job again in the same sandbox. Of all that a job can do, this alone survives a
//! loss of power or of the connection; a graceful eviction carries by itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::checkpoint::interval;
use crate::plan::{Identity, Pacing};
use crate::store::{self, StoreError};

/// What a carry costs where it has not been measured, in seconds: transfer, and the start of the job anew.
pub(super) const COST: f64 = 10.0;

/// What runs of the job in one sandbox leave to the next, in a folder: HTCondor carries files alone.
const STATE: &str = ".split-state";

/// Decides when to carry.
#[derive(Debug)]
pub(super) struct Carry {
    started: Instant,
    /// What it costs, in seconds.
    cost: f64,
    /// How often the job is interrupted, in seconds and on the average.
    interruption: Option<f64>,
}

impl Carry {
    /// Counts from now on.
    pub(super) fn new(pacing: &Pacing, cost: Option<f64>) -> Self {
        let interruption = pacing.interruption().map(|time| time.as_secs_f64());
        Self { started: Instant::now(), cost: cost.unwrap_or(COST), interruption }
    }

    /// Whether it is worth it now that `finished` slices have been computed in this run of the job, and `left` are left.
    pub(super) fn is_due(&self, finished: usize, left: usize) -> bool {
        is_due(self.started.elapsed().as_secs_f64(), finished, left, self.cost, self.interruption)
    }
}

/// An interruption before the end costs `elapsed` seconds once more, and it comes with a chance of about the time that is
/// left over that between interruptions: worth `cost` seconds where the product is more. And not more often than the
/// optimum of Young and Daly for saves of that cost.
fn is_due(elapsed: f64, finished: usize, left: usize, cost: f64, interruption: Option<f64>) -> bool {
    let Some(interruption) = interruption else { return false };
    let to_go = elapsed / finished.max(1) as f64 * left as f64;
    let chance = (to_go / interruption).min(1.0);
    elapsed >= interval(cost, interruption) && elapsed * chance > cost
}

/// What a run of the job leaves to the next in the same sandbox: what is there has been put at its place, and may have been
/// told where it is now, so that its identity is not that of what was sent any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    /// The identity of the code that arrived.
    pub(super) code: Identity,
    /// When the job asked to be carried, in seconds since 1970.
    pub(super) asked: f64,
}

impl State {
    /// That of an earlier run in the sandbox `here`, if there was one.
    pub(super) fn read(here: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(path(here)).ok()?).ok()
    }

    /// What the carry cost after which the job was started again, in seconds.
    pub(super) fn cost(&self) -> Option<f64> {
        let cost = now() - self.asked;
        (cost > 0.0).then_some(cost)
    }

    /// Leaves it to the next run of a job whose code is `code`.
    pub(super) fn leave(here: &Path, code: Identity) -> Result<(), StoreError> {
        let path = path(here);
        store::make_folder(path.parent().unwrap_or(here))?;
        let state = serde_json::to_vec(&Self { code, asked: now() }).expect("plain values");
        store::write_anew(&path, &state)
    }
}

fn path(here: &Path) -> PathBuf {
    here.join(STATE).join("state.json")
}

/// Seconds since 1970, by the machine's clock.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_carry_has_to_be_worth_it() {
        let hours = |hours: f64| hours * 3600.0;
        let every = Some(hours(4.0));
        // Of a chunk of ten minutes there is too little to lose.
        assert!((1..10).all(|done| !is_due(60.0 * f64::from(done), done as usize, 10 - done as usize, 10.0, every)));
        // Ten hours in slices of ten minutes: the optimum is at sqrt(2 * 10 * 14400) = 537 s.
        assert!(!is_due(500.0, 1, 59, 10.0, every));
        assert!(is_due(600.0, 1, 59, 10.0, every));
        // Near the end it is not worth it any more.
        assert!(!is_due(600.0, 59, 1, 10.0, every));
        assert!(!is_due(hours(9.0), 54, 6, 10.0, None));
    }

    #[test]
    fn a_state_is_left_to_the_next_run() {
        let here = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(State::read(here.path()), None);
        let code = Identity::of_bytes(b"code");
        State::leave(here.path(), code).expect("left");
        State::leave(here.path(), code).expect("left again");
        let state = State::read(here.path()).expect("there");
        assert_eq!(state.code, code);
        assert!(state.cost().is_none_or(|cost| cost < 60.0));
    }
}
