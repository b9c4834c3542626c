//! The admin interface: health, readiness, metrics, status and explanations, on a Unix socket and, where the file says
//! so, on TCP; upgrades on the Unix socket alone.

mod socket;

pub(crate) use socket::{Admin, Listening, bind, remove};

use crate::handover::Succession;
use crate::moment;
use crate::past::STRETCH;
use crate::question::Question;
use crate::status::Desk;
use anyhow::Context;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response, StatusCode};
use nearside_proxy::supposed::Reading;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::Arc;

type Answer = Response<Full<Bytes>>;

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers one request. Over TCP it has to name an address, not a host: a page that was lured here by a name that
/// leads to this machine (DNS rebinding) gets nothing.
fn answer(desk: &Desk, request: &Request<Incoming>, over_tcp: bool) -> Answer {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    if over_tcp && !host.is_some_and(names_an_address) {
        return page(StatusCode::FORBIDDEN, TEXT, "ask by address or as localhost\n");
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut refusal = page(StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET only\n");
        refusal.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    match request.uri().path() {
        "/healthz" => page(StatusCode::OK, TEXT, "ok\n"),
        "/readyz" => match desk.ready() {
            Ok(()) => page(StatusCode::OK, TEXT, "ready\n"),
            Err(why) => page(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{why}\n")),
        },
        "/metrics" => page(StatusCode::OK, METRICS, desk.edge.metrics.render()),
        "/explain" => match explain(desk, request.uri().query().unwrap_or_default()) {
            Ok(told) => page(StatusCode::OK, JSON, format!("{told:#}\n")),
            Err(why) => page(StatusCode::BAD_REQUEST, TEXT, format!("{why:#}\n")),
        },
        "/status" => page(StatusCode::OK, JSON, format!("{:#}\n", desk.read())),
        "/journal" => match journal(desk, request.uri().query().unwrap_or_default()) {
            Ok(told) => page(StatusCode::OK, JSON, told),
            Err(why) => page(StatusCode::BAD_REQUEST, TEXT, format!("{why}\n")),
        },
        "/history" => {
            let told = json!({ "every_s": STRETCH.as_secs(), "samples": desk.history.all() });
            page(StatusCode::OK, JSON, format!("{told}\n"))
        }
        _ => page(
            StatusCode::NOT_FOUND,
            TEXT,
            "/healthz /readyz /metrics /status /explain /journal /history\n",
        ),
    }
}

/// The decision on the request that `query` describes, by what is live now. It counts nothing and takes nobody's turn.
fn explain(desk: &Desk, query: &str) -> anyhow::Result<Value> {
    let question: Question = serde_urlencoded::from_str(query)
        .context("ask with host, path, method, client, seed and, if any, home and fields")?;
    let live = desk.edge.live.load_full();
    let reading = Reading {
        generation: &live.generation,
        beliefs: &live.beliefs,
        geo: &live.geo,
        now: live.evidence.now(),
    };
    Ok(question.answer(&reading, Some(&desk.edge.pop.name), &*live.evidence)?.0)
}

/// The latest entries of the journal, from `since` on where the query says so.
fn journal(desk: &Desk, query: &str) -> Result<String, String> {
    let asked: Vec<(String, String)> =
        serde_urlencoded::from_str(query).map_err(|cause| cause.to_string())?;
    let since =
        asked.iter().find(|(name, _)| name == "since").map(|(_, since)| moment::read(since)).transpose()?;
    Ok(format!("{{\"entries\":[{}]}}\n", desk.journal.recent(since).join(",\n")))
}

/// Whether this asks for an upgrade: only who may use the Unix socket may.
fn is_upgrade(request: &Request<Incoming>, over_tcp: bool) -> bool {
    !over_tcp && request.method() == Method::POST && request.uri().path() == "/upgrade"
}

/// Hands this process's work over to a new one.
async fn upgrade(desk: &Desk, succession: &Arc<Succession>) -> Answer {
    let deadline = desk.edge.live.load().generation.shutdown.deadline;
    let (shown, succession) = (desk.clone(), Arc::clone(succession));
    // In a task of its own: it goes on when the person who asked breaks off, since two processes depend on its end.
    let upgrade = tokio::spawn(async move { succession.upgrade(&shown).await });
    match upgrade.await.map_err(|cause| cause.to_string()).flatten() {
        Ok(serving) => {
            let mut told = serde_json::to_value(&serving).unwrap_or_default();
            if let Some(told) = told.as_object_mut() {
                told.insert("before".to_owned(), std::process::id().into());
                told.insert("deadline_s".to_owned(), deadline.as_secs().into());
            }
            page(StatusCode::OK, JSON, format!("{told:#}\n"))
        }
        Err(why) => page(StatusCode::CONFLICT, TEXT, format!("{why}\n")),
    }
}

/// Whether a `Host` is an IP address or `localhost`, with or without a port.
fn names_an_address(host: &str) -> bool {
    if let Some(literal) = host.strip_prefix('[') {
        return literal.split_once(']').is_some_and(|(address, _)| address.parse::<IpAddr>().is_ok());
    }
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

fn page(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, hyper::header::HeaderValue::from_static("no-store"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_localhost_pass_the_host_check() {
        for host in ["127.0.0.1:9901", "localhost", "LOCALHOST:1", "[::1]:9901", "10.1.2.3"] {
            assert!(names_an_address(host), "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example:9901", "localhost.evil.example", "[::1", ""] {
            assert!(!names_an_address(host), "{host}");
        }
    }
}
