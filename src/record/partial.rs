//! Reading and writing partials. What is read is not trusted: a partial may be cut short, damaged, or forged,
//! and is read in bounded memory whatever it claims.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use super::bound::Bound;
use super::header::{Line, LineKind};
use super::{Header, Kind};
use crate::plan::{FORMAT, Identity};

/// A payload of at most so many bytes is kept in memory; a larger one is read again when it is merged.
const INLINE: u64 = 512;
/// A header longer than this is none.
const LONGEST_HEADER: usize = 1 << 16;
/// What one read asks for: a usual partial comes whole.
const READ: usize = 1 << 16;

/// The size of the pieces of a payload that is not kept in memory.
const PIECE: usize = 1 << 18;

const CHECKSUM_KEY: &[u8] = b",\"checksum\":\"";

/// A record whose checksum is right.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// What it says of itself.
    pub header: Header,
    /// Its result, or where that is.
    pub payload: Payload,
    /// The checksum of header and payload: tells records apart.
    pub checksum: u32,
}

/// A record's payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// The bytes themselves.
    Inline(Box<[u8]>),
    /// So many bytes from there on in the partial.
    InFile {
        /// Where the payload starts, in bytes from the start of the file.
        offset: u64,
        /// How long it is.
        bytes: u64,
        /// The CRC-32 of the payload alone, as it was when its record was found valid.
        crc: u32,
    },
}

impl Record {
    /// How many bytes the program's result has; of one that runs once for each item, the mean.
    #[must_use]
    pub fn result_of_a_run(&self) -> u64 {
        let bytes = self.payload.bytes();
        match self.header.kind {
            Kind::Each => u64::try_from(u128::from(bytes) / self.header.items.count()).unwrap_or(bytes),
            Kind::Failure(_) => 0,
            Kind::Whole | Kind::Bundle | Kind::Merged | Kind::Segment(_) => bytes,
        }
    }
}

impl Payload {
    /// How many bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::InFile { bytes, .. } => *bytes,
        }
    }

    /// Hands the bytes over in pieces of bounded size; `path` is the partial's.
    ///
    /// # Errors
    /// Where the partial cannot be read any more or has changed since it was found valid (which the last of the
    /// pieces cannot show), or where `take` fails.
    pub fn pieces<E: From<io::Error>>(
        &self,
        path: &Path,
        take: &mut dyn FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::Inline(bytes) => take(bytes),
            Self::InFile { offset, bytes, crc } => {
                let mut file = File::open(path)?;
                io::Seek::seek(&mut file, io::SeekFrom::Start(*offset))?;
                let mut hasher = crc32fast::Hasher::new();
                let mut left = *bytes;
                let mut buffer = vec![0; PIECE];
                while left > 0 {
                    let asked = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    file.read_exact(&mut buffer[..asked])?;
                    hasher.update(&buffer[..asked]);
                    take(&buffer[..asked])?;
                    left -= asked as u64;
                }
                if hasher.finalize() == *crc {
                    return Ok(());
                }
                Err(io::Error::new(io::ErrorKind::InvalidData, "it changed while it was read").into())
            }
        }
    }
}

/// A payload's bytes, read one after another from memory or from its partial.
#[derive(Debug)]
pub enum PayloadReader<'a> {
    /// From memory.
    Inline(&'a [u8]),
    /// From the partial, whose bytes are checked again on the way.
    InFile {
        /// What is left of the payload.
        file: io::Take<File>,
        /// The CRC-32 of what was read; none where something was passed over.
        hasher: Option<crc32fast::Hasher>,
        /// The CRC-32 that it had when its record was found valid.
        crc: u32,
    },
}

impl Payload {
    /// The bytes, to be read in order; `path` is the partial's.
    ///
    /// # Errors
    /// Where the partial cannot be opened. Reading gives an error at the payload's end where it ends too early, or has
    /// changed since it was found valid.
    pub fn reader(&self, path: &Path) -> io::Result<PayloadReader<'_>> {
        Ok(match self {
            Self::Inline(bytes) => PayloadReader::Inline(bytes),
            Self::InFile { offset, bytes, crc } => {
                let mut file = File::open(path)?;
                io::Seek::seek(&mut file, io::SeekFrom::Start(*offset))?;
                PayloadReader::InFile { file: file.take(*bytes), hasher: Some(crc32fast::Hasher::new()), crc: *crc }
            }
        })
    }
}

