//! HTTP/2 by hand: frames as they stand on the wire, for clients that break rules which no library would let them break.

use bytes::{Buf, Bytes, BytesMut};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};

/// What a client says first.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The kinds of frames.
pub mod kind {
    /// DATA.
    pub const DATA: u8 = 0;
    /// HEADERS.
    pub const HEADERS: u8 = 1;
    /// PRIORITY.
    pub const PRIORITY: u8 = 2;
    /// `RST_STREAM`.
    pub const RESET: u8 = 3;
    /// SETTINGS.
    pub const SETTINGS: u8 = 4;
    /// `PUSH_PROMISE`.
    pub const PUSH: u8 = 5;
    /// PING.
    pub const PING: u8 = 6;
    /// GOAWAY.
    pub const GOAWAY: u8 = 7;
    /// `WINDOW_UPDATE`.
    pub const WINDOW: u8 = 8;
    /// CONTINUATION.
    pub const CONTINUATION: u8 = 9;
}

/// The flags of frames.
pub mod flag {
    /// The last frame of its stream.
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

/// The codes of errors (RFC 9113, section 7).
pub mod code {
    /// Nothing is wrong.
    pub const NO_ERROR: u32 = 0x0;
    /// A rule is broken that has no code of its own.
    pub const PROTOCOL: u32 = 0x1;
    /// More was sent than a window allows.
    pub const FLOW_CONTROL: u32 = 0x3;
    /// The stream has ended already.
    pub const STREAM_CLOSED: u32 = 0x5;
    /// A frame of another size than its kind has.
    pub const FRAME_SIZE: u32 = 0x6;
    /// The stream was not looked at.
    pub const REFUSED: u32 = 0x7;
    /// The stream is not wanted any more.
    pub const CANCEL: u32 = 0x8;
    /// A block of fields cannot be read.
    pub const COMPRESSION: u32 = 0x9;
    /// The peer does too much.
    pub const CALM: u32 = 0xb;
}

/// A frame that came.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Its kind.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// Its stream.
    pub stream: u32,
    /// What it carries.
    pub payload: Bytes,
}

impl Frame {
    /// The code of a GOAWAY or `RST_STREAM`.
    #[must_use]
    pub fn code(&self) -> u32 {
        let from = if self.kind == kind::GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[from..from + 4].try_into().expect("four bytes"))
    }

    /// The status of an answer's HEADERS, where a number of the static table or a literal tells it: that of the first
    /// answer on a connection always does.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        let mut block = &self.payload[..];
        while block.first().is_some_and(|byte| byte & 0xe0 == 0x20) {
            let long = block[0] & 0x1f == 0x1f;
            let rest =
                if long { block[1..].iter().take_while(|byte| *byte & 0x80 != 0).count() + 2 } else { 1 };
            block = &block[rest..];
        }
        let fixed = [200, 204, 206, 304, 400, 404, 500];
        match block {
            [index @ 0x88..=0x8e, ..] => Some(fixed[usize::from(index - 0x88)]),
            [0x08 | 0x18 | 0x48, 0x03, digits @ ..] => {
                std::str::from_utf8(digits.get(..3)?).ok()?.parse().ok()
            }
            [0x08 | 0x18 | 0x48, length, digits @ ..] if length & 0x80 != 0 => {
                huffman(digits.get(..usize::from(length & 0x7f))?)
            }
            _ => None,
        }
    }
}

/// Three digits in the code of RFC 7541, appendix B: 0 to 2 have five bits, 3 to 9 six.
fn huffman(bytes: &[u8]) -> Option<u16> {
    let mut bits = bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| u16::from(byte >> at & 1)));
    let mut number = 0;
    for _ in 0..3 {
        let five = (0..5).try_fold(0, |word, _| Some(word << 1 | bits.next()?))?;
        let digit = if five < 3 { five } else { (five << 1 | bits.next()?).checked_sub(0x19)? + 3 };
        number = number * 10 + digit;
    }
    Some(number)
}

/// A frame as it stands on the wire.
#[must_use]
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).expect("24 bits").to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// SETTINGS with these values.
#[must_use]
pub fn settings(values: &[(u16, u32)]) -> Vec<u8> {
    let payload =
        values.iter().flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat());
    frame(kind::SETTINGS, 0, 0, &payload.collect::<Vec<_>>())
}

/// `WINDOW_UPDATE` by `more`.
#[must_use]
pub fn window(stream: u32, more: u32) -> Vec<u8> {
    frame(kind::WINDOW, 0, stream, &more.to_be_bytes())
}

/// `RST_STREAM` with CANCEL.
#[must_use]
pub fn reset(stream: u32) -> Vec<u8> {
    frame(kind::RESET, 0, stream, &code::CANCEL.to_be_bytes())
}

