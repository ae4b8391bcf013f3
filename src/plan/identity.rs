//! The identity of a plan.

use serde::Serialize;

use super::{Chain, Command, Word, Yields};
use crate::cut::Cut;
use crate::space::{Identity, Space};

/// The identity of a plan: what is computed.
pub type PlanIdentity = Identity;

impl Identity {
    /// What a plan computes. The command's words count as typed, and the cut only where the command asks for
    /// the chunk's number: then what an item yields depends on it.
    #[must_use]
    pub fn of_plan(
        space: &Space,
        cut: &Cut,
        command: Option<&Command>,
        yields: &Yields,
        chain: Option<&Chain>,
    ) -> Self {
        #[derive(Serialize)]
        struct Computed<'a> {
            format: u32,
            space: &'a Space,
            command: Option<&'a [Word]>,
            #[serde(skip_serializing_if = "Option::is_none")]
            cut: Option<&'a Cut>,
            #[serde(skip_serializing_if = "Yields::is_nothing")]
            yields: &'a Yields,
            #[serde(skip_serializing_if = "Option::is_none")]
            chain: Option<&'a Chain>,
        }
        let cut = command.is_some_and(Command::depends_on_the_cut).then_some(cut);
        let command = command.map(Command::words);
        let computed = Computed { format: super::FORMAT, space, command, cut, yields, chain };
        Self::of_bytes(&serde_json::to_vec(&computed).expect("plain values"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(total: &str, chunks: u64, words: &[&str]) -> Identity {
        let space = Space::Range(total.parse().expect("a range"));
        let cut = Cut::into_chunks(space.count(), chunks.into()).expect("a cut");
        let words: Vec<_> = words.iter().map(|&word| Word::from(word)).collect();
        let command = (!words.is_empty()).then(|| Command::try_from(words).expect("a command"));
        Identity::of_plan(&space, &cut, command.as_ref(), &Yields::default(), None)
    }

    #[test]
    fn a_plan_is_what_it_computes() {
        let sum = identity("1..=100", 60, &["sum", "{first}"]);
        assert_eq!(sum, identity("1..101", 10, &["sum", "{first}"]), "the cut does not count");
        assert_ne!(sum, identity("1..=101", 60, &["sum", "{first}"]));
        assert_ne!(sum, identity("1..=100", 60, &["sum", "{last}"]));
        assert_ne!(sum, identity("1..=100", 60, &[]));
        let by_chunk = identity("1..=100", 60, &["sum", "{chunk}"]);
        assert_ne!(by_chunk, identity("1..=100", 10, &["sum", "{chunk}"]), "here the cut does count");
    }

    #[test]
    fn a_committed_identity_never_changes() {
        // Records written years ago must still be found to belong to their plan.
        assert_eq!(
            identity("1..=100", 60, &["python3", "sum.py", "{first}", "{last}"]).to_string(),
            "196a7ec4eccb829879a4f10b3f458b3e"
        );
    }
}
