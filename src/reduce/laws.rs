//! The laws of [`Reducer`], tested over every reducer at once.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Count, Max, Min, Product, Reducer, Sum};

/// Runs `$check(&reducer, arguments...)` for every reducer.
macro_rules! for_every_reducer {
    ($check:ident($($argument:expr),*)) => {{
        $check(&Sum, $($argument),*)?;
        $check(&Product, $($argument),*)?;
        $check(&Min, $($argument),*)?;
        $check(&Max, $($argument),*)?;
        $check(&Count, $($argument),*)?;
    }};
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
fn computation() -> impl Strategy<Value = Vec<String>> {
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

fn absorbed<R: Reducer>(reducer: &R, lines: &[String]) -> R::State {
    let mut state = reducer.identity();
    reducer.absorb(&mut state, lines.join("\n").as_bytes()).expect("these are numbers");
    state
}

fn merged<R: Reducer>(reducer: &R, mut left: R::State, right: R::State) -> R::State {
    reducer.merge(&mut left, right);
    left
}

fn text<R: Reducer>(reducer: &R, state: R::State) -> Option<String> {
    reducer.finish(state).map(|number| number.to_string())
}

fn check_identity<R: Reducer>(reducer: &R, lines: &[String]) -> Result<(), TestCaseError> {
    let alone = text(reducer, absorbed(reducer, lines));
    let after = merged(reducer, reducer.identity(), absorbed(reducer, lines));
    let before = merged(reducer, absorbed(reducer, lines), reducer.identity());
    prop_assert_eq!(&alone, &text(reducer, after));
    prop_assert_eq!(&alone, &text(reducer, before));
    Ok(())
}

fn check_associativity<R: Reducer>(reducer: &R, parts: [&[String]; 3]) -> Result<(), TestCaseError> {
    let [a, b, c] = parts.map(|lines| absorbed(reducer, lines));
    let left = merged(reducer, merged(reducer, a, b), c);
    let [a, b, c] = parts.map(|lines| absorbed(reducer, lines));
    let right = merged(reducer, a, merged(reducer, b, c));
    prop_assert_eq!(text(reducer, left), text(reducer, right));
    Ok(())
}

/// A piece of the computation: how many lines its payload holds, whether that ends in a newline, and whether the
/// state before it takes it in or it starts a state of its own.
type Piece = (usize, bool, bool);

fn check_cut_and_tree<R: Reducer>(
    reducer: &R,
    lines: &[String],
    pieces: &[Piece],
    merges: &[prop::sample::Index],
) -> Result<(), TestCaseError> {
    let expected = text(reducer, absorbed(reducer, lines));
    let mut rest = lines;
    let mut states = vec![reducer.identity()];
    for &(length, newline, own) in pieces.iter().chain(&[(usize::MAX, true, true)]) {
        let (piece, after) = rest.split_at(length.min(rest.len()));
        rest = after;
        let mut payload = piece.join("\n");
        if newline {
            payload.push('\n');
        }
        if own {
            states.push(reducer.identity());
        }
        let last = states.last_mut().expect("there is a state");
        reducer.absorb(last, payload.as_bytes()).expect("these are numbers");
    }
    for merge in merges.iter().cycle() {
        if states.len() == 1 {
            break;
        }
        // Neighbours only, so that item order is kept; which of them first is what shapes the tree.
        let index = merge.index(states.len() - 1);
        let right = states.remove(index + 1);
        reducer.merge(&mut states[index], right);
    }
    let state = states.pop().expect("there is a state");
    prop_assert_eq!(text(reducer, state), expected);
    Ok(())
}

proptest! {
    #[test]
    fn the_identity_changes_nothing(lines in computation()) {
        for_every_reducer!(check_identity(&lines));
    }

    #[test]
    fn merging_is_associative(a in computation(), b in computation(), c in computation()) {
        for_every_reducer!(check_associativity([&a, &b, &c]));
    }

    #[test]
    fn neither_the_cut_nor_the_tree_shows(
        lines in computation(),
        pieces in vec((0usize..9, any::<bool>(), any::<bool>()), 0..30),
        merges in vec(any::<prop::sample::Index>(), 1..30),
    ) {
        for_every_reducer!(check_cut_and_tree(&lines, &pieces, &merges));
    }
}
