//! The user's command with its placeholders.

use serde::{Deserialize, Serialize};

use super::Word;
use super::template::{Part, Template, TemplateError, spliced};
use crate::cut::Cut;
use crate::space::{self, Interval, Rows, Space};

/// What stands in braces in a command, and in the environment as `SPLIT_FIRST`, ....
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// The first item's value; in a parameter space its number, from 0.
    First,
    /// The last item's value, included; in a parameter space its number.
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
    /// The item's value in a range (also where that is combined with other names), else its number, from 0.
    Item,
    /// A path: a CSV file with a row for each item.
    Items,
    /// 64 bits for random numbers; of several items, those of the first.
    Seed,
    /// The same in 31 bits.
    Seed31,
}

impl Placeholder {
    /// All of them, in the order in which they are listed for people.
    pub const ALL: [Self; 13] = [
        Self::First,
        Self::Last,
        Self::Start,
        Self::Stop,
        Self::Step,
        Self::Count,
        Self::Chunk,
        Self::Chunks,
        Self::Result,
        Self::Item,
        Self::Items,
        Self::Seed,
        Self::Seed31,
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
            Self::Item => "item",
            Self::Items => "items",
            Self::Seed => "seed",
            Self::Seed31 => "seed31",
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
            Self::Item => "SPLIT_ITEM",
            Self::Items => "SPLIT_ITEMS",
            Self::Seed => "SPLIT_SEED",
            Self::Seed31 => "SPLIT_SEED31",
        }
    }

    /// Says which items one run is to compute, several as well as one.
    fn names_an_interval(self) -> bool {
        matches!(self, Self::First | Self::Last | Self::Start | Self::Stop | Self::Count | Self::Items)
    }

    fn depends_on_the_cut(self) -> bool {
        matches!(self, Self::Chunk | Self::Chunks)
    }
}

/// What stands in braces in a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slot {
    /// One of [`Placeholder::ALL`].
    Known(Placeholder),
    /// Any other text: a name of the space.
    Name(String),
}

impl Slot {
    /// What stands between the braces.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Known(placeholder) => placeholder.name(),
            Self::Name(name) => name,
        }
    }

    /// The variable in a program's environment: for a name of the space `SPLIT_` and the name in upper case, with `_` for
    /// whatever is neither an ASCII letter nor a digit.
    #[must_use]
    pub fn variable(&self) -> String {
        match self {
            Self::Known(placeholder) => placeholder.variable().to_owned(),
            Self::Name(name) => {
                let letter =
                    |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' };
                format!("SPLIT_{}", name.chars().map(letter).collect::<String>())
            }
        }
    }
}

/// One run of the user's program.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// The space.
    pub space: &'a Space,
    /// The rows of the items, where they are kept beside the plan.
    pub rows: &'a Rows,
    /// How the space is cut.
    pub cut: &'a Cut,
    /// The plan's seed.
    pub seed: u64,
    /// The chunk's number.
    pub chunk: u64,
    /// The items that the run computes.
    pub items: Interval,
    /// Where the result may go.
    pub result: &'a Word,
    /// The CSV file with the items' rows.
    pub items_file: &'a Word,
}

/// What the placeholders stand for in one run of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bindings {
    values: [Word; 13],
    /// The names of the space and their values, where the run is about one item.
    names: Vec<(String, Word)>,
}

