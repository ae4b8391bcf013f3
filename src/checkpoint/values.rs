//! What MessagePack has no words for, written as the Python side writes it.
//!
//! | extension | payload |
//! | --- | --- |
//! | 1 | a whole number of more than 64 bits: two's complement, least byte first, as short as it can be |
//! | 3 | the head of an array of numbers: MessagePack of `[dtype, shape, order]` as numpy has them |
//!
//! An array is a MessagePack array: first the head, then its bytes, in parts (`bin`), so that neither side needs all of them at once.
//! Python alone writes and reads 2 (a tuple), 4 (a number of numpy's), 5 (a pickle, if asked for) and 6 (a bytearray).

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Serialize, Serializer};

const WIDE: i8 = 1;
const HEAD: i8 = 3;

/// How rmp-serde names the newtype that it writes as an extension: a number and bytes.
#[derive(Serialize, Deserialize)]
#[serde(rename = "_ExtStruct")]
struct Extension((i8, Bytes));

/// Bytes that are written as such.
#[derive(Debug, Default, PartialEq)]
struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut bytes = Vec::new();
        deserializer.deserialize_bytes(Raw(|part: &[u8]| bytes.extend_from_slice(part)))?;
        Ok(Self(bytes))
    }
}

/// Takes bytes as they lie in the file.
struct Raw<F>(F);

impl<'de, F: FnMut(&[u8])> Visitor<'de> for Raw<F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("bytes")
    }

    fn visit_bytes<E: de::Error>(mut self, bytes: &[u8]) -> Result<(), E> {
        (self.0)(bytes);
        Ok(())
    }
}

impl<'de, F: FnMut(&[u8])> DeserializeSeed<'de> for Raw<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

/// A whole number of up to 128 bits, as Python writes an `int`: `#[serde(with = "split::checkpoint::wide")]` on an `i128`.
/// Without it serde writes an `i128` as 16 bytes, which Python reads as such.
pub mod wide {
    use super::*;

    /// Writes it.
    ///
    /// # Errors
    /// What the serializer says.
    pub fn serialize<S: Serializer>(number: &i128, serializer: S) -> Result<S::Ok, S::Error> {
        if let Ok(number) = i64::try_from(*number) {
            return serializer.serialize_i64(number);
        }
        if let Ok(number) = u64::try_from(*number) {
            return serializer.serialize_u64(number);
        }
        let mut bytes = number.to_le_bytes().to_vec();
        let sign = if *number < 0 { 0xff } else { 0 };
        while let [.., before, last] = bytes[..]
            && last == sign
            && (before ^ sign) & 0x80 == 0
        {
            bytes.pop();
        }
        Extension((WIDE, Bytes(bytes))).serialize(serializer)
    }

    /// Reads it.
    ///
    /// # Errors
    /// Where it is no whole number, or one of more than 128 bits.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i128, D::Error> {
        deserializer.deserialize_any(Wide)
    }

    struct Wide;

    impl<'de> Visitor<'de> for Wide {
        type Value = i128;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a whole number of at most 128 bits")
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<i128, E> {
            Ok(number.into())
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<i128, E> {
            Ok(number.into())
        }

        fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<i128, D::Error> {
            let (tag, Bytes(bytes)): (i8, Bytes) = Deserialize::deserialize(deserializer)?;
            let Some(last) = bytes.last().filter(|_| tag == WIDE && bytes.len() <= 16) else {
                return Err(de::Error::invalid_value(de::Unexpected::Bytes(&bytes), &self));
            };
            let mut wide = [if last & 0x80 == 0 { 0 } else { 0xff }; 16];
            wide[..bytes.len()].copy_from_slice(&bytes);
            Ok(i128::from_le_bytes(wide))
        }
    }
}

/// What an array of numpy can be made of.
pub trait Element: Copy + sealed::Sealed {
    /// numpy's name of the type, without the order of its bytes.
    #[doc(hidden)]
    const NAME: &'static str;
    /// How many bytes it takes.
    #[doc(hidden)]
    const SIZE: usize;

    /// Writes it into its bytes, the least first.
    #[doc(hidden)]
    fn put(self, bytes: &mut [u8]);

    /// Reads it from its bytes, the least first.
    #[doc(hidden)]
    fn get(bytes: &[u8]) -> Self;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! elements {
    ($($element:ident $name:literal,)*) => {
        $(
            impl sealed::Sealed for $element {}

            impl Element for $element {
                const NAME: &'static str = $name;
                const SIZE: usize = size_of::<$element>();

                fn put(self, bytes: &mut [u8]) {
                    bytes.copy_from_slice(&self.to_le_bytes());
                }

                fn get(bytes: &[u8]) -> Self {
                    let mut own = [0; size_of::<$element>()];
                    own.copy_from_slice(bytes);
                    Self::from_le_bytes(own)
                }
            }
        )*
    };
}

elements! {
    f64 "f8", f32 "f4", u8 "u1", u16 "u2", u32 "u4", u64 "u8", i8 "i1", i16 "i2", i32 "i4", i64 "i8",
}

/// A `Vec` of numbers, as Python writes a numpy array of one dimension: `#[serde(with = "split::checkpoint::numbers")]`. It takes no more
/// than their bytes, and is written and read about as fast as memory is copied; an array of more dimensions is read row by row.
pub mod numbers {
    use super::*;

