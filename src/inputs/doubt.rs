//! What a job may miss, though nothing says that it is wrong: names that mean something else here.

use std::path::{Path, PathBuf};

use super::environment;
use super::find::{Fate, WordFate, is_executable, on_path};
use super::interpreter::{is_of_the_system, named_by};
use super::libraries::MissingLibrary;
use crate::plan::Word;

/// What a job may miss, though nothing says that it is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// A program needs a library that does not travel.
    Library(MissingLibrary),
    /// A script's first line names an interpreter that is this machine's alone.
    Shebang {
        /// The script, as typed.
        script: PathBuf,
        /// What its first line names.
        interpreter: PathBuf,
        /// The same as it is named from the folder planned in, where it is of an environment.
        named: Option<PathBuf>,
    },
    /// A bare name that is a program of an environment here, and something else in a job.
    OfEnvironment {
        /// The word, as typed.
        word: Word,
        /// The program, as it is named from the folder planned in.
        named: PathBuf,
    },
    /// `uv run`, which needs uv, the project and a network wherever it runs.
    UvRun {
        /// The command that runs what uv made here.
        instead: Vec<Word>,
    },
    /// An absolute path to what lies below the folder planned in.
    AbsoluteBelow {
        /// The word, as typed.
        word: Word,
        /// The same as a relative path.
        named: PathBuf,
    },
    /// An environment has an editable install of what does not travel.
    Editable {
        /// The environment's folder.
        environment: PathBuf,
        /// What is installed, as it is named from the folder planned in; absolute where it lies elsewhere.
        source: PathBuf,
    },
}

/// What the words of a command leave open; `search` is the PATH that programs are looked for on, if not this
/// process's own.
pub(super) fn of_words(base: &Path, words: &[WordFate], search: Option<&Word>, shared_filesystem: bool) -> Vec<Doubt> {
    let doubts = words.iter().enumerate().filter_map(|(place, WordFate { word, fate })| {
        let path = Path::new(word.as_os_str());
        match fate {
            Fate::OnPath { .. } if path == "uv" => uv_run(words).map(|instead| Doubt::UvRun { instead }),
            Fate::OnPath { .. } => {
                bare(base, word, search).map(|named| Doubt::OfEnvironment { word: word.clone(), named })
            }
            Fate::Absolute if !shared_filesystem && (place == 0 || path.is_file()) => {
                let named = path.strip_prefix(base).ok()?.to_owned();
                Some(Doubt::AbsoluteBelow { word: word.clone(), named })
            }
            _ => None,
        }
    });
    doubts.collect()
}

/// What the first line of a script leaves open.
pub(super) fn of_script(base: &Path, script: &Path) -> Option<Doubt> {
    let interpreter = named_by(&base.join(script))?;
    let is_own = interpreter.is_absolute() && !is_of_the_system(&interpreter);
    let named = in_environment(base, &interpreter);
    is_own.then(|| Doubt::Shebang { script: script.to_owned(), interpreter, named })
}

/// A program of an environment here, as it is named from the folder planned in.
fn in_environment(base: &Path, program: &Path) -> Option<PathBuf> {
    let folder = program.parent()?.canonicalize().ok()?;
    environment::kind_of(folder.parent()?)?;
    pathdiff::diff_paths(folder.join(program.file_name()?), base)
}

/// What a bare name stands for here, where that is a program of an environment.
fn bare(base: &Path, word: &Word, search: Option<&Word>) -> Option<PathBuf> {
    let found = on_path(word.as_os_str(), search).and_then(|program| in_environment(base, &program));
    found.or_else(|| {
        // An environment that was made active without its programs on the PATH.
        let active = PathBuf::from(std::env::var_os("VIRTUAL_ENV")?).join("bin").join(word.as_os_str());
        is_executable(&active).then(|| in_environment(base, &active))?
    })
}

/// The command that runs what `uv run` would run, by the environment that uv has made here.
fn uv_run(words: &[WordFate]) -> Option<Vec<Word>> {
    /// Options of `uv run` that a value follows.
    const WITH_VALUE: [&str; 14] = [
        "--with",
        "--with-requirements",
        "--with-editable",
        "--python",
        "-p",
        "--project",
        "--directory",
        "--extra",
        "--group",
        "--package",
        "--env-file",
        "--index",
        "--default-index",
        "--index-url",
    ];
    let mut rest = words.iter().map(|word| &word.word);
    rest.next().filter(|word| word.as_bytes() == b"uv")?;
    rest.next().filter(|word| word.as_bytes() == b"run")?;
    let mut rest = rest.peekable();
    let mut instead = Vec::new();
    while let Some(option) = rest.next_if(|word| word.as_bytes().starts_with(b"-")) {
        match option.as_os_str().to_str() {
            Some("-m" | "--module") => {
                instead = vec![Word::from(".venv/bin/python3"), Word::from("-m")];
                break;
            }
            Some("--") => break,
            Some(option) if WITH_VALUE.contains(&option) => drop(rest.next()),
            _ => {}
        }
    }
    if instead.is_empty() {
        let program = rest.peek()?.as_os_str().to_string_lossy().into_owned();
        if program.ends_with(".py") {
            instead.push(Word::from(".venv/bin/python3"));
        } else {
            rest.next();
            instead.push(Word::from(format!(".venv/bin/{program}").as_str()));
        }
    }
    instead.extend(rest.cloned());
    Some(instead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_uv_would_run_is_run_without_it() {
        let instead = |command: &str| {
            let fate = Fate::Plain;
            let words: Vec<_> =
                command.split(' ').map(|word| WordFate { word: Word::from(word), fate: fate.clone() }).collect();
            let shown = |words: Vec<Word>| words.iter().map(Word::quoted).collect::<Vec<_>>().join(" ");
            uv_run(&words).map(shown)
        };
        let check =
            |command: &str, expected: &str| assert_eq!(instead(command).as_deref(), Some(expected), "{command}");
        check("uv run sum.py {first}", ".venv/bin/python3 sum.py {first}");
        check("uv run python3 sum.py -v", ".venv/bin/python3 sum.py -v");
        check("uv run --with numpy --frozen -- python -c x", ".venv/bin/python -c x");
        check("uv run -m package {first}", ".venv/bin/python3 -m package {first}");
        check("uv run pytest --with x", ".venv/bin/pytest --with x");
        for command in ["uv", "uv run", "uv run --frozen", "uv sync", "conda run x"] {
            assert_eq!(instead(command), None, "{command}");
        }
    }
}
