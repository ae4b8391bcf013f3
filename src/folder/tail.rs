//! Laying down a round of the tail.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::layout::Layout;
use super::write::{LayDown, move_aside, names};
use crate::cut::Piece;
use crate::dag::{TailDag, Templates, tail_dag};
use crate::plan::Plan;
use crate::pool::{LockState, lock_state};
use crate::store::{self, Draft, StoreError};

/// Whether a file of the plan's folder is of the tail: `tail-1.dag`, or what DAGMan left beside it.
#[must_use]
pub fn is_tail(name: &[u8]) -> bool {
    let Some(rest) = name.strip_prefix(b"tail-") else { return false };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let ending = rest[digits..].strip_prefix(b".dag");
    digits > 0 && ending.is_some_and(|ending| ending.first().is_none_or(|&byte| byte == b'.'))
}

/// Writes the DAG of a round of the tail, from 1. What an earlier one of its name and its DAGMan left is moved aside: DAGMan would
/// take a rescue file for its own.
///
/// # Errors
/// Where a DAGMan is at work on it, a template is broken, or a file cannot be moved or written.
pub fn write_tail(layout: &Layout, plan: &Plan, round: u32, pieces: &[Piece]) -> Result<(), LayDown> {
    let templates = kept_templates(layout, plan)?;
    let text = TailDag::new(plan, &templates, round, pieces.len())?;
    let root = layout.root();
    let _lock = store::lock_folder(root)?;
    let name = tail_dag(round);
    let dag = root.join(&name);
    if let LockState::Live { why, file } = lock_state(&dag) {
        return Err(LayDown::Busy { folder: root.to_owned(), why, file });
    }
    let is_its = |other: &[u8]| {
        let rest = other.strip_prefix(name.as_bytes());
        rest.is_some_and(|rest| rest.first().is_none_or(|&byte| byte == b'.'))
    };
    let mut older: Vec<_> = names(root)?.into_iter().filter(|name| is_its(name.as_encoded_bytes())).collect();
    older.sort_unstable();
    let older: Vec<_> = older.into_iter().map(Into::into).collect();
    move_aside(layout, &older)?;
    let mut draft = BufWriter::new(Draft::new(&dag, 0o666)?);
    let written = text.write(pieces, &mut draft).and_then(|()| draft.flush());
    written.map_err(StoreError::on("write", &dag))?;
    let draft = draft.into_inner().map_err(|error| StoreError::on("write", &dag)(error.into_error()))?;
    Ok(draft.commit()?)
}

/// Keeps templates of the user's own: the tail is written when nobody is there to name their folder.
pub(super) fn keep_templates(layout: &Layout, templates: &Templates) -> Result<(), StoreError> {
    let folder = layout.templates();
    if templates.identity() == Templates::built_in().identity() {
        return Ok(());
    }
    store::make_folder(&folder)?;
    Templates::NAMES.iter().try_for_each(|name| store::write(&folder.join(name), templates.get(name).as_bytes()))
}

/// The templates that the plan was made from.
fn kept_templates(layout: &Layout, plan: &Plan) -> Result<Templates, StoreError> {
    let mut templates = Templates::built_in();
    if templates.identity() == plan.templates {
        return Ok(templates);
    }
    for name in Templates::NAMES {
        let path = layout.templates().join(name);
        match fs::read_to_string(&path) {
            Ok(text) => templates.replace(name, text),
            // Those of this version do as well: they have all that DAGMan needs.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(StoreError::on("read", &path)(error)),
        }
    }
    Ok(templates)
}

/// Whether a DAGMan is at work on a round of the tail in the folder.
pub(super) fn live_tail(root: &Path) -> Result<Option<(String, std::path::PathBuf)>, StoreError> {
    let dags = names(root)?.into_iter().filter(|name| is_tail(name.as_encoded_bytes()));
    let dags = dags.filter(|name| name.as_encoded_bytes().ends_with(b".dag"));
    Ok(dags.map(|name| lock_state(&root.join(name))).find_map(|state| match state {
        LockState::Live { why, file } => Some((why, file)),
        LockState::Free => None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_tail_are_known_by_their_names() {
        for name in ["tail-1.dag", "tail-12.dag", "tail-1.dag.rescue001", "tail-2.dag.condor.sub"] {
            assert!(is_tail(name.as_bytes()), "{name}");
        }
        for name in ["tail.dag", "tail-.dag", "tail-x.dag", "tail-1", "tail-1.dagger", "tail-1.txt", "my-tail-1.dag"] {
            assert!(!is_tail(name.as_bytes()), "{name}");
        }
    }
}
