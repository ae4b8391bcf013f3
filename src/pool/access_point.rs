//! Whether this machine is an access point.

use std::fs;
use std::path::Path;

/// Whether a condor_schedd runs on this machine. Those of other process namespaces (a container's) do not count;
/// where other users' processes are hidden it is not known, and taken for no.
#[must_use]
pub fn is_access_point() -> bool {
    has_schedd(Path::new("/proc"))
}

fn has_schedd(proc: &Path) -> bool {
    let Ok(entries) = proc.read_dir() else { return false };
    let processes =
        entries.flatten().filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit));
    processes.map(|process| process.path()).any(|process| {
        fs::read(process.join("comm")).is_ok_and(|name| name == b"condor_schedd\n") && is_in_this_namespace(&process)
    })
}

/// proc(5), NSpid: the process's number in each namespace from this one inwards.
fn is_in_this_namespace(process: &Path) -> bool {
    let status = fs::read_to_string(process.join("status")).unwrap_or_default();
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    numbers.is_some_and(|numbers| numbers.split_whitespace().count() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedd_of_this_machine_makes_an_access_point() {
        let check = |processes: &[(&str, &str, &str)], expected: bool| {
            let proc = tempfile::tempdir().expect("a temporary folder");
            for (number, name, status) in processes {
                let folder = proc.path().join(number);
                fs::create_dir(&folder).expect("made");
                fs::write(folder.join("comm"), format!("{name}\n")).expect("written");
                fs::write(folder.join("status"), format!("Name:\t{name}\n{status}\n")).expect("written");
            }
            assert_eq!(has_schedd(proc.path()), expected, "{processes:?}");
        };
        check(&[], false);
        check(&[("1", "init", "NSpid:\t1"), ("77", "condor_master", "NSpid:\t77")], false);
        check(&[("1", "init", "NSpid:\t1"), ("78", "condor_schedd", "NSpid:\t78")], true);
        check(&[("78", "condor_schedd", "NSpid:\t78\t5")], false);
        check(&[("78", "condor_schedd", "Pid:\t78")], false);
        check(&[("self", "condor_schedd", "NSpid:\t78")], false);
        assert!(!has_schedd(Path::new("/nowhere")));
    }
}
