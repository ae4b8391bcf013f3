//! Files that a loop appends to, and that are part of what it saves.
//!
//! A save first brings what was written to the disk, and then notes how much that is and its checksum. A loop that goes on cuts each
//! file back to there, so that each line is in it once, however often the loop was interrupted.
//!
//! A file has two names: the one that the program gives it, and one in the folder of the checkpoints, `NAME@FILE.output`. So it is
//! carried wherever they are carried, and has its first name again there. Where a file system has no second names (hard links),
//! the file is copied to the first one at the end.
//!
//! Invariant: a checkpoint is gone on from only if all is there that had been written when it was saved. What another program has
//! left under a file's name is not written over.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::error::{CheckpointError, quoted};
use super::key::Key;
use crate::store::{self, StoreError};

/// The outputs that this process has had, by their paths, with their names in the folder of the checkpoints.
static OURS: Mutex<BTreeMap<PathBuf, PathBuf>> = Mutex::new(BTreeMap::new());

/// So much is collected before it is written.
const BUFFER: usize = 1 << 16;

/// They are named in each header, which has an end.
const MOST: usize = 16;
const LONGEST_NAME: usize = 100;

/// A file that a loop appends to ([`Settings::output`](super::Settings::output)): what is written is in it once, however often the loop
/// is interrupted.
///
/// It is written to by the loop alone, from its first step to its end; before and after that writing is an error. What the disk
/// has no room for stays in memory, and the next save says so.
pub struct Output {
    shared: Arc<Mutex<Shared>>,
}

/// How much of an output belongs to a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    pub(super) name: String,
    pub(super) bytes: u64,
    /// zlib's CRC-32.
    pub(super) checksum: u32,
}

/// All outputs of a loop.
#[derive(Debug, Default)]
pub(super) struct Outputs(Vec<Arc<Mutex<Shared>>>);

/// Outputs that a save has to bring to the disk.
#[derive(Debug, Default)]
pub(super) struct Unsynced(Vec<(Arc<Opened>, PathBuf, u64)>);

#[derive(Debug)]
struct Shared {
    /// As the program names it.
    path: PathBuf,
    name: String,
    /// In the folder of the checkpoints.
    own: PathBuf,
    phase: Phase,
    /// Whether another file may be replaced that has its path: what other items left in the folder that the program starts in, and no
    /// output of another loop.
    may_replace: bool,
    /// Whether what there is to go on from has its own name; else it has the program's.
    is_own: bool,
    /// Whether the file has both names.
    is_linked: bool,
    buffer: Vec<u8>,
    /// Of what is in the file.
    length: u64,
    checksum: crc32fast::Hasher,
}

#[derive(Debug)]
enum Phase {
    Before,
    Going(Arc<Opened>),
    Over,
}

#[derive(Debug)]
struct Opened {
    file: File,
    /// So much is known to be on the disk.
    synced: AtomicU64,
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut shared = lock(&self.shared);
        shared.file()?;
        shared.buffer.extend_from_slice(bytes);
        if shared.buffer.len() >= BUFFER {
            // Where there is no room the next save tries again, and says so.
            let _ = shared.put();
        }
        Ok(bytes.len())
    }

    /// Writes what was collected, for others to read; a save does so by itself.
    fn flush(&mut self) -> io::Result<()> {
        lock(&self.shared).put()
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Output").field("path", &lock(&self.shared).path).finish_non_exhaustive()
    }
}

impl Outputs {
    /// One more.
    pub(super) fn add(&mut self, path: PathBuf) -> Output {
        let shared = Arc::new(Mutex::new(Shared {
            path,
            name: String::new(),
            own: PathBuf::new(),
            phase: Phase::Before,
            may_replace: false,
            is_own: true,
            is_linked: false,
            buffer: Vec::new(),
            length: 0,
            checksum: crc32fast::Hasher::new(),
        }));
        self.0.push(Arc::clone(&shared));
        Output { shared }
    }

