//! Work on a machine that may be taken away at any time: how long it takes, and into what pieces it is best cut.
//!
//! Interruptions come at a steady rate, one in `between` seconds on average (exponential times), and an attempt that is
//! interrupted leaves nothing.

use crate::checkpoint::interval;

/// How long work of `length` seconds takes on average where each interruption starts it from the beginning, after `restart`
/// seconds of overhead that every attempt has: `(between) * (exp((length + restart) / between) - 1)`.
///
/// An attempt needs `length + restart` seconds without an interruption; the formula is the mean waiting time for the first
/// such gap of a Poisson process (Feller, "An Introduction to Probability Theory and Its Applications", vol. 2, XI.6; Daly 2006, eq. 2).
/// Infinite where that is past a double.
#[must_use]
pub fn time_without_checkpoints(length: f64, restart: f64, between: f64) -> f64 {
    if between.is_infinite() {
        return length + restart;
    }
    between * ((length + restart) / between).exp_m1()
}

/// How long work of `length` seconds takes on average with a checkpoint of `save` seconds after every `interval` seconds of
/// work, `restart` seconds after each interruption (Daly, "A higher order estimate of the optimum checkpoint interval
/// for restart dumps", Future Generation Computer Systems 22, 2006, eq. 20).
#[must_use]
pub fn time_with_checkpoints(length: f64, interval: f64, save: f64, restart: f64, between: f64) -> f64 {
    if between.is_infinite() {
        return length + restart + save * (length / interval);
    }
    between * (restart / between).exp() * ((interval + save) / between).exp_m1() * (length / interval)
}

/// The length of a chunk that wastes least: where each attempt has `overhead` seconds beside its work (matching, transfer, start), and an
/// interruption comes every `between` seconds on average.
///
/// It is the same law as for checkpoints, with the chunk's overhead in the place of the save: a chunk of length t pays the overhead
/// once (a share of overhead / t), and loses half of itself at an interruption (a share of t / (2 between)); the sum is least at about
/// `sqrt(2 overhead between)`. With a minute and a half of overhead and an interruption every half hour to every few hours this is ten minutes to half an hour; at
/// the short end the answer also comes sooner, since the last chunk to finish is short. That is where "about ten minutes" comes from.
#[must_use]
pub fn best_chunk(overhead: f64, between: f64) -> f64 {
    interval(overhead, between)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Chance;

    /// The mean over so many trials of how long it takes until `pieces` pieces of `length` are done, each with
    /// `cost` seconds beside it, where an interruption costs the piece at hand and `restart` seconds.
    fn simulated(pieces: u32, length: f64, cost: f64, restart: f64, between: f64) -> f64 {
        let mut chance = Chance::new(7);
        let trials = 20_000;
        let mut total = 0.0;
        for _ in 0..trials {
            for _ in 0..pieces {
                let mut needed = length + cost;
                loop {
                    let gap = chance.exponential(between);
                    if gap >= needed {
                        total += needed;
                        break;
                    }
                    total += gap;
                    needed = length + cost + restart;
                }
            }
        }
        total / f64::from(trials)
    }

    #[test]
    fn closed_forms_agree_with_trials() {
        let near = |left: f64, right: f64| assert!((left / right - 1.0).abs() < 0.02, "{left} {right}");
        near(time_without_checkpoints(3600.0, 0.0, 3600.0), simulated(1, 3600.0, 0.0, 0.0, 3600.0));
        near(time_without_checkpoints(600.0, 0.0, 14_400.0), simulated(1, 600.0, 0.0, 0.0, 14_400.0));
        near(time_with_checkpoints(36_000.0, 600.0, 10.0, 0.0, 7200.0), simulated(60, 600.0, 10.0, 0.0, 7200.0));
        near(time_with_checkpoints(36_000.0, 600.0, 10.0, 60.0, 7200.0), simulated(60, 600.0, 10.0, 60.0, 7200.0));
        assert_eq!(time_without_checkpoints(60.0, 5.0, f64::INFINITY), 65.0);
    }

    #[test]
    fn the_published_intervals() {
        let near = |left: f64, right: f64| assert!((left / right - 1.0).abs() < 0.03, "{left} {right}");
        near(interval(0.05, 7200.0), 27.0);
        near(interval(10.0, 14_400.0), 530.0);
        near(interval(60.0, 14_400.0), 1275.0);
        assert_eq!(interval(100.0, 40.0), 40.0);
    }

    #[test]
    fn the_interval_is_within_a_hundredth_of_the_best() {
        for (save, between) in
            [(0.05, 7200.0), (1.0, 3600.0), (10.0, 14_400.0), (60.0, 14_400.0), (60.0, 3600.0), (5.0, 60.0)]
        {
            let time = |interval: f64| time_with_checkpoints(1e6, interval, save, 0.0, between);
            let best = (1..4000).map(|step| time(f64::from(step) * between / 1000.0)).fold(f64::INFINITY, f64::min);
            let finer = (1..4000).map(|step| time(f64::from(step) * save)).fold(best, f64::min);
            let ours = time(interval(save, between));
            assert!(ours <= 1.01 * finer, "{save} {between}: {ours} {finer}");
        }
    }
}
