//! The values of a name, as they are typed: `a,b,c`, `1..=100`, `0..1:0.1`, `lin:0:1:11`, `log:1e-3:1e3:7`, `@file`.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rayon::prelude::*;

use super::access_point::in_own_threads;
use super::failure::Failure;
use super::request::usage;
use crate::plan::Word;
use crate::rows::{line_of_value, read_lines};
use crate::space::{Decimals, Field, Range, RowBlock, Spacing, Values, is_number, split};

/// So many values are written into the plan; of more, each chunk gets its own.
const FEW: usize = 1000;

/// Of a range among other values each is listed, and no more than this.
const MOST: u128 = 10_000_000;

/// The values of a name.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) values: Many,
    /// The longest one's length in bytes, and where it is, for people.
    pub(super) longest: (usize, String),
    /// What may not be meant.
    pub(super) notes: Vec<String>,
}

/// Values, by their number.
#[derive(Debug)]
pub(super) enum Many {
    /// They stand in the plan.
    Few(Values),
    /// They are rows, kept beside it.
    Rows(RowBlock),
}

impl Given {
    pub(super) fn count(&self) -> u128 {
        match &self.values {
            Many::Few(values) => values.count(),
            Many::Rows(block) => block.len().into(),
        }
    }

    /// The value with a number below [`Given::count`].
    pub(super) fn value(&self, place: u128) -> Cow<'_, [u8]> {
        match &self.values {
            Many::Few(values) => values.value(place),
            Many::Rows(block) => {
                let row = u64::try_from(place).ok().and_then(|row| block.field(row, 0));
                row.expect("a number below the count").into()
            }
        }
    }
}

/// Reads `NAME=VALUES` of `option`.
pub(super) fn named(option: &str, text: &OsStr) -> Result<(String, Given), Failure> {
    let shown = Word::from(text.to_owned()).quoted();
    let bytes = text.as_bytes();
    let at = bytes.iter().position(|&byte| byte == b'=');
    let name = at.and_then(|at| std::str::from_utf8(&bytes[..at]).ok()).map(str::trim);
    let (Some(at), Some(name)) = (at, name) else {
        return Err(
            usage(format!("{option} {shown}: not of the form NAME=VALUES")).help(format!("{option} {EXAMPLES}"))
        );
    };
    let what = format!("{option} {name}");
    Ok((name.to_owned(), given(&what, &bytes[at + 1..])?))
}

const EXAMPLES: &str = "NAME=a,b,c, NAME=1..=100, NAME=0..1:0.1, NAME=lin:0:1:11, NAME=log:1e-3:1e3:7, NAME=@FILE";

/// What one element of a list stands for.
enum Element<'a> {
    Plain(Cow<'a, [u8]>),
    Formula(Values),
    Listed(Vec<String>),
    File(Vec<u8>, RowBlock, String),
}

