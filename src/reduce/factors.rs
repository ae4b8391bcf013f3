//! Products of very many factors.

use num_bigint::BigUint;
use serde::{Deserialize, Serialize};

use super::saved;

/// A product of whole numbers, kept as partial products of growing size.
///
/// Multiplying factor after factor into one number costs the square of its length. Here, as in a binary counter,
/// two partial products are multiplied when they are of about the same size, so that nearly all the work is done
/// by the fast multiplication of large numbers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(into = "Saved", from = "Saved")]
pub(super) struct Factors {
    /// The latest small factors.
    word: u128,
    /// Partial products; each has at least twice as many bits as the next.
    rungs: Vec<BigUint>,
}

/// The product alone.
#[derive(Serialize, Deserialize)]
struct Saved(#[serde(with = "saved::whole")] BigUint);

impl From<Factors> for Saved {
    fn from(factors: Factors) -> Self {
        Self(factors.product())
    }
}

impl From<Saved> for Factors {
    fn from(Saved(product): Saved) -> Self {
        let mut factors = Self::new();
        factors.multiply(product);
        factors
    }
}

impl Factors {
    /// The product of nothing, 1.
    pub(super) const fn new() -> Self {
        Self { word: 1, rungs: Vec::new() }
    }

    /// Multiplies a small factor in.
    #[inline]
    pub(super) fn multiply_word(&mut self, factor: u128) {
        match self.word.checked_mul(factor) {
            Some(product) => self.word = product,
            None => {
                let full = std::mem::replace(&mut self.word, factor);
                self.multiply(BigUint::from(full));
            }
        }
    }

    /// Multiplies a factor of any size in; it must not be 0.
    pub(super) fn multiply(&mut self, mut factor: BigUint) {
        while let Some(rung) = self.rungs.pop_if(|rung| rung.bits() < 2 * factor.bits()) {
            factor *= rung;
        }
        self.rungs.push(factor);
    }

    /// Multiplies all of `other` in.
    pub(super) fn merge(&mut self, other: Self) {
        self.multiply_word(other.word);
        for rung in other.rungs {
            self.multiply(rung);
        }
    }

    /// The product.
    pub(super) fn product(self) -> BigUint {
        // From the smallest on, for products of like size.
        self.rungs.into_iter().rev().fold(BigUint::from(self.word), |product, rung| product * rung)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_product_of_nothing_is_one() {
        assert_eq!(Factors::new().product(), BigUint::from(1u32));
    }

    #[test]
    fn rungs_halve_in_size() {
        let mut factors = Factors::new();
        for factor in 1..=20_000u128 {
            factors.multiply_word(factor);
            assert!(factors.rungs.windows(2).all(|pair| pair[0].bits() >= 2 * pair[1].bits()));
        }
        assert!(factors.rungs.len() <= 13);
        let expected = (1..=20_000u32).fold(BigUint::from(1u32), |product, factor| product * factor);
        assert_eq!(factors.product(), expected);
    }

    proptest! {
        #[test]
        fn products_do_not_depend_on_the_way(
            parts in proptest::collection::vec(proptest::collection::vec((1u128.., 0u32..128, 0u32..300), 0..20), 0..10),
        ) {
            let mut expected = BigUint::from(1u32);
            let mut total = Factors::new();
            for part in parts {
                let mut factors = Factors::new();
                for (factor, shorter, longer) in part {
                    let factor = (factor >> shorter).max(1);
                    if longer < 150 {
                        factors.multiply_word(factor);
                        expected *= factor;
                    } else {
                        factors.multiply(BigUint::from(factor) << longer);
                        expected *= BigUint::from(factor) << longer;
                    }
                }
                total.merge(factors);
            }
            prop_assert_eq!(total.product(), expected);
        }
    }
}
