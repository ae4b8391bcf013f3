//! Numbers as `--where` computes with them: whole ones exactly, as long as they fit, and doubles.

use std::cmp::Ordering;

/// A number.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Integer(i128),
    Double(f64),
}

use Number::{Double, Integer};

impl Number {
    /// The number that a text reads as: decimal digits with a sign, a point, an exponent, blanks around it.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text.trim_ascii()).ok()?;
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        // Rust reads `inf` and `nan` too, which are no numbers to compute with.
        if !unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
            return None;
        }
        text.parse().map(Integer).or_else(|_| text.parse().map(Double)).ok()
    }

    pub(super) fn double(self) -> f64 {
        match self {
            Integer(integer) => integer as f64,
            Double(double) => double,
        }
    }

    /// Exactly; `None` where one is the NaN that overflows can lead to.
    pub(super) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Integer(one), Integer(other)) => Some(one.cmp(&other)),
            (Double(one), Double(other)) => one.partial_cmp(&other),
            (Integer(one), Double(other)) => mixed(one, other),
            (Double(one), Integer(other)) => mixed(other, one).map(Ordering::reverse),
        }
    }

    pub(super) fn add(self, other: Self) -> Self {
        self.exactly(other, i128::checked_add, |one, other| one + other)
    }

    pub(super) fn subtract(self, other: Self) -> Self {
        self.exactly(other, i128::checked_sub, |one, other| one - other)
    }

    pub(super) fn multiply(self, other: Self) -> Self {
        self.exactly(other, i128::checked_mul, |one, other| one * other)
    }

    pub(super) fn negate(self) -> Self {
        Integer(0).subtract(self)
    }

    /// True division: 1 / 2 is 0.5. `None` by 0.
    pub(super) fn divide(self, other: Self) -> Option<Self> {
        match (self, other) {
            (_, Integer(0)) => None,
            (Integer(one), Integer(other)) if one.checked_rem(other) == Some(0) => Some(Integer(one / other)),
            _ if other.double() == 0.0 => None,
            _ => Some(Double(self.double() / other.double())),
        }
    }

    /// What is left of a division whose quotient is rounded down: the sign is the divisor's, as in Python and R. `None` by 0.
    pub(super) fn remainder(self, other: Self) -> Option<Self> {
        if let (Integer(one), Integer(other)) = (self, other) {
            if other == 0 {
                return None;
            }
            let left = one.checked_rem(other).unwrap_or(0);
            return Some(Integer(if left != 0 && (left < 0) != (other < 0) { left + other } else { left }));
        }
        let (one, other) = (self.double(), other.double());
        let left = one % other;
        let turned = left != 0.0 && (left < 0.0) != (other < 0.0);
        (other != 0.0).then_some(Double(if turned { left + other } else { left }))
    }

    /// With a whole exponent, or 0.5: what every machine computes alike. `None` for other exponents, and for 0 to a
    /// negative one.
    pub(super) fn power(self, exponent: Self) -> Option<Self> {
        let exponent = match exponent {
            Double(0.5) => return Some(Double(self.double().sqrt())),
            Double(double) if double.fract() == 0.0 && double.abs() < 1e9 => double as i128,
            Double(_) => return None,
            Integer(integer) => integer,
        };
        let times = u32::try_from(exponent.unsigned_abs()).ok()?;
        let (mut power, mut square, mut left) = (Integer(1), self, times);
        while left > 0 {
            if left & 1 == 1 {
                power = power.multiply(square);
            }
            left >>= 1;
            if left > 0 {
                square = square.multiply(square);
            }
        }
        if exponent < 0 { Integer(1).divide(power) } else { Some(power) }
    }

    /// Rounded to a whole number, by a function that does so with doubles.
    pub(super) fn whole(self, round: fn(f64) -> f64) -> Self {
        match self {
            Integer(_) => self,
            Double(double) => {
                let whole = round(double);
                // Above 2^126 each double is whole, and stays one.
                if whole.abs() < 2f64.powi(126) { Integer(whole as i128) } else { Double(whole) }
            }
        }
    }

    fn exactly(self, other: Self, whole: fn(i128, i128) -> Option<i128>, double: fn(f64, f64) -> f64) -> Self {
        let exact = match (self, other) {
            (Integer(one), Integer(other)) => whole(one, other),
            _ => None,
        };
        exact.map_or_else(|| Double(double(self.double(), other.double())), Integer)
    }
}

