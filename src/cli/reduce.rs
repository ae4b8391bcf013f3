//! `split reduce`.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use super::answer::{Wanted, answer};
use super::arguments::ReduceOptions;
use super::failure::Failure;
use super::output::{count, harmless, last_lines};
use super::standing::{last_jobs, why_held_or_removed};
use super::{Done, access_point, archive, progress};
use crate::answer::is_archive;
use crate::exit::Exit;
use crate::folder::{FolderError, Layout, locate};
use crate::plan::{Due, Identity, Plan, Reduction, Tolerance, Word};
use crate::pool::{EventLog, LockState, lock_state};
use crate::record::{Cause, Damage, Found, Gathered, Kind, gather, gather_merged};
use crate::reduce::{BadResult, CodeShare, MergeError, refused};
use crate::rows::{self, RowsError};
use crate::runner::STOPPED;
use crate::space::{Interval, Rows};
use crate::store::StoreError;

/// So many lines of a list are shown; the rest is counted.
const LISTED: usize = 20;

pub(super) fn reduce(options: &ReduceOptions) -> Done {
    if is_archive(&options.folder) {
        if options.archive.is_some() {
            return Err(Failure::new(Exit::Usage, "the partials are in an archive already"));
        }
        return of_archive(&options.folder, options);
    }
    let (layout, plan) = find(&options.folder)?;
    if let Some(file) = &options.archive
        && archive::check(&layout, file)? == archive::Progress::Noted
    {
        // It was cut short when all was packed.
        archive::remove(&layout, file)?;
        return of_archive(file, options);
    }
    merged(&layout, &plan, options)?;
    if let Some(file) = &options.archive {
        archive::write(&layout, file)?;
    }
    Ok(Exit::Success)
}

fn of_archive(file: &Path, options: &ReduceOptions) -> Done {
    let unpacked = archive::read(file)?;
    merged(&unpacked.layout, &unpacked.plan, options)
}

fn merged(layout: &Layout, plan: &Plan, options: &ReduceOptions) -> Done {
    let threads = access_point::be_gentle(&plan.site.access_point, options.threads, "--threads");
    access_point::limit_merging(threads.or(options.threads))?;
    let gathered = read_merged(layout, plan)?;
    let wanted = Wanted {
        partial: options.partial,
        // Partials that are packed and deleted are of a complete answer.
        tolerance: if options.archive.is_some() { Some(Tolerance::NONE) } else { options.tolerance },
        mixed: options.mixed,
        to: options.to.as_deref(),
    };
    let done = answer(layout, plan, &gathered, &wanted);
    // The process ends soon: giving back half a million pieces of memory one by one would only take time.
    std::mem::forget(gathered);
    done
}

/// The plan that a folder holds or belongs to.
pub(super) fn find(folder: &Path) -> Result<(Layout, Plan), Failure> {
    locate(folder).map_err(|error| {
        let exit = if matches!(error, FolderError::Unreadable { .. }) { Exit::Machine } else { Exit::NoPlan };
        let failure = Failure::from_error(exit, &error);
        match error {
            FolderError::Document { .. } => {
                failure.help("a copy may be in outputs/plan.json; or plan again with --force")
            }
            _ => failure.help("name the folder that `split plan` wrote, or its outputs/"),
        }
    })
}

/// The planned folder as the user types it. A merge in a job knows only its sandbox, which is gone when that is read.
pub(super) fn shown_root(layout: &Layout) -> String {
    let scratch = std::env::var_os("_CONDOR_SCRATCH_DIR").and_then(|scratch| Path::new(&scratch).canonicalize().ok());
    let here = layout.root().canonicalize().ok();
    if scratch.zip(here).is_some_and(|(scratch, here)| here.starts_with(scratch)) {
        return ".".to_owned();
    }
    Word::from(layout.root().as_os_str().to_owned()).quoted()
}

/// The partials of a plan, but for results that were merged on the way, where it makes no difference.
pub(super) fn read_merged(layout: &Layout, plan: &Plan) -> Result<Gathered, Failure> {
    read_with(layout, plan, gather_merged)
}

