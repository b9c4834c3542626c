//! The frames in a stretch of HTTP/2 bytes, as far as their nine-byte heads tell (RFC 9113, section 4.1).
//!
//! Nothing is kept but a head that is split over two stretches, so a look costs a few instructions a frame.

/// Length of a frame's head.
const HEAD: usize = 9;

/// Length of the client's preface, which stands before its first frame.
const PREFACE: u32 = 24;

/// A frame's head.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Head {
    /// How long its payload is.
    pub(super) length: u32,
    /// What kind of frame it is.
    pub(super) kind: u8,
    /// What its kind makes of it.
    pub(super) flags: u8,
    /// Its stream; 0 is the connection.
    pub(super) stream: u32,
}

/// The kinds of frames that somebody here asks for.
pub(super) mod kind {
    /// DATA.
    pub(in crate::h2) const DATA: u8 = 0x0;
    /// HEADERS.
    pub(in crate::h2) const HEADERS: u8 = 0x1;
    /// PRIORITY.
    pub(in crate::h2) const PRIORITY: u8 = 0x2;
    /// `RST_STREAM`.
    pub(in crate::h2) const RESET: u8 = 0x3;
    /// SETTINGS.
    pub(in crate::h2) const SETTINGS: u8 = 0x4;
    /// PING.
    pub(in crate::h2) const PING: u8 = 0x6;
    /// GOAWAY.
    pub(in crate::h2) const GOAWAY: u8 = 0x7;
    /// `WINDOW_UPDATE`.
    pub(in crate::h2) const WINDOW: u8 = 0x8;
    /// CONTINUATION.
    pub(in crate::h2) const CONTINUATION: u8 = 0x9;
}

/// The flag that makes an answer of SETTINGS and PING.
const ACK: u8 = 0x1;

/// The longest payload, as our own SETTINGS leave it.
const LONGEST: u32 = 16 * 1024;

impl Head {
    /// Whether a frame of its kind may be as long as it is (RFC 9113, section 6).
    pub(super) fn is_sized(self) -> bool {
        match self.kind {
            kind::SETTINGS if self.flags & ACK != 0 => self.length == 0,
            kind::SETTINGS => self.length <= LONGEST && self.length.is_multiple_of(6),
            kind::PRIORITY => self.length == 5,
            kind::RESET | kind::WINDOW => self.length == 4,
            kind::PING => self.length == 8,
            kind::GOAWAY => (8..=LONGEST).contains(&self.length),
            _ => self.length <= LONGEST,
        }
    }
}

/// Where in the stream of frames we are.
#[derive(Debug, Default)]
pub(super) struct Frames {
    head: [u8; HEAD],
    have: usize,
    skip: u32,
    begun: bool,
    passed: bool,
}

impl Frames {
    /// The frames that a server sends.
    pub(super) fn of_server() -> Self {
        Self::default()
    }

    /// The frames that a client sends, after its preface.
    pub(super) fn of_client() -> Self {
        Self { skip: PREFACE, ..Self::default() }
    }

    /// Whether the first frame has come whole.
    pub(super) fn has_passed_first(&self) -> bool {
        self.passed
    }

    /// Shows each head that ends in `bytes` to `seen`.
    pub(super) fn scan(&mut self, mut bytes: &[u8], mut seen: impl FnMut(Head)) {
        loop {
            let payload = bytes.len().min(self.skip as usize);
            self.skip -= u32::try_from(payload).unwrap_or(self.skip);
            self.passed |= self.begun && self.skip == 0;
            let Some(rest) = bytes.get(payload..) else { return };
            let take = rest.len().min(HEAD - self.have);
            let Some((begun, rest)) = rest.split_at_checked(take) else { return };
            let Some(room) = self.head.get_mut(self.have..self.have + take) else { return };
            room.copy_from_slice(begun);
            self.have += take;
            if self.have < HEAD {
                return;
            }
            let [a, b, c, kind, flags, s, t, u, v] = self.head;
            self.have = 0;
            self.begun = true;
            self.skip = u32::from_be_bytes([0, a, b, c]);
            let stream = u32::from_be_bytes([s & 0x7f, t, u, v]);
            seen(Head { length: self.skip, kind, flags, stream });
            bytes = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
        bytes.extend([kind, 0]);
        bytes.extend((stream | 0x8000_0000).to_be_bytes());
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn heads_are_found_wherever_the_bytes_are_split() {
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend(frame(kind::SETTINGS, 0, &[1; 18]));
        bytes.extend(frame(kind::SETTINGS, 0, &[]));
        bytes.extend(frame(kind::HEADERS, 7, &[4; 300]));
        bytes.extend(frame(kind::DATA, 7, &[9; 70_000]));
        bytes.extend(frame(kind::RESET, 7, &[0; 4]));
        let expected =
            [(kind::SETTINGS, 0), (kind::SETTINGS, 0), (kind::HEADERS, 7), (kind::DATA, 7), (kind::RESET, 7)];
        for size in [1, 2, 3, 8, 9, 10, 33, 1000, bytes.len()] {
            let (mut frames, mut seen) = (Frames::of_client(), Vec::new());
            for piece in bytes.chunks(size) {
                frames.scan(piece, |head| seen.push((head.kind, head.stream)));
            }
            assert_eq!(seen, expected, "in pieces of {size}");
        }
    }

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
        assert!(is_sized(kind::SETTINGS, ACK, 0) && !is_sized(kind::SETTINGS, ACK, 6));
    }

    #[test]
    fn the_first_frame_has_passed_once_it_is_whole() {
        for payload in [&[][..], &[1; 18]] {
            let bytes = frame(kind::SETTINGS, 0, payload);
            let mut frames = Frames::of_server();
            frames.scan(&bytes[..bytes.len() - 1], |_| {});
            assert!(!frames.has_passed_first());
            frames.scan(&bytes[bytes.len() - 1..], |_| {});
            assert!(frames.has_passed_first());
        }
    }

    #[test]
    fn a_server_has_no_preface() {
        let mut seen = Vec::new();
        Frames::of_server().scan(&frame(kind::PING, 0, &[0; 8]), |head| seen.push(head.kind));
        assert_eq!(seen, [kind::PING]);
    }
}
