//! Whether a program failed for want of memory or of disk: what the kernel counts, and what the file system has left.
//!
//! Invariant: a program that failed while neither ran out is never said to have wanted either. The other way round a want
//! may be missed, such as of a program that is refused memory by a limit of its own and says so: then its exit code and its
//! last words are what is known.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::FallocateFlags;

use crate::record::Cause;

/// More than the records of most failures take, in bytes.
const RESERVED: u64 = 1 << 18;

/// The kernel's name for the number of processes that it killed for want of memory.
const KILLS: &str = "oom_kill";

/// A file system with less left than this, in bytes, is full: a program that is refused the next block may have removed a
/// little since.
const FULL: u64 = 1 << 16;

/// How many processes the kernel has killed in this process's cgroup for want of memory.
///
/// That is `memory.events` of cgroup v2 (with the groups below), and `memory.oom_control` of v1: cgroups(7), and the kernel's
/// admin-guide/cgroup-v2 and cgroup-v1/memory.
#[derive(Debug)]
pub(super) struct Kills {
    file: Option<PathBuf>,
    /// The most that the group may use.
    limit: Option<u64>,
    known: u64,
}

impl Kills {
    /// As counted by now. Where the kernel does not count none is ever seen.
    pub(super) fn read() -> Self {
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let places = places(&groups, Path::new("/sys/fs/cgroup"));
        let found = places.into_iter().find_map(|Place { counter, limit }| {
            let known = count(&fs::read_to_string(&counter).ok()?)?;
            let limit = fs::read_to_string(limit).ok().and_then(|text| amount(&text));
            Some(Self { file: Some(counter), limit, known })
        });
        found.unwrap_or(Self { file: None, limit: None, known: 0 })
    }

    /// The cause, if there were more since it was last asked.
    pub(super) fn more(&mut self) -> Option<Cause> {
        let now = count(&fs::read_to_string(self.file.as_ref()?).ok()?)?;
        let more = now > std::mem::replace(&mut self.known, now);
        more.then_some(Cause::OutOfMemory(self.limit))
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Place {
    /// The file with the counter.
    counter: PathBuf,
    /// The file with the most that the group may use.
    limit: PathBuf,
}

/// Where the groups of `/proc/self/cgroup` may have their files, below the `mount`: v2's, also where v1 is beside it, and v1's.
/// In a container the group's path may be one outside, and its files are at the mount itself.
fn places(groups: &str, mount: &Path) -> Vec<Place> {
    let mut places = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let path = path.trim_start_matches('/');
        let (mounts, counter, limit) = match controllers {
            "" => ([mount.to_owned(), mount.join("unified")], "memory.events", "memory.max"),
            names if names.split(',').any(|name| name == "memory") => {
                ([mount.join("memory"), mount.join(names)], "memory.oom_control", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        for folder in mounts.iter().map(|mount| mount.join(path)).chain([mounts[0].clone()]) {
            let place = Place { counter: folder.join(counter), limit: folder.join(limit) };
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }
    places
}

/// The number of kills in such a file.
fn count(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(KILLS)?.strip_prefix(' ')?.trim().parse().ok())
}

/// A limit in bytes; none where it is as large as can be.
fn amount(text: &str) -> Option<u64> {
    // v2 says `max`, v1 the largest number of whole pages.
    text.trim().parse().ok().filter(|&bytes: &u64| bytes < 1 << 60)
}

/// The cause, if the file system of one of these folders is full: of its blocks, or of its files.
pub(super) fn full_disk(folders: &[&Path]) -> Option<Cause> {
    let full = folders.iter().find(|folder| {
        let Ok(found) = rustix::fs::statvfs(**folder) else { return false };
        let bytes = found.f_bavail.saturating_mul(found.f_frsize);
        // Some file systems count no files.
        (found.f_blocks > 0 && bytes < FULL) || (found.f_files > 0 && found.f_favail == 0)
    });
    // Not its name: it is another one in each job.
    full.map(|_| Cause::OutOfDisk("nothing was left of it when the program failed".to_owned()))
}

/// A little of the disk, for the records of what fails where the program has filled the rest. It is given back when dropped.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
}

impl Reserve {
    /// Takes it, in a file in `folder`; none where the file system cannot, or has no more.
    pub(super) fn hold(folder: &Path) -> Option<Self> {
        let reserve = Self { path: folder.join("reserve") };
        let file = File::create_new(&reserve.path).ok()?;
        rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, RESERVED).ok()?;
        Some(reserve)
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        // The folder is removed in any case.
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether this is what a full disk, or a quota that is used up, answers.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Of an error of the runner's own with files: that the disk is full, or that the machine would not; `what` it was about.
pub(super) fn cause_of(error: &io::Error, what: &str) -> Cause {
    let said = if what.is_empty() { error.to_string() } else { format!("{what}: {error}") };
    if is_full(error) { Cause::OutOfDisk(said) } else { Cause::Machine(said) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_looked_for_where_kernels_have_them() {
        let mount = Path::new("/m");
        let found = |groups: &str| -> Vec<String> {
            places(groups, mount).iter().map(|place| place.counter.display().to_string()).collect()
        };
        assert_eq!(
            found("0::/system.slice/condor.service\n"),
            [
                "/m/system.slice/condor.service/memory.events",
                "/m/unified/system.slice/condor.service/memory.events",
                "/m/memory.events"
            ]
        );
        assert_eq!(
            found("9:name=systemd:/x\n4:memory:/job_1\n1:cpu,cpuacct:/\n"),
            ["/m/memory/job_1/memory.oom_control", "/m/memory/memory.oom_control"]
        );
        assert_eq!(found("nonsense\n\n3:\n"), [""; 0]);
    }

    #[test]
    fn kills_are_counted() {
        assert_eq!(count("low 0\nhigh 0\nmax 12\noom 2\noom_kill 3\noom_group_kill 9\n"), Some(3));
        assert_eq!(count("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"), Some(1));
        assert_eq!((count("oom_kill_disable 1\n"), count("")), (None, None));
        assert_eq!((amount("max\n"), amount("9223372036854771712\n")), (None, None));
        assert_eq!(amount("1048576\n"), Some(1 << 20));
    }

    #[test]
    fn more_kills_are_seen_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let counter = folder.path().join("memory.events");
        let write = |kills: u64| fs::write(&counter, format!("oom 9\noom_kill {kills}\n")).expect("written");
        let mut kills = Kills { file: Some(counter.clone()), limit: Some(1), known: 4 };
        write(4);
        assert_eq!(kills.more(), None);
        write(6);
        assert_eq!((kills.more(), kills.more()), (Some(Cause::OutOfMemory(Some(1))), None));
        fs::remove_file(&counter).expect("there");
        assert_eq!(kills.more(), None);
    }

    #[test]
    fn a_disk_with_space_is_not_full() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(full_disk(&[folder.path(), Path::new("/not-there"), Path::new("/proc")]), None);
    }

    #[test]
    fn errors_of_a_full_disk_are_told_from_others() {
        let of = |errno: rustix::io::Errno| cause_of(&errno.into(), "x");
        assert!(matches!(of(rustix::io::Errno::NOSPC), Cause::OutOfDisk(why) if why.starts_with("x: ")));
        assert!(matches!(of(rustix::io::Errno::DQUOT), Cause::OutOfDisk(_)));
        assert!(matches!(of(rustix::io::Errno::IO), Cause::Machine(_)));
    }
}
