//! `split why`: what went wrong, and the command that shows it again here.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::Path;

use super::arguments::WhyOptions;
use super::output::{count, harmless, last_lines, tell, times, whole_seconds};
use super::standing::{DagState, Place, Sources, Standing, chunks_of, why_held_or_removed};
use super::{Done, access_point, reduce};
use crate::exit;
use crate::pool::{Attempt, Exit, Job, JobId, Loss, NodeName, Outcome, State};
use crate::record::{Cause, Found, Kind};
use crate::runner::STOPPED;
use crate::space::{Interval, Rows};

/// So many of the last lines of standard error are shown of each example, and of a chunk that was asked for.
const LINES: (usize, usize) = (5, 20);
/// Of what a program wrote the end is looked at alone.
const BYTES: usize = 1 << 14;
/// So many groups are shown; the rest is counted.
const GROUPS: usize = 10;
/// So many names of chunks, jobs or machines are listed; the rest is counted.
const NAMES: usize = 8;
/// HTCondor's HoldReasonCode of a job that has used more memory or disk than it asked for.
const OUT_OF_RESOURCES: i64 = 34;

/// What is wrong with a chunk.
#[derive(Debug)]
struct Trouble<'a> {
    chunk: usize,
    /// One line.
    cause: String,
    /// What there is to do about it.
    cure: Cure,
    /// The job that is on hold.
    held: Option<JobId>,
    /// The failure among the records that explains it.
    record: Option<&'a Found>,
    /// The items that failed in this way, as far as records tell.
    items: Vec<Interval>,
    /// The end of what the program wrote.
    last_words: Vec<u8>,
}

/// What helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cure {
    /// The program, or what it needs, has to be mended.
    Mend,
    /// Whatever holds the job has to go.
    Release,
    /// The same, where the job was removed since.
    Unblock,
    /// More has to be asked for.
    Resources,
    /// It is to be given more memory.
    Memory,
    /// It is to be given more disk.
    Disk,
    /// It is enough to compute it again.
    Again,
}

/// What to look things up in.
struct Case<'a> {
    sources: &'a Sources,
    standing: Standing<'a>,
    /// The failures among the records, by chunk.
    failures: HashMap<usize, Vec<&'a Found>>,
    /// What is wrong with partials that hold no results, by the chunk in their names.
    damaged: HashMap<usize, String>,
}

pub(super) fn why(options: &WhyOptions) -> Done {
    let (layout, plan) = reduce::find(&options.dir)?;
    let chunk = options.chunk.map(|chunk| chunk.find(&plan)).transpose()?;
    access_point::read_gently(&plan.site.access_point)?;
    let sources = Sources::read(layout, plan)?;
    let case = Case::new(&sources);
    let lines = match chunk {
        Some(chunk) => case.one(usize::try_from(chunk).unwrap_or(usize::MAX)),
        None => case.all(),
    };
    // Causes and names of machines come from jobs.
    let lines: Vec<String> = lines.iter().map(|line| harmless(line)).collect();
    tell(&lines)
}

impl<'a> Case<'a> {
    fn new(sources: &'a Sources) -> Self {
        let standing = sources.standing();
        let mut failures: HashMap<usize, Vec<&Found>> = HashMap::new();
        for found in &sources.gathered.failures {
            let (first, last) = chunks_of(&sources.plan, found.record.header.items);
            // What was computed since tells nothing any more.
            if sources.gathered.tiling.covers(found.record.header.items) {
                continue;
            }
            for chunk in first..=last {
                if standing.places.get(chunk).is_some_and(|place| *place != Place::Done) {
                    failures.entry(chunk).or_default().push(found);
                }
            }
        }
        let mut damaged = HashMap::new();
        let gathered = &sources.gathered;
        let foreign = gathered.foreign.iter().map(|(path, _)| (path, format!("{} is of another plan", path.display())));
        let broken = gathered.damaged.iter();
        let broken =
            broken.map(|(path, damage)| (path, format!("what came back is damaged: {} {damage}", path.display())));
        for (path, what) in foreign.chain(broken) {
            if let Some(chunk) = chunk_of_partial(path) {
                damaged.insert(chunk, what);
            }
        }
        Self { sources, standing, failures, damaged }
    }

