//! Programs that keep their own state, on machines that are taken away.

use std::time::Duration;

use split::checkpoint::interval;

use crate::condor::events;
use crate::folder::{Folder, LEASE};
use crate::pool::Pool;

/// The items of each chunk.
const ITEMS: u64 = 120;

/// How often the plan says that jobs are evicted, in seconds.
const EVICTIONS: f64 = 10.0;

/// What the runner takes a carry to cost in a sandbox where none has been measured, in seconds.
const UNKNOWN: f64 = 10.0;

/// The items take a quarter of a second each. Each run of the program says what it does, whether it counts or not: when it started,
/// the item, the time.
const LIBRARY: &str = "import sys, time
from split_checkpoint import steps
start = time.time()
log, chunk, first, last = sys.argv[1], *map(int, sys.argv[2:])
state = {'total': 0}
for item in steps('sum/1', range(first, last + 1), state, every=0.5):
    time.sleep(0.25)
    state['total'] += item
    with open(log + str(chunk), 'a') as file:
        file.write('%.6f %d %.6f\\n' % (start, item, time.time()))
print(state['total'])
";

/// The same in a shell, which is told by a file.
const SHELL: &str = "start=$(date +%s.%6N) next=$3 total=0
[ -z \"$SPLIT_CHECKPOINT_OLD\" ] || read -r next total < \"$SPLIT_CHECKPOINT_OLD/state\"
while [ $next -le $4 ]; do
    if [ -e \"$SPLIT_CHECKPOINT_STOP\" ]; then
        echo \"$next $total\" > \"$SPLIT_CHECKPOINT_NEW/state\"
        exit 85
    fi
    sleep 0.25
    echo \"$start $next $(date +%s.%6N)\" >> $1$2
    total=$((total + next)) next=$((next + 1))
done
echo $total
";

/// The number of a chunk's job, once it has carried something to the access point.
fn job(folder: &Folder<'_>, chunk: u64) -> Option<u32> {
    let job = folder.jobs().into_iter().find(|job| job.chunk() == Some(chunk) && job.machine.is_some())?;
    let log = events(&folder.path("logs/events.log"));
    let mut of_job = log.iter().filter(|event| event.is_of(job.number));
    of_job.any(|event| event.says("Finished transferring output files")).then_some(job.number)
}

/// How often a chunk's job was taken away from a machine.
fn losses(folder: &Folder<'_>, chunk: u64) -> usize {
    let number = folder.jobs().into_iter().find(|job| job.chunk() == Some(chunk)).expect("a job").number;
    let log = events(&folder.path("logs/events.log"));
    log.iter().filter(|event| event.is_of(number) && event.is_loss()).count()
}

/// One run of the program.
#[derive(Debug)]
struct Run {
    /// When it started, and when its last item was done, in seconds.
    start: f64,
    end: f64,
    /// Its items, the first and the last.
    first: u64,
    last: u64,
}

/// The runs of a chunk's program, as their log tells, in the order of their starts. Two may run at once: where a machine was lost out of
/// sight, HTCondor starts the job elsewhere, and what runs on there is in vain.
fn runs(log: &str) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for line in log.lines() {
        let words: Vec<_> = line.split(' ').collect();
        let &[start, item, time] = words.as_slice() else { panic!("{line}") };
        let (start, item) = (start.parse().expect("a time"), item.parse().expect("an item"));
        let end = time.parse().expect("a time");
        match runs.iter_mut().find(|run| run.start == start) {
            Some(run) => {
                assert_eq!(item, run.last + 1, "items out of order");
                (run.last, run.end) = (item, end);
            }
            None => runs.push(Run { start, end, first: item, last: item }),
        }
    }
    runs.sort_by(|a, b| a.start.total_cmp(&b.start));
    runs
}

/// What the eviction cost a chunk: nothing that a finished carry held, and no more than the interval that was promised. A machine that
/// is taken away takes other chunks' jobs along: `times` is how often this one's was.
fn check(chunk: u64, items: std::ops::RangeInclusive<u64>, runs: &[Run], evicted: f64, times: usize) {
    let shown = format!("chunk {chunk}, evicted at {evicted}, {times} times in all: {runs:#?}");
    assert!(times > 0 && runs.len() > times, "no carry or no eviction: {shown}");
    // Those that count, from the last one back: each went on where another had ended.
    let mut run = runs.iter().rev().find(|run| run.last == *items.end()).unwrap_or_else(|| panic!("{shown}"));
    let mut own = 0;
    while run.first > *items.start() {
        let is_before = |other: &&Run| other.last + 1 == run.first && other.end < run.start;
        let before = runs.iter().rfind(is_before).unwrap_or_else(|| panic!("from nowhere: {shown}"));
        let is_own = before.end < evicted && evicted < run.start;
        // What ran then, since the last carry, is lost; nothing is where it was told to save.
        let lost: Vec<_> =
            runs.iter().filter(|lost| before.end < lost.start && lost.start < evicted.min(run.start)).collect();
        if is_own {
            own += 1;
            // Where a neighbour's eviction took the job along just before, that cost a run from the same carry on; and what ran on there
            // out of sight may have come to carries of its own, which are in vain.
            let from_here = lost.iter().filter(|lost| lost.first == run.first).count();
            assert!(from_here <= times && (times > 1 || lost.len() <= 1), "a carry was lost: {shown}");
            assert!(lost.is_empty() || chunk > 0 || times > 1, "what was told to save was lost: {shown}");
        }
        // How long a run goes on depends on what the carry before it has cost, as the runner measures it: in a new sandbox that is not
        // known. The program ends at its next item; where all takes longer, that does, too.
        let cost = run.start - before.end;
        let is_new = cost > 1.0 || runs.iter().any(|other| before.end < other.start && other.start < run.start);
        let most = interval(if is_new { cost.max(UNKNOWN) } else { cost }, EVICTIONS) + 1.5 + cost.min(4.0) / 2.0;
        for run in lost.into_iter().chain([run]) {
            let ran = run.end - run.start;
            assert!(ran <= most, "ran for {ran:.1} s without a carry, and {most:.1} s were due: {shown}");
        }
        run = before;
    }
    assert!(own <= 1, "{shown}");
}

/// Evicts a chunk's job each way there is.
///
/// `items` is how many each chunk has: jobs are told apart by them.
fn evictions(pool: &Pool, name: &str, items: u64, program: &str, words: &str) {
    let folder = pool.folder(name);
    folder.write(program, if program.ends_with(".py") { LIBRARY } else { SHELL });
    // All machines see it.
    let log = format!("/srv/{name}");
    pool.root(&format!("mkdir -p -m 1777 {log}"));
    let total = 4 * items;
    let plan = format!(
        "plan --total 1..={total} --chunks 4 --reduce concat --eviction-every {EVICTIONS}s \
         --submit job_lease_duration={LEASE} {words} {program} {log}/ran- {{chunk}} {{first}} {{last}}"
    );
    folder.split(&plan).ok();
    let dagman = folder.start();
    let mut evicted = Vec::new();
    for chunk in 0..4 {
        folder.wait_for("a carry of each chunk", || job(&folder, chunk).is_some());
        let number = job(&folder, chunk).expect("at work").to_string();
        // Somewhere between two carries.
        std::thread::sleep(Duration::from_millis(1300));
        let range = format!("{chunk} {} {}", chunk * items, (chunk + 1) * items);
        // There is none while it is carried; and the brackets keep the pattern from finding the script that it is in.
        let runner = format!("$(pgrep -f 'exec [j]ob.json {range}' | head -n 1)");
        // It may be between two runs just now.
        let vacate = |how: &[&str]| {
            let words = [&["condor_vacate_job"], how, &[number.as_str()]].concat();
            folder.wait_for("a job that can be vacated", || folder.run(&words).code == 0);
        };
        let until = |kill: &str| pool.root(&format!("until {kill} 2>/dev/null; do sleep 0.1; done"));
        match chunk {
            0 => vacate(&[]),
            1 => vacate(&["-fast"]),
            // The runner's parent is its starter, with which all ends at once.
            2 => until(&format!("kill -9 $(ps -o ppid= -p {runner})")),
            // Whose parent is the startd, which ends at once with all jobs of its machine, and is started again.
            _ => until(&format!("kill -QUIT $(ps -o ppid= -p $(ps -o ppid= -p {runner}))")),
        }
        evicted.push(now());
    }
    assert_eq!(folder.end_of(dagman), Some(0));
    let answer = folder.split("reduce outputs/").ok();
    let sums: Vec<u64> = answer.lines().filter_map(|line| line.parse().ok()).collect();
    let expected = |chunk: u64| (chunk * items + 1..=(chunk + 1) * items).sum::<u64>();
    assert_eq!(sums, (0..4).map(expected).collect::<Vec<_>>(), "{answer}");
    for (chunk, evicted) in (0..4).zip(evicted) {
        let runs = runs(&pool.as_root(&format!("cat {log}/ran-{chunk}")).ok());
        check(chunk, chunk * items + 1..=(chunk + 1) * items, &runs, evicted, losses(&folder, chunk));
    }
}

fn now() -> f64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs_f64()
}

