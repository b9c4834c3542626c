//! The answers of a backend: one for each path that the crate's page lists.

use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LINK, TRAILER};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::body::{Body, BoxError, Counted, Received, full, receive};
use crate::fault::{self, Fault};
use crate::identity::{self, Identity, Session};
use crate::ledger::{Arrival, Ledger};
use crate::made::{Drip, Ends, Pattern, Trailed};
use crate::wire::Interim;

const NAME: HeaderName = HeaderName::from_static("x-sample-name");
const REGION: HeaderName = HeaderName::from_static("x-sample-region");
const LENGTH: HeaderName = HeaderName::from_static("x-sample-length");
const SHA256: HeaderName = HeaderName::from_static("x-sample-sha256");

/// What all connections of a backend share.
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) identity: Identity,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) health: AtomicU16,
    pub(crate) delay: Duration,
    pub(crate) fault: Mutex<Fault>,
    /// Until when nobody listens.
    pub(crate) deaf: watch::Sender<Instant>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// The path asks for a cut.
    #[error("the connection is cut")]
    Cut,
    /// The request's body never ended.
    #[error("the request is not whole")]
    Unread(#[from] BoxError),
    /// The path asks for a refusal.
    #[error("the request is refused")]
    Refused,
}

/// One request on its way to its answer.
struct Visit<'a> {
    backend: &'a Backend,
    request: Parts,
    session: &'a Session,
    interim: Interim,
}

type Answer = Result<Response<Body>, NoAnswer>;

impl Backend {
    /// Notes the request in the ledger, then answers it. It is noted before the future is polled, which never happens
    /// where the connection is found closed behind the request.
    pub(crate) fn answer<'a>(
        &'a self,
        request: Request<Body>,
        session: &'a Session,
        interim: Interim,
    ) -> impl Future<Output = Answer> + use<'a> {
        let (request, body) = request.into_parts();
        let sequence = self.ledger.arrived(arrival(&request));
        let ledger = Arc::clone(&self.ledger);
        let mut body = Counted { body, ledger, sequence, length: 0, noted: false };
        body.note_if_empty();
        let visit = Visit { backend: self, request, session, interim };
        async move {
            let mut answer = visit.answer(body.boxed_unsync()).await?;
            for (name, value) in [(NAME, &self.identity.name), (REGION, &self.identity.region)] {
                if let Ok(value) = HeaderValue::from_str(value) {
                    answer.headers_mut().insert(name, value);
                }
            }
            Ok(answer)
        }
    }

    fn fault(&self) -> Fault {
        *self.fault.lock()
    }
}

impl Visit<'_> {
    async fn answer(&self, body: Body) -> Answer {
        let path = self.request.uri.path().to_owned();
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        if segments != ["healthz"] && !self.backend.delay.is_zero() {
            sleep(self.backend.delay).await;
        }
        let fault = match segments.as_slice() {
            ["control", ..] => Fault::None,
            _ => self.backend.fault(),
        };
        if fault.fails(&segments) {
            receive(body).await?;
            return Ok(line(StatusCode::INTERNAL_SERVER_ERROR, "a fault, as asked for\n"));
        }
        let answer = self.answer_well(&segments, body).await?;
        Ok(if fault == Fault::Drip { fault::drip(answer) } else { answer })
    }

    async fn answer_well(&self, segments: &[&str], body: Body) -> Answer {
        match segments {
            ["echo"] => Ok(self.echo(body)),
            ["early-413"] => Ok(line(StatusCode::PAYLOAD_TOO_LARGE, "too much, said before reading it\n")),
            ["stall"] => std::future::pending().await,
            ["reset"] => Err(NoAnswer::Cut),
            ["refuse"] => Err(NoAnswer::Refused),
            ["early"] => self.early("0", body).await,
            ["early", wait] => self.early(wait, body).await,
            rest => {
                let received = receive(body).await?;
                Ok(self.answer_read(rest, &received).await)
            }
        }
    }

    /// Answers that begin when the request was read to its end.
    async fn answer_read(&self, segments: &[&str], received: &Received) -> Response<Body> {
        match *segments {
            ["digest"] => json_answer(&told(received)),
            ["trailers"] => with_trailers(received),
            ["headers"] => json_answer(&pairs(&self.request.headers)),
            ["bytes", count] => number(count, |length| Response::new(self.bytes(length))),
            ["cut", count] => number(count, |length| Response::new(pattern_body(length, Ends::Cut))),
            ["status", status] => status_answer(status),
            ["204"] => status_answer("204"),
            ["304"] => status_answer("304"),
            ["slow", wait] => {
                sleep(milliseconds(wait)).await;
                self.who(received.length)
            }
            ["drip", count, gap] => {
                number(count, |count| Response::new(Drip::new(count, milliseconds(gap)).boxed_unsync()))
            }
            ["healthz"] => status_answer(&self.backend.health.load(Ordering::Relaxed).to_string()),
            ["control", ref control @ ..] if self.request.method == Method::POST => self.control(control),
            ["control", ..] => line(StatusCode::METHOD_NOT_ALLOWED, "this wants a POST\n"),
            _ => self.who(received.length),
        }
    }

    fn who(&self, body_length: u64) -> Response<Body> {
        let (text, kind) = self.backend.identity.answer(&self.request, self.session, body_length);
        let mut answer = Response::new(full(text));
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        answer
    }

    fn echo(&self, body: Body) -> Response<Body> {
        let mut answer = Response::new(body);
        for name in [CONTENT_TYPE, TRAILER] {
            if let Some(value) = self.request.headers.get(&name) {
                answer.headers_mut().insert(name, value.clone());
            }
        }
        answer
    }

    async fn early(&self, wait: &str, body: Body) -> Answer {
        let link = (LINK, HeaderValue::from_static("</style.css>; rel=preload; as=style"));
        self.interim.send(StatusCode::EARLY_HINTS, &HeaderMap::from_iter([link]));
        sleep(milliseconds(wait)).await;
        let received = receive(body).await?;
        Ok(self.who(received.length))
    }

    fn bytes(&self, length: u64) -> Body {
        let untold = self.request.uri.query() == Some("chunked");
        pattern_body(length, if untold { Ends::Untold } else { Ends::AsTold })
    }

    fn control(&self, words: &[&str]) -> Response<Body> {
        match *words {
            ["health", status] => self.set_health(status),
            ["fault", name] => match Fault::parse(name) {
                None => line(StatusCode::BAD_REQUEST, "a fault is none, errors, hidden or drip\n"),
                Some(fault) => {
                    *self.backend.fault.lock() = fault;
                    line(StatusCode::OK, format!("the fault is {name} from now on\n"))
                }
            },
            ["deaf", wait] => {
                self.backend.deaf.send_replace(Instant::now() + milliseconds(wait));
                line(StatusCode::OK, format!("nobody listens for {wait} ms\n"))
            }
            _ => line(StatusCode::NOT_FOUND, "no such control\n"),
        }
    }

    fn set_health(&self, status: &str) -> Response<Body> {
        let known = status.parse().ok().filter(|status| (200..600).contains(status));
        match known {
            None => line(StatusCode::BAD_REQUEST, "a status is a number from 200 to 599\n"),
            Some(status) => {
                self.backend.health.store(status, Ordering::Relaxed);
                line(StatusCode::OK, format!("/healthz answers {status} from now on\n"))
            }
        }
    }
}

