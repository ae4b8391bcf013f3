//! Programs that run once for each item, or are handed their items: values, seeds, files.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;

use rustix::process::Signal;

use crate::job::{bare, sandbox};
use crate::kit::{Dir, SUM, Split, until};

/// Four items: alpha and beta, of which beta varies fastest.
const GRID: &str = "--grid alpha=0.1,x --grid beta=1,2";

/// `split run` over [`GRID`], with results one after another.
fn over_grid<'a>(dir: &'a Dir, options: &str) -> Split<'a> {
    dir.split("run --force --reduce concat").args(GRID.split(' ')).args(options.split_whitespace())
}

fn records(dir: &Dir, chunk: u64) -> Vec<String> {
    let text = fs::read(dir.partial(chunk)).expect("there");
    let text = String::from_utf8_lossy(&text).into_owned();
    let lines = text.lines().filter(|line| line.starts_with("{\"format\""));
    let field = |line: &str, name: &str| {
        let rest = line.split_once(&format!("\"{name}\":")).map_or("", |(_, rest)| rest);
        rest.split([',', '}']).next().unwrap_or_default().trim_matches(['"', '{']).to_owned()
    };
    lines.map(|line| format!("{}..={} {}", field(line, "first"), field(line, "last"), field(line, "kind"))).collect()
}

#[test]
fn a_program_that_names_a_value_runs_once_for_each_item() {
    let dir = Dir::new();
    let words = ["--", "echo", "{alpha}/{beta:03}", "{item}", "{first}{last}{count}", "{chunk}"];
    let ended = over_grid(&dir, "--chunks 2").args(words).ok();
    assert_eq!(ended.text(), "0.1/001 0 001 0\n0.1/002 1 111 0\nx/001 2 221 1\nx/002 3 331 1\n");
    ended.says("filled in for each item").says("the program runs once for each item");
    assert_eq!((records(&dir, 0), records(&dir, 1)), (vec!["0..=1 each".to_owned()], vec!["2..=3 each".to_owned()]));
    let range = |words: &[&str]| dir.split("run --force --total -1..=1 --chunks 1 --reduce concat --").args(words).ok();
    assert_eq!(range(&["echo", "{item:03}"]).text(), "-01\n000\n001\n");
    assert_eq!(range(&["sh", "-c", "echo $SPLIT_ITEM $SPLIT_FIRST"]).text(), "-1 -1\n0 0\n1 1\n");
    assert_eq!(range(&["echo", "{first}", "{last}"]).text(), "-1 1\n");
}

#[test]
fn values_are_in_the_environment_unless_two_would_share_a_variable() {
    let dir = Dir::new();
    let script = "echo \"$SPLIT_ALPHA $SPLIT_LEARNING_RATE [$SPLIT_N] $SPLIT_ITEM\"";
    let run = dir.split("run --reduce concat --chunks 1 --grid alpha=1,2 --grid learning-rate=3 --grid n=4 --grid N=5");
    run.args(["--", "sh", "-c", script]).answers("1 3 [] 0\n2 3 [] 1\n").is_silent_on("never names");
    let note =
        "note: the command never names a value of its item ({alpha} {beta}); fine if it reads SPLIT_ALPHA, SPLIT_BETA";
    over_grid(&dir, "--chunks 1 -- true").ok().says(note);
}

#[test]
fn without_a_program_an_item_yields_its_row() {
    let dir = Dir::new();
    over_grid(&dir, "--chunks 3").answers(
        "{\"alpha\":0.1,\"beta\":1}\n{\"alpha\":0.1,\"beta\":2}\n{\"alpha\":\"x\",\"beta\":1}\n{\"alpha\":\"x\",\"beta\":2}\n",
    );
    dir.split("run --force --grid n=1,2,39 --chunks 2 --reduce sum").answers("42\n");
    let nasty = OsString::from_vec(b"n=a\"b,\xff,".to_vec());
    let ended = dir.split("run --force --chunks 1 --reduce concat --grid").arg(nasty).ok();
    assert_eq!(ended.out, b"a\"b\n\xff\n\n");
}

