//! Random numbers for simulations: the same for the same seed, on every machine.

use crate::space;

/// Draws from SplitMix64 (see [`space::seed`]).
#[derive(Clone, Debug)]
pub struct Chance {
    seed: u64,
    drawn: u128,
}

impl Chance {
    /// The numbers that belong to `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, drawn: 0 }
    }

    /// Evenly from above 0 up to and including 1, in steps of 2^-53.
    pub fn unit(&mut self) -> f64 {
        let bits = space::seed(self.seed, self.drawn);
        self.drawn += 1;
        ((bits >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// From the exponential distribution with this mean: the time to the next event of a steady rate.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * self.unit().ln()
    }

    /// From the standard normal distribution (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// A place in a list of `length` (at least 1), each as likely as any other.
    pub fn place(&mut self, length: usize) -> usize {
        (((1.0 - self.unit()) * length as f64) as usize).min(length - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_have_the_moments_that_they_should() {
        let mut chance = Chance::new(1);
        let draws = 200_000;
        let mean = |draw: &mut dyn FnMut() -> f64| (0..draws).map(|_| draw()).sum::<f64>() / f64::from(draws);
        assert!((mean(&mut || chance.unit()) - 0.5).abs() < 0.003);
        let mut chance = Chance::new(2);
        assert!((mean(&mut || chance.exponential(40.0)) - 40.0).abs() < 0.4);
        let mut chance = Chance::new(3);
        assert!(mean(&mut || chance.normal()).abs() < 0.01);
        let mut chance = Chance::new(4);
        assert!((mean(&mut || chance.normal().powi(2)) - 1.0).abs() < 0.02);
        assert!((0..1000).all(|_| chance.place(3) < 3));
    }
}