impl Bindings {
    /// The values for a run; `None` where the rows that it needs are not at hand.
    ///
    /// # Panics
    /// Where the space does not hold the items.
    #[must_use]
    pub fn new(run: Run<'_>) -> Option<Self> {
        let Run { space, items, .. } = run;
        let text = |number: &dyn ToString| Word::from(number.to_string().as_str());
        let (first, last, stop, step) = match space {
            Space::Range(range) => (
                text(&range.value(items.start())),
                text(&range.value(items.last())),
                text(&range.stop_text(items)),
                text(&range.step()),
            ),
            Space::Parameters(_) => (text(&items.start()), text(&items.last()), text(&items.stop()), text(&1)),
        };
        let mut names = Vec::new();
        if items.count() == 1 {
            let row = space.row(items.start(), run.rows)?;
            let word = |value: std::borrow::Cow<'_, [u8]>| Word::from(value.into_owned());
            names = space.names().into_iter().map(str::to_owned).zip(row.into_iter().map(word)).collect();
        }
        let named = names.iter().find(|(name, _)| name == space::ITEM).map(|(_, value)| value.clone());
        let values = [
            first.clone(),
            last,
            first.clone(),
            stop,
            step,
            text(&items.count()),
            text(&run.chunk),
            text(&run.cut.chunks()),
            run.result.clone(),
            named.unwrap_or(first),
            run.items_file.clone(),
            text(&space::seed(run.seed, items.start())),
            text(&space::seed31(run.seed, items.start())),
        ];
        names.retain(|(name, _)| name != space::ITEM);
        Some(Self { values, names })
    }

    /// What stands for `slot`; nothing for a name that the space does not have, or of which the run has several values.
    #[must_use]
    pub fn get(&self, slot: &Slot) -> Option<&Word> {
        match slot {
            Slot::Known(placeholder) => Some(&self.values[*placeholder as usize]),
            Slot::Name(wanted) => self.names.iter().find(|(name, _)| name == wanted).map(|(_, value)| value),
        }
    }

    /// All that there is, for the program's environment.
    pub fn slots(&self) -> impl Iterator<Item = (Slot, &Word)> {
        let known = Placeholder::ALL.into_iter().map(Slot::Known).zip(&self.values);
        known.chain(self.names.iter().map(|(name, value)| (Slot::Name(name.clone()), value)))
    }
}

/// The words of a command, checked: every brace in them is a placeholder's or a doubled one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Word>", into = "Vec<Word>")]
pub struct Command {
    words: Vec<Word>,
    parsed: Vec<Template<Slot>>,
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
        self.slots().any(|slot| match slot {
            Slot::Known(placeholder) => placeholder.names_an_interval() || *placeholder == Placeholder::Item,
            Slot::Name(_) => true,
        })
    }

    /// Whether a placeholder is in the command.
    #[must_use]
    pub fn mentions(&self, wanted: Placeholder) -> bool {
        self.slots().any(|slot| *slot == Slot::Known(wanted))
    }

    /// Whether the program is told where to write its result.
    #[must_use]
    pub fn mentions_result(&self) -> bool {
        self.mentions(Placeholder::Result)
    }

    /// Whether the program runs once for each item, and not once for all of a chunk's.
    ///
    /// It does where the command names a value of an item; else not where it names an interval of items, or gets them on
    /// standard input; else where it names a seed, since each item has its own; and else in a parameter space, where the
    /// values are in the environment.
    #[must_use]
    pub fn runs_per_item(&self, space: &Space, stdin_items: bool) -> bool {
        let any = |wanted: fn(&Slot) -> bool| self.slots().any(wanted);
        if any(|slot| matches!(slot, Slot::Name(_) | Slot::Known(Placeholder::Item))) {
            return true;
        }
        if stdin_items || any(|slot| matches!(slot, Slot::Known(known) if known.names_an_interval())) {
            return false;
        }
        any(|slot| matches!(slot, Slot::Known(Placeholder::Seed | Placeholder::Seed31)))
            || matches!(space, Space::Parameters(_))
    }

    /// Whether what is computed for an item depends on how the space is cut.
    #[must_use]
    pub fn depends_on_the_cut(&self) -> bool {
        self.slots().any(|slot| matches!(slot, Slot::Known(known) if known.depends_on_the_cut()))
    }

    /// Checks that each brace stands for something in this space.
    ///
    /// # Errors
    /// [`TemplateError::Unknown`] for the first that does not.
    pub fn check(&self, space: &Space) -> Result<(), TemplateError> {
        let names = space.names();
        for (word, template) in self.words.iter().zip(&self.parsed) {
            for slot in template.placeholders() {
                if let Slot::Name(name) = slot
                    && !names.contains(&name.as_str())
                {
                    return Err(TemplateError::Unknown { name: name.clone(), word: word.quoted() });
                }
            }
        }
        Ok(())
    }

    /// The words as the program gets them.
    #[must_use]
    pub fn fill(&self, bindings: &Bindings) -> Vec<Word> {
        let value = |slot: &Slot| bindings.get(slot).map_or(&b""[..], Word::as_bytes);
        self.parsed.iter().map(|template| template.fill(value)).collect()
    }

    /// Each word without placeholders as the program gets it, `None` for those that vary.
    pub fn fixed_words(&self) -> impl Iterator<Item = Option<Word>> {
        self.parsed.iter().map(Template::fixed)
    }

    /// The placeholders that become part of a shell's source, as in `sh -c 'echo {first}'`: each once, in order.
    #[must_use]
    pub fn spliced_into_shell(&self) -> Vec<Slot> {
        let mut found: Vec<Slot> = Vec::new();
        for slot in spliced(&self.parsed).into_iter().flat_map(Template::placeholders) {
            if !found.contains(slot) {
                found.push(slot.clone());
            }
        }
        found
    }

    fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.parsed.iter().flat_map(Template::placeholders)
    }
}

