//! Mutant: a small proxy for HTTP/1 that keeps the rules but for one sin. A suite that does not notice the sin proves
//! nothing.

mod answer;
mod request;
mod sin;

pub use sin::Sin;

use nearside_http::{Limits, Progress, RequestHead, request as heads, status};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// Starts one before `backend`, which it announces its clients to; where it listens. It lives as long as the process.
#[must_use]
pub fn start(backend: SocketAddr, sin: Option<Sin>) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut session = Session { client: Pipe::new(client), backend, upstream: None, sin };
                // What a broken connection leads to is judged where the case looks.
                drop(session.serve());
            });
        }
    });
    address
}

/// A connection and what was read of it.
struct Pipe {
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl Pipe {
    fn new(stream: TcpStream) -> Self {
        Self { stream, bytes: Vec::new() }
    }

    /// Reads more; 0 is the end.
    fn more(&mut self) -> io::Result<usize> {
        let mut piece = [0; 16 * 1024];
        let count = self.stream.read(&mut piece)?;
        self.bytes.extend_from_slice(&piece[..count]);
        Ok(count)
    }

    /// Reads more if something comes within a moment; none if not.
    fn try_more(&mut self) -> io::Result<Option<usize>> {
        self.stream.set_read_timeout(Some(Duration::from_millis(5)))?;
        let read = self.more();
        self.stream.set_read_timeout(None)?;
        match read {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                Ok(None)
            }
            read => read.map(Some),
        }
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        self.bytes.drain(..count).collect()
    }
}

/// A client's connection, and the backend's that is its own.
struct Session {
    client: Pipe,
    backend: SocketAddr,
    upstream: Option<Pipe>,
    sin: Option<Sin>,
}

impl Session {
    fn commits(&self, sin: Sin) -> bool {
        self.sin == Some(sin)
    }

    fn serve(&mut self) -> io::Result<()> {
        let mut head = RequestHead::new();
        loop {
            let refused = match self.read_head(&mut head)? {
                None => return Ok(()),
                Some(Ok(raw)) => self.forward(&head, &raw)?,
                Some(Err(refusal)) => Some(refusal.status()),
            };
            if let Some(status) = refused {
                return self.refuse(status);
            }
            if !head.keep_alive() {
                return Ok(());
            }
        }
    }

    /// The next head, with its bytes as they came; none at the end of the connection.
    fn read_head(
        &mut self,
        head: &mut RequestHead,
    ) -> io::Result<Option<Result<Vec<u8>, nearside_http::Refusal>>> {
        let mut came = None;
        loop {
            if came.is_none()
                && let Some(end) = sin::head_end(&self.client.bytes, self.commits(Sin::BareLineFeeds))
            {
                let raw = self.client.take(end);
                let sinned = self.sin.map_or_else(|| raw.clone(), |sin| sin.on_request(&raw));
                self.client.bytes.splice(..0, sinned);
                came = Some(raw);
            }
            match heads::parse(&self.client.bytes, &Limits::default(), head) {
                Ok(Progress::Complete { head_len }) => {
                    let read = self.client.take(head_len);
                    return Ok(Some(Ok(came.unwrap_or(read))));
                }
                Ok(Progress::Partial) if self.client.more()? == 0 => return Ok(None),
                Ok(Progress::Partial) => {}
                Err(refusal) => return Ok(Some(Err(refusal))),
            }
        }
    }

    /// Answers for itself, and closes.
    fn refuse(&mut self, code: u16) -> io::Result<()> {
        self.upstream = None;
        let page = format!(
            "HTTP/1.1 {code} {}\r\nconnection: close\r\ncontent-length: 0\r\nx-nearside-ref: 0000000000000000\r\n\
             proxy-status: nearside; error=http_request_error\r\n\r\n",
            status::reason(code)
        );
        self.client.stream.write_all(page.as_bytes())?;
        self.client.stream.shutdown(std::net::Shutdown::Write)?;
        while self.client.more()? > 0 {}
        Ok(())
    }
}
