//! What is received and sent by a TCP socket, past what the C library does around each call for a thread that another might cancel,
//! and with one look at the reactor's word for each call.

use rustix::buffer::spare_capacity;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use std::io::{self, ErrorKind};
use std::task::{Context, Poll, ready};
use tokio::io::{Interest, ReadBuf};
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

/// As the stream's own way of reading.
pub(crate) fn poll_receive(
    stream: &mut TcpStream,
    cx: &mut Context<'_>,
    buf: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    if buf.initialized().len() < buf.capacity() {
        return tokio::io::AsyncRead::poll_read(std::pin::Pin::new(stream), cx, buf);
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
