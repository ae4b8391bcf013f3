//! A job's files, laid out as the job will see them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use super::fetch::fetch;
use super::{CodeHasher, Part, hash_file, settle};
use crate::plan::{Environment, Identity, JobFiles, JobLink, Plan};
use crate::store::{self, StoreError};

/// Makes the folder `tree` hold a link to each of `files` at its place. Links are relative, so that the plan's
/// folder can be moved together with what it belongs to; and links they are, so that a job is sent a file as it
/// is when the job is sent, mended or not. `base` is the folder that was planned in, relative to `tree`.
///
/// # Errors
/// Where a folder or link cannot be made.
pub fn link_tree(tree: &Path, base: &Path, files: &JobFiles) -> Result<(), StoreError> {
    // Links of a plan that was cut short would travel too.
    store::remove_folder(tree)?;
    store::make_folder(&tree.join(files.start_in.as_os_str()))?;
    for folder in &files.folders {
        store::make_folder(&tree.join(folder.as_os_str()))?;
    }
    for file in &files.files {
        let link = tree.join(file.place.as_os_str());
        if let Some(folder) = link.parent() {
            store::make_folder(folder)?;
        }
        let source = Path::new(file.source.as_os_str());
        let target = if source.is_absolute() {
            source.to_owned()
        } else {
            let depth = Path::new(file.place.as_os_str()).components().count() - 1;
            let up: PathBuf = std::iter::repeat_n("..", depth).collect();
            let tidy: PathBuf = base.join(source).components().filter(|part| *part != Component::CurDir).collect();
            up.join(tidy)
        };
        symlink(&target, &link).map_err(StoreError::on("link", &link))?;
    }
    Ok(())
}

/// Copies of a plan's files that runs on this machine are given: taken once, so that all chunks of one run see
/// the same code, whatever is edited meanwhile.
#[derive(Debug)]
pub struct Copies {
    /// Place in the job's tree, and copy.
    files: Vec<(PathBuf, PathBuf)>,
    folders: Vec<PathBuf>,
    links: Vec<JobLink>,
    environments: Vec<Environment>,
    start_in: PathBuf,
    setup: Option<PathBuf>,
    code: Identity,
}

impl Copies {
    /// Takes the copies into the folder `cache`, and fetches what is named by URL; `base` is the folder that was
    /// planned in.
    ///
    /// # Errors
    /// Where a file is not there any more, a URL cannot be fetched, or the disk is full.
    pub fn take(plan: &Plan, base: &Path, cache: &Path) -> Result<Self, StoreError> {
        let mut parts = Vec::new();
        let mut files = Vec::new();
        for (number, file) in plan.files.files.iter().enumerate() {
            let source = base.join(file.source.as_os_str());
            // On a shared file system the program runs among the files themselves.
            let copy = if plan.resources.shared_filesystem {
                source
            } else {
                let copy = cache.join(number.to_string());
                fs::copy(&source, &copy).map_err(StoreError::on("copy", &source))?;
                copy
            };
            let (content, _) = hash_file(&copy).map_err(StoreError::on("read", &copy))?;
            parts.push(Part::File(&file.place, content));
            files.push((file.place.as_os_str().into(), copy));
        }
        parts.extend(plan.files.links.iter().map(Part::Link));
        for (number, url) in plan.files.urls.iter().enumerate() {
            let copy = cache.join(format!("url-{number}"));
            fetch(&url.url, &copy)?;
            let (content, _) = hash_file(&copy).map_err(StoreError::on("read", &copy))?;
            parts.push(Part::Arrived(url, content));
            files.push((url.place.as_os_str().into(), copy));
        }
        parts.extend(plan.setup.as_ref().map(Part::Setup));
        let code = CodeHasher::of(parts, &plan.environment);
        let setup = plan.setup.as_ref().map(|setup| setup.as_os_str().into());
        let folders = plan.files.folders.iter().map(|folder| folder.as_os_str().into()).collect();
        let (links, environments) = (plan.files.links.clone(), plan.files.environments.clone());
        let start_in = plan.files.start_in.as_os_str().into();
        Ok(Self { files, folders, links, environments, start_in, setup, code })
    }

    /// The identity of what the copies hold, and of the plan's environment.
    #[must_use]
    pub fn code(&self) -> Identity {
        self.code
    }

    /// Where the set-up is, once they are laid out in `tree`.
    #[must_use]
    pub fn setup_in(&self, tree: &Path) -> Option<PathBuf> {
        self.setup.as_ref().map(|setup| tree.join(setup))
    }

    /// Whether there is nothing to lay out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.folders.is_empty() && self.links.is_empty()
    }

    /// Lays them out in `tree`, a folder that is empty or not there; gives the folder that the program starts in.
    ///
    /// # Errors
    /// Where a folder or file cannot be made.
    pub fn lay_out(&self, tree: &Path) -> Result<PathBuf, StoreError> {
        let start_in: PathBuf = tree.components().chain(self.start_in.components()).collect();
        store::make_folder(&start_in)?;
        for folder in &self.folders {
            store::make_folder(&tree.join(folder))?;
        }
        for (place, copy) in &self.files {
            let to = tree.join(place);
            if let Some(folder) = to.parent() {
                store::make_folder(folder)?;
            }
            // A copy for each, as each job has: what one changes in place, no other sees.
            fs::copy(copy, &to).map_err(StoreError::on("write", &to))?;
        }
        settle(&self.links, &self.environments, tree, &start_in)?;
        Ok(start_in)
    }
}
