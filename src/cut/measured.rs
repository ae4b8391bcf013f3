//! What items cost by what has been computed already.
//!
//! Records cover items, apart and in order, and say how many seconds these took together. A run takes
//! a while to start beside its items: small runs beside large ones tell how long.
//!
//! Where half of the items or more are known, what an item takes is the same within a
//! record; between two records it goes over evenly from the one to the other, and beyond the outermost it is as in these.
//!
//! Where fewer are known, what differs from record to record may be chance: items of two kinds, a heavy tail. So the records of each
//! sixteenth of the space are taken together, and neighbours are compared: what differs by chance differs as much between
//! neighbours as between any others; what changes along the space differs less (von Neumann, "Distribution of the ratio of the mean square
//! successive difference to the variance", 1941). By as much as it is no chance the cost follows the space; for the rest it is
//! the mean.

use super::{Costs, NoCost, Timed};
use crate::space::Interval;

/// Costs are kept for so many stretches of items.
const MOST_STRETCHES: usize = 4096;
/// What lies between two records goes over in so many steps.
const STEPS: u128 = 16;
/// Two neighbours tell how long starting takes where one has so many times the items of the other,
const LARGER: u128 = 4;
/// and so many such pairs are needed: the items of two neighbours may differ by themselves.
const PAIRS: usize = 3;
/// The space in so many parts,
const PARTS: usize = 8;
/// that differ by no more than this factor in the mean: then items are alike,
const ALIKE: f64 = 1.25;
/// unless single records differ by more than machines do.
const MACHINES: f64 = 2.0;
/// Even an item that takes no time to speak of takes this, in seconds.
const LEAST: f64 = 1e-7;
/// Records of each of so many parts of the space are taken together where few items are known.
const SITES: usize = 16;
/// So many standard deviations of von Neumann's ratio are no chance: one case in a hundred.
const NO_CHANCE: f64 = 2.33;
/// Costs that follow the space are known for so many stretches.
const CURVE: u128 = 4096;

/// What has been computed says so much of all items.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// What the items cost, in seconds, without starting.
    pub costs: Costs,
    /// How many seconds a run takes to start.
    pub start: f64,
    /// How many items were computed.
    pub items: u128,
    /// By what share of it all may differ: the standard error of the mean, 0 where all is known; `None` where one place alone tells.
    pub spread: Option<f64>,
}

impl Measured {
    /// Of runs over some of `items` items, in the order of the items and apart; `None` where they are too few to speak for all: they
    /// hold less than half of the items, and do not lie in each half of the eighths of the space. Where the program runs `per_item`,
    /// an item's time is all there is.
    #[must_use]
    pub fn new(items: u128, runs: &[Timed], per_item: bool) -> Option<Self> {
        let computed: u128 = runs.iter().map(|run| run.items.count()).sum();
        if computed < items.div_ceil(2) && parts_with_runs(items, runs) < PARTS.div_ceil(2) {
            return None;
        }
        Self::guess(items, runs, per_item)
    }

    /// As [`Self::new`], however few the runs are; `None` where there is none.
    #[must_use]
    pub fn guess(items: u128, runs: &[Timed], per_item: bool) -> Option<Self> {
        let computed: u128 = runs.iter().map(|run| run.items.count()).sum();
        if computed == 0 {
            return None;
        }
        let start = if per_item { 0.0 } else { start(runs) };
        let each = |run: &Timed| ((run.seconds.max(0.0) - start) / run.items.count() as f64).max(LEAST);
        let sites = sites(items, runs, &each);
        let costs = if computed < items.div_ceil(2) {
            curve(items, &sites)
        } else if are_alike(items, runs, &each) {
            let seconds: f64 = runs.iter().map(|run| each(run) * run.items.count() as f64).sum();
            Costs::even(items, seconds / computed as f64)
        } else {
            stretches(items, runs, &each)
        };
        let unknown = (items - computed) as f64 / items as f64;
        let spread = if computed == items { Some(0.0) } else { error_of_mean(&sites).map(|error| error * unknown) };
        Some(Self { costs: costs.ok()?, start, items: computed, spread })
    }
}

