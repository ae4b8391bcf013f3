//! Items to chunks. A cut is a formula, not a list: the chunk with a given number is computed when asked for.
//!
//! Chunks of as many items each are even; chunks that are to take as long each, where items do not, are even within spans of items ([`Costs`]).
//!
//! What is missing once the chunks have run is cut again: [`Round`]. What has been computed tells how long the rest takes: [`Measured`]. Where
//! nothing has been, some items are tried: [`Trial`].
//!
//! Invariant: the chunks of a cut tile the space in order, and none is empty.

#[cfg(feature = "cli")]
mod costs;
#[cfg(feature = "cli")]
mod measured;
#[cfg(feature = "cli")]
mod tail;
mod timed;
#[cfg(feature = "cli")]
mod trial;

use serde::{Deserialize, Serialize};

use crate::space::Interval;

#[cfg(feature = "cli")]
pub use costs::{Costs, NoCost};
#[cfg(feature = "cli")]
pub use measured::Measured;
#[cfg(feature = "cli")]
pub use tail::{Gap, Piece, Round};
pub use timed::Timed;
#[cfg(feature = "cli")]
pub use trial::{Trial, places};

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
    /// Spans of items that follow one another, each of which is cut evenly.
    Spans(Vec<Span>),
}

/// Where a span of items that is cut evenly ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u128, u64)", into = "(u128, u64)")]
pub struct Span {
    /// How many items there are up to the span's end, from the first item of the space on.
    pub items: u128,
    /// How many chunks these make.
    pub chunks: u64,
}

impl From<(u128, u64)> for Span {
    fn from((items, chunks): (u128, u64)) -> Self {
        Self { items, chunks }
    }
}

