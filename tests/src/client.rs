//! Clients: reqwest, and raw connections where a client has to misbehave or be watched.

use crate::Edge;
use reqwest::Response;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The host that the edges under test serve.
pub const HOST: &str = "www.example.com";

/// Where clients come in, and whom they trust there.
#[derive(Clone, Debug)]
pub struct Door {
    /// The TLS listener.
    pub https: SocketAddr,
    /// The certificate of the authority that signs for it, as PEM.
    pub authority: String,
}

impl Door {
    /// The beginning of a reqwest client that speaks HTTP/2 where `h2`, else HTTP/1.1.
    pub fn client(&self, h2: bool) -> reqwest::ClientBuilder {
        let builder = reqwest::Client::builder()
            .tls_certs_only([reqwest::Certificate::from_pem(self.authority.as_bytes()).expect("PEM")])
            .resolve(HOST, self.https)
            .redirect(reqwest::redirect::Policy::none());
        if h2 { builder.http2_prior_knowledge() } else { builder.http1_only() }
    }

    /// TLS of a client that trusts its authority only.
    #[must_use]
    pub fn tls(&self, protocols: &[&[u8]]) -> rustls::ClientConfig {
        let mut roots = rustls::RootCertStore::empty();
        let authority = CertificateDer::from_pem_slice(self.authority.as_bytes()).expect("PEM");
        roots.add(authority).expect("a certificate");
        let mut config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        config
    }

    /// The url of `path` behind it.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("https://{HOST}:{}{path}", self.https.port())
    }
}

/// A client that speaks HTTP/2 where `h2`, else HTTP/1.1, and reaches the edge under every name of its certificate.
#[must_use]
pub fn reqwest(edge: &Edge, h2: bool) -> reqwest::Client {
    edge.door()
        .client(h2)
        .resolve("a.shop.example.com", edge.https)
        .timeout(std::time::Duration::from_secs(120))
        .build()
        .expect("a client")
}

/// The url of `path` at the edge.
#[must_use]
pub fn url(edge: &Edge, path: &str) -> String {
    edge.door().url(path)
}

/// Asks the edge for `path` with these headers, as a client of its own.
pub async fn ask(edge: &Edge, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = reqwest(edge, true).get(url(edge, path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("an answer")
}

/// The region that has answered with 200.
#[must_use]
pub fn region(answer: &Response) -> String {
    assert_eq!(answer.status(), 200, "{answer:?}");
    text(answer, "x-sample-region")
}

/// The backend that has answered with 200.
#[must_use]
pub fn backend(answer: &Response) -> String {
    assert_eq!(answer.status(), 200, "{answer:?}");
    text(answer, "x-sample-name")
}

/// The status of an answer that nearside made itself, and its reason.
#[must_use]
pub fn refusal(answer: &Response) -> (u16, String) {
    let status = text(answer, "proxy-status");
    let reason = status
        .split(['"', ' ', ';', ','])
        .find(|word| ["refused.", "failed.", "no_route."].iter().any(|kind| word.starts_with(kind)));
    (answer.status().as_u16(), reason.unwrap_or_else(|| panic!("no reason in {status}")).to_owned())
}

/// The cookie that an answer sets, as a client sends it back.
#[must_use]
pub fn cookie(answer: &Response) -> Option<String> {
    let whole = answer.headers().get("set-cookie")?.to_str().ok()?;
    Some(whole.split(';').next()?.to_owned())
}

fn text(answer: &Response, name: &str) -> String {
    let value = answer.headers().get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_else(|| panic!("no {name} in {answer:?}")).to_owned()
}

/// A raw TLS connection that asks for `name`.
///
/// # Errors
/// The handshake failed.
pub async fn connect(
    config: Arc<rustls::ClientConfig>,
    address: SocketAddr,
    name: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let name = rustls::pki_types::ServerName::try_from(name.to_owned()).expect("a lawful name");
    TlsConnector::from(config).connect(name, stream).await
}

/// One request on a kept HTTP/1.1 connection; the answer's head, in lower case.
///
/// # Panics
/// The connection was cut, or the answer is not the expected 204.
pub async fn ask_on(stream: &mut TlsStream<TcpStream>) -> String {
    let request = format!("GET /204 HTTP/1.1\r\nhost: {HOST}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("the kept connection was cut");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("the kept connection was cut"));
    }
    let head = String::from_utf8(head).expect("a head of ASCII").to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 204"), "{head}");
    head
}
