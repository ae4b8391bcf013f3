//! `--template chain`: trajectories in segments, instead of items in chunks.

use super::arguments::{ItemsOption, Template, WhatOptions};
use super::failure::Failure;
use super::output::count;
use super::request::usage;
use crate::inputs::Found;
use crate::plan::{Chain, ChainError, Plan, REPLICA, SEGMENT_NAMES, Word};
use crate::space::Space;

/// There are no more trajectories than this: all their partials lie in one folder.
const MOST_TRAJECTORIES: u128 = 10_000;

/// The options with what their template stands for.
pub(super) fn expand(options: &WhatOptions) -> Result<WhatOptions, Failure> {
    let mut options = options.clone();
    let Some(template) = options.template else { return Ok(options) };
    match template {
        Template::Chain => {}
    }
    refuse_others(&options)?;
    if options.segments.is_none() {
        return Err(usage(format!("--template {template}: into how many segments?"))
            .help("--segments N: segments of about ten minutes each"));
    }
    if let Some(replicas) = options.replicas {
        let values = format!("{REPLICA}=0..{replicas}");
        options.items.ordered.push(ItemsOption::Grid(values.into()));
    } else if options.items.ordered.is_empty() {
        options.items.ordered.push(ItemsOption::Grid(format!("{REPLICA}=0..1").into()));
    }
    options.tail_rounds = 0;
    options.shared_filesystem = Some(false);
    Ok(options)
}

/// Options that say how to cut items, or how a chunk goes about several.
fn refuse_others(options: &WhatOptions) -> Result<(), Failure> {
    let given = [
        ("--chunks", options.chunks.is_some()),
        ("--chunk-size", options.chunk_size.is_some()),
        ("--target", options.target.is_some()),
        ("--cost", options.cost.is_some()),
        ("--slices", options.slices.is_some()),
        ("--slice", options.slice.is_some()),
        ("--budget", options.budget.is_some()),
        ("--checkpoint", options.checkpoint.is_some()),
        ("--fan-in", options.fan_in.is_some()),
        ("--stdin-items", options.stdin_items),
        ("--where", options.items.condition.is_some()),
    ];
    if let Some((option, _)) = given.iter().find(|(_, given)| *given) {
        return Err(usage(format!("{option} is for items in chunks, and a trajectory is cut into --segments N")));
    }
    if options.shared_filesystem == Some(true) {
        return Err(usage("--shared-filesystem: the segments of a chain work in folders of their own")
            .help("leave it away: files are transferred, on a shared file system, too"));
    }
    Ok(())
}

/// The chain that is wanted, if one is.
pub(super) fn chain(options: &WhatOptions, space: &Space) -> Result<Option<Chain>, Failure> {
    let Some(segments) = options.segments else { return Ok(None) };
    let state: Vec<_> = options.state.iter().cloned().map(Word::from).collect();
    let chain = Chain::new(segments, state).map_err(|error| {
        let failure = usage(error.to_string());
        match error {
            ChainError::NoState => failure.help(
                "--state FILE: a file that the program writes before it ends, and goes on from where it finds it",
            ),
            _ => failure,
        }
    })?;
    if options.command.is_empty() {
        return Err(usage("a chain needs a program")
            .help("name it after `--`, such as: -- python3 walk.py --segment {segment}"));
    }
    if let Some(name) = space.names().into_iter().find(|name| SEGMENT_NAMES.contains(name)) {
        return Err(usage(format!("`{name}` stands for something of its own in a chain, and is the name of a value")));
    }
    if space.count() > MOST_TRAJECTORIES {
        return Err(usage(format!("{} trajectories: a plan holds {MOST_TRAJECTORIES} at the most", space.count())));
    }
    Ok(Some(chain))
}

/// A file that is sent with each job would be taken for a state.
pub(super) fn check_files(chain: &Chain, found: &Found) -> Result<(), Failure> {
    let start_in = found.files.start_in.as_os_str();
    for name in chain.state() {
        let place: Word = std::path::Path::new(start_in).join(name.as_os_str()).into_os_string().into();
        if found.files.files.iter().any(|file| file.place == place) {
            return Err(usage(format!("{} is to be the state, and is here: jobs would be sent it", name.quoted()))
                .detail("the first segment would start from what something else has left")
                .help("move it away; what every trajectory starts from is an input of another name"));
        }
    }
    Ok(())
}

/// The plan in a line, and what becomes of the state.
pub(super) fn describe(plan: &Plan, chain: &Chain) -> Vec<String> {
    let trajectories = plan.cut.chunks();
    let what = if trajectories == 1 { "1 trajectory".to_owned() } else { format!("{trajectories} trajectories") };
    let state: Vec<_> = chain.state().iter().map(Word::quoted).collect();
    vec![
        format!("{what} of {}, over {}, merged by {}", count(chain.segments(), "segment"), plan.space, plan.reduce),
        format!("  each segment starts from {}, as the one before it has left it", state.join(", ")),
    ]
}
