//! The sample backend seen from outside, by clients that write their own bytes.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{Handle, Ledger, Options, Tls, pattern_digest, repeated_ids, start};

async fn backend() -> Handle {
    start(Options::new("fra-a", "frankfurt")).await.unwrap()
}

/// Sends these bytes and reads until the backend closes.
async fn talk(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A cut connection is an answer too.
    drop(stream.read_to_end(&mut answer).await);
    answer
}

async fn get(address: SocketAddr, path: &str, headers: &str) -> (String, Vec<u8>) {
    split(
        &talk(
            address,
            format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}\r\n").as_bytes(),
        )
        .await,
    )
}

async fn post(address: SocketAddr, path: &str, headers: &str, body: &str) -> (String, Vec<u8>) {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    split(&talk(address, (head + body).as_bytes()).await)
}

fn split(answer: &[u8]) -> (String, Vec<u8>) {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").map_or(answer.len(), |end| end + 4);
    (String::from_utf8(answer[..end].to_vec()).unwrap(), answer[end..].to_vec())
}

/// One request over HTTP/2 in clear: status, headers, body and trailers, or how the stream ended.
async fn h2(
    address: SocketAddr,
    request: Request<()>,
    body: &[u8],
) -> Result<(StatusCode, HeaderMap, Bytes, HeaderMap), h2::Error> {
    let (mut client, connection) = h2::client::handshake(TcpStream::connect(address).await.unwrap()).await?;
    let connection = tokio::spawn(connection);
    let (answer, mut upload) = client.send_request(request, body.is_empty())?;
    if !body.is_empty() {
        upload.send_data(Bytes::copy_from_slice(body), false)?;
        upload.send_trailers(HeaderMap::from_iter([(http::header::ETAG, "x".parse().unwrap())]))?;
    }
    let (head, mut body) = answer.await?.into_parts();
    let mut read = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        read.extend_from_slice(&data);
    }
    let trailers = body.trailers().await?.unwrap_or_default();
    connection.abort();
    Ok((head.status, head.headers, read.into(), trailers))
}

fn h2_request(method: &str, path: &str) -> Request<()> {
    Request::builder().method(method).uri(format!("http://a.example{path}")).body(()).unwrap()
}

#[tokio::test]
async fn it_says_who_it_is_and_what_it_saw() {
    let backend = backend().await;
    let headers = "Accept: application/json\r\nX-Nearside-Ref: r1\r\nX-Forwarded-For: 10.0.0.9\r\n";
    let (head, body) = get(backend.addr(), "/a?b=c", headers).await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("x-sample-region: frankfurt\r\n"), "{head}");
    let seen: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(seen["name"], "fra-a");
    assert_eq!(
        (&seen["protocol"], &seen["path"], &seen["ref"]),
        (&"h1".into(), &"/a?b=c".into(), &"r1".into())
    );
    assert_eq!(seen["forwarded"]["x-forwarded-for"], "10.0.0.9");
    let (_, body) = get(backend.addr(), "/a", "").await;
    assert_eq!(body, b"fra-a in frankfurt: GET /a over h1\n");
}

#[tokio::test]
async fn it_speaks_h2_on_the_same_port() {
    let backend = backend().await;
    let mut request = h2_request("GET", "/x");
    request.headers_mut().insert("accept", "application/json".parse().unwrap());
    let (status, headers, body, _) = h2(backend.addr(), request, b"").await.unwrap();
    assert_eq!(
        (status, headers["content-length"].to_str().unwrap()),
        (StatusCode::OK, &*body.len().to_string())
    );
    let seen: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        (&seen["protocol"], &seen["host"], &seen["tls"]),
        (&"h2".into(), &"a.example".into(), &Value::Null)
    );
}

#[tokio::test]
async fn large_answers_arrive_whole() {
    let backend = backend().await;
    let expected = pattern_digest(3_000_000);
    let (head, body) = get(backend.addr(), "/bytes/3000000", "").await;
    assert!(head.contains("content-length: 3000000\r\n"), "{head}");
    assert_eq!(format!("{:x}", Sha256::digest(&body)), expected);
    let (_, _, body, _) = h2(backend.addr(), h2_request("GET", "/bytes/3000000"), b"").await.unwrap();
    assert_eq!(format!("{:x}", Sha256::digest(&body)), expected);
    let (head, _) = get(backend.addr(), "/bytes/10?chunked", "").await;
    assert!(head.contains("transfer-encoding: chunked\r\n"), "{head}");
}

