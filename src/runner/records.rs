//! What an attempt has to tell, until it ends: its records, kept in one file on the way, so that memory is bounded whatever
//! programs yield.
//!
//! Consecutive items that succeeded are one record; an item that failed is one of its own. Records may be added in any order:
//! they are written in that of their items.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};

use super::collect::Collected;
use crate::record::{Cause, Head, Header, Kind, Segment, write, write_file_head, write_head};
use crate::space::Interval;

/// What one read asks for.
const PIECE: usize = 1 << 16;

/// An attempt's records.
#[derive(Debug)]
pub(super) struct Records {
    /// Where the payloads are kept on the way.
    path: PathBuf,
    spool: Option<Spool>,
    done: Vec<Pending>,
    /// The items that are being recorded one after another.
    open: Option<Open>,
    /// The failure of the first items that have one, and where they start.
    why: Option<(u128, Cause, Vec<u8>)>,
}

/// A record that has not been written yet.
#[derive(Debug)]
struct Pending {
    items: Interval,
    kind: Kind,
    seconds: f64,
    source: Source,
    bytes: u64,
    crc: crc32fast::Hasher,
}

#[derive(Debug)]
enum Source {
    /// The start of a file.
    File(File),
    /// From this byte of the spool on.
    Spool(u64),
    /// These bytes.
    Bytes(Vec<u8>),
}

/// A record that grows.
#[derive(Debug)]
struct Open {
    first: u128,
    stop: u128,
    kind: Kind,
    seconds: f64,
    offset: u64,
}

/// A result that is to be recorded.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) file: File,
    pub(super) bytes: u64,
    /// How long the program ran, in seconds.
    pub(super) seconds: f64,
}

/// An entry could not be kept.
#[derive(Debug)]
pub(super) struct Lost {
    /// The first of the items that are lost: those up to the one at hand.
    pub(super) first: u128,
    pub(super) error: io::Error,
}

