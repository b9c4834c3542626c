//! Refusal: why a head or a body is not taken, with the status a client is answered.

use std::fmt;

/// What is wrong with a head, a path or a chunked body.
///
/// [`Refusal::status`] is what a client is told; the same fault in a backend's answer is a 502.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Refusal {
    /// A line feed without its carriage return.
    BareLf,
    /// A carriage return without its line feed.
    BareCr,
    /// A NUL byte.
    Nul,
    /// The first line is none.
    FirstLine,
    /// A version other than 1.0 and 1.1.
    Version,
    /// A method that is no token.
    Method,
    /// A request target of no lawful form.
    Target,
    /// A path that two parsers may read differently.
    Path,
    /// No `Host`.
    HostMissing,
    /// More than one `Host`.
    HostTwice,
    /// A `Host` that is no host and port.
    Host,
    /// The authority of the target is another than `Host`.
    HostDisagrees,
    /// A field name that is no token, or a line without one.
    FieldName,
    /// Whitespace between a field name and its colon.
    SpaceBeforeColon,
    /// A field value with a byte that may not be there.
    FieldValue,
    /// A line that continues the one before it.
    Fold,
    /// A field that belongs to a connection, in a protocol that has none.
    ConnectionField,
    /// A `Content-Length` that is no number, or too large a one.
    ContentLength,
    /// More than one `Content-Length`.
    ContentLengthTwice,
    /// `Content-Length` and `Transfer-Encoding` in one head.
    TwoFramings,
    /// A `Transfer-Encoding` that is empty, repeated, or in HTTP/1.0.
    TransferEncoding,
    /// A transfer coding other than `chunked`.
    Coding,
    /// An expectation other than `100-continue`.
    Expectation,
    /// A first line above the limit.
    LineTooLong,
    /// A head above the limit.
    HeadTooLarge,
    /// More fields than the limit, or more names in `Connection` than anyone needs.
    TooManyFields,
    /// A status outside 100 to 599.
    Status,
    /// A chunk size that is no hexadecimal number of 1 to 16 digits.
    ChunkSize,
    /// A chunk extension that is none.
    ChunkExtension,
    /// A chunk that does not end where its size says.
    ChunkEnd,
    /// Chunk extensions above their limit.
    ChunkExtensionsTooLarge,
    /// Trailers above their limit.
    TrailersTooLarge,
}

impl Refusal {
    /// The status that a client is answered.
    pub const fn status(self) -> u16 {
        match self {
            Self::LineTooLong => 414,
            Self::Expectation => 417,
            Self::HeadTooLarge | Self::TooManyFields | Self::TrailersTooLarge => 431,
            Self::Coding => 501,
            Self::Version => 505,
            _ => 400,
        }
    }

    /// One constant phrase for logs and pages; it repeats nothing that the peer sent.
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::BareLf => "line feed without carriage return",
            Self::BareCr => "carriage return without line feed",
            Self::Nul => "NUL byte",
            Self::FirstLine => "malformed first line",
            Self::Version => "unsupported version",
            Self::Method => "malformed method",
            Self::Target => "malformed target",
            Self::Path => "ambiguous path",
            Self::HostMissing => "no host",
            Self::HostTwice => "more than one host",
            Self::Host => "malformed host",
            Self::HostDisagrees => "host and target disagree",
            Self::FieldName => "malformed field name",
            Self::SpaceBeforeColon => "space before colon",
            Self::FieldValue => "malformed field value",
            Self::Fold => "folded field",
            Self::ConnectionField => "connection field in HTTP/2",
            Self::ContentLength => "malformed content-length",
            Self::ContentLengthTwice => "more than one content-length",
            Self::TwoFramings => "content-length and transfer-encoding",
            Self::TransferEncoding => "unlawful transfer-encoding",
            Self::Coding => "unknown transfer coding",
            Self::Expectation => "unknown expectation",
            Self::LineTooLong => "first line too long",
            Self::HeadTooLarge => "head too large",
            Self::TooManyFields => "too many fields",
            Self::Status => "unlawful status",
            Self::ChunkSize => "malformed chunk size",
            Self::ChunkExtension => "malformed chunk extension",
            Self::ChunkEnd => "chunk without its end",
            Self::ChunkExtensionsTooLarge => "chunk extensions too large",
            Self::TrailersTooLarge => "trailers too large",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.phrase())
    }
}

impl std::error::Error for Refusal {}
