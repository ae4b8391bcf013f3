//! Partials that are not what was written: the right answer or an error that says so, never anything else.

use std::fs;

use crate::kit::{Dir, SPLIT};

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

/// A partial whose payload `edit` has changed, with a checksum that is right all the same: an execute point that lies.
fn forged(whole: &[u8], edit: impl FnOnce(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let end = whole.iter().position(|byte| *byte == b'\n').expect("a header");
    let payload = edit(&whole[end + 1..whole.len() - 1]);
    let header = String::from_utf8(whole[..end].to_vec()).expect("text");
    let (before, _) = header.split_once(",\"checksum\"").expect("it has one");
    let (start, rest) = before.split_once("\"bytes\":").expect("it has one");
    let (_, rest) = rest.split_once(',').expect("more fields");
    let header = format!("{start}\"bytes\":{},{rest}", payload.len());
    let mut crc = crc32fast::Hasher::new();
    crc.update(header.as_bytes());
    crc.update(&payload);
    [format!("{header},\"checksum\":\"{:08x}\"}}\n", crc.finalize()).as_bytes(), &payload, b"\n"].concat()
}

/// A folder with the files of two items in one partial, and that partial.
fn collected(to: &str) -> (Dir, std::path::PathBuf, Vec<u8>) {
    let dir = Dir::new();
    dir.split("run --total 1..=2 --chunks 1 --collect good* --reduce files --to")
        .args([to, "--", "sh", "-c", "echo {item} > good.txt"])
        .ok();
    let path = dir.partial(0);
    let whole = fs::read(&path).expect("read");
    assert_eq!(forged(&whole, <[u8]>::to_vec), whole, "the checksum is made in the same way");
    (dir, path, whole)
}

fn replace(text: &[u8], from: &str, to: &[u8]) -> Vec<u8> {
    let at = text.windows(from.len()).position(|window| window == from.as_bytes()).expect("there");
    [&text[..at], to, &text[at + from.len()..]].concat()
}

#[test]
fn names_that_lead_out_of_the_folder_are_refused() {
    for to in ["out/", "out.zip"] {
        let (dir, path, whole) = collected(to);
        let answer = dir.path(to.trim_end_matches('/'));
        dir.write("kept/x.txt", "mine");
        let long = [b"x/".repeat(5000), b"x".to_vec()].concat();
        for name in
            [&b"../x.txt"[..], b"/tmp/abc", b"a/../../", b"..", b".", b"", b"a//..//b", b"a\0b.text", b"x/", &long]
        {
            let entry = [format!("{} 2\n", name.len()).as_bytes(), name].concat();
            let partial = forged(&whole, |payload| replace(payload, "8 2\ngood.txt", &entry));
            fs::write(&path, partial).expect("written");
            let before = dir.state();
            let shown = String::from_utf8_lossy(name).into_owned();
            let ended = dir.split("reduce .").run();
            assert!(matches!(ended.code, Some(22 | 24)), "{shown}: {}", ended.transcript());
            assert!(!ended.err.contains("panicked"), "{}", ended.transcript());
            assert!(dir.state() == before, "{shown}: nothing was written");
        }
        assert!(answer.exists(), "the answer before is there");
    }
}

#[test]
fn a_link_in_the_way_is_not_followed() {
    let (dir, path, whole) = collected("out/");
    dir.write("kept/x.txt", "mine");
    fs::remove_dir_all(dir.path("out")).expect("removed");
    fs::create_dir(dir.path("out")).expect("made");
    std::os::unix::fs::symlink("../kept", dir.path("out/d")).expect("linked");
    fs::write(&path, forged(&whole, |payload| replace(payload, "good.txt", b"d/xx.txt"))).expect("written");
    dir.split("reduce .").run();
    assert_eq!(dir.names("kept"), ["x.txt"]);
    assert_eq!(dir.read("kept/x.txt"), "mine");
}

/// A reduce that may use two gigabytes of addresses.
fn within_2_gb(dir: &Dir) -> crate::kit::Ended<'_> {
    dir.command("sh").args(["-c", "ulimit -v 2000000; exec \"$0\" reduce .", SPLIT]).run()
}

#[test]
fn lies_about_lengths_are_found_out_at_bounded_memory() {
    let (dir, path, whole) = collected("out/");
    for (from, to) in [
        ("0 1\n8 2\n", "1000000000000000000 1\n8 2\n"),
        ("0 1\n8 2\n", "0 1000000000000000000\n8 2\n"),
        ("0 1\n8 2\n", "0 1\n1000000000000000000 2\n"),
        ("0 1\n8 2\n", "0 1\n8 1000000000000000000\n"),
        ("0 1\n8 2\n", "18446744073709551615 1\n8 2\n"),
        ("0 1\n8 2\n", "340282366920938463463374607431768211456 1\n8 2\n"),
        ("0 1\n8 2\n", "-1 1\n8 2\n"),
        ("0 1\n8 2\n", "0 0\n8 2\n"),
    ] {
        fs::write(&path, forged(&whole, |payload| replace(payload, from, to.as_bytes()))).expect("written");
        let ended = within_2_gb(&dir);
        assert!(matches!(ended.code, Some(1 | 20..=24)), "{to}: {}", ended.transcript());
        assert!(!ended.err.contains("panicked") && !ended.err.contains("memory"), "{}", ended.transcript());
    }
}

/// The answer, and how much memory the reduce took, in kilobytes.
fn measured(dir: &Dir) -> (String, u64) {
    let script = "import resource, subprocess, sys\n\
                  ended = subprocess.run([sys.argv[1], 'reduce', 'outputs'], capture_output=True)\n\
                  print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, ended.stdout.decode(), end='')";
    let ended = dir.command("python3").args(["-c", script, SPLIT]).ok();
    let out = String::from_utf8_lossy(&ended.out).into_owned();
    let (memory, answer) = out.split_once(' ').expect("two words");
    (answer.to_owned(), memory.parse().expect("a number"))
}

#[test]
fn very_many_records_are_refused_at_bounded_memory() {
    let damaged = Damaged::new();
    damaged.put(&damaged.whole);
    let (answer, usual) = measured(&damaged.dir);
    assert_eq!(answer, "55\n");
    damaged.put(&damaged.whole.repeat(500_000));
    let (answer, memory) = measured(&damaged.dir);
    assert_eq!(answer, "55\n");
    assert!(memory < usual + (64 << 10), "{memory} kB, and {usual} kB as usual");
    damaged.dir.split("reduce outputs").answers("55\n").says("far more records than its items can have");
}

#[test]
fn results_that_are_deep_or_endless_are_refused_at_bounded_memory() {
    let dir = Dir::new();
    let deep = "[".repeat(1 << 20);
    let long = "1".repeat(4 << 20);
    for reduce in ["sum", "stats", "hits=sum", "table", "top:3", "union", "histogram"] {
        for text in [&deep, &long] {
            dir.write("result", text);
            dir.split("run --force --total 1..=2 --chunks 2 --reduce").args([reduce, "--", "cat", "result"]).run();
            let ended = within_2_gb(&dir);
            assert!(ended.code.is_some_and(|code| code < 30), "{reduce}: {:?} {}", ended.code, ended.err);
            assert!(!ended.err.contains("panicked") && !ended.err.contains("overflow"), "{reduce}: {}", ended.err);
        }
    }
}
