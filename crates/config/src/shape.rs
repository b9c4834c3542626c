//! Shapes: how a value is read, printed and described. The document's own definition is the one table that
//! drives the check, the defaults, `--effective`, `docs/CONFIGURATION.md` and the JSON Schema.

use crate::node::{Kind, Node, Value};
use crate::reader::Reader;
use crate::report::Finding;
use crate::rule;
use serde_json::{Value as Json, json};
use std::marker::PhantomData;

/// A value of the file.
pub(crate) trait Shape: Sized {
    /// What the key asks for.
    fn form() -> Form;

    /// Reads `node`, filling in what it leaves out from `base`. `None` after a problem that leaves no value.
    fn read<'a>(reader: &mut Reader<'a>, node: &'a Node, base: Option<&Self>) -> Option<Self>;

    /// The value as the file would say it, defaults and all.
    fn write(&self) -> serde_yaml::Value;

    /// What stands in for a required value that could not be read, so that the rest is checked all the same.
    fn stand_in() -> Option<Self> {
        None
    }
}

/// What a key asks for, as the pages describe it.
#[derive(Clone, Debug)]
pub(crate) enum Form {
    /// One value: in words, and as a JSON Schema.
    Scalar(String, Json),
    /// A list; whether it needs an entry.
    List(Box<Self>, bool),
    /// A mapping from names.
    Names(Box<Self>),
    /// A mapping with these keys.
    Fields(Vec<Field>),
    /// One of these.
    Either(Vec<Self>),
}

/// One key of a mapping.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) key: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) form: Form,
    /// `None` for a required key.
    pub(crate) default: Option<serde_yaml::Value>,
}

/// A value in one piece.
pub(crate) trait Scalar: Sized {
    /// The kinds of YAML value that it may be.
    const KINDS: &'static [Kind] = &[Kind::Text];

    /// Completes "expected ...".
    fn what() -> String;

    /// Reads the text.
    ///
    /// # Errors
    /// The rule that it breaks.
    fn parse(text: &str) -> Result<Self, Finding>;

    /// The value as the file would say it.
    fn write(&self) -> serde_yaml::Value;

    /// As a JSON Schema.
    fn json() -> Json {
        json!({ "type": "string" })
    }

    /// What to do about a value of another kind.
    fn hint(_found: Kind, _text: &str) -> Option<String> {
        None
    }

    /// A rule of its own for a value of another kind.
    fn refuse(_found: Kind) -> Option<Finding> {
        None
    }

    /// See [`Shape::stand_in`].
    fn stand_in() -> Option<Self> {
        None
    }
}

impl<T: Scalar> Shape for T {
    fn form() -> Form {
        Form::Scalar(T::what(), T::json())
    }

    fn read<'a>(reader: &mut Reader<'a>, node: &'a Node, _base: Option<&Self>) -> Option<Self> {
        let kind = node.kind();
        match &node.value {
            Value::Scalar { text, .. } if T::KINDS.contains(&kind) => match T::parse(text) {
                Ok(value) => return Some(value),
                Err(finding) => reader.problem(node.at, finding),
            },
            value => {
                let text = if let Value::Scalar { text, .. } = value { text } else { "" };
                match T::refuse(kind) {
                    Some(finding) => reader.problem(node.at, finding),
                    None => reader.wrong_type(node, &T::what(), T::hint(kind, text)),
                }
            }
        }
        None
    }

    fn write(&self) -> serde_yaml::Value {
        Scalar::write(self)
    }

    fn stand_in() -> Option<Self> {
        <T as Scalar>::stand_in()
    }
}

/// Nothing, or a value.
impl<T: Shape> Shape for Option<T> {
    fn form() -> Form {
        either("null", json!({ "type": "null" }), T::form())
    }

    fn read<'a>(reader: &mut Reader<'a>, node: &'a Node, _base: Option<&Self>) -> Option<Self> {
        if node.kind() == Kind::Null { Some(None) } else { T::read(reader, node, None).map(Some) }
    }

    fn write(&self) -> serde_yaml::Value {
        self.as_ref().map_or(serde_yaml::Value::Null, T::write)
    }
}

