//! Times as an event log gives them.

/// A time of an event, in seconds of the access point's local clock: only differences within one log mean anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// Seconds since 1970, as if the local time were UTC. Without a year: since the start of [`LEAP_YEAR`].
    pub(super) seconds: i64,
    /// Whether the log gives the year. Until HTCondor 8.8, and with `DEFAULT_USERLOG_FORMAT_OPTIONS = LEGACY`, it does not.
    pub(super) has_year: bool,
}

/// Stands for a year that is not given: every day of a year is in it.
const LEAP_YEAR: i64 = 2000;
/// A day in seconds.
pub(super) const DAY: i64 = 86_400;

impl Moment {
    /// Reads `2026-11-22 15:53:05` (also with a `T`, with parts of a second, or a zone) or `11/22 15:53:05` at the start
    /// of `text`; gives the rest, too.
    pub(super) fn parse(text: &[u8]) -> Option<(Self, &[u8])> {
        if text.get(2) == Some(&b'/') {
            let (month, day) = (two(text, 0)?, two(text, 3)?);
            let seconds = civil(LEAP_YEAR, month, day)? + clock(text.get(6..)?)?;
            return (text[5] == b' ').then_some((Self { seconds, has_year: false }, &text[14..]));
        }
        let is_marked = text.get(4) == Some(&b'-') && text.get(7) == Some(&b'-');
        if !is_marked || !matches!(text.get(10), Some(b' ' | b'T')) {
            return None;
        }
        let year = 100 * two(text, 0)? + two(text, 2)?;
        let seconds = civil(year, two(text, 5)?, two(text, 8)?)? + clock(&text[11..])?;
        let rest = &text[19..];
        // Parts of a second and a zone stand before the next blank.
        let end = rest.iter().position(|&byte| byte == b' ').unwrap_or(rest.len());
        Some((Self { seconds, has_year: true }, &rest[end..]))
    }
}

/// `15:53:05`, in seconds.
fn clock(text: &[u8]) -> Option<i64> {
    if text.get(2) != Some(&b':') || text.get(5) != Some(&b':') {
        return None;
    }
    let (hour, minute, second) = (two(text, 0)?, two(text, 3)?, two(text, 6)?);
    // A leap second is the 61st.
    (hour < 24 && minute < 60 && second <= 60).then_some(3600 * hour + 60 * minute + second)
}

/// Two digits.
fn two(text: &[u8], at: usize) -> Option<i64> {
    let [ten, one] = *text.get(at..at + 2)? else { return None };
    (ten.is_ascii_digit() && one.is_ascii_digit()).then(|| i64::from(ten - b'0') * 10 + i64::from(one - b'0'))
}

/// Seconds from the start of 1970 to the start of a day of the Gregorian calendar (H. Hinnant, "chrono-compatible
/// low-level date algorithms", days_from_civil).
fn civil(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some((era * 146_097 + day_of_era - 719_468) * DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<i64> {
        Moment::parse(text.as_bytes()).map(|(moment, _)| moment.seconds)
    }

    #[test]
    fn times_are_read_in_every_form() {
        // `date -u -d '2026-11-22 15:53:05' +%s`
        assert_eq!(seconds("2026-11-22 15:53:05 Job terminated."), Some(1_795_362_785));
        assert_eq!(seconds("2026-11-22T15:53:05.123Z Job"), Some(1_795_362_785));
        assert_eq!(seconds("2024-02-29 00:00:00"), Some(1_709_164_800));
        assert_eq!(seconds("1970-01-01 00:00:00"), Some(0));
        let (moment, rest) = Moment::parse(b"11/22 15:53:05 Job terminated.").expect("a time");
        assert!(!moment.has_year && rest == b" Job terminated.");
        let (_, rest) = Moment::parse(b"2026-11-22 15:53:05.25+01:00 Job").expect("a time");
        assert_eq!(rest, b" Job");
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in ["", "2026", "2026-13-01 00:00:00", "2026-01-01 24:00:00", "11/22x15:53:05", "11/22 15:53", "ab/cd"]
        {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn days_follow_one_another() {
        let days = (1999..2030).flat_map(|year| {
            let leap = year % 4 == 0 && year % 100 != 0 || year % 400 == 0;
            let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            (1..).zip(lengths).flat_map(move |(month, length)| (1..=length).map(move |day| (year, month, day)))
        });
        let seconds: Vec<_> = days.map(|(year, month, day)| civil(year, month, day).expect("a day")).collect();
        assert!(seconds.windows(2).all(|pair| pair[1] - pair[0] == DAY));
    }
}
