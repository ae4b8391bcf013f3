//! `split simulate`.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::failure::{Failure, printed};
use super::outlook::{MOST_FAILURES, OVERHEAD, kept, time, tries};
use super::output::{count, say, seconds};
use super::{Done, access_point, learn, progress, reduce};
use crate::cut::Measured;
use crate::exit::Exit;
use crate::folder::Layout;
use crate::model::{
    Alternatives, Chance, Choice, Forecast, Interruptions, PoolModel, Survival, Work, alternatives, best_chunk,
    completion_against_length, forecast, simulate as run, slots_over_time,
};
use crate::plan::{FORMAT, INTERRUPTION, Plan, Word};
use crate::pool::Lessons;
use crate::record::Gathered;
use crate::space::Interval;
use crate::store;

/// Bars of the plot are so many characters long.
const BAR: f64 = 40.0;
/// Where fewer items than one of so many have a result, what the plan expects counts: it was made of those that were tried.
const FEW: u128 = 10;

#[derive(Debug, Args)]
pub(super) struct SimulateOptions {
    /// The planned folder
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,

    /// How long a chunk takes on a usual machine [default: as measured, by the chunks that have a result]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    chunk_time: Option<Duration>,

    /// Numbers of slots to foresee; the alternatives are compared on the middle one
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "20,100,1000", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    slots: Vec<u32>,

    /// Measure the pool by an event log of HTCondor's, such as logs/events.log of a plan that has run: what an attempt costs
    /// beside its work, how long attempts last before an eviction, how long slots are away, how many attempts fail
    #[arg(long, value_name = "LOG")]
    learn_from: Option<PathBuf>,

    /// What passes before each attempt begins its work: matching, transfer, start [default: as learned, or 1m]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    overhead: Option<Duration>,

    /// How often a slot's job is evicted, on average (0s: never) [default: as learned, or 4h]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    eviction_every: Option<Duration>,

    /// How long a slot is away after an eviction, on average [default: as learned, or 0s]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    away: Option<Duration>,

    /// How much machines differ: the standard deviation of the logarithm of their speed
    #[arg(long, value_name = "NUMBER", default_value_t = 0.2, allow_negative_numbers = true)]
    speed_spread: f64,

    /// The share of attempts that fail and are tried again [default: as learned, or 0]
    #[arg(long, value_name = "SHARE")]
    failures: Option<f64>,

    /// What a checkpoint of the one long job costs, for comparison
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    checkpoint_cost: Duration,

    /// The number that the chances belong to: the same number gives the same forecast
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// Write two pictures as well: FILE has completion against the chunks' length, FILE-slots.svg what ran where
    #[arg(long, value_name = "FILE.svg")]
    svg: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is printed with `--json`; times in seconds, shares from 0 to 1, an infinite time as null.
#[derive(Debug, Serialize)]
struct Document {
    format: u32,
    chunks: u64,
    /// How many of them are done; where all are, the plan is foreseen as if from the start.
    chunks_done: u64,
    /// Of the chunks that are foreseen, on machines of median speed.
    work: f64,
    /// Whether the chunks' times were measured.
    measured: bool,
    slots: Vec<OnSlots>,
    /// How many slots the alternatives have.
    compared_on: u32,
    one_job: Numbers,
    checkpoint_interval: f64,
    with_checkpoints: Numbers,
    lengths: Vec<Length>,
    recommended: Option<f64>,
}

#[derive(Debug, Serialize)]
struct OnSlots {
    slots: u32,
    #[serde(flatten)]
    numbers: Numbers,
}

#[derive(Debug, Serialize)]
struct Length {
    length: f64,
    chunks: usize,
    #[serde(flatten)]
    numbers: Numbers,
}

#[derive(Debug, Serialize)]
struct Numbers {
    mean: Option<f64>,
    p10: Option<f64>,
    median: Option<f64>,
    p90: Option<f64>,
    goodput: f64,
    badput: f64,
    evictions: f64,
}

impl From<&Forecast> for Numbers {
    fn from(forecast: &Forecast) -> Self {
        let finite = |value: f64| value.is_finite().then_some(value);
        let at = |share| finite(forecast.completion.at(share));
        Self {
            mean: finite(forecast.completion.mean()),
            p10: at(0.1),
            median: at(0.5),
            p90: at(0.9),
            goodput: forecast.goodput,
            badput: forecast.badput,
            evictions: forecast.interrupted,
        }
    }
}

/// What is foreseen.
#[derive(Debug)]
struct Left {
    work: Work,
    /// How many items that is.
    items: u128,
    /// How many chunks are done.
    chunks_done: u64,
    known: Known,
}

/// A chunk that is not done.
#[derive(Debug)]
struct Missing {
    number: u64,
    /// The share of its items that is missing.
    share: f64,
    /// These items.
    parts: Vec<Interval>,
}

/// By what the time of chunks is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// The user has said it.
    Said,
    /// The plan knows what all of it takes.
    Expected,
    /// So many results speak for all.
    Measured(usize),
    /// So many results are all that there is.
    Guessed(usize),
}