fn given(what: &str, text: &[u8]) -> Result<Given, Failure> {
    let refuse = |why: &dyn std::fmt::Display| {
        let shown = Word::from(text.to_vec()).quoted();
        usage(format!("{what}={shown}: {why}"))
    };
    let fields = split(text).map_err(|error| {
        refuse(&error).help("a value that starts with a quote, or holds a comma, is written as in CSV: '\"a,b\",c'")
    })?;
    let notes = doubts(what, &fields);
    let mut elements = Vec::with_capacity(fields.len());
    for field in fields {
        elements.push(if field.quoted { Element::Plain(field.text) } else { element(what, field.text)? });
    }
    if let [Element::Formula(_)] = elements[..]
        && let Some(Element::Formula(values)) = elements.pop()
    {
        return Ok(Given { values: Many::Few(values), longest: (0, String::new()), notes });
    }
    let listed = |element: &Element<'_>| match element {
        Element::Plain(_) => 1,
        Element::Formula(values) => values.count(),
        Element::Listed(values) => values.len() as u128,
        Element::File(_, block, _) => block.len().into(),
    };
    let count = elements.iter().map(listed).fold(0u128, u128::saturating_add);
    if count > MOST {
        return Err(refuse(&format!("{count} values are more than can be listed")).help("a range alone is not listed"));
    }
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    let mut longest = (0, what.to_owned());
    let mut add = |value: &[u8], place: &dyn Fn() -> String| {
        if value.len() > longest.0 {
            longest = (value.len(), place());
        }
        bytes.extend_from_slice(value);
        ends.push(bytes.len());
    };
    for element in &elements {
        match element {
            Element::Plain(value) => add(value, &|| what.to_owned()),
            Element::Formula(values) => (0..values.count()).for_each(|at| add(&values.value(at), &|| what.to_owned())),
            Element::Listed(values) => values.iter().for_each(|value| add(value.as_bytes(), &|| what.to_owned())),
            Element::File(text, block, file) => {
                for row in 0..block.len() {
                    let place = || format!("{file}, line {}", line_of_value(text, row));
                    add(block.field(row, 0).unwrap_or_default(), &place);
                }
            }
        }
    }
    let block = RowBlock::whole(1, bytes, ends);
    let word = |row| Word::from(block.field(row, 0).unwrap_or_default().to_vec());
    let values = match block.len() as usize {
        ..=FEW => Many::Few(Values::List((0..block.len()).map(word).collect())),
        _ => Many::Rows(block),
    };
    Ok(Given { values, longest, notes })
}

/// What may not be meant by values that are taken as they stand: a person may have typed what other programs call a list.
fn doubts(what: &str, fields: &[Field<'_>]) -> Vec<String> {
    let mut notes = Vec::new();
    let texts: Vec<_> = fields
        .iter()
        .map(|field| std::str::from_utf8(&field.text).ok().filter(|text| !field.quoted && range(text).is_none()))
        .collect();
    if texts.len() > 1 && texts.last() == Some(&Some("")) {
        notes.push(format!("note: {what}: the comma at the end makes a value of its own, an empty one"));
    }
    let has_blanks = |text: &&str| !text.is_empty() && text.trim() != *text;
    let is_of_numbers = |field: &Field<'_>| {
        std::str::from_utf8(&field.text)
            .is_ok_and(|text| !field.quoted && (text.is_empty() || is_number(text) || range(text).is_some()))
    };
    if let Some(text) = texts.iter().flatten().find(|text| has_blanks(text))
        && fields.iter().all(is_of_numbers)
    {
        notes.push(format!(
            "note: {what}: blanks are part of a value, such as '{text}'; without them the values are numbers"
        ));
    }
    if let Some((text, meant)) = texts.iter().flatten().find_map(|text| Some((text, spanned(text)?))) {
        notes.push(format!("note: {what}: {text} is one text; did you mean {meant}?"));
    }
    notes.extend(call(&texts).map(|(text, meant)| format!("note: {what}: {text} is no call; did you mean {meant}?")));
    notes
}

/// The range that is meant by `0:1:0.1` (as in Python's slices), `0:0.1:1` (as in MATLAB), `1:10` and `1-10`.
fn spanned(text: &str) -> Option<String> {
    let parts: Vec<_> = text.split(':').collect();
    let numbers: Vec<f64> = parts.iter().filter_map(|part| part.parse().ok()).collect();
    let meant = match (&parts[..], &numbers[..]) {
        ([first, last], [_, _]) => format!("{first}..={last}"),
        ([first, end, step], [from, to, by]) if *by <= to - from => format!("{first}..{end}:{step}"),
        ([first, step, last], [_, _, _]) => format!("{first}..={last}:{step}"),
        ([_], _) => {
            let dashes = text.match_indices('-').map(|(at, _)| (&text[..at], &text[at + 1..]));
            let (first, last) = dashes.into_iter().find(|(first, last)| is_number(first) && is_number(last))?;
            format!("{first}..={last}")
        }
        _ => return None,
    };
    matches!(range(&meant), Some(Ok(_))).then_some(meant)
}

