//! `--checkpoint`: programs that keep their own state, in any language.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::job::{bare, sandbox};
use crate::kit::{Dir, Ended, SPLIT, until};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/checkpoint");

/// Adds up the items, noting each, as the library has it.
const PYTHON: &str = "import os, sys, time
from split_checkpoint import steps
state = {'total': 0}
for item in steps('sum/1', range(int(sys.argv[1]), int(sys.argv[2]) + 1), state, every=0.02):
    with open(os.environ['LOG'], 'a') as log:
        log.write('%d\\n' % item)
    time.sleep(float(os.environ['STEP']))
    state['total'] += item
print(state['total'])
";

/// A program that keeps its state, and how.
#[derive(Clone, Copy, Debug)]
struct Program {
    how: &'static str,
    words: &'static [&'static str],
}

const LIBRARY: Program = Program { how: "--checkpoint", words: &["python3", "sum.py"] };
/// The shell ends at SIGTERM, before the program that it started has saved.
const WRAPPED: Program = Program { how: "--checkpoint", words: &["sh", "wrap.sh"] };
const SHELL: Program = Program { how: "--checkpoint=files", words: &["sh", "sum.sh"] };
const C: Program = Program { how: "--checkpoint=files", words: &["./sum"] };

impl Program {
    /// Puts all of them into the folder.
    fn lay(self, dir: &Dir) {
        dir.write("sum.py", PYTHON);
        dir.write("wrap.sh", "python3 sum.py $1 $2\nexit $?\n");
        for name in ["sum.sh", "sum.R"] {
            fs::copy(Path::new(EXAMPLES).join(name), dir.path(name)).expect("copied");
        }
        if self.words == C.words {
            let mut compiler = Command::new("cc");
            compiler.args(["-Wall", "-Wextra", "-Werror", "-O1", "-o"]).arg(dir.path("sum"));
            let done = compiler.arg(Path::new(EXAMPLES).join("sum.c")).status().expect("a C compiler");
            assert!(done.success());
        }
    }

    /// The words of `split TASK`, for the sum of 1 to 100 in one chunk, `step` seconds an item.
    fn words(self, dir: &Dir, task: &str, step: f64, more: &str) -> Vec<String> {
        let log = format!("LOG={}", dir.path("log").display());
        let step = format!("STEP={step}");
        let words =
            format!("{task} --total 1..=100 --chunks 1 --input sum.py {} {more} --env {log} --env {step} --", self.how);
        let words = words.split_whitespace().map(str::to_owned);
        words
            .chain(self.words.iter().map(|word| (*word).to_owned()))
            .chain(["{first}".into(), "{last}".into()])
            .collect()
    }

    fn plan(self, dir: &Dir, step: f64, more: &str) {
        self.lay(dir);
        dir.command(SPLIT).args(self.words(dir, "plan", step, more)).ok();
    }
}

/// The items that the program noted.
fn log(dir: &Dir) -> Vec<u64> {
    let text = fs::read_to_string(dir.path("log")).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

fn job<'a>(dir: &'a Dir, name: &str) -> crate::kit::Split<'a> {
    bare(dir, &dir.path(name).join("condor_exec.exe")).args(["exec", "job.json", "0", "0", "100"]).within(name)
}

/// What HTCondor carries from one machine to another.
fn carry(dir: &Dir, from: &str, to: &str) {
    sandbox(dir, to);
    for name in ["carried", "carried.checkpoints"] {
        fs::copy(dir.path(from).join(name), dir.path(to).join(name)).expect("named for the carry, so it is there");
    }
}

#[track_caller]
fn answers(dir: &Dir, name: &str, done: &Ended<'_>) {
    assert_eq!(done.code, Some(0), "{}", done.transcript());
    let names = dir.names(name);
    assert!(!names.iter().any(|name| name.starts_with("carried")), "nothing else comes back: {names:?}");
    let partial = names.iter().find(|name| name.ends_with(".part")).expect("a partial");
    fs::copy(dir.path(name).join(partial), dir.path("outputs").join(partial)).expect("brought back");
    dir.split("reduce .").answers("5050\n");
}

/// An eviction on one machine, and the rest on another.
fn evicted(program: Program) {
    let dir = Dir::new();
    program.plan(&dir, 0.01, "");
    sandbox(&dir, "one");
    let at_work = job(&dir, "one").start();
    until("some items are done", || log(&dir).len() > 30);
    at_work.signal(Signal::TERM);
    let ended = at_work.wait();
    assert_eq!(ended.code, Some(130), "{}", ended.transcript());
    let before = log(&dir).len();
    assert!(before < 100, "it was not interrupted");
    carry(&dir, "one", "two");
    answers(&dir, "two", &job(&dir, "two").run());
    // Each item once: all that was done until SIGTERM had been saved.
    assert_eq!(log(&dir), (1..=100).collect::<Vec<_>>(), "{program:?}");
}

