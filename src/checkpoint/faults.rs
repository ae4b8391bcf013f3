//! What the two files promise, on a disk that fails, stops and loses power at each of its system calls, and on files that
//! are damaged in every way.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::error::CheckpointError;
use super::format::{FORMAT, FirstLine, Header, LINE};
use super::slots::{Contents, SaveError, Slots};
use crate::store::in_place::Medium;

/// What a disk writes at once.
const SECTOR: usize = 512;

/// SplitMix64: fixed numbers.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }
}

/// What happens at a call.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// It says that the disk is full, after some of the bytes; later calls are well.
    Full,
    /// The process ends in it, after some of the bytes.
    Stop,
}

#[derive(Clone, Default)]
struct Contained {
    /// What the processes see.
    seen: Vec<u8>,
    /// What has been synced.
    lasting: Vec<u8>,
    /// What has been done since.
    pending: Vec<Change>,
    /// Whether its name has been synced.
    named: bool,
}

#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Change::Length(length) => bytes.resize(*length, 0),
            Change::Write(offset, written) => {
                bytes.resize(bytes.len().max(offset + written.len()), 0);
                bytes[*offset..offset + written.len()].copy_from_slice(written);
            }
        }
    }
}

/// A disk in memory.
#[derive(Clone, Default)]
struct Paper {
    files: BTreeMap<PathBuf, Contained>,
    calls: u64,
    fault: Option<(u64, Fault)>,
    /// The longest write that is done at once.
    short: Option<usize>,
}

struct PaperDisk(RefCell<Paper>);

impl PaperDisk {
    fn new(paper: Paper) -> Self {
        Self(RefCell::new(paper))
    }

    /// Counts a call; gives the fault that happens at it.
    fn call(&self) -> Option<Fault> {
        let mut paper = self.0.borrow_mut();
        paper.calls += 1;
        match paper.fault {
            Some((at, fault)) if at == paper.calls || (fault == Fault::Stop && at < paper.calls) => Some(fault),
            _ => None,
        }
    }

    fn well(&self) -> io::Result<()> {
        self.call().map_or(Ok(()), |_| Err(io::ErrorKind::StorageFull.into()))
    }

    fn change(&self, path: &Path, change: Change) {
        let mut paper = self.0.borrow_mut();
        let file = paper.files.get_mut(path).expect("open");
        change.apply(&mut file.seen);
        file.pending.push(change);
    }
}

impl Medium for PaperDisk {
    type File = PathBuf;

    fn open(&self, path: &Path, make: bool) -> io::Result<Option<PathBuf>> {
        self.well()?;
        let mut paper = self.0.borrow_mut();
        if !paper.files.contains_key(path) && !make {
            return Ok(None);
        }
        paper.files.entry(path.to_owned()).or_default();
        Ok(Some(path.to_owned()))
    }

    fn length(&self, file: &PathBuf) -> io::Result<u64> {
        self.well()?;
        Ok(self.0.borrow().files[file].seen.len() as u64)
    }

    fn read_at(&self, file: &PathBuf, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.well()?;
        let paper = self.0.borrow();
        let rest = paper.files[file].seen.get(offset as usize..).unwrap_or_default();
        let count = bytes.len().min(rest.len()).min(paper.short.unwrap_or(usize::MAX));
        bytes[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&self, file: &PathBuf, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let fault = self.call();
        let dead = self.0.borrow().fault.is_some_and(|(at, _)| at < self.0.borrow().calls) && fault.is_some();
        let count = match fault {
            Some(_) if dead => 0,
            Some(_) => bytes.len() / 2,
            None => bytes.len().min(self.0.borrow().short.unwrap_or(usize::MAX)),
        };
        if count > 0 {
            self.change(file, Change::Write(offset as usize, bytes[..count].to_vec()));
        }
        fault.map_or(Ok(count), |_| Err(io::ErrorKind::StorageFull.into()))
    }

    fn set_length(&self, file: &PathBuf, length: u64) -> io::Result<()> {
        self.well()?;
        self.change(file, Change::Length(length as usize));
        Ok(())
    }

    fn sync(&self, file: &PathBuf) -> io::Result<()> {
        self.well()?;
        let mut paper = self.0.borrow_mut();
        let file = paper.files.get_mut(file).expect("open");
        file.lasting.clone_from(&file.seen);
        file.pending.clear();
        Ok(())
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        self.well()?;
        self.0.borrow_mut().files.values_mut().for_each(|file| file.named = true);
        Ok(())
    }
}

impl Paper {
    /// The disk after a loss of power: of what was not synced, some sectors are there and others are not, in no order.
    fn after_power_loss(&self, chance: &mut Chance) -> Self {
        let mut after = Self::default();
        for (path, file) in &self.files {
            if !file.named && chance.coin() {
                continue;
            }
            let mut bytes = file.lasting.clone();
            for change in &file.pending {
                match change {
                    Change::Length(_) if chance.coin() => change.apply(&mut bytes),
                    Change::Length(_) => {}
                    Change::Write(offset, written) => {
                        let mut from = 0;
                        while from < written.len() {
                            let to = written.len().min((offset + from) / SECTOR * SECTOR + SECTOR - offset);
                            if chance.coin() {
                                Change::Write(offset + from, written[from..to].to_vec()).apply(&mut bytes);
                            }
                            from = to;
                        }
                    }
                }
            }
            after.files.insert(
                path.clone(),
                Contained { seen: bytes.clone(), lasting: bytes, pending: Vec::new(), named: true },
            );
        }
        after
    }

