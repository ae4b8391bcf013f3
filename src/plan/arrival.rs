//! What is done with a job's files where they arrive, since HTCondor alone would not do it.

use serde::{Deserialize, Serialize};

use super::Word;

/// A link that is made where the files arrive: file transfer would follow it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobLink {
    /// Its place below the job's tree.
    pub place: Word,
    /// What it points to: relative to its own folder, or a path of the execute point's.
    pub target: Word,
}

/// An environment, or another installation, whose files hold the path that it had.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// Its place below the job's tree.
    pub place: Word,
    /// The absolute path that stands in its files. One environment may have several.
    pub was: Word,
}

/// A file that HTCondor fetches by its URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobUrl {
    /// The URL, as HTCondor is given it.
    pub url: String,
    /// The name under which HTCondor puts it at the sandbox's top.
    pub arrives: Word,
    /// Its place below the job's tree, in the folder that the program starts in.
    pub place: Word,
}
