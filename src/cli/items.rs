//! The items that the options name: a space, and the rows that it keeps beside the plan.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::access_point::in_own_threads;
use super::arguments::{ItemsOption, ItemsOptions};
use super::failure::Failure;
use super::output::count;
use super::progress;
use super::request::usage;
use super::values::{Given, MUCH, Many, named, read};
use crate::exit::Exit;
use crate::plan::{Placeholder, Plan, Slot, Word};
use crate::rows::{self, FilesError, Separator, Table, TableError, find_files, line_of_value, read_files, read_lines};
use crate::space::{
    self, Axis, Column, Condition, ConditionError, Interval, Listed, MOST_SEARCHED, Parameters, ParametersError, Range,
    RowBlock, Rows, Space,
};

/// How many items tell the share that `--where` keeps.
const SAMPLE: u64 = 10_000;

/// What a program's argument can hold: Linux's `MAX_ARG_STRLEN`, 32 pages, less the NUL at its end (execve(2)).
const LONGEST_ARGUMENT: usize = 32 * 4096 - 1;

/// What all arguments of a program can hold: a quarter of the usual limit of its stack, 8 MiB (execve(2)), less what is left for
/// its environment, of which the items' values may be 512 KiB.
const ALL_ARGUMENTS: usize = (2 << 20) - (640 << 10);

/// The items, and what is to be said of them.
#[derive(Debug)]
pub(super) struct Items {
    pub(super) space: Space,
    /// The rows of the space's listed axes.
    pub(super) rows: Rows,
    /// What was found, for people.
    pub(super) found: Vec<String>,
    /// What may not be meant.
    pub(super) notes: Vec<String>,
    /// What helps where a name is missing.
    pub(super) hint: Option<String>,
    long: Vec<Long>,
}

/// The longest value of a name.
#[derive(Debug)]
struct Long {
    name: String,
    bytes: usize,
    /// Where it is.
    place: String,
}

/// An axis, and what is to be said of it.
struct Part {
    axis: Axis,
    block: Option<RowBlock>,
    long: Vec<Long>,
    found: Vec<String>,
    notes: Vec<String>,
    hint: Option<String>,
}

impl Part {
    fn new(axis: Axis, block: Option<RowBlock>, long: Vec<Long>) -> Self {
        Self { axis, block, long, found: Vec::new(), notes: Vec::new(), hint: None }
    }
}

impl Items {
    /// The items that the options name; relative paths start from `here`.
    pub(super) fn new(options: &ItemsOptions, here: &Path) -> Result<Self, Failure> {
        let condition = options.condition.as_deref().map(condition).transpose()?;
        check_standard_input(options)?;
        if let ([ItemsOption::Total(total)], None) = (&options.ordered[..], &condition) {
            return Ok(Self::of_range(range(total)?));
        }
        if options.ordered.is_empty() {
            return Err(usage("nothing says what to compute")
                .help("name a range, such as: --total 1..=100")
                .help("or values: --grid alpha=0..=1:0.1 --grid n=10,100, --table data.csv, --lines names.txt, --files '*.dat'"));
        }
        let mut parts = Vec::new();
        for option in &options.ordered {
            parts.push(match option {
                ItemsOption::Total(total) => {
                    let values = space::Values::Range(range(total)?);
                    let column = Column { name: space::ITEM.to_owned(), values };
                    Part::new(Axis::Columns(vec![column]), None, Vec::new())
                }
                ItemsOption::Grid(text) => side_by_side("--grid", &[text])?,
                ItemsOption::Zip(texts) => side_by_side("--zip", &texts.iter().collect::<Vec<_>>())?,
                ItemsOption::Table(path) => table(path, options.columns.as_deref())?,
                ItemsOption::Lines(path) => lines(path)?,
                ItemsOption::Files(patterns) => files(here, patterns)?,
            });
        }
        let mut axes = Vec::new();
        let (mut rows, mut found, mut notes, mut long) = (Rows::default(), Vec::new(), Vec::new(), Vec::new());
        let mut hint = None;
        for part in parts {
            axes.push(part.axis);
            rows.blocks.extend(part.block);
            found.extend(part.found);
            notes.extend(part.notes);
            long.extend(part.long);
            hint = hint.or(part.hint);
        }
        check_names(&axes)?;
        let parameters = Parameters::new(axes.clone(), condition.clone()).map_err(|error| match &hint {
            Some(hint) if matches!(error, ParametersError::Condition(_)) => explain(&error).help(hint.clone()),
            _ => explain(&error),
        })?;
        notes.extend(shared_variables(&parameters));
        let mut items = Self { space: Space::Parameters(parameters), rows, found, notes, hint, long };
        if let Some(condition) = condition {
            let keeps_all = items.choose(axes, &condition)?;
            if let ([ItemsOption::Total(total)], true) = (&options.ordered[..], keeps_all) {
                return Ok(Self { found: items.found, ..Self::of_range(range(total)?) });
            }
        }
        Ok(items)
    }

