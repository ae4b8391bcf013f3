//! What is refused, by name, and what can be chosen.

use std::fs;
use std::io::Read;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use split::checkpoint::{CheckpointError, IDENTITY, Settings, Step};

use crate::kit::{Dir, said};

/// What it says, without the place of the folder.
fn text<T>(dir: &Dir, result: Result<T, CheckpointError>) -> String {
    let error = result.map(|_| ()).expect_err("refused");
    // What `main` gives back is printed as Debug has it.
    assert_eq!(format!("{error:?}"), error.to_string());
    error.to_string().replace(&dir.path("checkpoints").display().to_string(), "[DIR]")
}

fn sum(settings: Settings<u64>, last: u64) -> Result<u64, CheckpointError> {
    settings.range(1..=last, 0, |total, item| *total += item)
}

pub(crate) fn what_was_written_for_something_else() {
    let dir = Dir::new();
    assert_eq!(sum(dir.settings("sum/1").every_steps(40), 100).expect("saved"), 5050);
    let before = dir.files();
    let refused = [
        text(&dir, sum(dir.settings("sum/2"), 100)),
        text(&dir, sum(dir.settings("sum/1"), 10)),
        text(&dir, dir.settings("sum/1").until(0u64, |_| Step::Done(1))),
        text(&dir, dir.settings::<u64>("sum/1").open()),
        text(&dir, dir.settings("sum/1").range(1..=100, String::new(), |_, _| {})),
    ];
    insta::assert_snapshot!("written for something else", refused.join("\n"));
    // Another identity, in the environment of another process.
    let mut command = dir.worker(&["sum", "range"]);
    command.env(IDENTITY, "plan 1f2e, chunk 3");
    let output = command.output().expect("started");
    let said = said(&output);
    assert!(!output.status.success() && said.contains("the identity ``, and this is `plan 1f2e, chunk 3`"), "{said}");
    assert!(dir.files() == before, "a refusal changed a file");
    // Another name has files of its own.
    assert_eq!(sum(dir.settings("other/1"), 10).expect("saved"), 55);

    // Both files damaged: nothing starts anew by itself, and what to type is said.
    for (name, mut bytes) in before {
        bytes[60] ^= 1;
        fs::write(dir.path("checkpoints").join(name), bytes).expect("written");
    }
    insta::assert_snapshot!("both files damaged", text(&dir, sum(dir.settings("sum/1"), 100)));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Older {
    total: u64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Newer {
    total: u64,
    squares: u64,
}

/// With every loop: an older state is migrated, and an answer is given by its own version alone.
pub(crate) fn older_states_in_every_loop() {
    fn settings(dir: &Dir, version: u32) -> Settings<Newer> {
        let settings = dir.settings("sum/1").version(version).every_steps(1).return_when_stopped();
        settings.migrate(|_, old| old.read().map(|Older { total }| Newer { total, squares: 0 }))
    }

    for form in ["range", "until", "threads"] {
        let dir = Dir::new();
        let older = || dir.settings::<Older>("sum/1").every_steps(1);
        // Interrupted after five items.
        let stopped = std::panic::catch_unwind(|| match form {
            "until" => older()
                .until(Older { total: 0 }, |state| {
                    assert!(state.total < 15, "on purpose");
                    state.total += [1, 2, 0, 3, 0, 0, 4, 0, 0, 0, 5][state.total as usize];
                    Step::Continue::<u64>
                })
                .map(|_| ()),
            "threads" => older()
                .threads(
                    1..=10,
                    1,
                    Older { total: 0 },
                    |item: u64| item,
                    |state, item| {
                        assert!(item < 6, "on purpose");
                        state.total += item;
                    },
                )
                .map(|_| ()),
            _ => older()
                .range(1..=10, Older { total: 0 }, |state, item: u64| {
                    assert!(item < 6, "on purpose");
                    state.total += item;
                })
                .map(|_| ()),
        });
        assert!(stopped.is_err());
        let add = |state: &mut Newer, item: u64| {
            state.total += item;
            state.squares += item * item;
        };
        let ended = match form {
            "until" => settings(&dir, 1).until(Newer { total: 0, squares: 0 }, |state| {
                assert_eq!(state.total, 15);
                add(state, 6);
                Step::Done(state.total)
            }),
            "threads" => settings(&dir, 1)
                .threads(1..=10, 2, Newer { total: 0, squares: 0 }, |item| item, add)
                .map(|state| state.total),
            _ => settings(&dir, 1).range(1..=10, Newer { total: 0, squares: 0 }, add).map(|state| state.total),
        };
        assert_eq!(ended.expect("migrated"), if form == "until" { 21 } else { 55 }, "{form}");
    }
    let dir = Dir::new();
    let until = |version| settings(&dir, version).until(Newer { total: 0, squares: 0 }, |_| Step::Done(5u64));
    assert_eq!(until(1).expect("done"), 5);
    let refused = text(&dir, until(2));
    assert!(refused.contains("version 1 of the answer, and the program's is 2; version(1) gives it"), "{refused}");
    assert_eq!(until(1).expect("done"), 5);
}

/// MessagePack has no word for it.
pub(crate) fn a_some_of_nothing() {
    let dir = Dir::new();
    let mut checkpoint = dir.settings::<(u8, Option<Option<u8>>)>("odd/1").open().expect("opened");
    checkpoint.resume().expect("nothing there");
    checkpoint.save(&(1, None)).expect("saved");
    let refused = text(&dir, checkpoint.save(&(1, Some(None))));
    assert!(refused.contains("would come back as None"), "{refused}");
    checkpoint.save(&(1, Some(Some(2)))).expect("saved");
}

/// A save in the background that fails, and nobody ticks any more.
pub(crate) fn a_failure_that_no_tick_is_left_to_tell_of() {
    let dir = Dir::new();
    let output = dir.worker(&["background"]).output().expect("started");
    let said = said(&output);
    assert!(output.status.success() && said.contains("checkpoint sum/1: the last save failed: cannot"), "{said}");
}

pub(crate) fn in_vain() -> Result<(), CheckpointError> {
    let mut checkpoint = Settings::<u64>::new("sum/1").every_steps(1).in_background().open()?;
    checkpoint.resume()?;
    // There the second save is to go.
    fs::create_dir("checkpoints/sum.b.checkpoint").expect("made");
    checkpoint.tick(&1)?;
    checkpoint.tick(&2)
}

pub(crate) fn older_layouts() {
    let dir = Dir::new();
    let mut checkpoint = dir.settings::<Older>("sum/1").version(1).open().expect("opened");
    checkpoint.resume().expect("nothing there");
    checkpoint.save(&Older { total: 7 }).expect("saved");
    drop(checkpoint);

    // A newer layout without a word about it, and with one, but no way from one to the other.
    let newer = |settings: Settings<Newer>| settings.open().and_then(|mut checkpoint| checkpoint.resume());
    let refused = [
        text(&dir, newer(dir.settings("sum/1").version(1))),
        text(&dir, newer(dir.settings("sum/1").version(2))),
        text(&dir, newer(dir.settings("sum/1").migrate(|_, old| old.read()))),
    ];
    insta::assert_snapshot!("older layouts", refused.join("\n"));
    let migrated = newer(dir.settings("sum/1").version(2).migrate(|version, old| {
        assert_eq!(version, 1);
        let Older { total } = old.read()?;
        Ok(Newer { total, squares: 0 })
    }));
    assert_eq!(migrated.expect("migrated"), Some(Newer { total: 7, squares: 0 }));
}

pub(crate) fn ticks_at_the_wrong_time() {
    let dir = Dir::new();
    let mut checkpoint = dir.settings::<u64>("sum/1").open().expect("opened");
    let mut refused = vec![text(&dir, checkpoint.tick(&1)), text(&dir, checkpoint.save(&1))];
    assert_eq!(checkpoint.resume().expect("nothing there"), None);
    checkpoint.tick(&1).expect("well");
    checkpoint.finish(&2).expect("saved");
    assert!(checkpoint.is_done());
    refused.push(text(&dir, checkpoint.tick(&3)));
    drop(checkpoint);
    let before = dir.files();
    let mut checkpoint = dir.settings::<u64>("sum/1").open().expect("opened");
    assert!(checkpoint.is_done());
    assert_eq!(checkpoint.resume().expect("there"), Some(2));
    // A loop that does not see that it is done is stopped at its first tick; one that does ends once more.
    refused.push(text(&dir, checkpoint.tick(&3)));
    checkpoint.finish(&3).expect("nothing to do");
    assert!(dir.files() == before, "the answer was changed");
    insta::assert_snapshot!("ticks at the wrong time", refused.join("\n"));
}

/// Holds a checkpoint until its standard input ends.
#[expect(clippy::print_stdout, reason = "the worker's answer")]
pub(crate) fn hold() -> Result<(), CheckpointError> {
    let checkpoint = Settings::<u64>::new("sum/1").open()?;
    println!("held");
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    drop(checkpoint);
    Ok(())
}

pub(crate) fn two_at_once() {
    let dir = Dir::new();
    let held = dir.settings::<u64>("sum/1").open().expect("opened");
    let here = text(&dir, dir.settings::<u64>("sum/1").open());
    let other = dir.settings::<u64>("other/1").open().expect("another name is free");
    let there = dir.worker(&["hold"]).output().expect("started");
    assert_eq!(there.status.code(), Some(1));
    assert!(said(&there).contains("in use by another process"), "{}", said(&there));
    drop((held, other));
    insta::assert_snapshot!("two at once", here);

    // Held by another process, and free as soon as it is killed.
    let mut child = dir.worker(&["hold"]).stdin(std::process::Stdio::piped()).spawn().expect("started");
    let mut line = [0; 5];
    child.stdout.as_mut().expect("a pipe").read_exact(&mut line).expect("held");
    assert!(text(&dir, dir.settings::<u64>("sum/1").open()).contains("another process"));
    child.kill().expect("killed");
    child.wait().expect("waited for");
    assert!(dir.settings::<u64>("sum/1").open().is_ok());
}

pub(crate) fn settings_that_make_no_sense() {
    let dir = Dir::new();
    let refused = [
        text(&dir, dir.settings::<u64>("../sum").open()),
        text(&dir, dir.settings::<u64>("sum").every_steps(0).open()),
        text(&dir, dir.settings::<u64>("sum").interrupted_every(Duration::ZERO).open()),
        text(&dir, dir.settings("sum").threads(0..9, 0, 0, |item| item, |total, item| *total += item)),
        text(&dir, dir.settings("sum").range(i64::MIN..=i64::MAX, 0, |_, _| {})),
        text(&dir, Settings::<u64>::new("sum").folder("/proc/none").open()),
    ];
    insta::assert_snapshot!("settings that make no sense", refused.join("\n"));
    assert!(dir.files().is_empty(), "a refusal made a file");
    // The ends of a type, and ranges with nothing in them.
    let mut seen = Vec::new();
    dir.settings("ends").range(253..=255u8, 0u8, |_, item| seen.push(item)).expect("saved");
    dir.settings("below").range(-2..1i64, 0u8, |_, item| seen.push(item as u8)).expect("saved");
    dir.settings("empty").range(5..5, 0u8, |_, item: u8| seen.push(item)).expect("saved");
    assert_eq!(seen, [253, 254, 255, 254, 255, 0]);
}

pub(crate) fn in_the_background() {
    let dir = Dir::new();
    let total = sum(dir.settings("sum/1").every_steps(1).in_background(), 100).expect("saved");
    assert_eq!(total, 5050);
    assert_eq!(sum(dir.settings("sum/1"), 100).expect("done"), 5050);
    // There is a save for each tick, one after another, and one at the end.
    let text = dir.files().into_iter().map(|(_, bytes)| String::from_utf8_lossy(&bytes).into_owned());
    assert!(text.clone().any(|text| text.contains("\"generation\":101,\"position\":100,\"done\":true")));
    assert!(text.clone().any(|text| text.contains("\"generation\":100,\"position\":100,\"done\":false")));

    // A folder in the place of the second file: the second save fails, and a later tick says so.
    let dir = Dir::new();
    let mut checkpoint = dir.settings::<u64>("sum/1").every_steps(1).in_background().open().expect("opened");
    checkpoint.resume().expect("nothing there");
    fs::create_dir(dir.path("checkpoints/sum.b.checkpoint")).expect("made");
    checkpoint.tick(&1).expect("well");
    checkpoint.tick(&2).expect("its failure is not known yet");
    let start = Instant::now();
    let failed = loop {
        let ticked = checkpoint.tick(&3);
        if ticked.is_err() || start.elapsed() > Duration::from_secs(10) {
            break ticked;
        }
    };
    assert!(self::text(&dir, failed).contains("cannot write [DIR]/sum.b.checkpoint"));
}

pub(crate) fn when_a_save_is_due() {
    let generation = |dir: &Dir| {
        let text = |(_, bytes): (String, Vec<u8>)| String::from_utf8_lossy(&bytes).into_owned();
        let number = |text: String| text.split_once("\"generation\":")?.1.split(',').next()?.parse::<u64>().ok();
        dir.files().into_iter().map(text).filter_map(number).max().unwrap_or(0)
    };
    // By steps, exactly.
    let dir = Dir::new();
    sum(dir.settings("sum/1").every_steps(30), 100).expect("saved");
    assert_eq!(generation(&dir), 100 / 30 + 1);
    // Never more often than that, whatever else is asked for.
    let dir = Dir::new();
    sum(dir.settings("sum/1").every_steps(1).at_most_every(Duration::from_secs(3600)), 100).expect("saved");
    assert_eq!(generation(&dir), 1);
    let dir = Dir::new();
    sum(dir.settings("sum/1").every(Duration::ZERO).at_most_every(Duration::from_secs(3600)), 100).expect("saved");
    assert_eq!(generation(&dir), 1);
    // By time, as often as it is asked for and no more often; with frequent interruptions by itself.
    for (settings, shortest) in [
        (Settings::new("sum/1").every(Duration::from_millis(10)), Duration::from_millis(10)),
        (Settings::new("sum/1").interrupted_every(Duration::from_millis(300)), Duration::ZERO),
    ] {
        let dir = Dir::new();
        let start = Instant::now();
        let settings = settings.folder(dir.path("checkpoints"));
        let ended = settings.until((), |()| match generation(&dir) >= 3 || start.elapsed() > Duration::from_secs(20) {
            true => Step::Done(()),
            false => Step::Continue,
        });
        ended.expect("saved");
        let saves = generation(&dir);
        assert!(saves >= 4 && start.elapsed() >= shortest * 3, "{saves} in {:?}", start.elapsed());
    }
    // An hour is long, and so is the best interval where nothing ever happens.
    for settings in [
        Settings::new("sum/1").every(Duration::from_secs(3600)),
        Settings::new("sum/1").interrupted_every(Duration::from_secs(1 << 40)),
    ] {
        let dir = Dir::new();
        let settings = settings.folder(dir.path("checkpoints"));
        settings.range(0..1_000_000u64, 0, |sum, item| *sum += item).expect("saved");
        assert_eq!(generation(&dir), 1);
    }
}
