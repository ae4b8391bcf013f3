//! What items cost, and chunks that cost as much each.
//!
//! A space may have more items than can be looked at one by one: what they cost is known up to some of them, and goes up evenly in
//! between. Where each item's cost is known, the longest chunk costs no more than the mean and one item. The cut is made of these numbers alone, so
//! that the same costs give the same cut.

use super::{Cut, CutError, MOST_CHUNKS, Span};
use crate::space::Interval;

/// A cut by costs has so many spans at most: plan.json holds them, and each job is sent them.
const MOST_SPANS: u64 = 1000;
/// Where each item's cost is known, so many: neighbours may differ as they like.
const MOST_SPANS_LISTED: u64 = 100_000;

/// A chunk may cost so much more than the mean where that makes the cut simpler.
const FAIR: f64 = 1.02;
/// So many times what a chunk is to cost one of those between done items may cost more.
const OVER: f64 = 0.1;

/// What the items of a space cost, in seconds or in any other unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Costs {
    /// So many items, from the first one on, cost so much: both rise.
    knots: Vec<(u128, f64)>,
    /// Whether each item's cost is known by itself.
    listed: bool,
}

/// A number that is no cost.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("a cost has to be a number above 0, and not {0}")]
pub struct NoCost(pub f64);

impl Costs {
    /// Each of `items` items costs `each`.
    ///
    /// # Errors
    /// Where `each` is no positive number.
    pub fn even(items: u128, each: f64) -> Result<Self, NoCost> {
        Self::of_stretches([(items, each)])
    }

    /// Of stretches of items that follow one another: how many items each has, and what one of them costs on average.
    ///
    /// # Errors
    /// Where a cost is negative or no number, or all are 0.
    pub fn of_stretches(stretches: impl IntoIterator<Item = (u128, f64)>) -> Result<Self, NoCost> {
        let (mut items, mut sum, mut listed) = (0u128, 0.0, true);
        let mut knots = Vec::new();
        for (count, each) in stretches {
            if !each.is_finite() || each < 0.0 {
                return Err(NoCost(each));
            }
            items += count;
            sum += each * count as f64;
            listed &= count == 1;
            knots.push((items, sum));
        }
        if sum > 0.0 && sum.is_finite() { Ok(Self { knots, listed }) } else { Err(NoCost(sum)) }
    }

    /// How many items there are.
    #[must_use]
    pub fn items(&self) -> u128 {
        self.knots.last().map_or(0, |(items, _)| *items)
    }

