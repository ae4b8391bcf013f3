//! Snapshots: what the program has left by a save, and its state with it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::ending::Left;
use super::listing::{Manifest, amount, copy_files, list};
use super::{FILES, Keeper, PRINTED, RESULT, STATE};
use crate::plan::{Keeping, Word};
use crate::store::{self, StoreError};

impl Keeper<'_> {
    /// Puts what the program had left by the snapshot where it had it: what it printed into the new file that is its standard
    /// output, and the files into the folder that it starts in.
    ///
    /// # Errors
    /// Where files cannot be written.
    pub(in crate::runner) fn lay_out(
        &mut self,
        printed: &mut File,
        result: &Path,
        folder: &Path,
    ) -> Result<(), StoreError> {
        let is_laid_out = std::mem::replace(&mut self.is_laid_out, true);
        let Some(old) = self.old_snapshot() else { return Ok(()) };
        let open = |path: &Path| match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some),
        };
        let before = old.join(PRINTED);
        let again = open(&before).and_then(|file| file.map_or(Ok(0), |mut file| io::copy(&mut file, printed)));
        again.map_err(StoreError::on("read", &before))?;
        let before = old.join(RESULT);
        if before.exists() {
            fs::copy(&before, result).map_err(StoreError::on("write", result))?;
        }
        // After a save they are as they were.
        if is_laid_out { Ok(()) } else { copy_files(&old.join(FILES), folder) }
    }

    /// Whether the snapshot is whole.
    pub(super) fn look(&self, number: u64) -> Result<(), String> {
        let folder = self.folder().join(number.to_string());
        let manifest = fs::read(manifest(&folder)).map_err(|error| error.to_string())?;
        let manifest: Manifest = serde_json::from_slice(&manifest).map_err(|error| error.to_string())?;
        if manifest.format != 1 || manifest.key != self.key {
            return Err("is another computation's".to_owned());
        }
        let found = list(&folder).map_err(|error| error.to_string())?;
        if found == manifest.files { Ok(()) } else { Err("is not what was written".to_owned()) }
    }

    /// Makes a snapshot of what the program has left, if it has saved anything. Gives what its state amounts to: the same again where
    /// nothing has changed.
    pub(super) fn commit(&self, left: Left<'_>) -> Result<Option<String>, StoreError> {
        let (folder, new) = (self.folder(), self.new_snapshot());
        let state = if self.keeping == Keeping::Files { new.join(STATE) } else { self.state() };
        let saved = list(&state).map_err(StoreError::on("read", &state))?;
        if saved.iter().all(|file| file.bytes == 0) {
            return Ok(None);
        }
        let what = format!("{} {}", left.bytes, amount(&state, &saved));
        store::make_folder(&new)?;
        // What is carried is a snapshot by itself, and has the state once.
        if self.keeping == Keeping::Signal && self.checkpoints.lasts {
            copy_files(&state, &new.join(STATE))?;
        }
        let copy = |from: &Path, to: PathBuf, bytes: u64| {
            let copied = File::open(from).and_then(|from| io::copy(&mut from.take(bytes), &mut File::create(&to)?));
            copied.map_err(StoreError::on("copy", from))
        };
        if left.bytes > 0 {
            copy(left.printed, new.join(PRINTED), left.bytes)?;
        }
        if left.result.is_file() {
            copy(left.result, new.join(RESULT), u64::MAX)?;
        }
        // An output of the library's is in the state already: both names are of one file.
        let number = |path: &Path| path.metadata().ok().map(|found| (found.dev(), found.ino()));
        let kept: Vec<_> = saved.iter().map(|file| number(&state.join(file.path.as_os_str()))).collect();
        for (name, path) in left.files.iter().filter(|(_, path)| !kept.contains(&number(path))) {
            let to = new.join(FILES).join(Word::from(name.clone()).as_os_str());
            store::make_folder(to.parent().unwrap_or(&new))?;
            copy(path, to, u64::MAX)?;
        }
        let files = list(&new).map_err(StoreError::on("read", &new))?;
        if self.checkpoints.lasts {
            for file in &files {
                let path = new.join(file.path.as_os_str());
                File::open(&path).and_then(|file| file.sync_all()).map_err(StoreError::on("sync", &path))?;
            }
        }
        let before = snapshots(&folder);
        let number = before.last().map_or(1, |last| last + 1);
        let to = folder.join(number.to_string());
        // One that has no manifest, as the runner was killed here.
        store::remove_folder(&to)?;
        store::move_to(&new, &to)?;
        let bytes = serde_json::to_vec(&Manifest { format: 1, key: self.key.clone(), files }).expect("plain values");
        store::write(&manifest(&to), &bytes)?;
        // The one before stays, in case that this one is damaged, if it has a state of its own.
        let stay = usize::from(self.keeping == Keeping::Files || self.checkpoints.lasts);
        for old in before.iter().rev().skip(stay) {
            let old = folder.join(old.to_string());
            let _ = fs::remove_file(manifest(&old));
            store::remove_folder(&old)?;
        }
        // What was printed is in the snapshot: that no run was killed is known from there being no such file.
        if let Some(printed) = self.printed() {
            fs::remove_file(&printed).map_err(StoreError::on("remove", &printed))?;
        }
        Ok(Some(what))
    }
}

/// The numbers of the snapshots in a folder, in order.
pub(super) fn snapshots(folder: &Path) -> Vec<u64> {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    let mut numbers: Vec<u64> = entries.filter_map(number).collect();
    numbers.sort_unstable();
    numbers
}

pub(super) fn manifest(snapshot: &Path) -> PathBuf {
    snapshot.with_extension("json")
}
