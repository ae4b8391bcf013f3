//! `split resume`.

use super::Done;
use super::arguments::ResumeOptions;
use super::cost::milliseconds;
use super::failure::Failure;
use super::output::{count, tell};
use super::request::templates;
use super::{access_point, learn, plan, progress, reduce, rest, versions};
use crate::cut::Cut;
use crate::exit::Exit;
use crate::folder::{Existing, Laid, lay_down};
use crate::plan::{Command, Pacing, Plan, Probe, Word};
use crate::space::Interval;

/// So many gaps are cut out one by one; where there are more, chunks that lack anything are computed whole.
const MOST_GAPS: usize = 10_000;

/// The plan's cut with its chunks divided where what is missing starts and ends, so that nothing that is done runs again; or
/// the cut as it is, and why.
pub(super) fn around_the_gaps(plan: &Plan, gaps: &[Interval]) -> (Cut, Option<String>) {
    around_gaps(plan, gaps, MOST_GAPS)
}

/// As [`around_the_gaps`], where there are no more than `most`.
fn around_gaps(plan: &Plan, gaps: &[Interval], most: usize) -> (Cut, Option<String>) {
    // The items' numbers within a chunk, or the chunk's own, may be a part of what is computed.
    if plan.command.as_ref().is_some_and(Command::depends_on_the_cut) {
        return (plan.cut.clone(), Some("the numbers of chunks are a part of the command".to_owned()));
    }
    if gaps.len() > most {
        return (plan.cut.clone(), Some(format!("there are more than {most} gaps")));
    }
    let borders: Vec<u128> = gaps.iter().flat_map(|gap| [gap.start(), gap.stop()]).collect();
    (plan.cut.with_borders(plan.space.count(), &borders), None)
}

/// How many items the chunks hold that lack anything.
fn items_to_run(plan: &Plan, gaps: &[Interval]) -> u128 {
    let mut items = 0;
    let mut next = 0;
    for &gap in gaps {
        let (first, last) = plan.chunks_of(gap);
        let (start, stop) = (plan.chunk(first).start().max(next), plan.chunk(last).stop());
        items += stop.saturating_sub(start);
        next = stop;
    }
    items
}

