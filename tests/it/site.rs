//! What a site's administrators ask of every plan, and what the options of a job say otherwise.

use std::fs;

use crate::kit::{Dir, SUM, path_after};

const EXAMPLES: [(&str, &str); 3] = [
    ("orangegrid", include_str!("../../examples/sites/orangegrid.toml")),
    ("chtc", include_str!("../../examples/sites/chtc.toml")),
    ("ospool", include_str!("../../examples/sites/ospool.toml")),
];

const PLAN: &str = "plan --total 1..=10 --chunks 5";

#[test]
fn every_setting_and_where_it_comes_from() {
    let dir = Dir::new();
    let nothing = dir.split("site").refuses(0);
    dir.own_profile("name = \"Home\"\nmemory = \"2GB\"\nsubmit = ['+ProjectName = \"mine\"', 'rank = Mips']\n");
    dir.write(
        "other.toml",
        "memory = \"3GB\"\nsubmit = [\n    'MY.projectname = \"other\"',\n]\nrequirements = \"HasAVX2\"\n\
         [throttles]\nmax-idle = 200\n[access-point]\nthreads = 1\n",
    );
    let both = dir.split("site --site other.toml").refuses(0);
    dir.split("site --example chtc").answers(EXAMPLES[1].1);
    insta::assert_snapshot!(format!("{}\n{}", nothing.transcript(), both.transcript()));
}

#[test]
fn profiles_that_make_no_sense_are_refused_before_anything_is_written() {
    let dir = Dir::new();
    let mut transcripts = Vec::new();
    for text in ["max_transfer = '1TB'", "[throttles]\nmax-idle = -1", "memory =", EXAMPLES[2].1] {
        dir.write("site.toml", text);
        for words in [PLAN, "run --total 1..=10 --chunks 5", "site"] {
            let ended = dir.split(words).args(["--site", "site.toml"]).refuses(2);
            if words == PLAN {
                transcripts.push(ended.transcript());
            }
        }
    }
    for words in ["plan --total 10 --chunks 5 --site none.toml", "site --example mars"] {
        transcripts.push(dir.split(words).refuses(2).transcript());
    }
    dir.own_profile("nothing = true");
    transcripts.push(dir.split(PLAN).refuses(2).transcript());
    insta::assert_snapshot!(transcripts.join("\n"));
}

#[test]
fn every_example_plans() {
    for (name, text) in EXAMPLES {
        let dir = Dir::new();
        dir.write("code/sum.py", SUM);
        dir.write("image.sif", "an image");
        dir.write("site.toml", text.replace("FILL-IN: the name of your project", "physics"));
        let words = "plan --total 1..=10 --chunks 5 --gpus 2 --container image.sif --site site.toml -- python3 code/sum.py {first} {last}";
        let done = dir.split(words).ok();
        insta::assert_snapshot!(
            format!("{name} plans"),
            [&done.transcript(), &dir.read("chunk.sub"), &dir.read("reduce.sub"), &dir.read("dagman.config")]
                .map(String::as_str)
                .join("\n")
        );
        done.says("the settings of the site");
        // Planned again, nothing differs.
        dir.split(words).ok().says("nothing was changed");
    }
}

