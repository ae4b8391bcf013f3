//! The laws of [`Reducer`], tested over every reducer at once.

use std::mem::discriminant;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use super::{Entry, Grouped, Key, Merger, NoAnswer, Number, Reducer};
use crate::plan::{Reduction, Word};
use crate::space::Interval;

/// Runs `$check(&reducer, results, arguments...)` for every reducer, each with the kinds of results that it takes.
macro_rules! for_every_reducer {
    ($numbers:expr, $check:ident($($argument:expr),*)) => {{
        for (reductions, results) in KINDS {
            let results = results($numbers);
            for reduction in *reductions {
                let reducer = Merger::of(&reduction.parse().expect("a reduction")).expect("of values");
                $check(&reducer, &results, $($argument),*).map_err(|error| TestCaseError::fail(format!("{reduction}: {error}")))?;
                let names = ["group".to_owned()];
                let grouped = Grouped { reducer: &reducer, names: &names, answer: "answer", key: &group };
                $check(&grouped, &results, $($argument),*).map_err(|error| TestCaseError::fail(format!("{reduction} by group: {error}")))?;
            }
        }
    }};
}

/// Makes the results of items, one each, from numbers.
pub(super) type Results = fn(&[String]) -> Vec<String>;

/// Reducers, and results of a kind that they take.
pub(super) const KINDS: &[(&[&str], Results)] = &[
    (
        &[
            "sum",
            "product",
            "min",
            "max",
            "count",
            "mean",
            "stats",
            "histogram:-5..5:0.5",
            "quantiles",
            "argmin",
            "argmax",
            "top:3",
            "any",
            "all",
            "union",
        ],
        <[String]>::to_vec,
    ),
    (&["sum", "product", "min", "max", "mean", "stats", "union"], arrays),
    (&["histogram", "any", "top:100"], integers),
    (&["histogram:-1,0,1e30"], counts),
    (&["mean", "stats"], summaries),
    (&["a=sum,b=stats,c=top:2,d=union,e=quantiles:0.3,f=mean"], objects),
    (&["count", "union"], texts),
];

/// Whether a merge has a [`Reducer`], whose laws are tested here; the others are tested in the room `answer`, over partials.
fn has_reducer(reduction: &Reduction) -> bool {
    match reduction {
        Reduction::Concat | Reduction::Table | Reduction::Files | Reduction::With(_) => false,
        Reduction::Sum
        | Reduction::Product
        | Reduction::Min
        | Reduction::Max
        | Reduction::Count
        | Reduction::Mean
        | Reduction::Stats
        | Reduction::Histogram(_)
        | Reduction::Quantiles(_)
        | Reduction::Argmin
        | Reduction::Argmax
        | Reduction::Top(_)
        | Reduction::Any
        | Reduction::All
        | Reduction::Union
        | Reduction::Fields(_) => true,
    }
}

/// Arrays of one shape; where there are many, some of another one.
fn arrays(numbers: &[String]) -> Vec<String> {
    let array = |(place, number): (usize, &str)| match place {
        15 | 17 => format!("[{number}]"),
        20 => number.to_owned(),
        _ => format!("[[{number}, 1],\n [0.5, {number}]]"),
    };
    numbers.iter().map(|number| number.trim().trim_start_matches('+')).enumerate().map(array).collect()
}

fn integers(numbers: &[String]) -> Vec<String> {
    let is_integer = |number: &&String| matches!(Number::parse(number.as_bytes()), Some(Number::Integer(_)));
    numbers.iter().filter(is_integer).cloned().collect()
}

fn counts(numbers: &[String]) -> Vec<String> {
    let count = |(place, number): (usize, &String)| match place % 2 {
        0 => format!("{{\"{}\": {place}}}", number.trim()),
        _ => format!("{} {place}", number.trim()),
    };
    numbers.iter().enumerate().map(count).collect()
}

fn summaries(numbers: &[String]) -> Vec<String> {
    let summary = |(place, number): (usize, &String)| {
        let number = number.trim();
        let size = number.trim_start_matches(['+', '-']);
        match place % 3 {
            0 => number.to_owned(),
            _ => format!("{{\"n\": {place}, \"mean\": {number}, \"var\": {size}}}"),
        }
    };
    numbers.iter().enumerate().map(summary).collect()
}

fn objects(numbers: &[String]) -> Vec<String> {
    let object = |number: &String| {
        let names: Vec<_> =
            ["a", "b", "c", "d", "e", "f"].iter().map(|name| format!("\"{name}\": {}", number.trim())).collect();
        format!("{{{}}}", names.join(", "))
    };
    numbers.iter().map(object).collect()
}

