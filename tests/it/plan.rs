//! `split plan`.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use crate::kit::{Dir, SPLIT, SUM, path_after};

/// The items that `--total TEXT` stands for, as the plan describes them.
fn space(text: &str) -> String {
    let dir = Dir::new();
    let done = dir.split("plan --dry-run --chunks 1 --total").args([text, "--", "true", "{first}", "{last}"]).ok();
    let dag = done.text();
    dag.split(" over ").nth(1).and_then(|rest| rest.split(", and").next()).expect("the first line").to_owned()
}

#[test]
fn every_spelling_of_a_range() {
    for (text, expected) in [
        ("1..=100", "1..=100"),
        ("0..1000", "0..=999"),
        ("1000", "0..=999"),
        ("1", "0..=0"),
        ("1e6", "0..=999999"),
        ("2.5e3", "0..=2499"),
        ("0..=1e3", "0..=1000"),
        ("1_000_000", "0..=999999"),
        ("-5..=5", "-5..=5"),
        ("-5..5", "-5..=4"),
        ("-10..=-1", "-10..=-1"),
        ("0..=1000:5", "0..=1000:5"),
        ("0..1000:5", "0..=995:5"),
        ("0..=11:5", "0..=10:5"),
        ("10:3", "0..=9:3"),
        ("7..=7", "7..=7"),
        (
            "170141183460469231731687303715884105726..=170141183460469231731687303715884105727",
            "170141183460469231731687303715884105726..=170141183460469231731687303715884105727",
        ),
        (
            "-170141183460469231731687303715884105728..=-170141183460469231731687303715884105727",
            "-170141183460469231731687303715884105728..=-170141183460469231731687303715884105727",
        ),
    ] {
        assert_eq!(space(text), expected, "{text}");
    }
}

#[test]
fn chunks_are_counted_as_ranges_are() {
    let dir = Dir::new();
    for (cut, expected) in [
        ("--chunks 60", "60 chunks of 1 or 2 items each"),
        ("--chunks 100", "100 chunks of 1 item each"),
        ("--chunks 1e1", "10 chunks of 10 items each"),
        ("--chunks 1_0", "10 chunks of 10 items each"),
        ("--chunks 1", "1 chunk of 100 items each"),
        ("--chunk-size 30", "4 chunks of 25 items each"),
        ("--chunk-size 1000", "1 chunk of 100 items each"),
    ] {
        dir.split("plan --total 1..=100 --force").args(cut.split(' ')).ok().says(expected);
    }
}

