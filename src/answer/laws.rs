//! Merges that keep all of every result, over partials as they are written: neither the cut, nor the kinds of records, nor
//! what attempts are called and when they arrive, nor what came twice shows in the answer.

use std::fs;
use std::io::{Read, Seek};
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Format, Written, write_files, write_results};
use crate::cut::Cut;
use crate::plan::testing::plan;
use crate::plan::{Plan, Reduction, Word};
use crate::record::{Gathered, Head, Header, Kind, gather, partial_name, write, write_file_head, write_head};
use crate::reduce::{Answer, merge};
use crate::space::{Interval, Rows};

/// Consecutive items with a record of their own.
#[derive(Clone, Debug)]
struct Slice {
    length: u128,
    kind: Kind,
    /// It is the first of a partial, and not behind the slice before it.
    starts: bool,
    /// The attempt's name.
    attempt: u32,
}

fn slices() -> impl Strategy<Value = Vec<Slice>> {
    let kind = prop_oneof![Just(Kind::Whole), Just(Kind::Each), Just(Kind::Bundle)];
    let slice = (1u128..5, kind, any::<bool>(), any::<u32>());
    vec(slice.prop_map(|(length, kind, starts, attempt)| Slice { length, kind, starts, attempt }), 1..9)
}

/// An item's result: a line, so that results of several items can be told apart.
fn text(item: u128) -> String {
    format!("{{\"value\": {item}, \"text\": \"{}\"}}\n", "x".repeat(item as usize % 4))
}

fn record(plan: &Plan, items: Interval, slice: &Slice, with_files: bool) -> Vec<u8> {
    // A result alone has no files.
    let kind = if with_files && slice.kind == Kind::Whole { Kind::Bundle } else { slice.kind.clone() };
    let groups: Vec<Interval> = match kind {
        Kind::Each => (items.start()..items.stop()).filter_map(|item| Interval::new(item, item + 1)).collect(),
        _ => vec![items],
    };
    let mut payload = Vec::new();
    for group in groups {
        let own = group.start()..group.stop();
        let result: String = own.clone().map(text).collect();
        if kind != Kind::Whole {
            let files = if with_files { own.clone().count() as u64 } else { 0 };
            write_head(&mut payload, Head::Result { bytes: result.len() as u64, files }).expect("in memory");
        }
        payload.extend(result.as_bytes());
        for item in own.filter(|_| with_files) {
            let content = format!("content {item}");
            let name = format!("folder/frame-{item}.txt");
            write_file_head(&mut payload, name.as_bytes(), content.len() as u64).expect("in memory");
            payload.extend(content.as_bytes());
        }
    }
    let header = Header {
        plan: plan.identity,
        code: plan.code,
        items,
        kind,
        seconds: f64::from(slice.attempt % 7),
        host: format!("ep{}", slice.attempt % 3).into(),
        attempt: format!("0-{:08x}", slice.attempt).into(),
    };
    let mut crc = crc32fast::Hasher::new();
    crc.update(&payload);
    let mut bytes = Vec::new();
    write(&mut bytes, &header, &mut &payload[..], payload.len() as u64, &crc).expect("in memory");
    bytes
}

/// The partials of one cut, by their names; `chunk` is the number of the first.
fn partials(plan: &Plan, slices: &[Slice], chunk: u64, with_files: bool) -> Vec<(String, Vec<u8>)> {
    let mut partials: Vec<(String, Vec<u8>)> = Vec::new();
    let (mut start, all) = (0, plan.space.count());
    for (chunk, slice) in (chunk..).zip(slices.iter().cycle()) {
        let Some(items) = Interval::new(start, (start + slice.length).min(all)) else { break };
        let bytes = record(plan, items, slice, with_files);
        match partials.last_mut().filter(|_| !slice.starts) {
            Some((_, partial)) => partial.extend(bytes),
            None => partials.push((partial_name(chunk, &format!("0-{:08x}", slice.attempt)), bytes)),
        }
        start = items.stop();
    }
    partials
}

