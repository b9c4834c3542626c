//! Bodies, their announced lengths, and trailers (RFC 9113, 8.1).

use super::Judged::{CutStream, Stream};
use super::{Client, cases, hostile, lawful, post, upload};
use crate::setting::stage;
use nearside_tests::frames::code::PROTOCOL;
use nearside_tests::frames::{flag, frame, headers, kind, line, reset};
use nearside_tests::raw::Heard;
use nearside_tests::wire::{Fault, Message, find};

const END: u8 = flag::END_STREAM;

/// The last piece of stream 1.
fn last(data: &[u8]) -> Vec<u8> {
    frame(kind::DATA, END, 1, data)
}

cases! {
    a_body_longer_than_announced {
        send: [upload(&[("content-length", "3")]), last(b"four")].concat(),
        judged: CutStream(&[PROTOCOL]),
        neighbour: [post(&[("content-length", "4")]), last(b"four")].concat(),
    }
    a_body_shorter_than_announced {
        send: [upload(&[("content-length", "5")]), last(b"four")].concat(),
        judged: CutStream(&[PROTOCOL]),
        neighbour: [post(&[("content-length", "4")]), frame(kind::DATA, 0, 1, b"fo"), last(b"ur")].concat(),
    }
    a_body_that_is_announced_and_missing {
        send: hostile(&[("content-length", "4")]),
        judged: Stream(&[PROTOCOL]),
        neighbour: lawful(&[("content-length", "0")]),
    }
    a_body_that_ends_in_trailers_too_early {
        send: [upload(&[("content-length", "5")]), frame(kind::DATA, 0, 1, b"four"), headers(END, 1, &[("x", "y")])].concat(),
        judged: CutStream(&[PROTOCOL]),
        neighbour: [post(&[]), frame(kind::DATA, 0, 1, b"four"), headers(END, 1, &[("x", "y")])].concat(),
    }
    a_length_with_a_sign {
        send: [upload(&[("content-length", "+4")]), last(b"four")].concat(),
        judged: Stream(&[PROTOCOL]),
        neighbour: [post(&[("content-length", "4")]), last(b"four")].concat(),
    }
    a_length_beyond_all_numbers {
        send: [upload(&[("content-length", "18446744073709551617")]), last(b"x")].concat(),
        judged: Stream(&[PROTOCOL]),
        neighbour: [post(&[("content-length", "1")]), last(b"x")].concat(),
    }
    two_lengths_that_differ {
        send: [upload(&[("content-length", "4"), ("content-length", "5")]), last(b"four")].concat(),
        judged: Stream(&[PROTOCOL]),
        neighbour: [post(&[("content-length", "4")]), last(b"four")].concat(),
    }
    two_lengths_that_agree {
        send: [upload(&[("content-length", "4"), ("content-length", "4")]), last(b"four")].concat(),
        judged: Stream(&[PROTOCOL]),
        neighbour: [post(&[("content-length", "4")]), last(b"four")].concat(),
    }
    a_list_of_lengths {
        send: [upload(&[("content-length", "4, 4")]), last(b"four")].concat(),
        judged: Stream(&[PROTOCOL]),
        neighbour: [post(&[("content-length", "4")]), last(b"four")].concat(),
    }
    trailers_with_a_name_in_upper_case {
        send: [upload(&[]), frame(kind::DATA, 0, 1, b"x"), headers(END, 1, &[("X-Sum", "1")])].concat(),
        judged: CutStream(&[PROTOCOL]),
        neighbour: [post(&[]), frame(kind::DATA, 0, 1, b"x"), headers(END, 1, &[("x-sum", "1")])].concat(),
    }
    trailers_with_a_pseudo_header {
        send: [upload(&[]), frame(kind::DATA, 0, 1, b"x"), headers(END, 1, &[(":path", "/hostile"), ("x-sum", "1")])].concat(),
        judged: CutStream(&[PROTOCOL]),
        neighbour: [post(&[]), frame(kind::DATA, 0, 1, b"x"), headers(END, 1, &[("path", "/lawful"), ("x-sum", "1")])].concat(),
    }
    trailers_with_the_pseudo_header_of_an_answer {
        send: [upload(&[]), frame(kind::DATA, 0, 1, b"x"), headers(END, 1, &[("x-sum", "1"), (":status", "200")])].concat(),
        judged: CutStream(&[PROTOCOL]),
        neighbour: [post(&[]), frame(kind::DATA, 0, 1, b"x"), headers(END, 1, &[("x-sum", "1"), ("x-status", "200")])].concat(),
    }
    trailers_with_a_connection_field {
        send: [upload(&[]), frame(kind::DATA, 0, 1, b"x"), headers(END, 1, &[("connection", "x-sum")])].concat(),
        judged: CutStream(&[PROTOCOL]),
        neighbour: [post(&[]), frame(kind::DATA, 0, 1, b"x"), headers(END, 1, &[("x-sum", "1")])].concat(),
    }
}

/// What arrives of an upload that ends in these trailers.
async fn arrives(trailers: &[(&str, &str)]) -> Result<Vec<Message>, Fault> {
    let mut client = Client::begun(stage(), &[]).await;
    let frames =
        [headers(0, 1, &line("POST", "/a")), frame(kind::DATA, 0, 1, b"x"), headers(END, 1, trailers)];
    client.raw.send(&frames.concat()).await.unwrap();
    // Whether it is answered or reset is the case's business.
    client.of(1).await.unwrap();
    let port = client.port;
    drop(client);
    stage().backend.all(port).first().map(Heard::requests).unwrap()
}

#[tokio::test]
async fn trailers_that_decide_something_stay_here() {
    let request =
        arrives(&[("content-length", "9"), ("host", "evil"), ("x-forwarded-for", "9"), ("x-sum", "1")]).await;
    assert_eq!(request.unwrap()[0].trailers, [("x-sum".to_owned(), "1".to_owned())]);
}

/// Cuts an upload off when half of it has arrived: what arrived looks like no whole request, and the backend is let go.
async fn cut_by(cut: impl AsyncFn(&mut Client)) {
    for length in [&[][..], &[("content-length", "10")]] {
        let mut client = Client::begun(stage(), &[]).await;
        let head = headers(0, 1, &[&line("POST", "/cut")[..], length].concat());
        client.raw.send(&[head, frame(kind::DATA, 0, 1, b"half")].concat()).await.unwrap();
        let (backend, port) = (&stage().backend, client.port);
        let begun = |heard: &[Heard]| heard.iter().any(|one| find(&one.bytes, b"half").is_some());
        assert!(begun(&tokio::task::block_in_place(|| backend.wait(port, begun))));
        cut(&mut client).await;
        let over = |heard: &[Heard]| heard.first().is_some_and(|one| one.ended);
        let heard = tokio::task::block_in_place(|| backend.wait(port, over));
        assert!(over(&heard), "the backend is held: {heard:?}");
        assert_eq!(heard[0].requests(), Err(Fault::Partial), "{heard:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_reset_never_looks_whole() {
    cut_by(async |client| {
        client.raw.send(&reset(1)).await.unwrap();
        client.asks(3, "/after").await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_connection_ends_never_looks_whole() {
    cut_by(async |client| client.raw.finish().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_connection_breaks_a_rule_never_looks_whole() {
    cut_by(async |client| client.raw.send(&frame(kind::PING, 0, 0, b"short")).await.unwrap()).await;
}