/// Arguments that make no sense, in a folder with `sum.py`, `run.sh` (which cannot be executed) and `loop`.
const NONSENSE: [&str; 64] = [
    "plan",
    "plan --total 1..=100 --cost 0s",
    "plan --total 1..=100 --cost j**2",
    "plan --total 1..=100 --cost item-5",
    "plan --total 1..=100 --target 0s",
    "plan --total 1..=100 --target 1h --chunks 5",
    "plan --total 1..=100 --chunks 5 --slice 2m",
    "plan --total 1..=100 --chunks 5 --slice 2m --slices 3",
    "plan --chunks 5",
    "plan --total 1..=100 --chunks 101",
    "plan --total 1..=100 --chunks 0",
    "plan --total 1..=100 --chunks 2.5",
    "plan --total 1..=100 --chunks many",
    "plan --total 1..=100 --chunks 0..10",
    "plan --total 1..=100 --chunks 200000000",
    "plan --total 1..=1e9 --chunks 2e8",
    "plan --total 1..=100 --chunks 1e30",
    "plan --total 1..=100 --chunk-size 0",
    "plan --total 1..=100 --chunk-size x",
    "plan --total 1..=100 --chunks 5 --chunk-size 5",
    "plan --total 5..5 --chunks 1",
    "plan --total 0 --chunks 1",
    "plan --total 100..=1 --chunks 1",
    "plan --total -5 --chunks 1",
    "plan --total x --chunks 1",
    "plan --total 1..=x --chunks 1",
    "plan --total 1.5..3 --chunks 1",
    "plan --total 1...100 --chunks 1",
    "plan --total 1-100 --chunks 1",
    "plan --total 0..=10:0 --chunks 1",
    "plan --total 0..=10:-2 --chunks 1",
    "plan --total 1e39 --chunks 1",
    "plan --total 0..=170141183460469231731687303715884105728 --chunks 1",
    "plan --total 0..=99999999999999999999999999999999999999999 --chunks 1",
    "plan --total 1e10 --chunks 1",
    "plan --total 1..=100 --chunks 5 -- python3 sum.py {frist} {last}",
    "plan --total 1..=100 --chunks 5 -- python3 sum.py {first {last}",
    "plan --total 1..=100 --chunks 5 -- awk {print}",
    "plan --total 1..=100 --chunks 5 -- prog-{chunk}",
    "plan --total 1..=100 --chunks 5 -- ./run.sh {first}",
    "plan --total 1..=100 --chunks 5 -- loop {first}",
    "plan --total 1..=100 --chunks 5 --memory 2048 -- true {first}",
    "plan --total 1..=100 --chunks 5 --memory lots -- true {first}",
    "plan --total 1..=100 --chunks 5 --disk -1GB -- true {first}",
    "plan --total 1..=100 --chunks 5 --disk 1.5GB -- true {first}",
    "plan --total 1..=100 --chunks 5 --cpus 0 -- true {first}",
    "plan --total 1..=100 --chunks 5 --retries -1 -- true {first}",
    "plan --total 1..=100 --chunks 5 --env FOO -- true {first}",
    "plan --total 1..=100 --chunks 5 --env =x -- true {first}",
    "plan --total 1..=100 --chunks 5 --env SPLIT_FIRST=3 -- true {first}",
    "plan --total 1..=100 --chunks 5 --getenv NO_SUCH_VARIABLE -- true {first}",
    "plan --total 1..=100 --chunks 5 --submit requirements -- true {first}",
    "plan --total 1..=100 --chunks 5 --submit universe=docker -- true {first}",
    "plan --total 1..=100 --chunks 5 --submit Request_Memory=4GB -- true {first}",
    "plan --total 1..=100 --chunks 5 --submit queue -- true {first}",
    "plan --total 1..=100 --chunks 5 --reduce summ -- true {first}",
    "plan --total 1..=100 --chunks 5 --reduce sum --reduce-with m -- true {first}",
    "plan --total 1..=100 --chunks 5 --reduce-with cat -- true {first}",
    "plan --total 1..=100 --chunks 5 --input data.csv -- true {first}",
    "plan --total 1..=100 --chunks 5 --templates nowhere -- true {first}",
    "plan --total 1..=100 --chunks 5 --keep --force",
    "plan --total 1..=100 --chunks 5 --dry-run --force",
    "plan --total 1..=100 --chunks 5 --resume",
    "plan --totl 1..=100 --chunks 5",
];

#[test]
fn nonsense_is_refused_before_anything_is_written() {
    let dir = Dir::new();
    dir.write("sum.py", SUM);
    dir.write("run.sh", "#!/bin/sh\n");
    dir.program("loop", "#!/bin/sh\n");
    let transcripts: Vec<_> = NONSENSE.iter().map(|words| dir.split(words).refuses(2).transcript()).collect();
    insta::assert_snapshot!(transcripts.join("\n"));
}

#[test]
fn words_with_blanks_that_make_no_sense() {
    let dir = Dir::new();
    let plan = || dir.split("plan --total 1..=100 --chunks 5");
    let transcripts = [
        plan().args(["--submit", "a = 1\nb = 2"]),
        plan().args(["--submit", "requirements = \\"]),
        plan().args(["--submit", "two words = 1"]),
        plan().args(["--reduce-with", "m {left}"]),
        plan().args(["--reduce-with", "m {left} {right} {parts}"]),
        plan().args(["--reduce-with", "m {lefts} {right}"]),
        plan().args(["--reduce-with", "m '{left} {right}"]),
        plan().args(["--", ""]),
        plan().args(["--total", "1..=5"]),
    ]
    .map(|split| split.refuses(2).transcript());
    insta::assert_snapshot!(transcripts.join("\n"));
}

#[test]
fn a_container_has_a_name() {
    let dir = Dir::new();
    for image in ["", "two\nlines", "a,b"] {
        dir.split("plan --total 10 --chunks 5 --container").arg(image).refuses(2).says("no name of an image");
    }
}

