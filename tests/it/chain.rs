//! `--template chain`: trajectories in segments.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::job::{bare, sandbox};
use crate::kit::{Dir, Ended, Split, until};

/// Walks a generator of random numbers by 100 steps a segment, and prints where it is. `$MISTAKE` names the segment that goes wrong,
/// and how.
const WALK: &str = "import json, os, sys, time
replica, segment, segments = map(int, sys.argv[1:4])
mistake = os.environ.get('MISTAKE', '').split()
state = {'x': replica, 'steps': 0}
assert os.path.exists('state.json') == (segment > 1), 'a state before the first segment, or none after it'
if segment > 1:
    with open('state.json') as file:
        state = json.load(file)
assert state['steps'] == 100 * (segment - 1), 'the state of another segment'
for _ in range(100):
    state['x'] = (state['x'] * 6364136223846793005 + 1442695040888963407) % 2**64
    state['steps'] += 1
if mistake == ['fail', str(segment)] and not os.path.exists(sys.argv[4] + '/mended'):
    sys.exit('as was said')
if mistake == ['forget', str(segment)]:
    os.remove('state.json')
    sys.exit(0)
if mistake == ['wait', str(segment)]:
    open(sys.argv[4] + '/waiting', 'w').close()
    time.sleep(30)
with open('state.json', 'w') as file:
    json.dump(state, file)
with open('walk.txt', 'w') as file:
    file.write('%d\\n' % state['x'])
if mistake == ['silent', str(segment)]:
    sys.exit(0)
print(state['steps'], state['x'])
if mistake == ['finish', str(segment)]:
    open(os.environ['SPLIT_FINISHED'], 'w').close()
";

/// What a run in one go prints.
fn in_one_go(replica: u64, segments: u32) -> String {
    let mut x = replica;
    let mut text = String::new();
    for step in 1..=segments * 100 {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if step % 100 == 0 {
            text.push_str(&format!("{step} {x}\n"));
        }
    }
    text
}

/// `split TASK` of a chain of four segments.
fn words(dir: &Dir, task: &str, more: &[&str]) -> Vec<String> {
    dir.write("walk.py", WALK);
    let words = format!("{task} --template chain --segments 4 --state state.json --retries 0");
    let command = format!("-- python3 walk.py {{replica}} {{segment}} {{segments}} {}", dir.path("").display());
    let words = words.split(' ').chain(more.iter().copied()).chain(command.split(' '));
    words.map(str::to_owned).collect()
}

fn run<'a>(dir: &'a Dir, more: &[&str]) -> Split<'a> {
    dir.split("").args(words(dir, "run", more))
}

fn plan(dir: &Dir, more: &[&str]) {
    dir.split("").args(words(dir, "plan", more)).ok();
}

/// The partial of a segment.
fn segment(dir: &Dir, chunk: u64, number: u32) -> Option<PathBuf> {
    let mark = format!("\"kind\":\"segment\",\"segment\":{{\"number\":{number}");
    let is_it = |path: &PathBuf| String::from_utf8_lossy(&fs::read(path).expect("read")).contains(&mark);
    dir.partials_of(chunk).into_iter().find(is_it)
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).expect("read");
    let place = bytes.len() - 12;
    bytes[place] ^= 1;
    fs::write(path, bytes).expect("written");
}

/// A script of DAGMan's, in the plan's folder.
fn script<'a>(dir: &'a Dir, words: &str) -> Split<'a> {
    bare(dir, &dir.path("plan.files/split-runner")).args(words.split(' '))
}

/// The job of a segment, as HTCondor would run it; what it leaves comes back.
fn job<'a>(dir: &'a Dir, chunk: u64, segment: u32) -> Ended<'a> {
    let name = format!("sandbox-{segment}");
    let folder = format!("chunk-{chunk:06}-s{segment:04}");
    let _ = fs::remove_dir_all(dir.path(&name));
    sandbox(dir, &name);
    dir.command("cp").args(["-R", &format!("plan.files/chain/{folder}"), &format!("{name}/{folder}")]).ok();
    let numbers = [chunk, chunk, chunk + 1, segment.into()].map(|number| number.to_string());
    let run = bare(dir, &dir.path(&name).join("condor_exec.exe")).args(["exec", "job.json"]).args(numbers);
    let ended = run.within(&name).run();
    for partial in dir.names(&name).iter().filter(|name| name.ends_with(".part")) {
        fs::rename(dir.path(&name).join(partial), dir.path("outputs").join(partial)).expect("brought back");
    }
    ended
}

