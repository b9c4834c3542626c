//! Addresses: of listeners, of networks, of backends.

use crate::node::quoted;
use crate::report::Finding;
use crate::rule;
use crate::shape::Scalar;
use nearside_core::generation::{Cidr, Endpoint};
use nearside_core::host::Host;
use serde_json::{Value as Json, json};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

impl Scalar for SocketAddr {
    fn what() -> String {
        "an address such as `127.0.0.1:8443` or `[::]:443`".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        text.parse().ok().ok_or_else(|| {
            let finding = Finding::new(rule::ADDRESS, format!("{} is no address with a port", quoted(text)));
            match text.strip_prefix("localhost:").or_else(|| text.strip_prefix(':')) {
                Some(port) if text.starts_with(':') => finding.hint(format!("did you mean \"[::]:{port}\"?")),
                Some(port) => finding.hint(format!("did you mean \"127.0.0.1:{port}\"?")),
                None => finding.hint(format!("write {}", Self::what())),
            }
        })
    }

    fn write(&self) -> serde_yaml::Value {
        self.to_string().into()
    }
}

impl Scalar for IpAddr {
    fn what() -> String {
        "an IP address".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        text.parse().ok().ok_or_else(|| {
            let finding = Finding::new(rule::NETWORK, format!("{} is no IP address", quoted(text)));
            finding.hint("write an address such as \"192.0.2.1\" or \"2001:db8::1\"")
        })
    }

    fn write(&self) -> serde_yaml::Value {
        self.to_string().into()
    }
}

impl Scalar for Cidr {
    fn what() -> String {
        "a network such as `10.0.0.0/8` or `127.0.0.1`".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        let fail = || {
            let finding = Finding::new(rule::NETWORK, format!("{} is no network", quoted(text)));
            finding.hint(format!("write {}", Self::what()))
        };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok().ok_or_else(fail)?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix.map(str::parse::<u8>) {
            None => bits,
            Some(Ok(prefix)) if prefix <= bits => prefix,
            Some(_) => return Err(fail()),
        };
        let network = masked(address, prefix);
        if network != address {
            let finding = Finding::new(rule::NETWORK, format!("{} has bits after its prefix", quoted(text)));
            return Err(finding.hint(format!("did you mean \"{network}/{prefix}\"?")));
        }
        Ok(Self { address, prefix })
    }

    fn write(&self) -> serde_yaml::Value {
        format!("{}/{}", self.address, self.prefix).into()
    }
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    let host_bits = |bits: u8| u32::from(bits - prefix);
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(host_bits(32)).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(host_bits(128)).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

/// The longest path of a Unix socket: the kernel's field for it has room for one more byte, which is 0.
const LONGEST_PATH: usize = 107;

/// A backend's url: scheme, host and port, or the path of a Unix socket; nothing else.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Url {
    /// As the file writes it.
    pub(crate) text: Box<str>,
    pub(crate) endpoint: Endpoint,
}

impl Scalar for Url {
    fn what() -> String {
        "a url such as `https://fra.example.internal` or `unix:/run/app.sock`".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        let fail = |what: &str| Finding::new(rule::URL, format!("{} {what}", quoted(text)));
        if let Some(path) = text.strip_prefix("unix:") {
            return socket(text, path);
        }
        if let Some(path) = meant_socket(text) {
            return Err(fail("is no http or https url").hint(format!("did you mean \"unix:{path}\"?")));
        }
        let tls = match text.split_once("://") {
            Some(("https", _)) => true,
            Some(("http", _)) => false,
            Some((scheme, _)) => {
                let finding = fail("is no http or https url");
                return Err(match scheme.to_ascii_lowercase().as_str() {
                    "h2c" | "grpc" => finding.hint("write http:// and `connections: { protocol: h2c }`"),
                    "http" | "https" => finding.hint("write the scheme in lower case"),
                    _ => finding.hint("write http:// or https://"),
                });
            }
            None => return Err(fail("is no url").hint(format!("did you mean \"https://{text}\"?"))),
        };
        let rest = text.split_once("://").map_or("", |(_, rest)| rest);
        if rest.contains('@') {
            return Err(fail("names a user").hint("leave the user out"));
        }
        if let Some((authority, _)) = rest.split_once(['/', '?', '#']) {
            let scheme = if tls { "https" } else { "http" };
            let hint =
                format!("write \"{scheme}://{authority}\"; `strip_prefix` and `probe.path` are about paths");
            return Err(fail("has a path").hint(hint));
        }
        let (host, port) =
            authority(rest, if tls { 443 } else { 80 }).ok_or_else(|| fail("names no host"))?;
        Ok(Self { text: text.into(), endpoint: Endpoint { tls, host, port } })
    }

