//! Edits: what changes between a head as it came and as it goes on.

use crate::bytes_of::{Span, is_token, is_value_byte, trim};
use crate::fields::Line;
use crate::known::{HOP_BY_HOP, Known, Set, alike};
use crate::{Fields, Refusal};
use bytes::BufMut;

/// What only the writer decides: framing and connection. No edit reaches these.
const WRITERS: Set = HOP_BY_HOP.and(Known::ContentLength);

/// A patch list for one head: fields to remove, set and append, and another target.
///
/// It is kept and used again; after [`Edits::clear`] it allocates nothing until it grows beyond what it once held.
#[derive(Clone, Debug, Default)]
pub struct Edits {
    removed: Set,
    names: Vec<Span>,
    added: Vec<Added>,
    text: Vec<u8>,
    target: Option<Span>,
    host: Option<Span>,
}

#[derive(Clone, Copy, Debug)]
struct Added {
    whole: Span,
    name: Span,
    value: Span,
    alive: bool,
}

impl Edits {
    /// No change.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the changes and keeps the space.
    pub fn clear(&mut self) {
        self.removed = Set::default();
        self.names.clear();
        self.added.clear();
        self.text.clear();
        self.target = None;
        self.host = None;
    }

    /// Removes all fields of this class, those set before included. `Other` names nothing.
    pub fn remove(&mut self, known: Known) {
        if known != Known::Other {
            self.removed = self.removed.and(known);
        }
        if let Some(name) = known.name() {
            self.unset(name.as_bytes());
        }
    }

    /// Removes all fields of this name, those set before and those that differ in punctuation only included.
    pub fn remove_name(&mut self, name: &str) {
        let known = Known::classify(name.as_bytes());
        if known.name().is_some() {
            self.remove(known);
        } else {
            self.unset(name.as_bytes());
            let name = self.keep(name.as_bytes());
            self.names.push(name);
        }
    }

    /// Sets a field in place of all of this class. `Host` changes the authority that a request is sent with.
    ///
    /// A class of many names has none to set, and framing and connection are the writer's: these are left alone.
    pub fn set(&mut self, known: Known, value: &[u8]) {
        if let Some(name) = known.name() {
            if known == Known::Host {
                self.host = Some(self.keep_value(value));
                return;
            }
            self.remove(known);
            self.add(known, name.as_bytes(), value);
        }
    }

    /// Sets a field in place of all of this name.
    ///
    /// # Errors
    /// [`Refusal::FieldName`]: the name is no token.
    pub fn set_name(&mut self, name: &str, value: &[u8]) -> Result<(), Refusal> {
        if !is_token(name.as_bytes()) {
            return Err(Refusal::FieldName);
        }
        let known = Known::classify(name.as_bytes());
        if known.name().is_some() {
            self.set(known, value);
        } else {
            self.remove_name(name);
            self.add(known, name.as_bytes(), value);
        }
        Ok(())
    }

    /// Appends a field and leaves others of this class alone; as with [`Edits::set`], not `Host`, framing and connection.
    pub fn append(&mut self, known: Known, value: &[u8]) {
        if let (Some(name), false) = (known.name(), known == Known::Host) {
            self.add(known, name.as_bytes(), value);
        }
    }

    /// Appends a field and leaves others of this name alone.
    ///
    /// # Errors
    /// [`Refusal::FieldName`]: the name is no token.
    pub fn append_name(&mut self, name: &str, value: &[u8]) -> Result<(), Refusal> {
        if !is_token(name.as_bytes()) {
            return Err(Refusal::FieldName);
        }
        let known = Known::classify(name.as_bytes());
        if known != Known::Host {
            self.add(known, name.as_bytes(), value);
        }
        Ok(())
    }

    /// Sends another path and query.
    ///
    /// # Errors
    /// [`Refusal::Target`]: it does not start with a slash, or has a byte that may not be in a target.
    pub fn target(&mut self, target: &[u8]) -> Result<(), Refusal> {
        if !target.starts_with(b"/") || !crate::request::is_target(target) {
            return Err(Refusal::Target);
        }
        self.target = Some(self.keep(target));
        Ok(())
    }

    /// The path and query that is sent instead, if it is another.
    pub fn new_target(&self) -> Option<&[u8]> {
        self.target.map(|span| span.of(&self.text))
    }

    /// The authority that is sent instead, if it is another.
    pub fn new_host(&self) -> Option<&[u8]> {
        self.host.map(|span| span.of(&self.text))
    }

