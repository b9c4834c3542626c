//! A record by the names of the Elastic Common Schema, version 8.

use super::Lines;
use super::line::{Line, first, key, next, text};
use super::way::Keys;
use crate::record::{Protocol, Record};

/// What is the same in every line, from the end of the time on.
const SAME: &[u8] =
    b"\",\"ecs.version\":\"8.17.0\",\"event.kind\":\"event\",\"event.dataset\":\"nearside.access\",\
    \"event.category\":[\"web\"],\"event.type\":[\"access\"],\"service.type\":\"nearside\"";

/// From the end of the number before to the name of the text behind.
const WAY: Keys = Keys {
    before: b"",
    status: key!("http.response.status_code"),
    reason: text!("nearside.reason"),
    route: text!("nearside.route"),
    pool: text!("nearside.pool"),
    region: text!("nearside.region"),
    backend: text!("nearside.backend"),
    tries: key!("nearside.tries"),
    behind: text!("http.version"),
};

impl Lines {
    /// Writes the line of `record`. What the schema has no name for stands under `nearside`.
    pub(super) fn ecs(&mut self, record: &Record<'_>, line: &mut Line<'_>) {
        line.raw(first!("@timestamp"));
        line.time(&self.time, record.time);
        line.raw(SAME);
        let failed = record.status.is_none_or(|status| status >= 400);
        line.text(text!("event.outcome"), if failed { "failure" } else { "success" });
        line.raw(key!("event.duration"));
        line.number(u64::try_from(record.total.as_nanos()).unwrap_or(u64::MAX));
        line.raw(key!("http.request.body.bytes"));
        line.number(record.bytes_in);
        line.raw(key!("http.response.body.bytes"));
        line.number(record.bytes_out);
        if let Some(connect) = record.connect {
            line.raw(key!("nearside.connect_us"));
            line.micros(connect);
        }
        if let Some(first_byte) = record.first_byte {
            line.raw(key!("nearside.first_byte_us"));
            line.micros(first_byte);
        }
        line.raw(self.ways.of(record, &WAY));
        line.raw(match record.protocol {
            Protocol::Http10 => b"1.0",
            Protocol::Http11 => b"1.1",
            Protocol::Http2 => b"2",
        });
        line.raw(next!("http.request.id"));
        line.raw(&record.asked.reference);
        line.raw(next!("http.request.method"));
        line.said(&record.asked.method);
        line.raw(next!("url.domain"));
        line.said(&record.asked.host);
        line.raw(next!("url.path"));
        line.said(&record.asked.path);
        line.raw(next!("client.ip"));
        line.address(record.client);
        line.raw(next!("source.ip"));
        line.address(record.peer);
        if let Some(tls) = record.tls {
            line.raw(next!("tls.version_protocol"));
            line.raw(b"tls");
            line.raw(next!("tls.version"));
            line.raw(tls.name().as_bytes());
        }
        if let Some(words) = &record.words {
            line.word(next!("url.query"), words.query.as_ref());
            line.word(next!("http.request.referrer"), words.referrer.as_ref());
            line.word(next!("user_agent.original"), words.agent.as_ref());
            line.word(next!("nearside.cookie"), words.cookie.as_ref());
            line.word(next!("nearside.authorization"), words.authorization.as_ref());
        }
        line.raw(next!("trace.id"));
        line.trace(record.trace);
        line.raw(&self.generation);
    }
}
