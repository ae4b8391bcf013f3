//! What has to hold of whatever bytes are read: the bodies of the fuzz targets, which the ordinary suite feeds with the corpora.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufReader, Cursor, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use split::checkpoint::{self, CheckpointError, numbers, wide};

use split::plan::{Command, Plan, Word};
use split::pool::{EventLog, History, Loss};
use split::record::{EntryReader, Head, Part, Payload, Record, read, write, write_file_head, write_head};
use split::rows::{Separator, Table};
use split::site::Profile;
use split::space::{Interval, RowBlock, Rows};

/// Whether what has to hold of `target` holds of the bytes.
///
/// # Panics
/// Where it does not, or there is no such target.
pub(crate) fn check(target: &str, bytes: &[u8]) {
    match target {
        "partial" => partial(bytes),
        "plan" => plan(bytes),
        "events" => events(bytes),
        "table" => table(bytes),
        "template" => template(bytes),
        "site" => site(bytes),
        "checkpoint" => checkpoint(bytes),
        "carried" => carried(bytes),
        _ => panic!("there is no target {target}"),
    }
}

/// A partial as it is, and with checksums that are right: what only a liar or a defect writes gets past them as well.
fn partial(bytes: &[u8]) {
    partial_as_it_is(bytes);
    if let Some(sealed) = sealed(bytes) {
        partial_as_it_is(&sealed);
    }
    entries(bytes);
}

/// An accepted record is what its checksum covers, the damage starts where the records end, and what was accepted is read back as
/// it was when it is written again.
fn partial_as_it_is(bytes: &[u8]) {
    let found = read(&mut Cursor::new(bytes), &mut Vec::new()).expect("in memory");
    let mut rest = bytes;
    for record in &found.records {
        let end = line_end(rest).expect("a header");
        let length = usize::try_from(record.payload.bytes()).expect("it is in memory");
        let (header, payload) = (&rest[..end], &rest[end + 1..end + 1 + length]);
        let covered = header.len() - b",\"checksum\":\"00000000\"}".len();
        let mut crc = crc32fast::Hasher::new();
        crc.update(&header[..covered]);
        crc.update(payload);
        assert_eq!(crc.finalize(), record.checksum, "a record that its checksum does not cover");
        match &record.payload {
            Payload::Inline(kept) => assert_eq!(&**kept, payload),
            Payload::InFile { offset, crc, .. } => {
                assert_eq!(*offset as usize, bytes.len() - rest.len() + end + 1);
                assert_eq!(*crc, crc32fast::hash(payload));
            }
        }
        assert_eq!(rest[end + 1 + length], b'\n');
        again(record, payload);
        entries(payload);
        rest = &rest[end + 2 + length..];
    }
    let at = bytes.len() - rest.len();
    match &found.damage {
        None => assert!(rest.is_empty() && !found.records.is_empty()),
        Some(split::record::Damage::Truncated { at: said } | split::record::Damage::Corrupt { at: said, .. }) => {
            assert_eq!(*said as usize, at);
        }
    }
}

/// The record, written and read, is the same.
fn again(record: &Record, payload: &[u8]) {
    let mut crc = crc32fast::Hasher::new();
    crc.update(payload);
    let mut written = Vec::new();
    write(&mut written, &record.header, &mut &payload[..], payload.len() as u64, &crc).expect("in memory");
    let found = read(&mut Cursor::new(&written), &mut Vec::new()).expect("in memory");
    assert!(found.damage.is_none(), "what was written is damaged: {:?}", found.damage);
    let [read] = &found.records[..] else { panic!("{} records", found.records.len()) };
    let mut header = read.header.clone();
    assert!((header.seconds - record.header.seconds).abs() <= record.header.seconds.abs() * 1e-12);
    header.seconds = record.header.seconds;
    assert_eq!(header, record.header);
    assert_eq!(read.payload.bytes(), record.payload.bytes());
    if matches!(record.payload, Payload::Inline(_)) {
        // Nothing of it is read from a file. An error is as good as the parts, but not more than there is.
        let mut given = 0;
        let _ = record.parts(Path::new("/dev/null"), &mut |part, content| {
            if let Part::Text(items) = part {
                assert!(record.header.items.start() <= items.start() && items.stop() <= record.header.items.stop());
            }
            given += std::io::copy(content, &mut std::io::sink())?;
            Ok(())
        });
        assert!(given <= payload.len() as u64);
    }
}

