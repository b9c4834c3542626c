//! Request: the head that a client sends, read from HTTP/1 or from the parts of HTTP/2, and written to a backend.

mod parts;
mod target;
mod write;

pub use self::parts::Parts;
pub(crate) use self::parts::{take_fields, take_line};
pub(crate) use self::target::is_target;
pub use self::target::{Form, Scheme};

use crate::bytes_of::{Span, is_token_byte};
use crate::fields::{self, no_twin};
use crate::marks::Marks;
use crate::{Authority, Body, Fields, Gate, Known, Limits, Method, Progress, Refusal, Upgrade, Version};
use crate::{connection, framing, list, quick};
use std::mem::MaybeUninit;

/// A request head: one buffer, and what the rules need to know of it.
#[derive(Clone, Debug, Default)]
pub struct RequestHead {
    fields: Fields,
    /// The first line with its end, where it can go on as it came.
    line: Span,
    method: Method,
    method_text: Span,
    version: Version,
    form: Form,
    scheme: Option<Scheme>,
    authority: Authority,
    /// Where the authority that is compared with the first is read into.
    other: Authority,
    target: String,
    path_len: usize,
    body: Body,
    keep_alive: bool,
    expects_continue: bool,
    accepts_trailers: bool,
    upgrade: Upgrade,
    cookie: Vec<u8>,
}

/// Reads the head at the start of the buffer.
///
/// # Errors
/// Anything that another program could read differently, and what is above the limits. After one the connection is
/// closed, for nobody knows where the next request starts.
pub fn parse(buffer: &[u8], limits: &Limits, head: &mut RequestHead) -> Result<Progress, Refusal> {
    parse_with(&mut Gate::default(), buffer, limits, head)
}

/// As [`parse`], with a gate that remembers which bytes of a growing buffer it has seen.
///
/// # Errors
/// As [`parse`].
pub fn parse_with(
    gate: &mut Gate,
    buffer: &[u8],
    limits: &Limits,
    head: &mut RequestHead,
) -> Result<Progress, Refusal> {
    if gate.is_new()
        && let Some(progress) = head.read_at_once(buffer, limits)
    {
        return Ok(progress);
    }
    let Some(bounds) = gate.find(buffer, limits)? else { return Ok(Progress::Partial) };
    head.clear();
    head.read(buffer.get(bounds.start..bounds.end).unwrap_or_default(), limits)?;
    Ok(Progress::Complete { head_len: bounds.end })
}

impl RequestHead {
    /// An empty head, to read into.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the request and keeps the space.
    pub fn clear(&mut self) {
        self.fields.clear();
        self.authority.clear();
        self.other.clear();
        self.target.clear();
        self.cookie.clear();
        self.line = Span::default();
        self.method = Method::default();
        self.method_text = Span::default();
        self.version = Version::default();
        self.form = Form::default();
        self.scheme = None;
        self.path_len = 0;
        self.body = Body::None;
        self.keep_alive = false;
        self.expects_continue = false;
        self.accepts_trailers = false;
        self.upgrade = Upgrade::None;
    }

    /// The method's class.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The method as it was sent: a token.
    pub fn method_text(&self) -> &str {
        let sent = || std::str::from_utf8(self.method_text.of(self.fields.buffer())).unwrap_or_default();
        self.method.name().unwrap_or_else(sent)
    }

    /// The version that the client speaks.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The form that the target came in.
    pub fn form(&self) -> Form {
        self.form
    }

    /// The scheme, if the target named one.
    pub fn scheme(&self) -> Option<Scheme> {
        self.scheme
    }

    /// Host and port in their one form; empty when an HTTP/1.0 client named none.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The host, in lower case without trailing dot.
    pub fn host(&self) -> &str {
        self.authority.host()
    }

    /// Path and query as they were sent: visible ASCII, starting with a slash, or `*`; empty for CONNECT.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The path as it was sent, which may have several readings.
    pub fn path(&self) -> &str {
        self.target.get(..self.path_len).unwrap_or_default()
    }

    /// What stands after the first question mark, if there is one.
    pub fn query(&self) -> Option<&str> {
        self.target.get(self.path_len + 1..)
    }

    /// All fields, as they came.
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// The extent of the body. `Chunked` from HTTP/2 means that it ends with the stream.
    pub fn body(&self) -> Body {
        self.body
    }

    /// Whether the client lets the connection stay open.
    pub fn keep_alive(&self) -> bool {
        self.keep_alive
    }

    /// Whether the client waits for `100 Continue` before it sends the body.
    pub fn expects_continue(&self) -> bool {
        self.expects_continue
    }

    /// Whether the client said `te: trailers`.
    pub fn accepts_trailers(&self) -> bool {
        self.accepts_trailers
    }

    /// The protocol that the client wants to switch to; a WebSocket only where it may ask for one.
    pub fn upgrade(&self) -> Upgrade {
        self.upgrade
    }

