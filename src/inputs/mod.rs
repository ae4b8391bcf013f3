//! The files that travel with a job: found and hashed when the plan is made, laid out as a job will see them,
//! and hashed again where they arrive, so that every record names the code that really ran.
//!
//! An interpreter never travels alone, but with its environment or installation (`environment`); such a folder keeps
//! its links, and where it arrives its files are told their new path (`relocate`). A program travels with the
//! libraries beside it (`libraries`). What is named by URL is fetched by HTCondor (`url`).

mod arrive;
mod identity;
mod relocate;

#[cfg(feature = "cli")]
mod doubt;
#[cfg(feature = "cli")]
mod elf;
#[cfg(feature = "cli")]
mod environment;
#[cfg(feature = "cli")]
mod fetch;
#[cfg(feature = "cli")]
mod find;
#[cfg(feature = "cli")]
mod interpreter;
#[cfg(feature = "cli")]
mod libraries;
#[cfg(feature = "cli")]
mod now;
#[cfg(feature = "cli")]
mod stage;
#[cfg(feature = "cli")]
mod url;
#[cfg(feature = "cli")]
mod walk;

pub use arrive::{code_that_arrived, place_urls, settle};
pub use identity::{CodeHasher, Part, hash_file};

#[cfg(feature = "cli")]
pub use doubt::Doubt;
#[cfg(feature = "cli")]
pub use elf::is_dynamic;
#[cfg(feature = "cli")]
pub use environment::{EnvironmentKind, MadeBy};
#[cfg(feature = "cli")]
pub use fetch::fetch;
#[cfg(feature = "cli")]
pub use find::{Fate, FindError, Found, FoundEnvironment, JobFolder, WordFate, find, is_on_path};
#[cfg(feature = "cli")]
pub use libraries::MissingLibrary;
#[cfg(feature = "cli")]
pub use now::Now;
#[cfg(feature = "cli")]
pub use stage::{Copies, link_tree};
#[cfg(feature = "cli")]
pub use url::UrlError;
