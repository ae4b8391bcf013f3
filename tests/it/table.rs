//! Tables, `--to`, `--by`, archives of partials.

use std::fs;
use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;

use crate::kit::{Dir, Split, until};

/// Prints an object for each item: `{"sum": .., "note": ..}`; of the first no note.
const PROGRAM: &str = "import json, sys\n\
                       a, b = sys.argv[1:3]\n\
                       result = {'sum': float(a) + len(b), 'a': a}\n\
                       if b != 'x': result['note'] = b * 2\n\
                       print(json.dumps(result))\n";

/// A planned grid of two names, with this program.
fn grid<'a>(dir: &'a Dir, options: &str) -> Split<'a> {
    dir.write("p.py", PROGRAM);
    let words = format!("run --grid a=0.5,1 --grid b=x,yy,zzz --chunks 6 {options} -- python3 p.py {{a}} {{b}}");
    dir.split(&words)
}

const GRID: &str = "a,b,sum,a_result,note\n\
                    0.5,x,1.5,0.5,\n\
                    0.5,yy,2.5,0.5,yyyy\n\
                    0.5,zzz,3.5,0.5,zzzzzz\n\
                    1,x,2.0,1,\n\
                    1,yy,3.0,1,yyyy\n\
                    1,zzz,4.0,1,zzzzzz\n";

fn result(dir: &Dir, name: &str) -> Value {
    serde_json::from_str(&dir.read(name)).expect("JSON")
}

/// What Python prints of a database.
fn python(dir: &Dir, script: &str) -> String {
    dir.command("python3").args(["-c", script]).ok().text()
}

#[test]
fn a_parameter_space_reduces_to_a_table() {
    let dir = Dir::new();
    let run = grid(&dir, "").answers(GRID);
    run.says("merged by table").says("2 cells are empty: 2 of `note`");
    assert_eq!(result(&dir, "result.json")["answer"], GRID);
    dir.split("reduce outputs").answers(GRID);
}

#[test]
fn a_range_is_a_table_of_one_line_for_each_item() {
    let dir = Dir::new();
    dir.split("run --total 3..=9:2 --chunks 2 --reduce table -- seq {first} {step} {last}")
        .answers("item,result\n3,3\n5,5\n7,7\n9,9\n");
    dir.split("run --force --total 1..=10 --chunks 3 --reduce table")
        .answers("item,result\n1,1\n2,2\n3,3\n4,4\n5,5\n6,6\n7,7\n8,8\n9,9\n10,10\n");
}

#[test]
fn results_that_are_no_table_are_refused() {
    let dir = Dir::new();
    dir.split("plan --total 1..=10 --chunks 5 --reduce table -- seq 3").ok();
    dir.split("run .").exits(24);
    insta::assert_snapshot!(dir.split("reduce .").exits(24).transcript());
}

#[test]
fn missing_items_have_no_row() {
    let dir = Dir::new();
    dir.split("run --total 6 --chunks 3 --reduce table").ok();
    fs::remove_file(dir.partial(1)).expect("removed");
    dir.split("reduce . --partial").answers("item,result\n0,0\n1,1\n4,4\n5,5\n").says("PARTIAL");
    // An array has their places all the same.
    dir.split("reduce . --partial --to x.npy").answers("");
    let array = fs::read(dir.path("x.npy")).expect("read");
    assert!(String::from_utf8_lossy(&array).contains("'descr': '<f8', 'fortran_order': False, 'shape': (6,), }"));
    let numbers: Vec<f64> =
        array[128..].chunks(8).map(|bytes| f64::from_le_bytes(bytes.try_into().expect("eight"))).collect();
    assert!(numbers[2].is_nan() && numbers[3].is_nan());
    assert_eq!((&numbers[..2], &numbers[4..]), (&[0.0, 1.0][..], &[4.0, 5.0][..]));
}

