//! What a backend gets, and what its answers are taken for.

use super::*;
use crate::side::{BackendError, Head};

const GET: &str = "GET /x HTTP/1.1\r\nhost: a\r\n\r\n";
const SENT: &str = "GET /x HTTP/1.1\r\nhost: a\r\n\r\n";

struct Try {
    near: Upstream,
    far: TcpStream,
    stock: Arc<Stock>,
}

/// What an answer was taken for.
#[derive(Debug, Eq, PartialEq)]
struct Taken {
    status: u16,
    length: Length,
    body: Result<String, BackendError>,
    trailers: Vec<String>,
    reusable: bool,
}

impl Try {
    async fn new() -> Self {
        let (near, far) = wire().await;
        let stock = Arc::new(Stock::default());
        Self { near: Upstream::with_stock(near, Arc::clone(&stock)), far, stock }
    }

    /// A connection on which the request without a body has left.
    async fn asked(request: &str) -> Self {
        let mut this = Self::new().await;
        this.near.request(&request_head(request), &Edits::new(), Length::None);
        write_body(&mut this.near, b"", None).await.unwrap();
        this
    }

    async fn head(&mut self) -> Result<Head, BackendError> {
        patiently(poll_fn(|cx| self.near.poll_head(cx))).await
    }

    async fn take(&mut self) -> Result<Taken, BackendError> {
        let Head::Final(length) = self.head().await? else { panic!("an interim answer") };
        let status = self.near.head().status();
        let (body, trailers) = match patiently(read_body(&mut self.near)).await {
            Ok((body, trailers)) => (Ok(String::from_utf8(body).unwrap()), trailers),
            Err(error) => (Err(error), Vec::new()),
        };
        Ok(Taken { status, length, body, trailers, reusable: self.near.is_reusable() })
    }
}

