//! What the program gets and leaves beside its arguments: `--seed`, `--stdin-items`, `--collect`, `--expect`.

use super::arguments::WhatOptions;
use super::failure::Failure;
use super::request::usage;
use crate::plan::{Command, FilePattern, FilePatternError, FileTemplate, Placeholder, Plan, Slot, Word, Yields};
use crate::space::{self, Axis, Space, Values};

/// Checks the options.
pub(super) fn yields(options: &WhatOptions, command: Option<&Command>, space: &Space) -> Result<Yields, Failure> {
    let given = [
        ("--seed", options.seed.is_some()),
        ("--stdin-items", options.stdin_items),
        ("--collect", !options.collect.is_empty()),
        ("--expect", !options.expect.is_empty()),
    ];
    if command.is_none()
        && let Some((option, _)) = given.iter().find(|(_, given)| *given)
    {
        return Err(usage(format!("{option}: there is no program that it would be for"))
            .help("name the program after `--`, such as: -- python3 sum.py {first} {last}"));
    }
    if options.stdin_items
        && let Some(name) = not_text(space)
    {
        return Err(usage(format!("--stdin-items: a value of `{name}` is not UTF-8, and JSON cannot hold it"))
            .help(format!("{{{name}}} in the command, and {{items}}, carry any bytes")));
    }
    let patterns = options.collect.iter().map(|text| {
        let word = Word::from(text.clone());
        let shown = word.quoted();
        FilePattern::try_from(word).map_err(|error| {
            usage(format!("--collect {shown}: {error}"))
                .help("patterns are a shell's, such as 'frame_*.png'; 'out/**' stands for all files below out")
        })
    });
    let collect = patterns.collect::<Result<_, _>>()?;
    let templates = options.expect.iter().map(|text| {
        let word = Word::from(text.clone());
        let shown = word.quoted();
        let template = FileTemplate::try_from(word).and_then(|template| {
            template.check(space)?;
            Ok(template)
        });
        template.map_err(|error: FilePatternError| {
            usage(format!("--expect {shown}: {error}"))
                .help("a name has placeholders as the command has, such as 'frame_{item:05}.png'")
        })
    });
    let expect = templates.collect::<Result<_, _>>()?;
    Ok(Yields { seed: options.seed.unwrap_or(0), stdin_items: options.stdin_items, collect, expect })
}

/// The name of which a value that the plan lists is not UTF-8.
fn not_text(space: &Space) -> Option<&str> {
    let Space::Parameters(parameters) = space else { return None };
    let columns = parameters.axes().iter().flat_map(|axis| match axis {
        Axis::Columns(columns) => columns.as_slice(),
        Axis::Listed(_) => &[],
    });
    let is_text = |word: &Word| std::str::from_utf8(word.as_bytes()).is_ok();
    let mut odd = columns.filter(|column| match &column.values {
        Values::List(values) => !values.iter().all(is_text),
        _ => false,
    });
    odd.next().map(|column| column.name.as_str())
}

/// How the program runs, where that is not once over all items of a chunk, and what it gets and leaves.
pub(super) fn describe(plan: &Plan) -> Vec<String> {
    let Some(command) = &plan.command else { return Vec::new() };
    let yields = &plan.yields;
    let mut lines = Vec::new();
    let per_item = command.runs_per_item(&plan.space, yields.stdin_items);
    if per_item {
        lines.push("  the program runs once for each item".to_owned());
    }
    if yields.stdin_items {
        let what = if per_item { "its item" } else { "its items" };
        lines.push(format!("  {what} on its standard input, a JSON object a line"));
    }
    let patterns = yields.collect.iter().map(FilePattern::word);
    let names: Vec<_> = patterns.chain(yields.expect.iter().map(FileTemplate::word)).map(Word::quoted).collect();
    if !names.is_empty() {
        lines.push(format!("  what it writes to {} comes back with the results", names.join(" ")));
    }
    lines
}

/// What may not be meant.
pub(super) fn notes(plan: &Plan) -> Vec<String> {
    let Some(command) = &plan.command else { return Vec::new() };
    let mut notes = Vec::new();
    let per_item = command.runs_per_item(&plan.space, plan.yields.stdin_items);
    if !command.mentions_items() && !plan.yields.stdin_items {
        notes.extend(unnamed(plan, command, per_item));
    }
    if command.names_a_seed() && !per_item {
        notes.push(
            "note: one run computes many items, and {seed} is that of the first: the numbers depend on the cut; {items} \
             has a column with a seed for each, and with {item} the program runs once for each"
                .to_owned(),
        );
    }
    let conditional = matches!(&plan.space, Space::Parameters(parameters) if parameters.condition().is_some());
    let ends = [Placeholder::First, Placeholder::Last, Placeholder::Start, Placeholder::Stop, Placeholder::Count];
    if conditional && !per_item && ends.into_iter().any(|end| command.mentions(end)) {
        notes.push(
            "note: between {first} and {last} are items that --where leaves out, and the program would compute them, \
             too; {items} lists those that count"
                .to_owned(),
        );
    }
    notes
}

/// The command says nothing of its items.
fn unnamed(plan: &Plan, command: &Command, per_item: bool) -> Option<String> {
    let Space::Parameters(_) = plan.space else {
        let note = "note: the command never names its items ({first} {last} or {start} {stop}); fine if it reads \
                    SPLIT_FIRST and SPLIT_LAST";
        return (!per_item).then(|| note.to_owned());
    };
    let names = plan.space.names();
    let slots: Vec<_> = names.iter().filter(|name| **name != space::ITEM).take(3).map(|name| Slot::of(name)).collect();
    if slots.is_empty() || !per_item || command.names_values(&plan.space) {
        return None;
    }
    let braces: Vec<_> = slots.iter().map(|slot| format!("{{{}}}", slot.name())).collect();
    let variables: Vec<_> = slots.iter().map(Slot::variable).collect();
    Some(format!(
        "note: the command never names a value of its item ({}); fine if it reads {}",
        braces.join(" "),
        variables.join(", ")
    ))
}
