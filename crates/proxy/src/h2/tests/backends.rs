//! What becomes of requests to backends.

use super::kit::{
    ACK, END_HEADERS, END_STREAM, Raw, body_of, field, frame, pair, read, request, send_all, write,
};
use crate::h2::connection::begin;
use crate::h2::{Connection, Upstream};
use crate::io::{Io, Wire};
use crate::side::{Backend, BackendError, Head, Length, Sink, Source};
use ::h2::Reason;
use ::h2::server::SendResponse;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use nearside_http::h2::kind;
use nearside_http::{Edits, Known};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

type Asked = (Request<::h2::RecvStream>, SendResponse<Bytes>);
type Far = ::h2::server::Connection<tokio::net::TcpStream, Bytes>;

/// A connection to a backend of the `h2` crate, which has its own task that hands out the requests.
async fn backend(builder: ::h2::server::Builder) -> (Connection, tokio::sync::mpsc::Receiver<Asked>) {
    let (near, far) = pair().await;
    let connection = begin(Io::Plain(Wire::Tcp(near)), Arc::default(), false).await.unwrap();
    let (give, take) = tokio::sync::mpsc::channel(100);
    tokio::spawn(async move {
        let mut far: Far = builder.handshake(far).await.unwrap();
        while let Some(Ok(asked)) = far.accept().await {
            give.send(asked).await.unwrap();
        }
    });
    (connection, take)
}

async fn raw(settings: &[u8]) -> (Connection, Raw) {
    let (near, far) = pair().await;
    let connection = begin(Io::Plain(Wire::Tcp(near)), Arc::default(), true).await.unwrap();
    (connection, Raw::backend(far, settings).await)
}

async fn ask(connection: &Connection, text: &str, length: Length) -> Upstream {
    let mut upstream = connection.open().await.unwrap();
    upstream.request(&request(text), &Edits::new(), length);
    upstream
}

async fn head(upstream: &mut Upstream) -> Result<Head, BackendError> {
    poll_fn(|cx| upstream.poll_head(cx)).await
}

const GET: &str = "GET /a?b HTTP/1.1\nhost: www.example.com\n\n";
const POST: &str = "POST /a HTTP/1.1\nhost: www.example.com\ntransfer-encoding: chunked\n\n";

fn answer(status: u16) -> Response<()> {
    Response::builder().status(status).body(()).unwrap()
}

#[tokio::test]
async fn a_request_is_said_in_http2() {
    let (connection, mut asked) = backend(::h2::server::Builder::new()).await;
    let mut upstream = connection.open().await.unwrap();
    let mut edits = Edits::new();
    edits.set(Known::Host, b"internal:8080");
    edits.append(Known::Via, b"1.1 nearside");
    let text = "PUT /a?b HTTP/1.1\nHost: www.example.com\nContent-Length: 2\nX-Own: 1\nConnection: x-hop\n\
                X-Hop: 1\nKeep-Alive: 1\nTE: trailers\n\n";
    upstream.request(&request(text), &edits, Length::Known(2));
    write(&mut upstream, b"ok").await.unwrap();
    upstream.finish(None);
    let (request, mut respond) = asked.recv().await.unwrap();
    assert_eq!(
        (request.method().as_str(), request.uri().to_string().as_str()),
        ("PUT", "http://internal:8080/a?b")
    );
    let mut fields: Vec<_> =
        request.headers().iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
    fields.sort();
    assert_eq!(
        fields,
        ["content-length: \"2\"", "te: \"trailers\"", "via: \"1.1 nearside\"", "x-own: \"1\""]
    );
    assert_eq!(body_of(request.into_body()).await.unwrap(), b"ok");
    respond.send_response(answer(204), true).unwrap();
    assert_eq!(head(&mut upstream).await, Ok(Head::Final(Length::None)));
    assert!(upstream.is_end());
}

#[tokio::test]
async fn body_trailers_and_interim_answers_come_back() {
    let (connection, mut asked) = backend(::h2::server::Builder::new()).await;
    let mut upstream = ask(&connection, POST, Length::Unknown).await;
    write(&mut upstream, b"hello").await.unwrap();
    let trailers = crate::h2::head::read_trailers(&HeaderMap::from_iter([(
        http::HeaderName::from_static("x-checksum"),
        http::HeaderValue::from_static("7"),
    )]))
    .unwrap();
    upstream.finish(Some(&trailers));
    let (request, mut respond) = asked.recv().await.unwrap();
    let mut body = request.into_body();
    assert_eq!(body.data().await.unwrap().unwrap(), "hello");
    let trailers = body.trailers().await.unwrap().unwrap();
    respond.send_informational(answer(103)).unwrap();
    let mut body = respond.send_response(answer(200), false).unwrap();
    body.send_data(Bytes::from_static(b"olleh"), false).unwrap();
    body.send_trailers(trailers).unwrap();
    assert_eq!(head(&mut upstream).await, Ok(Head::Informational));
    assert_eq!(upstream.head().status(), 103);
    assert_eq!(head(&mut upstream).await, Ok(Head::Final(Length::Unknown)));
    assert_eq!(read(&mut upstream).await.unwrap(), b"olleh");
    assert_eq!(upstream.trailers().unwrap().get_name("x-checksum"), Some(&b"7"[..]));
}

