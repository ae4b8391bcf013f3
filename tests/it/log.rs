//! Event logs as HTCondor 25 writes them, made by hand.

use std::fs::File;
use std::time::{Duration, SystemTime};

use crate::kit::{Dir, Ended};

/// A log; each event comes so many seconds after the one before as was said last.
pub(crate) struct Log {
    text: String,
    time: u32,
}

impl Log {
    /// An empty log. Its clock is at noon.
    pub(crate) fn new() -> Self {
        Self { text: String::new(), time: 0 }
    }

    /// Lets time pass.
    pub(crate) fn after(mut self, seconds: u32) -> Self {
        self.time += seconds;
        self
    }

    /// An event.
    pub(crate) fn event(mut self, code: u16, cluster: u32, title: &str, body: &str) -> Self {
        let (hour, minute, second) = (12 + self.time / 3600, self.time / 60 % 60, self.time % 60);
        self.text +=
            &format!("{code:03} ({cluster:03}.000.000) 2026-11-22 {hour:02}:{minute:02}:{second:02} {title}\n");
        for line in body.lines() {
            self.text += &format!("\t{line}\n");
        }
        self.text += "...\n";
        self
    }

    pub(crate) fn submitted(self, cluster: u32, node: &str) -> Self {
        let body = format!("[ DAGNodeName = \"{node}\"; JobBatchName = \"plan.dag+1\" ]");
        self.event(0, cluster, "Job submitted from host: <127.0.0.1:9618?addrs=127.0.0.1-9618&alias=ap&noUDP>", &body)
    }

    pub(crate) fn starts(self, cluster: u32, host: &str) -> Self {
        let to = format!("Transferring to host: <127.0.1.1:9618?addrs=127.0.1.1-9618&alias={host}&noUDP&sock=slot1_1>");
        let on = format!("Job executing on host: <127.0.1.1:9618?addrs=127.0.1.1-9618&alias={host}&noUDP&sock=startd>");
        let log = self.event(40, cluster, "Started transferring input files", &to);
        let log = log.event(40, cluster, "Finished transferring input files", "");
        log.event(1, cluster, &on, &format!("SlotName: slot1_1@{host}\nCpus = 1"))
    }

    pub(crate) fn exits(self, cluster: u32, code: i32) -> Self {
        let body = format!(
            "(1) Normal termination (return value {code})\n\tUsr 0 00:00:00, Sys 0 00:00:00  -  Run Remote Usage"
        );
        self.event(5, cluster, "Job terminated.", &body)
    }

    /// Exits with 0, having used so many MB of memory and KB of disk.
    pub(crate) fn used(self, cluster: u32, memory: u64, disk: u64) -> Self {
        let body = format!(
            "(1) Normal termination (return value 0)\n\
             Partitionable Resources :    Usage  Request Allocated \n   Cpus                 :        0        1         1 \n   \
             Disk (KB)            : {disk:8}  1048576   1048576 \n   Memory (MB)          : {memory:8}     1024      1024 "
        );
        self.event(5, cluster, "Job terminated.", &body)
    }

    /// Failed, and goes back into the queue.
    pub(crate) fn requeued(self, cluster: u32, code: i32) -> Self {
        let body = format!("(0) Job terminated and was requeued\n(1) Normal termination (return value {code})");
        self.event(4, cluster, "Job was evicted.", &body)
    }

    pub(crate) fn evicted(self, cluster: u32) -> Self {
        self.event(4, cluster, "Job was evicted. Code 1022 Subcode 0", "(0) CPU times\nReason: Job vacated by schedd")
    }

    pub(crate) fn held(self, cluster: u32, reason: &str, code: u32) -> Self {
        let log = self.event(4, cluster, &format!("Job was evicted. Code {code} Subcode 0"), "(0) CPU times");
        log.event(12, cluster, "Job was held.", &format!("{reason}\nCode {code} Subcode 0"))
    }

    pub(crate) fn removed(self, cluster: u32) -> Self {
        self.event(9, cluster, "Job was aborted.", "via condor_rm (by user alice)")
    }

    /// Writes it. No time has passed since its last event.
    pub(crate) fn write(self, dir: &Dir, name: &str) {
        let path = dir.write(name, &self.text);
        let later = SystemTime::now() + Duration::from_secs(3600);
        File::options().append(true).open(path).and_then(|file| file.set_modified(later)).expect("a time");
    }
}

/// A folder with a plan of ten chunks, `./tool {first}` over 0..10, which fails on `broken`; the partials are those of
/// `chunks` alone.
pub(crate) fn computed(broken: &str, chunks: &[u64]) -> Dir {
    let dir = Dir::new();
    let script = format!("#!/bin/sh\ncase $1 in {broken}) echo \"no data for $1\" >&2; exit 3;; esac\necho $1\n");
    dir.program("tool", &script);
    dir.split("plan --total 10 --chunks 10 --retries 0 -- ./tool {first}").ok();
    if !chunks.is_empty() {
        dir.split("run . --jobs 1 --partial").run();
        for chunk in (0..10).filter(|chunk| !chunks.contains(chunk)) {
            for partial in dir.partials_of(chunk) {
                std::fs::remove_file(partial).expect("removed");
            }
        }
        let _ = std::fs::remove_file(dir.path("result.json"));
    }
    dir
}

/// What DAGMan's own log says once it is at work.
pub(crate) fn dagman() -> Log {
    Log::new().submitted(1, "").event(1, 1, "Job executing on host: <127.0.0.1:9618?alias=ap>", "")
}

/// Ten chunks on two machines, all sorts of things on the way: the DAG of [`computed`] half way.
pub(crate) fn half_way() -> Log {
    let mut log = Log::new().after(1);
    for chunk in 0..10 {
        log = log.submitted(10 + chunk, &format!("chunk-{chunk:06}-g1"));
    }
    log = log.after(1).starts(10, "ep1").starts(11, "ep2").starts(12, "ep1").starts(13, "ep2");
    log = log.after(60).exits(10, 0).after(2).requeued(11, 70).after(8).evicted(12);
    log = log.after(5).starts(14, "ep1").starts(12, "ep2").starts(11, "ep1");
    log = log.after(40).held(13, "Error from slot1_1@ep2: disk full", 34).starts(15, "ep2").after(20).exits(14, 0);
    log = log.exits(11, 70).after(1).starts(16, "ep1").event(
        22,
        15,
        "Job disconnected, attempting to reconnect",
        "Socket between submit and execute hosts closed unexpectedly",
    );
    log.after(9).exits(12, 0).starts(17, "ep2").after(10)
}

/// What a command said, without the name of this machine.
pub(crate) fn transcript(ended: &Ended<'_>) -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let lines = ended.transcript();
    let lines = lines.lines().map(|line| match line.strip_suffix(&host).filter(|_| line.contains("tried ")) {
        Some(line) => format!("{line}[HOST]\n"),
        None => format!("{line}\n"),
    });
    lines.collect()
}
