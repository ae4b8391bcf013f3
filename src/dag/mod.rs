//! Plan to DAGMan and submit text.
//!
//! The text comes from the templates in `dag-templates/`, which users can replace. The template of a node is
//! compiled once, into literal text and numbers, since a plan may have a million of them.
//!
//! Invariants: the DAG carries integers only, so that nothing of the user's passes through DAGMan's or the
//! submit language's quoting; every path in the text is relative to the plan's folder; the same plan and
//! templates give the same bytes.

mod chain;
mod node;
mod tail;
mod templates;
mod text;

pub use tail::{TailDag, tail_dag};
pub use templates::{TemplateError, Templates};
pub use text::{REST_AGAIN_DAG, REST_DAG, SCRIPTS, Text, above_partials};
