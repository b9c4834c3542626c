//! Trailers: the fields after a body, without those that would change what was already decided.

use crate::known::{Known, is_twin, starts_with};
use crate::request::{take_fields, take_line};
use crate::{Fields, Limits, Refusal, fields};

/// Bytes and fields that trailers may have.
pub const LIMITS: Limits = Limits { head_bytes: 8 * 1024, fields: 64, line_bytes: 0 };

/// Starts of names that modify requests, carry rights or describe the body.
const FORBIDDEN: [&[u8]; 5] = [b"if-", b"access-control-", b"proxy-", b"sec-", b"content-"];

/// Whether the field may come after the body (RFC 9110, 6.5.1): not framing, routing, rights, conditions, nor what
/// describes the content or belongs to a connection; and none of ours.
pub fn is_allowed(name: &[u8]) -> bool {
    keep(name, Known::classify(name))
}

/// Takes trailers from fields of HTTP/2. What is not allowed is left out; pseudo-headers are refused.
///
/// # Errors
/// Names and values that no field may have, fields of a connection, and more than [`LIMITS`].
pub fn read_parts<'f>(
    into: &mut Fields,
    fields: impl IntoIterator<Item = (&'f [u8], &'f [u8])>,
) -> Result<(), Refusal> {
    into.clear();
    take_fields(into, fields, &LIMITS, keep).map_err(too_large)
}

/// Takes one of them, as [`read_parts`] takes all.
///
/// # Errors
/// As [`read_parts`].
pub fn take_part(into: &mut Fields, name: &[u8], value: &[u8]) -> Result<(), Refusal> {
    take_line(into, (name, value), &LIMITS, keep).map_err(too_large)
}

/// Reads a whole trailer section, up to and with its empty line. Line ends and NUL have been looked at.
pub(crate) fn read(section: &[u8], into: &mut Fields) -> Result<(), Refusal> {
    let mut space = [httparse::EMPTY_HEADER; LIMITS.fields];
    match httparse::parse_headers(section, &mut space) {
        Ok(httparse::Status::Complete((length, found))) if length == section.len() => {
            into.fill(section, found, keep);
            Ok(())
        }
        Ok(_) => Err(Refusal::FieldName),
        Err(error) => Err(too_large(fields::refuse(error, &[b"\n", section].concat()))),
    }
}

fn too_large(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::TooManyFields | Refusal::HeadTooLarge => Refusal::TrailersTooLarge,
        other => other,
    }
}

fn keep(name: &[u8], known: Known) -> bool {
    match known {
        Known::Etag | Known::Date => true,
        Known::Other => {
            let is_digest = starts_with(name, b"content-digest") || starts_with(name, b"content-md5");
            !is_twin(name) && (is_digest || !FORBIDDEN.iter().any(|prefix| starts_with(name, prefix)))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{is_allowed, read_parts};
    use crate::{Fields, Refusal};

    #[test]
    fn only_what_decides_nothing_may_come_late() {
        for name in ["grpc-status", "grpc-message", "Server-Timing", "x-checksum", "content-digest", "etag"] {
            assert!(is_allowed(name.as_bytes()), "{name}");
        }
        for name in [
            "content-length",
            "Transfer-Encoding",
            "host",
            "authorization",
            "cookie",
            "set-cookie",
            "connection",
            "x-forwarded-for",
            "x-nearside-ref",
            "content_length",
            "trailer",
            "te",
            "cache-control",
            "if-match",
            "content-type",
            "content-disposition",
            "proxy-authenticate",
            "via",
            "x-real-ip",
            "forwarded",
            "access-control-allow-origin",
        ] {
            assert!(!is_allowed(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn pseudo_headers_and_too_many_are_refused() {
        let mut fields = Fields::new();
        let pseudo: (&[u8], &[u8]) = (b":status", b"200");
        assert_eq!(read_parts(&mut fields, [pseudo]), Err(Refusal::FieldName));
        let own: (&[u8], &[u8]) = (b"x-own", b"1");
        assert_eq!(read_parts(&mut fields, [own; 65]), Err(Refusal::TrailersTooLarge));
        assert_eq!(read_parts(&mut fields, [own; 64]), Ok(()));
        assert_eq!(fields.len(), 64);
    }
}
