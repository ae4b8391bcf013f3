//! The template of a node, compiled.

use super::templates::TemplateError;
use crate::cut;
use crate::space::Interval;

/// A node's text: pieces that stand for themselves, and numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pieces: Vec<Piece>,
    suffix: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Name,
    Chunk,
    Start,
    Stop,
    Done,
}

impl Node {
    /// Compiles node.dag. Between double braces stands one variable, and nothing else: what a template engine
    /// can do beyond that would have to be done a million times.
    pub(super) fn compile(text: &str, generation: u32) -> Result<Self, TemplateError> {
        let error = |rest: &str, why: String| {
            let line = text[..text.len() - rest.len()].matches('\n').count() + 1;
            TemplateError { name: "node.dag", line, why }
        };
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(open) = ["{{", "{%", "{#"].iter().filter_map(|mark| rest.find(mark)).min() {
            let tag = &rest[open..];
            if !tag.starts_with("{{") {
                return Err(error(
                    tag,
                    "a node's template holds variables alone, no blocks and no comments".to_owned(),
                ));
            }
            let close = tag.find("}}").ok_or_else(|| error(tag, "`{{` without `}}`".to_owned()))?;
            let name = tag[2..close].trim();
            let piece = match name {
                "name" => Piece::Name,
                "chunk" => Piece::Chunk,
                "start" => Piece::Start,
                "stop" => Piece::Stop,
                "done" => Piece::Done,
                _ => {
                    let known = "a node has name, chunk, start, stop and done";
                    return Err(error(tag, format!("there is no variable `{name}`: {known}")));
                }
            };
            pieces.push(Piece::Text(rest[..open].to_owned()));
            pieces.push(piece);
            rest = &tag[close + 2..];
        }
        pieces.push(Piece::Text(rest.to_owned()));
        pieces.retain(|piece| *piece != Piece::Text(String::new()));
        for (needed, name) in
            [(Piece::Name, "name"), (Piece::Chunk, "chunk"), (Piece::Start, "start"), (Piece::Stop, "stop")]
        {
            if !pieces.contains(&needed) {
                return Err(error(
                    text,
                    format!("the variable `{name}` is not used: the job would not know its items"),
                ));
            }
        }
        Ok(Self { pieces, suffix: format!("-g{generation}") })
    }

    /// Appends the text of a chunk's node.
    pub(super) fn append(&self, out: &mut Vec<u8>, chunk: u64, items: Interval, done: bool) {
        self.append_as(out, chunk, items, done, &|out| self.append_name(out, chunk));
    }

    /// Appends the text of the node of a piece of the tail.
    pub(super) fn append_piece(&self, out: &mut Vec<u8>, round: u32, piece: &cut::Piece) {
        self.append_as(out, piece.chunk, piece.items, false, &|out| self.append_piece_name(out, round, piece));
    }

    fn append_as(
        &self,
        out: &mut Vec<u8>,
        chunk: u64,
        items: Interval,
        done: bool,
        append_name: &dyn Fn(&mut Vec<u8>),
    ) {
        let mut name = None;
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                // Made once and copied after that.
                Piece::Name => match name.clone() {
                    Some(name) => out.extend_from_within(name),
                    None => {
                        let start = out.len();
                        append_name(out);
                        name = Some(start..out.len());
                    }
                },
                Piece::Chunk => append_number(out, chunk.into()),
                Piece::Start => append_number(out, items.start()),
                Piece::Stop => append_number(out, items.stop()),
                Piece::Done => out.extend_from_slice(if done { b" DONE" } else { b"" }),
            }
        }
    }

    /// The name of a node that merges on the way, such as `merge-000017-g1`.
    pub(super) fn merge_name(&self, group: u64) -> String {
        format!("merge-{group:06}{}", self.suffix)
    }

    /// Appends a node's name, such as `chunk-000017-g1`. The generation keeps what an earlier DAG left (a
    /// rescue file, an event) from being taken for this one's. DAGMan forbids `.` and `+` in names.
    pub(super) fn append_name(&self, out: &mut Vec<u8>, chunk: u64) {
        out.extend_from_slice(b"chunk-");
        append_padded(out, chunk, 6);
        out.extend_from_slice(self.suffix.as_bytes());
    }

    /// Appends the name of the node of a piece of the tail, such as `tail-1-chunk-000017-003-g1`.
    pub(super) fn append_piece_name(&self, out: &mut Vec<u8>, round: u32, piece: &cut::Piece) {
        out.extend_from_slice(b"tail-");
        append_number(out, round.into());
        out.extend_from_slice(b"-chunk-");
        append_padded(out, piece.chunk, 6);
        out.push(b'-');
        append_padded(out, piece.number, 3);
        out.extend_from_slice(self.suffix.as_bytes());
    }
}

/// Appends a number with zeros before it.
fn append_padded(out: &mut Vec<u8>, number: u64, width: usize) {
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(number);
    out.extend(std::iter::repeat_n(b'0', width.saturating_sub(digits.len())));
    out.extend_from_slice(digits.as_bytes());
}

fn append_number(out: &mut Vec<u8>, number: u128) {
    let mut digits = itoa::Buffer::new();
    // 64 bits are several times quicker to write than 128.
    match u64::try_from(number) {
        Ok(number) => out.extend_from_slice(digits.format(number).as_bytes()),
        Err(_) => out.extend_from_slice(digits.format(number).as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(template: &str, done: bool) -> String {
        let node = Node::compile(template, 2).expect("a template");
        let mut out = Vec::new();
        node.append(&mut out, 17, Interval::new(28, 30).expect("not empty"), done);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn the_built_in_node() {
        let template = include_str!("../../dag-templates/node.dag");
        let expected = "JOB chunk-000017-g2 chunk.sub\nVARS chunk-000017-g2 chunk=\"17\" start=\"28\" stop=\"30\"\n";
        assert_eq!(text(template, false), expected);
        assert!(text(template, true).starts_with("JOB chunk-000017-g2 chunk.sub DONE\n"));
    }

    #[test]
    fn the_node_of_a_piece_has_a_name_of_its_own() {
        let node = Node::compile(include_str!("../../dag-templates/node.dag"), 2).expect("a template");
        let mut out = Vec::new();
        let piece = cut::Piece { chunk: 17, number: 3, items: Interval::new(28, 29).expect("not empty") };
        node.append_piece(&mut out, 1, &piece);
        let expected = "JOB tail-1-chunk-000017-003-g2 chunk.sub\n\
                        VARS tail-1-chunk-000017-003-g2 chunk=\"17\" start=\"28\" stop=\"29\"\n";
        assert_eq!(String::from_utf8(out).expect("text"), expected);
    }

    #[test]
    fn a_broken_node_names_line_and_variable() {
        let check = |template: &str, message: &str| {
            assert_eq!(Node::compile(template, 1).expect_err(message).to_string(), message);
        };
        check(
            "JOB {{name}} x\nVARS {{name}} c={{chnk}}",
            "template node.dag, line 2: there is no variable `chnk`: a node has name, chunk, start, stop and done",
        );
        check("JOB {{ name", "template node.dag, line 1: `{{` without `}}`");
        check(
            "{{name}}{{chunk}}{{start}}\n{% if x %}{{stop}}",
            "template node.dag, line 2: a node's template holds variables alone, no blocks and no comments",
        );
        check(
            "JOB {{name}} {{chunk}} {{start}}",
            "template node.dag, line 1: the variable `stop` is not used: the job would not know its items",
        );
    }
}
