//! Which items to try, so that what they take tells of all the others, within a time.
//!
//! The space has sixteen places, each somewhere in its own sixteenth: a grid repeats itself, and equal steps would meet the same values
//! again and again. At every other place one item is tried, and then groups of more and more, until a group takes long enough to tell
//! what an item takes from what starting takes; at the places between, one group of as many. So neighbours can be compared, and what differs by chance
//! is told from what changes along the space ([`super::Measured`]).
//!
//! Nothing here runs a program or reads a clock: who does says what a group took, and how much time is left.

use std::collections::VecDeque;

use super::{Cut, Span, Timed};
use crate::space::{Interval, seed};

/// So many places at most.
const PLACES: u128 = 16;
/// A group is made larger until it takes so long, in seconds: then what it takes to start says little.
const ENOUGH: f64 = 1.0;
/// A group has at most so many times the items of the one before it.
const GROWTH: u128 = 10;
/// So much of what is left of the time one round over the places may take.
const SHARE: f64 = 0.4;
/// Where so many places have failed and none has not, the program is broken.
const BROKEN: usize = 3;

/// The places at which the items of a space are tried: a chunk begins at each, and the first at item 0. They are the same each time.
#[must_use]
pub fn places(items: u128) -> Cut {
    let places = PLACES.min(items).max(1);
    let start = |place: u128| items / places * place + (items % places).min(place);
    let spans = (1..=places).map(|place| {
        let chunks = u64::try_from(place).unwrap_or(1);
        if place == places {
            return Span { items, chunks };
        }
        let room = (start(place + 1) - start(place)) / 2;
        Span { items: start(place) + u128::from(seed(0, place)) % room.max(1), chunks }
    });
    Cut::Spans(spans.collect())
}

/// Items that are tried one group after the other.
#[derive(Debug)]
pub struct Trial {
    /// The items from each place up to the next.
    places: Vec<Interval>,
    /// The groups to come: a place, where its next group starts, and how many items it has.
    next: VecDeque<(usize, u128, u128)>,
    /// The places between, in the order in which they are tried.
    between: VecDeque<usize>,
    /// What an item takes at each place by the last group there, in seconds, and how many items that had.
    last: Vec<Option<(f64, u128)>>,
    /// The group that is tried now.
    current: Option<(usize, Interval)>,
    /// How much time was left when it began.
    left: f64,
    runs: Vec<Timed>,
    failed: usize,
}

impl Trial {
    /// At the places of [`places`] in a space of `items` items.
    #[must_use]
    pub fn new(items: u128) -> Self {
        let places: Vec<Interval> = places(items).iter_from(items, 0).map(|(_, place)| place).collect();
        let order = spread(places.len());
        let first = order.iter().filter(|place| place.is_multiple_of(2));
        Self {
            next: first.map(|&place| (place, places[place].start(), 1)).collect(),
            between: order.iter().copied().filter(|place| !place.is_multiple_of(2)).collect(),
            last: vec![None; places.len()],
            current: None,
            left: 0.0,
            runs: Vec::new(),
            failed: 0,
            places,
        }
    }

    /// The next group of items, and the number of its place; `left` seconds are left. `None` where there is no more to learn, the time is
    /// over, or the program is broken.
    pub fn next(&mut self, left: f64) -> Option<(u64, Interval)> {
        let is_broken = self.runs.is_empty() && self.failed >= BROKEN.min(self.places.len());
        if left <= 0.0 || is_broken {
            return None;
        }
        let (place, start, size) = self.next.pop_front().or_else(|| self.next_between(left))?;
        let stop = start.saturating_add(size).min(self.places[place].stop());
        let items = Interval::new(start, stop)?;
        (self.current, self.left) = (Some((place, items)), left);
        Some((place as u64, items))
    }

    /// As many items at a place between others as were tried at the one before it, if there is time for them.
    fn next_between(&mut self, left: f64) -> Option<(usize, u128, u128)> {
        while let Some(place) = self.between.pop_front() {
            let start = self.places[place].start();
            let Some((each, size)) = self.last[place - 1] else { return Some((place, start, 1)) };
            let each_may_take = left / (self.between.len() + 1) as f64;
            let size = size.min((each_may_take / each) as u128).max(1);
            if each * size as f64 <= left {
                return Some((place, start, size));
            }
        }
        None
    }