#[test]
fn an_item_that_fails_costs_no_other() {
    let dir = Dir::new();
    let script = format!(
        "echo $1 >> '{}/log'; [ ! -e '{0}/bad' ] || [ $1 -lt 4 ] || [ $1 -gt 5 ] || exit $1; echo $1",
        dir.shown()
    );
    dir.write("bad", "");
    let run = dir.split("run --total 1..=10 --chunks 2 --jobs 1 --retries 1 -- sh -c");
    let ended = run.arg(script).args(["sh", "{item}"]).exits(30);
    ended
        .says("error: 1 chunk failed\n")
        .says("chunk 0, items 4..=5: the program ended with exit code 4, the last of 2 times");
    assert_eq!(dir.log(), [1, 2, 3, 4, 4, 5, 5, 6, 7, 8, 9, 10], "a retry runs only what failed");
    let first = dir.partials_of(0).remove(0);
    fs::rename(&first, dir.path("first")).expect("moved");
    for other in dir.partials_of(0) {
        fs::remove_file(other).expect("removed");
    }
    fs::rename(dir.path("first"), first).expect("moved");
    assert_eq!(records(&dir, 0), ["0..=2 each", "3..=3 failure", "4..=4 failure"]);
    dir.split("show 0").ok().says("exit code 4").says("exit code 5");
    dir.split("reduce . --partial").answers("46\n").says("8 of 10 items");
    fs::remove_file(dir.path("bad")).expect("removed");
    fs::remove_file(dir.path("log")).expect("removed");
    dir.split("run .").answers("55\n");
    assert_eq!(dir.log(), [4, 5]);
}

#[test]
fn where_the_first_three_fail_the_others_are_not_run() {
    let dir = Dir::new();
    let script = format!("echo $1 >> '{}/log'; echo why >&2; exit 3", dir.shown());
    let run = dir.split("run --total 1..=100 --chunks 1 --retries 0 -- sh -c");
    run.arg(&script)
        .args(["sh", "{item}"])
        .exits(30)
        .says("chunk 0, items 1..=100: the program ended with exit code 3")
        .says("| why");
    assert_eq!(dir.log(), [1, 2, 3]);
    assert_eq!(records(&dir, 0), ["0..=0 failure", "1..=1 failure", "2..=2 failure", "3..=99 failure"]);
    dir.split("show 0").ok().says("items 4..=100").says("| not run: the items before them all failed");
    fs::remove_file(dir.path("log")).expect("removed");
    let script = format!("echo $1 >> '{}/log'; [ $1 = 3 ] || [ $1 = 8 ]; echo $1 >&2", dir.shown())
        .replace("; echo $1 >&2", " || exit 1");
    let run = dir.split("run --force --total 1..=10 --chunks 1 --retries 0 --reduce count -- sh -c");
    run.arg(&script)
        .args(["sh", "{item}"])
        .exits(30)
        .says("items 1..=2 and 6 others: the program ended with exit code 1");
    assert_eq!(dir.log(), Vec::from_iter(1..=10), "one result, and the others are tried");
}

#[test]
fn a_job_brings_back_what_succeeded_and_says_what_did_not() {
    let dir = Dir::new();
    let script = "echo out $1; echo err $1 >&2; [ $1 != 2 ] || kill -9 $$";
    dir.split("plan --total 1..=4 --chunks 1 --reduce concat -- sh -c").arg(script).args(["sh", "{item}"]).ok();
    sandbox(&dir, "sandbox");
    let runner = dir.path("sandbox/condor_exec.exe");
    let ended = bare(&dir, &runner).args(["exec", "job.json", "0", "0", "4"]).within("sandbox").exits(71);
    ended.says("error: signal 9 ended the program (1 of 4 items have no result)");
    let mut names = dir.names("sandbox");
    let partial = names.remove(0);
    assert_eq!(names, ["condor_exec.exe", "job.json", "work"]);
    fs::copy(dir.path("sandbox").join(&partial), dir.path("outputs").join(&partial)).expect("brought back");
    assert_eq!(records(&dir, 0), ["0..=0 each", "1..=1 failure", "2..=3 each"]);
    dir.split("reduce . --partial").answers("out 1\nout 3\nout 4\n");
    dir.split("show 0").ok().says("| err 2");
}

