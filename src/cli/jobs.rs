//! What the jobs of a plan ask for: what the options say, else the site's profiles, else what is built in.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::arguments::WhatOptions;
use super::failure::Failure;
use super::output::{bytes, count};
use super::request::usage;
use crate::exit::Exit;
use crate::plan::{
    ContainerMode, Plan, ReduceOn, Reduction, Resources, SiteRules, Size, SubmitLine, SubmitLineError, Word,
};
use crate::site::{EXAMPLES, Profile, Site, SiteError};

/// What the site and the options say of jobs, beside what is in the plan.
#[derive(Debug)]
pub(super) struct Jobs {
    /// How much may be transferred for all jobs, and who says so.
    max_transfer: (Size, String),
    /// An image file that HTCondor itself transfers, in bytes.
    image: Option<u64>,
    /// An image file that travels as an input does.
    image_file: Option<PathBuf>,
    /// What may be of interest about the site and the container.
    pub(super) notes: Vec<String>,
}

/// Reads the profiles that apply here, and `named`.
pub(super) fn site(named: Option<&Path>) -> Result<Site, Failure> {
    crate::site::find(named).map_err(|error| {
        let exit = match &error {
            SiteError::Unreadable { .. } if named.is_none() => Exit::Machine,
            _ => Exit::Usage,
        };
        let failure = Failure::from_error(exit, &error);
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

/// How long a chunk should take, in words.
pub(super) fn target(profile: &Profile) -> String {
    let target = profile.target.as_ref().map_or(Profile::TARGET, |set| set.value);
    let minutes = target.as_secs() / 60;
    match target == Duration::from_secs(60 * minutes) && minutes < 100 {
        true => count(minutes, "minute"),
        false => humantime::format_duration(target).to_string(),
    }
}

impl Jobs {
    /// Checks the options over the site's settings. `here` is the current folder, and `base` the way to it from the
    /// plan's folder.
    pub(super) fn new(
        options: &WhatOptions,
        site: &Site,
        reduce: &Reduction,
        here: &Path,
        base: &Path,
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
        let (submit, requirements) = submit(&options.submit)?;
        let shared_filesystem =
            options.shared_filesystem.or(profile.shared_filesystem.as_ref().map(|set| set.value)).unwrap_or(false);
        let mode = options.container_mode.or(profile.container_mode.as_ref().map(|set| set.value)).unwrap_or_default();
        let container = container(options.container.as_deref(), mode, shared_filesystem, here, base)?;
        let container_lines = match &container {
            Some(container) if mode == ContainerMode::Universe && profile.containers.is_some() => {
                profile.container_lines(&container.name)
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
        let rules = rules(options, profile, reduce, &mut notes);
        let resources = Resources {
            cpus: options.cpus,
            memory: size("--memory", &options.memory)?
                .or(profile.memory.as_ref().map(|set| set.value))
                .unwrap_or(Profile::MEMORY),
            disk: size("--disk", &options.disk)?
                .or(profile.disk.as_ref().map(|set| set.value))
                .unwrap_or(Profile::DISK),
            retries: options.retries.or(profile.retries.as_ref().map(|set| set.value)).unwrap_or(Profile::RETRIES),
            gpus: options.gpus,
            gpu_lines: profile.gpu_lines(options.gpus),
            container_mode: if container.is_some() { mode } else { ContainerMode::default() },
            container_lines,
            container: container.as_ref().map(|container| container.name.clone()),
            shared_filesystem,
            requirements,
            submit,
        };
        let (image, image_file) = container.map_or((None, None), |container| (container.bytes, container.file));
        Ok((Self { max_transfer, image, image_file, notes }, resources, without_what_the_user_sets(rules, options)))
    }

    /// Files that travel as if `--input` had named them.
    pub(super) fn inputs(&self) -> &[PathBuf] {
        self.image_file.as_slice()
    }

    /// What each job is sent, in bytes, apart from the runner and the user's files, with its name.
    pub(super) fn image(&self) -> Option<u64> {
        self.image
    }

    /// Refuses a plan whose jobs would be sent more of the user's than is allowed. The runner does not count: a million
    /// jobs without inputs are no mistake, and each has ten minutes for it.
    pub(super) fn check_transfer(&self, plan: &Plan) -> Result<(), Failure> {
        if plan.resources.shared_filesystem {
            return Ok(());
        }
        let files: u128 = plan.files.files.iter().map(|file| u128::from(file.bytes)).sum();
        let each = files + u128::from(self.image.unwrap_or(0));
        let chunks = plan.cut.chunks();
        let all = each.saturating_mul(chunks.into());
        let (most, who) = &self.max_transfer;
        if all <= most.bytes().into() {
            return Ok(());
        }
        let shown = |number: u128| bytes(u64::try_from(number).unwrap_or(u64::MAX));
        let jobs = if chunks == 1 { "the only job".to_owned() } else { format!("all {}", count(chunks, "job")) };
        let mut failure = usage(format!(
            "each job would be sent {} of files, and {jobs} {}: over {most} ({who})",
            shown(each),
            shown(all)
        ));
        let mut largest: Vec<_> = plan.files.files.iter().map(|file| (file.bytes, file.source.quoted())).collect();
        largest.sort_by(|a, b| b.cmp(a));
        for (size, name) in largest.iter().take(3) {
            failure = failure.detail(format!("{}  {name}", bytes(*size)));
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

/// A line of `--submit` takes the place of the site's line that sets the same.
fn without_what_the_user_sets(mut rules: SiteRules, options: &WhatOptions) -> SiteRules {
    let own: Vec<_> = options.submit.iter().filter_map(|line| SubmitLine::parse(line).ok()).collect();
    let replaced = |line: &String| {
        let line = SubmitLine::parse(line);
        line.is_ok_and(|line| own.iter().any(|own| own.sets_the_same_as(&line)))
    };
    rules.submit.retain(|line| !replaced(line));
    rules
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

struct Container {
    /// As the submit file or the runner names it.
    name: String,
    /// Its size, where HTCondor transfers it by itself.
    bytes: Option<u64>,
    /// Its path, where it travels as an input.
    file: Option<PathBuf>,
}

fn container(
    image: Option<&str>,
    mode: ContainerMode,
    shared_filesystem: bool,
    here: &Path,
    base: &Path,
) -> Result<Option<Container>, Failure> {
    let Some(image) = image else { return Ok(None) };
    if image.is_empty() || image.contains(['\n', '\r', ',']) {
        return Err(usage(format!("--container {image:?}: no name of an image")));
    }
    let path = here.join(image);
    let is_local = !image.contains("://") && Path::new(image).is_relative();
    let name = image.to_owned();
    if mode == ContainerMode::Universe {
        // HTCondor leaves alone what every machine is to see below /cvmfs.
        let sent = !shared_filesystem && !path.starts_with("/cvmfs");
        let bytes = path.metadata().ok().filter(|found| sent && found.is_file()).map(|found| found.len());
        // An image file is named from outputs/, where the jobs' relative paths start.
        let name = match is_local && path.is_file() {
            true => {
                let from_outputs = Path::new("..").join(base).join(image);
                let tidy: PathBuf = from_outputs.components().filter(|part| *part != Component::CurDir).collect();
                tidy.to_string_lossy().into_owned()
            }
            false => name,
        };
        return Ok(Some(Container { name, bytes, file: None }));
    }
    if !is_local || (shared_filesystem && path.is_dir()) {
        return Ok(Some(Container { name, bytes: None, file: None }));
    }
    let shown = Word::from(image).quoted();
    if path.is_dir() {
        return Err(usage(format!("--container {shown}: a folder, which is not sent to jobs"))
            .help(format!("make a file of it: apptainer build image.sif {shown}")));
    }
    if !path.is_file() {
        return Err(usage(format!("--container {shown}: there is no such file"))
            .help(format!("an image of a registry is written docker://{image}")));
    }
    Ok(Some(Container { name, bytes: None, file: Some(image.into()) }))
}
