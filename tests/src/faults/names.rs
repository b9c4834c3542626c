//! A name server of our own, that can fall silent.

use super::Fault;
use super::account::{Account, Moment};
use super::proxy::Surroundings;
use super::scene::{Scene, Stage};
use crate::load::Connections;
use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Where it listens: port 53, as nobody's `resolv.conf` knows another.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 53, 0, 1);
/// The same for a soak, which may run beside the fault.
pub(super) const SOAK: Ipv4Addr = Ipv4Addr::new(127, 53, 0, 2);
const ZONE: &str = "faults.test";
/// The answers' TTL in seconds: short, so that they are soon asked for again.
const TTL: u8 = 1;

/// The name of a backend.
pub(super) fn name(backend: &str) -> String {
    format!("{backend}.{ZONE}")
}

/// Why no name server can be had here; `None` where it can.
pub(super) fn hindrance() -> Option<String> {
    hindrance_at(ADDRESS)
}

/// The same for this address.
pub(super) fn hindrance_at(address: Ipv4Addr) -> Option<String> {
    let mount = std::process::Command::new("unshare").args(["--mount", "true"]).output();
    if !mount.is_ok_and(|output| output.status.success()) {
        return Some("`unshare --mount` is not allowed here".to_owned());
    }
    UdpSocket::bind((address, 53)).err().map(|error| format!("{address}:53 cannot be had: {error}"))
}

/// A name server that knows the zone's names as this machine.
pub(super) struct Server {
    address: Ipv4Addr,
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    silent: AtomicBool,
    ended: AtomicBool,
    unanswered: AtomicUsize,
}

impl Server {
    /// Starts it at `address`, for which [`hindrance_at`] found nothing.
    pub(super) fn start(address: Ipv4Addr) -> Self {
        let socket = UdpSocket::bind((address, 53)).expect("hindrance() was asked first");
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a duration");
        let shared = Arc::new(Shared::default());
        let mine = Arc::clone(&shared);
        let thread = std::thread::spawn(move || serve(&socket, &mine));
        Self { address, shared, thread: Some(thread) }
    }

    pub(super) fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Answers no more, or again.
    pub(super) fn silence(&self, is_silent: bool) {
        self.shared.silent.store(is_silent, Ordering::Relaxed);
    }

    /// A proxy that is to see it as the machine's own, with its file kept in `folder`.
    pub(super) fn surroundings(&self, folder: &Path) -> Surroundings {
        let file = folder.join("resolv.conf");
        fs::write(&file, format!("nameserver {}\noptions timeout:1 attempts:1\n", self.address))
            .expect("own folder");
        Surroundings { resolv_conf: Some(file), ..Surroundings::default() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        drop(self.thread.take().map(std::thread::JoinHandle::join));
    }
}

fn serve(socket: &UdpSocket, shared: &Shared) {
    let mut buffer = [0; 1500];
    while !shared.ended.load(Ordering::Relaxed) {
        let Ok((length, client)) = socket.recv_from(&mut buffer) else { continue };
        if shared.silent.load(Ordering::Relaxed) {
            shared.unanswered.fetch_add(1, Ordering::Relaxed);
        } else if let Some(answer) = answer(&buffer[..length]) {
            // A client that is gone asks no more.
            drop(socket.send_to(&answer, client));
        }
    }
}

/// The answer to a query of one question (RFC 1035, section 4): an address to A, nothing to all else.
fn answer(query: &[u8]) -> Option<Vec<u8>> {
    let mut end = 12;
    while *query.get(end)? != 0 {
        end += usize::from(query[end]) + 1;
    }
    end += 5;
    let question = query.get(12..end)?;
    let is_a = question.ends_with(&[0, 1, 0, 1]);
    let mut answer = query[..2].to_vec();
    answer.extend([0x85, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
    answer.extend(question);
    if is_a {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, TTL, 0, 4, 127, 0, 0, 1]);
    }
    Some(answer)
}

/// The backends have names, and the name server falls silent.
pub(super) async fn gone(stage: &Stage) -> Account {
    let server = Server::start(ADDRESS);
    let folder = tempfile::tempdir().expect("a folder");
    let surroundings = server.surroundings(folder.path());
    let scene = Scene::open_in(stage, &surroundings, Some(&server)).await;
    let load = scene.load(Connections::KeptAndNew).await;
    let at = Instant::now();
    server.silence(true);
    load.more(scene.pace.nameless).await;
    let asked = server.shared.unanswered.load(Ordering::Relaxed);
    let outcomes = load.end().await;
    let mut account = scene.account(Fault::NameServer, &outcomes, &Moment::nobody(at));
    account.times.remove("failover");
    account.times.remove("left");
    let is_ours = account.proxy == "nearside";
    account.must(asked > 0 || !is_ours, "the silent name server was not asked: nothing is shown");
    account
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_and_nothing_else() {
        let query = |kind: u8| {
            [&[1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], b"\x01a\x06faults\x04test\0", &[0, kind, 0, 1]]
                .concat()
        };
        let told = answer(&query(1)).unwrap();
        assert!(told.ends_with(&[127, 0, 0, 1]) && told[7] == 1);
        assert_eq!(answer(&query(28)).unwrap()[7], 0);
        assert_eq!(answer(&query(1)[..16]), None, "cut short");
    }
}
