//! A folder's partials, read side by side, and what of the space they cover.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use rustix::fs::{CWD, Mode, OFlags};

use super::{
    Claim, Damage, Kind, Listing, MergedGroup, Payload, Record, RecordRead, Tiling, merged_group, read_of, tile,
};
use crate::plan::{Identity, Plan, Shards};
use crate::space::Interval;

/// So many partials are read at a time by one worker.
const BATCH: usize = 256;

/// A valid record of the plan, and the partial it is in.
#[derive(Debug)]
pub struct Found {
    /// The record.
    pub record: Record,
    /// Its partial's place in [`Gathered::partials`].
    partial: usize,
}

/// The names of the partials in a folder and in its subfolders for groups of chunks, each list sorted.
#[derive(Debug, Default)]
pub struct Partials {
    top: Vec<OsString>,
    /// Records of what was merged on the way, by group.
    merged: Vec<(u64, OsString)>,
    shards: Vec<(OsString, Vec<OsString>)>,
}

/// What a folder's partials hold.
#[derive(Debug)]
pub struct Gathered {
    folder: PathBuf,
    /// The partials' paths below the folder, sorted.
    partials: Vec<OsString>,
    /// The plan's results.
    pub results: Vec<Found>,
    /// The plan's failures.
    pub failures: Vec<Found>,
    /// What segments of chains have left, of the plan.
    pub segments: Vec<Found>,
    /// What was merged on the way, in item order: instead of the results of these groups, which were not read.
    pub groups: Vec<MergedGroup>,
    /// Which results count, and what is missing.
    pub tiling: Tiling,
    /// Partials that do not hold what was written, and what is wrong.
    pub damaged: Vec<(PathBuf, Damage)>,
    /// Partials that hold records of other plans, and whose.
    pub foreign: Vec<(PathBuf, Identity)>,
    /// Items that were computed more than once, with different results.
    pub differing: Vec<Interval>,
    /// How many results were left out because another covers the same items.
    pub repeated: u64,
}

impl Gathered {
    /// The results that count, in item order.
    pub fn chosen(&self) -> impl ExactSizeIterator<Item = &Found> {
        self.tiling.chosen.iter().map(|&at| &self.results[at])
    }

    /// The path of the partial that a record is in.
    #[must_use]
    pub fn path(&self, found: &Found) -> PathBuf {
        self.folder.join(&self.partials[found.partial])
    }

    /// Failures in the order in which they are worth telling: of the attempt that came back last first, and of one attempt
    /// those before the others whose program ran, in item order.
    #[must_use]
    pub fn newest_first<'a>(&self, failures: impl Iterator<Item = &'a Found>) -> Vec<&'a Found> {
        let mut failures: Vec<&Found> = failures.collect();
        failures.sort_by_cached_key(|found| {
            let header = &found.record.header;
            let time = self.path(found).metadata().and_then(|partial| partial.modified()).ok();
            let not_run = header.seconds <= 0.0;
            (Reverse((time, header.attempt.clone())), not_run, header.items)
        });
        failures
    }

    /// Takes results out that are none for the plan's reducer, by their places: their items are missing, unless other results
    /// cover them.
    ///
    /// # Errors
    /// Where a partial cannot be read again.
    pub fn leave_out(&mut self, places: &BTreeSet<usize>, plan: &Plan) -> io::Result<()> {
        let mut place = 0;
        self.results.retain(|_| {
            place += 1;
            !places.contains(&(place - 1))
        });
        self.differing.clear();
        self.choose(plan)
    }

    /// How many partials there are.
    #[must_use]
    pub fn partials(&self) -> usize {
        self.partials.len()
    }

    /// How many items a valid record covers.
    #[must_use]
    pub fn covered(&self) -> u128 {
        let groups: u128 = self.groups.iter().map(|group| group.items.count()).sum();
        groups + self.chosen().map(|found| found.record.header.items.count()).sum::<u128>()
    }

    /// How many records cover them.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.tiling.chosen.len() as u64 + self.groups.iter().map(|group| group.totals.records).sum::<u64>()
    }
}

/// Reads every partial in the folder `outputs` and chooses the results of `plan` that count; where there is no such
/// folder there are none. `tick` is called now and then with the number of partials read since.
///
/// # Errors
/// Where the folder or a partial cannot be read at all; what is wrong inside a partial is no error here.
pub fn gather(outputs: &Path, plan: &Plan, tick: &(dyn Fn(u64) + Sync)) -> io::Result<Gathered> {
    gather_of(outputs, &Partials::list(outputs)?, Vec::new(), plan, tick)
}

