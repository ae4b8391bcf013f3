//! Environments that have moved: the absolute path that they had, in scripts and settings, becomes the one that
//! they have.
//!
//! What is rewritten: the scripts in `bin/`, `pyvenv.cfg`, the `*.pth`, `__editable__*` and `direct_url.json` of
//! site-packages (editable installs), and what conda lists as text that holds its prefix. Programs that hold a
//! path in their binary code are left alone.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use crate::plan::Environment;
use crate::store::{Draft, StoreError};

/// The longest first line that every Linux kernel reads whole, `#!` and line break included: 128 bytes before 5.1.
const LONGEST_SHEBANG: usize = 127;

/// A larger file in `bin/` is no script.
const LARGEST_SCRIPT: u64 = 1 << 24;

/// Rewrites the files of `environments`, which were moved into `tree`. The folder that was planned in, which is now
/// `start_in`, and what surrounds it in the tree count too, as far as what a path names has arrived.
///
/// # Errors
/// Where a file cannot be read or written.
pub(super) fn relocate(environments: &[Environment], tree: &Path, start_in: &Path) -> Result<(), StoreError> {
    let mut places: Vec<_> = environments.iter().map(|environment| &environment.place).collect();
    places.sort();
    places.dedup();
    for place in places {
        let root = tree.join(place.as_os_str());
        let moves = Moves::new(environments, tree, start_in);
        if !moves.0.is_empty() {
            rewrite_environment(&root, &moves)?;
        }
    }
    Ok(())
}

/// A folder that has moved.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Move {
    from: PathBuf,
    to: PathBuf,
    /// Whether all that was below it is below it still. Otherwise only paths to what is there are rewritten.
    whole: bool,
}

/// What has moved, the longest path first.
#[derive(Clone, Debug)]
struct Moves(Vec<Move>);

impl Moves {
    fn new(environments: &[Environment], tree: &Path, start_in: &Path) -> Self {
        let mut moves = Vec::new();
        for Environment { place, was } in environments {
            let (place, was) = (Path::new(place.as_os_str()), Path::new(was.as_os_str()));
            moves.push(Move { from: was.to_owned(), to: tree.join(place), whole: true });
            // Where it lay at its place below the folder that was planned in, that folder's old path is known too.
            if was.ends_with(place)
                && let Some(above) = was.ancestors().nth(place.components().count())
            {
                let below = start_in.strip_prefix(tree).unwrap_or(Path::new(""));
                moves.push(Move { from: above.join(below), to: start_in.to_owned(), whole: false });
                moves.push(Move { from: above.to_owned(), to: tree.to_owned(), whole: false });
            }
        }
        for step in &mut moves {
            // Joined with nothing, a path has a slash at its end.
            step.from = step.from.components().collect();
            step.to = step.to.components().collect();
        }
        // Everything lies below the root: nothing can be told by it.
        moves.retain(|step| step.from.parent().is_some() && step.from != step.to);
        moves.sort_by_key(|step| (std::cmp::Reverse(step.from.as_os_str().len()), !step.whole));
        moves.dedup_by(|later, earlier| later.from == earlier.from);
        Self(moves)
    }

    /// `text` with every old path replaced; `None` where there is none. With `shell` a new path that a shell would
    /// take apart is put in quotes, unless it stands in some.
    fn rewrite(&self, text: &[u8], shell: bool) -> Option<Vec<u8>> {
        let mut new = Vec::new();
        let mut copied = 0;
        // Every old path is absolute.
        for at in memchr::memchr_iter(b'/', text) {
            let is_here = |step: &&Move| {
                let from = step.from.as_os_str().as_bytes();
                text[at..].starts_with(from) && step.is_meant(text, at, at + from.len())
            };
            if at < copied {
                continue;
            }
            let Some(step) = self.0.iter().find(is_here) else { continue };
            new.extend_from_slice(&text[copied..at]);
            let to = step.to.as_os_str().as_bytes();
            let in_quotes = at > 0 && matches!(text[at - 1], b'"' | b'\'');
            if shell && !in_quotes && !to.iter().all(|&byte| is_plain(byte)) {
                new.extend(quoted(to));
            } else {
                new.extend_from_slice(to);
            }
            copied = at + step.from.as_os_str().len();
        }
        (copied > 0).then(|| {
            new.extend_from_slice(&text[copied..]);
            new
        })
    }
}