impl Records {
    /// None yet; `path` is for a file of their own.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, spool: None, done: Vec::new(), open: None, why: None }
    }

    /// Adds the result of one item and the files that it wrote.
    pub(super) fn entry(&mut self, item: u128, output: Output, files: &[Collected]) -> Result<(), Lost> {
        let seconds = output.seconds;
        self.grow(Kind::Each, item, item + 1, seconds, |spool| spool.add(output, files))
    }

    /// Adds an entry of one item from memory.
    pub(super) fn text(&mut self, item: u128, text: &[u8]) -> Result<(), Lost> {
        self.grow(Kind::Each, item, item + 1, 0.0, |spool| {
            write_head(spool, Head::Result { bytes: text.len() as u64, files: 0 })?;
            spool.write_all(text)
        })
    }

    /// Notes that an item does not count.
    pub(super) fn left_out(&mut self, item: u128) -> Result<(), Lost> {
        self.grow(Kind::Each, item, item + 1, 0.0, |spool| write_head(spool, Head::LeftOut))
    }

    /// Adds the one result of several items and the files that they wrote.
    pub(super) fn bundle(&mut self, items: Interval, output: Output, files: &[Collected]) -> Result<(), Lost> {
        let seconds = output.seconds;
        // Each is a record of its own.
        self.close();
        self.grow(Kind::Bundle, items.start(), items.stop(), seconds, |spool| spool.add(output, files))
    }

    /// Adds what a segment of an item's chain has yielded, its files and its state.
    pub(super) fn segment(
        &mut self,
        item: u128,
        segment: Segment,
        output: Output,
        files: &[Collected],
        state: &[Collected],
    ) -> Result<(), Lost> {
        let seconds = output.seconds;
        self.close();
        self.grow(Kind::Segment(segment), item, item + 1, seconds, |spool| {
            spool.add(output, files)?;
            write_head(spool, Head::Result { bytes: 0, files: state.len() as u64 })?;
            spool.add_files(state)
        })
    }

    /// Adds the one result of several items; `crc` is that of its bytes.
    pub(super) fn whole(&mut self, items: Interval, output: Output, crc: crc32fast::Hasher) {
        let Output { file, bytes, seconds } = output;
        self.close();
        self.done.push(Pending { items, kind: Kind::Whole, seconds, source: Source::File(file), bytes, crc });
    }

    /// Adds a failure.
    pub(super) fn failure(&mut self, items: Interval, cause: Cause, seconds: f64, last_words: Vec<u8>) {
        self.close();
        let mut crc = crc32fast::Hasher::new();
        crc.update(&last_words);
        let bytes = last_words.len() as u64;
        if self.why.as_ref().is_none_or(|&(first, ..)| items.start() < first) {
            self.why = Some((items.start(), cause.clone(), last_words.clone()));
        }
        let kept = self.spool().and_then(|spool| {
            let offset = spool.length;
            spool.write_all(&last_words).map(|()| offset)
        });
        // Where the disk is full there is memory.
        let source = kept.map_or(Source::Bytes(last_words), Source::Spool);
        self.done.push(Pending { items, kind: Kind::Failure(cause), seconds, source, bytes, crc });
    }

    /// Whether there is nothing to tell.
    pub(super) fn is_empty(&self) -> bool {
        self.done.is_empty() && self.open.is_none()
    }

    /// Whether any item has a result.
    pub(super) fn has_results(&self) -> bool {
        self.open.is_some() || self.done.iter().any(|record| record.kind.is_result())
    }

    /// Whether any item has failed.
    pub(super) fn has_failures(&self) -> bool {
        self.why.is_some()
    }

    /// Whether some items were given up on because the job has worked for as long as it may.
    pub(super) fn are_over_budget(&self) -> bool {
        self.done.iter().any(|record| matches!(record.kind, Kind::Failure(Cause::OverBudget(_))))
    }

    /// The items that have results, once they are written.
    pub(super) fn results(&self) -> impl Iterator<Item = Interval> + '_ {
        self.done.iter().filter(|record| record.kind.is_result()).map(|record| record.items)
    }

    /// Takes back all results: what ran is not what was meant to.
    pub(super) fn take_back(&mut self, items: Interval, cause: Cause) {
        self.open = None;
        self.done.clear();
        self.why = None;
        self.failure(items, cause, 0.0, Vec::new());
    }

    /// The items without a result, in order and neighbours in one interval, and the first failure; none where all is well.
    pub(super) fn into_failure(self) -> Option<(Cause, Vec<u8>, Vec<Interval>)> {
        let (_, cause, last_words) = self.why?;
        let failures = self.done.into_iter().filter(|record| matches!(record.kind, Kind::Failure(_)));
        let mut failed: Vec<Interval> = failures.map(|record| record.items).collect();
        failed.sort_unstable_by_key(|items| items.start());
        failed.dedup_by(|next, last| {
            let joined = Interval::new(last.start(), next.stop()).filter(|_| last.stop() == next.start());
            *last = joined.unwrap_or(*last);
            joined.is_some()
        });
        Some((cause, last_words, failed))
    }

    /// How long the programs ran, in seconds.
    pub(super) fn seconds(&self) -> f64 {
        self.done.iter().map(|record| record.seconds).sum()
    }

    /// Writes all of them; `header` makes the header of each.
    pub(super) fn write(
        &mut self,
        out: &mut impl Write,
        header: impl Fn(Interval, Kind, f64) -> Header,
    ) -> io::Result<()> {
        self.close();
        self.done.sort_by_key(|record| record.items.start());
        let mut spool = self.spool.take().map(Spool::into_written).transpose()?;
        for Pending { items, kind, seconds, source, bytes, crc } in &mut self.done {
            let header = header(*items, kind.clone(), *seconds);
            match (source, &mut spool) {
                (Source::File(file), _) => {
                    file.rewind()?;
                    write(out, &header, &mut file.take(*bytes), *bytes, crc)?;
                }
                (Source::Spool(offset), Some(spool)) => {
                    write(out, &header, &mut spool.read_from(*offset)?.take(*bytes), *bytes, crc)?;
                }
                (Source::Spool(_), None) => return Err(io::ErrorKind::NotFound.into()),
                (Source::Bytes(kept), _) => write(out, &header, &mut &kept[..], *bytes, crc)?,
            }
        }
        Ok(())
    }

    fn spool(&mut self) -> io::Result<&mut Spool> {
        match &mut self.spool {
            Some(spool) => Ok(spool),
            none => Ok(none.insert(Spool::new(&self.path)?)),
        }
    }

    /// Adds to the record of the items before, or starts one.
    fn grow(
        &mut self,
        kind: Kind,
        first: u128,
        stop: u128,
        seconds: f64,
        add: impl FnOnce(&mut Spool) -> io::Result<()>,
    ) -> Result<(), Lost> {
        if self.open.as_ref().is_some_and(|open| open.stop != first || open.kind != kind) {
            self.close();
        }
        let is_new = self.open.is_none();
        let from = self.open.as_ref().map_or(first, |open| open.first);
        let spool = self.spool().map_err(|error| Lost { first, error })?;
        if is_new {
            spool.crc = crc32fast::Hasher::new();
        }
        let (offset, crc) = (spool.length, spool.crc.clone());
        match add(spool) {
            Ok(()) => {
                let open = self.open.get_or_insert(Open { first, stop, kind, seconds: 0.0, offset });
                open.stop = stop;
                open.seconds += seconds;
                Ok(())
            }
            Err(error) => match spool.cut_back(offset, crc) {
                Ok(()) => Err(Lost { first, error }),
                Err(_) => {
                    self.open = None;
                    Err(Lost { first: from, error })
                }
            },
        }
    }

    /// Ends the record that grows.
    fn close(&mut self) {
        let Some((open, spool)) = self.open.take().zip(self.spool.as_ref()) else { return };
        let Open { first, stop, kind, seconds, offset } = open;
        let items = Interval::new(first, stop).expect("it holds an item");
        let (bytes, crc) = (spool.length - offset, spool.crc.clone());
        self.done.push(Pending { items, kind, seconds, source: Source::Spool(offset), bytes, crc });
    }
}