    fn read(&mut self, bytes: &[u8], limits: &Limits) -> Result<(), Refusal> {
        let mut space = [const { MaybeUninit::uninit() }; fields::MOST];
        let space = space.get_mut(..limits.fields.min(fields::MOST)).unwrap_or_default();
        let mut request = httparse::Request::new(&mut []);
        match request.parse_with_uninit_headers(bytes, space) {
            Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
            Ok(_) => return Err(Refusal::FirstLine),
            Err(error) => return Err(refuse(error, bytes)),
        }
        let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version)
        else {
            return Err(Refusal::FirstLine);
        };
        self.version = if minor == 0 { Version::Http10 } else { Version::Http11 };
        self.method_text = Span::within(bytes, method.as_bytes());
        let span = Span::within(bytes, target.as_bytes());
        self.fields.fill(bytes, request.headers, no_twin);
        self.take(target.as_bytes())?;
        self.note_line(span);
        Ok(())
    }

    /// Notes the first line, with the target that was read of it, where it is as we would write it.
    fn note_line(&mut self, target: Span) {
        let is_usual = self.form == Form::Origin && self.method_text.end + 1 == target.start;
        let rest = self.fields.buffer().get(target.end as usize..).unwrap_or_default();
        if is_usual && rest.starts_with(b" HTTP/1.1\r\n") {
            self.line = Span { start: 0, end: target.end + 11 };
        }
    }

    /// Reads a head of which all has arrived and all is as usual; any other is the gate's to judge first.
    fn read_at_once(&mut self, buffer: &[u8], limits: &Limits) -> Option<Progress> {
        let window = buffer.get(..limits.head_bytes).unwrap_or(buffer);
        let mut marks = Marks::new(window);
        let (line, start) = quick::request_line(window, &mut marks, limits)?;
        self.clear();
        let end = self.fields.scan(window, marks, start, limits.fields.min(fields::MOST))?;
        self.version = line.version;
        self.method_text = line.method;
        self.take(line.target.of(window)).ok()?;
        self.note_line(line.target);
        Some(Progress::Complete { head_len: end })
    }

    /// Takes from first line and fields what the rules need to know.
    fn take(&mut self, target: &[u8]) -> Result<(), Refusal> {
        self.method = Method::classify(self.method_text.of(self.fields.buffer()));
        self.read_target(target)?;
        self.read_host()?;
        self.read_framing()?;
        self.read_connection()
    }

    /// One host, and the same in the target and the field.
    fn read_host(&mut self) -> Result<(), Refusal> {
        if self.fields.is_repeated(Known::Host) {
            return Err(Refusal::HostTwice);
        }
        match self.fields.get(Known::Host) {
            None if self.version == Version::Http11 => Err(Refusal::HostMissing),
            None => Ok(()),
            Some(host) if self.authority.host().is_empty() => self.authority.read(host),
            Some(host) => {
                self.other.read(host)?;
                let default_port = self.scheme.map_or(443, Scheme::default_port);
                let agrees =
                    self.authority.agrees(&self.other, default_port) || self.method == Method::Connect;
                if agrees { Ok(()) } else { Err(Refusal::HostDisagrees) }
            }
        }
    }

    fn read_framing(&mut self) -> Result<(), Refusal> {
        let declared = framing::declared(&self.fields, self.version)?;
        self.body = match declared.length {
            Some(length) => Body::Length(length),
            None if declared.chunked => Body::Chunked,
            None => Body::None,
        };
        Ok(())
    }

    fn read_connection(&mut self) -> Result<(), Refusal> {
        let options = connection::options(&mut self.fields)?;
        let is_new = self.version != Version::Http10;
        self.keep_alive = !options.close && (is_new || options.keep_alive);
        if is_new {
            let bodiless = matches!(self.body, Body::None | Body::Length(0));
            self.upgrade = match connection::asked(&self.fields, options) {
                Upgrade::WebSocket if self.method != Method::Get || !bodiless => Upgrade::Other,
                asked => asked,
            };
        }
        self.read_expectations()
    }

    /// What the client expects of us before and after the body; HTTP/1.0 could not mean it.
    fn read_expectations(&mut self) -> Result<(), Refusal> {
        self.accepts_trailers = self.fields.all(Known::Te).any(|value| list::contains(value, "trailers"));
        if self.version == Version::Http10 {
            return Ok(());
        }
        for value in self.fields.all(Known::Expect) {
            if !value.eq_ignore_ascii_case(b"100-continue") {
                return Err(Refusal::Expectation);
            }
        }
        self.expects_continue =
            self.fields.contains(Known::Expect) && !matches!(self.body, Body::None | Body::Length(0));
        Ok(())
    }
}

/// What the tokeniser found wrong, told apart further than it does.
fn refuse(error: httparse::Error, head: &[u8]) -> Refusal {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let well_formed =
        matches!(line, [.., b' ', b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'])
            && line.iter().filter(|byte| **byte == b' ').count() == 2;
    match error {
        httparse::Error::Version if !well_formed => Refusal::FirstLine,
        httparse::Error::Token
            if !line.iter().take_while(|byte| **byte != b' ').all(|byte| is_token_byte(*byte)) =>
        {
            Refusal::Method
        }
        _ => fields::refuse(error, head),
    }
}

#[cfg(test)]
mod tests;
