//! Where profiles are looked for.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Profile, SiteError};

/// A place where a profile was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// Who asked for it.
    pub asked: Asked,
    /// Whether it is there.
    pub found: bool,
}

/// Who asked for a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// It is the machine's.
    Machine,
    /// It is the user's.
    User,
    /// It was named on the command line.
    Named,
}

/// What applies here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The settings, later files' over earlier ones'.
    pub profile: Profile,
    /// The places, in the order in which they were read.
    pub places: Vec<Place>,
}

/// Reads the profiles that apply here: the machine's, the user's, and `named`, which has to be there.
///
/// # Errors
/// Where a profile cannot be read or makes no sense.
pub fn find(named: Option<&Path>) -> Result<Site, SiteError> {
    let mut places = vec![(PathBuf::from("/etc/split/site.toml"), Asked::Machine)];
    places.extend(user_file().map(|path| (path, Asked::User)));
    places.extend(named.map(|path| (path.to_owned(), Asked::Named)));
    read_all(places)
}

/// `$XDG_CONFIG_HOME/split/site.toml`; as that variable's specification has it, a relative path does not count.
fn user_file() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?;
    Some(folder.join("split/site.toml"))
}

fn read_all(places: Vec<(PathBuf, Asked)>) -> Result<Site, SiteError> {
    let mut site = Site { profile: Profile::default(), places: Vec::new() };
    for (path, asked) in places {
        let missing =
            |error: &io::Error| matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
        let found = match fs::read_to_string(&path) {
            Ok(text) => {
                site.profile = site.profile.then(Profile::read(&path, &text)?);
                true
            }
            Err(error) if missing(&error) && asked != Asked::Named => false,
            Err(source) => return Err(SiteError::Unreadable { path, source }),
        };
        site.places.push(Place { path, asked, found });
    }
    Ok(site)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_first_then_the_user_then_what_was_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("written");
            path
        };
        let machine = file("machine", "name = 'machine'\nretries = 1\nmemory = '1GB'");
        let user = file("user", "retries = 2\nmemory = '2GB'");
        let named = file("named", "memory = '3GB'");
        let absent = folder.path().join("absent");
        let all =
            [(machine, Asked::Machine), (absent.clone(), Asked::User), (user, Asked::User), (named, Asked::Named)];
        let site = read_all(all.into()).expect("read");
        assert_eq!(site.places.iter().map(|place| place.found).collect::<Vec<_>>(), [true, false, true, true]);
        let profile = site.profile;
        let shown = (
            profile.name.map(|set| set.value),
            profile.retries.map(|set| set.value),
            profile.memory.map(|set| set.value.to_string()),
        );
        assert_eq!(shown, (Some("machine".to_owned()), Some(2), Some("3GB".to_owned())));
        let error = read_all(vec![(absent.clone(), Asked::Named)]).expect_err("named and not there");
        assert_eq!(error.to_string(), format!("cannot read the site profile {}", absent.display()));
        let folder = read_all(vec![(folder.path().to_owned(), Asked::Machine)]).expect_err("a folder");
        assert!(matches!(folder, SiteError::Unreadable { .. }));
    }
}
