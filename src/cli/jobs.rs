//! What the jobs of a plan ask for: what the options say, else the site's profiles, else what is built in.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::arguments::WhatOptions;
use super::failure::Failure;
use super::output::{binary, bytes, count};
use super::request::usage;
use crate::dag::above_partials;
use crate::exit::Exit;
use crate::plan::{
    ContainerMode, Plan, ReduceOn, Reduction, Resources, Shards, SiteRules, Size, SubmitLine, SubmitLineError, Word,
};
use crate::rows::Sent;
use crate::site::{EXAMPLES, Profile, Site, SiteError};

/// What the site and the options say of jobs, beside what is in the plan.
#[derive(Debug)]
pub(super) struct JobSettings {
    /// How much may be transferred for all jobs, and who says so.
    max_transfer: (Size, String),
    /// Who says how much disk a job asks for; `None` where nobody does.
    disk: Option<String>,
    /// Whether anybody says how much memory.
    memory_is_said: bool,
    /// An image file that HTCondor itself transfers, in bytes.
    image: Option<u64>,
    /// An image file that travels as an input does.
    image_file: Option<PathBuf>,
    /// What each chunk's job is sent of its own.
    rows: Sent,
    /// What may be of interest about the site and the container.
    pub(super) notes: Vec<String>,
}

/// Reads the profiles that apply here, and `named`.
pub(super) fn site(named: Option<&Path>) -> Result<Site, Failure> {
    crate::site::find(named).map_err(|error| {
        let failure = Failure::from_error(Exit::Usage, &error);
        match &error {
            SiteError::Unknown { meant: Some(meant), .. } => failure.help(format!("did you mean `{meant}`?")),
            SiteError::Unknown { .. } | SiteError::Value { .. } | SiteError::Syntax { .. } => {
                let (name, _) = EXAMPLES[0];
                failure.help(format!("split site shows every setting, split site --example {name} a profile"))
            }
            SiteError::FillIn { origin, .. } => {
                failure.help(format!("it is left to be filled in: edit {}", origin.file.display()))
            }
            SiteError::Unreadable { .. } => failure,
        }
    })
}

/// How long a chunk should take.
pub(super) fn target(profile: &Profile) -> Duration {
    profile.target.as_ref().map_or(Profile::TARGET, |set| set.value)
}

/// From this share of what jobs ask for on, more should be asked for.
const CLOSE: f64 = 0.8;
/// A GiB holds a program's own files and so much of what is sent: the runner and small inputs ask for no more.
const SENT_WITHIN: u64 = 100 << 20;

