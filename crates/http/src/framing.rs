//! Framing: how a body is told from what follows it. There is one way to read it, or the head is refused.

use crate::{Fields, Known, Refusal, Version, list};

/// The most that other programs read into a signed number.
const LARGEST: u64 = i64::MAX as u64;

/// The extent of a body.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Body {
    /// There is none.
    #[default]
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks up to the last one; in HTTP/2, up to the end of the stream.
    Chunked,
    /// All until the connection closes; never a request's.
    UntilClose,
}

/// What a head says of its body.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Declared {
    pub(crate) length: Option<u64>,
    pub(crate) chunked: bool,
}

/// Reads `Content-Length` and `Transfer-Encoding`, of which there is at most one, once.
pub(crate) fn declared(fields: &Fields, version: Version) -> Result<Declared, Refusal> {
    let length = fields.get(Known::ContentLength);
    let coding = fields.get(Known::TransferEncoding);
    match (length, coding) {
        (None, None) => Ok(Declared::default()),
        (Some(_), Some(_)) => Err(Refusal::TwoFramings),
        (Some(_), None) if fields.is_repeated(Known::ContentLength) => Err(Refusal::ContentLengthTwice),
        (Some(value), None) => Ok(Declared { length: Some(length_of(value)?), chunked: false }),
        (None, Some(_)) if fields.is_repeated(Known::TransferEncoding) => Err(Refusal::TransferEncoding),
        (None, Some(_)) if version != Version::Http11 => Err(Refusal::TransferEncoding),
        (None, Some(value)) if value.eq_ignore_ascii_case(b"chunked") => {
            Ok(Declared { length: None, chunked: true })
        }
        (None, Some(value)) => Err(unlawful(value)),
    }
}

fn length_of(value: &[u8]) -> Result<u64, Refusal> {
    if value.is_empty() || value.len() > 19 {
        return Err(Refusal::ContentLength);
    }
    let mut length = 0_u64;
    for byte in value {
        if !byte.is_ascii_digit() {
            return Err(Refusal::ContentLength);
        }
        length = length * 10 + u64::from(byte - b'0');
    }
    if length > LARGEST { Err(Refusal::ContentLength) } else { Ok(length) }
}

/// Whether the codings are wrong, or only unknown to us.
fn unlawful(codings: &[u8]) -> Refusal {
    if list::members(codings).all(|coding| coding.eq_ignore_ascii_case(b"chunked")) {
        Refusal::TransferEncoding
    } else {
        Refusal::Coding
    }
}