/// The partials of a plan.
pub(super) fn read(layout: &Layout, plan: &Plan) -> Result<Gathered, Failure> {
    read_with(layout, plan, gather)
}

/// Reads the partials, but leaves out the results that the plan's reducer refuses; and says which.
pub(super) fn read_without_refused(
    layout: &Layout,
    plan: &Plan,
    rows: &Rows,
) -> Result<(Gathered, Vec<String>), Failure> {
    let mut gathered = read(layout, plan)?;
    let (mut lines, mut number) = (Vec::new(), 0);
    loop {
        let refused = refused(plan, &gathered, rows).map_err(|error| explain(layout, plan, &error))?;
        if refused.is_empty() {
            break;
        }
        number += refused.len();
        for (place, bad) in refused.iter().take(LISTED - lines.len()) {
            let which = gathered.results[*place].record.header.items;
            let (chunks, items) = (chunks(plan, which), items(plan, which));
            lines.push(format!("note: left out, as {} does not take it: {chunks}, {items}: {bad}", plan.reduce));
        }
        let places = refused.into_iter().map(|(place, _)| place).collect();
        gathered.leave_out(&places, plan).map_err(StoreError::on("read", layout.outputs()))?;
    }
    if number > lines.len() {
        lines.push(format!("  ... and {} more", number - lines.len()));
    }
    Ok((gathered, lines))
}

type Gather = fn(&Path, &Plan, &(dyn Fn(u64) + Sync)) -> io::Result<Gathered>;

fn read_with(layout: &Layout, plan: &Plan, gather: Gather) -> Result<Gathered, Failure> {
    let gathered = read_here(layout, plan, gather)?;
    archive::refuse_packed(layout, &gathered)?;
    Ok(gathered)
}

fn read_here(layout: &Layout, plan: &Plan, gather: Gather) -> Result<Gathered, Failure> {
    let bar = progress::bar(plan.cut.chunks(), "reading");
    let gathered = gather(layout.outputs(), plan, &|read| bar.inc(read));
    bar.finish_and_clear();
    Ok(gathered.map_err(StoreError::on("read", layout.outputs()))?)
}

/// The partials of a plan, also where they are in an archive, and that.
pub(super) fn read_anywhere(
    layout: &Layout,
    plan: &Plan,
) -> Result<(Gathered, Option<(PathBuf, archive::Unpacked)>), Failure> {
    let gathered = read_here(layout, plan, gather)?;
    let Some(file) = archive::packed(layout, &gathered).filter(|file| file.exists()) else {
        archive::refuse_packed(layout, &gathered)?;
        return Ok((gathered, None));
    };
    let unpacked = archive::read(&file)?;
    let gathered = read_here(&unpacked.layout, plan, gather)?;
    Ok((gathered, Some((file, unpacked))))
}

/// The values of a plan's items that are kept beside it.
pub(super) fn rows(layout: &Layout, plan: &Plan) -> Result<Rows, Failure> {
    rows::of_plan(layout.outputs(), plan).map_err(|error| {
        let exit = if matches!(error, RowsError::Unreadable { .. }) { Exit::Machine } else { Exit::NoPlan };
        Failure::from_error(exit, &error).help("split plan, with the same options as before, writes it again")
    })
}

