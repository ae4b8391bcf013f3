//! The options that name items: from the command line to the plan's space.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use serde_json::{Value, json};

use crate::kit::Dir;

/// `split plan --dry-run` with these words, in one chunk, without anything written.
fn plan<'a>(dir: &'a Dir, words: &[&str]) -> crate::kit::Split<'a> {
    let line = ["plan", "--dry-run", "--chunks", "1"];
    dir.split("").args(line).args(words).args(["--", "true"])
}

/// The space that the words stand for, as the plan holds it.
fn space(dir: &Dir, words: &[&str]) -> Value {
    let text = plan(dir, words).ok().text();
    let document = text.split("plan.json <==\n").nth(1).and_then(|rest| rest.split("\n==> ").next());
    let plan: Value = serde_json::from_str(document.expect("a plan")).expect("JSON");
    plan["space"].clone()
}

/// The same as it is shown to people.
fn shown(dir: &Dir, words: &[&str]) -> String {
    let text = plan(dir, words).ok().text();
    text.split(" over ").nth(1).and_then(|rest| rest.split(", and one node").next()).expect("the first line").to_owned()
}

#[test]
fn axes_stand_in_the_order_of_the_command_line() {
    let dir = Dir::new();
    dir.write("t.csv", "n,rho\n1,a\n2,b\n");
    dir.write("l.txt", "x\n\ny\nz\n");
    dir.write("d/1.dat", "1");
    let check = |words: &str, expected: &str| {
        assert_eq!(shown(&dir, &words.split(' ').collect::<Vec<_>>()), expected, "{words}");
    };
    check("--grid a=1,2 --grid b=1..=3", "a (2 values) x b (3 values)");
    check("--grid b=1..=3 --grid a=1,2", "b (3 values) x a (2 values)");
    check("--total 5..9 --grid a=1,2", "item (4 values) x a (2 values)");
    check("--grid a=1,2 --total 5..9", "a (2 values) x item (4 values)");
    check("--zip a=1,2 --grid b=1..=3 --zip c=x,y", "a, c (2 rows) x b (3 values)");
    check(
        "--lines l.txt --table t.csv --files d/* --grid a=7",
        "line (3 rows) x n, rho (2 rows) x file (1 file) x a (1 value)",
    );
    check("--grid a=7 --files d/* l.txt --files t.csv --lines l.txt", "a (1 value) x file (3 files) x line (3 rows)");
    check("--table t.csv --columns p,q", "p, q (3 rows)");
    check("--total 5..9", "5..=8");
}

