#!/usr/bin/env python3
"""Times split against its peers: whole processes, peers and split in turn, in the same run.

    cargo build --release && benches/compare.py [plan] [table] [reduce] [answer] [sqlite] [run] [items] [status] [pool]

Prints a table of medians and ratios; machines differ and are noisy, so that the ratios are what counts. Peers that
are not on this machine are named and left out: GNU parallel (Debian: parallel), the Python DAG writer (PyPI: htcondor,
for the python3 that runs this), a C compiler,
the reader of tables (cargo bench --no-run --bench csv_read). `pool` needs root and Debian (tests/pool/README.md).
"""

import glob
import importlib.util
import itertools
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
BUILT = next(iter(sorted(glob.glob(str(HERE.parent / "target/*/release/split")))), None)

READER = r"""
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* Opens, reads and closes every partial of a folder and of the folders in it, in two threads. */
static char **names;
static size_t count;
static int folder;
static void *work(void *first) {
    char buffer[65536];
    for (size_t i = (size_t)first; i < count; i += 2) {
        int file = openat(folder, names[i], O_RDONLY);
        if (file < 0) exit(1);
        while (read(file, buffer, sizeof buffer) == sizeof buffer) {}
        close(file);
    }
    return 0;
}
static size_t room;
static void list(const char *below) {
    int at = *below ? openat(folder, below, O_RDONLY | O_DIRECTORY) : dup(folder);
    DIR *listing = fdopendir(at);
    for (struct dirent *entry; (entry = readdir(listing));) {
        char path[512];
        snprintf(path, sizeof path, "%s%s%s", below, *below ? "/" : "", entry->d_name);
        if (entry->d_type == DT_DIR && !*below && entry->d_name[0] != '.') list(path);
        if (!strstr(entry->d_name, ".part")) continue;
        if (count == room) names = realloc(names, (room = room ? 2 * room : 1024) * sizeof *names);
        names[count++] = strdup(path);
    }
    closedir(listing);
}
int main(int argc, char **argv) {
    folder = open(argv[1], O_RDONLY | O_DIRECTORY);
    list("");
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++) pthread_create(&threads[i], 0, work, (void *)i);
    for (size_t i = 0; i < 2; i++) pthread_join(threads[i], 0);
    return 0;
}
"""

ROWS = """
import sys
for item in range(int(sys.argv[1]), int(sys.argv[2]) + 1):
    print(f'{{"square":{item * item},"half":{item / 2},"name":"n{item}"}}')
"""

DAG_WRITER = """
import sys, htcondor2
from htcondor2 import dags
dag = dags.DAG()
chunk = htcondor2.Submit({"executable": "/bin/true", "arguments": "$(chunk) $(start) $(stop)"})
names = [{"chunk": str(i), "start": str(i), "stop": str(i + 1)} for i in range(int(sys.argv[1]))]
layer = dag.layer(name="chunk", submit_description=chunk, vars=names)
layer.child_layer(name="reduce", submit_description=htcondor2.Submit({"executable": "/bin/true"}))
dags.write_dag(dag, sys.argv[2])
"""


def once(command, **options):
    """Seconds and peak memory (MB) of one run of a command that has to succeed."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        sys.exit(f"failed: {command}")
    return seconds, usage.ru_maxrss / 1024


def in_turn(rivals, rounds):
    """Medians of each rival's seconds, and the largest memory; one run of each in turn, after one to warm up."""
    seconds = {name: [] for name in rivals}
    memory = dict.fromkeys(rivals, 0.0)
    for turn in range(rounds + 1):
        for name, run in rivals.items():
            took, used = run()
            memory[name] = max(memory[name], used)
            if turn:
                seconds[name].append(took)
    return {name: statistics.median(took) for name, took in seconds.items()}, memory


def show(title, medians, memory, aims):
    print(f"\n{title}")
    ours = medians["split"]
    for name, median in medians.items():
        ratio = "" if name == "split" else f"split takes {ours / median:5.2f} of it"
        aim = aims.get(name)
        verdict = "" if aim is None else f"   aim: at most {aim}: {'met' if ours / median <= aim else 'MISSED'}"
        print(f"  {name:<44} {median:8.3f} s {memory[name]:7.0f} MB   {ratio}{verdict}")


