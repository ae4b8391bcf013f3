//! Laying down what is left once items have been tried on the pool, by the DAG that tried them.
//!
//! The plan is cut anew in its own folder while its plan.dag is at work: plan.dag stays, and the plan's DAG becomes another file, a
//! node of plan.dag. That is done again whenever the node starts: what an earlier submission left of it is moved aside.

use super::layout::Layout;
use super::tail::{kept_templates, left_by};
use super::write::{LayDown, Programs, move_aside, write};
use crate::dag::Text;
use crate::plan::Plan;
use crate::space::Rows;
use crate::store;

/// Writes `plan`, cut anew, in the place of the one in the folder, and its DAG as the file `dag`; its generation is one higher. Gives
/// how many chunks and items have records already.
///
/// # Errors
/// Where a DAGMan is at work on the rest, a template is broken, or a file cannot be moved or written.
pub fn write_rest(
    layout: &Layout,
    dag: &str,
    plan: &mut Plan,
    rows: &Rows,
    programs: &Programs,
) -> Result<(u64, u128), LayDown> {
    plan.generation = plan.generation.saturating_add(1);
    let templates = kept_templates(layout, plan)?;
    let text = Text::new(plan, &templates)?;
    let _lock = store::lock_folder(layout.root())?;
    let mut older = left_by(layout, dag)?;
    // What each chunk's job is given is another chunk's now.
    if let Ok(chunks) = layout.chunks().strip_prefix(layout.root())
        && layout.chunks().is_dir()
    {
        older.push(chunks.to_owned());
    }
    move_aside(layout, &older)?;
    Ok(write(layout, &layout.root().join(dag), plan, rows, &text, programs, &|_| false)?)
}
