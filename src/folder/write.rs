//! Laying a plan down.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::compare::{Difference, differences};
use super::done::Done;
use super::layout::{FolderError, Layout, standing_plan};
use super::tail::{is_nested, keep_templates, live_within};
use crate::dag::{TemplateError, Templates, Text};
use crate::inputs::link_tree;
use crate::plan::{PLAN_FILES, Plan, Shards};
use crate::pool::{LockState, lock_state};
use crate::record::{Listing, Partials, gather_of, is_partial, read};
use crate::rows::{self, is_kept};
use crate::space::Rows;
use crate::store::{self, Draft, StoreError};

/// What is to become of a plan that is in the folder already and differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Nothing: refuse.
    Refuse,
    /// Its records go on counting as far as they fit.
    Keep {
        /// Whether to write the same plan anew where some of it has been computed, so that plan.dag says so.
        renew: bool,
    },
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
    /// The same plan was there, and files of it that were missing are back.
    Completed,
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
    /// A file has the name of a folder.
    #[error("{} is there already, and no folder", .0.display())]
    NoFolder(PathBuf),
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

/// Writes `plan` into the folder `root`, which is made if need be. The plan's generation is set here. `rows` are those that
/// its space lists, and `brought` are partials of it that were computed elsewhere.
///
/// # Errors
/// Where another plan is there and `existing` says to refuse, a DAGMan is running, or a file cannot be written.
pub fn lay_down(
    root: &Path,
    plan: &mut Plan,
    rows: &Rows,
    templates: &Templates,
    programs: &Programs,
    existing: Existing,
    brought: &[PathBuf],
) -> Result<Laid, LayDown> {
    // A broken template makes no folder.
    Text::new(plan, templates)?;
    let layout = Layout::new(root);
    store::make_folder(root)?;
    // Two that plan in one folder come one after the other.
    let _lock = store::lock_folder(root)?;
    let there = match standing_plan(root) {
        Err(FolderError::Document { .. }) if existing == Existing::MoveAside => None,
        other => other?,
    };
    if let Some(there) = &there {
        plan.generation = there.generation;
        let differences = differences(there, plan);
        let renew = matches!(existing, Existing::Keep { renew: true } | Existing::MoveAside);
        // A plan.dag that was written anew may call chunks done whose results are lost by now.
        let worn = there.generation > 1 || has_traces(&layout)?;
        if differences.is_empty() && !(renew && worn) {
            return complete(&layout, plan, rows, templates, programs);
        }
        if existing == Existing::Refuse {
            let fits = there.identity == plan.identity;
            return Err(LayDown::Differs { folder: root.to_owned(), differences, fits });
        }
        if matches!(existing, Existing::Keep { .. }) && there.identity != plan.identity {
            return Err(LayDown::NothingFits(root.to_owned()));
        }
        plan.generation = there.generation.saturating_add(1);
    }
    for name in ["outputs", "logs"] {
        let path = root.join(name);
        if path.symlink_metadata().is_ok() && !path.is_dir() {
            return Err(LayDown::NoFolder(path));
        }
    }
    let keep = matches!(existing, Existing::Keep { .. }) && there.is_some();
    let mut in_the_way = generated(&layout, keep)?;
    if there.is_none() && unfinished(&layout, &in_the_way) {
        in_the_way.clear();
    }
    if let Some(first) = in_the_way.first()
        && existing != Existing::MoveAside
        && there.is_none()
    {
        return Err(LayDown::Unexplained(root.join(first)));
    }
    refuse_if_live(&layout)?;
    let text = Text::new(plan, templates)?;
    let aside = move_aside(&layout, &in_the_way)?;
    keep_templates(&layout, templates)?;
    bring(&layout, plan, brought)?;
    let (chunks_done, items_done) = write(&layout, &layout.dag(), plan, rows, &text, programs, &|_| false)?;
    Ok(match aside {
        None => Laid::New,
        Some(aside) if keep => Laid::Kept { aside, chunks_done, items_done },
        Some(aside) => Laid::MovedAside { aside },
    })
}

