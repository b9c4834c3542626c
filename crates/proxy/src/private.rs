//! A private connection: the handshake at the admin interface, with the certificate that the hello asks for.

use nearside_tls::{Table, UNRECOGNIZED_NAME};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::server::Acceptor;

/// What is said on `stream` under TLS; `None` where it comes to nothing, of which the client is told.
pub async fn accept(
    stream: TcpStream,
    certificates: &Table,
) -> Option<impl AsyncRead + AsyncWrite + Send + Unpin + use<>> {
    let mut hello = LazyConfigAcceptor::new(Acceptor::default(), stream);
    let mut start = (&mut hello).await.ok()?;
    let Some(config) = certificates.config_for_admin(&start.client_hello()) else {
        // Told why; whether the client listens is its business.
        drop(start.io.write_all(&UNRECOGNIZED_NAME).await);
        return None;
    };
    start.into_stream(config).await.ok()
}
