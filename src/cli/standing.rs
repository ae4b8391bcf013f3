//! Where each chunk of a plan stands, from the event log and from what came back. The queue is not asked.
//!
//! What came back decides first: a chunk is done when valid records cover its items, whoever computed them. Of the others
//! the log says where their jobs are. Only nodes of the plan's own generation count, and of several jobs of one node, as
//! after a rescue, the last.

use std::path::PathBuf;

use serde::Serialize;

use super::archive::Unpacked;
use super::failure::Failure;
use super::reduce;
use crate::folder::Layout;
use crate::plan::{Plan, Word};
use crate::pool::{Dagman, DagmanEnd, EventLog, Exit, History, Hold, Job, LockState, NodeName, State, lock_state};
use crate::record::{Gathered, gather};
use crate::store::StoreError;

/// Where a chunk stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Its items are covered.
    Done,
    /// It has a machine.
    Running,
    /// It waits for one.
    Idle,
    /// Its job is on hold.
    Held,
    /// Its job has left the queue, or it was computed on this machine, and its items are not covered.
    Failed,
    /// It has no job yet.
    Waiting,
}

/// What DAGMan does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DagState {
    /// The plan was never submitted.
    NotSubmitted,
    /// A DAGMan is at work; how that is known.
    AtWork(String),
    /// It ended; `None` where its log does not say how.
    Ended(Option<Exit>),
    /// It was removed.
    Removed,
}

/// What is read, and read again while a DAG is followed.
pub(super) struct Sources {
    pub(super) layout: Layout,
    pub(super) plan: Plan,
    pub(super) log: EventLog,
    pub(super) gathered: Gathered,
    /// The archive that the partials are in, where they were packed.
    pub(super) archive: Option<(PathBuf, Unpacked)>,
    pub(super) dagman: Option<Dagman>,
    pub(super) dag: DagState,
}

/// Where all chunks stand.
pub(super) struct Standing<'a> {
    pub(super) plan: &'a Plan,
    pub(super) history: &'a History,
    /// A place for each chunk.
    pub(super) places: Vec<Place>,
    /// A job for each chunk, by its place in the history.
    jobs: Vec<Option<u32>>,
    /// Chunks with a failure among the records.
    pub(super) failures: Vec<bool>,
    /// The job that merges.
    pub(super) merge: Option<&'a Job>,
    /// The tail, while jobs of it are in the queue.
    pub(super) tail: Option<Tail>,
}

/// The round of the tail that is at work, and where its jobs are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Tail {
    /// The round, from 1.
    pub(super) round: u32,
    /// How many the plan allows.
    pub(super) rounds: u32,
    /// Jobs that have machines.
    pub(super) running: u64,
    /// Jobs that wait for one.
    pub(super) idle: u64,
    /// Jobs that wait for somebody to release them.
    pub(super) held: u64,
}

impl Sources {
    pub(super) fn read(layout: Layout, plan: Plan) -> Result<Self, Failure> {
        let (gathered, archive) = reduce::read_anywhere(&layout, &plan)?;
        let log = EventLog::new(&layout.event_log());
        let mut sources = Self { layout, plan, log, gathered, archive, dagman: None, dag: DagState::NotSubmitted };
        sources.follow()?;
        Ok(sources)
    }

    /// Reads what is new of the logs.
    pub(super) fn follow(&mut self) -> Result<(), Failure> {
        let dag = self.layout.dag();
        // Once items have been tried, the DAG itself cuts the plan anew.
        if self.plan.pacing.probe.is_some() {
            self.plan = reduce::find(self.layout.root())?.1;
        }
        // What is at work is asked first: then all that a DAGMan did before it ended is read.
        let lock = lock_state(&dag);
        self.dagman = Dagman::read(&dag).map_err(StoreError::on("read the log of DAGMan beside", &dag))?;
        self.log.read().map_err(StoreError::on("read", &self.layout.event_log()))?;
        self.dag = match (lock, self.dagman.and_then(|dagman| dagman.end)) {
            (LockState::Live { why, .. }, _) => DagState::AtWork(why),
            (LockState::Free, Some(DagmanEnd::Exited(exit))) => DagState::Ended(exit),
            (LockState::Free, Some(DagmanEnd::Removed)) => DagState::Removed,
            // Somebody may have tidied up what DAGMan left.
            (LockState::Free, None) if self.has_jobs() => DagState::Ended(None),
            (LockState::Free, None) => DagState::NotSubmitted,
        };
        Ok(())
    }

