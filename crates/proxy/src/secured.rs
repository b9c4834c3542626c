//! A TLS stream whose first records are small.
//!
//! Of a record nothing can be read before its last byte is there. A full one of 16 KiB does not fit into what a connection
//! may send at first, or after a pause, so that its first byte would be read a round trip later than it arrives. Once some
//! round trips' worth has left, full records cost both sides the least.

use crate::io::Wire;
use arrayvec::ArrayVec;
use rustls::Writer;
use std::io::{self, IoSlice, Write};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tokio_rustls::TlsStream;

/// What a small record holds: three packets' worth. What is no larger is one record anyway.
const SMALL: usize = 4 * 1024;

/// What leaves in small records; after it the window is wide.
const BEGINNING: usize = 48 * 1024;

/// What TLS copies at once. The C library copies more by `rep movsb` where the processor says that it is quick at it; one that is
/// not, where source and target lie unluckily, takes several times as long (docs/PERFORMANCE.md, E).
const PIECE: usize = 2 * 1024;

/// How many pieces TLS is given at once: as much as it keeps.
const MOST: usize = 32;

/// A pause after which the window may be narrow again.
const PAUSE: Duration = Duration::from_secs(1);

/// A TLS stream over a [`Wire`].
#[derive(Debug)]
pub struct Secured {
    stream: TlsStream<Wire>,
    /// How much has left in small records since the last pause.
    begun: usize,
    /// When more than a small record was written last.
    written: Option<Instant>,
}

impl Secured {
    /// The stream, at its beginning.
    #[must_use]
    pub fn new(stream: impl Into<TlsStream<Wire>>) -> Self {
        Self { stream: stream.into(), begun: 0, written: None }
    }

    /// What lies under it.
    #[must_use]
    pub fn wire(&self) -> &Wire {
        self.stream.get_ref().0
    }

    /// What lies under it, to be changed without a word to the peer.
    pub(crate) fn wire_mut(&mut self) -> &mut Wire {
        self.stream.get_mut().0
    }

    /// Whether nothing can be read before more has come over the wire.
    pub(crate) fn is_silent(&self) -> bool {
        self.stream.get_ref().1.wants_read()
    }

    /// The protocol that ALPN chose.
    #[must_use]
    pub fn alpn(&self) -> Option<&[u8]> {
        self.stream.get_ref().1.alpn_protocol()
    }

    /// How much of more than a small record is to go in small ones.
    fn beginning(&mut self) -> usize {
        let now = Instant::now();
        if self.written.replace(now).is_none_or(|written| now.duration_since(written) >= PAUSE) {
            self.begun = 0;
        }
        BEGINNING.saturating_sub(self.begun)
    }

    /// Hands TLS as much of `data` as it takes, in small records.
    fn gather(&mut self, data: &[u8]) -> io::Result<usize> {
        match &mut self.stream {
            TlsStream::Server(server) => gather(server.get_mut().1.writer(), data),
            TlsStream::Client(client) => gather(client.get_mut().1.writer(), data),
        }
    }

    /// Writes some of `data` in small records, with one call of the system for all of them.
    fn poll_begin(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let taken = self.gather(data)?;
            self.begun += taken;
            match Pin::new(&mut self.stream).poll_flush(cx) {
                Poll::Ready(Err(cause)) => return Poll::Ready(Err(cause)),
                // TLS was full of what had been taken before.
                Poll::Ready(Ok(())) if taken == 0 => {}
                Poll::Pending if taken == 0 => return Poll::Pending,
                Poll::Ready(Ok(())) | Poll::Pending => return Poll::Ready(Ok(taken)),
            }
        }
    }
}

fn gather(mut writer: Writer<'_>, data: &[u8]) -> io::Result<usize> {
    let mut taken = 0;
    for piece in data.chunks(SMALL) {
        let count = writer.write(piece)?;
        taken += count;
        if count < piece.len() {
            break;
        }
    }
    Ok(taken)
}

impl AsyncRead for Secured {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let secured = self.get_mut();
        if data.len() <= SMALL {
            return Pin::new(&mut secured.stream).poll_write(cx, data);
        }
        let beginning = secured.beginning();
        if beginning > 0 {
            return secured.poll_begin(cx, data.get(..beginning).unwrap_or(data));
        }
        // In pieces, of which TLS makes full records all the same.
        let pieces: ArrayVec<_, MOST> = data.chunks(PIECE).take(MOST).map(IoSlice::new).collect();
        Pin::new(&mut secured.stream).poll_write_vectored(cx, &pieces)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let secured = self.get_mut();
        let (wire, tls) = secured.stream.get_ref();
        // A socket holds nothing back.
        if !tls.wants_write() && matches!(wire, Wire::Tcp(_) | Wire::Unix(_)) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut secured.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