/// What the answer rests on.
pub(super) fn account(plan: &Plan, gathered: &Gathered) -> Vec<String> {
    let total = plan.space.count();
    let covered = gathered.covered();
    let records = count(gathered.records(), "record");
    let mut lines = vec![match gathered.tiling.gaps.is_empty() {
        true => format!("all {} covered once, by {records}; merged by {}", count(total, "item"), plan.reduce),
        false => format!(
            "PARTIAL: {covered} of {} covered once ({:.4} %), by {records}; merged by {}",
            count(total, "item"),
            100.0 * covered as f64 / total as f64,
            plan.reduce
        ),
    }];
    if let Some(shards) = plan.shards().filter(|_| !gathered.groups.is_empty()) {
        let all = count(shards.count(plan.cut.chunks()), "group");
        lines.push(format!("{} of {all} were merged on the way", gathered.groups.len()));
    }
    let missing =
        gathered.tiling.gaps.iter().map(|&gap| format!("  missing: {}, {}", chunks(plan, gap), items(plan, gap)));
    lines.extend(shorten(missing, gathered.tiling.gaps.len()));
    if gathered.repeated > 0 {
        let what = count(gathered.repeated, "more result");
        lines.push(format!("{what} for items that are covered already: counted once"));
    }
    let differing = gathered.differing.iter().map(|&interval| {
        format!(
            "note: computed more than once, with different results: {}, {}",
            chunks(plan, interval),
            items(plan, interval)
        )
    });
    lines.extend(shorten(differing, gathered.differing.len()));
    let shares = CodeShare::of(plan, gathered);
    if shares.len() > 1 {
        for share in shares {
            let which = match share.planned {
                true => "the code that was planned",
                false if plan.knows_code() => "other code (older, or mended since)",
                false => "one version of the code and of what URLs brought",
            };
            let records = count(share.records, "record");
            lines.push(format!("note: {records}, {}, by {which}, {}", count(share.items, "item"), share.code.short()));
        }
    }
    for (path, damage) in gathered.damaged.iter().take(LISTED) {
        lines.push(format!("note: {} {damage}; its items are covered without it", path.display()));
    }
    if let Some((path, identity)) = gathered.foreign.first() {
        let partials = count(gathered.foreign.len() as u128, "partial");
        let example = path.display();
        lines.push(format!("note: left out {partials} of another plan, such as {example}, of {}", identity.short()));
    }
    lines
}

/// Items in the user's terms.
pub(super) fn items(plan: &Plan, interval: Interval) -> String {
    let what = if interval.count() == 1 { "item" } else { "items" };
    format!("{what} {}", plan.space.describe(interval))
}

/// The chunks that items are in.
pub(super) fn chunks(plan: &Plan, interval: Interval) -> String {
    match plan.chunks_of(interval) {
        (first, last) if first == last => format!("chunk {first}"),
        (first, last) => format!("chunks {first} to {last}"),
    }
}

/// The first lines of a list of `length`, and how many more there are.
fn shorten(lines: impl Iterator<Item = String>, length: usize) -> Vec<String> {
    let mut shown: Vec<_> = lines.take(LISTED).collect();
    if length > shown.len() {
        shown.push(format!("  ... and {} more", length - shown.len()));
    }
    shown
}

/// Why items are missing, by chunk, and what to type next.
pub(super) fn incomplete(layout: &Layout, plan: &Plan, gathered: &Gathered) -> Failure {
    let failure = missing(layout, plan, gathered);
    let root = shown_root(layout);
    if let LockState::Live { why, .. } = lock_state(&layout.dag()) {
        return failure
            .detail(format!("a DAGMan is at work here: {why}"))
            .help("wait for it: condor_wait plan.dag.dagman.log; condor_q -nobatch shows its jobs, condor_q -hold why some wait")
            .help("--partial answers without them, and says so");
    }
    if layout.stands_alone() {
        return failure.help("--partial answers without them, and says so");
    }
    let refused = gathered.failures.iter().find_map(|found| match &found.record.header.kind {
        Kind::Failure(Cause::BadResult { text, .. }) => Some(cure_of_line(&plan.reduce, text)),
        _ => None,
    });
    let failure = refused.into_iter().fold(failure, Failure::help);
    failure
        .help(format!("split run {root} computes here what is missing"))
        .help(format!("on the pool: condor_submit_dag plan.dag where a DAG failed; else split resume {root} first"))
        .help("--partial answers without them, and says so")
}

