//! `split verify`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::Done;
use super::arguments::VerifyOptions;
use super::failure::{Failure, printed};
use super::output::{bytes, count, in_pieces, last_lines, say};
use super::try_one::{end_of, explain, listen};
use super::{access_point, progress, reduce};
use crate::exit::Exit;
use crate::folder::Layout;
use crate::local::{Computed, Finished, Jobs, SandboxError, Sandboxes, choose};
use crate::plan::{Identity, Plan, Word};
use crate::record::{Cause, Found, Gathered, Part};
use crate::reduce::Number;
use crate::space::Interval;

/// So many differences are shown; the rest is counted.
const LISTED: usize = 5;
/// So many of the last lines of a result are shown.
const LINES: usize = 3;
/// So much of the end of a result is looked at for that, and a single number is no longer.
const BYTES: usize = 1 << 12;

pub(super) fn verify(options: &VerifyOptions) -> Done {
    let (layout, plan) = reduce::find(&options.folder)?;
    let threads = access_point::be_gentle(&plan.site.access_point, options.jobs, "--jobs");
    access_point::limit_merging(threads)?;
    let gathered = reduce::read(&layout, &plan)?;
    let records: Vec<&Found> = gathered.chosen().collect();
    if records.is_empty() {
        let root = Word::from(layout.root().as_os_str().to_owned()).quoted();
        return Err(Failure::new(Exit::Missing, "no item has a result yet: there is nothing to compute again")
            .help(format!("condor_submit_dag plan.dag computes on the pool, split run {root} here"))
            .help("split try computes one item as a job would"));
    }
    let rows = reduce::rows(&layout, &plan)?;
    let sandboxes = Sandboxes::new(&layout, &plan, &rows).map_err(|error| explain(&error))?;
    let places = choice(&records, options);

    let jobs = Arc::new(Jobs::new());
    let listener = listen(&jobs)?;
    let cores = threads.map(usize::from);
    let cores = cores.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    let cpus = usize::try_from(plan.resources.cpus).unwrap_or(usize::MAX);
    let workers = options.jobs.map_or((cores / cpus).max(1), usize::from).min(places.len());
    let bar = progress::bar(places.len() as u64, "computing again");
    let again = Again { plan: &plan, gathered: &gathered, sandboxes: &sandboxes, jobs: &jobs };
    let chosen: Vec<&Found> = places.iter().map(|&place| records[place]).collect();
    let outcomes = again.all(&chosen, workers, &|| bar.inc(1));
    bar.finish_and_clear();
    listener.end();
    report(&layout, &plan, &gathered, &outcomes?, chosen.len(), records.len())
}

/// Which of the records are computed again.
fn choice(records: &[&Found], options: &VerifyOptions) -> Vec<usize> {
    if records.len() as u64 <= options.sample {
        return (0..records.len()).collect();
    }
    let counts: Vec<u128> = records.iter().map(|found| found.record.header.items.count()).collect();
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1 << 32));
    let places = choose(&counts, options.sample.into(), seed);
    say(&format!(
        "{} by chance are in {} of {}; --seed {seed} chooses the same ones",
        count(options.sample, "item"),
        places.len(),
        count(records.len() as u128, "record")
    ));
    places
}

/// Records that are computed once more.
struct Again<'a> {
    plan: &'a Plan,
    gathered: &'a Gathered,
    sandboxes: &'a Sandboxes<'a>,
    jobs: &'a Jobs,
}

/// What came of a record that was computed again.
struct Outcome<'a> {
    record: &'a Found,
    /// The code that ran now.
    code: Identity,
    now: Now,
}

enum Now {
    Same,
    /// The first items whose results or files differ, and how many others do; what of them is not the same, and by how
    /// much two single numbers differ.
    Differs {
        items: Interval,
        others: usize,
        then: Vec<String>,
        now: Vec<String>,
        by: Option<f64>,
    },
    Failed {
        items: Interval,
        cause: Cause,
        last_words: Vec<u8>,
    },
}

