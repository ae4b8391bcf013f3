//! What one run of the user's program yielded, and the results that its text holds.

use super::{BadResult, Value, json};
use crate::plan::is_field_name;
use crate::space::Interval;

/// A text, and the items that it stands for.
///
/// The text of one item is its result; one of several lines holds several values of that item. In a text that stands for
/// several items and has as many results, each result is that of an item, in order.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The items.
    pub items: Interval,
    /// The text.
    pub text: &'a [u8],
    /// How many lines of the same text come before this part of it.
    lines_before: usize,
    /// Where this is a part of a text whose results stand for all the items together: how many results that text has.
    together: Option<u128>,
}

/// One of an entry's results.
#[derive(Clone, Debug)]
pub struct Outcome<'a> {
    /// The item that it belongs to, or the items where they cannot be told apart.
    pub items: Interval,
    /// How many results the text has, if `items` are several.
    pub results: u128,
    /// The line in the text that it starts on, from 1.
    pub line: usize,
    /// As it stands in the text, without white space around it.
    pub text: &'a [u8],
    /// What was read.
    pub value: Value,
}

impl<'a> Entry<'a> {
    /// What a run over `items` yielded.
    #[must_use]
    pub fn new(items: Interval, text: &'a [u8]) -> Self {
        Self { items, text, lines_before: 0, together: None }
    }

    /// A part of a longer text, whose first line is the one after `lines_before` lines. `together` is how many results the
    /// whole text has, where these do not belong to an item each.
    #[must_use]
    pub fn part(items: Interval, text: &'a [u8], lines_before: usize, together: Option<u128>) -> Self {
        Self { items, text, lines_before, together }
    }

    /// The text of each item, in order: the whole text for one item, and each result where there are as many results as
    /// items. `None` where they cannot be told apart.
    #[must_use]
    pub fn per_item(&self) -> Option<impl Iterator<Item = (u128, &'a [u8])> + use<'a>> {
        let start = self.items.start();
        let whole = (self.items.count() == 1).then_some((start, self.text));
        let each = if whole.is_none() && self.is_per_item() { Some(self.pieces()) } else { None };
        if whole.is_none() && each.is_none() {
            return None;
        }
        let each = each.into_iter().flatten();
        Some(whole.into_iter().chain((start..).zip(each).map(|(item, piece)| (item, piece.text))))
    }

    /// Whether each item has a result of its own.
    #[must_use]
    pub fn is_per_item(&self) -> bool {
        self.items.count() == 1 || self.results() == self.items.count() && self.together.is_none()
    }

    /// Its results, each with the items that it belongs to.
    pub(super) fn outcomes(&self) -> impl Iterator<Item = Outcome<'a>> + use<'a> {
        let (items, results) = (self.items, self.together.unwrap_or_else(|| self.results()));
        let own = items.count() > 1 && self.is_per_item();
        self.pieces().enumerate().map(move |(place, piece)| Outcome {
            items: if own { single(items.start() + place as u128) } else { items },
            results,
            line: piece.line,
            text: piece.text,
            value: Value::parse(piece.text),
        })
    }

    /// The object that the text is, where each line has the form `name=value` and each of `wanted` is among the names.
    pub(super) fn named_lines(&self, wanted: &[&str]) -> Option<Outcome<'a>> {
        if self.lines_before > 0 {
            return None;
        }
        let first = lines(self.text).next()?;
        let entries = named(self.text)?.into_iter().map(|(name, text)| (name.to_owned(), Value::parse(text))).collect();
        let value = Value::object(entries);
        let all = wanted.iter().all(|name| value.get(name).is_some());
        let text = self.text.trim_ascii();
        all.then_some(Outcome { items: self.items, results: 1, line: first.line, text, value })
    }

    /// How many results.
    fn results(&self) -> u128 {
        self.pieces().count() as u128
    }

    /// Its results as they stand in the text.
    pub(super) fn pieces(&self) -> Pieces<'a> {
        Pieces { rest: self.text, line: self.lines_before }
    }

    /// Its lines that are not blank.
    pub(super) fn lines(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        lines(self.text).map(|piece| piece.text)
    }
}

