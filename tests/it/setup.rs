//! `--setup`: a shell file whose environment the program runs in.

use std::fs;

use crate::kit::{Dir, until};

/// A folder with a program that only its set-up lets find and work, and the words that plan it.
fn prepared() -> Dir {
    let dir = Dir::new();
    dir.program("tools/triple", "#!/bin/sh\n[ \"$GREETING\" = 'hello\nworld' ] && echo $((3 * $1))\n");
    dir.write("env.sh", "# Tools of our own.\nexport GREETING=$'hello\\nworld'\nsource more.sh\n");
    dir.write("more.sh", "PATH=$PWD/tools:$PATH\n");
    dir
}

const WORDS: &str = "--total 1..=4 --chunks 4 --setup env.sh --input tools --input more.sh -- triple {first}";

#[test]
fn what_it_sets_holds_for_the_program() {
    let dir = prepared();
    dir.split("run").args(WORDS.split(' ')).answers("30\n").says("env.sh               transferred, and read by bash");
    // And so in a job, whose environment is bare.
    dir.split("plan --force").args(WORDS.split(' ')).ok();
    dir.command("cp").args(["-RL", "plan.files/job", "sandbox"]).ok();
    let runner = dir.path("plan.files/split-runner");
    let exec = dir.command("/usr/bin/env").arg("-i").arg(runner).args(["exec", "job.json", "2", "2", "3"]);
    exec.within("sandbox").ok();
    let partial = dir.names("sandbox").remove(0);
    let text = dir.read(format!("sandbox/{partial}"));
    assert!(text.contains("\n9\n"), "{text}");
}

#[test]
fn on_a_shared_file_system_it_is_read_where_it_is() {
    let dir = prepared();
    dir.split("run --shared-filesystem").args(WORDS.split(' ')).answers("30\n");
}

#[test]
fn the_profile_of_the_machine_changes_nothing_that_was_asked_for() {
    let dir = Dir::new();
    dir.write("env.sh", "declare -F conda >&2\n");
    let shell = ["--", "sh", "-c", "echo $PATH; echo $HOME; env"];
    dir.split("plan --total 1 --chunks 1 --setup env.sh --reduce concat --env PATH=/bin:/usr/bin:/opt/x --env HOME=/")
        .args(shell)
        .ok();
    dir.command("cp").args(["-RL", "plan.files/job", "sandbox"]).ok();
    let runner = dir.path("plan.files/split-runner");
    let exec = dir.command("/usr/bin/env").arg("-i").arg(runner).args(["exec", "job.json", "0", "0", "1"]);
    exec.within("sandbox").ok();
    let partial = dir.names("sandbox").remove(0);
    let text = dir.read(format!("sandbox/{partial}"));
    assert!(text.contains("\n/bin:/usr/bin:/opt/x\n/\n"), "{text}");
    assert!(text.contains("SPLIT_COUNT=1\n") && !text.contains("SHLVL") && !text.contains("split_"), "{text}");
}

#[test]
fn one_that_fails_is_named_with_its_line() {
    let check = |text: &str, why: &str| {
        let dir = Dir::new();
        dir.write("env.sh", text);
        let run = dir.split("run --total 1 --chunks 1 --retries 0 --setup env.sh -- echo {first}");
        run.exits(30).says(&format!("the set-up failed: {why}"));
    };
    check("true\necho oh >&2\nmodule load matlab\nexport X=1\n", "env.sh, line 3: exit code 127");
    check("true\ncd /nowhere || return 4\n", "it ended with exit code 4");
    check("conda activate sim\n", "env.sh, line 1: exit code 127");
    check("exit 0\n", "it ended the shell, by `exit` or `exec`, before its end");
    check("exit 5\n", "it ended the shell: exit status: 5");
    check("kill -9 $$\n", "it ended the shell: signal: 9");
    check("if true; then\n", "it ended with exit code 2");
    check("printf 'false\\n' >inner.sh\n\nsource inner.sh\n", "env.sh, line 3: exit code 1");
    check("false\nreturn 0\n", "env.sh, line 1: exit code 1");
    check("[ -n \"$NOPE\" ] || return 1\n", "it ended with exit code 1");
}

