//! A byte stream to a client or a backend: TCP, TCP at a simulated distance or a Unix socket,
//! with TLS or without.

use crate::dial::far::Far;
use crate::secured::Secured;
use crate::socket;
use socket2::SockRef;
use std::future::Future;
use std::io;
use std::os::fd::AsFd;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// What lies under TLS.
#[derive(Debug)]
pub enum Wire {
    /// A socket.
    Tcp(TcpStream),
    /// A socket at a simulated distance.
    Far(Box<Far>),
    /// A Unix socket.
    Unix(UnixStream),
}

impl Wire {
    /// The socket.
    #[must_use]
    pub fn socket(&self) -> SockRef<'_> {
        match self {
            Self::Tcp(stream) => SockRef::from(stream),
            Self::Far(far) => SockRef::from(far.tcp()),
            Self::Unix(stream) => SockRef::from(stream),
        }
    }

    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => socket::poll_readable(stream, cx),
            Self::Unix(stream) => stream.poll_read_ready(cx),
            Self::Far(_) => Poll::Ready(Ok(())),
        }
    }

    /// Moves it over from another runtime to the caller's, which wakes whoever waits for it from now on.
    fn settle(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => {
                let same = stream.as_fd().try_clone_to_owned()?;
                *stream = TcpStream::from_std(same.into())?;
            }
            Self::Unix(stream) => {
                let same = stream.as_fd().try_clone_to_owned()?;
                *stream = UnixStream::from_std(same.into())?;
            }
            // Tasks carry its bytes, wherever they are read.
            Self::Far(_) => {}
        }
        Ok(())
    }
}

/// A stream that can say whether there is something to be read before anyone makes room for it.
pub(crate) trait Readable: AsyncRead + Unpin {
    /// Ready when a read may find bytes, the end or an error.
    fn poll_readable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Reads into the room that `buffer` has; 0 is the end of the stream.
    fn poll_fill(&mut self, cx: &mut Context<'_>, buffer: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        pin!(self.read_buf(buffer)).poll(cx)
    }
}

impl Readable for Io {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(wire) => wire.poll_readable(cx),
            Self::Tls(tls) if tls.is_silent() => tls.wire().poll_readable(cx),
            Self::Tls(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>, buffer: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(Wire::Tcp(stream)) => socket::poll_fill(stream, cx, buffer),
            io => pin!(io.read_buf(buffer)).poll(cx),
        }
    }
}

/// A connection as the engine reads and writes it.
#[derive(Debug)]
pub enum Io {
    /// Without TLS.
    Plain(Wire),
    /// With TLS; boxed, so that an idle plain connection does not pay for it.
    Tls(Box<Secured>),
}

impl Io {
    /// What lies under TLS.
    #[must_use]
    pub fn wire(&self) -> &Wire {
        match self {
            Self::Plain(wire) => wire,
            Self::Tls(tls) => tls.wire(),
        }
    }

    /// The socket.
    #[must_use]
    pub fn socket(&self) -> SockRef<'_> {
        self.wire().socket()
    }

    /// Moves it over from another runtime to the caller's, which wakes whoever waits for it from now on.
    ///
    /// # Errors
    /// The system has no descriptor left for the move.
    pub(crate) fn settle(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(wire) => wire.settle(),
            Self::Tls(tls) => tls.wire_mut().settle(),
        }
    }

    /// The protocol that ALPN chose.
    #[must_use]
    pub fn alpn(&self) -> Option<&[u8]> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(tls) => tls.alpn(),
        }
    }
}

/// A TCP socket is read and written in a way of our own.
macro_rules! receive {
    (Tcp, $inner:expr, $cx:expr, $buf:expr) => {
        socket::poll_receive($inner, $cx, $buf)
    };
    ($other:ident, $inner:expr, $cx:expr, $buf:expr) => {
        Pin::new($inner).poll_read($cx, $buf)
    };
}

macro_rules! send {
    (Tcp, $inner:expr, $cx:expr, $buf:expr) => {
        socket::poll_send($inner, $cx, $buf)
    };
    ($other:ident, $inner:expr, $cx:expr, $buf:expr) => {
        Pin::new($inner).poll_write($cx, $buf)
    };
}

macro_rules! delegate {
    ($type:ty, $($variant:ident),+) => {
        impl AsyncRead for $type {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                match self.get_mut() { $(Self::$variant(inner) => receive!($variant, inner, cx, buf),)+ }
            }
        }

        impl AsyncWrite for $type {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                match self.get_mut() { $(Self::$variant(inner) => send!($variant, inner, cx, buf),)+ }
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[io::IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                // TLS writes every record so, and to write one piece costs the kernel less than a list of one.
                if let [only] = bufs {
                    return self.poll_write(cx, only);
                }
                match self.get_mut() {
                    $(Self::$variant(inner) => Pin::new(inner).poll_write_vectored(cx, bufs),)+
                }
            }

            fn is_write_vectored(&self) -> bool {
                match self { $(Self::$variant(inner) => inner.is_write_vectored(),)+ }
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() { $(Self::$variant(inner) => Pin::new(inner).poll_flush(cx),)+ }
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() { $(Self::$variant(inner) => Pin::new(inner).poll_shutdown(cx),)+ }
            }
        }
    };
}

delegate!(Wire, Tcp, Far, Unix);
delegate!(Io, Plain, Tls);
