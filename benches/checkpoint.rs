//! Times checkpoints against their peers, in turn and in the same run.
//!
//! ```text
//! cargo bench --bench checkpoint -- ticks|small|large|background|overhead
//! ```
//!
//! Prints medians and ratios; machines differ and disks are noisy, so that the ratios are what counts. Peers that are not on this
//! machine are named and left out: a C compiler (`cc`), Python 3. The files are written below `target/`, on a real disk. Ends with exit
//! code 1 where something is not what is wanted of it.

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a benchmark's table; it stops where it cannot go on")]

use std::cell::RefCell;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use split::checkpoint::{Checkpoint, FOLDER, Settings, interval, numbers};

/// Bytes of the large state.
const LARGE: usize = 100_000_000;

/// Writes COUNT times BYTES in place (into one file, or into two by turns) or into a new file, and waits for the disk; prints the median
/// in seconds.
const WRITER: &str = r#"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec / 1e9; }
static int order(const void *a, const void *b) { double x = *(double *)a, y = *(double *)b; return (x > y) - (x < y); }
int main(int argc, char **argv) {
    size_t bytes = strtoul(argv[2], 0, 10), count = strtoul(argv[3], 0, 10);
    int in_place = argv[4][0] == 'p', by_turns = argv[4][0] == 't', other = -1;
    char *data = malloc(bytes);
    double *took = malloc(count * sizeof *took);
    unsigned seed = 1;
    for (size_t i = 0; i < bytes; i++) data[i] = (seed = seed * 1103515245 + 12345) >> 16;
    int file = open(argv[1], O_RDWR | O_CREAT, 0666);
    if (file < 0 || pwrite(file, data, bytes, 0) != (ssize_t)bytes || fsync(file)) return 1;
    if (by_turns) {
        in_place = 1;
        other = open("other", O_RDWR | O_CREAT, 0666);
        if (other < 0 || pwrite(other, data, bytes, 0) != (ssize_t)bytes || fsync(other)) return 1;
    }
    for (size_t i = 0; i < count; i++) {
        double start = now();
        if (by_turns) { int next = other; other = file; file = next; }
        if (!in_place) { close(file); file = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0666); }
        for (size_t done = 0; done < bytes;) {
            ssize_t part = pwrite(file, data + done, bytes - done, done);
            if (part <= 0) return 1;
            done += part;
        }
        if (in_place ? fdatasync(file) : fsync(file)) return 1;
        took[i] = now() - start;
    }
    qsort(took, count, sizeof *took, order);
    printf("%.9f\n", took[count / 2]);
    return 0;
}
"#;

/// The same in Python: the library, and pickle with a temporary file, `os.replace` and both syncs.
const PYTHON: &str = r#"
import os, pickle, statistics, sys, time
from split_checkpoint import Checkpoint, steps

def median(count, action):
    took = []
    for _ in range(count):
        start = time.perf_counter()
        action()
        took.append(time.perf_counter() - start)
    return statistics.median(took)

def pickled(state):
    with open('pickled.new', 'wb') as file:
        pickle.dump(state, file, protocol=4)
        file.flush()
        os.fsync(file.fileno())
    os.replace('pickled.new', 'pickled')
    folder = os.open('.', os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)

what, state = sys.argv[1], {'x': 1.5, 'n': 3, 'name': 'small'}
if what in ('large', 'large-pickle'):
    state['data'] = os.urandom(1 << 20) * 100
if what == 'tick':
    with Checkpoint('tick') as checkpoint:
        checkpoint.resume()
        n, tick = 2000000, checkpoint.tick
        start = time.perf_counter()
        for _ in range(n):
            tick(state)
        ticks = time.perf_counter() - start
        start = time.perf_counter()
        for _ in range(n):
            pass
        print((ticks - (time.perf_counter() - start)) / n)
elif what == 'steps':
    n = 2000000
    start = time.perf_counter()
    for _ in steps('steps', range(n), state):
        pass
    print((time.perf_counter() - start) / n)
elif what.endswith('pickle'):
    print(median(3 if 'data' in state else 60, lambda: pickled(state)))
else:
    with Checkpoint(what) as checkpoint:
        checkpoint.resume()
        checkpoint.save(state)
        checkpoint.save(state)
        print(median(3 if 'data' in state else 60, lambda: checkpoint.save(state)))
"#;

#[derive(Serialize, Deserialize)]
struct Small {
    x: f64,
    n: u64,
    name: String,
}

