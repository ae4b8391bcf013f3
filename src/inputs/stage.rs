//! A job's files, laid out as the job will see them.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use super::{CodeHasher, hash_file};
use crate::plan::{Identity, JobFiles, Plan};
use crate::store::{self, StoreError};

/// A file of at most so many bytes is copied for every run; a larger one is linked from a copy of our own.
const COPIED: u64 = 1 << 20;

/// Makes the folder `tree` hold a link to each of `files` at its place. Links are relative, so that the plan's
/// folder can be moved together with what it belongs to; and links they are, so that a job is sent a file as it
/// is when the job is sent, mended or not. `base` is the folder that was planned in, relative to `tree`.
///
/// # Errors
/// Where a folder or link cannot be made.
pub fn link_tree(tree: &Path, base: &Path, files: &JobFiles) -> Result<(), StoreError> {
    // Links of a plan that was cut short would travel too.
    match fs::remove_dir_all(tree) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(StoreError::on("empty", tree)(error)),
        _ => {}
    }
    store::make_folder(&tree.join(files.start_in.as_os_str()))?;
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
    files: Vec<Copy>,
    start_in: PathBuf,
    code: Identity,
}

#[derive(Debug)]
struct Copy {
    place: PathBuf,
    copy: PathBuf,
    linked: bool,
}

impl Copies {
    /// Takes the copies into the folder `cache`; `base` is the folder that was planned in.
    ///
    /// # Errors
    /// Where a file is not there any more, or the disk is full.
    pub fn take(plan: &Plan, base: &Path, cache: &Path) -> Result<Self, StoreError> {
        let mut hasher = CodeHasher::new();
        let mut files = Vec::new();
        for (number, file) in plan.files.files.iter().enumerate() {
            let source = base.join(file.source.as_os_str());
            let copy = cache.join(number.to_string());
            let bytes = fs::copy(&source, &copy).map_err(StoreError::on("copy", &source))?;
            let (content, _) = hash_file(&copy).map_err(StoreError::on("read", &copy))?;
            hasher.file(&file.place, content);
            let linked = bytes > COPIED;
            if linked {
                // All runs share this one: a program that would change it in place is refused, not obeyed.
                let mode = copy.metadata().map_err(StoreError::on("read", &copy))?.permissions().mode();
                let read_only = fs::Permissions::from_mode(mode & !0o222);
                fs::set_permissions(&copy, read_only).map_err(StoreError::on("write", &copy))?;
            }
            files.push(Copy { place: file.place.as_os_str().into(), copy, linked });
        }
        for (name, value) in &plan.environment {
            hasher.variable(name, value);
        }
        Ok(Self { files, start_in: plan.files.start_in.as_os_str().into(), code: hasher.finish() })
    }

    /// The identity of what the copies hold, and of the plan's environment.
    #[must_use]
    pub fn code(&self) -> Identity {
        self.code
    }

    /// Whether there is nothing to lay out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Lays them out in `tree`, a folder that is empty or not there; gives the folder that the program starts in.
    ///
    /// # Errors
    /// Where a folder or file cannot be made.
    pub fn lay_out(&self, tree: &Path) -> Result<PathBuf, StoreError> {
        let start_in: PathBuf = tree.components().chain(self.start_in.components()).collect();
        store::make_folder(&start_in)?;
        for Copy { place, copy, linked } in &self.files {
            let to = tree.join(place);
            if let Some(folder) = to.parent() {
                store::make_folder(folder)?;
            }
            if *linked {
                fs::hard_link(copy, &to).map_err(StoreError::on("link", &to))?;
            } else {
                fs::copy(copy, &to).map_err(StoreError::on("write", &to))?;
            }
        }
        Ok(start_in)
    }
}
