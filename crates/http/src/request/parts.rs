//! Parts: a request that came as pseudo-headers and fields, by the rules of HTTP/2 (RFC 9113, 8).

use super::{Form, RequestHead, Scheme, is_target};
use crate::bytes_of::{Span, is_token, is_token_byte, is_value};
use crate::fields::{Fields, no_twin};
use crate::known::{HOP_BY_HOP, Known};
use crate::{Body, Limits, Method, Refusal, Upgrade, Version, framing};

/// A request that is read part by part: its pseudo-headers, then its fields.
///
/// The buffer is laid out as the HTTP/1 head that says the same: an extended CONNECT to a WebSocket is the GET that asks for
/// one. After a refusal no further part may be taken.
#[derive(Debug)]
pub struct Parts<'h> {
    head: &'h mut RequestHead,
    limits: Limits,
    /// Bytes that came, with 32 more for each part, as HTTP/2 counts them.
    size: usize,
    /// The pseudo-headers that came.
    seen: u8,
    /// Whether `:protocol` names a WebSocket.
    is_web_socket: bool,
    /// Whether fields have begun.
    begun: bool,
}

/// What `seen` says.
mod seen {
    pub(super) const METHOD: u8 = 1;
    pub(super) const SCHEME: u8 = 2;
    pub(super) const AUTHORITY: u8 = 4;
    pub(super) const PATH: u8 = 8;
    pub(super) const PROTOCOL: u8 = 16;
}

impl<'h> Parts<'h> {
    /// Begins a request in `head`.
    pub fn begin(head: &'h mut RequestHead, limits: &Limits) -> Self {
        head.clear();
        head.version = Version::Http2;
        head.keep_alive = true;
        Self { head, limits: *limits, size: 0, seen: 0, is_web_socket: false, begun: false }
    }