/// How a whole number compares to a double.
fn mixed(integer: i128, double: f64) -> Option<Ordering> {
    // 2^127: one more than the largest i128.
    let limit = 2f64.powi(127);
    match double {
        _ if double.is_nan() => None,
        _ if double >= limit => Some(Ordering::Less),
        _ if double < -limit => Some(Ordering::Greater),
        _ => Some(
            integer.cmp(&(double.trunc() as i128)).then_with(|| 0.0.partial_cmp(&double.fract()).expect("numbers")),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Number {
        Number::read(text.as_bytes()).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn what_reads_as_a_number() {
        for text in ["1", "-5", "+5", " 7 ", "1.5", ".5", "5.", "1e3", "-1.5E-3", "007"] {
            read(text);
        }
        for text in [
            "", " ", "-", ".", "e3", "inf", "nan", "-inf", "infinity", "0x10", "1_000", "1,5", "5 km", "--5", "\u{663}",
        ] {
            assert!(Number::read(text.as_bytes()).is_none(), "{text}");
        }
        assert!(Number::read(b"\xff1").is_none());
    }

    #[test]
    fn comparisons_are_exact() {
        use Ordering::{Equal, Greater, Less};
        let check = |one: &str, other: &str, expected| {
            assert_eq!(read(one).compare(read(other)), Some(expected), "{one} {other}");
            assert_eq!(read(other).compare(read(one)), Some(expected.reverse()), "{other} {one}");
        };
        check("9007199254740993", "9007199254740992", Greater);
        check("9007199254740993", "9007199254740992.0", Greater);
        check("3", "3.0", Equal);
        check("0.1", "1e-1", Equal);
        check("-3", "-3.5", Greater);
        check("3", "3.5", Less);
        check("0", "-0.0", Equal);
        check("170141183460469231731687303715884105727", "1e40", Less);
        check("170141183460469231731687303715884105727", "170141183460469231731687303715884105728", Less);
        check("-170141183460469231731687303715884105728", "-1e300", Greater);
        check("-170141183460469231731687303715884105728", "-170141183460469231731687303715884105728.0", Equal);
    }

    #[test]
    fn arithmetic_is_a_researchers() {
        let equal = |one: Option<Number>, other: &str| {
            let one = one.expect("a number");
            assert_eq!(one.compare(read(other)), Some(Ordering::Equal), "{one:?} is not {other}");
        };
        equal(read("1").divide(read("2")), "0.5");
        equal(read("6").divide(read("2")), "3");
        equal(read("-1").remainder(read("3")), "2");
        equal(read("1").remainder(read("-3")), "-2");
        equal(read("-1.5").remainder(read("1")), "0.5");
        equal(read("7").remainder(read("7")), "0");
        equal(read("2").power(read("10")), "1024");
        equal(read("2").power(read("-1")), "0.5");
        equal(read("9").power(read("0.5")), "3");
        equal(read("-2").power(read("3")), "-8");
        equal(read("1.5").power(read("2.0")), "2.25");
        equal(Some(read("2.5").whole(f64::round_ties_even)), "2");
        equal(Some(read("1e300").whole(f64::floor)), "1e300");
        equal(
            Some(read("170141183460469231731687303715884105727").add(read("1"))),
            "170141183460469231731687303715884105728",
        );
        assert!(read("1").divide(read("0")).is_none());
        assert!(read("1").divide(read("0.0")).is_none());
        assert!(read("1").remainder(read("0")).is_none());
        assert!(read("1.5").remainder(read("0")).is_none());
        assert!(read("0").power(read("-1")).is_none());
        assert!(read("2").power(read("0.3")).is_none());
        let least = "-170141183460469231731687303715884105728";
        equal(read(least).remainder(read("-1")), "0");
        equal(read(least).divide(read("-1")), "170141183460469231731687303715884105728");
    }
}
