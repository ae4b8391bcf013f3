//! `split reduce`.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use super::Done;
use super::arguments::ReduceOptions;
use super::failure::{Failure, printed};
use super::output::{count, last_lines, say};
use super::progress;
use crate::exit::Exit;
use crate::folder::{FolderError, Layout, locate};
use crate::plan::{Identity, Plan, Word};
use crate::record::{Damage, Gathered, Kind, gather};
use crate::reduce::{Answer, AnswerFile, CodeShare, MergeError, ResultDocument, merge};
use crate::space::Interval;
use crate::store::{self, Draft, StoreError};

/// So many lines of a list are shown; the rest is counted.
const LISTED: usize = 20;
/// A text of at most so many bytes is part of result.json; a longer one is a file of its own.
const INLINE: u64 = 1 << 16;

pub(super) fn reduce(options: &ReduceOptions) -> Done {
    let (layout, plan) = find(&options.folder)?;
    let gathered = read(&layout, &plan)?;
    let done = answer(&layout, &plan, &gathered, options.partial);
    // The process ends here: giving back half a million pieces of memory one by one would only take time.
    std::mem::forget(gathered);
    done
}

/// The plan that a folder holds or belongs to.
pub(super) fn find(folder: &Path) -> Result<(Layout, Plan), Failure> {
    locate(folder).map_err(|error| {
        let exit = if matches!(error, FolderError::Unreadable { .. }) { Exit::Machine } else { Exit::NoPlan };
        Failure::from_error(exit, &error).help("name the folder that `split plan` wrote, or its outputs/")
    })
}

/// The partials of a plan.
pub(super) fn read(layout: &Layout, plan: &Plan) -> Result<Gathered, Failure> {
    let bar = progress::bar(plan.cut.chunks(), "reading");
    let gathered = gather(layout.outputs(), plan, &|read| bar.inc(read));
    bar.finish_and_clear();
    Ok(gathered.map_err(StoreError::on("read", layout.outputs()))?)
}

/// Proves coverage, merges, prints the answer and writes result.json.
pub(super) fn answer(layout: &Layout, plan: &Plan, gathered: &Gathered, partial: bool) -> Done {
    if !gathered.tiling.gaps.is_empty() && (!partial || gathered.tiling.chosen.is_empty()) {
        return Err(incomplete(layout, plan, gathered));
    }
    let bar = progress::bar(gathered.tiling.chosen.len() as u64, "merging");
    let base = layout.root().join(plan.base.as_os_str());
    let merged = merge(&plan.reduce, gathered, layout.root(), &base, &|merged| bar.inc(merged));
    bar.finish_and_clear();
    let answer = merged.map_err(|error| explain(plan, &error))?;
    let (document, mut file, text) = match answer {
        Answer::Number(number) => (ResultDocument::of_number(plan, gathered, &number), None, format!("{number}\n")),
        Answer::File(file) => {
            let (document, file) = record_file(layout, plan, gathered, file)?;
            (document, Some(file), String::new())
        }
    };
    store::write(&layout.result(), &document.to_json())?;
    for line in account(plan, gathered) {
        say(&line);
    }
    let mut out = io::stdout().lock();
    printed(match &mut file {
        Some(file) => io::copy(file, &mut out).map(drop).and_then(|()| out.flush()),
        None => out.write_all(text.as_bytes()),
    })
}

/// Notes an answer that is a file: its text where that is short, else as a file of its own.
fn record_file(
    layout: &Layout,
    plan: &Plan,
    gathered: &Gathered,
    mut file: File,
) -> Result<(ResultDocument, File), Failure> {
    let path = layout.result_data();
    let failed = |doing| StoreError::on(doing, &path);
    let bytes = file.seek(io::SeekFrom::End(0)).map_err(failed("read"))?;
    file.rewind().map_err(failed("read"))?;
    if bytes <= INLINE {
        let mut content = Vec::new();
        file.read_to_end(&mut content).map_err(failed("read"))?;
        file.rewind().map_err(failed("read"))?;
        if let Ok(text) = String::from_utf8(content) {
            return Ok((ResultDocument::of_text(plan, gathered, &text), file));
        }
    }
    let mut hasher = blake3::Hasher::new();
    let mut draft = Draft::new(&path, 0o666)?;
    let mut buffer = vec![0; 1 << 18];
    loop {
        let got = file.read(&mut buffer).map_err(failed("read"))?;
        if got == 0 {
            break;
        }
        hasher.update(&buffer[..got]);
        draft.write_all(&buffer[..got]).map_err(failed("write"))?;
    }
    draft.commit()?;
    file.rewind().map_err(failed("read"))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let described = AnswerFile { name, bytes, identity: Identity::of(&hasher) };
    Ok((ResultDocument::of_file(plan, gathered, described), file))
}

