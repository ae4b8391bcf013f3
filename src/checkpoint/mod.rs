//! The small library for programs that keep their own state: a loop that is interrupted goes on where it was.
//!
//! For the work that cannot be cut, because each step needs the one before it. All of the loop's state is one value of any type
//! that serde knows, and the library does the rest:
//!
//! ```no_run
//! use split::checkpoint::{self, Checkpoint, CheckpointError, Step};
//!
//! fn main() -> Result<(), CheckpointError> {
//!     // A loop over a range, over threads, and a while loop.
//!     let total = checkpoint::range("sum/1", 1..=100, 0u64, |total, item| *total += item)?;
//!     let cubes = checkpoint::threads("cubes/1", 1..=100, 4, 0u64, |i: u64| i.pow(3), |total, cube| *total += cube)?;
//!     let root = checkpoint::until("newton/2", 1.0f64, |x| {
//!         let better = (*x + 2.0 / *x) / 2.0;
//!         if better == *x { Step::Done(better) } else { *x = better; Step::Continue }
//!     })?;
//!
//!     // A loop of one's own.
//!     let mut checkpoint = Checkpoint::open("fibonacci/90")?;
//!     let (mut a, mut b, mut n) = checkpoint.resume()?.unwrap_or((0u64, 1u64, 0));
//!     while n < 90 {
//!         (a, b, n) = (b, a + b, n + 1);
//!         checkpoint.tick(&(a, b, n))?;
//!     }
//!     checkpoint.finish(&(a, b, n))?;
//!     println!("{total} {cubes} {root} {a}");
//!     Ok(())
//! }
//! ```
//!
//! Run again after a kill, it goes on from what was saved last; run again after the end, it gives the answer at once. The same in
//! Python is one file, `split python > split_checkpoint.py`, and each reads what the other wrote.
//!
//! In a program's `Cargo.toml` it comes with few other packages (the feature `rayon` adds [`par_fold`]):
//!
//! ```toml
//! [dependencies]
//! htc-split = { version = "0.1", default-features = false }
//! ```
//!
//! # What is promised
//! - A file is never believed that is not whole ([format](#the-files)). Where one of the two is not, the other is used, and a line on
//!   standard error says so. Where both are not, that is an error: nothing starts anew by itself. Only where the first is not and the second
//!   was never made, because the very first save was interrupted, does it start anew, and says so.
//! - A checkpoint of another key, range, kind of loop or identity is refused by name. A key is a name and, after the first
//!   slash, everything else that the state depends on, such as `ising/beta=0.44/seed=7`. A loop within a loop needs a name of its own for each
//!   of its runs.
//! - A save is of a whole state, between two steps. [`threads`] and [`par_fold`] count each item once, in order.
//! - The end is recorded, with the answer.
//! - A file that the loop appends to ([`Settings::output`]) holds each line once. It is synced before each save, which notes its length and
//!   checksum, and cut back to there; a state without all that was written until it was saved is not believed.
//! - Two processes that would save into the same files are kept apart.
//! - A save that fails is an error of that tick; what was saved before stays, and a loop that goes on tries again in a while.
//!
//! # When it saves
//! At the interval that costs the least ([`interval`]), from what a save was measured to cost and how often interruptions are
//! to be expected; or as [`Settings`] have it. And when told to stop: on SIGTERM, which HTCondor sends before it takes a
//! machine away, the next tick saves and ends the process with the exit code [`EXIT_SAVED`] (85: "saved, start me
//! again"), without running destructors. Who would rather return from there chooses [`Settings::return_when_stopped`]. As long as no
//! step ends nothing is saved, and once the end is recorded SIGTERM ends the program as it does any other.
//!
//! A tick that finds nothing due reads one flag: 1.1 ns. A save waits for the disk: a small one about as long as a write and an `fdatasync` in
//! C; one of 100 MB of [`numbers`] about as long as a new file's write and
//! `fsync` in C (1.5 to 2.5 times those in place); where that is too long, [`Settings::in_background`] holds the loop for no longer than a copy in memory. `cargo bench --bench checkpoint` measures it.
//!
//! # What the environment says
//! | variable | what it is | without it |
//! | --- | --- | --- |
//! | [`SPLIT_CHECKPOINT_DIR`](FOLDER) | the folder of the checkpoints | `checkpoints` |
//! | [`SPLIT_INTERRUPTION_SECONDS`](INTERRUPTION) | the expected time between interruptions | 14400 |
//! | [`SPLIT_CHECKPOINT_KEY`](IDENTITY) | what is computed, as whoever started the program knows it: plan, chunk, range | nothing |
//! | [`SPLIT_CHECKPOINT_OUTPUT`](OUTPUT) | the file that is standard output, if what is printed is kept from run to run | it is not |
//! | [`SPLIT_CHECKPOINT_PRINTED`](PRINTED) | what earlier runs had printed there | nothing |
//!
//! Where standard output is kept from run to run, as under `split plan --checkpoint`, a save notes how much had been printed by then, and
//! what goes on from there has exactly that before it: nothing that is printed is lost, or there twice.
//!
//! # The files
//! `NAME.a.checkpoint` and `NAME.b.checkpoint`, of which each save overwrites the older:
//! ```text
//! SPLITCKPT1 <crc> <header length> <payload length>\n      8 hexadecimal, 10 and 20 decimal digits
//! {"format":1,"key":"sum/1","loop":"range 1..101","version":0,"generation":7,"position":37,"done":false}
//! the state, as MessagePack with names
//! ```
//! Behind the position there may be `"layout":["total"]`, the keys that a state of Python's began with, `"printed":1234`, so many
//! bytes of standard output, and `"outputs":[{"name":"sums.txt","bytes":440,"checksum":2704060348}]`, what had been written to each output (zlib's
//! CRC-32 of it). An output is `NAME@FILE.output` beside the two, and, by a hard link, what the program calls it.
//! Before the first save of a process the file that it found is synced: its writer may have been killed while it waited for the disk.
//! The checksum is zlib's CRC-32 of the header, the payload and the two lengths as they are written. `head -n 2` explains a file to a person.
//! Nothing in it is ever executed.
//!
//! MessagePack has one word for nothing, so that `Some(())` and `Some(None)` would come back as `None`: a state that holds one is refused when it
//! is saved. A field with `#[serde(default)]` comes back as its default from a checkpoint that was written without it, silently, as serde has
//! it; without the attribute that is an error, and [`Settings::version`] with [`Settings::migrate`] is the way to say what it is to be.
//!
//! A state is saved by whoever calls [`Checkpoint::tick`], between two steps. What other threads change meanwhile (an `Arc<Mutex<_>>`, atomics) is
//! written as it is found, part by part, and may be torn: lock it around the tick, or use [`threads`] or [`par_fold`].
//!
//! MessagePack has no whole numbers of more than 64 bits and no arrays of numbers; both languages write them as extensions. A
//! Rust field of type `i128` is written as such a number with [`wide`], a `Vec` of numbers as numpy's array with [`numbers`].

