//! Reading an event log, and following it while it grows.
//!
//! A log is written by many processes of HTCondor's and read while it is written: an event that is not whole yet waits for
//! the next reading, and what makes no sense is passed over. Memory is bounded whatever the log's size.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use memchr::memchr;

use super::event::Event;
use super::history::History;

/// So much is read at a time; an event that is longer is none.
const BLOCK: usize = 1 << 20;
/// So much before the place where reading goes on is compared with what was there.
const SEAM: usize = 1024;

/// An event log, and what is known from it.
#[derive(Debug)]
pub struct EventLog {
    path: PathBuf,
    history: History,
    mark: Option<Mark>,
    written: Option<SystemTime>,
}

/// How far the log has been read.
#[derive(Debug)]
struct Mark {
    /// The file's device and number.
    file: (u64, u64),
    /// The end of the last whole event, in bytes.
    offset: u64,
    /// What stands before that.
    seam: Vec<u8>,
}

impl EventLog {
    /// The log in the file `path`, of which nothing has been read. There need not be one.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), history: History::default(), mark: None, written: None }
    }

    /// Reads what is new. A log that was made anew, or has become shorter, is read from its start, and nothing is known
    /// any more from the one before.
    ///
    /// # Errors
    /// Where the log is there and cannot be read.
    pub fn read(&mut self) -> io::Result<()> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                *self = Self::new(&self.path);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let found = file.metadata()?;
        let identity = (found.dev(), found.ino());
        let goes_on = match &self.mark {
            Some(mark) => mark.file == identity && mark.is_in(&file, found.len())?,
            None => false,
        };
        if !goes_on {
            *self = Self::new(&self.path);
        }
        self.written = found.modified().ok();
        let mut offset = self.mark.take().map_or(0, |mark| mark.offset);
        file.seek(SeekFrom::Start(offset))?;
        offset += read_events(&mut file, &mut |event| self.history.take(&event))?;
        let start = offset.saturating_sub(SEAM as u64);
        let mut seam = vec![0; (offset - start) as usize];
        file.read_exact_at(&mut seam, start)?;
        self.mark = Some(Mark { file: identity, offset, seam });
        Ok(())
    }

    /// What became of the jobs.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Whether there is a log.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.mark.is_some()
    }

    /// The time that it is now, in seconds of the log's own clock: its last event was written when the file last changed.
    /// That holds in any time zone.
    #[must_use]
    pub fn now(&self) -> i64 {
        let passed = self.written.and_then(|written| written.elapsed().ok()).map_or(0, |passed| passed.as_secs());
        self.history.now().saturating_add(i64::try_from(passed).unwrap_or(i64::MAX))
    }
}

impl Mark {
    /// Whether `file` still is what was read until here.
    fn is_in(&self, file: &File, length: u64) -> io::Result<bool> {
        if length < self.offset {
            return Ok(false);
        }
        let mut there = vec![0; self.seam.len()];
        match file.read_exact_at(&mut there, self.offset - self.seam.len() as u64) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            done => done.map(|()| there == self.seam),
        }
    }
}

