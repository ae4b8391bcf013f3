//! The files that come back beside results: patterns of names (`--collect`), and names that items have to leave
//! (`--expect`). All are relative to the folder that the program starts in, and none leads out of it.

use glob::{MatchOptions, Pattern};
use serde::{Deserialize, Serialize};

use super::field::{self, Field};
use super::template::Template;
use super::{Bindings, Placeholder, Slot, TemplateError, Word};
use crate::space::Space;

/// As shells match names: a leading dot is matched by a dot alone.
const AS_SHELLS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// A pattern of files below the folder that the program starts in. `*`, `?` and `[a-z]` are a shell's; `**` stands for any
/// folders, or for all files below one where it comes last. Names that are not UTF-8 are matched as they are shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Word", into = "Word")]
pub struct FilePattern {
    word: Word,
    parts: Vec<PatternPart>,
}

/// What a pattern says of one name of a path, or, as `**`, of any number of folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatternPart {
    /// `**`
    Folders,
    /// Anything else.
    Name(Pattern),
}

/// Why a text names no files that can come back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilePatternError {
    /// It is empty, or names the folder itself.
    #[error("it names no file")]
    Nothing,
    /// It starts at the root.
    #[error("it is not relative to the folder that the program starts in")]
    Absolute,
    /// It leads out of the folder.
    #[error("`..` leads out of the folder that the program starts in")]
    Above,
    /// It is not UTF-8.
    #[error("it is not UTF-8")]
    NotText,
    /// Its wildcards make no sense.
    #[error("{0}")]
    Wildcards(&'static str),
    /// A brace that stands for nothing.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A path of the job's own in a name.
    #[error("`{{{0}}}` is a path of its own")]
    OwnPath(&'static str),
}

impl FilePattern {
    /// As typed.
    #[must_use]
    pub fn word(&self) -> &Word {
        &self.word
    }

    /// What it says of the names of a path, from the first on.
    #[must_use]
    pub fn parts(&self) -> &[PatternPart] {
        &self.parts
    }
}

impl PatternPart {
    /// What `parts`, of a pattern, say of an entry of a folder: whether a file of this name matches; what they say of
    /// the entries of a folder of this name is added to `below`.
    pub fn step<'a>(parts: &'a [Self], name: &str, below: &mut Vec<&'a [Self]>) -> bool {
        match parts {
            [] => false,
            [Self::Folders, rest @ ..] => {
                let is_plain = !name.starts_with('.');
                if is_plain && !below.iter().any(|other| std::ptr::eq(*other, parts)) {
                    below.push(parts);
                }
                if rest.is_empty() { is_plain } else { Self::step(rest, name, below) }
            }
            [Self::Name(pattern), rest @ ..] => {
                let matches = pattern.matches_with(name, AS_SHELLS);
                if matches && !rest.is_empty() && !below.iter().any(|other| std::ptr::eq(*other, rest)) {
                    below.push(rest);
                }
                matches && rest.is_empty()
            }
        }
    }
}

/// The names of a relative path that stays below where it starts.
fn names(path: &[u8]) -> Result<Vec<&[u8]>, FilePatternError> {
    if path.first() == Some(&b'/') {
        return Err(FilePatternError::Absolute);
    }
    let names: Vec<_> = path.split(|&byte| byte == b'/').filter(|name| !matches!(*name, b"." | b"")).collect();
    if names.contains(&&b".."[..]) {
        return Err(FilePatternError::Above);
    }
    if names.is_empty() || path.ends_with(b"/") { Err(FilePatternError::Nothing) } else { Ok(names) }
}

impl TryFrom<Word> for FilePattern {
    type Error = FilePatternError;

    fn try_from(word: Word) -> Result<Self, FilePatternError> {
        let part = |name: &[u8]| {
            if name == b"**" {
                return Ok(PatternPart::Folders);
            }
            let text = std::str::from_utf8(name).map_err(|_| FilePatternError::NotText)?;
            let pattern = Pattern::new(text).map_err(|error| FilePatternError::Wildcards(error.msg))?;
            Ok(PatternPart::Name(pattern))
        };
        let parts = names(word.as_bytes())?.into_iter().map(part).collect::<Result<_, FilePatternError>>()?;
        Ok(Self { word, parts })
    }
}

impl From<FilePattern> for Word {
    fn from(pattern: FilePattern) -> Self {
        pattern.word
    }
}

/// The name of a file that an item has to leave, with placeholders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Word", into = "Word")]
pub struct FileTemplate {
    word: Word,
    template: Template<Field>,
}

impl FileTemplate {
    /// As typed.
    #[must_use]
    pub fn word(&self) -> &Word {
        &self.word
    }

    /// Checks that each brace stands for something in this space.
    ///
    /// # Errors
    /// For the first that does not.
    pub fn check(&self, space: &Space) -> Result<(), TemplateError> {
        field::check(&self.word, &self.template, space, &[])
    }