/// Copies partials into the folder of all of them, or of their group: what is merged on the way is merged with them.
fn bring(layout: &Layout, plan: &Plan, brought: &[PathBuf]) -> Result<(), StoreError> {
    for path in brought {
        let group = plan.shards().and_then(|shards| {
            let found = read(&mut File::open(path).ok()?, &mut Vec::new()).ok()?;
            let groups = found.records.iter().map(|record| {
                let (first, last) = plan.chunks_of(record.header.items);
                (shards.of(first), shards.of(last))
            });
            let (least, most) = groups.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
            (least == most).then(|| Shards::folder(least))
        });
        let folder = group.map_or_else(|| layout.outputs().to_owned(), |group| layout.outputs().join(group));
        store::make_folder(&folder)?;
        let bytes = fs::read(path).map_err(StoreError::on("read", path))?;
        store::write(&folder.join(path.file_name().unwrap_or_default()), &bytes)?;
    }
    Ok(())
}

/// Moves partials of the plan in `layout` aside, so that what they hold is computed again; gives where they are.
///
/// # Errors
/// Where a DAGMan is running, or a file cannot be moved.
pub fn set_aside(layout: &Layout, partials: &[PathBuf]) -> Result<Option<PathBuf>, LayDown> {
    let _lock = store::lock_folder(layout.root())?;
    refuse_if_live(layout)?;
    let below = |path: &PathBuf| path.strip_prefix(layout.root()).unwrap_or(path).to_owned();
    let paths: Vec<PathBuf> = partials.iter().map(below).collect();
    Ok(move_aside(layout, &paths)?)
}

/// What in the folder a plan or a DAGMan has written, by name, relative to it; without the partials and logs where
/// these are to be kept. plan.json comes last, so that what is moved only in part is still known for what it is.
fn generated(layout: &Layout, keep: bool) -> Result<Vec<PathBuf>, StoreError> {
    const NAMES: [&[u8]; 8] = [
        b"plan.dag",
        b"plan.files",
        b"chunk.sub",
        b"merge.sub",
        b"reduce.sub",
        b"dagman.config",
        b"result.json",
        b"result.data",
    ];
    let mut found = Vec::new();
    for name in names(layout.root())? {
        if NAMES.contains(&name.as_bytes()) || name.as_bytes().starts_with(b"plan.dag.") || is_nested(name.as_bytes()) {
            found.push(PathBuf::from(name));
        }
    }
    if !keep {
        // Others may keep things in folders of these names too: those stay.
        let is_ours =
            |name: &[u8]| is_partial(name) || is_kept(name) || name == b"plan.json" || name == b"archived.txt";
        found.extend(ours(layout, "outputs", &is_ours, &is_shard)?);
        let logs: [&[u8]; 5] = [b"events.log", b"reduce.out", b"reduce.err", b"stopped.txt", b"missing.txt"];
        found.extend(ours(layout, "logs", &|name| logs.contains(&name), &|_| false)?);
    }
    found.sort_unstable();
    if layout.plan().symlink_metadata().is_ok() {
        found.push("plan.json".into());
    }
    Ok(found)
}

