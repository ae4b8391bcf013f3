//! Cutting by what has been computed before: the records of a planned folder say how long its items took.
//!
//! Only records of the same items, the same command and the same code are asked, and only where they speak for all items. Of a
//! command that names its chunk nothing is cut anew: another cut is another plan.

use std::time::Duration;

use super::arguments::WhatOptions;
use super::cost::{Expected, milliseconds};
use super::failure::Failure;
use super::outlook::OVERHEAD;
use super::output::{count, fine_seconds, say, seconds};
use super::request::{Knowledge, Known, Request};
use super::{access_point, jobs, reduce};
use crate::cut::{Cut, Measured, Timed};
use crate::exit::Exit;
use crate::folder::Layout;
use crate::plan::{Command, Identity, Plan, Probe};
use crate::record::{Cause, Gathered, Kind};
use crate::space::Interval;

/// So many gaps are cut out one by one.
const MOST_GAPS: usize = 10_000;
/// Of plans with more chunks than this the rest is not cut anew.
const MOST_CHUNKS: u64 = 100_000;
/// A chunk that takes so many times as long as it should is too long, where that is more than another job costs.
const TOO_LONG: f64 = 1.5;
/// Where chunks would be too many for DAGMan, a length is named that makes about so many.
const CHUNKS_TO_AIM_AT: f64 = 10_000.0;
/// What all may differ by is told from so many percent on.
const WORTH_A_WORD: f64 = 3.0;

/// How the items are cut where records of the plan in the folder tell, and nothing says otherwise.
pub(super) fn from_records(options: &WhatOptions) -> Result<Option<Known>, Failure> {
    if options.chunks.is_some() || options.chunk_size.is_some() || options.cost.is_some() {
        return Ok(None);
    }
    let layout = Layout::new(&options.dir);
    let there = std::fs::read(layout.plan()).ok().and_then(|bytes| Plan::from_json(&bytes).ok());
    let Some(there) = there.filter(|there| !depends_on_the_cut(there)) else { return Ok(None) };
    let known = Known { cut: there.cut.clone(), expected: None, target: None, seen: there.seen };
    // How it paces its jobs is found out when the cut is known.
    let asked = WhatOptions { slice: None, ..options.clone() };
    let request = Request::new(&asked, false, &Knowledge::Known(known))?;
    if request.plan.identity != there.identity {
        return Ok(None);
    }
    access_point::read_gently(&request.plan.site.access_point)?;
    let gathered = reduce::read(&layout, &there)?;
    let Some(measured) = measured(&there, &gathered, request.plan.code) else { return Ok(None) };
    let site = jobs::site(options.site.as_deref())?;
    let target = options.target.unwrap_or_else(|| jobs::target(&site.profile)).as_secs_f64();
    let done = if options.keep { done(measured.costs.items(), &gathered.tiling.gaps) } else { Vec::new() };
    let cut = in_chunks_of(target, &measured, &done)?;
    say(&format!("cut by what was computed before, and no item is tried: {}", describe(&measured)));
    let expected = Expected::new(&measured.costs, &cut, measured.start);
    let target = Some(milliseconds(Duration::from_secs_f64(target)));
    Ok(Some(Known { cut, expected: Some(expected), target, seen: there.seen }))
}

/// The cut of a plan whose items were tried on the pool, into chunks of about as long as it says, and how long they take; also what
/// is to be said of it. `None` where no item has a result.
pub(super) fn tried(
    plan: &Plan,
    gathered: &Gathered,
    probe: Probe,
) -> Result<Option<(Cut, Expected, String)>, Failure> {
    // Whatever version of the program it was.
    let Some((runs, per_item)) = timed(plan, gathered, &|_| true) else { return Ok(None) };
    let measured = Measured::at_least(plan.space.count(), &runs, &unfinished(gathered), per_item);
    let Some(measured) = measured else { return Ok(None) };
    let target = Duration::from_millis(probe.target).as_secs_f64();
    let cut = in_chunks_of(target, &measured, &done(plan.space.count(), &gathered.tiling.gaps))?;
    let expected = Expected::new(&measured.costs, &cut, measured.start);
    let line = format!("cut into chunks of about {}: {}", seconds(target), describe(&measured));
    Ok(Some((cut, expected, line)))
}

/// The items in chunks of about `target` seconds, of which those that are `done`, in order and apart, are chunks of their own.
pub(super) fn in_chunks_of(target: f64, measured: &Measured, done: &[Interval]) -> Result<Cut, Failure> {
    let work = (target - measured.start).max(target / 2.0);
    let cut = if done.len() <= MOST_GAPS {
        measured.costs.cut_around(done, work)
    } else {
        measured.costs.cut(measured.costs.chunks(work))
    };
    cut.map_err(|error| {
        let failure = Failure::new(Exit::Usage, error.to_string());
        let longer = (measured.costs.total() / CHUNKS_TO_AIM_AT).ceil() as u64;
        failure
            .detail(describe(measured))
            .help(format!("longer chunks: --target {}", humantime::format_duration(Duration::from_secs(longer))))
            .help("or fewer items: what is computed in less than a microsecond is better counted a thousand at a time")
    })
}

