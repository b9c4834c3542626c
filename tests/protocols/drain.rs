//! The end of a drain's grace: what goes to the marked region is ended in its protocol's way, and nothing else.

use bytes::Bytes;
use futures_util::SinkExt;
use h2::Reason;
use http::Request;
use nearside_tests::client::{HOST, connect};
use nearside_tests::edge::Setting;
use nearside_tests::streams::Streams;
use nearside_tests::websocket::{Echo, Socket, Speaks, ending, next, open};
use nearside_tests::{Edge, QUICK, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::Message;

const REGIONS: [(&str, &str); 2] = [("fra", "frankfurt"), ("iad", "virginia")];

struct Stage {
    edge: Edge,
    echoes: Vec<Echo>,
    _streams: Vec<Streams>,
}

/// The edge before an echo and an endless backend in each region, told apart by the first part of the path.
async fn stage() -> Stage {
    let mut text = format!("{QUICK}pools:\n");
    let (mut echoes, mut streams) = (Vec::new(), Vec::new());
    for (name, region) in REGIONS {
        let (echo, endless) = (Echo::start(Speaks::H1, None).await, Streams::start().await);
        for (kind, protocol, address) in [("ws", "h1", echo.address), ("h2", "h2c", endless.address)] {
            text.push_str(&format!(
                "  {name}-{kind}:\n    probe: {{ protocol: tcp }}\n    connections: {{ protocol: {protocol} }}\n    \
                 backends: [{{ id: {name}-{kind}, url: \"http://{address}\", region: {region} }}]\n"
            ));
        }
        echoes.push(echo);
        streams.push(endless);
    }
    text.push_str("routes:\n");
    for (name, kind) in [("fra", "ws"), ("fra", "h2"), ("iad", "ws"), ("iad", "h2")] {
        text.push_str(&format!(
            "  - {{ host: www.example.com, path: /{name}/{kind}/*, strip_prefix: /{name}/{kind}, pool: {name}-{kind} }}\n"
        ));
    }
    Stage { edge: Setting::new().run(&text).await, echoes, _streams: streams }
}

fn mark(text: &str, region: &str, grace: &str) -> String {
    text.replacen(
        &format!("{region}: {{}}"),
        &format!("{region}: {{ drain: {{ reason: rollout, grace: {grace} }} }}"),
        1,
    )
}

async fn echoed(socket: &mut Socket) {
    socket.send(Message::text("here")).await.unwrap();
    assert_eq!(next(socket).await.unwrap(), Message::text("here"));
}

/// What one client has open to one region.
struct Open {
    sockets: [Socket; 2],
    /// By path: `/grpc`, `/half`, `/web`, `/events`, `/bytes`.
    calls: Vec<h2::RecvStream>,
    events: TlsStream<TcpStream>,
    upload: TlsStream<TcpStream>,
}

impl Open {
    async fn new(edge: &Edge, name: &str) -> Self {
        let path = format!("/{name}/ws/echo");
        let mut sockets = [open(edge, false, &path).await.unwrap(), open(edge, true, &path).await.unwrap()];
        for socket in &mut sockets {
            echoed(socket).await;
        }
        let io = connect(edge.authority.trusting(&[b"h2"]), edge.https, HOST).await.unwrap();
        let (mut requests, connection) = h2::client::handshake(io).await.unwrap();
        tokio::spawn(connection);
        let mut calls = Vec::new();
        for path in ["/grpc", "/half", "/web", "/events", "/bytes"] {
            let request = Request::get(format!("https://{HOST}/{name}/h2{path}")).body(()).unwrap();
            let (answer, _) = requests.send_request(request, true).unwrap();
            let mut body = answer.await.unwrap().into_body();
            assert!(body.data().await.unwrap().unwrap().len() >= 5);
            calls.push(body);
        }
        let h1 = edge.authority.trusting(&[b"http/1.1"]);
        let mut events = connect(std::sync::Arc::clone(&h1), edge.https, HOST).await.unwrap();
        let head = format!("GET /{name}/h2/events HTTP/1.1\r\nhost: {HOST}\r\n\r\n");
        events.write_all(head.as_bytes()).await.unwrap();
        heard(&mut events, "data: again").await;
        let mut upload = connect(h1, edge.https, HOST).await.unwrap();
        let head =
            format!("POST /{name}/h2/upload HTTP/1.1\r\nhost: {HOST}\r\ncontent-length: 1000\r\n\r\nbegun");
        upload.write_all(head.as_bytes()).await.unwrap();
        Self { sockets, calls, events, upload }
    }

    /// That everything goes on.
    async fn lives(&mut self) {
        for socket in &mut self.sockets {
            echoed(socket).await;
        }
        // The one with half a message has nothing more to say.
        let talking = self.calls.iter_mut().enumerate().filter(|(at, _)| *at != 1);
        for (_, call) in talking {
            loop {
                let data = call.data().await.unwrap().unwrap();
                call.flow_control().release_capacity(data.len()).unwrap();
                if data.ends_with(b"again") || data.ends_with(b"again\n\n") {
                    break;
                }
            }
        }
        heard(&mut self.events, "data: again").await;
        self.upload.write_all(b"goes on").await.unwrap();
    }
}

/// Reads until `text` has come.
async fn heard(stream: &mut TlsStream<TcpStream>, text: &str) -> String {
    let mut all = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).await.unwrap();
        assert!(count > 0, "the end came before {text:?}: {}", all.escape_ascii());
        all.extend_from_slice(&piece[..count]);
        let so_far = String::from_utf8_lossy(&all).into_owned();
        if so_far.contains(text) {
            return so_far;
        }
    }
}

