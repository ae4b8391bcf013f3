//! Forecasts: many simulations of the same work, and of the ways in which it could be cut instead.

use rayon::prelude::*;

use super::{Chance, PoolModel, Quantiles, Simulated, simulate};
use crate::checkpoint::interval;

/// How much is simulated for a forecast.
#[derive(Clone, Copy, Debug)]
struct Effort {
    /// So many attempts in all, in as many repetitions as that allows.
    attempts: f64,
    /// The least and the most repetitions.
    repetitions: (u64, u64),
}

/// A forecast that people wait for.
const FULL: Effort = Effort { attempts: 4e6, repetitions: (20, 1000) };
/// One beside other news.
const ROUGH: Effort = Effort { attempts: 1e5, repetitions: (2, 200) };
/// Of more chunks than this a rough forecast simulates some.
const SAMPLE: usize = 10_000;
/// Lengths of chunks that are compared, in seconds.
const LENGTHS: [f64; 10] = [30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 2400.0, 3600.0, 7200.0, 14_400.0];
/// A length whose completion is within this of the best is as good.
const AS_GOOD: f64 = 1.02;

/// What is to be computed, in seconds on a machine of median speed.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// Each chunk's.
    pub chunks: Vec<f64>,
    /// An interrupted chunk keeps what it has done up to the last multiple of so many seconds.
    pub kept: Option<f64>,
    /// How often what fails is tried; `None` until it is done.
    pub tries: Option<Tries>,
}

/// How often what fails is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tries {
    /// A job is tried so many times more.
    pub retries: u32,
    /// So many times what is missing then is cut again.
    pub tail_rounds: u32,
}

/// What many simulations of the same say.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// Seconds until the last chunk is done.
    pub completion: Quantiles,
    /// The mean share of the slots' time that went into results, 0 to 1.
    pub goodput: f64,
    /// The mean share of the slots' time whose work was lost.
    pub badput: f64,
    /// The mean number of interruptions.
    pub interrupted: f64,
}

/// A way to cut the same work.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// How long a chunk takes, in seconds.
    pub length: f64,
    /// How many chunks that makes.
    pub chunks: usize,
    /// What comes of it.
    pub forecast: Forecast,
}

/// The same work in other ways.
#[derive(Clone, Debug, PartialEq)]
pub struct Alternatives {
    /// One long job without a checkpoint.
    pub one_job: Forecast,
    /// One long job that saves its state after every so many seconds, Daly's interval, and what comes of it.
    pub with_checkpoints: (f64, Forecast),
    /// Chunks of several lengths, the shortest first.
    pub lengths: Vec<Choice>,
}

impl Alternatives {
    /// The choice to recommend: the longest chunks whose median completion is as good as the best one's, since fewer jobs are
    /// gentler on the access point.
    #[must_use]
    pub fn best(&self) -> Option<&Choice> {
        let median = |choice: &Choice| choice.forecast.completion.at(0.5);
        let least = self.lengths.iter().map(median).fold(f64::INFINITY, f64::min);
        self.lengths.iter().rev().find(|choice| median(choice) <= least * AS_GOOD)
    }
}

/// Simulates the work again and again, each time with other chances, which belong to `seed`.
#[must_use]
pub fn forecast(work: &Work, pool: &PoolModel, seed: u64) -> Forecast {
    repeated(work, pool, seed, FULL, 0.0)
}

/// As [`forecast`], of as few simulations as tell roughly, where there may be very many chunks: those of `work` stand for `chunks`, and
/// of these some are simulated. What the others take follows, at the pace of those.
#[must_use]
pub fn rough_forecast(work: &Work, chunks: u64, pool: &PoolModel, seed: u64) -> Forecast {
    let of_all = work.chunks.iter().sum::<f64>() * (chunks as f64 / work.chunks.len() as f64);
    let some = Work { chunks: sample(&work.chunks), ..work.clone() };
    let of_some: f64 = some.chunks.iter().sum();
    repeated(&some, pool, seed, ROUGH, (of_all / of_some - 1.0).max(0.0))
}

