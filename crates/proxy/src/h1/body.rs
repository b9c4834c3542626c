//! Bodies on the wire: read out of their framing and written into it.

use super::conn::Conn;
use crate::side::Fill;
use nearside_http::chunked::{self, Decoder, Step};
use nearside_http::{Body, Fields, Refusal};
use std::io;
use std::mem;
use std::task::{Context, Poll, ready};

/// The most of a chunked body that is gathered in one chunk.
const CHUNK: usize = 32 * 1024;

/// Why a body does not arrive whole.
#[derive(Debug)]
pub(super) enum Fault {
    /// The stream ended or broke before the body did.
    Cut,
    /// The framing breaks the rules.
    Malformed(Refusal),
}

/// How a body that is read is framed.
#[derive(Debug)]
enum Framing {
    /// Nothing, or no more, follows.
    Ended,
    /// This many bytes follow.
    Known(u64),
    /// Chunks follow.
    Chunked(Box<Decoder>),
    /// What follows ends with the stream.
    UntilClose,
}

/// A body that is read. Its bytes lie at the front of the connection's input.
#[derive(Debug)]
pub(super) struct Inbound {
    framing: Framing,
    /// How many bytes at the front of the input are the body's.
    ready: usize,
    /// The decoder of chunks that have ended, for its trailers.
    decoded: Option<Box<Decoder>>,
    /// What is wrong behind the bytes that are ready.
    fault: Option<Refusal>,
}

impl Inbound {
    pub(super) const NONE: Self = Self { framing: Framing::Ended, ready: 0, decoded: None, fault: None };

    /// A body of this extent, of which some may have arrived with its head.
    pub(super) fn begin(extent: Body, conn: &mut Conn) -> Self {
        let framing = match extent {
            Body::None => Framing::Ended,
            Body::Length(length) => Framing::Known(length),
            Body::Chunked => Framing::Chunked(Box::default()),
            Body::UntilClose => Framing::UntilClose,
        };
        let mut body = Self { framing, ..Self::NONE };
        body.look(conn);
        body
    }

    pub(super) fn is_end(&self) -> bool {
        matches!(self.framing, Framing::Ended) && self.ready == 0
    }

    /// How many bytes are still to come, where that is known.
    pub(super) fn left(&self) -> Option<u64> {
        match self.framing {
            Framing::Ended => Some(self.ready as u64),
            Framing::Known(left) => Some(left),
            Framing::Chunked(_) | Framing::UntilClose => None,
        }
    }

    pub(super) fn data<'a>(&self, conn: &'a Conn) -> &'a [u8] {
        conn.input().get(..self.ready).unwrap_or(&[])
    }

    /// The trailers of a message with these fields, which may say that some of them end here.
    pub(super) fn trailers(&mut self, head: &Fields) -> Option<&Fields> {
        let decoder = self.decoded.as_mut()?;
        decoder.strip_trailers(head);
        Some(decoder.trailers()).filter(|trailers| !trailers.is_empty())
    }

    pub(super) fn poll_fill(&mut self, conn: &mut Conn, cx: &mut Context<'_>) -> Poll<Result<Fill, Fault>> {
        loop {
            if self.ready > 0 {
                return Poll::Ready(Ok(Fill::Data));
            }
            if let Some(refusal) = self.fault {
                return Poll::Ready(Err(Fault::Malformed(refusal)));
            }
            if self.is_end() {
                return Poll::Ready(Ok(Fill::End));
            }
            let read = match self.framing {
                Framing::Known(left) => conn.poll_read_body(left, cx),
                _ => conn.poll_read(cx),
            };
            match ready!(read) {
                Ok(0) if matches!(self.framing, Framing::UntilClose) => self.framing = Framing::Ended,
                Ok(0) | Err(_) => return Poll::Ready(Err(Fault::Cut)),
                Ok(_) => self.look(conn),
            }
        }
    }

    pub(super) fn consume(&mut self, conn: &mut Conn, count: usize) {
        let count = count.min(self.ready);
        conn.consume(count);
        self.ready -= count;
        if let Framing::Known(left) = &mut self.framing {
            *left -= count as u64;
        }
        if self.ready == 0 {
            self.look(conn);
        }
    }

    /// Finds out what the input has of the body, once all that was known of is consumed.
    pub(super) fn look(&mut self, conn: &mut Conn) {
        let arrived = conn.input().len();
        match &mut self.framing {
            Framing::Known(0) => self.framing = Framing::Ended,
            Framing::Known(left) => {
                self.ready = usize::try_from(*left).map_or(arrived, |left| left.min(arrived));
            }
            Framing::UntilClose => self.ready = arrived,
            Framing::Chunked(decoder) if arrived > 0 && self.fault.is_none() => {
                match decoder.decode(conn.input()) {
                    Ok(Step::Data(data)) => {
                        conn.consume(data.start);
                        self.ready = data.len();
                    }
                    Ok(Step::More) => conn.consume(arrived),
                    Ok(Step::End(count)) => {
                        conn.consume(count);
                        if let Framing::Chunked(decoder) = mem::replace(&mut self.framing, Framing::Ended) {
                            self.decoded = Some(decoder);
                        }
                    }
                    Err(refusal) => self.fault = Some(refusal),
                }
            }
            Framing::Chunked(_) | Framing::Ended => {}
        }
    }
}

/// A body that is written.
#[derive(Debug)]
pub(super) enum Outbound {
    /// None follows the head, or all of it was written; what is written all the same is dropped, as the body of an
    /// answer to HEAD is.
    Nothing,
    /// This many bytes are still due.
    Known(u64),
    /// Chunks.
    Chunked,
    /// As it is, up to the end of the stream.
    UntilClose,
}

impl Outbound {
    pub(super) fn poll_write(
        &mut self,
        conn: &mut Conn,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Nothing => Poll::Ready(Ok(data.len())),
            Self::UntilClose => conn.poll_write(cx, data),
            Self::Known(left) => {
                let allowed = usize::try_from(*left).map_or(data.len(), |left| left.min(data.len()));
                if allowed == 0 && !data.is_empty() {
                    // More than the head said would be read as the next message.
                    return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
                }
                let count = ready!(conn.poll_write(cx, data.get(..allowed).unwrap_or(data)))?;
                *left -= count as u64;
                Poll::Ready(Ok(count))
            }
            Self::Chunked => {
                ready!(conn.poll_room(cx))?;
                let count = data.len().min(CHUNK);
                // An empty chunk would be the last one.
                if let Some(piece @ [_, ..]) = data.get(..count) {
                    put_chunk(conn.output(), piece);
                }
                Poll::Ready(Ok(count))
            }
        }
    }

    /// Ends the body; whether it is as long as its head said.
    pub(super) fn finish(&mut self, conn: &mut Conn, trailers: Option<&Fields>) -> bool {
        match mem::replace(self, Self::Nothing) {
            Self::Known(left) => left == 0,
            Self::Nothing | Self::UntilClose => true,
            Self::Chunked => {
                match trailers {
                    Some(trailers) => chunked::write_end(trailers, conn.output()),
                    None => conn.output().extend_from_slice(chunked::LAST),
                }
                true
            }
        }
    }
}

fn put_chunk(out: &mut Vec<u8>, piece: &[u8]) {
    let line = chunked::size_line(piece.len());
    out.reserve(line.len() + piece.len() + chunked::END.len());
    for part in [line.as_slice(), piece, chunked::END] {
        out.extend_from_slice(part);
    }
}
