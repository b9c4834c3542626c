//! A record by the program's own names.

use super::Lines;
use super::line::{Line, first, key, next, text};
use super::way::Keys;
use crate::field;
use crate::record::Record;

/// From the end of the text before to the name of the number behind.
const WAY: Keys = Keys {
    before: b"\"",
    status: key!(field::STATUS),
    reason: text!(field::REASON),
    route: text!(field::ROUTE),
    pool: text!(field::POOL),
    region: text!(field::REGION),
    backend: text!(field::BACKEND),
    tries: key!(field::TRIES),
    behind: key!(field::TOTAL_US),
};

impl Lines {
    /// Writes the line of `record`. What comes first are texts, each of which ends with the name of the next one.
    pub(super) fn json(&mut self, record: &Record<'_>, line: &mut Line<'_>) {
        line.raw(first!(field::TIME));
        line.time(&self.time, record.time);
        line.raw(next!(field::REF));
        line.raw(&record.asked.reference);
        line.raw(next!(field::CLIENT));
        line.address(record.client);
        if record.peer != record.client {
            line.raw(next!(field::PEER));
            line.address(record.peer);
        }
        line.raw(next!(field::PROTOCOL));
        line.raw(record.protocol.name().as_bytes());
        if let Some(tls) = record.tls {
            line.raw(next!(field::TLS));
            line.raw(tls.name().as_bytes());
        }
        line.raw(next!(field::HOST));
        line.said(&record.asked.host);
        line.raw(next!(field::METHOD));
        line.said(&record.asked.method);
        line.raw(next!(field::PATH));
        line.said(&record.asked.path);
        if let Some(words) = &record.words {
            line.word(next!(field::QUERY), words.query.as_ref());
            line.word(next!(field::COOKIE), words.cookie.as_ref());
            line.word(next!(field::AUTHORIZATION), words.authorization.as_ref());
        }
        line.raw(self.ways.of(record, &WAY));
        line.micros(record.total);
        if let Some(connect) = record.connect {
            line.raw(key!(field::CONNECT_US));
            line.micros(connect);
        }
        if let Some(first_byte) = record.first_byte {
            line.raw(key!(field::FIRST_BYTE_US));
            line.micros(first_byte);
        }
        line.raw(key!(field::BYTES_IN));
        line.number(record.bytes_in);
        line.raw(key!(field::BYTES_OUT));
        line.number(record.bytes_out);
        line.raw(text!(field::TRACE_ID));
        line.trace(record.trace);
        line.raw(&self.generation);
    }
}