    fn of_range(range: Range) -> Self {
        Self {
            space: Space::Range(range),
            rows: Rows::default(),
            found: Vec::new(),
            notes: Vec::new(),
            hint: None,
            long: Vec::new(),
        }
    }

    /// Applies `--where`: lists what it keeps, where that can be, and else tells how much that is. Whether it is known to keep
    /// all.
    fn choose(&mut self, axes: Vec<Axis>, condition: &Condition) -> Result<bool, Failure> {
        let all = self.space.count();
        let is_listed = matches!(axes[..], [Axis::Listed(_)]);
        let has_files = self.space.listed().iter().any(|listed| listed.files);
        let shown = format!("--where {}", Word::from(condition.text()).quoted());
        let none = |what: String| usage(format!("{shown}: it keeps none of {what}"));
        let fail = |error: ConditionError| usage(format!("{shown}: {error}"));
        if all > MOST_SEARCHED && !is_listed {
            let share = self.estimate().map_err(fail)?;
            if share.0 == 0 {
                return Err(none(format!("a sample of {SAMPLE} items"))
                    .detail("so it keeps very few, if any, and nearly all that jobs would do is to leave out items")
                    .help(format!("a space of at most {MOST_SEARCHED} items is searched for what it keeps"))
                    .help("or name the items themselves: --table FILE"));
            }
            self.found.push(format!(
                "  --where              keeps about {:.1} % of the items (give or take {:.1} %, by a sample of {SAMPLE}); jobs leave \
                 out the others",
                100.0 * share.1, 100.0 * share.2
            ));
            return Ok(false);
        }
        let spinner = progress::spinner("looking for the items that count");
        let kept = in_own_threads(true, || self.kept())?.map_err(fail);
        spinner.finish_and_clear();
        let kept = kept?;
        if kept.is_empty() {
            return Err(none(count(all, "item")));
        }
        self.found.push(format!("  --where              keeps {} of {}", kept.len(), count(all, "item")));
        let keeps_all = kept.len() as u128 == all;
        if keeps_all {
            self.space = Space::Parameters(Parameters::new(axes, None).map_err(|error| explain(&error))?);
        } else if is_listed || !has_files {
            self.list(&axes, &kept)?;
        }
        Ok(keeps_all)
    }

    /// The items that count.
    fn kept(&self) -> Result<Vec<u128>, ConditionError> {
        const AT_A_TIME: u128 = 10_000;
        let all = self.space.count();
        let kept = |from: u128| -> Result<Vec<u128>, ConditionError> {
            let mut kept = Vec::new();
            for item in from * AT_A_TIME..all.min((from + 1) * AT_A_TIME) {
                if self.space.keeps(item, &self.rows)? {
                    kept.push(item);
                }
            }
            Ok(kept)
        };
        let last = u64::try_from(all.div_ceil(AT_A_TIME)).expect("a table's rows are in memory");
        let kept: Vec<Result<Vec<u128>, ConditionError>> =
            (0..last).into_par_iter().map(|from| kept(from.into())).collect();
        // The first item that has no value is told, whatever was found first.
        Ok(kept.into_iter().collect::<Result<Vec<_>, _>>()?.concat())
    }

