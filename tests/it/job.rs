//! The runner inside a job, started as HTCondor starts it, without HTCondor.

use std::fs;
use std::path::Path;

use crate::kit::{Dir, Ended, SUM, Split};

/// Copies what is in `plan.files/job/` to a sandbox, links followed, as file transfer does.
pub(crate) fn sandbox(dir: &Dir, name: &str) {
    dir.command("cp").args(["-RL", "plan.files/job", name]).ok();
    // By another process: no program is started here while the file is open for writing.
    dir.command("cp").args(["plan.files/split-runner", &format!("{name}/condor_exec.exe")]).ok();
}

/// A command without any environment.
pub(crate) fn bare<'a>(dir: &'a Dir, program: &Path) -> Split<'a> {
    dir.command("/usr/bin/env").arg("-i").arg(program)
}

/// Runs chunk 0, which is all of the items from 0 to, not including, 2, in a sandbox of its own.
fn attempt<'a>(dir: &'a Dir, name: &str) -> Ended<'a> {
    sandbox(dir, name);
    bare(dir, &dir.path(name).join("condor_exec.exe")).args(["exec", "job.json", "0", "0", "2"]).within(name).run()
}

fn planned(words: &[&str]) -> Dir {
    let dir = Dir::new();
    dir.write("code/sum.py", SUM);
    dir.split("plan --total 1..=4 --chunks 2").args(words).ok();
    dir
}

#[test]
fn a_job_leaves_its_partial_and_nothing_else() {
    let dir = planned(&["--", "python3", "code/sum.py", "{first}", "{last}"]);
    let before = ["condor_exec.exe", "job.json", "work"];
    let ended = attempt(&dir, "sandbox");
    assert_eq!(ended.code, Some(0), "{}", ended.transcript());
    assert!(ended.out.is_empty() && ended.err.is_empty(), "{}", ended.transcript());
    let mut names = dir.names("sandbox");
    let partial = names.remove(0);
    assert!(partial.starts_with("chunk-000000.0-") && partial.ends_with(".part"), "{partial}");
    assert_eq!(names, before);
    fs::copy(dir.path("sandbox").join(&partial), dir.path("outputs").join(&partial)).expect("brought back");
    dir.split("run .").answers("10\n").says("2 of 4 items have results already");
}

#[test]
fn a_job_has_a_path_a_home_and_a_folder_for_temporary_files() {
    let script = "echo $PATH; echo $HOME; [ -d \"$TMPDIR\" ] && [ -w \"$HOME\" ] && cd && pwd && echo $ANIMAL";
    let dir = planned(&["--reduce", "concat", "--env", "ANIMAL=cat", "--", "sh", "-c", script, "{first}"]);
    let ended = attempt(&dir, "sandbox");
    assert_eq!(ended.code, Some(0), "{}", ended.transcript());
    let partial = dir.names("sandbox").remove(0);
    let text = dir.read(format!("sandbox/{partial}"));
    assert!(text.contains("/usr/bin") && text.contains("/sandbox") && text.contains("\ncat\n"), "{text}");
}

#[test]
fn the_exit_code_says_how_it_failed_and_the_partial_why() {
    for (code, cause, words) in [
        (70, "{\"exit-code\":3}", &["sh", "-c", "echo why >&2; exit 3"][..]),
        (71, "{\"signal\":9}", &["sh", "-c", "echo why >&2; kill -9 $$"]),
        (72, "\"no-result\"", &["true"]),
        (73, "{\"not-started\":", &["no-such-program"]),
        (73, "{\"not-started\":", &["./no-such-program"]),
    ] {
        let dir = planned(&[&["--"], words].concat());
        let ended = attempt(&dir, "sandbox");
        assert_eq!(ended.code, Some(code), "{}", ended.transcript());
        let partial = dir.names("sandbox").remove(0);
        let text = dir.read(format!("sandbox/{partial}"));
        assert!(text.contains(&format!("\"cause\":{cause}")), "{text}");
        assert_eq!(text.contains("\nwhy\n"), code < 72, "{text}");
    }
}

#[test]
fn two_attempts_never_have_the_same_name() {
    let dir = planned(&[]);
    let names = ["one", "two", "three"].map(|name| {
        assert_eq!(attempt(&dir, name).code, Some(0));
        dir.names(name).remove(0)
    });
    assert!(names[0] != names[1] && names[1] != names[2] && names[0] != names[2], "{names:?}");
}

