//! Tables and files: kept beside the plan, and a chunk's own given to its job.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use crate::job::{bare, sandbox};
use crate::kit::{Dir, Ended, Split};

/// Prints its arguments, each between brackets.
const TELL: &str = "#!/bin/sh\nfor word; do printf '[%s]' \"$word\"; done; echo\n";

/// Four rows, of which a chunk with its own is sent one.
const TABLE: &str = "n,text\n1,\"a, \"\"b\"\"\"\n2,\"new\nline\"\n3,\n4,$(id)\n";

/// What the program prints of all rows.
const TOLD: &str = "[1][a, \"b\"]\n[2][new\nline]\n[3][]\n[4][$(id)]\n";

fn with_table() -> Dir {
    let dir = Dir::new();
    dir.program("tell", TELL);
    dir.write("t.csv", TABLE);
    dir
}

fn on_table<'a>(dir: &'a Dir, task: &str) -> Split<'a> {
    dir.split(task).args(["--table", "t.csv", "--chunks", "4", "--reduce", "concat", "--", "./tell", "{n}", "{text}"])
}

/// What a chunk is sent of its own.
fn own(chunk: u64) -> String {
    format!("plan.files/chunks/000/chunk-{chunk:06}")
}

/// Runs a chunk of one item in a sandbox that holds what HTCondor would put there.
fn attempt<'a>(dir: &'a Dir, name: &str, chunk: u64) -> Ended<'a> {
    sandbox(dir, name);
    dir.command("cp").args(["-RL", &own(chunk), &format!("{name}/")]).ok();
    run(dir, name, chunk)
}

fn run<'a>(dir: &'a Dir, name: &str, chunk: u64) -> Ended<'a> {
    let numbers = [chunk, chunk, chunk + 1].map(|number| number.to_string());
    let runner = dir.path(name).join("condor_exec.exe");
    bare(dir, &runner).args(["exec", "job.json"]).args(numbers).within(name).run()
}

#[test]
fn a_table_is_computed_here_and_kept() {
    let dir = with_table();
    on_table(&dir, "run").answers(TOLD);
    assert_eq!(dir.read("outputs/rows-0.csv"), TABLE);
    dir.split("run .").answers(TOLD).says("nothing is left to compute");
    dir.split("show 1").ok().says("command: ./tell 2 'new\nline'").says("[2][new");
    dir.split("try chunk-3").answers("[4][$(id)]\n").says("command      ./tell 4 '$(id)'");
    dir.split("verify").answers("4 of 4 records computed again: all the same\n");
    // The folder of the partials explains itself.
    fs::rename(dir.path("outputs"), dir.path("elsewhere")).expect("renamed");
    dir.split("reduce elsewhere").answers(TOLD);
}

#[test]
fn a_job_has_its_own_rows_alone() {
    let dir = with_table();
    on_table(&dir, "plan").ok();
    let rows = dir.read(own(1));
    let (line, rows) = rows.split_once('\n').expect("a first line");
    assert!(line.starts_with("{\"format\":1,\"plan\":\""), "{line}");
    assert_eq!(rows, "n,text\n2,\"new\nline\"\n");
    let ended = attempt(&dir, "sandbox", 1);
    assert_eq!(ended.code, Some(0), "{}", ended.transcript());
    let partial = dir.read(format!("sandbox/{}", dir.names("sandbox").remove(1)));
    assert!(partial.ends_with("[2][new\nline]\n\n"), "{partial}");
}

#[test]
fn rows_that_did_not_arrive_whole_are_the_machines_fault() {
    let dir = with_table();
    on_table(&dir, "plan").ok();
    sandbox(&dir, "nothing");
    let ended = run(&dir, "nothing", 1);
    assert_eq!(ended.code, Some(74), "{}", ended.transcript());
    ended.says("the rows of these items did not arrive: ");

    let rows = dir.read(own(1));
    dir.write(own(1), &rows[..rows.len() - 3]);
    let ended = attempt(&dir, "cut", 1);
    assert_eq!(ended.code, Some(74), "{}", ended.transcript());
    ended.says("the rows of these items arrived damaged: they are not those that were sent");

    dir.command("cp").args([own(2), own(1)]).ok();
    let ended = attempt(&dir, "others", 1);
    assert_eq!(ended.code, Some(74), "{}", ended.transcript());
    ended.says("the rows that arrived are of other items: they are of the items with the numbers 2 to 2");
}

