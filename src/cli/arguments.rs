//! The arguments as typed.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgMatches, Args, FromArgMatches, Parser, Subcommand, ValueEnum};

use super::simulate::SimulateOptions;
use super::what::ChunkName;
use crate::dag::{REST_AGAIN_DAG, REST_DAG};
use crate::exit::Exit;
use crate::plan::{ContainerMode, Keeping, ReduceOn, Tolerance};

const ABOUT: &str = "Splits one long computation into many short HTCondor jobs and merges their results";

const EXAMPLE: &str = "\
Example:
  split plan --total 1..=100 --chunks 60 -- python3 sum.py {first} {last}
  split try                       one item here, as a job would see it
  condor_submit_dag plan.dag
  split reduce outputs/

  split run --total 1..=100 --chunks 60 -- python3 sum.py {first} {last}     all of it, on this machine";

const COMMAND: &str = "\
In COMMAND:
  {first} {last}    the first and the last item, both included
  {start} {stop}    Python's half-open way: range(start, stop); with a step, range(start, stop, {step})
  {count}           how many items
  {chunk} {chunks}  the chunk's number, from 0, and how many there are
  {item} {NAME}     the value of an item, or one of its named values: the program then runs once for each item
  {items}           a path: a CSV file with the values of all its items, by their names, and a seed for each
  {seed} {seed31}   64 bits for random numbers, or 31 (R, MATLAB, NumPy's RandomState): an item's are the same
                    whatever the cut: the outputs of the generator SplitMix64, in item order, from the state --seed on
  {result}          a path: what the program writes there is its result, and what it prints is not
  {segment} {segments} {finished}  in a chain: the segment's number, from 1, how many there are at the most, and a path:
                    a program that makes a file there says that the trajectory has ended
  {item:05}         a whole number with zeros before it, at least 5 letters
  {{ }}             a brace
The same as SPLIT_FIRST, SPLIT_LAST, ... in its environment, names in upper case with _ for what is neither letter
nor digit; of rows of named values, and of --total with --where, SPLIT_FIRST and SPLIT_LAST are the rows' numbers, from 0, as
{first} and {last} of rows are; SPLIT_ITEMS only where the command names it or {items}; values of more than 100 KiB are left out. What it
prints on standard output is its result, unless it writes to {result}.
With no COMMAND the items themselves are the results.";

const STATUS: &str = "\
All of it is read from the event log and from what came back; the queue is not asked.
  running    has a machine
  idle       waits for one
  held       waits for somebody: split why says for what
  failed     has left the queue, and what it brought back does not cover its items
Time with results is that of jobs that ended with exit code 0, as long as they had their machines, and what others
had carried back before they were taken away. A job's last attempt that fails ends with 0, too, and counts as failed. The end is told by playing the rest through many times, with chunks
that take as long as those that have finished, as many side by side as of late, and as much lost to evictions as
until now. Four of five plays end within the spread. What failed or is held is not part of it.";

/// Everything after `split`.
#[derive(Debug, Parser)]
#[command(name = "split", version, about = ABOUT, after_help = EXAMPLE, after_long_help = exit_codes())]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) task: Task,
}

#[derive(Debug, Subcommand)]
pub(super) enum Task {
    /// Cut the items into chunks and write plan.dag, with all that its jobs need
    #[command(after_help = COMMAND)]
    Plan(PlanOptions),
    /// Try a few items here: how long they take, what they need, and how split plan would cut; what is computed counts
    #[command(after_help = COMMAND)]
    Probe(ProbeOptions),
    /// Compute on this machine, without HTCondor: the same options, or a planned folder
    #[command(after_help = COMMAND)]
    Run(RunOptions),
    /// Prove that no item is missing or counted twice, merge the results and print the answer
    Reduce(ReduceOptions),
    /// Say how far a planned folder is, and when it will be done
    #[command(after_help = STATUS)]
    Status(StatusOptions),
    /// Say what went wrong, and how to see it again here
    Why(WhyOptions),
    /// Show a chunk: its items, its command, its records
    Show(ShowOptions),
    /// Write plan.dag for what a planned folder still lacks
    Resume(ResumeOptions),
    /// Compute one item or chunk of a planned folder here, exactly as a job would see it
    Try(TryOptions),
    /// Compute some of the results again here, and compare
    Verify(VerifyOptions),
    /// Foresee what a pool would make of a planned folder: time to completion, goodput and badput, beside other ways to cut it
    Simulate(SimulateOptions),
    /// Show what the pool's administrators ask of every plan, and where each setting comes from
    Site(SiteOptions),
    /// Print the checkpoint library for Python: split python > split_checkpoint.py
    Python,
    /// Merge the results of a group of chunks on the way to the answer: what merge.sub runs in a job
    #[command(hide = true)]
    MergeGroup(MergeGroupOptions),
    /// Cut what is missing once the chunks have run, or see whether anything still is: scripts of plan.dag
    #[command(hide = true)]
    Tail(TailOptions),
    /// Cut the rest by what the items took that were tried on the pool: a script of plan.dag
    #[command(hide = true)]
    Rest(RestOptions),
}

