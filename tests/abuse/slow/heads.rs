//! Slow heads: there is one deadline for all of it, however often something comes.

use super::{GET, bytes, hasty, passes, trickle};
use nearside_tests::raw::{Client, OK, Talk};
use std::sync::Arc;

#[test]
fn a_head_that_trickles_is_not_waited_for() {
    let mut client = Client::to(hasty().plain);
    let head = GET.replace("\r\n\r\n", &"\r\nX-A: b".repeat(100));
    let sent = trickle(&mut client, bytes(&head));
    assert!(sent < head.len(), "all of it was waited for");
    assert_eq!(client.answer("GET").unwrap().status(), 408);
    assert_eq!(client.rest(), Ok(&b""[..]));
    assert!(hasty().backend.all(client.port()).is_empty());
    passes();
}

#[test]
fn a_head_that_comes_in_pieces_but_in_time_is() {
    let mut client = Client::to(hasty().plain);
    let (one, two) = GET.split_at(20);
    trickle(&mut client, [one, two].into_iter().map(|piece| piece.as_bytes().to_vec()));
    assert_eq!(client.answer("GET").unwrap().status(), 200);
}

#[test]
fn fields_that_come_one_by_one_have_the_same_deadline() {
    let mut client = Client::to(hasty().plain);
    client.send(GET.trim_end().as_bytes());
    let fields = (0..90).map(|number| format!("\r\nX-{number}: a").into_bytes());
    assert!(trickle(&mut client, fields) < 90, "all of them were waited for");
    assert_eq!(client.answer("GET").unwrap().status(), 408);
    assert_eq!(client.rest(), Ok(&b""[..]));
    passes();
}

#[test]
fn a_second_head_that_trickles_is_not_waited_for_either() {
    let mut client = Client::to(hasty().plain);
    client.send(GET.as_bytes());
    assert_eq!(client.answer("GET").unwrap().status(), 200);
    let sent = trickle(&mut client, bytes(&GET.repeat(10)).take(GET.len() - 1));
    assert!(sent < GET.len() - 1, "all of it was waited for");
    assert_eq!(client.answer("GET").unwrap().status(), 408);
    client.rest().unwrap();
    assert_eq!(hasty().backend.all(client.port())[0].requests().unwrap().len(), 1);
    passes();
}

#[test]
fn a_client_that_says_nothing_is_sent_away_without_a_word() {
    let mut client = Client::to(hasty().plain);
    assert_eq!(client.rest(), Ok(&b""[..]));
    assert_eq!(client.ended, Some(true));
    passes();
}

#[test]
fn a_client_that_has_nothing_more_to_say_is_sent_away_without_a_word() {
    let mut client = Client::to(hasty().plain);
    client.send(GET.as_bytes());
    assert_eq!(client.answer("GET").unwrap().status(), 200);
    assert_eq!(client.rest(), Ok(&b""[..]));
    assert_eq!(client.ended, Some(true));
    passes();
}

#[test]
fn a_backend_whose_head_trickles_is_not_waited_for() {
    let mut client = Client::to(hasty().plain);
    let backend = &hasty().backend;
    backend.answer(
        client.port(),
        Arc::new(|talk: &mut Talk| {
            talk.request();
            for byte in b"HTTP/1.1 200 OK\r\nX-A: a long line that takes its time to arrive here\r\n" {
                talk.send(&[*byte]);
                talk.pause(std::time::Duration::from_millis(100));
            }
        }),
    );
    client.send(GET.as_bytes());
    assert_eq!(client.answer("GET").unwrap().status(), 504);
    assert!(backend.all(client.port()).iter().all(|one| one.requests().unwrap().len() == 1));
    let mut client = Client::to(hasty().plain);
    backend.answer(
        client.port(),
        Arc::new(|talk: &mut Talk| {
            talk.request();
            let (one, two) = OK.split_at(20);
            talk.send(one);
            talk.pause(std::time::Duration::from_millis(100));
            talk.send(two);
        }),
    );
    client.send(GET.as_bytes());
    assert_eq!(client.answer("GET").unwrap().status(), 200);
}
