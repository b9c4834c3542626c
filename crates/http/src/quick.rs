//! Quick: the way through a head that has arrived whole and in which everything is as usual, in one pass.
//!
//! What is unusual, lawful or not, is `None` here: the gate and the tokeniser judge it, and say what it is. The fuzz target
//! `head` and the tests of both kinds of heads hold both ways to the same verdict.

use crate::bytes_of::{Letter, Span, colon, control};
use crate::fields::Line;
use crate::known::{Known, is_twin};
use crate::{Limits, Version};

/// A request's first line: `GET /path HTTP/1.1`.
pub(crate) struct RequestLine {
    pub(crate) method: Span,
    pub(crate) target: Span,
    pub(crate) version: Version,
}

/// The first line of an answer: `HTTP/1.1 200 OK`.
pub(crate) struct StatusLine {
    pub(crate) version: Version,
    pub(crate) status: u16,
    pub(crate) reason: Span,
}

/// Reads the first line, and where the fields begin.
pub(crate) fn request_line(head: &[u8], limits: &Limits) -> Option<(RequestLine, usize)> {
    let method = head.iter().position(|byte| Letter::of(*byte) == Letter::None)?;
    let target = method + 1;
    let path = head.get(target..)?;
    let end = target + path.iter().position(|byte| !matches!(byte, b'!'..=b'~'))?;
    let version = match head.get(end..end + 11)? {
        b" HTTP/1.1\r\n" => Version::Http11,
        b" HTTP/1.0\r\n" => Version::Http10,
        _ => return None,
    };
    let is_usual =
        method > 0 && head.get(method) == Some(&b' ') && end > target && end + 9 <= limits.line_bytes;
    let line = RequestLine { method: Span::new(0, method), target: Span::new(target, end), version };
    is_usual.then_some((line, end + 11))
}

/// Reads the first line, and where the fields begin.
pub(crate) fn status_line(head: &[u8], limits: &Limits) -> Option<(StatusLine, usize)> {
    let (start, rest) = head.split_first_chunk::<13>()?;
    let [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor, b' ', digits @ .., b' '] = start else {
        return None;
    };
    let version = match minor {
        b'1' => Version::Http11,
        b'0' => Version::Http10,
        _ => return None,
    };
    let mut status = 0;
    for digit in digits {
        status = status * 10 + u16::from(digit.is_ascii_digit().then(|| digit - b'0')?);
    }
    let end = 13 + rest.iter().position(|byte| !matches!(byte, b' '..=b'~'))?;
    let is_usual = head.get(end..end + 2)? == b"\r\n" && end <= limits.line_bytes;
    is_usual.then_some((StatusLine { version, status, reason: Span::new(13, end) }, end + 2))
}

/// Reads the field that begins at `start`, and where the next one does. That there is no DEL is for the caller to see.
pub(crate) fn field(head: &[u8], start: usize) -> Option<(Line, usize)> {
    let line = head.get(start..)?;
    let (colon, end) = (colon(line)?, control(line)?);
    if end < colon || line.get(end..end + 2)? != b"\r\n" {
        return None;
    }
    let name = line.get(..colon)?;
    let known = Known::classify(name);
    // No control byte is in it, so one that is a name of the table is a token.
    if known.name().is_none() && !is_usual(name) {
        return None;
    }
    let (mut first, mut last) = (colon + 1, end);
    while line.get(first) == Some(&b' ') {
        first += 1;
    }
    while last > first && line.get(last - 1) == Some(&b' ') {
        last -= 1;
    }
    let at = |from, to| Span::new(start + from, start + to);
    Some((Line::new(at(0, end + 2), at(0, colon), at(first, last), known), start + end + 2))
}

/// Whether it is a token that does not pretend to be another name.
fn is_usual(name: &[u8]) -> bool {
    let mut is_odd = name.is_empty();
    for byte in name {
        match Letter::of(*byte) {
            Letter::Usual => {}
            Letter::Odd => is_odd = true,
            Letter::None => return false,
        }
    }
    !is_odd || !name.is_empty() && !is_twin(name)
}
