//! What every reducer promises.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{BadResult, Entry, Outcome, Value};

/// An associative merge with an identity (a monoid) over results in item order; it need not commute.
///
/// The laws, for all states and entries, where `~` means that [`finish`](Reducer::finish) gives the same bytes
/// now and after anything more is merged on either side:
///
/// - **Identity.** `merge(identity, a) ~ a` and `merge(a, identity) ~ a`.
/// - **Associativity.** `merge(merge(a, b), c) ~ merge(a, merge(b, c))`.
/// - **Order is kept.** `merge(left, right)` is only ever called where `right` follows `left` in item order, so a
///   reducer may depend on that order; it may depend on nothing else (not on time, hosts or arrival).
/// - **The cut does not show.** Taking two entries one after the other `~` taking them as one entry that holds the results
///   of both `~` taking each into a state of its own and merging the two.
/// - **States are kept exactly.** A state that was written by serde and read again `~` the state itself.
///
/// Together: the same results give the same bytes, whatever the cut and whatever the shape of the merge tree, also where
/// parts of the tree are computed by different processes. `laws.rs` tests this over every reducer at once.
pub trait Reducer: Sync {
    /// What has been merged so far.
    type State: Send + Serialize + DeserializeOwned;

    /// Whether the results of a text that stands for several items are told apart, where there are as many as items.
    /// Where this is false it does not matter to the reducer how many items a result stands for.
    fn is_per_item(&self) -> bool;

    /// Whether this is a state of this reducer. One that was read has to be asked: no other may be handed to it.
    fn owns(&self, _state: &Self::State) -> bool {
        true
    }

    /// The state in which nothing has been merged.
    fn identity(&self) -> Self::State;

    /// Takes in what a run yielded, which follows everything already in `state` in item order.
    ///
    /// # Errors
    /// [`BadResult`] if the entry cannot be read. `state` may by then hold part of it and is to be dropped.
    fn take(&self, state: &mut Self::State, entry: &Entry<'_>) -> Result<(), BadResult> {
        entry.outcomes().try_for_each(|outcome| self.take_one(state, &outcome))
    }

    /// Takes in one result.
    ///
    /// # Errors
    /// As [`take`](Reducer::take).
    fn take_one(&self, state: &mut Self::State, outcome: &Outcome<'_>) -> Result<(), BadResult>;

    /// Merges `right` into `left`; `right` follows `left` in item order.
    fn merge(&self, left: &mut Self::State, right: Self::State);

    /// The answer.
    ///
    /// # Errors
    /// [`NoAnswer`] where there is none.
    fn finish(&self, state: Self::State) -> Result<Value, NoAnswer>;
}

/// Why merged results have no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoAnswer {
    /// Nothing was merged, and there is no answer for nothing (min, max, mean).
    Nothing,
    /// Results that do not fit each other.
    Misfit {
        /// The first item of the text that holds the first such result.
        item: u128,
        /// What is wrong with it.
        bad: BadResult,
    },
}