#[tokio::test]
async fn lengths_are_told_apart() {
    let (connection, mut asked) = backend(::h2::server::Builder::new()).await;
    for (method, status, length, end, expected) in [
        ("GET", 200, Some("5"), false, Length::Known(5)),
        ("GET", 200, None, true, Length::Known(0)),
        ("GET", 200, None, false, Length::Unknown),
        ("HEAD", 200, Some("5"), true, Length::None),
        ("GET", 304, Some("5"), true, Length::None),
    ] {
        let mut upstream = ask(&connection, &GET.replace("GET", method), Length::None).await;
        let (_, mut respond) = asked.recv().await.unwrap();
        let mut response = answer(status);
        if let Some(length) = length {
            response.headers_mut().insert("content-length", length.parse().unwrap());
        }
        let _body = respond.send_response(response, end).unwrap();
        assert_eq!(head(&mut upstream).await, Ok(Head::Final(expected)), "{method} {status}");
        assert_eq!(upstream.is_end(), end);
    }
}

#[tokio::test]
async fn streams_share_a_connection_up_to_what_the_backend_allows() {
    let mut builder = ::h2::server::Builder::new();
    builder.max_concurrent_streams(2);
    let (connection, mut asked) = backend(builder).await;
    let mut first = ask(&connection, GET, Length::None).await;
    let (_, mut respond) = asked.recv().await.unwrap();
    respond.send_response(answer(200), true).unwrap();
    assert_eq!(head(&mut first).await, Ok(Head::Final(Length::Known(0))));
    let _second = ask(&connection, GET, Length::None).await;
    assert_eq!((connection.streams(), connection.most_streams(), connection.has_room()), (2, 2, false));
    let mut third = pin!(connection.open());
    assert!(third.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(first);
    let third = third.await.unwrap();
    assert_eq!(connection.streams(), 2);
    drop(third);
    assert!(connection.has_room());
}

#[tokio::test]
async fn a_refused_stream_was_not_seen() {
    let (connection, mut asked) = backend(::h2::server::Builder::new()).await;
    let mut upstream = ask(&connection, POST, Length::Unknown).await;
    let (_, mut respond) = asked.recv().await.unwrap();
    respond.send_reset(Reason::REFUSED_STREAM);
    assert_eq!(head(&mut upstream).await, Err(BackendError::Unseen));
    assert_eq!(write(&mut upstream, b"more").await, Err(BackendError::Unseen));
    assert!(connection.is_usable());
    let mut upstream = ask(&connection, POST, Length::Unknown).await;
    let (_, mut respond) = asked.recv().await.unwrap();
    respond.send_reset(Reason::CANCEL);
    assert_eq!(head(&mut upstream).await, Err(BackendError::Reset));
    assert_eq!(write(&mut upstream, b"more").await, Err(BackendError::Reset));
}

#[tokio::test]
async fn streams_above_the_last_one_of_goaway_were_not_seen() {
    let (connection, mut far) = raw(&[]).await;
    let mut first = ask(&connection, GET, Length::None).await;
    let mut second = ask(&connection, POST, Length::Unknown).await;
    let (one, two) = (far.until(kind::HEADERS).await, far.until(kind::HEADERS).await);
    assert_eq!((one.stream, two.stream), (1, 3));
    far.send(&frame(kind::GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0])).await;
    assert_eq!(head(&mut second).await, Err(BackendError::Unseen));
    assert_eq!(write(&mut second, b"more").await, Err(BackendError::Unseen));
    assert!(!connection.is_usable());
    assert_eq!(connection.open().await.unwrap_err(), BackendError::Unseen);
    far.send(&frame(kind::HEADERS, END_HEADERS | END_STREAM, 1, &[0x88])).await;
    assert_eq!(head(&mut first).await, Ok(Head::Final(Length::Known(0))));
}