    /// All that went wrong, by cause.
    fn all(&self) -> Vec<String> {
        let standing = &self.standing;
        let (failed, held) = (standing.count(Place::Failed), standing.count(Place::Held));
        let again = standing.chunks(Place::Running).chain(standing.chunks(Place::Idle));
        let again = again.filter(|&chunk| standing.failures[chunk]).count() as u64;
        let merge = self.merge();
        let mut lines = Vec::new();
        if failed + held == 0 && merge.is_empty() {
            let done = standing.count(Place::Done);
            lines.push(format!("nothing is wrong: {done} of {} done", count(self.sources.plan.cut.chunks(), "chunk")));
            lines.extend(self.tried_again(again));
            return lines;
        }
        let parts = [(failed, "failed"), (held, "held")];
        let parts: Vec<String> =
            parts.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{number} {what}")).collect();
        if !parts.is_empty() {
            lines.push(format!("{}: {}", count(self.sources.plan.cut.chunks(), "chunk"), parts.join(", ")));
        }
        lines.extend(self.tried_again(again));
        if self.was_stopped() {
            lines.push(format!("the DAG was stopped: {} says why", self.sources.shown(STOPPED)));
        }

        let troubled = standing.chunks(Place::Failed).chain(standing.chunks(Place::Held));
        let troubles: Vec<Trouble<'_>> = troubled.flat_map(|chunk| self.troubles(chunk)).collect();
        let mut groups: BTreeMap<(String, String), Vec<&Trouble<'_>>> = BTreeMap::new();
        for trouble in &troubles {
            groups.entry(trouble.likeness()).or_default().push(trouble);
        }
        let mut groups: Vec<Vec<&Trouble<'_>>> = groups.into_values().collect();
        for group in &mut groups {
            group.sort_by_key(|trouble| trouble.chunk);
        }
        groups.sort_by_key(|group| (std::cmp::Reverse(group.len()), group[0].chunk));
        for group in groups.iter().take(GROUPS) {
            lines.push(String::new());
            let [example, others @ ..] = &group[..] else { continue };
            if !others.is_empty() {
                lines.push(format!("{} alike:", count(group.len() as u64, "chunk")));
            }
            lines.extend(self.block(example, LINES.0));
            if !others.is_empty() {
                lines.push(format!("  alike: {}", names(others.iter().map(|trouble| trouble.chunk))));
            }
        }
        if let Some(rest) = groups.get(GROUPS..).filter(|rest| !rest.is_empty()) {
            let chunks: usize = rest.iter().map(Vec::len).sum();
            lines.push(String::new());
            let of = count(rest.len() as u64, "other cause");
            lines.push(format!("and {} of {of}, such as chunk {}", count(chunks as u64, "chunk"), rest[0][0].chunk));
        }
        if !merge.is_empty() {
            if !lines.is_empty() {
                lines.push(String::new());
            }
            lines.extend(merge);
        }
        let first: Vec<&Trouble<'_>> = groups.first().cloned().unwrap_or_default();
        lines.push(String::new());
        lines.push(format!("next: {}", self.next(&first)));
        lines
    }

