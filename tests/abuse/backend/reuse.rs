//! Which connections to backends are used again: those of which nobody can doubt where the next answer starts.

use crate::case::{Front, checks};
use nearside_tests::raw::{Client, NOBODY, OK, Talk};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: www.example.com\r\n\r\n";
const HEAD: &[u8] = b"HEAD /a HTTP/1.1\r\nHost: www.example.com\r\n\r\n";

/// How many connections a backend gets of a client that sends this and then a GET, when it says `first` to the first
/// request, and what is lawful to all others.
fn connections(front: &Front<'_>, request: &[u8], first: &'static [u8]) -> usize {
    let mut client = Client::to(front.address);
    let port = client.port();
    front.backend.answer(
        port,
        Arc::new(move |talk: &mut Talk| {
            let mut says = if talk.number == 0 { first } else { OK };
            while talk.request().is_some() {
                talk.send(says);
                says = OK;
            }
        }),
    );
    let method = if request.starts_with(b"HEAD") { "HEAD" } else { "GET" };
    for (request, method) in [(request, method), (GET, "GET")] {
        client.send(request);
        let answer = client.answer(method).unwrap();
        assert!(answer.status() < 400, "{answer:?}");
        assert!(answer.get("x-evil").is_none(), "another's answer: {answer:?}");
    }
    drop(client);
    let heard = front.backend.all(port);
    let requests: usize = heard.iter().map(|heard| heard.requests().unwrap().len()).sum();
    assert_eq!(requests, 2, "{heard:?}");
    heard.len()
}

/// A connection is not used again after this, and is after a lawful answer.
fn spent(front: &Front<'_>, request: &[u8], first: &'static [u8]) {
    assert_eq!(connections(front, request, first), 2, "{}", first.escape_ascii());
    assert_eq!(connections(front, GET, OK), 1);
}

checks! {
    fn bytes_behind_an_answer_are_not_the_next_one(front) {
        spent(front, GET, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nX-Evil: 1\r\nContent-Length: 0\r\n\r\n");
    }
    fn a_body_behind_head_is_not_the_next_answer(front) {
        spent(front, HEAD, b"HTTP/1.1 200 OK\r\nContent-Length: 49\r\n\r\nHTTP/1.1 200 OK\r\nX-Evil: 1\r\nContent-Length: 0\r\n\r\n");
    }
    fn a_body_behind_204_is_not_the_next_answer(front) {
        spent(front, GET, b"HTTP/1.1 204 No Content\r\nContent-Length: 49\r\n\r\nHTTP/1.1 200 OK\r\nX-Evil: 1\r\nContent-Length: 0\r\n\r\n");
    }
    fn a_length_of_204_leaves_a_doubt(front) {
        spent(front, GET, b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n");
    }
    fn an_answer_that_says_close_is_the_last(front) {
        spent(front, GET, b"HTTP/1.1 200 OK\r\nConnection: X-A, Close\r\nContent-Length: 2\r\n\r\nok");
    }
    fn an_answer_of_1_0_is_the_last(front) {
        spent(front, GET, b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }

    fn an_answer_that_nobody_asked_for_is_nobody_s(front) {
        let mut client = Client::to(front.address);
        let (port, said) = (client.port(), Arc::new(AtomicBool::new(false)));
        let saying = Arc::clone(&said);
        front.backend.answer(port, Arc::new(move |talk: &mut Talk| {
            talk.request();
            talk.send(OK);
            if talk.number == 0 {
                // In a packet of its own, when the connection is idle already.
                talk.pause(Duration::from_millis(100));
                talk.send(b"HTTP/1.1 200 OK\r\nX-Evil: 1\r\nContent-Length: 4\r\n\r\nevil");
                saying.store(true, Ordering::SeqCst);
                talk.hear_out();
            }
        }));
        client.send(GET);
        assert_eq!(client.answer("GET").unwrap().body, b"ok");
        while !said.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        client.send(GET);
        assert_eq!(client.answer("GET").unwrap().body, b"ok");
        drop(client);
        assert_eq!(front.backend.all(port).len(), 2);
        assert_eq!(connections(front, GET, OK), 1);
    }

    fn an_answer_before_the_request_was_sent_is_the_last(front) {
        let mut client = Client::to(front.address);
        let port = client.port();
        front.backend.answer(port, Arc::new(|talk: &mut Talk| {
            if talk.number == 0 {
                talk.head();
            } else {
                talk.request();
            }
            talk.send(OK);
            while talk.request().is_some() {}
        }));
        client.send(b"POST /a HTTP/1.1\r\nHost: www.example.com\r\nContent-Length: 10\r\n\r\nhello");
        assert_eq!(client.answer("POST").unwrap().body, b"ok");
        client.send(b"world");
        client.send(GET);
        assert_eq!(client.answer("GET").unwrap().body, b"ok");
        drop(client);
        let heard = front.backend.all(port);
        assert_eq!(heard.len(), 2, "{heard:?}");
        assert_eq!(heard[1].requests().unwrap().len(), 1, "{heard:?}");
        assert_eq!(connections(front, b"POST /a HTTP/1.1\r\nHost: www.example.com\r\nContent-Length: 5\r\n\r\nhello", OK), 1);
    }

    fn a_post_is_not_sent_twice_and_a_get_is(front) {
        for (method, statuses, sent) in [("POST", [200, 502], 2), ("GET", [200, 200], 3)] {
            let mut client = Client::to(front.address);
            let port = client.port();
            front.backend.answer(port, Arc::new(|talk: &mut Talk| {
                talk.request();
                talk.send(OK);
                // On the first connection the second request is read, and not answered.
                talk.request();
            }));
            let request = format!("{method} /a HTTP/1.1\r\nHost: www.example.com\r\nContent-Length: 5\r\n\r\nhello");
            for status in statuses {
                client.send(request.as_bytes());
                assert_eq!(client.answer("GET").unwrap().status(), status, "{method}");
            }
            drop(client);
            let heard = front.backend.all(port);
            let requests: usize = heard.iter().map(|heard| heard.requests().unwrap().len()).sum();
            assert_eq!(requests, sent, "{method}: {heard:?}");
        }
    }
}

#[test]
fn two_pools_never_share_a_connection_although_their_backend_is_one() {
    let stage = crate::setting::stage();
    let mut client = Client::to(stage.plain);
    for host in ["one", "other", "one", "other"] {
        client.send(format!("GET /a HTTP/1.1\r\nHost: {host}.shop.example.com\r\n\r\n").as_bytes());
        assert_eq!(client.answer("GET").unwrap().status(), 200);
    }
    // No client is announced to these.
    let heard = stage.backend.heard(NOBODY);
    let hosts: Vec<Vec<String>> = heard
        .iter()
        .map(|heard| {
            let requests = heard.requests().unwrap();
            requests.iter().map(|request| request.get("host").unwrap().to_owned()).collect()
        })
        .collect();
    assert_eq!(hosts, [["one.shop.example.com"; 2], ["other.shop.example.com"; 2]]);
}
