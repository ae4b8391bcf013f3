//! Versions of the code, and whether what they computed may be merged.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cause, Gathered, Kind};
use crate::plan::Identity;
use crate::space::Interval;

/// Of more versions than these none is looked for that the others could have mended.
const MOST_VERSIONS: usize = 16;

/// What the versions of the code that computed something have to do with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mixture {
    /// There is one at most.
    One,
    /// The others computed only what a version before them had failed on: the program was mended.
    Mended,
    /// Something that one version computed, another would have computed otherwise for all that is known.
    Mixed,
}

impl Gathered {
    /// The items of each record that counts, and the code that computed it; those of records that were merged on the way
    /// together.
    pub fn versions(&self) -> impl Iterator<Item = (Interval, Identity)> + Clone {
        let chosen = self.tiling.chosen.iter().map(|&at| &self.results[at].record.header);
        let groups = self.groups.iter().map(|group| (group.items, group.code));
        chosen.map(|header| (header.items, header.code)).chain(groups)
    }

    /// The items on which a version of the code failed by its own fault.
    pub fn failed_versions(&self) -> impl Iterator<Item = (Interval, Identity)> {
        let headers = self.failures.iter().map(|found| &found.record.header);
        let broken = headers.filter(|header| matches!(&header.kind, Kind::Failure(cause) if is_broken(cause)));
        broken.map(|header| (header.items, header.code))
    }
}

/// Whether a cause is the program's own fault, which a new version may have mended. What kept it from starting, or
/// killed it from outside for its memory or its time, would have done so to any version.
fn is_broken(cause: &Cause) -> bool {
    /// SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGSEGV: signal(7).
    const CRASHES: [i32; 5] = [4, 6, 7, 8, 11];
    match cause {
        Cause::ExitCode(_) | Cause::NoResult | Cause::BadResult { .. } | Cause::Missing(_) => true,
        Cause::Signal(signal) => CRASHES.contains(signal),
        Cause::NotStarted(_) | Cause::Setup(_) | Cause::TimedOut(_) | Cause::OverBudget(_) => false,
        Cause::OutOfMemory(_) | Cause::OutOfDisk(_) | Cause::Machine(_) => false,
    }
}

/// Judges `results` by the items that each version computed, and those on which it failed. Depends on neither's order.
#[must_use]
pub fn mixture(
    results: impl Iterator<Item = (Interval, Identity)> + Clone,
    failures: impl Iterator<Item = (Interval, Identity)>,
) -> Mixture {
    let mut others = results.clone().map(|(_, code)| code);
    let Some(first) = others.next() else { return Mixture::One };
    if others.all(|code| code == first) {
        return Mixture::One;
    }
    let versions: BTreeSet<Identity> = results.clone().map(|(_, code)| code).collect();
    if versions.len() > MOST_VERSIONS {
        return Mixture::Mixed;
    }
    let failed = Failed::new(failures);
    let mended = |kept: &Identity| results.clone().all(|(items, code)| code == *kept || failed.before(items, code));
    if versions.iter().any(mended) { Mixture::Mended } else { Mixture::Mixed }
}

/// What each version failed on: intervals in order and apart.
struct Failed(BTreeMap<Identity, Vec<Interval>>);

impl Failed {
    fn new(failures: impl Iterator<Item = (Interval, Identity)>) -> Self {
        let mut by_code: BTreeMap<Identity, Vec<Interval>> = BTreeMap::new();
        for (items, code) in failures {
            by_code.entry(code).or_default().push(items);
        }
        for list in by_code.values_mut() {
            list.sort_unstable();
            let mut apart: Vec<Interval> = Vec::new();
            for &items in list.iter() {
                match apart.last_mut() {
                    Some(last) if items.start() <= last.stop() => {
                        let stop = last.stop().max(items.stop());
                        *last = Interval::new(last.start(), stop).expect("it has grown");
                    }
                    _ => apart.push(items),
                }
            }
            *list = apart;
        }
        Self(by_code)
    }

    /// Whether a version other than `code` failed on some of `items`.
    fn before(&self, items: Interval, code: Identity) -> bool {
        self.0.iter().filter(|(failed, _)| **failed != code).any(|(_, list)| {
            let next = list.partition_point(|failed| failed.stop() <= items.start());
            list.get(next).is_some_and(|failed| failed.start() < items.stop())
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn claim(start: u128, stop: u128, code: u8) -> (Interval, Identity) {
        (Interval::new(start, stop).expect("not empty"), Identity::of_bytes(&[code]))
    }

    fn judge(results: &[(Interval, Identity)], failures: &[(Interval, Identity)]) -> Mixture {
        mixture(results.iter().copied(), failures.iter().copied())
    }

    #[test]
    fn a_kill_from_outside_mends_nothing() {
        let missing = Cause::Missing("out.dat".to_owned());
        assert!([Cause::ExitCode(1), Cause::NoResult, missing, Cause::Signal(11)].iter().all(is_broken));
        let others =
            [Cause::Signal(9), Cause::Signal(15), Cause::Setup(String::new()), Cause::NotStarted(String::new())];
        assert!(!others.iter().any(is_broken));
    }

    #[test]
    fn one_version_is_no_mixture() {
        assert_eq!(judge(&[], &[]), Mixture::One);
        assert_eq!(judge(&[claim(0, 5, 1), claim(5, 9, 1)], &[claim(5, 9, 2)]), Mixture::One);
    }

    #[test]
    fn what_failed_before_was_mended_and_the_rest_is_mixed() {
        let results = [claim(0, 5, 1), claim(5, 9, 2), claim(9, 12, 1)];
        assert_eq!(judge(&results, &[]), Mixture::Mixed);
        assert_eq!(judge(&results, &[claim(5, 9, 1)]), Mixture::Mended);
        assert_eq!(judge(&results, &[claim(5, 9, 2)]), Mixture::Mixed, "the version's own failure explains nothing");
        assert_eq!(judge(&results, &[claim(4, 5, 1)]), Mixture::Mixed);
        // Most had failed.
        let most = [claim(0, 1, 1), claim(1, 50, 2), claim(50, 90, 2)];
        assert_eq!(judge(&most, &[claim(1, 50, 1), claim(50, 90, 1)]), Mixture::Mended);
        // Mended twice.
        let twice = [claim(0, 5, 1), claim(5, 6, 2), claim(6, 7, 3)];
        assert_eq!(judge(&twice, &[claim(5, 6, 1), claim(6, 7, 1), claim(6, 7, 2)]), Mixture::Mended);
    }

    proptest! {
        #[test]
        fn order_does_not_matter_and_more_failures_mix_nothing(
            codes in prop::collection::vec(0u8..3, 1..12),
            failed in prop::collection::vec((0u128..24, 1u128..4, 0u8..3), 0..12),
            cut in 0usize..12,
        ) {
            let results: Vec<_> = (0..).zip(&codes).map(|(at, &code)| claim(2 * at, 2 * at + 2, code)).collect();
            let failures: Vec<_> = failed.iter().map(|&(at, length, code)| claim(at, at + length, code)).collect();
            let all = judge(&results, &failures);
            let turned: Vec<_> = results.iter().rev().copied().collect();
            let shuffled: Vec<_> = failures.iter().rev().copied().collect();
            prop_assert_eq!(judge(&turned, &shuffled), all);
            if judge(&results, &failures[..cut.min(failures.len())]) == Mixture::Mended {
                prop_assert_eq!(all, Mixture::Mended);
            }
            prop_assert_eq!(all == Mixture::One, codes.iter().all(|code| *code == codes[0]));
        }
    }
}
