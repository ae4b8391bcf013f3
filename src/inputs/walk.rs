//! What travels, gathered file by file and folder by folder, and the places that it gets.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::environment::{EnvironmentKind, containing, kind_of, lexical, old_paths};
use super::find::FindError;
use super::hash_file;
use super::interpreter::{is_interpreter, is_of_the_system};
use crate::plan::{Environment, JobFile, JobFiles, JobLink, Word};

/// A place as the folder planned in sees it: so many folders up, and the names below that.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spot {
    pub(super) up: usize,
    pub(super) names: PathBuf,
}

impl Spot {
    /// Where `path` arrives. Relative ones keep their place, by their names alone, as the program itself will use
    /// them; of an absolute one the last name is left.
    pub(super) fn of(path: &Path) -> Self {
        let mut spot = Self { up: 0, names: PathBuf::new() };
        if path.is_absolute() {
            spot.names.extend(path.file_name());
            return spot;
        }
        for component in path.components() {
            match component {
                Component::Normal(name) => spot.names.push(name),
                Component::ParentDir if !spot.names.pop() => spot.up += 1,
                _ => {}
            }
        }
        spot
    }

    fn below(&self, path: &Path) -> Self {
        Self { up: self.up, names: self.names.components().chain(path.components()).collect() }
    }
}

/// A file that travels: as it is named here, and where it arrives.
#[derive(Clone, Debug)]
struct Source {
    given: PathBuf,
    spot: Spot,
}

/// An environment that travels whole.
#[derive(Clone, Debug)]
pub(super) struct Root {
    /// As it is named here.
    pub(super) given: PathBuf,
    pub(super) kind: EnvironmentKind,
    pub(super) spot: Spot,
}

/// What travels.
pub(super) struct Gathering<'a> {
    base: &'a Path,
    /// So many folders up something goes, at least.
    up: usize,
    /// What the plan itself writes, which an input of the whole folder is not meant to carry.
    leave_out: &'a dyn Fn(&Path) -> bool,
    files: Vec<Source>,
    folders: Vec<Spot>,
    links: BTreeMap<Spot, PathBuf>,
    pub(super) environments: Vec<Root>,
}

impl<'a> Gathering<'a> {
    pub(super) fn new(base: &'a Path, up: usize, leave_out: &'a dyn Fn(&Path) -> bool) -> Self {
        let (files, folders, links, environments) = (Vec::new(), Vec::new(), BTreeMap::new(), Vec::new());
        Self { base, up, leave_out, files, folders, links, environments }
    }

    /// One file.
    pub(super) fn file(&mut self, given: &Path) {
        self.files.push(Source { given: given.to_owned(), spot: Spot::of(given) });
    }

    /// Whether a file with this name travels.
    pub(super) fn has(&self, given: &Path) -> bool {
        let spot = Spot::of(given);
        self.files.iter().any(|file| file.spot == spot)
    }

    /// A file or folder with all below it. Links are followed, but for those of environments.
    pub(super) fn input(&mut self, input: &Path) -> Result<(), FindError> {
        let root = self.base.join(input);
        let as_given = |path: &Path| match path.strip_prefix(&root) {
            Ok(below) if !below.as_os_str().is_empty() => input.join(below),
            _ => input.to_owned(),
        };
        let leave_out = self.leave_out;
        let mut entries =
            walkdir::WalkDir::new(&root).follow_links(true).into_iter().filter_entry(|entry| !leave_out(entry.path()));
        while let Some(entry) = entries.next() {
            let entry = entry.map_err(|error| unreadable(&error, &as_given(error.path().unwrap_or(input))))?;
            let given = as_given(entry.path());
            let below = entry.path().strip_prefix(&root).unwrap_or(Path::new(""));
            let spot = Spot::of(input).below(below);
            if entry.file_type().is_file() {
                self.files.push(Source { given, spot });
            } else if !entry.file_type().is_dir() {
                return Err(FindError::Special(given));
            } else if let Some(kind) = kind_of(entry.path()) {
                entries.skip_current_dir();
                self.environment(Root { given, kind, spot })?;
            } else if is_empty(entry.path()) {
                self.folders.push(spot);
            }
        }
        Ok(())
    }

