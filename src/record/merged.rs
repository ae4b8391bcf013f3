//! Records of results that were merged on the way to the answer: one for a group of chunks, beside the group's folder.
//!
//! Its payload is a line of JSON (a [`MergedHead`]) and, after it, the reducer's state. Such a record only saves reading:
//! it counts as long as the folder holds the partials that it was made of, by name, and no others. A partial's content
//! never changes under its name, so that names are enough.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Gathered, Header, Kind, Partials, Payload, read};
use crate::plan::{Identity, Plan};
use crate::space::Interval;

/// A head longer than this is none.
const LONGEST_HEAD: u64 = 1 << 24;

/// What an answer's provenance counts. Adding up is associative: it does not matter what was added first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// Records that count.
    pub records: u64,
    /// Results that were left out because another covers the same items.
    pub repeated: u64,
    /// How many of the records that count each machine computed.
    pub hosts: BTreeMap<String, u64>,
    /// How long the program ran for them.
    pub nanoseconds: u128,
}

impl Totals {
    /// Adds a record that counts.
    pub fn add_record(&mut self, header: &Header) {
        self.records += 1;
        match self.hosts.get_mut(&*header.host) {
            Some(number) => *number += 1,
            None => drop(self.hosts.insert(header.host.to_string(), 1)),
        }
        // What is no length of time is taken as none.
        self.nanoseconds = self.nanoseconds.saturating_add((header.seconds * 1e9).round() as u128);
    }

    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: &Self) {
        self.records = self.records.saturating_add(other.records);
        self.repeated = self.repeated.saturating_add(other.repeated);
        for (host, number) in &other.hosts {
            let sum = self.hosts.entry(host.clone()).or_default();
            *sum = sum.saturating_add(*number);
        }
        self.nanoseconds = self.nanoseconds.saturating_add(other.nanoseconds);
    }

    /// How long the program ran, in seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.nanoseconds as f64 / 1e9
    }
}

/// What a record of merged results starts with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MergedHead {
    /// See [`made_of`].
    pub made_of: Identity,
    /// What is left to know of the records.
    pub totals: Totals,
}

impl MergedHead {
    /// The payload of a record with this head and the reducer's state.
    #[must_use]
    pub fn payload(&self, state: &[u8]) -> Vec<u8> {
        let mut payload = serde_json::to_vec(self).expect("plain values");
        payload.push(b'\n');
        payload.extend_from_slice(state);
        payload
    }
}

/// The results of a group of chunks, merged.
#[derive(Clone, Debug)]
pub struct MergedGroup {
    /// The items of the group, each covered once.
    pub items: Interval,
    /// The code that computed all of them.
    pub code: Identity,
    /// What is left to know of the records.
    pub totals: Totals,
    path: PathBuf,
    payload: Payload,
}

/// What the merged results of `items` are made of: the plan, its merge, and the partials with these names, which are in order.
/// The version of the program is part of it, since it alone knows how states are written.
#[must_use]
pub fn made_of(plan: &Plan, items: Interval, names: &[OsString]) -> Identity {
    let merge = (env!("CARGO_PKG_VERSION"), plan.identity, &plan.reduce, &plan.by, items.start(), items.stop());
    let mut hasher = blake3::Hasher::new();
    let mut add = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    };
    add(&serde_json::to_vec(&merge).expect("plain values"));
    names.iter().for_each(|name| add(name.as_encoded_bytes()));
    Identity::of(&hasher)
}

/// The name of a record of merged results; `attempt` makes it unlike that of every other one of the group.
#[must_use]
pub fn merged_name(group: u64, attempt: &str) -> String {
    format!("merged-{group:06}.{attempt}.part")
}

/// The group whose merged results a partial of this name holds; `None` for any other partial.
#[must_use]
pub fn merged_group(name: &[u8]) -> Option<u64> {
    let rest = std::str::from_utf8(name).ok()?.strip_prefix("merged-")?;
    rest.split_once('.')?.0.parse().ok()
}