    /// The group took so many seconds.
    pub fn took(&mut self, seconds: f64) {
        let Some((place, items)) = self.current.take() else { return };
        self.runs.push(Timed { items, seconds });
        let count = items.count();
        let each = seconds.max(1e-6) / count as f64;
        self.last[place] = Some((each, count));
        if !place.is_multiple_of(2) {
            return;
        }
        // What comes next takes what this took, and at most as many times longer as it is larger. As much time for each place.
        let places = self.places.len().div_ceil(2) as f64;
        let size = (count * GROWTH)
            .min((2.0 * ENOUGH / each).ceil() as u128)
            .min((self.left * SHARE / places / each) as u128)
            .min(self.places[place].stop() - items.stop());
        if seconds < ENOUGH && size >= 2 * count {
            self.next.push_back((place, items.stop(), size));
        }
    }

    /// The group failed: there is nothing more to try at its place.
    pub fn failed(&mut self) {
        self.failed += usize::from(self.current.take().is_some());
    }

    /// What was tried, in the order of the items.
    #[must_use]
    pub fn runs(&self) -> Vec<Timed> {
        let mut runs = self.runs.clone();
        runs.sort_unstable_by_key(|run| run.items);
        runs
    }

    /// The share of the groups that failed, 0 to 1.
    #[must_use]
    pub fn failures(&self) -> f64 {
        self.failed as f64 / (self.failed + self.runs.len()).max(1) as f64
    }
}

