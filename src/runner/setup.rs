//! The set-up: a shell file whose environment the program runs in.
//!
//! It runs once in a job, in a bash of its own, with the job's environment; what it exports holds for every run of
//! the program in that job. The first line that fails ends it: a `module load` that found nothing is not followed
//! by ten minutes of the wrong program.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::environment::Base;
use super::program::{self, Failed, Process, Running, Surroundings};
use crate::plan::Word;

/// `$1` is the set-up, `$2` where its environment goes, `$3` where to say what failed, `$4` the runner, `$5` whether the
/// environment is a job's, `$6` whether the word `return` is in the set-up; the rest are names whose values the machine's
/// own profile must not change. What the script needs for itself has names that nobody else's variables have.
///
/// A job has read no profile, and where programs are found through modules the profile is what defines `module`. `conda
/// activate` is a function, too, that only `conda init` defines, and that for shells at a keyboard: so it is looked for.
///
/// A line of the set-up itself that fails ends it; what a file that it reads tries on the way is that file's business.
/// bash cannot tell `[ -n "$X" ] && export Y=1` at the end from `return 1`: without the word it is taken for the former.
const SCRIPT: &str = r#"
__split_set_up=("$@")
__split_profile() {
    local name given=()
    for name in "${__split_set_up[@]:6}"; do
        [[ $name =~ ^[A-Za-z_][A-Za-z_0-9]*$ ]] && given+=("$name=${!name}")
    done
    set --
    [ -r /etc/profile ] && source /etc/profile >&2
    [ "${#given[@]}" = 0 ] || export "${given[@]}"
}
__split_failed() {
    local status=$? where=${BASH_SOURCE[1]} line=${BASH_LINENO[0]} said
    if [ "$where" = "${__split_set_up[0]}" ]; then
        said="${where##*/}, line $line: exit code $status"
    elif [ "$where" != environment ] && [ -n "$where" ]; then
        return 0
    elif [ "$status" = 1 ] && [ "${__split_set_up[5]}" = no ]; then
        return 0
    else
        said="it ended with exit code $status"
    fi
    trap - ERR
    printf '%s' "$said" >"${__split_set_up[2]}"
    exit "$status"
}
[ "$5" = no ] || __split_profile
set --
if ! declare -F conda >/dev/null; then
    conda() {
        local folder
        unset -f conda
        for folder in "${CONDA_EXE%/bin/conda}" ~/miniconda3 ~/miniforge3 ~/anaconda3 ~/mambaforge \
            /opt/conda /opt/miniconda3 /opt/miniforge3 /opt/anaconda3; do
            if [ -n "$folder" ] && [ -r "$folder/etc/profile.d/conda.sh" ]; then
                source "$folder/etc/profile.d/conda.sh"
                break
            fi
        done
        if ! declare -F conda >/dev/null && [ -n "$(type -P conda)" ]; then
            eval "$(command conda shell.bash hook)"
        fi
        conda "$@"
    }
fi
trap __split_failed ERR
source "${__split_set_up[0]}" >&2
trap - ERR
exec -- "${__split_set_up[3]}" environment "${__split_set_up[1]}"
"#;

/// What the shell keeps for itself: none of the program's business.
const OF_THE_SHELL: [&str; 3] = ["_", "SHLVL", "OLDPWD"];

/// Why there is no environment.
#[derive(Debug)]
pub(super) enum SetupFailed {
    /// The set-up failed: how, and the end of what it wrote.
    Failed { why: String, last_words: Vec<u8> },
    /// The machine would not.
    Machine(io::Error),
    /// Everything was told to stop.
    Stopped,
}

/// Where a set-up runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting<'a> {
    /// The folder that it starts in, and the program after it.
    pub(super) folder: &'a Path,
    /// A folder for what is kept on the way.
    pub(super) own: &'a Path,
    /// What the environment starts from.
    pub(super) base: Base,
}

/// Runs the set-up `file` with `variables` set, and gives the environment that it leaves, whole. The names in `given` keep
/// their values when the machine's profile is read.
pub(super) fn run<'a>(
    file: &Path,
    setting: Setting<'_>,
    variables: Vec<(OsString, OsString)>,
    given: impl Iterator<Item = &'a str>,
    running: &Running,
) -> Result<Vec<(OsString, OsString)>, SetupFailed> {
    let failed = |why: &str| SetupFailed::Failed { why: why.to_owned(), last_words: Vec::new() };
    let environment = setting.own.join("environment");
    let failure = setting.own.join("set-up-failed");
    let said = File::create(setting.own.join("set-up-said")).map_err(SetupFailed::Machine)?;
    let runner = std::env::current_exe().map_err(SetupFailed::Machine)?;
    let in_job = if setting.base == Base::Job { "yes" } else { "no" };
    let mut words: Vec<Word> = ["bash", "-c", SCRIPT, "split-set-up"].map(Word::from).into();
    for path in [file, &environment, &failure, &runner] {
        words.push(path.as_os_str().to_owned().into());
    }
    words.push(in_job.into());
    let text = fs::read(file).unwrap_or_default();
    let mut parts = text.split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
    words.push(if parts.any(|part| part == b"return") { "yes" } else { "no" }.into());
    words.extend(given.map(Word::from));
    let process = Process::new(&words, setting.folder, Surroundings::OnTop(&variables), said);
    let ended = match program::run(process, running) {
        Ok(_) if running.stopped() => return Err(SetupFailed::Stopped),
        Ok(ended) => ended,
        Err(Failed::Stopped) => return Err(SetupFailed::Stopped),
        Err(Failed::NotStarted(error)) => {
            return Err(failed(&format!("it needs bash, which cannot be started: {error}")));
        }
        Err(Failed::Machine(error)) => return Err(SetupFailed::Machine(error)),
    };
    if let (true, Ok(bytes)) = (ended.status.success(), fs::read(&environment)) {
        return Ok(parse(&bytes));
    }
    let why = match fs::read_to_string(&failure) {
        Ok(why) => why,
        Err(_) if ended.status.success() => "it ended the shell, by `exit` or `exec`, before its end".to_owned(),
        Err(_) => format!("it ended the shell: {}", ended.status),
    };
    Err(SetupFailed::Failed { why, last_words: ended.last_words })
}

/// Writes this process's environment to `path`: the last thing that a set-up's shell does.
pub(super) fn write_environment(path: &Path) -> io::Result<()> {
    let mut bytes = Vec::new();
    for (name, value) in std::env::vars_os() {
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(b'=');
        bytes.extend_from_slice(value.as_bytes());
        bytes.push(0);
    }
    fs::write(path, bytes)
}

fn parse(bytes: &[u8]) -> Vec<(OsString, OsString)> {
    let pairs = bytes.split(|&byte| byte == 0).filter_map(|pair| {
        // A name may start with the sign itself.
        let at = 1 + pair.get(1..)?.iter().position(|&byte| byte == b'=')?;
        let text = |bytes| OsStr::from_bytes(bytes).to_owned();
        Some((text(&pair[..at]), text(&pair[at + 1..])))
    });
    pairs.filter(|(name, _)| !OF_THE_SHELL.iter().any(|shells| name == shells)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_is_read_as_it_is_written() {
        let pairs = parse(b"A=1\0B=x=y\nz\0EMPTY=\0SHLVL=2\0");
        let expected = [("A", "1"), ("B", "x=y\nz"), ("EMPTY", "")];
        assert_eq!(pairs, expected.map(|(name, value)| (name.into(), value.into())));
    }
}
