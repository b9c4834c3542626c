//! Inbound: what a client's frames do, one after the other.

use crate::h2::block::{Block, Pieces};
use crate::h2::hub::State;
use crate::h2::slots::{Known, Over};
use nearside_http::h2::{Code, HEAD, Head, WIDEST, flag, fragment, head, kind, number, ping, settings};
use nearside_http::hpack::Decoder;
use nearside_http::{Refusal, RequestHead};

/// What our PING carries that asks whether GOAWAY has arrived.
pub(super) const FAREWELL: &[u8; 8] = b"farewell";

/// The reading side of a connection.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    pub(super) decoder: Decoder,
    /// Whether the first frame has come.
    begun: bool,
    /// Whether our SETTINGS were answered.
    pub(super) settled: bool,
    /// Whether the client takes no more of our streams, and so wants to go.
    pub(super) leaving: bool,
    /// Whether our PING is to be answered, and was.
    pub(super) asked: bool,
    pub(super) arrived: bool,
    /// A block of fields whose end has not come.
    pieces: Option<Pieces>,
}

/// What comes of a frame that concerns more than its stream.
#[derive(Debug)]
pub(super) enum Arrival {
    /// A request.
    Request(Opened),
    /// A request whose head is not taken, and is answered.
    Refused(Opened, Refusal),
    /// A request whose head breaks HTTP/2's rules; its stream was reset.
    Malformed,
}

/// A stream that was opened just now.
#[derive(Debug)]
pub(super) struct Opened {
    /// Its slot.
    pub(super) at: usize,
    pub(super) head: Box<RequestHead>,
    /// Whether it ended with its head.
    pub(super) end: bool,
}

impl Inbound {
    /// Whether the frame with this head may come at all.
    ///
    /// # Errors
    /// Why the connection has to end.
    pub(super) fn look(&mut self, frame: Head) -> Result<(), Code> {
        if !std::mem::replace(&mut self.begun, true) && frame.kind != kind::SETTINGS {
            return Err(Code::Protocol);
        }
        if !frame.is_sized() {
            return Err(Code::FrameSize);
        }
        let goes_on = frame.kind == kind::CONTINUATION;
        let is_next = match &self.pieces {
            Some(pieces) => goes_on && pieces.stream() == frame.stream,
            None => !goes_on,
        };
        if is_next && frame.is_placed() { Ok(()) } else { Err(Code::Protocol) }
    }

    /// Takes a frame.
    ///
    /// # Errors
    /// Why the connection has to end.
    pub(super) fn take(
        &mut self,
        state: &mut State,
        frame: Head,
        payload: &[u8],
    ) -> Result<Option<Arrival>, Code> {
        if !state.limits.allow(frame.kind) {
            return Err(Code::Calm);
        }
        match frame.kind {
            kind::DATA => take_data(state, frame, payload)?,
            kind::HEADERS | kind::CONTINUATION => return self.take_piece(state, frame, payload),
            kind::PRIORITY => take_priority(state, frame, payload),
            kind::RESET => take_reset(state, frame)?,
            kind::SETTINGS => self.take_settings(state, frame, payload)?,
            kind::PROMISE => return Err(Code::Protocol),
            kind::PING if frame.has(flag::ACK) => self.arrived |= self.asked && payload == FAREWELL,
            kind::PING => ping(flag::ACK, payload, state.outbox.end(HEAD + payload.len())),
            kind::GOAWAY => self.leaving = true,
            kind::WINDOW => take_window(state, frame, payload)?,
            _ => {}
        }
        state.fault.map_or(Ok(None), Err)
    }

    /// Takes a piece of a block, and the block with its last one.
    fn take_piece(
        &mut self,
        state: &mut State,
        frame: Head,
        payload: &[u8],
    ) -> Result<Option<Arrival>, Code> {
        let (piece, depends_on_itself) = fragment(frame, payload)?;
        let arrival = match (self.pieces.take(), frame.has(flag::END_HEADERS)) {
            (None, true) => {
                let end = frame.has(flag::END_STREAM);
                let block = Block { stream: frame.stream, end, depends_on_itself, bytes: piece };
                block.take(&mut self.decoder, state)?
            }
            (None, false) => {
                self.pieces = Some(Pieces::new(frame, depends_on_itself, piece));
                None
            }
            (Some(mut pieces), is_last) => {
                pieces.add(piece)?;
                if is_last {
                    pieces.block().take(&mut self.decoder, state)?
                } else {
                    self.pieces = Some(pieces);
                    None
                }
            }
        };
        state.fault.map_or(Ok(arrival), Err)
    }