impl JobSettings {
    /// Checks the options over the site's settings. `here` is the current folder, and `base` the way to it from the
    /// plan's folder; `shards` says where in it jobs' relative paths start.
    pub(super) fn new(
        options: &WhatOptions,
        site: &Site,
        reduce: &Reduction,
        here: &Path,
        base: &Path,
        shards: Option<Shards>,
    ) -> Result<(Self, Resources, SiteRules), Failure> {
        let profile = &site.profile;
        let size = |name: &str, option: &Option<String>| -> Result<Option<Size>, Failure> {
            let parse = |text: &String| text.parse().map_err(|error| usage(format!("{name}: {error}")));
            option.as_ref().map(parse).transpose()
        };
        let mut notes = Vec::new();
        if let Some(name) = &profile.name {
            notes.push(format!("the settings of the site {} apply: split site shows them", name.value));
        }
        let (mut submit, mut requirements) = submit(&options.submit)?;
        let shared_filesystem =
            options.shared_filesystem.or(profile.shared_filesystem.as_ref().map(|set| set.value)).unwrap_or(false);
        let mode = options.container_mode.or(profile.container_mode.as_ref().map(|set| set.value)).unwrap_or_default();
        let who = match mode {
            ContainerMode::Apptainer => Starts::Runner,
            ContainerMode::Universe if has_container_image(profile) => Starts::Htcondor,
            ContainerMode::Universe => Starts::Site,
        };
        let container = container(
            options.container.as_deref(),
            who,
            shared_filesystem,
            here,
            &Path::new(above_partials(shards)).join(base),
        )?;
        let gpu_lines = without_requirements(profile.gpu_lines(options.gpus), &mut requirements)?;
        let container_lines = match &container {
            Some(container) if mode == ContainerMode::Universe && profile.containers.is_some() => {
                without_requirements(profile.container_lines(&container.name), &mut requirements)?
            }
            _ => Vec::new(),
        };
        if let Some(container) = &container
            && mode == ContainerMode::Apptainer
            && container.name.starts_with("docker://")
        {
            let name = &container.name;
            notes.push(format!(
                "note: each job fetches {name} anew: apptainer build image.sif {name} makes a file of it"
            ));
        }
        let max_transfer = match (size("--max-transfer", &options.max_transfer)?, &profile.max_transfer) {
            (Some(size), _) => (size, "--max-transfer".to_owned()),
            (None, Some(set)) => (set.value, format!("max-transfer in {}", set.origin)),
            (None, None) => (Profile::MAX_TRANSFER, "--max-transfer, where it is not given".to_owned()),
        };
        let disk = match (size("--disk", &options.disk)?, &profile.disk) {
            (Some(size), _) => Some((size, "--disk".to_owned())),
            (None, Some(set)) => Some((set.value, format!("disk in {}", set.origin))),
            (None, None) => None,
        };
        let said = size("--memory", &options.memory)?.or(profile.memory.as_ref().map(|set| set.value));
        let (memory, memory_is_said) = (said.unwrap_or(Profile::MEMORY), said.is_some());
        let memory_max = size("--memory-max", &options.memory_max)?;
        if let Some(most) = memory_max.filter(|most| most.kibibytes() < memory.kibibytes()) {
            let less = format!("--memory-max {most} is less than the {memory} that each job asks for");
            return Err(Failure::new(Exit::Usage, less).help("--memory SIZE says what each job asks for"));
        }
        let mut rules = rules(options, profile, reduce, &mut notes);
        replace_lines(&mut rules.submit, &mut submit);
        let resources = Resources {
            cpus: options.cpus,
            memory,
            memory_max,
            disk: disk.as_ref().map_or(Profile::DISK, |(size, _)| *size),
            halt: options.halt,
            held_for: options.held_for.map(|time| time.as_secs().max(1)),
            retries: options.retries.or(profile.retries.as_ref().map(|set| set.value)).unwrap_or(Profile::RETRIES),
            gpus: options.gpus,
            gpu_lines,
            container_mode: if container.is_some() { mode } else { ContainerMode::default() },
            container_lines,
            container: container.as_ref().map(|container| container.name.clone()),
            shared_filesystem,
            requirements,
            submit,
        };
        let (image, image_file) = container.map_or((None, None), |container| (container.bytes, container.file));
        let disk = disk.map(|(_, who)| who);
        let rows = Sent::default();
        Ok((Self { max_transfer, disk, memory_is_said, image, image_file, rows, notes }, resources, rules))
    }

    /// Files that travel as if `--input` had named them.
    pub(super) fn inputs(&self) -> &[PathBuf] {
        self.image_file.as_slice()
    }

    /// What chunks' jobs are sent of their own.
    pub(super) fn rows(&self) -> Sent {
        self.rows
    }

    /// The size in bytes of a container image that HTCondor itself transfers to each job.
    pub(super) fn image(&self) -> Option<u64> {
        self.image
    }

    /// What each job is sent of the user's, in bytes: the files and the container image, not the runner.
    pub(super) fn sent(&self, plan: &Plan) -> u64 {
        if plan.resources.shared_filesystem {
            return 0;
        }
        let sizes = plan.files.files.iter().map(|file| file.bytes).chain(self.image);
        sizes.fold(0, u64::saturating_add)
    }

    /// Asks for disk for what each job is sent, where nobody says how much; where it is said and is less than that,
    /// notes it. `runner` is the runner's size in bytes, and `rows` what chunks' jobs are sent of their own.
    pub(super) fn settle_disk(&mut self, plan: &mut Plan, runner: u64, rows: Sent) {
        self.rows = rows;
        let runner = if plan.resources.shared_filesystem { 0 } else { runner };
        let sent = self.sent(plan).saturating_add(self.rows.most).saturating_add(runner);
        let enough = enough_disk(sent);
        match &self.disk {
            None => {
                plan.resources.disk = enough;
                self.notes.extend(ask_for_disk(plan, false));
            }
            Some(who) if plan.resources.disk.bytes() < sent => self.notes.push(format!(
                "note: each job is sent {}{} and asks for {} of disk ({who}), which HTCondor may hold it for: --disk {enough}",
                if self.rows.most > 0 { "up to " } else { "" },
                bytes(sent),
                plan.resources.disk
            )),
            Some(_) => self.notes.extend(ask_for_disk(plan, true)),
        }
        if let Some(probe) = &mut plan.pacing.probe {
            probe.disk_is_said = self.disk.is_some();
        }
    }

