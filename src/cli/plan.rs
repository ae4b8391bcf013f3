//! `split plan`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Done;
use super::arguments::{PlanOptions, WhatOptions};
use super::cost::{Expected, milliseconds};
use super::failure::{Failure, printed};
use super::outlook::outlook;
use super::output::{bytes, count, say, seconds, tell};
use super::probe::{self, Probed};
use super::request::{Knowledge, Known, Request};
use super::{access_point, chain, cure, learn, progress, reduce, travel, yields};
use crate::dag::Text;
use crate::exit::Exit;
use crate::folder::{FolderError, Laid, LayDown, Layout, Programs, lay_down};
use crate::inputs::{Fate, WordFate, is_dynamic, is_on_path};
use crate::plan::{Command, Keeping, MergeCommand, Plan, Reduction, Word};
use crate::record::gather;
use crate::store;

/// So many differences are shown; the rest is counted.
const LISTED: usize = 20;

pub(super) fn plan(options: &PlanOptions) -> Done {
    let (mut request, brought) = requested(&options.what, true)?;
    check_folder(&request.place)?;
    let programs = programs()?;
    request.jobs.check_transfer(&request.plan)?;
    access_point::read_gently(&request.plan.site.access_point)?;
    if options.dry_run {
        return dry_run(&request);
    }
    let laid = write(&mut request, &programs, &brought.as_ref().map_or(Vec::new(), |probed| probed.partials.clone()))?;
    let mut lines = describe(&request);
    lines.extend(describe_jobs(&request, &programs));
    let asked = options.what.chunks.is_some() || options.what.chunk_size.is_some();
    lines.extend(request.expected.iter().flat_map(|expected| outlook(&request.plan, expected, asked)));
    let folder = Word::from(request.folder.clone().into_os_string()).quoted();
    lines.push(match &laid {
        Laid::New => format!("wrote {} and what it needs", shown(&request.folder, "plan.dag")),
        Laid::Unchanged => format!("the same plan is in {folder} already: nothing was changed"),
        Laid::Completed => format!("the same plan is in {folder} already: files of it that were missing are back"),
        Laid::Kept { aside, chunks_done, items_done } => format!(
            "kept: {} of {} done by what was computed before ({}); the older plan is in {}",
            chunks_done,
            count(request.plan.cut.chunks(), "chunk"),
            count(*items_done, "item"),
            aside.display(),
        ),
        Laid::MovedAside { aside } => {
            format!("wrote {}; what was there is in {}", shown(&request.folder, "plan.dag"), aside.display())
        }
    });
    if matches!(laid, Laid::Kept { .. }) {
        lines.push(
            "note: what another cut computed counts too, which is wrong if the program reads SPLIT_CHUNK".to_owned(),
        );
        lines.extend(about_versions(&request)?);
    }
    let submit = if request.folder == Path::new(".") { String::new() } else { format!("cd {folder} && ") };
    if request.plan.command.is_some() && brought.is_none() && !has_run(&request, &laid) {
        let dir = if submit.is_empty() { String::new() } else { format!(" --dir {folder}") };
        lines.push(format!("first: split try{dir}     computes one item here as a job would"));
    }
    lines.push(format!("next: {submit}condor_submit_dag plan.dag"));
    tell(&lines)
}