    fn write(&self) -> serde_yaml::Value {
        (*self.text).into()
    }

    fn json() -> Json {
        json!({ "type": "string", "pattern": "^(https?://[^/?#@]+|unix:/.+)$" })
    }
}

/// Where a collector takes traces.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Collector {
    text: Box<str>,
    pub(crate) endpoint: Endpoint,
    pub(crate) path: Box<str>,
}

impl Scalar for Collector {
    fn what() -> String {
        "a url such as `http://127.0.0.1:4318/v1/traces`".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        let (origin, path) = match rest.split_once('/') {
            Some((authority, path)) => (format!("{scheme}://{authority}"), format!("/{path}")),
            None => (text.to_owned(), String::new()),
        };
        let fail = |what: &str| Finding::new(rule::COLLECTOR, format!("{} {what}", quoted(text)));
        let hint = format!("write {}", Self::what());
        let url = Url::parse(&origin).ok().filter(|url| url.endpoint.socket().is_none());
        let endpoint = url.ok_or_else(|| fail("is no http or https url").hint(hint.clone()))?.endpoint;
        if path.bytes().any(|byte| !byte.is_ascii_graphic() || matches!(byte, b'?' | b'#')) {
            return Err(fail("has more than a path").hint(hint));
        }
        if endpoint.port == 4317 {
            return Err(fail("is where collectors speak gRPC").hint("OTLP over HTTP is at port 4318"));
        }
        let path = if path.len() <= 1 { "/v1/traces".into() } else { path.into() };
        Ok(Self { text: text.into(), endpoint, path })
    }

    fn write(&self) -> serde_yaml::Value {
        (*self.text).into()
    }

    fn json() -> Json {
        json!({ "type": "string", "pattern": "^https?://[^/?#@]+(/[^?#]*)?$" })
    }
}

/// A Unix socket; every PoP reads the same file, so its path does not depend on a folder.
fn socket(text: &str, path: &str) -> Result<Url, Finding> {
    let fail = |what: &str| Finding::new(rule::URL, format!("{} {what}", quoted(text)));
    if path.starts_with("//") {
        let path = path.trim_start_matches('/');
        return Err(fail("has a host").hint(format!("did you mean \"unix:/{path}\"?")));
    }
    if !path.starts_with('/') || path.ends_with('/') {
        return Err(fail("names no file").hint("write the whole path, such as `unix:/run/app.sock`"));
    }
    if path.len() > LONGEST_PATH {
        let hint = format!("{} bytes; a Unix socket's path has {LONGEST_PATH} at most", path.len());
        return Err(fail("is too long").hint(hint));
    }
    Ok(Url { text: text.into(), endpoint: Endpoint::unix(path) })
}

/// The path of a Unix socket, where `text` is how other programs write one.
fn meant_socket(text: &str) -> Option<&str> {
    let others = ["http://unix:", "http+unix://", "unix@", "unix/", "unix"];
    let path = others.into_iter().find_map(|other| text.strip_prefix(other)).unwrap_or(text);
    let path = path.trim_end_matches(':');
    path.starts_with('/').then_some(path)
}

