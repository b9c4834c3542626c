//! Answers in pieces: server-sent events as they are sent, several 1xx heads, and bodies that one side holds back.

use crate::bodies::{MIB, resident};
use crate::setting::{KINDS, stage};
use nearside_tests::edge::Setting;
use nearside_tests::{Edge, QUICK, client, tool};
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::ChildStderr;
use tokio::sync::mpsc;

/// A backend whose answers the test writes; probes are answered by itself.
struct Puppet {
    address: SocketAddr,
    requests: mpsc::Receiver<TcpStream>,
}

impl Puppet {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, (to, requests)) = (listener.local_addr().unwrap(), mpsc::channel(8));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(receive(stream, to.clone()));
            }
        });
        Self { address, requests }
    }

    /// The next request, which is to be answered.
    async fn next(&mut self) -> TcpStream {
        self.requests.recv().await.unwrap()
    }

    /// An edge before it, with deadlines that are short but for streams.
    async fn edge(&self) -> Edge {
        let text = format!(
            "{QUICK}  timeouts: {{ body_idle: 1s, stream_idle: 1m }}\npools:\n  app:\n    \
             backends: [{{ url: \"http://{}\", region: frankfurt }}]\nroutes:\n  \
             - {{ host: www.example.com, pool: app }}\n",
            self.address
        );
        Setting::new().run(&text).await
    }
}

async fn receive(mut stream: TcpStream, to: mpsc::Sender<TcpStream>) -> Option<()> {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        if !head.starts_with(b"HEAD /healthz") {
            return to.send(stream).await.ok();
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.ok()?;
    }
}

/// Writes one chunk.
async fn chunk(to: &mut TcpStream, text: &str) {
    to.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes()).await.unwrap();
}

/// A chunked answer that has begun, of this type: the backend's side and the client's.
async fn begin(edge: &Edge, puppet: &mut Puppet, h2: bool, kind: &str) -> (TcpStream, reqwest::Response) {
    let asked = client::reqwest(edge, h2).get(client::url(edge, "/events")).send();
    let answered = async {
        let mut stream = puppet.next().await;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    };
    let (answer, stream) = tokio::join!(asked, answered);
    (stream, answer.unwrap())
}

#[tokio::test]
async fn events_arrive_one_by_one() {
    let mut puppet = Puppet::start().await;
    let edge = puppet.edge().await;
    for h2 in [false, true] {
        let (mut stream, mut answer) = begin(&edge, &mut puppet, h2, "text/event-stream").await;
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        for number in 0..5 {
            // The next event is not even written before this one has arrived.
            let event = format!("id: {number}\ndata: {}\n\n", "x".repeat(number * 100));
            chunk(&mut stream, &event).await;
            assert_eq!(answer.chunk().await.unwrap().unwrap(), event, "h2={h2}");
        }
        stream.write_all(b"0\r\n\r\n").await.unwrap();
        assert!(answer.bytes().await.unwrap().is_empty(), "h2={h2}");
    }
}

#[tokio::test]
async fn a_backend_learns_that_the_listener_of_its_events_has_gone() {
    let mut puppet = Puppet::start().await;
    let edge = puppet.edge().await;
    for h2 in [false, true] {
        let (mut stream, mut answer) = begin(&edge, &mut puppet, h2, "text/event-stream").await;
        chunk(&mut stream, "data: hello\n\n").await;
        answer.chunk().await.unwrap();
        drop(answer);
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok() && rest.is_empty(), "h2={h2}: nobody tells the backend");
    }
}

/// A curl that has been told to ask for `url` in this version of HTTP, with its heads on its output.
fn curl(edge: &Edge, version: &str, url: &str) -> tokio::process::Command {
    let mut command = tokio::process::Command::new("curl");
    command
        .args(["-sS", "-i", "-N", version, "--resolve"])
        .arg(format!("www.example.com:{}:127.0.0.1", edge.https.port()))
        .arg("--cacert")
        .arg(edge.authority.file())
        .arg(url)
        .kill_on_drop(true);
    command
}

/// The status line that curl says it got next. It tells the end of a 1xx head when the next one begins.
async fn status(said: &mut Lines<BufReader<ChildStderr>>) -> String {
    let first = line(said).await;
    if first.is_empty() { line(said).await } else { first }
}

/// The next line of a head that curl says it got.
async fn line(said: &mut Lines<BufReader<ChildStderr>>) -> String {
    loop {
        let line = said.next_line().await.unwrap().expect("curl says more");
        if let Some(got) = line.strip_prefix("< ") {
            return got.trim_end().to_ascii_lowercase();
        }
    }
}

