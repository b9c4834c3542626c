//! How a request is forwarded.

use super::{Pipe, Session, Sin};
use nearside_core::path;
use nearside_http::chunked::{self, Decoder, Step};
use nearside_http::{Body, Edits, Known, Method, Persist, RequestHead};
use std::io::{self, Write};
use std::net::TcpStream;

/// How far a request has been sent when its answer began.
pub(super) enum Sent {
    /// The client broke the rules.
    Refused,
    /// All of it.
    Whole,
    /// All but so many bytes.
    Early(u64),
}

impl Session {
    /// Forwards the request and its answer; a status if it is refused.
    pub(super) fn forward(&mut self, head: &RequestHead, came: &[u8]) -> io::Result<Option<u16>> {
        if matches!(head.method(), Method::Trace | Method::Connect) {
            return Ok(Some(405));
        }
        if !path::is_plain(head.path()) && !self.commits(Sin::AnyPath) {
            return Ok(Some(400));
        }
        let mut out = Vec::new();
        head.write(&ours(head), head.body(), Persist::Keep, &mut out);
        if let Some(sin) = self.sin {
            out = sin.on_forwarded(&out, came);
        }
        let mut upstream = self.connection()?;
        let sent = match head.body() {
            Body::Length(length) => self.send_length(&mut upstream, &out, length)?,
            Body::Chunked => self.send_chunks(&mut upstream, &out, head)?,
            Body::None | Body::UntilClose => {
                upstream.stream.write_all(&out)?;
                Sent::Whole
            }
        };
        match sent {
            Sent::Refused => Ok(Some(400)),
            Sent::Whole => self.answer(upstream, head, 0),
            Sent::Early(left) => self.answer(upstream, head, left),
        }
    }

    /// The kept connection, if nothing was said on it meanwhile, or a new one.
    fn connection(&mut self) -> io::Result<Pipe> {
        if let Some(mut kept) = self.upstream.take() {
            let quiet = kept.bytes.is_empty() && kept.try_more()?.is_none();
            let alive = !kept.bytes.is_empty() && self.commits(Sin::KeepsUnasked);
            if quiet || alive {
                return Ok(kept);
            }
        }
        let mut stream = TcpStream::connect(self.backend)?;
        stream.set_nodelay(true)?;
        let (client, own) = (self.client.stream.peer_addr()?, self.client.stream.local_addr()?);
        write!(stream, "PROXY TCP4 {} {} {} {}\r\n", client.ip(), own.ip(), client.port(), own.port())?;
        Ok(Pipe::new(stream))
    }

    /// Sends a body piece by piece, until the answer begins.
    fn send_length(&mut self, upstream: &mut Pipe, head: &[u8], length: u64) -> io::Result<Sent> {
        upstream.stream.write_all(head)?;
        let mut left = usize::try_from(length).map_err(io::Error::other)?;
        while left > 0 {
            let count = self.client.bytes.len().min(left);
            let piece = self.client.take(count);
            upstream.stream.write_all(&piece)?;
            left -= count;
            if left > 0 && self.client.try_more()? == Some(0) {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if left > 0 && self.client.bytes.is_empty() && upstream.try_more()?.is_some() {
                return Ok(Sent::Early(left as u64));
            }
        }
        Ok(Sent::Whole)
    }

    /// Sends chunks once all of them have come.
    fn send_chunks(&mut self, upstream: &mut Pipe, head: &[u8], of: &RequestHead) -> io::Result<Sent> {
        let (mut decoder, mut body, mut raw) = (Decoder::new(), Vec::new(), Vec::new());
        loop {
            if self.commits(Sin::LooseChunks) {
                let tight = self.client.bytes.split(|byte| *byte == b'\n').map(|line| line.trim_ascii_end());
                self.client.bytes = tight.collect::<Vec<_>>().join(&b"\r\n"[..]);
            }
            match decoder.decode(&self.client.bytes) {
                Ok(Step::Data(data)) => {
                    body.extend_from_slice(&self.client.bytes[data.clone()]);
                    raw.extend(self.client.take(data.end));
                }
                Ok(Step::More) => {
                    raw.append(&mut self.client.bytes);
                    if self.client.more()? == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Ok(Step::End(count)) => {
                    raw.extend(self.client.take(count));
                    break;
                }
                Err(_) => return Ok(Sent::Refused),
            }
        }
        decoder.strip_trailers(of.fields());
        upstream.stream.write_all(head)?;
        write_chunk(&mut upstream.stream, &body)?;
        let mut end = Vec::new();
        chunked::write_end(decoder.trailers(), &mut end);
        if self.commits(Sin::AnyTrailer) {
            // As they came, behind the last chunk.
            let from = crate::wire::find(&raw, b"\r\n0\r\n").map_or(raw.len(), |at| at + 2);
            end = raw[from..].to_vec();
        }
        upstream.stream.write_all(&end)?;
        Ok(Sent::Whole)
    }
}

/// One chunk, unless there is nothing in it.
pub(super) fn write_chunk(to: &mut TcpStream, data: &[u8]) -> io::Result<()> {
    if data.is_empty() {
        return Ok(());
    }
    to.write_all(&[&chunked::size_line(data.len()), data, chunked::END].concat())
}

/// What the edge adds to each request.
fn ours(head: &RequestHead) -> Edits {
    let mut edits = Edits::new();
    for known in [
        Known::XNearsideOther,
        Known::XNearsideExplain,
        Known::XNearsideGen,
        Known::XNearsideProbe,
        Known::Forwarded,
        Known::XRealIp,
        Known::XForwardedOther,
        Known::XForwardedPort,
        Known::TraceState,
    ] {
        edits.remove(known);
    }
    edits.set(Known::XNearsideRef, b"0000000000000000");
    edits.set(Known::XNearsidePop, b"test1");
    edits.set(Known::XNearsidePlace, b"ZZ");
    edits.set(Known::XForwardedFor, b"127.0.0.1");
    edits.set(Known::XForwardedHost, head.authority().as_str().as_bytes());
    edits.set(Known::XForwardedProto, b"http");
    edits.append(Known::Via, b"1.1 nearside");
    edits.append(Known::CdnLoop, b"nearside-test");
    edits.set(Known::TraceParent, b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00");
    edits
}
