//! Tables in a SQLite database: the table `items`, whose columns are typed, and the table `provenance`.
//!
//! Both are replaced in one transaction, in SQLite's own default journal mode: a reader sees the old ones or the new ones, and
//! what a killed process leaves behind is rolled back by whoever opens the database next. Other tables stay. SQLite needs a
//! file system whose locks work; where they do not (some NFS), it says so, and the database belongs on a local disk.
//!
//! Integers of 64 bits are INTEGER, columns of numbers that doubles hold are REAL, everything else is TEXT, as it was
//! spelled; a text that is not UTF-8 is a BLOB. A missing cell is NULL, and so is NaN, which SQLite does not have.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Statement, ToSql, TransactionBehavior};

use super::cell::Common;
use super::{AnswerError, Cell, CellKind, Column, Table, TableSink, Written};
use crate::plan::Identity;

/// What SQLite is built with (limits.html, "Maximum Number Of Columns").
const MOST_COLUMNS: usize = 2000;
/// How long another process that uses the database is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Marks a database whose table `items` is ours.
const MARK: &str = "written by";

struct SqliteSink<'a> {
    insert: Statement<'a>,
    types: Vec<Common>,
    hasher: blake3::Hasher,
    /// A row's bytes, for the hash.
    line: Vec<u8>,
    path: &'a Path,
}

/// Writes the table that `fill` hands to the sink.
pub(super) fn write<E: From<AnswerError>>(
    path: &Path,
    table: &Table<'_>,
    fill: impl FnOnce(&mut dyn TableSink) -> Result<(), E>,
) -> Result<Written, E> {
    if table.columns.len() > MOST_COLUMNS {
        let columns = table.columns.len();
        return Err(AnswerError::TooManyColumns { columns, format: "a SQLite table", most: MOST_COLUMNS }.into());
    }
    let is_new = path.symlink_metadata().is_err();
    let written = replace(path, table, fill);
    if written.is_err() && is_new {
        // SQLite makes the file before anything is in it; where that cannot be deleted, an empty one stays.
        let _ = std::fs::remove_file(path);
    }
    written
}

fn replace<E: From<AnswerError>>(
    path: &Path,
    table: &Table<'_>,
    fill: impl FnOnce(&mut dyn TableSink) -> Result<(), E>,
) -> Result<Written, E> {
    let failed = |source| AnswerError::Sqlite { path: path.to_owned(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut database = Connection::open_with_flags(path, flags).map_err(failed)?;
    database.busy_timeout(PATIENCE).map_err(failed)?;
    let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    refuse_foreign(&transaction, path)?;
    let (create, insert) = statements(table.columns);
    transaction
        .execute_batch(&format!("DROP TABLE IF EXISTS items; DROP TABLE IF EXISTS provenance; {create}"))
        .map_err(failed)?;
    let types = table.columns.iter().map(|column| column.kinds.common()).collect();
    let insert = transaction.prepare(&insert).map_err(failed)?;
    let mut sink = SqliteSink { insert, types, hasher: blake3::Hasher::new(), line: Vec::new(), path };
    fill(&mut sink)?;
    let identity = Identity::of(&sink.hasher);
    drop(sink);
    write_provenance(&transaction, table.provenance).map_err(failed)?;
    transaction.commit().map_err(failed)?;
    let bytes = path.metadata().map_err(AnswerError::write(path))?.len();
    Ok(Written::Named { bytes, identity })
}

/// Refuses to replace tables of names that we use and another program made.
fn refuse_foreign(database: &Connection, path: &Path) -> Result<(), AnswerError> {
    let failed = |source| AnswerError::Sqlite { path: path.to_owned(), source };
    let there = |table: &str| {
        let query = "SELECT 1 FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE";
        database.query_row(query, [table], |_| Ok(())).optional().map(|found| found.is_some())
    };
    let is_ours = || {
        let found = database.query_row("SELECT 1 FROM provenance WHERE key = ?1", [MARK], |_| Ok(())).optional();
        // A table of the name with other columns is not ours either.
        found.is_ok_and(|found| found.is_some())
    };
    for table in ["items", "provenance"] {
        if there(table).map_err(failed)? && !is_ours() {
            return Err(AnswerError::ForeignTable { path: path.to_owned(), table });
        }
    }
    Ok(())
}

/// How the table is made, and how a row is put into it. SQLite does not tell names apart by case.
fn statements(columns: &[Column]) -> (String, String) {
    let mut taken = HashSet::new();
    let mut described = Vec::new();
    for column in columns {
        let mut name = column.name.replace('\0', "");
        while !taken.insert(name.to_lowercase()) {
            name.push('_');
        }
        let kind = match column.kinds.common() {
            Common::Integer => "INTEGER",
            Common::Real => "REAL",
            Common::Text => "TEXT",
        };
        described.push(format!("\"{}\" {kind}", name.replace('"', "\"\"")));
    }
    let places = vec!["?"; columns.len()].join(",");
    (format!("CREATE TABLE items ({})", described.join(", ")), format!("INSERT INTO items VALUES ({places})"))
}

fn write_provenance(database: &Connection, provenance: &[(String, String)]) -> rusqlite::Result<()> {
    database.execute_batch("CREATE TABLE provenance (key TEXT PRIMARY KEY, value)")?;
    let mut insert = database.prepare("INSERT INTO provenance VALUES (?, ?)")?;
    insert.execute([MARK, concat!("split ", env!("CARGO_PKG_VERSION"))])?;
    for (key, json) in provenance {
        // A text is one, without JSON's quotes; a number is one.
        let text: Option<String> = serde_json::from_str(json).ok();
        let value = match (text, json.parse::<i64>(), json.parse::<f64>()) {
            (Some(text), ..) => Value::Text(text),
            (None, Ok(integer), _) => Value::Integer(integer),
            (None, _, Ok(real)) => Value::Real(real),
            _ => Value::Text(json.clone()),
        };
        insert.execute((key, value))?;
    }
    Ok(())
}

impl TableSink for SqliteSink<'_> {
    fn row(&mut self, _: u128, cells: &[Cell<'_>]) -> Result<(), AnswerError> {
        let mut put = || {
            for (place, (cell, common)) in cells.iter().zip(&self.types).enumerate() {
                self.insert.raw_bind_parameter(place + 1, Bound(value(*cell, *common)))?;
            }
            self.insert.raw_execute()
        };
        put().map_err(|source| AnswerError::Sqlite { path: self.path.to_owned(), source })?;
        self.line.clear();
        for cell in cells {
            self.line.push(cell.kind as u8);
            self.line.extend_from_slice(&(cell.text.len() as u64).to_le_bytes());
            self.line.extend_from_slice(cell.text);
        }
        // Once for all cells, which are short.
        self.hasher.update(&self.line);
        Ok(())
    }
}

/// A cell as its column's type has it.
fn value(cell: Cell<'_>, common: Common) -> ValueRef<'_> {
    let number = match common {
        _ if cell.kind == CellKind::Missing => return ValueRef::Null,
        Common::Integer => cell.integer().map(ValueRef::Integer),
        Common::Real => cell.real().map(ValueRef::Real),
        Common::Text => None,
    };
    number.unwrap_or_else(|| match std::str::from_utf8(cell.text) {
        Ok(_) => ValueRef::Text(cell.text),
        Err(_) => ValueRef::Blob(cell.text),
    })
}

/// A value that is bound without a copy.
struct Bound<'a>(ValueRef<'a>);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        Ok(rusqlite::types::ToSqlOutput::Borrowed(self.0))
    }
}