/// Hands over every event of `log` that is whole, from where it stands on; says how many bytes are done with.
pub(super) fn read_events(log: &mut impl Read, take: &mut dyn FnMut(Event<'_>)) -> io::Result<u64> {
    let mut buffer = vec![0; BLOCK];
    let (mut filled, mut all) = (0, 0);
    loop {
        let got = match log.read(&mut buffer[filled..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            got => got?,
        };
        if got == 0 {
            return Ok(all);
        }
        filled += got;
        let mut done = split(&buffer[..filled], &mut |event| take(event));
        if done == 0 && filled == BLOCK {
            done = filled;
        }
        buffer.copy_within(done..filled, 0);
        filled -= done;
        all += done as u64;
    }
}

/// Hands over every event of `text` that is whole, and says how many bytes are done with.
pub(super) fn split<'a>(text: &'a [u8], take: &mut dyn FnMut(Event<'a>)) -> usize {
    let mut open: Option<(Event<'a>, usize)> = None;
    let (mut done, mut at) = (0, 0);
    while let Some(length) = memchr(b'\n', &text[at..]) {
        let line = &text[at..at + length];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let next = at + length + 1;
        let first = if line.first().is_some_and(u8::is_ascii_digit) { Event::parse(line) } else { None };
        if let Some(first) = first {
            // Without its end: whoever wrote the one before was killed on the way.
            if let Some((event, body)) = open.replace((first, next)) {
                take(Event { body: &text[body..at], ..event });
            }
            done = at;
        } else if line == b"..." {
            if let Some((event, body)) = open.take() {
                take(Event { body: &text[body..at], ..event });
            }
            done = next;
        } else if open.is_none() {
            done = next;
        }
        at = next;
    }
    done
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::fs;
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;
    use crate::pool::{Loss, State};

    const LOGS: [(&str, &str); 2] = [
        ("23.9", include_str!("../../tests/formats/events-23.9.log")),
        ("25.14", include_str!("../../tests/formats/events-25.14.log")),
    ];

    fn history(text: &[u8]) -> History {
        let mut history = History::default();
        split(text, &mut |event| history.take(&event));
        history
    }

    /// Everything that is known, for people.
    fn summary(history: &History) -> String {
        let mut text = String::new();
        for job in history.jobs() {
            let state = match &job.state {
                State::Running(open) => format!("running on {:?}, {open:?}", history.host(open.host)),
                state => format!("{state:?}"),
            };
            let past = job.past.iter().map(|attempt| {
                let host = history.host(attempt.host).unwrap_or("?");
                format!("{host} {} s, {} kept, {:?}", attempt.seconds(), attempt.kept, attempt.outcome)
            });
            let past: Vec<String> = past.collect();
            writeln!(text, "{} {:?}: {state}; {} attempts [{}]", job.id, job.node, job.attempts, past.join(" | "))
                .expect("a text");
        }
        writeln!(text, "good {:?}", history.good()).expect("a text");
        for loss in Loss::ALL {
            writeln!(text, "{loss:?} {:?}", history.bad(loss)).expect("a text");
        }
        for host in history.hosts() {
            writeln!(text, "{host:?}").expect("a text");
        }
        writeln!(text, "{:?}", history.used()).expect("a text");
        writeln!(text, "side by side {:.2}", history.side_by_side().unwrap_or(-1.0)).expect("a text");
        text
    }

    #[test]
    fn real_logs_tell_what_became_of_each_job() {
        for (version, log) in LOGS {
            insta::assert_snapshot!(format!("a log of HTCondor {version}"), summary(&history(log.as_bytes())));
        }
    }

    #[test]
    fn other_forms_of_the_same_log_tell_the_same() {
        for (_, log) in LOGS {
            let plain = summary(&history(log.as_bytes()));
            let dos = log.replace('\n', "\r\n");
            assert_eq!(summary(&history(dos.as_bytes())), plain);
            let mut old = String::new();
            for line in log.lines() {
                // `000 (002.000.000) 2026-11-22 21:35:51 ...` becomes `000 (002.000.000) 11/22 21:35:51 ...`.
                match line.split_once(" 2026-11-22 ") {
                    Some((first, rest)) if line.starts_with('0') => old += &format!("{first} 11/22 {rest}\n"),
                    _ => old += &format!("{line}\n"),
                }
            }
            let sums = |text: &str| text.lines().skip_while(|line| !line.starts_with("good")).collect::<String>();
            assert_eq!(sums(&summary(&history(old.as_bytes()))), sums(&plain));
        }
    }

    #[test]
    fn a_year_that_is_not_given_ends() {
        let log = "000 (1.0.0) 12/31 23:59:00 Job submitted from host: <x>\n...\n\
                   001 (1.0.0) 12/31 23:59:30 Job executing on host: <x>\n...\n\
                   005 (1.0.0) 01/01 00:00:30 Job terminated.\n\t(1) Normal termination (return value 0)\n...\n";
        assert_eq!(history(log.as_bytes()).good(), crate::pool::Spent { attempts: 1, seconds: 60 });
    }

    #[test]
    fn an_event_without_its_end_is_taken_and_the_next_too() {
        let log = "000 (1.0.0) 2026-11-22 21:35:51 Job submitted from host: <x>\n\
                   000 (2.0.0) 2026-11-22 21:35:51 Job submitted from host: <x>\n    DAG Node: chunk-000007-g1\n...\n\
                   garbage\n\tand more\n...\n...\n\
                   001 (2.0.0) 2026-11-22 21:35:53 Job executing on host: <127.0.1.1:9618>\n...\n";
        let history = history(log.as_bytes());
        assert_eq!((history.jobs().len(), history.events()), (2, 3));
        assert!(history.jobs()[1].open().is_some());
    }

    #[test]
    fn numbers_that_start_afresh_are_other_jobs() {
        let job = |second: u32, chunk: u32| {
            format!(
                "000 (1.0.0) 2026-11-22 21:35:{second} Job submitted from host: <x>\n    DAG Node: chunk-{chunk}-g1\n...\n\
                 001 (1.0.0) 2026-11-22 21:35:{second} Job executing on host: <x>\n...\n"
            )
        };
        let history = history((job(10, 1) + &job(30, 2)).as_bytes());
        assert_eq!(history.jobs().len(), 2);
        assert_eq!(history.jobs()[0].state, State::Ended(None));
        assert_eq!(history.bad(Loss::Lost), crate::pool::Spent { attempts: 1, seconds: 20 });
    }

    /// A job that starts at 10:00:00, with what comes after it.
    fn job(rest: &[(&str, &str)]) -> History {
        let mut log = "000 (1.0.0) 2026-11-22 09:59:00 Job submitted from host: <x>\n...\n\
                       001 (1.0.0) 2026-11-22 10:00:00 Job executing on host: <127.0.1.1:9618?alias=ep1>\n...\n"
            .to_owned();
        for (code, rest) in rest {
            log += &format!("{code} (1.0.0) 2026-11-22 10:{rest}\n...\n");
        }
        history(log.as_bytes())
    }

    #[test]
    fn a_hold_takes_its_eviction_along_and_no_older_one() {
        let spent = |history: &History| [Loss::Evicted, Loss::Held].map(|loss| history.bad(loss).seconds);
        let evicted = ("004", "00:40 Job was evicted.");
        assert_eq!(spent(&job(&[evicted, ("012", "00:40 Job was held.\n\tno\n\tCode 1 Subcode 0")])), [0, 40]);
        assert_eq!(spent(&job(&[evicted, ("012", "30:00 Job was held.\n\tno\n\tCode 1 Subcode 0")])), [40, 0]);
        assert_eq!(spent(&job(&[("012", "00:40 Job was held.\n\tno\n\tCode 1 Subcode 0"), evicted])), [0, 40]);
        let released = job(&[evicted, ("012", "00:40 Job was held."), ("013", "01:00 Job was released.")]);
        assert_eq!(released.jobs()[0].state, State::Idle);
        let removed = job(&[evicted, ("009", "00:41 Job was aborted.\n\tvia condor_rm")]);
        assert_eq!((spent(&removed), removed.bad(Loss::Removed).seconds), ([0, 0], 41 - 1));
    }

    #[test]
    fn what_a_job_has_carried_back_is_not_lost() {
        let sums = |history: &History| (history.good().seconds, history.bad(Loss::Evicted).seconds);
        let end = ("004", "00:40 Job was evicted.");
        assert_eq!(sums(&job(&[end])), (0, 40));
        assert_eq!(sums(&job(&[("003", "00:30 Job was checkpointed."), end])), (30, 10));
        assert_eq!(sums(&job(&[("040", "00:25 Finished transferring output files"), end])), (25, 15));
        let failed = ("005", "00:40 Job terminated.\n\t(1) Normal termination (return value 3)");
        let failed = job(&[("040", "00:39 Finished transferring output files"), failed]);
        assert_eq!((failed.good().seconds, failed.bad(Loss::Failed).seconds), (0, 40));
    }

    #[test]
    fn a_job_whose_shadow_died_is_lost_until_it_starts_again() {
        let lost = |history: &History| history.bad(Loss::Lost).seconds;
        assert_eq!(
            lost(&job(&[("007", "00:20 Shadow exception!\n\tError from x"), ("004", "00:20 Job was evicted.")])),
            20
        );
        let again =
            job(&[("040", "00:30 Started transferring input files"), ("001", "00:31 Job executing on host: <x>")]);
        assert_eq!((lost(&again), again.jobs()[0].open().map(|open| open.executes)), (30, Some(true)));
        let twice = job(&[("001", "00:50 Job executing on host: <x>")]);
        assert_eq!((lost(&twice), twice.jobs()[0].attempts), (50, 1));
    }

    #[test]
    fn many_attempts_take_no_more_room() {
        let times: Vec<String> = (0..59).map(|minute| format!("{minute:02}")).collect();
        let events: Vec<(&str, String)> = times
            .iter()
            .flat_map(|minute| {
                let again = format!("{minute}:30 Job executing on host: <x>");
                [("004", format!("{minute}:20 Job was evicted.")), ("001", again)]
            })
            .collect();
        let events: Vec<(&str, &str)> = events.iter().map(|(code, rest)| (*code, rest.as_str())).collect();
        let found = job(&events);
        assert_eq!((found.jobs()[0].attempts, found.jobs()[0].past.len()), (59, 12));
        assert_eq!(found.bad(Loss::Evicted).attempts, 59);
    }

    #[test]
    fn a_log_is_followed_cut_and_replaced() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("events.log");
        let mut log = EventLog::new(&path);
        log.read().expect("nothing to read");
        assert!(!log.is_there());
        let (_, text) = LOGS[0];
        let mut file = File::create(&path).expect("made");
        for piece in text.as_bytes().chunks(997) {
            file.write_all(piece).expect("written");
            log.read().expect("read");
        }
        assert_eq!(summary(log.history()), summary(&history(text.as_bytes())));
        assert!(log.is_there() && log.now() >= log.history().now());
        log.read().expect("read");
        assert_eq!(summary(log.history()), summary(&history(text.as_bytes())), "nothing is taken twice");
        // Shorter.
        let short = &text[..text.len() / 2];
        fs::write(&path, short).expect("written");
        log.read().expect("read");
        assert_eq!(summary(log.history()), summary(&history(short.as_bytes())));
        // Another of the same length.
        let other = text.replace(" 21:3", " 20:3");
        fs::write(&path, &other[..short.len() + 700]).expect("written");
        log.read().expect("read");
        let expected = history(&other.as_bytes()[..short.len() + 700]);
        assert_eq!(summary(log.history()), summary(&expected));
        // Another file.
        let (_, newer) = LOGS[1];
        fs::write(folder.path().join("new"), newer).expect("written");
        fs::rename(folder.path().join("new"), &path).expect("moved");
        log.read().expect("read");
        assert_eq!(summary(log.history()), summary(&history(newer.as_bytes())));
        fs::remove_file(&path).expect("removed");
        log.read().expect("read");
        assert!(!log.is_there() && log.history().jobs().is_empty());
    }

    #[test]
    fn what_has_no_end_is_passed_over() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("events.log");
        let mut text = b"005 (9.0.0) ".to_vec();
        text.resize(3 * BLOCK, b'x');
        text.extend_from_slice(b"\n000 (1.0.0) 2026-11-22 21:35:51 Job submitted from host: <x>\n...\n");
        fs::write(&path, text).expect("written");
        let mut log = EventLog::new(&path);
        log.read().expect("read");
        assert_eq!(log.history().jobs().len(), 1);
    }

    proptest! {
        #[test]
        fn any_part_of_a_log_gives_a_state(version in 0..2usize, start in 0usize..60_000, length in 0usize..60_000) {
            let text = LOGS[version].1.as_bytes();
            let part = &text[start.min(text.len())..(start + length).min(text.len())];
            let found = history(part);
            let jobs = found.jobs();
            let attempts: u64 = Loss::ALL.iter().map(|&loss| found.bad(loss).attempts).sum::<u64>() + found.good().attempts;
            // The merge's job has attempts of its own.
            prop_assert!(attempts <= jobs.iter().map(|job| u64::from(job.attempts)).sum::<u64>());
            let wall: u64 = Loss::ALL.iter().map(|&loss| found.bad(loss).seconds).sum::<u64>() + found.good().seconds;
            prop_assert!(wall <= 3600 * jobs.len() as u64);
        }

        #[test]
        fn a_log_may_come_in_any_pieces(version in 0..2usize, cuts in prop::collection::vec(0usize..60_000, 0..6)) {
            let text = LOGS[version].1.as_bytes();
            let mut ends: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).chain([text.len()]).collect();
            ends.sort_unstable();
            let mut found = History::default();
            let mut done = 0;
            for end in ends {
                done += split(&text[done..end], &mut |event| found.take(&event));
            }
            prop_assert_eq!(summary(&found), summary(&history(text)));
        }

        #[test]
        fn garbage_does_no_harm(
            version in 0..2usize,
            damage in prop::collection::vec((0usize..60_000, any::<u8>()), 0..200),
            noise in prop::collection::vec(any::<u8>(), 0..2000),
        ) {
            let mut text = LOGS[version].1.as_bytes().to_vec();
            for (at, byte) in damage {
                let at = at % text.len();
                text[at] = byte;
            }
            text.extend_from_slice(&noise);
            let _ = summary(&history(&text));
            let _ = summary(&history(&noise));
        }

        #[test]
        fn lines_in_any_order_do_no_harm(order in prop::collection::vec((0usize..1500, prop::bool::ANY), 0..400)) {
            let lines: Vec<&str> = LOGS[0].1.lines().collect();
            let mut text = String::new();
            for (line, end) in order {
                text += lines[line % lines.len()];
                text += if end { "\n...\n" } else { "\n" };
            }
            let _ = summary(&history(text.as_bytes()));
        }
    }
}
