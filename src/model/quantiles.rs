//! The spread of what was simulated.

/// Sorted values of which quantiles are asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantiles {
    sorted: Vec<f64>,
}

impl Quantiles {
    /// Of these values, none of them NaN.
    #[must_use]
    pub fn new(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self { sorted: values }
    }

    /// The value below which a share `share` (0 to 1) of them lies, between neighbours in a straight line (type 7 of
    /// Hyndman and Fan 1996: the default of NumPy and R); NaN of no values.
    #[must_use]
    pub fn at(&self, share: f64) -> f64 {
        let Some(last) = self.sorted.len().checked_sub(1) else { return f64::NAN };
        let place = share.clamp(0.0, 1.0) * last as f64;
        let (below, above) = (place.floor() as usize, place.ceil() as usize);
        self.sorted[below] + (self.sorted[above] - self.sorted[below]) * (place - place.floor())
    }

    /// The mean of them.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.sorted.iter().sum::<f64>() / self.sorted.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_numpy() {
        let quantiles = Quantiles::new(vec![3.0, 1.0, 2.0, 10.0]);
        // numpy.quantile([1, 2, 3, 10], [0, 0.1, 0.5, 0.9, 1])
        let expected = [1.0, 1.3, 2.5, 7.9, 10.0];
        for (share, expected) in [0.0, 0.1, 0.5, 0.9, 1.0].into_iter().zip(expected) {
            assert!((quantiles.at(share) - expected).abs() < 1e-12, "{share}");
        }
        assert_eq!(quantiles.mean(), 4.0);
        assert!(Quantiles::new(Vec::new()).at(0.5).is_nan());
    }
}
