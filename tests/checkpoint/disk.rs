//! A disk that is full, and being told to stop.

use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::time::{Duration, Instant};

use split::checkpoint::{CheckpointError, EXIT_SAVED, Settings};

use crate::kit::{Dir, answer, said};

/// Saves a state of 100,000 bytes once, and then one of `SIZE`; waits, if asked to, before the end or after it.
#[expect(clippy::print_stdout, reason = "the worker's answer")]
pub(crate) fn work() -> Result<(), CheckpointError> {
    let mut checkpoint = Settings::<String>::new("disk/1").open()?;
    let before = checkpoint.resume()?.map_or(0, |state| state.len());
    println!("{before}");
    let size = std::env::var("SIZE").ok().and_then(|size| size.parse().ok()).unwrap_or(100_000);
    if std::env::var_os("WAIT").is_none() {
        return checkpoint.save(&"x".repeat(size));
    }
    let state = "x".repeat(size);
    if std::env::var("WAIT").is_ok_and(|when| when == "after") {
        checkpoint.finish(&state)?;
        println!("ready");
        std::thread::sleep(Duration::from_secs(60));
        return Ok(());
    }
    println!("ready");
    loop {
        checkpoint.tick(&state)?;
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// As [`work`], but files may not be longer than 300 kB: writing more fails, as on a disk that is full.
fn limited(dir: &Dir, size: &str) -> std::process::Output {
    let inner = dir.worker(&["disk"]);
    let mut shell = std::process::Command::new("bash");
    shell
        .args(["-c", "trap '' XFSZ; ulimit -f 300; exec \"$0\" \"$@\""])
        .arg(inner.get_program())
        .args(inner.get_args());
    shell.env("SIZE", size).current_dir(dir.path("")).output().expect("started")
}

pub(crate) fn a_full_disk_keeps_the_older_state() {
    let dir = Dir::new();
    let mut first = dir.worker(&["disk"]);
    first.env("SIZE", "100000");
    assert_eq!(answer(first), "0");
    for size in ["400000", "5000000"] {
        let output = limited(&dir, size);
        let text = said(&output);
        assert!(output.status.code() == Some(1) && output.stdout == b"100000\n", "{text}");
        assert!(text.contains("cannot write") && text.contains("disk.b.checkpoint"), "{text}");
    }
    // What was saved is still there, and there is room for what is small enough.
    let output = limited(&dir, "200000");
    assert!(output.status.success() && output.stdout == b"100000\n", "{}", said(&output));
    assert_eq!(answer(dir.worker(&["disk"])), "200000");
}

pub(crate) fn a_save_that_fails_is_tried_again_in_a_while() {
    let dir = Dir::new();
    let settings = dir.settings::<u64>("sum/1").every(Duration::from_millis(20));
    let mut checkpoint = settings.open().expect("opened");
    checkpoint.resume().expect("nothing there");
    checkpoint.save(&1).expect("saved");
    // A folder in the place of the second file.
    let second = dir.path("checkpoints/sum.b.checkpoint");
    std::fs::create_dir(&second).expect("made");
    let start = Instant::now();
    let mut failures = 0;
    while failures < 3 && start.elapsed() < Duration::from_secs(20) {
        failures += u32::from(checkpoint.tick(&2).is_err());
    }
    assert_eq!(failures, 3);
    std::fs::remove_dir(&second).expect("removed");
    while !second.exists() && start.elapsed() < Duration::from_secs(20) {
        checkpoint.tick(&7).expect("room");
    }
    drop(checkpoint);
    let mut checkpoint = dir.settings::<u64>("sum/1").open().expect("whole");
    assert_eq!(checkpoint.resume().expect("read"), Some(7));
}

pub(crate) fn a_save_at_sigterm_and_the_exit_code() {
    let start = |dir: &Dir, when: &str| {
        let mut command = dir.worker(&["disk"]);
        command.env("WAIT", when).env("SIZE", "5000");
        let mut child = command.spawn().expect("started");
        // The handler is there once the program says so.
        let mut said = Vec::new();
        let stdout = child.stdout.as_mut().expect("a pipe");
        while !said.ends_with(b"ready\n") {
            let mut byte = [0];
            std::io::Read::read_exact(stdout, &mut byte).expect("ready");
            said.extend(byte);
        }
        child
    };
    let stopped = |child: Child| {
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("told to stop");
        child.wait_with_output().expect("waited for")
    };
    let dir = Dir::new();
    let output = stopped(start(&dir, "before"));
    assert_eq!((output.status.code(), output.status.signal()), (Some(EXIT_SAVED), None), "{}", said(&output));
    // Once the end is recorded nothing is left to save: it ends as any program does, also where the end was found.
    for _ in 0..2 {
        let output = stopped(start(&dir, "after"));
        assert_eq!(output.status.signal(), Some(15), "{}", said(&output));
    }
}