/// Reads a call to its end: the status of its trailers, or the reset's reason.
async fn outcome(call: &mut h2::RecvStream) -> Result<String, Reason> {
    while let Some(data) = call.data().await {
        let data: Bytes = data.map_err(|error| error.reason().unwrap())?;
        call.flow_control().release_capacity(data.len()).unwrap();
    }
    let trailers = call.trailers().await.map_err(|error| error.reason().unwrap())?.unwrap_or_default();
    Ok(trailers.get("grpc-status").map_or_else(String::new, |status| status.to_str().unwrap().to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn after_grace_exactly_the_streams_to_the_marked_region_end_in_their_protocols_way() {
    let stage = stage().await;
    let mut marked = Open::new(&stage.edge, "fra").await;
    let mut other = Open::new(&stage.edge, "iad").await;
    stage.edge.reload(|text| mark(&text, "frankfurt", "3s")).await;
    // Grace is there to be used.
    marked.lives().await;
    let draining = &stage.edge.status()["regions"][0];
    assert_eq!((&draining["state"], &draining["in_flight"]), (&"draining".into(), &9.into()));

    for socket in &mut marked.sockets {
        assert_eq!(ending(socket).await, "closed 1001");
    }
    let notes = eventually("the echo's notes", async || {
        let notes = stage.echoes[0].notes();
        (notes.len() == 2).then_some(notes)
    })
    .await;
    assert_eq!(notes, ["h1 /echo: closed 1001", "h1 /echo: closed 1001"]);
    let mut outcomes = Vec::new();
    for call in &mut marked.calls {
        outcomes.push(outcome(call).await);
    }
    let cancelled = || Err(Reason::CANCEL);
    assert_eq!(outcomes, [Ok("14".to_owned()), cancelled(), cancelled(), cancelled(), cancelled()]);
    let mut rest = Vec::new();
    // A cut without TLS's farewell is an error, which is as visible.
    drop(marked.events.read_to_end(&mut rest).await);
    assert!(!rest.ends_with(b"0\r\n\r\n"), "a cut answer looks whole: {}", rest.escape_ascii());
    // What had no answer yet gets one that says why.
    let page = heard(&mut marked.upload, "\r\n\r\n").await;
    assert!(page.starts_with("HTTP/1.1 503") && page.contains("refused.drained"), "{page}");

    other.lives().await;
    eventually("a region without requests", async || {
        (stage.edge.status()["regions"][0]["state"] == "drained").then_some(())
    })
    .await;
    assert_eq!(stage.edge.status()["regions"][1]["in_flight"], 9);
    let records = eventually("nine records", async || {
        let records = stage.edge.records();
        (records.len() >= 9).then_some(records)
    })
    .await;
    assert_eq!(records.len(), 9, "{records:?}");
    let log = stage.edge.log();
    let told = log.lines().filter(|line| line.contains("\"stream ended\"")).collect::<Vec<_>>();
    assert_eq!(told.len(), 9, "{log}");
    for record in &records {
        assert_eq!(record["region"], "frankfurt", "{record}");
        let unanswered = record["status"] == 503;
        let expected = if unanswered { "refused.drained" } else { "excluded.drained" };
        assert_eq!(record["reason"], expected, "{record}");
        let reference = record["ref"].as_str().unwrap();
        assert!(told.iter().any(|line| line.contains(reference)), "{reference} is not told of");
    }
    other.lives().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_that_is_taken_back_in_time_ends_nothing() {
    let stage = stage().await;
    let mut spared = Open::new(&stage.edge, "fra").await;
    let mut marked = Open::new(&stage.edge, "iad").await;
    stage.edge.reload(|text| mark(&text, "frankfurt", "3s")).await;
    stage.edge.reload(|text| text.replace("{ drain: { reason: rollout, grace: 3s } }", "{}")).await;
    // A mark on a backend alone ends what goes there; its grace begins after the other one did.
    stage
        .edge
        .reload(|text| {
            let backend = "region: virginia }";
            text.replace(backend, "region: virginia, drain: { reason: disk, grace: 3s } }")
        })
        .await;
    for socket in &mut marked.sockets {
        assert_eq!(ending(socket).await, "closed 1001");
    }
    spared.lives().await;
}
