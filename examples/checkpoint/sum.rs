//! The sum of 1 to 100, plain and with a checkpoint in each of the library's forms.
//!
//! ```text
//! cargo run --example checkpoint-sum -- plain|range|until|own|threads|rayon|output|seed
//! ```
//!
//! `DIE_AT=37` takes the machine away in the middle of item 37: run it again, and it prints 5050 all the same. `output` writes the sums
//! up to each item to `sums.txt` as well, and `seed` adds up random numbers: 47103 for 5050.

use std::io::Write;

use split::checkpoint::{CheckpointError, Settings, Step, seed};

/// An hour's work, say.
fn work(item: u64) -> u64 {
    if std::env::var("DIE_AT").is_ok_and(|at| at == item.to_string()) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
    item
}

/// Saved after each item, so that there is something to see; the default is every few seconds.
fn settings<S>() -> Settings<S> {
    Settings::new("sum/1").every_steps(1)
}

fn plain() -> u64 {
    (1..=100).map(work).sum()
}

fn range() -> Result<u64, CheckpointError> {
    settings().range(1..=100, 0, |total, item| *total += work(item))
}

fn until() -> Result<u64, CheckpointError> {
    settings().until((1, 0), |(next, total)| {
        if *next > 100 {
            return Step::Done(*total);
        }
        *total += work(*next);
        *next += 1;
        Step::Continue
    })
}

fn own() -> Result<u64, CheckpointError> {
    let mut checkpoint = settings().open()?;
    let (mut next, mut total) = checkpoint.resume()?.unwrap_or((1, 0));
    while next <= 100 {
        total += work(next);
        next += 1;
        checkpoint.tick(&(next, total))?;
    }
    checkpoint.finish(&(next, total))?;
    Ok(total)
}

fn threads() -> Result<u64, CheckpointError> {
    settings().threads(1..=100, 4, 0, work, |total, result| *total += result)
}

#[cfg(feature = "rayon")]
fn rayon() -> Result<u64, CheckpointError> {
    settings().par_fold(1..=100, 0, work, |total, result| *total += result)
}

/// A state with a field, as Python has it.
#[derive(serde::Serialize, serde::Deserialize)]
struct Sum {
    total: u64,
}

fn output() -> Result<u64, CheckpointError> {
    let mut settings = settings();
    let mut sums = settings.output("sums.txt");
    let sum = settings.range(1..=100, Sum { total: 0 }, |sum, item| {
        // What is written before the kill is cut off, and written again.
        writeln!(sums, "{}", sum.total + item).expect("in its loop");
        sum.total += work(item);
    })?;
    Ok(sum.total)
}

fn seeded() -> Result<u64, CheckpointError> {
    settings().range(1..=100, 0, |total, item| *total += seed("sum/1", work(item)) % 1000)
}

#[expect(clippy::print_stdout, reason = "an example's answer")]
pub(crate) fn main() -> Result<(), CheckpointError> {
    let form = std::env::args().next_back().unwrap_or_default();
    let total = match form.as_str() {
        "range" => range()?,
        "until" => until()?,
        "own" => own()?,
        "threads" => threads()?,
        #[cfg(feature = "rayon")]
        "rayon" => rayon()?,
        "output" => output()?,
        "seed" => seeded()?,
        "plain" => plain(),
        _ => return Err(CheckpointError::Setting("there is no such form")),
    };
    println!("{total}");
    Ok(())
}
