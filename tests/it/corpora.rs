//! The corpora of the fuzz targets, fed to the same functions.

use std::fs;
use std::path::Path;

#[path = "../fuzz/bodies.rs"]
mod bodies;

/// Each file as it is, cut short, and with bits flipped.
#[test]
fn what_fuzzing_found_stays_found() {
    let corpora = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/corpus"));
    let mut fed = 0;
    for corpus in corpora.read_dir().expect("listed").map(|entry| entry.expect("listed").path()) {
        let target = corpus.file_name().expect("a name").to_string_lossy().into_owned();
        for file in corpus.read_dir().expect("listed").map(|entry| entry.expect("listed").path()) {
            let bytes = fs::read(&file).expect("read");
            bodies::check(&target, &bytes);
            let step = 1 + bytes.len() / 40;
            for at in (0..bytes.len()).step_by(step) {
                bodies::check(&target, &bytes[..at]);
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << (at % 8);
                bodies::check(&target, &flipped);
            }
            fed += 1;
        }
    }
    assert!(fed > 30, "{fed} files");
}
