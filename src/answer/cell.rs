//! Cells of tables, and what a column holds.

use super::Shape;
use crate::reduce::Number;

/// What a cell holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CellKind {
    /// Nothing.
    Missing = 1,
    /// An integer that a double holds as well: at most 2^53.
    Small = 2,
    /// Any other integer of 64 bits.
    Long = 4,
    /// A larger integer.
    Big = 8,
    /// A decimal, also an infinity or NaN.
    Decimal = 16,
    /// `true` or `false`, in any case.
    Boolean = 32,
    /// JSON on one line: an array or object.
    Nested = 64,
    /// Any text.
    Text = 128,
}

/// A cell: what it holds, and how that is spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell<'a> {
    /// What it holds.
    pub kind: CellKind,
    /// Its spelling, as a program or the user has it; empty where it is missing.
    pub text: &'a [u8],
}

/// The kinds of a column's cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds(u8);

/// The type that a column's cells have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Common {
    /// Integers of 64 bits.
    Integer,
    /// Numbers that doubles hold.
    Real,
    /// Anything else; also integers that are too large, and whose digits a double would lose.
    Text,
}

/// A column of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What its cells hold.
    pub kinds: Kinds,
    /// How many of its cells are missing.
    pub missing: u128,
    /// The shape of its cells; looked at for NumPy alone.
    pub shape: Shape,
}

impl<'a> Cell<'a> {
    /// An empty cell.
    pub const MISSING: Self = Self { kind: CellKind::Missing, text: b"" };

    /// A value of the space: a number where it is spelled as one in JSON.
    #[must_use]
    pub fn of_parameter(text: &'a [u8]) -> Self {
        let kind = if is_json_number(text) { number_kind(text).unwrap_or(CellKind::Text) } else { CellKind::Text };
        Self { kind, text }
    }

    /// A result, or a value in one, that is no JSON: a number, true or false, or a text. Nothing but white space is nothing.
    #[must_use]
    pub fn of_result(text: &'a [u8]) -> Self {
        let text = text.trim_ascii();
        let kind = if text.is_empty() {
            CellKind::Missing
        } else if text.eq_ignore_ascii_case(b"true") || text.eq_ignore_ascii_case(b"false") {
            CellKind::Boolean
        } else {
            number_kind(text).unwrap_or(CellKind::Text)
        };
        Self { kind, text }
    }

    /// The cell as a number; `None` where it is none.
    #[must_use]
    pub fn number(self) -> Option<Number> {
        match self.kind {
            CellKind::Small | CellKind::Long | CellKind::Big | CellKind::Decimal => Number::parse(self.text),
            CellKind::Missing | CellKind::Boolean | CellKind::Nested | CellKind::Text => None,
        }
    }

    /// The integer that it is, where that has 64 bits.
    #[must_use]
    pub fn integer(self) -> Option<i64> {
        match self.kind {
            CellKind::Small | CellKind::Long => parse_integer(self.text),
            _ => None,
        }
    }

    /// The double that is nearest to the number that it is.
    #[must_use]
    pub fn real(self) -> Option<f64> {
        match self.kind {
            // Rust reads each spelling of a number that is one here, and rounds it once.
            CellKind::Small | CellKind::Long | CellKind::Big | CellKind::Decimal => {
                std::str::from_utf8(self.text).ok()?.parse().ok()
            }
            _ => None,
        }
    }

    /// Whether it is true; `None` where it is neither true nor false.
    #[must_use]
    pub fn truth(self) -> Option<bool> {
        (self.kind == CellKind::Boolean).then(|| self.text.eq_ignore_ascii_case(b"true"))
    }
}

impl Kinds {
    /// Takes in a cell.
    pub fn add(&mut self, kind: CellKind) {
        self.0 |= kind as u8;
    }

    /// Takes in all cells of another part of the column.
    pub fn join(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether every cell is of one of `kinds`.
    #[must_use]
    pub fn are_among(self, kinds: &[CellKind]) -> bool {
        self.0 & !kinds.iter().fold(0, |all, &kind| all | kind as u8) == 0
    }

    /// The type that the cells have in common; missing ones do not count.
    #[must_use]
    pub fn common(self) -> Common {
        use CellKind::{Decimal, Long, Missing, Small};
        if self.are_among(&[Missing]) {
            Common::Text
        } else if self.are_among(&[Missing, Small, Long]) {
            Common::Integer
        } else if self.are_among(&[Missing, Small, Decimal]) {
            Common::Real
        } else {
            Common::Text
        }
    }
}

impl Column {
    /// A column without cells yet.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Takes in a cell.
    pub fn add(&mut self, kind: CellKind) {
        self.kinds.add(kind);
        self.missing += u128::from(kind == CellKind::Missing);
    }