/// What looks like `linspace(0,1,11)` or `range(10)`, of whose commas each ended a value, and what stands for it here.
fn call(texts: &[Option<&str>]) -> Option<(String, String)> {
    let is_call = |text: &str| text.contains("linspace(") || text.contains("range(");
    let at = texts.iter().position(|text| text.is_some_and(is_call))?;
    let typed: Vec<_> = texts[at..].iter().map_while(|text| *text).collect();
    let end = typed.iter().position(|text| text.trim_end().ends_with(')'))?;
    let typed = typed[..=end].join(",");
    let (name, inner) = typed.trim().strip_suffix(')')?.split_once('(')?;
    let given: Vec<_> = inner.split(',').map(str::trim).collect();
    let meant = match (name.ends_with("linspace"), &given[..]) {
        (true, [first, last, count]) => format!("lin:{first}:{last}:{count}"),
        (false, [end]) => format!("0..{end}"),
        (false, [first, end]) => format!("{first}..{end}"),
        (false, [first, end, step]) => format!("{first}..{end}:{step}"),
        _ => return None,
    };
    Some((typed, meant))
}

fn element<'a>(what: &str, text: Cow<'a, [u8]>) -> Result<Element<'a>, Failure> {
    if let Some(file) = text.strip_prefix(b"@") {
        let path = Path::new(OsStr::from_bytes(file));
        let what = format!("{what}=@{}", path.display());
        let bytes = read(&what, path)?;
        let block = read_lines(&bytes).map_err(|error| usage(format!("{what}: {error}")))?;
        return Ok(Element::File(bytes, block, path.display().to_string()));
    }
    let Ok(typed) = std::str::from_utf8(&text) else { return Ok(Element::Plain(text)) };
    let refuse = |why: &dyn std::fmt::Display, help: &str| {
        let quoted = Word::from(format!("\"{typed}\"").as_str()).quoted();
        usage(format!("{what}={}: {why}", Word::from(typed).quoted()))
            .help(help)
            .help(format!("in quotes it is a plain value: {quoted}"))
    };
    for (prefix, spacing) in [("lin:", Spacing::Linear), ("log:", Spacing::Logarithmic)] {
        if let Some(ends) = typed.strip_prefix(prefix) {
            let values = spacing.values(ends);
            return values.map(Element::Listed).map_err(|error| {
                refuse(
                    &error,
                    "such as lin:0:1:11, which is 0, 0.1, ..., 1, or log:1e-3:1e3:7, which is 0.001, 0.01, ..., 1000",
                )
            });
        }
    }
    match range(typed) {
        None => Ok(Element::Plain(text)),
        Some(Ok(values)) => Ok(Element::Formula(values)),
        Some(Err(why)) => Err(refuse(&why, "ranges are written 1..=100, 0..1000, 0..=1000:5, 0..1:0.1")),
    }
}

/// The range that a text names; `None` where it is a plain value, such as a path with `..` in it.
fn range(text: &str) -> Option<Result<Values, String>> {
    let (start, _) = text.split_once("..")?;
    if !is_number(start) && !text.contains("..=") {
        return None;
    }
    let whole = text.parse::<Range>();
    if let Ok(range) = whole {
        return Some(Ok(Values::Range(range)));
    }
    Some(match (text.parse::<Decimals>(), whole) {
        // Whole numbers after all: `0..2.5`.
        (Ok(decimals), _) if decimals.scale() == 0 => {
            let (first, last, step) = decimals.bounds();
            let range = Range::new(first, last, step.unsigned_abs());
            range.map(Values::Range).map_err(|error| error.to_string())
        }
        (Ok(decimals), _) => Ok(Values::Decimals(decimals)),
        (Err(error), _) => Err(error.to_string()),
    })
}

