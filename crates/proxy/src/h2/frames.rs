//! The frames in a stretch of HTTP/2 bytes, as far as their nine-byte heads tell (RFC 9113, section 4.1).
//!
//! Nothing is kept but a head that is split over two stretches, so a look costs a few instructions a frame.

use nearside_http::h2::{HEAD, Head, PREFACE};

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
    /// The frames that a client sends, after its preface.
    pub(super) fn of_client() -> Self {
        Self { skip: u32::try_from(PREFACE.len()).unwrap_or_default(), ..Self::default() }
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
            let head = Head::read(&self.head);
            self.have = 0;
            self.begun = true;
            self.skip = head.length;
            seen(head);
            bytes = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearside_http::h2::kind;

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
    fn the_first_frame_has_passed_once_it_is_whole() {
        for payload in [&[][..], &[1; 18]] {
            let bytes = frame(kind::SETTINGS, 0, payload);
            let mut frames = Frames::default();
            frames.scan(&bytes[..bytes.len() - 1], |_| {});
            assert!(!frames.has_passed_first());
            frames.scan(&bytes[bytes.len() - 1..], |_| {});
            assert!(frames.has_passed_first());
        }
    }

    #[test]
    fn a_server_has_no_preface() {
        let mut seen = Vec::new();
        Frames::default().scan(&frame(kind::PING, 0, &[0; 8]), |head| seen.push(head.kind));
        assert_eq!(seen, [kind::PING]);
    }
}
