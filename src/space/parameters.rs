//! A parameter space: items that are rows of named values.
//!
//! The space is a product of axes, of which the last varies fastest; an axis is one name or several side by side. An
//! item's row is decoded from its number, as the digits of a number with mixed radices are: a product is never listed.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Condition, ConditionError, Decimals, Identity, Interval, Range, RowBlock, Rows, Word};

/// All combinations of the axes' rows, the last axis varying fastest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Document", into = "Document")]
pub struct Parameters {
    axes: Vec<Axis>,
    condition: Option<Condition>,
    count: u128,
}

/// One factor of a parameter space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// Names whose values the plan holds, side by side: `--grid` (one name), `--zip`, `--total`.
    Columns(Vec<Column>),
    /// Rows that are kept beside the plan: `--table`, `--lines`, `--files`, long lists of values.
    Listed(Listed),
}

/// Why values name no item.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoItem {
    /// None has them.
    #[error("there is no item {0}")]
    None(String),
    /// Several have them.
    #[error("{count} items are {text}: name more of {}", names.join(", "))]
    Several {
        /// What was asked for.
        text: String,
        /// How many.
        count: u128,
        /// The names that there are.
        names: Vec<String>,
    },
}

/// A name and its values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// The name.
    pub name: String,
    /// Its values, in order.
    pub values: Values,
}

/// The values of a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Values {
    /// Each as it stands.
    List(Vec<Word>),
    /// Whole numbers with a constant step.
    Range(Range),
    /// Decimals with a constant step.
    Decimals(Decimals),
}

/// Rows that are kept beside the plan, since there may be millions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// The names of its columns.
    pub names: Vec<String>,
    /// How many rows.
    pub rows: u64,
    /// The rows' content; of files, the content of the files too.
    pub content: Identity,
    /// Whether its only column names files, which travel with the chunks that need them.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub files: bool,
}

/// Why axes are no parameter space.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParametersError {
    /// No axis, or one without rows.
    #[error("the space is empty")]
    Empty,
    /// Two columns of one name.
    #[error("the name `{0}` is given twice")]
    Twice(String),
    /// A name that means something else in a command, or none at all.
    #[error("`{0}` cannot be a name: {1}")]
    Name(String, &'static str),
    /// Side by side, and not of equal length.
    #[error("`{first}` has {first_count} values and `{second}` {second_count}: side by side, they need equally many")]
    Unequal {
        /// A name.
        first: String,
        /// How many values it has.
        first_count: u128,
        /// Another name.
        second: String,
        /// How many values that has.
        second_count: u128,
    },
    /// More items than can be numbered.
    #[error("the space has more items than can be numbered")]
    TooMany,
    /// The condition is not about its names.
    #[error("where {0}")]
    Condition(#[source] ConditionError),
}

impl Values {
    /// How many; at least 1.
    #[must_use]
    pub fn count(&self) -> u128 {
        match self {
            Self::List(values) => values.len() as u128,
            Self::Range(range) => range.count(),
            Self::Decimals(decimals) => decimals.count(),
        }
    }

    /// The value with the number `place`.
    ///
    /// # Panics
    /// Where there are no so many.
    #[must_use]
    pub fn value(&self, place: u128) -> Cow<'_, [u8]> {
        match self {
            Self::List(values) => values[usize::try_from(place).expect("a place in the list")].as_bytes().into(),
            Self::Range(range) => range.value(place).to_string().into_bytes().into(),
            Self::Decimals(decimals) => decimals.value(place).into_bytes().into(),
        }
    }

    /// The numbers of the values that a person means by `text`: a number is meant in whatever way it is written.
    fn places(&self, text: &str) -> Places {
        match self {
            Self::List(values) => {
                let is_meant = |(_, value): &(usize, &Word)| value.as_bytes() == text.as_bytes();
                Places::These(values.iter().enumerate().filter(is_meant).map(|(place, _)| place as u128).collect())
            }
            Self::Range(range) => Places::of(super::range::number(text).ok().and_then(|number| range.item(number))),
            Self::Decimals(decimals) => Places::of(decimals.place(text)),
        }
    }
}

