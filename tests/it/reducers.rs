//! The reducers, through `split`: what they make of what programs print, and how they refuse the rest.

use serde_json::{Value, json};

use crate::kit::Dir;

/// What `reducer` makes of five results, of one item each: what is printed.
fn reduced(reducer: &str, texts: [&str; 5]) -> String {
    let dir = Dir::with_results(reducer, texts);
    dir.split("run .").ok().text()
}

/// The answer in result.json.
fn answer(dir: &Dir) -> Value {
    let document: Value = serde_json::from_str(&dir.read("result.json")).expect("JSON");
    document["answer"].clone()
}

/// A folder with results of five items in one chunk: `text` is all that the program prints.
fn one_chunk(reducer: &str, text: &str) -> Dir {
    let dir = Dir::new();
    dir.write("text", text);
    dir.split("plan --total 5 --chunks 1 --input text").args(["--reduce", reducer, "--", "cat", "text"]).ok();
    dir
}

#[test]
fn answers_as_people_read_them() {
    let numbers = ["3", "-4.5", "5", "10", "3"];
    let mut shown = String::new();
    for reducer in [
        "mean",
        "stats",
        "quantiles",
        "quantiles:0.5,0.9",
        "argmin",
        "argmax",
        "top:2",
        "any",
        "all",
        "union",
        "histogram:-10,0,4,5",
        "histogram:0..4:2",
    ] {
        shown += &format!("--- {reducer}\n{}", reduced(reducer, numbers));
    }
    shown += &format!("--- histogram\n{}", reduced("histogram", ["3", "-4\n3", "{\"10\": 5}", "7 2\n", "3"]));
    shown +=
        &format!("--- sum\n{}", reduced("sum", ["[1,2.5]", "[1,2]", "[\n  1,\n  2\n]\n", "[0,0]\n[0,0]", "[-1,-2]"]));
    let objects = [
        r#"{"hits":1,"energy":0.5,"name":"b"}"#,
        "hits=2\nenergy=1\nname=a\n",
        "{\"hits\":3,\n\"energy\":-1,\"name\":[\"c\",\"a\"]}",
        "{\"hits\":4,\"energy\":2,\"name\":\"b\"}\n{\"hits\":4,\"energy\":2,\"name\":\"b\"}",
        "hits=5\nenergy=3\nname=7",
    ];
    shown += &format!("--- fields\n{}", reduced("hits=sum,energy=stats,name=union", objects));
    insta::assert_snapshot!(shown);
}

#[test]
fn answers_as_programs_read_them() {
    let check = |reducer: &str, texts, expected: Value| {
        let dir = Dir::with_results(reducer, texts);
        dir.split("run .").ok();
        assert_eq!(answer(&dir), expected, "{reducer}");
    };
    check("argmin", ["3", "-4.5", "5", "10", "-4.5"], json!({"value": -4.5, "item": 1}));
    check("top:2", ["3", "-4.5", "inf", "10", "3"], json!([{"value": "inf", "item": 2}, {"value": 10, "item": 3}]));
    check("mean", ["1", "2", "nan", "4", "5"], json!("nan"));
    check("any", ["0", "false", "0.0", "False", "1"], json!(true));
    check("sum", ["[[1],[2]]"; 5], json!([[5], [10]]));
    check(
        "histogram:0,1",
        ["0.5"; 5],
        json!([
            {"from": "-inf", "to": 0, "count": 0}, {"from": 0, "to": 1, "count": 5}, {"from": 1, "to": "inf", "count": 0},
        ]),
    );
    check("a=max,b=mean", ["a=1\nb=2"; 5], json!({"a": 1, "b": 2.0}));
    check("union", ["b", "a", "\n", "a", "10"], json!([10, "a", "b"]));
}

#[test]
fn an_item_is_named_as_people_call_it() {
    let dir = Dir::new();
    let square = "import sys\nprint((int(sys.argv[1]) - 12) ** 2)\n";
    dir.write("square.py", square);
    dir.split("run --total 0..=20:4 --chunk-size 1 --reduce argmin -- python3 square.py {first}")
        .answers("value\t0\nitem\t12\n");
}

