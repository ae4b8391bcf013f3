//! The commands, what they start from, and what has to hold after each.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};

use split::checkpoint::{CheckpointError, Settings};
use split::exit::Exit;

use crate::nodes;
use crate::tracer::{self, Fault, Traced};

const SPLIT: &str = env!("CARGO_BIN_EXE_split");

/// Without `all`, so many points of a scene are taken, with one fault each.
const SOME: usize = 12;

/// A command and what becomes of it.
struct Scene {
    name: &'static str,
    /// There are at least so many points.
    least: usize,
    /// Makes what it starts from.
    prepare: fn(&Folder),
    /// The command.
    command: fn(&Folder) -> Command,
    /// Checks that nothing half-written is taken for whole, does what a user or HTCondor would do, and gives the answer.
    recover: fn(&Folder, &Traced) -> Vec<u8>,
}

#[rustfmt::skip]
const SCENES: [Scene; 24] = [
    Scene { name: "run", least: 25, prepare: |_| {}, command: |folder| folder.split(RUN), recover: run_again },
    Scene { name: "plan", least: 25, prepare: |_| {}, command: |folder| folder.split(PLAN), recover: plan_again },
    Scene { name: "plan-table", least: 25, prepare: a_table, command: |folder| folder.split(PLAN_TABLE), recover: plan_table_again },
    Scene { name: "job", least: 10, prepare: a_job, command: job, recover: job_again },
    Scene { name: "job-collects", least: 10, prepare: a_job_that_collects, command: job, recover: job_that_collects_again },
    Scene { name: "job-in-place", least: 10, prepare: a_job_in_place, command: job_in_place, recover: job_in_place_again },
    Scene { name: "reduce", least: 4, prepare: |folder| computed(folder, RUN), command: |folder| folder.split("reduce ."), recover: reduce_again },
    Scene { name: "reduce-table", least: 4, prepare: |folder| computed(folder, TO_CSV), command: |folder| folder.split("reduce ."), recover: |folder, ended| answer_again(folder, ended, "t.csv") },
    Scene { name: "reduce-sqlite", least: 4, prepare: |folder| computed(folder, TO_SQLITE), command: |folder| folder.split("reduce ."), recover: database_again },
    Scene { name: "reduce-zip", least: 4, prepare: |folder| computed(folder, TO_ZIP), command: |folder| folder.split("reduce ."), recover: |folder, ended| answer_again(folder, ended, "got.zip") },
    Scene { name: "reduce-folder", least: 4, prepare: |folder| computed(folder, TO_FOLDER), command: |folder| folder.split("reduce ."), recover: folder_again },
    Scene { name: "reduce-archive", least: 10, prepare: |folder| computed(folder, RUN), command: |folder| folder.split(ARCHIVE), recover: archive_again },
    Scene { name: "plan-keep", least: 25, prepare: one_is_missing, command: |folder| folder.split(KEEP), recover: keep_again },
    Scene { name: "plan-force", least: 25, prepare: one_is_missing, command: |folder| folder.split(FORCE), recover: force_again },
    Scene { name: "resume", least: 8, prepare: one_is_missing, command: |folder| folder.split("resume ."), recover: resume_again },
    Scene { name: "tail", least: 3, prepare: one_is_missing, command: |folder| folder.split("tail 1"), recover: tail_again },
    Scene { name: "rest", least: 20, prepare: items_were_tried, command: |folder| folder.split("rest rest.dag"), recover: rest_again },
    Scene { name: "node-carries", least: 10, prepare: nodes::a_job_that_carries, command: nodes::job_that_carries, recover: nodes::job_that_carries_again },
    Scene { name: "node-halves", least: 20, prepare: nodes::a_job_that_halves, command: job, recover: job_again },
    Scene { name: "node-checkpoints", least: 10, prepare: nodes::a_job_with_checkpoints, command: job, recover: nodes::job_with_checkpoints_again },
    Scene { name: "node-merges", least: 4, prepare: nodes::a_group, command: nodes::merge_group, recover: nodes::merge_group_again },
    Scene { name: "node-before", least: 4, prepare: nodes::a_segment_is_done, command: nodes::before_a_segment, recover: nodes::before_a_segment_again },
    Scene { name: "node-after", least: 1, prepare: nodes::a_chain, command: nodes::after_a_segment, recover: nodes::after_a_segment_again },
    Scene { name: "checkpoint", least: 30, prepare: |_| {}, command: |folder| this_program(folder), recover: loop_again },
];

