//! `split reduce`.

use std::fs;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use crate::kit::Dir;

impl Dir {
    fn result(&self) -> Value {
        serde_json::from_str(&self.read("result.json")).expect("JSON")
    }
}

/// What `reducer` makes of five results.
fn reduced(reducer: &str, texts: [&str; 5]) -> String {
    let dir = Dir::with_results(reducer, texts);
    dir.split("run .").ok().text()
}

#[test]
fn every_reducer() {
    let integers = ["3\n", "-4\n", "5\n", "10\n", "2\n"];
    assert_eq!(reduced("sum", integers), "16\n");
    assert_eq!(reduced("product", integers), "-1200\n");
    assert_eq!(reduced("min", integers), "-4\n");
    assert_eq!(reduced("max", integers), "10\n");
    assert_eq!(reduced("count", integers), "5\n");
    assert_eq!(reduced("concat", integers), "3\n-4\n5\n10\n2\n");
}

#[test]
fn numbers_as_programs_print_them() {
    let texts = ["1\n2\n\n3", " 4 \r\n", "\t5\n\n\n", "6", "-0\n+7\n"];
    assert_eq!(reduced("sum", texts), "28\n");
    assert_eq!(reduced("count", texts), "8\n");
    assert_eq!(reduced("concat", texts), texts.concat());
    assert_eq!(reduced("sum", ["1", "2", "3", "4", "5.0"]), "15.0\n");
    assert_eq!(reduced("max", ["1", "2e3", "3", "4", "5"]), "2000.0\n");
    assert_eq!(reduced("sum", ["inf", "1", "1", "1", "1"]), "inf\n");
    assert_eq!(reduced("sum", ["inf", "-inf", "1", "1", "1"]), "nan\n");
    assert_eq!(reduced("sum", ["1e308", "1e308", "-1e308", "-1e308", "1"]), "1.0\n");
}

#[test]
fn integers_are_exact_at_any_size() {
    let big = "9".repeat(400);
    let negative = format!("-{big}");
    assert_eq!(reduced("sum", [&big, "1", &negative, "170141183460469231731687303715884105728", "1"]), {
        "170141183460469231731687303715884105730\n"
    });
    assert_eq!(reduced("max", ["9007199254740993", "9007199254740992", "1", "1", "1"]), "9007199254740993\n");
    assert_eq!(reduced("product", [&big, "0", &big, "1", "1"]), "0\n");
}

#[test]
fn decimals_add_up_as_in_fsum_however_they_are_cut() {
    let program = "import random, sys\n\
                   def values():\n    \
                       random.seed(7)\n    \
                       for _ in range(300):\n        \
                           x = random.uniform(-1, 1) * 10.0 ** random.randint(-300, 300)\n        \
                           yield x\n        \
                           if random.random() < 0.9: yield -x * (1 + random.choice([0, 0, 1e-16, 1e-9]))\n\
                   if __name__ == '__main__':\n    \
                       for x in list(values())[int(sys.argv[1]):int(sys.argv[2])]: print(x)\n";
    let dir = Dir::new();
    dir.write("values.py", program);
    let fsum = "import math, values\nprint(math.fsum(list(values.values())[:500]))";
    let expected = dir.command("python3").args(["-c", fsum]).ok().text();
    for chunks in [1, 7, 30] {
        dir.split(&format!("run --force --total 500 --chunks {chunks} -- python3 values.py {{start}} {{stop}}"))
            .answers(&expected);
    }
}

#[test]
fn a_concatenation_is_in_item_order() {
    let dir = Dir::new();
    let script = "sleep 0.0$((5 - $0)); printf '%s;' $0";
    let run = dir.split("run --total 6 --chunks 6 --jobs 6 --reduce concat -- sh -c").arg(script).arg("{first}");
    run.answers("0;1;2;3;4;5;");
}

#[test]
fn a_concatenation_may_hold_anything() {
    let dir = Dir::new();
    let script = "import sys\nsys.stdout.buffer.write(bytes(range(256)) * 300)\n";
    dir.write("bytes.py", script);
    let expected: Vec<u8> = (0..=255).cycle().take(2 * 256 * 300).collect();
    assert_eq!(dir.split("run --total 2 --chunks 2 --reduce concat -- python3 bytes.py").ok().out, expected);
    assert_eq!(fs::read(dir.path("result.data")).expect("there"), expected);
    assert_eq!(dir.result()["answer_file"]["name"], "result.data");
    assert_eq!(dir.result()["answer_file"]["bytes"], expected.len());
}

