//! What an attempt keeps: its partial.
//!
//! The partial of a chunk in one slice is written when the attempt ends. That of a chunk in several grows by the records of
//! each slice, as soon as it is finished. Of a job that HTCondor started again, after an eviction or because it had asked for a
//! carry, the partial is there with what earlier runs had finished: its records are checked one by one, and only the other
//! slices are computed.
//!
//! In a sandbox it is called [`crate::plan::CARRIED`] until the attempt ends: a name that the submit file knows. On a file system
//! that jobs share it has the attempt's own name from the start, and the partials of other attempts at the chunk are
//! looked at for what they have finished.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::chunk::{Attempt, Place};
use super::environment::Base;
use super::records::Records;
use crate::cut::Timed;
use crate::record::{self, Cause, Damage, Header, Kind};
use crate::space::Interval;
use crate::store::{self, Draft, Growing, StoreError};

/// An attempt's partial, and what came of it.
pub(super) struct Kept<'a> {
    attempt: &'a Attempt<'a>,
    place: &'a Place<'a>,
    name: String,
    file: Option<Growing>,
    /// The items that have results.
    covered: Vec<Interval>,
    /// What was computed before this run of the job, and how long it took.
    before: Vec<Timed>,
    /// How long programs ran, in seconds, in this run of the job.
    seconds: f64,
    /// The items without a result, in order and apart.
    failed: Vec<Interval>,
    /// The first failure.
    why: Option<(Cause, Vec<u8>)>,
    /// Whether the attempt has worked for as long as it may.
    over_budget: bool,
}

impl<'a> Kept<'a> {
    /// What there is of the attempt's chunk.
    ///
    /// # Errors
    /// Where the partial of an earlier run is there and cannot be opened.
    pub(super) fn open(attempt: &'a Attempt<'a>, place: &'a Place<'a>) -> Result<Self, StoreError> {
        let name = super::chunk::attempt_name(attempt.retry);
        let mut kept = Self {
            attempt,
            place,
            name,
            file: None,
            covered: Vec::new(),
            before: Vec::new(),
            seconds: 0.0,
            failed: Vec::new(),
            why: None,
            over_budget: false,
        };
        if !kept.grows() {
            return Ok(kept);
        }
        match place.carried {
            Some(carried) => kept.go_on(carried.path)?,
            None if place.base == Base::Job => kept.look_at_others(),
            None => {}
        }
        Ok(kept)
    }

    /// Whether there is something to keep on the way.
    pub(super) fn grows(&self) -> bool {
        self.attempt.job.command.is_some() && self.attempt.job.pacing.keeps()
    }

    /// Opens the partial that an earlier run of the job left, if it did.
    fn go_on(&mut self, path: &Path) -> Result<(), StoreError> {
        let Ok(mut file) = File::open(path) else { return Ok(()) };
        let read = record::read(&mut file, &mut Vec::new()).map_err(StoreError::on("read", path))?;
        let whole = match read.damage {
            None => file.metadata().map_err(StoreError::on("read", path))?.len(),
            Some(Damage::Truncated { at } | Damage::Corrupt { at, .. }) => at,
        };
        let headers = || read.records.iter().map(|record| &record.header);
        // Of other files than those that are here now: their records would make a mixture.
        let length = if headers().all(|header| self.is_ours(header)) { whole } else { 0 };
        if length > 0 {
            self.was_done(headers());
        }
        self.file = Some(Growing::open(path, length)?);
        Ok(())
    }

    /// Takes account of the other partials of the chunk. One that cannot be read is computed again.
    fn look_at_others(&mut self) {
        let start = record::partial_start(self.attempt.chunk);
        let mut buffer = Vec::new();
        for entry in self.place.partials.read_dir().into_iter().flatten().flatten() {
            let name = entry.file_name();
            if !name.as_encoded_bytes().starts_with(start.as_bytes()) || !record::is_partial(name.as_encoded_bytes()) {
                continue;
            }
            let read = File::open(entry.path()).and_then(|mut file| record::read(&mut file, &mut buffer));
            let records = read.map(|read| read.records).unwrap_or_default();
            let ours = records.iter().map(|record| &record.header).filter(|header| self.is_ours(header));
            let ours: Vec<&Header> = ours.collect();
            self.was_done(ours.into_iter());
        }
        self.before.sort_unstable_by_key(|run| run.items.start());
    }

