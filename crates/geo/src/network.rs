//! Networks as ranges of addresses.

use nearside_core::generation::Cidr;
use std::net::{IpAddr, Ipv6Addr};

/// The part of IPv6 that is handed out.
pub(crate) const GLOBAL_V6: Cidr = v6(0x2000, 0, 3);

/// The network of IPv6 that begins with these two groups.
pub(crate) const fn v6(first: u16, second: u16, prefix: u8) -> Cidr {
    Cidr { address: IpAddr::V6(Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0)), prefix }
}

/// The network of `prefix` that holds `address`.
pub(crate) fn around(address: IpAddr, prefix: u8) -> Cidr {
    let address = match address {
        IpAddr::V4(v4) => IpAddr::V4((u32::from(v4) & !host_v4(prefix)).into()),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !host_v6(prefix)).into()),
    };
    Cidr { address, prefix }
}

/// The last address of a network.
pub(crate) fn last(network: Cidr) -> IpAddr {
    match network.address {
        IpAddr::V4(v4) => IpAddr::V4((u32::from(v4) | host_v4(network.prefix)).into()),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) | host_v6(network.prefix)).into()),
    }
}

/// The address behind `address`, of the same family.
pub(crate) fn next(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(v4) => u32::from(v4).checked_add(1).map(|bits| IpAddr::V4(bits.into())),
        IpAddr::V6(v6) => u128::from(v6).checked_add(1).map(|bits| IpAddr::V6(bits.into())),
    }
}

/// The fewest networks that make up the addresses from `first` to `end`, in their order.
pub(crate) fn between(first: IpAddr, end: IpAddr) -> impl Iterator<Item = Cidr> {
    let mut rest = Some(first);
    std::iter::from_fn(move || {
        let start = rest.filter(|start| *start <= end)?;
        let fits = |prefix: &u8| {
            let network = around(start, *prefix);
            network.address == start && last(network) <= end
        };
        let network = around(start, (0..length(start)).find(fits).unwrap_or(length(start)));
        rest = next(last(network));
        Some(network)
    })
}

fn length(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn host_v4(prefix: u8) -> u32 {
    u32::MAX.checked_shr(prefix.into()).unwrap_or(0)
}

fn host_v6(prefix: u8) -> u128 {
    u128::MAX.checked_shr(prefix.into()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(first: &str, end: &str, expected: &[&str]) {
        let networks = between(first.parse().unwrap(), end.parse().unwrap());
        let told: Vec<_> =
            networks.map(|network| format!("{}/{}", network.address, network.prefix)).collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn a_range_is_told_as_the_fewest_networks() {
        check("0.0.0.0", "255.255.255.255", &["0.0.0.0/0"]);
        check("10.0.0.0", "10.0.2.255", &["10.0.0.0/23", "10.0.2.0/24"]);
        check("10.0.0.1", "10.0.0.2", &["10.0.0.1/32", "10.0.0.2/32"]);
        check("2001:db8::", "2001:db8:2:ffff:ffff:ffff:ffff:ffff", &["2001:db8::/47", "2001:db8:2::/48"]);
        check("255.255.255.255", "255.255.255.255", &["255.255.255.255/32"]);
    }
}
