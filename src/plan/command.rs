//! The user's command with its placeholders.

use serde::{Deserialize, Serialize};

use super::Word;
use super::template::{Part, Template, TemplateError, spliced};
use crate::cut::Cut;
use crate::space::{Interval, Space};

/// What stands in braces in a command, and in the environment as `SPLIT_FIRST`, ....
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// The first item's value.
    First,
    /// The last item's value, included.
    Last,
    /// The same as `First`: where a half-open loop starts.
    Start,
    /// One step past the last item's value: where a half-open loop stops.
    Stop,
    /// The distance between neighbouring items.
    Step,
    /// How many items.
    Count,
    /// The chunk's number, from 0.
    Chunk,
    /// The number of chunks.
    Chunks,
    /// A path: what the program writes there is its result, in place of what it prints.
    Result,
}

impl Placeholder {
    /// All of them, in the order in which they are listed for people.
    pub const ALL: [Self; 9] = [
        Self::First,
        Self::Last,
        Self::Start,
        Self::Stop,
        Self::Step,
        Self::Count,
        Self::Chunk,
        Self::Chunks,
        Self::Result,
    ];

    /// The name between the braces.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Last => "last",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Step => "step",
            Self::Count => "count",
            Self::Chunk => "chunk",
            Self::Chunks => "chunks",
            Self::Result => "result",
        }
    }

    /// The name of the variable in a program's environment.
    #[must_use]
    pub fn variable(self) -> &'static str {
        match self {
            Self::First => "SPLIT_FIRST",
            Self::Last => "SPLIT_LAST",
            Self::Start => "SPLIT_START",
            Self::Stop => "SPLIT_STOP",
            Self::Step => "SPLIT_STEP",
            Self::Count => "SPLIT_COUNT",
            Self::Chunk => "SPLIT_CHUNK",
            Self::Chunks => "SPLIT_CHUNKS",
            Self::Result => "SPLIT_RESULT",
        }
    }

    fn names_items(self) -> bool {
        matches!(self, Self::First | Self::Last | Self::Start | Self::Stop)
    }

    fn depends_on_the_cut(self) -> bool {
        matches!(self, Self::Chunk | Self::Chunks)
    }
}

/// What the placeholders stand for in one run of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bindings {
    values: [Word; 9],
}

impl Bindings {
    /// The values for a run over `items`, as part of chunk number `chunk` of `cut`, whose result may go to the path
    /// `result`.
    ///
    /// # Panics
    /// Where the space does not hold `items`.
    #[must_use]
    pub fn new(space: &Space, cut: &Cut, chunk: u64, items: Interval, result: Word) -> Self {
        let Space::Range(range) = space;
        let text = |number: &dyn ToString| Word::from(number.to_string().as_str());
        let first = text(&range.value(items.start()));
        Self {
            values: [
                first.clone(),
                text(&range.value(items.last())),
                first,
                text(&range.stop_text(items)),
                text(&range.step()),
                text(&items.count()),
                text(&chunk),
                text(&cut.chunks()),
                result,
            ],
        }
    }

    /// What `placeholder` stands for.
    #[must_use]
    pub fn get(&self, placeholder: Placeholder) -> &Word {
        &self.values[placeholder as usize]
    }
}

/// The words of a command, checked: every brace in them is a placeholder's or a doubled one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Word>", into = "Vec<Word>")]
pub struct Command {
    words: Vec<Word>,
    parsed: Vec<Template<Placeholder>>,
}

/// Why words are no command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Not a single word.
    #[error("the command is empty")]
    Empty,
    /// A brace that is no placeholder's.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The name of the program varies.
    #[error("the program itself, {word}, depends on the chunk")]
    ProgramVaries {
        /// The first word, as typed.
        word: String,
    },
}

impl Command {
    /// The words as typed.
    #[must_use]
    pub fn words(&self) -> &[Word] {
        &self.words
    }

    /// Whether the command says which items to compute.
    #[must_use]
    pub fn mentions_items(&self) -> bool {
        self.placeholders().any(Placeholder::names_items)
    }

    /// Whether the program is told where to write its result.
    #[must_use]
    pub fn mentions_result(&self) -> bool {
        self.placeholders().any(|placeholder| placeholder == Placeholder::Result)
    }

    /// Whether what is computed for an item depends on how the space is cut.
    #[must_use]
    pub fn depends_on_the_cut(&self) -> bool {
        self.placeholders().any(Placeholder::depends_on_the_cut)
    }

    /// The words as the program gets them.
    #[must_use]
    pub fn fill(&self, bindings: &Bindings) -> Vec<Word> {
        let value = |placeholder: &Placeholder| bindings.get(*placeholder).as_bytes();
        self.parsed.iter().map(|template| template.fill(value)).collect()
    }

    /// Each word without placeholders as the program gets it, `None` for those that vary.
    pub fn fixed_words(&self) -> impl Iterator<Item = Option<Word>> {
        self.parsed.iter().map(Template::fixed)
    }