/// Which results are computed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Redo {
    /// Those of older versions of the program
    Older,
    /// All of them
    All,
}

/// What a plan is made of beside items in chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Template {
    /// Trajectories, each computed by one segment after another
    Chain,
    /// Trajectories of GROMACS, from --tpr
    Gromacs,
    /// Trajectories of LAMMPS, from --in
    Lammps,
}

impl std::fmt::Display for Template {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Chain => "chain",
            Self::Gromacs => "gromacs",
            Self::Lammps => "lammps",
        })
    }
}

/// How a program keeps its own state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Checkpoint {
    /// In a folder, told by SIGTERM to save
    Signal,
    /// As a snapshot in a folder, told by a file to save
    Files,
}

impl From<Checkpoint> for Keeping {
    fn from(how: Checkpoint) -> Self {
        match how {
            Checkpoint::Signal => Self::Signal,
            Checkpoint::Files => Self::Files,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct PlanOptions {
    #[command(flatten)]
    pub(super) what: WhatOptions,

    /// Print what would be written, and write nothing
    #[arg(long, conflicts_with_all = ["keep", "force"])]
    pub(super) dry_run: bool,
}

#[derive(Debug, Args)]
pub(super) struct ProbeOptions {
    #[command(flatten)]
    pub(super) what: WhatOptions,
}

#[derive(Debug, Args)]
pub(super) struct RunOptions {
    /// A planned folder, instead of the options that plan one
    #[arg(value_name = "DIR")]
    pub(super) planned: Option<PathBuf>,

    #[command(flatten)]
    pub(super) what: WhatOptions,

    /// How many chunks to compute side by side [default: the cores of this machine / --cpus; on an access point
    /// two, or the site's number]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) jobs: Option<u16>,

    /// Answer even if chunks fail, and say which items the answer is about
    #[arg(long)]
    pub(super) partial: bool,

    /// Answer even if several versions of the program computed the results, and say so
    #[arg(long)]
    pub(super) mixed: bool,

    /// Set aside what older versions of the program computed, and compute it again (--redo=all: everything)
    #[arg(long, value_name = "WHICH", num_args = 0..=1, require_equals = true, default_missing_value = "older", conflicts_with = "mixed")]
    pub(super) redo: Option<Redo>,
}

#[derive(Debug, Args)]
pub(super) struct ReduceOptions {
    /// The folder with the partials, the planned folder, or an archive of partials
    #[arg(value_name = "DIR|FILE.zip")]
    pub(super) folder: PathBuf,

    /// Write the answer into a file, as --to of split plan, or print it: --to -
    #[arg(long, value_name = "FILE")]
    pub(super) to: Option<PathBuf>,

    /// After a complete answer, pack the partials into one zip archive, and delete them: `split reduce FILE.zip` gives the
    /// same answer
    #[arg(long, value_name = "FILE.zip", conflicts_with = "partial")]
    pub(super) archive: Option<PathBuf>,

    /// Answer even if items are missing, and say which items the answer is about
    #[arg(long)]
    pub(super) partial: bool,

    /// Answer where no more than this share of the items is missing, such as 1%, instead of what the plan says
    #[arg(long, value_name = "SHARE", conflicts_with = "archive")]
    pub(super) tolerance: Option<Tolerance>,

    /// Answer even if several versions of the program computed the results, and say so
    #[arg(long)]
    pub(super) mixed: bool,

    /// How many threads to use [default: the cores of this machine; on an access point two, or the site's number]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) threads: Option<u16>,
}

#[derive(Debug, Args)]
pub(super) struct SiteOptions {
    /// A profile to read after those of this machine and of yours
    #[arg(long, value_name = "FILE", conflicts_with = "example")]
    pub(super) site: Option<PathBuf>,

    /// Print a profile to start from: orangegrid, chtc, ospool
    #[arg(long, value_name = "POOL")]
    pub(super) example: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct MergeGroupOptions {
    /// The group's number, from 0
    pub(super) group: u64,
}

#[derive(Debug, Args)]
pub(super) struct TailOptions {
    /// A round of the tail, from 1, or `end`
    pub(super) step: TailStep,
}

#[derive(Debug, Args)]
pub(super) struct RestOptions {
    /// The DAG that is written
    #[arg(value_parser = [REST_DAG, REST_AGAIN_DAG])]
    pub(super) dag: String,
}

/// A step of the tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TailStep {
    /// What is missing is cut.
    Round(u32),
    /// The last round has run.
    End,
}

impl FromStr for TailStep {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let round = text.parse().ok().filter(|round| *round > 0).map(Self::Round);
        round.or((text == "end").then_some(Self::End)).ok_or_else(|| "a number from 1, or `end`".to_owned())
    }
}

#[derive(Debug, Args)]
pub(super) struct ResumeOptions {
    /// The planned folder
    #[arg(value_name = "DIR", default_value = ".")]
    pub(super) folder: PathBuf,

    /// Set aside what older versions of the program computed, so that it is computed again (--redo=all: everything)
    #[arg(long, value_name = "WHICH", num_args = 0..=1, require_equals = true, default_missing_value = "older")]
    pub(super) redo: Option<Redo>,

    /// Go on even if the results will be of several versions of the program
    #[arg(long, conflicts_with = "redo")]
    pub(super) mixed: bool,

    /// The folder with templates of your own that it was planned with
    #[arg(long, value_name = "DIR")]
    pub(super) templates: Option<PathBuf>,

    /// Cut what is missing into chunks that take about so long each, by what the others took [default: as it was cut, and where
    /// a chunk would take far longer than they do in the mean, as long as that]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) target: Option<Duration>,
}

#[derive(Debug, Args)]
pub(super) struct StatusOptions {
    /// The planned folder, or its outputs/
    #[arg(value_name = "DIR", default_value = ".")]
    pub(super) folder: PathBuf,

    /// Follow the DAG until it ends
    #[arg(long, conflicts_with = "json")]
    pub(super) watch: bool,

    /// Print a JSON document
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct WhyOptions {
    /// A chunk: its number from 0, or its name, such as chunk-3 or chunk-000003-g1 [default: all that went wrong]
    pub(super) chunk: Option<ChunkName>,

    /// The planned folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(super) dir: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct ShowOptions {
    /// The chunk: its number from 0, or its name, such as chunk-3 or chunk-000003-g1
    pub(super) chunk: ChunkName,

    /// The planned folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(super) dir: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct TryOptions {
    /// An item by its value, such as 37, or a chunk, such as chunk-3 [default: the first item]
    #[arg(value_name = "WHAT", allow_hyphen_values = true)]
    pub(super) what: Option<String>,

    /// The planned folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(super) dir: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct VerifyOptions {
    /// The planned folder, or its outputs/
    #[arg(value_name = "DIR", default_value = ".")]
    pub(super) folder: PathBuf,

    /// How many items to choose by chance, whose records are computed again
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) sample: u64,

    /// Make the choice that this number stands for, once more
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,

    /// How many to compute side by side [default: the cores of this machine / --cpus]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) jobs: Option<u16>,
}

/// The options that name items, as clap reads them.
#[derive(Debug, Args)]
struct ItemsArguments {
    /// The items, a range: 1..=100, 0..1000, N (for 0..N), 1e6, 1_000_000, with a step 0..=1000:5; beside other options
    /// its name is `item`
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true, help_heading = "Items")]
    total: Option<String>,

