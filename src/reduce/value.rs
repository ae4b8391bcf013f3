//! What results and answers are made of.

use std::fmt::Write;

use super::{Number, json};

/// A value: what a program printed, or an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// JSON's null; in an answer, what cannot be told.
    Null,
    /// True or false.
    Boolean(bool),
    /// A number.
    Number(Number),
    /// Any text; not always UTF-8.
    Text(Vec<u8>),
    /// An array, shown as JSON.
    Array(Vec<Self>),
    /// Names and their values, in order; each name once.
    Object(Vec<(String, Self)>),
    /// An answer of many values, one a line.
    Rows(Vec<Self>),
    /// An item, by its number; [`Value::with_items`] puts what people call it in its place.
    Item(u128),
}

impl Value {
    /// Reads the text of one result: JSON's arrays, objects and strings; numbers; `true` and `false` in any case (Python
    /// and R print them so); anything else is a text, without the white space around it.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        let text = text.trim_ascii();
        let read = match text.first() {
            Some(b'[' | b'{' | b'"') => json::parse(text),
            _ if text.eq_ignore_ascii_case(b"true") => Some(Self::Boolean(true)),
            _ if text.eq_ignore_ascii_case(b"false") => Some(Self::Boolean(false)),
            _ => Number::parse(text).map(Self::Number),
        };
        read.unwrap_or_else(|| Self::Text(text.to_vec()))
    }

    /// A text, as a number where that is shown in the same way: `5` and `0.5`, but not `007` or `5e-1`.
    #[must_use]
    pub fn of_text(text: &[u8]) -> Self {
        match Number::parse(text) {
            Some(number) if number.to_string().as_bytes() == text => Self::Number(number),
            _ => Self::Text(text.to_vec()),
        }
    }

    /// An object of entries; of those with one name the last counts, in the place of the first.
    #[must_use]
    pub fn object(entries: Vec<(String, Self)>) -> Self {
        let mut places = std::collections::HashMap::new();
        let mut kept: Vec<(String, Self)> = Vec::with_capacity(entries.len());
        for (name, value) in entries {
            match places.get(&name) {
                Some(&place) => {
                    let (_, earlier): &mut (String, Self) = &mut kept[place];
                    *earlier = value;
                }
                None => {
                    places.insert(name.clone(), kept.len());
                    kept.push((name, value));
                }
            }
        }
        Self::Object(kept)
    }

    /// The value of an object's entry.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        let Self::Object(entries) = self else { return None };
        entries.iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    /// An object's entries, those of nested objects under `name.inner`; of anything else none.
    #[must_use]
    pub fn flattened(&self) -> Vec<(String, &Self)> {
        match self {
            Self::Object(entries) => flattened(entries),
            _ => Vec::new(),
        }
    }

    /// The same with each item replaced by what `name` makes of its number.
    #[must_use]
    pub fn with_items(self, name: &dyn Fn(u128) -> Self) -> Self {
        let all = |values: Vec<Self>| values.into_iter().map(|value| value.with_items(name)).collect();
        match self {
            Self::Item(item) => name(item),
            Self::Array(values) => Self::Array(all(values)),
            Self::Rows(values) => Self::Rows(all(values)),
            Self::Object(entries) => {
                Self::Object(entries.into_iter().map(|(key, value)| (key, value.with_items(name))).collect())
            }
            other => other,
        }
    }

    /// The value as a part of a line or a table's cell: numbers as [`Number`] shows them, texts as they are, null as
    /// nothing, arrays and objects as JSON.
    #[must_use]
    pub fn to_text(&self) -> Vec<u8> {
        match self {
            Self::Null => Vec::new(),
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string().into_bytes(),
            other => other.to_json().into_bytes(),
        }
    }

    /// The value as an answer is printed, each line with its end.
    ///
    /// An object is one line `name<TAB>value` for each entry; what is nested in it comes under `name.inner`. Rows are
    /// one line each; rows that are objects with the same names (nested ones as above) have these in a first line, and tabs
    /// between the values.
    #[must_use]
    pub fn to_lines(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Object(entries) => named_lines(&mut out, entries),
            Self::Rows(rows) => row_lines(&mut out, rows),
            other => line(&mut out, &other.to_text()),
        }
        out
    }

    /// The value as JSON, on one line. Numbers are exact; what JSON cannot say is a string: `"nan"`, `"inf"`, `"-inf"`, and
    /// texts that are not UTF-8 with U+FFFD in the place of what is not.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }

    fn write_json(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(Number::Decimal(value)) if !value.is_finite() => {
                let _ = write!(out, "\"{}\"", Number::Decimal(*value));
            }
            Self::Number(number) => {
                let _ = write!(out, "{number}");
            }
            Self::Item(item) => {
                let _ = write!(out, "{item}");
            }
            Self::Text(text) => write_string(out, &String::from_utf8_lossy(text)),
            Self::Array(values) | Self::Rows(values) => {
                out.push('[');
                for (place, value) in values.iter().enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    value.write_json(out);
                }
                out.push(']');
            }
            Self::Object(entries) => {
                out.push('{');
                for (place, (name, value)) in entries.iter().enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    write_string(out, name);
                    out.push(':');
                    value.write_json(out);
                }
                out.push('}');
            }
        }
    }
}

