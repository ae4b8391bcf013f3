//! How partials are spread over folders, and merged on the way to the answer: in groups of consecutive chunks.
//!
//! A folder with very many files is slow on many file systems. So the partials of a plan with many chunks lie in
//! subfolders of `outputs/`, one for each group of chunks. Where results are merged on the way ([`FanIn`]), a group is
//! what one such merge takes, so that a job can be sent its folder.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::Plan;
use crate::space::Interval;

/// The partials of so many chunks lie in one folder at most.
const MOST_TOGETHER: u64 = 10_000;
/// The chunks of a group, where nobody says how many and there are no more than so many groups: folders take time to make.
const USUAL: (u64, u64) = (1_000, 100);
/// There are no more groups than this: they are folders in one folder, and nodes before one node.
pub const MOST_GROUPS: u64 = 10_000;

/// Groups of consecutive chunks, all of the same size but the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shards {
    size: u64,
}

impl Shards {
    /// The groups of so many chunks; none where all partials lie in one folder.
    #[must_use]
    pub fn new(chunks: u64, fan_in: Option<FanIn>) -> Option<Self> {
        match fan_in {
            Some(fan_in) => Some(Self { size: fan_in.get() }),
            None if chunks <= MOST_TOGETHER => None,
            None if chunks.div_ceil(USUAL.0) <= USUAL.1 => Some(Self { size: USUAL.0 }),
            None => Some(Self { size: MOST_TOGETHER }),
        }
    }

    /// The chunks of a group.
    #[must_use]
    pub fn size(self) -> u64 {
        self.size
    }

    /// The group that a chunk is in.
    #[must_use]
    pub fn of(self, chunk: u64) -> u64 {
        chunk / self.size
    }

    /// How many groups so many chunks make.
    #[must_use]
    pub fn count(self, chunks: u64) -> u64 {
        chunks.div_ceil(self.size)
    }

    /// The chunks of a group, of so many.
    #[must_use]
    pub fn chunks(self, group: u64, chunks: u64) -> Range<u64> {
        let first = group.saturating_mul(self.size).min(chunks);
        first..first.saturating_add(self.size).min(chunks)
    }

    /// The name of a group's folder, such as `000017`: the submit files make it too, by `$INT(..., %06d)`.
    #[must_use]
    pub fn folder(group: u64) -> String {
        format!("{group:06}")
    }

    /// The group whose folder has this name.
    #[must_use]
    pub fn group_of(name: &[u8]) -> Option<u64> {
        let name = std::str::from_utf8(name).ok()?;
        let group = name.parse().ok()?;
        (Self::folder(group) == name).then_some(group)
    }
}

/// How many chunks' results one node of the DAG merges on the way to the answer; at least 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct FanIn(u64);

/// Why there is no merging so many at a time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FanInError {
    /// One result needs no merging.
    #[error("fewer than 2 results cannot be merged")]
    TooFew,
    /// More nodes than the last one can take.
    #[error("{groups} groups of {fan_in} chunks are more than one last merge can take (at most {MOST_GROUPS})")]
    TooManyGroups {
        /// The groups it would come to.
        groups: u64,
        /// The chunks of each.
        fan_in: u64,
    },
}

impl FanIn {
    /// Merging `fan_in` of so many chunks at a time.
    ///
    /// # Errors
    /// Where there is nothing to merge, or too many groups.
    pub fn new(fan_in: u64, chunks: u64) -> Result<Self, FanInError> {
        let checked = Self::try_from(fan_in)?;
        match chunks.div_ceil(fan_in) {
            groups if groups > MOST_GROUPS => Err(FanInError::TooManyGroups { groups, fan_in }),
            _ => Ok(checked),
        }
    }

    /// How many chunks.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for FanIn {
    type Error = FanInError;

    fn try_from(fan_in: u64) -> Result<Self, FanInError> {
        if fan_in < 2 { Err(FanInError::TooFew) } else { Ok(Self(fan_in)) }
    }
}

impl From<FanIn> for u64 {
    fn from(fan_in: FanIn) -> Self {
        fan_in.0
    }
}

impl Plan {
    /// The groups of chunks whose partials lie in a folder of their own; none where all lie in one.
    #[must_use]
    pub fn shards(&self) -> Option<Shards> {
        Shards::new(self.cut.chunks(), self.fan_in)
    }

    /// The items of a group's chunks; none where there is no such group.
    #[must_use]
    pub fn group(&self, group: u64) -> Option<Interval> {
        let chunks = self.shards()?.chunks(group, self.cut.chunks());
        let last = chunks.end.checked_sub(1).filter(|_| !chunks.is_empty())?;
        Interval::new(self.chunk(chunks.start).start(), self.chunk(last).stop())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cut::Cut;
    use crate::plan::testing::plan;

    fn with(chunks: u64, fan_in: Option<u64>) -> Plan {
        let cut = Cut::into_chunks(2 * u128::from(chunks), chunks.into()).expect("a cut");
        Plan { fan_in: fan_in.map(|it| it.try_into().expect("2 or more")), ..plan(&(2 * chunks).to_string(), cut) }
    }

    #[test]
    fn many_partials_are_spread() {
        let size = |chunks, fan_in| with(chunks, fan_in).shards().map(Shards::size);
        assert_eq!(size(10_000, None), None);
        assert_eq!(size(10_001, None), Some(1000));
        assert_eq!(size(100_000, None), Some(1000));
        assert_eq!(size(100_001, None), Some(10_000));
        assert_eq!(size(100_000_000, None), Some(10_000));
        assert_eq!(size(60, Some(8)), Some(8));
        assert_eq!(size(5, Some(8)), Some(8));
    }

    #[test]
    fn groups_that_make_no_sense() {
        assert_eq!(FanIn::new(1, 10), Err(FanInError::TooFew));
        assert_eq!(FanIn::new(0, 10), Err(FanInError::TooFew));
        assert_eq!(FanIn::new(2, 20_001), Err(FanInError::TooManyGroups { groups: 10_001, fan_in: 2 }));
        assert_eq!(FanIn::new(2, 20_000).map(FanIn::get), Ok(2));
        assert!(serde_json::from_str::<FanIn>("1").is_err());
    }

    #[test]
    fn folders_are_known_by_their_names() {
        assert_eq!((Shards::folder(17), Shards::folder(1_234_567)), ("000017".into(), "1234567".into()));
        for (name, group) in [("000017", Some(17)), ("1234567", Some(1_234_567)), ("0", None), ("0000017", None)] {
            assert_eq!(Shards::group_of(name.as_bytes()), group, "{name}");
        }
        assert!(
            [&b"+00017"[..], b"00001x", b"", b"999999999999999999999"].iter().all(|it| Shards::group_of(it).is_none())
        );
    }

    proptest! {
        #[test]
        fn groups_tile_the_chunks_and_their_items(chunks in 1u64..200, fan_in in 2u64..50) {
            let plan = with(chunks, Some(fan_in));
            let shards = plan.shards().expect("groups");
            let mut next = 0;
            for group in 0..shards.count(chunks) {
                let range = shards.chunks(group, chunks);
                prop_assert_eq!(range.start, next);
                prop_assert!(range.clone().all(|chunk| shards.of(chunk) == group));
                let items = plan.group(group).expect("a group");
                prop_assert_eq!((items.start(), items.stop()), (2 * u128::from(range.start), 2 * u128::from(range.end)));
                next = range.end;
            }
            prop_assert_eq!(next, chunks);
            prop_assert_eq!(plan.group(shards.count(chunks)), None);
            prop_assert_eq!(plan.group(u64::MAX), None);
        }
    }
}
