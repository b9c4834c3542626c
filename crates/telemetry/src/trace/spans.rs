//! A trace as spans, by the semantic conventions of OpenTelemetry for HTTP; what they have no name for stands under
//! `nearside`.

use super::message::{
    AnyValue, Code, KeyValue, Kind, Request, Resource, ResourceSpans, Scope, ScopeSpans, Span, Status, Value,
};
use super::{Trace, Try};
use crate::record::{Protocol, Record, Word};
use nearside_core::Reason;
use nearside_core::route::PathPattern;
use prost::Message;
use std::time::{Duration, UNIX_EPOCH};

/// The version of the conventions.
const SCHEMA: &str = "https://opentelemetry.io/schemas/1.37.0";
/// The methods that spans name; others are one.
const METHODS: [&[u8]; 10] =
    [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH", b"QUERY"];
/// The trace is sampled (W3C Trace Context).
const SAMPLED: u32 = 1;
/// It is known whether the parent is of another process; and it is.
const KNOWS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// Who sends.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    /// What the service is called.
    pub service: &'a str,
    /// The fleet's name.
    pub fleet: &'a str,
    /// The PoP's name.
    pub pop: &'a str,
    /// The program's version.
    pub version: &'a str,
}

/// A message with the spans of these traces.
#[must_use]
pub fn encode(sender: &Sender<'_>, traces: &[Trace]) -> Vec<u8> {
    let mut resource = Attributes::default();
    resource.text("service.name", sender.service);
    resource.text("service.namespace", sender.fleet);
    resource.text("service.instance.id", sender.pop);
    resource.text("service.version", sender.version);
    let mut spans = Vec::new();
    for trace in traces {
        spans.push(edge(trace));
        let tries = (0..).zip(&trace.tries);
        spans.extend(tries.map(|(count, attempt)| client(trace, attempt, count)));
    }
    let scope = Scope { name: "nearside".to_owned(), version: sender.version.to_owned() };
    let resource_spans = ResourceSpans {
        resource: Some(Resource { attributes: resource.0 }),
        scope_spans: vec![ScopeSpans { scope: Some(scope), spans }],
        schema_url: SCHEMA.to_owned(),
    };
    Request { resource_spans: vec![resource_spans] }.encode_to_vec()
}

/// The span of the whole request.
fn edge(trace: &Trace) -> Span {
    let record = &trace.record;
    let generation = &record.generation;
    let route = record.route.and_then(|id| generation.routes.route(id));
    let mut own = Attributes::default();
    asked(&mut own, record, trace.port);
    if let Some(status) = record.status {
        own.number("http.response.status_code", status);
    }
    own.number("http.request.body.size", record.bytes_in);
    own.number("http.response.body.size", record.bytes_out);
    let path = route.map(|route| match &route.path {
        PathPattern::Exact(path) => path.to_string(),
        PathPattern::Prefix(prefix) => format!("{prefix}/*"),
    });
    let error = match (record.status, record.reason) {
        (None, reason) => Some(reason.map_or("none".to_owned(), |reason| reason.name().to_owned())),
        (Some(500..), Some(reason)) if is_failure(reason) => Some(reason.name().to_owned()),
        (Some(status @ 500..), _) => Some(status.to_string()),
        _ => None,
    };
    own.optional("http.route", path.as_deref());
    own.optional("error.type", error.as_deref());
    own.bytes("nearside.ref", &record.asked.reference);
    own.optional("nearside.reason", record.reason.map(Reason::name));
    let names = record.names();
    own.optional("nearside.route", names.route);
    own.optional("nearside.pool", names.pool);
    own.optional("nearside.region", names.region);
    own.optional("nearside.backend", names.backend);
    own.text("nearside.place", trace.country.as_str());
    own.number("nearside.tries", record.tries);
    own.text("nearside.generation", &generation.stamp.to_string());
    let method = method(record);
    let name = path.map_or_else(|| method.to_owned(), |path| format!("{method} {path}"));
    let remote = if trace.parent.is_some() { KNOWS_REMOTE | IS_REMOTE } else { KNOWS_REMOTE };
    Span {
        trace_id: record.trace.0.to_be_bytes().into(),
        span_id: trace.span.to_be_bytes().into(),
        parent_span_id: trace.parent.map(|parent| parent.to_be_bytes().into()).unwrap_or_default(),
        name,
        kind: Kind::Server.into(),
        start_time_unix_nano: nanos(record, Duration::ZERO),
        end_time_unix_nano: nanos(record, record.total),
        attributes: own.0,
        status: error.map(|_| failed(record.reason)),
        flags: flags(trace) | remote,
    }
}

