//! What travels with a job, and what a job may miss, for people.

use std::path::{Path, PathBuf};

use super::output::{bytes, count};
use super::request::Request;
use crate::inputs::{Doubt, EnvironmentKind, Fate, FoundEnvironment, MadeBy, MissingLibrary, WordFate};
use crate::plan::Word;
use crate::rows::files_of;

/// What becomes of each word of the command, and of what is fetched by URL.
pub(super) fn words(request: &Request) -> Vec<String> {
    let line = |word: &str, fate: &str| format!("  {word:<20} {fate}");
    let words = request.words.iter().map(|WordFate { word, fate }| line(&word.quoted(), &describe(request, fate)));
    let named = |environment: &&FoundEnvironment| {
        request.words.iter().any(|word| word.fate == Fate::WithEnvironment(environment.folder.clone()))
    };
    let environments = request.environments.iter().filter(|environment| !named(environment)).map(|environment| {
        let what = match environment.kind {
            EnvironmentKind::Virtual => "a virtual environment",
            EnvironmentKind::Conda => "a conda environment",
            EnvironmentKind::Installation => "an installation",
        };
        line(&quoted(&environment.folder), &format!("transferred to each job: {what}, {}", size(environment)))
    });
    let urls = request.plan.files.urls.iter().map(|url| {
        let name = Path::new(url.place.as_os_str()).file_name().unwrap_or_default();
        let by = match url.url.to_ascii_lowercase().starts_with("file:") {
            true => "read by HTCondor on the execute point, which has to have it",
            false => "fetched by HTCondor on the execute point",
        };
        line(&url.url, &format!("transferred to each job as {}: {by}", quoted(Path::new(name))))
    });
    words.chain(environments).chain(urls).collect()
}

/// What a job may miss, each with its cure.
pub(super) fn notes(request: &Request) -> Vec<String> {
    let in_container = request.plan.resources.container.is_some();
    let doubts = request.doubts.iter().filter(|doubt| {
        // A container brings programs and libraries of its own.
        !in_container || matches!(doubt, Doubt::Editable { .. } | Doubt::AbsoluteBelow { .. })
    });
    let mut notes: Vec<_> = doubts.map(|doubt| describe_doubt(doubt, request)).collect();
    for environment in &request.environments {
        let folder = quoted(&environment.folder);
        notes.extend(environment.made_by.as_ref().map(|made_by| describe_python(&folder, made_by, in_container)));
        if environment.has_path_in_binaries {
            notes.push(format!(
                "{folder} holds programs with its path in their binary code, which stays as it is; most do not mind: \
                 split run shows it, and --container IMAGE is the way where one does"
            ));
        }
    }
    notes.extend(filled_names(request));
    notes.into_iter().map(|note| format!("note: {note}")).collect()
}

fn describe(request: &Request, fate: &Fate) -> String {
    match fate {
        Fate::Transferred => "transferred to each job".to_owned(),
        Fate::WithEnvironment(folder) => {
            let environment = request.environments.iter().find(|environment| environment.folder == *folder);
            let size = environment.map(|environment| format!(": {}", size(environment))).unwrap_or_default();
            format!("transferred to each job, travels with the whole of {}{size}", quoted(folder))
        }
        Fate::WithLibraries(libraries) => {
            let names: Vec<_> = libraries.iter().map(|library| quoted(library)).collect();
            format!("transferred to each job, with the libraries that it looks for beside itself: {}", names.join(", "))
        }
        Fate::Fetched(url) => format!("transferred to each job, from {url}"),
        Fate::Shared => "read where it is, on the shared file system".to_owned(),
        Fate::OnPath { here: true } => "found on the execute point, by its PATH (this machine has it too)".to_owned(),
        Fate::OnPath { here: false } => {
            "to be found on the execute point, by its PATH (this machine does not have it)".to_owned()
        }
        Fate::Absolute => "found on the execute point, at this path".to_owned(),
        Fate::Folder => "a folder: not transferred (--input sends it)".to_owned(),
        Fate::Absent => "found on the execute point, in its container: it is not here".to_owned(),
        Fate::Plain => "not a file: given as it stands".to_owned(),
        Fate::Filled => {
            let plan = &request.plan;
            let mut command = plan.command.iter();
            let per_item = command.any(|command| command.runs_per_item(&plan.space, plan.yields.stdin_items));
            format!("not a file: filled in for each {}", if per_item { "item" } else { "chunk" })
        }
    }
}