    /// Whether the log tells of jobs of this plan's own generation.
    fn has_jobs(&self) -> bool {
        self.log.history().jobs().iter().any(|job| job.node.chunk_of(self.plan.generation).is_some())
    }

    /// Reads the partials again, without a word.
    pub(super) fn gather(&mut self) -> Result<(), Failure> {
        let outputs = self.layout.outputs();
        self.gathered = gather(outputs, &self.plan, &|_| ()).map_err(StoreError::on("read", outputs))?;
        Ok(())
    }

    pub(super) fn standing(&self) -> Standing<'_> {
        Standing::new(&self.plan, &self.gathered, self.log.history(), self.dagman, self.is_at_work())
    }

    pub(super) fn is_at_work(&self) -> bool {
        matches!(self.dag, DagState::AtWork(_))
    }

    /// How to submit the plan.
    pub(super) fn submit(&self) -> String {
        match self.root().as_str() {
            "." => "condor_submit_dag plan.dag".to_owned(),
            root => format!("cd {root} && condor_submit_dag plan.dag"),
        }
    }

    /// How to submit what is missing, once no DAGMan is at work. A DAG that failed goes on where it was, and its tail cuts what
    /// is missing.
    pub(super) fn submit_again(&self) -> String {
        let submit = self.submit();
        match self.dag {
            DagState::Ended(Some(Exit::Code(code))) if code != 0 && self.plan.tail_rounds > 0 => submit,
            _ if self.root() == "." => format!("split resume && {submit}"),
            _ => format!("split resume {} && {submit}", self.root()),
        }
    }

    /// The plan's folder, as one types it.
    pub(super) fn root(&self) -> String {
        let root = self.layout.root().as_os_str().to_owned();
        if root.is_empty() { ".".to_owned() } else { Word::from(root).quoted() }
    }

    /// A file of the plan's folder, as it is named to people.
    pub(super) fn shown(&self, name: &str) -> String {
        let root = self.layout.root();
        let path = if root.as_os_str() == "." { PathBuf::from(name) } else { root.join(name) };
        path.display().to_string()
    }
}

impl<'a> Standing<'a> {
    fn new(plan: &'a Plan, gathered: &Gathered, history: &'a History, dagman: Option<Dagman>, at_work: bool) -> Self {
        let jobs = last_jobs(plan, history);
        let mut merge = None;
        let mut tail: Option<Tail> = None;
        for job in history.jobs() {
            match job.node {
                NodeName::Piece { round, generation, .. } if generation == plan.generation && job.is_live() => {
                    let tail = match &mut tail {
                        Some(tail) if tail.round == round => tail,
                        tail => tail.insert(Tail { round, rounds: plan.tail_rounds, running: 0, idle: 0, held: 0 }),
                    };
                    match job.state {
                        State::Running(_) => tail.running += 1,
                        State::Held { .. } => tail.held += 1,
                        _ => tail.idle += 1,
                    }
                }
                NodeName::Merge { generation } if generation == plan.generation => merge = Some(job),
                _ => {}
            }
        }
        let mut failures = vec![false; jobs.len()];
        for found in &gathered.failures {
            let (first, last) = chunks_of(plan, found.record.header.items);
            failures.get_mut(first..=last).into_iter().flatten().for_each(|failed| *failed = true);
        }
        // What an earlier DAGMan left undone the one at work has still to submit.
        let is_of_before = |job: &Job| at_work && dagman.is_some_and(|dagman| job.changed < dagman.submitted);
        let tries = plan.pacing.probe.is_some() && at_work;
        let place = |(chunk, job): (usize, &Option<u32>)| {
            if gathered.tiling.covers(plan.chunk(chunk as u64)) {
                return Place::Done;
            }
            match job.map(|job| &history.jobs()[job as usize]) {
                Some(Job { state: State::Running(_), .. }) => Place::Running,
                Some(Job { state: State::Idle, .. }) => Place::Idle,
                Some(Job { state: State::Held { .. }, .. }) => Place::Held,
                Some(job) if is_of_before(job) => Place::Waiting,
                // The next segment's job is still to come.
                Some(Job { state: State::Ended(Some(Exit::Code(0))), node: NodeName::Segment { .. }, .. }) => {
                    Place::Waiting
                }
                // It has tried some of the items; the others are still to be cut.
                Some(Job { state: State::Ended(Some(Exit::Code(0))), .. }) if tries => Place::Waiting,
                Some(_) => Place::Failed,
                None if failures[chunk] && !at_work => Place::Failed,
                None => Place::Waiting,
            }
        };
        let places = jobs.iter().enumerate().map(place).collect();
        let merge = merge.filter(|job| !is_of_before(job));
        Self { plan, history, places, jobs, failures, merge, tail }
    }

