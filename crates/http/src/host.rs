//! Host: the authority of a request, in the one form in which hosts are compared.

use crate::Refusal;
use crate::bytes_of::decimal;
use std::fmt::Write;
use std::net::Ipv6Addr;

/// The longest name that DNS can carry.
const LONGEST: usize = 253;

/// A host in lower case without trailing dot (or an IPv6 address in brackets), and a port if one was named.
#[derive(Clone, Debug, Default)]
pub struct Authority {
    text: String,
    host_len: usize,
    port: Option<u16>,
    /// What was read last. The next request on a connection mostly names the same, which is not read again then.
    raw: Vec<u8>,
    /// Whether what was read last counts.
    named: bool,
}

impl Authority {
    /// Reads `host`, `host:port`, `[address]` or `[address]:port`.
    ///
    /// # Errors
    /// [`Refusal::Host`]: anything else. There is no place for user information, lists, escapes or controls.
    pub fn parse(raw: &[u8]) -> Result<Self, Refusal> {
        let mut authority = Self::default();
        authority.read(raw)?;
        Ok(authority)
    }

    /// As [`Authority::parse`], into the space that is already there.
    ///
    /// # Errors
    /// As [`Authority::parse`].
    pub fn read(&mut self, raw: &[u8]) -> Result<(), Refusal> {
        if raw != self.raw || raw.is_empty() {
            self.clear();
            self.raw.clear();
            self.text.clear();
            self.read_anew(raw)?;
            self.raw.extend_from_slice(raw);
        }
        self.named = true;
        Ok(())
    }

    fn read_anew(&mut self, raw: &[u8]) -> Result<(), Refusal> {
        let port = match raw {
            [b'[', rest @ ..] => self.read_address(rest)?,
            _ => self.read_name(raw)?,
        };
        self.host_len = self.text.len();
        self.port = read_port(port)?;
        if let Some(port) = self.port {
            self.text.push(':');
            self.text.push_str(std::str::from_utf8(decimal(port.into(), &mut [0; 20])).unwrap_or_default());
        }
        Ok(())
    }

    /// Forgets the host.
    pub fn clear(&mut self) {
        self.named = false;
    }

    /// Host and port as they are sent on; empty when the request has no host.
    pub fn as_str(&self) -> &str {
        if self.named { &self.text } else { "" }
    }

    /// The host alone.
    pub fn host(&self) -> &str {
        self.as_str().get(..self.host_len).unwrap_or_default()
    }

    /// The port, if one was named.
    pub fn port(&self) -> Option<u16> {
        self.port.filter(|_| self.named)
    }

    /// Whether both name the same host and port, where no port means `default_port`.
    pub fn agrees(&self, other: &Self, default_port: u16) -> bool {
        self.host() == other.host()
            && self.port().unwrap_or(default_port) == other.port().unwrap_or(default_port)
    }

    /// Takes a name; returns what stands after it.
    fn read_name<'a>(&mut self, raw: &'a [u8]) -> Result<&'a [u8], Refusal> {
        let end = raw.iter().position(|byte| *byte == b':').unwrap_or(raw.len());
        let (name, port) = raw.split_at_checked(end).unwrap_or_default();
        let name = name.strip_suffix(b".").unwrap_or(name);
        let mut before = b'.';
        for byte in name {
            match byte {
                b'.' if before == b'.' => return Err(Refusal::Host),
                b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => before = *byte,
                _ => return Err(Refusal::Host),
            }
        }
        // A dot at the end is one more than the root's; `before` still being the start means an empty name.
        if before == b'.' || name.len() > LONGEST {
            return Err(Refusal::Host);
        }
        self.text.push_str(std::str::from_utf8(name).map_err(|_other| Refusal::Host)?);
        self.text.make_ascii_lowercase();
        Ok(port)
    }

    /// Takes an address up to its bracket; returns what stands after it.
    fn read_address<'a>(&mut self, raw: &'a [u8]) -> Result<&'a [u8], Refusal> {
        let end = raw.iter().position(|byte| *byte == b']').ok_or(Refusal::Host)?;
        let (address, rest) = raw.split_at_checked(end).ok_or(Refusal::Host)?;
        let address = std::str::from_utf8(address).map_err(|_other| Refusal::Host)?;
        let address: Ipv6Addr = address.parse().map_err(|_other| Refusal::Host)?;
        write!(self.text, "[{address}]").map_err(|_full| Refusal::Host)?;
        rest.get(1..).ok_or(Refusal::Host)
    }
}

