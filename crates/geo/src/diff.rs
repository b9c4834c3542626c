//! What changes place between two sets of tables.

use crate::network::{self, GLOBAL_V6};
use crate::tables::Tables;
use nearside_core::generation::Cidr;
use nearside_core::place::{Continent, Country, Place, Subdivision};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

/// Neighbouring addresses that all move from one place to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// The first address.
    pub first: IpAddr,
    /// The last address.
    pub last: IpAddr,
    /// Where the old tables place them.
    pub from: Place,
    /// Where the new tables place them.
    pub to: Place,
}

impl Change {
    /// The networks that the addresses make up.
    pub fn networks(&self) -> impl Iterator<Item = Cidr> + use<> {
        network::between(self.first, self.last)
    }

    fn continues(&self, before: &Self) -> bool {
        (law(before.from), law(before.to)) == (law(self.from), law(self.to))
            && network::next(before.last) == Some(self.first)
    }
}

/// Every change of country, subdivision or continent from `old` to `new`: IPv4, then IPv6, in the order of addresses.
///
/// Nothing is kept but the change at hand. Of IPv6 the part that is handed out (2000::/3) is compared, without the networks
/// that stand for IPv4 (6to4, Teredo). The embedded table does not tell its networks: it is compared every 256 addresses of
/// IPv4 and every /32 of IPv6 (every /24 where it knows nothing), and wherever a network of the other begins.
#[must_use]
pub fn diff<'a>(old: &'a Tables, new: &'a Tables) -> Changes<'a> {
    Changes { old, new, at: Some(Ipv4Addr::UNSPECIFIED.into()), open: None }
}

/// The changes between two sets of tables.
#[derive(Debug)]
pub struct Changes<'a> {
    old: &'a Tables,
    new: &'a Tables,
    at: Option<IpAddr>,
    open: Option<Change>,
}

impl Iterator for Changes<'_> {
    type Item = Change;

    fn next(&mut self) -> Option<Change> {
        while let Some(first) = self.at {
            let (old, old_prefix) = self.old.located(first);
            let (new, new_prefix) = self.new.located(first);
            let last = network::last(network::around(first, old_prefix.max(new_prefix)));
            self.at = after(last);
            let (from, to) = (old.place, new.place);
            let change = (law(from) != law(to)).then_some(Change { first, last, from, to });
            match (&mut self.open, change) {
                (Some(open), Some(change)) if change.continues(open) => open.last = change.last,
                (open, change) => {
                    if let Some(done) = std::mem::replace(open, change) {
                        return Some(done);
                    }
                }
            }
        }
        self.open.take()
    }
}

/// How much moves from one country to another.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Moved {
    /// Changes: ranges of neighbouring addresses.
    pub changes: u64,
    /// Those of them that the caller marked.
    pub marked: u64,
    /// Addresses of IPv4.
    pub v4: u64,
    /// Networks /64 of IPv6, begun ones counted.
    pub v6: u64,
}

/// Changes added up by country before and after; both are the same where only the subdivision changes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Summary(pub BTreeMap<(Country, Country), Moved>);

impl Summary {
    /// Adds a change. `marked` is for the caller: a change of residency class.
    pub fn add(&mut self, change: &Change, marked: bool) {
        let moved = self.0.entry((change.from.country, change.to.country)).or_default();
        moved.changes += 1;
        moved.marked += u64::from(marked);
        match (change.first, change.last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                moved.v4 += u64::from(u32::from(last) - u32::from(first)) + 1
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                let networks = (u128::from(last) >> 64) - (u128::from(first) >> 64) + 1;
                moved.v6 = moved.v6.saturating_add(u64::try_from(networks).unwrap_or(u64::MAX));
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {}
        }
    }
}

/// What rules of preference and residency can see.
fn law(place: Place) -> (Country, Option<Subdivision>, Option<Continent>) {
    (place.country, place.state, place.continent)
}

const FOR_V4: [Cidr; 2] = [network::v6(0x2001, 0, 32), network::v6(0x2002, 0, 16)];

/// Where to go on after `last`.
fn after(last: IpAddr) -> Option<IpAddr> {
    let next = match network::next(last) {
        None if last.is_ipv4() => Some(GLOBAL_V6.address),
        next => next,
    };
    let next = FOR_V4.iter().fold(next, |next, network| match next {
        Some(address) if network.holds(address) => network::next(network::last(*network)),
        other => other,
    });
    next.filter(|address| address.is_ipv4() || GLOBAL_V6.holds(*address))
}
