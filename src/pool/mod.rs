//! Reading what HTCondor wrote. Nothing here asks the queue.

mod access_point;
mod lock;

pub use access_point::is_access_point;
pub use lock::{LockState, lock_state};
