//! How a chunk's job goes about its items: in how many pieces, and for how long.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Keeping;
use crate::cut::Cut;
use crate::space::Interval;

/// How a chunk's job goes about its items. None of it changes what is computed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pacing {
    /// So many slices a chunk is cut into, or as many as it has items where these are fewer; at least 1.
    #[serde(skip_serializing_if = "is_one", default = "one")]
    pub slices: u64,
    /// For so long, in milliseconds, the program may run for each of its items.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub item_timeout: Option<u64>,
    /// For so long, in milliseconds, a job works on its chunk; what is left then it yields.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub budget: Option<u64>,
    /// So often, in milliseconds and on the average, a job is interrupted; where it is not known, [`INTERRUPTION`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub eviction_every: Option<u64>,
    /// How the program keeps its own state, where it does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub checkpoint: Option<Keeping>,
    /// Where a job only tries the first items of its chunk, to find how long items take.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub probe: Option<Probe>,
}

/// How items are tried on the pool, and how the rest is cut then. Times are in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// For so long a job tries items; one more is finished then.
    pub budget: u64,
    /// So long a chunk is to take.
    pub target: u64,
    /// So long a slice is to take, where that was said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub slice: Option<u64>,
    /// Whether somebody says how much memory jobs ask for: then it stays, whatever is seen.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub memory_is_said: bool,
    /// Whether somebody says how much disk.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub disk_is_said: bool,
    /// Whether they are tried once more, since nothing had a result the first time.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub again: bool,
}

/// Of items that are tried, each slice has so many times the items of the one before, beginning with one, as far as there is time: what
/// it takes to start and what an item takes can then be told apart.
const GROWTH: u128 = 4;

/// The partial of a chunk in slices, in its job's sandbox, until the job is done: the file that HTCondor carries.
pub const CARRIED: &str = "carried";

/// How often a job is interrupted where nobody has said: a pool of scavenged machines, as measured by others.
pub const INTERRUPTION: Duration = Duration::from_secs(4 * 3600);

impl Probe {
    /// For so many milliseconds each, to cut into chunks of so many.
    #[must_use]
    pub fn new(budget: u64, target: u64) -> Self {
        Self { budget, target, slice: None, memory_is_said: false, disk_is_said: false, again: false }
    }

    /// For how long a job tries items.
    #[must_use]
    pub fn budget(&self) -> Duration {
        Duration::from_millis(self.budget)
    }
}

impl Default for Pacing {
    fn default() -> Self {
        Self { slices: 1, item_timeout: None, budget: None, eviction_every: None, checkpoint: None, probe: None }
    }
}

impl Pacing {
    /// Whether a chunk is computed in one piece, for as long as it takes.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// The slices of a chunk with the items `chunk`, in order. They are the same whichever job computes them; where items are tried, a job
    /// may do a part of one.
    pub fn slices(&self, chunk: Interval) -> impl Iterator<Item = Interval> + use<> {
        let count = chunk.count();
        let slices = count.min(self.slices.max(1).into());
        let cut = Cut::into_chunks(count, slices).unwrap_or(Cut::Even { chunks: 1 });
        let start = chunk.start();
        let tries = self.probe.is_some();
        let even = (0..if tries { 0 } else { cut.chunks() }).map(move |number| {
            let slice = cut.chunk(count, number);
            Interval::new(start + slice.start(), start + slice.stop()).expect("a slice holds an item")
        });
        let first = Interval::new(start, start + 1).filter(|_| tries);
        let growing = std::iter::successors(first, move |before| {
            let size = before.count().saturating_mul(GROWTH).min(chunk.stop() - before.stop());
            Interval::new(before.stop(), before.stop() + size)
        });
        even.chain(growing)
    }

    /// For how long the program may run over so many items.
    #[must_use]
    pub fn timeout(&self, items: u128) -> Option<Duration> {
        let each = self.item_timeout?;
        let all = u128::from(each).saturating_mul(items);
        Some(Duration::from_millis(u64::try_from(all).unwrap_or(u64::MAX)))
    }

    /// Whether a job keeps what it has finished on the way.
    #[must_use]
    pub fn keeps(&self) -> bool {
        self.slices > 1 || self.checkpoint.is_some() || self.probe.is_some()
    }

    /// How often a job is interrupted, on the average; `None` where it never is.
    #[must_use]
    pub fn interruption(&self) -> Option<Duration> {
        let every = self.eviction_every.map_or(INTERRUPTION, Duration::from_millis);
        (every > Duration::ZERO).then_some(every)
    }

    /// For how long a job works.
    #[must_use]
    pub fn budget(&self) -> Option<Duration> {
        self.budget.map(Duration::from_millis)
    }
}

fn one() -> u64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_one(slices: &u64) -> bool {
    *slices == 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn slices_tile_a_chunk(start in 0u128..1000, count in 1u128..500, slices in 1u64..600, tries: bool) {
            let chunk = Interval::new(start, start + count).expect("items");
            let probe = tries.then(|| Probe::new(60_000, 600_000));
            let pacing = Pacing { slices, probe, ..Pacing::default() };
            let mut next = start;
            let mut number = 0;
            for slice in pacing.slices(chunk) {
                prop_assert_eq!(slice.start(), next);
                next = slice.stop();
                number += 1;
            }
            prop_assert_eq!(next, chunk.stop());
            prop_assert!(tries || number == count.min(slices.into()));
            let sizes: Vec<u128> = pacing.slices(chunk).map(|slice| slice.count()).collect();
            prop_assert!(!tries || sizes.windows(2).rev().skip(1).all(|pair| pair[1] == GROWTH * pair[0]), "{:?}", sizes);
            prop_assert!(!tries || sizes[0] == 1);
        }
    }

    #[test]
    fn nothing_is_written_of_what_is_usual() {
        assert_eq!(serde_json::to_string(&Pacing::default()).expect("plain"), "{}");
        let paced: Pacing = serde_json::from_str(r#"{"slices":5,"item_timeout":1500}"#).expect("read");
        assert_eq!(paced.timeout(3), Some(Duration::from_millis(4500)));
        assert_eq!((paced.slices, paced.budget()), (5, None));
    }
}