#[test]
fn values_stand_in_the_plan() {
    let dir = Dir::new();
    dir.write("v.txt", "one\r\n\r\ntwo words\r\n");
    let values = |text: &str| {
        space(&dir, &["--grid", &format!("x={text}")])["parameters"]["axes"][0]["columns"][0]["values"].clone()
    };
    assert_eq!(values("a,b,\"c,d\""), json!({"list": ["a", "b", "c,d"]}));
    assert_eq!(values("100"), json!({"list": ["100"]}));
    assert_eq!(values(""), json!({"list": [""]}));
    assert_eq!(values("1..=100"), json!({"range": {"first": 1, "last": 100, "step": 1}}));
    assert_eq!(values("0..1:0.1"), json!({"decimals": {"first": 0, "last": 9, "step": 1, "scale": 1}}));
    assert_eq!(values("lin:0:1:5"), json!({"list": ["0", "0.25", "0.5", "0.75", "1"]}));
    assert_eq!(values("log:1e-3:1e3:3"), json!({"list": ["0.001", "1", "1000"]}));
    assert_eq!(values("@v.txt"), json!({"list": ["one", "two words"]}));
    assert_eq!(values("../x,$(x),'*'"), json!({"list": ["../x", "$(x)", "'*'"]}));
    let raw = OsString::from_vec(b"x=\xff,b".to_vec());
    let done = dir.split("plan --dry-run --chunks 1 --grid").arg(raw).args(["--", "true"]).ok();
    done.says(r#""hex": "ff""#);
}

#[test]
fn what_is_long_is_kept_beside_the_plan() {
    let dir = Dir::new();
    let lines: String = (0..1001).map(|number| format!("{number}\n")).collect();
    dir.write("long.txt", &lines);
    let short: String = (0..1000).map(|number| format!("{number}\n")).collect();
    dir.write("short.txt", &short);
    let axis = |words: &[&str]| space(&dir, words)["parameters"]["axes"][0].clone();
    assert_eq!(axis(&["--grid", "x=@long.txt"])["listed"]["rows"], json!(1001));
    assert_eq!(axis(&["--grid", "x=@long.txt"])["listed"]["names"], json!(["x"]));
    assert_eq!(axis(&["--grid", "x=@short.txt"])["columns"][0]["values"]["list"][999], json!("999"));
    assert_eq!(axis(&["--zip", "x=@long.txt", "--zip", "y=0..=1000"])["listed"]["names"], json!(["x", "y"]));
    // The same values are the same space, whatever they are written as.
    let content = |words: &[&str]| axis(words)["listed"]["content"].clone();
    dir.write("table.csv", format!("line\n{lines}"));
    assert_eq!(content(&["--lines", "long.txt"]), content(&["--table", "table.csv"]));
    assert_eq!(content(&["--lines", "long.txt"]), content(&["--table", "long.txt", "--columns", "line"]));
    assert_ne!(content(&["--lines", "long.txt"]), content(&["--grid", "x=@long.txt"]));
}

#[test]
fn standard_input_is_a_file() {
    let dir = Dir::new();
    let text = dir.write("t.csv", "a,b\n1,2\n");
    let from = || std::fs::File::open(&text).expect("there");
    for words in [&["--table", "-"][..], &["--lines", "-"], &["--grid", "x=@-"]] {
        plan(&dir, words).stdin(from()).ok();
    }
    assert_eq!(shown(&dir, &["--table", "t.csv"]), "a, b (1 row)");
    plan(&dir, &["--table", "-", "--lines", "-"]).stdin(from()).refuses(2).says("only once");
}

#[test]
fn conditions_leave_items_out() {
    let dir = Dir::new();
    dir.write("t.csv", "name,x\na,1\nb,2\nc,\n");
    let kept = plan(&dir, &["--grid", "i=1..=100", "--grid", "j=1..=100", "--where", "i < j"]).ok().text();
    assert!(kept.contains("i, j (4950 rows)"), "{kept}");
    assert_eq!(shown(&dir, &["--table", "t.csv", "--where", "x != '' and x / 2 > 0.7"]), "name, x (1 row)");
    assert_eq!(shown(&dir, &["--total", "1..=10", "--where", "item % 2 == 0"]), "item (5 rows)");
    // What leaves nothing out changes nothing.
    assert_eq!(shown(&dir, &["--grid", "i=1..=9", "--where", "i > 0"]), "i (9 values)");
    assert_eq!(space(&dir, &["--total", "5..9", "--where", "item > 0"]), space(&dir, &["--total", "5..9"]));
    // What is kept is what a table of the same rows would be.
    dir.write("kept.csv", "i,j\n1,2\n1,3\n2,3\n");
    let by_condition = space(&dir, &["--grid", "i=1..=3", "--grid", "j=1..=3", "--where", "i < j"]);
    assert_eq!(by_condition, space(&dir, &["--table", "kept.csv"]));
}

#[test]
fn a_million_million_points_are_planned_in_a_moment() {
    let dir = Dir::new();
    let grid = ["--grid", "i=1..=1000000", "--grid", "j=1..=1000000"];
    let line = |more: &[&str]| {
        let words = dir.split("plan --chunks 1000").args(grid).args(more).args(["--", "true", "{i}", "{j}"]);
        words.ok().text().lines().take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        line(&["--where", "i < j"]),
        [
            "1000 chunks of 1000000000 items each, over i (1000000 values) x j (1000000 values) where i < j, merged by table",
            "  --where              keeps about 51.1 % of the items (give or take 1.5 %, by a sample of 10000); jobs leave out \
             the others",
        ]
    );
    let all = line(&["--force"]);
    assert_eq!(
        all[0],
        "1000 chunks of 1000000000 items each, over i (1000000 values) x j (1000000 values), merged by table"
    );
    dir.split("plan --dry-run --chunks 1000").args(grid).args(["--where", "i == j", "--", "true"]).refuses(2);
}

#[test]
fn what_is_said_of_items() {
    let dir = Dir::new();
    dir.write("values.dat", "# 1\n2, x y\n\n");
    dir.write("odd names.csv", "n,N,first,a b,a_b\n1,2,3,4,5\n");
    dir.write("ok.csv", "n,N,a b,a_b,First\n1,2,3,4,5\n");
    let mut said = String::new();
    for words in [
        &["--table", "values.dat", "--columns", "a,b"][..],
        &["--table", "ok.csv"],
        &["--grid", "i=1..=10", "--grid", "j=1..=10", "--where", "i < j"],
        &["--total", "1..=10", "--where", "item < 20"],
    ] {
        let done = dir.split("plan --force --chunks 1").args(words).args(["--reduce", "concat", "--", "true"]).run();
        let ours = |line: &&str| !line.starts_with("moved") && !line.contains("aside-");
        said += &done.transcript().lines().filter(ours).map(|line| line.to_owned() + "\n").collect::<String>();
    }
    insta::assert_snapshot!(said);
}

#[test]
fn values_that_may_not_be_meant() {
    let dir = Dir::new();
    let notes = |option: &str, values: &str| {
        let said = dir.split("plan --force --chunks 1").args([option, values, "--", "true"]).ok().transcript();
        let mine = said.lines().filter(|line| line.starts_with(&format!("note: {option} ")));
        format!("{values}\n{}", mine.map(|line| format!("  {line}\n")).collect::<String>())
    };
    let odd = [
        "x=1,2,",
        "x=1..10,",
        "x=1, 2, 3",
        "x = 1,2",
        "x=1..=3, 7",
        "x=0:1:0.1",
        "x=0:0.1:1",
        "x=1:10",
        "x=1-10",
        "x=-5--1",
        "x=a,1:10,2:20",
        "x=linspace(0,1,11)",
        "x=np.linspace(0, 1, 11)",
        "x=range(10)",
        "x=range(1,10)",
        "x=np.arange(0,1,0.1),7",
    ];
    let plain = [
        "x=1,2",
        "x=",
        "x=1,,2",
        "x=1,\"\"",
        "x=a, b",
        "x=a,",
        "x=1e-5",
        "x=2026-11-30",
        "x=10-1",
        "x=a:b",
        "x=12:30:00",
        "x=\"1:10\",\" 2\"",
        "x=range",
        "x=0..1:0.1",
        "x= 1 ..= 3 ",
        "x=lin:0:1:11",
        "x=@v.txt",
    ];
    dir.write("v.txt", "1:10\n 2\n");
    let all: String = odd.iter().chain(&plain).map(|values| notes("--grid", values)).collect();
    insta::assert_snapshot!(all + &notes("--zip", "y=1:2"));
    // They are what they are, all the same; blanks around the name are none of it.
    let axis = space(&dir, &["--grid", " x = 1,2:3,"])["parameters"]["axes"][0]["columns"][0].clone();
    assert_eq!(axis, json!({"name": "x", "values": {"list": [" 1", "2:3", ""]}}));
}

#[test]
fn a_header_between_blanks_is_told_of() {
    let dir = Dir::new();
    dir.write("ws.txt", "a b\n1 2\n3 4\n");
    dir.write("c.csv", "a,b\n1,2\n");
    dir.write("one.csv", "full name\nx y\n");
    let run = |words: &[&str], command: &str| {
        dir.split("run --force --chunks 1 --reduce concat").args(words).args(["--", "echo", command])
    };
    let notes = |file: &str| {
        let words = ["--table", file, "--columns", "a,b", "--", "true"];
        let said = dir.split("plan --force --chunks 1").args(words).ok().transcript();
        said.lines().filter(|line| line.contains(file)).map(|line| line.to_owned() + "\n").collect()
    };
    let said = [
        run(&["--table", "ws.txt"], "{a}").refuses(2).transcript(),
        run(&["--table", "ws.txt", "--where", "a > 1"], "{a b}").refuses(2).transcript(),
        notes("ws.txt"),
        notes("c.csv"),
    ];
    insta::assert_snapshot!(said.join("\n"));
    run(&["--table", "one.csv"], "{full name}").answers("x y\n").is_silent_on("tail");
    dir.command("sh").args(["-c", "tail -n +2 ws.txt > rows.txt"]).ok();
    run(&["--table", "rows.txt", "--columns", "a,b"], "{b}").answers("2\n4\n").is_silent_on("all the same");
}

#[test]
fn files_are_found_byte_for_byte() {
    let dir = Dir::new();
    for name in [&b"d/b c.dat"[..], b"d/a.dat", b"d/\xff'\n.dat", b"d/.x.dat", b"e/a.dat"] {
        dir.write(OsStr::from_bytes(name), name);
    }
    assert_eq!(shown(&dir, &["--files", "d/*.dat"]), "file (3 files)");
    assert_eq!(shown(&dir, &["--files", "**/*.dat"]), "file (4 files)");
    let content = |words: &[&str]| space(&dir, words)["parameters"]["axes"][0]["listed"].clone();
    let before = content(&["--files", "d/*.dat"]);
    assert_eq!(before, content(&["--files", "d/b*", "d/*.dat"]));
    assert_eq!(before["files"], json!(true));
    dir.write("d/a.dat", "changed");
    assert_ne!(before, content(&["--files", "d/*.dat"]));
}

/// Each refusal, before anything is written.
fn refusals(dir: &Dir, all: &[&[&str]]) -> String {
    let refused = all.iter().map(|words| {
        let words = words.iter().map(OsStr::new);
        dir.split("plan --chunks 1").args(words).args(["--", "echo", "{item}"]).refuses(2).transcript()
    });
    refused.collect::<Vec<_>>().join("\n")
}

#[test]
fn values_that_make_no_sense() {
    let dir = Dir::new();
    dir.write("empty.txt", "\n");
    dir.write("nul.txt", "a\nb\0\n");
    insta::assert_snapshot!(refusals(
        &dir,
        &[
            &["--grid", "alpha"],
            &["--grid", "=1,2"],
            &["--grid", "a=10..=1"],
            &["--grid", "a=1..=1O0"],
            &["--grid", "a=0..1:0"],
            &["--grid", "a=lin:0:1"],
            &["--grid", "a=log:0:1:5"],
            &["--grid", "a=\"x"],
            &["--grid", "a=@missing.txt"],
            &["--grid", "a=@empty.txt"],
            &["--grid", "a=@nul.txt"],
            &["--grid", "a=1..=1e9,7"],
            &["--grid", "a=1", "--grid", "a=2"],
            &["--grid", "item=1"],
            &["--grid", "seed=1"],
            &["--grid", "a{b=1"],
            &["--total", "5", "--grid", "item=1..=3"],
            &["--zip", "a=1,2", "--zip", "b=1..=3"],
            &["--zip", "a=1,2", "--zip", "b=lin:0:1:2000"],
            &["--grid", "a=1..=1e30", "--grid", "b=1..=1e30"],
            &["--columns", "a,b", "--grid", "a=1"],
            &["--where", "i < 2"],
        ]
    ));
}

#[test]
fn tables_that_make_no_sense() {
    let dir = Dir::new();
    let files: [(&str, &[u8]); 10] = [
        ("empty.csv", b""),
        ("header.csv", b"a,b\n"),
        ("ragged.csv", b"a,b\n1,2\n\n\"x\ny\",2\n3\n"),
        ("twice.csv", b"a,b,a\n1,2,3\n"),
        ("unnamed.csv", b"\"\",b\n1,2\n"),
        ("open.csv", b"a,b\n1,2\n3,\"4\n5,6\n"),
        ("nul.csv", b"a,b\n1,2\n3,\0\n"),
        ("utf16.csv", b"\xff\xfea\0,\0b\0\n\0"),
        ("latin.csv", b"gr\xf6\xdfe\n1\n"),
        ("placeholder.csv", b"n,count\n1,2\n"),
    ];
    for (name, content) in files {
        dir.write(name, content);
    }
    dir.write("blank.dat", "1 2\n3\n");
    let mut all: Vec<Vec<&str>> = files.iter().map(|(name, _)| vec!["--table", *name]).collect();
    all.push(vec!["--table", "missing.csv"]);
    all.push(vec!["--table", "."]);
    all.push(vec!["--table", "blank.dat", "--columns", "a,b"]);
    all.push(vec!["--table", "blank.dat", "--columns", "a,,b"]);
    all.push(vec!["--table", "blank.dat", "--columns", "a,a"]);
    all.push(vec!["--lines", "empty.csv"]);
    let all: Vec<&[&str]> = all.iter().map(Vec::as_slice).collect();
    insta::assert_snapshot!(refusals(&dir, &all));
}

#[test]
fn files_that_are_not_there() {
    let dir = Dir::new();
    dir.write("d/a.dat", "a");
    insta::assert_snapshot!(refusals(
        &dir,
        &[
            &["--files", "*.dat"],
            &["--files", "d/*.dat", "e/*"],
            &["--files", "d"],
            &["--files", "[a"],
            &["--files", "d/"]
        ]
    ));
}

#[test]
fn conditions_that_make_no_sense() {
    let dir = Dir::new();
    dir.write("t.csv", "my name,x\na,1\nb,\n");
    let refused = |more: &[&str]| {
        let done = dir.split("plan --chunks 1").args(more).args(["--", "echo", "x"]);
        done.refuses(2).transcript()
    };
    let all = [
        refused(&["--grid", "i=1,2", "--where", "i <"]),
        refused(&["--grid", "i=1,2", "--where", "i = 2"]),
        refused(&["--grid", "i=1,2", "--where", "i < k"]),
        refused(&["--grid", "i=1,2", "--where", "i"]),
        refused(&["--grid", "i=1,2", "--where", "i > 5"]),
        refused(&["--grid", "i=1,x", "--where", "i > 5"]),
        refused(&["--table", "t.csv", "--where", "name == 'a'"]),
        refused(&["--table", "t.csv", "--where", "`my name` == 'a' || x < 5"]),
        refused(&["--grid", "i=1..=1e6", "--grid", "j=1..=1e6", "--where", "i > 1000000"]),
        refused(&["--grid", "i=1..=1e6", "--grid", "j=0..=1e6", "--where", "i / (j - j) > 1"]),
    ];
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn values_that_no_program_can_be_given() {
    let dir = Dir::new();
    // MAX_ARG_STRLEN is 128 KiB with the NUL at the end.
    let most = 128 * 1024 - 1;
    dir.write("fits.csv", format!("n,text\n1,{}\n", "x".repeat(most)));
    dir.write("long.csv", format!("n,text\n1,short\n\n2,{}\n3,x\n", "x".repeat(most + 1)));
    dir.write("lines.txt", format!("a\n{}\n", "x".repeat(most + 1)));
    let rows: Vec<_> = (0..20).map(|_| "x".repeat(120_000)).collect();
    let names: Vec<_> = (0..20).map(|column| format!("c{column}")).collect();
    dir.write("wide.csv", format!("{}\n{}\n", names.join(","), rows.join(",")));
    let all: Vec<_> = names.iter().map(|name| format!("{{{name}}}")).collect();
    let plan = |words: &[&str], command: &[&str]| {
        dir.split("plan --dry-run --chunks 1").args(words).args(["--", "echo"]).args(command).run()
    };
    let passes = |words: &[&str], command: &[&str]| {
        let done = plan(words, command);
        assert_eq!(done.code, Some(0), "{}", done.transcript());
    };
    passes(&["--table", "fits.csv"], &["{text}"]);
    passes(&["--table", "long.csv"], &["{n}"]);
    passes(&["--table", "long.csv", "--where", "n != 2"], &["{text}"]);
    passes(&["--table", "wide.csv"], &["{c0}", "{c1}"]);
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    let refused = [
        plan(&["--table", "fits.csv"], &["--text={text}"]),
        plan(&["--table", "long.csv"], &["{text}"]),
        plan(&["--grid", "i=1..=1e6", "--table", "long.csv"], &["{text}"]),
        plan(&["--lines", "lines.txt"], &["{line}"]),
        plan(&["--grid", "x=a,@lines.txt"], &["{x}"]),
        plan(&["--table", "wide.csv"], &all),
    ];
    let texts: Vec<_> = refused.iter().map(crate::kit::Ended::transcript).collect();
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn a_chunk_shows_its_items_values() {
    let dir = Dir::new();
    dir.split("plan --grid a=1..=15 --grid b=x,y --chunks 2 -- echo {a}{b}").ok();
    let shown = dir.split("show 1").ok().text();
    assert!(shown.contains("  item 15 (a=8, b=y)\n  item 16 (a=9, b=x)\n"), "{shown}");
    assert!(shown.contains("  ... and 5 more\n"), "{shown}");
}

#[test]
fn a_variable_that_each_item_sets_is_not_set_for_all() {
    let dir = Dir::new();
    dir.split("plan --grid a=1,2 --chunks 2 --env SPLIT_A=3 -- echo {a}")
        .refuses(2)
        .says("--env: SPLIT_A is set for each item");
}