/// What was asked, and by whom.
fn asked(own: &mut Attributes, record: &Record<'_>, port: u16) {
    let method = method(record);
    own.text("http.request.method", method);
    if method == OTHER {
        own.bytes("http.request.method_original", &record.asked.method);
    }
    own.text("url.scheme", if record.tls.is_some() { "https" } else { "http" });
    own.bytes("url.path", &record.asked.path);
    own.bytes("server.address", &record.asked.host);
    own.number("server.port", port);
    own.text("client.address", &record.client.to_string());
    own.text("network.peer.address", &record.peer.to_string());
    own.text("network.protocol.name", "http");
    own.text("network.protocol.version", version(record.protocol));
    own.optional("tls.protocol.version", record.tls.map(crate::TlsVersion::name));
    if let Some(words) = &record.words {
        own.word("url.query", words.query.as_ref());
        own.word("user_agent.original", words.agent.as_ref());
    }
}

/// The span of a try; `count` went before it.
fn client(trace: &Trace, attempt: &Try, count: u32) -> Span {
    let record = &trace.record;
    let generation = &record.generation;
    let backend = generation.backend(attempt.backend);
    let mut own = Attributes::default();
    own.text("http.request.method", method(record));
    if let Some(backend) = backend {
        let endpoint = &backend.endpoint;
        own.text("server.address", &endpoint.host);
        if endpoint.port > 0 {
            own.number("server.port", endpoint.port);
        }
        let scheme = if endpoint.tls { "https" } else { "http" };
        let path = String::from_utf8_lossy(&record.asked.path);
        own.text("url.full", &format!("{scheme}://{}{path}", endpoint.authority()));
        own.text("nearside.backend", &backend.name);
        own.number("nearside.tier", backend.priority);
        own.optional("nearside.pool", generation.pool(backend.pool).map(|pool| &*pool.name));
        own.optional("nearside.region", generation.region(backend.region).map(|region| &*region.name));
    }
    if count > 0 {
        own.number("http.request.resend_count", count);
    }
    if let Some(status) = attempt.status {
        own.number("http.response.status_code", status);
    }
    let by_status = attempt.status.filter(|status| *status >= 400).map(|status| status.to_string());
    let error = attempt.failed.map(|reason| reason.name().to_owned()).or(by_status);
    own.optional("error.type", error.as_deref());
    own.text("nearside.reason", attempt.reason.name());
    own.text("nearside.outcome", attempt.failed.map_or("ok", Reason::name));
    if let Some(connect) = attempt.connect {
        own.number("nearside.connect_us", u64::try_from(connect.as_micros()).unwrap_or(u64::MAX));
    }
    Span {
        trace_id: record.trace.0.to_be_bytes().into(),
        span_id: attempt.span.to_be_bytes().into(),
        parent_span_id: trace.span.to_be_bytes().into(),
        name: method(record).to_owned(),
        kind: Kind::Client.into(),
        start_time_unix_nano: nanos(record, attempt.after),
        end_time_unix_nano: nanos(record, attempt.after + attempt.took),
        attributes: own.0,
        status: error.map(|_| failed(attempt.failed)),
        flags: flags(trace) | KNOWS_REMOTE,
    }
}

const OTHER: &str = "_OTHER";

/// The method, where it is one of those that everybody knows.
fn method(record: &Record<'_>) -> &'static str {
    let known = METHODS.iter().find(|known| ***known == *record.asked.method);
    known.and_then(|known| std::str::from_utf8(known).ok()).unwrap_or(OTHER)
}

fn version(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Http10 => "1.0",
        Protocol::Http11 => "1.1",
        Protocol::Http2 => "2",
    }
}

/// Whether a reason says why there was no answer, and not why it came from where it came.
fn is_failure(reason: Reason) -> bool {
    reason.name().starts_with("failed.") || reason.name().starts_with("refused.")
}

fn failed(reason: Option<Reason>) -> Status {
    let message = reason.filter(|reason| is_failure(*reason)).map(|reason| reason.sentence().to_owned());
    Status { message: message.unwrap_or_default(), code: Code::Error.into() }
}

fn flags(trace: &Trace) -> u32 {
    if trace.was_chosen { SAMPLED } else { 0 }
}

/// The time at so much after the request's beginning.
fn nanos(record: &Record<'_>, after: Duration) -> u64 {
    let time = record.time.duration_since(UNIX_EPOCH).unwrap_or_default() + after;
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[derive(Default)]
struct Attributes(Vec<KeyValue>);

impl Attributes {
    fn text(&mut self, key: &str, value: &str) {
        self.add(key, Value::Text(value.to_owned()));
    }

    fn optional(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    fn word(&mut self, key: &str, value: Option<&Word>) {
        if let Some(value) = value {
            self.bytes(key, value.bytes());
        }
    }

    /// What a client has sent need not be text.
    fn bytes(&mut self, key: &str, value: &[u8]) {
        self.add(key, Value::Text(String::from_utf8_lossy(value).into_owned()));
    }

    fn number(&mut self, key: &str, value: impl TryInto<i64>) {
        self.add(key, Value::Number(value.try_into().unwrap_or(i64::MAX)));
    }

    fn add(&mut self, key: &str, value: Value) {
        self.0.push(KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }) });
    }
}
