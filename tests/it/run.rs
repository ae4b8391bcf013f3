//! `split run`.

use std::fs;
use std::io::Read;

use rustix::process::Signal;

use crate::kit::{Dir, SPLIT, SUM, path_after, until};

/// Notes that it runs in the file `$LOG`, then does what is added.
const NOTED: &str = "echo $SPLIT_CHUNK >> $LOG\n";

impl Dir {
    /// The chunks that programs noted in `log`, sorted.
    pub(crate) fn log(&self) -> Vec<u32> {
        let text = fs::read_to_string(self.path("log")).unwrap_or_default();
        let mut chunks: Vec<_> = text.lines().map(|line| line.parse().expect("a chunk")).collect();
        chunks.sort_unstable();
        chunks
    }
}

#[test]
fn the_first_example() {
    let dir = Dir::new();
    let done = dir.split("run --total 1..=100 --chunks 60").answers("5050\n");
    done.says("60 chunks of 1 or 2 items each, over 1..=100");
    done.says("all 100 items covered once, by 60 records");
    done.is_silent_on("\r").is_silent_on("\u{1b}");
    assert_eq!(dir.partials().len(), 60);
    assert!(dir.is_tidy());
    dir.split("reduce outputs/").answers("5050\n");
}

#[test]
fn a_program_of_ones_own() {
    let dir = Dir::new();
    dir.write("sum.py", SUM);
    let run = || dir.split("run --total 1..=1000 --chunks 7 -- python3 sum.py {first} {last}");
    run().answers("500500\n");
    run().answers("500500\n").says("nothing is left to compute");
    dir.split("run").answers("500500\n").says("nothing is left to compute");
}

#[test]
fn placeholders_and_variables_say_the_same() {
    let dir = Dir::new();
    let script = "echo \"$*\"; echo $SPLIT_FIRST $SPLIT_LAST $SPLIT_START $SPLIT_STOP $SPLIT_STEP $SPLIT_COUNT $SPLIT_CHUNK $SPLIT_CHUNKS";
    let run = dir.split("run --total=-10..=11:5 --chunks 2 --reduce concat -- sh -c").arg(script).arg("sh");
    let words = "{first} {last} {start} {stop} {step} {count} {chunk} {chunks}";
    let line = |text: &str| format!("{text}\n{text}\n");
    run.args(words.split(' ')).answers(&[line("-10 0 -10 5 5 3 0 2"), line("5 10 5 15 5 2 1 2")].concat());
}

#[test]
fn a_program_sees_the_environment_at_hand_and_no_input() {
    let dir = Dir::new();
    let script = "echo $ANIMAL $SIZE; cat; echo end";
    let run = dir.split("run --total 1 --chunks 1 --env SIZE=9 --reduce concat -- sh -c").arg(script);
    run.env("ANIMAL", "cat").env("SIZE", "1").answers("cat 9\nend\n");
}

#[test]
fn an_existing_plan() {
    let dir = Dir::new();
    dir.write("sum.py", SUM);
    dir.split("plan --dir plan --total 1..=10 --chunks 3 -- python3 sum.py {first} {last}").ok();
    dir.split("run plan").answers("55\n");
    dir.split("run").within("plan").answers("55\n").says("nothing is left to compute");
    dir.split("reduce plan").answers("55\n");
}

#[test]
fn an_existing_plan_takes_no_options_that_it_would_ignore() {
    let dir = Dir::computed();
    for options in [
        "run . --reduce max",
        "run --reduce max",
        "run . --reduce-with m:{parts}",
        "run . --env A=1",
        "run . --getenv PATH",
        "run . --input plan.dag",
        "run . --retries 0",
        "run . --cpus 2",
        "run . --memory 2GB",
        "run . --disk 2GB",
        "run . --templates .",
        "run . --container image",
        "run . --submit a=b",
        "run . --shared-filesystem",
    ] {
        dir.split(options).refuses(2);
    }
}