#[test]
fn lost_and_damaged_rows_are_named_and_written_again() {
    let dir = with_table();
    on_table(&dir, "plan").ok();
    let again = |what: &str| {
        on_table(&dir, "plan").ok().says(what);
        assert_eq!(dir.read("outputs/rows-0.csv"), TABLE);
    };
    again("nothing was changed");
    let back = "files of it that were missing are back";
    let mut said = String::new();
    fs::remove_file(dir.path("outputs/rows-0.csv")).expect("removed");
    said += &dir.split("show 1").refuses(1).transcript();
    again(back);
    dir.write("outputs/rows-0.csv", TABLE.replace("new", "old"));
    said += &dir.split("try").refuses(5).transcript();
    again(back);
    dir.write("outputs/rows-0.csv", &TABLE[..30]);
    said += &dir.split("run .").refuses(5).transcript();
    said += &dir.split("resume").refuses(5).transcript();
    again(back);
    fs::remove_file(dir.path(own(2))).expect("removed");
    again(back);
    dir.write(own(2), "");
    again(back);
    again("nothing was changed");
    insta::assert_snapshot!(said);
}

#[test]
fn another_table_is_another_plan() {
    let dir = with_table();
    on_table(&dir, "run").answers(TOLD);
    dir.write("t.csv", TABLE.replace("new", "old"));
    on_table(&dir, "plan").refuses(3).says("the items' values: was n, text (").says("--force moves it aside");
    on_table(&dir, "plan --keep").refuses(3).says("nothing that was computed in . fits");
    on_table(&dir, "run --force").answers(&TOLD.replace("new", "old"));
    assert_eq!(dir.read("aside-001/outputs/rows-0.csv"), TABLE);
}

#[test]
fn another_cut_lays_the_rows_out_anew() {
    let dir = with_table();
    on_table(&dir, "plan").ok();
    fs::remove_dir_all(dir.path("logs")).expect("removed");
    let shorter = ["--table", "t.csv", "--chunks", "2", "--reduce", "concat", "--", "./tell", "{n}", "{text}"];
    dir.split("plan --keep").args(shorter).ok();
    assert_eq!(dir.names("plan.files/chunks/000"), ["chunk-000000", "chunk-000001"]);
    assert_eq!(dir.names("aside-001/plan.files/chunks/000").len(), 4);
    assert!(dir.read(own(1)).ends_with("n,text\n3,\n4,$(id)\n"));
    assert_eq!(dir.read("outputs/rows-0.csv"), TABLE);
}

#[test]
fn what_is_left_of_a_table_is_planned_again() {
    let dir = with_table();
    on_table(&dir, "run").answers(TOLD);
    fs::remove_file(dir.partial(2)).expect("removed");
    // The table itself is not needed any more.
    fs::remove_file(dir.path("t.csv")).expect("removed");
    dir.split("resume").ok().says("1 chunk left of 4");
    assert!(dir.read(own(2)).ends_with("n,text\n3,\n"));
    let ended = attempt(&dir, "sandbox", 2);
    assert_eq!(ended.code, Some(0), "{}", ended.transcript());
    dir.split("run .").answers(TOLD);
}

/// Names that a submit file, a shell or a CSV would each take for something else.
const NAMES: [&[u8]; 12] = [
    b"a, b",
    b"new\nline",
    b"\"quoted\"",
    b"it's",
    b"$(chunk)",
    b"-x",
    "\u{fc}n\u{ef}".as_bytes(),
    b"bad\xff\xfe",
    b"same/name",
    b"other/name",
    b" blanks ",
    b"{n}",
];

/// Prints the name and the content of a file, and how many there are in its folder.
const READ: &str = "#!/bin/sh\nprintf '[%s][' \"$1\"; cat \"$1\"; set -- \"$(dirname \"$1\")\"/*; echo \"]$#\"\n";

fn with_files(dir: &Dir, folder: &str) {
    for name in NAMES {
        dir.write(Path::new(folder).join(OsStr::from_bytes(name)), name);
    }
}

/// What the program prints of each file, alone in its folder, in their order.
fn read(folder: &str) -> Vec<Vec<u8>> {
    let mut names = NAMES;
    names.sort_unstable();
    names.map(|name| [b"[", folder.as_bytes(), b"/", name, b"][", name, b"]1\n"].concat()).to_vec()
}

fn on_files<'a>(dir: &'a Dir, task: &str, pattern: &str) -> Split<'a> {
    dir.split(task).args(["--files", pattern]).args(["--chunks", "12", "--reduce", "concat", "--", "./read", "{file}"])
}

#[test]
fn files_of_any_name_reach_their_chunk_alone() {
    let dir = Dir::new();
    dir.program("read", READ);
    with_files(&dir, "da ta");
    let ended = on_files(&dir, "run", "da ta/**/*").ok();
    assert!(ended.out == read("da ta").concat(), "{}", ended.transcript());
    for (chunk, told) in (0..).zip(read("da ta")) {
        let names = dir.names(&own(chunk));
        assert_eq!(names, [format!("file-0-{chunk}"), "rows".to_owned()]);
        let name = format!("job-{chunk}");
        let ended = attempt(&dir, &name, chunk);
        assert_eq!(ended.code, Some(0), "{}", ended.transcript());
        let partial = fs::read(dir.path(&name).join(&dir.names(&name)[1])).expect("a partial");
        assert!(partial.ends_with(&[&told[..], b"\n"].concat()), "{name}");
    }
    dir.split("try chunk-11").ok();
    dir.split("verify").ok().says("all the same");
}

