//! Seeds for random numbers: a number for each item, the same whatever the cut.

/// SplitMix64's increment: 2^64 divided by the golden ratio, to the next odd number.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// 64 bits for an item, of the plan's seed: output number `item` (from 0) of the generator SplitMix64 whose state starts
/// at the plan's seed (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014; Java's
/// `SplittableRandom`, and what xoshiro is seeded with). Different items of one plan have different seeds.
/// For items from 2^64 on the state starts elsewhere.
#[must_use]
pub fn seed(plan: u64, item: u128) -> u64 {
    let (high, low) = ((item >> 64) as u64, item as u64);
    let start = if high == 0 { plan } else { plan ^ mix(high) };
    mix(start.wrapping_add(low.wrapping_add(1).wrapping_mul(GAMMA)))
}

/// The upper 31 bits of [`seed`], 0 to 2147483647: for R's `set.seed`, MATLAB's `rng` and NumPy's `RandomState`, which take
/// no more. Among n items about n^2 / 2^32 pairs share one.
#[must_use]
pub fn seed31(plan: u64, item: u128) -> u32 {
    (seed(plan, item) >> 33) as u32
}

/// The output function, David Stafford's variant 13 of MurmurHash3's finalizer: a bijection.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_generator() {
        // The first outputs of SplitMix64 from the states 0 and 1234567, as its reference implementation gives them.
        let first = |plan| [seed(plan, 0), seed(plan, 1), seed(plan, 2)];
        assert_eq!(first(0), [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]);
        assert_eq!(first(1_234_567), [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn seeds_of_31_bits_fit_and_large_items_have_seeds_of_their_own() {
        assert!((0..1000).all(|item| seed31(7, item) <= i32::MAX as u32));
        assert_ne!(seed(0, 0), seed(0, 1 << 64));
        assert_ne!(seed(0, 1 << 64), seed(0, 1 << 65));
    }
}