    /// An environment with all that is in it.
    pub(super) fn environment(&mut self, mut root: Root) -> Result<(), FindError> {
        root.given = tidy(&root.given);
        if self.environments.iter().any(|there| there.spot == root.spot) {
            return Ok(());
        }
        self.environments.push(root.clone());
        let real = self.base.join(&root.given).canonicalize();
        let real = real.map_err(|source| FindError::Unreadable { path: root.given.clone(), source })?;
        let leave_out = self.leave_out;
        let mut entries = walkdir::WalkDir::new(&real).into_iter().filter_entry(|entry| !leave_out(entry.path()));
        while let Some(entry) = entries.next() {
            let entry = entry.map_err(|error| unreadable(&error, error.path().unwrap_or(&root.given)))?;
            let below = entry.path().strip_prefix(&real).unwrap_or(Path::new(""));
            let (given, spot) = (root.given.join(below), root.spot.below(below));
            if entry.file_type().is_symlink() {
                self.link(&root, &real, below)?;
            } else if entry.file_type().is_file() {
                self.files.push(Source { given, spot });
            } else if !entry.file_type().is_dir() {
                return Err(FindError::Special(given));
            } else if let Some(kind) = kind_of(entry.path()).filter(|_| entry.depth() > 0) {
                entries.skip_current_dir();
                self.environment(Root { given, kind, spot })?;
            } else if is_empty(entry.path()) {
                self.folders.push(spot);
            }
        }
        Ok(())
    }

    /// A link in an environment. What it points to decides: the environment's own travels and the link is made again;
    /// an interpreter, and what belongs to the machine, is the execute point's; what else is a file travels in the
    /// link's stead, since the execute point would not have it (a cache that packages are linked from).
    fn link(&mut self, root: &Root, real: &Path, below: &Path) -> Result<(), FindError> {
        let path = real.join(below);
        let given = root.given.join(below);
        let spot = root.spot.below(below);
        let target = fs::read_link(&path).map_err(|source| FindError::Unreadable { path: given.clone(), source })?;
        let folder = path.parent().unwrap_or(real);
        let named = lexical(&folder.join(&target));
        let olds = old_paths(self.base, &root.given);
        if let Some(within) = olds.iter().chain([&real.to_owned()]).find_map(|old| named.strip_prefix(old).ok()) {
            let own = below.parent().unwrap_or(Path::new(""));
            let relative = if target.is_absolute() { pathdiff::diff_paths(within, own) } else { None };
            self.links.insert(spot, relative.unwrap_or(target));
            return Ok(());
        }
        // Of what lies below the folder planned in, an installation or a file can travel as well.
        // By its own name where that says so: what pyvenv.cfg calls home is spelled like that too.
        let spellings = [Some(named.clone()), in_real_folder(&named)];
        if let Some(sent) = spellings.iter().flatten().find_map(|path| path.strip_prefix(self.base).ok())
            && named.is_file()
            && !(self.leave_out)(&self.base.join(sent))
        {
            let from = lexical(&self.base.join(&root.given)).join(below.parent().unwrap_or(Path::new("")));
            let relative = pathdiff::diff_paths(self.base.join(sent), from);
            match containing(self.base, sent) {
                Some((given, kind)) => self.environment(Root { spot: Spot::of(&given), given, kind })?,
                None if is_interpreter(named.file_name().unwrap_or_default()) => {
                    self.links.insert(spot, named);
                    return Ok(());
                }
                None => self.file(sent),
            }
            self.links.insert(spot, relative.unwrap_or(named));
            return Ok(());
        }
        let is_machines = |path: &Path| is_of_the_system(path) || path.file_name().is_some_and(is_interpreter);
        if is_machines(&named) || is_machines(&path) || !named.is_file() {
            self.links.insert(spot, named);
        } else {
            self.files.push(Source { given, spot });
        }
        Ok(())
    }

