//! Heads and trailers of backends between `http`'s form, which `h2` speaks, and ours.

use crate::side::Length;
use ::h2::ext::Protocol;
use http::header::{CONTENT_LENGTH, HeaderName, SEC_WEBSOCKET_KEY};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use nearside_http::{Edits, Fields, Limits, Method, Refusal, RequestHead, ResponseHead, response, trailers};

/// Writes a request to a backend; `None` when it cannot be said in HTTP/2.
pub(super) fn write_request(
    head: &RequestHead,
    edits: &Edits,
    length: Length,
    tls: bool,
) -> Option<Request<()>> {
    let path = edits.new_target().unwrap_or(head.target().as_bytes());
    let authority = edits.new_host().unwrap_or(head.authority().as_str().as_bytes());
    let mut uri = http::uri::Parts::default();
    uri.path_and_query = Some(PathAndQuery::try_from(path).ok()?);
    let mut request = Request::new(());
    if authority.is_empty() {
        // An HTTP/1.0 client that named no host: the one case in which `:authority` may be absent.
        *request.version_mut() = http::Version::HTTP_11;
    } else {
        uri.authority = Some(Authority::try_from(authority).ok()?);
        uri.scheme = Some(if tls { Scheme::HTTPS } else { Scheme::HTTP });
    }
    *request.uri_mut() = Uri::from_parts(uri).ok()?;
    let most = head.fields().len() + edits.added().count() + 2;
    *request.headers_mut() = map(head.forwarded(edits), most, length);
    if length == Length::Tunnel {
        *request.method_mut() = http::Method::CONNECT;
        request.extensions_mut().insert(Protocol::from_static("websocket"));
        // Keys and their proofs are HTTP/1's (RFC 8441, section 5).
        request.headers_mut().remove(SEC_WEBSOCKET_KEY);
    } else {
        *request.method_mut() = http::Method::from_bytes(head.method_text().as_bytes()).ok()?;
    }
    Some(request)
}

/// Reads a backend's answer to a request with this method.
pub(super) fn read_response(
    response: &Response<()>,
    method: Method,
    end: bool,
    into: &mut ResponseHead,
) -> Result<(), Refusal> {
    let parts = response::Parts { status: response.status().as_u16(), method, end };
    into.read_parts(parts, lines(response.headers()), &Limits::default())
}

/// Reads trailers; those that are not allowed are left out.
pub(super) fn read_trailers(map: &HeaderMap) -> Result<Fields, Refusal> {
    let mut fields = Fields::new();
    trailers::read_parts(&mut fields, lines(map))?;
    Ok(fields)
}

/// Writes trailers.
pub(super) fn write_trailers(fields: &Fields) -> HeaderMap {
    map(fields.iter().map(|field| (field.name, field.value)), fields.len(), Length::Unknown)
}

fn lines(map: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    map.iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()))
}

/// Our names and values have been checked, so that none is left out here.
fn map<'a>(fields: impl Iterator<Item = (&'a [u8], &'a [u8])>, most: usize, length: Length) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(most);
    for (name, value) in fields {
        let unique = is_unique(name);
        if let (Ok(name), Ok(mut value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            value.set_sensitive(unique);
            map.append(name, value);
        }
    }
    if let Length::Known(length) = length {
        map.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    map
}

/// Whether each message has another value of this field. To let HPACK remember those would fill its table with what never
/// comes again, through which each message after it would have to look (RFC 7541, 6.2.3).
fn is_unique(name: &[u8]) -> bool {
    matches!(name, b"x-nearside-ref" | b"traceparent" | b"x-request-id")
}
