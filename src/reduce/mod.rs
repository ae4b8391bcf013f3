//! Merging results: many payloads in, one answer out.
//!
//! Every reducer is a monoid over the items' order (see [`Reducer`] for the laws). Invariant of this room: the
//! same results give the same bytes, however they were cut into payloads and in whatever tree they were merged.
//! The reducers touch no file, clock or
//! environment; `merge` reads the partials that hold large payloads, and runs the commands it is given.

mod bad_result;
mod count;
mod double;
mod exact;
mod extreme;
mod factors;
mod integer;
mod merge;
mod number;
mod payload;
mod product;
mod reducer;
mod result;
mod sum;

#[cfg(test)]
mod laws;

pub use bad_result::BadResult;
pub use count::Count;
pub use exact::ExactSum;
pub use extreme::{Extreme, Max, Min};
pub use integer::Integer;
pub use merge::{Answer, MergeError, merge};
pub use number::Number;
pub use product::{Product, Products};
pub use reducer::Reducer;
pub use result::{AnswerFile, CodeShare, ResultDocument};
pub use sum::{Sum, Sums};
