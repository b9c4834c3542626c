//! SIGTERM: what is in flight ends whole.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use futures_util::SinkExt;
use nearside_sample::drip_line;
use nearside_tests::client::{self, url};
use nearside_tests::edge::Setting;
use nearside_tests::websocket::{Echo, Socket, Speaks, ending, next, open};
use nearside_tests::{Edge, Process, QUICK};
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

#[tokio::test(flavor = "multi_thread")]
async fn ten_streams_and_three_web_sockets_outlast_sigterm_and_the_edge_ends_with_the_last() {
    let setting = Setting::new();
    let backend = Process::start(setting.folder(), "fra-a", "frankfurt").await;
    let echo = Echo::start(Speaks::H1, None).await;
    let text = format!(
        "{QUICK}pools:\n  web:\n    backends: [{{ url: \"http://{}\", region: frankfurt }}]\n  \
         echo:\n    probe: {{ protocol: tcp }}\n    backends: [{{ url: \"http://{}\", region: frankfurt }}]\n\
         routes:\n  - {{ host: www.example.com, pool: web }}\n  - {{ host: www.example.com, path: /echo, pool: echo }}\n\
         shutdown: {{ deadline: 60s }}\n",
        backend.address, echo.address
    );
    let mut edge = setting.run(&text).await;
    // 60 lines, 100 ms apart: the streams outlast the signal by more than 5 s.
    let expected: Vec<u8> = (0..60).flat_map(|line| drip_line(line).into_bytes()).collect();
    let mut answers = Vec::new();
    for number in 0..10 {
        let client = client::reqwest(&edge, number % 2 == 0);
        let answer = client.get(url(&edge, "/drip/60/100")).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answers.push(answer);
    }
    let mut sockets = Vec::new();
    for h2 in [false, true, false] {
        let mut socket = open(&edge, h2, "/echo").await.unwrap();
        echoed(&mut socket).await;
        sockets.push(socket);
    }
    edge.signal("TERM");
    nearside_tests::eventually("readiness that fails", async || {
        edge.ask("/readyz").is_none_or(|(status, _)| status == 503).then_some(())
    })
    .await;
    let mut whole = tokio::task::JoinSet::new();
    for answer in answers {
        whole.spawn(answer.bytes());
    }
    for bytes in whole.join_all().await {
        assert!(bytes.unwrap() == expected, "a stream was cut");
    }
    for socket in &mut sockets {
        echoed(socket).await;
        socket.close(None).await.unwrap();
        assert_eq!(ending(socket).await, "closed without a code");
    }
    // Sooner than the deadline, or it would be a matter of chance.
    let ended = tokio::time::timeout(Duration::from_secs(20), edge.ended()).await;
    assert_eq!(ended.expect("nothing is waited for").code(), Some(0), "{}", edge.log());
    assert_eq!(echo.notes(), ["h1 /echo: closed without a code"; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_edge_ends_at_once_and_new_connections_are_refused() {
    let setting = Setting::new();
    let backend = Process::start(setting.folder(), "fra-a", "frankfurt").await;
    let text = format!(
        "{QUICK}pools:\n  web:\n    backends: [{{ url: \"http://{}\", region: frankfurt }}]\n\
         routes:\n  - {{ host: www.example.com, pool: web }}\n",
        backend.address
    );
    let mut edge = setting.run(&text).await;
    let client = client::reqwest(&edge, true);
    assert_eq!(client.get(url(&edge, "/")).send().await.unwrap().status(), 200);
    edge.signal("TERM");
    let ended = tokio::time::timeout(Duration::from_secs(10), edge.ended()).await;
    assert_eq!(ended.expect("the kept connection is idle, so nothing is waited for").code(), Some(0));
    assert!(tokio::net::TcpStream::connect(edge.https).await.is_err());
}

/// An edge with one backend and this `shutdown`.
async fn edge(shutdown: &str) -> (Edge, Process) {
    let setting = Setting::new();
    let backend = Process::start(setting.folder(), "fra-a", "frankfurt").await;
    let text = format!(
        "{QUICK}pools:\n  web:\n    backends: [{{ url: \"http://{}\", region: frankfurt }}]\n\
         routes:\n  - {{ host: www.example.com, pool: web }}\nshutdown: {shutdown}\n",
        backend.address
    );
    (setting.run(&text).await, backend)
}

async fn told_to_end(edge: &Edge) {
    edge.signal("TERM");
    nearside_tests::eventually("readiness that fails", async || {
        edge.ask("/readyz").is_some_and(|(status, _)| status == 503).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn during_the_delay_clients_are_served_and_told_to_go() {
    let (mut edge, _backend) = edge("{ delay: 3s }").await;
    let kept = client::reqwest(&edge, false);
    assert!(!kept.get(url(&edge, "/")).send().await.unwrap().headers().contains_key("connection"));
    told_to_end(&edge).await;
    assert_eq!(edge.status()["phase"], "draining");
    for client in [kept, client::reqwest(&edge, false)] {
        let answer = client.get(url(&edge, "/")).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["connection"]),
            (200, &"close".parse().unwrap())
        );
    }
    let answer = client::reqwest(&edge, true).get(url(&edge, "/")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(edge.ended().await.code(), Some(0), "{}", edge.log());
    assert!(tokio::net::TcpStream::connect(edge.https).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_deadline_what_is_left_is_cut() {
    let (mut edge, _backend) = edge("{ deadline: 1s }").await;
    let open = client::reqwest(&edge, false).get(url(&edge, "/drip/600/100")).send().await.unwrap();
    told_to_end(&edge).await;
    assert_eq!(edge.ended().await.code(), Some(0), "{}", edge.log());
    assert!(open.bytes().await.is_err(), "half a body passed for a whole one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once() {
    for name in ["TERM", "INT"] {
        let (mut edge, _backend) = edge("{ delay: 1h, deadline: 1h }").await;
        let open = client::reqwest(&edge, true).get(url(&edge, "/drip/600/100")).send().await.unwrap();
        told_to_end(&edge).await;
        edge.signal(name);
        assert_eq!(edge.ended().await.code(), Some(1), "{}", edge.log());
        assert!(open.bytes().await.is_err());
    }
}

/// Says it and hears it said back.
async fn echoed(socket: &mut Socket) {
    socket.send(Message::text("still here")).await.unwrap();
    assert_eq!(next(socket).await.unwrap(), Message::text("still here"));
}

async fn before_echo(deadline: &str) -> (Edge, Echo) {
    let echo = Echo::start(Speaks::H1, None).await;
    let text = format!(
        "{QUICK}pools:\n  web:\n    probe: {{ protocol: tcp }}\n    backends: [{{ url: \"http://{}\", region: frankfurt }}]\n\
         routes:\n  - {{ host: www.example.com, pool: web }}\nshutdown: {{ deadline: {deadline} }}\n",
        echo.address
    );
    (Setting::new().run(&text).await, echo)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_open_at_the_deadline_is_closed_in_its_protocols_way() {
    let (mut edge, echo) = before_echo("2s").await;
    let mut sockets = [open(&edge, false, "/echo").await.unwrap(), open(&edge, true, "/echo").await.unwrap()];
    for socket in &mut sockets {
        echoed(socket).await;
    }
    edge.signal("TERM");
    for socket in &mut sockets {
        assert_eq!(ending(socket).await, "closed 1001");
    }
    assert_eq!(edge.ended().await.code(), Some(0), "{}", edge.log());
    assert_eq!(echo.notes(), ["h1 /echo: closed 1001", "h1 /echo: closed 1001"]);
    let records = edge.records();
    assert_eq!(records.len(), 2, "{records:?}");
    assert!(records.iter().all(|record| record["reason"] == "failed.timeout"), "{records:?}");
}