#[test]
fn an_option_wins_over_every_profile() {
    let dir = Dir::new();
    dir.own_profile(
        "shared-filesystem = true\nmemory = '2GB'\ndisk = '2GB'\nretries = 7\nreduce = 'job'\ncontainer-mode = 'apptainer'\n\
         submit = ['+Project = \"site\"']",
    );
    let has = |name: &str, line: &str| dir.read(name).lines().any(|there| there == line);
    dir.split(PLAN).ok();
    assert!(has("chunk.sub", "should_transfer_files = NO") && has("chunk.sub", "request_memory = 2GB"));
    assert!(has("chunk.sub", "+Project = \"site\"") && has("reduce.sub", "+Project = \"site\""));
    assert!(has("reduce.sub", "universe = vanilla") && has("chunk.sub", "max_retries = 7"));
    dir.split(PLAN)
        .args("--shared-filesystem=false --memory 3GB --disk 4GB --retries 1 --reduce-on access-point".split(' '))
        .args([
            "--container-mode",
            "universe",
            "--container",
            "docker://x",
            "--submit",
            "my.project = \"own\"",
            "--force",
        ])
        .ok();
    assert!(has("chunk.sub", "should_transfer_files = YES") && has("chunk.sub", "request_memory = 3GB"));
    assert!(has("chunk.sub", "request_disk = 4GB") && has("chunk.sub", "universe = container"));
    assert!(has("chunk.sub", "my.project = \"own\"") && !has("chunk.sub", "+Project = \"site\""));
    assert!(has("reduce.sub", "universe = local") && has("chunk.sub", "max_retries = 1"));
    assert!(has("reduce.sub", "my.project = \"own\"") && !has("reduce.sub", "+Project = \"site\""));
    assert_eq!(dir.read("chunk.sub").matches("my.project").count(), 1);
    dir.split(PLAN).args(["--shared-filesystem", "--force"]).ok();
    assert!(has("chunk.sub", "should_transfer_files = NO"));
}

#[test]
fn requirements_add_up_in_one_line() {
    let dir = Dir::new();
    // The plan's own condition is a macro: $(elsewhere).
    let lines = || -> Vec<String> {
        let text = dir.read("chunk.sub");
        text.lines().filter(|line| line.to_lowercase().starts_with("requirements")).map(str::to_owned).collect()
    };
    dir.split(PLAN).ok();
    assert_eq!(lines(), ["requirements = $(elsewhere)"]);
    dir.own_profile("requirements = ['A', 'B || C']");
    dir.split(PLAN)
        .args([
            "--submit",
            "requirements = D == \"x)\"",
            "--submit",
            "REQUIREMENTS=E",
            "--submit",
            "rank = Mips",
            "--force",
        ])
        .ok();
    assert_eq!(lines(), ["requirements = $(elsewhere) && (A) && (B || C) && (D == \"x)\") && (E)"]);
    // Those that ask for GPUs and containers too, and only then: HTCondor takes the last line alone.
    dir.own_profile(
        "gpus = ['request_gpus = {gpus}', 'Requirements = G >= {gpus}']\n\
         containers = ['+Image = \"{image}\"', 'requirements = Has == \"{image}\"']",
    );
    dir.split(PLAN).args(["--force", "--gpus", "2", "--container", "x"]).ok();
    assert_eq!(lines(), ["requirements = $(elsewhere) && (G >= 2) && (Has == \"x\")"]);
    dir.split(PLAN).args(["--container", "a\"b"]).refuses(2).says("has a quote without an end");
    dir.split(PLAN).args(["--force"]).ok();
    assert_eq!(lines(), ["requirements = $(elsewhere)"]);
}

#[test]
fn lines_that_would_undo_the_plan_are_refused() {
    let dir = Dir::new();
    let lines = [
        "requirements = a) || (b",
        "+Requirements = true",
        "requirements =",
        "Request_GPUs = 1",
        "RequestMemory = 4096",
        "+RequestGpus = 1",
        "docker_image = x",
        "env = A=1",
        "transfer_executable = false",
        "job_machine_attrs = Name",
        "elsewhere = true",
    ];
    let transcripts = lines.map(|line| dir.split(PLAN).args(["--submit", line]).refuses(2).transcript());
    insta::assert_snapshot!(transcripts.join("\n"));
}

#[test]
fn what_differs_of_a_site_is_named() {
    let dir = Dir::new();
    dir.split(PLAN).ok();
    dir.own_profile(EXAMPLES[0].1);
    let words = "--gpus 1 --container docker://x --submit requirements=A".split(' ');
    let ended = dir.split(PLAN).args(words).env("HOME", "/home/alice").refuses(3);
    dir.own_profile(&EXAMPLES[2].1.replace("FILL-IN", "x"));
    let other = dir.split(PLAN).refuses(3);
    insta::assert_snapshot!(format!("{}\n{}", ended.transcript(), other.transcript()));
}

