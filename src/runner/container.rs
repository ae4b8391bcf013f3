//! The runner inside a container: it starts itself again by `apptainer exec`, with the same arguments, so that set-up
//! and program run inside and all else is as without a container.
//!
//! The runner outside waits, so that a container that does not start is recorded like a program that does not.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::program::{self, Ended, Failed, Process, Running, Surroundings};
use crate::plan::{DEFAULT_PATH, Job, JobContainer, Word};

/// Set inside: where the runner inside says that it has started.
const INSIDE: &str = "SPLIT_IN_CONTAINER";

/// The programs that start containers; the first that is there is taken.
const STARTERS: [&str; 2] = ["apptainer", "singularity"];

/// How the container ended.
#[derive(Debug)]
pub(super) enum Entered {
    /// The runner inside ran, and ended with this exit code; what it said on standard error.
    Ran { code: i32, said: Vec<u8> },
    /// The container did not start: why, and what was said on standard error.
    NotStarted { why: String, said: Vec<u8> },
    /// The machine ended it: why.
    Machine(String),
    /// Everything was told to stop.
    Stopped,
}

/// What a container sees of the machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outside<'a> {
    /// The current folder, in which the runner inside starts.
    pub(super) here: &'a Path,
    /// The folder that the job's files are in.
    pub(super) tree: &'a Path,
    /// The plan's folder, on a shared file system.
    pub(super) plan: Option<&'a Path>,
    /// A folder for what is kept on the way.
    pub(super) own: &'a Path,
}

/// Whether this is the runner inside; says that it has started.
pub(super) fn is_inside() -> io::Result<bool> {
    match std::env::var_os(INSIDE) {
        Some(sign) => File::create(sign).map(|_| true),
        None => Ok(false),
    }
}

/// Starts the runner again inside the job's container, with the same `arguments`, and waits for its end.
pub(super) fn enter(
    job: &Job,
    container: &JobContainer,
    outside: Outside<'_>,
    arguments: &[&OsStr],
    running: &Running,
) -> Entered {
    let path = std::env::var_os("PATH").filter(|path| !path.is_empty()).unwrap_or_else(|| DEFAULT_PATH.into());
    let Some(starter) = starter(&path) else {
        let why = format!("neither {} is on this machine's PATH, which the container needs", STARTERS.join(" nor "));
        return Entered::NotStarted { why, said: Vec::new() };
    };
    let runner = match std::env::current_exe() {
        Ok(runner) => runner,
        Err(error) => return Entered::Machine(format!("cannot find the runner itself: {error}")),
    };
    let path_in = |variable: &str| std::env::var_os(variable).map(PathBuf::from);
    let scratch = path_in("_CONDOR_SCRATCH_DIR");
    let ads = ["_CONDOR_JOB_AD", "_CONDOR_MACHINE_AD"].map(path_in);
    let [job_ad, machine_ad] = ads.each_ref().map(|ad| ad.as_deref().and_then(Path::parent));
    let home = job.home.as_ref().map(|home| Path::new(home.as_os_str()));
    let seen = [
        Some(outside.here),
        Some(outside.tree),
        outside.plan,
        runner.parent(),
        scratch.as_deref(),
        job_ad,
        machine_ad,
        home,
    ];
    let words = command_line(&starter, container, outside, &seen_folders(&seen), &runner, arguments);
    let sign = outside.own.join("inside");
    let mut variables: Vec<(OsString, OsString)> = vec![(INSIDE.into(), sign.clone().into()), ("PATH".into(), path)];
    // A job may have no home, where the layers of a registry's image would be kept.
    for starter in ["APPTAINER", "SINGULARITY"] {
        for (what, folder) in [("CACHEDIR", "image-cache"), ("TMPDIR", "image-tmp")] {
            let name = format!("{starter}_{what}");
            if std::env::var_os(&name).is_none() {
                let folder = outside.own.join(folder);
                if let Err(error) = std::fs::create_dir_all(&folder) {
                    return Entered::Machine(format!("{}: {error}", folder.display()));
                }
                variables.push((name.into(), folder.into()));
            }
        }
    }
    let printed = match File::create(outside.own.join("container-printed")) {
        Ok(printed) => printed,
        Err(error) => return Entered::Machine(format!("{}: {error}", outside.own.display())),
    };
    let process = Process::new(&words, outside.here, Surroundings::OnTop(&variables), printed);
    let ended = program::run(process, running);
    judge(&starter, container, ended, sign.exists(), running.stopped())
}

/// The words that start the runner inside.
fn command_line(
    starter: &Path,
    container: &JobContainer,
    outside: Outside<'_>,
    seen: &[PathBuf],
    runner: &Path,
    arguments: &[&OsStr],
) -> Vec<Word> {
    let word = |path: &Path| Word::from(path.as_os_str().to_owned());
    let mut words = vec![word(starter), "exec".into()];
    for folder in seen {
        words.extend(bind(folder));
    }
    words.extend(["--pwd".into(), word(outside.here)]);
    if container.gpus {
        words.push("--nv".into());
    }
    let image = container.image.as_bytes();
    let is_url = image.windows(3).any(|three| three == b"://");
    words.push(match is_url {
        true => container.image.clone(),
        // An absolute path stays as it is.
        false => word(&outside.tree.join(container.image.as_os_str())),
    });
    words.push(word(runner));
    words.extend(arguments.iter().map(|argument| Word::from(OsString::from(argument))));
    words
}

