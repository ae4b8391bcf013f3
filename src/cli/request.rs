//! What was asked for, validated: after this nothing is "maybe".

use std::collections::BTreeMap;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::arguments::{ItemsOption, ItemsOptions, WhatOptions};
use super::cost::{self, Cost, Expected};
use super::failure::Failure;
use super::items::Items;
use super::jobs::{self, JobSettings};
use super::probe::PROBED;
use super::yields::yields;
use super::{chain, merging, output, progress, target};
use crate::cut::{Costs, Cut, CutError, MOST_CHUNKS, places};
use crate::dag::Templates;
use crate::exit::Exit;
use crate::folder::{Existing, is_nested};
use crate::inputs::{Doubt, FindError, FoundEnvironment, JobFolder, UrlError, WordFate, find};
use crate::plan::{
    Command, CommandError, FORMAT, Identity, MergeCommand, Placeholder, Plan, Reduction, ReductionError, SEGMENT_NAMES,
    Seen, Shards, Slot, TemplateError, Word, Yields, variables,
};
use crate::rows;
use crate::space::{self, Range, Rows, Space};

/// Without a command the items themselves are the results: more of them than this is a mistake, or a disk full.
const MOST_LISTED: u128 = 1_000_000_000;

/// What is known of how to cut, beside the options.
#[derive(Debug)]
pub(super) enum Knowledge {
    /// Nothing.
    Nothing,
    /// Items are to be tried first, here or on the pool, in as many pieces as places.
    Probing,
    /// It has been found out.
    Known(Known),
}

/// How to cut, and what is known of what is cut.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) cut: Cut,
    /// How long its chunks take.
    pub(super) expected: Option<Expected>,
    /// How long they were to take, in milliseconds.
    pub(super) target: Option<u64>,
    /// What jobs were seen to use.
    pub(super) seen: Option<Seen>,
}

/// A plan that is wanted, and where.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) plan: Plan,
    /// The rows that the plan's space keeps beside it.
    pub(super) rows: Rows,
    /// What was found of the items, for people.
    pub(super) found: Vec<String>,
    /// What of them may not be meant.
    pub(super) notes: Vec<String>,
    /// The folder as the user named it.
    pub(super) folder: PathBuf,
    /// The same, absolute and without links.
    pub(super) place: PathBuf,
    pub(super) templates: Templates,
    pub(super) existing: Existing,
    /// What becomes of each word of the command.
    pub(super) words: Vec<WordFate>,
    /// The environments that travel whole.
    pub(super) environments: Vec<FoundEnvironment>,
    /// What a job may miss.
    pub(super) doubts: Vec<Doubt>,
    /// How results are merged, for people.
    pub(super) merging: Vec<String>,
    /// What the site and the options say of jobs, beside what is in the plan.
    pub(super) jobs: JobSettings,
    /// How long the chunks take, where that is known.
    pub(super) expected: Option<Expected>,
}

pub(super) fn usage(message: impl Into<String>) -> Failure {
    Failure::new(Exit::Usage, message)
}

