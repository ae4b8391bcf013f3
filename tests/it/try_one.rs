//! `split try`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;

use rustix::process::Signal;

use crate::interrupt::is_running;
use crate::kit::{Dir, Ended, SPLIT, Split, Started, path_after, until};

/// Computes 0 to 9 in two chunks.
fn planned(dir: &Dir, options: &str, command: &[&str]) {
    let plan = dir.split("plan --total 10 --chunks 2 --retries 0").args(options.split_whitespace());
    plan.arg("--").args(command).ok();
}

/// A trial that leaves the folder as it was, and nothing else.
#[track_caller]
fn tried<'a>(dir: &'a Dir, words: &str, code: i32) -> Ended<'a> {
    let ended = dir.split("try").args(words.split_whitespace()).refuses(code);
    assert!(dir.is_tidy(), "{}", ended.transcript());
    ended
}

/// What a trial says, less what differs from run to run.
fn account(ended: &Ended<'_>) -> String {
    let text = ended.transcript();
    let lines = text.lines().map(|line| match line.trim_start().split("  ").next() {
        Some(what @ ("time" | "peak memory" | "disk")) => format!("  {what} [USED]{}", after(line, " of ")),
        Some("its chunk") => line.replace(
            line.split_once("about ").and_then(|(_, rest)| rest.split_once(" from")).map_or("", |(time, _)| time),
            "[TIME]",
        ),
        _ => match line.split_once("/split-job-") {
            Some((before, after)) => {
                let before = before.rsplit_once(' ').map_or("", |(before, _)| before);
                format!("{before} [JOB]/{}", after.split_once('/').unwrap_or_default().1)
            }
            None => line.to_owned(),
        },
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn after<'a>(line: &'a str, mark: &str) -> &'a str {
    line.find(mark).map_or("", |at| &line[at..])
}

/// The amount that stands behind `what`, in MB.
fn megabytes(ended: &Ended<'_>, what: &str) -> f64 {
    let line = ended.err.lines().find_map(|line| line.trim_start().strip_prefix(what)).expect(what);
    let words: Vec<_> = line.split_whitespace().collect();
    let amount: f64 = words[0].parse().expect("a number");
    match words[1] {
        "KB" => amount / 1024.0,
        "MB" => amount,
        "GB" => amount * 1024.0,
        unit => panic!("{unit}"),
    }
}

#[test]
fn an_item_a_chunk_and_what_is_neither() {
    let dir = Dir::new();
    let script = "[ $1 = 7 ] && { echo no sevens >&2; exit 3; }\nseq $1 $2\n";
    dir.write("go.sh", script);
    planned(&dir, "", &["sh", "go.sh", "{first}", "{last}"]);
    assert_eq!(tried(&dir, "", 0).text(), "0\n");
    assert_eq!(tried(&dir, "8", 0).text(), "8\n");
    let shown = ["", "8", "chunk-1", "chunk-000000-g1", "7", "10", "-5", "chunk-2", "chunk-0-g7", "x"].map(|what| {
        let code = match what {
            "7" => 30,
            "10" | "-5" | "chunk-2" | "chunk-0-g7" | "x" => 2,
            _ => 0,
        };
        account(&tried(&dir, what, code))
    });
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn negative_items_and_folders_elsewhere() {
    let dir = Dir::new();
    dir.split("plan --dir there --total -5..=5 --chunks 2 -- echo {first} {count}")
        .ok()
        .says("first: split try --dir there ");
    dir.split("try -5 --dir there").exits(30).says("then: split try -5 --dir there");
    dir.split("plan --dir text --total -5..=5 --chunks 2 --reduce concat -- echo {first} {count}").ok();
    dir.split("try -5 --dir text").answers("-5 1\n");
    dir.split("try").refuses(5);
}

#[test]
fn results_as_they_would_be_merged() {
    for (reduce, says) in [
        ("sum", "which sum takes as 6"),
        ("max", "which max takes as 3"),
        ("count", "which count counts as 1"),
        ("concat", "which concat puts between the others'"),
    ] {
        let dir = Dir::new();
        planned(&dir, &format!("--reduce {reduce}"), &["seq", "3"]);
        assert_eq!(tried(&dir, "", 0).says(says).text(), "1\n2\n3\n");
    }
    let dir = Dir::new();
    planned(&dir, "", &["echo", "x = 5"]);
    insta::assert_snapshot!(account(&tried(&dir, "", 30)));
    let dir = Dir::new();
    planned(&dir, "", &["true"]);
    tried(&dir, "", 30).says("the program printed nothing");
    let dir = Dir::new();
    dir.split("plan --total 1..=10 --chunks 1").ok().is_silent_on("split try");
    assert_eq!(tried(&dir, "chunk-0", 0).says("which sum takes as 55").text().lines().count(), 10);
}

#[test]
fn the_plan_recommends_it_until_the_code_has_run() {
    let dir = Dir::new();
    dir.write("go.sh", "echo $1\n");
    let plan = |options: &str| {
        let plan = dir.split("plan --total 3 --chunks 3").args(options.split_whitespace());
        plan.args(["--", "sh", "go.sh", "{first}"]).ok()
    };
    let recommendation =
        "first: split try     computes one item here as a job would\nnext: condor_submit_dag plan.dag\n";
    plan("").says(recommendation);
    plan("").says(recommendation);
    dir.split("run .").answers("3\n");
    plan("").is_silent_on("split try");
    dir.write("go.sh", "echo 1$1\n");
    plan("--keep").says(recommendation);
}

/// What stands in the way of a program, in the environment of whoever types this.
fn python<'a>(dir: &'a Dir, environment: &[(&str, &Path)]) -> Ended<'a> {
    dir.write("go.py", "import zork\nprint(zork.VALUE)\n");
    dir.split("plan --force --total 1 --chunks 1 -- python3 go.py").ok();
    let mut command = dir.split("try");
    for (name, value) in environment {
        command = command.env(name, value);
    }
    let ended = command.exits(30);
    ended.says("ModuleNotFoundError").says("mend it, then: split try");
    ended
}

