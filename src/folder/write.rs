//! Laying a plan down.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::compare::{Difference, differences};
use super::layout::{FolderError, Layout, read_plan};
use crate::dag::{TemplateError, Templates, Text};
use crate::inputs::link_tree;
use crate::plan::Plan;
use crate::pool::{LockState, lock_state};
use crate::record::gather;
use crate::store::{self, Draft, StoreError};

/// What is to become of a plan that is in the folder already and differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Nothing: refuse.
    Refuse,
    /// Its records go on counting as far as they fit.
    Keep,
    /// All of it is moved aside.
    MoveAside,
}

/// What was done.
#[derive(Debug, PartialEq, Eq)]
pub enum Laid {
    /// The plan was written.
    New,
    /// The same plan was there.
    Unchanged,
    /// An older plan's records go on counting.
    Kept {
        /// Where the older plan's files went.
        aside: PathBuf,
        /// Chunks whose items all have records.
        chunks_done: u64,
        /// Items that have records.
        items_done: u128,
    },
    /// An older plan was moved aside.
    MovedAside {
        /// Where it went.
        aside: PathBuf,
    },
}

/// Why the plan was not written. But for [`LayDown::Machine`] nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum LayDown {
    /// Another plan is there.
    #[error("another plan is in {}", folder.display())]
    Differs {
        /// The folder.
        folder: PathBuf,
        /// What differs.
        differences: Vec<Difference>,
        /// Whether the records that are there would go on counting.
        fits: bool,
    },
    /// Files of a plan's names are there, and no plan that explains them.
    #[error("{} is there already, and no plan.json says what it is", .0.display())]
    Unexplained(PathBuf),
    /// Nothing of what is there fits the new plan.
    #[error("nothing that was computed in {} fits: other items or another command", .0.display())]
    NothingFits(PathBuf),
    /// A DAGMan is at work.
    #[error("a DAGMan is at work in {}: {why}", folder.display())]
    Busy {
        /// The folder.
        folder: PathBuf,
        /// How that is known.
        why: String,
        /// The file that says so.
        file: PathBuf,
    },
    /// The plan that is there cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A template is broken.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A file could not be written or moved.
    #[error(transparent)]
    Machine(#[from] StoreError),
}

/// The programs that a plan's folder holds copies of.
#[derive(Clone, Debug)]
pub struct Programs {
    /// What runs inside the jobs.
    pub runner: PathBuf,
    /// What runs the reduce node.
    pub split: PathBuf,
}

/// Writes `plan` into the folder `root`, which is made if need be. The plan's generation is set here.
///
/// # Errors
/// Where another plan is there and `existing` says to refuse, a DAGMan is running, or a file cannot be written.
pub fn lay_down(
    root: &Path,
    plan: &mut Plan,
    templates: &Templates,
    programs: &Programs,
    existing: Existing,
) -> Result<Laid, LayDown> {
    let layout = Layout::new(root);
    let there = match read_plan(&layout.plan()) {
        Err(FolderError::Document { .. }) if existing == Existing::MoveAside => None,
        other => other?,
    };
    if let Some(there) = &there {
        plan.generation = there.generation;
        let differences = differences(there, plan);
        if differences.is_empty() {
            complete(&layout, plan, templates, programs)?;
            return Ok(Laid::Unchanged);
        }
        if existing == Existing::Refuse {
            let fits = there.identity == plan.identity;
            return Err(LayDown::Differs { folder: root.to_owned(), differences, fits });
        }
        if existing == Existing::Keep && there.identity != plan.identity {
            return Err(LayDown::NothingFits(root.to_owned()));
        }
        plan.generation = there.generation.saturating_add(1);
    }
    let mut in_the_way = generated(&layout)?;
    if existing == Existing::Keep && there.is_some() {
        in_the_way.retain(|path| path != layout.outputs() && !path.ends_with("logs") && !path.ends_with("bin"));
    }
    if let Some(first) = in_the_way.first()
        && existing == Existing::Refuse
    {
        return Err(LayDown::Unexplained(first.clone()));
    }
    if let LockState::Live { why, file } = lock_state(&layout.dag()) {
        return Err(LayDown::Busy { folder: root.to_owned(), why, file });
    }
    // Rendered before anything is touched: a broken template changes nothing.
    let text = Text::new(plan, templates)?;
    let aside = move_aside(&layout, &in_the_way)?;
    let (chunks_done, items_done) = write(&layout, plan, &text, programs)?;
    Ok(match aside {
        None => Laid::New,
        Some(aside) if existing == Existing::Keep => Laid::Kept { aside, chunks_done, items_done },
        Some(aside) => Laid::MovedAside { aside },
    })
}