mod attention;
mod engine;
mod environment;
mod error;
#[cfg(test)]
mod faults;
mod format;
mod interval;
mod key;
mod loops;
mod output;
mod own;
mod parallel;
mod printed;
mod seed;
mod settings;
mod slots;
mod something;
mod values;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use engine::EXIT_SAVED;
pub use environment::{FOLDER, IDENTITY, INTERRUPTION, OUTPUT, PRINTED};
pub use error::CheckpointError;
pub use interval::interval;
pub use loops::{Counted, Items, Number, Step};
pub use output::Output;
pub use own::Checkpoint;
pub use seed::seed;
pub use settings::{Old, Settings};
#[doc(hidden)]
pub use slots::{find, progress};
pub use values::{Element, numbers, wide};

/// The library for Python, one file.
pub const PYTHON: &str = include_str!("split_checkpoint.py");

/// A loop over a range: [`Settings::range`] with the default settings.
///
/// # Errors
/// As there.
pub fn range<R: Items, S: Serialize + DeserializeOwned>(
    key: &str,
    items: R,
    init: S,
    body: impl FnMut(&mut S, R::Item),
) -> Result<S, CheckpointError> {
    Settings::new(key).range(items, init, body)
}

/// A while loop: [`Settings::until`] with the default settings.
///
/// # Errors
/// As there.
pub fn until<S: Serialize + DeserializeOwned, T: Serialize + DeserializeOwned>(
    key: &str,
    init: S,
    body: impl FnMut(&mut S) -> Step<T>,
) -> Result<T, CheckpointError> {
    Settings::new(key).until(init, body)
}

/// A loop over a range in several threads: [`Settings::threads`] with the default settings.
///
/// # Errors
/// As there.
pub fn threads<R: Items, S: Serialize + DeserializeOwned + Send, T: Send>(
    key: &str,
    items: R,
    threads: usize,
    init: S,
    work: impl Fn(R::Item) -> T + Sync,
    merge: impl FnMut(&mut S, T) + Send,
) -> Result<S, CheckpointError> {
    Settings::new(key).threads(items, threads, init, work, merge)
}

/// A loop over a range in rayon's threads: [`Settings::par_fold`] with the default settings.
///
/// # Errors
/// As there.
#[cfg(feature = "rayon")]
pub fn par_fold<R: Items, S: Serialize + DeserializeOwned + Send, T: Send>(
    key: &str,
    items: R,
    init: S,
    work: impl Fn(R::Item) -> T + Sync,
    merge: impl FnMut(&mut S, T),
) -> Result<S, CheckpointError> {
    Settings::new(key).par_fold(items, init, work, merge)
}