/// As [`gather`], but takes groups of results that were merged on the way as they are, wherever it makes no difference to
/// the answer and to all that is said of it.
///
/// # Errors
/// As [`gather`].
pub fn gather_merged(outputs: &Path, plan: &Plan, tick: &(dyn Fn(u64) + Sync)) -> io::Result<Gathered> {
    let partials = Partials::list(outputs)?;
    let groups = partials.groups(outputs, plan);
    if !groups.is_empty() {
        let gathered = gather_of(outputs, &partials, groups, plan, tick)?;
        if gathered.is_plain() {
            return Ok(gathered);
        }
    }
    gather_of(outputs, &partials, Vec::new(), plan, tick)
}

/// Reads the partials of a list but for those of `groups`.
///
/// # Errors
/// As [`gather`].
pub fn gather_of(
    outputs: &Path,
    partials: &Partials,
    groups: Vec<MergedGroup>,
    plan: &Plan,
    tick: &(dyn Fn(u64) + Sync),
) -> io::Result<Gathered> {
    let names = partials.paths(&groups, plan);
    if names.is_empty() {
        // There may be no folder either.
        let mut gathered = Gathered::of(outputs, names, groups);
        gathered.choose(plan)?;
        return Ok(gathered);
    }
    // Opened relative to the folder, the kernel looks up one name a file, or two.
    let folder = rustix::fs::openat(CWD, outputs, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let batches: Vec<Batch> = names
        .par_chunks(BATCH)
        .enumerate()
        .map_init(Vec::new, |buffer, (place, names)| {
            let batch = Batch::read(names, place * BATCH, &folder, plan, buffer)?;
            tick(names.len() as u64);
            Ok(batch)
        })
        .collect::<io::Result<_>>()?;

    let mut gathered = Gathered::of(outputs, names, groups);
    gathered.results.reserve_exact(batches.iter().map(|batch| batch.results.len()).sum());
    for batch in batches {
        gathered.results.extend(batch.results);
        gathered.failures.extend(batch.failures);
        gathered.segments.extend(batch.segments);
        let path = |partial: usize| outputs.join(&gathered.partials[partial]);
        gathered.damaged.extend(batch.damaged.into_iter().map(|(partial, damage)| (path(partial), damage)));
        gathered.foreign.extend(batch.foreign.into_iter().map(|(partial, identity)| (path(partial), identity)));
    }
    gathered.choose(plan)?;
    Ok(gathered)
}

impl Partials {
    /// Lists those in `outputs`.
    ///
    /// # Errors
    /// Where a folder cannot be read.
    pub fn list(outputs: &Path) -> io::Result<Self> {
        let Listing { partials, mut shards } = Listing::read(outputs)?;
        let (mut merged, mut top) = (Vec::new(), Vec::with_capacity(partials.len()));
        for name in partials {
            match merged_group(name.as_encoded_bytes()) {
                Some(group) => merged.push((group, name)),
                None => top.push(name),
            }
        }
        // By name is about the order in which they were made, which file systems read quicker than their own order.
        top.par_sort_unstable();
        merged.sort_unstable();
        shards.sort_unstable();
        let below = |shard: OsString| {
            let Listing { mut partials, .. } = Listing::read(&outputs.join(&shard))?;
            partials.sort_unstable();
            Ok((shard, partials))
        };
        let shards = shards.into_par_iter().map(below).collect::<io::Result<_>>()?;
        Ok(Self { top, merged, shards })
    }

    /// The names at the top.
    #[must_use]
    pub fn top(&self) -> &[OsString] {
        &self.top
    }

    /// The names in the folder of a group.
    pub(super) fn of_group(&self, group: u64) -> Option<&[OsString]> {
        let folder = OsString::from(Shards::folder(group));
        let place = self.shards.binary_search_by(|(name, _)| name.cmp(&folder)).ok()?;
        Some(&self.shards[place].1)
    }

    /// The paths of those whose results are not in `groups`, relative to the folder.
    fn paths(&self, groups: &[MergedGroup], plan: &Plan) -> Vec<OsString> {
        let is_merged = |shard: &OsString| {
            let items = Shards::group_of(shard.as_encoded_bytes()).and_then(|group| plan.group(group));
            items.is_some_and(|items| groups.binary_search_by(|group| group.items.cmp(&items)).is_ok())
        };
        let below = self.shards.iter().filter(|(shard, _)| groups.is_empty() || !is_merged(shard));
        let below = below.flat_map(|(shard, names)| names.iter().map(|name| Path::new(shard).join(name).into()));
        below.chain(self.top.iter().cloned()).collect()
    }

    /// The groups whose results are there merged, as far as that was of what is there now, in item order.
    #[must_use]
    pub fn groups(&self, outputs: &Path, plan: &Plan) -> Vec<MergedGroup> {
        let load = |(group, name): &(u64, OsString)| MergedGroup::load(&outputs.join(name), *group, plan, self);
        let mut groups: Vec<MergedGroup> = self.merged.par_iter().filter_map(load).collect();
        // By group is in item order; of several that are made of the same any will do.
        groups.dedup_by_key(|group| group.items);
        groups
    }
}

/// What some partials hold.
#[derive(Default)]
struct Batch {
    results: Vec<Found>,
    failures: Vec<Found>,
    segments: Vec<Found>,
    damaged: Vec<(usize, Damage)>,
    foreign: Vec<(usize, Identity)>,
}

impl Batch {
    /// Reads the partials `names`, of which the first is number `first` of all.
    fn read(names: &[OsString], first: usize, folder: &OwnedFd, plan: &Plan, buffer: &mut Vec<u8>) -> io::Result<Self> {
        let mut batch = Self { results: Vec::with_capacity(names.len()), ..Self::default() };
        for (partial, name) in (first..).zip(names) {
            let file = rustix::fs::openat(folder, name.as_os_str(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
            let (plan, items) = (plan.identity, plan.space.count());
            let read = file.map_err(io::Error::from);
            let read = read.and_then(|file| read_of(&mut File::from(file), buffer, plan, items));
            let (RecordRead { records, damage }, foreign) =
                read.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", name.display())))?;
            batch.damaged.extend(damage.map(|damage| (partial, damage)));
            for record in records {
                if record.header.kind == Kind::Merged {
                    continue;
                }
                let list = match record.header.kind {
                    Kind::Failure(_) => &mut batch.failures,
                    Kind::Segment(_) => &mut batch.segments,
                    _ => &mut batch.results,
                };
                list.push(Found { record, partial });
            }
            batch.foreign.extend(foreign.map(|identity| (partial, identity)));
        }
        Ok(batch)
    }
}

impl Gathered {
    /// Nothing read yet of these partials.
    fn of(outputs: &Path, partials: Vec<OsString>, groups: Vec<MergedGroup>) -> Self {
        Self {
            folder: outputs.to_owned(),
            partials,
            results: Vec::new(),
            failures: Vec::new(),
            segments: Vec::new(),
            groups,
            tiling: Tiling { chosen: Vec::new(), same_items: Vec::new(), gaps: Vec::new() },
            damaged: Vec::new(),
            foreign: Vec::new(),
            differing: Vec::new(),
            repeated: 0,
        }
    }

    fn choose(&mut self, plan: &Plan) -> io::Result<()> {
        let claims: Vec<_> = self
            .results
            .iter()
            .map(|Found { record, .. }| Claim {
                items: record.header.items,
                preferred: record.header.code == plan.code,
                rank: (record.header.code, record.checksum, &*record.header.attempt),
            })
            .collect();
        self.tiling = tile(plan.space.count(), &claims);
        if !self.groups.is_empty() {
            let groups = self.groups.iter().map(|group| group.items);
            self.tiling.gaps = without(&self.tiling.gaps, groups);
        }
        let left_out = (self.results.len() - self.tiling.chosen.len()) as u64;
        self.repeated = left_out + self.groups.iter().map(|group| group.totals.repeated).sum::<u64>();
        for &(left_out, better) in &self.tiling.same_items {
            let (left_out, better) = (&self.results[left_out], &self.results[better]);
            if self.payload_identity(left_out)? != self.payload_identity(better)? {
                self.differing.push(better.record.header.items);
            }
        }
        self.differing.dedup();
        Ok(())
    }

    /// Whether what was merged on the way may stand for the results: nothing else claims the same items, and there is
    /// nothing to be said or judged that would take the records themselves.
    fn is_plain(&self) -> bool {
        let touches = |items: Interval| {
            let next = self.groups.partition_point(|group| group.items.stop() <= items.start());
            self.groups.get(next).is_some_and(|group| group.items.start() < items.stop())
        };
        let mut codes = self.versions().map(|(_, code)| code);
        let first = codes.next();
        self.is_unremarkable()
            && self.tiling.gaps.is_empty()
            && codes.all(|code| Some(code) == first)
            && !self.results.iter().any(|found| touches(found.record.header.items))
    }

    fn payload_identity(&self, found: &Found) -> io::Result<Identity> {
        let mut hasher = blake3::Hasher::new();
        match &found.record.payload {
            Payload::Inline(bytes) => {
                hasher.update(bytes);
            }
            payload @ Payload::InFile { .. } => payload.pieces::<io::Error>(&self.path(found), &mut |piece| {
                hasher.update(piece);
                Ok(())
            })?,
        }
        Ok(Identity::of(&hasher))
    }
}

/// What is left of `gaps` without `covered`; both are in order and apart.
fn without(gaps: &[Interval], covered: impl Iterator<Item = Interval>) -> Vec<Interval> {
    let mut left = Vec::new();
    let mut covered = covered.peekable();
    for gap in gaps {
        let mut start = gap.start();
        while let Some(items) = covered.peek().copied().filter(|items| items.start() < gap.stop()) {
            left.extend(Interval::new(start, items.start()));
            start = start.max(items.stop());
            if items.stop() > gap.stop() {
                break;
            }
            covered.next();
        }
        left.extend(Interval::new(start, gap.stop()));
    }
    left
}
