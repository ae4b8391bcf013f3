//! What a pool would make of a plan: closed forms, and a discrete-event simulation that is checked against them.
//!
//! All times are seconds of wall clock. Pure: the same numbers and seeds give the same forecasts.

mod chance;
mod forecast;
mod interruption;
mod picture;
mod pool;
mod quantiles;
mod simulation;
mod survival;

pub use chance::Chance;
pub use forecast::{Alternatives, Choice, Forecast, Tries, Work, alternatives, forecast, rough_forecast};
pub use interruption::{best_chunk, time_with_checkpoints, time_without_checkpoints};
pub use picture::{completion_against_length, slots_over_time};
pub use pool::{Interruptions, PoolModel, PoolModelError};
pub use quantiles::Quantiles;
pub use simulation::{Attempt, Ended, Simulated, simulate};
pub use survival::Survival;
