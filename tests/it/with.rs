//! `--reduce-with`: results are merged one by one, whatever the cut.

use std::fs;

use crate::kit::{Dir, Split};

/// Adds two files, or all that a list names.
const ADD: &str = "import sys\n\
                   names = sys.argv[1:]\n\
                   if len(names) == 1: names = open(names[0]).read().split()\n\
                   print(sum(float(open(name).read()) for name in names))\n";
/// Shows which two were merged with each other.
const PAIR: &str = r#"printf '(%s%s)' "$(cat "$1")" "$(cat "$2")""#;

impl Dir {
    /// A run that is merged by `command`.
    fn merging<'a>(&'a self, words: &str, command: &str) -> Split<'a> {
        self.split("run --force").args(words.split_whitespace()).args(["--reduce-with", command, "--"])
    }
}

#[test]
fn each_result_is_merged_however_many_a_chunk_has() {
    let dir = Dir::new();
    dir.write("add.py", ADD);
    for chunks in [1, 2, 4] {
        let words = format!("--total 1..=4 --chunks {chunks}");
        for operands in ["{left} {right}", "{parts}"] {
            let command = format!("python3 add.py {operands}");
            dir.merging(&words, &command).args(["printf", "%s", "{item}"]).answers("10.0\n");
            dir.merging(&words, &command).args(["echo", "{item}"]).answers("10.0\n");
        }
    }
    // Once a chunk, as many as there are chunks.
    let words = "--total 1..=4 --chunks 2";
    dir.merging(words, "python3 add.py {left} {right}").args(["echo", "{last}"]).answers("6.0\n");
}

#[test]
fn pairs_do_not_show_the_cut() {
    let dir = Dir::new();
    dir.write("pair.sh", PAIR);
    for chunks in [1, 2, 3, 5, 11] {
        let words = format!("--total 1..=11 --chunks {chunks}");
        let tree = "((((12)(34))((56)(78)))((910)11))";
        dir.merging(&words, "sh pair.sh {left} {right}").args(["printf", "%s", "{item}"]).answers(tree);
        dir.merging(&words, "sh pair.sh {left} {right}").args(["echo", "{item}"]).answers(tree);
        dir.merging(&words, "sh -c 'xargs cat < $0' {parts}")
            .args(["printf", "%s;", "{item}"])
            .answers("1;2;3;4;5;6;7;8;9;10;11;");
    }
}

#[test]
fn items_that_are_left_out_are_no_part() {
    let dir = Dir::new();
    dir.write("pair.sh", PAIR);
    dir.write("add.py", ADD);
    for chunks in [1, 2, 5] {
        let words = format!("--grid i=1..=9 --where i%2==1 --chunks {chunks}");
        dir.merging(&words, "sh pair.sh {left} {right}").args(["printf", "%s", "{i}"]).answers("(((13)(57))9)");
        dir.merging(&words, "python3 add.py {parts}").args(["printf", "%s", "{i}"]).answers("25.0\n");
        dir.merging(&words, "sh -c 'wc -l < $0' {parts}").args(["printf", "%s", "{i}"]).answers("5\n");
    }
    assert!(!dir.names("").iter().any(|name| name.starts_with('.')), "{:?}", dir.names(""));
}

#[test]
fn a_single_result_is_the_answer_of_pairs_and_a_list_of_one() {
    let dir = Dir::new();
    let one = "--total 1..=9 --where item==4 --chunks 1";
    for words in ["--total 4..=4 --chunks 1", one] {
        dir.merging(words, "no-such-merge {left} {right}").args(["printf", "%s", "{item}"]).answers("4");
        dir.merging(words, "sh -c 'wc -l < $0; xargs cat < $0' {parts}")
            .args(["printf", "%s", "{item}"])
            .answers("1\n4");
    }
}

#[test]
fn matrices_are_multiplied_in_item_order() {
    let dir = Dir::new();
    let product = "import sys\n\
                   def matrix(item): return [item, item + 1, 1 - item, 2 * item]\n\
                   def times(a, b): return [a[0]*b[0] + a[1]*b[2], a[0]*b[1] + a[1]*b[3], a[2]*b[0] + a[3]*b[2], a[2]*b[1] + a[3]*b[3]]\n\
                   def read(name): return [int(word) for word in open(name).read().split()]\n\
                   def show(matrix): print(*matrix)\n";
    dir.write("product.py", product);
    dir.write("merge.py", "from product import *\nshow(times(read(sys.argv[1]), read(sys.argv[2])))\n");
    // Those that come first end last.
    let program = "from product import *\nimport time\nfirst, last = int(sys.argv[1]), int(sys.argv[2])\n\
                   time.sleep(0.3 * (9 - first) / 9)\nown = matrix(first)\n\
                   for item in range(first + 1, last + 1): own = times(own, matrix(item))\nshow(own)\n";
    dir.write("go.py", program);
    let expected = "from product import *\nown = matrix(1)\n\
                    for item in range(2, 10): own = times(own, matrix(item))\nshow(own)\n";
    let expected = dir.command("python3").args(["-c", expected]).ok().text();
    for chunks in [1, 5, 9] {
        let words = format!("--total 1..=9 --chunks {chunks} --jobs 9 --input product.py");
        for items in ["{first} {last}", "{item} {item}"] {
            let run = dir.merging(&words, "python3 merge.py {left} {right}").args(["python3", "go.py"]);
            run.args(items.split(' ')).answers(&expected);
        }
    }
}

#[test]
fn an_archive_s_merge_command_runs_where_it_was_planned() {
    let planned = || {
        let dir = Dir::new();
        dir.write("project/add.py", ADD);
        let run = dir.split("run --dir plan --total 1..=4 --chunks 2 --reduce-with").within("project");
        run.args(["python3 add.py {left} {right}", "--", "echo", "{item}"]).answers("10.0\n");
        dir
    };
    for archive in ["kept.zip", "plan/kept.zip", "../kept.zip"] {
        let dir = planned();
        dir.split("reduce plan --archive").arg(archive).within("project").answers("10.0\n");
        let here = format!("project/{archive}");
        for folder in ["project", "project/plan", ""] {
            dir.split("reduce").arg(dir.path(&here)).within(folder).answers("10.0\n");
        }
        // Both have moved together.
        fs::create_dir(dir.path("moved")).expect("made");
        fs::rename(dir.path("project"), dir.path("moved/project")).expect("moved");
        if archive == "../kept.zip" {
            fs::rename(dir.path("kept.zip"), dir.path("moved/kept.zip")).expect("moved");
        }
        let here = dir.path("moved").join(&here);
        dir.split("reduce").arg(&here).answers("10.0\n");
        // An archive alone: nothing tells where the command's files are.
        fs::create_dir(dir.path("elsewhere")).expect("made");
        let alone = dir.path("elsewhere/alone.zip");
        fs::copy(&here, &alone).expect("copied");
        dir.split("reduce").arg(&alone).within("moved/project").answers("10.0\n");
        dir.split("reduce").arg(&alone).within("elsewhere").exits(25).says("add.py");
    }
}

#[test]
fn partials_without_their_plan_are_merged_by_a_command_from_here() {
    let dir = Dir::new();
    dir.write("add.py", ADD);
    dir.merging("--dir plan --total 1..=4 --chunks 2", "python3 add.py {left} {right}").args(["echo", "{item}"]).ok();
    fs::create_dir(dir.path("far")).expect("made");
    fs::rename(dir.path("plan/outputs"), dir.path("far/outputs")).expect("moved");
    dir.split("reduce far/outputs").answers("10.0\n");
}
