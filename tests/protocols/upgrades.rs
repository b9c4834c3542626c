//! Handshakes against backends that write what a test says: only a 101 that was asked for and proves itself makes a
//! tunnel of a connection, whose directions then end one by one.

use nearside_tests::client::connect;
use nearside_tests::edge::Setting;
use nearside_tests::websocket::{Refused, open};
use nearside_tests::{Edge, QUICK, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A backend that gives one answer to every request, and notes the heads that it got and whether it was closed.
async fn scripted(
    answer: &'static str,
) -> (std::net::SocketAddr, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (notes, noted) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let notes = notes.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    // A probe of TCP says nothing.
                    let Ok(byte) = stream.read_u8().await else { return };
                    head.push(byte);
                }
                stream.write_all(answer.as_bytes()).await.unwrap();
                drop(notes.send(String::from_utf8(head).unwrap()));
                let mut rest = Vec::new();
                drop(stream.read_to_end(&mut rest).await);
                drop(notes.send(format!("closed after {}", rest.escape_ascii())));
            });
        }
    });
    (address, noted)
}

/// The edge before a scripted backend.
async fn before_script(answer: &'static str) -> (Edge, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let (address, noted) = scripted(answer).await;
    let text = format!(
        "{QUICK}pools:\n  web:\n    probe: {{ protocol: tcp }}\n    backends: [{{ url: \"http://{address}\", \
         region: frankfurt }}]\nroutes:\n  - {{ host: www.example.com, pool: web }}\n"
    );
    (Setting::new().run(&text).await, noted)
}

const ACCEPTED: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
     sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_101_that_does_not_match_is_a_502_and_its_connection_is_closed() {
    for (what, answer) in [
        (
            "a wrong proof",
            "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: x3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        ),
        ("no proof", "connection: upgrade\r\nupgrade: websocket"),
        (
            "another protocol",
            "connection: upgrade\r\nupgrade: h2c\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        ),
        (
            "two protocols",
            "connection: upgrade\r\nupgrade: websocket, h2c\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        ),
        ("no connection option", "upgrade: websocket\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
    ] {
        let answer = format!("HTTP/1.1 101 Switching Protocols\r\n{answer}\r\n\r\n").leak();
        let (edge, mut noted) = before_script(answer).await;
        assert_eq!(open(&edge, false, "/").await.map(drop), Err(Refused(502)), "{what}");
        let head = noted.recv().await.unwrap();
        assert!(head.contains("upgrade: websocket") && head.contains("dGhlIHNhbXBsZSBub25jZQ=="), "{head}");
        assert_eq!(noted.recv().await.unwrap(), "closed after ", "{what}");
        let record = eventually("a record", async || edge.records().pop()).await;
        assert_eq!(
            (&record["status"], &record["reason"]),
            (&502.into(), &"failed.protocol".into()),
            "{what}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_direction_that_ends_leaves_the_other_open() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else { return };
                    head.push(byte);
                }
                stream.write_all(ACCEPTED.as_bytes()).await.unwrap();
                let mut all = Vec::new();
                stream.read_to_end(&mut all).await.unwrap();
                stream.write_all(&[b"after the end: ", &all[..]].concat()).await.unwrap();
            });
        }
    });
    let text = format!(
        "{QUICK}pools:\n  web:\n    probe: {{ protocol: tcp }}\n    backends: [{{ url: \"http://{address}\", \
         region: frankfurt }}]\nroutes:\n  - {{ host: www.example.com, pool: web }}\n"
    );
    let edge = Setting::new().run(&text).await;
    let config = edge.authority.trusting(&[b"http/1.1"]);
    let mut stream = connect(config, edge.https, "www.example.com").await.unwrap();
    let request = "GET / HTTP/1.1\r\nhost: www.example.com\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\nfirst, ";
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.write_all(b"second").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nafter the end: first, second"), "{answer}");
    let record = eventually("a record", async || edge.records().pop()).await;
    assert_eq!((&record["bytes_in"], &record["bytes_out"]), (&13.into(), &28.into()), "{record}");
    assert_eq!(record["reason"], "won.only", "{record}");
}

/// What the edge answers to `request` on a connection of HTTP/1.1, up to its end.
async fn said(edge: &Edge, request: &str) -> String {
    let config = edge.authority.trusting(&[b"http/1.1"]);
    let mut stream = connect(config, edge.https, "www.example.com").await.unwrap();
    stream.write_all(request.replace('\n', "\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_101_that_nobody_asked_for_is_a_502_and_its_connection_is_closed() {
    let (edge, mut noted) = before_script(ACCEPTED).await;
    for (what, fields) in [
        ("a plain request", "connection: close"),
        (
            "h2c",
            "connection: upgrade, http2-settings, close\nupgrade: h2c\nhttp2-settings: AAMAAABkAAQAoAAAAAIAAAAA",
        ),
        (
            "an upgrade without the option",
            "upgrade: websocket\nconnection: close\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
        ),
        ("a key that is none", "connection: upgrade, close\nupgrade: websocket\nsec-websocket-key: short"),
    ] {
        let answer = said(&edge, &format!("GET / HTTP/1.1\nhost: www.example.com\n{fields}\n\n")).await;
        assert!(answer.starts_with("HTTP/1.1 502"), "{what}: {answer}");
        let head = noted.recv().await.unwrap().to_ascii_lowercase();
        assert!(!head.contains("\r\nupgrade:") && !head.contains("http2-settings"), "{what}: {head}");
        assert_eq!(noted.recv().await.unwrap(), "closed after ", "{what}");
    }
    // HTTP/2 has no upgrade: here it is the backend alone that is wrong.
    let reqwest = nearside_tests::client::reqwest(&edge, true);
    let answer = reqwest.get(nearside_tests::client::url(&edge, "/")).send().await.unwrap();
    assert_eq!(answer.status(), 502);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_grants_nothing_is_an_answer() {
    let refusal = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 4\r\nconnection: close\r\n\r\nwho?";
    let (edge, _noted) = before_script(refusal).await;
    for h2 in [false, true] {
        assert_eq!(open(&edge, h2, "/").await.map(drop), Err(Refused(401)));
    }
    let request = "GET / HTTP/1.1\nhost: www.example.com\nconnection: upgrade, close\nupgrade: websocket\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\nsec-websocket-version: 13\n\n";
    let answer = said(&edge, request).await;
    assert!(answer.starts_with("HTTP/1.1 401") && answer.ends_with("who?"), "{answer}");
    // A success without a tunnel is one in HTTP/1.1, and in HTTP/2 would be taken for the tunnel.
    let (edge, _noted) =
        before_script("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi").await;
    assert_eq!(open(&edge, false, "/").await.map(drop), Err(Refused(200)));
    assert_eq!(open(&edge, true, "/").await.map(drop), Err(Refused(502)));
}
