//! What MessagePack cannot tell from nothing: it has one word, nil, for `None`, `()`, and whatever `Some` they are in.
//!
//! A state with such a value would come back as another one. So each is looked through before it is saved.

use std::fmt::Display;

use serde::Serialize;
use serde::ser::{self, Serializer};

/// Refuses a state in which a `Some` is written as nothing.
pub(super) fn check<P: Serialize + ?Sized>(state: &P) -> Result<(), Refused> {
    state.serialize(Look).map(|_| ())
}

/// Why a state cannot be saved.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refused(String);

impl ser::Error for Refused {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// Writes nothing, and says whether a value is written as nil.
#[derive(Clone, Copy)]
struct Look;

macro_rules! something {
    ($($name:ident($value:ty))*) => {
        $(
            fn $name(self, _: $value) -> Result<bool, Refused> {
                Ok(false)
            }
        )*
    };
}

impl Serializer for Look {
    type Ok = bool;
    type Error = Refused;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    something! {
        serialize_bool(bool) serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64) serialize_i128(i128)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64) serialize_u128(u128) serialize_f32(f32)
        serialize_f64(f64) serialize_char(char) serialize_str(&str) serialize_bytes(&[u8]) serialize_unit_struct(&'static str)
    }

    fn serialize_none(self) -> Result<bool, Refused> {
        Ok(true)
    }

    fn serialize_unit(self) -> Result<bool, Refused> {
        Ok(true)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<bool, Refused> {
        match value.serialize(self)? {
            true => Err(Refused(format!("Some({}) would come back as None", std::any::type_name::<T>()))),
            false => Ok(false),
        }
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<bool, Refused> {
        value.serialize(self)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<bool, Refused> {
        Ok(false)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<bool, Refused> {
        value.serialize(self).map(|_| false)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self, Refused> {
        Ok(self)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, Refused> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, Refused> {
        Ok(self)
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Self, Refused> {
        Ok(self)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self, Refused> {
        Ok(self)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Refused> {
        Ok(self)
    }

    fn serialize_struct_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Self, Refused> {
        Ok(self)
    }

    fn is_human_readable(&self) -> bool {
        // As what is written in the end.
        false
    }
}

macro_rules! parts {
    ($($room:ident $name:ident($($before:ty)?),)*) => {
        $(
            impl ser::$room for Look {
                type Ok = bool;
                type Error = Refused;

                fn $name<T: Serialize + ?Sized>(&mut self, $(_: $before,)? value: &T) -> Result<(), Refused> {
                    value.serialize(*self).map(|_| ())
                }

                fn end(self) -> Result<bool, Refused> {
                    Ok(false)
                }
            }
        )*
    };
}

parts! {
    SerializeSeq serialize_element(),
    SerializeTuple serialize_element(),
    SerializeTupleStruct serialize_field(),
    SerializeTupleVariant serialize_field(),
    SerializeStruct serialize_field(&'static str),
    SerializeStructVariant serialize_field(&'static str),
}

impl ser::SerializeMap for Look {
    type Ok = bool;
    type Error = Refused;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Refused> {
        key.serialize(*self).map(|_| ())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        value.serialize(*self).map(|_| ())
    }

    fn end(self) -> Result<bool, Refused> {
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Unit;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Newtype(Option<u8>);

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Kind {
        One,
        Two(Option<u8>),
        Three { unit: () },
    }

    fn is_refused<T: Serialize>(value: &T) -> bool {
        check(value).is_err()
    }

    /// What is not refused comes back.
    fn comes_back<T: Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) {
        assert!(!is_refused(value), "{value:?}");
        let again: T = rmp_serde::from_slice(&rmp_serde::to_vec_named(value).expect("written")).expect("read");
        assert_eq!(&again, value);
    }

    #[test]
    fn a_some_that_would_be_nothing_is_refused() {
        assert!(is_refused(&Some(())) && is_refused(&Some(None::<u8>)) && is_refused(&Some(Newtype(None))));
        assert!(is_refused(&vec![Some(Some(())), None]) && is_refused(&BTreeMap::from([(1, (2, Some(None::<u8>)))])));
        assert!(is_refused(&Some(Some(Some(None::<u8>)))) && is_refused(&Some(Box::new(()))));
        let error = check(&(1, Some(()))).expect_err("refused").to_string();
        assert_eq!(error, "Some(()) would come back as None");
    }

    #[test]
    fn all_else_comes_back() {
        comes_back(&(Some(1u8), None::<u8>, (), Some(Some(2.5)), Some(String::new()), Some(Vec::<u8>::new())));
        comes_back(&(Some(Unit), Some(Newtype(Some(3))), Newtype(None), Some('x'), Some((1, ())), Some([(); 0])));
        comes_back(&[Some(Kind::One), Some(Kind::Two(None)), Some(Kind::Two(Some(1))), Some(Kind::Three { unit: () })]);
        comes_back(&BTreeMap::from([(Some(1), Some(vec![None, Some(1)])), (None, None)]));
    }
}
