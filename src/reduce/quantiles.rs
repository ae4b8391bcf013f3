//! Quantiles from counts, in bounded memory.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BadResult, Extreme, Fold, Integer, Max, Min, NoAnswer, Number, Outcome, Reducer, Value};
use crate::plan::Quantile;

/// Bits of a double's fraction that tell buckets apart: 256 buckets for each power of two.
const FRACTION_BITS: u32 = 8;
/// Bits of a double that do not.
const DROPPED: u32 = 52 - FRACTION_BITS;
/// A quantile is off by less than this share of itself: 1/256.
const RELATIVE_ERROR: f64 = 1.0 / (1 << FRACTION_BITS) as f64;

/// Quantiles of all numbers, each within 0.4 % of a number that is there; no answer for nothing.
///
/// The q-quantile of n numbers is that of rank floor(q (n - 1)) in ascending order, from 0 (numpy's method `lower`). The least
/// and the greatest are exact, and so are integers up to 512 in size. For others the answer is the lower end, in size, of a
/// bucket that the number is in: buckets grow with the numbers, so that the answer is off by less than 1/256 of itself. Numbers
/// below 2.3e-308 in size are off by less than 1e-310. NaN anywhere makes each quantile NaN.
///
/// This is DDSketch (Masson, Rim and Lee, "DDSketch: a fast and fully-mergeable quantile sketch with relative-error
/// guarantees", PVLDB 12, 2019) with buckets of equal width between powers of two, as HdrHistogram has them: a bucket is the
/// leading bits of a double, so that no logarithm differs from machine to machine, and none are ever collapsed. Memory grows with
/// the number of buckets that are used: at most about a million, for numbers of every size and sign.
///
/// Laws: counts are added, so that neither cut, order nor tree shows.
#[derive(Debug, Clone)]
pub struct Quantiles {
    quantiles: Vec<Quantile>,
}

/// What [`Quantiles`] has counted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Sketch {
    /// How many numbers are in each bucket; buckets ascend as their numbers do.
    #[serde(with = "pairs")]
    buckets: BTreeMap<i32, u64>,
    nan: bool,
    min: Extreme,
    max: Extreme,
}

/// JSON has only texts for keys.
mod pairs {
    use super::*;

    pub(super) fn serialize<S: serde::Serializer>(
        buckets: &BTreeMap<i32, u64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(buckets)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<i32, u64>, D::Error> {
        Vec::deserialize(deserializer).map(|pairs: Vec<(i32, u64)>| pairs.into_iter().collect())
    }
}

impl Quantiles {
    /// These quantiles.
    #[must_use]
    pub fn new(quantiles: &[Quantile]) -> Self {
        Self { quantiles: quantiles.to_vec() }
    }
}

/// The bucket of a number that is not NaN: 0 holds zero, those above it the positive numbers.
fn bucket(value: f64) -> i32 {
    let size = (value.abs().to_bits() >> DROPPED) as i32;
    if value < 0.0 { -size } else { size }
}

/// The number in a bucket that is nearest to zero.
fn nearest_zero(bucket: i32) -> f64 {
    let size = f64::from_bits(u64::from(bucket.unsigned_abs()) << DROPPED);
    if bucket < 0 { -size } else { size }
}

/// The nearest double, which may be infinite.
fn rounded(number: &Number) -> f64 {
    match number {
        Number::Decimal(value) => *value,
        Number::Integer(value) => value.to_double(),
    }
}

impl Reducer for Quantiles {
    type State = Sketch;

    fn is_per_item(&self) -> bool {
        true
    }

    fn identity(&self) -> Sketch {
        Sketch::default()
    }

    fn take_one(&self, state: &mut Sketch, outcome: &Outcome<'_>) -> Result<(), BadResult> {
        let Value::Number(number) = &outcome.value else {
            return Err(BadResult::not_a_number(outcome.line, outcome.text));
        };
        outcome.item()?;
        if number.is_nan() {
            state.nan = true;
        } else {
            *state.buckets.entry(bucket(rounded(number))).or_insert(0) += 1;
        }
        Min.add(&mut state.min, number.clone());
        Max.add(&mut state.max, number.clone());
        Ok(())
    }

    fn merge(&self, left: &mut Sketch, right: Sketch) {
        for (bucket, count) in right.buckets {
            let own = left.buckets.entry(bucket).or_insert(0);
            *own = own.saturating_add(count);
        }
        left.nan |= right.nan;
        Min.merge(&mut left.min, right.min);
        Max.merge(&mut left.max, right.max);
    }

