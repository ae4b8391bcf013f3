//! Which files travel with a job: those of the command line that are here, and those of `--input`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::doubt::{self, Doubt};
use super::environment::{self, EnvironmentKind, MadeBy, containing};
use super::interpreter::is_interpreter;
use super::libraries::Search;
use super::url::{self, Url, UrlError, url_places};
use super::walk::{Gathering, Root, Spot};
use super::{CodeHasher, Part, elf};
use crate::plan::{Command, Identity, JobFiles, Word};

/// What travels, and what becomes of each word of the command.
#[derive(Debug)]
pub struct Found {
    /// The files, and where the program starts among them.
    pub files: JobFiles,
    /// What becomes of each word, in order.
    pub words: Vec<WordFate>,
    /// The environments and installations that travel whole.
    pub environments: Vec<FoundEnvironment>,
    /// What a job may miss.
    pub doubts: Vec<Doubt>,
    /// The identity of the code: of these files and of `environment`.
    pub code: Identity,
    /// The place of the set-up among the files.
    pub setup: Option<Word>,
}

/// An environment that travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundEnvironment {
    /// Its folder, as it is named from the folder planned in.
    pub folder: PathBuf,
    /// What it is.
    pub kind: EnvironmentKind,
    /// How many files are in it.
    pub files: usize,
    /// Their size in bytes.
    pub bytes: u64,
    /// The Python that it needs, where it does not bring one along.
    pub made_by: Option<MadeBy>,
    /// Whether there are programs in it whose binary code holds its path.
    pub has_path_in_binaries: bool,
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
    /// A file of an environment, which travels whole: its folder, as in [`FoundEnvironment::folder`].
    WithEnvironment(PathBuf),
    /// A program that travels with the libraries that it looks for beside itself.
    WithLibraries(Vec<PathBuf>),
    /// A file that is fetched by this URL.
    Fetched(String),
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
    /// An interpreter that would travel alone.
    #[error("{} is an interpreter: it would arrive without its library", path.display())]
    Interpreter {
        /// As given.
        path: PathBuf,
        /// Its name on a PATH.
        name: String,
    },
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
    /// A URL that cannot be transferred.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// Nothing is transferred there, and so no URL is fetched.
    #[error("the URL {0} would not be fetched: on a shared file system nothing is transferred")]
    UrlOnSharedFilesystem(String),
}

/// What is known of the folder that jobs run in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobFolder {
    /// It is the user's own, which jobs see.
    pub shared_filesystem: bool,
    /// So many folders above it programs look for files, at least: those that only some jobs get.
    pub up: usize,
}

/// Finds what travels with each job of `command`. Relative paths start from `base`; `leave_out` names what the
/// plan itself writes, which an `--input` of the whole folder is not meant to carry. `setup` is the set-up's file.
///
/// # Errors
/// Where an input is not there, cannot be read, or would collide with another; where the program is a file
/// that cannot be executed, or an interpreter that cannot travel alone; where a URL cannot be transferred.
pub fn find(
    base: &Path,
    command: Option<&Command>,
    inputs: &[PathBuf],
    setup: Option<&Path>,
    environment: &BTreeMap<String, Word>,
    JobFolder { shared_filesystem, up }: JobFolder,
    leave_out: &dyn Fn(&Path) -> bool,
) -> Result<Found, FindError> {
    let (urls, inputs): (Vec<_>, Vec<_>) =
        inputs.iter().partition(|input| url::is_meant(input) && !base.join(input).exists());
    let urls: Vec<_> = urls.into_iter().map(|input| Url::parse(input)).collect::<Result<_, _>>()?;
    if let Some(url) = urls.first().filter(|_| shared_filesystem) {
        return Err(FindError::UrlOnSharedFilesystem(url.text.clone()));
    }
    let mut finder = Finder {
        base,
        shared_filesystem,
        gathering: Gathering::new(base, up, leave_out),
        doubts: Vec::new(),
        programs: Vec::new(),
    };
    if let Some(setup) = setup {
        // A member of an environment brings that along.
        finder.file(setup, None)?;
    }
    let mut words = Vec::new();
    if let Some(command) = command {
        let fixed_words: Vec<_> = command.fixed_words().collect();
        for (place, (word, fixed)) in command.words().iter().zip(&fixed_words).enumerate() {
            let fate = match fixed {
                None => Fate::Filled,
                Some(fixed) if place == 0 => program(base, fixed, environment.get("PATH"))?,
                Some(fixed) => argument(base, fixed),
            };
            let is_input =
                |fixed: &Word| inputs.iter().any(|input| Spot::of(input) == Spot::of(fixed.as_os_str().as_ref()));
            let fate = match (fate, fixed) {
                // Its files are among the inputs already.
                (Fate::Folder, Some(fixed)) if is_input(fixed) && shared_filesystem => Fate::Shared,
                (Fate::Folder, Some(fixed)) if is_input(fixed) => Fate::Transferred,
                (Fate::Transferred, Some(fixed)) => finder.file(Path::new(fixed.as_os_str()), Some(place))?,
                (fate, _) => fate,
            };
            words.push(WordFate { word: word.clone(), fate });
        }
        finder.doubts.extend(doubt::of_words(base, &words, environment.get("PATH"), shared_filesystem));
    }
    for input in inputs {
        let is_file = !input.is_absolute() && base.join(input).is_file();
        match is_file {
            true => drop(finder.file(input, None)?),
            false => finder.gathering.input(input)?,
        }
    }
    finder.finish(words, &urls, setup, environment)
}

