//! What is remembered of addresses that did not answer: behind a name with several, they are tried after the others.

use parking_lot::{Mutex, MutexGuard};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::Instant;

/// How long a failure is remembered. Then one connection finds out, for the price of a moment's wait, whether the
/// address is back.
const KEPT: Duration = Duration::from_mins(1);

/// The most addresses that are remembered.
const MOST: usize = 1024;

/// When addresses have failed.
#[derive(Debug, Default)]
pub struct Memory {
    failed: Mutex<HashMap<SocketAddr, Instant>>,
}

impl Memory {
    /// Puts those that have failed of late behind the others, the one that failed longest ago first.
    pub(crate) fn order(&self, addresses: &mut [SocketAddr]) {
        let (failed, now) = (self.failed(), Instant::now());
        if !failed.is_empty() {
            let lately = |address: &SocketAddr| failed.get(address).filter(|at| **at + KEPT > now).copied();
            addresses.sort_by_key(lately);
        }
    }

    /// Notes that an address refused, or was silent for so long that another was tried beside it.
    pub(super) fn note_failure(&self, address: SocketAddr) {
        let (mut failed, now) = (self.failed(), Instant::now());
        if failed.len() >= MOST {
            failed.retain(|_, at| *at + KEPT > now);
        }
        if failed.len() < MOST {
            failed.insert(address, now);
        }
    }

    /// Notes that an address has answered.
    pub(super) fn note_answer(&self, address: SocketAddr) {
        self.failed().remove(&address);
    }

    fn failed(&self) -> MutexGuard<'_, HashMap<SocketAddr, Instant>> {
        self.failed.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        ([192, 0, 2, 1], port).into()
    }

    fn order(memory: &Memory) -> [u16; 3] {
        let mut addresses = [1, 2, 3].map(address);
        memory.order(&mut addresses);
        addresses.map(|address| address.port())
    }

    #[tokio::test(start_paused = true)]
    async fn what_failed_stands_behind_until_it_answers_or_is_forgotten() {
        let memory = Memory::default();
        assert_eq!(order(&memory), [1, 2, 3]);
        memory.note_failure(address(2));
        tokio::time::advance(KEPT / 2).await;
        memory.note_failure(address(1));
        assert_eq!(order(&memory), [3, 2, 1]);
        memory.note_answer(address(1));
        assert_eq!(order(&memory), [1, 3, 2]);
        tokio::time::advance(KEPT / 2).await;
        assert_eq!(order(&memory), [1, 2, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn it_has_a_bound() {
        let memory = Memory::default();
        (0..2000).for_each(|port| memory.note_failure(address(port)));
        assert_eq!(memory.failed().len(), MOST);
        tokio::time::advance(KEPT).await;
        memory.note_failure(address(1));
        assert_eq!(memory.failed().len(), 1);
    }
}
