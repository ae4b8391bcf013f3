//! A parameter space: items that are rows of named values.
//!
//! The space is a product of axes, of which the last varies fastest; an axis is one name or several side by side. An
//! item's row is decoded from its number, as the digits of a number with mixed radices are: a product is never listed.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Condition, Identity, Interval, Range, Rows, Word};

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
}

impl Values {
    /// How many; at least 1.
    #[must_use]
    pub fn count(&self) -> u128 {
        match self {
            Self::List(values) => values.len() as u128,
            Self::Range(range) => range.count(),
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
                if name.contains(['{', '}', '\0', '\n']) {
                    return Err(ParametersError::Name(name.to_owned(), "it holds a brace or a line break"));
                }
                names.push(name);
            }
        }
        let count = axes.iter().try_fold(1u128, |count, axis| count.checked_mul(axis.count()));
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

    /// The item's values, in the order of the names; `None` where the rows that it needs are not at hand.
    ///
    /// # Panics
    /// Where the space has no such item.
    #[must_use]
    pub fn row<'a>(&'a self, item: u128, rows: &'a Rows) -> Option<Vec<Cow<'a, [u8]>>> {
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
                        values.push(block.field(row, column)?.into());
                    }
                }
            }
        }
        Some(values)
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