    /// One chunk.
    fn one(&self, chunk: usize) -> Vec<String> {
        let place = self.standing.places[chunk];
        let mut lines: Vec<String>;
        if matches!(place, Place::Failed | Place::Held) {
            let troubles = self.troubles(chunk);
            lines = troubles.iter().flat_map(|trouble| self.block(trouble, LINES.1)).collect();
            lines.extend(self.attempts(chunk));
            let first: Vec<&Trouble<'_>> = troubles.iter().take(1).collect();
            lines.push(format!("next: {}", self.next(&first)));
        } else {
            let now = self.sources.log.now();
            let so_far = match (place, self.standing.job(chunk).map(|job| &job.state)) {
                (Place::Done, _) => "it is done".to_owned(),
                (Place::Running, Some(State::Running(open))) => {
                    let host = self.standing.history.host(open.host).unwrap_or("a machine");
                    let so_far = whole_seconds(u64::try_from(now.saturating_sub(open.start)).unwrap_or(0));
                    let sight = if open.disconnected { ", which HTCondor has lost out of sight" } else { "" };
                    format!("it has run on {host} for {so_far}{sight}")
                }
                (Place::Idle, _) => "it waits for a machine".to_owned(),
                _ => "it is not submitted".to_owned(),
            };
            lines = vec![format!("{}: nothing is wrong, {so_far}", self.title(chunk))];
            lines.extend(self.attempts(chunk));
        }
        lines
    }

    fn tried_again(&self, chunks: u64) -> Option<String> {
        (chunks > 0).then(|| format!("{} failed before, and tried again now", count(chunks, "chunk")))
    }

    fn was_stopped(&self) -> bool {
        matches!(self.sources.dag, DagState::Ended(_)) && self.sources.layout.root().join(STOPPED).is_file()
    }

    /// `chunk 3, items 31..=40`.
    fn title(&self, chunk: usize) -> String {
        let plan = &self.sources.plan;
        format!("chunk {chunk}, {}", reduce::items(plan, plan.chunk(chunk as u64)))
    }

