//! The sum of 1 to 100 with a checkpoint made by hand, with each of the mistakes that are made.
//!
//! ```text
//! cargo run --example checkpoint-by-hand -- other-name|counted-twice|torn|no-identity|clock|random LAST
//! ```
//!
//! `DIE_AT=50` takes the machine away after item 50 is done, `DIE_WRITING=4:3` while item 4 is saved, after 3 bytes. Each prints
//! what it takes for the sum, and how much it computed in this run.

use std::fs;
use std::io::{self, Write};
use std::time::Instant;

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
    for item in first..=last {
        // The mistake of random: the generator begins anew, and the numbers are others.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        total += if mistake == "random" { (random >> 33) % 1000 } else { item };
        computed += 1;
        let next = format!("{} {total}", item + 1);
        match mistake.as_str() {
            // The mistake: what is resumed is done once more, and that after the end, too.
            "counted-twice" => save(mistake, item, &format!("{item} {total}"), "checkpoint")?,
            // The mistake: nobody reads this.
            "other-name" => save(mistake, item, &next, "checkpoint.dat")?,
            // The mistake: this is true all through a second, or in none at all.
            "clock" if start.elapsed().as_secs().is_multiple_of(100) => {
                save(mistake, item, &next, "checkpoint")?;
                saves += 1;
            }
            "clock" => {}
            _ => save(mistake, item, &next, "checkpoint")?,
        }
        if is("DIE_AT", item) {
            die();
        }
    }
    match saves {
        0 => println!("{total}, {computed} computed"),
        _ => println!("{total}, {computed} computed, {saves} saves"),
    }
    Ok(())
}
