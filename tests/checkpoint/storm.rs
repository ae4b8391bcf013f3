//! SIGKILL at random moments: the answer is exact, always.

use std::fs::File;
use std::io::{Read, Write};
use std::process::Command;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use split::checkpoint::{CheckpointError, Settings, Step, numbers};

use crate::kit::{Chance, Dir, said, say};

/// Items of one computation.
const ITEMS: u64 = 300;

/// What the storm's `output` writes: for each item a line that is not as long as the one before.
fn line(item: u64) -> String {
    format!("{item} {}\n", "x".repeat((item * 37 % 400) as usize))
}

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
        "output" | "output in the background" => {
            let mut settings = if form == "output" { settings() } else { settings().in_background() };
            let mut lines = settings.output("lines.txt");
            let state = settings.range(0..ITEMS, first, |state, item| {
                state.add(result(item));
                lines.write_all(line(item).as_bytes()).expect("in its loop");
            })?;
            let written = std::fs::read_to_string("lines.txt").unwrap_or_default();
            assert!(written == (0..ITEMS).map(line).collect::<String>(), "other lines than those of the items");
            state
        }
        _ => first,
    };
    println!("{}", state.answer());
    Ok(())
}

/// How many kills each storm takes.
fn kills() -> u64 {
    let all: u64 = std::env::var("SPLIT_KILLS").ok().and_then(|number| number.parse().ok()).unwrap_or(108);
    all.div_ceil(12)
}

/// How often a computation saves: every three items, and the answer.
const SAVES: u64 = ITEMS / 3 + 1;

/// Kills at random moments, lets it end from time to time, and compares. The moments follow the program and not the clock: a
/// quarter are drawn within the time that its start has taken up to its first save, the others by the number of its saves, and
/// within the time that one of these takes. So a slow or busy machine, or one that becomes so, changes nothing.
fn storm(name: &str, expected: &str, start: impl Fn(&Dir) -> Command) {
    let mut chance = Chance(name.bytes().chain(expected.bytes()).map(u64::from).sum());
    // Up to the first save of a run, and between two of its saves.
    let (mut starting, mut saving) = (Duration::from_millis(10), Duration::from_millis(1));
    let (mut killed, mut resumed, mut torn, mut ended) = (0, 0, 0, 0);
    let mut dir = Dir::new();
    let mut in_a_row = 0;
    while killed < kills() || in_a_row > 0 {
        // The last one of each computation is left alone.
        let last = in_a_row == 6 || killed >= kills();
        let before = saves(&dir);
        let mut child = start(&dir).spawn().expect("started");
        let started = Instant::now();
        let is_early = chance.below(4) == 0;
        let target = before + 2 + chance.below(SAVES / 4);
        let mut moment = is_early.then(|| started + part(&mut chance, starting));
        let mut first = None;
        while child.try_wait().expect("asked").is_none() {
            let (now, there) = (Instant::now(), saves(&dir));
            if first.is_none() && there > before {
                first = Some(now);
                starting = now - started;
            }
            if let Some(first) = first
                && moment.is_none()
                && there >= target
            {
                saving = (now - first) / u32::try_from(there - before).expect("few saves");
                moment = Some(now + part(&mut chance, saving));
            }
            if !last && moment.is_some_and(|moment| now >= moment) {
                child.kill().expect("killed, or gone already");
                break;
            }
            std::thread::sleep((saving / 8).clamp(Duration::from_micros(50), Duration::from_millis(5)));
        }
        let output = child.wait_with_output().expect("waited for");
        if output.status.success() {
            assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), expected, "{}", said(&output));
            assert!(saves(&dir) == SAVES, "{} saves: {}", saves(&dir), said(&output));
            dir = Dir::new();
            in_a_row = 0;
            ended += 1;
            assert!(ended <= 10 + 2 * killed, "{killed} were killed of {ended} that came to their end");
            continue;
        }
        assert!(!last && output.status.code().is_none(), "{}", said(&output));
        killed += 1;
        in_a_row += 1;
        let files = dir.files();
        resumed += u64::from(files.iter().filter(|(name, _)| name.ends_with(".checkpoint")).count() == 2);
        torn += u64::from(files.iter().any(|(_, bytes)| bytes.starts_with(b"SPLITCKPT1 -")));
    }
    if std::env::var_os("SPLIT_KILLS").is_some() {
        say(&format!("{name}: {killed} kills, {resumed} after a save, {torn} within one; {ended} exact answers"));
    }
    assert!(resumed * 2 > killed, "{resumed} of {killed} kills came after a save: the storm is too early");
}

/// Some of the time.
fn part(chance: &mut Chance, time: Duration) -> Duration {
    time.mul_f64(chance.below(1000) as f64 / 1000.0)
}

/// How many saves there were, by the newer file's header, whole or not.
fn saves(dir: &Dir) -> u64 {
    let generation = |slot: &str| {
        let mut start = Vec::new();
        let file = File::open(dir.path(&format!("checkpoints/storm.{slot}.checkpoint"))).ok()?;
        file.take(400).read_to_end(&mut start).ok()?;
        let text = String::from_utf8_lossy(&start);
        let (_, number) = text.split_once("\"generation\":")?;
        number.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
    };
    ["a", "b"].into_iter().filter_map(generation).max().unwrap_or(0)
}

fn rust(form: &str, count: usize) {
    let mut state = State::new(count);
    (0..ITEMS).for_each(|item| state.add(result(item)));
    storm(form, &state.answer().to_string(), |dir| dir.worker(&["storm", form, &count.to_string()]));
}

pub(crate) fn range() {
    rust("range", 1_000);
}

pub(crate) fn until() {
    rust("until", 50_000);
}

pub(crate) fn own() {
    rust("own", 50_000);
}

pub(crate) fn background() {
    rust("background", 50_000);
}

pub(crate) fn threads() {
    rust("threads", 1_000);
}

pub(crate) fn output() {
    rust("output", 1_000);
    rust("output in the background", 1_000);
}

pub(crate) fn rayon() {
    if cfg!(feature = "rayon") {
        rust("rayon", 1_000);
    }
}

/// In Python the values are those of a list: `storm.py` says how.
fn python(form: &str) {
    let expected = (0..ITEMS).fold(0u64, |hash, item| (hash * 31 + item * item) % 1_000_003);
    storm(&format!("python {form}"), &expected.to_string(), |dir| dir.python("tests/checkpoint/storm.py", &[form]));
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

pub(crate) fn python_output() {
    python("output");
}