    /// Asks for as much memory as jobs were seen to need, where nobody says how much; where it is said and is hardly enough,
    /// notes it.
    pub(super) fn settle_memory(&mut self, plan: &mut Plan) {
        self.notes.extend(ask_for_memory(plan, self.memory_is_said));
        if let Some(probe) = &mut plan.pacing.probe {
            probe.memory_is_said = self.memory_is_said;
        }
    }

    /// Refuses a plan whose jobs would be sent more of the user's than is allowed. The runner does not count: a million
    /// jobs without inputs are no mistake, and each has ten minutes for it.
    pub(super) fn check_transfer(&self, plan: &Plan) -> Result<(), Failure> {
        let each = self.sent(plan);
        let chunks = plan.cut.chunks();
        let all = each.saturating_mul(chunks).saturating_add(self.rows.all);
        let each = each.saturating_add(self.rows.most);
        let (most, who) = &self.max_transfer;
        if all <= most.bytes() {
            return Ok(());
        }
        let jobs = if chunks == 1 { "the only job".to_owned() } else { format!("all {}", count(chunks, "job")) };
        let mut failure = usage(format!(
            "each job would be sent {}{} of files, and {jobs} {}: over {most} ({who})",
            if self.rows.most > 0 { "up to " } else { "" },
            bytes(each),
            bytes(all)
        ));
        let mut largest: Vec<_> = plan.files.files.iter().map(|file| (file.bytes, file.source.quoted())).collect();
        largest.sort_by(|a, b| b.cmp(a));
        for (size, name) in largest.iter().take(3) {
            failure = failure.detail(format!("{}  {name}", bytes(*size)));
        }
        if self.rows.most > 0 {
            failure = failure.detail(format!("{}  at most, its own rows and files", bytes(self.rows.most)));
        }
        if let Some(size) = self.image {
            failure = failure.detail(format!("{}  the container image", bytes(size)));
        }
        Err(failure
            .help("fewer chunks are sent less: --chunks N")
            .help("--shared-filesystem sends nothing, where the execute points see this folder")
            .help("what all jobs need is better fetched from where many can read it: an osdf:// or https:// URL")
            .help("--max-transfer SIZE allows more"))
    }
}

/// Asks for as much memory as jobs were seen to need, unless somebody says how much. Gives what is to be said of it: also where
/// it is said and is hardly enough.
pub(super) fn ask_for_memory(plan: &mut Plan, is_said: bool) -> Option<String> {
    let seen = plan.seen?;
    let asked = plan.resources.memory;
    if is_said {
        let (used, wanted) = (binary(seen.memory), seen.memory_to_ask_for(asked, None));
        let is_close = seen.memory as f64 > CLOSE * asked.bytes() as f64;
        return is_close.then(|| {
            format!("note: a job was seen to use {used} of memory, and each asks for {asked}: --memory {wanted}")
        });
    }
    let wanted = seen.memory_to_ask_for(asked, plan.resources.memory_max);
    plan.resources.memory = wanted;
    (wanted.bytes() > asked.bytes())
        .then(|| format!("  each job asks for {wanted} of memory, twice what was seen (--memory)"))
}

/// The same of disk.
pub(super) fn ask_for_disk(plan: &mut Plan, is_said: bool) -> Option<String> {
    let seen = plan.seen?;
    let asked = plan.resources.disk;
    let wanted = seen.disk_to_ask_for(asked);
    if is_said {
        let is_close = seen.disk as f64 > CLOSE * asked.bytes() as f64;
        let used = binary(seen.disk);
        return is_close.then(|| {
            format!("note: a job was seen to use {used} of disk, and each asks for {asked}: --disk {wanted}")
        });
    }
    plan.resources.disk = wanted;
    (wanted.bytes() > asked.bytes())
        .then(|| format!("  each job asks for {wanted} of disk, twice what was seen at least (--disk)"))
}