impl From<Span> for (u128, u64) {
    fn from(Span { items, chunks }: Span) -> Self {
        (items, chunks)
    }
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
        match self {
            Self::Even { chunks } => *chunks,
            Self::Spans(spans) => spans.last().map_or(0, |span| span.chunks),
        }
    }

    /// Whether it cuts a space of `items` items into chunks of which none is empty.
    #[must_use]
    pub fn fits(&self, items: u128) -> bool {
        match self {
            Self::Even { chunks } => *chunks > 0 && u128::from(*chunks) <= items,
            Self::Spans(spans) => {
                let mut before = Span { items: 0, chunks: 0 };
                let fit = spans.iter().all(|span| {
                    let chunks = span.chunks.checked_sub(before.chunks).filter(|chunks| *chunks > 0);
                    let count = span.items.checked_sub(before.items);
                    before = *span;
                    chunks.zip(count).is_some_and(|(chunks, count)| u128::from(chunks) <= count)
                });
                fit && !spans.is_empty() && before.items == items && before.chunks <= MOST_CHUNKS
            }
        }
    }

    /// How many items the smallest chunk and the largest one have.
    ///
    /// # Panics
    /// Where there are fewer items than chunks.
    #[must_use]
    pub fn sizes(&self, items: u128) -> (u128, u128) {
        let sizes = (0..self.spans()).map(|number| {
            let (first, last) = self.span(items, number);
            let (count, chunks) = (last.items - first.items, u128::from(last.chunks - first.chunks));
            (count / chunks, count.div_ceil(chunks))
        });
        sizes.reduce(|(least, most), (small, large)| (least.min(small), most.max(large))).unwrap_or((items, items))
    }

    /// The items of chunk number `chunk` (from 0) of a space of `items` items.
    ///
    /// # Panics
    /// Where there is no such chunk, or fewer items than chunks.
    #[must_use]
    pub fn chunk(&self, items: u128, chunk: u64) -> Interval {
        assert!(chunk < self.chunks(), "chunk {chunk} of {}", self.chunks());
        let (first, last) = self.span(items, self.span_of(|span| span.chunks <= chunk));
        even(first, last, chunk)
    }

    /// The number of the chunk that holds `item`.
    ///
    /// # Panics
    /// Where there are fewer items than chunks.
    #[must_use]
    pub fn chunk_of(&self, items: u128, item: u128) -> u64 {
        let (first, last) = self.span(items, self.span_of(|span| span.items <= item));
        let (item, count) = (item - first.items, last.items - first.items);
        let chunks = u128::from(last.chunks - first.chunks);
        let (size, larger) = (count / chunks, count % chunks);
        let in_larger = larger * (size + 1);
        let chunk = if item < in_larger { item / (size + 1) } else { larger + (item - in_larger) / size };
        first.chunks + u64::try_from(chunk).expect("below the number of chunks")
    }

    /// The chunks from number `first` on, in order; quicker than asking for one after another.
    ///
    /// # Panics
    /// Where there are fewer items than chunks.
    pub fn iter_from(&self, items: u128, first: u64) -> impl Iterator<Item = (u64, Interval)> + Send {
        let mut span = self.span_of(|span| span.chunks <= first);
        let mut within = self.span(items, span);
        let mut start = (first < self.chunks()).then(|| even(within.0, within.1, first).start());
        (first..self.chunks()).map(move |chunk| {
            if chunk >= within.1.chunks {
                span += 1;
                within = self.span(items, span);
            }
            let (from, to) = within;
            let (count, chunks) = (to.items - from.items, u128::from(to.chunks - from.chunks));
            let is_larger = u128::from(chunk - from.chunks) < count % chunks;
            let begin = start.unwrap_or(0);
            let stop = begin + count / chunks + u128::from(is_larger);
            start = Some(stop);
            (chunk, Interval::new(begin, stop).expect("no more chunks than items"))
        })
    }

    /// The same cut of `items` items, with chunks divided where they hold a border.
    #[cfg(feature = "cli")]
    #[must_use]
    pub fn with_borders(&self, items: u128, borders: &[u128]) -> Self {
        let mut borders: Vec<u128> = borders.iter().copied().filter(|border| (1..items).contains(border)).collect();
        borders.sort_unstable();
        borders.dedup();
        let mut found = Vec::new();
        let mut more = 0;
        let mut next = borders.into_iter().peekable();
        for number in 0..self.spans() {
            let (first, last) = self.span(items, number);
            while let Some(border) = next.next_if(|border| *border < last.items) {
                let chunk = self.chunk_of(items, border);
                let whole = self.chunk(items, chunk);
                if border == whole.start() {
                    continue;
                }
                let before = found.last().map_or(0, |span: &Span| span.items).max(first.items);
                // The chunks before this one, and then its own part up to the border.
                if before < whole.start() {
                    found.push(Span { items: whole.start(), chunks: chunk + more });
                }
                more += 1;
                found.push(Span { items: border, chunks: chunk + more });
                if next.peek().is_none_or(|following| *following >= whole.stop()) {
                    found.push(Span { items: whole.stop(), chunks: chunk + more + 1 });
                }
            }
            if found.last().is_none_or(|span| span.items < last.items) {
                found.push(Span { items: last.items, chunks: last.chunks + more });
            }
        }
        if more == 0 { self.clone() } else { Self::Spans(found) }
    }

    /// How many spans there are.
    fn spans(&self) -> usize {
        match self {
            Self::Even { .. } => 1,
            Self::Spans(spans) => spans.len(),
        }
    }

    /// The number of the first span that does not lie `before`; of an even cut there is one.
    fn span_of(&self, before: impl Fn(&Span) -> bool) -> usize {
        match self {
            Self::Even { .. } => 0,
            Self::Spans(spans) => spans.partition_point(before),
        }
    }

    /// Where a span starts and where it ends; past the last one it is empty.
    fn span(&self, items: u128, number: usize) -> (Span, Span) {
        let none = Span { items: 0, chunks: 0 };
        match self {
            Self::Even { chunks } => (none, Span { items, chunks: *chunks }),
            Self::Spans(spans) => {
                let at = |number: usize| spans.get(number).or(spans.last()).copied().unwrap_or(none);
                (number.checked_sub(1).map_or(none, at), at(number))
            }
        }
    }
}

