//! A number for each item: `--cost`.

use super::ConditionError;
use super::expression::Expression;

/// An expression over the names of a space, as typed, that comes to a number for each item. It is written as a
/// [`Condition`](super::Condition) is.
#[derive(Clone, Debug)]
pub struct Formula {
    text: String,
    expression: Expression,
}

impl Formula {
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

    /// What it comes to for an item with these values; each stands at the place of its name.
    ///
    /// # Errors
    /// Where it computes with a value that is no number, divides by 0, or comes to no number.
    pub fn value<V: AsRef<[u8]>>(&self, names: &[&str], row: &[V]) -> Result<f64, ConditionError> {
        let value = |wanted: &str| {
            let place = names.iter().position(|name| *name == wanted)?;
            row.get(place).map(AsRef::as_ref)
        };
        let number = self.expression.number(&value);
        number.map_err(|why| ConditionError::NoValue { row: super::describe_row(names, row), why })
    }
}

impl TryFrom<&str> for Formula {
    type Error = ConditionError;

    fn try_from(text: &str) -> Result<Self, ConditionError> {
        let expression = Expression::read(text).map_err(ConditionError::Unreadable)?;
        Ok(Self { text: text.to_owned(), expression })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, row: &[(&str, &str)]) -> Result<f64, String> {
        let (names, values): (Vec<_>, Vec<_>) = row.iter().copied().unzip();
        let formula = Formula::try_from(text).map_err(|error| error.to_string())?;
        formula.check(&names).and_then(|()| formula.value(&names, &values)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_formula_comes_to_a_number() {
        assert_eq!(value("i**2", &[("i", "3")]), Ok(9.0));
        assert_eq!(value("0.5 + i / 4", &[("i", "3")]), Ok(1.25));
        assert_eq!(value("max(i, j)", &[("i", "3"), ("j", "1e2")]), Ok(100.0));
        assert!(value("i < 3", &[("i", "3")]).is_err() && value("k", &[("i", "3")]).is_err());
        assert!(value("i", &[("i", "x")]).is_err() && value("1 / i", &[("i", "0")]).is_err());
        assert!(value("i +", &[("i", "3")]).is_err());
    }
}
