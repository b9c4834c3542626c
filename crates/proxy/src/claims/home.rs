//! The home that a request says, where its route looks for one.

use super::cookies;
use nearside_core::RouteId;
use nearside_core::home::{Home, HomeSource, Subject};
use nearside_http::RequestHead;
use nearside_telemetry::Disbelieved;
use nearside_tls::{Doubt, Homes};

/// The value that stands in the first place that has one.
///
/// # Errors
/// Why it is not believed. The places after it are not asked: who spoils one value does not choose another.
pub(super) fn read(
    head: &RequestHead,
    (id, home): (RouteId, &Home),
    homes: &Homes,
    now: u64,
) -> Result<Option<Box<str>>, Disbelieved> {
    let subject = home.subject.as_ref().map(|subject| self::subject(head, subject));
    for source in &home.from {
        let field = |name: &str| text(head.fields().get_name(name));
        let plain = |text: Option<&str>| {
            text.map(|text| homes.value(id, text, subject).map(|value| Some(value.into())))
        };
        let said = match source {
            HomeSource::Cookie(name) => plain(text(cookies::find(head.fields(), name).next())),
            HomeSource::Header(name) => plain(field(name)),
            HomeSource::Jwt { header, claim } => field(header).map(|text| {
                let value = homes.claim(id, bare(text), claim, now)?;
                Ok(value.map(String::into_boxed_str))
            }),
        };
        match said {
            None | Some(Ok(None)) => {}
            Some(Ok(value)) => return Ok(value),
            Some(Err(Doubt::Forged)) => return Err(Disbelieved::HomeForged),
            Some(Err(Doubt::Expired)) => return Err(Disbelieved::HomeExpired),
        }
    }
    Ok(None)
}

/// What tells the user from others; empty where the request does not say.
fn subject<'h>(head: &'h RequestHead, subject: &Subject) -> &'h [u8] {
    let said = match subject {
        Subject::Cookie(name) => cookies::find(head.fields(), name).next(),
        Subject::Header(name) => head.fields().get_name(name),
    };
    said.unwrap_or_default()
}

/// A value that says something.
fn text(value: Option<&[u8]>) -> Option<&str> {
    value.and_then(|value| std::str::from_utf8(value).ok()).filter(|text| !text.is_empty())
}

/// A token without its scheme (RFC 6750, 2.1).
fn bare(text: &str) -> &str {
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim_start(),
        _ => text,
    }
}
