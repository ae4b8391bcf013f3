//! JSON as programs print it: integers exact at any size, and Python's `NaN` and `Infinity`.
//!
//! RFC 8259 with three extensions: the words `NaN` and `Infinity` (and `nan` and `inf`, as Python's `print` shows a list),
//! numbers in any form that [`Number::parse`] takes, and keys that are repeated, of which the last counts, as in Python's `json`.

use super::{Number, Value};

/// Arrays and objects are nested no deeper.
const DEEPEST: usize = 64;

/// Reads one value that fills `text` but for white space around it; `None` if it does not.
pub(super) fn parse(text: &[u8]) -> Option<Value> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(DEEPEST)?;
    reader.blank();
    (reader.at == text.len()).then_some(value)
}

/// Reads an object that fills `text` but for white space around it: its names, in order and as often as they stand there, with
/// their values and how these are spelled; `None` if it is anything else.
pub(super) fn entries(text: &[u8]) -> Option<Vec<(String, Value, &[u8])>> {
    let mut reader = Reader { text, at: 0 };
    let mut entries = Vec::new();
    if !reader.comes(b'{') {
        return None;
    }
    if !reader.comes(b'}') {
        loop {
            let (name, start, value) = reader.entry(DEEPEST - 1)?;
            entries.push((name, value, &text[start..reader.at]));
            if reader.comes(b'}') {
                break;
            }
            if !reader.comes(b',') {
                return None;
            }
        }
    }
    reader.blank();
    (reader.at == text.len()).then_some(entries)
}

