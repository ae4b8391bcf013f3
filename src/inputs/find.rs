//! Which files travel with a job: those of the command line that are here, and those of `--input`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use super::{CodeHasher, hash_file};
use crate::plan::{Command, Identity, JobFile, JobFiles, Word};

/// What travels, and what becomes of each word of the command.
#[derive(Debug)]
pub struct Found {
    /// The files, and where the program starts among them.
    pub files: JobFiles,
    /// What becomes of each word, in order.
    pub words: Vec<WordFate>,
    /// The identity of the code: of these files and of `environment`.
    pub code: Identity,
    /// The place of the set-up among the files.
    pub setup: Option<Word>,
}

/// A word of the command, as typed, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WordFate {
    /// As typed.
    pub word: Word,
    /// What becomes of it.
    pub fate: Fate,
}

/// What becomes of a word of the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A file that is here: it travels with each job, to the same relative place.
    Transferred,
    /// The file is here and the jobs see it there.
    Shared,
    /// A program that the execute point has to have on its PATH; whether this machine has it.
    OnPath {
        /// Whether this machine has it.
        here: bool,
    },
    /// An absolute path: the execute point has to have it.
    Absolute,
    /// A folder that is here; folders travel only when `--input` names them.
    Folder,
    /// Relative, with a slash, and not here.
    Absent,
    /// Not a file: reaches the program as it stands.
    Plain,
    /// Filled in for each chunk.
    Filled,
}

/// Why the files cannot be found out.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// An `--input` that is not there, or a file that cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The path as given.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An input that is neither a file nor a folder.
    #[error("{} is neither a file nor a folder", .0.display())]
    Special(PathBuf),
    /// The program is here but cannot be executed.
    #[error("{} is not executable", .0.display())]
    NotExecutable(PathBuf),
    /// The program is here, but without a slash it is looked for on PATH alone.
    #[error("`{}` is not a program on PATH, but a file in this folder", .0.display())]
    NotOnPath(PathBuf),
    /// Two inputs would have the same place.
    #[error("{} and {} would both arrive as {}", first.display(), second.display(), place.display())]
    SamePlace {
        /// One of them.
        first: PathBuf,
        /// The other.
        second: PathBuf,
        /// Where both would be.
        place: PathBuf,
    },
    /// Relative paths that go up further than there are folders.
    #[error("{} goes up past the root", .0.display())]
    PastRoot(PathBuf),
}

/// Finds what travels with each job of `command`. Relative paths start from `base`; `leave_out` names what the
/// plan itself writes, which an `--input` of the whole folder is not meant to carry. `setup` is the set-up's file.
///
/// # Errors
/// Where an input is not there, cannot be read, or would collide with another; where the program is a file
/// that cannot be executed.
pub fn find(
    base: &Path,
    command: Option<&Command>,
    inputs: &[PathBuf],
    setup: Option<&Path>,
    environment: &BTreeMap<String, Word>,
    shared_filesystem: bool,
    leave_out: &dyn Fn(&Path) -> bool,
) -> Result<Found, FindError> {
    // First, so that of two spellings of its path this one is kept.
    let mut sources: Vec<PathBuf> = setup.map(Path::to_owned).into_iter().collect();
    let mut words = Vec::new();
    if let Some(command) = command {
        for (place, (word, fixed)) in command.words().iter().zip(command.fixed_words()).enumerate() {
            let fate = match &fixed {
                None => Fate::Filled,
                Some(fixed) if place == 0 => program(base, fixed, environment.get("PATH"))?,
                Some(fixed) => argument(base, fixed),
            };
            let is_input =
                |fixed: &Word| inputs.iter().any(|input| normalize(input) == normalize(fixed.as_os_str().as_ref()));
            if fate == Fate::Folder && fixed.as_ref().is_some_and(is_input) {
                // Its files are among the inputs already.
                let fate = if shared_filesystem { Fate::Shared } else { Fate::Transferred };
                words.push(WordFate { word: word.clone(), fate });
                continue;
            }
            if let (Fate::Transferred, Some(fixed)) = (&fate, &fixed) {
                sources.push(PathBuf::from(fixed.as_os_str()));
            }
            let fate = if shared_filesystem && fate == Fate::Transferred { Fate::Shared } else { fate };
            words.push(WordFate { word: word.clone(), fate });
        }
    }
    let mut folders = Vec::new();
    for input in inputs {
        walk(base, input, leave_out, &mut sources, &mut folders)?;
    }
    let files = lay_out(base, sources, folders)?;
    let setup = setup.map(|setup| Word::from(setup.as_os_str().to_owned()));
    let setup = files.files.iter().find(|file| Some(&file.source) == setup.as_ref()).map(|file| file.place.clone());
    let contents = files.files.iter().map(|file| (&file.place, file.content));
    let code = CodeHasher::of(contents, environment, setup.as_ref());
    Ok(Found { files, words, code, setup })
}