pub(super) fn simulate(options: &SimulateOptions) -> Done {
    let (layout, plan) = reduce::find(&options.folder)?;
    if plan.chain.is_some() {
        return Err(Failure::new(
            Exit::Usage,
            "the segments of a trajectory follow one another: that is not simulated",
        )
        .detail("it takes as long as all of them and what HTCondor takes to start each, a minute or two"));
    }
    access_point::read_gently(&plan.site.access_point)?;
    let left = left(options, &layout, &plan)?;
    let work = &left.work;
    let assumed = Assumed::new(options, &plan)?;
    let mut pools = Vec::new();
    for &slots in &options.slots {
        pools.push((slots, assumed.pool(options, slots)?));
    }
    let (compared_on, pool) = pools[pools.len() / 2].clone();
    let bar = progress::spinner("simulating");
    let found: Vec<_> = pools.iter().map(|(slots, pool)| (*slots, forecast(work, pool, options.seed))).collect();
    let items = usize::try_from(left.items).unwrap_or(usize::MAX);
    let others = alternatives(work, &pool, options.checkpoint_cost.as_secs_f64(), items, options.seed);
    bar.finish_and_clear();
    if let Some(svg) = &options.svg {
        draw(svg, work, &pool, &others, options.seed)?;
    }
    let text = if options.json {
        let document = Document {
            format: FORMAT,
            chunks: plan.cut.chunks(),
            chunks_done: left.chunks_done,
            work: work.chunks.iter().sum(),
            measured: matches!(left.known, Known::Measured(_) | Known::Guessed(_)),
            slots: found.iter().map(|(slots, found)| OnSlots { slots: *slots, numbers: found.into() }).collect(),
            compared_on,
            one_job: (&others.one_job).into(),
            checkpoint_interval: others.with_checkpoints.0,
            with_checkpoints: (&others.with_checkpoints.1).into(),
            lengths: others.lengths.iter().map(length).collect(),
            recommended: others.best().map(|choice| choice.length),
        };
        let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
        text.push('\n');
        text
    } else {
        let head = head(options, &assumed, &plan, &left);
        let advice = advice(options, &assumed, &plan, &left, &others);
        [head, table(&found), compare(compared_on, &others), advice].concat().join("\n") + "\n"
    };
    printed(io::stdout().lock().write_all(text.as_bytes()))
}

/// What is assumed of a pool, whatever its slots.
#[derive(Debug)]
struct Assumed {
    /// Seconds.
    overhead: f64,
    interruptions: Interruptions,
    /// Seconds.
    away: f64,
    failures: f64,
    /// What a log has taught, for people.
    learned: Option<String>,
}

