//! Many partials: folders for groups of chunks, and merges of groups on the way to the answer.

use std::fs;

use crate::job::bare;
use crate::kit::{Dir, Ended};
use crate::log::Log;

/// One more chunk than one folder takes.
const MANY: &str = "--total 1..=10001 --chunks 10001";

#[test]
fn many_partials_lie_in_folders_of_a_thousand() {
    let dir = Dir::new();
    dir.split("plan").args(MANY.split(' ')).ok();
    let shards: Vec<String> = (0..=10).map(|shard| format!("{shard:06}")).collect();
    assert_eq!(dir.names("outputs"), [&shards[..], &["plan.json".to_owned()]].concat());
    assert!(dir.read("chunk.sub").contains("\nshard = $(chunk) / 1000\n"));
    dir.split("run .").answers("50015001\n");
    assert_eq!(dir.names("outputs"), [&shards[..], &["plan.json".to_owned()]].concat());
    let names = dir.names("outputs/000007");
    assert_eq!(names.len(), 1000);
    assert!(names[0].starts_with("chunk-007000.0-") && names[999].starts_with("chunk-007999.0-"));
    assert_eq!(dir.names("outputs/000010").len(), 1);

    // One that is at the top counts, too, and one that is gone is missed.
    let moved = dir.partial(7500);
    fs::rename(&moved, dir.path("outputs").join(moved.file_name().expect("a name"))).expect("moved");
    dir.split("reduce outputs").answers("50015001\n");
    dir.split("show 7500").ok();
    fs::remove_file(dir.partial(10_000)).expect("removed");
    dir.split("reduce .").refuses(20).says("1 of 10001 items have no result");
    dir.split("run .").answers("50015001\n");

    // A folder that was lost is made again.
    fs::remove_dir_all(dir.path("outputs/000003")).expect("removed");
    dir.split("plan").args(MANY.split(' ')).ok().says("files of it that were missing are back");
    assert!(dir.path("outputs/000003").is_dir());
    dir.split("run .").answers("50015001\n");
}

/// Folders for few chunks.
const FEW: &str = "--total 1..=100 --chunks 20 --fan-in 4";

#[test]
fn folders_and_none_are_mixed_where_the_cut_changes() {
    let dir = Dir::new();
    dir.split("run").args(FEW.split(' ')).answers("5050\n");
    let size = fs::metadata(dir.partial(6)).expect("there").len();
    fs::File::options().write(true).open(dir.partial(6)).expect("there").set_len(size - 1).expect("cut short");
    dir.split("reduce .").refuses(21).says("chunk 6, items 31..=35: chunk-000006.");
    dir.split("plan --keep --total 1..=100 --chunks 10").ok().says("kept: 9 of 10 chunks done");
    assert!(dir.read("chunk.sub").contains("\ninitialdir = outputs\n"));
    dir.split("run .").answers("5050\n");
    assert_eq!(dir.names("outputs").len(), 5 + 2, "five folders, plan.json, a partial");
    dir.split("plan --force --total 1..=4 --chunks 2").ok();
    assert_eq!(dir.names("outputs"), ["plan.json"]);
    dir.split("reduce aside-002").answers("5050\n");
}

#[test]
fn what_was_tried_is_merged_with_its_group() {
    let dir = Dir::new();
    let words = "--total 1..=200 --target 1s --probe-budget 500ms --fan-in 4 -- sh -c".split(' ');
    let script = "sleep 0.0$(( ($1 - $0 + 1) % 10 )); seq $0 $1 | awk '{{s += $1}} END {{print s}}'";
    dir.split("plan").args(words).args([script, "{first}", "{last}"]).ok().says("trying a few items here");
    assert!(dir.names("outputs").iter().all(|name| !name.ends_with(".part")), "{:?}", dir.names("outputs"));
    let tried = dir.partials().len();
    assert!(tried > 0);
    dir.split("run .").answers("20100\n");
    assert!(dir.partials().len() > tried);
    let groups = dir.names("outputs").len() as u64 - 1;
    merge_all(&dir, groups);
    dir.split("reduce .").answers("20100\n");
}

