//! How things are shown.

use std::io::{self, Write};

use super::Done;
use super::failure::printed;
use super::name::as_called;

/// Says something to the person at the terminal.
pub(super) fn say(text: &str) {
    // Nobody may be there to read it.
    let _ = writeln!(io::stderr().lock(), "{}", as_called(text));
}

/// Prints lines for people who asked for them, on standard output.
pub(super) fn tell(lines: &[String]) -> Done {
    let text = lines.join("\n") + "\n";
    printed(io::stdout().lock().write_all(as_called(&text).as_bytes()))
}

/// A size in bytes for people.
pub(super) fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        1_000_000_000..1_000_000_000_000 => format!("{:.1} GB", bytes as f64 / 1e9),
        _ => format!("{:.1} TB", bytes as f64 / 1e12),
    }
}

/// `1 chunk`, `2 chunks`.
pub(super) fn count(number: impl Into<u128>, thing: &str) -> String {
    match number.into() {
        1 => format!("1 {thing}"),
        number => format!("{number} {thing}s"),
    }
}

/// The last lines of what a program wrote, indented, safe for a terminal.
pub(super) fn last_lines(text: &[u8], lines: usize) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    let all: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let shown = all[all.len().saturating_sub(lines)..].iter();
    let safe = |line: &&str| -> String {
        let cut: String = line.chars().take(200).collect();
        cut.chars().map(|letter| if letter.is_control() && letter != '\t' { '\u{fffd}' } else { letter }).collect()
    };
    shown.map(|line| format!("| {}", safe(line))).collect()
}