/// Jobs that ask to be carried.
const ASK: [&str; 2] = ["node-carries", "node-checkpoints"];

const RUN: &str = "run --total 1..=20 --chunks 2 --slices 4 --jobs 1 -- seq {first} {last}";
const PLAN: &str = "plan --total 1..=20 --chunks 2 --slices 4 -- seq {first} {last}";
const PLAN_TABLE: &str = "plan --table t.csv --chunks 3 --reduce concat --input kept.txt -- echo {a} {b}";
const TO_CSV: &str = "run --total 1..=20 --chunks 2 --reduce table --to t.csv -- echo {item}";
const TO_SQLITE: &str = "run --total 1..=20 --chunks 2 --reduce table --to t.sqlite -- echo {item}";
const PLAN_COLLECT: &str =
    "plan --total 1..=6 --chunks 2 --slices 2 --collect out* --reduce files --to got/ -- touch out{item}";
const TO_ZIP: &str = "run --total 1..=6 --chunks 2 --collect out* --reduce files --to got.zip -- touch out{item}";
const TO_FOLDER: &str = "run --total 1..=6 --chunks 2 --collect out* --reduce files --to got/ -- touch out{item}";

const PLAN_TRIES: &str = "plan --table t.csv --probe-on-pool --target 1s --reduce concat -- echo {a} {b}";

const ARCHIVE: &str = "reduce . --archive kept.zip";
const KEEP: &str = "plan --keep --total 1..=20 --chunks 4 --slices 4 -- seq {first} {last}";
const FORCE: &str = "plan --force --total 1..=30 --chunks 3 -- seq {first} {last}";

/// A folder in which a scene takes place.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
}

impl Folder {
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>, within: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.at(within)).stdin(Stdio::null()).env("NO_COLOR", "1");
        command
    }

    /// `split` with the words between the blanks; `\n` is a line's end.
    pub(crate) fn split(&self, words: &str) -> Command {
        let mut command = self.command(SPLIT, ".");
        command.args(words.split(' ').map(|word| word.replace("\\n", "\n")));
        command
    }

    /// Runs it to its end, which is success, and gives what it printed.
    #[track_caller]
    pub(crate) fn ok(&self, mut command: Command) -> Vec<u8> {
        let ended = command.output().expect("started");
        assert!(ended.status.success(), "{command:?}: {}", shown(&ended));
        ended.stdout
    }

    /// `reduce`, which answers or says why not.
    #[track_caller]
    pub(crate) fn reduce_is_right_or_refuses(&self, right: &[u8]) {
        let ended = self.split("reduce .").output().expect("started");
        match ended.status.code() {
            Some(0) => assert_eq!(ended.stdout, right, "{}", shown(&ended)),
            Some(5 | 20..=23) => assert!(ended.stdout.is_empty(), "{}", shown(&ended)),
            _ => panic!("{}", shown(&ended)),
        }
    }

    /// The files below `name`, but for those that start with a dot, and their content.
    pub(crate) fn files(&self, name: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.at(name)];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = folder.read_dir() else { continue };
            for path in entries.map(|entry| entry.expect("listed").path()) {
                let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                if name.starts_with('.') {
                    continue;
                }
                if path.is_dir() && !path.is_symlink() {
                    folders.push(path);
                } else {
                    let content = fs::read(&path).unwrap_or_default();
                    files.insert(path.strip_prefix(&self.path).expect("below").to_owned(), content);
                }
            }
        }
        files
    }

    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let entries = self.at(folder).read_dir().expect("listed").map(|entry| entry.expect("listed").file_name());
        entries.map(|name| name.to_string_lossy().into_owned()).collect()
    }

    /// The partials that a job has left, and what it has carried: as if HTCondor had brought them back.
    pub(crate) fn bring_back(&self) -> Vec<PathBuf> {
        let names = self.names("sandbox").into_iter().filter(|name| name.ends_with(".part") || name == "carried");
        let to =
            |name: &String| if name == "carried" { "chunk-000000.9-00000000.part".to_owned() } else { name.clone() };
        let brought = names.map(|name| {
            let path = self.at("outputs").join(to(&name));
            fs::copy(self.at("sandbox").join(&name), &path).expect("copied");
            path
        });
        brought.collect()
    }
}

