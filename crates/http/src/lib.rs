//! HTTP/1 heads and bodies, HTTP/2 frames and HPACK, read and written strictly, as pure functions over bytes; the rules for
//! fields and paths.
//!
//! Nothing in here waits, dials or logs. A head owns one buffer, laid out as an HTTP/1 head whatever protocol it
//! came by, so that writing it again is copying the stretches between the lines that are left out. Heads, edits
//! and decoders are meant to be kept and used again: once they have grown, a request allocates nothing.

pub mod chunked;
pub mod edits;
pub mod fields;
pub mod gate;
pub mod h2;
pub mod host;
pub mod hpack;
pub mod known;
pub mod list;
pub mod method;
pub mod refusal;
pub mod request;
pub mod response;
pub mod status;
pub mod trailers;

mod bytes_of;
mod connection;
mod framing;
mod marks;
mod quick;
mod write;

pub use crate::connection::{Persist, Upgrade};
pub use crate::edits::{Blank, Edits};
pub use crate::fields::{Field, Fields};
pub use crate::framing::Body;
pub use crate::gate::Gate;
pub use crate::host::Authority;
pub use crate::known::Known;
pub use crate::method::Method;
pub use crate::refusal::Refusal;
pub use crate::request::RequestHead;
pub use crate::response::ResponseHead;

/// The version a head came with.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Version {
    /// HTTP/1.0: closes by default, knows neither chunks nor interim answers.
    Http10,
    /// HTTP/1.1.
    #[default]
    Http11,
    /// HTTP/2, or any other protocol whose heads come in parts.
    Http2,
}

/// How large a head may be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Bytes of the whole head, its last empty line included.
    pub head_bytes: usize,
    /// Lines of fields; never more than [`fields::MOST`].
    pub fields: usize,
    /// Bytes of the first line.
    pub line_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head_bytes: 64 * 1024, fields: 100, line_bytes: 8 * 1024 }
    }
}

/// What reading a head from a buffer came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Progress {
    /// The buffer ends before the head does.
    Partial,
    /// The head is whole; the body starts after so many bytes of the buffer.
    Complete {
        /// Bytes of the buffer that the head takes, with an empty line before it if there was one.
        head_len: usize,
    },
}
