//! Words with placeholders in braces: `{name}` stands for a value, `{{` and `}}` for a brace.

use std::borrow::Cow;

use super::Word;

/// A word whose placeholders are known ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template<P> {
    parts: Vec<Part<P>>,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part<P> {
    /// Bytes that stand for themselves; never empty.
    Literal(Vec<u8>),
    /// What stands for a value.
    Placeholder(P),
}

/// Why a word is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A name that stands for nothing.
    #[error("`{{{name}}}` in {word} stands for nothing")]
    Unknown {
        /// What stands between the braces.
        name: String,
        /// The word it is in, as typed.
        word: String,
    },
    /// A width for what is no whole number.
    #[error("`{{{field}}}` in {word} pads whole numbers with zeros, and {why}")]
    NoNumber {
        /// What stands between the braces.
        field: String,
        /// The word it is in, as typed.
        word: String,
        /// What it would stand for.
        why: String,
    },
    /// A brace that opens or closes nothing.
    #[error("a lone brace in {word}")]
    LoneBrace {
        /// The word it is in, as typed.
        word: String,
    },
}

impl<P> Template<P> {
    /// Reads a word; `lookup` knows the placeholders by name.
    pub(super) fn parse(word: &Word, lookup: impl Fn(&[u8]) -> Option<P>) -> Result<Self, TemplateError> {
        let lone_brace = || TemplateError::LoneBrace { word: word.quoted() };
        let mut parts = Vec::new();
        let mut literal = Vec::new();
        let mut rest = word.as_bytes();
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            match byte {
                b'{' | b'}' if rest.first() == Some(&byte) => {
                    literal.push(byte);
                    rest = &rest[1..];
                }
                b'{' => {
                    let end = rest.iter().position(|&byte| byte == b'}').ok_or_else(lone_brace)?;
                    let placeholder = lookup(&rest[..end]).ok_or_else(|| TemplateError::Unknown {
                        name: String::from_utf8_lossy(&rest[..end]).into_owned(),
                        word: word.quoted(),
                    })?;
                    if !literal.is_empty() {
                        parts.push(Part::Literal(std::mem::take(&mut literal)));
                    }
                    parts.push(Part::Placeholder(placeholder));
                    rest = &rest[end + 1..];
                }
                b'}' => return Err(lone_brace()),
                _ => literal.push(byte),
            }
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Self { parts })
    }

    /// The pieces in order.
    pub(super) fn parts(&self) -> &[Part<P>] {
        &self.parts
    }

    /// The placeholders in order.
    pub(super) fn placeholders(&self) -> impl Iterator<Item = &P> {
        self.parts.iter().filter_map(|part| match part {
            Part::Placeholder(placeholder) => Some(placeholder),
            Part::Literal(_) => None,
        })
    }

    /// The word with every placeholder replaced by its value.
    pub(super) fn fill<'a>(&self, value: impl Fn(&P) -> Cow<'a, [u8]>) -> Word {
        let mut bytes = Vec::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => bytes.extend_from_slice(literal),
                Part::Placeholder(placeholder) => bytes.extend_from_slice(&value(placeholder)),
            }
        }
        Word::from(bytes)
    }

    /// The word, where it holds no placeholder.
    pub(super) fn fixed(&self) -> Option<Word> {
        match self.parts.as_slice() {
            [] => Some(Word::from("")),
            [Part::Literal(literal)] => Some(Word::from(literal.clone())),
            _ => None,
        }
    }
}

/// Programs that take source of their own after an option such as `-c`.
const SHELLS: [&[u8]; 10] = [b"sh", b"bash", b"dash", b"zsh", b"ksh", b"mksh", b"ash", b"fish", b"csh", b"tcsh"];

/// The word that a shell reads as source, where placeholders are in it: `sh -c 'echo {first}'`.
pub(super) fn spliced<P>(words: &[Template<P>]) -> Option<&Template<P>> {
    let fixed: Vec<_> = words.iter().map(Template::fixed).collect();
    let is_shell = |word: &Option<Word>| {
        let name = word.as_ref().and_then(|word| word.as_bytes().rsplit(|&byte| byte == b'/').next());
        name.is_some_and(|name| SHELLS.contains(&name))
    };
    let shell = fixed.iter().position(is_shell)?;
    let text = |place: usize| fixed[place].as_ref().map_or(&b""[..], Word::as_bytes);
    // `-o` takes a word of its own: -o pipefail.
    let is_option = |&place: &usize| {
        let before = text(place - 1);
        text(place).starts_with(b"-") || (place > shell + 1 && before.starts_with(b"-") && before.ends_with(b"o"))
    };
    let options = (shell + 1..fixed.len()).take_while(is_option).count();
    // Short options may stand together: -ec, -lc.
    let last = text(shell + options);
    let reads_source = options > 0 && !last.starts_with(b"--") && last.ends_with(b"c");
    words.get(shell + 1 + options).filter(|source| reads_source && source.placeholders().next().is_some())
}