#[tokio::test]
async fn each_early_hint_reaches_clients_of_both_protocols_before_the_backend_goes_on() {
    let mut puppet = Puppet::start().await;
    let edge = puppet.edge().await;
    for (version, spoken) in [("--http1.1", "http/1.1"), ("--http2", "http/2")] {
        let mut command = curl(&edge, version, &client::url(&edge, "/"));
        // What curl says of heads is not held back, as its output is.
        let curl = command.arg("-v").stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let Some(mut curl) = tool::had("curl", curl) else { return };
        let mut said = BufReader::new(curl.stderr.take().unwrap()).lines();
        let mut stream = puppet.next().await;
        for number in 0..3 {
            let hint = format!("HTTP/1.1 103 Early Hints\r\nlink: </{number}.css>; rel=preload\r\n\r\n");
            stream.write_all(hint.as_bytes()).await.unwrap();
            let status = status(&mut said).await;
            assert!(status.starts_with(&format!("{spoken} 103")), "{status}");
            assert_eq!(line(&mut said).await, format!("link: </{number}.css>; rel=preload"));
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nyes").await.unwrap();
        let status = status(&mut said).await;
        assert!(status.starts_with(&format!("{spoken} 200")), "{status}");
        loop {
            let field = line(&mut said).await;
            assert!(!field.starts_with("link"), "a hint's field in the answer: {field}");
            if field.is_empty() {
                break;
            }
        }
        assert!(curl.wait().await.unwrap().success());
    }
}

#[tokio::test]
async fn an_early_hint_of_every_backend_protocol_reaches_clients_of_both() {
    let stage = stage().await;
    for (version, spoken) in [("--http1.1", "HTTP/1.1"), ("--http2", "HTTP/2")] {
        for kind in KINDS {
            let url = client::url(&stage.edge, &format!("/{kind}/early"));
            let output = curl(&stage.edge, version, &url).output().await;
            let Some(output) = tool::had("curl", output) else { return };
            let out = String::from_utf8(output.stdout).unwrap();
            let heads: Vec<_> = out.lines().filter(|line| line.starts_with("HTTP/")).collect();
            assert_eq!(heads.len(), 2, "{kind}: {out}");
            assert!(heads[0].starts_with(&format!("{spoken} 103")), "{kind}: {out}");
            assert!(heads[1].starts_with(&format!("{spoken} 200")), "{kind}: {out}");
        }
    }
}

#[tokio::test]
async fn a_backend_that_stops_reading_stops_the_client() {
    let stage = stage().await;
    for h2 in [false, true] {
        for kind in KINDS {
            let before = resident(&stage.edge);
            let taken = Arc::new(AtomicUsize::new(0));
            let counter = Arc::clone(&taken);
            let piece = bytes::Bytes::from(vec![42; 64 * 1024]);
            let pieces = futures_util::stream::iter((0..16 * 1024).map(move |_| {
                counter.fetch_add(piece.len(), Ordering::Relaxed);
                Ok::<_, std::io::Error>(piece.clone())
            }));
            let url = client::url(&stage.edge, &format!("/{kind}/stall"));
            let upload =
                client::reqwest(&stage.edge, h2).post(url).body(reqwest::Body::wrap_stream(pieces)).send();
            let upload = tokio::spawn(upload);
            let (mut last, mut looks) = (0, 0);
            nearside_tests::eventually("an upload that stands still", async || {
                tokio::time::sleep(Duration::from_millis(100)).await;
                let now = taken.load(Ordering::Relaxed);
                looks = if now > 0 && now == last { looks + 1 } else { 0 };
                last = now;
                (looks == 5).then_some(())
            })
            .await;
            assert!(!upload.is_finished(), "{kind}: the backend answers nothing");
            // What is on its way fills windows and the kernel's buffers, which a gigabyte does not fit in.
            assert!(last < 64 * MIB, "{kind} h2={h2}: {last} bytes were taken");
            let grown = resident(&stage.edge).saturating_sub(before);
            assert!(grown < 32 * 1024, "{kind} h2={h2}: memory grew by {grown} KiB");
            if h2 {
                // A client at a distance is paced by its window: a stream has at least this much at once.
                assert!(last >= MIB, "{kind}: only {last} bytes were taken");
            }
            upload.abort();
        }
    }
}

#[tokio::test]
async fn a_backend_is_granted_windows_that_fit_a_long_way() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let text = format!(
        "{QUICK}pools:\n  app:\n    connections: {{ protocol: h2c }}\n    \
         backends: [{{ url: \"http://{}\", region: frankfurt }}]\nroutes:\n  - {{ host: www.example.com, pool: app }}\n",
        listener.local_addr().unwrap()
    );
    let _edge = Setting::new().run(&text).await;
    // A probe's connection is as good as any: the first SETTINGS, and the update of the connection's own window.
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await.unwrap();
    assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    let (mut of_stream, mut of_connection) = (None, None);
    while of_stream.is_none() || of_connection.is_none() {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        let mut payload =
            vec![0; usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2])];
        stream.read_exact(&mut payload).await.unwrap();
        let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap());
        match (head[3], number(&head[5..])) {
            (4, 0) => {
                let window = payload.chunks(6).find(|setting| setting[..2] == [0, 4]);
                of_stream = Some(number(&window.unwrap()[2..]));
            }
            (8, 0) => of_connection = Some(65_535 + number(&payload)),
            _ => {}
        }
    }
    // At 100 ms there and back, a stream of 80 MB/s, and four of them beside each other.
    assert_eq!((of_stream, of_connection), (Some(8 << 20), Some(32 << 20)));
}
