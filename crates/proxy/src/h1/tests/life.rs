//! How a client's connection begins, waits and ends.

use super::*;
use crate::connection::Connection;
use crate::pool::fixture::World;
use crate::service::Presence;
use crate::worker::Worker;

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const GOT: &str = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nGET / ";

#[tokio::test]
async fn an_idle_connection_holds_no_buffer() {
    let mut talk = Talk::begin(echo).await;
    talk.say(GET).await;
    talk.hears(GOT).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let count = talk.stock.count();
    assert!(count.made > 0 && count.free as u64 == count.made, "{count:?}");
}

#[tokio::test]
async fn an_idle_connection_is_small() {
    fn size<T>(_: impl FnOnce(Arc<Worker>, Connection, Io, Presence) -> T) -> usize {
        size_of::<T>()
    }
    assert!(size(super::super::serve) < 1536, "{} bytes", size(super::super::serve));
}

#[test]
fn an_exchange_is_small() {
    fn size<'a, T>(
        _: impl FnOnce(&'a Arc<Worker>, &'a Connection, &'a mut Downstream, &'a mut Deadline) -> T,
    ) -> usize {
        size_of::<T>()
    }
    // What is larger is no small block to the allocator, and costs a multiple.
    let size = size(crate::request::serve);
    assert!(size <= 1_024, "{size} bytes");
}

#[tokio::test(start_paused = true)]
async fn half_a_head_is_answered_408_when_its_time_is_over() {
    for before in [false, true] {
        let mut talk = Talk::begin(echo).await;
        if before {
            talk.say(GET).await;
            assert_eq!(talk.far.read(&mut [0; 99]).await.unwrap(), GOT.len());
        }
        let start = tokio::time::Instant::now();
        talk.say("GET / HTTP/1.1\r\n").await;
        let mut text = String::new();
        talk.far.read_to_string(&mut text).await.unwrap();
        assert!(text.starts_with("HTTP/1.1 408 ") && text.contains("connection: close\r\n"), "{text}");
        assert_eq!(start.elapsed().as_secs(), 10);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_says_nothing_ends_without_a_word() {
    let mut talk = Talk::begin(echo).await;
    let start = tokio::time::Instant::now();
    assert_eq!(talk.far.read(&mut [0; 9]).await.unwrap(), 0);
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn between_requests_a_client_may_rest_longer() {
    let mut talk = Talk::begin(echo).await;
    talk.say(GET).await;
    assert_eq!(talk.far.read(&mut [0; 99]).await.unwrap(), GOT.len());
    let start = tokio::time::Instant::now();
    assert_eq!(talk.far.read(&mut [0; 9]).await.unwrap(), 0);
    assert_eq!(start.elapsed().as_secs(), 60);
}

#[tokio::test]
async fn when_the_service_closes_idle_connections_end_at_once() {
    let mut talk = Talk::begin(echo).await;
    talk.say(GET).await;
    talk.hears(GOT).await;
    talk.presences.close();
    talk.ends().await;
}

#[tokio::test]
async fn when_the_service_closes_a_request_on_its_way_is_answered_and_is_the_last() {
    let mut talk = Talk::begin(echo).await;
    talk.say(GET).await;
    talk.hears(GOT).await;
    // The connection's task has not been told of the bytes when it is told to close.
    std::io::Write::write_all(&mut clone(&talk.far), GET.as_bytes()).unwrap();
    talk.presences.close();
    talk.hears("HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nGET / ").await;
    talk.ends().await;

    let mut fresh = Talk::begin(echo).await;
    fresh.presences.close();
    tokio::task::yield_now().await;
    fresh.say(GET).await;
    fresh.hears("HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nGET / ").await;
    fresh.ends().await;
}

fn clone(stream: &TcpStream) -> std::net::TcpStream {
    let fd = std::os::fd::AsFd::as_fd(stream).try_clone_to_owned().unwrap();
    std::net::TcpStream::from(fd)
}

#[tokio::test]
async fn a_client_that_has_finished_sending_gets_its_answer() {
    fn play(client: &mut Downstream) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(async move {
            read_body(client).await.unwrap();
            let gone = poll_fn(|cx| client.poll_gone(cx));
            assert!(tokio::time::timeout(Duration::from_millis(50), gone).await.is_err());
            answer(client, "HTTP/1.1 200 OK\r\n\r\n", Length::Known(2), b"ok").await
        })
    }
    let mut talk = Talk::begin(play).await;
    talk.say(GET).await;
    talk.far.shutdown().await.unwrap();
    assert_eq!(talk.last_words().await, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    patiently(talk.served).await.unwrap();
}

#[tokio::test]
async fn a_client_that_resets_is_gone_and_what_it_pipelined_is_not_lost() {
    fn play(client: &mut Downstream) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(async move {
            if client.head().path() == "/" {
                let gone = poll_fn(|cx| client.poll_gone(cx));
                assert!(tokio::time::timeout(Duration::from_millis(50), gone).await.is_err());
                return echo(client).await;
            }
            poll_fn(|cx| client.poll_gone(cx)).await;
            false
        })
    }
    let mut talk = Talk::begin(play).await;
    talk.say(GET).await;
    talk.say(GET).await;
    talk.hears(GOT).await;
    talk.hears(GOT).await;
    talk.say("GET /wait HTTP/1.1\r\nhost: a\r\n\r\n").await;
    tokio::task::yield_now().await;
    talk.far.set_zero_linger().unwrap();
    drop(talk.far);
    patiently(talk.served).await.unwrap();
}

#[tokio::test]
async fn a_request_that_is_cut_is_gone() {
    fn play(client: &mut Downstream) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(async move {
            let cut = read_body(client).await;
            assert!(matches!(cut, Err(ClientError::Gone)), "{cut:?}");
            answer(client, "HTTP/1.1 200 OK\r\n\r\n", Length::Known(3), b"cut").await
        })
    }
    for rest in ["content-length: 5\r\n\r\nabc", "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"] {
        let mut talk = Talk::begin(play).await;
        talk.say(format!("POST / HTTP/1.1\r\nhost: a\r\n{rest}")).await;
        talk.far.shutdown().await.unwrap();
        assert!(talk.last_words().await.ends_with("\r\n\r\ncut"));
        patiently(talk.served).await.unwrap();
    }
}

fn cut(client: &mut Downstream) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
    Box::pin(async move {
        let length = if client.head().path() == "/known" { Length::Known(9) } else { Length::Unknown };
        client.answer(&answer_head(Method::Get, "HTTP/1.1 200 OK\r\n\r\n"), &Edits::new(), length);
        poll_fn(|cx| client.poll_write(cx, b"abc")).await.unwrap();
        poll_fn(|cx| client.poll_flush(cx)).await.unwrap();
        match client.head().path() {
            "/short" => client.finish(None),
            "/dropped" => {}
            _ => client.abort(),
        }
        false
    })
}