#[test]
fn a_dry_run_prints_the_files_and_writes_none() {
    let dir = Dir::new();
    dir.write("sum.py", SUM);
    let words = "plan --total 1..=10 --chunks 3 -- python3 sum.py {first} {last}";
    let dry = dir.split(&words.replace("plan", "plan --dry-run")).refuses(0);
    dry.says("nothing was written");
    dir.split(words).ok();
    for name in ["plan.dag", "chunk.sub", "reduce.sub", "dagman.config", "plan.json", "plan.files/job/job.json"] {
        dry.says(&format!("==> {name} <==\n{}", dir.read(name)));
    }
}

#[test]
fn what_is_written_for_a_command() {
    let dir = Dir::new();
    dir.write("code/sum.py", SUM);
    let done = dir
        .split("plan --total 1..=10 --chunks 3 --cpus 2 --memory 512MB --disk 2GB --retries 5 --env SCALE=1.5")
        .args(["--submit", "requirements = HasAVX2", "--submit", "+Project = \"Sums\""])
        .args(["--", "python3", "code/sum.py", "{first}", "{last}", "--chunk={chunk}/{chunks}"])
        .ok();
    insta::assert_snapshot!("the_account", done.transcript());
    for name in ["plan.dag", "chunk.sub", "reduce.sub", "dagman.config", "plan.json", "plan.files/job/job.json"] {
        insta::assert_snapshot!(name.replace('/', "_"), dir.read(name));
    }
    let names =
        ["chunk.sub", "code", "dagman.config", "logs", "outputs", "plan.dag", "plan.files", "plan.json", "reduce.sub"];
    assert_eq!(dir.names(""), names);
    assert_eq!(dir.names("outputs"), ["plan.json"]);
    assert_eq!(dir.read("outputs/plan.json"), dir.read("plan.json"));
    assert_eq!(dir.names("plan.files"), ["job", "split", "split-runner"]);
}

#[test]
fn the_same_arguments_give_the_same_bytes() {
    let plan = || {
        let dir = Dir::new();
        dir.write("sum.py", SUM);
        dir.split("plan --total 1..=1000 --chunks 77 --env B=2 --env A=1 -- python3 sum.py {first} {last}").ok();
        dir
    };
    let (one, two) = (plan(), plan());
    let below = |dir: &Dir| -> Vec<_> {
        let state = dir.state().into_iter();
        let root = dir.path("");
        state
            .map(|(path, (mode, bytes, _))| (path.strip_prefix(&root).expect("below").to_owned(), mode, bytes))
            .collect()
    };
    assert!(below(&one) == below(&two), "{:?} {:?}", one.names(""), two.names(""));
}

#[test]
fn every_word_is_accounted_for() {
    let dir = Dir::new();
    dir.write("sum.py", SUM);
    dir.write("data/a.csv", "1\n");
    dir.write("config.toml", "");
    dir.program("go.sh", "#!/bin/sh\n");
    let plan = || dir.split("plan --dir plan --force --total 1..=10 --chunks 3 --");
    let transcripts = [
        plan().args("python3 sum.py data --config=config.toml {first} /etc/passwd plain".split(' ')),
        plan().args("./go.sh".split(' ')),
        plan().args("no-such-program-here {first}".split(' ')),
        plan().args("./absent.sh {first}".split(' ')),
        plan().args("/bin/echo {count}".split(' ')),
        dir.split("plan --dir plan --force --total 1..=10 --chunks 3"),
        dir.split("plan --dir plan --force --total 1..=10 --chunks 3 --shared-filesystem -- python3 sum.py {first}"),
    ]
    .map(|split| split.ok().transcript());
    insta::assert_snapshot!(transcripts.join("\n"));
}

#[test]
fn a_command_that_never_names_its_items_gets_a_note() {
    let dir = Dir::new();
    dir.split("plan --total 1..=10 --chunks 3 -- true").ok().says("never names its items");
    let named = "plan --force --total 1..=10 --chunks 3 -- true x{start}";
    dir.split(named).ok().is_silent_on("never names its items");
}

