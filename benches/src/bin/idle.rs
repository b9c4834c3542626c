//! Holds many TLS connections that each carried requests, so that a proxy's memory per idle connection can be read.
//!
//! `idle PORT COUNT [REQUESTS]` says `held` once all are idle, and ends with the next line on its input.
#![expect(clippy::print_stdout, reason = "the caller reads one word")]

use anyhow::{Context, bail};
use rustls::pki_types::ServerName;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let numbers: Vec<usize> =
        std::env::args().skip(1).map(|text| text.parse().context("a number")).collect::<Result<_, _>>()?;
    let [port, count, rest @ ..] = &numbers[..] else { bail!("idle PORT COUNT [REQUESTS]") };
    let requests = rest.first().copied().unwrap_or(100);
    let connector = TlsConnector::from(Arc::new(nearside_benches::trusting()?));
    let mut held = Vec::new();
    for _ in 0..*count {
        let stream = TcpStream::connect(("127.0.0.1", u16::try_from(*port)?)).await?;
        let mut stream = connector.connect(ServerName::try_from("localhost")?, stream).await?;
        for _ in 0..requests {
            ask(&mut stream).await?;
        }
        held.push(stream);
    }
    println!("held");
    tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await??;
    Ok(())
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
