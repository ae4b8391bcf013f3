//! A folder's partials, read side by side, and what of the space they cover.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use rustix::fs::{CWD, Mode, OFlags};

use super::{Claim, Damage, Payload, Record, RecordRead, Tiling, is_partial, read, tile};
use crate::plan::{Identity, Plan};
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

/// What a folder's partials hold.
#[derive(Debug)]
pub struct Gathered {
    folder: PathBuf,
    /// The partials' names, sorted.
    partials: Vec<OsString>,
    /// The plan's results.
    pub results: Vec<Found>,
    /// The plan's failures.
    pub failures: Vec<Found>,
    /// Which results count, and what is missing.
    pub tiling: Tiling,
    /// Partials that do not hold what was written, and what is wrong.
    pub damaged: Vec<(PathBuf, Damage)>,
    /// Partials that hold records of other plans, and whose.
    pub foreign: Vec<(PathBuf, Identity)>,
    /// Items that were computed more than once, with different results.
    pub differing: Vec<Interval>,
    /// How many results were left out because another covers the same items.
    pub repeated: usize,
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

    /// How many partials there are.
    #[must_use]
    pub fn partials(&self) -> usize {
        self.partials.len()
    }

    /// How many items a valid record covers.
    #[must_use]
    pub fn covered(&self) -> u128 {
        self.chosen().map(|found| found.record.header.items.count()).sum()
    }
}

/// Reads every partial in the folder `outputs` and chooses the results of `plan` that count; where there is no such
/// folder there are none. `tick` is called now and then with the number of partials read since.
///
/// # Errors
/// Where the folder or a partial cannot be read at all; what is wrong inside a partial is no error here.
pub fn gather(outputs: &Path, plan: &Plan, tick: &(dyn Fn(u64) + Sync)) -> io::Result<Gathered> {
    let mut names = Vec::new();
    let entries = match outputs.read_dir() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut gathered = Gathered::of(outputs, names);
            gathered.choose(plan)?;
            return Ok(gathered);
        }
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        // A link is not followed: what comes back from a job is a regular file.
        if is_partial(name.as_encoded_bytes()) && entry.file_type()?.is_file() {
            names.push(name);
        }
    }
    // By name is about the order in which they were made, which file systems read quicker than their own order.
    names.par_sort_unstable();
    // Opened relative to the folder, the kernel looks up one name a file.
    let folder = rustix::fs::openat(CWD, outputs, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let batches: Vec<Batch> = names
        .par_chunks(BATCH)
        .enumerate()
        .map_init(Vec::new, |buffer, (place, names)| {
            let batch = Batch::read(names, place * BATCH, &folder, plan.identity, buffer)?;
            tick(names.len() as u64);
            Ok(batch)
        })
        .collect::<io::Result<_>>()?;

    let mut gathered = Gathered::of(outputs, names);
    gathered.results.reserve_exact(batches.iter().map(|batch| batch.results.len()).sum());
    for batch in batches {
        gathered.results.extend(batch.results);
        gathered.failures.extend(batch.failures);
        let path = |partial: usize| outputs.join(&gathered.partials[partial]);
        gathered.damaged.extend(batch.damaged.into_iter().map(|(partial, damage)| (path(partial), damage)));
        gathered.foreign.extend(batch.foreign.into_iter().map(|(partial, identity)| (path(partial), identity)));
    }
    gathered.choose(plan)?;
    Ok(gathered)
}

/// What some partials hold.
#[derive(Default)]
struct Batch {
    results: Vec<Found>,
    failures: Vec<Found>,
    damaged: Vec<(usize, Damage)>,
    foreign: Vec<(usize, Identity)>,
}

impl Batch {
    /// Reads the partials `names`, of which the first is number `first` of all.
    fn read(
        names: &[OsString],
        first: usize,
        folder: &OwnedFd,
        plan: Identity,
        buffer: &mut Vec<u8>,
    ) -> io::Result<Self> {
        let mut batch = Self { results: Vec::with_capacity(names.len()), ..Self::default() };
        for (partial, name) in (first..).zip(names) {
            let file = rustix::fs::openat(folder, name.as_os_str(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
            let read = file.map_err(io::Error::from).and_then(|file| read(&mut File::from(file), buffer));
            let RecordRead { records, damage } =
                read.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", name.display())))?;
            batch.damaged.extend(damage.map(|damage| (partial, damage)));
            let mut foreign = None;
            for record in records {
                if record.header.plan != plan {
                    foreign = Some(record.header.plan);
                    continue;
                }
                let list = if record.header.kind.is_result() { &mut batch.results } else { &mut batch.failures };
                list.push(Found { record, partial });
            }
            batch.foreign.extend(foreign.map(|identity| (partial, identity)));
        }
        Ok(batch)
    }
}

impl Gathered {
    /// Nothing read yet of these partials.
    fn of(outputs: &Path, partials: Vec<OsString>) -> Self {
        Self {
            folder: outputs.to_owned(),
            partials,
            results: Vec::new(),
            failures: Vec::new(),
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
        self.repeated = self.results.len() - self.tiling.chosen.len();
        for &(left_out, better) in &self.tiling.same_items {
            let (left_out, better) = (&self.results[left_out], &self.results[better]);
            if self.payload_identity(left_out)? != self.payload_identity(better)? {
                self.differing.push(better.record.header.items);
            }
        }
        self.differing.dedup();
        Ok(())
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