/// A file's bytes; `-` is standard input. `what` names the option and the file.
pub(super) fn read(what: &str, path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut bytes).map(|_| bytes)
    } else {
        // Whatever else it is, it is read from its start to its end.
        let is_much = path.metadata().is_ok_and(|found| found.is_file() && found.len() > MUCH as u64);
        let read = || if is_much { read_much(path) } else { std::fs::read(path) };
        in_own_threads(is_much, read)?
    };
    bytes.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => usage(format!("{what}: there is no such file")),
        std::io::ErrorKind::IsADirectory => usage(format!("{what}: a folder, not a file")),
        _ => usage(format!("{what}: {error}")),
    })
}

/// From so many bytes on several threads read a file, and what is in it.
pub(super) const MUCH: usize = 1 << 20;

/// The bytes of a large file. Most of the time goes into memory that is used for the first time, so several threads read it.
fn read_much(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut bytes = vec![0; usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX)];
    let parts = bytes.par_chunks_mut(MUCH).enumerate();
    match parts.try_for_each(|(number, part)| file.read_exact_at(part, (number * MUCH) as u64)) {
        // It has become shorter meanwhile.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return std::fs::read(path),
        read => read?,
    }
    // What has been added since.
    file.seek(SeekFrom::Start(bytes.len() as u64))?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_files_are_read_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        for length in [0, 1, 1 << 20, (1 << 20) + 1, 5 << 19] {
            let bytes: Vec<u8> = (0..length as u32).map(|place| (place % 251) as u8).collect();
            let path = folder.path().join("file");
            std::fs::write(&path, &bytes).expect("written");
            assert!(read_much(&path).expect("read") == bytes, "{length} bytes");
        }
        assert!(read("--table", Path::new("/dev/null")).expect("read").is_empty());
    }

    fn values(text: &str) -> Result<Vec<String>, Failure> {
        let given = given("--grid x", text.as_bytes())?;
        Ok((0..given.count()).map(|place| String::from_utf8_lossy(&given.value(place)).into_owned()).collect())
    }

    #[test]
    fn every_spelling_of_values() {
        let check = |text: &str, expected: &str| assert_eq!(values(text).expect(text).join("|"), expected, "{text}");
        check("a,b,c", "a|b|c");
        check("", "");
        check("100", "100");
        check("1e6", "1e6");
        check("1..=3", "1|2|3");
        check("0..3", "0|1|2");
        check("0..=10:5", "0|5|10");
        check("-1..=1", "-1|0|1");
        check("0..0.3:0.1", "0.0|0.1|0.2");
        check("0..=2.5", "0|1|2");
        check("lin:0:1:3", "0|0.5|1");
        check("log:1:100:3", "1|10|100");
        check("../x", "../x");
        check("a..b", "a..b");
        check("x/../y,1..=2", "x/../y|1|2");
        check("1..=3,7,lin:0:1:2", "1|2|3|7|0|1");
        check("\"1..=3\",\"@x\",\"a,b\"", "1..=3|@x|a,b");
        check("line:1", "line:1");
        check("a=b", "a=b");
    }

    #[test]
    fn long_lists_are_rows() {
        let list = |count: usize| vec!["x"; count].join(",");
        assert!(matches!(given("", list(FEW).as_bytes()).expect("values").values, Many::Few(Values::List(_))));
        assert!(matches!(given("", list(FEW + 1).as_bytes()).expect("values").values, Many::Rows(_)));
        assert!(matches!(given("", b"1..=100000").expect("values").values, Many::Few(Values::Range(_))));
        assert!(matches!(given("", b"0..=1:1e-6").expect("values").values, Many::Few(Values::Decimals(_))));
        assert!(matches!(given("", b"lin:0:1:2000").expect("values").values, Many::Rows(_)));
    }

    #[test]
    fn typos_are_no_values() {
        for text in [
            "10..=1",
            "1..=1O0",
            "5..",
            "a..=b",
            "1..=10:0",
            "0..1:-0.1",
            "lin:0:1",
            "log:0:1:3",
            "\"a",
            "\"a\"b",
            "1..=1e30,x",
            "@",
        ] {
            assert!(values(text).is_err(), "{text}");
        }
    }
}