/// An integer with a prefix of so many bits, below the bits of `first` (RFC 7541, 5.1).
#[must_use]
pub fn integer(first: u8, bits: u8, number: usize) -> Vec<u8> {
    let most = (1_usize << bits) - 1;
    if number < most {
        return vec![first | u8::try_from(number).expect("fewer than eight bits")];
    }
    let mut bytes = vec![first | u8::try_from(most).expect("at most eight bits")];
    let mut rest = number - most;
    while rest >= 0x80 {
        bytes.push(u8::try_from(rest & 0x7f).expect("seven bits") | 0x80);
        rest >>= 7;
    }
    bytes.push(u8::try_from(rest).expect("seven bits"));
    bytes
}

/// A field as a literal that nobody remembers.
#[must_use]
pub fn field(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Vec<u8> {
    let text = |text: &[u8]| [integer(0, 7, text.len()), text.to_vec()].concat();
    [vec![0], text(name.as_ref()), text(value.as_ref())].concat()
}

/// A block of fields.
#[must_use]
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| field(name, value)).collect()
}

/// The pseudo-headers of a request for `path` at [`crate::client::HOST`].
#[must_use]
pub fn line<'a>(method: &'a str, path: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![(":method", method), (":scheme", "https"), (":authority", crate::client::HOST), (":path", path)]
}

/// HEADERS with these fields, the block whole in one frame.
#[must_use]
pub fn headers(flags: u8, stream: u32, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(kind::HEADERS, flags | flag::END_HEADERS, stream, &block(fields))
}

/// A whole request without a body.
#[must_use]
pub fn get(stream: u32, path: &str) -> Vec<u8> {
    headers(flag::END_STREAM, stream, &line("GET", path))
}

/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection on which frames are written and read by hand.
pub struct Raw<T> {
    write: WriteHalf<T>,
    read: ReadHalf<T>,
    buffer: BytesMut,
}

impl<T: AsyncRead + AsyncWrite + Send + 'static> Raw<T> {
    /// One on which nothing has been said yet.
    pub fn new(io: T) -> Self {
        let (read, write) = tokio::io::split(io);
        Self { write, read, buffer: BytesMut::new() }
    }

    /// Exchanges SETTINGS, its own with these values.
    ///
    /// # Errors
    /// The other end does not.
    pub async fn begin(&mut self, values: &[(u16, u32)]) -> io::Result<()> {
        self.send(&[PREFACE, &settings(values)].concat()).await?;
        let (mut theirs, mut ours) = (false, false);
        while !(theirs && ours) {
            let frame = self.until(kind::SETTINGS).await.ok_or(io::ErrorKind::UnexpectedEof)?;
            theirs |= frame.flags & flag::ACK == 0;
            ours |= frame.flags & flag::ACK != 0;
        }
        self.send(&frame(kind::SETTINGS, flag::ACK, 0, &[])).await
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// The other end has closed.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write.write_all(bytes).await?;
        self.write.flush().await
    }

    /// Writes all of it aside, so that what comes meanwhile is read; the other end may close before it has it all.
    pub fn pour(self, bytes: Vec<u8>) -> Reading<T> {
        let Self { mut write, read, buffer } = self;
        let pouring = tokio::spawn(async move {
            // Whoever floods is cut off in the middle of it.
            drop(write.write_all(&bytes).await);
            drop(write.flush().await);
            write
        });
        Reading { read: Incoming { read, buffer }, pouring }
    }

    /// The next frame; `None` at the end of the connection.
    pub async fn next(&mut self) -> Option<Frame> {
        next(&mut self.read, &mut self.buffer).await
    }

    /// The next frame of this kind, others passed over; `None` at the end of the connection.
    pub async fn until(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    /// Ends our direction.
    pub async fn finish(&mut self) {
        drop(self.write.shutdown().await);
    }
}

/// A connection that is still written to.
pub struct Reading<T> {
    read: Incoming<T>,
    pouring: tokio::task::JoinHandle<WriteHalf<T>>,
}

struct Incoming<T> {
    read: ReadHalf<T>,
    buffer: BytesMut,
}

impl<T: AsyncRead + AsyncWrite + Send + 'static> Reading<T> {
    /// As [`Raw::next`].
    pub async fn next(&mut self) -> Option<Frame> {
        next(&mut self.read.read, &mut self.read.buffer).await
    }

    /// The connection, once all was written.
    pub async fn poured(self) -> Raw<T> {
        let write = self.pouring.await.expect("it was written");
        Raw { write, read: self.read.read, buffer: self.read.buffer }
    }
}

async fn next<T: AsyncRead + AsyncWrite>(read: &mut ReadHalf<T>, buffer: &mut BytesMut) -> Option<Frame> {
    loop {
        if let [a, b, c, kind, flags, s, t, u, v, rest @ ..] = &buffer[..] {
            let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
            if rest.len() >= length {
                let (kind, flags, stream) = (*kind, *flags, u32::from_be_bytes([*s, *t, *u, *v]));
                buffer.advance(9);
                return Some(Frame { kind, flags, stream, payload: buffer.split_to(length).freeze() });
            }
        }
        match tokio::time::timeout(PATIENCE, read.read_buf(buffer)).await.expect("something comes in time") {
            Ok(0) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}