    /// A name and its values (repeatable): all combinations, also with what other options name; what stands last on the
    /// command line varies fastest. VALUES: a,b,c (as in CSV: '"a,b",c'), 1..=100, 0..1:0.1, lin:0:1:11,
    /// log:1e-3:1e3:7, @FILE (one a line)
    #[arg(long, value_name = "NAME=VALUES", help_heading = "Items")]
    grid: Vec<OsString>,

    /// The same side by side, first with first (repeatable): all of them have equally many values
    #[arg(long, value_name = "NAME=VALUES", help_heading = "Items")]
    zip: Vec<OsString>,

    /// The rows of a table, CSV or the like with tabs or semicolons, whose first row names the columns (-: standard input)
    #[arg(long, value_name = "FILE", help_heading = "Items")]
    table: Option<PathBuf>,

    /// The names of the columns of a table without a header; its fields may also stand between blanks, as in a file of
    /// HTCondor's `queue a, b from FILE`
    #[arg(long, value_name = "NAME,...", requires = "table", help_heading = "Items")]
    columns: Option<OsString>,

    /// The lines of a file, named `line`; empty ones do not count (-: standard input)
    #[arg(long, value_name = "FILE", help_heading = "Items")]
    lines: Option<PathBuf>,

    /// The files that a pattern finds, named `file`: 'data/*.csv', '**/*.dat' (repeatable); each job is sent those of its
    /// chunk
    #[arg(long, value_name = "GLOB", num_args = 1.., help_heading = "Items")]
    files: Vec<OsString>,

