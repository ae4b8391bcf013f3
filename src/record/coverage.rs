//! Which records count, and which items none covers.

use crate::space::Interval;

/// A record's claim to items, with what decides between claims to the same ones.
#[derive(Clone, Copy, Debug)]
pub struct Claim<Rank> {
    /// The items it covers.
    pub items: Interval,
    /// Whether it is to be chosen before others that cover as much (the code at hand computed it).
    pub preferred: bool,
    /// Decides what is left; made of the record's content alone, so that arrival does not matter.
    pub rank: Rank,
}

/// A choice of claims that cover no item twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tiling {
    /// The chosen claims' places in the list, in item order.
    pub chosen: Vec<usize>,
    /// The claims that were left out for another one to exactly the same items: (left out, chosen or better).
    pub same_items: Vec<(usize, usize)>,
    /// The items that no chosen claim covers, in order.
    pub gaps: Vec<Interval>,
}

impl Tiling {
    /// Whether every one of `items` is covered.
    #[must_use]
    pub fn covers(&self, items: Interval) -> bool {
        // The gaps are in order and apart: the first that ends after the items' start decides.
        let next = self.gaps.partition_point(|gap| gap.stop() <= items.start());
        self.gaps.get(next).is_none_or(|gap| gap.start() >= items.stop())
    }
}

/// Chooses claims that cover as many of the items below `count` as can be, none of them twice; among such
/// choices one with as many items of preferred claims as can be, then one of as few claims as can be.
/// The choice depends on the claims alone, not on their order. Claims past `count` are left out.
///
/// This is weighted interval scheduling: linear where no claims overlap, n log n otherwise.
#[must_use]
pub fn tile<Rank: Ord>(count: u128, claims: &[Claim<Rank>]) -> Tiling {
    let mut order: Vec<usize> = (0..claims.len()).filter(|&at| claims[at].items.stop() <= count).collect();
    let key = |at: usize| (claims[at].items.start(), claims[at].items.stop());
    order.sort_unstable_by(|&a, &b| {
        let best_first = |at: usize| (!claims[at].preferred, &claims[at].rank);
        key(a).cmp(&key(b)).then_with(|| best_first(a).cmp(&best_first(b))).then(a.cmp(&b))
    });
    let mut same_items = Vec::new();
    let mut distinct: Vec<usize> = Vec::with_capacity(order.len());
    for at in order {
        match distinct.last() {
            Some(&better) if key(better) == key(at) => same_items.push((at, better)),
            _ => distinct.push(at),
        }
    }
    let overlapping = distinct.windows(2).any(|pair| claims[pair[1]].items.start() < claims[pair[0]].items.stop());
    let chosen = if overlapping { schedule(claims, distinct) } else { distinct };

    let mut gaps = Vec::new();
    let mut next = 0;
    for &at in &chosen {
        gaps.extend(Interval::new(next, claims[at].items.start()));
        next = claims[at].items.stop();
    }
    gaps.extend(Interval::new(next, count));
    Tiling { chosen, same_items, gaps }
}