impl Read for PayloadReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Inline(bytes) => bytes.read(buffer),
            Self::InFile { file, hasher, crc } => {
                let got = file.read(buffer)?;
                if let Some(hasher) = hasher {
                    hasher.update(&buffer[..got]);
                }
                let differs = || hasher.as_ref().is_some_and(|hasher| hasher.clone().finalize() != *crc);
                if got == 0 && !buffer.is_empty() && (file.limit() > 0 || differs()) {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "it changed while it was read"));
                }
                Ok(got)
            }
        }
    }
}

impl PayloadReader<'_> {
    /// Passes over the next bytes without reading them. Whether the payload has changed does not show after that.
    ///
    /// # Errors
    /// `UnexpectedEof` where there are no so many.
    pub fn pass_over(&mut self, bytes: u64) -> io::Result<()> {
        match self {
            Self::Inline(left) => {
                let bytes = usize::try_from(bytes).ok().filter(|&bytes| bytes <= left.len());
                *left = &left[bytes.ok_or(io::ErrorKind::UnexpectedEof)?..];
            }
            Self::InFile { file, hasher, .. } => {
                let left = file.limit().checked_sub(bytes).ok_or(io::ErrorKind::UnexpectedEof)?;
                let step = i64::try_from(bytes).map_err(|_| io::ErrorKind::UnexpectedEof)?;
                io::Seek::seek(file.get_mut(), io::SeekFrom::Current(step))?;
                file.set_limit(left);
                *hasher = None;
            }
        }
        Ok(())
    }
}

/// Why the rest of a partial does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It ends in the middle of a record that starts at this byte.
    Truncated {
        /// Where the record starts.
        at: u64,
    },
    /// The record that starts at this byte is not what was written.
    Corrupt {
        /// Where the record starts.
        at: u64,
        /// What does not fit.
        why: &'static str,
    },
}

impl std::fmt::Display for Damage {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Truncated { at: 0 } => out.write_str("ends too early"),
            Self::Truncated { at } => write!(out, "ends too early, in the record at byte {at}"),
            Self::Corrupt { at: 0, why } => out.write_str(why),
            Self::Corrupt { at, why } => write!(out, "{why}, in the record at byte {at}"),
        }
    }
}

/// What a partial holds.
#[derive(Debug, Default)]
pub struct RecordRead {
    /// The valid records before the first damaged one, in their order.
    pub records: Vec<Record>,
    /// What is wrong after them.
    pub damage: Option<Damage>,
}

/// The name of a partial: `attempt` makes it unlike that of every other attempt at the chunk, since what
/// comes back is written over a file of the same name while that may be read.
#[must_use]
pub fn partial_name(chunk: u64, attempt: &str) -> String {
    format!("{}{attempt}.part", partial_start(chunk))
}

/// What the names of a chunk's partials start with, and of no other chunk's.
#[must_use]
pub fn partial_start(chunk: u64) -> String {
    format!("chunk-{chunk:06}.")
}

/// Whether a file of this name is a partial.
#[must_use]
pub fn is_partial(name: &[u8]) -> bool {
    name.ends_with(b".part") && !name.starts_with(b".")
}

/// Writes a record whose payload of `bytes` bytes comes from `payload`; `crc` is the CRC-32's state after the
/// payload alone.
///
/// # Errors
/// Where the payload cannot be read, is not as long as said, or `out` cannot be written.
pub fn write(
    out: &mut impl Write,
    header: &Header,
    payload: &mut impl Read,
    bytes: u64,
    crc: &crc32fast::Hasher,
) -> io::Result<()> {
    let (kind, cause, segment) = match &header.kind {
        Kind::Whole => (LineKind::Whole, None, None),
        Kind::Each => (LineKind::Each, None, None),
        Kind::Bundle => (LineKind::Bundle, None, None),
        Kind::Merged => (LineKind::Merged, None, None),
        Kind::Segment(segment) => (LineKind::Segment, None, Some(segment.clone())),
        Kind::Failure(cause) => (LineKind::Failure, Some(cause.clone()), None),
    };
    let line = Line {
        format: FORMAT,
        plan: header.plan,
        code: header.code,
        first: header.items.start(),
        last: header.items.last(),
        kind,
        cause,
        segment,
        bytes,
        seconds: header.seconds,
        host: (&*header.host).into(),
        attempt: (&*header.attempt).into(),
        checksum: "",
    };
    let mut line = serde_json::to_vec(&line)?;
    line.pop();
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&line);
    hasher.combine(crc);
    line.extend_from_slice(CHECKSUM_KEY);
    writeln!(line, "{:08x}\"}}", hasher.finalize())?;
    out.write_all(&line)?;
    if io::copy(payload, out)? != bytes {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the payload changed while it was written"));
    }
    out.write_all(b"\n")
}