#[test]
fn files_of_items_that_are_left_out_are_not_sent() {
    let dir = Dir::new();
    dir.program("read", READ);
    for name in ["d a/same", "d a/same too", "d a/other", "d a/more"] {
        dir.write(name, name);
    }
    let split = |task: &str, pattern: &str, condition: &str, last: [&str; 2]| {
        let words = ["--files", pattern, last[0], last[1], "--where", condition, "--chunks", "4", "--reduce", "concat"];
        dir.split(task).args(words).args(["--", "./read", "{file}"])
    };
    let grid = ["--grid", "n=1,2,3"];
    let told = "[d a/same][d a/same]1\n[d a/same too][d a/same too]1\n";
    let condition = "n == 2 && contains(file, \"same\")";
    split("plan", "d a/**", condition, grid).ok().says("keeps 2 of 12 items");
    let files: Vec<_> = (0..4).map(|chunk| dir.names(&own(chunk))).collect();
    assert_eq!(files, [&["rows"][..], &["rows"], &["file-0-2", "rows"], &["file-0-3", "rows"]]);
    for (chunk, told) in (2..).zip(["[d a/same][d a/same]1\n", "[d a/same too][d a/same too]1\n"]) {
        let name = format!("job-{chunk}");
        sandbox(&dir, &name);
        dir.command("cp").args(["-RL", &own(chunk), &format!("{name}/")]).ok();
        let numbers = [chunk, 3 * chunk, 3 * chunk + 3].map(|number| number.to_string());
        let runner = dir.path(&name).join("condor_exec.exe");
        bare(&dir, &runner).args(["exec", "job.json"]).args(numbers).within(&name).ok();
        assert!(dir.read(Path::new(&name).join(&dir.names(&name)[1])).contains(told));
    }
    split("run --force", "d a/**", condition, grid).answers(told);
    dir.split("try chunk-2").answers("[d a/same][d a/same]1\n");
    // The condition is about the paths that the user typed, wherever a file is in a job.
    let all = format!("{}/d a/**", dir.shown());
    let condition = "n == 2 && ends_with(file, \"d a/same\")";
    split("run --force", &all, condition, grid).answers("[files/2/same][d a/same]1\n");
    let many = ["--grid", "n=1..=300000"];
    let condition = "n % 2 == 0 && ends_with(file, \"d a/same\")";
    split("plan --force", &all, condition, many).ok();
    assert_eq!(dir.names(&own(2)), ["file-0-2", "rows"]);
    dir.split("try 600001").answers("[files/2/same][d a/same]1\n");
    dir.split("try 600002").answers("").says("left out by --where");
}

#[test]
fn files_above_and_far_away_have_places_too() {
    let dir = Dir::new();
    dir.program("run/read", READ);
    dir.write("data/x", "one");
    dir.write("data/deep/x", "two");
    let plan = |pattern: &str| {
        let words =
            ["run", "--force", "--files", pattern, "--chunks", "2", "--reduce", "concat", "--", "./read", "{file}"];
        dir.split("").args(words).within("run").ok().text()
    };
    assert_eq!(plan("../data/**/x"), "[../data/deep/x][two]1\n[../data/x][one]1\n");
    dir.split("try 1").within("run").answers("[../data/x][one]1\n");
    assert_eq!(plan(&format!("{}/data/**/x", dir.shown())), "[files/0/x][two]1\n[files/1/x][one]1\n");
    dir.split("try 1").within("run").answers("[files/1/x][one]1\n");
    dir.split("show 1").within("run").ok().says("command: ./read files/1/x");
}

#[test]
fn jobs_on_a_shared_file_system_read_files_where_they_are() {
    let dir = Dir::new();
    dir.program("read", READ);
    dir.write("data/x", "one");
    dir.write("data/y", "two");
    let words = |task: &str, pattern: &str| {
        let options = ["--files", pattern, "--chunks", "2", "--reduce", "concat", "--", "./read", "{file}"];
        dir.split(task).arg("--shared-filesystem").args(options).ok().text()
    };
    assert_eq!(words("run", "data/*"), "[data/x][one]2\n[data/y][two]2\n");
    assert_eq!(dir.names(&own(1)), ["rows"]);
    dir.split("try 1").answers("[data/y][two]2\n");
    let numbers = ["1", "1", "2"];
    let document = "../plan.files/job/job.json";
    let runner = dir.path("plan.files/split-runner");
    bare(&dir, &runner).args(["exec", document]).args(numbers).within("outputs").ok();
    assert_eq!(dir.partials_of(1).len(), 2);
    dir.write("data/y", "changed");
    let ended = bare(&dir, &runner).args(["exec", document]).args(numbers).within("outputs").exits(74);
    ended.says("data/y is not what it was when it was planned");
    let absolute = format!("{}/data/*", dir.shown());
    let expected = format!("[{0}/data/x][one]2\n[{0}/data/y][changed]2\n", dir.shown());
    assert_eq!(words("run --force", &absolute), expected);
}

