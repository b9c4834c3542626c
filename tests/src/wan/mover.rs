//! The mover: takes packets out of the hosts' devices, and hands each to its host when it is due.

use super::network::Network;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A packet due within this time is delivered now: to sleep for less costs more than it gains.
const EARLY: Duration = Duration::from_micros(20);
/// Packets taken from one device before the others, and deliveries, have their turn.
const BATCH: usize = 64;

/// A packet under way. Those due at one moment keep the order in which they were sent, by their number.
#[derive(Eq, Ord, PartialEq, PartialOrd)]
struct UnderWay {
    due: Instant,
    number: u64,
    to: usize,
    packet: Vec<u8>,
}

/// Carries packets until the other end of `stopped` is closed. The devices are in the order of the hosts.
pub(super) fn run(devices: &[File], network: &Mutex<Network>, stopped: &UnixStream) {
    take_priority();
    let mut mover = Mover { devices, under_way: BinaryHeap::new(), spare: Vec::new(), sent: 0 };
    loop {
        let wait = mover.deliver();
        let Some(ready) = mover.wait(wait, stopped) else { return };
        let mut network = network.lock().unwrap_or_else(PoisonError::into_inner);
        ready.into_iter().for_each(|from| mover.take(from, &mut network));
    }
}

struct Mover<'a> {
    devices: &'a [File],
    under_way: BinaryHeap<Reverse<UnderWay>>,
    /// Buffers for packets to come.
    spare: Vec<Vec<u8>>,
    sent: u64,
}

impl Mover<'_> {
    /// Delivers what is due; the time until the next packet is.
    fn deliver(&mut self) -> Option<Duration> {
        loop {
            let wait = self.under_way.peek()?.0.due.saturating_duration_since(Instant::now());
            if wait > EARLY {
                return Some(wait);
            }
            let Reverse(UnderWay { to, packet, .. }) = self.under_way.pop()?;
            // A device that refuses a packet has lost it, as a real one would.
            drop((&self.devices[to]).write(&packet));
            self.spare.push(packet);
        }
    }

    /// Sleeps until a device has packets or the time is over: which have. Nothing when it is time to stop.
    fn wait(&self, wait: Option<Duration>, stopped: &UnixStream) -> Option<Vec<usize>> {
        let mut all: Vec<_> = self.devices.iter().map(|device| PollFd::new(device, PollFlags::IN)).collect();
        all.push(PollFd::new(stopped, PollFlags::IN));
        let wait = wait.map(|wait| Timespec::try_from(wait).expect("below an eon"));
        match poll(&mut all, wait.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => panic!("cannot wait for packets: {error}"),
        }
        let ready = |index: &usize| !all[*index].revents().is_empty();
        (!ready(&self.devices.len())).then(|| (0..self.devices.len()).filter(ready).collect())
    }

    /// Takes the packets that `from` has sent.
    fn take(&mut self, from: usize, network: &mut Network) {
        for _ in 0..BATCH {
            let mut packet = self.spare.pop().unwrap_or_default();
            packet.resize(super::host::MTU, 0);
            match (&self.devices[from]).read(&mut packet) {
                Ok(length) => packet.truncate(length),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return self.spare.push(packet),
                Err(error) => panic!("cannot read packets: {error}"),
            }
            match network.forward(from, &packet, Instant::now()) {
                Some((to, due)) => {
                    self.sent += 1;
                    self.under_way.push(Reverse(UnderWay { due, number: self.sent, to, packet }));
                }
                None => self.spare.push(packet),
            }
        }
    }
}

/// Lets this thread run before ordinary programs, whose running time would be added to the delays.
fn take_priority() {
    let thread = rustix::thread::gettid().as_raw_nonzero().to_string();
    let mut command = Command::new("chrt");
    let taken = command.args(["--fifo", "--pid", "1", &thread]).status().is_ok_and(|status| status.success());
    if !taken {
        eprintln!("the emulator has no real-time priority: its delays are less exact");
    }
}
