//! Workers, each taking the next items that have no record.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::tree::{self, OwnFolder};
use crate::chain::{self, Check, Line, SetAside};
use crate::folder::Layout;
use crate::inputs::{Copies, code_that_arrived};
use crate::plan::{CHECKPOINTS, Identity, Job, Pacing, Plan, Shards};
use crate::record::{Cause, Gathered};
use crate::rows;
use crate::runner::{Attempt, Base, Checkpoints, Failures, Leg, Outcome, Place, RunError, Running, Tally};
use crate::space::{Interval, Rows};
use crate::store::StoreError;

/// How to run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many programs run side by side; at least 1.
    pub workers: usize,
}

/// What came of a run.
#[derive(Debug, Default)]
pub struct Report {
    /// Chunks, or parts of chunks, that were computed.
    pub computed: u64,
    /// Those that failed on all tries, in item order.
    pub failures: Vec<ChunkFailure>,
    /// How often a program failed and was tried again.
    pub retried: u64,
    /// Whether it was told to stop.
    pub stopped: bool,
    /// The failures that show that the program is broken, where chunks were left untried for it.
    pub given_up: Option<Failures>,
    /// States of chains that were damaged, so that their segments were computed again.
    pub set_aside: Vec<SetAside>,
}

/// A chunk, or part of one, of which items failed on all their tries.
#[derive(Clone, Debug, PartialEq)]
pub struct ChunkFailure {
    /// Its number.
    pub chunk: u64,
    /// The items that have no result: the first of them that follow one another.
    pub items: Interval,
    /// How many others have none.
    pub others: u128,
    /// Why the first has none, at the last try.
    pub cause: Cause,
    /// The end of what the program wrote on standard error then.
    pub last_words: Vec<u8>,
    /// How often it was tried.
    pub tries: u32,
}

/// The run could not go on.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// A folder or copy could not be made.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A partial could not be written.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// What is still to be computed: (chunk, items), in item order.
struct Pending<'a> {
    plan: &'a Plan,
    gaps: std::slice::Iter<'a, Interval>,
    /// What is left of the gap at hand.
    gap: Option<Interval>,
}

impl Iterator for Pending<'_> {
    type Item = (u64, Interval);

    fn next(&mut self) -> Option<Self::Item> {
        let gap = match self.gap.take() {
            Some(gap) => gap,
            None => *self.gaps.next()?,
        };
        let (chunk, _) = self.plan.chunks_of(gap);
        let items = self.plan.chunk(chunk).intersect(gap).expect("the chunk holds the gap's first item");
        self.gap = Interval::new(items.stop(), gap.stop());
        Some((chunk, items))
    }
}

/// Computes what `gathered` lacks; `rows` are the plan's. `tick` is called after each chunk, or part of one, with its share of items.
/// Stops early when `running` is told to, and where the first chunks show that the program is broken.
///
/// # Errors
/// Where files cannot be written; what was recorded by then stays.
pub fn run(
    layout: &Layout,
    plan: &Plan,
    rows: &Rows,
    gathered: &Gathered,
    options: Options,
    running: &Running,
    tick: &(dyn Fn(Interval) + Sync),
) -> Result<Report, LocalError> {
    let root = tempfile::Builder::new().prefix("split-run-").tempdir();
    let root = OwnFolder::new(root.map_err(StoreError::on("make a folder in", &std::env::temp_dir()))?);
    let base = layout.root().join(plan.base.as_os_str());
    let base = base.canonicalize().map_err(StoreError::on("find", &base))?;
    // They may have been lost.
    crate::store::make_folder(layout.outputs())?;
    let outputs = layout.outputs().canonicalize().map_err(StoreError::on("find", layout.outputs()))?;
    let checkpoints = layout.root().canonicalize().map_err(StoreError::on("find", layout.root()))?.join(CHECKPOINTS);
    let cache = root.path().join("inputs");
    crate::store::make_folder(&cache)?;
    let copies = Copies::take(plan, &base, &cache)?;
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let given = rows::as_given(&plan.space, rows.clone(), plan.resources.shared_filesystem);
    let shared = Shared {
        // There is nobody here to leave items to.
        job: Job { pacing: Pacing { budget: None, probe: None, ..plan.pacing.clone() }, ..plan.job() },
        rows,
        given: &given,
        code: copies.code(),
        copies: (!plan.resources.shared_filesystem).then_some(&copies),
        base: &base,
        chunks: &layout.chunks(),
        outputs: &outputs,
        checkpoints: &checkpoints,
        shards: plan.shards(),
        host: &host,
        environment: Base::Here { cpus: plan.resources.cpus },
        retries: plan.resources.retries,
        running,
        tick,
        pending: Mutex::new(Pending { plan, gaps: gathered.tiling.gaps.iter(), gap: None }),
        computed: AtomicU64::new(0),
        retried: AtomicU64::new(0),
        cannot_write: AtomicBool::new(false),
        tally: Mutex::new(Tally::new(plan.resources.halt)),
        set_aside: Mutex::default(),
    };
    if gathered.covered() > 0 {
        shared.tally().add_result();
    }
    let shared = &shared;
    let outcomes: Vec<Result<Vec<ChunkFailure>, LocalError>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..options.workers.max(1))
            .map(|number| {
                let folder = root.path().join(format!("worker-{number}"));
                scope.spawn(move || shared.work(&folder))
            })
            .collect();
        let join = |worker: std::thread::ScopedJoinHandle<'_, _>| worker.join().expect("a worker does not panic");
        workers.into_iter().map(join).collect()
    });
    let mut report = Report {
        computed: shared.computed.load(Ordering::Relaxed),
        retried: shared.retried.load(Ordering::Relaxed),
        stopped: running.stopped(),
        failures: Vec::new(),
        given_up: None,
        set_aside: std::mem::take(&mut *shared.set_aside.lock().unwrap_or_else(PoisonError::into_inner)),
    };
    for outcome in outcomes {
        report.failures.extend(outcome?);
    }
    report.failures.sort_by_key(|failure| failure.items);
    if shared.anything_is_left() && !report.stopped {
        report.given_up = shared.broken();
    }
    Ok(report)
}

