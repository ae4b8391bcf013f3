//! What the folders of runs are called, and when they go.

use std::fs;

use super::super::chunk::{Attempt, Place};
use crate::plan::Identity;
use crate::space::Interval;
use crate::store::{self, StoreError};

/// Removes the checkpoints of runs whose items all have results. `has_results` says so of items.
pub(in crate::runner) fn forget(
    attempt: &Attempt<'_>,
    place: &Place<'_>,
    has_results: impl Fn(Interval) -> bool,
) -> Result<(), StoreError> {
    let Some(checkpoints) = attempt.job.pacing.checkpoint.and(place.checkpoints) else { return Ok(()) };
    let end = format!("-{}", tag(attempt));
    for entry in checkpoints.folder.read_dir().into_iter().flatten().flatten() {
        let file = entry.file_name();
        let Some(name) = file.to_str().and_then(|name| name.split('.').next()) else { continue };
        let items = name.strip_prefix("items-").and_then(|name| name.strip_suffix(&end)?.split_once('-'));
        let items = items.and_then(|(start, stop)| Interval::new(start.parse().ok()?, stop.parse().ok()?));
        if !items.is_some_and(&has_results) {
            continue;
        }
        match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            true => store::remove_folder(&entry.path())?,
            false => fs::remove_file(entry.path()).map_err(StoreError::on("remove", &entry.path()))?,
        }
    }
    // Once nothing is in it.
    let _ = fs::remove_dir(checkpoints.folder);
    Ok(())
}

/// The name of a run's folder.
pub(super) fn name(attempt: &Attempt<'_>, items: Interval) -> String {
    format!("items-{}-{}-{}", items.start(), items.stop(), tag(attempt))
}

/// Another one for another plan or another version of the program.
pub(super) fn tag(attempt: &Attempt<'_>) -> String {
    let both = Identity::of_bytes(format!("{} {}", attempt.job.plan, attempt.code).as_bytes()).to_string();
    both.chars().take(12).collect()
}