pub(super) fn resume(options: &ResumeOptions) -> Done {
    let (layout, plan) = reduce::find(&options.folder)?;
    versions::need_whole(&layout)?;
    let now = versions::now(&layout, &plan)?;
    let rows = reduce::rows(&layout, &plan)?;
    let templates = templates(options.templates.as_deref())?;
    if templates.identity() != plan.templates {
        return Err(Failure::new(Exit::Usage, "the plan was made from templates of your own")
            .help("name their folder, as when it was planned: --templates DIR"));
    }
    let mut lines = Vec::new();
    access_point::read_gently(&plan.site.access_point)?;
    let mut gathered = reduce::read(&layout, &plan)?;
    if let Some(redo) = options.redo
        && let Some((aside, chunks)) = versions::set_aside(&layout, &plan, &gathered, &now, redo)?
    {
        lines.push(format!("set aside: {} to be computed again, in {}", count(chunks, "chunk"), aside.display()));
        gathered = reduce::read(&layout, &plan)?;
    }
    if !options.mixed {
        versions::refuse_coming_mixture(&layout, &plan, &gathered)?;
    }
    let root = Word::from(layout.root().as_os_str().to_owned()).quoted();
    if gathered.tiling.gaps.is_empty() {
        lines.push("nothing is left to compute".to_owned());
        lines.push(format!("next: split reduce {root}"));
        return tell(&lines);
    }
    let gaps = &gathered.tiling.gaps;
    let (cut, why_whole) = around_the_gaps(&plan, gaps);
    let target = options.target.map(|target| target.as_secs_f64());
    let (mut wanted, by_time) = match plan.pacing.probe {
        // Where nothing has a result yet, items are tried once more.
        Some(probe) if gathered.covered() == 0 => {
            let pacing = Pacing { probe: Some(Probe { again: false, ..probe }), ..plan.pacing.clone() };
            (Plan { pacing, ..plan }, Vec::new())
        }
        Some(probe) => {
            let target = options.target.map_or(probe.target, milliseconds);
            rest::by_what_was_tried(&layout, &plan, &gathered, Probe { target, ..probe })?
        }
        None => {
            let by_time =
                (plan.chain.is_none()).then(|| learn::rest(&plan, &gathered, now.code, &cut, target)).flatten();
            let (cut, lines) = by_time.map_or((cut, Vec::new()), |(cut, line)| (cut, vec![line]));
            (Plan { cut, ..plan }, lines)
        }
    };
    wanted.code = now.code;
    wanted.files.files = now.files;
    let programs = plan::programs()?;
    let spinner = progress::spinner("writing the plan");
    let laid = lay_down(layout.root(), &mut wanted, &rows, &templates, &programs, Existing::Keep { renew: true }, &[]);
    spinner.finish_and_clear();
    let missing: u128 = gaps.iter().map(|gap| gap.count()).sum();
    lines.push(match laid.map_err(|error| plan::explain(&error))? {
        Laid::Kept { aside, chunks_done, .. } => format!(
            "wrote {}: {} left of {} ({} of {}); the older one is in {}",
            plan::shown(layout.root(), "plan.dag"),
            count(wanted.cut.chunks() - chunks_done, "chunk"),
            wanted.cut.chunks(),
            missing,
            count(wanted.space.count(), "item"),
            aside.display(),
        ),
        Laid::New | Laid::Unchanged | Laid::Completed | Laid::MovedAside { .. } => {
            "plan.dag is as it was: it has all that is left to compute".to_owned()
        }
    });
    if let Some(why) = why_whole
        && let again @ 1.. = items_to_run(&wanted, gaps) - missing
    {
        lines.push(format!("chunks that lack anything are computed whole, {} again: {why}", count(again, "item")));
    }
    lines.extend(by_time);
    let submit = if root == "." { String::new() } else { format!("cd {root} && ") };
    lines.push(format!("next: {submit}condor_submit_dag plan.dag"));
    tell(&lines)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::plan::Identity;
    use crate::plan::testing::plan;
    use crate::record::{Cause, Header, Kind, gather, partial_name, write};

    const ITEMS: u128 = 60;

    /// A record that is written: its items, and what it is.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Written {
        Result,
        Failure,
        /// Of another plan.
        Foreign,
    }

    /// What becomes of the last record of a partial.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Fate {
        Whole,
        CutOff,
        Flipped,
    }

    fn interval() -> impl Strategy<Value = Interval> {
        (0..ITEMS, 1..12_u128)
            .prop_map(|(start, count)| Interval::new(start, (start + count).min(ITEMS)).expect("one item at least"))
    }

    fn partials() -> impl Strategy<Value = Vec<(Vec<(Interval, Written)>, Fate)>> {
        let written = prop_oneof![6 => Just(Written::Result), 2 => Just(Written::Failure), 1 => Just(Written::Foreign)];
        let fate = prop_oneof![4 => Just(Fate::Whole), 1 => Just(Fate::CutOff), 1 => Just(Fate::Flipped)];
        prop::collection::vec((prop::collection::vec((interval(), written), 1..4), fate), 0..14)
    }

    /// Writes a partial; gives the items of the results in it that are whole.
    fn leave(outputs: &Path, number: usize, plan: &Plan, records: &[(Interval, Written)], fate: Fate) -> Vec<Interval> {
        let mut bytes = Vec::new();
        for &(items, written) in records {
            let header = Header {
                plan: if written == Written::Foreign { Identity::of_bytes(b"other") } else { plan.identity },
                code: plan.code,
                items,
                kind: if written == Written::Failure { Kind::Failure(Cause::ExitCode(3)) } else { Kind::Whole },
                seconds: 1.0,
                host: "ep1".into(),
                attempt: format!("0-{number:08x}").into(),
            };
            let mut crc = crc32fast::Hasher::new();
            crc.update(b"payload");
            write(&mut bytes, &header, &mut &b"payload"[..], 7, &crc).expect("in memory");
        }
        match fate {
            Fate::Whole => {}
            Fate::CutOff => bytes.truncate(bytes.len() - 3),
            Fate::Flipped => {
                let at = bytes.len() - 4;
                bytes[at] ^= 1;
            }
        }
        let name = partial_name(0, &format!("0-{number:08x}"));
        std::fs::write(outputs.join(name), bytes).expect("written");
        let whole = if fate == Fate::Whole { records } else { &records[..records.len() - 1] };
        whole.iter().filter(|(_, written)| *written == Written::Result).map(|(items, _)| *items).collect()
    }

    /// The most items that records can cover, none of them twice.
    fn most_covered(results: &[Interval]) -> u128 {
        let mut best = vec![0; ITEMS as usize + 1];
        for stop in 1..=ITEMS {
            let of = results.iter().filter(|items| items.stop() == stop);
            let with = of.map(|items| best[items.start() as usize] + items.count()).max().unwrap_or(0);
            best[stop as usize] = with.max(best[stop as usize - 1]);
        }
        best[ITEMS as usize]
    }

    proptest! {
        #[test]
        fn what_is_cut_is_what_no_valid_record_covers(partials in partials(), chunks in 1..ITEMS) {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let plan = plan(&format!("0..{ITEMS}"), Cut::into_chunks(ITEMS, chunks).expect("a cut"));
            let mut results = Vec::new();
            for (number, (records, fate)) in partials.iter().enumerate() {
                results.extend(leave(folder.path(), number, &plan, records, *fate));
            }
            let gathered = gather(folder.path(), &plan, &|_| ()).expect("read");
            let (cut, whole) = around_the_gaps(&plan, &gathered.tiling.gaps);
            let resumed = Plan { cut, ..plan.clone() };
            prop_assert_eq!(whole, None);
            prop_assert_eq!(items_to_run(&resumed, &gathered.tiling.gaps), ITEMS - gathered.covered());

            let to_run = |plan: &Plan| -> BTreeSet<u128> {
                let chunks = (0..plan.cut.chunks()).map(|chunk| plan.chunk(chunk));
                let chunks = chunks.filter(|&items| !gathered.tiling.covers(items));
                chunks.flat_map(|items| items.start()..items.stop()).collect()
            };
            let cut = to_run(&resumed);
            let counted: BTreeSet<u128> = gathered
                .chosen()
                .flat_map(|found| found.record.header.items.start()..found.record.header.items.stop())
                .collect();
            prop_assert!(cut.is_disjoint(&counted), "nothing that is done runs again");
            prop_assert_eq!(cut.len() + counted.len(), ITEMS as usize, "all of the rest does");
            prop_assert_eq!(counted.len() as u128, most_covered(&results), "and no more than that");
            for items in &results {
                prop_assert!(!(items.start()..items.stop()).all(|item| cut.contains(&item)), "{:?} is valid", items);
            }
            // Without a cut of its own it is whole chunks, and it says how many items more that is.
            let (same, why) = around_gaps(&plan, &gathered.tiling.gaps, 0);
            prop_assert_eq!(&same, &plan.cut);
            prop_assert_eq!(why.is_some(), !gathered.tiling.gaps.is_empty() );
            prop_assert_eq!(items_to_run(&plan, &gathered.tiling.gaps), to_run(&plan).len() as u128);
        }
    }
}