    /// The last job of a chunk.
    pub(super) fn job(&self, chunk: usize) -> Option<&'a Job> {
        self.jobs[chunk].map(|job| &self.history.jobs()[job as usize])
    }

    /// How many chunks stand there.
    pub(super) fn count(&self, place: Place) -> u64 {
        self.places.iter().filter(|&&found| found == place).count() as u64
    }

    /// The chunks that stand there.
    pub(super) fn chunks(&self, place: Place) -> impl Iterator<Item = usize> {
        self.places.iter().enumerate().filter(move |&(_, &found)| found == place).map(|(chunk, _)| chunk)
    }
}

/// The job that tells where a chunk stands, for each chunk, by its place in the history.
pub(super) fn last_jobs(plan: &Plan, history: &History) -> Vec<Option<u32>> {
    // Of several pieces of a chunk one that is in the queue tells where the chunk stands.
    let liveness = |job: &Job| match job.state {
        State::Running(_) => 3,
        State::Idle => 2,
        State::Held { .. } => 1,
        State::Ended(_) | State::Removed(_) => 0,
    };
    // Of those of one round that have left the queue, one that was removed tells what is missing.
    let tells = |before: &Job, job: &Job| match (&before.node, &job.node) {
        (NodeName::Piece { round: one, .. }, NodeName::Piece { round, .. }) => {
            one == round && before.node != job.node && why_held_or_removed(before).is_some()
        }
        _ => false,
    };
    let mut jobs: Vec<Option<u32>> = vec![None; usize::try_from(plan.cut.chunks()).unwrap_or(usize::MAX)];
    for (place, job) in (0u32..).zip(history.jobs()) {
        let chunk = job.node.chunk_of(plan.generation);
        let Some(entry) = chunk.and_then(|chunk| jobs.get_mut(usize::try_from(chunk).ok()?)) else { continue };
        let replaces = entry.map(|place| &history.jobs()[place as usize]).is_none_or(|before| {
            let (was, is) = (liveness(before), liveness(job));
            was < is || (was == is && (is > 0 || !tells(before, job)))
        });
        if replaces {
            *entry = Some(place);
        }
    }
    jobs
}

/// What HTCondor says of a job that is on hold, or was removed; none of others.
pub(super) fn why_held_or_removed(job: &Job) -> Option<String> {
    match &job.state {
        State::Held { hold, .. } => Some(why_held(hold)),
        State::Removed(who) => Some(match &job.removed_from {
            Some(hold) => format!("{}; it was not released, and removed", why_held(hold)),
            None if who.is_empty() => "removed".to_owned(),
            None => format!("removed: {who}"),
        }),
        State::Idle | State::Running(_) | State::Ended(_) => None,
    }
}

/// Why a job is on hold, as HTCondor says.
fn why_held(hold: &Hold) -> String {
    let reason = if hold.reason.is_empty() { "HTCondor does not say why" } else { &hold.reason };
    format!("held: {reason} (code {}, subcode {})", hold.code, hold.subcode)
}

/// The chunks that hold some of `items`, which may be of a damaged record and lie outside of the plan.
pub(super) fn chunks_of(plan: &Plan, items: crate::space::Interval) -> (usize, usize) {
    let whole = crate::space::Interval::new(0, plan.space.count());
    match whole.and_then(|whole| whole.intersect(items)) {
        Some(items) => {
            let (first, last) = plan.chunks_of(items);
            (usize::try_from(first).unwrap_or(usize::MAX), usize::try_from(last).unwrap_or(usize::MAX))
        }
        // Of no chunk at all: an empty range.
        None => (1, 0),
    }
}
