//! Response: the head that a backend answers with, read from HTTP/1 or from the parts of HTTP/2, and written to a client.

mod write;

use crate::bytes_of::Span;
use crate::fields;
use crate::marks::Marks;
use crate::request::take_fields;
use crate::{
    Body, Fields, Gate, Limits, Method, Progress, Refusal, Upgrade, Version, connection, framing, quick,
    status,
};
use std::mem::MaybeUninit;
use std::time::Duration;

/// The head of an answer: one buffer, and what the rules need to know of it.
#[derive(Clone, Debug, Default)]
pub struct ResponseHead {
    fields: Fields,
    /// The first line with its end, where it can go on as it came.
    line: Span,
    status: u16,
    reason: Span,
    version: Version,
    to_head: bool,
    body: Body,
    declared_length: Option<u64>,
    keep_alive: bool,
    timeout: Option<Duration>,
    upgrade: Upgrade,
}

/// What an answer in parts says outside of its fields.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    /// `:status`
    pub status: u16,
    /// The method that is answered.
    pub method: Method,
    /// Whether the stream ended with its head.
    pub end: bool,
}

/// Reads the head at the start of the buffer, as the answer to a request with this method.
///
/// # Errors
/// Anything that another program could read differently, and what is above the limits. After one the connection is
/// closed and the client told that the backend failed.
pub fn parse(
    buffer: &[u8],
    limits: &Limits,
    method: Method,
    head: &mut ResponseHead,
) -> Result<Progress, Refusal> {
    parse_with(&mut Gate::default(), buffer, limits, method, head)
}

/// As [`parse`], with a gate that remembers which bytes of a growing buffer it has seen.
///
/// # Errors
/// As [`parse`].
pub fn parse_with(
    gate: &mut Gate,
    buffer: &[u8],
    limits: &Limits,
    method: Method,
    head: &mut ResponseHead,
) -> Result<Progress, Refusal> {
    if gate.is_new()
        && let Some(progress) = head.read_at_once(buffer, limits, method)
    {
        return Ok(progress);
    }
    let Some(bounds) = gate.find(buffer, limits)? else { return Ok(Progress::Partial) };
    if bounds.start != 0 {
        return Err(Refusal::FirstLine); // only clients were ever known to send empty lines
    }
    head.clear();
    head.to_head = method == Method::Head;
    head.read(buffer.get(..bounds.end).unwrap_or_default(), limits)?;
    Ok(Progress::Complete { head_len: bounds.end })
}

impl ResponseHead {
    /// An empty head, to read into.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the answer and keeps the space.
    pub fn clear(&mut self) {
        self.fields.clear();
        self.line = Span::default();
        self.status = 0;
        self.reason = Span::default();
        self.version = Version::default();
        self.to_head = false;
        self.body = Body::None;
        self.declared_length = None;
        self.keep_alive = false;
        self.timeout = None;
        self.upgrade = Upgrade::None;
    }

    /// Begins an answer of our own to a request with this method: no fields, no body.
    pub fn begin(&mut self, status: u16, method: Method) {
        self.clear();
        self.status = status;
        self.to_head = method == Method::Head;
        self.keep_alive = true;
    }