/// What the site asks of every plan, with what the options say otherwise.
fn rules(options: &WhatOptions, profile: &Profile, reduce: &Reduction, notes: &mut Vec<String>) -> SiteRules {
    let mut reduce_on = options.reduce_on.or(profile.reduce.as_ref().map(|set| set.value)).unwrap_or_default();
    if let (ReduceOn::Job, Reduction::With(command)) = (reduce_on, reduce) {
        reduce_on = ReduceOn::AccessPoint;
        let program = command.fixed_words().next().map(|word| word.quoted()).unwrap_or_default();
        notes.push(format!("note: --reduce-with needs {program}, so results are merged on the access point"));
    }
    SiteRules {
        submit: profile.submit.iter().map(|line| line.value.clone()).collect(),
        requirements: profile.requirements.iter().map(|condition| condition.value.clone()).collect(),
        reduce_on,
        throttles: profile.throttles(),
        access_point: profile.access_point(),
    }
}

/// A line of `--submit` takes the place of the site's line that sets the same, so that every submit file has it. Of
/// several that do the last holds, as in HTCondor.
fn replace_lines(of_site: &mut [String], own: &mut Vec<String>) {
    let same = |a: &str, b: &str| {
        SubmitLine::parse(a).is_ok_and(|a| SubmitLine::parse(b).is_ok_and(|b| a.sets_the_same_as(&b)))
    };
    for line in &mut *of_site {
        if let Some(own) = own.iter().rfind(|own| same(own, line)) {
            line.clone_from(own);
        }
    }
    own.retain(|own| !of_site.iter().any(|line| same(own, line)));
}

/// How a site asks for something: HTCondor takes the last line of requirements alone, so that theirs are added to
/// the plan's.
fn without_requirements(lines: Vec<String>, requirements: &mut Vec<String>) -> Result<Vec<String>, Failure> {
    let mut rest = Vec::new();
    for line in lines {
        let condition = SubmitLine::parse(&line).and_then(|line| line.condition());
        match condition.map_err(|error| usage(format!("the site's line `{line}`: {error}")))? {
            Some(condition) => requirements.push(condition.to_owned()),
            None => rest.push(line),
        }
    }
    Ok(rest)
}

/// Whether HTCondor is told of the image by its own command, so that it transfers an image that is a file.
fn has_container_image(profile: &Profile) -> bool {
    let names_it =
        |line: &String| SubmitLine::parse(line).is_ok_and(|line| line.name.eq_ignore_ascii_case("container_image"));
    profile.containers.as_ref().is_none_or(|lines| lines.value.iter().any(names_it))
}

/// The disk for a program's own files and for so many bytes that are sent.
fn enough_disk(sent: u64) -> Size {
    let beside = if sent <= SENT_WITHIN { 0 } else { sent.div_ceil(1 << 30) };
    Size::gibibytes(u32::try_from(beside + 1).unwrap_or(u32::MAX))
}

/// The lines of `--submit`: those that are printed as they are, and the conditions of those that are requirements.
fn submit(lines: &[String]) -> Result<(Vec<String>, Vec<String>), Failure> {
    let (mut submit, mut requirements) = (Vec::new(), Vec::new());
    for text in lines {
        let explain = |error: SubmitLineError| {
            let failure = usage(format!("--submit {}: {error}", Word::from(text.as_str()).quoted()));
            match error {
                SubmitLineError::Lines => failure.help("give --submit once for each line"),
                SubmitLineError::Ours { instead, .. } => failure.help(instead),
                SubmitLineError::Replaces => failure.help("--submit 'requirements = CONDITION' adds to them"),
                SubmitLineError::Form | SubmitLineError::Condition(_) => failure,
            }
        };
        match SubmitLine::parse(text).and_then(|line| line.requirement()).map_err(explain)? {
            Some(condition) => requirements.push(condition.to_owned()),
            None => submit.push(text.clone()),
        }
    }
    Ok((submit, requirements))
}

