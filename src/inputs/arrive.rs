//! What is done with a job's files where they have arrived, before the program starts.
//!
//! Order matters: what was fetched by URL is moved to its place first, then everything is hashed, and only then
//! are links made and paths rewritten, so that the identity of the code is the same wherever it runs.

use std::path::Path;

use super::identity::{CodeHasher, Part, hash_file};
use super::relocate::relocate;
use crate::plan::{Environment, Identity, Job, JobLink, JobUrl, Word};
use crate::store::{self, StoreError};

/// Moves what HTCondor fetched by URL from the sandbox's top to its places below the job's tree. What did not
/// arrive is left to [`code_that_arrived`] to name.
///
/// # Errors
/// Where a file that is there cannot be moved.
pub fn place_urls(urls: &[JobUrl], top: &Path, tree: &Path) -> Result<(), StoreError> {
    for url in urls {
        let (from, to) = (top.join(url.arrives.as_os_str()), tree.join(url.place.as_os_str()));
        if from.symlink_metadata().is_ok() {
            if let Some(folder) = to.parent() {
                store::make_folder(folder)?;
            }
            store::move_to(&from, &to)?;
        }
    }
    Ok(())
}

/// The identity of the code that is really there, and what is wrong where a file is not: HTCondor leaves out
/// a file that is gone when it is to be sent, and says nothing.
#[must_use]
pub fn code_that_arrived(job: &Job, tree: &Path) -> (Identity, Option<String>) {
    let mut missing = None;
    let mut hash = |place: &Word, name: &dyn Fn() -> String| match hash_file(&tree.join(place.as_os_str())) {
        Ok((content, _)) => Some(content),
        Err(error) => {
            missing.get_or_insert_with(|| format!("{} did not arrive: {error}", name()));
            None
        }
    };
    let mut parts = Vec::new();
    for file in &job.files {
        let content = hash(file.path(), &|| file.place.quoted());
        parts.extend(content.map(|content| Part::File(&file.place, content)));
    }
    parts.extend(job.links.iter().map(Part::Link));
    for url in &job.urls {
        let content = hash(&url.place, &|| url.url.clone());
        parts.extend(content.map(|content| Part::Arrived(url, content)));
    }
    parts.extend(job.setup.as_ref().map(|setup| Part::Setup(&setup.place)));
    (CodeHasher::of(parts, &job.environment), missing)
}

/// Makes the links, and tells environments where they are now. `start_in` is the folder that the program starts
/// in, below `tree`.
///
/// # Errors
/// Where a link or file cannot be made.
pub fn settle(links: &[JobLink], environments: &[Environment], tree: &Path, start_in: &Path) -> Result<(), StoreError> {
    for link in links {
        store::make_link(link.target.as_os_str().as_ref(), &tree.join(link.place.as_os_str()))?;
    }
    relocate(environments, tree, start_in)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn url(arrives: &str, place: &str) -> JobUrl {
        JobUrl { url: format!("file:///{arrives}"), arrives: Word::from(arrives), place: Word::from(place) }
    }

    #[test]
    fn what_was_fetched_is_moved_once_and_never_over_a_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (top, tree) = (folder.path(), folder.path().join("work"));
        fs::write(top.join("a%20b"), "fetched").expect("written");
        let urls = [url("a%20b", "run/a b")];
        place_urls(&urls, top, &tree).expect("moved");
        assert_eq!(fs::read_to_string(tree.join("run/a b")).expect("there"), "fetched");
        assert!(!top.join("a%20b").exists());
        place_urls(&urls, top, &tree).expect("nothing is left to move");
        fs::write(top.join("a%20b"), "again").expect("written");
        let error = place_urls(&urls, top, &tree).expect_err("its place is taken");
        assert!(error.to_string().contains("cannot rename"), "{error}");
    }

    #[test]
    fn links_are_made_and_made_once() {
        let tree = tempfile::tempdir().expect("a temporary folder");
        let links = [JobLink { place: Word::from("env/bin/python"), target: Word::from("/usr/bin/python3") }];
        for _ in 0..2 {
            settle(&links, &[], tree.path(), tree.path()).expect("made");
        }
        let made = fs::read_link(tree.path().join("env/bin/python")).expect("a link");
        assert_eq!(made, Path::new("/usr/bin/python3"));
    }
}
