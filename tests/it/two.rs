//! Two of them: commands beside a DAGMan that is at work, and beside one another.

use std::fs;
use std::process::Stdio;

use crate::kit::{Dir, Started, until};

/// Ten items in five chunks, of which chunk 2 is missing.
fn half_done() -> Dir {
    let dir = Dir::computed();
    fs::remove_file(dir.partial(2)).expect("removed");
    fs::remove_file(dir.path("result.json")).expect("removed");
    dir
}

/// A process with a DAGMan's arguments; it ends when its standard input does.
fn dagman(dir: &Dir) -> Started<'_> {
    let words = ["-c", "echo $$ > pid; read line", "condor_dagman", "-Lockfile", "plan.dag.lock"];
    let started = dir.command("sh").args(words).stdin(Stdio::piped()).start();
    until("it has started", || fs::read_to_string(dir.path("pid")).is_ok_and(|pid| pid.ends_with('\n')));
    started
}

/// What may be typed while a DAGMan is at work.
fn nothing_is_lost_beside_it(dir: &Dir) {
    let dag = dir.read("plan.dag");
    dir.split("resume .").refuses(4).says("a DAGMan is at work").says("wait for it, or end it: condor_q -nobatch");
    dir.split("reduce .").refuses(20).says("a DAGMan is at work here").says("wait for it: condor_wait");
    dir.split("reduce . --archive x.zip").refuses(4);
    dir.split("plan --total 1..=10 --chunks 5").refuses(0).says("plan.dag");
    dir.split("run --force --total 1..=10 --chunks 4").refuses(4);
    // Both may compute the same: it counts once.
    dir.split("run .").answers("55\n").says("a DAGMan is at work here, too").says("8 of 10 items have results already");
    assert_eq!(dir.read("plan.dag"), dag);
    dir.split("resume .").refuses(0).says("nothing is left to compute");
}

#[test]
fn beside_a_dagman_that_its_lock_names() {
    let dir = half_done();
    let process = dagman(&dir);
    dir.write("plan.dag.lock", format!("PPID = 1\nPID = {}\nPRECISION = 100\n", dir.read("pid").trim()));
    nothing_is_lost_beside_it(&dir);
    // Once it is gone the file is no lock.
    drop(process);
    fs::remove_file(dir.partial(3)).expect("removed");
    dir.split("resume .").ok().says("1 chunk left of 5");
}

#[test]
fn beside_a_dagman_that_holds_its_lock() {
    let dir = half_done();
    let script = "import fcntl, sys; lock = open('plan.dag.lock', 'w'); fcntl.lockf(lock, fcntl.LOCK_EX); \
                  open('locked', 'w').close(); sys.stdin.read()";
    let lock = dir.command("python3").args(["-c", script]).stdin(Stdio::piped()).start();
    until("it has the lock", || dir.path("locked").exists());
    nothing_is_lost_beside_it(&dir);
    drop(lock);
    fs::remove_file(dir.partial(3)).expect("removed");
    dir.split("resume .").ok().says("1 chunk left of 5");
}

#[test]
fn two_that_resume() {
    for _ in 0..5 {
        let dir = half_done();
        let both = [(); 2].map(|()| dir.split("resume .").start()).map(Started::wait);
        for ended in both {
            assert_eq!(ended.code, Some(0), "{}", ended.transcript());
        }
        let dag = dir.read("plan.dag");
        assert_eq!(dag.lines().filter(|line| line.starts_with("JOB chunk-") && !line.ends_with(" DONE")).count(), 1);
        assert!(dir.is_tidy(), "{:?}", dir.names(""));
        dir.split("run .").answers("55\n");
    }
}

#[test]
fn one_that_resumes_beside_one_that_runs() {
    let dir = Dir::new();
    let script = "until [ -e \"$1/go\" ] || [ ! -e \"$1\" ]; do sleep 0.02; done; seq $2 $3";
    let shown = dir.shown();
    let plan = dir.split("plan --total 1..=40 --chunks 4 --reduce concat -- sh -c").args([script, "sh"]).arg(shown);
    plan.args(["{first}", "{last}"]).ok();
    dir.write("go", "");
    dir.split("run .").ok();
    dir.partials_of(1).iter().for_each(|partial| fs::remove_file(partial).expect("removed"));
    dir.partials_of(3).iter().for_each(|partial| fs::remove_file(partial).expect("removed"));
    fs::remove_file(dir.path("go")).expect("removed");
    let mut run = dir.split("run . --jobs 2").start();
    // Whether or not its programs are at work by then.
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(!run.has_ended());
    dir.split("resume .").ok().says("2 chunks left of 4");
    dir.write("go", "");
    let answer: String = (1..=40).map(|item| format!("{item}\n")).collect();
    let ended = run.wait();
    assert_eq!((ended.code, ended.text()), (Some(0), answer.clone()), "{}", ended.transcript());
    dir.split("resume .").ok().says("nothing is left to compute");
    dir.split("reduce .").answers(&answer);
}

#[test]
fn two_that_pack_into_one_archive() {
    for _ in 0..5 {
        let dir = Dir::new();
        dir.split("run --total 1..=200 --chunks 200").answers("20100\n");
        let both = [(); 2].map(|()| dir.split("reduce . --archive all.zip").start()).map(Started::wait);
        for ended in both {
            // One may find the partials on their way into the archive.
            assert!(
                ended.code == Some(0) && ended.text() == "20100\n" || ended.code != Some(0),
                "{}",
                ended.transcript()
            );
        }
        dir.split("reduce all.zip").answers("20100\n");
        dir.split("reduce . --archive all.zip").answers("20100\n");
        assert_eq!(dir.names("outputs"), ["archived.txt", "plan.json"]);
        assert!(dir.is_tidy());
    }
}