/// Rows of an axis.
enum Places {
    All(u128),
    These(Vec<u128>),
}

impl Places {
    fn of(place: Option<u128>) -> Self {
        Self::These(place.into_iter().collect())
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All(_), places) | (places, Self::All(_)) => places,
            (Self::These(mut places), Self::These(others)) => {
                places.retain(|place| others.contains(place));
                Self::These(places)
            }
        }
    }

    /// How many, and the first.
    fn counted(&self) -> (u128, u128) {
        match self {
            Self::All(count) => (*count, 0),
            Self::These(places) => (places.len() as u128, places.first().copied().unwrap_or(0)),
        }
    }
}

impl Axis {
    /// How many rows; at least 1.
    #[must_use]
    pub fn count(&self) -> u128 {
        match self {
            Self::Columns(columns) => columns.first().map_or(0, |column| column.values.count()),
            Self::Listed(listed) => listed.rows.into(),
        }
    }

    /// The names of its columns.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let (columns, listed) = match self {
            Self::Columns(columns) => (&columns[..], &[][..]),
            Self::Listed(listed) => (&[][..], &listed.names[..]),
        };
        columns.iter().map(|column| &*column.name).chain(listed.iter().map(|name| &**name))
    }
}

impl Parameters {
    /// The product of `axes`, of whose items those count for which `condition` holds.
    ///
    /// # Errors
    /// Where it would be empty or too large, or names are missing or stand twice.
    pub fn new(axes: Vec<Axis>, condition: Option<Condition>) -> Result<Self, ParametersError> {
        let mut names: Vec<&str> = Vec::new();
        for axis in &axes {
            if let Axis::Columns(columns) = axis
                && let Some((first, others)) = columns.split_first()
                && let Some(second) = others.iter().find(|other| other.values.count() != first.values.count())
            {
                return Err(ParametersError::Unequal {
                    first: first.name.clone(),
                    first_count: first.values.count(),
                    second: second.name.clone(),
                    second_count: second.values.count(),
                });
            }
            for name in axis.names() {
                if names.contains(&name) {
                    return Err(ParametersError::Twice(name.to_owned()));
                }
                if name.is_empty() {
                    return Err(ParametersError::Name(String::new(), "it is empty"));
                }
                if name.contains(['{', '}']) || name.contains(char::is_control) {
                    let shown = name.escape_debug().to_string();
                    return Err(ParametersError::Name(shown, "it holds a brace, a line break or its like"));
                }
                names.push(name);
            }
        }
        let count = axes.iter().try_fold(1u128, |count, axis| count.checked_mul(axis.count()));
        if let Some(condition) = &condition {
            condition.check(&names).map_err(ParametersError::Condition)?;
        }
        match count.ok_or(ParametersError::TooMany)? {
            0 => Err(ParametersError::Empty),
            _ if names.is_empty() => Err(ParametersError::Empty),
            u128::MAX => Err(ParametersError::TooMany),
            count => Ok(Self { axes, condition, count }),
        }
    }

    /// The axes.
    #[must_use]
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// Which items count; all where there is none.
    #[must_use]
    pub fn condition(&self) -> Option<&Condition> {
        self.condition.as_ref()
    }

    /// How many items, those included that the condition leaves out; at least 1.
    #[must_use]
    pub fn count(&self) -> u128 {
        self.count
    }

