//! Programs as researchers have them: in an environment, behind a set-up, in R, with chatter.

use crate::folder::Folder;
use crate::pool::Pool;

/// Adds up the items' squares with a package that is no part of Python.
const WITH_SIX: &str = "import sys, six\n\
    assert sys.prefix != sys.base_prefix, sys.prefix\n\
    print(sum(i * i for i in six.moves.range(int(sys.argv[1]), int(sys.argv[2]) + 1)))\n";

/// The sum of the squares of the items 1 to 100.
const SQUARES: &str = "338350\n";

const PLAN: &str = "plan --total 1..=100 --chunks 10";

/// Runs a shell's commands as alice.
fn sh(folder: &Folder<'_>, script: &str) -> String {
    folder.run(["sh", "-euc", script]).ok()
}

/// Submits the plan and checks the answer, and that every job ran elsewhere.
#[track_caller]
fn answers(folder: &Folder<'_>, answer: &str) {
    assert_eq!(folder.submit(), Some(0));
    let jobs = folder.jobs();
    let elsewhere = jobs.iter().filter(|job| job.chunk().is_some()).all(|job| job.machine.as_deref() != Some("ap"));
    assert!(elsewhere, "{jobs:?}");
    assert_eq!(folder.split("reduce outputs/").ok(), answer);
}

pub(crate) fn a_virtual_environment_travels(pool: &Pool) {
    let folder = pool.folder("venv");
    folder.write("squares.py", WITH_SIX);
    sh(&folder, "python3 -m venv .venv && .venv/bin/pip install -q --no-index --find-links /opt/wheels six");
    let planned = folder.split(&format!("{PLAN} -- .venv/bin/python3 squares.py {{first}} {{last}}")).ok();
    assert!(planned.contains(".venv"), "{planned}");
    answers(&folder, SQUARES);

    // And as one uses it at the keyboard.
    folder.write("env.sh", "source .venv/bin/activate\n");
    let words = "--force --input .venv --setup env.sh -- python3 squares.py {first} {last}";
    folder.split(&format!("{PLAN} {words}")).ok();
    answers(&folder, SQUARES);
}

pub(crate) fn a_uv_project_travels(pool: &Pool) {
    let folder = pool.folder("uv");
    folder.write("squares.py", WITH_SIX);
    folder.write(
        "pyproject.toml",
        "[project]\nname = \"squares\"\nversion = \"1\"\nrequires-python = \">=3.11\"\ndependencies = [\"six\"]\n",
    );
    sh(
        &folder,
        "python3 -m venv tools && tools/bin/pip install -q --no-index --find-links /opt/wheels uv
         tools/bin/uv sync -q --offline --no-python-downloads --no-index --find-links /opt/wheels",
    );
    folder.split(&format!("{PLAN} -- .venv/bin/python squares.py {{first}} {{last}}")).ok();
    answers(&folder, SQUARES);
}

pub(crate) fn an_r_script_runs_unchanged(pool: &Pool) {
    let folder = pool.folder("r");
    folder.write(
        "squares.R",
        "bounds <- as.numeric(commandArgs(trailingOnly = TRUE))\ncat(sum((bounds[1]:bounds[2])^2), \"\\n\")\n",
    );
    folder.split(&format!("{PLAN} -- Rscript squares.R {{first}} {{last}}")).ok();
    answers(&folder, SQUARES);

    // What R prints by itself is explained.
    folder.write("shown.R", "bounds <- as.numeric(commandArgs(trailingOnly = TRUE))\nsum((bounds[1]:bounds[2])^2)\n");
    folder.split(&format!("{PLAN} --force -- Rscript shown.R {{first}} {{last}}")).ok();
    assert_eq!(folder.submit(), Some(1));
    folder.split("reduce outputs/").fails(20, &["[1] ", "cat(x, \"\\n\")"]);
}

