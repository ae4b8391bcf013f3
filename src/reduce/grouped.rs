//! Results merged for each group of items.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{BadResult, Entry, NoAnswer, Outcome, Reducer, Value};
use crate::plan::Word;

/// What tells groups apart: values of an item.
pub type Key = Vec<Word>;

/// A reducer with a state for each group of items; the groups are in the order of their first items.
///
/// A text that stands for several items is taken where these are all of one group, or where each has a result of its own.
///
/// Laws: those of the reducer within each group. A group's first item decides its place, so that neither cut nor tree shows.
#[derive(Clone, Copy)]
pub struct Grouped<'a, R> {
    /// Merges the results of a group.
    pub reducer: &'a R,
    /// What the values of a key are called, and the answer where it is not an object.
    pub names: &'a [String],
    /// What the answer is called where it is not an object.
    pub answer: &'a str,
    /// The group of an item.
    pub key: &'a (dyn Fn(u128) -> Key + Sync),
}

/// The groups' states, in the order of their first items.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(into = "Vec<(Key, S)>", from = "Vec<(Key, S)>", bound(serialize = "S: Serialize + Clone"))]
pub struct Groups<S> {
    groups: Vec<(Key, S)>,
    /// Where each group is.
    places: HashMap<Key, usize>,
}

impl<S> From<Groups<S>> for Vec<(Key, S)> {
    fn from(groups: Groups<S>) -> Self {
        groups.groups
    }
}

impl<S> From<Vec<(Key, S)>> for Groups<S> {
    fn from(groups: Vec<(Key, S)>) -> Self {
        let places = groups.iter().enumerate().map(|(place, (key, _))| (key.clone(), place)).collect();
        Self { groups, places }
    }
}

impl<S> Groups<S> {
    fn of(&mut self, key: Key, identity: impl FnOnce() -> S) -> &mut S {
        let place = *self.places.entry(key).or_insert_with_key(|key| {
            self.groups.push((key.clone(), identity()));
            self.groups.len() - 1
        });
        &mut self.groups[place].1
    }
}

impl<R: Reducer> Grouped<'_, R> {
    /// The one group of all these items.
    fn only(&self, items: crate::space::Interval) -> Option<Key> {
        let key = (self.key)(items.start());
        (items.start() + 1..items.stop()).all(|item| (self.key)(item) == key).then_some(key)
    }
}