impl TryFrom<Vec<Word>> for Command {
    type Error = CommandError;

    fn try_from(words: Vec<Word>) -> Result<Self, CommandError> {
        // Whether a space has the name is known only with the space: see `check`.
        let lookup = |name: &[u8]| {
            let known = Placeholder::ALL.into_iter().find(|known| known.name().as_bytes() == name);
            let name = || std::str::from_utf8(name).ok().filter(|name| !name.is_empty()).map(str::to_owned);
            known.map(Slot::Known).or_else(|| name().map(Slot::Name))
        };
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
        let (result, items_file) = (Word::from("/scratch/result"), Word::from("/scratch/items.csv"));
        let run = Run {
            space: &space,
            rows: Rows::NONE,
            cut: &cut,
            seed: 0,
            chunk,
            items,
            result: &result,
            items_file: &items_file,
        };
        Bindings::new(run).expect("nothing is kept beside the plan")
    }

    #[test]
    fn what_a_shell_would_read_as_source_is_found() {
        use Placeholder::{First, Last};
        let check = |words: &[&str], spliced: &[Placeholder]| {
            let spliced: Vec<_> = spliced.iter().copied().map(Slot::Known).collect();
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
        check(&["x", "{}"], "`{}` in {} stands for nothing");
        check(&["x", "{first"], "a lone brace in {first");
        check(&["x", "first}"], "a lone brace in first}");
        check(&["x{chunk}"], "the program itself, x{chunk}, depends on the chunk");
    }

    #[test]
    fn names_are_those_of_the_space() {
        let range = Space::Range("0..10".parse().expect("a range"));
        let check =
            |word: &str| command(&["x", word]).expect("a command").check(&range).map_err(|error| error.to_string());
        assert_eq!(check("{first}{item}"), Ok(()));
        assert_eq!(check("{print $1}"), Err("`{print $1}` in '{print $1}' stands for nothing".to_owned()));
    }

    #[test]
    fn how_often_a_program_runs() {
        let range = Space::Range("0..10".parse().expect("a range"));
        let per_item = |words: &[&str]| command(words).expect("a command").runs_per_item(&range, false);
        assert!(!per_item(&["x"]));
        assert!(!per_item(&["x", "{first}", "{seed}"]));
        assert!(!per_item(&["x", "{items}"]));
        assert!(per_item(&["x", "{item}"]));
        assert!(per_item(&["x", "{seed31}"]));
        assert!(per_item(&["x", "{item}", "{items}"]));
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