/// Why items are missing, by chunk.
pub(super) fn missing(layout: &Layout, plan: &Plan, gathered: &Gathered) -> Failure {
    let gaps = &gathered.tiling.gaps;
    let missing: u128 = gaps.iter().map(|gap| gap.count()).sum();
    let reasons = Reasons::new(plan, gathered, last_words_of_log(layout, plan));
    let chunks = gaps.iter().flat_map(|&gap| {
        let (first, last) = plan.chunks_of(gap);
        (first..=last).filter_map(move |chunk| Some((chunk, plan.chunk(chunk).intersect(gap)?)))
    });
    let lines = chunks.take(LISTED).map(|(chunk, within)| {
        let why = reasons.of(plan, gathered, chunk, within).join("\n    ");
        format!("chunk {chunk}, {}: {why}", items(plan, within))
    });
    let number: u128 = gaps.iter().map(|&gap| plan.chunks_of(gap)).map(|(a, b)| u128::from(b - a) + 1).sum();
    let what = format!("{missing} of {} have no result", count(plan.space.count(), "item"));
    let mut failure = Failure::new(reasons.exit(), what);
    for line in shorten(lines, usize::try_from(number).unwrap_or(usize::MAX)) {
        failure = failure.detail(line);
    }
    let stray = reasons
        .stray
        .iter()
        .map(|(path, damage)| format!("{} is damaged and may have held some of them: {damage}", path.display()));
    for line in shorten(stray, reasons.stray.len()) {
        failure = failure.detail(line);
    }
    // A DAG is stopped where nothing has a result: what was said then is about all that is missing.
    let stopped = layout.root().join(STOPPED);
    if gathered.results.is_empty() && stopped.is_file() {
        let stopped = Word::from(stopped.into_os_string()).quoted();
        failure = failure.detail(format!("{stopped} says why the DAG was stopped"));
    }
    failure
}

/// What is known of chunks without a result, by the chunk's number: a damaged partial has nothing but its name to
/// say whose it was.
struct Reasons<'a> {
    damaged: BTreeMap<u64, (&'a Path, &'a Damage)>,
    /// Damaged partials of chunks that an earlier cut made: their numbers do not tell whose items they held.
    stray: Vec<(&'a Path, &'a Damage)>,
    failed: BTreeMap<u64, Vec<&'a Found>>,
    foreign: BTreeMap<u64, (&'a Path, Identity)>,
    /// What HTCondor says of jobs that are on hold or were removed.
    held_or_removed: BTreeMap<u64, String>,
}

/// What the event log says of the chunks whose jobs are on hold, or were removed. A log that cannot be read says nothing.
fn last_words_of_log(layout: &Layout, plan: &Plan) -> BTreeMap<u64, String> {
    let mut log = EventLog::new(&layout.event_log());
    if log.read().is_err() || log.history().jobs().is_empty() {
        return BTreeMap::new();
    }
    let jobs = last_jobs(plan, log.history());
    let jobs = (0u64..).zip(jobs).filter_map(|(chunk, job)| Some((chunk, &log.history().jobs()[job? as usize])));
    jobs.filter_map(|(chunk, job)| Some((chunk, harmless(&why_held_or_removed(job)?)))).collect()
}

impl<'a> Reasons<'a> {
    fn new(plan: &Plan, gathered: &'a Gathered, held_or_removed: BTreeMap<u64, String>) -> Self {
        let missing = |chunk: u64| chunk < plan.cut.chunks() && !gathered.tiling.covers(plan.chunk(chunk));
        let mut failed: BTreeMap<u64, Vec<&Found>> = BTreeMap::new();
        for found in &gathered.failures {
            if let Some(chunk) = chunk_of_name(&gathered.path(found)) {
                failed.entry(chunk).or_default().push(found);
            }
        }
        let (mut damaged, mut stray) = (BTreeMap::new(), Vec::new());
        let sound = || gathered.results.iter().filter_map(|found| chunk_of_name(&gathered.path(found)));
        let sound: BTreeSet<u64> = if gathered.damaged.is_empty() { BTreeSet::new() } else { sound().collect() };
        for (path, damage) in &gathered.damaged {
            match chunk_of_name(path) {
                Some(chunk) if missing(chunk) => drop(damaged.insert(chunk, (path.as_path(), damage))),
                // Another attempt at the same chunk came back whole.
                Some(chunk) if sound.contains(&chunk) => {}
                _ => stray.push((path.as_path(), damage)),
            }
        }
        let foreign = gathered.foreign.iter().filter_map(|(path, identity)| {
            let chunk = chunk_of_name(path).filter(|&chunk| missing(chunk))?;
            Some((chunk, (path.as_path(), *identity)))
        });
        Self { damaged, stray, failed, foreign: foreign.collect(), held_or_removed }
    }

