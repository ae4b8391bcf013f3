//! Rows of values that are at hand: those of a table, of lines or of files, all of them or a chunk's.

/// Consecutive rows of an axis, kept compactly: one text for all fields. The rows of an axis follow one another in a
/// circle, so that a chunk that wraps around the axis' end holds them in one piece as well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowBlock {
    columns: usize,
    /// The number of the first row, in the axis.
    first: u64,
    /// How many rows the axis has.
    of: u64,
    bytes: Vec<u8>,
    /// Where each field ends.
    ends: Vec<usize>,
    /// What the first field of each row was when it was planned, where a program is given another text.
    planned: Option<Box<RowBlock>>,
}

impl RowBlock {
    /// No rows yet; the first that is added is row number `first` of the `of` of the axis.
    #[must_use]
    pub fn new(columns: usize, first: u64, of: u64) -> Self {
        Self { columns, first, of, bytes: Vec::new(), ends: Vec::new(), planned: None }
    }

    /// All rows of an axis: their fields' texts one after another, and where each field ends in them.
    ///
    /// # Panics
    /// Where the fields are no whole number of rows, or do not follow one another in `bytes`.
    #[must_use]
    pub fn whole(columns: usize, bytes: Vec<u8>, ends: Vec<usize>) -> Self {
        assert!(columns > 0 && ends.len().is_multiple_of(columns), "each row has a field for each column");
        assert!(ends.is_sorted() && ends.last().is_none_or(|end| *end == bytes.len()), "fields follow one another");
        let of = (ends.len() / columns) as u64;
        Self { columns, first: 0, of, bytes, ends, planned: None }
    }

    /// Adds the next row.
    ///
    /// # Panics
    /// Where it has not as many fields as there are columns.
    pub fn push<'a>(&mut self, fields: impl IntoIterator<Item = &'a [u8]>) {
        let before = self.ends.len();
        for field in fields {
            self.bytes.extend_from_slice(field);
            self.ends.push(self.bytes.len());
        }
        assert_eq!(self.ends.len() - before, self.columns, "a row has a field for each column");
    }

    /// These rows as a program is given them, whose first fields were those of `planned` when they were planned.
    #[must_use]
    pub fn given_for(self, planned: Self) -> Self {
        Self { planned: Some(Box::new(planned)), ..self }
    }

    /// How many columns a row has.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The number of the first row, in the axis, and how many rows the axis has.
    #[must_use]
    pub fn place(&self) -> (u64, u64) {
        (self.first, self.of)
    }

    /// The fields' texts one after another, and where each field ends in them.
    #[must_use]
    pub fn texts(&self) -> (&[u8], &[usize]) {
        (&self.bytes, &self.ends)
    }

    /// How many rows are here.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.ends.len().checked_div(self.columns).unwrap_or(0) as u64
    }

    /// Whether no row is here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The fields' texts of `count` rows from the row with the number `first` on; `None` where these are not here, or do not follow one
    /// another here.
    #[must_use]
    pub fn text_of(&self, first: u64, count: u64) -> Option<&[u8]> {
        let start = usize::try_from(first.checked_sub(self.first)?).ok()?;
        let stop = start.checked_add(usize::try_from(count).ok()?)?;
        let end = |row: usize| match row.checked_mul(self.columns)? {
            0 => Some(0),
            fields => self.ends.get(fields - 1).copied(),
        };
        self.bytes.get(end(start)?..end(stop)?)
    }

    /// A field of the row with the number `row` in the axis; `None` where that row is not here.
    #[must_use]
    pub fn field(&self, row: u64, column: usize) -> Option<&[u8]> {
        let place =
            if row >= self.first { row - self.first } else { row.checked_add(self.of)?.checked_sub(self.first)? };
        if row >= self.of || place >= self.len() || column >= self.columns {
            return None;
        }
        let at = usize::try_from(place).ok()? * self.columns + column;
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        Some(&self.bytes[start..self.ends[at]])
    }

    /// The same as it was when it was planned.
    #[must_use]
    pub fn planned(&self, row: u64, column: usize) -> Option<&[u8]> {
        self.planned.as_ref().map_or(self, |planned| planned).field(row, column)
    }
}

/// The rows of a space's listed axes that are at hand: one block for each, in the order of the axes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// The blocks.
    pub blocks: Vec<RowBlock>,
}

impl Rows {
    /// Of a space that lists nothing.
    pub const NONE: &'static Self = &Self { blocks: Vec::new() };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_wrap_around() {
        let mut block = RowBlock::new(2, 3, 5);
        for row in [3u8, 4, 0] {
            block.push([&[b'a' + row][..], b""]);
        }
        assert_eq!(block.len(), 3);
        let first = |row| block.field(row, 0).map(<[u8]>::to_vec);
        assert_eq!([first(3), first(4), first(0)], [b"d", b"e", b"a"].map(|text| Some(text.to_vec())));
        assert_eq!((first(1), first(2), first(5)), (None, None, None));
        assert_eq!(block.field(0, 1), Some(&b""[..]));
        assert_eq!(block.field(0, 2), None);
    }
}
