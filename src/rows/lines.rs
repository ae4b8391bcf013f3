//! Lines of a file, each a value: `--lines`, and `@file` as the values of a name.
//!
//! A line ends with LF or CRLF, the last one also with the file. Lines with nothing on them count nowhere, a byte order mark
//! at the start is none of the text, and whatever else stands on a line is its value.

use crate::space::RowBlock;

/// Why bytes are no lines of values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinesError {
    /// Nothing is in it.
    #[error("the file is empty")]
    Empty,
    /// The bytes of another encoding.
    #[error("the file is UTF-16 text")]
    Utf16,
    /// A byte that no value can hold.
    #[error("line {line}: a NUL byte, which no argument can hold")]
    Nul {
        /// The line, from 1.
        line: u64,
    },
}

/// The lines of a file's bytes as rows of one column.
///
/// # Errors
/// Where there is none, or one that can be no value.
pub fn read_lines(bytes: &[u8]) -> Result<RowBlock, LinesError> {
    let text = text(bytes)?;
    let (mut found, mut ends) = (Vec::with_capacity(text.len()), Vec::new());
    for (_, line) in values(text) {
        found.extend_from_slice(line);
        ends.push(found.len());
    }
    if ends.is_empty() { Err(LinesError::Empty) } else { Ok(RowBlock::whole(1, found, ends)) }
}

/// The line, from 1, on which the line with the number `value`, among those with something on them, stands.
#[must_use]
pub fn line_of_value(bytes: &[u8], value: u64) -> u64 {
    let start = usize::try_from(value).ok().and_then(|value| values(bytes).nth(value)).map_or(0, |(start, _)| start);
    line_of(bytes, start)
}

/// The text of a file, without a byte order mark.
pub(super) fn text(bytes: &[u8]) -> Result<&[u8], LinesError> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(LinesError::Utf16);
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match memchr::memchr(0, text) {
        Some(at) => Err(LinesError::Nul { line: line_of(text, at) }),
        None => Ok(text),
    }
}

/// The lines with something on them, and where each starts.
pub(super) fn values(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let ends = memchr::memchr_iter(b'\n', text).chain([text.len()]);
    let lines = ends.scan(0, |start, end| {
        let line = (*start, text.get(*start..end).unwrap_or_default());
        *start = end + 1;
        Some(line)
    });
    let plain = |(start, line): (usize, &'_ [u8])| (start, line.strip_suffix(b"\r").map_or(line.len(), <[u8]>::len));
    lines.map(plain).filter(|(_, length)| *length > 0).map(|(start, length)| (start, &text[start..start + length]))
}

/// The line, from 1, that holds the byte number `at`.
pub(super) fn line_of(text: &[u8], at: usize) -> u64 {
    memchr::memchr_iter(b'\n', &text[..at.min(text.len())]).count() as u64 + 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(text: impl AsRef<[u8]>) -> Result<Vec<String>, String> {
        let block = read_lines(text.as_ref()).map_err(|error| error.to_string())?;
        let line = |row| String::from_utf8_lossy(block.field(row, 0).expect("there")).into_owned();
        Ok((0..block.len()).map(line).collect())
    }

    #[test]
    fn each_line_is_a_value() {
        let check = |text: &str, expected: &[&str]| {
            assert_eq!(lines(text), Ok(expected.iter().map(|&line| line.to_owned()).collect()), "{text:?}");
        };
        check("a\nb\n", &["a", "b"]);
        check("a\r\nb", &["a", "b"]);
        check("\n\na\n\r\n\nb\n\n", &["a", "b"]);
        check("\u{feff}a", &["a"]);
        check(" a \n \n\"b\",c\r", &[" a ", " ", "\"b\",c"]);
        check("a\rb\n", &["a\rb"]);
        for text in ["", "\n", "\r\n\n", "\u{feff}"] {
            assert_eq!(lines(text), Err("the file is empty".to_owned()), "{text:?}");
        }
        assert_eq!(lines("a\n\nb\0c\n"), Err("line 3: a NUL byte, which no argument can hold".to_owned()));
        assert_eq!(lines(b"\xff\xfea\0"), Err("the file is UTF-16 text".to_owned()));
        assert_eq!([0, 1, 2].map(|value| line_of_value(b"\na\n\r\nb\nc", value)), [2, 4, 5]);
    }

    proptest! {
        #[test]
        fn any_lines_are_read_back(
            values in prop::collection::vec(prop::collection::vec(1u8.., 1..20), 1..10),
            crlf: bool,
            last: bool,
        ) {
            let end = if crlf { &b"\r\n"[..] } else { b"\n" };
            let plain = |value: &Vec<u8>| !value.contains(&b'\n') && !value.ends_with(b"\r");
            prop_assume!(values.iter().all(plain) && !values[0].starts_with(b"\xef\xbb\xbf"));
            prop_assume!(![b"\xff\xfe", b"\xfe\xff"].iter().any(|mark| values[0].starts_with(&mark[..])));
            let mut text = values.join(end);
            if last {
                text.extend_from_slice(end);
            }
            let block = read_lines(&text).expect("lines");
            prop_assert_eq!(block.len(), values.len() as u64);
            for (row, value) in values.iter().enumerate() {
                prop_assert_eq!(block.field(row as u64, 0), Some(&value[..]));
            }
        }
    }
}
