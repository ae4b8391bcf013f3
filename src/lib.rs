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
//! | `answer` | where answers go: tables in several formats, files, archives of partials | yes |
//! | [`rows`] | items' values out of tables, lines and files; what each chunk gets of them | reads them, writes each chunk's |
//! | [`inputs`] | the files that travel with a job, and the identity of the code that ran | reads and stages files |
//! | `folder` | a plan's folder: its layout, laying a plan down, finding it again | yes |
//! | [`runner`] | a chunk's run inside a job | yes |
//! | `local` | a plan's run on this machine | yes |
//! | `pool` | what HTCondor runs and wrote here: event logs, locks of DAGMan, whether this is an access point | reads |
//! | `site` | what the administrators of a pool ask of every plan | reads profiles |
//! | [`checkpoint`] | the library for programs that keep their own state | keeps checkpoints, exits when told to stop |
//! | [`chain`] | the records of a chain's segments: which to go on from, and their results joined | reads, writes |
//! | `model` | what a pool would make of a plan: closed forms and a simulation | no |
//! | [`exit`] | every exit code, in one place | no |
//! | [`store`] | every file that is written | writes |
//! | `cli` | arguments in, a report out; the only room that prints | yes |
//!
//! Imports run downwards: `cli` may use everything, nothing uses `cli`, and `local` uses `folder` and `runner`, `folder`
//! uses `dag`, `pool` and `cut`; `runner` uses `cut`; `local` and `runner` use `chain`, which uses `record` and `plan`. The first three, `inputs`, `record` and `reduce` use `plan`; `record` and `inputs` know nothing
//! of each other. `answer` uses `reduce` and `record`, and only `cli` uses it. `site` uses `plan` and `dag`; `dag` uses `plan` and `cut`; `plan` uses `cut`; `cut`
//! uses `space`. Any room may use `space` and `exit`, and those that write use `store`; `pool` and `store` use no other room, `model`
//! uses `space` and the interval of `checkpoint`, and `checkpoint` uses `store` alone. Without the default features the crate is
//! `checkpoint` and what it needs of `store`, with few dependencies; the feature `runner` adds what a job needs, and `cli` the command.

#[cfg(feature = "cli")]
pub mod answer;
#[cfg(feature = "runner")]
pub mod chain;
pub mod checkpoint;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "runner")]
pub mod cut;
#[cfg(feature = "cli")]
pub mod dag;
#[cfg(feature = "runner")]
pub mod exit;
#[cfg(feature = "cli")]
pub mod folder;
#[cfg(feature = "runner")]
pub mod inputs;
#[cfg(feature = "cli")]
pub mod local;
#[cfg(feature = "cli")]
pub mod model;
#[cfg(feature = "runner")]
pub mod plan;
#[cfg(feature = "cli")]
pub mod pool;
#[cfg(feature = "runner")]
pub mod record;
#[cfg(feature = "cli")]
pub mod reduce;
#[cfg(feature = "runner")]
pub mod rows;
#[cfg(feature = "runner")]
pub mod runner;
#[cfg(feature = "cli")]
pub mod site;
#[cfg(feature = "runner")]
pub mod space;
pub mod store;
