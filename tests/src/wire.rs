//! HTTP/1 as it stands on the wire, read by a second parser that knows no mercy: a case is judged by this, never by the
//! parser that it tests.

use std::fmt::Write;

/// A request or an answer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Message {
    /// The first line.
    pub line: String,
    /// The fields in their order, names in lower case.
    pub fields: Vec<(String, String)>,
    /// The body, out of its framing.
    pub body: Vec<u8>,
    /// The fields behind a chunked body.
    pub trailers: Vec<(String, String)>,
}

/// Why nothing could be read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fault {
    /// It has not ended yet.
    Partial,
    /// It breaks the rules.
    Broken(String),
}

/// What a message answers, if it is an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// It is a request.
    Request,
    /// It answers a request with this method.
    Answer(&'static str),
}

/// How a body is framed.
enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

impl Message {
    /// Reads the message at the start of `bytes`, and how long it is. `ended`: nothing follows the bytes.
    ///
    /// # Errors
    /// It is not there whole, or not lawful.
    pub fn read(bytes: &[u8], kind: Kind, ended: bool) -> Result<(Self, usize), Fault> {
        let head = find(bytes, b"\r\n\r\n").ok_or(Fault::Partial)?;
        let mut lines = lines(&bytes[..head])?.into_iter();
        let line = lines.next().unwrap_or_default();
        let fields = lines.map(|line| field(&line)).collect::<Result<Vec<_>, _>>()?;
        let mut message = Self { line, fields, ..Self::default() };
        let mut at = head + 4;
        match message.framing(kind)? {
            Framing::Length(length) => {
                let body = bytes.get(at..at + length).ok_or(Fault::Partial)?;
                message.body = body.to_vec();
                at += length;
            }
            Framing::Chunked => at = message.read_chunks(bytes, at)?,
            Framing::UntilClose if ended => {
                message.body = bytes[at..].to_vec();
                at = bytes.len();
            }
            Framing::UntilClose => return Err(Fault::Partial),
        }
        Ok((message, at))
    }

    /// Reads all messages that `bytes` hold, up to the end.
    ///
    /// # Errors
    /// The last one is not whole, or one is not lawful.
    pub fn read_all(bytes: &[u8], kind: Kind, ended: bool) -> Result<Vec<Self>, Fault> {
        let (mut all, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            let (message, length) = Self::read(&bytes[at..], kind, ended)?;
            all.push(message);
            at += length;
        }
        Ok(all)
    }

    /// The values of the fields of this name.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The value of the one field of this name; a second one is a failure.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "{name} stands there {} times: {self:?}", all.len());
        all.first().copied()
    }

    /// The status of an answer.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.line.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default()
    }

    /// It as text: first line, fields, and after an empty line body and trailers.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}\n", self.line);
        for (name, value) in &self.fields {
            writeln!(text, "{name}: {value}").expect("memory");
        }
        if !self.body.is_empty() {
            writeln!(text, "\n{}", self.body.escape_ascii()).expect("memory");
        }
        for (name, value) in &self.trailers {
            writeln!(text, "trailer {name}: {value}").expect("memory");
        }
        text
    }

    fn framing(&self, kind: Kind) -> Result<Framing, Fault> {
        let (lengths, codings) = (self.all("content-length"), self.all("transfer-encoding"));
        let bodiless = match kind {
            Kind::Request => {
                self.check_request()?;
                false
            }
            Kind::Answer(method) => {
                let code = self.line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
                if code.is_none_or(|code| !code.bytes().all(|byte| byte.is_ascii_digit())) {
                    return broken(format!("no status line: {:?}", self.line));
                }
                method == "HEAD" || matches!(self.status(), 100..=199 | 204 | 304)
            }
        };
        match (lengths.as_slice(), codings.as_slice()) {
            _ if bodiless => Ok(Framing::Length(0)),
            ([], []) if kind == Kind::Request => Ok(Framing::Length(0)),
            ([], []) => Ok(Framing::UntilClose),
            ([length], []) if !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit()) => {
                length.parse().map(Framing::Length).or_else(|error| broken(format!("{length}: {error}")))
            }
            ([], ["chunked"]) => Ok(Framing::Chunked),
            _ => broken(format!("no single framing: {lengths:?} {codings:?}")),
        }
    }

    fn check_request(&self) -> Result<(), Fault> {
        let words: Vec<&str> = self.line.split(' ').collect();
        let lawful = matches!(words.as_slice(), [method, target, "HTTP/1.1"]
            if !method.is_empty() && method.bytes().all(is_token)
            && (target.starts_with('/') || *target == "*")
            && target.bytes().all(|byte| byte.is_ascii_graphic()));
        if !lawful {
            return broken(format!("no request line: {:?}", self.line));
        }
        match self.all("host").as_slice() {
            [host] if !host.is_empty() => Ok(()),
            hosts => broken(format!("no single host: {hosts:?}")),
        }
    }

    fn read_chunks(&mut self, bytes: &[u8], mut at: usize) -> Result<usize, Fault> {
        loop {
            let rest = &bytes[at..];
            let end = find(rest, b"\r\n").ok_or(Fault::Partial)?;
            let digits = std::str::from_utf8(&rest[..end]).unwrap_or("?");
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return broken(format!("no chunk size: {digits:?}"));
            }
            let size = usize::from_str_radix(digits, 16).or_else(|error| broken(error.to_string()))?;
            at += end + 2;
            if size == 0 {
                return self.read_trailers(bytes, at);
            }
            let chunk = bytes.get(at..at + size + 2).ok_or(Fault::Partial)?;
            if !chunk.ends_with(b"\r\n") {
                return broken("a chunk without its end".to_owned());
            }
            self.body.extend_from_slice(&chunk[..size]);
            at += size + 2;
        }
    }

    fn read_trailers(&mut self, bytes: &[u8], at: usize) -> Result<usize, Fault> {
        if bytes[at..].starts_with(b"\r\n") {
            return Ok(at + 2);
        }
        let end = find(&bytes[at..], b"\r\n\r\n").ok_or(Fault::Partial)?;
        let lines = lines(&bytes[at..at + end])?;
        self.trailers = lines.iter().map(|line| field(line)).collect::<Result<_, _>>()?;
        Ok(at + end + 4)
    }
}

fn broken<T>(what: String) -> Result<T, Fault> {
    Err(Fault::Broken(what))
}

fn lines(head: &[u8]) -> Result<Vec<String>, Fault> {
    // A value may hold bytes above ASCII (RFC 9110, 5.5), in whatever charset: each is a letter of its own here.
    let text: String = head.iter().copied().map(char::from).collect();
    let lines: Vec<String> = text.split("\r\n").map(str::to_owned).collect();
    match lines.iter().find(|line| line.contains(['\r', '\n', '\0'])) {
        Some(line) => broken(format!("a control byte in {line:?}")),
        None => Ok(lines),
    }
}

/// A letter of a token (RFC 9110, 5.6.2): of methods and of names of fields.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn field(line: &str) -> Result<(String, String), Fault> {
    match line.split_once(':') {
        Some((name, value)) if !name.is_empty() && name.bytes().all(is_token) => {
            Ok((name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_owned()))
        }
        _ => broken(format!("no field: {line:?}")),
    }
}

/// Where `what` begins in `bytes`.
#[must_use]
pub fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