/// The items that are not missing, in order and apart.
fn done(items: u128, gaps: &[Interval]) -> Vec<Interval> {
    let starts = std::iter::once(0).chain(gaps.iter().map(|gap| gap.stop()));
    let stops = gaps.iter().map(|gap| gap.start()).chain([items]);
    starts.zip(stops).filter_map(|(start, stop)| Interval::new(start, stop)).collect()
}

/// The cut of what is missing in a planned folder, into chunks of about `target` seconds each; without a target only where a chunk of
/// `cut` would take far longer than a chunk of the plan does in the mean. Also what is to be said of it. `None` where `cut` will do,
/// or no record tells. `code` is that at hand.
pub(super) fn rest(
    plan: &Plan,
    gathered: &Gathered,
    code: Identity,
    cut: &Cut,
    target: Option<f64>,
) -> Option<(Cut, String)> {
    if depends_on_the_cut(plan) || gathered.tiling.gaps.len() > MOST_GAPS || cut.chunks() > MOST_CHUNKS {
        return None;
    }
    let items = plan.space.count();
    let measured = measured(plan, gathered, code)?;
    let chunks = plan.cut.chunks() as f64;
    let usual =
        plan.expected.map_or(measured.costs.total() + measured.start * chunks, |time| time as f64 / 1000.0) / chunks;
    let goal = target.unwrap_or(usual);
    let takes = |from: u128, to: u128| measured.costs.up_to(to) - measured.costs.up_to(from);
    let gaps = &gathered.tiling.gaps;
    let is_missing = |start: u128| {
        let next = gaps.partition_point(|gap| gap.stop() <= start);
        gaps.get(next).is_some_and(|gap| gap.start() <= start)
    };
    let is_too_long = |items: Interval| {
        let takes = measured.start + takes(items.start(), items.stop());
        items.count() > 1 && takes > TOO_LONG * goal && takes - goal > OVERHEAD
    };
    let mut missing = cut.iter_from(items, 0).map(|(_, chunk)| chunk).filter(|chunk| is_missing(chunk.start()));
    if target.is_none() && !missing.any(is_too_long) {
        return None;
    }
    let work = (goal - measured.start).max(goal / 2.0);
    let mut borders: Vec<u128> =
        cut.iter_from(items, 0).map(|(_, chunk)| chunk.start()).filter(|start| !is_missing(*start)).collect();
    let mut parts_of_all = 0;
    for gap in gaps {
        let parts = (takes(gap.start(), gap.stop()) / work).round().clamp(1.0, MOST_CHUNKS as f64) as u128;
        borders.extend([gap.start(), gap.stop()]);
        borders.extend(measured.costs.divide(*gap, parts));
        parts_of_all += parts.min(gap.count());
    }
    if parts_of_all > u128::from(MOST_CHUNKS) {
        return None;
    }
    let line = format!("what is missing is cut into chunks of about {}: {}", seconds(goal), describe(&measured));
    Some((Cut::Even { chunks: 1 }.with_borders(items, &borders), line))
}

/// What the records of the code at hand say of all items.
fn measured(plan: &Plan, gathered: &Gathered, code: Identity) -> Option<Measured> {
    let (runs, per_item) = timed(plan, gathered, &|of| !plan.knows_code() || of == code)?;
    Measured::new(plan.space.count(), &runs, per_item)
}

/// What was not done in the time that it had.
fn unfinished(gathered: &Gathered) -> Vec<Timed> {
    let headers = gathered.failures.iter().map(|found| &found.record.header);
    let headers = headers.filter(|header| matches!(header.kind, Kind::Failure(Cause::OverBudget(_))));
    headers.map(|header| Timed { items: header.items, seconds: header.seconds }).collect()
}

/// How long those records took whose code `counts`, and whether the program runs once for each item.
fn timed(plan: &Plan, gathered: &Gathered, counts: &dyn Fn(Identity) -> bool) -> Option<(Vec<Timed>, bool)> {
    let command = plan.command.as_ref()?;
    Some((runs(gathered, counts), command.runs_per_item(&plan.space, plan.yields.stdin_items)))
}

/// How long those records took whose code `counts`.
pub(super) fn runs(gathered: &Gathered, counts: &dyn Fn(Identity) -> bool) -> Vec<Timed> {
    let headers = gathered.chosen().map(|found| &found.record.header);
    let headers = headers.filter(|header| counts(header.code));
    headers.map(|header| Timed { items: header.items, seconds: header.seconds }).collect()
}

fn depends_on_the_cut(plan: &Plan) -> bool {
    plan.command.as_ref().is_some_and(Command::depends_on_the_cut)
}

fn describe(measured: &Measured) -> String {
    let (items, all) = (measured.costs.items(), measured.costs.total());
    let each = fine_seconds(all / items as f64);
    let start =
        if measured.start > 0.0 { format!(", and {} to start", fine_seconds(measured.start)) } else { String::new() };
    let known = if measured.items == items {
        "all items".to_owned()
    } else {
        format!("{} of {}", measured.items, count(items, "item"))
    };
    let error = error_of_mean(measured).map(|error| format!("; {error}")).unwrap_or_default();
    format!("{each} an item in the mean{start}, as {known} took{error}")
}

