//! The plan: what is computed, how it is cut, what each job asks for; and the document that holds it.
//!
//! Invariants: the same arguments give the same bytes (no clock, no host, no hash order); the identity is made of
//! what is computed alone (the space, the command), so that records of any cut of it count; every path in a plan is relative,
//! but for inputs that were given by absolute paths and the old places of environments.

mod arrival;
mod bins;
mod chain;
mod collected;
mod command;
mod document;
mod field;
mod identity;
mod job;
mod keeping;
mod pacing;
mod quantile;
mod reduction;
mod resources;
mod seen;
mod shards;
mod site_rules;
mod submit_line;
mod template;
mod tolerance;
mod yields;

#[cfg(test)]
pub(crate) mod testing;

pub use crate::space::{Identity, Word};
pub use arrival::{Environment, JobLink, JobUrl};
pub use bins::{Bins, Edges, EdgesError};
pub use chain::{Chain, ChainError, MOST_SEGMENTS, REPLICA, SEGMENT_NAMES};
pub use collected::{FilePattern, FilePatternError, FileTemplate, PatternPart};
pub use command::{Bindings, Command, CommandError, Placeholder, Run, Slot, variables};
pub use document::{DocumentError, FORMAT, Plan};
pub use identity::PlanIdentity;
pub use job::{DEFAULT_PATH, FileSource, Job, JobContainer, JobFile, JobFiles, PLAN_FILES};
pub use keeping::{CARRIED_CHECKPOINTS, CHECKPOINTS, Keeping, SAVED};
pub use pacing::{CARRIED, INTERRUPTION, Pacing, Probe};
pub use quantile::{Quantile, QuantileError};
pub use reduction::{Due, MergeCommand, Operand, Reduction, ReductionError, is_field_name};
pub use resources::{ContainerMode, Resources, Size, SizeError};
pub use seen::Seen;
pub use shards::{FanIn, FanInError, MOST_GROUPS, Shards};
pub use site_rules::{AccessPoint, ReduceOn, SiteRules, Throttles};
pub use submit_line::{SubmitLine, SubmitLineError, check_condition};
pub use template::TemplateError;
pub use tolerance::{NoShare, Tolerance};
pub use yields::Yields;
