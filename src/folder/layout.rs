//! Where what lies in a plan's folder.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::plan::{DocumentError, PLAN_FILES, Plan};

/// The paths of a plan's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
    /// Where the partials are: `outputs/` below the root, or the folder that was named where it stands alone.
    outputs: PathBuf,
    /// Where the partials are unpacked from an archive: its name without its ending, which its answer is named by.
    archive: Option<OsString>,
    /// The folder that was planned in, where it is known.
    planned: Option<PathBuf>,
}

/// There is no plan to be had.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// No such folder, or no plan.json in it.
    #[error("there is no plan in {}", .0.display())]
    NoPlan(PathBuf),
    /// The document cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The document.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The document is none of ours.
    #[error("{} cannot be used", path.display())]
    Document {
        /// The document.
        path: PathBuf,
        /// Why.
        #[source]
        source: DocumentError,
    },
}

impl Layout {
    /// The folder `root`.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), outputs: root.join("outputs"), archive: None, planned: Some(root.to_owned()) }
    }

    /// The archive `file`, whose partials are unpacked in the folder `outputs`, of what was planned in the folder `planned`.
    #[must_use]
    pub fn of_archive(file: &Path, outputs: &Path, planned: Option<PathBuf>) -> Self {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = file.file_stem().unwrap_or_default().to_owned();
        Self { root: folder.to_owned(), outputs: outputs.to_owned(), archive: Some(name), planned }
    }

    /// Whether partials are all there is: nothing can be computed here.
    #[must_use]
    pub fn stands_alone(&self) -> bool {
        self.archive.is_some() || self.outputs == self.root
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder that was planned in, which the paths of the plan are from; `None` where partials were moved away from it.
    #[must_use]
    pub fn planned(&self) -> Option<&Path> {
        self.planned.as_deref()
    }

    /// The DAG.
    #[must_use]
    pub fn dag(&self) -> PathBuf {
        self.root.join("plan.dag")
    }

    /// The plan's document.
    #[must_use]
    pub fn plan(&self) -> PathBuf {
        self.root.join("plan.json")
    }

    /// The partials.
    #[must_use]
    pub fn outputs(&self) -> &Path {
        &self.outputs
    }

    /// The folders with each chunk's rows and files, where the items' values are kept beside the plan.
    #[must_use]
    pub fn chunks(&self) -> PathBuf {
        self.root.join(PLAN_FILES).join("chunks")
    }

    /// The event log of its jobs.
    #[must_use]
    pub fn event_log(&self) -> PathBuf {
        self.root.join("logs/events.log")
    }

    /// What was missing when the tail had ended.
    #[must_use]
    pub fn missing(&self) -> PathBuf {
        self.root.join("logs/missing.txt")
    }

    /// The templates that the plan's files were made from, where they are the user's own.
    #[must_use]
    pub fn templates(&self) -> PathBuf {
        self.root.join(PLAN_FILES).join("templates")
    }

    /// What was said of the plan when it was made, a line each.
    #[must_use]
    pub fn notes(&self) -> PathBuf {
        self.root.join(PLAN_FILES).join("notes.txt")
    }

    /// The answer with its provenance.
    #[must_use]
    pub fn result(&self) -> PathBuf {
        self.beside("result.json")
    }

    /// The answer itself, where it is too long for the document.
    #[must_use]
    pub fn result_data(&self) -> PathBuf {
        self.beside("result.data")
    }

    /// The folder of the files that programs left, where nothing else is said.
    #[must_use]
    pub fn collected(&self) -> PathBuf {
        self.beside("collected/")
    }

    /// What is told where the partials are in an archive.
    #[must_use]
    pub fn archived(&self) -> PathBuf {
        self.outputs.join("archived.txt")
    }

    /// A part of the answer; of an archive's answer, named by it.
    fn beside(&self, name: &str) -> PathBuf {
        match &self.archive {
            None => self.root.join(name),
            Some(archive) => {
                let mut own = archive.clone();
                own.push(".");
                own.push(name);
                self.root.join(own)
            }
        }
    }

    /// The plan that lies with the partials.
    ///
    /// # Errors
    /// Where there is none, or none that can be used.
    pub fn packed_plan(&self) -> Result<Plan, FolderError> {
        read_plan(&self.outputs.join("plan.json"))?.ok_or_else(|| FolderError::NoPlan(self.outputs.clone()))
    }

    /// The plan.
    ///
    /// # Errors
    /// Where there is none, or none that can be used.
    pub fn read_plan(&self) -> Result<Plan, FolderError> {
        standing_plan(&self.root)?.ok_or_else(|| FolderError::NoPlan(self.root.clone()))
    }
}

/// The plan that `folder` holds or belongs to: `folder` is a plan's folder, or its `outputs/`, or such a folder
/// that was moved away from its plan (it holds a copy of it).
///
/// # Errors
/// Where there is none, or none that can be used.
pub fn locate(folder: &Path) -> Result<(Layout, Plan), FolderError> {
    let plan = standing_plan(folder)?.ok_or_else(|| FolderError::NoPlan(folder.to_owned()))?;
    // The partials may be lost; the plan is still one.
    if folder.join("outputs").is_dir() || folder.join(PLAN_FILES).is_dir() {
        return Ok((Layout::new(folder), plan));
    }
    // A relative `outputs/` has its parent in the current folder.
    let above = folder.canonicalize().ok().and_then(|folder| folder.parent().map(Path::to_owned));
    if let Some(above) = above {
        let layout = Layout::new(&above);
        if let Ok(Some(there)) = read_plan(&layout.plan())
            && there == plan
            && fs::canonicalize(layout.outputs()).ok() == folder.canonicalize().ok()
        {
            return Ok((layout, plan));
        }
    }
    Ok((Layout { root: folder.to_owned(), outputs: folder.to_owned(), archive: None, planned: None }, plan))
}

/// The plan of the folder `root`. Where a plan is written anew over what was computed, and that is cut short, the partials' copy of
/// the document stands for it.
pub(super) fn standing_plan(root: &Path) -> Result<Option<Plan>, FolderError> {
    match read_plan(&root.join("plan.json"))? {
        None => match read_plan(&root.join("outputs/plan.json")) {
            // Something else has that name.
            Err(FolderError::Document { .. }) => Ok(None),
            found => found,
        },
        found => Ok(found),
    }
}

/// The document at `path`; `None` where nothing is there.
fn read_plan(path: &Path) -> Result<Option<Plan>, FolderError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(source) => return Err(FolderError::Unreadable { path: path.to_owned(), source }),
    };
    let plan = Plan::from_json(&bytes);
    plan.map(Some).map_err(|source| FolderError::Document { path: path.to_owned(), source })
}