def have(tool):
    found = shutil.which(tool)
    if not found:
        print(f"  ({tool} is not on this machine: left out)")
    return found


def plan(folder):
    """1,000,000 chunks, against cat writing the same bytes and against the Python DAG writer."""
    target = folder / "plan"

    def split():
        shutil.rmtree(target, ignore_errors=True)
        return once([BUILT, "plan", "--total", "1e6", "--chunks", "1e6", "--dir", target])

    split()
    kept = folder / "kept.dag"
    shutil.copy(target / "plan.dag", kept)

    def cat():
        with open(folder / "copy.dag", "wb") as out:
            started = time.perf_counter()
            subprocess.run(["cat", kept], stdout=out, check=True)
            return time.perf_counter() - started, 0

    rivals = {"split": split, "cat of the same bytes": cat}
    if importlib.util.find_spec("htcondor2"):
        rivals["htcondor2.dags"] = lambda: once([sys.executable, "-c", DAG_WRITER, "1000000", folder / "python"])
    else:
        print("  (htcondor2 of PyPI's htcondor is not on this machine: left out)")
    show("split plan, 1,000,000 chunks", *in_turn(rivals, 5), {"cat of the same bytes": 4, "htcondor2.dags": 0.2})


def table(folder):
    """A table of 1,000,000 rows in 1,000 chunks, against the csv crate only reading it.

    The peer of the aim is the crate's documented way, records(), a StringRecord for each row: what a program that reads a table
    does. Bytes read into one record for all rows are the fastest that the crate can; that is shown, too.
    """
    rows = folder / "rows.csv"
    # Each time a folder of its own: ext4 makes files slowly for five minutes where thousands were deleted. TMPDIR says where.
    targets = (folder / f"table-{number}" for number in itertools.count())
    with open(rows, "w") as out:
        out.write("n,rho,name\n")
        out.writelines(f"{i},{i * 0.37 % 1:.6f},sample {i % 977}\n" for i in range(1_000_000))

    def split():
        words = [BUILT, "plan", "--table", rows, "--chunks", "1000", "--dir", next(targets)]
        return once([*words, "--", "true", "{n}", "{rho}"])

    rivals = {"split": split}
    documented = "the csv crate alone, records()"
    readers = glob.glob(str(HERE.parent / "target/*/release/deps/csv_read-*"))
    readers = [reader for reader in readers if os.access(reader, os.X_OK)]
    if readers:
        reader = max(readers, key=os.path.getmtime)
        rivals[documented] = lambda: once([reader, rows])
        rivals["the csv crate, one ByteRecord for all"] = lambda: once([reader, rows, "reuse"])
    else:
        print("  (the reader is not built: left out)")
    medians, memory = in_turn(rivals, 5)
    show("split plan, a table of 1,000,000 rows", medians, memory, {documented: 3})
    verdict = "met" if memory["split"] < 500 else "MISSED"
    print(f"  its memory: {memory['split']:.0f} MB   aim: under 500 MB: {verdict}")


def reduce(folder):
    """200,000 partials, against a C program that only reads them."""
    target = folder / "reduce"
    once([BUILT, "run", "--total", "1..=200000", "--chunks", "200000", "--dir", target])
    rivals = {"split": lambda: once([BUILT, "reduce", target])}
    if have("cc"):
        reader = folder / "reader"
        (folder / "reader.c").write_text(READER)
        subprocess.run(["cc", "-O2", "-pthread", "-o", reader, folder / "reader.c"], check=True)
        rivals["C: open, read, close, two threads"] = lambda: once([reader, target / "outputs"])
    aims = {"C: open, read, close, two threads": 1.5}
    show("split reduce, 200,000 partials", *in_turn(rivals, 9), aims)