/// Some of very many chunks, evenly, the longest among them.
fn sample(chunks: &[f64]) -> Vec<f64> {
    if chunks.len() <= SAMPLE {
        return chunks.to_vec();
    }
    let place = |number: usize| (number as u128 * chunks.len() as u128 / SAMPLE as u128) as usize;
    let longest = chunks.iter().enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b)).map_or(0, |(at, _)| at);
    let at = |number: usize| {
        if (place(number)..place(number + 1)).contains(&longest) { longest } else { place(number) }
    };
    (0..SAMPLE).map(|number| chunks[at(number)]).collect()
}

/// Of `work` and so many times as much `more`, which keeps all slots at work before the last chunks.
fn repeated(work: &Work, pool: &PoolModel, seed: u64, effort: Effort, more: f64) -> Forecast {
    let one = |repetition: u64| {
        let mut chance = Chance::new(crate::space::seed(seed, repetition.into()));
        let found = simulate(work, pool, &mut chance, &mut |_| ());
        let spent = found.goodput + found.badput + found.overhead;
        Simulated { completion: found.completion + more * spent / pool.slots() as f64, ..found }
    };
    let (least, most) = effort.repetitions;
    let mut all: Vec<Simulated> = (0..least).into_par_iter().map(one).collect();
    // What does not end takes longest to simulate, and more of it would say no more.
    if all.iter().any(|found| found.completion.is_finite()) {
        let attempts = all.iter().map(|found| found.attempts as f64).sum::<f64>() / least as f64;
        let repetitions = (effort.attempts / attempts.max(1.0)) as u64;
        all.par_extend((least..repetitions.min(most)).into_par_iter().map(one));
    }
    let mean = |of: &dyn Fn(&Simulated) -> f64| all.iter().map(of).sum::<f64>() / all.len() as f64;
    let spent = |found: &Simulated| found.goodput + found.badput + found.overhead;
    Forecast {
        completion: Quantiles::new(all.iter().map(|found| found.completion).collect()),
        goodput: mean(&|found| found.goodput) / mean(&spent),
        badput: mean(&|found| found.badput) / mean(&spent),
        interrupted: mean(&|found| found.interrupted as f64) * (1.0 + more),
    }
}

