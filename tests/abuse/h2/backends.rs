//! Backends that break the rules of HTTP/2 (RFC 9113, 8.1, 8.3.2 and 10): the client gets a 502 or a visibly cut answer,
//! whichever protocol it speaks, and never one that looks whole.

use super::Client;
use crate::setting::{Stage, apart};
use nearside_tests::client::HOST;
use nearside_tests::edge::Setting;
use nearside_tests::frames::{
    PREFACE, Raw, block, field, flag, frame, get, headers, kind, reset, settings, window,
};
use nearside_tests::raw;
use nearside_tests::wire::Fault;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, OnceLock};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What the backend says to the first request of a client, by the client's port.
static SCRIPTS: Mutex<Option<HashMap<u16, Script>>> = Mutex::new(None);

/// The frames, and whether the connection ends behind them.
type Script = (Vec<u8>, bool);

/// An edge whose only backend speaks HTTP/2, as the scripts say.
fn stage() -> &'static Stage {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    STAGE.get_or_init(|| {
        let (told, tell) = std::sync::mpsc::channel();
        // The backend lives as long as the process.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                told.send(listener.local_addr().unwrap()).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream));
                }
            });
        });
        let address = tell.recv().unwrap();
        apart(move || set_up(address))
    })
}

async fn set_up(backend: SocketAddr) -> Stage {
    let mut setting = Setting::new();
    let plain = setting.listen_plain();
    let file = format!(
        "version: 1
fleet: {{ name: nearside-test }}
regions: {{ frankfurt: {{}} }}
defaults:
  probe: {{ protocol: tcp, interval: 1h }}
  retry: {{ max: 0 }}
pools:
  raw:
    connections: {{ protocol: h2c, proxy_protocol: v1 }}
    backends: [{{ id: raw, url: \"http://{backend}\", region: frankfurt }}]
routes:
  - {{ host: {HOST}, pool: raw }}
"
    );
    let edge = setting.run_for_good(&file).await;
    Stage { edge, plain, backend: raw::Backend::start() }
}

/// One connection of the edge: whom it is for, its first words, and the script once a request has come.
async fn serve(stream: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut announced = String::new();
    reader.read_line(&mut announced).await.ok()?;
    let port: u16 = announced.split(' ').nth(4)?.parse().ok()?;
    let mut preface = [0; PREFACE.len()];
    tokio::io::AsyncReadExt::read_exact(&mut reader, &mut preface).await.ok()?;
    let mut raw = Raw::new(reader);
    raw.send(&settings(&[])).await.ok()?;
    raw.until(kind::HEADERS).await?;
    raw.send(&frame(kind::SETTINGS, flag::ACK, 0, &[])).await.ok()?;
    let (frames, ends) = SCRIPTS.lock().unwrap().as_mut()?.get(&port).cloned()?;
    // The edge may have had enough in the middle of it.
    drop(raw.send(&frames).await);
    if ends {
        raw.finish().await;
    }
    while raw.next().await.is_some() {}
    Some(())
}

fn answers(port: u16, script: &Script) {
    SCRIPTS.lock().unwrap().get_or_insert_default().insert(port, script.clone());
}

/// What a client gets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Gets {
    /// A 502 of the edge's own.
    BadGateway,
    /// The head of the answer, and a body that does not look whole.
    Cut,
    /// All of it.
    Whole,
}

fn over_http1(script: &Script) -> Result<Gets, String> {
    let mut client = raw::Client::to(stage().plain);
    answers(client.port(), script);
    client.send(b"GET / HTTP/1.1\r\nhost: www.example.com\r\n\r\n");
    match client.answer("GET") {
        Ok(answer) if answer.status() == 502 => Ok(Gets::BadGateway),
        Ok(answer) if answer.status() == 200 => Ok(Gets::Whole),
        Err(Fault::Partial) if client.ended.is_some() => Ok(Gets::Cut),
        other => Err(format!("{other:?}")),
    }
}

async fn over_http2(script: &Script) -> Result<Gets, String> {
    let mut client = Client::begun(stage(), &[]).await;
    answers(client.port, script);
    client.raw.send(&get(1, "/")).await.map_err(|error| error.to_string())?;
    loop {
        let frame = client.of(1).await.ok_or("the connection ended")?;
        let is_last = frame.kind != kind::RESET && frame.flags & flag::END_STREAM != 0;
        match frame.kind {
            kind::HEADERS if frame.status() == Some(502) => return Ok(Gets::BadGateway),
            kind::HEADERS | kind::DATA => {}
            // It may have overtaken the head that waited to leave with the body.
            kind::RESET => return Ok(Gets::Cut),
            _ => return Err(format!("{frame:?}")),
        }
        if is_last {
            return Ok(Gets::Whole);
        }
    }
}

/// Either client gets this, and from a lawful backend the whole.
async fn hold(script: Script, expected: &[Gets]) {
    let lawful = (whole(), false);
    for (script, expected) in [(script, expected), (lawful, &[Gets::Whole])] {
        for (protocol, gets) in [
            ("HTTP/1.1", tokio::task::block_in_place(|| over_http1(&script))),
            ("HTTP/2", over_http2(&script).await),
        ] {
            assert!(gets.as_ref().is_ok_and(|gets| expected.contains(gets)), "over {protocol}: {gets:?}");
        }
    }
}

/// A lawful answer: a head and ten bytes.
fn whole() -> Vec<u8> {
    [head(&[("content-length", "10")]), data(flag::END_STREAM, b"0123456789")].concat()
}

/// The head of an answer with a body, and these fields.
fn head(fields: &[(&str, &str)]) -> Vec<u8> {
    headers(0, 1, &[&[(":status", "200")][..], fields].concat())
}

/// A head that is just this block.
fn just(block: &[u8]) -> Vec<u8> {
    [frame(kind::HEADERS, flag::END_HEADERS, 1, block), data(flag::END_STREAM, b"body")].concat()
}

fn data(flags: u8, bytes: &[u8]) -> Vec<u8> {
    frame(kind::DATA, flags, 1, bytes)
}

/// Half of the answer that is announced.
fn half() -> Vec<u8> {
    [head(&[("content-length", "10")]), data(0, b"01234")].concat()
}

const BAD: &[Gets] = &[Gets::BadGateway];
/// The head may not have gone on yet when its body breaks.
const BAD_OR_CUT: &[Gets] = &[Gets::BadGateway, Gets::Cut];

/// Each a test of its own name: frames, whether the connection ends behind them, what clients get.
macro_rules! broken {
    ($($name:ident { says: $says:expr, ends: $ends:expr, gets: $gets:expr $(,)? })*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            hold(($says, $ends), $gets).await;
        })*
    };
}

