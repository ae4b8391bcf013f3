//! Count, mean, variance, skewness, kurtosis, least and greatest.

use serde::{Deserialize, Serialize};

use super::dyadic::Dyadic;
use super::mean::summary_count;
use super::{Extreme, Fold, Integer, Max, Min, Number, Value, saved};

/// Statistics of all numbers; no answer for nothing.
///
/// - `count`, `min` and `max`; of equal numbers the first, as for [`Min`].
/// - `mean`.
/// - `variance`: the unbiased sample variance, with n - 1 in the denominator (Python's `statistics.variance`, R's `var`), and
///   `stddev`, its root; NaN for one number.
/// - `skewness` and `kurtosis`: the biased g1 and the excess g2, as `scipy.stats.skew` and `scipy.stats.kurtosis` give by
///   default (Joanes and Gill, "Comparing measures of sample skewness and kurtosis", The Statistician 47, 1998); NaN where the
///   variance is 0.
///
/// Each is the double nearest to the value of its formula: the sums of the numbers and of their squares, cubes and fourth
/// powers are exact. An infinity or a NaN among the numbers makes the mean what it makes of the sum, and the moments NaN.
///
/// Objects `{"n": .., "mean": .., "var": ..}` stand for n numbers with that unbiased sample variance. With them, skewness,
/// kurtosis, least and greatest cannot be told and are null.
///
/// Laws: exact sums are added, so that neither cut, order nor tree shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats;

/// What [`Stats`] has merged.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Moments {
    count: u128,
    /// The sums of the finite numbers' powers, from the first to the fourth.
    sums: [Dyadic; 4],
    /// The sum of the infinities and NaNs; 0.0 where there was none.
    #[serde(with = "saved::double")]
    special: f64,
    /// Whether objects are among the results: the third and fourth sum lack what they stand for.
    summaries: bool,
    min: Extreme,
    max: Extreme,
}

impl Fold for Stats {
    type State = Moments;

    const PER_ITEM: bool = true;
    const SUMMARY: &'static [&'static str] = &["n", "mean", "var"];

    fn identity(&self) -> Moments {
        Moments::default()
    }

    fn add(&self, state: &mut Moments, number: Number) {
        state.count += 1;
        match (Dyadic::of(&number), &number) {
            (Some(value), _) => {
                let square = &value * &value;
                let [first, second, third, fourth] = &mut state.sums;
                *third += &(&square * &value);
                *fourth += &(&square * &square);
                *second += &square;
                *first += &value;
            }
            (None, Number::Decimal(special)) => state.special += special,
            (None, Number::Integer(_)) => {}
        }
        Min.add(&mut state.min, number.clone());
        Max.add(&mut state.max, number);
    }

    fn add_summary(&self, state: &mut Moments, summary: &Value) -> Option<()> {
        let count = summary_count(summary)?;
        if count == 0 {
            return Some(());
        }
        let Value::Number(mean) = summary.get("mean")? else { return None };
        let variance = match summary.get("var")? {
            // One number has no variance, and programs say so in several ways.
            Value::Number(_) | Value::Null if count == 1 => Number::from(0),
            Value::Number(variance) => variance.clone(),
            _ => return None,
        };
        state.count += count;
        state.summaries = true;
        match (Dyadic::of(mean), Dyadic::of(&variance)) {
            (Some(mean), Some(variance)) if !variance.is_negative() => {
                let sum = &mean * &Dyadic::from(count);
                state.sums[1] += &(&sum * &mean);
                state.sums[1] += &(&variance * &Dyadic::from(count - 1));
                state.sums[0] += &sum;
            }
            (Some(_), Some(_)) => return None,
            (None, _) => state.special += decimal(mean),
            // The numbers' variance is not known.
            (Some(_), None) => state.special += f64::NAN,
        }
        Some(())
    }

    fn merge(&self, left: &mut Moments, right: Moments) {
        left.count = left.count.saturating_add(right.count);
        left.special += right.special;
        left.summaries |= right.summaries;
        left.sums.iter_mut().zip(&right.sums).for_each(|(left, right)| *left += right);
        Min.merge(&mut left.min, right.min);
        Max.merge(&mut left.max, right.max);
    }

    fn finish(&self, state: Moments) -> Option<Value> {
        let (special, summaries) = (state.special, state.summaries);
        let count = Value::Number(Number::Integer(Integer::from(num_bigint::BigInt::from(state.count))));
        let of_numbers = |extreme: Option<Value>| if summaries { Value::Null } else { extreme.unwrap_or(Value::Null) };
        let (min, max) = (Min.finish(state.min), Max.finish(state.max));
        let [mean, variance, stddev, skewness, kurtosis] = match state.count {
            0 => return None,
            _ if special != 0.0 => [special, f64::NAN, f64::NAN, f64::NAN, f64::NAN],
            count => moments(&Dyadic::from(count), &state.sums),
        };
        let higher = |value: f64| if summaries { Value::Null } else { Value::from(value) };
        let entries = [
            ("count", count),
            ("mean", Value::from(mean)),
            ("variance", Value::from(variance)),
            ("stddev", Value::from(stddev)),
            ("skewness", higher(skewness)),
            ("kurtosis", higher(kurtosis)),
            ("min", of_numbers(min)),
            ("max", of_numbers(max)),
        ];
        Some(Value::Object(entries.map(|(name, value)| (name.to_owned(), value)).into()))
    }
}

