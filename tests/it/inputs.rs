//! What travels with a job: environments, installations, programs with their libraries.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::job::{bare, sandbox};
use crate::kit::{Dir, path_after};

/// An environment `env` with its own path in a script, and links as environments have them. Its "Python" is the
/// shell: what is tested is where things are found.
fn with_environment() -> Dir {
    let dir = Dir::new();
    dir.write("env/pyvenv.cfg", "home = /usr/bin\nversion = 3.11.7\n");
    dir.write("env/bin/activate", format!("VIRTUAL_ENV=\"{}/env\"\nexport VIRTUAL_ENV\n", dir.shown()));
    dir.program(
        "env/bin/tool",
        &format!(
            "#!{}/env/bin/python\n. \"${{0%/*}}/activate\"; echo $VIRTUAL_ENV $1; cat \"${{0%/*}}/../lib64/data\"\n",
            dir.shown()
        ),
    );
    dir.write("env/lib/data", "data\n");
    let link = |target: &str, name: &str| symlink(target, dir.path(name)).expect("linked");
    link("python3", "env/bin/python");
    link("/bin/sh", "env/bin/python3");
    link("lib", "env/lib64");
    dir
}

/// The identity of the code that the record of a chunk names.
fn code(partial: &str) -> &str {
    partial.split("\"code\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a record")
}

#[test]
fn an_environment_travels_whole_and_knows_its_new_place() {
    let dir = with_environment();
    let plan = dir.split("plan --total 1..=2 --chunks 2 --reduce concat -- env/bin/tool {first}").ok();
    plan.says("env/bin/tool         transferred to each job, travels with the whole of env: 4 files, ");
    plan.says("note: env was made by Python 3.11.7 of /usr/bin: execute points need the same");
    // Links are not laid down: file transfer would follow them.
    let staged = dir.names("plan.files/job/work/env");
    assert_eq!(staged, ["bin", "lib", "pyvenv.cfg"]);
    assert_eq!(dir.names("plan.files/job/work/env/bin"), ["activate", "tool"]);

    sandbox(&dir, "sandbox");
    let here = dir.split("run --total 1..=2 --chunks 2 --reduce concat -- env/bin/tool {first}").ok().text();
    assert!(here.contains("/work/env 1\ndata\n") && !here.contains(&dir.shown()), "{here}");
    fs::rename(dir.path("env"), dir.path("gone")).expect("renamed");
    let runner = dir.path("sandbox/condor_exec.exe");
    bare(&dir, &runner).args(["exec", "job.json", "0", "0", "1"]).within("sandbox").ok();
    let partial = dir.read(format!("sandbox/{}", dir.names("sandbox").remove(0)));
    assert!(partial.contains("sandbox/work/env 1\ndata\n"), "{partial}");
    assert_eq!(
        dir.read("sandbox/work/env/bin/activate").lines().next(),
        Some(&*format!("VIRTUAL_ENV=\"{}/sandbox/work/env\"", dir.shown()))
    );
    assert_eq!(fs::read_link(dir.path("sandbox/work/env/lib64")).expect("a link"), Path::new("lib"));
    // What arrived is hashed before it is told its place: the code is the same everywhere.
    let plan = dir.read("plan.json");
    let planned = plan.split("\"code\": \"").nth(1).and_then(|rest| rest.split('"').next());
    assert_eq!(Some(code(&partial)), planned);
    assert_eq!(Some(code(&fs::read_to_string(dir.partial(0)).expect("read"))), planned);
}

