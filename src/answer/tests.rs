//! Every format over the same tables.

use std::fs;
use std::path::Path;

use super::*;
use crate::reduce::Value;

/// Writes rows in a format; the first column is the items' own.
fn written(
    path: &Path,
    format: Format,
    names: &[&str],
    rows: &[&[&str]],
    lengths: &[u128],
) -> Result<Written, AnswerError> {
    let cell = |place: usize, text: &'static str| match text {
        text if place == 0 => Cell::of_parameter(text.as_bytes()),
        text if text.starts_with(['[', '{']) => Cell { kind: CellKind::Nested, text: text.as_bytes() },
        text => Cell::of_result(text.as_bytes()),
    };
    let rows: Vec<Vec<Cell<'static>>> = rows
        .iter()
        .map(|row| row.iter().enumerate().map(|(place, text)| cell(place, text.to_owned().to_owned().leak())).collect())
        .collect();
    let mut columns: Vec<Column> = names.iter().map(|&name| Column::new(name)).collect();
    for (item, row) in (0..).zip(&rows) {
        for (column, cell) in columns.iter_mut().zip(row) {
            column.add(cell.kind);
            column.shape.add(item, *cell);
        }
    }
    let provenance = [("plan".to_owned(), "\"0123\"".to_owned()), ("items".to_owned(), "4".to_owned())];
    let table = Table { columns: &columns, parameters: 1, rows: rows.len() as u128, lengths, provenance: &provenance };
    write_table(path, Some(format), &table, |sink| (0..).zip(&rows).try_for_each(|(item, row)| sink.row(item, row)))
}

const ROWS: &[&[&str]] = &[
    &["0.1", "1", "1.50", "a"],
    &["0.2", "-9223372036854775808", "+.5", "x,\"y\"\nz"],
    &["007", "", "nan", "[1,2]"],
    &["", "3", "1e5", "true"],
];
const NAMES: &[&str] = &["alpha", "n", "N", "text \"q\""];

fn text(format: Format, name: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    written(&path, format, NAMES, ROWS, &[4]).expect("written");
    assert_eq!(folder.path().read_dir().expect("listed").count(), 1);
    fs::read_to_string(path).expect("read")
}

#[test]
fn each_format_of_text_has_all_of_a_table() {
    insta::assert_snapshot!("a table as csv", text(Format::Csv, "x.csv"));
    insta::assert_snapshot!("a table as tsv", text(Format::Tsv, "x.tsv"));
    let array = text(Format::Json, "x.json");
    insta::assert_snapshot!("a table as json", array);
    let lines = text(Format::JsonLines, "x.jsonl");
    insta::assert_snapshot!("a table as json lines", lines);
    assert_eq!(serde_json::from_str::<Vec<serde_json::Value>>(&array).expect("JSON").len(), ROWS.len());
    for line in lines.lines() {
        serde_json::from_str::<serde_json::Value>(line).expect("JSON");
    }
}

#[test]
fn an_empty_table_is_one() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, format, expected) in
        [("x.csv", Format::Csv, "a,b\n"), ("x.json", Format::Json, "[]\n"), ("x.jsonl", Format::JsonLines, "")]
    {
        let path = folder.path().join(name);
        written(&path, format, &["a", "b"], &[], &[0]).expect("written");
        assert_eq!(fs::read_to_string(path).expect("read"), expected);
    }
}

/// All rows of a query, values as SQLite's `quote` shows them.
fn rows_of(database: &Path, query: &str) -> Vec<String> {
    let database = rusqlite::Connection::open(database).expect("opened");
    let mut statement = database.prepare(query).expect("a query");
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).expect("rows");
    rows.map(|row| row.expect("a row")).collect()
}

