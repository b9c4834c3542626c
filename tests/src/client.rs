//! Clients: reqwest, and raw connections where a client has to misbehave or be watched.

use crate::Edge;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The host that the edges under test serve.
pub const HOST: &str = "www.example.com";

/// A client that speaks HTTP/2 where `h2`, else HTTP/1.1, and reaches the edge under every name of its certificate.
#[must_use]
pub fn reqwest(edge: &Edge, h2: bool) -> reqwest::Client {
    let builder = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(edge.authority.pem().as_bytes()).expect("PEM")])
        .resolve(HOST, edge.https)
        .resolve("a.shop.example.com", edge.https)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(std::time::Duration::from_secs(30));
    let builder = if h2 { builder.http2_prior_knowledge() } else { builder.http1_only() };
    builder.build().expect("a client")
}

/// The url of `path` at the edge.
#[must_use]
pub fn url(edge: &Edge, path: &str) -> String {
    format!("https://{HOST}:{}{path}", edge.https.port())
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