impl Request {
    /// Checks the options and finds the files; writes nothing. With `renew`, `--keep` is to write the same plan anew
    /// where some of it has been computed.
    pub(super) fn new(options: &WhatOptions, renew: bool, knowledge: &Knowledge) -> Result<Self, Failure> {
        let site = jobs::site(options.site.as_deref())?;
        let here = std::env::current_dir()
            .map_err(|error| Failure::new(Exit::Machine, format!("the current folder is gone: {error}")))?;
        let items = Items::new(&options.items, &here)?;
        let space = items.space.clone();
        let chain = chain::chain(options, &space)?;
        let target = options.target.unwrap_or_else(|| jobs::target(&site.profile)).as_secs_f64();
        let cost = options.cost.as_deref().map(|text| Cost::read(text, &space)).transpose()?;
        let costs = cost.as_ref().map(|cost| cost.costs(&space, &items.rows)).transpose()?;
        let cut = match knowledge {
            _ if chain.is_some() => {
                Cut::into_chunks(space.count(), space.count()).map_err(|error| usage(error.to_string()))?
            }
            Knowledge::Known(known) if known.cut.fits(space.count()) => known.cut.clone(),
            Knowledge::Probing => places(space.count()),
            _ => cut(options, space.count(), costs.as_ref(), target)?,
        };
        // With a number of chunks a formula may be of any unit.
        let in_seconds =
            matches!(cost, Some(Cost::Each(_))) || (options.chunks.is_none() && options.chunk_size.is_none());
        let said = costs.as_ref().filter(|_| in_seconds).map(|costs| Expected::new(costs, &cut, 0.0));
        let expected = match knowledge {
            Knowledge::Known(known) => known.expected.clone(),
            _ => said,
        };
        let aimed_at = match knowledge {
            Knowledge::Known(known) => known.target,
            Knowledge::Nothing | Knowledge::Probing => None,
        };
        let seen = match knowledge {
            Knowledge::Known(known) => known.seen,
            Knowledge::Nothing | Knowledge::Probing => None,
        };
        let command = command(options, &space, chain.is_some(), items.hint.as_deref())?;
        let yields = yields(options, command.as_ref(), &space)?;
        if command.is_none() && space.count() > MOST_LISTED {
            return Err(usage(format!("without a command the {} items themselves are the results", space.count()))
                .detail("each would be written down and read again")
                .help("name the program after `--`, such as: -- python3 sum.py {first} {last}"));
        }
        if command.is_none() && options.checkpoint.is_some() {
            return Err(usage("--checkpoint is for a program that keeps its own state, and there is none".to_owned())
                .help("name the program after `--`, such as: -- python3 sum.py {first} {last}"));
        }
        let reduce = reduction(options, &space, &yields)?;
        let by = grouping(options, &space, &reduce)?;
        let environment = environment(options, &space)?;
        if let Some(setup) = &options.setup {
            check_setup(setup, command.is_some())?;
        }

        let folder = absolute(&here, &options.dir);
        let base = pathdiff::diff_paths(&here, &folder).filter(|base| !base.as_os_str().is_empty());
        let base = base.unwrap_or_else(|| PathBuf::from("."));
        // What the program prints for each item it prints as often as a chunk has items.
        let runs = match &command {
            Some(command) if command.runs_per_item(&space, yields.stdin_items) => cut.sizes(space.count()).1,
            _ => 1,
        };
        let of_chunk = seen.map(|seen| u64::try_from(runs.saturating_mul(seen.result.into())).unwrap_or(u64::MAX));
        let fan_in = merging::fan_in(options, &reduce, &by, &space, cut.chunks(), of_chunk)?;
        let shards = Shards::new(cut.chunks(), fan_in);
        let (mut jobs, resources, rules) = JobSettings::new(options, &site, &reduce, &here, &base, shards)?;
        let planned = folder.join("plan.json").exists();
        let leave_out = |path: &Path| {
            let name = path.strip_prefix(&folder).ok().map(|below| below.as_os_str().as_bytes());
            let ours: [&[u8]; 8] = [
                b"outputs",
                b"logs",
                b"chunk.sub",
                b"merge.sub",
                b"reduce.sub",
                b"dagman.config",
                b"result.json",
                b"checkpoints",
            ];
            name.is_some_and(|name| name == PROBED.as_bytes())
                || planned
                    && name.is_some_and(|name| {
                        name.starts_with(b"plan.")
                            || name.starts_with(b"aside-")
                            || is_nested(name)
                            || ours.contains(&name)
                    })
        };
        let shared = resources.shared_filesystem;
        let spinner = progress::spinner("reading the files that travel");
        let setup = options.setup.as_deref();
        let inputs = [jobs.inputs(), &options.input].concat();
        let found = find(
            &here,
            command.as_ref(),
            &inputs,
            setup,
            &environment,
            JobFolder { shared_filesystem: shared, up: rows::up(&space, &items.rows) },
            &leave_out,
        );
        spinner.finish_and_clear();
        let found = found.map_err(|error| explain(&error))?;

        if let Some(chain) = &chain {
            chain::check_files(chain, &found)?;
        }
        let templates = templates(options.templates.as_deref())?;
        let per_item = |command: &Command| command.runs_per_item(&space, yields.stdin_items);
        let runs_per_item = chain.is_none() && command.as_ref().is_some_and(per_item);
        let mut plan = Plan {
            format: FORMAT,
            identity: Identity::of_plan(&space, &cut, command.as_ref(), &yields, chain.as_ref()),
            generation: 1,
            space,
            cut,
            command,
            yields,
            chain,
            reduce,
            by,
            to: None,
            tolerance: options.tolerance,
            expected: expected.as_ref().map(Expected::milliseconds),
            target: aimed_at,
            seen,
            sources: sources(&options.items),
            fan_in,
            tail_rounds: options.tail_rounds,
            base: base.into_os_string().into(),
            environment,
            files: found.files,
            setup: found.setup,
            home: std::env::var_os("HOME").filter(|home| shared && !home.is_empty()).map(Word::from),
            code: found.code,
            resources,
            pacing: {
                let tries_on_pool = options.probe_on_pool && matches!(knowledge, Knowledge::Probing);
                cost::pacing(options, expected.as_ref(), target, tries_on_pool, runs_per_item)?
            },
            site: rules,
            templates: templates.identity(),
        };
        plan.to = target::planned(options.to.as_deref(), &plan, &items.rows, &folder, &here)?;
        items.check_lengths(&plan)?;
        let merging = merging::describe(&plan, options);
        let own = rows::sent(&plan, &items.rows);
        jobs.settle_disk(&mut plan, super::plan::size(&super::plan::programs()?.runner), own);
        jobs.settle_memory(&mut plan);
        let existing = match (options.keep, options.force) {
            (true, _) => Existing::Keep { renew },
            (_, true) => Existing::MoveAside,
            _ => Existing::Refuse,
        };
        Ok(Self {
            plan,
            rows: items.rows,
            found: items.found,
            notes: items.notes,
            folder: options.dir.clone(),
            place: folder,
            templates,
            existing,
            words: found.words,
            environments: found.environments,
            doubts: found.doubts,
            merging,
            jobs,
            expected,
        })
    }
}

