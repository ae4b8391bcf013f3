//! A plan's merge, carried out over the results that count.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::entry::{Pieces, last_cut};
use super::with::{self, with_command};
use super::{BadResult, Elementwise, Entry, Grouped, Key, Max, Merger, Min, NoAnswer, Product, Reducer, Sum, Value};
use crate::plan::{Due, Plan, Reduction, Word};
use crate::record::{EntryReader, Found, Gathered, Head, Kind, MergedGroup, Payload};
use crate::space::{Interval, Rows, Space};

/// Results that one task merges before it hands its state on.
const BLOCK: usize = 1 << 10;

/// A line, an array or an object in a result may be this long: integers may have any size, but memory has not.
pub(super) const LONGEST_LINE: usize = 1 << 26;

/// A text of at most so many bytes is merged in one piece.
pub(super) const PIECE: usize = 1 << 18;

/// What came out.
#[derive(Debug)]
pub enum Answer {
    /// A number, or any other value that fits memory.
    Value(Value),
    /// The content of a file.
    File(File),
}

/// Why there is no answer. Which items it is about is told apart from the message: the space knows their names.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// A result is not what the reducer takes.
    #[error("the result in {} is not what the reducer takes", partial.display())]
    BadResult {
        /// Whose result.
        items: Interval,
        /// The partial it is in.
        partial: PathBuf,
        /// What is wrong with it.
        #[source]
        source: BadResult,
    },
    /// There are results, but no number in them.
    #[error("the results hold no number")]
    NoNumber,
    /// A partial could not be read again, or the answer not be written.
    #[error("{doing}")]
    File {
        /// What was being done, with the path.
        doing: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The user's merge command failed.
    #[error("the merge command failed: {how}")]
    Command {
        /// The items whose results it was given.
        items: Interval,
        /// Its exit code or signal, or why it could not be started.
        how: String,
        /// The end of what it wrote on standard error.
        last_words: String,
    },
}

/// Merges the results that count, in item order; for each group of items where the plan names any. Items are named and grouped
/// by the space and its `rows`. Files on the way are made in `folder`; the user's merge command
/// runs in `base`, with the plan's environment. `tick` is called now and then with the number of results merged since.
///
/// # Errors
/// Where a result is not what the reducer takes, a file cannot be read or written, or the user's command fails;
/// of several such, the one that comes first in item order.
pub fn merge(
    plan: &Plan,
    gathered: &Gathered,
    rows: &Rows,
    folder: &Path,
    base: &Path,
    tick: &(dyn Fn(u64) + Sync),
) -> Result<Answer, MergeError> {
    let value = values(plan, gathered, rows, &Answering, tick)?;
    match (value, &plan.reduce) {
        (Some(value), _) => Ok(Answer::Value(value.with_items(&|item| item_value(&plan.space, rows, item)))),
        (None, Reduction::With(command)) => with_command(command, plan, gathered, folder, base, tick).map(Answer::File),
        // Tables and files are not merged but written by the room `answer`: here, results as they stand.
        (None, _) => concatenate(gathered, folder, tick).map(Answer::File),
    }
}

/// How many results [`merge`] tells of by its `tick`, or a few more.
#[must_use]
pub fn ticks(plan: &Plan, gathered: &Gathered) -> u64 {
    match plan.reduce {
        Reduction::With(_) => gathered.chosen().map(with::most_parts).sum(),
        _ => gathered.tiling.chosen.len() as u64,
    }
}

/// Merges the results that count and gives the reducer's state, for a record of merged results; `None` where texts are
/// merged and not what they hold. Items are grouped as for [`merge`].
///
/// # Errors
/// As [`merge`].
pub(super) fn merge_state(plan: &Plan, gathered: &Gathered, rows: &Rows) -> Result<Option<Vec<u8>>, MergeError> {
    values(plan, gathered, rows, &Keeping, &|_| ())
}

/// The results that count and that the plan's reducer refuses, by their places, and why: each that it would refuse alone, or
/// else the first that does not fit those before it. Of a plan that merges texts there are none.
///
/// # Errors
/// Where a partial cannot be read again.
pub fn refused(plan: &Plan, gathered: &Gathered, rows: &Rows) -> Result<Vec<(usize, BadResult)>, MergeError> {
    Ok(values(plan, gathered, rows, &Judging, &|_| ())?.unwrap_or_default())
}