    /// The exit code that says the worst of what is missing.
    fn exit(&self) -> Exit {
        let mut damage = self.damaged.values().chain(&self.stray).map(|(_, damage)| damage);
        if damage.clone().any(|damage| matches!(damage, Damage::Corrupt { .. })) {
            Exit::Corrupt
        } else if damage.next().is_some() {
            Exit::Truncated
        } else if !self.foreign.is_empty() {
            Exit::OtherPlan
        } else {
            Exit::Missing
        }
    }

    /// Why these items of a chunk have no result.
    fn of(&self, plan: &Plan, gathered: &Gathered, chunk: u64, within: Interval) -> Vec<String> {
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some((path, damage)) = self.damaged.get(&chunk) {
            return vec![format!("{} is damaged: {damage}", name(path))];
        }
        // Nothing came back from such a job; what an attempt before has said is worth telling, too.
        let mut lines: Vec<String> = self.held_or_removed.get(&chunk).cloned().into_iter().collect();
        let failed = self.failed.get(&chunk).into_iter().flatten();
        let failed = failed.filter(|found| found.record.header.items.intersect(within).is_some());
        if let Some(found) = gathered.newest_first(failed.copied()).first()
            && let Kind::Failure(cause) = &found.record.header.kind
        {
            let on = format!("{cause} (on {})", found.record.header.host);
            lines.push(if lines.is_empty() { on } else { format!("an attempt has said: {on}") });
            let mut words = Vec::new();
            // What cannot be read again is not shown.
            let _ = found.record.payload.pieces::<io::Error>(&gathered.path(found), &mut |piece| {
                words.extend_from_slice(piece);
                Ok(())
            });
            lines.extend(last_lines(&words, 3));
            return lines;
        }
        if !lines.is_empty() {
            return lines;
        }
        if let Some((path, identity)) = self.foreign.get(&chunk) {
            let ours = plan.identity.short();
            return vec![format!("{} is of plan {}, not of {ours}", name(path), identity.short())];
        }
        vec!["no record".to_owned()]
    }
}

/// The number in the name of a chunk's partial.
pub(super) fn chunk_of_name(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_prefix("chunk-")?.split('.').next()?.parse().ok()
}

/// How a program comes to print what the reducer takes.
pub(super) fn cure(plan: &Plan, bad: &BadResult) -> String {
    let reduce = &plan.reduce;
    match bad.innermost() {
        BadResult::NotANumber { text, .. } => not_a_number(innermost_reduction(reduce, bad), text),
        BadResult::NotPerItem { .. } => {
            let one = "print one line for each item, in their order";
            let summary = r#"{"n": .., "mean": .., "var": ..}, var being the unbiased sample variance (Python's statistics.variance)"#;
            match innermost_reduction(reduce, bad) {
                Reduction::Mean | Reduction::Stats => format!("{one}, or {summary}"),
                Reduction::Histogram(_) => format!(r#"{one}, or the counts: {{"key": count, ..}}"#),
                _ => one.to_owned(),
            }
        }
        BadResult::SeveralGroups { .. } => {
            "print one line for each item, in their order; or name a value in the command, and it runs for each item"
                .to_owned()
        }
        BadResult::Shape { .. } => "each result has to be a number, or each an array of the same shape".to_owned(),
        BadResult::NoField { .. } => "each result has to have all the fields that --reduce names".to_owned(),
        BadResult::NotDue { .. } => {
            format!(
                "{reduce} takes what is named above; a program that prints other things too writes its result to {{result}}"
            )
        }
        _ => "when it was computed another reducer took it".to_owned(),
    }
}

/// The reducer that a bad result was for: of fields, the field's.
fn innermost_reduction<'a>(reduce: &'a Reduction, bad: &BadResult) -> &'a Reduction {
    match (reduce, bad) {
        (Reduction::Fields(fields), BadResult::Field { field, .. }) => {
            fields.iter().find(|(name, _)| name == field).map_or(reduce, |(_, reduction)| reduction)
        }
        _ => reduce,
    }
}

