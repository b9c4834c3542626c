//! Too many connections: more than there are descriptors, and many that say nothing.

use super::Fault;
use super::account::{Account, Moment};
use super::proxy::Surroundings;
use super::scene::{Scene, Stage};
use crate::client::{self, Door};
use crate::load::Connections;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::client::TlsStream;

/// For a process. Some have two that accept.
const DESCRIPTORS: u32 = 256;
const CROWD: usize = 600;
/// How many connections are made at one time.
const ABREAST: usize = 8;
/// When a connection that is not served is given up.
const PATIENCE: Duration = Duration::from_millis(500);

/// More clients than descriptors, and then none of them.
pub(super) async fn descriptors(stage: &Stage) -> Account {
    let surroundings = Surroundings { descriptors: Some(DESCRIPTORS), ..Surroundings::default() };
    let scene = Scene::open_in(stage, &surroundings, None).await;
    let load = scene.load(Connections::Kept).await;
    let door = scene.proxy.door();
    let at = Instant::now();
    let crowd = press(&door, CROWD).await;
    load.more(scene.pace.before).await;
    let full = fresh(&door).await;
    load.more(scene.pace.before).await;
    drop(crowd);
    let freed = Instant::now();
    while !fresh(&door).await {
        assert!(freed.elapsed() < Duration::from_secs(60), "it never came back");
    }
    let back = freed.elapsed();
    load.more(scene.pace.before).await;
    let outcomes = load.end().await;
    let mut account = scene.account(Fault::Descriptors, &outcomes, &Moment::nobody(at));
    account.times.remove("failover");
    account.times.remove("left");
    account.times.insert("back", back);
    account.must(!full, "a new client got in although there was no room: the limit was not reached");
    account
}

/// So many clients that connect and say nothing, for as long as they are kept.
pub(super) async fn press(door: &Door, count: usize) -> Vec<impl Sized + use<>> {
    let mut crowd = JoinSet::new();
    for _ in 0..count {
        // Whoever does not get in is as good as one who does: there is no room left.
        crowd.spawn(tokio::time::timeout(PATIENCE, TcpStream::connect(door.https)));
    }
    crowd.join_all().await
}

/// Whether a new client is served in a reasonable time.
pub(super) async fn fresh(door: &Door) -> bool {
    let client = door.client(false).timeout(PATIENCE).build().expect("a client");
    client.get(door.url("/")).send().await.is_ok_and(|answer| answer.status().is_success())
}

/// Connections that asked once and are held; each must be of use in the end.
pub(super) async fn idle(stage: &Stage) -> Account {
    let scene = Scene::open(stage).await;
    let load = scene.load(Connections::KeptAndNew).await;
    let door = scene.proxy.door();
    let at = Instant::now();
    let mut held = Held::open(&door, scene.pace.idle).await;
    let took = at.elapsed();
    load.more(scene.pace.during).await;
    let wrong = held.used().await;
    let outcomes = load.end().await;
    let mut account = scene.account(Fault::Idle, &outcomes, &Moment::nobody(at));
    account.times.remove("failover");
    account.times.remove("left");
    account.times.insert("connected", took);
    account.wrong.extend(wrong);
    account
}

/// Connections that asked once and are held.
pub(super) struct Held {
    streams: Vec<TlsStream<TcpStream>>,
    refused: usize,
}

impl Held {
    /// About so many.
    pub(super) async fn open(door: &Door, count: usize) -> Self {
        let config = Arc::new(door.tls(&[b"http/1.1"]));
        let mut held = Self { streams: Vec::new(), refused: 0 };
        while held.streams.len() + held.refused < count {
            let mut some = JoinSet::new();
            for _ in 0..ABREAST {
                some.spawn(hold(Arc::clone(&config), door.clone()));
            }
            for one in some.join_all().await {
                match one {
                    Ok(stream) => held.streams.push(stream),
                    Err(_) => held.refused += 1,
                }
            }
        }
        held
    }

    /// Asks on each once more; what should not have been.
    pub(super) async fn used(&mut self) -> Vec<String> {
        let mut lost = 0;
        for stream in &mut self.streams {
            lost += usize::from(ask(stream).await.is_err());
        }
        let mut wrong = Vec::new();
        if self.refused > 0 {
            wrong.push(format!("{} connections were refused", self.refused));
        }
        if lost > 0 {
            wrong.push(format!("{lost} of {} held connections were of no use", self.streams.len()));
        }
        wrong
    }
}

async fn hold(config: Arc<rustls::ClientConfig>, door: Door) -> std::io::Result<TlsStream<TcpStream>> {
    let mut stream = client::connect(config, door.https, client::HOST).await?;
    ask(&mut stream).await?;
    Ok(stream)
}

/// One request on a kept HTTP/1.1 connection.
async fn ask(stream: &mut TlsStream<TcpStream>) -> std::io::Result<()> {
    let head = format!("GET /204 HTTP/1.1\r\nhost: {}\r\n\r\n", client::HOST);
    stream.write_all(head.as_bytes()).await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await?);
    }
    let is_fine = answer.starts_with(b"HTTP/1.1 204");
    if is_fine { Ok(()) } else { Err(std::io::Error::other("another status")) }
}
