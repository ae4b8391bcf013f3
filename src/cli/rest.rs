//! `split rest`: the script of plan.dag that comes between the items that are tried on the pool and all others. Not for people.
//!
//! It cuts the rest by what the items took that were tried, and writes the plan anew with that cut. Where an earlier submission has
//! done so already, what is missing by now is cut as `split resume` cuts it. It goes by the records as they are, and by nothing else
//! that an earlier submission left.

use std::path::Path;

use super::arguments::RestOptions;
use super::failure::Failure;
use super::jobs::{ask_for_disk, ask_for_memory};
use super::output::{binary, count, say, seconds};
use super::resume::around_the_gaps;
use super::{Done, access_point, cost, learn, plan, reduce, versions};
use crate::dag::REST_DAG;
use crate::exit::Exit;
use crate::folder::{Layout, write_rest};
use crate::plan::{Command, Pacing, Plan, Probe, Resources, Seen};
use crate::pool::{EventLog, Used};
use crate::record::Gathered;
use crate::runner::{STOPPED, stop_if_broken};

/// The current folder is the plan's.
pub(super) fn rest(options: &RestOptions) -> Done {
    let (layout, plan) = reduce::find(Path::new("."))?;
    access_point::read_gently(&plan.site.access_point)?;
    let rows = reduce::rows(&layout, &plan)?;
    let gathered = reduce::read(&layout, &plan)?;
    if stop_if_broken(&plan.job())? {
        say(&format!("{STOPPED} says why the DAG is stopped"));
        return Ok(Exit::StopDag);
    }
    // The program may have been mended since it was planned.
    let now = versions::now(&layout, &plan)?;
    let (mut wanted, lines) = match plan.pacing.probe {
        // Where a program was found to be broken, those that tried items are done all the same; it may have been mended since.
        Some(probe) if gathered.covered() == 0 && options.dag == REST_DAG => {
            let pacing = Pacing { probe: Some(Probe { again: true, ..probe }), ..plan.pacing.clone() };
            (Plan { pacing, ..plan.clone() }, vec!["nothing has a result yet: items are tried once more".to_owned()])
        }
        Some(probe) => by_what_was_tried(&layout, &plan, &gathered, probe)?,
        None => {
            let (cut, _) = around_the_gaps(&plan, &gathered.tiling.gaps);
            match learn::rest(&plan, &gathered, now.code, &cut, None) {
                Some((cut, line)) => (Plan { cut, ..plan.clone() }, vec![line]),
                None => (Plan { cut, ..plan.clone() }, vec!["what is missing is cut as before".to_owned()]),
            }
        }
    };
    wanted.code = now.code;
    wanted.files.files = now.files;
    let programs = plan::programs()?;
    let (chunks_done, _) =
        write_rest(&layout, &options.dag, &mut wanted, &rows, &programs).map_err(|error| plan::explain(&error))?;
    for line in &lines {
        say(line);
    }
    if wanted.pacing.probe.is_none() {
        let left = wanted.cut.chunks() - chunks_done;
        say(&format!("{}: {} left of {}", options.dag, count(left, "chunk"), wanted.cut.chunks()));
    }
    Ok(Exit::Success)
}

/// The plan cut anew, with what its jobs ask for, and what is to be said of that.
pub(super) fn by_what_was_tried(
    layout: &Layout,
    plan: &Plan,
    gathered: &Gathered,
    probe: Probe,
) -> Result<(Plan, Vec<String>), Failure> {
    let Some((cut, expected, line)) = learn::tried(plan, gathered, probe)? else {
        let budget = seconds(probe.budget().as_secs_f64());
        return Err(Failure::new(Exit::Missing, "none of the items that were tried on the pool has a result")
            .detail(format!("{} were tried at {} places, for {budget} each", plan.space, plan.cut.chunks()))
            .help("split why says what became of them; mend it, and condor_submit_dag plan.dag goes on")
            .help("or say how long an item takes: split plan --force --cost 10m, with the other options as before"));
    };
    let told = plan.pacing.clone();
    let slices = Some(told.slices).filter(|slices| *slices > 1);
    let pacing = cost::paced(told, slices, probe, plan.tail_rounds, &expected);
    let per_item = |command: &Command| command.runs_per_item(&plan.space, plan.yields.stdin_items);
    let runs_per_item = plan.chain.is_none() && plan.command.as_ref().is_some_and(per_item);
    let pacing = cost::with_budget(pacing, probe, plan.tail_rounds, &expected, runs_per_item);
    let seen = seen(layout, gathered);
    let (expected, target) = (Some(expected.milliseconds()), Some(probe.target));
    let mut wanted = Plan { cut, pacing, expected, target, seen, ..plan.clone() };
    let notes = [ask_for_memory(&mut wanted, probe.memory_is_said), ask_for_disk(&mut wanted, probe.disk_is_said)];
    let Resources { memory, disk, .. } = &wanted.resources;
    let asks = format!("each job asks for {memory} of memory and {disk} of disk");
    let used = match seen {
        Some(Seen { memory, disk, .. }) => {
            let and_disk = if disk > 0 { format!(" and {}", binary(disk)) } else { String::new() };
            format!("those that tried items used {}{and_disk} at most, as logs/events.log says", binary(memory))
        }
        None => "logs/events.log does not say what those used that tried items".to_owned(),
    };
    let mut lines = vec![line, format!("{asks}: {used}")];
    lines.extend(notes.into_iter().flatten().filter(|note| note.starts_with("note: ")));
    Ok((wanted, lines))
}

/// What the jobs that tried items used, by the event log; `None` where that does not tell.
fn seen(layout: &Layout, gathered: &Gathered) -> Option<Seen> {
    let mut log = EventLog::new(&layout.event_log());
    // One that cannot be read says nothing.
    log.read().ok()?;
    let Used { memory, disk } = log.history().used();
    let result = gathered.chosen().map(|found| found.record.result_of_a_run()).max().unwrap_or(0);
    (memory > 0).then_some(Seen { memory, disk, result })
}
