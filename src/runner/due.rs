//! Whether a result can be one, before it is recorded.
//!
//! The reducers are not in the runner, which is small. So what is looked at is what all of them would refuse. Invariant: what
//! is refused here, the plan's reducer would refuse; what cannot be told is let through, and judged when it is merged.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};

use crate::plan::Due;
use crate::record::{Cause, beginning};

/// A longer line is let through: it may hold an integer of any size.
const LONGEST: u64 = 1 << 16;

/// What is wrong with the first `bytes` bytes of a file, as a result; none where nothing is. The file is then read from its start
/// again.
pub(super) fn judge(due: Due, file: &mut File, bytes: u64) -> io::Result<Option<Cause>> {
    let wrong = look(due, &mut BufReader::new((&mut *file).take(bytes)));
    file.rewind()?;
    wrong
}

fn look(due: Due, text: &mut impl BufRead) -> io::Result<Option<Cause>> {
    if due == Due::Anything {
        return Ok(None);
    }
    let (mut line, mut number, mut is_blank) = (Vec::new(), 0, true);
    loop {
        line.clear();
        let got = text.take(LONGEST).read_until(b'\n', &mut line)? as u64;
        if got == 0 {
            return Ok(is_blank.then_some(Cause::NoResult));
        }
        if got == LONGEST && line.last() != Some(&b'\n') {
            // More may follow that is not blank.
            let is_long = !line.iter().all(u8::is_ascii_whitespace) || !is_blank;
            return if is_long { Ok(None) } else { only_blank(text) };
        }
        number += 1;
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        is_blank = false;
        match verdict(due, text) {
            Verdict::Fits => {}
            Verdict::Unknown => return Ok(None),
            Verdict::Wrong => return Ok(Some(Cause::BadResult { line: number, text: beginning(text) })),
        }
    }
}

/// Of what follows much that is blank it only matters whether it is blank, too.
fn only_blank(text: &mut impl BufRead) -> io::Result<Option<Cause>> {
    let mut buffer = [0; 1 << 12];
    loop {
        match text.read(&mut buffer)? {
            0 => return Ok(Some(Cause::NoResult)),
            got if buffer[..got].iter().all(u8::is_ascii_whitespace) => {}
            _ => return Ok(None),
        }
    }
}

enum Verdict {
    /// The reducer may take it, and what follows is looked at.
    Fits,
    /// It cannot be told, nor of what follows.
    Unknown,
    /// The reducer refuses it.
    Wrong,
}

/// Judges a line that is not blank, without the white space around it.
fn verdict(due: Due, text: &[u8]) -> Verdict {
    let takes = |takes: bool| if takes { Verdict::Fits } else { Verdict::Wrong };
    match (text[0], due) {
        // An array or object takes as many lines as it takes; R's print() shows numbers as `[1] 5`.
        (b'[' | b'{', _) if due == Due::Counts || !is_shown_by_r(text) => Verdict::Unknown,
        (_, Due::Anything) => Verdict::Unknown,
        (_, Due::Numbers) => takes(is_number(text)),
        (_, Due::Truths) => {
            takes(is_number(text) || text.eq_ignore_ascii_case(b"true") || text.eq_ignore_ascii_case(b"false"))
        }
        // Lines may be of the form `name=value`, all of them.
        (_, Due::Summaries | Due::Fields) if text.contains(&b'=') => Verdict::Unknown,
        (_, Due::Summaries) => takes(is_number(text)),
        (_, Due::Fields) => Verdict::Wrong,
        (b'"', Due::Counts) => Verdict::Fits,
        (_, Due::Counts) => {
            let mut words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
            takes(match (words.next(), words.next(), words.next()) {
                (Some(key), None, _) => is_number(key),
                (Some(_), Some(count), None) => is_number(count),
                _ => false,
            })
        }
    }
}

/// Whether it is a number as reducers read them: what Rust reads as a double is what Python's `float()` reads, but for
/// underscores.
fn is_number(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.parse::<f64>().is_ok())
}

