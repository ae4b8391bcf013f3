//! What one language wrote, the other reads.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde::{Deserialize, Serialize};
use split::checkpoint::wide;

use crate::kit::{Dir, answer};

/// Everything that both languages have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Mixture {
    #[serde(with = "wide")]
    wide: i128,
    small: i64,
    large: u64,
    real: f64,
    list: Vec<f64>,
    texts: BTreeMap<String, i64>,
    numbered: BTreeMap<u64, String>,
    pair: (bool, i8),
    maybe: Option<Box<Mixture>>,
    nested: Vec<Vec<u16>>,
}

fn mixture() -> impl Strategy<Value = Mixture> {
    let real = prop_oneof![
        any::<f64>().prop_filter("NaN is not itself", |real| !real.is_nan()),
        Just(-0.0),
        Just(f64::INFINITY),
        Just(5e-324)
    ];
    let edge = prop_oneof![any::<i64>(), (0u32..64).prop_map(|bits| 1i64 << bits), -200i64..200];
    let short = (
        prop_oneof![any::<i128>(), edge.clone().prop_map(i128::from), Just(1 << 64), Just(-(1 << 63) - 1)],
        edge,
        any::<u64>(),
        real.clone(),
        prop::collection::vec(real, 0..40),
        prop::collection::btree_map(".{0,40}", any::<i64>(), 0..20),
        prop::collection::btree_map(any::<u64>(), "[a-zäß€]{0,300}", 0..3),
        any::<(bool, i8)>(),
        prop::collection::vec(prop::collection::vec(any::<u16>(), 0..20), 0..20),
    );
    let one = short.prop_map(|(wide, small, large, real, list, texts, numbered, pair, nested)| Mixture {
        wide,
        small,
        large,
        real,
        list,
        texts,
        numbered,
        pair,
        maybe: None,
        nested,
    });
    (one.clone(), prop::option::of(one)).prop_map(|(mut outer, inner)| {
        outer.maybe = inner.map(Box::new);
        outer
    })
}

pub(crate) fn what_rust_writes_python_reads_and_the_other_way_round() {
    const CASES: usize = 60;
    let dir = Dir::new();
    let mut runner = TestRunner::deterministic();
    let states: Vec<_> = (0..CASES).map(|_| mixture().new_tree(&mut runner).expect("a mixture").current()).collect();
    for (case, state) in states.iter().enumerate() {
        let mut checkpoint = dir.settings(&format!("case-{case}/1")).open().expect("opened");
        assert!(checkpoint.resume().expect("nothing there").is_none());
        checkpoint.save(state).expect("saved");
    }
    // Python reads each, says what it reads, and saves it under its own name; `again.py` says how.
    let said = answer(dir.python("tests/checkpoint/again.py", &[&CASES.to_string()]));
    let said: Vec<_> = said.lines().collect();
    for (case, state) in states.iter().enumerate() {
        let mut checkpoint = dir.settings::<Mixture>(&format!("again-{case}/1")).open().expect("opened");
        let again = checkpoint.resume().expect("read").expect("there");
        assert_eq!(again, *state);
        assert_eq!(again.real.to_bits(), state.real.to_bits());
        let facts = format!("{} {} {:016x}", state.wide, state.texts.len(), state.real.to_bits());
        assert_eq!(said[case], facts, "Python read something else");
        let files = dir.files();
        let payload = |name: String| {
            let (_, bytes) = files.iter().find(|(there, _)| *there == name).expect("there");
            bytes.splitn(3, |byte| *byte == b'\n').nth(2).expect("a payload").to_vec()
        };
        // The two write the same value in the same bytes.
        assert!(
            payload(format!("case-{case}.a.checkpoint")) == payload(format!("again-{case}.a.checkpoint")),
            "{state:?}"
        );
    }
}

pub(crate) fn a_loop_changes_its_language_half_way() {
    #[derive(Serialize, Deserialize)]
    struct State {
        total: u64,
    }
    // Begun in Python and killed; ended in Rust; known in Python.
    let dir = Dir::new();
    let python = |die_at: &str| {
        let mut command = dir.python("examples/checkpoint/sum.py", &["steps"]);
        command.env("DIE_AT", die_at);
        command
    };
    crate::kit::killed(python("37"));
    let mut first = None;
    let state = dir.settings("sum/1").range(1..=100, State { total: 0 }, |state, item| {
        first.get_or_insert(item);
        state.total += item;
    });
    assert_eq!((state.expect("saved").total, first), (5050, Some(37)));
    assert_eq!(answer(python("1")), "5050");
}