/// What is asked for. Where nothing says how to cut, as the plan that is in the folder already is cut, or by what its records took, or as
/// it is found by trying some items: then also what these have shown.
pub(super) fn requested(options: &WhatOptions, renew: bool) -> Result<(Request, Option<Probed>), Failure> {
    let (options, script) = chain::expand(options)?;
    let options = &options;
    if options.template.is_some() {
        let request = Request::new(options, renew, &Knowledge::Nothing)?;
        script.keep();
        return Ok((request, None));
    }
    if let Some(knowledge) = cut_of_the_plan_there(options) {
        let request = Request::new(options, renew, &knowledge)?;
        let there = Layout::new(&options.dir).plan();
        let there = std::fs::read(there).ok().and_then(|bytes| Plan::from_json(&bytes).ok());
        if there.is_some_and(|there| there.identity == request.plan.identity) {
            return Ok((request, None));
        }
    }
    if let Some(known) = learn::from_records(options)? {
        return Ok((Request::new(options, renew, &Knowledge::Known(known))?, None));
    }
    if options.probe_on_pool {
        return Ok((probe::on_pool(options, renew)?, None));
    }
    let Some(probed) = probe::probe(options)? else {
        return Ok((Request::new(options, renew, &Knowledge::Nothing)?, None));
    };
    let knowledge = Knowledge::Known(probed.known.clone());
    Ok((Request::new(options, renew, &knowledge)?, Some(probed)))
}

/// The cut of the plan in the folder, where no option says how to cut, but for the target that it was cut by, and none that it is to be
/// replaced.
fn cut_of_the_plan_there(options: &WhatOptions) -> Option<Knowledge> {
    let says = options.chunks.is_some() || options.chunk_size.is_some() || options.cost.is_some();
    if says || options.force || options.keep {
        return None;
    }
    let bytes = std::fs::read(Layout::new(&options.dir).plan()).ok()?;
    let there = Plan::from_json(&bytes).ok()?;
    if there.pacing.probe.is_some() || options.target.is_some_and(|target| there.target != Some(milliseconds(target))) {
        return None;
    }
    let expected = Expected::of_plan(&there);
    Some(Knowledge::Known(Known { cut: there.cut, expected, target: there.target, seen: there.seen }))
}

/// What is to be said where another version of the program computed some of what is kept.
fn about_versions(request: &Request) -> Result<Option<String>, Failure> {
    let gathered = reduce::read(&Layout::new(&request.folder), &request.plan)?;
    let is_other = gathered.versions().any(|(_, code)| code != request.plan.code);
    let folder = Word::from(request.folder.clone().into_os_string()).quoted();
    Ok((is_other && request.plan.knows_code()).then(|| {
        format!(
            "note: another version of the program computed some of it, and versions are not merged unless --mixed says \
             so; split resume --redo {folder} sets that aside"
        )
    }))
}

/// Whether the code at hand has left a record in the folder, be it of a failure.
fn has_run(request: &Request, laid: &Laid) -> bool {
    if matches!(laid, Laid::New | Laid::MovedAside { .. }) {
        return false;
    }
    let plan = &request.plan;
    let gathered = gather(Layout::new(&request.folder).outputs(), plan, &|_| {});
    // Partials that cannot be read are named by what is to merge them.
    gathered.is_ok_and(|gathered| {
        let mut records = gathered.results.iter().chain(&gathered.failures);
        records.any(|found| found.record.header.code == plan.code)
    })
}

/// HTCondor fills in macros in the path of the log that DAGMan waits for, which then waits for ever; and
/// condor_submit_dag takes no line break.
fn check_folder(place: &Path) -> Result<(), Failure> {
    let path = place.to_string_lossy();
    let Some(odd) = ["$(", "$$(", "\n"].into_iter().find(|odd| path.contains(odd)) else { return Ok(()) };
    Err(Failure::new(Exit::Usage, format!("HTCondor cannot work in a folder whose path holds {odd:?}: {path:?}"))
        .help("plan in a folder of another name: --dir DIR"))
}

/// Lays the plan down.
pub(super) fn write(request: &mut Request, programs: &Programs, brought: &[PathBuf]) -> Result<Laid, Failure> {
    let Request { plan, rows, folder, templates, existing, .. } = request;
    let spinner = progress::spinner("writing the plan");
    let laid = lay_down(folder, plan, rows, templates, programs, *existing, brought);
    spinner.finish_and_clear();
    let laid = laid.map_err(|error| explain(&error))?;
    // A trial tells of it again: what works here may not work elsewhere.
    let notes: String = may_miss(request).into_iter().map(|note| note + "\n").collect();
    let path = Layout::new(&request.folder).notes();
    if std::fs::read_to_string(&path).unwrap_or_default() != notes {
        store::write(&path, notes.as_bytes())?;
    }
    Ok(laid)
}

