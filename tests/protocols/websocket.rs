//! WebSockets through the edge: every client protocol to every backend protocol, all kinds of frames, every way to
//! end; and what is no WebSocket.

use futures_util::SinkExt;
use nearside_tests::edge::Setting;
use nearside_tests::websocket::{Echo, Refused, Socket, Speaks, code, ending, next, open, open_with};
use nearside_tests::{Edge, QUICK, eventually};
use std::fmt::Write;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Bytes, Message, Utf8Bytes};

/// Backends, and whether they speak TLS, and what their pool says of the protocol.
const ECHOES: [(&str, Speaks, bool, &str); 6] = [
    ("h1", Speaks::H1, false, "auto"),
    ("h2c", Speaks::H2, false, "h2c"),
    ("h1s", Speaks::H1, true, "auto"),
    ("h2", Speaks::H2, true, "auto"),
    ("either", Speaks::Either, true, "auto"),
    ("without", Speaks::H2WithoutConnect, true, "auto"),
];

/// Those that make WebSockets.
const KINDS: [&str; 5] = ["h1", "h2c", "h1s", "h2", "either"];

struct Stage {
    edge: Edge,
    echoes: Vec<Echo>,
}

async fn stage() -> Stage {
    stage_with("").await
}

/// The edge before an echo of each kind, with `defaults` besides.
async fn stage_with(defaults: &str) -> Stage {
    let setting = Setting::new();
    let mut text = format!("{QUICK}{defaults}pools:\n");
    let mut echoes = Vec::new();
    for (kind, speaks, tls, protocol) in ECHOES {
        let identity = tls.then(|| setting.authority.sign(&["backend.test"]));
        let echo = Echo::start(speaks, identity).await;
        let scheme = if tls { "https" } else { "http" };
        writeln!(text, "  {kind}:\n    probe: {{ protocol: tcp }}").unwrap();
        writeln!(text, "    tls: {{ sni: backend.test, ca: ca.pem }}").unwrap();
        writeln!(text, "    connections: {{ protocol: {protocol} }}").unwrap();
        writeln!(text, "    backends: [{{ url: \"{scheme}://{}\", region: frankfurt }}]", echo.address)
            .unwrap();
        echoes.push(echo);
    }
    text.push_str("routes:\n");
    for (kind, ..) in ECHOES {
        writeln!(
            text,
            "  - {{ host: www.example.com, path: /{kind}/*, strip_prefix: /{kind}, pool: {kind} }}"
        )
        .unwrap();
    }
    text.push_str("  - { host: www.example.com, path: /none/*, pool: h1, upgrades: [] }\n");
    text.push_str("  - { host: www.example.com, path: /fixed, answer: { status: 200, body: \"fixed\" } }\n");
    Stage { edge: setting.run(&text).await, echoes }
}

impl Stage {
    /// How the WebSockets of the echo of this kind have ended, once there is one more than `before`.
    async fn note(&self, kind: &str, before: usize) -> String {
        let at = ECHOES.iter().position(|(name, ..)| *name == kind).unwrap();
        eventually("a note of the echo", async || self.echoes[at].notes().get(before).cloned()).await
    }

    fn notes(&self, kind: &str) -> usize {
        let at = ECHOES.iter().position(|(name, ..)| *name == kind).unwrap();
        self.echoes[at].notes().len()
    }
}