#[tokio::test]
async fn bodies_come_back_and_are_digested() {
    let backend = backend().await;
    let (_, echo) = post(backend.addr(), "/echo", "", "hello").await;
    assert_eq!(echo, b"hello");
    let (_, digest) = post(backend.addr(), "/digest", "", "hello").await;
    let digest: Value = serde_json::from_slice(&digest).unwrap();
    assert_eq!(
        (&digest["length"], &digest["sha256"]),
        (&5.into(), &format!("{:x}", Sha256::digest("hello")).into())
    );
    let (_, _, echo, trailers) = h2(backend.addr(), h2_request("POST", "/echo"), b"hello").await.unwrap();
    assert_eq!((echo, trailers["etag"].to_str().unwrap()), (Bytes::from("hello"), "x"));
}

#[tokio::test]
async fn trailers_go_both_ways() {
    let backend = backend().await;
    let request = "POST /trailers HTTP/1.1\r\nHost: a\r\nConnection: close, TE\r\nTE: trailers\r\nTrailer: x-end\r\n\
                   Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-End: here\r\n\r\n";
    let answer = String::from_utf8(talk(backend.addr(), request.as_bytes()).await).unwrap();
    assert!(answer.contains("\"x-end\": \"here\""), "{answer}");
    assert!(answer.contains("0\r\nx-sample-length: 5\r\n"), "{answer}");
    let (_, _, body, trailers) = h2(backend.addr(), h2_request("POST", "/trailers"), b"hello").await.unwrap();
    assert!(String::from_utf8_lossy(&body).contains("\"etag\": \"x\""));
    assert_eq!(trailers["x-sample-length"], "5");
}