    /// The fields set and appended, in their order.
    pub fn added(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let alive = self.added.iter().filter(|added| added.alive);
        alive.map(|added| (added.name.of(&self.text), added.value.of(&self.text)))
    }

    pub(crate) fn removed(&self) -> Set {
        self.removed
    }

    pub(crate) fn removes_name(&self, fields: &Fields, line: &Line) -> bool {
        !self.names.is_empty() && {
            let name = line.name.of(fields.buffer());
            self.names.iter().any(|removed| alike(removed.of(&self.text), name))
        }
    }

    pub(crate) fn write_added(&self, out: &mut impl BufMut) {
        for added in self.added.iter().filter(|added| added.alive) {
            out.put_slice(added.whole.of(&self.text));
        }
    }

    fn unset(&mut self, name: &[u8]) {
        for added in &mut self.added {
            added.alive &= !alike(added.name.of(&self.text), name);
        }
    }

    fn add(&mut self, known: Known, name: &[u8], value: &[u8]) {
        if WRITERS.has(known) {
            return;
        }
        let start = self.text.len();
        let name = self.keep(name);
        self.text.extend_from_slice(b": ");
        let value = self.keep_value(value);
        self.text.extend_from_slice(b"\r\n");
        self.added.push(Added { whole: Span::new(start, self.text.len()), name, value, alive: true });
    }

    fn keep(&mut self, bytes: &[u8]) -> Span {
        let start = self.text.len();
        self.text.extend_from_slice(bytes);
        Span::new(start, self.text.len())
    }

    /// Keeps a value; a byte that would end the line or is no part of a value becomes a space (RFC 9110, 5.5).
    fn keep_value(&mut self, value: &[u8]) -> Span {
        let start = self.text.len();
        let value = trim(value);
        self.text.extend_from_slice(value);
        // Looked at without stopping early, so that many bytes are looked at in one step.
        if value.iter().fold(false, |bad, byte| bad | !is_value_byte(*byte)) {
            for byte in self.text.iter_mut().skip(start).filter(|byte| !is_value_byte(**byte)) {
                *byte = b' ';
            }
        }
        Span::new(start, self.text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::Edits;
    use crate::{Known, Refusal};

    fn check(edits: &Edits, expected: &str) {
        let mut out = Vec::new();
        edits.write_added(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected.replace('\n', "\r\n"));
        let lines = edits.added().map(|(name, value)| [name, b": ", value, b"\r\n"].concat());
        assert_eq!(String::from_utf8(lines.flatten().collect()).unwrap(), expected.replace('\n', "\r\n"));
    }

    #[test]
    fn the_last_set_wins_and_appended_ones_add_up() {
        let mut edits = Edits::new();
        edits.set(Known::XForwardedFor, b"1.1.1.1");
        edits.append(Known::Via, b"1.1 a");
        edits.append(Known::Via, b"1.1 b");
        edits.set(Known::XForwardedFor, b"2.2.2.2");
        edits.set_name("x-own", b"1").unwrap();
        edits.set_name("X_Own", b"2").unwrap();
        check(&edits, "via: 1.1 a\nvia: 1.1 b\nx-forwarded-for: 2.2.2.2\nX_Own: 2\n");
        edits.remove(Known::Via);
        edits.remove_name("x-own");
        check(&edits, "x-forwarded-for: 2.2.2.2\n");
        edits.clear();
        check(&edits, "");
    }

    #[test]
    fn no_edit_reaches_framing_connection_or_the_next_line() {
        let mut edits = Edits::new();
        edits.set(Known::ContentLength, b"5");
        edits.append(Known::TransferEncoding, b"chunked");
        edits.set_name("Connection", b"x").unwrap();
        edits.append_name("HOST", b"evil").unwrap();
        edits.append(Known::Host, b"evil");
        edits.set(Known::Other, b"x");
        check(&edits, "");
        edits.set(Known::Server, b" a\r\nb: c\0d ");
        check(&edits, "server: a  b: c d\n");
        assert_eq!(edits.set_name("a b", b""), Err(Refusal::FieldName));
        assert_eq!(edits.append_name("", b""), Err(Refusal::FieldName));
    }

    #[test]
    fn a_target_starts_with_a_slash() {
        let mut edits = Edits::new();
        assert_eq!(edits.target(b"/a b"), Err(Refusal::Target));
        assert_eq!(edits.target(b"a"), Err(Refusal::Target));
        assert_eq!(edits.target(b"/a?b"), Ok(()));
        edits.set(Known::Host, b"internal:80");
        assert_eq!((edits.new_target(), edits.new_host()), (Some(&b"/a?b"[..]), Some(&b"internal:80"[..])));
    }
}