/// Entries that could be read to the end are the same when they are written and read again.
fn entries(payload: &[u8]) {
    let Some(written) = rewritten(payload) else { return };
    assert_eq!(rewritten(&written).as_ref(), Some(&written));
}

fn rewritten(payload: &[u8]) -> Option<Vec<u8>> {
    let mut reader = EntryReader::new(BufReader::new(payload));
    let mut out = Vec::new();
    while let Some(head) = reader.entry().ok()? {
        write_head(&mut out, head).expect("in memory");
        if let Head::Result { .. } = head {
            std::io::copy(&mut reader, &mut out).ok()?;
        }
        while let Some(file) = reader.file().ok()? {
            write_file_head(&mut out, &file.name, file.bytes).expect("in memory");
            std::io::copy(&mut reader, &mut out).ok()?;
        }
    }
    Some(out)
}

/// The bytes with the checksum that each record's header and payload have.
fn sealed(bytes: &[u8]) -> Option<Vec<u8>> {
    const KEY: &[u8] = b",\"checksum\":\"";
    let mut sealed = bytes.to_vec();
    let mut at = 0;
    while let Some(end) = line_end(&sealed[at..]) {
        let covered = end.checked_sub(KEY.len() + 10).filter(|covered| sealed[at + covered..].starts_with(KEY));
        let Some(covered) = covered else { break };
        let header = &sealed[at..at + end];
        let digits = header.windows(8).position(|window| window == b"\"bytes\":")? + 8;
        let digits: String =
            header[digits..].iter().take_while(|byte| byte.is_ascii_digit()).map(|&byte| char::from(byte)).collect();
        let payload = at + end + 1;
        let stop = payload.checked_add(digits.parse().ok()?).filter(|stop| *stop < sealed.len())?;
        let mut crc = crc32fast::Hasher::new();
        crc.update(&sealed[at..at + covered]);
        crc.update(&sealed[payload..stop]);
        let text = format!("{:08x}\"}}", crc.finalize());
        sealed[at + covered + KEY.len()..at + end].copy_from_slice(text.as_bytes());
        sealed[stop] = b'\n';
        at = stop + 1;
    }
    (at > 0).then_some(sealed)
}

fn line_end(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n')
}

/// A plan that is read is the same when it is written and read again; its chunks follow one another over the whole space.
fn plan(bytes: &[u8]) {
    if let Ok(plan) = Plan::from_json(bytes) {
        sound(&plan);
    }
    // With the identity of its content, which no change by chance has.
    if let Ok(mut plan) = serde_json::from_slice::<Plan>(bytes) {
        plan.identity = split::plan::PlanIdentity::of_plan(
            &plan.space,
            &plan.cut,
            plan.command.as_ref(),
            &plan.yields,
            plan.chain.as_ref(),
        );
        if let Ok(plan) = Plan::from_json(&plan.to_json()) {
            sound(&plan);
        }
    }
}

fn sound(plan: &Plan) {
    let json = plan.to_json();
    assert_eq!(&Plan::from_json(&json).expect("what was written is read"), plan);
    let (count, chunks) = (plan.space.count(), plan.cut.chunks());
    assert!(chunks > 0 && u128::from(chunks) <= count);
    for chunk in [0, 1, chunks / 2, chunks.saturating_sub(2), chunks - 1].into_iter().filter(|chunk| *chunk < chunks) {
        let items = plan.chunk(chunk);
        let before = chunk.checked_sub(1).map_or(0, |before| plan.chunk(before).stop());
        assert!(items.start() == before && items.stop() <= count);
        assert_eq!(plan.chunks_of(items), (chunk, chunk));
        let mut next = items.start();
        for slice in plan.pacing.slices(items).take(100) {
            assert!(slice.start() == next && slice.stop() <= items.stop());
            next = slice.stop();
        }
        assert!(
            !plan.space.describe(items).is_empty() && !plan.space.describe_item(items.start(), Rows::NONE).is_empty()
        );
        let _ = plan.space.keeps(items.start(), Rows::NONE);
        let one = Interval::new(items.last(), items.stop()).expect("an item");
        for items in [items, one] {
            let words = plan.words(chunk, items, Rows::NONE);
            assert!(words.is_none_or(|words| words.len() == plan.command.iter().flat_map(Command::words).count()));
        }
    }
    assert_eq!(plan.chunk(chunks - 1).stop(), count);
}

