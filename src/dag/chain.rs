//! The nodes of chains: one for each segment of each item.

use std::io::{self, Write};

use minijinja::context;

use super::templates::{TemplateError, Templates};
use crate::exit::Exit;
use crate::plan::{Chain, Plan};

/// The template of a trajectory's nodes.
const TEMPLATE: &str = "segment.dag";

/// The name of a segment's node.
fn name(chunk: u64, segment: u32, generation: u32) -> String {
    format!("chunk-{chunk:06}-s{segment:04}-g{generation}")
}

/// Writes the nodes of chunk number `chunk`.
pub(super) fn nodes(
    plan: &Plan,
    chain: &Chain,
    templates: &Templates,
    chunk: u64,
    done: bool,
) -> Result<String, TemplateError> {
    let items = plan.chunk(chunk);
    let name = |segment| name(chunk, segment, plan.generation);
    let node = |number: u32| {
        context! {
            name => name(number),
            number => number,
            before => if number > 1 { name(number - 1) } else { String::new() },
            done => if done { " DONE" } else { "" },
        }
    };
    let values = context! {
        segments => (1..=chain.segments()).map(node).collect::<Vec<_>>(),
        chunk => chunk,
        start => items.start().to_string(),
        stop => items.stop().to_string(),
        retries => plan.resources.retries,
        nothing_left_code => Exit::NothingLeft as u8,
        segment_failed_code => Exit::SegmentFailed as u8,
    };
    templates.render(TEMPLATE, &values)
}

/// Writes the names of the nodes that come last.
pub(super) fn last_names(plan: &Plan, chain: &Chain, out: &mut impl Write) -> io::Result<()> {
    for chunk in 0..plan.cut.chunks() {
        let blank = if chunk > 0 { " " } else { "" };
        write!(out, "{blank}{}", name(chunk, chain.segments(), plan.generation))?;
    }
    Ok(())
}