fn shown(ended: &Output) -> String {
    format!("{:?} {}{}", ended.status, String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr))
}

fn computed(folder: &Folder, words: &str) {
    folder.ok(folder.split(words));
    for answer in ["result.json", "t.csv", "t.sqlite", "got.zip"] {
        let _ = fs::remove_file(folder.at(answer));
    }
    let _ = fs::remove_dir_all(folder.at("got"));
}

fn run_again(folder: &Folder, _: &Traced) -> Vec<u8> {
    folder.reduce_is_right_or_refuses(b"210\n");
    folder.ok(folder.split(RUN))
}

/// Where plan.dag is there it can be submitted: all that it needs is there.
fn plan_is_whole_or_none(folder: &Folder, words: &str) {
    let before = folder.files(".");
    folder.ok(folder.split(words));
    let whole = folder.files(".");
    if before.contains_key(Path::new("plan.dag")) {
        assert_eq!(
            before.keys().collect::<Vec<_>>(),
            whole.keys().collect::<Vec<_>>(),
            "plan.dag needs what is not there"
        );
    }
    // Nobody reads the chunks' rows before plan.dag is there: they are written under their names.
    let is_whole = |path: &Path| before.contains_key(Path::new("plan.dag")) || !path.starts_with("plan.files/chunks");
    for (path, content) in before.iter().filter(|(path, _)| is_whole(path)) {
        assert!(whole.get(path) == Some(content), "{} was half-written", path.display());
    }
}

fn plan_again(folder: &Folder, _: &Traced) -> Vec<u8> {
    plan_is_whole_or_none(folder, PLAN);
    let mut said = folder.ok(folder.split("run ."));
    said.extend(format!("{:?}", folder.files("plan.files").keys()).into_bytes());
    said
}

fn a_table(folder: &Folder) {
    fs::write(folder.at("t.csv"), "a,b\n1,x y\n2,\"z\n\"\n3,\n4,w\n").expect("written");
    fs::write(folder.at("kept.txt"), "kept").expect("written");
}

fn plan_table_again(folder: &Folder, _: &Traced) -> Vec<u8> {
    plan_is_whole_or_none(folder, PLAN_TABLE);
    folder.ok(folder.split("run ."))
}

pub(crate) fn a_sandbox(folder: &Folder) {
    folder.ok({
        let mut copy = folder.command("sh", ".");
        copy.args(["-ec", "cp -RL plan.files/job sandbox; cp plan.files/split-runner sandbox/condor_exec.exe"]);
        copy
    });
}

/// A folder whose chunks are done, but for this one.
fn done_but_for(folder: &Folder, plan: &str, chunk: &str) {
    folder.ok(folder.split(plan));
    folder.ok(folder.split("run ."));
    let _ = fs::remove_file(folder.at("result.json"));
    let _ = fs::remove_dir_all(folder.at("got"));
    for name in folder.names("outputs").into_iter().filter(|name| name.starts_with(chunk)) {
        fs::remove_file(folder.at("outputs").join(name)).expect("removed");
    }
}

fn a_job(folder: &Folder) {
    done_but_for(folder, PLAN, "chunk-000000");
    a_sandbox(folder);
}

pub(crate) fn job(folder: &Folder) -> Command {
    let stop = if folder.at("collects").exists() { "3" } else { "10" };
    let mut command = folder.command("/usr/bin/env", "sandbox");
    command.args(["-i", "./condor_exec.exe", "exec", "job.json", "0", "0", stop]);
    command
}

/// Runs the job until it does not ask to be carried any more: HTCondor starts it again in the same sandbox.
#[track_caller]
pub(crate) fn job_to_the_end(folder: &Folder) {
    for _ in 0..10 {
        let ended = job(folder).output().expect("started");
        match ended.status.code() {
            Some(85) => {}
            Some(0) => return,
            _ => panic!("{}", shown(&ended)),
        }
    }
    panic!("it does not come to an end");
}

