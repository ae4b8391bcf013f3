//! A profile's settings.

use std::path::PathBuf;
use std::time::Duration;

use crate::plan::{AccessPoint, ContainerMode, ReduceOn, Size, SubmitLine, Throttles};

/// The file and line that a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
}

/// A value, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set<T> {
    /// The value.
    pub value: T,
    /// Where it comes from.
    pub origin: Origin,
}

/// What one or several files set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The pool's name.
    pub name: Option<Set<String>>,
    /// How long a chunk should take.
    pub target: Option<Set<Duration>>,
    /// Whether jobs see the user's files.
    pub shared_filesystem: Option<Set<bool>>,
    /// How much may be transferred for all jobs of a plan.
    pub max_transfer: Option<Set<Size>>,
    /// How often a failed chunk is tried again.
    pub retries: Option<Set<u32>>,
    /// Memory of a job.
    pub memory: Option<Set<Size>>,
    /// Scratch space of a job.
    pub disk: Option<Set<Size>>,
    /// Lines that every submit file needs.
    pub submit: Vec<Set<String>>,
    /// Conditions on execute points, all of which have to hold.
    pub requirements: Vec<Set<String>>,
    /// How a submit file asks for GPUs, with `{gpus}` for their number.
    pub gpus: Option<Set<Vec<String>>>,
    /// How a submit file asks for a container, with `{image}` for its image.
    pub containers: Option<Set<Vec<String>>>,
    /// Who starts containers.
    pub container_mode: Option<Set<ContainerMode>>,
    /// Where results are merged.
    pub reduce: Option<Set<ReduceOn>>,
    /// DAGMan: jobs that wait for a machine.
    pub max_idle: Option<Set<u32>>,
    /// DAGMan: jobs in the queue.
    pub max_jobs: Option<Set<u32>>,
    /// DAGMan: jobs submitted at a time.
    pub max_submits: Option<Set<u32>>,
    /// DAGMan: scripts side by side.
    pub max_scripts: Option<Set<u32>>,
    /// On the access point: whether items may be tried there, to find how to cut.
    pub probe: Option<Set<bool>>,
    /// On the access point: threads.
    pub threads: Option<Set<u16>>,
    /// On the access point: how much others come first.
    pub niceness: Option<Set<u8>>,
}

