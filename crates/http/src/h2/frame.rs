//! The head of a frame: nine bytes that say what follows.

/// Length of a frame's head.
pub const HEAD: usize = 9;

/// The longest payload that anybody has to take, and that we take (`SETTINGS_MAX_FRAME_SIZE`).
pub const LONGEST: u32 = 16 * 1024;

/// The kinds of frames.
pub mod kind {
    /// DATA.
    pub const DATA: u8 = 0x0;
    /// HEADERS.
    pub const HEADERS: u8 = 0x1;
    /// PRIORITY.
    pub const PRIORITY: u8 = 0x2;
    /// `RST_STREAM`.
    pub const RESET: u8 = 0x3;
    /// SETTINGS.
    pub const SETTINGS: u8 = 0x4;
    /// `PUSH_PROMISE`.
    pub const PROMISE: u8 = 0x5;
    /// PING.
    pub const PING: u8 = 0x6;
    /// GOAWAY.
    pub const GOAWAY: u8 = 0x7;
    /// `WINDOW_UPDATE`.
    pub const WINDOW: u8 = 0x8;
    /// CONTINUATION.
    pub const CONTINUATION: u8 = 0x9;
}

/// The flags of frames.
pub mod flag {
    /// The last frame of its stream, but for CONTINUATION.
    pub const END_STREAM: u8 = 0x1;
    /// An answer to SETTINGS or PING.
    pub const ACK: u8 = 0x1;
    /// The last frame of its block of fields.
    pub const END_HEADERS: u8 = 0x4;
    /// There is padding.
    pub const PADDED: u8 = 0x8;
    /// There is a priority.
    pub const PRIORITY: u8 = 0x20;
}

/// A frame's head.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Head {
    /// How long its payload is.
    pub length: u32,
    /// What kind of frame it is.
    pub kind: u8,
    /// What its kind makes of it.
    pub flags: u8,
    /// Its stream; 0 is the connection. The reserved bit means nothing.
    pub stream: u32,
}

impl Head {
    /// The head in these bytes.
    pub const fn read(bytes: &[u8; HEAD]) -> Self {
        let [a, b, c, kind, flags, s, t, u, v] = *bytes;
        Self {
            length: u32::from_be_bytes([0, a, b, c]),
            kind,
            flags,
            stream: u32::from_be_bytes([s & 0x7f, t, u, v]),
        }
    }

    /// Whether it has this flag.
    pub const fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Whether a frame of its kind may be as long as it is (RFC 9113, section 6).
    pub const fn is_sized(self) -> bool {
        match self.kind {
            kind::SETTINGS if self.has(flag::ACK) => self.length == 0,
            kind::SETTINGS => self.length <= LONGEST && self.length.is_multiple_of(6),
            kind::PRIORITY => self.length == 5,
            kind::RESET | kind::WINDOW => self.length == 4,
            kind::PING => self.length == 8,
            kind::GOAWAY => 8 <= self.length && self.length <= LONGEST,
            _ => self.length <= LONGEST,
        }
    }

    /// Whether it stands where its kind belongs: on a stream, or on the connection itself.
    pub const fn is_placed(self) -> bool {
        match self.kind {
            kind::DATA
            | kind::HEADERS
            | kind::PRIORITY
            | kind::RESET
            | kind::PROMISE
            | kind::CONTINUATION => self.stream != 0,
            kind::SETTINGS | kind::PING | kind::GOAWAY => self.stream == 0,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_sizes() {
        let is_sized = |kind, flags, length| Head { length, kind, flags, stream: 1 }.is_sized();
        for (kind, lawful, unlawful) in [
            (kind::DATA, &[0, 1, 16_384][..], &[16_385][..]),
            (kind::HEADERS, &[0, 16_384], &[16_385]),
            (kind::PRIORITY, &[5], &[0, 4, 6]),
            (kind::RESET, &[4], &[0, 3, 5]),
            (kind::SETTINGS, &[0, 6, 600], &[1, 5, 7, 18_000]),
            (kind::PING, &[8], &[0, 7, 9]),
            (kind::GOAWAY, &[8, 9, 100], &[0, 7, 20_000]),
            (kind::WINDOW, &[4], &[0, 3, 5]),
            (0xbe, &[0, 16_384], &[1 << 23]),
        ] {
            assert!(lawful.iter().all(|length| is_sized(kind, 0, *length)), "{kind}");
            assert!(unlawful.iter().all(|length| !is_sized(kind, 0, *length)), "{kind}");
        }
        assert!(is_sized(kind::SETTINGS, flag::ACK, 0) && !is_sized(kind::SETTINGS, flag::ACK, 6));
    }

    #[test]
    fn each_kind_has_its_place() {
        let is_placed = |kind, stream| Head { length: 0, kind, flags: 0, stream }.is_placed();
        for kind in
            [kind::DATA, kind::HEADERS, kind::PRIORITY, kind::RESET, kind::PROMISE, kind::CONTINUATION]
        {
            assert!(is_placed(kind, 1) && !is_placed(kind, 0), "{kind}");
        }
        for kind in [kind::SETTINGS, kind::PING, kind::GOAWAY] {
            assert!(!is_placed(kind, 1) && is_placed(kind, 0), "{kind}");
        }
        for kind in [kind::WINDOW, 0x10, 0xbe] {
            assert!(is_placed(kind, 1) && is_placed(kind, 0), "{kind}");
        }
    }

    #[test]
    fn a_head_is_read_without_its_reserved_bit() {
        let head = Head::read(&[0, 1, 2, kind::HEADERS, flag::END_STREAM, 0xff, 0, 0, 7]);
        assert_eq!((head.length, head.kind, head.stream), (0x102, kind::HEADERS, 0x7f00_0007));
        assert!(head.has(flag::END_STREAM) && !head.has(flag::PADDED));
    }
}
