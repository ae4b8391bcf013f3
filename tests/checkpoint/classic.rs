//! The sum of 1 to 100: killed at every item in turn, with the library and by hand.

use std::process::Command;

use crate::kit::{Dir, answer, killed, said};

/// Each form in both languages, and in `split`, as the table in examples/checkpoint/README.md has it.
pub(crate) fn what_each_form_comes_to_is_what_its_table_says() {
    let dir = Dir::new();
    let this = std::env::current_exe().expect("this program");
    let [sum, by_hand] = ["sum", "by-hand"].map(|word| format!("'{}' worker {word}", this.display()));
    let split = option_env!("CARGO_BIN_EXE_split").map(|split| format!("'{split}'"));
    let mut words = vec!["--rust", &sum, &by_hand];
    split.iter().for_each(|split| words.extend(["--split", split]));
    let table = answer(dir.python("examples/checkpoint/killed.py", &words));
    let said = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/checkpoint/README.md");
    let said = std::fs::read_to_string(said).expect("there");
    // This test may be built without it.
    let is_built = |line: &&str| cfg!(feature = "rayon") || !line.contains("`rayon`");
    let odd: Vec<_> = table.lines().filter(is_built).filter(|line| !said.lines().any(|there| there == *line)).collect();
    assert!(odd.is_empty(), "{}", odd.join("\n"));
    let is_row = |line: &&str| {
        ["by hand, ", "the library, ", "split "].iter().any(|form| line.starts_with(&format!("| {form}")))
    };
    assert_eq!(
        said.lines().filter(is_row).count(),
        table.lines().count() - 2 + usize::from(split.is_none()),
        "rows that nobody measures"
    );
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
