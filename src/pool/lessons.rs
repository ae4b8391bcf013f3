//! What an event log teaches about the pool that its jobs ran on: `split simulate --learn-from`.
//!
//! A slot is known by its name (`SlotName`, event 001), or else by its machine. While jobs wait, the time from the end of one job on a slot to
//! the start of the next one's program is what an attempt costs beside its work: matching, transfer, start. After an eviction the slot
//! is away for as long as it takes beyond that. Clocks of logs count whole seconds: single times are off by up to one, their means are not.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::event::{Event, JobId};
use super::event_log::read_events;
use super::history::{History, Loss, Outcome};

/// So many of each kind of time are kept.
const MOST: usize = 1_000_000;
/// This share of times, the longest, and as many of the shortest, count for no mean: jobs of others come in between.
const TRIMMED: f64 = 0.1;

/// What was seen of a pool. Times are in seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lessons {
    /// How long each attempt's program ran, and whether the machine was taken away (or lost) then: else it ended in another way.
    pub attempts: Vec<(f64, bool)>,
    /// How many of them ended by themselves, with an exit code other than 0 or by a signal.
    pub failed: u64,
    /// The mean time that an attempt costs beside its work; `None` where no job followed another on a slot while jobs waited.
    pub overhead: Option<f64>,
    /// The mean time that a slot is away after an eviction; `None` where none came back while jobs waited.
    pub away: Option<f64>,
    /// How many machines there were.
    pub machines: usize,
    /// How many attempts were at work at the same time, at most.
    pub most_at_once: usize,
}

impl Lessons {
    /// Reads the event log in the file `path`.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn read(path: &Path) -> io::Result<Self> {
        Self::of(&mut File::open(path)?)
    }

    fn of(log: &mut impl Read) -> io::Result<Self> {
        let mut pupil = Pupil::default();
        read_events(log, &mut |event| pupil.take(&event))?;
        Ok(pupil.lessons())
    }

    /// The mean time between two evictions, of a slot at work; `None` where there was no eviction.
    #[must_use]
    pub fn between(&self) -> Option<f64> {
        let evictions = self.attempts.iter().filter(|(_, evicted)| *evicted).count();
        (evictions > 0).then(|| self.seconds() / evictions as f64)
    }

    /// How long all programs ran.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.attempts.iter().map(|(seconds, _)| seconds).sum()
    }

    /// The share of the attempts that came to an end by themselves and failed.
    #[must_use]
    pub fn failures(&self) -> f64 {
        let ended = self.attempts.iter().filter(|(_, evicted)| !*evicted).count();
        if ended == 0 { 0.0 } else { self.failed as f64 / ended as f64 }
    }
}

/// Reads one event after another.
#[derive(Debug, Default)]
struct Pupil {
    history: History,
    /// Where and since when programs run.
    at_work: HashMap<JobId, (Box<[u8]>, i64)>,
    /// Slots on which a job ended while others waited: when, and whether it was evicted.
    free: HashMap<Box<[u8]>, (i64, bool)>,
    /// From one job's end to the next one's start, on slots that were not taken away, and on others.
    gaps: [Vec<f64>; 2],
    lessons: Lessons,
}

impl Pupil {
    fn take(&mut self, event: &Event<'_>) {
        let id = event.job;
        let attempts = |history: &History| history.job(id).map_or(0, |job| job.attempts);
        let before = attempts(&self.history);
        self.history.take(event);
        let now = self.history.now();
        if attempts(&self.history) > before {
            self.ended(id, now);
        }
        let job = self.history.job(id).filter(|job| job.counts());
        let executes = job.and_then(|job| job.open()).is_some_and(|open| open.executes);
        if executes && event.code == 1 && !self.at_work.contains_key(&id) {
            let slot: Box<[u8]> = event.slot().or_else(|| event.host()).unwrap_or_default().into();
            if let Some((end, evicted)) = self.free.remove(&slot)
                && !slot.is_empty()
            {
                push(&mut self.gaps[usize::from(evicted)], (now - end).max(0) as f64);
            }
            self.at_work.insert(id, (slot, now));
            self.lessons.most_at_once = self.lessons.most_at_once.max(self.at_work.len());
        }
    }

    fn ended(&mut self, id: JobId, now: i64) {
        let Some((slot, start)) = self.at_work.remove(&id) else { return };
        let Some(attempt) = self.history.job(id).and_then(|job| job.past.last()) else { return };
        let evicted = matches!(attempt.outcome, Outcome::Gone(Loss::Evicted | Loss::Lost));
        push(&mut self.lessons.attempts, ((attempt.end - start).max(0) as f64, evicted));
        let failed = matches!(attempt.outcome, Outcome::Exited(exit) if exit != super::event::Exit::Code(0));
        self.lessons.failed += u64::from(failed);
        if self.history.waiting() > 0 {
            self.free.insert(slot, (now, evicted));
        } else {
            self.free.remove(&slot);
        }
    }