/// With the library.
pub(crate) fn a_python_program_loses_no_more_than_the_interval(pool: &Pool) {
    evictions(pool, "checkpoint", ITEMS, "sum.py", "--checkpoint -- python3");
}

/// With files.
pub(crate) fn a_shell_program_loses_no_more_than_the_interval(pool: &Pool) {
    evictions(pool, "snapshot", ITEMS - 4, "sum.sh", "--checkpoint=files -- sh");
}

/// The example in R: the state is a list that R itself writes.
pub(crate) fn an_evicted_r_program_goes_on_where_it_was(pool: &Pool) {
    let folder = pool.folder("list-in-r");
    folder.write("sum.R", include_str!("../../examples/checkpoint/sum.R"));
    let plan = format!(
        "plan --total 1..={ITEMS} --chunks 1 --eviction-every {EVICTIONS}s --env STEP=0.2 \
         --checkpoint=files -- Rscript sum.R {{first}} {{last}}"
    );
    folder.split(&plan).ok();
    let dagman = folder.start();
    folder.wait_for("a carry", || job(&folder, 0).is_some());
    let number = job(&folder, 0).expect("at work").to_string();
    folder.run(["condor_vacate_job", "-fast", number.as_str()]).ok();
    assert_eq!(folder.end_of(dagman), Some(0));
    let expected: u64 = (1..=ITEMS).sum();
    assert_eq!(folder.split("reduce outputs/").ok(), format!("{expected}\n"));
    // Its last run alone was shorter than all of it, so that it went on.
    let seconds = folder.partials()[0].header["seconds"].as_f64().expect("a number");
    assert!(seconds < 0.2 * ITEMS as f64, "{seconds} s");
}