broken! {
    an_answer_whose_status_is_no_number { says: just(&block(&[(":status", "2x0")])), ends: false, gets: BAD }
    an_answer_whose_status_has_four_digits { says: just(&block(&[(":status", "2000")])), ends: false, gets: BAD }
    an_answer_whose_status_is_below_all { says: just(&block(&[(":status", "099")])), ends: false, gets: BAD }
    an_answer_with_an_unknown_pseudo_header { says: just(&block(&[(":status", "200"), (":x", "y")])), ends: false, gets: BAD }
    an_answer_with_a_pseudo_header_behind_a_field { says: just(&block(&[("x", "y"), (":status", "200")])), ends: false, gets: BAD }
    an_answer_with_a_line_of_its_own { says: just(&block(&[(":status", "200"), ("x", "y\r\nset-cookie: a=b")])), ends: false, gets: BAD }
    an_answer_with_a_nul { says: just(&block(&[(":status", "200"), ("x", "y\0z")])), ends: false, gets: BAD }
    an_answer_with_a_transfer_coding { says: just(&block(&[(":status", "200"), ("transfer-encoding", "chunked")])), ends: false, gets: BAD }
    an_answer_with_two_lengths { says: just(&block(&[(":status", "200"), ("content-length", "4"), ("content-length", "5")])), ends: false, gets: BAD }
    an_answer_with_a_signed_length { says: just(&block(&[(":status", "200"), ("content-length", "+4")])), ends: false, gets: BAD }
    an_answer_whose_fields_cannot_be_read { says: just(&[0x80]), ends: false, gets: BAD }
    an_answer_with_a_head_without_end { says: [frame(kind::HEADERS, 0, 1, &block(&[(":status", "200")])), frame(kind::CONTINUATION, 0, 1, &field("x", "y")).repeat(100)].concat(), ends: false, gets: BAD }
    an_answer_with_a_head_of_megabytes { says: just(&[block(&[(":status", "200")]), [&[0x40][..], &field("x", "y".repeat(3_900))[1..]].concat(), vec![0xbe; 5_000]].concat()), ends: false, gets: BAD }
    an_end_in_place_of_an_answer { says: Vec::new(), ends: true, gets: BAD }
    an_answer_for_a_stream_that_nobody_opened { says: headers(flag::END_STREAM, 3, &[(":status", "200")]), ends: false, gets: BAD }
    a_switch_of_protocols_that_http_2_does_not_know { says: headers(0, 1, &[(":status", "101")]), ends: true, gets: BAD }
    settings_without_end { says: settings(&[]).repeat(500), ends: false, gets: BAD }
    pings_without_end { says: frame(kind::PING, 0, 0, &[0; 8]).repeat(20_000), ends: false, gets: BAD }
    a_ping_of_a_wrong_size { says: frame(kind::PING, 0, 0, &[0; 7]), ends: false, gets: BAD }
    a_window_beyond_the_largest { says: [window(0, (1 << 31) - 1), window(0, (1 << 31) - 1)].concat(), ends: false, gets: BAD }
    an_answer_that_is_reset_as_if_all_were_well { says: [half(), frame(kind::RESET, 0, 1, &[0; 4])].concat(), ends: false, gets: BAD_OR_CUT }
    an_answer_of_unknown_length_whose_connection_ends { says: [head(&[]), data(0, b"01234")].concat(), ends: true, gets: BAD_OR_CUT }
    an_answer_of_unknown_length_that_is_reset { says: [head(&[]), data(0, b"01234"), reset(1)].concat(), ends: false, gets: BAD_OR_CUT }
    an_answer_with_a_second_head { says: [half(), headers(0, 1, &[(":status", "200")])].concat(), ends: false, gets: BAD_OR_CUT }
    an_answer_with_trailers_that_break_the_rules { says: [head(&[]), data(0, b"01234"), headers(flag::END_STREAM, 1, &[("connection", "x")])].concat(), ends: false, gets: BAD_OR_CUT }
    an_answer_with_a_frame_beyond_the_largest { says: [half(), data(0, &[b'x'; 16_385])].concat(), ends: false, gets: BAD_OR_CUT }
}

/// Trailers that would decide something, and pseudo-headers in them, reach no client.
#[tokio::test(flavor = "multi_thread")]
async fn trailers_of_a_backend_decide_nothing() {
    let trailers =
        headers(flag::END_STREAM, 1, &[("x-sum", "1"), ("content-length", "99"), ("set-cookie", "a=b")]);
    let script = ([head(&[]), data(0, b"01234"), trailers].concat(), false);
    let mut client = raw::Client::to(stage().plain);
    answers(client.port(), &script);
    client.send(b"GET / HTTP/1.1\r\nhost: www.example.com\r\nte: trailers\r\nconnection: te\r\n\r\n");
    let answer = client.answer("GET").unwrap();
    assert_eq!((answer.status(), &answer.body[..]), (200, &b"01234"[..]));
    assert!(answer.trailers.iter().all(|(name, _)| name == "x-sum"), "{answer:?}");
}
