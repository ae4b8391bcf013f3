//! The payload of a record that holds more than one plain result: entries, one for each item (kind `each`), or one for all
//! items with the files that the program wrote (kind `bundle`).
//!
//! ```text
//! 5 1            the result's length in bytes, and how many files follow it (none where there is no second number)
//! 0.25\n
//! 9 1234         a file: the length of its name, and its own
//! frame.png...   the name's bytes, and right after them the file's
//! -              an item that the space's condition leaves out
//! ```
//!
//! Each part ends where its length says, with nothing after it, so that any bytes are carried as they are, and reading
//! needs no more memory than a line of lengths does.

use std::io::{self, BufRead, BufReader, Read, Write};

use super::PayloadReader;

/// A line of lengths is shorter than this.
const LONGEST_LINE: u64 = 64;
/// File systems take no longer path.
pub const LONGEST_NAME: u64 = 4096;

/// What one entry starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// A result.
    Result {
        /// Its length in bytes.
        bytes: u64,
        /// How many files follow it.
        files: u64,
    },
    /// The item does not count.
    LeftOut,
}

/// A file among the entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileHead {
    /// Its name, relative to the folder that the program started in; not to be trusted.
    pub name: Vec<u8>,
    /// Its length in bytes.
    pub bytes: u64,
}

/// Writes what comes before a result, or stands for an item that is left out.
///
/// # Errors
/// Where `out` cannot be written.
pub fn write_head(out: &mut impl Write, head: Head) -> io::Result<()> {
    match head {
        Head::LeftOut => out.write_all(b"-\n"),
        Head::Result { bytes, files: 0 } => writeln!(out, "{bytes}"),
        Head::Result { bytes, files } => writeln!(out, "{bytes} {files}"),
    }
}

/// Writes what comes before a file's content.
///
/// # Errors
/// Where `out` cannot be written.
pub fn write_file_head(out: &mut impl Write, name: &[u8], bytes: u64) -> io::Result<()> {
    writeln!(out, "{} {bytes}", name.len())?;
    out.write_all(name)
}

/// Reads entries one after another. What is not read of one is passed over.
#[derive(Debug)]
pub struct EntryReader<R> {
    input: R,
    /// What is left of the part (a result, a file) at hand.
    left: u64,
    /// How many files of the entry at hand are still to come.
    files: u64,
}

impl<R: BufRead> EntryReader<R> {
    /// Reads from the start of a payload.
    pub fn new(input: R) -> Self {
        Self { input, left: 0, files: 0 }
    }

    /// The next entry; `None` at the end of the payload.
    ///
    /// # Errors
    /// `InvalidData` where there is something else, `UnexpectedEof` where it ends too early.
    pub fn entry(&mut self) -> io::Result<Option<Head>> {
        while self.file()?.is_some() {}
        self.pass_over()?;
        let Some(line) = self.line()? else { return Ok(None) };
        if line == b"-" {
            return Ok(Some(Head::LeftOut));
        }
        let (bytes, files) = match line.iter().position(|&byte| byte == b' ') {
            None => (number(&line)?, 0),
            Some(blank) => (number(&line[..blank])?, number(&line[blank + 1..])?),
        };
        (self.left, self.files) = (bytes, files);
        Ok(Some(Head::Result { bytes, files }))
    }

    /// The next file of the entry at hand; `None` after the last.
    ///
    /// # Errors
    /// As [`EntryReader::entry`].
    pub fn file(&mut self) -> io::Result<Option<FileHead>> {
        let Some(rest) = self.files.checked_sub(1) else { return Ok(None) };
        self.pass_over()?;
        let line = self.line()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let blank = line.iter().position(|&byte| byte == b' ').ok_or_else(invalid)?;
        let (length, bytes) = (number(&line[..blank])?, number(&line[blank + 1..])?);
        if length > LONGEST_NAME {
            return Err(invalid());
        }
        let mut name = Vec::new();
        if (&mut self.input).take(length).read_to_end(&mut name)? as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        (self.left, self.files) = (bytes, rest);
        Ok(Some(FileHead { name, bytes }))
    }