#[test]
fn what_others_keep_in_such_folders_stays() {
    let dir = Dir::new();
    dir.split("run").args(FEW.split(' ')).answers("5050\n");
    dir.write("outputs/000004/notes.txt", "mine");
    dir.split("plan --force --total 1..=4 --chunks 2").ok();
    assert_eq!(dir.names("outputs"), ["000004", "plan.json"]);
    assert_eq!(dir.names("outputs/000004"), ["notes.txt"]);
    dir.split("reduce aside-001").answers("5050\n");
    // What is set aside keeps its folder, too.
    dir.split("run --force").args(FEW.split(' ')).answers("5050\n");
    dir.split("run --redo=all .").answers("5050\n").says("aside-003");
    assert_eq!(dir.names("aside-003/outputs/000003").len(), 4);
}

/// Runs the node that merges a group as HTCondor runs it: what merge.sub names goes to a sandbox, and what is new there
/// comes back.
fn merge_group<'a>(dir: &'a Dir, group: u64) -> Ended<'a> {
    let sandbox = format!("sandbox-{group}");
    fs::create_dir(dir.path(&sandbox)).expect("made");
    let submit = dir
        .read("merge.sub")
        .replace("$(group)", &group.to_string())
        .replace("$INT(group,%06d)", &format!("{group:06}"));
    let get = |name: &str| {
        let value = submit.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
        value.unwrap_or_else(|| panic!("no {name}: {submit}")).trim_matches('"').to_owned()
    };
    for file in get("transfer_input_files").split(", ") {
        dir.command("cp").arg("-R").arg(dir.path(get("initialdir")).join(file)).arg(&sandbox).ok();
    }
    let program = dir.path(&sandbox).join("condor_exec.exe");
    dir.command("cp").args([dir.path(get("executable")), program.clone()]).ok();
    let before = dir.names(&sandbox);
    let ended = bare(dir, &program).args(get("arguments").split(' ')).within(&sandbox).run();
    for name in dir.names(&sandbox).into_iter().filter(|name| !before.contains(name)) {
        fs::rename(dir.path(&sandbox).join(&name), dir.path(get("initialdir")).join(&name)).expect("brought back");
    }
    fs::remove_dir_all(dir.path(&sandbox)).expect("removed");
    ended
}

fn merge_all(dir: &Dir, groups: u64) {
    for group in 0..groups {
        let ended = merge_group(dir, group);
        assert_eq!((ended.code, ended.err.as_str(), ended.out.len()), (Some(0), "", 0), "{}", ended.transcript());
    }
}

/// The names of the records of merged groups, without attempts.
fn merged(dir: &Dir) -> Vec<String> {
    let names = dir.names("outputs").into_iter().filter(|name| name.starts_with("merged-"));
    names.map(|name| name.split('.').next().expect("a name").to_owned()).collect()
}

#[test]
fn groups_are_merged_on_the_way() {
    for (reduce, answer) in [("sum", "5050\n"), ("argmax", "value\t100\nitem\t100\n"), ("count", "100\n")] {
        let dir = Dir::new();
        dir.split("plan").args(FEW.split(' ')).args(["--reduce", reduce]).ok();
        let flat = dir.split("run .").run();
        let document = dir.read("result.json");
        merge_all(&dir, 5);
        assert_eq!(merged(&dir), ["merged-000000", "merged-000001", "merged-000002", "merged-000003", "merged-000004"]);
        fs::remove_file(dir.path("result.json")).expect("there");
        let tree = dir.split("reduce outputs").ok();
        tree.says("5 of 5 groups were merged on the way").says("all 100 items covered once, by 20 records");
        assert_eq!((&tree.out, dir.read("result.json")), (&flat.out, document), "{reduce}");
        assert_eq!(String::from_utf8_lossy(&tree.out), answer);
    }
}