#[test]
fn only_what_is_missing_is_computed() {
    let dir = Dir::new();
    let run = || {
        let run = dir.split("run --total 1..=20 --chunks 10 -- sh -c");
        run.arg(format!("{NOTED}echo $SPLIT_FIRST; echo $SPLIT_LAST")).env("LOG", dir.path("log"))
    };
    run().answers("210\n");
    assert_eq!(dir.log(), (0..10).collect::<Vec<_>>());
    run().answers("210\n");
    assert_eq!(dir.log().len(), 10);
    for chunk in [3, 4, 9] {
        fs::remove_file(dir.partial(chunk)).expect("removed");
    }
    run().answers("210\n").says("14 of 20 items have results already");
    assert_eq!(dir.log(), [0, 1, 2, 3, 3, 4, 4, 5, 6, 7, 8, 9, 9]);
    fs::write(dir.partial(5), "damaged").expect("written");
    run().answers("210\n");
    assert_eq!(dir.log().len(), 14);
}

#[test]
fn one_chunk_that_fails_costs_no_other() {
    let dir = Dir::new();
    let mend = || dir.write("sum.py", SUM);
    dir.write("sum.py", format!("import sys\nif sys.argv[1] == '5':\n    sys.exit('bad luck with 5')\n{SUM}"));
    let words = "run --total 1..=10 --chunks 5 --retries 1 -- python3 sum.py {first} {last}";
    let failed = dir.split(words).exits(30);
    insta::assert_snapshot!(failed.transcript());
    insta::assert_snapshot!("reduced_without_one_chunk", dir.split("reduce outputs").exits(20).transcript());
    dir.split("reduce --partial outputs").answers("50\n");
    dir.split("run --partial .").answers("50\n").says("PARTIAL: 9 of 10 items covered once");
    mend();
    dir.split("run .").answers("55\n").says("9 of 10 items have results already");
    let whole = dir
        .partials()
        .iter()
        .filter(|path| fs::read(path).expect("read").windows(14).any(|it| it == b"\"kind\":\"whole\""))
        .count();
    assert_eq!(whole, 6);
}

#[test]
fn the_ways_in_which_a_program_fails() {
    let mut transcripts = Vec::new();
    for words in [
        &["no-such-program", "{first}"][..],
        &["./no-such-program", "{first}"],
        &["/no/such/program", "{first}"],
        &["sh", "-c", "kill -9 $$"],
        &["sh", "-c", "exit 255"],
        &["true", "{first}"],
        &["printf", "  \n \t\n"],
        &["sh", "-c", "printf 'red \\033[31m and \\007 bell\\nlast' >&2; exit 1"],
        &["sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do echo line $i >&2; done; exit 1"],
        &["sh", "-c", "echo 5; exit 3"],
    ] {
        let dir = Dir::new();
        let failed = dir.split("run --total 1..=3 --chunks 1 --retries 1 --").args(words).exits(30);
        assert!(dir.is_tidy());
        transcripts.push(failed.transcript());
    }
    insta::assert_snapshot!(transcripts.join("\n"));
}

#[test]
fn a_script_without_its_interpreter_is_explained() {
    let dir = Dir::new();
    dir.program("go", "#!/no/such/interpreter\n");
    dir.split("run --total 3 --chunks 1 -- ./go {first}").exits(30).says("/no/such/interpreter");
}

#[test]
fn a_program_that_starts_nowhere_is_not_tried_for_every_chunk() {
    let dir = Dir::new();
    dir.split("run --total 1..=1000 --chunks 1000 -- no-such-program {first}").exits(30).says("No such file");
    assert!(dir.partials().len() < 20, "{}", dir.partials().len());
}

#[test]
fn a_plan_may_say_how_many_chunks_have_to_fail() {
    let tried = |options: &str, program: &[&str]| {
        let dir = Dir::new();
        let run = dir.split("run --total 1..=40 --chunks 40 --jobs 1 --retries 0").args(options.split(' '));
        run.arg("--").args(program).arg("{first}").exits(30);
        dir.partials().len()
    };
    let fails = ["sh", "-c", "exit 3"];
    for (options, attempts) in [("--halt 3", 3), ("--halt 25", 25), ("--halt 0", 40), ("--halt 1000", 40)] {
        assert_eq!((tried(options, &fails), tried(options, &["no-such-program"])), (attempts, attempts), "{options}");
    }
}