impl<'a> Again<'a> {
    /// Computes records again, side by side; those that were done when it was stopped.
    fn all(
        &self,
        records: &[&'a Found],
        workers: usize,
        tick: &(dyn Fn() + Sync),
    ) -> Result<Vec<Outcome<'a>>, Failure> {
        let next = AtomicUsize::new(0);
        let broken = AtomicBool::new(false);
        let work = || {
            let mut outcomes = Vec::new();
            while let Some(&record) = records.get(next.fetch_add(1, Ordering::Relaxed)) {
                if broken.load(Ordering::Relaxed) {
                    break;
                }
                match self.one(record).inspect_err(|_| broken.store(true, Ordering::Relaxed))? {
                    Some(outcome) => outcomes.push(outcome),
                    None => break,
                }
                tick();
            }
            Ok(outcomes)
        };
        let outcomes: Vec<Result<Vec<Outcome<'a>>, Failure>> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
            workers.into_iter().map(|worker| worker.join().expect("a worker does not panic")).collect()
        });
        let mut all: Vec<_> = outcomes.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        all.sort_by_key(|outcome| outcome.record.record.header.items);
        Ok(all)
    }

    /// One record; `None` where it was told to stop.
    fn one(&self, found: &'a Found) -> Result<Option<Outcome<'a>>, Failure> {
        let path = self.gathered.path(found);
        let items = found.record.header.items;
        let chunk = reduce::chunk_of_name(&path).unwrap_or_else(|| self.plan.chunks_of(items).0);
        let computed = self.sandboxes.compute(chunk, items, self.jobs);
        let finished = match computed.map_err(|error: SandboxError| explain(&error))? {
            Computed::Finished(finished) => finished,
            Computed::Stopped => return Ok(None),
        };
        let now = match finished.failure() {
            Some((items, cause)) => Now::Failed { items, cause: cause.clone(), last_words: end_of(&finished) },
            None => self.compare(found, &finished)?,
        };
        Ok(Some(Outcome { record: found, code: finished.code(), now }))
    }

    fn compare(&self, found: &Found, finished: &Finished) -> Result<Now, Failure> {
        let path = self.gathered.path(found);
        let unreadable = |path: PathBuf| {
            move |error: io::Error| Failure::new(Exit::Machine, format!("cannot read {}: {error}", path.display()))
        };
        let then = |take: &mut Take<'_>| found.record.parts(&path, take);
        let now = |take: &mut Take<'_>| finished.parts(take);
        let units_then = units(&then).map_err(unreadable(path.clone()))?;
        let units_now = units(&now).map_err(unreadable(finished.sandbox().to_owned()))?;
        let mut differing = units_then.iter().zip(&units_now).filter(|(then, now)| then != now).map(|(then, _)| then.0);
        let Some(items) = differing.next() else {
            if units_then.len() == units_now.len() {
                return Ok(Now::Same);
            }
            let why = "the record is of other items than what was computed".to_owned();
            return Err(Failure::new(Exit::Machine, why).detail(path.display().to_string()));
        };
        let others = differing.count();
        let then = unit(&then, items).map_err(unreadable(path.clone()))?;
        let now = unit(&now, items).map_err(unreadable(finished.sandbox().to_owned()))?;
        let by = then.text.number().zip(now.text.number()).and_then(|(then, now)| difference(&then, &now));
        let (then, now) = (then.differing(&now), now.differing(&then));
        Ok(Now::Differs { items, others, then, now, by })
    }
}

type Take<'a> = dyn FnMut(Part, &mut dyn Read) -> io::Result<()> + 'a;
type Walk<'a> = dyn Fn(&mut Take<'_>) -> io::Result<()> + 'a;

/// What stands for each item, or for all where they have one result: equal where the results and the files are.
fn units(walk: &Walk<'_>) -> io::Result<Vec<(Interval, Identity)>> {
    let mut units = Vec::new();
    let mut open: Option<(Interval, blake3::Hasher)> = None;
    walk(&mut |part, content| {
        let (items, kind, name) = match part {
            Part::Text(items) => (Some(items), 0, Vec::new()),
            Part::LeftOut(items) => (Some(items), 1, Vec::new()),
            Part::File(file) => (None, 2, file.name),
        };
        if let Some(items) = items
            && let Some((before, hasher)) = open.replace((items, blake3::Hasher::new()))
        {
            units.push((before, Identity::of(&hasher)));
        }
        let mut digest = Digest::default();
        in_pieces(content, &mut |piece| digest.take(piece))?;
        if let Some((_, hasher)) = &mut open {
            hasher.update(&[kind]).update(Identity::of_bytes(&name).as_bytes()).update(digest.identity().as_bytes());
        }
        Ok(())
    })?;
    units.extend(open.map(|(items, hasher)| (items, Identity::of(&hasher))));
    Ok(units)
}

/// The result and the files of some items.
#[derive(Default)]
struct Unit {
    is_left_out: bool,
    text: Digest,
    files: BTreeMap<Vec<u8>, (u64, Identity)>,
}

