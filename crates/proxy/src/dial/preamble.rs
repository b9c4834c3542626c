//! The PROXY protocol's header: whom a connection to a backend is made for.

use nearside_core::policy::ProxyProtocol;
use proxy_header::{ProxiedAddress, ProxyHeader};
use std::io;
use std::net::SocketAddr;

/// The two ends of a client's connection.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Parties {
    /// The client's end.
    pub client: SocketAddr,
    /// Our end: the address that the client connected to.
    pub local: SocketAddr,
}

/// What a connection begins with, before TLS.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Preamble {
    /// How it is written.
    pub version: ProxyProtocol,
    /// For whom the connection is; `None` is for ourselves, as probes are.
    pub parties: Option<Parties>,
}

impl Preamble {
    /// The header's bytes.
    ///
    /// # Errors
    /// The two ends are of different families, which no socket's are.
    pub fn bytes(&self) -> io::Result<Vec<u8>> {
        let header = match self.parties {
            Some(Parties { client, local }) => {
                ProxyHeader::with_address(ProxiedAddress::stream(client, local))
            }
            None => ProxyHeader::with_local(),
        };
        let mut bytes = Vec::new();
        let written = match self.version {
            ProxyProtocol::V1 => header.encode_v1(&mut bytes),
            ProxyProtocol::V2 => header.encode_v2(&mut bytes),
        };
        written.map(|()| bytes).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(version: ProxyProtocol, parties: Option<(&str, &str)>) -> Vec<u8> {
        let parties = parties.map(|(client, local)| Parties {
            client: client.parse().unwrap(),
            local: local.parse().unwrap(),
        });
        Preamble { version, parties }.bytes().unwrap()
    }

    #[test]
    fn version_1_is_a_line() {
        let check = |parties, expected: &str| {
            assert_eq!(String::from_utf8(bytes(ProxyProtocol::V1, parties)).unwrap(), expected);
        };
        check(Some(("192.0.2.1:4711", "198.51.100.1:443")), "PROXY TCP4 192.0.2.1 198.51.100.1 4711 443\r\n");
        check(Some(("[2001:db8::1]:4711", "[::1]:443")), "PROXY TCP6 2001:db8::1 ::1 4711 443\r\n");
        check(None, "PROXY UNKNOWN\r\n");
    }

    #[test]
    fn version_2_is_binary() {
        let check = |parties, rest: &[u8]| {
            let expected = [b"\r\n\r\n\0\r\nQUIT\n", rest].concat();
            assert_eq!(bytes(ProxyProtocol::V2, parties), expected);
        };
        let four = [0x21, 0x11, 0, 12, 192, 0, 2, 1, 198, 51, 100, 1, 0x12, 0x67, 1, 0xbb];
        check(Some(("192.0.2.1:4711", "198.51.100.1:443")), &four);
        let mut six = vec![0x21, 0x21, 0, 36, 0x20, 1, 0x0d, 0xb8];
        six.extend([0; 11].iter().chain(&[1]).chain(&[0; 15]).chain(&[1, 0x12, 0x67, 1, 0xbb]));
        check(Some(("[2001:db8::1]:4711", "[::1]:443")), &six);
        check(None, &[0x20, 0, 0, 0]);
    }
}