    /// The names of the values, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.axes.iter().flat_map(Axis::names)
    }

    /// The axes whose rows are kept beside the plan, in order.
    pub fn listed(&self) -> impl Iterator<Item = &Listed> {
        self.axes.iter().filter_map(|axis| match axis {
            Axis::Listed(listed) => Some(listed),
            Axis::Columns(_) => None,
        })
    }

    /// The rows of the listed axis number `number` (among the listed ones) that `items` need: the first one's number,
    /// and how many follow one another from there on, around the end.
    ///
    /// # Panics
    /// Where there is no such axis.
    #[must_use]
    pub fn rows_needed(&self, number: usize, items: Interval) -> (u64, u64) {
        let is_listed = |axis: &(usize, &Axis)| matches!(axis.1, Axis::Listed(_));
        let (place, axis) = self.axes.iter().enumerate().filter(is_listed).nth(number).expect("a listed axis");
        let inner: u128 = self.axes[place + 1..].iter().map(Axis::count).product();
        let (first, last) = (items.start() / inner, items.last() / inner);
        let rows = axis.count();
        let small = |number: u128| u64::try_from(number).expect("rows are counted in 64 bits");
        (small(first % rows), small((last - first + 1).min(rows)))
    }

    /// The row of the listed axis number `number` (among the listed ones) that the item has.
    ///
    /// # Panics
    /// Where there is no such axis.
    #[must_use]
    pub fn row_needed(&self, number: usize, item: u128) -> u64 {
        self.rows_needed(number, Interval::new(item, item + 1).expect("one item")).0
    }

    /// The number of the item that a person means by `text`: its number, or its values, `alpha=0.1,beta=2`, as many of them as
    /// tell it from all others. A value with a comma in it stands in quotes. `rows` are those of the listed axes.
    ///
    /// # Errors
    /// Where no item is meant, or several are.
    pub fn find(&self, text: &str, rows: &Rows) -> Result<u128, NoItem> {
        let none = || NoItem::None(text.to_owned());
        if let Ok(item) = text.parse() {
            return if item < self.count { Ok(item) } else { Err(none()) };
        }
        let wanted = super::list::split(text.as_bytes()).map_err(|_| none())?;
        let mut wanted: Vec<(&str, &str)> = wanted
            .iter()
            .map(|field| std::str::from_utf8(field.text.as_ref()).ok().and_then(|text| text.split_once('=')))
            .collect::<Option<_>>()
            .ok_or_else(none)?;
        let (mut item, mut several) = (0, 1u128);
        let mut blocks = rows.blocks.iter();
        for axis in &self.axes {
            let mut places = Places::All(axis.count());
            let block = if matches!(axis, Axis::Listed(_)) { blocks.next() } else { None };
            for (column, name) in axis.names().enumerate() {
                let Some(at) = wanted.iter().position(|(wanted, _)| *wanted == name) else { continue };
                let (_, value) = wanted.swap_remove(at);
                let meant = match axis {
                    Axis::Columns(columns) => columns[column].values.places(value),
                    Axis::Listed(listed) => {
                        let is_meant =
                            |row: &u64| block.and_then(|block| block.field(*row, column)) == Some(value.as_bytes());
                        Places::These((0..listed.rows).filter(is_meant).map(u128::from).collect())
                    }
                };
                places = places.and(meant);
            }
            let (count, first) = places.counted();
            several = several.saturating_mul(count);
            item = item * axis.count() + first;
        }
        match several {
            _ if !wanted.is_empty() => Err(none()),
            0 => Err(none()),
            1 => Ok(item),
            count => {
                let names = self.names().map(str::to_owned).collect();
                Err(NoItem::Several { text: text.to_owned(), count, names })
            }
        }
    }

    /// The item's values, in the order of the names; `None` where the rows that it needs are not at hand.
    ///
    /// # Panics
    /// Where the space has no such item.
    #[must_use]
    pub fn row<'a>(&'a self, item: u128, rows: &'a Rows) -> Option<Vec<Cow<'a, [u8]>>> {
        self.values(item, rows, RowBlock::field)
    }

    /// The same with the values that the condition is about: of files the paths that they were planned by.
    pub(super) fn row_as_planned<'a>(&'a self, item: u128, rows: &'a Rows) -> Option<Vec<Cow<'a, [u8]>>> {
        self.values(item, rows, RowBlock::planned)
    }

    fn values<'a>(
        &'a self,
        item: u128,
        rows: &'a Rows,
        field: impl Fn(&'a RowBlock, u64, usize) -> Option<&'a [u8]>,
    ) -> Option<Vec<Cow<'a, [u8]>>> {
        assert!(item < self.count, "item {item} of {}", self.count);
        let mut values = Vec::new();
        let mut inner = self.count;
        let mut left = item;
        let mut blocks = rows.blocks.iter();
        for axis in &self.axes {
            inner /= axis.count();
            let place = left / inner;
            left %= inner;
            match axis {
                Axis::Columns(columns) => values.extend(columns.iter().map(|column| column.values.value(place))),
                Axis::Listed(listed) => {
                    let block = blocks.next()?;
                    let row = u64::try_from(place).ok()?;
                    for column in 0..listed.names.len() {
                        values.push(field(block, row, column)?.into());
                    }
                }
            }
        }
        Some(values)
    }
}

