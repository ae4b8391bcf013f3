//! A discrete-event simulation of chunks on a pool's slots.
//!
//! Chunks wait in one queue, in their order; a slot that is free takes the first. What is interrupted or fails goes back to the
//! queue's front, as a job that HTCondor requeues keeps its place. Events at the same time are taken in the order in which they were
//! made, so that a simulation depends on its numbers and its seed alone.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::{Chance, PoolModel};

/// Attempts per chunk, on average, after which a simulation is given up: the work would not end on this pool.
const MOST_ATTEMPTS: u64 = 1000;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With the chunk's result.
    Done,
    /// The machine was taken away.
    Interrupted,
    /// It came to its end without a result.
    Failed,
}

/// An attempt at a chunk, for a picture of what ran where.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attempt {
    /// The slot.
    pub slot: usize,
    /// The chunk.
    pub chunk: usize,
    /// When it was matched, in seconds from the submission.
    pub start: f64,
    /// When it ended.
    pub stop: f64,
    /// For so many seconds from its start on nothing was lost: all of an attempt that is done, and of one that was interrupted up
    /// to the last slice that it had finished.
    pub kept: f64,
    /// How.
    pub ended: Ended,
}

/// What came of a simulation. All sums are over slots.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Simulated {
    /// Seconds from the submission until the last chunk was done; infinite where the work does not end on this pool.
    pub completion: f64,
    /// Seconds of slots that went into results.
    pub goodput: f64,
    /// Seconds of slots whose work was lost.
    pub badput: f64,
    /// Seconds of slots that were spent before attempts began their work.
    pub overhead: f64,
    /// How many attempts there were.
    pub attempts: u64,
    /// How many were interrupted.
    pub interrupted: u64,
}

/// A time; they are never NaN.
#[derive(Clone, Copy, PartialEq)]
struct Moment(f64);

impl Eq for Moment {}

