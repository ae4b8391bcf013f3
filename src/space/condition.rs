//! Which items of a space count: `--where`.

use serde::{Deserialize, Serialize};

/// An expression over the names of a space, as typed: the items for which it is true count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Condition {
    text: String,
}

/// Why an expression says nothing of an item.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// It cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// It has no value for an item.
    #[error("for {row}: {why}")]
    NoValue {
        /// The item's values.
        row: String,
        /// What is wrong.
        why: String,
    },
}

impl Condition {
    /// As typed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl TryFrom<String> for Condition {
    type Error = ConditionError;

    fn try_from(text: String) -> Result<Self, ConditionError> {
        Ok(Self { text })
    }
}

impl From<Condition> for String {
    fn from(condition: Condition) -> Self {
        condition.text
    }
}
