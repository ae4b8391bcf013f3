//! The two files of a checkpoint, and the promise that one of them is always whole.
//!
//! A save overwrites the older one in place and waits for the disk. So whenever a save stops, for whatever reason, the newer
//! one is untouched, and what is found next is the old state or the new one. The second file is made by the second save: as
//! long as it is not there, a first one that is not whole means that nothing was ever saved.
//!
//! A process that is killed between its last write and the disk's answer leaves a file that reads whole and may be gone
//! after a loss of power. So what an earlier process wrote is synced once before the other file is overwritten.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::error::CheckpointError;
use super::format::{FORMAT, FirstLine, Header, LINE, UNFINISHED};
use crate::store::StoreError;
use crate::store::in_place::{Disk, Medium};

/// Bytes are collected before they are written. What fits in here is written by one system call.
const BUFFER: usize = 1 << 18;

/// A file that is more than so much longer than what it holds is cut; short of that it keeps its length, which is one
/// thing less for the disk to write.
const SLACK: u64 = 1 << 18;

/// The two files.
#[derive(Debug)]
pub(super) struct Slots<M: Medium = Disk> {
    medium: M,
    paths: [PathBuf; 2],
    files: [Option<M::File>; 2],
    /// How long each is since its last save here.
    lengths: [Option<u64>; 2],
    newest: Option<usize>,
    /// Whether the newest is known to be on the disk, and not only in the memory of this machine.
    lasting: bool,
    buffer: Vec<u8>,
}

/// What was saved last.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) header: Header,
    pub(super) payload: Vec<u8>,
}

/// What the two files hold.
#[derive(Debug)]
pub(super) struct Contents {
    /// The newer of what is whole.
    pub(super) found: Option<Found>,
    /// What is to be said about a file that is not whole.
    pub(super) notice: Option<String>,
}

/// What one file holds.
enum Content {
    Absent,
    Empty,
    Broken(&'static str),
    /// It is whole, and what belongs to it is not there.
    Parted(String),
    Whole {
        header: Header,
        payload: (u64, u64),
    },
}

/// Why a save failed.
#[derive(Debug)]
pub(super) enum SaveError {
    /// The disk, or the folder.
    Store(StoreError),
    /// The state itself.
    Encode(String),
}

impl From<SaveError> for CheckpointError {
    fn from(error: SaveError) -> Self {
        match error {
            SaveError::Store(error) => error.into(),
            SaveError::Encode(wrong) => Self::Encode(wrong),
        }
    }
}

/// Both files of the checkpoint that `path` is one of.
pub(super) fn pair(path: &Path) -> [PathBuf; 2] {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.strip_suffix(".a.checkpoint").or_else(|| name.strip_suffix(".b.checkpoint")).unwrap_or(&name);
    ["a", "b"].map(|slot| path.with_file_name(format!("{stem}.{slot}.checkpoint")))
}

/// Which of the two files a program would go on from, and the state's bytes in it. For what damages files on purpose.
///
/// # Errors
/// As a program that opens the checkpoint.
#[doc(hidden)]
pub fn find(paths: [PathBuf; 2]) -> Result<Option<(PathBuf, Vec<u8>)>, CheckpointError> {
    let (_, contents) = Slots::open(Disk, paths, "", &|_| Ok(None))?;
    Ok(contents.found.map(|found| (found.path, found.payload)))
}

/// How far the checkpoint is that `path` is one of the two files of, in a few words that are the same again where it has been saved
/// again and has come no further; none where it is none.
#[doc(hidden)]
#[must_use]
pub fn progress(path: &Path) -> Option<String> {
    let (_, contents) = Slots::open(Disk, pair(path), "", &|_| Ok(None)).ok()?;
    let Found { header, payload, .. } = contents.found?;
    Some(format!("{:?} {} {:08x}", header.position, header.done, crc32fast::hash(&payload)))
}

impl<M: Medium> Slots<M> {
    /// Looks at both files. Nothing is written. `missing` says what a whole one is of no use without.
    ///
    /// # Errors
    /// Where they cannot be read; where neither is whole although there was something; where the newer one is of a format
    /// of the future.
    pub(super) fn open(
        medium: M,
        paths: [PathBuf; 2],
        key: &str,
        missing: &dyn Fn(&Header) -> Result<Option<String>, CheckpointError>,
    ) -> Result<(Self, Contents), CheckpointError> {
        let mut slots = Self {
            medium,
            paths,
            files: [None, None],
            newest: None,
            lengths: [None; 2],
            lasting: false,
            buffer: Vec::new(),
        };
        let mut contents = [slots.look(0)?, slots.look(1)?];
        let generation = |content: &Content| match content {
            Content::Whole { header, .. } => Some(header.generation),
            _ => None,
        };
        slots.newest = loop {
            let newest = match [generation(&contents[0]), generation(&contents[1])] {
                [None, None] => break None,
                [first, second] => usize::from(second > first),
            };
            let Content::Whole { header, .. } = &contents[newest] else { break None };
            match missing(header)? {
                None => break Some(newest),
                Some(missing) => contents[newest] = Content::Parted(missing),
            }
        };
        let notice = slots.notice(&contents, key)?;
        let Some(newest) = slots.newest else { return Ok((slots, Contents { found: None, notice })) };
        let [first, second] = contents;
        let content = if newest == 0 { first } else { second };
        let Content::Whole { header, payload: (start, length) } = content else {
            return Ok((slots, Contents { found: None, notice }));
        };
        let payload = slots.payload(newest, start, length)?;
        let found = Found { path: slots.paths[newest].clone(), header, payload };
        Ok((slots, Contents { found: Some(found), notice }))
    }