#[test]
fn an_evicted_program_goes_on_elsewhere() {
    [LIBRARY, WRAPPED, SHELL, C].into_iter().for_each(evicted);
}

#[test]
fn a_program_at_work_is_carried_from_time_to_time() {
    for program in [LIBRARY, WRAPPED, SHELL, C] {
        let dir = Dir::new();
        program.plan(&dir, 0.02, "--eviction-every 400ms");
        let mut carries = 0;
        sandbox(&dir, "0");
        let done = loop {
            let ended = job(&dir, &carries.to_string()).run();
            if ended.code != Some(85) {
                break ended;
            }
            // Some of them start in the same sandbox, as HTCondor does it, and others in another, after a hard eviction.
            let next = (carries + 1).to_string();
            match carries % 2 {
                0 => fs::rename(dir.path(carries.to_string()), dir.path(&next)).expect("renamed"),
                _ => carry(&dir, &carries.to_string(), &next),
            }
            carries += 1;
            assert!(carries < 50, "{program:?} does not come to an end: {}", ended.transcript());
        };
        assert!(carries > 1, "{program:?} was carried {carries} times");
        answers(&dir, &carries.to_string(), &done);
        assert_eq!(log(&dir), (1..=100).collect::<Vec<_>>(), "{program:?}");
    }
}

#[test]
fn what_was_carried_and_is_damaged_does_not_count() {
    let dir = Dir::new();
    SHELL.plan(&dir, 0.005, "");
    sandbox(&dir, "one");
    let at_work = job(&dir, "one").start();
    until("some items are done", || log(&dir).len() > 10);
    at_work.signal(Signal::TERM);
    assert_eq!(at_work.wait().code, Some(130));
    let packed = fs::read(dir.path("one/carried.checkpoints")).expect("there");
    for (number, at) in (0..packed.len()).step_by(packed.len() / 20).enumerate() {
        let name = format!("damaged-{number}");
        carry(&dir, "one", &name);
        let mut damaged = packed.clone();
        if number % 2 == 0 {
            damaged.truncate(at)
        } else {
            damaged[at] ^= 1
        }
        fs::write(dir.path(&name).join("carried.checkpoints"), damaged).expect("written");
        fs::remove_file(dir.path("log")).expect("there");
        let done = job(&dir, &name).run();
        done.says("starting from the beginning");
        answers(&dir, &name, &done);
        assert_eq!(log(&dir), (1..=100).collect::<Vec<_>>(), "byte {at}");
    }
}

#[test]
fn a_run_that_is_killed_goes_on() {
    for program in [LIBRARY, SHELL, C] {
        let dir = Dir::new();
        program.lay(&dir);
        let run = |step| program.words(&dir, "run", step, "--eviction-every 50ms");
        let at_work = dir.command(SPLIT).args(run(0.01)).start();
        until("some items are done", || log(&dir).len() > 50);
        at_work.signal(Signal::KILL);
        at_work.wait();
        // The program outlives it, and is ended as the machine would be.
        let mark = dir.path("log").display().to_string();
        end_all_with(&mark);
        let before = log(&dir).len();
        dir.command(SPLIT).args(run(0.01)).answers("5050\n");
        let again = log(&dir).len() - 100;
        assert!(again < before, "{program:?} did {again} of {before} items once more");
        assert!(!dir.path("checkpoints").exists(), "{program:?}: {:?}", dir.names("checkpoints"));
    }
}

/// Ends the processes that have this in their environment, but for this one.
fn end_all_with(mark: &str) {
    let mark = mark.as_bytes();
    for entry in fs::read_dir("/proc").expect("Linux").flatten() {
        let Some(number) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        let is_its = environment.windows(mark.len()).any(|window| window == mark);
        if let Some(process) = rustix::process::Pid::from_raw(number).filter(|_| is_its) {
            let _ = rustix::process::kill_process(process, Signal::KILL);
        }
    }
    std::thread::sleep(Duration::from_millis(50));
}

