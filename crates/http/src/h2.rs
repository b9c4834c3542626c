//! HTTP/2's frames: what may stand in them, and how they are written (RFC 9113, 4 and 6).

mod frame;
mod payload;
mod write;

pub use frame::{HEAD, Head, LONGEST, flag, kind};
pub use payload::{Code, Settings, fragment, number, settings, unpadded};
pub use write::{goaway, head, ping, reset, setting, window};

/// What a client says first (RFC 9113, 3.4).
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The window of a connection and of each stream before anybody says otherwise (RFC 9113, 6.9.2).
pub const WINDOW: u32 = 65_535;

/// The largest that a window may become (RFC 9113, 6.9.1).
pub const WIDEST: u32 = (1 << 31) - 1;
