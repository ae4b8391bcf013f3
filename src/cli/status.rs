//! `split status`.

use std::collections::{HashMap, HashSet};
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::arguments::StatusOptions;
use super::failure::{Failure, printed};
use super::output::{count, seconds, tell, times, whole_seconds};
use super::standing::{DagState, Place, Sources, Standing, Tail, chunks_of};
use super::{Done, access_point, reduce};
use crate::plan::{FORMAT, Plan, Word};
use crate::pool::{self, Forecast, HostTally, Loss, NodeName, Outcome, Spent, State, Work, forecast};
use crate::record::{Cause, Gathered, Header, Kind};
use crate::runner::STOPPED;

/// The log is looked at so often.
const EVERY: Duration = Duration::from_secs(2);
/// Reading what came back may take one part in so many of the time.
const GENTLE: u32 = 20;
/// So many machines are named.
const HOSTS: usize = 3;

/// What `split status --json` prints. Times are in seconds; chunks are counted, items too.
#[derive(Debug, PartialEq, Serialize)]
struct Report {
    /// The number of this format: 1.
    format: u32,
    /// What DAGMan does: `not-submitted`, `at-work`, `ended`, `removed`.
    dag: &'static str,
    /// Where the chunks stand.
    chunks: Chunks,
    /// Of trajectories in segments, how many have left a state; absent where items are cut into chunks.
    #[serde(skip_serializing_if = "Option::is_none")]
    segments: Option<Segments>,
    /// The round of the tail that is at work; `null` where none is.
    tail: Option<Tail>,
    /// The items, and how many of them valid records cover.
    items: Items,
    /// Where the merge stands: `waiting`, `idle`, `running`, `held`, `failed`, `done`.
    merge: &'static str,
    /// Attempts of jobs with results: how many, and how long they had their machines (with what others had carried back).
    with_results: Attempts,
    /// Attempts without: by cause.
    without_results: Lost,
    /// How many chunks ran side by side in the recent past, while others waited; `null` where none has waited.
    side_by_side: Option<f64>,
    /// How long a chunk that has finished had its machine, in the mean; `null` before one has.
    seconds_a_chunk: Option<f64>,
    /// How long it will take from now; `null` where nothing can be said.
    left: Option<Left>,
    /// Machines on which far more fails than on the others.
    failing_hosts: Vec<FailingHost>,
}

/// Segments of chains.
#[derive(Debug, PartialEq, Serialize)]
struct Segments {
    /// All of them.
    total: u64,
    /// They have left a state, or are not needed any more.
    done: u64,
}

impl Segments {
    fn count(plan: &Plan, gathered: &Gathered, places: &[Place]) -> Option<Self> {
        let segments = plan.chain.as_ref()?.segments();
        let mut reached = vec![0; places.len()];
        for found in &gathered.segments {
            let Kind::Segment(segment) = &found.record.header.kind else { continue };
            let (chunk, _) = chunks_of(plan, found.record.header.items);
            if let Some(reached) = reached.get_mut(chunk) {
                *reached = segment.number.min(segments).max(*reached);
            }
        }
        let done = |(place, reached): (&Place, u32)| u64::from(if *place == Place::Done { segments } else { reached });
        let done = places.iter().zip(reached).map(done).sum();
        Some(Self { total: u64::from(segments) * places.len() as u64, done })
    }
}

/// Chunks: each is counted in one place.
#[derive(Debug, PartialEq, Serialize)]
struct Chunks {
    /// All of them.
    total: u64,
    /// Their items are covered.
    done: u64,
    /// They have machines.
    running: u64,
    /// They wait for one.
    idle: u64,
    /// They wait for somebody to release them.
    held: u64,
    /// They have left the queue without results.
    failed: u64,
    /// They have no job yet.
    waiting: u64,
    /// Of those that run: HTCondor has lost their machines out of sight.
    disconnected: u64,
    /// Of those that run: their machines have stopped them for the time being.
    suspended: u64,
}

