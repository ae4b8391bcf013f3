//! Folders that programs have worked in, and what removes them.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A temporary folder that goes with all that is in it.
#[derive(Debug)]
pub(super) struct OwnFolder(tempfile::TempDir);

impl OwnFolder {
    pub(super) fn new(folder: tempfile::TempDir) -> Self {
        Self(folder)
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for OwnFolder {
    fn drop(&mut self) {
        // What cannot be removed stays in the folder for temporary files, whose owner it is.
        let _ = remove(self.0.path());
    }
}

/// Removes a folder with all that is in it, also where a program has protected folders that it made.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    if fs::remove_dir_all(folder).is_ok() {
        return Ok(());
    }
    for entry in walkdir::WalkDir::new(folder).into_iter().flatten() {
        if entry.file_type().is_dir() {
            // Removing tells what is wrong.
            let _ = fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o700));
        }
    }
    fs::remove_dir_all(folder)
}
