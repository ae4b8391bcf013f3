//! What can be chosen.

use std::fmt;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::environment::Environment;
use super::error::CheckpointError;
use super::key::Key;
use super::output::{Output, Outputs};

/// How a checkpoint is kept, where the defaults are not wanted. The loops are methods of it.
///
/// ```
/// # use split::checkpoint::{CheckpointError, Settings};
/// # let folder = tempfile::tempdir().expect("a temporary folder");
/// # let folder = folder.path();
/// let total = Settings::new("sum/1").folder(folder).every_steps(10).range(1..=100, 0u64, |total, item| *total += item)?;
/// assert_eq!(total, 5050);
/// # Ok::<(), CheckpointError>(())
/// ```
pub struct Settings<S> {
    key: String,
    folder: Option<PathBuf>,
    interruption: Option<Duration>,
    version: u32,
    when: When,
    at_most_every: Duration,
    background: bool,
    on_termination: OnTermination,
    wrong: Option<&'static str>,
    migrate: Option<Migrate<S>>,
    outputs: Outputs,
}

/// Makes a state of the bytes of one with an older version.
pub(super) type Migrate<S> = Box<dyn Fn(u32, Old<'_>) -> Result<S, CheckpointError> + Send>;

/// When a save is due.
#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    /// At the interval that costs the least ([`interval`](super::interval)).
    Optimal,
    Every(Duration),
    EverySteps(NonZeroU64),
}

/// What happens once the state is saved because the process was told to stop.
#[derive(Clone, Copy, Debug)]
pub(super) enum OnTermination {
    Exit,
    Return,
}

/// Settings that make sense.
pub(super) struct Prepared {
    pub(super) key: Key,
    pub(super) environment: Environment,
    pub(super) version: u32,
    pub(super) when: When,
    pub(super) at_most_every: Duration,
    pub(super) background: bool,
    pub(super) on_termination: OnTermination,
    pub(super) outputs: Outputs,
}

/// A state that was saved with an older version.
#[derive(Clone, Copy, Debug)]
pub struct Old<'a> {
    pub(super) path: &'a Path,
    pub(super) payload: &'a [u8],
}

impl Old<'_> {
    /// The state as it was laid out then.
    ///
    /// # Errors
    /// Where it is not laid out so.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, CheckpointError> {
        rmp_serde::from_slice(self.payload)
            .map_err(|error| CheckpointError::Layout { path: self.path.to_owned(), wrong: error.to_string() })
    }
}

impl<S> Settings<S> {
    /// The defaults. `key` is a name and, after the first slash, everything else that the state depends on: `sum/1`,
    /// `ising/beta=0.44/seed=7`. The name gives the files their names; where they are of another key, it is refused.
    pub fn new(key: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            folder: None,
            interruption: None,
            version: 0,
            when: When::Optimal,
            at_most_every: Duration::ZERO,
            background: false,
            on_termination: OnTermination::Exit,
            wrong: None,
            migrate: None,
            outputs: Outputs::default(),
        }
    }

    /// The folder to keep it in, instead of the environment's ([`FOLDER`](super::FOLDER)).
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// The time between two interruptions that is to be expected, instead of the environment's
    /// ([`INTERRUPTION`](super::INTERRUPTION)).
    #[must_use]
    pub fn interrupted_every(mut self, time: Duration) -> Self {
        self.interruption = Some(time);
        self
    }

    /// The version of the state's layout, 0 where it is not given. Raise it when the type's fields change their meaning.
    #[must_use]
    pub fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// How to read states of older versions; without it they are refused. An answer, which a loop that is done
    /// keeps, is not migrated.
    #[must_use]
    pub fn migrate(mut self, migrate: impl Fn(u32, Old<'_>) -> Result<S, CheckpointError> + Send + 'static) -> Self {
        self.migrate = Some(Box::new(migrate));
        self
    }

    /// Save when so much time has passed since the last save.
    #[must_use]
    pub fn every(mut self, time: Duration) -> Self {
        self.when = When::Every(time);
        self
    }

    /// Save after so many steps, and not by time.
    #[must_use]
    pub fn every_steps(mut self, steps: u64) -> Self {
        match NonZeroU64::new(steps) {
            Some(steps) => self.when = When::EverySteps(steps),
            None => self.wrong = Some("every_steps(0): a save takes at least one step"),
        }
        self
    }

    /// Never save more often than this, but when told to stop and at the end.
    #[must_use]
    pub fn at_most_every(mut self, time: Duration) -> Self {
        self.at_most_every = time;
        self
    }

    /// Save from another thread: the loop waits only until its state is turned into bytes in memory. There are never two such
    /// saves at once, and what goes wrong with one is reported by the next tick.
    #[must_use]
    pub fn in_background(mut self) -> Self {
        self.background = true;
        self
    }

    /// When told to stop (SIGTERM), give back [`CheckpointError::Interrupted`] once the state is saved, instead of ending the process
    /// with [`EXIT_SAVED`](super::EXIT_SAVED).
    #[must_use]
    pub fn return_when_stopped(mut self) -> Self {
        self.on_termination = OnTermination::Return;
        self
    }

    /// A file that the loop appends to, which is part of what it saves: it is cut back to what it was when the state was saved that the
    /// loop goes on from, and where that is not there, the state is not believed.
    ///
    /// ```
    /// # use split::checkpoint::{CheckpointError, Settings};
    /// # let folder = tempfile::tempdir().expect("a temporary folder");
    /// # let here = |name: &str| folder.path().join(name);
    /// use std::io::Write;
    ///
    /// let mut settings = Settings::new("sum/1").folder(here("checkpoints"));
    /// let mut sums = settings.output(here("sums.txt")); // "sums.txt"
    /// settings.range(1..=100, 0u64, |total, item| {
    ///     *total += item;
    ///     writeln!(sums, "{total}").expect("in its loop");
    /// })?;
    /// assert_eq!(std::fs::read_to_string(here("sums.txt")).expect("there").lines().count(), 100);
    /// # Ok::<(), CheckpointError>(())
    /// ```
    ///
    /// It is there under this name while it grows, but where the file system of the checkpoints has no second names (hard links) that
    /// reach there: then at the end. A file that is there already and is not this loop's is an error, and is
    /// replaced in a job of `split`'s below the folder that it starts in, where another item may have left it.
    #[must_use]
    pub fn output(&mut self, path: impl Into<PathBuf>) -> Output {
        self.outputs.add(path.into())
    }

    pub(super) fn prepare(self) -> Result<(Prepared, Option<Migrate<S>>), CheckpointError> {
        if let Some(wrong) = self.wrong {
            return Err(CheckpointError::Setting(wrong));
        }
        let mut environment = Environment::read()?;
        match self.folder {
            Some(folder) => environment.folder = folder,
            None => Environment::say_in_vain(),
        }
        match self.interruption {
            Some(Duration::ZERO) => {
                return Err(CheckpointError::Setting("interrupted_every(0): nothing would be done"));
            }
            Some(interruption) => environment.interruption = interruption,
            None => {}
        }
        let prepared = Prepared {
            key: Key::new(&self.key)?,
            environment,
            version: self.version,
            when: self.when,
            at_most_every: self.at_most_every,
            background: self.background,
            on_termination: self.on_termination,
            outputs: self.outputs,
        };
        Ok((prepared, self.migrate))
    }
}

impl<S> fmt::Debug for Settings<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Settings").field("key", &self.key).field("when", &self.when).finish_non_exhaustive()
    }
}
