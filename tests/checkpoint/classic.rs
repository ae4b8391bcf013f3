//! The sum of 1 to 100: killed at every item in turn, by the library and by hand.

use std::process::Command;

use crate::kit::{Dir, answer, killed, said};

/// Kills at each item in turn, each run going on from the one before; then lets it end, twice.
fn kill_at_each(start: impl Fn(&Dir) -> Command) {
    let dir = Dir::new();
    for item in 1..=100 {
        let mut command = start(&dir);
        command.env("DIE_AT", item.to_string());
        killed(command);
    }
    for _ in 0..2 {
        assert_eq!(answer(start(&dir)), "5050");
    }
}

pub(crate) fn ours_is_right_whenever_it_is_killed() {
    let forms: &[&str] = match cfg!(feature = "rayon") {
        true => &["range", "until", "own", "threads", "rayon"],
        false => &["range", "until", "own", "threads"],
    };
    for form in forms {
        kill_at_each(|dir| dir.worker(&["sum", form]));
    }
    let dir = Dir::new();
    assert_eq!(answer(dir.worker(&["sum", "plain"])), "5050");
}

pub(crate) fn ours_is_right_whenever_it_is_killed_in_python() {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/checkpoint/sum.py");
    for form in ["steps", "until", "own"] {
        let dir = Dir::new();
        assert_eq!(answer(dir.python("tests/checkpoint/at_each_item.py", &[program, form])), "100");
        for _ in 0..2 {
            assert_eq!(answer(dir.python("examples/checkpoint/sum.py", &[form])), "5050");
        }
    }
    let dir = Dir::new();
    assert_eq!(answer(dir.python("examples/checkpoint/sum.py", &["plain"])), "5050");
}

pub(crate) fn the_mistakes_are_what_they_are_said_to_be() {
    mistakes(1, |dir, mistake, last| dir.worker(&["by-hand", mistake, last]));
}

pub(crate) fn the_mistakes_are_what_they_are_said_to_be_in_python() {
    let by_hand = |dir: &Dir, mistake: &str, last: &str| dir.python("examples/checkpoint/by_hand.py", &[mistake, last]);
    mistakes(33, by_hand);

    // The class has another name in a later version of the program.
    let dir = Dir::new();
    killed(with(by_hand(&dir, "pickle", "100"), "DIE_AT", "50"));
    let output = with(by_hand(&dir, "pickle", "100"), "RENAMED", "1").output().expect("started");
    assert!(!output.status.success() && said(&output).contains("Can't get attribute 'Sum'"), "{}", said(&output));
}

fn with(mut command: Command, variable: &str, value: &str) -> Command {
    command.env(variable, value);
    command
}

/// Each mistake, and what it leads to. `every` says after how many items one is killed.
fn mistakes(every: usize, by_hand: impl Fn(&Dir, &str, &str) -> Command) {
    for item in (1..=100).step_by(every) {
        let kill = |dir: &Dir, mistake: &str| killed(with(by_hand(dir, mistake, "100"), "DIE_AT", &item.to_string()));
        // What is read is not what is written: everything is computed again.
        let dir = Dir::new();
        kill(&dir, "other-name");
        assert_eq!(answer(by_hand(&dir, "other-name", "100")), "5050, 100 computed");

        // The last item is counted twice, or four times after three kills.
        let dir = Dir::new();
        kill(&dir, "counted-twice");
        let (once, total) = (101 - item, 5050 + item);
        assert_eq!(answer(by_hand(&dir, "counted-twice", "100")), format!("{total}, {once} computed"));
        // And again at each run after the end.
        for run in 1..=2 {
            assert_eq!(answer(by_hand(&dir, "counted-twice", "100")), format!("{}, 1 computed", total + 100 * run));
        }
    }
    let dir = Dir::new();
    for _ in 0..3 {
        killed(with(by_hand(&dir, "counted-twice", "100"), "DIE_AT", "50"));
    }
    assert_eq!(answer(by_hand(&dir, "counted-twice", "100")), "5200, 51 computed");

    // Killed between the opening and the writing: an error at each restart.
    let dir = Dir::new();
    killed(with(by_hand(&dir, "torn", "100"), "DIE_WRITING", "4:0"));
    for _ in 0..2 {
        assert!(!by_hand(&dir, "torn", "100").output().expect("started").status.success());
    }
    // Killed after the first three of `5 10`: a wrong answer, without a word.
    let dir = Dir::new();
    killed(with(by_hand(&dir, "torn", "100"), "DIE_WRITING", "4:3"));
    assert_eq!(answer(by_hand(&dir, "torn", "100")), "5041, 96 computed");

    // The sum of 1 to 100 goes on as that of 1 to 10, which is 55.
    let dir = Dir::new();
    killed(with(by_hand(&dir, "no-identity", "100"), "DIE_AT", "50"));
    assert_eq!(answer(by_hand(&dir, "no-identity", "10")), "1275, 0 computed");

    // "Every 100 seconds" is at each of a hundred items.
    let dir = Dir::new();
    assert_eq!(answer(by_hand(&dir, "clock", "100")), "5050, 100 computed, 100 saves");

    // The same program has another answer when it was interrupted.
    let (dir, undisturbed) = (Dir::new(), Dir::new());
    killed(with(by_hand(&dir, "random", "100"), "DIE_AT", "50"));
    let sum = |answer: String| answer.split(',').next().map(str::to_owned);
    assert_ne!(sum(answer(by_hand(&dir, "random", "100"))), sum(answer(by_hand(&undisturbed, "random", "100"))));
}
