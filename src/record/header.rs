//! A record's header.

use serde::{Deserialize, Serialize};

use crate::plan::Identity;
use crate::space::Interval;

/// What a record says of itself, but for the size and the checksum of its payload.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// The plan it belongs to.
    pub plan: Identity,
    /// The code that ran.
    pub code: Identity,
    /// The items it covers.
    pub items: Interval,
    /// What the payload is.
    pub kind: Kind,
    /// How long the program ran, in seconds of wall clock.
    pub seconds: f64,
    /// The machine it ran on.
    pub host: Box<str>,
    /// Which attempt it was: unlike every other attempt at the same items.
    pub attempt: Box<str>,
}

/// What a record's payload is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One result for all the items.
    Whole,
    /// Entries, one for each item: see [`super::EntryReader`].
    Each,
    /// One entry for all the items: a result and files.
    Bundle,
    /// The results of other records of these items, merged on the way to the answer.
    Merged,
    /// What one segment of an item's chain has yielded, and the state that it has left: two entries, the second of the state
    /// files alone.
    Segment(Segment),
    /// No result: the last words of the program.
    Failure(Cause),
}

/// A segment of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// Its number, from 1.
    pub number: u32,
    /// The attempt whose record of the segment before it went on from; none of the first.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<String>,
    /// Whether the program said that its trajectory has ended.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub finished: bool,
}

/// Why there is no result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Cause {
    /// The program ended with this exit code.
    ExitCode(i32),
    /// This signal ended the program.
    Signal(i32),
    /// The program printed nothing where a number is due, or wrote nothing to the path that it was told.
    NoResult,
    /// The program ended well, and its result is nothing that the plan's reducer takes; where that shows.
    BadResult {
        /// The line of the result, from 1.
        line: u64,
        /// The beginning of what stands there, safe to print.
        text: String,
    },
    /// The program ended well, and a file that it was to leave is not there; which.
    Missing(String),
    /// The program could not be started; why.
    NotStarted(String),
    /// The set-up failed, so that the program was not started; how.
    Setup(String),
    /// The program ran for longer than it may; for how many seconds it may.
    TimedOut(u64),
    /// The job had worked for as long as it may, and yielded the items; for how many seconds it may.
    OverBudget(u64),
    /// The kernel killed the program, or a child of it, for want of memory; how many bytes its group may use, if that is known.
    OutOfMemory(Option<u64>),
    /// The disk is full, or was right after the program failed; which, or what could not be written.
    OutOfDisk(String),
    /// The machine would not; why.
    Machine(String),
}

impl Kind {
    /// Whether it is a result of any kind, as a job yields it.
    #[must_use]
    pub fn is_result(&self) -> bool {
        matches!(self, Self::Whole | Self::Each | Self::Bundle)
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ExitCode(code) => write!(out, "the program ended with exit code {code}"),
            Self::Signal(signal) => write!(out, "signal {signal} ended the program"),
            Self::NoResult => {
                out.write_str("the program printed nothing, and wrote no {result}, where a result is due")
            }
            Self::BadResult { line, text } => {
                write!(out, "the program's result is not what the reducer takes, in line {line}: \"{text}\"")
            }
            Self::Missing(file) => write!(out, "the program did not write a file that it has to leave: {file}"),
            Self::NotStarted(why) => write!(out, "the program could not be started: {why}"),
            Self::Setup(why) => write!(out, "the set-up failed: {why}"),
            Self::TimedOut(seconds) => write!(out, "the program was ended: it ran for longer than {seconds} s"),
            Self::OverBudget(seconds) => {
                write!(out, "yielded: the job had worked for as long as it may, {seconds} s")
            }
            Self::OutOfMemory(None) => out.write_str("the kernel ended the program for want of memory"),
            Self::OutOfMemory(Some(bytes)) => {
                let mebibytes = bytes.div_ceil(1 << 20);
                write!(out, "the kernel ended the program for want of memory: it may use {mebibytes} MB")
            }
            Self::OutOfDisk(what) => write!(out, "the disk is full: {what}"),
            Self::Machine(why) => write!(out, "the machine would not: {why}"),
        }
    }
}

/// The spelling in a partial. Borrowed where it can be: a reduce reads hundreds of thousands.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line<'a> {
    pub(super) format: u32,
    pub(super) plan: Identity,
    pub(super) code: Identity,
    pub(super) first: u128,
    pub(super) last: u128,
    pub(super) kind: LineKind,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) cause: Option<Cause>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) segment: Option<Segment>,
    pub(super) bytes: u64,
    pub(super) seconds: f64,
    #[serde(borrow)]
    pub(super) host: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    pub(super) attempt: std::borrow::Cow<'a, str>,
    #[serde(skip_serializing)]
    pub(super) checksum: &'a str,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum LineKind {
    Whole,
    Each,
    Bundle,
    Merged,
    Segment,
    Failure,
}

impl Line<'_> {
    /// The header, where its parts fit together.
    pub(super) fn header(self) -> Option<Header> {
        let kind = match (self.kind, self.cause, self.segment) {
            (LineKind::Whole, None, None) => Kind::Whole,
            (LineKind::Each, None, None) => Kind::Each,
            (LineKind::Bundle, None, None) => Kind::Bundle,
            (LineKind::Merged, None, None) => Kind::Merged,
            (LineKind::Segment, None, Some(segment)) => Kind::Segment(segment),
            (LineKind::Failure, Some(cause), None) => Kind::Failure(cause),
            _ => return None,
        };
        Some(Header {
            plan: self.plan,
            code: self.code,
            items: Interval::new(self.first, self.last.checked_add(1)?)?,
            kind,
            seconds: self.seconds,
            host: self.host.into(),
            attempt: self.attempt.into(),
        })
    }
}