#[test]
fn items_have_their_values_in_an_answer_that_was_merged_on_the_way() {
    let dir = Dir::new();
    dir.write("table.csv", "name,n\nanna,1\nbea,5\ncleo,5\ndora,2\nella,3\n");
    let chunks = "--chunks 5 --fan-in 2";
    for (words, answer) in [
        ("--table table.csv --reduce argmax", "value\t5\nitem.number\t1\nitem.name\tbea\nitem.n\t5\n"),
        ("--zip name=a,b,a,c,b --zip n=1,5,5,2,3 --reduce sum --by name", "name\tsum\na\t6\nb\t8\nc\t2\n"),
    ] {
        dir.split("plan --force").args(words.split(' ')).args(chunks.split(' ')).args(["--", "echo", "{n}"]).ok();
        // The rows' places are told from the folder of the partials.
        let submit = dir.read("chunk.sub");
        let rows = "../../plan.files/job/, ../../plan.files/chunks/$INT(thousand,%03d)/chunk-$INT(chunk,%06d)\n";
        assert_eq!(submit.contains(rows), words.contains("--table"), "{submit}");
        let flat = dir.split("run .").run();
        let document = dir.read("result.json");
        merge_all(&dir, 3);
        assert_eq!(merged(&dir).len(), 3);
        let tree = dir.split("reduce outputs").ok();
        tree.says("3 of 3 groups were merged on the way");
        assert_eq!((&tree.out, dir.read("result.json")), (&flat.out, document), "{words}");
        assert_eq!(String::from_utf8_lossy(&tree.out), answer);
        dir.split("reduce . --to answer.csv").ok().says("3 of 3 groups");
        let to = dir.read("answer.csv");
        dir.names("outputs").iter().filter(|name| name.starts_with("merged-")).for_each(|name| {
            fs::remove_file(dir.path("outputs").join(name)).expect("removed");
        });
        dir.split("reduce . --to answer.csv").ok().is_silent_on("on the way");
        assert_eq!(dir.read("answer.csv"), to);
    }
}

#[test]
fn an_archive_holds_results_and_nothing_that_was_merged() {
    let dir = Dir::new();
    dir.split("run").args(FEW.split(' ')).answers("5050\n");
    merge_all(&dir, 5);
    let document = dir.read("result.json");
    let packed = dir.split("reduce . --archive all.zip").answers("5050\n");
    packed.says("5 of 5 groups were merged on the way").says("packed 20 partials");
    assert_eq!(dir.names("outputs"), ["archived.txt", "plan.json"]);
    fs::remove_file(dir.path("result.json")).expect("there");
    dir.split("reduce all.zip").answers("5050\n").is_silent_on("on the way");
    assert_eq!(dir.read("all.result.json"), document);
    dir.split("reduce .").refuses(20).says("the partials of this plan are in an archive: all.zip");
}

/// The nodes that merge on the way, and whether they are done.
fn done(dir: &Dir) -> Vec<bool> {
    let dag = dir.read("plan.dag");
    let nodes = dag.lines().filter(|line| line.starts_with("JOB merge-"));
    nodes.map(|line| line.ends_with(" merge.sub DONE")).collect()
}

#[test]
fn what_is_missing_is_planned_with_the_groups_that_it_changes() {
    let dir = Dir::new();
    dir.split("plan").args(FEW.split(' ')).ok();
    assert_eq!(done(&dir), [false; 5]);
    dir.split("run .").answers("5050\n");
    [0, 1, 3].into_iter().for_each(|group| assert_eq!(merge_group(&dir, group).code, Some(0)));
    for chunk in [6, 17] {
        fs::remove_file(dir.partial(chunk)).expect("removed");
    }
    dir.split("resume").ok();
    let dag = dir.read("plan.dag");
    assert!(
        dag.contains("\nJOB chunk-000005-g2 chunk.sub DONE\n") && dag.contains("\nJOB chunk-000006-g2 chunk.sub\n")
    );
    assert_eq!(done(&dir), [true, false, false, true, false]);
    dir.split("run .").answers("5050\n");
    merge_all(&dir, 5);
    dir.split("reduce .").answers("5050\n").says("5 of 5 groups");
    // As with another reducer, for which nothing is merged yet.
    dir.split("plan --keep --reduce max").args(FEW.split(' ')).ok();
    assert_eq!(done(&dir), [false; 5]);
    dir.split("reduce .").answers("100\n").is_silent_on("on the way");
}