/// Whatever in the folder has a name that a plan's file has, or a DAGMan's: plan.json last, so that what is
/// moved only in part is still known for what it is.
fn generated(layout: &Layout) -> Result<Vec<PathBuf>, StoreError> {
    let mut found = Vec::new();
    let entries = match layout.root().read_dir() {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(StoreError::on("read", layout.root())(error)),
    };
    const NAMES: [&[u8]; 10] = [
        b"plan.dag",
        b"chunk.sub",
        b"reduce.sub",
        b"result.json",
        b"result.data",
        b"bin",
        b"job",
        b"outputs",
        b"logs",
        b"plan.json",
    ];
    for entry in entries {
        let name = entry.map_err(StoreError::on("read", layout.root()))?.file_name();
        if NAMES.contains(&name.as_bytes()) || name.as_bytes().starts_with(b"plan.dag.") {
            found.push(layout.root().join(name));
        }
    }
    found.sort_by_key(|path| (path.ends_with("plan.json"), path.clone()));
    Ok(found)
}

/// Moves files into a new folder of their own.
fn move_aside(layout: &Layout, paths: &[PathBuf]) -> Result<Option<PathBuf>, StoreError> {
    if paths.is_empty() {
        return Ok(None);
    }
    let free = |number: &u32| layout.root().join(format!("aside-{number:03}")).symlink_metadata().is_err();
    let number = (1..).find(free).expect("a free number");
    let aside = layout.root().join(format!("aside-{number:03}"));
    fs::create_dir(&aside).map_err(StoreError::on("make the folder", &aside))?;
    for path in paths {
        let name = path.file_name().expect("a name in the folder");
        store::move_to(path, &aside.join(name))?;
    }
    Ok(Some(aside))
}

/// Writes all of a plan's files; says how many chunks and items have records already.
fn write(layout: &Layout, plan: &Plan, text: &Text, programs: &Programs) -> Result<(u64, u128), StoreError> {
    let root = layout.root();
    for folder in ["bin", "job", "outputs", "logs"] {
        store::make_folder(&root.join(folder))?;
    }
    store::copy_program(&programs.runner, &root.join("bin/split-runner"))?;
    store::copy_program(&programs.split, &root.join("bin/split"))?;
    store::write(&root.join("job/job.json"), &plan.job().to_json())?;
    if !plan.resources.shared_filesystem {
        link_tree(&root.join("job/work"), Path::new(plan.base.as_os_str()), &plan.files)?;
    }
    store::write(&root.join("chunk.sub"), text.chunk_sub().as_bytes())?;
    store::write(&root.join("reduce.sub"), text.reduce_sub().as_bytes())?;

    let gathered = gather(layout.outputs(), plan, &|_| ()).map_err(StoreError::on("read", layout.outputs()))?;
    let gaps = &gathered.tiling.gaps;
    // The gaps are sorted and apart: the first that ends after a chunk's start decides.
    let done = |chunk: u64| {
        let items = plan.chunk(chunk);
        let next = gaps.partition_point(|gap| gap.stop() <= items.start());
        gaps.get(next).is_none_or(|gap| gap.start() >= items.stop())
    };
    let dag = layout.dag();
    let mut draft = Draft::new(&dag, 0o666)?;
    text.write_dag(plan, &done, &mut draft).map_err(StoreError::on("write", &dag))?;
    draft.commit()?;
    store::write(&layout.outputs().join("plan.json"), &plan.to_json())?;
    store::write(&layout.plan(), &plan.to_json())?;
    let items_done = gathered.covered();
    let chunks_done = if items_done == 0 { 0 } else { (0..plan.cut.chunks()).filter(|&chunk| done(chunk)).count() };
    Ok((chunks_done as u64, items_done))
}

/// Puts back what is missing of the same plan's files, and brings the programs up to date. What was edited
/// by hand stays.
fn complete(layout: &Layout, plan: &Plan, templates: &Templates, programs: &Programs) -> Result<(), LayDown> {
    let root = layout.root();
    let needed = ["plan.dag", "chunk.sub", "reduce.sub", "job/job.json", "outputs/plan.json", "logs"];
    if needed.iter().any(|name| !root.join(name).exists()) {
        write(layout, plan, &Text::new(plan, templates)?, programs)?;
    } else {
        store::copy_program(&programs.runner, &root.join("bin/split-runner"))?;
        store::copy_program(&programs.split, &root.join("bin/split"))?;
    }
    Ok(())
}
