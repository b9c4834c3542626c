//! What the end of a TLS stream means.

use super::*;
use crate::pool::fixture::World;
use crate::side::{BackendError, Head};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::Acceptor;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::{LazyConfigAcceptor, TlsConnector, TlsStream};

/// Both ends of a TLS connection: the server's, and the client's.
async fn secure_wire() -> (Io, Io) {
    let world = World::new(&[], |_| {});
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(world.authority()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let connector = TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()));
    let (server, client) = wire().await;
    let Io::Plain(server) = server else { panic!("a plain wire") };
    let accept = async {
        let start = LazyConfigAcceptor::new(Acceptor::default(), server).await.unwrap();
        let config = world.live().certificates.config_for(&start.client_hello(), 0).unwrap();
        start.into_stream(config).await.unwrap()
    };
    let connect = connector.connect(ServerName::try_from("localhost").unwrap(), Wire::Tcp(client));
    let (server, client) = tokio::join!(accept, connect);
    (Io::Tls(Box::new(TlsStream::Server(server))), Io::Tls(Box::new(TlsStream::Client(client.unwrap()))))
}

/// What is made of an answer that ends with the connection, by a backend that closes TLS or only the socket.
async fn until_close(orderly: bool) -> Result<(Vec<u8>, Vec<String>), BackendError> {
    let (mut backend, near) = secure_wire().await;
    let mut upstream = Upstream::with_stock(near, Arc::default());
    let head = request_head("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    upstream.request(&head, &Edits::new(), Length::None);
    write_body(&mut upstream, b"", None).await.unwrap();
    backend.write_all(b"HTTP/1.1 200 OK\r\n\r\nabc").await.unwrap();
    backend.flush().await.unwrap();
    if orderly {
        backend.shutdown().await.unwrap();
    } else {
        drop(backend);
    }
    assert_eq!(poll_fn(|cx| upstream.poll_head(cx)).await, Ok(Head::Final(Length::Unknown)));
    patiently(read_body(&mut upstream)).await
}

#[tokio::test]
async fn a_body_that_ends_with_the_connection_is_whole_only_when_tls_was_closed() {
    assert_eq!(until_close(true).await, Ok((b"abc".to_vec(), Vec::new())));
    assert_eq!(until_close(false).await, Err(BackendError::Reset));
}

#[tokio::test]
async fn a_client_that_closes_tls_is_gone() {
    fn play(client: &mut Downstream) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(async move {
            poll_fn(|cx| client.poll_gone(cx)).await;
            false
        })
    }
    let (near, mut far) = secure_wire().await;
    let presences = Arc::new(Presences::default());
    let mut client = Downstream::new(near, Arc::default(), presences.enter());
    let waits = Waits { idle: Duration::from_secs(60), head: Duration::from_secs(10) };
    let served = tokio::spawn(async move { run(&Stage { play, waits }, &mut client).await });
    far.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    far.shutdown().await.unwrap();
    patiently(served).await.unwrap();
}
