//! The nodes of a DAG, by their names.

/// What a node computes: read from its name, in which the generation of the plan stands last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeName {
    /// A chunk, `chunk-000017-g1`.
    Chunk {
        /// The chunk's number.
        number: u64,
        /// The generation of the plan.
        generation: u32,
    },
    /// A segment of a chunk whose item is computed by a chain of them, `chunk-000017-s0003-g1`.
    Segment {
        /// The chunk's number.
        chunk: u64,
        /// The segment's number, from 1.
        number: u32,
        /// The generation of the plan.
        generation: u32,
    },
    /// A piece of a chunk in a round of the tail, `tail-1-chunk-000017-003-g1`.
    Piece {
        /// The round, from 1.
        round: u32,
        /// The chunk's number.
        chunk: u64,
        /// The piece's number among those of its chunk.
        number: u64,
        /// The generation of the plan.
        generation: u32,
    },
    /// A node that merges a group of chunks' results on the way to the answer, `merge-000017-g1`.
    Group {
        /// The group's number.
        number: u64,
        /// The generation of the plan.
        generation: u32,
    },
    /// The node that merges, `reduce-g1`.
    Merge {
        /// The generation of the plan.
        generation: u32,
    },
    /// Anything else, or a job whose submission the log does not tell of.
    Other,
}

impl NodeName {
    /// What a name says.
    #[must_use]
    pub fn parse(name: &[u8]) -> Self {
        fn number<N: std::str::FromStr>(digits: &str) -> Option<N> {
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| digits.parse().ok())?
        }
        let parse = || {
            let (name, generation) = std::str::from_utf8(name).ok()?.rsplit_once("-g")?;
            let generation = number(generation)?;
            match name.split_once('-') {
                Some(("chunk", rest)) if rest.contains("-s") => {
                    let (chunk, segment) = rest.split_once("-s")?;
                    Some(Self::Segment { chunk: number(chunk)?, number: number(segment)?, generation })
                }
                Some(("chunk", digits)) => Some(Self::Chunk { number: number(digits)?, generation }),
                Some(("tail", rest)) => {
                    let (round, rest) = rest.split_once("-chunk-")?;
                    let (chunk, piece) = rest.split_once('-')?;
                    let (round, chunk, number) = (number(round)?, number(chunk)?, number(piece)?);
                    Some(Self::Piece { round, chunk, number, generation })
                }
                Some(("merge", digits)) => Some(Self::Group { number: number(digits)?, generation }),
                _ => (name == "reduce").then_some(Self::Merge { generation }),
            }
        };
        parse().unwrap_or(Self::Other)
    }

    /// The chunk that it computes, or computes a piece of, in the plan of that generation.
    #[must_use]
    pub fn chunk_of(&self, of_generation: u32) -> Option<u64> {
        match *self {
            Self::Chunk { number: chunk, generation }
            | Self::Segment { chunk, generation, .. }
            | Self::Piece { chunk, generation, .. } => (generation == of_generation).then_some(chunk),
            Self::Group { .. } | Self::Merge { .. } | Self::Other => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_a_node_computes() {
        let chunk = |number, generation| NodeName::Chunk { number, generation };
        for (name, expected) in [
            ("chunk-000017-g1", chunk(17, 1)),
            ("chunk-1234567-g12", chunk(1_234_567, 12)),
            ("merge-000004-g2", NodeName::Group { number: 4, generation: 2 }),
            ("tail-1-chunk-000017-003-g2", NodeName::Piece { round: 1, chunk: 17, number: 3, generation: 2 }),
            (
                "tail-12-chunk-1234567-1234-g1",
                NodeName::Piece { round: 12, chunk: 1_234_567, number: 1234, generation: 1 },
            ),
            ("chunk-000017-s0003-g2", NodeName::Segment { chunk: 17, number: 3, generation: 2 }),
            ("chunk-17-s-g2", NodeName::Other),
            ("chunk-17-s3", NodeName::Other),
            ("tail-1-g2", NodeName::Other),
            ("tail-1-chunk-17-g2", NodeName::Other),
            ("merge-g2", NodeName::Other),
            ("reduce-g3", NodeName::Merge { generation: 3 }),
            ("reduce", NodeName::Other),
            ("chunk-g1", NodeName::Other),
            ("chunk-x-g1", NodeName::Other),
            ("chunk-1-g", NodeName::Other),
            ("chunk-99999999999999999999-g1", NodeName::Other),
            ("", NodeName::Other),
        ] {
            assert_eq!(NodeName::parse(name.as_bytes()), expected, "{name}");
        }
        assert_eq!(NodeName::parse(b"\xff-g1"), NodeName::Other);
    }

    #[test]
    fn pieces_count_for_their_chunk() {
        let of = |name: &str| NodeName::parse(name.as_bytes()).chunk_of(2);
        assert_eq!((of("chunk-000017-g2"), of("tail-1-chunk-000017-003-g2")), (Some(17), Some(17)));
        assert_eq!((of("chunk-000017-g1"), of("tail-1-chunk-000017-003-g1"), of("merge-17-g2")), (None, None, None));
    }
}
