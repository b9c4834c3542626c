//! Small sample backends, for the demo and the tests: each says who it is, and keeps a ledger of what reached it.
//!
//! | Path | Answers |
//! |---|---|
//! | `/bytes/N` | N bytes of a fixed pattern ([`pattern_digest`]), with `?chunked` without saying how many |
//! | `/echo` | the request's body and trailers, as they come |
//! | `/digest` | length, SHA-256 and trailers of the request's body, as JSON |
//! | `/status/N`, `/204`, `/304` | that status |
//! | `/slow/MS` | who it is, after a wait |
//! | `/drip/N/MS` | N lines with a wait between them |
//! | `/trailers` | like `/digest`, with length and digest in trailers too (HTTP/1: where the request has `TE: trailers`) |
//! | `/early`, `/early/MS` | 103 with a link, then (after the wait) who it is |
//! | `/early-413` | 413 without reading the body |
//! | `/headers` | the request's headers as JSON, in pairs |
//! | `/stall` | nothing, ever |
//! | `/reset` | nothing: the connection (HTTP/2: the stream) is cut |
//! | `/refuse` | the same, over HTTP/2 with `REFUSED_STREAM` |
//! | `/cut/N` | N bytes of an answer that promised more, then a cut |
//! | `/healthz` | 200, or what `POST /control/health/STATUS` set |
//! | `POST /control/fault/NAME` | from then on `errors`: 500 to everything; `hidden`: the same, but for `/healthz`; `drip`: answers in ten slow pieces; `none` |
//! | `POST /control/deaf/MS` | nobody listens for so long; kept connections are served |
//! | everything else | who it is: a line of text, or JSON where `Accept` asks for it |

mod answers;
mod body;
mod fault;
mod h1;
mod h2;
mod identity;
mod ledger;
mod made;
mod options;
mod server;
mod tls;
mod wire;

#[cfg(test)]
mod tests;

pub use ledger::{Arrival, Counts, Ledger, repeated_ids};
pub use made::{drip_line, pattern, pattern_digest};
pub use options::{Options, Protocol, Tls};
pub use server::{Handle, StartError, serve, start};
pub use tls::TlsError;