    /// Makes the items that count the rows of one axis.
    fn list(&mut self, axes: &[Axis], kept: &[u128]) -> Result<(), Failure> {
        let names: Vec<_> = self.space.names().into_iter().map(str::to_owned).collect();
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        let mut add = |value: &[u8]| {
            bytes.extend_from_slice(value);
            ends.push(bytes.len());
        };
        let mut columns = names.len();
        let mut files = false;
        match (axes, &self.rows.blocks[..]) {
            // With what is known of files, beside their names.
            ([Axis::Listed(listed)], [block]) => {
                (columns, files) = (block.columns(), listed.files);
                for row in kept.iter().filter_map(|item| u64::try_from(*item).ok()) {
                    (0..columns).for_each(|column| add(block.field(row, column).unwrap_or_default()));
                }
            }
            _ => {
                for item in kept {
                    self.space.row(*item, &self.rows).iter().flatten().for_each(|value| add(value));
                }
            }
        }
        let block = RowBlock::whole(columns, bytes, ends);
        let axis = listed(names, &block, files);
        self.space = Space::Parameters(Parameters::new(vec![axis], None).map_err(|error| explain(&error))?);
        self.rows.blocks = vec![block];
        Ok(())
    }

    /// How many items of a sample count, their share, and three times its standard error. The sample is the
    /// same each time.
    fn estimate(&self) -> Result<(u64, f64, f64), ConditionError> {
        let all = self.space.count();
        let chance = |number: u64| {
            (u128::from(space::seed(0, (2 * number).into())) << 64)
                | u128::from(space::seed(0, (2 * number + 1).into()))
        };
        let mut kept = 0;
        for number in 0..SAMPLE {
            kept += u64::from(self.space.keeps(chance(number) % all, &self.rows)?);
        }
        let share = kept as f64 / SAMPLE as f64;
        Ok((kept, share, 3.0 * (share * (1.0 - share) / SAMPLE as f64).sqrt()))
    }

    /// Refuses values that are too long for the arguments which name them.
    pub(super) fn check_lengths(&self, plan: &Plan) -> Result<(), Failure> {
        let Space::Parameters(parameters) = &self.space else { return Ok(()) };
        let Some(command) = &plan.command else { return Ok(()) };
        let typed: usize = command.words().iter().map(|word| word.as_bytes().len()).sum();
        let named = command.words().iter().flat_map(|word| word.as_bytes()).filter(|byte| **byte == b'{').count();
        let longest: usize = self.long.iter().map(|long| long.bytes).sum();
        // Nearly all plans.
        if longest.saturating_mul(named).saturating_add(typed) <= LONGEST_ARGUMENT {
            return Ok(());
        }
        let all = parameters.count();
        if all > MOST_SEARCHED {
            return self.check_length(plan, largest(parameters, &self.rows));
        }
        (0..all).try_for_each(|item| self.check_length(plan, item))
    }

    fn check_length(&self, plan: &Plan, item: u128) -> Result<(), Failure> {
        let one = Interval::new(item, item + 1).expect("one item");
        let words = plan.words(0, one, &self.rows).unwrap_or_default();
        let lengths = words.iter().map(|word| word.as_bytes().len());
        let longest = lengths.clone().max().unwrap_or(0);
        let sum = lengths.sum::<usize>();
        let what = match () {
            () if longest > LONGEST_ARGUMENT => {
                format!("an argument of {longest} bytes, and a program can be given one of at most {LONGEST_ARGUMENT}")
            }
            () if sum > ALL_ARGUMENTS => {
                format!("arguments of {sum} bytes, and a program can be given at most {ALL_ARGUMENTS} in all")
            }
            () => return Ok(()),
        };
        let row = self.space.row(item, &self.rows).unwrap_or_default();
        let names = self.space.names();
        let values = names.iter().zip(&row).map(|(name, value)| (value.len(), *name));
        let (bytes, name) = values.max_by_key(|(bytes, _)| *bytes).unwrap_or_default();
        let known = self.long.iter().find(|long| long.name == name && long.bytes == bytes);
        let place = known.map_or_else(|| format!("item {item}"), |long| long.place.clone());
        Err(usage(format!("{place}: the value of `{name}` is {bytes} bytes long: that makes {what}"))
            .help("put what is so long into files, and name these: --files '*.txt'")
            .help("or let the program read its values: {items} is a CSV file with them"))
    }
}

