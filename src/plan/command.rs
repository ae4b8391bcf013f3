//! The user's command with its placeholders.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::field::{self, Field};
use super::template::{Part, Template, TemplateError, spliced};
use super::{SEGMENT_NAMES, Word};
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

    /// Whether it differs from item to item of one run.
    pub(super) fn is_of_one_item(self) -> bool {
        matches!(self, Self::Item | Self::Seed | Self::Seed31)
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
    /// What stands for a name of the space.
    #[must_use]
    pub fn of(name: &str) -> Self {
        Self::Name(name.to_owned())
    }

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

    /// Adds what stands for a name.
    pub fn add(&mut self, name: &str, value: Word) {
        self.names.push((name.to_owned(), value));
    }

    /// What stands for `slot`; nothing for a name that the space does not have, or of which the run has several values.
    #[must_use]
    pub fn get(&self, slot: &Slot) -> Option<&Word> {
        match slot {
            Slot::Known(placeholder) => Some(&self.values[*placeholder as usize]),
            Slot::Name(wanted) => self.names.iter().find(|(name, _)| name == wanted).map(|(_, value)| value),
        }
    }
}

/// The variables that a program finds in its environment, and what they hold, over `space`. A name whose variable would be
/// another one's, too (of `n` and `N`, of `First`), has none.
#[must_use]
pub fn variables(space: &Space) -> Vec<(Slot, String)> {
    let known = Placeholder::ALL.into_iter().map(Slot::Known);
    let names = space.names().into_iter().filter(|name| *name != space::ITEM);
    let slots = known.chain(names.map(|name| Slot::Name(name.to_owned())));
    let all: Vec<_> = slots.map(|slot| (slot.variable(), slot)).collect();
    let mut times: BTreeMap<String, u32> = BTreeMap::new();
    for (variable, _) in &all {
        *times.entry(variable.clone()).or_default() += 1;
    }
    let own = |(variable, slot): &(String, Slot)| matches!(slot, Slot::Known(_)) || times[variable] == 1;
    all.into_iter().filter(own).map(|(variable, slot)| (slot, variable)).collect()
}

/// The words of a command, checked: every brace in them is a placeholder's or a doubled one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Word>", into = "Vec<Word>")]
pub struct Command {
    words: Vec<Word>,
    parsed: Vec<Template<Field>>,
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
    /// values are in the environment. The name of a variable, as in `sh -c 'echo "$SPLIT_ITEM"'`, is as good as the
    /// placeholder.
    #[must_use]
    pub fn runs_per_item(&self, space: &Space, stdin_items: bool) -> bool {
        let any = |wanted: fn(Placeholder) -> bool| {
            Placeholder::ALL.into_iter().any(|known| wanted(known) && self.names(&Slot::Known(known)))
        };
        if self.names_values(space) {
            return true;
        }
        if stdin_items || any(Placeholder::names_an_interval) {
            return false;
        }
        self.names_a_seed() || matches!(space, Space::Parameters(_))
    }

    /// Whether the program is told the value of an item.
    #[must_use]
    pub fn names_values(&self, space: &Space) -> bool {
        let is_name = |slot: &Slot| matches!(slot, Slot::Name(_));
        let mut names = space.names().into_iter().filter(|name| *name != space::ITEM);
        self.names(&Slot::Known(Placeholder::Item))
            || self.slots().any(is_name)
            || names.any(|name| self.reads(&Slot::of(name)))
    }

    /// Whether the program is told a seed.
    #[must_use]
    pub fn names_a_seed(&self) -> bool {
        [Placeholder::Seed, Placeholder::Seed31].into_iter().any(|known| self.names(&Slot::Known(known)))
    }

    /// Whether the program is told of a file with the items' rows. Only then is there one.
    #[must_use]
    pub fn names_items_file(&self) -> bool {
        self.names(&Slot::Known(Placeholder::Items))
    }

    /// Whether what is computed for an item depends on how the space is cut.
    #[must_use]
    pub fn depends_on_the_cut(&self) -> bool {
        self.slots().any(|slot| matches!(slot, Slot::Known(known) if known.depends_on_the_cut()))
    }