/// `[1] 5`: digits in brackets, and something after them.
fn is_shown_by_r(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    text.strip_prefix(b"[").is_some_and(|rest| {
        let digits = digits(rest);
        digits > 0 && rest.get(digits) == Some(&b']') && rest.len() > digits + 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(due: Due, text: &str) -> Option<String> {
        let cause = look(due, &mut text.as_bytes()).expect("in memory")?;
        Some(match cause {
            Cause::BadResult { line, text } => format!("{line}: {text}"),
            other => format!("{other:?}"),
        })
    }

    fn refused(due: Due, text: &str, expected: &str) {
        assert_eq!(check(due, text).as_deref(), Some(expected), "{due:?} {text:?}");
    }

    #[test]
    fn text_where_a_number_is_due_is_refused() {
        for due in [Due::Numbers, Due::Summaries, Due::Truths, Due::Fields, Due::Counts] {
            refused(due, "not yet", "1: not yet");
            refused(due, "\n not  yet so\r\n", "2: not  yet so");
            refused(due, " \n\t\r\n", "NoResult");
            refused(due, &" ".repeat(1 << 18), "NoResult");
            assert_eq!(check(due, &format!("{}x", " ".repeat(1 << 18))), None);
            assert_eq!(check(due, "[1,\nx"), None, "as far as can be told here");
        }
        refused(Due::Numbers, "1\n2.5e3\ninf\n5 kg\n", "4: 5 kg");
        refused(Due::Numbers, "[1] 5050", "1: [1] 5050");
        refused(Due::Summaries, "1\ntrue", "2: true");
        refused(Due::Truths, "True\n0\nyes", "3: yes");
        refused(Due::Fields, "5", "1: 5");
        refused(Due::Counts, "a 3\nb c", "2: b c");
        refused(Due::Numbers, "\x1b[31mred", "1: \\u{1b}[31mred");
        refused(Due::Numbers, &"z".repeat(99), &format!("1: {}...", "z".repeat(60)));
        for due in [Due::Anything, Due::Numbers] {
            assert_eq!(check(due, &"7".repeat(1 << 17)), None);
        }
        assert_eq!(check(Due::Anything, "not yet"), None);
    }

    #[cfg(feature = "cli")]
    mod laws {
        use proptest::prelude::*;

        use super::super::*;
        use crate::plan::Reduction;
        use crate::reduce::{Entry, Merger, NoAnswer, Reducer};
        use crate::space::Interval;

        fn refuses(reduction: &Reduction, items: u128, text: &[u8]) -> bool {
            let reducer = Merger::of(reduction).expect("it merges values");
            let mut state = reducer.identity();
            let entry = Entry::new(Interval::new(0, items).expect("items"), text);
            let is_blank = text.iter().all(u8::is_ascii_whitespace);
            is_blank
                || reducer.take(&mut state, &entry).is_err()
                || matches!(reducer.finish(state), Err(NoAnswer::Misfit { .. }))
        }

        /// Texts that programs may print, near to what is taken.
        fn text() -> impl Strategy<Value = String> {
            let line = prop_oneof![
                "[-+]?[0-9]{1,3}(\\.[0-9])?",
                "[a-c =\"\\[\\]{}:,0-9.tfx-]{0,9}",
                Just("true".to_owned()),
                Just("n=3".to_owned()),
                Just("mean=0.5".to_owned()),
                Just("var=1".to_owned()),
                Just("{\"n\":2,\"mean\":1,\"var\":1}".to_owned()),
                Just("\"a 3\"".to_owned()),
                Just("[1] 5".to_owned()),
                Just("a 3".to_owned()),
                Just("{\"a\":1}".to_owned()),
                Just("a=1".to_owned()),
                Just("[1,2".to_owned()),
                Just("3]".to_owned()),
                Just("inf".to_owned()),
                Just(String::new()),
            ];
            prop::collection::vec(line, 0..5).prop_map(|lines| lines.join("\n"))
        }

        proptest! {
            #![proptest_config(ProptestConfig::with_cases(4096))]

            #[test]
            fn what_is_refused_here_the_reducer_refuses(text in text(), items in 1u128..4) {
                for spelling in Reduction::SPELLINGS.into_iter().chain(["a=sum", "a=mean"]) {
                    let reduction: Reduction = spelling.parse().expect("a reduction");
                    let cause = look(reduction.due(), &mut text.as_bytes()).expect("in memory");
                    if cause.is_some() {
                        prop_assert!(refuses(&reduction, items, text.as_bytes()), "{spelling} takes {text:?}");
                    }
                }
            }
        }
    }
}
