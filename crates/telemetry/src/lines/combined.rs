//! A record in the combined format of Apache and nginx.

use crate::record::{Record, Word};
use nearside_core::Reason;
use std::io::Write;
use time::OffsetDateTime;
use time::macros::format_description;

/// The status of a request whose client went away before it had an answer, as nginx writes it, and of one that got none
/// for another reason.
const CLIENT_GONE: u16 = 499;
const NONE: u16 = 0;

/// Appends the line of `record`.
pub(super) fn append(record: &Record<'_>, out: &mut Vec<u8>) {
    let format = format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000");
    let time = OffsetDateTime::from(record.time).format(format).unwrap_or_default();
    // Writing into memory cannot fail.
    drop(write!(out, "{} - - [{time}] \"", record.client));
    escaped(&record.asked.method, out);
    out.push(b' ');
    escaped(&record.asked.path, out);
    let words = record.words.as_deref();
    if let Some(query) = words.and_then(|words| words.query.as_ref()) {
        out.push(b'?');
        escaped(query.bytes(), out);
    }
    let status = record.status.unwrap_or(match record.reason {
        Some(Reason::FailedClientGone) => CLIENT_GONE,
        _ => NONE,
    });
    drop(write!(out, " {}\" {status:03} {} ", version(record), record.bytes_out));
    quoted(words.and_then(|words| words.referrer.as_ref()), out);
    out.push(b' ');
    quoted(words.and_then(|words| words.agent.as_ref()), out);
    out.push(b'\n');
}

fn version(record: &Record<'_>) -> &'static str {
    match record.protocol.name() {
        // The format's readers want a number with a point.
        "HTTP/2" => "HTTP/2.0",
        name => name,
    }
}

fn quoted(word: Option<&Word>, out: &mut Vec<u8>) {
    out.push(b'"');
    match word {
        Some(word) if !word.bytes().is_empty() => escaped(word.bytes(), out),
        _ => out.push(b'-'),
    }
    out.push(b'"');
}

/// As Apache escapes what clients send: quotes and backslashes by a backslash, and what cannot be printed as `\xhh`.
fn escaped(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            b' '..=b'~' => out.push(*byte),
            _ => drop(write!(out, "\\x{byte:02x}")),
        }
    }
}
