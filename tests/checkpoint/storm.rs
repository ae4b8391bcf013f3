//! SIGKILL at random moments: the answer is exact, always.

use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use split::checkpoint::{CheckpointError, Settings, Step, numbers};

use crate::kit::{Chance, Dir, said};

/// Items of one computation.
const ITEMS: u64 = 300;

/// A state that shows whether it is torn: its values belong together, and their order of adding matters.
#[derive(Clone, Serialize, Deserialize)]
struct State {
    next: u64,
    hash: u64,
    #[serde(with = "numbers")]
    values: Vec<u64>,
}

impl State {
    /// `count` values: 1000 fit into one write, 50,000 do not.
    fn new(count: usize) -> Self {
        Self { next: 0, hash: 0, values: vec![0; count] }
    }

    fn add(&mut self, result: u64) {
        self.hash = self.hash.wrapping_mul(31).wrapping_add(result);
        let length = self.values.len() as u64;
        for place in 0..10 {
            self.values[((result + place * 97) % length) as usize] += result;
        }
        self.next += 1;
    }

    fn answer(&self) -> u64 {
        self.values.iter().fold(self.hash, |hash, value| hash.wrapping_mul(31).wrapping_add(*value))
    }
}

/// Some tens of microseconds.
fn result(item: u64) -> u64 {
    (0..20_000).fold(item, |hash, step| hash.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(step)) >> 40
}

/// What a worker does: one of the loops, saving every three items.
#[expect(clippy::print_stdout, reason = "the worker's answer")]
pub(crate) fn work(form: &str, count: &str) -> Result<(), CheckpointError> {
    let first = State::new(count.parse().unwrap_or(1));
    let settings = || Settings::new("storm/1").every_steps(3);
    let state = match form {
        "range" => settings().range(0..ITEMS, first, |state, item| state.add(result(item)))?,
        "until" => settings().until(first, |state| {
            if state.next == ITEMS {
                return Step::Done(state.clone());
            }
            state.add(result(state.next));
            Step::Continue
        })?,
        "own" | "background" => {
            let settings = if form == "own" { settings() } else { settings().in_background() };
            let mut checkpoint = settings.open()?;
            let mut state = checkpoint.resume()?.unwrap_or(first);
            while state.next < ITEMS {
                state.add(result(state.next));
                checkpoint.tick(&state)?;
            }
            checkpoint.finish(&state)?;
            state
        }
        "threads" => settings().threads(0..ITEMS, 3, first, result, State::add)?,
        #[cfg(feature = "rayon")]
        "rayon" => settings().par_fold(0..ITEMS, first, result, State::add)?,
        _ => first,
    };
    println!("{}", state.answer());
    Ok(())
}

/// How many kills each storm takes.
fn kills() -> u64 {
    let all: u64 = std::env::var("SPLIT_KILLS").ok().and_then(|number| number.parse().ok()).unwrap_or(108);
    all.div_ceil(9)
}

/// Kills at random moments, lets it end from time to time, and compares. The moments are within the first `longest` microseconds,
/// which follow the machine: later where nothing was saved by then, and earlier where the program was done.
fn storm(expected: &str, mut longest: u64, start: impl Fn(&Dir) -> Command) {
    let mut chance = Chance(expected.len() as u64 + longest);
    let (mut killed, mut resumed) = (0, 0);
    let mut dir = Dir::new();
    let mut in_a_row = 0;
    while killed < kills() || in_a_row > 0 {
        // The last one of each computation is left alone.
        let last = in_a_row == 6 || killed >= kills();
        let mut child = start(&dir).spawn().expect("started");
        if !last {
            std::thread::sleep(Duration::from_micros(chance.below(longest)));
            child.kill().expect("killed, or gone already");
        }
        let output = child.wait_with_output().expect("waited for");
        if output.status.success() {
            assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), expected, "{}", said(&output));
            dir = Dir::new();
            in_a_row = 0;
            if !last {
                longest -= longest / 8;
            }
            continue;
        }
        assert!(!last && output.status.code().is_none(), "{}", said(&output));
        killed += 1;
        in_a_row += 1;
        let has_saved = dir.files().len() == 2;
        resumed += u64::from(has_saved);
        if !has_saved {
            longest += longest / 8;
        }
    }
    assert!(resumed * 4 > killed, "{resumed} of {killed} kills came after a save: the storm is too early");
}

fn rust(form: &str, count: usize, longest: u64) {
    let mut state = State::new(count);
    (0..ITEMS).for_each(|item| state.add(result(item)));
    storm(&state.answer().to_string(), longest, |dir| dir.worker(&["storm", form, &count.to_string()]));
}

pub(crate) fn range() {
    rust("range", 1_000, 120_000);
}

pub(crate) fn until() {
    rust("until", 50_000, 250_000);
}

pub(crate) fn own() {
    rust("own", 50_000, 250_000);
}

pub(crate) fn background() {
    rust("background", 50_000, 250_000);
}

pub(crate) fn threads() {
    rust("threads", 1_000, 120_000);
}

pub(crate) fn rayon() {
    if cfg!(feature = "rayon") {
        rust("rayon", 1_000, 120_000);
    }
}

/// In Python the values are those of a list: `storm.py` says how.
fn python(form: &str) {
    let expected = (0..ITEMS).fold(0u64, |hash, item| (hash * 31 + item * item) % 1_000_003);
    storm(&expected.to_string(), 350_000, |dir| dir.python("tests/checkpoint/storm.py", &[form]));
}

pub(crate) fn python_steps() {
    python("steps");
}

pub(crate) fn python_background() {
    python("background");
}

pub(crate) fn python_own() {
    python("own");
}