#[test]
fn another_folder() {
    let dir = Dir::new();
    dir.write("code/sum.py", SUM);
    let done = dir.split("plan --dir new/plan --total 1..=10 --chunks 3 -- python3 code/sum.py {first} {last}").ok();
    done.says("new/plan/plan.dag").says("cd new/plan && condor_submit_dag plan.dag");
    assert_eq!(dir.names(""), ["code", "new"]);
    assert_eq!(dir.read("new/plan/plan.files/job/work/code/sum.py"), SUM);
    dir.split("run new/plan").answers("55\n");
    dir.split("reduce new/plan/outputs").answers("55\n");
}

#[test]
fn a_plan_can_be_moved_with_its_program() {
    let dir = Dir::new();
    dir.write("here/code/sum.py", SUM);
    dir.split("plan --dir plan --total 1..=10 --chunks 3 -- python3 code/sum.py {first} {last}").within("here").ok();
    fs::rename(dir.path("here"), dir.path("there")).expect("renamed");
    assert_eq!(dir.read("there/plan/plan.files/job/work/code/sum.py"), SUM);
    dir.split("run there/plan").answers("55\n");
}

#[test]
fn templates_of_ones_own() {
    let dir = Dir::new();
    dir.write("mine/chunk.sub", "executable = bin/split-runner\n# {{ cpus }} of {{ memory }}\nqueue\n");
    dir.split("plan --templates mine --cpus 3 --total 1..=10 --chunks 2").ok();
    assert_eq!(dir.read("chunk.sub"), "executable = bin/split-runner\n# 3 of 1GB\nqueue\n");
    assert!(dir.read("plan.dag").contains("JOB chunk-000001-g1 chunk.sub"));
}

#[test]
fn broken_templates_name_line_and_variable() {
    let dir = Dir::new();
    let mut transcripts = Vec::new();
    for (name, text) in [
        ("chunk.sub", "# one\n# two\nrequest_cpus = {{ cpu }}\n"),
        ("chunk.sub", "# one\n{% if container %}\n"),
        ("chunk.sub", "{{ cpus | shout }}\n"),
        ("reduce.sub", "# one\n{{ }}\n"),
        ("plan.dag", "JOB {{ reduce_name }} reduce.sub\n"),
        ("plan.dag", "{{ nodes }}\n{{ nodes }}\n{{ names }}\n"),
        ("plan.dag", "{{ nodes }}\n{{ names }}\n{{ retrys }}\n"),
        ("node.dag", "JOB {{ nam }} chunk.sub\n"),
        ("node.dag", "JOB {{ name }} chunk.sub\n"),
        ("node.dag", ""),
    ] {
        dir.write(format!("mine/{name}"), text);
        let refused = dir.split("plan --templates mine --total 1..=10 --chunks 2").refuses(2);
        transcripts.push(format!("{name}: {text:?}\n{}", refused.transcript()));
        fs::remove_file(dir.path(format!("mine/{name}"))).expect("removed");
    }
    dir.split("plan --templates mine --total 1..=10 --chunks 2").refuses(2).says("it holds none of");
    insta::assert_snapshot!(transcripts.join("\n"));
}

#[test]
fn variables_are_taken_as_they_are_now() {
    let dir = Dir::new();
    let run = dir.split("run --getenv ANIMAL,COLOUR --env SIZE=a=b --reduce concat --total 1 --chunks 1 -- sh -c");
    run.arg("echo $ANIMAL $COLOUR $SIZE").env("ANIMAL", "cat").env("COLOUR", "dark red").answers("cat dark red a=b\n");
    let run = dir.split("run .").env("ANIMAL", "dog");
    fs::remove_file(dir.partial(0)).expect("removed");
    run.answers("cat dark red a=b\n");
}

#[test]
fn files_keep_their_relative_places() {
    let dir = Dir::new();
    dir.write("project/here/sum.py", SUM);
    dir.write("project/here/lib/deep/tables.txt", "1\n");
    dir.write("project/lib/tools.py", "tools");
    dir.write("top.py", "top");
    dir.split(
        "plan --total 1..=10 --chunks 2 --input lib -- python3 sum.py ../lib/tools.py ../../top.py {first} {last}",
    )
    .within("project/here")
    .ok();
    let place = |name: &str| dir.read(format!("project/here/plan.files/job/work/project/{name}"));
    assert_eq!(place("here/sum.py"), SUM);
    assert_eq!(place("here/lib/deep/tables.txt"), "1\n");
    assert_eq!(place("lib/tools.py"), "tools");
    assert_eq!(dir.read("project/here/plan.files/job/work/top.py"), "top");
}

