//! Reading a profile.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Origin, Profile, Set, SiteError};
use crate::plan::{Size, SubmitLine, SubmitLineError, check_condition};

/// The settings at the top of a profile.
const KEYS: [&str; 15] = [
    "name",
    "target",
    "shared-filesystem",
    "max-transfer",
    "retries",
    "memory",
    "disk",
    "submit",
    "requirements",
    "gpus",
    "containers",
    "container-mode",
    "reduce",
    "throttles",
    "access-point",
];
const THROTTLES: [&str; 4] = ["max-idle", "max-jobs", "max-submits", "max-scripts"];
const ACCESS_POINT: [&str; 3] = ["threads", "niceness", "probe"];

/// What the lines of `gpus` and of `containers` may set, though the plan sets it otherwise.
const OF_GPUS: [&str; 1] = ["request_gpus"];
const OF_CONTAINERS: [&str; 3] = ["universe", "container_image", "docker_image"];

/// Commands of a submit file, and the setting of a profile that stands for each.
const SETTINGS: [(&str, &str); 8] = [
    ("request_memory", "memory"),
    ("request_disk", "disk"),
    ("max_retries", "retries"),
    ("should_transfer_files", "shared-filesystem"),
    ("request_gpus", "gpus"),
    ("universe", "containers"),
    ("container_image", "containers"),
    ("docker_image", "containers"),
];

/// In an example, what follows is to be filled in.
const FILL_IN: &str = "FILL-IN";

impl Profile {
    /// Reads the `text` of the file at `path`.
    ///
    /// # Errors
    /// Where it is no TOML, or a key or value makes no sense; the first such in the order of the keys.
    pub fn read(path: &Path, text: &str) -> Result<Self, SiteError> {
        let file = File { path, text };
        let table = DeTable::parse(text).map_err(|error| SiteError::Syntax {
            origin: file.origin(error.span().unwrap_or_default()),
            why: error.message().replace('\n', "; "),
        })?;
        let table = Table { file, name: "", entries: table.get_ref() };
        table.check_keys(&KEYS)?;
        let throttles = table.below("throttles")?;
        let access_point = table.below("access-point")?;
        throttles.check_keys(&THROTTLES)?;
        access_point.check_keys(&ACCESS_POINT)?;
        Ok(Self {
            name: table.one("name", |value| text_of(value).map(str::to_owned))?,
            target: table.one("target", duration)?,
            shared_filesystem: table.one("shared-filesystem", truth)?,
            max_transfer: table.one("max-transfer", size)?,
            retries: table.one("retries", |value| whole(value, 0, 1000))?,
            memory: table.one("memory", size)?,
            disk: table.one("disk", size)?,
            submit: table.many("submit", submit_line)?,
            requirements: table.many("requirements", |value| {
                check_condition(value).map(|()| value.trim().to_owned()).map_err(|error| error.to_string())
            })?,
            gpus: table.spelling("gpus", "{gpus}", &OF_GPUS)?,
            containers: table.spelling("containers", "{image}", &OF_CONTAINERS)?,
            container_mode: table.one("container-mode", choice)?,
            reduce: table.one("reduce", choice)?,
            max_idle: throttles.one("max-idle", |value| whole(value, 0, u32::MAX))?,
            max_jobs: throttles.one("max-jobs", |value| whole(value, 0, u32::MAX))?,
            max_submits: throttles.one("max-submits", |value| whole(value, 1, u32::MAX))?,
            max_scripts: throttles.one("max-scripts", |value| whole(value, 0, u32::MAX))?,
            threads: access_point.one("threads", |value| whole(value, 1, u16::MAX))?,
            niceness: access_point.one("niceness", |value| whole(value, 0, 19))?,
            probe: access_point.one("probe", truth)?,
        })
    }
}

#[derive(Clone, Copy)]
struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    fn origin(&self, span: Range<usize>) -> Origin {
        let before = self.text.as_bytes().get(..span.start).unwrap_or_default();
        Origin { file: self.path.to_owned(), line: before.iter().filter(|&&byte| byte == b'\n').count() + 1 }
    }
}

/// A table of a file; one that is not there is empty.
struct Table<'a> {
    file: File<'a>,
    /// Empty at the top.
    name: &'static str,
    entries: &'a DeTable<'a>,
}

type Value<'a> = Spanned<DeValue<'a>>;

