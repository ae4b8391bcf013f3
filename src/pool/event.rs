//! One event of HTCondor's job event log, as text (manual, "Managing a Job", "Job event log").
//!
//! ```text
//! 005 (062.000.000) 2026-11-22 15:53:05 Job terminated.
//! <tab>(1) Normal termination (return value 0)
//! ...
//! ```
//!
//! A line that starts with a number is an event's first; its others are indented; a line of three dots ends it. What
//! is read is not trusted: nothing here panics, and what makes no sense is no event.

use memchr::memmem;

use super::moment::Moment;

/// A job: the numbers of its cluster and of its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId {
    /// The cluster.
    pub cluster: u32,
    /// The process within the cluster.
    pub process: u32,
}

/// An event: its first line, taken apart, and the lines below it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event<'a> {
    /// What kind of event.
    pub(super) code: u16,
    pub(super) job: JobId,
    pub(super) time: Option<Moment>,
    /// What its first line says behind the time.
    pub(super) title: &'a [u8],
    /// The lines below that.
    pub(super) body: &'a [u8],
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// No machine has so much, in bytes: what says so is damaged, or no honest execute point's.
const TOO_MUCH: u64 = 16 << 40;

/// What a job was seen to use, at most, in bytes; 0 where nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Memory.
    pub memory: u64,
    /// Disk, with what it was sent.
    pub disk: u64,
}

/// Why a job is on hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// HTCondor's reason.
    pub reason: String,
    /// `HoldReasonCode`.
    pub code: i64,
    /// `HoldReasonSubCode`.
    pub subcode: i64,
}

impl Used {
    /// The more of both.
    #[must_use]
    pub fn most(self, other: Self) -> Self {
        Self { memory: self.memory.max(other.memory), disk: self.disk.max(other.disk) }
    }
}

impl std::fmt::Display for JobId {
    /// As condor_q and condor_rm take it.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}.{}", self.cluster, self.process)
    }
}

/// So much of a reason is kept.
const REASON: usize = 1000;

impl<'a> Event<'a> {
    /// An event's first line, without its end.
    pub(super) fn parse(line: &'a [u8]) -> Option<Self> {
        let (code, rest) = number(line)?;
        let rest = rest.strip_prefix(b" (").filter(|_| line.len() - rest.len() == 3)?;
        let (cluster, rest) = number(rest)?;
        let (process, rest) = number(rest.strip_prefix(b".")?)?;
        let (_, rest) = number(rest.strip_prefix(b".")?)?;
        let rest = rest.strip_prefix(b") ")?;
        let (time, title) = match Moment::parse(rest) {
            Some((time, title)) => (Some(time), title),
            None => (None, rest),
        };
        let job = JobId { cluster: cluster.try_into().ok()?, process: process.try_into().ok()? };
        Some(Self { code: code.try_into().ok()?, job, time, title: title.trim_ascii(), body: &[] })
    }

    /// Whether `what` stands in the body.
    pub(super) fn says(&self, what: &str) -> bool {
        memmem::find(self.body, what.as_bytes()).is_some()
    }