    fn lessons(mut self) -> Lessons {
        let [ordinary, evicted] = self.gaps.each_mut().map(|gaps| trimmed_mean(gaps));
        let machines = self.history.hosts().iter().filter(|host| host.attempts > 0).count();
        let away = evicted.map(|evicted| (evicted - ordinary.unwrap_or(0.0)).max(0.0));
        Lessons { overhead: ordinary, away, machines, ..self.lessons }
    }
}

fn push<T>(times: &mut Vec<T>, time: T) {
    if times.len() < MOST {
        times.push(time);
    }
}

/// The mean of the times that are left without the shortest and the longest.
fn trimmed_mean(times: &mut [f64]) -> Option<f64> {
    times.sort_unstable_by(f64::total_cmp);
    let cut = (times.len() as f64 * TRIMMED) as usize;
    let kept = &times[cut..times.len() - cut];
    (!kept.is_empty()).then(|| kept.iter().sum::<f64>() / kept.len() as f64)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn lessons(text: &str) -> Lessons {
        Lessons::of(&mut text.as_bytes()).expect("in memory")
    }

    fn at(second: u32) -> String {
        format!("2026-11-22 10:{:02}:{:02}", second / 60, second % 60)
    }

    fn submitted(log: &mut String, job: u32, second: u32) {
        writeln!(log, "000 ({job:03}.000.000) {} Job submitted from host: <x>\n...", at(second)).expect("a text");
    }

    fn starts(log: &mut String, job: u32, second: u32, slot: &str) {
        let line = format!("001 ({job:03}.000.000) {} Job executing on host: <1.2.3.4:9618?alias=ep1>", at(second));
        writeln!(log, "{line}\n\tSlotName: {slot}\n...").expect("a text");
    }

    fn ends(log: &mut String, job: u32, second: u32, code: i32) {
        let line = format!("005 ({job:03}.000.000) {} Job terminated.", at(second));
        writeln!(log, "{line}\n\t(1) Normal termination (return value {code})\n...").expect("a text");
    }

    fn evicted(log: &mut String, job: u32, second: u32) {
        writeln!(log, "004 ({job:03}.000.000) {} Job was evicted.\n\t(0) CPU times\n...", at(second)).expect("a text");
    }

    #[test]
    fn a_pool_is_known_by_what_its_slots_do() {
        let mut log = String::new();
        (1..=4).for_each(|job| submitted(&mut log, job, 0));
        starts(&mut log, 1, 10, "slot1_1@ep1");
        starts(&mut log, 2, 12, "slot1_2@ep1");
        ends(&mut log, 1, 40, 0);
        // 3 s on the same slot; the other one is taken away, and is back after 3 + 20 s.
        starts(&mut log, 3, 43, "slot1_1@ep1");
        evicted(&mut log, 2, 52);
        starts(&mut log, 2, 75, "slot1_2@ep1");
        ends(&mut log, 3, 83, 1);
        // Nobody knows from where.
        starts(&mut log, 4, 85, "slot1_3@ep1");
        ends(&mut log, 2, 105, 0);
        ends(&mut log, 4, 115, 0);
        let found = lessons(&log);
        let attempts = vec![(30.0, false), (40.0, true), (40.0, false), (30.0, false), (30.0, false)];
        assert_eq!(found.attempts, attempts);
        assert_eq!((found.overhead, found.away), (Some(3.0), Some(20.0)));
        assert_eq!((found.between(), found.failures()), (Some(170.0), 0.25));
        assert_eq!((found.machines, found.most_at_once), (1, 2));
    }

    #[test]
    fn where_no_job_waits_nothing_is_known_of_the_overhead() {
        let mut log = String::new();
        for job in 1..=3 {
            submitted(&mut log, job, 100 * job);
            starts(&mut log, job, 100 * job + 5, "slot1_1@ep1");
            ends(&mut log, job, 100 * job + 65, 0);
        }
        let found = lessons(&log);
        assert_eq!((found.overhead, found.away, found.between()), (None, None, None));
        assert_eq!(found.seconds(), 180.0);
        assert_eq!(lessons("no event log\n"), Lessons::default());
    }

    #[test]
    fn real_logs_are_learned_from() {
        let logs =
            [include_str!("../../tests/formats/events-23.9.log"), include_str!("../../tests/formats/events-25.14.log")];
        for log in logs {
            let found = lessons(log);
            assert!(found.attempts.len() > 5 && found.between().is_some() && found.machines > 0, "{found:?}");
        }
    }

    #[test]
    fn outliers_do_not_count() {
        let mut times: Vec<f64> = (0..19).map(|_| 2.0).chain([100_000.0]).collect();
        assert_eq!(trimmed_mean(&mut times), Some(2.0));
        assert_eq!(trimmed_mean(&mut []), None);
    }
}
