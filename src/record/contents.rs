//! What stands in a record, part by part, whatever its kind.

use std::io::{self, BufReader, Read};
use std::path::Path;

use super::{EntryReader, FileHead, Head, Kind, Record};
use crate::space::Interval;

/// A part of a record's payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The result of these items, or a program's last words.
    Text(Interval),
    /// This item does not count.
    LeftOut(Interval),
    /// A file that the items of the part before wrote.
    File(FileHead),
}

impl Record {
    /// Hands over the parts in order, each with what reads its content; `path` is the partial's. What is not read of one is
    /// passed over.
    ///
    /// # Errors
    /// Where the partial cannot be read any more, or the record has not an entry for each of its items, or `take` fails.
    pub fn parts(&self, path: &Path, take: &mut dyn FnMut(Part, &mut dyn Read) -> io::Result<()>) -> io::Result<()> {
        let items = self.header.items;
        let mut payload = self.payload.reader(path)?;
        let is_each = match self.header.kind {
            Kind::Whole | Kind::Merged | Kind::Failure(_) => {
                take(Part::Text(items), &mut payload)?;
                return Ok(());
            }
            Kind::Each => true,
            // What a segment has yielded; its state follows.
            Kind::Bundle | Kind::Segment(_) => false,
        };
        let is_segment = matches!(self.header.kind, Kind::Segment(_));
        let unlike = || io::Error::new(io::ErrorKind::InvalidData, "it has not one entry for each of its items");
        let mut reader = EntryReader::new(BufReader::new(payload));
        let mut next = items.start();
        while let Some(head) = reader.entry()? {
            let stop = if is_each { next.checked_add(1).ok_or_else(unlike)? } else { items.stop() };
            let own = Interval::new(next, stop).filter(|own| own.stop() <= items.stop()).ok_or_else(unlike)?;
            next = stop;
            match head {
                Head::LeftOut => take(Part::LeftOut(own), &mut io::empty())?,
                Head::Result { .. } => take(Part::Text(own), &mut reader)?,
            }
            while let Some(file) = reader.file()? {
                take(Part::File(file), &mut reader)?;
            }
            if is_segment {
                break;
            }
        }
        if next == items.stop() { Ok(()) } else { Err(unlike()) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Header, Payload, write_file_head, write_head};
    use super::*;
    use crate::plan::Identity;

    fn record(kind: Kind, stop: u128, payload: &[u8]) -> Record {
        let header = Header {
            plan: Identity::of_bytes(b"plan"),
            code: Identity::of_bytes(b"code"),
            items: Interval::new(3, stop).expect("not empty"),
            kind,
            seconds: 0.0,
            host: "ep".into(),
            attempt: "0-1".into(),
        };
        Record { header, payload: Payload::Inline(payload.into()), checksum: 0 }
    }

    fn parts(record: &Record) -> io::Result<Vec<String>> {
        let mut parts = Vec::new();
        record.parts(Path::new("nowhere"), &mut |part, content| {
            let mut text = String::new();
            content.read_to_string(&mut text)?;
            parts.push(match part {
                Part::Text(items) => format!("{}..{} {text}", items.start(), items.stop()),
                Part::LeftOut(items) => format!("{} left out", items.start()),
                Part::File(file) => format!("{} {text}", String::from_utf8_lossy(&file.name)),
            });
            Ok(())
        })?;
        Ok(parts)
    }

    #[test]
    fn each_kind_has_its_parts() {
        let mut payload = Vec::new();
        write_head(&mut payload, Head::Result { bytes: 1, files: 1 }).expect("in memory");
        payload.push(b'a');
        write_file_head(&mut payload, b"x", 2).expect("in memory");
        payload.extend_from_slice(b"xy");
        let one = payload.clone();
        write_head(&mut payload, Head::LeftOut).expect("in memory");
        let both = ["3..4 a", "x xy", "4 left out"];
        assert_eq!(parts(&record(Kind::Each, 5, &payload)).expect("as written"), both);
        assert_eq!(parts(&record(Kind::Bundle, 5, &one)).expect("as written"), ["3..5 a", "x xy"]);
        assert_eq!(parts(&record(Kind::Whole, 5, b"7")).expect("as written"), ["3..5 7"]);
        for (kind, stop) in [(Kind::Each, 4), (Kind::Each, 6), (Kind::Bundle, 5)] {
            assert!(parts(&record(kind, stop, &payload)).is_err());
        }
        assert!(parts(&record(Kind::Bundle, 5, b"")).is_err());
    }
}
