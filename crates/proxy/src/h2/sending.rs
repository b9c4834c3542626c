//! Sending: the frames of an answer, written into the outbox as the windows allow.

use crate::h2::hub::State;
use crate::h2::outbox::FULL;
use crate::h2::slots::Answer;
use nearside_http::Fields;
use nearside_http::h2::{HEAD, Head, LONGEST, flag, head, kind};
use nearside_http::hpack::Encoder;
use std::task::{Context, Poll};

/// The most that one DATA frame carries, which every client takes.
const PIECE: usize = LONGEST as usize;

/// Room for a usual head.
const BLOCK: usize = 512;

/// The client takes no more of the answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Stopped;

impl State {
    /// Writes a head or trailers; `end` says whether they are the last of the stream.
    pub(super) fn write_block(
        &mut self,
        at: usize,
        end: bool,
        write: impl FnOnce(&mut Encoder, &mut Vec<u8>),
    ) {
        let Some(slot) = self.slots.get(at).filter(|slot| !slot.is_closed()) else { return };
        let flags = if end { flag::END_STREAM } else { 0 };
        let frame =
            Head { length: 0, kind: kind::HEADERS, flags: flags | flag::END_HEADERS, stream: slot.id };
        let out = self.outbox.end(BLOCK);
        let start = out.len();
        head(frame, out);
        write(&mut self.encoder, out);
        let length = out.len() - start - HEAD;
        if length > PIECE {
            let block = out.split_off(start + HEAD);
            out.truncate(start);
            split(&block, frame, out);
        } else if let (Some(place), [_, a, b, c]) =
            (out.get_mut(start..start + 3), u32::try_from(length).unwrap_or_default().to_be_bytes())
        {
            place.copy_from_slice(&[a, b, c]);
        }
        if end {
            self.end_answer(at);
        }
        self.touch();
    }

    /// Takes some of `data`: a piece, if all windows and the outbox have room for it.
    pub(super) fn poll_data(
        &mut self,
        at: usize,
        data: &[u8],
        cx: &Context<'_>,
    ) -> Poll<Result<usize, Stopped>> {
        let full = self.outbox.len() >= FULL || self.room <= 0;
        let alone = self.queue.is_empty() && self.called == 0;
        let Some(slot) = self.slots.get(at).filter(|slot| !slot.is_closed()) else {
            return Poll::Ready(Err(Stopped));
        };
        let wanted = data.len().min(PIECE);
        let was_called = std::mem::take(&mut slot.called);
        self.called -= usize::from(was_called);
        if slot.room <= 0 {
            slot.wait(cx);
            return Poll::Pending;
        }
        if full || !(alone || was_called) {
            if slot.queued.replace(wanted).is_none() {
                self.queue.push_back(at);
            }
            slot.wait(cx);
            if !full {
                // It is only not its turn.
                self.touch();
            }
            return Poll::Pending;
        }
        let room = usize::try_from(slot.room.min(self.room)).unwrap_or(usize::MAX);
        let piece = data.get(..wanted.min(room)).unwrap_or(data);
        let length = u32::try_from(piece.len()).unwrap_or(LONGEST);
        slot.piece = Some(self.outbox.mark());
        slot.room -= i64::from(length);
        self.room -= i64::from(length);
        let out = self.outbox.end(HEAD + piece.len());
        head(Head { length, kind: kind::DATA, flags: 0, stream: slot.id }, out);
        out.extend_from_slice(piece);
        self.limits.sent();
        self.touch();
        Poll::Ready(Ok(piece.len()))
    }

    /// Ends the body, with trailers if there are some. The last piece says it, where it still waits.
    pub(super) fn finish(&mut self, at: usize, trailers: Option<&Fields>) {
        if let Some(trailers) = trailers {
            return self.write_block(at, true, |encoder, out| {
                encoder.begin(out);
                for field in trailers.iter() {
                    encoder.field(field.known, field.name, field.value, out);
                }
            });
        }
        let Some(slot) = self.slots.get(at).filter(|slot| !slot.is_closed()) else { return };
        if !slot.piece.is_some_and(|piece| self.outbox.end_stream(piece)) {
            let last = Head { length: 0, kind: kind::DATA, flags: flag::END_STREAM, stream: slot.id };
            head(last, self.outbox.end(HEAD));
        }
        self.end_answer(at);
        self.touch();
    }

    fn end_answer(&mut self, at: usize) {
        if let Some(slot) = self.slots.get(at) {
            slot.answer = Answer::Whole;
        }
        self.settle(at);
    }
}

/// Writes a block that is longer than a frame.
fn split(block: &[u8], first: Head, out: &mut Vec<u8>) {
    let count = block.len().div_ceil(PIECE);
    for (index, piece) in block.chunks(PIECE).enumerate() {
        let is_last = index + 1 == count;
        let kind = if index == 0 { kind::HEADERS } else { kind::CONTINUATION };
        let flags = if index == 0 { first.flags & !flag::END_HEADERS } else { 0 };
        let flags = if is_last { flags | flag::END_HEADERS } else { flags };
        let length = u32::try_from(piece.len()).unwrap_or_default();
        out.reserve(HEAD + piece.len());
        head(Head { length, kind, flags, stream: first.stream }, out);
        out.extend_from_slice(piece);
    }
}