    /// Puts a checkpoint in the place of the older one. `fill` writes the payload.
    pub(super) fn save(
        &mut self,
        header: &Header,
        fill: &mut dyn FnMut(&mut dyn Write) -> Result<(), String>,
    ) -> Result<(), SaveError> {
        let target = self.newest.map_or(0, |newest| 1 - newest);
        if !self.lasting
            && let Some(newest) = self.newest
            && let Some(file) = &self.files[newest]
        {
            let path = &self.paths[newest];
            self.medium.sync(file).map_err(|source| SaveError::Store(StoreError::on("sync", path)(source)))?;
        }
        self.lasting = true;
        let path = self.paths[target].clone();
        let doing = |doing: &'static str| {
            let path = path.clone();
            move |source| SaveError::Store(StoreError { doing, path, source })
        };
        if self.files[target].is_none() {
            self.files[target] = self.medium.open(&path, true).map_err(doing("write"))?;
        }
        let Some(file) = &self.files[target] else {
            return Err(doing("write")(io::ErrorKind::NotFound.into()));
        };
        // Once it was asked for, the kernel gives the next write a time of its own, which goes through the file system's journal and makes
        // a small save half as long again: so it is remembered.
        let before = match self.lengths[target].take() {
            Some(length) => length,
            None => self.medium.length(file).map_err(doing("read"))?,
        };
        if before == 0 {
            // The name has to last as long as what the file will hold.
            let folder = path.parent().unwrap_or(Path::new("."));
            self.medium.sync_folder(folder).map_err(doing("sync the folder of"))?;
        }
        let mut writer = Writer::new(&self.medium, file, std::mem::take(&mut self.buffer));
        let written = writer.write(header, fill);
        let length = writer.offset;
        self.buffer = std::mem::take(&mut writer.buffer);
        written.map_err(|wrong| match wrong {
            Wrong::Medium(error) => doing("write")(error),
            Wrong::State(wrong) => SaveError::Encode(wrong),
        })?;
        let is_shortened = before / 2 > length.saturating_add(SLACK);
        if is_shortened {
            self.medium.set_length(file, length).map_err(doing("shorten"))?;
        }
        self.medium.sync(file).map_err(doing("sync"))?;
        self.lengths[target] = Some(if is_shortened { length } else { before.max(length) });
        self.newest = Some(target);
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn medium_mut(&mut self) -> &mut M {
        &mut self.medium
    }

    #[cfg(test)]
    pub(super) fn into_medium(self) -> M {
        self.medium
    }

