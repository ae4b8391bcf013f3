//! The merge by a command of the user's.
//!
//! Each result is a file of its own, a part: of a record with one result for each item, one for each; of an item that is
//! left out, none. So what the command is given does not depend on the cut where the program runs once for each item,
//! and neither does the answer. A single part is the answer of a merge of pairs as it stands; without any the answer is
//! empty, and the command does not run.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rayon::prelude::*;

use super::MergeError;
use super::merge::{Text, each_text, unnamed};
use crate::plan::{DEFAULT_PATH, MergeCommand, Operand, Plan, Word};
use crate::record::{Found, Gathered, Kind};
use crate::space::Interval;

/// Parts that are files at a time where pairs are merged, however many there are: some megabytes of memory and of
/// entries in a folder. A power of two, so that the tree's shape does not show it.
const AT_ONCE: usize = 1 << 14;

/// Merges the results that count by `command`, for [`super::merge`].
pub(super) fn with_command(
    command: &MergeCommand,
    plan: &Plan,
    gathered: &Gathered,
    folder: &Path,
    base: &Path,
    tick: &(dyn Fn(u64) + Sync),
) -> Result<File, MergeError> {
    // The command runs elsewhere, so it is given absolute paths.
    let folder = folder.canonicalize().map_err(unwritable(folder))?;
    let own = tempfile::Builder::new().prefix(".merging-").tempdir_in(&folder).map_err(unwritable(&folder))?;
    let with = With { command, plan, gathered, base, own: own.path(), at_once: AT_ONCE, tick };
    match with.merged()? {
        Some(path) => File::open(&path).map_err(unwritable(&path)),
        None => unnamed(&folder),
    }
}

/// How many parts a record has; where items are left out, fewer.
pub(super) fn most_parts(found: &Found) -> u64 {
    let header = &found.record.header;
    if header.kind == Kind::Each { header.items.count().try_into().unwrap_or(u64::MAX) } else { 1 }
}

fn unwritable(path: &Path) -> impl FnOnce(io::Error) -> MergeError {
    let doing = format!("cannot write {}", path.display());
    move |source| MergeError::File { doing, source }
}

/// A result's file, or that of results which were merged, and the items it stands for.
struct Part {
    path: PathBuf,
    items: Interval,
}

/// Why making parts stops.
enum Stop {
    Reading(io::Error),
    Merging(Box<MergeError>),
}

impl From<MergeError> for Stop {
    fn from(error: MergeError) -> Self {
        Self::Merging(Box::new(error))
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Reading(error)
    }
}

/// What is done with each part, in item order.
type Take<'a> = dyn FnMut(Part) -> Result<(), MergeError> + 'a;

/// A merge by a command.
struct With<'a> {
    command: &'a MergeCommand,
    plan: &'a Plan,
    gathered: &'a Gathered,
    base: &'a Path,
    /// The folder for parts.
    own: &'a Path,
    /// See [`AT_ONCE`].
    at_once: usize,
    tick: &'a (dyn Fn(u64) + Sync),
}

