//! A socket at a simulated distance: what is written leaves half a round trip later, what arrives is readable half
//! a round trip later, and so are the ends.

use super::lane::Lane;
use crate::deadline::Deadline;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::AbortHandle;

/// The socket, and what is under way to and from it.
#[derive(Debug)]
pub struct Far {
    round_trip: Duration,
    outward: Arc<Lane>,
    inward: Arc<Lane>,
    timer: Deadline,
    arrivals: AbortHandle,
    socket: Arc<OwnedReadHalf>,
}

impl Far {
    /// Puts `stream` at a distance of `round_trip`.
    #[must_use]
    pub fn new(stream: TcpStream, round_trip: Duration) -> Self {
        let (read, write) = stream.into_split();
        let outward = Arc::new(Lane::new(round_trip / 2));
        let inward = Arc::new(Lane::new(round_trip - round_trip / 2));
        let socket = Arc::new(read);
        // Ends with the lane, which ends when this is dropped: what was written before still goes out.
        drop(tokio::spawn(send(Arc::clone(&outward), write)));
        let arrivals = tokio::spawn(receive(Arc::clone(&inward), Arc::clone(&socket))).abort_handle();
        Self { round_trip, outward, inward, timer: Deadline::default(), arrivals, socket }
    }

    /// The distance.
    #[must_use]
    pub fn round_trip(&self) -> Duration {
        self.round_trip
    }

    /// The socket.
    #[must_use]
    pub fn tcp(&self) -> &TcpStream {
        (*self.socket).as_ref()
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        self.arrivals.abort();
        self.outward.end(None);
    }
}

impl AsyncRead for Far {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let far = self.get_mut();
        far.inward.poll_pull(cx, &mut far.timer, buf)
    }
}

impl AsyncWrite for Far {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() { Poll::Ready(Ok(0)) } else { self.outward.poll_push(cx, buf) }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outward.end(None);
        Poll::Ready(Ok(()))
    }
}

/// Writes to the socket what comes off the lane.
async fn send(lane: Arc<Lane>, mut socket: OwnedWriteHalf) {
    let mut timer = Deadline::default();
    let mut piece = vec![0; 16 * 1024];
    loop {
        let mut buf = ReadBuf::new(&mut piece);
        let pulled = poll_fn(|cx| lane.poll_pull(cx, &mut timer, &mut buf)).await;
        let sent = match pulled {
            Ok(()) if !buf.filled().is_empty() => socket.write_all(buf.filled()).await,
            Ok(()) => return drop(socket.shutdown().await),
            Err(cause) => Err(cause),
        };
        if sent.is_err() {
            return lane.close();
        }
    }
}

/// Puts on the lane what the socket receives.
async fn receive(lane: Arc<Lane>, socket: Arc<OwnedReadHalf>) {
    let mut piece = vec![0; 16 * 1024];
    loop {
        let readable = socket.readable().await;
        let count = match readable.and_then(|()| socket.try_read(&mut piece)) {
            Ok(0) => return lane.end(None),
            Ok(count) => count,
            Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => continue,
            Err(cause) => return lane.end(Some(cause.kind())),
        };
        let mut rest = piece.get(..count).unwrap_or_default();
        while !rest.is_empty() {
            match poll_fn(|cx| lane.poll_push(cx, rest)).await {
                Ok(taken) => rest = rest.get(taken..).unwrap_or_default(),
                Err(_closed) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    const ROUND_TRIP: Duration = Duration::from_millis(80);

    async fn pair() -> (Far, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Far::new(near, ROUND_TRIP), listener.accept().await.unwrap().0)
    }

    #[tokio::test(start_paused = true)]
    async fn an_echo_takes_a_round_trip_and_so_does_the_end() {
        let (mut far, mut peer) = pair().await;
        let echo = tokio::spawn(async move {
            let mut buf = [0; 5];
            peer.read_exact(&mut buf).await.unwrap();
            let there = Instant::now();
            peer.write_all(&buf).await.unwrap();
            assert_eq!(peer.read(&mut buf).await.unwrap(), 0);
            (there, Instant::now())
        });
        let start = Instant::now();
        far.write_all(b"hel").await.unwrap();
        far.write_all(b"lo").await.unwrap();
        let mut buf = [0; 5];
        far.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"hello");
        let back = Instant::now();
        far.shutdown().await.unwrap();
        assert_eq!(far.read(&mut buf).await.unwrap(), 0);
        let (there, ended) = echo.await.unwrap();
        let millis = |to: Instant, from: Instant| (to - from).as_millis();
        assert_eq!((millis(there, start), millis(back, start)), (40, 80));
        assert_eq!((millis(ended, back), millis(Instant::now(), back)), (40, 80));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_written_before_the_drop_still_arrives() {
        let (mut far, mut peer) = pair().await;
        far.write_all(b"last words").await.unwrap();
        drop(far);
        let mut text = String::new();
        peer.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "last words");
    }

    #[tokio::test]
    async fn more_than_there_is_room_for_arrives_whole_and_in_order() {
        let (far, mut peer) = pair().await;
        let sent: Vec<u8> = (0..3_000_000_u32).flat_map(|n| n.to_le_bytes().into_iter().take(1)).collect();
        let (mut read, mut write) = tokio::io::split(far);
        let expected = sent.clone();
        let writing = tokio::spawn(async move {
            write.write_all(&sent).await.unwrap();
            write.shutdown().await.unwrap();
        });
        let echo = tokio::spawn(async move {
            let (mut from, mut to) = peer.split();
            tokio::io::copy(&mut from, &mut to).await.unwrap();
            to.shutdown().await.unwrap();
        });
        let mut got = Vec::new();
        read.read_to_end(&mut got).await.unwrap();
        assert!(got == expected);
        writing.await.unwrap();
        echo.await.unwrap();
    }
}