/// Whether a result looks as it was meant to, and the reducer is another's.
fn is_fit_for_another(bad: &BadResult) -> bool {
    match bad {
        BadResult::NoField { .. } | BadResult::Field { .. } | BadResult::NotDue { .. } | BadResult::Shape { .. } => {
            true
        }
        BadResult::NotANumber { text, .. } => text.starts_with('{'),
        _ => false,
    }
}

/// How a program comes to print what the reducer takes, where it was refused before it was recorded for the line `text`.
pub(super) fn cure_of_line(reduce: &Reduction, text: &str) -> String {
    let takes = match reduce.due() {
        Due::Numbers | Due::Summaries | Due::Anything => return not_a_number(reduce, text),
        Due::Counts => "numbers, or counts by key, one a line",
        Due::Truths => "true, false or numbers, one a line",
        Due::Fields => "JSON objects, or lines of the form name=value",
    };
    format!("{reduce} takes {takes}; a program that prints other things too writes its result to {{result}}")
}

fn not_a_number(reduce: &Reduction, text: &str) -> String {
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
    if text.starts_with("[1] ") {
        r#"R's print() counts lines: cat(x, "\n") prints the number alone"#.to_owned()
    } else if text.split_once(" = ").is_some_and(|(name, _)| is_name(name)) {
        "Octave and MATLAB name what they show: disp(x) prints the number alone".to_owned()
    } else {
        let takes = format!("{reduce} takes numbers, one a line");
        format!("{takes}; a program that prints other things too writes its result to {{result}}")
    }
}

/// The exit code where a partial cannot be read again: it may hold what was never written so.
pub(super) fn of_reading(error: &io::Error) -> Exit {
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Exit::Corrupt,
        _ => Exit::Machine,
    }
}

pub(super) fn explain(layout: &Layout, plan: &Plan, error: &MergeError) -> Failure {
    let exit = match error {
        MergeError::BadResult { .. } | MergeError::NoNumber => Exit::BadResult,
        MergeError::Command { .. } => Exit::ReduceCommand,
        MergeError::File { source, .. } => of_reading(source),
    };
    let mut failure = Failure::from_error(exit, error);
    match error {
        MergeError::BadResult { items: which, partial, source } => {
            let partial = Word::from(partial.as_os_str().to_owned()).quoted();
            let root = shown_root(layout);
            failure = failure.detail(format!("{}, {}", chunks(plan, *which), items(plan, *which)));
            let cure = cure(plan, source);
            if layout.stands_alone() {
                return failure.help(cure);
            }
            let again = "where the results are right and --reduce is not: the same plan again with --keep and a --reduce \
                         that takes them computes nothing again";
            failure = match is_fit_for_another(source) {
                true => failure.help(again).help(cure),
                false => failure.help(cure).help(again),
            };
            failure
                .help(format!("mend the program, then split run --redo=all {root} computes all of it again"))
                .help(format!("or this result alone: mv {partial} {partial}.bad; split run --mixed {root}"))
        }
        MergeError::Command { items: which, last_words, .. } => {
            failure = failure.detail(format!("given the results of {}, {}", chunks(plan, *which), items(plan, *which)));
            for line in last_lines(last_words.as_bytes(), 10) {
                failure = failure.detail(line);
            }
            failure.help("the results themselves are safe: mend the command, plan again with --keep, and reduce again")
        }
        MergeError::NoNumber => failure.help("--reduce concat takes any text"),
        MergeError::File { .. } => failure,
    }
}