fn describe_doubt(doubt: &Doubt, request: &Request) -> String {
    let sends = if request.plan.resources.shared_filesystem { "names that one" } else { "sends its environment" };
    match doubt {
        Doubt::Library(MissingLibrary { needed_by, name, here }) => {
            let (needed_by, library) = (quoted(needed_by), name.to_string_lossy());
            match here {
                Some(folder) => format!(
                    "{needed_by} needs {library}, found here in {}, which is not sent: {}",
                    quoted(folder),
                    library_cure(request, folder, &library)
                ),
                None => format!("{needed_by} needs {library}, which is not found here either"),
            }
        }
        Doubt::Shebang { script, interpreter, named } => {
            let (script, interpreter) = (quoted(script), quoted(interpreter));
            let cure = match named {
                Some(named) => {
                    format!("name it before the script, which sends its environment: {} {script}", quoted(named))
                }
                None => "begin it with #!/usr/bin/env and a name that execute points know".to_owned(),
            };
            format!("the first line of {script} asks for {interpreter}, which execute points need not have: {cure}")
        }
        Doubt::OfEnvironment { word, named } => {
            let (word, named) = (word.quoted(), quoted(named));
            format!("{word} here is {named}; a job finds its own: write {named}, which {sends}")
        }
        Doubt::UvRun { instead } => {
            let command: Vec<_> = instead.iter().map(Word::quoted).collect();
            format!(
                "uv run needs uv itself, the project and a network on every execute point; to send what uv made here \
                 instead, uv sync, and then: -- {}",
                command.join(" ")
            )
        }
        Doubt::AbsoluteBelow { word, named } => {
            let (word, named) = (word.quoted(), quoted(named));
            format!("{word} is not sent, since its path is absolute: write {named}, which is sent")
        }
        Doubt::Editable { environment, source } => {
            let (environment, source_shown) = (quoted(environment), quoted(source));
            let cure = match source.is_absolute() {
                true => "install it without -e (uv sync --no-editable)".to_owned(),
                false => format!("--input {source_shown} sends it"),
            };
            format!("{environment} has an editable install of {source_shown}, which is not sent: {cure}")
        }
    }
}

/// How a library comes to be found in a job.
fn library_cure(request: &Request, folder: &Path, library: &str) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let named = if folder.is_absolute() { folder.strip_prefix(&here).ok() } else { Some(folder) };
    match named.filter(|named| !named.as_os_str().is_empty()) {
        _ if request.plan.resources.shared_filesystem => "execute points need to see it there".to_owned(),
        Some(named) => format!("--input {0} --env LD_LIBRARY_PATH={0} sends it", quoted(named)),
        None => format!(
            "copy it into a folder lib here, and --input lib --env LD_LIBRARY_PATH=lib sends it: cp {} lib/",
            quoted(&folder.join(library))
        ),
    }
}

fn describe_python(folder: &str, made_by: &MadeBy, in_container: bool) -> String {
    let MadeBy { version, home } = made_by;
    let of = format!("{folder} was made by Python {version} of {}", quoted(home));
    if in_container {
        return format!("{of}: the container needs the same");
    }
    if home.starts_with("/usr") || home.starts_with("/bin") {
        return format!("{of}: execute points need the same");
    }
    format!(
        "{of}, which execute points need not have: make it with a Python that they have (/usr/bin/python3 -m venv \
         {folder}), or with one in a folder below this one, which then travels too"
    )
}

/// Words that name a file that is here once they are filled in for the first chunk: none of them is sent.
fn filled_names(request: &Request) -> Vec<String> {
    let plan = &request.plan;
    let words = plan.words(0, plan.chunk(0), &request.rows).filter(|_| !plan.resources.shared_filesystem);
    let Some(words) = words else { return Vec::new() };
    let is_sent = |name: &Path| {
        plan.files.files.iter().any(|file| Path::new(file.source.as_os_str()).components().eq(name.components()))
            || files_of(&plan.space, plan.chunk(0), &request.rows).any(|file| file.path == name)
    };
    let names = request.words.iter().zip(words).filter(|(word, _)| word.fate == Fate::Filled);
    names
        .filter_map(|(word, filled)| {
            let text = String::from_utf8_lossy(filled.as_bytes()).into_owned();
            let values = [Some(text.as_str()), text.split_once('=').map(|(_, value)| value)];
            let mut values = values.into_iter().flatten().map(PathBuf::from);
            let name = values.find(|name| name.is_relative() && name.is_file() && !is_sent(name))?;
            let folder = name.parent().filter(|folder| !folder.as_os_str().is_empty());
            let cure = match folder {
                Some(folder) => format!("--input {} sends it", quoted(folder)),
                None => "put such files into a folder, which --input sends".to_owned(),
            };
            let example = quoted(&name);
            Some(format!(
                "{} names a file that is here, such as {example}, and is not sent: {cure}",
                word.word.quoted()
            ))
        })
        .collect()
}

fn size(environment: &FoundEnvironment) -> String {
    format!("{}, {}", count(environment.files as u128, "file"), bytes(environment.bytes))
}

fn quoted(path: &Path) -> String {
    Word::from(path.as_os_str().to_owned()).quoted()
}