impl Move {
    /// Whether the bytes from `at` to `end` are this path, not a part of another one's name.
    fn is_meant(&self, text: &[u8], at: usize, end: usize) -> bool {
        let part_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+".contains(&byte) || byte >= 0x80;
        if text.get(end).is_some_and(|&byte| part_of_name(byte)) {
            return false;
        }
        // An option with its value, such as -I/home/x/include.
        let option = at >= 2 && text[at - 2] == b'-' && text[at - 1].is_ascii_uppercase();
        if at > 0 && part_of_name(text[at - 1]) && !option {
            return false;
        }
        let rest = &text[end..];
        let length = rest.iter().position(|byte| b"\n\r\0\"'`:;,<>()[]{}|&".contains(byte)).unwrap_or(rest.len());
        let slashes = rest[..length].iter().take_while(|&&byte| byte == b'/').count();
        self.whole || self.to.join(OsStr::from_bytes(&rest[slashes..length])).exists()
    }
}

fn rewrite_environment(root: &Path, moves: &Moves) -> Result<(), StoreError> {
    for path in files_in(&root.join("bin"))? {
        if path.symlink_metadata().is_ok_and(|found| found.len() <= LARGEST_SCRIPT) {
            rewrite_file(&path, moves)?;
        }
    }
    rewrite_file(&root.join("pyvenv.cfg"), moves)?;
    for library in files_in(&root.join("lib"))? {
        let packages = library.join("site-packages");
        if library.is_symlink() || !packages.is_dir() {
            continue;
        }
        for path in files_in(&packages)? {
            let name = path.file_name().unwrap_or_default().as_bytes();
            if name.ends_with(b".pth") || name.ends_with(b".egg-link") || name.starts_with(b"__editable__") {
                rewrite_file(&path, moves)?;
            } else if name.ends_with(b".dist-info") {
                rewrite_file(&path.join("direct_url.json"), moves)?;
            }
        }
    }
    for listed in files_in(&root.join("conda-meta"))?.iter().filter(|path| path.extension() == Some("json".as_ref())) {
        let bytes = fs::read(listed).map_err(StoreError::on("read", listed))?;
        // Those in bin/ are done.
        for path in conda_paths(&bytes, "text").iter().filter(|path| !path.starts_with("bin")) {
            rewrite_file(&root.join(path), moves)?;
        }
    }
    Ok(())
}

/// The paths in a folder, in order; none where there is no such folder.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut paths = match folder.read_dir() {
        Ok(entries) => {
            let paths: io::Result<Vec<_>> = entries.map(|entry| Ok(entry?.path())).collect();
            paths.map_err(StoreError::on("read", folder))?
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Vec::new(),
        Err(error) => return Err(StoreError::on("read", folder)(error)),
    };
    paths.sort();
    Ok(paths)
}

/// What one of conda's documents lists as a file of this mode, "text" or "binary", that holds the prefix. A document
/// of another form lists nothing.
pub(super) fn conda_paths(document: &[u8], mode: &str) -> Vec<PathBuf> {
    #[derive(Deserialize)]
    struct Package {
        paths_data: Paths,
    }
    #[derive(Deserialize)]
    struct Paths {
        paths: Vec<Listed>,
    }
    #[derive(Deserialize)]
    struct Listed {
        #[serde(rename = "_path")]
        path: PathBuf,
        #[serde(default)]
        file_mode: Option<String>,
    }
    let package = serde_json::from_slice::<Package>(document);
    let listed = package.map(|package| package.paths_data.paths).unwrap_or_default();
    let is_inside = |path: &Path| path.components().all(|part| matches!(part, Component::Normal(_)));
    let is_meant = |file: &Listed| file.file_mode.as_deref() == Some(mode) && is_inside(&file.path);
    listed.into_iter().filter(is_meant).map(|file| file.path).collect()
}

