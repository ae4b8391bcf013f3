//! What is wrong with a profile.

use std::io;
use std::path::PathBuf;

use super::Origin;

/// What is wrong with a profile: where, and why.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// The file cannot be read, or is not there though it was asked for.
    #[error("cannot read the site profile {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is no TOML.
    #[error("{origin}: {why}")]
    Syntax {
        /// Where.
        origin: Origin,
        /// What the parser says.
        why: String,
    },
    /// A key that means nothing.
    #[error("{origin}: there is no setting `{key}`")]
    Unknown {
        /// Where.
        origin: Origin,
        /// The key, with its table.
        key: String,
        /// The one that may be meant.
        meant: Option<&'static str>,
    },
    /// A value that makes no sense.
    #[error("{origin}: {key}: {why}")]
    Value {
        /// Where.
        origin: Origin,
        /// The key, with its table.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// A value that an example leaves to be filled in.
    #[error("{origin}: set {name}{}", if what.is_empty() { String::new() } else { format!(": {what}") })]
    FillIn {
        /// Where.
        origin: Origin,
        /// What to set.
        name: String,
        /// What to write; empty where the example does not say.
        what: String,
    },
}
