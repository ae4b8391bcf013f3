//! Ctrl-C, SIGTERM and a terminal that is closed.

use std::thread::JoinHandle;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

use super::failure::Failure;
use crate::exit::Exit;

/// Listens for signals until it ends.
pub(super) struct Listener {
    handle: Handle,
    thread: JoinHandle<()>,
}

impl Listener {
    /// Calls `stop` at each signal, with how many came before it.
    pub(super) fn start(stop: impl Fn(usize) + Send + 'static) -> Result<Self, Failure> {
        let listen = Signals::new(if ignores_hangup() { vec![SIGINT, SIGTERM] } else { vec![SIGINT, SIGTERM, SIGHUP] });
        let mut signals =
            listen.map_err(|error| Failure::new(Exit::Machine, format!("cannot listen for signals: {error}")))?;
        let handle = signals.handle();
        let thread = std::thread::spawn(move || {
            for (number, _) in signals.forever().enumerate() {
                stop(number);
            }
        });
        Ok(Self { handle, thread })
    }

    /// Listens no more.
    pub(super) fn end(self) {
        self.handle.close();
        let _ = self.thread.join();
    }
}

/// Whether this was started to outlive its terminal (`nohup`): its bit among the ignored signals, proc(5).
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask >> (SIGHUP - 1) & 1 == 1)
}
