//! Site profiles: what the administrators of a pool ask of every plan.
//!
//! A profile is a TOML file. Several are read, one after another; what a later one sets wins over an earlier one, but
//! lines and requirements add up. Invariant: every value is checked when it is read, and knows the file and line that it
//! comes from.

mod error;
mod examples;
mod places;
mod profile;
mod read;
mod table;

pub use error::SiteError;
pub use examples::{EXAMPLES, example};
pub use places::{Asked, Place, Site, find};
pub use profile::{Origin, Profile, Set};
pub use table::{Row, rows};
