//! Sends requests over TLS, each on a connection of its own, 8 at once.
//!
//! `handshakes PORT COUNT [resumed]`: with `resumed` every connection takes up the session of one before.

use anyhow::{Context, bail, ensure};
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{HandshakeKind, ProtocolVersion};
use socket2::SockRef;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// As many as tickets of one server are kept here at one time, so that each connection finds one.
const AT_ONCE: usize = 8;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [port, count, rest @ ..] = &words[..] else { bail!("handshakes PORT COUNT [resumed]") };
    let (port, count): (u16, usize) = (port.parse()?, count.parse()?);
    let resumed = rest.first().is_some_and(|word| word == "resumed");
    let mut config = nearside_benches::trusting()?;
    config.resumption =
        if resumed { Resumption::in_memory_sessions(4 * AT_ONCE) } else { Resumption::disabled() };
    let connector = TlsConnector::from(Arc::new(config));
    if resumed {
        // Tickets for all that begin at once.
        for _ in 0..AT_ONCE {
            ask(&connector, port).await?;
        }
    }
    let (left, taken_up) = (Arc::new(AtomicUsize::new(count)), Arc::new(AtomicUsize::new(0)));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..AT_ONCE {
        let (connector, left, taken_up) = (connector.clone(), Arc::clone(&left), Arc::clone(&taken_up));
        clients.spawn(async move {
            while left.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                if ask(&connector, port).await? == HandshakeKind::Resumed {
                    taken_up.fetch_add(1, Ordering::Relaxed);
                }
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    let taken_up = taken_up.load(Ordering::Relaxed);
    ensure!(
        resumed || taken_up == 0,
        "{taken_up} of {count} connections were resumed, and none should have been"
    );
    ensure!(!resumed || taken_up * 10 >= count * 9, "only {taken_up} of {count} connections were resumed");
    Ok(())
}

/// One connection with one request; it is reset at the end, so that no address stays in use.
async fn ask(connector: &TlsConnector, port: u16) -> anyhow::Result<HandshakeKind> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
    let mut stream = connector.connect(ServerName::try_from("localhost")?, stream).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await?;
    let mut answer = Vec::with_capacity(4096);
    while answer.len() < 1024 {
        ensure!(stream.read_buf(&mut answer).await? > 0, "the connection was closed");
    }
    ensure!(answer.starts_with(b"HTTP/1.1 200"), "not answered with 200");
    let (_, session) = stream.get_ref();
    ensure!(session.protocol_version() == Some(ProtocolVersion::TLSv1_3), "not TLS 1.3");
    session.handshake_kind().context("no handshake")
}
