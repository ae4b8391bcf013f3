//! Identities: names made from content.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Command, Word};
use crate::cut::Cut;
use crate::space::Space;

/// 128 bits of a BLAKE3 hash; 32 hexadecimal digits in documents. Equal content has equal identities, and
/// unequal content has unequal ones (by chance alone, two among 2^64 meet).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity([u8; 16]);

/// The identity of a plan: what is computed.
pub type PlanIdentity = Identity;

impl Identity {
    /// The identity of `hasher`'s input.
    #[must_use]
    pub fn of(hasher: &blake3::Hasher) -> Self {
        let mut bytes = [0; 16];
        hasher.finalize_xof().fill(&mut bytes);
        Self(bytes)
    }

    /// The identity of some bytes.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self::of(blake3::Hasher::new().update(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The first digits: enough to tell apart the few identities that a person meets.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string()[..8].to_owned()
    }

    /// What a plan computes. The command's words count as typed, and the cut only where the command asks for
    /// the chunk's number: then what an item yields depends on it.
    #[must_use]
    pub fn of_plan(space: &Space, cut: &Cut, command: Option<&Command>) -> Self {
        #[derive(Serialize)]
        struct Computed<'a> {
            format: u32,
            space: &'a Space,
            command: Option<&'a [Word]>,
            #[serde(skip_serializing_if = "Option::is_none")]
            cut: Option<&'a Cut>,
        }
        let cut = command.is_some_and(Command::depends_on_the_cut).then_some(cut);
        let computed = Computed { format: super::FORMAT, space, command: command.map(Command::words), cut };
        Self::of_bytes(&serde_json::to_vec(&computed).expect("plain values"))
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, out)
    }
}

impl std::str::FromStr for Identity {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err("an identity has 32 hexadecimal digits in lower case"),
        };
        let digits: &[u8; 32] =
            text.as_bytes().try_into().map_err(|_| "an identity has 32 hexadecimal digits in lower case")?;
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Identity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Identity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(total: &str, chunks: u64, words: &[&str]) -> Identity {
        let space = Space::Range(total.parse().expect("a range"));
        let cut = Cut::into_chunks(space.count(), chunks.into()).expect("a cut");
        let words: Vec<_> = words.iter().map(|&word| Word::from(word)).collect();
        let command = (!words.is_empty()).then(|| Command::try_from(words).expect("a command"));
        Identity::of_plan(&space, &cut, command.as_ref())
    }

    #[test]
    fn a_plan_is_what_it_computes() {
        let sum = identity("1..=100", 60, &["sum", "{first}"]);
        assert_eq!(sum, identity("1..101", 10, &["sum", "{first}"]), "the cut does not count");
        assert_ne!(sum, identity("1..=101", 60, &["sum", "{first}"]));
        assert_ne!(sum, identity("1..=100", 60, &["sum", "{last}"]));
        assert_ne!(sum, identity("1..=100", 60, &[]));
        let by_chunk = identity("1..=100", 60, &["sum", "{chunk}"]);
        assert_ne!(by_chunk, identity("1..=100", 10, &["sum", "{chunk}"]), "here the cut does count");
    }

    #[test]
    fn a_committed_identity_never_changes() {
        // Records written years ago must still be found to belong to their plan.
        assert_eq!(
            identity("1..=100", 60, &["python3", "sum.py", "{first}", "{last}"]).to_string(),
            "196a7ec4eccb829879a4f10b3f458b3e"
        );
    }

    #[test]
    fn identities_are_read_strictly() {
        let identity = Identity::of_bytes(b"x");
        assert_eq!(identity.to_string().parse(), Ok(identity));
        assert!("0".repeat(31).parse::<Identity>().is_err());
        assert!("G".repeat(32).parse::<Identity>().is_err());
        assert!("A".repeat(32).parse::<Identity>().is_err());
    }
}
