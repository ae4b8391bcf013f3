//! Where results are merged: all of them by one node, or groups of chunks on the way, in jobs.

use super::arguments::WhatOptions;
use super::failure::Failure;
use super::output::{bytes, count};
use super::request::usage;
use crate::plan::{FanIn, FanInError, MOST_GROUPS, Plan, ReduceOn, Reduction, Shards, Word};
use crate::space::Space;

/// Merging the partials of so many chunks at once takes about 3 GB of memory and 15 s (measured: 0.65 kB and 3 µs a partial).
/// A job costs the access point far more than the thousand partials that it would save it: so up to here there are none.
const MOST_AT_ONCE: u64 = 5_000_000;
/// The chunks whose results are merged by one job, where nobody says how many.
const USUAL: u64 = 1_000;
/// From so many chunks on a plan's summary says how they are merged.
const MANY: u64 = 10_000;

/// One node reads and merges about 80 MB of results a second, and a core (measured: 60 results of 50,000 numbers, 58 MB, in 0.72 s). Jobs that
/// merge groups of them do so side by side, but the results are sent to them once more, at about 110 MB/s over a common network, and
/// a job waits about 60 s before it starts. So they pay where bytes / 80 MB/s is more than 60 s + bytes / 110 MB/s: from some 17 GB on.
const MOST_BYTES: u64 = 1 << 34;
/// Where results are large, those that make so many bytes are merged by one job.
const BYTES_OF_A_GROUP: u64 = 1 << 30;

/// How many chunks' results are merged by one job on the way; `None` where one node merges all. `of_chunk` is how many bytes a chunk's result
/// has, where items were tried.
pub(super) fn fan_in(
    options: &WhatOptions,
    reduce: &Reduction,
    by: &[String],
    space: &Space,
    chunks: u64,
    of_chunk: Option<u64>,
) -> Result<Option<FanIn>, Failure> {
    let why_not = obstacle(reduce, by, space);
    let Some(text) = &options.fan_in else {
        return Ok(by_itself(chunks, of_chunk).filter(|_| why_not.is_none()));
    };
    let shown = Word::from(text.as_str()).quoted();
    if text == "none" || text == "0" {
        return Ok(None);
    }
    let Ok(number) = text.parse::<u64>() else {
        return Err(usage(format!("--fan-in {shown}: not a whole number above 1, and not `none`")));
    };
    if let Some(why) = why_not {
        return Err(usage(format!("--fan-in {shown}: {why}")).help("without it one node merges all results"));
    }
    FanIn::new(number, chunks).map(Some).map_err(|error| {
        let failure = usage(format!("--fan-in {shown}: {error}"));
        match error {
            FanInError::TooManyGroups { .. } => {
                let least = chunks.div_ceil(MOST_GROUPS).max(USUAL);
                failure.help(format!("--fan-in {least} makes {}", count(chunks.div_ceil(least), "group")))
            }
            FanInError::TooFew => failure.help("--fan-in none merges all results by one node"),
        }
    })
}

/// How many where nobody says, for so many chunks whose results have so many bytes each.
fn by_itself(chunks: u64, of_chunk: Option<u64>) -> Option<FanIn> {
    let wanted = match of_chunk {
        Some(of_chunk) if are_large(chunks, of_chunk) => (BYTES_OF_A_GROUP / of_chunk).clamp(2, USUAL),
        _ if chunks > MOST_AT_ONCE => USUAL,
        _ => return None,
    };
    FanIn::new(wanted.max(chunks.div_ceil(MOST_GROUPS)), chunks).ok().filter(|fan_in| fan_in.get() < chunks)
}

fn are_large(chunks: u64, of_chunk: u64) -> bool {
    chunks.saturating_mul(of_chunk) > MOST_BYTES
}

/// What keeps results from being merged on the way.
fn obstacle(reduce: &Reduction, by: &[String], space: &Space) -> Option<String> {
    if let Reduction::With(_) = reduce {
        return Some("the command of --reduce-with is not sent to jobs".to_owned());
    }
    if !reduce.is_of_values() {
        return Some(format!("{reduce} keeps all of every result, which would only be moved twice"));
    }
    (!by.is_empty() && !space.listed().is_empty())
        .then(|| "--by takes the rows of a table, which is not sent to jobs as a whole".to_owned())
}

/// How results are merged, where chunks are many or it was said.
pub(super) fn describe(plan: &Plan, options: &WhatOptions) -> Vec<String> {
    let chunks = plan.cut.chunks();
    let given = options.fan_in.is_some();
    if chunks < MANY && !given && plan.fan_in.is_none() {
        return Vec::new();
    }
    let Some(fan_in) = plan.fan_in else {
        let obstacle = obstacle(&plan.reduce, &plan.by, &plan.space);
        let (why, more) = match obstacle {
            _ if given => ("--fan-in none".to_owned(), ""),
            Some(why) => (why, ""),
            None => (
                "reading a million small ones takes seconds".to_owned(),
                "; for large ones, --fan-in N merges those of N chunks at a time, in jobs",
            ),
        };
        return vec![format!("  one node merges the results of all chunks ({why}){more}")];
    };
    let why = match given {
        true => "--fan-in".to_owned(),
        false if chunks > MOST_AT_ONCE => {
            format!("all of more than {MOST_AT_ONCE} chunks at once would take the access point several GB of memory")
        }
        false => format!("more than {} in all, as what was tried says: one node would take minutes", bytes(MOST_BYTES)),
    };
    let groups = Shards::new(chunks, Some(fan_in)).map_or(0, |shards| shards.count(chunks));
    let mut lines = vec![format!(
        "  {} on the way, in {}, then by one node ({why})",
        format_args!("the results of every {} chunks are merged", fan_in.get()),
        count(groups, "job")
    )];
    if plan.site.reduce_on == ReduceOn::Job && !plan.resources.shared_filesystem {
        lines.push(
            "note: --reduce-on job sends all partials to the last merge, too; on the access point it reads what was \
             merged on the way alone"
                .to_owned(),
        );
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_results_are_merged_on_the_way() {
        let each = |chunks, of_chunk| by_itself(chunks, of_chunk).map(FanIn::get);
        assert_eq!(each(1_000, None), None);
        assert_eq!(each(1_000, Some(1 << 20)), None, "a GB is read in seconds");
        assert_eq!(each(1_000, Some(100 << 20)), Some(10));
        assert_eq!(each(100_000, Some(1 << 20)), Some(1_000));
        assert_eq!(each(20, Some(1 << 30)), Some(2));
        assert_eq!(each(2, Some(1 << 40)), None, "two are merged by the last merge");
        assert_eq!(each(6_000_000, None), Some(1_000));
        assert_eq!(each(50_000_000, Some(1)), Some(5_000));
        assert_eq!(each(1_000, Some(u64::MAX)), Some(2));
    }
}