    /// Takes in all cells of a part of the column that follows.
    pub fn join(&mut self, later: &Self) {
        self.kinds.join(later.kinds);
        self.missing += later.missing;
        self.shape.join(&later.shape);
    }
}

/// The kind of a number; `None` for anything else.
fn number_kind(text: &[u8]) -> Option<CellKind> {
    // The bound up to which a double holds every integer.
    const EXACT: u64 = 1 << 53;
    if let Some(integer) = parse_integer(text) {
        return Some(if integer.unsigned_abs() <= EXACT { CellKind::Small } else { CellKind::Long });
    }
    let first = text.first()?;
    // Words are many, and few of them are numbers.
    if !(first.is_ascii_digit() || matches!(first, b'+' | b'-' | b'.' | b'i' | b'I' | b'n' | b'N')) {
        return None;
    }
    match Number::parse(text)? {
        Number::Integer(_) => Some(CellKind::Big),
        Number::Decimal(_) => Some(CellKind::Decimal),
    }
}

/// An integer of 64 bits, with a sign or without.
fn parse_integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value: i64 = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        let digit = i64::from(digit);
        value = value.checked_mul(10)?;
        value = if negative { value.checked_sub(digit)? } else { value.checked_add(digit)? };
    }
    Some(value)
}

/// Whether `text` is a number as JSON spells it (RFC 8259, section 6).
pub(super) fn is_json_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest[0] == b'0') {
        return false;
    }
    let mut rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let length = digits(fraction);
        if length == 0 {
            return false;
        }
        rest = &fraction[length..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = match exponent {
            [b'+' | b'-', digits @ ..] => digits,
            digits => digits,
        };
        let length = digits(exponent);
        if length == 0 {
            return false;
        }
        rest = &exponent[length..];
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn results_are_what_they_look_like() {
        use CellKind::{Big, Boolean, Decimal, Long, Missing, Small, Text};
        for (text, kind) in [
            ("5", Small),
            (" +5\n", Small),
            ("007", Small),
            ("-0", Small),
            ("9007199254740992", Small),
            ("9007199254740993", Long),
            ("-9223372036854775808", Long),
            ("9223372036854775808", Big),
            ("1.50", Decimal),
            (".5", Decimal),
            ("1e5", Decimal),
            ("nan", Decimal),
            ("-inf", Decimal),
            ("True", Boolean),
            ("FALSE", Boolean),
            ("", Missing),
            (" \n", Missing),
            ("abc", Text),
            ("nine", Text),
            ("-", Text),
            ("1 2", Text),
            ("None", Text),
        ] {
            assert_eq!(Cell::of_result(text.as_bytes()).kind, kind, "{text:?}");
        }
    }

    #[test]
    fn values_of_the_space_are_numbers_where_json_has_them_so() {
        use CellKind::{Big, Decimal, Small, Text};
        for (text, kind) in [
            ("5", Small),
            ("-0.5e-3", Decimal),
            ("1e400", Decimal),
            ("0", Small),
            ("99999999999999999999", Big),
            ("007", Text),
            ("+5", Text),
            (".5", Text),
            ("5.", Text),
            ("nan", Text),
            ("true", Text),
            (" 5", Text),
            ("", Text),
        ] {
            assert_eq!(Cell::of_parameter(text.as_bytes()).kind, kind, "{text:?}");
        }
    }

    #[test]
    fn a_column_is_as_narrow_as_its_cells_allow() {
        let common = |texts: &[&str]| {
            let mut kinds = Kinds::default();
            texts.iter().for_each(|text| kinds.add(Cell::of_result(text.as_bytes()).kind));
            kinds.common()
        };
        assert_eq!(common(&["1", "", "9223372036854775807"]), Common::Integer);
        assert_eq!(common(&["1", "2.5", "nan"]), Common::Real);
        assert_eq!(common(&["9223372036854775807", "2.5"]), Common::Text, "a double would lose digits");
        assert_eq!(common(&["1", "99999999999999999999"]), Common::Text);
        assert_eq!(common(&["1", "true"]), Common::Text);
        assert_eq!(common(&["", ""]), Common::Text);
    }

    proptest! {
        #[test]
        fn json_numbers_are_those_that_serde_reads(text in "[-+]?[0-9]{0,3}[.]?[0-9eE+-]{0,4}") {
            let read = serde_json::from_str::<serde_json::Value>(&text).is_ok()
                // What is too large for a double is a number all the same.
                || serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok_and(|_| true);
            prop_assert_eq!(is_json_number(text.as_bytes()), read && text.trim() == text);
        }

        #[test]
        fn integers_are_read_as_rust_reads_them(text in "[-+]?[0-9]{0,20}") {
            prop_assert_eq!(parse_integer(text.as_bytes()), text.parse().ok());
        }
    }
}