    /// Gives each its name in the folder of the checkpoints.
    pub(super) fn place(&self, folder: &Path, key: &Key) -> Result<(), CheckpointError> {
        if self.0.len() > MOST {
            return Err(CheckpointError::Setting("a loop has 16 outputs at most"));
        }
        let mut names: Vec<String> = Vec::new();
        for output in &self.0 {
            let mut output = lock(output);
            let wrong = |wrong: &str| CheckpointError::Output { path: output.path.clone(), wrong: wrong.to_owned() };
            let name = output.path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            if name.is_empty() || name.len() > LONGEST_NAME || name.contains(char::is_control) {
                return Err(wrong("is no output: the name of its file is one line of at most 100 bytes"));
            }
            if names.contains(&name) {
                return Err(wrong("has the same name as another output of the loop"));
            }
            // The program may change its working folder later on.
            let path = std::path::absolute(&output.path).map_err(StoreError::on("find", &output.path))?;
            output.own = key.output(folder, &name);
            let is_below = std::env::current_dir().is_ok_and(|here| path.starts_with(here))
                && !path.components().any(|part| part == Component::ParentDir);
            let mut ours = OURS.lock().unwrap_or_else(PoisonError::into_inner);
            output.may_replace = is_below && *ours.entry(path.clone()).or_insert(output.own.clone()) == output.own;
            output.path = path;
            output.name = name.clone();
            names.push(name);
        }
        Ok(())
    }

    /// What is missing of what had been written when something was saved, and decides where to take it from.
    pub(super) fn missing(&self, written: &[Written], is_done: bool) -> Result<Option<String>, CheckpointError> {
        for output in &self.0 {
            let mut output = lock(output);
            let Some(written) = written.iter().find(|written| written.name == output.name) else { continue };
            if written.bytes == 0 {
                // Any file would do.
                output.is_own = output.own.exists();
                continue;
            }
            let own = found(&output.own, written)?;
            output.is_own = matches!(own, Found::Whole);
            // After the end the file is its user's.
            if output.is_own || (is_done && output.path.exists()) {
                continue;
            }
            let there = found(&output.path, written)?;
            if !matches!(there, Found::Whole) {
                let worse = if matches!(own, Found::Absent) { there } else { own };
                return Ok(Some(format!("goes with {} of {}, {worse}", bytes(written.bytes), output.path.display())));
            }
        }
        Ok(None)
    }

    /// Refuses a checkpoint that was saved with other outputs. Where all is done, one that is not asked for any more does no harm.
    pub(super) fn are_those_of(&self, path: &Path, written: &[Written], is_done: bool) -> Result<(), CheckpointError> {
        let names: Vec<_> = self.0.iter().map(|output| lock(output).name.clone()).collect();
        let lacking = names.iter().find(|name| written.iter().all(|written| written.name != **name));
        let odd = written.iter().find(|written| !is_done && !names.contains(&written.name));
        let wrong = match (lacking, odd) {
            (None, None) => return Ok(()),
            (Some(name), _) => {
                format!("was saved without the output {name}, in which what was due until then would be missing")
            }
            (None, Some(odd)) => format!("was saved with the output {}, which this program does not have", odd.name),
        };
        let [first, second] = super::slots::pair(path).map(|path| quoted(&path));
        let wrong = format!("{wrong}; a higher version goes on all the same, rm {first} {second} starts anew");
        Err(CheckpointError::Output { path: path.to_owned(), wrong })
    }

    /// Brings each file to what it was when the state was saved that the loop goes on from; empties it where there is none.
    /// `replaces` says whether what another program has left under its name may go.
    pub(super) fn begin(&self, written: &[Written], is_done: bool, replaces: bool) -> Result<(), CheckpointError> {
        for output in &self.0 {
            let mut output = lock(output);
            let there = written.iter().find(|written| written.name == output.name).cloned();
            match (is_done, there) {
                (true, there) => output.show(there.is_some(), replaces)?,
                (false, there) => output.begin(there.as_ref(), replaces)?,
            }
        }
        Ok(())
    }

