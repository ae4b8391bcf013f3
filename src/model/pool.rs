//! What is assumed of a pool.

use super::{Chance, Survival};

/// A pool, as far as forecasts go.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolModel {
    slots: usize,
    overhead: f64,
    speed_spread: f64,
    interruptions: Interruptions,
    away: f64,
    failures: f64,
}

/// When attempts are interrupted.
#[derive(Clone, Debug, PartialEq)]
pub enum Interruptions {
    /// Never.
    Never,
    /// At a steady rate: one in so many seconds of a slot's time on average.
    Rate {
        /// Seconds.
        between: f64,
    },
    /// As they were seen on a pool, counted from the start of an attempt's work.
    Seen(Survival),
}

/// Numbers that describe no pool.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PoolModelError {
    /// No slot.
    #[error("a pool has at least one slot")]
    NoSlots,
    /// Negative, infinite or no number where seconds or a spread are due.
    #[error("{what} cannot be {value}")]
    OutOfRange {
        /// Which number.
        what: &'static str,
        /// What it is.
        value: f64,
    },
}

impl PoolModel {
    /// A pool of `slots` equal slots on which nothing is interrupted, with `overhead` seconds of matching, transfer and start
    /// before each attempt.
    ///
    /// # Errors
    /// Where there is no slot, or the overhead is negative or infinite.
    pub fn new(slots: usize, overhead: f64) -> Result<Self, PoolModelError> {
        if slots == 0 {
            return Err(PoolModelError::NoSlots);
        }
        let overhead = seconds("the overhead", overhead)?;
        let interruptions = Interruptions::Never;
        Ok(Self { slots, overhead, speed_spread: 0.0, interruptions, away: 0.0, failures: 0.0 })
    }

    /// Machines of different speeds: the logarithm of a slot's speed is normally distributed with this standard deviation, and
    /// the median speed is 1.
    ///
    /// # Errors
    /// Where it is negative or infinite.
    pub fn speed_spread(mut self, spread: f64) -> Result<Self, PoolModelError> {
        self.speed_spread = seconds("the spread of speeds", spread)?;
        Ok(self)
    }

    /// Interruptions, after each of which the slot is away for `away` seconds on average (exponentially distributed).
    ///
    /// # Errors
    /// Where a time between interruptions is not above 0, or `away` is negative or infinite.
    pub fn interruptions(mut self, interruptions: Interruptions, away: f64) -> Result<Self, PoolModelError> {
        if let Interruptions::Rate { between: value } = interruptions
            && (value.is_nan() || value <= 0.0)
        {
            return Err(PoolModelError::OutOfRange { what: "the time between interruptions", value });
        }
        self.interruptions = interruptions;
        self.away = seconds("the time that a slot is away", away)?;
        Ok(self)
    }

    /// The share of attempts that come to their end and fail all the same (a machine without the program, a full disk).
    ///
    /// # Errors
    /// Where it is not from 0 to 0.9: beyond that no plan ends.
    pub fn failures(mut self, share: f64) -> Result<Self, PoolModelError> {
        if !(0.0..=0.9).contains(&share) {
            return Err(PoolModelError::OutOfRange { what: "the share of failures", value: share });
        }
        self.failures = share;
        Ok(self)
    }

    /// How many slots; at least 1.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// Seconds before each attempt.
    #[must_use]
    pub fn overhead(&self) -> f64 {
        self.overhead
    }

    /// The seconds between interruptions on average; infinite where there are none.
    #[must_use]
    pub fn between(&self) -> f64 {
        match &self.interruptions {
            Interruptions::Never => f64::INFINITY,
            Interruptions::Rate { between } => *between,
            Interruptions::Seen(survival) => survival.between(),
        }
    }

    /// A slot's speed.
    pub(super) fn draw_speed(&self, chance: &mut Chance) -> f64 {
        if self.speed_spread == 0.0 { 1.0 } else { (self.speed_spread * chance.normal()).exp() }
    }

    /// How long an attempt may run before it is interrupted.
    pub(super) fn draw_interruption(&self, chance: &mut Chance) -> f64 {
        match &self.interruptions {
            Interruptions::Never => f64::INFINITY,
            Interruptions::Rate { between } => chance.exponential(*between),
            Interruptions::Seen(survival) => self.overhead + survival.draw(chance),
        }
    }

    /// How long a slot is away after an interruption.
    pub(super) fn draw_away(&self, chance: &mut Chance) -> f64 {
        if self.away == 0.0 { 0.0 } else { chance.exponential(self.away) }
    }

    /// Whether an attempt that comes to its end fails.
    pub(super) fn draw_failure(&self, chance: &mut Chance) -> bool {
        self.failures > 0.0 && chance.unit() <= self.failures
    }
}

fn seconds(what: &'static str, value: f64) -> Result<f64, PoolModelError> {
    if value.is_finite() && value >= 0.0 { Ok(value) } else { Err(PoolModelError::OutOfRange { what, value }) }
}
