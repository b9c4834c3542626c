//! What is told of a request: its record at its end, and that a stream was ended from here.

use super::Visit;
use crate::exchange::End;
use nearside_core::BackendId;
use nearside_core::generation::LogWords;
use nearside_http::{Known, RequestHead, Version};
use nearside_telemetry::{Asked, Protocol, Record, Word, Words, field};
use std::sync::Arc;
use std::time::SystemTime;

impl Visit<'_> {
    /// Counts the request and writes its line.
    pub(super) fn write_down(self, head: &RequestHead, end: End) {
        let reason = match end {
            End::Cut(reason) | End::Unanswered(reason) | End::Closed(reason) => Some(reason),
            End::Answered => self.note.reason.or(self.plan.map(|plan| plan.reason)),
        };
        let total = self.started.elapsed();
        let mut record = Record {
            time: SystemTime::UNIX_EPOCH,
            asked: Asked::default(),
            words: None,
            client: self.believed.address,
            peer: self.connection.peer.ip(),
            protocol: match head.version() {
                Version::Http10 => Protocol::Http10,
                Version::Http11 => Protocol::Http11,
                Version::Http2 => Protocol::Http2,
            },
            tls: self.connection.tls,
            generation: Arc::clone(&self.live.generation),
            route: self.route,
            backend: self.plan.map(|plan| plan.backend),
            reason,
            status: self.note.status,
            tries: self.note.tries,
            total,
            connect: self.note.connect,
            first_byte: self.note.first_byte,
            bytes_in: self.note.bytes_in,
            bytes_out: self.note.bytes_out,
        };
        self.live.cells.record(&record);
        if !self.is_sampled() && !record.is_notable() {
            return;
        }
        // Only a record that is read needs the time of day.
        record.time = SystemTime::now() - total;
        record.asked = Asked::new(
            self.reference.as_str(),
            head.method_text().as_bytes(),
            head.authority().host().as_bytes(),
            head.path().as_bytes(),
        );
        let words = self.live.generation.observe.access_log.words;
        if words.any() {
            record.words = Some(Box::new(said(head, words)));
        }
        self.worker.edge.access.write(record);
    }

    /// Whether it is one of those that are written down although nothing happened.
    fn is_sampled(&self) -> bool {
        self.number % 10_000 < u64::from(self.live.generation.observe.access_log.sample.points())
    }

    /// Tells that a stream to `backend` was ended from here.
    pub(crate) fn tell_ended(&self, backend: BackendId, cause: &str) {
        let generation = &self.live.generation;
        let backend = generation.backend(backend).map_or("", |backend| &backend.name);
        let route = self.route.and_then(|id| generation.routes.route(id)).map_or("", |route| &route.id);
        tracing::info!(
            { field::REF } = self.reference.as_str(),
            { field::ROUTE } = route,
            { field::BACKEND } = backend,
            { field::CAUSE } = cause,
            { field::TOTAL_US } = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
            { field::BYTES_IN } = self.note.bytes_in,
            { field::BYTES_OUT } = self.note.bytes_out,
            "stream ended"
        );
    }
}

/// The client's words that are written down.
fn said(head: &RequestHead, words: LogWords) -> Words {
    let known = |wanted: bool, field| wanted.then(|| head.fields().get(field).map(Word::new)).flatten();
    let named = |name| words.agent.then(|| head.fields().get_name(name)).flatten();
    Words {
        query: head.query().filter(|_| words.query).map(|query| Word::new(query.as_bytes())),
        cookie: known(words.cookie, Known::Cookie),
        authorization: known(words.authorization, Known::Authorization),
        referrer: named("referer").map(if words.query { Word::new } else { Word::without_query }),
        agent: named("user-agent").map(Word::new),
    }
}
