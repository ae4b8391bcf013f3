//! Which chunks a plan.dag may call done, by what has been computed before.

use crate::plan::Plan;
use crate::record::Tiling;
use crate::space::Interval;

/// The chunks that need not run, because the records that count cover them and go on counting whatever the others yield.
///
/// Records may be of an older cut: one that straddles the border of a chunk that has to run loses against what that chunk
/// computes, and then does not cover its other items either.
#[derive(Debug)]
pub(super) struct Done<'a> {
    plan: &'a Plan,
    tiling: &'a Tiling,
    /// Chunks, as ranges of numbers in order and apart, that records tie to a chunk that has to run.
    unfinished: Vec<(u64, u64)>,
    none: bool,
}

impl<'a> Done<'a> {
    /// `chosen` are the items of the records that `tiling` chose, in order.
    pub(super) fn new(plan: &'a Plan, tiling: &'a Tiling, chosen: impl Iterator<Item = Interval>) -> Self {
        let mut unfinished: Vec<(u64, u64)> = Vec::new();
        for items in chosen {
            let (first, last) = plan.chunks_of(items);
            if first == last {
                continue;
            }
            match unfinished.last_mut() {
                Some(block) if first <= block.1 => block.1 = last,
                _ => unfinished.push((first, last)),
            }
        }
        unfinished.retain(|&(first, last)| (first..=last).any(|chunk| !tiling.covers(plan.chunk(chunk))));
        Self { plan, tiling, unfinished, none: tiling.chosen.is_empty() }
    }

    /// Whether the chunk need not run.
    pub(super) fn contains(&self, chunk: u64) -> bool {
        // Most plans are new: a million chunks need not be looked up then.
        if self.none || !self.tiling.covers(self.plan.chunk(chunk)) {
            return false;
        }
        let next = self.unfinished.partition_point(|&(_, last)| last < chunk);
        self.unfinished.get(next).is_none_or(|&(first, _)| chunk < first)
    }

    /// How many chunks need not run.
    pub(super) fn count(&self) -> u64 {
        let chunks = self.plan.cut.chunks();
        if self.none { 0 } else { (0..chunks).filter(|&chunk| self.contains(chunk)).count() as u64 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cut::Cut;
    use crate::plan::testing::plan;
    use crate::record::{Claim, tile};

    fn tiling(items: u128, records: &[Interval]) -> Tiling {
        let claim = |(rank, &items): (usize, &Interval)| Claim { items, preferred: false, rank };
        tile(items, &records.iter().enumerate().map(claim).collect::<Vec<_>>())
    }

    proptest! {
        /// What is kept, and what the chunks that are not done compute whole, tile the space.
        #[test]
        fn what_is_done_stays_covered_once_the_rest_has_run(
            items in 1u64..60,
            old in 1u64..60,
            new in 1u64..60,
            lost in prop::collection::vec(any::<bool>(), 60),
        ) {
            let items_wide = u128::from(items);
            let cut = |chunks: u64| Cut::into_chunks(items_wide, chunks.min(items).into()).expect("a cut");
            let older = cut(old);
            let records: Vec<_> =
                older.iter_from(items_wide, 0).filter(|&(chunk, _)| !lost[chunk as usize]).map(|(_, it)| it).collect();
            let plan = plan(&format!("0..{items}"), cut(new));
            let kept = tiling(items_wide, &records);
            let done = Done::new(&plan, &kept, kept.chosen.iter().map(|&at| records[at]));
            let mut after = records.clone();
            after.extend((0..plan.cut.chunks()).filter(|&chunk| !done.contains(chunk)).map(|chunk| plan.chunk(chunk)));
            prop_assert!(tiling(items_wide, &after).gaps.is_empty());
            // And nothing runs again where all is there.
            if kept.gaps.is_empty() {
                prop_assert_eq!(done.count(), plan.cut.chunks());
            }
        }
    }
}
