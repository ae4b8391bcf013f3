//! The numbers that results are made of.

use std::cmp::Ordering;
use std::fmt;

use num_bigint::BigInt;

use super::Integer;

/// Digits of an integer that are added up in a machine word without a check.
const WORD_DIGITS: usize = 18;

/// An integer, which is exact, or a decimal, which is an IEEE 754 double.
///
/// `==` tells 1 from 1.0; [`compare`](Number::compare) compares values.
#[derive(Debug, Clone, PartialEq)]
pub enum Number {
    /// Written without a point or an exponent; exact at any size.
    Integer(Integer),
    /// Anything else: a double, also infinity and NaN.
    Decimal(f64),
}

/// A number that is read has no more characters than this: a million digits take seconds, and as many as a hostile machine
/// may send would take for ever.
pub(super) const MOST_DIGITS: usize = 1_000_000;

impl Number {
    /// Reads a number, with or without ASCII white space around it; `None` if `text` is anything else.
    ///
    /// `[+-]?[0-9]+` is an integer. A decimal is what Python's `float()` reads: `1.5`, `.5`, `5.`, `1e6`,
    /// `1E-3`, `inf`, `infinity` and `nan` in any case, each with a sign or without, and rounded correctly, so
    /// that `1e999` is infinity. Not digits with underscores, not hexadecimal, not Fortran's `1.0D+03`; and nothing of more
    /// than a million characters.
    #[inline]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = text.trim_ascii();
        if text.len() > MOST_DIGITS {
            return None;
        }
        let (negative, digits) = match text {
            [b'-', digits @ ..] => (true, digits),
            [b'+', digits @ ..] => (false, digits),
            digits => (false, digits),
        };
        if let Some(value) = parse_word(digits) {
            return Some(Self::from(i128::from(if negative { -value } else { value })));
        }
        if let Some(integer) = Integer::from_digits(negative, digits) {
            return Some(Self::Integer(integer));
        }
        parse_decimal(text).map(Self::Decimal)
    }

    /// How the two values compare, exactly: nothing is rounded on the way, so that 2^53 + 1 is greater than the
    /// decimal 2^53. `None` if one is NaN.
    #[inline]
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Integer(left), Self::Integer(right)) => Some(left.cmp(right)),
            (Self::Decimal(left), Self::Decimal(right)) => left.partial_cmp(right),
            (Self::Integer(left), Self::Decimal(right)) => left.compare_with_double(*right),
            (Self::Decimal(left), Self::Integer(right)) => right.compare_with_double(*left).map(Ordering::reverse),
        }
    }

    /// Whether this is the decimal NaN.
    #[inline]
    pub fn is_nan(&self) -> bool {
        matches!(self, Self::Decimal(value) if value.is_nan())
    }
}

/// An integer of few digits, which most are.
#[inline]
fn parse_word(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || digits.len() > WORD_DIGITS {
        return None;
    }
    let mut value = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    Some(value)
}

/// A decimal. Rust's grammar for doubles is that of Python's `float()` but for underscores and digits that are
/// not ASCII, neither of which it takes.
fn parse_decimal(text: &[u8]) -> Option<f64> {
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    // One NaN is enough: its sign and payload are never shown.
    Some(if value.is_nan() { f64::NAN } else { value })
}

impl From<i128> for Number {
    #[inline]
    fn from(value: i128) -> Self {
        Self::Integer(Integer::from(value))
    }
}

impl From<BigInt> for Number {
    fn from(value: BigInt) -> Self {
        Self::Integer(Integer::from(value))
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self::Decimal(value)
    }
}

/// Integers plainly; decimals as Python's `repr` has them, the shortest text that reads back as the same double:
/// `5050.0`, `1e-07`, `1e+16`, `-0.0`, `inf`, `nan`.
impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => value.fmt(formatter),
            Self::Decimal(value) => formatter.pad(&python_repr(*value)),
        }
    }
}

/// What Python's `repr(value)` gives: an exponent of at least two digits below 1e-4 and from 1e16 on (CPython,
/// `PyOS_double_to_string` with format code `r`).
fn python_repr(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    if value.is_infinite() {
        return format!("{sign}inf");
    }
    // One digit, a point, the other digits, an exponent: `5.05e3`; the digits are the shortest that will do.
    let shortest = shortest_scientific(value.abs());
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..16).contains(&exponent) {
        let exponent_sign = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{mantissa}e{exponent_sign}{:02}", exponent.abs());
    }
    let digits = mantissa.replace('.', "");
    match usize::try_from(exponent) {
        Err(_) => {
            let zeros = "0".repeat(exponent.unsigned_abs() as usize - 1);
            format!("{sign}0.{zeros}{digits}")
        }
        Ok(exponent) if digits.len() <= exponent + 1 => {
            format!("{sign}{digits:0<width$}.0", width = exponent + 1)
        }
        Ok(exponent) => {
            let (whole, fraction) = digits.split_at(exponent + 1);
            format!("{sign}{whole}.{fraction}")
        }
    }
}