/// The item with the longest values of each axis.
fn largest(parameters: &Parameters, rows: &Rows) -> u128 {
    let mut blocks = rows.blocks.iter();
    parameters.axes().iter().fold(0, |item, axis| {
        let place = match axis {
            Axis::Columns(columns) => {
                // Those of a range are short, and as good as one another.
                let lists = columns.iter().filter(|column| matches!(column.values, space::Values::List(_)));
                let lists: Vec<_> = lists.collect();
                let bytes = |place: &u128| lists.iter().map(|list| list.values.value(*place).len()).sum::<usize>();
                let count = if lists.is_empty() { 1 } else { axis.count() };
                (0..count).max_by_key(bytes).unwrap_or(0)
            }
            Axis::Listed(listed) => {
                let block = blocks.next();
                let field = |row, column| block.and_then(|block| block.field(row, column)).map_or(0, <[u8]>::len);
                let bytes = |row: &u64| (0..listed.names.len()).map(|column| field(*row, column)).sum::<usize>();
                (0..listed.rows).max_by_key(bytes).unwrap_or(0).into()
            }
        };
        item * axis.count() + place
    })
}

fn range(total: &str) -> Result<Range, Failure> {
    total.parse().map_err(|error| {
        usage(format!("--total {}: {error}", Word::from(total).quoted()))
            .help("ranges are written 1..=100, 0..1000, 1000 (for 0..1000), 0..=1e6, -5..=5, 0..=1000:5")
    })
}

fn condition(text: &OsStr) -> Result<Condition, Failure> {
    let shown = Word::from(text.to_owned()).quoted();
    let typed = text.to_str().ok_or_else(|| usage(format!("--where {shown}: it is not UTF-8 text")))?;
    Condition::try_from(typed.to_owned())
        .map_err(|error| usage(format!("--where {shown}: {error}")).help("such as --where 'i < j && name != \"test\"'"))
}

/// Standard input is read once.
fn check_standard_input(options: &ItemsOptions) -> Result<(), Failure> {
    let is_dash = |text: &OsStr| text == "-" || text.as_bytes().windows(3).any(|end| end == b"=@-");
    let times = options.ordered.iter().flat_map(|option| match option {
        ItemsOption::Table(path) | ItemsOption::Lines(path) => vec![path.as_os_str()],
        ItemsOption::Grid(text) => vec![text.as_os_str()],
        ItemsOption::Zip(texts) => texts.iter().map(|text| text.as_os_str()).collect(),
        ItemsOption::Total(_) | ItemsOption::Files(_) => Vec::new(),
    });
    match times.filter(|text| is_dash(text)).count() {
        0 | 1 => Ok(()),
        _ => Err(usage("standard input (-) can be read only once")),
    }
}

/// Names whose values stand side by side.
fn side_by_side(option: &str, texts: &[&OsString]) -> Result<Part, Failure> {
    let mut given: Vec<(String, Given)> = texts.iter().map(|text| named(option, text)).collect::<Result<_, _>>()?;
    let notes = given.iter_mut().flat_map(|(_, given)| std::mem::take(&mut given.notes)).collect();
    let long = given.iter().map(|(name, given)| {
        let (bytes, place) = given.longest.clone();
        Long { name: name.clone(), bytes, place }
    });
    let long = long.collect();
    if given.iter().all(|(_, given)| matches!(given.values, Many::Few(_))) {
        let column = |(name, given): (String, Given)| match given.values {
            Many::Few(values) => Some(Column { name, values }),
            Many::Rows(_) => None,
        };
        let columns = given.into_iter().filter_map(column).collect();
        return Ok(Part { notes, ..Part::new(Axis::Columns(columns), None, long) });
    }
    let rows = given.first().map_or(0, |(_, given)| given.count());
    if let [(first, one), ..] = &given[..]
        && let Some((second, other)) = given.iter().find(|(_, other)| other.count() != rows)
    {
        return Err(explain(&ParametersError::Unequal {
            first: first.clone(),
            first_count: one.count(),
            second: second.clone(),
            second_count: other.count(),
        }));
    }
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    for row in 0..rows {
        for (_, given) in &given {
            bytes.extend_from_slice(&given.value(row));
            ends.push(bytes.len());
        }
    }
    let block = RowBlock::whole(given.len(), bytes, ends);
    let names = given.into_iter().map(|(name, _)| name).collect();
    Ok(Part { notes, ..Part::new(listed(names, &block, false), Some(block), long) })
}

/// Rows that are all there, as an axis.
fn listed(names: Vec<String>, block: &RowBlock, files: bool) -> Axis {
    let content = rows::identity(&names, block);
    Axis::Listed(Listed { names, rows: block.len(), content, files })
}

