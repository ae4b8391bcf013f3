//! The results of a chain's segments, joined to the item's.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::Path;

use super::Line;
use super::line::read;
use crate::plan::Identity;
use crate::record::{
    self, EntryReader, FileHead, Head, Header, Kind, PayloadReader, Record, write_file_head, write_head,
};
use crate::store::{Draft, StoreError};

/// Writes the item's result into `outputs`: what its segments have yielded, one after the other, and their files. A name that
/// several segments have used gets the segment: `frame.png` becomes `frame-segment0003.png`. The same line gives the same bytes.
///
/// # Errors
/// Where a record cannot be read any more, or the result not be written.
///
/// # Panics
/// Where the line has no segment.
pub fn join(outputs: &Path, chunk: u64, line: &Line) -> Result<(), StoreError> {
    let last = line.links.last().expect("a line that is complete");
    let path = outputs.join(record::partial_name(chunk, &attempt(line)));
    let mut spool = tempfile::tempfile().map_err(StoreError::on("make a temporary file for", &path))?;
    let (bytes, crc) = payload(line, &mut spool).map_err(StoreError::on("read the segments for", &path))?;
    let header = Header {
        kind: Kind::Each,
        code: code(line),
        seconds: line.links.iter().map(|link| link.header.seconds).sum(),
        attempt: attempt(line).into(),
        ..last.header.clone()
    };
    spool.rewind().map_err(StoreError::on("write", &path))?;
    let mut draft = Draft::new(&path, 0o666)?;
    let mut out = BufWriter::with_capacity(1 << 16, &mut draft);
    let written = record::write(&mut out, &header, &mut spool, bytes, &crc).and_then(|()| out.flush());
    drop(out);
    written.map_err(StoreError::on("write", &path))?;
    draft.commit()
}

/// Whether the result of a line is there, and whole.
#[must_use]
pub fn is_joined(outputs: &Path, chunk: u64, line: &Line) -> bool {
    let path = outputs.join(record::partial_name(chunk, &attempt(line)));
    let read = File::open(&path).and_then(|mut file| record::read(&mut file, &mut Vec::new()));
    read.is_ok_and(|read| read.damage.is_none() && read.records.len() == 1)
}

/// The attempt that the result is said to be of.
fn attempt(line: &Line) -> String {
    line.links.last().map_or_else(String::new, |last| format!("{}-joined", last.header.attempt))
}

/// The code that computed it. Of several versions it is none of theirs, so that the mixture shows.
fn code(line: &Line) -> Identity {
    let mut codes: Vec<_> = line.links.iter().map(|link| link.header.code).collect();
    codes.dedup();
    match codes.as_slice() {
        [code] => *code,
        codes => Identity::of_bytes(&serde_json::to_vec(codes).expect("plain values")),
    }
}

/// One segment's first entry.
struct Yielded<'a> {
    number: u32,
    path: &'a Path,
    record: Record,
    bytes: u64,
    files: Vec<FileHead>,
}

impl Yielded<'_> {
    fn reader(&self) -> io::Result<EntryReader<BufReader<PayloadReader<'_>>>> {
        Ok(EntryReader::new(BufReader::new(self.record.payload.reader(self.path)?)))
    }
}

/// Writes the payload, and gives its length and checksum.
fn payload(line: &Line, spool: &mut File) -> io::Result<(u64, crc32fast::Hasher)> {
    let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let mut segments = Vec::new();
    for link in &line.links {
        let record = read(link)?.map_err(|why| invalid(format!("{}: {why}", link.path.display())))?;
        let number = link.segment.number;
        let mut yielded = Yielded { number, path: &link.path, record, bytes: 0, files: Vec::new() };
        let mut reader = yielded.reader()?;
        let Some(Head::Result { bytes, .. }) = reader.entry()? else {
            return Err(invalid(format!("{}: it has no result", link.path.display())));
        };
        let mut files = Vec::new();
        while let Some(file) = reader.file()? {
            files.push(file);
        }
        drop(reader);
        (yielded.bytes, yielded.files) = (bytes, files);
        segments.push(yielded);
    }
    let mut times: HashMap<&[u8], u32> = HashMap::new();
    for file in segments.iter().flat_map(|segment| &segment.files) {
        *times.entry(&file.name).or_default() += 1;
    }
    let mut out = Counted { out: BufWriter::with_capacity(1 << 16, spool), bytes: 0, crc: crc32fast::Hasher::new() };
    let bytes = segments.iter().map(|segment| segment.bytes).sum();
    let files = segments.iter().map(|segment| segment.files.len() as u64).sum();
    write_head(&mut out, Head::Result { bytes, files })?;
    for segment in &segments {
        let mut reader = segment.reader()?;
        reader.entry()?;
        io::copy(&mut (&mut reader).take(segment.bytes), &mut out)?;
    }
    for segment in &segments {
        let mut reader = segment.reader()?;
        reader.entry()?;
        while let Some(file) = reader.file()? {
            let several = times[&*file.name] > 1;
            let name = if several { with_segment(&file.name, segment.number) } else { file.name };
            write_file_head(&mut out, &name, file.bytes)?;
            io::copy(&mut reader, &mut out)?;
        }
    }
    out.flush()?;
    Ok((out.bytes, out.crc))
}

/// The name with the segment before its ending.
fn with_segment(name: &[u8], segment: u32) -> Vec<u8> {
    let start = name.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    let end = name[start..].iter().rposition(|&byte| byte == b'.').filter(|&dot| dot > 0).map(|dot| start + dot);
    let end = end.unwrap_or(name.len());
    [&name[..end], format!("-segment{segment:04}").as_bytes(), &name[end..]].concat()
}

/// Counts what is written, and its checksum.
struct Counted<W> {
    out: W,
    bytes: u64,
    crc: crc32fast::Hasher,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        self.crc.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_several_segments_use_carry_the_segment() {
        let check = |name: &str, expected: &str| assert_eq!(with_segment(name.as_bytes(), 3), expected.as_bytes());
        check("traj.xtc", "traj-segment0003.xtc");
        check("a.b/traj", "a.b/traj-segment0003");
        check(".hidden", ".hidden-segment0003");
        check("a/b.tar.gz", "a/b.tar-segment0003.gz");
    }
}