#[test]
fn a_database_has_typed_columns_and_is_replaced_as_a_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.sqlite");
    let shown = |query: &str| rows_of(&path, query).join("\n");
    let row =
        "SELECT quote(alpha)||' '||quote(n)||' '||quote(N_)||' '||quote(\"text \"\"q\"\"\") FROM items ORDER BY rowid";
    written(&path, Format::Sqlite, NAMES, ROWS, &[4]).expect("written");
    insta::assert_snapshot!(
        "a table in a database",
        format!(
            "{}\n{}\n{}",
            shown("SELECT sql FROM sqlite_schema WHERE name = 'items'"),
            shown(row),
            shown("SELECT key||'='||quote(value) FROM provenance WHERE key <> 'written by' ORDER BY key"),
        )
    );
    rusqlite::Connection::open(&path)
        .expect("opened")
        .execute_batch("CREATE TABLE own (x); INSERT INTO own VALUES (5)")
        .expect("made");
    // What fails leaves what was there.
    let columns = [Column::new("a")];
    let table = Table { columns: &columns, parameters: 0, rows: 9, lengths: &[9], provenance: &[] };
    let failed = write_table(&path, Some(Format::Sqlite), &table, |sink| {
        sink.row(0, &[Cell::of_result(b"1")])?;
        Err(AnswerError::NotNumbers { what: "a trial".to_owned(), item: None })
    });
    assert!(failed.is_err());
    assert_eq!(shown("SELECT count(*)||'' FROM items"), "4");
    written(&path, Format::Sqlite, &["k", "v"], &[&["1", "2"]], &[1]).expect("written");
    assert_eq!(shown("SELECT quote(k)||quote(v) FROM items"), "12");
    assert_eq!(shown("SELECT quote(x) FROM own"), "5");
}

#[test]
fn a_database_of_others_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.db");
    let own = |sql: &str| rusqlite::Connection::open(&path).expect("opened").execute_batch(sql).expect("done");
    own("CREATE TABLE Items (x); INSERT INTO Items VALUES (1)");
    let refused =
        || written(&path, Format::Sqlite, &["k", "v"], &[&["1", "2"]], &[1]).expect_err("another's").to_string();
    assert!(refused().ends_with("x.db holds a table `items` that split did not write"), "{}", refused());
    own("DROP TABLE Items; CREATE TABLE provenance (a)");
    assert!(refused().ends_with("a table `provenance` that split did not write"), "{}", refused());
    fs::write(&path, "no database at all, but long enough to be looked at").expect("written");
    assert!(refused().ends_with("x.db"), "{}", refused());
    assert!(fs::read(&path).expect("read").starts_with(b"no database"));
}

#[test]
fn bytes_that_are_no_text_are_kept_where_they_can_be() {
    let folder = tempfile::tempdir().expect("a folder");
    let columns = [Column::new("item"), Column::new("result")];
    let table = Table { columns: &columns, parameters: 1, rows: 1, lengths: &[1], provenance: &[] };
    let cells = [Cell::of_parameter(b"1"), Cell::of_result(b"a\xffb")];
    let path = |name: &str| folder.path().join(name);
    for (name, format) in [("x.csv", Format::Csv), ("x.jsonl", Format::JsonLines), ("x.db", Format::Sqlite)] {
        write_table::<AnswerError>(&path(name), Some(format), &table, |sink| sink.row(0, &cells)).expect("written");
    }
    assert_eq!(fs::read(path("x.csv")).expect("read"), b"item,result\n1,a\xffb\n");
    assert_eq!(fs::read_to_string(path("x.jsonl")).expect("read"), "{\"item\":1,\"result\":\"a\u{fffd}b\"}\n");
    assert_eq!(rows_of(&path("x.db"), "SELECT quote(result) FROM items"), ["X'61FF62'"]);
}

/// The header and the numbers of an array.
fn array(bytes: &[u8]) -> (String, Vec<String>) {
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert_eq!((10 + length) % 64, 0);
    let header = String::from_utf8(bytes[10..10 + length].to_vec()).expect("text");
    assert!(header.ends_with(" \n") || header.ends_with("}\n"));
    let is_integer = header.contains("'<i8'");
    let number = |bytes: &[u8]| {
        let bytes = <[u8; 8]>::try_from(bytes).expect("eight bytes");
        if is_integer { i64::from_le_bytes(bytes).to_string() } else { f64::from_le_bytes(bytes).to_string() }
    };
    let body = &bytes[10 + length..];
    assert!(body.len().is_multiple_of(8));
    (header.trim_end().to_owned(), body.chunks(8).map(number).collect())
}

fn array_of(rows: &[&[&str]], lengths: &[u128]) -> Result<(String, Vec<String>), AnswerError> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.npy");
    written(&path, Format::Npy, &["item", "result"], rows, lengths)?;
    Ok(array(&fs::read(path).expect("read")))
}

