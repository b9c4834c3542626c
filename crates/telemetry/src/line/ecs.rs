//! A record by the names of the Elastic Common Schema, version 8.

use super::{Line, Lines};
use crate::record::{Protocol, Record};
use nearside_core::Reason;

const VERSION: &str = "8.17.0";

impl Lines {
    /// Appends the line of `record`. What the schema has no name for stands under `nearside`.
    pub(super) fn ecs(&self, record: &Record, out: &mut Vec<u8>) {
        let names = record.names();
        out.push(b'{');
        let mut line = Line { out };
        self.time(&mut line, "@timestamp", record.time);
        line.text("ecs.version", VERSION);
        line.text("event.kind", "event");
        line.text("event.dataset", "nearside.access");
        line.raw("event.category", "[\"web\"]");
        line.raw("event.type", "[\"access\"]");
        let failed = record.status.is_none_or(|status| status >= 400);
        line.text("event.outcome", if failed { "failure" } else { "success" });
        line.number("event.duration", u64::try_from(record.total.as_nanos()).unwrap_or(u64::MAX));
        line.text("service.type", "nearside");
        line.bytes("http.request.id", record.asked.reference());
        line.bytes("http.request.method", record.asked.method());
        line.number("http.request.body.bytes", record.bytes_in);
        line.number("http.response.body.bytes", record.bytes_out);
        if let Some(status) = record.status {
            line.number("http.response.status_code", status);
        }
        let version = match record.protocol {
            Protocol::Http10 => "1.0",
            Protocol::Http11 => "1.1",
            Protocol::Http2 => "2",
        };
        line.text("http.version", version);
        line.bytes("url.domain", record.asked.host());
        line.bytes("url.path", record.asked.path());
        line.address("client.ip", record.client);
        line.address("source.ip", record.peer);
        if let Some(tls) = record.tls {
            line.text("tls.version", tls.name());
            line.text("tls.version_protocol", "tls");
        }
        if let Some(words) = &record.words {
            line.word("url.query", words.query.as_ref());
            line.word("http.request.referrer", words.referrer.as_ref());
            line.word("user_agent.original", words.agent.as_ref());
            line.word("nearside.cookie", words.cookie.as_ref());
            line.word("nearside.authorization", words.authorization.as_ref());
        }
        line.trace("trace.id", record.trace);
        line.optional("nearside.reason", record.reason.map(Reason::name));
        line.optional("nearside.route", names.route);
        line.optional("nearside.pool", names.pool);
        line.optional("nearside.region", names.region);
        line.optional("nearside.backend", names.backend);
        line.number("nearside.tries", record.tries);
        for (name, time) in
            [("nearside.connect_us", record.connect), ("nearside.first_byte_us", record.first_byte)]
        {
            if let Some(time) = time {
                line.micros(name, time);
            }
        }
        line.text("nearside.generation", &self.generation);
        out.extend_from_slice(b"}\n");
    }
}