/// The host, in lower case and without brackets, and the port.
fn authority(text: &str, default_port: u16) -> Option<(Box<str>, u16)> {
    let host = Host::parse(text)?;
    let bare = host.as_str().trim_start_matches('[').trim_end_matches(']');
    let port = match text.rsplit_once(':') {
        Some((before, port)) if !before.contains('[') || before.ends_with(']') => {
            Some(port.parse::<u16>().ok().filter(|port| *port != 0)?)
        }
        _ => None,
    };
    Some((bare.into(), port.unwrap_or(default_port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_url(text: &str, expected: Option<(bool, &str, u16)>) {
        let url = Url::parse(text).ok();
        let found = url.as_ref().map(|url| (url.endpoint.tls, &*url.endpoint.host, url.endpoint.port));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn a_url_is_scheme_host_and_port() {
        check_url("https://FRA.example.internal", Some((true, "fra.example.internal", 443)));
        check_url("http://10.0.0.1:8080", Some((false, "10.0.0.1", 8080)));
        check_url("http://[2001:db8::1]:8080", Some((false, "2001:db8::1", 8080)));
        check_url("https://[2001:db8::1]", Some((true, "2001:db8::1", 443)));
        for text in
            ["ftp://a", "a.b", "https://", "https://a/", "https://u@a", "http://a:0", "http://a:70000"]
        {
            check_url(text, None);
        }
    }

    #[test]
    fn a_socket_has_a_whole_path_of_bounded_length() {
        check_url("unix:/run/app.sock", Some((false, "/run/app.sock", 0)));
        let longest = format!("unix:/{}", "a".repeat(106));
        assert!(Url::parse(&longest).is_ok() && Url::parse(&format!("{longest}a")).is_err());
        for text in ["unix:run/app.sock", "unix:", "unix:/", "unix:/run/", "unix:@name"] {
            check_url(text, None);
        }
    }

    #[test]
    fn who_writes_a_socket_as_other_programs_do_is_told_how() {
        for text in [
            "unix:///run/app.sock",
            "unix://run/app.sock",
            "unix//run/app.sock",
            "unix@/run/app.sock",
            "http://unix:/run/app.sock:",
            "http+unix:///run/app.sock",
            "/run/app.sock",
        ] {
            let told = Url::parse(text).unwrap_err();
            assert!(format!("{told:?}").contains("unix:/run/app.sock\\\"?"), "{told:?}");
        }
    }

    #[test]
    fn a_collector_has_a_path_and_no_more() {
        let check = |text: &str, expected: Option<(&str, u16, &str)>| {
            let found = Collector::parse(text).ok();
            let found = found.as_ref().map(|it| (&*it.endpoint.host, it.endpoint.port, &*it.path));
            assert_eq!(found, expected, "{text}");
        };
        check("http://127.0.0.1:4318", Some(("127.0.0.1", 4318, "/v1/traces")));
        check("https://otel.example/", Some(("otel.example", 443, "/v1/traces")));
        check("https://otel.example:4318/otlp/v1/traces", Some(("otel.example", 4318, "/otlp/v1/traces")));
        for text in [
            "otel.example:4318",
            "http://otel.example:4317",
            "http://a/b?c=d",
            "http://a/b c",
            "unix:/a/b",
            "http:///a",
        ] {
            check(text, None);
        }
    }

    fn check_network(text: &str, expected: Option<&str>) {
        let written = Cidr::parse(text).ok().map(|network| network.write());
        assert_eq!(written.as_ref().and_then(serde_yaml::Value::as_str), expected, "{text}");
    }

    #[test]
    fn a_network_has_no_bits_after_its_prefix() {
        check_network("10.0.0.0/8", Some("10.0.0.0/8"));
        check_network("127.0.0.1", Some("127.0.0.1/32"));
        check_network("::/0", Some("::/0"));
        check_network("2001:db8::/32", Some("2001:db8::/32"));
        for text in ["10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "x", "0.0.0.0/-1"] {
            check_network(text, None);
        }
    }
}
