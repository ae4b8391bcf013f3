//! The files that travel with a job: found and hashed when the plan is made, laid out as a job will see them,
//! and hashed again where they arrive, so that every record names the code that really ran.

mod identity;

#[cfg(feature = "cli")]
mod find;
#[cfg(feature = "cli")]
mod now;
#[cfg(feature = "cli")]
mod stage;

pub use identity::{CodeHasher, hash_file};

#[cfg(feature = "cli")]
pub use find::{Fate, FindError, Found, WordFate, find, is_on_path};
#[cfg(feature = "cli")]
pub use now::Now;
#[cfg(feature = "cli")]
pub use stage::{Copies, link_tree};
