//! A word of a command line, byte for byte.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A word of a command line or a value of the environment: any bytes but NUL. In documents it is a string,
/// or, where its bytes are not UTF-8, `{"hex": "ff6f"}`.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Word(Vec<u8>);

impl Word {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As the operating system takes it.
    #[must_use]
    pub fn as_os_str(&self) -> &OsStr {
        OsStr::from_bytes(&self.0)
    }

    /// For people: as they would type it into a shell.
    #[must_use]
    pub fn quoted(&self) -> String {
        let text = String::from_utf8_lossy(&self.0);
        let plain = |byte: char| byte.is_ascii_alphanumeric() || "-_=./,:+@%^{}".contains(byte);
        if !text.is_empty() && text.chars().all(plain) {
            text.into_owned()
        } else {
            format!("'{}'", text.replace('\'', r"'\''"))
        }
    }
}

impl From<Vec<u8>> for Word {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<OsString> for Word {
    fn from(text: OsString) -> Self {
        Self(text.into_vec())
    }
}

impl From<&str> for Word {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl std::fmt::Debug for Word {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_os_str().fmt(out)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Spelling<'a> {
    Text(#[serde(borrow)] std::borrow::Cow<'a, str>),
    Bytes(Hex),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hex {
    hex: String,
}

impl Serialize for Word {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => Spelling::Text(text.into()),
            Err(_) => Spelling::Bytes(Hex { hex: self.0.iter().map(|byte| format!("{byte:02x}")).collect() }),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let bytes = match Spelling::deserialize(deserializer)? {
            Spelling::Text(text) => text.into_owned().into_bytes(),
            Spelling::Bytes(Hex { hex }) => {
                let odd = || D::Error::custom(format!("`{hex}` is not pairs of hexadecimal digits"));
                if hex.len() % 2 != 0 || !hex.is_ascii() {
                    return Err(odd());
                }
                (0..hex.len() / 2)
                    .map(|pair| u8::from_str_radix(&hex[2 * pair..2 * pair + 2], 16).map_err(|_| odd()))
                    .collect::<Result<_, _>>()?
            }
        };
        if bytes.contains(&0) {
            return Err(D::Error::custom("a word cannot hold NUL"));
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_shown_as_they_are_typed() {
        let check = |text: &str, shown: &str| assert_eq!(Word::from(text).quoted(), shown);
        check("sum.py", "sum.py");
        check("{first}", "{first}");
        check("", "''");
        check("a b", "'a b'");
        check("it's", r"'it'\''s'");
        check("$(x)", "'$(x)'");
    }

    proptest! {
        #[test]
        fn any_bytes_survive_the_document(bytes in prop::collection::vec(1u8.., 0..40)) {
            let word = Word::from(bytes);
            let json = serde_json::to_string(&word).expect("writes");
            prop_assert_eq!(serde_json::from_str::<Word>(&json).expect("reads"), word);
        }
    }
}