/// What the answer rests on.
fn account(plan: &Plan, gathered: &Gathered) -> Vec<String> {
    let total = plan.space.count();
    let covered = gathered.covered();
    let records = count(gathered.tiling.chosen.len() as u128, "record");
    let mut lines = vec![match gathered.tiling.gaps.is_empty() {
        true => format!("all {} covered once, by {records}; merged by {}", count(total, "item"), plan.reduce),
        false => format!(
            "PARTIAL: {covered} of {} covered once ({:.4} %), by {records}; merged by {}",
            count(total, "item"),
            100.0 * covered as f64 / total as f64,
            plan.reduce
        ),
    }];
    let missing =
        gathered.tiling.gaps.iter().map(|&gap| format!("  missing: {}, {}", chunks(plan, gap), items(plan, gap)));
    lines.extend(shorten(missing, gathered.tiling.gaps.len()));
    if gathered.repeated > 0 {
        let what = count(gathered.repeated as u128, "more result");
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
    if shares.len() > 1 || shares.iter().any(|share| !share.planned) {
        for share in shares {
            let which = if share.planned { "the code that was planned" } else { "other code (older, or mended since)" };
            let records = count(share.records, "record");
            lines.push(format!("note: {records}, {}, by {which}, {}", count(share.items, "item"), share.code.short()));
        }
    }
    for (path, damage) in gathered.damaged.iter().take(LISTED) {
        lines.push(format!("note: {} {damage}; its items are covered without it", path.display()));
    }
    if let Some((path, identity)) = gathered.foreign.first() {
        let number = gathered.foreign.len();
        let which = format!("such as {}, of plan {}", path.display(), identity.short());
        lines.push(format!(
            "note: left out {}, {which}",
            count(number as u128, "partial of another plan").replace("plans", "plan")
        ));
    }
    lines
}

/// Items in the user's terms.
fn items(plan: &Plan, interval: Interval) -> String {
    let what = if interval.count() == 1 { "item" } else { "items" };
    format!("{what} {}", plan.space.describe(interval))
}

/// The chunks that items are in.
fn chunks(plan: &Plan, interval: Interval) -> String {
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

/// Why items are missing, by chunk.
fn incomplete(layout: &Layout, plan: &Plan, gathered: &Gathered) -> Failure {
    let missing: u128 = gathered.tiling.gaps.iter().map(|gap| gap.count()).sum();
    let mut exit = Exit::Missing;
    let mut lines = Vec::new();
    let mut length = 0;
    // A gap is listed chunk by chunk, but no more of them than are shown.
    for &gap in &gathered.tiling.gaps {
        let (first, last) = plan.chunks_of(gap);
        for chunk in first..=last {
            length += 1;
            let room = lines.len() < LISTED;
            if !room && gathered.damaged.is_empty() && gathered.foreign.is_empty() {
                length += usize::try_from(last - chunk).unwrap_or(usize::MAX);
                break;
            }
            let within = plan.chunk(chunk).intersect(gap).expect("a chunk of the gap");
            let (why, found) = reason(plan, gathered, chunk, within);
            if severity(found) > severity(exit) {
                exit = found;
            }
            if room {
                lines.push(format!("chunk {chunk}, {}: {}", items(plan, within), why.join("\n    ")));
            }
        }
    }
    let mut failure = Failure::new(exit, format!("{missing} of {} have no result", count(plan.space.count(), "item")));
    for line in lines {
        failure = failure.detail(line);
    }
    if length > LISTED {
        failure = failure.detail(format!("... and {} more", length - LISTED));
    }
    let root = Word::from(layout.root().as_os_str().to_owned()).quoted();
    failure
        .help(format!("split run {root} computes here what is missing; condor_submit_dag plan.dag does so on the pool"))
        .help("--partial answers without them, and says so")
}

fn severity(exit: Exit) -> u8 {
    match exit {
        Exit::Corrupt => 3,
        Exit::Truncated => 2,
        Exit::OtherPlan => 1,
        _ => 0,
    }
}

/// Why these items of a chunk have no result.
fn reason(plan: &Plan, gathered: &Gathered, chunk: u64, within: Interval) -> (Vec<String>, Exit) {
    let prefix = format!("chunk-{chunk:06}.");
    let is_its =
        |path: &Path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(prefix.as_bytes()));
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if let Some((path, damage)) = gathered.damaged.iter().find(|(path, _)| is_its(path)) {
        let exit = if matches!(damage, Damage::Truncated { .. }) { Exit::Truncated } else { Exit::Corrupt };
        return (vec![format!("{} is damaged: {damage}", name(path))], exit);
    }
    let failed = gathered.failures.iter().filter(|found| found.record.header.items.intersect(within).is_some());
    // Of several attempts the last: the highest retry, then by name, so that the same records say the same.
    let last = failed.max_by_key(|found| &*found.record.header.attempt);
    if let Some(found) = last {
        let Kind::Failure(cause) = &found.record.header.kind else { return (Vec::new(), Exit::Missing) };
        let mut lines = vec![format!("{cause} (on {})", found.record.header.host)];
        let mut words = Vec::new();
        let path = gathered.path(found);
        // What cannot be read again is not shown.
        let _ = found.record.payload.pieces::<io::Error>(&path, &mut |piece| {
            words.extend_from_slice(piece);
            Ok(())
        });
        lines.extend(last_lines(&words, 3));
        return (lines, Exit::Missing);
    }
    if let Some((path, identity)) = gathered.foreign.iter().find(|(path, _)| is_its(path)) {
        let ours = plan.identity.short();
        return (vec![format!("{} is of plan {}, not of {ours}", name(path), identity.short())], Exit::OtherPlan);
    }
    (vec!["no record".to_owned()], Exit::Missing)
}

fn explain(plan: &Plan, error: &MergeError) -> Failure {
    let exit = match error {
        MergeError::BadResult { .. } | MergeError::NoNumber => Exit::BadResult,
        MergeError::Command { .. } => Exit::ReduceCommand,
        MergeError::File { .. } => Exit::Machine,
    };
    let mut failure = Failure::from_error(exit, error);
    match error {
        MergeError::BadResult { items: which, .. } => failure
            .detail(format!("{}, {}", chunks(plan, *which), items(plan, *which)))
            .help(format!("{} takes numbers, one a line; --reduce concat takes any text", plan.reduce)),
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