impl MergedGroup {
    /// The record of the group's merged results at `path`, where there is one of this plan that is made of what
    /// `partials` names.
    pub(super) fn load(path: &Path, group: u64, plan: &Plan, partials: &Partials) -> Option<Self> {
        let items = plan.group(group)?;
        let names = partials.of_group(group)?;
        let mut found = read(&mut File::open(path).ok()?, &mut Vec::new()).ok()?;
        let record = found.records.pop().filter(|_| found.records.is_empty() && found.damage.is_none())?;
        let header = record.header;
        if header.kind != Kind::Merged || header.plan != plan.identity || header.items != items {
            return None;
        }
        let mut reader = BufReader::new(record.payload.reader(path).ok()?);
        let head: MergedHead = serde_json::from_slice(&head_line(&mut reader).ok()?).ok()?;
        drop(reader);
        (head.made_of == made_of(plan, items, names)).then(|| Self {
            items,
            code: header.code,
            totals: head.totals,
            path: path.to_owned(),
            payload: record.payload,
        })
    }

    /// The record's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The reducer's state, as it was written.
    ///
    /// # Errors
    /// Where the record cannot be read again, or has changed.
    pub fn state(&self) -> io::Result<Vec<u8>> {
        let mut reader = BufReader::new(self.payload.reader(&self.path)?);
        head_line(&mut reader)?;
        let mut state = Vec::new();
        reader.read_to_end(&mut state)?;
        Ok(state)
    }
}

fn head_line(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    reader.take(LONGEST_HEAD).read_until(b'\n', &mut line)?;
    Ok(line)
}

impl Gathered {
    /// The code that computed all of `items`, where their results can be merged before all others are there: each item is
    /// covered once, and there is nothing that has to be said or judged over all of the plan.
    #[must_use]
    pub fn mergeable(&self, items: Interval) -> Option<Identity> {
        let code = self.results.first()?.record.header.code;
        let within = |of: Interval| items.start() <= of.start() && of.stop() <= items.stop();
        let fits = |header: &Header| within(header.items) && header.code == code;
        let sound = self.is_unremarkable() && self.tiling.covers(items);
        (sound && self.results.iter().all(|found| fits(&found.record.header))).then_some(code)
    }

    /// What the provenance of the answer counts.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        self.chosen().for_each(|found| totals.add_record(&found.record.header));
        self.groups.iter().for_each(|group| totals.add(&group.totals));
        Totals { repeated: self.repeated, ..totals }
    }

    /// Whether there are no partials that have to be told of, and no results that contradict each other.
    pub(super) fn is_unremarkable(&self) -> bool {
        self.damaged.is_empty() && self.foreign.is_empty() && self.differing.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_groups() {
        assert_eq!(merged_name(17, "0-ab12cd34"), "merged-000017.0-ab12cd34.part");
        for (name, group) in [
            (merged_name(17, "0-ab12cd34"), Some(17)),
            (merged_name(1_234_567, "1-x"), Some(1_234_567)),
            (super::super::partial_name(17, "0-ab12cd34"), None),
            ("merged-000017".to_owned(), None),
            ("merged-.part".to_owned(), None),
        ] {
            assert_eq!(merged_group(name.as_bytes()), group, "{name}");
        }
    }

    #[test]
    fn lengths_of_time_add_up_in_any_order() {
        let header = |seconds: f64| Header {
            plan: Identity::of_bytes(b"plan"),
            code: Identity::of_bytes(b"code"),
            items: Interval::new(0, 1).expect("not empty"),
            kind: Kind::Whole,
            seconds,
            host: "ep1".into(),
            attempt: "0".into(),
        };
        let total = |all: &[f64]| {
            let mut totals = Totals::default();
            all.iter().for_each(|&seconds| totals.add_record(&header(seconds)));
            totals
        };
        assert_eq!(total(&[0.1, 0.2, 0.3]).seconds(), 0.6);
        assert_eq!(total(&[1e30, -5.0, f64::MAX]).nanoseconds, u128::MAX);
        let mut left = total(&[0.1, 1e30]);
        left.add(&total(&[0.3, 0.7]));
        let mut right = total(&[0.1]);
        right.add(&total(&[1e30, 0.3, 0.7]));
        assert_eq!((left.records, left.hosts["ep1"]), (4, 4));
        assert_eq!(left, right);
    }
}
