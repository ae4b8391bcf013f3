//! The mean of all numbers.

use serde::{Deserialize, Serialize};

use super::double::LOWEST;
use super::dyadic::Dyadic;
use super::{ExactSum, Fold, Number, Value};

/// The mean of all numbers, a decimal: their exact sum divided by their count, rounded once. No answer for nothing.
///
/// Infinities and NaN make it what they make of the sum. Objects `{"n": .., "mean": ..}` stand for n numbers.
///
/// Laws: exact sums are added, so that neither cut, order nor tree shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mean;

/// What [`Mean`] has merged.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Means {
    count: u128,
    sum: ExactSum,
    /// The sum of the numbers that objects stand for.
    summed: Dyadic,
}

impl Fold for Mean {
    type State = Means;

    const PER_ITEM: bool = true;
    const SUMMARY: &'static [&'static str] = &["n", "mean"];

    fn identity(&self) -> Means {
        Means::default()
    }

    #[inline]
    fn add(&self, state: &mut Means, number: Number) {
        state.count += 1;
        match number {
            Number::Integer(value) => state.sum.add_integer(&value),
            Number::Decimal(value) => state.sum.add(value),
        }
    }

    fn add_summary(&self, state: &mut Means, summary: &Value) -> Option<()> {
        let count = summary_count(summary)?;
        if count == 0 {
            return Some(());
        }
        let Value::Number(mean) = summary.get("mean")? else { return None };
        match (Dyadic::of(mean), mean) {
            (Some(mean), _) => state.summed += &(&mean * &Dyadic::from(count)),
            (None, Number::Decimal(special)) => state.sum.add(*special),
            (None, Number::Integer(_)) => return None,
        }
        state.count += count;
        Some(())
    }

    fn merge(&self, left: &mut Means, right: Means) {
        left.count = left.count.saturating_add(right.count);
        left.sum.merge(right.sum);
        left.summed += &right.summed;
    }

    fn finish(&self, state: Means) -> Option<Value> {
        if state.count == 0 {
            return None;
        }
        let special = state.sum.special();
        if special != 0.0 {
            return Some(Value::from(special));
        }
        let mut sum = Dyadic::new(state.sum.units(), LOWEST);
        sum += &state.summed;
        Some(Value::from(sum.over(&Dyadic::from(state.count))))
    }
}

/// The count in an object that stands for several numbers.
pub(super) fn summary_count(summary: &Value) -> Option<u128> {
    let Value::Number(Number::Integer(count)) = summary.get("n")? else { return None };
    u64::try_from(count.to_i128()?).ok().map(u128::from)
}

#[cfg(test)]
mod tests {
    use super::super::Elementwise;
    use super::super::testing::{reduced, reduced_of, refused, refused_of};
    use super::*;

    fn check(texts: &[&str], expected: &str) {
        assert_eq!(reduced(&Elementwise(Mean), texts).as_deref(), Some(expected), "{texts:?}");
    }

    #[test]
    fn the_exact_sum_is_divided_and_rounded_once() {
        check(&["1", "2", "3"], "2.0");
        check(&["1", "2"], "1.5");
        check(&["0.1", "0.2", "0.3"], "0.2");
        check(&["1e308", "1e308", "1e308"], "1e+308");
        check(&["9007199254740993", "9007199254740993"], "9007199254740992.0");
        check(&["-0.0"], "0.0");
        check(&["1\n2\n3", "4"], "2.5");
        check(&["inf", "1"], "inf");
        check(&["inf", "-inf"], "nan");
        check(&["nan", "1"], "nan");
        assert_eq!(reduced(&Elementwise(Mean), &[]), None);
    }

    #[test]
    fn summaries_stand_for_their_numbers() {
        check(&[r#"{"n": 3, "mean": 2.0, "var": 1.0}"#, "10"], "4.0");
        check(&["n=3\nmean=2\n", "10"], "4.0");
        check(&["{\"n\":0,\"mean\":NaN}\n", "10"], "10.0");
        check(&["{\"n\":2,\"mean\":Infinity}\n", "10"], "inf");
        assert_eq!(reduced_of(&Elementwise(Mean), 50, "{\"n\":50,\"mean\":0.5}\n"), "0.5");
        assert_eq!(reduced_of(&Elementwise(Mean), 3, "1\n\n2\n6\n"), "3.0");
    }

    #[test]
    fn there_is_no_mean_of_means() {
        assert_eq!(
            refused_of(&Elementwise(Mean), 50, "0.5\n"),
            "it holds 1 result for 50 items, where each item's own is due"
        );
        assert_eq!(
            refused_of(&Elementwise(Mean), 3, "0.5\n0.7"),
            "it holds 2 results for 3 items, where each item's own is due"
        );
        let due = "an object with a count n, a mean and an unbiased variance var";
        for text in [r#"{"n":-1,"mean":1}"#, r#"{"n":1.5,"mean":1}"#, r#"{"n":2,"mean":"x"}"#] {
            assert_eq!(refused(&Elementwise(Mean), text), format!("line 1 is not {due}: \"{text}\""));
        }
        assert_eq!(refused(&Elementwise(Mean), r#"{"mean":1}"#), "line 1 is not a number: \"{\"mean\":1}\"");
    }
}
