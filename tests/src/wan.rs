//! A wide area network on one machine: each host is a network namespace with real TCP, and a mover carries every packet
//! between them, as late as the link says. The kernel needs no `netem`.
//!
//! Addresses are of 198.18.0.0/16, which no real network uses (RFC 2544); they exist in the namespaces only, and nothing
//! leads out of them.

mod host;
pub mod matrix;
mod mover;
mod network;
mod tun;

pub use network::Link;

use crate::tool;
use host::Host;
use network::Network;
use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Hosts and the links between them; dropping it removes them. Programs on its hosts have to be ended before.
pub struct Lab {
    hosts: Vec<Host>,
    network: Arc<Mutex<Network>>,
    /// The mover's end of the other one sees this one close.
    stop: Option<UnixStream>,
    mover: Option<JoinHandle<()>>,
}

impl Lab {
    /// A lab with a host of each name, all of them at no distance; `None`, said loudly, where the rights to make one are
    /// missing. Where they are not, it is a failure not to get one.
    #[must_use]
    pub fn start(names: &[&str]) -> Option<Self> {
        static LABS: AtomicU32 = AtomicU32::new(0);
        if let Some(missing) = host::missing_right() {
            tool::skip(&format!("a network of namespaces takes {missing}; run as root"));
            return None;
        }
        host::remove_left_behind();
        let lab = format!("{}-{}", std::process::id(), LABS.fetch_add(1, Ordering::Relaxed));
        let made = names.iter().enumerate().map(|(index, name)| Host::create(&lab, name, index));
        let (hosts, devices): (Vec<_>, Vec<_>) = made.unzip();
        let network = Arc::new(Mutex::new(Network::new(hosts.len())));
        let (stop, stopped) = UnixStream::pair().expect("a pair of sockets");
        let shared = Arc::clone(&network);
        let mover = std::thread::spawn(move || mover::run(&devices, &shared, &stopped));
        Some(Self { hosts, network, stop: Some(stop), mover: Some(mover) })
    }

    /// Where `host` is reached from the others.
    #[must_use]
    pub fn address(&self, host: &str) -> Ipv4Addr {
        self.hosts[self.index(host)].address
    }

    /// Sets the link between two hosts, both ways. Packets under way arrive as they would have.
    pub fn set(&self, a: &str, b: &str, link: Link) {
        self.set_one_way(a, b, link);
        self.set_one_way(b, a, link);
    }

    /// Sets the link from one host to another.
    pub fn set_one_way(&self, from: &str, to: &str, link: Link) {
        let (from, to) = (self.index(from), self.index(to));
        self.network().set(from, to, link);
    }

    /// What to put before the words of a command, so that it runs on `host`. It becomes the command: its process id is the
    /// command's.
    #[must_use]
    pub fn on(&self, host: &str) -> Vec<OsString> {
        self.hosts[self.index(host)].words()
    }

    /// Runs `task` on `host`, in a thread of its own: the sockets that it makes are the host's.
    pub fn within<T: Send>(&self, host: &str, task: impl FnOnce() -> T + Send) -> T {
        self.hosts[self.index(host)].within(task)
    }

    fn index(&self, host: &str) -> usize {
        let found = self.hosts.iter().position(|known| known.name == host);
        found.unwrap_or_else(|| panic!("no host is called {host}"))
    }

    fn network(&self) -> MutexGuard<'_, Network> {
        self.network.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        drop(self.stop.take());
        drop(self.mover.take().map(JoinHandle::join));
    }
}

#[cfg(test)]
mod tests;
