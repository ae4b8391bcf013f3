//! What became of the jobs that an event log tells of.
//!
//! The invariant: what is kept grows with the jobs, not with the events; a job that ended well keeps its last attempt alone.
//!
//! An attempt is the time for which a job has a machine. It starts when the transfer of its input files starts (event 040),
//! or where nothing is transferred when it executes (001), and ends with one of many events. HTCondor's own
//! `RemoteWallClockTime` counts the same. A shadow that dies by itself writes no event at all: then the next attempt's
//! start shows that there was an end.

use std::collections::HashMap;

use super::event::{Event, Exit, Hold, JobId, Used, shown};
use super::moment::{DAY, Moment};
use super::node_name::NodeName;
use super::pulse::Pulse;

/// So many attempts of a job are kept, the last ones; all are counted.
const KEPT_ATTEMPTS: usize = 12;

/// Attempts' wall clock, in seconds, and how many they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// How many attempts.
    pub attempts: u64,
    /// How long all of them had a machine, in seconds, less what they had carried back.
    pub seconds: u64,
}

/// Why an attempt brought no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// The machine was taken away.
    Evicted,
    /// The job ended by itself, with an exit code other than 0 or by a signal.
    Failed,
    /// The job was put on hold.
    Held,
    /// The job was removed.
    Removed,
    /// HTCondor lost the machine out of sight, or its own process that watched over the job.
    Lost,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// By itself.
    Exited(Exit),
    /// Without having ended.
    Gone(Loss),
}

/// A job that had a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it got the machine, in seconds of the log's clock.
    pub start: i64,
    /// When it had it no more.
    pub end: i64,
    /// For how many of these seconds what was computed had been carried back before the end came.
    pub kept: u32,
    /// The machine; [`History::host`] knows its name.
    pub host: Option<Host>,
    /// How it ended.
    pub outcome: Outcome,
}

/// A machine, by its place in [`History::hosts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host(u32);

/// What is known of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostTally {
    /// Its name.
    pub name: Box<str>,
    /// How many attempts have ended there.
    pub attempts: u64,
    /// How many of them failed or were lost. What was evicted, held or removed is no fault of the machine's.
    pub failures: u64,
}

/// An attempt that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// When it got the machine, in seconds of the log's clock.
    pub start: i64,
    /// The machine.
    pub host: Option<Host>,
    /// Whether the program has started; before that its files are on their way.
    pub executes: bool,
    /// Whether HTCondor has lost the machine out of sight, and tries to find it again.
    pub disconnected: bool,
    /// Whether the machine has stopped the job for the time being.
    pub suspended: bool,
    /// Until when what was computed has been carried back (a job that checkpoints itself).
    carried: Option<i64>,
}

/// Where a job is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It waits for a machine.
    Idle,
    /// It has one.
    Running(Open),
    /// It waits for somebody to release it.
    Held {
        /// Since when, in seconds of the log's clock.
        since: i64,
        /// Why.
        hold: Box<Hold>,
    },
    /// It has left the queue by itself; `None` where the log does not say how.
    Ended(Option<Exit>),
    /// It was removed; by whom.
    Removed(Box<str>),
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its numbers.
    pub id: JobId,
    /// The DAG's node.
    pub node: NodeName,
    /// When it was submitted, in seconds of the log's clock.
    pub submitted: i64,
    /// When its state last became another.
    pub changed: i64,
    /// Where it is.
    pub state: State,
    /// What it was on hold for when it was removed.
    pub removed_from: Option<Box<Hold>>,
    /// How many attempts have ended.
    pub attempts: u32,
    /// For how many seconds of those that brought no result what was computed had been carried back.
    pub kept: u32,
    /// The last of them, at most twelve, in their order. Of a job that ended well there is one.
    pub past: Vec<Attempt>,
}

/// What became of the jobs of a log. Jobs that merge are among the jobs, and count nowhere else.
#[derive(Clone, Debug, Default)]
pub struct History {
    jobs: Vec<Job>,
    places: HashMap<JobId, usize>,
    used: Used,
    hosts: Vec<HostTally>,
    host_places: HashMap<Box<str>, Host>,
    good: Spent,
    bad: [Spent; Loss::ALL.len()],
    pulse: Pulse,
    now: i64,
    /// How many years a log without years has told of, in seconds.
    years: i64,
    events: u64,
}