#[test]
fn segments_are_as_a_run_in_one_go() {
    let dir = Dir::new();
    let answer = [0, 1, 2].map(|replica| in_one_go(replica, 4)).concat();
    let ended = run(&dir, &["--replicas", "3", "--reduce", "concat"]).answers(&answer);
    ended.says("3 trajectories of 4 segments");
    // All of it again: nothing is left to compute.
    dir.split("run .").answers(&answer).says("nothing is left to compute");
    dir.split("verify").ok().says("3 of 3 records computed again: all the same");
    assert!(dir.is_tidy());
}

#[test]
fn replicas_of_other_items_have_their_values() {
    let dir = Dir::new();
    let words = "run --grid t=300,310 --template chain --replicas 2 --segments 2 --state s --reduce table -- sh -c";
    let script = "[ $1 = 1 ] || cat s > /dev/null && echo $2 $3 >> s && [ $1 = 1 ] || grep -c . s";
    dir.split(words)
        .args([script, "sh", "{segment}", "{t}", "{replica}"])
        .answers("t,replica,result\n300,0,2\n300,1,2\n310,0,2\n310,1,2\n");
}

#[test]
fn files_of_all_segments_come_back() {
    let dir = Dir::new();
    run(&dir, &["--collect", "walk.txt"]).ok();
    let names: Vec<_> = (1..=4).map(|segment| format!("walk-segment000{segment}.txt")).collect();
    let written: Vec<_> = dir.names("collected").into_iter().filter(|name| !name.starts_with('.')).collect();
    assert_eq!(written, names);
    let last = in_one_go(0, 4).lines().last().expect("a line").split(' ').nth(1).expect("x").to_owned();
    assert_eq!(dir.read("collected/walk-segment0004.txt").trim(), last);
}

#[test]
fn a_trajectory_that_has_ended_needs_no_more_segments() {
    let dir = Dir::new();
    run(&dir, &["--reduce", "concat", "--env", "MISTAKE=finish 2"]).answers(&in_one_go(0, 2));
    assert!(segment(&dir, 0, 2).is_some() && segment(&dir, 0, 3).is_none());
    dir.split("status").ok().says("4 of 4 segments have left a state");
    dir.split("show 0").ok().says("segment 2, the last");
}

#[test]
fn a_program_that_fails_goes_on_from_the_segment_before() {
    let dir = Dir::new();
    let ended = run(&dir, &["--reduce", "concat", "--env", "MISTAKE=fail 3"]).exits(30);
    ended.says("as was said");
    let second = fs::read(segment(&dir, 0, 2).expect("there")).expect("read");
    dir.split("why 0").ok().says("in segment 3 of 4");
    dir.split("status").ok().says("2 of 4 segments have left a state");
    dir.write("mended", "");
    dir.split("run .").answers(&in_one_go(0, 4));
    assert_eq!(fs::read(segment(&dir, 0, 2).expect("there")).expect("read"), second, "it was computed again");
}

#[test]
fn a_state_that_is_not_left_is_no_state() {
    let dir = Dir::new();
    run(&dir, &["--env", "MISTAKE=forget 2"]).exits(30).says("did not write a file that it has to leave: state.json");
    assert!(segment(&dir, 0, 2).is_none());
    // A number is due from the last segment alone.
    let dir = Dir::new();
    run(&dir, &["--reduce", "concat", "--env", "MISTAKE=silent 2"]).ok();
    let dir = Dir::new();
    run(&dir, &["--reduce", "sum", "--env", "MISTAKE=silent 4"]).exits(30).says("printed nothing");
}

#[test]
fn a_run_that_is_interrupted_goes_on() {
    let dir = Dir::new();
    let started = run(&dir, &["--reduce", "concat", "--env", "MISTAKE=wait 3"]).start();
    until("the third segment", || dir.path("waiting").exists());
    started.signal(Signal::INT);
    let ended = started.wait();
    assert_eq!(ended.code, Some(130), "{}", ended.transcript());
    assert!(segment(&dir, 0, 2).is_some() && segment(&dir, 0, 3).is_none());
    assert!(dir.is_tidy());
}

