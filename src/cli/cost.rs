//! What items cost, and what follows from it: `--cost`, `--target`, `--slice`.

use std::time::Duration;

use rayon::prelude::*;

use super::access_point::in_own_threads;
use super::arguments::WhatOptions;
use super::failure::Failure;
use super::request::usage;
use crate::cut::{Costs, Cut};
use crate::model::Quantiles;
use crate::plan::{Pacing, Plan, Probe, Word};
use crate::space::{ConditionError, Formula, ITEM, Rows, Space, seed};

/// Of a space with more items than this the costs are those of a sample.
const MOST_LOOKED_AT: u128 = 1_000_000;
/// The sample is of so many stretches of items,
const STRETCHES: u128 = 4096;
/// and of so many items of each.
const OF_A_STRETCH: u64 = 16;

/// Of more chunks than this, some are looked at.
const MOST_CHUNKS_LOOKED_AT: u64 = 1_000_000;

/// Chunks that take longer than this have slices by themselves,
const LONG_CHUNK: f64 = 15.0 * 60.0;
/// of about so long.
const SLICE: f64 = 5.0 * 60.0;

/// What an item costs, as typed.
#[derive(Debug)]
pub(super) enum Cost {
    /// Each takes so many seconds.
    Each(f64),
    /// Each takes its own time.
    Formula(Formula),
}

/// How long the chunks of a plan are expected to take, in seconds on a usual machine.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    /// All of them.
    pub(super) total: f64,
    /// The longest.
    pub(super) longest: f64,
    /// The longest item.
    pub(super) longest_item: f64,
    /// How many items a chunk has at most.
    pub(super) most_items: u128,
    /// The share of attempts that fail.
    pub(super) failures: f64,
    /// Each, or of very many some.
    pub(super) chunks: Vec<f64>,
}

impl Cost {
    /// Reads `--cost`, checked against the names of the space.
    pub(super) fn read(text: &str, space: &Space) -> Result<Self, Failure> {
        let refuse = |why: &dyn std::fmt::Display| {
            usage(format!("--cost {}: {why}", Word::from(text).quoted())).help(
                "write a time, such as 3.2s, 500ms or 10m, or an expression that comes to seconds: 'item**2 / 1e6'",
            )
        };
        if let Some(seconds) = time(text) {
            return if seconds > 0.0 { Ok(Self::Each(seconds)) } else { Err(refuse(&"an item takes some time")) };
        }
        let formula = Formula::try_from(text).map_err(|error| refuse(&error))?;
        formula.check(&names(space)).map_err(|error| refuse(&error))?;
        Ok(Self::Formula(formula))
    }

    /// What the items of a space cost.
    pub(super) fn costs(&self, space: &Space, rows: &Rows) -> Result<Costs, Failure> {
        let items = space.count();
        let costs = match self {
            Self::Each(seconds) => Costs::even(items, *seconds),
            Self::Formula(formula) => {
                let refuse = |error: ConditionError| usage(format!("--cost {}: {error}", formula.text()));
                let stretches = in_own_threads(true, || stretches(formula, space, rows))?;
                Costs::of_stretches(stretches.map_err(refuse)?)
            }
        };
        costs.map_err(|error| usage(format!("--cost: {error}")))
    }
}

/// The names that a formula may have; the items of a range are also called i, as in a loop.
fn names(space: &Space) -> Vec<&str> {
    match space {
        Space::Range(_) => vec![ITEM, "i"],
        Space::Parameters(_) => space.names(),
    }
}

/// A time as people write it, in seconds: `3.2s`, `500 ms`, `1.5h`.
fn time(text: &str) -> Option<f64> {
    let text = text.trim();
    let unit = text.trim_start_matches(|letter: char| letter.is_ascii_digit() || ".eE+-_".contains(letter));
    let number: f64 = text[..text.len() - unit.len()].replace('_', "").parse().ok()?;
    Some(match unit.trim() {
        "ns" => number / 1e9,
        "us" | "µs" => number / 1e6,
        "ms" => number / 1e3,
        "s" | "sec" | "second" | "seconds" => number,
        "m" | "min" | "minute" | "minutes" => number * 60.0,
        "h" | "hour" | "hours" => number * 3600.0,
        "d" | "day" | "days" => number * 86_400.0,
        _ => return None,
    })
}