#[test]
fn a_real_virtual_environment_works_elsewhere() {
    let dir = Dir::new();
    dir.command("python3").args(["-m", "venv", "--without-pip", ".venv"]).ok();
    dir.write("src/helper.py", "def total(first, last):\n    return sum(range(first, last + 1))\n");
    let library = dir.names(".venv/lib").remove(0);
    let packages = format!(".venv/lib/{library}/site-packages");
    dir.write(format!("{packages}/__editable__.helper.pth"), format!("{}/src\n", dir.shown()));
    let tool =
        "import sys, helper\nprint(sys.prefix, helper.__file__, helper.total(int(sys.argv[1]), int(sys.argv[2])))\n";
    dir.program(".venv/bin/tool", &format!("#!{}/.venv/bin/python3\n{tool}", dir.shown()));
    let plan = dir.split("plan --total 1..=4 --chunks 1 --reduce concat -- .venv/bin/tool {first} {last}").ok();
    plan.says("note: .venv has an editable install of src, which is not sent: --input src sends it");
    let run = || {
        dir.split("run --force --total 1..=4 --chunks 1 --reduce concat --input src -- .venv/bin/tool {first} {last}")
    };
    let found = |text: &str| {
        let words: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
        assert!(text.trim_end().ends_with(" 10") && !text.contains(&dir.shown()), "{text}");
        assert!(text.contains("/work/.venv ") && text.contains("/work/src/helper.py "), "{words:?}");
    };
    let done = run().ok();
    done.is_silent_on("editable");
    found(&done.text());
    // A first line cannot hold a blank, nor be as long as this.
    for name in ["with blank".to_owned(), "deep/".repeat(50)] {
        let folder = dir.path("").parent().expect("above").join("tmp").join(&name);
        fs::create_dir_all(&folder).expect("made");
        let text = run().env("TMPDIR", &folder).ok().text();
        assert!(text.contains(name.trim_end_matches('/')), "{text}");
        found(&text.replace(&*folder.to_string_lossy(), ""));
    }
}

#[test]
fn an_environment_in_a_folder_above_or_given_as_input() {
    let dir = with_environment();
    fs::create_dir(dir.path("run")).expect("made");
    let run = dir.split("run --total 1 --chunks 1 --reduce concat -- ../env/bin/tool {first}").within("run");
    run.ok().says("travels with the whole of ../env").says("/env 0\ndata");
    let run = dir.split("run --dir p --total 1 --chunks 1 --reduce concat --input env -- sh env/bin/tool {first}");
    run.ok().says("env/bin/tool         transferred to each job, travels with the whole of env").says("data");
    let run = dir.split("run --dir q --total 1 --chunks 1 --reduce concat --input . --").args([
        "sh",
        "-c",
        "cat env/lib64/data",
    ]);
    run.ok().says("env                  transferred to each job: a virtual environment, 4 files").says("data");
}

#[test]
fn what_an_environments_links_lead_to() {
    let dir = with_environment();
    // A package that is linked from a cache, and a Python of its own in a folder beside it.
    dir.write("../cache/module.py", "cached");
    symlink(dir.path("../cache/module.py"), dir.path("env/lib/module.py")).expect("linked");
    dir.program("opt/bin/perl5.40", "#!/bin/sh\necho own\n");
    dir.write("opt/lib/Core.pm", "1;");
    symlink(dir.path("opt/bin/perl5.40"), dir.path("env/bin/perl")).expect("linked");
    symlink("/no/such/folder", dir.path("env/lib/broken")).expect("linked");
    dir.split("plan --total 1 --chunks 1 -- env/bin/tool {first}")
        .ok()
        .says("opt                  transferred to each job: an installation, 2 files");
    let plan = dir.read("plan.json");
    for (place, target) in [
        ("env/bin/perl", "../../opt/bin/perl5.40"),
        ("env/bin/python", "python3"),
        ("env/bin/python3", "/bin/sh"),
        ("env/lib/broken", "/no/such/folder"),
        ("env/lib64", "lib"),
    ] {
        assert!(
            plan.contains(&format!("\"place\": \"{place}\",\n        \"target\": \"{target}\"")),
            "{place}: {plan}"
        );
    }
    assert_eq!(dir.read("plan.files/job/work/env/lib/module.py"), "cached");
    dir.split("run --dir r --total 1 --chunks 1 --reduce concat -- env/bin/perl").answers("own\n");
}

#[test]
fn a_conda_environment_is_told_its_prefix() {
    let dir = Dir::new();
    let prefix = format!("{}/sim", dir.shown());
    dir.program("sim/bin/tool", &format!("#!/bin/sh\ncat {prefix}/share/settings\n"));
    dir.write("sim/share/settings", format!("prefix={prefix}\n"));
    dir.write("sim/share/untold", format!("prefix={prefix}\n"));
    let paths = r#"{"_path": "share/settings", "file_mode": "text"}, {"_path": "lib/x.so", "file_mode": "binary"}"#;
    dir.write("sim/conda-meta/x-1.json", format!("{{\"name\": \"x\", \"paths_data\": {{\"paths\": [{paths}]}}}}"));
    let run = dir.split("run --total 1 --chunks 1 --reduce concat -- sim/bin/tool {first}").ok();
    run.says("note: sim holds programs with its path in their binary code");
    assert!(run.text().ends_with("/work/sim\n") && !run.text().contains(&prefix), "{}", run.text());
}

