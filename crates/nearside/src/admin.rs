//! The admin interface: the page, health, readiness, metrics, status, explanations and marks, on a Unix socket and, where
//! the file says so, on TCP; upgrades on the Unix socket alone.

mod answer;
mod assets;
mod changes;
mod entry;
mod events;
mod marks;
mod socket;

pub(crate) use socket::{Admin, Listening, bind, remove};

use crate::handover::Succession;
use crate::moment;
use crate::past::STRETCH;
use crate::question::Question;
use crate::status::Desk;
use answer::{Answer, JSON, TEXT, streamed, whole};
use anyhow::Context;
use entry::{Rights, Way};
use events::Feed;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{ALLOW, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};
use nearside_proxy::supposed::Reading;
use serde_json::{Value, json};
use std::sync::Arc;

const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// What there is, for who asks for something else.
const PATHS: &str = "/ /events /healthz /readyz /metrics /status /explain /journal /history /changes\n";
/// The most that a form or a wish may hold.
const LARGEST: usize = 16 * 1024;

/// What requests are answered with.
#[derive(Clone)]
struct Counter {
    desk: Desk,
    succession: Arc<Succession>,
    feed: Arc<Feed>,
}

impl Counter {
    /// Answers one request.
    async fn answer(&self, request: Request<Incoming>, way: Way) -> Answer {
        let (parts, body) = request.into_parts();
        let live = self.desk.edge.live.load_full();
        let pass = live.pass.as_ref();
        let is_login = parts.method == Method::POST && parts.uri.path() == "/login";
        match entry::rights(&parts, way, pass) {
            Err(answer) if answer.status() != StatusCode::UNAUTHORIZED => *answer,
            // Who has nothing to show may bring it, and see the form as it should be.
            Ok(_) | Err(_) if is_login => match read(body).await {
                Some(form) => entry::login(&form, way, pass),
                None => too_large(),
            },
            Err(answer) => match parts.method {
                Method::GET => assets::find(parts.uri.path()).unwrap_or(*answer),
                _ => *answer,
            },
            Ok(rights) => match parts.method {
                Method::GET | Method::HEAD => self.asked(&parts, rights).await,
                Method::POST => self.told(&parts, body, (rights, way)).await,
                _ => not_allowed(),
            },
        }
    }

    /// Does what it is told.
    async fn told(&self, parts: &Parts, body: Incoming, (rights, way): (Rights, Way)) -> Answer {
        match parts.uri.path() {
            "/logout" => entry::logout(way),
            "/upgrade" if way == Way::Unix => self.upgrade().await,
            path @ ("/drain" | "/undrain") if entry::is_meant(&parts.headers) => match read(body).await {
                Some(wish) => marks::change(&self.desk, &wish, path == "/drain", rights).await,
                None => too_large(),
            },
            "/drain" | "/undrain" => {
                let why = "send it as application/json, with the header x-nearside-change\n";
                whole(StatusCode::UNSUPPORTED_MEDIA_TYPE, TEXT, why)
            }
            _ => not_allowed(),
        }
    }

    /// Answers a question.
    async fn asked(&self, parts: &Parts, rights: Rights) -> Answer {
        let (desk, query) = (&self.desk, parts.uri.query().unwrap_or_default());
        match parts.uri.path() {
            "/" => assets::page(),
            "/events" => match self.feed.listen().filter(|_| parts.method == Method::GET) {
                Some(events) => streamed(events),
                None => whole(StatusCode::SERVICE_UNAVAILABLE, TEXT, "too many pages are open, or it ends\n"),
            },
            "/healthz" => whole(StatusCode::OK, TEXT, "ok\n"),
            "/readyz" => match desk.ready() {
                Ok(()) => whole(StatusCode::OK, TEXT, "ready\n"),
                Err(why) => whole(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{why}\n")),
            },
            "/metrics" => whole(StatusCode::OK, METRICS, desk.edge.metrics.render()),
            "/explain" => data(explain(desk, query).map(|told| format!("{told:#}\n"))),
            "/status" => whole(StatusCode::OK, JSON, format!("{:#}\n", desk.read())),
            "/journal" => data(journal(desk, query)),
            "/history" => {
                let told = json!({ "every_s": STRETCH.as_secs(), "samples": desk.history.all() });
                whole(StatusCode::OK, JSON, format!("{told}\n"))
            }
            "/changes" => self.changes(query, rights).await,
            path => assets::find(path).unwrap_or_else(|| whole(StatusCode::NOT_FOUND, TEXT, PATHS)),
        }
    }

    /// What two generations differ in. Files may hold what not everybody on this machine may read.
    async fn changes(&self, query: &str, rights: Rights) -> Answer {
        if rights != Rights::Change {
            let why = "the text of the file is shown on the Unix socket, or to who has shown a token\n";
            return whole(StatusCode::FORBIDDEN, TEXT, why);
        }
        let (state, query) = (Arc::clone(&self.desk.state), query.to_owned());
        let found = tokio::task::spawn_blocking(move || changes::between(&state, &query)).await;
        match found.map_err(anyhow::Error::from).flatten() {
            Ok(text) => whole(StatusCode::OK, TEXT, text),
            Err(why) => whole(StatusCode::BAD_REQUEST, TEXT, format!("{why:#}\n")),
        }
    }

    /// Hands this process's work over to a new one.
    async fn upgrade(&self) -> Answer {
        let deadline = self.desk.edge.live.load().generation.shutdown.deadline;
        let (shown, succession) = (self.desk.clone(), Arc::clone(&self.succession));
        // In a task of its own: it goes on when the person who asked breaks off, since two processes depend on its end.
        let upgrade = tokio::spawn(async move { succession.upgrade(&shown).await });
        match upgrade.await.map_err(|cause| cause.to_string()).flatten() {
            Ok(serving) => {
                let mut told = serde_json::to_value(&serving).unwrap_or_default();
                if let Some(told) = told.as_object_mut() {
                    told.insert("before".to_owned(), std::process::id().into());
                    told.insert("deadline_s".to_owned(), deadline.as_secs().into());
                }
                whole(StatusCode::OK, JSON, format!("{told:#}\n"))
            }
            Err(why) => whole(StatusCode::CONFLICT, TEXT, format!("{why}\n")),
        }
    }
}

/// The body of a request, where it is no larger than any of ours.
async fn read(body: Incoming) -> Option<Vec<u8>> {
    Some(Limited::new(body, LARGEST).collect().await.ok()?.to_bytes().into())
}

fn not_allowed() -> Answer {
    let mut refusal = whole(StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET only\n");
    refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    refusal
}

fn too_large() -> Answer {
    whole(StatusCode::PAYLOAD_TOO_LARGE, TEXT, "that is more than is read here\n")
}

fn data(found: anyhow::Result<String>) -> Answer {
    match found {
        Ok(told) => whole(StatusCode::OK, JSON, told),
        Err(why) => whole(StatusCode::BAD_REQUEST, TEXT, format!("{why:#}\n")),
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
fn journal(desk: &Desk, query: &str) -> anyhow::Result<String> {
    let asked: Vec<(String, String)> = serde_urlencoded::from_str(query)?;
    let since = asked.iter().find(|(name, _)| name == "since").map(|(_, since)| moment::read(since));
    let since = since.transpose().map_err(anyhow::Error::msg)?;
    Ok(format!("{{\"entries\":[{}]}}\n", desk.journal.recent(since).join(",\n")))
}
