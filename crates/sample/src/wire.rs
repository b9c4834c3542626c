//! The bytes of a connection, with what was read too early put back, and with interim answers slipped in.

use parking_lot::Mutex;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use h2::server::SendResponse;
use http::{HeaderMap, Response, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// What an HTTP/2 connection begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection whose first bytes may have been looked at.
#[derive(Debug)]
pub(crate) struct Wire<S> {
    stream: S,
    read_ahead: Bytes,
    interim: Arc<Mutex<BytesMut>>,
}

/// Where interim answers (1xx) of one request go.
#[derive(Clone)]
pub(crate) enum Interim {
    /// Bytes that stand before the final answer.
    H1(Arc<Mutex<BytesMut>>),
    /// The stream of the answer.
    H2(Arc<Mutex<SendResponse<Bytes>>>),
    /// The client would not understand them.
    None,
}

impl<S: AsyncRead + Unpin> Wire<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, read_ahead: Bytes::new(), interim: Arc::default() }
    }

    /// Reads as much as tells HTTP/2 from everything else; what was read is read again by whoever comes next.
    pub(crate) async fn begins_with_preface(&mut self) -> io::Result<bool> {
        let mut read = BytesMut::with_capacity(PREFACE.len());
        while read.len() < PREFACE.len() && PREFACE.starts_with(&read) {
            if self.stream.read_buf(&mut read).await? == 0 {
                break;
            }
        }
        self.read_ahead = read.freeze();
        Ok(self.read_ahead.starts_with(PREFACE))
    }

    /// Where a request of this connection puts interim answers; only for HTTP/1, which has one request at a time.
    pub(crate) fn interim(&self) -> Interim {
        Interim::H1(Arc::clone(&self.interim))
    }
}

impl Interim {
    /// Sends one interim answer now.
    pub(crate) fn send(&self, status: StatusCode, headers: &HeaderMap) {
        match self {
            Self::H1(pending) => {
                let mut pending = pending.lock();
                let reason = status.canonical_reason().unwrap_or_default();
                pending.extend_from_slice(format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).as_bytes());
                for (name, value) in headers {
                    pending.extend_from_slice(name.as_ref());
                    pending.extend_from_slice(b": ");
                    pending.extend_from_slice(value.as_bytes());
                    pending.extend_from_slice(b"\r\n");
                }
                pending.extend_from_slice(b"\r\n");
            }
            Self::H2(answer) => {
                let mut interim = Response::new(());
                *interim.status_mut() = status;
                *interim.headers_mut() = headers.clone();
                // It fails when the stream was reset, which whoever sends the final answer finds out too.
                drop(answer.lock().send_informational(interim));
            }
            Self::None => {}
        }
    }
}

impl<S: AsyncWrite + Unpin> Wire<S> {
    fn poll_interim(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut pending = self.interim.lock();
        while !pending.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &pending))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            pending.advance(written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read_ahead.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, to);
        }
        let length = self.read_ahead.len().min(to.remaining());
        to.put_slice(&self.read_ahead.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_interim(cx))?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_interim(cx))?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    // The server flushes whenever it waits for an answer: this is what makes an interim answer early.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_interim(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