fn cut(options: &WhatOptions, items: u128, costs: Option<&Costs>, target: f64) -> Result<Cut, Failure> {
    let number = |name: &str, text: &str| {
        let number: Option<Range> = text.parse().ok();
        // A number of chunks is written as a range's end is: 1e3, 1_000.
        let plain = !text.contains("..") && !text.contains(':');
        number
            .filter(|_| plain)
            .map(|range| range.count())
            .ok_or_else(|| usage(format!("{name} {}: not a whole number above 0", Word::from(text).quoted())))
    };
    let cut = match (&options.chunks, &options.chunk_size, costs) {
        (Some(chunks), _, Some(costs)) => costs.cut(number("--chunks", chunks)?),
        (Some(chunks), _, None) => Cut::into_chunks(items, number("--chunks", chunks)?),
        (None, Some(size), _) => Cut::of_size(items, number("--chunk-size", size)?),
        (None, None, Some(costs)) => costs.cut(costs.chunks(target)),
        (None, None, None) => {
            let target = output::seconds(target);
            return Err(usage("nothing says how to cut the items into chunks")
                .help("say how long an item takes: --cost 3.2s")
                .help(format!("or aim at about {target} of work a chunk: --chunks N or --chunk-size N")));
        }
    };
    cut.map_err(|error| {
        let failure = usage(error.to_string());
        match error {
            CutError::MoreChunksThanItems { items, .. } => {
                failure.help(format!("--chunks {items} gives each item a chunk of its own"))
            }
            CutError::TooMany { .. } => failure.help(format!("--chunks {MOST_CHUNKS} or fewer")),
            CutError::Nothing => failure,
        }
    })
}

fn command(options: &WhatOptions, space: &Space, chain: bool, hint: Option<&str>) -> Result<Option<Command>, Failure> {
    if options.command.is_empty() {
        return Ok(None);
    }
    let words: Vec<_> = options.command.iter().cloned().map(Word::from).collect();
    let names = space.names().into_iter().filter(|name| *name != space::ITEM);
    let of_segments = SEGMENT_NAMES.into_iter().filter(|_| chain);
    let known = Placeholder::ALL.iter().map(|placeholder| placeholder.name()).chain(names).chain(of_segments);
    let known: Vec<_> = known.map(|name| format!("{{{name}}}")).collect();
    let command = Command::try_from(words).and_then(|command| {
        command.check(space, chain)?;
        Ok(Some(command))
    });
    command.map_err(|error| {
        if matches!(error, CommandError::ProgramVaries { .. }) {
            return usage(error.to_string())
                .help("a line for a shell is given to one: -- bash -c 'seq \"$SPLIT_FIRST\" \"$SPLIT_LAST\" | wc -l'");
        }
        let failure =
            usage(error.to_string()).help(format!("there are {}; a brace is written {{{{ or }}}}", known.join(" ")));
        match hint {
            Some(hint) if matches!(error, CommandError::Template(TemplateError::Unknown { .. })) => failure.help(hint),
            _ => failure,
        }
    })
}