#[test]
fn interpreters_do_not_travel_alone() {
    let dir = Dir::new();
    fs::copy("/bin/sh", dir.path("sh")).expect("copied");
    symlink("/bin/sh", dir.path("mine")).expect("linked");
    dir.program("perl", "#!/bin/sh\necho a script of one's own\n");
    let transcripts = ["./sh", "./mine", "./perl"].map(|name| {
        let run = dir.split("plan --total 10 --chunks 2 --");
        let run = run.args([name, "{first}"]);
        if name == "./perl" { run.ok().transcript() } else { run.refuses(2).transcript() }
    });
    assert!(transcripts[1].contains("./mine is an interpreter: "), "{}", transcripts[1]);
    insta::assert_snapshot!([&*transcripts[0], &*transcripts[2]].join("\n"));
    dir.split("plan --total 10 --chunks 2 --input sh -- true {first}").refuses(2).says("sh is an interpreter");
    dir.split("plan --dir s --shared-filesystem --total 10 --chunks 2 -- ./sh {first}").ok().says("read where it is");
}

#[test]
fn an_installation_travels_whole() {
    let dir = Dir::new();
    dir.program("opt/r/bin/Rscript", "#!/bin/sh\ncat \"${0%/*}/../lib/R/base\"\n");
    dir.write("opt/r/lib/R/base", "7\n");
    let run = dir.split("run --total 1 --chunks 1 -- opt/r/bin/Rscript {first}");
    run.answers("7\n").says("travels with the whole of opt/r: 2 files");
    // What is no interpreter is a program like any other.
    dir.program("opt/own/bin/sum", "#!/bin/sh\necho 3\n");
    let run = dir.split("run --dir o --total 1 --chunks 1 -- opt/own/bin/sum {first}");
    run.answers("3\n").is_silent_on("travels with");
}

/// Compiles a library, or a program with `main`.
fn compile(dir: &Dir, source: &str, out: &str, options: &[&str]) {
    let text = dir.write("source.c", source);
    fs::create_dir_all(dir.path(out).parent().expect("below")).expect("made");
    dir.command("cc").args(["-o", out]).arg(text).args(options).ok();
}

#[test]
fn a_program_travels_with_the_libraries_beside_it() {
    let dir = Dir::new();
    let library = |source: &str, out: &str, options: &[&str]| {
        let soname = format!("-Wl,-soname,{}", out.rsplit('/').next().expect("a name"));
        compile(&dir, source, out, &[&["-shared", "-fPIC", &*soname], options].concat());
    };
    library("int low(void) { return 20; }", "lib/liblow.so.1", &[]);
    library(
        "int low(void); int high(void) { return low() + 1; }",
        "lib/libhigh.so.1",
        &["lib/liblow.so.1", "-Wl,-rpath,$ORIGIN"],
    );
    library("int far(void) { return 300; }", "far/libfar.so.1", &[]);
    let main = |name: &str| {
        format!("#include <stdio.h>\nint {name}(void);\nint main(void) {{ printf(\"%d\\n\", {name}()); return 0; }}\n")
    };
    compile(
        &dir,
        &main("high"),
        "build/near",
        &["lib/libhigh.so.1", "-Wl,-rpath-link,lib", "-Wl,-rpath,$ORIGIN/../lib"],
    );
    let run = dir.split("run --dir near --total 1 --chunks 1 -- build/near {first}");
    run.answers("21\n").says("beside itself: lib/libhigh.so.1, lib/liblow.so.1").is_silent_on("needs lib");

    compile(&dir, &main("far"), "away", &["far/libfar.so.1"]);
    let plan = || dir.split("plan --dir away.plan --force --total 1 --chunks 1 -- ./away {first}");
    plan().ok().says("note: ./away needs libfar.so.1, which is not found here either");
    let cure = "--input far --env LD_LIBRARY_PATH=far";
    plan().env("LD_LIBRARY_PATH", "far").ok().says("found here in far, which is not sent").says(cure);
    compile(&dir, &main("far"), "absolute", &["far/libfar.so.1", &format!("-Wl,-rpath,{}/far", dir.shown())]);
    let plan = dir.split("plan --dir absolute.plan --total 1 --chunks 1 -- ./absolute {first}").ok();
    plan.says(&format!("found here in {}/far, which is not sent: {cure}", dir.shown()));
    let run = dir.split(&format!("run --dir cured --total 1 --chunks 1 {cure} -- ./away {{first}}"));
    run.answers("300\n").is_silent_on("needs lib");
}

