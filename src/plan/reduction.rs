//! Which merge the plan asks for; the room `reduce` carries it out.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::template::{Template, TemplateError, spliced};
use super::{Bins, Quantile, QuantileError, Word};

/// A merge, as the plan names it.
///
/// In documents it is spelled as on the command line, and one by a command as `{"with": [...]}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Spelling", into = "Spelling")]
pub enum Reduction {
    /// All numbers added; arrays element by element.
    Sum,
    /// All numbers multiplied; arrays element by element.
    Product,
    /// The least number; of arrays element by element.
    Min,
    /// The greatest number; of arrays element by element.
    Max,
    /// How many results.
    Count,
    /// The mean of all numbers.
    Mean,
    /// Count, mean, variance, skewness, kurtosis, least and greatest of all numbers.
    Stats,
    /// How many numbers fall into each bin.
    Histogram(Bins),
    /// Quantiles, with a stated error.
    Quantiles(Vec<Quantile>),
    /// The least number and its item.
    Argmin,
    /// The greatest number and its item.
    Argmax,
    /// The so many greatest numbers and their items.
    Top(NonZeroU32),
    /// Whether one is true.
    Any,
    /// Whether each is true.
    All,
    /// All payloads, one after another in item order.
    Concat,
    /// A row for each item: its values, and its result.
    Table,
    /// The files that programs left, in one place.
    Files,
    /// Each line once, sorted.
    Union,
    /// Results are objects: each named field by a merge of its own.
    Fields(Vec<(String, Self)>),
    /// A command of the user's that merges payload files.
    With(MergeCommand),
}

/// How documents hold a merge.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Spelling {
    Named(String),
    With(Command),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Command {
    with: MergeCommand,
}

impl TryFrom<Spelling> for Reduction {
    type Error = ReductionError;

    fn try_from(spelling: Spelling) -> Result<Self, ReductionError> {
        match spelling {
            Spelling::Named(name) => name.parse(),
            Spelling::With(Command { with }) => Ok(Self::With(with)),
        }
    }
}

impl From<Reduction> for Spelling {
    fn from(reduction: Reduction) -> Self {
        match reduction {
            Reduction::With(with) => Self::With(Command { with }),
            named => Self::Named(named.to_string()),
        }
    }
}

