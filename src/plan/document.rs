//! plan.json.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Bindings, Chain, Command, FanIn, Identity, JobFiles, Pacing, PlanIdentity, Reduction, Resources, Run,
    SEGMENT_NAMES, Seen, SiteRules, TemplateError, Tolerance, Word, Yields,
};
use crate::cut::Cut;
use crate::space::{Interval, Rows, Space};

/// The number of the documents' format. A reader takes this one and no other.
pub const FORMAT: u32 = 1;

/// A plan, as plan.json holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`FORMAT`].
    pub format: u32,
    /// What is computed.
    pub identity: PlanIdentity,
    /// How often this folder has been planned anew; part of every node's name, so that nothing an earlier
    /// DAGMan left is taken for news.
    pub generation: u32,
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
    /// How results are merged.
    pub reduce: Reduction,
    /// Names of the space: results are merged for each combination of their values.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub by: Vec<String>,
    /// The file that the answer goes to, relative to the folder that was planned in; its ending says the format.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to: Option<Word>,
    /// How much may be missing from the answer; without it nothing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tolerance: Option<Tolerance>,
    /// So long, in milliseconds, all items are expected to take on a usual machine.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expected: Option<u64>,
    /// So long, in milliseconds, a chunk was to take, where it was found out how to cut.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub target: Option<u64>,
    /// What jobs were seen to use, where items were tried.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seen: Option<Seen>,
    /// The files that tables and lines were read from, relative to the folder that was planned in.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub sources: Vec<Word>,
    /// How many chunks' results are merged on the way to the answer, by a node of the DAG.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fan_in: Option<FanIn>,
    /// How often, at most, what is missing once the chunks have run is cut again, smaller, and run: the rounds of the tail.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub tail_rounds: u32,
    /// The folder that the command's relative paths start from, relative to the plan's folder.
    pub base: Word,
    /// What a job's program finds in its environment, besides what the runner sets.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub environment: BTreeMap<String, Word>,
    /// The files that travel with each job.
    #[serde(skip_serializing_if = "JobFiles::is_empty", default)]
    pub files: JobFiles,
    /// The place of the one among them that is the set-up: a shell file whose environment the program runs in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub setup: Option<Word>,
    /// The user's home, where jobs see the user's files.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub home: Option<Word>,
    /// The identity of the code that runs: the files' content and the environment. Where
    /// [`Plan::knows_code`] is false no record has it.
    pub code: Identity,
    /// What each job asks for.
    pub resources: Resources,
    /// How a chunk's job goes about its items.
    #[serde(skip_serializing_if = "Pacing::is_plain", default)]
    pub pacing: Pacing,
    /// What the site asks of every plan.
    #[serde(skip_serializing_if = "SiteRules::is_empty", default)]
    pub site: SiteRules,
    /// The identity of the templates that plan.dag and the submit files were made from.
    pub templates: Identity,
}

/// Why bytes are no plan.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// Not the JSON of a plan.
    #[error("not a plan of format {FORMAT}")]
    Json(#[from] serde_json::Error),
    /// Written by another version.
    #[error("format {0}, and this version of split reads format {FORMAT}")]
    Format(u64),
    /// Its parts contradict each other.
    #[error("its identity is not that of its content: it was changed by hand")]
    Identity,
    /// Its command does not fit its space.
    #[error(transparent)]
    Command(#[from] TemplateError),
    /// Its cut does not fit its space.
    #[error("it has more chunks than items")]
    Cut,
    /// A chain is an item.
    #[error("it is a chain of segments, and its chunks are not of one item each")]
    Chain,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(rounds: &u32) -> bool {
    *rounds == 0
}

impl Plan {
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
    /// Where it is of another format, or contradicts itself.
    pub fn from_json(bytes: &[u8]) -> Result<Self, DocumentError> {
        #[derive(Deserialize)]
        struct Format {
            format: u64,
        }
        let Format { format } = serde_json::from_slice(bytes)?;
        if format != u64::from(FORMAT) {
            return Err(DocumentError::Format(format));
        }
        let plan: Self = serde_json::from_slice(bytes)?;
        if !plan.cut.fits(plan.space.count()) {
            return Err(DocumentError::Cut);
        }
        if let Some(command) = &plan.command {
            command.check(&plan.space, plan.chain.is_some())?;
        }
        plan.yields.expect.iter().try_for_each(|name| name.check(&plan.space))?;
        if plan.chain.is_some() && (plan.command.is_none() || u128::from(plan.cut.chunks()) != plan.space.count()) {
            return Err(DocumentError::Chain);
        }
        let (command, chain) = (plan.command.as_ref(), plan.chain.as_ref());
        if plan.identity != Identity::of_plan(&plan.space, &plan.cut, command, &plan.yields, chain) {
            return Err(DocumentError::Identity);
        }
        Ok(plan)
    }

    /// Whether the plan can tell the identity of the code that runs: what is fetched by URL is known only where it
    /// arrives.
    #[must_use]
    pub fn knows_code(&self) -> bool {
        self.files.urls.is_empty()
    }

    /// The items of chunk number `chunk`.
    ///
    /// # Panics
    /// Where there is no such chunk.
    #[must_use]
    pub fn chunk(&self, chunk: u64) -> Interval {
        self.cut.chunk(self.space.count(), chunk)
    }

    /// The command's words in a run over `items` of chunk number `chunk`, as people are shown them: of a program that runs
    /// once for each item, the run of the first; the paths that only a job knows stand as `{result}` and `{items}`. `None`
    /// without a command, and where the rows of the items are not at hand.
    ///
    /// # Panics
    /// Where the space does not hold `items`.
    #[must_use]
    pub fn words(&self, chunk: u64, items: Interval, rows: &Rows) -> Option<Vec<Word>> {
        let command = self.command.as_ref()?;
        let per_item = self.chain.is_some() || command.runs_per_item(&self.space, self.yields.stdin_items);
        let items = if per_item { Interval::new(items.start(), items.start() + 1)? } else { items };
        let (result, items_file) = (Word::from("{result}"), Word::from("{items}"));
        let run = Run {
            space: &self.space,
            rows,
            cut: &self.cut,
            seed: self.yields.seed,
            chunk,
            items,
            result: &result,
            items_file: &items_file,
        };
        let mut bindings = Bindings::new(run)?;
        if self.chain.is_some() {
            for name in SEGMENT_NAMES {
                bindings.add(name, Word::from(format!("{{{name}}}").as_str()));
            }
        }
        Some(command.fill(&bindings))
    }

    /// The chunks that hold `items`: the first's and the last's number.
    #[must_use]
    pub fn chunks_of(&self, items: Interval) -> (u64, u64) {
        let count = self.space.count();
        (self.cut.chunk_of(count, items.start()), self.cut.chunk_of(count, items.last()))
    }
}