#[test]
fn names_that_mean_something_else_in_a_job() {
    let dir = with_environment();
    dir.write("sum.py", "");
    dir.program("go", &format!("#!{}/env/bin/python\n", dir.shown()));
    let path = path_after(&[&dir.path("env/bin")]);
    let plan = |words: &str| {
        dir.split("plan --force --dir p --total 10 --chunks 2 --").args(words.split(' ')).env("PATH", &path)
    };
    let bare =
        "note: python here is env/bin/python; a job finds its own: write env/bin/python, which sends its environment";
    plan("python sum.py {first}").ok().says(bare);
    plan("sh sum.py {first}").ok().is_silent_on("a job finds its own");
    let plain = dir
        .split("plan --force --dir p --total 10 --chunks 2 -- python3 sum.py {first}")
        .env("VIRTUAL_ENV", dir.path("env"));
    plain.ok().says("write env/bin/python3, which sends its environment");
    plan("./go {first}").ok().says("which sends its environment: env/bin/python ./go");
    plan("uv run --with numpy sum.py {first}").ok().says("uv sync, and then: -- .venv/bin/python3 sum.py {first}");
    plan("uv run -m sum {first}").ok().says("-- .venv/bin/python3 -m sum {first}");
    plan("uv run pytest {first}").ok().says("-- .venv/bin/pytest {first}");
    let absolute = format!("{}/env/bin/tool", dir.shown());
    plan(&format!("{absolute} {{first}}")).ok().says("since its path is absolute: write env/bin/tool, which is sent");
}

#[test]
fn names_that_are_filled_in_are_not_sent() {
    let dir = Dir::new();
    dir.write("data/1.csv", "1\n");
    dir.write("0.txt", "");
    let note = "names a file that is here, such as data/1.csv, and is not sent: --input data sends it";
    let plan =
        dir.split("plan --total 1..=2 --chunks 2 -- cat data/{first}.csv --in=data/{first}.csv {chunk}.txt").ok();
    plan.says(&format!("note: data/{{first}}.csv {note}")).says(&format!("note: --in=data/{{first}}.csv {note}"));
    plan.says("note: {chunk}.txt names a file that is here, such as 0.txt");
    dir.split("plan --dir p --total 1..=2 --chunks 2 --input data -- cat data/{first}.csv").ok().is_silent_on("note: ");
}

#[test]
fn on_a_shared_file_system_nothing_moves() {
    let dir = with_environment();
    let run = dir.split("run --shared-filesystem --total 1 --chunks 1 --reduce concat -- env/bin/tool {first}").ok();
    run.says("read where it is, on the shared file system").says("/work/env 0\ndata");
    assert!(dir.read("env/bin/tool").starts_with(&format!("#!{}/env/bin/python\n", dir.shown())));
    assert!(!dir.read("plan.files/job/job.json").contains("environments"));
}

#[test]
fn what_differs_in_an_environment_is_named() {
    let dir = with_environment();
    let words = "plan --total 10 --chunks 2 -- env/bin/tool {first}";
    dir.split(words).ok();
    dir.split(words).ok().says("nothing was changed");
    fs::remove_file(dir.path("env/bin/python3")).expect("removed");
    symlink("/bin/bash", dir.path("env/bin/python3")).expect("linked");
    dir.split(words).refuses(3).says("the link env/bin/python3: was as it was, now changed");
    fs::remove_file(dir.path("env/pyvenv.cfg")).expect("removed");
    fs::set_permissions(dir.path("env/bin/tool"), fs::Permissions::from_mode(0o755)).expect("set");
    dir.split(words).refuses(3).says("where the environment env was made: was there, now gone");
}

#[test]
fn of_many_files_that_differ_some_are_named() {
    let dir = Dir::new();
    dir.write("data/0", "");
    dir.split("plan --total 10 --chunks 2 --input data").ok();
    for number in 1..=25 {
        dir.write(format!("data/{number}"), "");
    }
    let refused = dir.split("plan --total 10 --chunks 2 --input data").refuses(3);
    refused.says("the file data/1: was not there, now new").says("... and 5 more");
}
