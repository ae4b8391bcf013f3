//! What holds of whatever attempts at the segments have left: the line that is found is whole, from the first segment on, and no
//! other is longer; what it is joined to depends on nothing but its records.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::Path;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::{Check, Line, is_joined, join, line};
use crate::cut::Cut;
use crate::plan::testing::plan;
use crate::plan::{Identity, Job};
use crate::record::{self, EntryReader, Head, Header, Kind, Segment, partial_name, write, write_file_head, write_head};
use crate::space::Interval;

/// The chunk whose one item the segments are of.
const CHUNK: u64 = 3;

/// An attempt at a segment, as it is drawn.
#[derive(Clone, Debug)]
struct Drawn {
    number: u32,
    /// Which of the attempts before it, of those at the segment before its own, it went on from.
    after: Index,
    origin: Origin,
    fate: Fate,
    yielded: Vec<u8>,
    files: BTreeMap<&'static str, Vec<u8>>,
    state: Vec<u8>,
}

/// What an attempt says that it went on from.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Origin {
    /// What it has to: an attempt at the segment before, or nothing if it is the first.
    Right,
    /// An attempt that left nothing.
    Gone,
    /// Nothing.
    Nothing,
}

/// What has become of a partial.
#[derive(Clone, Debug)]
enum Fate {
    Whole,
    Missing,
    /// A bit of the header is another one.
    Header(Index),
    /// A bit behind the header is another one.
    Payload(Index),
    /// It ends somewhere behind the header.
    Cut(Index),
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let fate = prop_oneof![
        6 => Just(Fate::Whole),
        1 => Just(Fate::Missing),
        1 => any::<Index>().prop_map(Fate::Header),
        1 => any::<Index>().prop_map(Fate::Payload),
        1 => any::<Index>().prop_map(Fate::Cut),
    ];
    let origin = prop_oneof![10 => Just(Origin::Right), 1 => Just(Origin::Gone), 1 => Just(Origin::Nothing)];
    let files = btree_map(select(vec!["traj.xtc", "log", "a/b.png"]), vec(any::<u8>(), 0..20), 0..3);
    // What is longer than a few hundred bytes stays in its file.
    let state = prop_oneof![vec(any::<u8>(), 0..20), vec(any::<u8>(), 600..700)];
    (1u32..6, any::<Index>(), origin, fate, vec(any::<u8>(), 0..20), files, state).prop_map(
        |(number, after, origin, fate, yielded, files, state)| Drawn {
            number,
            after,
            origin,
            fate,
            yielded,
            files,
            state,
        },
    )
}

/// An attempt in its place.
#[derive(Clone, Debug)]
struct Attempt {
    drawn: Drawn,
    name: String,
    segment: Segment,
    /// The attempt that it went on from, if there was one.
    parent: Option<usize>,
}

#[derive(Clone, Debug)]
struct Tree(Vec<Attempt>);

/// Some attempts. The lower segments come first, so that many go on from others.
fn tree() -> impl Strategy<Value = Tree> {
    vec(drawn(), 0..16).prop_map(|mut all| {
        all.sort_by_key(|drawn| drawn.number);
        let mut tree = Tree(Vec::new());
        for (place, drawn) in all.into_iter().enumerate() {
            let before: Vec<_> = (0..place).filter(|&before| tree.0[before].drawn.number + 1 == drawn.number).collect();
            let has_parent = drawn.origin == Origin::Right && !before.is_empty();
            let parent = has_parent.then(|| before[drawn.after.index(before.len())]);
            let after = match (parent, drawn.origin) {
                (Some(parent), _) => Some(tree.0[parent].name.clone()),
                (None, Origin::Nothing) => None,
                (None, Origin::Right) if drawn.number == 1 => None,
                (None, _) => Some("gone".to_owned()),
            };
            let segment = Segment { number: drawn.number, after, finished: false };
            // In another order than they were drawn in.
            let name = Identity::of_bytes(&place.to_le_bytes()).short();
            tree.0.push(Attempt { drawn, name, segment, parent });
        }
        tree
    })
}

impl Tree {
    /// Which attempts a line that ends with this one consists of, from the first segment on.
    fn line(&self, last: usize) -> Option<Vec<usize>> {
        let mut line = vec![last];
        let mut place = last;
        while let Some(parent) = self.0[place].parent {
            line.push(parent);
            place = parent;
        }
        line.reverse();
        let first = &self.0[place].segment;
        (first.after.is_none() && first.number == 1).then_some(line)
    }

