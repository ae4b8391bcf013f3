//! Faults of every kind while a plan runs, each kind once and then chosen by a seed that is printed: the answer is exact to the byte.
//!
//! `SPLIT_CHAOS_FAULTS=200 cargo test --test pool -- chaos` is the long form; `SPLIT_CHAOS_SEED=N` repeats what a seed chose
//! (machines have a mind of their own, so that it is not the same run).

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::condor::events;
use crate::folder::{Folder, LEASE, own};
use crate::pool::{Pool, Setting};

/// How many faults the suite makes.
const FEW: usize = 20;
/// Between two faults.
const PAUSE: Duration = Duration::from_millis(1200);
/// How long one submission may take.
const PATIENCE: Duration = Duration::from_secs(400);
/// How often a user submits again.
const SUBMISSIONS: usize = 12;

const CHUNKS: usize = 60;
const ITEMS: usize = 600;

/// A slice takes a second.
const PROGRAM: &str = "trap 'kill $!; exit 143' TERM\nsleep 1 & wait $!\nseq $1 $2\n";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Vacate,
    VacateFast,
    KillStarter,
    KillRunner,
    KillProgram,
    KillShadow,
    RestartStartd,
    KillStartd,
    KillSchedd,
    KillDagman,
    Truncate,
    Flip,
    Delete,
    Duplicate,
    FillDisk,
}

/// Those that cost the whole pool half a minute are rare.
const FAULTS: [(Fault, usize); 15] = [
    (Fault::Vacate, 6),
    (Fault::VacateFast, 6),
    (Fault::KillStarter, 6),
    (Fault::KillRunner, 6),
    (Fault::KillProgram, 6),
    (Fault::KillShadow, 6),
    (Fault::RestartStartd, 2),
    (Fault::KillStartd, 1),
    (Fault::KillSchedd, 1),
    (Fault::KillDagman, 3),
    (Fault::Truncate, 4),
    (Fault::Flip, 4),
    (Fault::Delete, 4),
    (Fault::Duplicate, 4),
    (Fault::FillDisk, 4),
];

/// A part of ep3's own: its folder for jobs is a small disk.
const SMALL_DISK: &str = r#"
    for process in $(pgrep -x condor_startd); do
        if [ "$(nsenter --target "$process" --uts hostname)" = ep3 ]; then
            nsenter --target "$process" --mount sh -euc 'disk=/var/ep3/lib/condor/execute
                ONCE'
        fi
    done
"#;

#[expect(clippy::print_stdout, reason = "a long run's report")]
pub(crate) fn chaos_leaves_the_answer_exact(other: &Pool) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let wanted = number("SPLIT_CHAOS_FAULTS").unwrap_or(FEW);
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let seed = number("SPLIT_CHAOS_SEED").map_or_else(now, |seed| seed as u64);
    println!("chaos: seed {seed}");
    let pool = other.another(Setting::Transfer).expect("there is one already");
    let disk = "mount -t tmpfs -o size=96m,mode=755 small $disk; chown condor:condor $disk";
    pool.root(&SMALL_DISK.replace("ONCE", disk));
    let mut chaos = Chaos { pool: &pool, chance: fastrand::Rng::with_seed(seed), made: BTreeMap::new(), holds: 0 };
    let mut submissions = 0;
    let mut runs = 0;
    while chaos.made.values().sum::<usize>() < wanted {
        runs += 1;
        let folder = pool.folder(&format!("chaos-{runs}"));
        submissions += chaos.run(&folder, wanted);
    }
    let total: usize = chaos.made.values().sum();
    println!(
        "chaos: {total} faults in {runs} runs with {submissions} submissions, {} holds: {:?}",
        chaos.holds, chaos.made
    );
    assert!(total >= wanted);
    assert!(wanted < FAULTS.len() || chaos.made.len() == FAULTS.len(), "each kind: {:?}", chaos.made);
    pool.stop();
}

struct Chaos<'a> {
    pool: &'a Pool,
    chance: fastrand::Rng,
    made: BTreeMap<Fault, usize>,
    /// How often jobs were put on hold. Nobody releases them but the plan's own rules.
    holds: usize,
}

