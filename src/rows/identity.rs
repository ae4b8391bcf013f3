//! The identity of rows.

use crate::space::{Identity, RowBlock};

/// The columns that a block of files has behind the one that names them: the file's size in bytes, in decimal digits, and
/// its content's [`Identity`]. So that the identity of such rows is made of the files' content, too.
pub const FILE_COLUMNS: [&str; 2] = ["bytes", "content"];

/// So many bytes of lengths are hashed at a time: a call for each field would cost more than hashing does.
const LENGTHS: usize = 1 << 14;

/// From so many bytes on it pays to hash texts and lengths side by side.
const LARGE: usize = 1 << 20;

/// Does both, side by side where that pays.
fn both(pays: bool, a: impl FnOnce() + Send, b: impl FnOnce()) {
    if !pays {
        a();
        b();
        return;
    }
    std::thread::scope(|scope| {
        scope.spawn(a);
        b();
    });
}

/// Builds the identity of rows: of their names, of how many fields there are and how long each is, and of their text.
/// Blocks that follow one another have the identity that one block with all of their rows has.
#[derive(Debug)]
pub struct RowsHasher {
    names: blake3::Hasher,
    lengths: blake3::Hasher,
    texts: blake3::Hasher,
    /// Lengths that are still to be hashed.
    pending: Vec<u8>,
}

impl RowsHasher {
    /// No rows yet, of columns with these names.
    #[must_use]
    pub fn new(names: &[String]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for name in names {
            hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes());
        }
        Self {
            names: hasher,
            lengths: blake3::Hasher::new(),
            texts: blake3::Hasher::new(),
            pending: Vec::with_capacity(LENGTHS),
        }
    }

    /// Adds the rows of a block, in the order in which it holds them.
    pub fn add(&mut self, block: &RowBlock) {
        let (texts, ends) = block.texts();
        let Self { lengths, pending, texts: hasher, .. } = self;
        let add_lengths = || {
            let mut start = 0;
            for &end in ends {
                pending.extend_from_slice(&((end - start) as u64).to_le_bytes());
                start = end;
                if pending.len() >= LENGTHS {
                    lengths.update(pending);
                    pending.clear();
                }
            }
        };
        let add_texts = || {
            hasher.update(texts);
        };
        both(texts.len() >= LARGE, add_lengths, add_texts);
    }

    /// The identity of what was added.
    #[must_use]
    pub fn finish(mut self) -> Identity {
        self.lengths.update(&self.pending);
        let mut all = blake3::Hasher::new();
        for part in [self.names, self.lengths, self.texts] {
            all.update(part.finalize().as_bytes());
        }
        Identity::of(&all)
    }
}

/// The identity of a whole axis' rows: what [`Listed::content`](crate::space::Listed) holds.
#[must_use]
pub fn identity(names: &[String], block: &RowBlock) -> Identity {
    let mut hasher = RowsHasher::new(names);
    hasher.add(block);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn block(rows: &[Vec<Vec<u8>>], columns: usize) -> RowBlock {
        let mut block = RowBlock::new(columns, 0, rows.len() as u64);
        rows.iter().for_each(|row| block.push(row.iter().map(Vec::as_slice)));
        block
    }

    fn names(columns: usize) -> Vec<String> {
        (0..columns).map(|column| format!("n{column}")).collect()
    }

    #[test]
    fn a_committed_identity_never_changes() {
        let rows = block(&[vec![b"1".to_vec(), b"a b".to_vec()], vec![b"".to_vec(), b"\xff".to_vec()]], 2);
        assert_eq!(identity(&names(2), &rows).to_string(), "77b53db146cbb9cfe8dc90ca32c17a77");
    }

    #[test]
    fn names_borders_and_rows_count() {
        let of = |names: &[&str], rows: &[&[&str]]| {
            let rows: Vec<Vec<Vec<u8>>> =
                rows.iter().map(|row| row.iter().map(|field| field.as_bytes().to_vec()).collect()).collect();
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            identity(&names, &block(&rows, names.len()))
        };
        let all = [
            of(&["a", "b"], &[&["1", "23"]]),
            of(&["a", "b"], &[&["12", "3"]]),
            of(&["a", "c"], &[&["1", "23"]]),
            of(&["ab", ""], &[&["1", "23"]]),
            of(&["a"], &[&["1"], &["23"]]),
            of(&["a"], &[&["123"]]),
            of(&["a"], &[&["1"], &["23"], &[""]]),
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_blocks_end(
            rows in prop::collection::vec(prop::collection::vec(any::<Vec<u8>>(), 2), 0..40),
            cut in 0usize..40,
        ) {
            let cut = cut.min(rows.len());
            let mut hasher = RowsHasher::new(&names(2));
            hasher.add(&block(&rows[..cut], 2));
            hasher.add(&block(&rows[cut..], 2));
            prop_assert_eq!(hasher.finish(), identity(&names(2), &block(&rows, 2)));
        }
    }
}