/// A log that is read while it grows tells the same as one that is read at once.
fn events(bytes: &[u8]) {
    let mut file = tempfile::NamedTempFile::new_in(memory()).expect("a temporary file");
    let (mut growing, mut whole) = (EventLog::new(file.path()), EventLog::new(file.path()));
    let half = bytes.first().map_or(0, |share| bytes.len() * usize::from(*share) / 256);
    for part in [&bytes[..half], &bytes[half..]] {
        file.write_all(part).expect("written");
        growing.read().expect("read");
    }
    whole.read().expect("read");
    let (growing, whole) = (growing.history(), whole.history());
    let told = |history: &History| {
        let bad: Vec<_> = Loss::ALL.into_iter().map(|loss| history.bad(loss)).collect();
        (history.jobs().to_vec(), history.hosts().to_vec(), history.good(), bad, history.now(), history.events())
    };
    assert_eq!(told(growing), told(whole));
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
    assert!(whole.events() <= lines as u64 && whole.jobs().len() <= lines);
    let ended = whole.good().attempts + Loss::ALL.into_iter().map(|loss| whole.bad(loss).attempts).sum::<u64>();
    assert!(ended <= whole.events());
}

/// A table that is read has a field for each row and column, and is the same when it is written as CSV and read again.
fn table(bytes: &[u8]) {
    let Some((&choice, text)) = bytes.split_first() else { return };
    let names: Vec<String> = (0..choice % 5).map(|number| format!("c{number}")).collect();
    let columns = (!names.is_empty()).then_some(&names[..]);
    let Ok(table) = Table::read(text, columns) else { return };
    let width = table.names.len();
    assert!(width > 0 && table.longest.len() == width && table.block.columns() == width);
    assert!(columns.is_none_or(|names| names == table.names));
    assert!(!table.block.is_empty());
    if table.separator == Separator::Blanks {
        assert!(columns.is_some(), "a header has no blanks between its names");
    }
    let mut csv = csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Always).from_writer(Vec::new());
    csv.write_record(&table.names).expect("in memory");
    for row in 0..table.block.len() {
        let fields: Vec<_> = (0..width).map(|column| table.block.field(row, column).expect("it is there")).collect();
        for (field, longest) in fields.iter().zip(&table.longest) {
            assert!(field.len() <= longest.bytes && longest.line > 0);
            assert!(field.len() <= text.len());
        }
        csv.write_record(fields).expect("in memory");
    }
    let csv = csv.into_inner().expect("in memory");
    // A header in quotes has a comma between them, or there is one column, whose name may hold any separator.
    let again = Table::read(&csv, None).expect("what was written is a table");
    let rows = |block: &RowBlock| (block.texts().0.to_vec(), block.texts().1.to_vec());
    assert_eq!((again.names, rows(&again.block)), (table.names, rows(&table.block)));
}

/// Words that are a command can be filled in, and have no placeholder where every brace is doubled.
fn template(bytes: &[u8]) {
    static PLAN: OnceLock<Plan> = OnceLock::new();
    let words: Vec<Word> = bytes.split(|byte| *byte == b'\n').map(|word| Word::from(word.to_vec())).collect();
    let plain = |word: &Word| !word.as_bytes().iter().any(|byte| b"{}".contains(byte));
    let doubled = words.iter().map(|word| {
        let letters = word.as_bytes().iter();
        Word::from(letters.flat_map(|byte| vec![*byte; if b"{}".contains(byte) { 2 } else { 1 }]).collect::<Vec<u8>>())
    });
    if !words[0].as_bytes().is_empty() {
        let command = Command::try_from(doubled.collect::<Vec<_>>()).expect("no brace stands alone");
        let fixed: Vec<_> = command.fixed_words().collect();
        assert_eq!(fixed, words.iter().cloned().map(Some).collect::<Vec<_>>(), "bytes that stand for themselves");
    }
    let plan = PLAN.get_or_init(|| {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/plan/range.json");
        let other = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/corpus/plan/range.json");
        let json = fs::read(path).or_else(|_| fs::read(other)).expect("a plan");
        Plan::from_json(&json).expect("a plan")
    });
    let Ok(command) = Command::try_from(words.clone()) else { return };
    assert_eq!(command.words(), words);
    let mut plan = plan.clone();
    if command.check(&plan.space, plan.chain.is_some()).is_err() {
        return;
    }
    plan.command = Some(command);
    for items in [plan.chunk(0), Interval::new(0, 1).expect("an item")] {
        let filled = plan.words(0, items, Rows::NONE).expect("no rows are needed");
        assert_eq!(filled.len(), words.len());
        for (word, filled) in words.iter().zip(filled) {
            assert!(!plain(word) || *word == filled, "a word without braces has changed");
        }
    }
}