/// The programs that are copied into the plan's folder: this one, and the runner beside it.
pub(super) fn programs() -> Result<Programs, Failure> {
    let split = std::env::current_exe()
        .map_err(|error| Failure::new(Exit::Machine, format!("cannot find the program itself: {error}")))?;
    let beside = split.with_file_name("split-runner");
    let runner = if beside.is_file() { beside } else { split.clone() };
    Ok(Programs { runner, split })
}

/// What was decided, for people.
pub(super) fn describe(request: &Request) -> Vec<String> {
    let plan = &request.plan;
    let chunks = plan.cut.chunks();
    let (least, most) = plan.cut.sizes(plan.space.count());
    let each = match most - least {
        0 => count(most, "item"),
        1 => format!("{least} or {}", count(most, "item")),
        _ => format!("{least} to {}", count(most, "item")),
    };
    let mut lines = match &plan.chain {
        Some(chain) => chain::describe(plan, chain),
        None => match &plan.pacing.probe {
            Some(probe) => vec![
                format!("{}, merged by {}", plan.space, plan.reduce),
                format!(
                    "  a few items are tried on the pool first, at {} for {} each; what they take cuts the rest into chunks of about {}",
                    count(chunks, "place"),
                    seconds(probe.budget().as_secs_f64()),
                    seconds(Duration::from_millis(probe.target).as_secs_f64()),
                ),
            ],
            None => vec![format!(
                "{} of {each} each, over {}, merged by {}",
                count(chunks, "chunk"),
                plan.space,
                plan.reduce
            )],
        },
    };
    lines.extend(request.found.iter().cloned());
    lines.extend(travel::words(request));
    if let Some(setup) = &plan.setup {
        let how = if plan.resources.shared_filesystem { "read" } else { "transferred, and read" };
        lines.push(format!("  {:<20} {how} by bash in each job before the program starts", setup.quoted()));
    }
    lines.extend(yields::describe(plan));
    if plan.pacing.slices > 1 && plan.command.is_some() {
        let slices = u128::from(plan.pacing.slices).min(most);
        if slices > 1 {
            let what = count(slices, "slice");
            lines.push(format!("  each chunk in {what}: a job that is evicted keeps those that it has finished"));
        }
    }
    match plan.pacing.checkpoint {
        None => {}
        Some(Keeping::Signal) => lines.push(
            "  the program keeps its own state in $SPLIT_CHECKPOINT_DIR: it saves on SIGTERM and ends with exit code 85".to_owned(),
        ),
        Some(Keeping::Files) => lines.push(
            "  the program keeps its own state: once $SPLIT_CHECKPOINT_STOP is there, it saves into $SPLIT_CHECKPOINT_NEW and \
             ends with exit code 85"
                .to_owned(),
        ),
    }
    if plan.command.is_none() {
        lines.push("  no command: the items themselves are the results".to_owned());
    }
    lines.extend(request.merging.iter().cloned());
    lines.extend(request.jobs.notes.iter().cloned());
    lines.extend(notes(request));
    lines
}

/// What becomes of what is missing.
fn about_tail(plan: &Plan) -> Option<String> {
    let times = match plan.tail_rounds {
        0 => return None,
        1 => "once".to_owned(),
        2 => "twice at most".to_owned(),
        more => format!("{more} times at most"),
    };
    Some(format!("  what is missing at the end is cut again, smaller, and run: {times} (--tail-rounds)"))
}

