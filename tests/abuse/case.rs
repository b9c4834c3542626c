//! A case: bytes that a client sends, what comes of them, and a lawful neighbour.

use crate::setting::{seen, stage};
use nearside_tests::raw::{Backend, Client, Heard};
use nearside_tests::wire::{Fault, Message};
use std::net::SocketAddr;

/// Bytes of a client over HTTP/1.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) send: fn() -> Vec<u8>,
    pub(crate) judged: Judged,
    /// The neighbour, and how it arrives if that is said.
    pub(crate) neighbour: fn() -> Vec<u8>,
}

/// What comes of it.
pub(crate) enum Judged {
    /// One answer with this status, and the connection is closed. The backend is not even connected to.
    Refused(u16),
    /// The same, but the connection stays.
    Answered(u16),
    /// The backend gets one request, which is just this, and its answer reaches the client.
    Arrives(&'static str),
    /// The client gets this status, and the connection is closed. What the backend got of the request, if anything, it
    /// cannot take for the whole.
    Cut(u16),
}

/// Where cases are run.
pub(crate) struct Front<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) backend: &'a Backend,
}

/// What can be sent.
pub(crate) trait Bytes {
    fn bytes(self) -> Vec<u8>;
}

impl Bytes for &str {
    fn bytes(self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }
}

impl<const N: usize> Bytes for &[u8; N] {
    fn bytes(self) -> Vec<u8> {
        self.to_vec()
    }
}

impl Bytes for String {
    fn bytes(self) -> Vec<u8> {
        self.into_bytes()
    }
}

impl Bytes for Vec<u8> {
    fn bytes(self) -> Vec<u8> {
        self
    }
}

/// A GET with these lines of fields under its host.
pub(crate) fn get(fields: &str) -> String {
    format!("GET /a HTTP/1.1\r\nHost: www.example.com\r\n{fields}\r\n")
}

/// A POST with these lines of fields under its host, and what follows the head.
pub(crate) fn post(fields: &str, body: &str) -> String {
    format!("POST /a HTTP/1.1\r\nHost: www.example.com\r\n{fields}\r\n{body}")
}

/// Cases, each a test of its own name.
macro_rules! cases {
    ($($(#[doc = $doc:literal])* $name:ident { send: $send:expr, judged: $judged:expr, neighbour: $neighbour:expr $(,)? })*) => {
        /// All of them, for a proxy that is wrong on purpose.
        pub(crate) const CASES: &[$crate::case::Case] = &[$($crate::case::Case {
            name: stringify!($name),
            send: || $crate::case::Bytes::bytes($send),
            judged: $judged,
            neighbour: || $crate::case::Bytes::bytes($neighbour),
        }),*];

        $(#[test]
        $(#[doc = $doc])*
        fn $name() {
            $crate::case::test(CASES, stringify!($name));
        })*
    };
}
pub(crate) use cases;

/// Checks of what takes more than one exchange, each a test of its own name.
macro_rules! checks {
    ($(fn $name:ident($front:ident) $body:block)*) => {
        /// All of them, for a proxy that is wrong on purpose.
        pub(crate) const CHECKS: &[(&str, fn(&$crate::case::Front<'_>))] = &[$((stringify!($name), |$front| $body)),*];

        $(#[test]
        fn $name() {
            let stage = $crate::setting::stage();
            let $front = &$crate::case::Front { address: stage.plain, backend: &stage.backend };
            $body
        })*
    };
}
pub(crate) use checks;

/// Runs the case of this name against the edge.
pub(crate) fn test(cases: &[Case], name: &str) {
    let stage = stage();
    let case = cases.iter().find(|case| case.name == name).unwrap();
    let front = Front { address: stage.plain, backend: &stage.backend };
    if let Err(what) = case.run(&front) {
        panic!("{what}");
    }
}

impl Case {
    /// Sends it, and its neighbour after it.
    pub(crate) fn run(&self, front: &Front<'_>) -> Result<(), String> {
        let bytes = (self.send)();
        self.judge(front, &bytes).map_err(|what| format!("{what}\n{}", bytes.escape_ascii()))?;
        let bytes = (self.neighbour)();
        passes(front, &bytes).map_err(|what| format!("the neighbour: {what}\n{}", bytes.escape_ascii()))
    }

    fn judge(&self, front: &Front<'_>, bytes: &[u8]) -> Result<(), String> {
        let mut client = Client::to(front.address);
        let port = client.port();
        client.send(bytes);
        let method = if bytes.starts_with(b"HEAD ") { "HEAD" } else { "GET" };
        match self.judged {
            Judged::Refused(status) => {
                answered(client.answer(method), status)?;
                over(&mut client)?;
                nothing(&front.backend.all(port))
            }
            Judged::Answered(status) => {
                answered(client.answer(method), status)?;
                client.finish();
                over(&mut client)?;
                nothing(&front.backend.all(port))
            }
            Judged::Arrives(expected) => {
                answered(client.answer(method), 200)?;
                drop(client);
                let found = seen(one(&front.backend.all(port))?);
                let expected = expected.trim_start();
                if found == expected {
                    Ok(())
                } else {
                    Err(format!("arrived:\n{found}expected:\n{expected}"))
                }
            }
            Judged::Cut(status) => {
                answered(client.answer(method), status)?;
                over(&mut client)?;
                let heard = front.backend.all(port);
                let whole = |one: &Heard| !one.bytes.is_empty() && one.requests() != Err(Fault::Partial);
                if heard.iter().any(whole) { Err(format!("not cut: {heard:?}")) } else { Ok(()) }
            }
        }
    }
}

/// Sends what is lawful: it arrives once, whole, and is answered.
fn passes(front: &Front<'_>, bytes: &[u8]) -> Result<(), String> {
    let mut client = Client::to(front.address);
    client.send(bytes);
    let method = if bytes.starts_with(b"HEAD ") { "HEAD" } else { "GET" };
    answered(client.answer(method), 200)?;
    let port = client.port();
    drop(client);
    one(&front.backend.all(port)).map(drop)
}

fn answered(answer: Result<Message, Fault>, status: u16) -> Result<(), String> {
    match answer {
        Ok(answer) if answer.status() == status => Ok(()),
        other => Err(format!("not answered with {status}: {other:?}")),
    }
}

/// Nothing follows, and the connection ends in order.
fn over(client: &mut Client) -> Result<(), String> {
    let rest = client.rest()?.to_vec();
    match client.ended {
        Some(true) if rest.is_empty() => Ok(()),
        ended => Err(format!("ended {ended:?} after {}", rest.escape_ascii())),
    }
}

/// The one request that came for a client.
pub(crate) fn one(heard: &[Heard]) -> Result<Message, String> {
    match heard {
        [heard] => match heard.requests() {
            Ok(mut requests) if requests.len() == 1 => Ok(requests.remove(0)),
            other => Err(format!("not one request: {other:?}\n{}", heard.bytes.escape_ascii())),
        },
        _ => Err(format!("not one connection: {heard:?}")),
    }
}

fn nothing(heard: &[Heard]) -> Result<(), String> {
    if heard.is_empty() { Ok(()) } else { Err(format!("something reached the backend: {heard:?}")) }
}