/// A word that stands for no value of ours: `auto`, `any`, `system`.
pub(crate) trait Word {
    const WORD: &'static str;
}

/// The word, or a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WordOr<W, T>(pub(crate) Option<T>, PhantomData<W>);

impl<W, T> WordOr<W, T> {
    pub(crate) fn word() -> Self {
        Self(None, PhantomData)
    }
}

impl<W: Word, T: Shape> Shape for WordOr<W, T> {
    fn form() -> Form {
        either(W::WORD, json!({ "const": W::WORD }), T::form())
    }

    fn read<'a>(reader: &mut Reader<'a>, node: &'a Node, _base: Option<&Self>) -> Option<Self> {
        if matches!(&node.value, Value::Scalar { text, .. } if **text == *W::WORD) {
            return Some(Self::word());
        }
        let value = T::read(reader, node, None)?;
        // What is written as the word, as `Auto` for a host, would be read again as the word, so it is that from the start.
        let value = Some(value).filter(|value| value.write() != W::WORD);
        Some(Self(value, PhantomData))
    }

    fn write(&self) -> serde_yaml::Value {
        self.0.as_ref().map_or_else(|| W::WORD.into(), T::write)
    }
}

fn either(word: &str, json: Json, other: Form) -> Form {
    let word = Form::Scalar(format!("`{word}`"), json);
    Form::Either(vec![word, other])
}

/// A list that may be empty.
impl<T: Shape> Shape for Vec<T> {
    fn form() -> Form {
        Form::List(Box::new(T::form()), false)
    }

    fn read<'a>(reader: &mut Reader<'a>, node: &'a Node, _base: Option<&Self>) -> Option<Self> {
        let Value::List(items) = &node.value else {
            reader.wrong_type(node, "a list", None);
            return None;
        };
        let items = items.iter().enumerate();
        Some(items.filter_map(|(index, item)| reader.item(index, item)).collect())
    }

    fn write(&self) -> serde_yaml::Value {
        self.iter().map(T::write).collect::<Vec<_>>().into()
    }
}

/// A list with an entry at least. It knows the places of its entries: one that cannot be read is left out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Some1<T>(pub(crate) Vec<T>, Vec<usize>);

impl<T> Some1<T> {
    /// The entries with their places in the file.
    pub(crate) fn placed(&self) -> impl Iterator<Item = (usize, &T)> {
        self.1.iter().copied().zip(&self.0)
    }
}

impl<T> From<Vec<T>> for Some1<T> {
    fn from(items: Vec<T>) -> Self {
        let places = (0..items.len()).collect();
        Self(items, places)
    }
}

impl<T: Shape> Shape for Some1<T> {
    fn form() -> Form {
        Form::List(Box::new(T::form()), true)
    }

    fn read<'a>(reader: &mut Reader<'a>, node: &'a Node, _base: Option<&Self>) -> Option<Self> {
        let Value::List(items) = &node.value else {
            reader.wrong_type(node, "a list", None);
            return None;
        };
        if items.is_empty() {
            reader
                .problem(node.at, Finding::new(rule::EMPTY_LIST, "an empty list").hint("name one at least"));
            return None;
        }
        let mut list = Self(Vec::with_capacity(items.len()), Vec::with_capacity(items.len()));
        for (place, item) in items.iter().enumerate() {
            if let Some(value) = reader.item(place, item) {
                list.0.push(value);
                list.1.push(place);
            }
        }
        Some(list)
    }

    fn write(&self) -> serde_yaml::Value {
        self.0.write()
    }

    fn stand_in() -> Option<Self> {
        Some(Vec::new().into())
    }
}

/// One value, or a list of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OneOrMore<T>(pub(crate) Vec<T>);

impl<T: Shape> Shape for OneOrMore<T> {
    fn form() -> Form {
        Form::Either(vec![T::form(), Some1::<T>::form()])
    }

