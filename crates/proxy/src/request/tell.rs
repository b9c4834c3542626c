//! What is told of a request: its record at its end, and that a stream was ended from here.

use super::{Note, Visit};
use crate::exchange::End;
use crate::trace::{self, Noted};
use nearside_core::generation::LogWords;
use nearside_core::{BackendId, Reason};
use nearside_health::Fault;
use nearside_http::{Known, RequestHead, Version};
use nearside_telemetry::trace::{Trace, TraceId};
use nearside_telemetry::{Asked, Protocol, Record, Word, Words, field};
use std::sync::Arc;
use std::time::SystemTime;
use tokio::time::Instant;

impl Visit<'_> {
    /// Counts the request and writes its line.
    pub(super) fn write_down(self, head: &RequestHead, end: End) {
        let reason = match end {
            End::Cut(reason) | End::Unanswered(reason) | End::Closed(reason) => Some(reason),
            End::Answered => self.note.reason.or(self.plan.map(|plan| plan.reason)),
        };
        let total = self.ended.unwrap_or_else(Instant::now).duration_since(self.started);
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
            trace: TraceId::default(),
        };
        self.live.cells.record(&record);
        let is_notable = record.is_notable();
        let is_logged = is_notable || self.is_sampled();
        let is_traced = self.course.as_ref().is_some_and(|course| is_notable || course.was_chosen);
        if !is_logged && !is_traced {
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
        record.trace = match &self.course {
            Some(course) => course.trace,
            None => trace::of(head, self.number, self.worker.edge.salt),
        };
        if is_logged {
            self.worker.edge.access.write(&record);
        }
        if is_traced {
            self.trace(record.into_owned());
        }
    }

    /// Hands the request's spans over.
    fn trace(&self, record: Record<'static>) {
        let generation = &self.live.generation;
        let (Some(course), Some(tracing)) = (&self.course, &generation.observe.tracing) else { return };
        self.live.cells.exemplify(&record);
        let listener = generation.listeners.get(self.connection.listener);
        let trace = Trace {
            record,
            span: course.span_of_all(),
            parent: course.parent,
            was_chosen: course.was_chosen,
            port: listener.map_or(0, |listener| listener.bind.port()),
            country: self.place.country,
            tries: course.tries(self.plan, &self.noted(None)),
        };
        self.worker.edge.metrics.traces().push(trace, tracing.queue);
    }

    /// Notes for the request's spans that the try under way has failed.
    pub(super) fn trace_failed(&mut self, reason: Reason, fault: Fault) {
        let status = if let Fault::Status(status) = fault { Some(status) } else { None };
        let (noted, plan) = (self.noted(status), self.plan);
        if let Some((course, plan)) = self.course.as_mut().zip(plan) {
            course.failed(plan, &noted, reason);
        }
    }

    fn noted(&self, status: Option<u16>) -> Noted {
        let Note { connect, .. } = self.note;
        Noted { started: self.started, connect, status }
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
