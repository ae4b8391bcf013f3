//! Loops over a range whose items are computed side by side.
//!
//! Results are merged into the state one after another, in the order of the items and under one lock, and a save takes that lock. So
//! a saved state is always that of the first so many items and no other, each counted once; it is the state that the
//! loop without threads would have, to the last bit, and either can go on where the other was interrupted.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::engine::Engine;
use super::error::CheckpointError;
use super::loops::{Counted, Items, Number, placed};
use super::settings::Settings;

/// How many items a thread may be ahead of the one that is merged next, so that results do not pile up behind a slow one.
const AHEAD: u64 = 16;

impl<S: Serialize + DeserializeOwned + Send> Settings<S> {
    /// Computes the items of a range in `threads` threads: `work` gives an item's result, `merge` adds it to the state.
    ///
    /// # Errors
    /// As [`Settings::open`], and where the state could not be saved.
    ///
    /// # Panics
    /// Where `work` or `merge` does.
    pub fn threads<R: Items, T: Send>(
        self,
        items: R,
        threads: usize,
        init: S,
        work: impl Fn(R::Item) -> T + Sync,
        merge: impl FnMut(&mut S, T) + Send,
    ) -> Result<S, CheckpointError> {
        let threads = NonZeroUsize::new(threads).ok_or(CheckpointError::Setting("0 threads would do nothing"))?;
        let Counted { first, count, name } = items.count()?;
        let (prepared, migrate) = self.prepare()?;
        let mut engine = Engine::open(prepared, name)?;
        let (state, position) = placed(engine.resume(migrate.as_ref())?, init);
        if engine.is_done() {
            return Ok(state);
        }
        let shared = Mutex::new(Merging {
            engine,
            state,
            position,
            next: position,
            waiting: BTreeMap::new(),
            merge,
            stopped: false,
            error: None,
        });
        let moved = Condvar::new();
        let window = AHEAD.saturating_mul(threads.get() as u64);
        std::thread::scope(|scope| {
            for _ in 0..threads.get() {
                scope.spawn(|| {
                    // Others wait for what this thread has begun: where it panics they must not wait for ever.
                    let _guard = StopOnPanic { shared: &shared, moved: &moved };
                    while let Some(item) = claim(&shared, &moved, count, window) {
                        let result = work(first.after(item));
                        lock(&shared).commit(item, result);
                        moved.notify_all();
                    }
                });
            }
        });
        let mut merged = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = merged.error {
            return Err(error);
        }
        merged.engine.finish(Some(merged.position), &merged.state)?;
        Ok(merged.state)
    }

    /// Computes the items of a range in rayon's threads: `work` gives an item's result, `merge` adds it to the state.
    ///
    /// Items are handed out in batches of some hundredths of a second; when told to stop, the batch is finished first.
    ///
    /// # Errors
    /// As [`Settings::open`], and where the state could not be saved.
    #[cfg(feature = "rayon")]
    pub fn par_fold<R: Items, T: Send>(
        self,
        items: R,
        init: S,
        work: impl Fn(R::Item) -> T + Sync,
        mut merge: impl FnMut(&mut S, T),
    ) -> Result<S, CheckpointError> {
        use rayon::iter::{IntoParallelIterator, ParallelIterator};
        use std::time::{Duration, Instant};

        /// How long a batch should take.
        const BATCH: Duration = Duration::from_millis(50);

        let Counted { first, count, name } = items.count()?;
        let (prepared, migrate) = self.prepare()?;
        let mut engine = Engine::open(prepared, name)?;
        let (mut state, mut position) = placed(engine.resume(migrate.as_ref())?, init);
        if engine.is_done() {
            return Ok(state);
        }
        let threads = rayon::current_num_threads() as u64;
        let (least, most) = (threads, AHEAD.saturating_mul(threads).saturating_mul(1 << 12));
        let mut batch = least;
        while position < count {
            let stop = count.min(position.saturating_add(batch));
            let start = Instant::now();
            let results: Vec<T> = (position..stop).into_par_iter().map(|place| work(first.after(place))).collect();
            let took = start.elapsed();
            for result in results {
                merge(&mut state, result);
                position += 1;
                engine.countdown = engine.countdown.wrapping_sub(1);
                if engine.countdown == 0 || engine.attention.is_raised() {
                    engine.attend(Some(position), &state)?;
                }
            }
            // By doubling and halving, so that one odd item does not decide.
            batch = if took < BATCH / 2 {
                batch.saturating_mul(2)
            } else if took > BATCH {
                batch / 2
            } else {
                batch
            };
            batch = batch.clamp(least, most);
        }
        engine.finish(Some(position), &state)?;
        Ok(state)
    }
}

/// What the threads share.
struct Merging<S, T, M> {
    engine: Engine,
    state: S,
    /// So many items are merged.
    position: u64,
    /// The item that is begun next.
    next: u64,
    /// Results whose turn has not come.
    waiting: BTreeMap<u64, T>,
    merge: M,
    stopped: bool,
    error: Option<CheckpointError>,
}

impl<S: Serialize, T, M: FnMut(&mut S, T)> Merging<S, T, M> {
    /// Merges what has its turn now, and saves if a save is due.
    fn commit(&mut self, item: u64, result: T) {
        self.waiting.insert(item, result);
        while !self.stopped
            && let Some(result) = self.waiting.remove(&self.position)
        {
            // Where it panics this stays, and nobody saves a state that is half merged.
            self.stopped = true;
            (self.merge)(&mut self.state, result);
            self.stopped = false;
            self.position += 1;
            self.engine.countdown = self.engine.countdown.wrapping_sub(1);
            if (self.engine.countdown == 0 || self.engine.attention.is_raised())
                && let Err(error) = self.engine.attend(Some(self.position), &self.state)
            {
                self.error = Some(error);
                self.stopped = true;
            }
        }
    }
}

/// The next item to compute; waits while the threads are too far ahead.
fn claim<S, T, M>(shared: &Mutex<Merging<S, T, M>>, moved: &Condvar, count: u64, window: u64) -> Option<u64> {
    let mut merging = lock(shared);
    while !merging.stopped && merging.next < count && merging.next - merging.position >= window {
        merging = moved.wait(merging).unwrap_or_else(PoisonError::into_inner);
    }
    if merging.stopped || merging.next >= count {
        return None;
    }
    merging.next += 1;
    Some(merging.next - 1)
}

struct StopOnPanic<'a, S, T, M> {
    shared: &'a Mutex<Merging<S, T, M>>,
    moved: &'a Condvar,
}

impl<S, T, M> Drop for StopOnPanic<'_, S, T, M> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            lock(self.shared).stopped = true;
            self.moved.notify_all();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
