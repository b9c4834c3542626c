//! The PROXY protocol's header of a connection from a load balancer: whom the connection is made for.

use proxy_header::{ParseConfig, ProxyHeader};
use std::io;
use std::net::SocketAddr;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// The shortest header, of version 1 for an unknown client: every other one, and every request, is longer.
const SHORTEST: usize = b"PROXY UNKNOWN\r\n".len();
/// The longest header of version 1.
const LONGEST_V1: usize = 107;
/// A header of version 2 up to and with its length.
const V2: usize = 16;
/// The longest rest of a header of version 2 that is read: room for the certificates that some add.
const LONGEST_V2: usize = 4096;
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Reads the header that `stream` begins with and nothing behind it: the client that it names; `None` where the sender
/// speaks for itself, as for a health check.
///
/// # Errors
/// What comes is no such header.
pub(super) async fn read(stream: &mut TcpStream) -> io::Result<Option<SocketAddr>> {
    let mut header = vec![0; SHORTEST];
    stream.read_exact(&mut header).await?;
    if header.starts_with(SIGNATURE) {
        header.resize(V2, 0);
        stream.read_exact(header.get_mut(SHORTEST..).unwrap_or_default()).await?;
        let length =
            header.get(V2 - 2..).and_then(|bytes| bytes.try_into().ok()).map_or(0, u16::from_be_bytes);
        if usize::from(length) > LONGEST_V2 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        header.resize(V2 + usize::from(length), 0);
        stream.read_exact(header.get_mut(V2..).unwrap_or_default()).await?;
    } else {
        line(stream, &mut header).await?;
    }
    match ProxyHeader::parse(&header, ParseConfig::default()) {
        Ok((parsed, length)) if length == header.len() => {
            Ok(parsed.proxied_address().map(|told| told.source))
        }
        Ok(_) | Err(_) => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Reads on to the end of the line.
async fn line(stream: &mut TcpStream, header: &mut Vec<u8>) -> io::Result<()> {
    if !header.starts_with(b"PROXY ") {
        return Err(io::ErrorKind::InvalidData.into());
    }
    while header.last() != Some(&b'\n') {
        let mut room = [0; LONGEST_V1];
        let room = room.get_mut(header.len()..).unwrap_or_default();
        if room.is_empty() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let there = stream.peek(room).await?;
        let there = room.get(..there).unwrap_or_default();
        let end = there.iter().position(|byte| *byte == b'\n').map_or(there.len(), |at| at + 1);
        if end == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let from = header.len();
        header.resize(from + end, 0);
        stream.read_exact(header.get_mut(from..).unwrap_or_default()).await?;
    }
    Ok(())
}

/// Whether a peer that nobody has listed begins with such a header all the same. Waits for its first bytes, and leaves
/// them where they are.
pub(super) async fn is_claimed(stream: &TcpStream) -> bool {
    let mut first = [0; SIGNATURE.len()];
    let Ok(there) = stream.peek(&mut first).await else { return false };
    first.get(..there).is_some_and(|bytes| bytes.starts_with(b"PROXY ") || bytes == SIGNATURE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proxy_header::ProxiedAddress;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    /// What is read of `bytes`, sent in two pieces, with what stands behind it.
    async fn read_of(bytes: &[u8], cut: usize) -> (io::Result<Option<SocketAddr>>, Vec<u8>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut far = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut near, _) = listener.accept().await.unwrap();
        let (one, two) = (bytes[..cut].to_vec(), bytes[cut..].to_vec());
        let writer = tokio::spawn(async move {
            far.write_all(&one).await.unwrap();
            tokio::task::yield_now().await;
            far.write_all(&two).await.unwrap();
        });
        let found = read(&mut near).await;
        writer.await.unwrap();
        let mut rest = Vec::new();
        if found.is_ok() {
            near.read_to_end(&mut rest).await.unwrap();
        }
        (found, rest)
    }

    #[tokio::test]
    async fn either_version_is_read_and_nothing_behind_it() {
        let source: SocketAddr = "203.0.113.7:4711".parse().unwrap();
        let address = ProxiedAddress::stream(source, "192.0.2.1:443".parse().unwrap());
        let header = ProxyHeader::with_address(address);
        let (mut v1, mut v2) = (Vec::new(), Vec::new());
        header.encode_v1(&mut v1).unwrap();
        header.encode_v2(&mut v2).unwrap();
        for mut bytes in [v1, v2] {
            let length = bytes.len();
            bytes.extend(b"GET / HTTP/1.1\r\n");
            for cut in 0..bytes.len() {
                let (found, rest) = read_of(&bytes, cut).await;
                assert_eq!(found.unwrap(), Some(source), "cut at {cut} of {length}");
                assert_eq!(rest, b"GET / HTTP/1.1\r\n");
            }
        }
    }

    #[tokio::test]
    async fn who_speaks_for_itself_names_nobody() {
        let mut local = Vec::new();
        ProxyHeader::with_local().encode_v2(&mut local).unwrap();
        for bytes in [b"PROXY UNKNOWN\r\n".to_vec(), local] {
            let (found, _) = read_of(&bytes, bytes.len()).await;
            assert_eq!(found.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused() {
        for bytes in [
            &b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"[..],
            b"PROXY TCP4 nonsense nonsense 1 2\r\n",
            b"PROXY TCP4 203.0.113.7 192.0.2.1 4711",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00\x00\x00\x00\x00",
            &[b'P', b'R', b'O', b'X', b'Y', b' ', b'T', b'C', b'P', b'4', b' ', b'x', b'x', b'x', b'x']
                .repeat(20),
        ] {
            assert!(read_of(bytes, bytes.len()).await.0.is_err(), "{bytes:?}");
        }
    }
}
