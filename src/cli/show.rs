//! `split show`.

use std::collections::HashSet;
use std::io::{self, Write};

use super::Done;
use super::arguments::ShowOptions;
use super::failure::printed;
use super::output::{Files, count, in_pieces, last_lines};
use super::{access_point, reduce};
use crate::plan::{Plan, Word};
use crate::record::{Found, Gathered, Kind, Part};
use crate::rows::as_given;
use crate::space::{Rows, Space};

/// So many lines of a result are shown, and so many items.
const LINES: usize = 10;
/// Of a longer result the end is looked at alone.
const BYTES: usize = 1 << 16;

pub(super) fn show(options: &ShowOptions) -> Done {
    let (layout, plan) = reduce::find(&options.dir)?;
    let chunk = options.chunk.find(&plan)?;
    access_point::read_gently(&plan.site.access_point)?;
    let gathered = reduce::read(&layout, &plan)?;
    let rows = as_given(&plan.space, reduce::rows(&layout, &plan)?, plan.resources.shared_filesystem);
    let text = describe(&plan, &rows, &gathered, chunk).join("\n") + "\n";
    printed(io::stdout().lock().write_all(text.as_bytes()))
}

/// A chunk's items, command and records.
fn describe(plan: &Plan, rows: &Rows, gathered: &Gathered, chunk: u64) -> Vec<String> {
    let items = plan.chunk(chunk);
    let mut lines = vec![format!("chunk {chunk} of {}: {}", plan.cut.chunks(), reduce::items(plan, items))];
    if let Space::Parameters(_) = plan.space {
        let listed = (items.start()..items.stop()).take(LINES);
        lines.extend(listed.map(|item| format!("  item {}", plan.space.describe_item(item, rows))));
        let more = items.count().saturating_sub(LINES as u128);
        if more > 0 {
            lines.push(format!("  ... and {more} more"));
        }
    }
    match &plan.command {
        Some(_) => {
            let words = plan.words(chunk, items, rows).unwrap_or_default();
            let words: Vec<_> = words.iter().map(Word::quoted).collect();
            lines.push(format!("command: {}", words.join(" ")));
        }
        None => lines.push("no command: the items themselves are the results".to_owned()),
    }
    let of_chunk = |found: &&Found| found.record.header.items.intersect(items).is_some();
    let chosen: HashSet<usize> = gathered.tiling.chosen.iter().copied().collect();
    let results = gathered.results.iter().enumerate().filter(|(_, found)| of_chunk(found)).map(|(place, found)| {
        let counts = if chosen.contains(&place) { "counts" } else { "does not count, others cover its items" };
        (found, format!("result, {counts}"))
    });
    let failures = gathered.failures.iter().filter(of_chunk).map(|found| match &found.record.header.kind {
        Kind::Failure(cause) => (found, cause.to_string()),
        Kind::Whole | Kind::Each | Kind::Bundle | Kind::Merged | Kind::Segment(_) => (found, String::new()),
    });
    let segments = gathered.segments.iter().filter(of_chunk).map(|found| match &found.record.header.kind {
        Kind::Segment(segment) if segment.finished => (found, format!("segment {}, the last", segment.number)),
        Kind::Segment(segment) => (found, format!("segment {}", segment.number)),
        _ => (found, String::new()),
    });
    let mut segments: Vec<_> = segments.collect();
    segments.sort_by_key(|(found, _)| match &found.record.header.kind {
        Kind::Segment(segment) => segment.number,
        _ => 0,
    });
    let before = lines.len();
    for (found, what) in segments.into_iter().chain(results).chain(failures) {
        lines.extend(describe_record(plan, gathered, found, &what));
    }
    if lines.len() == before {
        lines.push("no record".to_owned());
    }
    lines
}

fn describe_record(plan: &Plan, gathered: &Gathered, found: &Found, what: &str) -> Vec<String> {
    let header = &found.record.header;
    let path = gathered.path(found);
    let mut lines = vec![
        format!("{}: {what}", path.display()),
        format!(
            "  {}, {:.3} s on {}, attempt {}, code {}",
            reduce::items(plan, header.items),
            header.seconds,
            header.host,
            header.attempt,
            header.code.short()
        ),
    ];
    let mut end = Vec::new();
    let mut files = Files::default();
    let mut left_out = 0;
    let read = found.record.parts(&path, &mut |part, content| {
        match part {
            Part::Text(_) => in_pieces(content, &mut |piece| {
                end.extend_from_slice(piece);
                end.drain(..end.len().saturating_sub(BYTES));
                Ok(())
            })?,
            Part::LeftOut(items) => left_out += items.count(),
            Part::File(file) => files.add(file),
        }
        Ok(())
    });
    match read {
        Ok(()) => {
            lines.extend(last_lines(&end, LINES).into_iter().map(|line| format!("  {line}")));
            if left_out > 0 {
                lines.push(format!("  {} left out by --where", count(left_out, "item")));
            }
            lines.extend(files.describe());
        }
        Err(error) => lines.push(format!("  cannot be read again: {error}")),
    }
    lines
}