/// Lets the container see a folder where it is. In `--bind` a comma and a colon mean something; `--mount` takes a line of
/// CSV.
fn bind(folder: &Path) -> [Word; 2] {
    let path = folder.as_os_str().as_bytes();
    if !path.iter().any(|byte| b",:".contains(byte)) {
        return ["--bind".into(), path.to_vec().into()];
    }
    let mut line = b"type=bind".to_vec();
    for key in ["source", "destination"] {
        line.extend_from_slice(format!(",\"{key}=").as_bytes());
        for &byte in path {
            line.extend(std::iter::repeat_n(byte, if byte == b'"' { 2 } else { 1 }));
        }
        line.push(b'"');
    }
    ["--mount".into(), line.into()]
}

/// The folders that are there, without links, none of them below another.
fn seen_folders(folders: &[Option<&Path>]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = folders.iter().flatten().filter_map(|folder| folder.canonicalize().ok()).collect();
    found.sort_unstable();
    found.dedup_by(|below, above| below.starts_with(above));
    found
}

fn starter(path: &OsStr) -> Option<PathBuf> {
    let is_program =
        |path: &PathBuf| path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0);
    let folders: Vec<_> = std::env::split_paths(path).collect();
    STARTERS.iter().find_map(|name| folders.iter().map(|folder| folder.join(name)).find(is_program))
}

fn judge(
    starter: &Path,
    container: &JobContainer,
    ended: Result<Ended, Failed>,
    inside: bool,
    stopped: bool,
) -> Entered {
    let name = starter.file_name().unwrap_or_default().to_string_lossy();
    let what = format!("{name} exec {}", container.image.quoted());
    match ended {
        Ok(_) | Err(Failed::Stopped) if stopped => Entered::Stopped,
        Err(Failed::Stopped) => Entered::Stopped,
        Err(Failed::NotStarted(error)) => {
            Entered::NotStarted { why: format!("{}: {error}", starter.display()), said: Vec::new() }
        }
        Err(Failed::Machine(error)) => Entered::Machine(format!("{what}: {error}")),
        Ok(ended) => match (inside, ended.status.code()) {
            (true, Some(code)) if code < 128 => Entered::Ran { code, said: ended.last_words },
            (true, _) => Entered::Machine(format!("{what}: the runner inside was ended: {}", ended.status)),
            (false, _) => Entered::NotStarted { why: format!("{what}: {}", ended.status), said: ended.last_words },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(image: &str, gpus: bool, seen: &[&str]) -> String {
        let container = JobContainer { image: image.into(), gpus };
        let outside = Outside {
            here: "/pool/dir_7".as_ref(),
            tree: "/pool/dir_7/work".as_ref(),
            plan: None,
            own: "/pool/dir_7/.split-x".as_ref(),
        };
        let seen: Vec<_> = seen.iter().map(PathBuf::from).collect();
        let arguments = ["exec", "job.json", "3", "10", "20", "0"].map(OsStr::new);
        let runner = "/pool/dir_7/condor_exec.exe".as_ref();
        let words = command_line("/usr/bin/apptainer".as_ref(), &container, outside, &seen, runner, &arguments);
        words.iter().map(Word::quoted).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_runner_is_started_inside_with_the_same_arguments() {
        let inside = "/pool/dir_7/condor_exec.exe exec job.json 3 10 20 0";
        assert_eq!(
            shown("images/a.sif", false, &["/pool/dir_7"]),
            format!(
                "/usr/bin/apptainer exec --bind /pool/dir_7 --pwd /pool/dir_7 /pool/dir_7/work/images/a.sif {inside}"
            )
        );
        assert_eq!(
            shown("docker://python:3.13", true, &[]),
            format!("/usr/bin/apptainer exec --pwd /pool/dir_7 --nv docker://python:3.13 {inside}")
        );
        assert_eq!(
            shown("/cvmfs/a", false, &["/home/al,ice", "/a:\"b"]),
            format!(
                "/usr/bin/apptainer exec --mount 'type=bind,\"source=/home/al,ice\",\"destination=/home/al,ice\"' --mount \
                 'type=bind,\"source=/a:\"\"b\",\"destination=/a:\"\"b\"' --pwd /pool/dir_7 /cvmfs/a {inside}"
            )
        );
    }

    #[test]
    fn folders_are_seen_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().canonicalize().expect("there");
        let (below, beside) = (root.join("a/b"), root.join("a-beside"));
        std::fs::create_dir_all(&below).expect("made");
        std::fs::create_dir_all(&beside).expect("made");
        let a = root.join("a");
        let none = root.join("none");
        let seen = seen_folders(&[Some(&below), None, Some(&beside), Some(&a), Some(&none), Some(&below)]);
        assert_eq!(seen, [a, beside]);
    }

    #[test]
    fn apptainer_comes_before_singularity() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let program = |name: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, "").expect("written");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("made executable");
            path
        };
        let path = folder.path().as_os_str();
        assert_eq!(starter(path), None);
        let singularity = program("singularity");
        assert_eq!(starter(path), Some(singularity));
        let apptainer = program("apptainer");
        assert_eq!(starter(path), Some(apptainer));
    }
}
