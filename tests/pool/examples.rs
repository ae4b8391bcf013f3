//! The examples, as their README files tell a reader to run them on a pool.

use std::fs;
use std::path::Path;

use crate::folder::Folder;
use crate::pool::Pool;

/// Copies an example's files into alice's folder.
fn copy(from: &Path, folder: &Folder<'_>, below: &str) {
    for entry in from.read_dir().expect("listed") {
        let entry = entry.expect("listed");
        let name = format!("{below}{}", entry.file_name().to_str().expect("a plain name"));
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), folder, &format!("{name}/"));
        } else {
            folder.write(&name, fs::read(entry.path()).expect("read"));
        }
    }
}

/// The blocks of code in a README: the lines that are indented by four blanks.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in text.lines() {
        match line.strip_prefix("    ") {
            Some(code) => blocks.last_mut().expect("there is one").extend([code, "\n"]),
            None if blocks.last().is_some_and(|block| !block.is_empty()) => blocks.push(String::new()),
            None => {}
        }
    }
    blocks.retain(|block| !block.is_empty());
    blocks
}

/// Types the commands for a pool, one after another: `condor_submit_dag` and then a wait for the DAG's end.
#[track_caller]
fn follow(pool: &Pool, name: &str) {
    let folder = pool.folder(&format!("example-{name}"));
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name), &folder, "");
    let readme = folder.read("README.md");
    let blocks = blocks(&readme);
    let [_, on_a_pool, .., answer] = blocks.as_slice() else { panic!("{name}: no commands and an answer") };
    let mut printed = String::new();
    for line in on_a_pool.lines() {
        if line == "condor_submit_dag plan.dag" {
            assert_eq!(folder.submit(), Some(0), "{name}");
            printed.clear();
        } else {
            printed += &folder.run(["sh", "-c", line]).ok();
        }
    }
    assert_eq!(printed.trim_end(), answer.trim_end(), "{name}");
    assert_eq!(folder.jobs().iter().filter(|job| job.returned != Some(0)).count(), 0, "{name}");
}

macro_rules! examples {
    ($($test:ident $name:literal,)*) => {
        $(pub(crate) fn $test(pool: &Pool) {
            follow(pool, $name);
        })*
    };
}

examples! {
    squares_of_a_list "squares",
    products_of_pairs "pairs",
    digits_of_a_range "digits",
    words_in_order "words-in-order",
    a_matrix_product "matrix",
    frames_in_a_zip "frames",
    pi_by_monte_carlo "pi",
    words_of_many_files "wordcount",
    walks_in_segments "chain",
    a_grid_search "gridsearch",
    water_in_segments "gromacs",
    a_melt_in_segments "lammps",
}
