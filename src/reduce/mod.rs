//! Merging results: many payloads in, one answer out.
//!
//! Every reducer is a monoid over the items' order (see [`Reducer`] for the laws). Invariant of this room: the
//! same results give the same bytes, however they were cut into payloads and in whatever tree they were merged.
//! The reducers touch no file, clock or
//! environment; `merge` reads the partials that hold large payloads, and runs the commands it is given.

mod bad_result;
mod best;
mod count;
mod double;
mod dyadic;
mod elements;
mod entry;
mod exact;
mod extreme;
mod factors;
mod fields;
mod grouped;
mod histogram;
mod integer;
mod items;
mod json;
mod mean;
mod merge;
mod merger;
mod number;
mod product;
mod quantiles;
mod reducer;
mod result;
mod saved;
mod stats;
mod sum;
mod tree;
mod truth;
mod union;
mod value;
mod with;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod testing;

pub use bad_result::BadResult;
pub use best::{Best, Top};
pub use count::Count;
pub use elements::{Elements, Elementwise, Fold, Shape};
pub use entry::{Entry, Outcome};
pub use exact::ExactSum;
pub use extreme::{Extreme, Max, Min};
pub use fields::Fields;
pub use grouped::{Grouped, Groups, Key};
pub use histogram::{Counts, Histogram};
pub use integer::Integer;
pub use items::{Field, ItemResult, each_result};
pub use mean::{Mean, Means};
use merge::merge_state;
pub use merge::{Answer, MergeError, merge, refused, ticks};
pub use merger::{Merger, MergerState};
pub use number::Number;
pub use product::{Product, Products};
pub use quantiles::{Quantiles, Sketch};
pub use reducer::{NoAnswer, Reducer};
pub use result::{AnswerFile, CodeShare, ResultDocument};
pub use stats::{Moments, Stats};
pub use sum::{Sum, Sums};
pub use tree::{MergingJob, merge_group};
pub use truth::Truth;
pub use union::{Element, Union};
pub use value::Value;