#[derive(Serialize, Deserialize)]
struct Large {
    #[serde(with = "numbers")]
    values: Vec<f64>,
}

#[derive(Serialize, Deserialize)]
struct Plain {
    values: Vec<f64>,
}

/// Populations, each of which goes on by itself: a loop of some work, whose state is all of its memory.
#[derive(Serialize, Deserialize)]
struct Populations {
    step: usize,
    #[serde(with = "numbers")]
    shares: Vec<f64>,
}

impl Populations {
    /// Four megabytes.
    fn new() -> Self {
        Self { step: 0, shares: (1..=500_000).map(|place| f64::from(place) / 500_001.0).collect() }
    }

    /// Fifty generations of some of them.
    fn step(&mut self) {
        let some = self.shares.len() / 500;
        let from = self.step % 500 * some;
        for share in &mut self.shares[from..from + some] {
            *share = (0..50).fold(*share, |share, _| 3.9 * share * (1.0 - share));
        }
        self.step += 1;
    }

    fn run(&mut self, steps: usize) {
        (0..steps).for_each(|_| self.step());
    }
}

struct Bench {
    folder: PathBuf,
    writer: Option<PathBuf>,
    python: bool,
    /// What is not what is wanted of it.
    missed: RefCell<Vec<String>>,
}

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/checkpoint-bench");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder below target/");
    let writer = folder.join("writer");
    fs::write(folder.join("writer.c"), WRITER).expect("written");
    let compiled = Command::new("cc").arg("-O2").arg("-o").arg(&writer).arg(folder.join("writer.c")).status();
    let writer = compiled.is_ok_and(|status| status.success()).then_some(writer);
    let python = Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success());
    if writer.is_none() {
        println!("cc is not here: without C beside");
    }
    if !python {
        println!("python3 is not here: without Python");
    }
    let bench = Bench { folder, writer, python, missed: RefCell::default() };
    let wanted: Vec<_> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let is_wanted = |name| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    for name in ["ticks", "small", "large", "background", "overhead"].into_iter().filter(|name| is_wanted(*name)) {
        match name {
            "ticks" => bench.ticks(),
            "small" => bench.small(),
            "large" => bench.large(),
            "background" => bench.background(),
            _ => bench.overhead(),
        }
    }
    fs::remove_dir_all(&bench.folder).expect("removed");
    let missed = bench.missed.into_inner();
    for what in &missed {
        println!("MISSED: {what}");
    }
    if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Bench {
    fn ticks(&self) {
        const TICKS: u64 = 300_000_000;
        let mut checkpoint = self.open::<u64>("tick", false);
        checkpoint.tick(&0).expect("the first one");
        let took = seconds(|| {
            for step in 0..TICKS {
                checkpoint.tick(black_box(&step)).expect("not due");
            }
        });
        let tick = took / TICKS as f64 * 1e9;
        println!("tick, Rust                      {tick:8.2} ns   (wanted: under 2)");
        self.want("tick, Rust: under 2 ns", tick < 2.0);
        if self.python {
            let tick = self.in_python("tick") * 1e9;
            println!("tick, Python                    {tick:8.0} ns   (wanted: under 1000)");
            self.want("tick, Python: under 1000 ns", tick < 1000.0);
            println!("a turn of steps(), Python       {:8.0} ns", self.in_python("steps") * 1e9);
        }
    }

    fn small(&self) {
        let mut checkpoint = self.open::<Small>("small", false);
        let state = Small { x: 1.5, n: 3, name: "small".into() };
        let mut save = || median((0..40).map(|_| seconds(|| checkpoint.save(&state).expect("saved"))).collect());
        // In turn, so that a machine that becomes busy is so for both.
        let (mut in_place, mut by_turns) = (Vec::new(), Vec::new());
        for _ in 0..25 {
            let ours = save();
            in_place.push((ours, self.in_c(150, 40, "place")));
            by_turns.push((ours, self.in_c(150, 40, "turns")));
        }
        println!(
            "small save, Rust                {:8.3} ms",
            median(in_place.iter().map(|round| round.0).collect()) * 1e3
        );
        self.compare("  write + fdatasync in C", &in_place, Some(1.2));
        self.compare("  the same, two files by turns", &by_turns, None);
        if self.python {
            let rounds = self.beside_pickle("small", 7, &mut save);
            println!(
                "small save, Python              {:8.3} ms",
                median(rounds[0].iter().map(|round| round.0).collect()) * 1e3
            );
            self.compare("  pickle, replace, fsync x 2", &rounds[0], Some(1.0));
            self.compare("  the same, to Rust's", &rounds[1], Some(1.0));
        }
    }

    fn large(&self) {
        let values: Vec<f64> = (0..LARGE / 8).map(|place| (place as f64).sqrt()).collect();
        let plain = Plain { values: values.clone() };
        let large = Large { values };
        let mut checkpoint = self.open::<Large>("large", false);
        let mut spelled = self.open::<Plain>("plain", false);
        for _ in 0..2 {
            checkpoint.save(&large).expect("saved");
            spelled.save(&plain).expect("saved");
        }
        let mut save = || seconds(|| checkpoint.save(&large).expect("saved"));
        let (mut fresh, mut in_place, mut plainly) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..9 {
            let ours = save();
            fresh.push((ours, self.in_c(LARGE, 1, "fresh")));
            in_place.push((ours, self.in_c(LARGE, 1, "place")));
            plainly.push(seconds(|| spelled.save(&plain).expect("saved")));
        }
        println!(
            "100 MB, numbers, Rust           {:8.1} ms",
            median(fresh.iter().map(|round| round.0).collect()) * 1e3
        );
        self.compare("  write + fsync in C", &fresh, Some(1.3));
        self.compare("  write + fdatasync in place, C", &in_place, None);
        println!("100 MB, a plain Vec<f64>, Rust  {:8.1} ms   (112 MB as MessagePack)", median(plainly) * 1e3);
        if self.python {
            let rounds = self.beside_pickle("large", 3, &mut save);
            println!(
                "100 MB of bytes, Python         {:8.1} ms",
                median(rounds[0].iter().map(|round| round.0).collect()) * 1e3
            );
            self.compare("  pickle, replace, fsync x 2", &rounds[0], Some(1.0));
            self.compare("  the same, to Rust's", &rounds[1], Some(1.0));
        }
    }

    /// Saves in Python and in Rust, each beside pickle, in turn.
    fn beside_pickle(&self, what: &str, count: usize, save: &mut dyn FnMut() -> f64) -> [Vec<(f64, Option<f64>)>; 2] {
        let mut rounds = [Vec::new(), Vec::new()];
        for _ in 0..count {
            let pickle = self.in_python(&format!("{what}-pickle"));
            rounds[0].push((self.in_python(what), Some(pickle)));
            rounds[1].push((save(), Some(pickle)));
        }
        rounds
    }

    fn background(&self) {
        let values: Vec<f64> = (0..LARGE / 8).map(|place| (place as f64).sqrt()).collect();
        let large = Large { values };
        let mut checkpoint = self.open::<Large>("background", true);
        let mut rounds = Vec::new();
        for _ in 0..10 {
            // Every step is due, and waits for the save before; so it is waited for first.
            std::thread::sleep(Duration::from_millis(700));
            let held = seconds(|| checkpoint.tick(&large).expect("saved"));
            let copied = seconds(|| {
                black_box(large.values.clone());
            });
            rounds.push((held, Some(copied)));
        }
        // The first ones take new memory.
        let rounds = rounds.split_off(2);
        println!(
            "100 MB, held by a background save {:6.1} ms",
            median(rounds.iter().map(|round| round.0).collect()) * 1e3
        );
        self.compare("  a copy in (new) memory", &rounds, Some(1.0));
    }

    /// A loop that chooses its interval itself, against the same loop without checkpoints before and after it: what that should cost
    /// (Daly 2006: a save for each interval between two of them) and what it does.
    fn overhead(&self) {
        const INTERRUPTION: Duration = Duration::from_millis(500);
        const ROUNDS: usize = 40;
        let settings = |background: bool| {
            let settings = Settings::<Populations>::new("overhead").folder(self.folder.join("checkpoints"));
            if background { settings.in_background() } else { settings }
        };
        let open = |settings: Settings<Populations>| {
            let mut checkpoint = settings.open().expect("opened");
            checkpoint.resume().expect("whole");
            checkpoint
        };
        let mut state = Populations::new();
        // Both files are there before anything is timed.
        (0..2).for_each(|_| open(settings(false)).save(&state).expect("saved"));
        let step = median((0..500).map(|_| seconds(|| state.step())).collect());
        // Each loop has some saves, and is so short that the machine is no other one after it.
        let steps = (INTERRUPTION.as_secs_f64() / step) as usize;
        let between = steps / 12;
        let mut found = [const { Vec::new() }; 2];
        for _ in 0..ROUNDS {
            for (found, background) in found.iter_mut().zip([false, true]) {
                // What a save holds the loop for, with work in between; a background save has ended by the next.
                let mut held = 0.0;
                let mut checkpoint = open(settings(background).every_steps(1));
                for _ in 0..6 {
                    state.run(between);
                    held += seconds(|| checkpoint.tick(&state).expect("saved")) / 6.0;
                }
                drop(checkpoint);
                let without = || {
                    let mut state = Populations::new();
                    (seconds(|| state.run(steps)), state)
                };
                let (before, plain) = without();
                let mut state = Populations::new();
                let mut checkpoint = open(settings(background).interrupted_every(INTERRUPTION));
                let with = seconds(|| {
                    for _ in 0..steps {
                        state.step();
                        checkpoint.tick(&state).expect("saved");
                    }
                });
                drop(checkpoint);
                assert!(state.shares == plain.shares, "the checkpoints changed the answer");
                let (after, _) = without();
                found.push((held, 2.0 * with / (before + after) - 1.0));
            }
        }
        for (found, how) in found.into_iter().zip(["", ", in the background"]) {
            let (held, measured): (Vec<_>, Vec<_>) = found.into_iter().unzip();
            let (held, measured) = (median(held), median(measured));
            let every = interval(held, INTERRUPTION.as_secs_f64());
            let predicted = held / every;
            println!("overhead, 4 MB{how}: held for {:.1} ms each {:.0} ms", held * 1e3, every * 1e3);
            println!(
                "  predicted {:.1} %, measured {:.1} %    (wanted: at most {:.1} %)",
                predicted * 100.0,
                measured * 100.0,
                predicted * 100.0 + 1.0
            );
            self.want(&format!("overhead{how}: the predicted one plus 1 %"), measured <= predicted + 0.01);
        }
        // What the authors of others published, of whole machines.
        println!(
            "  FTI (SC11, doi 10.1145/2063384.2063427): \"as low as 8% on sustained 0.1 petaflops runs (1152 GPUs)\""
        );
        println!("  VeloC (arXiv 2103.02131, and its manual): no overhead is given");
    }

    fn want(&self, what: &str, is_met: bool) {
        if !is_met {
            self.missed.borrow_mut().push(what.to_owned());
        }
    }

    /// A peer's time, and how much of it ours takes: the median of rounds in which both were measured.
    fn compare(&self, peer: &str, rounds: &[(f64, Option<f64>)], wanted: Option<f64>) {
        let rounds: Vec<_> = rounds.iter().filter_map(|(ours, theirs)| Some((*ours, (*theirs)?))).collect();
        if rounds.is_empty() {
            return;
        }
        let theirs = median(rounds.iter().map(|(_, theirs)| *theirs).collect());
        let ratio = median(rounds.iter().map(|(ours, theirs)| ours / theirs).collect());
        let text = wanted.map_or(String::new(), |wanted| format!(" (wanted: at most {wanted})"));
        println!("{peer:<32}{:8.3} ms   ours takes {ratio:.2} of it{text}", theirs * 1e3);
        if let Some(wanted) = wanted {
            self.want(&format!("{}: at most {wanted} of it, and not {ratio:.2}", peer.trim()), ratio <= wanted);
        }
    }

    fn open<S: Serialize + serde::de::DeserializeOwned>(&self, key: &str, background: bool) -> Checkpoint<S> {
        let settings = Settings::new(key).folder(self.folder.join("checkpoints"));
        let settings = if background { settings.in_background().every_steps(1) } else { settings };
        let mut checkpoint = settings.open().expect("opened");
        checkpoint.resume().expect("nothing there");
        checkpoint
    }

    fn in_c(&self, bytes: usize, count: usize, how: &str) -> Option<f64> {
        let writer = self.writer.as_ref()?;
        let words = ["written".to_owned(), bytes.to_string(), count.to_string(), how.to_owned()];
        Some(self.number(Command::new(writer).args(words)))
    }

    fn in_python(&self, what: &str) -> f64 {
        let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/checkpoint");
        let mut python = Command::new("python3");
        python.env("PYTHONPATH", library).env(FOLDER, "in-python").args(["-B", "-c", PYTHON, what]);
        self.number(&mut python)
    }

    fn number(&self, command: &mut Command) -> f64 {
        let output = command.current_dir(&self.folder).output().expect("started");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.trim().parse().unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))
    }
}

fn seconds(action: impl FnOnce()) -> f64 {
    let start = Instant::now();
    action();
    start.elapsed().as_secs_f64()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
