//! What a program said last, for people.

/// So many letters of a line are shown.
const LETTERS: usize = 200;

/// The last lines of what a program wrote, marked as such, safe for a terminal.
#[must_use]
pub fn last_lines(text: &[u8], lines: usize) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    let all: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let shown = all[all.len().saturating_sub(lines)..].iter();
    let safe = |line: &&str| -> String {
        let cut: String = line.chars().take(LETTERS).collect();
        cut.chars().map(|letter| if letter.is_control() && letter != '\t' { '\u{fffd}' } else { letter }).collect()
    };
    shown.map(|line| format!("| {}", safe(line))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_shown_and_does_no_harm() {
        assert_eq!(last_lines(b"one\ntwo\n\nthree  \n \n", 2), ["| two", "| three"]);
        assert_eq!(last_lines(b"red \x1b[31m\ttab\x07", 9), ["| red \u{fffd}[31m\ttab\u{fffd}"]);
        assert_eq!(last_lines(&[b'x'; 300], 1)[0].len(), LETTERS + 2);
        assert!(last_lines(b"", 3).is_empty());
    }
}