    /// The longest line of those that `counts`; of several the one whose last attempt has the first name.
    fn longest(&self, counts: impl Fn(&[usize]) -> bool) -> Vec<usize> {
        let lines = (0..self.0.len()).filter_map(|last| self.line(last)).filter(|line| counts(line));
        let key = |line: &Vec<usize>| {
            let last = &self.0[line[line.len() - 1]];
            (std::cmp::Reverse(line.len()), last.name.clone())
        };
        lines.min_by_key(key).unwrap_or_default()
    }

    fn is_whole(&self, place: usize) -> bool {
        matches!(self.0[place].drawn.fate, Fate::Whole)
    }

    fn has_header(&self, place: usize) -> bool {
        !matches!(self.0[place].drawn.fate, Fate::Missing | Fate::Header(_))
    }

    /// Lays the partials down in `outputs`, in the order of `places`.
    fn lay(&self, outputs: &Path, job: &Job, places: impl Iterator<Item = usize>, headers_too: bool) {
        fs::create_dir(outputs).expect("made");
        for place in places {
            let attempt = &self.0[place];
            let mut bytes = attempt.bytes(job);
            let header = bytes.iter().position(|&byte| byte == b'\n').expect("a line");
            match &attempt.drawn.fate {
                Fate::Whole => {}
                Fate::Header(bit) if headers_too => flip(&mut bytes[..header], bit),
                Fate::Missing | Fate::Header(_) => continue,
                Fate::Payload(bit) => flip(&mut bytes[header + 1..], bit),
                Fate::Cut(at) => bytes.truncate(header + 1 + at.index(bytes.len() - header - 1)),
            }
            fs::write(outputs.join(partial_name(CHUNK, &attempt.name)), bytes).expect("written");
        }
    }

    /// The result of a line and its files, as the item has them.
    fn joined(&self, line: &[usize]) -> (Vec<u8>, Vec<(String, Vec<u8>)>) {
        let drawn = || line.iter().map(|&place| &self.0[place].drawn);
        let times = |name: &str| drawn().filter(|drawn| drawn.files.contains_key(name)).count();
        let name = |name: &str, number: u32| match name {
            _ if times(name) < 2 => name.to_owned(),
            "traj.xtc" => format!("traj-segment{number:04}.xtc"),
            "a/b.png" => format!("a/b-segment{number:04}.png"),
            other => format!("{other}-segment{number:04}"),
        };
        let files = drawn().flat_map(|drawn| {
            drawn.files.iter().map(|(file, content)| (name(file, drawn.number), content.clone())).collect::<Vec<_>>()
        });
        (drawn().flat_map(|drawn| drawn.yielded.clone()).collect(), files.collect())
    }
}

impl Attempt {
    /// Its partial as it was written.
    fn bytes(&self, job: &Job) -> Vec<u8> {
        let Drawn { yielded, files, state, .. } = &self.drawn;
        let mut payload = Vec::new();
        let head = Head::Result { bytes: yielded.len() as u64, files: files.len() as u64 };
        write_head(&mut payload, head).expect("in memory");
        payload.extend_from_slice(yielded);
        for (name, content) in files {
            write_file_head(&mut payload, name.as_bytes(), content.len() as u64).expect("in memory");
            payload.extend_from_slice(content);
        }
        write_head(&mut payload, Head::Result { bytes: 0, files: 1 }).expect("in memory");
        write_file_head(&mut payload, b"state", state.len() as u64).expect("in memory");
        payload.extend_from_slice(state);
        let header = Header {
            plan: job.plan,
            code: Identity::of_bytes(b"code"),
            items: items(),
            kind: Kind::Segment(self.segment.clone()),
            seconds: 1.5,
            host: "ep1".into(),
            attempt: self.name.as_str().into(),
        };
        let mut crc = crc32fast::Hasher::new();
        crc.update(&payload);
        let mut bytes = Vec::new();
        write(&mut bytes, &header, &mut &payload[..], payload.len() as u64, &crc).expect("in memory");
        bytes
    }
}

fn items() -> Interval {
    Interval::new(3, 4).expect("an item")
}