impl std::fmt::Display for Axis {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A table may have hundreds of columns.
        const SHOWN: usize = 8;
        let mut names: Vec<_> = self.names().collect();
        let more = names.len().saturating_sub(SHOWN);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        names.truncate(SHOWN);
        let count = self.count();
        let what = match self {
            Self::Columns(columns) if columns.len() == 1 => "value",
            Self::Listed(listed) if listed.files => "file",
            _ => "row",
        };
        write!(out, "{}{more} ({count} {what}{})", names.join(", "), if count == 1 { "" } else { "s" })
    }
}

impl std::fmt::Display for Parameters {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let axes: Vec<_> = self.axes.iter().map(ToString::to_string).collect();
        out.write_str(&axes.join(" x "))?;
        match &self.condition {
            // It stands in a line of its own in what is generated.
            Some(condition) => write!(out, " where {}", condition.text().replace(char::is_control, " ")),
            None => Ok(()),
        }
    }
}

/// The document's spelling.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    axes: Vec<Axis>,
    #[serde(rename = "where", skip_serializing_if = "Option::is_none", default)]
    condition: Option<Condition>,
}

impl TryFrom<Document> for Parameters {
    type Error = ParametersError;

    fn try_from(document: Document) -> Result<Self, ParametersError> {
        Self::new(document.axes, document.condition)
    }
}

