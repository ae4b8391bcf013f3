//! Where an answer goes: `--to`, checked before anything is computed or written.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::request::usage;
use crate::answer::{Format, FormatError};
use crate::folder::Layout;
use crate::plan::{PLAN_FILES, Plan, ReduceOn, Reduction, Word};
use crate::space::Rows;

/// The name of standard output.
const STDOUT: &str = "-";
/// Where files go that nobody said a place for, in a job.
const COLLECTED_IN_JOB: &str = "collected.zip";

/// Where an answer goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// To standard output.
    Print,
    /// Into a file of that format.
    Table {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: Format,
    },
    /// Bytes, as they are, into a file of any name.
    Bytes(PathBuf),
    /// Files, into a folder or an archive.
    Files {
        /// The folder or archive.
        path: PathBuf,
        /// Which of them.
        format: Format,
    },
}

impl Target {
    /// Where the plan's answer goes; `to` is what was said on the command line now, from the current folder.
    pub(super) fn of(layout: &Layout, plan: &Plan, to: Option<&Path>) -> Result<Self, Failure> {
        let planned = plan.to.as_ref().map(|to| place_of(layout, plan, Path::new(to.as_os_str())));
        let target = match to.map(Path::to_owned).or(planned) {
            Some(path) => Self::parse(&plan.reduce, &path)?,
            None if plan.reduce == Reduction::Files => Self::Files { path: layout.collected(), format: Format::Folder },
            None => Self::Print,
        };
        let base = layout.root().join(plan.base.as_os_str());
        target.check(plan, layout.root(), &base)?;
        target.check_items(plan, &base, || super::reduce::rows(layout, plan))?;
        Ok(target)
    }

    /// Whether a reducer's answer can go there: by the name alone.
    fn parse(reduce: &Reduction, path: &Path) -> Result<Self, Failure> {
        let wrong = |what: &str| usage(format!("--to {}: {what}", quoted(path)));
        if path == Path::new(STDOUT) {
            return if *reduce == Reduction::Files { Err(wrong("files are not printed")) } else { Ok(Self::Print) };
        }
        let format = match Format::of(path) {
            Ok(format) => format,
            // A folder that is there needs no slash.
            Err(FormatError::Ending) if *reduce == Reduction::Files && path.is_dir() => Format::Folder,
            Err(FormatError::Ending) if is_bytes(reduce) => return Ok(Self::Bytes(path.to_owned())),
            Err(error) => {
                let help = match reduce {
                    Reduction::Files => {
                        "files go into a folder, whose name ends with a slash, or into a .zip".to_owned()
                    }
                    _ => format!("there are {}", Format::ENDINGS),
                };
                return Err(wrong(&error.to_string()).help(help));
            }
        };
        let path = path.to_owned();
        match reduce {
            Reduction::Files if format.is_of_files() => Ok(Self::Files { path, format }),
            Reduction::Files => Err(wrong("files are no table")
                .help("files go into a folder, whose name ends with a slash, or into a .zip")
                .help("--reduce table has a row for each item instead")),
            reduce if is_bytes(reduce) && format != Format::Folder => Ok(Self::Bytes(path)),
            reduce if format.is_of_files() => Err(wrong(&format!("what {reduce} gives is not files"))
                .help("--collect 'PATTERN' --reduce files puts the files that the program writes there")),
            reduce if format == Format::Npy && !may_be_array(reduce) => {
                Err(wrong(&format!("an array for NumPy holds numbers alone, and what {reduce} gives is more"))
                    .help("--to with .json or .csv takes it"))
            }
            _ => Ok(Self::Table { path, format }),
        }
    }