#[tokio::test]
async fn a_cut_answer_never_looks_whole() {
    let mut known = Talk::begin(cut).await;
    known.say("GET /known HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(known.last_words().await, "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc");

    let mut chunked = Talk::begin(cut).await;
    chunked.say(GET).await;
    let heard = chunked.last_words().await;
    assert_eq!(heard, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n");

    for path in ["/", "/dropped"] {
        let mut until_close = Talk::begin(cut).await;
        until_close.say(format!("GET {path} HTTP/1.0\r\n\r\n")).await;
        let ended = patiently(until_close.far.read_to_end(&mut Vec::new())).await;
        assert_eq!(ended.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset, "{path}");
    }
}

#[tokio::test]
async fn a_body_longer_or_shorter_than_its_head_said_ends_the_connection() {
    fn longer(client: &mut Downstream) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(async move {
            let whole = answer(client, "HTTP/1.1 200 OK\r\n\r\n", Length::Known(2), b"abc").await;
            assert!(!whole);
            false
        })
    }
    fn shorter(client: &mut Downstream) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(answer(client, "HTTP/1.1 200 OK\r\n\r\n", Length::Known(4), b"abc"))
    }
    let short = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabc";
    // Of the longer one nothing had been sent yet when it was found out.
    for (play, expected) in [(longer as Play, ""), (shorter, short)] {
        let mut talk = Talk::begin(play).await;
        talk.say(GET).await;
        assert_eq!(talk.last_words().await, expected);
        patiently(talk.served).await.unwrap();
    }
}

#[tokio::test]
async fn a_head_that_is_not_taken_leaves_its_ref_and_its_record() {
    let world = World::new(&[], |_| {});
    let before = world.edge.metrics.render();
    let worker = world.worker(0);
    let (near, mut far) = wire().await;
    let (peer, local) = (far.local_addr().unwrap(), far.peer_addr().unwrap());
    let connection = Connection {
        peer,
        client: peer,
        address: "127.0.0.1".into(),
        local,
        listener: 0,
        cells: Arc::default(),
        places: crate::connection::Places::default(),
        tls: None,
        sni: None,
    };
    let presence = worker.presences.enter();
    let served = tokio::spawn(super::super::serve(Arc::clone(&worker), connection, near, presence));
    far.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n").await.unwrap();
    let mut text = String::new();
    patiently(far.read_to_string(&mut text)).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{text}");
    let (_, rest) = text.split_once("x-nearside-ref: ").unwrap();
    assert!(text.ends_with(&format!("Ref: {}\n", rest.get(..16).unwrap())), "{text}");
    assert!(!before.contains("refused.malformed"), "{before}");
    let counted = world.edge.metrics.render();
    assert!(counted.contains("refused.malformed"), "{counted}");
    drop(far);
    patiently(served).await.unwrap();
}