    /// Only the items for which this is true, such as 'i < j && n % 2 == 0 && name != "test"'; with + - * / % ^,
    /// abs ceil floor max min round sqrt, contains starts_with ends_with
    #[arg(long = "where", value_name = "EXPR", allow_hyphen_values = true, help_heading = "Items")]
    condition: Option<OsString>,
}

/// What names items, in the order of the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ItemsOptions {
    pub(super) ordered: Vec<ItemsOption>,
    pub(super) columns: Option<OsString>,
    pub(super) condition: Option<OsString>,
}

/// An option that names items; those of which there may be several and that belong together stand where the first does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ItemsOption {
    Total(String),
    Grid(OsString),
    Zip(Vec<OsString>),
    Table(PathBuf),
    Lines(PathBuf),
    Files(Vec<OsString>),
}

impl Args for ItemsOptions {
    fn augment_args(command: clap::Command) -> clap::Command {
        ItemsArguments::augment_args(command)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        ItemsArguments::augment_args_for_update(command)
    }
}

impl FromArgMatches for ItemsOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let ItemsArguments { total, grid, zip, table, columns, lines, files, condition } =
            ItemsArguments::from_arg_matches(matches)?;
        let places = |id: &str| matches.indices_of(id).into_iter().flatten();
        let place = |id: &str| places(id).next().unwrap_or(0);
        let mut ordered: Vec<(usize, ItemsOption)> =
            places("grid").zip(grid.into_iter().map(ItemsOption::Grid)).collect();
        ordered.extend(total.map(|total| (place("total"), ItemsOption::Total(total))));
        ordered.extend(table.map(|table| (place("table"), ItemsOption::Table(table))));
        ordered.extend(lines.map(|lines| (place("lines"), ItemsOption::Lines(lines))));
        if !zip.is_empty() {
            ordered.push((place("zip"), ItemsOption::Zip(zip)));
        }
        if !files.is_empty() {
            ordered.push((place("files"), ItemsOption::Files(files)));
        }
        ordered.sort_by_key(|(place, _)| *place);
        let ordered = ordered.into_iter().map(|(_, option)| option).collect();
        Ok(Self { ordered, columns, condition })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// What to compute and how: the same for `plan` and `run`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct WhatOptions {
    #[command(flatten)]
    pub(super) items: ItemsOptions,

    /// Cut into N chunks, whose sizes differ by at most one item, or with --cost into N that take as long each
    #[arg(long, value_name = "N", help_heading = "Cut", conflicts_with = "chunk_size")]
    pub(super) chunks: Option<String>,

    /// Cut into chunks of at most N items
    #[arg(long, value_name = "N", help_heading = "Cut")]
    pub(super) chunk_size: Option<String>,

    /// Cut into chunks that take about so long each: with --cost, or else as a few items take that are tried first
    /// [default: 10m, or the site's]
    #[arg(long, value_name = "TIME", help_heading = "Cut", value_parser = time, conflicts_with_all = ["chunks", "chunk_size"])]
    pub(super) target: Option<Duration>,

    /// How long an item takes: 3.2s, 500ms; or an expression over the names of its values (of a range: item, or i) that comes to
    /// seconds, such as 'i**2 / 1e6'
    #[arg(long, value_name = "TIME|EXPR", help_heading = "Cut", allow_hyphen_values = true)]
    pub(super) cost: Option<String>,

    /// For how long items may be tried here, where nothing says how to cut; with --probe-on-pool, for how long each job tries some
    #[arg(long, value_name = "TIME", help_heading = "Cut", value_parser = time, default_value = "60s")]
    pub(super) probe_budget: Duration,

    /// Try a few items in jobs and not here: a first stage of the DAG, which cuts the rest itself by what these took
    #[arg(long, help_heading = "Cut", conflicts_with_all = ["chunks", "chunk_size", "cost", "template"])]
    pub(super) probe_on_pool: bool,

    /// Work that cannot be split. chain: each item is a trajectory, computed by --segments jobs one after another; gromacs, lammps:
    /// what the program takes besides, such as -nb cpu, comes after `--`
    #[arg(long, value_name = "NAME", help_heading = "Chains")]
    pub(super) template: Option<Template>,

    /// Into how many segments each trajectory is cut, of about ten minutes each; {segment} is the number of one, from 1. A
    /// program that makes the file {finished} needs no more
    #[arg(long, value_name = "N", help_heading = "Chains", requires = "template", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) segments: Option<u32>,

    /// How many trajectories, side by side; {replica} is the number of one, from 0 [default: 1, or what other options name]
    #[arg(long, value_name = "N", help_heading = "Chains", requires = "template", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) replicas: Option<u32>,

    /// A file that a segment leaves, and the next one starts from: it is there when the program starts, but for the first
    /// segment's (repeatable)
    #[arg(long, value_name = "FILE", help_heading = "Chains", requires = "template")]
    pub(super) state: Vec<OsString>,

    /// The run of a GROMACS trajectory; of several, or of a pattern such as 'water-*.tpr', each is a replica
    #[arg(long, value_name = "FILE", help_heading = "Chains", requires = "template", num_args = 1..)]
    pub(super) tpr: Vec<OsString>,

    /// The input script of LAMMPS trajectories; it has to offer a way on, and what it lacks is said
    #[arg(long = "in", value_name = "FILE", help_heading = "Chains", requires = "template")]
    pub(super) input_script: Option<OsString>,

    /// How results are merged: sum, product, min, max, count, mean, stats, argmin, argmax, top:K, any, all, union, concat,
    /// histogram (of integers; with edges: histogram:0,10,50, histogram:0..1:0.1), quantiles (or quantiles:0.5,0.9); table,
    /// a row for each item; files, what --collect brings back; for results that are objects, a reducer for each field:
    /// 'hits=sum,energy=stats' [default: sum of a range's results, otherwise table; with --collect, files]
    #[arg(long, value_name = "REDUCER", help_heading = "Merge", conflicts_with = "reduce_with")]
    pub(super) reduce: Option<String>,

    /// Merge with a command of your own: 'COMMAND {left} {right}' is given two files with results, in item
    /// order, 'COMMAND {parts}' a file that lists any number of them; it prints the merged result
    #[arg(long, value_name = "COMMAND", help_heading = "Merge")]
    pub(super) reduce_with: Option<String>,

    /// Merge the results of every N chunks on the way, in jobs of their own: for large results [default: none, but for
    /// more than 5,000,000 chunks]
    #[arg(long, value_name = "N|none", help_heading = "Merge", allow_negative_numbers = true)]
    pub(super) fan_in: Option<String>,

    /// Answer although items have no result, where they are no more than this share of all, such as 1%; says which
    #[arg(long, value_name = "SHARE", help_heading = "Merge", allow_negative_numbers = true)]
    pub(super) tolerance: Option<Tolerance>,

    /// The plan's seed: {seed} and {seed31} are made from it and the item's number, by the generator SplitMix64
    /// [default: 0]
    #[arg(long, value_name = "N", help_heading = "Program", allow_negative_numbers = true)]
    pub(super) seed: Option<u64>,

    /// Give the program its items on standard input: a JSON object a line, with the values by their names, and `seed`
    #[arg(long, help_heading = "Program")]
    pub(super) stdin_items: bool,

    /// Bring back what the program writes to files that match this pattern, below the folder that it starts in
    /// (repeatable): '*.png', 'out/**'; links are not followed
    #[arg(long, value_name = "GLOB", help_heading = "Program")]
    pub(super) collect: Vec<OsString>,

    /// A file that the program has to write for each item, such as 'frame_{item:05}.png': it comes back, too, and an
    /// item without it has failed (repeatable)
    #[arg(long, value_name = "NAME", help_heading = "Program")]
    pub(super) expect: Vec<OsString>,

    /// Merge the results for each combination of these values of the items: a row for each
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', help_heading = "Merge", value_parser = NonEmptyStringValueParser::new())]
    pub(super) by: Vec<String>,

    /// Write the answer into a file, in the format that its ending says: .csv .tsv .json .jsonl .sqlite .db .npy; files
    /// (--reduce files) go into a folder, FOLDER/, or a .zip
    #[arg(long, value_name = "FILE", help_heading = "Merge")]
    pub(super) to: Option<PathBuf>,

    /// Cores that each job asks for
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Jobs", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) cpus: u32,

    /// Memory that each job asks for [default: 1GB, or the site's]
    #[arg(long, value_name = "SIZE", help_heading = "Jobs", allow_hyphen_values = true)]
    pub(super) memory: Option<String>,

    /// A job that is put on hold for its memory asks for twice as much, again and again up to this
    #[arg(long, value_name = "SIZE", help_heading = "Jobs", allow_hyphen_values = true)]
    pub(super) memory_max: Option<String>,

    /// Scratch space that each job asks for [default: 1GB and what it is sent, or the site's]
    #[arg(long, value_name = "SIZE", help_heading = "Jobs", allow_hyphen_values = true)]
    pub(super) disk: Option<String>,

    /// GPUs that each job asks for
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Jobs", allow_negative_numbers = true)]
    pub(super) gpus: u32,

    /// How often a failed chunk is tried again [default: 2, or the site's]
    #[arg(long, value_name = "N", help_heading = "Jobs", allow_negative_numbers = true)]
    pub(super) retries: Option<u32>,

    /// Stop once so many chunks have failed, all the same way and with no result yet: the program is broken (0: never)
    /// [default: 10, or all where there are fewer; 1 where it cannot be started]
    #[arg(long, value_name = "N", help_heading = "Jobs", allow_negative_numbers = true, value_parser = number_of_chunks)]
    pub(super) halt: Option<u64>,

    /// A job that has been on hold for so long is removed, so that the others need not wait for it; the tail computes its
    /// items [default: 1h]
    #[arg(long, value_name = "TIME", help_heading = "Jobs", value_parser = time)]
    pub(super) held_for: Option<Duration>,

    /// How often what is missing once the chunks have run is cut again, smaller, and run, before the results are merged
    /// (0: never; a chunk that fails then fails the DAG)
    #[arg(long, value_name = "N", default_value_t = 2, help_heading = "Jobs", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(0..=9))]
    pub(super) tail_rounds: u32,

    /// Cut each chunk into so many slices: what a job has finished of them it keeps when it is evicted [default: 1; of
    /// chunks that take longer than 15 minutes, as is known by --cost or was tried, slices of 5 minutes]
    #[arg(long, value_name = "N", help_heading = "Jobs", allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) slices: Option<u64>,

    /// Cut each chunk into slices of about so long, where it is known by --cost or was tried how long items take
    #[arg(long, value_name = "TIME", help_heading = "Jobs", value_parser = time, conflicts_with = "slices")]
    pub(super) slice: Option<Duration>,

    /// How often a job is evicted, on average (0s: never): tells how often what long chunks have finished is carried to the
    /// access point on the way [default: 4h]
    #[arg(long, value_name = "TIME", help_heading = "Jobs", value_parser = humantime::parse_duration)]
    pub(super) eviction_every: Option<Duration>,

    /// The program keeps its own state, and goes on from it after an eviction. signal: in a folder that it is given, as the
    /// checkpoint library does, which jobs then find; it saves on SIGTERM and ends with exit code 85. files: in any
    /// language; it saves when a file appears
    #[arg(long, value_name = "HOW", help_heading = "Jobs", num_args = 0..=1, require_equals = true, default_missing_value = "signal")]
    pub(super) checkpoint: Option<Checkpoint>,

    /// End a program that runs for longer than this for each of its items: it hangs
    #[arg(long, value_name = "TIME", help_heading = "Jobs", value_parser = time)]
    pub(super) item_timeout: Option<Duration>,

    /// A job that has worked for so long brings back what it has finished, and yields the rest; `split run` computes all
    /// [default: where it is known how long chunks take, and they are in slices or the program runs for each item, twice as long
    /// as they should]
    #[arg(long, value_name = "TIME", help_heading = "Jobs", value_parser = time)]
    pub(super) budget: Option<Duration>,

    /// Set a variable in the program's environment (repeatable)
    #[arg(long, value_name = "K=V", help_heading = "Jobs")]
    pub(super) env: Vec<OsString>,

    /// Set variables to the values that they have here, now; the values are written into the plan
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', help_heading = "Jobs", value_parser = NonEmptyStringValueParser::new())]
    pub(super) getenv: Vec<String>,

    /// A file or folder that each job gets, at the same relative place, or a URL that HTCondor fetches for it, under
    /// the last name of its path (repeatable); files that the command line names are sent without being asked for
    #[arg(long, value_name = "PATH|URL", help_heading = "Jobs")]
    pub(super) input: Vec<PathBuf>,

    /// A shell file, for bash, that each job reads before the program starts, such as one with the line
    /// `source .venv/bin/activate`, `module load matlab` or `conda activate sim`: the environment that it leaves is
    /// the program's
    #[arg(long, value_name = "FILE", help_heading = "Jobs")]
    pub(super) setup: Option<PathBuf>,

    /// Run jobs in this container image, as HTCondor's container_image takes it
    #[arg(long, value_name = "IMAGE", help_heading = "Jobs")]
    pub(super) container: Option<String>,

    /// Who starts the container: HTCondor (universe), or the runner, by `apptainer exec` (apptainer)
    /// [default: universe, or the site's]
    #[arg(long, value_name = "MODE", help_heading = "Jobs")]
    pub(super) container_mode: Option<ContainerMode>,

    /// The execute points see this folder and the program's files: transfer nothing [default: false, or the site's]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = "Jobs")]
    pub(super) shared_filesystem: Option<bool>,

    /// Refuse to plan where all jobs together would be sent more than this of files [default: 1TB, or the site's]
    #[arg(long, value_name = "SIZE", help_heading = "Jobs", allow_hyphen_values = true)]
    pub(super) max_transfer: Option<String>,

    /// Where results are merged: on the access point, or in a job [default: access-point, or the site's]
    #[arg(long, value_name = "PLACE", help_heading = "Jobs")]
    pub(super) reduce_on: Option<ReduceOn>,

    /// A site profile, over those of this machine and of yours: `split site` shows what applies
    #[arg(long, value_name = "FILE", help_heading = "Jobs")]
    pub(super) site: Option<PathBuf>,

    /// A line for chunk.sub, such as 'rank = Mips' (repeatable); 'requirements = HasAVX2' adds to what else is required
    #[arg(long, value_name = "LINE", help_heading = "Jobs")]
    pub(super) submit: Vec<String>,

    /// The folder to plan in
    #[arg(long, value_name = "DIR", default_value = ".", help_heading = "Folder")]
    pub(super) dir: PathBuf,

    /// A folder with templates of your own in place of those of dag-templates/
    #[arg(long, value_name = "DIR", help_heading = "Folder")]
    pub(super) templates: Option<PathBuf>,

    /// Where another plan is in the folder: let what it computed count as far as it fits
    #[arg(long, help_heading = "Folder", conflicts_with = "force")]
    pub(super) keep: bool,

    /// Where another plan is in the folder: move it aside
    #[arg(long, help_heading = "Folder")]
    pub(super) force: bool,

    /// The program to run for each chunk, and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    pub(super) command: Vec<OsString>,
}

impl WhatOptions {
    /// Whether no option was given that a plan is made of.
    pub(super) fn is_untouched(&self) -> bool {
        // Where the answer goes, and what is enough for one, can be said of any plan.
        let untouched = match Arguments::try_parse_from(["split", "run"]) {
            Ok(Arguments { task: Task::Run(options) }) => {
                Self { to: self.to.clone(), tolerance: self.tolerance, ..options.what }
            }
            _ => return false,
        };
        untouched == *self
    }
}

fn exit_codes() -> String {
    let lines: Vec<_> = Exit::ALL.iter().map(|(exit, what)| format!("  {:>3}  {what}", *exit as u8)).collect();
    format!("{EXAMPLE}\n\nExit codes:\n{}", lines.join("\n"))
}

/// A time of a millisecond or more.
fn time(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    match u64::try_from(time.as_millis()) {
        Ok(0) => Err("it has to be a millisecond at least".to_owned()),
        Ok(_) => Ok(time),
        Err(_) => Err("it is longer than can be counted".to_owned()),
    }
}

fn number_of_chunks(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("it has to be a whole number from 0 to {}", u64::MAX))
}
