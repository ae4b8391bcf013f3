//! What a site asks of every plan, as its profile was when the plan was made.

use serde::{Deserialize, Serialize};

/// What a site asks of every plan. What it says of a job's resources is in the plan's resources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteRules {
    /// Lines that every submit file needs.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub submit: Vec<String>,
    /// Conditions on execute points, all of which have to hold.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub requirements: Vec<String>,
    /// Where results are merged.
    #[serde(skip_serializing_if = "ReduceOn::is_access_point", default)]
    pub reduce_on: ReduceOn,
    /// How fast DAGMan may go.
    #[serde(skip_serializing_if = "Throttles::is_empty", default)]
    pub throttles: Throttles,
    /// How what runs on the access point behaves there.
    #[serde(skip_serializing_if = "AccessPoint::is_empty", default)]
    pub access_point: AccessPoint,
}

/// Where results are merged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReduceOn {
    /// On the access point, beside the files.
    #[default]
    AccessPoint,
    /// In a job like the others.
    Job,
}

/// How fast DAGMan may go. What is not set is as the pool has it. 0 is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Throttles {
    /// Jobs that wait for a machine.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub max_idle: Option<u32>,
    /// Jobs in the queue.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub max_jobs: Option<u32>,
    /// Jobs that are submitted at a time, every few seconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub max_submits: Option<u32>,
    /// Scripts that run side by side on the access point.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub max_scripts: Option<u32>,
}

/// How what runs on the access point behaves there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessPoint {
    /// Threads, or programs side by side.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub threads: Option<u16>,
    /// How much others come first: 0 to 19, as nice(1) has it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub niceness: Option<u8>,
}

impl SiteRules {
    /// Whether no site asked for anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl ReduceOn {
    fn is_access_point(&self) -> bool {
        *self == Self::AccessPoint
    }
}

impl std::fmt::Display for ReduceOn {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::AccessPoint => "access-point",
            Self::Job => "job",
        })
    }
}

impl std::str::FromStr for ReduceOn {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "access-point" => Ok(Self::AccessPoint),
            "job" => Ok(Self::Job),
            _ => Err("there are access-point and job"),
        }
    }
}

impl Throttles {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl AccessPoint {
    /// Threads where nobody says how many.
    pub const THREADS: u16 = 2;
    /// The niceness where nobody says how much.
    pub const NICENESS: u8 = 10;

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