impl Measured {
    /// As [`Self::guess`], where some items were not done in the time that they had: they take that time at least.
    #[must_use]
    pub fn at_least(items: u128, runs: &[Timed], unfinished: &[Timed], per_item: bool) -> Option<Self> {
        let measured = Self::guess(items, runs, per_item)?;
        let takes = |of: Interval| measured.costs.up_to(of.stop()) - measured.costs.up_to(of.start());
        let mut longer: Vec<Timed> =
            unfinished.iter().filter(|more| measured.start + takes(more.items) < more.seconds).copied().collect();
        // Of those that several have tried the longest time counts.
        longer.sort_unstable_by(|a, b| b.seconds.total_cmp(&a.seconds));
        let mut all = runs.to_vec();
        for more in longer {
            if all.iter().all(|run| run.items.intersect(more.items).is_none()) {
                all.push(more);
            }
        }
        if all.len() == runs.len() {
            return Some(measured);
        }
        all.sort_unstable_by_key(|run| run.items);
        Self::guess(items, &all, per_item)
    }
}

/// Where items of a part of the space lie, 0 to 1, and what one of them takes.
#[derive(Clone, Copy, Debug)]
struct Site {
    place: f64,
    each: f64,
}

/// The runs of each part of the space together, in order.
fn sites(items: u128, runs: &[Timed], each: &impl Fn(&Timed) -> f64) -> Vec<Site> {
    let mut sums = [(0.0, 0.0, 0.0); SITES];
    for run in runs {
        let count = run.items.count() as f64;
        let middle = (run.items.start() as f64 + count / 2.0) / items as f64;
        let sum = &mut sums[((middle * SITES as f64) as usize).min(SITES - 1)];
        *sum = (sum.0 + count, sum.1 + count * middle, sum.2 + count * each(run));
    }
    let some = sums.into_iter().filter(|(count, ..)| *count > 0.0);
    some.map(|(count, place, seconds)| Site { place: place / count, each: seconds / count }).collect()
}

fn mean(sites: &[Site]) -> f64 {
    sites.iter().map(|site| site.each).sum::<f64>() / sites.len().max(1) as f64
}

/// The variance of what differs by chance: half the mean square of the differences between neighbours.
fn chance(sites: &[Site]) -> Option<f64> {
    let differences: Vec<f64> = sites.windows(2).map(|pair| (pair[1].each - pair[0].each).powi(2)).collect();
    (!differences.is_empty()).then(|| differences.iter().sum::<f64>() / (2 * differences.len()) as f64)
}

/// The standard error of the mean, as a share of it.
fn error_of_mean(sites: &[Site]) -> Option<f64> {
    Some((chance(sites)? / sites.len() as f64).sqrt() / mean(sites))
}