#[test]
fn many_failures_are_counted_and_not_all_listed() {
    let dir = Dir::new();
    let run =
        dir.split("run --total 0..=50 --chunks 51 --retries 0 -- sh -c").args(["[ $0 = 0 ] && echo 0", "{first}"]);
    let failed = run.exits(30);
    failed.says("50 chunks failed").says("chunk 5, item 5:").says("... and 45 more").is_silent_on("chunk 6,");
}

#[test]
fn a_program_that_fails_the_same_way_each_time_is_not_tried_for_every_chunk() {
    let tried = |retries: &str, script: &str| {
        let dir = Dir::new();
        let run =
            dir.split("run --total 1..=50 --chunks 50 --jobs 1 --retries").args([retries, "--", "sh", "-c", script]);
        let err = run.arg("{first}").exits(30).err.clone();
        (dir.partials().len(), err)
    };
    let (tries, err) = tried("1", "echo no module named physics >&2; exit 1");
    assert_eq!(tries, 20);
    for words in [
        "10 chunks failed the same way, and the other 40 were not tried\n  20 attempts at 10 chunks, on ",
        "chunk 0, item 1: the program ended with exit code 1, the last of 2 times\n    | no module named physics\n",
        "split run . computes what is missing",
    ] {
        assert!(err.contains(words), "{words:?} is not in: {err}");
    }
    assert!(!err.contains("chunk 1,") && !err.contains("more"), "{err}");
    assert_eq!(tried("0", "exit $(($0 % 2 + 1))").0, 50, "two ways");
    assert_eq!(tried("0", "[ $0 = 10 ] && echo 1").0, 50, "one of the first ten has a result");
    assert_eq!(tried("0", "[ $0 = 11 ] && echo 1").0, 10);
}

#[test]
fn a_plan_that_has_a_result_is_not_given_up() {
    let dir = Dir::new();
    dir.write("go.sh", "echo $1\n");
    dir.split("run --total 1..=20 --chunks 20 --retries 0 -- sh go.sh {first}").answers("210\n");
    for chunk in 0..15 {
        fs::remove_file(dir.partial(chunk)).expect("removed");
    }
    dir.write("go.sh", "exit 1\n");
    dir.split("run --mixed .").exits(30).says("15 chunks failed").is_silent_on("not tried");
}

#[test]
fn retries() {
    let script = format!("{NOTED}[ $(wc -l < $LOG) -gt $FAIL ] && echo 1");
    let run = |fail: &str, retries: &str| {
        let dir = Dir::new();
        let run = dir.split("run --total 1 --chunks 1 --retries").args([retries, "--", "sh", "-c", &script]);
        let ended = run.env("LOG", dir.path("log")).env("FAIL", fail).run();
        (ended.code, dir.log().len(), ended.err.clone())
    };
    let (code, times, _) = run("2", "2");
    assert_eq!((code, times), (Some(0), 3));
    let (code, times, err) = run("9", "2");
    assert_eq!((code, times), (Some(30), 3));
    assert!(err.contains("the last of 3 times"), "{err}");
    let (code, times, err) = run("9", "0");
    assert_eq!((code, times), (Some(30), 1));
    assert!(!err.contains("times"), "{err}");
}

#[test]
fn a_program_has_a_fresh_folder_each_time() {
    let dir = Dir::new();
    dir.write("code/add.sh", "ls -A . code; echo new > new.txt; echo more >> data.txt; cat data.txt; rm code/add.sh\n");
    dir.write("data.txt", "data\n");
    let run = dir.split("run --total 3 --chunks 3 --jobs 1 --reduce concat -- sh code/add.sh data.txt {first}");
    run.answers(&".:\ncode\ndata.txt\n\ncode:\nadd.sh\ndata\nmore\n".repeat(3));
    assert_eq!(dir.read("data.txt"), "data\n");
    assert!(!dir.path("new.txt").exists() && dir.path("code/add.sh").exists());
    assert!(dir.is_tidy());
}

#[test]
fn inputs_above_the_folder_keep_their_places() {
    let dir = Dir::new();
    dir.write("lib/scale.py", "FACTOR = 10\n");
    dir.write("data/deep/x.txt", "7\n");
    let program = "import sys\nsys.path.insert(0, '../lib')\nfrom scale import FACTOR\n\
                   print(FACTOR * int(open('../data/deep/x.txt').read()))\n";
    dir.write("here/go.py", program);
    let run =
        dir.split("run --total 3 --chunks 3 --input ../lib --input ../data -- python3 go.py {first}").within("here");
    run.answers("210\n");
}