#[test]
fn a_file_where_a_folder_is_due() {
    for name in ["outputs", "logs"] {
        let dir = Dir::new();
        dir.write(name, "mine");
        let refused = dir.split("plan --total 1..=10 --chunks 2").run();
        refused.says(name);
        assert_ne!(refused.code, Some(0));
        assert_eq!(dir.names(""), [name], "something was written");
    }
}

#[test]
fn a_path_of_the_programs_own() {
    let dir = Dir::new();
    let tool = dir.program("tools/my-tool", "#!/bin/sh\necho $SPLIT_FIRST\n");
    let path = path_after(&[tool.parent().expect("a folder")]).into_string().expect("text");
    let run = dir.split("run --total 1..=3 --chunks 3 --env").arg(format!("PATH={path}")).args(["--", "my-tool"]);
    run.answers("6\n").says("(this machine has it too)");
}

#[test]
fn what_an_input_sends_is_not_said_to_be_left_behind() {
    let dir = Dir::new();
    dir.write("data/a.csv", "1\n");
    dir.write("config.toml", "");
    let plan =
        dir.split("plan --total 10 --chunks 2 --input data --input config.toml -- true data --config=config.toml");
    plan.ok().is_silent_on("not transferred").is_silent_on("is not sent");
}

#[test]
fn an_empty_folder_travels_too() {
    let dir = Dir::new();
    fs::create_dir_all(dir.path("data/empty")).expect("made");
    let run = dir.split("run --total 1 --chunks 1 --reduce concat --input data -- find data -type d");
    run.answers("data\ndata/empty\n");
}

#[test]
fn inputs_that_cannot_be_sent() {
    let dir = Dir::new();
    dir.command("mkfifo").arg("pipe").ok();
    fs::create_dir(dir.path("broken")).expect("made");
    symlink("nowhere", dir.path("broken/link")).expect("linked");
    fs::create_dir(dir.path("round")).expect("made");
    symlink(".", dir.path("round/and-round")).expect("linked");
    for (name, named) in [("pipe", "pipe"), ("broken", "broken/link"), ("round", "round/and-round")] {
        // A pipe that nobody writes to would keep a reader waiting for ever.
        let plan = dir.command("timeout").args(["5", SPLIT, "plan", "--total", "10", "--chunks", "2", "--input", name]);
        plan.refuses(2).says(named);
    }
}

#[test]
fn an_input_of_the_whole_folder_leaves_the_plan_out() {
    for folder in [".", "plan"] {
        let dir = Dir::new();
        dir.write("sum.py", SUM);
        let words =
            format!("run --dir {folder} --input . --total 1..=10 --chunks 5 -- python3 sum.py {{first}} {{last}}");
        dir.split(&words).answers("55\n");
        dir.split(&words).answers("55\n").says("nothing is left to compute");
    }
}

#[test]
fn two_files_for_one_place_are_refused() {
    let dir = Dir::new();
    let (one, two) = (dir.write("a/x.csv", "1"), dir.write("b/x.csv", "2"));
    let refused = dir.split("plan --total 1..=10 --chunks 2 --input").arg(one).arg("--input").arg(two).refuses(2);
    insta::assert_snapshot!(refused.transcript().split_once('\n').expect("two lines").1);
}

/// Names and arguments that shells, submit files and JSON might stumble over.
fn odd_names() -> Vec<&'static OsStr> {
    let odd: [&[u8]; 10] = [
        b"with space",
        b"it's",
        b"say \"hi\"",
        b"new\nline",
        b"tab\tbed",
        b"$(rm -rf x)",
        b"back\\slash",
        b"a,b;c#d%e",
        b"\xff\xfe not UTF-8",
        "größe λ".as_bytes(),
    ];
    odd.map(OsStr::from_bytes).to_vec()
}