    /// The name of the DAG's node: `DAG Node: NAME` in HTCondor 23, `[ DAGNodeName = "NAME"; ... ]` in 25.
    pub(super) fn node(&self) -> Option<&'a [u8]> {
        let until = |mark: &str, end: &[u8]| {
            let start = memmem::find(self.body, mark.as_bytes())? + mark.len();
            let rest = &self.body[start..];
            let stop = rest.iter().position(|byte| end.contains(byte)).unwrap_or(rest.len());
            Some(rest[..stop].trim_ascii())
        };
        until("DAG Node: ", b"\r\n").or_else(|| until("DAGNodeName = \"", b"\"\r\n"))
    }

    /// The machine that a job executes on, or that its files are sent to.
    pub(super) fn host(&self) -> Option<&'a [u8]> {
        let until = |text: &'a [u8], mark: &str, end: &[u8]| {
            let start = memmem::find(text, mark.as_bytes())? + mark.len();
            let rest = &text[start..];
            let stop = rest.iter().position(|byte| end.contains(byte)).unwrap_or(rest.len());
            Some(rest[..stop].trim_ascii()).filter(|name| !name.is_empty() && name.len() <= 255)
        };
        let address = if self.code == 1 { self.title } else { self.body };
        let slot = || {
            let slot = until(self.body, "SlotName: ", b"\r\n")?;
            slot.iter().rposition(|&byte| byte == b'@').map(|at| &slot[at + 1..])
        };
        until(address, "alias=", b"&>\r\n").or_else(slot).or_else(|| until(address, "host: <", b":>\r\n"))
    }

    /// The slot that a job executes on: `slot1_2@ep1`.
    pub(super) fn slot(&self) -> Option<&'a [u8]> {
        let start = memmem::find(self.body, b"SlotName: ")? + b"SlotName: ".len();
        let name = self.body[start..].split(|byte| b"\r\n".contains(byte)).next()?.trim_ascii();
        Some(name).filter(|name| !name.is_empty() && name.len() <= 255)
    }

    /// How the program ended, of events 005 and 004.
    pub(super) fn exit(&self) -> Option<Exit> {
        let after = |mark: &str| {
            let start = memmem::find(self.body, mark.as_bytes())? + mark.len();
            let rest = &self.body[start..];
            let (negative, digits) = rest.strip_prefix(b"-").map_or((false, rest), |digits| (true, digits));
            let value = i32::try_from(number(digits)?.0).ok()?;
            Some(if negative { -value } else { value })
        };
        let code = after("Normal termination (return value ").map(Exit::Code);
        code.or_else(|| after("Abnormal termination (signal ").map(Exit::Signal))
    }

    /// What the job has used until now: of events 004 and 005 by the table of its resources, of 006 its memory alone.
    pub(super) fn used(&self) -> Used {
        let mut used = Used::default();
        for line in self.body.split(|&byte| byte == b'\n') {
            let line = String::from_utf8_lossy(&line[..line.len().min(REASON)]);
            if let Some((name, numbers)) = line.split_once(" :") {
                // Usage, request, allocated: where there are two the usage is not known.
                let numbers: Vec<&str> = numbers.split_ascii_whitespace().collect();
                let Some(usage) = numbers.first().filter(|_| numbers.len() >= 3).and_then(|usage| usage.parse().ok())
                else {
                    continue;
                };
                match name.trim() {
                    "Memory (MB)" => used.memory = bytes(usage, 20),
                    "Disk (KB)" => used.disk = bytes(usage, 10),
                    _ => {}
                }
            } else if let Some((usage, "MemoryUsage of job (MB)")) = line.trim().split_once("  -  ") {
                used.memory = usage.parse().map_or(0, |usage| bytes(usage, 20));
            }
        }
        used
    }

    /// Why a job was held, of event 012.
    pub(super) fn hold(&self) -> Hold {
        let mut hold = Hold { reason: String::new(), code: 0, subcode: 0 };
        for line in self.body.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii) {
            let text = String::from_utf8_lossy(line);
            let words: Vec<&str> = text.split_ascii_whitespace().take(5).collect();
            if let ["Code", code, "Subcode", subcode] = words[..]
                && let (Ok(code), Ok(subcode)) = (code.parse(), subcode.parse())
            {
                (hold.code, hold.subcode) = (code, subcode);
            } else if hold.reason.is_empty() {
                hold.reason = shown(line);
            }
        }
        hold
    }

    /// Who or what removed a job, of event 009.
    pub(super) fn reason(&self) -> String {
        shown(self.body.split(|&byte| byte == b'\n').next().unwrap_or_default().trim_ascii())
    }
}

/// So many times 2 to this power, but for [`TOO_MUCH`].
fn bytes(usage: u64, power: u32) -> u64 {
    usage.checked_mul(1 << power).filter(|bytes| *bytes < TOO_MUCH).unwrap_or(0)
}

/// A line for people: of bounded length, harmless for a terminal.
pub(super) fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(&line[..line.len().min(REASON)]);
    text.chars().map(|letter| if letter.is_control() && letter != '\t' { '\u{fffd}' } else { letter }).collect()
}