fn flip(bytes: &mut [u8], bit: &Index) {
    let bit = bit.index(bytes.len() * 8);
    bytes[bit / 8] ^= 1 << (bit % 8);
}

fn names(line: &Line) -> Vec<&str> {
    line.links.iter().map(|link| &*link.header.attempt).collect()
}

/// The one entry of the joined record: its result and its files.
fn entry(path: &Path) -> (Vec<u8>, Vec<(String, Vec<u8>)>) {
    let read = record::read(&mut File::open(path).expect("there"), &mut Vec::new()).expect("read");
    assert!(read.damage.is_none() && read.records.len() == 1);
    let mut entries = EntryReader::new(BufReader::new(read.records[0].payload.reader(path).expect("there")));
    let (mut result, mut files) = (Vec::new(), Vec::new());
    let Some(Head::Result { bytes, .. }) = entries.entry().expect("read") else { panic!("no result") };
    (&mut entries).take(bytes).read_to_end(&mut result).expect("read");
    while let Some(file) = entries.file().expect("read") {
        let mut content = Vec::new();
        (&mut entries).take(file.bytes).read_to_end(&mut content).expect("read");
        files.push((String::from_utf8(file.name).expect("plain"), content));
    }
    assert!(entries.entry().expect("read").is_none());
    (result, files)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_longest_whole_line_is_found_and_joined_whatever_the_order(tree in tree(), check in select(vec![Check::Last, Check::All])) {
        let job = plan("10", Cut::into_chunks(10, 10).expect("a cut")).job();
        let dir = tempfile::tempdir().expect("a temporary folder");
        // A header in which a bit has changed is found out when its record is read, which of those before the last it is not.
        let all = check == Check::All;
        let expected = match check {
            Check::All => tree.longest(|line| line.iter().all(|&place| tree.is_whole(place))),
            Check::Last => tree.longest(|line| {
                let (last, before) = line.split_last().expect("a link");
                tree.is_whole(*last) && before.iter().all(|&place| tree.has_header(place))
            }),
        };
        let places = 0..tree.0.len();
        let (forwards, backwards) = (dir.path().join("forwards"), dir.path().join("backwards"));
        tree.lay(&forwards, &job, places.clone(), all);
        tree.lay(&backwards, &job, places.rev(), all);
        let find = |outputs: &Path| line(outputs, &job, CHUNK, items(), check).expect("read");
        let (one, other) = (find(&forwards), find(&backwards));

        let expected_names: Vec<_> = expected.iter().map(|&place| tree.0[place].name.as_str()).collect();
        prop_assert_eq!(names(&one), &expected_names[..]);
        prop_assert_eq!(names(&other), expected_names);
        for (link, number) in one.links.iter().zip(1..) {
            prop_assert_eq!(link.segment.number, number);
        }
        prop_assert_eq!(one.reached() as usize, expected.len());
        // What was set aside is damaged, and is looked at no more.
        for aside in &one.set_aside {
            prop_assert!(aside.path.exists());
            let name = aside.path.file_name().expect("a name").to_string_lossy().into_owned();
            let place = tree.0.iter().position(|attempt| name.starts_with(&partial_name(CHUNK, &attempt.name)));
            prop_assert!(place.is_some_and(|place| !tree.is_whole(place)));
        }
        prop_assert_eq!(one.set_aside.len(), other.set_aside.len());
        let again = find(&forwards);
        prop_assert_eq!(names(&again), names(&one));
        prop_assert!(again.set_aside.is_empty());

        if all && !expected.is_empty() {
            let joined = format!("{}-joined", tree.0[expected[expected.len() - 1]].name);
            for (outputs, line) in [(&forwards, &one), (&backwards, &other)] {
                prop_assert!(!is_joined(outputs, CHUNK, line));
                join(outputs, CHUNK, line).expect("joined");
                prop_assert!(is_joined(outputs, CHUNK, line));
            }
            let joined = partial_name(CHUNK, &joined);
            let bytes = |outputs: &Path| fs::read(outputs.join(&joined)).expect("there");
            prop_assert!(bytes(&forwards) == bytes(&backwards), "the order of the files shows");
            prop_assert_eq!(entry(&forwards.join(&joined)), tree.joined(&expected));
            // The result is no segment.
            let found = find(&forwards);
            prop_assert_eq!(names(&found), names(&one));
        }
    }
}