/// Whether `name` is an executable file in one of the folders of `path`, or of this machine's PATH.
#[must_use]
pub fn is_on_path(name: &OsStr, path: Option<&Word>) -> bool {
    on_path(name, path).is_some()
}

/// The executable file that `name` stands for.
pub(super) fn on_path(name: &OsStr, path: Option<&Word>) -> Option<PathBuf> {
    let path = path.map(|path| path.as_os_str().to_owned()).or_else(|| std::env::var_os("PATH")).unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| is_executable(program))
}

pub(super) fn is_executable(path: &Path) -> bool {
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

/// What has been found so far.
struct Finder<'a> {
    base: &'a Path,
    shared_filesystem: bool,
    gathering: Gathering<'a>,
    doubts: Vec<Doubt>,
    /// Binary programs, and which word of the command each is. Their libraries are looked at once it is known what
    /// else travels.
    programs: Vec<(PathBuf, Option<usize>)>,
}

impl Finder<'_> {
    /// A file that is here, as word number `word` of the command or as an input, and what travels because of it.
    fn file(&mut self, given: &Path, word: Option<usize>) -> Result<Fate, FindError> {
        if self.shared_filesystem {
            // The jobs see it with all that belongs to it; it counts in the code's identity.
            self.gathering.file(given);
            return Ok(Fate::Shared);
        }
        if let Some((folder, kind)) = containing(self.base, given) {
            self.gathering.environment(Root { spot: Spot::of(&folder), given: folder.clone(), kind })?;
            return Ok(Fate::WithEnvironment(folder));
        }
        let here = self.base.join(given);
        let real = here.canonicalize().unwrap_or_else(|_| here.clone());
        let elf = elf::read(&here);
        let is_named = |path: &Path| path.file_name().is_some_and(is_interpreter);
        let needs_more = elf.as_ref().is_some_and(|elf| elf.is_dynamic) || here.is_symlink();
        if (is_named(&real) || is_named(given)) && needs_more {
            let name = if is_named(given) { given } else { &real };
            let name = name.file_name().unwrap_or_default().to_string_lossy().into_owned();
            return Err(FindError::Interpreter { path: given.to_owned(), name });
        }
        if elf.is_some() {
            self.programs.push((given.to_owned(), word));
        } else if word == Some(0) {
            self.doubts.extend(doubt::of_script(self.base, given));
        }
        self.gathering.file(given);
        Ok(Fate::Transferred)
    }

    fn finish(
        mut self,
        mut words: Vec<WordFate>,
        urls: &[Url],
        setup: Option<&Path>,
        environment: &BTreeMap<String, Word>,
    ) -> Result<Found, FindError> {
        let search = Search::new(self.base, environment.get("LD_LIBRARY_PATH").map(Word::as_os_str));
        for (program, word) in std::mem::take(&mut self.programs) {
            let libraries = search.of(&program, &|library| self.gathering.has(library));
            for library in &libraries.beside {
                self.gathering.file(library);
            }
            self.doubts.extend(libraries.missing.into_iter().map(Doubt::Library));
            if let Some(word) = word.filter(|_| !libraries.beside.is_empty()) {
                words[word].fate = Fate::WithLibraries(libraries.beside);
            }
        }
        let roots = std::mem::take(&mut self.gathering.environments);
        self.gathering.environments.clone_from(&roots);
        let mut files = self.gathering.lay_out()?;
        files.urls = url_places(urls, &files)?;
        for WordFate { word, fate } in &mut words {
            let place = Path::new(files.start_in.as_os_str()).join(&Spot::of(Path::new(word.as_os_str())).names);
            let url = files.urls.iter().find(|url| Path::new(url.place.as_os_str()) == place);
            if let Some(url) = url.filter(|_| matches!(fate, Fate::Plain | Fate::Absent)) {
                *fate = Fate::Fetched(url.url.clone());
            }
        }
        let environments: Vec<_> = roots.iter().map(|root| describe(self.base, root, &files)).collect();
        for root in &roots {
            for source in environment::editable_paths(&self.base.join(&root.given)) {
                let named = source.strip_prefix(self.base).map_or(source.clone(), Path::to_owned);
                if !files.files.iter().any(|file| is_below(&file.source, &named)) {
                    self.doubts.push(Doubt::Editable { environment: root.given.clone(), source: named });
                }
            }
        }
        let setup = setup.and_then(|setup| files.files.iter().find(|file| is_at(&file.source, setup)));
        let setup = setup.map(|file| file.place.clone());
        let parts = files.files.iter().map(|file| Part::File(&file.place, file.content));
        let parts = parts.chain(files.links.iter().map(Part::Link)).chain(files.urls.iter().map(Part::Url));
        let code = CodeHasher::of(parts.chain(setup.as_ref().map(Part::Setup)), environment);
        Ok(Found { words, environments, doubts: self.doubts, code, files, setup })
    }
}