/// Saves once, and then fails whenever it goes on from that.
const POISONED: &str = "echo start >> \"$LOG\"
case $1 in
files) [ -z \"$SPLIT_CHECKPOINT_OLD\" ] || exit 3; folder=$SPLIT_CHECKPOINT_NEW ;;
signal) [ ! -e \"$SPLIT_CHECKPOINT_DIR/state\" ] || exit 3; folder=$SPLIT_CHECKPOINT_DIR ;;
esac
[ $(grep -c start \"$LOG\") -lt 3 ] || { echo 5050; exit 0; }
echo poison > \"$folder/state\"
exit 85
";

#[test]
fn a_checkpoint_that_fails_twice_is_left_behind() {
    for how in ["signal", "files"] {
        let dir = Dir::new();
        dir.write("sum.sh", POISONED);
        let log = format!("LOG={}", dir.path("log").display());
        let words =
            format!("run --total 1..=100 --chunks 1 --checkpoint={how} --retries 2 --env {log} -- sh sum.sh {how}");
        dir.split(&words).answers("5050\n");
        // It saved, failed twice, and started from the beginning.
        assert_eq!(dir.read("log"), "start\nstart\nstart\nstart\n", "{how}");
        let partials = dir.partials();
        let said = partials.iter().any(|partial| {
            String::from_utf8_lossy(&fs::read(partial).expect("readable"))
                .contains("leaves that behind and starts from")
        });
        assert!(said, "{how}");
    }
}

#[test]
fn jobs_know_how_often_a_checkpoint_failed_although_nothing_of_them_is_left() {
    let dir = Dir::new();
    dir.write("sum.sh", POISONED);
    let log = format!("LOG={}", dir.path("log").display());
    let words = format!("plan --total 1..=100 --chunks 1 --checkpoint=files --env {log} -- sh sum.sh files");
    dir.split(&words).ok();
    sandbox(&dir, "one");
    assert_eq!(job(&dir, "one").run().code, Some(85));
    for (attempt, expected) in [(0, 70), (1, 70), (2, 0)] {
        let name = format!("attempt-{attempt}");
        carry(&dir, "one", &name);
        let ad = dir.write(format!("{name}.ad"), format!("NumJobCompletions = {attempt}\n"));
        let ended = bare(&dir, Path::new("env"))
            .arg(format!("_CONDOR_JOB_AD={}", ad.display()))
            .arg(dir.path(&name).join("condor_exec.exe"))
            .args(["exec", "job.json", "0", "0", "100"])
            .within(&name)
            .run();
        assert_eq!(ended.code, Some(expected), "attempt {attempt}: {}", ended.transcript());
    }
}

#[test]
fn exit_code_85_without_anything_saved_is_a_failure() {
    for how in ["signal", "files"] {
        let dir = Dir::new();
        let words = format!("run --total 2 --chunks 1 --retries 0 --checkpoint={how} -- sh -c");
        dir.split(&words).args(["exit 85"]).exits(30).says("nothing was");
    }
}

/// Says the same again at each start, although nobody tells it to save.
#[test]
fn a_program_that_saves_the_same_again_and_again_is_a_failure() {
    let dir = Dir::new();
    dir.write("files.sh", "echo 1 > \"$SPLIT_CHECKPOINT_NEW/state\"\necho start >> \"$LOG\"\nexit 85\n");
    dir.write("signal.sh", "echo 1 > \"$SPLIT_CHECKPOINT_DIR/state\"\necho start >> \"$LOG\"\nexit 85\n");
    dir.write("empty.py", "import os, sys, split_checkpoint\nprint('start', file=open(os.environ['LOG'], 'a'))\nsplit_checkpoint.Checkpoint('x/1')\nsys.exit(85)\n");
    dir.write("same.py", "import os, sys, split_checkpoint\nprint('start', file=open(os.environ['LOG'], 'a'))\ncheckpoint = split_checkpoint.Checkpoint('x/1')\ncheckpoint.resume()\ncheckpoint.save(7)\nsys.exit(85)\n");
    let log = format!("LOG={}", dir.path("log").display());
    for (how, words, starts, why) in [
        ("files", "sh files.sh", 4, "the same again"),
        ("signal", "sh signal.sh", 4, "the same again"),
        ("signal", "python3 empty.py", 1, "nothing was"),
        ("signal", "python3 same.py", 4, "the same again"),
    ] {
        fs::write(dir.path("log"), "").expect("written");
        let words = format!("run --force --total 2 --chunks 1 --retries 0 --checkpoint={how} --env {log} -- {words}");
        dir.split(&words).exits(30).says(why);
        assert_eq!(dir.read("log").lines().count(), starts, "{words}");
    }
}

/// Prints a line on its way to the loop and at each tenth item, and notes each item in a file. It waits as long as there are as many in
/// the log as `log.hold` says: so a test interrupts it where it means to, however busy the machine is.
const TALKATIVE: &str = "import os, sys, time
from split_checkpoint import steps
def is_held():
    try:
        with open(os.environ['LOG'] + '.hold') as hold, open(os.environ['LOG']) as log:
            return len(log.readlines()) >= int(hold.read())
    except (OSError, ValueError):
        return False
print('# the sum')
state = {'total': 0}
for item in steps('first', range(3), {}):
    print('before', item)
print('between')
for item in steps('sum/1', range(1, 61), state, every=0.02):
    with open(os.environ['LOG'], 'a') as log:
        log.write('%d\\n' % item)
    with open('out.txt', 'a') as out:
        out.write('%d\\n' % item)
    time.sleep(float(os.environ['STEP']))
    while is_held():
        time.sleep(0.01)
    state['total'] += item
    if item % 10 == 0:
        print(item, state['total'])
print('sum', state['total'])
";

/// The same in a shell, told by a file or by SIGTERM.
const TALKATIVE_SHELL: &str = "next=1 total=0 stop=$SPLIT_CHECKPOINT_STOP new=$SPLIT_CHECKPOINT_NEW
if [ -z \"$new\" ]; then
    new=$SPLIT_CHECKPOINT_DIR SPLIT_CHECKPOINT_OLD=$new stop=told-$$
    trap ': > $stop' TERM
fi
if [ -e \"$SPLIT_CHECKPOINT_OLD/state\" ]; then
    read -r next total < \"$SPLIT_CHECKPOINT_OLD/state\"
else
    printf '# the sum\\nbefore 0\\nbefore 1\\nbefore 2\\nbetween\\n'
fi
while [ $next -le 60 ]; do
    if [ -e $stop ]; then
        echo $next $total > \"$new/state\"
        exit 85
    fi
    echo $next >> \"$LOG\"
    echo $next >> out.txt
    sleep $STEP
    while [ -e \"$LOG.hold\" ] && [ $(wc -l < \"$LOG\") -ge $(cat \"$LOG.hold\") ]; do sleep 0.02; done
    total=$((total + next))
    [ $((next % 10)) -gt 0 ] || echo $next $total
    next=$((next + 1))
    [ $new = \"$SPLIT_CHECKPOINT_NEW\" ] || echo $next $total > \"$new/state\"
done
echo sum $total
";

const TALKATIVES: [(&str, &str); 3] =
    [("--checkpoint", "python3 talk.py"), ("--checkpoint=files", "sh talk.sh"), ("--checkpoint", "sh talk.sh")];

fn talkative(dir: &Dir, task: &str, (how, words): (&str, &str), step: f64, more: &str) -> Vec<String> {
    dir.write("talk.py", TALKATIVE);
    dir.write("talk.sh", TALKATIVE_SHELL);
    let log = dir.path("log").display().to_string();
    let words = format!(
        "{task} --total 1..=100 --chunks 1 --input talk.py --reduce concat {how} {more} --env LOG={log} --env STEP={step} -- {words}"
    );
    words.split_whitespace().map(str::to_owned).collect()
}

/// What it prints, and what it writes, as if nothing had interrupted it.
fn all_that_is_due() -> (String, String) {
    let rows = (1..=6).map(|ten: u32| format!("{} {}\n", 10 * ten, 10 * ten * (10 * ten + 1) / 2));
    let printed = format!("# the sum\nbefore 0\nbefore 1\nbefore 2\nbetween\n{}sum 1830\n", rows.collect::<String>());
    (printed, (1..=60).map(|item| format!("{item}\n")).collect())
}

/// Whether `out.txt` came back, and holds this and nothing else.
fn is_in_a_partial(dir: &Dir, written: &str) -> bool {
    let find = |bytes: &[u8]| bytes.windows(written.len()).any(|window| window == written.as_bytes());
    let partials: Vec<_> = dir.partials().iter().map(|partial| fs::read(partial).expect("readable")).collect();
    let size = format!("out.txt ({} bytes)", written.len());
    partials.iter().any(|bytes| find(bytes)) && dir.split("show 0").ok().text().contains(&size)
}

#[test]
fn what_was_printed_and_written_until_a_save_is_carried_with_it() {
    for program in TALKATIVES {
        let dir = Dir::new();
        let words = talkative(&dir, "plan", program, 0.04, "--eviction-every 700ms --collect out.txt");
        dir.command(SPLIT).args(words).ok();
        let mut carries = 0;
        sandbox(&dir, "0");
        let done = loop {
            let mut at_work = job(&dir, &carries.to_string()).start();
            if carries == 1 {
                let before = log(&dir).len();
                until("some items are done", || at_work.has_ended() || log(&dir).len() > before + 3);
                at_work.signal(Signal::TERM);
            }
            let ended = at_work.wait();
            if !matches!(ended.code, Some(85 | 130)) {
                break ended;
            }
            let next = (carries + 1).to_string();
            match carries % 2 == 0 && ended.code == Some(85) {
                true => fs::rename(dir.path(carries.to_string()), dir.path(&next)).expect("renamed"),
                false => carry(&dir, &carries.to_string(), &next),
            }
            carries += 1;
            assert!(carries < 100, "{program:?} does not come to an end: {}", ended.transcript());
        };
        assert!(carries > 1, "{program:?} was carried {carries} times");
        assert_eq!(done.code, Some(0), "{}", done.transcript());
        let name = carries.to_string();
        let names = dir.names(&name);
        let partial = names.iter().find(|name| name.ends_with(".part")).expect("a partial");
        fs::copy(dir.path(&name).join(partial), dir.path("outputs").join(partial)).expect("brought back");
        let (printed, written) = all_that_is_due();
        dir.split("reduce .").answers(&printed);
        assert!(is_in_a_partial(&dir, &written), "{program:?}");
    }
}

#[test]
fn what_was_printed_and_written_until_a_save_is_there_after_a_kill() {
    let (printed, written) = all_that_is_due();
    for (program, collect) in TALKATIVES.into_iter().flat_map(|program| [(program, ""), (program, "--collect out.txt")])
    {
        let dir = Dir::new();
        let run = talkative(&dir, "run", program, 0.02, &format!("--retries 2 --eviction-every 2s {collect}"));
        for (number, signal) in [Signal::TERM, Signal::KILL, Signal::KILL].into_iter().enumerate() {
            let hold = dir.path("log.hold");
            let limit = log(&dir).len() + 14;
            fs::write(&hold, limit.to_string()).expect("written");
            let at_work = dir.command(SPLIT).args(&run).start();
            until("some items are done", || log(&dir).len() >= limit);
            at_work.signal(signal);
            // It saves after the step that it is told in.
            if signal == Signal::TERM {
                fs::remove_file(&hold).expect("there");
            }
            let ended = at_work.wait();
            assert!(ended.code != Some(0), "{number}: {}", ended.transcript());
            end_all_with(&dir.path("log").display().to_string());
            let _ = fs::remove_file(&hold);
        }
        dir.command(SPLIT).args(&run).answers(&printed);
        if !collect.is_empty() {
            assert!(is_in_a_partial(&dir, &written), "{program:?}");
        }
    }
}

/// It saves now and then and does not know SIGTERM: what it has printed since its last save is printed again.
#[test]
fn a_state_that_may_be_older_than_what_was_printed_is_not_gone_on_from() {
    let program = "next=1\n[ -e $SPLIT_CHECKPOINT_DIR/state ] && next=$(cat $SPLIT_CHECKPOINT_DIR/state)\n\
        while [ $next -le 20 ]; do\necho $next | tee -a \"$LOG\"\nnext=$((next + 1))\n\
        [ $((next % 5)) -gt 0 ] || echo $next > $SPLIT_CHECKPOINT_DIR/state\nsleep 0.05\ndone\n";
    let dir = Dir::new();
    dir.write("count.sh", program);
    let log_is = format!("LOG={}", dir.path("log").display());
    dir.split(&format!("plan --total 1..=100 --chunks 1 --reduce concat --checkpoint --env {log_is} -- sh count.sh"))
        .ok();
    sandbox(&dir, "one");
    let at_work = job(&dir, "one").start();
    until("some items are done", || log(&dir).len() > 11);
    at_work.signal(Signal::TERM);
    assert_eq!(at_work.wait().says("only exit code 85 says").code, Some(130));
    carry(&dir, "one", "two");
    let done = job(&dir, "two").run();
    assert_eq!(done.code, Some(0), "{}", done.transcript());
    let partial = dir.names("two").into_iter().find(|name| name.ends_with(".part")).expect("a partial");
    fs::copy(dir.path("two").join(&partial), dir.path("outputs").join(&partial)).expect("brought back");
    dir.split("reduce .").answers(&(1..=20).map(|item| format!("{item}\n")).collect::<String>());
}

/// It saves now and then, and is at a long step when its job is evicted: what ends it then does not wait for a save.
#[test]
fn an_eviction_that_is_not_heard_leaves_no_state_that_is_older_than_what_was_printed() {
    let program = "trap '' TERM\nnext=1\n[ -e $SPLIT_CHECKPOINT_DIR/state ] && next=$(cat $SPLIT_CHECKPOINT_DIR/state)\n\
        while [ $next -le 20 ]; do\n\
        if [ $next = 13 ] && [ ! -e \"$LOG.hung\" ]; then touch \"$LOG.hung\"; sleep 60; fi\n\
        echo $next | tee -a \"$LOG\"\nnext=$((next + 1))\n\
        [ $((next % 5)) -gt 0 ] || echo $next > $SPLIT_CHECKPOINT_DIR/state\ndone\n";
    let dir = Dir::new();
    dir.write("count.sh", program);
    let log_is = format!("LOG={}", dir.path("log").display());
    dir.split(&format!("plan --total 1..=100 --chunks 1 --reduce concat --checkpoint --env {log_is} -- sh count.sh"))
        .ok();
    sandbox(&dir, "one");
    dir.write("machine", "MachineMaxVacateTime = 1 * 2\n");
    let machine = format!("_CONDOR_MACHINE_AD={}", dir.path("machine").display());
    let runner = dir.command("/usr/bin/env").args(["-i", &machine]).arg(dir.path("one/condor_exec.exe"));
    let at_work = runner.args(["exec", "job.json", "0", "0", "100"]).within("one").start();
    until("the long step", || dir.path("log.hung").exists());
    at_work.signal(Signal::TERM);
    assert_eq!(at_work.wait().says("only exit code 85 says").code, Some(130));
    carry(&dir, "one", "two");
    let done = job(&dir, "two").run();
    assert_eq!(done.code, Some(0), "{}", done.transcript());
    let partial = dir.names("two").into_iter().find(|name| name.ends_with(".part")).expect("a partial");
    fs::copy(dir.path("two").join(&partial), dir.path("outputs").join(&partial)).expect("brought back");
    dir.split("reduce .").answers(&(1..=20).map(|item| format!("{item}\n")).collect::<String>());
}

/// A shell ends at SIGTERM and does not say whether all is saved, so nobody knows which lines of the file belong to the state.
#[test]
fn a_shell_that_hides_the_exit_code_makes_the_next_try_start_where_files_and_state_agree() {
    let dir = Dir::new();
    let program = ("--checkpoint", "sh wrap.sh");
    dir.write("wrap.sh", "python3 talk.py\nexit $?\n");
    let run = talkative(&dir, "run", program, 0.02, "--retries 1 --eviction-every 300ms --collect out.txt");
    let (printed, written) = all_that_is_due();
    dir.command(SPLIT).args(run).answers(&printed);
    assert!(is_in_a_partial(&dir, &written));
    // It was told once.
    assert!(log(&dir).len() > 60 && log(&dir).ends_with(&(1..=60).collect::<Vec<_>>()), "{:?}", log(&dir));
}

/// A file that the loop writes to by the library, and that comes back.
#[test]
fn an_output_of_the_library_is_carried_with_its_state() {
    let program = "import os, time
from split_checkpoint import Output, steps
state, lines = {'total': 0}, Output('out.txt')
for item in steps('sum/1', range(1, 61), state, every=0.02, outputs=[lines]):
    with open(os.environ['LOG'], 'a') as log:
        log.write('%d\\n' % item)
    print(item, file=lines)
    time.sleep(0.02)
    state['total'] += item
print(state['total'])
";
    let written: String = (1..=60).map(|item| format!("{item}\n")).collect();
    let words = |task: &str, dir: &Dir, more: &str| {
        dir.write("write.py", program);
        let log = dir.path("log").display().to_string();
        let words =
            format!("{task} --total 1..=100 --chunks 1 --checkpoint --env LOG={log} {more} -- python3 write.py");
        words.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let dir = Dir::new();
    dir.command(SPLIT).args(words("plan", &dir, "--eviction-every 500ms --reduce sum --collect out.txt")).ok();
    let mut carries = 0;
    sandbox(&dir, "0");
    let done = loop {
        let ended = job(&dir, &carries.to_string()).run();
        if ended.code != Some(85) {
            break ended;
        }
        let carried = fs::read(dir.path(carries.to_string()).join("carried.checkpoints")).expect("carried");
        assert_eq!(carried.windows(8).filter(|bytes| bytes == b"1\n2\n3\n4\n").count(), 1, "one file with two names");
        carry(&dir, &carries.to_string(), &(carries + 1).to_string());
        carries += 1;
        assert!(carries < 100, "it does not come to an end: {}", ended.transcript());
    };
    assert!(carries > 0);
    assert_eq!(done.code, Some(0), "{}", done.transcript());
    let name = carries.to_string();
    let partial = dir.names(&name).into_iter().find(|name| name.ends_with(".part")).expect("a partial");
    fs::copy(dir.path(&name).join(&partial), dir.path("outputs").join(&partial)).expect("brought back");
    dir.split("reduce .").answers("1830\n");
    assert!(is_in_a_partial(&dir, &written));
    assert_eq!(log(&dir), (1..=60).collect::<Vec<_>>(), "each item once");

    // Killed with all that it has started: what was saved by itself is gone on from, and the file with it.
    let dir = Dir::new();
    let run = words("run", &dir, "");
    for _ in 0..2 {
        let at_work = dir.command(SPLIT).args(&run).start();
        let before = log(&dir).len();
        until("some items are done", || log(&dir).len() >= before + 14);
        at_work.signal(Signal::KILL);
        at_work.wait();
        end_all_with(&dir.path("log").display().to_string());
    }
    assert!(dir.path("checkpoints").exists());
    dir.command(SPLIT).args(&run).answers("1830\n");
    assert!(log(&dir).len() < 70, "{:?}", log(&dir));
}

/// The run that is done has not written the file itself: the one before has, which was interrupted in a later loop.
#[test]
fn an_output_of_a_loop_that_was_done_before_comes_back() {
    let program = "import os, time
from split_checkpoint import Output, steps
for item in steps('burn/1', range(1, 6), {}, outputs=[lines := Output('out.txt')]):
    print(item, file=lines)
state = {'total': 0}
for item in steps('main/1', range(1, 61), state, every=0.02):
    with open(os.environ['LOG'], 'a') as log:
        log.write('%d\\n' % item)
    state['total'] += item
    time.sleep(0.02)
print(state['total'])
";
    let dir = Dir::new();
    dir.write("write.py", program);
    let log_is = format!("LOG={}", dir.path("log").display());
    let plan = "plan --total 1..=100 --chunks 1 --checkpoint --reduce sum --collect out.txt --expect out.txt --env";
    dir.split(plan).args([&log_is, "--", "python3", "write.py"]).ok();
    sandbox(&dir, "one");
    let at_work = job(&dir, "one").start();
    until("some items are done", || log(&dir).len() > 10);
    at_work.signal(Signal::TERM);
    assert_eq!(at_work.wait().code, Some(130));
    assert!(log(&dir).len() < 60, "it was not interrupted");
    let done = job(&dir, "one").run();
    assert_eq!(done.code, Some(0), "{}", done.transcript());
    let partial = dir.names("one").into_iter().find(|name| name.ends_with(".part")).expect("a partial");
    fs::copy(dir.path("one").join(&partial), dir.path("outputs").join(&partial)).expect("brought back");
    dir.split("reduce .").answers("1830\n");
    assert!(is_in_a_partial(&dir, "1\n2\n3\n4\n5\n"));
}

/// Each step waits for programs and processes that it has started: they are not told to end.
#[test]
fn what_a_step_has_started_goes_on_when_its_program_is_told_to_save() {
    let program = "import subprocess, multiprocessing
from split_checkpoint import steps
state = {'total': 0}
if __name__ == '__main__':
    for item in steps('sum/1', range(1, 21), state):
        if item % 2:
            subprocess.run(['sleep', '0.1'], check=True)
            state['total'] += item
        else:
            with multiprocessing.Pool(2) as pool:
                state['total'] += sum(pool.map(int, [item, 0]))
    print(state['total'])
";
    let dir = Dir::new();
    dir.write("sum.py", program);
    dir.split("plan --total 1..=100 --chunks 1 --checkpoint --eviction-every 600ms --input sum.py -- python3 sum.py")
        .ok();
    sandbox(&dir, "0");
    let mut carries = 0;
    let done = loop {
        let ended = job(&dir, &carries.to_string()).run();
        if ended.code != Some(85) {
            break ended;
        }
        carry(&dir, &carries.to_string(), &(carries + 1).to_string());
        carries += 1;
        assert!(carries < 50, "it does not come to an end");
    };
    assert!(carries > 0);
    assert_eq!(done.code, Some(0), "{}", done.transcript());
}

#[test]
fn what_another_version_of_the_program_saved_is_not_gone_on_from() {
    let dir = Dir::new();
    LIBRARY.lay(&dir);
    let at_work = dir.command(SPLIT).args(LIBRARY.words(&dir, "run", 0.01, "")).start();
    until("some items are done", || log(&dir).len() > 30);
    at_work.signal(Signal::TERM);
    assert_eq!(at_work.wait().code, Some(130));
    let before = log(&dir);
    dir.write("sum.py", PYTHON.replace("+= item", "+= 2 * item"));
    dir.split("run --redo .").answers("10100\n");
    assert_eq!(log(&dir)[before.len()..], (1..=100).collect::<Vec<_>>());
}

#[test]
fn each_item_and_slice_has_a_folder_of_its_own() {
    let dir = Dir::new();
    dir.write(
        "note.sh",
        "echo \"$SPLIT_CHECKPOINT_DIR $SPLIT_CHECKPOINT_KEY $SPLIT_INTERRUPTION_SECONDS\" >> \"$LOG\"; echo 1\n",
    );
    let log = format!("LOG={}", dir.path("log").display());
    for (words, runs) in [("-- sh note.sh {item}", 6), ("--slices 3 -- sh note.sh {first}", 3)] {
        fs::write(dir.path("log"), "").expect("written");
        dir.split(&format!("run --force --total 6 --chunks 1 --checkpoint --eviction-every 1h --env {log} {words}"))
            .ok();
        let text = dir.read("log");
        let folders: std::collections::BTreeSet<_> = text.lines().collect();
        assert_eq!(folders.len(), runs, "{text}");
        assert!(text.lines().all(|line| line.contains(" items ") && line.ends_with(" 3600")), "{text}");
        assert!(!dir.path("checkpoints").exists());
    }
}

#[test]
fn the_library_is_found_where_it_is_wanted_and_not_in_place_of_the_users_own() {
    let check = |more: &str, answer: &str| {
        let dir = Dir::new();
        dir.write("own/split_checkpoint.py", "__doc__ = 'own'\n");
        dir.write("ask.py", "import split_checkpoint\nprint('own' if split_checkpoint.__doc__ == 'own' else 'ours')\n");
        let own = format!("PYTHONPATH={}", dir.path("own").display());
        let more = more.replace("OWN", &own);
        let run = dir.split(&format!("run --total 1 --chunks 1 --retries 0 --reduce concat {more} -- python3 ask.py"));
        run.answers(answer);
    };
    check("", "ours\n");
    check("--checkpoint", "ours\n");
    check("--env OWN", "own\n");
    check("--checkpoint --env OWN", "own\n");
}

#[test]
fn who_keeps_a_state_in_vain_is_told_so() {
    let dir = Dir::new();
    LIBRARY.lay(&dir);
    let note =
        "sum.py keeps its own state by split_checkpoint, of which nothing outlives its job: --checkpoint carries it";
    let env = format!("--env STEP=0 --env LOG={}", dir.path("log").display());
    let plan = |more: &str| {
        dir.split(&format!("plan --force --total 1..=9 --chunks 1 {more} {env} -- python3 sum.py {{first}} {{last}}"))
            .ok()
    };
    plan("").says(note);
    let planned = plan("--checkpoint");
    assert!(!planned.transcript().contains("in vain") && !planned.transcript().contains(note));
    // A Python that does not look where it is told to.
    dir.split(&format!("plan --force --total 1..=9 --chunks 1 {env} -- python3 -E sum.py {{first}} {{last}}")).ok();
    dir.split("try chunk-0").exits(30).says("split_checkpoint is found where split plan is given --checkpoint");
}

#[test]
fn a_trial_keeps_nothing_and_goes_on_after_a_carry() {
    let dir = Dir::new();
    LIBRARY.plan(&dir, 0.01, "--eviction-every 300ms");
    dir.split("try chunk-0").ok();
    assert_eq!(log(&dir), (1..=100).collect::<Vec<_>>());
    assert!(!dir.path("checkpoints").exists());
}

#[test]
fn without_a_program_there_is_no_state() {
    let dir = Dir::new();
    dir.split("plan --total 10 --chunks 2 --checkpoint").refuses(2).says("there is none");
}

/// Kills at random moments, of `split run` and of the program: what is killed in the middle of a snapshot goes on from the one
/// before. The moments follow the program and not the clock: so many items after its start, and within the time that an item
/// takes; or, a quarter of them, within the time that its start has taken. So a slow or busy machine changes nothing.
/// `SPLIT_KILLS=500 cargo test --test it storm` for more of them in each language.
#[test]
fn a_storm_of_kills_leaves_other_languages_exact() {
    let kills = std::env::var("SPLIT_KILLS").ok().and_then(|number| number.parse().ok()).unwrap_or(12);
    for program in [SHELL, C] {
        let (mut killed, mut went_on, mut ended) = (0u32, 0u32, 0u32);
        let mut chance = 1u64;
        let mut below = |limit: u64| {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (chance >> 33) % limit
        };
        // Up to the first item of a run, as it was last seen.
        let mut starting = Duration::from_millis(100);
        while killed < kills {
            let dir = Dir::new();
            program.lay(&dir);
            let run = program.words(&dir, "run", 0.004, "--eviction-every 20ms");
            for _ in 0..5 {
                let before = log(&dir).len();
                let mut at_work = dir.command(SPLIT).args(&run).start();
                let started = Instant::now();
                let (is_early, target) = (below(4) == 0, before + 1 + below(40) as usize);
                let mut part = |time: Duration| time.mul_f64(below(1000) as f64 / 1000.0);
                let mut moment = is_early.then(|| started + part(starting));
                let mut first = None;
                while !at_work.has_ended() && moment.is_none_or(|moment| Instant::now() < moment) {
                    let (now, there) = (Instant::now(), log(&dir).len());
                    if first.is_none() && there > before {
                        first = Some(now);
                        starting = now - started;
                    }
                    if let Some(first) = first
                        && moment.is_none()
                        && there >= target
                    {
                        moment = Some(now + part((now - first) / u32::try_from(there - before).expect("few items")));
                    }
                    std::thread::sleep(Duration::from_millis(1));
                }
                if at_work.has_ended() {
                    break;
                }
                at_work.signal(Signal::KILL);
                at_work.wait();
                end_all_with(&dir.path("log").display().to_string());
                killed += 1;
                went_on += u32::from(log(&dir).get(before).is_some_and(|first| *first > 1));
            }
            dir.command(SPLIT).args(&run).answers("5050\n");
            ended += 1;
            assert!(ended <= 10 + killed, "{program:?}: {killed} were killed of {ended} that came to their end");
        }
        assert!(went_on * 4 > killed, "{program:?}: {went_on} of {killed} runs went on from a snapshot");
    }
}
