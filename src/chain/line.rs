//! The longest line of segments that is whole.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::plan::{Identity, Job};
use crate::record::{self, Damage, Header, Kind, Record, Segment};
use crate::space::Interval;

/// What the name of a partial ends with that was set aside: it is none any more.
const ASIDE: &str = ".damaged";

/// How closely a line is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// The state that the next segment starts from is read to the last byte; of the segments before it that they are there.
    Last,
    /// Every record is read.
    All,
}

/// The record of one segment.
#[derive(Clone, Debug)]
pub struct Link {
    /// What it says of itself.
    pub header: Header,
    /// Which segment it is.
    pub segment: Segment,
    /// The partial that it is in.
    pub path: PathBuf,
}

/// A partial that is damaged, and was set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Where it is now.
    pub path: PathBuf,
    /// The segment that it was said to be of.
    pub segment: u32,
    /// What is wrong with it.
    pub why: String,
}

/// Segments that follow one another, from the first on; none where not even that has a record.
#[derive(Debug, Default)]
pub struct Line {
    /// Their records.
    pub links: Vec<Link>,
    /// What was found damaged on the way.
    pub set_aside: Vec<SetAside>,
}

impl Link {
    /// The record that a partial says it holds, of a segment of `items`. Only its header is read.
    #[must_use]
    pub fn read(path: PathBuf, plan: Identity, items: Interval) -> Option<Self> {
        let header = record::peek(&mut File::open(&path).ok()?)?;
        let Kind::Segment(segment) = &header.kind else { return None };
        let segment = segment.clone();
        (header.plan == plan && header.items == items && segment.number > 0).then_some(Self { header, segment, path })
    }
}

impl Line {
    /// The number of the last segment, 0 where there is none.
    #[must_use]
    pub fn reached(&self) -> u32 {
        self.links.last().map_or(0, |link| link.segment.number)
    }

    /// Whether no further segment is needed.
    #[must_use]
    pub fn is_complete(&self, job: &Job) -> bool {
        let segments = job.chain.as_ref().map_or(0, crate::plan::Chain::segments);
        self.links.last().is_some_and(|link| link.segment.finished || link.segment.number >= segments)
    }
}

/// The longest whole line of chunk number `chunk`, whose one item is `items`, among the partials in `outputs`. A damaged
/// partial of it is set aside.
///
/// # Errors
/// Where the folder or a partial cannot be read, or one not be set aside.
pub fn line(outputs: &Path, job: &Job, chunk: u64, items: Interval, check: Check) -> io::Result<Line> {
    let mut known = links(outputs, job.plan, chunk, items)?;
    let mut set_aside = Vec::new();
    while let Some(line) = longest(&known) {
        let unread = if check == Check::All { &line[..] } else { &line[line.len() - 1..] };
        let mut damaged = None;
        for &place in unread {
            if let Err(why) = read(&known[place])? {
                damaged = Some((place, why));
                break;
            }
        }
        let Some((place, why)) = damaged else {
            let links = line.into_iter().map(|place| known[place].clone()).collect();
            return Ok(Line { links, set_aside });
        };
        let Link { segment, path, .. } = known.remove(place);
        let mut aside = path.clone().into_os_string();
        aside.push(ASIDE);
        match std::fs::rename(&path, &aside) {
            // Somebody else has set it aside.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            renamed => {
                renamed?;
                set_aside.push(SetAside { path: aside.into(), segment: segment.number, why });
            }
        }
    }
    Ok(Line { links: Vec::new(), set_aside })
}

/// The records of segments that say that they belong here.
fn links(outputs: &Path, plan: Identity, chunk: u64, items: Interval) -> io::Result<Vec<Link>> {
    let start = record::partial_start(chunk);
    let mut links = Vec::new();
    for name in record::Listing::read(outputs)?.partials {
        if !name.as_encoded_bytes().starts_with(start.as_bytes()) {
            continue;
        }
        let path = outputs.join(name);
        links.extend(Link::read(path, plan, items));
    }
    // Whatever the folder's order is, the same line is found.
    links.sort_by(|a, b| (b.segment.number, &a.header.attempt).cmp(&(a.segment.number, &b.header.attempt)));
    Ok(links)
}

/// The longest line by what the records say, from the first segment on; the first of several, in the order of the links.
fn longest(links: &[Link]) -> Option<Vec<usize>> {
    (0..links.len()).find_map(|last| {
        let mut line = vec![last];
        let mut link = &links[last];
        while let Some(before) = &link.segment.after {
            let number = link.segment.number.checked_sub(1)?;
            let is_it = |other: &Link| other.segment.number == number && *other.header.attempt == **before;
            let place = links.iter().position(is_it)?;
            line.push(place);
            link = &links[place];
        }
        line.reverse();
        (link.segment.number == 1).then_some(line)
    })
}

/// The record, read to its last byte; else why it is damaged.
pub(super) fn read(link: &Link) -> io::Result<Result<Record, String>> {
    let read = File::open(&link.path).and_then(|mut file| record::read(&mut file, &mut Vec::new()));
    let mut read = match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Err("it is gone".to_owned())),
        read => read?,
    };
    let damage = |damage: Damage| Ok(Err(damage.to_string()));
    match (read.damage, read.records.pop()) {
        (Some(found), _) => damage(found),
        (None, Some(record)) if record.header == link.header && read.records.is_empty() => Ok(Ok(record)),
        (None, _) => Ok(Err("it is not what it was a moment ago".to_owned())),
    }
}