impl Assumed {
    fn new(options: &SimulateOptions, plan: &Plan) -> Result<Self, Failure> {
        let lessons = options.learn_from.as_deref().map(lessons).transpose()?;
        let learned = lessons.as_ref();
        let said = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
        let interruptions = match said(options.eviction_every) {
            Some(between) if between > 0.0 => Interruptions::Rate { between },
            Some(_) => Interruptions::Never,
            None => match learned.and_then(|lessons| Survival::new(&lessons.attempts)) {
                Some(survival) => Interruptions::Seen(survival),
                None => {
                    let planned = plan.pacing.eviction_every.map(Duration::from_millis);
                    Interruptions::Rate { between: planned.unwrap_or(INTERRUPTION).as_secs_f64() }
                }
            },
        };
        Ok(Self {
            overhead: said(options.overhead).or(learned.and_then(|lessons| lessons.overhead)).unwrap_or(OVERHEAD),
            interruptions,
            away: said(options.away).or(learned.and_then(|lessons| lessons.away)).unwrap_or(0.0),
            failures: options.failures.or(learned.map(|lessons| lessons.failures().min(MOST_FAILURES))).unwrap_or(0.0),
            learned: lessons.as_ref().map(|lessons| taught(options.learn_from.as_deref(), lessons)),
        })
    }

    fn pool(&self, options: &SimulateOptions, slots: u32) -> Result<PoolModel, Failure> {
        PoolModel::new(slots as usize, self.overhead)
            .and_then(|pool| pool.speed_spread(options.speed_spread))
            .and_then(|pool| pool.interruptions(self.interruptions.clone(), self.away))
            .and_then(|pool| pool.failures(self.failures))
            .map_err(|error| Failure::new(Exit::Usage, error.to_string()))
    }

    /// The seconds between evictions, where there are any.
    fn between(&self) -> Option<f64> {
        match &self.interruptions {
            Interruptions::Never => None,
            Interruptions::Rate { between } => Some(*between),
            Interruptions::Seen(survival) => Some(survival.between()),
        }
    }
}

/// What an event log teaches.
fn lessons(log: &Path) -> Result<Lessons, Failure> {
    let shown = Word::from(log.as_os_str().to_owned()).quoted();
    let bar = progress::spinner("reading the event log");
    let lessons = Lessons::read(log);
    bar.finish_and_clear();
    let lessons = lessons.map_err(|error| Failure::new(Exit::Usage, format!("--learn-from {shown}: {error}")))?;
    if lessons.attempts.is_empty() {
        return Err(Failure::new(Exit::Usage, format!("--learn-from {shown}: it tells of no attempt that has ended"))
            .help("the event log of a plan is logs/events.log; of other jobs it is what `log =` names in their submit file"));
    }
    Ok(lessons)
}

/// What a log has taught, in a line.
fn taught(log: Option<&Path>, lessons: &Lessons) -> String {
    let attempts = count(lessons.attempts.len() as u128, "attempt");
    let evictions = match lessons.between() {
        Some(between) => format!("an eviction in {} of work", seconds(between)),
        None => "no eviction".to_owned(),
    };
    let overhead = match lessons.overhead {
        Some(overhead) => format!("{} before each", seconds(overhead)),
        None => "nothing about what passes before each, since no job waited".to_owned(),
    };
    let away = lessons.away.map(|away| format!(", slots away for {}", seconds(away))).unwrap_or_default();
    format!(
        "learned from {}: {attempts} on {}, {} at once, {} of work: {overhead}, {evictions}{away}, {:.1} % failed",
        log.map(|log| Word::from(log.as_os_str().to_owned()).quoted()).unwrap_or_default(),
        count(lessons.machines as u128, "machine"),
        lessons.most_at_once,
        seconds(lessons.seconds()),
        100.0 * lessons.failures(),
    )
}

