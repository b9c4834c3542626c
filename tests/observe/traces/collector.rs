//! A collector: takes OTLP over HTTP/1.1, reads it by the types that are generated from the protocol's own definition,
//! and is in whatever mood a test wants.

use nearside_tests::{Authority, eventually};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// How the collector answers a message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mood {
    /// Takes it.
    Well,
    /// Takes all but so many spans.
    Partly(i64),
    /// Does not take it, with this status and these fields.
    Not(u16, &'static str),
    /// Never answers.
    Silent,
}

/// A collector; it ends with the test's runtime.
pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// The moods of the next messages; afterwards it is well.
    moods: Mutex<VecDeque<Mood>>,
    heads: Mutex<Vec<String>>,
    spans: Mutex<Vec<Seen>>,
}

/// A span that was taken.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) span: Span,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) resource: BTreeMap<String, String>,
}

impl Seen {
    /// The value of an attribute, numbers as text; a dash where it is absent.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("-", String::as_str)
    }

    pub(crate) fn trace(&self) -> String {
        hex(&self.span.trace_id)
    }

    pub(crate) fn id(&self) -> String {
        hex(&self.span.span_id)
    }

    pub(crate) fn parent(&self) -> String {
        hex(&self.span.parent_span_id)
    }

    /// Whether it is of a whole request, and not of a try.
    pub(crate) fn is_edge(&self) -> bool {
        self.span.kind == 2
    }
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |pair: &KeyValue| {
        let value = match pair.value.as_ref().and_then(|value| value.value.as_ref()) {
            Some(Value::StringValue(text)) => text.clone(),
            Some(Value::IntValue(number)) => number.to_string(),
            other => panic!("{}: {other:?}", pair.key),
        };
        (pair.key.clone(), value)
    };
    let texts: BTreeMap<String, String> = attributes.iter().map(text).collect();
    assert_eq!(texts.len(), attributes.len(), "no attribute stands there twice");
    texts
}

impl Collector {
    pub(crate) async fn start() -> Self {
        Self::open(None).await
    }

    /// Speaks TLS, as `localhost`.
    pub(crate) async fn secured(authority: &Authority) -> Self {
        let (certificate, key) = authority.sign(&["localhost"]);
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let config = rustls::ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(vec![certificate], key).unwrap();
        Self::open(Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn open(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, state) = (listener.local_addr().unwrap(), Arc::new(State::default()));
        let own = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (state, tls) = (Arc::clone(&own), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, &state).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, &state).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, state }
    }

    /// The moods of the next messages.
    pub(crate) fn is(&self, moods: &[Mood]) {
        self.state.moods.lock().unwrap().extend(moods);
    }

    /// The heads of all messages, in lower case.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.state.heads.lock().unwrap().clone()
    }

    /// What was taken.
    pub(crate) fn spans(&self) -> Vec<Seen> {
        self.state.spans.lock().unwrap().clone()
    }

    /// Waits until so many spans were taken.
    pub(crate) async fn has(&self, count: usize) -> Vec<Seen> {
        eventually(&format!("{count} spans"), async || Some(self.spans()).filter(|it| it.len() >= count))
            .await
    }

    /// Waits until the request with this ref was taken.
    pub(crate) async fn has_request(&self, reference: &str) -> Vec<Seen> {
        eventually(&format!("the spans of {reference}"), async || {
            let spans = self.spans();
            let is_there = spans.iter().any(|seen| seen.get("nearside.ref") == reference);
            is_there.then_some(spans)
        })
        .await
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, state: &State) {
    while let Some((head, body)) = message(&mut stream).await {
        state.heads.lock().unwrap().push(head.clone());
        let mood = state.moods.lock().unwrap().pop_front().unwrap_or(Mood::Well);
        let (status, fields, answer) = match mood {
            Mood::Silent => std::future::pending().await,
            Mood::Not(status, fields) => (status, fields, Vec::new()),
            Mood::Well => (200, "", ExportTraceServiceResponse::default().encode_to_vec()),
            Mood::Partly(rejected_spans) => {
                let error_message = "too many attributes".to_owned();
                let partial_success = Some(ExportTracePartialSuccess { rejected_spans, error_message });
                (200, "", ExportTraceServiceResponse { partial_success }.encode_to_vec())
            }
        };
        if status == 200 {
            let is_packed = head.contains("content-encoding: gzip");
            take(&if is_packed { unpacked(&body) } else { body }, state);
        }
        let head = format!(
            "HTTP/1.1 {status} Said\r\ncontent-type: application/x-protobuf\r\n{fields}content-length: {}\r\n\r\n",
            answer.len()
        );
        if stream.write_all(&[head.as_bytes(), &answer].concat()).await.is_err() {
            return;
        }
    }
}

/// What gzip has packed.
fn unpacked(body: &[u8]) -> Vec<u8> {
    let gzip = Command::new("gzip").arg("-dc").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut gzip = gzip.expect("gzip is there");
    // A message of a test is smaller than what a pipe holds.
    gzip.stdin.take().unwrap().write_all(body).unwrap();
    gzip.wait_with_output().unwrap().stdout
}

fn take(body: &[u8], state: &State) {
    let request = ExportTraceServiceRequest::decode(body).expect("a message of the protocol");
    let mut spans = state.spans.lock().unwrap();
    for resource_spans in request.resource_spans {
        let resource = texts(&resource_spans.resource.unwrap_or_default().attributes);
        let all = resource_spans.scope_spans.into_iter().flat_map(|scope| scope.spans);
        spans.extend(all.map(|span| {
            let attributes = texts(&span.attributes);
            Seen { span, attributes, resource: resource.clone() }
        }));
    }
}

/// The next message; `None` where the connection has ended.
async fn message(stream: &mut (impl AsyncRead + Unpin)) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).expect("a head of ASCII").to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.unwrap_or_else(|| panic!("no length: {head}")).parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((head, body))
}