pub(crate) fn modules_are_loaded_by_the_set_up(pool: &Pool) {
    let folder = pool.folder("modules");
    pool.root(
        "mkdir -p /opt/squares/bin /etc/environment-modules/modules
         printf '#!/bin/sh\\nseq \"$1\" \"$2\" | while read i; do echo $((i * i)); done\\n' >/opt/squares/bin/squares
         chmod +x /opt/squares/bin/squares
         printf '#%%Module\\nprepend-path PATH /opt/squares/bin\\n' >/etc/environment-modules/modules/squares",
    );
    folder.write("env.sh", "# As in the pool's handbook.\nmodule load squares\n");
    let planned = folder.split(&format!("{PLAN} --setup env.sh -- squares {{first}} {{last}}")).ok();
    assert!(planned.contains("env.sh"), "{planned}");
    answers(&folder, SQUARES);

    folder.write("env.sh", "# As in the pool's handbook.\nmodule load sqares\n");
    folder
        .split(&format!("{PLAN} --force --retries 0 --tail-rounds 0 --setup env.sh -- squares {{first}} {{last}}"))
        .ok();
    assert_eq!(folder.submit(), Some(1));
    assert!(folder.jobs().iter().any(|job| job.returned == Some(75)), "{:?}", folder.jobs());
    folder.split("reduce outputs/").fails(20, &["the set-up failed: env.sh, line 2: exit code 1", "sqares"]);
}

pub(crate) fn a_program_with_chatter_writes_its_result(pool: &Pool) {
    let folder = pool.folder("chatter");
    folder.write(
        "squares.py",
        "import sys\nfirst, last, result = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]\n\
         print('[INFO] starting', first)\nprint(f'[INFO] {100 * first / last:.0f} % done', 12345)\n\
         with open(result, 'w') as file:\n    print(sum(i * i for i in range(first, last + 1)), file=file)\n",
    );
    folder.split(&format!("{PLAN} -- python3 squares.py {{first}} {{last}} {{result}}")).ok();
    answers(&folder, SQUARES);
}

pub(crate) fn folders_and_urls_are_inputs(pool: &Pool) {
    let folder = pool.folder("urls");
    // On the execute points' own disks, as a mirror of data would be.
    pool.root("mkdir -p /srv/data; for i in 1 2 3; do echo $i; done >'/srv/data/more weights.txt'");
    folder.write("data/deep/weights.txt", "10\n20\n");
    folder.write(
        "weigh.py",
        "import sys\nfrom pathlib import Path\nweights = Path('data/deep/weights.txt').read_text().split()\n\
         weights += Path('more weights.txt').read_text().split()\nfirst, last = map(int, sys.argv[1:])\n\
         print(sum(i * sum(map(int, weights)) for i in range(first, last + 1)))\n",
    );
    let words = "--input data --input file:///srv/data/more%20weights.txt -- python3 weigh.py {first} {last}";
    folder.split(&format!("{PLAN} {words}")).ok();
    assert!(folder.read("chunk.sub").contains("file:///srv/data/more%20weights.txt"));
    answers(&folder, &format!("{}\n", 5050 * 36));
}

/// HTCondor holds jobs whose inputs it cannot fetch: a DAG would wait for them for ever.
pub(crate) fn a_url_that_cannot_be_fetched_ends_the_dag(pool: &Pool) {
    let folder = pool.folder("no-url");
    let words = "plan --total 2 --chunks 2 --retries 0 --held-for 10s --tail-rounds 1 --input file:///srv/nothing.csv -- cat nothing.csv {first}";
    folder.split(words).ok();
    assert_eq!(folder.submit(), Some(1));
    folder.wait_for_empty_queue();
    assert!(folder.jobs().iter().all(|job| job.returned.is_none()), "{:?}", folder.jobs());
    folder
        .split("reduce outputs/")
        .fails(20, &["chunk 0", "held: Transfer input files failure", "it was not released, and removed"]);
    let why = folder.split("why").ok();
    assert!(why.contains("held: Transfer input files failure") && why.contains("and removed"), "{why}");
}
