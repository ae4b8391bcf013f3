//! How people name a chunk, or an item.

use std::str::FromStr;

use super::failure::Failure;
use super::output::count;
use crate::exit::Exit;
use crate::plan::Plan;
use crate::pool::NodeName;
use crate::space::{Interval, Rows, Space};

/// A chunk: its number, or the name that DAGMan shows, also that of a piece of it in the tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChunkName {
    number: u64,
    /// The generation of the cut, where the name says it.
    generation: Option<u32>,
}

/// A text names no chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a chunk is 3, chunk-3, or chunk-000003-g1")]
pub(super) struct NoChunk;

/// What is to be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct What {
    /// The chunk, or the one that holds the item.
    pub(super) chunk: u64,
    pub(super) items: Interval,
    /// Whether it is a whole chunk that was named.
    pub(super) is_chunk: bool,
}

impl ChunkName {
    /// `chunk-3` and its like: a name that starts as no number does.
    fn with_prefix(text: &str) -> Option<Self> {
        if let NodeName::Piece { chunk, generation, .. } = NodeName::parse(text.as_bytes()) {
            return Some(Self { number: chunk, generation: Some(generation) });
        }
        let rest = text.strip_prefix("chunk-")?;
        let (number, generation) = match rest.split_once("-g") {
            Some((number, generation)) => (number, Some(digits(generation)?)),
            None => (rest, None),
        };
        Some(Self { number: digits(number)?, generation })
    }

    /// The chunk's number, where the plan has it.
    pub(super) fn find(self, plan: &Plan) -> Result<u64, Failure> {
        let chunks = plan.cut.chunks();
        let there_are = format!("the plan has {}: 0 to {}", count(chunks, "chunk"), chunks - 1);
        if self.number >= chunks {
            return Err(Failure::new(Exit::Usage, format!("there is no chunk {}", self.number)).help(there_are));
        }
        match self.generation {
            Some(generation) if generation != plan.generation => {
                let what = format!("chunk-{:06}-g{generation} is a node of another plan of this folder", self.number);
                let now = format!("the nodes of the plan that is there now end in -g{}; {there_are}", plan.generation);
                Err(Failure::new(Exit::Usage, what).help(now))
            }
            _ => Ok(self.number),
        }
    }
}

impl FromStr for ChunkName {
    type Err = NoChunk;

    fn from_str(text: &str) -> Result<Self, NoChunk> {
        let number = digits(text).map(|number| Self { number, generation: None });
        number.or_else(|| Self::with_prefix(text)).ok_or(NoChunk)
    }
}

impl What {
    /// What `text` names: an item by its value, or a chunk by its name; without a text the first item.
    pub(super) fn find(text: Option<&str>, plan: &Plan) -> Result<Self, Failure> {
        let count = plan.space.count();
        let item = |item: u128| Self {
            chunk: plan.cut.chunk_of(count, item),
            items: Interval::new(item, item + 1).expect("one item"),
            is_chunk: false,
        };
        let Some(text) = text else { return Ok(item(0)) };
        if let Some(name) = ChunkName::with_prefix(text) {
            let chunk = name.find(plan)?;
            return Ok(Self { chunk, items: plan.chunk(chunk), is_chunk: true });
        }
        plan.space.find(text, Rows::NONE).map(item).map_err(|error| {
            let last = plan.cut.chunks() - 1;
            let chunks =
                if last == 0 { "chunk-0 is all of them".to_owned() } else { format!("chunk-0 to chunk-{last}") };
            let how = match &plan.space {
                Space::Range(range) => format!("by their values, {range}"),
                Space::Parameters(parameters) => {
                    format!("by their numbers, 0 to {}, or by NAME=VALUE,...", parameters.count() - 1)
                }
            };
            Failure::from_error(Exit::Usage, &error).help(format!("items are named {how}; chunks as {chunks}"))
        })
    }
}

/// A number without a sign.
fn digits<N: FromStr>(text: &str) -> Option<N> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_has_several_names() {
        let name = |number, generation| Ok(ChunkName { number, generation });
        for (text, expected) in [
            ("3", name(3, None)),
            ("000003", name(3, None)),
            ("chunk-3", name(3, None)),
            ("chunk-000003", name(3, None)),
            ("chunk-000003-g1", name(3, Some(1))),
            ("chunk-1234567-g12", name(1_234_567, Some(12))),
            ("tail-2-chunk-000003-017-g1", name(3, Some(1))),
        ] {
            assert_eq!(text.parse(), expected, "{text}");
        }
        for text in
            ["", "+3", "-3", "chunk-", "chunk-x", "chunk-3-", "chunk-3-g", "chunk-3-gx", "chunk--3", "chunk3", "x"]
        {
            assert_eq!(text.parse::<ChunkName>(), Err(NoChunk), "{text}");
        }
    }
}
