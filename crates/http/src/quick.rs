//! Quick: the way through a head that has arrived whole and in which everything is as usual, in one pass.
//!
//! What is unusual, lawful or not, is `None` here: the gate and the tokeniser judge it, and say what it is. The fuzz target
//! `head` and the tests of both kinds of heads hold both ways to the same verdict.

use crate::bytes_of::{Letter, Span};
use crate::fields::Line;
use crate::known::{Known, is_twin};
use crate::marks::{Marked, Marks};
use crate::{Limits, Version};

/// A request's first line: `GET /path HTTP/1.1`.
pub(crate) struct RequestLine {
    pub(crate) method: Span,
    /// What stands between: whether it is a target is for the caller to see.
    pub(crate) target: Span,
    pub(crate) version: Version,
}

/// The first line of an answer: `HTTP/1.1 200 OK`.
pub(crate) struct StatusLine {
    pub(crate) version: Version,
    pub(crate) status: u16,
    pub(crate) reason: Span,
}

/// Reads the first line; returns where the fields begin.
pub(crate) fn request_line(
    head: &[u8],
    marks: &mut Marks<'_>,
    limits: &Limits,
) -> Option<(RequestLine, u32)> {
    let end = marks.line()?.end;
    let start = end + 2;
    let (line, ending) = head.get(..start as usize)?.split_last_chunk::<11>()?;
    let version = match ending {
        b" HTTP/1.1\r\n" => Version::Http11,
        b" HTTP/1.0\r\n" => Version::Http10,
        _ => return None,
    };
    let method = line.iter().position(|byte| Letter::of(*byte) == Letter::None)?;
    let is_usual = method > 0 && line.get(method) == Some(&b' ') && end as usize <= limits.line_bytes;
    let method = Span::new(0, method);
    let target = Span { start: method.end + 1, end: end - 9 };
    is_usual.then_some((RequestLine { method, target, version }, start))
}

/// Reads the first line; returns where the fields begin.
pub(crate) fn status_line(head: &[u8], marks: &mut Marks<'_>, limits: &Limits) -> Option<(StatusLine, u32)> {
    let end = marks.line()?.end;
    let (start, rest) = head.get(..end as usize + 2)?.split_first_chunk::<13>()?;
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
    let is_usual = rest.ends_with(b"\r\n") && end as usize <= limits.line_bytes;
    is_usual.then_some((StatusLine { version, status, reason: Span { start: 13, end } }, end + 2))
}

/// Reads the field that begins at `start`, where the marks are, and where the next line does. A line that begins with what
/// could end another has no name.
#[inline]
pub(crate) fn field(head: &[u8], marks: &mut Marks<'_>, start: u32) -> Option<(Line, u32)> {
    let Marked { colon, end } = marks.line()?;
    let behind = end + 2;
    let (line, b"\r\n") = head.get(start as usize..behind as usize)?.split_last_chunk()? else {
        return None;
    };
    let colon = colon?;
    let (name, rest) = line.split_at_checked((colon - start) as usize)?;
    let known = Known::classify(name);
    // Only spaces and visible ASCII are in it, so one that is a name of the table is a token.
    if known.name().is_none() && !is_usual(name) {
        return None;
    }
    let (first, last) = match rest {
        // Nearly always there is one space before the value and none behind it.
        [b':', b' ', b'!'..=b'~', .., b'!'..=b'~'] => (colon + 2, end),
        _ => trimmed(rest, colon, end),
    };
    let span = |start, end| Span { start, end };
    Some((Line::new(span(start, behind), colon, span(first, last), known), behind))
}

/// The value without the spaces around it, of what stands from the colon to the end.
fn trimmed(rest: &[u8], colon: u32, end: u32) -> (u32, u32) {
    let (mut first, mut last) = (colon + 1, end);
    let at = |position: u32| rest.get((position - colon) as usize);
    while first < last && at(first) == Some(&b' ') {
        first += 1;
    }
    while last > first && at(last - 1) == Some(&b' ') {
        last -= 1;
    }
    (first, last)
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
