//! Programs that keep their own state, on machines that are taken away.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use split::checkpoint::interval;

use crate::condor::events;
use crate::folder::Folder;
use crate::pool::Pool;

/// The items of each chunk.
const ITEMS: u64 = 120;

/// How often the plan says that jobs are evicted, in seconds.
const EVICTIONS: f64 = 10.0;

/// What a carry costs on this pool, in seconds, at the most.
const COST: f64 = 2.0;

/// The items take a quarter of a second each, and each prints a line with the chunk, itself and the time.
const LIBRARY: &str = "import sys, time
from split_checkpoint import steps
chunk, first, last = map(int, sys.argv[1:])
state = {'total': 0, 'log': []}
for item in steps('sum/1', range(first, last + 1), state, every=0.5):
    time.sleep(0.25)
    state['total'] += item
    state['log'].append(time.time())
print(state['total'])
print(' '.join('%.2f' % at for at in state['log']))
";

/// The same in a shell, which is told by a file.
const SHELL: &str = "next=$2 total=0 log=
[ -z \"$SPLIT_CHECKPOINT_OLD\" ] || { read -r next total; read -r log; } < \"$SPLIT_CHECKPOINT_OLD/state\"
while [ $next -le $3 ]; do
    if [ -e \"$SPLIT_CHECKPOINT_STOP\" ]; then
        printf '%s\\n' \"$next $total\" \"$log\" > \"$SPLIT_CHECKPOINT_NEW/state\"
        exit 85
    fi
    sleep 0.25
    total=$((total + next)) next=$((next + 1)) log=\"$log $(date +%s.%2N)\"
done
echo $total
echo $log
";

/// The number of a chunk's job, once it has carried something to the access point.
fn job(folder: &Folder<'_>, chunk: u64) -> Option<u32> {
    let job = folder.jobs().into_iter().find(|job| job.chunk() == Some(chunk) && job.machine.is_some())?;
    let log = events(&folder.path("logs/events.log"));
    let mut of_job = log.iter().filter(|event| event.is_of(job.number));
    of_job.any(|event| event.says("Finished transferring output files")).then_some(job.number)
}

/// When each item was done that counts, by chunk: what the results say beside the sums.
fn times(folder: &Folder<'_>) -> BTreeMap<u64, Vec<f64>> {
    let mut times = BTreeMap::new();
    for name in folder.names("outputs") {
        let Some(chunk) = name.strip_prefix("chunk-").and_then(|name| name.get(..6)?.parse().ok()) else { continue };
        let text = fs::read_to_string(folder.path("outputs").join(&name)).expect("readable");
        let line = text.lines().filter(|line| !line.starts_with('{')).find(|line| line.contains(' '));
        let line = line.unwrap_or_else(|| panic!("no times in {text}"));
        times.insert(chunk, line.split_whitespace().map(|time| time.parse().expect("a time")).collect());
    }
    times
}

/// Evicts a chunk's job each way there is. What counts was computed in an unbroken row of carries: no item twice, and an
/// interruption costs no more than the interval.
///
/// `items` is how many each chunk has: jobs are told apart by them.
fn evictions(pool: &Pool, name: &str, items: u64, program: &str, words: &str) {
    let folder = pool.folder(name);
    folder.write(program, if program.ends_with(".py") { LIBRARY } else { SHELL });
    let total = 4 * items;
    let plan = format!(
        "plan --total 1..={total} --chunks 4 --reduce concat --eviction-every {EVICTIONS}s {words} {program} {{chunk}} \
         {{first}} {{last}}"
    );
    folder.split(&plan).ok();
    let dagman = folder.start();
    let mut evicted = Vec::new();
    for chunk in 0..4 {
        folder.wait_for("a carry of each chunk", || job(&folder, chunk).is_some());
        let number = job(&folder, chunk).expect("at work").to_string();
        // Somewhere between two carries.
        std::thread::sleep(Duration::from_millis(1300));
        evicted.push(now());
        let range = format!("{chunk} {} {}", chunk * items, (chunk + 1) * items);
        // There is none while it is carried; and the brackets keep the pattern from finding the script that it is in.
        let runner = format!("$(pgrep -f 'exec [j]ob.json {range}' | head -n 1)");
        let until = |kill: &str| pool.root(&format!("until {kill} 2>/dev/null; do sleep 0.1; done"));
        match chunk {
            0 => drop(folder.run(["condor_vacate_job", number.as_str()]).ok()),
            1 => drop(folder.run(["condor_vacate_job", "-fast", number.as_str()]).ok()),
            // The runner's parent is its starter, with which all ends at once.
            2 => until(&format!("kill -9 $(ps -o ppid= -p {runner})")),
            // Whose parent is the startd, which ends at once with all jobs of its machine, and is started again.
            _ => until(&format!("kill -QUIT $(ps -o ppid= -p $(ps -o ppid= -p {runner}))")),
        }
    }
    assert_eq!(folder.end_of(dagman), Some(0));
    let answer = folder.split("reduce outputs/").ok();
    let sums: Vec<u64> = answer.lines().filter_map(|line| line.parse().ok()).collect();
    let expected = |chunk: u64| (chunk * items + 1..=(chunk + 1) * items).sum::<u64>();
    assert_eq!(sums, (0..4).map(expected).collect::<Vec<_>>(), "{answer}");
    let times = times(&folder);
    for (chunk, evicted) in (0..4).zip(evicted) {
        let times = &times[&chunk];
        assert_eq!(times.len() as u64, items, "each item counts once");
        // What had been done by then and did not have to be done again ends no longer before than the interval, one item
        // and the end of a program that is told to save.
        let kept = times.iter().copied().filter(|time| *time < evicted).fold(0.0, f64::max);
        assert!(kept > 0.0, "chunk {chunk} started from the beginning");
        let lost = evicted - kept;
        let most = if chunk == 0 { 2.0 } else { interval(COST, EVICTIONS) + COST };
        assert!(lost < most, "chunk {chunk} lost {lost:.1} s");
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