#[test]
fn to_writes_the_table_in_the_format_of_its_ending() {
    let dir = Dir::new();
    grid(&dir, "--to table.csv").answers("").says("wrote table.csv: 6 rows of 5 columns");
    assert_eq!(dir.read("table.csv"), GRID);
    let file = &result(&dir, "result.json")["answer_file"];
    assert_eq!((&file["name"], &file["rows"], &file["bytes"]), (&"table.csv".into(), &6.into(), &GRID.len().into()));
    // What is said now wins over the plan.
    dir.split("reduce . --to -").answers(GRID);
    dir.split("run . --to table.TSV").answers("");
    assert_eq!(dir.read("table.TSV"), GRID.replace(',', "\t"));
    dir.split("reduce outputs --to table.jsonl").answers("");
    assert_eq!(
        dir.read("table.jsonl").lines().next(),
        Some(r#"{"a":0.5,"b":"x","sum":1.5,"a_result":"0.5","note":null}"#)
    );
    dir.split("reduce outputs --to table.json").answers("");
    assert_eq!(result(&dir, "table.json").as_array().map(Vec::len), Some(6));
    // And the plan's own stays.
    fs::remove_file(dir.path("table.csv")).expect("removed");
    dir.split("reduce outputs").within("logs").exits(5);
    dir.split("reduce ../outputs").within("logs").answers("");
    assert_eq!(dir.read("table.csv"), GRID);
}

#[test]
fn the_plan_s_to_is_relative_to_where_it_was_planned() {
    let dir = Dir::new();
    fs::create_dir(dir.path("results")).expect("made");
    dir.split("plan --total 4 --chunks 2 --reduce table --to results/t.csv --dir planned").ok();
    dir.split("run planned").answers("").says("wrote planned/../results/t.csv");
    assert_eq!(dir.read("results/t.csv"), "item,result\n0,0\n1,1\n2,2\n3,3\n");
    assert_eq!(result(&dir, "planned/result.json")["answer_file"]["name"], "../results/t.csv");
    // Where the plan is not, it is beside the partials.
    fs::rename(dir.path("planned/outputs"), dir.path("alone")).expect("moved");
    dir.split("reduce alone").answers("");
    assert_eq!(dir.read("alone/t.csv"), dir.read("results/t.csv"));
}

#[test]
fn other_answers_are_written_too() {
    let dir = Dir::new();
    dir.split("run --total 1..=100 --chunks 7 --to sum.csv").answers("");
    assert_eq!(dir.read("sum.csv"), "result\n5050\n");
    assert_eq!(result(&dir, "result.json")["answer"], 5050);
    dir.split("reduce . --to sum.json").answers("");
    assert_eq!(dir.read("sum.json"), "5050\n");
    dir.split("reduce . --to sum.npy").answers("");
    assert!(fs::read(dir.path("sum.npy")).expect("read").ends_with(&5050i64.to_le_bytes()));
    dir.split("reduce . --to sum.sqlite").answers("");
    let script = "import sqlite3\nprint(*sqlite3.connect('sum.sqlite').execute('SELECT result FROM items'))";
    assert_eq!(python(&dir, script), "(5050,)\n");
    dir.split("run --force --total 3 --chunks 3 --reduce concat --to all.txt").answers("");
    assert_eq!(dir.read("all.txt"), "0\n1\n2\n");
    dir.split("run --force --total 3 --chunks 3 --reduce stats --to s.csv").answers("");
    assert!(dir.read("s.csv").starts_with("count,mean,"), "{}", dir.read("s.csv"));
}

#[test]
fn groups_have_a_row_each() {
    let dir = Dir::new();
    dir.write("p.sh", "echo $(($1 * ${#2}))\n");
    let words = "run --grid n=1,2 --grid name=a,bb,ccc --chunks 6 --reduce sum --by n -- sh p.sh {n} {name}";
    dir.split(words).answers("n\tsum\n1\t6\n2\t12\n");
    dir.split("reduce . --to groups.csv").answers("");
    assert_eq!(dir.read("groups.csv"), "n,sum\n1,6\n2,12\n");
    dir.split("reduce . --to groups.npy").answers("");
    assert!(fs::read(dir.path("groups.npy")).expect("read").ends_with(&12i64.to_le_bytes()));
    for (options, says) in [
        ("--by m", "--by m: the items have no value of that name"),
        ("--by n,n", "--by: `n` is named twice"),
        ("--by n --reduce table", "--by: table keeps every result"),
    ] {
        let words = format!("plan --grid n=1,2 --chunks 2 --reduce sum --dir other {options} -- echo {{n}}");
        let words = if options.contains("--reduce") { words.replace("--reduce sum ", "") } else { words };
        dir.split(&words).exits(2).says(says);
    }
}

#[test]
fn groups_by_two_names_have_a_column_for_each_field() {
    let dir = Dir::new();
    let script = "printf '{\"hits\": %d, \"energy\": %d.5, \"best\": %d}\\n' $(($1 * $3)) $(($1 + $3)) $(($2 - $3))\n";
    dir.write("p.sh", script);
    for chunks in [1, 5, 8] {
        let words = "run --force --grid n=1,2 --grid rho=10,20 --grid k=3,4 --reduce hits=sum,energy=stats,best=min --by n,rho --chunks";
        let run = dir.split(words).args([&chunks.to_string(), "--", "sh", "p.sh", "{n}", "{rho}", "{k}"]);
        let shown = run.ok().text();
        dir.split("reduce . --to groups.csv").answers("");
        insta::assert_snapshot!("groups by two names", format!("{shown}\n{}", dir.read("groups.csv")));
    }
}

#[test]
fn a_database_is_typed_and_replaced_as_a_whole() {
    let dir = Dir::new();
    grid(&dir, "--to t.sqlite").answers("");
    let query = |sql: &str| {
        python(&dir, &format!("import sqlite3\nfor row in sqlite3.connect('t.sqlite').execute({sql:?}): print(*row)"))
    };
    assert_eq!(query("SELECT * FROM items WHERE b = 'yy'"), "0.5 yy 2.5 0.5 yyyy\n1.0 yy 3.0 1 yyyy\n");
    assert_eq!(query("SELECT typeof(a), typeof(sum), typeof(note) FROM items LIMIT 1"), "real real null\n");
    let seen = query("SELECT value FROM provenance WHERE key IN ('items', 'reduce', 'command')");
    assert_eq!(seen, "python3 p.py '{a}' '{b}'\n6\ntable\n".replace('\'', ""));
    let own = "import sqlite3\nown = sqlite3.connect('t.sqlite')\nown.execute('CREATE TABLE own (x)')\nown.commit()";
    python(&dir, own);
    dir.split("reduce .").answers("");
    assert_eq!(query("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"), "items\nown\nprovenance\n");
    let foreign = "import sqlite3\nown = sqlite3.connect('o.db')\nown.execute('CREATE TABLE items (x)')\nown.commit()";
    python(&dir, foreign);
    insta::assert_snapshot!(dir.split("reduce . --to o.db").exits(2).transcript());
}

#[test]
fn a_killed_reduce_leaves_the_database_as_it_was() {
    let dir = Dir::new();
    dir.split("run --total 3 --chunks 1 --reduce table --to t.db").answers("");
    dir.split("run --force --total 1e6 --chunks 2 --reduce table --to other.db").answers("");
    let reduce = dir.split("reduce . --to t.db").start();
    until("a transaction", || dir.path("t.db-journal").exists());
    reduce.signal(Signal::KILL);
    reduce.wait();
    let count = "import sqlite3\nprint(*sqlite3.connect('t.db').execute('SELECT count(*) FROM items').fetchone())";
    assert_eq!(python(&dir, count), "3\n");
    dir.split("reduce . --to t.db").answers("");
    assert_eq!(python(&dir, count), "1000000\n");
}

#[test]
fn places_that_make_no_sense_are_refused_before_anything_is_written() {
    let dir = Dir::new();
    dir.write("data.csv", "1\n");
    fs::create_dir(dir.path("folder.csv")).expect("made");
    let plan = "plan --total 4 --chunks 2 --input data.csv";
    let mut text = String::new();
    for options in [
        "--to x.xlsx",
        "--to answer",
        "--to -",
        "--to frames/",
        "--to x.zip",
        "--to none/x.csv",
        "--to folder.csv",
        "--to data.csv",
        "--to result.json",
        "--reduce stats --to x.npy",
        "--reduce files --to x.csv",
        "--reduce files --to frames",
        "--reduce files --to ./",
        "--reduce concat --to x/",
        "--reduce-on job --reduce table --to x.sqlite",
        "--reduce-on job --reduce files --to frames/",
        "--reduce-on job --reduce table --to ../x.csv",
    ] {
        text.push_str(
            &dir.split(plan).args(options.split(' ')).args(["--", "cat", "data.csv"]).refuses(2).transcript(),
        );
    }
    insta::assert_snapshot!(text);
    dir.split("run --total 4 --chunks 2 --reduce concat").answers("0\n1\n2\n3\n");
    for (to, says) in [("outputs/x.csv", "the plan's own files"), ("plan.dag.x", "the plan's own files")] {
        dir.split(&format!("reduce . --to {to}")).refuses(2).says(says);
    }
}

#[test]
fn results_that_are_no_array_are_refused() {
    let dir = Dir::new();
    grid(&dir, "--to t.csv").ok();
    insta::assert_snapshot!(dir.split("reduce . --to t.npy").refuses(24).transcript());
    dir.split("run --force --total 3 --chunks 3 --reduce table -- sh -c")
        .arg("[ $0 = 1 ] && echo x || echo $0")
        .arg("{first}")
        .ok();
    insta::assert_snapshot!(dir.split("reduce . --to t.npy").refuses(24).transcript());
}

#[test]
fn an_archive_gives_the_same_answer() {
    let dir = Dir::new();
    grid(&dir, "").answers(GRID);
    let before = dir.read("result.json");
    let archived = dir.split("reduce outputs --archive kept.zip").answers(GRID);
    archived.says("packed 6 partials");
    assert_eq!(dir.names("outputs"), ["archived.txt", "plan.json"]);
    assert!(dir.read("outputs/archived.txt").starts_with("../kept.zip\n"));
    dir.split("reduce kept.zip").answers(GRID);
    assert_eq!(dir.read("kept.result.json"), before);
    fs::create_dir(dir.path("elsewhere")).expect("made");
    fs::copy(dir.path("kept.zip"), dir.path("elsewhere/other.zip")).expect("copied");
    dir.split("reduce other.zip --to t.csv").within("elsewhere").answers("");
    assert_eq!(dir.read("elsewhere/t.csv"), GRID);
    assert_eq!(dir.names("elsewhere"), ["other.result.json", "other.zip", "t.csv"]);
    // Nothing is computed again without a word.
    let mut text = String::new();
    for words in ["run .", "resume", "reduce .", "reduce outputs"] {
        text.push_str(&dir.split(words).refuses(20).transcript());
    }
    insta::assert_snapshot!(text);
    dir.command("unzip").args(["-nq", "kept.zip", "-d", "outputs"]).ok();
    dir.split("reduce .").answers(GRID);
    dir.split("run .").answers(GRID).says("nothing is left to compute");
}

#[test]
fn an_archive_is_finished_where_it_was_cut_short() {
    let dir = Dir::computed();
    let partials = dir.partials();
    let kept: Vec<_> = partials.iter().map(|path| (path.clone(), fs::read(path).expect("read"))).collect();
    dir.split("reduce . --archive kept.zip").answers("55\n");
    for (path, bytes) in &kept[2..] {
        fs::write(path, bytes).expect("written");
    }
    dir.split("reduce .").exits(20).says("are in an archive: kept.zip");
    dir.split("reduce . --archive kept.zip").answers("55\n");
    assert_eq!(dir.names("outputs"), ["archived.txt", "plan.json"]);
    // What is not in it stays.
    fs::write(&kept[0].0, b"another").expect("written");
    dir.split("reduce . --archive kept.zip").refuses(1).says("does not hold");
}

#[test]
fn an_archive_tells_how_far_the_plan_is_and_that_it_is_gone() {
    let dir = Dir::computed();
    dir.split("reduce . --archive kept.zip").answers("55\n");
    let status = dir.split("status").ok();
    status.says("5 chunks: 5 done").says("the partials are in an archive, kept.zip\nnext: split reduce kept.zip\n");
    let names = dir.names("");
    dir.split("why").ok().says("nothing is wrong");
    assert_eq!(dir.names(""), names, "nothing is left of what was unpacked");
    fs::remove_file(dir.path("kept.zip")).expect("removed");
    for command in ["resume", "status", "reduce .", "run ."] {
        let gone = dir.split(command).exits(20);
        gone.says("were packed into kept.zip, which is not there any more").is_silent_on("unzip");
        gone.says("rm ./outputs/archived.txt, and after it the same command once more");
    }
    fs::remove_file(dir.path("outputs/archived.txt")).expect("removed");
    dir.split("run .").answers("55\n");
}

#[test]
fn an_archive_that_nothing_tells_of_yet_is_known_by_what_it_holds() {
    let dir = Dir::computed();
    let before: Vec<_> = dir.partials().iter().map(|path| (path.clone(), fs::read(path).expect("read"))).collect();
    dir.split("reduce . --archive kept.zip").answers("55\n");
    let archive = fs::read(dir.path("kept.zip")).expect("read");
    // As it is where it was killed once the archive had its name.
    let unpacked = || {
        before.iter().for_each(|(path, bytes)| fs::write(path, bytes).expect("written"));
        let _ = fs::remove_file(dir.path("outputs/archived.txt"));
    };
    unpacked();
    dir.split("reduce . --archive kept.zip").answers("55\n").says("the partials are in kept.zip");
    assert_eq!(dir.names("outputs"), ["archived.txt", "plan.json"]);
    assert!(fs::read(dir.path("kept.zip")).expect("read") == archive, "it is as it was");
    // It is not where it lacks anything, or where there is nothing that it could have been made of.
    unpacked();
    fs::copy(&before[0].0, dir.path("outputs/chunk-000000.1-0a0b0c0d.part")).expect("copied");
    dir.split("reduce . --archive kept.zip").refuses(2).says("it is there already");
    fs::remove_file(dir.path("outputs/chunk-000000.1-0a0b0c0d.part")).expect("removed");
    fs::write(dir.path("kept.zip"), &archive[..archive.len() / 2]).expect("written");
    dir.split("reduce . --archive kept.zip").refuses(2).says("it is there already").says("name another file");
    fs::write(dir.path("kept.zip"), &archive).expect("written");
    before.iter().for_each(|(path, _)| fs::remove_file(path).expect("removed"));
    dir.split("reduce . --archive kept.zip").refuses(2).says("it is there already");
    // What it holds is not deleted where that is no answer.
    let dir = Dir::computed();
    fs::remove_file(dir.partial(1)).expect("removed");
    dir.command("python3").args(["-m", "zipfile", "-c", "../some.zip", "."]).within("outputs").ok();
    dir.split("reduce . --archive some.zip").refuses(20);
}

#[test]
fn archives_that_make_no_sense_are_refused() {
    let dir = Dir::computed();
    dir.write("there.zip", "mine");
    let mut text = String::new();
    for words in [
        "reduce . --archive there.zip",
        "reduce . --archive x.tar",
        "reduce . --archive none/x.zip",
        "reduce . --archive x.zip --partial",
        "reduce there.zip",
        "reduce there.zip --archive x.zip",
    ] {
        let ended = dir.split(words).run();
        assert!(matches!(ended.code, Some(2 | 5)), "{}", ended.transcript());
        text.push_str(&ended.transcript());
    }
    insta::assert_snapshot!(text);
    dir.write("plan.dag.dagman.log", "000 (063.000.000) 2026-11-22 15:40:46 Job submitted\n...\n");
    dir.split("reduce . --archive x.zip").refuses(4).says("a DAGMan is at work here");
    fs::remove_file(dir.path("plan.dag.dagman.log")).expect("removed");
    fs::remove_file(dir.partial(1)).expect("removed");
    dir.split("reduce . --archive x.zip").refuses(20);
    assert!(!Path::new(&dir.path("x.zip")).exists());
}

/// Leaves a frame of its own name, one of a name that all have, and a log in a folder; prints nothing.
const FRAMES: &str =
    "mkdir -p logs; echo \"$1 x\" > frame_$1.txt; echo \"$1 y\" > last.txt; echo \"$1 z\" > logs/run.log";

#[test]
fn files_go_into_one_folder_or_archive() {
    let dir = Dir::new();
    dir.write("p.sh", FRAMES);
    let words = "run --total 8..=10 --chunks 2 --collect *.txt --collect logs/** -- sh p.sh {item}";
    let run = dir.split(words).ok();
    assert_eq!(run.text(), "9 files (39 bytes) in collected\n");
    run.says("6 files of the same name as others: each has its item in its name now");
    let names = [
        ".split-files",
        "frame_10.txt",
        "frame_8.txt",
        "frame_9.txt",
        "last-item08.txt",
        "last-item09.txt",
        "last-item10.txt",
        "logs",
    ];
    assert_eq!(dir.names("collected"), names);
    assert_eq!(dir.names("collected/logs"), ["run-item08.log", "run-item09.log", "run-item10.log"]);
    assert_eq!(dir.read("collected/last-item09.txt"), "9 y\n");
    let file = &result(&dir, "result.json")["answer_file"];
    assert_eq!((&file["name"], &file["files"]), (&"collected".into(), &9.into()));
    dir.split("reduce . --to all.zip").answers("9 files (39 bytes) in all.zip\n");
    assert_eq!(dir.command("unzip").args(["-p", "all.zip", "logs/run-item10.log"]).ok().text(), "10 z\n");
    dir.split("reduce outputs --to frames/").answers("9 files (39 bytes) in frames\n");
    fs::remove_file(dir.path("frames/frame_8.txt")).expect("removed");
    dir.split("reduce outputs --to frames").answers("9 files (39 bytes) in frames\n");
    assert_eq!(dir.read("frames/frame_8.txt"), "8 x\n");
    dir.write("frames/mine.txt", "mine");
    insta::assert_snapshot!(dir.split("reduce outputs --to frames").exits(1).transcript());
    assert_eq!(dir.read("frames/mine.txt"), "mine");
    // The same from an archive of the partials.
    dir.split("reduce . --to frames2/ --archive kept.zip").answers("9 files (39 bytes) in frames2\n");
    dir.split("reduce kept.zip").answers("9 files (39 bytes) in kept.collected\n");
    assert_eq!(dir.read("kept.collected/last-item09.txt"), "9 y\n");
}

#[test]
fn a_table_has_the_rows_of_a_file_and_does_not_replace_it() {
    let dir = Dir::new();
    dir.write("data.csv", "n,name\n1,\"a, b\"\n2,\n3,c\n");
    let words = "run --table data.csv --chunks 2 --to t.csv -- echo {n}{name}";
    dir.split(words).answers("");
    assert_eq!(dir.read("t.csv"), "n,name,result\n1,\"a, b\",\"1a, b\"\n2,,2\n3,c,3c\n");
    dir.split(&words.replace("t.csv", "data.csv").replace("run", "plan --force"))
        .refuses(2)
        .says("the items are made of it");
    dir.split("reduce . --to data.csv").refuses(2).says("the items are made of it");
    assert_eq!(dir.read("data.csv"), "n,name\n1,\"a, b\"\n2,\n3,c\n");
    dir.split("reduce . --archive kept.zip").answers("");
    assert_eq!(dir.names("outputs"), ["archived.txt", "plan.json"]);
    fs::remove_file(dir.path("t.csv")).expect("removed");
    dir.split("reduce kept.zip --to -").answers("n,name,result\n1,\"a, b\",\"1a, b\"\n2,,2\n3,c,3c\n");
}

#[test]
fn a_trial_says_whether_the_result_is_one_for_a_table() {
    let dir = Dir::new();
    dir.write("p.py", PROGRAM);
    dir.split("plan --grid a=0.5,1 --grid b=x,yy,zzz --chunks 6 -- python3 p.py {a} {b}").ok();
    dir.split("try").ok().says("its result, as it comes into the table:");
    dir.split("plan --force --total 4 --chunks 1 --reduce table -- seq 3").ok();
    dir.split("try chunk-0").exits(24).says("3 results for 4 items");
}

#[test]
fn files_that_are_items_are_not_replaced() {
    let dir = Dir::new();
    dir.write("one.txt", "1\n");
    dir.write("two.txt", "2\n");
    dir.split("run --files *.txt --chunks 2 --reduce concat -- cat {file}").answers("1\n2\n");
    dir.split("reduce . --to two.txt").refuses(2).says("the items are made of it");
    assert_eq!(dir.read("two.txt"), "2\n");
    dir.split("reduce . --to three.txt").answers("");
    assert_eq!(dir.read("three.txt"), "1\n2\n");
}
