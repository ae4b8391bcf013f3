//! Results of several versions of the program: refused, unless it is said that they may be merged.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::arguments::Redo;
use super::failure::Failure;
use super::output::{count, say};
use super::{plan, reduce};
use crate::exit::Exit;
use crate::folder::{self, FolderError, Layout};
use crate::inputs::Now;
use crate::plan::{Identity, Plan, Word};
use crate::record::{Found, Gathered, Mixture, mixture};
use crate::space::Interval;

/// What one version of the code computed.
struct Share {
    chunks: u64,
    /// The last chunk that was counted.
    last: u64,
    first: Interval,
}

/// Refuses to merge what several versions of the code computed, unless the newer ones mended the older; and what one
/// computed that is not the plan's, where the program is. Gives what else is to be said of it.
pub(super) fn refuse_mixture(layout: &Layout, plan: &Plan, gathered: &Gathered) -> Result<Option<String>, Failure> {
    let root = reduce::shown_root(layout);
    // What stands alone has no program beside it that could be another one by now.
    let quick = || {
        if layout.stands_alone() {
            return None;
        }
        let planned = layout.plan().metadata().and_then(|found| found.modified()).ok();
        Now::read(plan, &base(layout, plan), planned).ok()
    };
    match mixture(gathered.versions(), gathered.failed_versions()) {
        Mixture::Mixed => Err(mixed(layout, plan, gathered, quick().as_ref())),
        Mixture::Mended => {
            let again = format!("split run --redo {root} computes them again");
            Ok(Some(format!("note: if what was mended changes the older results, too: {again}")))
        }
        Mixture::One => {
            let Some((_, version)) = gathered.versions().next().filter(|_| plan.knows_code()) else { return Ok(None) };
            let Some(now) = quick().filter(|now| now.code != version) else { return Ok(None) };
            if version != plan.code && now.code == plan.code {
                return Err(mixed(layout, plan, gathered, Some(&now)));
            }
            let changed = names(&now.changed(plan)).unwrap_or_else(|| "the program".to_owned());
            let again = format!("split run --redo {root} computes it again");
            Ok(Some(format!("note: {changed} changed since this was computed: {again}")))
        }
    }
}

/// Refuses to compute with the program as it is now what could then not be merged with what is there, and to call
/// done what another version did. What URLs bring shows only when they are fetched.
pub(super) fn refuse_coming_mixture(layout: &Layout, plan: &Plan, gathered: &Gathered) -> Result<(), Failure> {
    if !plan.knows_code() {
        return Ok(());
    }
    let now = now(layout, plan)?;
    let missing = gathered.tiling.gaps.iter().flat_map(|&gap| {
        let (first, last) = plan.chunks_of(gap);
        (first..=last).filter_map(move |chunk| plan.chunk(chunk).intersect(gap)).map(|items| (items, now.code))
    });
    let is_other = gathered.tiling.gaps.is_empty() && gathered.versions().all(|(_, code)| code != now.code);
    match mixture(gathered.versions().chain(missing), gathered.failed_versions()) {
        Mixture::One | Mixture::Mended if !is_other => Ok(()),
        _ => Err(mixed(layout, plan, gathered, Some(&now))),
    }
}

fn base(layout: &Layout, plan: &Plan) -> PathBuf {
    layout.root().join(plan.base.as_os_str())
}

/// The program as it is now.
pub(super) fn now(layout: &Layout, plan: &Plan) -> Result<Now, Failure> {
    Now::read(plan, &base(layout, plan), None).map_err(|error| {
        Failure::from(error)
            .help("the plan's files are looked for where they were when it was made: put it back")
            .help("or plan again without it, all options and --keep or --force")
    })
}

