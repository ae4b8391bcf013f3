//! Laying down a round of the tail; DAGs within plan.dag by their names.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::layout::Layout;
use super::write::{LayDown, move_aside, names};
use crate::cut::Piece;
use crate::dag::{REST_AGAIN_DAG, REST_DAG, TailDag, Templates, tail_dag};
use crate::plan::Plan;
use crate::pool::{LockState, lock_state};
use crate::store::{self, Draft, StoreError};

/// Whether a file of the plan's folder is of a DAG within plan.dag: of the tail, `tail-1.dag`, or of what is left once items
/// have been tried, `rest.dag`; or what DAGMan left beside it.
#[must_use]
pub fn is_nested(name: &[u8]) -> bool {
    is_of(name, REST_DAG) || is_of(name, REST_AGAIN_DAG) || {
        let Some(rest) = name.strip_prefix(b"tail-") else { return false };
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let ending = rest[digits..].strip_prefix(b".dag");
        digits > 0 && ending.is_some_and(|ending| ending.first().is_none_or(|&byte| byte == b'.'))
    }
}

/// Whether a file is the DAG of this name, or what DAGMan left beside it.
fn is_of(file: &[u8], dag: &str) -> bool {
    file.strip_prefix(dag.as_bytes()).is_some_and(|rest| rest.first().is_none_or(|&byte| byte == b'.'))
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
    let older = left_by(layout, &name)?;
    move_aside(layout, &older)?;
    let mut draft = BufWriter::new(Draft::new(&dag, 0o666)?);
    let written = text.write(pieces, &mut draft).and_then(|()| draft.flush());
    written.map_err(StoreError::on("write", &dag))?;
    let draft = draft.into_inner().map_err(|error| StoreError::on("write", &dag)(error.into_error()))?;
    Ok(draft.commit()?)
}

/// What an earlier DAG of this name, and its DAGMan, left in the folder.
///
/// # Errors
/// Where a DAGMan is at work on it.
pub(super) fn left_by(layout: &Layout, dag: &str) -> Result<Vec<PathBuf>, LayDown> {
    let root = layout.root();
    if let LockState::Live { why, file } = lock_state(&root.join(dag)) {
        return Err(LayDown::Busy { folder: root.to_owned(), why, file });
    }
    let names = names(root)?.into_iter().filter(|name| is_of(name.as_encoded_bytes(), dag));
    let mut older: Vec<PathBuf> = names.map(Into::into).collect();
    older.sort_unstable();
    Ok(older)
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
pub(super) fn kept_templates(layout: &Layout, plan: &Plan) -> Result<Templates, StoreError> {
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

/// Whether a DAGMan is at work on a DAG within plan.dag.
pub(super) fn live_within(root: &Path) -> Result<Option<(String, PathBuf)>, StoreError> {
    let dags = names(root)?.into_iter().filter(|name| is_nested(name.as_encoded_bytes()));
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
    fn files_of_dags_within_are_known_by_their_names() {
        for name in [
            "tail-1.dag",
            "tail-12.dag",
            "tail-1.dag.rescue001",
            "tail-2.dag.condor.sub",
            "rest.dag",
            "rest.dag.rescue001",
            "rest-again.dag.lock",
        ] {
            assert!(is_nested(name.as_bytes()), "{name}");
        }
        for name in [
            "tail.dag",
            "tail-.dag",
            "tail-x.dag",
            "tail-1",
            "tail-1.dagger",
            "tail-1.txt",
            "my-tail-1.dag",
            "rest.dagger",
            "rest",
        ] {
            assert!(!is_nested(name.as_bytes()), "{name}");
        }
    }
}
