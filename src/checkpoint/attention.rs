//! What a loop has to attend to: one flag, which is all that `tick` looks at.
//!
//! The flag is raised by a sleeping thread when a save is due, and by SIGTERM. So a tick costs one load from memory, whether a
//! step takes a nanosecond or an hour, and nobody counts steps to guess when to look at the clock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use signal_hook::SigId;
use signal_hook::consts::SIGTERM;

/// The flag and those who raise it.
#[derive(Debug)]
pub(super) struct Attention {
    raised: Arc<AtomicBool>,
    alarm: Option<Alarm>,
    on_signal: Option<SigId>,
    /// Whether SIGTERM waits for this loop.
    expecting: bool,
}

impl Attention {
    /// A flag that is raised, and that SIGTERM raises. Until [`Attention::retire`], SIGTERM does not end the process.
    pub(super) fn new() -> Self {
        let raised = Arc::new(AtomicBool::new(true));
        Termination::expect(1);
        let on_signal = signal_hook::flag::register(SIGTERM, Arc::clone(&raised)).ok();
        Self { raised, alarm: None, on_signal, expecting: true }
    }

    #[inline]
    pub(super) fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Relaxed)
    }

    /// Raises it.
    pub(super) fn raise(&self) {
        self.raised.store(true, Ordering::SeqCst);
    }

    /// For another thread to raise it.
    pub(super) fn raiser(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.raised)
    }

    /// Lowers it; what raised it is looked at afterwards.
    pub(super) fn lower(&self) {
        self.raised.store(false, Ordering::SeqCst);
    }

    /// Has it raised in a while.
    pub(super) fn raise_after(&mut self, wait: Duration) {
        if self.alarm.is_none() {
            self.alarm = Alarm::start(Arc::clone(&self.raised)).ok();
        }
        match &self.alarm {
            Some(alarm) => alarm.set(wait),
            // Where no more threads are to be had each tick looks at the clock.
            None => self.raise(),
        }
    }

    /// Nothing is left to save: SIGTERM ends the process again, unless there are other loops.
    pub(super) fn retire(&mut self) {
        if let Some(id) = self.on_signal.take() {
            signal_hook::low_level::unregister(id);
        }
        if std::mem::take(&mut self.expecting) {
            Termination::expect(-1);
        }
    }
}

impl Drop for Attention {
    fn drop(&mut self) {
        self.retire();
    }
}

/// Whether the process was told to stop.
pub(super) struct Termination {
    told: Arc<AtomicBool>,
    /// Set as long as no loop is there that could save: SIGTERM ends the process then, as it does by default.
    nobody: Arc<AtomicBool>,
    loops: Mutex<i64>,
}

impl Termination {
    pub(super) fn is_told() -> bool {
        Self::get().told.load(Ordering::SeqCst)
    }

    fn expect(more: i64) {
        let this = Self::get();
        let mut loops = lock(&this.loops);
        *loops += more;
        this.nobody.store(*loops == 0, Ordering::SeqCst);
    }

    fn get() -> &'static Self {
        static ONLY: OnceLock<Termination> = OnceLock::new();
        ONLY.get_or_init(|| {
            let told = Arc::new(AtomicBool::new(false));
            let nobody = Arc::new(AtomicBool::new(true));
            // In this order: who sees a raised flag has to find out why. A signal that cannot be caught stays as it is.
            let _ = signal_hook::flag::register_conditional_default(SIGTERM, Arc::clone(&nobody));
            let _ = signal_hook::flag::register(SIGTERM, Arc::clone(&told));
            Self { told, nobody, loops: Mutex::new(0) }
        })
    }
}

/// A thread that sleeps until the flag is to be raised.
#[derive(Debug)]
struct Alarm {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    wanted: Mutex<Wanted>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug)]
enum Wanted {
    Nothing,
    At(Instant),
    End,
}

impl Alarm {
    fn start(raised: Arc<AtomicBool>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { wanted: Mutex::new(Wanted::Nothing), changed: Condvar::new() });
        let there = Arc::clone(&shared);
        let thread = std::thread::Builder::new().spawn(move || there.wait(&raised))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    fn set(&self, wait: Duration) {
        // What is further away than the clock goes is never.
        let wanted = Instant::now().checked_add(wait).map_or(Wanted::Nothing, Wanted::At);
        self.shared.want(wanted);
    }
}

impl Shared {
    fn want(&self, wanted: Wanted) {
        *lock(&self.wanted) = wanted;
        self.changed.notify_one();
    }

    fn wait(&self, raised: &AtomicBool) {
        let mut wanted = lock(&self.wanted);
        loop {
            wanted = match *wanted {
                Wanted::End => return,
                Wanted::Nothing => self.changed.wait(wanted).unwrap_or_else(PoisonError::into_inner),
                Wanted::At(time) => match time.checked_duration_since(Instant::now()) {
                    Some(left) if !left.is_zero() => {
                        self.changed.wait_timeout(wanted, left).unwrap_or_else(PoisonError::into_inner).0
                    }
                    _ => {
                        raised.store(true, Ordering::SeqCst);
                        *wanted = Wanted::Nothing;
                        wanted
                    }
                },
            }
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.shared.want(Wanted::End);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_is_raised_in_time_and_not_before() {
        let mut attention = Attention::new();
        assert!(attention.is_raised());
        attention.lower();
        attention.raise_after(Duration::from_secs(3600));
        assert!(!attention.is_raised());
        // A shorter wait takes the place of the longer one.
        let start = Instant::now();
        attention.raise_after(Duration::from_millis(20));
        while !attention.is_raised() {
            std::thread::yield_now();
        }
        assert!(start.elapsed() >= Duration::from_millis(20));
        attention.lower();
        attention.raise_after(Duration::MAX);
        assert!(!attention.is_raised());
    }
}