    /// An object: `count`, `relative_error`, and a value for each quantile, under the text that asked for it.
    fn finish(&self, state: Sketch) -> Result<Value, NoAnswer> {
        let (Some(min), Some(max)) = (Min.finish(state.min), Max.finish(state.max)) else {
            return Err(NoAnswer::Nothing);
        };
        let count: u128 = state.buckets.values().copied().map(u128::from).sum();
        let mut entries = vec![
            (
                "count".to_owned(),
                Value::Number(Number::Integer(Integer::from(i128::try_from(count).unwrap_or(i128::MAX)))),
            ),
            ("relative_error".to_owned(), Value::from(RELATIVE_ERROR)),
        ];
        for quantile in &self.quantiles {
            let value = match rank(quantile, count) {
                _ if state.nan => Value::from(f64::NAN),
                Some(0) => min.clone(),
                Some(rank) if rank + 1 == count => max.clone(),
                Some(rank) => within(at(&state.buckets, rank), &min, &max),
                None => Value::from(f64::NAN),
            };
            entries.push((quantile.to_string(), value));
        }
        Ok(Value::object(entries))
    }
}

/// floor(q (n - 1)), exactly.
fn rank(quantile: &Quantile, count: u128) -> Option<u128> {
    let (numerator, denominator) = quantile.share();
    // Counts are sums of less than 2^64 buckets' counts; whole and rest apart, the product does not overflow.
    let (last, denominator) = (count.checked_sub(1)?, u128::from(denominator));
    let numerator = u128::from(numerator);
    Some(last / denominator * numerator + last % denominator * numerator / denominator)
}

/// The end of the bucket that holds the number of this rank.
fn at(buckets: &BTreeMap<i32, u64>, rank: u128) -> f64 {
    let mut before = 0;
    for (&bucket, &count) in buckets {
        before += u128::from(count);
        if rank < before {
            return nearest_zero(bucket);
        }
    }
    f64::NAN
}

/// A bucket may reach past the least and the greatest number.
fn within(value: f64, min: &Value, max: &Value) -> Value {
    use std::cmp::Ordering::{Greater, Less};
    let estimate = Number::Decimal(value);
    match (min, max) {
        (Value::Number(min), _) if estimate.compare(min) == Some(Less) => Value::Number(min.clone()),
        (_, Value::Number(max)) if estimate.compare(max) == Some(Greater) => Value::Number(max.clone()),
        _ => Value::Number(estimate),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{reduced, refused, refused_of};
    use super::*;

    fn quantiles(text: &str) -> Quantiles {
        Quantiles::new(&text.split(',').map(|text| text.parse().expect("a quantile")).collect::<Vec<_>>())
    }

    #[test]
    fn ranks_are_exact() {
        let numbers: String = (0..=10).map(|number| format!("{number}\n")).collect();
        assert_eq!(
            reduced(&quantiles("0,0.3,0.5,0.59,0.6,1"), &[&numbers]).as_deref(),
            Some(r#"{"count":11,"relative_error":0.00390625,"0":0,"0.3":3.0,"0.5":5.0,"0.59":5.0,"0.6":6.0,"1":10}"#)
        );
        assert_eq!(
            reduced(&quantiles("0.5"), &["7.123456"]).as_deref(),
            Some(r#"{"count":1,"relative_error":0.00390625,"0.5":7.123456}"#)
        );
        assert_eq!(reduced(&quantiles("0.5"), &[]), None);
        let special = reduced(&quantiles("0,0.5,1"), &["-inf\n1e999\n0\n-0.0\ninf"]);
        assert_eq!(
            special.as_deref(),
            Some(r#"{"count":5,"relative_error":0.00390625,"0":"-inf","0.5":0.0,"1":"inf"}"#)
        );
        let nan = reduced(&quantiles("0.5"), &["1\nnan\n2"]);
        assert_eq!(nan.as_deref(), Some(r#"{"count":2,"relative_error":0.00390625,"0.5":"nan"}"#));
    }

    #[test]
    fn anything_but_a_number_of_one_item_is_refused() {
        assert_eq!(refused(&quantiles("0.5"), "[1]"), "line 1 is not a number: \"[1]\"");
        assert_eq!(
            refused_of(&quantiles("0.5"), 2, "1\n2\n3"),
            "it holds 3 results for 2 items, where each item's own is due"
        );
    }

    proptest! {
        #[test]
        fn each_is_within_its_error(
            mut values in proptest::collection::vec(prop_oneof![
                any::<u64>().prop_map(f64::from_bits).prop_filter("normal", |value| value.is_normal()),
                -1e3f64..1e3,
                (-600i32..600).prop_map(f64::from),
            ], 1..60),
            share in 0u32..=1000,
        ) {
            let reducer = quantiles(&format!("{}.{:03}", share / 1000, share % 1000));
            let text: String = values.iter().map(|value| format!("{value:e}\n")).collect();
            let answer = reduced(&reducer, &[&text]).expect("an answer");
            let found = answer.rsplit(':').next().and_then(|text| text.trim_end_matches('}').parse::<f64>().ok()).expect("a number");
            values.sort_by(f64::total_cmp);
            let exact = values[(share as usize * (values.len() - 1)) / 1000];
            prop_assert!((found - exact).abs() <= exact.abs() * RELATIVE_ERROR, "{found:e} for {exact:e}");
            if exact.fract() == 0.0 && exact.abs() <= 512.0 {
                prop_assert_eq!(found, exact);
            }
        }

        #[test]
        fn buckets_ascend(left: f64, right: f64) {
            prop_assume!(left <= right);
            prop_assert!(bucket(left) <= bucket(right));
            prop_assert!(nearest_zero(bucket(left)).abs() <= left.abs());
        }
    }
}
