//! `--template lammps`: what an input script has to offer so that segments can go on in it, and what keeps them from being bit for bit
//! the run in one go.

use std::ffi::OsString;

use super::arguments::WhatOptions;
use super::chain::{Script, describe_steps, least_common_multiple};
use super::failure::Failure;
use super::output::say;
use super::request::usage;

/// How a segment is computed.
const SEGMENT: &str = include_str!("../../dag-templates/lammps/segment.sh");

/// What one segment hands to the next.
const STATE: &str = "state.restart";

/// Styles of fixes and pairs, or parts of them, that draw random numbers and do not put their generator into a restart file (temp/csvr,
/// gcmc and others do).
const RANDOM: [&str; 7] = ["langevin", "brownian", "dpd", "tstat", "srd", "gld", "ttm"];

/// What goes on from a restart file as it should, but not to the last bit: measured for nvt and npt.
const ROUNDED: [&str; 3] = ["nvt", "npt", "nph"];

/// Commands in which a variable makes no difference to the trajectory.
const NAMES_FILES: [&str; 6] = ["dump", "log", "print", "shell", "write_dump", "write_data"];

/// What of the options stands for a chain. What keeps it from being, to the bit, the run in one go is said.
pub(super) fn expand(options: &mut WhatOptions, segments: u32, script: &mut Script) -> Result<(), Failure> {
    let Some(path) = options.input_script.take() else {
        return Err(usage("--template lammps: of which input script?").help("--in FILE, as lmp -in FILE takes it"));
    };
    let shown = path.display().to_string();
    let text = std::fs::read(&path).map_err(|error| usage(format!("--in {shown}: {error}")))?;
    let input = Input::read(&String::from_utf8_lossy(&text));
    input.check().map_err(|missing| usage(format!("--in {shown}: {missing}")).help(missing.help()))?;
    if options.replicas.is_some_and(|replicas| replicas > 1) && !input.has_replicas() {
        return Err(usage(format!("--replicas: {shown} computes the same trajectory for all of them"))
            .help("make a seed depend on the variable replica, which is 0, 1, ...: variable seed equal 4711+v_replica")
            .help("and so that the script runs alone, too, put this line at its top: variable replica index 0"));
    }
    let steps = describe_steps(input.steps().unwrap_or_default(), input.together(), segments, "");
    let lines: Vec<_> = steps.into_iter().chain(input.describe()).collect();
    say(&format!("{shown}:\n{}", lines.join("\n")));
    let Some(word) = path.to_str().map(|path| path.replace('{', "{{").replace('}', "}}")) else {
        return Err(usage(format!("--in {shown}: LAMMPS cannot read the name")));
    };
    if options.replicas.is_some() || options.items.ordered.is_empty() {
        options.command.splice(0..0, ["-var", "replica", "{replica}"].map(OsString::from));
    }
    script.compute(options, SEGMENT, &word, STATE, input.files())
}

/// The commands of an input script.
#[derive(Clone, Debug)]
struct Input {
    commands: Vec<Vec<String>>,
}

/// What an input script lacks for segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Missing {
    /// The number of steps.
    #[error("nothing says how many steps there are")]
    Steps,
    /// A run up to the end of a segment.
    #[error("no run ends where a segment ends")]
    Run,
    /// A way to go on.
    #[error("it starts from the beginning, whatever a segment before has left")]
    Restart,
}

impl Missing {
    /// The lines that it takes.
    fn help(self) -> &'static str {
        match self {
            Self::Steps => "put this line at its top, with your number of steps: variable steps index 10000",
            Self::Run => "let its last run be: run ${steps} upto",
            Self::Restart => {
                "put this line before what makes the atoms: if \"$(is_defined(variable,restart))\" then \"read_restart ${restart}\" \"jump SELF continue\"\n  and this one behind it, before pair_style, fix and dump: label continue"
            }
        }
    }
}

