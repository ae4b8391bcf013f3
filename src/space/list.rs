//! Lists of values as they are typed: `a,b,c`, a value with a comma in quotes as in CSV.

use std::borrow::Cow;

/// A value of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// What it stands for.
    pub text: Cow<'a, [u8]>,
    /// Whether it stood in quotes: then it is nothing but a text.
    pub quoted: bool,
}

/// Why a text is no list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// A quote opens and does not close.
    #[error("a value starts with \" and the closing \" is missing")]
    Open,
    /// Something other than a comma follows a value in quotes.
    #[error("a closing \" is followed by something other than a comma; inside quotes a \" is written twice")]
    Trailing,
}

/// Splits at commas. A value that starts with `"` ends with one, and in it `""` is a quote; elsewhere quotes are nothing
/// special. There is always at least one value: that of an empty text is empty.
///
/// # Errors
/// Where quotes do not close, or do so within a value.
pub fn split(text: &[u8]) -> Result<Vec<Field<'_>>, ListError> {
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        let Some(inner) = rest.strip_prefix(b"\"") else {
            let end = memchr::memchr(b',', rest).unwrap_or(rest.len());
            fields.push(Field { text: rest[..end].into(), quoted: false });
            match rest.get(end + 1..) {
                Some(after) => rest = after,
                None => return Ok(fields),
            }
            continue;
        };
        let mut value = Vec::new();
        let mut left = inner;
        loop {
            let end = memchr::memchr(b'"', left).ok_or(ListError::Open)?;
            value.extend_from_slice(&left[..end]);
            left = &left[end + 1..];
            match left.strip_prefix(b"\"") {
                Some(after) => {
                    value.push(b'"');
                    left = after;
                }
                None => break,
            }
        }
        fields.push(Field { text: value.into(), quoted: true });
        match left {
            [] => return Ok(fields),
            [b',', after @ ..] => rest = after,
            _ => return Err(ListError::Trailing),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_typed() {
        let check = |text: &str, expected: &[&str]| {
            let fields = split(text.as_bytes()).expect(text);
            let texts: Vec<_> = fields.iter().map(|field| String::from_utf8_lossy(&field.text).into_owned()).collect();
            assert_eq!(texts, expected, "{text}");
        };
        check("a,b,c", &["a", "b", "c"]);
        check("", &[""]);
        check("a,", &["a", ""]);
        check(",", &["", ""]);
        check("\"a,b\",c", &["a,b", "c"]);
        check("\"say \"\"hi\"\"\"", &["say \"hi\""]);
        check("5\" pipe,a b", &["5\" pipe", "a b"]);
        check("a\nb, c", &["a\nb", " c"]);
        assert_eq!(split(b"\"a"), Err(ListError::Open));
        assert_eq!(split(b"x,\"a\"\""), Err(ListError::Open));
        assert_eq!(split(b"\"a\"b"), Err(ListError::Trailing));
    }

    proptest! {
        #[test]
        fn any_values_can_be_typed(values in prop::collection::vec((prop::collection::vec(1u8.., 0..20), any::<bool>()), 1..6)) {
            let typed: Vec<Vec<u8>> = values.iter().map(|(value, quoted)| {
                if *quoted || value.contains(&b',') || value.starts_with(b"\"") {
                    let doubled = value.iter().flat_map(|&byte| vec![byte; if byte == b'"' { 2 } else { 1 }]);
                    std::iter::once(b'"').chain(doubled).chain([b'"']).collect()
                } else {
                    value.clone()
                }
            }).collect();
            let typed = typed.join(&b","[..]);
            let fields = split(&typed).expect("a list");
            prop_assert!(fields.iter().map(|field| &*field.text).eq(values.iter().map(|(value, _)| &value[..])));
        }
    }
}
