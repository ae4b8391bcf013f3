//! What is missing once the chunks have run, cut again, smaller.
//!
//! Invariant: pieces lie within their chunk and do not overlap, and together they hold every gap; nothing else, unless there
//! are more gaps than pieces are allowed: then gaps of one chunk that lie close together share a piece.

use std::time::Duration;

use crate::space::Interval;

/// A round that is not the last one cuts a gap into so many pieces.
const PIECES: u64 = 8;
/// Where nothing of a gap has failed, its pieces take so long, in seconds, or longer: a job has its own cost.
const SHORTEST: f64 = 60.0;

/// Items of one chunk that no valid record covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The chunk's number.
    pub chunk: u64,
    /// The items.
    pub items: Interval,
    /// Whether the program failed on some of them, so that the items that it fails on have to be told from the others.
    pub failed: bool,
}

/// A piece of the tail: what one job computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The chunk's number.
    pub chunk: u64,
    /// The piece's number among those of its chunk, from 0.
    pub number: u64,
    /// The items.
    pub items: Interval,
}

/// How a round of the tail cuts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Round {
    /// Whether no other comes after it: then items are tried one by one, as far as `most` goes.
    pub is_last: bool,
    /// So many pieces at most; at least one for each chunk with a gap.
    pub most: u64,
    /// How long an item takes, in seconds, where that has been measured.
    pub seconds: Option<f64>,
    /// For how long a job works.
    pub budget: Option<Duration>,
}

impl Round {
    /// Cuts gaps, which are in the order of their items, and apart.
    #[must_use]
    pub fn cut(&self, gaps: Vec<Gap>) -> Vec<Piece> {
        let gaps = join(gaps, self.most);
        let spare = self.most.saturating_sub(gaps.len() as u64);
        // Beside the one that each gap has.
        let wanted: Vec<u64> = gaps.iter().map(|gap| self.wanted(gap).min(self.most.max(1)) - 1).collect();
        let all: u128 = wanted.iter().map(|&more| u128::from(more)).sum();
        let mut pieces = Vec::new();
        let mut number = 0;
        let mut chunk = None;
        for (gap, more) in gaps.iter().zip(wanted) {
            let more = match all <= u128::from(spare) {
                true => more,
                false => u64::try_from(u128::from(more) * u128::from(spare) / all).unwrap_or(more),
            };
            if chunk != Some(gap.chunk) {
                (chunk, number) = (Some(gap.chunk), 0);
            }
            for items in even(gap.items, more + 1) {
                pieces.push(Piece { chunk: gap.chunk, number, items });
                number += 1;
            }
        }
        pieces
    }

    /// Into how many pieces a gap would best be cut: at least 1, and at most as many as it has items.
    fn wanted(&self, gap: &Gap) -> u64 {
        let items = u64::try_from(gap.items.count()).unwrap_or(u64::MAX);
        let fine = if self.is_last { items } else { items.min(PIECES) };
        let Some(seconds) = self.seconds.filter(|_| !gap.failed) else { return fine };
        let work = gap.items.count() as f64 * seconds;
        let most = (work / SHORTEST) as u64;
        // A piece that takes longer than a job may work would be yielded once more.
        let least = self.budget.map_or(1, |budget| (2.0 * work / budget.as_secs_f64()).ceil() as u64);
        fine.min(most).max(least).clamp(1, items)
    }
}

/// Joins gaps of the same chunk, those closest together first, until there are no more than `most`.
fn join(gaps: Vec<Gap>, most: u64) -> Vec<Gap> {
    let too_many = gaps.len().saturating_sub(usize::try_from(most).unwrap_or(usize::MAX));
    if too_many == 0 {
        return gaps;
    }
    let between = |place: usize| gaps[place].items.start() - gaps[place - 1].items.stop();
    let mut places: Vec<usize> = (1..gaps.len()).filter(|&place| gaps[place].chunk == gaps[place - 1].chunk).collect();
    places.sort_by_key(|&place| (between(place), place));
    places.truncate(too_many);
    places.sort_unstable();
    let mut places = places.into_iter().peekable();
    let mut joined: Vec<Gap> = Vec::with_capacity(gaps.len());
    for (place, gap) in gaps.into_iter().enumerate() {
        match joined.last_mut() {
            Some(last) if places.next_if_eq(&place).is_some() => {
                let items = Interval::new(last.items.start(), gap.items.stop()).unwrap_or(gap.items);
                *last = Gap { chunk: gap.chunk, items, failed: last.failed || gap.failed };
            }
            _ => joined.push(gap),
        }
    }
    joined
}

