//! What is known of a request when it is decided.

use crate::pin::Pin;
use crate::place::Place;
use std::net::SocketAddr;

/// The facts of one request. All of them come from the client and are untrusted.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The host asked for: lower case, without port and trailing dot.
    pub host: &'a str,
    /// The path, without the query, in the exact form that will be forwarded.
    pub path: &'a str,
    /// The method, as sent.
    pub method: &'a str,
    /// The client's address as believed.
    pub client: SocketAddr,
    /// Where that is.
    pub place: Place,
    /// The value that names the user's home, verified where the route asks for it.
    pub home: Option<&'a str>,
    /// Where the session is pinned, verified.
    pub pin: Option<Pin>,
    /// What the pool's `hash(...)` is taken of, as a number.
    pub hash: u64,
    /// Bytes of request target.
    pub url_bytes: usize,
    /// Bytes of the request head's fields.
    pub header_bytes: usize,
    /// Bytes of body as announced; `None` when unknown before it has arrived.
    pub body_bytes: Option<u64>,
}

impl<'a> Facts<'a> {
    /// A request of no size, of which nothing more is known.
    #[must_use]
    pub fn new(host: &'a str, path: &'a str, method: &'a str, client: SocketAddr) -> Self {
        Self {
            host,
            path,
            method,
            client,
            place: Place::UNKNOWN,
            home: None,
            pin: None,
            hash: 0,
            url_bytes: path.len(),
            header_bytes: 0,
            body_bytes: None,
        }
    }
}