#[test]
fn an_array_has_a_place_for_each_item() {
    let check = |rows: &[&[&str]], lengths: &[u128], header: &str, numbers: &[&str]| {
        let (found, all) = array_of(rows, lengths).expect("numbers");
        assert_eq!(found, format!("{{'descr': {header}, }}"));
        assert_eq!(all, numbers);
    };
    let rows: &[&[&str]] = &[&["a", "1"], &["b", "-2"], &["c", "3"], &["d", "4"]];
    check(rows, &[4], "'<i8', 'fortran_order': False, 'shape': (4,)", &["1", "-2", "3", "4"]);
    check(rows, &[2, 2], "'<i8', 'fortran_order': False, 'shape': (2, 2)", &["1", "-2", "3", "4"]);
    // Items without a result are NaN.
    check(rows, &[2, 3], "'<f8', 'fortran_order': False, 'shape': (2, 3)", &["1", "-2", "3", "4", "NaN", "NaN"]);
    let rows: &[&[&str]] = &[&["a", "1"], &["b", ""], &["c", "99999999999999999999"]];
    check(rows, &[3], "'<f8', 'fortran_order': False, 'shape': (3,)", &["1", "NaN", "100000000000000000000"]);
    let rows: &[&[&str]] = &[&["a", "[[1, 2]]"], &["b", "[[3,4]]"], &["c", "[[5,6]]"]];
    check(rows, &[3], "'<i8', 'fortran_order': False, 'shape': (3, 1, 2)", &["1", "2", "3", "4", "5", "6"]);
    let rows: &[&[&str]] = &[&["a", "[1, 2.5]"], &["b", ""]];
    check(rows, &[2], "'<f8', 'fortran_order': False, 'shape': (2, 2)", &["1", "2.5", "NaN", "NaN"]);
}

#[test]
fn what_is_no_array_is_refused_before_anything_is_written() {
    let refused = |rows: &[&[&str]]| array_of(rows, &[rows.len() as u128]).expect_err("no array").to_string();
    assert_eq!(
        refused(&[&["a", "1"], &["b", "x"]]),
        "an array for NumPy holds numbers, and this result is none, nor an array of numbers"
    );
    assert_eq!(
        refused(&[&["a", "[1]"], &["b", "[1,2]"]]),
        "an array for NumPy holds numbers, and this result is not of the same shape as the first"
    );
    assert_eq!(refused(&[&["a", ""]]), "an array for NumPy holds numbers, and no result holds anything");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.npy");
    let two = written(&path, Format::Npy, &["item", "a", "b"], &[&["1", "2", "3"]], &[1]).expect_err("two results");
    assert_eq!(two.to_string(), "an array for NumPy holds numbers, and the results have 2 fields: `a`, `b`");
    assert_eq!(folder.path().read_dir().expect("listed").count(), 0);
}

fn value_as(format: Format, json: &str) -> Vec<u8> {
    let value = match Value::parse(json.as_bytes()) {
        Value::Array(rows) if rows.iter().all(|row| matches!(row, Value::Object(_))) => Value::Rows(rows),
        value => value,
    };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x");
    write_value(&path, format, &value, "sum", 1, &[]).expect("written");
    fs::read(path).expect("read")
}

#[test]
fn answers_are_written_like_tables() {
    let text = |format, json: &str| String::from_utf8(value_as(format, json)).expect("text");
    assert_eq!(text(Format::Csv, "5050"), "sum\n5050\n");
    assert_eq!(text(Format::Json, "5050"), "5050\n");
    assert_eq!(text(Format::JsonLines, "[1,2.5]"), "[1,2.5]\n");
    assert_eq!(text(Format::Csv, r#"{"n":3,"inner":{"mean":0.5,"none":null}}"#), "n,inner.mean,inner.none\n3,0.5,\n");
    let rows = r#"[{"rho":0.1,"sum":3},{"rho":"007","sum":4,"more":[1,2]}]"#;
    assert_eq!(text(Format::Tsv, rows), "rho\tsum\tmore\n0.1\t3\t\n007\t4\t[1,2]\n");
    assert_eq!(text(Format::JsonLines, rows), "{\"rho\":0.1,\"sum\":3}\n{\"rho\":\"007\",\"sum\":4,\"more\":[1,2]}\n");
    let shape = |json: &str| array(&value_as(Format::Npy, json));
    let header =
        |kind: &str, shape: &str| format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}");
    assert_eq!(shape("5050"), (header("<i8", ""), vec!["5050".to_owned()]));
    assert_eq!(shape("[[1,2,3],[4,5,6.5]]").0, header("<f8", "2, 3"));
    assert_eq!(
        shape(r#"[{"rho":0.1,"sum":3},{"rho":0.2,"sum":4}]"#),
        (header("<i8", "2,"), vec!["3".to_owned(), "4".to_owned()])
    );
}
