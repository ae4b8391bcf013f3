//! Attempts that HTCondor takes for lost run to their end beside the next ones: both bring back records, and one counts.

use std::fs;

use crate::job::{bare, sandbox};
use crate::kit::{Dir, Started, until};

/// From item 9 on the program waits until the file `go` is there (or the test is gone).
const PROGRAM: &str = "[ $2 -lt 9 ] || until [ -e \"$1/go\" ] || [ ! -e \"$1\" ]; do sleep 0.02; done; seq $2 $3\n";

fn planned(more: &str) -> Dir {
    let dir = Dir::new();
    dir.write("work.sh", PROGRAM);
    let shown = dir.shown();
    let plan = dir.split("plan --total 1..=20 --chunks 1 --slices 5 --reduce concat").args(more.split_whitespace());
    plan.args(["--", "sh", "work.sh"]).arg(shown).args(["{first}", "{last}"]).ok();
    dir
}

fn answer() -> String {
    (1..=20).map(|item| format!("{item}\n")).collect()
}

fn records(dir: &Dir) -> usize {
    dir.partials().iter().map(|path| fs::read_to_string(path).expect("read").matches("{\"format\":").count()).sum()
}

#[test]
fn both_write_into_the_folder_that_they_share() {
    let dir = planned("--shared-filesystem");
    let start = || -> Started<'_> {
        let numbers = ["exec", "../plan.files/job/job.json", "0", "0", "20"];
        bare(&dir, &dir.path("plan.files/split-runner")).args(numbers).within("outputs").start()
    };
    let one = start();
    until("two slices are kept", || records(&dir) == 2);
    // It goes on behind what the first has finished, of which it knows no more than that.
    let other = start();
    // Whatever is there by then, the second attempt has looked at it when its program waits.
    std::thread::sleep(std::time::Duration::from_millis(300));
    dir.split("reduce .").exits(20).says("12 of 20 items");
    dir.write("go", "");
    assert_eq!((one.wait().code, other.wait().code), (Some(0), Some(0)));
    assert_eq!((dir.partials().len(), records(&dir)), (2, 2 + 3 + 3));
    dir.split("reduce .").answers(&answer()).says("by 5 records");
    for partial in dir.partials() {
        // Either may still be lost, as far as the other has the items.
        let whole = fs::read(&partial).expect("read");
        fs::remove_file(&partial).expect("removed");
        let ended = dir.split("reduce .").run();
        assert!(ended.code == Some(0) && ended.text() == answer() || ended.code == Some(20), "{}", ended.transcript());
        fs::write(&partial, whole).expect("written");
    }
    dir.split("reduce .").answers(&answer()).says("by 5 records");
}

#[test]
fn both_are_brought_back() {
    let dir = planned("");
    dir.write("go", "");
    let numbers = ["exec", "job.json", "0", "0", "20"];
    let mut partials = Vec::new();
    for name in ["one", "two"] {
        sandbox(&dir, name);
        bare(&dir, &dir.path(name).join("condor_exec.exe")).args(numbers).within(name).ok();
        let partial = dir.names(name).into_iter().find(|name| name.ends_with(".part")).expect("a partial");
        partials.push((dir.path(name).join(&partial), dir.path("outputs").join(partial)));
    }
    // One after the other in either order, and each alone: the same answer.
    let result = |said: &str| {
        dir.split("reduce .").answers(&answer()).says(said);
        dir.read("result.json")
    };
    let mut both = Vec::new();
    for order in [[0, 1], [1, 0]] {
        for place in order {
            fs::copy(&partials[place].0, &partials[place].1).expect("brought back");
            both.push(result("by 5 records"));
        }
        for (_, path) in &partials {
            fs::remove_file(path).expect("removed");
        }
    }
    assert_eq!(both[1], both[3], "the order of arrival does not matter");
}
