//! Fields: the lines of a head as spans of the one buffer they came in, each with its class.

use crate::Refusal;
use crate::bytes_of::{Span, narrow};
use crate::known::{HOP_BY_HOP, Known, PROTECTED, Set, is_twin};
use crate::marks::Marks;
use crate::quick;
use arrayvec::ArrayVec;
use std::ops::Range;

/// The most fields that any limit can allow.
pub const MOST: usize = 256;

/// The fields of a head, in their order, over a buffer of their own.
///
/// The buffer holds whole lines (`name: value` and their end), so that neighbours that are kept can be copied at once.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    buffer: Vec<u8>,
    lines: Vec<Line>,
    present: Set,
    repeated: Set,
}

/// One field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Field<'a> {
    /// The name as it was sent; its case means nothing.
    pub name: &'a [u8],
    /// The value without the whitespace around it.
    pub value: &'a [u8],
    /// The name's class.
    pub known: Known,
    /// Whether the field ends at this hop: by its name, or because `Connection` names it.
    pub is_hop_by_hop: bool,
    at: usize,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    pub(crate) whole: Span,
    /// Where the name ends, with which it begins.
    pub(crate) colon: u32,
    pub(crate) value: Span,
    pub(crate) known: Known,
    pub(crate) hop: bool,
}

impl Line {
    pub(crate) fn new(whole: Span, colon: u32, value: Span, known: Known) -> Self {
        Self { whole, colon, value, known, hop: HOP_BY_HOP.has(known) }
    }

    pub(crate) fn name(self) -> Span {
        Span { start: self.whole.start, end: self.colon }
    }
}

impl Field<'_> {
    /// Where the value stands in [`Fields::buffer`].
    pub fn value_range(&self) -> Range<usize> {
        self.at..self.at + self.value.len()
    }
}

impl Fields {
    /// No fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the fields and keeps the space.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.lines.clear();
        self.present = Set::default();
        self.repeated = Set::default();
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The bytes that all spans point into.
    pub fn buffer(&self) -> &[u8] {
        &self.buffer
    }

