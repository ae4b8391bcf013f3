//! Commands that were killed between two files that they write: what there is goes on.

use std::fs;

use crate::kit::Dir;

#[test]
fn the_partials_copy_of_the_plan_stands_for_it() {
    let dir = Dir::computed();
    fs::remove_file(dir.partial(2)).expect("removed");
    // As `split resume` leaves it that has moved the older plan aside, and is killed then.
    for name in ["plan.json", "plan.dag", "plan.files"] {
        let there = dir.path(name);
        if there.exists() {
            dir.command("mv").arg(there).arg(dir.path(format!("moved-{name}"))).ok();
        }
    }
    dir.split("reduce .").exits(20).says("chunk 2");
    dir.split("resume .").ok().says("1 chunk left of 5");
    assert!(dir.path("plan.json").exists() && dir.path("plan.dag").exists());
    dir.split("run .").answers("55\n").says("8 of 10 items have results already");
}

#[test]
fn without_either_copy_there_is_no_plan() {
    let dir = Dir::computed();
    for name in ["plan.json", "outputs/plan.json"] {
        fs::remove_file(dir.path(name)).expect("removed");
    }
    dir.split("resume .").refuses(5);
}