#[test]
fn a_chunk_may_print_a_line_for_each_item() {
    let check = |reducer: &str, text: &str, expected: &str| {
        one_chunk(reducer, text).split("run .").answers(expected);
    };
    check("mean", "1\n2\n\n3\n4\n10\n", "4.0\n");
    check("argmax", "1\n20\n3\n4\n20\n", "value\t20\nitem\t1\n");
    check("mean", r#"{"n": 5, "mean": 0.1, "var": 1}"#, "0.1\n");
    check("mean", "n=5\nmean=0.1\n", "0.1\n");
    check("histogram", "3 2\n5 3\n", "key\tcount\n3\t2\n5\t3\n");
    check("histogram", "3\n5\n3\n5\n5\n", "key\tcount\n3\t2\n5\t3\n");
    check("sum", "1\n2\n", "3\n");
    check(
        "x=argmin,y=sum",
        "{\"x\":3,\"y\":1}\n{\"x\":2,\"y\":1}\n{\"x\":3,\"y\":1}\n{\"x\":3,\"y\":1}\n{\"x\":3,\"y\":1}",
        "x.value\t2\nx.item\t1\ny\t5\n",
    );
    check("x=sum", "x=7\n", "x\t7\n");
}

#[test]
fn the_cut_does_not_show() {
    let dir = Dir::new();
    dir.write(
        "wave.py",
        "import math, sys\nfor x in range(int(sys.argv[1]), int(sys.argv[2])): print(math.sin(x) * 1e3)\n",
    );
    for reducer in ["mean", "stats", "quantiles", "argmax", "top:5", "histogram:-1000..1000:250"] {
        let answers: Vec<String> = ["1", "7", "100"]
            .iter()
            .map(|chunks| {
                let run = dir.split(&format!("run --force --total 100 --chunks {chunks} --reduce {reducer}"));
                run.args(["--", "python3", "wave.py", "{start}", "{stop}"]).ok().text()
            })
            .collect();
        assert!(answers[0].len() > 3 && answers.iter().all(|answer| *answer == answers[0]), "{reducer}: {answers:?}");
    }
}

#[test]
fn statistics_are_those_of_python() {
    let dir = Dir::new();
    dir.write("values.txt", "0.1\n2.5\n-3\n7e3\n1e-5\n");
    dir.split("run --total 5 --chunks 1 --input values.txt --reduce stats -- cat values.txt").ok();
    let script = "import statistics as s\nx = [float(line) for line in open('values.txt')]\nprint(s.mean(x), s.variance(x), s.stdev(x))";
    let expected = dir.command("python3").args(["-c", script]).ok().text();
    let answer = answer(&dir);
    let found = ["mean", "variance", "stddev"].map(|name| answer[name].as_f64().expect("a number"));
    let expected: Vec<f64> = expected.split_whitespace().map(|word| word.parse().expect("a number")).collect();
    assert_eq!(found.to_vec(), expected);
}

#[test]
fn large_results_are_merged_in_pieces() {
    let dir = Dir::new();
    // Longer than what is read at once, and one array that is not on one line.
    let program = "import sys\nn = int(sys.argv[1])\n\
                   for x in range(n): print(x % 1000)\n\
                   if len(sys.argv) > 2: print('[1,\\n2]')\n";
    dir.write("many.py", program);
    let run = |reducer: &str, items: u32, lines: &str| {
        let run = dir.split(&format!("run --force --total {items} --chunks 1 --reduce {reducer} --"));
        run.args(["python3", "many.py"]).args(lines.split(' ')).run()
    };
    assert_eq!(run("sum", 1, "300000").text(), "149850000\n");
    assert_eq!(run("mean", 300_000, "300000").text(), "499.5\n");
    assert_eq!(run("argmax", 300_000, "300000").text(), "value\t999\nitem\t999\n");
    assert_eq!(run("top:1", 300_000, "299999").code, Some(24));
    run("mean", 300_000, "299999").says("it holds 299999 results for 300000 items");
    assert_eq!(run("count", 300_000, "299999").text(), "299999\n");
    assert_eq!(run("mean", 1, "299000").text(), "499.5\n");
    run("sum", 1, "300000 array").says("line 300001 holds an array of 2 numbers, and the first result is a number");
    assert_eq!(run("union", 1, "300000").text().lines().count(), 1000);
}

#[test]
fn an_answer_of_many_lines_is_a_file() {
    let dir = Dir::new();
    let run = dir.split("run --total 20000 --chunks 2 --reduce union -- seq").args(["{start}", "{last}"]);
    let expected: String = (0..20_000).map(|number| format!("{number}\n")).collect();
    run.answers(&expected);
    assert_eq!(dir.read("result.data"), expected);
    assert_eq!(answer(&dir), Value::Null);
}

#[test]
fn results_that_do_not_fit_are_refused() {
    let mut shown = String::new();
    let mut refused = |reducer: &str, texts: [&str; 5]| {
        let dir = Dir::recorded(reducer, texts);
        shown += &dir.split("reduce .").exits(24).transcript();
    };
    refused("mean", ["1", "2", "x", "4", "5"]);
    refused("sum", ["[1,2]", "[1,2]", "[1,2]", "[1,2,3]", "5"]);
    refused("min", ["1", "2\n[3]", "3", "4", "5"]);
    refused("histogram", ["1", "2.5", "3", "4", "5"]);
    refused("histogram:0,1", ["1", "a b c", "3", "4", "5"]);
    refused("any", ["true", "yes", "3", "4", "5"]);
    refused("hits=sum,energy=mean", ["hits=1\nenergy=1", "hits=1", "3", "4", "5"]);
    refused("hits=sum,energy=mean", ["hits=1\nenergy=1", "hits=1\nenergy=high", "3", "4", "5"]);
    refused("hits=sum", ["hits=1", "3", "3", "4", "5"]);
    refused("stats", ["{\"n\":2,\"mean\":1,\"var\":-1}", "2", "3", "4", "5"]);
    insta::assert_snapshot!(shown);
}

#[test]
fn there_is_no_mean_of_means() {
    let mut shown = String::new();
    for (reducer, text) in [
        ("mean", "0.5\n"),
        ("stats", "1\n2\n"),
        ("quantiles", "1\n2\n3\n4\n5\n6\n"),
        ("histogram", "1\n"),
        ("argmin", "1\n"),
        ("top:3", "1\n"),
        ("x=mean,y=sum", "x=1\ny=2\n"),
    ] {
        let dir = one_chunk(reducer, text);
        dir.split("run .").exits(24);
        shown += &dir.split("reduce .").exits(24).transcript();
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn reducers_that_make_no_sense_are_refused_before_anything_is_written() {
    let dir = Dir::new();
    let mut shown = String::new();
    for reducer in [
        "median",
        "sum:2",
        "top",
        "top:0",
        "fields",
        "histogram:3,1",
        "quantiles:50",
        "x=",
        "x=sum,x=min",
        "x=concat",
        "x=y=sum",
    ] {
        shown += &dir.split("plan --total 5 --chunks 5 --reduce").arg(reducer).refuses(2).transcript();
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn a_plan_keeps_its_reducer() {
    for reducer in ["histogram:0..1:0.1", "quantiles:0.5", "top:7", "a=sum,b=histogram:0,1,c=min"] {
        let dir = Dir::with_results(reducer, ["1"; 5]);
        let plan: Value = serde_json::from_str(&dir.read("plan.json")).expect("JSON");
        assert_eq!(plan["reduce"], reducer);
    }
}

#[test]
fn try_shows_what_a_reducer_takes() {
    let dir = Dir::with_results("mean", ["1.5"; 5]);
    dir.split("try").ok().says("its result, which mean takes as 1.5:");
    let dir = Dir::with_results("stats", ["1.5"; 5]);
    dir.split("try").ok().says("its result, which stats takes:");
    let dir = Dir::with_results("a=sum", ["b=1"; 5]);
    dir.split("try").exits(24).says("line 1 has no field `a`");
}
