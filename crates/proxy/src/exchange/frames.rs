//! Where the frames of a stream end: what may be put between two of them, and when, is known by their lengths alone.

/// What the stream carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// WebSocket frames (RFC 6455, 5.2).
    WebSocket,
    /// gRPC messages: a flag, four bytes of length, the message.
    Grpc,
}

const GRPC_HEAD: u8 = 5;
const CLOSE: u8 = 0x8;
const MASKED: u8 = 0x80;

/// One direction of a stream, followed from its first byte.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frames {
    kind: Kind,
    /// How much of a frame's head was seen, where in it the length ends, and where it ends itself.
    have: u8,
    length_ends: u8,
    due: u8,
    /// What is left of its payload; while the head comes, its length as far as it was read.
    left: u64,
    in_payload: bool,
    closes: bool,
    closed: bool,
}

impl Frames {
    /// A stream that begins.
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            have: 0,
            length_ends: 0,
            due: 0,
            left: 0,
            in_payload: false,
            closes: false,
            closed: false,
        }
    }

    /// Whether the last frame has ended and no other has begun.
    pub(super) fn is_between(&self) -> bool {
        self.have == 0 && !self.in_payload
    }

    /// Whether a WebSocket's Close has passed.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Follows the next bytes of the stream.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let count = self.follow(bytes);
            bytes = bytes.get(count..).unwrap_or(&[]);
        }
    }

    /// How many of the next bytes still belong to the frame that has begun.
    pub(super) fn rest(&self, bytes: &[u8]) -> usize {
        let mut ahead = *self;
        if ahead.is_between() { 0 } else { ahead.follow(bytes) }
    }

    /// Follows the stream to the end of the frame it is in, or of `bytes`; how many bytes that are.
    fn follow(&mut self, bytes: &[u8]) -> usize {
        let mut count = 0;
        while !self.in_payload {
            let Some(byte) = bytes.get(count) else { return count };
            self.take_head(*byte);
            count += 1;
        }
        let there = bytes.len() - count;
        let payload = usize::try_from(self.left).map_or(there, |left| left.min(there));
        self.left -= payload as u64;
        if self.left == 0 {
            self.in_payload = false;
            self.closed |= self.closes;
        }
        count + payload
    }

    fn take_head(&mut self, byte: u8) {
        match (self.kind, self.have) {
            (Kind::WebSocket, 0) => {
                self.closes = byte & 0x0f == CLOSE;
                (self.length_ends, self.due) = (2, 2);
            }
            (Kind::WebSocket, 1) => {
                let length = byte & !MASKED;
                let (more, length) = match length {
                    126 => (2, 0),
                    127 => (8, 0),
                    short => (0, short),
                };
                self.left = length.into();
                self.length_ends = 2 + more;
                self.due = self.length_ends + if byte & MASKED == 0 { 0 } else { 4 };
            }
            (Kind::Grpc, 0) => (self.length_ends, self.due) = (GRPC_HEAD, GRPC_HEAD),
            (_, at) if at < self.length_ends => self.left = self.left << 8 | u64::from(byte),
            // The mask.
            _ => {}
        }
        self.have += 1;
        if self.have == self.due {
            self.have = 0;
            self.in_payload = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of `length` bytes whose payload looks like heads.
    fn frame(opcode: u8, length: usize, masked: bool) -> Vec<u8> {
        let bit = if masked { MASKED } else { 0 };
        let mut frame = vec![0x80 | opcode];
        match length {
            0..=125 => frame.push(bit | u8::try_from(length).unwrap()),
            126..=65535 => {
                frame.push(bit | 126);
                frame.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            _ => {
                frame.push(bit | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend(if masked { &[0x88; 4][..] } else { &[] });
        frame.extend(std::iter::repeat_n(0x88, length));
        frame
    }

    const LENGTHS: [usize; 9] = [0, 1, 2, 125, 126, 127, 65535, 65536, 70_000];

    #[test]
    fn a_frame_ends_where_its_length_says_however_its_bytes_come() {
        for masked in [false, true] {
            for length in LENGTHS {
                let bytes = [frame(2, length, masked), frame(1, 3, masked)].concat();
                let end = frame(2, length, masked).len();
                for size in [1, 2, 3, 7, 4096, bytes.len()] {
                    let mut frames = Frames::new(Kind::WebSocket);
                    let mut ends = Vec::new();
                    for (at, piece) in bytes.chunks(size).enumerate() {
                        let rest = frames.rest(piece);
                        if !frames.is_between() && rest < piece.len() {
                            ends.push(at * size + rest);
                        }
                        frames.pass(piece);
                        if frames.is_between() {
                            ends.push(at * size + piece.len());
                        }
                    }
                    ends.dedup();
                    if size < end {
                        assert_eq!(ends, [end, bytes.len()], "{length} {masked} in pieces of {size}");
                    }
                    assert!(frames.is_between() && !frames.is_closed());
                }
            }
        }
    }

    #[test]
    fn a_close_has_passed_once_it_is_whole() {
        let mut frames = Frames::new(Kind::WebSocket);
        let close = frame(8, 2, true);
        frames.pass(&frame(1, 300, true));
        frames.pass(&close[..close.len() - 1]);
        assert!(!frames.is_closed() && !frames.is_between());
        frames.pass(&close[close.len() - 1..]);
        assert!(frames.is_closed() && frames.is_between());
    }

    #[test]
    fn a_grpc_message_ends_where_its_length_says() {
        let message = [&[0, 0, 0, 1, 0][..], &[9; 256], &[1, 0, 0, 0, 0]].concat();
        for size in [1, 4, 5, 6, 261] {
            let mut frames = Frames::new(Kind::Grpc);
            let mut between = 0;
            for piece in message.chunks(size) {
                frames.pass(piece);
                between += usize::from(frames.is_between());
            }
            assert!(frames.is_between() && between >= 1, "in pieces of {size}");
        }
        let mut half = Frames::new(Kind::Grpc);
        half.pass(&message[..100]);
        assert_eq!((half.is_between(), half.rest(&message[100..])), (false, 161));
    }
}