impl Loss {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Evicted, Self::Failed, Self::Held, Self::Removed, Self::Lost];
}

impl Attempt {
    /// How long it had a machine, in seconds.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        between(self.start, self.end)
    }

    fn loss(&self) -> Option<Loss> {
        match self.outcome {
            Outcome::Exited(Exit::Code(0)) => None,
            Outcome::Exited(_) => Some(Loss::Failed),
            Outcome::Gone(loss) => Some(loss),
        }
    }
}

impl Job {
    /// The attempt that is at work.
    #[must_use]
    pub fn open(&self) -> Option<&Open> {
        match &self.state {
            State::Running(open) => Some(open),
            _ => None,
        }
    }

    /// Whether it is in the queue.
    #[must_use]
    pub fn is_live(&self) -> bool {
        !matches!(self.state, State::Ended(_) | State::Removed(_))
    }

    /// Whether it computes; one that merges does not.
    pub(super) fn counts(&self) -> bool {
        !matches!(self.node, NodeName::Merge { .. } | NodeName::Group { .. })
    }
}

impl History {
    /// The jobs, in the order of their submission.
    #[must_use]
    pub fn jobs(&self) -> &[Job] {
        &self.jobs
    }

    /// The machines, in the order in which the log names them.
    #[must_use]
    pub fn hosts(&self) -> &[HostTally] {
        &self.hosts
    }

    /// The name of a machine.
    #[must_use]
    pub fn host(&self, host: Option<Host>) -> Option<&str> {
        self.hosts.get(host?.0 as usize).map(|tally| &*tally.name)
    }

    /// Attempts that ended with exit code 0, and what others had carried back before they were taken away.
    #[must_use]
    pub fn good(&self) -> Spent {
        self.good
    }

    /// Attempts that ended without a result for this reason.
    #[must_use]
    pub fn bad(&self, loss: Loss) -> Spent {
        self.bad[loss as usize]
    }

    /// The most that any job was seen to use.
    #[must_use]
    pub fn used(&self) -> Used {
        self.used
    }

    /// How many attempts run side by side while others wait: the average of the recent past; `None` where none has waited.
    #[must_use]
    pub fn side_by_side(&self) -> Option<f64> {
        self.pulse.average()
    }

