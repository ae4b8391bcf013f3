//! Jobs that are taken away: what they had finished counts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::condor::events;
use crate::folder::{Folder, LEASE};
use crate::pool::Pool;

/// How many slices each chunk has, of two seconds each.
const SLICES: usize = 14;

/// The number of a chunk's job, once it has carried something to the access point or, with `carried` false, once it
/// executes.
fn job(folder: &Folder<'_>, chunk: u64, carried: bool) -> Option<u32> {
    let job = folder.jobs().into_iter().find(|job| job.chunk() == Some(chunk) && job.machine.is_some())?;
    let log = events(&folder.path("logs/events.log"));
    let transfers =
        log.iter().filter(|event| event.is_of(job.number) && event.says("Finished transferring output files"));
    (!carried || transfers.count() > 0).then_some(job.number)
}

/// The attempts that computed the slices of a chunk, as its one partial says.
fn attempts(folder: &Folder<'_>, chunk: u64) -> Vec<String> {
    let start = format!("chunk-{chunk:06}.");
    let partials: Vec<_> = folder.names("outputs").into_iter().filter(|name| name.starts_with(&start)).collect();
    let [partial] = &partials[..] else { panic!("{partials:?}") };
    let text = fs::read_to_string(folder.path("outputs").join(partial)).expect("readable");
    let headers = text.lines().filter(|line| line.starts_with("{\"format\":"));
    let attempt = |line: &str| line.split("\"attempt\":\"").nth(1)?.split('"').next().map(str::to_owned);
    headers.map(|line| attempt(line).expect("each has one")).collect()
}

/// When each run over a slice ended, by the slice's first item: `2026-11-22 15:53:05`.
fn ends(pool: &Pool, log: &str) -> BTreeMap<usize, Vec<String>> {
    let mut ends: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for line in pool.as_root(&format!("cat {log}")).ok().lines() {
        let (first, time) = line.split_once(' ').expect("two words");
        ends.entry(first.parse().expect("a number")).or_default().push(time.to_owned());
    }
    ends
}

/// When a chunk's job carried something for the last time before it lost its machine for the last time.
fn carried_before_loss(folder: &Folder<'_>, chunk: u64) -> String {
    let number = folder.jobs().into_iter().find(|job| job.chunk() == Some(chunk)).expect("it has run").number;
    let log: Vec<_> = events(&folder.path("logs/events.log")).into_iter().filter(|event| event.is_of(number)).collect();
    let loss = log.iter().rposition(|event| event.is_loss()).expect("it was evicted");
    let carry = log[..loss].iter().rfind(|event| event.says("Finished transferring output files"));
    carry.expect("it has carried").time().to_owned()
}

/// A graceful eviction keeps each slice that is finished; a hard one, and a starter that is killed, all that was carried.
pub(crate) fn an_evicted_job_goes_on_where_it_was(pool: &Pool) {
    let folder = pool.folder("evicted");
    // All machines see it.
    let here = "/srv/evicted";
    pool.root(&format!("mkdir -m 1777 {here} && touch {here}/ended && chmod 666 {here}/ended"));
    folder.write(
        "sum.sh",
        format!(
            "trap 'kill $!; exit 143' TERM\nsleep 2 & wait $!\ntotal=0\n\
             for item in $(seq $1 $2); do total=$((total + item)); done\necho $total\n\
             echo \"$1 $(date '+%F %T')\" >>{here}/ended\n"
        ),
    );
    let plan = format!(
        "plan --total 1..=84 --chunks 3 --slices {SLICES} --eviction-every 5s --submit job_lease_duration={LEASE} \
                 -- sh sum.sh {{first}} {{last}}"
    );
    folder.split(&plan).ok();
    let dagman = folder.start();
    folder.wait_for("the first chunk at work", || job(&folder, 0, false).is_some());
    // Some slices, and a part of one.
    std::thread::sleep(std::time::Duration::from_secs(5));
    let evict = |chunk: u64, how: &[&str], carried: bool| {
        let number = job(&folder, chunk, carried).expect("at work").to_string();
        folder.run(how.iter().copied().chain([number.as_str()])).ok();
    };
    evict(0, &["condor_vacate_job"], false);
    folder.wait_for("a carry of the second chunk", || job(&folder, 1, true).is_some());
    evict(1, &["condor_vacate_job", "-fast"], true);
    folder.wait_for("a carry of the third chunk", || job(&folder, 2, true).is_some());
    // The runner's parent is its starter, with which all ends at once.
    pool.root("kill -9 $(ps -o ppid= -p $(pgrep -f 'exec [j]ob.json 2 56 84' | head -n 1))");
    assert_eq!(folder.end_of(dagman), Some(0));
    assert_eq!(folder.split("reduce outputs/").ok(), "3570\n");
    for chunk in 0..3 {
        let attempts = attempts(&folder, chunk);
        assert_eq!(attempts.len(), SLICES, "chunk {chunk}");
        let different: BTreeSet<_> = attempts.iter().collect();
        assert!(different.len() > 1, "chunk {chunk} was computed in one go");
    }
    let ends = ends(pool, &format!("{here}/ended"));
    assert_eq!(ends.len(), 3 * SLICES, "{ends:?}");
    let again = |chunk: usize| ends.iter().filter(move |(first, times)| (**first - 1) / 28 == chunk && times.len() > 1);
    assert_eq!(again(0).count(), 0, "what is finished is kept: {ends:?}");
    for chunk in [1, 2] {
        // At most what was finished since the last carry.
        let carried = carried_before_loss(&folder, chunk as u64);
        assert!(again(chunk).all(|(_, times)| *times[0] >= *carried), "chunk {chunk}, carried {carried}: {ends:?}");
    }
    assert!(!folder.exists("outputs/carried"));
}

/// The second of two slices does not end at SIGTERM. Its job may take 20 seconds to end, after which HTCondor kills all of it and brings
/// nothing back: the runner kills the program before that.
pub(crate) fn what_is_finished_is_kept_from_a_program_that_ignores_an_eviction(pool: &Pool) {
    let folder = pool.folder("ignores");
    let here = "/srv/ignores";
    pool.root(&format!("mkdir -m 1777 {here} && touch {here}/log && chmod 666 {here}/log"));
    folder.write(
        "deaf.sh",
        format!(
            "echo $1 >>{here}/log\n\
             if [ $1 = 6 ] && [ $(grep -c '^6$' {here}/log) = 1 ]; then trap '' TERM; sleep 600; fi\n\
             seq $1 $2\n"
        ),
    );
    // No carry but that of the eviction.
    folder
        .split(
            "plan --total 1..=10 --chunks 1 --slices 2 --eviction-every 30d --submit job_max_vacate_time=20 \
         -- sh deaf.sh {first} {last}",
        )
        .ok();
    let dagman = folder.start();
    let log = || pool.as_root(&format!("cat {here}/log")).ok();
    folder.wait_for("the second slice", || log() == "1\n6\n");
    let number = job(&folder, 0, false).expect("at work").to_string();
    folder.run(["condor_vacate_job", number.as_str()]).ok();
    assert_eq!(folder.end_of(dagman), Some(0));
    assert_eq!(folder.split("reduce outputs/").ok(), "55\n");
    assert_eq!(log(), "1\n6\n6\n", "the first slice was computed again");
    let attempts: BTreeSet<_> = attempts(&folder, 0).into_iter().collect();
    assert_eq!(attempts.len(), 2, "the job was not evicted");
}
