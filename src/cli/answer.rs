//! The answer: merged, written where it is to go, and printed.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::failure::{Failure, printed};
use super::output::{bytes, count, say};
use super::reduce::{self, account, chunks, explain, incomplete, items, of_reading};
use super::target::{Target, shown};
use super::{Done, progress, versions};
use crate::answer::{
    AnswerError, FilesError, Format, Output, TableError, TableWritten, Written, write_files, write_results, write_value,
};
use crate::exit::Exit;
use crate::folder::Layout;
use crate::plan::{Identity, Plan, Reduction, Tolerance};
use crate::record::Gathered;
use crate::reduce::{Answer, AnswerFile, ResultDocument, Value, merge, ticks};
use crate::space::{Interval, Rows};
use crate::store::{self, Draft, StoreError};

/// A text of at most so many bytes is part of result.json; a longer one is a file of its own.
const INLINE: u64 = 1 << 16;
/// So many columns with empty cells are named; the rest is counted.
const NAMED: usize = 5;

/// How an answer is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// Items may be missing.
    pub(super) partial: bool,
    /// So many may be, instead of what the plan says.
    pub(super) tolerance: Option<Tolerance>,
    /// Several versions of the program may have a part in it.
    pub(super) mixed: bool,
    /// Where it goes instead of where the plan says, from the current folder.
    pub(super) to: Option<&'a Path>,
}

impl Wanted<'_> {
    /// Whether there is enough for an answer. There is none about nothing.
    pub(super) fn allows(&self, plan: &Plan, gathered: &Gathered) -> bool {
        if gathered.tiling.gaps.is_empty() {
            return true;
        }
        let total = plan.space.count();
        let tolerance = self.tolerance.or(plan.tolerance).unwrap_or(Tolerance::NONE);
        let will_do = self.partial || tolerance.allows(total - gathered.covered(), total);
        will_do && !gathered.tiling.chosen.is_empty()
    }

    /// Whether any item may be missing at all.
    fn allows_gaps(&self, plan: &Plan) -> bool {
        self.partial || self.tolerance.or(plan.tolerance).is_some_and(|tolerance| tolerance != Tolerance::NONE)
    }
}

/// What is printed.
enum Printed {
    Text(Vec<u8>),
    File(File),
}

/// What came of a merge: the note of it, what is printed, and what is said beside it.
struct Made {
    document: ResultDocument,
    printed: Option<Printed>,
    said: Vec<String>,
}

/// Proves coverage, merges, writes or prints the answer and writes result.json.
pub(super) fn answer(layout: &Layout, plan: &Plan, gathered: &Gathered, wanted: &Wanted<'_>) -> Done {
    answer_without(layout, plan, gathered, wanted, &[])
}

/// The same, of what is left where results were left out, as `left_out` says.
fn answer_without(layout: &Layout, plan: &Plan, gathered: &Gathered, wanted: &Wanted<'_>, left_out: &[String]) -> Done {
    if !wanted.allows(plan, gathered) {
        return Err(incomplete(layout, plan, gathered));
    }
    let note = if wanted.mixed { None } else { versions::refuse_mixture(layout, plan, gathered)? };
    let target = Target::of(layout, plan, wanted.to)?;
    let bar = progress::bar(ticks(plan, gathered), "merging");
    let rows = if names_items(plan) { reduce::rows(layout, plan)? } else { Rows::default() };
    let making = Making { layout, plan, gathered, rows: &rows, tick: &|merged| bar.inc(merged) };
    let made = making.make(&target);
    bar.finish_and_clear();
    if made.is_err() && !gathered.groups.is_empty() {
        // The results themselves say which of them it is.
        return self::answer(layout, plan, &reduce::read(layout, plan)?, wanted);
    }
    if let Err(failure) = &made
        && failure.exit() == Exit::BadResult
        && wanted.allows_gaps(plan)
    {
        let (rest, left_out) = reduce::read_without_refused(layout, plan, &rows)?;
        if !left_out.is_empty() && wanted.allows(plan, &rest) {
            return answer_without(layout, plan, &rest, wanted, &left_out);
        }
    }
    let Made { document, printed: out, said } = made?;
    let noted = store::write(&layout.result(), &document.to_json());
    let left_out = left_out.iter().cloned();
    for line in account(plan, gathered).into_iter().chain(left_out).chain(note).chain(said) {
        say(&line);
    }
    let mut stdout = io::stdout().lock();
    let done = printed(match out {
        None => Ok(()),
        Some(Printed::Text(text)) => stdout.write_all(&text),
        Some(Printed::File(mut file)) => io::copy(&mut file, &mut stdout).map(drop).and_then(|()| stdout.flush()),
    })?;
    match noted {
        Ok(()) => Ok(done),
        Err(error) => Err(Failure::from(error).help("the answer itself is right; only the note of it is missing")),
    }
}

