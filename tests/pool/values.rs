//! What reaches a program, byte for byte.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::folder::Folder;
use crate::pool::Pool;

/// Prints its arguments and its environment in hexadecimal: no character is anything special there.
const TELL: &str = "import os, sys\n\
    for word in sys.argv[1:]:\n    print('word', os.fsencode(word).hex() or '-')\n\
    for name, value in os.environb.items():\n    print(name.hex(), value.hex() or '-')\n\
    print('here', os.fsencode(os.getcwd()).hex())\n\
    for name in ['HOME', 'TMPDIR']:\n    print('is-folder', os.path.isdir(os.environ[name]))\n\
    open(os.environ['TMPDIR'] + '/of-a-job', 'w').close()\n";

/// Words that a submit file, a DAG, a shell or a template would each take for something else.
const NASTY: [&[u8]; 42] = [
    b"",
    b" ",
    b"  two  spaces  ",
    b"\t",
    b"\n",
    b"a\nb\n",
    b"\r\n",
    b"'",
    b"\"",
    b"''",
    b"\"\"",
    b"it's",
    b"\\",
    b"\\\\",
    b"\\n",
    b"end\\",
    b"$",
    b"$HOME",
    b"$(chunk)",
    b"$$(Memory)",
    b"$ENV(HOME)",
    b"${x}",
    b"`id`",
    b"$(id)",
    b";",
    b"a;b",
    b",",
    b"a, b",
    b"&&",
    b"|",
    b">out",
    b"*",
    b"?",
    b"~",
    b"#",
    b"%",
    b"%s",
    b"!",
    b"-x",
    b"{{ chunk }}",
    b"{% raw %}",
    b"\xff\xfe\x01 caf\xe9",
];

/// Runs one job that tells what it was given.
fn told(folder: &Folder<'_>, options: &[OsString], words: &[OsString]) -> Vec<(String, Vec<u8>)> {
    folder.write("tell.py", TELL);
    let mut command: Vec<OsString> =
        "split plan --total 1..=7 --chunks 1 --reduce concat".split(' ').map(OsString::from).collect();
    command.extend_from_slice(options);
    command.extend(["--", "python3", "tell.py"].map(OsString::from));
    command.extend_from_slice(words);
    folder.run(&command).ok();
    assert_eq!(folder.submit(), Some(0));
    let text = folder.split("reduce outputs/").ok();
    let bytes = |hex: &str| {
        let pairs = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
        pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal")).collect()
    };
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines
        .map(|(name, value)| match (name, value) {
            ("is-folder", _) => (name.to_owned(), value.as_bytes().to_vec()),
            (_, "-") => (name.to_owned(), Vec::new()),
            _ => (name.to_owned(), bytes(value)),
        })
        .collect()
}

pub(crate) fn arguments_arrive_byte_for_byte(pool: &Pool) {
    let folder = pool.folder("arguments");
    // A brace is written twice.
    let doubled = |word: &[u8]| {
        let mut out = Vec::new();
        for &byte in word {
            out.extend(std::iter::repeat_n(byte, if b"{}".contains(&byte) { 2 } else { 1 }));
        }
        OsStr::from_bytes(&out).to_owned()
    };
    let words: Vec<_> = NASTY.iter().map(|word| doubled(word)).chain(["{first}-{last}".into()]).collect();
    let told = told(&folder, &[], &words);
    let arrived: Vec<_> = told.iter().filter(|(name, _)| name == "word").map(|(_, value)| value.as_slice()).collect();
    assert_eq!(arrived, [&NASTY[..], &[b"1-7"]].concat());
}

pub(crate) fn files_arrive_at_their_places_whatever_their_names(pool: &Pool) {
    let folder = pool.folder("names");
    // One folder, so that HTCondor sees no more than a name; a comma in transfer_input_files cannot be quoted.
    let names = ["a, b", "new\nline", "\"quoted\"", "$(chunk)", "-x", "ünï", "semi;colon", "same/name", "other/name"];
    for name in names {
        folder.write(&format!("da ta/{name}"), name);
    }
    folder.program(
        "da ta/tool,1",
        "#!/bin/sh\nfind 'da ta' -type f -exec sh -c 'printf %s/ \"$0\"; cat \"$0\"' {} ';'\n",
    );
    let words = [
        "split",
        "plan",
        "--total",
        "1",
        "--chunks",
        "1",
        "--reduce",
        "concat",
        "--input",
        "da ta",
        "--",
        "da ta/tool,1",
    ];
    folder.run(words).ok();
    assert_eq!(folder.submit(), Some(0));
    let arrived = folder.split("reduce outputs/").ok();
    for name in names {
        assert!(arrived.contains(&format!("da ta/{name}/{name}")), "{name} is not in {arrived}");
    }
}

pub(crate) fn empty_folders_arrive_too(pool: &Pool) {
    let folder = pool.folder("empty");
    folder.run(["mkdir", "-p", "empty", "data/results"]).ok();
    folder.program("tool", "#!/bin/sh\ncd empty && cd ../data/results && echo 7\n");
    folder.split("plan --total 1 --chunks 1 --retries 0 --input empty --input data -- ./tool").ok();
    assert_eq!(folder.submit(), Some(0));
    assert_eq!(folder.split("reduce outputs/").ok(), "7\n");
}

pub(crate) fn the_environment_is_usable_and_as_given(pool: &Pool) {
    let folder = pool.folder("environment");
    let mut options = Vec::new();
    for (number, value) in NASTY.iter().enumerate() {
        let pair = [format!("NASTY_{number}=").as_bytes(), value].concat();
        options.extend(["--env".into(), OsStr::from_bytes(&pair).to_owned()]);
    }
    let told = told(&folder, &options, &[]);
    let folders: Vec<_> = told.iter().filter(|(name, _)| name == "is-folder").map(|(_, value)| value).collect();
    assert_eq!(folders, [b"True", b"True"]);
    let hex = |name: &str| name.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let told: BTreeMap<_, _> = told.into_iter().collect();
    let get = |name: &str| told.get(&hex(name)).map(Vec::as_slice);
    for (number, value) in NASTY.iter().enumerate() {
        assert_eq!(get(&format!("NASTY_{number}")), Some(*value), "NASTY_{number}");
    }
    let path = String::from_utf8_lossy(get("PATH").expect("set"));
    assert!(["/usr/bin", "/bin", "/usr/local/bin"].iter().all(|folder| path.split(':').any(|part| part == *folder)));
    let scratch = get("_CONDOR_SCRATCH_DIR").expect("set by HTCondor");
    assert!(told["here"].starts_with(scratch));
    // Whatever TMPDIR is called, it is the job's own and goes with it.
    pool.root(r#"test -z "$(find /tmp /var/tmp /var/ep?/lib -name of-a-job)""#);
    assert_eq!(["SPLIT_FIRST", "SPLIT_LAST"].map(get), [Some(&b"1"[..]), Some(&b"7"[..])]);
}