fn table(path: &Path, columns: Option<&OsStr>) -> Result<Part, Failure> {
    let file = Word::from(path.as_os_str().to_owned()).quoted();
    let what = format!("--table {file}");
    let columns = columns.map(names_of_columns).transpose()?;
    let bytes = read(&what, path)?;
    let spinner = progress::spinner("reading the table");
    let table = in_own_threads(bytes.len() > MUCH, || Table::read(&bytes, columns.as_deref()));
    spinner.finish_and_clear();
    let table = table?.map_err(|error| {
        let failure = usage(format!("{what}: {error}"));
        let save = "save it as UTF-8 text, comma-separated (CSV)";
        match &error {
            TableError::Text(rows::LinesError::Utf16 | rows::LinesError::Nul { .. }) => failure.help(save),
            TableError::NoName { .. } => failure
                .help("give it a name, or write the table without row names (R: row.names=FALSE, pandas: index=False)"),
            TableError::HeaderOnly => failure.help("--columns a,b names the columns of a file that has no header"),
            TableError::Ragged { .. } if columns.is_none() => failure
                .help("a field that holds a comma or a line break stands in quotes")
                .help("--columns a,b names the columns of a file that has no header, or whose fields stand between blanks"),
            _ => failure,
        }
    })?;
    let (mut found, mut notes) = (Vec::new(), Vec::new());
    if columns.is_some() {
        let first = (0..table.names.len()).map(|column| table.block.field(0, column).unwrap_or_default());
        let names: Vec<_> = table.names.iter().map(String::as_str).collect();
        let first: Vec<_> = first.collect();
        if first.iter().zip(&names).all(|(field, name)| field.trim_ascii() == name.as_bytes()) {
            let instead = match table.separator {
                Separator::Blanks => format!("{} leaves it out", without_first_line(&file)),
                _ => "without --columns it is the header".to_owned(),
            };
            notes.push(format!(
                "note: the first row of {file} is the columns' names, and counts all the same; {instead}"
            ));
        }
        let first = space::describe_row(&names, &first);
        let rest = if table.separator == Separator::Blanks { ", the last takes the rest of the line" } else { "" };
        found.push(format!("  {file:<20} fields between {}{rest}; the first row: {first}", table.separator));
        if table.block.field(0, 0).is_some_and(|field| field.starts_with(b"#")) {
            notes.push(format!(
                "note: the first row of {file} starts with # and counts all the same, as for condor_submit"
            ));
        }
    }
    let long = table.names.iter().zip(&table.longest);
    let long = long.map(|(name, longest)| Long {
        name: name.clone(),
        bytes: longest.bytes,
        place: format!("{what}, line {}", longest.line),
    });
    let long = long.collect();
    // A header is CSV: of one whose names stand between blanks it makes one name.
    let hint = match &table.names[..] {
        [name] if columns.is_none() && name.contains(char::is_whitespace) => {
            let columns = Word::from(name.split_whitespace().collect::<Vec<_>>().join(",").as_str()).quoted();
            Some(format!(
                "{file} has one column, `{name}`; where several stand between blanks: {}, and --table rows.txt --columns {columns}",
                without_first_line(&file)
            ))
        }
        _ => None,
    };
    Ok(Part { axis: listed(table.names, &table.block, false), block: Some(table.block), long, found, notes, hint })
}

/// The command that writes a file's lines but the first.
fn without_first_line(file: &str) -> String {
    format!("tail -n +2 {file} > rows.txt")
}

fn names_of_columns(text: &OsStr) -> Result<Vec<String>, Failure> {
    let fail = |why: &dyn std::fmt::Display| {
        usage(format!("--columns {}: {why}", Word::from(text.to_owned()).quoted()))
            .help("name the columns: --columns a,b")
    };
    let fields = space::split(text.as_bytes()).map_err(|error| fail(&error))?;
    let names: Vec<_> =
        fields.iter().map(|field| std::str::from_utf8(&field.text).map(|name| name.trim().to_owned())).collect();
    let names: Vec<String> = names.into_iter().collect::<Result<_, _>>().map_err(|_| fail(&"it is not UTF-8 text"))?;
    if names.iter().any(String::is_empty) {
        return Err(fail(&"a name is empty"));
    }
    match names.iter().enumerate().find(|(place, name)| names[..*place].contains(name)) {
        Some((_, name)) => Err(fail(&format!("two columns are called `{name}`"))),
        None => Ok(names),
    }
}