#[test]
fn what_a_shell_takes_for_no_failure_is_none() {
    let dir = Dir::new();
    dir.write("env.sh", "if false; then :; fi\nfalse || true\n! true\nf() { false; true; }\nf\nset -u\nexport A=1\n");
    dir.split("run --total 7..8 --chunks 1 --setup env.sh -- sh -c")
        .args(["echo $A$1", "sh", "{first}"])
        .answers("17\n");
    // Files that it reads try things; and a last line may find nothing to do.
    dir.write("vendor.sh", "command -v no-such-tool\nfalse\nexport B=2\n");
    dir.write("env.sh", "source vendor.sh\n[ -n \"$NOPE\" ] && export B=3\n");
    let run = dir.split("run --force --total 7..8 --chunks 1 --input vendor.sh --setup env.sh -- sh -c");
    run.args(["echo $B$1", "sh", "{first}"]).answers("27\n");
}

#[test]
fn variables_of_any_name_arrive_and_may_be_set() {
    let names = ["setup", "environment", "failure", "runner", "in_job", "given", "name", "status", "folder", "where"];
    let dir = Dir::new();
    dir.write("env.sh", "export line=9\nstatus=1\n");
    let mut plan = dir.split("plan --total 1 --chunks 1 --reduce concat --setup env.sh");
    for name in names {
        plan = plan.args(["--env", &format!("{name}=own")]);
    }
    plan.args(["--", "env"]).ok();
    for text in [dir.split("try").ok().text(), dir.split("run .").ok().text()] {
        for name in names {
            let value = if name == "status" { "1" } else { "own" };
            assert!(text.contains(&format!("\n{name}={value}\n")), "{name}: {text}");
        }
        assert!(text.contains("\nline=9\n") && !text.contains("__split"), "{text}");
    }
}

#[test]
fn it_needs_a_file_and_a_program() {
    let dir = Dir::new();
    dir.write("env.sh", "");
    dir.split("plan --total 1 --chunks 1 --setup env.sh").refuses(2).says("there is no program that it would be for");
    let plan = |setup: &str| dir.split("plan --total 1 --chunks 1").args(["--setup", setup, "--", "true"]);
    plan("none.sh").refuses(2).says("--setup none.sh: there is no such file");
    plan(".").refuses(2).says("--setup .: not a file");
}

#[test]
fn a_changed_one_is_other_code() {
    let dir = prepared();
    dir.split("plan").args(WORDS.split(' ')).ok();
    let code = |dir: &Dir| dir.read("plan.json").split("\"code\": ").nth(1).expect("the code")[..34].to_owned();
    let before = code(&dir);
    dir.split("plan")
        .args(WORDS.replace("--setup", "--input").split(' '))
        .refuses(3)
        .says("--setup: was env.sh, now none");
    fs::write(dir.path("env.sh"), "true\n").expect("written");
    dir.split("plan").args(WORDS.split(' ')).refuses(3).says("the file env.sh: was as it was, now changed");
    dir.split("plan --force").args(WORDS.split(' ')).ok();
    assert_ne!(code(&dir), before);
}

#[test]
fn ctrl_c_ends_it_too() {
    let dir = Dir::new();
    dir.write("env.sh", "echo $$ >\"$MARK\"\nsleep 60\n");
    let run = dir.split("run --total 1 --chunks 1 --setup env.sh -- true").env("MARK", dir.path("mark")).start();
    until("the set-up has started", || fs::read_to_string(dir.path("mark")).is_ok_and(|text| text.ends_with('\n')));
    run.signal(rustix::process::Signal::INT);
    let ended = run.wait();
    assert_eq!(ended.code, Some(130), "{}", ended.transcript());
    let process = dir.read("mark");
    until("the shell is gone", || !std::path::Path::new("/proc").join(process.trim()).exists());
    assert!(dir.is_tidy() && dir.partials().is_empty());
}