    /// Writes what was collected; says how much there is now, and what of it has to be brought to the disk.
    pub(super) fn put(&self) -> Result<(Vec<Written>, Unsynced), StoreError> {
        let (mut written, mut unsynced) = (Vec::new(), Vec::new());
        for output in &self.0 {
            let mut output = lock(output);
            let path = output.path.clone();
            output.put().map_err(StoreError::on("write", &path))?;
            let (name, bytes) = (output.name.clone(), output.length);
            written.push(Written { name, bytes, checksum: output.checksum.clone().finalize() });
            if let Phase::Going(opened) = &output.phase {
                unsynced.push((Arc::clone(opened), path, bytes));
            }
        }
        Ok((written, Unsynced(unsynced)))
    }

    /// Nothing more is written; gives each file its name, where it has not had it from the beginning.
    pub(super) fn end(&self) -> Result<(), CheckpointError> {
        for output in &self.0 {
            let mut output = lock(output);
            output.phase = Phase::Over;
            if !output.is_linked {
                if !output.may_replace && output.path.symlink_metadata().is_ok() {
                    let (path, own) = (quoted(&output.path), quoted(&output.own));
                    let wrong = format!(
                        "is there by now, and is none of this loop's; with mv {path} {path}.other the next start puts there \
                         what was written, which is in {own}"
                    );
                    return Err(CheckpointError::Output { path: output.path.clone(), wrong });
                }
                copy(&output.own, &output.path)?;
                output.is_linked = true;
            }
        }
        Ok(())
    }
}

impl Drop for Outputs {
    fn drop(&mut self) {
        for output in &self.0 {
            lock(output).phase = Phase::Over;
        }
    }
}

impl Unsynced {
    /// Waits for the disk.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        for (opened, path, length) in &self.0 {
            if opened.synced.load(Ordering::SeqCst) != *length {
                opened.file.sync_data().map_err(StoreError::on("sync", path))?;
                opened.synced.store(*length, Ordering::SeqCst);
            }
        }
        Ok(())
    }
}

impl Shared {
    fn file(&self) -> io::Result<&Arc<Opened>> {
        match &self.phase {
            Phase::Going(opened) => Ok(opened),
            Phase::Before => {
                Err(io::Error::other(format!("{} is written to by its loop, which has not begun", self.path.display())))
            }
            Phase::Over => {
                Err(io::Error::other(format!("{} is written to by its loop, which has ended", self.path.display())))
            }
        }
    }

    /// Writes what was collected.
    fn put(&mut self) -> io::Result<()> {
        let opened = Arc::clone(self.file()?);
        opened.file.write_all_at(&self.buffer, self.length)?;
        self.length += self.buffer.len() as u64;
        self.checksum.update(&self.buffer);
        self.buffer.clear();
        Ok(())
    }