/// What becomes of what is missing, and what each job is sent.
fn describe_jobs(request: &Request, programs: &Programs) -> Vec<String> {
    let plan = &request.plan;
    let mut lines = Vec::new();
    if let Some(budget) = plan.pacing.budget() {
        let length = seconds(budget.as_secs_f64());
        lines.push(format!(
            "  a job that has worked for {length} brings back what it has finished, and yields the rest"
        ));
    }
    lines.extend(about_tail(plan));
    if !plan.resources.shared_filesystem {
        let runner = size(&programs.runner);
        let image = request.jobs.image();
        let sent = request.jobs.sent(plan);
        let files = sent - image.unwrap_or(0);
        let what = match plan.files.files.len() {
            0 => format!("the runner ({})", bytes(runner)),
            number => {
                format!("the runner ({}) and {} ({})", bytes(runner), count(number as u128, "file"), bytes(files))
            }
        };
        let what = image.map_or(what.clone(), |image| format!("{what}, and the container image ({})", bytes(image)));
        let own = request.jobs.rows();
        let what = match (own.most, own.files) {
            (0, _) => what,
            (most, 0) => format!("{what}, and its own rows (up to {})", bytes(most)),
            (most, _) => format!("{what}, and its own rows and files (up to {})", bytes(most)),
        };
        let jobs = plan.cut.chunks().saturating_mul(plan.chain.as_ref().map_or(1, |chain| chain.segments().into()));
        let all = sent.saturating_add(runner).saturating_mul(jobs).saturating_add(own.all);
        lines.push(format!("each job is sent {what}: {} in all", bytes(all)));
    }
    lines.extend(about_runner(programs));
    lines
}

/// A file's size in bytes; 0 for one that cannot be looked at, which is said when it is copied.
pub(super) fn size(file: &Path) -> u64 {
    file.metadata().map_or(0, |found| found.len())
}

/// What may not be meant.
fn notes(request: &Request) -> Vec<String> {
    let plan = &request.plan;
    let mut notes = request.notes.clone();
    notes.extend(yields::notes(plan));
    let is_shells =
        |word: &&WordFate| [&b"|"[..], b">", b">>", b"<", b"&&", b";", b"2>&1"].contains(&word.word.as_bytes());
    if let Some(WordFate { word, .. }) = request.words.iter().find(is_shells) {
        notes.push(format!(
            "note: {} reaches the program as it stands, since no shell comes between; a line for a shell is given to \
             one: -- bash -c '...'",
            word.quoted()
        ));
    }
    let spliced = plan.command.as_ref().map(Command::spliced_into_shell).unwrap_or_default();
    if !spliced.is_empty() {
        let names: Vec<_> = spliced.iter().map(|name| format!("{{{}}}", name.name())).collect();
        let variables: Vec<_> = spliced.iter().map(|name| format!("\"${}\"", name.variable())).collect();
        notes.push(format!(
            "note: {} becomes part of what the shell reads as its source, blanks, quotes and $ of a value among it; \
             write {} there instead",
            names.join(" "),
            variables.join(" ")
        ));
    }
    if let Reduction::With(command) = &plan.reduce {
        if command.splices_into_shell() {
            notes.push(
                "note: --reduce-with: a path becomes part of what the shell reads as its source; pass it as an \
                 argument: sh -c 'sort -m \"$1\" \"$2\"' sh {left} {right}"
                    .to_owned(),
            );
        }
        notes.extend(merge_notes(command));
    }
    for WordFate { word, fate } in &request.words {
        let quoted = word.quoted();
        match fate {
            Fate::Absent if plan.chain.as_ref().is_some_and(|chain| chain.state().contains(word)) => {}
            Fate::Absent if plan.resources.container.is_none() => {
                notes.push(format!("note: there is no {quoted} here, and jobs are not sent one"));
            }
            Fate::Plain | Fate::Filled => {
                let text = String::from_utf8_lossy(word.as_bytes());
                let sent = |value: &str| plan.files.files.iter().any(|file| file.source == Word::from(value));
                let value = text.split_once('=').map(|(_, value)| value);
                let value = value.filter(|value| Path::new(value).is_file() && !sent(value));
                let module = PathBuf::from(format!("{text}.py"));
                if *fate == Fate::Plain && module.is_file() && !sent(&module.to_string_lossy()) {
                    let module = module.display();
                    notes.push(format!("note: {module} is here and is not sent: --input {module} sends it"));
                }
                notes.extend(value.map(|file| {
                    format!("note: {quoted} names the file {file}, which is not sent: --input {file} sends it")
                }));
            }
            _ => {}
        }
    }
    notes.extend(keeps_in_vain(plan));
    notes.extend(may_miss(request));
    notes
}