impl PartialEq for Authority {
    fn eq(&self, other: &Self) -> bool {
        (self.as_str(), self.port()) == (other.as_str(), other.port())
    }
}

impl Eq for Authority {}

/// The port after its colon; a colon alone means none (RFC 3986, 3.2.3).
fn read_port(raw: &[u8]) -> Result<Option<u16>, Refusal> {
    let digits = match raw {
        [] | [b':'] => return Ok(None),
        [b':', digits @ ..] if digits.len() <= 5 => digits,
        _ => return Err(Refusal::Host),
    };
    let mut port = 0_u32;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return Err(Refusal::Host);
        }
        port = port * 10 + u32::from(digit - b'0');
    }
    match u16::try_from(port) {
        Ok(port @ 1..) => Ok(Some(port)),
        _ => Err(Refusal::Host),
    }
}

#[cfg(test)]
mod tests {
    use super::Authority;
    use crate::Refusal;

    fn check(raw: &str, expected: &str) {
        let found = Authority::parse(raw.as_bytes()).unwrap();
        assert_eq!(found.as_str(), expected, "{raw}");
        let (host, port) = match found.port() {
            Some(port) => (expected.strip_suffix(&format!(":{port}")).unwrap(), Some(port)),
            None => (expected, None),
        };
        assert_eq!((found.host(), found.port()), (host, port), "{raw}");
    }

    #[test]
    fn a_host_has_one_form() {
        check("Example.COM", "example.com");
        check("example.com.", "example.com");
        check("example.com.:8443", "example.com:8443");
        check("example.com:", "example.com");
        check("my_host-1", "my_host-1");
        check("127.0.0.1:80", "127.0.0.1:80");
        check("[::1]", "[::1]");
        check("[::1]:", "[::1]");
        check("[2001:DB8:0::1]:443", "[2001:db8::1]:443");
    }

    #[test]
    fn what_is_read_into_used_space_is_what_came_last() {
        let mut authority = Authority::default();
        for raw in ["A.example:80", "b.example", "b.example", "[::1]:443", "b.example", "A.example:80"] {
            authority.read(raw.as_bytes()).unwrap();
            assert_eq!(authority, Authority::parse(raw.as_bytes()).unwrap());
            authority.clear();
            assert_eq!(authority, Authority::default());
            assert_eq!((authority.host(), authority.port()), ("", None));
        }
        for _ in 0..2 {
            assert_eq!(authority.read(b"a,b"), Err(Refusal::Host));
            assert_eq!(authority.as_str(), "");
            assert_eq!(authority.read(b""), Err(Refusal::Host));
        }
        authority.read(b"A.example:80").unwrap();
        assert_eq!(authority.as_str(), "a.example:80");
    }

    #[test]
    fn what_is_no_host_and_port_is_refused() {
        for raw in [
            "",
            ".",
            ":80",
            "a..b",
            ".a",
            "a..",
            "user@a",
            "a,b",
            "a b",
            " a",
            "a\tb",
            "a/b",
            "a%41",
            "a\\b",
            "a?b",
            "a#b",
            "\u{e4}.com",
            "a:b",
            "a:0",
            "a:65536",
            "a:123456",
            "a:+80",
            "a:80:80",
            "::1",
            "[::1",
            "[::1]x",
            "[fe80::1%eth0]",
            "[1.2.3.4]",
            "[]",
            "a\0b",
            "a\x7f",
            "a;b",
            "a\"b",
        ] {
            assert_eq!(Authority::parse(raw.as_bytes()), Err(Refusal::Host), "{raw}");
        }
        assert!(Authority::parse("a".repeat(253).as_bytes()).is_ok());
        assert!(Authority::parse("a".repeat(254).as_bytes()).is_err());
    }

    #[test]
    fn no_port_agrees_with_the_default_one() {
        let parse = |raw: &str| Authority::parse(raw.as_bytes()).unwrap();
        assert!(parse("a").agrees(&parse("A.:443"), 443) && !parse("a").agrees(&parse("a:443"), 80));
        assert!(!parse("a").agrees(&parse("b"), 80));
    }
}