    /// What is wrong with a chunk that failed or is held, by cause: one at least.
    fn troubles(&self, chunk: usize) -> Vec<Trouble<'a>> {
        let job = self.standing.job(chunk);
        let trouble = |cause: String, cure: Cure| Trouble {
            chunk,
            cause,
            cure,
            held: None,
            record: None,
            items: Vec::new(),
            last_words: Vec::new(),
        };
        if let Some((job, cause)) = job.and_then(|job| Some((job, why_held_or_removed(job)?))) {
            return vec![match &job.state {
                State::Held { hold, .. } if hold.code == OUT_OF_RESOURCES => {
                    Trouble { held: Some(job.id), ..trouble(cause, Cure::Resources) }
                }
                State::Held { .. } => Trouble { held: Some(job.id), ..trouble(cause, Cure::Release) },
                _ if job.removed_from.is_some() => trouble(cause, Cure::Unblock),
                _ => trouble(cause, Cure::Again),
            }];
        }
        let end = job.map(|job| &job.state);
        let is_told = match end {
            // The last attempt of a job yields what it failed on.
            Some(State::Ended(Some(Exit::Code(0)))) => !self.damaged.contains_key(&chunk),
            Some(State::Ended(Some(Exit::Signal(_)))) => false,
            _ => true,
        };
        let of_records = if is_told { self.of_records(chunk) } else { Vec::new() };
        if !of_records.is_empty() {
            return of_records;
        }
        let cause = match end {
            Some(State::Ended(Some(Exit::Code(0)))) => self.what_came_back(chunk),
            Some(State::Ended(Some(Exit::Signal(signal)))) => {
                format!("signal {signal} ended the job, and nothing came back from it")
            }
            Some(State::Ended(Some(Exit::Code(code)))) => {
                format!("{}, and no record of it came back", code_text(*code))
            }
            _ => "its job has left the queue, and the log does not say how".to_owned(),
        };
        vec![trouble(cause, Cure::Again)]
    }

    /// What the failures among the records tell of a chunk, by cause: of items that failed more than once, what came back last.
    fn of_records(&self, chunk: usize) -> Vec<Trouble<'a>> {
        let failures = self.failures.get(&chunk).into_iter().flatten().copied();
        let mut troubles: Vec<Trouble<'a>> = Vec::new();
        // What is told of already: by later attempts, and by this one.
        let (mut later, mut own): (Vec<Interval>, Vec<Interval>) = (Vec::new(), Vec::new());
        let mut attempt = None;
        for found in self.sources.gathered.newest_first(failures) {
            let header = &found.record.header;
            let Kind::Failure(cause) = &header.kind else { continue };
            if attempt.replace(&header.attempt).is_some_and(|last| *last != header.attempt) {
                later = joined(later.into_iter().chain(own.drain(..)));
            }
            let next = later.partition_point(|later| later.stop() < header.items.stop());
            if later.get(next).is_some_and(|later| later.start() <= header.items.start()) {
                continue;
            }
            own.push(header.items);
            let cure = match cause {
                Cause::OutOfMemory(_) => Cure::Memory,
                Cause::OutOfDisk(_) => Cure::Disk,
                _ => Cure::Mend,
            };
            let new = Trouble {
                chunk,
                cause: cause.to_string(),
                cure,
                held: None,
                record: Some(found),
                items: vec![header.items],
                last_words: self.last_words(found),
            };
            // What was not run, since others had failed before it, has said nothing of its own.
            let alike = |known: &Trouble<'_>| match header.seconds > 0.0 {
                true => known.likeness() == new.likeness(),
                false => known.cause == new.cause,
            };
            match troubles.iter().position(alike) {
                Some(place) => troubles[place].items.push(header.items),
                None => troubles.push(new),
            }
        }
        troubles
    }

    /// What a job with exit code 0 left.
    fn what_came_back(&self, chunk: usize) -> String {
        let what = self.damaged.get(&chunk).map_or("no record of its items is there", String::as_str);
        format!("the job ended with exit code 0, and {what}")
    }

    fn last_words(&self, found: &Found) -> Vec<u8> {
        let mut end = Vec::new();
        // What cannot be read again is not shown.
        let _ = found.record.payload.pieces::<io::Error>(&self.sources.gathered.path(found), &mut |piece| {
            end.extend_from_slice(piece);
            end.drain(..end.len().saturating_sub(BYTES));
            Ok(())
        });
        end
    }

    /// The jobs of a chunk, in the order of their submission.
    fn jobs(&self, chunk: usize) -> impl Iterator<Item = &Job> {
        let generation = self.sources.plan.generation;
        let jobs = self.standing.history.jobs().iter();
        jobs.filter(move |job| job.node.chunk_of(generation) == Some(chunk as u64))
    }

    /// What is wrong with a chunk, in a few lines.
    fn block(&self, trouble: &Trouble<'_>, lines: usize) -> Vec<String> {
        let chunk = trouble.chunk;
        let plan = &self.sources.plan;
        let mut text = vec![format!("{}: {}", self.title(chunk), trouble.cause)];
        let own = plan.chunk(chunk as u64);
        let failed = joined(trouble.items.iter().filter_map(|items| items.intersect(own)));
        text.extend(match &failed[..] {
            [] => None,
            [items] if *items == own => None,
            [items] => Some(format!("  it failed on {}", reduce::items(plan, *items))),
            shown => {
                let names: Vec<String> = shown.iter().take(NAMES).map(|items| plan.space.describe(*items)).collect();
                let rest: u128 = shown.iter().skip(NAMES).map(|items| items.count()).sum();
                let rest = if rest == 0 { String::new() } else { format!(" and {rest} more") };
                Some(format!("  it failed on items {}{rest}", names.join(", ")))
            }
        });
        text.extend(self.tried(chunk));
        text.extend(last_lines(&trouble.last_words, lines).into_iter().map(|line| format!("  {line}")));
        // An item is named by its value, where it has one that can be typed.
        let items = trouble.record.map(|found| found.record.header.items);
        let narrower =
            items.filter(|items| items.count() == 1 && *items != own && own.intersect(*items) == Some(*items));
        let item = narrower.map(|items| (items, plan.space.describe(items)));
        let what = match item {
            Some((items, value)) if plan.space.find(&value, Rows::NONE).is_ok_and(|item| item == items.start()) => {
                value
            }
            _ => format!("chunk-{chunk}"),
        };
        let root = self.sources.root();
        let dir = if root == "." { String::new() } else { format!(" --dir {root}") };
        text.push(format!("  here: split try {what}{dir}"));
        text
    }

    /// How often a chunk was tried, and where.
    fn tried(&self, chunk: usize) -> Option<String> {
        let of_jobs: u64 = self.jobs(chunk).map(|job| u64::from(job.attempts)).sum();
        let records = self.failures.get(&chunk).map_or(&[][..], Vec::as_slice);
        let mut hosts: Vec<&str> = Vec::new();
        let of_log = self.jobs(chunk).flat_map(|job| &job.past);
        for host in of_log.filter_map(|attempt| self.standing.history.host(attempt.host)) {
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        // Attempts on other machines are of `split run` here, or of an older plan: the log does not tell of them.
        let known = hosts.len();
        let mut elsewhere = Vec::new();
        for header in records.iter().map(|found| &found.record.header) {
            if hosts[..known].contains(&&*header.host) {
                continue;
            }
            elsewhere.push(header.items);
            if !hosts.contains(&&*header.host) {
                hosts.push(&header.host);
            }
        }
        let attempts = of_jobs + most_at_once(&elsewhere);
        let on = match hosts.len() {
            0 => String::new(),
            number @ 1..=NAMES => format!(", on {}", hosts[..number].join(", ")),
            number => format!(", on {} and {} more", hosts[..NAMES].join(", "), number - NAMES),
        };
        match attempts {
            0 => None,
            attempts => Some(format!("  tried {}{on}", times(attempts))),
        }
    }

    /// Each attempt that the log tells of, a line each.
    fn attempts(&self, chunk: usize) -> Vec<String> {
        let mut lines = Vec::new();
        for job in self.jobs(chunk) {
            let before = u64::from(job.attempts).saturating_sub(job.past.len() as u64);
            let name = match job.node {
                NodeName::Piece { round, number, .. } => format!("{} (round {round}, piece {number})", job.id),
                _ => job.id.to_string(),
            };
            if before > 0 {
                lines.push(format!("  job {name}: {} before these", count(before, "attempt")));
            }
            lines.extend(job.past.iter().map(|attempt| format!("  job {name}: {}", self.describe(attempt))));
        }
        lines
    }

    fn describe(&self, attempt: &Attempt) -> String {
        let host = self.standing.history.host(attempt.host).unwrap_or("a machine without a name");
        let end = match attempt.outcome {
            Outcome::Exited(Exit::Code(code)) => format!("exit code {code}"),
            Outcome::Exited(Exit::Signal(signal)) => format!("signal {signal}"),
            Outcome::Gone(Loss::Evicted) => "evicted".to_owned(),
            Outcome::Gone(Loss::Failed) => "it failed".to_owned(),
            Outcome::Gone(Loss::Held) => "held".to_owned(),
            Outcome::Gone(Loss::Removed) => "removed".to_owned(),
            Outcome::Gone(Loss::Lost) => "lost out of sight".to_owned(),
        };
        format!("{} on {host}, {end}", whole_seconds(attempt.seconds()))
    }

    /// What is wrong with the merge; no lines where nothing is.
    fn merge(&self) -> Vec<String> {
        let Some(job) = self.standing.merge else { return Vec::new() };
        let what = match &job.state {
            State::Held { .. } | State::Removed(_) => why_held_or_removed(job).unwrap_or_default(),
            State::Ended(Some(Exit::Code(0))) | State::Idle | State::Running(_) => return Vec::new(),
            State::Ended(Some(Exit::Code(code))) => {
                let meaning = exit::Exit::ALL.iter().find(|(exit, _)| *exit as i32 == *code).map(|(_, what)| *what);
                format!("exit code {code}{}", meaning.map(|what| format!(", {what}")).unwrap_or_default())
            }
            State::Ended(Some(Exit::Signal(signal))) => format!("signal {signal}"),
            State::Ended(None) => "the log does not say how".to_owned(),
        };
        let mut lines = vec![format!("the merge did not end well: {what}")];
        if matches!(job.state, State::Ended(_)) {
            let said = std::fs::read(self.sources.layout.root().join("logs/reduce.err")).unwrap_or_default();
            lines.extend(last_lines(&said, LINES.1).into_iter().map(|line| format!("  {line}")));
        }
        lines
    }

    /// What to do about the largest group.
    fn next(&self, group: &[&Trouble<'_>]) -> String {
        let jobs: Vec<String> = group.iter().filter_map(|trouble| trouble.held).map(|job| job.to_string()).collect();
        let which = match (&jobs[..], self.sources.dagman) {
            (_, Some(dagman)) if jobs.len() > NAMES => {
                format!("-constraint 'DAGManJobId == {} && JobStatus == 5'", dagman.job.cluster)
            }
            _ => jobs.join(" "),
        };
        let submit = self.sources.submit();
        let root = self.sources.root();
        let again = match self.sources.dag {
            DagState::AtWork(_) => format!("once the DAG has ended, {submit} computes what is missing"),
            DagState::NotSubmitted => format!("{submit}, or split run {root}, computes what is missing"),
            DagState::Ended(_) | DagState::Removed => {
                format!("{} computes what is missing", self.sources.submit_again())
            }
        };
        match group.first().map(|trouble| trouble.cure) {
            None => format!("split reduce {root} shows it here, and answers once it is mended"),
            Some(Cure::Release) => {
                format!(
                    "condor_release {which}, once what held it is mended; or condor_rm {which}, and the DAG goes on without"
                )
            }
            Some(Cure::Unblock) => format!("mend what held it, or ask for more (split plan --keep), and {again}"),
            Some(Cure::Resources) => {
                format!("condor_qedit {which} RequestMemory MB (or RequestDisk KB), then condor_release {which}")
            }
            Some(Cure::Mend) => {
                let chunk = group[0].chunk;
                format!("split try chunk-{chunk} shows it here; mend it, and {again}")
            }
            Some(Cure::Memory) => {
                let has = self.sources.plan.resources.memory;
                format!("raise request_memory in chunk.sub (--memory, {has} as planned); {again}")
            }
            Some(Cure::Disk) => {
                let has = self.sources.plan.resources.disk;
                format!("raise request_disk in chunk.sub (--disk, {has} as planned); {again}")
            }
            Some(Cure::Again) => again,
        }
    }
}

impl Trouble<'_> {
    /// Troubles of the same likeness have one cause: the same but for numbers, which are those of items most of the time.
    fn likeness(&self) -> (String, String) {
        let last = last_lines(&self.last_words, 1).pop().unwrap_or_default();
        // Whatever it said, and wherever it was.
        match self.cure {
            Cure::Memory => return ("memory".to_owned(), String::new()),
            Cure::Disk => return ("disk".to_owned(), String::new()),
            Cure::Mend | Cure::Release | Cure::Unblock | Cure::Resources | Cure::Again => {}
        }
        let kind = self.record.map(|found| &found.record.header.kind);
        if matches!(kind, Some(Kind::Failure(Cause::BadResult { .. }))) {
            return ("bad result".to_owned(), without_numbers(&last));
        }
        // An exit code is a number that matters.
        let cause = if kind.is_some() { self.cause.clone() } else { without_numbers(&self.cause) };
        (cause, without_numbers(&last))
    }
}