/// Rewrites a file in place, keeping its mode; one that is not there, or is a link or no text, is left alone.
fn rewrite_file(path: &Path, moves: &Moves) -> Result<(), StoreError> {
    let Ok(found) = path.symlink_metadata() else { return Ok(()) };
    if !found.is_file() {
        return Ok(());
    }
    let old = fs::read(path).map_err(StoreError::on("read", path))?;
    if memchr::memchr(0, &old).is_some() {
        return Ok(());
    }
    let shell = path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"activate"));
    let Some(mut new) = moves.rewrite(&old, shell) else { return Ok(()) };
    if let Some(script) = with_shebang_that_works(&old, &new, moves) {
        new = script;
    }
    let mut draft = Draft::new(path, found.permissions().mode() & 0o777)?;
    draft.write_all(&new).map_err(StoreError::on("write", path))?;
    draft.commit_unsynced()
}

/// A Python script whose first line has become one that the kernel would cut short or take apart: started by way of
/// the shell, to which the second line is a command, and to Python a text that ends on the third. pip does the same.
fn with_shebang_that_works(old: &[u8], new: &[u8], moves: &Moves) -> Option<Vec<u8>> {
    let first_line = |text: &[u8]| text[..memchr::memchr(b'\n', text).unwrap_or(text.len())].to_owned();
    let (before, now) = (first_line(old), first_line(new));
    let before = before.strip_prefix(b"#!")?.trim_ascii();
    let (program, arguments) = before.split_at(before.iter().position(u8::is_ascii_whitespace).unwrap_or(before.len()));
    let program = moves.rewrite(program, false)?;
    if now.len() < LONGEST_SHEBANG && !program.iter().any(u8::is_ascii_whitespace) {
        return None;
    }
    let name = Path::new(OsStr::from_bytes(&program)).file_name()?.as_bytes();
    if !name.starts_with(b"python") && !name.starts_with(b"pypy") {
        return None;
    }
    let escape = |byte: &u8| if b"\"$`\\".contains(byte) { vec![b'\\', *byte] } else { vec![*byte] };
    let program: Vec<u8> = program.iter().flat_map(escape).collect();
    let parts: [&[u8]; 6] =
        [b"#!/bin/sh\n'''exec' \"", &program, b"\"", arguments, b" \"$0\" \"$@\"\n' '''", &new[now.len()..]];
    Some(parts.concat())
}

/// Whether a shell takes it as it stands.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_./,:+@%=".contains(&byte) || byte >= 0x80
}

