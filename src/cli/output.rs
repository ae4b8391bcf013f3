//! How things are shown.

use std::io::{self, Read, Write};

use super::Done;
use super::failure::printed;
use super::name::as_called;

pub(super) use crate::record::last_lines;

use crate::plan::Word;
use crate::record::FileHead;

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

/// A line without what a terminal would take for a command.
pub(super) fn harmless(line: &str) -> String {
    line.chars().map(|letter| if letter.is_control() && letter != '\t' { '\u{fffd}' } else { letter }).collect()
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

/// Memory or disk as HTCondor counts them, in powers of 1024, to be set beside what was asked for.
pub(super) fn binary(bytes: u64) -> String {
    let bytes = bytes as f64;
    let units = [("KB", 10), ("MB", 20), ("GB", 30), ("TB", 40)];
    let (unit, power) = units.into_iter().rfind(|&(_, power)| bytes >= f64::from(power).exp2()).unwrap_or(units[0]);
    let amount = bytes / f64::from(power).exp2();
    if amount < 10.0 && power >= 20 { format!("{amount:.1} {unit}") } else { format!("{amount:.0} {unit}") }
}

/// A length of time in seconds.
pub(super) fn seconds(seconds: f64) -> String {
    match seconds {
        0.0 => "0 s".to_owned(),
        ..1.0 => format!("{seconds:.3} s"),
        ..120.0 => format!("{seconds:.1} s"),
        ..7200.0 => format!("{:.0} min", seconds / 60.0),
        ..172_800.0 => format!("{:.1} h", seconds / 3600.0),
        _ => format!("{:.1} days", seconds / 86_400.0),
    }
}

/// A length of time, however short.
pub(super) fn fine_seconds(length: f64) -> String {
    match length {
        ..1e-3 => format!("{:.0} us", length * 1e6),
        ..1.0 => format!("{:.0} ms", length * 1e3),
        _ => seconds(length),
    }
}

/// A length of time that is known to the second.
pub(super) fn whole_seconds(length: u64) -> String {
    if length < 120 { format!("{length} s") } else { seconds(length as f64) }
}

/// `1 chunk`, `2 chunks`.
pub(super) fn count(number: impl Into<u128>, thing: &str) -> String {
    match number.into() {
        1 => format!("1 {thing}"),
        number => format!("{number} {thing}s"),
    }
}

/// Hands over all that `content` holds in pieces of bounded size.
pub(super) fn in_pieces(content: &mut dyn Read, take: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match content.read(&mut buffer)? {
            0 => return Ok(()),
            got => take(&buffer[..got])?,
        }
    }
}

/// Files that came back with results: so many are named, and the rest is counted.
#[derive(Debug, Default)]
pub(super) struct Files {
    named: Vec<FileHead>,
    others: u64,
    bytes: u64,
}

impl Files {
    const NAMED: usize = 20;

    pub(super) fn add(&mut self, file: FileHead) {
        self.bytes = self.bytes.saturating_add(file.bytes);
        if self.named.len() < Self::NAMED {
            self.named.push(file);
        } else {
            self.others += 1;
        }
    }

    /// A line for all of them, and one for each.
    pub(super) fn describe(&self) -> Vec<String> {
        let number = self.named.len() as u64 + self.others;
        if number == 0 {
            return Vec::new();
        }
        let mut lines = vec![format!("  with it {} ({})", count(number, "file"), bytes(self.bytes))];
        let name = |file: &FileHead| Word::from(file.name.clone()).quoted();
        lines.extend(self.named.iter().map(|file| format!("    {} ({})", name(file), bytes(file.bytes))));
        if self.others > 0 {
            lines.push(format!("    ... and {} more", self.others));
        }
        lines
    }
}

/// `once`, `twice`, `3 times`.
pub(super) fn times(number: u64) -> String {
    match number {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        number => format!("{number} times"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_does_no_harm() {
        assert_eq!(harmless("ep1\x1b[2J\tü\n"), "ep1\u{fffd}[2J\tü\u{fffd}");
    }

    #[test]
    fn amounts_are_short() {
        let shown = [0, 4096, 5 << 20, 212 << 20, (1 << 30) + (1 << 29), 1 << 40].map(binary);
        assert_eq!(shown, ["0 KB", "4 KB", "5.0 MB", "212 MB", "1.5 GB", "1.0 TB"]);
        let shown = [0.0214, 7.25, 119.0, 1234.0, 9000.0, 1e6].map(seconds);
        assert_eq!(shown, ["0.021 s", "7.2 s", "119.0 s", "21 min", "2.5 h", "11.6 days"]);
    }
}
