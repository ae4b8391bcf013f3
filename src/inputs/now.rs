//! The program as it is now.

use std::path::Path;
use std::time::SystemTime;

use super::{CodeHasher, Part, hash_file};
use crate::plan::{Identity, JobFile, Plan, Word};
use crate::store::StoreError;

/// A plan's files as they are now.
#[derive(Clone, Debug)]
pub struct Now {
    /// The files, with what they hold now.
    pub files: Vec<JobFile>,
    /// The identity of the code that a job would run now.
    pub code: Identity,
}

impl Now {
    /// Reads the files; `base` is the folder that was planned in. Files that have not been written since `planned` are
    /// taken to hold what they held then, so that large ones need not be read.
    ///
    /// # Errors
    /// Where a file is not there any more.
    pub fn read(plan: &Plan, base: &Path, planned: Option<SystemTime>) -> Result<Self, StoreError> {
        let mut files = plan.files.files.clone();
        for file in &mut files {
            let source = base.join(file.source.as_os_str());
            let found = source.metadata().map_err(StoreError::on("read", &source))?;
            let is_older = planned.zip(found.modified().ok()).is_some_and(|(planned, written)| written < planned);
            if is_older && found.len() == file.bytes {
                continue;
            }
            (file.content, file.bytes) = hash_file(&source).map_err(StoreError::on("read", &source))?;
        }
        let parts = files.iter().map(|file| Part::File(&file.place, file.content));
        let parts = parts.chain(plan.files.links.iter().map(Part::Link)).chain(plan.files.urls.iter().map(Part::Url));
        let code = CodeHasher::of(parts.chain(plan.setup.as_ref().map(Part::Setup)), &plan.environment);
        Ok(Self { files, code })
    }

    /// The places of files that hold something else than when the plan was made.
    #[must_use]
    pub fn changed(&self, plan: &Plan) -> Vec<Word> {
        let pairs = self.files.iter().zip(&plan.files.files);
        pairs.filter(|(now, then)| now.content != then.content).map(|(now, _)| now.place.clone()).collect()
    }
}