#[test]
fn a_module_that_the_users_environment_hides() {
    let dir = Dir::new();
    let elsewhere = Dir::new();
    let module = "VALUE = 7\n";
    python(&dir, &[]).is_silent_on("zork is found here");

    elsewhere.write("lib/zork.py", module);
    let python_path = python(&dir, &[("PYTHONPATH", &elsewhere.path("lib"))]);
    python_path.says("the module zork is found here by way of PYTHONPATH, which names").says("jobs do not have that");
    dir.write("lib/zork.py", module);
    python(&dir, &[("PYTHONPATH", &dir.path("lib"))]).says("--input lib --env PYTHONPATH=lib sends it");
    let mended = dir.split("plan --force --total 1 --chunks 1 --input lib --env PYTHONPATH=lib -- python3 go.py");
    mended.ok();
    dir.split("try").answers("7\n");

    let home = elsewhere.path("home");
    let site = elsewhere.command("python3").args(["-m", "site", "--user-site"]).env("HOME", &home).run().text();
    elsewhere.write(Path::new(site.trim()).join("zork.py"), module);
    python(&dir, &[("HOME", &home)]).says("zork is found here by way of your home folder, in ");

    dir.write("zork.py", module);
    python(&dir, &[]).says("zork.py is here and is not sent: --input zork.py sends it");
    fs::remove_file(dir.path("zork.py")).expect("removed");
    dir.command("python3").args(["-m", "venv", "--without-pip", ".venv"]).ok();
    let find = dir.command(".venv/bin/python3").args(["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]);
    dir.write(Path::new(find.run().text().trim()).join("zork.py"), module);
    let path = path_after(&[&dir.path(".venv/bin")]);
    python(&dir, &[("PATH", Path::new(&path))])
        .says("by way of the virtual environment .venv; jobs do not have that: name its Python, .venv/bin/python3");
}

#[test]
fn programs_files_and_homes_that_a_job_does_not_have() {
    let dir = Dir::new();
    let elsewhere = Dir::new();
    elsewhere.write(".settings/tool.ini", "x");
    let tool = elsewhere.program("bin/of-mine", "#!/bin/sh\necho 7\n");
    dir.write("data/a.csv", "7\n");
    let home = elsewhere.path("");
    let path = path_after(&[&elsewhere.path("bin")]);
    let fails = |command: &[&str], says: &str| {
        dir.split("plan --force --total 1 --chunks 1 --").env("PATH", &path).args(command).ok();
        let ended = dir.split("try").env("PATH", &path).env("HOME", &home).exits(30);
        ended.says(says);
    };
    let here = format!("name the program by its path (of-mine is {} here), or set PATH with --env", tool.display());
    fails(&["of-mine"], &here);
    fails(&["sh", "-c", "of-mine"], &here);
    fails(&["env", "of-mine"], &here);
    fails(&["sh", "-c", "cat data/a.csv"], "help: data/a.csv is here and is not sent: --input data/a.csv sends it");
    fails(&["sh", "-c", "cat < data/a.csv"], "help: data/a.csv is here and is not sent: --input data/a.csv sends it");
    fails(&["sh", "-c", "cat ~/.settings/tool.ini"], "help: ~/.settings/tool.ini is in your home folder");
    fails(&["sh", "-c", "cat $HOME/none"], "cat: ");
    dir.write("gone.sh", "echo 7\n");
    dir.split("plan --force --total 1 --chunks 1 -- sh gone.sh").ok();
    fs::remove_file(dir.path("gone.sh")).expect("removed");
    tried(&dir, "", 30).says("gone.sh did not arrive").says("bring it back, or plan again");
}

#[test]
fn the_environment_is_a_jobs_and_no_more() {
    let dir = Dir::new();
    planned(&dir, "--cpus 3 --reduce concat --env MINE=1", &["sh", "-c", "env; pwd; ls -A . .."]);
    let ended = dir.split("try").env("PYTHONPATH", "/nowhere").env("OF_MINE", "1").ok();
    let text = ended.text();
    let get = |name: &str| text.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
    assert_eq!((get("OF_MINE"), get("MINE")), (None, Some("1")));
    // Of its own: the folder with the checkpoint library alone.
    let python = get("PYTHONPATH").expect("set");
    assert!(python.ends_with("/python") && !python.contains("nowhere"), "{python}");
    assert_eq!(get("PATH"), Some("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
    assert_eq!(
        (get("OMP_NUM_THREADS"), get("MKL_NUM_THREADS"), get("CUDA_VISIBLE_DEVICES")),
        (Some("3"), Some("3"), Some("10000"))
    );
    let sandbox = get("_CONDOR_SCRATCH_DIR").expect("set");
    let work = format!("{sandbox}/work");
    assert_eq!((get("HOME"), get("TMPDIR")), (Some(work.as_str()), Some(format!("{sandbox}/tmp").as_str())));
    let listed: Vec<_> =
        text.lines().skip_while(|line| *line != work).skip(1).filter(|line| !line.starts_with(".split-")).collect();
    assert_eq!(listed, [".:", "", "..:", ".job.ad", ".machine.ad", "job.json", "split-runner", "tmp", "work"]);
    dir.split("plan --keep --total 10 --chunks 2 --gpus 1")
        .args(["--reduce", "concat", "--env", "MINE=1", "--", "sh", "-c", "env; pwd; ls -A . .."])
        .ok();
    tried(&dir, "", 0).is_silent_on("CUDA_VISIBLE_DEVICES");
}

#[test]
fn memory_and_disk_are_measured_over_the_whole_tree() {
    let dir = Dir::new();
    let hold = "\
import os, time
held = bytearray(20 << 20)
ready, told = os.pipe()
for child in range(2):
    if os.fork() == 0:
        held = bytes(90 << 20).replace(b'\\0', b'x')
        os.write(told, b'.')
        time.sleep(0.4)
        os._exit(0)
while len(os.read(ready, 1)) == 0: pass
open('left', 'wb').write(bytes(20 << 20))
open(os.environ['TMPDIR'] + '/left', 'wb').write(bytes(30 << 20))
os.wait(), os.wait()
print(1)
";
    dir.write("hold.py", hold);
    planned(&dir, "--memory 210MB --disk 40MB", &["python3", "hold.py"]);
    let ended = tried(&dir, "", 0);
    let memory = megabytes(&ended, "peak memory");
    assert!((190.0..400.0).contains(&memory), "{}", ended.transcript());
    assert!((50.0..60.0).contains(&megabytes(&ended, "disk")), "{}", ended.transcript());
    ended.says("plan again with --memory ").says("note: it takes more disk than was asked for").says("--disk 128MB");

    // Shorter than the time between two samples.
    let dir = Dir::new();
    planned(&dir, "--memory 4GB", &["python3", "-c", "x = bytearray(200 << 20); print(1)"]);
    let ended = tried(&dir, "", 0);
    assert!((150.0..300.0).contains(&megabytes(&ended, "peak memory")), "{}", ended.transcript());
    ended.is_silent_on("note:");
    let dir = Dir::new();
    planned(&dir, "", &["echo", "1"]);
    let ended = tried(&dir, "", 0);
    assert!(megabytes(&ended, "peak memory") < 40.0, "{}", ended.transcript());
    // What the shell had run before it became this is none of the job's.
    let shell = dir.command("bash").args(["-c", "python3 -c 'bytearray(200 << 20)'; exec \"$0\" try", SPLIT]);
    let ended = shell.ok();
    assert!(megabytes(&ended, "peak memory") < 40.0, "{}", ended.transcript());
}

#[test]
fn on_a_shared_file_system_it_runs_where_the_files_are() {
    let dir = Dir::new();
    dir.write("data.txt", "7\n");
    let command = ["sh", "-c", "pwd >&2; cat data.txt; [ $SPLIT_FIRST != 3 ]"];
    planned(&dir, "--shared-filesystem", &command);
    let ended = tried(&dir, "", 0);
    assert_eq!(ended.text(), "7\n");
    tried(&dir, "3", 30).says(&format!("| {}", dir.shown()));
    assert_eq!(dir.partials().len(), 0);
}

/// Notes a child of its own, in a session of its own, and waits for `go`.
const WAITS: &str = "\
setsid sh -c 'echo $$ >> children; until [ -e go ] || [ ! -e children ]; do sleep 0.02; done' &
wait
echo 1
";

fn children(dir: &Dir) -> Vec<i32> {
    let text = fs::read_to_string(dir.path("children")).unwrap_or_default();
    text.split_terminator('\n').map(|line| line.parse().expect("a process")).collect()
}

fn children_are_gone(dir: &Dir) {
    until("the children are gone", || !children(dir).into_iter().any(is_running));
}

fn waiting<'a>(dir: &'a Dir, before: &str, command: &str) -> Started<'a> {
    let script = format!("cd '{}'\n{before}\n{WAITS}", dir.shown());
    planned(dir, "", &["sh", "-c", &script.replace('{', "{{").replace('}', "}}")]);
    let started = dir.split_on_a_terminal(command).start();
    until("it waits", || children(dir).len() == 1);
    started
}

#[test]
fn ctrl_c_ends_it_and_leaves_nothing() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let dir = Dir::new();
        let started = waiting(&dir, "", "try");
        started.signal(signal);
        let ended = started.wait();
        assert_eq!(ended.code, Some(130), "{}", ended.transcript());
        ended.says("error: stopped; nothing is kept of it");
        assert!(ended.out.is_empty() && dir.is_tidy() && dir.partials().is_empty());
        children_are_gone(&dir);
    }
}