    /// The placeholders that become part of a shell's source, as in `sh -c 'echo {first}'`: each once, in order.
    #[must_use]
    pub fn spliced_into_shell(&self) -> Vec<Placeholder> {
        let mut found = Vec::new();
        for placeholder in spliced(&self.parsed).into_iter().flat_map(Template::placeholders) {
            if !found.contains(placeholder) {
                found.push(*placeholder);
            }
        }
        found
    }

    fn placeholders(&self) -> impl Iterator<Item = Placeholder> {
        self.parsed.iter().flat_map(Template::placeholders).copied()
    }
}

impl TryFrom<Vec<Word>> for Command {
    type Error = CommandError;

    fn try_from(words: Vec<Word>) -> Result<Self, CommandError> {
        let lookup = |name: &[u8]| Placeholder::ALL.into_iter().find(|known| known.name().as_bytes() == name);
        let parsed: Vec<_> = words.iter().map(|word| Template::parse(word, lookup)).collect::<Result<_, _>>()?;
        match parsed.first().map(Template::parts) {
            None | Some([]) => Err(CommandError::Empty),
            Some([Part::Literal(_)]) => Ok(Self { words, parsed }),
            Some(_) => Err(CommandError::ProgramVaries { word: words[0].quoted() }),
        }
    }
}

impl From<Command> for Vec<Word> {
    fn from(command: Command) -> Self {
        command.words
    }
}

impl std::fmt::Display for Command {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words: Vec<_> = self.words.iter().map(Word::quoted).collect();
        out.write_str(&words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn command(words: &[&str]) -> Result<Command, CommandError> {
        words.iter().map(|&word| Word::from(word)).collect::<Vec<_>>().try_into()
    }

    fn bindings(chunk: u64) -> Bindings {
        let space = Space::Range("0..=1000:5".parse().expect("a range"));
        let cut = Cut::into_chunks(space.count(), 20).expect("a cut");
        let items = cut.chunk(space.count(), chunk);
        Bindings::new(&space, &cut, chunk, items, Word::from("/scratch/result"))
    }

    #[test]
    fn what_a_shell_would_read_as_source_is_found() {
        use Placeholder::{First, Last};
        let check = |words: &[&str], spliced: &[Placeholder]| {
            assert_eq!(command(words).expect("a command").spliced_into_shell(), spliced, "{words:?}");
        };
        check(&["sh", "-c", "echo {first} {last} {first}"], &[First, Last]);
        check(&["env", "A=1", "/bin/bash", "-e", "-uo", "pipefail", "-c", "echo {first}"], &[First]);
        check(&["nice", "/bin/bash", "-x", "-lc", "echo {first}"], &[First]);
        check(&["sh", "-c", "echo $1", "sh", "{first}"], &[]);
        check(&["sh", "run.sh", "{first}"], &[]);
        check(&["sh", "{first}"], &[]);
        check(&["python3", "-c", "print({first})"], &[]);
        check(&["sh", "-c"], &[]);
    }

    #[test]
    fn every_placeholder_is_filled_inside_words_too() {
        let command = command(&[
            "sum.py",
            "--from={first}:{last}",
            "{start}{stop}",
            "{step}/{count}",
            "{chunk} of {chunks}",
            "{{first}}",
            "--out={result}",
            "",
        ])
        .expect("a command");
        let filled: Vec<_> = command
            .fill(&bindings(1))
            .iter()
            .map(|word| String::from_utf8_lossy(word.as_bytes()).into_owned())
            .collect();
        assert_eq!(
            filled,
            ["sum.py", "--from=55:100", "55105", "5/10", "1 of 20", "{first}", "--out=/scratch/result", ""]
        );
        let fixed: Vec<_> = command.fixed_words().map(|word| word.is_some()).collect();
        assert_eq!(fixed, [true, false, false, false, false, true, false, true]);
    }

    #[test]
    fn what_is_no_command() {
        let check = |words: &[&str], message: &str| {
            assert_eq!(command(words).expect_err(message).to_string(), message);
        };
        check(&[], "the command is empty");
        check(&[""], "the command is empty");
        check(&["awk", "{print $1}"], "`{print $1}` in '{print $1}' stands for nothing");
        check(&["x", "{}"], "`{}` in {} stands for nothing");
        check(&["x", "{first"], "a lone brace in {first");
        check(&["x", "first}"], "a lone brace in first}");
        check(&["x{chunk}"], "the program itself, x{chunk}, depends on the chunk");
    }

    proptest! {
        #[test]
        fn doubled_braces_carry_any_bytes(bytes in prop::collection::vec(1u8.., 0..60)) {
            let doubled: Vec<u8> =
                bytes.iter().flat_map(|&byte| vec![byte; if byte == b'{' || byte == b'}' { 2 } else { 1 }]).collect();
            let command = Command::try_from(vec![Word::from("x"), Word::from(doubled)]).expect("a command");
            let filled = command.fill(&bindings(0));
            prop_assert_eq!(filled[1].as_bytes(), &bytes[..]);
        }
    }
}