#[test]
fn the_sites_target_is_the_length_of_a_chunk() {
    let dir = Dir::new();
    dir.own_profile("target = '20m'");
    dir.split("plan --total 1000 --cost 60s").ok().says("50 chunks of 20 items each");
    dir.split("plan --total 1000 --cost 60s --target 1h40m --dir other").ok().says("10 chunks of 100 items each");
}

#[test]
fn too_much_to_send_is_refused_with_advice() {
    let dir = Dir::new();
    let file = fs::File::create(dir.write("big.dat", "")).expect("made");
    file.set_len(64 << 20).expect("a hole");
    let plan = || dir.split("plan --total 20000 --chunks 20000 --container big.dat");
    let ended = plan().refuses(2);
    ended
        .says("67.1 MB of files, and all 20000 jobs 1.3 TB")
        .says(" TB: over 1TB (--max-transfer, where it is not given)");
    ended.says("67.1 MB  the container image");
    ended.says("--max-transfer SIZE allows more").says("--chunks N").says("--shared-filesystem").says("osdf://");
    plan().arg("--dry-run").refuses(2);
    dir.own_profile("max-transfer = '1GB'");
    plan().args(["--max-transfer", "4TB"]).arg("--dry-run").refuses(0);
    plan().refuses(2).says("(max-transfer in ");
    let shared = plan().args(["--shared-filesystem", "--container-mode", "apptainer"]);
    shared.ok().is_silent_on("each job is sent");
    plan().args(["--max-transfer", "much"]).refuses(2);
    // However many jobs there are, the runner alone is not too much.
    dir.own_profile("max-transfer = '1KB'");
    dir.split("plan --total 100000 --chunks 100000 --dry-run").ok();
}

#[test]
fn an_image_of_a_container_is_counted_and_travels() {
    let dir = Dir::new();
    dir.write("images/a.sif", "0123456789");
    dir.split(PLAN).args(["--container", "images/a.sif"]).ok().says("and the container image (10 bytes)");
    assert!(dir.read("chunk.sub").contains("container_image = ../images/a.sif\n"));
    assert!(!dir.path("plan.files/job/work/images").exists());
    let apptainer = || dir.split(PLAN).args(["--container-mode", "apptainer", "--force", "--container"]);
    apptainer().arg("images/a.sif").ok().says("and 1 file (10 bytes)");
    assert_eq!(dir.read("plan.files/job/work/images/a.sif"), "0123456789");
    assert!(dir.read("plan.files/job/job.json").contains("\"image\": \"images/a.sif\""));
    let transcripts = ["none.sif", "images"].map(|image| apptainer().arg(image).refuses(2).transcript());
    apptainer().arg("images").arg("--shared-filesystem").ok();
    let universe = || dir.split(PLAN).arg("--force").arg("--container");
    let refused =
        ["./none.sif", "python:3.13", "/none/a.sif"].map(|image| universe().arg(image).refuses(2).transcript());
    let transcripts = [&transcripts[..], &refused].concat();
    for image in ["docker://python:3.13", "/cvmfs/none/a.sif"] {
        universe().arg(image).ok();
        universe().arg(image).arg("--shared-filesystem").ok();
    }
    // A site's own names of images are no files, but what is written as one is.
    dir.own_profile("containers = ['+Image = \"{image}\"']");
    universe().arg("python:3.13").ok();
    universe().args(["images/a.sif", "--shared-filesystem"]).ok();
    universe().arg("./none.sif").refuses(2).says("there is no such file");
    insta::assert_snapshot!(transcripts.join("\n"));
}

#[test]
fn an_image_that_htcondor_would_transfer_is_none_on_a_shared_file_system() {
    let dir = Dir::new();
    dir.write("a.sif", "an image");
    let plan = || dir.split(PLAN).args(["--container", "a.sif", "--shared-filesystem"]);
    let ended = plan().refuses(2);
    assert!(!dir.path("plan.dag").exists());
    insta::assert_snapshot!(ended.transcript());
    plan().args(["--container-mode", "apptainer"]).ok();
}

