#!/usr/bin/env python3
"""Holds what `split simulate` foresees against what a real pool does while its jobs are evicted.

    cargo build --release && sudo benches/forecast.py [settings] [headline] [--runs N] [--way WORDS]

`settings`: pools of several sizes, rates of eviction and lengths of chunks, with and without slices. Each pool first computes a
plan undisturbed, from whose event log `split simulate --learn-from` measures the pool; then it computes the plan while every
attempt is evicted after a random time, some runs of it. The mean completion and the badput are printed beside the forecast, and
beside another that has learned the evictions, too, from the event log of the first of these runs.

`headline`: the same work as one job, as one job that keeps its state (by the checkpoint library, also where it is evicted without notice; by
slices) and as 60 chunks on 60 slots, with a second for a minute. `--way WORDS` measures the ways alone whose names hold these words.

Needs root and Debian (tests/pool/README.md), and ten to twenty minutes: the jobs sleep, so that all pools are at work at once.
"""

import argparse
import concurrent.futures
import glob
import json
import os
import pathlib
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
POOL = HERE.parent / "tests/pool/pool"
TARGET = os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target")
BUILT = next(iter(sorted(glob.glob(f"{TARGET}/*/release/split"))), None)

# Slots, seconds between evictions of a slot, chunks, seconds of each, and its slices.
SETTINGS = [(8, 60, 40, 15, 1), (8, 30, 24, 24, 1), (8, 30, 24, 24, 6), (16, 60, 64, 20, 1), (4, 40, 16, 12, 1)]


class Pool:
    """A pool of `slots` slots, and plans on it."""

    def __init__(self, folder, slots):
        self.state, self.home, self.slots = folder / "state", folder / "home", slots
        folder.chmod(0o755)
        self.home.mkdir()
        for program in (BUILT, BUILT + "-runner"):
            shutil.copy(program, self.home)
        subprocess.run(["chown", "-R", "1000:1000", self.home], check=True)
        points = 2
        words = ["--execute-points", str(points), "--slots", str(slots), "--private-home"]
        subprocess.run([POOL, "up", "--state", self.state, "--home", self.home, *words], check=True, stdout=subprocess.DEVNULL)

    def down(self):
        subprocess.run([POOL, "down", "--state", self.state], check=True)

    def alice(self, where, *words, check=True):
        command = [POOL, "run", "--state", self.state, "--in", where, "--", *words]
        return subprocess.run(command, check=check, stdout=subprocess.PIPE, text=True).stdout

    def plan(self, name, *words):
        self.alice(".", "./split", "plan", "--dir", name, *words)

    def compute(self, name, between, chance, patience=4500, how=()):
        """Runs a planned folder while each attempt is evicted after a random time, for `patience` seconds at most; gives the event log.

        `how` goes to condor_vacate_job.
        """
        self.alice(name, "condor_submit_dag", "plan.dag")
        log, due, over = self.home / name / "logs/events.log", {}, self.home / name / "plan.dag.dagman.log"
        end = time.time() + patience
        while time.time() < end and not (over.exists() and "\n005 (" in over.read_text()):
            time.sleep(0.2)
            running = at_work(log.read_text() if log.exists() else "")
            for attempt in running:
                if between and attempt not in due:
                    due[attempt] = time.time() + chance.expovariate(1 / between)
            now = [job for (job, number), at in due.items() if (job, number) in running and at <= time.time()]
            for attempt in [attempt for attempt in due if attempt[0] in now]:
                due[attempt] = float("inf")
            if now:
                self.alice(name, "condor_vacate_job", *how, *now, check=False)
        return log.read_text()


def events(text):
    """Each event: its code, its job and its time in seconds."""
    for found in re.finditer(r"^(\d{3}) \((\d+)\.\d+\.\d+\) (\S+ \S+) ", text, re.M):
        when = found[3].replace("T", " ").split(".")[0]
        yield found[1], found[2], time.mktime(time.strptime(when, "%Y-%m-%d %H:%M:%S"))


def at_work(text):
    """The attempts that run: a job, and how many times it had started."""
    starts, running = {}, {}
    for code, job, _ in events(text):
        if code == "001":
            starts[job] = starts.get(job, 0) + 1
            running[job] = starts[job]
        elif code in ("004", "005", "009", "012", "022"):
            running.pop(job, None)
    return set(running.items())


def completion(text, chunks):
    """Seconds from the first submission to the last chunk's end."""
    jobs, first, last = set(), None, None
    for code, job, when in events(text):
        if code == "000" and len(jobs) < chunks:
            jobs.add(job)
            first = first or when
        elif code == "005" and job in jobs:
            last = when
    return None if last is None or len(jobs) < chunks else last - first


def badput(pool, name):
    """The share of the slots' time that brought no result, and the number of evictions."""
    status = json.loads(pool.alice(name, "../split", "status", "--json"))
    lost = sum(spent["seconds"] for spent in status["without_results"].values())
    return lost / (lost + status["with_results"]["seconds"]), status["without_results"]["evicted"]["attempts"]