impl Profile {
    /// How often a failed chunk is tried again, where nobody says.
    pub const RETRIES: u32 = 2;
    /// A job's memory, where nobody says.
    pub const MEMORY: Size = Size::gibibytes(1);
    /// A job's scratch space beside what it is sent, where nobody says.
    pub const DISK: Size = Size::gibibytes(1);
    /// How much may be transferred for all jobs, where nobody says.
    pub const MAX_TRANSFER: Size = Size::tebibytes(1);
    /// How long a chunk should take, where nobody says.
    pub const TARGET: Duration = Duration::from_secs(600);
    /// HTCondor's own way to ask for GPUs.
    pub const GPUS: [&'static str; 1] = ["request_gpus = {gpus}"];
    /// HTCondor's own way to ask for a container.
    pub const CONTAINERS: [&'static str; 2] = ["universe = container", "container_image = {image}"];

    /// Lays a later file's settings over these.
    #[must_use]
    pub fn then(self, later: Self) -> Self {
        let mut submit = self.submit;
        for line in later.submit {
            replace_or_push(&mut submit, line);
        }
        Self {
            name: later.name.or(self.name),
            target: later.target.or(self.target),
            shared_filesystem: later.shared_filesystem.or(self.shared_filesystem),
            max_transfer: later.max_transfer.or(self.max_transfer),
            retries: later.retries.or(self.retries),
            memory: later.memory.or(self.memory),
            disk: later.disk.or(self.disk),
            submit,
            requirements: [self.requirements, later.requirements].concat(),
            gpus: later.gpus.or(self.gpus),
            containers: later.containers.or(self.containers),
            container_mode: later.container_mode.or(self.container_mode),
            reduce: later.reduce.or(self.reduce),
            max_idle: later.max_idle.or(self.max_idle),
            max_jobs: later.max_jobs.or(self.max_jobs),
            max_submits: later.max_submits.or(self.max_submits),
            max_scripts: later.max_scripts.or(self.max_scripts),
            threads: later.threads.or(self.threads),
            niceness: later.niceness.or(self.niceness),
            probe: later.probe.or(self.probe),
        }
    }

    /// The lines that ask for so many GPUs; none for none.
    #[must_use]
    pub fn gpu_lines(&self, gpus: u32) -> Vec<String> {
        let fill = |line: &str| line.replace("{gpus}", &gpus.to_string());
        match &self.gpus {
            _ if gpus == 0 => Vec::new(),
            Some(set) => set.value.iter().map(|line| fill(line)).collect(),
            None => Self::GPUS.map(fill).into(),
        }
    }

    /// The lines that ask for a container.
    #[must_use]
    pub fn container_lines(&self, image: &str) -> Vec<String> {
        let fill = |line: &str| line.replace("{image}", image);
        match &self.containers {
            Some(set) => set.value.iter().map(|line| fill(line)).collect(),
            None => Self::CONTAINERS.map(fill).into(),
        }
    }

    /// DAGMan's throttles.
    #[must_use]
    pub fn throttles(&self) -> Throttles {
        Throttles {
            max_idle: value(&self.max_idle),
            max_jobs: value(&self.max_jobs),
            max_submits: value(&self.max_submits),
            max_scripts: value(&self.max_scripts),
        }
    }

    /// What holds on the access point.
    #[must_use]
    pub fn access_point(&self) -> AccessPoint {
        AccessPoint { threads: value(&self.threads), niceness: value(&self.niceness) }
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}:{}", self.file.display(), self.line)
    }
}

fn value<T: Copy>(set: &Option<Set<T>>) -> Option<T> {
    set.as_ref().map(|set| set.value)
}

/// Of two lines that set the same, the later one holds.
fn replace_or_push(lines: &mut Vec<Set<String>>, line: Set<String>) {
    let same = |there: &Set<String>| match (SubmitLine::parse(&there.value), SubmitLine::parse(&line.value)) {
        (Ok(there), Ok(line)) => there.sets_the_same_as(&line),
        _ => false,
    };
    match lines.iter_mut().find(|there| same(there)) {
        Some(there) => *there = line,
        None => lines.push(line),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn profile(name: &str, text: &str) -> Profile {
        Profile::read(Path::new(name), text).expect("a profile")
    }

    #[test]
    fn what_is_later_wins_and_lists_add_up() {
        let first = profile(
            "a",
            "name = 'first'\nmemory = '2GB'\nsubmit = ['+Project = 1', 'rank = Mips']\nrequirements = 'HasA'\n[throttles]\nmax-idle = 5",
        );
        let second =
            profile("b", "name = 'second'\nsubmit = ['MY.project = 2']\nrequirements = ['HasB', 'HasC || HasD']");
        let both = first.then(second);
        let shown = |set: &Set<String>| format!("{} ({})", set.value, set.origin);
        assert_eq!(both.name.as_ref().map(shown), Some("second (b:1)".to_owned()));
        assert_eq!(both.memory.as_ref().map(|set| set.origin.to_string()), Some("a:2".to_owned()));
        assert_eq!(both.submit.iter().map(shown).collect::<Vec<_>>(), ["MY.project = 2 (b:2)", "rank = Mips (a:3)"]);
        let requirements = ["HasA (a:4)", "HasB (b:3)", "HasC || HasD (b:3)"];
        assert_eq!(both.requirements.iter().map(shown).collect::<Vec<_>>(), requirements);
        assert_eq!(both.throttles().max_idle, Some(5));
    }

    #[test]
    fn gpus_and_containers_are_spelled_as_the_site_says() {
        let own = Profile::default();
        assert_eq!(own.gpu_lines(2), ["request_gpus = 2"]);
        assert!(own.gpu_lines(0).is_empty());
        assert_eq!(own.container_lines("a.sif"), ["universe = container", "container_image = a.sif"]);
        let site = profile(
            "x",
            "gpus = ['+WantGPULab = true', 'request_gpus = {gpus}']\ncontainers = ['+Image = \"{image}\"']",
        );
        assert_eq!(site.gpu_lines(1), ["+WantGPULab = true", "request_gpus = 1"]);
        assert_eq!(site.container_lines("a.sif"), ["+Image = \"a.sif\""]);
    }
}
