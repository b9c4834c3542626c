//! Holds many TLS connections that each carried requests, so that a proxy's memory per idle connection can be read.
//!
//! `idle PORT COUNT h1|h2` says `held` once all are idle, and ends with the next line on its input.
#![expect(clippy::print_stdout, reason = "the caller reads one word")]

use anyhow::bail;
use rustls::pki_types::ServerName;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const REQUESTS: usize = 100;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [port, count, protocol] = &words[..] else { bail!("idle PORT COUNT h1|h2") };
    let (port, count): (u16, usize) = (port.parse()?, count.parse()?);
    let mut config = nearside_benches::trusting()?;
    let h2 = protocol == "h2";
    if h2 {
        config.alpn_protocols = vec![b"h2".to_vec()];
    }
    let connector = TlsConnector::from(Arc::new(config));
    let (mut kept, mut senders) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        // A request does not wait until the window update before it was acknowledged.
        stream.set_nodelay(true)?;
        let mut stream = connector.connect(ServerName::try_from("localhost")?, stream).await?;
        if h2 {
            senders.push(streams(stream).await?);
            continue;
        }
        for _ in 0..REQUESTS {
            ask(&mut stream).await?;
        }
        kept.push(stream);
    }
    println!("held");
    tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await??;
    Ok(())
}

/// An HTTP/2 connection that has carried its requests one after the other.
async fn streams(stream: TlsStream<TcpStream>) -> anyhow::Result<h2::client::SendRequest<bytes::Bytes>> {
    let (mut sender, connection) = h2::client::handshake(stream).await?;
    tokio::spawn(connection);
    for _ in 0..REQUESTS {
        sender = sender.ready().await?;
        let request = http::Request::get("https://localhost/").body(())?;
        let mut body = sender.send_request(request, true)?.0.await?.into_body();
        while let Some(data) = body.data().await {
            body.flow_control().release_capacity(data?.len())?;
        }
    }
    Ok(sender)
}

async fn ask(stream: &mut TlsStream<TcpStream>) -> anyhow::Result<()> {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await?;
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut piece).await?;
        if count == 0 {
            bail!("the connection was closed");
        }
        answer.extend_from_slice(piece.get(..count).unwrap_or(&[]));
        // The origin's body is 1 KB of digits; its end is known by the length.
        if let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n")
            && answer.len() >= head + 4 + 1024
        {
            return Ok(());
        }
    }
}