/// Sets aside what is to be computed again; gives where it is, and how many chunks lose their results. `Redo::Older`
/// is what versions other than the program as it is now computed; where that version cannot be known, what came
/// back last is of it.
pub(super) fn set_aside(
    layout: &Layout,
    plan: &Plan,
    gathered: &Gathered,
    now: &Now,
    redo: Redo,
) -> Result<Option<(PathBuf, u64)>, Failure> {
    let kept = if plan.knows_code() { now.code } else { latest(gathered).unwrap_or(now.code) };
    let goes = |code: Identity| redo == Redo::All || code != kept;
    let found = gathered.results.iter().chain(&gathered.failures);
    let going = found.filter(|found| goes(found.record.header.code));
    let mut paths: Vec<PathBuf> = going.map(|found| gathered.path(found)).collect();
    paths.dedup();
    let chunks = shares(plan, gathered).iter().filter(|(code, _)| goes(**code)).map(|(_, share)| share.chunks).sum();
    if paths.is_empty() {
        if redo == Redo::Older && !gathered.tiling.chosen.is_empty() {
            say("nothing was computed by an older version of the program; --redo=all computes all of it again");
        }
        return Ok(None);
    }
    // The answer that rests on them goes with them.
    paths.extend([layout.result(), layout.result_data()].into_iter().filter(|path| path.exists()));
    let aside = folder::set_aside(layout, &paths).map_err(|error| plan::explain(&error))?;
    Ok(aside.map(|aside| (aside, chunks)))
}

/// The version of the result that came back last.
fn latest(gathered: &Gathered) -> Option<Identity> {
    let time = |found: &&Found| gathered.path(found).metadata().and_then(|partial| partial.modified()).ok();
    gathered.results.iter().max_by_key(time).map(|found| found.record.header.code)
}

/// A folder that stands alone, without its plan's other files, has nothing to be computed in.
pub(super) fn need_whole(layout: &Layout) -> Result<(), Failure> {
    if !layout.stands_alone() {
        return Ok(());
    }
    let error = FolderError::NoPlan(layout.root().to_owned());
    Err(Failure::from_error(Exit::NoPlan, &error)
        .help("it holds partials alone: name the folder that `split plan` wrote"))
}

fn shares(plan: &Plan, gathered: &Gathered) -> BTreeMap<Identity, Share> {
    let mut shares: BTreeMap<Identity, Share> = BTreeMap::new();
    for (items, code) in gathered.versions() {
        let (first, last) = plan.chunks_of(items);
        match shares.get_mut(&code) {
            Some(share) => {
                share.chunks += last - first + u64::from(share.last != first);
                share.last = last;
            }
            None => drop(shares.insert(code, Share { chunks: last - first + 1, last, first: items })),
        }
    }
    shares
}

fn mixed(layout: &Layout, plan: &Plan, gathered: &Gathered, now: Option<&Now>) -> Failure {
    let code_now = now.filter(|_| plan.knows_code()).map(|now| now.code);
    let mut shares: Vec<_> = shares(plan, gathered).into_iter().collect();
    // The program as it is now comes last, as in time.
    shares.sort_by_key(|(code, share)| (Some(*code) == code_now, share.first));
    let chunks = |number: u64| count(number, "chunk");
    let (first, others) = shares.split_first().expect("results of several versions");
    let mut message = format!("{} computed by one version of the program", chunks(first.1.chunks));
    for (_, share) in others {
        message.push_str(&format!(", {} by another", share.chunks));
    }
    if others.is_empty() {
        message.push_str(", and it has changed since");
    }
    let mut failure = Failure::new(Exit::Mixed, message);
    for (code, share) in &shares {
        let is_now = if Some(*code) == code_now { ", the program as it is now" } else { "" };
        let which = reduce::items(plan, share.first);
        failure =
            failure.detail(format!("version {}{is_now}: {}, such as of {which}", code.short(), chunks(share.chunks)));
    }
    if let Some(changed) = now.and_then(|now| names(&now.changed(plan))) {
        failure = failure.detail(format!("changed since it was planned: {changed}"));
    }
    let root = reduce::shown_root(layout);
    let cd = if root == "." { String::new() } else { format!("cd {root} && ") };
    let resume = if root == "." { "split resume --redo".to_owned() } else { format!("split resume --redo {root}") };
    failure
        .help("--mixed merges them all the same, and says so")
        .help(format!("split run --redo {root} computes the older ones again, here"))
        .help(format!("{resume} && {cd}condor_submit_dag plan.dag computes them again on the pool"))
}

fn names(words: &[Word]) -> Option<String> {
    let names: Vec<_> = words.iter().map(Word::quoted).collect();
    (!names.is_empty()).then(|| names.join(", "))
}
