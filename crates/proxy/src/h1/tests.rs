//! Both sides over real sockets, against peers that are scripts of bytes.

mod client;
mod conn;
mod life;
mod tls;
mod upstream;

use super::serve::{Service, Waits, run};
use super::{Downstream, Upstream};
use crate::deadline::Deadline;
use crate::headers::{self, Reference};
use crate::io::{Io, Wire};
use crate::page::Page;
use crate::service::Presences;
use crate::side::{Backend, Client, ClientError, Fill, Length, Sink, Source};
use crate::stock::Stock;
use nearside_core::Reason;
use nearside_http::{Edits, Fields, Method, RequestHead, ResponseHead, request, response, trailers};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::ready;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Both ends of a connection.
async fn wire() -> (Io, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let far = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (near, _peer) = listener.accept().await.unwrap();
    far.set_nodelay(true).unwrap();
    near.set_nodelay(true).unwrap();
    (Io::Plain(Wire::Tcp(near)), far)
}

/// What a test does with each request.
type Play = for<'a> fn(&'a mut Downstream) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

struct Stage {
    play: Play,
    waits: Waits,
}

impl Service for Stage {
    fn waits(&self) -> Waits {
        self.waits
    }

    fn serve(&self, client: &mut Downstream, _: &mut Deadline) -> impl Future<Output = bool> + Send {
        (self.play)(client)
    }

    fn refuse(&self, status: u16, reason: Reason) -> (Page, Reference) {
        (Page::with_status(status, reason, "7", false), headers::reference(7))
    }
}

/// A client's socket, and what serves it.
struct Talk {
    far: TcpStream,
    served: JoinHandle<()>,
    presences: Arc<Presences>,
    stock: Arc<Stock>,
}

impl Talk {
    async fn begin(play: Play) -> Self {
        let (near, far) = wire().await;
        let (presences, stock) = (Arc::new(Presences::default()), Arc::new(Stock::default()));
        let mut client = Downstream::new(near, Arc::clone(&stock), presences.enter());
        let waits = Waits { idle: Duration::from_secs(60), head: Duration::from_secs(10) };
        let served = tokio::spawn(async move { run(&Stage { play, waits }, &mut client).await });
        Self { far, served, presences, stock }
    }

    async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.far.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Says it byte by byte, each in a packet of its own.
    async fn spell(&mut self, bytes: impl AsRef<[u8]>) {
        for byte in bytes.as_ref() {
            self.far.write_all(&[*byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
    }

    async fn hears(&mut self, expected: &str) {
        assert_eq!(hear(&mut self.far, expected.len()).await, expected);
    }

    /// Everything up to an orderly end.
    async fn last_words(&mut self) -> String {
        let mut text = String::new();
        patiently(self.far.read_to_string(&mut text)).await.unwrap();
        text
    }

    async fn ends(mut self) {
        assert_eq!(self.last_words().await, "");
        drop(self.far);
        patiently(self.served).await.unwrap();
    }
}

async fn hear(far: &mut TcpStream, count: usize) -> String {
    let mut heard = Vec::new();
    while heard.len() < count {
        let mut piece = vec![0; count - heard.len()];
        let read = patiently(far.read(&mut piece)).await.unwrap();
        heard.extend_from_slice(&piece[..read]);
        if read == 0 {
            break;
        }
    }
    String::from_utf8(heard).unwrap()
}

/// A failure in place of a test that hangs.
async fn patiently<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("nothing came for 20 s")
}

/// The whole body, and the names of its trailers.
async fn read_body<S: Source>(source: &mut S) -> Result<(Vec<u8>, Vec<String>), S::Error> {
    let mut body = Vec::new();
    loop {
        let fill = poll_fn(|cx| source.poll_fill(cx)).await?;
        if fill == Fill::End {
            break;
        }
        body.extend_from_slice(source.data());
        source.consume(source.data().len());
    }
    assert!(source.is_end());
    let names = source.trailers().map(|trailers| {
        trailers.iter().map(|field| String::from_utf8_lossy(field.name).into_owned()).collect()
    });
    Ok((body, names.unwrap_or_default()))
}

async fn write_body<S: Sink>(
    sink: &mut S,
    mut rest: &[u8],
    trailers: Option<&Fields>,
) -> Result<(), S::Error> {
    let mut finished = false;
    poll_fn(|cx| {
        while !rest.is_empty() {
            let count = ready!(sink.poll_write(cx, rest))?;
            rest = &rest[count..];
        }
        if !finished {
            finished = true;
            sink.finish(trailers);
        }
        sink.poll_flush(cx)
    })
    .await
}

/// Answers with this head and body; false when the client is gone.
async fn answer(client: &mut Downstream, head: &str, length: Length, body: &[u8]) -> bool {
    client.answer(&answer_head(client.head().method(), head), &Edits::new(), length);
    write_body(client, body, None).await.is_ok()
}

fn answer_head(method: Method, text: &str) -> ResponseHead {
    let mut head = ResponseHead::new();
    response::parse(text.as_bytes(), &nearside_http::Limits::default(), method, &mut head).unwrap();
    head
}

fn request_head(text: &str) -> RequestHead {
    let mut head = RequestHead::new();
    request::parse(text.as_bytes(), &nearside_http::Limits::default(), &mut head).unwrap();
    head
}

fn some_trailers() -> Fields {
    let mut fields = Fields::new();
    trailers::read_parts(&mut fields, [(&b"x-sum"[..], &b"1"[..])]).unwrap();
    fields
}

/// Answers with what was asked: method, path, and the body with its trailers' names.
fn echo(client: &mut Downstream) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
    Box::pin(async move {
        let asked = format!("{} {} ", client.head().method_text(), client.head().path());
        match read_body(client).await {
            Ok((body, trailers)) => {
                let text = format!("{asked}{}{}", String::from_utf8(body).unwrap(), trailers.concat());
                let length = Length::Known(text.len() as u64);
                answer(client, "HTTP/1.1 200 OK\r\n\r\n", length, text.as_bytes()).await
            }
            Err(ClientError::Malformed(refusal)) => {
                let text = refusal.to_string();
                let length = Length::Known(text.len() as u64);
                answer(client, "HTTP/1.1 400 Bad Request\r\n\r\n", length, text.as_bytes()).await
            }
            Err(_) => false,
        }
    })
}

/// Some megabytes that no repetition makes look right.
fn megabytes(count: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let bytes = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    });
    bytes.take(count << 20).collect()
}
