//! The collector: a connection that is kept from batch to batch, and what it answers.

use super::headers;
use anyhow::{Context, anyhow};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use nearside_core::generation::Tracing;
use nearside_proxy::dial::{Destination, Peer, dial};
use nearside_proxy::io::Io;
use nearside_proxy::live::Edge;
use nearside_telemetry::trace::Answer;
use nearside_tls::Clock;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};
use tokio::net::lookup_host;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The longest answer that is read.
const ANSWER: usize = 64 * 1024;
/// The longest pause that a collector may ask for.
const LONGEST: Duration = Duration::from_mins(1);

/// What a collector says to a batch.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Said {
    /// It has taken it, but perhaps for some spans.
    Taken(Answer),
    /// It cannot take it now; perhaps after this time.
    Later { status: u16, after: Option<Duration> },
    /// It never will.
    Refused(u16),
}

/// The way to a collector.
#[derive(Debug, Default)]
pub(super) struct Line {
    kept: Option<Kept>,
    /// Carries the connection, and ends with the line.
    carrier: JoinSet<()>,
}

/// A connection.
#[derive(Debug)]
struct Kept {
    sender: SendRequest<Full<Bytes>>,
    /// By which settings it was made.
    tracing: Tracing,
}

impl Line {
    /// Sends `body`, over the connection that is there or over a new one.
    ///
    /// # Errors
    /// There was no answer; the line is of no use any more.
    pub(super) async fn send(
        &mut self,
        edge: &Edge,
        tracing: &Tracing,
        body: Vec<u8>,
    ) -> anyhow::Result<Said> {
        let fields = match &tracing.headers_file {
            Some(path) => headers::read(path)?,
            None => HeaderMap::new(),
        };
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = tracing.path.parse().context("the collector's path is none")?;
        let own = request.headers_mut();
        own.insert(HOST, tracing.endpoint.authority().parse().context("the collector's name is none")?);
        own.insert(CONTENT_TYPE, "application/x-protobuf".parse()?);
        own.insert(USER_AGENT, concat!("nearside/", env!("CARGO_PKG_VERSION")).parse()?);
        own.extend(fields);
        let sender = self.sender(edge, tracing).await?;
        let response = sender.send_request(request).await.context("the collector broke off")?;
        read(response).await
    }

    async fn sender(
        &mut self,
        edge: &Edge,
        tracing: &Tracing,
    ) -> anyhow::Result<&mut SendRequest<Full<Bytes>>> {
        let kept = self.kept.take().filter(|kept| kept.tracing == *tracing);
        let ready = match kept {
            Some(mut kept) => kept.sender.ready().await.ok().map(|()| kept),
            None => None,
        };
        let kept = match ready {
            Some(kept) => kept,
            None => {
                let io = connect(edge, tracing).await?;
                let (sender, connection) =
                    handshake(TokioIo::new(io)).await.context("the collector broke off")?;
                self.carrier.abort_all();
                // How it ends is told to whoever waits for an answer.
                self.carrier.spawn(async { drop(connection.await) });
                Kept { sender, tracing: tracing.clone() }
            }
        };
        Ok(&mut self.kept.insert(kept).sender)
    }
}

async fn connect(edge: &Edge, tracing: &Tracing) -> anyhow::Result<Io> {
    let endpoint = &tracing.endpoint;
    let place = (&*endpoint.host, endpoint.port);
    let found = lookup_host(place).await.with_context(|| format!("{} cannot be found", endpoint.host))?;
    let addresses: Vec<SocketAddr> = found.collect();
    let tls = if endpoint.tls {
        let config = nearside_tls::collector(tracing.ca.as_deref(), &Clock::system());
        let name = endpoint.host.to_string().try_into().context("the collector's name is none")?;
        Some((config.map_err(|problem| anyhow!("{problem}"))?, name))
    } else {
        None
    };
    let to = Destination { peer: Peer::Inet(&addresses), region: "", preamble: None, tls };
    let dialled = dial((&*edge.dial, &edge.memory), &to, Instant::now() + tracing.timeout).await;
    Ok(dialled.with_context(|| format!("no connection to {}", endpoint.authority()))?.io)
}

async fn read(response: Response<Incoming>) -> anyhow::Result<Said> {
    let status = response.status();
    let after = response.headers().get(RETRY_AFTER).and_then(|value| pause(value.to_str().ok()?));
    let body = Limited::new(response.into_body(), ANSWER).collect().await;
    let body = body.map_err(|cause| anyhow!(cause).context("the collector's answer broke off"))?.to_bytes();
    Ok(match status.as_u16() {
        200..300 => Said::Taken(Answer::read(&body)),
        // These alone are worth another try, as OTLP has it.
        status @ (429 | 502 | 503 | 504) => Said::Later { status, after },
        status => Said::Refused(status),
    })
}

/// How long to wait: seconds, or until a date (RFC 9110, 10.2.3).
fn pause(text: &str) -> Option<Duration> {
    let wait = match text.trim().parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_no_number) => {
            let date = httpdate::parse_http_date(text).ok()?;
            date.duration_since(SystemTime::now()).unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_told_in_seconds_or_as_a_date() {
        assert_eq!(pause("7"), Some(Duration::from_secs(7)));
        assert_eq!(pause("86400"), Some(LONGEST));
        assert_eq!(pause("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        assert_eq!(pause(&httpdate::fmt_http_date(SystemTime::now() + LONGEST * 9)), Some(LONGEST));
        assert_eq!(pause("soon"), None);
    }
}
