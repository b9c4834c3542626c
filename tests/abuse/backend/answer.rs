//! An answer: bytes that a backend sends, what a client gets of them, and a lawful neighbour.

use crate::case::{Front, one};
use crate::setting::stage;
use bytes::Bytes;
use nearside_tests::client::HOST;
use nearside_tests::raw::{self, Client, Script, Talk};
use nearside_tests::wire::{Fault, Message, find};
use rustls::pki_types::ServerName;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// What a backend says to a request without a body.
pub(crate) struct Answer {
    pub(crate) name: &'static str,
    pub(crate) says: fn() -> Vec<u8>,
    pub(crate) then: Then,
    pub(crate) judged: Judged,
    pub(crate) neighbour: fn() -> Vec<u8>,
}

/// What the backend does after it.
#[derive(Clone, Copy)]
pub(crate) enum Then {
    /// It waits for the next request.
    Stay,
    /// It closes the connection in order.
    Close,
}

/// What a client gets.
#[derive(Clone, Copy)]
pub(crate) enum Judged {
    /// 502, whole and ours, and nothing of what the backend said. Its connection is closed.
    BadGateway,
    /// The beginning, visibly not the whole, once that has left; else perhaps 502. The backend's connection is closed.
    Cut,
    /// Just this: first line and fields but for ours, and the body.
    Gets(&'static str),
}

/// Answers, each a test of its own name.
macro_rules! answers {
    ($($name:ident { says: $says:expr, then: $then:expr, judged: $judged:expr, neighbour: $neighbour:expr $(,)? })*) => {
        /// All of them, for a proxy that is wrong on purpose.
        pub(crate) const ANSWERS: &[$crate::backend::Answer] = &[$($crate::backend::Answer {
            name: stringify!($name),
            says: || $crate::case::Bytes::bytes($says),
            then: $then,
            judged: $judged,
            neighbour: || $crate::case::Bytes::bytes($neighbour),
        }),*];

        $(#[test]
        fn $name() {
            $crate::backend::answer::test(ANSWERS, stringify!($name));
        })*
    };
}
pub(crate) use answers;

/// Runs the answer of this name behind the edge.
pub(crate) fn test(answers: &[Answer], name: &str) {
    let stage = stage();
    let answer = answers.iter().find(|answer| answer.name == name).unwrap();
    let front = Front { address: stage.plain, backend: &stage.backend };
    if let Err(what) = answer.run(&front).and_then(|()| answer.run_over_h2()) {
        panic!("{what}\n{}", (answer.says)().escape_ascii());
    }
}

/// The backend says this to every request.
fn script(says: Vec<u8>, then: Then) -> Script {
    Arc::new(move |talk: &mut Talk| {
        while talk.request().is_some() {
            talk.send(&says);
            if let Then::Close = then {
                return;
            }
        }
    })
}

/// It says the head, and the rest once `go` is set.
fn in_two(says: Vec<u8>, then: Then, go: &Arc<AtomicBool>) -> Script {
    let go = Arc::clone(go);
    Arc::new(move |talk: &mut Talk| {
        let head = find(&says, b"\r\n\r\n").expect("it has a head") + 4;
        talk.request();
        talk.send(&says[..head]);
        while !go.load(Ordering::SeqCst) {
            talk.pause(Duration::from_millis(1));
        }
        talk.send(&says[head..]);
        if let Then::Stay = then {
            talk.hear_out();
        }
    })
}

/// What a client of HTTP/2 got: status, body, and whether it ended as a whole.
#[derive(Debug)]
struct Got {
    status: u16,
    body: Vec<u8>,
    whole: bool,
}

impl Answer {
    /// Gives it to a client of HTTP/1, and its neighbour to another.
    pub(crate) fn run(&self, front: &Front<'_>) -> Result<(), String> {
        match self.judged {
            Judged::BadGateway => self.bad_gateway(front)?,
            Judged::Cut => {
                self.at_once(front)?;
                self.cut(front)?;
            }
            Judged::Gets(expected) => gets(ask(front, &script((self.says)(), self.then)).1, expected)?,
        }
        match ask(front, &script((self.neighbour)(), self.then)).1 {
            Ok(answer) if answer.status() != 502 => Ok(()),
            other => Err(format!("the neighbour {}: {other:?}", (self.neighbour)().escape_ascii())),
        }
    }

    fn bad_gateway(&self, front: &Front<'_>) -> Result<(), String> {
        let (client, got) = ask(front, &script((self.says)(), self.then));
        is_ours(&got.map_err(|fault| format!("no answer: {fault:?}"))?)?;
        // The client's connection is still open, the backend's is not.
        one(&front.backend.all(client.port())).map(drop)
    }

    /// What comes in one piece is found out before a part has left, or it is cut.
    fn at_once(&self, front: &Front<'_>) -> Result<(), String> {
        let (mut client, got) = ask(front, &script((self.says)(), self.then));
        match got {
            Ok(page) => is_ours(&page),
            Err(Fault::Partial) if client.rest()?.starts_with(b"HTTP/1.1 200 ") => Ok(()),
            other => Err(format!("not visibly cut: {other:?}")),
        }
    }