    /// Takes a part.
    ///
    /// # Errors
    /// What [`super::parse`] refuses, as far as it can be said in parts; pseudo-headers that are unknown, repeated or behind a
    /// field; upper case in names; fields that belong to a connection.
    pub fn take(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refusal> {
        self.size += name.len() + value.len() + 32;
        if self.size > self.limits.head_bytes {
            return Err(Refusal::HeadTooLarge);
        }
        if name.first() == Some(&b':') {
            return self.take_pseudo(name, value);
        }
        if !self.begun {
            self.take_line()?;
        }
        if self.head.fields.len() >= self.limits.fields {
            return Err(Refusal::TooManyFields);
        }
        self.head.take_field(name, value)
    }

    /// Ends the head; `end` says whether the stream ended with it.
    ///
    /// # Errors
    /// Pseudo-headers that are missing, or that CONNECT does not have; an authority and a `host` that disagree; a
    /// `content-length` where the stream has ended; an expectation that nobody meets.
    pub fn end(mut self, end: bool) -> Result<(), Refusal> {
        if !self.begun {
            self.take_line()?;
        }
        let head = self.head;
        if !head.cookie.is_empty() {
            head.fields.push(Known::Cookie, b"cookie", &head.cookie);
        }
        head.read_host_of_parts()?;
        head.read_body_of_parts(end)?;
        head.read_expectations()
    }

    fn take_pseudo(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refusal> {
        let which = match name {
            b":method" => seen::METHOD,
            b":scheme" => seen::SCHEME,
            b":authority" => seen::AUTHORITY,
            b":path" => seen::PATH,
            b":protocol" => seen::PROTOCOL,
            _ => return Err(Refusal::FieldName),
        };
        if self.begun || self.seen & which != 0 {
            return Err(Refusal::FieldName);
        }
        self.seen |= which;
        let head = &mut *self.head;
        match which {
            seen::METHOD if !is_token(value) => return Err(Refusal::Method),
            seen::METHOD => {
                head.method = Method::classify(value);
                head.fields.begin(&[value]);
            }
            seen::SCHEME => head.scheme = Some(Scheme::parse(value).ok_or(Refusal::Target)?),
            seen::PATH if value.len() > self.limits.line_bytes => return Err(Refusal::LineTooLong),
            seen::PATH => head.take_target_of_parts(value)?,
            seen::AUTHORITY => head.take_authority(value)?,
            _ => self.is_web_socket = value.eq_ignore_ascii_case(b"websocket"),
        }
        Ok(())
    }

    /// Puts the first line together, when all that belongs to it has come.
    fn take_line(&mut self) -> Result<(), Refusal> {
        self.begun = true;
        let has = |which: u8| self.seen & which == which;
        let head = &mut *self.head;
        if !has(seen::METHOD) {
            return Err(Refusal::Method);
        }
        let whole = has(seen::SCHEME | seen::PATH);
        match (head.method, has(seen::PROTOCOL)) {
            (Method::Connect, false) if self.seen & (seen::SCHEME | seen::PATH) == 0 => {
                head.form = Form::Authority;
            }
            (Method::Connect, true) if whole && self.is_web_socket => {
                head.upgrade = Upgrade::WebSocket;
                head.method = Method::Get;
                head.fields.begin(&[b"GET"]);
            }
            (Method::Connect, true) if whole => head.form = Form::Authority,
            (Method::Connect, _) => return Err(Refusal::Target),
            (_, true) => return Err(Refusal::FieldName),
            (_, false) if !whole => return Err(Refusal::Target),
            (_, false) => {}
        }
        if head.form == Form::Authority {
            head.target.clear();
            head.path_len = 0;
            if head.authority.host().is_empty() {
                return Err(Refusal::HostMissing);
            }
        } else if head.target == "*" {
            head.form = Form::Asterisk;
            if head.method != Method::Options {
                return Err(Refusal::Target);
            }
        }
        let method = head.fields.buffer().len();
        if method + head.target.len() > self.limits.line_bytes {
            return Err(Refusal::LineTooLong);
        }
        head.method_text = Span::new(0, method);
        head.fields.extend(&[b" ", head.target.as_bytes(), b" HTTP/1.1\r\n"]);
        Ok(())
    }
}

impl RequestHead {
    /// Takes a path, or the asterisk.
    fn take_target_of_parts(&mut self, path: &[u8]) -> Result<(), Refusal> {
        let is_path = path.first() == Some(&b'/') || path == b"*";
        let path = std::str::from_utf8(path).ok().filter(|path| is_path && is_target(path.as_bytes()));
        self.take_path(path.ok_or(Refusal::Target)?);
        Ok(())
    }

    /// What is no authority at all breaks HTTP/2's rules; what is one that we do not take is answered.
    fn take_authority(&mut self, authority: &[u8]) -> Result<(), Refusal> {
        let is_authority = |byte: &u8| !matches!(byte, b'/' | b'?' | b'#' | ..=b' ' | 0x7f..);
        self.authority.read(authority).map_err(|refusal| {
            if authority.is_empty() || !authority.iter().all(is_authority) {
                Refusal::Target
            } else {
                refusal
            }
        })
    }

    fn take_field(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refusal> {
        let known = Known::classify(name);
        check_field(known, name, value)?;
        match known {
            Known::Te if value.eq_ignore_ascii_case(b"trailers") => self.fields.push(known, name, value),
            Known::Cookie => {
                // Crumbs of one cookie field, which HTTP/1 has on one line (RFC 9113, 8.2.3).
                if !self.cookie.is_empty() && !value.is_empty() {
                    self.cookie.extend_from_slice(b"; ");
                }
                self.cookie.extend_from_slice(value);
            }
            _ if is_connections(known) => return Err(Refusal::ConnectionField),
            _ if no_twin(name, known) => self.fields.push(known, name, value),
            _ => {}
        }
        Ok(())
    }

    fn read_host_of_parts(&mut self) -> Result<(), Refusal> {
        if self.fields.is_repeated(Known::Host) {
            return Err(Refusal::HostTwice);
        }
        match self.fields.get(Known::Host) {
            None if self.authority.host().is_empty() => Err(Refusal::HostMissing),
            None => Ok(()),
            Some(host) if self.authority.host().is_empty() => self.authority.read(host),
            Some(host) => {
                self.other.read(host)?;
                let default_port = self.scheme.map_or(443, Scheme::default_port);
                if self.authority.agrees(&self.other, default_port) {
                    Ok(())
                } else {
                    Err(Refusal::HostDisagrees)
                }
            }
        }
    }

    fn read_body_of_parts(&mut self, end: bool) -> Result<(), Refusal> {
        let declared = framing::declared(&self.fields, self.version)?;
        if self.upgrade == Upgrade::WebSocket {
            // What follows is no body of this request, but what a tunnel carries once there is one.
            return if declared.length.is_some() { Err(Refusal::ContentLength) } else { Ok(()) };
        }
        self.body = match (declared.length, end) {
            (Some(1..), true) => return Err(Refusal::ContentLength),
            (Some(length), _) => Body::Length(length),
            (None, true) => Body::None,
            (None, false) => Body::Chunked,
        };
        Ok(())
    }
}

/// The bytes of names: those of tokens, without upper case.
static NAMES: [bool; 256] = names();

#[expect(clippy::indexing_slicing, reason = "runs while compiling, where a bad index is a compile error")]
const fn names() -> [bool; 256] {
    let mut names = [false; 256];
    let mut byte = 0_u8;
    while byte < 0x80 {
        names[byte as usize] = is_token_byte(byte) && !byte.is_ascii_uppercase();
        byte += 1;
    }
    names
}

/// Whether a field of HTTP/2 may stand there at all; `known` is the class of its name.
fn check_field(known: Known, name: &[u8], value: &[u8]) -> Result<(), Refusal> {
    let is_name_byte = |byte: &u8| NAMES.get(usize::from(*byte)).copied().unwrap_or_default();
    let is_name = match known.name() {
        Some(own) => own.as_bytes() == name,
        None => !name.is_empty() && name.iter().all(is_name_byte),
    };
    if !is_name {
        Err(Refusal::FieldName)
    } else if !is_value(value) {
        Err(Refusal::FieldValue)
    } else {
        Ok(())
    }
}

/// Whether the field speaks of a connection, which HTTP/2 has no field for (RFC 9113, 8.2.2).
fn is_connections(known: Known) -> bool {
    matches!(
        known,
        Known::Connection
            | Known::KeepAlive
            | Known::ProxyConnection
            | Known::Te
            | Known::TransferEncoding
            | Known::Upgrade
    ) && HOP_BY_HOP.has(known)
}

/// Takes the fields of an answer or of trailers as lines.
pub(crate) fn take_fields<'f>(
    into: &mut Fields,
    fields: impl IntoIterator<Item = (&'f [u8], &'f [u8])>,
    limits: &Limits,
    keep: fn(&[u8], Known) -> bool,
) -> Result<(), Refusal> {
    fields.into_iter().try_for_each(|field| take_line(into, field, limits, keep))
}

/// Takes one of them.
pub(crate) fn take_line(
    into: &mut Fields,
    (name, value): (&[u8], &[u8]),
    limits: &Limits,
    keep: fn(&[u8], Known) -> bool,
) -> Result<(), Refusal> {
    let known = Known::classify(name);
    check_field(known, name, value)?;
    if is_connections(known) {
        return Err(Refusal::ConnectionField);
    }
    if keep(name, known) {
        into.push(known, name, value);
    }
    if into.len() > limits.fields {
        return Err(Refusal::TooManyFields);
    }
    if into.buffer().len() > limits.head_bytes {
        return Err(Refusal::HeadTooLarge);
    }
    Ok(())
}
