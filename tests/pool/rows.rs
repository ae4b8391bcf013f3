//! Tables and files: what each chunk's job gets of them, byte for byte.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use crate::folder::{Folder, own};
use crate::pool::Pool;

/// Prints its arguments in hexadecimal, and those of its variables SPLIT_A, ... that are there.
const TELL: &str = "import os, sys\n\
    words = [os.fsencode(word).hex() for word in sys.argv[1:]]\n\
    variables = [os.environb[name].hex() for name in (b'SPLIT_A', b'SPLIT_B', b'SPLIT_C') if name in os.environb]\n\
    print(','.join(words), ','.join(variables), sep=';')\n";

/// So many argument vectors, in so many chunks.
const VECTORS: u64 = 320;
const CHUNKS: u64 = 32;

/// Of longer values there is no variable.
const LONGEST_VARIABLE: usize = 100 << 10;

/// What a submit file, a DAG, a shell, a template or a CSV would each take for something else.
const PIECES: [&[u8]; 44] = [
    b" ",
    b"  ",
    b"\t",
    b"\n",
    b"\r",
    b"\r\n",
    b"'",
    b"\"",
    b"\"\"",
    b"\\",
    b"\\n",
    b"\\\n",
    b"$",
    b"$HOME",
    b"$(chunk)",
    b"$$(Memory)",
    b"$ENV(HOME)",
    b"${x}",
    b"`id`",
    b"$(id)",
    b";",
    b",",
    b", ",
    b"&&",
    b"|",
    b">out",
    b"*",
    b"?",
    b"[a]",
    b"~",
    b"#",
    b"%",
    b"%s",
    b"%41",
    b"!",
    b"-x",
    b"--",
    b"{",
    b"{a}",
    b"{{ chunk }}",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\xfe\x01",
    "\u{fc}n\u{ef}\u{1f600}".as_bytes(),
];

/// A value: empty now and then, of a few pieces, of any bytes, or very long. `number` says which.
fn value(number: u64) -> Vec<u8> {
    let mut drawn = 0;
    // A published generator, so that a value that arrives changed can be made again.
    let mut draw = |below: u64| {
        drawn += 1;
        split::space::seed(number, drawn) % below
    };
    match draw(20) {
        0 => Vec::new(),
        1 => (0..draw(40)).map(|_| u8::try_from(1 + draw(255)).expect("a byte")).collect(),
        2 if draw(8) == 0 => vec![b"x'\n\xc3"[usize::try_from(draw(4)).expect("small")]; 110_000],
        _ => {
            let mut value = Vec::new();
            for _ in 0..draw(6) {
                value.extend_from_slice(PIECES[usize::try_from(draw(PIECES.len() as u64)).expect("small")]);
                value.extend_from_slice(&b"ab1"[..usize::try_from(draw(3)).expect("small")]);
            }
            value
        }
    }
}

/// The argument vectors: each is a row of three columns.
fn vectors() -> Vec<[Vec<u8>; 3]> {
    (0..VECTORS).map(|row| [0, 1, 2].map(|column| value(3 * row + column))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What [`TELL`] prints of a vector.
fn told(vector: &[Vec<u8>; 3]) -> String {
    let words: Vec<_> = vector.iter().map(|value| hex(value)).collect();
    let variables: Vec<_> =
        vector.iter().filter(|value| value.len() <= LONGEST_VARIABLE).map(|value| hex(value)).collect();
    format!("{};{}", words.join(","), variables.join(","))
}

fn csv(vectors: &[[Vec<u8>; 3]]) -> Vec<u8> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(["a", "b", "c"]).expect("in memory");
    vectors.iter().for_each(|vector| table.write_record(vector).expect("in memory"));
    table.into_inner().expect("in memory")
}

#[track_caller]
fn arrived(folder: &Folder<'_>, vectors: &[[Vec<u8>; 3]]) {
    let text = folder.split("reduce outputs/").ok();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), vectors.len());
    for (row, (line, vector)) in lines.iter().zip(vectors).enumerate() {
        assert!(*line == told(vector), "row {row}: {}", String::from_utf8_lossy(&vector.concat()));
    }
}

/// Hundreds of argument vectors that are hard to carry, from a table through the plan, DAGMan and the runner.
pub(crate) fn values_of_a_table_arrive_byte_for_byte(pool: &Pool) {
    let vectors = vectors();
    assert!(vectors.iter().flatten().any(|value| value.len() > LONGEST_VARIABLE), "some are very long");
    assert!(vectors.iter().flatten().any(|value| std::str::from_utf8(value).is_err()), "some are no text");
    assert!(vectors.iter().flatten().any(Vec::is_empty), "some are empty");
    let folder = pool.folder("vectors");
    folder.write("tell.py", TELL);
    folder.write("table.csv", csv(&vectors));
    let options =
        format!("plan --table table.csv --chunks {CHUNKS} --reduce concat -- python3 tell.py {{a}} {{b}} {{c}}");
    folder.split(&options).ok();
    // None of it is in what HTCondor reads.
    assert!(folder.read("plan.dag").is_ascii() && folder.read("chunk.sub").is_ascii());
    assert_eq!(folder.submit(), Some(0));
    arrived(&folder, &vectors);
}