fn lines(path: &Path) -> Result<Part, Failure> {
    let what = format!("--lines {}", Word::from(path.as_os_str().to_owned()).quoted());
    let bytes = read(&what, path)?;
    let block = read_lines(&bytes).map_err(|error| usage(format!("{what}: {error}")))?;
    let length = |row: &u64| block.field(*row, 0).map_or(0, <[u8]>::len);
    let row = (0..block.len()).max_by_key(length).unwrap_or(0);
    let long = Long {
        name: LINE.to_owned(),
        bytes: length(&row),
        place: format!("{what}, line {}", line_of_value(&bytes, row)),
    };
    Ok(Part::new(listed(vec![LINE.to_owned()], &block, false), Some(block), vec![long]))
}

/// The names of lines and of files.
const LINE: &str = "line";
const FILE: &str = "file";

fn files(here: &Path, patterns: &[OsString]) -> Result<Part, Failure> {
    let fail = |error: FilesError| match error {
        FilesError::None { .. } | FilesError::Pattern { .. } => usage(format!("--files {error}"))
            .help("patterns are written 'data/*.csv', '**/*.dat', and found from the current folder"),
        FilesError::Unreadable { .. } => Failure::from_error(Exit::Usage, &error),
    };
    let found: Vec<PathBuf> = find_files(here, patterns).map_err(fail)?;
    let bar = progress::bar(found.len() as u64, "reading the files");
    let block = in_own_threads(true, || read_files(here, &found, &|| bar.inc(1)))?;
    bar.finish_and_clear();
    let block = block.map_err(fail)?;
    Ok(Part::new(listed(vec![FILE.to_owned()], &block, true), Some(block), Vec::new()))
}

/// A name that means something else in a command would be that there.
fn check_names(axes: &[Axis]) -> Result<(), Failure> {
    let own_item = |axis: &Axis| matches!(axis, Axis::Columns(columns) if matches!(columns[..], [Column { ref name, values: space::Values::Range(_) }] if name == space::ITEM));
    for axis in axes {
        for name in axis.names() {
            let known = Placeholder::ALL.iter().any(|placeholder| placeholder.name() == name);
            if known && !own_item(axis) {
                return Err(usage(format!(
                    "`{name}` cannot be a name: {{{name}}} stands for something else in a command"
                ))
                .help(format!("call it something else, such as {name}_1")));
            }
        }
    }
    Ok(())
}

/// Names that get no variable in the program's environment, since another one's would be the same.
fn shared_variables(parameters: &Parameters) -> Option<String> {
    let variable = |name: &str| Slot::Name(name.to_owned()).variable();
    let names: Vec<_> = parameters.names().filter(|name| *name != space::ITEM).collect();
    let is_known = |name: &str| Placeholder::ALL.iter().any(|known| known.variable() == variable(name));
    let is_shared =
        |name: &&&str| is_known(name) || names.iter().filter(|other| variable(other) == variable(name)).count() > 1;
    let shared: Vec<_> = names.iter().filter(is_shared).map(|name| format!("`{name}`")).collect();
    let variables: std::collections::BTreeSet<_> = names.iter().filter(is_shared).map(|name| variable(name)).collect();
    let variables: Vec<_> = variables.into_iter().collect();
    (!shared.is_empty()).then(|| {
        format!(
            "note: {} have no variable of their own ({}) in the program's environment; in its command they are told apart",
            shared.join(", "),
            variables.join(", ")
        )
    })
}

fn explain(error: &ParametersError) -> Failure {
    match error {
        ParametersError::Condition(unknown) => usage(format!("--where: {unknown}"))
            .help("a text stands in quotes: name == \"a\"; a name that is no single word in backticks: `my name` > 2"),
        ParametersError::Unequal { .. } => usage(format!("--zip: {error}")),
        ParametersError::Twice(_) => usage(error.to_string()).help("each name is given by one option, once"),
        ParametersError::TooMany => usage(error.to_string()).help("there may be up to 2^128 - 2 of them"),
        ParametersError::Empty | ParametersError::Name(..) => usage(error.to_string()),
    }
}
