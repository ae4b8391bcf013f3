//! What each job gets: its files, and the document that tells the runner what to do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Chain, Command, ContainerMode, DocumentError, Due, Environment, FORMAT, Identity, JobLink, JobUrl, Pacing,
    PlanIdentity, Word, Yields,
};
use crate::cut::Cut;
use crate::space::{Interval, Space};

/// What belongs to a plan and is not for people, relative to the plan's folder: the programs, and what each job is given.
pub const PLAN_FILES: &str = "plan.files";

/// Where programs are looked for in a job, which HTCondor gives no PATH.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The files that travel with each job, and the folder that the program starts in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobFiles {
    /// The folder that the program starts in, below the job's tree; empty for its top. It is deeper where
    /// files lie above the folder that was planned in (`../data.csv`), so that they keep their places.
    pub start_in: Word,
    /// The files, by their place.
    pub files: Vec<JobFile>,
    /// The places of folders that hold nothing and travel all the same.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub folders: Vec<Word>,
    /// The links that are made where the files arrive.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub links: Vec<JobLink>,
    /// The environments among them, whose files hold their own path.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub environments: Vec<Environment>,
    /// The files that HTCondor fetches by URL.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub urls: Vec<JobUrl>,
}

/// A file that travels with each job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobFile {
    /// Its place below the job's tree.
    pub place: Word,
    /// Where it comes from, relative to the folder that was planned in, or absolute as the user gave it.
    pub source: Word,
    /// Its size in bytes when it was planned.
    pub bytes: u64,
    /// Its content when it was planned.
    pub content: Identity,
}

impl JobFiles {
    /// Whether nothing travels, and the program starts at the top.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// job.json: all that the runner has to know, the same for every job of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// [`FORMAT`].
    pub format: u32,
    /// The plan's identity.
    pub plan: PlanIdentity,
    /// The items.
    pub space: Space,
    /// The chunks.
    pub cut: Cut,
    /// The user's program; without one the items themselves are the results.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub command: Option<Command>,
    /// What items yield, beside what the command's words say.
    #[serde(skip_serializing_if = "Yields::is_nothing", default)]
    pub yields: Yields,
    /// Where each item is computed by segments one after another: how many, and what they hand on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub chain: Option<Chain>,
    /// What a result must hold.
    pub due: Due,
    /// How a chunk's job goes about its items.
    #[serde(skip_serializing_if = "Pacing::is_plain", default)]
    pub pacing: Pacing,
    /// So often a job that fails is tried again. What its last attempt fails on it yields: it ends with exit code 0, and the
    /// tail cuts that again. `None` where there is no tail.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retries: Option<u32>,
    /// So many chunks that fail the same way stop the DAG, 0 for never; `None` for the usual number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub halt: Option<u64>,
    /// What the program finds in its environment, besides what the runner sets.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub environment: BTreeMap<String, Word>,
    /// The folder that the program starts in: below the job's tree, or, on a shared file system, relative to
    /// the plan's folder.
    pub start_in: Word,
    /// The places of the files that make up the code's identity, as `start_in` says from where.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub files: Vec<FileSource>,
    /// The shell file whose environment the program runs in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub setup: Option<FileSource>,
    /// The user's home, where the job sees the user's files.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub home: Option<Word>,
    /// The links that are made where the files arrive; on a shared file system they are there, and only count.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub links: Vec<JobLink>,
    /// The environments whose files are told their new path. On a shared file system nothing moves.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub environments: Vec<Environment>,
    /// The files that HTCondor fetches by URL.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub urls: Vec<JobUrl>,
    /// Whether the job runs beside the plan's folder, so that nothing is transferred.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub shared_filesystem: bool,
    /// The container that the runner starts itself again in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub container: Option<JobContainer>,
}

/// A container that the runner starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobContainer {
    /// The image: a URL, an absolute path, or a path from where the job's files are.
    pub image: Word,
    /// Whether the program is to see GPUs.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub gpus: bool,
}

/// A file that counts in the code's identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSource {
    /// The name under which it counts.
    pub place: Word,
    /// Where it is found in a job, where that is not its place below the job's tree.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source: Option<Word>,
}

impl FileSource {
    /// Its path: relative to the job's tree, or, on a shared file system, to the folder that was planned in.
    #[must_use]
    pub fn path(&self) -> &Word {
        self.source.as_ref().unwrap_or(&self.place)
    }
}

impl Job {
    /// The slices of chunk number `chunk` that lie in `items`, or as far as they do.
    pub fn slices(&self, chunk: u64, items: Interval) -> impl Iterator<Item = Interval> {
        // Where the cut has changed since, and has no such chunk any more, the items stand for themselves.
        let whole = if chunk < self.cut.chunks() { self.cut.chunk(self.space.count(), chunk) } else { items };
        let whole = if whole.intersect(items) == Some(items) { whole } else { items };
        self.pacing.slices(whole).filter_map(move |slice| slice.intersect(items))
    }

    /// The document's bytes.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("plain values");
        bytes.push(b'\n');
        bytes
    }

    /// Reads a document.
    ///
    /// # Errors
    /// Where it is of another format, or cuts other items than it has.
    pub fn from_json(bytes: &[u8]) -> Result<Self, DocumentError> {
        let job: Self = serde_json::from_slice(bytes)?;
        if job.format != FORMAT {
            return Err(DocumentError::Format(job.format.into()));
        }
        if job.cut.fits(job.space.count()) { Ok(job) } else { Err(DocumentError::Cut) }
    }
}

impl super::Plan {
    /// What each job of the plan is told.
    #[must_use]
    pub fn job(&self) -> Job {
        let shared = self.resources.shared_filesystem;
        let source =
            |file: &JobFile| FileSource { place: file.place.clone(), source: shared.then(|| file.source.clone()) };
        Job {
            format: FORMAT,
            plan: self.identity,
            space: self.space.clone(),
            cut: self.cut.clone(),
            command: self.command.clone(),
            yields: self.yields.clone(),
            chain: self.chain.clone(),
            due: self.reduce.due(),
            pacing: self.pacing.clone(),
            halt: self.resources.halt,
            retries: (self.tail_rounds > 0).then_some(self.resources.retries),
            environment: self.environment.clone(),
            start_in: if shared { self.base.clone() } else { self.files.start_in.clone() },
            files: self.files.files.iter().map(source).collect(),
            setup: self.files.files.iter().find(|file| Some(&file.place) == self.setup.as_ref()).map(source),
            home: self.home.clone(),
            links: self.files.links.clone(),
            environments: if shared { Vec::new() } else { self.files.environments.clone() },
            urls: self.files.urls.clone(),
            shared_filesystem: shared,
            container: self.job_container(),
        }
    }

    /// The container that the runner starts itself again in: an image that is one of the job's files is found there.
    fn job_container(&self) -> Option<JobContainer> {
        let image = self.resources.container.as_ref();
        let image = Word::from(image.filter(|_| self.resources.container_mode == ContainerMode::Apptainer)?.as_str());
        let file = self.files.files.iter().find(|file| file.source == image);
        let place = |file: &JobFile| if self.resources.shared_filesystem { &file.source } else { &file.place }.clone();
        Some(JobContainer { image: file.map(place).unwrap_or(image), gpus: self.resources.gpus > 0 })
    }
}