/// The file with the payloads.
#[derive(Debug)]
struct Spool {
    out: BufWriter<File>,
    length: u64,
    /// Of what was written since it was set back.
    crc: crc32fast::Hasher,
    buffer: Vec<u8>,
}

impl Spool {
    fn new(path: &Path) -> io::Result<Self> {
        let file = File::options().read(true).write(true).create_new(true).open(path)?;
        let out = BufWriter::with_capacity(PIECE, file);
        Ok(Self { out, length: 0, crc: crc32fast::Hasher::new(), buffer: Vec::new() })
    }

    /// An entry: the result, and after it the files.
    fn add(&mut self, output: Output, files: &[Collected]) -> io::Result<()> {
        write_head(self, Head::Result { bytes: output.bytes, files: files.len() as u64 })?;
        self.copy(output.file, output.bytes)?;
        self.add_files(files)
    }

    fn add_files(&mut self, files: &[Collected]) -> io::Result<()> {
        for Collected { name, path, bytes, .. } in files {
            let within = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = rustix::fs::openat(CWD, path, flags, Mode::empty()).map_err(io::Error::from).map_err(within)?;
            write_file_head(self, name, *bytes)?;
            self.copy(File::from(file), *bytes).map_err(within)?;
        }
        // Only now, when none of them is needed any more.
        for file in files.iter().filter(|file| file.remove) {
            std::fs::remove_file(&file.path)?;
        }
        Ok(())
    }

    /// The first `bytes` bytes of a file.
    fn copy(&mut self, mut from: File, bytes: u64) -> io::Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(PIECE, 0);
        let mut left = bytes;
        while left > 0 {
            let asked = PIECE.min(usize::try_from(left).unwrap_or(PIECE));
            let got = from.read(&mut buffer[..asked])?;
            if got == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it changed while it was read"));
            }
            self.write_all(&buffer[..got])?;
            left -= got as u64;
        }
        self.buffer = buffer;
        Ok(())
    }

    /// Forgets what was written after the first `length` bytes.
    fn cut_back(&mut self, length: u64, crc: crc32fast::Hasher) -> io::Result<()> {
        self.out.flush()?;
        self.out.get_ref().set_len(length)?;
        self.out.seek(SeekFrom::Start(length))?;
        (self.length, self.crc) = (length, crc);
        Ok(())
    }

    /// What has been written. Where the disk is full, the end of it stays in memory.
    fn into_written(mut self) -> io::Result<Written> {
        let _ = self.out.flush();
        let (file, end) = self.out.into_parts();
        let end = end.map_err(io::Error::other)?;
        Ok(Written { file, in_file: self.length - end.len() as u64, end })
    }
}

/// A spool that is not written to any more.
#[derive(Debug)]
struct Written {
    file: File,
    in_file: u64,
    /// What comes after the file.
    end: Vec<u8>,
}