    /// All fields in their order.
    pub fn iter(&self) -> impl Iterator<Item = Field<'_>> {
        self.lines.iter().map(|line| self.field(line))
    }

    /// Whether there is a field of this class.
    pub fn contains(&self, known: Known) -> bool {
        self.present.has(known)
    }

    /// The value of the first field of this class.
    pub fn get(&self, known: Known) -> Option<&[u8]> {
        self.all(known).next()
    }

    /// The values of all fields of this class.
    pub fn all(&self, known: Known) -> impl Iterator<Item = &[u8]> {
        let lines = if self.contains(known) { self.lines.as_slice() } else { &[] };
        lines.iter().filter(move |line| line.known == known).map(|line| line.value.of(&self.buffer))
    }

    /// The value of the first field of this name.
    pub fn get_name(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|field| field.name.eq_ignore_ascii_case(name.as_bytes())).map(|field| field.value)
    }

    /// Takes the fields away that `Connection` of `head` names: it speaks of trailers, too (RFC 9110, 7.6.1).
    pub(crate) fn drop_named_by(&mut self, head: &Self) {
        let Self { buffer, lines, .. } = self;
        let named = |name: &[u8]| {
            let options = head.all(Known::Connection).flat_map(|value| value.split(|byte| *byte == b','));
            options.map(crate::bytes_of::trim).any(|option| option.eq_ignore_ascii_case(name))
        };
        lines.retain(|line| !named(line.name().of(buffer)));
    }

    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }

    pub(crate) fn field(&self, line: &Line) -> Field<'_> {
        Field {
            name: line.name().of(&self.buffer),
            value: line.value.of(&self.buffer),
            known: line.known,
            is_hop_by_hop: line.hop,
            at: line.value.start as usize,
        }
    }

    pub(crate) fn is_repeated(&self, known: Known) -> bool {
        self.repeated.has(known)
    }

    /// Starts a buffer with what stands before the fields.
    pub(crate) fn begin(&mut self, parts: &[&[u8]]) {
        self.clear();
        self.extend(parts);
    }

    /// Adds to what stands before the fields.
    pub(crate) fn extend(&mut self, parts: &[&[u8]]) {
        for part in parts {
            self.buffer.extend_from_slice(part);
        }
    }

    /// Appends one field as a line; name, of class `known`, and value have been checked.
    pub(crate) fn push(&mut self, known: Known, name: &[u8], value: &[u8]) {
        let start = self.buffer.len();
        self.buffer.reserve(name.len() + value.len() + 4);
        self.extend(&[name, b": ", value, b"\r\n"]);
        let value_at = start + name.len() + 2;
        self.note(Line::new(
            Span::new(start, self.buffer.len()),
            narrow(start + name.len()),
            Span::new(value_at, value_at + value.len()),
            known,
        ));
    }

    /// Takes the fields that begin at `start`, where the marks are, where all of them are as usual and no more than `most`, and
    /// a copy of the head; returns where it ends.
    pub(crate) fn scan(
        &mut self,
        head: &[u8],
        mut marks: Marks<'_>,
        start: u32,
        most: usize,
    ) -> Option<usize> {
        self.clear();
        let mut at = start;
        while head.get(at as usize) != Some(&b'\r') {
            let (line, next) = quick::field(head, &mut marks, at)?;
            if self.lines.len() == most {
                return None;
            }
            self.note(line);
            at = next;
        }
        let end = at as usize + 2;
        let head = head.get(..end).filter(|head| head.ends_with(b"\r\n"))?;
        self.buffer.extend_from_slice(head);
        Some(end)
    }

    /// Takes a copy of the head and the spans of the fields that `keep` keeps.
    pub(crate) fn fill(
        &mut self,
        head: &[u8],
        found: &[httparse::Header<'_>],
        keep: fn(&[u8], Known) -> bool,
    ) {
        self.begin(&[head]);
        // Lines follow each other without a gap; the empty line ends the last one.
        let mut starts = found.iter().map(|field| Span::within(head, field.name.as_bytes()).start).skip(1);
        for field in found {
            let name = Span::within(head, field.name.as_bytes());
            let known = Known::classify(field.name.as_bytes());
            let end = starts.next().map_or(head.len().saturating_sub(2), |start| start as usize);
            if keep(field.name.as_bytes(), known) {
                let whole = Span::new(name.start as usize, end);
                self.note(Line::new(whole, name.end, Span::within(head, field.value), known));
            }
        }
    }

    /// Marks the fields that `Connection` names and may name, beside those that always end at this hop.
    pub(crate) fn mark_named(&mut self) -> Result<(), Refusal> {
        let Self { buffer, lines, .. } = self;
        let mut options = ArrayVec::<Span, 8>::new();
        for line in lines.iter().filter(|line| line.known == Known::Connection) {
            options.try_push(line.value).map_err(|_full| Refusal::TooManyFields)?;
        }
        for line in lines.iter_mut().filter(|line| !PROTECTED.has(line.known)) {
            let name = line.name().of(buffer);
            line.hop |= options
                .iter()
                .flat_map(|span| span.of(buffer).split(|byte| *byte == b','))
                .any(|option| crate::bytes_of::trim(option).eq_ignore_ascii_case(name));
        }
        Ok(())
    }

    fn note(&mut self, line: Line) {
        if self.present.has(line.known) {
            self.repeated = self.repeated.and(line.known);
        }
        self.present = self.present.and(line.known);
        self.lines.push(line);
    }
}

/// Keeps every field of a request but those that only pretend to have another name.
pub(crate) fn no_twin(name: &[u8], known: Known) -> bool {
    known != Known::Other || !is_twin(name)
}

/// What the tokeniser found wrong with the fields, told apart further than it does.
pub(crate) fn refuse(error: httparse::Error, head: &[u8]) -> Refusal {
    match error {
        httparse::Error::TooManyHeaders => Refusal::TooManyFields,
        httparse::Error::HeaderValue => Refusal::FieldValue,
        httparse::Error::HeaderName => {
            let mut lines = head.split(|byte| *byte == b'\n').skip(1);
            let name_is_spaced = |line: &[u8]| {
                let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
                name.len() < line.len() && matches!(name.last(), Some(b' ' | b'\t'))
            };
            if lines.clone().any(|line| matches!(line.first(), Some(b' ' | b'\t'))) {
                Refusal::Fold
            } else if lines.any(name_is_spaced) {
                Refusal::SpaceBeforeColon
            } else {
                Refusal::FieldName
            }
        }
        httparse::Error::Version => Refusal::Version,
        httparse::Error::Status => Refusal::Status,
        httparse::Error::NewLine | httparse::Error::Token => Refusal::FirstLine,
    }
}
