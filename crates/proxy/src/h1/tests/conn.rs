//! How long a piece of a body may lie unread, by a clock that moves when nothing else does; and what is sent at once.

use super::*;
use crate::h1::conn::Conn;
use std::task::{Context, Poll};
use tokio::time::Instant;

const KIB: usize = 1024;

/// More than is waited for.
const MUCH: u64 = 10_000_000;

/// Near's end, of which much was read at once and all of it, with so many bytes still to come; and the far end.
async fn fast(left: u64) -> (Conn, TcpStream) {
    let (io, mut far) = wire().await;
    let mut near = Conn::new(io, Arc::default());
    far.write_all(&[7; 72 * KIB]).await.unwrap();
    for count in [8 * KIB, 64 * KIB] {
        let left = left + 72 * KIB as u64;
        assert_eq!(poll_fn(|cx| near.poll_read_body(left, cx)).await.unwrap(), count);
        near.consume(count);
    }
    assert!(poll_fn(|cx| Poll::Ready(near.poll_read_body(left, cx).is_pending())).await);
    (near, far)
}

/// How long 10 KiB lie before they are read, of a body or of whatever follows it.
async fn lie(near: &mut Conn, far: &mut TcpStream, left: Option<u64>) -> Duration {
    far.write_all(&[7; 10 * KIB]).await.unwrap();
    let start = Instant::now();
    let read = |cx: &mut Context<'_>| match left {
        Some(left) => near.poll_read_body(left, cx),
        None => near.poll_read(cx),
    };
    assert_eq!(patiently(poll_fn(read)).await.unwrap(), 10 * KIB);
    near.consume(10 * KIB);
    start.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_piece_of_what_came_fast_lies_for_a_moment_and_once() {
    let (mut near, mut far) = fast(MUCH).await;
    let first = lie(&mut near, &mut far, Some(MUCH)).await;
    assert!((4..=5).contains(&first.as_millis()), "{first:?}");
    assert_eq!(lie(&mut near, &mut far, Some(MUCH)).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn the_last_pieces_and_the_next_message_do_not_lie() {
    let (mut near, mut far) = fast(100_000).await;
    assert_eq!(lie(&mut near, &mut far, Some(90_000)).await, Duration::ZERO);
    let (mut near, mut far) = fast(MUCH).await;
    assert_eq!(lie(&mut near, &mut far, None).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn the_end_is_told_at_once() {
    let (mut near, far) = fast(MUCH).await;
    drop(far);
    let start = Instant::now();
    assert_eq!(poll_fn(|cx| near.poll_read_body(MUCH, cx)).await.unwrap(), 0);
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn what_was_gathered_and_a_large_piece_leave_whole_however_little_is_taken_at_once() {
    let bytes: Vec<u8> = (0..900_000).map(|at| (at % 251) as u8).collect();
    for gathered in [0, 1, 15_000, 70_000] {
        let (io, mut far) = wire().await;
        io.socket().set_send_buffer_size(4096).unwrap();
        let mut near = Conn::new(io, Arc::default());
        let mark = near.mark();
        let (first, mut rest) = bytes.split_at(gathered);
        near.output().extend_from_slice(first);
        let writing = async {
            while let [_, ..] = rest {
                let taken = poll_fn(|cx| near.poll_write(cx, rest)).await.unwrap();
                rest = &rest[taken..];
            }
            poll_fn(|cx| near.poll_shutdown(cx)).await.unwrap();
            assert!(!near.take_back(mark), "it has left");
        };
        let mut heard = Vec::new();
        let ((), read) = patiently(async { tokio::join!(writing, far.read_to_end(&mut heard)) }).await;
        assert!(read.unwrap() == bytes.len() && heard == bytes, "{gathered} gathered");
    }
}
