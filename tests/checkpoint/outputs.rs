//! Files that a loop writes to: each line once, or an error by name.

use std::fs::{self, OpenOptions};
use std::io::Write;

use split::checkpoint::{CheckpointError, IDENTITY, Output, Settings};

use crate::kit::{Dir, answer, killed, said};

/// What it says, without the place of the folder.
fn text<T>(dir: &Dir, result: Result<T, CheckpointError>) -> String {
    let error = result.map(|_| ()).expect_err("refused");
    error.to_string().replace(&dir.path("").display().to_string(), "")
}

/// The lines of the first so many items.
pub(crate) fn due(items: u64) -> String {
    (1..=items).map(|item| format!("{}\n", item * (item + 1) / 2)).collect()
}

fn settings(dir: &Dir) -> (Settings<u64>, Output) {
    let mut settings = dir.settings("sum/1").every_steps(1);
    let sums = settings.output(dir.path("sums.txt"));
    (settings, sums)
}

/// Adds up and writes until `last` are done, and is interrupted in the middle of the next; gives the item that it began with.
fn run(dir: &Dir, last: u64) -> Result<Option<u64>, CheckpointError> {
    let (settings, mut sums) = settings(dir);
    let mut first = None;
    let work = |total: &mut u64, item: u64| {
        first.get_or_insert(item);
        *total += item;
        writeln!(sums, "{total}").expect("in its loop");
        sums.flush().expect("room");
        assert!(item <= last, "on purpose");
    };
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| settings.range(1..=100, 0, work))) {
        Ok(done) => done.map(|_| first),
        Err(_) => Ok(first),
    }
}

fn sums(dir: &Dir) -> String {
    fs::read_to_string(dir.path("sums.txt")).expect("there")
}

pub(crate) fn what_was_written_after_the_last_save_is_cut_off() {
    let dir = Dir::new();
    for last in [0, 3, 3, 4, 50, 99] {
        run(&dir, last).expect("saved");
        assert_eq!(sums(&dir), due(last + 1), "the line of the item that was interrupted");
    }
    for _ in 0..2 {
        run(&dir, 100).expect("saved");
        assert_eq!(sums(&dir), due(100));
    }
    // After the end the file is its user's: it may be moved away and come back, and be changed.
    fs::remove_file(dir.path("sums.txt")).expect("there");
    assert_eq!(run(&dir, 100).expect("done"), None);
    assert_eq!(sums(&dir), due(100));
    fs::remove_file(dir.path("sums.txt")).expect("there");
    fs::write(dir.path("sums.txt"), "mine").expect("written");
    assert_eq!(run(&dir, 100).expect("done"), None);
    assert_eq!(sums(&dir), "mine");
}

pub(crate) fn a_file_that_is_not_what_was_written_is_not_gone_on_from() {
    let shorten = |dir: &Dir, length: u64| {
        let file = OpenOptions::new().write(true).open(dir.path("sums.txt")).expect("there");
        file.set_len(length).expect("cut");
    };
    let mut refused = Vec::new();
    // Of four lines the last was not saved, and the third alone is newer than the older state.
    let dir = Dir::new();
    run(&dir, 3).expect("saved");
    shorten(&dir, due(3).len() as u64);
    assert_eq!(run(&dir, 4).expect("all of it is there"), Some(4));
    shorten(&dir, due(4).len() as u64 - 1);
    assert_eq!(run(&dir, 10).expect("as the older state has it"), Some(4));
    assert_eq!(sums(&dir), due(11));
    shorten(&dir, 5);
    refused.push(text(&dir, run(&dir, 100)));

    // One bit in what both states have.
    let dir = Dir::new();
    run(&dir, 30).expect("saved");
    let mut bytes = sums(&dir).into_bytes();
    bytes[7] ^= 1;
    fs::write(dir.path("sums.txt"), bytes).expect("written");
    refused.push(text(&dir, run(&dir, 100)));

    // The first save, and the file is gone with both of its names: nothing starts anew by itself.
    let dir = Dir::new();
    run(&dir, 1).expect("saved");
    assert!(!dir.path("checkpoints/sum.b.checkpoint").exists());
    fs::remove_file(dir.path("sums.txt")).expect("there");
    fs::remove_file(dir.path("checkpoints/sum@sums.txt.output")).expect("there");
    refused.push(text(&dir, run(&dir, 100)));
    insta::assert_snapshot!("outputs that are not whole", refused.join("\n"));
}