    /// Gives everything its place in the job's tree.
    pub(super) fn lay_out(self) -> Result<JobFiles, FindError> {
        let sources = self.files.iter().map(|file| &file.spot);
        let roots = self.environments.iter().map(|root| &root.spot);
        let spots = sources.chain(&self.folders).chain(self.links.keys()).chain(roots);
        // As far up as any goes, so much deeper the program starts.
        let up = spots.map(|spot| spot.up).fold(self.up, usize::max);
        let start_in = start_in(self.base, up).ok_or_else(|| FindError::PastRoot("..".into()))?;
        let place = |spot: &Spot| -> PathBuf {
            start_in.components().take(up - spot.up).chain(spot.names.components()).collect()
        };
        let word = |path: PathBuf| Word::from(path.into_os_string());
        let mut files: BTreeMap<Word, (PathBuf, JobFile)> = BTreeMap::new();
        for Source { given, spot } in &self.files {
            let place = place(spot);
            let unreadable = |error| FindError::Unreadable { path: given.clone(), source: error };
            let real = self.base.join(given).canonicalize().map_err(unreadable)?;
            let key = word(place.clone());
            if let Some((there, file)) = files.get(&key) {
                if *there == real {
                    continue;
                }
                let first = PathBuf::from(file.source.as_os_str());
                return Err(FindError::SamePlace { first, second: given.clone(), place });
            }
            let (content, bytes) = hash_file(&real).map_err(unreadable)?;
            let file = JobFile { place: key.clone(), source: word(given.clone()), bytes, content };
            files.insert(key, (real, file));
        }
        let links =
            self.links.iter().map(|(spot, target)| JobLink { place: word(place(spot)), target: word(target.clone()) });
        let environments = self.environments.iter().flat_map(|root| {
            let place = word(place(&root.spot));
            let old = old_paths(self.base, &root.given).into_iter();
            old.map(move |was| Environment { place: place.clone(), was: word(was) })
        });
        let mut environments: Vec<_> = environments.collect();
        environments.sort();
        Ok(JobFiles {
            folders: self.folders.iter().map(|spot| word(place(spot))).collect(),
            links: links.collect(),
            environments,
            urls: Vec::new(),
            files: files.into_values().map(|(_, file)| file).collect(),
            start_in: word(start_in),
        })
    }
}

/// `path` without `.`, unless that is all of it.
fn tidy(path: &Path) -> PathBuf {
    let tidy: PathBuf = path.components().filter(|part| *part != Component::CurDir).collect();
    if tidy.as_os_str().is_empty() { PathBuf::from(".") } else { tidy }
}

/// `path` with the links of its folder resolved, and its own name left.
fn in_real_folder(path: &Path) -> Option<PathBuf> {
    Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?))
}

fn is_empty(folder: &Path) -> bool {
    folder.read_dir().is_ok_and(|mut entries| entries.next().is_none())
}

fn unreadable(error: &walkdir::Error, path: &Path) -> FindError {
    let path = path.to_owned();
    match error.io_error().and_then(io::Error::raw_os_error) {
        Some(code) => FindError::Unreadable { path, source: io::Error::from_raw_os_error(code) },
        None => FindError::Unreadable { path, source: io::Error::other("its links go round in a loop") },
    }
}

/// The last `up` names of the folder `base`; `None` where it has fewer.
fn start_in(base: &Path, up: usize) -> Option<PathBuf> {
    let is_name = |component: &Component<'_>| matches!(component, Component::Normal(_));
    let names: Vec<_> = base.components().filter(is_name).collect();
    Some(names[names.len().checked_sub(up)?..].iter().collect())
}