impl<R: Reducer<State: Clone>> Reducer for Grouped<'_, R> {
    type State = Groups<R::State>;

    /// Always: a group is an item's.
    fn is_per_item(&self) -> bool {
        true
    }

    fn owns(&self, state: &Groups<R::State>) -> bool {
        state.groups.iter().all(|(key, state)| key.len() == self.names.len() && self.reducer.owns(state))
    }

    fn identity(&self) -> Groups<R::State> {
        Vec::new().into()
    }

    fn take(&self, state: &mut Groups<R::State>, entry: &Entry<'_>) -> Result<(), BadResult> {
        if let Some(key) = self.only(entry.items) {
            return self.reducer.take(state.of(key, || self.reducer.identity()), entry);
        }
        if !entry.is_per_item() {
            return Err(BadResult::SeveralGroups { items: entry.items.count() });
        }
        entry.outcomes().try_for_each(|outcome| self.take_one(state, &outcome))
    }

    fn take_one(&self, state: &mut Groups<R::State>, outcome: &Outcome<'_>) -> Result<(), BadResult> {
        let several = || BadResult::SeveralGroups { items: outcome.items.count() };
        let key = self.only(outcome.items).ok_or_else(several)?;
        self.reducer.take_one(state.of(key, || self.reducer.identity()), outcome)
    }

    fn merge(&self, left: &mut Groups<R::State>, right: Groups<R::State>) {
        for (key, state) in right.groups {
            self.reducer.merge(left.of(key, || self.reducer.identity()), state);
        }
    }

    /// Rows: the key's values, then the group's answer; of one that is an object, its entries.
    fn finish(&self, state: Groups<R::State>) -> Result<Value, NoAnswer> {
        let mut rows = Vec::with_capacity(state.groups.len());
        let mut misfit: Option<(u128, BadResult)> = None;
        for (key, state) in state.groups {
            let value = match self.reducer.finish(state) {
                Ok(value) => value,
                Err(NoAnswer::Nothing) => Value::Null,
                Err(NoAnswer::Misfit { item, bad }) => {
                    if misfit.as_ref().is_none_or(|(first, _)| item < *first) {
                        misfit = Some((item, bad));
                    }
                    continue;
                }
            };
            let mut row: Vec<(String, Value)> = Vec::new();
            row.extend(
                self.names.iter().zip(&key).map(|(name, value)| (name.clone(), Value::of_text(value.as_bytes()))),
            );
            let answers = match value {
                Value::Object(entries) => entries,
                value => vec![(self.answer.to_owned(), value)],
            };
            for (name, value) in answers {
                // The key's values keep their names.
                let taken = self.names.contains(&name);
                row.push((if taken { format!("{}.{name}", self.answer) } else { name }, value));
            }
            rows.push(Value::Object(row));
        }
        match misfit {
            Some((item, bad)) => Err(NoAnswer::Misfit { item, bad }),
            None => Ok(Value::Rows(rows)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{misfit, reduced, reduced_of, refused_of};
    use super::super::{Elementwise, Mean, Merger, Sum};
    use super::*;

    fn parity(item: u128) -> Key {
        vec![Word::from(if item.is_multiple_of(2) { "even" } else { "007" })]
    }

    fn grouped<'a, R>(reducer: &'a R, names: &'a [String]) -> Grouped<'a, R> {
        Grouped { reducer, names, answer: "sum", key: &parity }
    }

    #[test]
    fn each_group_has_an_answer() {
        let names = ["kind".to_owned()];
        let sum = Elementwise(Sum);
        let expected = r#"[{"kind":"even","sum":4},{"kind":"007","sum":6}]"#;
        assert_eq!(reduced(&grouped(&sum, &names), &["1", "2", "3", "4"]).as_deref(), Some(expected));
        assert_eq!(reduced_of(&grouped(&sum, &names), 4, "1\n2\n3\n4\n"), expected);
        assert_eq!(reduced(&grouped(&sum, &names), &[]).as_deref(), Some("[]"));
        let fields = Merger::of(&"kind=sum,x=mean".parse().expect("fields")).expect("fields");
        assert_eq!(
            reduced(&grouped(&fields, &names), &["kind=1\nx=2"]).as_deref(),
            Some(r#"[{"kind":"even","sum.kind":1,"x":2.0}]"#)
        );
    }

    #[test]
    fn a_text_for_several_groups_is_refused() {
        let names = ["kind".to_owned()];
        let (sum, mean) = (Elementwise(Sum), Elementwise(Mean));
        let refused = "it stands for 4 items of several groups, and holds no result for each";
        assert_eq!(refused_of(&grouped(&sum, &names), 4, "10"), refused);
        let one = |_| vec![Word::from("one")];
        assert_eq!(
            reduced_of(&Grouped { key: &one, ..grouped(&sum, &names) }, 4, "10"),
            r#"[{"kind":"one","sum":10}]"#
        );
        assert_eq!(
            refused_of(&Grouped { key: &one, ..grouped(&mean, &names) }, 4, "10"),
            "it holds 1 result for 4 items, where each item's own is due"
        );
    }

    #[test]
    fn groups_may_differ_in_shape() {
        let names = ["kind".to_owned()];
        let sum = Elementwise(Sum);
        let expected = r#"[{"kind":"even","sum":[1,3]},{"kind":"007","sum":1}]"#;
        assert_eq!(reduced(&grouped(&sum, &names), &["[1,1]", "1", "[0,2]"]).as_deref(), Some(expected));
        let (item, _) = misfit(&grouped(&sum, &names), &["[1]", "1", "0", "[1]", "0"]);
        assert_eq!(item, 2);
    }
}
