//! Why a program that works here fails in a job, and what helps.
//!
//! What a job does not have is what people forget that they have: their PATH, their home, a virtual environment, the
//! files beside the program.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::reduce::cure_of_line;
use crate::folder::Layout;
use crate::plan::{DEFAULT_PATH, Plan, Word};
use crate::record::Cause;

/// The shell's exit code for a program that it does not find.
const NOT_FOUND: i32 = 127;

/// So many of the last words are searched, from the end.
const WORDS: usize = 400;

/// Asks an interpreter where it finds a module, without running the module.
const WHERE: &str = "\
import importlib.util, site, sys
found = importlib.util.find_spec(sys.argv[1])
place = found.origin or next(iter(found.submodule_search_locations or []), '')
for line in (place, sys.executable, sys.prefix, sys.base_prefix, site.getusersitepackages()):
    print(line)
";

/// The module that programs keep their own state with.
pub(super) const LIBRARY: &str = "split_checkpoint";

/// The other way to a Python that has a module.
const SETUP: &str = "or give --setup a file that activates one";

/// What is said of a file of the space that holds something else by now, and what helps.
pub(super) const CHANGED: &str = "is not what it was when it was planned";
pub(super) const OTHER_ITEMS: &str =
    "a file that changed is another item: plan again, with --force; nothing is deleted";

/// A trial that failed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial<'a> {
    pub(super) layout: &'a Layout,
    pub(super) plan: &'a Plan,
    /// The job's folder.
    pub(super) sandbox: &'a Path,
    pub(super) cause: &'a Cause,
    pub(super) last_words: &'a [u8],
}

/// What helps, a line each; none where the cause is not known.
pub(super) fn cures(trial: &Trial<'_>) -> Vec<String> {
    let said = String::from_utf8_lossy(trial.last_words).into_owned();
    match trial.cause {
        Cause::NotStarted(_) => program(trial).into_iter().collect(),
        Cause::Setup(_) => set_up(trial, &said).into_iter().collect(),
        Cause::BadResult { text, .. } => vec![cure_of_line(&trial.plan.reduce, text)],
        Cause::Machine(why) if why.contains(CHANGED) => vec![OTHER_ITEMS.to_owned()],
        Cause::Machine(why) if why.contains("did not arrive") => {
            vec!["the file is where it was planned no more: bring it back, or plan again".to_owned()]
        }
        Cause::ExitCode(NOT_FOUND) => not_found(trial, &said).into_iter().collect(),
        _ => module(trial, &said).map_or_else(|| files(trial, &said), |cure| vec![cure]),
    }
}

/// A set-up that misses conda, which is found here by way of the home.
fn set_up(trial: &Trial<'_>, said: &str) -> Option<String> {
    let misses = said.contains("conda: command not found") && !trial.plan.resources.shared_filesystem;
    misses.then(|| {
        "a job has no home of yours to find conda in: name a program of the environment by a relative path \
         (envs/sim/bin/python3), which sends all of it; or, where execute points see your home, give \
         --shared-filesystem, or --env HOME=$HOME"
            .to_owned()
    })
}

/// A program that a job does not find.
fn program(trial: &Trial<'_>) -> Option<String> {
    let program = trial.plan.command.as_ref()?.fixed_words().next()??;
    if let Some(at) = program.as_bytes().iter().position(|&byte| byte == b'=') {
        let text = String::from_utf8_lossy(program.as_bytes()).into_owned();
        return Some(format!("{} is no program; a variable is set by --env {text}", &text[..at]));
    }
    if program.as_bytes().contains(&b'/') {
        return None;
    }
    Some(on_path(trial, program.as_os_str()))
}

/// A shell's or env's complaint about a program: `sh: 1: tool: not found`, `env: 'tool': No such file or directory`.
fn not_found(trial: &Trial<'_>, said: &str) -> Option<String> {
    let line = said.lines().rev().find(|line| line.contains("not found") || line.contains("No such file"))?;
    let mut parts = line.split(':').map(|part| part.trim().trim_matches(['\'', '"', '\u{2018}', '\u{2019}']));
    let name = parts.rfind(|part| !part.is_empty() && !part.contains("not found") && !part.contains("No such file"))?;
    (!name.contains(['/', ' '])).then(|| on_path(trial, OsStr::new(name)))
}

fn on_path(trial: &Trial<'_>, program: &OsStr) -> String {
    let path = trial.plan.environment.get("PATH").map_or_else(|| DEFAULT_PATH.to_owned(), Word::quoted);
    let name = Word::from(program.to_owned()).quoted();
    let here = which(program).map(|here| format!(" ({name} is {} here)", here.display())).unwrap_or_default();
    format!("a job's PATH is {path}: name the program by its path{here}, or set PATH with --env")
}

/// Where a program is found on this user's PATH.
fn which(program: &OsStr) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|program| program.is_file())
}

