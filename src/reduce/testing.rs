//! What the tests of the reducers share.

use super::{Entry, NoAnswer, Reducer};
use crate::space::Interval;

/// What a reducer makes of the texts of as many items: the answer as JSON, without quotes around it.
pub(super) fn reduced<R: Reducer>(reducer: &R, texts: &[&str]) -> Option<String> {
    match reducer.finish(merged(reducer, texts)) {
        Ok(value) => Some(value.to_json().trim_matches('"').to_owned()),
        Err(NoAnswer::Nothing) => None,
        Err(NoAnswer::Misfit { item, bad }) => panic!("item {item}: {bad}"),
    }
}

/// The first result that does not fit: its item, and what is wrong.
pub(super) fn misfit<R: Reducer>(reducer: &R, texts: &[&str]) -> (u128, String) {
    match reducer.finish(merged(reducer, texts)) {
        Err(NoAnswer::Misfit { item, bad }) => (item, bad.to_string()),
        other => panic!("{other:?}"),
    }
}

/// Why a reducer refuses the text of one item.
pub(super) fn refused<R: Reducer>(reducer: &R, text: &str) -> String {
    refused_of(reducer, 1, text)
}

/// Why a reducer refuses the text of several items.
pub(super) fn refused_of<R: Reducer>(reducer: &R, items: u128, text: &str) -> String {
    let entry = Entry::new(Interval::new(0, items).expect("not empty"), text.as_bytes());
    reducer.take(&mut reducer.identity(), &entry).expect_err(text).to_string()
}

/// What a reducer makes of one text of several items.
pub(super) fn reduced_of<R: Reducer>(reducer: &R, items: u128, text: &str) -> String {
    let mut state = reducer.identity();
    let entry = Entry::new(Interval::new(0, items).expect("not empty"), text.as_bytes());
    reducer.take(&mut state, &entry).expect("it is taken");
    reducer.finish(state).expect("there is an answer").to_json()
}

fn merged<R: Reducer>(reducer: &R, texts: &[&str]) -> R::State {
    let mut state = reducer.identity();
    for (item, text) in (0..).zip(texts) {
        let mut one = reducer.identity();
        let items = Interval::new(item, item + 1).expect("one item");
        reducer.take(&mut one, &Entry::new(items, text.as_bytes())).expect("it is taken");
        reducer.merge(&mut state, one);
    }
    state
}
