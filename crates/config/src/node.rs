//! A node of the file: a value and where it stands.

use foldhash::HashMap;
use std::fmt;

/// A place in the file, counted from 1, in characters.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl Position {
    /// The first character of the file.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// A value with its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) at: Position,
}

/// What stands there. Scalars stay text until it is known what they should be, so that a bare `NO` is Norway.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Scalar { text: Box<str>, plain: bool },
    List(Vec<Node>),
    Map(Map),
}

/// A mapping in the file's order; a long one is found in by hash.
#[derive(Clone, Debug, Default)]
pub(crate) struct Map {
    entries: Vec<Entry>,
    index: Option<Box<HashMap<Box<str>, usize>>>,
}

impl Map {
    const SHORT: usize = 16;

    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        match &self.index {
            None => self.entries.iter().find(|entry| *entry.key == *key),
            Some(index) => index.get(key).and_then(|at| self.entries.get(*at)),
        }
    }

    /// Adds an entry; of two with one key the first is found.
    pub(crate) fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
        if self.entries.len() > Self::SHORT {
            let from = if self.index.is_some() { self.entries.len() - 1 } else { 0 };
            let index = self.index.get_or_insert_default();
            for (at, entry) in self.entries.iter().enumerate().skip(from) {
                index.entry(entry.key.clone()).or_insert(at);
            }
        }
    }
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: Box<str>,
    pub(crate) at: Position,
    pub(crate) value: Node,
}

/// The kind of a value, by the core schema of YAML 1.2.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Null,
    Bool,
    Number,
    Text,
    List,
    Map,
}

impl Node {
    pub(crate) fn kind(&self) -> Kind {
        match &self.value {
            Value::List(_) => Kind::List,
            Value::Map(_) => Kind::Map,
            Value::Scalar { plain: false, .. } => Kind::Text,
            Value::Scalar { text, .. } => match &**text {
                "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
                "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Kind::Bool,
                text if number(text) => Kind::Number,
                _ => Kind::Text,
            },
        }
    }

    /// The value of `key`, where this is a mapping that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The entry of `key`, where this is a mapping that has it.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        if let Value::Map(map) = &self.value { map.get(key) } else { None }
    }

    /// The entries of a mapping; none of anything else.
    pub(crate) fn entries(&self) -> &[Entry] {
        if let Value::Map(map) = &self.value { &map.entries } else { &[] }
    }
}

/// What was found, as a message says it.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Value::Scalar { text, .. } = &self.value else {
            return f.write_str(if self.kind() == Kind::List { "a list" } else { "a mapping" });
        };
        match self.kind() {
            Kind::Null => f.write_str("nothing"),
            Kind::Bool => write!(f, "the boolean {text}"),
            Kind::Number => write!(f, "the number {}", brief(text)),
            Kind::Text | Kind::List | Kind::Map => write!(f, "the text {}", quoted(text)),
        }
    }
}

/// `text` in quotes, cut and with its control characters escaped, for a message.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", brief(text))
}

fn brief(text: &str) -> String {
    let mut short: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    if text.chars().nth(60).is_some() {
        short.push('…');
    }
    short.replace("\\\"", "\"").replace("\\'", "'")
}

fn number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let of_base = |prefix, base| {
        unsigned
            .strip_prefix(prefix)
            .is_some_and(|rest: &str| !rest.is_empty() && rest.chars().all(|c| c.is_digit(base)))
    };
    let decimal =
        unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') && text.parse::<f64>().is_ok();
    decimal || of_base("0x", 16) || of_base("0o", 8) || matches!(unsigned, ".inf" | ".Inf" | ".nan" | ".NaN")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, plain: bool, expected: &str) {
        let node = Node { value: Value::Scalar { text: text.into(), plain }, at: Position::START };
        assert_eq!(node.to_string(), expected);
    }

    #[test]
    fn a_plain_scalar_is_what_yaml_1_2_says() {
        check("NO", true, "the text \"NO\"");
        check("false", true, "the boolean false");
        check("false", false, "the text \"false\"");
        check("5", true, "the number 5");
        check("-0.5e3", true, "the number -0.5e3");
        check("0x1f", true, "the number 0x1f");
        check("5s", true, "the text \"5s\"");
        check("nan", true, "the text \"nan\"");
        check("", true, "nothing");
        check("", false, "the text \"\"");
        check("a\nb\"c", false, "the text \"a\\nb\"c\"");
    }
}