/// Merges what the results hold; `None` where the plan merges texts.
fn values<W: Work>(
    plan: &Plan,
    gathered: &Gathered,
    rows: &Rows,
    work: &W,
    tick: &(dyn Fn(u64) + Sync),
) -> Result<Option<W::Product>, MergeError> {
    let Some(merger) = Merger::of(&plan.reduce) else { return Ok(None) };
    let merging = Merging { due: plan.reduce.due(), gathered, tick };
    if !plan.by.is_empty() {
        let columns = columns(plan, rows)?;
        let key = |item| key(&plan.space, rows, &columns, item);
        let answer = plan.reduce.to_string();
        let grouped = Grouped { reducer: &merger, names: &plan.by, answer: &answer, key: &key };
        return work.carry_out(&merging, &grouped).map(Some);
    }
    let product = match &plan.reduce {
        // What most plans do goes without the detour over a choice made for each result.
        Reduction::Sum => work.carry_out(&merging, &Elementwise(Sum)),
        Reduction::Product => work.carry_out(&merging, &Elementwise(Product)),
        Reduction::Min => work.carry_out(&merging, &Elementwise(Min)),
        Reduction::Max => work.carry_out(&merging, &Elementwise(Max)),
        _ => work.carry_out(&merging, &merger),
    };
    product.map(Some)
}

/// What is done with a reducer and the results.
trait Work {
    /// What comes out.
    type Product;

    fn carry_out<R: Reducer>(&self, merging: &Merging<'_>, reducer: &R) -> Result<Self::Product, MergeError>;
}

/// The answer.
struct Answering;

/// The state itself, as it is written.
struct Keeping;

/// The results that the reducer refuses, by their places.
struct Judging;

impl Work for Answering {
    type Product = Value;

    fn carry_out<R: Reducer>(&self, merging: &Merging<'_>, reducer: &R) -> Result<Value, MergeError> {
        reducer.finish(merging.merge(reducer)?).map_err(|none| match none {
            NoAnswer::Nothing => MergeError::NoNumber,
            NoAnswer::Misfit { item, bad } => merging.misfit(item, bad),
        })
    }
}

impl Work for Keeping {
    type Product = Vec<u8>;

    fn carry_out<R: Reducer>(&self, merging: &Merging<'_>, reducer: &R) -> Result<Vec<u8>, MergeError> {
        let unwritable = |error: serde_json::Error| MergeError::File {
            doing: "cannot write the merged results".to_owned(),
            source: error.into(),
        };
        serde_json::to_vec(&merging.merge(reducer)?).map_err(unwritable)
    }
}

impl Work for Judging {
    type Product = Vec<(usize, BadResult)>;