#[test]
fn a_file_that_changed_is_not_taken_for_the_one_that_was_planned() {
    let dir = Dir::new();
    dir.program("read", READ);
    dir.write("data/x", "one");
    dir.write("data/y", "two");
    dir.write("data/z", "three");
    let plan = |task: &str| {
        dir.split(task).args(["--files", "data/*", "--chunks", "3", "--reduce", "concat", "--", "./read", "{file}"])
    };
    plan("plan").ok();
    // A file that is replaced leaves the chunk's as it was; one that is written to is another one.
    fs::remove_file(dir.path("data/x")).expect("removed");
    dir.write("data/x", "replaced");
    assert_eq!(dir.read(format!("{}/file-0-0", own(0))), "one");
    assert_eq!(attempt(&dir, "replaced", 0).code, Some(0));
    dir.split("try 0").answers("[data/x][one]1\n");
    dir.write("data/y", "changed");
    let ended = attempt(&dir, "changed", 1);
    assert_eq!(ended.code, Some(74), "{}", ended.transcript());
    ended.says("data/y is not what it was when it was planned");
    fs::remove_file(dir.path("data/z")).expect("removed");
    let said = [dir.split("run .").exits(30).transcript(), dir.split("try 1").exits(30).transcript()];
    insta::assert_snapshot!(said.concat());
    dir.split("try 2").answers("[data/z][three]1\n");
    dir.split("resume").ok().says("1 chunk left of 3");
    assert_eq!(dir.names(&own(2)), ["rows"]);
    let ended = attempt(&dir, "gone", 2);
    assert_eq!(ended.code, Some(74), "{}", ended.transcript());
    ended.says("data/z did not arrive");
    plan("plan").exits(2);
    dir.write("data/z", "three");
    plan("plan").refuses(3).says("the items' values: was file (");
}

#[test]
fn a_program_cannot_change_the_users_files() {
    let dir = Dir::new();
    dir.program("spoil", "#!/bin/sh\necho spoilt >\"$1\"; cat \"$1\"\n");
    dir.write("data/x", "one");
    let words = ["--files", "data/*", "--chunks", "1", "--reduce", "concat", "--", "./spoil", "{file}"];
    dir.split("run").args(words).answers("spoilt\n");
    dir.split("try").answers("spoilt\n");
    assert_eq!(dir.read("data/x"), "one");
    assert_eq!(dir.read(format!("{}/file-0-0", own(0))), "one");
}

#[test]
fn links_to_files_are_followed() {
    let dir = Dir::new();
    dir.program("read", READ);
    dir.write("there/x", "one");
    fs::create_dir(dir.path("data")).expect("made");
    symlink("../there/x", dir.path("data/link")).expect("linked");
    on_one(&dir, "run").answers("[data/link][one]1\n");
    let laid = dir.path(own(0)).join("file-0-0").symlink_metadata().expect("there");
    assert_eq!(laid.ino(), dir.path("there/x").metadata().expect("there").ino(), "the file itself");
}

fn on_one<'a>(dir: &'a Dir, task: &str) -> Split<'a> {
    dir.split(task).args(["--files", "data/*", "--chunks", "1", "--reduce", "concat", "--", "./read", "{file}"])
}

#[test]
fn what_chunks_are_sent_of_their_own_counts() {
    let dir = Dir::new();
    dir.program("read", READ);
    dir.write("data/x", vec![b'x'; 300_000]);
    dir.write("data/y", vec![b'y'; 200_000]);
    let plan = |options: &str| {
        let words = ["--files", "data/*", "--chunks", "2", "--reduce", "concat", "--", "./read", "{file}"];
        dir.split(&format!("plan {options}")).args(words)
    };
    plan("--max-transfer 400KB")
        .refuses(2)
        .says("each job would be sent up to ")
        .says("at most, its own rows and files");
    plan("").ok().says("and its own rows and files (up to 300.");
    assert!(dir.read("chunk.sub").contains("request_disk = 1GB\n"));
    let large = fs::File::create(dir.path("data/z")).expect("made");
    large.set_len(2 << 30).expect("a hole");
    let words = ["--table", "t.csv", "--chunks", "1", "--", "./read", "{n}"];
    dir.write("t.csv", format!("n\n{}\n", "1".repeat(120_000)));
    dir.split("plan --force").args(words).ok().says("and its own rows (up to 120.");
}
