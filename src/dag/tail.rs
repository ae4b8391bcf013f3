//! The text of a round of the tail.

use std::io::{self, Write};

use minijinja::context;

use super::node::Node;
use super::templates::{TemplateError, Templates};
use crate::cut::Piece;
use crate::exit::Exit;
use crate::plan::Plan;

/// Stand for the nodes and for their names in the rendered text; no template holds NUL.
const NODES: &str = "\0nodes\0";
const NAMES: &str = "\0names\0";

/// The text of the DAG of one round of the tail; written piece by piece, since it may be large.
#[derive(Clone, Debug)]
pub struct TailDag {
    dag: String,
    node: Node,
    round: u32,
}

/// The file of a round of the tail, from 1, in the plan's folder.
#[must_use]
pub fn tail_dag(round: u32) -> String {
    format!("tail-{round}.dag")
}

/// The name of the node that is a round of the tail: in plan.dag the first, in the DAG of each round the next.
pub(super) fn tail_name(plan: &Plan, round: u32) -> String {
    match round {
        1 => format!("tail-g{}", plan.generation),
        _ => format!("tail-{round}-g{}", plan.generation),
    }
}

impl TailDag {
    /// Renders the templates for a round of `plan`'s tail, from 1, with so many pieces.
    ///
    /// # Errors
    /// Where a template is broken, or leaves out what DAGMan has to know.
    pub fn new(plan: &Plan, templates: &Templates, round: u32, pieces: usize) -> Result<Self, TemplateError> {
        let next = (round < plan.tail_rounds).then_some(round.saturating_add(1));
        let values = context! {
            round => round,
            rounds => plan.tail_rounds,
            pieces => pieces,
            name => tail_name(plan, round),
            nodes => NODES,
            names => NAMES,
            next_name => next.map(|next| tail_name(plan, next)),
            next_dag => next.map(tail_dag),
            nothing_left_code => Exit::NothingLeft as u8,
        };
        let dag = templates.render("tail.dag", &values)?;
        let times = dag.matches(NODES).count();
        if times != 1 {
            let why = format!("the variable `nodes` is used {times} times");
            return Err(TemplateError { name: "tail.dag", line: 1, why });
        }
        Ok(Self { dag, node: Node::compile(templates.get("node.dag"), plan.generation)?, round })
    }

    /// Writes the DAG of `pieces`.
    ///
    /// # Errors
    /// Where `out` cannot be written.
    pub fn write(&self, pieces: &[Piece], out: &mut impl Write) -> io::Result<()> {
        let mut text = Vec::new();
        let mut rest = self.dag.as_str();
        while let Some(mark) = rest.find('\0') {
            out.write_all(&rest.as_bytes()[..mark])?;
            rest = &rest[mark..];
            let is_nodes = rest.starts_with(NODES);
            for (place, piece) in pieces.iter().enumerate() {
                text.clear();
                match is_nodes {
                    true => self.node.append_piece(&mut text, self.round, piece),
                    false => {
                        text.extend_from_slice(if place > 0 { b" " } else { b"" });
                        self.node.append_piece_name(&mut text, self.round, piece);
                    }
                }
                out.write_all(&text)?;
            }
            rest = &rest[if is_nodes { NODES.len() } else { NAMES.len() }..];
        }
        out.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cut::Cut;
    use crate::plan::testing::plan;
    use crate::space::Interval;

    fn dag(rounds: u32, round: u32) -> String {
        let mut plan = plan("1..=100", Cut::into_chunks(100, 10).expect("a cut"));
        plan.tail_rounds = rounds;
        let piece =
            |chunk, number, start, stop| Piece { chunk, number, items: Interval::new(start, stop).expect("items") };
        let pieces = [piece(3, 0, 30, 35), piece(3, 1, 35, 40), piece(7, 0, 71, 72)];
        let mut out = Vec::new();
        let dag = TailDag::new(&plan, &Templates::built_in(), round, pieces.len()).expect("rendered");
        dag.write(&pieces, &mut out).expect("in memory");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn the_rounds() {
        insta::assert_snapshot!("the first round of two", dag(2, 1));
        insta::assert_snapshot!("the last round", dag(2, 2));
    }

    #[test]
    fn a_broken_template_is_named() {
        let plan = plan("1..=10", Cut::into_chunks(10, 3).expect("a cut"));
        for (text, message) in [
            ("{{ names }}", "template tail.dag, line 1: the variable `nodes` is used 0 times"),
            ("\n{{ chunks }}", "template tail.dag, line 2: there is no variable `chunks`"),
        ] {
            let mut templates = Templates::built_in();
            templates.replace("tail.dag", text.to_owned());
            assert_eq!(TailDag::new(&plan, &templates, 1, 3).expect_err(message).to_string(), message);
        }
    }
}