impl Ord for Moment {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Moment {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The slot's attempt at a chunk ends.
    End { slot: usize, chunk: usize },
    /// The slot may be used again.
    Back { slot: usize },
}

/// Runs chunks that take `lengths` seconds on a machine of median speed. With `kept`, an interrupted or failed attempt keeps its work
/// up to the last multiple of so many seconds (slices). `watch` is told of each attempt.
pub fn simulate(
    lengths: &[f64],
    kept: Option<f64>,
    pool: &PoolModel,
    chance: &mut Chance,
    watch: &mut dyn FnMut(Attempt),
) -> Simulated {
    let mut found = Simulated::default();
    let mut queue: VecDeque<usize> = (0..lengths.len()).collect();
    let mut left = lengths.to_vec();
    let speeds: Vec<f64> = (0..pool.slots().min(lengths.len())).map(|_| pool.draw_speed(chance)).collect();
    let mut idle: VecDeque<usize> = (0..speeds.len()).collect();
    let mut ends: Vec<Option<Attempt>> = vec![None; speeds.len()];
    let mut events: BinaryHeap<Reverse<(Moment, u64, Event)>> = BinaryHeap::new();
    let mut made = 0;
    let most = MOST_ATTEMPTS.saturating_mul(lengths.len() as u64);
    let mut now = 0.0;
    loop {
        while let (Some(&slot), Some(&chunk)) = (idle.front(), queue.front()) {
            idle.pop_front();
            queue.pop_front();
            let needed = pool.overhead() + left[chunk] / speeds[slot];
            let interruption = pool.draw_interruption(chance);
            let (runs, ended) = if interruption < needed {
                (interruption, Ended::Interrupted)
            } else if pool.draw_failure(chance) {
                (needed, Ended::Failed)
            } else {
                (needed, Ended::Done)
            };
            ends[slot] = Some(Attempt { slot, chunk, start: now, stop: now + runs, kept: 0.0, ended });
            events.push(Reverse((Moment(now + runs), made, Event::End { slot, chunk })));
            made += 1;
        }
        let Some(Reverse((Moment(time), _, event))) = events.pop() else { break };
        now = time;
        match event {
            Event::Back { slot } => idle.push_back(slot),
            Event::End { slot, chunk } => {
                let attempt = ends[slot].take().expect("an attempt is under way");
                found.attempts += 1;
                let runs = attempt.stop - attempt.start;
                let worked = (runs - pool.overhead()).max(0.0);
                found.overhead += runs - worked;
                if attempt.ended == Ended::Done {
                    watch(Attempt { kept: runs, ..attempt });
                    found.goodput += worked;
                    found.completion = now;
                    left[chunk] = 0.0;
                    idle.push_back(slot);
                    continue;
                }
                // A failure is noticed at the end, and what it left is not trusted.
                let saved = match kept.filter(|_| attempt.ended == Ended::Interrupted) {
                    Some(slice) if slice > 0.0 => ((worked * speeds[slot] / slice).floor() * slice).min(left[chunk]),
                    _ => 0.0,
                };
                let lost = worked - saved / speeds[slot];
                watch(Attempt { kept: if saved > 0.0 { runs - lost } else { 0.0 }, ..attempt });
                left[chunk] -= saved;
                found.goodput += saved / speeds[slot];
                found.badput += lost;
                queue.push_front(chunk);
                if attempt.ended == Ended::Interrupted {
                    found.interrupted += 1;
                    let away = pool.draw_away(chance);
                    events.push(Reverse((Moment(now + away), made, Event::Back { slot })));
                    made += 1;
                } else {
                    idle.push_back(slot);
                }
                if found.attempts >= most {
                    found.completion = f64::INFINITY;
                    break;
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Interruptions, Quantiles, time_without_checkpoints};

    fn run(lengths: &[f64], kept: Option<f64>, pool: &PoolModel, seed: u64) -> Simulated {
        simulate(lengths, kept, pool, &mut Chance::new(seed), &mut |_| ())
    }

    #[test]
    fn without_interruptions_it_is_list_scheduling() {
        let pool = PoolModel::new(3, 10.0).expect("a pool");
        let found = run(&[100.0, 50.0, 50.0, 50.0, 20.0], None, &pool, 1);
        // Slots: 110; 60 + 60; 60 + 30.
        assert_eq!((found.completion, found.goodput, found.overhead), (120.0, 270.0, 50.0));
        assert_eq!((found.badput, found.attempts), (0.0, 5));
    }

    #[test]
    fn one_job_takes_as_long_as_the_closed_form_says() {
        for (length, overhead, between) in [(600.0, 60.0, 3600.0), (3600.0, 0.0, 3600.0), (7200.0, 100.0, 3600.0)] {
            let rate = Interruptions::Rate { between };
            let pool = PoolModel::new(1, overhead).and_then(|pool| pool.interruptions(rate, 0.0)).expect("a pool");
            let times = (0..20_000).map(|seed| run(&[length], None, &pool, seed).completion).collect();
            let expected = time_without_checkpoints(length, overhead, between);
            let mean = Quantiles::new(times).mean();
            assert!((mean / expected - 1.0).abs() < 0.03, "{length}: {mean} and not {expected}");
        }
    }

    #[test]
    fn what_never_ends_is_given_up() {
        let rate = Interruptions::Rate { between: 10.0 };
        let pool = PoolModel::new(2, 1.0).and_then(|pool| pool.interruptions(rate, 0.0)).expect("a pool");
        assert_eq!(run(&[1e6, 1e6], None, &pool, 1).completion, f64::INFINITY);
        assert!(run(&[1e3, 1e3], Some(1.0), &pool, 1).completion.is_finite(), "slices keep what is done");
    }

    #[test]
    fn speeds_have_a_median_of_one() {
        let pool = PoolModel::new(1, 0.0).and_then(|pool| pool.speed_spread(0.3)).expect("a pool");
        let times = (0..5000).map(|seed| run(&[100.0], None, &pool, seed).completion).collect();
        let times = Quantiles::new(times);
        assert!((times.at(0.5) / 100.0 - 1.0).abs() < 0.02);
        assert!((times.at(0.841) / 100.0 / 0.3f64.exp() - 1.0).abs() < 0.03);
    }

    proptest! {
        #[test]
        fn grahams_bounds_hold(lengths in prop::collection::vec(1.0f64..100.0, 1..60), slots in 1usize..20) {
            // Graham, "Bounds for certain multiprocessing anomalies", 1966: any list schedule is within 2 - 1/m of the best.
            let pool = PoolModel::new(slots, 0.0).expect("a pool");
            let found = run(&lengths, None, &pool, 1).completion;
            let total: f64 = lengths.iter().sum();
            let longest = lengths.iter().copied().fold(0.0, f64::max);
            let least = longest.max(total / slots as f64);
            prop_assert!(found >= least * (1.0 - 1e-9));
            prop_assert!(found <= total / slots as f64 + longest * (1.0 - 1.0 / slots as f64) + 1e-6);
        }

        #[test]
        fn all_time_is_accounted_for(
            lengths in prop::collection::vec(1.0f64..100.0, 1..40), slots in 1usize..10, seed: u64,
            between in 50.0f64..1000.0, slices: bool,
        ) {
            let rate = Interruptions::Rate { between };
            let pool = PoolModel::new(slots, 2.0).and_then(|pool| pool.interruptions(rate, 30.0))
                .and_then(|pool| pool.failures(0.1)).expect("a pool");
            let mut spent = 0.0;
            let mut last = 0.0f64;
            let mut lost = 0.0;
            let kept = slices.then_some(5.0);
            let found = simulate(&lengths, kept, &pool, &mut Chance::new(seed), &mut |attempt| {
                spent += attempt.stop - attempt.start;
                let runs = attempt.stop - attempt.start;
                assert!((0.0..=runs * (1.0 + 1e-9)).contains(&attempt.kept), "{attempt:?}");
                lost += runs - attempt.kept;
                if attempt.ended == Ended::Done {
                    last = last.max(attempt.stop);
                }
            });
            prop_assert_eq!(found.completion, last);
            // What the picture shows as lost is that, but for what came before the work of attempts that kept nothing.
            prop_assert!(lost >= found.badput - 1e-6 && lost <= found.badput + found.overhead + 1e-6);
            let sum = found.goodput + found.badput + found.overhead;
            prop_assert!((sum - spent).abs() < 1e-6 * spent);
            prop_assert!((found.goodput - lengths.iter().sum::<f64>()).abs() < 1e-6 * found.goodput);
            prop_assert_eq!(found, run(&lengths, kept, &pool, seed));
        }
    }
}