struct Shared<'a> {
    job: Job,
    /// The rows of all items.
    rows: &'a Rows,
    /// The same, as programs are given them.
    given: &'a Rows,
    code: Identity,
    /// What to lay out for each run; on a shared file system programs run among the user's files.
    copies: Option<&'a Copies>,
    base: &'a Path,
    /// The folder with those of the chunks' own rows and files.
    chunks: &'a Path,
    outputs: &'a Path,
    /// Where programs keep their own state.
    checkpoints: &'a Path,
    shards: Option<Shards>,
    host: &'a str,
    environment: Base,
    retries: u32,
    running: &'a Running,
    tick: &'a (dyn Fn(Interval) + Sync),
    pending: Mutex<Pending<'a>>,
    computed: AtomicU64,
    retried: AtomicU64,
    /// A worker could not write.
    cannot_write: AtomicBool,
    /// The chunks that failed on all tries, and whether there is any result.
    tally: Mutex<Tally>,
    set_aside: Mutex<Vec<SetAside>>,
}

impl Shared<'_> {
    fn work(&self, folder: &Path) -> Result<Vec<ChunkFailure>, LocalError> {
        let mut failures = Vec::new();
        let mut desk = Desk { tree: folder.join("work"), scratch: folder.join("own"), laid_out: None };
        crate::store::make_folder(&desk.scratch)?;
        while !self.running.stopped() && !self.cannot_write.load(Ordering::Relaxed) && self.broken().is_none() {
            let next = self.pending.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((chunk, items)) = next else { break };
            match self.chunk(&mut desk, chunk, items).inspect_err(|_| {
                // Where one worker cannot write, none can: the others end after the chunk at hand.
                self.cannot_write.store(true, Ordering::Relaxed);
            })? {
                None => {
                    self.computed.fetch_add(1, Ordering::Relaxed);
                    self.tally().add_result();
                    (self.tick)(items);
                }
                Some(_) if self.running.stopped() => {}
                Some(failure) => {
                    let tries = usize::try_from(failure.tries).unwrap_or(usize::MAX);
                    self.tally().add_failure(&failure.cause, items, self.host, tries);
                    failures.push(failure);
                    (self.tick)(items);
                }
            }
        }
        Ok(failures)
    }

    /// The segments of a chunk's chain that are there; of one that has ended the results are joined.
    fn line(&self, partials: &Path, chunk: u64, items: Interval) -> Result<Line, LocalError> {
        let line = chain::line(partials, &self.job, chunk, items, Check::All);
        let mut line = line.map_err(StoreError::on("read", partials))?;
        self.set_aside.lock().unwrap_or_else(PoisonError::into_inner).append(&mut line.set_aside);
        if line.is_complete(&self.job) && !chain::is_joined(partials, chunk, &line) {
            chain::join(partials, chunk, &line)?;
        }
        Ok(line)
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The failures that show that the program is broken: there is this machine alone.
    fn broken(&self) -> Option<Failures> {
        self.tally().broken_here(self.job.cut.chunks()).cloned()
    }

    fn anything_is_left(&self) -> bool {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).next().is_some()
    }

    /// Tries a chunk until it is done, hopeless, or told to stop (which is no failure). What some of its items yielded is
    /// not computed again.
    fn chunk(&self, desk: &mut Desk, chunk: u64, items: Interval) -> Result<Option<ChunkFailure>, LocalError> {
        let partials = match self.shards {
            None => Cow::Borrowed(self.outputs),
            Some(shards) => {
                let folder = self.outputs.join(Shards::folder(shards.of(chunk)));
                crate::store::make_folder(&folder)?;
                Cow::Owned(folder)
            }
        };
        let laid = self.chunks.join(rows::chunk_place(chunk));
        let mut left = vec![items];
        let mut retry = 0;
        loop {
            let mut leg = None;
            if let Some(chain) = &self.job.chain {
                let line = self.line(&partials, chunk, items)?;
                if line.is_complete(&self.job) {
                    return Ok(None);
                }
                leg = Some(Leg { from: line.links.last().cloned(), until: chain.segments() });
            }
            let start_in = match self.copies {
                None => self.base,
                Some(copies) => {
                    desk.lay_out(copies)?;
                    desk.laid_out.as_deref().unwrap_or(&desk.tree)
                }
            };
            let setup = match (self.copies, &self.job.setup) {
                (Some(copies), _) => copies.setup_in(&desk.tree),
                (None, setup) => setup.as_ref().map(|setup| self.base.join(setup.path().as_os_str())),
            };
            let place = Place {
                start_in,
                setup: setup.as_deref(),
                scratch: &desk.scratch,
                partials: &partials,
                carried: None,
                checkpoints: self.job.pacing.checkpoint.map(|_| Checkpoints { folder: self.checkpoints, lasts: true }),
                base: self.environment,
                host: self.host,
            };
            let from = match self.copies {
                Some(_) => rows::Origin::Laid(&laid, self.base),
                None => rows::Origin::Shared(self.base),
            };
            let folders = (desk.tree.as_path(), start_in);
            for &items in &left {
                if let Err(error) = rows::place_files(&self.job.space, items, self.rows, from, folders) {
                    // It is the same file at every try.
                    let cause = Cause::Machine(error.to_string());
                    let (last_words, tries) = (Vec::new(), retry + 1);
                    return Ok(Some(ChunkFailure { chunk, items, others: 0, cause, last_words, tries }));
                }
            }
            let mut without: Vec<Interval> = Vec::new();
            let mut why = None;
            for &items in &left {
                let code = match self.copies {
                    Some(_) => self.code,
                    // Among the user's files every chunk finds them as they are when it starts.
                    None => code_that_arrived(&self.job, self.base).0,
                };
                let attempt =
                    Attempt { job: &self.job, chunk, items, code, rows: self.given, retry, leg: leg.as_ref() };
                match crate::runner::run(&attempt, &place, self.running)? {
                    Outcome::Done { .. } => {
                        self.tally().add_result();
                        if leg.is_some() && !self.line(&partials, chunk, items)?.is_complete(&self.job) {
                            let cause = Cause::Machine("the state of a segment is damaged".to_owned());
                            without.push(items);
                            why = why.or(Some((cause, Vec::new())));
                        }
                    }
                    Outcome::Failed { cause, last_words, failed, .. } => {
                        if failed != [items] {
                            self.tally().add_result();
                        }
                        without.extend(failed);
                        why = why.or(Some((cause, last_words)));
                    }
                    Outcome::Stopped | Outcome::Carry => {
                        let cause = Cause::Machine("told to stop".to_owned());
                        let tries = retry + 1;
                        return Ok(Some(ChunkFailure {
                            chunk,
                            items,
                            others: 0,
                            cause,
                            last_words: Vec::new(),
                            tries,
                        }));
                    }
                }
            }
            let Some(((cause, last_words), first)) = why.zip(without.first().copied()) else { return Ok(None) };
            // What cannot be started here is not started by trying again.
            let hopeless = matches!(cause, Cause::NotStarted(_)) || retry >= self.retries;
            if hopeless || self.running.stopped() {
                let others = without[1..].iter().map(|items| items.count()).sum();
                return Ok(Some(ChunkFailure { chunk, items: first, others, cause, last_words, tries: retry + 1 }));
            }
            left = without;
            retry += 1;
            self.retried.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A worker's folders.
struct Desk {
    /// The job's tree.
    tree: PathBuf,
    /// What the runner keeps on the way.
    scratch: PathBuf,
    /// Where the program starts, once the tree is there.
    laid_out: Option<PathBuf>,
}

impl Desk {
    /// A tree as a fresh job has it. One that holds nothing, and was left with nothing, is fresh.
    fn lay_out(&mut self, copies: &Copies) -> Result<(), StoreError> {
        let fresh = copies.is_empty()
            && self.laid_out.is_some()
            && self.tree.read_dir().is_ok_and(|mut entries| entries.next().is_none());
        if !fresh {
            if self.laid_out.is_some() {
                tree::remove(&self.tree).map_err(StoreError::on("empty", &self.tree))?;
            }
            self.laid_out = Some(copies.lay_out(&self.tree)?);
        }
        Ok(())
    }
}
