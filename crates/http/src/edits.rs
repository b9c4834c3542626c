//! Edits: what changes between a head as it came and as it goes on.

use crate::bytes_of::{is_plain, is_token, is_value_byte, trim};
use crate::fields::Line;
use crate::known::{HOP_BY_HOP, Known, Set, alike};
use crate::{Fields, Refusal};
use bytes::BufMut;

/// What only the writer decides: framing and connection. No edit reaches these.
const WRITERS: Set = HOP_BY_HOP.and(Known::ContentLength);

/// A patch list for one head: fields to remove, set and append, and another target.
///
/// It is kept and used again; after [`Edits::clear`] it allocates nothing until it grows beyond what it once held. What is
/// the same for many heads is written once, copied with [`Edits::start`], and its blanks filled with [`Edits::fill`].
#[derive(Clone, Debug, Default)]
pub struct Edits {
    removed: Set,
    /// Names to remove that are of no class.
    names: Vec<Box<[u8]>>,
    /// The classes of which `lines` holds one.
    added: Set,
    /// What is set and appended, as whole lines.
    lines: Vec<u8>,
    target: Option<Box<[u8]>>,
    host: Option<Box<[u8]>>,
}

/// Where a value stands that is written over for each head.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Blank {
    start: usize,
    len: usize,
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
        self.added = Set::default();
        self.lines.clear();
        self.target = None;
        self.host = None;
    }

    /// Forgets the changes and starts with those of `template`.
    pub fn start(&mut self, template: &Self) {
        self.removed = template.removed;
        if !(self.names.is_empty() && template.names.is_empty()) {
            self.names.clone_from(&template.names);
        }
        self.added = template.added;
        self.lines.clear();
        self.lines.extend_from_slice(&template.lines);
        self.target = template.target.clone();
        self.host = template.host.clone();
    }

    /// Where the value of the first line of this class stands, to be filled in later. It holds as long as nothing is
    /// removed or set that is there already.
    pub fn blank(&self, known: Known) -> Option<Blank> {
        let name = known.name()?;
        let mut start = 0;
        for (line, value) in self.added() {
            if line == name.as_bytes() {
                return Some(Blank { start: start + line.len() + 2, len: value.len() });
            }
            start += line.len() + 2 + value.len() + 2;
        }
        None
    }

    /// Writes over a value with one of the same length; another is left out. The value is of the program's own making:
    /// visible ASCII.
    pub fn fill(&mut self, blank: Blank, value: &[u8]) {
        debug_assert!(is_plain(value), "a blank is for visible ASCII");
        let place = self.lines.get_mut(blank.start..blank.start + blank.len);
        if let Some(place) = place.filter(|place| place.len() == value.len()) {
            place.copy_from_slice(value);
        }
    }

    /// Removes all fields of this class, those set before included. `Other` names nothing.
    pub fn remove(&mut self, known: Known) {
        if known != Known::Other {
            self.removed = self.removed.and(known);
        }
        if let Some(name) = known.name().filter(|_name| self.added.has(known)) {
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
            self.names.push(name.as_bytes().into());
        }
    }

    /// Sets a field in place of all of this class. `Host` changes the authority that a request is sent with.
    ///
    /// A class of many names has none to set, and framing and connection are the writer's: these are left alone.
    pub fn set(&mut self, known: Known, value: &[u8]) {
        if known.name().is_some() {
            if known == Known::Host {
                let mut host: Box<[u8]> = trim(value).into();
                soften(&mut host);
                self.host = Some(host);
                return;
            }
            self.remove(known);
            self.add(known, None, value);
        }
    }

    /// As [`Edits::set`], of a field that was not set or appended before, to a value of the program's own making: visible
    /// ASCII.
    pub fn put(&mut self, known: Known, value: &[u8]) {
        debug_assert!(is_plain(value) && !self.added.has(known), "what is put is plain and new");
        if let Some(prefix) = known.prefix().filter(|_prefix| !WRITERS.has(known)) {
            self.removed = self.removed.and(known);
            self.added = self.added.and(known);
            put(&mut self.lines, prefix.as_bytes(), value);
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
            self.add(known, Some(name), value);
        }
        Ok(())
    }

    /// Appends a field and leaves others of this class alone; as with [`Edits::set`], not `Host`, framing and connection.
    pub fn append(&mut self, known: Known, value: &[u8]) {
        if known.name().is_some() && known != Known::Host {
            self.add(known, None, value);
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
            self.add(known, Some(name), value);
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
        self.target = Some(target.into());
        Ok(())
    }

    /// The path and query that is sent instead, if it is another.
    pub fn new_target(&self) -> Option<&[u8]> {
        self.target.as_deref()
    }

    /// The authority that is sent instead, if it is another.
    pub fn new_host(&self) -> Option<&[u8]> {
        self.host.as_deref()
    }

    /// The fields set and appended, in their order.
    pub fn added(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = self.lines.as_slice();
        std::iter::from_fn(move || {
            // A name has no colon and a value no line end: both were seen to when they were taken.
            let colon = memchr::memchr(b':', rest)?;
            let end = memchr::memchr(b'\r', rest)?;
            let line = rest.get(..colon).zip(rest.get(colon + 2..end));
            rest = rest.get(end + 2..).unwrap_or_default();
            line
        })
    }

    /// The values of this class as they will go on: those of `fields` that are kept, then those set and appended.
    pub fn values<'v>(&'v self, fields: &'v Fields, known: Known) -> impl Iterator<Item = &'v [u8]> {
        let kept = fields.all(known).filter(move |_| !self.removed.has(known));
        let own =
            move |name: &[u8]| known.name().is_some_and(|known| name.eq_ignore_ascii_case(known.as_bytes()));
        kept.chain(self.added().filter(move |(name, _)| own(name)).map(|(_, value)| value))
    }

    pub(crate) fn removed(&self) -> Set {
        self.removed
    }

    pub(crate) fn removes_name(&self, fields: &Fields, line: &Line) -> bool {
        !self.names.is_empty() && {
            let name = line.name().of(fields.buffer());
            self.names.iter().any(|removed| alike(removed, name))
        }
    }

    pub(crate) fn write_added(&self, out: &mut impl BufMut) {
        out.put_slice(&self.lines);
    }

    /// Takes the lines of this name out again.
    fn unset(&mut self, name: &[u8]) {
        if !self.added().any(|(added, _)| alike(added, name)) {
            return;
        }
        let mut kept = Vec::with_capacity(self.lines.len());
        for (added, value) in self.added().filter(|(added, _)| !alike(added, name)) {
            put_line(&mut kept, added, value);
        }
        self.lines = kept;
    }

    /// Adds a line, under this name or that of its class.
    fn add(&mut self, known: Known, name: Option<&str>, value: &[u8]) {
        if WRITERS.has(known) {
            return;
        }
        let value = trim(value);
        match (name, known.prefix()) {
            (None, Some(prefix)) => put(&mut self.lines, prefix.as_bytes(), value),
            (name, _) => put_line(&mut self.lines, name.unwrap_or_default().as_bytes(), value),
        }
        let end = self.lines.len() - 2;
        if let Some(value) = self.lines.get_mut(end - value.len()..end) {
            soften(value);
        }
        self.added = self.added.and(known);
    }
}