    /// What is to be said about files that are not whole, unless nothing can be done about it.
    fn notice(&self, contents: &[Content; 2], key: &str) -> Result<Option<String>, CheckpointError> {
        let wrong = |slot: usize| match &contents[slot] {
            Content::Absent => "is not there",
            Content::Empty => "is empty",
            Content::Broken(wrong) => wrong,
            Content::Parted(missing) => missing,
            Content::Whole { .. } => "is whole",
        };
        let shown = |slot: usize| self.paths[slot].display();
        Ok(match (self.newest, contents) {
            (
                Some(newest),
                [Content::Broken(_) | Content::Parted(_), _] | [_, Content::Broken(_) | Content::Parted(_)],
            ) => Some(format!(
                "checkpoint {key}: {} {}; going on from {}",
                shown(1 - newest),
                wrong(1 - newest),
                shown(newest)
            )),
            (Some(0), _) | (Some(_), [Content::Whole { .. }, _]) => None,
            // The second file is made after the first, so that something took the first away.
            (Some(_), _) => Some(format!("checkpoint {key}: {} {}; going on from {}", shown(0), wrong(0), shown(1))),
            (None, [Content::Absent | Content::Empty, Content::Absent]) => None,
            (None, [Content::Broken(_), Content::Absent]) => {
                Some(format!("checkpoint {key}: {} {} and is the first; starting anew", shown(0), wrong(0)))
            }
            (None, _) => {
                let [first, second] = [0, 1].map(|slot| (self.paths[slot].clone(), wrong(slot).to_owned()));
                return Err(CheckpointError::Lost { key: key.to_owned(), first, second });
            }
        })
    }

    /// What a file holds; reads all of it, at bounded memory.
    fn look(&mut self, slot: usize) -> Result<Content, CheckpointError> {
        let path = self.paths[slot].clone();
        self.files[slot] = self.medium.open(&path, false).map_err(StoreError::on("read", &path))?;
        let Some(file) = &self.files[slot] else { return Ok(Content::Absent) };
        let read = |bytes: &mut [u8], offset| {
            read_all(&self.medium, file, bytes, offset).map_err(StoreError::on("read", &path))
        };
        let length = self.medium.length(file).map_err(StoreError::on("read", &path))?;
        if length == 0 {
            return Ok(Content::Empty);
        }
        let mut line = [0; LINE];
        if !read(&mut line, 0)? {
            return Ok(Content::Broken("ends too early"));
        }
        if line == *UNFINISHED {
            return Ok(Content::Broken("is unfinished (its save was interrupted)"));
        }
        let Some(first) = FirstLine::parse(&line) else { return Ok(Content::Broken("is damaged (first line)")) };
        let start = (LINE + first.header) as u64;
        let Some(end) = start.checked_add(first.payload).filter(|end| *end <= length) else {
            return Ok(Content::Broken("ends too early"));
        };
        let mut bytes = vec![0; first.header];
        if !read(&mut bytes, LINE as u64)? {
            return Ok(Content::Broken("ends too early"));
        }
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&bytes);
        let mut buffer = vec![0; BUFFER.min(usize::try_from(first.payload).unwrap_or(BUFFER))];
        let mut offset = start;
        while offset < end {
            let part = (end - offset).min(buffer.len() as u64) as usize;
            if !read(&mut buffer[..part], offset)? {
                return Ok(Content::Broken("ends too early"));
            }
            checksum.update(&buffer[..part]);
            offset += part as u64;
        }
        checksum.update(FirstLine::lengths(first.header, first.payload).as_bytes());
        if checksum.finalize() != first.checksum {
            return Ok(Content::Broken("is damaged (checksum)"));
        }
        match serde_json::from_slice::<Header>(&bytes) {
            Ok(header) if header.format == FORMAT => Ok(Content::Whole { header, payload: (start, first.payload) }),
            _ => {
                let value = serde_json::from_slice::<serde_json::Value>(&bytes).ok();
                match value.and_then(|value| value.get("format")?.as_u64()) {
                    Some(format) if format != FORMAT => Err(CheckpointError::Format { path, format }),
                    _ => Ok(Content::Broken("is damaged (header)")),
                }
            }
        }
    }

