//! What a client gets, byte by byte.

use super::*;

#[tokio::test]
async fn requests_of_one_packet_are_answered_in_their_order() {
    let mut talk = Talk::begin(echo).await;
    talk.say("GET /1 HTTP/1.1\r\nhost: a\r\n\r\nPOST /2 HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabcGET /3 HTTP/1.1\r\nhost: a\r\n\r\n").await;
    talk.hears("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nGET /1 ").await;
    talk.hears("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\nPOST /2 abc").await;
    talk.hears("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nGET /3 ").await;
    talk.say("GET /4 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    talk.hears("HTTP/1.1 200 OK\r\ncontent-length: 7\r\nconnection: close\r\n\r\nGET /4 ").await;
    talk.ends().await;
}

#[tokio::test]
async fn a_request_may_come_byte_by_byte() {
    let mut talk = Talk::begin(echo).await;
    for _ in 0..2 {
        talk.spell("PUT /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3;q=1\r\nabc\r\n00a\r\n0123456789\r\n0\r\nx-sum: 1\r\n\r\n").await;
        talk.hears("HTTP/1.1 200 OK\r\ncontent-length: 25\r\n\r\nPUT /x abc0123456789x-sum").await;
    }
}

#[tokio::test]
async fn http_1_0_is_closed_unless_it_asks_not_to_be() {
    let mut talk = Talk::begin(echo).await;
    talk.say("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n").await;
    talk.hears("HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: keep-alive\r\n\r\nGET / ").await;
    talk.say("GET / HTTP/1.0\r\n\r\n").await;
    talk.hears("HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nGET / ").await;
    talk.ends().await;
}

fn of_unknown_length(client: &mut Downstream) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
    Box::pin(async move {
        let head = answer_head(client.head().method(), "HTTP/1.1 200 OK\r\n\r\n");
        client.informational(&answer_head(Method::Get, "HTTP/1.1 103 Early Hints\r\n\r\n"), &Edits::new());
        client.answer(&head, &Edits::new(), Length::Unknown);
        write_body(client, b"abc", Some(&some_trailers())).await.is_ok()
    })
}

