//! Networks.

use std::fmt;
use std::net::IpAddr;

/// A network in CIDR notation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cidr {
    /// The network's address.
    pub address: IpAddr,
    /// Leading bits that count.
    pub prefix: u8,
}

impl Cidr {
    /// Whether `address` belongs to it. An IPv4 address that is mapped into IPv6 counts as itself.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differ = network.to_bits() ^ address.to_bits();
                differ.leading_zeros() >= u32::from(self.prefix)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differ = network.to_bits() ^ address.to_bits();
                differ.leading_zeros() >= u32::from(self.prefix)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_what_shares_its_prefix() {
        let check = |network: &str, prefix, address: &str, expected| {
            let network = Cidr { address: network.parse().unwrap(), prefix };
            assert_eq!(network.holds(address.parse().unwrap()), expected, "{network} {address}");
        };
        check("10.0.0.0", 8, "10.255.0.1", true);
        check("10.0.0.0", 8, "::ffff:10.0.0.1", true);
        check("10.0.0.0", 8, "11.0.0.0", false);
        check("0.0.0.0", 0, "255.1.2.3", true);
        check("0.0.0.0", 0, "2001:db8::1", false);
        check("2001:db8::", 32, "2001:db8:1::1", true);
        check("2001:db8::1", 128, "2001:db8::2", false);
    }
}