#[tokio::test]
async fn statuses_without_a_body_have_none() {
    let backend = backend().await;
    for (path, line) in [("/204", "HTTP/1.1 204 No Content\r\n"), ("/304", "HTTP/1.1 304 Not Modified\r\n")] {
        let (head, body) = get(backend.addr(), path, "").await;
        assert!(head.starts_with(line) && body.is_empty() && !head.contains("content-length"), "{head}");
    }
    let (head, body) = get(backend.addr(), "/status/503", "").await;
    assert!(head.starts_with("HTTP/1.1 503 ") && body == b"503 Service Unavailable\n", "{head}");
    let (head, _) = get(backend.addr(), "/status/150", "").await;
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    let answer =
        talk(backend.addr(), b"HEAD /bytes/7 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let (head, body) = split(&answer);
    assert!(head.contains("content-length: 7\r\n") && body.is_empty(), "{head}");
    let (_, headers, body, _) = h2(backend.addr(), h2_request("HEAD", "/bytes/7"), b"").await.unwrap();
    assert_eq!((headers["content-length"].to_str().unwrap(), body.len()), ("7", 0));
}

#[tokio::test]
async fn hints_come_before_the_answer() {
    let backend = backend().await;
    let mut stream = TcpStream::connect(backend.addr()).await.unwrap();
    // The answer waits for a body that is not sent yet, so what arrives first is early.
    stream
        .write_all(b"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        .await
        .unwrap();
    let mut early = Vec::new();
    while !early.ends_with(b"HTTP/1.1 100 Continue\r\n\r\n") {
        assert_ne!(stream.read_buf(&mut early).await.unwrap(), 0);
    }
    assert!(early.starts_with(b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>"), "{early:?}");
    stream.write_all(b"ok").await.unwrap();
    let mut answer = [0; 15];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
}

#[tokio::test]
async fn hints_come_over_h2_too() {
    let backend = backend().await;
    let (mut client, connection) =
        h2::client::handshake(TcpStream::connect(backend.addr()).await.unwrap()).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut request = h2_request("POST", "/early");
    request.headers_mut().insert("expect", "100-continue".parse().unwrap());
    let (mut answer, mut upload) = client.send_request(request, false).unwrap();
    let mut interim = Vec::new();
    for _ in 0..2 {
        let next = std::future::poll_fn(|cx| answer.poll_informational(cx)).await;
        interim.push(next.unwrap().unwrap().status().as_u16());
    }
    assert_eq!(interim, [103, 100]);
    upload.send_data(Bytes::from_static(b"ok"), true).unwrap();
    assert_eq!(answer.await.unwrap().status(), StatusCode::OK);
    connection.abort();
}

#[tokio::test]
async fn a_large_body_can_be_refused_unread() {
    let backend = backend().await;
    let mut stream = TcpStream::connect(backend.addr()).await.unwrap();
    stream
        .write_all(b"POST /early-413 HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
        .await
        .unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    assert_eq!((backend.ledger().counts().arrived, backend.ledger().counts().whole), (1, 0));
}

#[tokio::test]
async fn cuts_are_cuts() {
    let backend = backend().await;
    assert_eq!(talk(backend.addr(), b"GET /reset HTTP/1.1\r\nHost: a\r\n\r\n").await, b"");
    let (head, body) = get(backend.addr(), "/cut/1000", "").await;
    assert!(head.contains("content-length: 2001\r\n") && body.len() == 1000, "{head}");
    let reset = h2(backend.addr(), h2_request("GET", "/reset"), b"").await.unwrap_err();
    assert_eq!(reset.reason(), Some(h2::Reason::INTERNAL_ERROR));
    let refused = h2(backend.addr(), h2_request("GET", "/refuse"), b"").await.unwrap_err();
    assert_eq!(refused.reason(), Some(h2::Reason::REFUSED_STREAM));
}

#[tokio::test]
async fn its_health_can_be_switched() {
    let backend = backend().await;
    let health = async || get(backend.addr(), "/healthz", "").await.0;
    assert!(health().await.starts_with("HTTP/1.1 200 "));
    assert!(get(backend.addr(), "/control/health/503", "").await.0.starts_with("HTTP/1.1 405 "));
    post(backend.addr(), "/control/health/503", "", "").await;
    assert!(health().await.starts_with("HTTP/1.1 503 "));
    backend.set_health(200);
    assert!(health().await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn the_ledger_tells_a_request_that_arrived_twice() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::new("fra-a", "frankfurt");
    options.ledger = Some(folder.path().join("ledger"));
    let backend = start(options).await.unwrap();
    for id in ["one", "two", "one"] {
        post(backend.addr(), "/", &format!("X-Ledger-Id: {id}\r\n"), "body").await;
    }
    let arrivals = Ledger::read(&folder.path().join("ledger")).unwrap();
    assert_eq!(repeated_ids(&arrivals), ["one"]);
    assert_eq!(arrivals.last().unwrap().whole, Some(4));
    assert_eq!(arrivals, backend.ledger().arrivals());
}

#[tokio::test]
async fn a_stopped_backend_refuses_and_cuts() {
    let backend = backend().await;
    let address = backend.addr();
    let mut kept = TcpStream::connect(address).await.unwrap();
    kept.write_all(b"GET /stall HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let ledger = backend.ledger();
    while ledger.counts().arrived == 0 {
        tokio::task::yield_now().await;
    }
    backend.stop().await;
    assert!(matches!(kept.read(&mut [0; 1]).await, Ok(0) | Err(_)));
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn tls_chooses_by_alpn_and_tells_the_name() {
    let pair = rcgen::generate_simple_self_signed(["fra.example".to_owned()]).unwrap();
    let mut options = Options::new("fra-a", "frankfurt");
    let certificate = pair.cert.pem();
    options.tls = Some(Tls {
        certificate: certificate.clone(),
        key: pair.signing_key.serialize_pem(),
        client_ca: None,
    });
    let backend = start(options).await.unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = TcpStream::connect(backend.addr()).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config.clone()));
    let stream = connector.connect(ServerName::try_from("fra.example").unwrap(), stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    config.alpn_protocols.clear();
    let stream = TcpStream::connect(backend.addr()).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect(ServerName::try_from("fra.example").unwrap(), stream).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let seen: Value = serde_json::from_slice(&split(&answer).1).unwrap();
    assert_eq!((&seen["tls"]["sni"], &seen["tls"]["version"]), (&"fra.example".into(), &"TLSv1_3".into()));
}

#[tokio::test]
async fn a_fault_lasts_until_the_next_is_set() {
    let backend = backend().await;
    let mut statuses = Vec::new();
    for fault in ["errors", "hidden", "none"] {
        let (head, _) = post(backend.addr(), &format!("/control/fault/{fault}"), "", "").await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        for path in ["/digest", "/healthz"] {
            let (head, _) = get(backend.addr(), path, "").await;
            statuses.push(head.split(' ').nth(1).unwrap().to_owned());
        }
    }
    assert_eq!(statuses, ["500", "500", "500", "200", "200", "200"]);
    let (head, _) = post(backend.addr(), "/control/fault/laziness", "", "").await;
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
}

#[tokio::test]
async fn a_deaf_backend_serves_what_is_connected_and_listens_again() {
    let backend = backend().await;
    let mut kept = TcpStream::connect(backend.addr()).await.unwrap();
    for _ in 0..2 {
        kept.write_all(b"POST /control/deaf/600000 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
            .await
            .unwrap();
        assert!(kept.read(&mut [0; 1024]).await.unwrap() > 0);
        while TcpStream::connect(backend.addr()).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }
    kept.write_all(b"POST /control/deaf/0 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    while TcpStream::connect(backend.addr()).await.is_err() {
        tokio::task::yield_now().await;
    }
}
