//! How a result begins that is none, for people.

/// So many characters are shown.
const SHOWN: usize = 60;

/// The beginning of a line, safe to print on a terminal: cut to 60 characters, `...` marking the cut; bytes that are not UTF-8 as
/// U+FFFD, characters that do not print as Rust escapes.
#[must_use]
pub fn beginning(text: &[u8]) -> String {
    // A character takes at most four bytes, so a line of many megabytes need not be decoded to its end.
    let start = String::from_utf8_lossy(&text[..text.len().min(4 * SHOWN + 4)]);
    let mut characters = start.chars();
    let mut shown = String::new();
    for character in characters.by_ref().take(SHOWN) {
        match character {
            '\'' | '"' | '\\' => shown.push(character),
            other => shown.extend(other.escape_debug()),
        }
    }
    if characters.next().is_some() {
        shown.push_str("...");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &[u8], expected: &str) {
        assert_eq!(beginning(text), expected);
    }

    #[test]
    fn a_short_line_is_shown_whole() {
        check("größe = 3".as_bytes(), "größe = 3");
        check(br#"a "quoted" C:\path"#, r#"a "quoted" C:\path"#);
    }

    #[test]
    fn what_does_not_print_is_escaped() {
        check(b"1\x1b[31m\x002\t3", "1\\u{1b}[31m\\02\\t3");
        check("1\u{202e}2".as_bytes(), "1\\u{202e}2");
        check(b"1\xff2", "1\u{fffd}2");
    }

    #[test]
    fn a_long_line_is_cut_at_a_character() {
        check("é".repeat(60).as_bytes(), &"é".repeat(60));
        check("é".repeat(61).as_bytes(), &format!("{}...", "é".repeat(60)));
        check("\u{1f600}".repeat(99).as_bytes(), &format!("{}...", "\u{1f600}".repeat(60)));
        check(&b"x".repeat(1_000_000), &format!("{}...", "x".repeat(60)));
    }
}
