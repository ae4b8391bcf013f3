//! The shape that the cells of a column have in common, where they are numbers or arrays of numbers.

use super::{Cell, CellKind};
use crate::reduce::{Number, Value};

/// The shape of a column's cells; missing ones do not count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// There is no cell.
    #[default]
    None,
    /// They are all of one shape.
    Of {
        /// The lengths, the outermost first; none for numbers.
        lengths: Vec<usize>,
        /// Whether each number is an integer of 64 bits.
        integers: bool,
        /// The first item.
        first: u128,
    },
    /// Not numbers, or not of one shape.
    Uneven {
        /// The first item whose cell does not fit.
        item: u128,
        /// The shape of the cells before it, and their first item.
        before: Option<(Vec<usize>, u128)>,
        /// Whether that cell is a number or an array of numbers, of another shape than those before it.
        is_numbers: bool,
    },
}

impl Shape {
    /// Takes in the cell of an item that follows.
    pub fn add(&mut self, item: u128, cell: Cell<'_>) {
        if cell.kind == CellKind::Missing || matches!(self, Self::Uneven { .. }) {
            return;
        }
        let mut lengths = Vec::new();
        let integers = match cell.kind {
            CellKind::Small | CellKind::Long => Some(true),
            CellKind::Big | CellKind::Decimal => Some(false),
            CellKind::Nested => measure(&Value::parse(cell.text), &mut lengths),
            CellKind::Missing | CellKind::Boolean | CellKind::Text => None,
        };
        self.join(&match integers {
            Some(integers) => Self::Of { lengths, integers, first: item },
            None => Self::Uneven { item, before: None, is_numbers: false },
        });
    }

    /// Takes in the shape of cells that follow.
    pub fn join(&mut self, later: &Self) {
        let (own, start) = match self {
            Self::None => return *self = later.clone(),
            Self::Uneven { .. } => return,
            Self::Of { lengths, first, .. } => (lengths.clone(), *first),
        };
        let uneven = |item, is_numbers| Self::Uneven { item, before: Some((own.clone(), start)), is_numbers };
        match (&mut *self, later) {
            (Self::Of { integers, .. }, Self::Of { lengths, integers: more, .. }) if own == *lengths => {
                *integers &= more
            }
            (_, Self::Of { first, .. }) => *self = uneven(*first, true),
            (_, Self::Uneven { before: Some((lengths, first)), .. }) if own != *lengths => *self = uneven(*first, true),
            (_, Self::Uneven { item, is_numbers, .. }) => *self = uneven(*item, *is_numbers),
            (_, Self::None) => {}
        }
    }
}

/// Adds the lengths of an array of numbers; gives whether all of them are integers of 64 bits, and nothing where there is
/// something else in it or its rows differ in length.
pub(super) fn measure(value: &Value, lengths: &mut Vec<usize>) -> Option<bool> {
    match value {
        Value::Number(number) => Some(integer(number).is_some()),
        Value::Array(values) => {
            lengths.push(values.len());
            let Some((first, others)) = values.split_first() else { return Some(true) };
            let depth = lengths.len();
            let mut integers = measure(first, lengths)?;
            for other in others {
                let mut own = Vec::new();
                integers &= measure(other, &mut own)?;
                if own != lengths[depth..] {
                    return None;
                }
            }
            Some(integers)
        }
        _ => None,
    }
}

/// An integer of 64 bits.
pub(super) fn integer(number: &Number) -> Option<i64> {
    match number {
        Number::Integer(integer) => integer.to_string().parse().ok(),
        Number::Decimal(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(texts: &[&str]) -> Shape {
        let mut shape = Shape::default();
        for (item, text) in (10..).zip(texts) {
            let kind = if text.starts_with('[') { CellKind::Nested } else { Cell::of_result(text.as_bytes()).kind };
            shape.add(item, Cell { kind, text: text.as_bytes() });
        }
        shape
    }

    fn of(lengths: &[usize], integers: bool, first: u128) -> Shape {
        Shape::Of { lengths: lengths.to_vec(), integers, first }
    }

    #[test]
    fn cells_have_a_shape_in_common_or_none() {
        assert_eq!(shape(&["1", "", "-7"]), of(&[], true, 10));
        assert_eq!(shape(&["", "1", "0.5"]), of(&[], false, 11));
        assert_eq!(shape(&["1", "99999999999999999999"]), of(&[], false, 10));
        assert_eq!(shape(&["[[1,2],[3,4],[5,6]]", "[[1,2],[3,4],[5,6.5]]"]), of(&[3, 2], false, 10));
        assert_eq!(shape(&["[]", "[]"]), of(&[0], true, 10));
        let uneven = |item, before: Option<&[usize]>, is_numbers| Shape::Uneven {
            item,
            before: before.map(|lengths| (lengths.to_vec(), 10)),
            is_numbers,
        };
        assert_eq!(shape(&["1", "x", "y"]), uneven(11, Some(&[]), false));
        assert_eq!(shape(&["1", "2", "[1]"]), uneven(12, Some(&[]), true));
        assert_eq!(shape(&["[[1],[1,2]]"]), uneven(10, None, false));
        assert_eq!(shape(&["[1,[2]]"]), uneven(10, None, false));
        assert_eq!(shape(&["[1,null]"]), uneven(10, None, false));
        assert_eq!(shape(&["true"]), uneven(10, None, false));
        assert_eq!(shape(&["", ""]), Shape::None);
    }

    #[test]
    fn parts_join_as_one_list_does() {
        let texts = ["1", "", "2.5", "[1]", "x", "3"];
        for cut in 0..=texts.len() {
            let (mut left, right) = (shape(&texts[..cut]), {
                let mut shape = Shape::default();
                for (item, text) in (10 + cut as u128..).zip(&texts[cut..]) {
                    let kind =
                        if text.starts_with('[') { CellKind::Nested } else { Cell::of_result(text.as_bytes()).kind };
                    shape.add(item, Cell { kind, text: text.as_bytes() });
                }
                shape
            });
            left.join(&right);
            assert_eq!(left, shape(&texts), "cut at {cut}");
        }
    }
}
