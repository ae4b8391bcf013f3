//! Chains: work that cannot be split, one trajectory after another's end, computed in short segments.

use serde::{Deserialize, Serialize};

use super::Word;

/// The names that stand for what differs from segment to segment, in the command and, as `SPLIT_SEGMENT`, ..., in the
/// environment: its number, from 1, how many there are at the most, and a path: by making a file there a program says that its
/// trajectory has ended, so that no more segments are needed.
pub const SEGMENT_NAMES: [&str; 3] = ["segment", "segments", "finished"];

/// The name of replicas among the values of an item.
pub const REPLICA: &str = "replica";

/// More segments than this are a mistake.
pub const MOST_SEGMENTS: u32 = 10_000;

/// Each item is computed by segments, one after another, each by a job of its own that starts from the state files that the
/// one before has left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked", into = "Unchecked")]
pub struct Chain {
    segments: u32,
    state: Vec<Word>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    segments: u32,
    state: Vec<Word>,
}

/// Why there is no such chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// None, or too many.
    #[error("a chain has 1 to {MOST_SEGMENTS} segments")]
    Segments,
    /// No state file is named.
    #[error("nothing says what a segment hands to the next")]
    NoState,
    /// A name that leads out of the folder, or is no file's.
    #[error("{0} is not the path of a file below the folder that the program starts in")]
    Outside(String),
    /// Two are the same.
    #[error("{0} is named twice")]
    Twice(String),
}

impl Chain {
    /// A chain of at most `segments` segments, which hand on the files `state`: paths below the folder that the program
    /// starts in.
    ///
    /// # Errors
    /// For numbers and names that make no sense.
    pub fn new(segments: u32, state: Vec<Word>) -> Result<Self, ChainError> {
        if segments == 0 || segments > MOST_SEGMENTS {
            return Err(ChainError::Segments);
        }
        if state.is_empty() {
            return Err(ChainError::NoState);
        }
        for (place, name) in state.iter().enumerate() {
            let mut parts = name.as_bytes().split(|&byte| byte == b'/');
            if parts.any(|part| matches!(part, b"" | b"." | b"..")) || name.as_bytes().contains(&0) {
                return Err(ChainError::Outside(name.quoted()));
            }
            if state[..place].contains(name) {
                return Err(ChainError::Twice(name.quoted()));
            }
        }
        Ok(Self { segments, state })
    }

    /// How many segments there are at the most; at least 1.
    #[must_use]
    pub fn segments(&self) -> u32 {
        self.segments
    }

    /// The state files' paths below the folder that the program starts in.
    #[must_use]
    pub fn state(&self) -> &[Word] {
        &self.state
    }
}

impl TryFrom<Unchecked> for Chain {
    type Error = ChainError;

    fn try_from(Unchecked { segments, state }: Unchecked) -> Result<Self, ChainError> {
        Self::new(segments, state)
    }
}

impl From<Chain> for Unchecked {
    fn from(Chain { segments, state }: Chain) -> Self {
        Self { segments, state }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(segments: u32, state: &[&str]) -> Result<Chain, String> {
        let state = state.iter().map(|&name| Word::from(name)).collect();
        Chain::new(segments, state).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_a_chain() {
        let made = chain(12, &["state.cpt", "out/rng.json"]).expect("a chain");
        let text = serde_json::to_string(&made).expect("plain");
        assert_eq!(text, r#"{"segments":12,"state":["state.cpt","out/rng.json"]}"#);
        assert_eq!(serde_json::from_str::<Chain>(&text).expect("as written"), made);
        assert!(serde_json::from_str::<Chain>(r#"{"segments":0,"state":["a"]}"#).is_err());
    }

    #[test]
    fn what_is_none() {
        assert_eq!(chain(0, &["a"]), Err("a chain has 1 to 10000 segments".to_owned()));
        assert_eq!(chain(10_001, &["a"]), Err("a chain has 1 to 10000 segments".to_owned()));
        assert_eq!(chain(2, &[]), Err("nothing says what a segment hands to the next".to_owned()));
        assert_eq!(chain(2, &["a", "b", "a"]), Err("a is named twice".to_owned()));
        for name in ["", "/a", "../a", "a/../b", "./a", "a/", "a//b", "."] {
            let error = chain(2, &[name]).expect_err(name);
            assert!(
                error.ends_with("is not the path of a file below the folder that the program starts in"),
                "{error}"
            );
        }
    }
}
