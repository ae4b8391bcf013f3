//! result.json: the answer and where it comes from.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use super::Value;
use crate::plan::{FORMAT, Identity, Plan};
use crate::record::Gathered;
use crate::space::Items;

/// The answer with its provenance. No clock and no order of arrival is in it: the same records give the same bytes.
#[derive(Debug, Serialize)]
pub struct ResultDocument {
    format: u32,
    plan: Identity,
    /// A value, or the text of a short answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<Box<RawValue>>,
    /// Where the answer is, if not here.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer_file: Option<AnswerFile>,
    reduce: String,
    space: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    items: u128,
    items_covered: u128,
    complete: bool,
    /// Item numbers from 0.
    missing: Vec<Items>,
    records: u64,
    records_repeated: u64,
    /// Item numbers from 0 that were computed more than once, with different results.
    differing: Vec<Items>,
    code: Vec<CodeShare>,
    hosts: BTreeMap<String, u64>,
    /// Seconds that the program ran for the results that count.
    seconds: f64,
}

/// An answer in a file of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AnswerFile {
    /// Its path, from the folder of result.json.
    pub name: String,
    /// How many rows it has, if it is a table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u128>,
    /// How many files it holds, if it holds files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<u64>,
    /// Its size; of files, that of all of them.
    pub bytes: u64,
    /// Its content; of a database that of its rows, of files that of their names and contents.
    pub identity: Identity,
}

/// What one version of the code computed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CodeShare {
    /// The code.
    pub code: Identity,
    /// Whether it is the one that the plan was made with; of none where the plan cannot know its code.
    pub planned: bool,
    /// How many of the records that count.
    pub records: u64,
    /// How many items these cover.
    pub items: u128,
}

impl CodeShare {
    /// Which code computed how much of what counts; that of the plan first.
    #[must_use]
    pub fn of(plan: &Plan, gathered: &Gathered) -> Vec<Self> {
        let mut shares: BTreeMap<(bool, Identity), Self> = BTreeMap::new();
        for found in gathered.chosen() {
            let header = &found.record.header;
            let planned = plan.knows_code() && header.code == plan.code;
            let share = shares.entry((!planned, header.code)).or_insert(Self {
                code: header.code,
                planned,
                records: 0,
                items: 0,
            });
            share.records += 1;
            share.items += header.items.count();
        }
        for group in &gathered.groups {
            let planned = plan.knows_code() && group.code == plan.code;
            let nothing = Self { code: group.code, planned, records: 0, items: 0 };
            let share = shares.entry((!planned, group.code)).or_insert(nothing);
            share.records += group.totals.records;
            share.items += group.items.count();
        }
        shares.into_values().collect()
    }
}

impl ResultDocument {
    /// The document of an answer that is a value.
    #[must_use]
    pub fn of_value(plan: &Plan, gathered: &Gathered, value: &Value) -> Self {
        Self::new(plan, gathered, RawValue::from_string(value.to_json()).ok(), None)
    }

    /// The document of an answer that is a text.
    #[must_use]
    pub fn of_text(plan: &Plan, gathered: &Gathered, text: &str) -> Self {
        Self::new(plan, gathered, serde_json::value::to_raw_value(text).ok(), None)
    }

    /// The document of an answer that is in a file.
    #[must_use]
    pub fn of_file(plan: &Plan, gathered: &Gathered, file: AnswerFile) -> Self {
        Self::new(plan, gathered, None, Some(file))
    }

    /// The document without its answer.
    #[must_use]
    pub fn of_nothing(plan: &Plan, gathered: &Gathered) -> Self {
        Self::new(plan, gathered, None, None)
    }

    /// The same, for an answer that is in a file as well.
    #[must_use]
    pub fn with_file(self, file: AnswerFile) -> Self {
        Self { answer_file: Some(file), ..self }
    }

    /// Where an answer comes from: the document's entries without the answer, in the order of their names, each value as JSON.
    #[must_use]
    pub fn provenance(plan: &Plan, gathered: &Gathered) -> Vec<(String, String)> {
        let document = Self::of_nothing(plan, gathered);
        let text = serde_json::to_string(&document).expect("plain values");
        let entries: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&text).expect("an object");
        entries.into_iter().map(|(name, value)| (name, value.get().to_owned())).collect()
    }

    fn new(plan: &Plan, gathered: &Gathered, answer: Option<Box<RawValue>>, answer_file: Option<AnswerFile>) -> Self {
        let totals = gathered.totals();
        Self {
            format: FORMAT,
            plan: plan.identity,
            answer,
            answer_file,
            reduce: plan.reduce.to_string(),
            space: plan.space.to_string(),
            command: plan.command.as_ref().map(ToString::to_string),
            items: plan.space.count(),
            items_covered: gathered.covered(),
            complete: gathered.tiling.gaps.is_empty(),
            missing: gathered.tiling.gaps.iter().map(|&gap| gap.into()).collect(),
            records: totals.records,
            records_repeated: totals.repeated,
            differing: gathered.differing.iter().map(|&items| items.into()).collect(),
            code: CodeShare::of(plan, gathered),
            seconds: totals.seconds(),
            hosts: totals.hosts,
        }
    }

    /// The document's bytes.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("plain values");
        bytes.push(b'\n');
        bytes
    }
}
