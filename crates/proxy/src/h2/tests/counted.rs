//! What carrying a body costs, counted.

use crate::h2::client::Stream;
use crate::h2::hub::Hub;
use crate::h2::inbound::{Inbound, Opened};
use crate::h2::tests::kit::begin;
use crate::side::{Fill, Length, Sink, Source};
use nearside_http::h2::{Head, kind};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Allocations of so many runs, after some that let buffers grow.
fn allocations(mut run: impl FnMut()) -> u64 {
    (0..20).for_each(|_| run());
    allocation_counter::measure(|| (0..200).for_each(|_| run())).count_total
}

/// A stream that has begun, with all the room in the world.
fn stream() -> (Arc<Hub>, Stream) {
    let hub = Hub::new(Arc::default());
    let mut state = hub.lock();
    state.room = 1 << 30;
    state.slots.pass(1);
    let at = state.slots.begin(1, 1 << 20, 1 << 30);
    drop(state);
    let stream = Stream::new(Arc::clone(&hub), Opened { at, head: Box::default(), end: false });
    (hub, stream)
}

#[tokio::test]
async fn a_piece_of_an_answer_allocates_nothing() {
    let (hub, mut stream) = stream();
    begin(&mut stream, 200, Length::Unknown);
    let (piece, mut cx) = ([b'x'; 20_000], Context::from_waker(Waker::noop()));
    let count = allocations(|| {
        while let Poll::Ready(taken) = stream.poll_write(&mut cx, &piece) {
            assert!(taken.unwrap() > 0);
        }
        let mut state = hub.lock();
        let waiting = state.outbox.len();
        assert!(waiting >= 48 * 1024);
        // What is sent in two parts makes no difference.
        state.outbox.advance(waiting / 2);
        state.outbox.advance(waiting - waiting / 2);
        state.dismiss();
    });
    assert_eq!(count, 0);
}

#[tokio::test]
async fn a_piece_of_an_upload_allocates_nothing() {
    let (hub, mut stream) = stream();
    let (piece, mut cx) = ([b'x'; 16_384], Context::from_waker(Waker::noop()));
    let frame = |kind, payload: &[u8]| {
        let length = u32::try_from(payload.len()).unwrap();
        Head { length, kind, flags: 0, stream: if kind == kind::SETTINGS { 0 } else { 1 } }
    };
    let mut inbound = Inbound::default();
    inbound.look(frame(kind::SETTINGS, &[])).unwrap();
    let count = allocations(|| {
        for _ in 0..3 {
            let data = frame(kind::DATA, &piece);
            inbound.look(data).unwrap();
            assert!(inbound.take(&mut hub.lock(), data, &piece).unwrap().is_none());
        }
        let mut fetched = 0;
        while let Poll::Ready(filled) = stream.poll_fill(&mut cx) {
            assert_eq!(filled.unwrap(), Fill::Data);
            fetched += stream.data().len();
            stream.consume(stream.data().len());
        }
        assert_eq!(fetched, 3 * piece.len());
        let mut state = hub.lock();
        let waiting = state.outbox.len();
        state.outbox.advance(waiting);
    });
    assert_eq!(count, 0);
}
