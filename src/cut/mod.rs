//! Items to chunks. A cut is a formula, not a list: the chunk with a given number is computed when asked for.
//!
//! What is missing once the chunks have run is cut again: [`Round`].
//!
//! Invariant: the chunks of a cut tile the space in order, and none is empty.

#[cfg(feature = "cli")]
mod tail;

use serde::{Deserialize, Serialize};

use crate::space::Interval;

#[cfg(feature = "cli")]
pub use tail::{Gap, Piece, Round};

/// The most chunks a plan may have: DAGMan keeps every node in memory (about 1 KiB each).
pub const MOST_CHUNKS: u64 = 100_000_000;

/// How a space is cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Cut {
    /// As many chunks as said, whose sizes differ by at most one item.
    Even {
        /// The number of chunks; at least 1, at most the number of items.
        chunks: u64,
    },
}

/// Why a space cannot be cut so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CutError {
    /// No chunks, or chunks of no items.
    #[error("a plan needs at least one chunk of at least one item")]
    Nothing,
    /// Some chunks would be empty.
    #[error("{chunks} chunks are more than the {items} items there are")]
    MoreChunksThanItems {
        /// The chunks asked for.
        chunks: u128,
        /// The items there are.
        items: u128,
    },
    /// More nodes than a DAGMan can hold.
    #[error("{chunks} chunks are more than DAGMan can hold (at most {MOST_CHUNKS})")]
    TooMany {
        /// The chunks it would come to.
        chunks: u128,
    },
}

impl Cut {
    /// `chunks` chunks of `items` items.
    ///
    /// # Errors
    /// Where a chunk would be empty, or DAGMan could not hold them.
    pub fn into_chunks(items: u128, chunks: u128) -> Result<Self, CutError> {
        if chunks == 0 {
            return Err(CutError::Nothing);
        }
        if chunks > items {
            return Err(CutError::MoreChunksThanItems { chunks, items });
        }
        match u64::try_from(chunks) {
            Ok(chunks) if chunks <= MOST_CHUNKS => Ok(Self::Even { chunks }),
            _ => Err(CutError::TooMany { chunks }),
        }
    }

    /// As few chunks of `items` items as there can be with at most `size` items each.
    ///
    /// # Errors
    /// As [`Cut::into_chunks`].
    pub fn of_size(items: u128, size: u128) -> Result<Self, CutError> {
        if size == 0 {
            return Err(CutError::Nothing);
        }
        Self::into_chunks(items, items.div_ceil(size))
    }

    /// The number of chunks; at least 1.
    #[must_use]
    pub fn chunks(&self) -> u64 {
        match *self {
            Self::Even { chunks } => chunks,
        }
    }

    /// The items of chunk number `chunk` (from 0) of a space of `items` items.
    ///
    /// # Panics
    /// Where there is no such chunk, or fewer items than chunks.
    #[must_use]
    pub fn chunk(&self, items: u128, chunk: u64) -> Interval {
        let Self::Even { chunks } = *self;
        assert!(chunk < chunks, "chunk {chunk} of {chunks}");
        let (size, larger) = (items / u128::from(chunks), items % u128::from(chunks));
        let start = |chunk: u128| chunk * size + chunk.min(larger);
        let chunk = u128::from(chunk);
        Interval::new(start(chunk), start(chunk + 1)).expect("no more chunks than items")
    }

    /// The number of the chunk that holds `item`.
    ///
    /// # Panics
    /// Where there are fewer items than chunks.
    #[must_use]
    pub fn chunk_of(&self, items: u128, item: u128) -> u64 {
        let Self::Even { chunks } = *self;
        let (size, larger) = (items / u128::from(chunks), items % u128::from(chunks));
        let in_larger = larger * (size + 1);
        let chunk = if item < in_larger { item / (size + 1) } else { larger + (item - in_larger) / size };
        u64::try_from(chunk).expect("below the number of chunks")
    }

    /// The chunks from number `first` on, in order; quicker than asking for one after another.
    ///
    /// # Panics
    /// Where there are fewer items than chunks.
    pub fn iter_from(&self, items: u128, first: u64) -> impl Iterator<Item = (u64, Interval)> + Send {
        let Self::Even { chunks } = *self;
        let (size, larger) = (items / u128::from(chunks), items % u128::from(chunks));
        let mut start = u128::from(first) * size + u128::from(first).min(larger);
        (first..chunks).map(move |chunk| {
            let stop = start + size + u128::from(u128::from(chunk) < larger);
            let interval = Interval::new(start, stop).expect("no more chunks than items");
            start = stop;
            (chunk, interval)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cuts_that_make_no_sense() {
        assert_eq!(Cut::into_chunks(10, 0), Err(CutError::Nothing));
        assert_eq!(Cut::of_size(10, 0), Err(CutError::Nothing));
        assert_eq!(Cut::into_chunks(10, 11), Err(CutError::MoreChunksThanItems { chunks: 11, items: 10 }));
        assert_eq!(Cut::of_size(1 << 100, 1), Err(CutError::TooMany { chunks: 1 << 100 }));
        assert_eq!(Cut::of_size(100, 30), Ok(Cut::Even { chunks: 4 }));
        assert_eq!(Cut::of_size(100, 1 << 100), Ok(Cut::Even { chunks: 1 }));
    }

    proptest! {
        #[test]
        fn chunks_tile_the_space_and_differ_by_at_most_one(items in 1u128..5000, chunks in 1u64..5000) {
            prop_assume!(u128::from(chunks) <= items);
            let cut = Cut::into_chunks(items, chunks.into()).expect("enough items");
            let mut next = 0;
            for (chunk, interval) in cut.iter_from(items, 0) {
                prop_assert_eq!(interval.start(), next);
                prop_assert_eq!(interval, cut.chunk(items, chunk));
                prop_assert_eq!(cut.iter_from(items, chunk).next(), Some((chunk, interval)));
                prop_assert_eq!(cut.chunk_of(items, interval.start()), chunk);
                prop_assert_eq!(cut.chunk_of(items, interval.last()), chunk);
                let size = items / u128::from(chunks);
                prop_assert!(interval.count() == size || interval.count() == size + 1);
                next = interval.stop();
            }
            prop_assert_eq!(next, items);
        }

        #[test]
        fn the_largest_spaces_are_cut_without_overflow(items in u128::MAX - 1000..=u128::MAX, chunks in 1u64..=MOST_CHUNKS) {
            let cut = Cut::into_chunks(items, chunks.into()).expect("enough items");
            prop_assert_eq!(cut.chunk(items, chunks - 1).stop(), items);
        }
    }
}
