//! `split show`.

use crate::kit::Dir;

#[test]
fn a_chunk_with_its_items_command_and_records() {
    let dir = Dir::new();
    let script = "import sys\nif sys.argv[1] == '5': sys.exit('no fives')\nprint('it is', sys.argv[1])\n";
    dir.write("go.py", script);
    let run =
        dir.split("run --total 1..=9 --chunks 3 --retries 0 --reduce concat -- python3 go.py {first} {last} {result}");
    run.exits(30);
    let run = dir.split("run --force --total 1..=9 --chunks 9 --retries 0 --reduce concat -- python3 go.py {first}");
    run.exits(30);
    dir.split("show 3")
        .ok()
        .says("chunk 3 of 9: item 4\ncommand: python3 go.py 4\n")
        .says("result, counts")
        .says("| it is 4");
    dir.split("show 4").ok().says("item 5").says("exit code 1").says("| no fives");
    dir.split("show 9").refuses(2).says("0 to 8");
    for name in ["chunk-3", "chunk-000003", "chunk-000003-g2"] {
        dir.split("show").arg(name).ok().says("chunk 3 of 9: item 4\n");
    }
    dir.split("show chunk-000003-g1").refuses(2).says("end in -g2");
    dir.split("show chunk-x").refuses(2).says("a chunk is 3, chunk-3, or chunk-000003-g1");
}

#[test]
fn a_chunk_without_records_or_command() {
    let dir = Dir::new();
    dir.split("plan --dir there --total 1..=10 --chunks 2").ok();
    dir.split("show 0 --dir there").ok().says("items 1..=5").says("no command").says("no record");
    dir.split("show 0").refuses(5);
}
