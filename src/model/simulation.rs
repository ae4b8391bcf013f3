//! A discrete-event simulation of chunks on a pool's slots.
//!
//! Chunks wait in one queue, in their order; a slot that is free takes the first. What is interrupted or fails goes back to the
//! queue's front, as a job that HTCondor requeues keeps its place. What has failed as often as it may is left to the tail: once nothing
//! else is left, it is cut into pieces that are tried in their turn, a round at a time. Events at the same time are taken in the order in which they were
//! made, so that a simulation depends on its numbers and its seed alone.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::{Chance, PoolModel, Work};

/// Attempts since a chunk's last progress, on average over those that are under way, after which a simulation is given up: the work would not
/// end on this pool.
const MOST_IN_VAIN: u64 = 1000;
/// After so many attempts, and so many for each chunk, what is left is taken to go as what was done.
const MOST_ATTEMPTS: (u64, u64) = (200_000, 10);

/// A round of the tail cuts what a chunk lacks into so many pieces.
const PIECES: usize = 8;

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
    /// Seconds from the submission until the last chunk was done; infinite where the work does not end on this pool. Of what takes
    /// very many attempts the end is estimated, and all sums with it.
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

impl Simulated {
    /// All of a simulation of which the share `done` of the work was done after `now` seconds.
    fn extended(self, now: f64, done: f64) -> Self {
        let all = |part: f64| if done > 0.0 { part / done } else { part };
        Self {
            completion: if done > 0.0 { now / done } else { f64::INFINITY },
            goodput: all(self.goodput),
            badput: all(self.badput),
            overhead: all(self.overhead),
            attempts: all(self.attempts as f64) as u64,
            interrupted: all(self.interrupted as f64) as u64,
        }
    }
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
    /// The slot's attempt at a job ends.
    End { slot: usize, job: usize },
    /// The slot may be used again.
    Back { slot: usize },
}