fn decimal(number: &Number) -> f64 {
    match number {
        Number::Decimal(value) => *value,
        Number::Integer(_) => 0.0,
    }
}

/// Mean, variance, its root, skewness and kurtosis of n numbers with these power sums.
fn moments(n: &Dyadic, [s1, s2, s3, s4]: &[Dyadic; 4]) -> [f64; 5] {
    let times = |factor: u128, value: &Dyadic| &Dyadic::from(factor) * value;
    let s1s1 = s1 * s1;
    // The central moments times n^2, n^3 and n^4, so that nothing is divided before the end.
    let second = (n * s2) - s1s1.clone();
    let n2 = n * n;
    let mut third = (&n2 * s3) - times(3, &(&(n * s1) * s2));
    third += &times(2, &(&s1s1 * s1));
    let mut fourth = (&(&n2 * n) * s4) - times(4, &(&n2 * &(s1 * s3)));
    fourth += &times(6, &(&(n * s2) * &s1s1));
    let fourth = fourth - times(3, &(&s1s1 * &s1s1));

    let pairs = n * &(n.clone() - Dyadic::from(1));
    let (variance, stddev) = match pairs.is_zero() {
        true => (f64::NAN, f64::NAN),
        false => (second.over(&pairs), second.root_over(&pairs)),
    };
    let (skewness, kurtosis) = if second.is_zero() {
        (f64::NAN, f64::NAN)
    } else {
        let square = &second * &second;
        let size = (&third * &third).root_over(&(&square * &second));
        (if third.is_negative() { -size } else { size }, (fourth - times(3, &square)).over(&square))
    };
    [s1.over(n), variance, stddev, skewness, kurtosis]
}

#[cfg(test)]
mod tests {
    use super::super::Elementwise;
    use super::super::testing::{reduced, reduced_of, refused};
    use super::*;

    fn check(texts: &[&str], expected: &str) {
        assert_eq!(reduced(&Elementwise(Stats), texts).as_deref(), Some(expected), "{texts:?}");
    }

    #[test]
    fn each_is_the_value_of_its_formula() {
        // The expected values are those of Python's fractions.Fraction, rounded once.
        check(
            &["1", "2", "3", "4"],
            r#"{"count":4,"mean":2.5,"variance":1.6666666666666667,"stddev":1.2909944487358056,"skewness":0.0,"kurtosis":-1.36,"min":1,"max":4}"#,
        );
        check(
            &["2.5\n1", "10", "-3"],
            r#"{"count":4,"mean":2.625,"variance":29.5625,"stddev":5.437140792732887,"skewness":0.5240847602494009,"kurtosis":-0.9828587264056068,"min":-3,"max":10}"#,
        );
        check(
            &["5"],
            r#"{"count":1,"mean":5.0,"variance":"nan","stddev":"nan","skewness":"nan","kurtosis":"nan","min":5,"max":5}"#,
        );
        check(
            &["7", "7.0"],
            r#"{"count":2,"mean":7.0,"variance":0.0,"stddev":0.0,"skewness":"nan","kurtosis":"nan","min":7,"max":7}"#,
        );
        check(
            &["1", "inf"],
            r#"{"count":2,"mean":"inf","variance":"nan","stddev":"nan","skewness":"nan","kurtosis":"nan","min":1,"max":"inf"}"#,
        );
    }

    #[test]
    fn what_cancels_is_not_lost() {
        // Naive sums of squares give 0 or less here.
        check(
            &["1000000000.1", "1000000000.2", "1000000000.3"],
            r#"{"count":3,"mean":1000000000.2,"variance":0.00999999284744509,"stddev":0.09999996423721906,"skewness":-7.300050910677777e-07,"kurtosis":-1.5,"min":1000000000.1,"max":1000000000.3}"#,
        );
        check(
            &["1e-300", "3e-300"],
            r#"{"count":2,"mean":2e-300,"variance":0.0,"stddev":1.4142135623730952e-300,"skewness":0.0,"kurtosis":-2.0,"min":1e-300,"max":3e-300}"#,
        );
    }

    #[test]
    fn summaries_are_merged_as_their_numbers_would_be() {
        let expected = r#"{"count":4,"mean":2.5,"variance":1.6666666666666667,"stddev":1.2909944487358056,"skewness":null,"kurtosis":null,"min":null,"max":null}"#;
        check(&[r#"{"n":2,"mean":1.5,"var":0.5}"#, "3", r#"{"n":1,"mean":4,"var":NaN}"#], expected);
        check(&["n=3\nmean=2\nvar=1\n", "{\"var\":null,\"n\":1,\"mean\":4}"], expected);
        assert_eq!(reduced_of(&Elementwise(Stats), 4, "{\"n\":4,\"mean\":2.5,\"var\":1.6666666666666667}"), expected);
        assert!(
            refused(&Elementwise(Stats), r#"{"n":2,"mean":1,"var":-1}"#)
                .starts_with("line 1 is not an object with a count n")
        );
        assert!(
            refused(&Elementwise(Stats), r#"{"n":2,"mean":1,"var":null}"#)
                .starts_with("line 1 is not an object with a count n")
        );
    }
}
