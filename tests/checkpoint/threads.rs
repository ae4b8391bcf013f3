//! Threads and what is saved.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::kit::Dir;

/// How often a save in the middle of a state looks whether somebody changes it.
const LOOKS: u32 = 20_000;

/// Two numbers that are the same between any two steps, as threads share them.
#[derive(Default, Deserialize)]
struct Naive {
    first: AtomicU64,
    second: AtomicU64,
}

impl Serialize for Naive {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Naive", 2)?;
        let before = self.first.load(Ordering::SeqCst);
        fields.serialize_field("first", &before)?;
        // A large state takes as long by itself.
        for _ in 0..LOOKS {
            if self.second.load(Ordering::SeqCst) != before {
                break;
            }
            std::thread::yield_now();
        }
        fields.serialize_field("second", &self.second.load(Ordering::SeqCst))?;
        fields.end()
    }
}

/// As threads have it that nobody keeps apart.
struct Shared(Arc<Naive>);

impl Serialize for Shared {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Shared {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Naive::deserialize(deserializer).map(|naive| Self(Arc::new(naive)))
    }
}

#[derive(Serialize, Deserialize)]
struct Saved {
    first: u64,
    second: u64,
}

pub(crate) fn a_naive_loop_is_torn_and_ours_is_not() {
    // Threads of one's own that change what is being saved.
    let dir = Dir::new();
    let shared = Arc::new(Naive::default());
    let mut checkpoint = dir.settings("naive/1").open().expect("opened");
    assert!(checkpoint.resume().expect("nothing wrong").is_none());
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::SeqCst) {
                shared.first.fetch_add(1, Ordering::SeqCst);
                shared.second.fetch_add(1, Ordering::SeqCst);
            }
        });
        checkpoint.save(&Shared(Arc::clone(&shared))).expect("saved");
        ended.store(true, Ordering::SeqCst);
    });
    drop(checkpoint);
    let saved = dir.settings::<Saved>("naive/1").open().expect("whole").resume().expect("a state").expect("saved");
    assert_ne!(saved.first, saved.second, "the naive one should have been torn");

    // The same state and the same slow save, in the library's threads.
    let dir = Dir::new();
    let saves = AtomicU64::new(0);
    let end = dir
        .settings::<Naive>("ours/1")
        .every_steps(10)
        .threads(
            0..200,
            3,
            Naive::default(),
            |_| saves.fetch_add(1, Ordering::SeqCst),
            |state, _| {
                *state.first.get_mut() += 1;
                *state.second.get_mut() += 1;
            },
        )
        .expect("saved");
    assert_eq!((end.first.into_inner(), end.second.into_inner()), (200, 200));
    // What each of the two files holds is whole: not only the last.
    for (name, bytes) in dir.files() {
        let payload = bytes.splitn(3, |byte| *byte == b'\n').nth(2).expect("a payload");
        let saved: Saved = rmp_serde::from_slice(payload).expect("a state");
        assert_eq!(saved.first, saved.second, "{name}");
        assert!(saved.first >= 190, "{name}");
    }
}

pub(crate) fn as_without_threads_to_the_last_bit() {
    // Decimals of all sizes: another order of adding gives another sum.
    let work = |item: u64| (item as f64).sin() * 10f64.powi((item % 30) as i32);
    let plain = (0..5000).map(work).fold(0.0, |total: f64, term| total + term);
    let backwards = (0..5000).rev().map(work).fold(0.0, |total: f64, term| total + term);
    assert_ne!(plain.to_bits(), backwards.to_bits());
    let (one, other, third) = (Dir::new(), Dir::new(), Dir::new());
    let add = |total: &mut f64, term: f64| *total += term;
    let range = one.settings("sum/1").range(0..5000, 0.0, |total, item| *total += work(item)).expect("saved");
    let threads = other.settings("sum/1").threads(0..5000, 5, 0.0, work, add).expect("saved");
    assert_eq!((range.to_bits(), threads.to_bits()), (plain.to_bits(), plain.to_bits()));
    #[cfg(feature = "rayon")]
    assert_eq!(third.settings("sum/1").par_fold(0..5000, 0.0, work, add).expect("saved").to_bits(), plain.to_bits());
    drop(third);

    // What one loop has begun another goes on with.
    let dir = Dir::new();
    let begun = Cell::new(0);
    let stop = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        dir.settings("sum/1").every_steps(1).range(0..5000, 0.0, |total: &mut f64, item| {
            assert!(item < 20, "stopped for the test");
            begun.set(begun.get() + 1);
            *total += work(item);
        })
    }));
    assert!(stop.is_err() && begun.get() == 20);
    let count = AtomicU64::new(0);
    let counted = |item| {
        count.fetch_add(1, Ordering::SeqCst);
        work(item)
    };
    let there = dir.settings("sum/1").threads(0..5000, 3, 0.0, counted, add).expect("saved");
    assert_eq!((there.to_bits(), count.into_inner()), (plain.to_bits(), 4980));
}

pub(crate) fn a_panic_ends_all_threads_and_saves_nothing_half_done() {
    let run = |dir: &Dir, work_panics: bool, merge_panics: bool| {
        let work = move |item: u64| {
            assert!(!work_panics || item != 50, "stopped for the test");
            item
        };
        let merge = move |pair: &mut (u64, u64), item: u64| {
            pair.0 += item;
            assert!(!merge_panics || item != 50, "stopped for the test");
            pair.1 += item;
        };
        let settings = dir.settings("pair/1").every_steps(1);
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| settings.threads(0..100, 4, (0, 0), work, merge)))
    };
    for (work_panics, merge_panics) in [(true, false), (false, true)] {
        let dir = Dir::new();
        assert!(run(&dir, work_panics, merge_panics).is_err());
        let end = run(&dir, false, false).expect("no panic").expect("saved");
        assert_eq!(end, (4950, 4950));
    }
}