    /// The disk after the process has ended.
    fn after_kill(&self) -> Self {
        Self { calls: 0, fault: None, ..self.clone() }
    }

    fn with_fault(&self, at: u64, fault: Fault) -> Self {
        Self { calls: 0, fault: Some((at, fault)), ..self.clone() }
    }
}

fn paths() -> [PathBuf; 2] {
    ["a", "b"].map(|slot| PathBuf::from(format!("folder/sum.{slot}.checkpoint")))
}

fn header(generation: u64) -> Header {
    Header {
        format: FORMAT,
        key: "sum/1".into(),
        identity: String::new(),
        kind: "range 1..101".into(),
        version: 0,
        generation,
        layout: None,
        printed: None,
        outputs: Vec::new(),
        position: Some(generation),
        done: false,
    }
}

/// The payload of a generation: of one buffer, of several, and of next to nothing after a long one.
fn payload(generation: u64) -> Vec<u8> {
    let length = [0, 1500, 800_000, 100, 600_000, 1][generation as usize % 6];
    (0..length).map(|place| (place as u64 * 31 + generation) as u8).collect()
}

fn open(paper: Paper) -> Result<(Slots<PaperDisk>, Contents), CheckpointError> {
    Slots::open(PaperDisk::new(paper), paths(), "sum/1", &|_| Ok(None))
}

fn save(slots: &mut Slots<PaperDisk>, generation: u64) -> Result<(), SaveError> {
    let payload = payload(generation);
    slots.save(&header(generation), &mut |out| {
        payload.chunks(1000).try_for_each(|part| out.write_all(part)).map_err(|error| error.to_string())
    })
}

/// A disk with the first generations on it, each saved by a process of its own.
fn saved(generations: u64) -> Paper {
    let mut paper = Paper::default();
    for generation in 1..=generations {
        let (mut slots, _) = open(paper).expect("whole");
        save(&mut slots, generation).expect("room");
        paper = slots.into_medium().0.into_inner().after_kill();
    }
    paper
}

/// The generation that is found, which is whole.
fn found(paper: Paper) -> Result<u64, CheckpointError> {
    let (_, contents) = open(paper)?;
    Ok(contents.found.map_or(0, |found| {
        assert_eq!(found.header, header(found.header.generation));
        assert!(found.payload == payload(found.header.generation), "another payload");
        found.header.generation
    }))
}

#[test]
fn a_crash_at_every_call_leaves_the_old_or_the_new_state() {
    let mut chance = Chance(1);
    let (mut crashes, mut old, mut new) = (0, 0, 0);
    for generation in 1..=8 {
        let before = saved(generation - 1);
        for at in 1.. {
            let (mut slots, _) = open(before.clone()).expect("whole");
            slots.medium_mut().0.get_mut().fault = Some((slots.medium_mut().0.get_mut().calls + at, Fault::Stop));
            let result = save(&mut slots, generation);
            let after = slots.into_medium().0.into_inner();
            let disks = std::iter::once(after.after_kill())
                .chain(std::iter::repeat_with(|| after.after_power_loss(&mut chance)).take(20));
            for disk in disks {
                let there = found(disk.clone()).expect("one of both");
                match result {
                    Ok(()) => assert_eq!(there, generation, "saved and lost"),
                    Err(_) if there == generation => new += 1,
                    Err(_) => {
                        assert_eq!(there, generation - 1);
                        old += 1;
                    }
                }
                // It goes on from there.
                let (mut slots, _) = open(disk).expect("whole");
                save(&mut slots, there + 1).expect("room");
                assert_eq!(found(slots.into_medium().0.into_inner().after_kill()).expect("whole"), there + 1);
            }
            if result.is_ok() {
                break;
            }
            crashes += 1;
        }
    }
    // The older one's sync, opening, asking for the length, a folder's sync, writes, shortening, sync: as many as eight
    // saves take.
    assert_eq!(crashes, 47);
    assert!(old > 500 && new > 20, "{old} {new}: both happen");
}

#[test]
fn what_a_killed_process_wrote_and_never_synced() {
    let mut chance = Chance(3);
    for generation in 1..=6 {
        // Killed between the last write and the sync: whole for whoever reads it, and not on the disk.
        let (mut slots, _) = open(saved(generation - 1)).expect("whole");
        save(&mut slots, generation).expect("room");
        let mut killed = slots.into_medium().0.into_inner().after_kill();
        let before = saved(generation - 1);
        for (path, file) in &mut killed.files {
            let older = before.files.get(path).cloned().unwrap_or_default();
            if older.seen != file.seen {
                file.lasting = older.seen;
                file.pending = vec![Change::Length(file.seen.len()), Change::Write(0, file.seen.clone())];
            }
        }
        assert_eq!(found(killed.clone()).expect("whole"), generation);
        // The next process saves over the other file, and the power fails at each of its calls.
        for at in 1.. {
            let (mut slots, _) = open(killed.clone()).expect("whole");
            slots.medium_mut().0.get_mut().fault = Some((slots.medium_mut().0.get_mut().calls + at, Fault::Stop));
            let result = save(&mut slots, generation + 1);
            let after = slots.into_medium().0.into_inner();
            for _ in 0..20 {
                let there = found(after.after_power_loss(&mut chance)).expect("one of both");
                assert!((generation - 1..=generation + 1).contains(&there), "{there} of {generation}");
                assert!(result.is_err() || there == generation + 1, "saved and lost");
            }
            if result.is_ok() {
                break;
            }
        }
    }
}

#[test]
fn a_full_disk_at_every_call_keeps_the_old_state() {
    for generation in 1..=8 {
        let before = saved(generation - 1);
        for at in 1.. {
            let (mut slots, _) = open(before.clone()).expect("whole");
            slots.medium_mut().0.get_mut().fault = Some((slots.medium_mut().0.get_mut().calls + at, Fault::Full));
            let Err(error) = save(&mut slots, generation) else { break };
            assert!(matches!(error, SaveError::Store(_)));
            // Nothing but the sync can fail after all bytes are there.
            let there = found(slots.medium_mut().0.get_mut().after_kill()).expect("whole");
            assert!(there == generation - 1 || there == generation, "{there}");
            // There is room again: the same process goes on.
            save(&mut slots, generation).expect("room");
            assert_eq!(found(slots.into_medium().0.into_inner().after_kill()).expect("whole"), generation);
        }
    }
}

#[test]
fn a_crash_while_opening_changes_nothing() {
    let before = saved(4);
    for at in 1..40 {
        assert!(open(before.with_fault(at, Fault::Stop)).is_err() || at > 10);
    }
    assert_eq!(found(before).expect("whole"), 4);
}

#[test]
fn short_reads_and_writes_are_gone_on_with() {
    let mut paper = Paper { short: Some(20_001), ..Paper::default() };
    for generation in 1..=4 {
        let (mut slots, _) = open(paper).expect("whole");
        save(&mut slots, generation).expect("room");
        paper = slots.into_medium().0.into_inner().after_kill();
        assert_eq!(found(paper.clone()).expect("whole"), generation);
    }
}

/// Two generations, of which the newer is short enough to be damaged often.
fn short() -> Paper {
    let mut paper = Paper::default();
    for generation in [7, 9] {
        let (mut slots, _) = open(paper).expect("whole");
        save(&mut slots, generation).expect("room");
        paper = slots.into_medium().0.into_inner();
    }
    paper
}

fn damaged(paper: &Paper, slot: usize, damage: impl FnOnce(&mut Vec<u8>)) -> Paper {
    let mut paper = paper.clone();
    damage(&mut paper.files.get_mut(&paths()[slot]).expect("there").seen);
    paper
}

#[test]
fn no_flipped_bit_and_no_truncation_is_accepted() {
    let paper = short();
    let lengths = paths().map(|path| paper.files[&path].seen.len());
    assert_eq!(found(paper.clone()).expect("whole"), 9);
    let mut chance = Chance(2);
    for _ in 0..10_000 {
        let bit = chance.below(lengths[1] as u64 * 8) as usize;
        let disk = damaged(&paper, 1, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
        let (_, contents) = open(disk.clone()).expect("the other one is whole");
        assert_eq!(contents.found.expect("the other one").header.generation, 7, "bit {bit}");
        assert!(contents.notice.is_some_and(|notice| notice.contains("sum.b.checkpoint") && !notice.contains('\n')));
        // The other one as well: nothing is left, and nothing starts anew by itself.
        let bit = chance.below(lengths[0] as u64 * 8) as usize;
        let both = damaged(&disk, 0, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
        let error = open(both).map(|_| ()).expect_err("lost");
        assert!(matches!(error, CheckpointError::Lost { .. }), "{error}");
    }
    for length in 0..lengths[1] {
        let disk = damaged(&paper, 1, |bytes| bytes.truncate(length));
        assert_eq!(found(disk).expect("the other one is whole"), 7, "{length} bytes");
    }
    for length in 0..lengths[0] {
        assert_eq!(found(damaged(&paper, 0, |bytes| bytes.truncate(length))).expect("whole"), 9, "{length} bytes");
    }
}

#[test]
fn a_longer_checkpoint_of_before_means_nothing() {
    let disk = damaged(&short(), 1, |bytes| bytes.extend_from_slice(&[b'x'; 5000]));
    assert_eq!(found(disk).expect("whole"), 9);
}

#[test]
fn a_file_that_is_missing() {
    let mut first = short();
    first.files.remove(&paths()[0]);
    let (_, contents) = open(first.clone()).expect("the other one is whole");
    assert_eq!(contents.found.expect("the other one").header.generation, 9);
    assert!(contents.notice.expect("said").contains("sum.a.checkpoint is not there"));
    assert!(open(damaged(&first, 1, |bytes| bytes[60] ^= 1)).is_err_and(|error| error.to_string().contains("rm ")));
    // Two that are empty once held something, for the second is made after the first is whole.
    let emptied = damaged(&damaged(&short(), 0, Vec::clear), 1, Vec::clear);
    assert!(matches!(open(emptied), Err(CheckpointError::Lost { .. })));
    // A first save that was interrupted is no loss: there was nothing before it.
    let only = damaged(&saved(1), 0, |bytes| bytes.truncate(60));
    let (_, contents) = open(only).expect("nothing was lost");
    assert!(contents.found.is_none() && contents.notice.expect("said").contains("starting anew"));
}

/// A file with a checksum that is right.
fn sealed(header: &[u8], payload: &[u8], claimed: u64) -> Vec<u8> {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(header);
    checksum.update(payload);
    checksum.update(FirstLine::lengths(header.len(), claimed).as_bytes());
    let line = FirstLine { checksum: checksum.finalize(), header: header.len(), payload: claimed };
    [&line.bytes()[..], header, payload].concat()
}

#[test]
fn what_is_sealed_and_makes_no_sense() {
    let text = br#"{"format":1,"key":"sum/1","loop":"own","version":0,"generation":9,"done":false}"#;
    let with = |bytes: Vec<u8>| open(damaged(&short(), 1, |there| *there = bytes));
    let (_, contents) = with(sealed(text, b"\xc0", 1)).expect("whole");
    assert_eq!(contents.found.expect("whole").payload, b"\xc0");
    // Lengths that nothing stands behind take no memory.
    for claimed in [2, 1 << 40, u64::MAX, u64::MAX - 130] {
        let (_, contents) = with(sealed(text, b"\xc0", claimed)).expect("the other one is whole");
        assert_eq!(contents.found.expect("the other one").header.generation, 7);
    }
    let newer = br#"{"format":2,"what":"ever"}"#;
    assert!(matches!(with(sealed(newer, b"", 0)), Err(CheckpointError::Format { format: 2, .. })));
    for odd in [&b"{}"[..], b"", b"\xff", br#"{"format":1}"#] {
        let (_, contents) = with(sealed(odd, b"", 0)).expect("the other one is whole");
        assert_eq!(contents.found.expect("the other one").header.generation, 7);
    }
}

proptest! {
    #[test]
    fn no_bytes_are_a_surprise(bytes: Vec<u8>, keep in 0..=LINE) {
        let whole = short().files[&paths()[1]].seen.clone();
        let disk = damaged(&short(), 1, |there| *there = [&whole[..keep], &bytes].concat());
        let there = found(disk);
        prop_assert!(there.is_ok_and(|there| there == 7));
    }
}
