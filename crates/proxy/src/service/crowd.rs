//! Crowd: how many connections each client address has open, so that no one address takes all there are.

use parking_lot::{Mutex, MutexGuard};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

/// Parts that are locked apart, so that workers seldom meet.
const PARTS: usize = 16;

/// All clients by address; one for all workers.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    parts: [Mutex<HashMap<IpAddr, Count>>; PARTS],
    state: RandomState,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    connections: u32,
    handshakes: u32,
}

impl Crowd {
    /// A connection of `address`; none if it has `limit` already, where 0 is no limit.
    pub(super) fn enter(crowd: &Arc<Self>, address: IpAddr, limit: u32) -> Option<Guest> {
        let address = network(address);
        let mut part = crowd.part(address);
        let count = part.entry(address).or_default();
        if limit > 0 && count.connections >= limit {
            return None;
        }
        count.connections += 1;
        drop(part);
        Some(Guest { crowd: Arc::clone(crowd), address })
    }

    /// Counts one less of what `of` names; nothing is kept of an address that has none left.
    fn leave(&self, address: IpAddr, of: impl FnOnce(&mut Count) -> &mut u32) {
        let mut part = self.part(address);
        let Some(count) = part.get_mut(&address) else { return };
        let left = of(count);
        *left = left.saturating_sub(1);
        if count.connections == 0 && count.handshakes == 0 {
            part.remove(&address);
        }
    }

    fn part(&self, address: IpAddr) -> MutexGuard<'_, HashMap<IpAddr, Count>> {
        let [first, others @ ..] = &self.parts;
        let at = usize::try_from(self.state.hash_one(address) % PARTS as u64).unwrap_or(0);
        let part = at.checked_sub(1).and_then(|at| others.get(at)).unwrap_or(first);
        part.lock()
    }
}

/// The address that is counted: of IPv6 a client has a whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

/// One connection of an address, counted until it is dropped.
#[derive(Debug)]
pub struct Guest {
    crowd: Arc<Crowd>,
    address: IpAddr,
}

impl Guest {
    /// Its handshake; none if the address has `limit` of them in progress already, where 0 is no limit.
    pub(super) fn handshake(&self, limit: u32) -> Option<Handshake> {
        let mut part = self.crowd.part(self.address);
        let count = part.entry(self.address).or_default();
        if limit > 0 && count.handshakes >= limit {
            return None;
        }
        count.handshakes += 1;
        Some(Handshake { crowd: Arc::clone(&self.crowd), address: self.address })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.crowd.leave(self.address, |count| &mut count.connections);
    }
}

/// A handshake in progress, counted until it is dropped.
#[derive(Debug)]
pub(super) struct Handshake {
    crowd: Arc<Crowd>,
    address: IpAddr,
}

impl Drop for Handshake {
    fn drop(&mut self) {
        self.crowd.leave(self.address, |count| &mut count.handshakes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_so_many_connections_and_others_have_theirs() {
        let crowd = Arc::new(Crowd::default());
        let enter = |text| Crowd::enter(&crowd, address(text), 2);
        let held = [enter("192.0.2.1").unwrap(), enter("192.0.2.1").unwrap()];
        assert!(enter("192.0.2.1").is_none() && enter("192.0.2.2").is_some());
        drop(held);
        assert!(enter("192.0.2.1").is_some());
        assert!(crowd.parts.iter().all(|part| part.lock().is_empty()), "nothing is kept of who has left");
    }

    #[test]
    fn of_ipv6_a_whole_network_is_one() {
        let crowd = Arc::new(Crowd::default());
        let held = Crowd::enter(&crowd, address("2001:db8::1"), 1);
        assert!(held.is_some());
        assert!(Crowd::enter(&crowd, address("2001:db8::ffff:2"), 1).is_none());
        assert!(Crowd::enter(&crowd, address("2001:db8:0:1::1"), 1).is_some());
    }

    #[test]
    fn handshakes_are_counted_among_the_connections_and_0_is_no_limit() {
        let crowd = Arc::new(Crowd::default());
        let guest = Crowd::enter(&crowd, address("192.0.2.1"), 0).unwrap();
        let first = guest.handshake(1);
        assert!(first.is_some() && guest.handshake(1).is_none() && guest.handshake(0).is_some());
        drop(first);
        assert!(guest.handshake(1).is_some());
    }
}
