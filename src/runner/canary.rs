//! Whether failures show that the program is broken, and not a machine or a chunk.
//!
//! The chunks that start first are a canary: where they all fail the same way, on several machines, and nothing has a
//! result, so will all others, and every further attempt would be spent in vain. One machine proves nothing: on a
//! black hole every job fails at once, so that it is free again at once and takes a large share of all jobs.
//!
//! Invariants: the order in which attempts are told does not matter; a single result, or a second way to fail, and the
//! program is not called broken; nor is it by one machine, but where that is all there is.

use std::collections::{BTreeMap, BTreeSet};

use crate::record::Cause;
use crate::space::Interval;

/// So many chunks must have failed where the plan does not say, or all chunks of a plan with fewer.
const CHUNKS: u64 = 10;
/// On so many machines the program must have failed.
const HOSTS: usize = 3;
/// On a pool of two machines, so many attempts must have failed.
const ATTEMPTS_ON_TWO: usize = 20;
/// On a pool that is this machine alone, so many attempts must have failed.
const ATTEMPTS_HERE: usize = 10;
/// So many machines are named; the rest is counted.
const NAMED: usize = 10;

/// How a program failed, but for what it said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// With this exit code.
    ExitCode(i32),
    /// By this signal.
    Signal(i32),
    /// Without a result.
    NoResult,
    /// With a result that the reducer does not take.
    BadResult,
    /// Without a file that it has to leave.
    Missing,
    /// Before it started.
    NotStarted,
    /// In its set-up.
    Setup,
    /// It took too long.
    TimedOut,
    /// It wanted more memory than there was.
    OutOfMemory,
}

impl Way {
    /// The way that a cause tells of; none where it was the machine's fault.
    #[must_use]
    pub fn of(cause: &Cause) -> Option<Self> {
        match cause {
            Cause::ExitCode(code) => Some(Self::ExitCode(*code)),
            Cause::Signal(signal) => Some(Self::Signal(*signal)),
            Cause::NoResult => Some(Self::NoResult),
            Cause::BadResult { .. } => Some(Self::BadResult),
            Cause::Missing(_) => Some(Self::Missing),
            Cause::NotStarted(_) => Some(Self::NotStarted),
            Cause::Setup(_) => Some(Self::Setup),
            Cause::TimedOut(_) => Some(Self::TimedOut),
            Cause::OutOfMemory(_) => Some(Self::OutOfMemory),
            Cause::OverBudget(_) | Cause::OutOfDisk(_) | Cause::Machine(_) => None,
        }
    }

    /// So many chunks must have failed this way where the plan does not say. What cannot be started is not started for another
    /// chunk either.
    fn chunks(self) -> u64 {
        if self == Self::NotStarted { 1 } else { CHUNKS }
    }
}

/// The failures of one way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// How many attempts failed.
    pub attempts: usize,
    /// The items that they were to compute: one interval a chunk.
    pub chunks: BTreeSet<Interval>,
    /// The machines that they failed on.
    pub hosts: BTreeSet<String>,
}

/// What is known of a plan's attempts.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How many chunks show that the program is broken, whatever the way; 0 for no number of them. Where it is not said, that
    /// depends on the way.
    halt: Option<u64>,
    result: bool,
    ways: BTreeMap<Way, Failures>,
}

impl Tally {
    /// Nothing is known yet. So many chunks must fail, 0 for never; `None` for the usual number.
    #[must_use]
    pub fn new(halt: Option<u64>) -> Self {
        Self { halt, ..Self::default() }
    }

    /// There is a result: the program works.
    pub fn add_result(&mut self) {
        self.result = true;
    }

    /// `attempts` attempts at `items` failed on the machine `host`. What was the machine's fault does not count.
    pub fn add_failure(&mut self, cause: &Cause, items: Interval, host: &str, attempts: usize) {
        let Some(way) = Way::of(cause) else { return };
        let failures = self.ways.entry(way).or_default();
        failures.attempts += attempts;
        failures.chunks.insert(items);
        failures.hosts.insert(host.to_owned());
    }

    /// Whether nothing that is still to come can show that the program is broken.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.result || self.ways.len() > 1
    }

    /// The way in which a program fails that is broken, in a plan of `chunks` chunks; `here` is this machine's name.
    #[must_use]
    pub fn broken(&self, chunks: u64, here: &str) -> Option<(Way, &Failures)> {
        let (way, failures) = self.alike(chunks)?;
        let Failures { attempts, hosts, .. } = failures;
        let halt = usize::try_from(self.halt.unwrap_or(CHUNKS)).unwrap_or(usize::MAX);
        let only_here = hosts.iter().all(|host| short(host) == short(here));
        let machines = hosts.len() >= HOSTS
            || (hosts.len() == 2 && *attempts >= ATTEMPTS_ON_TWO.min(halt.saturating_mul(2)))
            || (only_here && *attempts >= ATTEMPTS_HERE.min(halt));
        machines.then_some((way, failures))
    }

    /// The same where there is no machine but this one, so that no second is asked.
    #[must_use]
    pub fn broken_here(&self, chunks: u64) -> Option<&Failures> {
        self.alike(chunks).map(|(_, failures)| failures)
    }

    /// The failures, where nothing but failures of one way is known, and enough chunks failed so.
    fn alike(&self, chunks: u64) -> Option<(Way, &Failures)> {
        let (way, failures) = self.ways.first_key_value().filter(|_| !self.is_settled())?;
        let halt = self.halt.unwrap_or(way.chunks());
        (halt > 0 && failures.chunks.len() as u64 >= halt.min(chunks)).then_some((*way, failures))
    }
}