#[derive(Debug, PartialEq, Serialize)]
struct Items {
    total: u128,
    covered: u128,
}

/// Attempts of jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
struct Attempts {
    /// How many.
    attempts: u64,
    /// How long they had their machines, together.
    seconds: u64,
}

/// Why attempts brought no result.
#[derive(Debug, PartialEq, Serialize)]
struct Lost {
    /// The machine was taken away.
    evicted: Attempts,
    /// The program failed, or could not run there.
    failed: Attempts,
    /// The job was put on hold.
    held: Attempts,
    /// The job was removed.
    removed: Attempts,
    /// HTCondor lost the machine out of sight for good.
    lost: Attempts,
    /// The job ended with exit code 0, and what came back does not cover its items.
    damaged: Attempts,
}

#[derive(Debug, PartialEq, Serialize)]
struct Left {
    /// In one of ten cases it is done sooner.
    low: f64,
    /// As often later as sooner.
    middle: f64,
    /// In one of ten cases it takes longer.
    high: f64,
}

#[derive(Debug, PartialEq, Serialize)]
struct FailingHost {
    name: String,
    /// Attempts that have ended there.
    attempts: u64,
    /// Those that failed or were lost.
    failures: u64,
}

pub(super) fn status(options: &StatusOptions) -> Done {
    let (layout, plan) = reduce::find(&options.folder)?;
    access_point::read_gently(&plan.site.access_point)?;
    let started = Instant::now();
    let mut sources = Sources::read(layout, plan)?;
    if options.watch && sources.is_at_work() {
        watch(&mut sources, started.elapsed())?;
    }
    let report = Report::new(&sources);
    let done = if options.json {
        let json = serde_json::to_string_pretty(&report).expect("plain values");
        printed(writeln!(io::stdout().lock(), "{json}"))
    } else {
        let mut lines = report.lines(&sources);
        if let Some((file, _)) = &sources.archive {
            let file = Word::from(file.clone().into_os_string()).quoted();
            lines.retain(|line| !line.starts_with("next: "));
            lines.push(format!("the partials are in an archive, {file}"));
            lines.push(format!("next: split reduce {file}"));
        }
        tell(&lines)
    };
    // Unpacked partials are in a folder that is to go.
    drop(sources.archive.take());
    // The process ends here: giving back a million pieces of memory one by one would only take time.
    std::mem::forget(sources);
    done
}