#[test]
fn a_large_input_cannot_be_changed_for_the_other_chunks() {
    let dir = Dir::new();
    dir.write("big", vec![b'7'; 3 << 20]);
    let script = "head -c1 big; echo spoilt > big; echo";
    let run = dir.split("run --total 4 --chunks 4 --jobs 1 --reduce concat --input big -- sh -c").arg(script);
    run.answers("7\n7\n7\n7\n");
    assert_eq!(dir.read("big").len(), 3 << 20);
}

#[test]
fn on_a_shared_file_system_programs_run_among_the_users_files() {
    let dir = Dir::new();
    dir.write("data", "5\n");
    let run = dir.split("run --shared-filesystem --total 2 --chunks 2 -- sh -c").arg("cat data; pwd >> where");
    run.answers("10\n");
    assert_eq!(dir.read("where"), format!("{}\n", dir.shown()).repeat(2));
}

#[test]
fn two_runs_at_once_on_one_plan() {
    let dir = Dir::new();
    dir.write("sum.py", SUM);
    dir.split("plan --total 1..=40 --chunks 10 -- python3 sum.py {first} {last}").ok();
    let runs = [(); 2].map(|()| dir.split("run .").start());
    for run in runs {
        let ended = run.wait();
        assert_eq!((ended.text().as_str(), ended.code), ("820\n", Some(0)), "{}", ended.transcript());
    }
    dir.split("reduce .").answers("820\n");
}

#[test]
fn no_more_run_side_by_side_than_asked() {
    let dir = Dir::new();
    let script = "mkdir $BUSY || exit 1; sleep 0.01; rmdir $BUSY; echo 1";
    let run = dir.split("run --total 10 --chunks 10 --jobs 1 --retries 0 -- sh -c").arg(script);
    run.env("BUSY", dir.path("busy")).answers("10\n");
}

impl Dir {
    /// The most memory that a call of `split` takes at a time, in kB; its standard output goes into `answer`.
    fn peak(&self, words: &[&str]) -> u64 {
        let script = "import resource, subprocess, sys\n\
                      code = subprocess.run(sys.argv[1:], stdout=open('answer', 'wb')).returncode\n\
                      print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n";
        self.write("measure.py", script);
        let measured = self.command("python3").arg("measure.py").arg(crate::kit::SPLIT).args(words).ok().text();
        measured.strip_prefix("0 ").and_then(|kilobytes| kilobytes.trim().parse().ok()).expect("success and a size")
    }
}

#[test]
fn large_results_take_little_memory() {
    let dir = Dir::new();
    let megabytes = 60;
    let run =
        ["run", "--total", "2", "--chunks", "2", "--reduce", "concat", "--", "head", "-c", "30000000", "/dev/zero"];
    for words in [&run[..], &["reduce", "outputs"]] {
        let kilobytes = dir.peak(words);
        assert!(kilobytes < 50_000, "{words:?}: {kilobytes} kB at most at a time for {megabytes} MB");
        assert_eq!(fs::metadata(dir.path("answer")).expect("there").len(), megabytes * 1_000_000);
    }
    assert_eq!(fs::metadata(dir.path("result.data")).expect("there").len(), megabytes * 1_000_000);
    // Packed, and from what is packed.
    for words in [&["reduce", "outputs", "--archive", "kept.zip"][..], &["reduce", "kept.zip"]] {
        let kilobytes = dir.peak(words);
        assert!(kilobytes < 50_000, "{words:?}: {kilobytes} kB at most at a time for {megabytes} MB");
        assert_eq!(fs::metadata(dir.path("answer")).expect("there").len(), megabytes * 1_000_000);
    }
}

#[test]
fn large_files_take_little_memory() {
    let dir = Dir::new();
    let script = "head -c 30000000 /dev/zero > $1.bin";
    let run = dir.split("run --total 2 --chunks 2 --collect *.bin -- sh -c").args([script, "sh", "{item}"]);
    run.ok();
    for words in [["reduce", ".", "--to", "all.zip"], ["reduce", ".", "--to", "all/"]] {
        let kilobytes = dir.peak(&words);
        assert!(kilobytes < 50_000, "{words:?}: {kilobytes} kB at most at a time for 60 MB");
    }
    assert_eq!(fs::metadata(dir.path("all/1.bin")).expect("there").len(), 30_000_000);
}