/// What the first record of a partial says of itself; none where that cannot be read. Nothing is checked.
#[must_use]
pub fn peek(file: &mut impl Read) -> Option<Header> {
    let mut start = Vec::new();
    file.take(LONGEST_HEADER as u64).read_to_end(&mut start).ok()?;
    let line = &start[..memchr::memchr(b'\n', &start)?];
    parse(line).ok().map(|(_, _, header, _)| header)
}

/// Reads a partial, a regular file or bytes in memory, as far as it is whole. `buffer` is for use in between, and
/// may be used again for the next file.
///
/// # Errors
/// Where the file cannot be read; damage is no error.
pub fn read(file: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<RecordRead> {
    read_judged(file, buffer, &mut |_| Ok(true))
}

/// Reads what a partial holds of a plan with so many items; beside it, whose the other records are.
///
/// # Errors
/// As [`read`].
pub fn read_of(
    file: &mut impl Read,
    buffer: &mut Vec<u8>,
    plan: Identity,
    items: u128,
) -> io::Result<(RecordRead, Option<Identity>)> {
    let mut foreign = None;
    let read = read_judged(file, buffer, &mut |header| {
        if header.plan != plan {
            foreign = Some(header.plan);
            return Ok(false);
        }
        if header.items.stop() > items { Err("its items are past those of the plan") } else { Ok(true) }
    })?;
    Ok((read, foreign))
}

/// Reads the records that `judge` wants, up to the first that it calls damaged. Memory is bounded by what can count of them.
fn read_judged(
    file: &mut impl Read,
    buffer: &mut Vec<u8>,
    judge: &mut dyn FnMut(&Header) -> Result<bool, &'static str>,
) -> io::Result<RecordRead> {
    let mut bound = Bound::default();
    let mut window = Window { file, buffer, filled: 0, start: 0, offset: 0, ended: false };
    // Most partials hold one record.
    let mut found = RecordRead { records: Vec::with_capacity(1), damage: None };
    loop {
        let at = window.offset;
        match window.record() {
            Ok(Some(record)) => {
                let judged = judge(&record.header).and_then(|wanted| match wanted {
                    true if !bound.admits(&record.header) => Err("it holds far more records than its items can have"),
                    wanted => Ok(wanted),
                });
                match judged {
                    Ok(true) => found.records.push(record),
                    Ok(false) => {}
                    Err(why) => {
                        found.damage = Some(Damage::Corrupt { at, why });
                        return Ok(found);
                    }
                }
            }
            Ok(None) if at > 0 => return Ok(found),
            Ok(None) => {
                found.damage = Some(Damage::Truncated { at });
                return Ok(found);
            }
            Err(Stop::Truncated) => {
                found.damage = Some(Damage::Truncated { at });
                return Ok(found);
            }
            Err(Stop::Corrupt(why)) => {
                found.damage = Some(Damage::Corrupt { at, why });
                return Ok(found);
            }
            Err(Stop::Io(error)) => return Err(error),
        }
    }
}

/// The bytes of the file that are in memory.
struct Window<'a, R> {
    file: &'a mut R,
    buffer: &'a mut Vec<u8>,
    /// How much of the buffer holds bytes of the file.
    filled: usize,
    /// Where in the buffer the bytes start that have not been used.
    start: usize,
    /// Where in the file that is.
    offset: u64,
    ended: bool,
}

enum Stop {
    Truncated,
    Corrupt(&'static str),
    Io(io::Error),
}

impl<R: Read> Window<'_, R> {
    fn unused(&self) -> &[u8] {
        &self.buffer[self.start..self.filled]
    }

    /// Reads more; false at the end of the file.
    fn more(&mut self) -> Result<bool, Stop> {
        if self.ended {
            return Ok(false);
        }
        self.buffer.copy_within(self.start..self.filled, 0);
        self.filled -= self.start;
        self.start = 0;
        if self.buffer.len() < self.filled + READ {
            self.buffer.resize(self.filled + READ, 0);
        }
        let got = loop {
            match self.file.read(&mut self.buffer[self.filled..self.filled + READ]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other.map_err(Stop::Io)?,
            }
        };
        self.filled += got;
        // A file gives less than it is asked for at its end alone: spares a second call for each of many files.
        self.ended = got < READ;
        Ok(got > 0)
    }