/// Names of files that have to arrive.
const NAMES: [&[u8]; 12] = [
    b"a, b",
    b"new\nline",
    b"\"quoted\"",
    b"it's",
    b"$(chunk)",
    b"-x",
    "\u{fc}n\u{ef}".as_bytes(),
    b"bad\xff\xfe",
    b"same/name",
    b"other/name",
    b" blanks ",
    b"{n}",
];

/// Prints a file's name and content in hexadecimal, and how many files it sees. Told to stumble, it fails at its first
/// attempt at one file.
const READ: &str = "import os, sys\n\
    name = os.fsencode(sys.argv[1])\n\
    ad = open(os.environ['_CONDOR_JOB_AD']).read()\n\
    if 'stumble' in sys.argv and b'quoted' in name and 'NumJobCompletions = 0' in ad:\n    sys.exit(3)\n\
    seen = sum(len(files) for _, _, files in os.walk('da ta'))\n\
    print(name.hex(), open(name, 'rb').read().hex(), seen)\n";

fn with_files(folder: &Folder<'_>) {
    folder.write("read.py", READ);
    for name in ["same/name", "other/name"] {
        folder.write(&format!("da ta/{name}"), "");
    }
    for name in NAMES {
        let path = folder.path("da ta").join(OsStr::from_bytes(name));
        fs::write(&path, name).expect("written");
        own(&path);
    }
}

/// What [`READ`] prints of all files, where so many are seen at a time.
fn read(seen: usize) -> String {
    let mut names = NAMES;
    names.sort_unstable();
    let line = |name: &&[u8]| format!("{} {} {seen}\n", hex(&[b"da ta/", *name].concat()), hex(name));
    names.iter().map(line).collect()
}

/// Each chunk gets its files and no others, also when it is tried again.
pub(crate) fn files_of_any_name_reach_their_chunk_alone(pool: &Pool) {
    let folder = pool.folder("files");
    with_files(&folder);
    let plan = ["split", "plan", "--files", "da ta/**", "--chunks", "4", "--reduce", "concat", "--"];
    folder.run(plan.into_iter().chain(["python3", "read.py", "{file}", "stumble"])).ok();
    assert_eq!(folder.submit(), Some(0));
    assert_eq!(folder.split("reduce outputs/").ok(), read(3));
    let partials = folder.names("outputs").iter().filter(|name| name.ends_with(".part")).count();
    assert!(partials > 4, "one was tried again");
}

/// Of more points than are listed the jobs leave out those that the condition does not keep: they count as covered.
pub(crate) fn items_that_a_condition_leaves_out_are_covered(pool: &Pool) {
    let folder = pool.folder("condition");
    let plan = ["split", "plan", "--grid", "i=1..=1200000", "--where", "i % 1000 == 0", "--chunks", "4"];
    folder.run(plan.into_iter().chain(["--reduce", "concat", "--", "echo", "{i}"])).ok();
    assert_eq!(folder.submit(), Some(0));
    let kept: String = (1..=1200).map(|number| format!("{number}000\n")).collect();
    assert_eq!(folder.split("reduce outputs/").ok(), kept);
}

/// Where jobs see the user's files nothing is sent, and each reads its rows and files where they are.
pub(crate) fn rows_and_files_are_read_where_they_are(pool: &Pool) {
    let folder = pool.folder("in-place");
    with_files(&folder);
    let plan =
        ["split", "plan", "--shared-filesystem", "--files", "da ta/**", "--chunks", "4", "--reduce", "concat", "--"];
    folder.run(plan.into_iter().chain(["python3", "read.py", "{file}"])).ok();
    assert_eq!(folder.submit(), Some(0));
    assert_eq!(folder.split("reduce outputs/").ok(), read(NAMES.len()));
    assert!(folder.jobs().iter().all(|job| job.transferred == 0));

    let folder = pool.folder("in-place-table");
    let vectors: Vec<_> = vectors().into_iter().take(50).collect();
    folder.write("tell.py", TELL);
    folder.write("table.csv", csv(&vectors));
    folder
        .split("plan --shared-filesystem --table table.csv --chunks 10 --reduce concat -- python3 tell.py {a} {b} {c}")
        .ok();
    assert_eq!(folder.submit(), Some(0));
    arrived(&folder, &vectors);
}
