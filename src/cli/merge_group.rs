//! `split merge-group`: a node of the DAG that merges a group of chunks' results on the way to the answer. Not for people.

use std::path::{Path, PathBuf};

use super::access_point;
use super::arguments::MergeGroupOptions;
use super::failure::Failure;
use super::output::say;
use super::{Done, reduce};
use crate::exit::Exit;
use crate::plan::Shards;
use crate::record::{self, merged_name};
use crate::reduce::{self as reducers, MergingJob};
use crate::runner::{attempt_name, host, retry};
use crate::space::Rows;
use crate::store::{Draft, StoreError};

/// The current folder holds the plan's document and the group's folder, and gets the record.
pub(super) fn merge_group(options: &MergeGroupOptions) -> Done {
    access_point::limit_merging(Some(1))?;
    let (_, plan) = reduce::find(Path::new("."))?;
    let Some(items) = plan.group(options.group) else {
        return Err(Failure::new(Exit::Usage, format!("the plan has no group {}", options.group)));
    };
    let folder = PathBuf::from(Shards::folder(options.group));
    let (host, attempt) = (host(), attempt_name(retry()));
    let job = MergingJob { host: &host, attempt: &attempt };
    let merged = reducers::merge_group(&plan, items, &folder, Rows::NONE, job);
    let Some((header, payload)) = merged.map_err(|error| Failure::from_error(Exit::Machine, &error))? else {
        say(&format!("the results in {} are left to the last merge", folder.display()));
        return Ok(Exit::Success);
    };
    let path = PathBuf::from(merged_name(options.group, &attempt));
    let mut crc = crc32fast::Hasher::new();
    crc.update(&payload);
    let mut draft = Draft::new(&path, 0o666)?;
    let written = record::write(&mut draft, &header, &mut &payload[..], payload.len() as u64, &crc);
    written.map_err(StoreError::on("write", &path))?;
    draft.commit()?;
    Ok(Exit::Success)
}
