//! What every reducer promises.

use super::{BadResult, Number};

/// An associative merge with an identity (a monoid) over payloads; it need not commute.
///
/// The laws, for all states and payloads, where `~` means that [`finish`](Reducer::finish) gives the same text
/// now and after anything more is merged on either side:
///
/// - **Identity.** `merge(identity, a) ~ a` and `merge(a, identity) ~ a`.
/// - **Associativity.** `merge(merge(a, b), c) ~ merge(a, merge(b, c))`.
/// - **Order is kept.** `merge(left, right)` is only ever called where `right` follows `left` in item order, so a
///   reducer may depend on that order; it may depend on nothing else (not on time, hosts or arrival).
/// - **The cut does not show.** Absorbing two payloads one after the other `~` absorbing them as one, the first
///   ending in a newline, `~` absorbing each into a state of its own and merging the two.
///
/// Together: the same results give the same bytes, whatever the cut and whatever the shape of the merge tree.
/// `laws.rs` tests this over every reducer at once.
pub trait Reducer: Sync {
    /// What has been merged so far.
    type State: Send;

    /// The state in which nothing has been merged.
    fn identity(&self) -> Self::State;

    /// Takes in the payload of one record, which follows everything already in `state` in item order.
    ///
    /// # Errors
    /// [`BadResult`] if the payload cannot be read. `state` may by then hold part of it and is to be dropped.
    fn absorb(&self, state: &mut Self::State, payload: &[u8]) -> Result<(), BadResult>;

    /// Merges `right` into `left`; `right` follows `left` in item order.
    fn merge(&self, left: &mut Self::State, right: Self::State);

    /// The answer; `None` where nothing was merged and the reducer has no answer for nothing (min, max).
    fn finish(&self, state: Self::State) -> Option<Number>;
}