    fn cut(&self, front: &Front<'_>) -> Result<(), String> {
        let go = Arc::new(AtomicBool::new(false));
        let mut client = Client::to(front.address);
        front.backend.answer(client.port(), in_two((self.says)(), self.then, &go));
        client.send(GET);
        let begun = client.begun();
        go.store(true, Ordering::SeqCst);
        let got = client.answer("GET");
        let rest = client.rest()?;
        if !begun || got != Err(Fault::Partial) || !rest.starts_with(b"HTTP/1.1 200 ") {
            return Err(format!("not visibly cut: {got:?} {}", rest.escape_ascii()));
        }
        one(&front.backend.all(client.port())).map(drop)
    }

    /// The same over HTTP/2.
    fn run_over_h2(&self) -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ask = |script: Script, go: &AtomicBool| runtime.block_on(over_h2(script, go));
        let go = Arc::new(AtomicBool::new(false));
        let got = match self.judged {
            Judged::Cut => ask(in_two((self.says)(), self.then, &go), &go),
            Judged::BadGateway | Judged::Gets(_) => ask(script((self.says)(), self.then), &go),
        };
        let fits = match self.judged {
            Judged::BadGateway => got.status == 502 && got.whole,
            Judged::Cut => got.status == 200 && !got.whole,
            Judged::Gets(expected) => {
                let (head, body) = expected.split_once("\n\n").unwrap_or((expected, ""));
                let body = body.lines().next().unwrap_or_default();
                got.whole
                    && head.contains(&got.status.to_string())
                    && got.body.escape_ascii().to_string() == body
            }
        };
        if !fits {
            return Err(format!("over h2: {got:?}"));
        }
        let got = ask(script((self.neighbour)(), self.then), &go);
        if got.whole && got.status != 502 { Ok(()) } else { Err(format!("the neighbour over h2: {got:?}")) }
    }
}

const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: www.example.com\r\n\r\n";

/// What a fresh client gets whom the backend answers by this script, and the client.
fn ask(front: &Front<'_>, script: &Script) -> (Client, Result<Message, Fault>) {
    let mut client = Client::to(front.address);
    front.backend.answer(client.port(), Arc::clone(script));
    client.send(GET);
    let got = last(&mut client);
    (client, got)
}

/// The final answer.
fn last(client: &mut Client) -> Result<Message, Fault> {
    loop {
        let answer = client.answer("GET")?;
        // A switch is followed by nothing that could be waited for.
        if answer.status() >= 200 || answer.status() == 101 {
            return Ok(answer);
        }
    }
}

fn is_ours(page: &Message) -> Result<(), String> {
    let ours = page.status() == 502
        && page.get("proxy-status").is_some_and(|status| status.starts_with("nearside; error="))
        && page.get("x-nearside-ref").is_some();
    if ours { Ok(()) } else { Err(format!("not our 502: {page:?}")) }
}

fn gets(got: Result<Message, Fault>, expected: &str) -> Result<(), String> {
    let mut got = got.map_err(|fault| format!("no answer: {fault:?}"))?;
    for name in ["x-nearside-ref", "x-nearside-gen"] {
        if got.get(name).is_none() {
            return Err(format!("no {name}: {got:?}"));
        }
        got.fields.retain(|(key, _)| key != name);
    }
    let text = got.text();
    if text == expected { Ok(()) } else { Err(format!("got:\n{text}expected:\n{expected}")) }
}

/// What a client of HTTP/2 gets whom the backend answers by this script, in which `go` is set once the head is there.
async fn over_h2(script: Script, go: &AtomicBool) -> Got {
    let stage = stage();
    let stream = raw::connect(stage.edge.https);
    let port = stream.local_addr().unwrap().port();
    stream.set_nonblocking(true).unwrap();
    let tls = TlsConnector::from(stage.edge.authority.trusting(&[b"h2"]));
    let stream = TcpStream::from_std(stream).unwrap();
    let stream = tls.connect(ServerName::try_from(HOST).unwrap(), stream).await.unwrap();
    stage.backend.answer(port, script);
    let (requests, connection) = h2::client::handshake(stream).await.unwrap();
    let driving = tokio::spawn(connection);
    let request = http::Request::get(format!("https://{HOST}/a")).body(()).unwrap();
    let (answer, _) = requests.ready().await.unwrap().send_request(request, true).unwrap();
    let asked = tokio::time::timeout(Duration::from_secs(20), take(answer, go));
    let got = asked.await.expect("an answer in time");
    driving.abort();
    got
}

async fn take(answer: h2::client::ResponseFuture, go: &AtomicBool) -> Got {
    let answer = answer.await;
    go.store(true, Ordering::SeqCst);
    let Ok(answer) = answer else { return Got { status: 0, body: Vec::new(), whole: false } };
    let (status, mut stream) = (answer.status().as_u16(), answer.into_body());
    let mut body = Vec::new();
    while let Some(piece) = stream.data().await {
        let Ok(piece): Result<Bytes, _> = piece else { return Got { status, body, whole: false } };
        drop(stream.flow_control().release_capacity(piece.len()));
        body.extend_from_slice(&piece);
    }
    let whole = stream.trailers().await.is_ok();
    Got { status, body, whole }
}