#[test]
fn ctrl_c_twice_ends_a_program_that_will_not() {
    let dir = Dir::new();
    let mut started = waiting(&dir, "trap '' INT TERM", "try");
    until("it ends", || {
        started.signal(Signal::INT);
        started.has_ended()
    });
    assert_eq!(started.wait().code, Some(130));
    children_are_gone(&dir);
    assert!(dir.is_tidy());
}

#[test]
fn what_a_program_leaves_running_ends_with_it() {
    let dir = Dir::new();
    let script = format!(
        "cd '{}'\nenv -i setsid sh -c 'echo $$ >> children; exec sleep 60' </dev/null >/dev/null 2>&1 &\n\
         until [ -s children ]; do sleep 0.02; done\necho 1\n",
        dir.shown()
    );
    planned(&dir, "", &["sh", "-c", &script]);
    let started = Instant::now();
    dir.split("try").answers("1\n").says("note: it left 1 process running when it ended");
    assert!(started.elapsed().as_secs() < 20);
    assert_eq!(children(&dir).len(), 1);
    children_are_gone(&dir);
}

#[test]
fn what_jobs_are_sent_has_to_be_there() {
    let dir = Dir::new();
    planned(&dir, "", &["echo", "1"]);
    fs::rename(dir.path("outputs"), dir.path("moved")).expect("moved");
    dir.split("try --dir moved").refuses(5).says("moved/plan.files/job/job.json is not there");
}