/// What items cost, one by one or, where they are too many, on the average of stretches. An item that `--where` leaves out costs
/// nothing.
fn stretches(formula: &Formula, space: &Space, rows: &Rows) -> Result<Vec<(u128, f64)>, ConditionError> {
    let names = names(space);
    let of_item = |item: u128| {
        if !space.keeps(item, rows)? {
            return Ok(0.0);
        }
        let mut row = space.row(item, rows).unwrap_or_default();
        if matches!(space, Space::Range(_)) {
            row.extend_from_within(..);
        }
        formula.value(&names, &row)
    };
    let items = space.count();
    if items <= MOST_LOOKED_AT {
        let all = u64::try_from(items).unwrap_or(u64::MAX);
        return (0..all).into_par_iter().map(|item| Ok((1, of_item(item.into())?))).collect();
    }
    let start = |stretch: u128| {
        let (size, larger) = (items / STRETCHES, items % STRETCHES);
        stretch * size + stretch.min(larger)
    };
    let stretches: Vec<u128> = (0..STRETCHES).collect();
    let of_stretch = |stretch: u128| {
        let (from, to) = (start(stretch), start(stretch + 1));
        let mut sum = 0.0;
        for number in 0..OF_A_STRETCH {
            // One in each part, at a place of chance that is the same each time.
            let part = |number: u64| (to - from) * u128::from(number) / u128::from(OF_A_STRETCH);
            let room = (part(number + 1) - part(number)).max(1);
            let chance = u128::from(seed(0, stretch * u128::from(OF_A_STRETCH) + u128::from(number)));
            sum += of_item(from + part(number) + chance % room)?;
        }
        Ok((to - from, sum / OF_A_STRETCH as f64))
    };
    stretches.into_par_iter().map(of_stretch).collect()
}

impl Expected {
    /// Of the chunks that `cut` makes of items with these costs, in seconds; each chunk takes `start` beside its items.
    pub(super) fn new(costs: &Costs, cut: &Cut, start: f64) -> Self {
        let step = cut.chunks() / MOST_CHUNKS_LOOKED_AT + 1;
        let cost =
            |(_, items): (u64, crate::space::Interval)| costs.up_to(items.stop()) - costs.up_to(items.start()) + start;
        let step = usize::try_from(step).unwrap_or(usize::MAX);
        let chunks: Vec<f64> = cut.iter_from(costs.items(), 0).step_by(step).map(cost).collect();
        Self {
            total: costs.total() + start * cut.chunks() as f64,
            longest: chunks.iter().copied().fold(0.0, f64::max),
            longest_item: costs.longest_item(),
            most_items: cut.sizes(costs.items()).1,
            failures: 0.0,
            chunks,
        }
    }

    /// Of a plan of which no more is known than what all of its items take.
    pub(super) fn of_plan(plan: &Plan) -> Option<Self> {
        let total = plan.expected? as f64 / 1000.0;
        let each = total / plan.cut.chunks() as f64;
        let (_, most) = plan.cut.sizes(plan.space.count());
        let chunks = usize::try_from(plan.cut.chunks().min(MOST_CHUNKS_LOOKED_AT)).unwrap_or(1);
        Some(Self {
            total,
            longest: each,
            longest_item: each / most as f64,
            most_items: most,
            failures: 0.0,
            chunks: vec![each; chunks],
        })
    }

    /// What nine chunks of ten take at most: a few that hold a single long item cannot be sliced.
    fn usual(&self) -> f64 {
        Quantiles::new(self.chunks.clone()).at(0.9)
    }

    /// In milliseconds, as a plan keeps it.
    pub(super) fn milliseconds(&self) -> u64 {
        (1000.0 * self.total).clamp(1.0, 1e18) as u64
    }
}