fn texts(numbers: &[String]) -> Vec<String> {
    numbers.iter().map(|number| format!("text {}", number.len() % 7)).collect()
}

/// The group of an item.
fn group(item: u128) -> Key {
    vec![Word::from((item / 2 % 3).to_string().as_str())]
}

/// A number in one of the ways a program might print it.
fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (-12i32..12).prop_map(|value| value.to_string()),
        2 => (-6i32..6).prop_map(|halves| format!("{:.1}", f64::from(halves) / 2.0)),
        2 => any::<i64>().prop_map(|value| value.to_string()),
        2 => any::<i128>().prop_map(|value| value.to_string()),
        2 => "[-+]?[0-9]{38,60}",
        1 => "[-+]?[1-9][0-9]{300,330}",
        4 => any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |value| value.is_finite()).prop_map(|value| format!("{value:e}")),
        2 => (any::<bool>(), 0u64..1 << 53).prop_map(|(negative, bits)| {
            format!("{:e}", f64::from_bits(bits | u64::from(negative) << 63))
        }),
        2 => (-1074i32..1024, any::<bool>()).prop_map(|(exponent, negative)| {
            format!("{}{:e}", if negative { "-" } else { "+" }, 2f64.powi(exponent))
        }),
        1 => Just("-0.0".to_owned()),
        // The border between doubles that are integers and those that are not.
        1 => (-3i64..3).prop_map(|offset| ((1 << 53) + offset).to_string()),
    ]
}

/// A line that holds a number, with what is tolerated around it, or nothing.
fn decorated(number: String) -> impl Strategy<Value = String> {
    prop_oneof![
        6 => Just(number.clone()),
        1 => Just(format!("  {number}\t\r")),
        1 => Just(format!("\n \r\n{number}")),
    ]
}

/// The lines of a whole computation: numbers, then some of them again with the other sign, in any order, and in one
/// list of six what no sum comes back from.
pub(super) fn computation() -> impl Strategy<Value = Vec<String>> {
    let special = prop_oneof![Just("inf"), Just("-inf"), Just("Infinity"), Just("nan"), Just("0"), Just("0.0"),];
    let specials = prop_oneof![5 => Just(Vec::new()), 1 => vec(special, 1..3)];
    (vec(number(), 0..40), 0usize..40, specials)
        .prop_map(|(mut numbers, cancelled, specials)| {
            let opposite: Vec<String> = numbers.iter().take(cancelled).map(|number| negated(number)).collect();
            numbers.extend(opposite);
            numbers.extend(specials.into_iter().map(str::to_owned));
            numbers
        })
        .prop_shuffle()
        .prop_flat_map(|numbers| numbers.into_iter().map(decorated).collect::<Vec<_>>())
}

fn negated(number: &str) -> String {
    match number.strip_prefix('-') {
        Some(positive) => positive.to_owned(),
        None => format!("-{}", number.trim_start_matches('+')),
    }
}

/// The state after the results of items, the first of which has the number `first`, each a text of its own.
fn taken<R: Reducer>(reducer: &R, results: &[String], first: usize) -> R::State {
    let mut state = reducer.identity();
    for (place, result) in (first..).zip(results) {
        take(reducer, &mut state, place, std::slice::from_ref(result));
    }
    state
}

/// Takes in one text of several items.
fn take<R: Reducer>(reducer: &R, state: &mut R::State, first: usize, results: &[String]) {
    if let Some(items) = Interval::new(first as u128, (first + results.len()) as u128) {
        let text = results.join("\n");
        reducer.take(state, &Entry::new(items, text.as_bytes())).unwrap_or_else(|error| panic!("{text}: {error}"));
    }
}

fn merged<R: Reducer>(reducer: &R, mut left: R::State, right: R::State) -> R::State {
    reducer.merge(&mut left, right);
    left
}

/// The state, written down and read again.
fn again<R: Reducer>(state: &R::State) -> R::State {
    serde_json::from_str(&serde_json::to_string(state).expect("plain values")).expect("as written")
}

/// The answer; of results that do not fit, their shapes.
fn text<R: Reducer>(reducer: &R, state: R::State) -> String {
    match reducer.finish(state) {
        Ok(value) => value.to_json(),
        Err(NoAnswer::Nothing) => "nothing".to_owned(),
        // The line depends on how many items share a text.
        Err(NoAnswer::Misfit { bad, .. }) => {
            bad.to_string().split_once(" holds ").map(|(_, shapes)| shapes.to_owned()).unwrap_or_default()
        }
    }
}