/// Stands for apptainer: prints what it was asked, and runs the command in the environment that it was told.
const APPTAINER: &str = r#"#!/bin/bash
printf '%s\n' "$@" > "$RECORD"
while [ "$1" != --pwd ]; do shift; done
cd "$2"
shift 3
variables=()
while IFS='=' read -r -d '' name value; do
    case $name in APPTAINERENV_*) variables+=("${name#APPTAINERENV_}=$value") ;; esac
done < <(env -0)
exec env -i "${variables[@]}" "$@"
"#;

#[test]
fn in_a_container_or_not_at_all() {
    let dir = Dir::new();
    dir.write("image.sif", "");
    planned(&dir, "--container image.sif", &["echo", "1"]);
    let bare = |path: &Path| -> Split<'_> { dir.split("try").env("PATH", path) };
    bare(Path::new("/nowhere")).refuses(1).says("error: its jobs run in a container, and there is no apptainer here");
    let tools = Dir::new();
    tools.program("bin/apptainer", APPTAINER);
    let path = path_after(&[&tools.path("bin")]);
    let record = tools.path("record");
    bare(Path::new(&path)).env("RECORD", &record).answers("1\n");
    let asked = fs::read_to_string(&record).expect("written");
    let words: Vec<_> = asked.lines().collect();
    assert_eq!(words[..5], ["exec", "--cleanenv", "--contain", "--no-home", "--bind"]);
    let sandbox = words[5];
    assert_eq!(words[6..8], ["--pwd", sandbox]);
    assert_eq!(Path::new(words[8]).canonicalize().ok(), dir.path("image.sif").canonicalize().ok());
    assert_eq!(words[9..], [&format!("{sandbox}/split-runner"), "exec", "job.json", "0", "0", "1"]);
    dir.split("plan --force --total 1 --chunks 1 --container osdf:///image.sif -- echo 1").ok();
    bare(Path::new(&path)).refuses(1).says("which HTCondor fetches for them");
}