    fn take_settings(&mut self, state: &mut State, frame: Head, payload: &[u8]) -> Result<(), Code> {
        if frame.has(flag::ACK) {
            let first = !std::mem::replace(&mut self.settled, true);
            return if first { Ok(()) } else { Err(Code::Protocol) };
        }
        let said = settings(payload)?;
        if let Some((least, last)) = said.table {
            state.encoder.offer(least);
            state.encoder.offer(last);
        }
        if let Some(window) = said.window {
            let more = i64::from(window) - state.first_room;
            state.first_room = window.into();
            for slot in state.slots.each_open() {
                slot.room += more;
                if slot.room > WIDEST.into() {
                    return Err(Code::FlowControl);
                }
                slot.wake();
            }
        }
        let answer = Head { length: 0, kind: kind::SETTINGS, flags: flag::ACK, stream: 0 };
        head(answer, state.outbox.end(HEAD));
        Ok(())
    }
}

fn take_data(state: &mut State, frame: Head, payload: &[u8]) -> Result<(), Code> {
    let data = nearside_http::h2::unpadded(frame, payload)?;
    if !state.window.pass(frame.length) {
        return Err(Code::FlowControl);
    }
    let ends = frame.has(flag::END_STREAM);
    if data.is_empty() && !ends && !state.limits.allow_empty() {
        return Err(Code::Calm);
    }
    let at = match state.slots.find(frame.stream) {
        Known::Open(at) => at,
        Known::Idle => return Err(Code::Protocol),
        Known::Closed => return Err(Code::StreamClosed),
        Known::Forgiven => {
            state.take(None, payload.len());
            return Ok(());
        }
    };
    let Some(slot) = state.slots.get(at) else { return Err(Code::Internal) };
    if slot.ended {
        return Err(Code::StreamClosed);
    }
    let fits = slot.window.pass(frame.length);
    let due = slot.due.map(|due| due.checked_sub(data.len() as u64));
    if !fits {
        state.take(None, payload.len());
        state.blame(at, Code::FlowControl, Refusal::ContentLength);
    } else if due == Some(None) || ends && due.flatten().is_some_and(|due| due > 0) {
        state.take(None, payload.len());
        state.blame(at, Code::Protocol, Refusal::ContentLength);
    } else {
        slot.due = due.flatten();
        if !data.is_empty() {
            if slot.inbox.capacity() == 0 {
                slot.inbox = state.stock.lend();
            }
            slot.inbox.extend_from_slice(data);
        }
        slot.ended = ends;
        slot.wake();
        // Padding is taken at once.
        state.take(Some(at), payload.len() - data.len());
        state.settle(at);
    }
    Ok(())
}

fn take_priority(state: &mut State, frame: Head, payload: &[u8]) {
    if let (Known::Open(at), true) = (state.slots.find(frame.stream), number(payload) == Some(frame.stream)) {
        state.blame(at, Code::Protocol, Refusal::FieldName);
    }
}

fn take_reset(state: &mut State, frame: Head) -> Result<(), Code> {
    match state.slots.find(frame.stream) {
        Known::Open(at) => state.end(at, Over::Gone),
        Known::Idle => return Err(Code::Protocol),
        Known::Forgiven | Known::Closed => {}
    }
    Ok(())
}

fn take_window(state: &mut State, frame: Head, payload: &[u8]) -> Result<(), Code> {
    let more = number(payload).filter(|more| *more > 0).ok_or(Code::Protocol)?;
    if frame.stream == 0 {
        state.room += i64::from(more);
        return if state.room > WIDEST.into() { Err(Code::FlowControl) } else { Ok(()) };
    }
    match state.slots.find(frame.stream) {
        Known::Open(at) => {
            let Some(slot) = state.slots.get(at) else { return Err(Code::Internal) };
            slot.room += i64::from(more);
            if slot.room > WIDEST.into() {
                state.blame(at, Code::FlowControl, Refusal::FieldName);
            } else {
                slot.wake();
            }
        }
        Known::Idle => return Err(Code::Protocol),
        Known::Forgiven | Known::Closed => {}
    }
    Ok(())
}