    fn read<'a>(reader: &mut Reader<'a>, node: &'a Node, _base: Option<&Self>) -> Option<Self> {
        match node.kind() {
            Kind::List => Some1::read(reader, node, None).map(|list| Self(list.0)),
            _ => T::read(reader, node, None).map(|value| Self(vec![value])),
        }
    }

    fn write(&self) -> serde_yaml::Value {
        match self.0.as_slice() {
            [one] => one.write(),
            many => many.iter().map(T::write).collect::<Vec<_>>().into(),
        }
    }
}

/// A mapping from names that the file chooses, in its order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Names<K, T>(pub(crate) Vec<(K, T)>);

impl<K, T> Default for Names<K, T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Scalar, T: Shape> Names<K, T> {
    /// Reads a mapping whose values inherit from `base`.
    pub(crate) fn read_over<'a>(reader: &mut Reader<'a>, node: &'a Node, base: Option<&T>) -> Option<Self> {
        if !matches!(node.kind(), Kind::Map | Kind::Null) {
            reader.wrong_type(node, "a mapping", None);
            return None;
        }
        let mut values = Vec::with_capacity(node.entries().len());
        for entry in node.entries() {
            let key = K::parse(&entry.key).map_err(|finding| reader.problem(entry.at, finding));
            let value = reader.entry(entry, base);
            if let (Ok(key), Some(value)) = (key, value) {
                values.push((key, value));
            }
        }
        Some(Self(values))
    }
}

impl<K: Scalar, T: Shape> Shape for Names<K, T> {
    fn form() -> Form {
        Form::Names(Box::new(T::form()))
    }

    fn read<'a>(reader: &mut Reader<'a>, node: &'a Node, _base: Option<&Self>) -> Option<Self> {
        Self::read_over(reader, node, None)
    }

    fn write(&self) -> serde_yaml::Value {
        let entries = self.0.iter().map(|(key, value)| (key.write(), value.write()));
        serde_yaml::Value::Mapping(entries.collect())
    }
}

/// Defines mappings of the document: their keys, with documentation, shape and default.
///
/// `settings` have a default for every key, and so one themselves; an `entry` has required keys.
macro_rules! document {
    (settings $(#[doc = $about:literal])* $name:ident { $($(#[doc = $doc:literal])* $key:ident: $shape:ty = $default:expr,)* }) => {
        document! { entry $(#[doc = $about])* $name { $($(#[doc = $doc])* $key: $shape = $default,)* } }

        impl Default for $name {
            fn default() -> Self {
                Self { $($key: $default),* }
            }
        }
    };
    (entry $(#[doc = $about:literal])* $name:ident { $($(#[doc = $doc:literal])* $key:ident: $shape:ty $(= $default:expr)?,)* }) => {
        $(#[doc = $about])*
        #[derive(Clone, Debug, PartialEq)]
        pub(crate) struct $name { $($(#[doc = $doc])* pub(crate) $key: $shape),* }

        impl $crate::shape::Shape for $name {
            fn form() -> $crate::shape::Form {
                $crate::shape::Form::Fields(vec![$({
                    let default: Option<fn() -> $shape> = document!(@default $($default)?);
                    $crate::shape::Field {
                        key: stringify!($key),
                        doc: concat!($($doc),*),
                        form: <$shape as $crate::shape::Shape>::form(),
                        default: default.map(|make| $crate::shape::Shape::write(&make())),
                    }
                }),*])
            }

            fn read<'a>(
                reader: &mut $crate::reader::Reader<'a>,
                node: &'a $crate::node::Node,
                base: Option<&Self>,
            ) -> Option<Self> {
                reader.fields(node, &[$(stringify!($key)),*])?;
                $(
                    let default: Option<fn() -> $shape> = document!(@default $($default)?);
                    let $key = reader.field(node, stringify!($key), base.map(|base| &base.$key), default);
                )*
                Some(Self { $($key: $key?),* })
            }

            fn write(&self) -> serde_yaml::Value {
                serde_yaml::Value::Mapping(
                    [$((stringify!($key).into(), $crate::shape::Shape::write(&self.$key))),*].into_iter().collect(),
                )
            }
        }
    };
    (@default) => { None };
    (@default $default:expr) => { Some(|| $default) };
}
pub(crate) use document;