#[test]
fn a_large_table_takes_little_memory() {
    let dir = Dir::new();
    let script = "print(('x' * 400 + chr(10)) * 100000, end='')\n";
    dir.write("rows.py", script);
    dir.split("run --total 2e5 --chunks 2 --reduce table --to t.csv -- python3 rows.py {first}").ok();
    for words in [["reduce", ".", "--to", "t.csv"], ["reduce", ".", "--to", "t.sqlite"]] {
        let kilobytes = dir.peak(&words);
        assert!(kilobytes < 50_000, "{words:?}: {kilobytes} kB at most at a time for 80 MB");
    }
    assert!(fs::metadata(dir.path("t.sqlite")).expect("there").len() > 80_000_000);
}

#[test]
fn an_answer_that_nobody_reads_to_its_end() {
    let dir = Dir::new();
    let mut run = dir.split("run --total 2 --chunks 2 --reduce concat -- head -c 3000000 /dev/zero").start();
    let mut first = [1];
    run.stdout().read_exact(&mut first).expect("a byte");
    let ended = run.wait();
    assert_eq!((first, ended.code), ([0], Some(0)), "{}", ended.transcript());
}

#[test]
fn a_program_on_a_path_of_its_own() {
    let dir = Dir::new();
    let tool = dir.program("tools/my-tool", "#!/bin/sh\necho $SPLIT_FIRST\n");
    let folder = tool.parent().expect("a folder");
    dir.split("run --total 1..=3 --chunks 3 -- my-tool").env("PATH", path_after(&[folder])).answers("6\n");
}

#[test]
fn what_a_program_leaves_behind_does_not_hold_up_the_run() {
    let dir = Dir::new();
    let script = "echo $SPLIT_FIRST; until [ ! -e $LOG ]; do sleep 0.05; done > /dev/null &";
    let log = dir.write("log", "");
    dir.split("run --total 1..=2 --chunks 2 -- sh -c").arg(script).env("LOG", log).answers("3\n");
}

#[test]
fn the_last_words_are_kept_and_no_more() {
    let dir = Dir::new();
    let script = "head -c 3000000 /dev/zero | tr '\\0' x >&2; echo >&2; echo the end >&2; exit 1";
    dir.split("run --total 1 --chunks 1 --retries 0 -- sh -c").arg(script).exits(30).says("| the end");
    let kept = fs::metadata(dir.partial(0)).expect("there").len();
    assert!((60_000..70_000).contains(&kept), "{kept}");
}

#[test]
fn a_run_that_was_killed_while_it_planned_goes_on() {
    for name in ["plan.files", "plan.files/split-runner", "chunk.sub", "plan.dag", "outputs/plan.json", "plan.json"] {
        let dir = Dir::new();
        let run = || dir.split("run --total 1..=10 --chunks 5");
        let mut started = run().start();
        until("it has begun to write", || dir.path(name).exists() || started.has_ended());
        started.signal(Signal::KILL);
        started.wait();
        run().answers("55\n");
    }
}

#[test]
fn two_that_start_at_once_in_an_empty_folder() {
    let dir = Dir::new();
    let runs = [(); 2].map(|()| dir.split("run --total 1..=20 --chunks 10").start());
    let ended = runs.map(crate::kit::Started::wait);
    assert!(ended.iter().any(|ended| ended.code == Some(0)), "{}{}", ended[0].transcript(), ended[1].transcript());
    for ended in ended {
        assert!(
            matches!((ended.code, ended.text().as_str()), (Some(0), "210\n") | (Some(3), "")),
            "{}",
            ended.transcript()
        );
    }
    dir.split("run .").answers("210\n");
}

#[test]
fn a_program_that_chatters_writes_its_result_elsewhere() {
    let dir = Dir::new();
    let script = "echo starting up; echo $0 > \"$1\"; echo done";
    dir.split("run --total 1..=4 --chunks 2 --dir told -- sh -c")
        .arg(script)
        .args(["{last}", "{result}"])
        .answers("6\n");
    let script = "echo starting up; echo $SPLIT_LAST > \"$SPLIT_RESULT\"";
    dir.split("run --total 1..=4 --chunks 2 --dir environment -- sh -c").arg(script).answers("6\n");
}