def answer(folder):
    """200,000 partials to a table, against their sum."""
    target = folder / "table"
    once([BUILT, "run", "--total", "1..=200000", "--chunks", "200000", "--dir", target])
    plan = target / "plan.json"
    sums, tables = folder / "sum.json", folder / "table.json"
    shutil.copy(plan, sums)
    tables.write_text(sums.read_text().replace('"reduce": "sum"', '"reduce": "table"'))

    def reduce(document, *options):
        shutil.copy(document, plan)
        shutil.copy(document, target / "outputs/plan.json")
        return once([BUILT, "reduce", target, *options])

    rivals = {"split": lambda: reduce(tables, "--to", folder / "x.csv"), "the same, summed": lambda: reduce(sums)}
    show("split reduce, 200,000 partials to a table", *in_turn(rivals, 5), {"the same, summed": 2})


def sqlite(folder):
    """A table of 1,000,000 rows and 4 columns into a database, against the shell's import of the same rows as CSV."""
    target = folder / "sqlite"
    (folder / "rows.py").write_text(ROWS)
    options = ["--total", "1..=1000000", "--chunks", "100", "--reduce", "table", "--to", "x.csv", "--dir", target]
    once([BUILT, "run", *options, "--", "python3", "rows.py", "{first}", "{last}"], cwd=folder)
    database = folder / "x.sqlite"

    def split():
        database.unlink(missing_ok=True)
        return once([BUILT, "reduce", target, "--to", database])

    rivals = {"split": split}
    if have("sqlite3"):
        def shell():
            (folder / "shell.sqlite").unlink(missing_ok=True)
            return once(["sqlite3", folder / "shell.sqlite", "-cmd", ".mode csv", f".import {folder / 'x.csv'} items"])

        rivals["sqlite3's .import of the same CSV"] = shell
    medians, memory = in_turn(rivals, 5)
    show("1,000,000 rows into SQLite, results read twice", medians, memory, {})
    speed = 1e6 / medians["split"]
    close = medians["split"] <= 1.5 * medians.get("sqlite3's .import of the same CSV", 0)
    verdict = "met" if speed >= 300_000 or close else "MISSED"
    print(f"  {speed:,.0f} rows a second   aim: at least 300,000, or within 1.5 of sqlite3's: {verdict}")


def run(folder):
    """5,000 chunks of `true`, against xargs through the same runner and GNU parallel."""
    target = folder / "run"

    def split():
        shutil.rmtree(target, ignore_errors=True)
        options = ["--total", "5000", "--chunks", "5000", "--reduce", "concat", "--jobs", "2", "--dir", target]
        return once([BUILT, "run", *options, "--", "true"])

    split()
    numbers = "seq 0 4999"
    runner = target.parent / "runner"
    shutil.copy(BUILT + "-runner", runner)
    shutil.copy(target / "plan.files/job/job.json", folder / "job.json")
    each = f"sh -c 'exec {runner} exec job.json $1 $1 $(($1 + 1))' sh"

    def through_runner():
        place = folder / "xargs"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        shutil.copy(folder / "job.json", place)
        return once(["sh", "-c", f"{numbers} | xargs -P2 -n1 {each}"], cwd=place)

    rivals = {"split": split, "xargs -P2, true through the same runner": through_runner}
    rivals["xargs -P2, true alone"] = lambda: once(["sh", "-c", f"{numbers} | xargs -P2 -n1 true"])
    if have("parallel"):
        rivals["GNU parallel -j2, true alone"] = lambda: once(["sh", "-c", f"{numbers} | parallel -j2 true"])
    aims = {"xargs -P2, true through the same runner": 1, "GNU parallel -j2, true alone": 1}
    show("split run, 5,000 chunks of true", *in_turn(rivals, 3), aims)

    once_only = folder / "xargs"
    alone = lambda: once(["true"])
    with_runner = lambda: once([runner, "exec", "job.json", "0", "0", "1"], cwd=once_only)
    medians, _ = in_turn({"true": alone, "runner": with_runner}, 200)
    print(f"  the runner's own time in a job: {1000 * (medians['runner'] - medians['true']):.2f} ms   aim: under 5 ms")
    print(f"  the runner's size: {os.path.getsize(runner) / 2**20:.2f} MiB   aim: under 2 MiB")