fn describe(base: &Path, root: &Root, files: &JobFiles) -> FoundEnvironment {
    let folder = base.join(&root.given);
    let own: Vec<_> = files.files.iter().filter(|file| is_below(&file.source, &root.given)).collect();
    let brings_python = |made_by: &MadeBy| {
        let home = made_by.home.strip_prefix(base).ok();
        home.is_some_and(|home| files.files.iter().any(|file| is_below(&file.source, home)))
    };
    FoundEnvironment {
        folder: root.given.clone(),
        kind: root.kind,
        files: own.len(),
        bytes: own.iter().map(|file| file.bytes).sum(),
        made_by: environment::made_by(&folder).filter(|made_by| !brings_python(made_by)),
        has_path_in_binaries: environment::has_path_in_binaries(&folder),
    }
}

/// Whether a file is what `path` names, both as they are named from the folder planned in.
fn is_at(file: &Word, path: &Path) -> bool {
    let file = Path::new(file.as_os_str());
    file == path || (!file.is_absolute() && !path.is_absolute() && Spot::of(file) == Spot::of(path))
}

/// Whether a file lies in a folder, both as they are named from the folder planned in.
fn is_below(file: &Word, folder: &Path) -> bool {
    let file = Path::new(file.as_os_str());
    if file.is_absolute() || folder.is_absolute() {
        return file.starts_with(folder);
    }
    let (file, folder) = (Spot::of(file), Spot::of(folder));
    file.up == folder.up && file.names.starts_with(folder.names)
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
            find(&base, command.as_ref(), &inputs, None, &BTreeMap::new(), JobFolder::default(), &|path| {
                path.ends_with("outputs")
            })
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
    fn a_folder_that_is_given_by_its_absolute_path_keeps_its_own_name() {
        let folder = Folder::new(&["far/data/a.csv", "far/data/deep/b.csv", "run/here"]);
        let far = folder.0.path().join("far/data");
        let found = folder.find("run", &[], &[far.to_str().expect("text")]).expect("found");
        assert_eq!(places(&found), ["data/a.csv", "data/deep/b.csv"]);
    }

    #[test]
    fn what_is_fetched_is_no_plain_word() {
        let folder = Folder::new(&["code/sum.py"]);
        let urls = ["https://host/a%20b.csv", "osdf:///c.csv"];
        let found = folder.find("", &["cat", "a b.csv", "./c.csv", "d.csv"], &urls).expect("found");
        let fates: Vec<_> = found.words.into_iter().skip(1).map(|word| word.fate).collect();
        let fetched = |url: &str| Fate::Fetched(url.to_owned());
        assert_eq!(fates, [fetched(urls[0]), fetched(urls[1]), Fate::Plain]);
        let places: Vec<_> = found.files.urls.iter().map(|url| url.place.clone()).collect();
        assert_eq!(places, [Word::from("a b.csv"), Word::from("c.csv")]);
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
