//! Merging numbers, and arrays of numbers element by element.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::entry::Piece;
use super::{BadResult, Entry, NoAnswer, Number, Outcome, Reducer, Value};

/// A merge of numbers: what a [`Reducer`] does with the numbers of one place in the results.
pub trait Fold: Sync {
    /// What has been merged so far.
    type State: Send + Serialize + DeserializeOwned;

    /// As [`Reducer::is_per_item`]; `false` where several numbers merged are as good as the numbers themselves.
    const PER_ITEM: bool;

    /// Names in an object that stands for several numbers, where the fold takes such.
    const SUMMARY: &'static [&'static str] = &[];

    /// The state in which nothing has been merged.
    fn identity(&self) -> Self::State;

    /// Takes in the next number.
    fn add(&self, state: &mut Self::State, number: Number);

    /// Takes in an object with the names [`Fold::SUMMARY`]; `None` where it does not hold what it should.
    fn add_summary(&self, state: &mut Self::State, summary: &Value) -> Option<()> {
        let _ = (state, summary);
        None
    }

    /// Merges `right` into `left`.
    fn merge(&self, left: &mut Self::State, right: Self::State);

    /// The answer; `None` where nothing was merged and there is no answer for nothing.
    fn finish(&self, state: Self::State) -> Option<Value>;
}

/// A [`Fold`] over results that are numbers, or arrays of numbers of one shape, which are merged element by element.
///
/// Laws: those of the fold for each element. Of results that do not fit the first one in item order, the first is named,
/// whatever the cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Elementwise<F>(pub F);

/// How long an array is in each of its dimensions; a number has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape(Vec<usize>);

/// What [`Elementwise`] has merged.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Elements<S> {
    /// The first result.
    first: Option<Placed>,
    /// A state for each element of results that have its shape, in reading order.
    cells: Vec<S>,
    /// The first result of another shape.
    misfit: Option<Placed>,
}

/// The shape of a result, and where that stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Placed {
    /// The first item of its text.
    item: u128,
    line: usize,
    shape: Shape,
}

impl<F: Fold> Elementwise<F> {
    /// Makes room for a result of this shape; `false` where it does not fit the first one.
    fn fits(&self, state: &mut Elements<F::State>, shape: &Shape, item: u128, line: usize) -> bool {
        match &state.first {
            Some(first) if first.shape == *shape => true,
            Some(_) => {
                state.misfit.get_or_insert_with(|| Placed { item, line, shape: shape.clone() });
                false
            }
            None => {
                state.cells = (0..shape.elements()).map(|_| self.0.identity()).collect();
                state.first = Some(Placed { item, line, shape: shape.clone() });
                true
            }
        }
    }

    #[inline]
    fn take_number(&self, state: &mut Elements<F::State>, number: Number, item: u128, line: usize) {
        let plain = state.first.as_ref().is_some_and(|first| first.shape.is_number());
        if (plain || self.fits(state, &Shape::NUMBER, item, line))
            && let Some(cell) = state.cells.first_mut()
        {
            self.0.add(cell, number);
        }
    }

    fn take_summary(&self, state: &mut Elements<F::State>, outcome: &Outcome<'_>) -> Result<(), BadResult> {
        let due = "an object with a count n, a mean and an unbiased variance var";
        let bad = || BadResult::not_due(outcome.line, outcome.text, due);
        if !self.fits(state, &Shape::NUMBER, outcome.items.start(), outcome.line) {
            return Ok(());
        }
        let cell = state.cells.first_mut().ok_or_else(bad)?;
        self.0.add_summary(cell, &outcome.value).ok_or_else(bad)
    }
}

impl<F: Fold> Reducer for Elementwise<F> {
    type State = Elements<F::State>;

    fn is_per_item(&self) -> bool {
        F::PER_ITEM
    }

    fn identity(&self) -> Elements<F::State> {
        Elements { first: None, cells: Vec::new(), misfit: None }
    }