#[tokio::test]
async fn an_answer_of_unknown_length_is_chunked_with_its_trailers_after_interim_ones() {
    let mut talk = Talk::begin(of_unknown_length).await;
    for _ in 0..2 {
        talk.say("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        talk.hears("HTTP/1.1 103 Early Hints\r\n\r\n").await;
        talk.hears("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n")
            .await;
    }
}

#[tokio::test]
async fn http_1_0_gets_neither_chunks_nor_interim_answers_but_all_up_to_the_close() {
    let mut talk = Talk::begin(of_unknown_length).await;
    talk.say("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n").await;
    talk.hears("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabc").await;
    talk.ends().await;
}

#[tokio::test]
async fn head_and_bodiless_answers_have_no_body_and_keep_the_connection() {
    fn play(client: &mut Downstream) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(async move {
            match client.head().path() {
                "/known" => answer(client, "HTTP/1.1 200 OK\r\n\r\n", Length::Known(3), b"abc").await,
                "/unknown" => answer(client, "HTTP/1.1 200 OK\r\n\r\n", Length::Unknown, b"abc").await,
                "/none" => {
                    answer(client, "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", Length::None, b"").await
                }
                "/204" => answer(client, "HTTP/1.1 204 No Content\r\n\r\n", Length::None, b"").await,
                _ => {
                    let head = "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n";
                    answer(client, head, Length::None, b"").await
                }
            }
        })
    }
    let mut talk = Talk::begin(play).await;
    for (line, heard) in [
        ("HEAD /known", "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n"),
        ("HEAD /unknown", "HTTP/1.1 200 OK\r\n\r\n"),
        ("HEAD /none", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"),
        ("GET /204", "HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET /304", "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n"),
        ("GET /known", "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc"),
    ] {
        talk.say(format!("{line} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        talk.hears(heard).await;
    }
}

const EXPECTS: &str = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n";

#[tokio::test]
async fn a_client_that_waits_is_told_to_go_on_once_its_body_is_wanted() {
    let mut talk = Talk::begin(echo).await;
    for _ in 0..2 {
        talk.say(EXPECTS).await;
        talk.hears("HTTP/1.1 100 Continue\r\n\r\n").await;
        talk.say("abc").await;
        talk.hears("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nPOST / abc").await;
    }
    talk.say([EXPECTS, "abc"].concat()).await;
    talk.hears("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nPOST / abc").await;
}

fn refuse(client: &mut Downstream) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
    Box::pin(answer(client, "HTTP/1.1 403 Forbidden\r\n\r\n", Length::Known(2), b"no"))
}

#[tokio::test]
async fn a_client_that_waits_and_is_refused_need_not_send_and_nothing_is_taken_for_the_next_request() {
    let mut talk = Talk::begin(refuse).await;
    talk.say(EXPECTS).await;
    talk.hears("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno").await;
    talk.say("GET").await;
    talk.ends().await;
}

#[tokio::test]
async fn the_rest_of_a_small_body_is_read_out_and_the_connection_kept() {
    let mut talk = Talk::begin(refuse).await;
    for _ in 0..2 {
        talk.say("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nab").await;
        talk.hears("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno").await;
        talk.say("cde").await;
    }
}

#[tokio::test]
async fn an_early_answer_reaches_a_client_that_is_still_sending() {
    let mut talk = Talk::begin(refuse).await;
    let body = megabytes(1);
    talk.say(format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", body.len())).await;
    talk.say(&body[..900_000]).await;
    talk.hears("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno").await;
    // It is listened to for a while: a reset now would take the answer away from it.
    assert_eq!(talk.last_words().await, "");
    for piece in body[900_000..].chunks(10_000) {
        talk.say(piece).await;
        tokio::task::yield_now().await;
    }
    talk.ends().await;
}

#[tokio::test]
async fn malformed_chunks_are_an_error_and_never_the_next_request() {
    let mut talk = Talk::begin(echo).await;
    talk.say("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n").await;
    talk.hears(
        "HTTP/1.1 400 Bad Request\r\ncontent-length: 21\r\nconnection: close\r\n\r\nchunk without its end",
    )
    .await;
}

#[tokio::test]
async fn a_head_that_is_not_taken_is_answered_and_ends_the_connection() {
    let long = format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "x".repeat(9000));
    let large = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "x".repeat(70_000));
    let cases: [(&str, u16); 8] = [
        ("GET / HTTP/1.1\nhost: a\n\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", 400),
        ("POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n", 501),
        ("GET / HTTP/1.2\r\nhost: a\r\n\r\n", 505),
        (&long, 414),
        (&large, 431),
    ];
    for (request, status) in cases {
        let mut talk = Talk::begin(echo).await;
        talk.say("GET /before HTTP/1.1\r\nhost: a\r\n\r\n").await;
        talk.hears("HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\nGET /before ").await;
        talk.say([request, "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n"].concat()).await;
        let heard = talk.last_words().await;
        assert!(heard.starts_with(&format!("HTTP/1.1 {status} ")), "{request:.60}: {heard}");
        assert!(heard.contains("connection: close\r\n") && heard.contains("x-nearside-ref: "), "{heard}");
        assert!(!heard.contains("smuggled") && heard.ends_with("Ref: 7\n"), "{heard}");
        drop(talk.far);
        patiently(talk.served).await.unwrap();
    }
}

#[tokio::test]
async fn a_large_body_passes_both_ways_whole_and_with_few_buffers() {
    fn play(client: &mut Downstream) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(async move {
            let chunked = client.head().path() == "/chunked";
            let (body, _) = read_body(client).await.unwrap();
            let length = if chunked { Length::Unknown } else { Length::Known(body.len() as u64) };
            answer(client, "HTTP/1.1 200 OK\r\n\r\n", length, &body).await
        })
    }
    let body = megabytes(8);
    let mut talk = Talk::begin(play).await;
    talk.say(format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", body.len())).await;
    talk.say(&body).await;
    talk.hears(&format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len())).await;
    let mut back = vec![0; body.len()];
    patiently(talk.far.read_exact(&mut back)).await.unwrap();
    assert!(back == body);

    talk.say(format!("POST /chunked HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", body.len())).await;
    talk.say(&body).await;
    let mut decoder = nearside_http::chunked::Decoder::new();
    talk.hears("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
    let (mut decoded, mut piece) = (Vec::new(), vec![0; 1000]);
    while !decoder.is_done() {
        let count = patiently(talk.far.read(&mut piece)).await.unwrap();
        let mut rest = &piece[..count];
        while !rest.is_empty() {
            match decoder.decode(rest).unwrap() {
                nearside_http::chunked::Step::Data(data) => {
                    decoded.extend_from_slice(&rest[data.clone()]);
                    rest = &rest[data.end..];
                }
                _ => break,
            }
        }
    }
    assert!(decoded == body);
    assert!(talk.stock.count().made < 10, "{:?}", talk.stock.count());
}

#[tokio::test]
async fn a_reader_that_stops_holds_the_writer_back() {
    fn play(client: &mut Downstream) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(async move {
            client.answer(
                &answer_head(Method::Get, "HTTP/1.1 200 OK\r\n\r\n"),
                &Edits::new(),
                Length::Unknown,
            );
            let piece = [b'x'; 40_000];
            let mut taken = 0;
            loop {
                let write = poll_fn(|cx| client.poll_write(cx, &piece));
                match tokio::time::timeout(Duration::from_millis(200), write).await {
                    Ok(Ok(count)) => taken += count,
                    // What the kernel's buffers hold was taken, and not a piece more.
                    _ => break,
                }
                assert!(taken < 64 << 20, "nothing holds the writer back");
            }
            false
        })
    }
    let mut talk = Talk::begin(play).await;
    talk.say("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    patiently(talk.served).await.unwrap();
}

/// Grants a tunnel and says back what comes, up to its end.
fn tunnel(client: &mut Downstream) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
    Box::pin(async move {
        let mut edits = Edits::new();
        edits.set_name("sec-websocket-accept", b"proof").unwrap();
        let head =
            answer_head(client.head().method(), "HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 3\r\n\r\n");
        client.answer(&head, &edits, Length::Tunnel);
        poll_fn(|cx| client.poll_flush(cx)).await.unwrap();
        let (body, _) = read_body(client).await.unwrap();
        let more = [&b"heard: "[..], &body].concat();
        write_body(client, &more, None).await.is_ok()
    })
}

#[tokio::test]
async fn a_tunnel_is_granted_with_101_and_its_directions_end_one_by_one() {
    let mut talk = Talk::begin(tunnel).await;
    talk.say("GET / HTTP/1.1\r\nhost: a\r\n\r\nearly, ").await;
    talk.hears("HTTP/1.1 101 Switching Protocols\r\nx: y\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: proof\r\n\r\n").await;
    talk.say("late").await;
    talk.far.shutdown().await.unwrap();
    assert_eq!(talk.last_words().await, "heard: early, late");
    patiently(talk.served).await.unwrap();
    let count = talk.stock.count();
    assert_eq!(count.free as u64, count.made);
}
