//! What a request's failure says of its backend.

use std::fmt;

/// How a backend failed a request. What the client did wrong or gave up is no fault.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Fault {
    /// No connection could be made.
    Connect,
    /// The connection closed before the answer was whole.
    Reset,
    /// It did not answer in time.
    Timeout,
    /// It broke its protocol.
    Protocol,
    /// It answered with this status, 500 or above.
    Status(u16),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("no connection"),
            Self::Reset => f.write_str("connection reset"),
            Self::Timeout => f.write_str("no answer in time"),
            Self::Protocol => f.write_str("protocol error"),
            Self::Status(status) => write!(f, "status {status}"),
        }
    }
}
