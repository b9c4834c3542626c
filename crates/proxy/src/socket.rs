//! What is received and sent by a TCP socket, past what the C library does around each call for a thread that another might cancel,
//! and with one look at the reactor's word for each call.

use nix::sys::socket::SetSockOpt;
use nix::sys::socket::sockopt::SetUsize;
use rustix::buffer::spare_capacity;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::coop;

/// Ready when a read may find bytes, the end or an error.
pub(crate) fn poll_readable(stream: &TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    match stream.try_io(Interest::READABLE, || Ok(())) {
        Ok(()) => Poll::Ready(Ok(())),
        Err(_) => stream.poll_read_ready(cx),
    }
}

/// Receives into the room that `buffer` has; 0 is the end of the stream.
pub(crate) fn poll_fill(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    buffer: &mut Vec<u8>,
) -> Poll<io::Result<usize>> {
    let room = buffer.capacity() - buffer.len();
    poll(stream, cx, room, || Ok(recv(stream, spare_capacity(buffer), RecvFlags::empty())?.1))
}

/// As the stream's own way of reading, which is left to it where the room is not initialised.
pub(crate) fn poll_receive(
    stream: &mut TcpStream,
    cx: &mut Context<'_>,
    buf: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    if buf.initialized().len() < buf.capacity() {
        return Pin::new(stream).poll_read(cx, buf);
    }
    let room = buf.initialize_unfilled();
    let count =
        ready!(poll(stream, cx, room.len(), || Ok(recv(&*stream, &mut *room, RecvFlags::empty())?.1)))?;
    buf.advance(count);
    Poll::Ready(Ok(()))
}

/// Receives by `receive`, into so much room.
fn poll(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    room: usize,
    mut receive: impl FnMut() -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    let budget = ready!(coop::poll_proceed(cx));
    loop {
        let mut count = 0;
        let received = stream.try_io(Interest::READABLE, || {
            count = receive()?;
            // Less than there is room for is all there is: said so, the reactor need not be asked once more.
            if 0 < count && count < room { Err(ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        match received {
            Err(error) if count == 0 && error.kind() == ErrorKind::WouldBlock => {
                ready!(stream.poll_read_ready(cx))?;
            }
            Err(error) if count == 0 => return Poll::Ready(Err(error)),
            Ok(()) | Err(_) => {
                budget.made_progress();
                return Poll::Ready(Ok(count));
            }
        }
    }
}

/// How many bytes have to be there before a socket can be read.
#[derive(Clone)]
struct ReceiveLowWater;

nix::setsockopt_impl!(ReceiveLowWater, libc::SOL_SOCKET, libc::SO_RCVLOWAT, usize, SetUsize);

/// From now on the reactor tells that there is something to read once so many bytes are there, the end or an error (socket(7),
/// `SO_RCVLOWAT`); of what is there already it tells at once.
pub(crate) fn set_low_water(stream: &TcpStream, bytes: usize) -> io::Result<()> {
    Ok(ReceiveLowWater.set(stream, &bytes)?)
}

/// Sends some of `data`.
pub(crate) fn poll_send(stream: &TcpStream, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
    loop {
        let sent = stream.try_io(Interest::WRITABLE, || Ok(send(stream, data, SendFlags::NOSIGNAL)?));
        match sent {
            Err(error) if error.kind() == ErrorKind::WouldBlock => ready!(stream.poll_write_ready(cx))?,
            sent => return Poll::Ready(sent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        (near.unwrap(), far.unwrap().0)
    }

    /// What comes next, read into so much room by one of both ways.
    async fn next(near: &mut TcpStream, room: usize, is_filled: bool) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(room);
        if is_filled {
            let mut space = vec![0; room];
            poll_fn(|cx| {
                let mut buf = ReadBuf::new(&mut space);
                ready!(poll_receive(near, cx, &mut buf))?;
                bytes.extend_from_slice(buf.filled());
                Poll::Ready(io::Result::Ok(()))
            })
            .await
            .unwrap();
        } else {
            poll_fn(|cx| poll_fill(near, cx, &mut bytes)).await.unwrap();
        }
        bytes
    }

    #[tokio::test]
    async fn all_that_comes_is_read_in_pieces_whole_and_to_the_end() {
        for is_filled in [false, true] {
            let (mut near, mut far) = pair().await;
            for text in ["first", "a second one"] {
                // Nothing is there: whoever waits is woken by what comes.
                assert!(poll_fn(|cx| Poll::Ready(poll_readable(&near, cx).is_pending())).await, "{text}");
                far.write_all(text.as_bytes()).await.unwrap();
                poll_fn(|cx| poll_readable(&near, cx)).await.unwrap();
                let (piece, rest) = text.split_at(4);
                assert_eq!(next(&mut near, 4, is_filled).await, piece.as_bytes());
                assert_eq!(next(&mut near, 99, is_filled).await, rest.as_bytes());
            }
            far.write_all(b"last").await.unwrap();
            drop(far);
            assert_eq!(next(&mut near, 99, is_filled).await, b"last");
            assert_eq!(next(&mut near, 99, is_filled).await, b"");
        }
    }

    #[tokio::test]
    async fn what_is_sent_waits_for_who_does_not_read() {
        let (near, mut far) = pair().await;
        let data = vec![7; 1 << 20];
        let mut sent = 0;
        while let Poll::Ready(count) = poll_fn(|cx| Poll::Ready(poll_send(&near, cx, &data))).await {
            sent += count.unwrap();
        }
        let reader = tokio::spawn(async move {
            let mut heard = Vec::new();
            far.read_to_end(&mut heard).await.map(|_| heard.len())
        });
        sent += poll_fn(|cx| poll_send(&near, cx, &data)).await.unwrap();
        drop(near);
        assert_eq!(reader.await.unwrap().unwrap(), sent);
    }

    #[tokio::test]
    async fn who_always_finds_something_lets_others_run() {
        let (near, mut far) = pair().await;
        far.write_all(&[7; 1000]).await.unwrap();
        let task = tokio::spawn(async move {
            poll_fn(|cx| poll_readable(&near, cx)).await.unwrap();
            let mut byte = Vec::with_capacity(1);
            let mut read = |cx: &mut Context<'_>| {
                byte.clear();
                poll_fill(&near, cx, &mut byte).is_ready()
            };
            poll_fn(|cx| Poll::Ready((0..1000).take_while(|_| read(cx)).count())).await
        });
        assert!((1..1000).contains(&task.await.unwrap()));
    }
}