fn write_string(out: &mut String, text: &str) {
    out.push_str(&serde_json::to_string(text).expect("a text is JSON"));
}

fn line(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(text);
    out.push(b'\n');
}

/// The entries of an object, those of nested objects under `name.inner`.
fn flat<'a>(prefix: &str, entries: &'a [(String, Value)], out: &mut Vec<(String, &'a Value)>) {
    for (name, value) in entries {
        let name = format!("{prefix}{name}");
        match value {
            Value::Object(inner) => flat(&format!("{name}."), inner, out),
            value => out.push((name, value)),
        }
    }
}

fn flattened(entries: &[(String, Value)]) -> Vec<(String, &Value)> {
    let mut out = Vec::new();
    flat("", entries, &mut out);
    out
}

fn named_lines(out: &mut Vec<u8>, entries: &[(String, Value)]) {
    for (name, value) in flattened(entries) {
        line(out, &[name.as_bytes(), &value.to_text()].join(&b'\t'));
    }
}

fn row_lines(out: &mut Vec<u8>, rows: &[Value]) {
    let names = |row: &Value| match row {
        Value::Object(entries) => Some(flattened(entries).into_iter().map(|(name, _)| name).collect::<Vec<_>>()),
        _ => None,
    };
    let header = rows.first().and_then(names).filter(|first| rows.iter().all(|row| names(row).as_ref() == Some(first)));
    let Some(header) = header else {
        rows.iter().for_each(|row| line(out, &row.to_text()));
        return;
    };
    line(out, header.join("\t").as_bytes());
    for row in rows {
        let Value::Object(entries) = row else { continue };
        let cells: Vec<_> = flattened(entries).into_iter().map(|(_, value)| value.to_text()).collect();
        line(out, &cells.join(&b'\t'));
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        Self::Number(number)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Number(Number::Decimal(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(value: &Value) -> String {
        String::from_utf8(value.to_lines()).expect("UTF-8")
    }

    #[test]
    fn one_result_is_read() {
        let check = |text: &str, expected: Value| assert_eq!(Value::parse(text.as_bytes()), expected, "{text:?}");
        check(" 5\r", Value::Number(Number::from(5)));
        check("5.0", Value::from(5.0));
        check("True", Value::Boolean(true));
        check("FALSE", Value::Boolean(false));
        check("\"5\"", Value::Text(b"5".to_vec()));
        check("[1] 5", Value::Text(b"[1] 5".to_vec()));
        check("[5]", Value::Array(vec![Value::Number(Number::from(5))]));
        check("a b", Value::Text(b"a b".to_vec()));
        check("", Value::Text(Vec::new()));
        assert_eq!(Value::parse(b"\xff"), Value::Text(vec![0xff]));
    }

    #[test]
    fn answers_are_lines() {
        let object = Value::parse(br#"{"n": 2, "inner": {"mean": 0.5, "none": null}, "list": [1, "a"]}"#);
        assert_eq!(lines(&object), "n\t2\ninner.mean\t0.5\ninner.none\t\nlist\t[1,\"a\"]\n");
        assert_eq!(lines(&Value::Boolean(true)), "true\n");
        assert_eq!(lines(&Value::from(f64::NAN)), "nan\n");
        assert_eq!(Value::from(f64::NAN).to_json(), "\"nan\"");
        let rows = |texts: &[&str]| Value::Rows(texts.iter().map(|text| Value::parse(text.as_bytes())).collect());
        assert_eq!(lines(&rows(&[r#"{"a":1,"b":"x"}"#, r#"{"a":2,"b":null}"#])), "a\tb\n1\tx\n2\t\n");
        assert_eq!(lines(&rows(&[r#"{"a":1}"#, "b c"])), "{\"a\":1}\nb c\n");
        assert_eq!(rows(&["1", "x"]).to_json(), r#"[1,"x"]"#);
        assert_eq!(lines(&Value::Rows(vec![])), "");
    }

    #[test]
    fn items_are_named() {
        let value = Value::Object(vec![("item".to_owned(), Value::Item(3))]);
        assert_eq!(value.to_json(), r#"{"item":3}"#);
        let named = value.with_items(&|item| Value::Text(format!("i{item}").into_bytes()));
        assert_eq!(named.to_json(), r#"{"item":"i3"}"#);
    }
}