    /// Takes account of records that were there before.
    fn was_done<'b>(&mut self, headers: impl Iterator<Item = &'b Header>) {
        for header in headers.filter(|header| header.kind.is_result()) {
            self.covered.push(header.items);
            self.before.push(Timed { items: header.items, seconds: header.seconds });
        }
    }

    /// Whether it is a record of these items, by the plan and the code that are here.
    fn is_ours(&self, header: &Header) -> bool {
        let Attempt { job, items, code, .. } = self.attempt;
        header.plan == job.plan && header.code == *code && header.items.intersect(*items) == Some(header.items)
    }

    /// The slices, or what is left of them, that have no result yet; in order.
    pub(super) fn left(&self) -> Vec<Interval> {
        let Attempt { job, chunk, items, .. } = *self.attempt;
        if !self.grows() {
            return vec![items];
        }
        let mut covered = self.covered.clone();
        covered.sort_unstable_by_key(|items| items.start());
        job.slices(chunk, items).flat_map(|slice| without(slice, &covered)).collect()
    }

    /// What was computed before this run of the job, in the order of the items.
    pub(super) fn before(&self) -> &[Timed] {
        &self.before
    }

    /// Whether any item has a result, of this run of the job or of one before.
    pub(super) fn has_results(&self) -> bool {
        !self.covered.is_empty()
    }

    /// Whether all of `items` have results.
    pub(super) fn has_results_of(&self, items: Interval) -> bool {
        let mut covered = self.covered.clone();
        covered.sort_unstable_by_key(|items| items.start());
        without(items, &covered).is_empty()
    }

    /// Keeps the records of a slice.
    ///
    /// # Errors
    /// Where they cannot be written; what was kept before is as it was.
    pub(super) fn add(&mut self, mut records: Records) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        let Attempt { job, chunk, code, .. } = *self.attempt;
        let header = |items: Interval, kind: Kind, seconds: f64| Header {
            plan: job.plan,
            code,
            items,
            kind,
            seconds,
            host: self.place.host.into(),
            attempt: self.name.as_str().into(),
        };
        let path = self.place.partials.join(record::partial_name(chunk, &self.name));
        if self.grows() {
            let file = match &mut self.file {
                Some(file) => file,
                none => none.insert(Growing::open(self.place.carried.map_or(&*path, |carried| carried.path), 0)?),
            };
            file.add(job.shared_filesystem, |out| records.write(out, header))?;
        } else {
            let mut draft = Draft::new(&path, 0o666)?;
            records.write(&mut draft, header).map_err(StoreError::on("write", &path))?;
            // A network file system tells only now that the disk was full.
            if job.shared_filesystem { draft.commit()? } else { draft.commit_unsynced()? }
        }
        self.covered.extend(records.results());
        self.seconds += records.seconds();
        self.over_budget |= records.are_over_budget();
        if let Some((cause, last_words, failed)) = records.into_failure() {
            for items in failed {
                match self.failed.last_mut().filter(|last| last.stop() == items.start()) {
                    Some(last) => *last = Interval::new(last.start(), items.stop()).unwrap_or(items),
                    None => self.failed.push(items),
                }
            }
            self.why.get_or_insert((cause, last_words));
        }
        Ok(())
    }

    /// Takes account of why no further slice is tried.
    pub(super) fn give_up(&mut self, cause: &Cause) {
        self.over_budget |= matches!(cause, Cause::OverBudget(_));
    }

    /// Ends the attempt: its partial gets its own name, under which it comes back. Gives how long programs ran, and what
    /// failed.
    ///
    /// # Errors
    /// Where the partial cannot be renamed.
    pub(super) fn finish(self) -> Result<(f64, Option<Failed>), StoreError> {
        let path: PathBuf = self.place.partials.join(record::partial_name(self.attempt.chunk, &self.name));
        if let Some(file) = &self.file
            && file.path() != path
        {
            store::move_to(file.path(), &path)?;
        }
        let Self { seconds, failed: items, why, over_budget, .. } = self;
        Ok((seconds, why.map(|(cause, last_words)| Failed { cause, last_words, items, over_budget })))
    }
}

/// What failed in an attempt.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) cause: Cause,
    pub(super) last_words: Vec<u8>,
    pub(super) items: Vec<Interval>,
    pub(super) over_budget: bool,
}

/// What of `items` none of `covered` holds, which are in the order of their starts.
fn without(items: Interval, covered: &[Interval]) -> Vec<Interval> {
    let mut left = Vec::new();
    let mut from = items.start();
    for there in covered {
        left.extend(Interval::new(from, there.start().min(items.stop())));
        from = from.max(there.stop());
    }
    left.extend(Interval::new(from, items.stop()));
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left() {
        let interval = |(start, stop)| Interval::new(start, stop).expect("items");
        let check = |covered: &[(u128, u128)], expected: &[(u128, u128)]| {
            let covered: Vec<_> = covered.iter().copied().map(interval).collect();
            let expected: Vec<_> = expected.iter().copied().map(interval).collect();
            assert_eq!(without(interval((10, 20)), &covered), expected);
        };
        check(&[], &[(10, 20)]);
        check(&[(0, 10), (20, 30)], &[(10, 20)]);
        check(&[(0, 30)], &[]);
        check(&[(5, 12), (14, 15), (14, 16), (19, 40)], &[(12, 14), (16, 19)]);
        check(&[(10, 20), (15, 16)], &[]);
    }
}
