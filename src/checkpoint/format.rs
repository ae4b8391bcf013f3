//! The bytes of a checkpoint.
//!
//! ```text
//! SPLITCKPT1 <crc> <header length> <payload length>\n      8 hexadecimal, 10 and 20 decimal digits: 52 bytes
//! <header>                                                 JSON and a line's end: what it is a checkpoint of
//! <payload>                                                the state, as MessagePack with names
//! ```
//!
//! The checksum is the CRC-32 of zlib over the header, the payload and the first line's two lengths as they are written there. What
//! follows the payload is left from a longer checkpoint and means nothing. While a checkpoint is written that is longer than one
//! buffer, its first line says [`UNFINISHED`].
//!
//! Invariant: nothing is believed that the checksum does not cover, and no more memory is used than the file is long,
//! whatever its lengths claim.

use serde::{Deserialize, Serialize};

use super::output::Written;

/// How long the first line is.
pub(super) const LINE: usize = 52;

/// The first line of a checkpoint that is being written.
pub(super) const UNFINISHED: &[u8; LINE] = b"SPLITCKPT1 -------- ---------- --------------------\n";

/// The only format there is.
pub(super) const FORMAT: u64 = 1;

/// Longer headers are none: keys and identities are short.
pub(super) const LONGEST_HEADER: usize = 1 << 16;

/// What a checkpoint is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) format: u64,
    /// The key as the program gave it.
    pub(super) key: String,
    /// The identity that the environment gave.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) identity: String,
    /// Which loop keeps it: `own`, `until`, `range 1..101`.
    #[serde(rename = "loop")]
    pub(super) kind: String,
    /// The version of the state's layout.
    pub(super) version: u32,
    /// The first that is saved is 1.
    pub(super) generation: u64,
    /// The item of a range that comes next, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) position: Option<u64>,
    /// In Python, the keys that the state began with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) layout: Option<Vec<String>>,
    /// How many bytes had been printed, where that is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) printed: Option<u64>,
    /// How much had been written to each output.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) outputs: Vec<Written>,
    /// Whether the payload is the answer, and nothing is left to do.
    pub(super) done: bool,
}

/// The first line, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FirstLine {
    pub(super) checksum: u32,
    pub(super) header: usize,
    pub(super) payload: u64,
}

impl FirstLine {
    pub(super) fn parse(line: &[u8; LINE]) -> Option<Self> {
        let text = std::str::from_utf8(line).ok()?.strip_prefix("SPLITCKPT1 ")?.strip_suffix('\n')?;
        let mut words = text.split(' ');
        let (checksum, header, payload) = (words.next()?, words.next()?, words.next()?);
        let digits = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
        let hexadecimal = |word: &str| word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let fits = (checksum.len(), header.len(), payload.len()) == (8, 10, 20) && words.next().is_none();
        if !(fits && hexadecimal(checksum) && digits(header) && digits(payload)) {
            return None;
        }
        let line = Self {
            checksum: u32::from_str_radix(checksum, 16).ok()?,
            header: header.parse().ok()?,
            payload: payload.parse().ok()?,
        };
        (line.header <= LONGEST_HEADER).then_some(line)
    }

    pub(super) fn bytes(self) -> [u8; LINE] {
        let mut line = *UNFINISHED;
        let text = format!("SPLITCKPT1 {:08x} {}\n", self.checksum, Self::lengths(self.header, self.payload));
        line.copy_from_slice(text.as_bytes());
        line
    }

    /// The two lengths, as the line has them and the checksum ends with them.
    pub(super) fn lengths(header: usize, payload: u64) -> String {
        format!("{header:010} {payload:020}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_read_as_it_was_written() {
        let line = FirstLine { checksum: 0xab, header: 97, payload: u64::MAX };
        assert_eq!(&line.bytes(), b"SPLITCKPT1 000000ab 0000000097 18446744073709551615\n");
        assert_eq!(FirstLine::parse(&line.bytes()), Some(line));
    }

    #[test]
    fn what_is_spelled_another_way_is_no_first_line() {
        let good = b"SPLITCKPT1 000000ab 0000000097 00000000000000000005\n";
        assert!(FirstLine::parse(good).is_some() && FirstLine::parse(UNFINISHED).is_none());
        let spelled: [&[u8; LINE]; 6] = [
            b"SPLITCKPT2 000000ab 0000000097 00000000000000000005\n",
            b"SPLITCKPT1 000000AB 0000000097 00000000000000000005\n",
            b"SPLITCKPT1 +00000ab 0000000097 00000000000000000005\n",
            b"SPLITCKPT1 000000ab 0000000097 000000000000000000+5\n",
            b"SPLITCKPT1 000000ab 9999999999 00000000000000000005\n",
            b"SPLITCKPT1 000000ab 0000000097 99999999999999999999\n",
        ];
        for line in spelled {
            assert_eq!(FirstLine::parse(line), None, "{}", String::from_utf8_lossy(line));
        }
    }
}