/// Appends a line of which `prefix` is all before the value.
fn put(lines: &mut Vec<u8>, prefix: &[u8], value: &[u8]) {
    lines.reserve(prefix.len() + value.len() + 2);
    lines.extend_from_slice(prefix);
    lines.extend_from_slice(value);
    lines.extend_from_slice(b"\r\n");
}

fn put_line(lines: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    lines.extend_from_slice(name);
    put(lines, b": ", value);
}

/// Makes a space of each byte that would end the line or is no part of a value (RFC 9110, 5.5).
fn soften(value: &mut [u8]) {
    if !is_plain(value) {
        value.iter_mut().filter(|byte| !is_value_byte(**byte)).for_each(|byte| *byte = b' ');
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
    fn a_template_is_copied_and_its_blanks_filled() {
        let mut template = Edits::new();
        template.remove(Known::Forwarded);
        template.set(Known::Via, b"1.1 a");
        template.set(Known::XNearsideRef, b"....");
        template.set(Known::Server, b"x");
        let blank = template.blank(Known::XNearsideRef).unwrap();
        let mut edits = Edits::new();
        edits.set(Known::Etag, b"gone");
        edits.start(&template);
        edits.fill(blank, b"12-4");
        edits.fill(blank, b"12345");
        check(&edits, "via: 1.1 a\nx-nearside-ref: 12-4\nserver: x\n");
        assert!(edits.removed().has(Known::Forwarded) && template.blank(Known::Etag).is_none());
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