/// The places in an order in which each next one lies far from those before: the first, the last, the middle, and so on.
fn spread(places: usize) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::with_capacity(places);
    let mut parts = 1;
    while order.len() < places {
        for part in 0..=parts {
            let place = (places - 1) * part / parts;
            if !order.contains(&place) {
                order.push(place);
            }
        }
        parts *= 2;
    }
    order
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cut::Measured;
    use crate::model::Chance;

    /// Tries items that take `cost`, each group `start` seconds more, for `budget` seconds. Also gives how long that took.
    fn tried(items: u128, budget: f64, start: f64, cost: &dyn Fn(u128) -> f64) -> (Trial, f64) {
        let (mut trial, mut now) = (Trial::new(items), 0.0);
        while let Some((_, group)) = trial.next(budget - now) {
            let seconds = start + (group.start()..group.stop()).map(cost).sum::<f64>();
            now += seconds;
            trial.took(seconds);
        }
        (trial, now)
    }

    /// How long the longest chunk takes, where what was tried cuts the rest into chunks of `target` seconds, and how long was expected of all.
    fn cut_by(work: &[f64], budget: f64, start: f64, target: f64) -> (f64, f64) {
        let items = work.len() as u128;
        let (trial, _) = tried(items, budget, start, &|item| work[item as usize]);
        let measured = Measured::guess(items, &trial.runs(), false).expect("something was tried");
        let done: Vec<Interval> = trial.runs().iter().map(|run| run.items).collect();
        let cut = measured.costs.cut_around(&done, target - measured.start).expect("a cut");
        assert!(cut.fits(items));
        let real = |chunk: Interval| (chunk.start()..chunk.stop()).map(|item| work[item as usize]).sum::<f64>() + start;
        let is_done =
            |chunk: &Interval| done.iter().any(|run| run.start() <= chunk.start() && chunk.stop() <= run.stop());
        let chunks = cut.iter_from(items, 0).map(|(_, chunk)| chunk).filter(|chunk| !is_done(chunk));
        (chunks.map(real).fold(0.0, f64::max), measured.costs.total())
    }

    #[test]
    fn places_are_spread() {
        assert_eq!(spread(1), [0]);
        assert_eq!(spread(2), [0, 1]);
        assert_eq!(spread(8), [0, 7, 3, 1, 5, 2, 4, 6]);
        let starts =
            |items: u128| places(items).iter_from(items, 0).map(|(_, place)| place.start()).collect::<Vec<_>>();
        assert_eq!(starts(3), [0, 1, 2]);
        let starts = starts(16_000);
        assert!(starts.len() == 16 && starts[0] == 0);
        assert!(
            starts.iter().zip(0..).all(|(start, place)| (1000 * place..1000 * place + 500).contains(start)),
            "{starts:?}"
        );
        // Somewhere each: steps of one length would meet a grid's same values.
        let steps: std::collections::BTreeSet<_> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(steps.len() > 10, "{steps:?}");
    }

    #[test]
    fn uneven_work_is_cut_well_by_what_was_tried() {
        // Two hours of work in 60 chunks of two minutes, and a minute to find out.
        let items = 6000;
        let mut table = String::new();
        for seed in 0..3 {
            let mut chance = Chance::new(seed);
            // Of what changes along the space the longest chunk is nearly as long as the others; what differs by chance, or again and again,
            // is cut about evenly.
            let workloads: [(&str, bool, Vec<f64>); 6] = [
                ("constant", true, vec![1.0; items]),
                ("linear", true, (0..items).map(|item| item as f64 + 1.0).collect()),
                ("quadratic", true, (0..items).map(|item| (item as f64 + 1.0).powi(2)).collect()),
                ("a grid", false, (0..items).map(|item| (item % 500) as f64 + 1.0).collect()),
                ("two kinds", false, (0..items).map(|_| if chance.unit() < 0.1 { 100.0 } else { 1.0 }).collect()),
                ("heavy tail", false, (0..items).map(|_| chance.unit().powf(-1.0 / 1.5)).collect()),
            ];
            for (name, is_smooth, mut work) in workloads {
                let all: f64 = work.iter().sum();
                work.iter_mut().for_each(|item| *item *= 7200.0 / all);
                let even = (0..60).map(|chunk| work[chunk * 100..][..100].iter().sum::<f64>()).fold(0.0, f64::max);
                let (longest, expected) = cut_by(&work, 60.0, 0.1, 120.0);
                table += &format!(
                    "{name:10} longest over target: {:.2}, cut evenly {:.2}; expected {:.2} of the work\n",
                    longest / 120.0,
                    even / 120.0,
                    expected / 7200.0
                );
                assert!(longest <= if is_smooth { 1.25 * 120.0 } else { 1.8 * even }, "{table}");
            }
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn what_starting_takes_is_told_from_what_items_take() {
        let (trial, _) = tried(1_000_000, 60.0, 0.5, &|_| 0.001);
        let measured = Measured::guess(1_000_000, &trial.runs(), false).expect("something was tried");
        assert!((measured.start - 0.5).abs() < 1e-6 && (measured.costs.total() - 1000.0).abs() < 1e-3, "{measured:?}");
        assert!(measured.spread.expect("several places") < 1e-3);
    }

    #[test]
    fn a_program_that_fails_everywhere_is_left_alone() {
        let mut trial = Trial::new(1000);
        let mut groups = 0;
        while trial.next(60.0).is_some() {
            trial.failed();
            groups += 1;
        }
        assert_eq!((groups, trial.failures()), (3, 1.0));
        assert_eq!(Measured::guess(1000, &trial.runs(), false), None);
        // Places where it fails tell nothing; the others do.
        let mut trial = Trial::new(1000);
        while let Some((place, items)) = trial.next(60.0) {
            if place % 3 == 1 { trial.failed() } else { trial.took(items.count() as f64) }
        }
        let measured = Measured::guess(1000, &trial.runs(), false).expect("something was tried");
        assert!((measured.costs.total() - 1000.0).abs() < 1e-6 && (0.1..0.5).contains(&trial.failures()));
    }

    proptest! {
        #[test]
        fn the_time_is_kept_but_for_one_group_and_no_item_is_tried_twice(
            items in 1u128..5000, budget in 0.1f64..100.0, start in 0.0f64..2.0, each in 1e-5f64..20.0, seed: u64,
        ) {
            // Items differ a hundredfold.
            let cost = |item: u128| each * 10f64.powf(2.0 * (crate::space::seed(seed, item) as f64 / u64::MAX as f64) - 1.0);
            let (trial, took) = tried(items, budget, start, &cost);
            let runs = trial.runs();
            prop_assert!(!runs.is_empty());
            prop_assert!(runs.windows(2).all(|pair| pair[0].items.stop() <= pair[1].items.start()), "{runs:?}");
            let longest = runs.iter().map(|run| run.seconds).fold(0.0, f64::max);
            prop_assert!(took < budget + longest, "{took} and {longest}");
            let measured = Measured::guess(items, &runs, false).expect("something was tried");
            let done: Vec<Interval> = runs.iter().map(|run| run.items).collect();
            let cut = measured.costs.cut_around(&done, measured.costs.total() / 20.0).expect("a cut");
            prop_assert!(cut.fits(items));
        }

        #[test]
        fn places_tile_the_space(items in prop_oneof![1u128..100, any::<u128>()]) {
            prop_assume!(items > 0);
            let cut = places(items);
            prop_assert!(cut.fits(items));
            prop_assert_eq!(u128::from(cut.chunks()), items.min(16));
        }
    }
}