fn unit(walk: &Walk<'_>, wanted: Interval) -> io::Result<Unit> {
    let mut unit = Unit::default();
    let mut is_wanted = false;
    walk(&mut |part, content| {
        match part {
            Part::Text(items) | Part::LeftOut(items) if items != wanted => is_wanted = false,
            Part::Text(_) => {
                is_wanted = true;
                return in_pieces(content, &mut |piece| unit.text.take(piece));
            }
            Part::LeftOut(_) => unit.is_left_out = true,
            Part::File(file) if is_wanted => {
                let mut digest = Digest::default();
                in_pieces(content, &mut |piece| digest.take(piece))?;
                unit.files.insert(file.name, (file.bytes, digest.identity()));
            }
            Part::File(_) => {}
        }
        Ok(())
    })?;
    Ok(unit)
}

impl Unit {
    /// What of it is not the same in `other`, for people.
    fn differing(&self, other: &Self) -> Vec<String> {
        if self.is_left_out {
            return vec!["left out by --where".to_owned()];
        }
        let mut lines = Vec::new();
        if other.is_left_out || self.text.identity() != other.text.identity() {
            lines.extend(last_lines(&self.text.end, LINES));
        }
        let names: BTreeSet<_> = self.files.keys().chain(other.files.keys()).collect();
        for name in names.into_iter().filter(|name| self.files.get(*name) != other.files.get(*name)).take(LISTED) {
            let shown = Word::from(name.clone()).quoted();
            lines.push(match self.files.get(name) {
                Some((size, content)) => format!("{shown} ({}, content {})", bytes(*size), content.short()),
                None => format!("no {shown}"),
            });
        }
        lines
    }
}

/// A text, looked through once.
#[derive(Default)]
struct Digest {
    hasher: blake3::Hasher,
    bytes: u64,
    end: Vec<u8>,
}

impl Digest {
    #[expect(clippy::unnecessary_wraps, reason = "as what reads in pieces calls it")]
    fn take(&mut self, piece: &[u8]) -> io::Result<()> {
        self.hasher.update(piece);
        self.bytes += piece.len() as u64;
        self.end.extend_from_slice(piece);
        self.end.drain(..self.end.len().saturating_sub(BYTES));
        Ok(())
    }

    fn identity(&self) -> Identity {
        Identity::of(&self.hasher)
    }

    /// The number that it is, where it is one alone.
    fn number(&self) -> Option<Number> {
        if self.bytes <= BYTES as u64 { Number::parse(&self.end) } else { None }
    }
}

/// By how much two numbers differ, as a share of the larger one: 0 where they are equal, and never less than doubles can
/// tell where they are not; `None` where one is no number or infinite.
fn difference(then: &Number, now: &Number) -> Option<f64> {
    if then.compare(now)? == std::cmp::Ordering::Equal {
        return Some(0.0);
    }
    let double = |number: &Number| number.to_string().parse::<f64>().ok().filter(|double| double.is_finite());
    let (then, now) = (double(then)?, double(now)?);
    Some(((then - now).abs() / then.abs().max(now.abs())).max(f64::EPSILON))
}

