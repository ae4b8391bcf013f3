//! Random numbers for each item: one generator for all would have to be part of the state.

/// 64 random bits for an item of the loop `key`, the same whenever it is computed: a seed for the item's own random numbers. Output number
/// `item`, from 0, of SplitMix64 whose state starts at the CRC-32 of the key, twice one behind the other; the same as `seed(key, item)` of the library
/// for Python.
///
/// ```
/// # use split::checkpoint::seed;
/// assert_ne!(seed("ising/seed=7", 0), seed("ising/seed=7", 1));
/// ```
#[must_use]
pub fn seed(key: &str, item: u64) -> u64 {
    let start = u64::from(crc32fast::hash(key.as_bytes())) * 0x1_0000_0001;
    let bits = start.wrapping_add(item.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_those_of_a_plan() {
        let start = u64::from(crc32fast::hash(b"sum/1"));
        for item in [0, 1, 7, u64::MAX] {
            assert_eq!(seed("sum/1", item), crate::space::seed(start << 32 | start, item.into()));
        }
    }
}
