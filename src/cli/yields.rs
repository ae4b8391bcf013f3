//! What the program gets and leaves beside its arguments: `--seed`, `--stdin-items`, `--collect`, `--expect`.

use super::arguments::WhatOptions;
use super::failure::Failure;
use super::request::usage;
use crate::plan::{Command, FilePattern, FilePatternError, FileTemplate, Placeholder, Plan, Slot, Word, Yields};
use crate::space::{self, Axis, Space, Values};

/// What is said of an interval of items by its ends.
const ENDS: [Placeholder; 5] =
    [Placeholder::First, Placeholder::Last, Placeholder::Start, Placeholder::Stop, Placeholder::Step];

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
    if let Some(command) = command {
        check_ends(options, command, space)?;
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

/// Refuses the ends of an interval where numbers of `--total` are among the items and do not follow one another: a program that
/// computes from the first to the last would compute others.
fn check_ends(options: &WhatOptions, command: &Command, space: &Space) -> Result<(), Failure> {
    let names = space.names();
    if matches!(space, Space::Range(_)) || !names.contains(&space::ITEM) {
        return Ok(());
    }
    let ends: Vec<_> = ENDS.into_iter().filter(|end| command.mentions(*end)).collect();
    if ends.is_empty() {
        return Ok(());
    }
    let why = match names.len() {
        1 => "--where leaves out items of --total, and a program would compute those between the ends, too",
        _ => "the items are rows, of which `item`, the number of --total, is one value: no two ends name them",
    };
    let others: String = names.iter().filter(|name| **name != space::ITEM).map(|name| format!(" {{{name}}}")).collect();
    let with_item = with_item(options).map_or_else(String::new, |line| format!(": {line}"));
    Err(usage(format!("{}: {why}", braces(&ends)))
        .help(format!("with {{item}}{others} the program runs once for each item{with_item}"))
        .help("{items} is a CSV file with the values of all items of a chunk"))
}

fn braces(placeholders: &[Placeholder]) -> String {
    let braces: Vec<_> = placeholders.iter().map(|placeholder| format!("{{{}}}", placeholder.name())).collect();
    braces.join(" ")
}

/// The command line with one item in the place of the first and the last, and without the words of a loop's stop and step;
/// `None` where these are parts of words.
fn with_item(options: &WhatOptions) -> Option<String> {
    let typed: Vec<_> = std::env::args_os().skip(1).map(Word::from).collect();
    let (before, command) = typed.split_at(typed.len().checked_sub(options.command.len())?);
    let is_loops = |word: &&Word| [&b"{stop}"[..], b"{step}"].contains(&word.as_bytes());
    let mut line = "split".to_owned();
    for word in before.iter().chain(command.iter().filter(|word| !is_loops(word))) {
        let with_item = |text: String, end: &str| {
            text.replace(&format!("{{{end}}}"), "{item}").replace(&format!("{{{end}:"), "{item:")
        };
        line = line + " " + &["first", "last", "start"].into_iter().fold(word.quoted(), with_item);
    }
    (!line.contains("{stop") && !line.contains("{step")).then_some(line)
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
    notes.extend(numbers(plan, command));
    let conditional = matches!(&plan.space, Space::Parameters(parameters) if parameters.condition().is_some());
    let tells_of_many = ENDS.into_iter().chain([Placeholder::Count]).any(|end| command.mentions(end));
    if conditional && !per_item && tells_of_many {
        notes.push(
            "note: between {first} and {last} are items that --where leaves out, and the program would compute them, \
             too; {items} lists those that count"
                .to_owned(),
        );
    }
    notes
}

/// Numbers of rows may be taken for values.
fn numbers(plan: &Plan, command: &Command) -> Option<String> {
    let Space::Parameters(_) = plan.space else { return None };
    let ends = ENDS.into_iter().filter(|end| *end != Placeholder::Step);
    let named = ends.filter_map(|end| match command.mentions(end) {
        true => Some(braces(&[end])),
        false => command.names(&Slot::Known(end)).then(|| end.variable().to_owned()),
    });
    let named: Vec<_> = named.collect();
    let values: Vec<_> = plan.space.names().iter().take(3).map(|name| format!("{{{name}}}")).collect();
    (!named.is_empty()).then(|| {
        format!(
            "note: {}: numbers of rows, counted from 0; values are in {{items}}, a CSV file, and of one item in {}",
            named.join(" "),
            values.join(" ")
        )
    })
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