#[test]
fn every_command_finds_partials_in_folders() {
    let dir = Dir::new();
    dir.program("tool", "#!/bin/sh\n[ $1 = 7 ] && echo too bad >&2 && exit 3\necho $1\n");
    dir.split("plan --total 1..=10 --chunks 10 --fan-in 3 --retries 0 -- ./tool {first}").ok();
    dir.split("run .").exits(30);
    let status = dir.split("status").ok();
    status.says("10 chunks: 9 done, 1 failed").says("9 of 10 items covered");
    dir.split("why").ok().says("chunk 6, item 7: the program ended with exit code 3").says("too bad");
    dir.split("show 6").ok().says("outputs/000002/chunk-000006.");
    dir.split("try chunk-3").ok().says("4");
    dir.program("tool", "#!/bin/sh\necho $1\n");
    let mended = dir.split("run .").ok();
    assert_eq!(mended.out, b"55\n");
    // Two versions of the program made this group.
    merge_group(&dir, 2).says("the results in 000002 are left to the last merge");
    [0, 1, 3].into_iter().for_each(|group| assert_eq!(merge_group(&dir, group).code, Some(0)));
    // Jobs that merge are no chunks'.
    let log =
        Log::new().submitted(9, "chunk-000006-g1").submitted(10, "merge-000000-g1").submitted(11, "merge-000001-g1");
    let log = log.starts(9, "ep1").starts(10, "ep1").after(30).exits(9, 0).exits(10, 0).removed(11);
    log.write(&dir, "logs/events.log");
    let status = dir.split("status --json").ok();
    let status: serde_json::Value = serde_json::from_slice(&status.out).expect("JSON");
    assert_eq!(status["with_results"], serde_json::json!({"attempts": 1, "seconds": 30}));
    assert_eq!((&status["chunks"]["done"], &status["items"]["covered"]), (&10.into(), &10.into()));
    dir.split("why").ok().says("nothing is wrong: 10 of 10 chunks done");
    dir.split("why 6").ok().says("chunk 6, item 7: nothing is wrong");
    dir.split("verify").ok().says("10 of 10 records computed again: all the same");
    assert_eq!(merged(&dir).len(), 3);
}

#[test]
fn what_changes_after_a_group_was_merged_is_not_missed() {
    let dir = Dir::new();
    dir.split("run").args(FEW.split(' ')).answers("5050\n");
    merge_all(&dir, 5);
    dir.split("reduce .").answers("5050\n").says("5 of 5 groups");
    let partial = dir.partial(6);
    fs::remove_file(&partial).expect("removed");
    dir.split("reduce .").refuses(20).says("chunk 6, items 31..=35: no record");
    let part = dir.split("reduce --partial .").answers("4885\n");
    part.says("PARTIAL: 95 of 100 items covered once (95.0000 %), by 19 records");
    assert!(!part.err.contains("on the way"), "{}", part.transcript());
    dir.split("run .").answers("5050\n").says("95 of 100 items have results already");
    dir.split("reduce .").answers("5050\n").says("4 of 5 groups");
    assert_eq!(merge_group(&dir, 1).code, Some(0));
    dir.split("reduce .").answers("5050\n").says("5 of 5 groups");
    // An older cut's records are merged by themselves, and what was merged of them is out of date.
    dir.split("plan --keep --total 1..=100 --chunks 10 --fan-in 5").ok().says("kept: 10 of 10 chunks done");
    dir.split("reduce .").answers("5050\n").says("by 20 records");
    let left = merge_group(&dir, 0);
    assert_eq!(left.code, Some(0));
    left.says("the results in 000000 are left to the last merge");
    // All of it is moved aside.
    dir.split("plan --force --total 1..=4 --chunks 2").ok();
    assert_eq!(dir.names("outputs"), ["plan.json"]);
}