/// The items of a chunk of a span that is cut evenly.
fn even(first: Span, last: Span, chunk: u64) -> Interval {
    let (count, chunks) = (last.items - first.items, u128::from(last.chunks - first.chunks));
    let (size, larger) = (count / chunks, count % chunks);
    let chunk = u128::from(chunk - first.chunks);
    let start = |chunk: u128| first.items + chunk * size + chunk.min(larger);
    Interval::new(start(chunk), start(chunk + 1)).expect("no more chunks than items")
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

    #[test]
    fn spans_that_make_no_sense_do_not_fit() {
        let spans = |spans: &[(u128, u64)]| Cut::Spans(spans.iter().map(|&span| span.into()).collect());
        assert!(spans(&[(3, 1), (10, 8)]).fits(10));
        for wrong in [&[][..], &[(3, 4), (10, 5)], &[(3, 1), (3, 2)], &[(5, 1), (4, 2)], &[(5, 2), (10, 2)], &[(9, 1)]]
        {
            assert!(!spans(wrong).fits(10), "{wrong:?}");
        }
        assert!(!Cut::Even { chunks: 0 }.fits(10) && !Cut::Even { chunks: 11 }.fits(10));
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
        fn spans_tile_the_space(spans in prop::collection::vec((1u64..8, 0u128..20), 1..8)) {
            let mut end = Span { items: 0, chunks: 0 };
            let spans: Vec<Span> = spans.into_iter().map(|(chunks, more)| {
                end = Span { items: end.items + u128::from(chunks) + more, chunks: end.chunks + chunks };
                end
            }).collect();
            let (items, cut) = (end.items, Cut::Spans(spans));
            prop_assert!(cut.fits(items) && !cut.fits(items + 1));
            prop_assert_eq!(cut.chunks(), end.chunks);
            let all: Vec<_> = cut.iter_from(items, 0).collect();
            prop_assert_eq!(all.len() as u64, end.chunks);
            let mut next = 0;
            for &(chunk, interval) in &all {
                prop_assert_eq!(interval.start(), next);
                prop_assert_eq!(interval, cut.chunk(items, chunk));
                prop_assert_eq!(cut.iter_from(items, chunk).next(), Some((chunk, interval)));
                prop_assert_eq!((cut.chunk_of(items, interval.start()), cut.chunk_of(items, interval.last())), (chunk, chunk));
                next = interval.stop();
            }
            prop_assert_eq!(next, items);
            let sizes: Vec<u128> = all.iter().map(|(_, interval)| interval.count()).collect();
            prop_assert_eq!(cut.sizes(items), (*sizes.iter().min().expect("one"), *sizes.iter().max().expect("one")));
            prop_assert_eq!(cut.iter_from(items, end.chunks).count(), 0);
            let text = serde_json::to_string(&cut).expect("plain values");
            prop_assert_eq!(serde_json::from_str::<Cut>(&text).expect("as written"), cut);
        }

        #[test]
        fn borders_divide_chunks(
            spans in prop::collection::vec((1u64..6, 0u128..20), 1..5), borders in prop::collection::vec(0u128..120, 0..8),
        ) {
            let mut end = Span { items: 0, chunks: 0 };
            let spans: Vec<Span> = spans.into_iter().map(|(chunks, more)| {
                end = Span { items: end.items + u128::from(chunks) + more, chunks: end.chunks + chunks };
                end
            }).collect();
            let items = end.items;
            for cut in [Cut::Spans(spans), Cut::Even { chunks: end.chunks }] {
                let divided = cut.with_borders(items, &borders);
                prop_assert!(divided.fits(items), "{divided:?}");
                let starts = |cut: &Cut| cut.iter_from(items, 0).map(|(_, it)| it.start()).collect::<std::collections::BTreeSet<_>>();
                let mut expected = starts(&cut);
                expected.extend(borders.iter().filter(|border| **border < items));
                prop_assert_eq!(starts(&divided), expected);
            }
        }

        #[test]
        fn the_largest_spaces_are_cut_without_overflow(items in u128::MAX - 1000..=u128::MAX, chunks in 1u64..=MOST_CHUNKS) {
            let cut = Cut::into_chunks(items, chunks.into()).expect("enough items");
            prop_assert_eq!(cut.chunk(items, chunks - 1).stop(), items);
        }
    }
}