/// Says it and hears it said back.
async fn echoed(socket: &mut Socket, message: Message) {
    socket.send(message.clone()).await.unwrap();
    assert!(next(socket).await.unwrap() == message, "something else came back");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_size_passes_both_ways_over_every_pair_of_protocols() {
    let stage = stage().await;
    for h2 in [false, true] {
        for kind in KINDS {
            let before = stage.notes(kind);
            let mut socket = open(&stage.edge, h2, &format!("/{kind}/echo")).await.unwrap();
            for size in [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20] {
                echoed(&mut socket, Message::text("x".repeat(size))).await;
                let bytes: Vec<u8> = (0..=250).cycle().take(size).collect();
                echoed(&mut socket, Message::binary(bytes)).await;
            }
            socket.close(None).await.unwrap();
            assert_eq!(ending(&mut socket).await, "closed without a code", "{kind} h2={h2}");
            let over = if kind.starts_with("h2") { "h2" } else { "h1" };
            assert_eq!(stage.note(kind, before).await, format!("{over} /echo: closed without a code"));
        }
    }
    let records = eventually("ten records", async || {
        let records = stage.edge.records();
        (records.len() == 10).then_some(records)
    })
    .await;
    for record in records {
        assert_eq!((&record["status"], &record["method"]), (&101.into(), &"GET".into()), "{record}");
        let least = 2 * ((1 << 20) + 65_536 + 65_535);
        let (up, down) = (record["bytes_in"].as_u64().unwrap(), record["bytes_out"].as_u64().unwrap());
        assert!((least..least + 2000).contains(&up) && (least..least + 2000).contains(&down), "{record}");
        assert_eq!(record["reason"], "won.only", "{record}");
    }
    let status = stage.edge.status();
    assert!(
        status["backends"].as_array().unwrap().iter().all(|backend| backend["in_flight"] == 0),
        "{status}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn both_directions_run_at_once() {
    let stage = stage().await;
    for h2 in [false, true] {
        for kind in KINDS {
            let socket = open(&stage.edge, h2, &format!("/{kind}/echo")).await.unwrap();
            let (mut say, mut hear) = futures_util::StreamExt::split(socket);
            let message = Bytes::from(vec![7; 100_000]);
            let own = message.clone();
            // Far more than any buffer on the way holds, before the first is read.
            let saying = tokio::spawn(async move {
                for _ in 0..200 {
                    say.send(Message::Binary(own.clone())).await.unwrap();
                }
                say
            });
            for _ in 0..200 {
                let heard = futures_util::StreamExt::next(&mut hear).await.unwrap().unwrap();
                assert!(heard == Message::Binary(message.clone()));
            }
            drop(saying.await.unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pings_fragments_and_subprotocols_pass_as_they_are() {
    let stage = stage().await;
    for h2 in [false, true] {
        for kind in KINDS {
            let path = |name: &str| format!("/{kind}/{name}");
            let mut socket = open(&stage.edge, h2, &path("echo")).await.unwrap();
            for payload in [&b""[..], b"hello", &[9; 125]] {
                socket.send(Message::Ping(payload.to_vec().into())).await.unwrap();
                assert_eq!(next(&mut socket).await.unwrap(), Message::Pong(payload.to_vec().into()));
            }
            // A text in three fragments, split within a character, with a ping and an empty fragment in between.
            let text = "grüße, 世界".as_bytes();
            let fragment = |range: std::ops::Range<usize>, data, last| {
                Message::Frame(Frame::message(text[range].to_vec(), OpCode::Data(data), last))
            };
            socket.send(fragment(0..3, Data::Text, false)).await.unwrap();
            socket.send(Message::Ping("between".into())).await.unwrap();
            socket.send(fragment(0..0, Data::Continue, false)).await.unwrap();
            socket.send(fragment(3..11, Data::Continue, false)).await.unwrap();
            socket.send(fragment(11..text.len(), Data::Continue, true)).await.unwrap();
            assert_eq!(next(&mut socket).await.unwrap(), Message::Pong("between".into()));
            assert_eq!(
                next(&mut socket).await.unwrap(),
                Message::Text(Utf8Bytes::from_static("grüße, 世界"))
            );
            socket.close(None).await.unwrap();
            assert_eq!(ending(&mut socket).await, "closed without a code");
            // The backend pings first, and says back what the pong held.
            let mut pinged = open(&stage.edge, h2, &path("ping")).await.unwrap();
            assert_eq!(next(&mut pinged).await.unwrap(), Message::Ping("are you there".into()));
            assert_eq!(next(&mut pinged).await.unwrap(), Message::Binary("are you there".into()));
            let offer = [("sec-websocket-protocol", "chat.v2, chat.v1")];
            let (_, answer) = open_with(&stage.edge, h2, &path("protocol"), &offer).await.unwrap();
            assert_eq!(answer.headers()["sec-websocket-protocol"], "chat.v2");
            assert!(answer.headers().contains_key("x-nearside-ref"));
            assert_eq!(answer.headers().contains_key("sec-websocket-accept"), !h2);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_close_code_passes_from_either_side() {
    let stage = stage().await;
    for h2 in [false, true] {
        for kind in KINDS {
            for number in [1000_u16, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 4000, 4999] {
                let before = stage.notes(kind);
                let mut socket = open(&stage.edge, h2, &format!("/{kind}/echo")).await.unwrap();
                let frame = CloseFrame { code: number.into(), reason: "enough".into() };
                socket.close(Some(frame.clone())).await.unwrap();
                assert_eq!(ending(&mut socket).await, format!("closed {}", code(&frame)), "{kind} h2={h2}");
                let noted = stage.note(kind, before).await;
                assert!(noted.ends_with(&format!("/echo: closed {number} enough")), "{noted}");

                let mut socket = open(&stage.edge, h2, &format!("/{kind}/close/{number}")).await.unwrap();
                socket.send(Message::text("now")).await.unwrap();
                assert_eq!(ending(&mut socket).await, format!("closed {number} as asked"), "{kind} h2={h2}");
                let noted = stage.note(kind, before + 1).await;
                assert!(noted.ends_with(&format!("closed {number} as asked")), "{noted}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_break_the_rules_are_for_the_backend_to_refuse() {
    let stage = stage().await;
    // With a mask of zeros, but for the last.
    let frames: [(&[u8], &str); 8] = [
        (&[0x83, 0x80, 0, 0, 0, 0], "opcode"),
        (&[0x8B, 0x80, 0, 0, 0, 0], "opcode"),
        (&[0xC1, 0x80, 0, 0, 0, 0], "reserved bits"),
        (&[0x09, 0x80, 0, 0, 0, 0], "fragmented control frame"),
        (&[&[0x89, 0xFE, 0, 126, 0, 0, 0, 0][..], &[0; 126]].concat(), "control frame too big"),
        (&[0x80, 0x80, 0, 0, 0, 0], "nothing to continue"),
        (&[0x81, 0x81, 0, 0, 0, 0, 0xFF], "utf-8"),
        (&[0x81, 1, b'x'], "unmasked"),
    ];
    for h2 in [false, true] {
        for kind in KINDS {
            for (frame, expected) in frames {
                let before = stage.notes(kind);
                let mut socket = open(&stage.edge, h2, &format!("/{kind}/echo")).await.unwrap();
                socket.get_mut().write_all(frame).await.unwrap();
                let noted = stage.note(kind, before).await.to_ascii_lowercase();
                assert!(noted.contains(expected), "{kind} h2={h2} {expected}: {noted}");
                let ended = ending(&mut socket).await;
                assert!(ended.starts_with("without a close, "), "{kind} h2={h2} {expected}: {ended}");
            }
        }
    }
    let status = stage.edge.status();
    let faults = |backend: &serde_json::Value| backend["faults"] == 0;
    assert!(status["backends"].as_array().unwrap().iter().all(faults), "a client can make them look bad");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_on_one_side_is_a_cut_on_the_other() {
    let stage = stage().await;
    for h2 in [false, true] {
        for kind in KINDS {
            let before = stage.notes(kind);
            let mut socket = open(&stage.edge, h2, &format!("/{kind}/cut")).await.unwrap();
            socket.send(Message::text("now")).await.unwrap();
            let ended = ending(&mut socket).await;
            assert!(ended.starts_with("without a close, "), "{kind} h2={h2}: {ended}");
            // What is no end in TLS or HTTP/2 is passed on as RFC 8441, section 5, has it: CANCEL. An end of TCP is an end.
            let cancelled = ended.contains("stream no longer needed");
            assert_eq!(cancelled, h2 && kind != "h1", "{kind} h2={h2}: {ended}");

            let mut socket = open(&stage.edge, h2, &format!("/{kind}/echo")).await.unwrap();
            echoed(&mut socket, Message::text("here")).await;
            drop(socket);
            let noted = stage.note(kind, before + 1).await;
            assert!(!noted.contains(": closed"), "{kind} h2={h2}: {noted}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_web_socket_is_closed_and_a_lively_one_is_not() {
    let stage = stage_with("  timeouts: { stream_idle: 4s, body_idle: 2s, response: 2s }\n").await;
    let (mut idle, mut lively) = (tokio::task::JoinSet::new(), tokio::task::JoinSet::new());
    let (over, is_over) = tokio::sync::watch::channel(false);
    for h2 in [false, true] {
        for kind in ["h1", "h2"] {
            let path = format!("/{kind}/echo");
            let mut socket = open(&stage.edge, h2, &path).await.unwrap();
            idle.spawn(async move { ending(&mut socket).await });
            let mut socket = open(&stage.edge, h2, &path).await.unwrap();
            let is_over = is_over.clone();
            lively.spawn(async move {
                while !*is_over.borrow() {
                    echoed(&mut socket, Message::text("still here")).await;
                    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                }
                echoed(&mut socket, Message::text("still here")).await;
                socket
            });
        }
    }
    assert_eq!(idle.join_all().await, ["closed 1001"; 4]);
    over.send_replace(true);
    let _lively = lively.join_all().await;
    for kind in ["h1", "h2"] {
        for number in 0..2 {
            let noted = stage.note(kind, number).await;
            assert!(noted.ends_with("/echo: closed 1001"), "{noted}");
        }
    }
    let timed_out = |record: &serde_json::Value| record["reason"] == "failed.timeout";
    eventually("four records", async || {
        (stage.edge.records().iter().filter(|record| timed_out(record)).count() == 4).then_some(())
    })
    .await;
    let status = stage.edge.status();
    assert!(status["backends"].as_array().unwrap().iter().all(|backend| backend["faults"] == 0), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_route_does_not_list_is_no_web_socket() {
    let stage = stage().await;
    // In HTTP/1.1 the request goes on as what is left of it, which the echo refuses; in HTTP/2 nothing is left.
    let plain = open(&stage.edge, false, "/none/echo").await.map(drop);
    assert!(matches!(plain, Err(Refused(400..=599))), "{plain:?}");
    assert_eq!(open(&stage.edge, true, "/none/echo").await.map(drop), Err(Refused(405)));
    // A fixed answer is a success, which in HTTP/2 would grant a tunnel.
    assert_eq!(open(&stage.edge, false, "/fixed").await.map(drop), Err(Refused(200)));
    assert_eq!(open(&stage.edge, true, "/fixed").await.map(drop), Err(Refused(405)));
    // A backend of HTTP/2 alone that has not announced extended CONNECT.
    for h2 in [false, true] {
        assert_eq!(open(&stage.edge, h2, "/without/echo").await.map(drop), Err(Refused(502)));
    }
    let status = stage.edge.status();
    let without = status["backends"].as_array().unwrap().iter().find(|entry| entry["pool"] == "without");
    assert_eq!(without.unwrap()["faults"], 0, "a client can make it look bad");
}