#[test]
fn odd_names_and_arguments_reach_the_program_byte_for_byte() {
    let dir = Dir::new();
    let names = odd_names();
    for name in &names {
        dir.write(name, name.as_bytes());
    }
    dir.split("plan --total 1 --chunks 1 --reduce concat -- sh -c")
        .arg("cat \"$@\"; printf '<%s>' \"$@\"")
        .arg("{{}}")
        .args(&names)
        .ok();
    for name in &names {
        let link = dir.path("plan.files/job/work").join(name);
        assert_eq!(fs::read(&link).expect("staged"), name.as_bytes(), "{name:?}");
    }
    let content: Vec<u8> = names.iter().flat_map(|name| name.as_bytes().to_vec()).collect();
    let shown: Vec<u8> = names.iter().flat_map(|name| [b"<", name.as_bytes(), b">"].concat()).collect();
    assert_eq!(dir.split("run .").ok().out, [content, shown].concat());
}

#[test]
fn odd_folders_can_be_planned_in() {
    for name in odd_names() {
        let dir = Dir::new();
        dir.write("sum.py", SUM);
        let plan = || dir.split("run --total 1..=10 --chunks 2 --dir").arg(name);
        plan().args(["--", "python3", "sum.py", "{first}", "{last}"]).answers("55\n");
        dir.split("reduce").arg(dir.path(name).join("outputs")).answers("55\n");
        plan().args(["--", "python3", "sum.py", "{first}"]).refuses(3);
    }
}

#[test]
fn odd_values_of_variables() {
    let dir = Dir::new();
    for value in odd_names() {
        let mut pair = OsStr::new("ODD=").to_owned();
        pair.push(value);
        let run = dir.split("run --force --total 1 --chunks 1 --reduce concat --env").arg(pair);
        assert_eq!(run.args(["--", "sh", "-c", "printf %s \"$ODD\""]).ok().out, value.as_bytes());
    }
}

#[test]
fn what_may_be_mistyped_is_noted() {
    let dir = Dir::new();
    dir.write("sum.py", "");
    let plan = dir.split("plan --total 10 --chunks 2 --reduce-with").arg("python3 mrege.py {left} {right}");
    let plan = plan.args(["--", "python3", "-m", "sum", "{first}"]).ok();
    plan.says("note: --reduce-with: there is no mrege.py here").says("--input sum.py sends it");
    dir.split("plan --force --total 10 --chunks 2 --reduce-with")
        .arg("no-such-merge {parts}")
        .ok()
        .says("no-such-merge");
    let plan =
        dir.split("plan --force --total 10 --chunks 2 --input sum.py --reduce-with").arg("python3 sum.py {parts}");
    assert!(!plan.args(["--", "python3", "-m", "sum", "{first}"]).ok().transcript().contains("note: "));
}

#[test]
fn what_belongs_to_a_shell_is_told_from_what_belongs_to_a_program() {
    let dir = Dir::new();
    let plan = |words: &[&str]| dir.split("plan --total 10 --chunks 2").args(words);
    plan(&["python3", "sum.py"]).refuses(2).says("help: the program and its arguments go after `--`");
    plan(&["--", "seq {first} {last} | wc -l"]).refuses(2).says("help: a line for a shell is given to one: -- bash -c");
    plan(&["--", "seq", "{first}", "|", "wc"]).ok().says("note: '|' reaches the program as it stands");
}

#[test]
fn a_value_that_becomes_shell_source_gets_a_note() {
    let dir = Dir::new();
    let plan = |words: &[&str]| dir.split("plan --force --total 10 --chunks 2").args(words).ok();
    let note = plan(&["--", "sh", "-c", "seq {first} {last}"]);
    note.says("note: {first} {last} becomes part of what the shell reads as its source");
    note.says("write \"$SPLIT_FIRST\" \"$SPLIT_LAST\" there instead");
    plan(&["--", "sh", "-c", "seq \"$1\" \"$2\"", "sh", "{first}", "{last}"]).is_silent_on("note:");
    // As the note says to write it.
    let run = dir.split("run --force --total 1..=10 --chunks 2 -- sh -c");
    run.arg("seq \"$SPLIT_FIRST\" \"$SPLIT_LAST\"").answers("55\n");
    let merge = plan(&["--reduce-with", "sh -c 'sort -m {left} {right}'"]);
    merge.says("note: --reduce-with: a path becomes part of what the shell reads");
}