    /// Checks that it may be written: no folder in the place of a file, no file that the plan needs. `root` is the plan's folder
    /// and `base` the one that was planned in.
    fn check(&self, plan: &Plan, root: &Path, base: &Path) -> Result<(), Failure> {
        let (path, is_folder) = match self {
            Self::Print => return Ok(()),
            Self::Table { path, .. } | Self::Bytes(path) => (path, false),
            Self::Files { path, format } => (path, *format == Format::Folder),
        };
        let wrong = |what: &str| usage(format!("--to {}: {what}", quoted(path)));
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !folder.is_dir() {
            return Err(wrong("there is no such folder").help(format!("mkdir -p {}", quoted(folder))));
        }
        if let Ok(found) = path.metadata() {
            if found.is_dir() && !is_folder {
                return Err(wrong("it is a folder").help("name a file in it"));
            }
            if !found.is_dir() && is_folder {
                return Err(wrong("it is no folder"));
            }
            let real = path.canonicalize().unwrap_or_default();
            let holds = |folder: &Path| folder.canonicalize().is_ok_and(|folder| folder.starts_with(&real));
            if is_folder && (holds(root) || holds(base)) {
                return Err(wrong("the plan itself is in it").help("name a folder of its own, such as frames/"));
            }
            let mut sources = plan.files.files.iter().map(|file| base.join(file.source.as_os_str()));
            if sources.any(|source| is_file(&source, &found)) {
                return Err(wrong("it is one of the files that the plan needs").help("name another file"));
            }
        }
        if is_plans_own(root, folder, path.file_name().unwrap_or_default()) {
            return Err(wrong("it is one of the plan's own files").help("name another file"));
        }
        Ok(())
    }

    /// Checks that it is none of the files that the items are made of. `rows` are those that name files, and are asked for
    /// only where there is something to lose.
    fn check_items<R: std::borrow::Borrow<Rows>>(
        &self,
        plan: &Plan,
        base: &Path,
        rows: impl FnOnce() -> Result<R, Failure>,
    ) -> Result<(), Failure> {
        let path = match self {
            Self::Table { path, .. } | Self::Bytes(path) | Self::Files { path, format: Format::Zip } => path,
            Self::Print | Self::Files { .. } => return Ok(()),
        };
        let Some(found) = path.metadata().ok().filter(Metadata::is_file) else { return Ok(()) };
        let is_source = |source: &OsStr| is_file(&base.join(source), &found);
        let listed = plan.space.listed();
        let is_item = match listed.iter().any(|listed| listed.files) {
            false => false,
            true => {
                let rows = rows()?;
                let axes = listed.iter().zip(&rows.borrow().blocks).filter(|(listed, _)| listed.files);
                let mut files = axes.flat_map(|(_, block)| (0..block.len()).filter_map(|row| block.field(row, 0)));
                files.any(|file| is_source(OsStr::from_bytes(file)))
            }
        };
        if is_item || plan.sources.iter().any(|source| is_source(source.as_os_str())) {
            return Err(usage(format!("--to {}: the items are made of it", quoted(path))).help("name another file"));
        }
        Ok(())
    }
}

