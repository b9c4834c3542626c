//! A stream of HTTP/2 as a stream of bytes both ways.

use bytes::{Buf, Bytes};
use h2::{Reason, RecvStream, SendStream};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes both ways.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// One stream. Dropping it before its end resets it.
pub struct Stream {
    send: SendStream<Bytes>,
    receive: RecvStream,
    chunk: Bytes,
    ended: bool,
}

impl Stream {
    /// The stream with these halves.
    #[must_use]
    pub fn new(send: SendStream<Bytes>, receive: RecvStream) -> Self {
        Self { send, receive, chunk: Bytes::new(), ended: false }
    }
}

fn failed(error: h2::Error) -> io::Error {
    // What a TCP connection would say of a reset.
    io::Error::new(io::ErrorKind::ConnectionReset, error)
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.chunk.is_empty() {
            let Some(chunk) = ready!(self.receive.poll_data(cx)).transpose().map_err(failed)? else {
                return Poll::Ready(Ok(()));
            };
            self.receive.flow_control().release_capacity(chunk.len()).map_err(failed)?;
            self.chunk = chunk;
        }
        let count = self.chunk.len().min(to.remaining());
        to.put_slice(&self.chunk[..count]);
        self.chunk.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.send.reserve_capacity(bytes.len());
        let room =
            ready!(self.send.poll_capacity(cx)).unwrap_or(Err(Reason::CANCEL.into())).map_err(failed)?;
        let count = room.min(bytes.len());
        self.send.send_data(Bytes::copy_from_slice(&bytes[..count]), false).map_err(failed)?;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.ended, true) {
            self.send.send_data(Bytes::new(), true).map_err(failed)?;
        }
        Poll::Ready(Ok(()))
    }
}
