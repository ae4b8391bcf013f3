//! Which items of a space count: `--where`.

use serde::{Deserialize, Serialize};

use super::expression::Expression;

/// An expression over the names of a space, as typed: the items for which it is true count.
///
/// A name stands for the item's value: a number, if it reads as one, and a text as well. Numbers compare exactly, texts by
/// their bytes; a text in quotes compares as a text. `+ - * / % ^`, where 1 / 2 is 0.5 and % has the sign of the
/// divisor; `< <= > >= == !=`; `&&`, `||`, `!`, or `and`, `or`, `not`; `abs ceil floor max min round sqrt`, `contains
/// starts_with ends_with`. A name that is no single word stands in backticks.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Condition {
    text: String,
    expression: Expression,
}

/// Why an expression says nothing of an item.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// It cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// It names what no value has.
    #[error("there is no name `{name}`: there {are} {}", names.join(", "), are = if names.len() == 1 { "is" } else { "are" })]
    Unknown {
        /// The name.
        name: String,
        /// The names that there are.
        names: Vec<String>,
    },
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

    /// Checks that each name in it is one of `names`.
    ///
    /// # Errors
    /// [`ConditionError::Unknown`] for the first that is not.
    pub fn check(&self, names: &[&str]) -> Result<(), ConditionError> {
        match self.expression.names().into_iter().find(|name| !names.contains(name)) {
            None => Ok(()),
            Some(name) => Err(ConditionError::Unknown {
                name: name.to_owned(),
                names: names.iter().map(|&name| name.to_owned()).collect(),
            }),
        }
    }

    /// Whether an item with these values counts; each value stands at the place of its name.
    ///
    /// # Errors
    /// Where it computes with a value that is no number, or divides by 0.
    pub fn holds<V: AsRef<[u8]>>(&self, names: &[&str], row: &[V]) -> Result<bool, ConditionError> {
        let value = |wanted: &str| {
            let place = names.iter().position(|name| *name == wanted)?;
            row.get(place).map(AsRef::as_ref)
        };
        self.expression
            .holds(&value)
            .map_err(|why| ConditionError::NoValue { row: super::describe_row(names, row), why })
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Condition {}

impl TryFrom<String> for Condition {
    type Error = ConditionError;

    fn try_from(text: String) -> Result<Self, ConditionError> {
        let expression = Expression::read(&text).map_err(ConditionError::Unreadable)?;
        Ok(Self { text, expression })
    }
}

impl From<Condition> for String {
    fn from(condition: Condition) -> Self {
        condition.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(text: &str) -> Condition {
        text.to_owned().try_into().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// The truth of `text` where `row` is `name=value name=value`.
    fn holds(text: &str, row: &str) -> Result<bool, String> {
        let pairs: Vec<_> = row.split_whitespace().filter_map(|pair| pair.split_once('=')).collect();
        let (names, values): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        condition(text).holds(&names, &values).map_err(|error| error.to_string())
    }

    #[test]
    fn what_a_researcher_expects() {
        for (text, row) in [
            ("i < j", "i=2 j=10"),
            ("i<j", "i=-2 j=-1.5"),
            ("n % 2 == 0", "n=4"),
            ("x / 2 > 0.3", "x=1"),
            ("n / 2 == 0.5", "n=1"),
            ("name == \"a\"", "name=a"),
            ("name == 'a'", "name=a"),
            ("name != 'b'", "name=a"),
            ("'a' < name", "name=b"),
            ("zip == '01234'", "zip=01234"),
            ("zip == 1234", "zip=01234"),
            ("zip != '1234'", "zip=01234"),
            ("a == b", "a=1.0 b=1"),
            ("a == b", "a=x b=x"),
            ("a != 5", "a=x"),
            ("a != b", "a=1 b=x"),
            ("i < j && j < 5 || i == 9", "i=9 j=1"),
            ("i < j and not (j > 5)", "i=1 j=2"),
            ("(i < j) & (j < 5)", "i=1 j=2"),
            ("i > j | j == 2", "i=1 j=2"),
            ("!(i > j)", "i=1 j=2"),
            ("x ** 2 == 4", "x=2"),
            ("2 ^ (3 ^ 2) == 512", ""),
            ("-2 ^ 2 == -4", ""),
            ("2 ^ -1 == 0.5", ""),
            ("1 - 2 - 3 == -4", ""),
            ("8 / 4 / 2 == 1", ""),
            ("2 + 3 * 4 == 14", ""),
            ("-x == 3", "x=-3"),
            ("x - -1 == 3", "x=2"),
            ("x > 1e-3 && x < 1E+3", "x=0.5"),
            ("n == 9007199254740993", "n=9007199254740993"),
            ("n != 9007199254740992", "n=9007199254740993"),
            ("n == 170141183460469231731687303715884105727", "n=170141183460469231731687303715884105727"),
            ("abs(i - j) <= 2", "i=1 j=3"),
            ("max(i, j, 7) == 7 && min(i, j) == 1", "i=1 j=3"),
            ("floor(i / 2) == 1 && ceil(i / 2) == 2 && round(2.5) == 2", "i=3"),
            ("sqrt(x) == 1.5", "x=2.25"),
            ("contains(file, 'run7') and ends_with(file, '.dat')", "file=a/run7.dat"),
            ("starts_with(n, '12')", "n=123"),
            ("x == '' || x > 5", "x="),
            ("größe > 1", "größe=2"),
            ("alpha.1 == 2", "alpha.1=2"),
            ("`a-b` == 1 and `c` == 2", "a-b=1 c=2"),
            ("true", ""),
            ("(i < j) == true", "i=1 j=2"),
            (r#"x == "say \"a\" \\""#, "x=say"),
        ] {
            let expected = !text.starts_with("x == \"say");
            assert_eq!(holds(text, row), Ok(expected), "{text} for {row}");
        }
    }

    #[test]
    fn what_has_no_value_for_an_item() {
        for (text, row, message) in [
            ("x < 5", "x=abc", "for x=abc: `x`, \"abc\", is no number"),
            ("x < 5", "x=", "for x='': `x`, \"\", is no number"),
            ("x < y", "x=1 y=b", "for x=1, y=b: `y`, \"b\", is no number"),
            ("x + 1 > 2", "x=a", "`x`, \"a\", is no number"),
            ("x", "x=1", "`x`, \"1\", is neither true nor false"),
            ("x && y == 1", "x=1 y=1", "is neither true nor false"),
            ("not x == 1", "x=1", "is neither true nor false"),
            ("1 < x < 5", "x=3", "a chain such as 1 < x < 5 is written 1 < x && x < 5"),
            ("x == true", "x=true", "a truth value cannot be compared"),
            ("x / y > 1", "x=1 y=0", "a division by 0"),
            ("x ^ 0.3 > 1", "x=1", "an exponent is a whole number, or 0.5"),
            ("x + 'a' == 1", "x=1", "the text \"a\" is no number"),
            ("contains(x + 1, 'a')", "x=1", "2 is no text"),
        ] {
            let error = holds(text, row).expect_err(text);
            assert!(error.contains(message), "{text} for {row}: {error}");
        }
    }

    #[test]
    fn what_cannot_be_read() {
        for (text, message) in [
            ("", "there is nothing in it"),
            ("()", "there is nothing in it"),
            ("i <", "lacks something"),
            ("i = 2", "compared by `==`"),
            ("i += 2", "compared by `==`"),
            ("(i < 2", "a ( is not closed"),
            ("i < 2)", "a ) closes nothing"),
            ("i < 'a", "a ' is not closed"),
            ("i < \"a", "a \" is not closed"),
            ("`i < 2", "a ` is not closed"),
            ("2 ^ 3 ^ 2 == 512", "needs braces"),
            ("i // 2 == 1", "floor(a / b)"),
            ("i /* 2 */ == 1", "stands for nothing"),
            ("i < 2, j < 2", "stands for nothing"),
            ("i < 2; j < 2", "stands for nothing"),
            ("frob(i) < 2", "`frob` is followed by a value, and is no function: there are abs, "),
            ("i 2", "`i` is followed by a value"),
            ("`a b` 2", "`a b` is followed by a value"),
            ("sqrt() == 1", "sqrt takes 1 value"),
            ("contains('a') == 1", "contains takes 2 values"),
            ("2 3", "side by side"),
        ] {
            let error = Condition::try_from(text.to_owned()).expect_err(text).to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
        for (open, close) in
            [("(", ")"), ("!", ""), ("-", ""), ("not ", ""), ("1 + ", ""), ("2 - -", ""), ("abs(", ")")]
        {
            let nested = |times: usize| open.repeat(times) + "1" + &close.repeat(times);
            let error = Condition::try_from(nested(10_000)).expect_err("too much").to_string();
            assert!(error.contains("more than 500 operators"), "{open}: {error}");
            let most = condition(&nested(240));
            assert!(most.holds(&[], &[""; 0]).is_err(), "a number is no truth");
        }
    }

    #[test]
    fn names_are_known_beforehand() {
        let check = |text: &str| condition(text).check(&["i", "j"]).map_err(|error| error.to_string());
        assert_eq!(check("i < j"), Ok(()));
        assert_eq!(check("i < k"), Err("there is no name `k`: there are i, j".to_owned()));
        assert_eq!(check("max(i, abs(k)) < 1"), Err("there is no name `k`: there are i, j".to_owned()));
    }

    #[test]
    fn it_is_written_as_typed() {
        let typed = condition("i < j   and `j`>2");
        let json = serde_json::to_string(&typed).expect("a text");
        assert_eq!(json, "\"i < j   and `j`>2\"");
        assert_eq!(serde_json::from_str::<Condition>(&json).expect("reads"), typed);
        assert!(serde_json::from_str::<Condition>("\"i <\"").is_err());
    }
}
