//! The rows as the access point keeps them: `outputs/rows-0.csv`, a file for each listed axis with all of its rows, so that
//! the folder of the partials explains itself.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::identity::identity;
use super::text::{TextError, read_csv, write_csv};
use crate::plan::Plan;
use crate::space::{Identity, Listed, RowBlock, Rows, Space};
use crate::store::{Draft, StoreError};

/// There are no rows of a plan to be had.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// They cannot be read.
    #[error("cannot read {}, which holds the values of the plan's items", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// They are not the plan's.
    #[error("{} does not hold the values of the plan's items", path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: TextError,
    },
    /// As many rows as there should be, and others.
    #[error("{} holds other values than the plan was made with", path.display())]
    Others {
        /// The file.
        path: PathBuf,
        /// What it holds.
        identity: Identity,
    },
}

/// The file of listed axis number `number`, in the folder of the partials.
#[must_use]
pub fn file_name(number: usize) -> String {
    format!("rows-{number}.csv")
}

/// Whether a file of this name holds rows.
#[must_use]
pub fn is_kept(name: &[u8]) -> bool {
    let number = name.strip_prefix(b"rows-").and_then(|rest| rest.strip_suffix(b".csv"));
    number.is_some_and(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit))
}

/// Writes all rows into the folder `outputs`.
///
/// # Errors
/// Where a file cannot be written.
pub fn keep(outputs: &Path, space: &Space, rows: &Rows) -> Result<(), StoreError> {
    for (number, (listed, block)) in space.listed().into_iter().zip(&rows.blocks).enumerate() {
        let path = outputs.join(file_name(number));
        let mut draft = Draft::new(&path, 0o666)?;
        write_csv(&mut draft, listed, block, 0, listed.rows).map_err(StoreError::on("write", &path))?;
        // As for the chunks' rows the disk is not waited for, which would take longer than all the rest of planning. If the power fails before they
        // are there, their identity tells, and the same plan made again writes them.
        draft.commit_unsynced()?;
    }
    Ok(())
}

/// The rows of a plan whose partials are in the folder `outputs`; nothing is read where it lists none.
///
/// # Errors
/// Where they are lost or damaged.
pub fn of_plan(outputs: &Path, plan: &Plan) -> Result<Rows, RowsError> {
    let listed = plan.space.listed().into_iter().enumerate();
    let blocks = listed.map(|(number, listed)| {
        let path = outputs.join(file_name(number));
        match File::open(&path) {
            Ok(file) => read_kept(file, listed, path),
            Err(source) => Err(RowsError::Unreadable { path, source }),
        }
    });
    Ok(Rows { blocks: blocks.collect::<Result<_, _>>()? })
}

/// The rows of a listed axis from the text of its file, which `path` names.
///
/// # Errors
/// Where they are not the axis' rows.
pub fn read_kept(input: impl io::Read, listed: &Listed, path: PathBuf) -> Result<RowBlock, RowsError> {
    let block = match read_csv(input, listed, 0, listed.rows) {
        Ok(block) => block,
        Err(source) => return Err(RowsError::Text { path, source }),
    };
    match identity(&listed.names, &block) {
        found if found == listed.content => Ok(block),
        identity => Err(RowsError::Others { path, identity }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::cut::Cut;
    use crate::space::{Axis, Parameters};

    fn plan() -> (Plan, Rows) {
        let names = vec!["name".to_owned(), "b".to_owned()];
        let mut block = RowBlock::new(2, 0, 3);
        for row in [["1", "a, \"b\""], ["2", ""], ["3", "x\ny"]] {
            block.push(row.iter().map(|field| field.as_bytes()));
        }
        let listed = Listed { content: identity(&names, &block), names, rows: 3, files: false };
        let space = Space::Parameters(Parameters::new(vec![Axis::Listed(listed)], None).expect("a space"));
        let cut = Cut::into_chunks(3, 2).expect("a cut");
        (Plan { space, ..crate::plan::testing::plan("0..3", cut) }, Rows { blocks: vec![block] })
    }

    #[test]
    fn what_is_kept_is_read() {
        let outputs = tempfile::tempdir().expect("a temporary folder");
        let (plan, rows) = plan();
        keep(outputs.path(), &plan.space, &rows).expect("written");
        assert_eq!(of_plan(outputs.path(), &plan).expect("as written"), rows);
        let text = fs::read_to_string(outputs.path().join("rows-0.csv")).expect("there");
        assert_eq!(text, "name,b\n1,\"a, \"\"b\"\"\"\n2,\n3,\"x\ny\"\n");
    }

    #[test]
    fn what_is_lost_or_damaged_is_named() {
        let outputs = tempfile::tempdir().expect("a temporary folder");
        let (plan, rows) = plan();
        let path = outputs.path().join("rows-0.csv");
        let read = || of_plan(outputs.path(), &plan);
        assert!(matches!(read(), Err(RowsError::Unreadable { .. })));
        keep(outputs.path(), &plan.space, &rows).expect("written");
        let text = fs::read(&path).expect("there");
        for length in 0..text.len() {
            fs::write(&path, &text[..length]).expect("written");
            // A quotation mark that is missing at the very end changes nothing.
            assert!(read().map_or(true, |read| read == rows), "{length} bytes");
            assert!(read().is_err() || length > text.len() - 3, "{length} bytes");
        }
        fs::write(&path, [&text[..], b"4,\n"].concat()).expect("written");
        assert_eq!(
            read().expect_err("too many").to_string(),
            format!("{} does not hold the values of the plan's items", path.display())
        );
        fs::write(&path, [&text[..7], b"2", &text[8..]].concat()).expect("written");
        assert!(matches!(read(), Err(RowsError::Others { .. })));
    }

    #[test]
    fn names() {
        assert!(is_kept(b"rows-0.csv") && is_kept(b"rows-12.csv") && is_kept(file_name(3).as_bytes()));
        for name in ["rows-.csv", "rows-a.csv", "rows-0.csv.bad", "arrows-0.csv", "rows-0"] {
            assert!(!is_kept(name.as_bytes()), "{name}");
        }
    }
}