    /// What all items cost.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.knots.last().map_or(0.0, |(_, sum)| *sum)
    }

    /// What the first `items` items cost.
    #[must_use]
    pub fn up_to(&self, items: u128) -> f64 {
        let next = self.knots.partition_point(|(stop, _)| *stop < items);
        let (start, before) = next.checked_sub(1).map_or((0, 0.0), |last| self.knots[last]);
        match self.knots.get(next) {
            Some((stop, sum)) if *stop > start => {
                before + (sum - before) * ((items - start) as f64 / (stop - start) as f64)
            }
            _ => before,
        }
    }

    /// What the dearest item costs, as far as is known.
    #[must_use]
    pub fn longest_item(&self) -> f64 {
        self.each().fold(0.0, f64::max)
    }

    /// What the cheapest item costs, as far as is known.
    #[must_use]
    pub fn shortest_item(&self) -> f64 {
        self.each().fold(f64::INFINITY, f64::min)
    }

    /// What an item of each stretch costs.
    fn each(&self) -> impl Iterator<Item = f64> {
        let before = std::iter::once((0, 0.0)).chain(self.knots.iter().copied());
        let each = before.zip(&self.knots).map(|((start, before), (stop, sum))| (sum - before) / (stop - start) as f64);
        each.filter(|each| each.is_finite())
    }

    /// How many items, from the first one on, cost most nearly `sum`.
    fn items_for(&self, sum: f64) -> u128 {
        let next = self.knots.partition_point(|(_, up_to)| *up_to < sum);
        let (start, before) = next.checked_sub(1).map_or((0, 0.0), |last| self.knots[last]);
        let Some(&(stop, after)) = self.knots.get(next) else { return self.items() };
        let share = if after > before { (sum - before) / (after - before) } else { 1.0 };
        start + ((stop - start) as f64 * share).round() as u128
    }

    /// Where `items` are to be divided so that `parts` parts of them cost about as much each; fewer where there are fewer items.
    #[must_use]
    pub fn divide(&self, items: Interval, parts: u128) -> Vec<u128> {
        let (before, after) = (self.up_to(items.start()), self.up_to(items.stop()));
        let mut found: Vec<u128> = Vec::new();
        let parts = parts.min(items.count());
        for part in 1..parts {
            let wanted = self.items_for(before + (after - before) * (part as f64 / parts as f64));
            // Each part has an item, those to come as well.
            let least = found.last().copied().unwrap_or(items.start()) + 1;
            found.push(wanted.clamp(least, items.stop() - (parts - part)));
        }
        found
    }

    /// How many chunks make each cost about `target`: never more than there are items.
    #[must_use]
    pub fn chunks(&self, target: f64) -> u128 {
        let chunks = (self.total() / target).ceil();
        if chunks >= 1.0 { (chunks as u128).min(self.items()) } else { 1 }
    }

    /// Chunks that cost about `work` each, of which none holds both items of `done`, which are in order and apart, and others: nothing
    /// that is done is computed again, and what lies between is cut as evenly as it can be.
    ///
    /// # Errors
    /// Where DAGMan could not hold them.
    pub fn cut_around(&self, done: &[Interval], work: f64) -> Result<Cut, CutError> {
        let items = self.items();
        let mut ends: Vec<u128> = done.iter().flat_map(|done| [done.start(), done.stop()]).chain([items]).collect();
        ends.dedup();
        let mut spans = Vec::new();
        let (mut before, mut chunks) = (0, 0u64);
        for end in ends {
            let Some(part) = Interval::new(before, end) else { continue };
            let costs = self.of(part);
            // A little more than that is better than one more chunk, since each would be far shorter.
            let wanted = (costs.total() / work - OVER).ceil().clamp(1.0, 2.0 * MOST_CHUNKS as f64) as u128;
            let within = match costs.cut(wanted.min(part.count()))? {
                Cut::Even { chunks } => vec![Span { items: part.count(), chunks }],
                Cut::Spans(spans) => spans,
            };
            let moved = |span: Span| Span { items: before + span.items, chunks: chunks + span.chunks };
            spans.extend(within.into_iter().map(moved));
            chunks = spans.last().map_or(0, |span| span.chunks);
            before = end;
        }
        match spans[..] {
            _ if chunks > MOST_CHUNKS => Err(CutError::TooMany { chunks: chunks.into() }),
            [Span { chunks, .. }] => Ok(Cut::Even { chunks }),
            _ => Ok(Cut::Spans(spans)),
        }
    }

    /// Those of some of the items alone.
    fn of(&self, items: Interval) -> Self {
        let before = self.up_to(items.start());
        let inside = self.knots.iter().filter(|(stop, _)| items.start() < *stop && *stop < items.stop());
        let end = (items.stop(), self.up_to(items.stop()));
        let knots = inside.copied().chain([end]).map(|(stop, sum)| (stop - items.start(), sum - before)).collect();
        Self { knots, listed: self.listed }
    }

    /// `chunks` chunks that cost about as much each.
    ///
    /// # Errors
    /// Where a chunk would be empty, or DAGMan could not hold them.
    pub fn cut(&self, chunks: u128) -> Result<Cut, CutError> {
        let items = self.items();
        // Also says what is wrong with the number of chunks.
        let even = Cut::into_chunks(items, chunks)?;
        if self.knots.len() == 1 {
            return Ok(even);
        }
        let chunks = u64::try_from(chunks).unwrap_or(MOST_CHUNKS);
        let most_spans = if self.listed { MOST_SPANS_LISTED } else { MOST_SPANS };
        let mut found: Vec<Span> = Vec::new();
        let (mut before, mut size) = (Span { items: 0, chunks: 0 }, None);
        while before.chunks < chunks {
            let left = most_spans.saturating_sub(found.len() as u64).max(1);
            // Half of the spans may be as short as they have to be.
            let least = if 2 * left > most_spans { 1 } else { (chunks - before.chunks).div_ceil(left) };
            let length = if self.listed { least } else { self.longest_span(before, least, chunks) };
            let span = self.span(before, length, chunks);
            let (count, parts) = (span.items - before.items, u128::from(span.chunks - before.chunks));
            let same = count.is_multiple_of(parts).then(|| count / parts);
            match found.last_mut() {
                // Chunks of one size make one span.
                Some(last) if same.is_some() && same == size => *last = span,
                _ => found.push(span),
            }
            (before, size) = (span, same);
        }
        Ok(if found.len() == 1 { even } else { Cut::Spans(found) })
    }

    /// The span of the next `length` of all `chunks` chunks.
    fn span(&self, before: Span, length: u64, chunks: u64) -> Span {
        let to = before.chunks + length;
        let items = self.items();
        let wanted = if to == chunks { items } else { self.items_for(self.total() * (to as f64 / chunks as f64)) };
        // Each chunk has an item, those to come as well.
        let most = items - u128::from(chunks - to);
        Span { items: wanted.clamp(before.items + u128::from(length), most), chunks: to }
    }

    /// How many chunks the next span may hold, at least `least`, before its first or its last chunk costs clearly more than the mean where
    /// it is cut evenly.
    fn longest_span(&self, before: Span, least: u64, chunks: u64) -> u64 {
        let mean = self.total() / chunks as f64;
        let is_fair = |length: u64| {
            let span = self.span(before, length, chunks);
            let size = ((span.items - before.items) / u128::from(length)).max(1);
            let first = self.up_to(before.items + size) - self.up_to(before.items);
            let last = self.up_to(span.items) - self.up_to(span.items - size);
            first.max(last) <= FAIR * mean
        };
        let most = chunks - before.chunks;
        let (mut fair, mut step) = (least, least);
        while fair + step <= most && is_fair(fair + step) {
            fair += step;
            step *= 2;
        }
        while step > 1 {
            step = step.div_ceil(2);
            if fair + step <= most && is_fair(fair + step) {
                fair += step;
            }
        }
        fair
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn listed(costs: &[f64]) -> Costs {
        Costs::of_stretches(costs.iter().map(|cost| (1, *cost))).expect("costs")
    }

    /// What each chunk costs.
    fn of_chunks(costs: &Costs, cut: &Cut) -> Vec<f64> {
        let cost = |interval: Interval| costs.up_to(interval.stop()) - costs.up_to(interval.start());
        cut.iter_from(costs.items(), 0).map(|(_, interval)| cost(interval)).collect()
    }

    fn longest(costs: &[f64]) -> f64 {
        costs.iter().copied().fold(0.0, f64::max)
    }

    /// The longest chunk of the best cut into so many chunks of items in their order: the least length for which filling one chunk
    /// after another needs no more.
    fn best(items: &[f64], chunks: usize) -> f64 {
        let needed = |length: f64| {
            let mut chunks = 1;
            let mut filled = 0.0;
            for item in items {
                if filled + item > length {
                    chunks += 1;
                    filled = 0.0;
                }
                filled += item;
            }
            chunks
        };
        let (mut low, mut high) = (longest(items), items.iter().sum::<f64>());
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if needed(middle) <= chunks { high = middle } else { low = middle }
        }
        high
    }

    #[test]
    fn uneven_work_is_cut_nearly_as_well_as_can_be() {
        let items = 6000;
        let mut chance = crate::model::Chance::new(3);
        let workloads: [(&str, Vec<f64>); 5] = [
            ("constant", vec![1.0; items]),
            ("linear", (0..items).map(|item| item as f64 + 1.0).collect()),
            ("quadratic", (0..items).map(|item| (item as f64 + 1.0).powi(2)).collect()),
            ("two kinds", (0..items).map(|_| if chance.unit() < 0.1 { 100.0 } else { 1.0 }).collect()),
            ("heavy tail", (0..items).map(|_| chance.unit().powf(-1.0 / 1.5)).collect()),
        ];
        let mut table = String::new();
        for (name, work) in workloads {
            let costs = listed(&work);
            let cut = costs.cut(60).expect("a cut");
            let ours = longest(&of_chunks(&costs, &cut));
            let even = longest(&of_chunks(&costs, &Cut::into_chunks(items as u128, 60).expect("a cut")));
            let (mean, best) = (costs.total() / 60.0, best(&work, 60));
            table += &format!(
                "{name:10} longest over mean: by cost {:.2}, even {:.2}, best {:.2}\n",
                ours / mean,
                even / mean,
                best / mean
            );
            assert!(name == "heavy tail" || ours <= 1.25 * best, "{table}");
            assert!(ours <= mean + longest(&work) && ours <= even * 1.01, "{table}");
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn a_space_that_cannot_be_looked_at_is_cut_by_stretches() {
        // 10^12 items, whose cost grows with the square of their number, known in 4096 stretches.
        let (items, stretches) = (10u128.pow(12), 4096);
        let each = |number: u128| ((number as f64 + 0.5) / stretches as f64).powi(2);
        let costs = Costs::of_stretches((0..stretches).map(|number| (items / stretches, each(number)))).expect("costs");
        for chunks in [60, 1000, 50_000] {
            let cut = costs.cut(chunks).expect("a cut");
            assert!(cut.fits(costs.items()) && u128::from(cut.chunks()) == chunks);
            let Cut::Spans(spans) = &cut else { panic!("{cut:?}") };
            assert!(spans.len() <= 1000);
            let mean = costs.total() / chunks as f64;
            let most = longest(&of_chunks(&costs, &cut));
            assert!(most <= 1.05 * mean, "{chunks}: {most} and {mean}");
        }
        assert_eq!(costs.chunks(costs.total() / 60.0 * 1.000001), 60);
    }

    #[test]
    fn costs_that_make_no_sense() {
        assert_eq!(Costs::even(10, 0.0), Err(NoCost(0.0)));
        assert_eq!(Costs::even(10, -1.0), Err(NoCost(-1.0)));
        assert!(Costs::even(10, f64::NAN).is_err() && Costs::even(10, f64::INFINITY).is_err());
        assert_eq!(listed(&[1.0, 2.0]).cut(3), Err(CutError::MoreChunksThanItems { chunks: 3, items: 2 }));
        assert_eq!(Costs::even(1 << 100, 1e-9).expect("costs").chunks(1e-9), 1 << 100);
    }

    proptest! {
        #[test]
        fn what_is_done_is_cut_out(
            costs in prop::collection::vec(prop_oneof![4 => 0.1f64..10.0, 1 => Just(0.0)], 1..200),
            ends in prop::collection::btree_set(0u128..200, 0..12), work in 0.5f64..100.0,
        ) {
            prop_assume!(costs.iter().sum::<f64>() > 0.0);
            let items = costs.len() as u128;
            let ends: Vec<u128> = ends.into_iter().filter(|end| *end <= items).collect();
            let done: Vec<Interval> = ends.chunks_exact(2).filter_map(|pair| Interval::new(pair[0], pair[1])).collect();
            let all = listed(&costs);
            let cut = all.cut_around(&done, work).expect("a cut");
            prop_assert!(cut.fits(items), "{cut:?}");
            for (_, chunk) in cut.iter_from(items, 0) {
                for done in &done {
                    let overlap = chunk.start().max(done.start()) < chunk.stop().min(done.stop());
                    prop_assert!(!overlap || done.start() <= chunk.start() && chunk.stop() <= done.stop());
                }
            }
            let most = longest(&of_chunks(&all, &cut));
            prop_assert!(most <= (1.0 + OVER) * work + longest(&costs) + 1e-9, "{most}");
        }

        #[test]
        fn chunks_cost_no_more_than_the_mean_and_one_item(
            costs in prop::collection::vec(prop_oneof![4 => 0.0f64..10.0, 1 => Just(0.0), 1 => 100.0f64..1000.0], 1..200),
            chunks in 1u128..200,
        ) {
            prop_assume!(chunks <= costs.len() as u128 && costs.iter().sum::<f64>() > 0.0);
            let all = listed(&costs);
            let cut = all.cut(chunks).expect("enough items");
            prop_assert!(cut.fits(costs.len() as u128));
            prop_assert_eq!(u128::from(cut.chunks()), chunks);
            let mean = all.total() / chunks as f64;
            let most = longest(&of_chunks(&all, &cut));
            prop_assert!(most <= (mean + longest(&costs)) * (1.0 + 1e-9), "{most} {mean}");
            prop_assert_eq!(&all.cut(chunks).expect("again"), &cut);
        }

        #[test]
        fn parts_have_items(
            stretches in prop::collection::vec((1u128..100, 0.0f64..10.0), 1..20), start in 0u128..100, count in 1u128..100, parts in 1u128..50,
        ) {
            if let Ok(costs) = Costs::of_stretches(stretches) {
                let start = start.min(costs.items() - 1);
                let items = crate::space::Interval::new(start, (start + count).min(costs.items())).expect("some");
                let borders = costs.divide(items, parts);
                prop_assert_eq!(borders.len() as u128, parts.min(items.count()) - 1);
                let all = Vec::from_iter(std::iter::once(items.start()).chain(borders).chain([items.stop()]));
                prop_assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "{all:?}");
            }
        }

        #[test]
        fn sums_rise(stretches in prop::collection::vec((1u128..1000, 0.0f64..10.0), 1..20), items in 0u128..20_000) {
            if let Ok(costs) = Costs::of_stretches(stretches) {
                let items = items.min(costs.items());
                prop_assert!(costs.up_to(items) <= costs.up_to((items + 1).min(costs.items())) + 1e-9);
                prop_assert!(costs.up_to(costs.items()) == costs.total());
            }
        }
    }
}
