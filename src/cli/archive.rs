//! `split reduce --archive FILE.zip`, and `split reduce FILE.zip`.

use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::output::{bytes, count, say};
use super::progress;
use super::request::usage;
use crate::answer::{ArchiveError, is_packed, noted, pack, packed_from, remove_packed, unpack};
use crate::exit::Exit;
use crate::folder::{FolderError, Layout, locate};
use crate::plan::{Plan, Word};
use crate::pool::{LockState, lock_state};
use crate::record::Gathered;
use crate::store;

/// An archive that was unpacked; its folder is gone when this is dropped.
pub(super) struct Unpacked {
    pub(super) layout: Layout,
    pub(super) plan: Plan,
    _folder: tempfile::TempDir,
}

/// Unpacks an archive of partials.
pub(super) fn read(file: &Path) -> Result<Unpacked, Failure> {
    let spinner = progress::spinner("unpacking");
    let folder = unpack(file);
    spinner.finish_and_clear();
    let folder = folder.map_err(|error| {
        let exit = match &error {
            ArchiveError::Damaged { .. } | ArchiveError::NoPlan(_) => Exit::NoPlan,
            ArchiveError::Differs { .. } | ArchiveError::Store(_) => Exit::Machine,
        };
        Failure::from_error(exit, &error).help("name an archive that --archive wrote, or a planned folder")
    })?;
    let layout = Layout::of_archive(file, folder.path(), None);
    let plan = layout.packed_plan().map_err(|error| match error {
        FolderError::Document { source, .. } => {
            Failure::from_error(Exit::NoPlan, &source).within(format!("the plan in {} cannot be used", file.display()))
        }
        error => Failure::from_error(Exit::Machine, &error),
    })?;
    // The folder is known as long as both are where they were, or have moved together.
    let planned =
        packed_from(file).and_then(|outputs| locate(&outputs).ok()).filter(|(_, there)| is_same(&plan, there));
    let planned = planned.and_then(|(there, _)| there.planned().map(Path::to_owned));
    let layout = Layout::of_archive(file, folder.path(), planned);
    Ok(Unpacked { layout, plan, _folder: folder })
}

/// How far an earlier call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// There is no archive yet.
    Nothing,
    /// The archive holds what is there, and nothing says so yet.
    Packed,
    /// The archive was whole, and what it holds was about to be deleted.
    Noted,
}

/// Checks that the partials may be packed into `file`, before anything is merged.
pub(super) fn check(layout: &Layout, file: &Path) -> Result<Progress, Failure> {
    let wrong = |what: &str| usage(format!("--archive {}: {what}", quoted(file)));
    if file.extension().is_none_or(|ending| !ending.eq_ignore_ascii_case("zip")) {
        return Err(wrong("the name of an archive ends with .zip"));
    }
    if let LockState::Live { why, .. } = lock_state(&layout.dag()) {
        return Err(Failure::new(Exit::Busy, format!("a DAGMan is at work here: {why}"))
            .help("wait for it: condor_wait plan.dag.dagman.log"));
    }
    let same = |noted: &Path| noted.canonicalize().ok().zip(file.canonicalize().ok()).is_some_and(|(a, b)| a == b);
    if noted(&layout.archived()).is_some_and(|noted| same(&noted)) {
        return Ok(Progress::Noted);
    }
    if file.symlink_metadata().is_ok() {
        let spinner = progress::spinner("comparing");
        let packed = is_packed(layout.outputs(), file);
        spinner.finish_and_clear();
        return match packed.map_err(|error| unpacked(&error))? {
            true => Ok(Progress::Packed),
            false => Err(wrong("it is there already").help("name another file")),
        };
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(wrong("there is no such folder").help(format!("mkdir -p {}", quoted(folder))));
    }
    Ok(Progress::Nothing)
}

/// Packs the partials, whose answer is complete, and deletes them; or only the latter, where they are packed by now.
pub(super) fn write(layout: &Layout, file: &Path) -> Result<(), Failure> {
    let _lock = store::lock_folder(layout.root())?;
    // A DAGMan may have started meanwhile, and another call may have packed all.
    if check(layout, file)? != Progress::Nothing {
        remove(layout, file)?;
        say(&format!("the partials are in {file}; split reduce {file} gives the same answer", file = quoted(file)));
        return Ok(());
    }
    let spinner = progress::spinner("packing");
    let packed = pack(layout.outputs(), file);
    spinner.finish_and_clear();
    let packed = packed.map_err(|error| unpacked(&error))?;
    remove(layout, file)?;
    say(&format!(
        "packed {} ({}) into {} ({}); split reduce {} gives the same answer",
        count(packed.partials, "partial"),
        bytes(packed.bytes),
        quoted(file),
        bytes(packed.archive_bytes),
        quoted(file),
    ));
    Ok(())
}

/// Deletes what is in the archive.
pub(super) fn remove(layout: &Layout, file: &Path) -> Result<(), Failure> {
    let spinner = progress::spinner("deleting what is packed");
    let removed = remove_packed(layout.outputs(), file, &layout.archived());
    spinner.finish_and_clear();
    removed.map_err(|error| unpacked(&error))
}

/// The archive that what is missing was packed into, from the current folder.
pub(super) fn packed(layout: &Layout, gathered: &Gathered) -> Option<PathBuf> {
    let file = noted(&layout.archived()).filter(|_| !gathered.tiling.gaps.is_empty())?;
    // It may be gone, and its folder, too.
    let real = file.canonicalize().ok().or_else(|| Some(file.parent()?.canonicalize().ok()?.join(file.file_name()?)));
    let Some(real) = real else { return Some(file) };
    let here = std::env::current_dir().and_then(|here| here.canonicalize()).ok();
    Some(here.and_then(|here| pathdiff::diff_paths(&real, here)).unwrap_or(real))
}

/// Refuses to call missing what is in an archive.
pub(super) fn refuse_packed(layout: &Layout, gathered: &Gathered) -> Result<(), Failure> {
    let Some(path) = packed(layout, gathered) else { return Ok(()) };
    let (file, note, outputs) = (quoted(&path), quoted(&layout.archived()), quoted(layout.outputs()));
    if !path.exists() {
        let what = format!("the partials of this plan were packed into {file}, which is not there any more");
        return Err(Failure::new(Exit::Missing, what)
            .help("bring it back, and all is as it was; or compute all of it again:")
            .help(format!("rm {note}, and after it the same command once more")));
    }
    Err(Failure::new(Exit::Missing, format!("the partials of this plan are in an archive: {file}"))
        .help(format!("split reduce {file} gives the answer"))
        .help(format!("to compute more here: unzip -n {file} -d {outputs} && rm {note}")))
}

/// Whether a plan's command runs in the same folder as another's.
fn is_same(plan: &Plan, other: &Plan) -> bool {
    (plan.identity, &plan.base) == (other.identity, &other.base)
}

fn unpacked(error: &ArchiveError) -> Failure {
    Failure::from_error(Exit::Machine, error).help("nothing was deleted that is not in the archive as it was")
}

fn quoted(path: &Path) -> String {
    let folder = Word::from(path.as_os_str().to_owned());
    folder.quoted()
}