/// A site's profile is read or refused.
fn site(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let path = Path::new("site.toml");
    match Profile::read(path, text) {
        Ok(profile) => assert_eq!(Profile::read(path, text).ok(), Some(profile)),
        Err(error) => assert!(!error.to_string().contains('\n'), "an error is one line: {error}"),
    }
}

/// Where files are in memory, on most machines.
fn memory() -> &'static Path {
    if Path::new("/dev/shm").is_dir() { Path::new("/dev/shm") } else { Path::new("/tmp") }
}

/// The first line of a checkpoint: a word, the checksum, the lengths of the header and of the payload.
const FIRST_LINE: usize = 52;

/// The two files of a checkpoint, one behind the other, as they are, and with checksums that are right.
fn checkpoint(bytes: &[u8]) {
    let start = b"SPLITCKPT1 ";
    let second = bytes.windows(start.len()).rposition(|window| window == start).filter(|at| *at > 0);
    let (first, second) = bytes.split_at(second.unwrap_or(bytes.len()));
    let second = (!second.is_empty()).then_some(second);
    checkpoint_as_it_is([Some(first), second]);
    let sealed = [Some(first), second].map(|slot| slot.and_then(sealed_checkpoint));
    checkpoint_as_it_is([sealed[0].as_deref().or(Some(first)), sealed[1].as_deref().or(second)]);
}

/// The newer of the whole files is found, and what it holds is what its checksum covers.
fn checkpoint_as_it_is(slots: [Option<&[u8]>; 2]) {
    let dir = tempfile::tempdir_in(memory()).expect("a temporary folder");
    let paths = ["a", "b"].map(|slot| dir.path().join(format!("fuzz.{slot}.checkpoint")));
    for (path, slot) in paths.iter().zip(slots) {
        slot.into_iter().for_each(|bytes| fs::write(path, bytes).expect("written"));
    }
    let whole = slots.map(|slot| slot.and_then(whole_checkpoint));
    let generations = [0, 1].map(|slot| whole[slot].map(|(generation, _)| generation));
    let newest = (generations != [None, None]).then(|| usize::from(generations[1] > generations[0]));
    match (checkpoint::find(paths.clone()), newest) {
        (Ok(Some((path, payload))), Some(newest)) => {
            assert_eq!(path, paths[newest]);
            assert_eq!(Some(&payload[..]), whole[newest].map(|(_, payload)| payload));
            state(&payload);
        }
        (Ok(None), None) => assert!(slots[1].is_none(), "what was there is forgotten"),
        (Err(CheckpointError::Lost { .. }), None) => {
            assert!(slots[1].is_some(), "an unfinished first save is an error")
        }
        (Err(CheckpointError::Format { format, .. }), _) => assert_ne!(format, 1),
        (found, newest) => panic!("{newest:?} is the newest, and found was {found:?}"),
    }
}

/// The header of a checkpoint.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "what counts is that they are there")]
struct CheckpointHeader {
    format: u64,
    key: String,
    #[serde(default)]
    identity: String,
    #[serde(rename = "loop")]
    kind: String,
    version: u32,
    generation: u64,
    #[serde(default)]
    position: Option<u64>,
    #[serde(default)]
    layout: Option<Vec<String>>,
    #[serde(default)]
    printed: Option<u64>,
    #[serde(default)]
    outputs: Vec<CheckpointOutput>,
    done: bool,
}

/// What a header says of a file that the loop writes to.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "what counts is that they are there")]
struct CheckpointOutput {
    name: String,
    bytes: u64,
    checksum: u32,
}

/// The generation and the payload of a file that is a checkpoint.
fn whole_checkpoint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (line, rest) = bytes.split_at_checked(FIRST_LINE)?;
    let line = std::str::from_utf8(line).ok()?;
    let number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?;
    let header: usize = number(line.get(20..30)?)?;
    let payload: usize = number(line.get(31..51)?)?;
    let end = header.checked_add(payload).filter(|end| *end <= rest.len())?;
    let mut crc = crc32fast::Hasher::new();
    crc.update(&rest[..end]);
    crc.update(&line.as_bytes()[20..51]);
    if line != format!("SPLITCKPT1 {:08x} {header:010} {payload:020}\n", crc.finalize()) {
        return None;
    }
    let said: CheckpointHeader = serde_json::from_slice(&rest[..header]).ok()?;
    (said.format == 1).then_some((said.generation, &rest[header..end]))
}

