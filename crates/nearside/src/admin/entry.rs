//! The entry: who may look, who may change something, and who is not who they seem.

use super::answer::{Answer, TEXT, whole};
use super::assets;
use hyper::header::{
    AUTHORIZATION, COOKIE, HOST, HeaderMap, HeaderValue, LOCATION, ORIGIN, SET_COOKIE, WWW_AUTHENTICATE,
};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use nearside_tls::{Pass, SESSION};
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

/// How a request came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Way {
    /// By the Unix socket, which the file system guards.
    Unix,
    /// By TCP, from this machine.
    Plain,
    /// By TCP under TLS, from wherever.
    Tls,
}

/// What a request may.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Rights {
    /// Ask.
    Look,
    /// Ask, read what the file says, and change marks.
    Change,
}

/// What says how a request is to be taken: a header that a page of another site cannot send unasked.
const INTENT: &str = "x-nearside-change";
/// What balancers and service managers ask.
const OPEN: &[&str] = &["/healthz", "/readyz"];

/// What the request may, or why it is turned away. `pass` opens where there is one.
pub(super) fn rights(parts: &Parts, way: Way, pass: Option<&Pass>) -> Result<Rights, Box<Answer>> {
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let is_post = parts.method == Method::POST;
    // Over TCP it has to name an address, not a host: a page that was lured here by a name that leads to this machine
    // (DNS rebinding) gets nothing. Under TLS the certificate and the token see to that. The Unix socket may be
    // forwarded to a machine with a browser, so that what changes something is looked at there too.
    let is_doubted = way == Way::Plain || way == Way::Unix && is_post && host.is_some();
    if is_doubted && !host.is_some_and(names_an_address) {
        return refuse(StatusCode::FORBIDDEN, "ask by address or as localhost\n");
    }
    if is_post && is_forged(&parts.headers, host, way) {
        return refuse(StatusCode::FORBIDDEN, "another site sent this\n");
    }
    match (way, pass) {
        (Way::Unix, _) => Ok(Rights::Change),
        _ if OPEN.contains(&parts.uri.path()) => Ok(Rights::Look),
        (_, Some(pass)) if is_known(&parts.headers, pass) => Ok(Rights::Change),
        (_, Some(_)) => Err(Box::new(stranger(parts.uri.path()))),
        (Way::Plain, None) => Ok(Rights::Look),
        // No file that asks for it is taken.
        (Way::Tls, None) => refuse(StatusCode::FORBIDDEN, "there is no token that would open this\n"),
    }
}

/// Whether a change was meant: no form and no link of another site can send it like that.
pub(super) fn is_meant(headers: &HeaderMap) -> bool {
    let kind = headers.get(hyper::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim());
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json")) && headers.contains_key(INTENT)
}

/// The answer to who has filled in the form: a session, where it held the token.
pub(super) fn login(form: &[u8], way: Way, pass: Option<&Pass>) -> Answer {
    let fields: Vec<(String, String)> = serde_urlencoded::from_bytes(form).unwrap_or_default();
    let token = fields.iter().find(|(name, _)| name == "token").map(|(_, token)| token.as_str());
    let Some(pass) = pass.filter(|pass| token.is_some_and(|token| pass.admits(token))) else {
        return assets::login(true);
    };
    seated(&pass.session(now()), SESSION.as_secs(), way)
}

/// The answer to who leaves.
pub(super) fn logout(way: Way) -> Answer {
    seated("", 0, way)
}

fn seated(session: &str, seconds: u64, way: Way) -> Answer {
    let secure = if way == Way::Tls { "; Secure" } else { "" };
    let name = NAME;
    let cookie = format!("{name}={session}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    let mut answer = whole(StatusCode::SEE_OTHER, TEXT, "");
    let headers = answer.headers_mut();
    headers.insert(LOCATION, HeaderValue::from_static("/"));
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        headers.insert(SET_COOKIE, cookie);
    }
    answer
}

/// The name of the cookie.
const NAME: &str = "nearside-admin";

fn is_known(headers: &HeaderMap, pass: &Pass) -> bool {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| value.split_once(' '));
    let shown = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    if shown.is_some_and(|(_, token)| pass.admits(token)) {
        return true;
    }
    let lines = headers.get_all(COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let mut cookies = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    cookies.any(|(name, session)| name == NAME && pass.lasts(session, now()))
}

/// The answer to who shows nothing: the form to people, a challenge to programs.
fn stranger(path: &str) -> Answer {
    if matches!(path, "/" | "/login") {
        return assets::login(false);
    }
    let mut answer = whole(StatusCode::UNAUTHORIZED, TEXT, "show the token: Authorization: Bearer …\n");
    answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"nearside\""));
    answer
}

/// Whether a browser says that a page of somebody else's sent this. Programs say nothing of the kind.
fn is_forged(headers: &HeaderMap, host: Option<&str>, way: Way) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let site = text("sec-fetch-site").is_some_and(|site| site != "same-origin");
    let scheme = if way == Way::Tls { "https://" } else { "http://" };
    let own = |origin: &str| origin.strip_prefix(scheme).is_some_and(|from| Some(from) == host);
    site || text(ORIGIN.as_str()).is_some_and(|origin| !own(origin))
}

/// Whether a `Host` is an IP address or `localhost`, with or without a port.
fn names_an_address(host: &str) -> bool {
    if let Some(literal) = host.strip_prefix('[') {
        return literal.split_once(']').is_some_and(|(address, _)| address.parse::<IpAddr>().is_ok());
    }
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

fn refuse<T>(status: StatusCode, why: &'static str) -> Result<T, Box<Answer>> {
    Err(Box::new(whole(status, TEXT, why)))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