def items(folder):
    """5,000 items of one chunk, a program run for each, against what starts the same program as often and does nothing else."""
    target = folder / "items"

    def split():
        shutil.rmtree(target, ignore_errors=True)
        options = ["--total", "5000", "--chunks", "1", "--reduce", "concat", "--dir", target]
        return once([BUILT, "run", *options, "--", "true", "{item}"])

    rivals = {"split": split, "xargs -n1 true": lambda: once(["sh", "-c", "seq 0 4999 | xargs -n1 true"])}
    loop = "for item in $(seq 0 4999); do /bin/true $item; done"
    rivals["a loop of sh"] = lambda: once(["sh", "-c", loop])
    medians, memory = in_turn(rivals, 5)
    show("split run, 5,000 items of true in one chunk", medians, memory, {})
    own = (medians["split"] - min(median for name, median in medians.items() if name != "split")) / 5
    print(f"  an item's own cost beyond fork and exec: {own:.2f} ms   aim: under 1 ms: {'met' if own < 1 else 'MISSED'}")


def event_log(jobs):
    """The event log of a DAG whose jobs all ended well, ten events each, as HTCondor 25 writes them."""
    host = "<127.0.1.{n}:9618?addrs=127.0.1.{n}-9618&alias=ep{n}&noUDP&sock=slot1_{n}_7_ae99_{n}>"
    usage = "".join(f"\t\tUsr 0 00:00:00, Sys 0 00:00:00  -  {what} Usage\n" for what in ("Run Remote", "Run Local"))
    table = "".join(f"\t   {what:<21}:        0        1         1 \n" for what in ("Cpus", "Disk (KB)", "Memory (MB)"))
    events = (
        ("000", "Job submitted from host: " + host, '    [ DAGNodeName = "chunk-{j:06}-g1"; JobBatchName = "plan.dag+1" ]\n'),
        ("040", "Started transferring input files", "\tTransferring to host: " + host + "\n"),
        ("040", "Finished transferring input files", ""),
        ("001", "Job executing on host: " + host, "\tSlotName: slot1_{n}@ep{n}\n\tCpus = 1\n\tDisk = 1\n\tMemory = 1024\n"),
        ("006", "Image size of job updated: 3750", "\t5  -  MemoryUsage of job (MB)\n\t4476  -  ResidentSetSize of job (KB)\n"),
        ("006", "Image size of job updated: 143560", "\t5  -  MemoryUsage of job (MB)\n\t5476  -  ResidentSetSize of job (KB)\n"),
        ("006", "Image size of job updated: 143572", "\t5  -  MemoryUsage of job (MB)\n\t5676  -  ResidentSetSize of job (KB)\n"),
        ("040", "Started transferring output files", ""),
        ("040", "Finished transferring output files", ""),
        ("005", "Job terminated.", "\t(1) Normal termination (return value 0)\n" + usage + table),
    )
    for j in range(jobs):
        minute, second = divmod(j // 500 % 3600, 60)
        for code, title, body in events:
            first = f"{code} ({j + 2}.000.000) 2026-11-22 10:{minute:02}:{second:02} "
            yield first + (title + "\n" + body).format(j=j, n=j % 9 + 1) + "...\n"


def status(folder):
    """A log of 1,000,000 events of 100,000 chunks, against cat and grep over the same file."""
    target = folder / "status"
    once([BUILT, "run", "--total", "1..=100000", "--chunks", "100000", "--dir", target])
    log = target / "logs/events.log"
    with open(log, "w") as out:
        out.writelines(event_log(100_000))
    bare = folder / "bare"
    once([BUILT, "plan", "--total", "1..=100000", "--chunks", "100000", "--dir", bare])
    os.link(log, bare / "logs/events.log")
    rivals = {
        "split": lambda: once([BUILT, "status", target]),
        "split status, without 100,000 partials": lambda: once([BUILT, "status", bare]),
        "cat of the log": lambda: once(["sh", "-c", f"cat {log} | cat >/dev/null"]),
        "grep -c ^005 of the log": lambda: once(["sh", "-c", f"grep -c ^005 {log} | cat"]),
    }
    print(f"\n  the log has {os.path.getsize(log) / 1e6:.0f} MB")
    show("split status, 1,000,000 events and 100,000 partials", *in_turn(rivals, 9), {})


def pool(folder):
    """The first example from submission to answer, against itself without the script after each job, and a hand-written DAG."""
    script, state, home = HERE.parent / "tests/pool/pool", folder / "state", folder / "home"
    folder.chmod(0o755)
    home.mkdir()
    for program in (BUILT, BUILT + "-runner"):
        shutil.copy(program, home)
    (home / "by-hand").mkdir()
    (home / "by-hand/part.sh").write_text("#!/bin/sh\necho $(($1 + $2))\n")
    (home / "by-hand/part.sub").write_text(
        "executable = part.sh\narguments = $(first) $(last)\noutput = out.$(first)\nlog = log\n"
        "should_transfer_files = YES\nrequest_memory = 1GB\nrequest_disk = 1GB\nqueue\n"
    )
    (home / "by-hand/sum.sh").write_text("#!/bin/sh\nawk '{s += $1} END {print s}' out.*\n")
    (home / "by-hand/sum.sub").write_text(
        "universe = local\nexecutable = sum.sh\noutput = answer\nlog = log\nqueue\n"
    )
    for name in ("part.sh", "sum.sh"):
        (home / "by-hand" / name).chmod(0o755)
    # 1 to 100 in 60 parts: two numbers in the first 40, one (and a zero) in the rest.
    parts = [(2 * i + 1, 2 * i + 2) for i in range(40)] + [(i, 0) for i in range(81, 101)]
    lines = [f'JOB n{i} part.sub\nVARS n{i} first="{a}" last="{b}"\n' for i, (a, b) in enumerate(parts)]
    names = " ".join(f"n{i}" for i in range(60))
    (home / "by-hand/plan.dag").write_text("".join(lines) + f"JOB sum sum.sub\nPARENT {names} CHILD sum\n")
    (home / "wait.sh").write_text(
        # DAGMan's own event log tells when it has ended: event 005.
        "rm -rf plan.dag.*; condor_submit_dag plan.dag >/dev/null || exit 1\n"
        "until grep -q '^005' plan.dag.dagman.log 2>/dev/null; do sleep 0.05; done\n"
    )
    subprocess.run(["chown", "-R", "1000:1000", home], check=True)
    subprocess.run([script, "up", "--state", state, "--home", home], check=True)
    try:
        def as_alice(where, command):
            return once([script, "run", "--state", state, "--in", where, "--", "sh", "-c", command])

        def planned(folder, edit):
            shutil.rmtree(home / folder, ignore_errors=True)
            as_alice(".", f"./split plan --total 1..=100 --chunks 60 --dir {folder}")
            as_alice(folder, edit)
            return as_alice(folder, "sh ../wait.sh && test $(../split reduce outputs) = 5050")

        def with_split():
            return planned("with-split", "grep -q '^SCRIPT POST ALL_NODES ' plan.dag")

        def without_scripts():
            # Those of the tail stay.
            return planned("without-scripts", "sed -i -E '/^SCRIPT POST (ALL_NODES|chunk-)/d' plan.dag")

        def by_hand():
            as_alice("by-hand", "rm -f out.* answer log")
            return as_alice("by-hand", "sh ../wait.sh && test $(cat answer) = 5050")

        bare, hand = "split, no script after each job", "60 shell jobs by hand"
        medians, memory = in_turn({"split": with_split, bare: without_scripts, hand: by_hand}, 7)
        show("60 chunks on the pool, submission to answer", medians, memory, {bare: 1.1, hand: 1.1})
    finally:
        subprocess.run([script, "down", "--state", state], check=True)


def main():
    benchmarks = {
        "plan": plan,
        "table": table,
        "reduce": reduce,
        "answer": answer,
        "sqlite": sqlite,
        "run": run,
        "items": items,
        "status": status,
        "pool": pool,
    }
    wanted = sys.argv[1:] or [name for name in benchmarks if name != "pool"]
    if not BUILT:
        sys.exit("there is no release build: cargo build --release")
    if any(name not in benchmarks for name in wanted):
        sys.exit(__doc__)
    version = subprocess.run([BUILT, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    print(f"{version}, {os.cpu_count()} cores, {cpu.group(1) if cpu else 'unknown processor'}")
    for name in wanted:
        with tempfile.TemporaryDirectory(prefix="split-bench-") as folder:
            benchmarks[name](pathlib.Path(folder))


main()