/// What is made of `answer` to `request`, whole or byte by byte, with the connection closed after it.
async fn check(request: &str, answer: &str, expected: Result<Taken, BackendError>) {
    for spelled in [false, true] {
        let mut exchange = Try::asked(request).await;
        let mut far = exchange.far;
        let answer = answer.to_owned();
        let backend = tokio::spawn(async move {
            for piece in answer.as_bytes().chunks(if spelled { 1 } else { answer.len() }) {
                if far.write_all(piece).await.is_err() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            far.shutdown().await.unwrap_or_default();
            far
        });
        exchange.far = wire().await.1;
        let taken = exchange.take().await;
        match (&taken, &expected) {
            (Err(one), Err(other)) => assert_eq!(one, other),
            _ => assert_eq!(taken, expected_of(&expected), "byte by byte: {spelled}"),
        }
        drop(backend);
    }
}

fn expected_of(expected: &Result<Taken, BackendError>) -> Result<Taken, BackendError> {
    match expected {
        Ok(Taken { status, length, body, trailers, reusable }) => Ok(Taken {
            status: *status,
            length: *length,
            body: body.clone(),
            trailers: trailers.clone(),
            reusable: *reusable,
        }),
        Err(error) => Err(*error),
    }
}

fn taken(status: u16, length: Length, body: &str, reusable: bool) -> Result<Taken, BackendError> {
    Ok(Taken { status, length, body: Ok(body.to_owned()), trailers: Vec::new(), reusable })
}

fn broken(length: Length, error: BackendError) -> Result<Taken, BackendError> {
    Ok(Taken { status: 200, length, body: Err(error), trailers: Vec::new(), reusable: false })
}

#[tokio::test]
async fn lawful_answers_are_taken_for_what_they_are() {
    check(GET, "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", taken(200, Length::Known(3), "abc", true))
        .await;
    check(GET, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", taken(200, Length::Known(0), "", true)).await;
    check(GET, "HTTP/1.1 204 No Content\r\n\r\n", taken(204, Length::None, "", true)).await;
    check(GET, "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", taken(304, Length::None, "", true))
        .await;
    check(GET, "HTTP/1.1 200 OK\r\n\r\nabc", taken(200, Length::Unknown, "abc", false)).await;
    let head = "HEAD /x HTTP/1.1\r\nhost: a\r\n\r\n";
    check(head, "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", taken(200, Length::None, "", true)).await;
    let chunked =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nx-sum: 1\r\n\r\n";
    let trailers = vec!["x-sum".to_owned()];
    let body = Ok("abcde".to_owned());
    check(GET, chunked, Ok(Taken { status: 200, length: Length::Unknown, body, trailers, reusable: true }))
        .await;
}

#[tokio::test]
async fn a_cut_never_looks_whole() {
    check(
        GET,
        "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabc",
        broken(Length::Known(4), BackendError::Reset),
    )
    .await;
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n";
    check(GET, chunked, broken(Length::Unknown, BackendError::Reset)).await;
    check(GET, &format!("{chunked}0\r\n"), broken(Length::Unknown, BackendError::Reset)).await;
    check(GET, "HTTP/1.1 200 OK\r\ncontent-le", Err(BackendError::Reset)).await;
    check(GET, "HTTP/1.1 103 Early Hints\r\n", Err(BackendError::Reset)).await;
}

#[tokio::test]
async fn a_reset_cuts_a_body_that_would_end_with_the_connection() {
    let mut exchange = Try::asked(GET).await;
    exchange.far.write_all(b"HTTP/1.1 200 OK\r\n\r\nabc").await.unwrap();
    assert_eq!(exchange.head().await, Ok(Head::Final(Length::Unknown)));
    exchange.far.set_zero_linger().unwrap();
    drop(exchange.far);
    assert!(matches!(patiently(read_body(&mut exchange.near)).await, Err(BackendError::Reset)));
}

#[tokio::test]
async fn unlawful_answers_are_refused() {
    for answer in [
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        "HTTP/1.1 200 OK\ncontent-length: 3\n\nabc",
        "HTTP/1.1 200 OK\r\ncontent-length: +3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\na b: c\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
    ] {
        check(GET, answer, Err(BackendError::Protocol)).await;
    }
    let chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabcd\r\n";
    check(GET, chunks, broken(Length::Unknown, BackendError::Protocol)).await;
}

#[tokio::test]
async fn interim_answers_are_shown_but_for_100_and_their_number_is_bounded() {
    let mut exchange = Try::asked(GET).await;
    let answers = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
    exchange.far.write_all(answers.as_bytes()).await.unwrap();
    assert_eq!(exchange.head().await, Ok(Head::Informational));
    assert_eq!(exchange.near.head().status(), 103);
    assert_eq!(exchange.head().await, Ok(Head::Final(Length::None)));
    assert!(exchange.near.is_reusable());

    let mut flood = Try::asked(GET).await;
    flood.far.write_all("HTTP/1.1 100 Continue\r\n\r\n".repeat(17).as_bytes()).await.unwrap();
    assert_eq!(flood.head().await, Err(BackendError::Protocol));
}

#[tokio::test]
async fn a_connection_is_not_used_again_where_anyone_could_be_in_doubt() {
    for answer in [
        "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcd",
        "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n",
        "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\ncontent-length: 3\r\n\r\n",
    ] {
        let mut exchange = Try::asked(GET).await;
        exchange.far.write_all(answer.as_bytes()).await.unwrap();
        let taken = exchange.take().await.unwrap();
        assert!(taken.body.is_ok() && !taken.reusable, "{answer:?}");
        assert!(Box::new(exchange.near).into_idle().is_none(), "{answer:?}");
    }
    let mut old = Try::asked(GET).await;
    old.far.write_all(b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\nkeep-alive: timeout=5\r\n\r\n").await.unwrap();
    assert!(old.take().await.unwrap().reusable);
    assert_eq!(old.near.head().keep_alive_timeout(), Some(Duration::from_secs(5)));
}

#[tokio::test]
async fn a_kept_connection_carries_the_next_request_and_holds_no_buffer() {
    let mut exchange = Try::asked(GET).await;
    for _ in 0..3 {
        assert_eq!(hear(&mut exchange.far, SENT.len()).await, SENT);
        exchange.far.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        assert_eq!(exchange.take().await, taken(200, Length::Known(2), "ok", true));
        let io = Box::new(exchange.near).into_idle().unwrap();
        let count = exchange.stock.count();
        assert_eq!(count.free as u64, count.made);
        exchange.near = Upstream::with_stock(io, Arc::clone(&exchange.stock));
        exchange.near.request(&request_head(GET), &Edits::new(), Length::None);
        write_body(&mut exchange.near, b"", None).await.unwrap();
    }
}

#[tokio::test]
async fn head_and_small_body_leave_in_one_write_each_with_its_framing() {
    for (framing, length, sent) in [
        ("content-length: 3", Length::Known(3), "content-length: 3\r\n\r\nabc"),
        (
            "transfer-encoding: chunked",
            Length::Unknown,
            "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n",
        ),
    ] {
        let mut exchange = Try::new().await;
        let head = format!(
            "POST /x HTTP/1.1\r\nHost: a\r\nConnection: x-hop\r\nx-hop: 1\r\nUpgrade: websocket\r\n{framing}\r\n\r\n"
        );
        exchange.near.request(&request_head(&head), &Edits::new(), length);
        write_body(&mut exchange.near, b"abc", Some(&some_trailers())).await.unwrap();
        let mut heard = [0; 999];
        let count = patiently(exchange.far.read(&mut heard)).await.unwrap();
        let heard = std::str::from_utf8(&heard[..count]).unwrap();
        assert_eq!(heard, format!("POST /x HTTP/1.1\r\nHost: a\r\n{sent}"));
    }
}

#[tokio::test]
async fn an_answer_before_the_request_has_left_is_taken_and_the_connection_is_not_used_again() {
    let mut exchange = Try::new().await;
    let head = request_head("POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n");
    exchange.near.request(&head, &Edits::new(), Length::Known(9));
    poll_fn(|cx| exchange.near.poll_write(cx, b"abc")).await.unwrap();
    poll_fn(|cx| exchange.near.poll_flush(cx)).await.unwrap();
    exchange.far.write_all(b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    assert_eq!(exchange.take().await, taken(413, Length::Known(0), "", false));
    // Not even when the rest is sent after all.
    write_body(&mut exchange.near, b"defghi", None).await.unwrap();
    assert!(!exchange.near.is_reusable());
}

#[tokio::test]
async fn an_answer_is_found_although_the_upload_failed() {
    let mut exchange = Try::new().await;
    let head = request_head("POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
    exchange.near.request(&head, &Edits::new(), Length::Unknown);
    exchange.far.write_all(b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 2\r\n\r\nno").await.unwrap();
    exchange.far.shutdown().await.unwrap();
    drop(exchange.far);
    let body = megabytes(8);
    assert_eq!(write_body(&mut exchange.near, &body, None).await, Err(BackendError::Reset));
    exchange.far = wire().await.1;
    assert_eq!(exchange.take().await, taken(413, Length::Known(2), "no", false));
}

#[tokio::test]
async fn a_large_body_passes_both_ways_whole_while_the_other_reads_slowly() {
    let body = megabytes(8);
    let mut exchange = Try::new().await;
    let length = body.len();
    let head = request_head(&format!("PUT /x HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n"));
    exchange.near.request(&head, &Edits::new(), Length::Known(length as u64));
    let mut far = exchange.far;
    let backend = tokio::spawn(async move {
        let head = format!("PUT /x HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n");
        assert_eq!(hear(&mut far, head.len()).await, head);
        let mut got = vec![0; length];
        for piece in got.chunks_mut(100_000) {
            far.read_exact(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        far.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n").as_bytes())
            .await
            .unwrap();
        far.write_all(&got).await.unwrap();
        far
    });
    write_body(&mut exchange.near, &body, None).await.unwrap();
    assert_eq!(
        poll_fn(|cx| exchange.near.poll_head(cx)).await,
        Ok(Head::Final(Length::Known(length as u64)))
    );
    let (back, _) = patiently(read_body(&mut exchange.near)).await.unwrap();
    assert!(back == body && exchange.near.is_reusable());
    drop(patiently(backend).await.unwrap());
}

const ASKING: &str = "GET /x HTTP/1.1\r\nhost: a\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                      connection: upgrade\r\nupgrade: websocket\r\n\r\n";
const GRANTING: &str = "HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                        sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

#[tokio::test]
async fn a_101_that_was_asked_for_makes_a_tunnel_whose_directions_end_one_by_one() {
    let mut exchange = Try::new().await;
    exchange.near.request(&request_head(ASKING), &Edits::new(), Length::Tunnel);
    write_body(&mut exchange.near, b"", None).await.unwrap();
    assert_eq!(hear(&mut exchange.far, ASKING.len()).await, ASKING);
    exchange.far.write_all(format!("{GRANTING}early").as_bytes()).await.unwrap();
    assert_eq!(exchange.head().await, Ok(Head::Final(Length::Tunnel)));
    poll_fn(|cx| exchange.near.poll_write(cx, b"up")).await.unwrap();
    poll_fn(|cx| exchange.near.poll_flush(cx)).await.unwrap();
    assert_eq!(hear(&mut exchange.far, 2).await, "up");
    write_body(&mut exchange.near, b"last", None).await.unwrap();
    assert_eq!(hear(&mut exchange.far, 99).await, "last");
    exchange.far.write_all(b", late").await.unwrap();
    exchange.far.shutdown().await.unwrap();
    let (body, _) = patiently(read_body(&mut exchange.near)).await.unwrap();
    assert_eq!(String::from_utf8(body).unwrap(), "early, late");
    assert!(!exchange.near.is_reusable());
    let count = exchange.stock.count();
    assert_eq!(count.free as u64, count.made, "a tunnel in which nothing moves holds a buffer");
}

#[tokio::test]
async fn a_101_before_the_request_has_left_or_without_its_proof_is_refused() {
    let mut early = Try::new().await;
    early.near.request(&request_head(ASKING), &Edits::new(), Length::Tunnel);
    early.far.write_all(GRANTING.as_bytes()).await.unwrap();
    assert_eq!(early.head().await, Err(BackendError::Protocol));
    let mut edits = Edits::new();
    edits.set_name("Sec-WebSocket-Key", b"AAAAAAAAAAAAAAAAAAAAAA==").unwrap();
    let mut other = Try::new().await;
    other.near.request(&request_head(ASKING), &edits, Length::Tunnel);
    write_body(&mut other.near, b"", None).await.unwrap();
    other.far.write_all(GRANTING.as_bytes()).await.unwrap();
    assert_eq!(other.head().await, Err(BackendError::Protocol), "the proof is of another key");
}