/// How jobs go about their chunks.
pub(super) fn pacing(
    options: &WhatOptions,
    expected: Option<&Expected>,
    target: f64,
    tries_on_pool: bool,
    runs_per_item: bool,
) -> Result<Pacing, Failure> {
    let probe = Probe {
        slice: options.slice.map(milliseconds),
        ..Probe::new(milliseconds(options.probe_budget), milliseconds(Duration::from_secs_f64(target)))
    };
    if options.slice.is_some() && expected.is_none() && !tries_on_pool {
        return Err(usage("--slice: it is not known how long a chunk takes")
            .help("say how long an item takes, such as --cost 3.2s; or how many slices a chunk has: --slices N"));
    }
    let told = Pacing {
        slices: options.slices.unwrap_or(1),
        item_timeout: options.item_timeout.map(milliseconds),
        budget: options.budget.map(milliseconds),
        eviction_every: options.eviction_every.map(milliseconds),
        checkpoint: options.checkpoint.map(Into::into),
        probe: None,
    };
    Ok(match expected {
        Some(expected) if !options.command.is_empty() => {
            let paced = paced(told, options.slices, probe, options.tail_rounds, expected);
            with_budget(paced, probe, options.tail_rounds, expected, runs_per_item)
        }
        None if tries_on_pool => Pacing { probe: Some(probe), ..told },
        _ => told,
    })
}

/// How jobs go about chunks that take as long as is `expected`, beside what was `told`; with so many `slices` where that was told.
/// Of `probe` the times count that chunks and slices are to take.
pub(super) fn paced(told: Pacing, slices: Option<u64>, probe: Probe, tail_rounds: u32, expected: &Expected) -> Pacing {
    // A slice is an item at least.
    let most = u64::try_from(expected.most_items).unwrap_or(u64::MAX).max(1);
    let in_slices_of = |length: f64, longest: f64| ((longest / length).ceil().clamp(1.0, 1e9) as u64).min(most);
    let slices = match (slices, probe.slice) {
        (Some(slices), _) => slices,
        (None, Some(slice)) => in_slices_of(Duration::from_millis(slice).as_secs_f64(), expected.usual()),
        // A program that keeps its own state has no need of them.
        (None, None) if expected.usual() > LONG_CHUNK && told.checkpoint.is_none() => {
            in_slices_of(SLICE, expected.usual())
        }
        (None, None) => 1,
    };
    // What was not finished is cut again in the tail; without one it would be missing.
    let budget = (slices > 1 && tail_rounds > 0).then(|| usual_budget(probe, expected));
    Pacing { slices, budget: told.budget.or(budget), probe: None, ..told }
}

/// The same, and where the program runs once for each item also a chunk of one slice has a budget by itself: what is done by
/// then is brought back. Of one run over the whole chunk there would be nothing.
pub(super) fn with_budget(
    paced: Pacing,
    probe: Probe,
    tail_rounds: u32,
    expected: &Expected,
    runs_per_item: bool,
) -> Pacing {
    // A program that keeps its own state goes on from there.
    let can_yield = runs_per_item && tail_rounds > 0 && paced.checkpoint.is_none();
    let budget = can_yield.then(|| usual_budget(probe, expected));
    Pacing { budget: paced.budget.or(budget), ..paced }
}

/// Twice as long as a chunk is expected to take, or is to take where that is longer.
fn usual_budget(probe: Probe, expected: &Expected) -> u64 {
    let target = Duration::from_millis(probe.target).as_secs_f64();
    milliseconds(Duration::from_secs_f64((2.0 * expected.longest.max(target)).min(1e9)))
}

/// As a plan keeps it.
pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_people_write_them() {
        let found = ["3.2s", "500 ms", "1.5h", "2m", "1e-3 s", "10us", "1 day"].map(time);
        assert_eq!(found, [3.2, 0.5, 5400.0, 120.0, 1e-3, 1e-5, 86_400.0].map(Some));
        assert_eq!(["3", "s", "3 i", "i**2", "", "3.2.1s"].map(time), [None; 6]);
    }

    #[test]
    fn a_sample_tells_of_a_large_space() {
        let space = Space::Range("0..10000000".parse().expect("a range"));
        let costs = Cost::read("item / 1e6", &space).and_then(|cost| cost.costs(&space, Rows::NONE)).expect("costs");
        assert_eq!(costs.items(), 10_000_000);
        assert!((costs.total() / 5e7 - 1.0).abs() < 1e-3, "{}", costs.total());
        assert!((costs.up_to(5_000_000) / 1.25e7 - 1.0).abs() < 1e-2);
        let short = Cost::read("i / 1e6", &space).and_then(|cost| cost.costs(&space, Rows::NONE)).expect("costs");
        assert_eq!(short, costs);
        assert!(Cost::read("j / 1e6", &space).is_err() && Cost::read("0s", &space).is_err());
        assert!(Cost::read("-item", &space).and_then(|cost| cost.costs(&space, Rows::NONE)).is_err());
    }
}