impl Outcome<'_> {
    /// The only item that it belongs to.
    ///
    /// # Errors
    /// [`BadResult::NotPerItem`] where it stands for several.
    pub(super) fn item(&self) -> Result<u128, BadResult> {
        match self.items.count() {
            1 => Ok(self.items.start()),
            items => Err(BadResult::NotPerItem { results: self.results, items }),
        }
    }
}

fn single(item: u128) -> Interval {
    Interval::new(item, item + 1).expect("one item")
}

/// A result as it stands in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// The line that it starts on, from 1.
    pub(super) line: usize,
    /// Its bytes, without white space around them.
    pub(super) text: &'a [u8],
}

/// The results of a text: each line that is not blank, and JSON arrays and objects over as many lines as they take.
#[derive(Clone, Debug)]
pub(super) struct Pieces<'a> {
    rest: &'a [u8],
    /// Lines that are behind.
    line: usize,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    #[inline]
    fn next(&mut self) -> Option<Piece<'a>> {
        loop {
            if self.rest.is_empty() {
                return None;
            }
            let (text, after) = match memchr::memchr(b'\n', self.rest) {
                Some(end) => (&self.rest[..end], &self.rest[end + 1..]),
                None => (self.rest, &self.rest[self.rest.len()..]),
            };
            let text = text.trim_ascii();
            if matches!(text.first(), Some(b'[' | b'{'))
                && let Some(piece) = self.brackets()
            {
                return Some(piece);
            }
            self.rest = after;
            self.line += 1;
            if !text.is_empty() {
                return Some(Piece { line: self.line, text });
            }
        }
    }
}

impl<'a> Pieces<'a> {
    /// Those of `text`.
    pub(super) fn of(text: &'a [u8]) -> Self {
        Self { rest: text, line: 0 }
    }

    /// The array or object that comes next, if nothing follows it on its last line.
    fn brackets(&mut self) -> Option<Piece<'a>> {
        let start = self.rest.iter().position(|&byte| matches!(byte, b'[' | b'{'))?;
        let from = &self.rest[start..];
        let (text, after) = from.split_at(json::extent(from)?);
        let end = after.iter().position(|&byte| byte == b'\n').map_or(after.len(), |end| end + 1);
        if !after[..end].trim_ascii().is_empty() {
            return None;
        }
        let line = self.line + 1;
        self.line += 1 + memchr::memchr_iter(b'\n', text).count();
        self.rest = &after[end..];
        Some(Piece { line, text })
    }
}

/// Where `text`, which may go on, can be cut: after its last complete line that is not inside of an array or object.
pub(super) fn last_cut(text: &[u8]) -> usize {
    let complete = memchr::memrchr(b'\n', text).map_or(0, |end| end + 1);
    let mut at = 0;
    while at < complete {
        let end = at + memchr::memchr(b'\n', &text[at..]).map_or(text.len() - at, |end| end + 1);
        let line = text[at..end].trim_ascii_start();
        if matches!(line.first(), Some(b'[' | b'{')) {
            let start = end - line.len();
            let Some(length) = json::extent(&text[start..]) else { return at };
            let close = start + length;
            let Some(end) = memchr::memchr(b'\n', &text[close..]).map(|end| close + end + 1) else { return at };
            at = if text[close..end].trim_ascii().is_empty() { end } else { next_line(text, at) };
        } else {
            at = end;
        }
    }
    at
}

fn next_line(text: &[u8], at: usize) -> usize {
    memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |end| at + end + 1)
}

/// The names and values of a text in which each line that is not blank has the form `name=value`; `None` for any other text.
pub(super) fn named(text: &[u8]) -> Option<Vec<(&str, &[u8])>> {
    let mut entries = Vec::new();
    for piece in lines(text) {
        let split = memchr::memchr(b'=', piece.text)?;
        let name = std::str::from_utf8(piece.text[..split].trim_ascii()).ok().filter(|name| is_field_name(name))?;
        entries.push((name, piece.text[split + 1..].trim_ascii()));
    }
    (!entries.is_empty()).then_some(entries)
}