#[test]
fn an_attempt_is_named_after_how_often_the_job_failed_before() {
    let dir = planned(&["--", "sh", "-c", "exit 3"]);
    let ads =
        [("first", "NumJobCompletions = 0\n"), ("third", "NumJobStarts = 7\nNumJobCompletions = 2\n"), ("none", "")];
    // The last attempt yields.
    for ((name, ad), (retry, code)) in ads.into_iter().zip([(0, 70), (2, 0), (0, 70)]) {
        sandbox(&dir, name);
        let ad = dir.write(format!("{name}.ad"), ad);
        let job = dir.command("/usr/bin/env").arg("-i").arg(format!("_CONDOR_JOB_AD={}", ad.display()));
        let job = job.arg(dir.path(name).join("condor_exec.exe")).args(["exec", "job.json", "0", "0", "2"]);
        job.within(name).exits(code);
        let partial = dir.names(name).remove(0);
        assert!(partial.starts_with(&format!("chunk-000000.{retry}-")), "{partial}");
    }
}

#[test]
fn a_file_that_did_not_arrive_is_named() {
    let dir = planned(&["--", "python3", "code/sum.py", "{first}", "{last}"]);
    sandbox(&dir, "sandbox");
    fs::remove_file(dir.path("sandbox/work/code/sum.py")).expect("removed");
    let run = bare(&dir, &dir.path("sandbox/condor_exec.exe")).args(["exec", "job.json", "0", "0", "2"]);
    run.within("sandbox").exits(74).says("code/sum.py did not arrive");
}

#[test]
fn a_document_that_is_damaged_is_named() {
    let dir = planned(&[]);
    for text in ["", "{", "{\"format\": 2}"] {
        dir.write("plan.files/job/job.json", text);
        let ended = attempt(&dir, &format!("sandbox-{}", text.len()));
        assert_eq!(ended.code, Some(74), "{}", ended.transcript());
        ended.says("job.json");
    }
}

#[test]
fn numbers_that_make_no_sense() {
    let dir = planned(&[]);
    for numbers in ["", "0", "0 0 5", "0 2 2", "0 2 1", "x 0 2", "0 -1 2", "0 0 2 0"] {
        let run = dir
            .command(dir.path("plan.files/split-runner"))
            .args(["exec", "plan.files/job/job.json"])
            .args(numbers.split(' '));
        run.refuses(2);
    }
}

#[test]
fn by_hand_the_runner_says_who_starts_it() {
    let dir = planned(&[]);
    dir.command(dir.path("plan.files/split-runner")).refuses(2).says("started by the files that `split plan` writes");
}

#[test]
fn the_post_script_stops_a_dag_whose_program_is_broken() {
    let dir = Dir::new();
    dir.split("plan --total 1..=40 --chunks 20 -- sh -c")
        .args(["echo no module named physics; exit 3", "{first}"])
        .ok();
    let here = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let post = || dir.command(dir.path("plan.files/split-runner")).args(["post", "70"]).run().code;
    for chunk in 0..10 {
        assert_eq!(post(), Some(70), "{chunk}");
        let numbers = [chunk, 2 * chunk, 2 * chunk + 2].map(|number| number.to_string());
        let job = bare(&dir, &dir.path("plan.files/split-runner")).args(["exec", "../plan.files/job/job.json"]);
        job.args(numbers).within("outputs").exits(70);
    }
    assert_eq!(post(), Some(76));
    insta::assert_snapshot!(dir.read("logs/stopped.txt").replace(&here, "[HOST]"));
    dir.split("reduce outputs").exits(20).says("logs/stopped.txt");
    // What failed before the stop may have been mended.
    assert_eq!(post(), Some(70));
}

#[test]
fn the_post_script_passes_exit_codes_on() {
    let dir = planned(&["--", "no-such-program", "{first}"]);
    let post = |status: &str| dir.command(dir.path("plan.files/split-runner")).args(["post", status]).run().code;
    assert_eq!((post("0"), post("70"), post("73"), post("-9")), (Some(0), Some(70), Some(73), Some(1)));
}
