//! Reading what HTCondor wrote. Nothing here asks the queue.

mod lock;

pub use lock::{LockState, lock_state};