pub(crate) fn either_name_is_enough() {
    for name in ["sums.txt", "checkpoints/sum@sums.txt.output"] {
        let dir = Dir::new();
        run(&dir, 30).expect("saved");
        fs::remove_file(dir.path(name)).expect("there");
        assert_eq!(run(&dir, 100).expect("gone on with"), Some(31), "{name}");
        assert_eq!(sums(&dir), due(100));
    }
    // A copy of the folder has two files where there was one with two names.
    let dir = Dir::new();
    run(&dir, 30).expect("saved");
    fs::copy(dir.path("sums.txt"), dir.path("copy")).expect("copied");
    fs::rename(dir.path("copy"), dir.path("sums.txt")).expect("renamed");
    assert_eq!(run(&dir, 100).expect("gone on with"), Some(31));
    assert_eq!(sums(&dir), due(100));
}

pub(crate) fn a_file_of_another_is_not_written_over() {
    let dir = Dir::new();
    fs::write(dir.path("sums.txt"), "mine").expect("written");
    let mut refused = vec![text(&dir, run(&dir, 100))];
    assert_eq!(sums(&dir), "mine");
    // In a job of `split`'s another item has left it.
    let mut command = dir.worker(&["sum", "output"]);
    command.env(IDENTITY, "plan 1f2e, chunk 3");
    assert_eq!(answer(command), "5050");
    assert_eq!(sums(&dir), due(100));

    // Outputs that the state was saved without, or with; a higher version says that this is meant.
    let dir = Dir::new();
    run(&dir, 3).expect("saved");
    let range = |settings: Settings<u64>| settings.range(1..=100, 0, |total, item| *total += item);
    refused.push(text(&dir, range(dir.settings("sum/1"))));
    let migrated = || dir.settings("sum/1").version(1).migrate(|_, old| old.read());
    let mut other = migrated();
    let _more = other.output(dir.path("more.txt"));
    assert_eq!(range(other).expect("migrated"), 5050);
    let dir = Dir::new();
    let stopped = dir.settings("sum/1").every_steps(1);
    let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        stopped.range(1..=100, 0u64, |total, item| {
            assert!(item < 4, "on purpose");
            *total += item;
        })
    }));
    assert!(stopped.is_err());
    refused.push(text(&dir, run(&dir, 100)));

    let mut twice = dir.settings("twice/1");
    let (_first, _second) = (twice.output("a/x"), twice.output("b/x"));
    refused.push(text(&dir, range(twice)));
    let mut none = dir.settings("none/1");
    let mut sums = none.output("..");
    refused.push(sums.write(b"x").and_then(|_| sums.flush()).expect_err("no loop").to_string());
    refused.push(text(&dir, range(none)));
    refused.push(sums.write(b"x").expect_err("no loop").to_string());
    insta::assert_snapshot!("outputs that are not the loop's", refused.join("\n"));
}

/// What somebody has under a name is not lost by what a loop does.
pub(crate) fn what_is_its_users_stays() {
    // A result that was renamed, and the loop starts anew.
    let dir = Dir::new();
    run(&dir, 100).expect("done");
    fs::rename(dir.path("sums.txt"), dir.path("first.txt")).expect("renamed");
    for slot in ["a", "b"] {
        fs::remove_file(dir.path(&format!("checkpoints/sum.{slot}.checkpoint"))).expect("there");
    }
    run(&dir, 3).expect("saved");
    assert_eq!(sums(&dir), due(4));
    assert_eq!(fs::read_to_string(dir.path("first.txt")).expect("there"), due(100));

    // A file that came into the way of a loop which had saved before its first line; then the loop goes on.
    let late = |last: u64| {
        let (settings, mut sums) = settings(&dir);
        let work = |total: &mut u64, item: u64| {
            assert!(item <= last, "on purpose");
            *total += item;
            if item > 2 {
                writeln!(sums, "{total}").expect("in its loop");
            }
        };
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| settings.range(1..=100, 0, work)))
    };
    fs::remove_dir_all(dir.path("checkpoints")).expect("there");
    fs::remove_file(dir.path("sums.txt")).expect("there");
    assert!(late(2).is_err());
    fs::remove_file(dir.path("sums.txt")).expect("there");
    fs::write(dir.path("sums.txt"), "mine").expect("written");
    let mut refused = vec![text(&dir, late(100).expect("no panic"))];
    assert_eq!(sums(&dir), "mine");
    fs::rename(dir.path("sums.txt"), dir.path("sums.txt.other")).expect("renamed");
    assert_eq!(late(100).expect("no panic").expect("gone on with"), 5050);
    assert_eq!(sums(&dir), (3..=100u64).map(|item| format!("{}\n", item * (item + 1) / 2)).collect::<String>());

    // The same where something is there to go on from, and where the same loop tries once more.
    let dir = Dir::new();
    let own = || {
        let (settings, sums) = settings(&dir);
        (settings.open().expect("opened"), sums)
    };
    let (mut checkpoint, mut sums_of_own) = own();
    assert_eq!(checkpoint.resume().expect("nothing"), None);
    writeln!(sums_of_own, "one").expect("in its loop");
    checkpoint.save(&1).expect("saved");
    drop((checkpoint, sums_of_own));
    fs::remove_file(dir.path("sums.txt")).expect("there");
    fs::write(dir.path("sums.txt"), "mine").expect("written");
    let (mut checkpoint, _sums) = own();
    refused.push(text(&dir, checkpoint.resume()));
    assert_eq!(sums(&dir), "mine");
    fs::remove_file(dir.path("sums.txt")).expect("there");
    assert_eq!(checkpoint.resume().expect("mended"), Some(1));
    drop(checkpoint);
    assert_eq!(sums(&dir), "one\n");

    // A loop that was done without the output has not written it.
    let dir = Dir::new();
    let without = dir.settings("sum/1").every_steps(1);
    assert_eq!(without.range(1..=100, 0u64, |total, item| *total += item).expect("done"), 5050);
    refused.push(text(&dir, run(&dir, 100)));
    assert!(!dir.path("sums.txt").exists());

    // Two loops of a process with one file, also in a job of split's.
    let dir = Dir::new();
    run(&dir, 100).expect("done");
    let mut other = dir.settings("other/1");
    let _sums = other.output(dir.path("sums.txt"));
    refused.push(text(&dir, other.range(1..=100, 0u64, |total, item| *total += item)));
    assert_eq!(sums(&dir), due(100));
    insta::assert_snapshot!("what is its user's", refused.join("\n"));
}