#[test]
fn modes_and_links_arrive_as_htcondor_sends_them() {
    let dir = Dir::new();
    dir.program(
        "data/tool",
        "#!/bin/sh\n[ -L data/tool ] || [ -w data/fixed ] && [ $(id -u) != 0 ] || stat -c %a data/tool data/fixed\n",
    );
    let fixed = dir.write("data/fixed", "x");
    fs::set_permissions(&fixed, fs::Permissions::from_mode(0o444)).expect("set");
    planned(&dir, "--reduce concat --input data", &["data/tool"]);
    assert_eq!(tried(&dir, "", 0).text(), "755\n444\n");
}

#[test]
fn what_jobs_may_miss_is_said_again() {
    let dir = Dir::new();
    dir.write("lib/helper.py", "VALUE = 7\n");
    let lib = dir.path("lib").display().to_string();
    let plan = dir.split("plan --total 3 --chunks 3 --input lib --env").arg(format!("PYTHONPATH={lib}"));
    let note = "note: the variable PYTHONPATH names ";
    plan.args(["--", "python3", "-c", "import helper, sys; print(helper.VALUE + int(sys.argv[1]))", "{first}"])
        .ok()
        .says(note);
    dir.split("try").answers("7\n").says(note);
    dir.split("plan --force --total 3 --chunks 3").ok();
    dir.split("try").answers("0\n").is_silent_on("note:");
}
