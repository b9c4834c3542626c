//! A record as one line of JSON.

use crate::field;
use crate::record::Record;
use nearside_core::{Generation, Reason};
use std::io::Write;
use std::time::{Duration, SystemTime};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Appends the line of `record`, its end included, to `out`.
pub(crate) fn append(record: &Record, out: &mut Vec<u8>) {
    let generation: &Generation = &record.generation;
    let route = record.route.and_then(|id| generation.routes.route(id));
    let backend = record.backend.and_then(|id| generation.backend(id));
    let region = backend.and_then(|backend| generation.region(backend.region));
    let pool = record.pool().and_then(|id| generation.pool(id));

    let mut line = Line { out, first: true };
    line.plain(field::TIME, &rfc3339(record.time));
    line.bytes(field::REF, record.asked.reference());
    line.plain(field::CLIENT, &record.client);
    line.plain(field::PROTOCOL, &record.protocol.name());
    line.optional(field::TLS, record.tls.map(crate::TlsVersion::name));
    line.bytes(field::HOST, record.asked.host());
    line.bytes(field::METHOD, record.asked.method());
    line.bytes(field::PATH, record.asked.path());
    if let Some(status) = record.status {
        line.number(field::STATUS, status);
    }
    line.optional(field::REASON, record.reason.map(Reason::name));
    line.optional(field::ROUTE, route.map(|route| &*route.id));
    line.optional(field::POOL, pool.map(|pool| &*pool.name));
    line.optional(field::REGION, region.map(|region| &*region.name));
    line.optional(field::BACKEND, backend.map(|backend| &*backend.name));
    line.number(field::TRIES, record.tries);
    line.number(field::TOTAL_US, record.total.as_micros());
    for (name, time) in [(field::CONNECT_US, record.connect), (field::FIRST_BYTE_US, record.first_byte)] {
        if let Some(micros) = time.as_ref().map(Duration::as_micros) {
            line.number(name, micros);
        }
    }
    line.number(field::BYTES_IN, record.bytes_in);
    line.number(field::BYTES_OUT, record.bytes_out);
    line.plain(field::GENERATION, &generation.stamp);
    out.extend_from_slice(b"}\n");
}

fn rfc3339(time: SystemTime) -> String {
    let time = OffsetDateTime::from(time);
    let millis = time.replace_nanosecond(time.nanosecond() / 1_000_000 * 1_000_000).unwrap_or(time);
    millis.format(&Rfc3339).unwrap_or_default()
}

/// Writing into memory cannot fail, so the results of `write!` and `to_writer` have nothing to say.
struct Line<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl Line<'_> {
    fn name(&mut self, name: &str) {
        self.out.extend_from_slice(if self.first { b"{\"" } else { b",\"" });
        self.first = false;
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    /// A value that has nothing to escape: our own words, addresses, times.
    fn plain(&mut self, name: &str, value: &dyn std::fmt::Display) {
        self.name(name);
        drop(write!(self.out, "\"{value}\""));
    }

    fn number(&mut self, name: &str, value: impl std::fmt::Display) {
        self.name(name);
        drop(write!(self.out, "{value}"));
    }

    fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.name(name);
            drop(serde_json::to_writer(&mut *self.out, value));
        }
    }

    fn bytes(&mut self, name: &str, value: &[u8]) {
        self.optional(name, Some(&String::from_utf8_lossy(value)));
    }
}