/// Where the answer of a plan that is being made goes, as the plan has it; `rows` are those of its items.
pub(super) fn planned(
    to: Option<&Path>,
    plan: &Plan,
    rows: &Rows,
    root: &Path,
    here: &Path,
) -> Result<Option<Word>, Failure> {
    let in_job = plan.site.reduce_on == ReduceOn::Job && !plan.resources.shared_filesystem;
    let Some(to) = to else {
        // Files come back from a job as one.
        let needs = in_job && plan.reduce == Reduction::Files;
        let beside = needs.then(|| pathdiff::diff_paths(root.join(COLLECTED_IN_JOB), here)).flatten();
        return Ok(beside.map(|path| path.into_os_string().into()));
    };
    let wrong = |what: &str| usage(format!("--to {}: {what}", quoted(to)));
    let target = Target::parse(&plan.reduce, to)?;
    if target == Target::Print {
        return Err(wrong("that is what happens without it"));
    }
    target.check(plan, root, here)?;
    target.check_items(plan, here, || Ok(rows))?;
    if in_job {
        match target {
            Target::Table { format: Format::Sqlite, .. } => {
                return Err(wrong("results are merged in a job, which has not the database that is there")
                    .help("--reduce-on access-point merges them here")
                    .help("or without --to now: split reduce outputs --to FILE.sqlite, when all is done"));
            }
            Target::Files { format: Format::Folder, .. } => {
                return Err(wrong("results are merged in a job, which brings back files and no folders")
                    .help("--to FILE.zip brings them back as one")
                    .help("--reduce-on access-point merges them here"));
            }
            _ => {}
        }
        let parent = here.join(to).parent().and_then(|folder| folder.canonicalize().ok());
        if parent.is_none_or(|parent| Some(parent) != root.canonicalize().ok().or(Some(root.to_owned()))) {
            return Err(wrong("results are merged in a job, which brings its answer back beside plan.dag")
                .help("name a file in the folder that is planned in")
                .help("--reduce-on access-point merges them here"));
        }
    }
    Ok(Some(to.as_os_str().to_owned().into()))
}

/// Where a plan's answer goes from here. A merge in a job, one of an archive and one of partials that were moved away from
/// their plan have no other place than beside their own result.json.
fn place_of(layout: &Layout, plan: &Plan, to: &Path) -> PathBuf {
    let scratch = std::env::var_os("_CONDOR_SCRATCH_DIR").and_then(|scratch| Path::new(&scratch).canonicalize().ok());
    let root = layout.root().canonicalize().ok();
    let in_job = scratch.zip(root).is_some_and(|(scratch, root)| root.starts_with(scratch));
    if !in_job && !layout.stands_alone() {
        return layout.root().join(plan.base.as_os_str()).join(to);
    }
    // The slash at the end tells that it is a folder.
    let slash = if to.as_os_str().as_bytes().ends_with(b"/") { "/" } else { "" };
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(slash);
    layout.root().join(name)
}

/// Whether the reducer gives bytes that are written as they stand.
fn is_bytes(reduce: &Reduction) -> bool {
    matches!(reduce, Reduction::Concat | Reduction::With(_))
}

/// Whether the reducer can give numbers alone.
fn may_be_array(reduce: &Reduction) -> bool {
    use Reduction::{Count, Max, Mean, Min, Product, Sum, Table, Union};
    matches!(reduce, Sum | Product | Min | Max | Count | Mean | Table | Union)
}

/// Whether the file `name` in `folder` is one that a plan in `root` has, or is in one of its folders.
fn is_plans_own(root: &Path, folder: &Path, name: &OsStr) -> bool {
    const FILES: [&str; 7] =
        ["chunk.sub", "merge.sub", "reduce.sub", "dagman.config", "result.json", "result.data", "plan.json"];
    const FOLDERS: [&str; 3] = [PLAN_FILES, "outputs", "logs"];
    let (Ok(root), Ok(folder)) = (root.canonicalize(), folder.canonicalize()) else { return false };
    if folder == root {
        let starts = |start: &[u8]| name.as_bytes().starts_with(start);
        return FILES.iter().chain(&FOLDERS).any(|own| name == *own) || starts(b"plan.dag") || starts(b"aside-");
    }
    FOLDERS.iter().any(|own| folder.starts_with(root.join(own)))
}

/// Whether `path` leads to the file that was `found`, by whatever name.
fn is_file(path: &Path, found: &Metadata) -> bool {
    path.metadata().is_ok_and(|there| (there.dev(), there.ino()) == (found.dev(), found.ino()))
}

/// A path as people type it from the current folder.
pub(super) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let path = here.and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path);
    let path: PathBuf = path.components().filter(|part| *part != std::path::Component::CurDir).collect();
    quoted(&path)
}

fn quoted(path: &Path) -> String {
    Word::from(path.as_os_str().to_owned()).quoted()
}
