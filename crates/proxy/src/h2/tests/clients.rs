//! What lawful clients get.

use super::kit::{
    ACK, END_HEADERS, END_STREAM, PREFACE, Raw, body_of, client, frame, get, headers, post, send_all,
};
use crate::h2::serve::run;
use crate::h2::tests::site::Site;
use crate::io::Io;
use crate::service::Presences;
use ::h2::Reason;
use bytes::Bytes;
use http::HeaderMap;
use nearside_http::h2::kind;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

#[tokio::test]
async fn answers_of_all_streams_that_are_ready_leave_in_one_write() {
    let (mut raw, edge) = Raw::client().await;
    let before = edge.writes.load(Ordering::Relaxed);
    let requests: Vec<u8> = (0..50).flat_map(|n| headers(END_STREAM, 2 * n + 1, "/length", &[])).collect();
    raw.send(&requests).await;
    let mut ended = 0;
    while ended < 50 {
        let frame = raw.next().await.unwrap();
        ended += usize::from(frame.flags & END_STREAM != 0 && frame.kind != kind::SETTINGS);
    }
    // 50 answers of 1,234 bytes are more than the cork gathers at once: two writes, not a hundred.
    assert_eq!(edge.writes.load(Ordering::Relaxed) - before, 2);
}

#[tokio::test]
async fn small_answers_leave_in_a_single_write() {
    let (mut raw, edge) = Raw::client().await;
    let before = edge.writes.load(Ordering::Relaxed);
    let requests: Vec<u8> = (0..50).flat_map(|n| headers(END_STREAM, 2 * n + 1, "/seen", &[])).collect();
    raw.send(&requests).await;
    for _ in 0..50 {
        assert_eq!(raw.until(kind::HEADERS).await.flags, END_HEADERS | END_STREAM);
    }
    assert_eq!(edge.writes.load(Ordering::Relaxed) - before, 1);
}

#[tokio::test]
async fn body_and_trailers_go_both_ways() {
    let (requests, _edge) = client().await;
    let mut requests = requests.ready().await.unwrap();
    let (answer, mut body) = requests.send_request(post("/echo"), false).unwrap();
    body.send_data(Bytes::from_static(b"hello"), false).unwrap();
    let mut trailers = HeaderMap::new();
    trailers.insert("x-checksum", "7".parse().unwrap());
    trailers.insert("content-length", "7".parse().unwrap());
    body.send_trailers(trailers).unwrap();
    let mut body = answer.await.unwrap().into_body();
    assert_eq!(body.data().await.unwrap().unwrap(), "hello");
    let trailers = body.trailers().await.unwrap().unwrap();
    assert_eq!(trailers.get("x-checksum").unwrap(), "7");
    assert_eq!(trailers.len(), 1, "what describes the body may not come after it");
}