/// What would come of cutting the same work otherwise; `save` is what a checkpoint of all of it costs, in seconds, and `items` the
/// most pieces that there can be.
#[must_use]
pub fn alternatives(work: &Work, pool: &PoolModel, save: f64, items: usize, seed: u64) -> Alternatives {
    let total: f64 = work.chunks.iter().sum();
    let one_job = forecast(&Work { chunks: vec![total], kept: None, tries: None }, pool, seed);
    let interval = interval(save, pool.between()).min(total);
    let with_saves = if interval > 0.0 { total * (1.0 + save / interval) } else { total };
    let kept = Some(interval + save);
    let with_checkpoints = (interval, forecast(&Work { chunks: vec![with_saves], kept, tries: None }, pool, seed));
    let lengths = LENGTHS
        .into_iter()
        .filter(|length| *length <= total && (total / length).ceil() <= items as f64)
        .map(|length| {
            let chunks = (total / length).ceil() as usize;
            let work = Work { chunks: vec![total / chunks as f64; chunks], kept: None, tries: work.tries };
            Choice { length, chunks, forecast: forecast(&work, pool, seed) }
        })
        .collect();
    Alternatives { one_job, with_checkpoints, lengths }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Interruptions, time_with_checkpoints};

    fn pool(slots: usize, overhead: f64, between: f64) -> PoolModel {
        let rate = Interruptions::Rate { between };
        PoolModel::new(slots, overhead).and_then(|pool| pool.interruptions(rate, 0.0)).expect("a pool")
    }

    #[test]
    fn a_job_with_checkpoints_takes_as_long_as_daly_says() {
        let pool = pool(1, 30.0, 7200.0);
        let work = Work { chunks: vec![36_000.0], kept: None, tries: None };
        let (interval, found) = alternatives(&work, &pool, 10.0, 1, 3).with_checkpoints;
        let expected = time_with_checkpoints(36_000.0, interval, 10.0, 30.0, 7200.0);
        let mean = found.completion.mean();
        assert!((mean / expected - 1.0).abs() < 0.03, "{mean} and not {expected}");
    }

    #[test]
    fn many_short_chunks_beat_one_long_job() {
        let pool = pool(60, 60.0, 4.0 * 3600.0);
        let work = Work { chunks: vec![600.0; 60], kept: None, tries: None };
        let ours = forecast(&work, &pool, 1);
        let others = alternatives(&work, &pool, 60.0, 36_000, 1);
        assert!(ours.completion.at(0.5) < 1500.0);
        assert!(others.one_job.completion.at(0.5) > 2.0 * others.with_checkpoints.1.completion.at(0.5));
        assert!(others.with_checkpoints.1.completion.at(0.5) > 10.0 * ours.completion.at(0.5));
        let best = others.best().expect("there are lengths");
        assert!((120.0..=1200.0).contains(&best.length), "{}", best.length);
    }

    #[test]
    fn some_of_very_many_chunks_tell_of_all() {
        let between = 14_400.0;
        for (slots, least, most) in
            [(20, 600.0, 600.0), (100, 60.0, 1200.0), (1000, 600.0, 600.0), (1000, 60.0, 1200.0)]
        {
            let pool =
                pool(slots, 60.0, between).speed_spread(0.05).and_then(|pool| pool.failures(0.02)).expect("a pool");
            let count = 60_000_u32;
            let length = |number: u32| least + (most - least) * f64::from(number) / f64::from(count);
            let tries = Some(crate::model::Tries { retries: 2, tail_rounds: 2 });
            let work = Work { chunks: (0..count).map(length).collect(), kept: None, tries };
            let all = repeated(&work, &pool, 1, Effort { attempts: 0.0, repetitions: (4, 4) }, 0.0);
            let rough = rough_forecast(&work, count.into(), &pool, 2);
            let near = |value: f64, other: f64, within: f64, what| {
                assert!((value / other - 1.0).abs() < within, "{what} on {slots} slots: {value} and not {other}");
            };
            near(rough.completion.at(0.5), all.completion.at(0.5), 0.03, "completion");
            near(rough.badput, all.badput, 0.1, "badput");
            near(rough.goodput, all.goodput, 0.01, "goodput");
            near(rough.interrupted, all.interrupted, 0.1, "interruptions");
            // A list of every sixth stands for as many.
            let sixth = Work { chunks: work.chunks.iter().copied().step_by(6).collect(), ..work };
            let rough = rough_forecast(&sixth, count.into(), &pool, 2);
            near(rough.completion.at(0.5), all.completion.at(0.5), 0.03, "completion by a sixth");
        }
    }

    #[test]
    fn a_sample_has_the_longest_chunk() {
        let mut chunks = vec![1.0; 123_456];
        chunks[77_777] = 50.0;
        let some = sample(&chunks);
        assert_eq!(some.len(), SAMPLE);
        assert_eq!(some.iter().filter(|length| **length == 50.0).count(), 1);
        assert_eq!(sample(&[1.0, 2.0]), [1.0, 2.0]);
    }

    #[test]
    fn a_forecast_depends_on_its_seed_alone() {
        let pool = pool(5, 10.0, 1000.0);
        let work = Work { chunks: (1..50).map(f64::from).collect(), kept: Some(5.0), tries: None };
        assert_eq!(forecast(&work, &pool, 1), forecast(&work, &pool, 1));
        assert_ne!(forecast(&work, &pool, 1), forecast(&work, &pool, 2));
    }
}
