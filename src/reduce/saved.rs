//! How numbers are kept in saved states: as texts, so that nothing is rounded on the way.

use std::borrow::Cow;
use std::fmt::Display;

use num_bigint::{BigInt, BigUint};
use serde::de::{Deserialize, Deserializer, Error};
use serde::{Serialize, Serializer};

use super::{Integer, Number};

/// Decimals as [`Number`] shows them, which read back as the same doubles.
impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer, |text| Self::parse(text.as_bytes()))
    }
}

/// Hexadecimal digits: unlike decimal ones, they take no more time than their number.
impl Serialize for Integer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        big::serialize(&self.to_big(), serializer)
    }
}

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        big::deserialize(deserializer).map(Self::from)
    }
}

/// A double, as [`Number`] shows it.
pub(super) mod double {
    use super::*;

    pub(in super::super) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        Number::Decimal(*value).serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        read(deserializer, |text| match Number::parse(text.as_bytes()) {
            Some(Number::Decimal(value)) => Some(value),
            _ => None,
        })
    }
}

/// An integer of any size, as hexadecimal digits.
pub(super) mod big {
    use super::*;

    pub(in super::super) fn serialize<S: Serializer>(value: &BigInt, serializer: S) -> Result<S::Ok, S::Error> {
        hexadecimal(format!("{value:x}"), serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BigInt, D::Error> {
        read(deserializer, |text| BigInt::parse_bytes(text.as_bytes(), 16))
    }
}

/// A whole number of any size, as hexadecimal digits.
pub(super) mod whole {
    use super::*;

    pub(in super::super) fn serialize<S: Serializer>(value: &BigUint, serializer: S) -> Result<S::Ok, S::Error> {
        hexadecimal(format!("{value:x}"), serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BigUint, D::Error> {
        read(deserializer, |text| BigUint::parse_bytes(text.as_bytes(), 16))
    }
}

fn hexadecimal<S: Serializer>(digits: impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&digits)
}

fn read<'de, D: Deserializer<'de>, T>(deserializer: D, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, D::Error> {
    let text = Cow::<str>::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| D::Error::custom("not a number as it is saved"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn again<T: Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
        serde_json::from_str(&serde_json::to_string(value).expect("plain values")).expect("as written")
    }

    proptest! {
        #[test]
        fn numbers_are_kept_exactly(bits: u64, integer: i128, shift in 0u32..300) {
            let Number::Decimal(value) = again(&Number::Decimal(f64::from_bits(bits))) else { panic!("a decimal") };
            prop_assert!(value.to_bits() == bits || value.is_nan() && f64::from_bits(bits).is_nan());
            let integer = Integer::from(BigInt::from(integer) << shift);
            prop_assert_eq!(again(&integer), integer.clone());
            prop_assert_eq!(again(&Number::Integer(integer.clone())), Number::Integer(integer));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["\"\"", "\"x\"", "1", "\"1_0\"", "\"0x1\"", "null"] {
            assert!(serde_json::from_str::<Number>(text).is_err(), "{text}");
        }
        assert!(serde_json::from_str::<Integer>("\"-\"").is_err());
        assert_eq!(serde_json::from_str::<Integer>("\"-ff\"").expect("digits"), Integer::from(-255));
    }
}