impl<'a> Table<'a> {
    fn check_keys(&self, known: &[&'static str]) -> Result<(), SiteError> {
        for (key, _) in self.entries {
            let text: &str = key.get_ref();
            if !known.contains(&text) {
                let alike = known.iter().map(|known| (strsim::jaro_winkler(known, text), *known));
                let meant = alike.filter(|(likeness, _)| *likeness > 0.8).max_by(|a, b| a.0.total_cmp(&b.0));
                let (origin, key) = (self.file.origin(key.span()), self.full(text));
                return Err(SiteError::Unknown { origin, key, meant: meant.map(|(_, name)| name) });
            }
        }
        Ok(())
    }

    fn below(&self, name: &'static str) -> Result<Self, SiteError> {
        static EMPTY: std::sync::OnceLock<DeTable<'static>> = std::sync::OnceLock::new();
        let Some(value) = self.entries.get(name) else {
            return Ok(Self { file: self.file, name, entries: EMPTY.get_or_init(DeTable::new) });
        };
        let due = || format!("a table is due, [{name}], not {}", value.get_ref().type_str());
        let entries = value.get_ref().as_table().ok_or_else(|| self.wrong(name, value, due()))?;
        Ok(Self { file: self.file, name, entries })
    }

    /// The value of a key, if it is there.
    fn one<T>(&self, key: &str, read: impl Fn(&DeValue<'_>) -> Result<T, String>) -> Result<Option<Set<T>>, SiteError> {
        let Some(value) = self.entries.get(key) else { return Ok(None) };
        if let Some(text) = value.get_ref().as_str() {
            self.check_filled_in(key, text, value)?;
        }
        let read = read(value.get_ref()).map_err(|why| self.wrong(key, value, why))?;
        Ok(Some(Set { value: read, origin: self.file.origin(value.span()) }))
    }

    /// The texts of a key: one, or a list of them.
    fn many(&self, key: &str, read: impl Fn(&str) -> Result<String, String>) -> Result<Vec<Set<String>>, SiteError> {
        let Some(value) = self.entries.get(key) else { return Ok(Vec::new()) };
        let values: Vec<&Value<'_>> = match value.get_ref().as_array() {
            Some(list) => list.iter().collect(),
            None => vec![value],
        };
        let read = |value: &&Value<'_>| {
            let text = text_of(value.get_ref()).map_err(|why| self.wrong(key, value, why))?;
            self.check_filled_in(key, text, value)?;
            let text = read(text).map_err(|why| self.wrong(key, value, format!("`{text}`: {why}")))?;
            Ok(Set { value: text, origin: self.file.origin(value.span()) })
        };
        values.iter().map(read).collect()
    }

    /// How something is spelled in a submit file: lines that may set what is `allowed`, at least one of which names
    /// `variable` and is no requirement.
    fn spelling(&self, key: &str, variable: &str, allowed: &[&str]) -> Result<Option<Set<Vec<String>>>, SiteError> {
        let Some(value) = self.entries.get(key) else { return Ok(None) };
        let requirement =
            |text: &str| SubmitLine::parse(text)?.requirement_where(allowed).map(|condition| condition.is_some());
        let check = |text: &str| requirement(text).map(|_| text.to_owned()).map_err(|error| why_not(&error));
        let lines: Vec<_> = self.many(key, check)?.into_iter().map(|line| line.value).collect();
        if !lines.iter().any(|line| line.contains(variable) && requirement(line) == Ok(false)) {
            return Err(self.wrong(key, value, format!("none of its lines has {variable} in it")));
        }
        Ok(Some(Set { value: lines, origin: self.file.origin(value.span()) }))
    }

    fn check_filled_in(&self, key: &str, text: &str, value: &Value<'_>) -> Result<(), SiteError> {
        let Some((_, what)) = text.split_once(FILL_IN) else { return Ok(()) };
        let name = SubmitLine::parse(text).map(|line| line.name.trim_start_matches('+').to_owned());
        Err(SiteError::FillIn {
            origin: self.file.origin(value.span()),
            name: name.unwrap_or_else(|_| self.full(key)),
            what: what.trim_matches([' ', ':', '"', '\'']).to_owned(),
        })
    }

    fn wrong(&self, key: &str, value: &Value<'_>, why: String) -> SiteError {
        SiteError::Value { origin: self.file.origin(value.span()), key: self.full(key), why }
    }

    fn full(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }
}

fn text_of<'a>(value: &'a DeValue<'_>) -> Result<&'a str, String> {
    match value.as_str() {
        Some(text) if text.contains(['\n', '\r', '\0']) => Err("one line is due".to_owned()),
        Some(text) => Ok(text),
        None => Err(format!("a text between quotes is due, not {}", value.type_str())),
    }
}

fn truth(value: &DeValue<'_>) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("true or false is due, not {}", value.type_str()))
}

fn size(value: &DeValue<'_>) -> Result<Size, String> {
    text_of(value)?.parse().map_err(|error: crate::plan::SizeError| error.to_string())
}

fn duration(value: &DeValue<'_>) -> Result<Duration, String> {
    let text = text_of(value)?;
    match humantime::parse_duration(text) {
        Ok(duration) if duration.is_zero() => Err("more than no time is due".to_owned()),
        Ok(duration) => Ok(duration),
        Err(_) => Err(format!("`{text}` is no time: write it as 10m, 90s or 1h 30m")),
    }
}

