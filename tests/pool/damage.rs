//! Partials that are damaged on the access point.

use std::collections::BTreeSet;
use std::fs;

use crate::pool::Pool;

pub(crate) fn a_damaged_partial_is_named_and_computed_again(pool: &Pool) {
    let folder = pool.folder("damaged");
    folder.split("plan --total 1..=100 --chunks 10 -- seq {first} {last}").ok();
    assert_eq!(folder.submit(), Some(0));
    let partials = folder.partials();
    let path = |chunk: usize| folder.path("outputs").join(&partials[chunk].name);
    let whole = fs::read(path(2)).expect("readable");

    fs::write(path(2), &whole[..whole.len() - 5]).expect("written");
    folder.split("reduce outputs/").fails(21, &["chunk 2, items 21..=30", "ends too early"]);

    fs::write(path(2), &whole).expect("written");
    let mut flipped = fs::read(path(7)).expect("readable");
    let middle = flipped.len() - 10;
    flipped[middle] ^= 1;
    fs::write(path(7), flipped).expect("written");
    folder.split("reduce outputs/").fails(22, &["chunk 7, items 71..=80", "checksum"]);

    fs::write(path(2), b"").expect("written");
    folder.split("reduce outputs/").fails(22, &["chunk 2, items 21..=30", "chunk 7, items 71..=80"]);

    // What HTCondor finished is not repeated here.
    let before: BTreeSet<_> = partials.into_iter().map(|partial| partial.name).collect();
    assert_eq!(folder.split("run .").ok(), "5050\n");
    let new = folder.names("outputs").into_iter().filter(|name| name.ends_with(".part") && !before.contains(name));
    let new: Vec<_> = new.map(|name| name[..12].to_owned()).collect();
    assert_eq!(new, ["chunk-000002", "chunk-000007"]);
    assert_eq!(folder.split("reduce outputs/").ok(), "5050\n");
}

/// The pool computes again what was damaged, and nothing else, when the same plan is written anew.
pub(crate) fn a_damaged_partial_is_computed_again_on_the_pool(pool: &Pool) {
    let folder = pool.folder("damaged-again");
    let plan = "--total 1..=100 --chunks 10 -- seq {first} {last}";
    folder.split(&format!("plan {plan}")).ok();
    assert_eq!(folder.submit(), Some(0));
    let before = folder.partials();
    let path = folder.path("outputs").join(&before[4].name);
    let mut flipped = fs::read(&path).expect("readable");
    let middle = flipped.len() - 10;
    flipped[middle] ^= 1;
    fs::write(path, flipped).expect("written");
    folder.split(&format!("plan --keep {plan}")).ok();
    assert_eq!(folder.submit(), Some(0));
    assert_eq!(folder.partials().len(), before.len() + 1);
    assert_eq!(folder.split("reduce outputs/").ok(), "5050\n");
}