/// The same items in order, neighbours in one interval.
fn joined(items: impl Iterator<Item = Interval>) -> Vec<Interval> {
    let mut items: Vec<Interval> = items.collect();
    items.sort_unstable_by_key(|items| (items.start(), items.stop()));
    items.dedup_by(|next, last| {
        let joined = Interval::new(last.start(), last.stop().max(next.stop())).filter(|_| next.start() <= last.stop());
        *last = joined.unwrap_or(*last);
        joined.is_some()
    });
    items
}

/// How many intervals hold the item that most of them hold.
fn most_at_once(items: &[Interval]) -> u64 {
    let starts = items.iter().map(|items| (items.start(), 1));
    let mut ends: Vec<(u128, i64)> = starts.chain(items.iter().map(|items| (items.stop(), -1))).collect();
    ends.sort_unstable();
    let (mut now, mut most) = (0, 0);
    for (_, step) in ends {
        now += step;
        most = most.max(now);
    }
    most.unsigned_abs()
}

/// The chunk that a partial's name speaks of: `chunk-000017.0-1f2e3d4c.part`.
fn chunk_of_partial(path: &Path) -> Option<usize> {
    path.file_name()?.to_str()?.strip_prefix("chunk-")?.split('.').next()?.parse().ok()
}

/// What an exit code of a job of ours means.
fn code_text(code: i32) -> String {
    let known = exit::Exit::ALL.iter().find(|(exit, what)| *exit as i32 == code && what.starts_with("in a job: "));
    match known.and_then(|(_, what)| what.strip_prefix("in a job: ")) {
        Some(what) => what.to_owned(),
        None => format!("the job ended with exit code {code}"),
    }
}