    fn pass_over(&mut self) -> io::Result<()> {
        io::copy(self, &mut io::sink())?;
        Ok(())
    }

    /// A line without its end; `None` at the end of the payload.
    fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        (&mut self.input).take(LONGEST_LINE).read_until(b'\n', &mut line)?;
        match line.pop() {
            None => Ok(None),
            Some(b'\n') => Ok(Some(line)),
            Some(_) => Err(invalid()),
        }
    }
}

impl EntryReader<BufReader<PayloadReader<'_>>> {
    /// Passes over what is left of the part at hand without reading it, where it is long.
    ///
    /// # Errors
    /// As [`PayloadReader::pass_over`].
    pub fn leave(&mut self) -> io::Result<()> {
        let here = self.input.buffer().len();
        let beyond = self.left.saturating_sub(here as u64);
        if beyond > 0 {
            self.input.consume(here);
            self.input.get_mut().pass_over(beyond)?;
            self.left = 0;
        }
        Ok(())
    }
}

/// Reads what is left of the part at hand: the result after [`EntryReader::entry`], the file's content after
/// [`EntryReader::file`].
impl<R: BufRead> Read for EntryReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let got = self.input.read(&mut buffer[..wanted])?;
        if got == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= got as u64;
        Ok(got)
    }
}

fn invalid() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "its entries are not as they are written")
}

fn number(digits: &[u8]) -> io::Result<u64> {
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(digits).ok().filter(|_| plain);
    text.and_then(|text| text.parse().ok()).ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type File = (Vec<u8>, Vec<u8>);
    type Entry = Option<(Vec<u8>, Vec<File>)>;

    fn written(entries: &[Entry]) -> Vec<u8> {
        let mut out = Vec::new();
        for entry in entries {
            let Some((result, files)) = entry else {
                write_head(&mut out, Head::LeftOut).expect("in memory");
                continue;
            };
            let head = Head::Result { bytes: result.len() as u64, files: files.len() as u64 };
            write_head(&mut out, head).expect("in memory");
            out.extend_from_slice(result);
            for (name, content) in files {
                write_file_head(&mut out, name, content.len() as u64).expect("in memory");
                out.extend_from_slice(content);
            }
        }
        out
    }

    fn all(bytes: &[u8]) -> io::Result<Vec<Entry>> {
        let mut reader = EntryReader::new(bytes);
        let mut entries = Vec::new();
        while let Some(head) = reader.entry()? {
            let mut result = Vec::new();
            if head == Head::LeftOut {
                entries.push(None);
                continue;
            }
            reader.read_to_end(&mut result)?;
            let mut files = Vec::new();
            while let Some(file) = reader.file()? {
                let mut content = Vec::new();
                reader.read_to_end(&mut content)?;
                files.push((file.name, content));
            }
            entries.push(Some((result, files)));
        }
        Ok(entries)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            entries in prop::collection::vec(
                prop::option::of((any::<Vec<u8>>(), prop::collection::vec(any::<(Vec<u8>, Vec<u8>)>(), 0..3))), 0..6),
        ) {
            let bytes = written(&entries);
            prop_assert_eq!(all(&bytes).expect("as written"), entries.clone());
            let mut reader = EntryReader::new(&bytes[..]);
            for entry in &entries {
                let head = reader.entry().expect("as written").expect("one more");
                prop_assert_eq!(head == Head::LeftOut, entry.is_none());
            }
            prop_assert_eq!(reader.entry().expect("as written"), None);
        }

        #[test]
        fn garbage_is_refused_or_read(bytes: Vec<u8>) {
            let _ = all(&bytes);
        }
    }

    #[test]
    fn claims_past_the_end_are_errors() {
        for text in [
            "5\nabc",
            "x\n",
            "5",
            "1 1\na",
            "1 1\na5 2\nab",
            "1 1\na9999 1\n",
            "1 2 3\na",
            "-1\n",
            "+1\na",
            "18446744073709551616\n",
        ] {
            assert!(all(text.as_bytes()).is_err(), "{text:?}");
        }
    }
}
