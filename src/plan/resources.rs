//! What each job asks the pool for.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What each job asks the pool for, and how the pool is to treat it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// Cores.
    pub cpus: u32,
    /// Memory.
    pub memory: Size,
    /// Up to so much memory is asked for, twice as much each time, by a job that was put on hold for its memory.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub memory_max: Option<Size>,
    /// Scratch space, also for what is sent.
    pub disk: Size,
    /// How often a failed chunk is tried again.
    pub retries: u32,
    /// So many chunks that fail the same way, and no result, stop the DAG; 0 for never. Where nobody says, ten.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub halt: Option<u64>,
    /// For so long, in seconds, a job may be on hold; where nobody says, for an hour.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub held_for: Option<u64>,
    /// GPUs.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub gpus: u32,
    /// How the submit file asks for them.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub gpu_lines: Vec<String>,
    /// A container image, as HTCondor's `container_image` takes it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub container: Option<String>,
    /// Who starts the container.
    #[serde(skip_serializing_if = "ContainerMode::is_universe", default)]
    pub container_mode: ContainerMode,
    /// How the submit file asks for it, where that is not in HTCondor's own way.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub container_lines: Vec<String>,
    /// Whether jobs see the plan's folder and the user's files, so that nothing is transferred.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub shared_filesystem: bool,
    /// Conditions on execute points, all of which have to hold, beside the site's.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub requirements: Vec<String>,
    /// More submit commands, as given.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub submit: Vec<String>,
}

/// So many seconds a job may be on hold where nobody says.
const HELD_FOR: u64 = 3600;

impl Resources {
    /// For so long, in seconds, a job may be on hold.
    #[must_use]
    pub fn held_for(&self) -> u64 {
        self.held_for.unwrap_or(HELD_FOR)
    }
}

/// Who starts a job's container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContainerMode {
    /// HTCondor, in its container universe.
    #[default]
    Universe,
    /// The runner, by `apptainer exec`.
    Apptainer,
}

impl ContainerMode {
    fn is_universe(&self) -> bool {
        *self == Self::Universe
    }
}

impl std::fmt::Display for ContainerMode {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Universe => "universe",
            Self::Apptainer => "apptainer",
        })
    }
}

impl std::str::FromStr for ContainerMode {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "universe" => Ok(Self::Universe),
            "apptainer" => Ok(Self::Apptainer),
            _ => Err("there are universe and apptainer"),
        }
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// An amount of memory or disk with its unit, as HTCondor reads it: K, M, G and T are powers of 1024 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    amount: u32,
    unit: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    K,
    M,
    G,
    T,
}

/// Why a text is no size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// Digits alone: HTCondor takes them as MiB for memory and as KiB for disk.
    #[error("`{0}` has no unit: write {0}MB or {0}GB")]
    NoUnit(String),
    /// Something else.
    #[error("`{0}` is no size: write it as 512MB, 2GB or 1TB")]
    Odd(String),
}

impl Size {
    /// So many GiB.
    #[must_use]
    pub const fn gibibytes(amount: u32) -> Self {
        Self { amount, unit: Unit::G }
    }

    /// So many MiB, or as many as can be written; in GiB where these are whole.
    #[must_use]
    pub fn of_mebibytes(amount: u64) -> Self {
        match amount {
            0 => Self { amount: 1, unit: Unit::M },
            amount if amount.is_multiple_of(1 << 10) => {
                Self { amount: u32::try_from(amount >> 10).unwrap_or(u32::MAX), unit: Unit::G }
            }
            amount => Self { amount: u32::try_from(amount).unwrap_or(u32::MAX), unit: Unit::M },
        }
    }

    /// How many bytes it is, or as many as can be counted.
    #[must_use]
    pub fn bytes(self) -> u64 {
        // At most 2^62 times 2^10.
        self.kibibytes().saturating_mul(1 << 10)
    }

    /// How many KiB it is.
    #[must_use]
    pub fn kibibytes(self) -> u64 {
        let power = match self.unit {
            Unit::K => 0,
            Unit::M => 1,
            Unit::G => 2,
            Unit::T => 3,
        };
        // At most 2^32 times 2^30.
        u64::from(self.amount) << (10 * power)
    }

    /// How many MiB it is, rounded up.
    #[must_use]
    pub fn mebibytes(self) -> u64 {
        self.kibibytes().div_ceil(1 << 10)
    }

    /// So many TiB.
    #[must_use]
    pub const fn tebibytes(amount: u32) -> Self {
        Self { amount, unit: Unit::T }
    }
}

impl std::str::FromStr for Size {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let odd = || SizeError::Odd(text.to_owned());
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let amount = text[..digits].parse().ok().filter(|&amount: &u32| amount > 0).ok_or_else(odd)?;
        let unit = match text[digits..].trim_start().to_ascii_uppercase().as_str() {
            "" => return Err(SizeError::NoUnit(text.to_owned())),
            "K" | "KB" | "KIB" => Unit::K,
            "M" | "MB" | "MIB" => Unit::M,
            "G" | "GB" | "GIB" => Unit::G,
            "T" | "TB" | "TIB" => Unit::T,
            _ => return Err(odd()),
        };
        Ok(Self { amount, unit })
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}{:?}B", self.amount, self.unit)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        let check = |text: &str, shown: &str| assert_eq!(text.parse::<Size>().expect(text).to_string(), shown);
        check("512MB", "512MB");
        check("2 GiB", "2GB");
        check("1t", "1TB");
        check("100k", "100KB");
        let wrong = |text: &str, message: &str| {
            assert_eq!(text.parse::<Size>().expect_err(text).to_string(), message);
        };
        let bytes = |text: &str| text.parse::<Size>().expect(text).bytes();
        assert_eq!(["3KB", "3MB", "3GB", "3TB"].map(bytes), [3 << 10, 3 << 20, 3 << 30, 3 << 40]);
        assert_eq!(bytes("4294967295TB"), u64::MAX);
        let mebibytes = |text: &str| text.parse::<Size>().expect(text).mebibytes();
        let most = mebibytes("4294967295TB");
        assert_eq!(
            (mebibytes("1KB"), mebibytes("1025KB"), mebibytes("3GB"), most),
            (1, 2, 3072, 4_503_599_626_321_920)
        );
        wrong("2048", "`2048` has no unit: write 2048MB or 2048GB");
        wrong("0GB", "`0GB` is no size: write it as 512MB, 2GB or 1TB");
        wrong("-1GB", "`-1GB` is no size: write it as 512MB, 2GB or 1TB");
        wrong("1.5GB", "`1.5GB` is no size: write it as 512MB, 2GB or 1TB");
        wrong("lots", "`lots` is no size: write it as 512MB, 2GB or 1TB");
    }
}
