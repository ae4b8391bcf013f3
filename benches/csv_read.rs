//! Reads a CSV file with the csv crate alone, field by field: what reading a table costs at least. A peer of `compare.py`.

use std::fs::File;

use csv::{ByteRecord, ReaderBuilder};

fn main() -> Result<(), csv::Error> {
    // `cargo bench` adds an option of its own.
    let Some(path) = std::env::args_os().skip(1).find(|word| word != "--bench") else { return Ok(()) };
    let mut reader = ReaderBuilder::new().from_reader(File::open(path)?);
    let mut record = ByteRecord::new();
    let mut bytes = 0;
    while reader.read_byte_record(&mut record)? {
        bytes += record.iter().map(<[u8]>::len).sum::<usize>();
    }
    std::hint::black_box(bytes);
    Ok(())
}
