//! Reads YAML into a positioned tree, within bounds. The only file that knows the YAML parser.

use crate::node::{Entry, Kind, Map, Node, Position, Value, quoted};
use crate::report::{Finding, MOST, Problem};
use crate::rule;
use foldhash::HashMap;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span};

/// The most bytes that a file may have.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;
const MAX_DEPTH: usize = 32;
const MAX_ALIASED: usize = 10_000;

/// Reads the one document in `text`.
///
/// # Errors
/// Everything that keeps the text from being a tree of text keys. Duplicate keys are all reported; a syntax
/// error ends the reading.
pub(crate) fn read(text: &str) -> Result<Node, Vec<Problem>> {
    let stop = |finding: Finding| vec![finding.at(Position::START, String::new())];
    if text.len() > MAX_BYTES {
        return Err(stop(too_long(text.len())));
    }
    if let Some(at) = text.find('\0') {
        let finding = Finding::new(rule::NUL, "a NUL byte").hint("is this a binary file?");
        return Err(vec![finding.at(position_of(text, at), String::new())]);
    }
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
    while let Some(next) = parser.next_event() {
        let (event, span) = next.map_err(|error| vec![syntax(text, &error)])?;
        builder.event(event, span).map_err(|problem| vec![problem])?;
    }
    match builder.root {
        _ if !builder.problems.is_empty() => Err(builder.problems),
        Some(root) if root.kind() != Kind::Null => Ok(root),
        _ => Err(stop(Finding::new(rule::EMPTY_FILE, "the file is empty").hint("begin with `version: 1`"))),
    }
}

#[derive(Default)]
struct Builder {
    root: Option<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    aliased: usize,
    problems: Vec<Problem>,
}

pub(crate) fn too_long(bytes: usize) -> Finding {
    let message = format!("the file has {bytes} bytes; at most {MAX_BYTES} are read");
    Finding::new(rule::SIZE_OF_FILE, message).hint("is this the right file?")
}

/// A collection that is being read.
struct Open {
    at: Position,
    anchor: usize,
    parts: Parts,
}

enum Parts {
    List(Vec<Node>),
    Map { map: Map, key: Option<(Box<str>, Position)> },
}