#[test]
fn nothing_at_all_is_a_result_where_any_text_will_do() {
    assert_eq!(reduced("concat", ["", "", "", "", ""]), "");
    assert_eq!(reduced("count", ["", "\n", "", "", ""]), "0\n");
}

/// Plans five results, to be merged by `command`.
fn merged_by(command: &str) -> Dir {
    let dir = Dir::new();
    let plan = dir.split("plan --total 5 --chunks 5 --reduce-with").args([command, "--", "echo", "<{first}>"]);
    plan.ok();
    dir
}

#[test]
fn a_merge_command_for_pairs_keeps_the_order() {
    let dir = merged_by("sh -c 'cat \"$0\" \"$1\" | tr -d \"\\n\"; echo' {left} {right}");
    dir.split("run .").answers("<0><1><2><3><4>\n");
    dir.split("reduce outputs").answers("<0><1><2><3><4>\n");
    assert_eq!(dir.result()["answer"], "<0><1><2><3><4>\n");
    assert!(!dir.names("").iter().any(|name| name.starts_with('.')), "{:?}", dir.names(""));
}

#[test]
fn a_merge_command_for_parts_keeps_the_order() {
    let dir = merged_by("sh -c 'xargs cat < \"$0\"' {parts}");
    dir.split("run .").answers("<0>\n<1>\n<2>\n<3>\n<4>\n");
}

#[test]
fn a_merge_command_finds_the_users_files() {
    let dir = Dir::new();
    dir.write("merge.py", "import sys\nprint(max(float(open(name).read()) for name in sys.argv[1:]))\n");
    let words = ["python3 merge.py {left} {right}", "--", "echo", "{first}"];
    dir.split("run --dir plan --total 9 --chunks 9 --reduce-with").args(words).answers("8.0\n");
}

#[test]
fn a_single_result_is_merged_with_nothing() {
    let dir = Dir::new();
    let pairs = ["cat {left} {right}", "--", "echo", "{first}"];
    dir.split("run --total 1 --chunks 1 --reduce-with").args(pairs).answers("0\n");
}

#[test]
fn merge_commands_that_fail() {
    let mut transcripts = Vec::new();
    for command in [
        "sh -c 'echo cannot merge >&2; exit 7' {left} {right}",
        "sh -c 'kill -15 $$' {parts}",
        "no-such-merge {left} {right}",
        "./merge.py {parts}",
    ] {
        let dir = merged_by(command);
        let failed = dir.split("run .").exits(25);
        transcripts.push(failed.transcript());
        assert!(!dir.path("result.json").exists());
        assert!(!dir.names("").iter().any(|name| name.starts_with('.')), "{:?}", dir.names(""));
    }
    insta::assert_snapshot!(transcripts.join("\n"));
}

#[test]
fn a_merge_command_names_its_program() {
    let dir = Dir::new();
    for command in ["{parts}", "{left} {right}"] {
        dir.split("plan --total 5 --chunks 5 --reduce-with").arg(command).refuses(2);
    }
}

#[test]
fn an_answer_from_a_merge_command_stays_when_it_fails_later() {
    let dir = merged_by("sh -c 'cat $0; cat \"$OK\"' {parts}");
    dir.write("ok", "fine\n");
    dir.split("run .").env("OK", dir.path("ok")).ok();
    let before = dir.read("result.json");
    dir.split("reduce .").env("OK", "/no/such/file").exits(25).says("/no/such/file");
    assert_eq!(dir.read("result.json"), before);
}

#[test]
fn items_without_a_record() {
    let dir = Dir::computed();
    dir.split("plan --total 1..=10 --chunks 5 --keep").ok();
    for chunk in [1, 2, 4] {
        fs::remove_file(dir.partial(chunk)).expect("removed");
    }
    insta::assert_snapshot!(dir.split("reduce outputs").exits(20).transcript());
    dir.split("run .").answers("55\n");
}

#[test]
fn a_long_list_of_missing_items_is_cut() {
    let dir = Dir::new();
    dir.split("plan --total 1..=1000 --chunks 500").ok();
    let failed = dir.split("reduce outputs").exits(20);
    failed.says("1000 of 1000 items have no result").says("chunk 0, items 1..=2: no record").says("... and 480 more");
    assert!(failed.err.lines().count() < 30);
}