    /// Bytes of one part.
    const PART: usize = 1 << 16;

    /// Writes it.
    ///
    /// # Errors
    /// What the serializer says.
    pub fn serialize<T: Element, S: Serializer>(values: &[T], serializer: S) -> Result<S::Ok, S::Error> {
        let order = if T::SIZE == 1 { '|' } else { '<' };
        let head = (format!("{order}{}", T::NAME), [values.len()], "C");
        let head = rmp_serde::to_vec(&head).map_err(serde::ser::Error::custom)?;
        let parts = values.chunks(PART / T::SIZE);
        let mut sequence = serializer.serialize_seq(Some(1 + parts.len()))?;
        sequence.serialize_element(&Extension((HEAD, Bytes(head))))?;
        let mut bytes = Bytes(vec![0; PART.min(values.len().saturating_mul(T::SIZE))]);
        for part in parts {
            bytes.0.truncate(part.len() * T::SIZE);
            for (place, value) in bytes.0.chunks_exact_mut(T::SIZE).zip(part) {
                value.put(place);
            }
            sequence.serialize_element(&bytes)?;
        }
        sequence.end()
    }

    /// Reads it.
    ///
    /// # Errors
    /// Where it is no array of numbers of this type.
    pub fn deserialize<'de, T: Element, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
        deserializer.deserialize_seq(Numbers(std::marker::PhantomData))
    }

    struct Numbers<T>(std::marker::PhantomData<T>);

    impl<'de, T: Element> Visitor<'de> for Numbers<T> {
        type Value = Vec<T>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(formatter, "an array of numbers of the type {}", T::NAME)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Vec<T>, A::Error> {
            let Some(Extension((HEAD, Bytes(head)))) = sequence.next_element()? else {
                return Err(de::Error::custom("an array without its head"));
            };
            let (name, shape, order): (String, Vec<u64>, String) =
                rmp_serde::from_slice(&head).map_err(de::Error::custom)?;
            let rest = name.trim_start_matches(['<', '|']);
            if rest != T::NAME || (order != "C" && shape.len() > 1) {
                return Err(de::Error::custom(format!(
                    "an array of {name} in the order {order}, where {} in the order C is due",
                    T::NAME
                )));
            }
            let mut values = Vec::new();
            let mut whole = true;
            while let Some(()) = sequence.next_element_seed(Raw(|bytes: &[u8]| {
                whole &= bytes.len().is_multiple_of(T::SIZE);
                values.extend(bytes.chunks_exact(T::SIZE).map(T::get));
            }))? {}
            let count = shape.iter().try_fold(1u64, |count, length| count.checked_mul(*length));
            match whole && count == Some(values.len() as u64) {
                true => Ok(values),
                false => Err(de::Error::custom("an array that is not as long as its shape says")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Wide(#[serde(with = "wide")] i128);

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Numbers<T: Element>(#[serde(with = "numbers")] Vec<T>);

    fn again<T: Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
        rmp_serde::from_slice(&rmp_serde::to_vec_named(value).expect("written")).expect("read")
    }

    #[test]
    fn wide_numbers_are_as_short_as_they_can_be() {
        let bytes = |number| rmp_serde::to_vec(&Wide(number)).expect("written");
        assert_eq!(bytes(-1), [0xff]);
        assert_eq!(bytes(1 << 64), [0xc7, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(bytes(-(1 << 63) - 1), [0xc7, 9, 1, 255, 255, 255, 255, 255, 255, 255, 127, 255]);
    }

    #[test]
    fn an_array_has_the_bytes_that_python_gives_it() {
        let bytes = rmp_serde::to_vec(&Numbers(vec![1.0f64])).expect("written");
        assert_eq!(bytes, b"\x92\xc7\x09\x03\x93\xa3<f8\x91\x01\xa1C\xc4\x08\0\0\0\0\0\0\xf0\x3f");
    }

    #[test]
    fn an_array_is_refused_as_another_type() {
        let bytes = rmp_serde::to_vec(&Numbers(vec![1.0f64, 2.0])).expect("written");
        let error = rmp_serde::from_slice::<Numbers<f32>>(&bytes).expect_err("another type").to_string();
        assert!(error.contains("f8") && error.contains("f4"), "{error}");
        let error = rmp_serde::from_slice::<Numbers<f64>>(&bytes[..bytes.len() - 1]).expect_err("too short");
        assert!(!error.to_string().is_empty());
        assert!(rmp_serde::from_slice::<Numbers<f64>>(&rmp_serde::to_vec(&vec![1.0]).expect("written")).is_err());
    }

    proptest! {
        #[test]
        fn wide_numbers_survive(number: i128, small: i64) {
            for number in [number, number >> 60, small.into(), i128::MIN, i128::MAX] {
                prop_assert_eq!(again(&Wide(number)), Wide(number));
            }
        }

        #[test]
        fn numbers_survive_bit_by_bit(values: Vec<u64>, copies in 1usize..40) {
            let values = values.repeat(copies * 10);
            let doubles = Numbers(values.iter().map(|bits| f64::from_bits(*bits)).collect());
            let bits: Vec<_> = again(&doubles).0.into_iter().map(f64::to_bits).collect();
            prop_assert_eq!(&bits, &values);
            let bytes = Numbers(values.iter().map(|bits| *bits as u8).collect());
            prop_assert_eq!(again(&bytes), bytes);
        }
    }
}
