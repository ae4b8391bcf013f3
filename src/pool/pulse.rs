//! How many jobs run side by side, while others wait for a machine.

/// A running average over time, of the recent past most of all.
///
/// Time in which no job waits does not count: then fewer and fewer run because nothing is left, and that says nothing
/// of the machines that there are.
#[derive(Clone, Debug, Default)]
pub(super) struct Pulse {
    pub(super) running: u64,
    pub(super) idle: u64,
    last: Option<i64>,
    weight: f64,
    sum: f64,
}

impl Pulse {
    /// Moves on to `now`; what lies `memory` seconds back weighs a third.
    pub(super) fn advance(&mut self, now: i64, memory: f64) {
        let since = self.last.replace(now).map_or(0, |last| now.saturating_sub(last).max(0));
        if self.idle == 0 || since == 0 {
            return;
        }
        let kept = (-(since as f64) / memory.max(1.0)).exp();
        self.weight = self.weight * kept + (1.0 - kept);
        self.sum = self.sum * kept + (1.0 - kept) * self.running as f64;
    }

    /// How many ran side by side; `None` where that is not known yet.
    pub(super) fn average(&self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recent_past_counts_and_the_end_does_not() {
        let mut pulse = Pulse::default();
        assert_eq!(pulse.average(), None);
        pulse.advance(0, 60.0);
        (pulse.running, pulse.idle) = (10, 50);
        pulse.advance(100, 60.0);
        assert_eq!(pulse.average(), Some(10.0));
        pulse.running = 20;
        pulse.advance(130, 60.0);
        let half_way = pulse.average().expect("known");
        assert!((11.0..19.0).contains(&half_way), "{half_way}");
        pulse.advance(1000, 60.0);
        assert!(pulse.average().expect("known") > 19.9);
        (pulse.running, pulse.idle) = (1, 0);
        pulse.advance(5000, 60.0);
        assert!(pulse.average().expect("known") > 19.9);
        // A clock that is set back.
        pulse.idle = 5;
        pulse.advance(4000, 60.0);
        assert!(pulse.average().expect("known") > 19.9);
    }
}
