//! A loop of one's own.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::engine::Engine;
use super::error::CheckpointError;
use super::settings::{Migrate, Settings};

/// The checkpoint of a loop that is not one of the library's.
///
/// ```
/// # use split::checkpoint::{Checkpoint, CheckpointError, Settings};
/// # let folder = tempfile::tempdir().expect("a temporary folder");
/// # let open = |key: &str| Settings::new(key).folder(folder.path()).open();
/// let mut checkpoint = open("collatz/27")?; // Checkpoint::open("collatz/27")
/// let (mut number, mut steps) = checkpoint.resume()?.unwrap_or((27u64, 0u64));
/// while number != 1 {
///     number = if number % 2 == 0 { number / 2 } else { 3 * number + 1 };
///     steps += 1;
///     checkpoint.tick(&(number, steps))?;
/// }
/// checkpoint.finish(&(number, steps))?;
/// assert_eq!(steps, 111);
/// # Ok::<(), CheckpointError>(())
/// ```
///
/// What the loop needs to go on has to be in the state, also whether it is done: after the end, `resume` gives the last state.
pub struct Checkpoint<S> {
    engine: Engine,
    migrate: Option<Migrate<S>>,
    state: PhantomData<fn(&S)>,
}

impl<S: Serialize + DeserializeOwned> Checkpoint<S> {
    /// Opens it with the default settings.
    ///
    /// # Errors
    /// As [`Settings::open`].
    pub fn open(key: &str) -> Result<Self, CheckpointError> {
        Settings::new(key).open()
    }

    /// What was saved last, or nothing where this is the first run.
    ///
    /// # Errors
    /// Where it is of another version or layout.
    pub fn resume(&mut self) -> Result<Option<S>, CheckpointError> {
        Ok(self.engine.resume(self.migrate.as_ref())?.map(|(state, _)| state))
    }

    /// Whether the computation has come to its end, in this run or an earlier one.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.engine.is_done()
    }

    /// To be called after each step, with the whole state: saves it if a save is due, and otherwise takes less than two nanoseconds.
    /// Where the process was told to stop (SIGTERM), it saves the state and ends the process with
    /// [`EXIT_SAVED`](super::EXIT_SAVED), unless the settings have it return.
    ///
    /// # Errors
    /// Where the state could not be saved: the one that was saved before is still there, and the loop may go on. Before `resume`,
    /// and after the end.
    #[inline]
    pub fn tick(&mut self, state: &S) -> Result<(), CheckpointError> {
        self.engine.countdown = self.engine.countdown.wrapping_sub(1);
        if self.engine.countdown == 0 || self.engine.attention.is_raised() {
            return self.engine.attend(None, state);
        }
        Ok(())
    }

    /// Saves the state now, due or not, and waits for the disk.
    ///
    /// # Errors
    /// As [`Checkpoint::tick`].
    pub fn save(&mut self, state: &S) -> Result<(), CheckpointError> {
        self.engine.going()?;
        self.engine.save(None, state, false)
    }

    /// Saves the last state. Running again gives it back, and nothing more is saved.
    ///
    /// # Errors
    /// Where it could not be saved.
    pub fn finish(&mut self, state: &S) -> Result<(), CheckpointError> {
        self.engine.finish(None, state)
    }
}

impl<S: Serialize + DeserializeOwned> Settings<S> {
    /// Opens the checkpoint of a loop of one's own.
    ///
    /// # Errors
    /// Where the key or the environment make no sense, the folder cannot be written to, the checkpoint is in use, both of its files are
    /// damaged, or it is of another key, identity or kind of loop.
    pub fn open(self) -> Result<Checkpoint<S>, CheckpointError> {
        let (prepared, migrate) = self.prepare()?;
        Ok(Checkpoint { engine: Engine::open(prepared, "own".to_owned())?, migrate, state: PhantomData })
    }
}

impl<S> std::fmt::Debug for Checkpoint<S> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Checkpoint").field("engine", &self.engine).finish_non_exhaustive()
    }
}