#[tokio::test]
async fn a_connection_that_ends_takes_no_streams() {
    let (connection, mut far) = raw(&[]).await;
    let mut upstream = ask(&connection, GET, Length::None).await;
    far.until(kind::HEADERS).await;
    let mut waiting = connection.open().await.unwrap();
    drop(far);
    assert_eq!(head(&mut upstream).await, Err(BackendError::Reset));
    assert!(!connection.is_usable());
    waiting.request(&request(GET), &Edits::new(), Length::None);
    assert_eq!(head(&mut waiting).await, Err(BackendError::Unseen));
}

#[tokio::test]
async fn a_stream_that_never_left_was_not_seen() {
    // Windows of 2^31 - 1, and a backend that reads nothing.
    let (connection, mut far) = raw(&[0, 4, 0x7f, 0xff, 0xff, 0xff]).await;
    far.send(&frame(kind::WINDOW, 0, 0, &0x7fff_0000_u32.to_be_bytes())).await;
    let mut upload = ask(&connection, POST, Length::Unknown).await;
    far.until(kind::HEADERS).await;
    let data = [0; 16_384];
    let mut idle = 0;
    // The socket is full once nothing more is taken for a while.
    while idle < 100 {
        match poll_fn(|cx| Poll::Ready(upload.poll_write(cx, &data))).await {
            Poll::Ready(taken) => {
                taken.unwrap();
                idle = 0;
            }
            Poll::Pending => idle += 1,
        }
        tokio::task::yield_now().await;
    }
    let mut unseen = ask(&connection, POST, Length::Unknown).await;
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    drop(far);
    assert_eq!(head(&mut unseen).await, Err(BackendError::Unseen));
    assert_eq!(head(&mut upload).await, Err(BackendError::Reset));
}

#[tokio::test]
async fn an_early_answer_is_whole_though_the_upload_was_stopped() {
    let (connection, mut far) = raw(&[]).await;
    let mut upstream = ask(&connection, POST, Length::Unknown).await;
    far.until(kind::HEADERS).await;
    let answer = frame(kind::HEADERS, END_HEADERS, 1, &[0x8d]);
    let data = frame(kind::DATA, END_STREAM, 1, b"no such thing");
    far.send(&[answer, data, frame(kind::RESET, 0, 1, &[0; 4])].concat()).await;
    while write(&mut upstream, b"more").await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(head(&mut upstream).await, Ok(Head::Final(Length::Unknown)));
    assert_eq!(read(&mut upstream).await.unwrap(), b"no such thing");
}

#[tokio::test]
async fn a_cut_answer_is_an_error() {
    let (connection, mut far) = raw(&[]).await;
    let mut upstream = ask(&connection, GET, Length::None).await;
    far.until(kind::HEADERS).await;
    let data = frame(kind::DATA, 0, 1, b"half");
    let reset = frame(kind::RESET, 0, 1, &2_u32.to_be_bytes());
    far.send(&[frame(kind::HEADERS, END_HEADERS, 1, &[0x88]), data, reset].concat()).await;
    assert_eq!(head(&mut upstream).await, Ok(Head::Final(Length::Unknown)));
    assert_eq!(read(&mut upstream).await, Err(BackendError::Reset));
}

#[tokio::test]
async fn a_try_that_is_given_up_resets_its_stream() {
    let (connection, mut far) = raw(&[]).await;
    drop(ask(&connection, POST, Length::Unknown).await);
    far.until(kind::HEADERS).await;
    assert_eq!(far.code(kind::RESET).await, Reason::CANCEL);
    assert_eq!(connection.streams(), 0);
}

#[tokio::test]
async fn a_connection_that_nobody_holds_says_goodbye() {
    let (connection, mut far) = raw(&[]).await;
    drop(connection);
    assert_eq!(far.code(kind::GOAWAY).await, Reason::NO_ERROR);
    assert!(far.next().await.is_none());
}

#[tokio::test]
async fn answers_that_break_the_rules_are_errors() {
    let malformed = [
        [vec![0x88], field("connection", "close")].concat(),
        [vec![0x88], field("content-length", "x")].concat(),
        field(":status", "101"),
        field("x", "1"),
    ];
    for block in malformed {
        let (connection, mut far) = raw(&[]).await;
        let mut upstream = ask(&connection, GET, Length::None).await;
        far.until(kind::HEADERS).await;
        far.send(&frame(kind::HEADERS, END_HEADERS, 1, &block)).await;
        assert_eq!(head(&mut upstream).await, Err(BackendError::Protocol), "{block:?}");
    }
    // 204 with a body.
    let (connection, mut far) = raw(&[]).await;
    let mut upstream = ask(&connection, GET, Length::None).await;
    far.until(kind::HEADERS).await;
    let data = frame(kind::DATA, END_STREAM, 1, b"x");
    far.send(&[frame(kind::HEADERS, END_HEADERS, 1, &[0x89]), data].concat()).await;
    assert_eq!(head(&mut upstream).await, Ok(Head::Final(Length::None)));
    assert_eq!(read(&mut upstream).await, Err(BackendError::Protocol));
}