#[tokio::test]
async fn large_uploads_arrive_whole_side_by_side() {
    let (requests, _edge) = client().await;
    let data = Bytes::from(vec![b'u'; 10_000_000]);
    let uploads = (0..4).map(|_| {
        let (mut requests, data) = (requests.clone(), data.clone());
        tokio::spawn(async move {
            let (answer, mut body) = requests.send_request(post("/size"), false).unwrap();
            send_all(&mut body, data).await.unwrap();
            body_of(answer.await.unwrap().into_body()).await.unwrap()
        })
    });
    for upload in uploads.collect::<Vec<_>>() {
        assert_eq!(upload.await.unwrap(), b"10000000");
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_the_answer_back() {
    let (mut requests, edge) = client().await;
    let (answer, _body) = requests.send_request(get("/big"), true).unwrap();
    let body = answer.await.unwrap().into_body();
    // The window is 65,535 bytes; beyond it lie the stream's buffer and one piece at most.
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    let taken = edge.site.taken.load(Ordering::Relaxed);
    assert!((65_535..200_000).contains(&taken), "{taken} bytes were taken");
    assert_eq!(body_of(body).await.unwrap().len(), 100_000_000);
}

#[tokio::test]
async fn a_body_that_is_waited_for_is_asked_for_once() {
    let (mut requests, _edge) = client().await;
    let mut request = post("/size");
    request.headers_mut().insert("expect", "100-continue".parse().unwrap());
    let (mut answer, mut body) = requests.send_request(request, false).unwrap();
    let interim = poll_fn(|cx| answer.poll_informational(cx)).await.unwrap().unwrap();
    assert_eq!(interim.status(), 100);
    body.send_data(Bytes::from_static(b"now"), true).unwrap();
    assert!(poll_fn(|cx| answer.poll_informational(cx)).await.is_none());
    assert_eq!(body_of(answer.await.unwrap().into_body()).await.unwrap(), b"3");
}

#[tokio::test]
async fn a_body_that_is_there_is_not_asked_for() {
    let (mut raw, _edge) = Raw::client().await;
    let head = headers(0, 1, "/size", &[("expect", "100-continue")]);
    raw.send(&[head, frame(kind::DATA, END_STREAM, 1, b"now")].concat()).await;
    let first = raw.until(kind::HEADERS).await;
    let data = raw.until(kind::DATA).await;
    assert_eq!((first.payload[0], &data.payload[..]), (0x88, &b"3"[..]), "`:status: 200` comes first");
}

#[tokio::test]
async fn interim_answers_reach_the_client() {
    let (mut requests, _edge) = client().await;
    let (mut answer, _) = requests.send_request(get("/hints"), true).unwrap();
    let hints = poll_fn(|cx| answer.poll_informational(cx)).await.unwrap().unwrap();
    assert_eq!(
        (hints.status().as_u16(), hints.headers().get("link").unwrap().as_bytes()),
        (103, &b"</a.css>"[..])
    );
    assert_eq!(answer.await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_reset_is_noticed_before_and_after_the_answer_began() {
    let (mut requests, edge) = client().await;
    let (_answer, mut body) = requests.send_request(post("/gone"), false).unwrap();
    tokio::task::yield_now().await;
    body.send_reset(Reason::CANCEL);
    assert_eq!(edge.site.next().await, "/gone: done");
    let (answer, mut body) = requests.send_request(post("/gone-late"), false).unwrap();
    assert_eq!(answer.await.unwrap().status(), 200);
    body.send_reset(Reason::CANCEL);
    assert_eq!(edge.site.next().await, "/gone-late: done");
}

#[tokio::test]
async fn the_end_of_the_connection_ends_its_streams() {
    let (mut raw, edge) = Raw::client().await;
    raw.send(&[headers(0, 1, "/gone", &[]), headers(0, 3, "/size", &[])].concat()).await;
    raw.send(&frame(kind::PING, 0, 0, &[0; 8])).await;
    raw.until(kind::PING).await;
    drop(raw);
    let mut notes = [edge.site.next().await, edge.site.next().await];
    notes.sort();
    assert_eq!(notes, ["/gone: done", "/size: the client went away"]);
    edge.task.await.unwrap();
}

#[tokio::test]
async fn an_answer_without_body_ends_with_its_head() {
    let (mut raw, _edge) = Raw::client().await;
    let head = |stream, path: &str| {
        let mut bytes = headers(END_STREAM, stream, path, &[]);
        let at = bytes.windows(3).position(|window| window == b"GET").unwrap();
        bytes.splice(at - 1..at + 3, [4].into_iter().chain(*b"HEAD"));
        bytes[2] += 1;
        bytes
    };
    raw.send(&[head(1, "/length"), headers(END_STREAM, 3, "/none", &[])].concat()).await;
    for stream in [1, 3] {
        let answer = raw.until(kind::HEADERS).await;
        assert_eq!((answer.stream, answer.flags), (stream, END_HEADERS | END_STREAM));
    }
}

#[tokio::test]
async fn head_keeps_the_length_of_what_get_would_return() {
    let (mut requests, _edge) = client().await;
    let mut request = get("/length");
    *request.method_mut() = http::Method::HEAD;
    let answer = requests.send_request(request, true).unwrap().0.await.unwrap();
    assert_eq!(answer.headers().get("content-length").unwrap(), "1234");
    assert!(answer.body().is_end_stream());
}

#[tokio::test]
async fn the_last_piece_ends_the_stream() {
    let (mut raw, _edge) = Raw::client().await;
    raw.send(&headers(END_STREAM, 1, "/whole", &[])).await;
    let data = raw.until(kind::DATA).await;
    assert_eq!((&data.payload[..], data.flags), (&b"whole"[..], END_STREAM));
}

#[tokio::test]
async fn an_answer_shorter_or_longer_than_its_head_said_is_cut() {
    for path in ["/short", "/long"] {
        let (mut requests, _edge) = client().await;
        let answer = requests.send_request(get(path), true).unwrap().0.await;
        let error = match answer {
            Ok(answer) => body_of(answer.into_body()).await.unwrap_err(),
            Err(error) => error,
        };
        assert!(error.is_reset() && error.is_remote(), "{path}: {error}");
    }
}

#[tokio::test]
async fn an_early_answer_stops_the_upload_without_an_error() {
    let (mut raw, _edge) = Raw::client().await;
    raw.send(&headers(0, 1, "/early", &[])).await;
    assert_eq!(raw.until(kind::HEADERS).await.flags, END_HEADERS | END_STREAM);
    assert_eq!(raw.code(kind::RESET).await, Reason::NO_ERROR);
}

#[tokio::test]
async fn a_cut_answer_does_not_look_whole() {
    let (mut requests, _edge) = client().await;
    let answer = requests.send_request(get("/abort"), true).unwrap().0.await;
    let error = match answer {
        Ok(answer) => body_of(answer.into_body()).await.unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(error.reason(), Some(Reason::INTERNAL_ERROR));
}

#[tokio::test]
async fn crumbs_of_cookies_are_joined() {
    let (mut requests, _edge) = client().await;
    let mut request = get("/seen");
    for crumb in ["a=1", "b=2"] {
        request.headers_mut().append("cookie", crumb.parse().unwrap());
    }
    let answer = requests.send_request(request, true).unwrap().0.await.unwrap();
    assert_eq!(answer.headers().get("server").unwrap(), "a=1; b=2");
    assert_eq!(answer.headers().get("location").unwrap(), "www.example.com");
}

#[tokio::test]
async fn a_closing_service_lets_streams_end_and_takes_no_more() {
    let (mut raw, edge) = Raw::client().await;
    raw.send(&headers(END_STREAM, 1, "/wait", &[])).await;
    assert_eq!(edge.site.next().await, "waits");
    edge.presences.close();
    assert_eq!(raw.code(kind::GOAWAY).await, Reason::NO_ERROR);
    let ping = raw.until(kind::PING).await;
    raw.send(&frame(kind::PING, ACK, 0, &ping.payload)).await;
    let last = raw.until(kind::GOAWAY).await;
    assert_eq!(last.payload[..4], [0, 0, 0, 1], "the last stream that is served");
    edge.site.go.notify_one();
    assert_eq!(raw.until(kind::DATA).await.payload, "done");
    while raw.next().await.is_some() {}
    drop(raw);
    edge.task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_streams_is_told_to_go_and_then_left() {
    let (mut io, far) = tokio::io::duplex(1 << 20);
    let (site, presences) = (Arc::<Site>::default(), Arc::<Presences>::default());
    let start = Instant::now();
    let served = tokio::spawn(run(site, far, Arc::default(), presences.enter()));
    io.write_all(&[PREFACE, &frame(kind::SETTINGS, 0, 0, &[])].concat()).await.unwrap();
    let mut seen = Vec::new();
    let until = |seen: &[u8]| seen.windows(9).any(|head| head[..4] == [0, 0, 8, kind::GOAWAY]);
    while !until(&seen) {
        assert_ne!(io.read_buf(&mut seen).await.unwrap(), 0);
    }
    assert_eq!(start.elapsed(), Duration::from_secs(60));
    // The PING that asks whether GOAWAY has arrived is not answered.
    io.read_to_end(&mut seen).await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(65));
    drop(io);
    served.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_begins_is_left() {
    let (mut io, far) = tokio::io::duplex(1 << 20);
    let start = Instant::now();
    tokio::spawn(run(Arc::<Site>::default(), far, Arc::default(), Arc::<Presences>::default().enter()));
    io.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
    io.read_to_end(&mut Vec::new()).await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_left() {
    let (mut io, far) = tokio::io::duplex(10_000);
    let (site, presences) = (Arc::<Site>::default(), Arc::<Presences>::default());
    let served = tokio::spawn(run(Arc::clone(&site), far, Arc::default(), presences.enter()));
    let start = Instant::now();
    io.write_all(&[PREFACE, &frame(kind::SETTINGS, 0, 0, &[])].concat()).await.unwrap();
    // Each answer fits its window and all of them the connection's, so that every stream is soon done.
    for stream in (1..100).step_by(2) {
        io.write_all(&headers(END_STREAM, stream, "/length", &[])).await.unwrap();
    }
    served.await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 35, "30 s without a byte, 5 s for the farewell");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_answers_our_settings_is_left() {
    let (mut io, far) = tokio::io::duplex(1 << 20);
    let start = Instant::now();
    tokio::spawn(run(Arc::<Site>::default(), far, Arc::default(), Arc::<Presences>::default().enter()));
    let asked = headers(0, 1, "/size", &[]);
    io.write_all(&[PREFACE, &frame(kind::SETTINGS, 0, 0, &[]), &asked].concat()).await.unwrap();
    let mut seen = Vec::new();
    io.read_to_end(&mut seen).await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(30));
    let timeout = [0, 0, 8, kind::GOAWAY, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4];
    assert!(seen.windows(timeout.len()).any(|part| part == timeout), "{}", seen.escape_ascii());
}

#[tokio::test]
async fn large_answers_side_by_side_leave_in_turn() {
    let (mut raw, _edge) = Raw::client().await;
    let wide = [0, 4, 0x7f, 0xff, 0xff, 0xff];
    raw.send(&[frame(kind::SETTINGS, 0, 0, &wide), frame(kind::WINDOW, 0, 0, &[0x7f, 0, 0, 0])].concat())
        .await;
    let asked: Vec<u8> =
        (0..4).flat_map(|number| headers(END_STREAM, number * 2 + 1, "/huge", &[])).collect();
    raw.send(&asked).await;
    let (mut came, mut all) = ([0_usize; 4], 0);
    while all < 8 << 20 {
        let data = raw.until(kind::DATA).await;
        came[(data.stream / 2) as usize] += data.payload.len();
        all += data.payload.len();
        let (least, most) = (came.iter().min().unwrap(), came.iter().max().unwrap());
        // At first one of them has filled what waits, and a piece each is the turn of all.
        assert!(most - least <= 100 * 1024, "{came:?}");
    }
}

/// Fields of a request, as chance has them: names and values that return, and others.
fn by_chance(seed: &mut u64) -> HeaderMap {
    let mut next = |most: u32| {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(*seed >> 33).unwrap() % most
    };
    let mut fields = HeaderMap::new();
    for _ in 0..next(12) {
        let names =
            ["server", "vary", "x-own", "etag", "x-a-name-of-its-own-that-is-longer", "cache-control"];
        let name = names[next(6) as usize];
        let length = if next(4) == 0 { next(300) } else { next(6) };
        let value: String = (0..length).map(|_| char::from_u32(u32::from('!') + next(94)).unwrap()).collect();
        let mut value = http::HeaderValue::from_str(&value).unwrap();
        value.set_sensitive(next(5) == 0);
        fields.append(name, value);
    }
    fields
}

/// HPACK is read and written as the `h2` crate writes and reads it.
#[tokio::test]
async fn any_fields_go_both_ways() {
    let (mut requests, _edge) = client().await;
    let mut seed = 7;
    for _ in 0..500 {
        let mut request = get("/fields");
        *request.headers_mut() = by_chance(&mut seed);
        let sent = request.headers().clone();
        let mut answer = requests.send_request(request, true).unwrap().0.await.unwrap();
        assert_eq!(answer.headers_mut().remove("content-length").unwrap(), "0");
        assert_eq!(*answer.headers(), sent);
    }
}

#[tokio::test]
async fn a_head_that_is_longer_than_a_frame_comes_in_several() {
    let (mut requests, _edge) = client().await;
    let mut request = get("/seen");
    let cookie = "c".repeat(40_000);
    request.headers_mut().insert("cookie", cookie.parse().unwrap());
    let answer = requests.send_request(request, true).unwrap().0.await.unwrap();
    assert_eq!(answer.headers().get("server").unwrap(), cookie.as_str());
}

#[test]
fn the_task_of_a_connection_is_small() {
    fn size<A, F: Future>(_: impl Fn(A) -> F) -> usize {
        size_of::<F>()
    }
    let presences = Arc::<Presences>::default();
    let size = size(|io: Io| run(Arc::<Site>::default(), io, Arc::default(), presences.enter()));
    assert!(size <= 512, "{size} bytes");
}