fn check_identity<R: Reducer>(reducer: &R, results: &[String]) -> TestCaseResult {
    let alone = text(reducer, taken(reducer, results, 0));
    let after = merged(reducer, reducer.identity(), taken(reducer, results, 0));
    let before = merged(reducer, taken(reducer, results, 0), reducer.identity());
    prop_assert_eq!(&alone, &text(reducer, after));
    prop_assert_eq!(&alone, &text(reducer, before));
    Ok(())
}

fn check_associativity<R: Reducer>(reducer: &R, results: &[String], ends: (usize, usize)) -> TestCaseResult {
    let first = ends.0.min(results.len());
    let second = (first + ends.1).min(results.len());
    let parts = || {
        let part = |from: usize, to: usize| taken(reducer, &results[from..to], from);
        (part(0, first), part(first, second), part(second, results.len()))
    };
    let (a, b, c) = parts();
    let left = merged(reducer, merged(reducer, a, b), c);
    let (a, b, c) = parts();
    let right = merged(reducer, a, merged(reducer, b, c));
    prop_assert_eq!(text(reducer, left), text(reducer, right));
    Ok(())
}

/// A piece of the computation: how many items it has, whether they share a text, whether the state before it takes it in or it
/// starts a state of its own, and whether that state is written down and read again.
type Piece = (usize, bool, bool, bool);

fn check_cut_and_tree<R: Reducer>(
    reducer: &R,
    results: &[String],
    pieces: &[Piece],
    merges: &[(prop::sample::Index, bool)],
) -> TestCaseResult {
    let expected = text(reducer, taken(reducer, results, 0));
    let mut first = 0usize;
    let mut states = vec![reducer.identity()];
    for &(length, shared, own, saved) in pieces.iter().chain(&[(usize::MAX, false, true, true)]) {
        let piece = &results[first..first.saturating_add(length).min(results.len())];
        if own {
            states.push(reducer.identity());
        }
        let last = states.last_mut().expect("there is a state");
        let texts = if shared { piece.len().max(1) } else { 1 };
        for (place, text) in piece.chunks(texts).enumerate() {
            take(reducer, last, first + place * texts, text);
        }
        if saved {
            *last = again::<R>(last);
        }
        first += piece.len();
    }
    for (merge, saved) in merges.iter().cycle() {
        if states.len() == 1 {
            break;
        }
        // Neighbours only, so that item order is kept; which of them first is what shapes the tree.
        let index = merge.index(states.len() - 1);
        let right = states.remove(index + 1);
        reducer.merge(&mut states[index], right);
        if *saved {
            states[index] = again::<R>(&states[index]);
        }
    }
    let state = states.pop().expect("there is a state");
    prop_assert_eq!(text(reducer, state), expected);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_identity_changes_nothing(numbers in computation()) {
        for_every_reducer!(&numbers, check_identity());
    }

    #[test]
    fn merging_is_associative(numbers in computation(), ends in (0usize..40, 0usize..40)) {
        for_every_reducer!(&numbers, check_associativity(ends));
    }

    #[test]
    fn neither_the_cut_nor_the_tree_shows(
        numbers in computation(),
        pieces in vec((0usize..9, any::<bool>(), any::<bool>(), any::<bool>()), 0..30),
        merges in vec((any::<prop::sample::Index>(), any::<bool>()), 1..30),
    ) {
        for_every_reducer!(&numbers, check_cut_and_tree(&pieces, &merges));
    }
}

#[test]
fn the_numbers_of_one_item_are_merged_like_those_of_several() {
    // Several values of one item come in one text or in several.
    for reduction in ["sum", "mean", "stats", "quantiles", "argmax", "top:2", "histogram", "union", "count"] {
        let reducer = Merger::of(&reduction.parse().expect("a reduction")).expect("of values");
        let item = Interval::new(4, 5).expect("one item");
        let mut one = reducer.identity();
        reducer.take(&mut one, &Entry::new(item, b"3\n1\n\n2")).expect("numbers");
        let mut several = reducer.identity();
        for text in ["3\n", "1\n\n", "2"] {
            reducer.take(&mut several, &Entry::part(item, text.as_bytes(), 0, None)).expect("numbers");
        }
        assert_eq!(text(&reducer, one), text(&reducer, several), "{reduction}");
    }
}

#[test]
fn no_merge_is_left_out() {
    let tested: Vec<Reduction> =
        KINDS.iter().flat_map(|(names, _)| *names).map(|name| name.parse().expect("a reduction")).collect();
    for name in Reduction::SPELLINGS {
        let reduction: Reduction = name.parse().expect("a reduction");
        let is_tested = tested.iter().any(|tested| discriminant(tested) == discriminant(&reduction));
        assert_eq!(is_tested, has_reducer(&reduction), "{name}");
        assert_eq!(Merger::of(&reduction).is_some(), has_reducer(&reduction), "{name}");
    }
}