impl Chaos<'_> {
    /// Runs a plan to its answer, and gives how often it was submitted.
    #[expect(clippy::print_stdout, reason = "a long run's report")]
    fn run(&mut self, folder: &Folder<'_>, wanted: usize) -> usize {
        folder.write("work.sh", PROGRAM);
        let plan = format!(
            "plan --total 1..={ITEMS} --chunks {CHUNKS} --slices 5 --eviction-every 5s --retries 4 --disk 8MB \
             --submit job_lease_duration={LEASE} \
             --held-for 40s --reduce concat -- sh work.sh {{first}} {{last}}"
        );
        folder.split(&plan).ok();
        let right: String = (1..=ITEMS).map(|item| format!("{item}\n")).collect();
        for submission in 1..=SUBMISSIONS {
            let end = self.submission(folder, wanted);
            let reduced = folder.split("reduce .");
            println!("chaos: DAGMan ended with {end:?}, reduce with {}, {:?}", reduced.code, self.made);
            if reduced.code == 0 {
                assert_eq!(reduced.out, right, "another answer");
                let log = events(&folder.path("logs/events.log"));
                self.holds += log.iter().filter(|event| event.holds()).count();
                let answer = folder.split("status --json").ok();
                println!("chaos: {answer}");
                return submission;
            }
            assert!(reduced.out.is_empty() && (20..=23).contains(&reduced.code), "{reduced:?}");
            if end == Some(0) {
                // What was whole when it was merged has been damaged since.
                folder.split("resume .").ok();
            }
        }
        panic!("not done after {SUBMISSIONS} submissions: {}", folder.split("status").out);
    }

    /// Submits, makes faults until DAGMan has ended, and gives its return value.
    fn submission(&mut self, folder: &Folder<'_>, wanted: usize) -> Option<i32> {
        let start = Instant::now();
        let dagman = loop {
            let said = folder.run(["condor_submit_dag", "plan.dag"]);
            let number =
                said.out.lines().find_map(|line| line.split_once("submitted to cluster ")?.1.strip_suffix('.'));
            if let Some(number) = number {
                break number.parse::<u32>().expect("a number");
            }
            // The schedd may be on its way back.
            assert!(start.elapsed() < PATIENCE, "{said:?}");
            std::thread::sleep(Duration::from_secs(1));
        };
        let mut last = Instant::now();
        loop {
            let log = events(&folder.path("plan.dag.dagman.log"));
            if let Some(end) = log.into_iter().rfind(|event| event.ends(dagman)) {
                return end.returned();
            }
            let stuck = || folder.run(["condor_q", "-nobatch", "-allusers"]).out;
            assert!(last.elapsed() < PATIENCE, "a chunk is stuck: {}", stuck());
            if last.elapsed() >= PAUSE && self.made.values().sum::<usize>() < wanted {
                // Each kind once, and then by chance.
                let unmade: Vec<Fault> =
                    FAULTS.into_iter().map(|(fault, _)| fault).filter(|fault| !self.made.contains_key(fault)).collect();
                let sum: usize = FAULTS.iter().map(|(_, weight)| weight).sum();
                let mut place = self.chance.usize(..sum);
                let chosen = FAULTS.into_iter().find(|(_, weight)| {
                    let here = place < *weight;
                    place = place.saturating_sub(*weight);
                    here
                });
                let (by_chance, _) = chosen.expect("below the sum");
                let fault = self.chance.choice(unmade).unwrap_or(by_chance);
                if self.make(folder, fault) {
                    *self.made.entry(fault).or_default() += 1;
                    last = Instant::now();
                }
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Makes a fault; false where there is nothing at hand that it could be made of.
    fn make(&mut self, folder: &Folder<'_>, fault: Fault) -> bool {
        match fault {
            Fault::Vacate => self.vacate(folder, &["condor_vacate_job"]),
            Fault::VacateFast => self.vacate(folder, &["condor_vacate_job", "-fast"]),
            Fault::KillStarter => self.kill("-x condor_starter"),
            Fault::KillRunner => self.kill("-f 'exec [j]ob.json'"),
            Fault::KillProgram => self.kill("-f '^sh [w]ork.sh'"),
            Fault::KillShadow => self.kill("-x condor_shadow"),
            // It takes its jobs' leave, and the master starts another.
            Fault::RestartStartd => self.signal("TERM", "-x condor_startd"),
            Fault::KillStartd => self.kill("-x condor_startd"),
            Fault::KillSchedd => self.kill("-x condor_schedd"),
            Fault::KillDagman => self.kill("-x condor_dagman"),
            Fault::Truncate => self.damage(folder, |chance, bytes| bytes.truncate(chance.usize(..bytes.len()))),
            Fault::Flip => self.damage(folder, |chance, bytes| {
                let at = chance.usize(..bytes.len());
                bytes[at] ^= 1 << chance.u8(..8);
            }),
            Fault::Delete => self.partial(folder).is_some_and(|path| fs::remove_file(path).is_ok()),
            Fault::Duplicate => {
                let number = self.chance.u32(..);
                self.partial(folder).is_some_and(|path| {
                    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                    let copy = path.with_file_name(format!("{}.9-{number:08x}.part", &name[..12]));
                    let made = fs::copy(&path, &copy).is_ok();
                    if made {
                        own(&copy);
                    }
                    made
                })
            }
            Fault::FillDisk => {
                let fill = "(dd if=/dev/zero of=$disk/fill bs=1M || true) 2>/dev/null; sleep 3; rm -f $disk/fill";
                self.pool.as_root(&SMALL_DISK.replace("ONCE", fill)).code == 0
            }
        }
    }

    fn vacate(&mut self, folder: &Folder<'_>, how: &[&str]) -> bool {
        let query = ["condor_q", "-allusers", "-constraint", "JobStatus == 2 && JobUniverse == 5", "-af", "ClusterId"];
        let said = folder.run(query);
        let jobs: Vec<_> = said.out.split_whitespace().collect();
        let Some(job) = self.chance.choice(&jobs) else { return false };
        folder.run(how.iter().chain([job])).code == 0
    }

    fn kill(&mut self, pattern: &str) -> bool {
        self.signal("KILL", pattern)
    }

    /// Sends a signal to one of the pool's own processes that `pgrep` finds.
    fn signal(&mut self, signal: &str, pattern: &str) -> bool {
        let place = self.chance.usize(..1000);
        let script =
            format!("set -- $(pgrep {pattern}); [ $# -gt 0 ] || exit 3; shift $(({place} % $#)); kill -{signal} $1");
        self.pool.as_root(&script).code == 0
    }

    fn partial(&mut self, folder: &Folder<'_>) -> Option<PathBuf> {
        let names = folder.names("outputs").into_iter().filter(|name| name.ends_with(".part")).collect::<Vec<_>>();
        self.chance.choice(names).map(|name| folder.path("outputs").join(name))
    }

    fn damage(&mut self, folder: &Folder<'_>, damage: impl FnOnce(&mut fastrand::Rng, &mut Vec<u8>)) -> bool {
        let Some(path) = self.partial(folder) else { return false };
        let Some(mut bytes) = fs::read(&path).ok().filter(|bytes| !bytes.is_empty()) else { return false };
        damage(&mut self.chance, &mut bytes);
        fs::write(&path, bytes).is_ok()
    }
}