#[test]
fn damaged_and_foreign_partials() {
    let other = Dir::new();
    other.split("run --total 1..=12 --chunks 6").ok();
    let whole = |dir: &Dir| fs::read(dir.partial(2)).expect("read");
    let mut transcripts = Vec::new();
    for (code, change) in [
        (21, &(|bytes: Vec<u8>| bytes[..bytes.len() - 3].to_vec()) as &dyn Fn(Vec<u8>) -> Vec<u8>),
        (21, &|_| Vec::new()),
        (22, &|mut bytes| {
            let at = bytes.len() - 3;
            bytes[at] ^= 1;
            bytes
        }),
        (22, &|_| b"Permission denied\n".to_vec()),
        (22, &|bytes| vec![0; bytes.len()]),
        (22, &|bytes| String::from_utf8(bytes).expect("text").replace("\"format\":1", "\"format\":2").into_bytes()),
        (23, &|_| whole(&other)),
    ] {
        let dir = Dir::computed();
        let bytes = whole(&dir);
        fs::write(dir.partial(2), change(bytes)).expect("written");
        let failed = dir.split("reduce outputs").exits(code);
        failed.says("chunk 2, items 5..=6: ");
        transcripts.push(failed.transcript());
        dir.split("reduce --partial outputs").answers("44\n").says("missing: chunk 2, items 5..=6");
        dir.split("run .").answers("55\n");
        dir.split("reduce outputs").answers("55\n");
    }
    insta::assert_snapshot!(transcripts.join("\n"));
}

#[test]
fn damage_is_named_after_another_cut_too() {
    let dir = Dir::computed();
    let damaged = dir.partial(4);
    fs::write(&damaged, "damaged").expect("written");
    dir.split("plan --keep --total 1..=10 --chunks 3").ok();
    let name = damaged.file_name().expect("a name").to_string_lossy().into_owned();
    dir.split("reduce outputs").exits(22).says("items 9..=10").says(&name);
}

#[test]
fn text_where_a_number_is_due() {
    let mut transcripts = Vec::new();
    for text in ["oops\n", "1\n2\n\nx = 5\n", "5050 kg", "1,5\n", "\u{1b}[31mred\n", "0x1F\n", &"z".repeat(5000)] {
        let dir = Dir::recorded("sum", ["1", "2", "3", text, "5"]);
        transcripts.push(dir.split("run .").exits(24).transcript());
    }
    insta::assert_snapshot!(transcripts.join("\n"));
}

#[test]
fn where_the_reducer_alone_is_wrong_nothing_is_computed_again() {
    let object = r#"{"hits": 3, "name": "a"}"#;
    let mut transcripts = Vec::new();
    for (reducer, text) in
        [("mean", object), ("sum", object), ("hits=sum,typo=mean", object), ("hits=sum,name=mean", object)]
    {
        let dir = Dir::new();
        let run = |words: &str, reducer: &str| {
            let script = "echo run >> \"$LOG\"; echo \"$TEXT\"";
            let run =
                dir.split(words).args(["--total", "3", "--chunks", "3", "--reduce", reducer, "--", "sh", "-c", script]);
            run.env("TEXT", text).env("LOG", dir.path("log"))
        };
        transcripts.push(run("run", reducer).exits(24).transcript());
        run("run --keep", "count").ok();
        assert_eq!(dir.read("log"), "run\n".repeat(3));
    }
    insta::assert_snapshot!(transcripts.join("\n"));
}

#[test]
fn text_where_a_number_is_due_is_a_failure_like_any_other() {
    let dir = Dir::new();
    dir.write("go.py", "import sys\nprint('not yet' if sys.argv[1] == '3' else sys.argv[1])\n");
    let failed = dir.split("run --total 10 --chunks 10 --retries 1 -- python3 go.py {first}").exits(30);
    failed.says("the program's result is not what the reducer takes, in line 1: \"not yet\", the last of 2 times");
    dir.split("status").ok().says("10 chunks: 9 done, 1 failed");
    let why = dir.split("why").ok();
    why.says("chunk 3, item 3: the program's result is not what the reducer takes").says("tried twice, on ");
    dir.split("reduce .").exits(20).says("\"not yet\"");
    dir.split("reduce . --partial").answers("42\n").says("missing: chunk 3, item 3");
    dir.split("reduce . --tolerance 10%").answers("42\n");
    // A version that was mended is no mixture.
    dir.write("go.py", "import sys\nprint(sys.argv[1])\n");
    dir.split("resume").ok().says("1 chunk left of 10");
    dir.split("run .").answers("45\n");
}