#[test]
fn a_program_that_was_told_where_to_write_and_did_not_has_no_result() {
    let dir = Dir::new();
    let run = dir.split("run --total 2 --chunks 1 --retries 0 --reduce concat -- sh -c").arg("echo 5").arg("{result}");
    run.exits(30).says("wrote no {result}").says("| 5");
}

#[test]
fn a_program_may_say_on_standard_output_what_went_wrong() {
    let dir = Dir::new();
    let run = dir.split("run --total 2 --chunks 1 --retries 0 -- sh -c").arg("echo the reason; exit 3");
    run.exits(30).says("| the reason");
}

#[test]
fn results_of_other_languages_come_with_their_cure() {
    for (text, cure) in [("[1] 5050", "cat(x"), ("ans = 5050", "disp(x)"), ("sum: 5050", "{result}")] {
        let dir = Dir::new();
        dir.split("run --total 2 --chunks 1 -- echo").arg(text).exits(30).says(cure);
    }
}

#[test]
fn what_a_program_leaves_running_has_no_part_in_any_result() {
    let dir = Dir::new();
    let script = "(sleep 0.2; echo 1000; echo 1000 >> $SPLIT_RESULT) & sleep 0.05; echo $SPLIT_FIRST";
    dir.split("run --jobs 1 --total 1..=8 --chunks 8 -- sh -c").arg(script).answers("36\n");
}

#[test]
fn what_another_reducer_took_is_no_number() {
    let dir = Dir::new();
    let script = "[ $SPLIT_FIRST = 1 ] || echo $SPLIT_FIRST";
    dir.split("run --total 1..=4 --chunks 4 --reduce concat -- sh -c").arg(script).answers("2\n3\n4\n");
    let sum = dir.split("run --keep --total 1..=4 --chunks 4 --reduce sum -- sh -c").arg(script);
    sum.exits(24).says("it is blank, where a result is due").says("item 1");
}

#[test]
fn lost_outputs_are_computed_again() {
    let dir = Dir::computed();
    fs::remove_dir_all(dir.path("outputs")).expect("removed");
    dir.split("run .").answers("55\n");
}

/// Runs a shell's script as root, with file systems of its own; none where that cannot be.
fn with_own_mounts(dir: &Dir, script: &str) -> Option<String> {
    let can = std::process::Command::new("unshare").args(["--mount", "mount", "-t", "tmpfs", "small", "/mnt"]).output();
    if !can.is_ok_and(|ended| ended.status.success()) {
        return None;
    }
    let ended = dir.command("unshare").args(["--mount", "bash", "-c", script, SPLIT]).run();
    Some(ended.text() + &ended.err)
}

#[test]
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn a_disk_that_is_full_is_named_and_costs_what_was_not_written() {
    let dir = Dir::new();
    let script = "\
        mkdir small && mount -t tmpfs -o size=2m small small || exit\n\
        TMPDIR=$PWD/small $0 run --dir a --total 1..=2 --chunks 2 --jobs 1 --retries 0 -- \
            sh -c 'head -c 4000000 /dev/zero >fill && echo $0' {first}\n\
        echo \"exit code $?\"; ls -A small\n\
        $0 plan --dir b --total 1..=4 --chunks 4 --reduce concat -- \
            sh -c 'head -c 40000 /dev/zero | tr \"\\0\" x; echo; echo $0' {first}\n\
        cp b/outputs/plan.json . && mount -t tmpfs -o size=100k small b/outputs && cp plan.json b/outputs\n\
        $0 run b --jobs 1 | wc -c; echo \"exit code ${PIPESTATUS[0]}\"\n\
        mount -o remount,size=2m b/outputs && $0 run b --jobs 1 | grep -v x | tr '\\n' ' '\n";
    let Some(said) = with_own_mounts(&dir, script) else {
        println!("skipped: a small file system takes root");
        return;
    };
    let here = |text: &str| assert!(said.contains(text), "no {text:?} in: {said}");
    here("chunk 0, item 1: the disk is full");
    here("exit code 30\n");
    here("No space left on device");
    here("0\nexit code 1\n");
    here("1 2 3 4 ");
}