impl Failures {
    /// `30 attempts at 10 chunks, on ep1, ep2, ep3`
    #[must_use]
    pub fn count(&self) -> String {
        let plural = |number: usize| if number == 1 { "" } else { "s" };
        let (attempts, chunks) = (self.attempts, self.chunks.len());
        let named: Vec<_> = self.hosts.iter().take(NAMED).map(String::as_str).collect();
        let more = match self.hosts.len() - named.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let hosts = named.join(", ");
        format!("{attempts} attempt{} at {chunks} chunk{}, on {hosts}{more}", plural(attempts), plural(chunks))
    }
}

/// A machine's name without its domain, which its system may know otherwise than the pool.
fn short(host: &str) -> &str {
    host.split('.').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chunk(number: u128) -> Interval {
        Interval::new(number, number + 1).expect("not empty")
    }

    /// An attempt: its cause (none for a result), chunk and machine.
    type Attempt = (Option<Cause>, u8, u8);

    fn tally(attempts: &[Attempt]) -> Tally {
        let mut tally = Tally::default();
        for (cause, number, host) in attempts {
            match cause {
                Some(cause) => tally.add_failure(cause, chunk((*number).into()), &format!("ep{host}.example.org"), 1),
                None => tally.add_result(),
            }
        }
        tally
    }

    fn broken(tally: &Tally) -> Option<Way> {
        tally.broken(200, "ap").map(|(way, _)| way)
    }

    fn exit(code: i32) -> Option<Cause> {
        Some(Cause::ExitCode(code))
    }

    /// Attempt number n is at chunk n, on machine n modulo `hosts`.
    fn spread(cause: &Option<Cause>, attempts: u8, hosts: u8) -> Vec<Attempt> {
        (0..attempts).map(|number| (cause.clone(), number, number % hosts)).collect()
    }

    #[test]
    fn ten_chunks_on_three_machines_show_a_broken_program() {
        for (cause, way) in [
            (exit(1), Way::ExitCode(1)),
            (Some(Cause::Signal(9)), Way::Signal(9)),
            (Some(Cause::NoResult), Way::NoResult),
            (Some(Cause::Missing("out.dat".to_owned())), Way::Missing),
            (Some(Cause::Setup("why".to_owned())), Way::Setup),
        ] {
            assert_eq!(broken(&tally(&spread(&cause, 9, 3))), None);
            assert_eq!(broken(&tally(&spread(&cause, 10, 3))), Some(way));
        }
        let same_chunks: Vec<_> = (0..50).map(|number| (exit(1), number % 9, number % 5)).collect();
        assert_eq!(broken(&tally(&same_chunks)), None, "nine chunks may all be hard");
    }

    #[test]
    fn on_two_machines_it_takes_twenty_attempts() {
        assert_eq!(broken(&tally(&spread(&exit(1), 19, 2))), None);
        assert_eq!(broken(&tally(&spread(&exit(1), 20, 2))), Some(Way::ExitCode(1)));
    }

    #[test]
    fn a_pool_of_one_machine_stops_after_ten() {
        let tally = |attempts| tally(&spread(&exit(1), attempts, 1));
        assert_eq!(tally(9).broken(200, "ep0"), None);
        assert!(tally(10).broken(200, "ep0").is_some(), "its system may know it without a domain");
        assert!(tally(10).broken(200, "ep0.elsewhere").is_some());
    }

    #[test]
    fn a_small_plan_is_judged_by_all_of_its_chunks() {
        let attempts = spread(&exit(1), 3, 3);
        assert!(tally(&attempts).broken(3, "ap").is_some());
        assert_eq!(tally(&attempts[..2]).broken(3, "ap"), None);
        assert_eq!(tally(&attempts).broken(4, "ap"), None);
    }

    #[test]
    fn what_cannot_be_started_takes_no_ten_chunks() {
        let cause = Some(Cause::NotStarted("no such file".to_owned()));
        let at_one_chunk: Vec<_> = (0..3).map(|host| (cause.clone(), 0, host)).collect();
        assert_eq!(broken(&tally(&at_one_chunk[..2])), None);
        assert_eq!(broken(&tally(&at_one_chunk)), Some(Way::NotStarted));
    }

    #[test]
    fn a_plan_may_say_how_many_chunks() {
        let broken = |halt, attempts: &[Attempt]| {
            let found = Tally { halt: Some(halt), ..tally(attempts) };
            broken(&found).is_some() || found.broken_here(200).is_some()
        };
        let failures = |number| spread(&exit(1), number, 3);
        assert!(broken(3, &failures(3)) && !broken(3, &failures(2)));
        assert!(broken(25, &failures(25)) && !broken(25, &failures(24)));
        assert!(!broken(0, &failures(100)), "never");
        assert!(!broken(0, &spread(&Some(Cause::NotStarted("why".to_owned())), 20, 4)));
        let starts_nowhere = |number| spread(&Some(Cause::NotStarted("why".to_owned())), number, 3);
        assert!(broken(25, &starts_nowhere(25)) && !broken(25, &starts_nowhere(24)), "also where it cannot start");
        assert!(broken(2, &starts_nowhere(2)) && !broken(2, &starts_nowhere(1)));
        let here = Tally { halt: Some(3), ..tally(&spread(&exit(1), 3, 1)) };
        assert!(here.broken(200, "ep0").is_some(), "a pool of one machine");
    }

    #[test]
    fn a_second_way_to_fail_is_no_case_for_a_canary() {
        let mut attempts = spread(&exit(1), 30, 5);
        attempts.push((exit(2), 7, 1));
        assert_eq!(broken(&tally(&attempts)), None);
    }

    #[test]
    fn a_machine_at_fault_counts_neither_way() {
        let machine = |number| (Some(Cause::Machine("no space left".to_owned())), number, number);
        let mut attempts = spread(&exit(1), 9, 3);
        attempts.extend((0..20).map(machine));
        assert_eq!(broken(&tally(&attempts)), None);
        attempts.push((exit(1), 9, 0));
        assert_eq!(broken(&tally(&attempts)), Some(Way::ExitCode(1)));
        assert_eq!(broken(&tally(&attempts[9..29])), None);
    }

    #[test]
    fn attempts_chunks_and_machines_are_counted() {
        let count = |attempts: &[Attempt]| tally(attempts).ways[&Way::ExitCode(1)].count();
        assert_eq!(count(&spread(&exit(1), 1, 1)), "1 attempt at 1 chunk, on ep0.example.org");
        let long = count(&spread(&exit(1), 24, 12));
        assert!(long.starts_with("24 attempts at 24 chunks, on ep0.example.org, ep1.example.org, "), "{long}");
        assert!(long.ends_with(" and 2 more"), "{long}");
    }

    fn attempts_of(cause: impl Strategy<Value = Option<Cause>>) -> impl Strategy<Value = Vec<Attempt>> {
        prop::collection::vec((cause, 0..30_u8, 0..6_u8), 0..60)
    }

    /// Failures of one way, and some that were the machine's fault.
    fn one_way() -> impl Strategy<Value = Vec<Attempt>> {
        attempts_of(prop_oneof![8 => Just(exit(1)), 2 => Just(Some(Cause::Machine("why".to_owned())))])
    }

    fn any_attempts() -> impl Strategy<Value = Vec<Attempt>> {
        let not_started = Just(Some(Cause::NotStarted("why".to_owned())));
        prop_oneof![one_way(), attempts_of(prop_oneof![8 => Just(exit(1)), 1 => Just(exit(2)), 1 => not_started])]
    }

    proptest! {
        #[test]
        fn the_order_does_not_matter(attempts in any_attempts().prop_shuffle(), chunks in 1..40_u64) {
            let mut sorted = attempts.clone();
            sorted.sort_by_key(|attempt| format!("{attempt:?}"));
            let (one, other) = (tally(&attempts), tally(&sorted));
            prop_assert_eq!(one.broken(chunks, "ap"), other.broken(chunks, "ap"));
        }

        #[test]
        fn a_result_never_stops(attempts in any_attempts(), at in any::<prop::sample::Index>(), chunks in 1..40_u64) {
            let mut with = attempts.clone();
            with.insert(at.index(attempts.len() + 1), (None, 0, 0));
            prop_assert!(tally(&with).broken(chunks, "ep0").is_none());
        }

        #[test]
        fn one_machine_never_stops_but_where_it_is_all_there_is(
            mut attempts in any_attempts(),
            host in 0..6_u8,
            chunks in 1..40_u64,
        ) {
            for attempt in &mut attempts {
                attempt.2 = host;
            }
            prop_assert!(tally(&attempts).broken(chunks, "ap").is_none());
        }

        #[test]
        fn more_of_the_same_acquits_nobody(attempts in one_way(), more in one_way(), chunks in 1..40_u64) {
            let both = [&attempts[..], &more[..]].concat();
            prop_assert!(tally(&attempts).broken(chunks, "ap").is_none() || tally(&both).broken(chunks, "ap").is_some());
        }
    }
}