/// A module that Python finds here and not in a job.
fn module(trial: &Trial<'_>, said: &str) -> Option<String> {
    let (_, rest) = said.rsplit_once("No module named ")?;
    let is_of_name = |letter: &char| letter.is_alphanumeric() || *letter == '_';
    let name: String = rest.trim_start_matches(['\'', '"']).chars().take_while(is_of_name).collect();
    if name.is_empty() {
        return None;
    }
    if name == LIBRARY && trial.plan.pacing.checkpoint.is_none() {
        return Some(format!(
            "{LIBRARY} is found where split plan is given --checkpoint, which also carries what it saves"
        ));
    }
    let base = base(trial);
    let shared = trial.plan.resources.shared_filesystem;
    if let Some(file) = [format!("{name}.py"), name.clone()].iter().find(|file| is_left_behind(trial, Path::new(file)))
    {
        return Some(format!("{file} is here and is not sent: --input {file} sends it"));
    }
    let mut asked = Command::new(interpreter(trial));
    asked.args(["-c", WHERE, &name]).current_dir(&base).stdin(Stdio::null()).stderr(Stdio::null());
    let answer = asked.output().ok().filter(|answer| answer.status.success())?;
    let answer = String::from_utf8_lossy(&answer.stdout).into_owned();
    let lines: Vec<&str> = answer.lines().collect();
    let &[place, executable, prefix, base_prefix, user_site] = lines.as_slice() else { return None };
    let paths = std::env::var_os("PYTHONPATH").unwrap_or_default();
    let from_path = std::env::split_paths(&paths).find(|folder| holds(folder, place));
    let (way, cure) = if let Some(folder) = from_path {
        let shown = Word::from(folder.clone().into_os_string()).quoted();
        let cure = match within(&base, &folder) {
            _ if shared => "--getenv PYTHONPATH gives it to the jobs".to_owned(),
            Some(folder) => format!("--input {folder} --env PYTHONPATH={folder} sends it"),
            None => {
                "a copy of it in the folder that you plan in can be sent: --input lib --env PYTHONPATH=lib".to_owned()
            }
        };
        (format!("PYTHONPATH, which names {shown}"), cure)
    } else if prefix != base_prefix {
        let prefix = Path::new(prefix);
        let shown = within(&base, prefix);
        let cure = match &shown {
            Some(folder) if shared => format!("name its Python: {folder}/bin/python3"),
            Some(folder) => {
                format!("name its Python, {folder}/bin/python3, and send it with --input {folder}, {SETUP}")
            }
            None => format!("name its Python, {}/bin/python3, where jobs see it, {SETUP}", prefix.display()),
        };
        (format!("the virtual environment {}", shown.unwrap_or_else(|| prefix.display().to_string())), cure)
    } else if holds(Path::new(user_site), place) {
        let cure =
            format!("install it into a virtual environment and name that one's Python, .venv/bin/python3, {SETUP}");
        (format!("your home folder, in {user_site}"), cure)
    } else {
        let cure = format!("name a Python that has it by its path on the execute points, {SETUP}");
        (format!("PATH, where Python is {executable}"), cure)
    };
    Some(format!("the module {name} is found here by way of {way}; jobs do not have that: {cure}"))
}

/// Whether `place` is below `folder`, by whatever name.
fn holds(folder: &Path, place: &str) -> bool {
    let real = folder.canonicalize();
    !folder.as_os_str().is_empty()
        && (Path::new(place).starts_with(folder) || real.is_ok_and(|real| Path::new(place).starts_with(real)))
}

/// How to name `folder` from `base` where it is below that.
fn within(base: &Path, folder: &Path) -> Option<String> {
    let (base, folder) = (base.canonicalize().ok()?, folder.canonicalize().ok()?);
    let below = folder.strip_prefix(base).ok().filter(|below| !below.as_os_str().is_empty())?;
    Some(Word::from(below.as_os_str().to_owned()).quoted())
}

/// The Python that the command names, or the one on PATH.
fn interpreter(trial: &Trial<'_>) -> PathBuf {
    let is_python = |word: &Word| {
        let name = Path::new(word.as_os_str()).file_name().unwrap_or_default();
        name.as_encoded_bytes().starts_with(b"python")
    };
    match trial.plan.command.as_ref().and_then(|command| command.fixed_words().next()?).filter(is_python) {
        Some(word) if word.as_bytes().contains(&b'/') => base(trial).join(word.as_os_str()),
        Some(word) => word.as_os_str().into(),
        None => "python3".into(),
    }
}

/// Files that the program complains about, which are here and were not sent.
fn files(trial: &Trial<'_>, said: &str) -> Vec<String> {
    if !["No such file", "cannot open", "not found", "does not exist"].iter().any(|complaint| said.contains(complaint))
    {
        return Vec::new();
    }
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let work = work(trial);
    let breaks = |letter: char| letter.is_whitespace() || "'\"`\u{2018}\u{2019}()[]<>,;:=".contains(letter);
    let words = said.rsplit(breaks).filter(|word| !word.is_empty()).take(WORDS);
    let mut cures = Vec::new();
    for word in words {
        let path = Path::new(word.trim_end_matches('.'));
        let below = path.strip_prefix(&work).unwrap_or(path);
        if below.as_os_str().is_empty() || below == Path::new("..") {
            continue;
        }
        let quoted = Word::from(below.as_os_str().to_owned()).quoted();
        let cure = if is_left_behind(trial, below) {
            format!("{quoted} is here and is not sent: --input {quoted} sends it")
        } else if below != path && !path.exists() && home.as_ref().is_some_and(|home| home.join(below).exists()) {
            format!(
                "~/{quoted} is in your home folder, and a job's HOME is a folder of its own: send a copy with --input, \
                 or name the execute point's with --env HOME=FOLDER"
            )
        } else {
            continue;
        };
        if !cures.contains(&cure) {
            cures.push(cure);
        }
    }
    cures.truncate(3);
    cures
}

/// Whether a file or folder is here and was not sent.
fn is_left_behind(trial: &Trial<'_>, path: &Path) -> bool {
    let sent = trial.plan.resources.shared_filesystem || work(trial).join(path).exists();
    !sent && path.is_relative() && base(trial).join(path).exists()
}

/// Where the program started.
fn work(trial: &Trial<'_>) -> PathBuf {
    trial.sandbox.join("work").join(trial.plan.files.start_in.as_os_str())
}

/// The folder that was planned in.
fn base(trial: &Trial<'_>) -> PathBuf {
    trial.layout.root().join(trial.plan.base.as_os_str())
}
