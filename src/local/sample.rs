//! A choice by chance that can be made again.

use std::collections::BTreeSet;

/// Chooses `items` different ones of the items that lie in consecutive lots of `counts` items, each as likely as any
/// other, and gives the lots that they are in, in order. The same `seed` makes the same choice.
#[must_use]
pub fn choose(counts: &[u128], items: u128, seed: u64) -> Vec<usize> {
    // Up to and with each lot.
    let ends: Vec<u128> = counts
        .iter()
        .scan(0, |end, count| {
            *end += count;
            Some(*end)
        })
        .collect();
    let all = ends.last().copied().unwrap_or(0);
    if items >= all {
        return (0..counts.len()).collect();
    }
    let mut random = fastrand::Rng::with_seed(seed);
    // Robert Floyd's way: as many draws as items, none of them in vain.
    let mut chosen = BTreeSet::new();
    for next in all - items..all {
        let drawn = random.u128(..=next);
        if !chosen.insert(drawn) {
            chosen.insert(next);
        }
    }
    let lots: BTreeSet<usize> = chosen.iter().map(|item| ends.partition_point(|end| end <= item)).collect();
    lots.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lots_of_one_item_are_chosen_as_often_as_asked(lots in 1usize..200, items in 1u128..200, seed: u64) {
            let chosen = choose(&vec![1; lots], items, seed);
            prop_assert_eq!(chosen.len() as u128, items.min(lots as u128));
            prop_assert!(chosen.is_sorted() && chosen.iter().all(|&lot| lot < lots));
            prop_assert_eq!(choose(&vec![1; lots], items, seed), chosen);
        }
    }

    #[test]
    fn a_larger_lot_is_chosen_as_often_as_it_is_larger() {
        let mut chosen = [0u32; 3];
        for seed in 0..4000 {
            for lot in choose(&[1, 10, 29], 1, seed) {
                chosen[lot] += 1;
            }
        }
        let expected = [100, 1000, 2900];
        for (lot, expected) in chosen.into_iter().zip(expected) {
            assert!(lot.abs_diff(expected) < 40 + expected / 8, "{chosen:?}");
        }
        assert!((0..9).any(|seed| choose(&[u128::MAX / 2; 2], 3, seed) == [0, 1]), "of more than 64 bits, too");
        assert_eq!(choose(&[], 3, 1), Vec::<usize>::new());
    }
}