#[tokio::test]
async fn a_flood_of_interim_answers_ends_the_request_and_the_connection() {
    let (connection, mut far) = raw(&[]).await;
    let mut upstream = ask(&connection, GET, Length::None).await;
    far.until(kind::HEADERS).await;
    let flood = frame(kind::HEADERS, END_HEADERS, 1, &field(":status", "103")).repeat(5_000);
    far.send(&flood).await;
    let mut interim = 0;
    let ended = loop {
        match head(&mut upstream).await {
            Ok(Head::Informational) => interim += 1,
            other => break other,
        }
    };
    assert_eq!((ended, interim), (Err(BackendError::Protocol), 16));
    let over = async {
        while connection.is_usable() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), over).await.unwrap();
}

#[tokio::test]
async fn an_answer_that_nobody_takes_is_held_back_at_the_backend() {
    let (connection, mut asked) = backend(::h2::server::Builder::new()).await;
    let mut upstream = ask(&connection, GET, Length::None).await;
    let (_, mut respond) = asked.recv().await.unwrap();
    let mut body = respond.send_response(answer(200), false).unwrap();
    let sent = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let sending = tokio::spawn(async move {
        for _ in 0..4 {
            for _ in 0..1_000 {
                body.reserve_capacity(10_000);
                while body.capacity() < 10_000 {
                    poll_fn(|cx| body.poll_capacity(cx)).await.unwrap().unwrap();
                }
                body.send_data(Bytes::from(vec![0; 10_000]), false).unwrap();
                count.fetch_add(10_000, std::sync::atomic::Ordering::Relaxed);
            }
        }
        body.send_data(Bytes::new(), true).unwrap();
    });
    assert_eq!(head(&mut upstream).await, Ok(Head::Final(Length::Unknown)));
    let mut before = usize::MAX;
    while before != sent.load(std::sync::atomic::Ordering::Relaxed) {
        before = sent.load(std::sync::atomic::Ordering::Relaxed);
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
    }
    // As far as the window reaches, which is wide enough for a long way.
    assert!(((8 << 20) - 10_000..=9 << 20).contains(&before), "{before} bytes have left the backend");
    assert_eq!(read(&mut upstream).await.unwrap().len(), 40_000_000);
    sending.await.unwrap();
}

#[tokio::test]
async fn a_backend_that_does_not_read_holds_the_upload_back() {
    let (connection, mut asked) = backend(::h2::server::Builder::new()).await;
    let mut upstream = ask(&connection, POST, Length::Unknown).await;
    let (request, _respond) = asked.recv().await.unwrap();
    let (data, mut taken, mut idle) = ([0; 10_000], 0, 0);
    while idle < 1_000 {
        match poll_fn(|cx| Poll::Ready(upstream.poll_write(cx, &data))).await {
            Poll::Ready(count) => (taken, idle) = (taken + count.unwrap(), 0),
            Poll::Pending => idle += 1,
        }
        tokio::task::yield_now().await;
    }
    assert!((65_535..200_000).contains(&taken), "{taken} bytes were taken");
    drop(request);
}

#[tokio::test]
async fn uploads_of_any_size_arrive() {
    let (connection, mut asked) = backend(::h2::server::Builder::new()).await;
    let mut upstream = ask(&connection, POST, Length::Unknown).await;
    let (request, mut respond) = asked.recv().await.unwrap();
    let reading = tokio::spawn(body_of(request.into_body()));
    write(&mut upstream, &vec![b'u'; 10_000_000]).await.unwrap();
    upstream.finish(None);
    assert_eq!(reading.await.unwrap().unwrap().len(), 10_000_000);
    let mut body = respond.send_response(answer(200), false).unwrap();
    tokio::spawn(async move { send_all(&mut body, Bytes::from(vec![b'd'; 10_000_000])).await.unwrap() });
    assert_eq!(head(&mut upstream).await, Ok(Head::Final(Length::Unknown)));
    assert_eq!(read(&mut upstream).await.unwrap().len(), 10_000_000);
}

#[tokio::test]
async fn a_ping_is_answered() {
    let (_connection, mut far) = raw(&[]).await;
    far.send(&frame(kind::PING, 0, 0, b"12345678")).await;
    let pong = far.until(kind::PING).await;
    assert_eq!((pong.flags, &pong.payload[..]), (ACK, &b"12345678"[..]));
}