/// Where no second name reaches, the file is copied at the end, and over nothing that is there by then.
pub(crate) fn a_file_on_another_file_system_is_there_at_the_end() {
    let Ok(other) = tempfile::tempdir_in("/dev/shm") else { return };
    let dir = Dir::new();
    let device = |path: &std::path::Path| std::os::unix::fs::MetadataExt::dev(&path.metadata().expect("there"));
    if device(other.path()) == device(&dir.path("")) {
        return;
    }
    let path = other.path().join("sums.txt");
    let run = |is_in_the_way: bool| {
        let mut settings = dir.settings("sum/1").every_steps(1);
        let mut sums = settings.output(&path);
        settings.range(1..=100, 0, |total: &mut u64, item| {
            *total += item;
            writeln!(sums, "{total}").expect("in its loop");
            if is_in_the_way && item == 50 {
                fs::write(&path, "mine").expect("written");
            }
        })
    };
    let error = run(true).expect_err("refused").to_string();
    assert!(error.contains("is there by now") && error.contains("sum@sums.txt.output"), "{error}");
    assert_eq!(fs::read_to_string(&path).expect("there"), "mine");
    fs::rename(&path, other.path().join("sums.txt.other")).expect("renamed");
    assert_eq!(run(false).expect("done"), 5050);
    assert_eq!(fs::read_to_string(&path).expect("there"), due(100));
}

pub(crate) fn a_loop_with_an_output_changes_its_language_half_way() {
    let python = |dir: &Dir| dir.python("examples/checkpoint/sum.py", &["output"]);
    let rust = |dir: &Dir| dir.worker(&["sum", "output"]);
    for starts in [[&python as &dyn Fn(&Dir) -> _, &rust], [&rust, &python]] {
        let dir = Dir::new();
        for (turn, item) in [5, 37, 38, 90].into_iter().enumerate() {
            let mut command = starts[turn % 2](&dir);
            command.env("DIE_AT", item.to_string());
            killed(command);
        }
        for start in starts {
            assert_eq!(answer(start(&dir)), "5050");
            assert_eq!(sums(&dir), due(100));
        }
    }
    // Both say the same of what they refuse.
    let dir = Dir::new();
    let mut command = rust(&dir);
    command.env("DIE_AT", "20");
    killed(command);
    fs::write(dir.path("sums.txt"), "").expect("written");
    let refused = starts_refused(&dir, [&python, &rust]);
    assert!(refused[0] == refused[1] && refused[0].contains("goes with"), "{refused:?}");
}

/// The last line that each says.
fn starts_refused(dir: &Dir, starts: [&dyn Fn(&Dir) -> std::process::Command; 2]) -> Vec<String> {
    starts
        .iter()
        .map(|start| {
            let output = start(dir).output().expect("started");
            assert!(!output.status.success());
            let text = said(&output);
            let start = text.rfind("the checkpoint `sum/1`").expect("refused");
            text[start..].trim_end().to_owned()
        })
        .collect()
}