impl Written {
    /// Reads from this byte on.
    fn read_from(&mut self, offset: u64) -> io::Result<impl Read + '_> {
        let passed = usize::try_from(offset.saturating_sub(self.in_file)).unwrap_or(usize::MAX).min(self.end.len());
        self.file.seek(SeekFrom::Start(offset.min(self.in_file)))?;
        let file = (&mut self.file).take(self.in_file.saturating_sub(offset));
        Ok(file.chain(&self.end[passed..]))
    }
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.crc.update(&bytes[..written]);
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Identity;

    fn interval(start: u128, stop: u128) -> Interval {
        Interval::new(start, stop).expect("items")
    }

    /// A result as a program leaves it.
    fn output(text: &str) -> (Output, crc32fast::Hasher) {
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(text.as_bytes()).and_then(|()| file.rewind()).expect("written");
        let mut crc = crc32fast::Hasher::new();
        crc.update(text.as_bytes());
        (Output { file, bytes: text.len() as u64, seconds: 1.0 }, crc)
    }

    /// The items and payloads of what is written.
    fn written(records: &mut Records) -> Vec<(Interval, bool, String)> {
        let header = |items, kind, seconds| crate::record::Header {
            plan: Identity::of_bytes(b"plan"),
            code: Identity::of_bytes(b"code"),
            items,
            kind,
            seconds,
            host: "here".into(),
            attempt: "0".into(),
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("partial");
        let mut bytes = Vec::new();
        records.write(&mut bytes, header).expect("in memory");
        std::fs::write(&path, &bytes).expect("written");
        let read = crate::record::read(&mut &bytes[..], &mut Vec::new()).expect("in memory");
        assert_eq!(read.damage, None);
        let payload = |record: &crate::record::Record| {
            let mut text = Vec::new();
            let done = record.payload.pieces::<io::Error>(&path, &mut |piece| {
                text.extend_from_slice(piece);
                Ok(())
            });
            done.expect("read");
            String::from_utf8(text).expect("text")
        };
        let records = read.records.iter();
        records.map(|found| (found.header.items, found.header.kind.is_result(), payload(found))).collect()
    }

    #[test]
    fn what_is_added_in_any_order_is_written_in_that_of_the_items() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut records = Records::new(folder.path().join("spool"));
        let fail = |records: &mut Records, items, code: i32| {
            records.failure(items, Cause::ExitCode(code), 0.0, format!("words {code}").into_bytes());
        };
        let (whole, crc) = output("later\n");
        records.whole(interval(6, 9), whole, crc);
        for (first, text) in [(2, "bundle"), (4, "next bundle")] {
            records.bundle(interval(first, first + 2), output(text).0, &[]).expect("kept");
        }
        records.left_out(0).expect("kept");
        fail(&mut records, interval(10, 12), 4);
        fail(&mut records, interval(9, 10), 3);
        fail(&mut records, interval(1, 2), 5);
        let expected = [
            (interval(0, 1), true, "-\n"),
            (interval(1, 2), false, "words 5"),
            (interval(2, 4), true, "6\nbundle"),
            (interval(4, 6), true, "11\nnext bundle"),
            (interval(6, 9), true, "later\n"),
            (interval(9, 10), false, "words 3"),
            (interval(10, 12), false, "words 4"),
        ];
        assert_eq!(written(&mut records), expected.map(|(items, is_result, text)| (items, is_result, text.to_owned())));
        let (cause, words, failed) = records.into_failure().expect("there are failures");
        assert_eq!((cause, &words[..]), (Cause::ExitCode(5), &b"words 5"[..]), "of the first items");
        assert_eq!(failed, [interval(1, 2), interval(9, 12)]);
    }

    #[test]
    fn where_the_disk_is_full_the_end_is_in_memory() {
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(b"0123").expect("written");
        let mut written = Written { file, in_file: 4, end: b"4567".to_vec() };
        for (offset, bytes, expected) in [(0, 8, "01234567"), (2, 3, "234"), (4, 2, "45"), (6, 9, "67"), (8, 1, "")] {
            let mut text = String::new();
            written.read_from(offset).expect("in it").take(bytes).read_to_string(&mut text).expect("text");
            assert_eq!(text, expected);
        }
    }
}
