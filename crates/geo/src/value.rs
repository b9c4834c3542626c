//! Any value of a record, borrowed from the file.

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A value. Decoding one reads everything in it, so a record that decodes is sound throughout.
#[derive(Debug)]
pub(crate) enum Value<'a> {
    /// Names and values.
    Map(Vec<(&'a str, Self)>),
    /// Values.
    List(Vec<Self>),
    /// Text.
    Text(&'a str),
    /// A number without a sign.
    Whole(u64),
    /// Any other number.
    Real(f64),
    /// What no table says a place with.
    Other,
}

impl Value<'_> {
    /// The value at the end of `path`: names, or `0` for the first of a list.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |value, name| match value {
            Self::Map(entries) => entries.iter().find(|(known, _)| known == name).map(|(_, value)| value),
            Self::List(values) if *name == "0" => values.first(),
            _ => None,
        })
    }

    /// The text.
    pub(crate) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The number; some vendors write it as text.
    pub(crate) fn real(&self) -> Option<f64> {
        match self {
            Self::Real(number) => Some(*number),
            Self::Whole(number) => u32::try_from(*number).ok().map(f64::from),
            Self::Text(text) => text.parse().ok(),
            Self::Map(_) | Self::List(_) | Self::Other => None,
        }
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Any { depth: 0 }.deserialize(deserializer)
    }
}

/// Tables of places nest four deep; what nests deeper was made to exhaust the stack.
const DEEPEST: u8 = 16;

/// Reads any value, `depth` containers inside a record.
#[derive(Clone, Copy)]
struct Any {
    depth: u8,
}

impl Any {
    fn inside<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth + 1;
        if depth > DEEPEST { Err(E::custom("it nests too deep")) } else { Ok(Self { depth }) }
    }
}

impl<'de> DeserializeSeed<'de> for Any {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Any {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of a geo table")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let inside = self.inside()?;
        let mut entries = Vec::new();
        while let Some(name) = map.next_key()? {
            entries.push((name, map.next_value_seed(inside)?));
        }
        Ok(Value::Map(entries))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let inside = self.inside()?;
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(inside)? {
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Value::Whole(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Value::Real(number))
    }

    fn visit_i64<E: Error>(self, _number: i64) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_u128<E: Error>(self, _number: u128) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_bool<E: Error>(self, _value: bool) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_borrowed_bytes<E: Error>(self, _bytes: &'de [u8]) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }
}