    /// Takes an answer from its parts.
    ///
    /// # Errors
    /// What [`parse`] refuses, as far as it can be said in parts; upper case in names; fields that belong to a
    /// connection; a `content-length` where the stream has ended; 101, which HTTP/2 does not have.
    pub fn read_parts<'f>(
        &mut self,
        parts: Parts,
        fields: impl IntoIterator<Item = (&'f [u8], &'f [u8])>,
        limits: &Limits,
    ) -> Result<(), Refusal> {
        self.begin(parts.status, parts.method);
        self.version = Version::Http2;
        if !(100..=599).contains(&parts.status) || parts.status == 101 {
            return Err(Refusal::Status);
        }
        take_fields(&mut self.fields, fields, limits, |_name, _known| true)?;
        self.declared_length = framing::declared(&self.fields, self.version)?.length;
        self.body = match (self.declared_length, parts.end) {
            _ if self.is_bodiless() => Body::None,
            (Some(1..), true) => return Err(Refusal::ContentLength),
            (Some(length), _) => Body::Length(length),
            (None, true) => Body::Length(0),
            (None, false) => Body::Chunked,
        };
        Ok(())
    }

    /// The status, from 100 to 599.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether another answer follows this one: 1xx, but for 101.
    pub fn is_interim(&self) -> bool {
        matches!(self.status, 100..=199) && self.status != 101
    }

    /// The reason phrase as it was sent, or the usual one.
    pub fn reason(&self) -> &str {
        match std::str::from_utf8(self.reason.of(self.fields.buffer())) {
            Ok(reason) if !reason.is_empty() => reason,
            _ => status::reason(self.status),
        }
    }

    /// The version that the backend speaks.
    pub fn version(&self) -> Version {
        self.version
    }

    /// All fields, as they came.
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// The extent of the body that follows. `Chunked` from HTTP/2 means that it ends with the stream.
    pub fn body(&self) -> Body {
        self.body
    }

    /// What `Content-Length` says; with HEAD and 304, of a body that does not follow.
    pub fn declared_length(&self) -> Option<u64> {
        self.declared_length
    }

    /// Whether the connection can carry another request once the body has ended.
    pub fn keep_alive(&self) -> bool {
        self.keep_alive
    }

    /// How long the backend says it keeps the connection while it is idle.
    pub fn keep_alive_timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// The protocol that a 101 switches to.
    pub fn upgrade(&self) -> Upgrade {
        self.upgrade
    }

    fn is_bodiless(&self) -> bool {
        self.to_head || status::is_bodiless(self.status)
    }

    fn read(&mut self, bytes: &[u8], limits: &Limits) -> Result<(), Refusal> {
        let mut space = [const { MaybeUninit::uninit() }; fields::MOST];
        let space = space.get_mut(..limits.fields.min(fields::MOST)).unwrap_or_default();
        let mut response = httparse::Response::new(&mut []);
        let parser = httparse::ParserConfig::default();
        match parser.parse_response_with_uninit_headers(&mut response, bytes, space) {
            Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
            Ok(_) => return Err(Refusal::FirstLine),
            Err(error) => return Err(fields::refuse(error, bytes)),
        }
        let (Some(code), Some(minor)) = (response.code, response.version) else {
            return Err(Refusal::FirstLine);
        };
        self.version = if minor == 0 { Version::Http10 } else { Version::Http11 };
        self.reason =
            response.reason.map(|reason| Span::within(bytes, reason.as_bytes())).unwrap_or_default();
        self.fields.fill(bytes, response.headers, |_name, _known| true);
        self.take(code)
    }

    /// Reads a head of which all has arrived and all is as usual; any other is the gate's to judge first.
    fn read_at_once(&mut self, buffer: &[u8], limits: &Limits, method: Method) -> Option<Progress> {
        let window = buffer.get(..limits.head_bytes).unwrap_or(buffer);
        let mut marks = Marks::new(window);
        let (line, start) = quick::status_line(window, &mut marks, limits)?;
        self.clear();
        let end = self.fields.scan(window, marks, start, limits.fields.min(fields::MOST))?;
        self.to_head = method == Method::Head;
        self.version = line.version;
        self.reason = line.reason;
        if self.version == Version::Http11 && self.reason.start < self.reason.end {
            self.line = Span { start: 0, end: start };
        }
        self.take(line.status).ok().map(|()| Progress::Complete { head_len: end })
    }

    /// Takes from first line and fields what the rules need to know.
    fn take(&mut self, status: u16) -> Result<(), Refusal> {
        if !(100..=599).contains(&status) {
            return Err(Refusal::Status);
        }
        self.status = status;
        self.read_body()
    }

    fn read_body(&mut self) -> Result<(), Refusal> {
        let declared = framing::declared(&self.fields, self.version)?;
        let options = connection::options(&mut self.fields)?;
        self.declared_length = declared.length;
        self.body = match declared.length {
            _ if self.is_bodiless() => Body::None,
            Some(length) => Body::Length(length),
            None if declared.chunked => Body::Chunked,
            None => Body::UntilClose,
        };
        // An answer that has no body but announces one: the next bytes may be that body, and nobody can tell.
        let contradicts = !self.to_head
            && matches!(self.status, 100..=199 | 204)
            && (declared.chunked || declared.length.is_some_and(|length| length > 0));
        self.keep_alive = !options.close
            && !contradicts
            && self.body != Body::UntilClose
            && (self.version == Version::Http11 || options.keep_alive);
        self.timeout = connection::timeout(&self.fields);
        if self.status == 101 {
            self.upgrade = connection::switched(&self.fields, options);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
