//! `split` turns one long computation into many short HTCondor jobs, and merges what they bring back.
//!
//! A *space* is the ordered list of *items* to compute; a *chunk* is the run of consecutive items that one
//! DAGMan node computes; a *record* is the result of such a run together with the items it covers. Reducing
//! proves that the records tile the space, each item exactly once, and merges their payloads in item order.
//!
//! # Rooms
//!
//! | room | what it is for | touches the machine |
//! | --- | --- | --- |
//! | [`space`] | item number to value and back | no |
//! | [`cut`] | items to chunks | no |
//! | [`plan`] | the plan and its document | no |
//! | `dag` | plan to DAGMan and submit text | no |
//! | [`record`] | records, partials, coverage | reads partials |
//! | `reduce` | merging payloads, one file a reducer | no, but for the commands it is given |
//! | [`inputs`] | the files that travel with a job, and the identity of the code that ran | reads and stages files |
//! | `folder` | a plan's folder: its layout, laying a plan down, finding it again | yes |
//! | [`runner`] | a chunk's run inside a job | yes |
//! | `local` | a plan's run on this machine | yes |
//! | `pool` | reading what HTCondor wrote | reads |
//! | `site` | what the administrators of a pool ask of every plan | reads profiles |
//! | [`store`] | every file that is written | writes |
//! | `cli` | arguments in, a report out; the only room that prints | yes |
//!
//! Imports run downwards: `cli` may use everything, nothing uses `cli`; `runner`, `local`, `folder` and `pool` use
//! `plan`, `record`, `inputs` and `store`; `site` uses `plan` and `dag`; `dag`, `plan` and `cut` use `space`. Without the feature `cli` the crate holds
//! what a job needs, and no dependency of the command line.

#[cfg(feature = "cli")]
pub mod cli;
pub mod cut;
#[cfg(feature = "cli")]
pub mod dag;
pub mod exit;
#[cfg(feature = "cli")]
pub mod folder;
pub mod inputs;
#[cfg(feature = "cli")]
pub mod local;
pub mod plan;
#[cfg(feature = "cli")]
pub mod pool;
pub mod record;
#[cfg(feature = "cli")]
pub mod reduce;
pub mod runner;
#[cfg(feature = "cli")]
pub mod site;
pub mod space;
pub mod store;
