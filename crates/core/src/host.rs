//! Host names as clients send them and as routes name them.

use std::fmt;

/// A host name: lower case, without port and trailing dot, at most 253 bytes; or an IP literal.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Host(Box<str>);

impl Host {
    /// Reads a host; `None` for what is no host name. A port and one trailing dot are dropped.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bare = without_port(text)?;
        let bare = bare.strip_suffix('.').unwrap_or(bare);
        let literal = bare.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Some(inner) = literal {
            let address: std::net::Ipv6Addr = inner.parse().ok()?;
            return Some(Self(format!("[{address}]").into()));
        }
        let fits = !bare.is_empty() && bare.len() <= 253 && bare.split('.').all(label);
        fits.then(|| Self(bare.to_ascii_lowercase().into()))
    }

    /// The host as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which hosts a route serves.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Pattern {
    /// One host.
    Exact(Host),
    /// Every host below this one, at any depth: `*.example.com` is written of `example.com`, which it does not serve.
    Below(Host),
    /// Every host.
    Any,
}

impl Pattern {
    /// Reads `host`, `*.host` or `*`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Any);
        }
        match text.strip_prefix("*.") {
            Some(rest) => Host::parse(rest).map(Self::Below),
            None => Host::parse(text).map(Self::Exact),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => write!(f, "{host}"),
            Self::Below(host) => write!(f, "*.{host}"),
            Self::Any => f.write_str("*"),
        }
    }
}

fn without_port(text: &str) -> Option<&str> {
    let end_of_literal = text.rfind(']');
    match text.rsplit_once(':') {
        Some((host, port)) if end_of_literal.is_none_or(|end| end < host.len()) => {
            (!port.is_empty() && port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit())).then_some(host)
        }
        _ => Some(text),
    }
}

fn label(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    !text.is_empty() && text.len() <= 63 && text.bytes().all(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(Host::parse(text).as_ref().map(Host::as_str), expected, "{text}");
    }

    #[test]
    fn a_host_loses_case_port_and_trailing_dot() {
        check("WWW.Example.COM:8443", Some("www.example.com"));
        check("example.com.", Some("example.com"));
        check("[2001:DB8::1]:443", Some("[2001:db8::1]"));
        check("127.0.0.1:80", Some("127.0.0.1"));
    }

    #[test]
    fn what_is_no_host_is_none() {
        for text in ["", ".", "a..b", "a b", "user@host", "host:", "host:port", "[::1", "a/b", "h:999999"] {
            check(text, None);
        }
    }

    #[test]
    fn a_wildcard_stands_in_front_only() {
        assert_eq!(Pattern::parse("*"), Some(Pattern::Any));
        assert_eq!(Pattern::parse("*.Example.com").map(|p| p.to_string()).as_deref(), Some("*.example.com"));
        assert_eq!(Pattern::parse("www.*.com"), None);
    }
}
