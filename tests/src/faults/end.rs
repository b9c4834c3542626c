//! The end of a process, with answers on their way.

use super::Fault;
use super::account::{Account, Moment};
use super::proxy::Proxy;
use super::scene::{Scene, Stage};
use crate::client::Door;
use crate::load::Connections;
use crate::websocket::{Socket, ending, next, open_at};
use futures_util::SinkExt;
use nearside_sample::drip_line;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

const STREAMS: usize = 10;
const SOCKETS: usize = 3;
/// Lines of a stream, and messages of a WebSocket.
const LINES: u64 = 40;
/// What lies between two of them.
const GAP: Duration = Duration::from_millis(100);
/// How long a proxy may take to end once nothing is in flight; beyond it is ended by force.
const END: Duration = Duration::from_secs(20);

/// SIGTERM while ten answers are on their way, half of them on each protocol, and three WebSockets (HTTP/1.1) are open.
/// The load ends with the signal: what comes after it is somebody else's.
pub(super) async fn sigterm(stage: &Stage) -> Account {
    let mut scene = Scene::open(stage).await;
    let load = scene.load(Connections::KeptAndNew).await;
    let under_way = UnderWay::open(&scene.proxy.door()).await;
    load.stop().await;
    let at = Instant::now();
    tokio::task::block_in_place(|| scene.proxy.terminate());
    let outcomes = load.end().await;
    let (exit, wrong) = under_way.outlast(&mut *scene.proxy).await;
    let mut account = scene.account(Fault::Sigterm, &outcomes, &Moment::nobody(at));
    account.times.remove("failover");
    account.times.remove("left");
    account.wrong.extend(wrong);
    account.times.insert("exit", exit);
    account
}

/// Ten answers and three WebSockets.
pub(super) struct UnderWay {
    answers: Vec<reqwest::Response>,
    sockets: Vec<Socket>,
}

impl UnderWay {
    /// All begun.
    pub(super) async fn open(door: &Door) -> Self {
        let mut answers = Vec::new();
        let url = door.url(&format!("/drip/{LINES}/{}", GAP.as_millis()));
        for number in 0..STREAMS {
            let client = door.client(number % 2 == 0).build().expect("a client");
            answers.push(client.get(&url).send().await.expect("an answer"));
        }
        let mut sockets = Vec::new();
        for _ in 0..SOCKETS {
            sockets.push(open_at(door, "/echo").await.expect("a WebSocket"));
        }
        Self { answers, sockets }
    }

    /// Goes through to the end of a proxy that was told to end: how long that took after the last of them, and what
    /// should not have been.
    pub(super) async fn outlast(self, proxy: &mut dyn Proxy) -> (Duration, Vec<String>) {
        let streams: JoinSet<_> = self.answers.into_iter().map(reqwest::Response::bytes).collect();
        let talks: JoinSet<_> = self.sockets.into_iter().map(talk).collect();
        let expected: Vec<u8> = (0..LINES).flat_map(|line| drip_line(line).into_bytes()).collect();
        let ends = streams.join_all().await;
        let talks = talks.join_all().await;
        let last = Instant::now();
        let whole = ends.iter().filter(|bytes| bytes.as_ref().is_ok_and(|bytes| *bytes == expected)).count();
        while !proxy.has_ended() && last.elapsed() < END {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut wrong = Vec::new();
        if whole < STREAMS {
            wrong.push(format!("{} of {STREAMS} streams were cut", STREAMS - whole));
        }
        let broken: Vec<String> = talks.into_iter().filter_map(Result::err).collect();
        if !broken.is_empty() {
            wrong.push(format!("{} of {SOCKETS} WebSockets broke: {}", broken.len(), broken.join("; ")));
        }
        if !proxy.has_ended() {
            wrong.push(format!("it had not ended {} s after the last stream", END.as_secs()));
        }
        (last.elapsed(), wrong)
    }
}

/// Says something for as long as a stream takes, hears it said back, and then closes; `Err` is how it broke.
async fn talk(mut socket: Socket) -> Result<(), String> {
    for number in 0..LINES {
        let said = Message::text(number.to_string());
        socket.send(said.clone()).await.map_err(|error| error.to_string())?;
        let heard = next(&mut socket).await.map_err(|error| error.to_string())?;
        if heard != said {
            return Err(format!("{heard:?} came back"));
        }
        tokio::time::sleep(GAP).await;
    }
    socket.close(None).await.map_err(|error| error.to_string())?;
    let ended = ending(&mut socket).await;
    if ended == "closed without a code" { Ok(()) } else { Err(ended) }
}
