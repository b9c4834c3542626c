//! Slow bodies, either way: a trickle is cut, a pause of who was quick is not, and nothing piles up meanwhile.

use super::{GET, hasty, trickle};
use nearside_tests::raw::{Client, Talk};
use nearside_tests::wire::Fault;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

fn post(framing: &str) -> String {
    format!("POST /a HTTP/1.1\r\nHost: www.example.com\r\n{framing}\r\n\r\n")
}

/// What comes of a body of which this comes every moment.
fn trickled(framing: &str, piece: &str) {
    let mut client = Client::to(hasty().plain);
    client.send(post(framing).as_bytes());
    let sent = trickle(&mut client, (0..200).map(|_| piece.as_bytes().to_vec()));
    assert!(sent < 200, "all of it was waited for");
    assert_eq!(client.answer("POST").unwrap().status(), 408);
    client.rest().unwrap();
    let heard = hasty().backend.all(client.port());
    assert!(heard.iter().all(|heard| heard.requests() == Err(Fault::Partial)), "{heard:?}");
}

#[test]
fn an_upload_that_trickles_is_not_waited_for() {
    trickled("Content-Length: 1000", "x");
    let mut client = Client::to(hasty().plain);
    client.send(post("Content-Length: 1000").as_bytes());
    client.send(&[b'x'; 1000]);
    assert_eq!(client.answer("POST").unwrap().status(), 200);
}

#[test]
fn chunks_that_trickle_are_not_waited_for() {
    trickled("Transfer-Encoding: chunked", "1\r\nx\r\n");
    let mut client = Client::to(hasty().plain);
    client.send(post("Transfer-Encoding: chunked").as_bytes());
    client.send(b"1\r\nx\r\n0\r\n\r\n");
    assert_eq!(client.answer("POST").unwrap().status(), 200);
}

#[test]
fn an_upload_that_does_not_begin_is_not_waited_for() {
    let mut client = Client::to(hasty().plain);
    client.send(post("Content-Length: 5").as_bytes());
    assert_eq!(client.answer("POST").unwrap().status(), 408);
    client.rest().unwrap();
    let mut client = Client::to(hasty().plain);
    client.send(format!("{}hello", post("Content-Length: 5")).as_bytes());
    assert_eq!(client.answer("POST").unwrap().status(), 200);
}

#[test]
fn an_upload_that_was_quick_may_pause() {
    let mut client = Client::to(hasty().plain);
    client.send(post("Content-Length: 10001").as_bytes());
    client.send(&[b'x'; 10_000]);
    // Longer than the grace, shorter than a body may pause.
    std::thread::sleep(Duration::from_millis(2500));
    client.send(b"x");
    assert_eq!(client.answer("POST").unwrap().status(), 200);
    super::passes();
}

/// More than all the buffers on the way hold.
const LARGE: usize = 64 << 20;

/// A client before a backend with a large answer; how much of it the backend could send.
fn asked() -> (Client, Arc<AtomicUsize>) {
    let mut client = Client::to(hasty().plain);
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    hasty().backend.answer(
        client.port(),
        Arc::new(move |talk: &mut Talk| {
            talk.request();
            talk.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n").as_bytes());
            let piece = vec![b'x'; 64 << 10];
            for _ in 0..LARGE / piece.len() {
                if !talk.try_send(&piece) {
                    return;
                }
                counted.fetch_add(piece.len(), Ordering::SeqCst);
            }
        }),
    );
    client.send(GET.as_bytes());
    (client, sent)
}

#[test]
fn an_answer_that_nobody_takes_is_cut_and_the_backend_held_back() {
    let (mut client, sent) = asked();
    let heard = hasty().backend.wait(client.port(), |heard| heard.iter().any(|one| one.ended));
    assert!(heard.iter().all(|one| one.ended), "the backend is waited for still");
    assert!(sent.load(Ordering::SeqCst) < LARGE / 2, "{} bytes pile up", sent.load(Ordering::SeqCst));
    assert_eq!(client.answer("GET"), Err(Fault::Partial));
    let (mut client, _) = asked();
    assert_eq!(client.answer("GET").unwrap().body.len(), LARGE);
}

#[test]
fn an_answer_that_is_taken_by_the_byte_is_cut() {
    let (mut client, sent) = asked();
    let mut taken = 0;
    // Ten bytes a second, which is a hundredth of what it has to be.
    while taken < 200 && !hasty().backend.heard(client.port()).iter().any(|one| one.ended) {
        taken += client.stream().read(&mut [0]).unwrap_or(0);
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(taken < 200, "it goes on");
    assert!(sent.load(Ordering::SeqCst) < LARGE / 2, "{} bytes pile up", sent.load(Ordering::SeqCst));
    assert!(client.rest().unwrap().len() < LARGE);
    let (mut client, _) = asked();
    assert_eq!(client.answer("GET").unwrap().body.len(), LARGE);
}

#[test]
fn a_backend_that_stops_within_an_answer_is_cut() {
    let mut client = Client::to(hasty().plain);
    hasty().backend.answer(
        client.port(),
        Arc::new(|talk: &mut Talk| {
            talk.request();
            talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello");
            talk.hear_out();
        }),
    );
    client.send(GET.as_bytes());
    assert_eq!(client.answer("GET"), Err(Fault::Partial));
    super::passes();
}