fn choice<T: std::str::FromStr<Err = &'static str>>(value: &DeValue<'_>) -> Result<T, String> {
    let text = text_of(value)?;
    text.parse().map_err(|known| format!("`{text}`: {known}"))
}

fn submit_line(text: &str) -> Result<String, String> {
    let line = SubmitLine::parse(text).map_err(|error| error.to_string())?;
    match line.requirement() {
        Ok(None) => Ok(text.to_owned()),
        Ok(Some(_)) => Err("conditions have a setting of their own: requirements = [...]".to_owned()),
        Err(error) => Err(why_not(&error)),
    }
}

/// Why a line cannot stand in a profile, and what can.
fn why_not(error: &SubmitLineError) -> String {
    let SubmitLineError::Ours { name, instead } = error else { return error.to_string() };
    match SETTINGS.iter().find(|(command, _)| command == name) {
        Some((_, setting)) => format!("{error}: there is a setting for it, {setting} = ..."),
        None => format!("{error}: {instead}"),
    }
}

fn whole<T: TryFrom<i64> + Into<u64> + Copy>(value: &DeValue<'_>, least: u32, most: T) -> Result<T, String> {
    let digits = value.as_integer().map(|number| i64::from_str_radix(number.as_str(), number.radix()));
    let number = digits.and_then(Result::ok);
    let fits = |number: &i64| *number >= i64::from(least) && u64::try_from(*number).is_ok_and(|it| it <= most.into());
    number
        .filter(fits)
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| format!("a whole number from {least} to {} is due", most.into()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn error(text: &str) -> String {
        Profile::read(Path::new("site.toml"), text).expect_err(text).to_string()
    }

    #[test]
    fn what_makes_no_sense_is_named_with_its_line() {
        let cases = [
            "name = \"x\"\nmemory == 2",
            "nmae = \"x\"",
            "name = 'x'\nmax_transfer = '1TB'",
            "wholly-other = 1",
            "[throttles]\nmax-idel = 3",
            "throttles = 3",
            "name = 3",
            "name = \"\"\"two\nlines\"\"\"",
            "target = '0s'",
            "target = 'soon'",
            "shared-filesystem = 'yes'",
            "max-transfer = '100'",
            "retries = -1",
            "retries = 2.5",
            "retries = 10000000000",
            "memory = 2048",
            "disk = 'lots'",
            "submit = [\n  '+Project = \"x\"',\n  'queue',\n]",
            "submit = ['request_memory = 3GB']",
            "submit = ['requirements = HasAVX2']",
            "submit = ['+Requirements = HasAVX2']",
            "submit = [3]",
            "requirements = ['HasA', '(HasB']",
            "requirements = ''",
            "gpus = ['request_gpus = 1']",
            "gpus = ['{gpus}']",
            "gpus = ['requirements = GPUs >= {gpus}']",
            "gpus = ['request_gpus = {gpus}', 'requirements = (A']",
            "gpus = ['request_gpus = {gpus}', '+Requirements = A']",
            "gpus = ['request_gpus = {gpus}', 'RequestMemory = 4096']",
            "gpus = ['request_gpus = {gpus}', 'universe = vanilla']",
            "containers = ['container_image = {image}', 'transfer_executable = false']",
            "submit = ['docker_image = x']",
            "submit = ['elsewhere = true']",
            "name = 'FILL-IN'",
            "containers = []",
            "container-mode = 'docker'",
            "reduce = 'here'",
            "[throttles]\nmax-submits = 0",
            "[throttles]\nmax-jobs = \"many\"",
            "[access-point]\nthreads = 0",
            "[access-point]\nniceness = 20",
            "# a comment\nsubmit = ['+ProjectName = \"FILL-IN: the name of your project\"']",
            "name = 'FILL-IN: who you are'",
            "name = 'a'\nname = 'b'",
        ];
        let said: Vec<_> = cases.iter().map(|text| error(text)).collect();
        insta::assert_snapshot!(said.join("\n"));
    }

    #[test]
    fn an_unknown_key_may_be_meant_as_another() {
        let meant = |text: &str| match Profile::read(Path::new("x"), text) {
            Err(SiteError::Unknown { meant, .. }) => meant,
            other => panic!("{other:?}"),
        };
        assert_eq!(meant("max_transfer = '1TB'"), Some("max-transfer"));
        assert_eq!(meant("[throttles]\nmaxidle = 3"), Some("max-idle"));
        assert_eq!(meant("zzz = 3"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_judged(text in "[a-z\\-]{0,12} ?= ?[\\PC\n'\"\\[\\]]{0,20}") {
            let _ = Profile::read(Path::new("x"), &text);
        }
    }
}