/// Cuts items into so many pieces, no more than there are items, whose sizes differ by at most one.
fn even(items: Interval, pieces: u64) -> impl Iterator<Item = Interval> {
    let pieces = u128::from(pieces).min(items.count());
    let (size, larger) = (items.count() / pieces, items.count() % pieces);
    let start = move |piece: u128| items.start() + piece * size + piece.min(larger);
    (0..pieces).filter_map(move |piece| Interval::new(start(piece), start(piece + 1)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cut::Cut;

    const ROUND: Round = Round { is_last: false, most: 1000, seconds: None, budget: None };

    fn gap(chunk: u64, start: u128, stop: u128, failed: bool) -> Gap {
        Gap { chunk, items: Interval::new(start, stop).expect("items"), failed }
    }

    fn sizes(round: Round, gap: Gap) -> Vec<u128> {
        round.cut(vec![gap]).iter().map(|piece| piece.items.count()).collect()
    }

    #[test]
    fn the_first_round_cuts_into_eight_and_the_last_into_single_items() {
        let failed = gap(3, 30, 40, true);
        assert_eq!(sizes(ROUND, failed), [2, 2, 1, 1, 1, 1, 1, 1]);
        assert_eq!(sizes(ROUND, gap(3, 30, 33, true)), [1, 1, 1]);
        assert_eq!(sizes(Round { is_last: true, ..ROUND }, failed), [1; 10]);
        assert_eq!(sizes(Round { is_last: true, most: 4, ..ROUND }, failed), [3, 3, 2, 2]);
    }

    #[test]
    fn what_only_takes_long_is_not_cut_below_a_minute() {
        let timed = |seconds| Round { is_last: true, seconds: Some(seconds), ..ROUND };
        assert_eq!(sizes(timed(1.0), gap(0, 0, 300, false)), [60; 5]);
        assert_eq!(sizes(timed(0.1), gap(0, 0, 300, false)), [300]);
        assert_eq!(sizes(timed(0.1), gap(0, 0, 300, true)), [1; 300], "what failed is narrowed down all the same");
        // 3000 s of work: in eight pieces, or as many as take half of what a job may work for.
        let first = Round { seconds: Some(10.0), ..ROUND };
        assert_eq!(sizes(first, gap(0, 0, 300, false)).len(), 8);
        let budget = |seconds| Round { budget: Some(Duration::from_secs(seconds)), ..first };
        assert_eq!(sizes(budget(3600), gap(0, 0, 300, false)).len(), 8);
        assert_eq!(sizes(budget(120), gap(0, 0, 300, false)).len(), 50);
        assert_eq!(sizes(budget(2), gap(0, 0, 300, false)), [1; 300]);
    }

    #[test]
    fn pieces_are_numbered_within_their_chunk() {
        let gaps = vec![gap(3, 30, 31, true), gap(3, 35, 37, true), gap(7, 70, 72, true)];
        let numbers: Vec<_> = ROUND.cut(gaps).iter().map(|piece| (piece.chunk, piece.number)).collect();
        assert_eq!(numbers, [(3, 0), (3, 1), (3, 2), (7, 0), (7, 1)]);
    }

    #[test]
    fn too_many_gaps_share_pieces_with_their_neighbours() {
        let gaps = vec![gap(0, 0, 1, true), gap(0, 5, 6, false), gap(0, 7, 8, true), gap(1, 10, 11, false)];
        let pieces = Round { most: 3, ..ROUND }.cut(gaps.clone());
        let items: Vec<_> = pieces.iter().map(|piece| (piece.items.start(), piece.items.stop())).collect();
        assert_eq!(items, [(0, 1), (5, 8), (10, 11)]);
        let pieces = Round { most: 2, ..ROUND }.cut(gaps);
        assert_eq!(pieces.iter().map(|piece| piece.items.count()).collect::<Vec<_>>(), [8, 1]);
    }

    proptest! {
        #[test]
        fn pieces_hold_the_gaps_and_lie_in_their_chunks(
            items in 1u64..400,
            chunks in 1u64..40,
            missing in prop::collection::vec(any::<bool>(), 400),
            failed in any::<bool>(),
            is_last in any::<bool>(),
            more in 0u64..300,
            seconds in prop::option::of(0.0f64..200.0),
            budget in prop::option::of(1u64..4000),
        ) {
            let count = u128::from(items);
            let cut = Cut::into_chunks(count, chunks.min(items).into()).expect("a cut");
            let mut gaps: Vec<Gap> = Vec::new();
            for item in (0..count).filter(|&item| missing[item as usize]) {
                let chunk = cut.chunk_of(count, item);
                match gaps.last_mut() {
                    Some(last) if last.chunk == chunk && last.items.stop() == item => {
                        last.items = Interval::new(last.items.start(), item + 1).expect("items");
                    }
                    _ => gaps.push(gap(chunk, item, item + 1, failed)),
                }
            }
            let most = cut.chunks() + more;
            let round = Round { is_last, most, seconds, budget: budget.map(Duration::from_secs) };
            let pieces = round.cut(gaps.clone());
            prop_assert!(pieces.len() as u64 <= most);
            for pair in pieces.windows(2) {
                prop_assert!(pair[0].items.stop() <= pair[1].items.start());
                prop_assert!((pair[0].chunk, pair[0].number) < (pair[1].chunk, pair[1].number));
            }
            for piece in &pieces {
                let chunk = cut.chunk(count, piece.chunk);
                prop_assert_eq!(chunk.intersect(piece.items), Some(piece.items));
            }
            let held: u128 = pieces.iter().map(|piece| piece.items.count()).sum();
            let needed: u128 = gaps.iter().map(|gap| gap.items.count()).sum();
            for gap in &gaps {
                let within = pieces.iter().filter_map(|piece| piece.items.intersect(gap.items));
                prop_assert_eq!(within.map(|items| items.count()).sum::<u128>(), gap.items.count());
            }
            // Where there is a piece for each gap they hold nothing else.
            prop_assert!(held == needed || gaps.len() as u64 > most);
        }
    }
}