#[test]
fn a_damaged_state_is_set_aside_and_computed_again() {
    let dir = Dir::new();
    run(&dir, &["--reduce", "concat", "--env", "MISTAKE=fail 4"]).exits(30);
    let third = segment(&dir, 0, 3).expect("there");
    flip(&third);
    dir.write("mended", "");
    let ended = dir.split("run .").answers(&in_one_go(0, 4));
    ended.says("segment 3 was computed again: ").says("its checksum is wrong");
    assert!(!third.exists());
    let mut aside = third.clone().into_os_string();
    aside.push(".damaged");
    assert!(Path::new(&aside).exists());
    // Cut short at every byte, and gone.
    let whole = fs::read(segment(&dir, 0, 2).expect("there")).expect("read");
    for length in (0..whole.len()).step_by(37) {
        for joined in dir.partials().iter().filter(|path| path.to_string_lossy().contains("-joined")) {
            fs::remove_file(joined).expect("removed");
        }
        let second = segment(&dir, 0, 2).expect("there");
        fs::write(second, &whole[..length]).expect("written");
        dir.split("run .").answers(&in_one_go(0, 4));
    }
}

#[test]
fn the_scripts_around_a_segment() {
    let dir = Dir::new();
    plan(&dir, &["--reduce", "concat"]);
    let node = |segment: u32| format!("chunk-000000-s{segment:04}-g1");
    for number in 1..=4 {
        script(&dir, &format!("before {}", node(number))).ok();
        let ended = job(&dir, 0, number);
        assert_eq!(ended.code, Some(0), "{}", ended.transcript());
        script(&dir, &format!("after 0 {}", node(number))).ok();
        assert!(dir.names("plan.files/chain").is_empty());
        // It has its state now.
        script(&dir, &format!("before {}", node(number))).exits(79);
    }
    dir.split("reduce .").answers(&in_one_go(0, 4));
    // A job that failed, was removed, or said that it was done and left nothing.
    script(&dir, "after 70 chunk-000000-s0002-g1").exits(82);
    script(&dir, "after -1002 chunk-000000-s0002-g1").exits(82);
    for path in dir.partials() {
        fs::remove_file(path).expect("removed");
    }
    script(&dir, "after 0 chunk-000000-s0001-g1").exits(83).says("no whole state of segment 1 has come back");
    script(&dir, "before chunk-000000-s0005-g1").exits(2).says("no segment's node");
    script(&dir, "before reduce-g1").exits(2);
}

#[test]
fn a_state_that_is_damaged_on_its_way_back_does_not_count() {
    let dir = Dir::new();
    plan(&dir, &["--reduce", "concat"]);
    script(&dir, "before chunk-000000-s0001-g1").ok();
    assert_eq!(job(&dir, 0, 1).code, Some(0));
    flip(&segment(&dir, 0, 1).expect("there"));
    script(&dir, "after 0 chunk-000000-s0001-g1").exits(83).says("its checksum is wrong; it is computed again");
    assert!(dir.read("logs/damaged.txt").contains("segment 1: outputs/chunk-000000."));
    // The node starts over.
    script(&dir, "before chunk-000000-s0001-g1").ok();
    assert_eq!(job(&dir, 0, 1).code, Some(0));
    script(&dir, "after 0 chunk-000000-s0001-g1").ok();
}

#[test]
fn a_state_that_does_not_arrive_is_not_taken_for_the_start() {
    let dir = Dir::new();
    plan(&dir, &["--reduce", "concat"]);
    script(&dir, "before chunk-000000-s0001-g1").ok();
    assert_eq!(job(&dir, 0, 1).code, Some(0));
    script(&dir, "after 0 chunk-000000-s0001-g1").ok();
    let folder = "plan.files/chain/chunk-000000-s0002";
    for lost in ["from.json", "state.part"] {
        script(&dir, "before chunk-000000-s0002-g1").ok();
        fs::remove_file(dir.path(folder).join(lost)).expect("removed");
        let ended = job(&dir, 0, 2);
        assert_eq!(ended.code, Some(74), "{}", ended.transcript());
        ended.says("arrived");
    }
    // Damaged on its way to the job: no link to what is in outputs/.
    script(&dir, "before chunk-000000-s0002-g1").ok();
    let state = dir.path(folder).join("state.part");
    let bytes = fs::read(&state).expect("read");
    fs::remove_file(&state).expect("removed");
    fs::write(&state, bytes).expect("written");
    flip(&state);
    let ended = job(&dir, 0, 2);
    assert_eq!(ended.code, Some(74), "{}", ended.transcript());
    ended.says("the state of segment 1 is damaged: its checksum is wrong");
    assert!(segment(&dir, 0, 2).is_none());
}

