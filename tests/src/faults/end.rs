//! The end of a process, with answers on their way.

use super::Fault;
use super::account::{Account, Moment};
use super::scene::{Scene, Stage};
use crate::load::Connections;
use nearside_sample::drip_line;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const STREAMS: usize = 10;
/// Lines of a stream, a tenth of a second apart.
const LINES: u64 = 40;
/// How long a proxy may take to end once nothing is in flight; beyond it is ended by force.
const END: Duration = Duration::from_secs(20);

/// SIGTERM while ten answers are on their way, half of them on each protocol. The load ends with the signal: what
/// comes after it is somebody else's.
pub(super) async fn sigterm(stage: &Stage) -> Account {
    let mut scene = Scene::open(stage).await;
    let load = scene.load(Connections::KeptAndNew).await;
    let door = scene.proxy.door();
    let mut answers = Vec::new();
    for number in 0..STREAMS {
        let client = door.client(number % 2 == 0).build().expect("a client");
        answers.push(client.get(door.url(&format!("/drip/{LINES}/100"))).send().await.expect("an answer"));
    }
    load.stop().await;
    let at = Instant::now();
    tokio::task::block_in_place(|| scene.proxy.terminate());
    let outcomes = load.end().await;
    let mut streams = JoinSet::new();
    for answer in answers {
        streams.spawn(answer.bytes());
    }
    let expected: Vec<u8> = (0..LINES).flat_map(|line| drip_line(line).into_bytes()).collect();
    let ends = streams.join_all().await;
    let last = Instant::now();
    let whole = ends.iter().filter(|bytes| bytes.as_ref().is_ok_and(|bytes| *bytes == expected)).count();
    while !scene.proxy.has_ended() && last.elapsed() < END {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut account = scene.account(Fault::Sigterm, &outcomes, &Moment { at, faulty: &[], kills: false });
    account.times.remove("failover");
    account.times.remove("left");
    account.must(whole == STREAMS, format!("{} of {STREAMS} streams were cut", STREAMS - whole));
    account
        .must(scene.proxy.has_ended(), format!("it had not ended {} s after the last stream", END.as_secs()));
    account.times.insert("exit", last.elapsed());
    account
}