    fn take(&self, state: &mut Elements<F::State>, entry: &Entry<'_>) -> Result<(), BadResult> {
        if !F::SUMMARY.is_empty()
            && let Some(outcome) = entry.named_lines(F::SUMMARY)
        {
            return self.take_one(state, &outcome);
        }
        if F::PER_ITEM && entry.items.count() > 1 {
            return entry.outcomes().try_for_each(|outcome| self.take_one(state, &outcome));
        }
        for Piece { line, text } in entry.pieces() {
            // Numbers, one a line, are what most results are.
            if let Some(number) = Number::parse(text) {
                self.take_number(state, number, entry.items.start(), line);
            } else {
                let value = Value::parse(text);
                self.take_one(state, &Outcome { items: entry.items, results: 1, line, text, value })?;
            }
        }
        Ok(())
    }

    fn take_one(&self, state: &mut Elements<F::State>, outcome: &Outcome<'_>) -> Result<(), BadResult> {
        let is_summary = || F::SUMMARY.iter().all(|name| outcome.value.get(name).is_some());
        if !F::SUMMARY.is_empty() && is_summary() {
            return self.take_summary(state, outcome);
        }
        let item = if F::PER_ITEM { outcome.item()? } else { outcome.items.start() };
        match &outcome.value {
            Value::Number(number) => self.take_number(state, number.clone(), item, outcome.line),
            array @ Value::Array(_) => {
                let mut numbers = Vec::new();
                let Some(shape) = Shape::of(array, &mut numbers) else {
                    return Err(BadResult::not_due(
                        outcome.line,
                        outcome.text,
                        "an array of numbers, with rows of one length",
                    ));
                };
                if self.fits(state, &shape, item, outcome.line) {
                    state.cells.iter_mut().zip(numbers).for_each(|(cell, number)| self.0.add(cell, number.clone()));
                }
            }
            _ => return Err(BadResult::not_a_number(outcome.line, outcome.text)),
        }
        Ok(())
    }

    fn merge(&self, left: &mut Elements<F::State>, right: Elements<F::State>) {
        let Some(own) = &left.first else {
            *left = right;
            return;
        };
        let Some(other) = right.first else { return };
        if own.shape == other.shape {
            left.cells.iter_mut().zip(right.cells).for_each(|(left, right)| self.0.merge(left, right));
            left.misfit = left.misfit.take().or(right.misfit);
        } else {
            left.misfit.get_or_insert(other);
        }
    }

    fn finish(&self, state: Elements<F::State>) -> Result<Value, NoAnswer> {
        let Some(Placed { shape, .. }) = state.first else {
            return self.0.finish(self.0.identity()).ok_or(NoAnswer::Nothing);
        };
        if let Some(Placed { item, line, shape: found }) = state.misfit {
            return Err(NoAnswer::Misfit { item, bad: BadResult::Shape { line, found, first: shape } });
        }
        let elements: Option<Vec<Value>> = state.cells.into_iter().map(|cell| self.0.finish(cell)).collect();
        let mut elements = elements.ok_or(NoAnswer::Nothing)?;
        if shape.is_number() {
            return elements.pop().ok_or(NoAnswer::Nothing);
        }
        Ok(by_name(&shape, elements))
    }
}

impl Shape {
    const NUMBER: Self = Self(Vec::new());

    /// The shape of an array of numbers, which go to `numbers` in reading order; `None` where it holds anything else, or
    /// rows that are not of one length.
    fn of<'a>(value: &'a Value, numbers: &mut Vec<&'a Number>) -> Option<Self> {
        match value {
            Value::Number(number) => {
                numbers.push(number);
                Some(Self::NUMBER)
            }
            Value::Array(values) => {
                let mut inner: Option<Self> = None;
                for value in values {
                    let shape = Self::of(value, numbers)?;
                    if inner.get_or_insert_with(|| shape.clone()) != &shape {
                        return None;
                    }
                }
                let mut lengths = vec![values.len()];
                lengths.extend(inner.unwrap_or(Self::NUMBER).0);
                Some(Self(lengths))
            }
            _ => None,
        }
    }

    fn is_number(&self) -> bool {
        self.0.is_empty()
    }

    fn elements(&self) -> usize {
        self.0.iter().product()
    }

    /// The array of this shape with `elements` in reading order.
    fn arrange(&self, elements: Vec<Value>) -> Value {
        let mut values = elements;
        for &length in self.0.iter().skip(1).rev() {
            let mut rows = Vec::new();
            let mut rest = values.into_iter().peekable();
            while rest.peek().is_some() && length > 0 {
                rows.push(Value::Array(rest.by_ref().take(length).collect()));
            }
            values = rows;
        }
        Value::Array(values)
    }
}