#[test]
fn a_group_with_something_to_say_is_left_to_the_last_merge() {
    let dir = Dir::new();
    dir.write("results/0", "1\n");
    dir.write("results/1", "{\"a\": 1}\n");
    dir.split("plan --total 2 --chunks 2 --fan-in 2 --input results -- sh -c").args(["cat results/$0", "{first}"]).ok();
    dir.split("run .").exits(24);
    let left = merge_group(&dir, 0);
    assert_eq!(left.code, Some(0));
    left.says("the results in 000000 are left to the last merge");
    assert_eq!(merged(&dir), [""; 0]);
    dir.split("reduce .").refuses(24).says("line 1 is not a number: ").says("chunk 1, item 1");
    dir.split("merge-group 1").within("outputs").refuses(2).says("the plan has no group 1");
}

#[test]
fn nodes_that_merge_stand_between_the_chunks_and_the_last_merge() {
    let dir = Dir::new();
    dir.split("plan").args(FEW.split(' ')).ok();
    let dag = dir.read("plan.dag");
    let of_merges: Vec<_> = dag.lines().filter(|line| line.contains("merge-")).collect();
    insta::assert_snapshot!("nodes_that_merge", of_merges.join("\n"));
    insta::assert_snapshot!("merge.sub", dir.read("merge.sub"));
    // The same again puts back what is missing.
    fs::remove_file(dir.path("merge.sub")).expect("there");
    dir.split("plan").args(FEW.split(' ')).ok().says("files of it that were missing are back");
    assert!(dir.path("merge.sub").exists());
    dir.split("plan --total 1..=100 --chunks 20").refuses(3).says("--fan-in: was 4, now none");
    dir.split("plan --keep --total 1..=100 --chunks 20").ok();
    assert!(!dir.path("merge.sub").exists() && !dir.read("plan.dag").contains("merge-"));
    let dry = dir.split("plan --dry-run --dir other").args(FEW.split(' ')).ok();
    assert!(dry.text().contains("==> other/merge.sub <==\n# Merges the results of a group of 4 chunks"));
    // A template without them has none.
    let template = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/dag-templates/plan.dag")).expect("read");
    dir.write("own/plan.dag", template.replace("{{ merges }}", ""));
    dir.split("plan --templates own --dir own-plan").args(FEW.split(' ')).ok();
    let dag = dir.read("own-plan/plan.dag");
    assert!(dag.contains(" chunk-000019-g1 CHILD tail-g1\n") && !dag.contains("merge-"), "{dag}");
}

#[test]
fn how_results_are_merged_is_said() {
    let dir = Dir::new();
    let said = |place: usize, words: &str| {
        let words = words.split_whitespace().chain(["--dir"]).map(str::to_owned).chain([format!("{place:02}")]);
        let words: Vec<_> = words.map(|word| word.replace('%', " ")).collect();
        dir.split("plan").args(words).run().transcript()
    };
    let all = [
        "--total 100 --chunks 100",
        "--total 100 --chunks 100 --fan-in none",
        "--total 100 --chunks 100 --fan-in 0",
        "--total 100 --chunks 100 --fan-in 8",
        "--total 100 --chunks 100 --fan-in 8 --reduce-on job",
        "--total 1e4 --chunks 1e4",
        "--total 1e4 --chunks 1e4 --reduce concat",
        "--total 1e4 --chunks 1e4 --fan-in none",
        "--total 100 --chunks 100 --fan-in 1",
        "--total 100 --chunks 100 --fan-in -1",
        "--total 100 --chunks 100 --fan-in eight",
        "--total 1e5 --chunks 1e5 --fan-in 8",
        "--total 100 --chunks 100 --fan-in 8 --reduce concat",
        "--total 100 --chunks 100 --fan-in 8 --reduce-with merge.py%{left}%{right}",
    ];
    let all: Vec<_> = all.iter().enumerate().map(|(place, words)| said(place, words)).collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn very_many_chunks_are_merged_on_the_way_by_default() {
    let dir = Dir::new();
    let planned = dir.split("plan --total 5000001 --chunks 5000001 -- true").ok();
    planned.says("the results of every 1000 chunks are merged on the way, in 5001 jobs, then by one node");
    assert!(dir.read("plan.json").contains("\"fan_in\": 1000"));
}
