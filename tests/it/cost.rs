//! How to cut, where the user says how long items take, or nothing: `--cost`, `--target`, `--slice`, and items that are tried first.

use std::collections::BTreeSet;
use std::fs;

use crate::kit::Dir;

/// Each item takes as many milliseconds as it is large, and so long to start.
const SLOW: &str = "import sys, time\ntime.sleep(0.02)\nfirst, last = int(sys.argv[1]), int(sys.argv[2])\n\
                    for item in range(first, last + 1):\n    time.sleep(item / 10000)\nprint(sum(range(first, last + 1)))\n";

/// The same without the start of Python.
const SLEEPS: &str = "s=0\nfor i in $(seq $1 $2); do s=$((s+i)); done\n\
                      sleep $(printf '%d.%03d' $((s/1000)) $((s%1000)))\necho $s\n";

fn chunks(dir: &Dir, name: &str) -> Vec<u128> {
    let dag = dir.read(format!("{name}/plan.dag"));
    let vars = dag.lines().filter(|line| line.starts_with("VARS chunk-"));
    let number = |line: &str, name: &str| -> u128 {
        let rest = line.split(&format!("{name}=\"")).nth(1).expect("there");
        rest.split('"').next().expect("there").parse().expect("a number")
    };
    vars.map(|line| number(line, "stop") - number(line, "start")).collect()
}

#[test]
fn chunks_take_as_long_each() {
    let dir = Dir::new();
    let ended = dir.split("plan --total 0..100000 --dir squares --cost").arg("item**2 / 1e9").ok();
    insta::assert_snapshot!(ended.transcript());
    let sizes = chunks(&dir, "squares");
    let falls = sizes.windows(2).all(|pair| pair[0] + 2 >= pair[1]);
    assert!(falls && sizes[0] > 100 * sizes[sizes.len() - 1], "{sizes:?}");
    assert_eq!(sizes.iter().sum::<u128>(), 100_000);
    let plan = dir.read("squares/plan.json");
    let again = dir.split("plan --total 0..100000 --dir squares --cost").arg("item**2 / 1e9").ok();
    again.says("the same plan is in squares already");
    assert_eq!(dir.read("squares/plan.json"), plan);
    // With a number of chunks the unit does not matter.
    dir.split("plan --total 0..100000 --dir sixty --chunks 60 --cost item").ok();
    let sizes = chunks(&dir, "sixty");
    assert!(sizes.len() == 60 && sizes[0] > 7 * sizes[59], "{sizes:?}");
}

#[test]
fn uneven_chunks_are_computed_shown_and_cut_again() {
    let dir = Dir::new();
    dir.split("run --total 1..=3000 --chunks 7 --cost item").answers("4501500\n");
    dir.split("show chunk-6").ok().says("chunk 6 of 7");
    let last = dir.partial(6);
    fs::remove_file(last).expect("removed");
    dir.split("reduce .").refuses(20);
    dir.split("run").answers("4501500\n");
}

#[test]
fn a_grid_of_a_million_million_points_is_cut_by_cost() {
    let dir = Dir::new();
    let grid = ["--grid", "i=0..1000000", "--grid", "j=0..1000000"];
    let words = ["--cost", "(i + 1) * 1e-9", "--target", "1000000s", "--", "true", "{i}"];
    dir.split("plan --dir grid").args(grid).args(words).ok();
    let sizes = chunks(&dir, "grid");
    assert_eq!(sizes.iter().sum::<u128>(), 1_000_000_000_000);
    assert!((490..=510).contains(&sizes.len()) && sizes[0] > 10 * sizes[sizes.len() - 1], "{sizes:?}");
}