/// Lines that are not blank.
fn lines(text: &[u8]) -> impl Iterator<Item = Piece<'_>> {
    let all = text.split(|&byte| byte == b'\n').enumerate();
    all.map(|(place, text)| Piece { line: place + 1, text: text.trim_ascii() }).filter(|piece| !piece.text.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(count: u128, text: &str) -> Entry<'_> {
        Entry::new(Interval::new(10, 10 + count).expect("not empty"), text.as_bytes())
    }

    fn pieces(text: &str) -> Vec<(usize, &str)> {
        let pieces = entry(1, text).pieces();
        pieces.map(|piece| (piece.line, std::str::from_utf8(piece.text).expect("UTF-8"))).collect()
    }

    #[test]
    fn lines_are_numbered_with_the_blank_ones() {
        assert_eq!(pieces("\n a b \r\n\t\r\n\n4\x0c"), [(2, "a b"), (5, "4")]);
        assert_eq!(pieces(""), []);
        assert_eq!(pieces(" \r\n\n"), []);
        assert_eq!(pieces("1\n"), [(1, "1")]);
    }

    #[test]
    fn arrays_take_as_many_lines_as_they_take() {
        assert_eq!(
            pieces("[1,\n2]\n3\n\n {\"a\":\n\n1}\r\n[4]"),
            [(1, "[1,\n2]"), (3, "3"), (5, "{\"a\":\n\n1}"), (8, "[4]")]
        );
        assert_eq!(pieces("[1] 5\n[2"), [(1, "[1] 5"), (2, "[2")]);
        assert_eq!(pieces("{ x\ny }\n"), [(1, "{ x\ny }")]);
    }

    #[test]
    fn each_item_has_its_own_result() {
        let per_item = |count, text: &'static str| {
            let items = entry(count, text).per_item()?;
            Some(items.map(|(item, text)| (item, String::from_utf8_lossy(text).into_owned())).collect::<Vec<_>>())
        };
        let owned =
            |items: &[(u128, &str)]| Some(items.iter().map(|(item, text)| (*item, (*text).to_owned())).collect());
        assert_eq!(per_item(1, "a\nb\n"), owned(&[(10, "a\nb\n")]));
        assert_eq!(per_item(2, "a\n\nb\n"), owned(&[(10, "a"), (11, "b")]));
        assert_eq!(per_item(2, "[1,\n2]\n[3]"), owned(&[(10, "[1,\n2]"), (11, "[3]")]));
        assert_eq!(per_item(3, "a\nb\n"), None);
        assert_eq!(per_item(2, ""), None);
        assert!(!Entry::part(Interval::new(0, 2).expect("two"), b"1\n2\n", 0, Some(9)).is_per_item());
    }

    #[test]
    fn named_lines_are_an_object() {
        let object = |text: &'static str, wanted: &[&str]| {
            entry(3, text).named_lines(wanted).map(|outcome| outcome.value.to_json())
        };
        assert_eq!(object("n=3\n mean = 0.5 \nx=\n", &["n"]).as_deref(), Some(r#"{"n":3,"mean":0.5,"x":""}"#));
        assert_eq!(object("a=[1,2]\nb=true=1", &[]).as_deref(), Some(r#"{"a":[1,2],"b":"true=1"}"#));
        for (text, wanted) in
            [("n=3\n4", &[][..]), ("", &[]), ("n=3", &["mean"]), ("1=2", &[]), ("a b=2", &[]), ("{\"a\":\"=\"}", &[])]
        {
            assert_eq!(object(text, wanted), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_cut_does_not_change_the_results(text in "[\\[\\]{}\" \n1a,]{0,40}", length in 0usize..40) {
            let start = &text[..length.min(text.len())];
            let cut = last_cut(start.as_bytes());
            prop_assert!(cut <= start.len() && (cut == 0 || start.as_bytes()[cut - 1] == b'\n'));
            let (before, after) = text.split_at(cut);
            let lines = before.matches('\n').count();
            let mut parts = pieces(before);
            parts.extend(pieces(after).into_iter().map(|(line, text)| (line + lines, text)));
            prop_assert_eq!(parts, pieces(&text));
        }
    }
}