/// What to say of all of them.
fn report(
    layout: &Layout,
    plan: &Plan,
    gathered: &Gathered,
    outcomes: &[Outcome<'_>],
    asked: usize,
    records: usize,
) -> Done {
    let differing = outcomes.iter().filter(|outcome| matches!(outcome.now, Now::Differs { .. })).count();
    let failed = outcomes.iter().filter(|outcome| matches!(outcome.now, Now::Failed { .. })).count();
    let stopped = outcomes.len() < asked;
    let done = format!("{} of {} computed again", outcomes.len(), count(records as u128, "record"));
    if differing + failed == 0 && !stopped {
        let mut lines = vec![format!("{done}: all the same")];
        let other = outcomes.iter().filter(|outcome| outcome.record.record.header.code != outcome.code).count();
        if other > 0 {
            lines.push(format!("note: {} by code that is not the one that runs now", count(other as u128, "record")));
        }
        return printed(io::stdout().lock().write_all((lines.join("\n") + "\n").as_bytes()));
    }
    let mut parts = vec![done];
    if differing > 0 {
        parts.push(format!("{differing} with another result"));
    }
    if failed > 0 {
        parts.push(format!("{failed} failed"));
    }
    if stopped && parts.len() == 1 {
        parts.push("all the same".to_owned());
    }
    let message = parts.join(", ");
    let (exit, message) = match (stopped, differing) {
        (true, _) => (Exit::Interrupted, format!("stopped: {message}")),
        (false, 0) => (Exit::ChunksFailed, message),
        (false, _) => (Exit::VerifyDiffers, message),
    };
    let mut failure = Failure::new(exit, message);
    let odd = || outcomes.iter().filter(|outcome| !matches!(outcome.now, Now::Same));
    for outcome in odd().take(LISTED) {
        failure = describe(plan, gathered, outcome).into_iter().fold(failure, Failure::detail);
    }
    if odd().count() > LISTED {
        failure = failure.detail(format!("... and {} more", odd().count() - LISTED));
    }
    let by = odd().filter_map(|outcome| match outcome.now {
        Now::Differs { by, .. } => by,
        Now::Same | Now::Failed { .. } => None,
    });
    if differing > 1
        && let Some(most) = by.reduce(f64::max)
    {
        failure = failure.detail(format!("the largest relative difference is {most:.1e}"));
    }
    let root = layout.root();
    let dir = Word::from(root.as_os_str().to_owned()).quoted();
    let dir = if dir == "." { String::new() } else { format!(" --dir {dir}") };
    if odd().any(|outcome| outcome.record.record.header.code != outcome.code) {
        let root = Word::from(root.as_os_str().to_owned()).quoted();
        failure = failure.help(format!(
            "the program is not the one that computed them: split run --redo {root} computes anew what older versions did"
        ));
    }
    if odd()
        .any(|outcome| outcome.record.record.header.code == outcome.code && matches!(outcome.now, Now::Differs { .. }))
    {
        failure = failure
            .help("the same items should give the same bytes: mind random numbers without a seed, clocks, the order of threads")
            .help("a difference in the last digits alone can come from another machine or another library");
    }
    match odd().next() {
        Some(outcome) => {
            let items = match outcome.now {
                Now::Differs { items, .. } | Now::Failed { items, .. } => items,
                Now::Same => outcome.record.record.header.items,
            };
            let first = items.start();
            let chunk = plan.chunks_of(items).0;
            let what = if plan.chunk(chunk) == items {
                format!("chunk-{chunk}")
            } else {
                let one = crate::space::Interval::new(first, first + 1).expect("one item");
                plan.space.describe(one)
            };
            Err(failure.help(format!("split try {what}{dir} shows one of them")))
        }
        None => Err(failure),
    }
}

/// One that is not the same.
fn describe(plan: &Plan, gathered: &Gathered, outcome: &Outcome<'_>) -> Vec<String> {
    let header = &outcome.record.record.header;
    let items = header.items;
    let path = gathered.path(outcome.record);
    let mut lines = vec![format!("{}, {}", reduce::chunks(plan, items), reduce::items(plan, items))];
    let of = match &outcome.now {
        Now::Differs { items: of, others: 0, .. } | Now::Failed { items: of, .. } => {
            Some((*of, reduce::items(plan, *of)))
        }
        Now::Differs { items: of, others, .. } => {
            Some((*of, format!("{} and {}", reduce::items(plan, *of), count(*others as u128, "other"))))
        }
        Now::Same => None,
    };
    lines.extend(of.filter(|(of, _)| *of != items).map(|(_, of)| format!("  of these, {of}")));
    lines.extend([format!("  then: on {}, in {}", header.host, path.display())]);
    let indented = |lines: &[String]| lines.iter().map(|line| format!("    {line}")).collect::<Vec<_>>();
    match &outcome.now {
        Now::Same => {}
        Now::Differs { then, now, by, .. } => {
            lines.extend(indented(then));
            lines.push("  now:".to_owned());
            lines.extend(indented(now));
            match by {
                Some(0.0) => lines.push("  the same number, written in another way".to_owned()),
                Some(by) if *by <= f64::EPSILON => lines.push("  relative difference below 2.3e-16".to_owned()),
                Some(by) => lines.push(format!("  relative difference {by:.1e}")),
                None => {}
            }
        }
        Now::Failed { cause, last_words, .. } => {
            lines.push(format!("  now: {cause}"));
            lines.extend(indented(&last_lines(last_words, LINES)));
        }
    }
    if header.code != outcome.code {
        let (then, now) = (header.code.short(), outcome.code.short());
        lines.push(format!("  the code is not the same: {then} then, {now} now"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_numbers_differ_by_a_share() {
        let number = |text: &str| {
            let mut digest = Digest::default();
            digest.take(text.as_bytes()).expect("in memory");
            digest.number()
        };
        assert_eq!(number(" 1.5\n"), Some(Number::Decimal(1.5)));
        assert_eq!(number("1\n2\n"), None);
        assert_eq!(number(&format!("{}1", " ".repeat(BYTES))), None, "too long to be one");
        let by = |then: &str, now: &str| difference(&number(then)?, &number(now)?);
        assert_eq!((by("2", "1.0"), by("1", "1.0"), by("-1", "1")), (Some(0.5), Some(0.0), Some(2.0)));
        assert_eq!(by("36893488147419103232", "36893488147419103233"), Some(f64::EPSILON));
        assert_eq!((by("nan", "1"), by("inf", "1")), (None, None));
    }
}
