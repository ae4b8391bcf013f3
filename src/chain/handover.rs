//! What the access point hands to the job of a segment: a folder, which HTCondor sends, with the partial that it goes on
//! from, and a word of which that is. A partial that got lost on the way is not taken for the start of the chain.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Line, Link};
use crate::plan::{Job, PLAN_FILES};
use crate::space::Interval;
use crate::store::{self, StoreError};

const FROM: &str = "from.json";
const PARTIAL: &str = "state.part";

/// What a job goes on from.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct From {
    /// The segment that left it, from 1; 0 where the chain starts.
    segment: u32,
    /// The attempt at it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    attempt: Option<String>,
}

/// What a job was to go on from is not what it was given.
#[derive(Debug, thiserror::Error)]
pub enum HandoverError {
    /// Nothing says what it is.
    #[error("what the segment starts from has not arrived: {0}")]
    Nothing(String),
    /// It is another record than it should be.
    #[error("the state of segment {0} has not arrived as it was sent")]
    Other(u32),
}

/// The folder's name, for a segment of a chunk: chunk.sub spells it, too.
#[must_use]
pub fn folder_name(chunk: u64, segment: u32) -> String {
    format!("chunk-{chunk:06}-s{segment:04}")
}

/// The folder's path in the plan's folder.
fn folder(root: &Path, chunk: u64, segment: u32) -> PathBuf {
    root.join(PLAN_FILES).join("chain").join(folder_name(chunk, segment))
}

/// Makes the folder from which the job of a segment goes on after `line`; `root` is the plan's folder.
///
/// # Errors
/// Where it cannot be written.
pub fn hand_over(root: &Path, chunk: u64, segment: u32, line: &Line) -> Result<(), StoreError> {
    let folder = folder(root, chunk, segment);
    store::remove_folder(&folder)?;
    store::make_folder(&folder)?;
    let last = line.links.last();
    if let Some(last) = last {
        let partial = folder.join(PARTIAL);
        // A file system may have no links.
        if fs::hard_link(&last.path, &partial).is_err() {
            fs::copy(&last.path, &partial).map_err(StoreError::on("write", &partial))?;
        }
    }
    let from = From { segment: line.reached(), attempt: last.map(|last| last.header.attempt.to_string()) };
    store::write(&folder.join(FROM), &serde_json::to_vec(&from).expect("plain values"))
}

/// Makes `folder` hold what the job of a first segment is handed.
///
/// # Errors
/// Where it cannot be written.
pub fn hand_nothing(folder: &Path) -> Result<(), StoreError> {
    store::make_folder(folder)?;
    let from = From { segment: 0, attempt: None };
    store::write(&folder.join(FROM), &serde_json::to_vec(&from).expect("plain values"))
}

/// Removes the folder again.
///
/// # Errors
/// Where it cannot be removed.
pub fn take_back(root: &Path, chunk: u64, segment: u32) -> Result<(), StoreError> {
    store::remove_folder(&folder(root, chunk, segment))
}

/// What has arrived in `folder`: the record to go on from, none at the start. The record itself is checked when it is used.
///
/// # Errors
/// Where nothing has arrived, or something else.
pub fn receive(folder: &Path, job: &Job, items: Interval) -> Result<Option<Link>, HandoverError> {
    let nothing = |why: String| HandoverError::Nothing(why);
    let path = folder.join(FROM);
    let bytes = fs::read(&path).map_err(|error: io::Error| nothing(format!("{}: {error}", path.display())))?;
    let from: From = serde_json::from_slice(&bytes).map_err(|error| nothing(error.to_string()))?;
    let From { segment, attempt: Some(attempt) } = from else {
        return if from.segment == 0 { Ok(None) } else { Err(HandoverError::Other(from.segment)) };
    };
    let link = Link::read(folder.join(PARTIAL), job.plan, items);
    let link = link.filter(|link| link.segment.number == segment && *link.header.attempt == *attempt);
    link.map(Some).ok_or(HandoverError::Other(segment))
}