/// `a number`, `an array of 3 numbers`, `an array of 2 x 3 numbers`.
impl fmt::Display for Shape {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_number() {
            return out.write_str("a number");
        }
        let lengths: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        let noun = if self.0 == [1] { "number" } else { "numbers" };
        write!(out, "an array of {} {noun}", lengths.join(" x "))
    }
}

/// An array of the elements; where these are objects with the same names, an object of such arrays.
fn by_name(shape: &Shape, elements: Vec<Value>) -> Value {
    let Some(Value::Object(first)) = elements.first() else { return shape.arrange(elements) };
    let names: Vec<String> = first.iter().map(|(name, _)| name.clone()).collect();
    let of = |name: &str| elements.iter().map(|element| element.get(name).cloned().unwrap_or(Value::Null)).collect();
    Value::Object(names.iter().map(|name| (name.clone(), shape.arrange(of(name)))).collect())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{misfit, reduced, refused};
    use super::super::{Max, Mean, Min, Product, Stats, Sum};
    use super::*;

    #[test]
    fn arrays_are_merged_element_by_element() {
        let texts = ["[1, 2.5]", "[3, 4]\n[\n 0,\n 0.5\n]\n"];
        let check = |found: Option<String>, expected: &str| assert_eq!(found.as_deref(), Some(expected));
        check(reduced(&Elementwise(Sum), &texts), "[4,7.0]");
        check(reduced(&Elementwise(Product), &texts), "[0,5.0]");
        check(reduced(&Elementwise(Min), &texts), "[0,0.5]");
        check(reduced(&Elementwise(Max), &texts), "[3,4]");
        check(reduced(&Elementwise(Mean), &["[1,2]", "[2,2]"]), "[1.5,2.0]");
        check(reduced(&Elementwise(Sum), &["[[[1,2],[3,4]]]", "[[[1,1],[1,1]]]"]), "[[[2,3],[4,5]]]");
        check(reduced(&Elementwise(Sum), &["[]", "[]"]), "[]");
        check(reduced(&Elementwise(Sum), &["[[],[]]"]), "[]");
        let stats = reduced(&Elementwise(Stats), &["[[1],[2]]", "[[3],[2]]"]).expect("an answer");
        assert!(stats.starts_with(r#"{"count":[[2],[2]],"mean":[[2.0],[2.0]],"#), "{stats}");
    }

    #[test]
    fn the_first_result_of_another_shape_is_named() {
        let check = |texts: &[&str], item, expected: &str| {
            assert_eq!(misfit(&Elementwise(Sum), texts), (item, expected.to_owned()), "{texts:?}");
        };
        check(&["1", "2\n[3]"], 1, "line 2 holds an array of 1 number, and the first result is a number");
        check(
            &["[1,2]", "[3,4]", "5", "[6]"],
            2,
            "line 1 holds a number, and the first result is an array of 2 numbers",
        );
        check(
            &["[[1,2]]\n\n\n[[1],[2]]"],
            0,
            "line 4 holds an array of 2 x 1 numbers, and the first result is an array of 1 x 2 numbers",
        );
        check(&["[]", "0"], 1, "line 1 holds a number, and the first result is an array of 0 numbers");
    }

    #[test]
    fn what_is_no_array_of_numbers_is_refused() {
        let check = |text: &str, expected: &str| assert_eq!(refused(&Elementwise(Sum), text), expected);
        check("1\n[[1],[2,3]]", "line 2 is not an array of numbers, with rows of one length: \"[[1],[2,3]]\"");
        check("[1,null]", "line 1 is not an array of numbers, with rows of one length: \"[1,null]\"");
        check("1\n[1] 5", "line 2 is not a number: \"[1] 5\"");
        check("{\"n\":1}", "line 1 is not a number: \"{\"n\":1}\"");
        check("x = 1", "line 1 is not a number: \"x = 1\"");
    }
}