/// What is left to compute: of a plan that is done all of it, as if from the start.
fn left(options: &SimulateOptions, layout: &Layout, plan: &Plan) -> Result<Left, Failure> {
    if plan.pacing.probe.is_some() {
        return Err(Failure::new(
            Exit::Usage,
            "the chunks of this plan are cut on the pool, once items have been tried there",
        )
        .help("condor_submit_dag plan.dag tries them; after that split simulate foresees the rest")
        .help("split probe, with the options of the plan, tries items here"));
    }
    let gathered = reduce::read(layout, plan)?;
    let items = plan.space.count();
    let is_done = gathered.tiling.gaps.is_empty();
    let missing = if is_done { Vec::from_iter(Interval::new(0, items)) } else { gathered.tiling.gaps.clone() };
    let chunks = Vec::from_iter(plan.cut.iter_from(items, 0).filter_map(|(number, chunk)| {
        let next = missing.partition_point(|gap| gap.stop() <= chunk.start());
        let parts = Vec::from_iter(missing[next..].iter().map_while(|gap| gap.intersect(chunk)));
        let share = parts.iter().map(|part| part.count()).sum::<u128>() as f64 / chunk.count() as f64;
        (share > 0.0).then_some(Missing { number, share, parts })
    }));
    let (taken, longest_item, known) = times(options, plan, &gathered, &chunks)?;
    let taken: Vec<f64> = taken.into_iter().map(|time| time.max(1e-3)).collect();
    let mean = taken.iter().sum::<f64>() / taken.len().max(1) as f64;
    Ok(Left {
        work: Work { chunks: taken, kept: kept(plan, mean, longest_item), tries: Some(tries(plan)) },
        items: missing.iter().map(|gap| gap.count()).sum(),
        chunks_done: if is_done { plan.cut.chunks() } else { plan.cut.chunks() - chunks.len() as u64 },
        known,
    })
}

/// What the chunks that are not done take, in seconds, the longest item, and by what that is known.
fn times(
    options: &SimulateOptions,
    plan: &Plan,
    gathered: &Gathered,
    chunks: &[Missing],
) -> Result<(Vec<f64>, f64, Known), Failure> {
    let items = plan.space.count();
    let items_of_a_chunk = items as f64 / plan.cut.chunks() as f64;
    let all_take = |time: f64| chunks.iter().map(|chunk| time * chunk.share).collect();
    if let Some(time) = options.chunk_time {
        let time = time.as_secs_f64();
        return Ok((all_take(time), time / items_of_a_chunk, Known::Said));
    }
    let runs = learn::runs(gathered, &|_| true);
    let per_item =
        plan.command.as_ref().is_some_and(|command| command.runs_per_item(&plan.space, plan.yields.stdin_items));
    let speaks = |measured: &Measured| plan.expected.is_none() || measured.items >= items / FEW;
    let measured = Measured::new(items, &runs, per_item).filter(speaks);
    let measured = measured.map(|measured| (measured, Known::Measured(runs.len())));
    if let (None, Some(expected)) = (&measured, plan.expected) {
        let expected = expected as f64 / 1000.0;
        let share: f64 = chunks.iter().map(|chunk| chunk.share).sum();
        let missing: u128 = chunks.iter().flat_map(|chunk| &chunk.parts).map(|part| part.count()).sum();
        // Items that were tried are chunks of their own, and far smaller than the others.
        let left = (share / plan.cut.chunks() as f64).max(missing as f64 / items as f64);
        let time = expected * left / share;
        return Ok((all_take(time), time / items_of_a_chunk, Known::Expected));
    }
    let guess = || Measured::guess(items, &runs, per_item).map(|measured| (measured, Known::Guessed(runs.len())));
    let Some((measured, known)) = measured.or_else(guess) else {
        return Err(Failure::new(Exit::Usage, "nothing says how long a chunk takes: none has a result yet")
            .help("say it: --chunk-time 10m; or plan with --cost")
            .help("split try tells how long one item takes"));
    };
    // Where records tile a chunk that is to be foreseen they say how long it takes.
    let mut own: HashMap<u64, (u128, f64)> = HashMap::new();
    for run in &runs {
        let (first, last) = plan.chunks_of(run.items);
        if first == last {
            let sum = own.entry(first).or_default();
            *sum = (sum.0 + run.items.count(), sum.1 + run.seconds);
        }
    }
    let takes = |part: &Interval| measured.costs.up_to(part.stop()) - measured.costs.up_to(part.start());
    let of_chunk = |chunk: &Missing| match own.get(&chunk.number) {
        Some((items, seconds)) if *items == plan.chunk(chunk.number).count() => *seconds,
        _ => measured.start + chunk.parts.iter().map(takes).sum::<f64>(),
    };
    Ok((chunks.iter().map(of_chunk).collect(), measured.costs.longest_item(), known))
}

