//! The sum of 1 to 100 with a checkpoint made by hand, with each of the mistakes that are made.
//!
//! ```text
//! cargo run --example checkpoint-by-hand -- other-name|counted-twice|torn|no-identity|clock|clock-none|random|output|output-lost|threads|none LAST
//! ```
//!
//! `DIE_AT=50` takes the machine away after item 50 is done, `DIE_WRITING=4:3` while item 4 is saved, after 3 bytes. Each prints
//! what it takes for the sum, how much it computed in this run, and how many lines there are of those that it writes. `none` makes no
//! mistake here: it is that its file is not carried to the next machine.

use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

fn die() {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
}

fn is(variable: &str, item: u64) -> bool {
    std::env::var(variable).is_ok_and(|value| value.split(':').next() == Some(&item.to_string()))
}

fn save(mistake: &str, item: u64, content: &str, name: &str) -> io::Result<()> {
    if mistake != "torn" {
        fs::write(format!("{name}.new"), content)?;
        return fs::rename(format!("{name}.new"), name);
    }
    // The mistake: from here to the last byte there is no checkpoint at all.
    let mut file = fs::File::create(name)?;
    if is("DIE_WRITING", item) {
        let count = std::env::var("DIE_WRITING").ok().and_then(|value| value.split(':').nth(1)?.parse().ok());
        file.write_all(&content.as_bytes()[..count.unwrap_or(0)])?;
        die();
    }
    file.write_all(content.as_bytes())
}

fn load() -> io::Result<(u64, u64)> {
    let text = fs::read_to_string("checkpoint")?;
    let mut numbers = text.split_whitespace().map(|word| word.parse().map_err(io::Error::other));
    match (numbers.next(), numbers.next()) {
        (Some(first), Some(total)) => Ok((first?, total?)),
        _ => Err(io::Error::other("the checkpoint is empty")),
    }
}

/// What the thread that saves and the one that computes share.
#[derive(Default)]
struct Shared {
    next: AtomicU64,
    total: AtomicU64,
    saves: AtomicU64,
    done: AtomicBool,
}

impl Shared {
    /// The mistake of threads: this one saves, and that one changes what is saved.
    fn save_now_and_then(&self) {
        while !self.done.load(Ordering::SeqCst) {
            let (next, total) = (self.next.load(Ordering::SeqCst), self.total.load(Ordering::SeqCst));
            if save("threads", 0, &format!("{next} {total}"), "checkpoint").is_err() {
                return;
            }
            self.saves.fetch_add(1, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn compute(&self, first: u64, last: u64) -> u64 {
        for item in first..=last {
            self.total.fetch_add(item, Ordering::SeqCst);
            if is("DIE_AT", item) {
                // It is taken away once the other thread has saved what there is now: one save is begun after this, and ended.
                let before = self.saves.load(Ordering::SeqCst);
                while self.saves.load(Ordering::SeqCst) < before + 2 {
                    thread::sleep(Duration::from_millis(1));
                }
                die();
            }
            self.next.store(item + 1, Ordering::SeqCst);
        }
        self.done.store(true, Ordering::SeqCst);
        self.total.load(Ordering::SeqCst)
    }
}

#[expect(clippy::print_stdout, reason = "an example's answer")]
fn in_threads(first: u64, total: u64, last: u64) {
    let shared = Shared { next: first.into(), total: total.into(), ..Shared::default() };
    let total = thread::scope(|scope| {
        scope.spawn(|| shared.save_now_and_then());
        shared.compute(first, last)
    });
    println!("{total}, {} computed", last + 1 - first);
}

/// The mistake of output: what was written after the last save is there, and is written again.
fn sums(mistake: &str) -> io::Result<Option<Box<dyn Write>>> {
    let open = || OpenOptions::new().append(true).create(true).open("sums.txt");
    Ok(match mistake {
        "output" => Some(Box::new(open()?)),
        // A kill takes what is still in the program's memory, and the state says that it is written.
        "output-lost" => Some(Box::new(BufWriter::new(open()?))),
        _ => None,
    })
}

#[expect(clippy::print_stdout, reason = "an example's answer")]
pub(crate) fn main() -> io::Result<()> {
    let words: Vec<_> = std::env::args().collect();
    let [.., mistake, last] = &words[..] else { return Err(io::Error::other("a mistake and the last item")) };
    let last = last.parse().map_err(io::Error::other)?;

    let (mut first, mut total, mut computed, mut saves) = (1, 0, 0, 0);
    let start = Instant::now();
    let mut random: u64 = 1;
    if fs::exists("checkpoint")? {
        // The mistake of no-identity: whatever is there is taken for ours.
        (first, total) = load()?;
    }
    if mistake == "threads" {
        in_threads(first, total, last);
        return Ok(());
    }
    let mut sums = sums(mistake)?;
    for item in first..=last {
        // The mistake of random: the generator begins anew, and the numbers are others.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        total += if mistake == "random" { (random >> 33) % 1000 } else { item };
        computed += 1;
        if let Some(sums) = &mut sums {
            writeln!(sums, "{total}")?;
        }
        let next = format!("{} {total}", item + 1);
        match mistake.as_str() {
            // The mistake: what is resumed is done once more, and that after the end, too.
            "counted-twice" => save(mistake, item, &format!("{item} {total}"), "checkpoint")?,
            // The mistake: nobody reads this.
            "other-name" => save(mistake, item, &next, "checkpoint.dat")?,
            // The mistake: this is true all through a second.
            "clock" if start.elapsed().as_secs().is_multiple_of(100) => {
                save(mistake, item, &next, "checkpoint")?;
                saves += 1;
            }
            // The mistake: this is never true.
            "clock-none" if start.elapsed().as_secs_f64() % 100.0 == 0.0 => {
                save(mistake, item, &next, "checkpoint")?;
                saves += 1;
            }
            "clock" | "clock-none" => {}
            "output" if item % 10 > 0 => {}
            _ => save(mistake, item, &next, "checkpoint")?,
        }
        if is("DIE_AT", item) {
            die();
        }
    }
    let has_sums = sums.take().is_some();
    let lines = if has_sums { fs::read_to_string("sums.txt")?.lines().count() } else { 0 };
    match mistake.as_str() {
        "clock" | "clock-none" => println!("{total}, {computed} computed, {saves} saves"),
        _ if has_sums => println!("{total}, {computed} computed, {lines} lines"),
        _ => println!("{total}, {computed} computed"),
    }
    Ok(())
}
