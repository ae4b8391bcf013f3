//! A payload's lines and the numbers on them.

use super::{BadResult, Number};

/// The lines of `payload` that are not blank, each with its number from 1 (blank lines count for that) and
/// without the white space around it, so that `\r\n` ends a line as `\n` does.
pub(super) fn lines(payload: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    payload
        .split(|&byte| byte == b'\n')
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim_ascii()))
        .filter(|(_, line)| !line.is_empty())
}

/// The numbers in `payload`, one a line; blank lines are left out.
///
/// # Errors
/// [`BadResult::NotANumber`] in the place of a line that holds anything else.
pub(super) fn numbers(payload: &[u8]) -> impl Iterator<Item = Result<Number, BadResult>> {
    lines(payload).map(|(line, text)| Number::parse(text).ok_or_else(|| BadResult::not_a_number(line, text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbered_with_the_blank_ones() {
        let found: Vec<_> = lines(b"\n a b \r\n\t\r\n\n4\x0c").collect();
        assert_eq!(found, [(2, b"a b".as_slice()), (5, b"4".as_slice())]);
        assert_eq!(lines(b"").count(), 0);
        assert_eq!(lines(b" \r\n\n").count(), 0);
        assert_eq!(lines(b"1").count(), 1);
        assert_eq!(lines(b"1\n").count(), 1);
    }

    #[test]
    fn every_number_counts_and_a_bad_line_is_named() {
        let found: Vec<_> = numbers(b" 1\r\n\n2.50\nthree\n+4").collect();
        assert_eq!(
            found,
            [
                Ok(Number::from(1)),
                Ok(Number::Decimal(2.5)),
                Err(BadResult::NotANumber { line: 4, text: "three".into() }),
                Ok(Number::from(4)),
            ]
        );
    }

    #[test]
    fn two_numbers_on_a_line_are_not_a_number() {
        for text in ["1 2", "1,2", "1\t2", "1\r2", "\u{feff}1", "1\0"] {
            assert!(numbers(text.as_bytes()).all(|number| number.is_err()), "{text:?}");
        }
    }
}
