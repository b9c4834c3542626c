//! The small answers that are made here: error pages, redirects, fixed answers.
//!
//! An error page says its status and the request's ref, and nothing internal; it is JSON for clients that prefer
//! it. What went wrong stands in `Proxy-Status` (RFC 9209) as far as that list has a word for it.

use nearside_core::Reason;
use nearside_core::route::{Answer, LocationPart};
use nearside_http::{Edits, Known, Method, RequestHead, ResponseHead};
use std::borrow::Cow;

/// An answer made here.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Page {
    /// Its status.
    pub status: u16,
    /// The type of its body; empty for none.
    pub content_type: &'static str,
    /// Its body.
    pub body: Cow<'static, str>,
    /// Further fields.
    pub fields: Vec<(&'static str, String)>,
}

impl Page {
    /// The page for a request that is not served.
    #[must_use]
    pub fn error(reason: Reason, reference: &str, json: bool) -> Self {
        Self::with_status(status(reason), reason, reference, json)
    }

    /// The same with a status of the caller's: refusals of malformed heads have several.
    #[must_use]
    pub fn with_status(status: u16, reason: Reason, reference: &str, json: bool) -> Self {
        let phrase = nearside_http::status::reason(status);
        let body = if json {
            format!("{{\"status\":{status},\"error\":\"{phrase}\",\"ref\":\"{reference}\"}}\n")
        } else {
            format!(
                "<!doctype html><meta charset=utf-8><title>{status} {phrase}</title>\
                 <h1>{status} {phrase}</h1><p>Ref: {reference}\n"
            )
        };
        let content_type = if json { "application/json" } else { "text/html; charset=utf-8" };
        let mut fields = vec![("cache-control", "no-store".to_owned())];
        if let Some(kind) = proxy_status(reason) {
            fields.push(("proxy-status", format!("nearside; error={kind}; details=\"{reason}\"")));
        }
        if status == 503 || status == 429 {
            fields.push(("retry-after", "5".to_owned()));
        }
        Self { status, content_type, body: body.into(), fields }
    }

    /// Its head and what that needs besides, as the answer to a head that is not taken.
    pub(crate) fn refusal(&self, reference: &[u8]) -> (ResponseHead, Edits) {
        let mut edits = Edits::new();
        edits.set(Known::XNearsideRef, reference);
        edits.set(Known::ContentType, self.content_type.as_bytes());
        for (name, value) in &self.fields {
            // Our own names are tokens.
            edits.set_name(name, value.as_bytes()).unwrap_or_default();
        }
        let mut head = ResponseHead::new();
        head.begin(self.status, Method::Get);
        (head, edits)
    }

    /// A redirect to `location`.
    #[must_use]
    pub fn redirect(status: u16, location: String) -> Self {
        Self { status, content_type: "", body: Cow::Borrowed(""), fields: vec![("location", location)] }
    }

    /// A fixed answer of a route to the request with this head.
    #[must_use]
    pub fn fixed(answer: &Answer, head: &RequestHead, path: &str) -> Self {
        let content_type = if answer.body.is_empty() { "" } else { "text/plain; charset=utf-8" };
        let location = answer.location.as_ref().map(|parts| ("location", location(parts, head, path)));
        let fields = location.into_iter().collect();
        Self { status: answer.status, content_type, body: answer.body.to_string().into(), fields }
    }
}

/// A redirect's target, put together for one request.
fn location(parts: &[LocationPart], head: &RequestHead, path: &str) -> String {
    let mut text = String::new();
    for part in parts {
        match part {
            LocationPart::Text(piece) => text.push_str(piece),
            LocationPart::Path => text.push_str(path),
            LocationPart::Host => text.push_str(head.authority().host()),
            LocationPart::Query => text.extend(head.query().into_iter().flat_map(|query| ["?", query])),
        }
    }
    text
}

/// The status that a client gets for `reason`.
#[must_use]
pub fn status(reason: Reason) -> u16 {
    match reason {
        Reason::NoRouteHost | Reason::NoRoutePath => 404,
        Reason::NoRouteMethod => 405,
        Reason::RefusedMalformed => 400,
        Reason::RefusedTooLarge => 413,
        Reason::RefusedTimeout => 408,
        Reason::RefusedMisdirected => 421,
        Reason::RefusedLimit => 429,
        Reason::RefusedLoop => 508,
        Reason::FailedConnect | Reason::FailedReset | Reason::FailedProtocol => 502,
        Reason::FailedTimeout => 504,
        // Nobody is there to read it; the number is nginx's, for logs.
        Reason::FailedClientGone => 499,
        _ => 503,
    }
}

fn proxy_status(reason: Reason) -> Option<&'static str> {
    Some(match reason {
        Reason::NoRouteHost | Reason::NoRoutePath => "destination_not_found",
        Reason::NoRouteMethod | Reason::RefusedLimit | Reason::RefusedMisdirected => "http_request_denied",
        Reason::RefusedMalformed | Reason::RefusedTooLarge | Reason::RefusedTimeout => "http_request_error",
        Reason::RefusedOverload => "connection_limit_reached",
        Reason::RefusedLoop => "proxy_loop_detected",
        Reason::RefusedResidency | Reason::RefusedDrained | Reason::RefusedHome | Reason::RefusedAllDown => {
            "destination_unavailable"
        }
        Reason::FailedConnect => "connection_refused",
        Reason::FailedReset => "connection_terminated",
        Reason::FailedTimeout => "http_response_timeout",
        Reason::FailedProtocol => "http_protocol_error",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_not_to_serve_has_an_error_status_and_a_word_of_rfc_9209() {
        for reason in Reason::ALL {
            let family = reason.name().split('.').next().unwrap();
            if matches!(family, "no_route" | "refused" | "failed") && *reason != Reason::FailedClientGone {
                assert!((400..600).contains(&status(*reason)), "{reason}");
                assert!(proxy_status(*reason).is_some(), "{reason}");
            }
        }
    }

    #[test]
    fn a_page_says_its_ref_in_the_form_that_the_client_prefers() {
        let html = Page::error(Reason::RefusedDrained, "abc", false);
        assert!(html.body.contains("Ref: abc") && html.body.contains("503 Service Unavailable"));
        let json = Page::error(Reason::NoRouteHost, "abc", true);
        assert_eq!(json.body, "{\"status\":404,\"error\":\"Not Found\",\"ref\":\"abc\"}\n");
    }
}
