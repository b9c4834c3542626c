//! What is known of a request when it is decided.

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
    /// Bytes of request target.
    pub url_bytes: usize,
    /// Bytes of the request head's fields.
    pub header_bytes: usize,
    /// Bytes of body as announced; `None` when unknown before it has arrived.
    pub body_bytes: Option<u64>,
}