/// In single quotes, as every shell reads it.
fn quoted(text: &[u8]) -> Vec<u8> {
    let inner = text.iter().flat_map(|&byte| if byte == b'\'' { b"'\\''".to_vec() } else { vec![byte] });
    std::iter::once(b'\'').chain(inner).chain([b'\'']).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::Word;

    fn moved(place: &str, was: &str, tree: &str, start_in: &str) -> Moves {
        let environment = Environment { place: Word::from(place), was: Word::from(was) };
        Moves::new(&[environment], Path::new(tree), Path::new(start_in))
    }

    fn rewritten(moves: &Moves, text: &str) -> String {
        moves.rewrite(text.as_bytes(), false).map_or(text.to_owned(), |new| String::from_utf8_lossy(&new).into_owned())
    }

    #[test]
    fn only_the_path_itself_is_replaced() {
        let moves = moved(".venv", "/home/x/study/.venv", "/no/such/work", "/no/such/work");
        for (old, new) in [
            ("#!/home/x/study/.venv/bin/python3\n", "#!/no/such/work/.venv/bin/python3\n"),
            ("VIRTUAL_ENV='/home/x/study/.venv'", "VIRTUAL_ENV='/no/such/work/.venv'"),
            ("-I/home/x/study/.venv/include", "-I/no/such/work/.venv/include"),
            ("file:///home/x/study/.venv", "file:///no/such/work/.venv"),
            ("/home/x/study/.venv/a:/home/x/study/.venv/b", "/no/such/work/.venv/a:/no/such/work/.venv/b"),
            ("/home/x/study/.venv-old/bin", "/home/x/study/.venv-old/bin"),
            ("/home/x/study/.venv.bak", "/home/x/study/.venv.bak"),
            ("/mnt/home/x/study/.venv", "/mnt/home/x/study/.venv"),
            ("/home/x/study/src", "/home/x/study/src"),
            ("nothing of the kind", "nothing of the kind"),
        ] {
            assert_eq!(rewritten(&moves, old), new);
        }
    }

    #[test]
    fn paths_outside_of_the_environment_follow_what_arrived() {
        let tree = tempfile::tempdir().expect("a temporary folder");
        let tree = tree.path();
        fs::create_dir_all(tree.join("study/run/src")).expect("made");
        fs::create_dir_all(tree.join("study/lib")).expect("made");
        let tree_text = tree.to_str().expect("text");
        let moves = moved("study/run/.venv", "/home/x/study/run/.venv", tree_text, &format!("{tree_text}/study/run"));
        let check = |old: &str, new: &str| assert_eq!(rewritten(&moves, old), new.replace("TREE", tree_text));
        check("/home/x/study/run/src\n", "TREE/study/run/src\n");
        check("/home/x/study/run/other\n", "/home/x/study/run/other\n");
        check("/home/x/study/lib", "TREE/study/lib");
        check("/home/x/.local/python", "/home/x/.local/python");
        check("/home/x/study/run/.venv/x", "TREE/study/run/.venv/x");
    }

    #[test]
    fn an_environment_that_had_been_moved_before_tells_nothing_of_its_surroundings() {
        assert_eq!(moved(".venv", "/home/x/elsewhere/env", "/work", "/work").0.len(), 1);
        assert!(moved(".venv", "/.venv", "/work", "/work").0.iter().all(|step| step.whole), "the root tells nothing");
    }

    /// Where a first line is cut short, or holds a blank, there are three lines that do the same.
    #[test]
    fn shebangs_work_wherever_they_end_up() {
        let script = |tree: &str| {
            let moves = moved("e", "/home/x/e", tree, tree);
            let old = b"#!/home/x/e/bin/python3 -sE\nprint(1)\n";
            let new = moves.rewrite(old, false).expect("rewritten");
            let new = with_shebang_that_works(old, &new, &moves).unwrap_or(new);
            String::from_utf8(new).expect("text")
        };
        assert_eq!(script("/job"), "#!/job/e/bin/python3 -sE\nprint(1)\n");
        let blank = "#!/bin/sh\n'''exec' \"/my work/e/bin/python3\" -sE \"$0\" \"$@\"\n' '''\nprint(1)\n";
        assert_eq!(script("/my work"), blank);
        let deep = format!("/{}", "d".repeat(200));
        assert!(script(&deep).starts_with(&format!("#!/bin/sh\n'''exec' \"{deep}/e/bin/python3\" -sE")));
        let fits = format!("/{}", "d".repeat(LONGEST_SHEBANG - "#!//e/bin/python3 -sE\n".len()));
        assert!(script(&fits).starts_with("#!/d") && script(&format!("{fits}d")).starts_with("#!/bin/sh"));
    }

    #[test]
    fn shells_are_given_paths_with_blanks_in_quotes() {
        let moves = moved("e", "/home/x/e", "/my work", "/my work");
        let rewrite = |text: &str| String::from_utf8(moves.rewrite(text.as_bytes(), true).expect("new")).expect("text");
        assert_eq!(rewrite("A=/home/x/e/bin"), "A='/my work/e'/bin");
        assert_eq!(rewrite("A=\"/home/x/e\""), "A=\"/my work/e\"");
    }

    #[test]
    fn files_keep_their_modes_and_what_is_no_text_stays() {
        let tree = tempfile::tempdir().expect("a temporary folder");
        let env = tree.path().join("env");
        let write = |name: &str, text: &[u8], mode: u32| {
            let path = env.join(name);
            fs::create_dir_all(path.parent().expect("below")).expect("made");
            fs::write(&path, text).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
            path
        };
        let tool = write("bin/tool", b"#!/old/env/bin/python\n", 0o755);
        let binary = write("bin/binary", b"\0/old/env/bin/python\n", 0o755);
        let settings = write("pyvenv.cfg", b"home = /usr/bin\ncommand = python3 -m venv /old/env\n", 0o644);
        let pth = write("lib/python3.11/site-packages/x.pth", b"/old/env/src\n", 0o644);
        let url = write("lib/python3.11/site-packages/x-1.dist-info/direct_url.json", b"\"file:///old/env/x\"", 0o644);
        let module = write("lib/python3.11/site-packages/x.py", b"/old/env/src\n", 0o644);
        let listed = write("share/listed.txt", b"prefix /old/env\n", 0o644);
        let document = br#"{"name": "x", "paths_data": {"paths_version": 1, "paths": [
            {"_path": "share/listed.txt", "file_mode": "text"}, {"_path": "bin/binary", "file_mode": "binary"},
            {"_path": "../../escape", "file_mode": "text"}, {"_path": "share/plain.txt"}]}}"#;
        write("conda-meta/x.json", document, 0o644);
        write("conda-meta/odd.json", b"[]", 0o644);
        let environment = Environment { place: Word::from("env"), was: Word::from("/old/env") };
        relocate(&[environment], tree.path(), tree.path()).expect("rewritten");
        let read = |path: &Path| String::from_utf8_lossy(&fs::read(path).expect("there")).into_owned();
        let new = env.to_str().expect("text");
        assert_eq!(read(&tool), format!("#!{new}/bin/python\n"));
        assert_eq!(fs::metadata(&tool).expect("there").permissions().mode() & 0o111, 0o111);
        assert_eq!(read(&settings), format!("home = /usr/bin\ncommand = python3 -m venv {new}\n"));
        assert_eq!(read(&pth), format!("{new}/src\n"));
        assert_eq!(read(&url), format!("\"file://{new}/x\""));
        assert_eq!(read(&listed), format!("prefix {new}\n"));
        assert_eq!(read(&binary), "\0/old/env/bin/python\n");
        assert_eq!(read(&module), "/old/env/src\n");
        assert_eq!(conda_paths(document, "binary"), [PathBuf::from("bin/binary")]);
    }

    proptest! {
        #[test]
        fn what_names_no_old_path_is_not_touched(text in "[a-z/ \n.:\"-]{0,80}") {
            let moves = moved(".venv", "/HOME/study/.venv", "/work", "/work");
            prop_assert_eq!(moves.rewrite(text.as_bytes(), false), None);
        }

        #[test]
        fn moving_there_and_back_changes_nothing(
            pieces in prop::collection::vec(prop_oneof![Just("/old/env"), Just(" "), Just("/bin"), Just("x\n")], 0..20)
        ) {
            let text = pieces.concat();
            let there = moved("env", "/old/env", "/brand/new", "/brand/new");
            let back = moved("env", "/brand/new/env", "/old", "/old");
            prop_assert_eq!(rewritten(&back, &rewritten(&there, &text)), text);
        }
    }
}