/// Whether `name` is an executable file in one of the folders of `path`, or of this machine's PATH.
#[must_use]
pub fn is_on_path(name: &OsStr, path: Option<&Word>) -> bool {
    let path = path.map(|path| path.as_os_str().to_owned()).or_else(|| std::env::var_os("PATH")).unwrap_or_default();
    std::env::split_paths(&path).any(|folder| is_executable(&folder.join(name)))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

fn program(base: &Path, word: &Word, search: Option<&Word>) -> Result<Fate, FindError> {
    let path = Path::new(word.as_os_str());
    let here = base.join(path);
    if path.is_absolute() {
        return Ok(Fate::Absolute);
    }
    if !word.as_bytes().contains(&b'/') {
        let found = is_on_path(word.as_os_str(), search);
        if !found && here.is_file() {
            return Err(FindError::NotOnPath(path.to_owned()));
        }
        return Ok(Fate::OnPath { here: found });
    }
    if !here.is_file() {
        return Ok(Fate::Absent);
    }
    if is_executable(&here) { Ok(Fate::Transferred) } else { Err(FindError::NotExecutable(path.to_owned())) }
}

fn argument(base: &Path, word: &Word) -> Fate {
    let path = Path::new(word.as_os_str());
    if path.is_absolute() && path.exists() {
        return Fate::Absolute;
    }
    match base.join(path).metadata() {
        Ok(found) if found.is_file() => Fate::Transferred,
        Ok(found) if found.is_dir() && !word.as_bytes().is_empty() => Fate::Folder,
        _ => Fate::Plain,
    }
}

/// What of an `--input` travels: itself, or all below it.
fn walk(
    base: &Path,
    input: &Path,
    leave_out: &dyn Fn(&Path) -> bool,
    sources: &mut Vec<PathBuf>,
    folders: &mut Vec<PathBuf>,
) -> Result<(), FindError> {
    let root = base.join(input);
    let as_given = |path: &Path| match path.strip_prefix(&root) {
        Ok(below) if !below.as_os_str().is_empty() => input.join(below),
        _ => input.to_owned(),
    };
    let entries =
        walkdir::WalkDir::new(&root).follow_links(true).into_iter().filter_entry(|entry| !leave_out(entry.path()));
    for entry in entries {
        let entry = entry.map_err(|error| {
            let path = as_given(error.path().unwrap_or(input));
            match error.io_error().and_then(io::Error::raw_os_error) {
                Some(code) => FindError::Unreadable { path, source: io::Error::from_raw_os_error(code) },
                None => FindError::Unreadable { path, source: io::Error::other("its links go round in a loop") },
            }
        })?;
        let path = as_given(entry.path());
        if entry.file_type().is_file() {
            sources.push(path);
        } else if !entry.file_type().is_dir() {
            return Err(FindError::Special(path));
        } else if entry.path().read_dir().is_ok_and(|mut entries| entries.next().is_none()) {
            folders.push(path);
        }
    }
    Ok(())
}

/// Gives every source its place in the job's tree.
fn lay_out(base: &Path, sources: Vec<PathBuf>, folders: Vec<PathBuf>) -> Result<JobFiles, FindError> {
    // How far up a path goes, and the names below.
    let normal = |path: &Path| match path.is_absolute() {
        true => (0, path.file_name().map(PathBuf::from).unwrap_or_default()),
        false => normalize(path),
    };
    // As far up as any goes, so much deeper the program starts.
    let up = sources.iter().chain(&folders).map(|path| normal(path).0).max().unwrap_or(0);
    let start_in = start_in(base, up).ok_or_else(|| FindError::PastRoot("..".into()))?;
    let place = |path: &Path| {
        let (ups, names) = normal(path);
        let above: PathBuf = start_in.components().take(up - ups).collect();
        above.join(names)
    };
    let folders = folders.iter().map(|folder| place(folder).into_os_string().into()).collect();
    let mut files: BTreeMap<Word, (PathBuf, JobFile)> = BTreeMap::new();
    for source in sources {
        let place = place(&source);
        let unreadable = |error| FindError::Unreadable { path: source.clone(), source: error };
        let real = base.join(&source).canonicalize().map_err(unreadable)?;
        let key = Word::from(place.as_os_str().to_owned());
        if let Some((there, file)) = files.get(&key) {
            if *there == real {
                continue;
            }
            let first = PathBuf::from(file.source.as_os_str());
            return Err(FindError::SamePlace { first, second: source, place });
        }
        let (content, bytes) = hash_file(&real).map_err(unreadable)?;
        let file = JobFile { place: key.clone(), source: source.into_os_string().into(), bytes, content };
        files.insert(key, (real, file));
    }
    Ok(JobFiles {
        start_in: start_in.into_os_string().into(),
        files: files.into_values().map(|(_, file)| file).collect(),
        folders,
    })
}

/// How many folders a relative path goes up, and the names below. Lexical, as the program itself will use it.
fn normalize(path: &Path) -> (usize, PathBuf) {
    let mut up = 0;
    let mut names = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name),
            Component::ParentDir if !names.pop() => up += 1,
            _ => {}
        }
    }
    (up, names)
}

