//! Order: which bytes are whose. Two requests on one connection stay two, and what was not sent whole is none.

use crate::case::{Front, checks, get, one, post};
use crate::setting::seen;
use nearside_tests::raw::Client;
use nearside_tests::wire::Fault;

/// The answers to `bytes`, and how the connection ended.
fn answers(front: &Front<'_>, bytes: &str) -> (Vec<u16>, Option<bool>, u16) {
    let mut client = Client::to(front.address);
    client.send(bytes.as_bytes());
    client.finish();
    let mut statuses = Vec::new();
    while let Ok(answer) = client.answer("GET") {
        statuses.push(answer.status());
    }
    (statuses, client.ended, client.port())
}

/// What the backend saw, request by request.
fn requests(front: &Front<'_>, port: u16) -> Vec<String> {
    let heard = front.backend.all(port);
    let each = heard
        .iter()
        .flat_map(|heard| heard.requests().unwrap_or_else(|fault| panic!("{fault:?}: {heard:?}")));
    each.map(|request| request.text().lines().next().unwrap_or_default().to_owned()).collect()
}

checks! {
    fn two_requests_that_come_at_once_are_two_and_answered_in_order(front) {
        let (statuses, ended, port) = answers(front, &format!("{}{}", post("Content-Length: 5\r\n", "hello"), get("")));
        assert_eq!((statuses, ended), (vec![200, 200], Some(true)));
        assert_eq!(requests(front, port), ["POST /a HTTP/1.1", "GET /a HTTP/1.1"]);
    }

    fn what_follows_a_body_is_judged_as_a_request_of_its_own(front) {
        let (statuses, ended, port) = answers(front, &post("Content-Length: 0\r\n", "hello\r\n\r\n"));
        assert_eq!((statuses, ended), (vec![200, 400], Some(true)));
        assert_eq!(requests(front, port), ["POST /a HTTP/1.1"]);
        let (statuses, _, port) = answers(front, &post("Content-Length: 5\r\n", "hello"));
        assert_eq!((statuses, requests(front, port)), (vec![200], vec!["POST /a HTTP/1.1".to_owned()]));
    }

    fn a_refused_request_takes_those_behind_it_with_it(front) {
        let (statuses, ended, port) = answers(front, &format!("{}{}", get("X-A : b\r\n"), get("")));
        assert_eq!((statuses, ended), (vec![400], Some(true)));
        assert_eq!(requests(front, port), Vec::<String>::new());
        let (statuses, _, port) = answers(front, &format!("{}{}", get("X-A: b\r\n"), get("")));
        assert_eq!((statuses, requests(front, port).len()), (vec![200, 200], 2));
    }

    fn a_request_behind_chunks_begins_where_they_end(front) {
        let first = post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n");
        let (statuses, _, port) = answers(front, &format!("{first}{}", get("")));
        assert_eq!(statuses, [200, 200]);
        assert_eq!(requests(front, port), ["POST /a HTTP/1.1", "GET /a HTTP/1.1"]);
    }

    fn a_request_that_asks_for_http_2_does_not_hide_another(front) {
        let first = get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAA\r\n");
        let (statuses, _, port) = answers(front, &format!("{first}{}", get("")));
        assert_eq!(statuses, [200, 200]);
        assert_eq!(requests(front, port), ["GET /a HTTP/1.1", "GET /a HTTP/1.1"]);
    }

    fn a_body_that_ends_early_is_no_request(front) {
        let (statuses, _, port) = answers(front, &post("Content-Length: 6\r\n", "hello"));
        assert_eq!(statuses, Vec::<u16>::new());
        let heard = front.backend.all(port);
        assert!(heard.iter().all(|heard| heard.bytes.is_empty() || heard.requests() == Err(Fault::Partial)), "{heard:?}");
        let (statuses, _, port) = answers(front, &post("Content-Length: 5\r\n", "hello"));
        assert_eq!(statuses, [200]);
        assert!(seen(one(&front.backend.all(port)).unwrap()).ends_with("\nhello\n"));
    }

    fn chunks_that_end_early_are_no_request(front) {
        let (statuses, _, port) = answers(front, &post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n"));
        assert_eq!(statuses, Vec::<u16>::new());
        let heard = front.backend.all(port);
        assert!(heard.iter().all(|heard| heard.bytes.is_empty() || heard.requests() == Err(Fault::Partial)), "{heard:?}");
        let (statuses, _, _) = answers(front, &post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"));
        assert_eq!(statuses, [200]);
    }

    fn chunks_that_break_after_a_part_has_left_are_cut_at_the_backend(front) {
        let mut client = Client::to(front.address);
        let port = client.port();
        client.send(post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n").as_bytes());
        let begun = front.backend.wait(port, |heard| heard.iter().any(|heard| heard.bytes.ends_with(b"hello\r\n")));
        assert_eq!(begun.len(), 1, "{begun:?}");
        client.send(b"5\nworld\r\n0\r\n\r\n");
        assert_eq!(client.answer("POST").unwrap().status(), 400);
        let heard = front.backend.all(port);
        assert_eq!(heard.len(), 1);
        assert_eq!(heard[0].requests(), Err(Fault::Partial), "{heard:?}");
        assert_eq!(client.rest(), Ok(&b""[..]));
    }

    fn an_answer_before_the_body_does_not_make_the_body_a_request(front) {
        // The body of the refused request is a lawful request, if somebody takes it for one.
        let hidden = get("X-Hidden: 1\r\n");
        let whole = format!("POST /small HTTP/1.1\r\nHost: www.example.com\r\nContent-Length: {}\r\n\r\n{hidden}", hidden.len());
        let (statuses, _, port) = answers(front, &whole);
        assert_eq!(statuses, [413]);
        assert_eq!(requests(front, port), Vec::<String>::new());
        let (statuses, _, _) = answers(front, &hidden);
        assert_eq!(statuses, [200]);
    }
}
