//! A reducer that is chosen while the program runs.

use serde::{Deserialize, Serialize};

use super::{
    BadResult, Best, Count, Elementwise, Entry, Fields, Histogram, Max, Mean, Min, NoAnswer, Outcome, Product,
    Quantiles, Reducer, Stats, Sum, Top, Truth, Union, Value,
};
use crate::plan::Reduction;

/// Makes the two enums, and hands each call on.
macro_rules! mergers {
    ($($(#[$doc:meta])* $name:ident($reducer:ty),)*) => {
        /// One of the reducers, as a plan names it. Laws: those of the reducer.
        #[derive(Debug, Clone)]
        pub enum Merger {
            $($(#[$doc])* $name($reducer),)*
        }

        /// The state of one of the reducers.
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum MergerState {
            $($(#[$doc])* $name(<$reducer as Reducer>::State),)*
        }

        impl Reducer for Merger {
            type State = MergerState;

            fn is_per_item(&self) -> bool {
                match self {
                    $(Self::$name(reducer) => reducer.is_per_item(),)*
                }
            }

            fn owns(&self, state: &MergerState) -> bool {
                match (self, state) {
                    $((Self::$name(reducer), MergerState::$name(state)) => reducer.owns(state),)*
                    _ => false,
                }
            }

            fn identity(&self) -> MergerState {
                match self {
                    $(Self::$name(reducer) => MergerState::$name(reducer.identity()),)*
                }
            }

            fn take(&self, state: &mut MergerState, entry: &Entry<'_>) -> Result<(), BadResult> {
                match (self, state) {
                    $((Self::$name(reducer), MergerState::$name(state)) => reducer.take(state, entry),)*
                    _ => unreachable!("{NOT_ITS_STATE}"),
                }
            }

            fn take_one(&self, state: &mut MergerState, outcome: &Outcome<'_>) -> Result<(), BadResult> {
                match (self, state) {
                    $((Self::$name(reducer), MergerState::$name(state)) => reducer.take_one(state, outcome),)*
                    _ => unreachable!("{NOT_ITS_STATE}"),
                }
            }

            fn merge(&self, left: &mut MergerState, right: MergerState) {
                match (self, left, right) {
                    $((Self::$name(reducer), MergerState::$name(left), MergerState::$name(right)) => reducer.merge(left, right),)*
                    _ => unreachable!("{NOT_ITS_STATE}"),
                }
            }

            fn finish(&self, state: MergerState) -> Result<Value, NoAnswer> {
                match (self, state) {
                    $((Self::$name(reducer), MergerState::$name(state)) => reducer.finish(state),)*
                    _ => unreachable!("{NOT_ITS_STATE}"),
                }
            }
        }
    };
}

const NOT_ITS_STATE: &str = "a reducer gets its own states";

mergers! {
    /// See [`Sum`].
    Sum(Elementwise<Sum>),
    /// See [`Product`].
    Product(Elementwise<Product>),
    /// See [`Min`].
    Min(Elementwise<Min>),
    /// See [`Max`].
    Max(Elementwise<Max>),
    /// See [`Count`].
    Count(Count),
    /// See [`Mean`].
    Mean(Elementwise<Mean>),
    /// See [`Stats`].
    Stats(Elementwise<Stats>),
    /// See [`Histogram`].
    Histogram(Histogram),
    /// See [`Quantiles`].
    Quantiles(Quantiles),
    /// See [`Best`].
    Best(Best),
    /// See [`Top`].
    Top(Top),
    /// See [`Truth`].
    Truth(Truth),
    /// See [`Union`].
    Union(Union),
    /// See [`Fields`].
    Fields(Fields),
}

impl Merger {
    /// The reducer of a plan; `None` where texts are merged and not what they hold.
    #[must_use]
    pub fn of(reduction: &Reduction) -> Option<Self> {
        Some(match reduction {
            Reduction::Sum => Self::Sum(Elementwise(Sum)),
            Reduction::Product => Self::Product(Elementwise(Product)),
            Reduction::Min => Self::Min(Elementwise(Min)),
            Reduction::Max => Self::Max(Elementwise(Max)),
            Reduction::Count => Self::Count(Count),
            Reduction::Mean => Self::Mean(Elementwise(Mean)),
            Reduction::Stats => Self::Stats(Elementwise(Stats)),
            Reduction::Histogram(bins) => Self::Histogram(Histogram::new(bins)),
            Reduction::Quantiles(quantiles) => Self::Quantiles(Quantiles::new(quantiles)),
            Reduction::Argmin => Self::Best(Best::least()),
            Reduction::Argmax => Self::Best(Best::greatest()),
            Reduction::Top(count) => Self::Top(Top::new(*count)),
            Reduction::Any => Self::Truth(Truth::any()),
            Reduction::All => Self::Truth(Truth::all()),
            Reduction::Union => Self::Union(Union),
            Reduction::Fields(fields) => {
                let fields = fields.iter().map(|(field, reduction)| Some((field.clone(), Self::of(reduction)?)));
                Self::Fields(Fields::new(fields.collect::<Option<_>>()?))
            }
            Reduction::Concat | Reduction::Table | Reduction::Files | Reduction::With(_) => return None,
        })
    }
}