/// Whether anything was computed or submitted.
fn has_traces(layout: &Layout) -> Result<bool, StoreError> {
    let submitted = names(layout.root())?.iter().any(|name| name.as_bytes().starts_with(b"plan.dag."));
    let read = |folder: &Path| Listing::read(folder).map_err(StoreError::on("read", folder));
    let Listing { partials, shards } = read(layout.outputs())?;
    if submitted || !partials.is_empty() {
        return Ok(true);
    }
    for shard in shards {
        if !read(&layout.outputs().join(shard))?.partials.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether what is there is a plan that was cut short before it was written: it has no plan.json and no job ran.
/// Its files are written again.
fn unfinished(layout: &Layout, generated: &[PathBuf]) -> bool {
    generated.iter().any(|path| path.as_os_str() == PLAN_FILES) && has_traces(layout).is_ok_and(|traces| !traces)
}

/// Whether a folder of this name holds the partials of a group of chunks.
fn is_shard(name: &[u8]) -> bool {
    Shards::group_of(name).is_some()
}

/// A folder in which everything is ours, or else what in it is. `goes_below` says in which folders of it to look, too.
fn ours(
    layout: &Layout,
    folder: &str,
    is_ours: &dyn Fn(&[u8]) -> bool,
    goes_below: &dyn Fn(&[u8]) -> bool,
) -> Result<Vec<PathBuf>, StoreError> {
    let all = names(&layout.root().join(folder))?;
    let mut whole = true;
    let mut some = Vec::new();
    for name in all {
        let path = Path::new(folder).join(&name);
        let at = layout.root().join(&path);
        if goes_below(name.as_bytes()) && at.symlink_metadata().is_ok_and(|found| found.is_dir()) {
            let (its, others): (Vec<_>, Vec<_>) = names(&at)?.into_iter().partition(|name| is_ours(name.as_bytes()));
            whole &= others.is_empty();
            // One that is empty is in nobody's way.
            match others.is_empty() && !its.is_empty() {
                true => some.push(path),
                false => some.extend(its.iter().map(|name| path.join(name))),
            }
        } else if is_ours(name.as_bytes()) {
            some.push(path);
        } else {
            whole = false;
        }
    }
    Ok(if whole && !some.is_empty() { vec![folder.into()] } else { some })
}

/// The names in a folder; none where there is no such folder.
pub(super) fn names(folder: &Path) -> Result<Vec<OsString>, StoreError> {
    let missing = |error: &io::Error| matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
    match folder.read_dir() {
        Ok(entries) => {
            let names: io::Result<_> = entries.map(|entry| Ok(entry?.file_name())).collect();
            names.map_err(StoreError::on("read", folder))
        }
        Err(error) if missing(&error) => Ok(Vec::new()),
        Err(error) => Err(StoreError::on("read", folder)(error)),
    }
}

/// Moves files into a new folder of their own.
pub(super) fn move_aside(layout: &Layout, paths: &[PathBuf]) -> Result<Option<PathBuf>, StoreError> {
    if paths.is_empty() {
        return Ok(None);
    }
    let free = |number: &u32| layout.root().join(format!("aside-{number:03}")).symlink_metadata().is_err();
    let number = (1..).find(free).expect("a free number");
    let aside = layout.root().join(format!("aside-{number:03}"));
    fs::create_dir(&aside).map_err(StoreError::on("make the folder", &aside))?;
    for path in paths {
        if let Some(folder) = path.parent() {
            store::make_folder(&aside.join(folder))?;
        }
        store::move_to(&layout.root().join(path), &aside.join(path))?;
    }
    Ok(Some(aside))
}

/// Writes all of a plan's files, with its DAG as the file `dag`; says how many chunks and items have records already.
///
/// Those that are plain enough to edit by hand are left alone where `stays` says so.
pub(super) fn write(
    layout: &Layout,
    dag: &Path,
    plan: &Plan,
    rows: &Rows,
    text: &Text,
    programs: &Programs,
    stays: &(dyn Fn(&Path) -> bool + Sync),
) -> Result<(u64, u128), StoreError> {
    let root = layout.root();
    let job = root.join(PLAN_FILES).join("job");
    for folder in [&job, layout.outputs(), &root.join("logs")] {
        store::make_folder(folder)?;
    }
    // What waits for the disk is no work for the pool of threads.
    let (copied, laid) = std::thread::scope(|scope| {
        let copied = scope.spawn(|| copy_programs(root, programs));
        let laid = write_rows(layout, plan, rows);
        (copied.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), laid)
    });
    copied.and(laid)?;
    store::write(&job.join("job.json"), &plan.job().to_json())?;
    if !plan.resources.shared_filesystem {
        let base: PathBuf = ["../../..".as_ref(), plan.base.as_os_str()].iter().collect();
        link_tree(&job.join("work"), &base, &plan.files)?;
    }
    let texts =
        [("chunk.sub", text.chunk_sub()), ("reduce.sub", text.reduce_sub()), ("dagman.config", text.dagman_config())];
    for (name, text) in texts.into_iter().chain(text.merge_sub().map(|text| ("merge.sub", text))) {
        let path = root.join(name);
        if !stays(&path) {
            store::write(&path, text.as_bytes())?;
        }
    }

    let outputs = layout.outputs();
    let unreadable = || StoreError::on("read", outputs);
    let partials = Partials::list(outputs).map_err(unreadable())?;
    let merged = partials.groups(outputs, plan);
    let is_merged = |group| {
        let items = plan.group(group);
        items.is_some_and(|items| merged.binary_search_by(|merged| merged.items.cmp(&items)).is_ok())
    };
    let gathered = gather_of(outputs, &partials, Vec::new(), plan, &|_| ()).map_err(unreadable())?;
    let done = Done::new(plan, &gathered.tiling, gathered.chosen().map(|found| found.record.header.items));
    let write_dag = || {
        if stays(dag) && !is_cut_short(dag) {
            return Ok(None);
        }
        let mut draft = Draft::new(dag, 0o666)?;
        text.write_dag(plan, &|chunk| done.contains(chunk), &is_merged, &mut draft)
            .map_err(StoreError::on("write", dag))?;
        Ok(Some(draft))
    };
    // Thousands of folders take as long as a DAG of a million nodes.
    let make_folders = || shard_folders(layout, plan).try_for_each(|folder| store::make_folder(&folder));
    let (written, made) = rayon::join(write_dag, make_folders);
    let draft = written?;
    made?;
    store::write(&layout.outputs().join("plan.json"), &plan.to_json())?;
    store::write(&layout.plan(), &plan.to_json())?;
    if let Some(draft) = draft {
        // Last: what can be submitted is whole. It may be large, and can be made again from plan.json: the disk is not waited for.
        draft.commit_unsynced()?;
    }
    Ok((done.count(), gathered.covered()))
}

/// Writes the rows that the plan's space lists, all of them and each chunk's.
fn write_rows(layout: &Layout, plan: &Plan, rows: &Rows) -> Result<(), StoreError> {
    if rows.blocks.is_empty() {
        return Ok(());
    }
    let base = layout.root().join(plan.base.as_os_str());
    let base = base.canonicalize().map_err(StoreError::on("find", &base))?;
    let way: PathBuf = ["../..".as_ref(), plan.base.as_os_str()].iter().collect();
    let keep = || rows::keep(layout.outputs(), &plan.space, rows);
    let lay = || rows::lay_chunks(&layout.chunks(), plan, rows, &base, &way);
    let (kept, laid) = rayon::join(keep, lay);
    kept.and(laid)
}

/// The folders that the partials of groups of chunks come back to.
fn shard_folders(layout: &Layout, plan: &Plan) -> impl Iterator<Item = PathBuf> {
    let groups = plan.shards().map_or(0, |shards| shards.count(plan.cut.chunks()));
    (0..groups).map(|group| layout.outputs().join(Shards::folder(group)))
}

fn refuse_if_live(layout: &Layout) -> Result<(), LayDown> {
    match lock_state(&layout.dag()) {
        LockState::Live { why, file } => Err(LayDown::Busy { folder: layout.root().to_owned(), why, file }),
        LockState::Free => match live_within(layout.root())? {
            Some((why, file)) => Err(LayDown::Busy { folder: layout.root().to_owned(), why, file }),
            None => Ok(()),
        },
    }
}

/// Puts back what is missing of the same plan's files, and brings the programs up to date unless jobs may be using
/// them. What was edited by hand stays.
fn complete(
    layout: &Layout,
    plan: &Plan,
    rows: &Rows,
    templates: &Templates,
    programs: &Programs,
) -> Result<Laid, LayDown> {
    let root = layout.root();
    let needed = [
        "plan.dag",
        "chunk.sub",
        "reduce.sub",
        "dagman.config",
        "plan.files/job/job.json",
        "outputs/plan.json",
        "logs",
    ];
    let tree = root.join(PLAN_FILES).join("job/work");
    let mut links = plan.files.files.iter().map(|file| tree.join(file.place.as_os_str()));
    let gone = |path: &Path| path.symlink_metadata().is_err();
    let has_rows = || {
        rows.blocks.is_empty()
            || (rows::is_laid(&layout.chunks(), plan) && rows::of_plan(layout.outputs(), plan).is_ok())
    };
    let merge_sub = plan.fan_in.map(|_| "merge.sub");
    if needed.iter().chain(&merge_sub).any(|name| gone(&root.join(name)))
        || shard_folders(layout, plan).any(|folder| gone(&folder))
        || (!plan.resources.shared_filesystem && links.any(|link| gone(&link)))
        || is_cut_short(&layout.dag())
        || !has_rows()
    {
        refuse_if_live(layout)?;
        write(layout, &layout.dag(), plan, rows, &Text::new(plan, templates)?, programs, &|path| !gone(path))?;
        return Ok(Laid::Completed);
    }
    if lock_state(&layout.dag()) == LockState::Free {
        copy_programs(root, programs)?;
    }
    Ok(Laid::Unchanged)
}

/// Whether a text is as a power failure leaves one that had not reached the disk: empty, or without its last line's end.
fn is_cut_short(text: &Path) -> bool {
    let last = || {
        let mut file = fs::File::open(text)?;
        file.seek(io::SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        io::Result::Ok(last)
    };
    !last().is_ok_and(|last| last == *b"\n")
}

fn copy_programs(root: &Path, programs: &Programs) -> Result<(), StoreError> {
    store::copy_program(&programs.runner, &root.join(PLAN_FILES).join("split-runner"))?;
    store::copy_program(&programs.split, &root.join(PLAN_FILES).join("split"))
}