/// Who starts the container.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Starts {
    /// The runner, by `apptainer exec`.
    Runner,
    /// HTCondor, told by its own command.
    Htcondor,
    /// The pool, told in a way of its own.
    Site,
}

struct Container {
    /// As the submit file or the runner names it.
    name: String,
    /// Its size, where HTCondor transfers it by itself.
    bytes: Option<u64>,
    /// Its path, where it travels as an input.
    file: Option<PathBuf>,
}

/// Checks the image. `way` leads from where jobs' relative paths start to the current folder, which is `here`.
fn container(
    image: Option<&str>,
    who: Starts,
    shared_filesystem: bool,
    here: &Path,
    way: &Path,
) -> Result<Option<Container>, Failure> {
    let Some(image) = image else { return Ok(None) };
    if image.is_empty() || image.contains(['\n', '\r', ',']) {
        return Err(usage(format!("--container {image:?}: no name of an image")));
    }
    let path = here.join(image);
    let is_local = !image.contains("://") && Path::new(image).is_relative();
    let name = image.to_owned();
    let shown = Word::from(image).quoted();
    let missing = || {
        let failure = usage(format!("--container {shown}: there is no such file"));
        match is_local && !looks_like_a_file(image) {
            true => failure.help(format!("an image of a registry is written docker://{image}")),
            false => failure,
        }
    };
    if who != Starts::Runner {
        // HTCondor leaves alone what every machine is to see below /cvmfs, and transfers all else that is no URL.
        let is_file = !image.contains("://") && !path.starts_with("/cvmfs");
        let is_meant_as_file = match who {
            Starts::Htcondor => is_file,
            Starts::Site | Starts::Runner => is_local && looks_like_a_file(image),
        };
        if is_meant_as_file && !path.exists() {
            return Err(missing());
        }
        if who == Starts::Htcondor && is_file && shared_filesystem {
            return Err(usage(format!(
                "--container {shown}: HTCondor transfers an image that is a file, and on a shared file system nothing \
                 is to be transferred"
            ))
            .help("--container-mode apptainer starts it where it is")
            .help("--shared-filesystem=false transfers all that a job needs"));
        }
        let sent = !shared_filesystem && is_file;
        let bytes = path.metadata().ok().filter(|found| sent && found.is_file()).map(|found| found.len());
        let name = match is_local && path.exists() {
            true => {
                let image = way.join(image);
                let tidy: PathBuf = image.components().filter(|part| *part != Component::CurDir).collect();
                tidy.to_string_lossy().into_owned()
            }
            false => name,
        };
        return Ok(Some(Container { name, bytes, file: None }));
    }
    if !is_local || (shared_filesystem && path.is_dir()) {
        return Ok(Some(Container { name, bytes: None, file: None }));
    }
    if path.is_dir() {
        return Err(usage(format!("--container {shown}: a folder, which is not sent to jobs"))
            .help(format!("make a file of it: apptainer build image.sif {shown}")));
    }
    if !path.is_file() {
        return Err(missing());
    }
    Ok(Some(Container { name, bytes: None, file: Some(image.into()) }))
}

/// Whether a name is written as files are, not as images of a registry or of a pool.
fn looks_like_a_file(image: &str) -> bool {
    let ending = Path::new(image).extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    ["./", "../"].iter().any(|start| image.starts_with(start)) || ["sif", "simg", "img"].contains(&ending)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disk_for_what_is_sent() {
        let check = |sent: u64, size: &str| assert_eq!(enough_disk(sent).to_string(), size, "{sent}");
        check(0, "1GB");
        check(100 << 20, "1GB");
        check((100 << 20) + 1, "2GB");
        check(1 << 30, "2GB");
        check((1 << 30) + 1, "3GB");
        check(u64::MAX, "4294967295GB");
    }

    #[test]
    fn the_last_of_the_users_lines_takes_the_place_of_the_sites() {
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        let (mut site, mut own) = (lines(&["+A = 1", "+B = 1"]), lines(&["MY.b = 2", "b = 3", "+B = 4", "rank = 5"]));
        replace_lines(&mut site, &mut own);
        assert_eq!((site, own), (lines(&["+A = 1", "+B = 4"]), lines(&["b = 3", "rank = 5"])));
    }
}