#[test]
fn items_and_their_seeds_are_the_same_whatever_the_cut_and_the_way() {
    let dir = Dir::new();
    let words = "import csv, json, sys\n\
                 rows = list(csv.DictReader(open(sys.argv[1], newline=''))) if len(sys.argv) > 1 else \
                 [json.loads(line, parse_float=str, parse_int=str) for line in sys.stdin]\n\
                 for row in rows: print(*row.values())\n";
    dir.write("rows.py", words);
    let ways: [&[&str]; 5] = [
        &["--", "echo", "{alpha}", "{beta}", "{seed}"],
        &["--", "python3", "rows.py", "{items}"],
        &["--", "sh", "-c", "python3 rows.py \"$SPLIT_ITEMS\""],
        &["--stdin-items", "--", "python3", "rows.py"],
        &["--stdin-items", "--", "sh", "-c", "python3 rows.py; : {alpha}"],
    ];
    let mut answers = Vec::new();
    for way in ways {
        for chunks in ["1", "3", "4"] {
            answers.push(over_grid(&dir, "--seed 7 --input rows.py --chunks").arg(chunks).args(way).ok().text());
        }
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(answers[0].lines().count(), 4);
    let other = over_grid(&dir, "--chunks 1").args(ways[0]).ok().text();
    assert!(other.lines().zip(answers[0].lines()).all(|(other, own)| other != own), "another plan's seed: {other}");
}

#[test]
fn ten_chunks_or_a_thousand_print_the_same_numbers() {
    let dir = Dir::new();
    let run = |chunks: &str| {
        let run = dir.split("run --force --total 1000 --reduce concat --chunks").arg(chunks);
        run.args(["--", "echo", "{item}", "{seed}", "{seed31}"]).ok().text()
    };
    let answer = run("10");
    assert_eq!(answer, run("1000"));
    let mut seeds: Vec<_> = answer.lines().map(|line| line.split(' ').nth(1).expect("a seed")).collect();
    assert_eq!(seeds[0], "16294208416658607535", "the first output of SplitMix64 from 0");
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!(seeds.len(), 1000);
}

#[test]
fn the_items_file_is_there_only_where_it_is_named() {
    let dir = Dir::new();
    let run = |words: &[&str]| dir.split("run --force --total 3 --chunks 1 --reduce concat --").args(words).ok().text();
    assert_eq!(run(&["sh", "-c", "env | grep -c SPLIT_ITE[M]S=; true"]), "0\n");
    assert_eq!(run(&["sh", "-c", "cut -d, -f1 \"$1\" | tr '\\n' ' '", "sh", "{items}"]), "item 0 1 2 ");
    assert_eq!(
        run(&["sh", "-c", "cut -d, -f1 \"$1\" | tr '\\n' ' '; echo $2", "sh", "{items}", "{item}"]),
        "item 0 0\nitem 1 1\nitem 2 2\n"
    );
}

#[test]
fn any_value_reaches_the_program_as_it_is() {
    let dir = Dir::new();
    let script = "import os, sys\n\
                  value = os.fsencode(sys.argv[1])\n\
                  print(value.hex(), os.environb.get(b'SPLIT_V', b'none') == value)\n";
    dir.write("hex.py", script);
    let values: [&[u8]; 7] = [b"", b" ", b"$(x) `y`", b"'\"\\%\n\t", b"\xff\xfe", b"{alpha}", b"-n"];
    let grid = OsString::from_vec([b"v=", values.join(&b','.to_owned()).as_slice()].concat());
    let run = dir.split("run --chunks 2 --reduce concat --grid").arg(grid).args(["--", "python3", "hex.py", "{v}"]);
    let hex = |value: &&[u8]| value.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    run.answers(&values.iter().map(|value| format!("{} True\n", hex(value))).collect::<String>());
}

#[test]
fn what_is_too_large_for_a_variable_is_left_out_and_for_an_argument_named() {
    let dir = Dir::new();
    let value = |length: usize| format!("v={}", "x".repeat(length));
    let script = "echo ${{#1}} ${{#SPLIT_V}}";
    let run = |length: usize, times: usize| {
        let run = dir.split("run --force --chunks 1 --retries 0 --reduce concat --grid").arg(value(length));
        run.args(["--", "sh", "-c", script, "sh"]).args(vec!["{v}"; times])
    };
    run(100_000, 1).answers("100000 100000\n");
    run(110_000, 1).answers("110000 0\n");
    // On a machine that passes less than this one.
    let planned = dir.split("plan --force --chunks 1 --grid").arg(value(70_000));
    planned.args(["--", "sh", "-c", script, "sh"]).args(vec!["{v}"; 9]).ok();
    sandbox(&dir, "sandbox");
    let exec = "ulimit -s 1024 && exec ./condor_exec.exe exec job.json 0 0 1";
    dir.command("sh").args(["-c", exec]).within("sandbox").exits(73).says(
        "could not be started: sh: the arguments and variables are larger than this machine passes: arguments of 630041 bytes, \
         the longest of 70001; the items' variables are 70",
    );
}

#[test]
fn whatever_can_be_planned_can_be_started() {
    let dir = Dir::new();
    // As many and as long values as a plan takes: as variables, too, they would be more than Linux passes.
    let names: Vec<_> = (0..14).map(|column| format!("c{column}")).collect();
    let row = vec!["x".repeat(100_000); 14].join(",");
    dir.write("wide.csv", format!("{}\n{row}\n", names.join(",")));
    let script = "import os, sys\n\
                  print([len(word) for word in sys.argv[1:]] == [100000] * 14, len(os.environ['SPLIT_ITEM']), \
                  sum(len(os.environ.get(f'SPLIT_C{column}', '')) for column in range(14)))\n";
    dir.write("count.py", script);
    let words = ["--", "python3", "count.py"].map(str::to_owned).into_iter();
    let words = words.chain(names.iter().map(|name| format!("{{{name}}}")));
    dir.split("run --table wide.csv --chunks 1 --reduce concat").args(words).answers("True 1 500000\n");
}

#[test]
fn each_item_has_a_result_of_its_own() {
    let dir = Dir::new();
    // Item 1 writes nothing, item 2 leaves behind what prints later, and only item 0 writes to {result}.
    let script = "case $1 in 0) echo result > $SPLIT_RESULT; echo chatter;; 1) ;; \
                  2) echo two; setsid sh -c 'sleep 0.3; echo late; echo late >&2' & ;; *) sleep 0.6; echo three;; esac";
    let run = |reduce: &str| {
        let run = dir.split("run --force --total 4 --chunks 1 --retries 0 --reduce").arg(reduce);
        run.args(["--", "sh", "-c", script, "sh", "{item}"])
    };
    run("concat").answers("result\ntwo\nthree\n");
    run("count").answers("3\n");
    let script = "[ $0 = 2 ] || echo $0";
    dir.split("run --force --total 1..=3 --chunks 1 --retries 0 -- sh -c")
        .arg(script)
        .arg("{item}")
        .exits(30)
        .says("chunk 0, item 2: the program printed nothing, and wrote no {result}, where a result is due");
    let script = "[ $0 = 2 ] || echo $0 > $1";
    let run = dir.split("run --force --total 1..=3 --chunks 1 --retries 0 --reduce concat -- sh -c");
    run.args([script, "{item}", "{result}"]).exits(30).says("chunk 0, item 2: the program printed nothing");
}

#[test]
fn a_set_up_is_read_once_for_all_items() {
    let dir = Dir::new();
    dir.write("setup.sh", format!("echo once >> '{}/log-of-set-up'\nexport FACTOR=2\n", dir.shown()));
    let run = dir.split("run --total 1..=6 --chunks 2 --setup setup.sh -- sh -c");
    run.args(["echo $(($0 * FACTOR))", "{item}"]).answers("42\n");
    assert_eq!(dir.read("log-of-set-up"), "once\nonce\n");
}

#[test]
fn a_run_that_is_stopped_keeps_the_items_that_are_done() {
    let dir = Dir::new();
    let script = format!(
        "cd '{}'; echo $0 >> log; if [ $0 = 3 ]; then touch there; until [ -e go ] || [ ! -e log ]; do sleep 0.02; done; fi; echo $0",
        dir.shown()
    );
    let started = dir.split("run --total 1..=5 --chunks 1 -- sh -c").args([script.as_str(), "{item}"]).start();
    until("item 3 is waiting", || dir.path("there").exists());
    started.signal(Signal::INT);
    let ended = started.wait();
    assert_eq!(ended.code, Some(130), "{}", ended.transcript());
    assert_eq!(records(&dir, 0), ["0..=1 each"]);
    dir.write("go", "");
    dir.split("run .").answers("15\n").says("2 of 5 items have results already");
    assert_eq!(dir.log(), [1, 2, 3, 3, 4, 5]);
}

#[test]
fn items_that_a_condition_leaves_out_are_not_run() {
    // More points than are listed when it is planned: the runner applies the condition.
    let dir = Dir::new();
    let log = format!("echo run >> '{}/log-of-runs'", dir.shown());
    let job = |words: &[&str], items: [&str; 2]| {
        let planned = dir.split("plan --force --grid i=1..=2000000 --where i%3==0 --chunks 200000 --reduce concat --");
        let planned = planned.args(words).ok();
        let _ = fs::remove_dir_all(dir.path("sandbox"));
        let _ = fs::remove_file(dir.path("log-of-runs"));
        sandbox(&dir, "sandbox");
        let runner = dir.path("sandbox/condor_exec.exe");
        bare(&dir, &runner).args(["exec", "job.json", "0"]).args(items).within("sandbox").ok();
        let partial = dir.names("sandbox").remove(0);
        fs::copy(dir.path("sandbox").join(&partial), dir.path("outputs").join(&partial)).expect("brought back");
        let runs = fs::read_to_string(dir.path("log-of-runs")).unwrap_or_default().lines().count();
        (planned, dir.split("reduce . --partial").ok().text(), runs)
    };
    let note = "note: between {first} and {last} are items that --where leaves out";
    let script = format!("{log}; echo $0");
    let (planned, answer, runs) = job(&["sh", "-c", &script, "{i}"], ["0", "10"]);
    planned.is_silent_on(note);
    assert_eq!((&*answer, runs, records(&dir, 0)), ("3\n6\n9\n", 3, vec!["0..=9 each".to_owned()]));
    dir.split("show 0").ok().says("7 items left out by --where");
    dir.split("try chunk-0").answers("3\n6\n9\n");
    dir.split("try 0").answers("").says("left out by --where: there is nothing to compute");
    dir.split("verify").answers("1 of 1 record computed again: all the same\n");

    let script = format!("{log}; cut -d, -f1 \"$0\"");
    let (planned, answer, runs) = job(&["sh", "-c", &script, "{items}"], ["0", "10"]);
    planned.is_silent_on(note);
    assert_eq!((&*answer, runs, records(&dir, 0)), ("i\n3\n6\n9\n", 1, vec!["0..=9 whole".to_owned()]));
    let (_, answer, runs) = job(&["sh", "-c", &script, "{items}"], ["0", "2"]);
    assert_eq!((&*answer, runs, records(&dir, 0)), ("", 0, vec!["0..=1 each".to_owned()]));
    let (planned, ..) = job(&["sh", "-c", &script, "{first}", "{last}"], ["0", "2"]);
    planned.says(note);
}

#[test]
fn ends_of_a_range_are_its_values_or_refused() {
    let dir = Dir::new();
    dir.write("sum.py", SUM);
    let run = |items: &[&str], command: &str| {
        let options = ["--chunks", "5", "--reduce", "sum", "--", "python3", "sum.py"];
        dir.split("run --force").args(items).args(options).args(command.split(' '))
    };
    let range = ["--total", "1..=100"];
    let with = |condition| [&range[..], &["--where", condition]].concat();
    run(&with("item > 0"), "{first} {last}").answers("5050\n");
    run(&with("item % 2 == 0"), "{item} {item}").answers("2550\n");
    let refused = [
        run(&with("item % 2 == 0"), "{first} {last}"),
        run(&with("item % 2 == 0"), "{start:03} {stop} {step}"),
        run(&with("item % 2 == 0"), "--until={stop}"),
        run(&["--total", "1..=2000000", "--where", "item > 0"], "{first} {last}"),
        run(&["--total", "11..=14", "--grid", "a=5,6"], "{first} {last}"),
    ];
    let texts: Vec<_> = refused.into_iter().map(|run| run.exits(2).transcript()).collect();
    insta::assert_snapshot!(texts.join("\n"));
    // What an earlier one computed is where it was.
    dir.split("reduce .").answers("2550\n");
}

#[test]
fn numbers_of_rows_are_not_taken_for_values_without_a_word() {
    let dir = Dir::new();
    let run = |words: &[&str]| {
        let options = ["--grid", "a=5,6,7,8", "--chunks", "2", "--reduce", "concat", "--"];
        dir.split("run --force").args(options).args(words)
    };
    let note = |ends: &str| {
        format!(
            "note: {ends}: numbers of rows, counted from 0; values are in {{items}}, a CSV file, and of one item in {{a}}\n"
        )
    };
    run(&["echo", "{first}", "{last}"]).answers("0 1\n2 3\n").says(&note("{first} {last}"));
    run(&["sh", "-c", "echo $SPLIT_START $SPLIT_STOP"]).answers("0 2\n2 4\n").says(&note("SPLIT_START SPLIT_STOP"));
    run(&["echo", "{a}"]).ok().is_silent_on("numbers of rows");
    run(&["echo", "{count}"]).ok().is_silent_on("numbers of rows");
    dir.split("run --force --total 4 --chunks 2 -- echo {first}").ok().is_silent_on("numbers of rows");
}

/// Writes one file of the same name for each item, one of a name of its own, and, from item 1 on, changes its input.
const WRITES: &str = "mkdir -p out/deep; echo same $1 > out/same.txt; echo own $1 > out/deep/own$1.txt; \
                      [ $1 = 0 ] || echo more >> in/input.txt; ln -sf same.txt out/link.txt; echo no > other.txt; echo done $1";

#[test]
fn files_come_back_with_the_item_that_wrote_them() {
    for shared in [false, true] {
        let dir = Dir::new();
        dir.write("in/input.txt", "input\n");
        let run = dir.split("run --total 3 --chunks 1 --reduce concat --collect out/** --collect i?/*.txt --input in");
        let run = if shared { run.arg("--shared-filesystem") } else { run };
        let run = run.args(["--", "sh", "-c", WRITES, "sh", "{item}"]);
        if shared {
            // What travels may not change there.
            let script = WRITES.replace("in/input.txt", "out/log.txt");
            let run =
                dir.split("run --total 3 --chunks 1 --reduce concat --collect out/** --shared-filesystem -- sh -c");
            run.arg(script).args(["sh", "{item}"]).answers("done 0\ndone 1\ndone 2\n");
        } else {
            run.answers("done 0\ndone 1\ndone 2\n");
        }
        let shown = dir.split("show 0").ok().text();
        let files: Vec<_> = shown.lines().filter_map(|line| line.strip_prefix("    ")).collect();
        let changed = if shared {
            ["out/log.txt (5 bytes)", "out/log.txt (10 bytes)"]
        } else {
            ["in/input.txt (11 bytes)", "in/input.txt (16 bytes)"]
        };
        let mut expected = vec!["out/deep/own0.txt (6 bytes)", "out/same.txt (7 bytes)"];
        for (item, changed) in changed.into_iter().enumerate() {
            let own = ["out/deep/own1.txt (6 bytes)", "out/deep/own2.txt (6 bytes)"][item];
            let mut files = vec![changed, own, "out/same.txt (7 bytes)"];
            files.sort_unstable();
            expected.extend(files);
        }
        assert_eq!(files, expected, "{shown}");
        let partial = dir.read(dir.partial(0));
        assert!(["same 0\n", "same 1\n", "same 2\n", "own 2\n"].iter().all(|text| partial.contains(text)), "{partial}");
        assert_eq!(dir.path("out/same.txt").exists(), shared, "the user's files stay where they are");
        assert_eq!(dir.read("in/input.txt"), "input\n");
    }
}

#[test]
fn files_of_one_run_over_several_items_come_back_together() {
    let dir = Dir::new();
    let script = "for i in $(seq $0 $1); do echo $i > frame_$(printf %03d $i).png; done; echo $0 to $1";
    let run = |expect: &str| {
        let run = dir.split("run --force --total 4 --chunks 2 --reduce concat --retries 0 --expect").arg(expect);
        run.args(["--collect", "*.png", "--", "sh", "-c", script, "{first}", "{last}"])
    };
    run("frame_{item:03}.png").answers("0 to 1\n2 to 3\n");
    assert_eq!(records(&dir, 1), ["2..=3 bundle"]);
    dir.split("show 1")
        .ok()
        .says("with it 2 files (4 bytes)\n    frame_002.png (2 bytes)\n    frame_003.png (2 bytes)\n");
    run("frame_{item:04}.png")
        .exits(30)
        .says("chunk 0, items 0..=1: the program did not write a file that it has to leave: frame_0000.png");
    run("frame_{first:03}.png").answers("0 to 1\n2 to 3\n");
}

#[test]
fn a_file_that_is_missing_is_a_failure_of_its_item() {
    let dir = Dir::new();
    dir.write("frame_3.png", "from before");
    let script = "[ $0 = 1 ] || [ $0 = 3 ] || echo $0 > frame_$0.png; [ $0 != 2 ] || exit 9; echo $0";
    let options = "plan --total 5 --chunks 1 --reduce concat --input frame_3.png --collect *.png --expect frame_{item}.png -- sh -c";
    dir.split(options).args([script, "{item}"]).ok();
    sandbox(&dir, "sandbox");
    let runner = dir.path("sandbox/condor_exec.exe");
    let ended = bare(&dir, &runner).args(["exec", "job.json", "0", "0", "5"]).within("sandbox").exits(77);
    ended.says(
        "error: the program did not write a file that it has to leave: frame_1.png (3 of 5 items have no result)",
    );
    let partial = dir.names("sandbox").remove(0);
    fs::copy(dir.path("sandbox").join(&partial), dir.path("outputs").join(&partial)).expect("brought back");
    assert_eq!(records(&dir, 0), ["0..=0 each", "1..=1 failure", "2..=2 failure", "3..=3 failure", "4..=4 each"]);
    let shown = dir.split("show 0").ok();
    shown.says("has to leave: frame_3.png was there before, and is as it was").says("exit code 9");
    let files: Vec<_> = shown.text().lines().filter(|line| line.contains(" bytes)")).map(str::to_owned).collect();
    assert_eq!(files.iter().filter(|line| line.starts_with("    frame")).count(), 2, "not what item 2 left: {files:?}");
    dir.split("try 1")
        .exits(30)
        .says("item 1 failed: the program did not write a file that it has to leave: frame_1.png");
}

#[test]
fn trials_and_verification_know_items_and_files() {
    let dir = Dir::new();
    dir.write("addend", "0");
    let script = format!(
        "echo $1 > out.txt; [ $1 != 2 ] || cat '{0}/addend' >> out.txt; echo $(($1 + $(cat '{0}/addend')))",
        dir.shown()
    );
    let run = dir.split("run --total 1..=6 --chunks 2 --reduce sum --collect out.txt -- sh -c");
    run.arg(&script).args(["sh", "{item}"]).answers("21\n");
    dir.split("verify").answers("2 of 2 records computed again: all the same\n");
    let tried = dir.split("try 2").answers("2\n");
    tried
        .says("item 2, in chunk 0 of 2")
        .says("with it 1 file (3 bytes)\n    out.txt (3 bytes)")
        .says("its chunk    items 1..=3");
    dir.split("try chunk-1").answers("4\n5\n6\n").says("4, and so for each item").says("which sum takes as 15");
    dir.write("addend", "5");
    let ended = dir.split("verify").exits(27);
    ended.says("2 of 2 records computed again, 2 with another result");
    ended.says("of these, item 1 and 2 others").says("      | 1\n    now:\n      | 6\n").says("split try 1 ");
    dir.write("addend", "0\n");
    let ended = dir.split("verify").exits(27);
    ended
        .says("1 with another result")
        .says("of these, item 2\n")
        .says("out.txt (3 bytes, content ")
        .says("out.txt (4 bytes, content ");
    let script = format!("[ ! -e '{}/bad' ] || [ $1 != 2 ] || exit 1; echo $1", dir.shown());
    dir.split("run --force --total 1..=6 --chunks 2 --reduce count -- sh -c")
        .arg(&script)
        .args(["sh", "{item}"])
        .answers("6\n");
    dir.write("bad", "");
    dir.split("verify").exits(30).says("of these, item 2\n").says("now: the program ended with exit code 1");
    dir.split("try chunk-0").exits(30).says("item 2 of chunk 0 failed: the program ended with exit code 1");
}

#[test]
fn nonsense_is_refused_before_anything_is_written() {
    let dir = Dir::new();
    let ended: Vec<_> = [
        "--total 9 --seed 7",
        "--total 9 --stdin-items",
        "--total 9 --seed -1 -- true {item}",
        "--total 9 --seed 18446744073709551616 -- true {item}",
        "--total 9 --collect /tmp/* -- true {item}",
        "--total 9 --collect ../* -- true {item}",
        "--total 9 --collect out/ -- true {item}",
        "--total 9 --collect a** -- true {item}",
        "--total 9 --expect {nothing}.png -- true {item}",
        "--total 9 --expect {item:5}.png -- true {item}",
        "--total 9 --expect {result} -- true {item}",
        "--total 9 --expect ../{item} -- true {item}",
        "--total 9 -- true {items:05}",
        "--grid x=1,0.5 -- true {x:03}",
    ]
    .into_iter()
    .map(|words| dir.split("plan --chunks 1").args(words.split(' ')).refuses(2).transcript())
    .collect();
    let not_text = OsString::from_vec(b"x=\xff".to_vec());
    let refused = dir.split("plan --chunks 1 --stdin-items --grid").arg(not_text).args(["--", "true"]).refuses(2);
    insta::assert_snapshot!([ended, vec![refused.transcript()]].concat().join("\n"));
}

#[test]
fn what_depends_on_the_cut_is_noted() {
    let dir = Dir::new();
    let note = "note: one run computes many items, and {seed} is that of the first: the numbers depend on the cut";
    let plan = |words: &[&str]| dir.split("plan --force --total 9 --chunks 2 --").args(words).ok();
    plan(&["true", "{first}", "{last}", "{seed}"]).says(note).says("{items} has a column with a seed for each");
    plan(&["true", "{items}"]).is_silent_on("note: one run");
    plan(&["true", "{seed}"]).is_silent_on("note: one run").is_silent_on("never names").says("runs once for each item");
    plan(&["true"]).says("note: the command never names its items");
}

#[test]
fn what_a_plan_yields_is_part_of_it() {
    let dir = Dir::new();
    let plan = |options: &str| {
        dir.split("plan --total 9 --chunks 2").args(options.split_whitespace()).args(["--", "true", "{item}"])
    };
    plan("--seed 7").ok();
    plan("--seed 7").ok().says("nothing was changed");
    plan("").refuses(3).says("--seed: was 7, now 0");
    plan("--seed 7 --collect *.png --expect x{item} --stdin-items").refuses(3).says("--collect: was none, now '*.png'");
    plan("--seed 7 --collect *.png --expect x{item:03} --stdin-items --force")
        .ok()
        .says("its item on its standard input");
    let changed = dir.read("plan.json").replace("x{item:03}", "x{other}");
    dir.write("plan.json", changed);
    dir.split("show 0").refuses(5).says("stands for nothing");
}
