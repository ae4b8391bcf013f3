//! Fetching a URL on this machine, as HTCondor would on an execute point.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::find::is_on_path;
use super::url::decode;
use crate::store::StoreError;

/// Fetches `url` into the file `to`.
///
/// # Errors
/// Where it cannot be fetched, with the last that its client said; where this machine has no client for it.
pub fn fetch(url: &str, to: &Path) -> Result<(), StoreError> {
    let failed = StoreError::on("fetch", Path::new(url));
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let scheme = scheme.to_ascii_lowercase();
    if scheme == "file" {
        let path = decode(rest.split('?').next().unwrap_or_default()).map(OsString::from_vec).unwrap_or_default();
        return fs::copy(PathBuf::from(path), to).map(drop).map_err(failed);
    }
    let clients = clients(&scheme, url.as_ref(), to.as_os_str());
    let Some(words) = clients.iter().find(|words| is_on_path(words[0], None)) else {
        let names: Vec<_> = clients.iter().map(|words| words[0].to_string_lossy()).collect();
        let why = match names.is_empty() {
            true => format!("split run has no way to fetch {scheme}://"),
            false => format!("{scheme}:// is fetched with {}, and this machine has none", names.join(" or ")),
        };
        let why = format!("{why}: fetch it by other means, and give --input the file instead of the URL");
        return Err(failed(io::Error::new(io::ErrorKind::Unsupported, why)));
    };
    let done = Command::new(words[0]).args(&words[1..]).stdin(Stdio::null()).output();
    match done {
        Err(error) => Err(failed(error)),
        Ok(done) if done.status.success() && to.is_file() => Ok(()),
        Ok(done) => {
            let said = [done.stdout, done.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
            let last = said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it said nothing");
            Err(failed(io::Error::other(format!("{}: {last}", words[0].display()))))
        }
    }
}

/// The commands that fetch a URL, the best first.
fn clients<'a>(scheme: &str, url: &'a OsStr, to: &'a OsStr) -> Vec<Vec<&'a OsStr>> {
    fn words<'a>(program: &'a [&'static str], places: &[&'a OsStr]) -> Vec<&'a OsStr> {
        program.iter().map(OsStr::new).chain(places.iter().copied()).collect()
    }
    match scheme {
        "http" | "https" | "ftp" => vec![
            words(&["curl", "--fail", "--silent", "--show-error", "--location", "--output"], &[to, url]),
            words(&["wget", "--no-verbose", "--output-document"], &[to, url]),
        ],
        "osdf" | "pelican" | "stash" => {
            vec![words(&["pelican", "object", "get"], &[url, to]), words(&["stashcp"], &[url, to])]
        }
        "s3" => vec![words(&["aws", "s3", "cp", "--only-show-errors"], &[url, to])],
        "gs" => vec![words(&["gsutil", "-q", "cp"], &[url, to])],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_copied_and_their_names_read() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("my data.csv"), "text").expect("written");
        let (url, to) = (format!("file://{}/my%20data.csv", folder.path().display()), folder.path().join("copy"));
        fetch(&url, &to).expect("fetched");
        assert_eq!(fs::read_to_string(&to).expect("there"), "text");
        let error = fetch("file:///no/such/file", &to).expect_err("none");
        assert_eq!(error.to_string(), "cannot fetch file:///no/such/file");
    }

    #[test]
    fn schemes_without_a_client_are_said() {
        let error = fetch("gopher://host/x", Path::new("/dev/null")).expect_err("none");
        assert_eq!(
            error.source.to_string(),
            "split run has no way to fetch gopher://: fetch it by other means, and give --input the file instead of the URL"
        );
    }
}