#[test]
fn a_lost_segment_is_computed_again_with_those_after_it() {
    let dir = Dir::new();
    plan(&dir, &["--reduce", "concat"]);
    for number in 1..=3 {
        script(&dir, &format!("before chunk-000000-s{number:04}-g1")).ok();
        assert_eq!(job(&dir, 0, number).code, Some(0));
        script(&dir, &format!("after 0 chunk-000000-s{number:04}-g1")).ok();
    }
    fs::remove_file(segment(&dir, 0, 2).expect("there")).expect("removed");
    // The third is left from another second one, and does not count without it.
    script(&dir, "before chunk-000000-s0004-g1").ok();
    assert_eq!(job(&dir, 0, 4).code, Some(0));
    script(&dir, "after 0 chunk-000000-s0004-g1").ok();
    dir.split("reduce .").answers(&in_one_go(0, 4));
    assert_eq!(dir.partials_of(0).len(), 6, "one joined, and a third that does not count");
}

#[test]
fn several_versions_of_a_program_in_one_trajectory_show() {
    let dir = Dir::new();
    run(&dir, &["--reduce", "concat", "--env", "MISTAKE=fail 3"]).exits(30);
    let words = words(&dir, "run", &["--reduce", "concat", "--env", "MISTAKE=fail 3", "--keep"]);
    dir.write("walk.py", format!("{WALK}# changed\n"));
    dir.write("mended", "");
    let ended = dir.split("").args(&words).run();
    assert_ne!(ended.code, Some(0), "{}", ended.transcript());
    ended.says("version");
    dir.split("reduce . --mixed").answers(&in_one_go(0, 4));
}

#[test]
fn what_makes_no_chain_is_refused() {
    let dir = Dir::new();
    let refused = |words: &str, says: &str| {
        dir.split(words).args(["--", "true", "{segment}"]).refuses(2).says(says);
    };
    refused("plan --template chain --state s", "into how many segments?");
    refused("plan --template chain --segments 3", "nothing says what a segment hands to the next");
    refused("plan --template chain --segments 0 --state s", "0 is not in 1..=10000");
    refused("plan --template chain --segments 3 --state ../s", "is not the path of a file below");
    refused("plan --template chain --segments 3 --state s --state s", "s is named twice");
    refused("plan --template chain --segments 3 --state s --chunks 4", "--chunks is for items in chunks");
    refused("plan --template chain --segments 3 --state s --checkpoint", "--checkpoint is for items in chunks");
    refused("plan --template chain --segments 3 --state s --shared-filesystem", "folders of their own");
    refused("plan --template chain --segments 3 --state s --grid segment=1,2", "stands for something of its own");
    refused("plan --template chain --segments 3 --state s --total 10001", "10001 trajectories");
    refused("plan --segments 3 --total 5 --chunks 5", "--template");
    refused("plan --total 5 --chunks 5", "{segment}");
    dir.split("plan --template chain --segments 3 --state s").refuses(2).says("a chain needs a program");
    dir.split("plan --template chain --segments 3 --state s -- cat s").ok();
    let dir = Dir::new();
    dir.write("s", "left by something else");
    dir.split("plan --template chain --segments 3 --state s -- cat s")
        .refuses(2)
        .says("is to be the state, and is here");
    dir.split("plan --template chain --segments 2 --state t -- true").ok();
    dir.split("simulate").exits(2).says("follow one another");
    dir.split("probe --template chain --segments 2 --state t -- true").exits(2).says("not tried first");
}

#[test]
fn what_is_planned() {
    let dir = Dir::new();
    let ended = dir.split("").args(words(&dir, "plan", &["--replicas", "2", "--reduce", "concat"])).ok();
    let said = dir.redact(&ended.text());
    insta::assert_snapshot!("a chain is planned", said.replace(&dir.path("").display().to_string(), "[DIR]"));
    insta::assert_snapshot!("the DAG of a chain", dir.read("plan.dag"));
    dir.split("")
        .args(words(&dir, "plan", &["--replicas", "2", "--reduce", "concat"]))
        .ok()
        .says("nothing was changed");
    let sub = dir.read("chunk.sub");
    assert!(sub.contains("\narguments = \"exec job.json $(chunk) $(start) $(stop) $(segment)\"\n"), "{sub}");
    let tried = dir.split("try 1").ok();
    tried.says("this was the first of 4 segments").says(&in_one_go(1, 1));
}
