//! A host: a network namespace whose only way out is a TUN device that the mover holds.
//!
//! The namespaces are those that `ip netns` makes, so that `ip netns exec` finds them too.

use super::tun;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::ffi::OsString;
use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;

/// The largest packet.
pub(super) const MTU: usize = 1500;
/// The device that leads to the others.
const DEVICE: &str = "wan0";
/// Packets that the device holds for the mover, which takes them within microseconds unless the machine is busy.
const HELD: &str = "10000";
/// What all of our namespaces are called, before the process that made them, the lab and the host.
const PREFIX: &str = "wan-";
const FOLDER: &str = "/run/netns";

/// One host; dropping it removes its namespace.
pub(super) struct Host {
    pub(super) name: String,
    pub(super) address: Ipv4Addr,
    namespace: String,
}

/// The address of the host with this index.
pub(super) fn address(index: usize) -> Ipv4Addr {
    let [high, low] = u16::try_from(index + 1).expect("fewer hosts than addresses").to_be_bytes();
    Ipv4Addr::new(198, 18, high, low)
}

/// The index of the host with this address, if one may have it.
pub(super) fn of_address(address: Ipv4Addr) -> Option<usize> {
    let [198, 18, high, low] = address.octets() else { return None };
    usize::from(u16::from_be_bytes([high, low])).checked_sub(1)
}

impl Host {
    /// Makes the host, and the mover's end of its device.
    pub(super) fn create(lab: &str, name: &str, index: usize) -> (Self, File) {
        let namespace = format!("{PREFIX}{lab}-{name}");
        ip(&["netns", "add", &namespace]);
        let host = Self { name: name.to_owned(), address: address(index), namespace };
        let device = host.within(|| {
            // What TCP remembers of a peer would make the second connection differ from the first.
            fs::write("/proc/sys/net/ipv4/tcp_no_metrics_save", "1").expect("a namespace of our own");
            tun::open(DEVICE).expect("a TUN device: /dev/net/tun is there, and ours to open")
        });
        let (address, mtu) = (format!("{}/32", host.address), MTU.to_string());
        for command in [
            ["link", "set", "lo", "up"].as_slice(),
            &["address", "add", &address, "dev", DEVICE],
            &["link", "set", DEVICE, "mtu", &mtu, "txqueuelen", HELD, "up"],
            &["route", "add", "default", "dev", DEVICE],
        ] {
            ip(&[["-n", &host.namespace].as_slice(), command].concat());
        }
        (host, device)
    }

    pub(super) fn words(&self) -> Vec<OsString> {
        ["ip", "netns", "exec", &self.namespace].map(OsString::from).to_vec()
    }

    pub(super) fn within<T: Send>(&self, task: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(Path::new(FOLDER).join(&self.namespace)).expect("the namespace is there");
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                    .expect("a namespace of our own");
                task()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        remove(&self.namespace);
    }
}

/// The right without which no namespace is made, if it is missing.
pub(super) fn missing_right() -> Option<&'static str> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let held = line.and_then(|line| u64::from_str_radix(line.trim(), 16).ok()).unwrap_or(0);
    // By their numbers in linux/capability.h.
    let needed = [("CAP_NET_ADMIN", 12), ("CAP_SYS_ADMIN", 21)];
    needed.into_iter().find(|(_, bit)| held >> bit & 1 == 0).map(|(name, _)| name)
}

/// Removes the hosts of processes that were killed before they could.
pub(super) fn remove_left_behind() {
    let Ok(entries) = fs::read_dir(FOLDER) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let maker = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if maker.is_some_and(|maker| !Path::new("/proc").join(maker).exists()) {
            remove(&name);
        }
    }
}

/// Best effort: two may come to remove the same.
fn remove(namespace: &str) {
    drop(Command::new("ip").args(["netns", "delete", namespace]).output());
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output();
    let output = output.expect("ip (Debian: iproute2; `cargo xtask tools` installs it)");
    assert!(output.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