/// Runs the chunks of `work`. `watch` is told of each attempt.
pub fn simulate(work: &Work, pool: &PoolModel, chance: &mut Chance, watch: &mut dyn FnMut(Attempt)) -> Simulated {
    let mut found = Simulated::default();
    // A job's chunk, what it has still to compute, and how often it has failed.
    let mut chunks: Vec<usize> = (0..work.chunks.len()).collect();
    let mut left = work.chunks.clone();
    let mut failures = vec![0_u32; left.len()];
    // How often each was tried since its last progress, and all that are not done together.
    let mut in_vain = vec![0_u64; left.len()];
    let mut all_in_vain = 0;
    let all: f64 = left.iter().sum();
    let mut done = 0.0;
    let mut queue: VecDeque<usize> = (0..left.len()).collect();
    let mut yielded: Vec<usize> = Vec::new();
    let (mut under_way, mut rounds) = (0_usize, 0);
    // A tail has more jobs than a plan of few chunks, and what was interrupted finds another slot.
    let slots = pool.slots().min(left.len().saturating_mul(PIECES));
    let speeds: Vec<f64> = (0..slots).map(|_| pool.draw_speed(chance)).collect();
    let mut idle: VecDeque<usize> = (0..speeds.len()).collect();
    let mut ends: Vec<Option<Attempt>> = vec![None; speeds.len()];
    let mut events: BinaryHeap<Reverse<(Moment, u64, Event)>> = BinaryHeap::new();
    let mut made = 0;
    // What is interrupted is tried again first, so that no more are under way than there are slots.
    let most_in_vain = MOST_IN_VAIN.saturating_mul(pool.slots().min(left.len()) as u64);
    let most = MOST_ATTEMPTS.1.saturating_mul(left.len() as u64).saturating_add(MOST_ATTEMPTS.0);
    let mut now = 0.0;
    loop {
        if under_way == 0 && queue.is_empty() && !yielded.is_empty() {
            if rounds >= work.tries.map_or(0, |tries| tries.tail_rounds) {
                found.completion = f64::INFINITY;
                break;
            }
            rounds += 1;
            for job in yielded.drain(..) {
                let part = left[job] / PIECES as f64;
                (left[job], failures[job]) = (part, 0);
                let first = left.len();
                left.resize(first + PIECES - 1, part);
                failures.resize(left.len(), 0);
                in_vain.resize(left.len(), 0);
                chunks.resize(left.len(), chunks[job]);
                queue.push_back(job);
                queue.extend(first..left.len());
            }
        }
        while let (Some(&slot), Some(&job)) = (idle.front(), queue.front()) {
            idle.pop_front();
            queue.pop_front();
            under_way += 1;
            let needed = pool.overhead() + left[job] / speeds[slot];
            let interruption = pool.draw_interruption(chance);
            let (runs, ended) = if interruption < needed {
                (interruption, Ended::Interrupted)
            } else if pool.draw_failure(chance) {
                (needed, Ended::Failed)
            } else {
                (needed, Ended::Done)
            };
            let chunk = chunks[job];
            ends[slot] = Some(Attempt { slot, chunk, start: now, stop: now + runs, kept: 0.0, ended });
            events.push(Reverse((Moment(now + runs), made, Event::End { slot, job })));
            made += 1;
        }
        let Some(Reverse((Moment(time), _, event))) = events.pop() else { break };
        now = time;
        match event {
            Event::Back { slot } => idle.push_back(slot),
            Event::End { slot, job } => {
                under_way -= 1;
                let attempt = ends[slot].take().expect("an attempt is under way");
                found.attempts += 1;
                let runs = attempt.stop - attempt.start;
                let worked = (runs - pool.overhead()).max(0.0);
                found.overhead += runs - worked;
                if attempt.ended == Ended::Done {
                    watch(Attempt { kept: runs, ..attempt });
                    found.goodput += worked;
                    found.completion = now;
                    all_in_vain -= in_vain[job];
                    done += left[job];
                    left[job] = 0.0;
                    idle.push_back(slot);
                    continue;
                }
                // A failure is noticed at the end, and what it left is not trusted.
                let saved = match work.kept.filter(|_| attempt.ended == Ended::Interrupted) {
                    Some(slice) if slice > 0.0 => ((worked * speeds[slot] / slice).floor() * slice).min(left[job]),
                    _ => 0.0,
                };
                let lost = worked - saved / speeds[slot];
                watch(Attempt { kept: if saved > 0.0 { runs - lost } else { 0.0 }, ..attempt });
                left[job] -= saved;
                done += saved;
                found.goodput += saved / speeds[slot];
                found.badput += lost;
                failures[job] += u32::from(attempt.ended == Ended::Failed);
                let is_given_up = work.tries.is_some_and(|tries| failures[job] > tries.retries);
                if saved > 0.0 || is_given_up {
                    all_in_vain -= in_vain[job];
                    in_vain[job] = 0;
                } else {
                    all_in_vain += 1;
                    in_vain[job] += 1;
                }
                if is_given_up {
                    yielded.push(job);
                } else {
                    queue.push_front(job);
                }
                if attempt.ended == Ended::Interrupted {
                    found.interrupted += 1;
                    let away = pool.draw_away(chance);
                    events.push(Reverse((Moment(now + away), made, Event::Back { slot })));
                    made += 1;
                } else {
                    idle.push_back(slot);
                }
                if all_in_vain >= most_in_vain {
                    found.completion = f64::INFINITY;
                    break;
                }
                if found.attempts >= most {
                    return found.extended(now, done / all);
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
    use crate::model::{Interruptions, Quantiles, Tries, time_without_checkpoints};

    fn run(lengths: &[f64], kept: Option<f64>, pool: &PoolModel, seed: u64) -> Simulated {
        let work = Work { chunks: lengths.to_vec(), kept, tries: None };
        simulate(&work, pool, &mut Chance::new(seed), &mut |_| ())
    }

    #[test]
    fn what_fails_too_often_is_left_to_the_tail() {
        let pool = |share| PoolModel::new(4, 10.0).and_then(|pool| pool.failures(share)).expect("a pool");
        let work = |retries, tail_rounds| Work {
            chunks: vec![80.0; 20],
            kept: None,
            tries: Some(Tries { retries, tail_rounds }),
        };
        let run = |work: &Work, share: f64, seed: u64| {
            let mut lengths = Vec::new();
            let found = simulate(work, &pool(share), &mut Chance::new(seed), &mut |attempt| {
                lengths.push((attempt.chunk, attempt.stop - attempt.start));
            });
            (found, lengths)
        };
        assert_eq!(run(&work(0, 0), 0.0, 1).0.completion, 450.0, "nothing fails: five times 90 s");
        // Half of all attempts fail: without a tail hardly any plan ends, and one whose jobs are tried for ever always does.
        let ends = |work: &Work| (0..200).filter(|&seed| run(work, 0.5, seed).0.completion.is_finite()).count();
        assert_eq!((ends(&work(0, 0)), ends(&work(1000, 0))), (0, 200));
        assert!(ends(&work(3, 0)) < ends(&work(3, 1)) && ends(&work(3, 1)) < ends(&work(3, 2)));
        let (found, lengths) = run(&work(0, 9), 0.1, 3);
        // Pieces are eighths of their chunks, and come after all of these.
        let first = lengths.iter().position(|(_, seconds)| (seconds - 20.0).abs() < 1e-9).expect("a piece");
        assert_eq!(first, 20);
        assert!(lengths.iter().all(|(chunk, _)| *chunk < 20), "a piece is its chunk's");
        assert!(found.completion.is_finite() && (found.goodput - 1600.0).abs() < 1e-6, "{found:?}");
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
    fn what_makes_progress_ends() {
        let rate = Interruptions::Rate { between: 14_400.0 };
        let pool = PoolModel::new(1, 60.0).and_then(|pool| pool.interruptions(rate, 0.0)).expect("a pool");
        // Some 1,200 attempts at one job, each of which gets on.
        let found = run(&[200.0 * 86_400.0], Some(540.0), &pool, 1);
        assert!(found.attempts > 1000, "{found:?}");
        assert!((found.completion / (200.0 * 86_400.0) - 1.025).abs() < 0.01, "{found:?}");
    }

    #[test]
    fn what_takes_very_many_attempts_is_estimated() {
        let rate = Interruptions::Rate { between: 100.0 };
        let pool =
            |slots| PoolModel::new(slots, 10.0).and_then(|pool| pool.interruptions(rate.clone(), 0.0)).expect("a pool");
        let long = run(&[3e7], Some(1.0), &pool(1), 1);
        let shorter = run(&[3e6], Some(1.0), &pool(1), 1);
        assert!(shorter.attempts < MOST_ATTEMPTS.0 && long.attempts > MOST_ATTEMPTS.0, "{long:?}");
        let near = |value: f64, other: f64| assert!((value / other - 1.0).abs() < 0.02, "{value} and not {other}");
        near(long.completion, 10.0 * shorter.completion);
        near(long.badput, 10.0 * shorter.badput);
        near(long.interrupted as f64, 10.0 * shorter.interrupted as f64);
        near(long.goodput, 3e7);
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
            between in 50.0f64..1000.0, slices: bool, tail: bool,
        ) {
            let rate = Interruptions::Rate { between };
            let pool = PoolModel::new(slots, 2.0).and_then(|pool| pool.interruptions(rate, 30.0))
                .and_then(|pool| pool.failures(0.1)).expect("a pool");
            let mut spent = 0.0;
            let mut last = 0.0f64;
            let mut lost = 0.0;
            let kept = slices.then_some(5.0);
            let tries = tail.then_some(Tries { retries: 1, tail_rounds: 9 });
            let work = Work { chunks: lengths.clone(), kept, tries };
            let found = simulate(&work, &pool, &mut Chance::new(seed), &mut |attempt| {
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
            prop_assert_eq!(found, simulate(&work, &pool, &mut Chance::new(seed), &mut |_| ()));
        }
    }
}