impl With<'_> {
    /// The file that holds the answer.
    fn merged(&self) -> Result<Option<PathBuf>, MergeError> {
        if self.command.takes_parts() {
            return self.of_list();
        }
        let mut pairs = Pairs { with: self, leaves: Vec::new(), merged: Vec::new(), blocks: 0 };
        self.each_part(&mut |part| pairs.add(part))?;
        Ok(pairs.finish()?.map(|part| part.path))
    }

    /// Merges all parts at once.
    fn of_list(&self) -> Result<Option<PathBuf>, MergeError> {
        let list = self.own.join("parts");
        let mut paths = BufWriter::new(File::create(&list).map_err(unwritable(&list))?);
        let mut whole: Option<Interval> = None;
        self.each_part(&mut |part| {
            let line = [part.path.as_os_str().as_encoded_bytes(), b"\n"].concat();
            paths.write_all(&line).map_err(unwritable(&list))?;
            let start = whole.map_or(part.items.start(), |whole| whole.start());
            whole = Interval::new(start, part.items.stop());
            (self.tick)(1);
            Ok(())
        })?;
        paths.flush().map_err(unwritable(&list))?;
        let Some(items) = whole else { return Ok(None) };
        let out = self.own.join("merged");
        self.call(&|_| list.as_os_str().as_encoded_bytes(), items, &out)?;
        Ok(Some(out))
    }

    /// Makes a part of each result. Records are read side by side, as many as have [`AT_ONCE`] parts.
    fn each_part(&self, take: &mut Take<'_>) -> Result<(), MergeError> {
        let chosen: Vec<&Found> = self.gathered.chosen().collect();
        let mut rest = &chosen[..];
        while let Some((first, others)) = rest.split_first() {
            let mut parts = 0u64;
            let fit = |found: &&&Found| {
                parts = parts.saturating_add(most_parts(found));
                parts <= self.at_once as u64
            };
            let (some, after) = rest.split_at(rest.iter().take_while(fit).count());
            if some.is_empty() {
                self.parts_of(first, take)?;
                rest = others;
                continue;
            }
            let parts: Vec<Result<Vec<Part>, MergeError>> = some
                .par_iter()
                .map(|found| {
                    let mut parts = Vec::new();
                    self.parts_of(found, &mut |part| {
                        parts.push(part);
                        Ok(())
                    })?;
                    Ok(parts)
                })
                .collect();
            for parts in parts {
                parts?.into_iter().try_for_each(&mut *take)?;
            }
            rest = after;
        }
        Ok(())
    }

    fn parts_of(&self, found: &Found, take: &mut Take<'_>) -> Result<(), MergeError> {
        each_text::<Stop>(self.gathered, found, &mut |Text { items, content, .. }| {
            let path = self.own.join(format!("part-{:06}", items.start()));
            let mut out = File::create(&path).map_err(unwritable(&path))?;
            io::copy(content, &mut out)?;
            take(Part { path, items }).map_err(Stop::from)
        })
        .map_err(|stop| match stop {
            Stop::Merging(error) => *error,
            Stop::Reading(source) => {
                let doing = format!("cannot copy from {}", self.gathered.path(found).display());
                MergeError::File { doing, source }
            }
        })
    }

    /// Merges neighbours, in item order. The tree's shape depends on how many there are alone.
    fn tree(&self, parts: &[Part]) -> Result<Part, MergeError> {
        if let [Part { path, items }] = parts {
            return Ok(Part { path: path.clone(), items: *items });
        }
        let (left, right) = parts.split_at(parts.len().next_power_of_two() / 2);
        let (left, right) = rayon::join(|| self.tree(left), || self.tree(right));
        self.pair(&left?, &right?)
    }

    /// Merges two neighbours, whose files are deleted.
    fn pair(&self, left: &Part, right: &Part) -> Result<Part, MergeError> {
        let items = Interval::new(left.items.start(), right.items.stop()).expect("in item order");
        let path = self.own.join(format!("merged-{:06}-{:06}", items.start(), items.last()));
        let operand = |operand| match operand {
            Operand::Left | Operand::Parts => left.path.as_os_str().as_encoded_bytes(),
            Operand::Right => right.path.as_os_str().as_encoded_bytes(),
        };
        self.call(&operand, items, &path)?;
        for used in [left, right] {
            fs::remove_file(&used.path).map_err(unwritable(&used.path))?;
        }
        (self.tick)(1);
        Ok(Part { path, items })
    }

    /// Runs the command once, its standard output going into `out`.
    fn call<'b>(&self, operand: &dyn Fn(Operand) -> &'b [u8], items: Interval, out: &Path) -> Result<(), MergeError> {
        let failed = |how: String, last_words: String| MergeError::Command { items, how, last_words };
        let words = self.command.fill(operand);
        let file = File::create(out).map_err(unwritable(out))?;
        let mut process = Command::new(words[0].as_os_str());
        if std::env::var_os("PATH").is_none_or(|path| path.is_empty()) {
            // As in a DAG's reduce node.
            process.env("PATH", DEFAULT_PATH);
        }
        let started = process
            .envs(self.plan.environment.iter().map(|(name, value)| (name, value.as_os_str())))
            .args(words[1..].iter().map(Word::as_os_str))
            .current_dir(self.base)
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(Stdio::piped())
            .spawn();
        let mut child = started.map_err(|error| failed(format!("{}: {error}", words[0].quoted()), String::new()))?;
        let mut last_words = Vec::new();
        if let Some(stderr) = child.stderr.take() {
            let mut stderr = stderr;
            let mut buffer = [0; 1 << 12];
            while let Ok(got @ 1..) = stderr.read(&mut buffer) {
                last_words.extend_from_slice(&buffer[..got]);
                last_words.drain(..last_words.len().saturating_sub(1 << 12));
            }
        }
        let status = child.wait().map_err(|error| failed(error.to_string(), String::new()))?;
        if status.success() {
            return Ok(());
        }
        Err(failed(status.to_string(), String::from_utf8_lossy(&last_words).into_owned()))
    }
}