/// By how much all may differ, where that is worth a word.
pub(super) fn error_of_mean(measured: &Measured) -> Option<String> {
    let share = 100.0 * measured.spread?;
    (share >= WORTH_A_WORD).then(|| format!("give or take {share:.0} %"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Word;
    use crate::plan::testing::plan;
    use crate::record::{Header, gather, partial_name, write};

    const ITEMS: u128 = 1000;

    /// A plan of ten chunks whose first five have results: item number `i` of them took `each(i)` seconds, by the code of `code`.
    fn half_done(each: impl Fn(u128) -> f64, code: Identity) -> (Plan, Gathered, tempfile::TempDir) {
        let mut plan = plan(&format!("0..{ITEMS}"), Cut::into_chunks(ITEMS, 10).expect("a cut"));
        let words = ["tool", "{first}", "{last}"].map(Word::from);
        plan.command = Some(Command::try_from(words.to_vec()).expect("a command"));
        let folder = tempfile::tempdir().expect("a temporary folder");
        for chunk in 0..5 {
            let items = plan.chunk(chunk);
            let header = Header {
                plan: plan.identity,
                code,
                items,
                kind: Kind::Whole,
                seconds: (items.start()..items.stop()).map(&each).sum(),
                host: "ep1".into(),
                attempt: format!("0-{chunk:08x}").into(),
            };
            let mut bytes = Vec::new();
            let mut crc = crc32fast::Hasher::new();
            crc.update(b"1");
            write(&mut bytes, &header, &mut &b"1"[..], 1, &crc).expect("in memory");
            std::fs::write(folder.path().join(partial_name(chunk, &header.attempt)), bytes).expect("written");
        }
        let gathered = gather(folder.path(), &plan, &|_| ()).expect("read");
        assert_eq!(gathered.covered(), ITEMS / 2);
        (plan, gathered, folder)
    }

    fn sizes(cut: &Cut) -> Vec<u128> {
        cut.iter_from(ITEMS, 0).map(|(_, chunk)| chunk.count()).collect()
    }

    #[test]
    fn what_is_missing_is_cut_anew_where_its_chunks_would_take_far_too_long() {
        let (mut plan, gathered, _folder) = half_done(|_| 10.0, Identity::of_bytes(b""));
        let again = |plan: &Plan, target: Option<f64>| rest(plan, &gathered, plan.code, &plan.cut, target);
        // As long as was expected, and a little longer.
        plan.expected = Some(10_000_000);
        assert_eq!(again(&plan, None), None);
        plan.expected = Some(8_000_000);
        assert_eq!(again(&plan, None), None);
        // Ten times as long: ten chunks instead of each that is missing, and those that are done stay.
        plan.expected = Some(1_000_000);
        let (cut, line) = again(&plan, None).expect("cut anew");
        assert_eq!(sizes(&cut), [vec![100; 5], vec![10; 50]].concat());
        assert!(line.starts_with("what is missing is cut into chunks of about 100.0 s: 10.0 s an item"), "{line}");
        // Chunks that are too long by less than another job costs are left alone.
        let (mut short, gathered, _folder) = half_done(|_| 0.3, Identity::of_bytes(b""));
        short.expected = Some(100_000);
        assert_eq!(rest(&short, &gathered, short.code, &short.cut, None), None);
    }

    #[test]
    fn what_is_missing_is_cut_as_is_said() {
        let (plan, gathered, _folder) = half_done(|item| item as f64 / 100.0, Identity::of_bytes(b""));
        let (cut, _) = rest(&plan, &gathered, plan.code, &plan.cut, Some(200.0)).expect("cut anew");
        let sizes = sizes(&cut);
        assert_eq!(sizes[..5], [100; 5]);
        // The last of the items that are known take about 5 s.
        assert!(sizes[5..].iter().all(|size| (30..=60).contains(size)), "{sizes:?}");
        let (cut, _) = rest(&plan, &gathered, plan.code, &plan.cut, Some(1e6)).expect("cut anew");
        assert_eq!(cut.chunks(), 6, "all that is missing in one");
    }

    #[test]
    fn nothing_is_cut_anew_by_what_says_nothing() {
        let other = Identity::of_bytes(b"another version of the program");
        let (mut plan, gathered, _folder) = half_done(|_| 10.0, other);
        assert_eq!(rest(&plan, &gathered, plan.code, &plan.cut, Some(50.0)), None);
        assert!(rest(&plan, &gathered, other, &plan.cut, Some(50.0)).is_some());
        let words = ["tool", "{chunk}"].map(Word::from);
        plan.command = Some(Command::try_from(words.to_vec()).expect("a command"));
        assert_eq!(rest(&plan, &gathered, other, &plan.cut, Some(50.0)), None, "another cut is another plan");
    }
}
