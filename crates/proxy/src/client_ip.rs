//! Whom a request is from: the connection's own address, or what trusted hops say.

use nearside_core::generation::{ClientIp, ClientIpFrom, ClientIpHeader};
use nearside_http::{Fields, Known, list};
use std::net::{IpAddr, SocketAddr};

/// What is believed of a request's client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Believed {
    /// Its address.
    pub(crate) address: IpAddr,
    /// Whether the peer is a trusted hop, whose `X-Forwarded-For` goes on.
    pub(crate) by_hop: bool,
    /// Whether someone who is not trusted said who the client is.
    pub(crate) claimed: bool,
}

/// Whom a request with `fields` is from, on a connection of `client`: the socket's address, or what the PROXY protocol
/// says.
pub(crate) fn believe(config: &ClientIp, client: IpAddr, fields: &Fields) -> Believed {
    let said = fields.contains(Known::XForwardedFor) || fields.contains(Known::Forwarded);
    if config.from != ClientIpFrom::Header || !config.trusts(client) {
        return Believed { address: client, by_hop: false, claimed: said };
    }
    let address = match config.header {
        ClientIpHeader::XForwardedFor => {
            let hops = fields.all(Known::XForwardedFor).flat_map(list::members);
            through(config, client, hops.map(address_of))
        }
        ClientIpHeader::Forwarded => {
            let hops = fields.all(Known::Forwarded).flat_map(list::members);
            through(config, client, hops.map(|hop| forwarded_for(hop).and_then(address_of)))
        }
    };
    Believed { address, by_hop: true, claimed: false }
}

/// Reads the hops from the right, as far as each is said by one that is trusted.
fn through(config: &ClientIp, peer: IpAddr, hops: impl Iterator<Item = Option<IpAddr>>) -> IpAddr {
    // Fields read forwards only; what matters is what stands behind the last that is not trusted.
    let hops: Vec<Option<IpAddr>> = hops.collect();
    let mut believed = peer;
    for hop in hops.into_iter().rev() {
        // An address that cannot be read, or is hidden, ends what is known.
        let Some(address) = hop.filter(|_| config.trusts(believed)) else { break };
        believed = address;
    }
    believed
}

/// The `for` of one element of `Forwarded` (RFC 7239, 5.2).
fn forwarded_for(element: &[u8]) -> Option<&[u8]> {
    list::split(element, b';').find_map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (pair.get(..at)?, pair.get(at + 1..)?);
        name.eq_ignore_ascii_case(b"for").then_some(value)
    })
}

/// The address of a hop, which may bear quotes, brackets and a port.
fn address_of(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim_matches('"');
    let address = text
        .parse::<IpAddr>()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok())?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearside_core::generation::Cidr;
    use nearside_http::Limits;
    use nearside_http::RequestHead;
    use nearside_http::request::parse;

    const PEER: &str = "10.0.0.9";

    fn config(from: ClientIpFrom, header: ClientIpHeader) -> ClientIp {
        let trusted = Cidr { address: "10.0.0.0".parse().unwrap(), prefix: 8 };
        ClientIp { from, header, trusted: Box::new([trusted]) }
    }

    fn head(lines: &str) -> RequestHead {
        let text = format!("GET / HTTP/1.1\r\nhost: a.example\r\n{lines}\r\n");
        let mut head = RequestHead::default();
        parse(text.as_bytes(), &Limits::default(), &mut head).unwrap();
        head
    }

    fn check(config: &ClientIp, peer: &str, lines: &str, expected: &str) {
        let believed = believe(config, peer.parse().unwrap(), head(lines).fields());
        assert_eq!(believed.address.to_string(), expected, "{lines}");
    }

    #[test]
    fn forwarded_for_is_read_from_the_right_as_far_as_hops_are_trusted() {
        let config = config(ClientIpFrom::Header, ClientIpHeader::XForwardedFor);
        check(&config, PEER, "x-forwarded-for: 203.0.113.7\r\n", "203.0.113.7");
        check(&config, PEER, "x-forwarded-for: 1.1.1.1, 203.0.113.7\r\n", "203.0.113.7");
        check(&config, PEER, "x-forwarded-for: 1.1.1.1, 203.0.113.7, 10.1.1.1\r\n", "203.0.113.7");
        check(&config, PEER, "x-forwarded-for: 1.1.1.1\r\nx-forwarded-for: 203.0.113.7\r\n", "203.0.113.7");
        check(&config, PEER, "x-forwarded-for: 10.3.3.3, 10.1.1.1\r\n", "10.3.3.3");
        check(&config, PEER, "x-forwarded-for: 203.0.113.7, nonsense, 10.1.1.1\r\n", "10.1.1.1");
        check(&config, PEER, "x-forwarded-for: [2001:db8::1]:99, 10.1.1.1:80\r\n", "2001:db8::1");
        check(&config, PEER, "x-forwarded-for: ::ffff:203.0.113.7\r\n", "203.0.113.7");
        check(&config, PEER, "", PEER);
    }

    #[test]
    fn forwarded_is_read_where_the_file_says_so() {
        let config = config(ClientIpFrom::Header, ClientIpHeader::Forwarded);
        check(&config, PEER, "forwarded: for=192.0.2.60;proto=http;by=203.0.113.43\r\n", "192.0.2.60");
        check(
            &config,
            PEER,
            "forwarded: for=1.1.1.1, FOR=\"[2001:db8:cafe::17]:4711\"\r\n",
            "2001:db8:cafe::17",
        );
        check(&config, PEER, "forwarded: for=192.0.2.60, for=unknown\r\n", PEER);
        check(&config, PEER, "forwarded: for=192.0.2.60, for=_hidden, for=10.1.1.1\r\n", "10.1.1.1");
        check(&config, PEER, "x-forwarded-for: 203.0.113.7\r\n", PEER);
    }

    #[test]
    fn who_is_not_trusted_is_not_believed_and_is_counted() {
        let spoofed = head("x-forwarded-for: 203.0.113.7\r\n");
        for (from, peer) in [
            (ClientIpFrom::Header, "198.51.100.1"),
            (ClientIpFrom::Socket, PEER),
            (ClientIpFrom::ProxyProtocol, PEER),
        ] {
            let config = config(from, ClientIpHeader::XForwardedFor);
            let believed = believe(&config, peer.parse().unwrap(), spoofed.fields());
            assert_eq!(believed, Believed { address: peer.parse().unwrap(), by_hop: false, claimed: true });
        }
    }
}
