//! Inputs that HTCondor fetches by their URLs.

use std::path::{Path, PathBuf};

use super::find::FindError;
use crate::plan::{JobFiles, JobUrl, Word};

/// Names at the sandbox's top that are taken. HTCondor's own begin with a dot or with `_condor`, and a partial's ends with
/// `.part`.
const TAKEN: [&str; 6] = ["job.json", "work", "split-runner", "condor_exec.exe", "tmp", "var"];

/// Schemes whose URLs name a host.
const WITH_HOST: [&str; 8] = ["http", "https", "ftp", "s3", "gs", "dav", "davs", "gsiftp"];

/// How a URL of each scheme is most often mistyped: with one slash, or none.
const COMMON: [&str; 8] = ["http", "https", "ftp", "file", "osdf", "pelican", "stash", "s3"];

/// Characters beyond letters and digits that a URL may hold (RFC 3986) and that HTCondor passes on as they are: the
/// comma parts the list of what is transferred, `$` begins a macro, and what follows `#` never reaches a server.
const ALLOWED: &str = "-._~:/?[]@!&'()*+;=%";

/// A URL, checked, and the names that its file has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) text: String,
    /// The name that HTCondor gives the file: the last of the path, as it is written, without the query.
    pub(super) arrives: Word,
    /// The name that the program opens: the same with %20 and its like read.
    pub(super) name: Word,
}

/// Why a text is no URL that can be transferred.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// A character that HTCondor would take for something else.
    #[error("the URL {url} holds {shown}")]
    Character {
        /// The URL, on one line.
        url: String,
        /// The character, for people.
        shown: String,
        /// How it is written in a URL.
        instead: String,
    },
    /// A `%` that no two hexadecimal digits follow.
    #[error("the URL {url} holds a % that stands for nothing")]
    Percent {
        /// The URL.
        url: String,
    },
    /// Not of the form that its scheme has.
    #[error("the URL {url} {why}")]
    Malformed {
        /// The URL.
        url: String,
        /// What is missing.
        why: &'static str,
    },
    /// No file to be seen.
    #[error("the URL {url} names no file: nothing follows its last slash")]
    NoName {
        /// The URL.
        url: String,
    },
    /// A name that something else has in a job.
    #[error("the URL {url} names a file that HTCondor would put in the way of {name}")]
    Taken {
        /// The URL.
        url: String,
        /// The name.
        name: String,
    },
}

/// Whether an input is meant as a URL: a scheme and two slashes, or one that people mistype.
pub(super) fn is_meant(input: &Path) -> bool {
    let text = input.as_os_str().to_string_lossy();
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter));
    is_scheme && (rest.starts_with("//") || COMMON.contains(&scheme.to_ascii_lowercase().as_str()))
}

impl Url {
    pub(super) fn parse(input: &Path) -> Result<Self, UrlError> {
        let lossy = input.as_os_str().to_string_lossy();
        let url = || lossy.chars().flat_map(|letter| letter.escape_debug().collect::<Vec<_>>()).collect::<String>();
        if let Some(odd) = lossy.chars().find(|letter| !letter.is_ascii_alphanumeric() && !ALLOWED.contains(*letter)) {
            let shown = match odd {
                ' ' => "a blank".to_owned(),
                ',' => "a comma".to_owned(),
                odd if odd.is_control() => "a control character".to_owned(),
                odd => odd.to_string(),
            };
            let instead = odd.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect();
            return Err(UrlError::Character { url: url(), shown, instead });
        }
        let text = lossy.into_owned();
        let malformed = |why| UrlError::Malformed { url: text.clone(), why };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| malformed("has no :// after its scheme"))?;
        let address = rest.split('?').next().unwrap_or_default();
        let (host, path) = address.split_at(address.find('/').unwrap_or(address.len()));
        let scheme = scheme.to_ascii_lowercase();
        if scheme == "file" && !host.is_empty() {
            return Err(malformed("names no file of a machine's own: three slashes begin an absolute path"));
        }
        if host.is_empty() && WITH_HOST.contains(&scheme.as_str()) {
            return Err(malformed("names no host"));
        }
        let last = path.rsplit('/').next().filter(|last| !last.is_empty() && !path.is_empty());
        let last = last.ok_or_else(|| UrlError::NoName { url: text.clone() })?;
        decode(path).ok_or_else(|| UrlError::Percent { url: text.clone() })?;
        let name = decode(last).ok_or_else(|| UrlError::Percent { url: text.clone() })?;
        if name.contains(&b'/') || name.contains(&0) || name == b"." || name == b".." {
            return Err(malformed("names no file: its last part cannot be a name"));
        }
        let is_taken = |name: &str| {
            TAKEN.contains(&name) || name.starts_with('.') || name.starts_with("_condor") || name.ends_with(".part")
        };
        if is_taken(last) {
            return Err(UrlError::Taken { url: text.clone(), name: last.to_owned() });
        }
        let arrives = Word::from(last);
        Ok(Self { name: Word::from(name), arrives, text })
    }
}

