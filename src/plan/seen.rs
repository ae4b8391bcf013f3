//! What jobs were seen to use when items were tried, and what is asked for because of it.

use serde::{Deserialize, Serialize};

use super::Size;

/// Items that were tried may not be the largest ones: so many times what was seen is asked for.
const MARGIN: u64 = 2;
/// Memory is asked for in steps of so many MiB, so that two trials that differ by little ask for the same.
const STEP: u64 = 256;

/// The most that any job used of the items that were tried, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// Memory.
    pub memory: u64,
    /// Disk, with what jobs are sent.
    pub disk: u64,
    /// The result of one run of the program.
    #[serde(skip_serializing_if = "is_nothing", default)]
    pub result: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_nothing(bytes: &u64) -> bool {
    *bytes == 0
}

impl Seen {
    /// How much memory is to be asked for: twice what was seen, or `usual` where that is more, and no more than `most`.
    #[must_use]
    pub fn memory_to_ask_for(self, usual: Size, most: Option<Size>) -> Size {
        let steps = self.memory.saturating_mul(MARGIN).div_ceil(STEP << 20);
        let wanted = Size::of_mebibytes(steps.saturating_mul(STEP));
        let wanted = if wanted.bytes() > usual.bytes() { wanted } else { usual };
        most.filter(|most| most.bytes() < wanted.bytes()).unwrap_or(wanted)
    }

    /// How much disk is to be asked for: twice what was seen in whole GiB, or `usual` where that is more.
    #[must_use]
    pub fn disk_to_ask_for(self, usual: Size) -> Size {
        let wanted = Size::of_mebibytes(self.disk.saturating_mul(MARGIN).div_ceil(1 << 30).saturating_mul(1 << 10));
        if wanted.bytes() > usual.bytes() { wanted } else { usual }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn size(text: &str) -> Size {
        text.parse().expect(text)
    }

    #[test]
    fn twice_what_was_seen_is_asked_for() {
        let seen = |memory: u64, disk: u64| Seen { memory: memory << 20, disk: disk << 20, result: 0 };
        let usual = Size::gibibytes(1);
        assert_eq!(seen(100, 10).memory_to_ask_for(usual, None).to_string(), "1GB", "no less than is usual");
        assert_eq!(seen(513, 0).memory_to_ask_for(usual, None).to_string(), "1280MB");
        assert_eq!(seen(1500, 0).memory_to_ask_for(usual, None).to_string(), "3GB");
        assert_eq!(seen(1500, 0).memory_to_ask_for(usual, Some(size("2GB"))).to_string(), "2GB");
        assert_eq!(seen(0, 10).disk_to_ask_for(usual).to_string(), "1GB");
        assert_eq!(seen(0, 600).disk_to_ask_for(usual).to_string(), "2GB");
        assert_eq!(seen(0, 600).disk_to_ask_for(size("5GB")).to_string(), "5GB");
    }

    proptest! {
        #[test]
        fn what_was_seen_fits(memory: u64, disk: u64) {
            let seen = Seen { memory, disk, result: 0 };
            let usual = Size::gibibytes(1);
            prop_assert!(seen.memory_to_ask_for(usual, None).bytes() >= memory.min(1 << 51));
            prop_assert!(seen.disk_to_ask_for(usual).bytes() >= disk.min(1 << 51));
        }
    }
}
