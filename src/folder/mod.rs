//! A plan's folder: where what lies, laying a plan down in it, finding the plan again.
//!
//! ```text
//! plan.dag  chunk.sub  reduce.sub    what condor_submit_dag takes, and merge.sub where results are merged on the way
//! tail-1.dag                         what was missing once the chunks had run: written then, by the DAG
//! rest.dag                           the chunks, where items were tried on the pool first: written then, by the DAG; rest-again.dag
//!                                    where that had to try them once more
//! dagman.config                      how fast DAGMan may submit
//! plan.json                          the plan
//! plan.files/                        the runner and split, as they were when the plan was made
//! plan.files/templates/              templates of the user's own
//! plan.files/job/                    what each job is given: job.json, and links to the user's files in work/
//! plan.files/chunks/                 what each chunk's job is given of a table, of lines or files: its rows and files
//! outputs/                           the partials, and plan.json again; rows-0.csv: all rows of a table, of lines or files
//! outputs/000017/                    the partials of a group of chunks, where there are many
//! logs/                              the event log, and what the reduce node said
//! result.json                        the answer and where it comes from
//! aside-001/                         what an earlier plan left, out of the way
//! ```
//!
//! Invariant: plan.json is written last, so that a folder with one is complete; nothing is ever deleted.

mod compare;
mod done;
mod layout;
mod rest;
mod tail;
mod write;

pub use compare::{Difference, differences};
pub use layout::{FolderError, Layout, locate};
pub use rest::write_rest;
pub use tail::{is_nested, write_tail};
pub use write::{Existing, Laid, LayDown, Programs, lay_down, set_aside};