/// Makes the answer.
struct Making<'a> {
    layout: &'a Layout,
    plan: &'a Plan,
    gathered: &'a Gathered,
    rows: &'a Rows,
    tick: &'a (dyn Fn(u64) + Sync),
}

impl Making<'_> {
    fn make(&self, target: &Target) -> Result<Made, Failure> {
        match &self.plan.reduce {
            Reduction::Table => self.table(target),
            Reduction::Files => self.files(target),
            _ => self.merged(target),
        }
    }

    /// A table, as a file or, as comma-separated values, printed.
    fn table(&self, target: &Target) -> Result<Made, Failure> {
        let (path, format) = match target {
            Target::Table { path, format } => (&**path, Some(*format)),
            _ => (self.layout.root(), None),
        };
        let provenance = self.provenance(format);
        let table = write_results(self.plan, self.gathered, self.rows, path, format, &provenance, self.tick);
        let table = table.map_err(|error| match error {
            TableError::Merge(error) => explain(self.layout, self.plan, &error),
            TableError::Answer(error) => self.unwritten(error),
        })?;
        let said = about_cells(&table);
        match table.written {
            Written::Unnamed(file) => {
                let (document, file) = self.note_file(file)?;
                Ok(Made { document, printed: Some(Printed::File(file)), said: said.into_iter().collect() })
            }
            Written::Named { bytes, identity } => {
                let (rows, columns) = (count(table.rows, "row"), count(table.columns as u128, "column"));
                let file = AnswerFile { name: self.name(path), rows: Some(table.rows), files: None, bytes, identity };
                let document = ResultDocument::of_file(self.plan, self.gathered, file);
                let what = match format {
                    Some(Format::Npy) => count(table.rows, "result"),
                    _ => format!("{rows} of {columns}"),
                };
                let wrote = format!("wrote {}: {what}", shown(path));
                Ok(Made { document, printed: None, said: std::iter::once(wrote).chain(said).collect() })
            }
        }
    }

    /// Files, in a folder or an archive.
    fn files(&self, target: &Target) -> Result<Made, Failure> {
        let Target::Files { path, format } = target else {
            return Err(Failure::new(Exit::Usage, "files are not printed").help("--to FOLDER/ or --to FILE.zip"));
        };
        let written = write_files(self.plan, self.gathered, path, *format, self.tick).map_err(|error| {
            let exit = match &error {
                FilesError::Name { .. } | FilesError::FileAndFolder { .. } => Exit::BadResult,
                FilesError::Read { source, .. } => of_reading(source),
                FilesError::Foreign { .. } | FilesError::Store(_) => Exit::Machine,
            };
            let failure = Failure::from_error(exit, &error);
            match &error {
                FilesError::Name { items: which, .. } | FilesError::FileAndFolder { items: which, .. } => {
                    failure.detail(format!("{}, {}", chunks(self.plan, *which), items(self.plan, *which)))
                }
                FilesError::Foreign { .. } => failure.help("--to names another folder, or a .zip"),
                FilesError::Read { .. } | FilesError::Store(_) => failure,
            }
        })?;
        let file = AnswerFile {
            name: self.name(path),
            rows: None,
            files: Some(written.files),
            bytes: written.bytes,
            identity: written.identity,
        };
        let mut said = Vec::new();
        if written.files == 0 {
            said.push("note: no program left a file; --collect 'PATTERN' says which are brought back".to_owned());
        }
        if written.renamed > 0 {
            let renamed = count(written.renamed, "file");
            said.push(format!("{renamed} of the same name as others: each has its item in its name now"));
        }
        let text = format!("{} ({}) in {}\n", count(written.files, "file"), bytes(written.bytes), shown(path));
        let document = ResultDocument::of_file(self.plan, self.gathered, file);
        Ok(Made { document, printed: Some(Printed::Text(text.into_bytes())), said })
    }

    /// A value, or bytes that a command or the programs themselves wrote.
    fn merged(&self, target: &Target) -> Result<Made, Failure> {
        let merged = merge(self.plan, self.gathered, self.rows, self.layout.root(), &self.base(), self.tick);
        let wrote = |path: &Path| vec![format!("wrote {}", shown(path))];
        let file = |path: &Path, bytes, identity| AnswerFile {
            name: self.name(path),
            rows: None,
            files: None,
            bytes,
            identity,
        };
        match (merged.map_err(|error| explain(self.layout, self.plan, &error))?, target) {
            (Answer::Value(value), Target::Table { path, format }) => {
                let written = self.write_value(path, *format, &value).map_err(|error| self.unwritten(error))?;
                let document = match is_short(&value, &value.to_lines()) {
                    true => ResultDocument::of_value(self.plan, self.gathered, &value),
                    false => ResultDocument::of_nothing(self.plan, self.gathered),
                };
                let document = match written {
                    Written::Named { bytes, identity } => document.with_file(file(path, bytes, identity)),
                    Written::Unnamed(_) => document,
                };
                Ok(Made { document, printed: None, said: wrote(path) })
            }
            (Answer::Value(value), _) => {
                let text = value.to_lines();
                let document = self.note_value(&value, &text)?;
                Ok(Made { document, printed: Some(Printed::Text(text)), said: Vec::new() })
            }
            (Answer::File(mut from), Target::Bytes(path)) => {
                let mut output = Output::named(path).map_err(|error| self.unwritten(error))?;
                let copied = from.rewind().and_then(|()| io::copy(&mut from, &mut output));
                copied.map_err(StoreError::on("write", path))?;
                let document = match output.commit().map_err(|error| self.unwritten(error))? {
                    Written::Named { bytes, identity } => {
                        ResultDocument::of_file(self.plan, self.gathered, file(path, bytes, identity))
                    }
                    Written::Unnamed(_) => ResultDocument::of_nothing(self.plan, self.gathered),
                };
                Ok(Made { document, printed: None, said: wrote(path) })
            }
            (Answer::File(from), _) => {
                let (document, file) = self.note_file(from)?;
                Ok(Made { document, printed: Some(Printed::File(file)), said: Vec::new() })
            }
        }
    }

    /// Where the user's merge command runs: where it was planned, or here, where nothing tells of that folder.
    fn base(&self) -> PathBuf {
        let planned = self.layout.planned().map(|planned| planned.join(self.plan.base.as_os_str()));
        planned.unwrap_or_else(|| PathBuf::from("."))
    }

    fn write_value(&self, path: &Path, format: Format, value: &Value) -> Result<Written, AnswerError> {
        let name = if self.plan.by.is_empty() { "result".to_owned() } else { self.plan.reduce.to_string() };
        let keys = self.plan.by.len();
        write_value(path, format, value, &name, keys, &self.provenance(Some(format)))
    }

    /// What a database tells of where its rows come from.
    fn provenance(&self, format: Option<Format>) -> Vec<(String, String)> {
        match format {
            Some(Format::Sqlite) => ResultDocument::provenance(self.plan, self.gathered),
            _ => Vec::new(),
        }
    }

    /// A file's name, from where result.json is.
    fn name(&self, path: &Path) -> String {
        let real = path.canonicalize().ok();
        let folder = self.layout.result().parent().and_then(|folder| folder.canonicalize().ok());
        let below = real.zip(folder).and_then(|(real, folder)| pathdiff::diff_paths(real, folder));
        below.as_deref().unwrap_or(path).to_string_lossy().into_owned()
    }

    fn unwritten(&self, error: AnswerError) -> Failure {
        let exit = match &error {
            AnswerError::Store(_) | AnswerError::Sqlite { .. } => Exit::Machine,
            AnswerError::ForeignTable { .. } => Exit::Usage,
            AnswerError::TooManyColumns { .. } | AnswerError::NotNumbers { .. } => Exit::BadResult,
        };
        let mut failure = Failure::from_error(exit, &error);
        if let AnswerError::NotNumbers { item: Some(item), .. } = &error
            && let Some(which) = Interval::new(*item, *item + 1)
        {
            failure = failure.detail(format!("{}, {}", chunks(self.plan, which), items(self.plan, which)));
        }
        match error {
            AnswerError::ForeignTable { .. } => failure.help("--to names another file"),
            AnswerError::NotNumbers { .. } => failure.help("--to with .csv, .jsonl or .sqlite takes any results"),
            AnswerError::TooManyColumns { .. } => failure.help("--reduce concat takes the results as they stand"),
            AnswerError::Sqlite { .. } => failure
                .help("SQLite needs a file system with locks that work: where it is on NFS, --to names a local file"),
            AnswerError::Store(_) => failure,
        }
    }

    /// Notes an answer that is a value: itself, or where there is much of it, what is printed as a file of its own.
    fn note_value(&self, value: &Value, text: &[u8]) -> Result<ResultDocument, Failure> {
        if is_short(value, text) {
            return Ok(ResultDocument::of_value(self.plan, self.gathered, value));
        }
        let path = self.layout.result_data();
        store::write(&path, text)?;
        let (bytes, identity) = (text.len() as u64, Identity::of_bytes(text));
        let described = AnswerFile { name: self.name(&path), rows: None, files: None, bytes, identity };
        Ok(ResultDocument::of_file(self.plan, self.gathered, described))
    }

    /// Notes an answer that is a file: its text where that is short, else as a file of its own.
    fn note_file(&self, mut file: File) -> Result<(ResultDocument, File), Failure> {
        let path = self.layout.result_data();
        let failed = |doing| StoreError::on(doing, &path);
        let bytes = file.seek(io::SeekFrom::End(0)).map_err(failed("read"))?;
        file.rewind().map_err(failed("read"))?;
        if bytes <= INLINE {
            let mut content = Vec::new();
            file.read_to_end(&mut content).map_err(failed("read"))?;
            file.rewind().map_err(failed("read"))?;
            if let Ok(text) = String::from_utf8(content) {
                return Ok((ResultDocument::of_text(self.plan, self.gathered, &text), file));
            }
        }
        let mut hasher = blake3::Hasher::new();
        let mut draft = Draft::new(&path, 0o666)?;
        let mut buffer = vec![0; 1 << 18];
        loop {
            let got = file.read(&mut buffer).map_err(failed("read"))?;
            if got == 0 {
                break;
            }
            hasher.update(&buffer[..got]);
            draft.write_all(&buffer[..got]).map_err(failed("write"))?;
        }
        draft.commit()?;
        file.rewind().map_err(failed("read"))?;
        let described =
            AnswerFile { name: self.name(&path), rows: None, files: None, bytes, identity: Identity::of(&hasher) };
        Ok((ResultDocument::of_file(self.plan, self.gathered, described), file))
    }
}

/// Whether the answer tells of items by their values.
fn names_items(plan: &Plan) -> bool {
    use Reduction::{Argmax, Argmin, Fields, Table, Top};
    !plan.by.is_empty() || matches!(plan.reduce, Table | Argmin | Argmax | Top(_) | Fields(_))
}

/// Whether a value is a part of result.json. However long, a number is.
fn is_short(value: &Value, text: &[u8]) -> bool {
    text.len() as u64 <= INLINE || matches!(value, Value::Number(_))
}

/// What is said of a table's empty cells.
fn about_cells(table: &TableWritten) -> Option<String> {
    let all: u128 = table.missing.iter().map(|(_, missing)| missing).sum();
    if all == 0 {
        return None;
    }
    let mut named: Vec<_> =
        table.missing.iter().take(NAMED).map(|(name, missing)| format!("{missing} of `{name}`")).collect();
    if table.missing.len() > NAMED {
        named.push(format!("those of {} more", count((table.missing.len() - NAMED) as u128, "column")));
    }
    let verb = if all == 1 { "is" } else { "are" };
    Some(format!("{} {verb} empty: {}", count(all, "cell"), named.join(", ")))
}