/// How much of what differs is no chance, 0 to 1.
fn trust(sites: &[Site]) -> f64 {
    let count = sites.len() as f64;
    let mean = mean(sites);
    let all = sites.iter().map(|site| (site.each - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    let Some(chance) = chance(sites).filter(|_| all > 0.0) else { return 0.0 };
    let ratio = chance / all;
    // Half of von Neumann's ratio is 1 in the mean where all is chance, with this standard deviation.
    let deviation = ((count - 2.0).max(0.0) / (count * count - 1.0)).sqrt();
    if ratio < 1.0 - NO_CHANCE * deviation && sites.len() > 2 { 1.0 - ratio } else { 0.0 }
}

/// Costs of few items known, at some sites: they follow the space as far as that is no chance.
fn curve(items: u128, sites: &[Site]) -> Result<Costs, NoCost> {
    let (mean, trust) = (mean(sites), trust(sites));
    // Two neighbours together, since each of them may still be off by chance.
    let pair = |pair: &[Site]| Site {
        place: pair.iter().map(|site| site.place).sum::<f64>() / pair.len() as f64,
        each: mean + trust * (self::mean(pair) - mean),
    };
    let knots: Vec<Site> = sites.chunks(2).map(pair).collect();
    let each = || knots.iter().map(|knot| knot.each);
    let (least, most) = (each().fold(f64::INFINITY, f64::min), each().fold(0.0, f64::max));
    if trust == 0.0 || most <= ALIKE * least {
        return Costs::even(items, mean.max(LEAST));
    }
    // Beyond the outermost it goes on as between the last two.
    let at = |place: f64| {
        let next = knots.partition_point(|knot| knot.place <= place).clamp(1, knots.len() - 1);
        let (from, to) = (knots[next - 1], knots[next]);
        let each = from.each + (to.each - from.each) * (place - from.place) / (to.place - from.place);
        each.clamp(least / 4.0, 2.0 * most).max(LEAST)
    };
    let stretches = CURVE.min(items);
    let start = |stretch: u128| items / stretches * stretch + (items % stretches).min(stretch);
    Costs::of_stretches((0..stretches).map(|stretch| {
        let (from, to) = (start(stretch), start(stretch + 1));
        (to - from, at(f64::midpoint(from as f64, to as f64) / items as f64))
    }))
}

/// In how many of the parts of the space a run starts.
fn parts_with_runs(items: u128, runs: &[Timed]) -> usize {
    let mut found = [false; PARTS];
    for run in runs {
        found[part(items, run)] = true;
    }
    found.into_iter().filter(|found| *found).count()
}

/// Which part of the space a run's middle lies in.
fn part(items: u128, run: &Timed) -> usize {
    let middle = run.items.start() + run.items.count() / 2;
    ((middle as f64 / items as f64 * PARTS as f64) as usize).min(PARTS - 1)
}

/// How long a run takes to start: the median of what neighbours of unlike lengths say.
fn start(runs: &[Timed]) -> f64 {
    let of_pair = |pair: &[Timed]| {
        let (small, large) =
            if pair[0].items.count() <= pair[1].items.count() { (pair[0], pair[1]) } else { (pair[1], pair[0]) };
        let (few, many) = (small.items.count(), large.items.count());
        let are_neighbours = pair[0].items.stop() == pair[1].items.start();
        (are_neighbours && many / few >= LARGER).then(|| {
            let each = ((large.seconds - small.seconds) / (many - few) as f64).max(0.0);
            (small.seconds - each * few as f64).max(0.0)
        })
    };
    let mut found: Vec<f64> = runs.windows(2).filter_map(of_pair).collect();
    if found.len() < PAIRS {
        return 0.0;
    }
    found.sort_unstable_by(f64::total_cmp);
    found[found.len() / 2]
}

/// Whether items take as long each, as far as machines that differ let it be seen.
fn are_alike(items: u128, runs: &[Timed], each: &impl Fn(&Timed) -> f64) -> bool {
    let mut parts = [(0.0, 0.0); PARTS];
    let mut single: Vec<(f64, f64)> = Vec::with_capacity(runs.len());
    for run in runs {
        let (count, each) = (run.items.count() as f64, each(run));
        let part = &mut parts[part(items, run)];
        *part = (part.0 + each * count, part.1 + count);
        single.push((each, count));
    }
    let means = parts.iter().filter(|(_, count)| *count > 0.0).map(|(seconds, count)| seconds / count);
    let (least, most) = means.fold((f64::INFINITY, 0.0f64), |(least, most), mean| (least.min(mean), most.max(mean)));
    single.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let all: f64 = single.iter().map(|(_, count)| count).sum();
    let at = |share: f64| {
        let mut sum = 0.0;
        let found = single.iter().find(|(_, count)| {
            sum += count;
            sum >= share * all
        });
        found.or(single.last()).map_or(0.0, |(each, _)| *each)
    };
    most <= ALIKE * least && at(0.9) <= MACHINES * at(0.1)
}

/// The records' items and what lies between them.
fn stretches(items: u128, runs: &[Timed], each: &impl Fn(&Timed) -> f64) -> Result<Costs, NoCost> {
    let mut found: Vec<(u128, f64)> = Vec::with_capacity(2 * runs.len() + 1);
    let mut before: Option<(u128, f64)> = None;
    let between = |from: Option<(u128, f64)>, to: Option<(u128, f64)>, found: &mut Vec<(u128, f64)>| {
        let start = from.map_or(0, |(stop, _)| stop);
        let count = to.map_or(items, |(start, _)| start) - start;
        let first = from.or(to).map_or(LEAST, |(_, each)| each);
        let last = to.or(from).map_or(LEAST, |(_, each)| each);
        let steps = STEPS.min(count);
        for step in 0..steps {
            let size = count / steps + u128::from(step < count % steps);
            found.push((size, first + (last - first) * ((step as f64 + 0.5) / steps as f64)));
        }
    };
    for run in runs {
        let each = each(run);
        between(before, Some((run.items.start(), each)), &mut found);
        found.push((run.items.count(), each));
        before = Some((run.items.stop(), each));
    }
    between(before, None, &mut found);
    // Neighbours together, where there are many.
    let together = found.len().div_ceil(MOST_STRETCHES).max(1);
    Costs::of_stretches(found.chunks(together).map(|some| {
        let count: u128 = some.iter().map(|(count, _)| count).sum();
        let seconds: f64 = some.iter().map(|(count, each)| *count as f64 * each).sum();
        (count, seconds / count as f64)
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Runs over stretches of `size` items, but for those that `skip` says, where item number `i` takes `cost(i)` seconds and a run `start`.
    fn runs(
        items: u128,
        sizes: &[u128],
        start: f64,
        cost: impl Fn(u128) -> f64,
        skip: impl Fn(usize) -> bool,
    ) -> Vec<Timed> {
        let (mut from, mut found) = (0, Vec::new());
        for (number, size) in sizes.iter().cycle().enumerate() {
            if from >= items {
                break;
            }
            let to = (from + size).min(items);
            if !skip(number) {
                let seconds = start + (from..to).map(&cost).sum::<f64>();
                found.push(Timed { items: Interval::new(from, to).expect("some"), seconds });
            }
            from = to;
        }
        found
    }

    #[test]
    fn what_was_computed_tells_of_the_rest() {
        let cost = |item: u128| item as f64 / 1000.0;
        let all: f64 = (0..10_000).map(cost).sum();
        for skipped in [2, 3, 5] {
            let found = runs(10_000, &[100], 0.0, cost, |number| number % skipped == 1);
            let measured = Measured::new(10_000, &found, false).expect("enough");
            assert_eq!(measured.start, 0.0, "runs of one length say nothing of starting");
            assert!((measured.costs.total() / all - 1.0).abs() < 0.01, "{}", measured.costs.total());
            let cut = measured.costs.cut(20).expect("a cut");
            let longest =
                cut.iter_from(10_000, 0).map(|(_, chunk)| (chunk.start()..chunk.stop()).map(cost).sum::<f64>());
            assert!(longest.fold(0.0, f64::max) <= 1.1 * all / 20.0, "{cut:?}");
        }
    }

    #[test]
    fn starting_is_seen_where_small_runs_lie_beside_large_ones() {
        let found = runs(10_000, &[1, 10, 100, 1000], 0.5, |_| 0.01, |_| false);
        let measured = Measured::new(10_000, &found, false).expect("enough");
        assert!((measured.start - 0.5).abs() < 1e-9, "{}", measured.start);
        assert!((measured.costs.total() - 100.0).abs() < 1e-6);
        assert_eq!(Measured::new(10_000, &found, true).expect("enough").start, 0.0);
        // Items that take less and less, cut by time, are not taken for it.
        let cut = Costs::of_stretches((0..10_000u32).map(|item| (1, f64::from(item).powi(3)))).expect("costs");
        let cut = cut.cut(50).expect("a cut");
        let found: Vec<Timed> = cut.iter_from(10_000, 0).map(|(_, items)| Timed { items, seconds: 600.0 }).collect();
        assert_eq!(Measured::new(10_000, &found, false).expect("enough").start, 0.0);
    }

    #[test]
    fn machines_that_differ_make_no_uneven_cut() {
        let mut chance = crate::model::Chance::new(5);
        let mut found = runs(6000, &[100], 0.0, |_| 6.0, |_| false);
        for run in &mut found {
            run.seconds *= 0.8 + 0.4 * chance.unit();
        }
        let measured = Measured::new(6000, &found, false).expect("enough");
        assert_eq!(measured.costs.cut(60), Ok(super::super::Cut::Even { chunks: 60 }));
    }

    #[test]
    fn what_was_not_done_in_its_time_takes_that_time_at_least() {
        let one = |start, stop, seconds| Timed { items: Interval::new(start, stop).expect("some"), seconds };
        let runs = [one(0, 10, 10.0), one(500, 510, 10.0)];
        let total = |unfinished: &[Timed]| {
            Measured::at_least(1000, &runs, unfinished, true).expect("something is known").costs.total()
        };
        assert!((total(&[]) - 1000.0).abs() < 1e-6);
        // As was to be expected, or of items that are done.
        assert!((total(&[one(510, 550, 30.0), one(505, 520, 900.0)]) - 1000.0).abs() < 1e-6);
        let more = total(&[one(510, 550, 4000.0)]);
        assert!(more > 2000.0, "{more}");
        assert_eq!(total(&[one(510, 550, 4000.0), one(520, 560, 100.0)]), more);
        assert_eq!(Measured::at_least(1000, &[], &[one(0, 10, 100.0)], true), None);
    }

    #[test]
    fn a_few_records_do_not_speak_for_all() {
        let one = |start, stop| Timed { items: Interval::new(start, stop).expect("some"), seconds: 1.0 };
        assert_eq!(Measured::new(1000, &[], false), None);
        assert_eq!(Measured::new(1000, &[one(0, 1), one(1, 100)], false), None);
        assert!(Measured::new(1000, &[one(0, 500)], false).is_some());
        assert!(Measured::new(1000, &[one(0, 1), one(300, 301), one(600, 601), one(900, 901)], false).is_some());
    }

    proptest! {
        #[test]
        fn any_records_make_a_cut(
            sizes in prop::collection::vec((1u128..2000, any::<bool>(), -1.0f64..100.0), 1..50), rest in 0u128..1000, per_item: bool,
        ) {
            let (mut from, mut found) = (0, Vec::new());
            for (size, is_there, seconds) in sizes {
                if is_there {
                    found.push(Timed { items: Interval::new(from, from + size).expect("some"), seconds });
                }
                from += size;
            }
            let items = from + rest;
            if let Some(measured) = Measured::new(items, &found, per_item) {
                prop_assert_eq!(measured.costs.items(), items);
                prop_assert!(measured.start >= 0.0 && measured.start.is_finite());
                let cut = measured.costs.cut(measured.costs.chunks(10.0).min(1000)).expect("a cut");
                prop_assert!(cut.fits(items));
            }
        }

        #[test]
        fn where_all_is_known_nothing_is_made_up(seconds in prop::collection::vec(0.1f64..1000.0, 8..100)) {
            let found: Vec<Timed> = seconds.iter().zip(0..).map(|(&seconds, number)| {
                Timed { items: Interval::new(number * 10, number * 10 + 10).expect("some"), seconds }
            }).collect();
            let measured = Measured::new(10 * seconds.len() as u128, &found, true).expect("enough");
            let sum: f64 = seconds.iter().sum();
            prop_assert!((measured.costs.total() / sum - 1.0).abs() < 1e-9);
        }
    }
}