#[test]
fn long_chunks_have_slices_by_themselves() {
    let dir = Dir::new();
    let plan = |words: &str| {
        let ended = dir.split(&format!("plan --force --total 36000 {words} -- true {{first}}")).ok();
        let plan: serde_json::Value = serde_json::from_str(&dir.read("plan.json")).expect("JSON");
        (plan["pacing"]["slices"].as_u64().unwrap_or(1), plan["pacing"]["budget"].as_u64(), ended.text())
    };
    let (slices, budget, _) = plan("--cost 1s");
    assert_eq!((slices, budget), (1, None), "ten minutes need no slices");
    let (slices, budget, said) = plan("--cost 1s --target 1h");
    assert_eq!((slices, budget), (12, Some(7_200_000)), "{said}");
    let (slices, budget, _) = plan("--cost 1s --slice 2m");
    assert_eq!((slices, budget), (5, Some(1_200_000)));
    let (slices, budget, _) = plan("--cost 1s --target 1h --slices 3 --budget 3h --tail-rounds 0");
    assert_eq!((slices, budget), (3, Some(10_800_000)));
    // What is done by then is brought back also where the program runs for each item.
    let per_item = |words: &str| {
        let ended = dir.split(&format!("plan --force --total 36000 {words} -- true {{item}}")).ok();
        let plan: serde_json::Value = serde_json::from_str(&dir.read("plan.json")).expect("JSON");
        (plan["pacing"]["slices"].as_u64().unwrap_or(1), plan["pacing"]["budget"].as_u64(), ended.text())
    };
    let (slices, budget, said) = per_item("--cost 1s");
    assert_eq!((slices, budget), (1, Some(1_200_000)));
    assert!(said.contains("a job that has worked for 20 min brings back what it has finished"), "{said}");
    assert_eq!(per_item("--cost 1s --chunk-size 1800").1, Some(3_600_000), "longer chunks were asked for");
    assert_eq!(per_item("--cost 1s --budget 1h").1, Some(3_600_000));
    assert_eq!(per_item("--cost 1s --tail-rounds 0").1, None);
    assert_eq!(per_item("--cost 1s --checkpoint").1, None);
    assert_eq!(per_item("--chunks 60").1, None, "it is not known how long a chunk takes");
    let (_, budget, _) = plan("--cost 1s --target 1h --tail-rounds 0");
    assert_eq!(budget, None, "without a tail what is yielded would be missing");
}

#[test]
fn items_are_tried_where_nothing_says_how_to_cut() {
    let dir = Dir::new();
    dir.write("slow.py", SLOW);
    let words = "plan --total 1..=400 --dir tried --target 2s --probe-budget 2s -- python3 slow.py {first} {last}";
    let ended = dir.split(words).ok();
    ended.says("trying a few items here").says(" an item").says("to start").says("tried/plan.dag");
    // What was tried counts, and is computed by no job.
    let dag = dir.read("tried/plan.dag");
    let done = dag.lines().filter(|line| line.starts_with("JOB chunk-") && line.ends_with(" DONE")).count();
    assert!(done >= 1, "{dag}");
    let plan = dir.read("tried/plan.json");
    let partials = dir.names("tried/outputs").len();
    // The same words again try nothing.
    for again in [words.to_owned(), words.replace(" --target 2s", "")] {
        dir.split(&again).ok().is_silent_on("trying").says("the same plan is in tried already");
        assert_eq!(dir.read("tried/plan.json"), plan);
    }
    dir.split(&words.replace("--target 2s", "--target 1s")).refuses(3).says("another plan is in tried");
    dir.split("run tried").answers("80200\n");
    assert!(dir.names("tried/outputs").len() > partials);
    assert!(dir.is_tidy(), "nothing is left in the folder for temporary files");
}