impl Input {
    /// Reads an input script: commands without comments, and over several lines where `&` ends one.
    fn read(text: &str) -> Self {
        let joined = text.replace("&\r\n", " ").replace("&\n", " ");
        let without_comment = |line: &str| line.split('#').next().unwrap_or_default().to_owned();
        let lines = joined.lines().map(without_comment);
        let words = lines.map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        Self { commands: words.filter(|words| !words.is_empty()).collect() }
    }

    fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [String]> {
        self.commands.iter().filter(move |words| words[0] == name).map(|words| &words[1..])
    }

    fn mentions(&self, what: &str) -> bool {
        self.commands.iter().flatten().any(|word| word.contains(what))
    }

    /// The number of steps that it says.
    fn steps(&self) -> Option<u64> {
        let said = self.named("variable").find(|words| words.starts_with(&["steps".into(), "index".into()]))?;
        said.get(2)?.parse().ok().filter(|steps| *steps > 0)
    }

    /// The steps after which neighbours are searched and atoms sorted at once.
    fn together(&self) -> u64 {
        let every = [("neigh_modify", "every"), ("neigh_modify", "delay"), ("atom_modify", "sort")]
            .into_iter()
            .flat_map(|(command, option)| {
                let pairs = self.named(command).flat_map(|words| words.windows(2));
                pairs.filter(move |pair| pair[0] == option).filter_map(|pair| pair[1].parse::<u64>().ok())
            });
        every.filter(|every| *every > 0).fold(1, least_common_multiple)
    }

    /// Whether segments can go on in it.
    fn check(&self) -> Result<(), Missing> {
        if self.steps().is_none() {
            return Err(Missing::Steps);
        }
        if !self.mentions("${restart}") {
            return Err(Missing::Restart);
        }
        if !self.named("run").any(|words| words.iter().any(|word| word == "upto") && words[0].contains("steps")) {
            return Err(Missing::Run);
        }
        Ok(())
    }

    /// Whether replicas differ in more than the names of their files.
    fn has_replicas(&self) -> bool {
        let names_files = |words: &&Vec<String>| !NAMES_FILES.contains(&words[0].as_str());
        self.commands.iter().filter(names_files).flatten().any(|word| is_use(word, "replica"))
    }

    /// Patterns of the files that it writes.
    fn files(&self) -> Vec<String> {
        let dumps = self.named("dump").filter_map(|words| words.get(4));
        let fixes = self.named("fix").filter_map(|words| {
            let place = words.iter().position(|word| word == "file")?;
            words.get(place + 1)
        });
        let mut files: Vec<_> = dumps.chain(fixes).map(|name| pattern(name)).collect();
        files.push("log.*.lammps".to_owned());
        files.sort();
        files.dedup();
        files
    }

    /// What keeps segments from being what one run is.
    fn describe(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let styles =
            |words: &[String]| words.iter().flat_map(|word| word.split('/')).map(str::to_owned).collect::<Vec<_>>();
        let acting: Vec<_> = self.named("fix").chain(self.named("pair_style")).map(styles).collect();
        let first = |known: &[&str]| acting.iter().flatten().find(|word| known.contains(&word.as_str())).cloned();
        if let Some(style) = first(&RANDOM)
            && !self.commands.iter().flatten().any(|word| is_use(word, "segment"))
        {
            lines.push(format!(
                "  {style} draws the same random numbers in every segment, as its generator is in no restart file: make its seed depend on the variable segment, such as: variable noise equal 4711+v_segment"
            ));
        }
        let has = |command: &str, option: &str, value: &str| {
            self.named(command).any(|words| words.windows(2).any(|pair| pair[0] == option && pair[1] == value))
        };
        let mut lacks = Vec::new();
        if !has("atom_modify", "sort", "0") {
            lacks.push("atom_modify sort 0 0.0");
        }
        // Without the option the delay is that of the version: 10 steps before 2022.
        let has_delay = self.named("neigh_modify").any(|words| words.iter().any(|word| word == "delay"));
        if !has("neigh_modify", "check", "no") || !has_delay {
            lacks.push("neigh_modify every 20 delay 0 check no");
        }
        if !lacks.is_empty() {
            lines.push(format!(
                "  as good a trajectory as that of a single run, but not to the bit the same; that takes: {}",
                lacks.join("; ")
            ));
        } else if let Some(style) = first(&ROUNDED) {
            lines.push(format!(
                "  as good a trajectory as that of a single run, but not to the bit the same: {style} goes on from a restart file with other last digits"
            ));
        }
        lines
    }
}