/// The last `up` names of the folder `base`; `None` where it has fewer.
fn start_in(base: &Path, up: usize) -> Option<PathBuf> {
    let names: Vec<_> = base
        .components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(OsStr::from_bytes(name.as_bytes())),
            _ => None,
        })
        .collect();
    Some(names[names.len().checked_sub(up)?..].iter().collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new(files: &[&str]) -> Self {
            let folder = Self(tempfile::tempdir().expect("a temporary folder"));
            for file in files {
                let path = folder.0.path().join(file);
                fs::create_dir_all(path.parent().expect("below the folder")).expect("made");
                fs::write(path, file).expect("written");
            }
            folder
        }

        fn find(&self, base: &str, words: &[&str], inputs: &[&str]) -> Result<Found, FindError> {
            let words: Vec<_> = words.iter().map(|&word| Word::from(word)).collect();
            let command = (!words.is_empty()).then(|| Command::try_from(words).expect("a command"));
            let inputs: Vec<_> = inputs.iter().map(PathBuf::from).collect();
            let base = self.0.path().canonicalize().expect("there").join(base);
            find(&base, command.as_ref(), &inputs, None, &BTreeMap::new(), false, &|path| path.ends_with("outputs"))
        }
    }

    fn places(found: &Found) -> Vec<String> {
        found.files.files.iter().map(|file| String::from_utf8_lossy(file.place.as_bytes()).into_owned()).collect()
    }

    #[test]
    fn files_of_the_command_line_travel_and_the_rest_does_not() {
        let folder = Folder::new(&["sum.py", "code/deep.py", "data/a.csv"]);
        let words = ["sh", "sum.py", "./code/deep.py", "{first}", "data", "/etc/passwd", "--fast", ""];
        let found = folder.find("", &words, &[]).expect("found");
        assert_eq!(places(&found), ["code/deep.py", "sum.py"]);
        let fates: Vec<_> = found.words.iter().map(|word| word.fate.clone()).collect();
        use Fate::{Absolute, Filled, OnPath, Plain, Transferred};
        let expected = [OnPath { here: true }, Transferred, Transferred, Filled, Fate::Folder, Absolute, Plain, Plain];
        assert_eq!(fates, expected);
    }

    #[test]
    fn folders_travel_whole_but_without_what_the_plan_wrote() {
        let folder = Folder::new(&["data/a.csv", "data/b c/d,e.csv", "outputs/x.part"]);
        let found = folder.find("", &[], &["."]).expect("found");
        assert_eq!(places(&found), ["data/a.csv", "data/b c/d,e.csv"]);
        assert_eq!(places(&folder.find("", &[], &["data", "data/a.csv"]).expect("found")).len(), 2);
    }

    #[test]
    fn files_above_the_folder_keep_their_places() {
        let folder = Folder::new(&["code/sum.py", "study/run/here.txt"]);
        let found = folder.find("study/run", &["sh", "../../code/sum.py", "here.txt"], &[]).expect("found");
        assert_eq!(places(&found), ["code/sum.py", "study/run/here.txt"]);
        assert_eq!(found.files.start_in, Word::from("study/run"));
    }

    #[test]
    fn what_cannot_work_is_said() {
        let folder = Folder::new(&["sum.sh", "a/x.csv", "b/x.csv"]);
        let error = |words: &[&str], inputs: &[&str]| folder.find("", words, inputs).expect_err("refused").to_string();
        assert_eq!(error(&["sum.sh"], &[]), "`sum.sh` is not a program on PATH, but a file in this folder");
        assert_eq!(error(&["./sum.sh"], &[]), "./sum.sh is not executable");
        assert!(error(&[], &["none.csv"]).contains("none.csv"));
        let (a, b) = (folder.0.path().join("a/x.csv"), folder.0.path().join("b/x.csv"));
        let (a, b) = (a.to_str().expect("text"), b.to_str().expect("text"));
        assert_eq!(error(&[], &[a, b]), format!("{a} and {b} would both arrive as x.csv"));
    }

    #[test]
    fn the_code_is_its_content_and_not_its_age() {
        let folder = Folder::new(&["sum.py"]);
        let code = || folder.find("", &["sh", "sum.py"], &[]).expect("found").code;
        let before = code();
        fs::write(folder.0.path().join("sum.py"), "sum.py").expect("written");
        assert_eq!(code(), before);
        fs::write(folder.0.path().join("sum.py"), "changed").expect("written");
        assert_ne!(code(), before);
    }
}
