//! A record by the names of the Elastic Common Schema, version 8.

use super::way::Keys;
use super::{Line, Lines, key};
use crate::record::{Protocol, Record};
use nearside_core::Reason;

const VERSION: &str = "8.17.0";

impl Lines {
    /// Appends the line of `record`. What the schema has no name for stands under `nearside`.
    pub(super) fn ecs(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        const WAY: Keys = Keys {
            route: key!("nearside.route"),
            pool: key!("nearside.pool"),
            region: key!("nearside.region"),
            backend: key!("nearside.backend"),
        };
        let mut line = Line { out };
        self.time(&mut line, key!("@timestamp"), record.time);
        line.text(key!("ecs.version"), VERSION);
        line.text(key!("event.kind"), "event");
        line.text(key!("event.dataset"), "nearside.access");
        line.raw(key!("event.category"), "[\"web\"]");
        line.raw(key!("event.type"), "[\"access\"]");
        let failed = record.status.is_none_or(|status| status >= 400);
        line.text(key!("event.outcome"), if failed { "failure" } else { "success" });
        line.number(key!("event.duration"), u64::try_from(record.total.as_nanos()).unwrap_or(u64::MAX));
        line.text(key!("service.type"), "nearside");
        line.bytes(key!("http.request.id"), &record.asked.reference);
        line.bytes(key!("http.request.method"), &record.asked.method);
        line.number(key!("http.request.body.bytes"), record.bytes_in);
        line.number(key!("http.response.body.bytes"), record.bytes_out);
        if let Some(status) = record.status {
            line.number(key!("http.response.status_code"), status);
        }
        let version = match record.protocol {
            Protocol::Http10 => "1.0",
            Protocol::Http11 => "1.1",
            Protocol::Http2 => "2",
        };
        line.text(key!("http.version"), version);
        line.bytes(key!("url.domain"), &record.asked.host);
        line.bytes(key!("url.path"), &record.asked.path);
        line.address(key!("client.ip"), record.client);
        line.address(key!("source.ip"), record.peer);
        if let Some(tls) = record.tls {
            line.text(key!("tls.version"), tls.name());
            line.text(key!("tls.version_protocol"), "tls");
        }
        if let Some(words) = &record.words {
            line.word(key!("url.query"), words.query.as_ref());
            line.word(key!("http.request.referrer"), words.referrer.as_ref());
            line.word(key!("user_agent.original"), words.agent.as_ref());
            line.word(key!("nearside.cookie"), words.cookie.as_ref());
            line.word(key!("nearside.authorization"), words.authorization.as_ref());
        }
        line.trace(key!("trace.id"), record.trace);
        line.optional(key!("nearside.reason"), record.reason.map(Reason::name));
        self.ways.append(record, &WAY, line.out);
        line.number(key!("nearside.tries"), record.tries);
        if let Some(connect) = record.connect {
            line.micros(key!("nearside.connect_us"), connect);
        }
        if let Some(first_byte) = record.first_byte {
            line.micros(key!("nearside.first_byte_us"), first_byte);
        }
        line.text(key!("nearside.generation"), &self.generation);
        out.extend_from_slice(b"}\n");
    }
}
