//! The loops that keep themselves: over a range, and until something is done.

use std::ops::{Range, RangeInclusive};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::engine::Engine;
use super::error::CheckpointError;
use super::settings::Settings;

/// Whole numbers that a loop can count with.
pub trait Number: Copy + Send + Sync + sealed::Sealed {
    /// Itself, as a number that holds all of them.
    #[doc(hidden)]
    fn wide(self) -> i128;

    /// The number so many places after it; there is one.
    #[doc(hidden)]
    fn after(self, places: u64) -> Self;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! numbers {
    ($($number:ty)*) => {
        $(
            impl sealed::Sealed for $number {}

            impl Number for $number {
                fn wide(self) -> i128 {
                    self as i128
                }

                #[inline]
                fn after(self, places: u64) -> Self {
                    // Whatever wraps here wraps back: the sum is a number of this type.
                    self.wrapping_add(places as $number)
                }
            }
        )*
    };
}

numbers!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

/// What a loop runs over: `1..101` or `1..=100`.
pub trait Items {
    /// The type of an item.
    type Item: Number;

    /// The first item, how many there are, and how a checkpoint names them.
    ///
    /// # Errors
    /// Where there are more than can be counted.
    #[doc(hidden)]
    fn count(self) -> Result<Counted<Self::Item>, CheckpointError>;
}

/// The items of a loop.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Counted<I> {
    pub(super) first: I,
    pub(super) count: u64,
    pub(super) name: String,
}

impl<I: Number> Counted<I> {
    fn new(first: I, stop: i128) -> Result<Self, CheckpointError> {
        let start = first.wide();
        let count = u64::try_from((stop - start).max(0))
            .map_err(|_| CheckpointError::Setting("a range of 18446744073709551616 items cannot be counted"))?;
        Ok(Self { first, count, name: format!("range {start}..{stop}") })
    }
}

impl<I: Number> Items for Range<I> {
    type Item = I;

    fn count(self) -> Result<Counted<I>, CheckpointError> {
        Counted::new(self.start, self.end.wide())
    }
}

impl<I: Number> Items for RangeInclusive<I> {
    type Item = I;

    fn count(self) -> Result<Counted<I>, CheckpointError> {
        Counted::new(*self.start(), self.end().wide() + 1)
    }
}

/// Whether a loop goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<T> {
    /// There is more to do.
    Continue,
    /// This is the answer.
    Done(T),
}

impl<S: Serialize + DeserializeOwned> Settings<S> {
    /// Calls `body` for each item of a range, in order and once, however often it is interrupted, and gives back the state that this
    /// ends with.
    ///
    /// # Errors
    /// As [`Settings::open`], and where the state could not be saved.
    pub fn range<R: Items>(
        self,
        items: R,
        init: S,
        mut body: impl FnMut(&mut S, R::Item),
    ) -> Result<S, CheckpointError> {
        let Counted { first, count, name } = items.count()?;
        let (prepared, migrate) = self.prepare()?;
        let mut engine = Engine::open(prepared, name)?;
        let (mut state, mut position) = placed(engine.resume(migrate.as_ref())?, init);
        if engine.is_done() {
            return Ok(state);
        }
        while position < count {
            body(&mut state, first.after(position));
            position += 1;
            engine.countdown = engine.countdown.wrapping_sub(1);
            if engine.countdown == 0 || engine.attention.is_raised() {
                engine.attend(Some(position), &state)?;
            }
        }
        engine.finish(Some(position), &state)?;
        Ok(state)
    }

    /// Calls `body` until it is done, and gives back its answer.
    ///
    /// # Errors
    /// As [`Settings::open`], and where the state could not be saved.
    pub fn until<T: Serialize + DeserializeOwned>(
        self,
        init: S,
        mut body: impl FnMut(&mut S) -> Step<T>,
    ) -> Result<T, CheckpointError> {
        let (prepared, migrate) = self.prepare()?;
        let mut engine = Engine::open(prepared, "until".to_owned())?;
        if let Some(answer) = engine.answer()? {
            return Ok(answer);
        }
        let (mut state, _) = placed(engine.resume(migrate.as_ref())?, init);
        loop {
            if let Step::Done(answer) = body(&mut state) {
                engine.finish(None, &answer)?;
                return Ok(answer);
            }
            engine.countdown = engine.countdown.wrapping_sub(1);
            if engine.countdown == 0 || engine.attention.is_raised() {
                engine.attend(None, &state)?;
            }
        }
    }
}

/// The state to go on with, and the place of the item that comes next.
pub(super) fn placed<S>(found: Option<(S, Option<u64>)>, init: S) -> (S, u64) {
    found.map_or((init, 0), |(state, position)| (state, position.unwrap_or(0)))
}