fn content(mut file: fs::File) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("read");
    bytes
}

/// The answer's bytes; of files their names and contents.
fn answer(plan: &Plan, gathered: &Gathered, folder: &Path) -> Vec<u8> {
    match plan.reduce {
        Reduction::Table => {
            let table = write_results(plan, gathered, Rows::NONE, folder, None, &[], &|_| ()).expect("written");
            match table.written {
                Written::Unnamed(file) => content(file),
                Written::Named { .. } => panic!("it has no name"),
            }
        }
        Reduction::Files => {
            let path = folder.join("all");
            let written = write_files(plan, gathered, &path, Format::Folder, &|_| ()).expect("written");
            let files = path.join("folder").read_dir().expect("listed").map(|entry| entry.expect("listed").path());
            let mut files: Vec<_> = files.collect();
            files.sort();
            assert_eq!(files.len() as u64, written.files);
            let texts: Vec<_> = files.iter().map(|path| fs::read(path).expect("read")).collect();
            format!("{} {files:?} {}", written.identity, String::from_utf8_lossy(&texts.concat()))
                .replace(&folder.display().to_string(), "")
                .into_bytes()
        }
        _ => match merge(plan, gathered, Rows::NONE, folder, folder, &|_| ()).expect("merged") {
            Answer::File(file) => content(file),
            Answer::Value(value) => panic!("{}: a value", value.to_json()),
        },
    }
}

fn merges() -> Vec<Reduction> {
    let named = ["concat", "table", "files"].map(|name| name.parse().expect("a reduction"));
    let commands = [&["cat", "{left}", "{right}"][..], &["sh", "-c", "xargs cat < \"$0\"", "{parts}"]];
    let commands = commands.map(|words| {
        let words: Vec<Word> = words.iter().map(|&word| Word::from(word)).collect();
        Reduction::With(words.try_into().expect("a merge command"))
    });
    named.into_iter().chain(commands).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn neither_the_cut_nor_what_arrives_when_shows(
        items in 1u128..14,
        first in slices(),
        zombies in slices(),
        came_twice in vec(any::<bool>(), 1..9),
        order in any::<prop::sample::Index>(),
        backwards in any::<bool>(),
    ) {
        for reduce in merges() {
            let plan = Plan { reduce, ..plan(&items.to_string(), Cut::into_chunks(items, 1).expect("a cut")) };
            let with_files = plan.reduce == Reduction::Files;
            let folder = tempfile::tempdir().expect("a folder");
            let whole = [Slice { length: items, kind: Kind::Each, starts: true, attempt: 0 }];
            let gathered = |name: &str, partials: &[(String, Vec<u8>)]| {
                let outputs = folder.path().join(name);
                fs::create_dir(&outputs).expect("made");
                partials.iter().for_each(|(name, bytes)| fs::write(outputs.join(name), bytes).expect("written"));
                gather(&outputs, &plan, &|_| ()).expect("read")
            };
            let answer = |name: &str, gathered: &Gathered| {
                let own = folder.path().join(name);
                fs::create_dir(&own).expect("made");
                answer(&plan, gathered, &own)
            };
            let expected = answer("expected", &gathered("one", &partials(&plan, &whole, 0, with_files)));
            let mut all = partials(&plan, &first, 0, with_files);
            let again = partials(&plan, &zombies, 1000, with_files).into_iter().zip(came_twice.iter().cycle());
            all.extend(again.filter(|(_, came_twice)| **came_twice).map(|(partial, _)| partial));
            let middle = order.index(all.len());
            all.rotate_left(middle);
            if backwards {
                all.reverse();
            }
            let many = gathered("many", &all);
            prop_assert!(many.tiling.gaps.is_empty() && many.damaged.is_empty());
            let found = answer("found", &many);
            let (found, expected) = (String::from_utf8_lossy(&found), String::from_utf8_lossy(&expected));
            prop_assert_eq!(found, expected, "{}", plan.reduce);
        }
    }
}