    /// Checks that each brace stands for something in this space; in a `chain` the [`SEGMENT_NAMES`] do, too.
    ///
    /// # Errors
    /// For the first that does not, or whose width is for whole numbers alone.
    pub fn check(&self, space: &Space, chain: bool) -> Result<(), TemplateError> {
        let more: &[&str] = if chain { &SEGMENT_NAMES } else { &[] };
        self.words.iter().zip(&self.parsed).try_for_each(|(word, template)| field::check(word, template, space, more))
    }

    /// The words as the program gets them.
    #[must_use]
    pub fn fill(&self, bindings: &Bindings) -> Vec<Word> {
        let value = |field: &Field| field.write(bindings.get(&field.slot).map_or(&b""[..], Word::as_bytes));
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
        for field in spliced(&self.parsed).into_iter().flat_map(Template::placeholders) {
            if !found.contains(&field.slot) {
                found.push(field.slot.clone());
            }
        }
        found
    }

    fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.parsed.iter().flat_map(Template::placeholders).map(|field| &field.slot)
    }

    /// Whether the command holds the placeholder or the name of its variable.
    #[must_use]
    pub fn names(&self, wanted: &Slot) -> bool {
        self.slots().any(|slot| slot == wanted) || self.reads(wanted)
    }

    /// Whether the name of the slot's variable stands in a word, as it does in a shell's source.
    fn reads(&self, slot: &Slot) -> bool {
        let variable = slot.variable();
        let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        self.words.iter().map(Word::as_bytes).any(|word| {
            memchr::memmem::find_iter(word, variable.as_bytes()).any(|at| {
                let before = at.checked_sub(1).and_then(|before| word.get(before));
                !before.is_some_and(is_of_name) && !word.get(at + variable.len()).is_some_and(is_of_name)
            })
        })
    }
}

impl TryFrom<Vec<Word>> for Command {
    type Error = CommandError;

    fn try_from(words: Vec<Word>) -> Result<Self, CommandError> {
        let parsed: Vec<_> = words.iter().map(|word| Template::parse(word, Field::parse)).collect::<Result<_, _>>()?;
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
    use crate::space::{Axis, Column, Parameters, Values};

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
        let check = |word: &str| {
            command(&["x", word]).expect("a command").check(&range, false).map_err(|error| error.to_string())
        };
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
        assert!(per_item(&["x", "{item:05}"]));
        assert!(per_item(&["sh", "-c", "echo \"$SPLIT_ITEM\""]));
        assert!(per_item(&["sh", "-c", "echo $SPLIT_SEED"]));
        assert!(!per_item(&["sh", "-c", "echo ${{SPLIT_SEED}} $SPLIT_FIRST"]));
        assert!(!per_item(&["sh", "-c", "cat $SPLIT_ITEMS; echo $MY_SPLIT_ITEM $SPLIT_ITEM_2"]));
    }

    #[test]
    fn a_parameter_space_is_computed_item_by_item_unless_its_items_are_handed_over() {
        let column = |name: &str| Column { name: name.to_owned(), values: Values::List(vec![Word::from("7")]) };
        let axes = vec![Axis::Columns(vec![column("alpha"), column("beta 2")])];
        let space = Space::Parameters(Parameters::new(axes, None).expect("a space"));
        let per_item = |words: &[&str]| command(words).expect("a command").runs_per_item(&space, false);
        assert!(per_item(&["x"]));
        assert!(per_item(&["x", "{alpha}", "{items}"]));
        assert!(per_item(&["sh", "-c", "grep $SPLIT_BETA_2 $SPLIT_ITEMS"]));
        assert!(!per_item(&["x", "{items}"]));
        assert!(!per_item(&["sh", "-c", "cat \"$SPLIT_ITEMS\""]));
        assert!(!command(&["x"]).expect("a command").runs_per_item(&space, true));
        assert!(command(&["x", "{beta 2}"]).expect("a command").runs_per_item(&space, true));
    }

    #[test]
    fn ambiguous_variables_are_left_out() {
        let column = |name: &str| Column { name: name.to_owned(), values: Values::List(vec![Word::from("7")]) };
        let columns = ["n", "N", "First", "learning-rate", "item"].map(column).into();
        let space = Space::Parameters(Parameters::new(vec![Axis::Columns(columns)], None).expect("a space"));
        let names: Vec<_> = variables(&space).into_iter().map(|(_, variable)| variable).collect();
        let mut expected: Vec<_> = Placeholder::ALL.map(|known| known.variable().to_owned()).into();
        expected.push("SPLIT_LEARNING_RATE".to_owned());
        assert_eq!(names, expected);
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