/// A program that keeps its own state, of which nobody was told.
fn keeps_in_vain(plan: &Plan) -> Option<String> {
    /// Programs are no longer, data may be.
    const LONGEST: u64 = 1 << 20;
    if plan.pacing.checkpoint.is_some() {
        return None;
    }
    let sources = plan.files.files.iter().map(|file| Path::new(file.source.as_os_str()));
    let scripts = sources.filter(|path| path.extension().is_some_and(|end| end == "py"));
    let mut scripts = scripts.filter(|path| path.metadata().is_ok_and(|found| found.len() <= LONGEST));
    let imports = |line: &str| {
        let mut words = line.split(|letter: char| letter.is_whitespace() || letter == ',');
        matches!(words.next(), Some("import" | "from")) && words.any(|word| word == cure::LIBRARY)
    };
    let script = scripts.find(|path| {
        let text = std::fs::read(path).unwrap_or_default();
        String::from_utf8_lossy(&text).lines().any(|line| imports(line.trim_start()))
    })?;
    Some(format!(
        "note: {} keeps its own state by {}, of which nothing outlives its job: --checkpoint carries it",
        script.display(),
        cure::LIBRARY
    ))
}

/// What is here, and jobs may miss.
fn may_miss(request: &Request) -> Vec<String> {
    let plan = &request.plan;
    let variables = plan.environment.iter().filter_map(|(name, value)| variable_note(plan, name, value));
    travel::notes(request).into_iter().chain(variables).collect()
}

/// A variable whose value names a place that this machine has, outside of what every system has.
fn variable_note(plan: &Plan, name: &str, value: &Word) -> Option<String> {
    const SYSTEM: [&str; 8] = ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc", "/dev", "/proc"];
    let is_own = |path: &PathBuf| {
        path.is_absolute() && path.components().count() > 2 && !SYSTEM.iter().any(|system| path.starts_with(system))
    };
    let own = std::env::split_paths(value.as_os_str()).find(|path| is_own(path) && path.exists());
    let own = own.filter(|_| !plan.resources.shared_filesystem && plan.resources.container.is_none())?;
    let shown = Word::from(own.into_os_string()).quoted();
    Some(format!("note: the variable {name} names {shown}, which is here; jobs have it only if execute points do"))
}

/// What may be mistyped in a merge command, which would show only when all chunks are done.
fn merge_notes(command: &MergeCommand) -> Vec<String> {
    let is_missing = |(place, word): &(usize, Word)| {
        let text = word.as_bytes();
        let path = Path::new(word.as_os_str());
        let like_a_file = text.contains(&b'/') || path.extension().is_some_and(|ending| !ending.is_empty());
        match place {
            0 if !text.contains(&b'/') => !is_on_path(word.as_os_str(), None),
            _ => like_a_file && !text.starts_with(b"-") && !path.exists(),
        }
    };
    let missing = command.fixed_words().enumerate().filter(is_missing);
    missing.map(|(_, word)| format!("note: --reduce-with: there is no {} here", word.quoted())).collect()
}

/// What is wrong with the runner at hand, if anything.
fn about_runner(programs: &Programs) -> Vec<String> {
    let mut lines = Vec::new();
    let how = "cargo build --release, in the sources of split, makes the small static one";
    if programs.runner == programs.split {
        lines.push(format!("note: there is no split-runner beside split, so each job is sent split itself; {how}"));
    }
    if is_dynamic(&programs.runner) {
        lines.push(format!("note: the runner needs this machine's glibc, which execute points may not have; {how}"));
    }
    lines
}

