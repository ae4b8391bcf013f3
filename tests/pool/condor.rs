//! HTCondor's event logs.

use std::fs;
use std::path::Path;

/// An event of a job.
#[derive(Debug)]
pub(crate) struct Event {
    code: u16,
    cluster: u32,
    text: String,
}

/// What became of one job of a DAG.
#[derive(Debug)]
pub(crate) struct Job {
    /// Its cluster.
    pub(crate) number: u32,
    /// The DAG's node.
    pub(crate) node: String,
    /// Where it ran, if it did.
    pub(crate) machine: Option<String>,
    /// Its exit code, if it ended by itself.
    pub(crate) returned: Option<i32>,
    /// The bytes that went to and fro, once it has ended.
    pub(crate) transferred: u64,
}

impl Event {
    /// Whether with it a job has left the queue.
    pub(crate) fn ends(&self, cluster: u32) -> bool {
        self.cluster == cluster && matches!(self.code, 5 | 9)
    }

    /// Whether it is one of this job's.
    pub(crate) fn is_of(&self, cluster: u32) -> bool {
        self.cluster == cluster
    }

    /// Whether a job has lost its machine: evicted, an exception of the shadow's, disconnected.
    pub(crate) fn is_loss(&self) -> bool {
        matches!(self.code, 4 | 7 | 22)
    }

    /// When it happened, to the second: `2026-11-22 15:53:05`.
    pub(crate) fn time(&self) -> &str {
        self.text.split_once(") ").and_then(|(_, rest)| rest.get(..19)).unwrap_or_default()
    }

    /// Whether these words are in it.
    pub(crate) fn says(&self, words: &str) -> bool {
        self.text.contains(words)
    }

    /// Whether with it a job was put on hold.
    pub(crate) fn holds(&self) -> bool {
        self.code == 12
    }

    /// The exit code that it tells of.
    pub(crate) fn returned(&self) -> Option<i32> {
        self.between("(return value ", ")")?.parse().ok()
    }

    /// The DAG's node: `DAG Node: chunk-000001-g1` in HTCondor 23, `[ DAGNodeName = "chunk-000001-g1"; ... ]` in 25.
    fn node(&self) -> String {
        let mut words = self.text.split([' ', '"', '\n']);
        let node =
            words.find(|word| ["chunk-", "merge-", "tail-", "reduce-"].iter().any(|kind| word.starts_with(kind)));
        node.unwrap_or_else(|| panic!("no job of a DAG: {}", self.text)).to_owned()
    }

    fn between(&self, before: &str, after: &str) -> Option<&str> {
        Some(self.text.split_once(before)?.1.split_once(after)?.0)
    }

    fn transferred(&self) -> u64 {
        let total = |line: &str| {
            let (bytes, what) = line.split_once("  -  ")?;
            what.starts_with("Total Bytes").then(|| bytes.trim().parse::<u64>().expect("a number"))
        };
        self.text.lines().filter_map(total).sum()
    }
}

impl Job {
    /// The chunk's number; none for pieces of the tail and for nodes that merge.
    pub(crate) fn chunk(&self) -> Option<u64> {
        self.node.strip_prefix("chunk-")?.split('-').next()?.parse().ok()
    }
}

/// The events of a log, none where there is no log yet. One that is being written does not count.
pub(crate) fn events(log: &Path) -> Vec<Event> {
    let text = fs::read_to_string(log).unwrap_or_default();
    let whole = text.rsplit_once("\n...\n").map_or("", |(whole, _)| whole);
    whole.split("\n...\n").filter_map(event).collect()
}

/// `005 (062.000.000) 2026-11-22 15:53:05 Job terminated.`, and lines that are indented.
fn event(text: &str) -> Option<Event> {
    let (code, rest) = text.split_once(" (")?;
    let cluster = rest.split('.').next()?;
    Some(Event { code: code.parse().ok()?, cluster: cluster.parse().ok()?, text: text.to_owned() })
}

/// The jobs that a DAG's log tells of.
pub(crate) fn jobs(events: &[Event]) -> Vec<Job> {
    let mut jobs: Vec<Job> = Vec::new();
    for event in events {
        let known = jobs.iter_mut().find(|job| job.number == event.cluster);
        match (event.code, known) {
            (0, None) => jobs.push(Job {
                number: event.cluster,
                node: event.node(),
                machine: None,
                returned: None,
                transferred: 0,
            }),
            (1, Some(job)) => job.machine = event.between("alias=", "&").map(str::to_owned),
            (5, Some(job)) => (job.returned, job.transferred) = (event.returned(), event.transferred()),
            _ => {}
        }
    }
    jobs
}