/// The number that a text starts with, and what follows.
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let length = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    if length == 0 || length > 18 {
        return None;
    }
    let value = text[..length].iter().fold(0, |value, digit| 10 * value + u64::from(digit - b'0'));
    Some((value, &text[length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> Event<'_> {
        let (line, body) = text.split_once('\n').unwrap_or((text, ""));
        Event { body: body.as_bytes(), ..Event::parse(line.as_bytes()).expect("an event") }
    }

    #[test]
    fn a_first_line_is_taken_apart() {
        let found = event("005 (062.001.000) 2026-11-22 15:53:05 Job terminated.");
        assert_eq!((found.code, found.job), (5, JobId { cluster: 62, process: 1 }));
        assert_eq!(found.title, b"Job terminated.");
        assert!(found.time.is_some());
        let found = event("028 (1000000.000.000) no time Job ad information event triggered.");
        assert_eq!((found.code, found.job.cluster, found.time), (28, 1_000_000, None));
    }

    #[test]
    fn what_makes_no_sense_is_no_event() {
        for line in [
            "",
            "005",
            "5 (1.0.0) 2026-11-22 15:53:05 x",
            "0005 (1.0.0) 2026-11-22 15:53:05 x",
            "005 (1.0) 2026-11-22 15:53:05 x",
            "005 (a.0.0) 2026-11-22 15:53:05 x",
            "005 (99999999999.0.0) 2026-11-22 15:53:05 x",
            "\t005 (1.0.0) 2026-11-22 15:53:05 x",
        ] {
            assert!(Event::parse(line.as_bytes()).is_none(), "{line}");
        }
    }

    #[test]
    fn nodes_are_named_in_two_ways() {
        let first = "000 (002.000.000) 2026-11-22 21:35:51 Job submitted from host: <127.0.0.1:9618>\n";
        for body in [
            "    DAG Node: chunk-000000-g1\n",
            "    DAG Node: chunk-000000-g1\r\n",
            "    [ DAGNodeName = \"chunk-000000-g1\"; JobBatchName = \"plan.dag+1\" ]\n",
        ] {
            assert_eq!(event(&format!("{first}{body}")).node(), Some(&b"chunk-000000-g1"[..]), "{body}");
        }
        assert_eq!(event(first).node(), None);
    }

    #[test]
    fn machines_have_names_or_addresses() {
        let executes = "001 (2.0.0) 2026-11-22 21:35:53 Job executing on host: ";
        for (rest, host) in [
            ("<127.0.1.1:9618?addrs=127.0.1.1-9618&alias=ep1&noUDP&sock=x>\n\tSlotName: slot1_2@other", "ep1"),
            ("<127.0.1.1:9618?addrs=127.0.1.1-9618&alias=ep1.example.org>\n", "ep1.example.org"),
            ("<127.0.1.1:9618?addrs=x>\n\tSlotName: slot1_2@job@ep2\n\tCpus = 1", "ep2"),
            ("<127.0.1.1:9618>\n", "127.0.1.1"),
        ] {
            assert_eq!(event(&format!("{executes}{rest}")).host(), Some(host.as_bytes()), "{rest}");
        }
        let sent = "040 (2.0.0) 2026-11-22 21:35:52 Started transferring input files\n\tTransferring to host: \
                    <127.0.1.3:9618?addrs=127.0.1.3-9618&alias=ep3&noUDP&sock=slot1_1>\n";
        assert_eq!(event(sent).host(), Some(&b"ep3"[..]));
        assert_eq!(event(executes).host(), None);
    }

    #[test]
    fn ends_and_holds_are_read() {
        let ended = |body: &str| event(&format!("005 (2.0.0) 2026-11-22 21:35:53 Job terminated.\n{body}")).exit();
        assert_eq!(ended("\t(1) Normal termination (return value 70)\n"), Some(Exit::Code(70)));
        assert_eq!(ended("\t(0) Abnormal termination (signal 9)\n\t(0) No core file\n"), Some(Exit::Signal(9)));
        assert_eq!(ended("\t(1) Normal termination (return value -1)\n"), Some(Exit::Code(-1)));
        assert_eq!(ended("\t(1) Normal termination (return va"), None);
        let held =
            "012 (4.0.0) 2026-11-22 21:35:56 Job was held.\n\theld by\x07hand (by user alice)\n\tCode 1 Subcode 0\n";
        let hold = Hold { reason: "held by\u{fffd}hand (by user alice)".to_owned(), code: 1, subcode: 0 };
        assert_eq!(event(held).hold(), hold);
        let used = |memory: u64, disk: u64| Used { memory: memory << 20, disk: disk << 10 };
        let table = |text: &str| event(&format!("005 (2.0.0) 2026-11-22 21:35:53 Job terminated.\n{text}")).used();
        let head = "\tPartitionable Resources :    Usage  Request Allocated \n\t   Cpus                 :        0        1         1 \n";
        let disk = "\t   Disk (KB)            :     3541  1048576   1048576 \n";
        let all = format!("{head}{disk}\t   Memory (MB)          :       16     1024      1024 \n");
        assert_eq!(table(&all), used(16, 3541));
        assert_eq!(
            table(&format!("{head}{disk}\t   Memory (MB)          :           1024      1024 \n")),
            used(0, 3541)
        );
        for much in ["99999999999999999", "18446744073709551615", "16777216"] {
            let said = format!("\t   Memory (MB)          :    {much}     1024      1024 \n");
            assert_eq!(table(&said), Used::default(), "{much} MB");
        }
        assert_eq!(table("\t   Memory (MB)          :    -5     1024      1024 \n"), Used::default());
        let size = "006 (3.0.0) 2026-11-22 21:37:42 Image size of job updated: 3750\n\t5  -  MemoryUsage of job (MB)\n\t4908  -  ResidentSetSize of job (KB)\n";
        assert_eq!(event(size).used(), used(5, 0));
        let removed = "009 (7.0.0) 2026-11-22 21:35:56 Job was aborted.\n\tvia condor_rm (by user alice)\n";
        assert_eq!(event(removed).reason(), "via condor_rm (by user alice)");
    }
}