#[test]
fn a_result_that_the_reducer_refuses_may_be_missing() {
    let dir = Dir::recorded("sum", ["1", "2", "oops", "[4,\nx", "5"]);
    dir.split("reduce .").exits(24);
    let partial = dir.split("reduce . --partial").answers("8\n");
    partial.says("PARTIAL: 3 of 5 items").says("missing: chunks 2 to 3, items 2..=3");
    partial.says("note: left out, as sum does not take it: chunk 2, item 2: line 1 is not a number: \"oops\"");
    dir.split("reduce . --tolerance 40%").answers("8\n");
    dir.split("reduce . --tolerance 20%").exits(24);
    // One by one, those that do not fit the first.
    let dir = Dir::recorded("sum", ["[1,2]", "[1,2]", "5", "[1,2]", "[1]"]);
    let partial = dir.split("reduce . --partial").answers("[3,6]\n");
    partial.says("chunk 2, item 2: line 1 holds a number").says("chunk 4, item 4: line 1 holds an array of 1 number");
}

#[test]
fn a_result_that_was_no_number_can_be_computed_again() {
    let dir = Dir::new();
    dir.write("go.py", "import sys\nprint('oops' if sys.argv[1] == '3' else 1)\n");
    dir.split("run --total 5 --chunks 5 --reduce concat -- python3 go.py {first}").ok();
    dir.split("plan --keep --total 5 --chunks 5 -- python3 go.py {first}").ok();
    let failed = dir.split("reduce .").exits(24);
    dir.write("go.py", "print(1)\n");
    // As it is a record, what is missing does not tell: the way out has to be named.
    let bad = dir.partial(3);
    let name = bad.file_name().expect("a name").to_string_lossy().into_owned();
    let help = failed.err.lines().find(|line| line.starts_with("help: ") && line.contains("split run --mixed ."));
    assert!(help.is_some_and(|help| help.contains(&name)), "{}", failed.transcript());
    fs::remove_file(bad).expect("removed");
    dir.split("run --mixed .").answers("5\n");
}

#[test]
fn part_of_an_answer_says_so() {
    let dir = Dir::computed();
    fs::remove_file(dir.partial(0)).expect("removed");
    let partial = dir.split("reduce --partial .").answers("52\n");
    partial.says("PARTIAL: 8 of 10 items covered once (80.0000 %), by 4 records").says("missing: chunk 0, items 1..=2");
    let result = dir.result();
    assert_eq!(
        (&result["complete"], &result["items"], &result["items_covered"]),
        (&false.into(), &10.into(), &8.into())
    );
    for partial in dir.partials() {
        fs::remove_file(partial).expect("removed");
    }
    dir.split("reduce --partial .").refuses(20).says("10 of 10 items have no result");
}

#[test]
fn what_is_in_the_result() {
    let dir = Dir::computed();
    let result = dir.result();
    let plan: Value = serde_json::from_str(&dir.read("plan.json")).expect("JSON");
    assert_eq!(result["format"], 1);
    assert_eq!(result["answer"], 55);
    assert_eq!(result["reduce"], "sum");
    assert_eq!(result["space"], "1..=10");
    assert_eq!(result["plan"], plan["identity"]);
    assert_eq!(result["code"][0]["code"], plan["code"]);
    assert_eq!((&result["complete"], &result["records"]), (&true.into(), &5.into()));
    assert_eq!((&result["missing"], &result["differing"]), (&Value::Array(vec![]), &Value::Array(vec![])));
}

#[test]
fn the_same_records_give_the_same_bytes() {
    let dir = Dir::computed();
    let before = dir.read("result.json");
    dir.split("reduce outputs").answers("55\n");
    assert_eq!(dir.read("result.json"), before);
}

#[test]
fn outputs_that_were_moved_away() {
    let dir = Dir::computed();
    fs::rename(dir.path("outputs"), dir.path("elsewhere")).expect("renamed");
    dir.split("reduce elsewhere/").answers("55\n");
    assert!(dir.path("elsewhere/result.json").exists());
    dir.split("reduce .").within("elsewhere").answers("55\n");
}

#[test]
fn all_ways_to_name_the_folder() {
    let dir = Dir::computed();
    let before = dir.read("result.json");
    for (folder, within) in
        [("outputs", ""), ("./outputs/", ""), (".", ""), (".", "outputs"), ("..", "outputs"), ("../outputs", "logs")]
    {
        fs::remove_file(dir.path("result.json")).expect("written by the one before");
        dir.split("reduce").arg(folder).within(within).answers("55\n");
        assert_eq!(dir.read("result.json"), before, "{folder} in {within}");
    }
    dir.split("reduce").arg(dir.path("outputs")).within("/").answers("55\n");
}

#[test]
fn an_answer_that_nobody_reads_to_its_end() {
    let dir = Dir::new();
    dir.split("run --total 2 --chunks 2 --reduce concat -- head -c 3000000 /dev/zero").ok();
    let mut reduce = dir.split("reduce outputs").start();
    reduce.stdout().read_exact(&mut [0]).expect("a byte");
    let ended = reduce.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.transcript());
    let mut reduce = Dir::split(&dir, "reduce outputs").start();
    drop(reduce.stdout());
    assert_eq!(reduce.wait().code, Some(0));
}