    fn advance(&mut self, bytes: usize) {
        self.start += bytes;
        self.offset += bytes as u64;
    }

    /// The next record, `None` at the end of the file.
    fn record(&mut self) -> Result<Option<Record>, Stop> {
        let mut searched = 0;
        let length = loop {
            let unused = self.unused();
            if let Some(found) = memchr::memchr(b'\n', &unused[searched..]) {
                break searched + found;
            }
            searched = unused.len();
            if searched > LONGEST_HEADER {
                return Err(Stop::Corrupt("its header has no end"));
            }
            if !self.more()? {
                return if searched == 0 { Ok(None) } else { Err(self.cut_short()) };
            }
        };
        let line = &self.unused()[..length];
        let (bytes, stated, header, mut whole) = parse(line).map_err(Stop::Corrupt)?;
        self.advance(length + 1);

        let offset = self.offset;
        let mut inline = if bytes <= INLINE { Vec::with_capacity(bytes as usize) } else { Vec::new() };
        // The payload's own checksum is for one that is read again.
        let mut own = (bytes > INLINE).then(crc32fast::Hasher::new);
        let mut left = bytes;
        while left > 0 {
            let unused = self.unused();
            let here = unused.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            whole.update(&unused[..here]);
            match &mut own {
                Some(own) => own.update(&unused[..here]),
                None => inline.extend_from_slice(&unused[..here]),
            }
            self.advance(here);
            left -= here as u64;
            if left > 0 && !self.more()? {
                return Err(Stop::Truncated);
            }
        }
        if self.unused().is_empty() && !self.more()? {
            return Err(Stop::Truncated);
        }
        if self.unused()[0] != b'\n' || whole.finalize() != stated {
            return Err(Stop::Corrupt("its checksum is wrong"));
        }
        self.advance(1);
        let payload = match own {
            None => Payload::Inline(inline.into()),
            Some(own) => Payload::InFile { offset, bytes, crc: own.finalize() },
        };
        Ok(Some(Record { header, payload, checksum: stated }))
    }

    /// What a header without an end is: the start of one, or something else.
    fn cut_short(&self) -> Stop {
        let expected = b"{\"format\":";
        let common = expected.len().min(self.unused().len());
        if self.unused()[..common] == expected[..common] {
            Stop::Truncated
        } else {
            Stop::Corrupt("it does not start as a record does")
        }
    }
}