/// Pairs that are merged while parts come: a tree over each block of [`AT_ONCE`] parts, and the one over the blocks, as a
/// counter carries its digits.
struct Pairs<'a> {
    with: &'a With<'a>,
    /// The parts of a block, until it is full.
    leaves: Vec<Part>,
    /// Blocks that were merged: a power of two of them each, fewer and fewer.
    merged: Vec<Part>,
    /// How many blocks there were.
    blocks: u64,
}

impl Pairs<'_> {
    fn add(&mut self, part: Part) -> Result<(), MergeError> {
        self.leaves.push(part);
        if self.leaves.len() < self.with.at_once {
            return Ok(());
        }
        let mut block = self.with.tree(&self.leaves)?;
        self.leaves.clear();
        self.blocks += 1;
        for _ in 0..self.blocks.trailing_zeros() {
            let left = self.merged.pop().expect("one for each digit that carries");
            block = self.with.pair(&left, &block)?;
        }
        self.merged.push(block);
        Ok(())
    }

    fn finish(mut self) -> Result<Option<Part>, MergeError> {
        let mut whole = if self.leaves.is_empty() { None } else { Some(self.with.tree(&self.leaves)?) };
        while let Some(left) = self.merged.pop() {
            whole = Some(match whole {
                Some(right) => self.with.pair(&left, &right)?,
                None => left,
            });
        }
        Ok(whole)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::cut::Cut;
    use crate::plan::testing::plan;
    use crate::record::{Head, Header, gather, partial_name, write, write_head};

    /// Nine items in three records: one for each, all together, with one that is left out.
    fn partials(plan: &Plan, folder: &Path) {
        for (start, stop, kind) in [(0, 4, Kind::Each), (4, 5, Kind::Whole), (5, 9, Kind::Each)] {
            let mut payload = Vec::new();
            for item in start..stop {
                match (&kind, item) {
                    (Kind::Whole, _) => payload.extend(b"4"),
                    (_, 6) => write_head(&mut payload, Head::LeftOut).expect("in memory"),
                    _ => {
                        write_head(&mut payload, Head::Result { bytes: 1, files: 0 }).expect("in memory");
                        payload.extend(item.to_string().as_bytes());
                    }
                }
            }
            let header = Header {
                plan: plan.identity,
                code: plan.code,
                items: Interval::new(start, stop).expect("not empty"),
                kind,
                seconds: 0.0,
                host: "here".into(),
                attempt: "0".into(),
            };
            let mut crc = crc32fast::Hasher::new();
            crc.update(&payload);
            let mut bytes = Vec::new();
            write(&mut bytes, &header, &mut &payload[..], payload.len() as u64, &crc).expect("in memory");
            fs::write(folder.join(partial_name(start as u64, "0")), bytes).expect("written");
        }
    }

    #[test]
    fn how_many_files_there_are_at_a_time_does_not_show() {
        let plan = plan("0..9", Cut::into_chunks(9, 3).expect("a cut"));
        let outputs = tempfile::tempdir().expect("a folder");
        partials(&plan, outputs.path());
        let gathered = gather(outputs.path(), &plan, &|_| {}).expect("read");
        let words = ["sh", "-c", r#"printf '(%s%s)' "$(cat "$0")" "$(cat "$1")""#, "{left}", "{right}"];
        let command: MergeCommand = words.map(Word::from).to_vec().try_into().expect("a command");
        for at_once in [1, 2, 4, 8, 16] {
            let own = tempfile::tempdir().expect("a folder");
            let ticks = AtomicU64::new(0);
            let tick = |more| {
                ticks.fetch_add(more, Ordering::Relaxed);
            };
            let (gathered, base) = (&gathered, outputs.path());
            let with = With { command: &command, plan: &plan, gathered, base, own: own.path(), at_once, tick: &tick };
            let path = with.merged().expect("merged").expect("results");
            assert_eq!(fs::read_to_string(&path).expect("read"), "(((01)(23))((45)(78)))", "{at_once}");
            assert_eq!(own.path().read_dir().expect("listed").count(), 1, "what was merged is deleted");
            assert_eq!(ticks.into_inner(), 7);
            assert_eq!(gathered.chosen().map(most_parts).sum::<u64>(), 9);
        }
    }
}
