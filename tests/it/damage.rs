//! Partials that are not what was written: the right answer or an error that says so, never anything else.

use std::fs;

use crate::kit::Dir;

/// A folder whose chunk 2 has this partial; the rest is whole.
struct Damaged {
    dir: Dir,
    whole: Vec<u8>,
}

impl Damaged {
    fn new() -> Self {
        let dir = Dir::computed();
        let path = dir.partial(2);
        let whole = fs::read(&path).expect("read");
        fs::remove_file(path).expect("removed");
        Self { dir, whole }
    }

    /// As [`Damaged::new`], with another attempt that covers the same items.
    fn covered() -> Self {
        let damaged = Self::new();
        damaged.dir.write("outputs/chunk-000002.1-ffffffff.part", &damaged.whole);
        damaged
    }

    fn put(&self, bytes: &[u8]) {
        self.dir.write("outputs/chunk-000002.0-00000000.part", bytes);
    }

    /// The partial is damaged, and the answer not to be had.
    #[track_caller]
    fn is_named(&self, bytes: &[u8], codes: &[i32]) {
        self.put(bytes);
        let ended = self.dir.split("reduce outputs").run();
        let named = ended.err.contains("chunk 2, items 5..=6: chunk-000002.0-00000000.part is damaged");
        let expected = ended.code.is_some_and(|code| codes.contains(&code));
        assert!(named && expected && ended.out.is_empty(), "{}", ended.transcript());
    }

    /// The partial is damaged, and the answer right.
    #[track_caller]
    fn is_harmless(&self, bytes: &[u8]) {
        self.put(bytes);
        let ended = self.dir.split("reduce outputs").answers("55\n");
        ended.says("chunk-000002.0-00000000.part").says("its items are covered without it");
    }
}

#[test]
fn cut_short_at_every_byte() {
    let damaged = Damaged::new();
    for length in 0..damaged.whole.len() {
        damaged.is_named(&damaged.whole[..length], &[21]);
    }
}

#[test]
fn cut_short_and_covered() {
    let damaged = Damaged::covered();
    for length in (0..damaged.whole.len()).step_by(7) {
        damaged.is_harmless(&damaged.whole[..length]);
    }
}

/// The bytes with one bit flipped, for every byte.
fn flips(whole: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..whole.len()).map(|at| {
        let mut flipped = whole.to_vec();
        flipped[at] ^= 1 << (at % 8);
        flipped
    })
}

#[test]
fn a_bit_flipped_in_every_byte() {
    let damaged = Damaged::new();
    for flipped in flips(&damaged.whole) {
        damaged.is_named(&flipped, &[21, 22]);
    }
}

#[test]
fn a_bit_flipped_and_covered() {
    let damaged = Damaged::covered();
    for flipped in flips(&damaged.whole).step_by(7) {
        damaged.is_harmless(&flipped);
    }
}

#[test]
fn bytes_that_are_lost_doubled_or_swapped() {
    let damaged = Damaged::new();
    let end = damaged.whole.len() - 2;
    for at in (0..end).step_by(5) {
        let (before, after) = damaged.whole.split_at(at);
        damaged.is_named(&[before, &after[1..]].concat(), &[21, 22]);
        damaged.is_named(&[before, &after[..1], after].concat(), &[22]);
        let mut swapped = damaged.whole.clone();
        swapped.swap(at, at + 1);
        if swapped != damaged.whole {
            damaged.is_named(&swapped, &[21, 22]);
        }
    }
}

#[test]
fn what_comes_before_the_damage_counts() {
    let dir = Dir::computed();
    let records: Vec<_> = [0, 1].map(|chunk| fs::read(dir.partial(chunk)).expect("read")).to_vec();
    for chunk in [0, 1] {
        fs::remove_file(dir.partial(chunk)).expect("removed");
    }
    let both = records.concat();
    let first = records[0].len();
    for length in (first..both.len()).step_by(5) {
        dir.write("outputs/chunk-000000.0-00000000.part", &both[..length]);
        dir.split("reduce --partial outputs").answers("48\n").says("missing: chunk 1, items 3..=4");
    }
    dir.write("outputs/chunk-000000.0-00000000.part", &both);
    dir.split("reduce outputs").answers("55\n");
}

#[test]
fn what_comes_after_a_record_is_named_and_takes_nothing_from_it() {
    let damaged = Damaged::new();
    for garbage in [&b"\0"[..], b"\n", b"{", b"{\"format\":1", b"Killed\n", &[0; 5000]] {
        damaged.is_harmless(&[&damaged.whole, garbage].concat());
    }
}

#[test]
fn claims_that_are_too_large() {
    let damaged = Damaged::new();
    let text = String::from_utf8(damaged.whole.clone()).expect("text");
    for (claim, huge) in [
        ("\"bytes\":4", "\"bytes\":18446744073709551615"),
        ("\"bytes\":4", "\"bytes\":99999999999999999999999"),
        ("\"bytes\":4", "\"bytes\":-1"),
        ("\"last\":5", "\"last\":340282366920938463463374607431768211455"),
        ("\"first\":4", "\"first\":6"),
    ] {
        let forged = text.replace(claim, huge);
        assert_ne!(forged, text, "{claim}");
        damaged.is_named(forged.as_bytes(), &[21, 22]);
    }
    damaged.is_named(&vec![b'{'; 3 << 20], &[22]);
    damaged.is_named(&vec![b'\n'; 3 << 20], &[22]);
}

#[test]
fn damage_is_computed_again_by_run() {
    let damaged = Damaged::new();
    damaged.put(&damaged.whole[..damaged.whole.len() / 2]);
    damaged.dir.split("run .").answers("55\n").says("8 of 10 items have results already");
}