/// The places of what is fetched: in the folder that the program starts in.
pub(super) fn url_places(urls: &[Url], files: &JobFiles) -> Result<Vec<JobUrl>, FindError> {
    let start_in = Path::new(files.start_in.as_os_str());
    let mut placed: Vec<JobUrl> = Vec::new();
    for url in urls {
        let place = start_in.join(url.name.as_os_str());
        let url = JobUrl {
            url: url.text.clone(),
            arrives: url.arrives.clone(),
            place: place.clone().into_os_string().into(),
        };
        if placed.contains(&url) {
            continue;
        }
        let there = |other: &Word| Path::new(other.as_os_str()).starts_with(&place);
        let same_url = placed.iter().find(|other| other.arrives == url.arrives || there(&other.place));
        let same_file = files.files.iter().find(|file| there(&file.place)).map(|file| &file.source);
        let same_link = files.links.iter().map(|link| &link.place).chain(&files.folders).find(|place| there(place));
        let first = same_url.map(|other| PathBuf::from(&other.url));
        let first = first.or_else(|| same_file.or(same_link).map(|other| PathBuf::from(other.as_os_str())));
        if let Some(first) = first {
            return Err(FindError::SamePlace { first, second: url.url.into(), place });
        }
        placed.push(url);
    }
    Ok(placed)
}

/// Reads %20 and its like; `None` where a % stands for nothing.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = rest.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = &rest[2..];
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Result<(String, String), String> {
        let url = Url::parse(Path::new(text)).map_err(|error| error.to_string())?;
        let show = |word: &Word| String::from_utf8_lossy(word.as_bytes()).into_owned();
        assert_eq!(url.text, text, "passed on untouched");
        Ok((show(&url.arrives), show(&url.name)))
    }

    #[test]
    fn a_file_is_named_by_the_last_of_its_path() {
        let check = |text: &str, arrives: &str, name: &str| {
            assert_eq!(parsed(text), Ok((arrives.to_owned(), name.to_owned())), "{text}");
        };
        check("osdf:///ospool/ap20/data/x.csv", "x.csv", "x.csv");
        check("https://host:8080/x.csv?version=2&a=/b/c", "x.csv", "x.csv");
        check("file:///data/my%20file.csv", "my%20file.csv", "my file.csv");
        check("s3://bucket/x.csv", "x.csv", "x.csv");
        check("https://user@host/a;b='c'", "a;b='c'", "a;b='c'");
        check("new+scheme://host/x", "x", "x");
    }

    #[test]
    fn what_cannot_be_transferred_is_said() {
        let check = |text: &str, message: &str| assert_eq!(parsed(text), Err(message.to_owned()), "{text}");
        check("https://h/a,b", "the URL https://h/a,b holds a comma");
        check("https://h/a b", "the URL https://h/a b holds a blank");
        check("https://h/a\nb", "the URL https://h/a\\nb holds a control character");
        check("https://h/$(x)", "the URL https://h/$(x) holds $");
        check("https://h/a#b", "the URL https://h/a#b holds #");
        check("https://h/\"a", "the URL https://h/\\\"a holds \"");
        check("https://h/größe", "the URL https://h/größe holds ö");
        check("https://h/100%", "the URL https://h/100% holds a % that stands for nothing");
        check("https://h/", "the URL https://h/ names no file: nothing follows its last slash");
        check("https://h", "the URL https://h names no file: nothing follows its last slash");
        check("https:///x", "the URL https:///x names no host");
        check("https:/h/x", "the URL https:/h/x has no :// after its scheme");
        check("https://h/a%2Fb", "the URL https://h/a%2Fb names no file: its last part cannot be a name");
        check("https://h/..", "the URL https://h/.. names no file: its last part cannot be a name");
        let taken =
            |name: &str| format!("the URL https://h/{name} names a file that HTCondor would put in the way of {name}");
        for name in ["job.json", "work", "condor_exec.exe", ".job.ad", "_condor_stdout", "chunk-000001.0-0.part"] {
            check(&format!("https://h/{name}"), &taken(name));
        }
        let file = "names no file of a machine's own: three slashes begin an absolute path";
        check("file://data/x", &format!("the URL file://data/x {file}"));
    }

    #[test]
    fn urls_are_told_from_paths() {
        for text in ["osdf:///x", "http://h/x", "https:/h/x", "file:x", "My-scheme://x"] {
            assert!(is_meant(Path::new(text)), "{text}");
        }
        for text in ["data.csv", "a:b", "C:/x", "./http://x", "http", "://x", "1a://x"] {
            assert!(!is_meant(Path::new(text)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_one_word_of_a_list(text in "[a-z]{1,5}://[ -~]{0,30}") {
            if let Ok(url) = Url::parse(Path::new(&text)) {
                prop_assert!(!url.text.contains([',', ' ', '$', '"', '\\', '#']));
                prop_assert!(!url.name.as_bytes().is_empty() && !url.name.as_bytes().contains(&b'/'));
            }
        }

        #[test]
        fn any_bytes_can_be_written_with_percents(bytes in prop::collection::vec(any::<u8>(), 0..20)) {
            let text: String = bytes.iter().map(|byte| format!("%{byte:02x}")).collect();
            prop_assert_eq!(decode(&text), Some(bytes));
        }
    }
}
