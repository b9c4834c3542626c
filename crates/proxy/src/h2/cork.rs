//! The I/O under `h2`: what it writes is gathered, and leaves in one piece when the connection's task is about to
//! wait.
//!
//! The tasks of all streams that are ready run before their connection's task does, so that one encryption and one
//! send carry all their answers. A cork that has gathered enough really writes, and its socket's `Pending` is then
//! the streams' back-pressure. While nothing is gathered no buffer is held.

use crate::deadline::Deadline;
use crate::h2::shim::Shim;
use crate::io::Io;
use crate::round_trip;
use crate::stock::Stock;
use parking_lot::{Mutex, MutexGuard};
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// When this much has gathered it is written.
const FULL: usize = 48 * 1024;

/// The most that is ever held.
const CAPACITY: usize = 64 * 1024;

/// How long a peer may take nothing of what has gathered.
const STALL: Duration = Duration::from_secs(30);

/// A connection's I/O; one handle is given to `h2`, the other stays with the connection's task.
pub(super) struct Cork<T>(Arc<Mutex<Corked<T>>>);

impl<T> Clone for Cork<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Corked<T> {
    io: T,
    stock: Arc<Stock>,
    gathered: Option<Vec<u8>>,
    /// How much of it was written.
    gone: usize,
    /// Whether `io` may hold bytes that it has taken and not sent.
    unflushed: bool,
    /// Whether `h2` was told to wait since the last look.
    refused: bool,
    shim: Shim,
    /// The last stream of ours that a peer may have seen.
    sent: Arc<AtomicU32>,
    /// How many bytes were written, to see whether a peer takes any.
    written: u64,
    stall: Deadline,
    stalled_at: Option<u64>,
}

/// A handle through which a connection's I/O is looked at. It keeps nothing open.
pub(super) struct Glimpse(Weak<Mutex<Corked<Io>>>);

impl Glimpse {
    /// The least round trip that the connection has seen of late.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        let corked = self.0.upgrade()?;
        let corked = corked.lock();
        round_trip::of_late(corked.io.wire())
    }
}

impl fmt::Debug for Glimpse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Glimpse").finish_non_exhaustive()
    }
}

impl Cork<Io> {
    /// A look at what lies under it.
    pub(super) fn glimpse(&self) -> Glimpse {
        Glimpse(Arc::downgrade(&self.0))
    }
}

impl<T> Cork<T> {
    /// The cork on `io`.
    pub(super) fn new(io: T, stock: Arc<Stock>) -> Self {
        Self(Arc::new(Mutex::new(Corked {
            io,
            stock,
            gathered: None,
            gone: 0,
            unflushed: false,
            refused: false,
            shim: Shim::new(),
            sent: Arc::default(),
            written: 0,
            stall: Deadline::default(),
            stalled_at: None,
        })))
    }

    /// The last stream of ours that the peer may have seen a part of; 0 for none.
    pub(super) fn sent(&self) -> Arc<AtomicU32> {
        Arc::clone(&self.lock().sent)
    }

    /// Whether the peer has to go; nothing more is read from it then.
    pub(super) fn is_broken(&self) -> bool {
        self.lock().shim.is_broken()
    }

    /// Whether the peer's first SETTINGS have come.
    pub(super) fn is_settled(&self) -> bool {
        self.lock().shim.is_settled()
    }

    /// Whether the peer has said that it takes no further streams.
    pub(super) fn is_going_away(&self) -> bool {
        self.lock().shim.is_going_away()
    }

    fn lock(&self) -> MutexGuard<'_, Corked<T>> {
        self.0.lock()
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Cork<T> {
    /// Sends what has gathered. Ready with `true` when `h2` was refused meanwhile and may go on now.
    ///
    /// # Errors
    /// The peer takes no more, or has not taken a byte for [`STALL`]. Nothing else bounds how long it may let what its
    /// windows allowed lie here.
    pub(super) fn poll_drain(&self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut corked = self.lock();
        if let Poll::Ready(drained) = corked.poll_empty(cx) {
            corked.stalled_at = None;
            drained?;
            return Poll::Ready(Ok(std::mem::take(&mut corked.refused)));
        }
        ready!(corked.poll_stall(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Corked<T> {
    fn poll_empty(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(gathered) = &mut self.gathered {
            self.sent.store(self.shim.opened(), Ordering::Relaxed);
            self.unflushed = true;
            while let Some(rest @ [_, ..]) = gathered.get(self.gone..) {
                let count = ready!(Pin::new(&mut self.io).poll_write(cx, rest))?;
                if count == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.gone += count;
                self.written += count as u64;
            }
            self.gone = 0;
        }
        if let Some(gathered) = self.gathered.take() {
            self.stock.give_back(gathered);
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.io).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_stall(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.stalled_at != Some(self.written) {
            self.stalled_at = Some(self.written);
            self.stall.set(Some(STALL));
        }
        self.stall.poll(cx)
    }

    fn gather(&mut self, bytes: &[u8]) -> usize {
        let gathered = self.gathered.get_or_insert_with(|| self.stock.lend());
        gathered.drain(..std::mem::take(&mut self.gone));
        let taken = bytes.get(..CAPACITY.saturating_sub(gathered.len())).unwrap_or(bytes);
        if taken.len() > gathered.capacity() - gathered.len() {
            gathered.reserve(CAPACITY - gathered.len());
        }
        gathered.extend_from_slice(taken);
        self.shim.goes(taken);
        taken.len()
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Cork<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut corked = self.lock();
        if corked.shim.is_broken() {
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut corked.io).poll_read(cx, buffer))?;
        if corked.shim.came(buffer.filled().get(before..).unwrap_or(&[])) {
            return Poll::Ready(Ok(()));
        }
        // The connection's task asks about faults after each turn, so nobody need be woken.
        buffer.set_filled(before);
        Poll::Pending
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Cork<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut corked = self.lock();
        let is_full =
            |corked: &Corked<T>| corked.gathered.as_ref().is_some_and(|it| it.len() - corked.gone >= FULL);
        if is_full(&corked)
            && let Poll::Ready(Err(error)) = corked.poll_empty(cx)
        {
            return Poll::Ready(Err(error));
        }
        if is_full(&corked) {
            corked.refused = true;
            return Poll::Pending;
        }
        Poll::Ready(Ok(corked.gather(bytes)))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut corked = self.lock();
        ready!(corked.poll_empty(cx))?;
        Pin::new(&mut corked.io).poll_shutdown(cx)
    }
}