/// Follows the DAG until it ends; `took` is how long it took to read everything once.
fn watch(sources: &mut Sources, mut took: Duration) -> Result<(), Failure> {
    let bar = io::stderr().is_terminal().then(|| {
        let target = ProgressDrawTarget::stderr_with_hz(4);
        let bar = ProgressBar::with_draw_target(Some(sources.plan.cut.chunks()), target);
        let style = ProgressStyle::with_template("{wide_bar} {human_pos}/{human_len} chunks\n{msg}");
        style.map(|style| bar.clone().with_style(style)).unwrap_or(bar)
    });
    let mut gathered = (Instant::now(), sources.log.history().good());
    let mut said = String::new();
    while sources.is_at_work() {
        let report = Report::new(sources);
        let line = report.progress();
        match &bar {
            Some(bar) => {
                bar.set_message(line);
                bar.set_position(report.chunks.done);
            }
            None if line != said => {
                let Chunks { done, total, .. } = report.chunks;
                let text = format!("{done} of {} done, {line}", count(total, "chunk"));
                printed(writeln!(io::stdout().lock(), "{text}"))?;
                said = line;
            }
            None => {}
        }
        std::thread::sleep(EVERY);
        sources.follow()?;
        // What came back is many files, which other people's work on the access point waits for, too.
        let good = sources.log.history().good();
        if good != gathered.1 && gathered.0.elapsed() >= took * GENTLE {
            let started = Instant::now();
            sources.gather()?;
            took = started.elapsed();
            gathered = (Instant::now(), good);
        }
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    sources.gather()
}

impl Report {
    fn new(sources: &Sources) -> Self {
        let standing = sources.standing();
        let (plan, history) = (standing.plan, standing.history);
        let now = sources.log.now();
        let mut work = Work { side_by_side: history.side_by_side(), ..Work::default() };
        let (mut disconnected, mut suspended) = (0, 0);
        let mut damaged = Attempts::default();
        let elapsed = |start: i64| now.saturating_sub(start).max(0) as f64;
        for (chunk, place) in standing.places.iter().enumerate() {
            let job = standing.job(chunk);
            let is_piece = job.is_some_and(|job| matches!(job.node, NodeName::Piece { .. }));
            match (place, job.map(|job| &job.state)) {
                (Place::Running, Some(State::Running(open))) if !is_piece => {
                    work.running.push(elapsed(open.start));
                    disconnected += u64::from(open.disconnected);
                    suspended += u64::from(open.suspended);
                }
                // What it failed on the last attempt of a job yields, and ends with exit code 0.
                (Place::Failed, Some(State::Ended(Some(pool::Exit::Code(0))))) if !standing.failures[chunk] => {
                    if let Some(last) = job.and_then(|job| job.past.last()) {
                        damaged.attempts += 1;
                        damaged.seconds += last.seconds();
                    }
                }
                _ => {}
            }
        }
        for job in history.jobs() {
            match (&job.node, &job.state, job.past.last()) {
                (NodeName::Chunk { generation, .. } | NodeName::Segment { generation, .. }, _, Some(last))
                    if *generation == plan.generation && last.outcome == Outcome::Exited(pool::Exit::Code(0)) =>
                {
                    work.finished.push(last.seconds() as f64);
                }
                // Jobs that are no chunk's have work left, too.
                (NodeName::Other | NodeName::Piece { .. }, State::Running(open), _) => {
                    work.running.push(elapsed(open.start));
                }
                (NodeName::Other, State::Idle, _) => work.waiting += 1,
                _ => {}
            }
        }
        let segments = Segments::count(plan, &sources.gathered, &standing.places);
        work.waiting += match &segments {
            None => standing.count(Place::Idle) + standing.count(Place::Waiting),
            // As if they could run side by side: as many do as there are trajectories.
            Some(Segments { total, done }) => {
                total.saturating_sub(*done).saturating_sub(standing.count(Place::Running))
            }
        };
        let yielded = yielded(&standing, &sources.gathered);
        let unfinished = unfinished(&standing, &sources.gathered);
        let good = history.good();
        // Whoever fails, or is held, waits for somebody: the others need not.
        let lost = history.bad(Loss::Evicted).seconds.saturating_add(history.bad(Loss::Lost).seconds);
        work.cost = 1.0 + lost as f64 / good.seconds.max(1) as f64;
        let mean = work.finished.iter().sum::<f64>() / work.finished.len() as f64;
        let is_cut = plan.pacing.probe.is_none();
        let left = if sources.is_at_work() && is_cut { forecast(&work) } else { None };
        let bad = |loss| Attempts::from(history.bad(loss));
        Self {
            format: FORMAT,
            dag: match sources.dag {
                DagState::NotSubmitted => "not-submitted",
                DagState::AtWork(_) => "at-work",
                DagState::Ended(_) => "ended",
                DagState::Removed => "removed",
            },
            chunks: Chunks {
                total: plan.cut.chunks(),
                done: standing.count(Place::Done),
                running: standing.count(Place::Running),
                idle: standing.count(Place::Idle),
                held: standing.count(Place::Held),
                failed: standing.count(Place::Failed),
                waiting: standing.count(Place::Waiting),
                disconnected,
                suspended,
            },
            segments,
            tail: standing.tail,
            items: Items { total: plan.space.count(), covered: sources.gathered.covered() },
            merge: merge_state(&standing),
            with_results: Attempts {
                attempts: good.attempts.saturating_sub(damaged.attempts + yielded.attempts),
                seconds: good.seconds.saturating_sub(damaged.seconds + yielded.seconds + unfinished),
            },
            without_results: Lost {
                evicted: Attempts { seconds: history.bad(Loss::Evicted).seconds + unfinished, ..bad(Loss::Evicted) },
                failed: Attempts {
                    attempts: history.bad(Loss::Failed).attempts + yielded.attempts,
                    seconds: history.bad(Loss::Failed).seconds + yielded.seconds,
                },
                held: bad(Loss::Held),
                removed: bad(Loss::Removed),
                lost: bad(Loss::Lost),
                damaged,
            },
            side_by_side: history.side_by_side().map(tenth),
            seconds_a_chunk: (!work.finished.is_empty()).then(|| tenth(mean)),
            left: left.map(|Forecast { low, middle, high }| Left {
                low: tenth(low),
                middle: tenth(middle),
                high: tenth(high),
            }),
            failing_hosts: failing(history.hosts()),
        }
    }

    /// In one line, while it goes on.
    fn progress(&self) -> String {
        let mut parts = self.chunks.parts();
        let left = self.left.as_ref().map(|left| format!("done in {}", span(left)));
        parts.extend(left);
        if self.chunks.done == self.chunks.total {
            parts.push("merging".to_owned());
        }
        parts.join(", ")
    }

    /// For people.
    fn lines(&self, sources: &Sources) -> Vec<String> {
        let Chunks { total, done, .. } = self.chunks;
        let first = match sources.plan.pacing.probe {
            Some(_) => format!("a few items are tried at {} first", count(total, "place")),
            None => format!("{}: {done} done", count(total, "chunk")),
        };
        let mut parts = vec![first];
        parts.extend(self.chunks.parts());
        let mut lines = vec![parts.join(", ")];
        let Items { total: items, covered } = self.items;
        lines.push(format!("{covered} of {} covered ({})", count(items, "item"), percent(covered, items)));
        if let Some(Segments { total, done }) = self.segments {
            lines.push(format!("{done} of {} have left a state", count(total, "segment")));
        }
        lines.extend(self.about_tail(sources));
        lines.extend(self.time());
        for host in &self.failing_hosts {
            lines.push(format!("on {} {} of {} failed", host.name, host.failures, count(host.attempts, "attempt")));
        }
        match self.merge {
            "failed" => lines.push(format!("the merge failed: {} says why", sources.shown("logs/reduce.err"))),
            "held" => lines.push("the merge is held: split why says for what".to_owned()),
            _ => {}
        }
        lines.push(match &sources.dag {
            DagState::NotSubmitted => "no DAGMan is at work: the plan was not submitted".to_owned(),
            DagState::AtWork(why) => format!("a DAGMan is at work: {why}"),
            DagState::Ended(Some(pool::Exit::Code(0))) => "the DAG has ended well".to_owned(),
            DagState::Ended(Some(pool::Exit::Code(code))) => format!("the DAG has ended, with exit code {code}"),
            DagState::Ended(_) => "the DAG has ended".to_owned(),
            DagState::Removed => "the DAG was removed".to_owned(),
        });
        let has_ended = matches!(sources.dag, DagState::Ended(_));
        if has_ended && done < total && sources.layout.root().join(STOPPED).is_file() {
            lines.push(format!("it was stopped: {} says why", sources.shown(STOPPED)));
        }
        match &self.left {
            Some(left) => {
                let mean = self.seconds_a_chunk.map(|mean| format!(", {} a chunk", seconds(mean)));
                let beside = self.chunks.running.max(self.side_by_side.map_or(0, |number| number.round() as u64));
                lines.push(format!("done in {}: {beside} side by side{}", span(left), mean.unwrap_or_default()));
            }
            None if !sources.is_at_work() => {}
            None if sources.plan.pacing.probe.is_some() => {
                lines.push("when it will be done is not known before the rest has been cut into chunks".to_owned());
            }
            None if self.seconds_a_chunk.is_none() && done < total => {
                lines.push("when it will be done is not known before a chunk has finished".to_owned());
            }
            None if done == total => lines.push("the results are being merged".to_owned()),
            None => {}
        }
        lines.push(format!("next: {}", self.next(sources)));
        lines
    }

    /// What becomes of what is missing, while a DAGMan is at work.
    fn about_tail(&self, sources: &Sources) -> Option<String> {
        let rounds = sources.plan.tail_rounds;
        if !sources.is_at_work() || rounds == 0 {
            return None;
        }
        let Some(Tail { round, running, idle, held, .. }) = self.tail else {
            // A node that failed keeps the tail from running.
            let standing = sources.standing();
            let has_failed =
                |chunk| standing.job(chunk).is_none_or(|job| job.state != State::Ended(Some(pool::Exit::Code(0))));
            let is_due = self.chunks.failed > 0 && !standing.chunks(Place::Failed).any(has_failed);
            return is_due
                .then(|| "what is missing is cut again and run, once all chunks have left the queue".to_owned());
        };
        let parts = [(running, "running"), (idle, "idle"), (held, "held")];
        let parts = parts.iter().filter(|(jobs, _)| *jobs > 0).map(|(jobs, what)| format!("{jobs} {what}"));
        let parts = parts.collect::<Vec<_>>().join(", ");
        Some(format!("what is missing was cut again, round {round} of {rounds}: {parts}"))
    }

    /// What attempts cost.
    fn time(&self) -> Option<String> {
        let Lost { evicted, failed, held, removed, lost, damaged } = self.without_results;
        let causes = [
            (evicted, "evicted"),
            (failed, "failed"),
            (held, "held"),
            (removed, "removed"),
            (lost, "lost out of sight"),
            (damaged, "back without a valid result"),
        ];
        let with = self.with_results;
        let without: u64 = causes.iter().map(|(spent, _)| spent.seconds).sum();
        let named: Vec<String> = causes
            .iter()
            .filter(|(spent, _)| spent.attempts > 0)
            .map(|(spent, what)| format!("{what} {}, {}", times(spent.attempts), whole_seconds(spent.seconds)))
            .collect();
        if with.attempts == 0 && named.is_empty() {
            return None;
        }
        let mut line = format!("{} of machines' time with results", whole_seconds(with.seconds));
        if !named.is_empty() {
            let all = with.seconds.saturating_add(without);
            let part = percent(without.into(), all.max(1).into());
            line += &format!(", {} without ({part}): {}", whole_seconds(without), named.join("; "));
        }
        Some(line)
    }

    /// What to type next.
    fn next(&self, sources: &Sources) -> String {
        let Chunks { total, done, failed, held, .. } = self.chunks;
        let root = sources.root();
        let at = if root == "." { String::new() } else { format!(" {root}") };
        let dir = if root == "." { String::new() } else { format!(" --dir {root}") };
        let is_wrong = failed + held > 0 || matches!(self.merge, "failed" | "held");
        match sources.dag {
            _ if done == total && self.merge != "failed" && !sources.is_at_work() => format!("split reduce {root}"),
            _ if is_wrong => format!("split why{dir} says what went wrong"),
            DagState::AtWork(_) => format!("split status --watch{at} follows it"),
            DagState::NotSubmitted => sources.submit(),
            DagState::Ended(_) | DagState::Removed => {
                format!("{} computes what is missing", sources.submit_again())
            }
        }
    }
}

impl Chunks {
    /// What is not done, where there is any.
    fn parts(&self) -> Vec<String> {
        let mut running = format!("{} running", self.running);
        let aside = [(self.disconnected, "out of sight"), (self.suspended, "suspended")];
        let aside: Vec<String> =
            aside.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{number} {what}")).collect();
        if !aside.is_empty() {
            running += &format!(" ({})", aside.join(", "));
        }
        let parts = [
            (self.running, running),
            (self.idle, format!("{} idle", self.idle)),
            (self.held, format!("{} held", self.held)),
            (self.failed, format!("{} failed", self.failed)),
            (self.waiting, format!("{} not submitted", self.waiting)),
        ];
        parts.into_iter().filter(|(number, _)| *number > 0).map(|(_, part)| part).collect()
    }
}

impl From<Spent> for Attempts {
    fn from(Spent { attempts, seconds }: Spent) -> Self {
        Self { attempts, seconds }
    }
}

/// Attempts that failed and that HTCondor takes to have succeeded: where there is a tail, the last one of a job ends with exit
/// code 0 and yields what it failed on. The log does not tell of them, but their records do, with the time that the program
/// ran.
fn yielded(standing: &Standing<'_>, gathered: &Gathered) -> Attempts {
    if standing.plan.tail_rounds == 0 {
        return Attempts::default();
    }
    let hosts: HashSet<&str> = standing.history.hosts().iter().map(|host| &*host.name).collect();
    let headers = gathered.failures.iter().map(|found| &found.record.header);
    let is_yielded = |header: &&Header| {
        let retry = header.attempt.split('-').next().and_then(|retry| retry.parse().ok());
        let budget = matches!(header.kind, Kind::Failure(Cause::OverBudget(_)));
        // Others were computed without HTCondor.
        retry == Some(standing.plan.resources.retries) && !budget && hosts.contains(&*header.host)
    };
    let mut attempts: HashSet<&str> = HashSet::new();
    let mut seconds = 0.0;
    for header in headers.filter(is_yielded) {
        attempts.insert(&header.attempt);
        seconds += header.seconds.max(0.0);
    }
    Attempts { attempts: attempts.len() as u64, seconds: seconds.round() as u64 }
}

/// For how many seconds slices were computed that an eviction interrupted. The log knows what was carried back, and not that the
/// slice at hand was no part of it: the records of a chunk that is done tell what was, each by the run that computed it.
fn unfinished(standing: &Standing<'_>, gathered: &Gathered) -> u64 {
    let plan = standing.plan;
    if plan.pacing.slices < 2 || plan.pacing.checkpoint.is_some() {
        return 0;
    }
    let mut carried: HashMap<u64, f64> = HashMap::new();
    for job in standing.history.jobs() {
        if let (Some(chunk), 1..) = (job.node.chunk_of(plan.generation), job.kept)
            && standing.places.get(usize::try_from(chunk).unwrap_or(usize::MAX)) == Some(&Place::Done)
        {
            *carried.entry(chunk).or_default() += f64::from(job.kept);
        }
    }
    if carried.is_empty() {
        return 0;
    }
    for found in gathered.chosen() {
        let header = &found.record.header;
        let (chunk, _) = plan.chunks_of(header.items);
        // A partial has the name of the run that ended it: what others of its records took was carried.
        let path = gathered.path(found);
        let name = path.file_stem().map_or_else(Default::default, |name| name.to_string_lossy());
        if let Some(left) = carried.get_mut(&chunk)
            && !name.ends_with(&*header.attempt)
        {
            *left -= header.seconds.max(0.0);
        }
    }
    carried.values().map(|left| left.max(0.0).round() as u64).sum()
}

fn merge_state(standing: &Standing<'_>) -> &'static str {
    match standing.merge.map(|job| &job.state) {
        None => "waiting",
        Some(State::Idle) => "idle",
        Some(State::Running(_)) => "running",
        Some(State::Held { .. }) => "held",
        Some(State::Ended(Some(pool::Exit::Code(0)))) => "done",
        Some(State::Ended(_) | State::Removed(_)) => "failed",
    }
}

/// Machines on which at least three attempts failed, three times as often as on the others together; those where most
/// failed first.
fn failing(hosts: &[HostTally]) -> Vec<FailingHost> {
    let all = |of: fn(&HostTally) -> u64| hosts.iter().map(of).sum::<u64>();
    let (attempts, failures) = (all(|host| host.attempts), all(|host| host.failures));
    let stands_out = |host: &&HostTally| {
        let (others, their_failures) = (attempts - host.attempts, failures - host.failures);
        host.failures >= 3
            && others >= 3
            && u128::from(host.failures) * u128::from(others)
                >= 3 * u128::from(their_failures) * u128::from(host.attempts)
    };
    let mut found: Vec<&HostTally> = hosts.iter().filter(stands_out).collect();
    found.sort_by(|a, b| b.failures.cmp(&a.failures).then_with(|| a.name.cmp(&b.name)));
    found
        .into_iter()
        .take(HOSTS)
        .map(|host| FailingHost { name: host.name.to_string(), attempts: host.attempts, failures: host.failures })
        .collect()
}

/// To the tenth: what is an estimate has no more digits.
fn tenth(number: f64) -> f64 {
    (10.0 * number).round() / 10.0
}

/// `about 12 min (10 to 17)`.
fn span(left: &Left) -> String {
    let (unit, size) = match left.middle {
        ..100.0 => ("s", 1.0),
        ..6000.0 => ("min", 60.0),
        ..172_800.0 => ("h", 3600.0),
        _ => ("days", 86_400.0),
    };
    let of_unit = |seconds: f64| {
        let amount = seconds / size;
        if amount < 10.0 && size > 1.0 { format!("{amount:.1}") } else { format!("{amount:.0}") }
    };
    format!("about {} {unit} ({} to {})", of_unit(left.middle), of_unit(left.low), of_unit(left.high))
}

/// Of a whole that is not 0. All is 100 %, and less than all is less.
fn percent(part: u128, whole: u128) -> String {
    let percent = 100.0 * part as f64 / whole as f64;
    if part < whole { format!("{:.1} %", percent.min(99.9)) } else { "100 %".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_one_unit() {
        let shown = |low, middle, high| span(&Left { low, middle, high });
        assert_eq!(shown(8.0, 12.4, 20.0), "about 12 s (8 to 20)");
        assert_eq!(shown(600.0, 720.0, 1020.0), "about 12 min (10 to 17)");
        assert_eq!(shown(100.0, 200.0, 300.0), "about 3.3 min (1.7 to 5.0)");
        assert_eq!(shown(7200.0, 10_800.0, 36_000.0), "about 3.0 h (2.0 to 10)");
        assert_eq!(shown(2e5, 3e5, 4e5), "about 3.5 days (2.3 to 4.6)");
    }

    #[test]
    fn less_than_all_is_less_than_all() {
        assert_eq!(percent(999_999, 1_000_000), "99.9 %");
        assert_eq!(percent(1_000_000, 1_000_000), "100 %");
        assert_eq!(percent(62, 100), "62.0 %");
    }

    #[test]
    fn machines_stand_out_by_their_failures() {
        let check = |hosts: &[(&str, u64, u64)], expected: &[&str]| {
            let tally =
                |&(name, attempts, failures): &(&str, u64, u64)| HostTally { name: name.into(), attempts, failures };
            let hosts: Vec<_> = hosts.iter().map(tally).collect();
            let found = failing(&hosts);
            assert_eq!(found.iter().map(|host| host.name.as_str()).collect::<Vec<_>>(), expected, "{hosts:?}");
        };
        check(&[], &[]);
        check(&[("ep1", 14, 12), ("ep2", 30, 1), ("ep3", 30, 1)], &["ep1"]);
        check(&[("ep1", 9, 9)], &[]);
        check(&[("ep1", 10, 9), ("ep2", 10, 9), ("ep3", 10, 9)], &[]);
        check(&[("ep1", 2, 2), ("ep2", 30, 0)], &[]);
        check(&[("ep1", 10, 9), ("ep2", 10, 10), ("ep3", 90, 0)], &["ep2", "ep1"]);
    }
}