/// What a payload must hold for a merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Due {
    /// Numbers, one a line, or arrays of them; one at least.
    Numbers,
    /// The same, or objects that stand for several numbers.
    Summaries,
    /// Numbers, or counts by key.
    Counts,
    /// Numbers, true or false.
    Truths,
    /// Objects, or lines of the form `name=value`.
    Fields,
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
    /// Something after a name that is complete.
    #[error("{0} takes no argument")]
    NoArgument(&'static str),
    /// An argument that is missing or makes no sense.
    #[error("{reducer}: {why}")]
    Argument {
        /// The reducer's name.
        reducer: &'static str,
        /// What is wrong.
        why: String,
    },
    /// Not a field and its reducer.
    #[error("`{0}` is not of the form FIELD=REDUCER")]
    Field(String),
    /// One field, two reducers.
    #[error("the field `{0}` is named twice")]
    FieldTwice(String),
    /// A reducer that does not merge fields.
    #[error("the field `{field}` cannot be merged by {reducer}")]
    FieldBy {
        /// The field.
        field: String,
        /// The reducer.
        reducer: String,
    },
    /// Neither of the two ways.
    #[error("the merge command has to be a program with both {{left}} and {{right}}, or {{parts}} alone")]
    Operands,
    /// A brace that is no placeholder's.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

impl Reduction {
    /// How the merges with a name are spelled, those with arguments by example, in the order in which they are listed for people.
    pub const SPELLINGS: [&'static str; 22] = [
        "sum",
        "product",
        "min",
        "max",
        "count",
        "mean",
        "stats",
        "argmin",
        "argmax",
        "any",
        "all",
        "union",
        "concat",
        "table",
        "files",
        "histogram",
        "histogram:0,10,50",
        "histogram:0..1:0.1",
        "quantiles",
        "quantiles:0.5,0.9",
        "top:10",
        "hits=sum,energy=stats",
    ];

    /// The merges that are a name alone.
    const PLAIN: [(&'static str, Self); 15] = [
        ("sum", Self::Sum),
        ("product", Self::Product),
        ("min", Self::Min),
        ("max", Self::Max),
        ("count", Self::Count),
        ("mean", Self::Mean),
        ("stats", Self::Stats),
        ("argmin", Self::Argmin),
        ("argmax", Self::Argmax),
        ("any", Self::Any),
        ("all", Self::All),
        ("concat", Self::Concat),
        ("table", Self::Table),
        ("files", Self::Files),
        ("union", Self::Union),
    ];

    /// Whether it merges what results hold to one value, and does not keep all of every result.
    #[must_use]
    pub fn is_of_values(&self) -> bool {
        !matches!(self, Self::Concat | Self::Table | Self::Files | Self::With(_))
    }

    /// What each payload must hold.
    ///
    /// Where nothing is a result like any other (no text, no line, an empty set), anything is due. Everywhere else a
    /// blank result is that of a program that failed without saying so.
    #[must_use]
    pub fn due(&self) -> Due {
        match self {
            Self::Count | Self::Concat | Self::Table | Self::Files | Self::Union | Self::With(_) => Due::Anything,
            Self::Mean | Self::Stats => Due::Summaries,
            Self::Histogram(_) => Due::Counts,
            Self::Any | Self::All => Due::Truths,
            Self::Fields(_) => Due::Fields,
            Self::Sum | Self::Product | Self::Min | Self::Max => Due::Numbers,
            Self::Argmin | Self::Argmax | Self::Top(_) | Self::Quantiles(_) => Due::Numbers,
        }
    }
}

impl std::str::FromStr for Reduction {
    type Err = ReductionError;

    fn from_str(text: &str) -> Result<Self, ReductionError> {
        if text.contains('=') {
            return fields(text).map(Self::Fields);
        }
        let (name, argument) = match text.split_once(':') {
            Some((name, argument)) => (name, Some(argument)),
            None => (text, None),
        };
        let wrong = |reducer, why: &str| ReductionError::Argument { reducer, why: why.to_owned() };
        match (name, argument) {
            ("histogram", None) => Ok(Self::Histogram(Bins::Integers)),
            ("histogram", Some(edges)) => match edges.parse() {
                Ok(edges) => Ok(Self::Histogram(Bins::Edges(edges))),
                Err(error) => Err(wrong("histogram", &format!("{error}"))),
            },
            ("quantiles", None) => Ok(Self::Quantiles(Quantile::usual())),
            ("quantiles", Some(list)) => {
                let quantiles: Result<Vec<_>, _> = list.split(',').map(str::parse).collect();
                quantiles.map(Self::Quantiles).map_err(|error: QuantileError| wrong("quantiles", &error.to_string()))
            }
            ("top", None) => Err(wrong("top", "how many? such as top:10")),
            ("top", Some(number)) => match number.parse() {
                Ok(number) => Ok(Self::Top(number)),
                Err(_) => Err(wrong("top", &format!("`{number}` is not a whole number above 0"))),
            },
            ("fields", None) => {
                Err(wrong("fields", "each field is named with its reducer, such as 'hits=sum,energy=stats'"))
            }
            _ => match (Self::PLAIN.into_iter().find(|(plain, _)| *plain == name), argument) {
                (None, _) => Err(ReductionError::Unknown(name.to_owned())),
                (Some((_, reduction)), None) => Ok(reduction),
                (Some((plain, _)), Some(_)) => Err(ReductionError::NoArgument(plain)),
            },
        }
    }
}

/// Fields and their reducers, between commas; a comma that no `name=` follows belongs to a reducer's argument.
fn fields(text: &str) -> Result<Vec<(String, Reduction)>, ReductionError> {
    let mut parts: Vec<(&str, String)> = Vec::new();
    for part in text.split(',') {
        match (part.split_once('='), parts.last_mut()) {
            (Some((name, reducer)), _) => parts.push((name, reducer.to_owned())),
            (None, Some((_, reducer))) => {
                reducer.push(',');
                reducer.push_str(part);
            }
            (None, None) => return Err(ReductionError::Field(part.to_owned())),
        }
    }
    let mut fields: Vec<(String, Reduction)> = Vec::new();
    for (name, reducer) in parts {
        if !is_field_name(name) || reducer.is_empty() {
            return Err(ReductionError::Field(format!("{name}={reducer}")));
        }
        if fields.iter().any(|(earlier, _)| earlier == name) {
            return Err(ReductionError::FieldTwice(name.to_owned()));
        }
        let reduction: Reduction = reducer.parse()?;
        if !reduction.is_of_values() || matches!(reduction, Reduction::Fields(_)) {
            return Err(ReductionError::FieldBy { field: name.to_owned(), reducer });
        }
        fields.push((name.to_owned(), reduction));
    }
    Ok(fields)
}

/// Whether `name` can be a field's: a letter or `_`, then letters, digits, `_`, `-` and `.`.
#[must_use]
pub fn is_field_name(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.'))
}

impl std::fmt::Display for Reduction {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::With(command) => {
                let words: Vec<_> = command.words.iter().map(Word::quoted).collect();
                out.write_str(&words.join(" "))
            }
            Self::Histogram(Bins::Integers) => out.write_str("histogram"),
            Self::Histogram(Bins::Edges(edges)) => write!(out, "histogram:{edges}"),
            Self::Quantiles(quantiles) if *quantiles == Quantile::usual() => out.write_str("quantiles"),
            Self::Quantiles(quantiles) => {
                let texts: Vec<_> = quantiles.iter().map(ToString::to_string).collect();
                write!(out, "quantiles:{}", texts.join(","))
            }
            Self::Top(number) => write!(out, "top:{number}"),
            Self::Fields(fields) => {
                let texts: Vec<_> = fields.iter().map(|(name, reducer)| format!("{name}={reducer}")).collect();
                out.write_str(&texts.join(","))
            }
            plain => {
                let named = Self::PLAIN.into_iter().find(|(_, reduction)| reduction == plain);
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
        self.templates.iter().map(|template| template.fill(|operand| value(*operand).into())).collect()
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
    use proptest::prelude::*;

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

    fn check(text: &str) {
        let reduction: Reduction = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(reduction.to_string(), text);
        let document = serde_json::to_string(&reduction).expect("plain values");
        assert_eq!(document, format!("{text:?}"));
        assert_eq!(serde_json::from_str::<Reduction>(&document).expect("as written"), reduction);
    }

    #[test]
    fn names_are_read_as_they_are_shown() {
        for (name, reduction) in Reduction::PLAIN {
            assert_eq!(name.parse(), Ok(reduction));
            check(name);
        }
        for text in
            ["histogram", "histogram:0,10,20.5", "histogram:-1..1:0.25", "quantiles", "quantiles:0.5,.9", "top:10"]
        {
            check(text);
        }
        assert_eq!("quantiles:0,0.01,0.05,0.25,0.5,0.75,0.95,0.99,1".parse(), "quantiles".parse::<Reduction>());
    }

    #[test]
    fn every_spelling_is_one() {
        Reduction::SPELLINGS.into_iter().for_each(check);
        assert!(Reduction::PLAIN.iter().all(|(name, _)| Reduction::SPELLINGS.contains(name)));
    }

    #[test]
    fn a_comma_starts_a_field_only_where_a_name_follows() {
        check("hits=sum,energy=stats,best=min");
        check("x=histogram:0,10,20,y=top:3,z=quantiles:0.1,0.2");
        let Ok(Reduction::Fields(fields)) = "x=histogram:0,10,20,y=top:3".parse() else { panic!("these are fields") };
        assert_eq!(fields.len(), 2);
        assert_eq!(fields[0].1.to_string(), "histogram:0,10,20");
    }

    #[test]
    fn a_merge_by_a_command_is_a_list_of_words() {
        let command = Reduction::With(merge(&["m", "{parts}"]).expect("a list"));
        let document = r#"{"with":["m","{parts}"]}"#;
        assert_eq!(serde_json::to_string(&command).expect("plain values"), document);
        assert_eq!(serde_json::from_str::<Reduction>(document).expect("as written"), command);
        assert!(serde_json::from_str::<Reduction>(r#"{"with":["m"]}"#).is_err());
        assert!(serde_json::from_str::<Reduction>(r#"{"with":["m","{parts}"],"by":1}"#).is_err());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let mut shown = String::new();
        for text in [
            "",
            "summ",
            "sum:3",
            "mean:",
            "top",
            "top:0",
            "top:-1",
            "top:x",
            "fields",
            "fields:a",
            "quantiles:",
            "quantiles:1.5",
            "quantiles:0.5,",
            "quantiles:1e-3",
            "histogram:",
            "histogram:1",
            "histogram:1,1",
            "histogram:2,1",
            "histogram:1,x",
            "histogram:0..1",
            "histogram:0..1:0",
            "histogram:0..1:0.3",
            "histogram:1..0:0.1",
            "histogram:nan,1",
            "histogram:0..1e9:1",
            "a=",
            "=sum",
            "a=sum,a=min",
            "a=sum,=min",
            "1=sum",
            "a b=sum",
            "sum,a=min",
            "a=b=sum",
            "a=concat",
            "a=summ",
            "a=sum,b",
            "histogram:0,inf",
        ] {
            let error = text.parse::<Reduction>().expect_err(text);
            shown += &format!("{text}: {error}\n");
        }
        insta::assert_snapshot!(shown);
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_reads_back(text in "[a-z]{0,3}(sum|top|quantiles|histogram)?[=:]?[0-9.,:=a-z-]{0,12}") {
            if let Ok(reduction) = text.parse::<Reduction>() {
                prop_assert_eq!(reduction.to_string().parse::<Reduction>(), Ok(reduction));
            }
        }
    }
}