#[test]
fn disk_is_asked_for_what_is_sent() {
    let dir = Dir::new();
    let file = fs::File::create(dir.write("big.dat", "")).expect("made");
    let size = |bytes: u64| file.set_len(bytes).expect("a hole");
    let asks = |words: &str, disk: &str| {
        let done = dir.split(PLAN).args("--force --container big.dat".split(' ')).args(words.split_whitespace()).ok();
        let text = dir.read("chunk.sub");
        assert!(text.lines().any(|line| line == format!("request_disk = {disk}")), "{text}");
        done
    };
    size(1 << 20);
    asks("", "1GB").is_silent_on("of disk");
    size(3 << 30);
    // The runner makes it more than 3 GiB.
    asks("", "5GB").is_silent_on("of disk");
    asks("--disk 4GB", "4GB").is_silent_on("of disk");
    asks("--disk 2GB", "2GB").says(
        "note: each job is sent 3.2 GB and asks for 2GB of disk (--disk), which HTCondor may hold it for: --disk 5GB",
    );
    asks("--container-mode apptainer --shared-filesystem", "1GB").is_silent_on("of disk");
    dir.own_profile("disk = '1GB'");
    asks("", "1GB").says("asks for 1GB of disk (disk in ").says("site.toml:1), which");
}

#[test]
fn a_profile_that_cannot_be_read_is_one_that_makes_no_sense() {
    let dir = Dir::new();
    dir.write("../config/split/site.toml/file", "");
    dir.write("named.toml", "");
    dir.split(PLAN).refuses(2).says("cannot read the site profile");
    dir.split(PLAN).args(["--site", "named.toml"]).refuses(2).says("cannot read the site profile");
}

/// Runs chunk 0 of a plan with a container, as HTCondor does, where `apptainer` is this script; `None` for none.
fn in_container(script: Option<&str>) -> (Dir, Option<i32>, String) {
    let dir = Dir::new();
    dir.write("code/sum.py", SUM);
    dir.write("a.sif", "an image");
    dir.split("plan --total 1..=4 --chunks 2 --container a.sif --container-mode apptainer --gpus 1 -- python3 code/sum.py {first} {last}")
        .ok();
    dir.command("cp").args(["-RL", "plan.files/job", "sandbox"]).ok();
    if let Some(script) = script {
        dir.program("bin/apptainer", script);
    }
    let runner = dir.path("plan.files/split-runner");
    let run = dir.command(&runner).args(["exec", "job.json", "0", "0", "2"]).within("sandbox");
    let path = if script.is_some() { path_after(&[&dir.path("bin")]) } else { dir.path("bin").into_os_string() };
    let code = run.env("PATH", path).env("_CONDOR_SCRATCH_DIR", dir.path("sandbox")).run().code;
    let partials: Vec<_> = dir.names("sandbox").into_iter().filter(|name| name.ends_with(".part")).collect();
    assert_eq!(partials.len(), 1, "{partials:?}");
    let text = dir.read(format!("sandbox/{}", partials[0]));
    (dir, code, text)
}

/// What stands in for a container changes nothing of the machine and runs what it is given.
#[test]
fn the_runner_starts_itself_inside() {
    let script = "#!/bin/sh\necho \"$@\" > ../said\nwhile [ \"$1\" != \"$PWD/work/a.sif\" ]; do shift; done; shift; exec \"$@\"\n";
    let (dir, code, partial) = in_container(Some(script));
    assert!(code == Some(0) && partial.ends_with("\n3\n\n"), "{code:?} {partial}");
    let (said, here) = (dir.read("said"), dir.shown());
    assert!(said.contains(&format!("--pwd {here}/sandbox --nv {here}/sandbox/work/a.sif ")), "{said}");
    assert!(said.contains(&format!("--bind {here}/sandbox ")) && said.ends_with(" exec job.json 0 0 2\n"), "{said}");
    assert_eq!(dir.names("sandbox").len(), 3, "the partial, job.json and work: {:?}", dir.names("sandbox"));
}