/// The bytes behind the first line as a header, a line, and its payload.
fn sealed_checkpoint(bytes: &[u8]) -> Option<Vec<u8>> {
    let rest = bytes.get(FIRST_LINE..)?;
    let header = line_end(rest)? + 1;
    let lengths = format!("{header:010} {:020}", rest.len() - header);
    let mut crc = crc32fast::Hasher::new();
    crc.update(rest);
    crc.update(lengths.as_bytes());
    Some([format!("SPLITCKPT1 {:08x} {lengths}\n", crc.finalize()).as_bytes(), rest].concat())
}

/// A program's state.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct State {
    next: u64,
    #[serde(with = "wide")]
    total: i128,
    #[serde(with = "numbers")]
    values: Vec<u64>,
    texts: BTreeMap<String, Option<i8>>,
}

/// A state that is read is the same when it is written and read again.
fn state(payload: &[u8]) {
    let Ok(state) = rmp_serde::from_slice::<State>(payload) else { return };
    let again = rmp_serde::to_vec_named(&state).expect("in memory");
    assert_eq!(rmp_serde::from_slice::<State>(&again).expect("what was written is read"), state);
}

/// Checkpoints that a job carries, as they are, and with checksums that are right.
fn carried(bytes: &[u8]) {
    carried_as_it_is(bytes);
    if let Some(sealed) = sealed_carried(bytes) {
        carried_as_it_is(&sealed);
    }
}

/// The first line of the file: a word, the checksum and the length of the list of files.
const CARRIED_LINE: usize = 31;

/// What is unpacked is all that there was, is the same when it is packed and unpacked again, and is in its folder alone.
fn carried_as_it_is(bytes: &[u8]) {
    let dir = tempfile::tempdir_in(memory()).expect("a temporary folder");
    let unpack = |bytes: &[u8], name: &str| {
        let folder = dir.path().join(name);
        fs::create_dir(&folder).expect("made");
        split::runner::unpack_from(&mut &bytes[..], &folder).map(|()| folder)
    };
    let folder = match unpack(bytes, "one") {
        Ok(folder) => folder,
        Err(error) => {
            // A name may be longer than this machine has them.
            let of_damage = [ErrorKind::InvalidData, ErrorKind::UnexpectedEof, ErrorKind::InvalidFilename];
            assert!(of_damage.contains(&error.kind()), "{error}");
            assert_eq!(dir.path().read_dir().expect("listed").count(), 1);
            return;
        }
    };
    let list = bytes[20..CARRIED_LINE - 1].iter().fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
    let content: Vec<u8> = files(&folder).into_iter().flat_map(|path| fs::read(path).expect("read")).collect();
    assert!(bytes[CARRIED_LINE + list..] == content, "not what was packed");
    let packed = dir.path().join("packed");
    split::runner::pack(&folder, &packed).expect("packed");
    let packed = fs::read(packed).expect("read");
    let again = unpack(&packed, "two").expect("what was packed is unpacked");
    let below = |folder: &Path| {
        let files = files(folder).into_iter();
        files.map(|path| path.strip_prefix(folder).expect("below it").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(below(&again), below(&folder));
    assert_eq!(dir.path().read_dir().expect("listed").count(), 3);
}

/// The files below a folder, in the order of their bytes.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in folder.read_dir().expect("listed").map(|entry| entry.expect("listed").path()) {
        if path.is_dir() { files.extend(self::files(&path)) } else { files.push(path) }
    }
    files.sort_by(|a, b| a.as_os_str().as_encoded_bytes().cmp(b.as_os_str().as_encoded_bytes()));
    files
}

/// The bytes with the checksums that the list and the files behind it have.
fn sealed_carried(bytes: &[u8]) -> Option<Vec<u8>> {
    let rest = bytes.get(CARRIED_LINE..)?;
    let mut values = serde_json::Deserializer::from_slice(rest).into_iter();
    let mut list: serde_json::Value = values.next()?.ok()?;
    let content = &rest[values.byte_offset()..];
    let mut left = content;
    for file in list.get_mut("files")?.as_array_mut()? {
        let bytes = usize::try_from(file.get("bytes")?.as_u64()?).ok()?.min(left.len());
        let (here, behind) = left.split_at(bytes);
        left = behind;
        file["bytes"] = bytes.into();
        file["checksum"] = crc32fast::hash(here).into();
    }
    let list = serde_json::to_vec(&list).ok()?;
    let line = format!("SPLITKEPT1 {:08x} {:010}\n", crc32fast::hash(&list), list.len());
    let content = &content[..content.len() - left.len()];
    Some([line.as_bytes(), &list, content].concat())
}