#[test]
fn what_came_twice_counts_once() {
    let dir = Dir::computed();
    fs::copy(dir.partial(3), dir.path("outputs/chunk-000003.0-00000000.part")).expect("copied");
    dir.split("reduce .").answers("55\n").says("1 more result for items that are covered already: counted once");
    assert_eq!((&dir.result()["records"], &dir.result()["records_repeated"]), (&5.into(), &1.into()));
}

/// A folder with two different results for every item, which the same program gave.
fn twice() -> Dir {
    let dir = Dir::new();
    let value = dir.write("value", "1\n");
    dir.split("plan --total 4 --chunks 4 --reduce concat -- cat").arg(&value).ok();
    dir.split("run .").ok();
    let first: Vec<_> = dir.partials().iter().map(|path| (path.clone(), fs::read(path).expect("read"))).collect();
    first.iter().for_each(|(path, _)| fs::remove_file(path).expect("removed"));
    fs::write(value, "2\n").expect("written");
    dir.split("run .").ok();
    first.iter().for_each(|(path, bytes)| fs::write(path, bytes).expect("written"));
    dir
}

#[test]
fn results_that_differ_are_reported() {
    let dir = twice();
    let reduced = dir.split("reduce .").ok();
    reduced.says("4 more results for items that are covered already: counted once");
    reduced.says("note: computed more than once, with different results: chunk 3, item 3");
    assert_eq!(dir.result()["differing"].as_array().map(Vec::len), Some(4));
}

#[test]
fn the_choice_between_results_depends_on_neither_name_nor_order() {
    let dir = twice();
    let answer = dir.split("reduce .").ok().text();
    let result = dir.read("result.json");
    let contents: Vec<_> = dir.partials().iter().map(|path| fs::read(path).expect("read")).collect();
    for round in 0..8 {
        dir.partials().iter().for_each(|path| fs::remove_file(path).expect("removed"));
        for place in 0..contents.len() {
            let (number, bytes) = (place * 3 % contents.len(), &contents[(place + round) % contents.len()]);
            fs::write(dir.path(format!("outputs/chunk-00000{}.{round}-0000000{number}.part", number % 4)), bytes)
                .expect("written");
        }
        assert_eq!(dir.partials().len(), contents.len());
        dir.split("reduce .").answers(&answer);
        assert_eq!(dir.read("result.json"), result);
    }
}

#[test]
fn other_files_among_the_partials_are_left_out() {
    let dir = Dir::computed();
    let part = fs::read(dir.partial(0)).expect("read");
    dir.write("outputs/.writing-abc123", &part[..20]);
    dir.write("outputs/.nfs0000000000000001", &part[..20]);
    dir.write("outputs/notes.txt", "mine");
    fs::create_dir(dir.path("outputs/chunk-000000.folder.part")).expect("made");
    std::os::unix::fs::symlink(Path::new("/etc/passwd"), dir.path("outputs/chunk-000001.link.part")).expect("linked");
    dir.split("reduce .").answers("55\n").is_silent_on("note");
}

#[test]
fn a_merge_in_a_job_names_no_sandbox() {
    let dir = Dir::new();
    dir.split("plan --total 1..=10 --chunks 5").ok();
    let merge = || dir.split("reduce outputs");
    merge().exits(20).says(&format!("help: split run {} computes", dir.shown()));
    merge().env("_CONDOR_SCRATCH_DIR", dir.path("")).exits(20).says("help: split run . computes here");
}

#[test]
fn an_answer_may_lack_a_share_of_the_items() {
    let dir = Dir::new();
    let words = "run --total 1..=200 --chunks 100 --retries 0 --tolerance 1%";
    let command = [
        "--",
        "sh",
        "-c",
        "[ $1 -le 52 ] && [ $2 -ge 51 ] && exit 3; seq $1 $2 | awk '{{ s += $1 }} END {{ print s }}'",
        "sum",
        "{first}",
        "{last}",
    ];
    let said = dir.split(words).args(command).answers("19997\n");
    said.says("PARTIAL: 198 of 200 items").says("items 51..=52");
    dir.split("reduce outputs").answers("19997\n");
    dir.split("reduce outputs --tolerance 0.5%").refuses(20).says("2 of 200 items have no result");
    dir.split("reduce outputs --archive all.zip").refuses(20);
    dir.split("run . --tolerance 0").exits(30);
    dir.split("plan --force --total 5 --chunks 5 --tolerance 150%").refuses(2).says("from 0% to 100%");
}
