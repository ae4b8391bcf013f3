//! Runs a command, and does something to it at one of the system calls by which it changes files.
//!
//! The calls of all of its threads are counted together, in the order in which they are made. Programs that it starts are not
//! traced.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// What is done at the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// SIGKILL in its place.
    Killed,
    /// Half of what is to be written is, and then comes SIGKILL.
    Torn,
    /// Half of what is to be written is, and the call says so.
    Short,
    /// The call is not made, and fails.
    Fails(Errno),
}

impl Fault {
    pub(crate) const ALL: [Self; 6] = [
        Self::Killed,
        Self::Torn,
        Self::Short,
        Self::Fails(Errno::ENOSPC),
        Self::Fails(Errno::EIO),
        Self::Fails(Errno::EINTR),
    ];

    /// Whether it is for calls that write alone.
    pub(crate) fn is_of_writes(self) -> bool {
        matches!(self, Self::Torn | Self::Short)
    }
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Traced {
    /// Its exit code; none where a signal ended it.
    pub(crate) code: Option<i32>,
    /// The calls by which it changed files, in their order.
    pub(crate) calls: Vec<&'static str>,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

/// The calls by which files change, with the place of the descriptor that has to be a file's.
const CALLS: [(u64, &str, Option<usize>); 30] = [
    (1, "write", Some(0)),
    (18, "pwrite64", Some(0)),
    (20, "writev", Some(0)),
    (296, "pwritev", Some(0)),
    (40, "sendfile", Some(0)),
    (326, "copy_file_range", Some(2)),
    (74, "fsync", Some(0)),
    (75, "fdatasync", Some(0)),
    (77, "ftruncate", Some(0)),
    (285, "fallocate", Some(0)),
    (91, "fchmod", Some(0)),
    (2, "open", None),
    (257, "openat", None),
    (85, "creat", None),
    (76, "truncate", None),
    (82, "rename", None),
    (264, "renameat", None),
    (316, "renameat2", None),
    (86, "link", None),
    (265, "linkat", None),
    (88, "symlink", None),
    (266, "symlinkat", None),
    (87, "unlink", None),
    (263, "unlinkat", None),
    (84, "rmdir", None),
    (83, "mkdir", None),
    (258, "mkdirat", None),
    (90, "chmod", None),
    (268, "fchmodat", None),
    (452, "fchmodat2", None),
];

const CREATE: u64 = 0o100;

/// Runs `command` with the fault at the call number `at`, from 0.
#[expect(clippy::zombie_processes, reason = "whoever traces a process waits for it")]
pub(crate) fn run(command: &Command, fault: Option<(usize, Fault)>, said: &Path) -> Traced {
    let file = |name: &str| File::create(said.join(name)).expect("made");
    let (out, err) = (file("out"), file("err"));
    // The shell waits until it is traced.
    let mut gate = Command::new("/bin/sh");
    gate.args(["-c", "read go; exec \"$@\" </dev/null", "sh"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        gate.env(name, value.unwrap_or_default());
    }
    gate.current_dir(command.get_current_dir().expect("a folder"));
    let mut child = gate.stdin(Stdio::piped()).stdout(out).stderr(err).spawn().expect("started");
    let leader = Pid::from_raw(i32::try_from(child.id()).expect("a process"));
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_EXITKILL;
    ptrace::seize(leader, options).expect("a child may be traced");
    ptrace::interrupt(leader).expect("it is traced");
    child.stdin.take().expect("a pipe").write_all(b"go\n").expect("it reads");
    let mut calls = Vec::new();
    let code = follow(leader, fault, &mut calls);
    let read = |name: &str| fs::read(said.join(name)).expect("there");
    Traced { code, calls, out: read("out"), err: String::from_utf8_lossy(&read("err")).into_owned() }
}

fn follow(leader: Pid, fault: Option<(usize, Fault)>, calls: &mut Vec<&'static str>) -> Option<i32> {
    // Threads within a call, and what is done at its end.
    let mut within: HashSet<Pid> = HashSet::new();
    let mut struck = None;
    loop {
        let status = match waitpid(None, Some(WaitPidFlag::__WALL)) {
            Err(Errno::EINTR) => continue,
            status => status.expect("there are children"),
        };
        let (thread, signal) = match status {
            WaitStatus::Exited(process, code) if process == leader => return Some(code),
            WaitStatus::Signaled(process, ..) if process == leader => return None,
            WaitStatus::Stopped(thread, signal) => (thread, Some(signal)),
            WaitStatus::PtraceEvent(thread, ..) => (thread, None),
            WaitStatus::PtraceSyscall(thread) => {
                if within.insert(thread) {
                    if let Some(name) = changes_a_file(leader, thread) {
                        if let Some((at, fault)) = fault
                            && at == calls.len()
                        {
                            strike(leader, thread, fault);
                            struck = Some(thread);
                        }
                        calls.push(name);
                    }
                } else {
                    within.remove(&thread);
                    if struck.take_if(|struck| *struck == thread).is_some() {
                        match fault {
                            Some((_, Fault::Torn)) => kill(leader, Signal::SIGKILL).expect("it is there"),
                            Some((_, Fault::Fails(errno))) => returns(thread, errno),
                            _ => {}
                        }
                    }
                }
                (thread, None)
            }
            _ => continue,
        };
        // It may have been killed meanwhile.
        let _ = ptrace::syscall(thread, signal);
    }
}

/// The name of the call that the thread is about to make, where it changes a file.
fn changes_a_file(leader: Pid, thread: Pid) -> Option<&'static str> {
    let registers = ptrace::getregs(thread).ok()?;
    let (_, name, descriptor) = *CALLS.iter().find(|(number, ..)| *number == registers.orig_rax)?;
    let makes = match name {
        "open" => registers.rsi & CREATE != 0,
        "openat" => registers.rdx & CREATE != 0,
        _ => true,
    };
    let arguments = [registers.rdi, registers.rsi, registers.rdx];
    let of_a_file = descriptor.is_none_or(|place| {
        let link = fs::read_link(format!("/proc/{leader}/fd/{}", arguments[place]));
        // Standard output and error are not the command's to lose.
        arguments[place] > 2
            && link.is_ok_and(|path| path.as_os_str().as_bytes().starts_with(b"/") && !path.starts_with("/dev"))
    });
    (makes && of_a_file).then_some(name)
}

fn strike(leader: Pid, thread: Pid, fault: Fault) {
    let mut registers = ptrace::getregs(thread).expect("it has stopped");
    match fault {
        Fault::Killed => return kill(leader, Signal::SIGKILL).expect("it is there"),
        Fault::Torn | Fault::Short => registers.rdx = registers.rdx.div_ceil(2),
        Fault::Fails(_) => registers.orig_rax = u64::MAX,
    }
    ptrace::setregs(thread, registers).expect("it has stopped");
}

fn returns(thread: Pid, errno: Errno) {
    let mut registers = ptrace::getregs(thread).expect("it has stopped");
    registers.rax = (-i64::from(errno as i32)).cast_unsigned();
    ptrace::setregs(thread, registers).expect("it has stopped");
}
