//! What stands between the braces of a word: `{item}`, or `{item:05}` for a whole number of at least five digits.

use std::borrow::Cow;

use super::template::{Template, TemplateError};
use super::{Placeholder, Slot, Word};
use crate::space::{Axis, Space, Values};

/// A slot and how its value is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) slot: Slot,
    /// Whole numbers are padded with zeros to so many letters, the sign among them; 0 where it is not said.
    width: u8,
}

impl Field {
    /// Reads what stands between the braces. Whether a space has the name is known only with the space: see [`check`].
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let (name, width) = split_width(text).unwrap_or((text, 0));
        let known = Placeholder::ALL.into_iter().find(|known| known.name() == name);
        let slot = known.map(Slot::Known).or_else(|| (!name.is_empty()).then(|| Slot::Name(name.to_owned())))?;
        Some(Self { slot, width })
    }

    /// A value as it is written here.
    pub(super) fn write<'a>(&self, value: &'a [u8]) -> Cow<'a, [u8]> {
        let missing = usize::from(self.width).saturating_sub(value.len());
        if missing == 0 || !is_whole(value) {
            return value.into();
        }
        let digits = value.strip_prefix(b"-").unwrap_or(value);
        let sign = &value[..value.len() - digits.len()];
        [sign, vec![b'0'; missing].as_slice(), digits].concat().into()
    }

    fn shown(&self) -> String {
        match self.width {
            0 => self.slot.name().to_owned(),
            width => format!("{}:0{width}", self.slot.name()),
        }
    }
}

/// Checks that each brace of `template` stands for something in `space`, and each width for whole numbers as far as
/// the values are known.
/// `more` are names of whole numbers that stand for something beside those of the space.
pub(super) fn check(
    word: &Word,
    template: &Template<Field>,
    space: &Space,
    more: &[&str],
) -> Result<(), TemplateError> {
    for field in template.placeholders() {
        let no_number = |why: String| Err(TemplateError::NoNumber { field: field.shown(), word: word.quoted(), why });
        match &field.slot {
            Slot::Known(Placeholder::Result | Placeholder::Items) if field.width > 0 => {
                return no_number("it is a path".to_owned());
            }
            Slot::Known(_) => {}
            Slot::Name(name) if more.contains(&name.as_str()) => {}
            Slot::Name(name) if !space.names().contains(&name.as_str()) => {
                return Err(TemplateError::Unknown { name: field.shown(), word: word.quoted() });
            }
            Slot::Name(name) => {
                if field.width > 0
                    && let Some(value) = listed(space, name).iter().find(|value| !is_whole(value.as_bytes()))
                {
                    return no_number(format!("one of its values is {}", value.quoted()));
                }
            }
        }
    }
    Ok(())
}

/// The values of a name, where the plan lists them.
fn listed<'a>(space: &'a Space, name: &str) -> &'a [Word] {
    let Space::Parameters(parameters) = space else { return &[] };
    let columns = parameters.axes().iter().filter_map(|axis| match axis {
        Axis::Columns(columns) => Some(columns),
        Axis::Listed(_) => None,
    });
    match columns.flatten().find(|column| column.name == name).map(|column| &column.values) {
        Some(Values::List(values)) => values,
        _ => &[],
    }
}

/// `item:05`: a name, and a width that starts with 0.
fn split_width(text: &str) -> Option<(&str, u8)> {
    let (name, width) = text.rsplit_once(':')?;
    let digits = width.strip_prefix('0').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some((name, digits.parse().ok()?))
}

fn is_whole(value: &[u8]) -> bool {
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn write(text: &str, value: &str) -> String {
        let field = Field::parse(text.as_bytes()).expect("a field");
        String::from_utf8(field.write(value.as_bytes()).into_owned()).expect("text")
    }

    #[test]
    fn whole_numbers_are_padded() {
        assert_eq!(write("item:05", "37"), "00037");
        assert_eq!(write("item:05", "-37"), "-0037");
        assert_eq!(write("item:05", "123456"), "123456");
        assert_eq!(write("item:05", "0.5"), "0.5", "what is no whole number stands as it is");
        assert_eq!(write("item", "37"), "37");
        let name = |text: &str| Field::parse(text.as_bytes()).map(|field| (field.slot.name().to_owned(), field.width));
        assert_eq!(name("alpha:012"), Some(("alpha".to_owned(), 12)));
        assert_eq!(name("alpha:5"), Some(("alpha:5".to_owned(), 0)), "no width: the name of nothing, then");
        assert_eq!(name("alpha:0256"), Some(("alpha:0256".to_owned(), 0)));
        assert_eq!((name(""), name(":05")), (None, None));
    }

    proptest! {
        #[test]
        fn as_other_languages_pad(value: i64, width in 1u8..40) {
            let padded = write(&format!("x:0{width}"), &value.to_string());
            prop_assert_eq!(padded, format!("{value:0width$}", width = usize::from(width)));
        }
    }
}
