//! The end of a process, with answers on their way.

use super::Fault;
use super::account::{Account, Moment};
use super::scene::{Scene, Stage};
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
    let door = scene.proxy.door();
    let mut answers = Vec::new();
    for number in 0..STREAMS {
        let client = door.client(number % 2 == 0).build().expect("a client");
        answers.push(
            client
                .get(door.url(&format!("/drip/{LINES}/{}", GAP.as_millis())))
                .send()
                .await
                .expect("an answer"),
        );
    }
    let mut sockets = Vec::new();
    for _ in 0..SOCKETS {
        sockets.push(open_at(&door, "/echo").await.expect("a WebSocket"));
    }
    load.stop().await;
    let at = Instant::now();
    tokio::task::block_in_place(|| scene.proxy.terminate());
    let outcomes = load.end().await;
    let mut streams = JoinSet::new();
    for answer in answers {
        streams.spawn(answer.bytes());
    }
    let mut talks = JoinSet::new();
    for socket in sockets {
        talks.spawn(talk(socket));
    }
    let expected: Vec<u8> = (0..LINES).flat_map(|line| drip_line(line).into_bytes()).collect();
    let ends = streams.join_all().await;
    let talks = talks.join_all().await;
    let last = Instant::now();
    let whole = ends.iter().filter(|bytes| bytes.as_ref().is_ok_and(|bytes| *bytes == expected)).count();
    while !scene.proxy.has_ended() && last.elapsed() < END {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut account = scene.account(Fault::Sigterm, &outcomes, &Moment::nobody(at));
    account.times.remove("failover");
    account.times.remove("left");
    account.must(whole == STREAMS, format!("{} of {STREAMS} streams were cut", STREAMS - whole));
    let broken: Vec<String> = talks.into_iter().filter_map(Result::err).collect();
    account.must(broken.is_empty(), format!("{} of {SOCKETS} WebSockets broke", broken.len()));
    account.failures.extend(broken);
    account
        .must(scene.proxy.has_ended(), format!("it had not ended {} s after the last stream", END.as_secs()));
    account.times.insert("exit", last.elapsed());
    account
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