fn head(options: &SimulateOptions, assumed: &Assumed, plan: &Plan, left: &Left) -> Vec<String> {
    let chunks = plan.cut.chunks();
    let total: f64 = left.work.chunks.iter().sum();
    let each = seconds(total / left.work.chunks.len().max(1) as f64);
    let work = seconds(total);
    let known = match left.known {
        Known::Said => "as --chunk-time says".to_owned(),
        Known::Expected => "as the plan expects".to_owned(),
        Known::Measured(number) => format!("by {}", count(number as u128, "measured result")),
        Known::Guessed(number) => format!("a guess by {}", count(number as u128, "measured result")),
    };
    let evictions = match assumed.between() {
        None => "no evictions".to_owned(),
        Some(between) => format!("an eviction every {}", seconds(between)),
    };
    let mut lines = vec![match left.chunks_done {
        0 if left.items == plan.space.count() => {
            format!("{} of about {each} ({known}), {work} of work in all", count(chunks, "chunk"))
        }
        done if done == chunks => format!(
            "{} of about {each} ({known}), {work} of work in all, as if from the start: all of it is done",
            count(chunks, "chunk"),
        ),
        done => format!(
            "{} of about {each} ({known}), {work} of work that is left: of {} {} done, {} of {}",
            count(chunks - done, "chunk"),
            count(chunks, "chunk"),
            match done {
                0 => "none is".to_owned(),
                1 => "1 is".to_owned(),
                more => format!("{more} are"),
            },
            plan.space.count() - left.items,
            count(plan.space.count(), "item"),
        ),
    }];
    lines.extend(assumed.learned.clone());
    lines.push(format!(
        "assumed of the pool: {} before each attempt, {evictions}, machines' speeds +-{:.0} %",
        seconds(assumed.overhead),
        100.0 * options.speed_spread
    ));
    lines
}

/// A line for each number of slots.
fn table(found: &[(u32, Forecast)]) -> Vec<String> {
    let mut lines = vec![String::new(), line("slots", "done in", "10 to 90 % of the time", "goodput", "badput")];
    lines.extend(found.iter().map(|(slots, forecast)| numbers(&slots.to_string(), forecast)));
    if found.iter().any(|(_, forecast)| forecast.completion.at(0.5).is_infinite()) {
        lines.push(
            "never: hardly a chunk comes to its end between two evictions, or nearly all attempts fail; shorter chunks (--target), slices \
             (--slice), or a program that keeps its own state (--checkpoint)"
                .to_owned(),
        );
    }
    lines
}

fn numbers(name: &str, forecast: &Forecast) -> String {
    let at = |share| time(forecast.completion.at(share));
    let share = |share: f64| format!("{:.1} %", 100.0 * share);
    let spread = match (forecast.completion.at(0.1).is_finite(), forecast.completion.at(0.9).is_finite()) {
        (true, true) => format!("{} to {}", at(0.1), at(0.9)),
        (true, false) => format!("{} or never", at(0.1)),
        (false, _) => "-".to_owned(),
    };
    line(name, &at(0.5), &spread, &share(forecast.goodput), &share(forecast.badput))
}