fn dry_run(request: &Request) -> Done {
    let plan = &request.plan;
    let text = Text::new(plan, &request.templates).map_err(|error| explain(&error.into()))?;
    let mut out = io::BufWriter::new(io::stdout());
    let mut print = || -> io::Result<()> {
        writeln!(out, "==> {} <==", shown(&request.folder, "plan.dag"))?;
        text.write_dag(plan, &|_| false, &|_| false, &mut out)?;
        let merge_sub = text.merge_sub().map(|text| ("merge.sub", text.as_bytes()));
        for (name, content) in [("chunk.sub", text.chunk_sub().as_bytes())].into_iter().chain(merge_sub).chain([
            ("reduce.sub", text.reduce_sub().as_bytes()),
            ("dagman.config", text.dagman_config().as_bytes()),
            ("plan.json", &*plan.to_json()),
            ("plan.files/job/job.json", &*plan.job().to_json()),
        ]) {
            writeln!(out, "\n==> {} <==", shown(&request.folder, name))?;
            out.write_all(content)?;
        }
        out.flush()
    };
    let done = printed(print())?;
    say("nothing was written (--dry-run)");
    Ok(done)
}

/// A path in the plan's folder as a person would type it.
pub(super) fn shown(folder: &Path, name: &str) -> String {
    let path: PathBuf = if folder == Path::new(".") { name.into() } else { folder.join(name) };
    path.display().to_string()
}

/// Why the plan could not be laid down.
pub(super) fn explain(error: &LayDown) -> Failure {
    let exit = match error {
        LayDown::Differs { .. } | LayDown::Unexplained(_) | LayDown::NoFolder(_) | LayDown::NothingFits(_) => {
            Exit::Differs
        }
        LayDown::Busy { .. } => Exit::Busy,
        LayDown::Folder(FolderError::NoPlan(_) | FolderError::Document { .. }) => Exit::NoPlan,
        LayDown::Template(_) => Exit::Usage,
        LayDown::Folder(FolderError::Unreadable { .. }) | LayDown::Machine(_) => Exit::Machine,
    };
    let mut failure = Failure::from_error(exit, error);
    match error {
        LayDown::Differs { differences, fits, folder } => {
            for difference in differences.iter().take(LISTED) {
                failure =
                    failure.detail(format!("{}: was {}, now {}", difference.what, difference.before, difference.now));
            }
            if differences.len() > LISTED {
                failure = failure.detail(format!("... and {} more", differences.len() - LISTED));
            }
            if *fits && differences.iter().all(|difference| difference.what.starts_with("the file ")) {
                let folder = Word::from(folder.clone().into_os_string()).quoted();
                failure = failure
                    .help(format!("split run --redo {folder} computes it all again, with the files as they are now"))
                    .help(format!("on the pool: split resume --redo {folder}"));
            }
            if *fits {
                failure = failure.help("--keep lets what was computed count as far as it fits");
            }
            failure.help("--force moves it aside, --dir DIR plans elsewhere; nothing is deleted")
        }
        LayDown::Unexplained(_) => failure.help("--force moves it aside, --dir DIR plans elsewhere"),
        LayDown::NoFolder(_) => failure.help("rename it, or plan elsewhere: --dir DIR"),
        LayDown::NothingFits(_) => failure.help("--force moves it aside; nothing is deleted"),
        LayDown::Busy { file, .. } => failure
            .help("wait for it, or end it: condor_q -nobatch shows its job, condor_rm ends it")
            .help(format!("if it is gone for good, delete {}", file.display())),
        LayDown::Folder(FolderError::Document { .. }) => failure.help("--force moves it aside; nothing is deleted"),
        LayDown::Folder(_) | LayDown::Machine(_) | LayDown::Template(_) => failure,
    }
}