    fn payload(&self, slot: usize, start: u64, length: u64) -> Result<Vec<u8>, CheckpointError> {
        let path = &self.paths[slot];
        let gone = || StoreError::on("read", path)(io::ErrorKind::UnexpectedEof.into());
        let length = usize::try_from(length).map_err(|_| gone())?;
        let file = self.files[slot].as_ref().ok_or_else(gone)?;
        let mut payload = vec![0; length];
        match read_all(&self.medium, file, &mut payload, start).map_err(StoreError::on("read", path))? {
            true => Ok(payload),
            false => Err(gone().into()),
        }
    }
}

/// Reads all of `bytes`; false where the file ends before.
fn read_all<M: Medium>(medium: &M, file: &M::File, mut bytes: &mut [u8], mut offset: u64) -> io::Result<bool> {
    while !bytes.is_empty() {
        match medium.read_at(file, bytes, offset) {
            Ok(0) => return Ok(false),
            Ok(read) => {
                offset += read as u64;
                bytes = &mut bytes[read..];
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// Writes one checkpoint.
struct Writer<'a, M: Medium> {
    medium: &'a M,
    file: &'a M::File,
    buffer: Vec<u8>,
    /// Where the buffer's bytes belong.
    offset: u64,
    checksum: crc32fast::Hasher,
    /// What the system said, for [`Write`] passes less on.
    failed: Option<io::Error>,
}

enum Wrong {
    Medium(io::Error),
    State(String),
}

impl<'a, M: Medium> Writer<'a, M> {
    fn new(medium: &'a M, file: &'a M::File, buffer: Vec<u8>) -> Self {
        Self { medium, file, buffer, offset: 0, checksum: crc32fast::Hasher::new(), failed: None }
    }

    fn write(
        &mut self,
        header: &Header,
        fill: &mut dyn FnMut(&mut dyn Write) -> Result<(), String>,
    ) -> Result<(), Wrong> {
        let mut header = serde_json::to_vec(header).map_err(|error| Wrong::State(error.to_string()))?;
        // For people: `head -n 2` shows it.
        header.push(b'\n');
        self.buffer.clear();
        self.buffer.extend_from_slice(UNFINISHED);
        let written = self.write_all(&header).map_err(|error| error.to_string()).and_then(|()| fill(self));
        if let Some(error) = self.failed.take() {
            return Err(Wrong::Medium(error));
        }
        written.map_err(Wrong::State)?;
        let payload = self.offset + self.buffer.len() as u64 - (LINE + header.len()) as u64;
        self.checksum.update(FirstLine::lengths(header.len(), payload).as_bytes());
        let checksum = self.checksum.clone().finalize();
        let line = FirstLine { checksum, header: header.len(), payload }.bytes();
        let at_once = self.offset == 0;
        if at_once {
            self.buffer[..LINE].copy_from_slice(&line);
        }
        self.put().map_err(Wrong::Medium)?;
        if !at_once {
            write_all(self.medium, self.file, &line, 0).map_err(Wrong::Medium)?;
        }
        Ok(())
    }

    /// Writes what was collected.
    fn put(&mut self) -> io::Result<()> {
        write_all(self.medium, self.file, &self.buffer, self.offset)?;
        self.offset += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

impl<M: Medium> Write for Writer<'_, M> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(error) = &self.failed {
            return Err(error.kind().into());
        }
        self.checksum.update(bytes);
        let mut left = bytes;
        while !left.is_empty() {
            let (part, rest) = left.split_at(left.len().min(BUFFER - self.buffer.len()));
            self.buffer.extend_from_slice(part);
            left = rest;
            if self.buffer.len() == BUFFER
                && let Err(error) = self.put()
            {
                let kind = error.kind();
                self.failed = Some(error);
                return Err(kind.into());
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_all<M: Medium>(medium: &M, file: &M::File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match medium.write_at(file, bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                offset += written as u64;
                bytes = &bytes[written..];
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