/// `#` for each number.
fn without_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter.is_ascii_digit() {
            true if out.ends_with('#') => {}
            true => out.push('#'),
            false => out.push(letter),
        }
    }
    out
}

/// `1, 7..=9, 12 and 100 more`.
fn names(chunks: impl Iterator<Item = usize>) -> String {
    let chunks: BTreeSet<usize> = chunks.collect();
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for chunk in chunks {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == chunk => *last = chunk,
            _ => runs.push((chunk, chunk)),
        }
    }
    let name = |&(first, last): &(usize, usize)| match last - first {
        0 => first.to_string(),
        1 => format!("{first}, {last}"),
        _ => format!("{first}..={last}"),
    };
    let shown: Vec<String> = runs.iter().take(NAMES).map(name).collect();
    let rest: usize = runs.iter().skip(NAMES).map(|(first, last)| last - first + 1).sum();
    if rest == 0 { shown.join(", ") } else { format!("{} and {rest} more", shown.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_make_no_difference() {
        assert_eq!(without_numbers("no data for 37 of 100"), "no data for # of #");
        assert_eq!(without_numbers("# 1#2"), "# ##");
    }

    #[test]
    fn many_chunks_have_few_names() {
        assert_eq!(names([9, 1, 7, 8, 12].into_iter()), "1, 7..=9, 12");
        assert_eq!(names([3, 4].into_iter()), "3, 4");
        assert_eq!(names((0..100).map(|chunk| 2 * chunk)), "0, 2, 4, 6, 8, 10, 12, 14 and 92 more");
    }

    #[test]
    fn neighbours_are_joined_and_tries_counted_by_item() {
        let of = |items: &[(u128, u128)]| {
            joined(items.iter().map(|&(start, stop)| Interval::new(start, stop).expect("items")))
                .iter()
                .map(|items| (items.start(), items.stop()))
                .collect::<Vec<_>>()
        };
        assert_eq!(of(&[(7, 9), (0, 2), (2, 3), (1, 2), (4, 5)]), [(0, 3), (4, 5), (7, 9)]);
        let tried = |items: &[(u128, u128)]| {
            let items = items.iter().map(|&(start, stop)| Interval::new(start, stop).expect("items"));
            most_at_once(&items.collect::<Vec<_>>())
        };
        assert_eq!([tried(&[]), tried(&[(0, 3), (3, 9)]), tried(&[(0, 9), (3, 4), (2, 4)])], [0, 1, 3]);
    }

    #[test]
    fn exit_codes_of_the_runner_have_a_meaning() {
        assert_eq!(code_text(74), "the machine would not");
        assert_eq!(code_text(2), "the job ended with exit code 2");
    }
}
