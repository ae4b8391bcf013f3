//! `split resume`.

use super::Done;
use super::arguments::ResumeOptions;
use super::failure::Failure;
use super::output::{count, tell};
use super::request::templates;
use super::{access_point, learn, plan, progress, reduce, versions};
use crate::cut::Cut;
use crate::exit::Exit;
use crate::folder::{Existing, Laid, lay_down};
use crate::plan::{Command, Plan, Word};
use crate::space::Interval;

/// So many gaps are cut out one by one; where there are more, chunks that lack anything are computed whole.
const MOST_GAPS: usize = 10_000;

/// The plan's cut with its chunks divided where what is missing starts and ends, so that nothing that is done runs again.
fn around_the_gaps(plan: &Plan, gaps: &[Interval]) -> Cut {
    // The items' numbers within a chunk, or the chunk's own, may be a part of what is computed.
    let depends = plan.command.as_ref().is_some_and(Command::depends_on_the_cut);
    if depends || gaps.len() > MOST_GAPS {
        return plan.cut.clone();
    }
    let borders: Vec<u128> = gaps.iter().flat_map(|gap| [gap.start(), gap.stop()]).collect();
    plan.cut.with_borders(plan.space.count(), &borders)
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
    let cut = around_the_gaps(&plan, &gathered.tiling.gaps);
    let target = options.target.map(|target| target.as_secs_f64());
    let (cut, by_time) = match learn::rest(&plan, &gathered, now.code, &cut, target) {
        Some((cut, line)) => (cut, Some(line)),
        None => (cut, None),
    };
    let mut wanted = Plan { code: now.code, cut, ..plan };
    wanted.files.files = now.files;
    let programs = plan::programs()?;
    let spinner = progress::spinner("writing the plan");
    let laid = lay_down(layout.root(), &mut wanted, &rows, &templates, &programs, Existing::Keep { renew: true }, &[]);
    spinner.finish_and_clear();
    lines.push(match laid.map_err(|error| plan::explain(&error))? {
        Laid::Kept { aside, chunks_done, .. } => format!(
            "wrote {}: {} left of {} ({} of {}); the older one is in {}",
            plan::shown(layout.root(), "plan.dag"),
            count(wanted.cut.chunks() - chunks_done, "chunk"),
            wanted.cut.chunks(),
            gathered.tiling.gaps.iter().map(|gap| gap.count()).sum::<u128>(),
            count(wanted.space.count(), "item"),
            aside.display(),
        ),
        Laid::New | Laid::Unchanged | Laid::Completed | Laid::MovedAside { .. } => {
            "plan.dag is as it was: it has all that is left to compute".to_owned()
        }
    });
    lines.extend(by_time);
    let submit = if root == "." { String::new() } else { format!("cd {root} && ") };
    lines.push(format!("next: {submit}condor_submit_dag plan.dag"));
    tell(&lines)
}