def setting(number, wanted, runs):
    slots, between, chunks, seconds, slices = wanted
    with tempfile.TemporaryDirectory(prefix="split-forecast-") as folder:
        pool = Pool(pathlib.Path(folder), slots)
        try:
            items = chunks * slices
            words = ["--total", f"1..={items}", "--chunks", str(chunks), "--eviction-every", f"{between}s"]
            words += ["--slices", str(slices)] if slices > 1 else []
            words += ["--", "sh", "-c", f"sleep {seconds // slices} & wait; echo 1"]
            pool.plan("still", *words)
            pool.compute("still", None, None)
            # A chunk's time is what its job takes from the start of the runner to its end, as the undisturbed run shows.
            each = json.loads(pool.alice("still", "../split", "status", "--json"))["seconds_a_chunk"]
            options = ["--learn-from", "logs/events.log", "--slots", str(slots), "--speed-spread", "0"]
            options += ["--chunk-time", f"{each * 1000:.0f}ms", "--eviction-every", f"{between}s"]
            foresee = lambda *options: json.loads(pool.alice("still", "../split", "simulate", "--json", *options))["slots"][0]
            forecast = foresee(*options)
            measured = []
            for run in range(runs):
                name = f"run-{run}"
                pool.plan(name, *words)
                text = pool.compute(name, between, random.Random(f"{number} {run}"))
                assert pool.alice(name, "../split", "reduce", "outputs/").strip() == str(items)
                measured.append((completion(text, chunks), badput(pool, name)))
            options[options.index("logs/events.log")] = "../run-0/logs/events.log"
            learned = foresee(*options[:-2])
            return wanted, forecast, learned, measured
        finally:
            pool.down()


# A second for a minute: ten hours of work, and an eviction every four hours.
WORK, EVICTIONS = 600, 240
SLEEP = ["sh", "-c", "sleep $(($1 - $0 + 1)) & wait; echo 1"]
STEPS = """import sys, time
from split_checkpoint import steps
state = {"done": 0}
for item in steps("sum/1", range(int(sys.argv[1]), int(sys.argv[2]) + 1), state):
    time.sleep(1)
    state["done"] += 1
print(1)
"""
PYTHON = ["python3", "steps.py"]
# A name, slots, the plan's words, the program, how it is evicted, and how many runs.
WAYS = [
    ("one job", 4, ["--chunks", "1"], SLEEP, [], 4),
    ("one job with checkpoints", 4, ["--chunks", "1", "--checkpoint"], PYTHON, [], 4),
    ("the same, without notice", 4, ["--chunks", "1", "--checkpoint"], PYTHON, ["-fast"], 4),
    ("one job, slices of ten", 4, ["--chunks", "1", "--slices", "60"], SLEEP, [], 4),
    ("60 chunks on 60 slots", 60, ["--chunks", "60"], SLEEP, [], 4),
]


def headline(way, patience):
    """Runs of one way to compute the same work: seconds until its answer, and the share of slots' time that was lost."""
    name, slots, words, program, how, runs = way
    with tempfile.TemporaryDirectory(prefix="split-forecast-") as folder:
        pool = Pool(pathlib.Path(folder), slots)
        (pool.home / "steps.py").write_text(STEPS)

        def run(number):
            plan = f"run-{number}"
            words_of_run = [*words, "--eviction-every", f"{EVICTIONS}s", "--", *program, "{first}", "{last}"]
            pool.plan(plan, "--total", f"1..={WORK}", *words_of_run)
            text = pool.compute(plan, EVICTIONS, random.Random(f"{name} {number}"), patience, how)
            return completion(text, 1 if slots < 60 else 60), badput(pool, plan)

        try:
            # Jobs of one slot each do not disturb one another; many that want all slots would.
            with concurrent.futures.ThreadPoolExecutor(runs if slots < 60 else 1) as threads:
                return name, list(threads.map(run, range(runs)))
        finally:
            pool.down()


def show_settings(found):
    print("\nslots, eviction every, chunks, slices      foreseen: mean, badput    measured: mean of runs, badput    ratio    of the learned one")
    for (slots, between, chunks, seconds, slices), forecast, learned, measured in found:
        mean = statistics.mean(time for time, _ in measured)
        lost = statistics.mean(share for _, (share, _) in measured)
        ratio, of_learned = mean / forecast["mean"], mean / learned["mean"]
        verdict = "" if abs(ratio - 1) <= 0.15 else "   MISSED: over 15 % off"
        print(
            f"{slots:3}, {between} s, {chunks} of {seconds} s, {slices:<18}{forecast['mean']:8.0f} s {100 * forecast['badput']:6.1f} %"
            f"{mean:14.0f} s of {len(measured)} {100 * lost:6.1f} %{ratio:20.2f}{of_learned:15.2f}{verdict}",
            flush=True,
        )


def show_headline(name, runs):
    times = ", ".join("not done" if time is None else f"{time:.0f} s" for time, _ in runs)
    lost = ", ".join(f"{100 * share:.1f} %" for _, (share, _) in runs)
    evictions = sum(number for _, (_, number) in runs)
    print(f"{name:28} {times:40} badput {lost}; {evictions} evictions", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=["settings", "headline", []])
    parser.add_argument("--runs", type=int, default=3, help="runs of each setting with evictions")
    parser.add_argument("--way", default="", help="of the headline, the ways alone whose names hold these words")
    parser.add_argument("--patience", type=int, default=4500, help="seconds until a run of the headline is given up")
    given = parser.parse_args()
    wanted = given.what or ["settings", "headline"]
    if not BUILT:
        sys.exit("there is no release build: cargo build --release")
    with concurrent.futures.ThreadPoolExecutor() as threads:
        settings = enumerate(SETTINGS if "settings" in wanted else [])
        settings = [threads.submit(setting, number, one, given.runs) for number, one in settings]
        ways = [threads.submit(headline, way, given.patience) for way in WAYS if "headline" in wanted and given.way in way[0]]
        if settings:
            show_settings([task.result() for task in settings])
        for task in ways:
            show_headline(*task.result())


main()