#[test]
fn what_has_results_beside_items_that_fail_counts() {
    let dir = Dir::new();
    let script = "[ $(($0 % 7)) -ne 3 ] || [ -e mended ] || exit 3; echo $0";
    dir.write("mended.txt", "");
    let words =
        "plan --total 1..=700 --retries 0 --dir tried --target 500ms --probe-budget 30s --input mended.txt -- sh -c";
    dir.split(words).args([script, "{item}"]).ok().says("% of the groups that were tried failed");
    let items = |dag: &str| -> BTreeSet<u64> {
        let done: BTreeSet<&str> =
            dag.lines().filter(|line| line.ends_with(" DONE")).filter_map(|line| line.split(' ').nth(1)).collect();
        let nodes = dag.lines().filter(|line| line.starts_with("VARS chunk-"));
        let left = nodes.filter(|line| !done.contains(line.split(' ').nth(1).expect("a name")));
        let number = |line: &str, name: &str| -> u64 {
            let rest = line.split(&format!("{name}=\"")).nth(1).expect("there");
            rest.split('"').next().expect("there").parse().expect("a number")
        };
        left.flat_map(|line| number(line, "start")..number(line, "stop")).collect()
    };
    let to_run = items(&dir.read("tried/plan.dag"));
    let mut counted = 0;
    for name in dir.names("tried/outputs").iter().filter(|name| name.ends_with(".part")) {
        let text = dir.read(format!("tried/outputs/{name}"));
        for header in text.lines().filter(|line| line.contains("\"kind\":\"each\"")) {
            let header: serde_json::Value = serde_json::from_str(header).expect("a header");
            let number = |name: &str| header[name].as_u64().expect("a number");
            for item in number("first")..=number("last") {
                assert!(!to_run.contains(&item), "{item} has a result");
                counted += 1;
            }
        }
    }
    assert!(counted > 10, "{counted}");
    assert!(to_run.contains(&2), "that one failed");
}

#[test]
fn a_run_tries_items_as_well() {
    let dir = Dir::new();
    dir.write("slow.py", SLOW);
    dir.split("run --total 1..=100 -- python3 slow.py {first} {last}")
        .answers("5050\n")
        .says("trying a few items here");
    dir.split("run --total 1..=100 --dir items").answers("5050\n").is_silent_on("trying");
    // The same words go on with the same plan.
    let words = "run --total 1..=200 --dir again --target 500ms --probe-budget 5s -- python3 slow.py {first} {last}";
    dir.split(words).answers("20100\n").says("trying a few items here");
    fs::remove_file(dir.path("again/outputs").join(&dir.names("again/outputs")[0])).expect("removed");
    dir.split(words).answers("20100\n").is_silent_on("trying");
}

