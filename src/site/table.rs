//! The settings as a table for people.

use std::fmt::Display;

use super::{Origin, Profile, Set};
use crate::dag::SCRIPTS;
use crate::plan::{AccessPoint, ContainerMode, ReduceOn};

/// One setting, as it applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// The key, with its table.
    pub key: &'static str,
    /// The value.
    pub value: String,
    /// Where it comes from; `None` for what is built in.
    pub origin: Option<&'a Origin>,
}

/// Every setting, in the order in which profiles are written; one row for each line of a list.
#[must_use]
pub fn rows(profile: &Profile) -> Vec<Row<'_>> {
    let time = |set: &Set<std::time::Duration>| humantime::format_duration(set.value).to_string();
    let mut rows = vec![
        row("name", &profile.name, "none"),
        Row {
            key: "target",
            value: profile
                .target
                .as_ref()
                .map_or_else(|| humantime::format_duration(Profile::TARGET).to_string(), time),
            origin: profile.target.as_ref().map(|set| &set.origin),
        },
        row("shared-filesystem", &profile.shared_filesystem, false),
        row("max-transfer", &profile.max_transfer, Profile::MAX_TRANSFER),
        row("retries", &profile.retries, Profile::RETRIES),
        row("memory", &profile.memory, Profile::MEMORY),
        row("disk", &profile.disk, format!("{} and what each job is sent", Profile::DISK)),
    ];
    for (key, lines) in [("submit", &profile.submit), ("requirements", &profile.requirements)] {
        if lines.is_empty() {
            rows.push(Row { key, value: "none".to_owned(), origin: None });
        }
        rows.extend(lines.iter().map(|line| Row { key, value: line.value.clone(), origin: Some(&line.origin) }));
    }
    for (key, set, own) in
        [("gpus", &profile.gpus, &Profile::GPUS[..]), ("containers", &profile.containers, &Profile::CONTAINERS)]
    {
        match set {
            Some(set) => {
                rows.extend(set.value.iter().map(|line| Row { key, value: line.clone(), origin: Some(&set.origin) }))
            }
            None => rows.extend(own.iter().map(|line| Row { key, value: (*line).to_owned(), origin: None })),
        }
    }
    rows.extend([
        row("container-mode", &profile.container_mode, ContainerMode::Universe),
        row("reduce", &profile.reduce, ReduceOn::AccessPoint),
        row("throttles.max-idle", &profile.max_idle, "as the pool has it (HTCondor: 1000)"),
        row("throttles.max-jobs", &profile.max_jobs, "as the pool has it (HTCondor: no limit)"),
        row("throttles.max-submits", &profile.max_submits, "as the pool has it (HTCondor: 100)"),
        row("throttles.max-scripts", &profile.max_scripts, format!("{SCRIPTS}, or as few as the pool allows")),
        row("access-point.threads", &profile.threads, AccessPoint::THREADS),
        row("access-point.niceness", &profile.niceness, AccessPoint::NICENESS),
        row("access-point.probe", &profile.probe, true),
    ]);
    rows
}

fn row<'a, T: Display>(key: &'static str, set: &'a Option<Set<T>>, built_in: impl Display) -> Row<'a> {
    let value = set.as_ref().map_or_else(|| built_in.to_string(), |set| set.value.to_string());
    Row { key, value, origin: set.as_ref().map(|set| &set.origin) }
}