/// The shortest scientific notation that reads back as `value`, which is finite and not negative; of
/// several the nearest, of two that are equally near the one with the even last digit.
fn shortest_scientific(value: f64) -> String {
    let shortest = format!("{value:e}");
    // Rust takes the upper one of two that are equally near: 1059438285926254.25 would become
    // 1059438285926254.3. Rounding to as many digits takes the even one, as Python does. At a power
    // of two, where doubles are closer below than above, what that gives need not read back.
    let digits = shortest.bytes().take_while(|byte| *byte != b'e').filter(u8::is_ascii_digit).count();
    let rounded = format!("{value:.*e}", digits.saturating_sub(1));
    if rounded.parse() == Ok(value) { rounded } else { shortest }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Doubles and what CPython 3.11 prints for them; made by `testdata/make_tables.py`.
    const REPR: &str = include_str!("testdata/repr.txt");

    /// Texts and the doubles that CPython's `float()` reads from them, made by the same program.
    const PARSE: &str = include_str!("testdata/parse.txt");

    fn decimal(text: &str) -> f64 {
        match Number::parse(text.as_bytes()) {
            Some(Number::Decimal(value)) => value,
            other => panic!("{text:?} was read as {other:?}"),
        }
    }

    fn bits(text: &str) -> u64 {
        u64::from_str_radix(text, 16).expect("these are bits")
    }

    #[test]
    fn decimals_print_as_in_python() {
        for line in REPR.lines() {
            let (hexadecimal, expected) = line.split_once(' ').expect("there are two fields");
            let value = f64::from_bits(bits(hexadecimal));
            assert_eq!(Number::Decimal(value).to_string(), expected);
            assert_eq!(decimal(expected).to_bits(), value.to_bits(), "{expected}");
        }
        assert!(REPR.lines().count() > 400);
        assert_eq!(Number::Decimal(-f64::NAN).to_string(), "nan");
    }

    #[test]
    fn decimals_are_read_as_in_python() {
        for line in PARSE.lines() {
            let (hexadecimal, text) = line.split_once(' ').expect("there are two fields");
            assert_eq!(decimal(text).to_bits(), bits(hexadecimal), "{text}");
        }
        assert!(PARSE.lines().count() > 50);
    }

    #[test]
    fn integers_are_exact_at_any_size() {
        for (text, expected) in [
            ("0", "0"),
            ("-0", "0"),
            ("+007", "7"),
            (" 42\t\r", "42"),
            ("999999999999999999", "999999999999999999"),
            ("-9999999999999999999", "-9999999999999999999"),
            ("-170141183460469231731687303715884105729", "-170141183460469231731687303715884105729"),
        ] {
            let number = Number::parse(text.as_bytes()).expect("this is a number");
            assert!(matches!(number, Number::Integer(_)), "{text}");
            assert_eq!(number.to_string(), expected);
        }
    }

    #[test]
    fn anything_else_is_not_a_number() {
        for text in [
            "",
            " ",
            "+",
            "-",
            ".",
            "+.",
            "e5",
            ".e5",
            "1e",
            "1e+",
            "1.0D+03",
            "1d3",
            "0x10",
            "0x1p3",
            "1_000",
            "1__0",
            "1,5",
            "1 000",
            "- 1",
            "+-1",
            "--1",
            "1.5.2",
            "1e5.5",
            "1\0",
            "\0",
            "infin",
            "in",
            "na",
            "nan(1)",
            "NaN1",
            "1.5f",
            "12L",
            "\u{661}",
            "\u{ff11}",
            "\u{2212}1",
            "\u{a0}1",
            "1j",
            "None",
            "TRUE",
            "½",
        ] {
            assert_eq!(Number::parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(Number::parse(b"1\xff"), None);
    }

    #[test]
    fn values_compare_exactly() {
        let compare = |left: &str, right: &str| {
            Number::parse(left.as_bytes())
                .expect("this is a number")
                .compare(&Number::parse(right.as_bytes()).expect("this is a number"))
        };
        assert_eq!(compare("9007199254740993", "9007199254740992.0"), Some(Ordering::Greater));
        assert_eq!(compare("9007199254740992.0", "9007199254740993"), Some(Ordering::Less));
        assert_eq!(compare("1", "1.0"), Some(Ordering::Equal));
        assert_eq!(compare("-0.0", "0.0"), Some(Ordering::Equal));
        assert_eq!(compare("2", "10"), Some(Ordering::Less));
        assert_eq!(compare("nan", "1"), None);
        assert_eq!(compare("1", "nan"), None);
        assert_ne!(Number::from(1), Number::from(1.0));
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(bits: u64) {
            let value = f64::from_bits(bits);
            let read = decimal(&Number::Decimal(value).to_string());
            prop_assert!(read.to_bits() == bits || value.is_nan() && read.is_nan());
        }

        #[test]
        fn everyday_decimals_read_back(units in -1_000_000_000i64..1_000_000_000, scale in -20i32..20) {
            let value = units as f64 * 10f64.powi(scale);
            let read = decimal(&Number::Decimal(value).to_string());
            prop_assert_eq!(read.to_bits(), value.to_bits());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            if let Some(number) = Number::parse(&bytes) {
                prop_assert!(number.is_nan() || Number::parse(number.to_string().as_bytes()) == Some(number));
            }
        }

        #[test]
        fn near_numbers_are_read_or_refused(text in "[-+]?[0-9.eEinfaINFAxd_ ]{0,12}") {
            // Rust's own reading is the reference for what is a decimal and digits alone for what is an integer.
            let read = Number::parse(text.as_bytes());
            prop_assert_eq!(read.is_some(), text.trim().parse::<f64>().is_ok());
        }
    }
}