/// The best choice among claims to distinct intervals that overlap.
fn schedule<Rank>(claims: &[Claim<Rank>], mut distinct: Vec<usize>) -> Vec<usize> {
    distinct.sort_unstable_by_key(|&at| (claims[at].items.stop(), claims[at].items.start()));
    // best[n]: what the first n can come to (items, preferred items, and as few claims as can be).
    type Worth = (u128, u128, std::cmp::Reverse<usize>);
    let mut best: Vec<Worth> = vec![(0, 0, std::cmp::Reverse(0))];
    let mut before = Vec::with_capacity(distinct.len());
    for (place, &at) in distinct.iter().enumerate() {
        let claim = &claims[at];
        let compatible = distinct[..place].partition_point(|&other| claims[other].items.stop() <= claim.items.start());
        let (items, preferred, std::cmp::Reverse(number)) = best[compatible];
        let gained = claim.items.count();
        let with =
            (items + gained, preferred + if claim.preferred { gained } else { 0 }, std::cmp::Reverse(number + 1));
        before.push((compatible, with));
        best.push(best[place].max(with));
    }
    let mut chosen = Vec::new();
    let mut left = distinct.len();
    while left > 0 {
        let (compatible, with) = before[left - 1];
        if with > best[left - 1] {
            chosen.push(distinct[left - 1]);
            left = compatible;
        } else {
            left -= 1;
        }
    }
    chosen.reverse();
    chosen
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn claim(start: u128, stop: u128, preferred: bool, rank: u32) -> Claim<u32> {
        Claim { items: Interval::new(start, stop).expect("not empty"), preferred, rank }
    }

    #[test]
    fn the_same_items_count_once_and_the_lower_rank_wins() {
        let tiling = tile(4, &[claim(0, 2, false, 7), claim(2, 4, false, 1), claim(0, 2, false, 3)]);
        assert_eq!(tiling, Tiling { chosen: vec![2, 1], same_items: vec![(0, 2)], gaps: vec![] });
        let tiling = tile(2, &[claim(0, 2, false, 1), claim(0, 2, true, 9)]);
        assert_eq!(tiling.chosen, [1], "the code at hand before rank");
    }

    #[test]
    fn gaps_are_named() {
        let tiling = tile(10, &[claim(2, 4, false, 0), claim(7, 8, false, 0), claim(8, 11, false, 0)]);
        let gap = |start, stop| Interval::new(start, stop).expect("not empty");
        assert_eq!(tiling.gaps, [gap(0, 2), gap(4, 7), gap(8, 10)]);
        assert_eq!(tiling.chosen, [0, 1]);
        let covered: Vec<_> = (0..10).filter(|&item| tiling.covers(gap(item, item + 1))).collect();
        assert_eq!(covered, [2, 3, 7]);
        assert!(!tiling.covers(gap(2, 8)));
    }

    #[test]
    fn a_tiling_is_found_where_greed_would_miss_it() {
        // Taking the long one in the middle would leave gaps on both sides.
        let claims = [claim(2, 8, true, 0), claim(0, 3, false, 0), claim(3, 6, false, 0), claim(6, 10, false, 0)];
        let tiling = tile(10, &claims);
        assert_eq!((tiling.chosen, tiling.gaps), (vec![1, 2, 3], vec![]));
    }

    proptest! {
        #[test]
        fn the_choice_is_the_best_there_is_and_depends_on_no_order(
            raw in prop::collection::vec((0u128..12, 1u128..6, any::<bool>()), 0..10), shift in 0usize..10,
        ) {
            let claims: Vec<_> = raw.iter().enumerate()
                .map(|(rank, &(start, length, preferred))| claim(start, start + length, preferred, rank as u32)).collect();
            let count = 14;
            let tiling = tile(count, &claims);
            let worth = |chosen: &[usize]| {
                let of = |at: usize| claims[at].items.count();
                let items: u128 = chosen.iter().map(|&at| of(at)).sum();
                let preferred: u128 = chosen.iter().filter(|&&at| claims[at].preferred).map(|&at| of(at)).sum();
                (items, preferred, std::cmp::Reverse(chosen.len()))
            };
            for pair in tiling.chosen.windows(2) {
                prop_assert!(claims[pair[0]].items.stop() <= claims[pair[1]].items.start());
            }
            let covered: u128 = tiling.gaps.iter().map(|gap| gap.count()).sum();
            prop_assert_eq!(covered + worth(&tiling.chosen).0, count);
            for subset in 0..1usize << claims.len() {
                let subset: Vec<_> = (0..claims.len()).filter(|at| subset >> at & 1 == 1).collect();
                let fits = subset.iter().all(|&at| claims[at].items.stop() <= count)
                    && subset.iter().enumerate().all(|(place, &a)| subset[..place].iter()
                        .all(|&b| claims[a].items.intersect(claims[b].items).is_none()));
                if fits {
                    prop_assert!(worth(&subset) <= worth(&tiling.chosen));
                }
            }
            let mut turned = claims.clone();
            turned.rotate_left(shift % claims.len().max(1));
            let ranks = |claims: &[Claim<u32>], tiling: &Tiling| -> Vec<u32> {
                tiling.chosen.iter().map(|&at| claims[at].rank).collect()
            };
            prop_assert_eq!(ranks(&turned, &tile(count, &turned)), ranks(&claims, &tiling));
        }
    }
}
