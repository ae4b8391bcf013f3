//! How long attempts last before they are interrupted, as it was seen.

use super::Chance;

/// Where fewer attempts than this lasted so long, too little was seen.
const ENOUGH: usize = 10;

/// The distribution of times to an interruption, from attempts some of which ended before any came (Kaplan and Meier, "Nonparametric
/// estimation from incomplete observations", Journal of the American Statistical Association 53, 1958). Beyond the time up to which
/// ten attempts have lasted, interruptions come at the mean rate of all.
#[derive(Clone, Debug, PartialEq)]
pub struct Survival {
    /// Times of interruptions in seconds, ascending, and the share of attempts that last longer, descending.
    steps: Vec<(f64, f64)>,
    /// Up to here enough attempts have lasted.
    seen: f64,
    /// Seconds at work per interruption.
    between: f64,
}

impl Survival {
    /// From attempts: how many seconds each lasted, and whether it was interrupted then. `None` where none was, or nothing took any time.
    #[must_use]
    pub fn new(attempts: &[(f64, bool)]) -> Option<Self> {
        Self::estimate(attempts, ENOUGH)
    }

    /// Where `enough` attempts are as many as are looked at.
    fn estimate(attempts: &[(f64, bool)], enough: usize) -> Option<Self> {
        let mut attempts: Vec<_> =
            attempts.iter().copied().filter(|(time, _)| time.is_finite() && *time >= 0.0).collect();
        // At the same time, what was interrupted comes first: the others were still at risk.
        attempts.sort_unstable_by(|(a, first), (b, second)| a.total_cmp(b).then(second.cmp(first)));
        let interruptions = attempts.iter().filter(|(_, interrupted)| *interrupted).count();
        let total: f64 = attempts.iter().map(|(time, _)| time).sum();
        if interruptions == 0 || total <= 0.0 {
            return None;
        }
        let (mut steps, mut lasting): (Vec<(f64, f64)>, f64) = (Vec::with_capacity(interruptions), 1.0);
        let mut seen = 0.0;
        for (before, (time, interrupted)) in attempts.iter().enumerate() {
            let at_risk = attempts.len() - before;
            if at_risk < enough {
                break;
            }
            seen = *time;
            if *interrupted {
                lasting *= 1.0 - 1.0 / at_risk as f64;
                steps.push((*time, lasting));
            }
        }
        Some(Self { steps, seen, between: total / interruptions as f64 })
    }

    /// Seconds at work per interruption.
    #[must_use]
    pub fn between(&self) -> f64 {
        self.between
    }

    /// A time to an interruption.
    pub(super) fn draw(&self, chance: &mut Chance) -> f64 {
        let lasting = chance.unit();
        let step = self.steps.partition_point(|(_, share)| *share >= lasting);
        match self.steps.get(step) {
            Some((time, _)) => *time,
            None => self.seen + chance.exponential(self.between),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The share of draws that are longer than `time`.
    fn share(survival: &Survival, time: f64) -> f64 {
        let mut chance = Chance::new(5);
        let draws = 20_000;
        (0..draws).filter(|_| survival.draw(&mut chance) > time).count() as f64 / f64::from(draws)
    }

    #[test]
    fn the_classic_estimate() {
        // Of Kaplan and Meier's paper, section 2: deaths at 0.8, 3.1, 5.4 and 9.2 months, losses at 1.0, 2.7, 7.0 and 12.1.
        let found = [
            (0.8, true),
            (1.0, false),
            (2.7, false),
            (3.1, true),
            (5.4, true),
            (7.0, false),
            (9.2, true),
            (12.1, false),
        ];
        let survival = Survival::estimate(&found, 1).expect("some");
        let expected = [(0.8, 7.0 / 8.0), (3.1, 0.7), (5.4, 0.525), (9.2, 0.2625)];
        for ((time, share), (at, right)) in survival.steps.iter().zip(expected) {
            assert!(*time == at && (share - right).abs() < 1e-12, "{time}: {share}");
        }
        for (at, right) in expected {
            assert!((share(&survival, at) - right).abs() < 0.02);
        }
    }

    #[test]
    fn a_steady_rate_is_found_again() {
        let mut chance = Chance::new(1);
        // Attempts of up to a minute, where an interruption comes every 50 s.
        let attempts = (0..20_000).map(|_| (chance.exponential(50.0), chance.unit() * 60.0));
        let attempts: Vec<_> =
            attempts.map(|(interrupted, whole)| (whole.min(interrupted), interrupted < whole)).collect();
        let survival = Survival::new(&attempts).expect("some");
        assert!((survival.between() / 50.0 - 1.0).abs() < 0.03, "{}", survival.between());
        for time in [5.0, 20.0, 50.0, 100.0] {
            assert!((share(&survival, time) - (-time / 50.0f64).exp()).abs() < 0.02, "{time}");
        }
    }

    #[test]
    fn a_single_interruption_is_a_rate_and_no_certainty() {
        // The longest attempt is the one that was interrupted: that does not mean that all others would have been.
        let survival = Survival::new(&[(100.0, false), (100.0, false), (140.0, true)]).expect("some");
        assert!((share(&survival, 340.0) - (-1.0f64).exp()).abs() < 0.02);
    }

    #[test]
    fn without_interruptions_there_is_none() {
        assert_eq!(Survival::new(&[]), None);
        assert_eq!(Survival::new(&[(5.0, false)]), None);
        assert_eq!(Survival::new(&[(0.0, true)]), None);
    }

    proptest! {
        #[test]
        fn draws_are_times(attempts in prop::collection::vec((0.0f64..1e6, any::<bool>()), 0..50), seed: u64) {
            if let Some(survival) = Survival::new(&attempts) {
                let mut chance = Chance::new(seed);
                for _ in 0..20 {
                    let time = survival.draw(&mut chance);
                    prop_assert!(time.is_finite() && time >= 0.0);
                }
            }
        }
    }
}
