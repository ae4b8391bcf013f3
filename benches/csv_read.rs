//! Reads a CSV file with the csv crate alone: what reading a table costs at least. A peer of `compare.py`.
//!
//! `csv_read FILE` reads as the crate's documentation begins, by `records()`, a `StringRecord` for each row: the peer of the aim. `csv_read
//! FILE reuse` reads in the crate's fastest way: bytes, and one record for all rows.

use std::fs::File;
use std::hint::black_box;

use csv::{ByteRecord, ReaderBuilder};

fn main() -> Result<(), csv::Error> {
    // `cargo bench` adds an option of its own.
    let mut words = std::env::args_os().skip(1).filter(|word| word != "--bench");
    let Some(path) = words.next() else { return Ok(()) };
    let mut reader = ReaderBuilder::new().from_reader(File::open(path)?);
    let mut bytes = 0;
    if words.next().is_some_and(|word| word == "reuse") {
        let mut record = ByteRecord::new();
        while reader.read_byte_record(&mut record)? {
            bytes += record.iter().map(<[u8]>::len).sum::<usize>();
        }
    } else {
        for record in reader.records() {
            bytes += record?.iter().map(str::len).sum::<usize>();
        }
    }
    black_box(bytes);
    Ok(())
}