/// What is there counts, and what is not there is computed; once with what a crash has left at hand, as after an eviction.
pub(crate) fn job_again(folder: &Folder, _: &Traced) -> Vec<u8> {
    let brought = folder.bring_back();
    folder.reduce_is_right_or_refuses(b"210\n");
    for path in brought {
        fs::remove_file(path).expect("removed");
    }
    job_to_the_end(folder);
    folder.bring_back();
    folder.ok(folder.split("reduce ."))
}

fn a_job_that_collects(folder: &Folder) {
    fs::write(folder.at("collects"), "").expect("written");
    done_but_for(folder, PLAN_COLLECT, "chunk-000000");
    a_sandbox(folder);
}

fn job_that_collects_again(folder: &Folder, _: &Traced) -> Vec<u8> {
    folder.ok(job(folder));
    folder.bring_back();
    folder.ok(folder.split("reduce ."));
    format!("{:?}", folder.files("got")).into_bytes()
}

fn a_job_in_place(folder: &Folder) {
    folder.ok(folder.split(&PLAN.replace(" -- ", " --shared-filesystem -- ")));
}

fn job_in_place(folder: &Folder) -> Command {
    let mut command = folder.command("/usr/bin/env", "outputs");
    command.args(["-i", "../plan.files/split-runner", "exec", "../plan.files/job/job.json", "0", "0", "10"]);
    command
}

fn job_in_place_again(folder: &Folder, _: &Traced) -> Vec<u8> {
    folder.reduce_is_right_or_refuses(b"");
    folder.ok(job_in_place(folder));
    let mut other = folder.command("/usr/bin/env", "outputs");
    other.args(["-i", "../plan.files/split-runner", "exec", "../plan.files/job/job.json", "1", "10", "20"]);
    folder.ok(other);
    folder.ok(folder.split("reduce ."))
}

fn reduce_again(folder: &Folder, ended: &Traced) -> Vec<u8> {
    // It may have printed the answer before it was killed.
    assert!(ended.out.is_empty() || ended.out == b"210\n", "{ended:?}");
    let before = fs::read(folder.at("result.json")).ok();
    let said = folder.ok(folder.split("reduce ."));
    let after = fs::read(folder.at("result.json")).expect("written");
    assert!(before.is_none_or(|before| before == after), "result.json was half-written");
    said
}

/// What has the answer's name is the answer.
fn answer_again(folder: &Folder, _: &Traced, name: &str) -> Vec<u8> {
    let before = fs::read(folder.at(name)).ok();
    folder.ok(folder.split("reduce ."));
    let after = fs::read(folder.at(name)).expect("written");
    assert!(before.is_none_or(|before| before == after), "{name} was half-written");
    after
}

/// A database is written in place, in one transaction, which whoever opens it next ends or takes back.
fn database_again(folder: &Folder, _: &Traced) -> Vec<u8> {
    let before = rows(folder);
    folder.ok(folder.split("reduce ."));
    let after = rows(folder).expect("written");
    assert!(before.is_none_or(|before| before == after), "t.sqlite was half-written");
    after.into_bytes()
}

/// The rows of the table; none where there is no table.
fn rows(folder: &Folder) -> Option<String> {
    let path = folder.at("t.sqlite");
    let database = path.exists().then(|| rusqlite::Connection::open(path).expect("a database"))?;
    let mut query = database.prepare("SELECT item, result FROM items ORDER BY rowid").ok()?;
    let rows = query.query_map([], |row| Ok(format!("{:?} {:?}\n", row.get_ref(0)?, row.get_ref(1)?)));
    Some(rows.expect("a table").map(|row| row.expect("a row")).collect())
}

fn folder_again(folder: &Folder, _: &Traced) -> Vec<u8> {
    let before = folder.files("got");
    folder.ok(folder.split("reduce ."));
    let after = folder.files("got");
    assert!(before.is_empty() || before == after, "got/ was half-written");
    format!("{after:?}").into_bytes()
}