impl From<Parameters> for Document {
    fn from(parameters: Parameters) -> Self {
        Self { axes: parameters.axes, condition: parameters.condition }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn column(name: &str, values: Values) -> Column {
        Column { name: name.to_owned(), values }
    }

    fn list(values: &[&str]) -> Values {
        Values::List(values.iter().map(|&value| Word::from(value)).collect())
    }

    fn listed(names: &[&str], rows: u64) -> Axis {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        Axis::Listed(Listed { names, rows, content: Identity::of_bytes(b""), files: false })
    }

    /// alpha: 0.0 to 1.0, side by side n and name, a table of 3 rows with a and b.
    fn example() -> (Parameters, Rows) {
        let axes = vec![
            Axis::Columns(vec![column("alpha", Values::Decimals("0..=1:0.1".parse().expect("decimals")))]),
            Axis::Columns(vec![
                column("n", Values::Range("1..=2".parse().expect("a range"))),
                column("name", list(&["x,y", "z"])),
            ]),
            listed(&["a", "b"], 3),
        ];
        let mut block = RowBlock::new(2, 0, 3);
        for row in [["1", "p"], ["1", "q"], ["2", "p"]] {
            block.push(row.map(str::as_bytes));
        }
        (Parameters::new(axes, None).expect("a space"), Rows { blocks: vec![block] })
    }

    #[test]
    fn an_item_is_found_by_its_number_or_values() {
        let (space, rows) = example();
        let find = |text: &str| space.find(text, &rows).map_err(|error| error.to_string());
        assert_eq!(find("0"), Ok(0));
        assert_eq!(find("65"), Ok(65));
        assert_eq!(find("66"), Err("there is no item 66".to_owned()));
        assert_eq!(find("alpha=0.3,n=2,a=1,b=q"), Ok(3 * 6 + 3 + 1));
        assert_eq!(find("b=q,n=2.0,alpha=.30"), Err("there is no item b=q,n=2.0,alpha=.30".to_owned()));
        assert_eq!(find("b=q,n=2,alpha=.30"), Ok(3 * 6 + 3 + 1));
        assert_eq!(find("alpha=1,\"name=x,y\",a=2"), Ok(10 * 6 + 2));
        assert_eq!(
            find("alpha=0.3,b=p"),
            Err("4 items are alpha=0.3,b=p: name more of alpha, n, name, a, b".to_owned())
        );
        for text in ["alpha=0.35,n=1,a=2", "alpha", "beta=1", "n=1,n=1", "name=x,y", "", "a=3", "n=1,name=z", "-1"] {
            assert!(find(text).expect_err(text).contains("there is no item"), "{text}");
        }
    }

    #[test]
    fn what_is_shown_of_a_space() {
        let (space, _) = example();
        assert_eq!(space.to_string(), "alpha (11 values) x n, name (2 rows) x a, b (3 rows)");
        let axis = Axis::Columns(vec![column("i", list(&["1"]))]);
        let condition: Condition = "i > 0".to_owned().try_into().expect("a condition");
        let space = Parameters::new(vec![axis], Some(condition)).expect("a space");
        assert_eq!(space.to_string(), "i (1 value) where i > 0");
        let json = serde_json::to_string(&space).expect("plain values");
        assert_eq!(json, r#"{"axes":[{"columns":[{"name":"i","values":{"list":["1"]}}]}],"where":"i > 0"}"#);
        assert_eq!(serde_json::from_str::<Parameters>(&json).expect("reads"), space);
        assert!(serde_json::from_str::<Parameters>(&json.replace("i > 0", "j > 0")).is_err());
    }

    fn values() -> impl Strategy<Value = Values> {
        prop_oneof![
            prop::collection::vec(prop::collection::vec(1u8.., 0..4), 1..5)
                .prop_map(|values| Values::List(values.into_iter().map(Word::from).collect())),
            (-20i128..20, 0i128..5, 1u128..4).prop_map(|(first, length, step)| Values::Range(
                Range::new(first, first + length, step).expect("a range")
            )),
            (-20i128..20, 0i128..5).prop_map(|(first, length)| {
                let text = format!("{}..={}:0.25", first as f64 / 4.0, (first + length) as f64 / 4.0);
                Values::Decimals(text.parse().expect("decimals"))
            }),
        ]
    }

    proptest! {
        /// Decoding an item's number gives what nested loops do, the last axis innermost.
        #[test]
        fn items_are_those_of_nested_loops(
            axes in prop::collection::vec(prop_oneof![values().prop_map(Ok), (1u64..5).prop_map(Err)], 1..4),
        ) {
            let mut rows = Rows::default();
            let mut expected: Vec<Vec<Vec<u8>>> = vec![Vec::new()];
            let mut spaces = Vec::new();
            for (number, axis) in axes.into_iter().enumerate() {
                let names = [format!("n{number}"), format!("m{number}")];
                let choices: Vec<Vec<Vec<u8>>> = match axis {
                    Ok(values) => {
                        let choices = (0..values.count()).map(|place| vec![values.value(place).into_owned()]).collect();
                        spaces.push(Axis::Columns(vec![column(&names[0], values)]));
                        choices
                    }
                    Err(count) => {
                        let choices: Vec<_> = (0..count).map(|row| vec![vec![row as u8], format!("{number} {row}").into_bytes()]).collect();
                        let mut block = RowBlock::new(2, 0, count);
                        choices.iter().for_each(|row| block.push(row.iter().map(Vec::as_slice)));
                        rows.blocks.push(block);
                        spaces.push(listed(&[&names[0], &names[1]], count));
                        choices
                    }
                };
                expected = expected
                    .iter()
                    .flat_map(|before| choices.iter().map(|choice| [&before[..], &choice[..]].concat()))
                    .collect();
            }
            let space = Parameters::new(spaces, None).expect("a space");
            prop_assert_eq!(space.count(), expected.len() as u128);
            for (item, expected) in expected.iter().enumerate() {
                let row = space.row(item as u128, &rows).expect("all rows are here");
                prop_assert!(row.iter().map(|value| &**value).eq(expected.iter().map(Vec::as_slice)), "item {}", item);
            }
        }
    }
}