/// Whether a word takes the value of a variable.
fn is_use(word: &str, name: &str) -> bool {
    word.contains(&format!("${{{name}}}")) || word.contains(&format!("v_{name}"))
}

/// A file's name with `*` where a variable stands in it.
fn pattern(name: &str) -> String {
    let mut pattern = String::new();
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('$') {
        let end = match after.chars().next() {
            Some('{') => after.find('}'),
            Some('(') => after.find(')'),
            _ => (!after.is_empty()).then_some(0),
        };
        pattern.push_str(before);
        pattern.push('*');
        rest = end.map_or("", |end| &after[end + 1..]);
    }
    pattern + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    const MELT: &str = include_str!("../../examples/lammps/in.melt");

    fn check(text: &str) -> Result<(), Missing> {
        Input::read(text).check()
    }

    #[test]
    fn an_input_has_to_offer_a_way_on() {
        assert_eq!(check(MELT), Ok(()));
        assert_eq!(check(&MELT.replace(" steps ", " stops ")), Err(Missing::Steps));
        assert_eq!(check(&MELT.replace("index 2000", "equal 2000")), Err(Missing::Steps));
        assert_eq!(check(&MELT.replace("read_restart ${restart}", "read_restart my")), Err(Missing::Restart));
        assert_eq!(check(&MELT.replace(" upto", "")), Err(Missing::Run));
        assert_eq!(check(&MELT.replace(" upto", " # upto")), Err(Missing::Run));
        assert_eq!(check(&MELT.replace(" upto", " &\n upto")), Ok(()));
    }

    #[test]
    fn what_keeps_segments_from_the_bits_of_one_run() {
        let said = |text: &str| Input::read(text).describe().join("\n");
        assert_eq!(said(MELT), "");
        let lacks = said(&MELT.replace("atom_modify", "#"));
        assert!(lacks.contains("atom_modify sort 0 0.0") && !lacks.contains("neigh_modify"), "{lacks}");
        assert!(said(&MELT.replace("check no", "check yes")).contains("neigh_modify every 20 delay 0 check no"));
        assert!(said(&MELT.replace("delay 0", "")).contains("neigh_modify every 20 delay 0 check no"));
        assert_eq!(Input::read(&MELT.replace("delay 0", "delay 60")).together(), 3 * Input::read(MELT).together());
        assert!(said(&MELT.replace("all nve", "all nvt temp 1 1 0.5")).contains("nvt goes on"));
        let random = format!("{MELT}fix 2 all langevin 1 1 1 482\n");
        assert!(said(&random).contains("langevin draws the same random numbers"));
        assert_eq!(said(&random.replace("482", "${noise}\nvariable noise equal 482+v_segment")), "");
    }

    #[test]
    fn replicas_differ_where_the_input_makes_them() {
        assert!(Input::read(MELT).has_replicas());
        assert!(!Input::read(&MELT.replace("v_replica", "1")).has_replicas());
    }

    #[test]
    fn files_are_those_that_it_names() {
        assert_eq!(Input::read(MELT).files(), ["log.*.lammps", "melt.*.dump"]);
        let more = format!("{MELT}fix 7 all ave/time 1 1 1 v_x file av$x$(step).txt\ndump 2 all dcd 5 a.dcd\n");
        assert_eq!(Input::read(&more).files(), ["a.dcd", "av**.txt", "log.*.lammps", "melt.*.dump"]);
    }
}
