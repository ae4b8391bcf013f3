//! `--template chain`: trajectories in segments, instead of items in chunks.

use std::ffi::OsString;
use std::path::Path;
use std::{fs, io};

use super::arguments::{ItemsOption, Template, WhatOptions};
use super::failure::Failure;
use super::output::{count, say};
use super::request::usage;
use super::{gromacs, lammps};
use crate::exit::Exit;
use crate::inputs::Found;
use crate::plan::{Chain, ChainError, Plan, REPLICA, SEGMENT_NAMES, Word};
use crate::space::Space;
use crate::store;

/// There are no more trajectories than this: all their partials lie in one folder.
const MOST_TRAJECTORIES: u128 = 10_000;

/// What computes a segment, beside the files of the user's.
const SCRIPT: &str = "segment.sh";

/// The options with what their template stands for.
pub(super) fn expand(options: &WhatOptions) -> Result<(WhatOptions, Script), Failure> {
    let mut options = options.clone();
    let mut script = Script { is_new: false };
    let Some(template) = options.template else { return Ok((options, script)) };
    refuse_others(&options)?;
    let Some(segments) = options.segments else {
        return Err(usage(format!("--template {template}: into how many segments?"))
            .help("--segments N: segments of about ten minutes each"));
    };
    for (option, given, of) in [
        ("--tpr", !options.tpr.is_empty(), Template::Gromacs),
        ("--in", options.input_script.is_some(), Template::Lammps),
    ] {
        if given && of != template {
            return Err(usage(format!("{option} is for --template {of}")));
        }
    }
    match template {
        Template::Chain => {}
        Template::Gromacs => gromacs::expand(&mut options, segments, &mut script)?,
        Template::Lammps => lammps::expand(&mut options, segments, &mut script)?,
    }
    if let Some(replicas) = options.replicas {
        let values = format!("{REPLICA}=0..{replicas}");
        options.items.ordered.push(ItemsOption::Grid(values.into()));
    } else if options.items.ordered.is_empty() {
        options.items.ordered.push(ItemsOption::Grid(format!("{REPLICA}=0..1").into()));
    }
    options.tail_rounds = 0;
    options.shared_filesystem = Some(false);
    Ok((options, script))
}

/// The steps of every segment of a run but the last, as the scripts count them: all end at a multiple of `together`.
pub(super) fn steps_of_one(steps: u64, together: u64, segments: u32) -> u64 {
    let of_one = steps.div_ceil(u64::from(segments)).div_ceil(together).saturating_mul(together);
    of_one.min(steps)
}

/// How a run is cut; `length` says how long a segment is.
pub(super) fn describe_steps(steps: u64, together: u64, segments: u32, length: &str) -> Vec<String> {
    let of_one = steps_of_one(steps, together, segments);
    let mut lines = vec![format!("  {}, {of_one} in a segment{length}", count(steps, "step"))];
    let needed = steps.div_ceil(of_one.max(1));
    if needed < u64::from(segments) {
        let needed = count(needed, "segment");
        lines.push(format!("  {needed} will do: they end at multiples of {together} steps, where nothing is pending"));
    }
    lines
}

pub(super) fn least_common_multiple(a: u64, b: u64) -> u64 {
    let (mut common, mut rest) = (a, b);
    while rest != 0 {
        (common, rest) = (rest, common % rest);
    }
    (a / common).saturating_mul(b)
}

/// The script in the current folder that computes a segment. One that was there before is the user's, and is used; a new one is
/// removed again where the plan is refused.
#[derive(Debug)]
pub(super) struct Script {
    is_new: bool,
}

impl Script {
    /// Makes it the program of the plan.
    pub(super) fn compute(
        &mut self,
        options: &mut WhatOptions,
        text: &str,
        of: &str,
        state: &str,
        files: Vec<String>,
    ) -> Result<(), Failure> {
        let path = Path::new(SCRIPT);
        match fs::read(path) {
            Ok(there) if there == text.as_bytes() => {}
            Ok(_) => {
                say(&format!("note: the {SCRIPT} that is here is used, which is not the one that would be written"))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                store::write(path, text.as_bytes())?;
                self.is_new = true;
            }
            Err(error) => return Err(Failure::new(Exit::Machine, format!("cannot read {SCRIPT}: {error}"))),
        }
        options.command.splice(0..0, ["sh", SCRIPT, of].map(OsString::from));
        options.state.push(state.into());
        options.collect.extend(files.into_iter().map(OsString::from));
        Ok(())
    }

    /// The plan that it is for is not refused.
    pub(super) fn keep(mut self) {
        self.is_new = false;
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        if self.is_new {
            let _ = fs::remove_file(SCRIPT);
        }
    }
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