/// How many bytes the array or object at the start of `text` has, by its brackets and quotes alone; `None` where it does not end.
pub(super) fn extent(text: &[u8]) -> Option<usize> {
    let mut depth = 0usize;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => at = string_end(text, at)?,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// The place of the quote that ends the string that the quote at `start` begins.
fn string_end(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn blank(&mut self) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Passes over white space and `byte`, where that comes next.
    fn comes(&mut self, byte: u8) -> bool {
        self.blank();
        let comes = self.text.get(self.at) == Some(&byte);
        self.at += usize::from(comes);
        comes
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        self.blank();
        match self.text.get(self.at)? {
            b'[' => self.array(depth.checked_sub(1)?),
            b'{' => self.object(depth.checked_sub(1)?),
            b'"' => self.string().map(|text| Value::Text(text.into_bytes())),
            _ => self.word(),
        }
    }

    fn array(&mut self, depth: usize) -> Option<Value> {
        self.at += 1;
        let mut values = Vec::new();
        if self.comes(b']') {
            return Some(Value::Array(values));
        }
        loop {
            values.push(self.value(depth)?);
            if self.comes(b']') {
                return Some(Value::Array(values));
            }
            if !self.comes(b',') {
                return None;
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<Value> {
        self.at += 1;
        let mut entries = Vec::new();
        if self.comes(b'}') {
            return Some(Value::Object(entries));
        }
        loop {
            let (name, _, value) = self.entry(depth)?;
            entries.push((name, value));
            if self.comes(b'}') {
                return Some(Value::object(entries));
            }
            if !self.comes(b',') {
                return None;
            }
        }
    }

    /// A name and its value, and where the value starts.
    fn entry(&mut self, depth: usize) -> Option<(String, usize, Value)> {
        self.blank();
        let name = self.string()?;
        if !self.comes(b':') {
            return None;
        }
        self.blank();
        let start = self.at;
        Some((name, start, self.value(depth)?))
    }

    fn string(&mut self) -> Option<String> {
        if self.text.get(self.at) != Some(&b'"') {
            return None;
        }
        let end = string_end(self.text, self.at)?;
        let text = serde_json::from_slice(&self.text[self.at..=end]).ok()?;
        self.at = end + 1;
        Some(text)
    }

    fn word(&mut self) -> Option<Value> {
        let rest = &self.text[self.at..];
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let word = &rest[..rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len())];
        self.at += word.len();
        match word {
            b"null" => Some(Value::Null),
            b"true" => Some(Value::Boolean(true)),
            b"false" => Some(Value::Boolean(false)),
            _ => Number::parse(word).map(Value::Number),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &str) {
        let value = parse(text.as_bytes()).unwrap_or_else(|| panic!("{text:?} was not read"));
        assert_eq!(value.to_json(), expected, "{text:?}");
    }

    #[test]
    fn json_is_read_exactly() {
        check(" [1, 2.50,\n-3e2 ,[ ]] ", "[1,2.5,-300.0,[]]");
        check("{}", "{}");
        check(r#"{"a": {"b": null}, "c\n\u00e9": "d\"]"}"#, r#"{"a":{"b":null},"c\né":"d\"]"}"#);
        check("[true,false]", "[true,false]");
        check("[123456789012345678901234567890123456789012]", "[123456789012345678901234567890123456789012]");
        check("[NaN, Infinity, -Infinity, nan, -inf]", r#"["nan","inf","-inf","nan","-inf"]"#);
        check(r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#);
    }

    #[test]
    fn entries_keep_their_spelling() {
        let read = |text: &'static str| {
            let entries = entries(text.as_bytes())?.into_iter();
            let shown =
                entries.map(|(name, value, text)| (name, value.to_json(), String::from_utf8_lossy(text).into_owned()));
            Some(shown.collect::<Vec<_>>())
        };
        let entry = |name: &str, json: &str, text: &str| (name.to_owned(), json.to_owned(), text.to_owned());
        assert_eq!(
            read(" {\"a\": 1.50 , \"b\":[1, 2],\n\"a\":\"x\\n\"} "),
            Some(vec![entry("a", "1.5", "1.50"), entry("b", "[1,2]", "[1, 2]"), entry("a", "\"x\\n\"", "\"x\\n\"")])
        );
        assert_eq!(read("{}"), Some(vec![]));
        for text in ["", "[1]", "{", "{\"a\":1", "{\"a\":1,}", "{} 1", "{\"a\" 1}"] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn anything_else_is_not_read() {
        for text in [
            "",
            "[",
            "[1",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{1:2}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{'a': 1}",
            "[1] 2",
            "\"a",
            "[0x1]",
            "[None]",
            "[1.]]",
            "[\"\\x\"]",
            "[\"a\nb\"]",
        ] {
            assert!(parse(text.as_bytes()).is_none(), "{text:?}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(64).as_bytes()).is_some());
        assert!(parse(nested(65).as_bytes()).is_none());
        assert!(parse(nested(100_000).as_bytes()).is_none());
        assert!(parse("[".repeat(1_000_000).as_bytes()).is_none());
    }

    #[test]
    fn an_extent_ends_at_the_bracket_that_closes() {
        let check = |text: &str, expected| assert_eq!(extent(text.as_bytes()), expected, "{text:?}");
        check("[1, [2]] 3]", Some(8));
        check(r#"{"a": "]}\"}"} x"#, Some(14));
        check("[1", None);
        check("[\"a]", None);
        check("[\"a\\", None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(text in "[\\[\\]{}\",:0-9a-f.eE+\\\\ -]{0,40}") {
            if let Some(value) = parse(text.as_bytes()) {
                let json = value.to_json();
                // Infinities and NaNs are written as texts, and stay that.
                prop_assert_eq!(parse(json.as_bytes()).map(|value| value.to_json()), Some(json));
            }
        }

        #[test]
        fn what_serde_reads_is_read_alike(value in any_json()) {
            let text = serde_json::to_string_pretty(&value).expect("plain values");
            let read = parse(text.as_bytes()).expect("this is JSON");
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&read.to_json()).expect("this is JSON"), value);
            prop_assert_eq!(extent(format!("[{text}]\n]").as_bytes()), Some(text.len() + 2));
        }
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            // serde_json reads these exactly.
            any::<i32>().prop_map(|eighths| (f64::from(eighths) / 8.0).into()),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 24, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(serde_json::Value::Array),
                proptest::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(|entries| serde_json::Value::Object(entries.into_iter().collect())),
            ]
        })
    }
}