fn arrival(request: &Parts) -> Arrival {
    let word = |name: &str| identity::header(request, name).map(str::to_owned);
    Arrival {
        sequence: 0,
        method: request.method.to_string(),
        path: identity::path(request).to_owned(),
        reference: word("x-nearside-ref"),
        id: word("x-ledger-id"),
        probe: request.headers.contains_key("x-nearside-probe"),
        whole: None,
    }
}

fn line(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    let mut answer = Response::new(full(text));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    answer
}

fn json_answer(value: &Value) -> Response<Body> {
    let mut answer = Response::new(full(format!("{value:#}\n")));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

fn status_answer(status: &str) -> Response<Body> {
    let status = status.parse().ok().and_then(|status| StatusCode::from_u16(status).ok());
    let Some(status) = status.filter(|status| !status.is_informational()) else {
        return line(StatusCode::BAD_REQUEST, "a final status is a number from 200 to 999\n");
    };
    let mut answer = match status {
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => Response::new(full("")),
        _ => line(status, format!("{status}\n")),
    };
    *answer.status_mut() = status;
    if status == StatusCode::NOT_MODIFIED {
        answer.headers_mut().insert(ETAG, HeaderValue::from_static("\"sample\""));
    }
    answer
}

fn number(word: &str, answer: impl FnOnce(u64) -> Response<Body>) -> Response<Body> {
    let refusal = |_| line(StatusCode::BAD_REQUEST, format!("not a number: {word}\n"));
    word.parse().map_or_else(refusal, answer)
}

fn milliseconds(word: &str) -> Duration {
    Duration::from_millis(word.parse().unwrap_or(0))
}

fn pattern_body(length: u64, ends: Ends) -> Body {
    Pattern::new(length, ends).boxed_unsync()
}

fn told(received: &Received) -> Value {
    json!({ "length": received.length, "sha256": received.sha256, "trailers": received.trailers })
}

fn with_trailers(received: &Received) -> Response<Body> {
    let mut trailers = HeaderMap::new();
    trailers.insert(LENGTH, HeaderValue::from(received.length));
    if let Ok(digest) = HeaderValue::from_str(&received.sha256) {
        trailers.insert(SHA256, digest);
    }
    let bytes = format!("{:#}\n", told(received)).into();
    let mut answer = Response::new(Trailed { bytes: Some(bytes), trailers: Some(trailers) }.boxed_unsync());
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer.headers_mut().insert(TRAILER, HeaderValue::from_static("x-sample-length, x-sample-sha256"));
    answer
}

fn pairs(headers: &HeaderMap) -> Value {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| json!([name.as_str(), text(value)])).collect()
}
