//! Reading what HTCondor wrote. Nothing here asks the queue.

mod access_point;
mod dagman;
mod event;
mod event_log;
mod forecast;
mod history;
mod lessons;
mod lock;
mod moment;
mod node_name;
mod pulse;

pub use access_point::is_access_point;
pub use dagman::{Dagman, DagmanEnd};
pub use event::{Exit, Hold, JobId, Used};
pub use event_log::EventLog;
pub use forecast::{Forecast, Work, forecast};
pub use history::{Attempt, History, Host, HostTally, Job, Loss, Open, Outcome, Spent, State};
pub use lessons::Lessons;
pub use lock::{LockState, lock_state};
pub use node_name::NodeName;
