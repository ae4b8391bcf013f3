//! How long items took.

use crate::space::Interval;

/// Items that were computed together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timed {
    /// Which.
    pub items: Interval,
    /// How many seconds they took, with starting.
    pub seconds: f64,
}