#[test]
fn items_are_tried_at_low_priority_and_computed_at_the_usual_one() {
    let dir = Dir::new();
    let usual = dir.command("nice").ok().text();
    let words = ["--", "sh", "-c", "sleep 0.05; nice", "{item}"];
    let ended = dir.split("run --total 60 --target 1s --probe-budget 30s --reduce union").args(words).ok();
    let mut found: Vec<String> = ended.text().lines().map(str::to_owned).collect();
    found.sort_unstable();
    let mut expected = [usual.trim(), "10"];
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn what_will_not_end_is_ended_when_the_time_is_over() {
    let dir = Dir::new();
    let started = std::time::Instant::now();
    let deaf = ["--", "sh", "-c", "trap '' TERM; for i in $(seq 90); do sleep 1; done", "{first}"];
    dir.split("plan --total 10 --probe-budget 1s").args(deaf).refuses(2).says("no item was done within 1.0 s");
    assert!(started.elapsed().as_secs() < 60 && dir.is_tidy());
    // What was not done tells as much as that it takes so long.
    let some = ["--", "sh", "-c", "[ $0 -lt 50 ] || sleep 90; echo 1", "{first}"];
    let ended = dir.split("plan --dir some --total 100 --probe-budget 2s").args(some).ok();
    ended.says("over ").says("and not done when the time was over");
    let plan: serde_json::Value = serde_json::from_str(&dir.read("some/plan.json")).expect("JSON");
    assert!(plan["expected"].as_u64() > Some(10_000), "{plan}");
}

#[test]
fn a_result_that_cannot_be_merged_is_no_plan() {
    let dir = Dir::new();
    let ended = dir.split("plan --total 100 -- echo hello {first}").refuses(30);
    insta::assert_snapshot!(ended.transcript());
    assert!(!dir.path("plan.json").exists() && dir.is_tidy());
}

#[test]
fn more_chunks_than_can_be_are_told_with_what_was_tried() {
    let dir = Dir::new();
    let ended = dir.split("plan --total 1..=1e18 --probe-budget 1s --reduce concat -- echo {first} {last}").refuses(2);
    ended.says("chunks are more than DAGMan can hold").says(" an item").says("longer chunks: --target");
}

#[test]
fn what_cannot_be_tried_is_said() {
    let dir = Dir::new();
    let mut all = Vec::new();
    all.push(dir.split("plan --total 10 --probe-budget 300ms -- sleep 30").refuses(2).transcript());
    let failing = ["--", "sh", "-c", "echo no such thing >&2; exit 3", "{first}"];
    all.push(dir.split("plan --total 10").args(failing).refuses(30).transcript());
    insta::assert_snapshot!(all.join("\n\n"));
    // Some items fail: the others tell.
    let some = ["--", "sh", "-c", "test $0 -lt 8 && echo $0", "{x}"];
    let ended = dir.split("plan --dir some --grid x=1..=10").args(some).ok();
    ended.says("note: 30 % of the groups that were tried failed");
}

#[test]
fn a_probe_is_kept_for_the_plan() {
    let dir = Dir::new();
    dir.write("slow.py", SLOW);
    let words = "--total 1..=400 --dir tried --target 2s --probe-budget 10s -- python3 slow.py {first} {last}";
    let ended = dir.split(&format!("probe {words}")).ok();
    ended
        .says("trying a few items here")
        .says(" an item")
        .says("to start")
        .says("peak memory")
        .says("each job asks for 1GB");
    ended.says("in tried/plan.probe; split plan, with the same options, counts them and tries none");
    assert_eq!(dir.names("tried"), ["plan.probe"], "no plan is written");
    let kept = dir.names("tried/plan.probe/outputs");
    assert!(!kept.is_empty() && dir.is_tidy(), "{kept:?}");
    let planned = dir.split(&format!("plan {words}")).ok();
    planned.is_silent_on("trying").says("split probe has tried").says("tried/plan.dag");
    // Every record that was kept counts, and what it covers is computed by no job.
    for name in kept {
        assert!(dir.names("tried/outputs").contains(&name), "{name}");
    }
    assert!(dir.read("tried/plan.dag").lines().any(|line| line.starts_with("JOB chunk-") && line.ends_with(" DONE")));
    let plan = dir.read("tried/plan.json");
    dir.split(&format!("plan {words}")).ok().says("the same plan is in tried already");
    assert_eq!(dir.read("tried/plan.json"), plan);
    // The same probe gives the same cut anywhere; another program has to be tried itself.
    dir.split(&format!("plan --force {words}")).ok().is_silent_on("trying");
    dir.split("run tried").answers("80200\n");
    dir.write("slow.py", SLOW.replace("10000", "20000"));
    dir.split(&format!("plan --force {words}")).ok().says("trying a few items here");
    assert!(dir.is_tidy());
}

#[test]
fn a_probe_of_what_is_cut_already_keeps_nothing() {
    let dir = Dir::new();
    dir.write("slow.py", SLOW);
    let words = "probe --total 1..=100 --chunks 5 --probe-budget 30s -- python3 slow.py {first} {last}";
    dir.split(words).ok().says("5 chunks of 20 items each").says("nothing is kept");
    assert_eq!(dir.names(""), ["slow.py"]);
    // What names the chunk is another computation with another cut.
    let words = ["--", "sh", "-c", "echo $0", "{chunk}"];
    dir.split("probe --total 1..=40 --dir named").args(words).ok().says("tries none");
    let planned = dir.split("plan --total 1..=40 --dir named").args(words).ok();
    planned.is_silent_on("trying");
    assert!(!dir.read("named/plan.dag").contains(" DONE"));
}

#[test]
fn a_probe_is_refused_where_there_is_nothing_to_try() {
    let dir = Dir::new();
    let mut all = Vec::new();
    for words in [
        "probe --total 10",
        "probe --total 10 --cost 3s -- true {first}",
        "probe --total 10 --keep -- true {first}",
        "probe --total 10 --chunks 11 -- true {first}",
        "probe --total 10 --probe-budget 200ms -- sleep 30",
    ] {
        all.push(dir.split(words).refuses(2).transcript());
    }
    dir.write("plan.probe/notes.txt", "mine");
    all.push(dir.split("probe --total 10 -- echo 1").refuses(3).transcript());
    assert_eq!(dir.read("plan.probe/notes.txt"), "mine");
    insta::assert_snapshot!(all.join("\n\n"));
}

#[test]
fn jobs_ask_for_what_items_were_seen_to_need() {
    let dir = Dir::new();
    dir.write("large.py", "import sys, time\nlarge = b'x' * (600 << 20)\ntime.sleep(0.3)\nprint(len(large))\n");
    let words = "plan --total 3 --dir large --probe-budget 20s --reduce max -- python3 large.py {first}";
    dir.split(words).ok().says("of memory, twice what was seen");
    let plan: serde_json::Value = serde_json::from_str(&dir.read("large/plan.json")).expect("JSON");
    assert!(plan["seen"]["memory"].as_u64().expect("a number") > 600 << 20, "{plan}");
    assert_eq!(plan["resources"]["memory"], "1280MB");
    assert!(dir.read("large/chunk.sub").contains("1280MB"), "{}", dir.read("large/chunk.sub"));
    // Nothing is tried again, and the same is asked for.
    dir.split(words).ok().is_silent_on("trying").says("the same plan is in large already");
    // What is said holds.
    let said = dir.split(&words.replace("--dir large", "--dir said --memory 650MB")).ok();
    said.says("was seen to use").says("--memory 1280MB");
    let plan: serde_json::Value = serde_json::from_str(&dir.read("said/plan.json")).expect("JSON");
    assert_eq!(plan["resources"]["memory"], "650MB");
    let most = dir.split(&words.replace("--dir large", "--dir most --memory-max 1GB")).ok();
    most.is_silent_on("twice what was seen");
}

#[test]
fn what_was_computed_says_how_to_cut_the_rest() {
    let dir = Dir::new();
    dir.write("slow.sh", SLEEPS);
    let words = "--total 1..=100 --dir slow -- sh slow.sh {first} {last}";
    dir.split(&format!("run --chunks 20 {words}")).answers("5050\n");
    // What was computed counts where the cut is another.
    let before = dir.read("slow/plan.json");
    let kept = dir.split(&format!("plan --keep --target 300ms {words}")).ok();
    kept.is_silent_on("trying").says("cut by what was computed before").says("as all items took");
    assert_ne!(dir.read("slow/plan.json"), before);
    assert!(
        dir.read("slow/plan.dag")
            .lines()
            .filter(|line| line.starts_with("JOB chunk-"))
            .all(|line| line.ends_with(" DONE"))
    );
    let sizes = chunks(&dir, "slow");
    assert_eq!(sizes.iter().sum::<u128>(), 100);
    assert!(sizes[0] > 2 * sizes[sizes.len() - 2], "{sizes:?}");
    // The same words try nothing, and give the same bytes.
    let plan = dir.read("slow/plan.json");
    dir.split(&format!("plan {words}")).ok().is_silent_on("trying").says("the same plan is in slow already");
    assert_eq!(dir.read("slow/plan.json"), plan);
    // Another program may take another time.
    dir.write("slow.sh", format!("{SLEEPS}\n"));
    dir.split(&format!("plan --force --target 300ms {words}")).ok().says("trying a few items here");
}

#[test]
fn a_resume_cuts_by_what_was_computed() {
    let dir = Dir::new();
    dir.write("slow.sh", SLEEPS);
    dir.split("run --total 1..=100 --chunks 5 -- sh slow.sh {first} {last}").answers("5050\n");
    for chunk in [3, 4] {
        fs::remove_file(dir.partial(chunk)).expect("removed");
    }
    // Chunks of less than a minute are not worth it.
    dir.split("resume").ok().is_silent_on("is cut into chunks");
    assert_eq!(chunks(&dir, "."), [20; 5]);
    let resumed = dir.split("resume --target 200ms").ok();
    resumed.says("what is missing is cut into chunks of about 0.200 s").says("60 of 100 items took");
    let sizes = chunks(&dir, ".");
    assert!(sizes[..3] == [20; 3] && sizes.len() > 5 && sizes[3..].iter().sum::<u128>() == 40, "{sizes:?}");
    dir.split("run").answers("5050\n");
}