fn one_is_missing(folder: &Folder) {
    done_but_for(folder, PLAN, "chunk-000001");
}

/// What is deleted is in the archive.
fn archive_again(folder: &Folder, _: &Traced) -> Vec<u8> {
    folder.reduce_is_right_or_refuses(b"210\n");
    if !folder.names("outputs").iter().any(|name| name.starts_with("chunk-000000")) {
        assert_eq!(folder.ok(folder.split("reduce kept.zip")), b"210\n");
    }
    let again = folder.split(ARCHIVE).output().expect("started");
    if again.status.code() == Some(2) {
        // It was killed between the archive and the note beside the partials: the archive is whole, and no other one is written over it.
        assert!(shown(&again).contains("it is there already"), "{}", shown(&again));
        assert_eq!(folder.ok(folder.split("reduce kept.zip")), b"210\n");
        folder.ok(folder.split(&ARCHIVE.replace("kept", "other")));
    } else {
        assert!(again.status.success(), "{}", shown(&again));
    }
    assert!(folder.names("outputs").iter().all(|name| !name.ends_with(".part")));
    folder.ok(folder.split("reduce kept.zip"))
}

/// What was computed for the plan before counts for the next.
fn keep_again(folder: &Folder, _: &Traced) -> Vec<u8> {
    folder.ok(folder.split(KEEP));
    assert!(folder.names("outputs").iter().any(|name| name.starts_with("chunk-000000")), "results were thrown away");
    folder.ok(folder.split("run ."))
}

fn force_again(folder: &Folder, _: &Traced) -> Vec<u8> {
    folder.ok(folder.split(FORCE));
    folder.ok(folder.split("run ."))
}

fn resume_again(folder: &Folder, _: &Traced) -> Vec<u8> {
    folder.reduce_is_right_or_refuses(b"");
    folder.ok(folder.split("resume ."));
    let dag = fs::read_to_string(folder.at("plan.dag")).expect("there");
    let states = dag.lines().filter(|line| line.starts_with("JOB chunk-")).map(|line| line.ends_with(" DONE"));
    assert_eq!(states.collect::<Vec<_>>(), [true, false], "{dag}");
    folder.ok(folder.split("run ."))
}

fn tail_again(folder: &Folder, _: &Traced) -> Vec<u8> {
    folder.reduce_is_right_or_refuses(b"");
    let before = fs::read(folder.at("tail-1.dag")).ok();
    folder.ok(folder.split("tail 1"));
    let dag = fs::read(folder.at("tail-1.dag")).expect("written");
    assert!(before.is_none_or(|before| before == dag), "tail-1.dag was half-written");
    dag
}

/// One place of four has no result.
fn items_were_tried(folder: &Folder) {
    a_table(folder);
    done_but_for(folder, PLAN_TRIES, "chunk-000001");
}

/// The node starts again with the next submission, and goes by what is there.
fn rest_again(folder: &Folder, _: &Traced) -> Vec<u8> {
    folder.reduce_is_right_or_refuses(b"");
    folder.ok(folder.split("rest rest.dag"));
    let dag = fs::read_to_string(folder.at("rest.dag")).expect("written");
    let left = dag.lines().filter(|line| line.starts_with("JOB chunk-") && !line.ends_with(" DONE")).count();
    assert!(left == 1 && dag.ends_with('\n'), "{dag}");
    folder.ok(folder.split("run ."))
}

/// This program, as one that keeps a checkpoint and writes a file.
fn this_program(folder: &Folder) -> Command {
    let mut command = folder.command(std::env::current_exe().expect("this program"), ".");
    command.arg(LOOP);
    command
}

const LOOP: &str = "a-loop-with-an-output";

/// Adds up, saves every other item, and writes each sum into a file.
#[expect(clippy::print_stdout, reason = "the program's answer")]
fn add_up() -> Result<(), CheckpointError> {
    let mut settings = Settings::new("sum/1").every_steps(2);
    let mut sums = settings.output("sums.txt");
    let total = settings.range(1..=8, 0u64, |total, item| {
        *total += item;
        writeln!(sums, "{total}").expect("in its loop");
        // Written before it is saved, as long lines are.
        let _ = sums.flush();
    })?;
    println!("{total}");
    Ok(())
}

