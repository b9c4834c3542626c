//! Block: the fields of a request's head or of its trailers, in one frame or in several.

use crate::h2::hub::State;
use crate::h2::inbound::{Arrival, Opened};
use crate::h2::slots::Known;
use nearside_http::h2::{Code, HEAD, Head, flag, reset};
use nearside_http::hpack::{Decoder, Fault};
use nearside_http::request::Parts;
use nearside_http::{Body, Fields, Limits, Refusal, trailers};

/// How many streams a client may have open.
pub(super) const STREAMS: u32 = 128;

/// What a client may send on one stream before it was taken.
pub(super) const STREAM_WINDOW: u32 = 1 << 20;

/// Bytes of a head as HTTP/2 counts them, each field with 32 more.
pub(super) const HEADER_LIST: u32 = 64 * 1024;

/// How many frames a block may take, and how many bytes. A lawful client needs no more than HEADER_LIST in full frames, and one
/// that sends more than is taken is told so.
const FRAMES: u32 = 12;
const BYTES: usize = 128 * 1024;

/// A block that comes in several frames.
#[derive(Debug)]
pub(super) struct Pieces {
    first: Head,
    depends_on_itself: bool,
    frames: u32,
    bytes: Vec<u8>,
}

impl Pieces {
    pub(super) fn new(first: Head, depends_on_itself: bool, piece: &[u8]) -> Self {
        Self { first, depends_on_itself, frames: 1, bytes: piece.to_vec() }
    }

    /// The stream that it belongs to.
    pub(super) fn stream(&self) -> u32 {
        self.first.stream
    }

    /// Adds a piece.
    ///
    /// # Errors
    /// There is no end of them.
    pub(super) fn add(&mut self, piece: &[u8]) -> Result<(), Code> {
        self.frames += 1;
        self.bytes.extend_from_slice(piece);
        if self.frames > FRAMES || self.bytes.len() > BYTES { Err(Code::Calm) } else { Ok(()) }
    }

    /// All of it.
    pub(super) fn block(&self) -> Block<'_> {
        Block {
            stream: self.first.stream,
            end: self.first.has(flag::END_STREAM),
            depends_on_itself: self.depends_on_itself,
            bytes: &self.bytes,
        }
    }
}

/// A whole block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block<'b> {
    pub(super) stream: u32,
    /// Whether it is the last of its stream.
    pub(super) end: bool,
    pub(super) depends_on_itself: bool,
    pub(super) bytes: &'b [u8],
}

impl Block<'_> {
    /// Takes it. Whatever becomes of it, it is read to its end: the fields of later ones depend on it.
    ///
    /// # Errors
    /// Why the connection has to end.
    pub(super) fn take(self, decoder: &mut Decoder, state: &mut State) -> Result<Option<Arrival>, Code> {
        match state.slots.find(self.stream) {
            Known::Open(at) => self.take_trailers(at, decoder, state).map(|()| None),
            Known::Idle if self.stream.is_multiple_of(2) => Err(Code::Protocol),
            Known::Idle => {
                state.slots.pass(self.stream);
                self.take_head(decoder, state)
            }
            Known::Forgiven => self.pass_over(decoder).map(|()| None),
            Known::Closed => Err(Code::StreamClosed),
        }
    }

    fn pass_over(self, decoder: &mut Decoder) -> Result<(), Code> {
        decoder.decode(self.bytes, |_name, _value| {}).map_err(code)
    }

    fn take_trailers(self, at: usize, decoder: &mut Decoder, state: &mut State) -> Result<(), Code> {
        let mut fields = Box::<Fields>::default();
        let mut taken = Ok(());
        decoder
            .decode(self.bytes, |name, value| {
                if taken.is_ok() {
                    taken = trailers::take_part(&mut fields, name, value);
                }
            })
            .map_err(code)?;
        let Some(slot) = state.slots.get(at) else { return Err(Code::Internal) };
        if slot.ended {
            return Err(Code::StreamClosed);
        }
        if slot.due.is_some_and(|due| due > 0) {
            taken = Err(Refusal::ContentLength);
        } else if !self.end || self.depends_on_itself {
            taken = Err(Refusal::FieldName);
        }
        match taken {
            Err(refusal) if breaks_http2(refusal) => {
                state.blame(at, Code::Protocol, refusal);
                return Ok(());
            }
            Err(refusal) => slot.refused = Some(refusal),
            Ok(()) => slot.trailers = Some(fields).filter(|fields| !fields.is_empty()),
        }
        slot.ended = true;
        slot.wake();
        state.settle(at);
        Ok(())
    }

    fn take_head(self, decoder: &mut Decoder, state: &mut State) -> Result<Option<Arrival>, Code> {
        if state.named {
            return self.pass_over(decoder).map(|()| None);
        }
        if state.slots.open() >= STREAMS as usize {
            self.pass_over(decoder)?;
            if !state.limits.allow_refused() {
                return Err(Code::Calm);
            }
            self.refuse(Code::Refused, state);
            return Ok(None);
        }
        let mut head = state.stock.lend_request();
        let read = {
            let mut parts = Parts::begin(&mut head, &Limits::default());
            let mut taken = Ok(());
            let decoded = decoder.decode(self.bytes, |name, value| {
                if taken.is_ok() {
                    taken = parts.take(name, value);
                }
            });
            decoded.map_err(code)?;
            taken.and_then(|()| parts.end(self.end))
        };
        let read = if self.depends_on_itself { Err(Refusal::FieldName) } else { read };
        if read.is_err_and(breaks_http2) {
            state.stock.give_back_request(head);
            self.refuse(Code::Protocol, state);
            state.note_fault();
            return Ok(Some(Arrival::Malformed));
        }
        let at = state.slots.begin(self.stream, STREAM_WINDOW, state.first_room);
        if let Some(slot) = state.slots.get(at) {
            slot.ended = self.end;
            slot.due = match head.body() {
                Body::Length(length) => Some(length),
                Body::None | Body::Chunked | Body::UntilClose => None,
            };
        }
        let opened = Opened { at, head, end: self.end };
        Ok(Some(match read {
            Ok(()) => Arrival::Request(opened),
            Err(refusal) => Arrival::Refused(opened, refusal),
        }))
    }

    /// Resets a stream that was not begun.
    fn refuse(self, code: Code, state: &mut State) {
        state.slots.refuse(self.stream);
        reset(self.stream, code, state.outbox.end(HEAD + 4));
    }
}

fn code(fault: Fault) -> Code {
    match fault {
        Fault::Unreadable => Code::Compression,
        Fault::TooLarge => Code::Calm,
    }
}

/// Whether the head is malformed in the sense of RFC 9113, section 8.1.1.
fn breaks_http2(refusal: Refusal) -> bool {
    matches!(
        refusal,
        Refusal::FieldName
            | Refusal::FieldValue
            | Refusal::ConnectionField
            | Refusal::ContentLength
            | Refusal::ContentLengthTwice
            | Refusal::TwoFramings
            | Refusal::TransferEncoding
            | Refusal::Method
            | Refusal::Target
            | Refusal::HostTwice
            | Refusal::HostDisagrees
    )
}