impl Builder {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        let at = position(span.start);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) if self.root.is_some() => {
                self.stop(at, Finding::new(rule::DOCUMENTS, "a second document").hint("keep one"))
            }
            Event::DocumentStart(_) => Ok(()),
            Event::Scalar(_, _, _, Some(tag))
            | Event::SequenceStart(_, Some(tag))
            | Event::MappingStart(_, Some(tag)) => {
                self.stop(at, Finding::new(rule::TAG, format!("the tag {tag}")).hint("leave it out"))
            }
            Event::Scalar(text, style, anchor, None) => {
                let plain = style == ScalarStyle::Plain;
                self.value(Node { value: Value::Scalar { text: text.into(), plain }, at }, anchor)
            }
            Event::Alias(anchor) => self.alias(anchor, at),
            Event::SequenceStart(anchor, None) => self.begin(at, anchor, Parts::List(Vec::new())),
            Event::MappingStart(anchor, None) => {
                let parts = Parts::Map { map: Map::default(), key: None };
                self.begin(at, anchor, parts)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
        }
    }

    fn begin(&mut self, at: Position, anchor: usize, parts: Parts) -> Result<(), Problem> {
        if let Some(Open { parts: Parts::Map { key: None, .. }, .. }) = self.open.last() {
            return self.stop(at, Finding::new(rule::KEY, "a collection as a key").hint("a key is text"));
        }
        if self.open.len() >= MAX_DEPTH {
            return self.stop(at, Finding::new(rule::DEPTH, format!("nested more than {MAX_DEPTH} deep")));
        }
        self.open.push(Open { at, anchor, parts });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Problem> {
        let Some(Open { at, anchor, parts }) = self.open.pop() else { return Ok(()) };
        let value = match parts {
            Parts::List(items) => Value::List(items),
            Parts::Map { map, .. } => Value::Map(map),
        };
        self.value(Node { value, at }, anchor)
    }

    fn alias(&mut self, anchor: usize, at: Position) -> Result<(), Problem> {
        let Some(node) = self.anchors.get(&anchor) else {
            return self.stop(at, Finding::new(rule::ALIAS, "an alias inside the value that it repeats"));
        };
        self.aliased = self.aliased.saturating_add(count(node));
        if self.aliased > MAX_ALIASED {
            let message = format!("aliases repeat more than {MAX_ALIASED} values");
            return self.stop(at, Finding::new(rule::ALIAS, message));
        }
        let node = node.clone();
        self.value(node, 0)
    }

    fn value(&mut self, node: Node, anchor: usize) -> Result<(), Problem> {
        if anchor != 0 {
            // A copy per anchor would make nested anchors quadratic; they count like aliases.
            self.aliased = self.aliased.saturating_add(count(&node));
            if self.aliased > MAX_ALIASED {
                let message = format!("anchors hold more than {MAX_ALIASED} values");
                return self.stop(node.at, Finding::new(rule::ALIAS, message));
            }
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.parts) {
            None => self.root = Some(node),
            Some(Parts::List(items)) => items.push(node),
            Some(Parts::Map { map, key }) => match key.take() {
                Some((key, at)) => map.push(Entry { key, at, value: node }),
                None => return self.key(node),
            },
        }
        Ok(())
    }

    fn key(&mut self, node: Node) -> Result<(), Problem> {
        let Value::Scalar { text, .. } = node.value else {
            return self
                .stop(node.at, Finding::new(rule::KEY, "a collection as a key").hint("a key is text"));
        };
        let Some(Open { parts: Parts::Map { map, key }, .. }) = self.open.last_mut() else {
            return Ok(());
        };
        *key = Some((text.clone(), node.at));
        let first = map.get(&text).map(|entry| entry.at.line);
        if let Some(first) = first.filter(|_| self.problems.len() < MOST) {
            let message = format!("the key {} stands here again", quoted(&text));
            let finding = Finding::new(rule::DUPLICATE_KEY, message).hint(format!("first in line {first}"));
            self.problems.push(finding.at(node.at, self.path()));
        }
        Ok(())
    }

    fn stop(&self, at: Position, finding: Finding) -> Result<(), Problem> {
        Err(finding.at(at, self.path()))
    }

    /// The path of the innermost open collection.
    fn path(&self) -> String {
        let mut path = String::new();
        let inner = self.open.len().saturating_sub(1);
        for open in self.open.iter().take(inner) {
            match &open.parts {
                Parts::List(items) => path.push_str(&format!("[{}]", items.len())),
                Parts::Map { key, .. } => {
                    path.push_str(if path.is_empty() { "" } else { "." });
                    path.push_str(key.as_ref().map_or("", |(key, _)| key));
                }
            }
        }
        path
    }
}

fn count(node: &Node) -> usize {
    1 + match &node.value {
        Value::Scalar { .. } => 0,
        Value::List(items) => items.iter().map(count).sum(),
        Value::Map(_) => node.entries().iter().map(|entry| count(&entry.value)).sum(),
    }
}

fn position(marker: Marker) -> Position {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Position { line: number(marker.line()), column: number(marker.col().saturating_add(1)) }
}

/// Where the byte at `offset` stands.
pub(crate) fn position_of(text: &str, offset: usize) -> Position {
    let before = text.get(..offset).unwrap_or("");
    let line = before.rsplit_once('\n').map_or(before, |(_, line)| line);
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Position { line: number(before.matches('\n').count() + 1), column: number(line.chars().count() + 1) }
}

fn syntax(text: &str, error: &ScanError) -> Problem {
    let at = position(*error.marker());
    let index = usize::try_from(at.line).unwrap_or(1).saturating_sub(1);
    let line = text.lines().nth(index).unwrap_or("");
    let indent = line.chars().take_while(|c| c.is_whitespace());
    let tab = indent.clone().position(|c| c == '\t');
    if let Some(tab) = tab {
        let column = u32::try_from(tab + 1).unwrap_or(1);
        let finding = Finding::new(rule::TAB, "a tab indents this line").hint("use spaces");
        return finding.at(Position { column, ..at }, String::new());
    }
    Finding::new(rule::SYNTAX, format!("this is no YAML: {}", error.info())).at(at, String::new())
}