fn line(name: &str, done: &str, spread: &str, goodput: &str, badput: &str) -> String {
    format!("{name:>34}  {done:>10}  {spread:>24}  {goodput:>8}  {badput:>8}").trim_end().to_owned()
}

/// The same work in other ways.
fn compare(slots: u32, others: &Alternatives) -> Vec<String> {
    let (interval, with_checkpoints) = &others.with_checkpoints;
    let slots = if slots == 1 { "1 slot".to_owned() } else { format!("{slots} slots") };
    let mut lines = vec![String::new(), format!("the same work on {slots}, cut otherwise:")];
    lines.push(numbers("one job", &others.one_job));
    lines.push(numbers(&format!("one job, a checkpoint every {}", seconds(*interval)), with_checkpoints));
    for choice in &others.lengths {
        lines.push(numbers(
            &format!("{} of {}", count(choice.chunks as u128, "chunk"), seconds(choice.length)),
            &choice.forecast,
        ));
    }
    if others.lengths.is_empty() {
        return lines;
    }
    lines.push(String::new());
    lines.push("done in, by the length of a chunk:".to_owned());
    let median = |choice: &Choice| choice.forecast.completion.at(0.5);
    let most = others.lengths.iter().map(median).filter(|median| median.is_finite()).fold(0.0, f64::max);
    for choice in &others.lengths {
        let median = median(choice);
        let bar =
            if median.is_finite() { "#".repeat((median / most * BAR).ceil() as usize) } else { "never".to_owned() };
        lines.push(format!("{:>10} {bar}", seconds(choice.length)));
    }
    lines
}

fn advice(
    options: &SimulateOptions,
    assumed: &Assumed,
    plan: &Plan,
    left: &Left,
    others: &Alternatives,
) -> Vec<String> {
    let mut lines = vec![String::new()];
    if let Some(best) = others.best() {
        let length = seconds(best.length);
        lines.push(if left.items == plan.space.count() {
            let now = plan.cut.chunks();
            format!("recommended: chunks of about {length}, --chunks {} (now {now})", best.chunks)
        } else {
            let folder = match options.folder == Path::new(".") {
                true => String::new(),
                false => format!(" {}", Word::from(options.folder.clone().into_os_string()).quoted()),
            };
            let target = humantime::format_duration(Duration::from_secs_f64(best.length));
            format!("recommended for what is left: chunks of about {length} (split resume{folder} --target {target})")
        });
    }
    if let Some(between) = assumed.between() {
        lines.push(format!(
            "the least slot time is lost at about {}: the square root of 2 x {} x {}",
            seconds(best_chunk(assumed.overhead, between)),
            seconds(assumed.overhead),
            seconds(between)
        ));
    }
    lines
}

fn length(choice: &Choice) -> Length {
    Length { length: choice.length, chunks: choice.chunks, numbers: (&choice.forecast).into() }
}

fn draw(svg: &Path, work: &Work, pool: &PoolModel, others: &Alternatives, seed: u64) -> Result<(), Failure> {
    if svg.extension().is_none_or(|ending| ending != "svg") {
        let shown = Word::from(svg.as_os_str().to_owned()).quoted();
        return Err(Failure::new(Exit::Usage, format!("--svg {shown}: not a name that ends in .svg")));
    }
    let mut attempts = Vec::new();
    let mut chance = Chance::new(seed);
    run(work, pool, &mut chance, &mut |attempt| attempts.push(attempt));
    let mut slots = svg.file_stem().unwrap_or_default().to_owned();
    slots.push("-slots.svg");
    let slots = svg.with_file_name(slots);
    store::write(svg, completion_against_length(&others.lengths, &time).as_bytes())?;
    store::write(&slots, slots_over_time(&attempts, &time).as_bytes())?;
    say(&format!("wrote {} and {}", svg.display(), slots.display()));
    Ok(())
}
