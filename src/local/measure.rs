//! What a program and its children use: memory, CPU time, disk.
//!
//! Memory is sampled: the resident memory of all processes below one, summed, as HTCondor counts a job's. What lives
//! and dies between two samples is caught by the largest process's own peak, which the kernel keeps. Both are read
//! from proc(5), the tree alone: the other processes of a busy machine cost nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use rustix::process::Pid;

/// How long to wait between two samples.
pub const SAMPLE: Duration = Duration::from_millis(25);

/// The disk is looked at so often, or more rarely where that takes long.
const LOOK_AT_DISK: Duration = Duration::from_secs(1);

/// Of the time at most one part in so many is spent looking at the disk.
const SHARE: u32 = 20;

/// What was used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Seconds of CPU time, of all processes together. Right only where nothing else that this process started
    /// ended meanwhile: the kernel counts all of them in one.
    pub cpu_seconds: f64,
    /// The most resident memory at one time, in bytes.
    pub memory: u64,
    /// The most that the folder held at one time, in bytes.
    pub disk: u64,
}

/// What the kernel has counted of all that this process started and that has ended and been waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ended {
    cpu_seconds: f64,
    /// The most resident memory that one of them had, in bytes.
    largest: u64,
}

/// Measures a process, those below it, and a folder.
#[derive(Debug)]
pub struct Meter {
    root: Pid,
    folder: PathBuf,
    before: Ended,
    peak: Usage,
    look_again: Instant,
}

impl Meter {
    /// Starts; `before` is from before the process `root` was started.
    #[must_use]
    pub fn start(root: Pid, folder: &Path, before: Ended) -> Self {
        let peak = Usage::default();
        Self { root, folder: folder.to_owned(), before, peak, look_again: Instant::now() + LOOK_AT_DISK }
    }

    /// Takes a sample; `others` are processes that belong to it and are not below its root any more.
    pub fn sample(&mut self, others: &[Pid]) {
        let mut sum = 0;
        for process in others.iter().copied().chain([self.root]).flat_map(tree) {
            let (now, peak) = memory(process);
            sum += now;
            self.peak.memory = self.peak.memory.max(peak);
        }
        self.peak.memory = self.peak.memory.max(sum);
        let started = Instant::now();
        if started >= self.look_again {
            self.peak.disk = self.peak.disk.max(disk(&self.folder));
            let took = started.elapsed();
            self.look_again = Instant::now() + LOOK_AT_DISK.max(took * SHARE);
        }
    }

    /// Ends, when the process has been waited for and the folder is still there.
    #[must_use]
    pub fn finish(self) -> Usage {
        let mut peak = self.peak;
        peak.disk = peak.disk.max(disk(&self.folder));
        let after = Ended::now();
        peak.cpu_seconds = (after.cpu_seconds - self.before.cpu_seconds).max(0.0);
        // A process counts what the one that started it had at that moment, so that less than that says nothing.
        let own = getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| kibibytes(usage.max_rss()));
        if after.largest > own.max(self.before.largest) {
            peak.memory = peak.memory.max(after.largest);
        }
        peak
    }
}

impl Ended {
    /// As it stands now. There is something from the start where this process is one that a shell became.
    #[must_use]
    pub fn now() -> Self {
        let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
        getrusage(UsageWho::RUSAGE_CHILDREN).map_or_else(
            |_| Self::default(),
            |usage| Self {
                cpu_seconds: seconds(usage.user_time()) + seconds(usage.system_time()),
                largest: kibibytes(usage.max_rss()),
            },
        )
    }
}

/// A process and all that are below it.
pub(super) fn tree(root: Pid) -> Vec<Pid> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&process) = found.get(next) {
        found.extend(children(process));
        next += 1;
    }
    found
}

/// The processes that a process, any of its threads, started and that have not been waited for.
pub(super) fn children(process: Pid) -> Vec<Pid> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let numbers = lists.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    numbers.filter_map(|number| Pid::from_raw(number.parse().ok()?)).collect()
}

/// A process's resident memory, now and at its peak, in bytes.
fn memory(process: Pid) -> (u64, u64) {
    // One that has ended meanwhile uses nothing.
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let field = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB")?.parse().ok());
        value.map_or(0, |kilobytes: u64| kilobytes << 10)
    };
    (field("VmRSS:"), field("VmHWM:"))
}

/// The bytes that are taken up below a folder.
fn disk(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let entries = walkdir::WalkDir::new(folder).into_iter().flatten();
    // A block is of 512 bytes, whatever the file system, stat(2).
    entries.filter_map(|entry| entry.metadata().ok()).map(|found| 512 * found.blocks()).sum()
}

fn kibibytes(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0) << 10
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_tree_of_processes_and_a_folder_are_measured_together() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("file"), vec![1; 3 << 20]).expect("written");
        // Two processes below the shell, which says so when both hold their memory.
        let hold = "x=$(head -c 40000000 /dev/zero | tr '\\0' x); echo; read y";
        let script = format!("({hold}) & ({hold}) & wait");
        let mut child = Command::new("bash")
            .args(["-c", &format!("exec 3<&0; {}", script.replace("read y", "read y <&3"))])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let mut meter = Meter::start(Pid::from_child(&child), folder.path(), Ended::now());
        let mut said = [0; 2];
        std::io::Read::read_exact(child.stdout.as_mut().expect("piped"), &mut said).expect("both hold it");
        assert_eq!(tree(Pid::from_child(&child)).len(), 3);
        meter.sample(&[]);
        drop(child.stdin.take());
        child.wait().expect("waited for");
        let usage = meter.finish();
        assert!((80_000_000..400_000_000).contains(&usage.memory), "{usage:?}");
        assert!((3 << 20..4 << 20).contains(&usage.disk), "{usage:?}");
        assert!(usage.cpu_seconds > 0.0, "{usage:?}");
    }

    #[test]
    fn what_is_not_there_uses_nothing() {
        let none = Pid::from_raw(i32::MAX).expect("a number");
        assert_eq!((memory(none), tree(none)), ((0, 0), vec![none]));
        assert_eq!(disk(Path::new("/nowhere/at/all")), 0);
    }
}