    fn carry_out<R: Reducer>(&self, merging: &Merging<'_>, reducer: &R) -> Result<Self::Product, MergeError> {
        let judge = |&at: &usize| {
            let mut state = reducer.identity();
            match merging.take(reducer, &mut state, &merging.gathered.results[at]) {
                Err(MergeError::BadResult { source, .. }) => return Ok(Some((at, source))),
                taken => taken?,
            }
            Ok(match reducer.finish(state) {
                Err(NoAnswer::Misfit { bad, .. }) => Some((at, bad)),
                Ok(_) | Err(NoAnswer::Nothing) => None,
            })
        };
        let chosen = &merging.gathered.tiling.chosen;
        let judged: Result<Vec<_>, MergeError> = chosen.par_iter().map(judge).collect();
        let alone: Self::Product = judged?.into_iter().flatten().collect();
        if !alone.is_empty() {
            return Ok(alone);
        }
        // Each would do alone; one may not fit the first.
        Ok(match reducer.finish(merging.merge(reducer)?) {
            Err(NoAnswer::Misfit { item, bad }) => merging.place(item).map(|at| (at, bad)).into_iter().collect(),
            Ok(_) | Err(NoAnswer::Nothing) => Vec::new(),
        })
    }
}

/// The places of the grouping names among the space's.
fn columns(plan: &Plan, rows: &Rows) -> Result<Vec<usize>, MergeError> {
    let unknown = |why: String| MergeError::File {
        doing: format!("cannot tell groups apart by {}", plan.by.join(", ")),
        source: io::Error::new(io::ErrorKind::NotFound, why),
    };
    let whole = plan.space.whole();
    if [whole.start(), whole.last()].iter().any(|&item| plan.space.row(item, rows).is_none()) {
        return Err(unknown("the rows of the items are not at hand".to_owned()));
    }
    let names = plan.space.names();
    let place = |name: &String| names.iter().position(|own| own == name);
    plan.by.iter().map(|name| place(name).ok_or_else(|| unknown(format!("the items have no `{name}`")))).collect()
}

fn key(space: &Space, rows: &Rows, columns: &[usize], item: u128) -> Key {
    let row = space.row(item, rows).unwrap_or_default();
    columns.iter().map(|&column| Word::from(row.get(column).map_or(Vec::new(), |value| value.to_vec()))).collect()
}

/// What people call an item: a range's number; otherwise an object with the item's number, from 0, as `number`, and its values
/// by their names (of which one may be `number`, and is shown then).
fn item_value(space: &Space, rows: &Rows, item: u128) -> Value {
    let number = || Value::Item(item);
    let Some(row) = space.row(item, rows) else { return number() };
    let values = space.names().into_iter().zip(&row).map(|(name, value)| (name.to_owned(), Value::of_text(value)));
    match space {
        Space::Range(_) => row.first().map_or_else(number, |value| Value::of_text(value)),
        Space::Parameters(_) => Value::object(std::iter::once(("number".to_owned(), number())).chain(values).collect()),
    }
}

/// What one task merges before it hands its state on.
enum Task<'a> {
    /// The places of results that count.
    Block(&'a [usize]),
    /// What was merged on the way.
    Group(&'a MergedGroup),
}

/// The state that was written when a group was merged.
fn merged<R: Reducer>(reducer: &R, group: &MergedGroup) -> Result<R::State, MergeError> {
    let unusable = |source| MergeError::File { doing: format!("cannot use {}", group.path().display()), source };
    let bytes = group.state().map_err(unusable)?;
    let state: R::State = serde_json::from_slice(&bytes).map_err(|error| unusable(error.into()))?;
    let other = || unusable(io::Error::new(io::ErrorKind::InvalidData, "it holds the state of another reducer"));
    if reducer.owns(&state) { Ok(state) } else { Err(other()) }
}

/// A merge of values.
struct Merging<'a> {
    due: Due,
    gathered: &'a Gathered,
    tick: &'a (dyn Fn(u64) + Sync),
}

impl Merging<'_> {
    /// Merges all.
    fn merge<R: Reducer>(&self, reducer: &R) -> Result<R::State, MergeError> {
        let carry_out = |task: &Task<'_>| {
            let block = match task {
                Task::Block(block) => block,
                Task::Group(group) => return merged(reducer, group),
            };
            let mut state = reducer.identity();
            for &at in *block {
                self.take(reducer, &mut state, &self.gathered.results[at])?;
            }
            (self.tick)(block.len() as u64);
            Ok(state)
        };
        // States, which may be large, are merged as soon as they are there. Of errors the first in item order stays.
        self.tasks().par_iter().map(carry_out).reduce(
            || Ok(reducer.identity()),
            |left, right| {
                let mut left = left?;
                reducer.merge(&mut left, right?);
                Ok(left)
            },
        )
    }

    /// What is merged, in item order.
    fn tasks(&self) -> Vec<Task<'_>> {
        let Gathered { tiling, results, groups, .. } = self.gathered;
        let mut rest = &tiling.chosen[..];
        let mut tasks = Vec::with_capacity(rest.len() / BLOCK + 2 * groups.len() + 1);
        for group in groups {
            let before = rest.partition_point(|&at| results[at].record.header.items < group.items);
            let (own, after) = rest.split_at(before);
            tasks.extend(own.chunks(BLOCK).map(Task::Block));
            tasks.push(Task::Group(group));
            rest = after;
        }
        tasks.extend(rest.chunks(BLOCK).map(Task::Block));
        tasks
    }

    /// The error for a result that does not fit one of another record.
    fn misfit(&self, item: u128, bad: BadResult) -> MergeError {
        let Some(found) = self.place(item).map(|at| &self.gathered.results[at]) else { return MergeError::NoNumber };
        let of_item = Interval::new(item, item.saturating_add(1)).filter(|_| found.record.header.kind == Kind::Each);
        self.bad(found, of_item.unwrap_or(found.record.header.items), bad)
    }

    /// The place of the result that covers an item, or comes next.
    fn place(&self, item: u128) -> Option<usize> {
        let Gathered { tiling, results, .. } = self.gathered;
        let next = tiling.chosen.partition_point(|&at| results[at].record.header.items.stop() <= item);
        tiling.chosen.get(next).copied()
    }

    fn bad(&self, found: &Found, items: Interval, source: BadResult) -> MergeError {
        MergeError::BadResult { items, partial: self.gathered.path(found), source }
    }

    /// Takes in the results of a record.
    fn take<R: Reducer>(&self, reducer: &R, state: &mut R::State, found: &Found) -> Result<(), MergeError> {
        let taken = |stop: Stop, items| match stop {
            Stop::Io(source) => unreadable(self.gathered, found, source),
            Stop::Bad(source) => self.bad(found, items, source),
        };
        let items = found.record.header.items;
        if let (Kind::Whole, Payload::Inline(text)) = (&found.record.header.kind, &found.record.payload) {
            return self
                .take_text(reducer, state, &Entry::new(items, text))
                .map_err(|bad| taken(Stop::Bad(bad), items));
        }
        let mut bad_items = items;
        each_text(self.gathered, found, &mut |Text { items, bytes, content: text }| {
            bad_items = items;
            if bytes <= PIECE as u64 {
                let mut whole = Vec::new();
                text.read_to_end(&mut whole)?;
                return self.take_text(reducer, state, &Entry::new(items, &whole)).map_err(Stop::Bad);
            }
            let each = if reducer.is_per_item() && items.count() > 1 {
                Some(count_results(self.gathered, found)?)
            } else {
                None
            };
            self.take_pieces(reducer, state, items, each, text)
        })
        .map_err(|stop| taken(stop, bad_items))
    }

    fn take_text<R: Reducer>(&self, reducer: &R, state: &mut R::State, entry: &Entry<'_>) -> Result<(), BadResult> {
        // The plan may have had another reducer when the job ran, which took this.
        if self.due != Due::Anything && entry.text.iter().all(u8::is_ascii_whitespace) {
            return Err(BadResult::Nothing);
        }
        reducer.take(state, entry)
    }

    /// Takes in a text of any size in bounded memory, cut at the ends of lines. `results` is how many there are, where that
    /// says which items they belong to.
    fn take_pieces<R: Reducer>(
        &self,
        reducer: &R,
        state: &mut R::State,
        items: Interval,
        results: Option<u128>,
        text: &mut dyn Read,
    ) -> Result<(), Stop> {
        let is_each = results == Some(items.count());
        let together = results.filter(|_| !is_each);
        let (mut pending, mut lines, mut seen, mut blank) = (Vec::new(), 0, 0, true);
        loop {
            let before = pending.len();
            let got = text.take(PIECE as u64).read_to_end(&mut pending)?;
            blank = blank && pending[before..].iter().all(u8::is_ascii_whitespace);
            let cut = if got == 0 { pending.len() } else { last_cut(&pending) };
            let piece = &pending[..cut];
            // Of results that belong to an item each, those of this piece.
            let count = if is_each { Pieces::of(piece).count() as u128 } else { 0 };
            let of_piece = Interval::new(items.start() + seen, items.start() + seen + count).filter(|_| is_each);
            if count > 0 || !is_each {
                let entry = Entry::part(of_piece.unwrap_or(items), piece, lines, together);
                reducer.take(state, &entry).map_err(Stop::Bad)?;
            }
            seen += count;
            if got == 0 {
                break;
            }
            lines += memchr::memchr_iter(b'\n', piece).count();
            pending.drain(..cut);
            if pending.len() > LONGEST_LINE {
                return Err(Stop::Bad(BadResult::not_a_number(lines + 1, &pending)));
            }
        }
        if blank && self.due != Due::Anything { Err(Stop::Bad(BadResult::Nothing)) } else { Ok(()) }
    }
}