#[test]
fn a_container_that_does_not_start_is_recorded() {
    let (_, code, partial) = in_container(Some("#!/bin/sh\necho FATAL: no loop devices >&2\nexit 255\n"));
    assert_eq!(code, Some(73));
    assert!(
        partial.contains("apptainer exec a.sif: exit status: 255\"") && partial.contains("\nFATAL: no loop devices\n"),
        "{partial}"
    );
    let (_, code, partial) = in_container(None);
    assert_eq!(code, Some(73));
    assert!(partial.contains("neither apptainer nor singularity is on this machine's PATH"), "{partial}");
}

#[test]
fn a_failure_inside_keeps_its_cause() {
    let script = "#!/bin/sh\nwhile [ \"$1\" != \"$PWD/work/a.sif\" ]; do shift; done; shift\nmv work/code/sum.py work/code/other.py; exec \"$@\"\n";
    let (_, code, partial) = in_container(Some(script));
    assert!(code == Some(74) && partial.contains("code/sum.py did not arrive"), "{code:?} {partial}");
}

#[test]
fn the_throttles_are_part_of_the_plan() {
    let dir = Dir::new();
    dir.split(PLAN).ok();
    assert!(dir.read("plan.dag").lines().any(|line| line == "CONFIG dagman.config"));
    let first = dir.read("dagman.config");
    fs::remove_file(dir.path("dagman.config")).expect("removed");
    dir.split(PLAN).ok().says("files of it that were missing are back");
    assert_eq!(dir.read("dagman.config"), first);
    dir.own_profile("[throttles]\nmax-idle = 7");
    dir.split(PLAN).refuses(3).says("the site's max-idle: was not set, now 7");
    dir.split(PLAN).arg("--force").ok();
    assert!(dir.read("dagman.config").contains("\nDAGMAN_MAX_JOBS_IDLE = 7\n"));
    assert_eq!(dir.read("aside-001/dagman.config"), first);
    dir.write("own/dagman.config", "DAGMAN_MAX_JOBS_IDLE = {{ max_idle }} # mine\n");
    dir.split(PLAN).args(["--templates", "own", "--force"]).ok();
    assert_eq!(dir.read("dagman.config"), "DAGMAN_MAX_JOBS_IDLE = 7 # mine\n");
}

#[test]
fn a_merge_command_stays_on_the_access_point() {
    let dir = Dir::new();
    dir.split(PLAN)
        .args(["--reduce-on", "job", "--reduce-with", "cat {left} {right}"])
        .ok()
        .says("note: --reduce-with needs cat, so results are merged on the access point");
    assert!(dir.read("reduce.sub").contains("universe = local"));
}

#[test]
fn any_number_of_threads_gives_the_same_answer() {
    let dir = Dir::computed();
    let result = dir.read("result.json");
    for threads in ["1", "7"] {
        dir.split("reduce outputs --threads").arg(threads).answers("55\n");
        assert_eq!(dir.read("result.json"), result);
    }
    dir.split("reduce outputs --threads 0").refuses(2);
}

#[test]
fn a_run_here_says_that_it_has_no_container() {
    let dir = Dir::new();
    dir.split("run --total 1..=10 --chunks 5 --container docker://python:3.13")
        .answers("55\n")
        .says("note: here the program runs without its container, docker://python:3.13, which jobs are given");
}

/// The reduce node's job gets these and nothing else, and leaves the answer beside them.
#[test]
fn results_are_merged_from_what_a_job_is_sent() {
    let dir = Dir::computed();
    dir.command("sh").args(["-c", "mkdir job && cp -R plan.json outputs job/"]).ok();
    dir.split("reduce outputs --threads 1").within("job").answers("55\n");
    assert_eq!(dir.read("job/result.json"), dir.read("result.json"));
    assert_eq!(dir.names("job"), ["outputs", "plan.json", "result.json"]);
}