/// The merge that is wanted; where nobody says, what fits what is computed.
fn reduction(options: &WhatOptions, space: &Space, yields: &Yields) -> Result<Reduction, Failure> {
    match (&options.reduce, &options.reduce_with) {
        (Some(name), _) => name.parse().map_err(|error: ReductionError| {
            usage(format!("--reduce: {error}")).help(format!("there are {}", Reduction::SPELLINGS.join(", ")))
        }),
        (None, Some(text)) => {
            let words = shell_words::split(text)
                .map_err(|error| usage(format!("--reduce-with {}: {error}", Word::from(text.as_str()).quoted())))?;
            let words: Vec<_> = words.iter().map(|word| Word::from(word.as_str())).collect();
            MergeCommand::try_from(words).map(Reduction::With).map_err(|error| {
                usage(format!("--reduce-with: {error}"))
                    .help("write --reduce-with 'COMMAND {left} {right}' or --reduce-with 'COMMAND {parts}'")
            })
        }
        (None, None) => Ok(match space {
            _ if !yields.collect.is_empty() || !yields.expect.is_empty() => Reduction::Files,
            Space::Range(_) => Reduction::Sum,
            Space::Parameters(_) => Reduction::Table,
        }),
    }
}

/// The files that tables and lines are read from.
fn sources(options: &ItemsOptions) -> Vec<Word> {
    let named = options.ordered.iter().filter_map(|option| match option {
        ItemsOption::Table(path) | ItemsOption::Lines(path) if path != Path::new("-") => Some(path.as_os_str()),
        _ => None,
    });
    named.map(|path| Word::from(path.to_owned())).collect()
}

/// The names that results are grouped by.
fn grouping(options: &WhatOptions, space: &Space, reduce: &Reduction) -> Result<Vec<String>, Failure> {
    let names = space.names();
    if let Some(name) = options.by.iter().find(|name| !names.contains(&&***name)) {
        return Err(usage(format!("--by {name}: the items have no value of that name"))
            .help(format!("there are {}", names.join(", "))));
    }
    if let Some(place) = (1..options.by.len()).find(|&place| options.by[..place].contains(&options.by[place])) {
        return Err(usage(format!("--by: `{}` is named twice", options.by[place])));
    }
    if !options.by.is_empty() && !reduce.is_of_values() {
        return Err(usage(format!("--by: {reduce} keeps every result, and merges no groups of them"))
            .help("--reduce mean --by NAME merges each group"));
    }
    Ok(options.by.clone())
}

fn environment(options: &WhatOptions, space: &Space) -> Result<BTreeMap<String, Word>, Failure> {
    let of_runs = variables(space);
    let mut environment = BTreeMap::new();
    let mut set = |option: &str, name: &str, value: Word| {
        if name.is_empty() || name.contains('=') {
            return Err(usage(format!("{option}: `{name}` is no name of a variable")));
        }
        if let Some((slot, _)) = of_runs.iter().find(|(_, variable)| variable == name) {
            let run = if matches!(slot, Slot::Known(_)) { "chunk" } else { "item" };
            return Err(usage(format!("{option}: {name} is set for each {run}")));
        }
        environment.insert(name.to_owned(), value);
        Ok(())
    };
    for name in &options.getenv {
        let value =
            std::env::var_os(name).ok_or_else(|| usage(format!("--getenv {name}: there is no such variable here")))?;
        set("--getenv", name, value.into())?;
    }
    for pair in &options.env {
        let bytes = pair.as_bytes();
        let split = bytes.iter().position(|&byte| byte == b'=');
        let name = split.and_then(|at| std::str::from_utf8(&bytes[..at]).ok());
        let (Some(at), Some(name)) = (split, name) else {
            let shown = Word::from(pair.clone()).quoted();
            return Err(usage(format!("--env {shown}: not of the form NAME=VALUE"))
                .help("--getenv NAME takes the value that NAME has here"));
        };
        set("--env", name, Word::from(bytes[at + 1..].to_vec()))?;
    }
    Ok(environment)
}