/// Why taking in stops.
enum Stop {
    Io(io::Error),
    Bad(BadResult),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

pub(super) fn unreadable(gathered: &Gathered, found: &Found, source: io::Error) -> MergeError {
    MergeError::File { doing: format!("cannot read {}", gathered.path(found).display()), source }
}

/// How many results the only text of a record has.
fn count_results(gathered: &Gathered, found: &Found) -> io::Result<u128> {
    let mut results = 0;
    each_text::<io::Error>(gathered, found, &mut |Text { content: text, .. }| {
        let mut pending = Vec::new();
        loop {
            let got = text.take(PIECE as u64).read_to_end(&mut pending)?;
            let end = got == 0 || pending.len() > LONGEST_LINE;
            let cut = if end { pending.len() } else { last_cut(&pending) };
            results += Pieces::of(&pending[..cut]).count() as u128;
            pending.drain(..cut);
            if got == 0 {
                return Ok(());
            }
        }
    })?;
    Ok(results)
}

/// The text of an entry, to be read.
pub(super) struct Text<'a> {
    pub(super) items: Interval,
    pub(super) bytes: u64,
    pub(super) content: &'a mut dyn Read,
}

/// Hands over the texts of a record in item order. Of entries that carry files, the texts
/// alone; of items that are left out, nothing.
pub(super) fn each_text<E: From<io::Error>>(
    gathered: &Gathered,
    found: &Found,
    take: &mut dyn FnMut(Text<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let items = found.record.header.items;
    let mut payload = found.record.payload.reader(&gathered.path(found))?;
    if found.record.header.kind == Kind::Whole {
        take(Text { items, bytes: found.record.payload.bytes(), content: &mut payload })?;
        // Whether it has changed since shows at the end.
        io::copy(&mut payload, &mut io::sink())?;
        return Ok(());
    }
    let is_each = found.record.header.kind == Kind::Each;
    let unlike = || io::Error::new(io::ErrorKind::InvalidData, "it has not one entry for each of its items");
    let mut reader = EntryReader::new(BufReader::new(payload));
    let mut entries = 0;
    while let Some(head) = reader.entry()? {
        let of_entry =
            if is_each { Interval::new(items.start() + entries, items.start() + entries + 1) } else { Some(items) };
        let of_entry = of_entry.and_then(|own| own.intersect(items)).filter(|_| is_each || entries == 0);
        entries += 1;
        let of_entry = of_entry.ok_or_else(unlike)?;
        if let Head::Result { bytes, .. } = head {
            take(Text { items: of_entry, bytes, content: &mut reader })?;
        }
    }
    if is_each && entries != items.count() || entries == 0 {
        return Err(unlike().into());
    }
    Ok(())
}

/// A file without a name in `folder`: gone when it is closed, however this process ends.
pub(super) fn unnamed(folder: &Path) -> Result<File, MergeError> {
    tempfile::tempfile_in(folder)
        .map_err(|source| MergeError::File { doing: format!("cannot write in {}", folder.display()), source })
}

fn concatenate(gathered: &Gathered, folder: &Path, tick: &(dyn Fn(u64) + Sync)) -> Result<File, MergeError> {
    let mut out = BufWriter::with_capacity(1 << 18, unnamed(folder)?);
    for found in gathered.chosen() {
        copy(gathered, found, &mut out)?;
        tick(1);
    }
    out.into_inner().map_err(|error| MergeError::File {
        doing: format!("cannot write in {}", folder.display()),
        source: error.into_error(),
    })
}

fn copy(gathered: &Gathered, found: &Found, out: &mut impl Write) -> Result<(), MergeError> {
    let copied = each_text::<io::Error>(gathered, found, &mut |text| io::copy(text.content, out).map(drop));
    let path = gathered.path(found);
    copied.map_err(|source| MergeError::File { doing: format!("cannot copy from {}", path.display()), source })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::cut::Cut;
    use crate::plan::testing::plan;
    use crate::record::{Header, gather, partial_name, write, write_file_head, write_head};
    use crate::space::{Axis, Column, Parameters, Values};

    /// Writes a partial with one record.
    fn partial(plan: &Plan, folder: &Path, items: (u128, u128), kind: Kind, payload: &[u8]) {
        let header = Header {
            plan: plan.identity,
            code: plan.code,
            items: Interval::new(items.0, items.1).expect("not empty"),
            kind,
            seconds: 0.0,
            host: "here".into(),
            attempt: "0".into(),
        };
        let mut crc = crc32fast::Hasher::new();
        crc.update(payload);
        let mut bytes = Vec::new();
        write(&mut bytes, &header, &mut &payload[..], payload.len() as u64, &crc).expect("in memory");
        fs::write(folder.join(partial_name(items.0 as u64, "0")), bytes).expect("written");
    }

    /// Entries without files, one for each text; `None` is left out.
    fn entries(texts: &[Option<&str>]) -> Vec<u8> {
        let mut out = Vec::new();
        for text in texts {
            let head = text.map_or(Head::LeftOut, |text| Head::Result { bytes: text.len() as u64, files: 0 });
            write_head(&mut out, head).expect("in memory");
            out.extend_from_slice(text.unwrap_or("").as_bytes());
        }
        out
    }

    /// What a reducer makes of the partials in a folder: the answer's JSON or text, or the error and its items.
    fn merged(plan: &Plan, folder: &Path) -> String {
        let gathered = gather(folder, plan, &|_| {}).expect("read");
        assert!(gathered.tiling.gaps.is_empty() && gathered.damaged.is_empty(), "{gathered:?}");
        match merge(plan, &gathered, Rows::NONE, folder, folder, &|_| {}) {
            Ok(Answer::Value(value)) => value.to_json(),
            Ok(Answer::File(file)) => {
                let mut file = file;
                io::Seek::rewind(&mut file).expect("a file");
                io::read_to_string(file).expect("UTF-8")
            }
            Err(MergeError::BadResult { items, source, .. }) => {
                format!("{}..{}: {source}", items.start(), items.stop())
            }
            Err(error) => error.to_string(),
        }
    }

    fn by(reduce: &str, plan: &Plan) -> Plan {
        Plan { reduce: reduce.parse().expect("a reduction"), ..plan.clone() }
    }

    #[test]
    fn entries_are_merged_item_by_item() {
        let plan = plan("0..8", Cut::into_chunks(8, 3).expect("a cut"));
        let folder = tempfile::tempdir().expect("a folder");
        partial(&plan, folder.path(), (0, 3), Kind::Each, &entries(&[Some("4\n"), None, Some("1\n2")]));
        let mut bundle = Vec::new();
        write_head(&mut bundle, Head::Result { bytes: 6, files: 1 }).expect("in memory");
        bundle.extend_from_slice(b"5\n6\n7\n");
        write_file_head(&mut bundle, b"frame.png", 3).expect("in memory");
        bundle.extend_from_slice(b"999");
        partial(&plan, folder.path(), (3, 6), Kind::Bundle, &bundle);
        partial(&plan, folder.path(), (6, 8), Kind::Whole, b"0\n-1\n");
        let check =
            |reduce: &str, expected: &str| assert_eq!(merged(&by(reduce, &plan), folder.path()), expected, "{reduce}");
        check("sum", "24");
        check("mean", "3.0");
        check("count", "8");
        check("argmin", r#"{"value":-1,"item":7}"#);
        check("argmax", r#"{"value":7,"item":5}"#);
        check("top:4", r#"[{"value":7,"item":5},{"value":6,"item":4},{"value":5,"item":3},{"value":4,"item":0}]"#);
        check("concat", "4\n1\n25\n6\n7\n0\n-1\n");
    }

    #[test]
    fn a_bad_entry_is_named_by_its_item() {
        let plan = plan("0..4", Cut::into_chunks(4, 1).expect("a cut"));
        let folder = tempfile::tempdir().expect("a folder");
        let check = |reduce: &str, texts: &[Option<&str>], expected: &str| {
            partial(&plan, folder.path(), (0, 4), Kind::Each, &entries(texts));
            assert_eq!(merged(&by(reduce, &plan), folder.path()), expected, "{reduce}");
        };
        check("mean", &[Some("1"), Some("2"), Some("\n3\nx"), Some("4")], "2..3: line 3 is not a number: \"x\"");
        check("mean", &[Some("1"), Some(" \n"), None, Some("4")], "1..2: it is blank, where a result is due");
        check("count", &[Some("1"), Some(" \n"), None, Some("4")], "2");
        check("sum", &[Some("[1]"), None, Some("[1]\n[2,3]"), Some("[4]")], {
            "2..3: line 2 holds an array of 2 numbers, and the first result is an array of 1 number"
        });
        // Larger than what is kept in memory, and than what is merged in one piece.
        let large = "1\n".repeat(PIECE);
        check("mean", &[Some(&large), Some("2"), None, Some("2")], "1.000007629336324");
        check(
            "stats",
            &[Some("3"), Some(&format!("{large}x")), None, Some("2")],
            "1..2: line 262145 is not a number: \"x\"",
        );
        check(
            "sum",
            &[Some("3"), Some(&" ".repeat(3 * PIECE)), None, Some("2")],
            "1..2: it is blank, where a result is due",
        );
        let array = format!("[{}1]", "1,\n".repeat(PIECE));
        check("count", &[Some(&array), None, None, None], "262145");
        check("x=count", &[Some(&format!("{{\"x\":{array}}}")), None, None, None], r#"{"x":1}"#);
    }

    #[test]
    fn entries_that_are_not_one_for_each_item_are_an_error() {
        let plan = plan("0..4", Cut::into_chunks(4, 1).expect("a cut"));
        let folder = tempfile::tempdir().expect("a folder");
        for texts in [&[Some("1"); 3][..], &[Some("1"); 5]] {
            partial(&plan, folder.path(), (0, 4), Kind::Each, &entries(texts));
            assert!(merged(&plan, folder.path()).starts_with("cannot read "));
        }
        partial(&plan, folder.path(), (0, 4), Kind::Bundle, &entries(&[Some("1"), Some("2")]));
        assert!(merged(&plan, folder.path()).starts_with("cannot read "));
        partial(&plan, folder.path(), (0, 4), Kind::Bundle, b"");
        assert!(merged(&plan, folder.path()).starts_with("cannot read "));
    }

    #[test]
    fn items_are_named_and_grouped_by_their_values() {
        let column = |name: &str, values: &[&str]| {
            let values = Values::List(values.iter().map(|&value| Word::from(value)).collect());
            Axis::Columns(vec![Column { name: name.to_owned(), values }])
        };
        let axes = vec![column("alpha", &["0.1", "0.2"]), column("kind", &["a", "007", "b"])];
        let space = Space::Parameters(Parameters::new(axes, None).expect("a space"));
        let plan = Plan { space, ..plan("0..6", Cut::into_chunks(6, 2).expect("a cut")) };
        let folder = tempfile::tempdir().expect("a folder");
        partial(&plan, folder.path(), (0, 4), Kind::Each, &entries(&[Some("1"), Some("2"), None, Some("4")]));
        partial(&plan, folder.path(), (4, 6), Kind::Whole, b"0.5\n6\n");
        let best = r#"{"value":0.5,"item":{"number":4,"alpha":0.2,"kind":"007"}}"#;
        assert_eq!(merged(&by("argmin", &plan), folder.path()), best);
        let grouped = |reduce: &str, names: &[&str]| {
            let names = names.iter().map(|&name| name.to_owned()).collect();
            merged(&Plan { by: names, ..by(reduce, &plan) }, folder.path())
        };
        assert_eq!(
            grouped("sum", &["kind"]),
            r#"[{"kind":"a","sum":5},{"kind":"007","sum":2.5},{"kind":"b","sum":6}]"#
        );
        assert_eq!(
            grouped("argmax", &["alpha"]),
            concat!(
                r#"[{"alpha":0.1,"value":2,"item":{"number":1,"alpha":0.1,"kind":"007"}},"#,
                r#"{"alpha":0.2,"value":6,"item":{"number":5,"alpha":0.2,"kind":"b"}}]"#
            )
        );
        assert_eq!(grouped("sum", &["beta"]), "cannot tell groups apart by beta");
        partial(&plan, folder.path(), (4, 6), Kind::Whole, b"0.5");
        assert_eq!(
            grouped("sum", &["kind"]),
            "4..6: it stands for 2 items of several groups, and holds no result for each"
        );
    }
}
