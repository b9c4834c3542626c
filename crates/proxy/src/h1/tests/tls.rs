//! What the end of a TLS stream means, and how much its records hold.

use super::*;
use crate::pool::fixture::World;
use crate::secured::Secured;
use crate::side::{BackendError, Head};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::Acceptor;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::{LazyConfigAcceptor, TlsConnector};

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
    (Io::Tls(Box::new(Secured::new(server))), Io::Tls(Box::new(Secured::new(client.unwrap()))))
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

/// How much each of the next records on the wire holds, up to `whole` bytes in all. Tickets lie before them.
async fn records(io: &Io, whole: usize) -> Vec<usize> {
    const HEAD: usize = 5;
    /// The kind of what it holds, and a tag.
    const BEYOND: usize = 17;
    let Wire::Tcp(socket) = io.wire() else { panic!("a socket") };
    let (mut bytes, mut held) = (Vec::new(), Vec::new());
    while held.iter().sum::<usize>() < whole {
        patiently(socket.readable()).await.unwrap();
        let mut piece = vec![0; 64 * 1024];
        match socket.try_read(&mut piece) {
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
            Err(cause) => assert_eq!(cause.kind(), std::io::ErrorKind::WouldBlock),
        }
        while let Some(&[_, _, _, high, low]) = bytes.get(..HEAD) {
            let end = HEAD + usize::from(u16::from_be_bytes([high, low]));
            if bytes.len() < end {
                break;
            }
            bytes.drain(..end);
            held.push(end - HEAD - BEYOND);
        }
        held.retain(|count| *count > 1024);
    }
    held
}

#[tokio::test]
async fn the_first_records_of_an_answer_are_small_and_so_are_those_after_a_pause() {
    const KIB: usize = 1024;
    let (mut near, far) = secure_wire().await;
    let mut expect = async |length: usize, expected: Vec<usize>| {
        let bytes = vec![7; length];
        let writing = async {
            near.write_all(&bytes).await.unwrap();
            near.flush().await.unwrap();
        };
        let ((), held) = tokio::join!(writing, records(&far, length));
        assert_eq!(held, expected);
    };
    expect(4 * KIB, vec![4 * KIB]).await;
    expect(18 * KIB, [vec![4 * KIB; 4], vec![2 * KIB]].concat()).await;
    expect(100 * KIB, [vec![4 * KIB; 7], vec![2 * KIB], vec![16 * KIB; 4], vec![6 * KIB]].concat()).await;
    expect(64 * KIB, vec![16 * KIB; 4]).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(1)).await;
    tokio::time::resume();
    expect(64 * KIB, [vec![4 * KIB; 12], vec![16 * KIB]].concat()).await;
}