/// What a run has told before it was stopped stays true, and the next one ends well, with each line once.
fn loop_again(folder: &Folder, ended: &Traced) -> Vec<u8> {
    assert!(ended.out.is_empty() || ended.out == b"36\n", "{ended:?}");
    let answer = folder.ok(this_program(folder));
    assert_eq!(answer, b"36\n");
    assert_eq!(folder.ok(this_program(folder)), answer);
    [answer, fs::read(folder.at("sums.txt")).expect("there")].concat()
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "it is the harness")]
pub(crate) fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|word| word == LOOP) {
        return match add_up() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        };
    }
    let words: Vec<_> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let all = std::env::var("SPLIT_CRASH_POINTS").is_ok_and(|which| which == "all");
    let mut trials = 0;
    for scene in &SCENES {
        if words.is_empty() || words.iter().any(|word| scene.name.contains(word.as_str())) {
            let (points, tried) = play(scene, all);
            println!("{}: {points} calls that change files, {tried} faults", scene.name);
            trials += tried;
        }
    }
    println!("{trials} faults in all: each answer is exact, or each refusal is named");
    ExitCode::SUCCESS
}

/// How many points there are, and how many faults were tried at them.
fn play(scene: &Scene, all: bool) -> (usize, usize) {
    let root = tempfile::Builder::new().prefix("split-crash-").tempdir().expect("a temporary folder");
    let base = Folder { path: root.path().join("base") };
    fs::create_dir(&base.path).expect("made");
    (scene.prepare)(&base);
    let trial = |fault: Option<(usize, Fault)>| {
        // A plan knows its own folder: each trial has the same name.
        let folder = Folder { path: root.path().join("work") };
        let _ = fs::remove_dir_all(&folder.path);
        let copied = Command::new("cp").arg("-a").args([&base.path, &folder.path]).status().expect("started");
        assert!(copied.success());
        let traced = tracer::run(&(scene.command)(&folder), fault, root.path());
        let known = traced.code.is_none_or(|code| Exit::ALL.iter().any(|(exit, _)| *exit as i32 == code));
        assert!(known && !traced.err.contains("panicked"), "{}, {fault:?}: {traced:?}", scene.name);
        (folder, traced)
    };
    let (folder, whole) = trial(None);
    let expected = if ASK.contains(&scene.name) { Exit::Carry } else { Exit::Success };
    assert_eq!(whole.code, Some(expected as i32), "{whole:?}");
    assert!(whole.calls.len() >= scene.least, "{}: only {} points: {:?}", scene.name, whole.calls.len(), whole.calls);
    let right = (scene.recover)(&folder, &whole);
    assert!(!right.is_empty());
    let points = whole.calls.len();
    let faults: Vec<_> = (0..points).flat_map(|at| Fault::ALL.map(|fault| (at, fault))).collect();
    let faults: Vec<_> =
        faults.into_iter().filter(|(at, fault)| !fault.is_of_writes() || whole.calls[*at].contains("write")).collect();
    let step = if all { 1 } else { faults.len() / SOME + 1 };
    // Of a part each fault has its share: the step and their number are not to go hand in hand.
    let step = if step % 2 == 0 { step + 1 } else { step };
    let mut tried = 0;
    for &(at, fault) in faults.iter().step_by(step) {
        let (folder, traced) = trial(Some((at, fault)));
        let what = || format!("{}, {fault:?} at {at}, {:?}: {traced:?}", scene.name, traced.calls.get(at));
        if matches!(fault, Fault::Killed | Fault::Torn) {
            assert!(traced.code.is_none() || traced.calls.len() <= at, "{}", what());
        } else {
            assert!(traced.code.is_some(), "{}", what());
        }
        let recovered = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (scene.recover)(&folder, &traced)));
        let answer = recovered.unwrap_or_else(|_| panic!("{}", what()));
        assert!(
            answer == right,
            "{}\n{}\nnot\n{}",
            what(),
            String::from_utf8_lossy(&answer),
            String::from_utf8_lossy(&right)
        );
        tried += 1;
    }
    (points, tried)
}