/// A set-up is a file, and there is a program that it is for.
fn check_setup(setup: &Path, has_command: bool) -> Result<(), Failure> {
    let shown = Word::from(setup.as_os_str().to_owned()).quoted();
    if !has_command {
        return Err(usage(format!("--setup {shown}: there is no program that it would be for"))
            .help("name the program after `--`, such as: -- python3 sum.py {first} {last}"));
    }
    match setup.metadata() {
        Ok(found) if found.is_file() => Ok(()),
        Ok(_) => Err(usage(format!("--setup {shown}: not a file"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(usage(format!("--setup {shown}: there is no such file"))
                .help("a set-up is a file with shell commands, such as: source .venv/bin/activate"))
        }
        Err(error) => Err(usage(format!("--setup {shown}: {error}"))),
    }
}

/// Those of `split`, or of `--templates`.
pub(super) fn templates(folder: Option<&Path>) -> Result<Templates, Failure> {
    let mut templates = Templates::built_in();
    let Some(folder) = folder else { return Ok(templates) };
    let mut any = false;
    for name in Templates::NAMES {
        let path = folder.join(name);
        match std::fs::read_to_string(&path) {
            Ok(text) if text.contains('\0') => {
                return Err(usage(format!("--templates: {} holds a NUL byte", path.display())));
            }
            Ok(text) => {
                templates.replace(name, text);
                any = true;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(usage(format!("--templates: cannot read {}: {error}", path.display()))),
        }
    }
    if any {
        return Ok(templates);
    }
    Err(usage(format!("--templates {}: it holds none of {}", folder.display(), Templates::NAMES.join(", "))))
}

/// `path` without `.`, `..` and links as far as it exists, so that relative paths from it hold.
fn absolute(here: &Path, path: &Path) -> PathBuf {
    let joined = here.join(path);
    let mut missing = Vec::new();
    let mut there = joined.as_path();
    loop {
        if let Ok(found) = there.canonicalize() {
            let rest: PathBuf = missing.iter().rev().collect();
            return if rest.as_os_str().is_empty() { found } else { found.join(rest) };
        }
        match (there.file_name(), there.parent()) {
            (Some(name), Some(parent)) => {
                missing.push(name.to_owned());
                there = parent;
            }
            _ => return joined,
        }
    }
}

fn explain(error: &FindError) -> Failure {
    let failure = Failure::from_error(Exit::Usage, error);
    let quoted = |path: &Path| Word::from(path.as_os_str().to_owned().into_vec()).quoted();
    match error {
        FindError::NotExecutable(path) => failure.help(format!("chmod +x {}", quoted(path))),
        FindError::NotOnPath(path) => failure.help(format!("write it with its folder: ./{}", quoted(path))),
        FindError::SamePlace { .. } => failure.help("rename one of them, or name them by relative paths"),
        FindError::Interpreter { name, .. } => {
            let named = format!("name it without a folder, and each job finds its own: {}", quoted(Path::new(name)));
            failure
                .help(named)
                .help("or send it with all that belongs to it: name it in its installation or environment, such as .venv/bin/python3")
                .help("a program of your own with such a name travels under another one")
        }
        FindError::Url(error) => explain_url(failure, error),
        FindError::UrlOnSharedFilesystem(url) => match url.strip_prefix("file://") {
            Some(path) => failure.help(format!("the program can open {path} itself, where execute points see it")),
            None => failure.help("fetch it once into a folder that execute points see, and name that file"),
        },
        FindError::Unreadable { .. } | FindError::Special(_) | FindError::PastRoot(_) => failure,
    }
}

fn explain_url(failure: Failure, error: &UrlError) -> Failure {
    match error {
        UrlError::Character { instead, shown, .. } => failure.help(format!("write {instead} for {shown}")),
        UrlError::Percent { .. } => failure.help("a % itself is written %25"),
        UrlError::Malformed { .. } => {
            failure.help("such as osdf:///path/data.csv, https://host/data.csv, file:///path/data.csv")
        }
        UrlError::NoName { .. } => {
            failure.help("name a file; a folder has to be packed into one, or its files be named one by one")
        }
        UrlError::Taken { .. } => {
            failure.help("give the file another name where it is, or fetch it and name it as a file")
        }
    }
}