    /// The time of the last event, in seconds of the log's clock.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.now
    }

    /// How many events there were.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The job of these numbers.
    pub(super) fn job(&self, id: JobId) -> Option<&Job> {
        self.places.get(&id).map(|place| &self.jobs[*place])
    }

    /// How many jobs wait for a machine.
    pub(super) fn waiting(&self) -> u64 {
        self.pulse.idle
    }

    /// Takes the next event.
    pub(super) fn take(&mut self, event: &Event<'_>) {
        self.events += 1;
        self.now = self.time(event.time);
        self.pulse.advance(self.now, self.memory());
        if matches!(event.code, 4..=6)
            && self.job(event.job).is_some_and(|job| job.counts() && job.node != NodeName::Other)
        {
            self.used = self.used.most(event.used());
        }
        match event.code {
            0 => self.submitted(event),
            // Nothing of a job's state is in these: image sizes, and what the shadow notes on the way.
            6 | 21 | 28 => {}
            _ => {
                let job = self.place(event.job);
                self.happened(job, event);
            }
        }
    }

    fn time(&mut self, moment: Option<Moment>) -> i64 {
        /// A log that goes back by so much has come to the next year.
        const HALF_A_YEAR: i64 = 180 * DAY;
        const YEAR: i64 = 366 * DAY;
        match moment {
            None => self.now,
            Some(Moment { seconds, has_year: true }) => seconds,
            Some(Moment { seconds, has_year: false }) => {
                if self.events > 1 && seconds + self.years < self.now - HALF_A_YEAR {
                    self.years += YEAR;
                }
                seconds + self.years
            }
        }
    }

    /// How far back the number of jobs side by side is looked at, in seconds: two chunks long.
    fn memory(&self) -> f64 {
        let typical = if self.good.attempts == 0 { 30.0 } else { self.good.seconds as f64 / self.good.attempts as f64 };
        (2.0 * typical).clamp(10.0, 3600.0)
    }

    /// The place of a job, which may be one whose submission the log does not tell of.
    fn place(&mut self, id: JobId) -> usize {
        match self.places.get(&id) {
            Some(&place) => place,
            None => self.add(id, NodeName::Other),
        }
    }

    fn add(&mut self, id: JobId, node: NodeName) -> usize {
        let (submitted, changed) = (self.now, self.now);
        let job = Job {
            id,
            node,
            submitted,
            changed,
            state: State::Idle,
            removed_from: None,
            attempts: 0,
            kept: 0,
            past: Vec::new(),
        };
        self.pulse.idle += u64::from(job.counts());
        self.jobs.push(job);
        self.places.insert(id, self.jobs.len() - 1);
        self.jobs.len() - 1
    }

    fn submitted(&mut self, event: &Event<'_>) {
        // Numbers start afresh where an access point is set up anew: then the older job is gone.
        if let Some(&place) = self.places.get(&event.job)
            && self.jobs[place].is_live()
        {
            self.close(place, Outcome::Gone(Loss::Lost));
            self.set(place, State::Ended(None));
        }
        self.add(event.job, event.node().map_or(NodeName::Other, NodeName::parse));
    }

    fn happened(&mut self, job: usize, event: &Event<'_>) {
        match event.code {
            1 => {
                let host = self.host_of(event);
                match self.jobs[job].open().copied() {
                    Some(open) if !open.executes => {
                        let host = host.or(open.host);
                        self.set_open(job, |now| *now = Open { executes: true, host, ..open });
                    }
                    _ => self.start(job, host, true),
                }
            }
            40 if event.title == b"Started transferring input files" => {
                let host = self.host_of(event);
                self.start(job, host, false);
            }
            // A checkpoint; since HTCondor 8.9 the transfer of a job's own checkpoint stands for it.
            3 | 40 if event.code == 3 || event.title == b"Finished transferring output files" => {
                let now = self.now;
                self.set_open(job, |open| open.carried = Some(now));
            }
            4 if event.says("Job terminated and was requeued") => {
                self.close(job, event.exit().map_or(Outcome::Gone(Loss::Failed), Outcome::Exited));
                self.set(job, State::Idle);
            }
            4 => self.leave(job, Loss::Evicted),
            7 | 24 => self.leave(job, Loss::Lost),
            5 => {
                let exit = event.exit();
                self.close(job, exit.map_or(Outcome::Gone(Loss::Failed), Outcome::Exited));
                if exit == Some(Exit::Code(0)) {
                    let past = &mut self.jobs[job].past;
                    past.drain(..past.len().saturating_sub(1));
                    past.shrink_to_fit();
                }
                self.set(job, State::Ended(exit));
            }
            9 => {
                self.close_by(job, Loss::Removed);
                if let State::Held { hold, .. } = &self.jobs[job].state {
                    self.jobs[job].removed_from = Some(hold.clone());
                }
                self.set(job, State::Removed(event.reason().into()));
            }
            12 => {
                self.close_by(job, Loss::Held);
                self.set(job, State::Held { since: self.now, hold: Box::new(event.hold()) });
            }
            13 if matches!(self.jobs[job].state, State::Held { .. }) => self.set(job, State::Idle),
            10 => self.set_open(job, |open| open.suspended = true),
            11 => self.set_open(job, |open| open.suspended = false),
            22 => self.set_open(job, |open| open.disconnected = true),
            23 => self.set_open(job, |open| open.disconnected = false),
            _ => {}
        }
    }

    /// A job has a machine.
    fn start(&mut self, job: usize, host: Option<Host>, executes: bool) {
        // Whatever had one before went without a word.
        self.close(job, Outcome::Gone(Loss::Lost));
        let start = self.now;
        let open = Open { start, host, executes, disconnected: false, suspended: false, carried: None };
        self.set(job, State::Running(open));
    }

    /// A job's attempt has ended, and the job waits again.
    fn leave(&mut self, job: usize, loss: Loss) {
        // Several events may tell of one end: what is no more running is as the first of them said.
        if self.jobs[job].open().is_some() {
            self.close(job, Outcome::Gone(loss));
            self.set(job, State::Idle);
        }
    }

    /// A job was put on hold or removed: the eviction that comes just before is a part of that.
    fn close_by(&mut self, job: usize, loss: Loss) {
        if self.jobs[job].open().is_some() {
            self.close(job, Outcome::Gone(loss));
            return;
        }
        let now = self.now;
        let found = &mut self.jobs[job];
        let is_idle = found.state == State::Idle;
        if let Some(last) = found.past.last_mut()
            && is_idle
            && last.outcome == Outcome::Gone(Loss::Evicted)
            && now.saturating_sub(last.end) <= 1
        {
            last.outcome = Outcome::Gone(loss);
            let seconds = last.seconds().saturating_sub(last.kept.into());
            if found.counts() {
                let evicted = &mut self.bad[Loss::Evicted as usize];
                evicted.attempts = evicted.attempts.saturating_sub(1);
                evicted.seconds = evicted.seconds.saturating_sub(seconds);
                self.bad[loss as usize].add(seconds);
            }
        }
    }

    /// Ends the attempt that is at work, if there is one.
    fn close(&mut self, job: usize, outcome: Outcome) {
        let end = self.now;
        let found = &mut self.jobs[job];
        let State::Running(open) = found.state else { return };
        let carried = match outcome {
            Outcome::Gone(_) => open.carried.map_or(0, |carried| between(open.start, carried)),
            // What a job that fails brings back says why it failed.
            Outcome::Exited(_) => 0,
        };
        let kept = u32::try_from(carried.min(between(open.start, end))).unwrap_or(u32::MAX);
        let attempt = Attempt { start: open.start, end, kept, host: open.host, outcome };
        found.attempts = found.attempts.saturating_add(1);
        found.kept = found.kept.saturating_add(kept);
        if found.past.len() == KEPT_ATTEMPTS {
            found.past.remove(0);
        }
        found.past.push(attempt);
        if !found.counts() {
            return;
        }
        let lost = attempt.seconds().saturating_sub(kept.into());
        match attempt.loss() {
            None => self.good.add(lost),
            Some(loss) => {
                self.good.seconds = self.good.seconds.saturating_add(kept.into());
                self.bad[loss as usize].add(lost);
            }
        }
        if let Some(tally) = open.host.and_then(|host| self.hosts.get_mut(host.0 as usize)) {
            tally.attempts += 1;
            tally.failures += u64::from(matches!(attempt.loss(), Some(Loss::Failed | Loss::Lost)));
        }
    }

    fn set(&mut self, job: usize, state: State) {
        let found = &mut self.jobs[job];
        if found.counts() {
            let counter =
                |state: &State| (u64::from(*state == State::Idle), u64::from(matches!(state, State::Running(_))));
            let ((idle, running), (idle_now, running_now)) = (counter(&found.state), counter(&state));
            self.pulse.idle = self.pulse.idle + idle_now - idle;
            self.pulse.running = self.pulse.running + running_now - running;
        }
        found.state = state;
        found.changed = self.now;
    }

    fn set_open(&mut self, job: usize, change: impl FnOnce(&mut Open)) {
        if let State::Running(open) = &mut self.jobs[job].state {
            change(open);
        }
    }

    fn host_of(&mut self, event: &Event<'_>) -> Option<Host> {
        let name = event.host()?;
        if let Ok(name) = std::str::from_utf8(name)
            && let Some(&host) = self.host_places.get(name)
        {
            return Some(host);
        }
        let name: Box<str> = shown(name).into();
        let host = Host(u32::try_from(self.hosts.len()).ok()?);
        let host = *self.host_places.entry(name.clone()).or_insert(host);
        if host.0 as usize == self.hosts.len() {
            self.hosts.push(HostTally { name, attempts: 0, failures: 0 });
        }
        Some(host)
    }
}

impl Spent {
    fn add(&mut self, seconds: u64) {
        self.attempts = self.attempts.saturating_add(1);
        self.seconds = self.seconds.saturating_add(seconds);
    }
}

/// Seconds from `start` to `end`; 0 where the clock was set back.
fn between(start: i64, end: i64) -> u64 {
    u64::try_from(end.saturating_sub(start)).unwrap_or(0)
}
