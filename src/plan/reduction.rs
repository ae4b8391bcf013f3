//! Which merge the plan asks for; the room `reduce` carries it out.

use serde::{Deserialize, Serialize};

use super::Word;
use super::template::{Template, TemplateError, spliced};

/// A merge, as the plan names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Reduction {
    /// All numbers added.
    Sum,
    /// All numbers multiplied.
    Product,
    /// The least number.
    Min,
    /// The greatest number.
    Max,
    /// How many results.
    Count,
    /// All payloads, one after another in item order.
    Concat,
    /// A command of the user's that merges payload files.
    With(MergeCommand),
}

/// What a payload must hold for a merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Due {
    /// At least one number, one a line.
    Numbers,
    /// Anything, also nothing.
    Anything,
}

/// The words of `--reduce-with`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Word>", into = "Vec<Word>")]
pub struct MergeCommand {
    words: Vec<Word>,
    templates: Vec<Template<Operand>>,
}

/// What the merge command gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// The payload file of the earlier items.
    Left,
    /// The payload file of the later items.
    Right,
    /// A file that lists any number of payload files, one a line, in item order.
    Parts,
}

/// Why words are no merge command, or a name no merge.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReductionError {
    /// Not one of ours.
    #[error("there is no reducer `{0}`")]
    Unknown(String),
    /// Neither of the two ways.
    #[error("the merge command has to be a program with both {{left}} and {{right}}, or {{parts}} alone")]
    Operands,
    /// A brace that is no placeholder's.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

impl Reduction {
    /// The merges with a name, in the order in which they are listed for people.
    pub const NAMED: [(&'static str, Self); 6] = [
        ("sum", Self::Sum),
        ("product", Self::Product),
        ("min", Self::Min),
        ("max", Self::Max),
        ("count", Self::Count),
        ("concat", Self::Concat),
    ];

    /// What each payload must hold.
    #[must_use]
    pub fn due(&self) -> Due {
        match self {
            Self::Sum | Self::Product | Self::Min | Self::Max => Due::Numbers,
            Self::Count | Self::Concat | Self::With(_) => Due::Anything,
        }
    }
}

impl std::str::FromStr for Reduction {
    type Err = ReductionError;

    fn from_str(text: &str) -> Result<Self, ReductionError> {
        let named = Self::NAMED.into_iter().find(|(name, _)| *name == text);
        named.map(|(_, reduction)| reduction).ok_or_else(|| ReductionError::Unknown(text.to_owned()))
    }
}

impl std::fmt::Display for Reduction {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::With(command) => {
                let words: Vec<_> = command.words.iter().map(Word::quoted).collect();
                out.write_str(&words.join(" "))
            }
            _ => {
                let named = Self::NAMED.into_iter().find(|(_, reduction)| reduction == self);
                out.write_str(named.map_or("", |(name, _)| name))
            }
        }
    }
}

impl MergeCommand {
    /// Whether it takes a list of payload files, and not two of them.
    #[must_use]
    pub fn takes_parts(&self) -> bool {
        self.templates.iter().flat_map(Template::placeholders).any(|operand| *operand == Operand::Parts)
    }

    /// Whether the files' paths become part of a shell's source, as in `sh -c 'sort -m {left} {right}'`.
    #[must_use]
    pub fn splices_into_shell(&self) -> bool {
        spliced(&self.templates).is_some()
    }

    /// Each word without placeholders.
    pub fn fixed_words(&self) -> impl Iterator<Item = Word> {
        self.templates.iter().filter_map(Template::fixed)
    }

    /// The words as the command gets them.
    #[must_use]
    pub fn fill<'a>(&self, value: impl Fn(Operand) -> &'a [u8]) -> Vec<Word> {
        self.templates.iter().map(|template| template.fill(|operand| value(*operand))).collect()
    }
}

impl TryFrom<Vec<Word>> for MergeCommand {
    type Error = ReductionError;

    fn try_from(words: Vec<Word>) -> Result<Self, ReductionError> {
        let lookup = |name: &[u8]| match name {
            b"left" => Some(Operand::Left),
            b"right" => Some(Operand::Right),
            b"parts" => Some(Operand::Parts),
            _ => None,
        };
        let templates: Vec<_> = words.iter().map(|word| Template::parse(word, lookup)).collect::<Result<_, _>>()?;
        let nameless = |program: &Template<Operand>| program.fixed().is_none_or(|word| word.as_bytes().is_empty());
        if templates.first().is_none_or(nameless) {
            return Err(ReductionError::Operands);
        }
        let has = |wanted: Operand| templates.iter().flat_map(Template::placeholders).any(|operand| *operand == wanted);
        let operands = (has(Operand::Left), has(Operand::Right), has(Operand::Parts));
        if !matches!(operands, (true, true, false) | (false, false, true)) {
            return Err(ReductionError::Operands);
        }
        Ok(Self { words, templates })
    }
}

impl From<MergeCommand> for Vec<Word> {
    fn from(command: MergeCommand) -> Self {
        command.words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merge(words: &[&str]) -> Result<MergeCommand, ReductionError> {
        words.iter().map(|&word| Word::from(word)).collect::<Vec<_>>().try_into()
    }

    #[test]
    fn merge_commands_take_two_files_or_a_list() {
        assert!(!merge(&["m", "{left}", "{right}"]).expect("two files").takes_parts());
        assert!(merge(&["m", "--list={parts}"]).expect("a list").takes_parts());
        assert!(merge(&["sh", "-c", "cat {parts}"]).expect("a list").splices_into_shell());
        assert!(!merge(&["sh", "-c", "cat \"$1\"", "sh", "{parts}"]).expect("a list").splices_into_shell());
        for words in [&["m"][..], &["m", "{left}"], &["m", "{left}", "{right}", "{parts}"]] {
            assert_eq!(merge(words), Err(ReductionError::Operands));
        }
        assert!(matches!(merge(&["m", "{first}"]), Err(ReductionError::Template(_))));
    }

    #[test]
    fn names_are_read_as_they_are_shown() {
        for (name, reduction) in Reduction::NAMED {
            assert_eq!(name.parse(), Ok(reduction.clone()));
            assert_eq!(reduction.to_string(), name);
        }
        assert_eq!("summ".parse::<Reduction>(), Err(ReductionError::Unknown("summ".to_owned())));
    }
}
