//! How often to save.

/// How long to compute between two saves, in seconds, where a save takes `cost` seconds and an interruption, which
/// loses what was computed since the last save, comes every `interruption` seconds on the average.
///
/// Young's first order (1974) with Daly's higher terms: J. T. Daly, "A higher order estimate of the optimum checkpoint interval for
/// restart dumps", Future Generation Computer Systems 22 (2006), equation 37. The optimum is flat: twice or
/// half as long costs a few percent of the overhead and hardly any of the run.
#[must_use]
pub fn interval(cost: f64, interruption: f64) -> f64 {
    if cost >= 2.0 * interruption {
        return interruption;
    }
    let share = cost / (2.0 * interruption);
    (2.0 * cost * interruption).sqrt() * (1.0 + share.sqrt() / 3.0 + share / 9.0) - cost
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many runs stand behind each mean.
    const RUNS: u32 = 10_000;

    /// SplitMix64: fixed numbers, without a crate.
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        }

        /// The time to the next interruption.
        fn exponential(&mut self, mean: f64) -> f64 {
            let uniform = (self.next() >> 11) as f64 / (1u64 << 53) as f64;
            -mean * (1.0 - uniform).ln()
        }
    }

    /// How much longer than its work a run takes that saves every `every` seconds: the mean of [`RUNS`] runs.
    fn slowdown(cost: f64, interruption: f64, every: f64) -> f64 {
        let work = 5.0 * interruption;
        let mut random = Random(1);
        let mut clock = 0.0;
        for _ in 0..RUNS {
            let mut done = 0.0;
            let mut left = random.exponential(interruption);
            while done < work {
                let (segment, save) = if work - done > every { (every, cost) } else { (work - done, 0.0) };
                match left >= segment + save {
                    true => {
                        done += segment;
                        clock += segment + save;
                        left -= segment + save;
                    }
                    false => {
                        clock += left;
                        left = random.exponential(interruption);
                    }
                }
            }
        }
        clock / (f64::from(RUNS) * work)
    }

    #[test]
    fn no_other_interval_is_three_percent_better() {
        // From an interruption each second to one each hour, from saves that cost nearly nothing to half of the time.
        for (cost, interruption) in
            [(0.002, 1.0), (0.5, 1.0), (1.0, 60.0), (0.05, 600.0), (60.0, 3600.0), (600.0, 3600.0)]
        {
            let chosen = interval(cost, interruption);
            let ours = slowdown(cost, interruption, chosen);
            let factors = [0.25, 0.35, 0.5, 0.7, 0.85, 1.0, 1.2, 1.4, 2.0, 2.8, 4.0];
            let slowdowns = factors.map(|factor| slowdown(cost, interruption, factor * chosen));
            let best = slowdowns.into_iter().fold(f64::INFINITY, f64::min);
            assert!(ours <= 1.03 * best, "save {cost} s, interrupted every {interruption} s: {ours} against {best}");
            // The simulation tells good from bad: four times as often or as rarely costs something.
            let [often, .., rarely] = slowdowns;
            assert!((often - 1.0).min(rarely - 1.0) > 1.2 * (ours - 1.0), "{often} {ours} {rarely}");
        }
    }

    #[test]
    fn the_published_figures() {
        for (cost, interruption, expected) in [(0.05, 7200.0, 26.8), (10.0, 14400.0, 530.0), (60.0, 14400.0, 1275.0)] {
            let chosen = interval(cost, interruption);
            assert!((chosen / expected - 1.0).abs() < 0.01, "{chosen} against {expected}");
        }
        assert_eq!(interval(10.0, 3.0), 3.0);
        // A save that costs more is never made more often, and the two branches meet.
        let chosen: Vec<_> = (1..=4000).map(|cost| interval(f64::from(cost), 1000.0)).collect();
        assert!(chosen.windows(2).all(|pair| pair[0] <= pair[1] + 100.0) && chosen.iter().all(|every| *every > 0.0));
    }
}