    /// The name for one item of a run. What belongs to the run as a whole (`{first}`, `{chunk}`) is taken from `run`, what
    /// belongs to the item from `item`.
    ///
    /// # Errors
    /// Where its values make it lead out of the folder that the program starts in.
    pub fn fill(&self, run: &Bindings, item: &Bindings) -> Result<Word, FilePatternError> {
        let name = self.template.fill(|field| {
            let of_run = matches!(&field.slot, Slot::Known(known) if !known.is_of_one_item());
            let value = if of_run { run } else { item }.get(&field.slot);
            field.write(value.map_or(&b""[..], Word::as_bytes))
        });
        let names = names(name.as_bytes())?;
        Ok(Word::from(names.join(&b'/')))
    }
}

impl TryFrom<Word> for FileTemplate {
    type Error = FilePatternError;

    fn try_from(word: Word) -> Result<Self, FilePatternError> {
        let template = Template::parse(&word, Field::parse)?;
        for field in template.placeholders() {
            if let Slot::Known(known @ (Placeholder::Result | Placeholder::Items)) = field.slot {
                return Err(FilePatternError::OwnPath(known.name()));
            }
        }
        // Whatever the values are: a value in place of each.
        names(template.fill(|_| b"x".into()).as_bytes())?;
        Ok(Self { word, template })
    }
}

impl From<FileTemplate> for Word {
    fn from(template: FileTemplate) -> Self {
        template.word
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> Result<FilePattern, FilePatternError> {
        Word::from(text).try_into()
    }

    /// Whether a path matches, looked at as a walk through folders does.
    fn matches(pattern: &FilePattern, path: &str) -> bool {
        let names: Vec<_> = path.split('/').collect();
        let mut at = vec![pattern.parts()];
        for name in &names[..names.len() - 1] {
            let mut below = Vec::new();
            for parts in at {
                PatternPart::step(parts, name, &mut below);
            }
            at = below;
        }
        let last = names.last().expect("a name");
        at.iter().any(|parts| PatternPart::step(parts, last, &mut Vec::new()))
    }

    #[test]
    fn patterns_match_as_a_shells() {
        let check = |text: &str, yes: &[&str], no: &[&str]| {
            let pattern = pattern(text).expect(text);
            assert!(yes.iter().all(|path| matches(&pattern, path)), "{text}");
            assert!(!no.iter().any(|path| matches(&pattern, path)), "{text}");
        };
        check("frame_*.png", &["frame_1.png", "frame_.png"], &["frame_1.jpg", "out/frame_1.png", "Frame_1.png"]);
        check("./out/*/x?", &["out/a/x1"], &["out/x1", "out/a/b/x1", "out/.a/x1"]);
        check("out/**", &["out/a", "out/a/b/c"], &["out", "a", "out/.a", "out/.a/b"]);
        check("**/*.txt", &["a.txt", "b/a.txt", "b/c/a.txt"], &["a.csv", ".b/a.txt", "b/.a.txt"]);
        check("a/**/**/b", &["a/b", "a/x/b", "a/x/y/z/b"], &["a", "b", "x/a/b"]);
        check("[a-c]*", &["a", "cx"], &["d", ""]);
        check(".hidden/*", &[".hidden/a"], &["hidden/a"]);
    }

    #[test]
    fn what_is_no_pattern() {
        let check = |text: &str, message: &str| {
            assert_eq!(pattern(text).expect_err(message).to_string(), message, "{text}");
        };
        check("", "it names no file");
        check(".", "it names no file");
        check("out/", "it names no file");
        check("/tmp/*", "it is not relative to the folder that the program starts in");
        check("out/../../*", "`..` leads out of the folder that the program starts in");
        check("a**b", "recursive wildcards must form a single path component");
        check("[a", "invalid range pattern");
    }

    #[test]
    fn templates_stay_below_the_folder() {
        let template = |text: &str| FileTemplate::try_from(Word::from(text)).map_err(|error| error.to_string());
        assert!(template("frame_{item:05}.png").is_ok());
        assert!(template("{name}/out").is_ok());
        assert_eq!(template("/x{item}"), Err("it is not relative to the folder that the program starts in".to_owned()));
        assert_eq!(template("{item}/.."), Err("`..` leads out of the folder that the program starts in".to_owned()));
        assert_eq!(template("{result}.x"), Err("`{result}` is a path of its own".to_owned()));
        assert_eq!(template("{item"), Err("a lone brace in {item".to_owned()));
    }

    proptest! {
        #[test]
        fn as_the_crate_matches_whole_paths(
            text in prop::collection::vec(prop_oneof![Just("**"), Just("*"), Just("a"), Just("?b"), Just("[ab]*")], 1..5),
            path in prop::collection::vec(prop_oneof![Just("a"), Just("b"), Just("ab"), Just("abb")], 1..5),
        ) {
            let (text, path) = (text.join("/"), path.join("/"));
            let expected = Pattern::new(&text).expect("a pattern").matches_with(&path, AS_SHELLS);
            prop_assert_eq!(matches(&pattern(&text).expect("a pattern"), &path), expected, "{} {}", text, path);
        }
    }
}