/// A header line's payload size, checksum, content, and the checksum's state after the header.
fn parse(line: &[u8]) -> Result<(u64, u32, Header, crc32fast::Hasher), &'static str> {
    let damaged = "its header is damaged";
    let covered = line.len().checked_sub(CHECKSUM_KEY.len() + 10).ok_or(damaged)?;
    if !line[covered..].starts_with(CHECKSUM_KEY) {
        return Err(damaged);
    }
    // Checked as text once, and not string by string.
    let text = std::str::from_utf8(line).map_err(|_| damaged)?;
    let parsed: Line = serde_json::from_str(text).map_err(|_| damaged)?;
    if parsed.format != FORMAT {
        return Err("it is of another format");
    }
    // Lower case alone: one value has one spelling.
    let digits = parsed.checksum.as_bytes();
    if digits.len() != 8 || !digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(damaged);
    }
    let stated = u32::from_str_radix(parsed.checksum, 16).map_err(|_| damaged)?;
    let bytes = parsed.bytes;
    let header = parsed.header().ok_or(damaged)?;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&line[..covered]);
    Ok((bytes, stated, header, hasher))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Cause;
    use super::*;
    use crate::space::Interval;

    fn record(first: u128, kind: Kind, payload: &[u8]) -> Vec<u8> {
        let header = Header {
            plan: Identity::of_bytes(b"plan"),
            code: Identity::of_bytes(b"code"),
            items: Interval::new(first, first + 2).expect("not empty"),
            kind,
            seconds: 0.25,
            host: "ep1".into(),
            attempt: "0-1f2e3d4c".into(),
        };
        let mut out = Vec::new();
        let mut crc = crc32fast::Hasher::new();
        crc.update(payload);
        write(&mut out, &header, &mut &payload[..], payload.len() as u64, &crc).expect("in memory");
        out
    }

    fn read_bytes(bytes: &[u8]) -> RecordRead {
        read(&mut &bytes[..], &mut Vec::new()).expect("in memory")
    }

    #[test]
    fn a_record_explains_itself_in_its_first_line() {
        let bytes = record(0, Kind::Whole, b"3\n");
        insta::assert_snapshot!(String::from_utf8_lossy(&bytes));
        let failure = record(2, Kind::Failure(Cause::ExitCode(3)), b"Traceback\n");
        insta::assert_snapshot!(String::from_utf8_lossy(&failure));
    }

    #[test]
    fn a_committed_partial_is_read_for_ever() {
        let found = read_bytes(include_bytes!("../../tests/formats/v1.part"));
        assert_eq!(found.damage, None);
        let kinds: Vec<_> = found.records.iter().map(|record| &record.header.kind).collect();
        assert_eq!(kinds, [&Kind::Whole, &Kind::Failure(Cause::Signal(9))]);
    }

    #[test]
    fn every_truncation_and_every_flipped_bit_is_found() {
        let first = record(0, Kind::Whole, b"1.5\n");
        let both = [first.clone(), record(2, Kind::Whole, &[b'7'; 700])].concat();
        for length in 0..both.len() {
            let found = read_bytes(&both[..length]);
            assert_eq!(found.records.len(), usize::from(length >= first.len()), "{length}");
            assert_eq!(found.damage.is_none(), length == first.len(), "{length}");
            assert!(!matches!(found.damage, Some(Damage::Corrupt { .. })), "{length}: {:?}", found.damage);
        }
        for bit in 0..both.len() * 8 {
            let mut flipped = both.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let found = read_bytes(&flipped);
            assert!(found.damage.is_some(), "bit {bit}");
            assert!(found.records.len() <= usize::from(bit / 8 >= first.len()), "bit {bit}");
        }
    }

    #[test]
    fn claims_past_the_file_cost_no_memory() {
        let text = String::from_utf8(record(0, Kind::Whole, b"3\n")).expect("text");
        let huge = text.replace("\"bytes\":2", "\"bytes\":1000000000000000000");
        assert_eq!(read_bytes(huge.as_bytes()).damage, Some(Damage::Truncated { at: 0 }));
        let endless = vec![b'{'; 1 << 20];
        assert!(matches!(read_bytes(&endless).damage, Some(Damage::Corrupt { .. })));
        let deep = ["[".repeat(50_000), "\n".to_owned()].concat();
        assert!(matches!(read_bytes(deep.as_bytes()).damage, Some(Damage::Corrupt { .. })));
    }

    #[test]
    fn records_of_a_plan_alone_are_kept() {
        let records = [record(0, Kind::Whole, b"1"), record(50, Kind::Whole, b"2"), record(3, Kind::Whole, b"3")];
        let at = records[0].len() as u64;
        let read = |plan: &[u8], items: u128| {
            let bytes = records.concat();
            let (read, foreign) =
                read_of(&mut &bytes[..], &mut Vec::new(), Identity::of_bytes(plan), items).expect("in memory");
            (read.records.len(), read.damage, foreign.is_some())
        };
        assert_eq!(read(b"plan", 100), (3, None, false));
        assert_eq!(read(b"another", 100), (0, None, true));
        let damage = Damage::Corrupt { at, why: "its items are past those of the plan" };
        assert_eq!(read(b"plan", 40), (1, Some(damage), false));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2000), 1..5)) {
            let bytes: Vec<u8> = payloads
                .iter()
                .enumerate()
                .flat_map(|(number, payload)| record(2 * number as u128, Kind::Whole, payload))
                .collect();
            let found = read_bytes(&bytes);
            prop_assert_eq!(found.damage, None);
            prop_assert_eq!(found.records.len(), payloads.len());
            for (record, payload) in found.records.iter().zip(&payloads) {
                match &record.payload {
                    Payload::Inline(inline) => prop_assert_eq!(&inline[..], &payload[..]),
                    Payload::InFile { offset, bytes: length, .. } => {
                        let start = *offset as usize;
                        prop_assert_eq!(&bytes[start..start + *length as usize], &payload[..]);
                    }
                }
            }
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let found = read_bytes(&bytes);
            prop_assert!(found.records.is_empty() && found.damage.is_some());
        }
    }
}