    fn begin(&mut self, written: Option<&Written>, replaces: bool) -> Result<(), CheckpointError> {
        self.may_replace &= replaces;
        let goes_on = written.is_some();
        let written = written.filter(|written| written.bytes > 0);
        if written.is_some() && !self.is_own {
            // It lost the second name, as files do that are copied by hand.
            if self.own.exists() {
                fs::remove_file(&self.own).map_err(StoreError::on("remove", &self.own))?;
            }
            if !link(&self.path, &self.own)? {
                copy(&self.path, &self.own)?;
            }
        }
        self.free_name(written, goes_on)?;
        if written.is_none() && self.own.exists() {
            // What an earlier run wrote may be its user's by now, under a third name.
            if std::mem::take(&mut self.is_linked) {
                fs::remove_file(&self.path).map_err(StoreError::on("replace", &self.path))?;
            }
            fs::remove_file(&self.own).map_err(StoreError::on("remove", &self.own))?;
        }
        let is_new = !self.own.exists();
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&self.own);
        let file = file.map_err(StoreError::on("write", &self.own))?;
        if !self.is_linked {
            self.give_name()?;
        }
        self.length = written.map_or(0, |written| written.bytes);
        self.checksum = crc32fast::Hasher::new_with_initial(written.map_or(0, |written| written.checksum));
        file.set_len(self.length).map_err(StoreError::on("shorten", &self.path))?;
        if is_new {
            store::sync_folder(store::parent(&self.own))?;
        }
        self.phase = Phase::Going(Arc::new(Opened { file, synced: AtomicU64::new(u64::MAX) }));
        Ok(())
    }

    /// After the end: the file is there under its name.
    fn show(&mut self, is_known: bool, replaces: bool) -> Result<(), CheckpointError> {
        self.phase = Phase::Over;
        self.may_replace &= replaces;
        if is_known && self.is_own && (self.may_replace || !self.path.exists()) {
            self.free_name(None, true)?;
            if self.is_linked {
                // It has its name anew: whoever collects what this run leaves sees it by that.
                fs::remove_file(&self.path).map_err(StoreError::on("replace", &self.path))?;
            }
            self.give_name()?;
            if !self.is_linked {
                copy(&self.own, &self.path)?;
            }
        }
        self.is_linked = true;
        Ok(())
    }

    /// Removes what else has the name that the program has for the file, if it may go: it may also where it is a copy of what was
    /// `written`.
    fn free_name(&mut self, written: Option<&Written>, goes_on: bool) -> Result<(), CheckpointError> {
        let number = |path: &Path| path.metadata().ok().map(|found| (found.dev(), found.ino()));
        let there = number(&self.path);
        self.is_linked = there.is_some() && there == number(&self.own);
        if self.is_linked || self.path.symlink_metadata().is_err() {
            return Ok(());
        }
        let there = written.map(|written| found(&self.path, written)).transpose()?;
        if !(self.may_replace || matches!(there, Some(Found::Whole))) {
            let path = quoted(&self.path);
            let help = match goes_on {
                true => format!("with mv {path} {path}.other the loop goes on with its own"),
                false => format!("rm {path} starts it anew, another name keeps both"),
            };
            let wrong = format!("is there already, and not as this loop left it; {help}");
            return Err(CheckpointError::Output { path: self.path.clone(), wrong });
        }
        Ok(fs::remove_file(&self.path).map_err(StoreError::on("replace", &self.path))?)
    }

    /// Gives the file the name that the program has for it, if it can have two.
    fn give_name(&mut self) -> Result<(), CheckpointError> {
        self.is_linked = link(&self.own, &self.path)?;
        if self.is_linked { Ok(store::sync_folder(store::parent(&self.path))?) } else { Ok(()) }
    }
}

/// What there is of a file.
enum Found {
    Whole,
    Absent,
    Short(u64),
    Another,
}

impl fmt::Display for Found {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Found::Whole => formatter.write_str("which are there"),
            Found::Absent => formatter.write_str("which is not there"),
            Found::Short(length) => write!(formatter, "which has {}", bytes(*length)),
            Found::Another => formatter.write_str("which are not what was written (checksum)"),
        }
    }
}

fn found(path: &Path, written: &Written) -> Result<Found, CheckpointError> {
    let read = || -> io::Result<Found> {
        let mut file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Absent),
            opened => opened?.take(written.bytes),
        };
        let (mut checksum, mut buffer, mut length) = (crc32fast::Hasher::new(), vec![0; BUFFER], 0);
        loop {
            match file.read(&mut buffer) {
                Ok(0) if length < written.bytes => return Ok(Found::Short(length)),
                Ok(0) if checksum.clone().finalize() == written.checksum => return Ok(Found::Whole),
                Ok(0) => return Ok(Found::Another),
                Ok(read) => {
                    checksum.update(&buffer[..read]);
                    length += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    };
    Ok(read().map_err(StoreError::on("read", path))?)
}

/// Gives a file a second name; false where it cannot have one.
fn link(from: &Path, to: &Path) -> Result<bool, StoreError> {
    match fs::hard_link(from, to) {
        Ok(()) => Ok(true),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::CrossesDevices
                    | io::ErrorKind::PermissionDenied
                    | io::ErrorKind::TooManyLinks
                    | io::ErrorKind::Unsupported
            ) =>
        {
            Ok(false)
        }
        Err(error) => Err(StoreError::on("write", to)(error)),
    }
}

/// Copies a file in place of another.
fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    let new = to.with_file_name(format!(".{name}.copying"));
    let copied = fs::copy(from, &new).and_then(|_| File::open(&new)?.sync_all()).and_then(|()| fs::rename(&new, to));
    copied.map_err(StoreError::on("write", to))?;
    store::sync_folder(store::parent(to))
}

fn bytes(count: u64) -> String {
    if count == 1 { "1 byte".to_owned() } else { format!("{count} bytes") }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
